/*
 * norm_profile.h - how the norms of a column are distributed, sampled, and what an index on them
 * would save.
 *
 * A profile steers the choice of a strategy and nothing else: an old or unlucky one costs time,
 * never an answer. That is why it may be kept on the connection while the table changes.
 */
#ifndef VS_NORM_PROFILE_H
#define VS_NORM_PROFILE_H

#include "id_map.h"
#include "rows.h"

#define VS_PROFILE_SAMPLES 256 /* rows sampled, evenly over the ids */
/* sampled vectors that stand in for queries, which the planner does not know */
#define VS_PROFILE_QUERIES 8
#define VS_PROFILE_ESTIMATES 8 /* answers remembered */
#define VS_PROFILES_MAX 8      /* tables remembered by a connection */

typedef struct vs_profile_estimate {
    char index[VS_NAME_BYTES_MAX + 1];
    vs_metric metric;
    int64_t k;
    double fraction;
} vs_profile_estimate;

typedef struct vs_profile {
    char *key;                        /* owned: schema, table, column, element type */
    int64_t lo, hi;                   /* ids at the time of sampling */
    size_t count;                     /* samples */
    double norms[VS_PROFILE_SAMPLES]; /* of the samples, rising */
    size_t query_count;
    int64_t query_ids[VS_PROFILE_QUERIES];
    double query_norms[VS_PROFILE_QUERIES];
    unsigned char *queries; /* owned: [query_count] vectors */
    vs_profile_estimate estimates[VS_PROFILE_ESTIMATES];
    size_t estimate_count; /* ever made; the oldest is overwritten */
} vs_profile;

typedef struct vs_profile_cache {
    vs_profile *profiles[VS_PROFILES_MAX]; /* owned */
    size_t next;                           /* slot to reuse */
} vs_profile_cache;

void vs_profile_cache_free(vs_profile_cache *cache);

/*
 * The profile of the target's column, from the cache unless the range of the ids has changed by
 * more than an eighth since. *out is borrowed from the cache, valid until the next call; NULL when
 * the table has no rows to sample.
 */
int vs_profile_get(vs_profile_cache *cache, const vs_target *target, const vs_rows_shape *shape,
                   vs_profile **out, vs_err *err);

/* Share of the rows, 0 .. 1, whose norm lies within lo .. hi. */
double vs_profile_fraction(const vs_profile *profile, double lo, double hi);

/*
 * Share of the rows that a search for k rows through `index` (which leads with the norm) would
 * read, averaged over sampled vectors taken as queries: their k-th best among the rows that the
 * index gives first, and the share of the rows that this bound leaves. metric: l2, l2sq or dot;
 * others cannot be pruned by norm: 1.
 */
int vs_profile_estimate_share(vs_profile *profile, const vs_target *target,
                              const vs_rows_shape *shape, const vs_index *index, vs_metric metric,
                              int64_t k, double *out, vs_err *err);

/* Share of the rows that satisfy the predicate of a partial index, from rows sampled by the map. */
int vs_profile_partial_share(const vs_target *target, const char *who, const vs_id_map *map,
                             const vs_index *index, double *out, vs_err *err);

#endif
