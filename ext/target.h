/*
 * target.h - the table and column that a search reads, found in the schema and checked.
 */
#ifndef VS_TARGET_H
#define VS_TARGET_H

#include "error.h"

/* An index on the table that a search can use: one that leads with the norm of the column, or the
 * one named by the user. */
typedef struct vs_index {
    char *name;     /* owned */
    char *norm_sql; /* owned: SQL of its leading norm term, "vec_norm(""embedding"")" or a generated
                       column; NULL: leads with something else */
    char *where_sql; /* owned: predicate of a partial index; NULL: it holds every row */
    int has_column;  /* holds the vector column itself, so that the table need not be read */
} vs_index;

typedef struct vs_target {
    sqlite3 *db;  /* borrowed */
    char *label;  /* owned: "docs.embedding" for messages and plans, as the user wrote the table */
    char *schema; /* owned: "main", "temp" or an attached name */
    char *table;  /* owned */
    char *column; /* owned */
    int is_virtual; /* a virtual table: label, schema, table and column are set, the column is not checked, and there are no indexes */
    char *id_sql; /* owned: SQL of the id: rowid, _rowid_, oid or the quoted key of a WITHOUT ROWID
                     table */
    char *table_sql;   /* owned: quoted "schema"."table" */
    vs_index *indexes; /* owned: those that lead with the norm, partial ones included, in the order
                          of their names */
    size_t index_count;
} vs_target;

/*
 * Finds table and column.
 *
 *   table  "docs" (searched as SQLite does: temp, main, then attached databases) or "schema.docs"
 *   type   element type of the column: an index on vec_norm(col) serves float32, one on
 *          vec_norm(vec_f16(col)) float16, ...
 *
 * On success the caller owns *out (vs_target_free). Errors, each a sentence that starts with `who`:
 * no such table, a view (its base table must be named), no such column, a table
 * with neither rowid nor a single INTEGER key; SQLITE_NOMEM and whatever reading the schema
 * returned. After an error *out owns nothing.
 */
int vs_target_find(sqlite3 *db, const char *who, const char *table, const char *column,
                   vsk_type type, vs_target *out, vs_err *err);
void vs_target_free(vs_target *target);

/* Finds the table alone, of any kind but a view: sets schema, table, table_sql and is_virtual. Ends like
 * vs_target_find. */
int vs_target_find_table(sqlite3 *db, const char *who, const char *table, vs_target *out,
                         vs_err *err);

/*
 * The index called `name` on the target's table, whether it leads with the norm or not. On success
 * the caller owns *out (vs_index_free). SQLITE_ERROR with a sentence that lists the table's indexes
 * when there is none of that name.
 */
int vs_target_index(const vs_target *target, const char *who, const char *name, vsk_type type,
                    vs_index *out, vs_err *err);
void vs_index_free(vs_index *index);

/*
 * Prepares a statement that reads the user's table: no virtual tables in it. `sql` is freed in
 * every case; NULL means no memory. who is named in the sentence of an error.
 */
int vs_target_prepare(const vs_target *target, const char *who, char *sql, sqlite3_stmt **out,
                      vs_err *err);

/* The lowest and the highest id, found without a scan; 0 and -1 when the table is empty. */
int vs_target_extent(const vs_target *target, const char *who, int64_t *out_lo, int64_t *out_hi,
                     vs_err *err);

#endif
