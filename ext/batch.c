/*
 * batch.c - many queries in one pass over the data.
 *
 * Rows are gathered into blocks that stay in the second-level cache; each block meets all queries
 * of the pass like a matrix product (tile kernels). The float32 results only prune, as in a single
 * search (scorer.c), and what is left gets its canonical distance: the answers are those of single
 * searches, bit for bit.
 *
 * Calls: rows.c, scorer.c, collector.c, gpu_table.c, distance.c, value.c, plan.c, poll.c, metrics.c, kernels.
 * Called by: vtab_batch.c.
 * Threads: the connection's.
 */
#include "batch.h"

#include "gpu_table.h"
#include "indexed.h"
#include "poll.h"

#include <math.h>

/* ---- one pass ------------------------------------------------------------------------------ */

size_t vs_batch_group(int64_t k, int has_gpu)
{
    size_t most = has_gpu ? VS_BATCH_GROUP_GPU : VS_BATCH_GROUP_MAX;
    int64_t fits = VS_BATCH_HEAP_BYTES / ((int64_t)sizeof(vsk_hit) * (k > 0 ? k : 1));
    return fits < 1 ? 1 : (uint64_t)fits > most ? most : (size_t)fits;
}

/* The memory of one pass, in one block behind this structure's pointers. */
typedef struct batch_pass {
    const vs_plan *plan;
    const vs_queries *queries;
    size_t first, count, dim;
    const vs_filter *filter;  /* borrowed: what the filters have in common */
    vs_scorer *scorers;       /* [count] */
    vs_filter *filters;       /* [count] */
    vs_collector *collectors; /* [count] */
    vs_counters counters;
    int has_ranks;       /* float types: float32 kernels prune */
    size_t block_rows;   /* capacity of a block */
    size_t block_count;  /* rows gathered */
    int64_t *ids;        /* [block_rows] */
    double *sumsqs;      /* [block_rows] canonical */
    unsigned char *rows; /* [block_rows][row bytes], as stored */
    float *rows_f32;     /* [block_rows][dim] */
    float *queries_f32;  /* [count][dim] */
    float *ranks;        /* [count][block_rows] */
    sqlite3_stmt *poll;  /* vs_poll */
} batch_pass;

static void batch_free(batch_pass *pass)
{
    for (size_t i = 0; pass->scorers != NULL && i < pass->count; i++) {
        vs_scorer_free(&pass->scorers[i]);
    }
    sqlite3_free(pass->scorers);
    sqlite3_free(pass->filters);
    sqlite3_free(pass->collectors);
    sqlite3_free(pass->ids);
    sqlite3_free(pass->sumsqs);
    sqlite3_free(pass->rows);
    sqlite3_free(pass->rows_f32);
    sqlite3_free(pass->queries_f32);
    sqlite3_free(pass->ranks);
    sqlite3_finalize(pass->poll);
}

/* Zeroed memory of count x size bytes. Sets *rc without memory. */
static void *batch_alloc(size_t count, size_t size, int *rc)
{
    void *memory = *rc == SQLITE_OK ? sqlite3_malloc64((sqlite3_uint64)count * size) : NULL;
    if (memory == NULL) {
        *rc = SQLITE_NOMEM;
    } else {
        memset(memory, 0, count * size);
    }
    return memory;
}

static int batch_poll(batch_pass *pass)
{
    return vs_poll(pass->plan->target.db, &pass->poll);
}

static int batch_init(batch_pass *pass, size_t k, vsk_hit *hits)
{
    int rc = SQLITE_OK;
    size_t dim = pass->dim;
    vsk_type type = pass->queries->type;
    size_t bytes = vsk_bytes(type, dim);
    pass->block_rows = VS_BATCH_BLOCK_BYTES / (dim * sizeof(float));
    pass->block_rows = pass->block_rows < 4                     ? 4
                       : pass->block_rows > VS_BATCH_BLOCK_ROWS ? VS_BATCH_BLOCK_ROWS
                                                                : pass->block_rows;
    pass->scorers = batch_alloc(pass->count, sizeof *pass->scorers, &rc);
    pass->filters = batch_alloc(pass->count, sizeof *pass->filters, &rc);
    pass->collectors = batch_alloc(pass->count, sizeof *pass->collectors, &rc);
    pass->ids = batch_alloc(pass->block_rows, sizeof *pass->ids, &rc);
    pass->sumsqs = batch_alloc(pass->block_rows, sizeof *pass->sumsqs, &rc);
    pass->rows = batch_alloc(pass->block_rows, bytes, &rc);
    for (size_t i = 0; rc == SQLITE_OK && i < pass->count; i++) {
        vs_vec query = {pass->queries->data + (pass->first + i) * bytes, dim, type};
        rc = vs_scorer_init(&pass->scorers[i], pass->plan->options.metric, &query);
        pass->filters[i] = *pass->filter;
        if (pass->plan->options.has_norm_band) {
            pass->filters[i].norm_lo =
                (1.0 - pass->plan->options.norm_band) * pass->scorers[i].query_norm;
            pass->filters[i].norm_hi =
                (1.0 + pass->plan->options.norm_band) * pass->scorers[i].query_norm;
        }
        vs_collector_start(&pass->collectors[i], &pass->scorers[i], &pass->filters[i], hits + i * k,
                           k, &pass->counters);
        rc = rc == SQLITE_OK ? batch_poll(pass) : rc;
    }
    pass->has_ranks = rc == SQLITE_OK && pass->scorers[0].query_f32 != NULL;
    if (pass->has_ranks) {
        pass->rows_f32 =
            type == VSK_F32 ? NULL : batch_alloc(pass->block_rows, dim * sizeof(float), &rc);
        pass->queries_f32 = batch_alloc(pass->count, dim * sizeof(float), &rc);
        pass->ranks = batch_alloc(pass->count, pass->block_rows * sizeof(float), &rc);
        for (size_t i = 0; rc == SQLITE_OK && i < pass->count; i++) {
            memcpy(pass->queries_f32 + i * dim, pass->scorers[i].query_f32, dim * sizeof(float));
        }
    }
    return rc;
}

/* Ranks of queries first .. first + count against the rows of the block, which are float32 at
 * `rows`. */
static void batch_rank(batch_pass *pass, const float *rows, size_t first, size_t count)
{
    const vsk_table *kernels = vsk_get();
    size_t dim = pass->dim;
    size_t n = pass->block_count;
    vs_metric metric = pass->plan->options.metric;
    const float *queries = pass->queries_f32 + first * dim;
    float *ranks = pass->ranks + first * n;
    if (metric == VS_L1) {
        for (size_t i = 0; i < count; i++) {
            kernels->rank_l1[VSK_F32](queries + i * dim, rows, dim * sizeof(float), n, dim,
                                      ranks + i * n);
        }
    } else if (metric == VS_L2 || metric == VS_L2SQ) {
        kernels->tile_l2sq(queries, dim, count, rows, dim, n, dim, ranks);
    } else {
        kernels->tile_dot(queries, dim, count, rows, dim, n, dim, ranks);
    }
}

/* One query against the block. */
static void batch_score(batch_pass *pass, size_t query)
{
    vs_scorer *scorer = &pass->scorers[query];
    const vs_filter *filter = &pass->filters[query];
    size_t bytes = vsk_bytes(pass->queries->type, pass->dim);
    for (size_t j = 0; j < pass->block_count; j++) {
        double distance;
        if (pass->plan->options.has_norm_band) {
            double norm = sqrt(pass->sumsqs[j]);
            if (norm < filter->norm_lo || norm > filter->norm_hi) {
                continue;
            }
        }
        if (pass->has_ranks &&
            vs_scorer_prunes(scorer, (double)pass->ranks[query * pass->block_count + j],
                             pass->sumsqs[j])) {
            continue;
        }
        if (vs_distance(scorer->metric, scorer->type, pass->rows + j * bytes, scorer->query,
                        pass->dim, &distance) == VS_DIST_VALUE) {
            pass->counters.rows_finished++;
            if (distance <= scorer->limit) {
                vs_collector_push(&pass->collectors[query], distance, pass->ids[j]);
            }
        }
    }
}

/* All queries against the block, in slices of about a millisecond. */
static int batch_flush(batch_pass *pass)
{
    const float *rows = (const float *)(const void *)pass->rows;
    size_t n = pass->block_count;
    int rc = SQLITE_OK;
    if (n == 0) {
        return SQLITE_OK;
    }
    size_t slice = VS_BATCH_SLICE_ELEMENTS / (n * pass->dim) + 1;
    if (pass->rows_f32 != NULL) {
        vsk_get()->to_f32[pass->queries->type](pass->rows, pass->rows_f32, n * pass->dim);
        rows = pass->rows_f32;
    }
    for (size_t first = 0; rc == SQLITE_OK && first < pass->count; first += slice) {
        size_t count = pass->count - first < slice ? pass->count - first : slice;
        if (pass->has_ranks) {
            batch_rank(pass, rows, first, count);
        }
        for (size_t i = first; i < first + count; i++) {
            batch_score(pass, i);
        }
        rc = first + count < pass->count ? batch_poll(pass) : SQLITE_OK;
    }
    pass->block_count = 0;
    return rc;
}

/* Takes the current row into the block, where the filter lists it. */
static int batch_gather(batch_pass *pass, vs_rows *rows, vs_err *err)
{
    const vsk_table *kernels = vsk_get();
    vsk_type type = pass->queries->type;
    size_t bytes = vsk_bytes(type, pass->dim);
    size_t at = pass->block_count;
    double sumsq = 0.0;
    if (!vs_filter_has_id(pass->filter, rows->id)) {
        return SQLITE_OK;
    }
    if (type != VSK_BIT) {
        sumsq = kernels->sumsq[type](rows->data, pass->dim);
        if (!isfinite(sumsq)) { /* float32 squares cannot overflow a double: an element is NaN or
                                   infinite */
            return vs_rows_bad(rows, err);
        }
    }
    memcpy(pass->rows + at * bytes, rows->data, bytes);
    pass->ids[at] = rows->id;
    pass->sumsqs[at] = sumsq;
    return ++pass->block_count == pass->block_rows ? batch_flush(pass) : SQLITE_OK;
}

/* Rows of one source: all, or those of a list of ids, or those between two ids; shown to the GPU, too
 * (NULL: no). */
static int batch_read(batch_pass *pass, const char *who, vs_rows_order order, const int64_t *ids,
                      size_t id_count, vs_gpu_table *gpu, vs_err *err)
{
    vs_rows rows;
    vs_rows_shape shape = {who, pass->queries->type, pass->dim, pass->plan->options.skip_bad_rows};
    int rc = vs_rows_open(&pass->plan->target, &shape, order, pass->plan->index, &rows, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    int job = vs_job_begin(who, pass->plan->target.label, "scan", (int64_t)pass->plan->estimate);
    rc = vs_rows_start(&rows, 0.0, 0.0, ids, id_count);
    while (rc == SQLITE_OK && (rc = vs_rows_next(&rows, err)) == SQLITE_ROW) {
        if (gpu != NULL) {
            vs_gpu_table_row(gpu, &rows);
        }
        rc = batch_gather(pass, &rows, err);
        if (pass->block_count == 0) {
            vs_job_progress(job, rows.rows_read);
        }
    }
    vs_job_end(job);
    pass->counters.rows_read += rows.rows_read;
    pass->counters.rows_skipped += rows.rows_skipped;
    vs_rows_close(&rows);
    if (rc == SQLITE_DONE) {
        rc = batch_flush(pass);
    }
    if (rc == SQLITE_OK && gpu != NULL) {
        vs_gpu_table_leave(gpu);
    }
    return rc;
}

/* ---- on the GPU ------------------------------------------------------------------------------ */

/* Takes the answers of the GPU. *out_done 0: of some query it has none. */
static int batch_take(batch_pass *pass, const char *who, vs_gpu_table *gpu, int *out_done,
                      vs_err *err)
{
    vs_rows rows;
    vs_rows_shape shape = {who, pass->queries->type, pass->dim, pass->plan->options.skip_bad_rows};
    int rc = vs_rows_open(&pass->plan->target, &shape, VS_ROWS_BY_ID, NULL, &rows, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    for (size_t i = 0; i < pass->count && rc == SQLITE_OK && *out_done; i++) {
        rc = vs_gpu_table_finish(gpu, i, &pass->collectors[i], &rows, out_done, err);
    }
    pass->counters.rows_read += rows.rows_read;
    pass->counters.rows_skipped += rows.rows_skipped;
    vs_rows_close(&rows);
    return rc;
}

/* *out_done 0: the GPU could not, and nothing was found. */
static int batch_offload(batch_pass *pass, const char *who, vs_gpu_table *gpu, int *out_done,
                         vs_err *err)
{
    size_t bytes = vsk_bytes(pass->queries->type, pass->dim);
    *out_done = vs_gpu_table_start(gpu, pass->queries->data + pass->first * bytes, pass->filter);
    if (!*out_done) {
        return SQLITE_OK;
    }
    int rc = SQLITE_OK;
    for (size_t i = 0; i < gpu->gap_count && rc == SQLITE_OK; i++) {
        const int64_t range[2] = {gpu->gaps[i].lo, gpu->gaps[i].hi};
        vs_gpu_table_enter_gap(gpu, i);
        rc = batch_read(pass, who, VS_ROWS_RANGE, range, 2, gpu, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_gpu_table_wait(gpu, out_done);
    }
    if (rc == SQLITE_OK && *out_done) {
        rc = batch_take(pass, who, gpu, out_done, err);
    }
    for (size_t i = 0; i < pass->count && rc == SQLITE_OK && !*out_done; i++) {
        vs_collector_restart(&pass->collectors[i]);
    }
    return rc;
}

/* Every row of the table: on the GPU, or by a pass, from which the GPU may take a copy. */
static int batch_read_all(batch_pass *pass, vs_conn *conn, const char *who, size_t k, vs_err *err)
{
    vs_gpu_table gpu;
    int is_done = 0;
    int64_t skipped_before = pass->counters.rows_skipped;
    vs_vec shape = {NULL, pass->dim, pass->queries->type};
    int rc = vs_gpu_table_begin(&gpu, conn, who, pass->plan, &shape, pass->count, k, err);
    if (rc == SQLITE_OK && gpu.advice == VS_GPU_TAKE_GPU) {
        rc = batch_offload(pass, who, &gpu, &is_done, err);
    }
    if (rc == SQLITE_OK && !is_done) {
        vs_gpu_table_enter_pass(&gpu);
        rc = batch_read(pass, who, VS_ROWS_TABLE, NULL, 0, &gpu, err);
    }
    vs_gpu_table_end(&gpu, rc == SQLITE_OK && pass->counters.rows_skipped == skipped_before,
                     &pass->counters);
    return rc;
}

/* Through a vecshard table, which takes all queries at once. */
static int batch_run_indexed(vs_conn *conn, const char *who, const vs_plan *plan,
                             const vs_queries *queries, size_t first, size_t count,
                             const vs_filter *filter, size_t k, vsk_hit *hits, size_t *counts,
                             vs_counters *counters, vs_err *err)
{
    int64_t started = vs_metrics_now_ns();
    if (queries->dim != vs_indexed_spec(plan->indexed)->dim) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: dimensions differ: %lld in the queries and %lld in %s", who,
                        (long long)queries->dim, (long long)vs_indexed_spec(plan->indexed)->dim,
                        plan->target.label);
    }
    int rc = vs_indexed_run(plan->indexed, &plan->options,
                            queries->data + first * vsk_bytes(queries->type, queries->dim), count,
                            filter, k, hits, counts, counters, err);
    if (rc == SQLITE_OK && conn->settings.stats) {
        counters->calls = 1;
        counters->time_ns = vs_metrics_now_ns() - started;
        vs_metrics_add(&conn->metrics, plan->target.label, who, vs_plan_name(plan), counters);
    }
    return rc;
}

/* Every row that the filter may let pass, by the plan's way. */
static int batch_read_rows(batch_pass *pass, vs_conn *conn, const char *who, size_t k, vs_err *err)
{
    const vs_plan *plan = pass->plan;
    const vs_filter *filter = pass->filter;
    if (plan->strategy == VS_BY_INDEX) {
        return batch_read(pass, who, VS_ROWS_INDEX, NULL, 0, NULL, err);
    }
    if (plan->strategy == VS_BY_ID && vs_plan_cost(plan, VS_BY_ID, (double)filter->id_count) <
                                          vs_plan_cost(plan, VS_BY_PASS, plan->rows)) {
        return batch_read(pass, who, VS_ROWS_BY_ID, filter->ids, filter->id_count, NULL, err);
    }
    return batch_read_all(pass, conn, who, k, err);
}

int vs_batch_run(vs_conn *conn, const char *who, const vs_plan *plan, const vs_queries *queries,
                 size_t first, size_t count, const vs_filter *filter, size_t k, vsk_hit *hits,
                 size_t *counts, vs_counters *out_did, vs_err *err)
{
    batch_pass pass;
    int64_t started = vs_metrics_now_ns();
    memset(&pass, 0, sizeof pass);
    memset(counts, 0, count * sizeof *counts);
    memset(out_did, 0, sizeof *out_did);
    if (count == 0 || k == 0 || (filter->has_ids && filter->id_count == 0) ||
        filter->distance_lo > filter->distance_hi) {
        return SQLITE_OK;
    }
    if (plan->strategy == VS_BY_VECSHARD) {
        return batch_run_indexed(conn, who, plan, queries, first, count, filter, k, hits, counts,
                                 out_did, err);
    }
    pass.plan = plan;
    pass.queries = queries;
    pass.first = first;
    pass.count = count;
    pass.dim = queries->dim;
    pass.filter = filter;
    int rc = batch_init(&pass, k, hits);
    if (rc == SQLITE_OK) {
        rc = batch_read_rows(&pass, conn, who, k, err);
    }
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        vsk_topk_sort(&pass.collectors[i].topk);
        counts[i] = pass.collectors[i].topk.count;
        pass.counters.rows_returned += (int64_t)counts[i];
    }
    if (rc == SQLITE_OK && conn->settings.stats) {
        pass.counters.calls = 1;
        pass.counters.time_ns = vs_metrics_now_ns() - started;
        vs_metrics_add(&conn->metrics, plan->target.label, who, vs_plan_name(plan), &pass.counters);
    }
    *out_did = pass.counters;
    batch_free(&pass);
    return rc;
}
