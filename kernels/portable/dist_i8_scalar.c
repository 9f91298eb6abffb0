/*
 * dist_i8_scalar.c - distances of int8 vectors in portable C. Sums are integers and exact for any
 * dim up to VSK_DIM_MAX.
 */
#include "../vsk_impl.h"

double vsk_dot_i8_scalar(const void *a, const void *b, size_t dim)
{
    const int8_t *x = a;
    const int8_t *y = b;
    int32_t sum = 0;

    for (size_t i = 0; i < dim; i++) {
        sum += x[i] * y[i];
    }
    return sum;
}

double vsk_l2sq_i8_scalar(const void *a, const void *b, size_t dim)
{
    const int8_t *x = a;
    const int8_t *y = b;
    uint32_t sum = 0;

    for (size_t i = 0; i < dim; i++) {
        int d = x[i] - y[i];
        sum += (uint32_t)(d * d);
    }
    return sum;
}

double vsk_l1_i8_scalar(const void *a, const void *b, size_t dim)
{
    const int8_t *x = a;
    const int8_t *y = b;
    uint32_t sum = 0;

    for (size_t i = 0; i < dim; i++) {
        sum += (uint32_t)(x[i] > y[i] ? x[i] - y[i] : y[i] - x[i]);
    }
    return sum;
}

double vsk_sumsq_i8_scalar(const void *a, size_t dim)
{
    return vsk_dot_i8_scalar(a, a, dim);
}

void vsk_triple_i8_scalar(const void *a, const void *b, size_t dim, double out[3])
{
    out[0] = vsk_dot_i8_scalar(a, b, dim);
    out[1] = vsk_dot_i8_scalar(a, a, dim);
    out[2] = vsk_dot_i8_scalar(b, b, dim);
}
