/*
 * codes.h - rows as codes with certified bounds: how they are made, and how a query meets them.
 *
 * A coded column lives in a `space` where distances are Euclidean or dot products:
 *   l2, l2sq   the vector itself;  z = x
 *   cosine     the unit vector;    z = x / |x|, and 1 - cos = |z_q - z_x|^2 / 2
 *   dot        the vector itself
 * With the anchor c: r = |z - c|, o = (z - c) / r; the code describes the rotated o.
 * docs/DESIGN.md, "Code bound", has the proof.
 */
#ifndef VS_CODES_H
#define VS_CODES_H

#include "format.h"
#include "value.h"

typedef struct vs_code {
    struct vs_code *next; /* list of the store */
    int vector;           /* number of the vector column */
    uint64_t id;
    size_t dim, code_dim;
    vsk_type type;    /* of the stored vectors */
    vs_metric metric; /* of the column */
    float *anchor;    /* [dim], in the same allocation */
} vs_code;

/* anchor NULL: zero. sqlite3_free frees it; NULL without memory. */
vs_code *vs_code_new(const vs_vector_spec *spec, int vector, uint64_t id, const float *anchor);

/* Lengths (of residuals and queries) for which bounds are computed: far from overflow and underflow
 * in float32, also squared. */
#define VS_CODE_LENGTH_MIN 0x1p-60
#define VS_CODE_LENGTH_MAX 0x1p+60
int vs_code_in_range(double length);

/*
 * A vector ([dim] of `type`) as a point of the space: out [dim]. Returns 0 for a zero vector under
 * cosine, else 1. Under cosine the elements are rounded to float32: the point is within 2^-24 of the
 * unit vector.
 */
int vs_code_to_space(const vs_code *code, vsk_type type, const void *vector, float *out);

/* Codes one row into coarse [coarse_bytes] and fine [fine_bytes] (vs_geometry). vector: [dim] of
 * code->type, finite, or NULL for SQL NULL. scratch: [code_dim] floats. Never fails; the same bytes on
 * every machine. A zero vector under cosine gets VS_CODE_HAS_VECTOR cleared: it can be in no answer. */
void vs_code_row(const vs_code *code, int64_t rowid, const void *vector, float *scratch,
                 uint8_t *coarse, uint8_t *fine);

/*
 * The mean of `count` vectors, for an anchor: add each, then finish. sum: [dim] doubles, zeroed by
 * the caller. Deterministic. Under cosine, unit vectors are averaged. Elements whose mean is no
 * normal float become 0.
 */
void vs_code_mean_add(const vs_code *code, const void *vector, float *scratch, double *sum);
void vs_code_mean_finish(const vs_code *code, const double *sum, int64_t count, float *out_anchor);

#endif
