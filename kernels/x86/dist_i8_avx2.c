/*
 * dist_i8_avx2.c - distances of int8 vectors with AVX2.
 *
 * Elements are widened to 16 bits and multiplied in pairs into 32-bit sums. Arithmetic is modulo
 * 2^32, and every total fits for any dim up to VSK_DIM_MAX: 2^14 * 2^16 for dot, 255^2 * 2^16 <
 * 2^32 for l2sq.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx2_begin.h"

enum {
    I8_BLOCK_AVX2 = 32,
    I8_AHEAD_AVX2 =
        4 * 1024 /* bytes from what is read of b to what is prefetched: rows follow each other */
};

VSK_INLINE __m256i i8_widen_avx2(const unsigned char *at)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)at));
}

/* The terms of one block, summed to eight numbers. */
VSK_INLINE __m256i i8_terms_avx2(const unsigned char *a, const unsigned char *b, vsk_pair_op op)
{
    if (op == VSK_PAIR_L1) { /* bytes of unsigned order: both moved up by 128 */
        __m256i bias = _mm256_set1_epi8(-128);
        __m256i x_u8x32 =
            _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)a), bias);
        __m256i y_u8x32 =
            _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)b), bias);
        return _mm256_sad_epu8(x_u8x32, y_u8x32);
    }
    __m256i terms_u32x8 = _mm256_setzero_si256();
    VSK_UNROLL
    for (int half = 0; half < 2; half++) {
        __m256i x_i16x16 = i8_widen_avx2(a + 16 * half);
        __m256i y_i16x16 = i8_widen_avx2(b + 16 * half);
        if (op == VSK_PAIR_L2SQ) {
            x_i16x16 = y_i16x16 = _mm256_sub_epi16(x_i16x16, y_i16x16);
        }
        terms_u32x8 = _mm256_add_epi32(terms_u32x8, _mm256_madd_epi16(x_i16x16, y_i16x16));
    }
    return terms_u32x8;
}

VSK_INLINE uint32_t i8_fold_avx2(__m256i sum_u32x8)
{
    __m128i sum_u32x4 =
        _mm_add_epi32(_mm256_castsi256_si128(sum_u32x8), _mm256_extracti128_si256(sum_u32x8, 1));
    sum_u32x4 = _mm_add_epi32(sum_u32x4, _mm_unpackhi_epi64(sum_u32x4, sum_u32x4));
    sum_u32x4 = _mm_add_epi32(sum_u32x4, _mm_shuffle_epi32(sum_u32x4, 1));
    return (uint32_t)_mm_cvtsi128_si32(sum_u32x4);
}

VSK_INLINE uint32_t i8_pair_avx2(const void *a, const void *b, size_t dim, vsk_pair_op op)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t rest = dim % I8_BLOCK_AVX2;
    __m256i sum_u32x8 = _mm256_setzero_si256();

    for (const unsigned char *end = x + (dim - rest); x < end; x += I8_BLOCK_AVX2) {
        _mm_prefetch((const char *)y + I8_AHEAD_AVX2, _MM_HINT_T0);
        sum_u32x8 = _mm256_add_epi32(sum_u32x8, i8_terms_avx2(x, y, op));
        y += I8_BLOCK_AVX2;
    }
    if (rest > 0) {
        unsigned char x_rest[I8_BLOCK_AVX2] = {0};
        unsigned char y_rest[I8_BLOCK_AVX2] = {0};
        memcpy(x_rest, x, rest);
        memcpy(y_rest, y, rest);
        sum_u32x8 = _mm256_add_epi32(sum_u32x8, i8_terms_avx2(x_rest, y_rest, op));
    }
    return i8_fold_avx2(sum_u32x8);
}

VSK_DEFINE_I8(avx2)

#include "../isa_end.h"
#endif
