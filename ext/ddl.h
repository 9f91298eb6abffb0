/*
 * ddl.h - reads what PRAGMAs do not tell from the schema's own text: the expressions of an index,
 * its WHERE clause, and the expression of a generated column.
 *
 * The text comes from sqlite_schema: SQLite parsed it before we see it, but a hostile file may hold
 * anything, so every function here takes any bytes and answers "not found" for what it does not
 * understand.
 */
#ifndef VS_DDL_H
#define VS_DDL_H

#include "error.h"

/* A piece of schema text: borrowed, not terminated. */
typedef struct vs_ddl_span {
    const char *text;
    size_t n;
} vs_ddl_span;

/*
 * Term `position` (from 0) of the parenthesised list of a CREATE INDEX statement, and the text
 * after its WHERE. Return 1 and set *out, or 0.
 */
int vs_ddl_index_term(const char *create_index, int position, vs_ddl_span *out);
int vs_ddl_index_where(const char *create_index, vs_ddl_span *out);

/* The expression of generated column `column` of a CREATE TABLE statement: what stands inside AS (
 * ... ). Returns 1 or 0. */
int vs_ddl_generated(const char *create_table, const char *column, vs_ddl_span *out);

/*
 * Is the expression vec_norm(column), or vec_norm(constructor(column)) with a constructor such as
 * vec_f16? An outer pair of parentheses and a closing ASC or DESC do not matter. Returns 1 and the
 * constructor's span (n = 0 without one), or 0.
 */
int vs_ddl_is_norm(vs_ddl_span expression, const char *column, vs_ddl_span *out_constructor);

/* The same text without comments, so that it can be put into a statement whole. sqlite3_malloc'ed,
 * or NULL without memory. */
char *vs_ddl_without_comments(vs_ddl_span span);

#endif
