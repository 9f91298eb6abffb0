/*
 * pack_avx2.h - the planes of a code from its elements in 8 bits. Included inside an AVX2 or AVX-512
 * region.
 */
#ifndef VSK_PACK_AVX2_H
#define VSK_PACK_AVX2_H

/* Elements of the low nibbles and of the high ones, [count] each: a multiple of 32. */
VSK_INLINE void encode_pack_avx2(const uint8_t *low, const uint8_t *high, size_t count,
                                 uint8_t *plane_b, uint8_t *plane_c)
{
    __m256i nibble_u8x32 = _mm256_set1_epi8(15);
    for (size_t i = 0; i < count; i += 32) {
        __m256i low_u8x32 = _mm256_loadu_si256((const __m256i *)(const void *)(low + i));
        __m256i high_u8x32 = _mm256_loadu_si256((const __m256i *)(const void *)(high + i));
        __m256i b_u8x32 =
            _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(low_u8x32, 4), nibble_u8x32),
                            _mm256_andnot_si256(nibble_u8x32, high_u8x32));
        __m256i c_u8x32 =
            _mm256_or_si256(_mm256_and_si256(low_u8x32, nibble_u8x32),
                            _mm256_andnot_si256(nibble_u8x32, _mm256_slli_epi16(high_u8x32, 4)));
        _mm256_storeu_si256((__m256i *)(void *)(plane_b + i), b_u8x32);
        _mm256_storeu_si256((__m256i *)(void *)(plane_c + i), c_u8x32);
    }
}

#endif
