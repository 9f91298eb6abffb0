/*
 * front_avx512.c - products and bound test of the front plane with AVX-512.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx512_begin.h"
#include "ahead_avx2.h"
#include "pass_avx512.h"

enum {
    FRONT_AHEAD_AVX512 = 4 * 1024,     /* bytes from what is read to what is prefetched */
    FRONT_DOTS_AHEAD_AVX512 = 4 * 1024 /* the same, of products */
};

/* The products of one query. */
VSK_INLINE void front_query_avx512(const int16_t *w, const int8_t *rows, size_t count, size_t m,
                                   int32_t *out)
{
    const int8_t *end = rows + count * m;

    for (size_t first = 0; first < count; first += VSK_FRONT_ROWS) {
        size_t ahead = end - rows > FRONT_AHEAD_AVX512 ? FRONT_AHEAD_AVX512 : 0;
        __m512i sums_i32x16[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(),
                                  _mm512_setzero_si512(), _mm512_setzero_si512()};
        for (size_t j = 0; j < m; j += 8) {
            _mm_prefetch((const char *)rows + ahead, _MM_HINT_T0);
            _mm_prefetch((const char *)rows + ahead + 64, _MM_HINT_T0);
            VSK_UNROLL
            for (int i = 0; i < 4; i++) { /* four pairs of directions */
                int32_t pair;
                memcpy(&pair, w + j + 2 * (size_t)i, sizeof pair);
                __m512i x_i16x32 = _mm512_cvtepi8_epi16(
                    _mm256_loadu_si256((const __m256i *)(const void *)rows + i));
                sums_i32x16[i] = _mm512_add_epi32(
                    sums_i32x16[i], _mm512_madd_epi16(x_i16x32, _mm512_set1_epi32(pair)));
            }
            rows += 8 * VSK_FRONT_ROWS;
        }
        __m512i sum_i32x16 = _mm512_add_epi32(_mm512_add_epi32(sums_i32x16[0], sums_i32x16[1]),
                                              _mm512_add_epi32(sums_i32x16[2], sums_i32x16[3]));
        _mm512_storeu_si512(out + first, sum_i32x16);
    }
}

void vsk_front_dot_i8_avx512(const int16_t *w, size_t w_stride, size_t q_count, const int8_t *rows,
                             size_t count, size_t m, int32_t *out, size_t out_stride)
{
    for (size_t q = 0; q < q_count; q++) {
        front_query_avx512(w + q * w_stride, rows, count, m, out + q * out_stride);
    }
}

/* ---- bound test ---- */

/* is_short: the last three coefficients are 0, and what they stand before is not read. */
VSK_INLINE __mmask16 front_kept_avx512(const float *c, int is_short, __mmask16 mask,
                                       const int32_t *dots, const float *t, const float *rest,
                                       const float *g, size_t i)
{
    __m512 dots_f32x16 = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(mask, dots + i));
    __m512 sum = _mm512_fmadd_ps(_mm512_set1_ps(c[1]), _mm512_maskz_loadu_ps(mask, t + i),
                                 _mm512_set1_ps(c[0]));
    sum = _mm512_fmadd_ps(_mm512_set1_ps(c[2]), dots_f32x16, sum);
    if (!is_short) {
        __m512 g_f32x16 = _mm512_maskz_loadu_ps(mask, g + i);
        sum = _mm512_fmadd_ps(_mm512_set1_ps(c[3]), _mm512_maskz_loadu_ps(mask, rest + i), sum);
        __m512 last = _mm512_fmadd_ps(_mm512_set1_ps(c[5]), g_f32x16, _mm512_set1_ps(c[4]));
        sum = _mm512_fmadd_ps(last, g_f32x16, sum);
    }
    return _mm512_mask_cmp_ps_mask(mask, sum, _mm512_setzero_ps(), _CMP_NGT_UQ);
}

size_t vsk_front_pass_f32_avx512(const vsk_front_test *test, const int32_t *dots, const float *t,
                                 const float *rest, const float *g, size_t count, uint16_t *out)
{
    const float *c = test->c;
    int is_short = c[3] == 0.0f && c[4] == 0.0f && c[5] == 0.0f;
    size_t kept = 0;

    for (size_t i = 0; i < count; i += PASS_LANES_AVX512) {
        __mmask16 mask = pass_mask_avx512(i, count);
        prefetch_avx2(dots + i, FRONT_DOTS_AHEAD_AVX512);
        __mmask16 bits = front_kept_avx512(c, is_short, mask, dots, t, rest, g, i);
        if (bits != 0) { /* not for most blocks */
            kept += pass_append_avx512(bits, i, out + kept);
        }
    }
    return kept;
}

#include "../isa_end.h"
#endif
