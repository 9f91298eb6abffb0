/*
 * dist_i8_avx512.c - distances of int8 vectors with AVX-512BW. As dist_i8_avx2.c, with masked loads
 * at the end.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx512_begin.h"

enum {
    I8_BLOCK_AVX512 = 64,
    I8_AHEAD_AVX512 =
        4 * 1024 /* bytes from what is read of b to what is prefetched: rows follow each other */
};

/* The terms of one block of n elements, summed to sixteen numbers. */
VSK_INLINE __m512i i8_terms_avx512(const unsigned char *a, const unsigned char *b, size_t n,
                                   vsk_pair_op op)
{
    __mmask64 mask = ~(uint64_t)0 >> (I8_BLOCK_AVX512 - n);
    __m512i x_i8x64 =
        n == I8_BLOCK_AVX512 ? _mm512_loadu_si512(a) : _mm512_maskz_loadu_epi8(mask, a);
    __m512i y_i8x64 =
        n == I8_BLOCK_AVX512 ? _mm512_loadu_si512(b) : _mm512_maskz_loadu_epi8(mask, b);

    if (op == VSK_PAIR_L1) { /* bytes of unsigned order: both moved up by 128 */
        __m512i bias = _mm512_set1_epi8(-128);
        return _mm512_sad_epu8(_mm512_xor_si512(x_i8x64, bias), _mm512_xor_si512(y_i8x64, bias));
    }
    __m512i terms_u32x16 = _mm512_setzero_si512();
    VSK_UNROLL
    for (int half = 0; half < 2; half++) {
        __m256i x_i8x32 =
            half == 0 ? _mm512_castsi512_si256(x_i8x64) : _mm512_extracti64x4_epi64(x_i8x64, 1);
        __m256i y_i8x32 =
            half == 0 ? _mm512_castsi512_si256(y_i8x64) : _mm512_extracti64x4_epi64(y_i8x64, 1);
        __m512i x_i16x32 = _mm512_cvtepi8_epi16(x_i8x32);
        __m512i y_i16x32 = _mm512_cvtepi8_epi16(y_i8x32);
        if (op == VSK_PAIR_L2SQ) {
            x_i16x32 = y_i16x32 = _mm512_sub_epi16(x_i16x32, y_i16x32);
        }
        terms_u32x16 = _mm512_add_epi32(terms_u32x16, _mm512_madd_epi16(x_i16x32, y_i16x32));
    }
    return terms_u32x16;
}

VSK_INLINE uint32_t i8_pair_avx512(const void *a, const void *b, size_t dim, vsk_pair_op op)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t rest = dim % I8_BLOCK_AVX512;
    __m512i sum_u32x16 = _mm512_setzero_si512();

    for (const unsigned char *end = x + (dim - rest); x < end; x += I8_BLOCK_AVX512) {
        _mm_prefetch((const char *)y + I8_AHEAD_AVX512, _MM_HINT_T0);
        sum_u32x16 = _mm512_add_epi32(sum_u32x16, i8_terms_avx512(x, y, I8_BLOCK_AVX512, op));
        y += I8_BLOCK_AVX512;
    }
    if (rest > 0) {
        sum_u32x16 = _mm512_add_epi32(sum_u32x16, i8_terms_avx512(x, y, rest, op));
    }
    return (uint32_t)_mm512_reduce_add_epi32(sum_u32x16);
}

VSK_DEFINE_I8(avx512)

#include "../isa_end.h"
#endif
