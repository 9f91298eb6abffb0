/*
 * store_codes.c - the codes of cells: descriptions in t_info, and t_codes.
 *
 * The first description of a column is made when its first cell becomes full: the anchor is the
 * mean of that cell's vectors.
 *
 * Calls: store.c, codes.c, content.c, format.c.
 * Called by: store_write.c, maint.c; descriptions: nearest.c, check.c.
 * Threads: the connection's.
 */
#include "bytes.h"
#include "codes.h"
#include "content.h"
#include "store_impl.h"

#define STORE_KEY_BYTES 40

void vs_store_free_codes(vs_store *store)
{
    while (store->codes != NULL) {
        vs_code *next = store->codes->next;
        sqlite3_free(store->codes);
        store->codes = next;
    }
}

static void store_keep_code(vs_store *store, vs_code *code)
{
    code->next = store->codes;
    store->codes = code;
}

int vs_store_code(vs_store *store, int vector, uint64_t id, const vs_code **out, vs_err *err)
{
    const vs_vector_spec *spec = &store->declaration.vectors[vector];
    char key[STORE_KEY_BYTES];
    vs_code_description description;
    void *data = NULL;
    size_t n = 0;
    *out = NULL;
    for (const vs_code *code = store->codes; code != NULL; code = code->next) {
        if (code->vector == vector && code->id == id) {
            *out = code;
            return SQLITE_OK;
        }
    }
    int rc = SQLITE_OK;
    if (id != 0) {
        sqlite3_snprintf((int)sizeof key, key, "code/%d/%016llx", vector, (unsigned long long)id);
        rc = vs_store_info(store, key, &data, &n, err);
        if (rc == SQLITE_OK) {
            rc =
                vs_format_read_description(store->label, data, n, id, spec->dim, &description, err);
        }
    }
    vs_code *code = rc == SQLITE_OK ? vs_code_new(spec, vector, id, NULL) : NULL;
    if (rc == SQLITE_OK && code == NULL) {
        rc = SQLITE_NOMEM;
    }
    if (rc == SQLITE_OK) {
        if (id != 0) {
            memcpy(code->anchor, (const void *)description.anchor, spec->dim * sizeof(float));
        }
        store_keep_code(store, code);
        *out = code;
    }
    sqlite3_free(data);
    return rc;
}

/* Id of the description for new codes: 0 when there is none yet. */
static int store_current_id(vs_store *store, int vector, uint64_t *out, vs_err *err)
{
    char key[STORE_KEY_BYTES];
    void *data = NULL;
    size_t n = 0;
    *out = 0;
    sqlite3_snprintf((int)sizeof key, key, "code/%d", vector);
    int rc = vs_store_info(store, key, &data, &n, err);
    if (rc == SQLITE_OK && data != NULL) {
        *out = n == 8 ? vs_get64(data) : 0;
        if (*out == 0) {
            rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: \"%s_info\" has no usable '%s'",
                          store->label, store->table, key);
        }
    }
    sqlite3_free(data);
    return rc;
}

int vs_store_code_current(vs_store *store, int vector, const vs_code **out, vs_err *err)
{
    uint64_t id = 0;
    *out = NULL;
    int rc = store_current_id(store, vector, &id, err);
    return rc == SQLITE_OK ? vs_store_code(store, vector, id, out, err) : rc;
}

int vs_store_code_set(vs_store *store, int vector, const float *anchor, vs_err *err)
{
    char key[STORE_KEY_BYTES];
    uint8_t bytes[8];
    uint64_t id = 0;
    size_t n = 0;
    while (id == 0) {
        sqlite3_randomness(sizeof id, &id);
    }
    vs_code_description description = {id, 1, store->declaration.vectors[vector].dim, anchor};
    void *data = vs_format_write_description(&description, &n);
    if (data == NULL) {
        return SQLITE_NOMEM;
    }
    sqlite3_snprintf((int)sizeof key, key, "code/%d/%016llx", vector, (unsigned long long)id);
    int rc = vs_store_info_set(store, key, data, n, err);
    sqlite3_free(data);
    vs_put64(bytes, id);
    sqlite3_snprintf((int)sizeof key, key, "code/%d", vector);
    return rc == SQLITE_OK ? vs_store_info_set(store, key, bytes, sizeof bytes, err) : rc;
}

/* ---- cells ----------------------------------------------------------------------------------- */

/* The vectors of a cell while it is coded: records as stored; for a content table the vectors come
 * one by one. */
typedef struct store_source {
    vs_store *store;
    int vector;
    const vs_cell *cell;
    const uint8_t *records;
    void *content_vector; /* [dim] of the stored type */
} store_source;

static int store_source_open(vs_store *store, int vector, const vs_cell *cell, store_source *out,
                             vs_err *err)
{
    const vs_vector_spec *spec = &store->declaration.vectors[vector];
    size_t records = store->geometry.slots * store->geometry.vectors[vector].record_bytes;
    uint8_t *memory =
        vs_scratch_get(&store->cell_memory, records + vsk_bytes(spec->stored, spec->dim));
    if (memory == NULL) {
        return SQLITE_NOMEM;
    }
    out->store = store;
    out->vector = vector;
    out->cell = cell;
    out->records = memory;
    out->content_vector = memory + records;
    return vs_store_read_vectors(store, vector, cell->id, memory, err);
}

/* The vector in a live slot: *out NULL for SQL NULL, and where the content table has no such row
 * any more. */
static int store_source_get(store_source *source, uint32_t slot, int64_t *out_rowid,
                            const void **out, vs_err *err)
{
    vs_store *store = source->store;
    size_t record_bytes = store->geometry.vectors[source->vector].record_bytes;
    int64_t loc = source->cell->id * (int64_t)store->geometry.slots + (int64_t)slot;
    int is_missing = 0;
    int rc = vs_format_read_record(
        store->label, source->vector, loc, source->records + slot * record_bytes, record_bytes,
        store->geometry.vectors[source->vector].vector_bytes, record_bytes, out_rowid, out, err);
    if (rc == SQLITE_OK && *out != NULL && !vs_store_has_vectors(store, source->vector)) {
        rc = vs_content_vector(store, source->vector, *out_rowid, source->content_vector,
                               &is_missing, err);
        *out = is_missing ? NULL : source->content_vector;
    }
    return rc;
}

/* The mean of a cell's vectors becomes the first anchor. */
static int store_learn(vs_store *store, int vector, store_source *source, float *scratch,
                       vs_err *err)
{
    const vs_vector_spec *spec = &store->declaration.vectors[vector];
    int64_t count = 0;
    vs_code *zero = vs_code_new(spec, vector, 0, NULL);
    double *sum = sqlite3_malloc64(spec->dim * sizeof *sum);
    int rc = zero == NULL || sum == NULL ? SQLITE_NOMEM : SQLITE_OK;
    if (rc == SQLITE_OK) {
        memset(sum, 0, spec->dim * sizeof *sum);
    }
    for (uint32_t slot = 0; slot < store->geometry.slots && rc == SQLITE_OK; slot++) {
        const void *data = NULL;
        int64_t rowid;
        if (!vs_cell_has(source->cell, slot)) {
            continue;
        }
        rc = store_source_get(source, slot, &rowid, &data, err);
        if (rc == SQLITE_OK && data != NULL) {
            vs_code_mean_add(zero, data, scratch, sum);
            count++;
        }
    }
    if (rc == SQLITE_OK) {
        vs_code_mean_finish(zero, sum, count, scratch);
        rc = vs_store_code_set(store, vector, scratch, err);
    }
    sqlite3_free(sum);
    sqlite3_free(zero);
    return rc;
}

static int store_write_codes(vs_store *store, int vector, int64_t cell, const uint8_t *data,
                             size_t n, vs_err *err)
{
    sqlite3_stmt *stmt;
    int rc = vs_store_vector_statement_get(store, vector, VS_SQL_CODES_SET, &stmt, err);
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(stmt, 1, cell);
        rc = sqlite3_bind_blob64(stmt, 2, data, n, SQLITE_STATIC);
        rc = vs_store_done(store, stmt, rc == SQLITE_OK ? sqlite3_step(stmt) : rc, "writing codes",
                           err);
    }
    return rc;
}

static int store_code_column(vs_store *store, vs_cell *cell, int vector, vs_err *err)
{
    size_t slots = store->geometry.slots;
    size_t coarse_bytes = store->geometry.vectors[vector].coarse_bytes;
    size_t fine_bytes = store->geometry.vectors[vector].fine_bytes;
    size_t n = slots * (coarse_bytes + fine_bytes);
    uint8_t *codes = vs_scratch_get(&store->code_memory, n);
    float *scratch = vs_scratch_get(&store->float_memory,
                                    store->geometry.vectors[vector].code_dim * sizeof(float));
    store_source source;
    const vs_code *code = NULL;
    if (codes == NULL || scratch == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = store_source_open(store, vector, cell, &source, err);
    if (rc == SQLITE_OK) {
        rc = vs_store_code_current(store, vector, &code, err);
    }
    if (rc == SQLITE_OK && code->id == 0) {
        rc = store_learn(store, vector, &source, scratch, err);
        if (rc == SQLITE_OK) {
            rc = vs_store_code_current(store, vector, &code, err);
        }
    }
    memset(codes, 0, n);
    for (uint32_t slot = 0; slot < slots && rc == SQLITE_OK; slot++) {
        const void *data = NULL;
        int64_t rowid = 0;
        if (vs_cell_has(cell, slot)) {
            rc = store_source_get(&source, slot, &rowid, &data, err);
            if (rc == SQLITE_OK) {
                vs_code_row(code, rowid, data, scratch, codes + slot * coarse_bytes,
                            codes + slots * coarse_bytes + slot * fine_bytes);
            }
        }
    }
    if (rc == SQLITE_OK) {
        cell->code_id[vector] = code->id;
        rc = store_write_codes(store, vector, cell->id, codes, n, err);
    }
    return rc;
}

int vs_store_code_cell(vs_store *store, vs_cell *cell, vs_err *err)
{
    int rc = SQLITE_OK;
    for (int i = 0; i < store->declaration.vector_count && rc == SQLITE_OK; i++) {
        if (store->geometry.vectors[i].is_coded) {
            rc = store_code_column(store, cell, i, err);
            cell->is_coded = 1;
        }
    }
    return rc;
}

int vs_store_code_slot(vs_store *store, const vs_cell *cell, uint32_t slot, int vector,
                       int64_t rowid, const void *data, int is_erased, vs_err *err)
{
    size_t coarse_bytes = store->geometry.vectors[vector].coarse_bytes;
    size_t fine_bytes = store->geometry.vectors[vector].fine_bytes;
    size_t fine_at = store->geometry.slots * coarse_bytes + slot * fine_bytes;
    uint8_t *coarse = vs_scratch_get(&store->code_memory, coarse_bytes + fine_bytes);
    float *scratch = vs_scratch_get(&store->float_memory,
                                    store->geometry.vectors[vector].code_dim * sizeof(float));
    const vs_code *code = NULL;
    sqlite3_blob *blob = NULL;
    if (coarse == NULL || scratch == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = vs_store_code(store, vector, cell->code_id[vector], &code, err);
    if (rc == SQLITE_OK) {
        memset(coarse, 0, coarse_bytes + fine_bytes);
        if (!is_erased) {
            vs_code_row(code, rowid, data, scratch, coarse, coarse + coarse_bytes);
        }
        rc = vs_store_blob_open(store, "codes", vector, cell->id,
                                store->geometry.slots * (coarse_bytes + fine_bytes), 1, &blob, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_blob_write(store, blob, coarse, coarse_bytes, slot * coarse_bytes, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_blob_write(store, blob, coarse + coarse_bytes, fine_bytes, fine_at, err);
    }
    return vs_store_blob_close(store, blob, rc, err);
}
