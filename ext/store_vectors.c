/*
 * store_vectors.c - full vectors: the rows of t_vectors, each of which holds a group of places.
 *
 * In a column with store=half the records of a row have two sizes (format.h); where a cell is cold its
 * groups are in blocks (store_cold.c). Only these files know: everywhere else a group is whole records.
 *
 * Calls: store.c, content.c (vectors of an index over a table), format.c.
 * Called by: store_write.c, store_codes.c, nearest.c, view.c, vtab_index.c, maint.c, check.c.
 * Threads: the connection's.
 */
#include "content.h"
#include "store_cold.h"

/* ---- groups ---------------------------------------------------------------------------------- */

int64_t vs_store_group(const vs_store *store, int vector, int64_t loc)
{
    return loc / (int64_t)store->geometry.vectors[vector].per_row;
}

/* Number of a place in its group. */
static uint32_t store_in_group(const vs_store *store, int vector, int64_t loc)
{
    return (uint32_t)(loc % (int64_t)store->geometry.vectors[vector].per_row);
}

size_t vs_store_group_bytes(const vs_store *store, int vector)
{
    return store->geometry.vectors[vector].per_row * store->geometry.vectors[vector].record_bytes;
}

static int store_has_halves(const vs_store *store, int vector)
{
    return store->geometry.vectors[vector].half_bytes > 0;
}

static int store_wrong_size(const vs_store *store, int vector, int64_t group, size_t found,
                            vs_err *err)
{
    size_t whole = vs_store_group_bytes(store, vector);
    if (store_has_halves(store, vector) && found <= whole) {
        return vs_error(
            err, SQLITE_CORRUPT_VTAB,
            "%s: the records in row %lld of \"%s_vectors%d\" do not fill its %lld bytes",
            store->label, (long long)group, store->table, vector, (long long)found);
    }
    return vs_error(err, SQLITE_CORRUPT_VTAB,
                    "%s: row %lld of \"%s_vectors%d\" has %lld bytes, expected %lld", store->label,
                    (long long)group, store->table, vector, (long long)found, (long long)whole);
}

/* ---- rows with records of two sizes ---------------------------------------------------------- */

/* The next record of `n` bytes, at *at: moves there, and tells its size. 0: there are not so many. */
static size_t store_next_record(const vs_store *store, int vector, const uint8_t *data, size_t n,
                                size_t at)
{
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    size_t half_bytes = store->geometry.vectors[vector].half_bytes;
    if (n - at < half_bytes) { /* which is more than a header */
        return 0;
    }
    size_t bytes = vs_format_is_whole(data + at) ? record_bytes : half_bytes;
    return n - at < bytes ? 0 : bytes;
}

/* A row of t_vectors becomes whole records: out [group bytes]. data: 4-byte aligned. */
static int store_widen_group(const vs_store *store, int vector, int64_t group, const uint8_t *data,
                             size_t n, uint8_t *out, vs_err *err)
{
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    size_t half_bytes = store->geometry.vectors[vector].half_bytes;
    int64_t per_row = (int64_t)store->geometry.vectors[vector].per_row;
    size_t at = 0;
    int rc = SQLITE_OK;
    for (int64_t i = 0; i < per_row && rc == SQLITE_OK; i++) {
        size_t bytes = store_next_record(store, vector, data, n, at);
        if (bytes == 0) {
            return store_wrong_size(store, vector, group, n, err);
        }
        rc = vs_format_widen_record(store->label, vector, group * per_row + i, data + at,
                                    half_bytes, store->declaration.vectors[vector].dim,
                                    record_bytes, out + (size_t)i * record_bytes, err);
        at += bytes;
    }
    return rc == SQLITE_OK && at != n ? store_wrong_size(store, vector, group, n, err) : rc;
}

/* Where the record of a place is in its row of t_vectors. */
static int store_find_record(const vs_store *store, int vector, int64_t loc, const uint8_t *data,
                             size_t n, size_t *out_at, size_t *out_bytes, vs_err *err)
{
    size_t at = 0;
    size_t bytes = store_next_record(store, vector, data, n, at);
    for (uint32_t i = store_in_group(store, vector, loc); i > 0 && bytes > 0; i--) {
        at += bytes;
        bytes = store_next_record(store, vector, data, n, at);
    }
    *out_at = at;
    *out_bytes = bytes;
    return bytes == 0 ? store_wrong_size(store, vector, vs_store_group(store, vector, loc), n, err)
                      : SQLITE_OK;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Steps to a row of t_vectors: *out NULL when it does not exist. Another size than a group can have is
 * CORRUPT. */
static int store_step_group(vs_store *store, sqlite3_stmt *stmt, int vector, int64_t group,
                            const uint8_t **out, size_t *out_bytes, vs_err *err)
{
    *out = NULL;
    (void)sqlite3_bind_int64(stmt, 1, group);
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW) {
        return rc;
    }
    size_t whole = vs_store_group_bytes(store, vector);
    size_t bytes = (size_t)sqlite3_column_bytes(stmt, 0);
    int is_possible = store_has_halves(store, vector) ? bytes <= whole : bytes == whole;
    if (sqlite3_column_type(stmt, 0) != SQLITE_BLOB || !is_possible) {
        return store_wrong_size(store, vector, group, bytes, err);
    }
    *out = sqlite3_column_blob(stmt, 0);
    *out_bytes = bytes;
    return *out == NULL && bytes > 0 ? SQLITE_NOMEM : SQLITE_ROW;
}

/* Bytes of a row of t_vectors at an address that is aligned: valid until the next call. */
static const uint8_t *store_align(vs_store *store, const uint8_t *data, size_t n)
{
    uint8_t *aligned = vs_scratch_get(&store->half_memory, n == 0 ? 1 : n);
    if (aligned != NULL && n > 0) {
        memcpy(aligned, data, n);
    }
    return aligned;
}

/* Takes over the bytes of a row of t_vectors as whole records: out [group bytes]. */
static int store_copy_group(vs_store *store, int vector, int64_t group, const uint8_t *data,
                            size_t n, uint8_t *out, vs_err *err)
{
    if (!store_has_halves(store, vector)) {
        memcpy(out, data, n);
        return SQLITE_OK;
    }
    const uint8_t *aligned = store_align(store, data, n);
    return aligned == NULL ? SQLITE_NOMEM
                           : store_widen_group(store, vector, group, aligned, n, out, err);
}

int vs_store_read_vectors(vs_store *store, int vector, int64_t cell, uint8_t *out, vs_err *err)
{
    sqlite3_stmt *stmt;
    size_t bytes = vs_store_group_bytes(store, vector);
    int64_t slots = (int64_t)store->geometry.slots;
    int64_t first = vs_store_group(store, vector, cell * slots);
    int64_t count = slots / (int64_t)store->geometry.vectors[vector].per_row;
    int rc = vs_store_vector_statement_get(store, vector, VS_SQL_VECTORS, &stmt, err);
    for (int64_t i = 0; i < count && rc == SQLITE_OK; i++) {
        const uint8_t *data;
        uint8_t *at = out + (size_t)i * bytes;
        size_t n = 0;
        int is_found = 1;
        rc = store_step_group(store, stmt, vector, first + i, &data, &n, err);
        if (rc == SQLITE_ROW) {
            rc = store_copy_group(store, vector, first + i, data, n, at, err);
        } else if (rc == SQLITE_DONE) {
            is_found = 0;
        }
        rc = vs_store_done(store, stmt, rc, "reading vectors", err);
        if (rc == SQLITE_OK && !is_found && vs_store_can_be_cold(store, vector)) {
            rc = vs_store_cold_group(store, vector, first + i, at, &is_found, err);
        }
        if (rc == SQLITE_OK && !is_found) {
            memset(at, 0, bytes);
        }
    }
    return rc;
}

static int store_missing(const vs_store *store, int vector, int64_t group, vs_err *err)
{
    return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: \"%s_vectors%d\" has no row %lld", store->label,
                    store->table, vector, (long long)group);
}

/* The row of t_vectors that holds a place: whole records into out [group bytes], or, where out is
 * NULL, as it is stored: *out_raw, valid until the next call. *out_found 0: there is none. */
static int store_get_group(vs_store *store, int vector, int64_t loc, uint8_t *out,
                           const uint8_t **out_raw, size_t *out_bytes, int *out_found, vs_err *err)
{
    sqlite3_stmt *stmt;
    const uint8_t *data = NULL;
    int64_t group = vs_store_group(store, vector, loc);
    *out_found = 1;
    int rc = vs_store_vector_statement_get(store, vector, VS_SQL_VECTORS, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = store_step_group(store, stmt, vector, group, &data, out_bytes, err);
    if (rc == SQLITE_ROW && out != NULL) {
        rc = store_copy_group(store, vector, group, data, *out_bytes, out, err);
    } else if (rc == SQLITE_ROW) {
        *out_raw = store_align(store, data, *out_bytes);
        rc = *out_raw == NULL ? SQLITE_NOMEM : SQLITE_OK;
    } else if (rc == SQLITE_DONE) {
        *out_found = 0;
    }
    return vs_store_done(store, stmt, rc, "reading a vector", err);
}

int vs_store_read_group(vs_store *store, int vector, int64_t loc, uint8_t *out, vs_err *err)
{
    int64_t group = vs_store_group(store, vector, loc);
    size_t bytes = 0;
    int is_found = 0;
    int rc = store_get_group(store, vector, loc, out, NULL, &bytes, &is_found, err);
    if (rc == SQLITE_OK && !is_found && vs_store_can_be_cold(store, vector)) {
        rc = vs_store_cold_group(store, vector, group, out, &is_found, err);
    }
    return rc == SQLITE_OK && !is_found ? store_missing(store, vector, group, err) : rc;
}

int vs_store_group_vector(const vs_store *store, int vector, int64_t loc, int64_t rowid,
                          const uint8_t *group, const void **out_vector, vs_err *err)
{
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    int64_t found = 0;
    int rc = vs_format_read_record(store->label, vector, loc,
                                   group + store_in_group(store, vector, loc) * record_bytes,
                                   record_bytes, store->geometry.vectors[vector].vector_bytes,
                                   record_bytes, &found, out_vector, err);
    if (rc == SQLITE_OK && found != rowid) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB,
                      "%s: place %lld of \"%s_vectors%d\" belongs to row %lld, expected %lld",
                      store->label, (long long)loc, store->table, vector, (long long)found,
                      (long long)rowid);
    }
    return rc;
}

static int store_own_vector(vs_store *store, int vector, int64_t loc, int64_t rowid, void *out,
                            int *out_is_null, vs_err *err)
{
    const void *found = NULL;
    uint8_t *group = vs_scratch_get(&store->vector_memory, vs_store_group_bytes(store, vector));
    if (group == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = vs_store_read_group(store, vector, loc, group, err);
    if (rc == SQLITE_OK) {
        rc = vs_store_group_vector(store, vector, loc, rowid, group, &found, err);
    }
    if (rc == SQLITE_OK && found != NULL) {
        memcpy(out, found, store->geometry.vectors[vector].vector_bytes);
    }
    *out_is_null = found == NULL;
    return rc;
}

int vs_store_vector(vs_store *store, int vector, int64_t loc, int64_t rowid, void *out,
                    int *out_is_null, int *out_is_missing, vs_err *err)
{
    *out_is_null = 0;
    *out_is_missing = 0;
    if (!vs_store_has_vectors(store, vector)) {
        return vs_content_vector(store, vector, rowid, out, out_is_missing, err);
    }
    return store_own_vector(store, vector, loc, rowid, out, out_is_null, err);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Does a live row share the row of t_vectors with this slot? Then it exists. */
static int store_group_is_used(const vs_store *store, int vector, const vs_cell *cell,
                               uint32_t slot)
{
    uint32_t per_row = store->geometry.vectors[vector].per_row;
    uint32_t first = slot / per_row * per_row;
    for (uint32_t i = first; i < first + per_row; i++) {
        if (vs_cell_has(cell, i)) {
            return 1;
        }
    }
    return 0;
}

/* Writes a whole row of t_vectors. */
static int store_put_group(vs_store *store, int vector, int64_t group, const uint8_t *data,
                           size_t n, vs_err *err)
{
    sqlite3_stmt *stmt;
    int rc = vs_store_vector_statement_get(store, vector, VS_SQL_VECTORS_SET, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(stmt, 1, group);
    rc = sqlite3_bind_blob64(stmt, 2, data, n, SQLITE_STATIC);
    return vs_store_done(store, stmt, rc == SQLITE_OK ? sqlite3_step(stmt) : rc, "writing a vector",
                         err);
}

/* A record that waits to be written, in the sizes that it can have; NULL for the other. */
typedef struct store_record {
    const uint8_t *whole; /* [record_bytes]: marked where there are halves */
    const uint8_t *half;  /* [half_bytes] */
} store_record;

/* Makes the record of a vector, or the zeros of an erased one. What has no vector can have either
 * size; a vector is whole only where it has to be. */
static int store_make_record(vs_store *store, int vector, int64_t rowid, const void *data,
                             int is_erased, store_record *out)
{
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    size_t half_bytes = store->geometry.vectors[vector].half_bytes;
    uint8_t *whole = vs_scratch_get(&store->code_memory, record_bytes + half_bytes);
    if (whole == NULL) {
        return SQLITE_NOMEM;
    }
    uint8_t *half = whole + record_bytes; /* a multiple of 4 */
    memset(whole, 0, record_bytes + half_bytes);
    out->whole = whole;
    out->half = half_bytes > 0 ? half : NULL;
    if (!is_erased && half_bytes > 0 &&
        !vs_format_write_half(rowid, data, store->declaration.vectors[vector].dim, half_bytes,
                              half)) {
        out->half = NULL;
    } else if (half_bytes > 0 && data != NULL && !is_erased) {
        out->whole = NULL;
        return SQLITE_OK;
    }
    if (!is_erased) {
        vs_format_write_record(rowid, data, store->geometry.vectors[vector].vector_bytes,
                               record_bytes, whole);
    }
    if (half_bytes > 0) {
        vs_format_mark_whole(record_bytes, whole);
    }
    return SQLITE_OK;
}

/* A new row of t_vectors with one record in it; the places beside it hold zeros, in the size of this
 * one, until they are used. */
static int store_add_group(vs_store *store, int vector, int64_t loc, const store_record *record,
                           vs_err *err)
{
    int is_half = record->half != NULL;
    size_t bytes = is_half ? store->geometry.vectors[vector].half_bytes
                           : store->geometry.vectors[vector].record_bytes;
    size_t n = store->geometry.vectors[vector].per_row * bytes;
    uint8_t *memory = vs_scratch_get(&store->cell_memory, n);
    if (memory == NULL) {
        return SQLITE_NOMEM;
    }
    memset(memory, 0, n);
    for (size_t at = 0; at < n && !is_half && store_has_halves(store, vector); at += bytes) {
        vs_format_mark_whole(bytes, memory + at);
    }
    memcpy(memory + store_in_group(store, vector, loc) * bytes,
           is_half ? record->half : record->whole, bytes);
    return store_put_group(store, vector, vs_store_group(store, vector, loc), memory, n, err);
}

/* Adds the record of a slot to a group under way, and moves *at behind it. */
static int store_append_record(vs_store *store, int vector, const vs_cell *cell, uint32_t slot,
                               const uint8_t *whole, uint8_t *group, size_t *at, vs_err *err)
{
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    size_t half_bytes = store->geometry.vectors[vector].half_bytes;
    size_t bytes = half_bytes > 0 ? half_bytes : record_bytes;
    int64_t loc = cell->id * (int64_t)store->geometry.slots + (int64_t)slot;
    const void *found = NULL;
    store_record record;
    int64_t rowid = 0;
    if (!vs_cell_has(cell, slot)) {
        memset(group + *at, 0, bytes);
        *at += bytes;
        return SQLITE_OK;
    }
    int rc = vs_format_read_record(store->label, vector, loc, whole, record_bytes,
                                   store->geometry.vectors[vector].vector_bytes, record_bytes,
                                   &rowid, &found, err);
    if (rc == SQLITE_OK) {
        rc = store_make_record(store, vector, rowid, found, 0, &record);
    }
    if (rc == SQLITE_OK) {
        bytes = record.half != NULL ? half_bytes : record_bytes;
        memcpy(group + *at, record.half != NULL ? record.half : record.whole, bytes);
        *at += bytes;
    }
    return rc;
}

int vs_store_write_group(vs_store *store, int vector, const vs_cell *cell, uint32_t first,
                         const uint8_t *records, vs_err *err)
{
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    uint32_t per_row = store->geometry.vectors[vector].per_row;
    int64_t loc = cell->id * (int64_t)store->geometry.slots + (int64_t)first;
    uint8_t *memory = vs_scratch_get(&store->cell_memory, vs_store_group_bytes(store, vector));
    size_t at = 0;
    int rc = memory == NULL ? SQLITE_NOMEM : SQLITE_OK;
    if (!store_group_is_used(store, vector, cell, first)) {
        return SQLITE_OK;
    }
    for (uint32_t i = 0; i < per_row && rc == SQLITE_OK; i++) {
        rc = store_append_record(store, vector, cell, first + i, records + i * record_bytes, memory,
                                 &at, err);
    }
    return rc == SQLITE_OK
               ? store_put_group(store, vector, vs_store_group(store, vector, loc), memory, at, err)
               : rc;
}

int vs_store_delete_groups(vs_store *store, int vector, int64_t cell, vs_err *err)
{
    int64_t slots = (int64_t)store->geometry.slots;
    return vs_store_delete_range(store, vector, VS_SQL_VECTORS_DELETE,
                                 vs_store_group(store, vector, cell * slots),
                                 vs_store_group(store, vector, cell * slots + slots - 1), err);
}

int vs_store_has_row(vs_store *store, int vector, vs_vector_statement which, int64_t id, int *out,
                     vs_err *err)
{
    sqlite3_stmt *stmt;
    *out = 0;
    int rc = vs_store_vector_statement_get(store, vector, which, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(stmt, 1, id);
    rc = sqlite3_step(stmt);
    *out = rc == SQLITE_ROW;
    return vs_store_done(store, stmt, rc, "looking for vectors", err);
}

/* Writes bytes into a row of t_vectors, which has n. */
static int store_write_into(vs_store *store, int vector, int64_t loc, size_t n,
                            const uint8_t *record, size_t bytes, size_t at, vs_err *err)
{
    sqlite3_blob *blob = NULL;
    int rc = vs_store_blob_open(store, "vectors", vector, vs_store_group(store, vector, loc), n, 1,
                                &blob, err);
    if (rc == SQLITE_OK) {
        rc = vs_store_blob_write(store, blob, record, bytes, at, err);
    }
    return vs_store_blob_close(store, blob, rc, err);
}

/* Writes a record into a row with records of two sizes: where its own changes, the row does. */
static int store_write_sized(vs_store *store, int vector, int64_t loc, const store_record *record,
                             vs_err *err)
{
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    size_t half_bytes = store->geometry.vectors[vector].half_bytes;
    const uint8_t *data = NULL;
    size_t n = 0, at = 0, before = 0;
    int is_found = 0;
    int rc = store_get_group(store, vector, loc, NULL, &data, &n, &is_found, err);
    if (rc == SQLITE_OK && !is_found) {
        rc = store_missing(store, vector, vs_store_group(store, vector, loc), err);
    }
    if (rc == SQLITE_OK) {
        rc = store_find_record(store, vector, loc, data, n, &at, &before, err);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    const uint8_t *same = before == record_bytes ? record->whole : record->half;
    if (same != NULL) {
        return store_write_into(store, vector, loc, n, same, before, at, err);
    }
    size_t after = before == record_bytes ? half_bytes : record_bytes;
    uint8_t *memory = vs_scratch_get(&store->cell_memory, n - before + after);
    if (memory == NULL) {
        return SQLITE_NOMEM;
    }
    memcpy(memory, data, at);
    memcpy(memory + at, record->half != NULL ? record->half : record->whole, after);
    memcpy(memory + at + after, data + at + before, n - at - before);
    return store_put_group(store, vector, vs_store_group(store, vector, loc), memory,
                           n - before + after, err);
}

int vs_store_write_vector(vs_store *store, int vector, const vs_cell *cell, uint32_t slot,
                          int64_t rowid, const void *data, int is_erased, vs_err *err)
{
    int64_t loc = cell->id * (int64_t)store->geometry.slots + (int64_t)slot;
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    store_record record;
    int rc = SQLITE_OK;
    int is_used = store_group_is_used(store, vector, cell, slot);
    if (is_used && cell->is_coded && vs_store_can_be_cold(store, vector)) {
        rc = vs_store_warm_group(store, vector, cell, slot, err);
    }
    if (rc == SQLITE_OK) {
        rc = store_make_record(store, vector, rowid, data, is_erased, &record);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (!is_used) {
        return store_add_group(store, vector, loc, &record, err);
    }
    if (store_has_halves(store, vector)) {
        return store_write_sized(store, vector, loc, &record, err);
    }
    return store_write_into(store, vector, loc, vs_store_group_bytes(store, vector), record.whole,
                            record_bytes, store_in_group(store, vector, loc) * record_bytes, err);
}
