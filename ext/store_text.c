/*
 * store_text.c - packed texts in t_rows, and their dictionaries in t_info.
 *
 * A stored value of a text column is the user's, unless it is a BLOB that begins with one of two
 * bytes: 0xD1, a packed text with its dictionary's id (packed_text.h); 0xD0, a mark before a BLOB of
 * the user's that begins with either of them.
 *
 * Under "text/<column>" t_info has the id of the dictionary for new texts, u32, and under
 * "text/<column>/<id>", 8 hexadecimal digits, each that a text may need:
 *
 *     0  "VST1"      4  checksum of all behind it u32     8  id u32      12  column u32
 *    16  packed bytes for 65,536 bytes of text, when it was trained u32
 *    20  bytes of the dictionary u32                     24  the dictionary, as zstd's trainer makes it
 *
 * Ids are random, so what was read once is never another dictionary, also not after a rollback or
 * for another connection. The checksum in each packed text would tell.
 *
 * Calls: store.c, declare.c, packed_text.c, dict.c, crc32c.c.
 * Called by: vtab_index.c, conditions.c, store_write.c, store_pack.c, check.c, maint.c.
 * Threads: the connection's.
 */
#include "store_text.h"

#include "bytes.h"
#include "crc32c.h"

#define TEXT_HEADER_BYTES 24
#define TEXT_KEY_BYTES 40
#define TEXT_WHO_BYTES 400 /* where a row and column are: longer names of tables are cut off */
#define TEXT_ID_TRIES 16   /* ids that are taken, before something else must be wrong */

static const uint8_t text_magic[4] = {'V', 'S', 'T', '1'};
static const char text_pointer[] = "vecshard store";

int vs_store_is_text(const vs_store *store, int column)
{
    const vs_column_spec *spec = &store->declaration.columns[column];
    return spec->kind == VS_COLUMN_AUXILIARY && vs_declare_affinity(spec) == VS_AFFINITY_TEXT;
}

static int text_is_mark(const uint8_t *bytes, size_t n)
{
    return n > 0 && (bytes[0] == VS_PACKED_ZSTD || bytes[0] == VS_PACKED_STORED);
}

/* ---- dictionaries ---------------------------------------------------------------------------- */

static void text_key(char *key, int column, uint32_t id)
{
    sqlite3_snprintf(TEXT_KEY_BYTES, key, "text/%d/%08x", column, id);
}

void vs_store_free_dicts(vs_store *store)
{
    for (int i = 0; i < VS_STORE_DICTS; i++) {
        vs_cached_unref(store->dicts[i].dict);
        store->dicts[i].dict = NULL;
    }
}

static int text_check_dict(const char *who, int column, uint32_t id, const uint8_t *data, size_t n,
                           vs_err *err)
{
    const char *what = NULL;
    if (data == NULL) {
        return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: the table has no dictionary %u", who, id);
    }
    if (n < TEXT_HEADER_BYTES || memcmp(data, text_magic, sizeof text_magic) != 0) {
        what = "it is none";
    } else if (vs_get32(data + 4) != vsk_get()->checksum(data + 8, n - 8)) {
        what = "its checksum is wrong";
    } else if (vs_get32(data + 8) != id || vs_get32(data + 12) != (uint32_t)column ||
               vs_get32(data + 20) != n - TEXT_HEADER_BYTES) {
        what = "it has another id, column or size";
    } else if (vs_get32(data + 16) == 0 || vs_get32(data + 16) > VS_RATIO_ONE) {
        what = "its ratio is out of range";
    }
    return what == NULL ? SQLITE_OK
                        : vs_error(err, SQLITE_CORRUPT_VTAB, "%s: dictionary %u is damaged: %s",
                                   who, id, what);
}

/* Reads a dictionary of the table and digests it. */
static int text_read_dict(vs_store *store, const char *who, int column, uint32_t id, int level,
                          vs_store_dict *out, vs_err *err)
{
    char key[TEXT_KEY_BYTES];
    void *data = NULL;
    size_t n = 0;
    memset(out, 0, sizeof *out);
    text_key(key, column, id);
    int rc = vs_store_info(store, key, &data, &n, err);
    const uint8_t *bytes = data;
    rc = rc == SQLITE_OK ? text_check_dict(who, column, id, bytes, n, err) : rc;
    if (rc == SQLITE_OK) {
        out->ratio = vs_get32(bytes + 16);
        bytes += TEXT_HEADER_BYTES;
        n -= TEXT_HEADER_BYTES;
        rc = vs_dict_get(who, bytes, n, id, vs_crc32c(bytes, n), level, &out->dict, err);
    }
    sqlite3_free(data);
    return rc;
}

/* The decoder of a dictionary, with a reference that is the caller's. */
static int text_decoder(vs_store *store, const char *who, int column, uint32_t id, vs_dict **out,
                        vs_err *err)
{
    vs_store_dict found;
    *out = NULL;
    for (int i = 0; i < VS_STORE_DICTS; i++) {
        vs_dict *dict = store->dicts[i].dict;
        if (dict != NULL && dict->id == id && store->dicts[i].column == column) {
            *out = vs_cached_ref(dict);
            return SQLITE_OK;
        }
    }
    int rc = text_read_dict(store, who, column, id, VS_DICT_DECODE, &found, err);
    if (rc == SQLITE_OK) {
        int at = store->next_dict;
        vs_cached_unref(store->dicts[at].dict);
        store->dicts[at].dict = vs_cached_ref(found.dict);
        store->dicts[at].column = column;
        store->next_dict = (at + 1) % VS_STORE_DICTS;
        *out = found.dict;
    }
    return rc;
}

int vs_store_dict_current(vs_store *store, int column, vs_store_dict *out, vs_err *err)
{
    char key[TEXT_KEY_BYTES];
    void *data = NULL;
    size_t n = 0;
    memset(out, 0, sizeof *out);
    sqlite3_snprintf((int)sizeof key, key, "text/%d", column);
    int rc = vs_store_info(store, key, &data, &n, err);
    if (rc == SQLITE_OK && data != NULL) {
        rc = n != 4 ? vs_error(err, SQLITE_CORRUPT_VTAB, "%s: \"%s_info\" has no usable '%s'",
                               store->label, store->table, key)
                    : text_read_dict(store, store->label, column, vs_get32(data), VS_DICT_LEVEL,
                                     out, err);
    }
    sqlite3_free(data);
    return rc;
}

int vs_store_dict_name(vs_store *store, int column, void *bytes, size_t n, vs_dict **out,
                       vs_err *err)
{
    char key[TEXT_KEY_BYTES];
    void *taken = NULL;
    int rc = SQLITE_OK;
    *out = NULL;
    for (int i = 0; i < TEXT_ID_TRIES && rc == SQLITE_OK; i++) {
        size_t taken_n = 0;
        uint32_t id = 0;
        sqlite3_randomness((int)sizeof id, &id);
        id = VS_DICT_ID_MIN + id % (VS_DICT_ID_MAX - VS_DICT_ID_MIN + 1);
        text_key(key, column, id);
        rc = vs_store_info(store, key, &taken, &taken_n, err);
        if (rc == SQLITE_OK && taken == NULL) {
            vs_dict_set_id(bytes, n, id);
            return vs_dict_get(store->label, bytes, n, id, vs_crc32c(bytes, n), VS_DICT_LEVEL, out,
                               err);
        }
        sqlite3_free(taken);
    }
    return rc != SQLITE_OK ? rc
                           : vs_error(err, SQLITE_CORRUPT_VTAB,
                                      "%s: \"%s_info\" has no free id for a dictionary",
                                      store->label, store->table);
}

int vs_store_dict_add(vs_store *store, int column, const vs_store_dict *dict, vs_err *err)
{
    char key[TEXT_KEY_BYTES];
    uint8_t id[4];
    size_t n = TEXT_HEADER_BYTES + dict->dict->n;
    uint8_t *data = sqlite3_malloc64(n);
    if (data == NULL) {
        return SQLITE_NOMEM;
    }
    memcpy(data, text_magic, sizeof text_magic);
    vs_put32(data + 8, dict->dict->id);
    vs_put32(data + 12, (uint32_t)column);
    vs_put32(data + 16, dict->ratio);
    vs_put32(data + 20, (uint32_t)dict->dict->n);
    memcpy(data + TEXT_HEADER_BYTES, dict->dict->bytes, dict->dict->n);
    vs_put32(data + 4, vsk_get()->checksum(data + 8, n - 8));
    text_key(key, column, dict->dict->id);
    int rc = vs_store_info_set(store, key, data, n, err);
    sqlite3_free(data);
    if (rc == SQLITE_OK) {
        sqlite3_snprintf((int)sizeof key, key, "text/%d", column);
        vs_put32(id, dict->dict->id);
        rc = vs_store_info_set(store, key, id, sizeof id, err);
    }
    return rc;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Decodes a packed text that was read. */
static int text_decode(vs_store *store, const char *who, const vs_packed *packed,
                       const vs_dict *dict, char **out, vs_err *err)
{
    vs_packer *packer = &store->conn->packer;
    int rc = vs_packed_check(packer, who, packed, err);
    char *text = rc == SQLITE_OK ? sqlite3_malloc64(packed->text_bytes + 1) : NULL;
    if (rc == SQLITE_OK) {
        rc = text == NULL ? SQLITE_NOMEM : vs_packed_decode(packer, who, packed, dict, text, err);
    }
    if (rc != SQLITE_OK) {
        sqlite3_free(text);
        text = NULL;
    }
    *out = text;
    return rc;
}

/* The text of a packed row; `who` begins sentences. */
static int text_unpack(vs_store *store, const char *who, int column, const void *row, size_t n,
                       char **out, size_t *out_n, vs_err *err)
{
    size_t limit = vs_packed_limit(store->db);
    vs_packed packed;
    vs_dict *dict = NULL;
    int rc = vs_packed_read(who, row, n, VS_PACKED_TEXT_MAX, &packed, err);
    if (rc == SQLITE_OK && packed.text_bytes > limit) { /* by its own word, which is to be had */
        return vs_error(err, SQLITE_TOOBIG,
                        "%s: the text has %llu bytes, more than the limit of %llu", who,
                        (unsigned long long)packed.text_bytes, (unsigned long long)limit);
    }
    if (rc == SQLITE_OK) { /* first: what reads the table may use the packer */
        rc = text_decoder(store, who, column, packed.dict_id, &dict, err);
    }
    if (rc == SQLITE_OK) {
        rc = text_decode(store, who, &packed, dict, out, err);
    }
    vs_cached_unref(dict);
    *out_n = packed.text_bytes;
    return rc == SQLITE_ERROR || rc == SQLITE_TOOBIG ? SQLITE_CORRUPT_VTAB : rc;
}

/* The user's value of a stored one of a text column. */
typedef struct text_value {
    int is_stored;     /* it is the stored one, or ... */
    char *text;        /* owned: ... a text that was packed, or ... */
    const void *bytes; /* borrowed: ... what follows a mark */
    size_t n;          /* of either */
} text_value;

static int text_open(vs_store *store, const char *who, int column, sqlite3_value *stored,
                     text_value *out, vs_err *err)
{
    memset(out, 0, sizeof *out);
    out->is_stored = 1;
    if (sqlite3_value_type(stored) != SQLITE_BLOB) {
        return SQLITE_OK;
    }
    const uint8_t *bytes = sqlite3_value_blob(stored);
    size_t n = (size_t)sqlite3_value_bytes(stored);
    if (bytes == NULL && n > 0) {
        return SQLITE_NOMEM;
    }
    out->is_stored = !text_is_mark(bytes, n);
    if (out->is_stored) {
        return SQLITE_OK;
    }
    if (bytes[0] == VS_PACKED_ZSTD) {
        return text_unpack(store, who, column, bytes, n, &out->text, &out->n, err);
    }
    out->bytes = bytes + 1;
    out->n = n - 1;
    return text_is_mark(bytes + 1, n - 1)
               ? SQLITE_OK
               : vs_error(err, SQLITE_CORRUPT_VTAB,
                          "%s: the BLOB has a mark before it that it does not need", who);
}

/* Where a value is: "t: row 7, column title". */
static void text_place(const vs_store *store, const char *table, int column, int64_t rowid,
                       char *out)
{
    sqlite3_snprintf(TEXT_WHO_BYTES, out, "%.200s%srow %lld, column %s", table,
                     table[0] == '\0' ? "" : ": ", (long long)rowid,
                     store->declaration.columns[column].name);
}

static int text_result(vs_store *store, const char *table, int column, int64_t rowid,
                       sqlite3_value *stored, sqlite3_context *ctx, vs_err *err)
{
    char who[TEXT_WHO_BYTES];
    text_value value;
    if (sqlite3_value_type(stored) != SQLITE_BLOB || !vs_store_is_text(store, column)) {
        sqlite3_result_value(ctx, stored);
        return SQLITE_OK;
    }
    text_place(store, table, column, rowid, who);
    int rc = text_open(store, who, column, stored, &value, err);
    if (rc == SQLITE_OK && value.is_stored) {
        sqlite3_result_value(ctx, stored);
    } else if (rc == SQLITE_OK && value.text != NULL) {
        sqlite3_result_text64(ctx, value.text, value.n, sqlite3_free, SQLITE_UTF8);
    } else if (rc == SQLITE_OK) {
        sqlite3_result_blob64(ctx, value.bytes, value.n, SQLITE_TRANSIENT);
    }
    return rc;
}

int vs_store_text_result(vs_store *store, int column, int64_t rowid, sqlite3_value *stored,
                         sqlite3_context *ctx, vs_err *err)
{
    return text_result(store, store->label, column, rowid, stored, ctx, err);
}

int vs_store_text_read(vs_store *store, int column, int64_t rowid, sqlite3_value *stored,
                       char **out, size_t *out_n, vs_err *err)
{
    char who[TEXT_WHO_BYTES];
    text_value value;
    text_place(store, store->label, column, rowid, who);
    int rc = text_open(store, who, column, stored, &value, err);
    *out = value.text;
    *out_n = value.n;
    return rc;
}

/* ---- writing --------------------------------------------------------------------------------- */

int vs_store_text_bind(const vs_store *store, int column, sqlite3_stmt *stmt, int n,
                       sqlite3_value *value)
{
    if (value == NULL) {
        return SQLITE_OK; /* what is not bound is NULL */
    }
    if (sqlite3_value_type(value) != SQLITE_BLOB || !vs_store_is_text(store, column)) {
        return sqlite3_bind_value(stmt, n, value);
    }
    const uint8_t *bytes = sqlite3_value_blob(value);
    size_t size = (size_t)sqlite3_value_bytes(value);
    if (bytes == NULL && size > 0) {
        return SQLITE_NOMEM;
    }
    if (!text_is_mark(bytes, size)) {
        return sqlite3_bind_value(stmt, n, value);
    }
    uint8_t *marked = sqlite3_malloc64(size + 1);
    if (marked == NULL) {
        return SQLITE_NOMEM;
    }
    marked[0] = VS_PACKED_STORED;
    memcpy(marked + 1, bytes, size);
    return sqlite3_bind_blob64(stmt, n, marked, size + 1, sqlite3_free);
}

/* ---- the function ---------------------------------------------------------------------------- */

static void text_function(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    vs_store *store = sqlite3_value_pointer(argv[1], text_pointer);
    int column = sqlite3_value_int(argv[2]);
    vs_err err = VS_ERR_INIT;
    (void)argc;
    if (store == NULL || column < 0 || column >= store->declaration.column_count) {
        return;
    }
    int rc = text_result(store, "", column, sqlite3_value_int64(argv[3]), argv[0], ctx, &err);
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
    }
}

int vs_store_text_register(vs_conn *conn)
{
    return sqlite3_create_function_v2(conn->db, "vecshard_text", 4, SQLITE_UTF8 | SQLITE_INNOCUOUS,
                                      NULL, text_function, NULL, NULL, NULL);
}

int vs_store_text_bind_store(sqlite3_stmt *stmt, int n, const vs_store *store)
{
    return sqlite3_bind_pointer(stmt, n, (void *)(uintptr_t)store, text_pointer, NULL);
}
