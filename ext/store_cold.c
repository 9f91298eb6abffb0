/*
 * store_cold.c - full vectors of cold cells: blocks of compressed vectors in t_cold.
 *
 * A block holds the records of some neighbouring rows of t_vectors, which are gone then. A row of
 * t_vectors that is there comes first: what is written to a cold cell lands there, beside the old
 * copy in the block. Codes stay as they are, so a search decodes only blocks that hold candidates.
 *
 *     0  "VSB1"          4  checksum of all behind it      8  number of the block i64
 *    16  records u32    20  bytes of the frame u32        24  rowids i64 [records]
 *    then what each record is, u8 [records], zeros to a multiple of 8, and a frame (frame.h) with the
 *    vectors of all records, zeros where there is none
 *
 * Calls: store.c, store_vectors.c, format.c, frame.h.
 * Called by: store_vectors.c, store_write.c, check.c.
 * Threads: the connection's.
 */
#include "store_cold.h"

#include "frame.h"

#define COLD_HEADER_BYTES 24
#define COLD_LEVEL 1 /* of zstd: higher ones gain next to nothing on vectors */

enum { COLD_UNUSED, COLD_NULL, COLD_VECTOR, COLD_KINDS };

static const uint8_t cold_magic[4] = {'V', 'S', 'B', '1'};

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

/* Where its frame begins. */
static size_t cold_frame_at(uint32_t records)
{
    return COLD_HEADER_BYTES + 8 * (size_t)records + ((size_t)records + 7) / 8 * 8;
}

static int64_t cold_block(const vs_store *store, int vector, int64_t group)
{
    return group / (int64_t)store->geometry.vectors[vector].per_block;
}

static vs_frame_shape cold_shape(const vs_store *store, int vector)
{
    const vs_vector_spec *spec = &store->declaration.vectors[vector];
    vs_frame_elem elem = spec->stored == VSK_F32   ? VS_FRAME_F32
                         : spec->stored == VSK_F16 ? VS_FRAME_F16
                                                   : VS_FRAME_BF16;
    return (vs_frame_shape){elem, (uint32_t)spec->dim, cold_records(store, vector)};
}

static void cold_put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint32_t cold_get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void cold_put64(uint8_t *at, uint64_t value)
{
    cold_put32(at, (uint32_t)value);
    cold_put32(at + 4, (uint32_t)(value >> 32));
}

static int64_t cold_get64(const uint8_t *at)
{
    return (int64_t)((uint64_t)cold_get32(at) | (uint64_t)cold_get32(at + 4) << 32);
}

/* ---- reading --------------------------------------------------------------------------------- */

void vs_store_cold_close(vs_store_cold *cold)
{
    sqlite3_free(cold->vectors);
    sqlite3_free(cold->rowids);
    memset(cold, 0, sizeof *cold);
}

/* A frame that does not decode is damage, like everything in a shadow table. */
static int cold_damaged(const vs_store *store, int vector, int64_t block, const char *what,
                        vs_err *err)
{
    return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: block %lld of \"%s_cold%d\": %s", store->label,
                    (long long)block, store->table, vector, what);
}

static int cold_check(const vs_store *store, int vector, int64_t block, const uint8_t *data,
                      size_t n, vs_err *err)
{
    uint32_t records = cold_records(store, vector);
    size_t frame_at = cold_frame_at(records);
    if (data == NULL || n < frame_at || memcmp(data, cold_magic, sizeof cold_magic) != 0) {
        return cold_damaged(store, vector, block, "it is no block", err);
    }
    if (cold_get32(data + 4) != vsk_get()->checksum(data + 8, n - 8)) {
        return cold_damaged(store, vector, block, "its checksum is wrong", err);
    }
    if (cold_get64(data + 8) != block || cold_get32(data + 16) != records ||
        cold_get32(data + 20) != n - frame_at) {
        return cold_damaged(store, vector, block, "it has another number, or another size", err);
    }
    for (uint32_t i = 0; i < records; i++) {
        if (data[COLD_HEADER_BYTES + 8 * (size_t)records + i] >= COLD_KINDS) {
            return cold_damaged(store, vector, block, "a record is of no known kind", err);
        }
    }
    return SQLITE_OK;
}

/* Decodes the frame of a block that was checked. */
static int cold_decode(const vs_store *store, int vector, int64_t block, const uint8_t *frame,
                       size_t n, void **out, vs_err *err)
{
    vs_frame_shape shape = cold_shape(store, vector);
    size_t bytes = (size_t)shape.count * store->geometry.vectors[vector].vector_bytes;
    vs_err inner = VS_ERR_INIT;
    vs_frame_info info;
    int rc = vs_frame_read("its vectors", frame, n, bytes, &info, &inner);
    if (rc == SQLITE_OK && (info.shape.elem != shape.elem || info.shape.dim != shape.dim ||
                            info.shape.count != shape.count || info.raw_bytes != bytes)) {
        rc = vs_error(&inner, SQLITE_ERROR, "its vectors are others than those of the column");
    }
    if (rc == SQLITE_OK) {
        rc = vs_frame_decode("its vectors", &info, NULL, out, &inner);
    }
    if (rc != SQLITE_OK && rc != SQLITE_NOMEM) {
        rc = cold_damaged(store, vector, block,
                          inner.message == NULL ? "its vectors are damaged" : inner.message, err);
    }
    vs_error_clear(&inner);
    return rc;
}

/* Reads a block: *out_found 0 when there is none. */
static int cold_open(vs_store *store, int vector, int64_t block, vs_store_cold *cold,
                     int *out_found, vs_err *err)
{
    sqlite3_stmt *stmt;
    uint32_t records = cold_records(store, vector);
    size_t frame_at = cold_frame_at(records);
    *out_found = cold->is_open && cold->block == block;
    if (*out_found) {
        return SQLITE_OK;
    }
    vs_store_cold_close(cold);
    int rc = vs_store_vector_statement_get(store, vector, VS_SQL_COLD, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(stmt, 1, block);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        int is_blob = sqlite3_column_type(stmt, 0) == SQLITE_BLOB;
        const uint8_t *data = is_blob ? sqlite3_column_blob(stmt, 0) : NULL;
        size_t n = (size_t)sqlite3_column_bytes(stmt, 0);
        rc = cold_check(store, vector, block, data, n, err);
        if (rc == SQLITE_OK) {
            cold->rowids = sqlite3_malloc64(frame_at - COLD_HEADER_BYTES);
            rc = cold->rowids == NULL ? SQLITE_NOMEM : SQLITE_OK;
        }
        if (rc == SQLITE_OK) {
            memcpy(cold->rowids, data + COLD_HEADER_BYTES, frame_at - COLD_HEADER_BYTES);
            rc = cold_decode(store, vector, block, data + frame_at, n - frame_at, &cold->vectors,
                             err);
        }
        *out_found = rc == SQLITE_OK;
    }
    rc = vs_store_done(store, stmt, rc, "reading a cold block", err);
    cold->is_open = *out_found;
    cold->block = block;
    if (!*out_found) {
        vs_store_cold_close(cold);
    }
    return rc;
}

int vs_store_cold_group(vs_store *store, int vector, int64_t group, vs_store_cold *cold,
                        uint8_t *out, int *out_found, vs_err *err)
{
    size_t vector_bytes = store->geometry.vectors[vector].vector_bytes;
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    uint32_t per_row = store->geometry.vectors[vector].per_row;
    uint32_t records = cold_records(store, vector);
    int64_t block = cold_block(store, vector, group);
    int rc = cold_open(store, vector, block, cold, out_found, err);
    if (rc != SQLITE_OK || !*out_found) {
        return rc;
    }
    uint32_t first =
        (uint32_t)(group % (int64_t)store->geometry.vectors[vector].per_block) * per_row;
    for (uint32_t i = 0; i < per_row; i++) {
        uint8_t kind = cold->rowids[8 * (size_t)records + first + i];
        const uint8_t *vectors = cold->vectors;
        if (kind == COLD_UNUSED) {
            memset(out + i * record_bytes, 0, record_bytes);
        } else {
            vs_format_write_record(cold_get64(cold->rowids + 8 * (size_t)(first + i)),
                                   kind == COLD_NULL ? NULL
                                                     : vectors + (size_t)(first + i) * vector_bytes,
                                   vector_bytes, record_bytes, out + i * record_bytes);
        }
    }
    return SQLITE_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* What goes into a block. */
typedef struct cold_parts {
    uint8_t *head;    /* owned: what lies before the frame */
    uint8_t *vectors; /* owned */
} cold_parts;

static int cold_put(vs_store *store, int vector, int64_t block, const cold_parts *parts,
                    vs_err *err)
{
    static const vs_frame_options options = {VS_FRAME_AUTO, COLD_LEVEL, NULL};
    vs_frame_shape shape = cold_shape(store, vector);
    size_t frame_at = cold_frame_at(shape.count);
    sqlite3_stmt *stmt;
    void *frame = NULL;
    size_t frame_bytes = 0;
    int rc =
        vs_frame_encode(store->label, parts->vectors, &shape, &options, &frame, &frame_bytes, err);
    uint8_t *data = rc == SQLITE_OK ? sqlite3_malloc64(frame_at + frame_bytes) : NULL;
    rc = rc == SQLITE_OK && data == NULL ? SQLITE_NOMEM : rc;
    if (rc == SQLITE_OK) {
        memcpy(data, parts->head, frame_at);
        memcpy(data + frame_at, frame, frame_bytes);
        memcpy(data, cold_magic, sizeof cold_magic);
        cold_put64(data + 8, (uint64_t)block);
        cold_put32(data + 16, shape.count);
        cold_put32(data + 20, (uint32_t)frame_bytes);
        cold_put32(data + 4, vsk_get()->checksum(data + 8, frame_at + frame_bytes - 8));
        rc = vs_store_vector_statement_get(store, vector, VS_SQL_COLD_SET, &stmt, err);
    }
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(stmt, 1, block);
        rc = sqlite3_bind_blob64(stmt, 2, data, frame_at + frame_bytes, SQLITE_STATIC);
        rc = vs_store_done(store, stmt, rc == SQLITE_OK ? sqlite3_step(stmt) : rc,
                           "writing a cold block", err);
    }
    sqlite3_free(frame);
    sqlite3_free(data);
    return rc;
}

int vs_store_cold_delete_cell(vs_store *store, int vector, int64_t cell, vs_err *err)
{
    int64_t slots = (int64_t)store->geometry.slots;
    int64_t first = vs_store_group(store, vector, cell * slots);
    int64_t last = vs_store_group(store, vector, cell * slots + slots - 1);
    return vs_store_delete_range(store, vector, VS_SQL_COLD_DELETE,
                                 cold_block(store, vector, first), cold_block(store, vector, last),
                                 err);
}

/* Takes over one record, if its slot is live. */
static int cold_add(const vs_store *store, int vector, const vs_cell *cell, uint32_t slot,
                    uint32_t number, const uint8_t *record, cold_parts *parts, vs_err *err)
{
    size_t vector_bytes = store->geometry.vectors[vector].vector_bytes;
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    size_t records = cold_records(store, vector);
    int64_t loc = cell->id * (int64_t)store->geometry.slots + (int64_t)slot;
    const void *found = NULL;
    int64_t rowid = 0;
    if (!vs_cell_has(cell, slot)) {
        return SQLITE_OK;
    }
    int rc = vs_format_read_record(store->label, vector, loc, record, record_bytes, vector_bytes,
                                   record_bytes, &rowid, &found, err);
    if (rc == SQLITE_OK) {
        cold_put64(parts->head + COLD_HEADER_BYTES + 8 * (size_t)number, (uint64_t)rowid);
        parts->head[COLD_HEADER_BYTES + 8 * records + number] =
            found == NULL ? COLD_NULL : COLD_VECTOR;
        if (found != NULL) {
            memcpy(parts->vectors + number * vector_bytes, found, vector_bytes);
        }
    }
    return rc;
}

/* Seals one block of a cell from its whole records, [slots]; a block without rows is deleted. */
static int cold_seal_block(vs_store *store, int vector, const vs_cell *cell, uint32_t first,
                           const uint8_t *all, cold_parts *parts, vs_err *err)
{
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    uint32_t records = cold_records(store, vector);
    int64_t loc = cell->id * (int64_t)store->geometry.slots + (int64_t)first;
    int64_t block = cold_block(store, vector, vs_store_group(store, vector, loc));
    int is_used = 0, rc = SQLITE_OK;
    memset(parts->head, 0, cold_frame_at(records));
    memset(parts->vectors, 0, records * store->geometry.vectors[vector].vector_bytes);
    for (uint32_t i = 0; i < records && rc == SQLITE_OK; i++) {
        is_used |= vs_cell_has(cell, first + i);
        rc = cold_add(store, vector, cell, first + i, i, all + (first + i) * record_bytes, parts,
                      err);
    }
    if (rc == SQLITE_OK) {
        rc = is_used ? cold_put(store, vector, block, parts, err)
                     : vs_store_delete_range(store, vector, VS_SQL_COLD_DELETE, block, block, err);
    }
    return rc;
}

int vs_store_seal_column(vs_store *store, int vector, const vs_cell *cell, vs_err *err)
{
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    size_t vector_bytes = store->geometry.vectors[vector].vector_bytes;
    uint32_t slots = store->geometry.slots, records = cold_records(store, vector);
    cold_parts parts = {sqlite3_malloc64(cold_frame_at(records)),
                        sqlite3_malloc64(records * vector_bytes)};
    uint8_t *all = sqlite3_malloc64(slots * record_bytes);
    int rc = parts.head == NULL || parts.vectors == NULL || all == NULL ? SQLITE_NOMEM : SQLITE_OK;
    if (rc == SQLITE_OK) {
        rc = vs_store_read_vectors(store, vector, cell->id, all, err);
    }
    for (uint32_t first = 0; first < slots && rc == SQLITE_OK; first += records) {
        rc = cold_seal_block(store, vector, cell, first, all, &parts, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_delete_groups(store, vector, cell->id, err);
    }
    sqlite3_free(parts.head);
    sqlite3_free(parts.vectors);
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
        first = cold_block(store, vector, first);
        last = cold_block(store, vector, last);
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

/* Has the block, which is open, records of this row of t_vectors? */
static int cold_has_group(const vs_store *store, int vector, int64_t group,
                          const vs_store_cold *cold)
{
    uint32_t per_row = store->geometry.vectors[vector].per_row;
    uint32_t first =
        (uint32_t)(group % (int64_t)store->geometry.vectors[vector].per_block) * per_row;
    const uint8_t *kinds = cold->rowids + 8 * (size_t)cold_records(store, vector);
    for (uint32_t i = first; i < first + per_row; i++) {
        if (kinds[i] != COLD_UNUSED) {
            return 1;
        }
    }
    return 0;
}

/* Overwrites the records of one row of t_vectors in its block, which is open; without records the
 * block goes. */
static int cold_forget(vs_store *store, int vector, int64_t group, vs_store_cold *cold, vs_err *err)
{
    uint32_t per_row = store->geometry.vectors[vector].per_row;
    uint32_t first =
        (uint32_t)(group % (int64_t)store->geometry.vectors[vector].per_block) * per_row;
    size_t vector_bytes = store->geometry.vectors[vector].vector_bytes;
    size_t records = cold_records(store, vector), head_bytes = cold_frame_at((uint32_t)records);
    uint8_t *kinds = cold->rowids + 8 * records, *vectors = cold->vectors;
    cold_parts parts = {sqlite3_malloc64(head_bytes), vectors};
    int is_used = 0;
    if (parts.head == NULL) {
        return SQLITE_NOMEM;
    }
    memset(cold->rowids + 8 * (size_t)first, 0, 8 * (size_t)per_row);
    memset(kinds + first, COLD_UNUSED, per_row);
    memset(vectors + first * vector_bytes, 0, per_row * vector_bytes);
    memset(parts.head, 0, COLD_HEADER_BYTES);
    memcpy(parts.head + COLD_HEADER_BYTES, cold->rowids, head_bytes - COLD_HEADER_BYTES);
    for (size_t i = 0; i < records; i++) {
        is_used |= kinds[i] != COLD_UNUSED;
    }
    int rc = is_used ? cold_put(store, vector, cold->block, &parts, err)
                     : vs_store_delete_range(store, vector, VS_SQL_COLD_DELETE, cold->block,
                                             cold->block, err);
    sqlite3_free(parts.head);
    return rc;
}

int vs_store_warm_group(vs_store *store, int vector, const vs_cell *cell, uint32_t slot,
                        vs_err *err)
{
    uint32_t per_row = store->geometry.vectors[vector].per_row;
    uint32_t first = slot / per_row * per_row;
    int64_t group =
        vs_store_group(store, vector, cell->id * (int64_t)store->geometry.slots + (int64_t)first);
    vs_store_cold cold = {0};
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
                         : vs_store_cold_group(store, vector, group, &cold, records, &is_cold, err);
    if (rc == SQLITE_OK && is_cold && !is_there) {
        rc = vs_store_write_group(store, vector, cell, first, records, err);
    }
    if (rc == SQLITE_OK && is_cold && is_secure && cold_has_group(store, vector, group, &cold)) {
        rc = cold_forget(store, vector, group, &cold, err);
    }
    vs_store_cold_close(&cold);
    sqlite3_free(records);
    return rc;
}
