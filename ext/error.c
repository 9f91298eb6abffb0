/*
 * error.c - error sentences.
 *
 * Calls: SQLite only.
 * Called by: everything in ext/.
 * Threads: one vs_err per call chain.
 */
#include "error.h"

#include <stdarg.h>

int vs_error(vs_err *err, int rc, const char *format, ...)
{
    assert(rc != SQLITE_OK);
    if (err->message == NULL && rc != SQLITE_NOMEM) {
        va_list args;
        va_start(args, format);
        err->message = sqlite3_vmprintf(format, args);
        va_end(args);
    }
    return rc;
}

int vs_error_db(vs_err *err, int rc, sqlite3 *db, const char *what)
{
    return vs_error(err, rc, "%s: %s", what, sqlite3_errmsg(db));
}

void vs_error_clear(vs_err *err)
{
    sqlite3_free(err->message);
    err->message = NULL;
}

void vs_error_result(sqlite3_context *ctx, int rc, vs_err *err)
{
    if (rc == SQLITE_NOMEM) {
        sqlite3_result_error_nomem(ctx);
    } else if (err->message != NULL) {
        sqlite3_result_error(ctx, err->message, -1);
        sqlite3_result_error_code(ctx, rc);
    } else {
        sqlite3_result_error_code(ctx, rc);
    }
    vs_error_clear(err);
}

int vs_error_vtab(sqlite3_vtab *vtab, int rc, vs_err *err)
{
    if (err->message != NULL) {
        sqlite3_free(vtab->zErrMsg);
        vtab->zErrMsg = err->message;
        err->message = NULL;
    }
    return rc;
}
