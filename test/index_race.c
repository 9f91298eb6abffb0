/*
 * index_race.c - a vecshard table for tests with several connections, threads and processes.
 */
#include "index_race.h"

#include <stdio.h>

#define INDEX_NEAR_DIRECTIONS 8 /* that vectors of test_near lie close to */

/* ---- connections ----------------------------------------------------------------------------- */

/* One vector of twelve clusters; a quarter of the numbers share their vector with others. */
static void index_vector(uint64_t n, float *out)
{
    uint64_t random = (n % 4 == 0 ? n / 64 : n) * 0x9e3779b97f4a7c15u | 1;
    for (int i = 0; i < 4; i++) {
        (void)vs_test_random(&random);
    }
    uint64_t centre = (random >> 33) % 12 + 1;
    for (int i = 0; i < INDEX_DIM; i++) {
        double near = (double)(vs_test_random(&random) >> 40) / (double)(1 << 24);
        double far = (double)((centre * 2654435761u * (uint64_t)(i + 1) >> 7) % 1000) / 250.0;
        out[i] = (float)(far + near);
    }
}

/* test_vector(n), test_vector(n, count) */
static void index_vector_function(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    uint64_t n = (uint64_t)sqlite3_value_int64(argv[0]);
    size_t count = argc > 1 ? (size_t)sqlite3_value_int(argv[1]) : 1;
    float *vectors = sqlite3_malloc64(count * INDEX_DIM * sizeof *vectors);
    if (vectors == NULL) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        index_vector(n + i, vectors + i * INDEX_DIM);
    }
    sqlite3_result_blob64(ctx, vectors, count * INDEX_DIM * sizeof *vectors, sqlite3_free);
}

/* test_near(n) */
static void index_near_function(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    uint64_t random = (uint64_t)sqlite3_value_int64(argv[0]) * 0x9e3779b97f4a7c15u | 1;
    uint64_t direction = 1; /* the same ones each time */
    float out[INDEX_NEAR_DIM];
    (void)argc;
    for (int i = 0; i < INDEX_NEAR_DIM; i++) {
        out[i] = (float)race_pick(&random, 1000) * 1e-5f;
    }
    for (int j = 0; j < INDEX_NEAR_DIRECTIONS; j++) {
        float factor = (float)race_pick(&random, 2000) - 1000.0f;
        for (int i = 0; i < INDEX_NEAR_DIM; i++) {
            out[i] += factor * ((float)race_pick(&direction, 2000) * 1e-6f - 1e-3f);
        }
    }
    sqlite3_result_blob(ctx, out, sizeof out, SQLITE_TRANSIENT);
}

static void index_fail_function(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    if (sqlite3_value_int(argv[0])) {
        sqlite3_result_error(ctx, "told to fail", -1);
    }
}

sqlite3 *race_open(const char *path)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open(path, &db);
    sqlite3_extended_result_codes(db, 1);
    if (rc == SQLITE_OK) {
        rc = sqlite3_vecshard_init(db, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_create_function(db, "test_vector", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                     NULL, index_vector_function, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_create_function(db, "test_near", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                     index_near_function, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_create_function(db, "test_fail", 1, SQLITE_UTF8, NULL, index_fail_function,
                                     NULL, NULL);
    }
    if (rc != SQLITE_OK) {
        sqlite3_close(db);
        return NULL;
    }
    return db;
}

int race_run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int64_t race_integer(sqlite3 *db, const char *sql, int64_t otherwise)
{
    sqlite3_stmt *stmt = NULL;
    int64_t value = otherwise;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
        value = sqlite3_column_int64(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return value;
}

void race_remove(const char *path)
{
    static const char *const endings[] = {"", "-journal", "-wal", "-shm"};
    for (size_t i = 0; i < VS_TEST_COUNT(endings); i++) {
        char name[400];
        sqlite3_snprintf((int)sizeof name, name, "%s%s", path, endings[i]);
        (void)remove(name);
    }
}

/* ---- changes --------------------------------------------------------------------------------- */

uint32_t race_pick(uint64_t *random, uint32_t n)
{
    return (uint32_t)(vs_test_random(random) >> 20) % n;
}

char *race_change(uint64_t *random, const char *table, const char *key)
{
    uint32_t what = race_pick(random, 10);
    unsigned first = 1 + race_pick(random, INDEX_ROWID_MAX);
    unsigned count = 1 + (race_pick(random, 3) == 0 ? race_pick(random, 60) : 0);
    unsigned last = first + count < INDEX_ROWID_MAX ? first + count : INDEX_ROWID_MAX;
    unsigned seed = race_pick(random, 1 << 20), part = race_pick(random, 3);
    if (what < 5) {
        return sqlite3_mprintf(
            "WITH RECURSIVE c(i) AS (SELECT %u UNION ALL SELECT i + 1 FROM c WHERE i < %u) "
            "INSERT OR REPLACE INTO %s(%s, v, part, n, lang) SELECT i, CASE WHEN i %% 31 > 0 THEN "
            "test_vector(i + %u) END, (i + %u) %% 3, i %% 10, substr('enfrde', i %% 3 * 2 + 1, 2) "
            "FROM c",
            first, last, table, key, seed, part);
    }
    if (what == 5) {
        return sqlite3_mprintf("UPDATE %s SET v = test_vector(%s + %u) WHERE %s BETWEEN %u AND %u",
                               table, key, seed, key, first, last);
    }
    if (what == 6) {
        return sqlite3_mprintf("UPDATE %s SET n = n + 1 WHERE %s BETWEEN %u AND %u", table, key,
                               first, last);
    }
    if (what == 7) {
        return sqlite3_mprintf("UPDATE %s SET part = %u, n = 3 WHERE %s BETWEEN %u AND %u", table,
                               part, key, first, last);
    }
    return sqlite3_mprintf("DELETE FROM %s WHERE %s BETWEEN %u AND %u", table, key, first, last);
}

/* ---- searches -------------------------------------------------------------------------------- */

/* Steps both to their end; the columns of both are compared as numbers, bit by bit. */
static int index_same(sqlite3_stmt *found, sqlite3_stmt *truth, const char *what, char **why)
{
    for (int row = 1;; row++) {
        int rc = sqlite3_step(found);
        int truth_rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? sqlite3_step(truth) : SQLITE_DONE;
        if (truth_rc != SQLITE_ROW && truth_rc != SQLITE_DONE) {
            rc = truth_rc;
        }
        if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
            return rc;
        }
        if (rc != truth_rc) {
            *why = sqlite3_mprintf("%s: row %d: %s", what, row,
                                   rc == SQLITE_DONE ? "missing" : "one too many");
            return SQLITE_OK;
        }
        if (rc == SQLITE_DONE) {
            return SQLITE_OK;
        }
        for (int i = 0; i < sqlite3_column_count(found); i++) {
            double a = sqlite3_column_double(found, i), b = sqlite3_column_double(truth, i);
            if (memcmp(&a, &b, sizeof a) != 0) {
                *why = sqlite3_mprintf("%s: row %d, column %d: %!.17g, expected %!.17g", what, row,
                                       i, a, b);
                return SQLITE_OK;
            }
        }
    }
}

int race_compare_sql(sqlite3 *db, const char *found_sql, const char *truth_sql, char **why)
{
    sqlite3_stmt *found = NULL, *truth = NULL;
    *why = NULL;
    if (found_sql == NULL || truth_sql == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = sqlite3_prepare_v2(db, found_sql, -1, &found, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_prepare_v2(db, truth_sql, -1, &truth, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = index_same(found, truth, found_sql, why);
    }
    sqlite3_finalize(found);
    sqlite3_finalize(truth);
    return rc;
}

int race_compare(sqlite3 *db, uint64_t *random, char **why)
{
    static const char *const filters[] = {"",
                                          "",
                                          "",
                                          " AND part = 1",
                                          " AND n < 4",
                                          " AND lang LIKE 'F%' AND part IN (0, 2)",
                                          " AND rowid BETWEEN 100 AND 300"};
    const char *filter = filters[race_pick(random, VS_TEST_COUNT(filters))];
    unsigned seed =
        race_pick(random, 3) > 0 ? race_pick(random, 1 << 20) : 64 * race_pick(random, 1 << 14);
    unsigned k = 1 + race_pick(random, race_pick(random, 4) > 0 ? 12 : INDEX_ROWID_MAX);
    int is_stream = race_pick(random, 4) == 0;
    char *found =
        sqlite3_mprintf("SELECT rowid, distance FROM t WHERE v MATCH test_vector(%u)%s%s %u", seed,
                        filter, is_stream ? " ORDER BY distance LIMIT" : " AND k =", k);
    char *truth = sqlite3_mprintf(
        "SELECT rowid, vec_distance_l2(v, test_vector(%u)) AS d FROM t WHERE v IS NOT NULL%s "
        "ORDER BY d, rowid LIMIT %u",
        seed, filter, k);
    int rc = race_compare_sql(db, found, truth, why);
    sqlite3_free(found);
    sqlite3_free(truth);
    return rc;
}

int race_compare_batch(sqlite3 *db, uint64_t *random, int count, char **why)
{
    unsigned seed = race_pick(random, 1 << 20);
    char *found = sqlite3_mprintf("SELECT query_no, id, distance FROM vec_search_batch('t', 'v', "
                                  "test_vector(%u, %d), 7)",
                                  seed, count);
    char *truth = sqlite3_mprintf(
        "WITH RECURSIVE q(i, v) AS (SELECT 0, test_vector(%u) UNION ALL SELECT i + 1, "
        "test_vector(i + 1 + %u) FROM q WHERE i + 1 < %d) SELECT i, id, d FROM (SELECT i, id, d, "
        "row_number() OVER (PARTITION BY i ORDER BY d, id) AS place FROM (SELECT q.i, t.rowid AS "
        "id, vec_distance_l2(t.v, q.v) AS d FROM t CROSS JOIN q WHERE t.v IS NOT NULL)) WHERE "
        "place <= 7 ORDER BY i, place",
        seed, seed, count);
    int rc = race_compare_sql(db, found, truth, why);
    sqlite3_free(found);
    sqlite3_free(truth);
    return rc;
}
