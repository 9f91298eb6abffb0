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

/* What a frame says, which must be readable. */
vs_frame_info frame_info(const void *frame, size_t n);

#define FRAME_LIMIT (64u << 20)

/*
 * Reads and decodes bytes that may be anything, copied to a block of their size; returns the code.
 * There is a sentence exactly where there is no result, and nothing stays allocated; a result is
 * `expected`, unless that is NULL. The program has called vs_fault_install.
 */
int frame_try(const void *bytes, size_t n, size_t limit, const vs_codec_dict *dict,
              const void *expected, vs_err *err);

/* The bytes are refused with this code and sentence. */
void frame_refused(const void *bytes, size_t n, int code, const char *sentence);

/* The checksum of a header that was changed, as a forger would set it. */
void frame_seal(void *frame);

#endif
