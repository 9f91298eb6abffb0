/*
 * search_fixture.c - see search_fixture.h.
 *
 * Calls: SQLite, oracle.c to decode elements.  Called by: tests of searching.  Threads: any, one
 * connection each.
 */
#define _POSIX_C_SOURCE 200809L

#include "search_fixture.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "oracle.h"

/* ---- random vectors ---- */

/* Uniform in (-1, 1). */
static double fixture_uniform(uint64_t *random)
{
    return (double)(int64_t)vs_test_random(random) * 0x1p-63;
}

/* Roughly normal, of variance 1: the sum of three uniform numbers. */
static double fixture_gauss(uint64_t *random)
{
    double sum = fixture_uniform(random);
    sum += fixture_uniform(random);
    return sum + fixture_uniform(random);
}

static double fixture_scale(uint64_t *random, fixture_spread spread, vsk_type type)
{
    int is_half = type == VSK_F16;
    switch (spread) {
    case FIXTURE_LOG_NORM:
        return exp(1.2 * fixture_gauss(random));
    case FIXTURE_HUGE:
        return is_half ? 20000.0 : 1e38;
    case FIXTURE_TINY:
        return is_half ? 1e-6 : (vs_test_random(random) & 1) != 0 ? 1e-37 : 1e-42;
    default:
        return 1.0;
    }
}

void fixture_vector(uint64_t *random, fixture_spread spread, vsk_type type, size_t dim, void *out)
{
    unsigned char *bytes = out;
    double scale = fixture_scale(random, spread, type);
    for (size_t i = 0; type != VSK_BIT && i < dim; i++) {
        double value = fixture_gauss(random) * scale;
        if (spread == FIXTURE_WHOLE) {
            value = (double)(vs_test_random(random) % 5) - 2.0;
        }
        if (type == VSK_I8) {
            bytes[i] =
                (unsigned char)(spread == FIXTURE_WHOLE ? (int)value
                                                        : (int)(vs_test_random(random) % 256));
        } else if (type == VSK_F32) {
            float f32 = (float)value;
            memcpy(bytes + 4 * i, &f32, sizeof f32);
        } else {
            uint16_t half = oracle_nearest_half(type, (float)value);
            memcpy(bytes + 2 * i, &half, sizeof half);
        }
    }
    for (size_t i = 0; type == VSK_BIT && i < dim / 8; i++) {
        uint64_t bits = vs_test_random(random);
        bytes[i] =
            (unsigned char)(spread == FIXTURE_WHOLE ? bits & (bits >> 8) & (bits >> 16) : bits);
    }
}

char *fixture_json(vsk_type type, const void *vector, size_t dim)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    for (size_t i = 0; i < dim; i++) {
        char number[40];
        snprintf(number, sizeof number, "%.9g",
                 oracle_element(type, vector,
                                i)); /* sqlite3_str_appendf rounds to 15 digits by default */
        sqlite3_str_appendf(text, "%s%s", i == 0 ? "[" : ",", number);
    }
    sqlite3_str_appendall(text, "]");
    return sqlite3_str_finish(text);
}

/* ---- the reference ---- */

typedef enum fixture_term { TERM_DOT, TERM_L2SQ, TERM_L1 } fixture_term;

/* Sixteen lanes, then halved four times. */
static double fixture_sum(fixture_term term, const double *a, const double *b, size_t dim)
{
    double lane[16] = {0.0};
    for (size_t i = 0; i < dim; i++) {
        double d = a[i] - b[i];
        lane[i % 16] += term == TERM_DOT ? a[i] * b[i] : term == TERM_L2SQ ? d * d : fabs(d);
    }
    for (size_t half = 8; half > 0; half /= 2) {
        for (size_t j = 0; j < half; j++) {
            lane[j] += lane[j + half];
        }
    }
    return lane[0];
}

double fixture_norm(const double *values, size_t dim)
{
    return sqrt(fixture_sum(TERM_DOT, values, values, dim));
}

static double fixture_jaccard(const double *a, const double *b, size_t dim)
{
    double both = fixture_sum(TERM_DOT, a, b, dim);
    double either = both + fixture_sum(TERM_L1, a, b, dim);
    return either == 0.0 ? 0.0 : 1.0 - both / either;
}

int fixture_distance(vs_metric metric, const double *a, const double *b, size_t dim, double *out)
{
    switch (metric) {
    case VS_L2:
        *out = sqrt(fixture_sum(TERM_L2SQ, a, b, dim));
        return 1;
    case VS_L2SQ:
        *out = fixture_sum(TERM_L2SQ, a, b, dim);
        return 1;
    case VS_L1:
    case VS_HAMMING:
        *out = fixture_sum(TERM_L1, a, b, dim);
        return 1;
    case VS_DOT:
        *out = -fixture_sum(TERM_DOT, a, b, dim);
        return 1;
    case VS_JACCARD:
        *out = fixture_jaccard(a, b, dim);
        return 1;
    default: {
        double product = fixture_sum(TERM_DOT, a, a, dim) * fixture_sum(TERM_DOT, b, b, dim);
        if (product == 0.0) {
            return 0;
        }
        double cosine = fixture_sum(TERM_DOT, a, b, dim) / sqrt(product);
        *out = 1.0 - fmax(-1.0, fmin(1.0, cosine));
        return 1;
    }
    }
}

/* ---- tables ---- */

static sqlite3_stmt *fixture_create(sqlite3 *db, const char *table)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("CREATE TABLE %s(id INTEGER PRIMARY KEY, v, tag INTEGER)", table);
    vs_test_run(db, sql);
    sqlite3_free(sql);
    vs_test_run(db, "SAVEPOINT fixture");
    sql = sqlite3_mprintf("INSERT INTO %s VALUES (?1, ?2, ?1 %% 10)", table);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    sqlite3_free(sql);
    return stmt;
}

static void fixture_insert(sqlite3_stmt *stmt, int id, const float *vector, int dim)
{
    sqlite3_bind_int(stmt, 1, id);
    sqlite3_bind_blob(stmt, 2, vector, 4 * dim, SQLITE_TRANSIENT);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_reset(stmt);
}

void fixture_fill(sqlite3 *db, const char *table, int count, int dim, fixture_spread spread)
{
    uint64_t random = 88172645463325252u;
    float *vector = malloc((size_t)dim * sizeof *vector);
    sqlite3_stmt *stmt = fixture_create(db, table);
    for (int id = 1; id <= count; id++) {
        fixture_vector(&random, spread, VSK_F32, (size_t)dim, vector);
        fixture_insert(stmt, id, vector, dim);
    }
    sqlite3_finalize(stmt);
    free(vector);
    vs_test_run(db, "RELEASE fixture");
}

void fixture_fill_line(sqlite3 *db, const char *table, int count)
{
    sqlite3_stmt *stmt = fixture_create(db, table);
    for (int id = 1; id <= count; id++) {
        float vector[2] = {(float)id, 1.0f};
        fixture_insert(stmt, id, vector, 2);
    }
    sqlite3_finalize(stmt);
    vs_test_run(db, "RELEASE fixture");
}

/* ---- questions ---- */

char *fixture_plan(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3_str *text = sqlite3_str_new(NULL);
    char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
    if (sqlite3_prepare_v2(db, explain, -1, &stmt, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", explain, sqlite3_errmsg(db));
    }
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        sqlite3_str_appendf(text, "%s%s", sqlite3_str_length(text) > 0 ? "; " : "",
                            sqlite3_column_text(stmt, 3));
    }
    sqlite3_finalize(stmt);
    sqlite3_free(explain);
    return sqlite3_str_finish(text);
}

void fixture_plan_has(sqlite3 *db, const char *sql, const char *words)
{
    char *plan = fixture_plan(db, sql);
    if (strstr(plan, words) == NULL) {
        fail_msg("the plan of %s is \"%s\", without \"%s\"", sql, plan, words);
    }
    sqlite3_free(plan);
}

void fixture_nothing_is_open(sqlite3 *db)
{
    for (sqlite3_stmt *stmt = sqlite3_next_stmt(db, NULL); stmt != NULL;
         stmt = sqlite3_next_stmt(db, stmt)) {
        if (sqlite3_stmt_busy(stmt)) {
            fail_msg("still open: %s", sqlite3_sql(stmt));
        }
    }
}

void fixture_is_usable(sqlite3 *db)
{
    vs_test_run(db, "DROP TABLE IF EXISTS temp.usable; CREATE TEMP TABLE usable(v); INSERT INTO "
                    "usable VALUES ('[1,2]'), ('[3,4]')");
    vs_test_gives(db, "SELECT id, rank FROM vec_search('temp.usable', 'v', '[3,3]', 1)", "2|1");
    vs_test_run(db, "DROP TABLE temp.usable");
}

int fixture_step_all(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(stmt);
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

sqlite3 *fixture_open_careful(void)
{
    sqlite3 *db = vs_test_open();
    static const struct {
        int option, on;
    } settings[] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},
                    {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                    {SQLITE_DBCONFIG_DQS_DML, 0},
                    {SQLITE_DBCONFIG_DQS_DDL, 0},
                    {SQLITE_DBCONFIG_ENABLE_FKEY, 1}};
    for (size_t i = 0; i < VS_TEST_COUNT(settings); i++) {
        assert_int_equal(sqlite3_db_config(db, settings[i].option, settings[i].on, NULL),
                         SQLITE_OK);
    }
    return db;
}

const char *fixture_path(const char *name)
{
    static char path[200];
    sqlite3_snprintf((int)sizeof path, path, "build/test/%s-%ld", name, (long)getpid());
    return path;
}

sqlite3 *fixture_open_file(const char *path, int flags, const char *vfs)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, flags, vfs) != SQLITE_OK) {
        fail_msg("%s: %s", path, sqlite3_errmsg(db));
    }
    assert_int_equal(sqlite3_vecshard_init(db, NULL, NULL), SQLITE_OK);
    return db;
}

void fixture_remove(const char *path)
{
    static const char *const endings[] = {"", "-journal", "-wal", "-shm"};
    for (size_t i = 0; i < VS_TEST_COUNT(endings); i++) {
        char name[400];
        (void)snprintf(name, sizeof name, "%s%s", path, endings[i]);
        (void)remove(name);
    }
}

sqlite3_value *fixture_value(sqlite3 *db, const char *expression)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("SELECT %s", expression);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    sqlite3_value *value = sqlite3_value_dup(sqlite3_column_value(stmt, 0));
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return value;
}
