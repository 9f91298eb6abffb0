/*
 * distance.c - canonical distances by metric and element type.
 *
 * The kernels sum; this file takes roots, divides and decides what a zero or non-finite input
 * means. Square root and division are correctly rounded by IEEE 754, so the results keep the
 * kernels' property: same bits everywhere.
 *
 * Calls: kernels.
 * Called by: scorer.c, batch.c, norm_profile.c, func.c; names: options.c, plan.c.
 * Threads: any.
 */
#include "distance.h"

#include <math.h>

static const char *const distance_names[VS_METRIC_COUNT] = {"l2",  "l2sq",    "l1",     "cosine",
                                                            "dot", "hamming", "jaccard"};

const char *vs_metric_name(vs_metric metric)
{
    return distance_names[metric];
}

int vs_metric_by_name(const char *name)
{
    for (int i = 0; i < VS_METRIC_COUNT; i++) {
        if (strcmp(name, distance_names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

int vs_metric_takes(vs_metric metric, vsk_type type)
{
    return (type == VSK_BIT) == (metric == VS_HAMMING || metric == VS_JACCARD);
}

/* The cosine of two vectors from their canonical sums. */
static vs_dist_kind distance_cosine(double dot, double sumsq_a, double sumsq_b, double *out)
{
    double product = sumsq_a * sumsq_b;
    if (!isfinite(dot) || !isfinite(product)) {
        return VS_DIST_NONFINITE;
    }
    if (product == 0.0) {
        return VS_DIST_NULL;
    }
    /* sqrt(x*x) is x, so equal vectors are at distance 0 exactly; rounding elsewhere may leave [-1,
     * 1] by an ulp. */
    double cosine = dot / sqrt(product);
    *out = cosine > 1.0 ? 1.0 : cosine < -1.0 ? -1.0 : cosine;
    return VS_DIST_VALUE;
}

vs_dist_kind vs_similarity(vs_metric metric, vsk_type type, const void *a, const void *b,
                           size_t dim, double *out)
{
    const vsk_table *k = vsk_get();
    double triple[3];
    assert(metric == VS_DOT || metric == VS_COSINE);
    if (metric == VS_DOT) {
        double dot = k->dot[type](a, b, dim);
        if (!isfinite(dot)) {
            return VS_DIST_NONFINITE;
        }
        *out = dot;
        return VS_DIST_VALUE;
    }
    k->triple[type](a, b, dim, triple);
    return distance_cosine(triple[0], triple[1], triple[2], out);
}

/* A distance, of a value that is one unless it is not finite. */
static vs_dist_kind distance_finite(double value, double *out)
{
    if (!isfinite(value)) {
        return VS_DIST_NONFINITE;
    }
    *out = value;
    return VS_DIST_VALUE;
}

vs_dist_kind vs_distance_of_sums(vs_metric metric, double sum, double sumsq_a, double sumsq_b,
                                 double *out)
{
    double cosine = 0.0;
    switch (metric) {
    case VS_L2:
        return distance_finite(sqrt(sum), out);
    case VS_DOT: /* not -x: a dot product of 0 is a distance of +0 */
        return distance_finite(0.0 - sum, out);
    case VS_COSINE: {
        vs_dist_kind kind = distance_cosine(sum, sumsq_a, sumsq_b, &cosine);
        if (kind == VS_DIST_VALUE) {
            *out = 1.0 - cosine;
        }
        return kind;
    }
    default:
        assert(metric == VS_L2SQ);
        return distance_finite(sum, out);
    }
}

vs_dist_kind vs_distance(vs_metric metric, vsk_type type, const void *a, const void *b, size_t dim,
                         double *out)
{
    const vsk_table *k = vsk_get();
    double triple[3];
    assert(vs_metric_takes(metric, type));
    switch (metric) {
    case VS_L2:
    case VS_L2SQ:
        return vs_distance_of_sums(metric, k->l2sq[type](a, b, dim), 0.0, 0.0, out);
    case VS_DOT:
        return vs_distance_of_sums(metric, k->dot[type](a, b, dim), 0.0, 0.0, out);
    case VS_COSINE:
        k->triple[type](a, b, dim, triple);
        return vs_distance_of_sums(metric, triple[0], triple[1], triple[2], out);
    case VS_L1:
        return distance_finite(k->l1[type](a, b, dim), out);
    case VS_HAMMING:
        return distance_finite(k->hamming(a, b, dim), out);
    default:
        assert(metric == VS_JACCARD);
        return distance_finite(k->jaccard(a, b, dim), out);
    }
}
