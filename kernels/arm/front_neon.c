/*
 * front_neon.c - products and bound test of the front plane with NEON.
 */
#include "../vsk_impl.h"

#if defined(VSK_ARM64)
#include "neon_begin.h"

enum { FRONT_LANES_NEON = 4 };

/* The products of one query. */
VSK_INLINE void front_query_neon(const int16_t *w, const int8_t *rows, size_t count, size_t m,
                                 int32_t *out)
{
    for (size_t first = 0; first < count; first += VSK_FRONT_ROWS) {
        int32x4_t sums_i32x4[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
        for (size_t j = 0; j < m; j += 2) {
            VSK_UNROLL
            for (int half = 0; half < 2; half++) {
                int8x8x2_t x_i8x8 = vld2_s8(rows + 16 * half); /* first and second of each pair */
                int16x8_t one_i16x8 = vmovl_s8(x_i8x8.val[0]);
                int16x8_t two_i16x8 = vmovl_s8(x_i8x8.val[1]);
                int32x4_t *lo = &sums_i32x4[2 * half], *hi = &sums_i32x4[2 * half + 1];
                *lo = vmlal_n_s16(*lo, vget_low_s16(one_i16x8), w[j]);
                *lo = vmlal_n_s16(*lo, vget_low_s16(two_i16x8), w[j + 1]);
                *hi = vmlal_n_s16(*hi, vget_high_s16(one_i16x8), w[j]);
                *hi = vmlal_n_s16(*hi, vget_high_s16(two_i16x8), w[j + 1]);
            }
            rows += 2 * VSK_FRONT_ROWS;
        }
        VSK_UNROLL
        for (size_t i = 0; i < 4; i++) {
            vst1q_s32(out + first + FRONT_LANES_NEON * i, sums_i32x4[i]);
        }
    }
}

void vsk_front_dot_i8_neon(const int16_t *w, size_t w_stride, size_t q_count, const int8_t *rows,
                           size_t count, size_t m, int32_t *out, size_t out_stride)
{
    for (size_t q = 0; q < q_count; q++) {
        front_query_neon(w + q * w_stride, rows, count, m, out + q * out_stride);
    }
}

size_t vsk_front_pass_f32_neon(const vsk_front_test *test, const int32_t *dots, const float *t,
                               const float *rest, const float *g, size_t count, uint16_t *out)
{
    const float *c = test->c;
    size_t i = 0, kept = 0;

    for (; i + FRONT_LANES_NEON <= count; i += FRONT_LANES_NEON) {
        float32x4_t g_f32x4 = vld1q_f32(g + i);
        float32x4_t sum = vfmaq_n_f32(vdupq_n_f32(c[0]), vld1q_f32(t + i), c[1]);
        sum = vfmaq_n_f32(sum, vcvtq_f32_s32(vld1q_s32(dots + i)), c[2]);
        sum = vfmaq_n_f32(sum, vld1q_f32(rest + i), c[3]);
        sum = vfmaq_f32(sum, vfmaq_n_f32(vdupq_n_f32(c[4]), g_f32x4, c[5]), g_f32x4);
        uint32x4_t is_beyond = vcgtq_f32(sum, vdupq_n_f32(0.0f));
        if (vminvq_u32(is_beyond) != 0) {
            continue; /* most rows are far away */
        }
        uint32_t beyond[FRONT_LANES_NEON];
        vst1q_u32(beyond, is_beyond);
        for (size_t j = 0; j < FRONT_LANES_NEON; j++) {
            out[kept] = (uint16_t)(i + j);
            kept += beyond[j] == 0;
        }
    }
    return kept + front_pass_rest(test, dots, t, rest, g, i, count, out + kept);
}

#include "../isa_end.h"
#endif
