/*
 * front_avx512.c - products of the front plane with AVX-512. The bound test keeps the AVX2 kernel.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx512_begin.h"

enum { FRONT_AHEAD_AVX512 = 4 * 1024 /* bytes from what is read to what is prefetched */ };

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

#include "../isa_end.h"
#endif
