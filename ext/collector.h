/*
 * collector.h - keeps the k best rows of those that a search reads.
 */
#ifndef VS_COLLECTOR_H
#define VS_COLLECTOR_H

#include "metrics.h"
#include "rows.h"
#include "scorer.h"

/* Which rows may enter, beside being near. */
typedef struct vs_filter {
    double distance_lo,
        distance_hi; /* closed range; an open end is moved by one floating-point number */
    int has_after;   /* only rows that come after this (distance, id) */
    double after_distance;
    int64_t after_id;
    int has_ids;        /* only rows whose id is in the list */
    const int64_t *ids; /* borrowed: rising, no duplicates */
    size_t id_count;
    double norm_lo, norm_hi; /* norm band; -infinity .. +infinity without one */
} vs_filter;

/* A filter that lets every row pass. */
void vs_filter_init(vs_filter *filter);
int vs_filter_has_id(const vs_filter *filter, int64_t id);
/* Rows at a distance below it do not pass. */
double vs_filter_floor(const vs_filter *filter);

typedef struct vs_collector {
    vs_scorer *scorer;       /* borrowed */
    const vs_filter *filter; /* borrowed */
    vsk_topk topk;           /* memory borrowed */
    vs_counters *counters;   /* borrowed */
} vs_collector;

/* Starts collecting the `capacity` best rows into memory[capacity]; sets the scorer's limit from
 * the filter. */
void vs_collector_start(vs_collector *collector, vs_scorer *scorer, const vs_filter *filter,
                        vsk_hit *memory, size_t capacity, vs_counters *counters);

/* Offers the current row of `rows`. SQLITE_OK, or the error for a NaN element when bad rows are
 * errors. */
int vs_collector_offer(vs_collector *collector, vs_rows *rows, vs_err *err);

/* Offers a canonical distance that was computed elsewhere, for a row that passes the filter's ids
 * and norms. */
void vs_collector_push(vs_collector *collector, double distance, int64_t id);

/* Forgets the collected rows but not their bound: rows beyond the k-th best so far stay unwanted.
 * For starting over another way. */
void vs_collector_restart(vs_collector *collector);

#endif
