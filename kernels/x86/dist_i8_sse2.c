/*
 * dist_i8_sse2.c - distances of int8 vectors with SSE2. As dist_i8_avx2.c, in half the width.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "sse2_begin.h"

enum { I8_BLOCK_SSE2 = 16 };

/* The terms of 8 elements, summed in pairs. */
VSK_INLINE __m128i i8_products_sse2(__m128i x_i16x8, __m128i y_i16x8, vsk_pair_op op)
{
    if (op == VSK_PAIR_L2SQ) {
        x_i16x8 = y_i16x8 = _mm_sub_epi16(x_i16x8, y_i16x8);
    }
    return _mm_madd_epi16(x_i16x8, y_i16x8);
}

/* The terms of one block, summed to four numbers. */
VSK_INLINE __m128i i8_terms_sse2(const unsigned char *a, const unsigned char *b, vsk_pair_op op)
{
    __m128i x_i8x16 = _mm_loadu_si128((const __m128i *)(const void *)a);
    __m128i y_i8x16 = _mm_loadu_si128((const __m128i *)(const void *)b);

    if (op == VSK_PAIR_L1) { /* bytes of unsigned order: both moved up by 128 */
        __m128i bias = _mm_set1_epi8(-128);
        return _mm_sad_epu8(_mm_xor_si128(x_i8x16, bias), _mm_xor_si128(y_i8x16, bias));
    }
    /* widened by doubling each byte and shifting the copy out, sign and all */
    __m128i x_low = _mm_srai_epi16(_mm_unpacklo_epi8(x_i8x16, x_i8x16), 8);
    __m128i x_high = _mm_srai_epi16(_mm_unpackhi_epi8(x_i8x16, x_i8x16), 8);
    __m128i y_low = _mm_srai_epi16(_mm_unpacklo_epi8(y_i8x16, y_i8x16), 8);
    __m128i y_high = _mm_srai_epi16(_mm_unpackhi_epi8(y_i8x16, y_i8x16), 8);
    return _mm_add_epi32(i8_products_sse2(x_low, y_low, op), i8_products_sse2(x_high, y_high, op));
}

VSK_INLINE uint32_t i8_pair_sse2(const void *a, const void *b, size_t dim, vsk_pair_op op)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t rest = dim % I8_BLOCK_SSE2;
    __m128i sum_u32x4 = _mm_setzero_si128();

    for (const unsigned char *end = x + (dim - rest); x < end; x += I8_BLOCK_SSE2) {
        sum_u32x4 = _mm_add_epi32(sum_u32x4, i8_terms_sse2(x, y, op));
        y += I8_BLOCK_SSE2;
    }
    if (rest > 0) {
        unsigned char x_rest[I8_BLOCK_SSE2] = {0};
        unsigned char y_rest[I8_BLOCK_SSE2] = {0};
        memcpy(x_rest, x, rest);
        memcpy(y_rest, y, rest);
        sum_u32x4 = _mm_add_epi32(sum_u32x4, i8_terms_sse2(x_rest, y_rest, op));
    }
    sum_u32x4 = _mm_add_epi32(sum_u32x4, _mm_unpackhi_epi64(sum_u32x4, sum_u32x4));
    sum_u32x4 = _mm_add_epi32(sum_u32x4, _mm_shuffle_epi32(sum_u32x4, 1));
    return (uint32_t)_mm_cvtsi128_si32(sum_u32x4);
}

VSK_DEFINE_I8(sse2)

#include "../isa_end.h"
#endif
