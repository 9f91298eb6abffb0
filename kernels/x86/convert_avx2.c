/*
 * convert_avx2.c - conversion between element types, and the search for NaN and infinity, with AVX2
 * and F16C.
 *
 * What does not fill a vector goes to the scalar kernel.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx2_begin.h"

enum { CONVERT_BLOCK_AVX2 = 16 };

VSK_INLINE void convert_store_f32_avx2(unsigned char *to, size_t i, __m256 value_f32x8)
{
    _mm256_storeu_ps((float *)(void *)(to + 4 * i), value_f32x8);
}

void vsk_to_f32_f16_avx2(const void *src, void *dst, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = dst;
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m128i half_u16x8 = _mm_loadu_si128((const __m128i *)(const void *)(from + 2 * i));
        convert_store_f32_avx2(to, i, _mm256_cvtph_ps(half_u16x8));
    }
    vsk_to_f32_f16_scalar(from + 2 * i, to + 4 * i, n - i);
}

void vsk_to_f32_bf16_avx2(const void *src, void *dst, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = dst;
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m128i upper_u16x8 = _mm_loadu_si128((const __m128i *)(const void *)(from + 2 * i));
        __m256i bits_u32x8 = _mm256_slli_epi32(_mm256_cvtepu16_epi32(upper_u16x8), 16);
        convert_store_f32_avx2(to, i, _mm256_castsi256_ps(bits_u32x8));
    }
    vsk_to_f32_bf16_scalar(from + 2 * i, to + 4 * i, n - i);
}

void vsk_to_f32_i8_avx2(const void *src, void *dst, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = dst;
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m128i value_i8x8 = _mm_loadl_epi64((const __m128i *)(const void *)(from + i));
        convert_store_f32_avx2(to, i, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(value_i8x8)));
    }
    vsk_to_f32_i8_scalar(from + i, to + 4 * i, n - i);
}

void vsk_half_widen_f16_avx2(const void *src, float norm, void *out, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = out;
    __m256 norm_f32x8 = _mm256_set1_ps(norm);
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m128i half_u16x8 = _mm_loadu_si128((const __m128i *)(const void *)(from + 2 * i));
        __m256 value_f32x8 = _mm256_cvtph_ps(half_u16x8);
        convert_store_f32_avx2(to, i, _mm256_div_ps(value_f32x8, norm_f32x8));
    }
    vsk_half_widen_f16_scalar(from + 2 * i, norm, to + 4 * i, n - i);
}

void vsk_half_widen_bf16_avx2(const void *src, float norm, void *out, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = out;
    __m256 norm_f32x8 = _mm256_set1_ps(norm);
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m128i upper_u16x8 = _mm_loadu_si128((const __m128i *)(const void *)(from + 2 * i));
        __m256i bits_u32x8 = _mm256_slli_epi32(_mm256_cvtepu16_epi32(upper_u16x8), 16);
        __m256 value_f32x8 = _mm256_castsi256_ps(bits_u32x8);
        convert_store_f32_avx2(to, i, _mm256_div_ps(value_f32x8, norm_f32x8));
    }
    vsk_half_widen_bf16_scalar(from + 2 * i, norm, to + 4 * i, n - i);
}

void vsk_from_f32_f16_avx2(const void *src, void *dst, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = dst;
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m256 value_f32x8 = _mm256_loadu_ps((const float *)(const void *)(from + 4 * i));
        __m128i half_u16x8 = _mm256_cvtps_ph(value_f32x8, _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128((__m128i *)(void *)(to + 2 * i), half_u16x8);
    }
    vsk_from_f32_f16_scalar(from + 4 * i, to + 2 * i, n - i);
}

/* The upper 16 bits, rounded, in the low half of each element. */
VSK_INLINE __m256i convert_bf16_avx2(const unsigned char *at)
{
    __m256i bits_u32x8 = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i magnitude_u32x8 = _mm256_and_si256(bits_u32x8, _mm256_set1_epi32(0x7fffffff));
    __m256i is_nan = _mm256_cmpgt_epi32(magnitude_u32x8, _mm256_set1_epi32(0x7f800000));
    __m256i odd_u32x8 = _mm256_and_si256(_mm256_srli_epi32(bits_u32x8, 16), _mm256_set1_epi32(1));
    __m256i rounded_u32x8 =
        _mm256_add_epi32(bits_u32x8, _mm256_add_epi32(odd_u32x8, _mm256_set1_epi32(0x7fff)));
    __m256i quiet_u32x8 = _mm256_or_si256(bits_u32x8, _mm256_set1_epi32(0x00400000));
    return _mm256_srli_epi32(_mm256_blendv_epi8(rounded_u32x8, quiet_u32x8, is_nan), 16);
}

void vsk_from_f32_bf16_avx2(const void *src, void *dst, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = dst;
    size_t i = 0;

    for (; i + CONVERT_BLOCK_AVX2 <= n; i += CONVERT_BLOCK_AVX2) {
        __m256i low_u32x8 = convert_bf16_avx2(from + 4 * i);
        __m256i high_u32x8 = convert_bf16_avx2(from + 4 * i + 32);
        __m256i mixed_u16x16 =
            _mm256_packus_epi32(low_u32x8, high_u32x8); /* 128 bits of each in turn */
        _mm256_storeu_si256((__m256i *)(void *)(to + 2 * i),
                            _mm256_permute4x64_epi64(mixed_u16x16, 0xd8));
    }
    vsk_from_f32_bf16_scalar(from + 4 * i, to + 2 * i, n - i);
}

/* 1 when 32 bytes hold an element whose exponent bits are all set. */
VSK_INLINE int convert_is_bad_avx2(const unsigned char *at, vsk_type type)
{
    __m256i bits = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i exponent = type == VSK_F32   ? _mm256_set1_epi32(0x7f800000)
                       : type == VSK_F16 ? _mm256_set1_epi16(0x7c00)
                                         : _mm256_set1_epi16(0x7f80);
    __m256i masked = _mm256_and_si256(bits, exponent);
    __m256i is_bad = type == VSK_F32 ? _mm256_cmpeq_epi32(masked, exponent)
                                     : _mm256_cmpeq_epi16(masked, exponent);
    return _mm256_movemask_epi8(is_bad) != 0;
}

/* Bytes before the first 32 that hold NaN or infinity, or before those that are fewer than 32. */
VSK_INLINE size_t convert_good_bytes_avx2(const void *src, size_t bytes, vsk_type type)
{
    size_t i = 0;

    while (i + 32 <= bytes && !convert_is_bad_avx2((const unsigned char *)src + i, type)) {
        i += 32;
    }
    return i;
}

VSK_DEFINE_SCAN(f32, VSK_F32, avx2)
VSK_DEFINE_SCAN(f16, VSK_F16, avx2)
VSK_DEFINE_SCAN(bf16, VSK_BF16, avx2)

#include "../isa_end.h"
#endif
