/*
 * sql_fixture.c - see sql_fixture.h.
 */
#define _GNU_SOURCE

#include "sql_fixture.h"

#include <unistd.h>

/* ---- scenarios ------------------------------------------------------------------------------- */

static void (*sql_current)(vsg_fake *fake);

static void sql_run_current(vsg_fake *fake)
{
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1); /* the runner is the parent's */
    sql_current(fake);
    (void)sqlite3_shutdown();
    MANAGER_CHECK(vs_gpu.images == NULL && sqlite3_memory_used() == 0);
    if (manager_state() == VS_GPU_DEAD) {
        _exit(0); /* what the module holds for a dead device is never freed */
    }
    manager_check_end(fake);
}

void sql_scenario(void (*scenario)(vsg_fake *fake))
{
    sql_current = scenario;
    manager_run(sql_run_current);
}

void sql_scenario_faked(void (*scenario)(vsg_fake *fake))
{
    if (vsg_real_path() != NULL) {
        skip();
    }
    sql_scenario(scenario);
}

sqlite3 *sql_open(const char *file, int flags)
{
    return fixture_open_file(file == NULL ? ":memory:" : file, flags == 0 ? FIXTURE_CREATE : flags,
                             NULL);
}

/* ---- statements ------------------------------------------------------------------------------ */

void sql_run(sqlite3 *db, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    char *sql = sqlite3_vmprintf(format, list);
    va_end(list);
    vs_test_run(db, sql);
    sqlite3_free(sql);
}

int64_t sql_number(sqlite3 *db, const char *format, ...)
{
    sqlite3_stmt *stmt = NULL;
    va_list list;
    va_start(list, format);
    char *sql = sqlite3_vmprintf(format, list);
    va_end(list);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    int64_t number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return number;
}

static void sql_append_row(sqlite3_str *text, sqlite3_stmt *stmt)
{
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
        if (sqlite3_column_type(stmt, i) == SQLITE_FLOAT) {
            double value = sqlite3_column_double(stmt, i);
            uint64_t bits;
            memcpy(&bits, &value, sizeof bits);
            sqlite3_str_appendf(text, "%016llx(%.6g)|", bits, value);
        } else {
            const char *words = (const char *)sqlite3_column_text(stmt, i);
            sqlite3_str_appendf(text, "%s|", words == NULL ? "NULL" : words);
        }
    }
    sqlite3_str_appendchar(text, 1, '\n');
}

int sql_rows(sqlite3 *db, const char *sql, char **out)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3_str *text = sqlite3_str_new(NULL);
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        sql_append_row(text, stmt);
        rc = SQLITE_OK;
    }
    rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
    *out = sqlite3_str_finish(text);
    if (rc != SQLITE_OK) {
        sqlite3_free(*out);
        *out = sqlite3_mprintf("%s", sqlite3_errmsg(db));
    }
    sqlite3_finalize(stmt);
    return rc;
}

char *sql_on(const char *search, const char *device)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    for (; *search != '\0'; search++) {
        if (*search == '@') {
            sqlite3_str_appendall(text, device);
        } else {
            sqlite3_str_appendchar(text, 1, *search);
        }
    }
    return sqlite3_str_finish(text);
}

static char *sql_answer(sqlite3 *db, const char *search, const char *device)
{
    char *sql = sql_on(search, device), *rows = NULL;
    if (sql_rows(db, sql, &rows) != SQLITE_OK) {
        fail_msg("%s: %s", sql, rows);
    }
    sqlite3_free(sql);
    return rows;
}

/* What vec_last_query says of the GPU: one of the names that are known here. */
static const char *sql_reason(sqlite3 *db)
{
    const char *found = "?";
    if (sql_last(db, "gpu_queries") + sql_last(db, "gpu_fallbacks") == 0) {
        return "unused";
    }
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT coalesce(vec_last_query('json') ->> 'gpu_refused', 'none')",
                           -1, &stmt, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    const char *name = (const char *)sqlite3_column_text(stmt, 0);
    for (int i = 0; name != NULL && i < VS_GPU_REASON_COUNT; i++) {
        if (strcmp(name, vs_gpu_reason_name((vs_gpu_reason)i)) == 0) {
            found = vs_gpu_reason_name((vs_gpu_reason)i);
        }
    }
    sqlite3_finalize(stmt);
    return found;
}

/* Fails with the first rows that differ. */
static void sql_compare(const char *search, const char *device, const char *reason,
                        const char *expected, const char *found)
{
    int line = 1;
    while (strcmp(expected, found) != 0) {
        size_t a = strcspn(expected, "\n"), b = strcspn(found, "\n");
        if (a != b || memcmp(expected, found, a) != 0) {
            fail_msg("%s\nrow %d on %s (gpu: %s): %.*s\non the CPU: %.*s", search, line, device,
                     reason, (int)b, found, (int)a, expected);
        }
        expected += a + (expected[a] == '\n');
        found += b + (found[b] == '\n');
        line++;
    }
}

const char *sql_same(sqlite3 *db, const char *search, const char *device)
{
    char *expected = sql_answer(db, search, "cpu");
    char *found = sql_answer(db, search, device);
    const char *reason = sql_reason(db);
    sql_compare(search, device, reason, expected == NULL ? "" : expected,
                found == NULL ? "" : found);
    sqlite3_free(expected);
    sqlite3_free(found);
    return reason;
}

void sql_same_for(sqlite3 *db, const char *search, const char *reason)
{
    const char *found = sql_same(db, search, "gpu");
    if (strcmp(found, reason) != 0) {
        fail_msg("%s: gpu is \"%s\", not \"%s\"", search, found, reason);
    }
    if (strcmp(reason, "none") == 0) {
        assert_true(sql_last(db, "gpu_queries") > 0);
    }
}

void sql_same_warm(sqlite3 *db, const char *search)
{
    const char *reason = sql_same(db, search, "gpu");
    for (int i = 0; i < 50; i++) {
        reason = sql_same(db, search, "gpu");
        if (strcmp(reason, "none") == 0 && sql_last(db, "gpu_upload_bytes") == 0) {
            assert_true(sql_last(db, "gpu_queries") > 0);
            return;
        }
    }
    fail_msg("%s: the GPU does not answer: %s", search, reason);
}

int64_t sql_last(sqlite3 *db, const char *member)
{
    return sql_number(db, "SELECT vec_last_query('json') ->> %Q", member);
}

int64_t sql_stat(sqlite3 *db, const char *column)
{
    return sql_number(db, "SELECT coalesce(sum(\"%w\"), 0) FROM vec_stats", column);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void sql_step(sqlite3 *db, sqlite3_stmt *stmt)
{
    if (sqlite3_step(stmt) != SQLITE_DONE) {
        fail_msg("%s: %s", sqlite3_sql(stmt), sqlite3_errmsg(db));
    }
    (void)sqlite3_reset(stmt);
}

/* Row i of a table: random, or of an earlier one, or zero. */
static void sql_vector(const sql_shape *shape, uint64_t *random, int i, void *out)
{
    size_t bytes = vsk_bytes(shape->kind, shape->dim);
    if (i % 13 == 5) {
        memset(out, 0, bytes);
    } else if (i % 7 != 3) { /* else it stays what it was: the row before */
        fixture_vector(random, shape->spread, shape->kind, shape->dim, out);
    }
}

void sql_fill(sqlite3 *db, const char *table, const sql_shape *shape, int first, uint64_t seed)
{
    sqlite3_stmt *stmt = NULL;
    size_t bytes = vsk_bytes(shape->kind, shape->dim);
    char *sql = sqlite3_mprintf("INSERT INTO %s(id, v, tag) VALUES (?1, ?2, ?1 %% 10)", table);
    void *vector = calloc(1, bytes);
    uint64_t random = seed;
    vs_test_run(db, "SAVEPOINT fill");
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    for (int i = 0; i < shape->rows; i++) {
        sql_vector(shape, &random, i, vector);
        (void)sqlite3_bind_int(stmt, 1, first + i);
        (void)(i % 17 == 11 ? sqlite3_bind_null(stmt, 2)
                            : sqlite3_bind_blob(stmt, 2, vector, (int)bytes, SQLITE_TRANSIENT));
        sql_step(db, stmt);
    }
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    free(vector);
    vs_test_run(db, "RELEASE fill");
}

void sql_make_queries(sqlite3 *db, const sql_shape *shape, int count, uint64_t seed)
{
    sqlite3_stmt *stmt = NULL;
    int is_float = shape->kind == VSK_F16 || shape->kind == VSK_BF16;
    size_t own = vsk_bytes(shape->kind, shape->dim);
    size_t bytes = is_float ? shape->dim * sizeof(float) : own;
    unsigned char *all = malloc((size_t)count * bytes), *vector = malloc(own);
    uint64_t random = seed;
    vs_test_run(db, "DROP TABLE IF EXISTS q; CREATE TABLE q(id INTEGER PRIMARY KEY, v BLOB)");
    for (int i = 0; i < count; i++) {
        fixture_vector(&random, shape->spread, shape->kind, shape->dim, vector);
        if (is_float) {
            vsk_get()->to_f32[shape->kind](vector, (float *)(void *)(all + (size_t)i * bytes),
                                           shape->dim);
        } else {
            memcpy(all + (size_t)i * bytes, vector, bytes);
        }
    }
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO q VALUES (?1, ?2)", -1, &stmt, NULL),
                     SQLITE_OK);
    for (int i = 0; i <= count; i++) {
        (void)sqlite3_bind_int(stmt, 1, i);
        (void)sqlite3_bind_blob(stmt, 2, i == 0 ? all : all + (size_t)(i - 1) * bytes,
                                (int)(i == 0 ? (size_t)count * bytes : bytes), SQLITE_STATIC);
        sql_step(db, stmt);
    }
    sqlite3_finalize(stmt);
    free(vector);
    free(all);
}

const char sql_docs_search[] =
    "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 1), 10, "
    "'{\"device\":\"@\"}')";
const char sql_t_search[] = "SELECT rowid, distance FROM t((SELECT v FROM q WHERE id = 1), 10, "
                            "'{\"device\":\"@\"}')";

void sql_make_both(sqlite3 *db, int count)
{
    sql_shape shape = {"float32", VSK_F32, 32, FIXTURE_NORMAL, count};
    vs_test_run(db, "CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER);"
                    "CREATE VIRTUAL TABLE t USING vecshard(id INTEGER PRIMARY KEY, v float[32], "
                    "tag INTEGER)");
    sql_fill(db, "docs", &shape, 1, 5);
    sql_fill(db, "t", &shape, 1, 6);
    sql_make_queries(db, &shape, 4, 7);
}
