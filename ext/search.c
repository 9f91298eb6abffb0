/*
 * search.c - carries out a planned search for one query.
 *
 * Calls: indexed.c, gpu_table.c, normidx.c, collector.c, scorer.c, rows.c, plan.c, norm_profile.c, metrics.c, value.c.
 * Called by: vtab_search.c, func_search.c (queries).
 * Threads: the connection's.
 */
#include "search.h"

#include "gpu_table.h"
#include "indexed.h"

#define SEARCH_PROGRESS_ROWS 4096 /* rows between two updates of vec_jobs */

void vs_search_init(vs_search *search, vs_conn *conn, const char *who, vs_plan *plan)
{
    memset(search, 0, sizeof *search);
    search->conn = conn;
    search->who = who;
    search->plan = plan;
}

static void search_close_statements(vs_search *search)
{
    vs_rows_close(&search->table_rows);
    vs_rows_close(&search->index_rows);
    vs_rows_close(&search->rows_by_id);
    vs_rows_close(&search->rows_in_range);
    vs_normidx_close(&search->walk);
}

void vs_search_close(vs_search *search)
{
    vs_scorer_free(&search->scorer);
    vs_scratch_free(&search->query_memory[0]);
    vs_scratch_free(&search->query_memory[1]);
    search_close_statements(search);
}

/* A BLOB for a column of half-size floats may hold float32: it does when its size fits float32
 * vectors of the stored dimension. */
static int search_blob_type(const char *who, vs_plan *plan, sqlite3_value *value, vsk_type *out,
                            vs_err *err)
{
    size_t dim = 0;
    *out = plan->options.type;
    if ((plan->options.type != VSK_F16 && plan->options.type != VSK_BF16) ||
        sqlite3_value_type(value) != SQLITE_BLOB || vs_value_subtype(value) >= 0) {
        return SQLITE_OK;
    }
    int rc = vs_plan_stored_dim(plan, who, 0, &dim, err);
    if (rc == SQLITE_OK && dim > 0 &&
        (size_t)sqlite3_value_bytes(value) == vsk_bytes(VSK_F32, dim)) {
        *out = VSK_F32;
    }
    return rc;
}

int vs_search_read_query(const char *who, vs_plan *plan, sqlite3_value *value, vs_scratch memory[2],
                         vs_vec *out, vs_err *err)
{
    char place[64];
    vs_vec given;
    vsk_type type;
    int subtype = vs_value_subtype(value);
    sqlite3_snprintf((int)sizeof place, place, "%s: query", who);
    int rc = search_blob_type(who, plan, value, &type, err);
    if (rc == SQLITE_OK) {
        rc = vs_value_read(place, value, type, &memory[0], &given, err);
    }
    type = plan->options.type;
    if (rc == SQLITE_OK && subtype >= 0 && subtype != (int)type &&
        !(subtype == VSK_F32 && (type == VSK_F16 || type == VSK_BF16))) {
        rc = vs_error(
            err, SQLITE_ERROR,
            "%s: the query is %s and %s is read as %s (option \"type\" says what the column holds)",
            who, vsk_type_name((vsk_type)subtype), plan->target.label, vsk_type_name(type));
    }
    if (rc == SQLITE_OK) {
        rc = vs_value_check_finite(place, &given, err);
    }
    if (rc == SQLITE_OK && given.type != type) {
        return vs_value_convert(place, &given, type, &memory[1], out, err);
    }
    if (rc == SQLITE_OK) { /* a copy: the SQL value does not outlive the call */
        size_t bytes = vsk_bytes(given.type, given.dim);
        void *copy = vs_scratch_get(&memory[1], bytes);
        if (copy == NULL) {
            return SQLITE_NOMEM;
        }
        memcpy(copy, given.data, bytes);
        *out = given;
        out->data = copy;
    }
    return rc;
}

int vs_search_set_query(vs_search *search, sqlite3_value *value, vs_err *err)
{
    size_t dim_before = search->query.dim;
    vs_scorer_free(&search->scorer);
    memset(&search->counters, 0, sizeof search->counters);
    search->counters.calls = 1;
    int rc = vs_search_read_query(search->who, search->plan, value, search->query_memory,
                                  &search->query, err);
    if (rc == SQLITE_OK && dim_before != search->query.dim) {
        search_close_statements(search); /* they check what they read against the dimension */
    }
    if (rc == SQLITE_OK) {
        rc = vs_scorer_init(&search->scorer, search->plan->options.metric, &search->query);
    }
    return rc;
}

static vs_rows_shape search_shape(const vs_search *search)
{
    vs_rows_shape shape = {search->who, search->query.type, search->query.dim,
                           search->plan->options.skip_bad_rows};
    return shape;
}

/* Opens a source on first use. */
static int search_open(vs_search *search, vs_rows *rows, vs_rows_order order, vs_err *err)
{
    vs_rows_shape shape = search_shape(search);
    return rows->stmt != NULL
               ? SQLITE_OK
               : vs_rows_open(&search->plan->target, &shape, order, search->plan->index, rows, err);
}

/* Offers every row of one source, which was started, and shows it to the GPU (NULL: no). */
static int search_offer_all(vs_search *search, vs_rows *rows, vs_gpu_table *gpu,
                            vs_collector *collector, vs_err *err)
{
    int64_t read_before = rows->rows_read;
    int64_t skipped_before = rows->rows_skipped;
    int64_t next_progress = SEARCH_PROGRESS_ROWS;
    int job =
        vs_job_begin(search->who, search->plan->target.label, "scan", (int64_t)search->plan->rows);
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && (rc = vs_rows_next(rows, err)) == SQLITE_ROW) {
        if (gpu != NULL) {
            vs_gpu_table_row(gpu, rows);
        }
        rc = vs_collector_offer(collector, rows, err);
        if (rows->rows_read - read_before >= next_progress) {
            vs_job_progress(job, rows->rows_read - read_before);
            next_progress += SEARCH_PROGRESS_ROWS;
        }
    }
    vs_rows_reset(rows);
    vs_job_end(job);
    search->counters.rows_read += rows->rows_read - read_before;
    search->counters.rows_skipped += rows->rows_skipped - skipped_before;
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int search_read_all(vs_search *search, vs_rows *rows, vs_rows_order order, vs_gpu_table *gpu,
                           vs_collector *collector, vs_err *err)
{
    const vs_filter *filter = collector->filter;
    int rc = search_open(search, rows, order, err);
    if (rc == SQLITE_OK) {
        rc = vs_rows_start(rows, filter->norm_lo, filter->norm_hi, filter->ids, filter->id_count);
    }
    return rc == SQLITE_OK ? search_offer_all(search, rows, gpu, collector, err) : rc;
}

/* ---- on the GPU ------------------------------------------------------------------------------ */

/* What the GPU does not hold. */
static int search_read_gaps(vs_search *search, vs_gpu_table *gpu, vs_collector *collector,
                            vs_err *err)
{
    vs_rows *rows = &search->rows_in_range;
    int rc = gpu->gap_count == 0 ? SQLITE_OK : search_open(search, rows, VS_ROWS_RANGE, err);
    for (size_t i = 0; i < gpu->gap_count && rc == SQLITE_OK; i++) {
        const int64_t range[2] = {gpu->gaps[i].lo, gpu->gaps[i].hi};
        vs_gpu_table_enter_gap(gpu, i);
        rc = vs_rows_start(rows, 0.0, 0.0, range, 2);
        if (rc == SQLITE_OK) {
            rc = search_offer_all(search, rows, gpu, collector, err);
        }
        if (rc == SQLITE_OK) {
            vs_gpu_table_leave(gpu);
        }
    }
    return rc;
}

/* *out_done 0: the GPU could not, and nothing was found. */
static int search_offload(vs_search *search, vs_gpu_table *gpu, vs_collector *collector,
                          int *out_done, vs_err *err)
{
    int64_t read_before = search->rows_by_id.rows_read;
    int64_t skipped_before = search->rows_by_id.rows_skipped;
    *out_done = vs_gpu_table_start(gpu, search->query.data, collector->filter);
    if (!*out_done) {
        return SQLITE_OK;
    }
    int rc = search_read_gaps(search, gpu, collector, err);
    if (rc == SQLITE_OK) {
        rc = vs_gpu_table_wait(gpu, out_done);
    }
    if (rc == SQLITE_OK && *out_done) {
        rc = search_open(search, &search->rows_by_id, VS_ROWS_BY_ID, err);
    }
    if (rc == SQLITE_OK && *out_done) {
        rc = vs_gpu_table_finish(gpu, 0, collector, &search->rows_by_id, out_done, err);
    }
    search->counters.rows_read += search->rows_by_id.rows_read - read_before;
    search->counters.rows_skipped += search->rows_by_id.rows_skipped - skipped_before;
    if (rc == SQLITE_OK && !*out_done) {
        vs_collector_restart(collector);
    }
    return rc;
}

/* Every row of the table: on the GPU, or by a pass, from which the GPU may take a copy. */
static int search_pass(vs_search *search, vs_collector *collector, vs_err *err)
{
    vs_gpu_table gpu;
    int is_done = 0;
    int64_t skipped_before = search->counters.rows_skipped;
    int rc = vs_gpu_table_begin(&gpu, search->conn, search->who, search->plan, &search->query, 1,
                                collector->topk.capacity, err);
    if (rc == SQLITE_OK && gpu.advice == VS_GPU_TAKE_GPU) {
        rc = search_offload(search, &gpu, collector, &is_done, err);
    }
    if (rc == SQLITE_OK && !is_done) {
        vs_gpu_table_enter_pass(&gpu);
        rc = search_read_all(search, &search->table_rows, VS_ROWS_TABLE, &gpu, collector, err);
        if (rc == SQLITE_OK) {
            vs_gpu_table_leave(&gpu);
        }
    }
    vs_gpu_table_end(&gpu, rc == SQLITE_OK && search->counters.rows_skipped == skipped_before,
                     &search->counters);
    return rc;
}

/* Walks the norm index, and passes over the table after all when it does not prune. */
static int search_walk(vs_search *search, vs_collector *collector, vs_err *err)
{
    vs_rows_shape shape = search_shape(search);
    vs_profile *profile = NULL;
    int gave_up = 0;
    int rc = SQLITE_OK;
    if (search->walk.falling.stmt == NULL) {
        rc = vs_normidx_open(&search->walk, search->plan, &shape, err);
    }
    if (rc == SQLITE_OK && search->plan->options.index == NULL) {
        rc = vs_profile_get(&search->conn->profiles, &search->plan->target, &shape, &profile, err);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    int64_t read_before = search->walk.rows_read;
    int64_t skipped_before = search->walk.rows_skipped;
    rc = vs_normidx_run(&search->walk, search->plan, profile, collector, &gave_up, err);
    search->counters.rows_read += search->walk.rows_read - read_before;
    search->counters.rows_skipped += search->walk.rows_skipped - skipped_before;
    if (rc == SQLITE_OK && gave_up) {
        search->counters.fallbacks++;
        search->counters.rows_skipped -= search->walk.rows_skipped - skipped_before; /* met again */
        vs_collector_restart(collector);
        rc = search_read_all(search, &search->table_rows, VS_ROWS_TABLE, NULL, collector, err);
    }
    return rc;
}

int vs_search_run(vs_search *search, vs_filter *filter, vsk_hit *memory, size_t capacity,
                  size_t *out_count, vs_err *err)
{
    const vs_plan *plan = search->plan;
    vs_collector collector;
    int64_t started = vs_metrics_now_ns();
    int rc = SQLITE_OK;
    *out_count = 0;
    if (plan->options.has_norm_band) {
        filter->norm_lo = (1.0 - plan->options.norm_band) * search->scorer.query_norm;
        filter->norm_hi = (1.0 + plan->options.norm_band) * search->scorer.query_norm;
    }
    vs_collector_start(&collector, &search->scorer, filter, memory, capacity, &search->counters);
    if (capacity == 0 || (filter->has_ids && filter->id_count == 0) ||
        filter->distance_lo > filter->distance_hi) {
        return SQLITE_OK;
    }
    if (plan->strategy == VS_BY_VECSHARD) {
        if (search->query.dim != vs_indexed_spec(plan->indexed)->dim) {
            return vs_error(err, SQLITE_ERROR,
                            "%s: dimensions differ: %lld in the query and %lld in %s", search->who,
                            (long long)search->query.dim,
                            (long long)vs_indexed_spec(plan->indexed)->dim, plan->target.label);
        }
        rc = vs_indexed_run(plan->indexed, &plan->options, search->query.data, 1, filter, capacity,
                            memory, out_count, &search->counters, err);
        search->counters.time_ns += vs_metrics_now_ns() - started;
        return rc;
    }
    switch (plan->strategy) {
    case VS_BY_INDEX:
        rc = search_read_all(search, &search->index_rows, VS_ROWS_INDEX, NULL, &collector, err);
        break;
    case VS_BY_ID:
        if (vs_plan_cost(plan, VS_BY_ID, (double)filter->id_count) <
            vs_plan_cost(plan, VS_BY_PASS, plan->rows)) {
            rc = search_read_all(search, &search->rows_by_id, VS_ROWS_BY_ID, NULL, &collector, err);
            break;
        } /* fall through */
    case VS_BY_PASS:
        rc = search_pass(search, &collector, err);
        break;
    default:
        rc = search_walk(search, &collector, err);
    }
    if (rc == SQLITE_OK) {
        vsk_topk_sort(&collector.topk);
        *out_count = collector.topk.count;
    }
    search->counters.rows_returned += (int64_t)*out_count;
    search->counters.time_ns += vs_metrics_now_ns() - started;
    return rc;
}

void vs_search_report(vs_search *search, const char *operation)
{
    if (search->counters.calls > 0 && search->conn->settings.stats) {
        vs_metrics_add(&search->conn->metrics, search->plan->target.label, operation,
                       vs_plan_name(search->plan), &search->counters);
    }
    memset(&search->counters, 0, sizeof search->counters);
}
