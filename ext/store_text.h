/*
 * store_text.h - texts of auxiliary columns, packed with a dictionary that the table keeps.
 *
 * An auxiliary column of TEXT affinity is a text column. Its texts may be packed, each a row of
 * packed_text.h in the place of the text; a BLOB of the user's that begins like one has a mark
 * before it. All that reads such a column goes through here.
 */
#ifndef VS_STORE_TEXT_H
#define VS_STORE_TEXT_H

#include "store_impl.h"

/* Is it a text column? */
int vs_store_is_text(const vs_store *store, int column);

/*
 * Makes the user's value of a stored one the result. Columns of other kinds may come, too.
 * SQLITE_OK, SQLITE_NOMEM, SQLITE_TOOBIG beyond SQLite's limit, or SQLITE_CORRUPT_VTAB with a
 * sentence that names table, row and column.
 */
int vs_store_text_result(vs_store *store, int column, int64_t rowid, sqlite3_value *stored,
                         sqlite3_context *ctx, vs_err *err);

/*
 * Reads a stored value of a text column. *out is its text of *out_n bytes where it is packed, the
 * caller's (sqlite3_free), else NULL: what has a mark is checked alone. Errors as above.
 */
int vs_store_text_read(vs_store *store, int column, int64_t rowid, sqlite3_value *stored,
                       char **out, size_t *out_n, vs_err *err);

/* Binds the user's value (NULL: SQL NULL) as it is stored in a column. SQLite's result codes. */
int vs_store_text_bind(const vs_store *store, int column, sqlite3_stmt *stmt, int n,
                       sqlite3_value *value);

/*
 * vecshard_text(stored, store, column, rowid): the user's value, for statements on t_rows; their
 * sentences do not name the table. The store is a pointer, bound by vs_store_text_bind_store; it must
 * outlive the binding. Without it the result is NULL.
 */
int vs_store_text_register(vs_conn *conn);
int vs_store_text_bind_store(sqlite3_stmt *stmt, int n, const vs_store *store);

/* ---- dictionaries ---- */

#define VS_RATIO_ONE 65536u

/* What t_info keeps of a dictionary. */
typedef struct vs_store_dict {
    vs_dict *dict;  /* a reference, the caller's */
    uint32_t ratio; /* packed bytes for VS_RATIO_ONE bytes of text, when it was trained */
} vs_store_dict;

/* The dictionary that new texts of a column are packed with; out->dict NULL when there is none.
 * SQLITE_CORRUPT_VTAB with a sentence when it is damaged. */
int vs_store_dict_current(vs_store *store, int column, vs_store_dict *out, vs_err *err);

/* Gives a dictionary of vec_train_dict's form (changed: its id) an id that the table does not know,
 * and digests it for packing. */
int vs_store_dict_name(vs_store *store, int column, void *bytes, size_t n, vs_dict **out,
                       vs_err *err);

/* Writes it, and makes it the current one. */
int vs_store_dict_add(vs_store *store, int column, const vs_store_dict *dict, vs_err *err);

/* ---- tiers ---- */

/*
 * Packs the texts that are plain in the rows of a partition (0: in all), where that pays, or brings
 * all of them back; then without partition, the dictionaries go. In the caller's transaction: an
 * error after the first write is one that rolls it back.
 */
int vs_store_set_text_tier(vs_store *store, int64_t part, int is_cold, vs_err *err);

/* Can the texts of a column be packed by that, and has it a dictionary, so that some are? */
int vs_store_text_tier(vs_store *store, int column, int *out_can, int *out_has, vs_err *err);

#endif
