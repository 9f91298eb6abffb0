/*
 * collector.c - keeps the k best rows of those that a search reads.
 *
 * The scorer's limit follows the k-th best distance, so that ever more rows are pruned by their
 * float32 rank alone. Order is total: by distance, then by id.
 *
 * Calls: scorer.c, rows.c, kernels (top-k).
 * Called by: normidx.c, search.c, batch.c, pushdown.c and vtab_search.c (filters).
 * Threads: the connection's.
 */
#include "collector.h"

#include <math.h>

void vs_filter_init(vs_filter *filter)
{
    memset(filter, 0, sizeof *filter);
    filter->distance_lo = -INFINITY;
    filter->distance_hi = INFINITY;
    filter->norm_lo = -INFINITY;
    filter->norm_hi = INFINITY;
}

double vs_filter_floor(const vs_filter *filter)
{
    return filter->has_after && filter->after_distance > filter->distance_lo
               ? filter->after_distance
               : filter->distance_lo;
}

int vs_filter_has_id(const vs_filter *filter, int64_t id)
{
    size_t lo = 0;
    size_t hi = filter->id_count;
    if (!filter->has_ids) {
        return 1;
    }
    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        if (filter->ids[middle] < id) {
            lo = middle + 1;
        } else {
            hi = middle;
        }
    }
    return lo < filter->id_count && filter->ids[lo] == id;
}

void vs_collector_start(vs_collector *collector, vs_scorer *scorer, const vs_filter *filter,
                        vsk_hit *memory, size_t capacity, vs_counters *counters)
{
    collector->scorer = scorer;
    collector->filter = filter;
    collector->counters = counters;
    vsk_topk_init(&collector->topk, memory, capacity);
    vs_scorer_set_limit(scorer, filter->distance_hi);
}

void vs_collector_restart(vs_collector *collector)
{
    collector->topk.count =
        0; /* the limit stays: it was the distance of k rows that will be found again */
}

void vs_collector_push(vs_collector *collector, double distance, int64_t id)
{
    const vs_filter *filter = collector->filter;
    if (distance < filter->distance_lo || distance > filter->distance_hi) {
        return;
    }
    if (filter->has_after && (distance < filter->after_distance ||
                              (distance == filter->after_distance && id <= filter->after_id))) {
        return;
    }
    vsk_topk_push(&collector->topk, distance, id);
    double worst = vsk_topk_worst(&collector->topk);
    if (worst < collector->scorer->limit) {
        vs_scorer_set_limit(collector->scorer, worst);
    }
}

/* Is the norm of the current row within the band? */
static int collector_in_band(const vs_collector *collector, const vs_rows *rows)
{
    const vs_filter *filter = collector->filter;
    if (filter->norm_lo == -INFINITY && filter->norm_hi == INFINITY) {
        return 1;
    }
    double norm = sqrt(vsk_get()->sumsq[rows->shape.type](rows->data, rows->shape.dim));
    return !(norm < filter->norm_lo ||
             norm > filter->norm_hi); /* NaN passes, to be found by the scorer */
}

int vs_collector_offer(vs_collector *collector, vs_rows *rows, vs_err *err)
{
    double distance;
    if (!vs_filter_has_id(collector->filter, rows->id) || !collector_in_band(collector, rows)) {
        return SQLITE_OK;
    }
    switch (vs_scorer_row(collector->scorer, rows->data, &distance)) {
    case VS_SCORE_VALUE:
        collector->counters->rows_finished++;
        vs_collector_push(collector, distance, rows->id);
        return SQLITE_OK;
    case VS_SCORE_NONFINITE:
        return vs_rows_bad(rows, err);
    default:
        return SQLITE_OK;
    }
}
