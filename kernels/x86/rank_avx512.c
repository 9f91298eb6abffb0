/*
 * rank_avx512.c - one float32 query against rows of float32, float16 or bfloat16, with AVX-512.
 *
 * As rank_avx2.c. The last elements of a row go through masked loads, which read nothing outside
 * it.
 *
 * The bfloat16 dot product of AVX512-BF16 is not used: it wants a query in bfloat16, which breaks
 * the stated accuracy unless the query is split in three, and widening by a shift is already as
 * fast as memory.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx512_begin.h"

enum {
    RANK_SUMS_AVX512 = 4, /* vectors of sums per row: enough to hide the latency of an addition */
    RANK_FOLD_AVX512 = 4, /* rows whose sums are folded together */
    RANK_AHEAD_AVX512 = 4 * 1024 /* bytes from what is read to what is prefetched */
};

/* The elements in mask; the others are +0.0 and not read. */
VSK_INLINE __m512 rank_load_avx512(const unsigned char *at, __mmask16 mask, vsk_type type)
{
    if (type == VSK_F32) {
        return mask == 0xffff ? _mm512_loadu_ps(at) : _mm512_maskz_loadu_ps(mask, at);
    }
    __m256i half_u16x16 = mask == 0xffff ? _mm256_loadu_si256((const __m256i *)(const void *)at)
                                         : _mm256_maskz_loadu_epi16(mask, at);
    if (type == VSK_F16) {
        return _mm512_cvtph_ps(half_u16x16);
    }
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half_u16x16), 16));
}

VSK_INLINE __m512 rank_add_avx512(__m512 sum_f32x16, __m512 q_f32x16, __m512 x_f32x16,
                                  vsk_rank_op op)
{
    if (op == VSK_RANK_DOT || op == VSK_RANK_DOT_SUMSQ) {
        return _mm512_fmadd_ps(q_f32x16, x_f32x16, sum_f32x16);
    }
    __m512 d_f32x16 = _mm512_sub_ps(q_f32x16, x_f32x16);
    if (op == VSK_RANK_L2SQ) {
        return _mm512_fmadd_ps(d_f32x16, d_f32x16, sum_f32x16);
    }
    return _mm512_add_ps(sum_f32x16, _mm512_abs_ps(d_f32x16));
}

VSK_INLINE __m512 rank_total_avx512(const __m512 sum_f32x16[RANK_SUMS_AVX512])
{
    return _mm512_add_ps(_mm512_add_ps(sum_f32x16[0], sum_f32x16[1]),
                         _mm512_add_ps(sum_f32x16[2], sum_f32x16[3]));
}

VSK_INLINE void rank_row_avx512(const float *q, const unsigned char *row, size_t dim, size_t ahead,
                                __m512 *out, __m512 *out_sumsq, vsk_rank_op op, vsk_type type)
{
    size_t element = vsk_element_bytes(type);
    __m512 sum_f32x16[RANK_SUMS_AVX512];
    __m512 sumsq_f32x16[RANK_SUMS_AVX512];
    size_t i = 0;

    VSK_UNROLL
    for (int k = 0; k < RANK_SUMS_AVX512; k++) {
        sum_f32x16[k] = sumsq_f32x16[k] = _mm512_setzero_ps();
    }
    for (; i + 16 * RANK_SUMS_AVX512 <= dim; i += 16 * RANK_SUMS_AVX512) {
        const unsigned char *at = row + i * element;
        VSK_UNROLL
        for (size_t line = 0; line < 16 * RANK_SUMS_AVX512 * element; line += 64) {
            _mm_prefetch((const char *)at + ahead + line, _MM_HINT_T0);
        }
        VSK_UNROLL
        for (int k = 0; k < RANK_SUMS_AVX512; k++) {
            __m512 q_f32x16 = _mm512_loadu_ps(q + i + 16 * k);
            __m512 x_f32x16 = rank_load_avx512(at + 16 * (size_t)k * element, 0xffff, type);
            sum_f32x16[k] = rank_add_avx512(sum_f32x16[k], q_f32x16, x_f32x16, op);
            if (op == VSK_RANK_DOT_SUMSQ) {
                sumsq_f32x16[k] = _mm512_fmadd_ps(x_f32x16, x_f32x16, sumsq_f32x16[k]);
            }
        }
    }
    for (; i < dim; i += 16) { /* less than RANK_SUMS_AVX512 vectors, the last perhaps in part */
        __mmask16 mask = (__mmask16)(dim - i < 16 ? (1u << (dim - i)) - 1 : 0xffff);
        __m512 q_f32x16 = _mm512_maskz_loadu_ps(mask, q + i);
        __m512 x_f32x16 = rank_load_avx512(row + i * element, mask, type);
        sum_f32x16[0] = rank_add_avx512(sum_f32x16[0], q_f32x16, x_f32x16, op);
        if (op == VSK_RANK_DOT_SUMSQ) {
            sumsq_f32x16[0] = _mm512_fmadd_ps(x_f32x16, x_f32x16, sumsq_f32x16[0]);
        }
    }
    *out = rank_total_avx512(sum_f32x16);
    if (op == VSK_RANK_DOT_SUMSQ) {
        *out_sumsq = rank_total_avx512(sumsq_f32x16);
    }
}

/* The upper half of the elements added to the lower. */
VSK_INLINE __m256 rank_halve_avx512(__m512 sum_f32x16)
{
    return _mm256_add_ps(_mm512_castps512_ps256(sum_f32x16), _mm512_extractf32x8_ps(sum_f32x16, 1));
}

/* The vectors of sums of `count` <= RANK_FOLD_AVX512 rows, folded to one number each. */
VSK_INLINE void rank_store_avx512(float *out, size_t count,
                                  const __m512 sum_f32x16[RANK_FOLD_AVX512])
{
    __m256 low_f32x8 =
        _mm256_hadd_ps(rank_halve_avx512(sum_f32x16[0]), rank_halve_avx512(sum_f32x16[1]));
    __m256 high_f32x8 =
        _mm256_hadd_ps(rank_halve_avx512(sum_f32x16[2]), rank_halve_avx512(sum_f32x16[3]));
    __m256 pairs_f32x8 = _mm256_hadd_ps(low_f32x8, high_f32x8);
    __m128 fold_f32x4 =
        _mm_add_ps(_mm256_castps256_ps128(pairs_f32x8), _mm256_extractf128_ps(pairs_f32x8, 1));
    if (count == RANK_FOLD_AVX512) {
        _mm_storeu_ps(out, fold_f32x4);
    } else {
        float folded[RANK_FOLD_AVX512];
        _mm_storeu_ps(folded, fold_f32x4);
        memcpy(out, folded, count * sizeof *out);
    }
}

VSK_INLINE void rank_avx512(const float *q, const void *rows, size_t stride_bytes, size_t count,
                            size_t dim, float *out, float *out_sumsq, vsk_rank_op op, vsk_type type)
{
    const unsigned char *row = rows;
    size_t ahead = count > 1 ? RANK_AHEAD_AVX512 : 0; /* nothing is known to follow a single row */

    for (size_t done = 0; done < count; done += RANK_FOLD_AVX512) {
        size_t together = count - done < RANK_FOLD_AVX512 ? count - done : RANK_FOLD_AVX512;
        __m512 sum_f32x16[RANK_FOLD_AVX512] = {_mm512_setzero_ps(), _mm512_setzero_ps(),
                                               _mm512_setzero_ps(), _mm512_setzero_ps()};
        __m512 sumsq_f32x16[RANK_FOLD_AVX512] = {_mm512_setzero_ps(), _mm512_setzero_ps(),
                                                 _mm512_setzero_ps(), _mm512_setzero_ps()};
        for (size_t r = 0; r < together; r++) {
            rank_row_avx512(q, row, dim, ahead, &sum_f32x16[r], &sumsq_f32x16[r], op, type);
            row += stride_bytes;
        }
        rank_store_avx512(out + done, together, sum_f32x16);
        if (op == VSK_RANK_DOT_SUMSQ) {
            rank_store_avx512(out_sumsq + done, together, sumsq_f32x16);
        }
    }
}

VSK_DEFINE_RANK(f32, VSK_F32, avx512)
VSK_DEFINE_RANK(f16, VSK_F16, avx512)
VSK_DEFINE_RANK(bf16, VSK_BF16, avx512)

#include "../isa_end.h"
#endif
