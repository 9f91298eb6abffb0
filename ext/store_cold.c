/*
 * store_cold.c - full vectors of cold cells: blocks of compressed vectors in t_cold.
 *
 * A block holds the records of some neighbouring rows of t_vectors, which are gone then. A row of
 * t_vectors that is there comes first: what is written to a cold cell lands there, beside the old
 * copy in the block. Codes stay as they are, so a search decodes only blocks that hold candidates.
 *
 * Calls: cold_block.c, store.c, store_vectors.c, format.c.
 * Called by: store_vectors.c, store_write.c, check.c.
 * Threads: the connection's.
 */
#include "store_cold.h"

#include "cold_block.h"

/* ---- sizes ----------------------------------------------------------------------------------- */

int vs_store_can_be_cold(const vs_store *store, int vector)
{
    return store->geometry.vectors[vector].per_block > 0;
}

/* Records of a block. */
static uint32_t cold_records(const vs_store *store, int vector)
{
    return store->geometry.vectors[vector].per_block * store->geometry.vectors[vector].per_row;
}

static int64_t cold_number(const vs_store *store, int vector, int64_t group)
{
    return group / (int64_t)store->geometry.vectors[vector].per_block;
}

/* Where the records of a row of t_vectors begin in its block. */
static uint32_t cold_first(const vs_store *store, int vector, int64_t group)
{
    const uint32_t per_block = store->geometry.vectors[vector].per_block;
    return (uint32_t)(group % (int64_t)per_block) * store->geometry.vectors[vector].per_row;
}

static vs_frame_shape cold_shape(const vs_store *store, int vector)
{
    const vs_vector_spec *spec = &store->declaration.vectors[vector];
    vs_frame_elem elem = spec->stored == VSK_F32   ? VS_FRAME_F32
                         : spec->stored == VSK_F16 ? VS_FRAME_F16
                                                   : VS_FRAME_BF16;
    return (vs_frame_shape){elem, (uint32_t)spec->dim, cold_records(store, vector)};
}

/* ---- reading --------------------------------------------------------------------------------- */

/* A block that was read, decoded. Whoever reads rows one by one mostly wants the next one of it. */
typedef struct vs_store_cold {
    int is_open;
    int64_t number;
    uint8_t stamp[VS_STAMP_BYTES]; /* what is in the table under another one is another block */
    vs_cold_block block;
} vs_store_cold;

static void cold_close(vs_store_cold *cold)
{
    vs_cold_block_free(&cold->block);
    memset(cold, 0, sizeof *cold);
}

void vs_store_free_cold(vs_store *store)
{
    for (int i = 0; store->cold != NULL && i < VS_VECTORS_MAX; i++) {
        cold_close(&store->cold[i]);
    }
    sqlite3_free(store->cold);
    store->cold = NULL;
}

/* Room for the block read last of each column. */
static int cold_room(vs_store *store)
{
    size_t bytes = VS_VECTORS_MAX * sizeof *store->cold;
    if (store->cold == NULL) {
        store->cold = sqlite3_malloc64(bytes);
        if (store->cold == NULL) {
            return SQLITE_NOMEM;
        }
        memset(store->cold, 0, bytes);
    }
    return SQLITE_OK;
}

/* Decodes a block. One that does not decode is damage, like everything in a shadow table. */
static int cold_decode(const vs_store *store, int vector, int64_t number, const void *data,
                       size_t n, vs_cold_block *out, vs_err *err)
{
    vs_frame_shape shape = cold_shape(store, vector);
    vs_err inner = VS_ERR_INIT;
    int rc = vs_cold_block_decode(&shape, number, data, n, out, &inner);
    if (rc == SQLITE_ERROR) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: block %lld of \"%s_cold%d\": %s", store->label,
                      (long long)number, store->table, vector,
                      inner.message == NULL ? "it is damaged" : inner.message);
    }
    vs_error_clear(&inner);
    return rc;
}

/* Steps to the row of a block, and takes its stamp, which is the first column. SQLITE_ROW;
 * SQLITE_DONE: there is none. The caller ends the statement, if there is one. */
static int cold_step(vs_store *store, int vector, int64_t number, vs_vector_statement which,
                     sqlite3_stmt **out, uint8_t stamp[VS_STAMP_BYTES], vs_err *err)
{
    *out = NULL;
    int rc = vs_store_vector_statement_get(store, vector, which, out, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(*out, 1, number);
    rc = sqlite3_step(*out);
    if (rc == SQLITE_ROW) {
        int is_blob = sqlite3_column_type(*out, 0) == SQLITE_BLOB;
        const void *found = is_blob ? sqlite3_column_blob(*out, 0) : NULL;
        if (found == NULL || sqlite3_column_bytes(*out, 0) != VS_STAMP_BYTES) {
            return vs_error(err, SQLITE_CORRUPT_VTAB,
                            "%s: block %lld of \"%s_cold%d\" has no stamp of %d bytes",
                            store->label, (long long)number, store->table, vector, VS_STAMP_BYTES);
        }
        memcpy(stamp, found, VS_STAMP_BYTES);
    }
    return rc;
}

/* Is the block that was read last this one, and as it is in the table now? */
static int cold_is_same(vs_store *store, int vector, int64_t number, const vs_store_cold *cold,
                        int *out, vs_err *err)
{
    uint8_t stamp[VS_STAMP_BYTES];
    sqlite3_stmt *stmt;
    *out = 0;
    if (!cold->is_open || cold->number != number) {
        return SQLITE_OK;
    }
    int rc = cold_step(store, vector, number, VS_SQL_COLD_STAMP, &stmt, stamp, err);
    *out = rc == SQLITE_ROW && memcmp(cold->stamp, stamp, sizeof stamp) == 0;
    return stmt == NULL ? rc : vs_store_done(store, stmt, rc, "reading a cold block's stamp", err);
}

/* Reads a block with its stamp: not open when there is none. */
static int cold_read(vs_store *store, int vector, int64_t number, vs_store_cold *cold, vs_err *err)
{
    sqlite3_stmt *stmt;
    cold_close(cold);
    int rc = cold_step(store, vector, number, VS_SQL_COLD, &stmt, cold->stamp, err);
    if (rc == SQLITE_ROW) {
        int is_blob = sqlite3_column_type(stmt, 1) == SQLITE_BLOB;
        const uint8_t *data = is_blob ? sqlite3_column_blob(stmt, 1) : NULL;
        size_t n = (size_t)sqlite3_column_bytes(stmt, 1);
        rc = cold_decode(store, vector, number, data, n, &cold->block, err);
        cold->is_open = rc == SQLITE_OK;
        cold->number = number;
    }
    rc = stmt == NULL ? rc : vs_store_done(store, stmt, rc, "reading a cold block", err);
    if (!cold->is_open) {
        cold_close(cold); /* what an error left */
    }
    return rc;
}

/* A block, decoded: *out NULL when there is none. It is the store's, until another one is read. */
static int cold_open(vs_store *store, int vector, int64_t number, vs_store_cold **out, vs_err *err)
{
    int is_same = 0;
    *out = NULL;
    int rc = cold_room(store);
    if (rc != SQLITE_OK) {
        return rc;
    }
    vs_store_cold *cold = &store->cold[vector];
    rc = cold_is_same(store, vector, number, cold, &is_same, err);
    if (rc == SQLITE_OK && !is_same) {
        rc = cold_read(store, vector, number, cold, err);
    }
    *out = rc == SQLITE_OK && cold->is_open ? cold : NULL;
    return rc;
}

int vs_store_cold_group(vs_store *store, int vector, int64_t group, uint8_t *out, int *out_found,
                        vs_err *err)
{
    size_t vector_bytes = store->geometry.vectors[vector].vector_bytes;
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    uint32_t per_row = store->geometry.vectors[vector].per_row;
    int64_t number = cold_number(store, vector, group);
    vs_store_cold *cold = NULL;
    int rc = cold_open(store, vector, number, &cold, err);
    *out_found = cold != NULL;
    if (cold == NULL) {
        return rc;
    }
    uint32_t first = cold_first(store, vector, group);
    for (uint32_t i = 0; i < per_row; i++) {
        const vs_cold_block *block = &cold->block;
        uint8_t kind = block->kinds[first + i];
        if (kind == VS_COLD_UNUSED) {
            memset(out + i * record_bytes, 0, record_bytes);
        } else {
            vs_format_write_record(
                block->rowids[first + i],
                kind == VS_COLD_NULL ? NULL : block->vectors + (first + i) * vector_bytes,
                vector_bytes, record_bytes, out + i * record_bytes);
        }
    }
    return SQLITE_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Writes a block; one without records is deleted. */
static int cold_put(vs_store *store, int vector, int64_t number, const vs_cold_block *block,
                    vs_err *err)
{
    sqlite3_stmt *stmt;
    uint8_t stamp[VS_STAMP_BYTES];
    void *data = NULL;
    size_t n = 0;
    if (!vs_cold_block_is_used(block)) {
        return vs_store_delete_range(store, vector, VS_SQL_COLD_DELETE, number, number, err);
    }
    int rc = vs_cold_block_encode(store->label, number, block, &data, &n, err);
    if (rc == SQLITE_OK) {
        rc = vs_store_vector_statement_get(store, vector, VS_SQL_COLD_SET, &stmt, err);
    }
    if (rc == SQLITE_OK) {
        sqlite3_randomness((int)sizeof stamp, stamp);
        (void)sqlite3_bind_int64(stmt, 1, number);
        (void)sqlite3_bind_blob(stmt, 2, stamp, (int)sizeof stamp, SQLITE_STATIC);
        rc = sqlite3_bind_blob64(stmt, 3, data, n, SQLITE_STATIC);
        rc = vs_store_done(store, stmt, rc == SQLITE_OK ? sqlite3_step(stmt) : rc,
                           "writing a cold block", err);
    }
    sqlite3_free(data);
    return rc;
}

int vs_store_cold_delete_cell(vs_store *store, int vector, int64_t cell, vs_err *err)
{
    int64_t slots = (int64_t)store->geometry.slots;
    int64_t first = vs_store_group(store, vector, cell * slots);
    int64_t last = vs_store_group(store, vector, cell * slots + slots - 1);
    return vs_store_delete_range(store, vector, VS_SQL_COLD_DELETE,
                                 cold_number(store, vector, first),
                                 cold_number(store, vector, last), err);
}

/* Takes over one record, if its slot is live. */
static int cold_add(const vs_store *store, int vector, const vs_cell *cell, uint32_t slot,
                    uint32_t at, const uint8_t *record, vs_cold_block *block, vs_err *err)
{
    size_t vector_bytes = store->geometry.vectors[vector].vector_bytes;
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    int64_t loc = cell->id * (int64_t)store->geometry.slots + (int64_t)slot;
    const void *found = NULL;
    if (!vs_cell_has(cell, slot)) {
        return SQLITE_OK;
    }
    int rc = vs_format_read_record(store->label, vector, loc, record, record_bytes, vector_bytes,
                                   record_bytes, &block->rowids[at], &found, err);
    if (rc == SQLITE_OK) {
        block->kinds[at] = found == NULL ? VS_COLD_NULL : VS_COLD_VECTOR;
        if (found != NULL) {
            memcpy(block->vectors + at * vector_bytes, found, vector_bytes);
        }
    }
    return rc;
}

/* Seals one block of a cell from its whole records, [slots]. */
static int cold_seal_block(vs_store *store, int vector, const vs_cell *cell, uint32_t first,
                           const uint8_t *all, vs_err *err)
{
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    vs_frame_shape shape = cold_shape(store, vector);
    int64_t loc = cell->id * (int64_t)store->geometry.slots + (int64_t)first;
    int64_t number = cold_number(store, vector, vs_store_group(store, vector, loc));
    vs_cold_block block;
    int rc = vs_cold_block_new(&shape, &block);
    for (uint32_t i = 0; i < shape.count && rc == SQLITE_OK; i++) {
        rc = cold_add(store, vector, cell, first + i, i, all + (first + i) * record_bytes, &block,
                      err);
    }
    if (rc == SQLITE_OK) {
        rc = cold_put(store, vector, number, &block, err);
    }
    vs_cold_block_free(&block);
    return rc;
}

int vs_store_seal_column(vs_store *store, int vector, const vs_cell *cell, vs_err *err)
{
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    uint32_t slots = store->geometry.slots, records = cold_records(store, vector);
    uint8_t *all = sqlite3_malloc64(slots * record_bytes);
    int rc = all == NULL ? SQLITE_NOMEM : vs_store_read_vectors(store, vector, cell->id, all, err);
    for (uint32_t first = 0; first < slots && rc == SQLITE_OK; first += records) {
        rc = cold_seal_block(store, vector, cell, first, all, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_delete_groups(store, vector, cell->id, err);
    }
    sqlite3_free(all);
    return rc;
}

int vs_store_has_tier(vs_store *store, int vector, int64_t cell, int is_warm, int *out, vs_err *err)
{
    int64_t slots = (int64_t)store->geometry.slots;
    int64_t first = vs_store_group(store, vector, cell * slots);
    int64_t last = vs_store_group(store, vector, cell * slots + slots - 1);
    vs_vector_statement which = is_warm ? VS_SQL_VECTORS : VS_SQL_COLD;
    int rc = SQLITE_OK;
    *out = 0;
    if (!is_warm) {
        first = cold_number(store, vector, first);
        last = cold_number(store, vector, last);
    }
    for (int64_t id = first; id <= last && !*out && rc == SQLITE_OK; id++) {
        rc = vs_store_has_row(store, vector, which, id, out, err);
    }
    return rc;
}

int vs_store_thaw_column(vs_store *store, int vector, const vs_cell *cell, vs_err *err)
{
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    uint32_t slots = store->geometry.slots;
    uint32_t per_row = store->geometry.vectors[vector].per_row;
    uint8_t *all = sqlite3_malloc64(slots * record_bytes);
    int rc = all == NULL ? SQLITE_NOMEM : vs_store_read_vectors(store, vector, cell->id, all, err);
    for (uint32_t first = 0; first < slots && rc == SQLITE_OK; first += per_row) {
        rc = vs_store_write_group(store, vector, cell, first, all + first * record_bytes, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_cold_delete_cell(store, vector, cell->id, err);
    }
    sqlite3_free(all);
    return rc;
}

/* Has the open block records of this row of t_vectors? */
static int cold_has_group(const vs_store *store, int vector, int64_t group)
{
    const vs_store_cold *cold = &store->cold[vector];
    uint32_t first = cold_first(store, vector, group);
    for (uint32_t i = first; i < first + store->geometry.vectors[vector].per_row; i++) {
        if (cold->block.kinds[i] != VS_COLD_UNUSED) {
            return 1;
        }
    }
    return 0;
}

/* Overwrites the records of one row of t_vectors in the open block; without records it goes. */
static int cold_forget(vs_store *store, int vector, int64_t group, vs_err *err)
{
    vs_store_cold *cold = &store->cold[vector];
    size_t per_row = store->geometry.vectors[vector].per_row;
    size_t vector_bytes = store->geometry.vectors[vector].vector_bytes;
    uint32_t first = cold_first(store, vector, group);
    vs_cold_block *block = &cold->block;
    memset(block->rowids + first, 0, per_row * sizeof *block->rowids);
    memset(block->kinds + first, VS_COLD_UNUSED, per_row);
    memset(block->vectors + first * vector_bytes, 0, per_row * vector_bytes);
    int rc = cold_put(store, vector, cold->number, block, err);
    cold_close(cold); /* it is not what has this stamp, which a rollback would bring back */
    return rc;
}

int vs_store_warm_group(vs_store *store, int vector, const vs_cell *cell, uint32_t slot,
                        vs_err *err)
{
    uint32_t per_row = store->geometry.vectors[vector].per_row;
    uint32_t first = slot / per_row * per_row;
    int64_t group =
        vs_store_group(store, vector, cell->id * (int64_t)store->geometry.slots + (int64_t)first);
    int is_there = 0, is_cold = 0, is_secure = 0;
    int rc = vs_store_has_row(store, vector, VS_SQL_VECTORS, group, &is_there, err);
    if (rc == SQLITE_OK) {
        rc = vs_store_is_secure(store, &is_secure, err);
    }
    if (rc != SQLITE_OK || (is_there && !is_secure)) {
        return rc;
    }
    uint8_t *records = sqlite3_malloc64(vs_store_group_bytes(store, vector));
    rc = records == NULL ? SQLITE_NOMEM
                         : vs_store_cold_group(store, vector, group, records, &is_cold, err);
    if (rc == SQLITE_OK && is_cold && !is_there) {
        rc = vs_store_write_group(store, vector, cell, first, records, err);
    }
    if (rc == SQLITE_OK && is_cold && is_secure && cold_has_group(store, vector, group)) {
        rc = cold_forget(store, vector, group, err);
    }
    sqlite3_free(records);
    return rc;
}
