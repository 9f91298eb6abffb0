/*
 * checksum_avx2.h - the end of the checksum in vector registers: lanes are halved by folding one
 * half upon the other. Included inside an AVX2 or AVX-512 region.
 */
#ifndef VSK_CHECKSUM_AVX2_H
#define VSK_CHECKSUM_AVX2_H

/* Four lanes with four others. */
VSK_INLINE __m128i checksum_fold4_avx2(__m128i a_u32x4, __m128i b_u32x4)
{
    b_u32x4 = _mm_or_si128(_mm_slli_epi32(b_u32x4, 16), _mm_srli_epi32(b_u32x4, 16));
    a_u32x4 =
        _mm_mullo_epi32(_mm_xor_si128(a_u32x4, b_u32x4), _mm_set1_epi32((int)VSK_CHECKSUM_FOLD));
    return _mm_xor_si128(a_u32x4, _mm_srli_epi32(a_u32x4, 13));
}

/* Lanes 0 .. 7 and 8 .. 15; n as in code.h. */
VSK_INLINE uint32_t checksum_fold_avx2(__m256i low_u32x8, __m256i high_u32x8, size_t n)
{
    __m256i turned_u32x8 =
        _mm256_or_si256(_mm256_slli_epi32(high_u32x8, 16), _mm256_srli_epi32(high_u32x8, 16));
    low_u32x8 = _mm256_mullo_epi32(_mm256_xor_si256(low_u32x8, turned_u32x8),
                                   _mm256_set1_epi32((int)VSK_CHECKSUM_FOLD));
    low_u32x8 = _mm256_xor_si256(low_u32x8, _mm256_srli_epi32(low_u32x8, 13));
    __m128i lanes_u32x4 = checksum_fold4_avx2(_mm256_castsi256_si128(low_u32x8),
                                              _mm256_extracti128_si256(low_u32x8, 1));
    lanes_u32x4 = checksum_fold4_avx2(lanes_u32x4, _mm_shuffle_epi32(lanes_u32x4, 0x0e));
    lanes_u32x4 = checksum_fold4_avx2(lanes_u32x4, _mm_shuffle_epi32(lanes_u32x4, 0x01));
    return code_checksum_end((uint32_t)_mm_cvtsi128_si32(lanes_u32x4), n);
}

#endif
