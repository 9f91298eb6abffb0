/*
 * store_fixture.c - the store behind a vecshard table that SQL made.
 */
#include "store_fixture.h"

void fixture_join_store(store_fixture *fixture, sqlite3 *db)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->db = db;
    fixture->conn = vs_conn_new(fixture->db);
    assert_non_null(fixture->conn);
    fixture_must(fixture,
                 vs_store_open(&fixture->store, fixture->conn, "main", "t", &fixture->err));
    fixture_must(fixture, vs_store_load(&fixture->store, &fixture->err));
}

void fixture_open_store(store_fixture *fixture, const char *sql)
{
    sqlite3 *db = vs_test_open();
    vs_test_run(db, sql);
    fixture_join_store(fixture, db);
}

void fixture_insert_cells(sqlite3 *db, int first, int count, float shift)
{
    static float v[1024];
    int8_t w[4];
    sqlite3_stmt *stmt = NULL;
    uint64_t random = (uint64_t)first * 2654435761u + 1;
    assert_int_equal(
        sqlite3_prepare_v2(db, "INSERT INTO t(rowid, v, p, w, n) VALUES (?1, ?2, ?1 % 3, ?3, ?1)",
                           -1, &stmt, NULL),
        SQLITE_OK);
    for (int i = first; i < first + count; i++) {
        fixture_vector(&random, FIXTURE_NORMAL, VSK_F32, VS_TEST_COUNT(v), v);
        fixture_vector(&random, FIXTURE_NORMAL, VSK_I8, sizeof w, w);
        for (size_t j = 0; j < VS_TEST_COUNT(v); j++) {
            v[j] += shift;
        }
        (void)sqlite3_bind_int(stmt, 1, i);
        (void)sqlite3_bind_blob(stmt, 2, v, sizeof v, SQLITE_STATIC);
        (void)sqlite3_bind_blob(stmt, 3, w, sizeof w, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
        (void)sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
}

void fixture_open_cells(store_fixture *fixture, int count)
{
    fixture_open_store(fixture, "CREATE VIRTUAL TABLE t USING vecshard(v float[1024], p INTEGER "
                                "PARTITION KEY, w int8[4], n INTEGER); BEGIN");
    fixture_insert_cells(fixture->db, 1, count, 0.0f);
    fixture_run(fixture, "COMMIT");
}

int64_t fixture_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    int64_t number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return number;
}

void fixture_leave_store(store_fixture *fixture)
{
    vs_error_clear(&fixture->err);
    vs_store_close(&fixture->store);
    vs_conn_unref(fixture->conn);
}

void fixture_close_store(store_fixture *fixture)
{
    fixture_leave_store(fixture);
    vs_test_close(fixture->db);
}

void fixture_run(store_fixture *fixture, const char *sql)
{
    vs_store_forget(&fixture->store);
    vs_test_run(fixture->db, sql);
    vs_store_forget(&fixture->store);
}

void fixture_must(store_fixture *fixture, int rc)
{
    if (rc != SQLITE_OK) {
        fail_msg("result %d: %s (%s)", rc,
                 fixture->err.message == NULL ? "no sentence" : fixture->err.message,
                 sqlite3_errmsg(fixture->db));
    }
}

void fixture_must_fail(store_fixture *fixture, int rc, int expected, const char *words)
{
    const char *message = fixture->err.message;
    if (rc != expected || message == NULL || strstr(message, words) == NULL) {
        fail_msg("result %d: %s; expected %d with \"%s\"", rc,
                 message == NULL ? "no sentence" : message, expected, words);
    }
    vs_error_clear(&fixture->err);
}
