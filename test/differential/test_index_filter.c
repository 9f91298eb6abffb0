/*
 * test_index_filter.c - searches with conditions give what brute force gives, however few rows they
 * leave.
 *
 * Conditions leave from all rows to one in a thousand, spread over all cells or side by side in a
 * few, in tables with and without front planes, on one thread and on several, with all cells in
 * memory, some, or none. An interrupted search leaves nothing behind. Many equal rows fill the
 * workers' room for candidates, in cells with front planes and without.
 */
#include "../filter_fixture.h"

static void filter_compare_all(filter_table *table)
{
    static const char *const conditions[] = {
        "n = 5",
        "n < 10",
        "n < 20",
        "n < 100",
        "n < 249",
        "n < 300",
        "n < 600",
        "n >= 0",
        "c = 999",
        "c < 20",
        "c < 100",
        "c > 800",
        "c < 600",
        "c BETWEEN 300 AND 500",
        "n < 0",
        "rowid IN (1, 2, 3, 97, 5000, 7000, 7001, 123456)",
        "n < 100 AND c < 600",
        "c < 300 AND n > 100",
        "n IN (1, 400) AND rowid IN (SELECT id FROM plain WHERE c < 200)"};
    static const int ks[] = {1, 10, 200, 63, 64};
    static int turn;
    for (size_t i = 0; i < VS_TEST_COUNT(conditions); i++) {
        filter_new_query(table, 0);
        filter_compare(table, conditions[i], ks[turn++ % (int)VS_TEST_COUNT(ks)]);
    }
}

static void filter_check(filter_table table)
{
    filter_open(&table, table.rows + 1);
    vs_test_run(table.db, "SELECT vec_config('threads', 3)");
    filter_compare_all(&table);
    filter_learn(&table);
    filter_compare_all(&table);
    vs_test_run(table.db,
                "UPDATE t SET v = (SELECT v FROM plain WHERE id = 2) WHERE rowid % 500 = 1;"
                "UPDATE plain SET v = (SELECT v FROM plain WHERE id = 2) WHERE id % 500 = 1;"
                "DELETE FROM t WHERE rowid % 13 = 0; DELETE FROM plain WHERE id % 13 = 0;"
                "SELECT vec_config('threads', 1)");
    filter_compare_all(&table);
    for (int mb = 0; mb < 3; mb++) {
        static const char *const budgets[] = {"SELECT vec_config('cache_mb', 2)",
                                              "SELECT vec_config('cache_mb', 0)",
                                              "SELECT vec_config('cache_mb', 256)"};
        vs_test_run(table.db, budgets[mb]);
        filter_compare_all(&table);
    }
    filter_close(&table);
}

static void rows_near_directions(void **state)
{
    (void)state;
    filter_check((filter_table){.metric = "l2", .rows = 12000, .dim = 200, .noise = 0.02f});
}

static void rows_near_directions_by_cosine(void **state)
{
    (void)state;
    filter_check((filter_table){.metric = "cosine", .rows = 9000, .dim = 96, .noise = 0.1f});
}

static void rows_without_directions(void **state)
{
    (void)state;
    filter_check((filter_table){.metric = "dot", .rows = 9000, .dim = 200, .noise = 2.0f});
}

static int filter_interrupt(void *left)
{
    return (*(int *)left)-- <= 0;
}

/* A search that is interrupted anywhere fails as such, and the next is as if it had not been. */
static void filter_check_interrupts(filter_table *table)
{
    for (int after = 0; after < 600; after += 20) {
        char *result = NULL;
        int left = after;
        sqlite3_progress_handler(table->db, 1, filter_interrupt, &left);
        int rc = vs_test_query(table->db,
                               "SELECT rowid FROM t WHERE v MATCH (SELECT v FROM query WHERE no = "
                               "0) AND n < 240 AND k = 10",
                               &result);
        sqlite3_progress_handler(table->db, 0, NULL, NULL);
        assert_true(rc == SQLITE_OK || rc == SQLITE_INTERRUPT);
        sqlite3_free(result);
        filter_compare(table, "n < 240", 10);
    }
}

/* So many that also a search with conditions is one of several threads. */
static void many_rows(void **state)
{
    filter_table table = {.metric = "l2", .rows = 40000, .dim = 512, .noise = 1.0f};
    (void)state;
    filter_open(&table, table.rows + 1);
    vs_test_run(table.db, "SELECT vec_config('threads', 3)");
    filter_compare_all(&table);
    filter_check_interrupts(&table);
    filter_close(&table);
}

/* ---- many equal rows ---- */

#define EQUAL_QUERIES 24
#define EQUAL_FROM 6000 /* rows from here on are equal */
#define EQUAL_TIMES 6

static void equal_make_queries(filter_table *table)
{
    float vectors[EQUAL_QUERIES * FILTER_DIM_MAX], first[FILTER_DIM_MAX] = {0};
    sqlite3_stmt *stmt = NULL;
    (void)sqlite3_prepare_v2(
        table->db, "SELECT v FROM plain WHERE id = (SELECT max(id) FROM plain)", -1, &stmt, NULL);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    memcpy(first, sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
    sqlite3_finalize(stmt);
    for (int q = 0; q < EQUAL_QUERIES; q++) {
        float near[FILTER_DIM_MAX];
        float *query = vectors + q * table->dim;
        for (int i = 0; i < table->dim; i++) {
            float change = 0.05f * filter_uniform(&table->random);
            near[i] = first[i] + change;
            query[i] = first[i] + 0.9f * change;
        }
        filter_put(table, "UPDATE plain SET v = ?2 WHERE id = 100 + ?1 * 90", q, near);
        filter_put_query(table, q, query);
    }
    vs_test_run(table->db, "UPDATE t SET v = (SELECT v FROM plain WHERE id = t.rowid) "
                           "WHERE rowid IN (SELECT 100 + 90 * no FROM query)");
    (void)sqlite3_prepare_v2(table->db, "INSERT INTO query VALUES (1000, ?1)", -1, &stmt, NULL);
    sqlite3_bind_blob(stmt, 1, vectors, EQUAL_QUERIES * table->dim * (int)sizeof *vectors,
                      SQLITE_STATIC);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
}

/* What brute force gives for all queries of the batch. */
static char *equal_expected(const filter_table *table)
{
    sqlite3_str *all = sqlite3_str_new(NULL);
    for (int q = 0; q < EQUAL_QUERIES; q++) {
        char *rows = NULL;
        char *sql = sqlite3_mprintf(
            "SELECT %d, id, vec_distance_l2(v, (SELECT v FROM query WHERE no = %d)) AS d "
            "FROM plain WHERE v IS NOT NULL ORDER BY d, id LIMIT 10",
            q, q);
        assert_int_equal(vs_test_query(table->db, sql, &rows), SQLITE_OK);
        sqlite3_str_appendf(all, "%s%s", q > 0 ? "; " : "", rows);
        sqlite3_free(rows);
        sqlite3_free(sql);
    }
    return sqlite3_str_finish(all);
}

/* Memory holds all cells and front planes for some; equal rows lie in the others. */
static void many_equal_rows(void **state)
{
    filter_table table = {.metric = "l2", .rows = 20000, .dim = 200, .noise = 0.02f};
    (void)state;
    filter_open(&table, EQUAL_FROM);
    equal_make_queries(&table);
    char *expected = equal_expected(&table);
    vs_test_run(table.db, "SELECT vec_config('cache_mb', 6), vec_config('threads', 3)");
    filter_learn(&table);
    for (int i = 0; i < EQUAL_TIMES; i++) {
        vs_test_gives(table.db,
                      "SELECT query_no, id, distance FROM vec_search_batch('t', 'v', "
                      "(SELECT v FROM query WHERE no = 1000), 10)",
                      expected);
    }
    sqlite3_free(expected);
    filter_close(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_near_directions),    cmocka_unit_test(rows_near_directions_by_cosine),
        cmocka_unit_test(rows_without_directions), cmocka_unit_test(many_rows),
        cmocka_unit_test(many_equal_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
