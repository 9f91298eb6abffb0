/*
 * metrics.c - counters per table and operation, and progress of running work.
 *
 * Counters: a small array per connection, searched from the front; a search finds its entry once.
 * Jobs: one fixed table for the process behind a spin lock, held for the copying of a row or of the
 * table, never while SQLite is called.
 *
 * Calls: nothing.
 * Called by: conn.c, search.c, batch.c, vtab_stats.c.
 * Threads: counters as their connection, jobs any.
 */
#if !defined(_POSIX_C_SOURCE) && !defined(_WIN32)
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#endif
#include "metrics.h"

#include <stdatomic.h>
#include <time.h>

int64_t vs_metrics_now_ns(void)
{
    struct timespec now = {0, 0};
#if defined(CLOCK_MONOTONIC)
    clock_gettime(CLOCK_MONOTONIC, &now);
#else
    timespec_get(&now, TIME_UTC);
#endif
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- Counters -------------------------------------------------------------------------------- */

static const char *const metrics_others = "(others)";

static vs_metrics_entry *metrics_find(vs_metrics *metrics, const char *target,
                                      const char *operation, const char *strategy)
{
    for (size_t i = 0; i < metrics->count; i++) {
        vs_metrics_entry *entry = &metrics->entries[i];
        if (strcmp(entry->target, target) == 0 && strcmp(entry->operation, operation) == 0 &&
            strcmp(entry->strategy, strategy) == 0) {
            return entry;
        }
    }
    return NULL;
}

/* A new entry with zero counters, or NULL without memory. */
static vs_metrics_entry *metrics_append(vs_metrics *metrics, const char *target,
                                        const char *operation, const char *strategy)
{
    if (metrics->count == metrics->capacity) {
        size_t capacity = metrics->capacity == 0 ? 8 : 2 * metrics->capacity;
        vs_metrics_entry *entries = sqlite3_realloc64(metrics->entries, capacity * sizeof *entries);
        if (entries == NULL) {
            return NULL;
        }
        metrics->entries = entries;
        metrics->capacity = capacity;
    }
    char *copy = sqlite3_mprintf("%s", target);
    if (copy == NULL) {
        return NULL;
    }
    vs_metrics_entry *entry = &metrics->entries[metrics->count++];
    *entry = (vs_metrics_entry){.target = copy, .operation = operation, .strategy = strategy};
    return entry;
}

static void metrics_sum(vs_counters *total, const vs_counters *counters)
{
    total->calls += counters->calls;
    total->rows_read += counters->rows_read;
    total->rows_scanned += counters->rows_scanned;
    total->rows_passed_p += counters->rows_passed_p;
    total->rows_passed_b += counters->rows_passed_b;
    total->rows_passed_c += counters->rows_passed_c;
    total->rows_finished += counters->rows_finished;
    total->rows_skipped += counters->rows_skipped;
    total->rows_returned += counters->rows_returned;
    total->fallbacks += counters->fallbacks;
    total->time_ns += counters->time_ns;
    total->gpu_queries += counters->gpu_queries;
    total->gpu_survivors += counters->gpu_survivors;
    total->gpu_fallbacks += counters->gpu_fallbacks;
    total->gpu_fallbacks_budget += counters->gpu_fallbacks_budget;
    total->gpu_fallbacks_stale += counters->gpu_fallbacks_stale;
    total->gpu_fallbacks_txn += counters->gpu_fallbacks_txn;
    total->gpu_fallbacks_error += counters->gpu_fallbacks_error;
    total->gpu_upload_bytes += counters->gpu_upload_bytes;
    total->gpu_us += counters->gpu_us;
}

void vs_metrics_add(vs_metrics *metrics, const char *target, const char *operation,
                    const char *strategy, const vs_counters *counters)
{
    vs_metrics_entry *entry = metrics_find(metrics, target, operation, strategy);
    if (entry == NULL && metrics->count >= VS_METRICS_MAX) {
        /* Few pairs of operation and strategy exist, so this adds few entries beyond the limit. */
        target = metrics_others;
        entry = metrics_find(metrics, target, operation, strategy);
    }
    if (entry == NULL) {
        entry = metrics_append(metrics, target, operation, strategy);
    }
    if (entry != NULL) {
        metrics_sum(&entry->counters, counters);
        metrics->last = (size_t)(entry - metrics->entries);
        metrics->last_did = *counters;
    }
}

void vs_metrics_free(vs_metrics *metrics)
{
    for (size_t i = 0; i < metrics->count; i++) {
        sqlite3_free(metrics->entries[i].target);
    }
    sqlite3_free(metrics->entries);
    memset(metrics, 0, sizeof *metrics);
}

/* ---- Jobs ------------------------------------------------------------------------------------ */

static atomic_flag metrics_lock = ATOMIC_FLAG_INIT;
static vs_job_row metrics_jobs[VS_JOBS_MAX]; /* under the lock; id 0: free */
static int64_t metrics_last_id;              /* under the lock */

static void metrics_enter(void)
{
    while (atomic_flag_test_and_set_explicit(&metrics_lock, memory_order_acquire)) {
    }
}

static void metrics_leave(void)
{
    atomic_flag_clear_explicit(&metrics_lock, memory_order_release);
}

/* Copies as much of a text as fits, terminated, and cut between characters of UTF-8. */
static void metrics_copy(char *out, size_t capacity, const char *text)
{
    size_t n = strlen(text);
    if (n >= capacity) {
        n = capacity - 1;
        while (n > 0 && ((unsigned char)text[n] & 0xc0u) == 0x80u) {
            n--;
        }
    }
    memcpy(out, text, n);
    out[n] = '\0';
}

static int metrics_free_slot(void)
{
    for (int slot = 0; slot < VS_JOBS_MAX; slot++) {
        if (metrics_jobs[slot].id == 0) {
            return slot;
        }
    }
    return -1;
}

int vs_job_begin(const char *name, const char *target, const char *phase, int64_t total)
{
    vs_job_row job;
    memset(&job, 0, sizeof job);
    metrics_copy(job.name, sizeof job.name, name);
    metrics_copy(job.target, sizeof job.target, target);
    metrics_copy(job.phase, sizeof job.phase, phase);
    job.total = total;
    job.started_ns = vs_metrics_now_ns();
    metrics_enter();
    int slot = metrics_free_slot();
    if (slot >= 0) {
        job.id = ++metrics_last_id;
        metrics_jobs[slot] = job;
    }
    metrics_leave();
    return slot;
}

void vs_job_progress(int slot, int64_t done)
{
    if (slot >= 0) {
        metrics_enter();
        metrics_jobs[slot].done = done;
        metrics_leave();
    }
}

void vs_job_end(int slot)
{
    if (slot >= 0) {
        metrics_enter();
        metrics_jobs[slot].id = 0;
        metrics_leave();
    }
}

size_t vs_job_snapshot(vs_job_row out[VS_JOBS_MAX])
{
    size_t count = 0;
    metrics_enter();
    for (int slot = 0; slot < VS_JOBS_MAX; slot++) {
        if (metrics_jobs[slot].id != 0) {
            out[count++] = metrics_jobs[slot];
        }
    }
    metrics_leave();
    for (size_t i = 1; i < count; i++) { /* insertion sort by id, the order of beginning */
        vs_job_row job = out[i];
        size_t at = i;
        for (; at > 0 && out[at - 1].id > job.id; at--) {
            out[at] = out[at - 1];
        }
        out[at] = job;
    }
    return count;
}
