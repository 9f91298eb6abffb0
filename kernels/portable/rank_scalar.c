/*
 * rank_scalar.c - rank and tile kernels in portable C.
 *
 * Eight float32 sums per row, so that a compiler may use whatever short vectors the baseline has. A
 * tile is a rank of each query.
 */
#include <math.h>

#include "../half.h"
#include "../vsk_impl.h"

enum { RANK_SCALAR_SUMS = 8 };

VSK_INLINE float rank_at_scalar(const unsigned char *row, size_t i, vsk_type type)
{
    float value;
    uint16_t half;

    if (type == VSK_F32) {
        memcpy(&value, row + 4 * i, sizeof value);
        return value;
    }
    memcpy(&half, row + 2 * i, sizeof half);
    return type == VSK_F16 ? vsk_f16_decode(half) : vsk_bf16_decode(half);
}

VSK_INLINE float rank_term_scalar(float q, float x, vsk_rank_op op)
{
    switch (op) {
    case VSK_RANK_L2SQ:
        return (q - x) * (q - x);
    case VSK_RANK_L1:
        return fabsf(q - x);
    default:
        return q * x;
    }
}

static inline float rank_fold_scalar(const float sum[RANK_SCALAR_SUMS])
{
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

VSK_INLINE void rank_scalar(const float *q, const void *rows, size_t stride_bytes, size_t count,
                            size_t dim, float *out, float *out_sumsq, vsk_rank_op op, vsk_type type)
{
    for (size_t r = 0; r < count; r++) {
        const unsigned char *row = (const unsigned char *)rows + r * stride_bytes;
        float sum[RANK_SCALAR_SUMS] = {0};
        float sumsq[RANK_SCALAR_SUMS] = {0};

        for (size_t i = 0; i < dim; i++) {
            float x = rank_at_scalar(row, i, type);
            sum[i % RANK_SCALAR_SUMS] += rank_term_scalar(q[i], x, op);
            if (op == VSK_RANK_DOT_SUMSQ) {
                sumsq[i % RANK_SCALAR_SUMS] += x * x;
            }
        }
        out[r] = rank_fold_scalar(sum);
        if (op == VSK_RANK_DOT_SUMSQ) {
            out_sumsq[r] = rank_fold_scalar(sumsq);
        }
    }
}

VSK_DEFINE_RANK(f32, VSK_F32, scalar)
VSK_DEFINE_RANK(f16, VSK_F16, scalar)
VSK_DEFINE_RANK(bf16, VSK_BF16, scalar)

void vsk_tile_dot_f32_scalar(const float *q, size_t q_stride, size_t q_count, const float *rows,
                             size_t row_stride, size_t row_count, size_t dim, float *out)
{
    for (size_t i = 0; i < q_count; i++) {
        vsk_rank_dot_f32_scalar(q + i * q_stride, rows, row_stride * sizeof *rows, row_count, dim,
                                out + i * row_count);
    }
}

void vsk_tile_l2sq_f32_scalar(const float *q, size_t q_stride, size_t q_count, const float *rows,
                              size_t row_stride, size_t row_count, size_t dim, float *out)
{
    for (size_t i = 0; i < q_count; i++) {
        vsk_rank_l2sq_f32_scalar(q + i * q_stride, rows, row_stride * sizeof *rows, row_count, dim,
                                 out + i * row_count);
    }
}
