/*
 * func.h - scalar SQL functions over vectors: how functions are registered and read arguments.
 */
#ifndef VS_FUNC_H
#define VS_FUNC_H

#include "conn.h"

/*
 * Registers every scalar function; each holds a reference to conn. Returns SQLITE_OK or the first
 * error.
 */
int vs_func_register(vs_conn *conn);

/* One row of a table of functions. Rows are static. */
typedef struct vs_func_entry {
    const char *name;
    int args;   /* -1: any number */
    int flags;  /* beside SQLITE_UTF8 */
    int detail; /* what distinguishes functions of one body: a vs_metric, a vsk_type, ... */
    /* A scalar function has run, an aggregate step and final; the others are NULL. */
    void (*run)(sqlite3_context *ctx, int argc, sqlite3_value **argv);
    void (*step)(sqlite3_context *ctx, int argc, sqlite3_value **argv);
    void (*final)(sqlite3_context *ctx);
} vs_func_entry;

#define VS_FUNC_PURE (SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS)
#define VS_FUNC_READS (VS_FUNC_PURE | SQLITE_SUBTYPE)         /* takes vectors */
#define VS_FUNC_MAKES (VS_FUNC_READS | SQLITE_RESULT_SUBTYPE) /* and returns one */

/* User data of a function. */
typedef struct vs_func {
    const vs_func_entry *entry; /* static */
    vs_conn *conn;              /* a reference */
} vs_func;

int vs_func_register_table(vs_conn *conn, const vs_func_entry *entries, size_t count);

/*
 * Reads argument `index` (below VS_MEMO_COUNT) as vs_value_read does; messages begin with the
 * function's name. JSON text that was the same at the last call, or is constant in the statement,
 * is not parsed again: see func.c.
 */
int vs_func_argument(sqlite3_context *ctx, int index, sqlite3_value *value, vsk_type type,
                     vs_vec *out, vs_err *err);

/*
 * Whether any argument is NULL; then the result is NULL, which is what a function that sets none
 * returns.
 */
int vs_func_any_null(int argc, sqlite3_value **argv);

/* Ends a function with a vector, copied, and its subtype. */
void vs_func_result_vector(sqlite3_context *ctx, const vs_vec *vec);

#endif
