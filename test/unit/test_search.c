/*
 * test_search.c - carrying out one planned search: sources, batches of a stream, counters.
 */
#include "../search_fixture.h"

static sqlite3 *db;

static int open_db(void **state)
{
    (void)state;
    db = vs_test_open();
    fixture_fill_line(db, "t", 2000);
    vs_test_run(db, "CREATE INDEX t_tag ON t(tag) WHERE tag = 3");
    return 0;
}

static int close_db(void **state)
{
    (void)state;
    vs_test_close(db);
    return 0;
}

/* rows_read of a fresh connection's statistics after one statement. */
static int64_t rows_read(const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t sum[2] = {0, 0};
    for (int round = 0; round < 2; round++) {
        assert_int_equal(sqlite3_prepare_v2(db, "SELECT coalesce(sum(rows_read), 0) FROM vec_stats",
                                            -1, &stmt, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        sum[round] = sqlite3_column_int64(stmt, 0);
        sqlite3_finalize(stmt);
        if (round == 0) {
            assert_int_equal(fixture_step_all(db, sql), SQLITE_OK);
        }
    }
    return sum[1] - sum[0];
}

static void a_search_with_k_reads_each_row_once(void **state)
{
    (void)state;
    assert_int_equal(rows_read("SELECT count(*) FROM vec_search('t', 'v', '[0,1]', 10)"), 2000);
    assert_int_equal(rows_read("SELECT count(*) FROM vec_search('t', 'v', '[0,1]', 2000)"), 2000);
    assert_int_equal(
        rows_read("SELECT count(*) FROM vec_search_batch('t', 'v', '[[0,1],[1,1],[2,1]]', 10)"),
        2000);
}

static void few_ids_are_looked_up_and_many_are_found_by_a_pass(void **state)
{
    (void)state;
    assert_int_equal(
        rows_read(
            "SELECT count(*) FROM vec_search('t', 'v', '[0,1]', 10) WHERE id IN (5, 6, 7, 99999)"),
        3);
    assert_in_range(rows_read("SELECT count(*) FROM vec_search('t', 'v', '[0,1]', 10) WHERE id IN "
                              "(SELECT id FROM t WHERE id > 100)"),
                    1900, 2000);
}

static void a_partial_index_is_searched_alone(void **state)
{
    (void)state;
    assert_int_equal(
        rows_read(
            "SELECT count(*) FROM vec_search('t', 'v', '[0,1]', 10, '{\"index\":\"t_tag\"}')"),
        200);
    vs_test_gives(
        db, "SELECT count(*) FROM vec_search('t', 'v', '[0,1]', NULL, '{\"index\":\"t_tag\"}')",
        "200");
}

/*
 * Batches of 64, 256, 1,024, ...: all 2,000 rows come in a handful of passes, without a gap or a
 * row twice.
 */
static void a_stream_comes_in_growing_batches(void **state)
{
    (void)state;
    assert_in_range(rows_read("SELECT count(*) FROM vec_search('t', 'v', '[0,1]') LIMIT 1"), 2000,
                    5 * 2000);
    vs_test_gives(db,
                  "SELECT count(*), count(DISTINCT id), min(rank), max(rank), sum(id = rank) FROM "
                  "vec_search('t', 'v', '[0,1]')",
                  "2000|2000|1|2000|2000");
    assert_int_equal(
        rows_read("SELECT id FROM vec_search('t', 'v', '[0,1]') ORDER BY distance LIMIT 10"), 2000);
}

/* All rows at one distance: the batches go on by id. */
static void ties_are_not_lost_between_batches(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE same(id INTEGER PRIMARY KEY, v); INSERT INTO same SELECT id * 3 "
                    "- 1000, '[1,1]' FROM t");
    vs_test_gives(db,
                  "SELECT count(*), count(DISTINCT id), sum(id = rank * 3 - 1000) FROM "
                  "vec_search('same', 'v', '[0,1]')",
                  "2000|2000|2000");
    vs_test_gives(db, "SELECT id FROM vec_search('same', 'v', '[0,1]', 3)", "-997; -994; -991");
    vs_test_run(db, "DROP TABLE same");
}

static void skipped_rows_are_counted(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE bad(id INTEGER PRIMARY KEY, v); INSERT INTO bad VALUES (1, "
                    "'[1,2]'), (2, x'00'), (3, NULL), (4, '[1'), (5, 7)");
    vs_test_gives(
        db, "SELECT id FROM vec_search('bad', 'v', '[1,2]', 9, '{\"bad_rows\":\"skip\"}')", "1");
    vs_test_gives(db,
                  "SELECT rows_read, rows_skipped, rows_returned, calls FROM vec_stats WHERE "
                  "target = 'bad.v'",
                  "4|3|1|1");
    vs_test_run(db, "DROP TABLE bad");
}

static void a_band_keeps_the_norms_it_says(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE b(id INTEGER PRIMARY KEY, v); INSERT INTO b SELECT id, "
                    "vec_f32('[' || id || ',0]') FROM t; CREATE INDEX b_norm ON b(vec_norm(v))");
    for (int i = 0; i < 2; i++) {
        vs_test_gives(
            db,
            i == 0 ? "SELECT min(id), max(id), count(*) FROM vec_search('b', 'v', '[100,0]', NULL, "
                     "'{\"norm_band\":0.25}')"
                   : "SELECT min(id), max(id), count(*) FROM vec_search('b', 'v', '[0,100]', NULL, "
                     "'{\"norm_band\":0.25,\"index\":\"b_norm\",\"metric\":\"cosine\"}')",
            "75|125|51");
    }
    vs_test_gives(db,
                  "SELECT count(*) FROM vec_search_batch('b', 'v', '[[100,0],[10,0]]', 5000, "
                  "'{\"norm_band\":0}')",
                  "2");
    vs_test_run(db, "DROP TABLE b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_with_k_reads_each_row_once),
        cmocka_unit_test(few_ids_are_looked_up_and_many_are_found_by_a_pass),
        cmocka_unit_test(a_partial_index_is_searched_alone),
        cmocka_unit_test(a_stream_comes_in_growing_batches),
        cmocka_unit_test(ties_are_not_lost_between_batches),
        cmocka_unit_test(skipped_rows_are_counted),
        cmocka_unit_test(a_band_keeps_the_norms_it_says),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
