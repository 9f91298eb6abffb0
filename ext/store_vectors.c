/*
 * store_vectors.c - full vectors: the rows of t_vectors, each of which holds a group of places.
 *
 * Calls: store.c, content.c (vectors of an index over a table), format.c.
 * Called by: store_write.c, store_codes.c, nearest.c, view.c, vtab_index.c, maint.c, check.c.
 * Threads: the connection's.
 */
#include "content.h"
#include "store_impl.h"

/* ---- reading --------------------------------------------------------------------------------- */

int64_t vs_store_group(const vs_store *store, int vector, int64_t loc)
{
    return loc / (int64_t)store->geometry.vectors[vector].per_row;
}

/* Where in its row of t_vectors a place is. */
static size_t store_group_offset(const vs_store *store, int vector, int64_t loc)
{
    return (size_t)(loc % (int64_t)store->geometry.vectors[vector].per_row) *
           store->geometry.vectors[vector].record_bytes;
}

size_t vs_store_group_bytes(const vs_store *store, int vector)
{
    return store->geometry.vectors[vector].per_row * store->geometry.vectors[vector].record_bytes;
}

/* Steps to a row of t_vectors: *out NULL when it does not exist. Another size than that of a group
 * is CORRUPT. */
static int store_step_group(vs_store *store, sqlite3_stmt *stmt, int vector, int64_t group,
                            const uint8_t **out, vs_err *err)
{
    *out = NULL;
    (void)sqlite3_bind_int64(stmt, 1, group);
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW) {
        return rc;
    }
    if (sqlite3_column_type(stmt, 0) != SQLITE_BLOB ||
        (size_t)sqlite3_column_bytes(stmt, 0) != vs_store_group_bytes(store, vector)) {
        return vs_error(err, SQLITE_CORRUPT_VTAB,
                        "%s: row %lld of \"%s_vectors%d\" has %lld bytes, expected %lld",
                        store->label, (long long)group, store->table, vector,
                        (long long)sqlite3_column_bytes(stmt, 0),
                        (long long)vs_store_group_bytes(store, vector));
    }
    *out = sqlite3_column_blob(stmt, 0);
    return *out == NULL ? SQLITE_NOMEM : SQLITE_ROW;
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
        rc = store_step_group(store, stmt, vector, first + i, &data, err);
        if (rc == SQLITE_ROW) {
            memcpy(out + (size_t)i * bytes, data, bytes);
        } else if (rc == SQLITE_DONE) {
            memset(out + (size_t)i * bytes, 0, bytes);
        }
        rc = vs_store_done(store, stmt, rc, "reading vectors", err);
    }
    return rc;
}

int vs_store_read_group(vs_store *store, int vector, int64_t loc, uint8_t *out, vs_err *err)
{
    sqlite3_stmt *stmt;
    const uint8_t *data = NULL;
    int64_t group = vs_store_group(store, vector, loc);
    int rc = vs_store_vector_statement_get(store, vector, VS_SQL_VECTORS, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = store_step_group(store, stmt, vector, group, &data, err);
    if (rc == SQLITE_ROW) {
        memcpy(out, data, vs_store_group_bytes(store, vector));
    } else if (rc == SQLITE_DONE) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: \"%s_vectors%d\" has no row %lld",
                      store->label, store->table, vector, (long long)group);
    }
    return vs_store_done(store, stmt, rc, "reading a vector", err);
}

int vs_store_group_vector(const vs_store *store, int vector, int64_t loc, int64_t rowid,
                          const uint8_t *group, const void **out_vector, vs_err *err)
{
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    int64_t found = 0;
    int rc = vs_format_read_record(
        store->label, vector, loc, group + store_group_offset(store, vector, loc), record_bytes,
        store->geometry.vectors[vector].vector_bytes, record_bytes, &found, out_vector, err);
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

/* A new row of t_vectors with one record in it; the places beside it hold zeros until they are
 * used. */
static int store_add_group(vs_store *store, int vector, int64_t loc, const uint8_t *record,
                           vs_err *err)
{
    sqlite3_stmt *stmt;
    size_t n = vs_store_group_bytes(store, vector);
    uint8_t *memory = vs_scratch_get(&store->cell_memory, n);
    int rc = memory == NULL
                 ? SQLITE_NOMEM
                 : vs_store_vector_statement_get(store, vector, VS_SQL_VECTORS_SET, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    memset(memory, 0, n);
    memcpy(memory + store_group_offset(store, vector, loc), record,
           store->geometry.vectors[vector].record_bytes);
    (void)sqlite3_bind_int64(stmt, 1, vs_store_group(store, vector, loc));
    rc = sqlite3_bind_blob64(stmt, 2, memory, n, SQLITE_STATIC);
    return vs_store_done(store, stmt, rc == SQLITE_OK ? sqlite3_step(stmt) : rc, "writing a vector",
                         err);
}

int vs_store_write_vector(vs_store *store, int vector, const vs_cell *cell, uint32_t slot,
                          int64_t rowid, const void *data, int is_erased, vs_err *err)
{
    int64_t loc = cell->id * (int64_t)store->geometry.slots + (int64_t)slot;
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    uint8_t *record = vs_scratch_get(&store->code_memory, record_bytes);
    sqlite3_blob *blob = NULL;
    if (record == NULL) {
        return SQLITE_NOMEM;
    }
    if (is_erased) {
        memset(record, 0, record_bytes);
    } else {
        vs_format_write_record(rowid, data, store->geometry.vectors[vector].vector_bytes,
                               record_bytes, record);
    }
    if (!store_group_is_used(store, vector, cell, slot)) {
        return store_add_group(store, vector, loc, record, err);
    }
    int rc = vs_store_blob_open(store, "vectors", vector, vs_store_group(store, vector, loc),
                                vs_store_group_bytes(store, vector), 1, &blob, err);
    if (rc == SQLITE_OK) {
        rc = vs_store_blob_write(store, blob, record, record_bytes,
                                 store_group_offset(store, vector, loc), err);
    }
    return vs_store_blob_close(store, blob, rc, err);
}
