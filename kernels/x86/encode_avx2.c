/*
 * encode_avx2.c - parts of the encoder of codes with AVX2: what clipping loses, and planes.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx2_begin.h"

#include "pack_avx2.h"

enum { ENCODE_LANES_AVX2 = 8, ENCODE_CLIPS_AVX2 = 4 /* in one register */ };

/* ---- the tail ---- */

/* Which of 64 elements are beyond the first clip. */
VSK_INLINE uint64_t encode_beyond_first_avx2(const float *v, __m256i first_u32x8,
                                             __m256i *largest_u32x8)
{
    uint64_t places = 0;

    VSK_UNROLL
    for (int j = 0; j < 64; j += ENCODE_LANES_AVX2) {
        __m256i bits_u32x8 = _mm256_loadu_si256((const __m256i *)(const void *)(v + j));
        bits_u32x8 = _mm256_and_si256(bits_u32x8, _mm256_set1_epi32(0x7fffffff));
        *largest_u32x8 = _mm256_max_epi32(*largest_u32x8, bits_u32x8);
        __m256 is_beyond = _mm256_castsi256_ps(_mm256_cmpgt_epi32(bits_u32x8, first_u32x8));
        places |= (uint64_t)(unsigned)_mm256_movemask_ps(is_beyond) << j;
    }
    return places;
}

/* Adds what lies beyond 4 clips; an element below a clip adds +0.0, which changes no sum. */
VSK_INLINE void encode_beyond_avx2(__m256d *lost_f64x4, __m256d x_f64x4, const float *clips)
{
    __m256d beyond_f64x4 = _mm256_sub_pd(x_f64x4, _mm256_cvtps_pd(_mm_loadu_ps(clips)));
    beyond_f64x4 = _mm256_max_pd(beyond_f64x4, _mm256_setzero_pd());
    __m256d square_f64x4 = _mm256_mul_pd(beyond_f64x4, beyond_f64x4);
    VSK_ROUNDED_F64(square_f64x4);
    *lost_f64x4 = _mm256_add_pd(*lost_f64x4, square_f64x4);
}

VSK_INLINE uint32_t encode_largest_avx2(__m256i x_u32x8)
{
    __m128i x_u32x4 =
        _mm_max_epi32(_mm256_castsi256_si128(x_u32x8), _mm256_extracti128_si256(x_u32x8, 1));
    x_u32x4 = _mm_max_epi32(x_u32x4, _mm_shuffle_epi32(x_u32x4, 0x0e));
    x_u32x4 = _mm_max_epi32(x_u32x4, _mm_shuffle_epi32(x_u32x4, 0x01));
    return (uint32_t)_mm_cvtsi128_si32(x_u32x4);
}

float vsk_code_tail_f32_avx2(const float *v, size_t n, const float *clips, double *lost)
{
    enum { PARTS = VSK_CODE_CLIPS / ENCODE_CLIPS_AVX2 };
    __m256i first_u32x8 = _mm256_set1_epi32((int)code_magnitude_bits(clips[0]));
    __m256i largest_u32x8 = _mm256_setzero_si256();
    __m256d lost_f64x4[PARTS];

    VSK_UNROLL
    for (int p = 0; p < PARTS; p++) {
        lost_f64x4[p] = _mm256_setzero_pd();
    }
    for (size_t i = 0; i < n; i += VSK_CODE_GROUP) {
        uint64_t places = encode_beyond_first_avx2(v + i, first_u32x8, &largest_u32x8);
        for (; places != 0; places &= places - 1) {
            uint32_t bits = code_magnitude_bits(v[i + (size_t)__builtin_ctzll(places)]);
            float x = code_float_of_bits(bits);
            __m256d x_f64x4 = _mm256_set1_pd((double)x);
            encode_beyond_avx2(&lost_f64x4[0], x_f64x4, clips);
            if (x > clips[ENCODE_CLIPS_AVX2]) {
                VSK_UNROLL
                for (int p = 1; p < PARTS; p++) {
                    encode_beyond_avx2(&lost_f64x4[p], x_f64x4, clips + ENCODE_CLIPS_AVX2 * p);
                }
            }
        }
    }
    VSK_UNROLL
    for (int p = 0; p < PARTS; p++) {
        _mm256_storeu_pd(lost + ENCODE_CLIPS_AVX2 * p, lost_f64x4[p]);
    }
    return code_float_of_bits(encode_largest_avx2(largest_u32x8));
}

/* ---- planes ---- */

/* Of plane B alone [0] and of both [1]. Lanes 4p to 4p+3 of vsk.h are dots_f64x4[..][p]. */
typedef struct encode_sums_avx2 {
    __m256d dots_f64x4[2][4];
    __m256i squares_i32x8[2]; /* see encode_sumsq_avx2 */
} encode_sums_avx2;

/* Four elements and u, or u without its low nibble, of which `offset` is taken. */
VSK_INLINE __m256d encode_dot_avx2(__m256d sum_f64x4, __m256d v_f64x4, __m128i u_i32x4,
                                   double offset)
{
    __m256d value_f64x4 = _mm256_sub_pd(_mm256_cvtepi32_pd(u_i32x4), _mm256_set1_pd(offset));
    return _mm256_fmadd_pd(v_f64x4, value_f64x4, sum_f64x4);
}

/* Adds u (u - twice): within 16 bits, upper halves being 0. */
VSK_INLINE __m256i encode_square_avx2(__m256i sum_i32x8, __m256i u_i32x8, int twice)
{
    __m256i other_i32x8 = _mm256_sub_epi32(u_i32x8, _mm256_set1_epi32(twice));
    return _mm256_add_epi32(sum_i32x8, _mm256_madd_epi16(u_i32x8, other_i32x8));
}

/* u of eight elements, and their products; `part` is that of their first lanes. */
VSK_INLINE __m256i encode_eight_avx2(const float *v, __m256 steps_per_unit, encode_sums_avx2 *sums,
                                     int part)
{
    __m256 steps_f32x8 = _mm256_mul_ps(_mm256_loadu_ps(v), steps_per_unit);
    VSK_ROUNDED_F32_LANES(steps_f32x8);
    __m256i u_i32x8 = _mm256_cvttps_epi32(_mm256_add_ps(steps_f32x8, _mm256_set1_ps(128.0f)));
    u_i32x8 = _mm256_max_epi32(u_i32x8, _mm256_setzero_si256());
    u_i32x8 = _mm256_min_epi32(u_i32x8, _mm256_set1_epi32(255));
    __m256i b_i32x8 = _mm256_and_si256(u_i32x8, _mm256_set1_epi32(0xf0));
    VSK_UNROLL
    for (int p = 0; p < 2; p++) {
        __m256d v_f64x4 = _mm256_cvtps_pd(_mm_loadu_ps(v + 4 * p));
        __m128i u_i32x4 =
            p == 0 ? _mm256_castsi256_si128(u_i32x8) : _mm256_extracti128_si256(u_i32x8, 1);
        __m128i b_i32x4 =
            p == 0 ? _mm256_castsi256_si128(b_i32x8) : _mm256_extracti128_si256(b_i32x8, 1);
        sums->dots_f64x4[0][part + p] =
            encode_dot_avx2(sums->dots_f64x4[0][part + p], v_f64x4, b_i32x4, 120.0);
        sums->dots_f64x4[1][part + p] =
            encode_dot_avx2(sums->dots_f64x4[1][part + p], v_f64x4, u_i32x4, 127.5);
    }
    sums->squares_i32x8[0] = encode_square_avx2(sums->squares_i32x8[0], b_i32x8, 240);
    sums->squares_i32x8[1] = encode_square_avx2(sums->squares_i32x8[1], u_i32x8, 255);
    return u_i32x8;
}

/* One half of the elements: their u to out[count], their products to `sums`. */
VSK_INLINE void encode_half_avx2(const float *v, size_t count, float steps_per_unit,
                                 encode_sums_avx2 *sums, uint8_t *out)
{
    __m256 steps_f32x8 = _mm256_set1_ps(steps_per_unit);

    for (size_t i = 0; i < count; i += VSK_LANES) {
        __m256i first_i32x8 = encode_eight_avx2(v + i, steps_f32x8, sums, 0);
        __m256i second_i32x8 = encode_eight_avx2(v + i + ENCODE_LANES_AVX2, steps_f32x8, sums, 2);
        __m256i u_i16x16 = _mm256_packs_epi32(first_i32x8, second_i32x8);
        u_i16x16 = _mm256_permute4x64_epi64(u_i16x16, 0xd8);
        __m128i u_u8x16 = _mm_packus_epi16(_mm256_castsi256_si128(u_i16x16),
                                           _mm256_extracti128_si256(u_i16x16, 1));
        _mm_storeu_si128((__m128i *)(void *)(out + i), u_u8x16);
    }
}

VSK_INLINE double encode_fold_avx2(const __m256d acc_f64x4[4])
{
    __m256d sum_f64x4 = _mm256_add_pd(_mm256_add_pd(acc_f64x4[0], acc_f64x4[2]),
                                      _mm256_add_pd(acc_f64x4[1], acc_f64x4[3]));
    __m128d sum_f64x2 =
        _mm_add_pd(_mm256_castpd256_pd128(sum_f64x4), _mm256_extractf128_pd(sum_f64x4, 1));
    return _mm_cvtsd_f64(_mm_add_sd(sum_f64x2, _mm_unpackhi_pd(sum_f64x2, sum_f64x2)));
}

/* Of `count` values u - x, from sums of u (u - 2x): (u - x)^2 = u (u - 2x) + x^2. */
VSK_INLINE double encode_sumsq_avx2(__m256i squares_i32x8, size_t count, double x)
{
    __m128i sum_i32x4 = _mm_add_epi32(_mm256_castsi256_si128(squares_i32x8),
                                      _mm256_extracti128_si256(squares_i32x8, 1));
    sum_i32x4 = _mm_add_epi32(sum_i32x4, _mm_shuffle_epi32(sum_i32x4, 0x0e));
    sum_i32x4 = _mm_add_epi32(sum_i32x4, _mm_shuffle_epi32(sum_i32x4, 0x01));
    return (double)_mm_cvtsi128_si32(sum_i32x4) + (double)count * (x * x);
}

void vsk_code_planes_f32_avx2(const float *low, const float *high, size_t count,
                              float steps_per_unit, uint8_t *plane_b, uint8_t *plane_c,
                              vsk_code_products *out)
{
    encode_sums_avx2 sums;
    uint8_t u[2][VSK_CODE_PIECE];

    VSK_UNROLL
    for (int p = 0; p < 4; p++) {
        sums.dots_f64x4[0][p] = sums.dots_f64x4[1][p] = _mm256_setzero_pd();
    }
    sums.squares_i32x8[0] = sums.squares_i32x8[1] = _mm256_setzero_si256();
    encode_half_avx2(low, count, steps_per_unit, &sums, u[0]);
    encode_half_avx2(high, count, steps_per_unit, &sums, u[1]);
    encode_pack_avx2(u[0], u[1], count, plane_b, plane_c);
    out[0].dot = encode_fold_avx2(sums.dots_f64x4[0]);
    out[1].dot = encode_fold_avx2(sums.dots_f64x4[1]);
    out[0].sumsq = encode_sumsq_avx2(sums.squares_i32x8[0], 2 * count, 120.0);
    out[1].sumsq = encode_sumsq_avx2(sums.squares_i32x8[1], 2 * count, 127.5);
}

#include "../isa_end.h"
#endif
