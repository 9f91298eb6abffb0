/*
 * canon_avx2.c - canonical distances of float32, float16 and bfloat16 with AVX2, FMA and F16C.
 *
 * Lanes 4p to 4p+3 of the definition in vsk.h are the vector acc_f64x4[p].
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx2_begin.h"

enum { CANON_PARTS_AVX2 = VSK_LANES / 4 };

/* Elements 4p to 4p+3 of a block of 16. */
VSK_INLINE __m256d canon_load_avx2(const unsigned char *block, int p, vsk_type type)
{
    const unsigned char *at = block + 4 * (size_t)p * vsk_element_bytes(type);

    if (type == VSK_F32) {
        return _mm256_cvtps_pd(_mm_loadu_ps((const float *)(const void *)at));
    }
    __m128i half_u16x4 = _mm_loadl_epi64((const __m128i *)(const void *)at);
    if (type == VSK_F16) {
        return _mm256_cvtps_pd(_mm_cvtph_ps(half_u16x4));
    }
    __m128i bits_u32x4 = _mm_slli_epi32(_mm_cvtepu16_epi32(half_u16x4), 16);
    return _mm256_cvtps_pd(_mm_castsi128_ps(bits_u32x4));
}

/* Adds the terms of one block of 16 elements. */
VSK_INLINE void canon_step_avx2(__m256d acc_f64x4[CANON_PARTS_AVX2], const unsigned char *a,
                                const unsigned char *b, vsk_pair_op op, vsk_type type)
{
    VSK_UNROLL
    for (int p = 0; p < CANON_PARTS_AVX2; p++) {
        __m256d x_f64x4 = canon_load_avx2(a, p, type);
        __m256d y_f64x4 = canon_load_avx2(b, p, type);
        if (op == VSK_PAIR_DOT) {
            acc_f64x4[p] = _mm256_fmadd_pd(x_f64x4, y_f64x4, acc_f64x4[p]);
            continue;
        }
        __m256d term_f64x4 = _mm256_sub_pd(x_f64x4, y_f64x4);
        if (op == VSK_PAIR_L2SQ) {
            term_f64x4 = _mm256_mul_pd(term_f64x4, term_f64x4);
            VSK_ROUNDED_F64(term_f64x4);
        } else {
            term_f64x4 = _mm256_andnot_pd(_mm256_set1_pd(-0.0), term_f64x4);
        }
        acc_f64x4[p] = _mm256_add_pd(acc_f64x4[p], term_f64x4);
    }
}

VSK_INLINE double canon_fold_avx2(const __m256d acc_f64x4[CANON_PARTS_AVX2])
{
    __m256d sum_f64x4 = _mm256_add_pd(_mm256_add_pd(acc_f64x4[0], acc_f64x4[2]),
                                      _mm256_add_pd(acc_f64x4[1], acc_f64x4[3]));
    __m128d sum_f64x2 =
        _mm_add_pd(_mm256_castpd256_pd128(sum_f64x4), _mm256_extractf128_pd(sum_f64x4, 1));
    return _mm_cvtsd_f64(_mm_add_sd(sum_f64x2, _mm_unpackhi_pd(sum_f64x2, sum_f64x2)));
}

VSK_INLINE double canon_pair_avx2(const void *a, const void *b, size_t dim, vsk_pair_op op,
                                  vsk_type type)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t block_bytes = VSK_LANES * vsk_element_bytes(type);
    size_t rest_bytes = dim % VSK_LANES * vsk_element_bytes(type);
    __m256d acc_f64x4[CANON_PARTS_AVX2];

    VSK_UNROLL
    for (int p = 0; p < CANON_PARTS_AVX2; p++) {
        acc_f64x4[p] = _mm256_setzero_pd();
    }
    for (size_t blocks = dim / VSK_LANES; blocks > 0; blocks--) {
        canon_step_avx2(acc_f64x4, x, y, op, type);
        x += block_bytes;
        y += block_bytes;
    }
    if (rest_bytes > 0) { /* a zero on both sides adds +0.0, which changes no lane */
        unsigned char x_rest[4 * VSK_LANES] = {0};
        unsigned char y_rest[4 * VSK_LANES] = {0};
        memcpy(x_rest, x, rest_bytes);
        memcpy(y_rest, y, rest_bytes);
        canon_step_avx2(acc_f64x4, x_rest, y_rest, op, type);
    }
    return canon_fold_avx2(acc_f64x4);
}

/* The three sums of one block of 16 elements. */
VSK_INLINE void canon_step_triple_avx2(__m256d acc_f64x4[3][CANON_PARTS_AVX2],
                                       const unsigned char *a, const unsigned char *b,
                                       vsk_type type)
{
    VSK_UNROLL
    for (int p = 0; p < CANON_PARTS_AVX2; p++) {
        __m256d x_f64x4 = canon_load_avx2(a, p, type);
        __m256d y_f64x4 = canon_load_avx2(b, p, type);
        acc_f64x4[0][p] = _mm256_fmadd_pd(x_f64x4, y_f64x4, acc_f64x4[0][p]);
        acc_f64x4[1][p] = _mm256_fmadd_pd(x_f64x4, x_f64x4, acc_f64x4[1][p]);
        acc_f64x4[2][p] = _mm256_fmadd_pd(y_f64x4, y_f64x4, acc_f64x4[2][p]);
    }
}

VSK_INLINE void canon_triple_avx2(const void *a, const void *b, size_t dim, double out[3],
                                  vsk_type type)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t block_bytes = VSK_LANES * vsk_element_bytes(type);
    size_t rest_bytes = dim % VSK_LANES * vsk_element_bytes(type);
    __m256d acc_f64x4[3][CANON_PARTS_AVX2];

    VSK_UNROLL
    for (int p = 0; p < CANON_PARTS_AVX2; p++) {
        acc_f64x4[0][p] = acc_f64x4[1][p] = acc_f64x4[2][p] = _mm256_setzero_pd();
    }
    for (size_t blocks = dim / VSK_LANES; blocks > 0; blocks--) {
        canon_step_triple_avx2(acc_f64x4, x, y, type);
        x += block_bytes;
        y += block_bytes;
    }
    if (rest_bytes > 0) {
        unsigned char x_rest[4 * VSK_LANES] = {0};
        unsigned char y_rest[4 * VSK_LANES] = {0};
        memcpy(x_rest, x, rest_bytes);
        memcpy(y_rest, y, rest_bytes);
        canon_step_triple_avx2(acc_f64x4, x_rest, y_rest, type);
    }
    out[0] = canon_fold_avx2(acc_f64x4[0]);
    out[1] = canon_fold_avx2(acc_f64x4[1]);
    out[2] = canon_fold_avx2(acc_f64x4[2]);
}

VSK_DEFINE_CANONICAL(f32, VSK_F32, avx2)
VSK_DEFINE_CANONICAL(f16, VSK_F16, avx2)
VSK_DEFINE_CANONICAL(bf16, VSK_BF16, avx2)

#include "../isa_end.h"
#endif
