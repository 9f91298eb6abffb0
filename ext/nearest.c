/*
 * nearest.c - the nearest rows of a vecshard table.
 *
 * A search takes the view of the table's present state, scans its cells (nearest_scan.c) and
 * refines: what the scan left is taken by rising lower bound, its full vectors are read, its
 * canonical distances computed, until the next lower bound is beyond the k-th best distance. So the
 * answer is that of computing every distance; only few full vectors are read for it.
 *
 * A search by a metric that the codes do not serve, or within a norm band, reads all full vectors.
 *
 * An index over a content table finds rows there by rowid. One that is gone (replaced without a
 * trigger firing) is excluded, and the search repeated, for its bounds had counted for the limit.
 *
 * Calls: nearest_prepare.c, nearest_scan.c, nearest_gpu.c, view.c, view_front.c, front_learn.c, rowset.c,
 * distance.c, pool.c, store.c, content.c, poll.c.
 * Called by: vtab_index.c, search.c, batch.c.
 * Threads: the connection's; the scan on those of the pool.
 */
#include "nearest_impl.h"

#include "content.h"
#include "poll.h"

#include <math.h>
#include <stdlib.h>

#define NEAREST_POLL_ROWS 64 /* full vectors read between two looks for an interrupt */
#define NEAREST_BATCH_LANE_BYTES                                                                   \
    (32 << 20) /* memory for the candidates of the queries of one scan */
#define NEAREST_BATCH_DOT_BYTES (32 << 20) /* and for run->products */
#define NEAREST_BATCH_MAX 64               /* queries of one scan */

/* ---- life ------------------------------------------------------------------------------------ */

int vs_nearest_new(vs_store *store, int vector, vs_metric metric, vs_nearest **out)
{
    vs_nearest *nearest = sqlite3_malloc64(sizeof *nearest);
    *out = nearest;
    if (nearest == NULL) {
        return SQLITE_NOMEM;
    }
    memset(nearest, 0, sizeof *nearest);
    nearest->store = store;
    nearest->vector = vector;
    nearest->metric = metric;
    nearest->spec = &store->declaration.vectors[vector];
    return SQLITE_OK;
}

void vs_nearest_free(vs_nearest *nearest)
{
    if (nearest == NULL) {
        return;
    }
    vs_scratch_free(&nearest->query);
    vs_scratch_free(&nearest->stored);
    vs_scratch_free(&nearest->widened);
    vs_scratch_free(&nearest->found);
    vs_cached_unref(nearest->block);
    sqlite3_finalize(nearest->poll);
    sqlite3_free(nearest->excluded);
    sqlite3_free(nearest);
}

void vs_nearest_set_device(vs_nearest *nearest, vs_device device)
{
    nearest->device = device;
}

int vs_nearest_set_query(vs_nearest *nearest, const vs_vec *query, vs_err *err)
{
    size_t bytes = vsk_bytes(nearest->spec->type, nearest->spec->dim);
    if (query->type != nearest->spec->type || query->dim != nearest->spec->dim) {
        return vs_error(
            err, SQLITE_ERROR, "%s.%s: the query has %lld elements of %s, not %lld of %s",
            nearest->store->label, nearest->store->declaration.columns[nearest->spec->column].name,
            (long long)query->dim, vsk_type_name(query->type), (long long)nearest->spec->dim,
            vsk_type_name(nearest->spec->type));
    }
    void *copy = vs_scratch_get(&nearest->query, bytes);
    if (copy == NULL) {
        return SQLITE_NOMEM;
    }
    memcpy(copy, query->data, bytes);
    return SQLITE_OK;
}

static int nearest_poll(void *arg)
{
    vs_nearest *nearest = arg;
    return vs_poll(nearest->store->db, &nearest->poll);
}

/* ---- the scan -------------------------------------------------------------------------------- */

/* Cells that are not in memory, and those that a full lane left. */
static int nearest_scan_rest(vs_nearest *nearest, nearest_run *run, vs_err *err)
{
    nearest_worker *worker = &run->workers[0];
    int64_t polled = vs_metrics_now_ns();
    size_t taken = atomic_load(&run->next[NEAREST_SCAN]);
    int rc = SQLITE_OK;
    for (size_t q = 0; q < run->query_count; q++) {
        worker->lanes[q].highs.count = 0; /* rows that are scanned again must not count twice; the
                                             limit so far stays */
    }
    for (size_t i = 0; i < run->view->cell_count && rc == SQLITE_OK; i++) {
        const vs_block *block = run->view->blocks[i];
        int is_left = block == NULL || i >= taken;
        for (int w = 1; w < run->worker_count; w++) {
            is_left |= run->workers[w].unfinished[i / 64] >> (i % 64) & 1;
        }
        if (!is_left || (run->rows != NULL && run->rows->cells[i] == 0)) {
            continue;
        }
        rc = vs_view_block(nearest->store, run->view, i, &nearest->block, &block, err);
        if (rc == SQLITE_OK) {
            rc = vs_nearest_scan_block(run, worker, block, i, 1);
        }
        if (rc == SQLITE_OK && vs_metrics_now_ns() - polled > 1000000) {
            rc = nearest_poll(nearest);
            polled = vs_metrics_now_ns();
        }
    }
    return rc == SQLITE_OK ? vs_nearest_scan_pending(run, worker, 1) : rc;
}

static int nearest_scan(vs_nearest *nearest, nearest_run *run, vs_err *err)
{
    run->poll = nearest_poll;
    run->poll_arg = nearest;
    atomic_init(&run->next[NEAREST_ESTIMATE], 0);
    atomic_init(&run->next[NEAREST_SCAN], 0);
    atomic_init(&run->estimating, 0);
    atomic_init(&run->phase, vs_nearest_is_estimated(run) ? NEAREST_ESTIMATE : NEAREST_SCAN);
    if (!vs_nearest_is_estimated(run)) {
        vs_nearest_first_limit(run);
    }
    if (run->worker_count > 1) {
        vs_pool_run(run->worker_count, vs_nearest_scan_task, run);
    } else {
        vs_nearest_scan_task(run, 0);
    }
    return run->poll_rc == SQLITE_OK ? nearest_scan_rest(nearest, run, err) : run->poll_rc;
}

/* Full vectors of every wanted row: where codes do not serve. */
static int nearest_scan_full(vs_nearest *nearest, nearest_run *run, vs_err *err)
{
    int64_t polled = vs_metrics_now_ns();
    int rc = SQLITE_OK;
    for (size_t i = 0; i < run->view->cell_count && rc == SQLITE_OK; i++) {
        const vs_block *block = NULL;
        if (run->rows != NULL && run->rows->cells[i] == 0) {
            continue;
        }
        rc = vs_view_vectors(nearest->store, run->view, i, &nearest->block, &block, err);
        if (rc == SQLITE_OK) {
            rc = vs_nearest_scan_block(run, &run->workers[0], block, i, 1);
        }
        if (rc == SQLITE_OK && vs_metrics_now_ns() - polled > 1000000) {
            rc = nearest_poll(nearest);
            polled = vs_metrics_now_ns();
        }
    }
    return rc;
}

/* ---- refining -------------------------------------------------------------------------------- */

int vs_nearest_compare(const void *a, const void *b)
{
    const nearest_candidate *left = a, *right = b;
    if (left->lo != right->lo) {
        return left->lo < right->lo ? -1 : 1;
    }
    return left->rowid < right->rowid ? -1 : left->rowid > right->rowid;
}

/* The candidates of all workers for one query, by rising bound, each row once; in lane 0. */
static int nearest_merge(nearest_run *run, size_t query, nearest_lane **out)
{
    nearest_lane *all = &run->workers[0].lanes[query];
    double limit = atomic_load(&run->queries[query].limit);
    size_t total = 0;
    for (int w = 0; w < run->worker_count; w++) {
        nearest_lane *lane = &run->workers[w].lanes[query];
        lane->limit = limit;
        vs_nearest_lane_compact(lane);
        total += lane->count;
    }
    if (total > all->capacity) {
        nearest_candidate *grown = sqlite3_realloc64(all->candidates, total * sizeof *grown);
        if (grown == NULL) {
            return SQLITE_NOMEM;
        }
        all->candidates = grown;
        all->capacity = total;
    }
    for (int w = 1; w < run->worker_count; w++) {
        nearest_lane *lane = &run->workers[w].lanes[query];
        memcpy(all->candidates + all->count, lane->candidates,
               lane->count * sizeof *lane->candidates);
        all->count += lane->count;
    }
    qsort(all->candidates, all->count, sizeof *all->candidates, vs_nearest_compare);
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++) { /* a row found twice has the same bound twice */
        if (kept == 0 || all->candidates[i].rowid != all->candidates[kept - 1].rowid ||
            all->candidates[i].lo != all->candidates[kept - 1].lo) {
            all->candidates[kept++] = all->candidates[i];
        }
    }
    all->count = kept;
    *out = all;
    return SQLITE_OK;
}

static int nearest_exclude(vs_nearest *nearest, int64_t rowid)
{
    if (nearest->excluded_count == nearest->excluded_capacity) {
        size_t capacity = nearest->excluded_capacity == 0 ? 16 : 2 * nearest->excluded_capacity;
        int64_t *ids = sqlite3_realloc64(nearest->excluded, capacity * sizeof *ids);
        if (ids == NULL) {
            return SQLITE_NOMEM;
        }
        nearest->excluded = ids;
        nearest->excluded_capacity = capacity;
    }
    nearest->excluded[nearest->excluded_count++] = rowid;
    return SQLITE_OK;
}

/* Vectors of one row of t_vectors, shared by all connections. */
typedef struct nearest_group {
    vs_cached base;
    size_t bytes;
    uint8_t data[];
} nearest_group;

static int nearest_groups_are_alike(const void *a, const void *b)
{
    return ((const nearest_group *)a)->bytes == ((const nearest_group *)b)->bytes;
}

/* The group that holds a place, from the cache, or read and put there: *out has one reference. */
static int nearest_get_group(vs_nearest *nearest, const vs_cell *cell, int64_t loc,
                             nearest_group **out, vs_err *err)
{
    vs_store *store = nearest->store;
    size_t bytes = vs_store_group_bytes(store, nearest->vector);
    vs_cache_key key;
    memset(&key, 0, sizeof key);
    key.file = store->file_identity;
    memcpy(key.table, store->identity, sizeof key.table);
    memcpy(key.stamp, cell->stamp, sizeof key.stamp);
    key.id = (uint64_t)vs_store_group(store, nearest->vector, loc);
    key.kind = VS_CACHE_VECTORS;
    key.column = (uint32_t)nearest->vector;
    nearest_group *group = vs_cache_get(&key);
    if (group == NULL || group->bytes != bytes) {
        vs_cached_unref(group);
        group = vs_cached_new(sizeof *group + bytes, NULL);
        if (group == NULL) {
            return SQLITE_NOMEM;
        }
        group->bytes = bytes;
        vs_store_note_pages(store);
        int rc = vs_store_read_group(store, nearest->vector, loc, group->data, err);
        if (rc != SQLITE_OK) {
            vs_cached_unref(group);
            return rc;
        }
        group = vs_cache_put(&key, group, nearest_groups_are_alike);
    }
    *out = group;
    return SQLITE_OK;
}

/*
 * The full vector of a candidate in the type that users see: *out is inside of *group or of the
 * search's own memory; NULL for SQL NULL. *out_is_missing: the content table has no such row.
 */
static int nearest_vector(vs_nearest *nearest, nearest_run *run, const nearest_candidate *candidate,
                          nearest_group **group, const void **out, int *out_is_missing, vs_err *err)
{
    const vs_vector_spec *spec = nearest->spec;
    const vs_cell *cell = &run->view->cells[candidate->cell];
    int64_t loc = cell->id * (int64_t)run->view->slots + (int64_t)candidate->slot;
    int rc;
    if (run->is_content) {
        /* also where the index keeps the vectors: the row may be gone */
        *out = nearest->stored.memory;
        rc = vs_content_vector(nearest->store, nearest->vector, candidate->rowid,
                               nearest->stored.memory, out_is_missing, err);
    } else {
        rc = nearest_get_group(nearest, cell, loc, group, err);
        if (rc == SQLITE_OK) {
            rc = vs_store_group_vector(nearest->store, nearest->vector, loc, candidate->rowid,
                                       (*group)->data, out, err);
        }
    }
    if (rc == SQLITE_OK && *out != NULL && spec->stored != spec->type) {
        vs_view_widen(spec, *out, nearest->widened.memory);
        *out = nearest->widened.memory;
    }
    return rc;
}

/* The canonical distance of one candidate, from its full vector. *out_kind VS_DIST_NULL: not in the
 * answer. */
static int nearest_distance(vs_nearest *nearest, nearest_run *run, size_t query,
                            const nearest_candidate *candidate, double *out, vs_dist_kind *out_kind,
                            vs_err *err)
{
    const vs_vector_spec *spec = nearest->spec;
    nearest_group *group = NULL;
    const void *vector = NULL;
    int is_missing = 0;
    int rc = nearest_vector(nearest, run, candidate, &group, &vector, &is_missing, err);
    *out_kind = VS_DIST_NULL;
    if (rc == SQLITE_OK && is_missing) {
        return nearest_exclude(nearest, candidate->rowid);
    }
    if (rc == SQLITE_OK && vector == NULL) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: row %lld has a code and no vector",
                      nearest->store->label, (long long)candidate->rowid);
    }
    double norm_lo = run->filter->norm_lo, norm_hi = run->filter->norm_hi;
    double norm = 0.0;
    int has_band = norm_lo != -INFINITY || norm_hi != INFINITY;
    if (rc == SQLITE_OK && has_band) {
        norm = sqrt(vsk_get()->sumsq[spec->type](vector, spec->dim));
    }
    if (rc == SQLITE_OK && (!has_band || (norm >= norm_lo && norm <= norm_hi))) {
        *out_kind = vs_distance(nearest->metric, spec->type, run->queries[query].data, vector,
                                spec->dim, out);
    }
    vs_cached_unref(group);
    if (*out_kind == VS_DIST_NONFINITE) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: the vector of row %lld is not finite",
                      nearest->store->label, (long long)candidate->rowid);
    }
    return rc;
}

/* Fills the answer of one query from its candidates, which come by rising bound. */
static int nearest_refine(vs_nearest *nearest, nearest_run *run, size_t query,
                          const nearest_candidate *candidates, size_t count, vsk_topk *topk,
                          vs_counters *counters, vs_cascade *cascade, vs_err *err)
{
    const vs_filter *filter = run->filter;
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        const nearest_candidate *candidate = &candidates[i];
        double distance = candidate->lo;
        vs_dist_kind kind = VS_DIST_VALUE;
        if (candidate->lo > vsk_topk_worst(topk)) {
            break;
        }
        if (!(candidate->slot & NEAREST_EXACT)) {
            rc = nearest_distance(nearest, run, query, candidate, &distance, &kind, err);
            cascade->refined++;
            counters->rows_read++;
            counters->rows_finished++;
            if (rc == SQLITE_OK && i % NEAREST_POLL_ROWS == NEAREST_POLL_ROWS - 1) {
                rc = nearest_poll(nearest);
            }
        }
        if (rc == SQLITE_OK && kind == VS_DIST_VALUE &&
            vs_nearest_wants(filter, distance, candidate->rowid)) {
            vsk_topk_push(topk, distance, candidate->rowid);
        }
    }
    return rc;
}

/* ---- searches -------------------------------------------------------------------------------- */

/* Do the codes of the column bound distances of this metric? */
static int nearest_codes_serve(const vs_nearest *nearest, const vs_filter *filter)
{
    int is_cosine = nearest->metric == VS_COSINE;
    int has_band = filter->norm_lo != -INFINITY || filter->norm_hi != INFINITY;
    return vs_declare_is_coded(nearest->spec) && !has_band &&
           (is_cosine || nearest->metric == VS_L2 || nearest->metric == VS_L2SQ ||
            nearest->metric == VS_DOT) &&
           is_cosine == (nearest->spec->metric == VS_COSINE);
}

static int nearest_compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

/* Shows the first query to the view's learner. */
static void nearest_teach(const nearest_run *run, const vsk_hit *hits, size_t count, size_t k)
{
    int64_t scanned = 0, passed = 0;
    if (run->direction == NULL || run->offload != NULL || run->excluded_count > 0 ||
        run->floor != -INFINITY) {
        return;
    }
    for (int w = 0; w < run->worker_count; w++) {
        scanned += run->workers[w].cascade.scanned;
        passed += run->workers[w].cascade.passed_b;
    }
    vs_lesson lesson = {.view = run->view,
                        .probe = &run->queries[0].probes[run->learned_code],
                        .direction = run->direction,
                        .limit = count == k ? hits[k - 1].distance : INFINITY,
                        .passed_b = (double)passed / (double)(scanned > 0 ? scanned : 1)};
    vs_learner_take(run->view->learner, &lesson);
}

/* Scans what the CPU has to scan. */
static int nearest_scan_rows(vs_nearest *nearest, nearest_run *run, const void *queries, size_t k,
                             vs_err *err)
{
    nearest_scan_kind kind = nearest_codes_serve(nearest, run->filter) ? NEAREST_SCAN_CODES
                             : vs_declare_is_coded(nearest->spec)      ? NEAREST_SCAN_FULL
                                                                       : NEAREST_SCAN_PLAIN;
    if (run->offload != NULL && run->rows->rows == 0) {
        return vs_nearest_prepare_bare(run, queries);
    }
    int rc = vs_nearest_prepare(run, kind, queries, k, err);
    if (rc == SQLITE_OK) {
        rc = kind == NEAREST_SCAN_FULL ? nearest_scan_full(nearest, run, err)
                                       : nearest_scan(nearest, run, err);
    }
    return rc;
}

/* Adds up what the workers did. */
static int nearest_count(const vs_nearest *nearest, const nearest_run *run, vs_counters *counters,
                         vs_cascade *cascade, vs_err *err)
{
    int rc = SQLITE_OK;
    for (int w = 0; run->workers != NULL && rc == SQLITE_OK && w < run->worker_count; w++) {
        const nearest_worker *worker = &run->workers[w];
        cascade->scanned += worker->cascade.scanned;
        cascade->passed_p += worker->cascade.passed_p;
        cascade->passed_b += worker->cascade.passed_b;
        cascade->passed_c += worker->cascade.passed_c;
        counters->rows_finished += worker->finished;
        counters->rows_read += worker->finished;
        if (worker->is_corrupt) {
            rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: a stored vector is not finite",
                          nearest->store->label);
        }
    }
    return rc;
}

/* The rows that may be in the answer of one query, by rising bound. */
static int nearest_candidates(nearest_run *run, size_t query, const nearest_candidate **out,
                              size_t *out_count)
{
    nearest_lane *lane = NULL;
    int is_done = 1;
    *out = NULL;
    *out_count = 0;
    int rc = run->workers == NULL ? SQLITE_OK : nearest_merge(run, query, &lane);
    if (rc == SQLITE_OK && lane != NULL) {
        *out = lane->candidates;
        *out_count = lane->count;
    }
    if (rc == SQLITE_OK && run->offload != NULL) {
        rc = vs_nearest_offload_take(run->offload, run->first_query + query, *out, *out_count, out,
                                     out_count, &is_done);
        run->is_failed |= rc == SQLITE_OK && !is_done;
    }
    return rc;
}

/* One scan for some queries, and their answers; there are none with run->is_failed. */
static int nearest_attempt(vs_nearest *nearest, nearest_run *run, const void *queries, size_t k,
                           vsk_hit *hits, size_t *counts, vs_counters *counters,
                           vs_cascade *cascade, vs_err *err)
{
    int is_there = 1;
    int rc = nearest_scan_rows(nearest, run, queries, k, err);
    if (rc == SQLITE_OK) {
        rc = nearest_count(nearest, run, counters, cascade, err);
    }
    if (rc == SQLITE_OK && run->offload != NULL) {
        rc = vs_nearest_offload_wait(run->offload, &is_there);
        run->is_failed |= !is_there;
    }
    for (size_t q = 0; rc == SQLITE_OK && !run->is_failed && q < run->query_count; q++) {
        const nearest_candidate *candidates;
        size_t count;
        vsk_topk topk;
        vsk_topk_init(&topk, hits + q * k, k);
        rc = nearest_candidates(run, q, &candidates, &count);
        if (rc == SQLITE_OK) {
            rc = nearest_refine(nearest, run, q, candidates, count, &topk, counters, cascade, err);
        }
        if (rc == SQLITE_OK) {
            vsk_topk_sort(&topk);
            counts[q] = topk.count;
            counters->rows_returned += (int64_t)topk.count;
        }
    }
    if (rc == SQLITE_OK && !run->is_failed) {
        nearest_teach(run, hits, counts[0], k);
    }
    return rc;
}

/* Repeats attempts until none meets a row that is gone. With a GPU *out_done 0: there are no answers. */
static int nearest_search(vs_nearest *nearest, const vs_view *view, const vs_rowset *rows,
                          nearest_offload *offload, size_t first_query, const void *queries,
                          size_t count, const vs_filter *filter, size_t k, vsk_hit *hits,
                          size_t *counts, int *out_done, vs_counters *counters, vs_cascade *cascade,
                          vs_err *err)
{
    size_t excluded = 0;
    int rc = SQLITE_OK;
    nearest->excluded_count = 0;
    do {
        nearest_run run;
        memset(&run, 0, sizeof run);
        run.store = nearest->store;
        run.view = view;
        run.spec = nearest->spec;
        run.metric = nearest->metric;
        run.filter = filter;
        run.rows = rows;
        run.offload = offload;
        run.first_query = first_query;
        run.query_count = count;
        run.is_content = nearest->store->declaration.content != NULL;
        run.floor = vs_filter_floor(filter);
        excluded = nearest->excluded_count;
        if (excluded > 0) {
            qsort(nearest->excluded, excluded, sizeof *nearest->excluded, nearest_compare_ids);
        }
        run.excluded = nearest->excluded;
        run.excluded_count = excluded;
        rc = nearest_attempt(nearest, &run, queries, k, hits, counts, counters, cascade, err);
        *out_done = !run.is_failed;
        vs_nearest_free_run(&run);
    } while (rc == SQLITE_OK && nearest->excluded_count > excluded);
    return rc;
}

/* Rows that conditions and the filter's ids allow; *out NULL: all. */
static int nearest_rows(vs_nearest *nearest, const vs_view *view, const vs_filter *filter,
                        const vs_conditions *conditions, vs_rowset **out, vs_err *err)
{
    vs_rowset *allowed = NULL;
    int rc = vs_rowset_get(nearest->store, view, conditions, &allowed, err);
    *out = allowed;
    if (rc == SQLITE_OK && filter->has_ids) {
        *out = NULL;
        rc = vs_rowset_of_ids(nearest->store, view, filter->ids, filter->id_count, allowed, out,
                              err);
        vs_cached_unref(allowed);
    }
    return rc;
}

static int nearest_is_in_memory(const vs_view *view)
{
    for (size_t i = 0; view != NULL && i < view->cell_count; i++) {
        if (view->blocks[i] == NULL) {
            return 0;
        }
    }
    return 1;
}

/* Queries of one scan by the CPU, as far as memory goes. */
static size_t nearest_group_size(const vs_view *view, const vs_rowset *rows, size_t k)
{
    size_t wanted = k < (size_t)view->live ? k : (size_t)view->live;
    size_t lane_bytes = 4 * (wanted + NEAREST_CANDIDATES_MIN) * sizeof(nearest_candidate);
    size_t group = NEAREST_BATCH_LANE_BYTES / lane_bytes;
    size_t dots = NEAREST_BATCH_DOT_BYTES / (view->cell_count * view->slots * sizeof(int32_t));
    int has_products = vs_learner_basis(view->learner) != NULL || rows != NULL;
    group = has_products && dots < group ? dots : group;
    return group < 1 ? 1 : group > NEAREST_BATCH_MAX ? NEAREST_BATCH_MAX : group;
}

/* All queries, on the GPU as far as it holds the rows. */
static int nearest_answer(vs_nearest *nearest, const vs_view *view, const vs_rowset *rows,
                          const void *queries, size_t count, const vs_filter *filter, size_t k,
                          vsk_hit *hits, size_t *counts, vs_counters *counters, vs_cascade *cascade,
                          vs_err *err)
{
    size_t bytes = vsk_bytes(nearest->spec->type, nearest->spec->dim);
    size_t group = nearest_group_size(view, rows, k);
    nearest_offload offload;
    int rc = SQLITE_OK;
    int is_done = 1;
    vs_nearest_offload_begin(&offload, nearest, view, rows, queries, count, filter, k);
    for (size_t first = 0; first < count && rc == SQLITE_OK; first += group) {
        size_t n = count - first < group ? count - first : group;
        const unsigned char *these = (const unsigned char *)queries + first * bytes;
        int has_gpu = offload.search != NULL && is_done;
        if (has_gpu) {
            rc = nearest_search(nearest, view, offload.rest, &offload, first, these, n, filter, k,
                                hits + first * k, counts + first, &is_done, counters, cascade, err);
        }
        if (rc == SQLITE_OK && !(has_gpu && is_done)) {
            int unused;
            rc = nearest_search(nearest, view, rows, NULL, first, these, n, filter, k,
                                hits + first * k, counts + first, &unused, counters, cascade, err);
        }
    }
    int end = vs_nearest_offload_end(&offload, rc == SQLITE_OK, counters, err);
    return rc == SQLITE_OK ? end : rc;
}

int vs_nearest_batch(vs_nearest *nearest, const void *queries, size_t count,
                     const vs_filter *filter, const vs_conditions *conditions, size_t k,
                     vsk_hit *hits, size_t *counts, vs_counters *counters, vs_cascade *cascade,
                     vs_err *err)
{
    const vs_vector_spec *spec = nearest->spec;
    vs_view *view = NULL;
    vs_rowset *rows = NULL;
    size_t bytes = vsk_bytes(spec->type, spec->dim);
    memset(counts, 0, count * sizeof *counts);
    if (k == 0 || (filter->has_ids && filter->id_count == 0) ||
        filter->distance_lo > filter->distance_hi) {
        return SQLITE_OK;
    }
    if (!nearest_codes_serve(nearest, filter) &&
        !vs_store_has_vectors(nearest->store, nearest->vector)) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: an index over a table answers searches by %s%s, not by %s",
                        nearest->store->label, vs_metric_name(spec->metric),
                        spec->metric == VS_COSINE ? "" : " and other metrics of l2, l2sq and dot",
                        vs_metric_name(nearest->metric));
    }
    int rc = vs_view_get(nearest->store, nearest->vector, &view, err);
    if (rc == SQLITE_OK) {
        rc = nearest_rows(nearest, view, filter, conditions, &rows, err);
    }
    if (rc == SQLITE_OK &&
        (vs_scratch_get(&nearest->stored, vsk_bytes(spec->stored, spec->dim)) == NULL ||
         vs_scratch_get(&nearest->widened, bytes) == NULL)) {
        rc = SQLITE_NOMEM;
    }
    if (rc == SQLITE_OK && (rows == NULL || rows->rows > 0) && view->live > 0) {
        if (vs_nearest_threads(nearest->store, view, vs_learner_basis(view->learner), rows, count) >
            1) {
            vs_pool_rouse();
        }
        vs_view_make_fronts(nearest->store, view); /* before: the view may be new after a change */
        rc = nearest_answer(nearest, view, rows, queries, count, filter, k, hits, counts, counters,
                            cascade, err);
    }
    vs_store_end_reading(nearest->store);
    vs_store_return_pages(nearest->store);
    if (nearest_is_in_memory(view)) { /* else the next search reads cells, too */
        vs_scratch_free(&nearest->store->read_memory);
    }
    vs_cached_unref(rows);
    vs_cached_unref(view);
    return rc;
}

int vs_nearest_run(vs_nearest *nearest, const vs_filter *filter, const vs_conditions *conditions,
                   vsk_hit *memory, size_t capacity, size_t *out_count, vs_counters *counters,
                   vs_cascade *cascade, vs_err *err)
{
    int64_t started = vs_metrics_now_ns();
    *out_count = 0;
    int rc = vs_nearest_batch(nearest, nearest->query.memory, 1, filter, conditions, capacity,
                              memory, out_count, counters, cascade, err);
    counters->time_ns += vs_metrics_now_ns() - started;
    return rc;
}

/* ---- cost ------------------------------------------------------------------------------------ */

double vs_nearest_cost(const vs_vector_spec *spec, double rows, double k)
{
    double bytes = vs_declare_is_coded(spec) ? (double)vsk_code_dim(spec->dim) / 2.0
                                             : (double)vsk_bytes(spec->type, spec->dim);
    return 20.0 + rows * (0.002 + bytes / 20e3) + k * 2.0; /* 20 GB/s; 2 us for a full vector */
}
