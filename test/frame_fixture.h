/*
 * frame_fixture.h - blocks to compress, and frames to damage.
 */
#ifndef FRAME_FIXTURE_H
#define FRAME_FIXTURE_H

#include "vs_test.h"

#include "../ext/frame.h"

/* What the elements of a block are. All but the last two are float32. */
typedef enum frame_block {
    BLOCK_NORMAL,     /* about the size of 1 */
    BLOCK_BITS,       /* any 32 bits: NaN, infinity and denormals too */
    BLOCK_AWKWARD,    /* zeros with signs, denormals, infinities, NaN payloads */
    BLOCK_F16,        /* exact float16, NaN and infinity among them */
    BLOCK_BF16,       /* exact bfloat16 */
    BLOCK_F16_OVER_N, /* float16 over one norm for each vector, none of it 1 */
    BLOCK_BF16_OVER_N,
    BLOCK_DECIMAL,     /* five places, both signs, -0 too */
    BLOCK_WHOLE,       /* 0 to 255 */
    BLOCK_CONSTANT,    /* one NaN */
    BLOCK_ALMOST_ZERO, /* zeros, and one bit at the end */
    BLOCK_NOISE,       /* random bytes */
    BLOCK_TEXT,        /* words */
    BLOCK_KINDS
} frame_block;

/* Writes `bytes` bytes of vectors of dim float32. */
void frame_fill(frame_block kind, size_t dim, size_t bytes, void *out);

/* Encodes, which must succeed. Free *out with sqlite3_free. */
size_t frame_encode(const void *raw, const vs_frame_shape *shape, vs_frame_mode mode, int level,
                    void **out);

/* The checksum of a header that was changed, as a forger would set it. */
void frame_seal(void *frame);

#endif
