/*
 * rank_sse2.c - one float32 query against rows of float32, float16 or bfloat16, with SSE2.
 *
 * As rank_avx2.c. The last elements of query and row are copied to where zeros follow them.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "sse2_begin.h"

#include "widen_sse2.h"

enum {
    RANK_SUMS_SSE2 = 4, /* vectors of sums per row: enough to hide the latency of an addition */
    RANK_FOLD_SSE2 = 4, /* rows whose sums are folded together */
    RANK_AHEAD_SSE2 = 4 * 1024 /* bytes from what is read to what is prefetched */
};

VSK_INLINE __m128 rank_add_sse2(__m128 sum_f32x4, __m128 q_f32x4, __m128 x_f32x4, vsk_rank_op op)
{
    __m128 term_f32x4;

    if (op == VSK_RANK_DOT || op == VSK_RANK_DOT_SUMSQ) {
        term_f32x4 = _mm_mul_ps(q_f32x4, x_f32x4);
    } else {
        term_f32x4 = _mm_sub_ps(q_f32x4, x_f32x4);
        term_f32x4 = op == VSK_RANK_L2SQ ? _mm_mul_ps(term_f32x4, term_f32x4)
                                         : _mm_andnot_ps(_mm_set1_ps(-0.0f), term_f32x4);
    }
    return _mm_add_ps(sum_f32x4, term_f32x4);
}

VSK_INLINE __m128 rank_total_sse2(const __m128 sum_f32x4[RANK_SUMS_SSE2])
{
    return _mm_add_ps(_mm_add_ps(sum_f32x4[0], sum_f32x4[1]),
                      _mm_add_ps(sum_f32x4[2], sum_f32x4[3]));
}

/* Adds 4 * RANK_SUMS_SSE2 elements. */
VSK_INLINE void rank_step_sse2(const float *q, const unsigned char *x,
                               __m128 sum_f32x4[RANK_SUMS_SSE2], __m128 sumsq_f32x4[RANK_SUMS_SSE2],
                               vsk_rank_op op, vsk_type type)
{
    VSK_UNROLL
    for (int k = 0; k < RANK_SUMS_SSE2; k++) {
        __m128 q_f32x4 = _mm_loadu_ps(q + 4 * k);
        __m128 x_f32x4 = widen_load_sse2(x + 4 * (size_t)k * vsk_element_bytes(type), type);
        sum_f32x4[k] = rank_add_sse2(sum_f32x4[k], q_f32x4, x_f32x4, op);
        if (op == VSK_RANK_DOT_SUMSQ) {
            sumsq_f32x4[k] = _mm_add_ps(sumsq_f32x4[k], _mm_mul_ps(x_f32x4, x_f32x4));
        }
    }
}

VSK_INLINE void rank_row_sse2(const float *q, const unsigned char *row, size_t dim, __m128 *out,
                              __m128 *out_sumsq, vsk_rank_op op, vsk_type type)
{
    size_t element = vsk_element_bytes(type);
    size_t rest = dim % (4 * RANK_SUMS_SSE2);
    __m128 sum_f32x4[RANK_SUMS_SSE2];
    __m128 sumsq_f32x4[RANK_SUMS_SSE2];

    VSK_UNROLL
    for (int k = 0; k < RANK_SUMS_SSE2; k++) {
        sum_f32x4[k] = sumsq_f32x4[k] = _mm_setzero_ps();
    }
    for (size_t i = 0; i < dim - rest; i += 4 * RANK_SUMS_SSE2) {
        _mm_prefetch((const char *)row + i * element + RANK_AHEAD_SSE2, _MM_HINT_T0);
        rank_step_sse2(q + i, row + i * element, sum_f32x4, sumsq_f32x4, op, type);
    }
    if (rest > 0) {
        float q_rest[4 * RANK_SUMS_SSE2] = {0};
        unsigned char x_rest[16 * RANK_SUMS_SSE2] = {0};
        memcpy(q_rest, q + (dim - rest), rest * sizeof *q);
        memcpy(x_rest, row + (dim - rest) * element, rest * element);
        rank_step_sse2(q_rest, x_rest, sum_f32x4, sumsq_f32x4, op, type);
    }
    *out = rank_total_sse2(sum_f32x4);
    if (op == VSK_RANK_DOT_SUMSQ) {
        *out_sumsq = rank_total_sse2(sumsq_f32x4);
    }
}

/* The vectors of sums of `count` <= RANK_FOLD_SSE2 rows, folded to one number each. */
VSK_INLINE void rank_store_sse2(float *out, size_t count, const __m128 sum_f32x4[RANK_FOLD_SSE2])
{
    __m128 column_f32x4[4] = {sum_f32x4[0], sum_f32x4[1], sum_f32x4[2], sum_f32x4[3]};
    _MM_TRANSPOSE4_PS(column_f32x4[0], column_f32x4[1], column_f32x4[2], column_f32x4[3]);
    __m128 fold_f32x4 = _mm_add_ps(_mm_add_ps(column_f32x4[0], column_f32x4[1]),
                                   _mm_add_ps(column_f32x4[2], column_f32x4[3]));
    if (count == RANK_FOLD_SSE2) {
        _mm_storeu_ps(out, fold_f32x4);
    } else {
        float folded[RANK_FOLD_SSE2];
        _mm_storeu_ps(folded, fold_f32x4);
        memcpy(out, folded, count * sizeof *out);
    }
}

VSK_INLINE void rank_sse2(const float *q, const void *rows, size_t stride_bytes, size_t count,
                          size_t dim, float *out, float *out_sumsq, vsk_rank_op op, vsk_type type)
{
    const unsigned char *row = rows;

    for (size_t done = 0; done < count; done += RANK_FOLD_SSE2) {
        size_t together = count - done < RANK_FOLD_SSE2 ? count - done : RANK_FOLD_SSE2;
        __m128 sum_f32x4[RANK_FOLD_SSE2] = {_mm_setzero_ps(), _mm_setzero_ps(), _mm_setzero_ps(),
                                            _mm_setzero_ps()};
        __m128 sumsq_f32x4[RANK_FOLD_SSE2] = {_mm_setzero_ps(), _mm_setzero_ps(), _mm_setzero_ps(),
                                              _mm_setzero_ps()};
        for (size_t r = 0; r < together; r++) {
            rank_row_sse2(q, row, dim, &sum_f32x4[r], &sumsq_f32x4[r], op, type);
            row += stride_bytes;
        }
        rank_store_sse2(out + done, together, sum_f32x4);
        if (op == VSK_RANK_DOT_SUMSQ) {
            rank_store_sse2(out_sumsq + done, together, sumsq_f32x4);
        }
    }
}

VSK_DEFINE_RANK(f32, VSK_F32, sse2)
VSK_DEFINE_RANK(f16, VSK_F16, sse2)
VSK_DEFINE_RANK(bf16, VSK_BF16, sse2)

#include "../isa_end.h"
#endif
