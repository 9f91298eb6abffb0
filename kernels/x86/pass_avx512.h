/*
 * pass_avx512.h - how the bound tests write down the rows that stay. Included inside an AVX-512
 * region.
 */
#ifndef VSK_PASS_AVX512_H
#define VSK_PASS_AVX512_H

enum { PASS_LANES_AVX512 = 16 };

/* The lanes of rows first .. count - 1. */
VSK_INLINE __mmask16 pass_mask_avx512(size_t first, size_t count)
{
    size_t n = count - first < PASS_LANES_AVX512 ? count - first : PASS_LANES_AVX512;
    return (__mmask16)(0xffffu >> (PASS_LANES_AVX512 - n));
}

/* Writes the rows first + i of each bit i, rising, to out. Returns their number. */
VSK_INLINE size_t pass_append_avx512(__mmask16 bits, size_t first, uint16_t *out)
{
    __m512i rows_u32x16 = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    unsigned more = (unsigned)__builtin_popcount(bits);

    rows_u32x16 = _mm512_add_epi32(rows_u32x16, _mm512_set1_epi32((int)first));
    rows_u32x16 = _mm512_maskz_compress_epi32(bits, rows_u32x16);
    _mm256_mask_storeu_epi16(out, (__mmask16)((1u << more) - 1),
                             _mm512_cvtepi32_epi16(rows_u32x16));
    return more;
}

#endif
