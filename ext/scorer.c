/*
 * scorer.c - one query against rows: certified pruning in float32, then canonical distances.
 *
 * A rank kernel's result r differs from the exact s by at most g*S + a, where S is the sum of the
 * terms' absolute values (vsk.h). The canonical distance itself is within 1e-12 relative of the
 * exact one: at most 65,536/16 additions per lane and four folds, each with relative error 2^-53,
 * give 4.6e-13. Hence, with h = g + 1e-12:
 *
 *   l2, l2sq, l1   S = s >= 0, so r > L (1 + h) + a, with L the limit in the rank's unit, implies s
 *                  > L
 *   dot            S <= |q||x|, so -(r + h|q||x| + a) > limit implies that the distance -s is above
 *                  the limit
 *   cosine         the same with the limit (1 - limit) |q||x| on the dot product
 *
 * |x| comes from the kernel's own sum of squares, widened by the same bound. Anything not finite
 * prunes nothing: every test is written so that a NaN or an infinity makes it false.
 *
 * Calls: kernels, distance.c, value.c.
 * Called by: collector.c, search.c, batch.c.
 * Threads: any, one scorer each.
 * Source: the error bound is Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition,
 *     2002, chapter 3.
 */
#include "scorer.h"

#include <math.h>

#define SCORER_CANONICAL_ERROR 1e-12
#define SCORER_SQUARE_MARGIN 1e-8 /* of comparisons by squares */

static int scorer_has_rank(vsk_type type)
{
    return type == VSK_F32 || type == VSK_F16 ||
           type == VSK_BF16; /* int8 and bit are exact in integers already */
}

int vs_scorer_init(vs_scorer *scorer, vs_metric metric, const vs_vec *query)
{
    const vsk_table *kernels = vsk_get();
    double m = (double)query->dim + 8.0;
    double u = ldexp(1.0, -24);
    memset(scorer, 0, sizeof *scorer);
    scorer->metric = metric;
    scorer->type = query->type;
    scorer->dim = query->dim;
    scorer->query = query->data;
    scorer->relative = m * u / (1.0 - m * u) + SCORER_CANONICAL_ERROR;
    scorer->absolute = m * ldexp(1.0, -126);
    if (query->type != VSK_BIT) {
        scorer->query_norm = sqrt(kernels->sumsq[query->type](query->data, query->dim));
    }
    if (scorer_has_rank(query->type)) {
        /* Also for float32: the kernels take an aligned query. */
        float *copy = vs_scratch_get(&scorer->memory, query->dim * sizeof *copy);
        if (copy == NULL) {
            return SQLITE_NOMEM;
        }
        if (query->type == VSK_F32) {
            memcpy(copy, query->data, query->dim * sizeof *copy);
        } else {
            kernels->to_f32[query->type](query->data, copy, query->dim);
        }
        scorer->query_f32 = copy;
    }
    vs_scorer_set_limit(scorer, INFINITY);
    return SQLITE_OK;
}

void vs_scorer_free(vs_scorer *scorer)
{
    vs_scratch_free(&scorer->memory);
    scorer->query_f32 = NULL;
}

void vs_scorer_set_limit(vs_scorer *scorer, double limit)
{
    double in_rank_unit =
        scorer->metric == VS_L2 ? limit * limit * (1.0 + SCORER_CANONICAL_ERROR) : limit;
    scorer->limit = limit;
    scorer->rank_limit = in_rank_unit * (1.0 + scorer->relative) + scorer->absolute;
    if (limit <
        0.0) { /* no distance of these metrics is negative; keep the square from turning the sign */
        scorer->rank_limit = -1.0;
    }
}

/*
 * dot: -(r + h|q||x| + a) > limit, with t = -limit - a - r and |x| at its largest: t > h|q||x|.
 * Compared by squares: a root and a division per row would cost more than the kernel. The margin
 * pays for the rounding of t, which may cancel.
 */
static int scorer_dot_prunes(const vs_scorer *scorer, double rank, double row_sumsq)
{
    double h = scorer->relative;
    double a = scorer->absolute;
    double t = -scorer->limit - a - rank;
    double reach = h * scorer->query_norm;
    return t > 0.0 &&
           t * t * (1.0 - h) > reach * reach * (row_sumsq + a) * (1.0 + SCORER_SQUARE_MARGIN);
}

/*
 * cosine: r + a < c|x| for every |x| possible, with c = (1 - limit - 2h)|q|: for the smallest when
 * c is positive, for the largest when it is negative. By squares again.
 */
static int scorer_cosine_prunes(const vs_scorer *scorer, double rank, double row_sumsq)
{
    double h = scorer->relative;
    double a = scorer->absolute;
    double r = rank + a;
    double c = (1.0 - scorer->limit - 2.0 * h) * scorer->query_norm;
    if (c > 0.0) {
        return r < 0.0 || (row_sumsq > a && r * r * (1.0 + h) * (1.0 + SCORER_SQUARE_MARGIN) <
                                                c * c * (row_sumsq - a));
    }
    return r < 0.0 && r * r * (1.0 - h) > c * c * (row_sumsq + a) * (1.0 + SCORER_SQUARE_MARGIN);
}

int vs_scorer_prunes(const vs_scorer *scorer, double rank, double row_sumsq)
{
    /* An infinite rank may be an overflow of partial sums. */
    if (!(scorer->limit < INFINITY) || !(fabs(rank) <= FLT_MAX)) {
        return 0;
    }
    switch (scorer->metric) {
    case VS_L2:
    case VS_L2SQ:
    case VS_L1:
        return rank > scorer->rank_limit;
    case VS_DOT:
        return row_sumsq <= FLT_MAX && scorer_dot_prunes(scorer, rank, row_sumsq);
    case VS_COSINE:
        return row_sumsq <= FLT_MAX && scorer_cosine_prunes(scorer, rank, row_sumsq);
    default:
        return 0;
    }
}

/* Bounds the row by a rank kernel and the limit. */
static int scorer_rank_prunes(const vs_scorer *scorer, const void *row)
{
    const vsk_table *kernels = vsk_get();
    float rank = 0.0F;
    float sumsq = 0.0F;
    switch (scorer->metric) {
    case VS_L2:
    case VS_L2SQ:
        kernels->rank_l2sq[scorer->type](scorer->query_f32, row, 0, 1, scorer->dim, &rank);
        break;
    case VS_L1:
        kernels->rank_l1[scorer->type](scorer->query_f32, row, 0, 1, scorer->dim, &rank);
        break;
    default:
        kernels->rank_dot_sumsq[scorer->type](scorer->query_f32, row, 0, 1, scorer->dim, &rank,
                                              &sumsq);
        break;
    }
    return vs_scorer_prunes(scorer, (double)rank, (double)sumsq);
}

vs_score_kind vs_scorer_row(const vs_scorer *scorer, const void *row, double *out)
{
    if (scorer->query_f32 != NULL && scorer->limit < INFINITY && scorer_rank_prunes(scorer, row)) {
        return VS_SCORE_PRUNED;
    }
    switch (vs_distance(scorer->metric, scorer->type, row, scorer->query, scorer->dim, out)) {
    case VS_DIST_VALUE:
        return *out > scorer->limit ? VS_SCORE_PRUNED : VS_SCORE_VALUE;
    case VS_DIST_NULL:
        return VS_SCORE_NULL;
    default:
        return VS_SCORE_NONFINITE;
    }
}
