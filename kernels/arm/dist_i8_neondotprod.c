/*
 * dist_i8_neondotprod.c - distances of int8 vectors with the dot product instructions of Armv8.2:
 * four products per lane.
 *
 * |a - b| is at most 255 and unsigned, so l2sq is its product with itself, and l1 its product with
 * ones.
 */
#include "../vsk_impl.h"

#if defined(VSK_ARM64_DOTPROD)
#include "neondotprod_begin.h"

enum { I8_BLOCK_NEONDOTPROD = 16 };

/* Adds the terms of one block. */
VSK_INLINE uint32x4_t i8_add_neondotprod(uint32x4_t sum_u32x4, const unsigned char *a,
                                         const unsigned char *b, vsk_pair_op op)
{
    int8x16_t x_i8x16 = vreinterpretq_s8_u8(vld1q_u8(a));
    int8x16_t y_i8x16 = vreinterpretq_s8_u8(vld1q_u8(b));

    if (op == VSK_PAIR_DOT) {
        return vreinterpretq_u32_s32(vdotq_s32(vreinterpretq_s32_u32(sum_u32x4), x_i8x16, y_i8x16));
    }
    uint8x16_t d_u8x16 = vreinterpretq_u8_s8(vabdq_s8(x_i8x16, y_i8x16));
    return vdotq_u32(sum_u32x4, d_u8x16, op == VSK_PAIR_L1 ? vdupq_n_u8(1) : d_u8x16);
}

VSK_INLINE uint32_t i8_pair_neondotprod(const void *a, const void *b, size_t dim, vsk_pair_op op)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    uint32x4_t sum_u32x4[2] = {vdupq_n_u32(0), vdupq_n_u32(0)};
    size_t i = 0;

    for (; i + 2 * I8_BLOCK_NEONDOTPROD <= dim; i += 2 * I8_BLOCK_NEONDOTPROD) {
        sum_u32x4[0] = i8_add_neondotprod(sum_u32x4[0], x + i, y + i, op);
        sum_u32x4[1] = i8_add_neondotprod(sum_u32x4[1], x + i + 16, y + i + 16, op);
    }
    if (i < dim) {
        unsigned char x_rest[2 * I8_BLOCK_NEONDOTPROD] = {0};
        unsigned char y_rest[2 * I8_BLOCK_NEONDOTPROD] = {0};
        memcpy(x_rest, x + i, dim - i);
        memcpy(y_rest, y + i, dim - i);
        sum_u32x4[0] = i8_add_neondotprod(sum_u32x4[0], x_rest, y_rest, op);
        sum_u32x4[1] = i8_add_neondotprod(sum_u32x4[1], x_rest + 16, y_rest + 16, op);
    }
    return vaddvq_u32(vaddq_u32(sum_u32x4[0], sum_u32x4[1]));
}

VSK_DEFINE_I8(neondotprod)

#include "../isa_end.h"
#endif
