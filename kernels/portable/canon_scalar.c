/*
 * canon_scalar.c - canonical distances of float32, float16 and bfloat16 in portable C: the
 * definition in vsk.h, line by line.
 *
 * Every other level must give these bits.
 */
#include <math.h>

#include "../half.h"
#include "../vsk_impl.h"

VSK_INLINE double canon_at_scalar(const void *v, size_t i, vsk_type type)
{
    const unsigned char *p = (const unsigned char *)v + i * vsk_element_bytes(type);
    float value;
    uint16_t half;

    if (type == VSK_F32) {
        memcpy(&value, p, sizeof value);
        return value;
    }
    memcpy(&half, p, sizeof half);
    return type == VSK_F16 ? vsk_f16_decode(half) : vsk_bf16_decode(half);
}

static inline double canon_fold_scalar(double lane[VSK_LANES])
{
    for (size_t half = VSK_LANES / 2; half > 0; half /= 2) {
        for (size_t j = 0; j < half; j++) {
            lane[j] += lane[j + half];
        }
    }
    return lane[0];
}

VSK_INLINE double canon_term_scalar(double x, double y, vsk_pair_op op)
{
    double term;

    switch (op) {
    case VSK_PAIR_DOT:
        return x * y;
    case VSK_PAIR_L2SQ:
        term = (x - y) * (x - y);
        VSK_ROUNDED_F64(term);
        return term;
    default:
        return fabs(x - y);
    }
}

VSK_INLINE double canon_pair_scalar(const void *a, const void *b, size_t dim, vsk_pair_op op,
                                    vsk_type type)
{
    double lane[VSK_LANES] = {0};

    for (size_t i = 0; i < dim; i++) {
        double x = canon_at_scalar(a, i, type);
        double y = canon_at_scalar(b, i, type);
        lane[i % VSK_LANES] += canon_term_scalar(x, y, op);
    }
    return canon_fold_scalar(lane);
}

VSK_INLINE void canon_triple_scalar(const void *a, const void *b, size_t dim, double out[3],
                                    vsk_type type)
{
    out[0] = canon_pair_scalar(a, b, dim, VSK_PAIR_DOT, type);
    out[1] = canon_pair_scalar(a, a, dim, VSK_PAIR_DOT, type);
    out[2] = canon_pair_scalar(b, b, dim, VSK_PAIR_DOT, type);
}

VSK_DEFINE_CANONICAL(f32, VSK_F32, scalar)
VSK_DEFINE_CANONICAL(f16, VSK_F16, scalar)
VSK_DEFINE_CANONICAL(bf16, VSK_BF16, scalar)
