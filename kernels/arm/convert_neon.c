/*
 * convert_neon.c - conversion between element types, and the search for NaN and infinity, with
 * NEON.
 *
 * What does not fill a vector goes to the scalar kernel.
 */
#include "../vsk_impl.h"

#if defined(VSK_ARM64)
#include "neon_begin.h"

#include "widen_neon.h"

VSK_INLINE void convert_store_f32_neon(unsigned char *to, size_t i, float32x4_t value_f32x4)
{
    vst1q_u8(to + 4 * i, vreinterpretq_u8_f32(value_f32x4));
}

void vsk_to_f32_f16_neon(const void *src, void *dst, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = dst;
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        convert_store_f32_neon(to, i, widen_load_neon(from + 2 * i, VSK_F16));
    }
    vsk_to_f32_f16_scalar(from + 2 * i, to + 4 * i, n - i);
}

void vsk_to_f32_bf16_neon(const void *src, void *dst, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = dst;
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        convert_store_f32_neon(to, i, widen_load_neon(from + 2 * i, VSK_BF16));
    }
    vsk_to_f32_bf16_scalar(from + 2 * i, to + 4 * i, n - i);
}

void vsk_to_f32_i8_neon(const void *src, void *dst, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = dst;
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        int16x8_t value_i16x8 = vmovl_s8(vreinterpret_s8_u8(vld1_u8(from + i)));
        convert_store_f32_neon(to, i, vcvtq_f32_s32(vmovl_s16(vget_low_s16(value_i16x8))));
        convert_store_f32_neon(to, i + 4, vcvtq_f32_s32(vmovl_high_s16(value_i16x8)));
    }
    vsk_to_f32_i8_scalar(from + i, to + 4 * i, n - i);
}

/* Returns how many elements it divided: all that fill a vector. */
VSK_INLINE size_t convert_divide_neon(const unsigned char *from, float norm, unsigned char *to,
                                      size_t n, vsk_type type)
{
    float32x4_t norm_f32x4 = vdupq_n_f32(norm);
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        float32x4_t value_f32x4 = widen_load_neon(from + 2 * i, type);
        convert_store_f32_neon(to, i, vdivq_f32(value_f32x4, norm_f32x4));
    }
    return i;
}

void vsk_half_widen_f16_neon(const void *src, float norm, void *out, size_t n)
{
    size_t i = convert_divide_neon(src, norm, out, n, VSK_F16);
    vsk_half_widen_f16_scalar((const unsigned char *)src + 2 * i, norm,
                              (unsigned char *)out + 4 * i, n - i);
}

void vsk_half_widen_bf16_neon(const void *src, float norm, void *out, size_t n)
{
    size_t i = convert_divide_neon(src, norm, out, n, VSK_BF16);
    vsk_half_widen_bf16_scalar((const unsigned char *)src + 2 * i, norm,
                               (unsigned char *)out + 4 * i, n - i);
}

void vsk_from_f32_f16_neon(const void *src, void *dst, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = dst;
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        float32x4_t value_f32x4 = vreinterpretq_f32_u8(vld1q_u8(from + 4 * i));
        vst1_u8(to + 2 * i, vreinterpret_u8_f16(vcvt_f16_f32(value_f32x4)));
    }
    vsk_from_f32_f16_scalar(from + 4 * i, to + 2 * i, n - i);
}

void vsk_from_f32_bf16_neon(const void *src, void *dst, size_t n)
{
    const unsigned char *from = src;
    unsigned char *to = dst;
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        uint32x4_t bits_u32x4 = vreinterpretq_u32_u8(vld1q_u8(from + 4 * i));
        uint32x4_t magnitude_u32x4 = vandq_u32(bits_u32x4, vdupq_n_u32(0x7fffffffu));
        uint32x4_t is_nan = vcgtq_u32(magnitude_u32x4, vdupq_n_u32(0x7f800000u));
        uint32x4_t odd_u32x4 = vandq_u32(vshrq_n_u32(bits_u32x4, 16), vdupq_n_u32(1));
        uint32x4_t rounded_u32x4 =
            vaddq_u32(bits_u32x4, vaddq_u32(odd_u32x4, vdupq_n_u32(0x7fffu)));
        uint32x4_t quiet_u32x4 = vorrq_u32(bits_u32x4, vdupq_n_u32(0x00400000u));
        uint32x4_t chosen_u32x4 = vbslq_u32(is_nan, quiet_u32x4, rounded_u32x4);
        vst1_u8(to + 2 * i, vreinterpret_u8_u16(vshrn_n_u32(chosen_u32x4, 16)));
    }
    vsk_from_f32_bf16_scalar(from + 4 * i, to + 2 * i, n - i);
}

/* 1 when 16 bytes hold an element whose exponent bits are all set. */
VSK_INLINE int convert_is_bad_neon(const unsigned char *at, vsk_type type)
{
    uint8x16_t bits = vld1q_u8(at);

    if (type == VSK_F32) {
        uint32x4_t exponent_u32x4 = vdupq_n_u32(0x7f800000u);
        uint32x4_t masked_u32x4 = vandq_u32(vreinterpretq_u32_u8(bits), exponent_u32x4);
        return vmaxvq_u32(vceqq_u32(masked_u32x4, exponent_u32x4)) != 0;
    }
    uint16x8_t exponent_u16x8 = vdupq_n_u16(type == VSK_F16 ? 0x7c00u : 0x7f80u);
    uint16x8_t masked_u16x8 = vandq_u16(vreinterpretq_u16_u8(bits), exponent_u16x8);
    return vmaxvq_u16(vceqq_u16(masked_u16x8, exponent_u16x8)) != 0;
}

/* Bytes before the first 16 that hold NaN or infinity, or before those that are fewer than 16. */
VSK_INLINE size_t convert_good_bytes_neon(const void *src, size_t bytes, vsk_type type)
{
    size_t i = 0;

    while (i + 16 <= bytes && !convert_is_bad_neon((const unsigned char *)src + i, type)) {
        i += 16;
    }
    return i;
}

VSK_DEFINE_SCAN(f32, VSK_F32, neon)
VSK_DEFINE_SCAN(f16, VSK_F16, neon)
VSK_DEFINE_SCAN(bf16, VSK_BF16, neon)

#include "../isa_end.h"
#endif
