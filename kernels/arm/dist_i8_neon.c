/*
 * dist_i8_neon.c - distances of int8 vectors with NEON. Arithmetic is modulo 2^32 and every total
 * fits (x86/dist_i8_avx2.c).
 */
#include "../vsk_impl.h"

#if defined(VSK_ARM64)
#include "neon_begin.h"

enum { I8_BLOCK_NEON = 16 };

/* Adds the terms of one block. */
VSK_INLINE uint32x4_t i8_add_neon(uint32x4_t sum_u32x4, const unsigned char *a,
                                  const unsigned char *b, vsk_pair_op op)
{
    int8x16_t x_i8x16 = vreinterpretq_s8_u8(vld1q_u8(a));
    int8x16_t y_i8x16 = vreinterpretq_s8_u8(vld1q_u8(b));

    if (op == VSK_PAIR_DOT) {
        int32x4_t sum_i32x4 = vreinterpretq_s32_u32(sum_u32x4);
        sum_i32x4 = vpadalq_s16(sum_i32x4, vmull_s8(vget_low_s8(x_i8x16), vget_low_s8(y_i8x16)));
        sum_i32x4 = vpadalq_s16(sum_i32x4, vmull_high_s8(x_i8x16, y_i8x16));
        return vreinterpretq_u32_s32(sum_i32x4);
    }
    uint8x16_t d_u8x16 = vreinterpretq_u8_s8(vabdq_s8(x_i8x16, y_i8x16)); /* at most 255 */
    if (op == VSK_PAIR_L1) {
        return vpadalq_u16(sum_u32x4, vpaddlq_u8(d_u8x16));
    }
    sum_u32x4 = vpadalq_u16(sum_u32x4, vmull_u8(vget_low_u8(d_u8x16), vget_low_u8(d_u8x16)));
    return vpadalq_u16(sum_u32x4, vmull_high_u8(d_u8x16, d_u8x16));
}

VSK_INLINE uint32_t i8_pair_neon(const void *a, const void *b, size_t dim, vsk_pair_op op)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t rest = dim % I8_BLOCK_NEON;
    uint32x4_t sum_u32x4 = vdupq_n_u32(0);

    for (const unsigned char *end = x + (dim - rest); x < end; x += I8_BLOCK_NEON) {
        sum_u32x4 = i8_add_neon(sum_u32x4, x, y, op);
        y += I8_BLOCK_NEON;
    }
    if (rest > 0) {
        unsigned char x_rest[I8_BLOCK_NEON] = {0};
        unsigned char y_rest[I8_BLOCK_NEON] = {0};
        memcpy(x_rest, x, rest);
        memcpy(y_rest, y, rest);
        sum_u32x4 = i8_add_neon(sum_u32x4, x_rest, y_rest, op);
    }
    return vaddvq_u32(sum_u32x4);
}

VSK_DEFINE_I8(neon)

#include "../isa_end.h"
#endif
