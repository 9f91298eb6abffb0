/*
 * front.h - the front plane: rows as projections on directions learned from the table, and the
 * bound on the distance that follows. Scanned before the codes where data lies close to a few
 * directions; docs/DESIGN.md, "Front plane", has the proof.
 *
 * It is made from codes that are in memory, and kept in memory alone: nothing of it is in a file.
 * Bounds hold for every basis; only the share of rows that pass depends on what was learned.
 */
#ifndef VS_FRONT_H
#define VS_FRONT_H

#include "../kernels/front.h"
#include "probe.h"
#include "view.h"

/* Directions V_j = units[j] * values_j in the rotated space of one description of codes. Immutable,
 * one allocation. */
typedef struct vs_basis {
    vs_cached base;
    uint64_t serial; /* of the process's bases, from 1 */
    uint64_t code_id;
    size_t code_dim;
    size_t m;       /* directions: a multiple of VSK_FRONT_STEP */
    double delta;   /* |V V' - I| is at most this */
    double length;  /* of a usual row; not 0 */
    double *units;  /* [m] */
    double *scales; /* [m]: a projection k in 8 bits stands for k * scale; not 0 */
    float *values;  /* [m][code_dim] whole numbers: 254 * high + low */
    int64_t *sums;  /* [m] of the values */
    int8_t *high;   /* [m][code_dim] */
    int8_t *low;    /* [m][code_dim] */
} vs_basis;

#define VS_BASIS_VALUE_MAX 32258 /* 127 * 254: both planes within -127 .. 127 */

/*
 * A basis of the m directions [m][code_dim] at `directions`, which need not be unit vectors.
 * scales[m] as above. SQLITE_OK; SQLITE_NOMEM; SQLITE_ERROR when the directions are no basis (not
 * finite, or far from orthogonal), or scales or length are not within 2^-50 .. 2^60 and 2^-30 ..
 * 2^60.
 */
int vs_basis_new(const float *directions, size_t m, size_t code_dim, uint64_t code_id,
                 const double *scales, double length, vs_basis **out);

/* One cell. Immutable. Arrays are [rows], its slots. t is NaN where there is no bound. */
struct vs_front {
    vs_cached base;
    vs_basis *basis; /* one reference */
    size_t slots;
    uint64_t has[VS_SLOTS_MAX / 64]; /* the block's */
    float *t, *rest, *g; /* |x~|^2; length outside of the basis; |x - x~| is at most g */
    int8_t *projections; /* layout of kernels/front.h */
};

size_t vs_front_bytes(const vs_basis *basis, size_t slots);

/* From the beginning of a plane to its projections: what tells which rows it has, and their terms. */
size_t vs_front_projections_at(size_t slots);

/* The front plane of a coded block in memory, whose codes have the basis's description; slots are a
 * multiple of VSK_FRONT_ROWS. NULL without memory. */
vs_front *vs_front_new(vs_basis *basis, const vs_block *block);

/* A query made ready. */
typedef struct vs_front_query {
    int is_usable;
    double error;  /* |q~ - its exact projection and rest| is at most this */
    double square; /* |q~|^2 */
    double length; /* |q| */
    int16_t w[VSK_FRONT_MAX];
    vsk_front_test test; /* for the limit set last */
} vs_front_query;

/* probe, direction: the query's probe for the same codes, and its rotated direction [code_dim], as
 * vs_probe_init left it in its scratch. The limit starts at +infinity. */
void vs_front_query_init(vs_front_query *query, const vs_basis *basis, const vs_probe *probe,
                         const float *direction);

/* Rows whose distance is certainly above the limit may be dropped by query->test from now on. */
void vs_front_query_set_limit(vs_front_query *query, const vs_probe *probe, double limit);

/*
 * What the distance of a row seems to be: rising with it, in a unit of its own, without bounds. What
 * lies outside of the basis counts as orthogonal. NaN where the row has none. The test drops rows
 * whose estimate is above `worst` by more than rounding.
 */
double vs_front_estimate(const vs_front_query *query, const vs_front *front, size_t row,
                         int32_t dot);
vsk_front_test vs_front_estimate_test(const vs_front_query *query, double worst);

#endif
