/*
 * func_text.c - SQL functions for compressed text and its dictionaries: vec_train_dict,
 * vec_dict_add, vec_pack_text, vec_unpack_text.
 *
 *     SELECT vec_dict_add(vec_train_dict(meta), 'docs.meta') FROM docs;   -- 1183042771
 *     UPDATE docs SET meta = vec_pack_text(meta, 1183042771);
 *     SELECT vec_unpack_text(meta) FROM docs;
 *
 * A running statement reads a dictionary from its table once. What it found lies in its auxiliary
 * data under a negative number, which SQLite keeps for all functions of the statement until it ends
 * (its JSON functions keep parsed texts so); where that is not kept, each row reads anew, which
 * costs time only. Changes that this connection completes meanwhile are seen: the number of changes
 * and the end of a transaction are compared for each row.
 *
 * vec_pack_text and vec_unpack_text read a table that their arguments do not name, so they are not
 * INNOCUOUS: a schema that is not trusted cannot use them. Unpacking is deterministic, so that
 * expressions over it can be indexed: the checksum in the row allows one text and no other. Packed
 * bytes may change with zstd's version.
 *
 * Calls: dict_store.c, dict_train.c, packed_text.c, func.c for registration.
 * Called by: vecshard.c.
 * Threads: the thread inside a call of the connection.
 */
#include "func_text.h"

#include "dict_store.h"
#include "dict_train.h"
#include "func.h"
#include "packed_text.h"

#define TEXT_SMALL_BYTES 4096 /* a smaller result is copied into memory that SQLite uses again */

static const char *func_text_type_name(sqlite3_value *value)
{
    static const char *const names[] = {"", "INTEGER", "REAL", "TEXT", "BLOB", "NULL"};
    return names[sqlite3_value_type(value)];
}

/* A whole number within bounds. */
static int func_text_number(const char *who, const char *what, sqlite3_value *value,
                            sqlite3_int64 least, sqlite3_int64 most, sqlite3_int64 *out,
                            vs_err *err)
{
    *out = sqlite3_value_int64(value);
    if (sqlite3_value_type(value) != SQLITE_INTEGER || *out < least || *out > most) {
        return vs_error(err, SQLITE_ERROR, "%s: %s must be a whole number from %lld to %lld", who,
                        what, (long long)least, (long long)most);
    }
    return SQLITE_OK;
}

/* ---- vec_train_dict -------------------------------------------------------------------------- */

/* State of one group; SQLite zeroes it and always calls func_text_train_final. */
typedef struct text_training {
    vs_sampler sampler;
    int is_begun, has_failed;
    sqlite3_int64 dict_bytes; /* 0: chosen */
} text_training;

#define TEXT_SEED 1

/* Reads the arguments after the first, each of which may be NULL. */
static int func_text_train_begin(const char *who, text_training *training, int argc,
                                 sqlite3_value **argv, vs_err *err)
{
    sqlite3_int64 sample_bytes = VS_SAMPLE_BYTES_MAX, seed = TEXT_SEED;
    int rc = SQLITE_OK;
    if (argc > 1 && sqlite3_value_type(argv[1]) != SQLITE_NULL) {
        rc = func_text_number(who, "dict_bytes", argv[1], VS_DICT_BYTES_MIN, VS_DICT_BYTES_MAX,
                              &training->dict_bytes, err);
    }
    if (rc == SQLITE_OK && argc > 2 && sqlite3_value_type(argv[2]) != SQLITE_NULL) {
        rc = func_text_number(who, "sample_bytes", argv[2], VS_SAMPLE_BYTES_MIN,
                              VS_SAMPLE_BYTES_MAX, &sample_bytes, err);
    }
    if (rc == SQLITE_OK && argc > 3 && sqlite3_value_type(argv[3]) != SQLITE_NULL) {
        rc = func_text_number(who, "seed", argv[3], INT64_MIN, INT64_MAX, &seed, err);
    }
    vs_sampler_init(&training->sampler, (size_t)sample_bytes, (uint64_t)seed);
    training->is_begun = rc == SQLITE_OK;
    return rc;
}

static int func_text_train_add(const char *who, text_training *training, sqlite3_value *value,
                               vs_err *err)
{
    int type = sqlite3_value_type(value);
    if (type != SQLITE_TEXT && type != SQLITE_BLOB) {
        return vs_error(err, SQLITE_MISMATCH, "%s: takes TEXT or BLOBs, not %s", who,
                        func_text_type_name(value));
    }
    const void *bytes =
        type == SQLITE_TEXT ? (const void *)sqlite3_value_text(value) : sqlite3_value_blob(value);
    size_t n = (size_t)sqlite3_value_bytes(value);
    return bytes == NULL && (n > 0 || type == SQLITE_TEXT)
               ? SQLITE_NOMEM
               : vs_sampler_add(&training->sampler, bytes, n);
}

static void func_text_train_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const vs_func *func = sqlite3_user_data(ctx);
    const char *who = func->entry->name;
    vs_err err = VS_ERR_INIT;
    int rc = SQLITE_OK;
    if (argc < 1 || argc > 4) {
        sqlite3_result_error(ctx, "vec_train_dict: takes 1 to 4 arguments", -1);
        return;
    }
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) {
        return;
    }
    text_training *training = sqlite3_aggregate_context(ctx, sizeof *training);
    if (training == NULL) {
        rc = SQLITE_NOMEM;
    } else if (!training->is_begun) {
        rc = func_text_train_begin(who, training, argc, argv, &err);
    }
    if (rc == SQLITE_OK) {
        rc = func_text_train_add(who, training, argv[0], &err);
    }
    if (rc != SQLITE_OK) {
        if (training != NULL) {
            training->has_failed = 1;
        }
        vs_error_result(ctx, rc, &err);
    }
}

static void func_text_train_final(sqlite3_context *ctx)
{
    const vs_func *func = sqlite3_user_data(ctx);
    vs_err err = VS_ERR_INIT;
    void *dict = NULL;
    size_t n = 0;
    text_training none, *training = sqlite3_aggregate_context(ctx, 0);
    if (training == NULL) { /* no row, or NULLs only */
        memset(&none, 0, sizeof none);
        training = &none;
    }
    if (!training->has_failed) {
        int rc = vs_dict_train(func->entry->name, &training->sampler, (size_t)training->dict_bytes,
                               &dict, &n, &err);
        if (rc != SQLITE_OK) {
            vs_error_result(ctx, rc, &err);
        } else {
            sqlite3_result_blob64(ctx, dict, n, sqlite3_free);
        }
    }
    vs_sampler_free(&training->sampler);
}

/* ---- vec_dict_add ---------------------------------------------------------------------------- */

/* vec_dict_add(dictionary [, note]) */
static void func_text_dict_add(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const vs_func *func = sqlite3_user_data(ctx);
    const char *who = func->entry->name;
    vs_err err = VS_ERR_INIT;
    uint32_t id = 0;
    int rc = SQLITE_OK;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) {
        return;
    }
    const char *note = argc > 1 ? (const char *)sqlite3_value_text(argv[1]) : NULL;
    if (argc > 1 && note == NULL && sqlite3_value_type(argv[1]) != SQLITE_NULL) {
        rc = SQLITE_NOMEM;
    } else if (sqlite3_value_type(argv[0]) != SQLITE_BLOB) {
        rc = vs_error(&err, SQLITE_MISMATCH, "%s: takes a dictionary as a BLOB, not %s", who,
                      func_text_type_name(argv[0]));
    } else {
        rc = vs_dict_store_add(who, func->conn->db, sqlite3_value_blob(argv[0]),
                               (size_t)sqlite3_value_bytes(argv[0]), note, &id, &err);
    }
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
        return;
    }
    sqlite3_result_int64(ctx, id);
}

/* ---- dictionaries of a statement ------------------------------------------------------------- */

#define TEXT_DICTS 16
#define TEXT_AUX_DICTS (-20786) /* negative: for all functions of the statement; see above */

/* Dictionaries that the running statement has read. */
typedef struct text_dicts {
    sqlite3_int64 changes;      /* of the connection, when they were read */
    int is_autocommit;          /* then */
    int next;                   /* the place to be used again */
    vs_dict *dicts[TEXT_DICTS]; /* a reference each */
} text_dicts;

static void func_text_dicts_clear(text_dicts *dicts)
{
    for (int i = 0; i < TEXT_DICTS; i++) {
        vs_cached_unref(dicts->dicts[i]);
        dicts->dicts[i] = NULL;
    }
}

static void func_text_dicts_free(void *memory)
{
    func_text_dicts_clear(memory);
    sqlite3_free(memory);
}

/* What the statement has read and may still use; NULL where nothing is kept. */
static text_dicts *func_text_dicts_get(sqlite3_context *ctx, sqlite3 *db)
{
    text_dicts *dicts = sqlite3_get_auxdata(ctx, TEXT_AUX_DICTS);
    if (dicts == NULL) {
        text_dicts *fresh = sqlite3_malloc64(sizeof *fresh);
        if (fresh == NULL) {
            return NULL;
        }
        memset(fresh, 0, sizeof *fresh);
        sqlite3_set_auxdata(ctx, TEXT_AUX_DICTS, fresh, func_text_dicts_free);
        dicts = sqlite3_get_auxdata(ctx, TEXT_AUX_DICTS); /* it may have been freed at once */
    }
    if (dicts != NULL && (dicts->changes != sqlite3_total_changes64(db) ||
                          dicts->is_autocommit != sqlite3_get_autocommit(db))) {
        func_text_dicts_clear(dicts);
        dicts->changes = sqlite3_total_changes64(db);
        dicts->is_autocommit = sqlite3_get_autocommit(db);
    }
    return dicts;
}

/* Reading the table must not come back here: a column of it could be computed by these functions. */
int vs_func_text_dict(sqlite3_context *ctx, uint32_t id, int level, vs_dict **out, vs_err *err)
{
    const vs_func *func = sqlite3_user_data(ctx);
    vs_conn *conn = func->conn;
    *out = NULL;
    if (id == 0) {
        return SQLITE_OK;
    }
    text_dicts *dicts = func_text_dicts_get(ctx, conn->db);
    for (int i = 0; dicts != NULL && i < TEXT_DICTS; i++) {
        vs_dict *dict = dicts->dicts[i];
        if (dict != NULL && dict->id == id && dict->level == level) {
            *out = vs_cached_ref(dict);
            return SQLITE_OK;
        }
    }
    if (conn->is_reading_dict) {
        return vs_error(err, SQLITE_ERROR, "%s: the table vecshard_dict reads itself",
                        func->entry->name);
    }
    conn->is_reading_dict = 1;
    int rc = vs_dict_store_load(func->entry->name, conn->db, id, level, out, err);
    conn->is_reading_dict = 0;
    if (rc == SQLITE_OK && dicts != NULL) {
        vs_cached_unref(dicts->dicts[dicts->next]);
        dicts->dicts[dicts->next] = vs_cached_ref(*out);
        dicts->next = (dicts->next + 1) % TEXT_DICTS;
    }
    return rc;
}

/* ---- vec_pack_text, vec_unpack_text ---------------------------------------------------------- */

static int func_text_pack_checked(sqlite3_context *ctx, sqlite3_value *value, uint32_t id,
                                  vs_err *err)
{
    const vs_func *func = sqlite3_user_data(ctx);
    const char *who = func->entry->name;
    const char *text = (const char *)sqlite3_value_text(value);
    size_t n = (size_t)sqlite3_value_bytes(value), limit = vs_packed_limit(func->conn->db);
    vs_dict *dict = NULL;
    const void *row = NULL;
    size_t row_n = 0;
    if (text == NULL) {
        return SQLITE_NOMEM;
    }
    if (n > limit) {
        return vs_error(err, SQLITE_TOOBIG,
                        "%s: the text has %llu bytes, more than the limit of %llu", who,
                        (unsigned long long)n, (unsigned long long)limit);
    }
    int rc = vs_func_text_dict(ctx, id, VS_DICT_LEVEL, &dict, err);
    if (rc == SQLITE_OK) {
        rc = vs_packed_make(&func->conn->packer, who, text, n, dict, &row, &row_n, err);
    }
    if (rc == SQLITE_OK) {
        sqlite3_result_blob64(ctx, row, row_n, SQLITE_TRANSIENT);
    }
    vs_cached_unref(dict);
    return rc;
}

/* vec_pack_text(text [, dict_id]) */
static void func_text_pack(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const vs_func *func = sqlite3_user_data(ctx);
    const char *who = func->entry->name;
    vs_err err = VS_ERR_INIT;
    sqlite3_int64 id = 0;
    int rc = SQLITE_OK;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) {
        return;
    }
    if (sqlite3_value_type(argv[0]) != SQLITE_TEXT) {
        rc = vs_error(&err, SQLITE_MISMATCH, "%s: takes TEXT, not %s", who,
                      func_text_type_name(argv[0]));
    } else if (argc > 1) {
        /* A NULL here comes of a query that found no dictionary: it must not turn texts into NULL */
        rc = func_text_number(who, "the dictionary's id", argv[1], 0, VS_DICT_ID_MAX, &id, &err);
    }
    if (rc == SQLITE_OK) {
        rc = func_text_pack_checked(ctx, argv[0], (uint32_t)id, &err);
    }
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
    }
}

/* Decodes a row that was read into memory of exactly its size, and makes it the result. */
static int func_text_unpack_into(sqlite3_context *ctx, const vs_packed *packed, const vs_dict *dict,
                                 vs_err *err)
{
    const vs_func *func = sqlite3_user_data(ctx);
    vs_packer *packer = &func->conn->packer;
    size_t n = packed->text_bytes;
    int is_small = n <= TEXT_SMALL_BYTES;
    char *text = is_small ? vs_scratch_get(&packer->text, TEXT_SMALL_BYTES) : sqlite3_malloc64(n);
    if (text == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = vs_packed_decode(packer, func->entry->name, packed, dict, text, err);
    if (rc == SQLITE_OK) {
        sqlite3_result_text64(ctx, text, n, is_small ? SQLITE_TRANSIENT : sqlite3_free,
                              SQLITE_UTF8);
    } else if (!is_small) {
        sqlite3_free(text);
    }
    return rc;
}

/* vec_unpack_text(row) */
static void func_text_unpack(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const vs_func *func = sqlite3_user_data(ctx);
    const char *who = func->entry->name;
    vs_conn *conn = func->conn;
    vs_err err = VS_ERR_INIT;
    vs_dict *dict = NULL;
    vs_packed packed;
    int rc = SQLITE_OK;
    (void)argc;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) {
        return;
    }
    if (sqlite3_value_type(argv[0]) != SQLITE_BLOB) {
        rc = vs_error(&err, SQLITE_MISMATCH, "%s: takes a BLOB, not %s", who,
                      func_text_type_name(argv[0]));
    } else {
        const void *row = sqlite3_value_blob(argv[0]);
        rc = vs_packed_read(who, row, (size_t)sqlite3_value_bytes(argv[0]),
                            vs_packed_limit(conn->db), &packed, &err);
    }
    if (rc == SQLITE_OK) { /* first: reading the table may run functions that use the packer */
        rc = vs_func_text_dict(ctx, packed.dict_id, VS_DICT_DECODE, &dict, &err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_packed_check(&conn->packer, who, &packed, &err);
    }
    if (rc == SQLITE_OK) {
        rc = func_text_unpack_into(ctx, &packed, dict, &err);
    }
    vs_cached_unref(dict);
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
    }
}

/* ---- The table ------------------------------------------------------------------------------- */

static const vs_func_entry text_entries[] = {
    {"vec_train_dict", -1, 0, 0, NULL, func_text_train_step, func_text_train_final},
    {"vec_dict_add", 1, SQLITE_DIRECTONLY, 0, func_text_dict_add, NULL, NULL},
    {"vec_dict_add", 2, SQLITE_DIRECTONLY, 0, func_text_dict_add, NULL, NULL},
    {"vec_pack_text", 1, 0, 0, func_text_pack, NULL, NULL},
    {"vec_pack_text", 2, 0, 0, func_text_pack, NULL, NULL},
    {"vec_unpack_text", 1, SQLITE_DETERMINISTIC, 0, func_text_unpack, NULL, NULL},
};

int vs_func_text_register(vs_conn *conn)
{
    return vs_func_register_table(conn, text_entries, sizeof text_entries / sizeof text_entries[0]);
}
