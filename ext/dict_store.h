/*
 * dict_store.h - dictionaries in a database: the ordinary table vecshard_dict of schema main.
 *
 * Threads: the thread inside a call of the connection.
 */
#ifndef VS_DICT_STORE_H
#define VS_DICT_STORE_H

#include "dict.h"

/*
 * Reads the dictionary `id` from the table and digests it: see vs_dict_get for level and *out.
 *
 * Returns SQLITE_OK, SQLITE_NOMEM, SQLITE_ERROR with a sentence when there is no such id (or no
 * table), SQLITE_CORRUPT_VTAB with one when what is stored is damaged, or the code of a failed
 * read. Leaves no statement open.
 */
int vs_dict_store_load(const char *who, sqlite3 *db, uint32_t id, int level, vs_dict **out,
                       vs_err *err);

/*
 * Stores a dictionary under a new random id, which its header then states; makes the table where
 * there is none. Bytes that are no whole dictionary are refused. `note` may be NULL. Keeps the
 * connection's last_insert_rowid. In the transaction that is open, or one of its own.
 */
int vs_dict_store_add(const char *who, sqlite3 *db, const void *bytes, size_t n, const char *note,
                      uint32_t *out_id, vs_err *err);

#endif
