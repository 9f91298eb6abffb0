/*
 * error.c - error sentences.
 *
 * Calls: SQLite only.
 * Called by: everything in ext/.
 * Threads: one vs_err per call chain.
 */
#include "error.h"

#include <stdarg.h>

/* Bytes of the character of UTF-8 that the text starts with; 0: it starts with none. */
static size_t error_character(const unsigned char *text)
{
    size_t n = text[0] < 0x80                      ? 1
               : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
               : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
               : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                   : 0;
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    int is_wrong = (text[0] == 0xe0 && text[1] < 0xa0) || /* longer than it need be */
                   (text[0] == 0xed && text[1] > 0x9f) || /* half of a character of UTF-16 */
                   (text[0] == 0xf0 && text[1] < 0x90) ||
                   (text[0] == 0xf4 && text[1] > 0x8f); /* beyond the last character */
    return is_wrong ? 0 : n;
}

/* Makes the text UTF-8. NULL is left alone. */
static void error_clean(char *text)
{
    while (text != NULL && *text != '\0') {
        size_t n = error_character((const unsigned char *)text);
        if (n == 0) {
            *text = '?';
        }
        text += n > 0 ? n : 1;
    }
}

int vs_error(vs_err *err, int rc, const char *format, ...)
{
    assert(rc != SQLITE_OK);
    if (err->message == NULL && rc != SQLITE_NOMEM) {
        va_list args;
        va_start(args, format);
        err->message = sqlite3_vmprintf(format, args);
        va_end(args);
        error_clean(err->message);
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
