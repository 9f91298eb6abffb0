/*
 * vs_test.h - short words for SQL in unit tests.
 *
 * A result is compared as one text: columns joined by "|", rows by "; ", NULL as "NULL", a BLOB as
 * x'00ff'.
 */
#ifndef VS_TEST_H
#define VS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../ext/vs_base.h"

#include "../ext/vecshard.h"

#define VS_TEST_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A connection in memory, with the extension. */
static inline sqlite3 *vs_test_open(void)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    if (sqlite3_vecshard_init(db, &message, NULL) != SQLITE_OK) {
        fail_msg("%s", message);
    }
    return db;
}

static inline void vs_test_close(sqlite3 *db)
{
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static inline void vs_test_append_row(sqlite3_str *text, sqlite3_stmt *stmt)
{
    static const char *const separators[] = {"", "|"};
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
        sqlite3_str_appendall(text, separators[i > 0]);
        if (sqlite3_column_type(stmt, i) == SQLITE_NULL) {
            sqlite3_str_appendall(text, "NULL");
        } else if (sqlite3_column_type(stmt, i) == SQLITE_BLOB) {
            const unsigned char *bytes = sqlite3_column_blob(stmt, i);
            int n = sqlite3_column_bytes(stmt, i);
            sqlite3_str_appendall(text, "x'");
            for (int j = 0; j < n; j++) {
                sqlite3_str_appendf(text, "%02x", bytes[j]);
            }
            sqlite3_str_appendall(text, "'");
        } else {
            sqlite3_str_appendall(text, (const char *)sqlite3_column_text(stmt, i));
        }
    }
}

/*
 * Runs one statement. Returns its result code; *out is the result, or the error's sentence. Free it
 * with sqlite3_free.
 */
static inline int vs_test_query(sqlite3 *db, const char *sql, char **out)
{
    sqlite3_stmt *stmt = NULL;
    int rows = 0;
    sqlite3_str *text = sqlite3_str_new(NULL);
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        sqlite3_str_appendall(text, rows++ > 0 ? "; " : "");
        vs_test_append_row(text, stmt);
        rc = SQLITE_OK;
    }
    if (rc == SQLITE_DONE) {
        *out = sqlite3_str_finish(text);
    } else {
        sqlite3_free(sqlite3_str_finish(text));
        *out = sqlite3_mprintf("%s", sqlite3_errmsg(db));
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static inline void vs_test_run(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", sql, message);
    }
}

/* The statement succeeds with this result. */
static inline void vs_test_gives(sqlite3 *db, const char *sql, const char *expected)
{
    char *result = NULL;
    if (vs_test_query(db, sql, &result) != SQLITE_OK) {
        fail_msg("%s: %s", sql, result);
    }
    if (strcmp(result != NULL ? result : "", expected) != 0) {
        fail_msg("%s gives %s, not %s", sql, result, expected);
    }
    sqlite3_free(result);
}

/* The statement succeeds with the result that the reference, which succeeds, gives. */
static inline void vs_test_same(sqlite3 *db, const char *sql, const char *reference)
{
    char *expected = NULL;
    if (vs_test_query(db, reference, &expected) != SQLITE_OK) {
        fail_msg("%s: %s", reference, expected);
    }
    vs_test_gives(db, sql, expected == NULL ? "" : expected);
    sqlite3_free(expected);
}

/* The statement fails with this sentence. */
static inline void vs_test_fails(sqlite3 *db, const char *sql, const char *expected)
{
    char *result = NULL;
    if (vs_test_query(db, sql, &result) == SQLITE_OK) {
        fail_msg("%s succeeds with %s", sql, result);
    }
    if (strcmp(result, expected) != 0) {
        fail_msg("%s fails with \"%s\", not \"%s\"", sql, result, expected);
    }
    sqlite3_free(result);
}

/* A fixed sequence of random numbers: xorshift. */
static inline uint64_t vs_test_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
