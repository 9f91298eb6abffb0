/*
 * code_neondotprod.c - products of codes with the dot product instructions of Armv8.2: four
 * products per lane. Nibbles are the same number as signed and as unsigned bytes.
 */
#include "../vsk_impl.h"

#if defined(VSK_ARM64_DOTPROD)
#include "neondotprod_begin.h"

enum { CODE_STEP_NEONDOTPROD = 16, CODE_ROWS_NEONDOTPROD = 4 };

/* One query with row_count rows (1 or 4): their products, or the first of four. */
VSK_INLINE int32x4_t code_one_neondotprod(const int8_t *q, const uint8_t *rows, size_t stride_bytes,
                                          int row_count, size_t half)
{
    int32x4_t acc_i32x4[CODE_ROWS_NEONDOTPROD] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0),
                                                  vdupq_n_s32(0)};

    for (size_t k = 0; k < half; k += CODE_STEP_NEONDOTPROD) {
        int8x16_t q_low = vld1q_s8(q + k);
        int8x16_t q_high = vld1q_s8(q + half + k);
        VSK_UNROLL
        for (int r = 0; r < row_count; r++) {
            uint8x16_t both_u8x16 = vld1q_u8(rows + (size_t)r * stride_bytes + k);
            int8x16_t low = vreinterpretq_s8_u8(vandq_u8(both_u8x16, vdupq_n_u8(15)));
            int8x16_t high = vreinterpretq_s8_u8(vshrq_n_u8(both_u8x16, 4));
            acc_i32x4[r] = vdotq_s32(vdotq_s32(acc_i32x4[r], low, q_low), high, q_high);
        }
    }
    return vpaddq_s32(vpaddq_s32(acc_i32x4[0], acc_i32x4[1]),
                      vpaddq_s32(acc_i32x4[2], acc_i32x4[3]));
}

void vsk_code_dot_i8_neondotprod(const int8_t *q, size_t q_stride, size_t q_count,
                                 const uint8_t *rows, size_t stride_bytes, size_t count, size_t n,
                                 int32_t *out)
{
    for (size_t i = 0; i < q_count; i++) {
        const int8_t *one = q + i * q_stride;
        int32_t *sums = out + i * count;
        size_t j = 0;
        for (; j + CODE_ROWS_NEONDOTPROD <= count; j += CODE_ROWS_NEONDOTPROD) {
            vst1q_s32(sums + j, code_one_neondotprod(one, rows + j * stride_bytes, stride_bytes,
                                                     CODE_ROWS_NEONDOTPROD, n / 2));
        }
        for (; j < count; j++) {
            int32x4_t sum = code_one_neondotprod(one, rows + j * stride_bytes, 0, 1, n / 2);
            sums[j] = vgetq_lane_s32(sum, 0);
        }
    }
}

#include "../isa_end.h"
#endif
