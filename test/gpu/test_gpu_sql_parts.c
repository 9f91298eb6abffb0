/*
 * test_gpu_sql_parts.c - where the budget holds a part of a table, the GPU and the CPU share its rows.
 */
#include "sql_fixture.h"

#define PARTS_ROWS 24000
#define PARTS_ROOM_MB 4 /* two segments, of the five that the rows take */

static const char parts_ids[] =
    "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 2), 15, "
    "'{\"device\":\"@\"}') WHERE id IN (SELECT id FROM docs WHERE tag < 9)";
static const char parts_range[] =
    "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 3), NULL, "
    "'{\"device\":\"@\"}') WHERE distance > 6.5 LIMIT 300";
static const char parts_batch[] =
    "SELECT query_no, id, distance FROM vec_search_batch('docs', 'v', (SELECT v FROM q WHERE id = "
    "0), 9, '{\"device\":\"@\"}')";
static const char parts_filter[] =
    "SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM q WHERE id = 2) AND k = 15 AND tag "
    "IN (2, 7) AND options = '{\"device\":\"@\"}'";

/* Both have answered, each for its rows. */
static void parts_shared(sqlite3 *db, const char *search, const char *member)
{
    assert_string_equal(sql_same(db, search, "gpu"), "none");
    assert_true(sql_last(db, "gpu_queries") > 0);
    assert_in_range(sql_last(db, member), 1000, PARTS_ROWS - 1000);
}

/* A budget that has room for a part of a table, whatever the context of this card takes. */
static void parts_make(sqlite3 *db)
{
    sql_run(db, "SELECT vec_config('gpu_precision', 'f32')");
    sql_make_both(db, PARTS_ROWS);
    assert_true(sql_number(db, "SELECT vec_gpu_load('t')") > 0); /* opens it */
    assert_true(sql_number(db, "SELECT vec_gpu_evict(NULL)") > 0);
    sql_run(
        db,
        "SELECT vec_config('gpu_budget_mb', %d + ((vec_device('json') ->> 'used_bytes') >> 20))",
        PARTS_ROOM_MB);
}

static void share_table(vsg_fake *fake)
{
    sqlite3 *db = sql_open(NULL, 0);
    (void)fake;
    parts_make(db);
    (void)sql_same(db, sql_docs_search, "gpu"); /* takes what there is room for */
    parts_shared(db, sql_docs_search, "rows_read");
    parts_shared(db, parts_batch, "rows_read");
    assert_string_equal(sql_same(db, parts_ids, "gpu"), "none");
    assert_string_equal(sql_same(db, parts_range, "gpu"), "none");
    assert_int_equal(sql_number(db, "SELECT count(*) > 0 FROM vec_gpu_cache"), 1);
    sql_run(db, "DELETE FROM docs WHERE id %% 3 = 0");
    (void)sql_same(db, sql_docs_search, "gpu");
    parts_shared(db, sql_docs_search, "rows_read");
    /* with room for all of it the rest comes, too */
    sql_run(db, "SELECT vec_config('gpu_budget_mb', 0)");
    (void)sql_same(db, sql_docs_search, "gpu");
    assert_string_equal(sql_same(db, sql_docs_search, "gpu"), "none");
    assert_true(sql_last(db, "rows_read") < 100);
    vs_test_close(db);
}

static void rows_of_a_table_that_do_not_fit_are_the_cpus(void **state)
{
    (void)state;
    sql_scenario(share_table);
}

static void share_index(vsg_fake *fake)
{
    sqlite3 *db = sql_open(NULL, 0);
    (void)fake;
    parts_make(db);
    for (int i = 0; i < 8; i++) { /* each brings what it can in its time */
        (void)sql_same(db, sql_t_search, "gpu");
    }
    assert_string_equal(sql_same(db, sql_t_search, "gpu"), "none");
    assert_string_equal(sql_same(db, parts_filter, "gpu"), "none");
    int64_t rows = sql_number(db, "SELECT count(*) FROM t");
    int64_t scanned = sql_number(db, "SELECT sum(rows_scanned) FROM vec_stats");
    assert_string_equal(sql_same(db, sql_t_search, "gpu"), "none");
    scanned = sql_number(db, "SELECT sum(rows_scanned) FROM vec_stats") - scanned;
    assert_in_range(scanned, rows + 1000,
                    2 * rows - 1000); /* all by the CPU, a part beside the GPU */
    vs_test_close(db);
}

static void cells_of_an_index_that_do_not_fit_are_the_cpus(void **state)
{
    (void)state;
    sql_scenario(share_index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_a_table_that_do_not_fit_are_the_cpus),
        cmocka_unit_test(cells_of_an_index_that_do_not_fit_are_the_cpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
