/*
 * content.h - an index over an existing table: built from its rows, kept in step by triggers.
 */
#ifndef VS_CONTENT_H
#define VS_CONTENT_H

#include "store.h"

/* Creates the triggers on the content table (names <index>_vecshard_insert, _update and _delete):
 * they write to the virtual table. The content table must exist, have the columns of the
 * declaration (by name) and an id that is an INTEGER PRIMARY KEY or rowid. */
int vs_content_create(vs_store *store, vs_err *err);
int vs_content_drop(vs_store *store, vs_err *err); /* drops the triggers that exist */
int vs_content_rename(vs_store *store, const char *table,
                      vs_err *err); /* the index gets a new name: makes the triggers anew; call
                                       before vs_store_rename changes store->table */

/* Name of a trigger (0 insert, 1 update, 2 delete), and its text as sqlite_schema keeps it, on the
 * content table `table`. sqlite3_malloc'ed, NULL without memory. */
#define VS_CONTENT_TRIGGERS 3
char *vs_content_trigger_name(const vs_store *store, int event);
char *vs_content_trigger_text(const vs_store *store, const char *table, int event);

/* Fills the empty index from the content table's rows, by rising id; rows whose vectors are all
 * NULL are left out. Job "build" in vec_jobs; interruptible. A value that is no vector of the
 * column is an error that names table, column and row. */
int vs_content_build(vs_store *store, vs_err *err);

/* Makes the entry of one row what the content table holds now: new, changed or gone. memory: for its
 * vectors, [VS_VECTORS_MAX]. */
int vs_content_sync(vs_store *store, sqlite3_value *id, vs_scratch (*memory)[2], vs_err *err);

/* Reads one vector of a content table's row: out [dim] of the stored type. *out_is_missing: no such
 * row, SQL NULL, or no vector of that shape. */
int vs_content_vector(vs_store *store, int vector, int64_t rowid, void *out, int *out_is_missing,
                      vs_err *err);

/* A statement that gives the names of the indexes over schema.table, in their order without regard to
 * case; only the one called `name` where that is not NULL. Names compare as SQLite's do. Whether
 * there is such an index only opening it tells: a trigger may have such a name by chance. The caller
 * finalizes *out. */
int vs_content_indexes(vs_conn *conn, const char *schema, const char *table, const char *name,
                       sqlite3_stmt **out, vs_err *err);

#endif
