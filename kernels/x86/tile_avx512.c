/*
 * tile_avx512.c - many float32 queries against many float32 rows, blocked for registers, with
 * AVX-512.
 *
 * A tile of TILE_QUERIES x TILE_ROWS pairs is summed at once, one vector of sums per pair, so that
 * each loaded vector serves several pairs. At the edges of the block a tile repeats its first row
 * and drops the results, or is one query high: every pair is summed in the same order wherever it
 * lies.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx512_begin.h"

enum {
    TILE_QUERIES_AVX512 = 4, /* 16 sums, 4 queries and a row: two loads for every four products */
    TILE_ROWS_AVX512 = 4
};

/* The first n elements, then zeros; reads no others. */
VSK_INLINE __m512 tile_load_avx512(const float *at, size_t n)
{
    return n == 16 ? _mm512_loadu_ps(at) : _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), at);
}

/* The upper half of the elements added to the lower. */
VSK_INLINE __m256 tile_halve_avx512(__m512 sum_f32x16)
{
    return _mm256_add_ps(_mm512_castps512_ps256(sum_f32x16), _mm512_extractf32x8_ps(sum_f32x16, 1));
}

/* The sums of the elements of four vectors. */
VSK_INLINE __m128 tile_fold_avx512(const __m512 sum_f32x16[TILE_ROWS_AVX512])
{
    __m256 low_f32x8 =
        _mm256_hadd_ps(tile_halve_avx512(sum_f32x16[0]), tile_halve_avx512(sum_f32x16[1]));
    __m256 high_f32x8 =
        _mm256_hadd_ps(tile_halve_avx512(sum_f32x16[2]), tile_halve_avx512(sum_f32x16[3]));
    __m256 pairs_f32x8 = _mm256_hadd_ps(low_f32x8, high_f32x8);
    return _mm_add_ps(_mm256_castps256_ps128(pairs_f32x8), _mm256_extractf128_ps(pairs_f32x8, 1));
}

/* Elements i to i + n - 1, n at most one vector, of every pair. */
VSK_INLINE void tile_step_avx512(const float *q, size_t q_stride, int q_count,
                                 const float *const rows[TILE_ROWS_AVX512], size_t i, size_t n,
                                 __m512 sum_f32x16[TILE_QUERIES_AVX512][TILE_ROWS_AVX512],
                                 vsk_pair_op op)
{
    __m512 q_f32x16[TILE_QUERIES_AVX512];

    VSK_UNROLL
    for (int k = 0; k < q_count; k++) {
        q_f32x16[k] = tile_load_avx512(q + (size_t)k * q_stride + i, n);
    }
    VSK_UNROLL
    for (int r = 0; r < TILE_ROWS_AVX512; r++) {
        __m512 x_f32x16 = tile_load_avx512(rows[r] + i, n);
        VSK_UNROLL
        for (int k = 0; k < q_count; k++) {
            __m512 left_f32x16 = q_f32x16[k];
            __m512 right_f32x16 = x_f32x16;
            if (op == VSK_PAIR_L2SQ) {
                left_f32x16 = right_f32x16 = _mm512_sub_ps(left_f32x16, right_f32x16);
            }
            sum_f32x16[k][r] = _mm512_fmadd_ps(left_f32x16, right_f32x16, sum_f32x16[k][r]);
        }
    }
}

/*
 * One tile. q_count is a constant where it is called; `rows` are TILE_ROWS pointers, of which the
 * first row_count count. Result (i, j) goes to out[i * out_stride + j].
 */
VSK_INLINE void tile_block_avx512(const float *q, size_t q_stride, int q_count,
                                  const float *const rows[TILE_ROWS_AVX512], size_t row_count,
                                  size_t dim, float *out, size_t out_stride, vsk_pair_op op)
{
    __m512 sum_f32x16[TILE_QUERIES_AVX512][TILE_ROWS_AVX512];
    size_t i = 0;

    VSK_UNROLL
    for (int k = 0; k < q_count; k++) {
        VSK_UNROLL
        for (int r = 0; r < TILE_ROWS_AVX512; r++) {
            sum_f32x16[k][r] = _mm512_setzero_ps();
        }
    }
    for (; i + 16 <= dim; i += 16) {
        tile_step_avx512(q, q_stride, q_count, rows, i, 16, sum_f32x16, op);
    }
    if (i < dim) {
        tile_step_avx512(q, q_stride, q_count, rows, i, dim - i, sum_f32x16, op);
    }
    VSK_UNROLL
    for (int k = 0; k < q_count; k++) {
        float folded[TILE_ROWS_AVX512];
        _mm_storeu_ps(folded, tile_fold_avx512(sum_f32x16[k]));
        memcpy(out + (size_t)k * out_stride, folded, row_count * sizeof *out);
    }
}

VSK_INLINE void tile_avx512(const float *q, size_t q_stride, size_t q_count, const float *rows,
                            size_t row_stride, size_t row_count, size_t dim, float *out,
                            vsk_pair_op op)
{
    for (size_t j = 0; j < row_count; j += TILE_ROWS_AVX512) {
        size_t together = row_count - j < TILE_ROWS_AVX512 ? row_count - j : TILE_ROWS_AVX512;
        const float *row[TILE_ROWS_AVX512];
        size_t i = 0;

        for (size_t r = 0; r < TILE_ROWS_AVX512; r++) {
            row[r] = rows + (j + (r < together ? r : 0)) * row_stride;
        }
        for (; i + TILE_QUERIES_AVX512 <= q_count; i += TILE_QUERIES_AVX512) {
            tile_block_avx512(q + i * q_stride, q_stride, TILE_QUERIES_AVX512, row, together, dim,
                              out + i * row_count + j, row_count, op);
        }
        for (; i < q_count; i++) {
            tile_block_avx512(q + i * q_stride, q_stride, 1, row, together, dim,
                              out + i * row_count + j, row_count, op);
        }
    }
}

void vsk_tile_dot_f32_avx512(const float *q, size_t q_stride, size_t q_count, const float *rows,
                             size_t row_stride, size_t row_count, size_t dim, float *out)
{
    tile_avx512(q, q_stride, q_count, rows, row_stride, row_count, dim, out, VSK_PAIR_DOT);
}

void vsk_tile_l2sq_f32_avx512(const float *q, size_t q_stride, size_t q_count, const float *rows,
                              size_t row_stride, size_t row_count, size_t dim, float *out)
{
    tile_avx512(q, q_stride, q_count, rows, row_stride, row_count, dim, out, VSK_PAIR_L2SQ);
}

#include "../isa_end.h"
#endif
