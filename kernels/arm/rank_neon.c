/*
 * rank_neon.c - one float32 query against rows of float32, float16 or bfloat16, with NEON.
 *
 * As x86/rank_avx2.c: rows one after the other, the folding of their sums shared by four. The last
 * elements of query and row are copied to where zeros follow them.
 */
#include "../vsk_impl.h"

#if defined(VSK_ARM64)
#include "neon_begin.h"

#include "widen_neon.h"

enum {
    RANK_SUMS_NEON = 4, /* vectors of sums per row: enough to hide the latency of an addition */
    RANK_FOLD_NEON = 4, /* rows whose sums are folded together */
    RANK_AHEAD_NEON = 4 * 1024 /* bytes from what is read to what is prefetched */
};

VSK_INLINE float32x4_t rank_add_neon(float32x4_t sum_f32x4, float32x4_t q_f32x4,
                                     float32x4_t x_f32x4, vsk_rank_op op)
{
    if (op == VSK_RANK_DOT || op == VSK_RANK_DOT_SUMSQ) {
        return vfmaq_f32(sum_f32x4, q_f32x4, x_f32x4);
    }
    float32x4_t d_f32x4 = vsubq_f32(q_f32x4, x_f32x4);
    if (op == VSK_RANK_L2SQ) {
        return vfmaq_f32(sum_f32x4, d_f32x4, d_f32x4);
    }
    return vaddq_f32(sum_f32x4, vabsq_f32(d_f32x4));
}

VSK_INLINE float32x4_t rank_total_neon(const float32x4_t sum_f32x4[RANK_SUMS_NEON])
{
    return vaddq_f32(vaddq_f32(sum_f32x4[0], sum_f32x4[1]), vaddq_f32(sum_f32x4[2], sum_f32x4[3]));
}

/* Adds 4 * RANK_SUMS_NEON elements. */
VSK_INLINE void rank_step_neon(const float *q, const unsigned char *x,
                               float32x4_t sum_f32x4[RANK_SUMS_NEON],
                               float32x4_t sumsq_f32x4[RANK_SUMS_NEON], vsk_rank_op op,
                               vsk_type type)
{
    VSK_UNROLL
    for (int k = 0; k < RANK_SUMS_NEON; k++) {
        float32x4_t q_f32x4 = vld1q_f32(q + 4 * k);
        float32x4_t x_f32x4 = widen_load_neon(x + 4 * (size_t)k * vsk_element_bytes(type), type);
        sum_f32x4[k] = rank_add_neon(sum_f32x4[k], q_f32x4, x_f32x4, op);
        if (op == VSK_RANK_DOT_SUMSQ) {
            sumsq_f32x4[k] = vfmaq_f32(sumsq_f32x4[k], x_f32x4, x_f32x4);
        }
    }
}

VSK_INLINE void rank_row_neon(const float *q, const unsigned char *row, size_t dim,
                              float32x4_t *out, float32x4_t *out_sumsq, vsk_rank_op op,
                              vsk_type type)
{
    size_t element = vsk_element_bytes(type);
    size_t rest = dim % (4 * RANK_SUMS_NEON);
    float32x4_t sum_f32x4[RANK_SUMS_NEON];
    float32x4_t sumsq_f32x4[RANK_SUMS_NEON];

    VSK_UNROLL
    for (int k = 0; k < RANK_SUMS_NEON; k++) {
        sum_f32x4[k] = sumsq_f32x4[k] = vdupq_n_f32(0);
    }
    for (size_t i = 0; i < dim - rest; i += 4 * RANK_SUMS_NEON) {
        __builtin_prefetch(row + i * element + RANK_AHEAD_NEON);
        rank_step_neon(q + i, row + i * element, sum_f32x4, sumsq_f32x4, op, type);
    }
    if (rest > 0) {
        float q_rest[4 * RANK_SUMS_NEON] = {0};
        unsigned char x_rest[16 * RANK_SUMS_NEON] = {0};
        memcpy(q_rest, q + (dim - rest), rest * sizeof *q);
        memcpy(x_rest, row + (dim - rest) * element, rest * element);
        rank_step_neon(q_rest, x_rest, sum_f32x4, sumsq_f32x4, op, type);
    }
    *out = rank_total_neon(sum_f32x4);
    if (op == VSK_RANK_DOT_SUMSQ) {
        *out_sumsq = rank_total_neon(sumsq_f32x4);
    }
}

/* The vectors of sums of `count` <= RANK_FOLD_NEON rows, folded to one number each. */
VSK_INLINE void rank_store_neon(float *out, size_t count,
                                const float32x4_t sum_f32x4[RANK_FOLD_NEON])
{
    float32x4_t fold_f32x4 =
        vpaddq_f32(vpaddq_f32(sum_f32x4[0], sum_f32x4[1]), vpaddq_f32(sum_f32x4[2], sum_f32x4[3]));
    if (count == RANK_FOLD_NEON) {
        vst1q_f32(out, fold_f32x4);
    } else {
        float folded[RANK_FOLD_NEON];
        vst1q_f32(folded, fold_f32x4);
        memcpy(out, folded, count * sizeof *out);
    }
}

VSK_INLINE void rank_neon(const float *q, const void *rows, size_t stride_bytes, size_t count,
                          size_t dim, float *out, float *out_sumsq, vsk_rank_op op, vsk_type type)
{
    const unsigned char *row = rows;

    for (size_t done = 0; done < count; done += RANK_FOLD_NEON) {
        size_t together = count - done < RANK_FOLD_NEON ? count - done : RANK_FOLD_NEON;
        float32x4_t sum_f32x4[RANK_FOLD_NEON] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0),
                                                 vdupq_n_f32(0)};
        float32x4_t sumsq_f32x4[RANK_FOLD_NEON] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0),
                                                   vdupq_n_f32(0)};
        for (size_t r = 0; r < together; r++) {
            rank_row_neon(q, row, dim, &sum_f32x4[r], &sumsq_f32x4[r], op, type);
            row += stride_bytes;
        }
        rank_store_neon(out + done, together, sum_f32x4);
        if (op == VSK_RANK_DOT_SUMSQ) {
            rank_store_neon(out_sumsq + done, together, sumsq_f32x4);
        }
    }
}

VSK_DEFINE_RANK(f32, VSK_F32, neon)
VSK_DEFINE_RANK(f16, VSK_F16, neon)
VSK_DEFINE_RANK(bf16, VSK_BF16, neon)

#include "../isa_end.h"
#endif
