/*
 * front_avx2.c - products and bound test of the front plane with AVX2.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx2_begin.h"

enum {
    FRONT_LANES_AVX2 = 8,
    FRONT_AHEAD_AVX2 = 4 * 1024 /* bytes from what is read to what is prefetched */
};

/* The products of one query. */
VSK_INLINE void front_query_avx2(const int16_t *w, const int8_t *rows, size_t count, size_t m,
                                 int32_t *out)
{
    const int8_t *end = rows + count * m;

    for (size_t first = 0; first < count; first += VSK_FRONT_ROWS) {
        size_t ahead = end - rows > FRONT_AHEAD_AVX2 ? FRONT_AHEAD_AVX2 : 0;
        __m256i sums_i32x8[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(),
                                 _mm256_setzero_si256(), _mm256_setzero_si256()};
        for (size_t j = 0; j < m; j += 4) {
            _mm_prefetch((const char *)rows + ahead, _MM_HINT_T0);
            VSK_UNROLL
            for (int i = 0; i < 4; i++) { /* two pairs of directions, 8 rows at a time */
                int32_t pair;
                memcpy(&pair, w + j + (size_t)(i / 2) * 2, sizeof pair);
                __m256i x_i16x16 =
                    _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)rows + i));
                sums_i32x8[i] = _mm256_add_epi32(
                    sums_i32x8[i], _mm256_madd_epi16(x_i16x16, _mm256_set1_epi32(pair)));
            }
            rows += 4 * VSK_FRONT_ROWS;
        }
        VSK_UNROLL
        for (int i = 0; i < 2; i++) {
            _mm256_storeu_si256((__m256i *)(void *)(out + first) + i,
                                _mm256_add_epi32(sums_i32x8[i], sums_i32x8[i + 2]));
        }
    }
}

void vsk_front_dot_i8_avx2(const int16_t *w, size_t w_stride, size_t q_count, const int8_t *rows,
                           size_t count, size_t m, int32_t *out, size_t out_stride)
{
    for (size_t q = 0; q < q_count; q++) {
        front_query_avx2(w + q * w_stride, rows, count, m, out + q * out_stride);
    }
}

size_t vsk_front_pass_f32_avx2(const vsk_front_test *test, const int32_t *dots, const float *t,
                               const float *rest, const float *g, size_t count, uint16_t *out)
{
    const float *c = test->c;
    size_t i = 0, kept = 0;

    for (; i + FRONT_LANES_AVX2 <= count; i += FRONT_LANES_AVX2) {
        __m256 dots_f32x8 =
            _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)(const void *)(dots + i)));
        __m256 g_f32x8 = _mm256_loadu_ps(g + i);
        __m256 sum =
            _mm256_fmadd_ps(_mm256_set1_ps(c[1]), _mm256_loadu_ps(t + i), _mm256_set1_ps(c[0]));
        sum = _mm256_fmadd_ps(_mm256_set1_ps(c[2]), dots_f32x8, sum);
        sum = _mm256_fmadd_ps(_mm256_set1_ps(c[3]), _mm256_loadu_ps(rest + i), sum);
        __m256 last = _mm256_fmadd_ps(_mm256_set1_ps(c[5]), g_f32x8, _mm256_set1_ps(c[4]));
        sum = _mm256_fmadd_ps(last, g_f32x8, sum);
        unsigned bits = 255u & ~(unsigned)_mm256_movemask_ps(
                                   _mm256_cmp_ps(sum, _mm256_setzero_ps(), _CMP_GT_OQ));
        for (; bits != 0; bits &= bits - 1) {
            out[kept++] = (uint16_t)(i + (size_t)__builtin_ctz(bits));
        }
    }
    return kept + front_pass_rest(test, dots, t, rest, g, i, count, out + kept);
}

#include "../isa_end.h"
#endif
