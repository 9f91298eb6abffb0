/*
 * convert_sse2.c - conversion between element types, and the search for NaN and infinity, with
 * SSE2.
 *
 * What does not fill a vector goes to the scalar kernel, and so does float32 to float16, which SSE2
 * could not do much faster.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "sse2_begin.h"

#include "widen_sse2.h"

VSK_INLINE void convert_store_f32_sse2(unsigned char *to, size_t i, __m128 value_f32x4)
{
    _mm_storeu_ps((float *)(void *)(to + 4 * i), value_f32x4);
}

void vsk_to_f32_f16_sse2(const void *src, void *dst, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = dst;
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        convert_store_f32_sse2(to, i, widen_load_sse2(from + 2 * i, VSK_F16));
    }
    vsk_to_f32_f16_scalar(from + 2 * i, to + 4 * i, n - i);
}

void vsk_to_f32_bf16_sse2(const void *src, void *dst, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = dst;
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        convert_store_f32_sse2(to, i, widen_load_sse2(from + 2 * i, VSK_BF16));
    }
    vsk_to_f32_bf16_scalar(from + 2 * i, to + 4 * i, n - i);
}

void vsk_to_f32_i8_sse2(const void *src, void *dst, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = dst;
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m128i value_i8x8 = _mm_loadl_epi64((const __m128i *)(const void *)(from + i));
        __m128i value_i16x8 = _mm_srai_epi16(_mm_unpacklo_epi8(value_i8x8, value_i8x8), 8);
        __m128i low_i32x4 = _mm_srai_epi32(_mm_unpacklo_epi16(value_i16x8, value_i16x8), 16);
        __m128i high_i32x4 = _mm_srai_epi32(_mm_unpackhi_epi16(value_i16x8, value_i16x8), 16);
        convert_store_f32_sse2(to, i, _mm_cvtepi32_ps(low_i32x4));
        convert_store_f32_sse2(to, i + 4, _mm_cvtepi32_ps(high_i32x4));
    }
    vsk_to_f32_i8_scalar(from + i, to + 4 * i, n - i);
}

/* The upper 16 bits, rounded, as signed elements of 32. */
VSK_INLINE __m128i convert_bf16_sse2(const unsigned char *at)
{
    __m128i bits_u32x4 = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i magnitude_u32x4 = _mm_and_si128(bits_u32x4, _mm_set1_epi32(0x7fffffff));
    __m128i is_nan = _mm_cmpgt_epi32(magnitude_u32x4, _mm_set1_epi32(0x7f800000));
    __m128i odd_u32x4 = _mm_and_si128(_mm_srli_epi32(bits_u32x4, 16), _mm_set1_epi32(1));
    __m128i rounded_u32x4 =
        _mm_add_epi32(bits_u32x4, _mm_add_epi32(odd_u32x4, _mm_set1_epi32(0x7fff)));
    __m128i quiet_u32x4 = _mm_or_si128(bits_u32x4, _mm_set1_epi32(0x00400000));
    __m128i chosen_u32x4 =
        _mm_or_si128(_mm_and_si128(is_nan, quiet_u32x4), _mm_andnot_si128(is_nan, rounded_u32x4));
    return _mm_srai_epi32(chosen_u32x4, 16);
}

/* Returns how many elements it divided: all that fill a vector. */
VSK_INLINE size_t convert_divide_sse2(const unsigned char *from, float norm, unsigned char *to,
                                      size_t n, vsk_type type)
{
    __m128 norm_f32x4 = _mm_set1_ps(norm);
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        __m128 value_f32x4 = widen_load_sse2(from + 2 * i, type);
        convert_store_f32_sse2(to, i, _mm_div_ps(value_f32x4, norm_f32x4));
    }
    return i;
}

void vsk_half_widen_f16_sse2(const void *src, float norm, void *out, size_t n)
{
    size_t i = convert_divide_sse2(src, norm, out, n, VSK_F16);
    vsk_half_widen_f16_scalar((const unsigned char *)src + 2 * i, norm,
                              (unsigned char *)out + 4 * i, n - i);
}

void vsk_half_widen_bf16_sse2(const void *src, float norm, void *out, size_t n)
{
    size_t i = convert_divide_sse2(src, norm, out, n, VSK_BF16);
    vsk_half_widen_bf16_scalar((const unsigned char *)src + 2 * i, norm,
                               (unsigned char *)out + 4 * i, n - i);
}

void vsk_from_f32_bf16_sse2(const void *src, void *dst, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = dst;
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m128i low_i32x4 = convert_bf16_sse2(from + 4 * i);
        __m128i high_i32x4 = convert_bf16_sse2(from + 4 * i + 16);
        _mm_storeu_si128((__m128i *)(void *)(to + 2 * i), _mm_packs_epi32(low_i32x4, high_i32x4));
    }
    vsk_from_f32_bf16_scalar(from + 4 * i, to + 2 * i, n - i);
}

/* 1 when 16 bytes hold an element whose exponent bits are all set. */
VSK_INLINE int convert_is_bad_sse2(const unsigned char *at, vsk_type type)
{
    __m128i bits = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i exponent = type == VSK_F32   ? _mm_set1_epi32(0x7f800000)
                       : type == VSK_F16 ? _mm_set1_epi16(0x7c00)
                                         : _mm_set1_epi16(0x7f80);
    __m128i masked = _mm_and_si128(bits, exponent);
    __m128i is_bad =
        type == VSK_F32 ? _mm_cmpeq_epi32(masked, exponent) : _mm_cmpeq_epi16(masked, exponent);
    return _mm_movemask_epi8(is_bad) != 0;
}

/* Bytes before the first 16 that hold NaN or infinity, or before those that are fewer than 16. */
VSK_INLINE size_t convert_good_bytes_sse2(const void *src, size_t bytes, vsk_type type)
{
    size_t i = 0;

    while (i + 16 <= bytes && !convert_is_bad_sse2((const unsigned char *)src + i, type)) {
        i += 16;
    }
    return i;
}

VSK_DEFINE_SCAN(f32, VSK_F32, sse2)
VSK_DEFINE_SCAN(f16, VSK_F16, sse2)
VSK_DEFINE_SCAN(bf16, VSK_BF16, sse2)

#include "../isa_end.h"
#endif
