/*
 * cold_block.h - a block of t_cold: the records of some neighbouring rows, their vectors compressed.
 */
#ifndef VS_COLD_BLOCK_H
#define VS_COLD_BLOCK_H

#include "frame.h"

/* What a record is, by the numbers in the block. */
typedef enum vs_cold_kind {
    VS_COLD_UNUSED,
    VS_COLD_NULL,   /* a row without a vector */
    VS_COLD_VECTOR, /* in the first frame */
    VS_COLD_HALF,   /* in the second frame: those on the half grid, where others are beside them */
    VS_COLD_KINDS
} vs_cold_kind;

/* A block in memory. Begins as zeros. */
typedef struct vs_cold_block {
    vs_frame_shape shape; /* count: records, unused ones too */
    int64_t *rowids;      /* owned: [count]; 0 where there is no record */
    uint8_t *kinds;       /* [count], in the memory of the rowids */
    uint8_t *vectors;     /* owned: [count] of dim elements, zeros where there is none */
} vs_cold_block;

/* A block whose records are all unused. SQLITE_OK or SQLITE_NOMEM; to be freed in both cases. */
int vs_cold_block_new(const vs_frame_shape *shape, vs_cold_block *out);
void vs_cold_block_free(vs_cold_block *block);

/* Is a record used? */
int vs_cold_block_is_used(const vs_cold_block *block);

/* Bytes before the frames; and those of each frame of a block that was encoded, 0 for none. */
#define VS_COLD_FRAMES 2
size_t vs_cold_block_head_bytes(uint32_t records);
void vs_cold_block_sizes(const void *data, size_t out[VS_COLD_FRAMES]);

/*
 * Encodes block `number`. VS_COLD_VECTOR and VS_COLD_HALF both say that there is a vector; which
 * frame it goes to is found anew: with float32, those on the half grid go to a frame of their own
 * where that is smaller.
 *
 * The same input gives the same bytes. On success *out is owned by the caller (sqlite3_free).
 * Returns what vs_frame_encode does; `who` begins messages.
 */
int vs_cold_block_encode(const char *who, int64_t number, const vs_cold_block *block, void **out,
                         size_t *out_bytes, vs_err *err);

/*
 * Decodes n bytes that may be anything as block `number`, with vectors of this shape: count is the
 * number of records. The caller frees *out, also after an error. SQLITE_OK; SQLITE_ERROR with what
 * is wrong with the block, as in "its checksum is wrong"; SQLITE_NOMEM.
 */
int vs_cold_block_decode(const vs_frame_shape *shape, int64_t number, const void *data, size_t n,
                         vs_cold_block *out, vs_err *err);

#endif
