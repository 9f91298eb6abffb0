/*
 * args.h - the arguments of table functions, while planning and while executing.
 */
#ifndef VS_ARGS_H
#define VS_ARGS_H

#include "conn.h"

/* ---- xBestIndex ---- */

/*
 * Finds the equality constraint of each hidden argument column first .. last; out[column - first]
 * is its number, or -1. SQLITE_CONSTRAINT when one of them is not usable in the plan under
 * consideration: SQLite then tries another.
 */
int vs_args_find(const sqlite3_index_info *info, int first, int last, int *out);

/*
 * An argument too many would become a condition on the hidden column behind the arguments, here _device,
 * and find nothing: an error sentence. `count`: arguments there are at most.
 */
int vs_args_check_last(const sqlite3_index_info *info, int device_column, int count,
                       const char *who, vs_err *err);

/* The text of an argument that is a literal in the statement; NULL when it is known at run time
 * only, or a BLOB, of which xFilter tells the user, or constraint is -1. */
const char *vs_args_literal(sqlite3_index_info *info, int constraint);

/* k of a literal, within 0 .. VS_K_MAX; `unknown` when it is known at run time only. */
int64_t vs_args_literal_k(sqlite3_index_info *info, int constraint, int64_t unknown);

/*
 * Makes the constraint argument number `argument` (from 1) of xFilter and keeps SQLite from
 * checking it on each row. That works for the first 16 constraints of a table only: beyond them, an
 * error sentence.
 */
int vs_args_claim(sqlite3_index_info *info, int constraint, int argument, const char *who,
                  vs_err *err);

/* Ends the words of a plan and makes them idxStr, which SQLite frees. rc: so far; after an error the
 * words are dropped. Returns rc, or SQLITE_NOMEM. */
int vs_args_plan_words(sqlite3_index_info *info, sqlite3_str *words, int rc);

/*
 * Makes a plan that only reports, when it is executed, that arguments are missing. Its cost keeps
 * it from being chosen where there is another: SQLite asks for plans without the arguments while it
 * looks at the branches of an OR, and an error then would end the statement.
 */
void vs_args_plan_incomplete(sqlite3_index_info *info);
#define VS_ARGS_INCOMPLETE (-1) /* its idxNum */

/*
 * Is the argument k, which stands in this column, compared by <, <=, >, >= or <>? Where it is not
 * given by =, it is NULL, and no row passes. IS, IS NULL and their like can be meant.
 */
int vs_args_compares_k(const sqlite3_index_info *info, int column);

/* The same for k that is compared but not given: executed, it is vs_args_k_is_compared. */
void vs_args_plan_k_compared(sqlite3_index_info *info);
#define VS_ARGS_K_COMPARED (-2)

/* ---- xFilter ---- */

/* The text of an argument; "<who>: <what> must be text, found 5" when it is none. So is text with a NUL
 * character in it, which would be taken for what stands before it. */
int vs_args_text(const char *who, const char *what, sqlite3_value *value, const char **out,
                 vs_err *err);

/* The same for an argument that may be absent (NULL pointer) or SQL NULL: then *out is NULL. */
int vs_args_optional_text(const char *who, const char *what, sqlite3_value *value, const char **out,
                          vs_err *err);

/* The error of a plan VS_ARGS_K_COMPARED. */
int vs_args_k_is_compared(const char *who, vs_err *err);

/* k as a number of rows, 0 .. VS_K_MAX; INT64_MAX when it is absent or NULL. The value is one of
 * xFilter's own, not a copy of it. */
int vs_args_k(const char *who, sqlite3_value *value, int64_t *out, vs_err *err);

/*
 * Does a statement that writes run on this connection? A search within INSERT ... SELECT does; it
 * must then not come back to the table between its rows, or it would see what the statement itself
 * wrote.
 */
int vs_args_is_writing(sqlite3 *db);

/* ---- a virtual table that has no state beside its connection's context ---- */

typedef struct vs_table {
    sqlite3_vtab base;
    vs_conn *conn; /* borrowed: the module holds a reference, and outlives its tables */
} vs_table;

/* xConnect's work: declares the schema and makes a vs_table. */
int vs_table_connect(sqlite3 *db, void *aux, const char *schema, sqlite3_vtab **out);
/* xDisconnect; also finalizes statements that searches keep with the connection (table_tag.h). */
int vs_table_disconnect(sqlite3_vtab *base);

#endif
