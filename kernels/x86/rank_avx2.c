/*
 * rank_avx2.c - one float32 query against rows of float32, float16 or bfloat16, with AVX2, FMA and
 * F16C.
 *
 * Rows are read one after the other, as memory likes it best: one prefetched stream is a third
 * faster than four side by side. What is shared between rows is the folding of their sums into one
 * number each, four rows at a time; a row left over is folded with zeros, so a value does not
 * depend on its place.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx2_begin.h"

enum {
    RANK_SUMS_AVX2 = 4, /* vectors of sums per row: enough to hide the latency of an addition */
    RANK_FOLD_AVX2 = 4, /* rows whose sums are folded together */
    RANK_AHEAD_AVX2 = 4 * 1024 /* bytes from what is read to what is prefetched */
};

VSK_INLINE __m256 rank_load_avx2(const unsigned char *at, vsk_type type)
{
    if (type == VSK_F32) {
        return _mm256_loadu_ps((const float *)(const void *)at);
    }
    __m128i half_u16x8 = _mm_loadu_si128((const __m128i *)(const void *)at);
    if (type == VSK_F16) {
        return _mm256_cvtph_ps(half_u16x8);
    }
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half_u16x8), 16));
}

/* The first n < 8 elements, then zeros; reads no others. */
VSK_INLINE __m256 rank_load_rest_avx2(const unsigned char *at, size_t n, vsk_type type)
{
    if (type == VSK_F32) {
        __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n),
                                          _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
        return _mm256_maskload_ps((const float *)(const void *)at, mask);
    }
    unsigned char rest[16] = {0};
    memcpy(rest, at, 2 * n);
    return rank_load_avx2(rest, type);
}

VSK_INLINE __m256 rank_add_avx2(__m256 sum_f32x8, __m256 q_f32x8, __m256 x_f32x8, vsk_rank_op op)
{
    if (op == VSK_RANK_DOT || op == VSK_RANK_DOT_SUMSQ) {
        return _mm256_fmadd_ps(q_f32x8, x_f32x8, sum_f32x8);
    }
    __m256 d_f32x8 = _mm256_sub_ps(q_f32x8, x_f32x8);
    if (op == VSK_RANK_L2SQ) {
        return _mm256_fmadd_ps(d_f32x8, d_f32x8, sum_f32x8);
    }
    return _mm256_add_ps(sum_f32x8, _mm256_andnot_ps(_mm256_set1_ps(-0.0f), d_f32x8));
}

VSK_INLINE __m256 rank_total_avx2(const __m256 sum_f32x8[RANK_SUMS_AVX2])
{
    return _mm256_add_ps(_mm256_add_ps(sum_f32x8[0], sum_f32x8[1]),
                         _mm256_add_ps(sum_f32x8[2], sum_f32x8[3]));
}

VSK_INLINE void rank_row_avx2(const float *q, const unsigned char *row, size_t dim, size_t ahead,
                              __m256 *out, __m256 *out_sumsq, vsk_rank_op op, vsk_type type)
{
    size_t element = vsk_element_bytes(type);
    __m256 sum_f32x8[RANK_SUMS_AVX2];
    __m256 sumsq_f32x8[RANK_SUMS_AVX2];
    size_t i = 0;

    VSK_UNROLL
    for (int k = 0; k < RANK_SUMS_AVX2; k++) {
        sum_f32x8[k] = sumsq_f32x8[k] = _mm256_setzero_ps();
    }
    for (; i + 8 * RANK_SUMS_AVX2 <= dim; i += 8 * RANK_SUMS_AVX2) {
        const unsigned char *at = row + i * element;
        VSK_UNROLL
        for (size_t line = 0; line < 8 * RANK_SUMS_AVX2 * element; line += 64) {
            _mm_prefetch((const char *)at + ahead + line, _MM_HINT_T0);
        }
        VSK_UNROLL
        for (int k = 0; k < RANK_SUMS_AVX2; k++) {
            __m256 q_f32x8 = _mm256_loadu_ps(q + i + 8 * k);
            __m256 x_f32x8 = rank_load_avx2(at + 8 * (size_t)k * element, type);
            sum_f32x8[k] = rank_add_avx2(sum_f32x8[k], q_f32x8, x_f32x8, op);
            if (op == VSK_RANK_DOT_SUMSQ) {
                sumsq_f32x8[k] = _mm256_fmadd_ps(x_f32x8, x_f32x8, sumsq_f32x8[k]);
            }
        }
    }
    for (; i < dim; i += 8) { /* less than RANK_SUMS_AVX2 vectors, the last perhaps in part */
        size_t n = dim - i;
        const unsigned char *at = row + i * element;
        __m256 q_f32x8 = n >= 8 ? _mm256_loadu_ps(q + i)
                                : rank_load_rest_avx2((const unsigned char *)(q + i), n, VSK_F32);
        __m256 x_f32x8 = n >= 8 ? rank_load_avx2(at, type) : rank_load_rest_avx2(at, n, type);
        sum_f32x8[0] = rank_add_avx2(sum_f32x8[0], q_f32x8, x_f32x8, op);
        if (op == VSK_RANK_DOT_SUMSQ) {
            sumsq_f32x8[0] = _mm256_fmadd_ps(x_f32x8, x_f32x8, sumsq_f32x8[0]);
        }
    }
    *out = rank_total_avx2(sum_f32x8);
    if (op == VSK_RANK_DOT_SUMSQ) {
        *out_sumsq = rank_total_avx2(sumsq_f32x8);
    }
}

/* The vectors of sums of `count` <= RANK_FOLD_AVX2 rows, folded to one number each. */
VSK_INLINE void rank_store_avx2(float *out, size_t count, const __m256 sum_f32x8[RANK_FOLD_AVX2])
{
    __m256 pairs_f32x8 = _mm256_hadd_ps(_mm256_hadd_ps(sum_f32x8[0], sum_f32x8[1]),
                                        _mm256_hadd_ps(sum_f32x8[2], sum_f32x8[3]));
    __m128 fold_f32x4 =
        _mm_add_ps(_mm256_castps256_ps128(pairs_f32x8), _mm256_extractf128_ps(pairs_f32x8, 1));
    if (count == RANK_FOLD_AVX2) {
        _mm_storeu_ps(out, fold_f32x4);
    } else {
        float folded[RANK_FOLD_AVX2];
        _mm_storeu_ps(folded, fold_f32x4);
        memcpy(out, folded, count * sizeof *out);
    }
}

VSK_INLINE void rank_avx2(const float *q, const void *rows, size_t stride_bytes, size_t count,
                          size_t dim, float *out, float *out_sumsq, vsk_rank_op op, vsk_type type)
{
    const unsigned char *row = rows;
    size_t ahead = count > 1 ? RANK_AHEAD_AVX2 : 0; /* nothing is known to follow a single row */

    for (size_t done = 0; done < count; done += RANK_FOLD_AVX2) {
        size_t together = count - done < RANK_FOLD_AVX2 ? count - done : RANK_FOLD_AVX2;
        __m256 sum_f32x8[RANK_FOLD_AVX2] = {_mm256_setzero_ps(), _mm256_setzero_ps(),
                                            _mm256_setzero_ps(), _mm256_setzero_ps()};
        __m256 sumsq_f32x8[RANK_FOLD_AVX2] = {_mm256_setzero_ps(), _mm256_setzero_ps(),
                                              _mm256_setzero_ps(), _mm256_setzero_ps()};
        for (size_t r = 0; r < together; r++) {
            rank_row_avx2(q, row, dim, ahead, &sum_f32x8[r], &sumsq_f32x8[r], op, type);
            row += stride_bytes;
        }
        rank_store_avx2(out + done, together, sum_f32x8);
        if (op == VSK_RANK_DOT_SUMSQ) {
            rank_store_avx2(out_sumsq + done, together, sumsq_f32x8);
        }
    }
}

VSK_DEFINE_RANK(f32, VSK_F32, avx2)
VSK_DEFINE_RANK(f16, VSK_F16, avx2)
VSK_DEFINE_RANK(bf16, VSK_BF16, avx2)

#include "../isa_end.h"
#endif
