/*
 * cold_block.c - blocks of t_cold as bytes.
 *
 *     0  "VSB1"          4  checksum of all behind it      8  number of the block i64
 *    16  records u32    20  bytes of the first frame u32  24  bytes of the second u32   28  zero u32
 *    32  rowids i64 [records], then what each record is, u8 [records], zeros to a multiple of 8, and
 *    the two frames (frame.h), each with the vectors of its records, in their order
 *
 * A frame has one transform, and one vector off the half grid would keep all others from the one that
 * halves them. So where a block has both kinds, each gets a frame, unless one for all is smaller.
 *
 * Calls: frame.h, half.c, kernels.
 * Called by: store_cold.c, report_cold.c.
 * Threads: any.
 */
#include "cold_block.h"

#include "bytes.h"
#include "half.h"

#define COLD_BLOCK_HEADER_BYTES 32
#define COLD_BLOCK_LEVEL 1 /* of zstd: higher ones gain next to nothing on vectors */

static const uint8_t cold_block_magic[4] = {'V', 'S', 'B', '1'};

/* ---- In memory ------------------------------------------------------------------------------- */

static size_t cold_block_vector_bytes(const vs_frame_shape *shape)
{
    return shape->dim * (shape->elem == VS_FRAME_F32 ? sizeof(float) : sizeof(uint16_t));
}

/* Rowids and kinds; vectors only if asked for. */
static int cold_block_allocate(const vs_frame_shape *shape, int has_vectors, vs_cold_block *out)
{
    size_t records = shape->count, bytes = records * cold_block_vector_bytes(shape);
    memset(out, 0, sizeof *out);
    out->shape = *shape;
    out->rowids = sqlite3_malloc64(records * (sizeof *out->rowids + sizeof *out->kinds));
    out->vectors = has_vectors ? sqlite3_malloc64(bytes) : NULL;
    if (out->rowids == NULL || (has_vectors && out->vectors == NULL)) {
        return SQLITE_NOMEM;
    }
    out->kinds = (uint8_t *)(out->rowids + records);
    memset(out->rowids, 0, records * (sizeof *out->rowids + sizeof *out->kinds));
    if (has_vectors) {
        memset(out->vectors, 0, bytes);
    }
    return SQLITE_OK;
}

int vs_cold_block_new(const vs_frame_shape *shape, vs_cold_block *out)
{
    return cold_block_allocate(shape, 1, out);
}

void vs_cold_block_free(vs_cold_block *block)
{
    sqlite3_free(block->rowids);
    sqlite3_free(block->vectors);
    memset(block, 0, sizeof *block);
}

int vs_cold_block_is_used(const vs_cold_block *block)
{
    for (uint32_t i = 0; i < block->shape.count; i++) {
        if (block->kinds[i] != VS_COLD_UNUSED) {
            return 1;
        }
    }
    return 0;
}

static uint32_t cold_block_count(const uint8_t *kinds, uint32_t records, vs_cold_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < records; i++) {
        count += kinds[i] == kind;
    }
    return count;
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* Where the kinds begin. */
static size_t cold_block_kinds_at(uint32_t records)
{
    return COLD_BLOCK_HEADER_BYTES + 8 * (size_t)records;
}

size_t vs_cold_block_head_bytes(uint32_t records)
{
    return cold_block_kinds_at(records) + ((size_t)records + 7) / 8 * 8;
}

void vs_cold_block_sizes(const void *data, size_t out[VS_COLD_FRAMES])
{
    for (size_t i = 0; i < VS_COLD_FRAMES; i++) {
        out[i] = vs_get32((const uint8_t *)data + 20 + 4 * i);
    }
}

/* ---- Encoding -------------------------------------------------------------------------------- */

/* What becomes of the vectors. */
typedef struct cold_block_frames {
    uint8_t *kinds;               /* owned: [records] */
    uint8_t *packed;              /* owned: room for all vectors */
    void *frames[VS_COLD_FRAMES]; /* owned; NULL: none */
    size_t bytes[VS_COLD_FRAMES];
} cold_block_frames;

/* Asks of each float32 vector whether it is on the half grid. */
static int cold_block_sort(const vs_cold_block *block, uint8_t *kinds)
{
    uint32_t dim = block->shape.dim;
    size_t vector_bytes = cold_block_vector_bytes(&block->shape);
    uint16_t *halves = sqlite3_malloc64(dim * sizeof *halves);
    if (halves == NULL) {
        return SQLITE_NOMEM;
    }
    for (uint32_t i = 0; i < block->shape.count; i++) {
        const void *vector = block->vectors + i * vector_bytes;
        float norm;
        if (kinds[i] == VS_COLD_VECTOR && vs_half_find(vector, dim, VSK_F16, halves, &norm)) {
            kinds[i] = VS_COLD_HALF;
        }
    }
    sqlite3_free(halves);
    return SQLITE_OK;
}

/* One frame of the vectors of these kinds; none where there are none. */
static int cold_block_pack(const char *who, const vs_cold_block *block, cold_block_frames *parts,
                           unsigned kinds, void **out, size_t *out_bytes, vs_err *err)
{
    static const vs_frame_options options = {VS_FRAME_AUTO, COLD_BLOCK_LEVEL, NULL};
    size_t vector_bytes = cold_block_vector_bytes(&block->shape);
    vs_frame_shape shape = block->shape;
    shape.count = 0;
    for (uint32_t i = 0; i < block->shape.count; i++) {
        if (kinds >> parts->kinds[i] & 1) {
            memcpy(parts->packed + shape.count++ * vector_bytes, block->vectors + i * vector_bytes,
                   vector_bytes);
        }
    }
    *out = NULL;
    *out_bytes = 0;
    return shape.count == 0
               ? SQLITE_OK
               : vs_frame_encode(who, parts->packed, &shape, &options, out, out_bytes, err);
}

/* Takes two frames in place of the one that is there, if they are smaller. */
static int cold_block_part(const char *who, const vs_cold_block *block, cold_block_frames *parts,
                           int *out_is_parted, vs_err *err)
{
    void *frames[VS_COLD_FRAMES] = {NULL, NULL};
    size_t bytes[VS_COLD_FRAMES] = {0, 0};
    int rc = SQLITE_OK;
    for (int i = 0; i < VS_COLD_FRAMES && rc == SQLITE_OK; i++) {
        rc = cold_block_pack(who, block, parts, 1u << (VS_COLD_VECTOR + i), &frames[i], &bytes[i],
                             err);
    }
    *out_is_parted = rc == SQLITE_OK && bytes[0] + bytes[1] < parts->bytes[0];
    for (int i = 0; i < VS_COLD_FRAMES; i++) {
        void *unused = *out_is_parted ? parts->frames[i] : frames[i];
        parts->frames[i] = *out_is_parted ? frames[i] : parts->frames[i];
        parts->bytes[i] = *out_is_parted ? bytes[i] : parts->bytes[i];
        sqlite3_free(unused);
    }
    return rc;
}

/* Makes the frames. */
static int cold_block_make(const char *who, const vs_cold_block *block, cold_block_frames *parts,
                           vs_err *err)
{
    uint32_t records = block->shape.count;
    int is_parted = 0;
    for (uint32_t i = 0; i < records; i++) {
        parts->kinds[i] = block->kinds[i] == VS_COLD_HALF ? VS_COLD_VECTOR : block->kinds[i];
    }
    int rc = cold_block_pack(who, block, parts, 1u << VS_COLD_VECTOR, &parts->frames[0],
                             &parts->bytes[0], err);
    if (rc == SQLITE_OK && block->shape.elem == VS_FRAME_F32) {
        rc = cold_block_sort(block, parts->kinds);
    }
    if (rc == SQLITE_OK && cold_block_count(parts->kinds, records, VS_COLD_VECTOR) > 0 &&
        cold_block_count(parts->kinds, records, VS_COLD_HALF) > 0) {
        rc = cold_block_part(who, block, parts, &is_parted, err);
    }
    for (uint32_t i = 0; i < records && !is_parted; i++) {
        parts->kinds[i] = parts->kinds[i] == VS_COLD_HALF ? VS_COLD_VECTOR : parts->kinds[i];
    }
    return rc;
}

/* The block's bytes from its frames. */
static int cold_block_write(int64_t number, const vs_cold_block *block,
                            const cold_block_frames *parts, void **out, size_t *out_bytes)
{
    uint32_t records = block->shape.count;
    size_t head_bytes = vs_cold_block_head_bytes(records);
    size_t n = head_bytes + parts->bytes[0] + parts->bytes[1];
    uint8_t *data = sqlite3_malloc64(n);
    if (data == NULL) {
        return SQLITE_NOMEM;
    }
    memset(data, 0, head_bytes);
    memcpy(data, cold_block_magic, sizeof cold_block_magic);
    vs_put64(data + 8, (uint64_t)number);
    vs_put32(data + 16, records);
    for (uint32_t i = 0; i < records; i++) {
        vs_put64(data + COLD_BLOCK_HEADER_BYTES + 8 * (size_t)i, (uint64_t)block->rowids[i]);
    }
    memcpy(data + cold_block_kinds_at(records), parts->kinds, records);
    uint8_t *at = data + head_bytes;
    for (int i = 0; i < VS_COLD_FRAMES; i++) {
        vs_put32(data + 20 + 4 * i, (uint32_t)parts->bytes[i]);
        if (parts->bytes[i] > 0) {
            memcpy(at, parts->frames[i], parts->bytes[i]);
        }
        at += parts->bytes[i];
    }
    vs_put32(data + 4, vsk_get()->checksum(data + 8, n - 8));
    *out = data;
    *out_bytes = n;
    return SQLITE_OK;
}

int vs_cold_block_encode(const char *who, int64_t number, const vs_cold_block *block, void **out,
                         size_t *out_bytes, vs_err *err)
{
    uint32_t records = block->shape.count;
    cold_block_frames parts = {sqlite3_malloc64(records),
                               sqlite3_malloc64(records * cold_block_vector_bytes(&block->shape)),
                               {NULL, NULL},
                               {0, 0}};
    *out = NULL;
    *out_bytes = 0;
    int rc = parts.kinds == NULL || parts.packed == NULL ? SQLITE_NOMEM
                                                         : cold_block_make(who, block, &parts, err);
    if (rc == SQLITE_OK) {
        rc = cold_block_write(number, block, &parts, out, out_bytes);
    }
    sqlite3_free(parts.kinds);
    sqlite3_free(parts.packed);
    sqlite3_free(parts.frames[0]);
    sqlite3_free(parts.frames[1]);
    return rc;
}

/* ---- Decoding -------------------------------------------------------------------------------- */

/* Everything but the frames. */
static int cold_block_check(const vs_frame_shape *shape, int64_t number, const uint8_t *data,
                            size_t n, vs_err *err)
{
    uint32_t records = shape->count;
    size_t head_bytes = vs_cold_block_head_bytes(records), kinds_at = cold_block_kinds_at(records);
    if (data == NULL || n < head_bytes ||
        memcmp(data, cold_block_magic, sizeof cold_block_magic) != 0) {
        return vs_error(err, SQLITE_ERROR, "it is no block");
    }
    if (vs_get32(data + 4) != vsk_get()->checksum(data + 8, n - 8)) {
        return vs_error(err, SQLITE_ERROR, "its checksum is wrong");
    }
    uint64_t frames_bytes = (uint64_t)vs_get32(data + 20) + (uint64_t)vs_get32(data + 24);
    if (vs_get_signed64(data + 8) != number || vs_get32(data + 16) != records ||
        frames_bytes != n - head_bytes) {
        return vs_error(err, SQLITE_ERROR, "it has another number, or another size");
    }
    int kind_max = shape->elem == VS_FRAME_F32 ? VS_COLD_HALF : VS_COLD_VECTOR;
    for (uint32_t i = 0; i < records; i++) {
        if (data[kinds_at + i] > kind_max) {
            return vs_error(err, SQLITE_ERROR, "a record is of no known kind");
        }
    }
    int is_zero = vs_get32(data + 28) == 0;
    for (size_t i = kinds_at + records; i < head_bytes; i++) {
        is_zero &= data[i] == 0;
    }
    return is_zero ? SQLITE_OK
                   : vs_error(err, SQLITE_ERROR, "it has bytes that should be zero and are not");
}

/* Copies the vectors of a frame to their records. */
static void cold_block_spread(const uint8_t *packed, vs_cold_kind kind, vs_cold_block *block)
{
    size_t vector_bytes = cold_block_vector_bytes(&block->shape);
    for (uint32_t i = 0; i < block->shape.count; i++) {
        if (block->kinds[i] == kind) {
            memcpy(block->vectors + i * vector_bytes, packed, vector_bytes);
            packed += vector_bytes;
        }
    }
}

/* Decodes the frame with the vectors of a kind. `vectors` is NULL where it has all of them. */
static int cold_block_unpack(const uint8_t *frame, size_t n, vs_cold_kind kind,
                             vs_cold_block *block, vs_err *err)
{
    static const char who[] = "its vectors";
    vs_frame_shape shape = block->shape;
    vs_frame_info info;
    void *packed = NULL;
    shape.count = cold_block_count(block->kinds, shape.count, kind);
    if (shape.count == 0) {
        return n == 0 ? SQLITE_OK
                      : vs_error(err, SQLITE_ERROR, "it has a frame that no record belongs to");
    }
    size_t bytes = shape.count * cold_block_vector_bytes(&shape);
    int rc = vs_frame_read(who, frame, n, bytes, &info, err);
    if (rc == SQLITE_OK && (info.shape.elem != shape.elem || info.shape.dim != shape.dim ||
                            info.shape.count != shape.count || info.raw_bytes != bytes)) {
        rc = vs_error(err, SQLITE_ERROR, "%s are others than those of the column", who);
    }
    if (rc == SQLITE_OK) {
        rc = vs_frame_decode(who, &info, NULL, &packed, err);
    }
    if (rc == SQLITE_OK && block->vectors == NULL) {
        assert(shape.count == block->shape.count);
        block->vectors = packed;
        packed = NULL;
    } else if (rc == SQLITE_OK) {
        cold_block_spread(packed, kind, block);
    }
    sqlite3_free(packed);
    return rc == SQLITE_TOOBIG ? SQLITE_ERROR : rc;
}

int vs_cold_block_decode(const vs_frame_shape *shape, int64_t number, const void *data, size_t n,
                         vs_cold_block *out, vs_err *err)
{
    const uint8_t *bytes = data;
    uint32_t records = shape->count;
    memset(out, 0, sizeof *out);
    int rc = cold_block_check(shape, number, bytes, n, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    const uint8_t *kinds = bytes + cold_block_kinds_at(records);
    int is_whole = cold_block_count(kinds, records, VS_COLD_VECTOR) == records ||
                   cold_block_count(kinds, records, VS_COLD_HALF) == records;
    rc = cold_block_allocate(shape, !is_whole, out);
    if (rc == SQLITE_OK) {
        for (uint32_t i = 0; i < records; i++) {
            out->rowids[i] = vs_get_signed64(bytes + COLD_BLOCK_HEADER_BYTES + 8 * (size_t)i);
        }
        memcpy(out->kinds, kinds, records);
    }
    const uint8_t *frame = bytes + vs_cold_block_head_bytes(records);
    size_t sizes[VS_COLD_FRAMES];
    vs_cold_block_sizes(bytes, sizes);
    for (int i = 0; i < VS_COLD_FRAMES && rc == SQLITE_OK; frame += sizes[i++]) {
        rc = cold_block_unpack(frame, sizes[i], (vs_cold_kind)(VS_COLD_VECTOR + i), out, err);
    }
    return rc;
}
