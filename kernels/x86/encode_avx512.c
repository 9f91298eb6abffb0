/*
 * encode_avx512.c - planes of codes with AVX-512. What clipping loses keeps the AVX2 kernel:
 * collecting the elements by compression was slower.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx512_begin.h"

#include "pack_avx2.h"

enum { ENCODE_LANES_AVX512 = 16 };

/* Of plane B alone [0] and of both [1]. Lanes 8p to 8p+7 of vsk.h are dots_f64x8[..][p]. */
typedef struct encode_sums_avx512 {
    __m512d dots_f64x8[2][2];
    __m512i squares_i32x16[2]; /* see encode_sumsq_avx512 */
} encode_sums_avx512;

/* Eight elements and u, or u without its low nibble, of which `offset` is taken. */
VSK_INLINE __m512d encode_dot_avx512(__m512d sum_f64x8, __m512d v_f64x8, __m256i u_i32x8,
                                     double offset)
{
    __m512d value_f64x8 = _mm512_sub_pd(_mm512_cvtepi32_pd(u_i32x8), _mm512_set1_pd(offset));
    return _mm512_fmadd_pd(v_f64x8, value_f64x8, sum_f64x8);
}

/* Adds u (u - twice): within 16 bits, upper halves being 0. */
VSK_INLINE __m512i encode_square_avx512(__m512i sum_i32x16, __m512i u_i32x16, int twice)
{
    __m512i other_i32x16 = _mm512_sub_epi32(u_i32x16, _mm512_set1_epi32(twice));
    return _mm512_add_epi32(sum_i32x16, _mm512_madd_epi16(u_i32x16, other_i32x16));
}

/* One half of the elements: their u to out[count], their products to `sums`. */
VSK_INLINE void encode_half_avx512(const float *v, size_t count, float steps_per_unit,
                                   encode_sums_avx512 *sums, uint8_t *out)
{
    for (size_t i = 0; i < count; i += ENCODE_LANES_AVX512) {
        __m512 steps_f32x16 = _mm512_mul_ps(_mm512_loadu_ps(v + i), _mm512_set1_ps(steps_per_unit));
        VSK_ROUNDED_F32_LANES(steps_f32x16);
        __m512i u_i32x16 = _mm512_cvttps_epi32(_mm512_add_ps(steps_f32x16, _mm512_set1_ps(128.0f)));
        u_i32x16 = _mm512_max_epi32(u_i32x16, _mm512_setzero_si512());
        u_i32x16 = _mm512_min_epi32(u_i32x16, _mm512_set1_epi32(255));
        __m512i b_i32x16 = _mm512_and_si512(u_i32x16, _mm512_set1_epi32(0xf0));
        VSK_UNROLL
        for (int p = 0; p < 2; p++) {
            __m512d v_f64x8 = _mm512_cvtps_pd(_mm256_loadu_ps(v + i + 8 * p));
            __m256i u_i32x8 =
                p == 0 ? _mm512_castsi512_si256(u_i32x16) : _mm512_extracti64x4_epi64(u_i32x16, 1);
            __m256i b_i32x8 =
                p == 0 ? _mm512_castsi512_si256(b_i32x16) : _mm512_extracti64x4_epi64(b_i32x16, 1);
            sums->dots_f64x8[0][p] =
                encode_dot_avx512(sums->dots_f64x8[0][p], v_f64x8, b_i32x8, 120.0);
            sums->dots_f64x8[1][p] =
                encode_dot_avx512(sums->dots_f64x8[1][p], v_f64x8, u_i32x8, 127.5);
        }
        sums->squares_i32x16[0] = encode_square_avx512(sums->squares_i32x16[0], b_i32x16, 240);
        sums->squares_i32x16[1] = encode_square_avx512(sums->squares_i32x16[1], u_i32x16, 255);
        _mm_storeu_si128((__m128i *)(void *)(out + i), _mm512_cvtepi32_epi8(u_i32x16));
    }
}

VSK_INLINE double encode_fold_avx512(const __m512d acc_f64x8[2])
{
    __m512d sum_f64x8 = _mm512_add_pd(acc_f64x8[0], acc_f64x8[1]);
    __m256d sum_f64x4 =
        _mm256_add_pd(_mm512_castpd512_pd256(sum_f64x8), _mm512_extractf64x4_pd(sum_f64x8, 1));
    __m128d sum_f64x2 =
        _mm_add_pd(_mm256_castpd256_pd128(sum_f64x4), _mm256_extractf128_pd(sum_f64x4, 1));
    return _mm_cvtsd_f64(_mm_add_sd(sum_f64x2, _mm_unpackhi_pd(sum_f64x2, sum_f64x2)));
}

/* Of `count` values u - x, from sums of u (u - 2x): (u - x)^2 = u (u - 2x) + x^2. */
VSK_INLINE double encode_sumsq_avx512(__m512i squares_i32x16, size_t count, double x)
{
    return (double)_mm512_reduce_add_epi32(squares_i32x16) + (double)count * (x * x);
}

void vsk_code_planes_f32_avx512(const float *low, const float *high, size_t count,
                                float steps_per_unit, uint8_t *plane_b, uint8_t *plane_c,
                                vsk_code_products *out)
{
    __m512d zero = _mm512_setzero_pd();
    __m512i none = _mm512_setzero_si512();
    encode_sums_avx512 sums = {{{zero, zero}, {zero, zero}}, {none, none}};
    uint8_t u[2][VSK_CODE_PIECE];

    encode_half_avx512(low, count, steps_per_unit, &sums, u[0]);
    encode_half_avx512(high, count, steps_per_unit, &sums, u[1]);
    encode_pack_avx2(u[0], u[1], count, plane_b, plane_c);
    out[0].dot = encode_fold_avx512(sums.dots_f64x8[0]);
    out[1].dot = encode_fold_avx512(sums.dots_f64x8[1]);
    out[0].sumsq = encode_sumsq_avx512(sums.squares_i32x16[0], 2 * count, 120.0);
    out[1].sumsq = encode_sumsq_avx512(sums.squares_i32x16[1], 2 * count, 127.5);
}

#include "../isa_end.h"
#endif
