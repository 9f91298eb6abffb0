/*
 * distance.h - canonical distances by metric and element type.
 */
#ifndef VS_DISTANCE_H
#define VS_DISTANCE_H

#include "vs_base.h"

typedef enum vs_dist_kind {
    VS_DIST_VALUE,    /* a finite number */
    VS_DIST_NULL,     /* a zero vector under cosine: it has no direction */
    VS_DIST_NONFINITE /* an input holds NaN or infinity */
} vs_dist_kind;

/* "l2", "l2sq", "l1", "cosine", "dot", "hamming", "jaccard"; by name: -1 when unknown. */
const char *vs_metric_name(vs_metric metric);
int vs_metric_by_name(const char *name);

/* bit vectors have hamming and jaccard, all other types the other five. */
int vs_metric_takes(vs_metric metric, vsk_type type);

/*
 * Canonical distance between a and b, [dim] elements of `type` each; smaller is nearer.
 *
 *   l2       sqrt(sum (a-b)^2)       l2sq  the same without the root    l1  sum |a-b|
 *   cosine   1 - cos(a, b), 0 .. 2   dot   -(a.b)
 *   hamming  differing bits          jaccard  1 - |a and b| / |a or b|, 0 .. 1
 *
 * Same bits on every machine. *out is set for VS_DIST_VALUE only. Never fails, never allocates.
 */
vs_dist_kind vs_distance(vs_metric metric, vsk_type type, const void *a, const void *b, size_t dim,
                         double *out);

/*
 * The same from canonical sums (vsk.h) that are known: `sum` is the sum of squared differences for
 * l2 and l2sq, the dot product for dot and cosine; the sums of squares of both vectors count for
 * cosine alone. Same bits as vs_distance.
 */
vs_dist_kind vs_distance_of_sums(vs_metric metric, double sum, double sumsq_a, double sumsq_b,
                                 double *out);

/* The similarity behind a distance: for dot the dot product, for cosine the cosine, -1 .. 1. Other
 * metrics have none. */
vs_dist_kind vs_similarity(vs_metric metric, vsk_type type, const void *a, const void *b,
                           size_t dim, double *out);

#endif
