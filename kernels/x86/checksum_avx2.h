/*
 * checksum_avx2.h - the end of the checksum in vector registers: lanes are halved by folding one
 * half upon the other; of four records at a time, for the steps of one wait for each other. Included
 * inside an AVX2 or AVX-512 region.
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

VSK_INLINE __m256i checksum_mix_avx2(__m256i x_u32x8)
{
    x_u32x8 = _mm256_mullo_epi32(x_u32x8, _mm256_set1_epi32((int)VSK_CHECKSUM_FOLD));
    return _mm256_xor_si256(x_u32x8, _mm256_srli_epi32(x_u32x8, 13));
}

/* Eight lanes with eight others. */
VSK_INLINE __m256i checksum_fold8_avx2(__m256i a_u32x8, __m256i b_u32x8)
{
    b_u32x8 = _mm256_or_si256(_mm256_slli_epi32(b_u32x8, 16), _mm256_srli_epi32(b_u32x8, 16));
    return checksum_mix_avx2(_mm256_xor_si256(a_u32x8, b_u32x8));
}

/* Of four records, whose lanes 0 .. 7 are low, and 8 .. 15 high. */
VSK_INLINE void checksum_fold_four_avx2(const __m256i low_u32x8[4], const __m256i high_u32x8[4],
                                        size_t n, uint32_t out[4])
{
    __m256i r0_u32x8 = checksum_fold8_avx2(low_u32x8[0], high_u32x8[0]);
    __m256i r1_u32x8 = checksum_fold8_avx2(low_u32x8[1], high_u32x8[1]);
    __m256i r2_u32x8 = checksum_fold8_avx2(low_u32x8[2], high_u32x8[2]);
    __m256i r3_u32x8 = checksum_fold8_avx2(low_u32x8[3], high_u32x8[3]);
    __m256i r01_u32x8 = checksum_fold8_avx2(_mm256_permute2x128_si256(r0_u32x8, r1_u32x8, 0x20),
                                            _mm256_permute2x128_si256(r0_u32x8, r1_u32x8, 0x31));
    __m256i r23_u32x8 = checksum_fold8_avx2(_mm256_permute2x128_si256(r2_u32x8, r3_u32x8, 0x20),
                                            _mm256_permute2x128_si256(r2_u32x8, r3_u32x8, 0x31));
    /* lanes 0, 1 of records 0, 2, 1, 3; then lane 0 in every second place */
    __m256i sum_u32x8 = checksum_fold8_avx2(_mm256_unpacklo_epi64(r01_u32x8, r23_u32x8),
                                            _mm256_unpackhi_epi64(r01_u32x8, r23_u32x8));
    sum_u32x8 = checksum_fold8_avx2(sum_u32x8, _mm256_srli_epi64(sum_u32x8, 32));
    sum_u32x8 = checksum_mix_avx2(_mm256_xor_si256(sum_u32x8, _mm256_set1_epi32((int)(uint32_t)n)));
    sum_u32x8 = checksum_mix_avx2(
        _mm256_xor_si256(sum_u32x8, _mm256_set1_epi32((int)(uint32_t)((uint64_t)n >> 32))));
    sum_u32x8 = _mm256_xor_si256(sum_u32x8, _mm256_srli_epi32(sum_u32x8, 16));
    sum_u32x8 = _mm256_permutevar8x32_epi32(sum_u32x8, _mm256_setr_epi32(0, 4, 2, 6, 0, 0, 0, 0));
    _mm_storeu_si128((__m128i *)(void *)out, _mm256_castsi256_si128(sum_u32x8));
}

#endif
