/*
 * canon_neon.c - canonical distances of float32, float16 and bfloat16 with NEON.
 *
 * Lanes 2p and 2p+1 of the definition in vsk.h are the vector acc_f64x2[p].
 */
#include "../vsk_impl.h"

#if defined(VSK_ARM64)
#include "neon_begin.h"

#include "widen_neon.h"

enum { CANON_PARTS_NEON = VSK_LANES / 2 };

VSK_INLINE float64x2_t canon_add_neon(float64x2_t acc_f64x2, float64x2_t x_f64x2,
                                      float64x2_t y_f64x2, vsk_pair_op op)
{
    if (op == VSK_PAIR_DOT) {
        return vfmaq_f64(acc_f64x2, x_f64x2, y_f64x2);
    }
    if (op == VSK_PAIR_L1) {
        return vaddq_f64(acc_f64x2, vabdq_f64(x_f64x2, y_f64x2));
    }
    float64x2_t term_f64x2 = vsubq_f64(x_f64x2, y_f64x2);
    term_f64x2 = vmulq_f64(term_f64x2, term_f64x2);
    VSK_ROUNDED_F64(term_f64x2);
    return vaddq_f64(acc_f64x2, term_f64x2);
}

/* Adds the terms of one block of 16 elements. */
VSK_INLINE void canon_step_neon(float64x2_t acc_f64x2[CANON_PARTS_NEON], const unsigned char *a,
                                const unsigned char *b, vsk_pair_op op, vsk_type type)
{
    VSK_UNROLL
    for (int p = 0; p < CANON_PARTS_NEON; p += 2) {
        size_t offset = 2 * (size_t)p * vsk_element_bytes(type);
        float32x4_t x_f32x4 = widen_load_neon(a + offset, type);
        float32x4_t y_f32x4 = widen_load_neon(b + offset, type);
        acc_f64x2[p] = canon_add_neon(acc_f64x2[p], vcvt_f64_f32(vget_low_f32(x_f32x4)),
                                      vcvt_f64_f32(vget_low_f32(y_f32x4)), op);
        acc_f64x2[p + 1] = canon_add_neon(acc_f64x2[p + 1], vcvt_high_f64_f32(x_f32x4),
                                          vcvt_high_f64_f32(y_f32x4), op);
    }
}

VSK_INLINE double canon_fold_neon(float64x2_t acc_f64x2[CANON_PARTS_NEON])
{
    VSK_UNROLL
    for (int half = CANON_PARTS_NEON / 2; half > 0; half /= 2) {
        VSK_UNROLL
        for (int p = 0; p < half; p++) {
            acc_f64x2[p] = vaddq_f64(acc_f64x2[p], acc_f64x2[p + half]);
        }
    }
    return vgetq_lane_f64(acc_f64x2[0], 0) + vgetq_lane_f64(acc_f64x2[0], 1);
}

VSK_INLINE double canon_pair_neon(const void *a, const void *b, size_t dim, vsk_pair_op op,
                                  vsk_type type)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t block_bytes = VSK_LANES * vsk_element_bytes(type);
    size_t rest_bytes = dim % VSK_LANES * vsk_element_bytes(type);
    float64x2_t acc_f64x2[CANON_PARTS_NEON];

    VSK_UNROLL
    for (int p = 0; p < CANON_PARTS_NEON; p++) {
        acc_f64x2[p] = vdupq_n_f64(0);
    }
    for (size_t blocks = dim / VSK_LANES; blocks > 0; blocks--) {
        canon_step_neon(acc_f64x2, x, y, op, type);
        x += block_bytes;
        y += block_bytes;
    }
    if (rest_bytes > 0) { /* a zero on both sides adds +0.0, which changes no lane */
        unsigned char x_rest[4 * VSK_LANES] = {0};
        unsigned char y_rest[4 * VSK_LANES] = {0};
        memcpy(x_rest, x, rest_bytes);
        memcpy(y_rest, y, rest_bytes);
        canon_step_neon(acc_f64x2, x_rest, y_rest, op, type);
    }
    return canon_fold_neon(acc_f64x2);
}

/* Three passes; the vectors are in cache after the first. */
VSK_INLINE void canon_triple_neon(const void *a, const void *b, size_t dim, double out[3],
                                  vsk_type type)
{
    out[0] = canon_pair_neon(a, b, dim, VSK_PAIR_DOT, type);
    out[1] = canon_pair_neon(a, a, dim, VSK_PAIR_DOT, type);
    out[2] = canon_pair_neon(b, b, dim, VSK_PAIR_DOT, type);
}

VSK_DEFINE_CANONICAL(f32, VSK_F32, neon)
VSK_DEFINE_CANONICAL(f16, VSK_F16, neon)
VSK_DEFINE_CANONICAL(bf16, VSK_BF16, neon)

#include "../isa_end.h"
#endif
