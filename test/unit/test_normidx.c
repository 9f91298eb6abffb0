/*
 * test_normidx.c - walking a norm index reads few rows where norms tell much, and gives up where
 * they tell nothing.
 */
#include "../search_fixture.h"

static sqlite3 *db;

static int open_db(void **state)
{
    (void)state;
    db = vs_test_open();
    fixture_fill(db, "spread", 4000, 8, FIXTURE_LOG_NORM);
    vs_test_run(db, "CREATE INDEX spread_norm ON spread(vec_norm(v));"
                    "CREATE TABLE covered AS SELECT * FROM spread; CREATE INDEX covered_norm ON "
                    "covered(vec_norm(v), v)");
    return 0;
}

static int close_db(void **state)
{
    (void)state;
    vs_test_close(db);
    return 0;
}

/* Of the last run of the statement: rows read, and how often it left the index. */
static void counts(const char *sql, const char *target, int64_t *out_read, int64_t *out_fallbacks)
{
    sqlite3_stmt *stmt = NULL;
    int64_t before[2];
    for (int round = 0; round < 2; round++) {
        char *ask = sqlite3_mprintf("SELECT sum(rows_read), sum(fallbacks) FROM vec_stats WHERE "
                                    "target = %Q AND strategy LIKE '%%norm index'",
                                    target);
        assert_int_equal(sqlite3_prepare_v2(db, ask, -1, &stmt, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        *out_read = sqlite3_column_int64(stmt, 0);
        *out_fallbacks = sqlite3_column_int64(stmt, 1);
        sqlite3_finalize(stmt);
        sqlite3_free(ask);
        if (round == 0) {
            before[0] = *out_read;
            before[1] = *out_fallbacks;
            assert_int_equal(fixture_step_all(db, sql), SQLITE_OK);
        }
    }
    *out_read -= before[0];
    *out_fallbacks -= before[1];
}

static void dot_reads_the_longest_vectors_only(void **state)
{
    int64_t rows, fallbacks;
    (void)state;
    counts("SELECT count(*) FROM vec_search('spread', 'v', '[1,2,3,4,5,6,7,8]', 5, "
           "'{\"metric\":\"dot\"}')",
           "spread.v", &rows, &fallbacks);
    assert_in_range(rows, 5, 1500);
    assert_int_equal(fallbacks, 0);
    counts("SELECT count(*) FROM vec_search('covered', 'v', '[1,2,3,4,5,6,7,8]', 5, "
           "'{\"metric\":\"dot\"}')",
           "covered.v", &rows, &fallbacks);
    assert_in_range(rows, 5, 1500);
}

static void l2_reads_the_rows_around_the_norm_of_the_query(void **state)
{
    int64_t rows, fallbacks;
    (void)state;
    counts("SELECT count(*) FROM vec_search('covered', 'v', (SELECT vec_scale(v, 1.01) FROM "
           "covered ORDER BY vec_norm(v) DESC LIMIT 1), 1,"
           "'{\"index\":\"covered_norm\"}')",
           "covered.v", &rows, &fallbacks);
    assert_in_range(rows, 1, 400);
    assert_int_equal(fallbacks, 0); /* a named index is never left */
}

/* The answer of every walk is that of a pass. */
static void every_walk_gives_the_answer_of_a_pass(void **state)
{
    static const char *const metrics[] = {"l2", "l2sq", "dot", "l1", "cosine"};
    static const char *const names[][2] = {{"spread", "spread_norm"}, {"covered", "covered_norm"}};
    static const char *const queries[] = {"'[1,2,3,4,5,6,7,8]'", "'[0,0,0,0,0,0,0,0]'",
                                          "'[1e-30,0,0,0,0,0,0,0]'", "'[1e30,1,1,1,1,1,1,1]'"};
    (void)state;
    for (size_t m = 0; m < VS_TEST_COUNT(metrics); m++) {
        for (size_t t = 0; t < 2; t++) {
            for (size_t q = 0; q < VS_TEST_COUNT(queries); q++) {
                char *sql = sqlite3_mprintf(
                    "SELECT count(*) FROM (SELECT id, distance, rank FROM vec_search('%s', 'v', "
                    "%s, 50, '{\"metric\":\"%s\",\"index\":\"%s\"}')"
                    "EXCEPT SELECT id, distance, rank FROM vec_search('parts', 'v', %s, 50, "
                    "'{\"metric\":\"%s\"}'))",
                    names[t][0], queries[q], metrics[m], names[t][1], queries[q], metrics[m]);
                vs_test_run(db, "CREATE TEMP TABLE parts AS SELECT * FROM spread");
                vs_test_gives(db, sql, "0");
                vs_test_run(db, "DROP TABLE temp.parts");
                sqlite3_free(sql);
            }
        }
    }
}

/*
 * A query unlike the stored vectors, for which the index was chosen and prunes nothing: the search
 * turns to a pass, with the same answer.
 */
static void a_walk_that_does_not_prune_gives_up(void **state)
{
    int64_t rows, fallbacks;
    (void)state;
    vs_test_run(db, "CREATE TABLE odd(id INTEGER PRIMARY KEY, v); WITH RECURSIVE n(i) AS (SELECT 1 "
                    "UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
                    "INSERT INTO odd SELECT i, vec_f32('[' || (i * 0.001) || ',0,0,0]') FROM n; "
                    "CREATE INDEX odd_norm ON odd(vec_norm(v), v)");
    fixture_plan_has(
        db, "SELECT id FROM vec_search('odd', 'v', '[0,0,0,9]', 5, '{\"metric\":\"dot\"}')",
        "covering norm index odd_norm");
    counts("SELECT count(*) FROM vec_search('odd', 'v', '[0,0,0,9]', 5, '{\"metric\":\"dot\"}')",
           "odd.v", &rows, &fallbacks);
    assert_int_equal(fallbacks, 1);
    assert_true(rows < 2 * 20000);
    vs_test_gives(db,
                  "SELECT id FROM vec_search('odd', 'v', '[0,0,0,9]', 5, '{\"metric\":\"dot\"}')",
                  "1; 2; 3; 4; 5"); /* all products are 0 */
    vs_test_run(db, "DROP TABLE odd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dot_reads_the_longest_vectors_only),
        cmocka_unit_test(l2_reads_the_rows_around_the_norm_of_the_query),
        cmocka_unit_test(every_walk_gives_the_answer_of_a_pass),
        cmocka_unit_test(a_walk_that_does_not_prune_gives_up),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
