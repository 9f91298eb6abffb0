/*
 * query_loops.h - what is done with every element of a query before a search, on the host.
 *
 * A thousand queries are prepared while the device waits, so there are two forms: one for any
 * machine, and one in the instructions of x86 processors with AVX2 and F16C, four times as fast. Both
 * take a multiple of VSG_ALIGN_ELEMENTS elements, and give the same halves; sums differ in their last
 * bits, which is within what bounds allow for.
 */
#ifndef VSG_QUERY_LOOPS_H
#define VSG_QUERY_LOOPS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../half.h"

typedef struct vsg_query_loops {
    double (*sumsq)(const float *v, uint32_t elements);
    float (*largest)(const float *v, uint32_t elements); /* magnitude */
    /* v * factor as float16, to nearest, ties to even, for magnitudes below 65520. Returns the sum of
     * the squares of what is lost. */
    double (*halves)(const float *v, uint32_t elements, float factor, uint16_t *out);
} vsg_query_loops;

/* ------------------------------------------------------------------------------------ any machine */

/* In runs of independent elements, which compilers know to do at once. */
#define VSG_QUERY_RUN 8

static inline double vsg_query_fold(const double sums[VSG_QUERY_RUN])
{
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) +
           ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

static inline double vsg_query_sumsq(const float *v, uint32_t elements)
{
    double sums[VSG_QUERY_RUN] = {0};

    for (uint32_t i = 0; i < elements; i += VSG_QUERY_RUN) {
        for (uint32_t j = 0; j < VSG_QUERY_RUN; j++) {
            sums[j] += (double)v[i + j] * (double)v[i + j];
        }
    }
    return vsg_query_fold(sums);
}

/* The largest magnitude, of finite elements: their bits are in its order. */
static inline float vsg_query_largest(const float *v, uint32_t elements)
{
    int32_t largest[VSG_QUERY_RUN] = {0}, all = 0;

    for (uint32_t i = 0; i < elements; i += VSG_QUERY_RUN) {
        int32_t bits[VSG_QUERY_RUN];
        memcpy(bits, v + i, sizeof bits);
        for (uint32_t j = 0; j < VSG_QUERY_RUN; j++) {
            const int32_t here = bits[j] & 0x7fffffff;
            largest[j] = here > largest[j] ? here : largest[j];
        }
    }
    for (uint32_t j = 0; j < VSG_QUERY_RUN; j++) {
        all = largest[j] > all ? largest[j] : all;
    }
    return vsk_f32_of_bits((uint32_t)all);
}

/*
 * vsk_f16_encode gives the same bits, with branches. Above 2^-14 the bits are rounded at the last one of float16; below, where the sum with 0.5 rounds.
 * What that makes of the float is what the float16 stands for, so that the difference is exact.
 */
static inline double vsg_query_halves(const float *v, uint32_t elements, float factor,
                                      uint16_t *out)
{
    double sums[VSG_QUERY_RUN] = {0};

    for (uint32_t i = 0; i < elements; i += VSG_QUERY_RUN) {
        float magnitude[VSG_QUERY_RUN], small[VSG_QUERY_RUN], stands_for[VSG_QUERY_RUN];
        int32_t bits[VSG_QUERY_RUN], tiny[VSG_QUERY_RUN], rounded[VSG_QUERY_RUN];
        int32_t half[VSG_QUERY_RUN];
        for (uint32_t j = 0; j < VSG_QUERY_RUN; j++) {
            magnitude[j] = fabsf(v[i + j]) * factor;
            small[j] = magnitude[j] + 0.5f;
        }
        memcpy(bits, magnitude, sizeof bits);
        memcpy(tiny, small, sizeof tiny);
        for (uint32_t j = 0; j < VSG_QUERY_RUN; j++) {
            const int32_t is_small = -(bits[j] < 0x38800000);
            rounded[j] = (bits[j] + 0x0fff + (bits[j] >> 13 & 1)) & ~0x1fff;
            half[j] = (is_small & (tiny[j] - 0x3f000000)) |
                      (~is_small & ((rounded[j] - (112 << 23)) >> 13));
            small[j] = small[j] - 0.5f;
        }
        memcpy(tiny, small, sizeof tiny);
        for (uint32_t j = 0; j < VSG_QUERY_RUN; j++) {
            const int32_t is_small = -(bits[j] < 0x38800000);
            rounded[j] = (is_small & tiny[j]) | (~is_small & rounded[j]);
        }
        memcpy(stands_for, rounded, sizeof rounded);
        memcpy(bits, v + i, sizeof bits);
        for (uint32_t j = 0; j < VSG_QUERY_RUN; j++) {
            const double lost = (double)(magnitude[j] - stands_for[j]);
            sums[j] += lost * lost;
            out[i + j] = (uint16_t)(half[j] | (bits[j] >> 16 & 0x8000));
        }
    }
    return vsg_query_fold(sums);
}

/* -------------------------------------------------------------------------------- AVX2 and F16C */

#if defined(__x86_64__) && defined(__GNUC__)

#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>

#define VSG_QUERY_AVX2 __attribute__((target("avx2,f16c")))

/* To two sums of four the squares of eight. */
VSG_QUERY_AVX2 static inline void vsg_query_square_avx2(__m256 v, __m256d sums[2])
{
    const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(v));
    const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1));
    sums[0] = _mm256_add_pd(sums[0], _mm256_mul_pd(low, low));
    sums[1] = _mm256_add_pd(sums[1], _mm256_mul_pd(high, high));
}

VSG_QUERY_AVX2 static inline double vsg_query_fold_avx2(const __m256d sums[2])
{
    double all[4];
    _mm256_storeu_pd(all, _mm256_add_pd(sums[0], sums[1]));
    return (all[0] + all[1]) + (all[2] + all[3]);
}

VSG_QUERY_AVX2 static inline double vsg_query_sumsq_avx2(const float *v, uint32_t elements)
{
    __m256d sums[2] = {_mm256_setzero_pd(), _mm256_setzero_pd()};

    for (uint32_t i = 0; i < elements; i += 8) {
        vsg_query_square_avx2(_mm256_loadu_ps(v + i), sums);
    }
    return vsg_query_fold_avx2(sums);
}

VSG_QUERY_AVX2 static inline float vsg_query_largest_avx2(const float *v, uint32_t elements)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 largest = _mm256_setzero_ps();
    float each[8], all = 0;

    for (uint32_t i = 0; i < elements; i += 8) {
        largest = _mm256_max_ps(largest, _mm256_andnot_ps(sign, _mm256_loadu_ps(v + i)));
    }
    _mm256_storeu_ps(each, largest);
    for (uint32_t j = 0; j < 8; j++) {
        all = each[j] > all ? each[j] : all;
    }
    return all;
}

VSG_QUERY_AVX2 static inline double vsg_query_halves_avx2(const float *v, uint32_t elements,
                                                          float factor, uint16_t *out)
{
    const __m256 factors = _mm256_set1_ps(factor);
    __m256d sums[2] = {_mm256_setzero_pd(), _mm256_setzero_pd()};

    for (uint32_t i = 0; i < elements; i += 8) {
        const __m256 value = _mm256_mul_ps(_mm256_loadu_ps(v + i), factors);
        const __m128i half = _mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_storeu_si128((__m128i *)(void *)(out + i), half);
        vsg_query_square_avx2(_mm256_sub_ps(value, _mm256_cvtph_ps(half)), sums);
    }
    return vsg_query_fold_avx2(sums);
}

#endif

static inline const vsg_query_loops *vsg_query_loops_any(void)
{
    static const vsg_query_loops loops = {vsg_query_sumsq, vsg_query_largest, vsg_query_halves};
    return &loops;
}

#if defined(__x86_64__) && defined(__GNUC__)
/* Asked of the processor once, since that can be slow in a virtual machine. */
static inline int vsg_query_has_avx2(void)
{
    static atomic_int known; /* 0: not yet, 1: no, 2: yes */
    int has = atomic_load_explicit(&known, memory_order_relaxed);

    if (has == 0) {
        unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
        const int has_f16c = __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C);
        has = has_f16c && __builtin_cpu_supports("avx2") ? 2 : 1;
        atomic_store_explicit(&known, has, memory_order_relaxed);
    }
    return has == 2;
}
#endif

static inline const vsg_query_loops *vsg_query_loops_here(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    static const vsg_query_loops loops = {vsg_query_sumsq_avx2, vsg_query_largest_avx2,
                                          vsg_query_halves_avx2};
    if (vsg_query_has_avx2()) {
        return &loops;
    }
#endif
    return vsg_query_loops_any();
}

#endif
