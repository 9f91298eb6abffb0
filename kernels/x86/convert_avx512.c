/*
 * convert_avx512.c - conversion between element types, and the search for NaN and infinity, with
 * AVX-512.
 *
 * What does not fill a vector goes through masked loads and stores.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx512_begin.h"

/* The first n elements of a vector, all of them from 16 on. */
VSK_INLINE __mmask16 convert_mask_avx512(size_t n)
{
    return (__mmask16)(n < 16 ? (1u << n) - 1 : 0xffff);
}

VSK_INLINE __m512 convert_widen_avx512(const unsigned char *from, size_t i, __mmask16 mask,
                                       vsk_type type)
{
    if (type == VSK_I8) {
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, from + i)));
    }
    __m256i half_u16x16 = _mm256_maskz_loadu_epi16(mask, from + 2 * i);
    if (type == VSK_F16) {
        return _mm512_cvtph_ps(half_u16x16);
    }
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half_u16x16), 16));
}

VSK_INLINE void convert_to_f32_avx512(const void *src, void *dst, size_t n, vsk_type type)
{
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 mask = convert_mask_avx512(n - i);
        _mm512_mask_storeu_ps((unsigned char *)dst + 4 * i, mask,
                              convert_widen_avx512(src, i, mask, type));
    }
}

void vsk_to_f32_f16_avx512(const void *src, void *dst, size_t n)
{
    convert_to_f32_avx512(src, dst, n, VSK_F16);
}

void vsk_to_f32_bf16_avx512(const void *src, void *dst, size_t n)
{
    convert_to_f32_avx512(src, dst, n, VSK_BF16);
}

void vsk_to_f32_i8_avx512(const void *src, void *dst, size_t n)
{
    convert_to_f32_avx512(src, dst, n, VSK_I8);
}

VSK_INLINE void convert_divide_avx512(const void *src, float norm, void *out, size_t n,
                                      vsk_type type)
{
    __m512 norm_f32x16 = _mm512_set1_ps(norm);

    for (size_t i = 0; i < n; i += 16) {
        __mmask16 mask = convert_mask_avx512(n - i);
        __m512 value_f32x16 = convert_widen_avx512(src, i, mask, type);
        _mm512_mask_storeu_ps((unsigned char *)out + 4 * i, mask,
                              _mm512_div_ps(value_f32x16, norm_f32x16));
    }
}

void vsk_half_widen_f16_avx512(const void *src, float norm, void *out, size_t n)
{
    convert_divide_avx512(src, norm, out, n, VSK_F16);
}

void vsk_half_widen_bf16_avx512(const void *src, float norm, void *out, size_t n)
{
    convert_divide_avx512(src, norm, out, n, VSK_BF16);
}

void vsk_from_f32_f16_avx512(const void *src, void *dst, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 mask = convert_mask_avx512(n - i);
        __m512 value_f32x16 = _mm512_maskz_loadu_ps(mask, (const unsigned char *)src + 4 * i);
        __m256i half_u16x16 = _mm512_cvtps_ph(value_f32x16, _MM_FROUND_TO_NEAREST_INT);
        _mm256_mask_storeu_epi16((unsigned char *)dst + 2 * i, mask, half_u16x16);
    }
}

/* Not the instruction of AVX512-BF16, which takes denormal numbers for zero. */
void vsk_from_f32_bf16_avx512(const void *src, void *dst, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 mask = convert_mask_avx512(n - i);
        __m512i bits_u32x16 = _mm512_maskz_loadu_epi32(mask, (const unsigned char *)src + 4 * i);
        __m512 value_f32x16 = _mm512_castsi512_ps(bits_u32x16);
        __mmask16 is_nan = _mm512_cmp_ps_mask(value_f32x16, value_f32x16, _CMP_UNORD_Q);
        __m512i odd_u32x16 =
            _mm512_and_si512(_mm512_srli_epi32(bits_u32x16, 16), _mm512_set1_epi32(1));
        __m512i rounded_u32x16 =
            _mm512_add_epi32(bits_u32x16, _mm512_add_epi32(odd_u32x16, _mm512_set1_epi32(0x7fff)));
        rounded_u32x16 = _mm512_mask_or_epi32(rounded_u32x16, is_nan, bits_u32x16,
                                              _mm512_set1_epi32(0x00400000));
        _mm256_mask_storeu_epi16((unsigned char *)dst + 2 * i, mask,
                                 _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded_u32x16, 16)));
    }
}

/* 1 when 64 bytes hold an element whose exponent bits are all set. */
VSK_INLINE int convert_is_bad_avx512(const unsigned char *at, vsk_type type)
{
    __m512i bits = _mm512_loadu_si512(at);

    if (type == VSK_F32) {
        __m512i exponent_u32x16 = _mm512_set1_epi32(0x7f800000);
        return _mm512_cmpeq_epi32_mask(_mm512_and_si512(bits, exponent_u32x16), exponent_u32x16) !=
               0;
    }
    __m512i exponent_u16x32 = _mm512_set1_epi16(type == VSK_F16 ? 0x7c00 : 0x7f80);
    return _mm512_cmpeq_epi16_mask(_mm512_and_si512(bits, exponent_u16x32), exponent_u16x32) != 0;
}

/* Bytes before the first 64 that hold NaN or infinity, or before those that are fewer than 64. */
VSK_INLINE size_t convert_good_bytes_avx512(const void *src, size_t bytes, vsk_type type)
{
    size_t i = 0;

    while (i + 64 <= bytes && !convert_is_bad_avx512((const unsigned char *)src + i, type)) {
        i += 64;
    }
    return i;
}

VSK_DEFINE_SCAN(f32, VSK_F32, avx512)
VSK_DEFINE_SCAN(f16, VSK_F16, avx512)
VSK_DEFINE_SCAN(bf16, VSK_BF16, avx512)

#include "../isa_end.h"
#endif
