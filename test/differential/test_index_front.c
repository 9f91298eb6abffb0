/*
 * test_index_front.c - searches by a front plane give what brute force gives.
 *
 * A table of rows close to a few directions is searched until its front plane has been learned and
 * made, and on from there, while rows change; every answer is compared with that of an ordinary
 * table. Then the plane must have been used.
 */
#include "../vs_test.h"

#include <math.h>

#define FRONT_ROWS 12000
#define FRONT_DIM 200
#define FRONT_DIRECTIONS 10
#define FRONT_SEARCHES 60

static float front_directions[FRONT_DIRECTIONS][FRONT_DIM];

static double front_uniform(uint64_t *random)
{
    return (double)(vs_test_random(random) >> 11) / 4503599627370496.0 - 1.0;
}

static void front_fill(float *out, uint64_t *random)
{
    memset(out, 0, FRONT_DIM * sizeof *out);
    for (int j = 0; j < FRONT_DIRECTIONS; j++) {
        float factor = (float)(front_uniform(random) / (1.0 + j));
        for (int i = 0; i < FRONT_DIM; i++) {
            out[i] += factor * front_directions[j][i];
        }
    }
    for (int i = 0; i < FRONT_DIM; i++) {
        out[i] += (float)(0.01 * front_uniform(random));
    }
}

static void front_put(sqlite3 *db, const char *sql, int64_t id, const float *vector)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_blob(stmt, 2, vector, FRONT_DIM * sizeof *vector, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
}

static void front_fill_tables(sqlite3 *db, const char *metric, uint64_t *random)
{
    char *sql = sqlite3_mprintf(
        "CREATE TABLE plain(id INTEGER PRIMARY KEY, v BLOB, n INTEGER);"
        "CREATE VIRTUAL TABLE t USING vecshard(v float[%d] distance_metric=%s, n INTEGER);"
        "BEGIN",
        FRONT_DIM, metric);
    vs_test_run(db, sql);
    sqlite3_free(sql);
    for (int64_t id = 1; id <= FRONT_ROWS; id++) {
        float vector[FRONT_DIM];
        front_fill(vector, random);
        front_put(db, "INSERT INTO plain VALUES (?1, ?2, ?1 % 7)", id, vector);
    }
    vs_test_run(db, "INSERT INTO t(rowid, v, n) SELECT id, v, n FROM plain; COMMIT");
}

/* One search, in one of some forms, with the query in the table `query`. */
static void front_compare(sqlite3 *db, const char *metric, int number)
{
    static const char *const forms[][2] = {
        {"SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM query) AND k = 10", ""},
        {"SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM query) AND n IN (1, 2) "
         "AND k = 10",
         "WHERE n IN (1, 2)"},
        {"SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM query) LIMIT 10", ""},
        {"SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM query) AND n = 5 LIMIT 10",
         "WHERE n = 5"},
        {"SELECT id, distance FROM vec_search_batch('t', 'v', (SELECT v FROM query), 10)", ""},
    };
    const char *const *form = forms[number % 7 < 5 ? number % 7 : 0];
    char *sql = sqlite3_mprintf("SELECT id, vec_distance_%s(v, (SELECT v FROM query)) AS d FROM "
                                "plain %s ORDER BY d, id LIMIT 10",
                                metric, form[1]);
    vs_test_same(db, form[0], sql);
    sqlite3_free(sql);
}

static void front_change(sqlite3 *db, uint64_t *random)
{
    float vector[FRONT_DIM];
    int64_t id = (int64_t)(vs_test_random(random) % FRONT_ROWS) + 1;
    front_fill(vector, random);
    front_put(db, "UPDATE plain SET v = ?2 WHERE id = ?1", id, vector);
    front_put(db, "UPDATE t SET v = ?2 WHERE rowid = ?1", id, vector);
    vs_test_run(db, "DELETE FROM t WHERE rowid = (SELECT max(id) FROM plain);"
                    "DELETE FROM plain WHERE id = (SELECT max(id) FROM plain)");
}

static sqlite3 *front_open(const char *metric, uint64_t *random)
{
    sqlite3 *db = vs_test_open();
    vs_test_run(db, "CREATE TEMP TABLE query(id INTEGER PRIMARY KEY, v BLOB)");
    for (int i = 0; i < FRONT_DIRECTIONS * FRONT_DIM; i++) {
        front_directions[i / FRONT_DIM][i % FRONT_DIM] = (float)front_uniform(random);
    }
    front_fill_tables(db, metric, random);
    return db;
}

static void front_check_metric(const char *metric)
{
    uint64_t random = 20;
    sqlite3 *db = front_open(metric, &random);
    for (int i = 0; i < FRONT_SEARCHES; i++) {
        float vector[FRONT_DIM];
        front_fill(vector, &random);
        front_put(db, "INSERT OR REPLACE INTO query VALUES (?1 * 0 + 1, ?2)", i, vector);
        front_compare(db, metric, i);
        if (i > FRONT_SEARCHES / 2) {
            front_change(db, &random);
        }
    }
    /* without SIMD there is none */
    vs_test_gives(
        db,
        "SELECT sum(rows_passed_p) > 0 OR vec_config('cpu') = 'scalar', sum(rows_passed_p) < 0.2 "
        "* sum(rows_scanned) "
        "FROM vec_stats",
        "1|1");
    vs_test_close(db);
}

static void l2_is_that_of_brute_force(void **state)
{
    (void)state;
    front_check_metric("l2");
}

static void cosine_is_that_of_brute_force(void **state)
{
    (void)state;
    front_check_metric("cosine");
}

static void dot_is_that_of_brute_force(void **state)
{
    (void)state;
    front_check_metric("dot");
}

/* Searches that all have a condition: do rows pass a front plane? Without SIMD there is none. */
static void front_check_condition(const char *condition, int is_used)
{
    uint64_t random = 20;
    sqlite3 *db = front_open("l2", &random);
    char *sql = sqlite3_mprintf("SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM query) "
                                "AND %s AND k = 10",
                                condition);
    char *truth = sqlite3_mprintf("SELECT id, vec_distance_l2(v, (SELECT v FROM query)) AS d FROM "
                                  "plain WHERE %s ORDER BY d, id LIMIT 10",
                                  condition);
    for (int i = 0; i < FRONT_SEARCHES; i++) {
        float vector[FRONT_DIM];
        front_fill(vector, &random);
        front_put(db, "INSERT OR REPLACE INTO query VALUES (?1 * 0 + 1, ?2)", i, vector);
        vs_test_same(db, sql, truth);
    }
    sqlite3_free(truth);
    sqlite3_free(sql);
    vs_test_gives(db,
                  is_used ? "SELECT (sum(rows_passed_p) > 0) = (vec_config('cpu') <> 'scalar') "
                            "FROM vec_stats"
                          : "SELECT sum(rows_passed_p) = 0 FROM vec_stats",
                  "1");
    vs_test_close(db);
}

static void searches_with_wide_conditions_learn(void **state)
{
    (void)state;
    front_check_condition("n < 5", 1);
    front_check_condition("n = 5", 0); /* few rows: they are looked at one by one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(l2_is_that_of_brute_force),
        cmocka_unit_test(cosine_is_that_of_brute_force),
        cmocka_unit_test(dot_is_that_of_brute_force),
        cmocka_unit_test(searches_with_wide_conditions_learn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
