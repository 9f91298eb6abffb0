/*
 * tile_avx2.c - many float32 queries against many float32 rows, blocked for registers, with AVX2
 * and FMA.
 *
 * A tile of TILE_QUERIES x TILE_ROWS pairs is summed at once, one vector of sums per pair, so that
 * each loaded vector serves several pairs. At the edges of the block a tile repeats its first row
 * and drops the results, or is one query high: every pair is summed in the same order wherever it
 * lies.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx2_begin.h"

enum {
    TILE_QUERIES_AVX2 = 3, /* 12 sums, 3 queries and one row fill the 16 registers */
    TILE_ROWS_AVX2 = 4
};

/* The first n elements, then zeros; reads no others. */
VSK_INLINE __m256 tile_load_avx2(const float *at, size_t n)
{
    if (n == 8) {
        return _mm256_loadu_ps(at);
    }
    return _mm256_maskload_ps(at, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n),
                                                     _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)));
}

/* The sums of the elements of four vectors. */
VSK_INLINE __m128 tile_fold_avx2(const __m256 sum_f32x8[TILE_ROWS_AVX2])
{
    __m256 pairs_f32x8 = _mm256_hadd_ps(_mm256_hadd_ps(sum_f32x8[0], sum_f32x8[1]),
                                        _mm256_hadd_ps(sum_f32x8[2], sum_f32x8[3]));
    return _mm_add_ps(_mm256_castps256_ps128(pairs_f32x8), _mm256_extractf128_ps(pairs_f32x8, 1));
}

/* Elements i to i + n - 1, n at most one vector, of every pair. */
VSK_INLINE void tile_step_avx2(const float *q, size_t q_stride, int q_count,
                               const float *const rows[TILE_ROWS_AVX2], size_t i, size_t n,
                               __m256 sum_f32x8[TILE_QUERIES_AVX2][TILE_ROWS_AVX2], vsk_pair_op op)
{
    __m256 q_f32x8[TILE_QUERIES_AVX2];

    VSK_UNROLL
    for (int k = 0; k < q_count; k++) {
        q_f32x8[k] = tile_load_avx2(q + (size_t)k * q_stride + i, n);
    }
    VSK_UNROLL
    for (int r = 0; r < TILE_ROWS_AVX2; r++) {
        __m256 x_f32x8 = tile_load_avx2(rows[r] + i, n);
        VSK_UNROLL
        for (int k = 0; k < q_count; k++) {
            __m256 left_f32x8 = q_f32x8[k];
            __m256 right_f32x8 = x_f32x8;
            if (op == VSK_PAIR_L2SQ) {
                left_f32x8 = right_f32x8 = _mm256_sub_ps(left_f32x8, right_f32x8);
            }
            sum_f32x8[k][r] = _mm256_fmadd_ps(left_f32x8, right_f32x8, sum_f32x8[k][r]);
        }
    }
}

/*
 * One tile. q_count is a constant where it is called; `rows` are TILE_ROWS pointers, of which the
 * first row_count count. Result (i, j) goes to out[i * out_stride + j].
 */
VSK_INLINE void tile_block_avx2(const float *q, size_t q_stride, int q_count,
                                const float *const rows[TILE_ROWS_AVX2], size_t row_count,
                                size_t dim, float *out, size_t out_stride, vsk_pair_op op)
{
    __m256 sum_f32x8[TILE_QUERIES_AVX2][TILE_ROWS_AVX2];
    size_t i = 0;

    VSK_UNROLL
    for (int k = 0; k < q_count; k++) {
        VSK_UNROLL
        for (int r = 0; r < TILE_ROWS_AVX2; r++) {
            sum_f32x8[k][r] = _mm256_setzero_ps();
        }
    }
    for (; i + 8 <= dim; i += 8) {
        tile_step_avx2(q, q_stride, q_count, rows, i, 8, sum_f32x8, op);
    }
    if (i < dim) {
        tile_step_avx2(q, q_stride, q_count, rows, i, dim - i, sum_f32x8, op);
    }
    VSK_UNROLL
    for (int k = 0; k < q_count; k++) {
        float folded[TILE_ROWS_AVX2];
        _mm_storeu_ps(folded, tile_fold_avx2(sum_f32x8[k]));
        memcpy(out + (size_t)k * out_stride, folded, row_count * sizeof *out);
    }
}

VSK_INLINE void tile_avx2(const float *q, size_t q_stride, size_t q_count, const float *rows,
                          size_t row_stride, size_t row_count, size_t dim, float *out,
                          vsk_pair_op op)
{
    /* A difference needs a register of its own: with three queries one of the sums lives in memory. */
    const size_t q_step = op == VSK_PAIR_L2SQ ? TILE_QUERIES_AVX2 - 1 : TILE_QUERIES_AVX2;

    for (size_t j = 0; j < row_count; j += TILE_ROWS_AVX2) {
        size_t together = row_count - j < TILE_ROWS_AVX2 ? row_count - j : TILE_ROWS_AVX2;
        const float *row[TILE_ROWS_AVX2];
        size_t i = 0;

        for (size_t r = 0; r < TILE_ROWS_AVX2; r++) {
            row[r] = rows + (j + (r < together ? r : 0)) * row_stride;
        }
        for (; i + q_step <= q_count; i += q_step) {
            tile_block_avx2(q + i * q_stride, q_stride, (int)q_step, row, together, dim,
                            out + i * row_count + j, row_count, op);
        }
        for (; i < q_count; i++) {
            tile_block_avx2(q + i * q_stride, q_stride, 1, row, together, dim,
                            out + i * row_count + j, row_count, op);
        }
    }
}

void vsk_tile_dot_f32_avx2(const float *q, size_t q_stride, size_t q_count, const float *rows,
                           size_t row_stride, size_t row_count, size_t dim, float *out)
{
    tile_avx2(q, q_stride, q_count, rows, row_stride, row_count, dim, out, VSK_PAIR_DOT);
}

void vsk_tile_l2sq_f32_avx2(const float *q, size_t q_stride, size_t q_count, const float *rows,
                            size_t row_stride, size_t row_count, size_t dim, float *out)
{
    tile_avx2(q, q_stride, q_count, rows, row_stride, row_count, dim, out, VSK_PAIR_L2SQ);
}

#include "../isa_end.h"
#endif
