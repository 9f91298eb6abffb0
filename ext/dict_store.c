/*
 * dict_store.c - dictionaries in a database: the ordinary table vecshard_dict of schema main.
 *
 * Statements are prepared for one use: a statement that a function keeps would make sqlite3_close
 * fail. Reads use NO_VTAB, so that nothing of the extension is entered from here; a view or virtual
 * table of that name is none.
 *
 * Calls: dict.c, crc32c.c.
 * Called by: func_text.c.
 * Threads: the thread inside a call of the connection.
 */
#include "dict_store.h"

#include "crc32c.h"

#define DICT_STORE_TRIES 16 /* ids that are taken, before something else must be wrong */

static const char dict_store_schema[] =
    "CREATE TABLE IF NOT EXISTS main.vecshard_dict(id INTEGER PRIMARY KEY, kind TEXT, bytes BLOB, "
    "crc INTEGER, rows INTEGER, created TEXT, note TEXT)";

/* ---- reading --------------------------------------------------------------------------------- */

static int dict_store_missing(const char *who, uint32_t id, vs_err *err)
{
    return vs_error(err, SQLITE_ERROR, "%s: there is no dictionary %u in the table vecshard_dict",
                    who, id);
}

/* Digests the row that the statement stands on. */
static int dict_store_read_row(const char *who, sqlite3_stmt *stmt, uint32_t id, int level,
                               vs_dict **out, vs_err *err)
{
    if (sqlite3_column_type(stmt, 0) != SQLITE_BLOB ||
        sqlite3_column_type(stmt, 1) != SQLITE_INTEGER) {
        return vs_error(err, SQLITE_CORRUPT_VTAB,
                        "%s: dictionary %u is damaged: bytes must be a BLOB and crc an INTEGER",
                        who, id);
    }
    sqlite3_int64 crc = sqlite3_column_int64(stmt, 1);
    const void *bytes = sqlite3_column_blob(stmt, 0);
    size_t n = (size_t)sqlite3_column_bytes(stmt, 0);
    if (bytes == NULL && n > 0) {
        return SQLITE_NOMEM;
    }
    if (crc < 0 || crc > UINT32_MAX) {
        return vs_error(err, SQLITE_CORRUPT_VTAB,
                        "%s: dictionary %u is damaged: its checksum differs", who, id);
    }
    return vs_dict_get(who, bytes, n, id, (uint32_t)crc, level, out, err);
}

int vs_dict_store_load(const char *who, sqlite3 *db, uint32_t id, int level, vs_dict **out,
                       vs_err *err)
{
    sqlite3_stmt *stmt = NULL;
    *out = NULL;
    int rc = sqlite3_table_column_metadata(db, "main", "vecshard_dict", "bytes", NULL, NULL, NULL,
                                           NULL, NULL);
    if (rc == SQLITE_ERROR) { /* no table, or a view */
        return dict_store_missing(who, id, err);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_prepare_v3(db, "SELECT bytes, crc FROM main.vecshard_dict WHERE id = ?1", -1,
                                SQLITE_PREPARE_NO_VTAB, &stmt, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_int64(stmt, 1, id);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW) {
        rc = dict_store_read_row(who, stmt, id, level, out, err);
    } else if (rc == SQLITE_DONE) {
        rc = dict_store_missing(who, id, err);
    } else if (rc != SQLITE_NOMEM) {
        rc = vs_error_db(err, rc, db, who);
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int dict_store_create(const char *who, sqlite3 *db, vs_err *err)
{
    int rc = sqlite3_exec(db, dict_store_schema, NULL, NULL, NULL);
    return rc == SQLITE_OK || rc == SQLITE_NOMEM ? rc : vs_error_db(err, rc, db, who);
}

static uint32_t dict_store_random_id(void)
{
    uint32_t random = 0;
    sqlite3_randomness((int)sizeof random, &random);
    return VS_DICT_ID_MIN + random % (VS_DICT_ID_MAX - VS_DICT_ID_MIN + 1);
}

/* Inserts the dictionary under ids drawn until one is free. `bytes` is changed: its id. */
static int dict_store_insert(sqlite3 *db, sqlite3_stmt *stmt, void *bytes, size_t n,
                             uint32_t *out_id)
{
    int rc = SQLITE_CONSTRAINT;
    for (int i = 0; rc == SQLITE_CONSTRAINT && i < DICT_STORE_TRIES; i++) {
        *out_id = dict_store_random_id();
        vs_dict_set_id(bytes, n, *out_id);
        rc = sqlite3_bind_int64(stmt, 1, *out_id);
        if (rc == SQLITE_OK) {
            rc = sqlite3_bind_int64(stmt, 3, vs_crc32c(bytes, n));
        }
        if (rc == SQLITE_OK) {
            (void)sqlite3_step(stmt);
            rc = sqlite3_reset(stmt);
        }
        if (rc == SQLITE_CONSTRAINT &&
            sqlite3_extended_errcode(db) != SQLITE_CONSTRAINT_PRIMARYKEY &&
            sqlite3_extended_errcode(db) != SQLITE_CONSTRAINT_ROWID) {
            break; /* a constraint that the user added */
        }
    }
    return rc;
}

/* Both forms can be made of the bytes: else they would be of no use later. */
static int dict_store_check(const char *who, const void *bytes, size_t n, vs_err *err)
{
    static const int levels[] = {VS_DICT_DECODE, VS_DICT_LEVEL};
    uint32_t id = vs_dict_id(bytes, n);
    uint32_t crc = vs_crc32c(bytes, n);
    int rc = SQLITE_OK;
    if (id == 0) {
        return vs_error(err, SQLITE_MISMATCH,
                        "%s: takes a dictionary as vec_train_dict makes them, not other bytes",
                        who);
    }
    for (int i = 0; rc == SQLITE_OK && i < 2; i++) {
        vs_dict *dict = NULL;
        rc = vs_dict_get(who, bytes, n, id, crc, levels[i], &dict, err);
        vs_cached_unref(dict);
    }
    return rc;
}

int vs_dict_store_add(const char *who, sqlite3 *db, const void *bytes, size_t n, const char *note,
                      uint32_t *out_id, vs_err *err)
{
    sqlite3_stmt *stmt = NULL;
    void *copy = NULL;
    sqlite3_int64 last = sqlite3_last_insert_rowid(db);
    int rc = dict_store_check(who, bytes, n, err);
    if (rc == SQLITE_OK) {
        rc = dict_store_create(who, db, err);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    copy = sqlite3_malloc64(n);
    if (copy == NULL) {
        return SQLITE_NOMEM;
    }
    memcpy(copy, bytes, n);
    rc = sqlite3_prepare_v3(db,
                            "INSERT INTO main.vecshard_dict(id, kind, bytes, crc, created, note) "
                            "VALUES (?1, 'text', ?2, ?3, datetime('now'), ?4)",
                            -1, SQLITE_PREPARE_NO_VTAB, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_blob64(stmt, 2, copy, n, SQLITE_STATIC);
    }
    if (rc == SQLITE_OK && note != NULL) {
        rc = sqlite3_bind_text(stmt, 4, note, -1, SQLITE_TRANSIENT);
    }
    if (rc == SQLITE_OK) {
        rc = dict_store_insert(db, stmt, copy, n, out_id);
    }
    if (rc != SQLITE_OK && rc != SQLITE_NOMEM) {
        rc = vs_error_db(err, rc, db, who);
    }
    sqlite3_finalize(stmt);
    sqlite3_free(copy);
    sqlite3_set_last_insert_rowid(db, last);
    return rc;
}
