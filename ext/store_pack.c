/*
 * store_pack.c - makes the texts of a table cold and warm: trains dictionaries, packs, and unpacks.
 *
 * A sample of the texts that are plain is packed with the current dictionary of the column. Where
 * that leaves a tenth more of them than it left when it was trained, another one is trained, and
 * taken where it leaves at least 3 % less, its own bytes counted. Then each text is packed that gets
 * smaller by it. What a row means does not change, so no stamp does.
 *
 * Packed texts are UTF-8. In a database of UTF-16 they stay plain: text that is no valid UTF-16 would
 * come back as another one.
 *
 * Calls: store.c, store_text.c, packed_text.c, dict_train.c.
 * Called by: maint.c, sample.c.
 * Threads: the connection's.
 */
#include "dict_train.h"
#include "store_text.h"

#define PACK_TRAIN_SEED 1
#define PACK_CHECK_SEED 2
#define PACK_CHECK_BYTES (1 << 20) /* of texts that a dictionary is measured with */
#define PACK_GAIN 0.97             /* of the bytes may be left, for a dictionary to pay */
#define PACK_WORSE 1.1             /* times the ratio that it had: the dictionary is out of date */

typedef struct pack_work {
    vs_store *store;
    char *where; /* owned: " AND ..." for the rows of one partition, or "" */
    int is_cold;
    int is_written;
    int job;
    int64_t done;
    vs_err *err;
} pack_work;

/* ---- statements ------------------------------------------------------------------------------ */

/* Prepares `sql`, which is freed; NULL: no memory. */
static int pack_prepare(pack_work *work, char *sql, sqlite3_stmt **out)
{
    vs_store *store = work->store;
    *out = NULL;
    if (sql == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_NO_VTAB, out, NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK ? rc : vs_error_db(work->err, rc, store->db, store->label);
}

/* The rows of a partition, by the cells that they are in. */
static char *pack_where(const vs_store *store, int64_t part)
{
    return part == 0
               ? sqlite3_mprintf("")
               : sqlite3_mprintf(" AND (SELECT k.part FROM \"%w\".\"%w_cells\" AS k WHERE k.id = "
                                 "loc / %u) = %lld",
                                 store->schema, store->table, (unsigned)store->geometry.slots,
                                 (long long)part);
}

/* Asked without PRAGMA encoding: some hosts let no PRAGMA through. */
static int pack_is_utf8(pack_work *work, int *out)
{
    sqlite3_stmt *stmt;
    int rc = pack_prepare(work, sqlite3_mprintf("SELECT CAST('8' AS BLOB)"), &stmt);
    *out = 0;
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        *out = sqlite3_column_bytes(stmt, 0) == 1;
        rc = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* ---- choosing a dictionary ------------------------------------------------------------------- */

/* The plain texts of a column: to train with, and to measure with. */
typedef struct pack_sample {
    vs_sampler train, check;
} pack_sample;

static int pack_add(pack_sample *sample, sqlite3_stmt *stmt)
{
    const void *text = sqlite3_column_text(stmt, 0);
    size_t n = (size_t)sqlite3_column_bytes(stmt, 0);
    int rc = text == NULL ? SQLITE_NOMEM : vs_sampler_add(&sample->train, text, n);
    return rc == SQLITE_OK ? vs_sampler_add(&sample->check, text, n) : rc;
}

static int pack_read_sample(pack_work *work, int column, pack_sample *out)
{
    vs_store *store = work->store;
    sqlite3_stmt *stmt;
    vs_sampler_init(&out->train, VS_SAMPLE_BYTES_MAX, PACK_TRAIN_SEED);
    vs_sampler_init(&out->check, PACK_CHECK_BYTES, PACK_CHECK_SEED);
    int rc = pack_prepare(
        work,
        sqlite3_mprintf("SELECT c%d FROM \"%w\".\"%w_rows\" WHERE typeof(c%d) = 'text'%s", column,
                        store->schema, store->table, column, work->where),
        &stmt);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        rc = pack_add(out, stmt);
    }
    if (rc != SQLITE_OK && rc != SQLITE_DONE) {
        vs_error_db(work->err, rc, store->db, store->label);
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The share of the sample's bytes that packing leaves: 1 without dictionary. */
static int pack_measure(pack_work *work, const pack_sample *sample, const vs_dict *dict,
                        double *out)
{
    double raw = 0.0, packed = 0.0;
    int rc = SQLITE_OK;
    for (size_t i = 0; dict != NULL && i < sample->check.count && rc == SQLITE_OK; i++) {
        const void *row = NULL;
        size_t row_n = 0, n = 0;
        const void *text = vs_sampler_item(&sample->check, i, &n);
        rc = vs_packed_make(&work->store->conn->packer, work->store->label, text, n, dict, &row,
                            &row_n, work->err);
        raw += (double)n;
        packed += (double)(row_n < n ? row_n : n);
    }
    *out = raw > 0.0 ? packed / raw : 1.0;
    return rc;
}

/* Trains a dictionary: out->dict NULL where there are too few texts. */
static int pack_train(pack_work *work, int column, pack_sample *sample, vs_store_dict *out)
{
    void *bytes = NULL;
    size_t n = 0;
    vs_err inner = VS_ERR_INIT;
    out->dict = NULL;
    int rc = vs_dict_train(work->store->label, &sample->train, 0, &bytes, &n, &inner);
    vs_error_clear(&inner);
    if (rc == SQLITE_OK) {
        rc = vs_store_dict_name(work->store, column, bytes, n, &out->dict, work->err);
    } else if (rc == SQLITE_ERROR) {
        rc = SQLITE_OK;
    }
    sqlite3_free(bytes);
    return rc;
}

/* Trains another dictionary, and puts it in the place of the current one if it pays: `left` is the
 * share of the bytes that the current one leaves. */
static int pack_replace(pack_work *work, int column, pack_sample *sample, double left,
                        vs_store_dict *io)
{
    vs_store_dict fresh;
    double fresh_left = 1.0, total = (double)sample->train.total_bytes;
    int rc = pack_train(work, column, sample, &fresh);
    if (rc == SQLITE_OK && fresh.dict != NULL) {
        rc = pack_measure(work, sample, fresh.dict, &fresh_left);
    }
    if (rc == SQLITE_OK && fresh.dict != NULL &&
        fresh_left * total + (double)fresh.dict->n <= PACK_GAIN * left * total) {
        uint32_t ratio = (uint32_t)(fresh_left * VS_RATIO_ONE);
        fresh.ratio = ratio < 1 ? 1 : ratio;
        work->is_written = 1;
        rc = vs_store_dict_add(work->store, column, &fresh, work->err);
        vs_cached_unref(io->dict);
        *io = fresh;
        fresh.dict = NULL;
    }
    vs_cached_unref(fresh.dict);
    return rc;
}

/* The dictionary to pack the plain texts of a column with: out->dict, the caller's, is NULL where
 * none pays. */
static int pack_choose(pack_work *work, int column, vs_store_dict *out)
{
    pack_sample sample;
    double left = 1.0;
    memset(&sample, 0, sizeof sample);
    memset(out, 0, sizeof *out);
    int rc = pack_read_sample(work, column, &sample);
    if (rc == SQLITE_OK && sample.check.count > 0) {
        rc = vs_store_dict_current(work->store, column, out, work->err);
        rc = rc == SQLITE_OK ? pack_measure(work, &sample, out->dict, &left) : rc;
        if (rc == SQLITE_OK &&
            (out->dict == NULL || left * VS_RATIO_ONE > PACK_WORSE * (double)out->ratio)) {
            rc = pack_replace(work, column, &sample, left, out);
        }
    }
    vs_sampler_free(&sample.train);
    vs_sampler_free(&sample.check);
    return rc;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* The statements that go through a column. */
typedef struct pack_rows {
    int column;
    const vs_dict *dict; /* to pack with; NULL: to unpack */
    sqlite3_stmt *read;  /* owned: the first row from ?1 on: id, value */
    sqlite3_stmt *write; /* owned: ?2 in row ?1 */
} pack_rows;

/* Binds what the row that is read is to hold; *out_is_other 0: it stays. */
static int pack_convert(pack_work *work, const pack_rows *rows, int64_t rowid, int *out_is_other)
{
    vs_store *store = work->store;
    const void *row = NULL;
    size_t row_n = 0;
    *out_is_other = 0;
    if (rows->dict == NULL) {
        char *text = NULL;
        int rc = vs_store_text_read(store, rows->column, rowid, sqlite3_column_value(rows->read, 1),
                                    &text, &row_n, work->err);
        *out_is_other = rc == SQLITE_OK && text != NULL;
        return *out_is_other
                   ? sqlite3_bind_text64(rows->write, 2, text, row_n, sqlite3_free, SQLITE_UTF8)
                   : rc;
    }
    const void *text = sqlite3_column_text(rows->read, 1);
    size_t n = (size_t)sqlite3_column_bytes(rows->read, 1);
    if (text == NULL) {
        return SQLITE_NOMEM;
    }
    if (n > VS_PACKED_TEXT_MAX) {
        return SQLITE_OK;
    }
    int rc = vs_packed_make(&store->conn->packer, store->label, text, n, rows->dict, &row, &row_n,
                            work->err);
    *out_is_other = rc == SQLITE_OK && row_n < n;
    return *out_is_other ? sqlite3_bind_blob64(rows->write, 2, row, row_n, SQLITE_TRANSIENT) : rc;
}

static int pack_write(pack_work *work, const pack_rows *rows, int64_t rowid)
{
    work->is_written = 1;
    (void)sqlite3_bind_int64(rows->write, 1, rowid);
    (void)sqlite3_step(rows->write);
    int rc = sqlite3_reset(rows->write);
    if (rc != SQLITE_OK) {
        return vs_error_db(work->err, rc, work->store->db, work->store->label);
    }
    vs_job_progress(work->job, ++work->done);
    return rc;
}

/* No statement reads while a row is written. */
static int pack_step(pack_work *work, const pack_rows *rows, int64_t *io_next, int *out_is_end)
{
    int is_other = 0;
    (void)sqlite3_bind_int64(rows->read, 1, *io_next);
    int rc = sqlite3_step(rows->read);
    int64_t rowid = sqlite3_column_int64(rows->read, 0);
    *out_is_end = rc != SQLITE_ROW || rowid == INT64_MAX;
    if (rc == SQLITE_ROW) {
        *io_next = *out_is_end ? rowid : rowid + 1;
        rc = pack_convert(work, rows, rowid, &is_other);
        (void)sqlite3_reset(rows->read);
        return rc == SQLITE_OK && is_other ? pack_write(work, rows, rowid) : rc;
    }
    rc = sqlite3_reset(rows->read);
    return rc == SQLITE_OK ? rc : vs_error_db(work->err, rc, work->store->db, work->store->label);
}

/* Packs the texts of a column, or unpacks them (dict NULL). */
static int pack_column(pack_work *work, int column, const vs_dict *dict)
{
    const vs_store *store = work->store;
    pack_rows rows = {column, dict, NULL, NULL};
    int64_t next = INT64_MIN;
    int is_end = 0;
    char kind[80];
    sqlite3_snprintf((int)sizeof kind, kind,
                     dict != NULL ? "typeof(c%d) = 'text'"
                                  : "typeof(c%d) = 'blob' AND substr(c%d, 1, 1) = x'd1'",
                     column, column);
    int rc = pack_prepare(work,
                          sqlite3_mprintf("SELECT id, c%d FROM \"%w\".\"%w_rows\" WHERE id >= ?1 "
                                          "AND %s%s ORDER BY id LIMIT 1",
                                          column, store->schema, store->table, kind, work->where),
                          &rows.read);
    if (rc == SQLITE_OK) {
        rc = pack_prepare(work,
                          sqlite3_mprintf("UPDATE \"%w\".\"%w_rows\" SET c%d = ?2 WHERE id = ?1",
                                          store->schema, store->table, column),
                          &rows.write);
    }
    while (rc == SQLITE_OK && !is_end) {
        rc = pack_step(work, &rows, &next, &is_end);
    }
    sqlite3_finalize(rows.read);
    sqlite3_finalize(rows.write);
    return rc;
}

/* ---- a table --------------------------------------------------------------------------------- */

/* Nothing is packed any more. */
static int pack_delete_dicts(pack_work *work)
{
    const vs_store *store = work->store;
    sqlite3_stmt *stmt;
    int rc = pack_prepare(
        work,
        sqlite3_mprintf("DELETE FROM \"%w\".\"%w_info\" WHERE key >= 'text/' AND key < 'text0'",
                        store->schema, store->table),
        &stmt);
    if (rc == SQLITE_OK) {
        work->is_written = 1;
        (void)sqlite3_step(stmt);
        rc = sqlite3_finalize(stmt);
        rc = rc == SQLITE_OK ? rc : vs_error_db(work->err, rc, store->db, store->label);
    }
    return rc;
}

static int pack_table(pack_work *work, int64_t part)
{
    const vs_store *store = work->store;
    int is_utf8 = 1;
    int rc = work->is_cold ? pack_is_utf8(work, &is_utf8) : SQLITE_OK;
    for (int i = 0; i < store->declaration.column_count && is_utf8 && rc == SQLITE_OK; i++) {
        vs_store_dict dict = {NULL, 0};
        if (!vs_store_is_text(store, i)) {
            continue;
        }
        rc = work->is_cold ? pack_choose(work, i, &dict) : SQLITE_OK;
        if (rc == SQLITE_OK && (dict.dict != NULL || !work->is_cold)) {
            rc = pack_column(work, i, dict.dict);
        }
        vs_cached_unref(dict.dict);
    }
    return rc == SQLITE_OK && !work->is_cold && part == 0 ? pack_delete_dicts(work) : rc;
}

int vs_store_set_text_tier(vs_store *store, int64_t part, int is_cold, vs_err *err)
{
    pack_work work = {store, NULL, is_cold, 0, -1, 0, err};
    int has_text = 0;
    for (int i = 0; i < store->declaration.column_count; i++) {
        has_text |= vs_store_is_text(store, i);
    }
    if (!has_text) {
        return SQLITE_OK;
    }
    work.where = pack_where(store, part);
    if (work.where == NULL) {
        return SQLITE_NOMEM;
    }
    work.job = vs_job_begin("vecshard", store->label, is_cold ? "pack text" : "unpack text", 0);
    int rc = pack_table(&work, part);
    vs_job_end(work.job);
    sqlite3_free(work.where);
    return work.is_written ? vs_store_undone(store, rc, err) : rc;
}

int vs_store_text_tier(vs_store *store, int column, int *out_can, int *out_has, vs_err *err)
{
    pack_work work = {store, NULL, 1, 0, -1, 0, err};
    vs_store_dict dict = {NULL, 0};
    int rc = SQLITE_OK;
    *out_can = 0;
    if (vs_store_is_text(store, column)) {
        rc = pack_is_utf8(&work, out_can);
    }
    if (rc == SQLITE_OK && *out_can) {
        rc = vs_store_dict_current(store, column, &dict, err);
    }
    *out_has = dict.dict != NULL;
    vs_cached_unref(dict.dict);
    return rc;
}
