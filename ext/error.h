/*
 * error.h - error sentences.
 *
 * An error is a SQLite result code with one sentence that names what the user typed, what was
 * expected and what came. The first error wins: setting a second one changes nothing.
 *
 * A sentence is UTF-8, whatever the user's text or BLOB was that it quotes: bytes that are none
 * become question marks.
 */
#ifndef VS_ERROR_H
#define VS_ERROR_H

#include "vs_base.h"

typedef struct vs_err {
    char *message; /* owned; sqlite3_free. NULL: none, or no memory for one */
} vs_err;
#define VS_ERR_INIT                                                                                \
    {                                                                                              \
        NULL                                                                                       \
    }

/* Sets the sentence unless one is set already, and returns rc, so that `return vs_error(err,
 * SQLITE_ERROR, ...)` reads well. */
int vs_error(vs_err *err, int rc, const char *format, ...);

/* Takes the sentence of a failed SQLite call from the connection: "<what>: <sqlite's words>".
 * Returns rc, unchanged. */
int vs_error_db(vs_err *err, int rc, sqlite3 *db, const char *what);

void vs_error_clear(vs_err *err);

/* Ends a SQL function with rc and its sentence (SQLite's own words where there is none), and clears
 * err. */
void vs_error_result(sqlite3_context *ctx, int rc, vs_err *err);

/* Hands the sentence to a virtual table (vtab->zErrMsg), clears err, returns rc. */
int vs_error_vtab(sqlite3_vtab *vtab, int rc, vs_err *err);

#endif
