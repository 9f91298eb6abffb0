/*
 * dist_bit_neon.c - distances of bit vectors with NEON, which counts the bits of a byte.
 */
#include "../bits.h"
#include "../vsk_impl.h"

#if defined(VSK_ARM64)
#include "neon_begin.h"

enum { BIT_BLOCK_NEON = 16 };

VSK_INLINE uint32x4_t bit_add_neon(uint32x4_t sum_u32x4, uint8x16_t bits_u8x16)
{
    return vpadalq_u16(sum_u32x4, vpaddlq_u8(vcntq_u8(bits_u8x16)));
}

/* counts[0]: bits in a xor b; or, where `is_jaccard`, in a and b, and counts[1]: in a or b. */
VSK_INLINE void bit_counts_neon(const void *a, const void *b, size_t dim, uint64_t counts[2],
                                int is_jaccard)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t bytes = dim / 8;
    size_t i = 0;
    uint32x4_t sum_u32x4[2] = {vdupq_n_u32(0), vdupq_n_u32(0)};

    for (; i + BIT_BLOCK_NEON <= bytes; i += BIT_BLOCK_NEON) {
        uint8x16_t x_u8x16 = vld1q_u8(x + i);
        uint8x16_t y_u8x16 = vld1q_u8(y + i);
        sum_u32x4[0] = bit_add_neon(sum_u32x4[0], is_jaccard ? vandq_u8(x_u8x16, y_u8x16)
                                                             : veorq_u8(x_u8x16, y_u8x16));
        if (is_jaccard) {
            sum_u32x4[1] = bit_add_neon(sum_u32x4[1], vorrq_u8(x_u8x16, y_u8x16));
        }
    }
    counts[0] = vaddlvq_u32(sum_u32x4[0]);
    counts[1] = vaddlvq_u32(sum_u32x4[1]);
    vsk_count_bits(x + i, y + i, bytes - i, counts, is_jaccard);
}

VSK_DEFINE_BIT(neon)

#include "../isa_end.h"
#endif
