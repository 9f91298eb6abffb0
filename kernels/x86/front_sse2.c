/*
 * front_sse2.c - products and bound test of the front plane with SSE2.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "sse2_begin.h"

enum { FRONT_LANES_SSE2 = 4 };

/* The products of one query. */
VSK_INLINE void front_query_sse2(const int16_t *w, const int8_t *rows, size_t count, size_t m,
                                 int32_t *out)
{
    for (size_t first = 0; first < count; first += VSK_FRONT_ROWS) {
        __m128i sums_i32x4[4] = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128(),
                                 _mm_setzero_si128()};
        for (size_t j = 0; j < m; j += 2) {
            int32_t pair;
            memcpy(&pair, w + j, sizeof pair);
            __m128i w_i16x8 = _mm_set1_epi32(pair);
            VSK_UNROLL
            for (int half = 0; half < 2; half++) {
                __m128i x_i8x16 = _mm_loadu_si128((const __m128i *)(const void *)rows + half);
                __m128i lo_i16x8 = _mm_srai_epi16(_mm_unpacklo_epi8(x_i8x16, x_i8x16), 8);
                __m128i hi_i16x8 = _mm_srai_epi16(_mm_unpackhi_epi8(x_i8x16, x_i8x16), 8);
                sums_i32x4[2 * half] =
                    _mm_add_epi32(sums_i32x4[2 * half], _mm_madd_epi16(lo_i16x8, w_i16x8));
                sums_i32x4[2 * half + 1] =
                    _mm_add_epi32(sums_i32x4[2 * half + 1], _mm_madd_epi16(hi_i16x8, w_i16x8));
            }
            rows += 2 * VSK_FRONT_ROWS;
        }
        VSK_UNROLL
        for (int i = 0; i < 4; i++) {
            _mm_storeu_si128((__m128i *)(void *)(out + first) + i, sums_i32x4[i]);
        }
    }
}

void vsk_front_dot_i8_sse2(const int16_t *w, size_t w_stride, size_t q_count, const int8_t *rows,
                           size_t count, size_t m, int32_t *out, size_t out_stride)
{
    for (size_t q = 0; q < q_count; q++) {
        front_query_sse2(w + q * w_stride, rows, count, m, out + q * out_stride);
    }
}

size_t vsk_front_pass_f32_sse2(const vsk_front_test *test, const int32_t *dots, const float *t,
                               const float *rest, const float *g, size_t count, uint16_t *out)
{
    const float *c = test->c;
    size_t i = 0, kept = 0;

    for (; i + FRONT_LANES_SSE2 <= count; i += FRONT_LANES_SSE2) {
        __m128 dots_f32x4 =
            _mm_cvtepi32_ps(_mm_loadu_si128((const __m128i *)(const void *)(dots + i)));
        __m128 g_f32x4 = _mm_loadu_ps(g + i);
        __m128 sum =
            _mm_add_ps(_mm_set1_ps(c[0]), _mm_mul_ps(_mm_set1_ps(c[1]), _mm_loadu_ps(t + i)));
        sum = _mm_add_ps(sum, _mm_mul_ps(_mm_set1_ps(c[2]), dots_f32x4));
        sum = _mm_add_ps(sum, _mm_mul_ps(_mm_set1_ps(c[3]), _mm_loadu_ps(rest + i)));
        __m128 last = _mm_add_ps(_mm_set1_ps(c[4]), _mm_mul_ps(_mm_set1_ps(c[5]), g_f32x4));
        sum = _mm_add_ps(sum, _mm_mul_ps(last, g_f32x4));
        unsigned bits = 15u & ~(unsigned)_mm_movemask_ps(_mm_cmpgt_ps(sum, _mm_setzero_ps()));
        for (; bits != 0; bits &= bits - 1) {
            out[kept++] = (uint16_t)(i + (size_t)__builtin_ctz(bits));
        }
    }
    return kept + front_pass_rest(test, dots, t, rest, g, i, count, out + kept);
}

#include "../isa_end.h"
#endif
