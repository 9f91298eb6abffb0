/*
 * scorer.h - one query against rows: certified pruning in float32, then canonical distances.
 */
#ifndef VS_SCORER_H
#define VS_SCORER_H

#include "distance.h"
#include "value.h"

/*
 * A query made ready. The float32 rank kernels bound each row's distance from below; a row whose
 * bound is above the limit cannot be in the answer, and only the others cost a canonical distance.
 * See docs/DESIGN.md, "Rank bound".
 */
typedef struct vs_scorer {
    vs_metric metric;
    vsk_type type;
    size_t dim;
    const void *query;      /* borrowed: [dim] of `type` */
    const float *query_f32; /* the same values as float32; NULL where rows are scored in integers */
    vs_scratch memory;      /* owned: query_f32 when the type is not float32 */
    double query_norm;      /* |q|, canonical; 0 for bit vectors */
    double relative, absolute; /* error of a rank kernel: relative to the sum of the terms' absolute
                                  values, and added */
    double limit;              /* rows above it are not wanted */
    double rank_limit;         /* the same for l2sq and l1 ranks: prune when the rank is above */
} vs_scorer;

typedef enum vs_score_kind {
    VS_SCORE_VALUE,    /* *out is the canonical distance */
    VS_SCORE_PRUNED,   /* certainly above the limit */
    VS_SCORE_NULL,     /* no distance: a zero vector under cosine */
    VS_SCORE_NONFINITE /* the row holds NaN or infinity */
} vs_score_kind;

/*
 * Makes a scorer for `query`, whose elements were checked to be finite and stay valid as long as
 * the scorer. The limit starts at +infinity. Returns SQLITE_OK or SQLITE_NOMEM; free with
 * vs_scorer_free in either case.
 */
int vs_scorer_init(vs_scorer *scorer, vs_metric metric, const vs_vec *query);
void vs_scorer_free(vs_scorer *scorer);

/* From now on rows at a distance above `limit` may be answered with VS_SCORE_PRUNED. Rows at the
 * limit itself never are. */
void vs_scorer_set_limit(vs_scorer *scorer, double limit);

/* Scores one row: [dim] elements of the scorer's type, any alignment. */
vs_score_kind vs_scorer_row(const vs_scorer *scorer, const void *row, double *out);

/*
 * The pruning test alone, for ranks that were computed elsewhere (a tile of many queries): 1 when
 * the row is certainly above the limit.
 *
 *   rank       what the kernel of the metric gave: l2sq for l2 and l2sq, the sum for l1, the dot
 *              product for dot and cosine
 *   row_sumsq  for dot and cosine: the row's sum of squares, from a rank kernel or canonical;
 *              otherwise ignored
 */
int vs_scorer_prunes(const vs_scorer *scorer, double rank, double row_sumsq);

#endif
