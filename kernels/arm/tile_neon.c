/*
 * tile_neon.c - many float32 queries against many float32 rows, blocked for registers, with NEON.
 *
 * A tile of TILE_QUERIES x TILE_ROWS pairs is summed at once, one vector of sums per pair, so that
 * each loaded vector serves several pairs. At the edges of the block a tile repeats its first row
 * and drops the results, or is one query high: every pair is summed in the same order wherever it
 * lies.
 */
#include "../vsk_impl.h"

#if defined(VSK_ARM64)
#include "neon_begin.h"

enum {
    TILE_QUERIES_NEON = 4, /* 16 sums, 4 queries and a row of the 32 registers */
    TILE_ROWS_NEON = 4
};

/* The first n elements, then zeros; reads no others. */
VSK_INLINE float32x4_t tile_load_neon(const float *at, size_t n)
{
    float rest[4] = {0};

    if (n == 4) {
        return vld1q_f32(at);
    }
    memcpy(rest, at, n * sizeof *at);
    return vld1q_f32(rest);
}

/* The sums of the elements of four vectors. */
VSK_INLINE float32x4_t tile_fold_neon(const float32x4_t sum_f32x4[TILE_ROWS_NEON])
{
    return vpaddq_f32(vpaddq_f32(sum_f32x4[0], sum_f32x4[1]),
                      vpaddq_f32(sum_f32x4[2], sum_f32x4[3]));
}

/* Elements i to i + n - 1, n at most one vector, of every pair. */
VSK_INLINE void tile_step_neon(const float *q, size_t q_stride, int q_count,
                               const float *const rows[TILE_ROWS_NEON], size_t i, size_t n,
                               float32x4_t sum_f32x4[TILE_QUERIES_NEON][TILE_ROWS_NEON],
                               vsk_pair_op op)
{
    float32x4_t q_f32x4[TILE_QUERIES_NEON];

    VSK_UNROLL
    for (int k = 0; k < q_count; k++) {
        q_f32x4[k] = tile_load_neon(q + (size_t)k * q_stride + i, n);
    }
    VSK_UNROLL
    for (int r = 0; r < TILE_ROWS_NEON; r++) {
        float32x4_t x_f32x4 = tile_load_neon(rows[r] + i, n);
        VSK_UNROLL
        for (int k = 0; k < q_count; k++) {
            float32x4_t left_f32x4 = q_f32x4[k];
            float32x4_t right_f32x4 = x_f32x4;
            if (op == VSK_PAIR_L2SQ) {
                left_f32x4 = right_f32x4 = vsubq_f32(left_f32x4, right_f32x4);
            }
            sum_f32x4[k][r] = vfmaq_f32(sum_f32x4[k][r], left_f32x4, right_f32x4);
        }
    }
}

/*
 * One tile. q_count is a constant where it is called; `rows` are TILE_ROWS pointers, of which the
 * first row_count count. Result (i, j) goes to out[i * out_stride + j].
 */
VSK_INLINE void tile_block_neon(const float *q, size_t q_stride, int q_count,
                                const float *const rows[TILE_ROWS_NEON], size_t row_count,
                                size_t dim, float *out, size_t out_stride, vsk_pair_op op)
{
    float32x4_t sum_f32x4[TILE_QUERIES_NEON][TILE_ROWS_NEON];
    size_t i = 0;

    VSK_UNROLL
    for (int k = 0; k < q_count; k++) {
        VSK_UNROLL
        for (int r = 0; r < TILE_ROWS_NEON; r++) {
            sum_f32x4[k][r] = vdupq_n_f32(0);
        }
    }
    for (; i + 4 <= dim; i += 4) {
        tile_step_neon(q, q_stride, q_count, rows, i, 4, sum_f32x4, op);
    }
    if (i < dim) {
        tile_step_neon(q, q_stride, q_count, rows, i, dim - i, sum_f32x4, op);
    }
    VSK_UNROLL
    for (int k = 0; k < q_count; k++) {
        float folded[TILE_ROWS_NEON];
        vst1q_f32(folded, tile_fold_neon(sum_f32x4[k]));
        memcpy(out + (size_t)k * out_stride, folded, row_count * sizeof *out);
    }
}

VSK_INLINE void tile_neon(const float *q, size_t q_stride, size_t q_count, const float *rows,
                          size_t row_stride, size_t row_count, size_t dim, float *out,
                          vsk_pair_op op)
{
    for (size_t j = 0; j < row_count; j += TILE_ROWS_NEON) {
        size_t together = row_count - j < TILE_ROWS_NEON ? row_count - j : TILE_ROWS_NEON;
        const float *row[TILE_ROWS_NEON];
        size_t i = 0;

        for (size_t r = 0; r < TILE_ROWS_NEON; r++) {
            row[r] = rows + (j + (r < together ? r : 0)) * row_stride;
        }
        for (; i + TILE_QUERIES_NEON <= q_count; i += TILE_QUERIES_NEON) {
            tile_block_neon(q + i * q_stride, q_stride, TILE_QUERIES_NEON, row, together, dim,
                            out + i * row_count + j, row_count, op);
        }
        for (; i < q_count; i++) {
            tile_block_neon(q + i * q_stride, q_stride, 1, row, together, dim,
                            out + i * row_count + j, row_count, op);
        }
    }
}

void vsk_tile_dot_f32_neon(const float *q, size_t q_stride, size_t q_count, const float *rows,
                           size_t row_stride, size_t row_count, size_t dim, float *out)
{
    tile_neon(q, q_stride, q_count, rows, row_stride, row_count, dim, out, VSK_PAIR_DOT);
}

void vsk_tile_l2sq_f32_neon(const float *q, size_t q_stride, size_t q_count, const float *rows,
                            size_t row_stride, size_t row_count, size_t dim, float *out)
{
    tile_neon(q, q_stride, q_count, rows, row_stride, row_count, dim, out, VSK_PAIR_L2SQ);
}

#include "../isa_end.h"
#endif
