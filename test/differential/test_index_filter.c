/*
 * test_index_filter.c - searches with conditions give what brute force gives, however few rows they
 * leave.
 *
 * Conditions leave from all rows to one in a thousand, spread over all cells or side by side in a
 * few, in tables with and without front planes, on one thread and on several, with all cells in
 * memory, some, or none. An interrupted search leaves nothing behind. Many equal rows fill the
 * workers' room for candidates, in cells with front planes and without.
 */
#include "../vs_test.h"

#define FILTER_DIRECTIONS 6
#define FILTER_DIM_MAX 512
#define FILTER_LESSONS 40 /* searches until front planes are there */

typedef struct filter_table {
    sqlite3 *db;
    const char *metric;
    int rows, dim;
    float noise; /* beside the directions: much of it, and no front plane pays */
    float directions[FILTER_DIRECTIONS][FILTER_DIM_MAX];
    uint64_t random;
} filter_table;

static float filter_uniform(uint64_t *random)
{
    return (float)((double)(vs_test_random(random) >> 11) / 4503599627370496.0 - 1.0);
}

static void filter_fill(filter_table *table, float *out)
{
    for (int i = 0; i < table->dim; i++) {
        out[i] = table->noise * filter_uniform(&table->random);
    }
    for (int j = 0; j < FILTER_DIRECTIONS; j++) {
        float factor = filter_uniform(&table->random) / (float)(1 + j);
        for (int i = 0; i < table->dim; i++) {
            out[i] += factor * table->directions[j][i];
        }
    }
}

static void filter_put(const filter_table *table, const char *sql, int64_t id, const float *vector)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(table->db, sql, -1, &stmt, NULL), SQLITE_OK);
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_blob(stmt, 2, vector, table->dim * (int)sizeof *vector, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
}

static void filter_put_query(filter_table *table, int64_t number, const float *vector)
{
    filter_put(table, "INSERT OR REPLACE INTO query VALUES (?1, ?2)", number, vector);
}

/* plain: n is random, c rises with the id, both within 0 .. 999. Vectors of rows from `equal` on are
 * those of row 1. */
static void filter_open(filter_table *table, int equal)
{
    float vector[FILTER_DIM_MAX];
    char *sql = sqlite3_mprintf(
        "CREATE TEMP TABLE query(no INTEGER PRIMARY KEY, v BLOB);"
        "CREATE TABLE plain(id INTEGER PRIMARY KEY, v BLOB, n INTEGER, c INTEGER);"
        "CREATE VIRTUAL TABLE t USING vecshard(v float[%d] distance_metric=%s, n INTEGER, "
        "c INTEGER);"
        "BEGIN",
        table->dim, table->metric);
    table->db = vs_test_open();
    table->random = 77;
    vs_test_run(table->db, sql);
    sqlite3_free(sql);
    for (int i = 0; i < FILTER_DIRECTIONS * FILTER_DIM_MAX; i++) {
        table->directions[i / FILTER_DIM_MAX][i % FILTER_DIM_MAX] = filter_uniform(&table->random);
    }
    for (int id = 1; id <= table->rows; id++) {
        if (id < equal) {
            filter_fill(table, vector);
        }
        filter_put(table, "INSERT INTO plain(id, v) VALUES (?1, ?2)", id, vector);
    }
    sql = sqlite3_mprintf("UPDATE plain SET n = (id * 2654435761 >> 7) %% 1000, "
                          "c = (id - 1) * 1000 / %d;"
                          "UPDATE plain SET v = NULL WHERE id %% 97 = 0 AND id < %d;"
                          "INSERT INTO t(rowid, v, n, c) SELECT id, v, n, c FROM plain; COMMIT",
                          table->rows, equal);
    vs_test_run(table->db, sql);
    sqlite3_free(sql);
}

static void filter_close(filter_table *table)
{
    vs_test_run(table->db, "SELECT vec_config('cache_mb', 256), vec_config('threads', 0)");
    vs_test_close(table->db);
}

static void filter_compare(filter_table *table, const char *condition, int k)
{
    char *expected = NULL;
    char *brute = sqlite3_mprintf(
        "SELECT id, vec_distance_%s(v, (SELECT v FROM query WHERE no = 0)) AS d FROM plain "
        "WHERE v IS NOT NULL AND %s ORDER BY d, id LIMIT %d",
        table->metric, condition, k);
    char *sql = sqlite3_mprintf("SELECT rowid, distance FROM t WHERE v MATCH "
                                "(SELECT v FROM query WHERE no = 0) AND %s AND k = %d",
                                condition, k);
    assert_int_equal(vs_test_query(table->db, brute, &expected), SQLITE_OK);
    vs_test_gives(table->db, sql, expected != NULL ? expected : "");
    sqlite3_free(expected);
    sqlite3_free(sql);
    sqlite3_free(brute);
}

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
        float vector[FILTER_DIM_MAX];
        filter_fill(table, vector);
        filter_put_query(table, 0, vector);
        filter_compare(table, conditions[i], ks[turn++ % (int)VS_TEST_COUNT(ks)]);
    }
}

/* Searches until front planes are there, where they pay. */
static void filter_learn(filter_table *table)
{
    for (int i = 0; i < FILTER_LESSONS; i++) {
        float vector[FILTER_DIM_MAX];
        filter_fill(table, vector);
        filter_put_query(table, 0, vector);
        vs_test_run(table->db,
                    "SELECT rowid FROM t WHERE v MATCH (SELECT v FROM query WHERE no = 0) "
                    "AND k = 10");
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
