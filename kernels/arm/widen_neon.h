/*
 * widen_neon.h - four elements of float32, float16 or bfloat16 as float32, exactly. Included inside
 * a NEON region.
 */
#ifndef VSK_WIDEN_NEON_H
#define VSK_WIDEN_NEON_H

VSK_INLINE float32x4_t widen_load_neon(const unsigned char *at, vsk_type type)
{
    if (type == VSK_F32) {
        return vreinterpretq_f32_u8(vld1q_u8(at));
    }
    uint8x8_t half_u8x8 = vld1_u8(at);
    if (type == VSK_F16) {
        return vcvt_f32_f16(vreinterpret_f16_u8(half_u8x8));
    }
    return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(half_u8x8), 16));
}

#endif
