/*
 * front_scalar.c - products and bound test of the front plane in portable C.
 */
#include "../vsk_impl.h"

/* The products of one query. */
VSK_INLINE void front_query_scalar(const int16_t *w, const int8_t *rows, size_t count, size_t m,
                                   int32_t *out)
{
    for (size_t first = 0; first < count; first += VSK_FRONT_ROWS) {
        int32_t sums[VSK_FRONT_ROWS] = {0};
        for (size_t j = 0; j < m; j += 2) {
            for (size_t i = 0; i < VSK_FRONT_ROWS; i++) {
                sums[i] += w[j] * rows[2 * i] + w[j + 1] * rows[2 * i + 1];
            }
            rows += 2 * VSK_FRONT_ROWS;
        }
        memcpy(out + first, sums, sizeof sums);
    }
}

void vsk_front_dot_i8_scalar(const int16_t *w, size_t w_stride, size_t q_count, const int8_t *rows,
                             size_t count, size_t m, int32_t *out, size_t out_stride)
{
    for (size_t q = 0; q < q_count; q++) {
        front_query_scalar(w + q * w_stride, rows, count, m, out + q * out_stride);
    }
}

size_t vsk_front_pass_f32_scalar(const vsk_front_test *test, const int32_t *dots, const float *t,
                                 const float *rest, const float *g, size_t count, uint16_t *out)
{
    const float *c = test->c;
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        float score = c[0] + c[1] * t[i] + c[2] * (float)dots[i] + c[3] * rest[i] +
                      (c[4] + c[5] * g[i]) * g[i];
        out[kept] = (uint16_t)i;
        kept += !(score > 0.0f);
    }
    return kept;
}
