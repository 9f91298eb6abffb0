/*
 * metrics.h - counters per table and operation, and progress of running work.
 *
 * Counters belong to a connection and are rows of vec_stats. Jobs belong to the process and are
 * rows of vec_jobs, readable from every connection.
 */
#ifndef VS_METRICS_H
#define VS_METRICS_H

#include "error.h"

/* What one search did; added up per (table.column, operation, strategy). */
typedef struct vs_counters {
    int64_t calls;
    int64_t rows_read;     /* vectors read from the table */
    int64_t rows_finished; /* of those, distances computed in canonical arithmetic */
    int64_t rows_skipped;  /* bad rows passed over by "bad_rows":"skip" */
    int64_t rows_returned;
    int64_t fallbacks; /* searches that left their index for one pass because it did not prune */
    int64_t time_ns;
    /* vecshard tables: rows whose codes, or vectors where there are none, were looked at; of those,
     * left after plane B; and after plane C */
    int64_t rows_scanned, rows_passed_p, rows_passed_b, rows_passed_c;
    /* queries that the GPU answered, the rows it left for them, and queries that it was asked for in
     * vain, in all and for some reasons (gpu.h); bytes sent to it; time until its answers came */
    int64_t gpu_queries, gpu_survivors;
    int64_t gpu_fallbacks, gpu_fallbacks_budget, gpu_fallbacks_stale, gpu_fallbacks_txn,
        gpu_fallbacks_error;
    int64_t gpu_upload_bytes, gpu_us;
    int64_t gpu_reason; /* vs_gpu_reason of the last search: not added up */
} vs_counters;

typedef struct vs_metrics_entry {
    char *target;          /* owned: "docs.embedding" */
    const char *operation; /* static: "vec_search", "vec_search_batch" */
    const char *strategy;  /* static: "pass", "norm index", ... */
    vs_counters counters;
} vs_metrics_entry;

typedef struct vs_metrics {
    vs_metrics_entry *entries; /* owned */
    size_t count, capacity;
    size_t last;          /* entry of the search that was counted last, if there is any */
    vs_counters last_did; /* what it did */
} vs_metrics;

/* entries of one connection; further targets are counted under "(others)" */
#define VS_METRICS_MAX 1000

/* Adds to the entry of (target, operation, strategy), making it on first use. Without memory the
 * numbers are dropped: statistics never fail a search. */
void vs_metrics_add(vs_metrics *metrics, const char *target, const char *operation,
                    const char *strategy, const vs_counters *counters);
void vs_metrics_free(vs_metrics *metrics);

int64_t vs_metrics_now_ns(void); /* monotonic clock */

/*
 * Jobs: a slot of a fixed, process-wide table. vs_job_begin returns a slot, or -1 when all are
 * taken (then the work simply is not shown); the other calls accept -1. Any thread.
 */
#define VS_JOBS_MAX 64
typedef struct vs_job_row {
    int64_t id; /* counts from 1 in this process */
    char name[64];
    char target[2 * VS_NAME_BYTES_MAX + 2];
    char phase[32];
    int64_t done, total; /* rows; total is an estimate, 0 when unknown */
    int64_t started_ns;
} vs_job_row;

int vs_job_begin(const char *name, const char *target, const char *phase, int64_t total);
void vs_job_progress(int slot, int64_t done);
void vs_job_end(int slot);
size_t vs_job_snapshot(vs_job_row out[VS_JOBS_MAX]); /* rows of running jobs, oldest first */

#endif
