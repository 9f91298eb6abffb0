/*
 * canon_avx512.c - canonical distances of float32, float16 and bfloat16 with AVX-512.
 *
 * Lanes 8p to 8p+7 of the definition in vsk.h are the vector acc_f64x8[p].
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx512_begin.h"

enum { CANON_PARTS_AVX512 = VSK_LANES / 8 };

/*
 * Elements 8p to 8p+7 of a block, of which the block holds `n` <= 16; the missing ones are +0.0 and
 * not read.
 */
VSK_INLINE __m512d canon_load_avx512(const unsigned char *block, int p, size_t n, vsk_type type)
{
    const unsigned char *at = block + 8 * (size_t)p * vsk_element_bytes(type);
    __mmask8 mask = (__mmask8)((((1u << n) - 1) >> (8 * p)) & 0xff);
    __m256 value_f32x8;

    if (type == VSK_F32) {
        value_f32x8 = n == VSK_LANES ? _mm256_loadu_ps((const float *)(const void *)at)
                                     : _mm256_maskz_loadu_ps(mask, at);
    } else {
        __m128i half_u16x8 = n == VSK_LANES ? _mm_loadu_si128((const __m128i *)(const void *)at)
                                            : _mm_maskz_loadu_epi16(mask, at);
        value_f32x8 =
            type == VSK_F16
                ? _mm256_cvtph_ps(half_u16x8)
                : _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half_u16x8), 16));
    }
    return _mm512_cvtps_pd(value_f32x8);
}

/* Adds the terms of one block of n elements. */
VSK_INLINE void canon_step_avx512(__m512d acc_f64x8[CANON_PARTS_AVX512], const unsigned char *a,
                                  const unsigned char *b, size_t n, vsk_pair_op op, vsk_type type)
{
    VSK_UNROLL
    for (int p = 0; p < CANON_PARTS_AVX512; p++) {
        __m512d x_f64x8 = canon_load_avx512(a, p, n, type);
        __m512d y_f64x8 = canon_load_avx512(b, p, n, type);
        if (op == VSK_PAIR_DOT) {
            acc_f64x8[p] = _mm512_fmadd_pd(x_f64x8, y_f64x8, acc_f64x8[p]);
            continue;
        }
        __m512d term_f64x8 = _mm512_sub_pd(x_f64x8, y_f64x8);
        if (op == VSK_PAIR_L2SQ) {
            term_f64x8 = _mm512_mul_pd(term_f64x8, term_f64x8);
            VSK_ROUNDED_F64(term_f64x8);
        } else {
            term_f64x8 = _mm512_abs_pd(term_f64x8);
        }
        acc_f64x8[p] = _mm512_add_pd(acc_f64x8[p], term_f64x8);
    }
}

VSK_INLINE double canon_fold_avx512(const __m512d acc_f64x8[CANON_PARTS_AVX512])
{
    __m512d sum_f64x8 = _mm512_add_pd(acc_f64x8[0], acc_f64x8[1]);
    __m256d sum_f64x4 =
        _mm256_add_pd(_mm512_castpd512_pd256(sum_f64x8), _mm512_extractf64x4_pd(sum_f64x8, 1));
    __m128d sum_f64x2 =
        _mm_add_pd(_mm256_castpd256_pd128(sum_f64x4), _mm256_extractf128_pd(sum_f64x4, 1));
    return _mm_cvtsd_f64(_mm_add_sd(sum_f64x2, _mm_unpackhi_pd(sum_f64x2, sum_f64x2)));
}

VSK_INLINE double canon_pair_avx512(const void *a, const void *b, size_t dim, vsk_pair_op op,
                                    vsk_type type)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t block_bytes = VSK_LANES * vsk_element_bytes(type);
    __m512d acc_f64x8[CANON_PARTS_AVX512] = {_mm512_setzero_pd(), _mm512_setzero_pd()};

    for (size_t blocks = dim / VSK_LANES; blocks > 0; blocks--) {
        canon_step_avx512(acc_f64x8, x, y, VSK_LANES, op, type);
        x += block_bytes;
        y += block_bytes;
    }
    if (dim % VSK_LANES > 0) { /* a zero on both sides adds +0.0, which changes no lane */
        canon_step_avx512(acc_f64x8, x, y, dim % VSK_LANES, op, type);
    }
    return canon_fold_avx512(acc_f64x8);
}

/* The three sums of one block of n elements. */
VSK_INLINE void canon_step_triple_avx512(__m512d acc_f64x8[3][CANON_PARTS_AVX512],
                                         const unsigned char *a, const unsigned char *b, size_t n,
                                         vsk_type type)
{
    VSK_UNROLL
    for (int p = 0; p < CANON_PARTS_AVX512; p++) {
        __m512d x_f64x8 = canon_load_avx512(a, p, n, type);
        __m512d y_f64x8 = canon_load_avx512(b, p, n, type);
        acc_f64x8[0][p] = _mm512_fmadd_pd(x_f64x8, y_f64x8, acc_f64x8[0][p]);
        acc_f64x8[1][p] = _mm512_fmadd_pd(x_f64x8, x_f64x8, acc_f64x8[1][p]);
        acc_f64x8[2][p] = _mm512_fmadd_pd(y_f64x8, y_f64x8, acc_f64x8[2][p]);
    }
}

VSK_INLINE void canon_triple_avx512(const void *a, const void *b, size_t dim, double out[3],
                                    vsk_type type)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t block_bytes = VSK_LANES * vsk_element_bytes(type);
    __m512d acc_f64x8[3][CANON_PARTS_AVX512] = {{_mm512_setzero_pd(), _mm512_setzero_pd()},
                                                {_mm512_setzero_pd(), _mm512_setzero_pd()},
                                                {_mm512_setzero_pd(), _mm512_setzero_pd()}};

    for (size_t blocks = dim / VSK_LANES; blocks > 0; blocks--) {
        canon_step_triple_avx512(acc_f64x8, x, y, VSK_LANES, type);
        x += block_bytes;
        y += block_bytes;
    }
    if (dim % VSK_LANES > 0) {
        canon_step_triple_avx512(acc_f64x8, x, y, dim % VSK_LANES, type);
    }
    for (int i = 0; i < 3; i++) {
        out[i] = canon_fold_avx512(acc_f64x8[i]);
    }
}

VSK_DEFINE_CANONICAL(f32, VSK_F32, avx512)
VSK_DEFINE_CANONICAL(f16, VSK_F16, avx512)
VSK_DEFINE_CANONICAL(bf16, VSK_BF16, avx512)

#include "../isa_end.h"
#endif
