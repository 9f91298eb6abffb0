/*
 * nearest.h - the nearest rows of a vecshard table: codes with bounds first, full vectors for what
 * is left.
 */
#ifndef VS_NEAREST_H
#define VS_NEAREST_H

#include "collector.h"
#include "options.h"
#include "rowset.h"

/* What searches did, beside vs_counters: rows that reached each step. */
typedef struct vs_cascade {
    int64_t scanned; /* rows whose front plane, plane B, or vector (in plain cells) was looked at */
    int64_t passed_p; /* of those in cells with a front plane, rows left after it */
    int64_t passed_b; /* rows left after plane B */
    int64_t passed_c; /* and after plane C */
    int64_t refined;  /* full vectors read, distances computed canonically */
} vs_cascade;

/* A search on one column; keeps memory from run to run. */
typedef struct vs_nearest vs_nearest;

/* metric: the column's own, or another that its stored type takes (then codes may not serve, and
 * full vectors are scanned). l2 and l2sq serve each other. */
int vs_nearest_new(vs_store *store, int vector, vs_metric metric, vs_nearest **out);
void vs_nearest_free(vs_nearest *nearest);

/* Where it computes: VS_DEVICE_AUTO unless told otherwise. */
void vs_nearest_set_device(vs_nearest *nearest, vs_device device);

/* The query: [dim] of the column's declared type, finite. Copied. */
int vs_nearest_set_query(vs_nearest *nearest, const vs_vec *query, vs_err *err);

/*
 * The `capacity` best rows that the filter and the conditions let pass, sorted by (distance,
 * rowid), into memory[0 .. *out_count). The same rows and distances as those of computing every
 * distance. Of the filter, norm_lo and norm_hi are obeyed too. No statement stays open. counters:
 * added to. SQLITE_INTERRUPT within 50 ms of sqlite3_interrupt.
 */
int vs_nearest_run(vs_nearest *nearest, const vs_filter *filter, const vs_conditions *conditions,
                   vsk_hit *memory, size_t capacity, size_t *out_count, vs_counters *counters,
                   vs_cascade *cascade, vs_err *err);

/*
 * The same for `count` queries, row after row in `queries` ([count][dim] of the declared type), at
 * once: hits [count][k], counts [count].
 */
int vs_nearest_batch(vs_nearest *nearest, const void *queries, size_t count,
                     const vs_filter *filter, const vs_conditions *conditions, size_t k,
                     vsk_hit *hits, size_t *counts, vs_counters *counters, vs_cascade *cascade,
                     vs_err *err);

/* Rows and time as the planner guesses them: microseconds of a search for k rows of `rows` (all:
 * NULL conditions). */
double vs_nearest_cost(const vs_vector_spec *spec, double rows, double k);

#endif
