/*
 * canon_sse2.c - canonical distances of float32, float16 and bfloat16 with SSE2.
 *
 * Lanes 2p and 2p+1 of the definition in vsk.h are the vector acc_f64x2[p].
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "sse2_begin.h"

#include "widen_sse2.h"

enum { CANON_PARTS_SSE2 = VSK_LANES / 2 };

VSK_INLINE __m128d canon_add_sse2(__m128d acc_f64x2, __m128d x_f64x2, __m128d y_f64x2,
                                  vsk_pair_op op)
{
    __m128d term_f64x2;

    if (op == VSK_PAIR_DOT) {
        term_f64x2 = _mm_mul_pd(x_f64x2, y_f64x2);
    } else {
        term_f64x2 = _mm_sub_pd(x_f64x2, y_f64x2);
        term_f64x2 = op == VSK_PAIR_L2SQ ? _mm_mul_pd(term_f64x2, term_f64x2)
                                         : _mm_andnot_pd(_mm_set1_pd(-0.0), term_f64x2);
    }
    return _mm_add_pd(acc_f64x2, term_f64x2);
}

/* Adds the terms of one block of 16 elements. */
VSK_INLINE void canon_step_sse2(__m128d acc_f64x2[CANON_PARTS_SSE2], const unsigned char *a,
                                const unsigned char *b, vsk_pair_op op, vsk_type type)
{
    VSK_UNROLL
    for (int p = 0; p < CANON_PARTS_SSE2; p += 2) {
        size_t offset = 2 * (size_t)p * vsk_element_bytes(type);
        __m128 x_f32x4 = widen_load_sse2(a + offset, type);
        __m128 y_f32x4 = widen_load_sse2(b + offset, type);
        acc_f64x2[p] =
            canon_add_sse2(acc_f64x2[p], _mm_cvtps_pd(x_f32x4), _mm_cvtps_pd(y_f32x4), op);
        acc_f64x2[p + 1] =
            canon_add_sse2(acc_f64x2[p + 1], _mm_cvtps_pd(_mm_movehl_ps(x_f32x4, x_f32x4)),
                           _mm_cvtps_pd(_mm_movehl_ps(y_f32x4, y_f32x4)), op);
    }
}

VSK_INLINE double canon_fold_sse2(__m128d acc_f64x2[CANON_PARTS_SSE2])
{
    VSK_UNROLL
    for (int half = CANON_PARTS_SSE2 / 2; half > 0; half /= 2) {
        VSK_UNROLL
        for (int p = 0; p < half; p++) {
            acc_f64x2[p] = _mm_add_pd(acc_f64x2[p], acc_f64x2[p + half]);
        }
    }
    return _mm_cvtsd_f64(_mm_add_sd(acc_f64x2[0], _mm_unpackhi_pd(acc_f64x2[0], acc_f64x2[0])));
}

VSK_INLINE double canon_pair_sse2(const void *a, const void *b, size_t dim, vsk_pair_op op,
                                  vsk_type type)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t block_bytes = VSK_LANES * vsk_element_bytes(type);
    size_t rest_bytes = dim % VSK_LANES * vsk_element_bytes(type);
    __m128d acc_f64x2[CANON_PARTS_SSE2];

    VSK_UNROLL
    for (int p = 0; p < CANON_PARTS_SSE2; p++) {
        acc_f64x2[p] = _mm_setzero_pd();
    }
    for (size_t blocks = dim / VSK_LANES; blocks > 0; blocks--) {
        canon_step_sse2(acc_f64x2, x, y, op, type);
        x += block_bytes;
        y += block_bytes;
    }
    if (rest_bytes > 0) { /* a zero on both sides adds +0.0, which changes no lane */
        unsigned char x_rest[4 * VSK_LANES] = {0};
        unsigned char y_rest[4 * VSK_LANES] = {0};
        memcpy(x_rest, x, rest_bytes);
        memcpy(y_rest, y, rest_bytes);
        canon_step_sse2(acc_f64x2, x_rest, y_rest, op, type);
    }
    return canon_fold_sse2(acc_f64x2);
}

/*
 * 24 sums do not fit into 16 registers, so one pass for each; the vectors are in cache after the
 * first.
 */
VSK_INLINE void canon_triple_sse2(const void *a, const void *b, size_t dim, double out[3],
                                  vsk_type type)
{
    out[0] = canon_pair_sse2(a, b, dim, VSK_PAIR_DOT, type);
    out[1] = canon_pair_sse2(a, a, dim, VSK_PAIR_DOT, type);
    out[2] = canon_pair_sse2(b, b, dim, VSK_PAIR_DOT, type);
}

VSK_DEFINE_CANONICAL(f32, VSK_F32, sse2)
VSK_DEFINE_CANONICAL(f16, VSK_F16, sse2)
VSK_DEFINE_CANONICAL(bf16, VSK_BF16, sse2)

#include "../isa_end.h"
#endif
