/*
 * format.c - the bytes in the shadow tables.
 *
 * Every structure begins with a checksum of all that follows it (behind a magic word where it
 * stands alone in a row), so a reader first compares the length, then the checksum, and then the
 * values, which may still be anything: a checksum finds damage, and a forger can compute it too.
 * Layouts with their offsets are in docs/FORMAT.md and at each writer.
 *
 * Calls: kernels (checksum, sizes), declare.c.
 * Called by: store.c, codes.c, view.c, maint.c.
 * Threads: any.
 */
#include "format.h"

#include "bytes.h"
#include "half.h"

#include <math.h>

#define FORMAT_CODED_CELL_BYTES (96 << 10)
#define FORMAT_PLAIN_CELL_BYTES (64 << 10)
#define FORMAT_CODED_ROW_BYTES (12 << 10)
#define FORMAT_PLAIN_ROW_BYTES (64 << 10)
#define FORMAT_BLOCK_BYTES (64 << 10)

/* Set in the flags of every record that was written, so that zeros are none. */
#define FORMAT_USED 0x80000000u

/* ---- numbers --------------------------------------------------------------------------------- */

static uint32_t format_checksum(const uint8_t *at, size_t n)
{
    return vsk_get()->checksum(at, n);
}

/* "memories_cells, row 7: the checksum of the cell is 0000002a, computed is 0000002b" */
static int format_wrong_checksum(vs_err *err, const char *place, const char *what, uint32_t stored,
                                 uint32_t computed)
{
    return vs_error(err, SQLITE_CORRUPT_VTAB,
                    "%s: the checksum of the %s is %08x, computed is %08x", place, what,
                    (unsigned)stored, (unsigned)computed);
}

/* ---- sizes ----------------------------------------------------------------------------------- */

/* The largest power of two p with p * each <= limit, within lo .. hi. */
static uint32_t format_power(size_t each, size_t limit, uint32_t lo, uint32_t hi)
{
    uint32_t p = lo;
    while (p < hi && 2 * (uint64_t)p * each <= limit) {
        p *= 2;
    }
    return p;
}

static uint32_t format_slots(const vs_declaration *declaration)
{
    size_t planes = 0, vectors = 1;
    for (int i = 0; i < declaration->vector_count; i++) {
        const vs_vector_spec *spec = &declaration->vectors[i];
        size_t code_dim = vs_declare_is_coded(spec) ? vsk_code_dim(spec->dim) : 0;
        size_t bytes = vsk_bytes(spec->stored, spec->dim);
        planes = code_dim > planes ? code_dim : planes;
        vectors = bytes > vectors ? bytes : vectors;
    }
    return planes > 0 ? format_power(planes, FORMAT_CODED_CELL_BYTES, VS_SLOTS_MIN, VS_SLOTS_MAX)
                      : format_power(vectors, FORMAT_PLAIN_CELL_BYTES, VS_SLOTS_MIN, VS_SLOTS_MAX);
}

void vs_format_geometry(const vs_declaration *declaration, vs_geometry *out)
{
    memset(out, 0, sizeof *out);
    out->slots = format_slots(declaration);
    for (int i = 0; i < declaration->vector_count; i++) {
        const vs_vector_spec *spec = &declaration->vectors[i];
        int is_coded = vs_declare_is_coded(spec);
        int is_elsewhere = is_coded && declaration->content != NULL;
        size_t bytes = is_elsewhere ? 0 : vsk_bytes(spec->stored, spec->dim);
        out->vectors[i].is_coded = is_coded;
        out->vectors[i].vector_bytes = bytes;
        out->vectors[i].record_bytes = (VS_RECORD_HEADER_BYTES + bytes + 3) / 4 * 4;
        if (spec->is_half && !is_elsewhere) {
            out->vectors[i].half_bytes =
                (VS_HALF_HEADER_BYTES + spec->dim * sizeof(uint16_t) + 3) / 4 * 4;
        }
        out->vectors[i].per_row = format_power(
            bytes, is_coded ? FORMAT_CODED_ROW_BYTES : FORMAT_PLAIN_ROW_BYTES, 1, out->slots);
        if (is_coded && bytes > 0) {
            out->vectors[i].per_block =
                format_power(bytes * out->vectors[i].per_row, FORMAT_BLOCK_BYTES, 1,
                             out->slots / out->vectors[i].per_row);
        }
        if (is_coded) {
            out->vectors[i].code_dim = vsk_code_dim(spec->dim);
            out->vectors[i].fine_bytes = out->vectors[i].code_dim / 2;
            out->vectors[i].coarse_bytes = VS_CODE_HEADER_BYTES + out->vectors[i].fine_bytes;
        }
    }
}

/* ---- head ------------------------------------------------------------------------------------ */

/*
 *  0  "VSH1"            4  checksum of all behind it
 *  8  stamp [16]       24  next_cell i64      32  cell_count u32      36  0 u32
 */
static const uint8_t format_head_magic[4] = {'V', 'S', 'H', '1'};

void vs_format_write_head(const vs_head *head, uint8_t out[VS_HEAD_BYTES])
{
    memcpy(out, format_head_magic, 4);
    memcpy(out + 8, head->stamp, VS_STAMP_BYTES);
    vs_put64(out + 24, (uint64_t)head->next_cell);
    vs_put32(out + 32, head->cell_count);
    vs_put32(out + 36, 0);
    vs_put32(out + 4, format_checksum(out + 8, VS_HEAD_BYTES - 8));
}

/* Length, magic word and checksum of a structure that stands alone in a row. */
static int format_check_start(const char *place, const char *what, const uint8_t magic[4],
                              const uint8_t *at, size_t n, size_t expected, vs_err *err)
{
    if (at == NULL || n != expected) {
        return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: the %s must have %lld bytes, found %lld",
                        place, what, (sqlite3_int64)expected, (sqlite3_int64)(at == NULL ? 0 : n));
    }
    if (memcmp(at, magic, 4) != 0) {
        return vs_error(err, SQLITE_CORRUPT_VTAB,
                        "%s: the %s must begin with %.4s, found the bytes %02x %02x %02x %02x",
                        place, what, (const char *)magic, at[0], at[1], at[2], at[3]);
    }
    uint32_t computed = format_checksum(at + 8, n - 8);
    return vs_get32(at + 4) == computed
               ? SQLITE_OK
               : format_wrong_checksum(err, place, what, vs_get32(at + 4), computed);
}

/* A place as messages name it. Tables may have any name, so it is cut. */
typedef struct format_place {
    char text[160];
} format_place;

static format_place format_row(const char *table, const char *suffix, int64_t row)
{
    format_place place;
    sqlite3_snprintf((int)sizeof place.text, place.text, "%.100s_%s, row %lld", table, suffix,
                     (sqlite3_int64)row);
    return place;
}

int vs_format_read_head(const char *table, const void *data, size_t n, vs_head *out, vs_err *err)
{
    const uint8_t *at = data;
    format_place place = format_row(table, "cells", VS_HEAD_ID);
    int rc = format_check_start(place.text, "head", format_head_magic, at, n, VS_HEAD_BYTES, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    memcpy(out->stamp, at + 8, VS_STAMP_BYTES);
    out->next_cell = vs_get_signed64(at + 24);
    out->cell_count = vs_get32(at + 32);
    if (out->next_cell < 1 || out->next_cell > VS_HEAD_ID) {
        return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: the next cell must be 1 to %lld, found %lld",
                        place.text, (sqlite3_int64)VS_HEAD_ID, (sqlite3_int64)out->next_cell);
    }
    if ((int64_t)out->cell_count >= out->next_cell) {
        return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: %u cells, and the next new one is %lld",
                        place.text, (unsigned)out->cell_count, (sqlite3_int64)out->next_cell);
    }
    if (vs_get32(at + 36) != 0) {
        return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: the last word must be 0, found %u",
                        place.text, (unsigned)vs_get32(at + 36));
    }
    return SQLITE_OK;
}

/* ---- cells ----------------------------------------------------------------------------------- */

/*
 *  0  "VSC1"            4  checksum of all behind it
 *  8  id i64           16  part i64           24  stamp [16]
 * 40  live u32         44  flags u32: 1 coded
 * 48  slots u32        52  vector columns u32
 * 56  code ids u64 [vector columns], then the map: slots / 8 bytes, bit s % 8 of byte s / 8
 */
#define FORMAT_CELL_HEADER_BYTES 56
#define FORMAT_CELL_CODED 1u
static const uint8_t format_cell_magic[4] = {'V', 'S', 'C', '1'};

static size_t format_cell_bytes(uint32_t slots, int vector_count)
{
    return FORMAT_CELL_HEADER_BYTES + 8 * (size_t)vector_count + slots / 8;
}

static uint32_t format_count_bits(const uint64_t *map)
{
    uint32_t count = 0;
    for (int i = 0; i < VS_SLOTS_MAX / 64; i++) {
        uint64_t x = map[i];
        x = x - (x >> 1 & 0x5555555555555555u);
        x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
        x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
        count += (uint32_t)(x * 0x0101010101010101u >> 56);
    }
    return count;
}

size_t vs_format_write_cell(const vs_cell *cell, uint32_t slots, int vector_count,
                            uint8_t out[VS_CELL_BYTES_MAX])
{
    size_t n = format_cell_bytes(slots, vector_count);
    uint8_t *at = out + FORMAT_CELL_HEADER_BYTES;
    assert(slots >= VS_SLOTS_MIN && slots <= VS_SLOTS_MAX && (slots & (slots - 1)) == 0);
    assert(vector_count >= 1 && vector_count <= VS_VECTORS_MAX);
    assert(cell->id >= 1 && cell->id <= VS_CELL_ID_MAX);
    assert(cell->live == format_count_bits(cell->map));
    memcpy(out, format_cell_magic, 4);
    vs_put64(out + 8, (uint64_t)cell->id);
    vs_put64(out + 16, (uint64_t)cell->part);
    memcpy(out + 24, cell->stamp, VS_STAMP_BYTES);
    vs_put32(out + 40, cell->live);
    vs_put32(out + 44, cell->is_coded ? FORMAT_CELL_CODED : 0);
    vs_put32(out + 48, slots);
    vs_put32(out + 52, (uint32_t)vector_count);
    for (int i = 0; i < vector_count; i++, at += 8) {
        vs_put64(at, cell->code_id[i]);
    }
    for (uint32_t i = 0; i < slots / 8; i++) {
        at[i] = (uint8_t)(cell->map[i / 8] >> (8 * (i % 8)));
    }
    vs_put32(out + 4, format_checksum(out + 8, n - 8));
    return n;
}

/* The values of a cell row against what the reader knows and against each other. */
static int format_check_cell(const char *place, const uint8_t *at, int64_t id, int64_t part,
                             uint32_t slots, int vector_count, const vs_cell *cell, vs_err *err)
{
    uint32_t flags = vs_get32(at + 44);
    uint32_t bits = format_count_bits(cell->map);
    if (cell->id != id || cell->part != part) {
        return vs_error(err, SQLITE_CORRUPT_VTAB,
                        "%s: the bytes are those of cell %lld of part %lld, expected cell %lld of "
                        "part %lld",
                        place, (sqlite3_int64)cell->id, (sqlite3_int64)cell->part,
                        (sqlite3_int64)id, (sqlite3_int64)part);
    }
    if (vs_get32(at + 48) != slots || vs_get32(at + 52) != (uint32_t)vector_count) {
        return vs_error(err, SQLITE_CORRUPT_VTAB,
                        "%s: %u slots and %u vector columns, expected %u and %d", place,
                        (unsigned)vs_get32(at + 48), (unsigned)vs_get32(at + 52), (unsigned)slots,
                        vector_count);
    }
    if (flags & ~FORMAT_CELL_CODED) {
        return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: unknown flags %08x", place, (unsigned)flags);
    }
    if (cell->live != bits) {
        return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: %u rows, and the map has %u", place,
                        (unsigned)cell->live, (unsigned)bits);
    }
    return SQLITE_OK;
}

int vs_format_read_cell(const char *table, int64_t id, int64_t part, uint32_t slots,
                        int vector_count, const void *data, size_t n, vs_cell *out, vs_err *err)
{
    const uint8_t *at = data;
    format_place place = format_row(table, "cells", id);
    if (id < 1 || id > VS_CELL_ID_MAX) {
        return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: the id of a cell must be 1 to %lld",
                        place.text, (sqlite3_int64)VS_CELL_ID_MAX);
    }
    int rc = format_check_start(place.text, "cell", format_cell_magic, at, n,
                                format_cell_bytes(slots, vector_count), err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    memset(out, 0, sizeof *out);
    out->id = vs_get_signed64(at + 8);
    out->part = vs_get_signed64(at + 16);
    memcpy(out->stamp, at + 24, VS_STAMP_BYTES);
    out->live = vs_get32(at + 40);
    out->is_coded = (int)(vs_get32(at + 44) & FORMAT_CELL_CODED);
    const uint8_t *ids = at + FORMAT_CELL_HEADER_BYTES;
    const uint8_t *map = ids + 8 * (size_t)vector_count;
    for (int i = 0; i < vector_count; i++) {
        out->code_id[i] = vs_get64(ids + 8 * (size_t)i);
    }
    for (uint32_t i = 0; i < slots / 8; i++) { /* bits beyond the slots are not even stored */
        out->map[i / 8] |= (uint64_t)map[i] << (8 * (i % 8));
    }
    return format_check_cell(place.text, at, id, part, slots, vector_count, out, err);
}

/* ---- vector records -------------------------------------------------------------------------- */

/*
 *  0  checksum of all behind it, padding too
 *  4  flags u32: 1 has a vector, 2 whole in a column with halves, FORMAT_USED
 *  8  rowid i64        16  vector, then zeros to a multiple of 4
 */
#define FORMAT_RECORD_HAS_VECTOR 1u
#define FORMAT_RECORD_WHOLE 2u

void vs_format_write_record(int64_t rowid, const void *vector, size_t vector_bytes,
                            size_t record_bytes, uint8_t *out)
{
    uint8_t *at = out + VS_RECORD_HEADER_BYTES;
    assert(record_bytes >= VS_RECORD_HEADER_BYTES + vector_bytes);
    vs_put32(out + 4, FORMAT_USED | (vector == NULL ? 0 : FORMAT_RECORD_HAS_VECTOR));
    vs_put64(out + 8, (uint64_t)rowid);
    if (vector == NULL) {
        memset(at, 0, vector_bytes);
    } else if (vector != at) {
        memcpy(at, vector, vector_bytes);
    }
    memset(at + vector_bytes, 0, record_bytes - VS_RECORD_HEADER_BYTES - vector_bytes);
    vs_put32(out, format_checksum(out + 4, record_bytes - 4));
}

/* "memories_vectors0, place 517": rare, so made only when it is needed */
static format_place format_slot(const char *table, const char *suffix, int vector, int64_t loc)
{
    format_place place;
    sqlite3_snprintf((int)sizeof place.text, place.text, "%.100s_%s%d, place %lld", table, suffix,
                     vector, (sqlite3_int64)loc);
    return place;
}

/* mark: FORMAT_RECORD_WHOLE, which the record must have, or 0. */
static int format_read_record(const char *table, int vector, int64_t loc, const void *data,
                              size_t n, size_t vector_bytes, size_t record_bytes, uint32_t mark,
                              int64_t *out_rowid, const void **out_vector, vs_err *err)
{
    const uint8_t *at = data;
    *out_vector = NULL;
    if (at == NULL || n < record_bytes || record_bytes < VS_RECORD_HEADER_BYTES ||
        vector_bytes > record_bytes - VS_RECORD_HEADER_BYTES) {
        return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: expected a record of %lld bytes, found %lld",
                        format_slot(table, "vectors", vector, loc).text,
                        (sqlite3_int64)record_bytes, (sqlite3_int64)(at == NULL ? 0 : n));
    }
    uint32_t flags = vs_get32(at + 4);
    uint32_t computed = format_checksum(at + 4, record_bytes - 4);
    if (vs_get32(at) != computed) {
        return format_wrong_checksum(err, format_slot(table, "vectors", vector, loc).text, "record",
                                     vs_get32(at), computed);
    }
    if ((flags & ~FORMAT_RECORD_HAS_VECTOR) != (FORMAT_USED | mark)) {
        return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: no record: its flags are %08x",
                        format_slot(table, "vectors", vector, loc).text, (unsigned)flags);
    }
    *out_rowid = vs_get_signed64(at + 8);
    if (flags & FORMAT_RECORD_HAS_VECTOR) {
        *out_vector = at + VS_RECORD_HEADER_BYTES;
    }
    return SQLITE_OK;
}

int vs_format_read_record(const char *table, int vector, int64_t loc, const void *data, size_t n,
                          size_t vector_bytes, size_t record_bytes, int64_t *out_rowid,
                          const void **out_vector, vs_err *err)
{
    return format_read_record(table, vector, loc, data, n, vector_bytes, record_bytes, 0, out_rowid,
                              out_vector, err);
}

/* ---- records with halves --------------------------------------------------------------------- */

int vs_format_is_whole(const uint8_t header[VS_RECORD_HEADER_BYTES])
{
    return (vs_get32(header + 4) & FORMAT_RECORD_WHOLE) != 0;
}

void vs_format_mark_whole(size_t record_bytes, uint8_t *record)
{
    uint32_t flags = vs_get32(record + 4);
    vs_put32(record + 4, flags | FORMAT_RECORD_WHOLE);
    if (flags & FORMAT_USED) {
        vs_put32(record, format_checksum(record + 4, record_bytes - 4));
    }
}

int vs_format_write_half(int64_t rowid, const float *vector, size_t dim, size_t half_bytes,
                         uint8_t *out)
{
    uint16_t *elements = (uint16_t *)(void *)(out + VS_HALF_HEADER_BYTES);
    float norm = 1.0f;
    if (vector != NULL && !vs_half_find(vector, dim, VSK_F16, elements, &norm)) {
        return 0;
    }
    vs_put_float(out + VS_RECORD_HEADER_BYTES, norm);
    vs_format_write_record(rowid, vector == NULL ? NULL : out + VS_RECORD_HEADER_BYTES,
                           sizeof norm + dim * sizeof *elements, half_bytes, out);
    return 1;
}

/* What was never used, and what was erased: nothing but the mark. */
static int format_is_unused(const uint8_t *record)
{
    static const uint8_t zeros[VS_RECORD_HEADER_BYTES];
    return (vs_get32(record + 4) & ~FORMAT_RECORD_WHOLE) == 0 && memcmp(record, zeros, 4) == 0 &&
           memcmp(record + 8, zeros + 8, 8) == 0;
}

int vs_format_widen_record(const char *table, int vector, int64_t loc, const uint8_t *record,
                           size_t half_bytes, size_t dim, size_t record_bytes, uint8_t *out,
                           vs_err *err)
{
    float *widened = (float *)(void *)(out + VS_RECORD_HEADER_BYTES);
    const void *found = NULL;
    int64_t rowid = 0;
    if (format_is_unused(record)) {
        memset(out, 0, record_bytes);
        return SQLITE_OK;
    }
    int is_whole = vs_format_is_whole(record);
    size_t bytes = is_whole ? record_bytes : half_bytes;
    int rc = format_read_record(table, vector, loc, record, bytes, bytes - VS_RECORD_HEADER_BYTES,
                                bytes, is_whole ? FORMAT_RECORD_WHOLE : 0, &rowid, &found, err);
    if (rc == SQLITE_OK && found != NULL && is_whole) {
        memcpy(widened, found, dim * sizeof *widened);
    } else if (rc == SQLITE_OK && found != NULL) {
        float norm = vs_get_float(record + VS_RECORD_HEADER_BYTES);
        if (!(norm > 0.0f && norm < INFINITY)) {
            return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: the norm of its halves is %g",
                            format_slot(table, "vectors", vector, loc).text, (double)norm);
        }
        vs_half_widen((const uint16_t *)(const void *)(record + VS_HALF_HEADER_BYTES), dim, VSK_F16,
                      norm, widened);
    }
    if (rc == SQLITE_OK) {
        vs_format_write_record(rowid, found == NULL ? NULL : widened, dim * sizeof *widened,
                               record_bytes, out);
    }
    return rc;
}

/* ---- code records ---------------------------------------------------------------------------- */

/*
 * coarse:  0  checksum of all behind it      4  checksum of plane C, which is the fine part
 *          8  rowid i64                     16  r
 *         20  cos4, sin4, inv4, cos8, sin8, inv8: float32 each
 *         44  flags u32: VS_CODE_..., FORMAT_USED
 *         48  plane B
 */
#define FORMAT_CODE_FLAGS ((uint32_t)(VS_CODE_HAS_VECTOR | VS_CODE_NO_BOUND))

void vs_format_write_code(const vs_code_record *record, size_t code_dim, uint8_t *coarse,
                          uint8_t *fine)
{
    size_t plane_bytes = code_dim / 2;
    uint8_t *plane_b = coarse + VS_CODE_HEADER_BYTES;
    assert((record->flags & ~FORMAT_CODE_FLAGS) == 0);
    if (record->plane_b != plane_b) {
        memcpy(plane_b, record->plane_b, plane_bytes);
    }
    if (record->plane_c != fine) {
        memcpy(fine, record->plane_c, plane_bytes);
    }
    vs_put32(coarse + 4, format_checksum(fine, plane_bytes));
    vs_put64(coarse + 8, (uint64_t)record->rowid);
    vs_put_float(coarse + 16, record->r);
    vs_put_float(coarse + 20, record->terms.cos4);
    vs_put_float(coarse + 24, record->terms.sin4);
    vs_put_float(coarse + 28, record->terms.inv4);
    vs_put_float(coarse + 32, record->terms.cos8);
    vs_put_float(coarse + 36, record->terms.sin8);
    vs_put_float(coarse + 40, record->terms.inv8);
    vs_put32(coarse + 44, record->flags | FORMAT_USED);
    vs_put32(coarse, format_checksum(coarse + 4, VS_CODE_HEADER_BYTES - 4 + plane_bytes));
}

/* Floats that are not negative are ordered as their bits; sign bit, infinity and NaN lie above. */
#define FORMAT_FLOAT_MAX 0x7f7fffffu
#define FORMAT_ABOUT_ONE 0x3f800054u /* 1 + 1e-5 */

static int format_check_terms(const uint8_t *header)
{
    return vs_get32(header + 16) <= FORMAT_FLOAT_MAX && vs_get32(header + 20) <= FORMAT_ABOUT_ONE &&
           vs_get32(header + 24) <= FORMAT_ABOUT_ONE && vs_get32(header + 28) <= FORMAT_FLOAT_MAX &&
           vs_get32(header + 32) <= FORMAT_ABOUT_ONE && vs_get32(header + 36) <= FORMAT_ABOUT_ONE &&
           vs_get32(header + 40) <= FORMAT_FLOAT_MAX;
}

/* The checksums of a code were computed: those of its coarse and its fine part. */
static int format_read_code(const char *table, int vector, int64_t loc, const uint8_t *coarse,
                            const uint8_t *fine, const uint32_t sums[2], vs_code_record *out,
                            vs_err *err)
{
    if (vs_get32(coarse) != sums[0]) {
        return format_wrong_checksum(err, format_slot(table, "codes", vector, loc).text, "code",
                                     vs_get32(coarse), sums[0]);
    }
    if (fine != NULL && vs_get32(coarse + 4) != sums[1]) {
        return format_wrong_checksum(err, format_slot(table, "codes", vector, loc).text,
                                     "fine code", vs_get32(coarse + 4), sums[1]);
    }
    uint32_t flags = vs_get32(coarse + 44);
    if ((flags & ~FORMAT_CODE_FLAGS) != FORMAT_USED) {
        return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: no code: its flags are %08x",
                        format_slot(table, "codes", vector, loc).text, (unsigned)flags);
    }
    out->flags = flags & FORMAT_CODE_FLAGS;
    if (!(flags & VS_CODE_NO_BOUND) && !format_check_terms(coarse)) {
        return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: the terms of the code are out of range",
                        format_slot(table, "codes", vector, loc).text);
    }
    out->rowid = vs_get_signed64(coarse + 8);
    out->r = vs_get_float(coarse + 16);
    out->terms.cos4 = vs_get_float(coarse + 20);
    out->terms.sin4 = vs_get_float(coarse + 24);
    out->terms.inv4 = vs_get_float(coarse + 28);
    out->terms.cos8 = vs_get_float(coarse + 32);
    out->terms.sin8 = vs_get_float(coarse + 36);
    out->terms.inv8 = vs_get_float(coarse + 40);
    out->plane_b = coarse + VS_CODE_HEADER_BYTES;
    out->plane_c = fine;
    return SQLITE_OK;
}

int vs_format_read_codes(const char *table, int vector, int64_t loc, const vs_code_rows *rows,
                         uint32_t count, uint32_t live, vs_code_record *out, vs_err *err)
{
    vsk_checksum_rows_fn checksum_rows = vsk_get()->checksum_rows;
    size_t plane_bytes = rows->code_dim / 2;
    uint32_t coarse_sums[VS_CODE_ROWS], fine_sums[VS_CODE_ROWS] = {0};
    int rc = SQLITE_OK;
    checksum_rows(rows->coarse + 4, rows->coarse_bytes, VS_CODE_HEADER_BYTES - 4 + plane_bytes,
                  count, coarse_sums);
    if (rows->fine != NULL) {
        checksum_rows(rows->fine, rows->fine_bytes, plane_bytes, count, fine_sums);
    }
    for (uint32_t i = 0; i < count && rc == SQLITE_OK; i++) {
        const uint32_t sums[2] = {coarse_sums[i], fine_sums[i]};
        if (live >> i & 1u) {
            rc = format_read_code(table, vector, loc + i, rows->coarse + i * rows->coarse_bytes,
                                  rows->fine == NULL ? NULL : rows->fine + i * rows->fine_bytes,
                                  sums, &out[i], err);
        }
    }
    return rc;
}

/* ---- descriptions of codes ------------------------------------------------------------------- */

/*
 *  0  "VSD1"            4  checksum of all behind it
 *  8  id u64           16  kind u32           20  dim u32           24  anchor float32 [dim]
 */
#define FORMAT_DESCRIPTION_HEADER_BYTES 24
static const uint8_t format_description_magic[4] = {'V', 'S', 'D', '1'};

void *vs_format_write_description(const vs_code_description *description, size_t *out_bytes)
{
    size_t anchor_bytes = 4 * description->dim;
    size_t n = FORMAT_DESCRIPTION_HEADER_BYTES + anchor_bytes;
    assert(description->id != 0 && description->dim >= 1 && description->dim <= VS_DIM_MAX);
    *out_bytes = 0;
    uint8_t *out = sqlite3_malloc64(n);
    if (out == NULL) {
        return NULL;
    }
    memcpy(out, format_description_magic, 4);
    vs_put64(out + 8, description->id);
    vs_put32(out + 16, description->kind);
    vs_put32(out + 20, (uint32_t)description->dim);
    memcpy(out + FORMAT_DESCRIPTION_HEADER_BYTES, description->anchor, anchor_bytes);
    vs_put32(out + 4, format_checksum(out + 8, n - 8));
    *out_bytes = n;
    return out;
}

int vs_format_read_description(const char *table, const void *data, size_t n, uint64_t id,
                               size_t dim, vs_code_description *out, vs_err *err)
{
    const uint8_t *at = data;
    char place[160];
    sqlite3_snprintf((int)sizeof place, place, "%.100s_info, codes %016llx", table,
                     (sqlite3_uint64)id);
    int rc = format_check_start(place, "description", format_description_magic, at, n,
                                FORMAT_DESCRIPTION_HEADER_BYTES + 4 * dim, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    out->id = vs_get64(at + 8);
    out->kind = vs_get32(at + 16);
    out->dim = vs_get32(at + 20);
    out->anchor = (const float *)(const void *)(at + FORMAT_DESCRIPTION_HEADER_BYTES);
    if (out->id != id || id == 0 || out->dim != dim) {
        return vs_error(err, SQLITE_CORRUPT_VTAB,
                        "%s: the bytes are those of codes %016llx with %lld dimensions, expected "
                        "%lld",
                        place, (sqlite3_uint64)out->id, (sqlite3_int64)out->dim,
                        (sqlite3_int64)dim);
    }
    if (out->kind != VS_CODE_KIND_ROTATED) {
        return vs_error(err, SQLITE_CORRUPT_VTAB,
                        "%s: codes of kind %u, and this version knows kind %d only", place,
                        (unsigned)out->kind, VS_CODE_KIND_ROTATED);
    }
    size_t bad = vsk_get()->find_nonfinite[VSK_F32](at + FORMAT_DESCRIPTION_HEADER_BYTES, dim);
    if (bad < dim) {
        return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: element %lld of the anchor is not finite",
                        place, (sqlite3_int64)bad);
    }
    return SQLITE_OK;
}
