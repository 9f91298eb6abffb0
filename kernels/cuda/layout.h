/*
 * layout.h - where things lie: the parts of a segment, and the rows that a tile stands for.
 */
#ifndef VSG_LAYOUT_H
#define VSG_LAYOUT_H

#include "launch.h"
#include "phase.h"

#define VSG_SEGMENT_ROWS_MAX (1u << 24)
#define VSG_PART_ALIGN 256u

/* Bytes of one element of rows as they are given; 0: no such type. */
VSG_BOTH uint32_t vsg_type_bytes(vsg_type type)
{
    switch (type) {
    case VSG_TYPE_F32:
        return 4;
    case VSG_TYPE_F16:
    case VSG_TYPE_BF16:
        return 2;
    case VSG_TYPE_I8:
        return 1;
    }
    return 0;
}

static inline uint64_t vsg_layout_part(vsg_layout *layout, uint64_t bytes)
{
    uint64_t at = layout->bytes;
    layout->bytes = (at + bytes + VSG_PART_ALIGN - 1) / VSG_PART_ALIGN * VSG_PART_ALIGN;
    return at;
}

/*
 * The layout of a segment. Returns 1, or 0 when the shape is beyond the limits of vsg.h; within
 * them nothing overflows: 2^24 rows of at most 16 KiB, and of 32 KiB as they were given.
 */
static inline int vsg_layout_make(const vsg_shape *shape, vsg_layout *out)
{
    const uint32_t element = vsg_type_bytes(shape->type);
    uint64_t rows = shape->rows;

    memset(out, 0, sizeof *out);
    if (shape->dim == 0 || shape->dim > VSG_DIM_MAX || element == 0 || rows == 0 ||
        rows > VSG_SEGMENT_ROWS_MAX || rows % VSG_TILE_ROWS != 0 ||
        (shape->format != VSG_F16 && shape->format != VSG_I8)) {
        return 0;
    }
    out->dim = shape->dim;
    out->elements = (shape->dim + VSG_ALIGN_ELEMENTS - 1) / VSG_ALIGN_ELEMENTS * VSG_ALIGN_ELEMENTS;
    out->row_stride = out->elements * (shape->format == VSG_F16 ? 2u : 1u);
    out->vector_bytes = shape->dim * element;
    out->vector_stride = (out->vector_bytes + 15u) / 16u * 16u;
    out->rows_at = vsg_layout_part(out, rows * out->row_stride);
    out->terms_at = vsg_layout_part(out, rows * sizeof(vsg_row_terms));
    out->live_at = vsg_layout_part(out, rows / 8);
    if (shape->keeps_vectors) {
        out->vectors_at = vsg_layout_part(out, rows * out->vector_stride);
    }
    return 1;
}

/* The rows of a tile. */
typedef struct vsg_tile {
    const uint8_t *segment;
    uint32_t first;        /* row in the segment */
    uint32_t first_global; /* its number through the segments */
} vsg_tile;

/* The tile of visit number `visit`. */
VSG_FN vsg_tile vsg_tile_at(const vsg_rows_args *rows, uint32_t visit)
{
    const uint32_t tile = (uint32_t)((uint64_t)visit * rows->tile_step % rows->tiles);
    const uint32_t tiles = rows->segment_rows / VSG_TILE_ROWS; /* of a segment */
    const uint32_t segment = tile / tiles;
    vsg_tile out;

    out.segment = rows->segments[segment];
    out.first = (tile - segment * tiles) * VSG_TILE_ROWS;
    out.first_global = tile * VSG_TILE_ROWS;
    return out;
}

VSG_FN const uint8_t *vsg_tile_rows(const vsg_rows_args *rows, const vsg_tile *tile)
{
    return tile->segment + rows->layout.rows_at + (uint64_t)tile->first * rows->layout.row_stride;
}

/* Bits of rows 32 * word .. + 31 of the tile that are live and wanted. */
VSG_FN uint32_t vsg_tile_mask(const vsg_rows_args *rows, const vsg_tile *tile, uint32_t word)
{
    const uint32_t *live = (const uint32_t *)(const void *)(tile->segment + rows->layout.live_at);
    uint32_t bits = live[tile->first / 32 + word];
    if (rows->wanted) {
        bits &= rows->wanted[tile->first_global / 32 + word];
    }
    return bits;
}

VSG_FN vsg_row_terms vsg_tile_terms(const vsg_rows_args *rows, const vsg_tile *tile, uint32_t row)
{
    const vsg_f4 f = vsg_load_f4(tile->segment + rows->layout.terms_at +
                                 ((uint64_t)tile->first + row) * sizeof(vsg_row_terms));
    vsg_row_terms terms;
    terms.scale = f.x;
    terms.sumsq = f.y;
    terms.error = f.z;
    terms.inv_norm = f.w;
    return terms;
}

#endif
