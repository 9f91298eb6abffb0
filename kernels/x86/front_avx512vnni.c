/*
 * front_avx512vnni.c - products of the front plane with the AVX-512 instructions for neural
 * networks: one for 32 products and their sums, and its query is a broadcast from memory.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx512vnni_begin.h"

enum {
    FRONT_QUERIES_AVX512VNNI = 8,     /* that share the widening of the rows */
    FRONT_AHEAD_AVX512VNNI = 4 * 1024 /* bytes from what is read to what is prefetched */
};

/* A pair of a query's elements for every row. */
VSK_INLINE __m512i front_pair_avx512vnni(const int16_t *w)
{
    int32_t pair;
    memcpy(&pair, w, sizeof pair);
    return _mm512_set1_epi32(pair);
}

VSK_INLINE __m512i front_rows_avx512vnni(const int8_t *rows)
{
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)rows));
}

VSK_INLINE void front_query_avx512vnni(const int16_t *w, const int8_t *rows, size_t count, size_t m,
                                       int32_t *out)
{
    const int8_t *end = rows + count * m;
    for (size_t first = 0; first < count; first += VSK_FRONT_ROWS) {
        const size_t ahead = end - rows > FRONT_AHEAD_AVX512VNNI ? FRONT_AHEAD_AVX512VNNI : 0;
        __m512i sums_i32x16[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(),
                                  _mm512_setzero_si512(), _mm512_setzero_si512()};
        for (size_t j = 0; j < m; j += 8) {
            _mm_prefetch((const char *)rows + ahead, _MM_HINT_T0);
            _mm_prefetch((const char *)rows + ahead + 64, _MM_HINT_T0);
            VSK_UNROLL
            for (size_t i = 0; i < 4; i++) { /* four pairs of directions */
                sums_i32x16[i] = _mm512_dpwssd_epi32(
                    sums_i32x16[i], front_rows_avx512vnni(rows + 2 * VSK_FRONT_ROWS * i),
                    front_pair_avx512vnni(w + j + 2 * i));
            }
            rows += 8 * VSK_FRONT_ROWS;
        }
        __m512i sum_i32x16 = _mm512_add_epi32(_mm512_add_epi32(sums_i32x16[0], sums_i32x16[1]),
                                              _mm512_add_epi32(sums_i32x16[2], sums_i32x16[3]));
        _mm512_storeu_si512(out + first, sum_i32x16);
    }
}

VSK_INLINE void front_queries_avx512vnni(const int16_t *w, size_t w_stride, const int8_t *rows,
                                         size_t count, size_t m, int32_t *out, size_t out_stride)
{
    enum { Q = FRONT_QUERIES_AVX512VNNI };
    for (size_t first = 0; first < count; first += VSK_FRONT_ROWS) {
        __m512i sums_i32x16[Q];
        VSK_UNROLL
        for (size_t q = 0; q < Q; q++) {
            sums_i32x16[q] = _mm512_setzero_si512();
        }
        for (size_t j = 0; j < m; j += 2) {
            __m512i x_i16x32 = front_rows_avx512vnni(rows);
            VSK_UNROLL
            for (size_t q = 0; q < Q; q++) {
                sums_i32x16[q] = _mm512_dpwssd_epi32(sums_i32x16[q], x_i16x32,
                                                     front_pair_avx512vnni(w + q * w_stride + j));
            }
            rows += 2 * VSK_FRONT_ROWS;
        }
        VSK_UNROLL
        for (size_t q = 0; q < Q; q++) {
            _mm512_storeu_si512(out + q * out_stride + first, sums_i32x16[q]);
        }
    }
}

void vsk_front_dot_i8_avx512vnni(const int16_t *w, size_t w_stride, size_t q_count,
                                 const int8_t *rows, size_t count, size_t m, int32_t *out,
                                 size_t out_stride)
{
    size_t q = 0;
    for (; q + FRONT_QUERIES_AVX512VNNI <= q_count; q += FRONT_QUERIES_AVX512VNNI) {
        front_queries_avx512vnni(w + q * w_stride, w_stride, rows, count, m, out + q * out_stride,
                                 out_stride);
    }
    for (; q < q_count; q++) {
        front_query_avx512vnni(w + q * w_stride, rows, count, m, out + q * out_stride);
    }
}

#include "../isa_end.h"
#endif
