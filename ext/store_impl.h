/*
 * store_impl.h - what the files of the store share.
 */
#ifndef VS_STORE_IMPL_H
#define VS_STORE_IMPL_H

#include "store.h"

/* SQL of a statement, and of the shadow tables: sqlite3_malloc'ed, NULL without memory. */
char *vs_store_sql(const vs_store *store, vs_store_statement which);
char *vs_store_vector_sql(const vs_store *store, int vector, vs_vector_statement which);
char *vs_store_create_sql(const vs_store *store);

/* Is what the store remembers of its last write still what the table holds, and unseen by others?
 */
int vs_store_is_fresh(const vs_store *store);

/* The head without counting as a read of the stamp: for writing. */
int vs_store_peek_head(vs_store *store, vs_head *out, vs_err *err);

/* Is it a column of t_rows? */
static inline int store_is_row_column(const vs_column_spec *column)
{
    return column->kind != VS_COLUMN_VECTOR && column->kind != VS_COLUMN_ROWID;
}

/* Runs a statement that gives no rows, and gives it back. */
int vs_store_run(vs_store *store, sqlite3_stmt *stmt, const char *what, vs_err *err);

/* A value of t_info, copied: *out sqlite3_malloc'ed, NULL when there is no such key. */
int vs_store_info(vs_store *store, const char *key, void **out, size_t *out_bytes, vs_err *err);
int vs_store_info_set(vs_store *store, const char *key, const void *data, size_t n, vs_err *err);

/* Writes one record of t_vectors. cell: before the change. data: [dim] of the stored type, or NULL
 * for SQL NULL. is_erased: zeros. */
int vs_store_write_vector(vs_store *store, int vector, const vs_cell *cell, uint32_t slot,
                          int64_t rowid, const void *data, int is_erased, vs_err *err);

/* Writes the row of t_vectors that begins with a slot, of whole records [group bytes]: those of live
 * slots; nothing where there are none. */
int vs_store_write_group(vs_store *store, int vector, const vs_cell *cell, uint32_t first,
                         const uint8_t *records, vs_err *err);

/* Is there a row with this id, by the statement that gives its data? */
int vs_store_has_row(vs_store *store, int vector, vs_vector_statement which, int64_t id, int *out,
                     vs_err *err);

/* Are there rows of t_vectors (is_warm), or blocks of t_cold, of a cell? */
int vs_store_has_tier(vs_store *store, int vector, int64_t cell, int is_warm, int *out,
                      vs_err *err);

/* Deletes the rows of t_vectors of a cell. */
int vs_store_delete_groups(vs_store *store, int vector, int64_t cell, vs_err *err);

/* Deletes rows lo .. hi of one of a column's tables. */
int vs_store_delete_range(vs_store *store, int vector, vs_vector_statement which, int64_t lo,
                          int64_t hi, vs_err *err);

/* PRAGMA secure_delete: is what is deleted overwritten? */
int vs_store_is_secure(vs_store *store, int *out, vs_err *err);

/*
 * Opens the bytes of a row of t_vectors or t_codes (role "vectors", "codes"), or moves *io, which is
 * open, to that row. Another size than `bytes` is CORRUPT. On error *io is closed and NULL. A handle
 * for writing must not stay open: no COMMIT succeeds beside it.
 */
int vs_store_blob_open(vs_store *store, const char *role, int vector, int64_t row, size_t bytes,
                       int is_writing, sqlite3_blob **io, vs_err *err);
int vs_store_blob_write(vs_store *store, sqlite3_blob *blob, const void *data, size_t n, size_t at,
                        vs_err *err);
int vs_store_blob_close(vs_store *store, sqlite3_blob *blob, int rc, vs_err *err); /* keeps rc */

/* Codes all coded columns of a cell whose vectors are written; sets is_coded and code_id in *cell,
 * and writes t_codes. is_new: there are no t_codes rows yet. */
int vs_store_code_cell(vs_store *store, vs_cell *cell, vs_err *err);

/* Writes one row's codes into a coded cell. data: its vector, or NULL for SQL NULL. is_erased:
 * zeros. */
int vs_store_code_slot(vs_store *store, const vs_cell *cell, uint32_t slot, int vector,
                       int64_t rowid, const void *data, int is_erased, vs_err *err);

/* Frees the list of descriptions, the dictionaries, and the cold blocks. */
void vs_store_free_codes(vs_store *store);
void vs_store_free_dicts(vs_store *store);
void vs_store_free_cold(vs_store *store);

#endif
