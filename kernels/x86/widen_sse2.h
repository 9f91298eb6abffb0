/*
 * widen_sse2.h - four elements of float32, float16 or bfloat16 as float32, exactly. Included inside
 * an SSE2 region.
 */
#ifndef VSK_WIDEN_SSE2_H
#define VSK_WIDEN_SSE2_H

/*
 * float16 in the low half of each element; no operand is denormal, so no setting of the CPU changes
 * a bit.
 */
VSK_INLINE __m128 widen_f16_sse2(__m128i half_u32x4)
{
    const __m128i rebias_u32x4 = _mm_set1_epi32(112 << 23);
    const __m128i one_u32x4 = _mm_set1_epi32(1 << 23);
    __m128i sign_u32x4 = _mm_slli_epi32(_mm_and_si128(half_u32x4, _mm_set1_epi32(0x8000)), 16);
    __m128i magnitude_u32x4 = _mm_and_si128(half_u32x4, _mm_set1_epi32(0x7fff));
    __m128i is_denormal = _mm_cmplt_epi32(magnitude_u32x4, _mm_set1_epi32(0x0400));
    __m128i is_special = _mm_cmpgt_epi32(magnitude_u32x4, _mm_set1_epi32(0x7bff));
    __m128i is_nan = _mm_cmpgt_epi32(magnitude_u32x4, _mm_set1_epi32(0x7c00));

    /* normal: shift and rebias; infinity and NaN: rebias twice, and quiet */
    __m128i bits_u32x4 = _mm_add_epi32(_mm_slli_epi32(magnitude_u32x4, 13), rebias_u32x4);
    bits_u32x4 = _mm_add_epi32(bits_u32x4, _mm_and_si128(is_special, rebias_u32x4));
    bits_u32x4 = _mm_or_si128(bits_u32x4, _mm_and_si128(is_nan, _mm_set1_epi32(0x00400000)));
    /* denormal: as the fraction of 2^-14, less 2^-14 */
    __m128 tiny_f32x4 = _mm_sub_ps(_mm_castsi128_ps(_mm_add_epi32(bits_u32x4, one_u32x4)),
                                   _mm_castsi128_ps(_mm_set1_epi32(113 << 23)));
    bits_u32x4 = _mm_or_si128(_mm_and_si128(is_denormal, _mm_castps_si128(tiny_f32x4)),
                              _mm_andnot_si128(is_denormal, bits_u32x4));
    return _mm_castsi128_ps(_mm_or_si128(bits_u32x4, sign_u32x4));
}

VSK_INLINE __m128 widen_load_sse2(const unsigned char *at, vsk_type type)
{
    if (type == VSK_F32) {
        return _mm_loadu_ps((const float *)(const void *)at);
    }
    __m128i half_u16x4 = _mm_loadl_epi64((const __m128i *)(const void *)at);
    if (type == VSK_F16) {
        return widen_f16_sse2(_mm_unpacklo_epi16(half_u16x4, _mm_setzero_si128()));
    }
    return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), half_u16x4));
}

#endif
