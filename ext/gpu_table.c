/*
 * gpu_table.c - searches of ordinary tables on the GPU.
 *
 * Calls: gpu.c, gpu_rows.c, gpu_use.c, table_tag.c, rows.c, collector.c, plan.c, poll.c.
 * Called by: search.c, batch.c, func_gpu.c.
 * Threads: the connection's. What is kept with an image is for this connection alone.
 */
#include "gpu_table.h"

#include "gpu_rows.h"
#include "gpu_use.h"
#include "hash.h"
#include "poll.h"

/* Rows are sent in pieces: each one is a copy and a launch. */
#define GPU_TABLE_PENDING_BYTES (1 << 20)

/* ---- what is wanted -------------------------------------------------------------------------- */

static void gpu_table_want(vs_gpu_want *want, const vs_conn *conn, const vs_plan *plan, size_t dim)
{
    const char *table = plan->target.table_sql, *column = plan->target.column;
    /* vs_gpu_rows_are_of compares the names, too */
    const uint64_t hashes[2] = {vs_hash(VS_HASH_INIT, table, strlen(table)),
                                vs_hash(VS_HASH_INIT, column, strlen(column))};
    memset(want, 0, sizeof *want);
    want->key.file = conn->identity;
    memcpy(want->key.table, hashes, sizeof want->key.table);
    want->key.column = (uint32_t)dim * VSK_TYPE_COUNT + (uint32_t)plan->options.type;
    want->key.kind = VS_GPU_TABLE;
    sqlite3_snprintf((int)sizeof want->label, want->label, "%s", plan->target.label);
    want->type = plan->options.type;
    want->dim = dim;
    want->metric = plan->options.metric;
    want->rows = plan->rows;
    want->mode = vs_gpu_use_mode(conn, plan->options.device);
    want->query_count = 1;
    want->k = 10;
}

static int gpu_table_takes(const vs_plan *plan)
{
    return !plan->options.has_norm_band &&
           vs_gpu_use_takes(plan->options.metric, plan->options.type);
}

/* The tag that the table has now; an error is for the search that follows. */
static int gpu_table_find_tag(vs_conn *conn, const char *who, const vs_plan *plan,
                              uint8_t out_tag[VS_TAG_BYTES])
{
    vs_table_tag *tag = NULL;
    vs_tag_state state = VS_TAG_NONE;
    vs_err unheard = VS_ERR_INIT;
    int rc = vs_table_tag_enter(conn, &plan->target, who, &tag, out_tag, &state, &unheard);
    vs_table_tag_leave(tag);
    vs_error_clear(&unheard);
    return rc == SQLITE_OK && state == VS_TAG_THERE;
}

int vs_gpu_table_is_likely(vs_conn *conn, const char *who, const vs_plan *plan, size_t dim,
                           size_t count, size_t k)
{
    vs_gpu_want want;
    if (vs_gpu_use_mode(conn, plan->options.device) == VS_GPU_OFF || !gpu_table_takes(plan) ||
        !vs_gpu_is_possible()) {
        return 0;
    }
    if (plan->strategy == VS_BY_VECSHARD) {
        return 1; /* what its cells are, a search finds out; the CPU takes large groups there as well */
    }
    gpu_table_want(&want, conn, plan, dim);
    want.query_count = count;
    want.k = k;
    return gpu_table_find_tag(conn, who, plan, want.tag) && vs_gpu_is_likely(&want);
}

/* Takes the snapshot and its tag. *out 0: the CPU must answer. */
static int gpu_table_enter(vs_gpu_table *gpu, int *out, vs_err *err)
{
    vs_tag_state state;
    int rc = vs_table_tag_enter(gpu->conn, &gpu->plan->target, gpu->who, &gpu->tag, gpu->want.tag,
                                &state, err);
    *out = rc == SQLITE_OK && state == VS_TAG_THERE;
    if (rc == SQLITE_OK && state != VS_TAG_THERE) {
        gpu->reason = state == VS_TAG_WRITTEN ? VS_GPU_TXN : VS_GPU_STALE;
        vs_gpu_count_fallback(gpu->reason, gpu->want.query_count);
    }
    return rc;
}

/* Finds what the rows of the image are; the first who fills it makes the list. 0: it is not ours. */
static int gpu_table_find_rows(vs_gpu_table *gpu)
{
    gpu->rows = vs_gpu_image_owned(gpu->image);
    return gpu->rows == NULL ? 0 : vs_gpu_rows_are_of(gpu->rows, &gpu->plan->target);
}

/* The right to fill, and the list of ids. */
static void gpu_table_take_fill(vs_gpu_table *gpu)
{
    gpu->fill = vs_gpu_fill_begin(gpu->image);
    if (gpu->fill == NULL) {
        return;
    }
    if (vs_gpu_image_owned(gpu->image) == NULL) {
        vs_gpu_rows *rows =
            vs_gpu_rows_new(&gpu->plan->target, vs_gpu_image_segment_rows(gpu->image));
        if (rows != NULL) {
            vs_gpu_image_own(gpu->image, rows, vs_gpu_rows_free);
        }
    }
    if (!gpu_table_find_rows(gpu)) {
        vs_gpu_fill_end(gpu->fill, 0);
        gpu->fill = NULL;
    }
}

int vs_gpu_table_begin(vs_gpu_table *gpu, vs_conn *conn, const char *who, const vs_plan *plan,
                       const vs_vec *query, size_t count, size_t k, vs_err *err)
{
    memset(gpu, 0, sizeof *gpu);
    gpu->conn = conn;
    gpu->plan = plan;
    gpu->who = who;
    gpu->advice = VS_GPU_TAKE_CPU;
    if (vs_gpu_use_mode(conn, plan->options.device) == VS_GPU_OFF || !vs_gpu_is_possible()) {
        gpu->reason = VS_GPU_IS_OFF;
        return SQLITE_OK;
    }
    gpu->is_wanted = 1;
    gpu->started_ns = vs_metrics_now_ns();
    gpu_table_want(&gpu->want, conn, plan, query->dim);
    gpu->want.query_count = count;
    gpu->want.k = k;
    gpu->reason = gpu_table_takes(plan) ? vs_gpu_refusal(&gpu->want) : VS_GPU_SHAPE;
    if (gpu->reason != VS_GPU_NONE) { /* a small table's search takes less than finding its tag */
        vs_gpu_count_fallback(gpu->reason, count);
        return SQLITE_OK;
    }
    int is_named = 0;
    int rc = gpu_table_enter(gpu, &is_named, err);
    if (rc != SQLITE_OK || !is_named) {
        return rc;
    }
    gpu->advice = vs_gpu_advise(&gpu->want, &gpu->image, &gpu->reason);
    if (gpu->advice == VS_GPU_TAKE_GPU && !gpu_table_find_rows(gpu)) {
        gpu->advice = VS_GPU_TAKE_CPU;
        gpu->reason = VS_GPU_STALE;
        vs_gpu_count_fallback(gpu->reason, count);
    } else if (gpu->advice == VS_GPU_TAKE_FILL) {
        gpu_table_take_fill(gpu);
    }
    return SQLITE_OK;
}

/* ---- searching ------------------------------------------------------------------------------- */

/* Bits of the rows whose ids the filter lists. Returns their number. */
static size_t gpu_table_mask(vs_gpu_table *gpu, const vs_filter *filter)
{
    const vs_gpu_rows *rows = gpu->rows;
    size_t places = (size_t)vs_gpu_image_segments(gpu->image) * rows->segment_rows;
    size_t found = 0, at = 0;
    gpu->wanted = sqlite3_malloc64(places / 8 + 4);
    if (gpu->wanted == NULL) {
        return 0;
    }
    memset(gpu->wanted, 0, places / 8 + 4);
    for (size_t i = 0; i < filter->id_count && at < rows->count; i++) {
        at = vs_gpu_rows_lower(rows, at, filter->ids[i]);
        if (at < rows->count && at < places && rows->ids[at] == filter->ids[i]) {
            gpu->wanted[at / 32] |= 1u << (at % 32);
            found++;
        }
    }
    return found;
}

/* What the image does not hold: segments that are not resident, and rows behind the last one. */
static int gpu_table_find_gaps(vs_gpu_table *gpu)
{
    const vs_gpu_rows *rows = gpu->rows;
    uint32_t segments = vs_gpu_image_segments(gpu->image);
    size_t first = 0;
    gpu->gaps = sqlite3_malloc64(((size_t)segments + 1) * sizeof *gpu->gaps);
    if (gpu->gaps == NULL) {
        return 0;
    }
    for (uint32_t s = 0; first < rows->count; s++, first += rows->segment_rows) {
        size_t end =
            first + rows->segment_rows < rows->count ? first + rows->segment_rows : rows->count;
        if (s >= segments) { /* places beyond: behind the last one */
            gpu->gaps[gpu->gap_count++] = (vs_gpu_range){rows->ids[first], INT64_MAX, first};
            return 1;
        }
        if (!vs_gpu_image_is_resident(gpu->image, s)) {
            gpu->gaps[gpu->gap_count++] =
                (vs_gpu_range){rows->ids[first], rows->ids[end - 1], first};
        }
    }
    int64_t last = rows->count > 0 ? rows->ids[rows->count - 1] : INT64_MIN;
    if (!rows->is_whole && last < INT64_MAX) {
        int64_t lo = rows->count > 0 ? last + 1 : last;
        gpu->gaps[gpu->gap_count++] = (vs_gpu_range){lo, INT64_MAX, rows->count};
    }
    return 1;
}

static int gpu_table_begin_search(vs_gpu_table *gpu, const void *queries, const vs_filter *filter)
{
    vs_gpu_query query;
    memset(&query, 0, sizeof query);
    query.version = vs_gpu_image_version(gpu->image); /* before looking at what is resident */
    query.metric = gpu->want.metric;
    query.queries = vs_gpu_use_floats(queries, gpu->want.type,
                                      gpu->want.query_count * gpu->want.dim, &gpu->queries);
    query.count = gpu->want.query_count;
    query.k = gpu->want.k;
    query.distance_lo = vs_filter_floor(filter);
    query.distance_hi = filter->distance_hi;
    query.wanted_rows = (double)gpu->rows->count;
    gpu->reason = VS_GPU_BUDGET; /* of memory, here */
    if (filter->has_ids) {
        query.wanted_rows = (double)gpu_table_mask(gpu, filter);
        query.wanted = gpu->wanted;
        if (query.wanted == NULL) {
            return 0;
        }
    }
    if (query.queries == NULL || !gpu_table_find_gaps(gpu)) {
        return 0;
    }
    gpu->search_ns = vs_metrics_now_ns();
    gpu->search = vs_gpu_search_begin(gpu->image, &query, &gpu->reason);
    return gpu->search != NULL;
}

int vs_gpu_table_start(vs_gpu_table *gpu, const void *queries, const vs_filter *filter)
{
    int is_started = gpu_table_begin_search(gpu, queries, filter);
    if (!is_started) {
        vs_gpu_count_fallback(gpu->reason, gpu->want.query_count);
    } else if (gpu->gap_count > 0) {
        gpu_table_take_fill(gpu);
    }
    return is_started;
}

static int gpu_table_poll(void *arg)
{
    vs_gpu_table *gpu = arg;
    return vs_poll(gpu->conn->db, &gpu->poll);
}

int vs_gpu_table_wait(vs_gpu_table *gpu, int *out_done)
{
    int rc = vs_gpu_search_wait(gpu->search, gpu_table_poll, gpu, &gpu->reason);
    gpu->device_us = (double)(vs_metrics_now_ns() - gpu->search_ns) / 1000.0;
    *out_done = rc == SQLITE_OK && gpu->reason == VS_GPU_NONE;
    if (rc == SQLITE_OK && !*out_done) {
        vs_gpu_count_fallback(gpu->reason, gpu->want.query_count);
    }
    return rc;
}

/* The canonical distance of one row that may be in the answer, from its vector in the table. */
static int gpu_table_offer(vs_gpu_table *gpu, int64_t id, vs_collector *collector, vs_rows *rows,
                           int *out_done, vs_err *err)
{
    int64_t skipped = rows->rows_skipped;
    int rc = vs_rows_start(rows, 0.0, 0.0, &id, 1);
    if (rc == SQLITE_OK) {
        rc = vs_rows_next(rows, err);
    }
    if (rc == SQLITE_ROW) {
        rc = vs_collector_offer(collector, rows, err);
    } else if (rc == SQLITE_DONE) { /* skipped as bad; or the copy is not of this table */
        rc = SQLITE_OK;
        if (rows->rows_skipped == skipped) {
            *out_done = 0;
            gpu->reason = VS_GPU_STALE;
        }
    }
    vs_rows_reset(rows);
    return rc;
}

int vs_gpu_table_finish(vs_gpu_table *gpu, size_t q, vs_collector *collector, vs_rows *rows_by_id,
                        int *out_done, vs_err *err)
{
    size_t count = 0;
    int rc = SQLITE_OK;
    const vs_gpu_hit *hits = vs_gpu_search_hits(gpu->search, q, &count, &gpu->reason);
    *out_done = gpu->reason == VS_GPU_NONE;
    if (!*out_done) {
        vs_gpu_count_fallback(gpu->reason, 1);
        return SQLITE_OK;
    }
    collector->counters->gpu_survivors += (int64_t)count;
    for (size_t i = 0; i < count && rc == SQLITE_OK && *out_done; i++) {
        size_t place = (size_t)hits[i].segment * gpu->rows->segment_rows + hits[i].row;
        if (hits[i].lo > vsk_topk_worst(&collector->topk)) {
            break;
        }
        if (place >= gpu->rows->count) {
            continue; /* a place without a row is never live */
        }
        if (hits[i].is_exact) {
            vs_collector_push(collector, hits[i].lo, gpu->rows->ids[place]);
        } else {
            rc = gpu_table_offer(gpu, gpu->rows->ids[place], collector, rows_by_id, out_done, err);
        }
    }
    return rc;
}

/* ---- filling --------------------------------------------------------------------------------- */

void vs_gpu_table_enter_pass(vs_gpu_table *gpu)
{
    if (gpu->fill != NULL) {
        gpu->rows->count = 0;
        gpu->rows->is_whole = 0;
        gpu->place = 0;
        gpu->is_filling = 1;
        gpu->is_last = 1;
    }
}

void vs_gpu_table_enter_gap(vs_gpu_table *gpu, size_t i)
{
    gpu->place = gpu->gaps[i].place;
    gpu->is_filling = gpu->fill != NULL;
    gpu->is_last = gpu->gaps[i].hi == INT64_MAX;
}

/* Sends what is pending. */
static void gpu_table_send(vs_gpu_table *gpu)
{
    size_t first = gpu->place - gpu->pending_rows;
    size_t segment_rows = gpu->rows->segment_rows;
    if (gpu->pending_rows > 0 && !gpu->is_bad) {
        gpu->is_bad = !vs_gpu_fill_rows(gpu->fill, (uint32_t)(first / segment_rows),
                                        (uint32_t)(first % segment_rows), gpu->pending,
                                        (uint32_t)gpu->pending_rows);
    }
    gpu->pending_rows = 0;
}

/* Takes one row for the next place. */
static void gpu_table_append(vs_gpu_table *gpu, const void *row)
{
    size_t bytes = vsk_bytes(gpu->want.type, gpu->want.dim);
    if (gpu->pending == NULL) {
        gpu->pending = sqlite3_malloc64(GPU_TABLE_PENDING_BYTES);
    }
    if (gpu->pending == NULL) {
        gpu->is_bad = 1;
        return;
    }
    memcpy(gpu->pending + gpu->pending_rows * bytes, row, bytes);
    gpu->pending_rows++;
    gpu->place++;
    if ((gpu->pending_rows + 1) * bytes > GPU_TABLE_PENDING_BYTES) {
        gpu_table_send(gpu);
    }
}

/* Makes the rows of the segment that end before `place` live. */
static void gpu_table_seal(vs_gpu_table *gpu, size_t place)
{
    size_t segment_rows = gpu->rows->segment_rows;
    gpu_table_send(gpu);
    uint32_t segment = (uint32_t)((place - 1) / segment_rows);
    size_t rows = place - segment * segment_rows;
    uint32_t *bits = sqlite3_malloc64(segment_rows / 8);
    if (bits == NULL) {
        gpu->is_bad = 1;
        return;
    }
    memset(bits, 0, segment_rows / 8);
    memset(bits, 0xff, rows / 32 * 4);
    if (rows % 32 != 0) {
        bits[rows / 32] = (1u << (rows % 32)) - 1;
    }
    gpu->is_bad |= !vs_gpu_fill_live(gpu->fill, segment, bits);
    sqlite3_free(bits);
}

void vs_gpu_table_row(vs_gpu_table *gpu, const vs_rows *rows)
{
    vs_gpu_rows *known = gpu->rows;
    if (!gpu->is_filling || gpu->is_bad) {
        return;
    }
    size_t row = gpu->place % known->segment_rows;
    uint32_t segment = (uint32_t)(gpu->place / known->segment_rows);
    int is_new = gpu->place == known->count;
    if (!is_new && known->ids[gpu->place] != rows->id) {
        gpu->is_bad = 1;
        return;
    }
    if (row == 0 || is_new) {
        if (is_new && known->count > 0 && rows->id <= known->ids[known->count - 1]) {
            gpu->is_bad = 1; /* ids do not rise: a key in descending order */
            return;
        }
        if (row == 0 && !vs_gpu_fill_segment(gpu->fill, segment)) {
            gpu->is_filling = 0; /* no room: the CPU will read the rest */
            return;
        }
        gpu->is_bad |= is_new && !vs_gpu_rows_append(known, rows->id);
    }
    if (!gpu->is_bad) {
        gpu_table_append(gpu, rows->data);
    }
    if (!gpu->is_bad && row + 1 == known->segment_rows) {
        gpu_table_seal(gpu, gpu->place);
    }
}

void vs_gpu_table_leave(vs_gpu_table *gpu)
{
    if (!gpu->is_filling || gpu->is_bad) {
        gpu->is_filling = 0;
        return;
    }
    if (gpu->place % gpu->rows->segment_rows != 0) {
        gpu_table_seal(gpu, gpu->place);
    }
    gpu->rows->is_whole |= gpu->is_last && !gpu->is_bad;
    gpu->is_filling = 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* For the advice to come, and for vec_stats. */
static void gpu_table_note(vs_gpu_table *gpu, int is_good, vs_counters *counters)
{
    int is_gpu = gpu->search != NULL && gpu->reason == VS_GPU_NONE;
    if (is_good && gpu->fill == NULL) { /* filling takes time of its own */
        vs_gpu_note_time(&gpu->want, is_gpu,
                         (double)(vs_metrics_now_ns() - gpu->started_ns) / 1000.0);
    }
    if (counters != NULL) {
        vs_gpu_use_count(counters, gpu->want.query_count, gpu->reason,
                         gpu->fill == NULL ? 0 : vs_gpu_fill_bytes(gpu->fill), gpu->device_us);
    }
}

void vs_gpu_table_end(vs_gpu_table *gpu, int is_good, vs_counters *counters)
{
    is_good = is_good && !gpu->is_bad;
    if (gpu->is_wanted) {
        gpu_table_note(gpu, is_good, counters);
    }
    vs_gpu_search_end(gpu->search);
    if (gpu->fill != NULL) {
        if (!is_good) { /* also rows that were passed over as bad: an error for the next search, perhaps */
            gpu->rows->count = 0;
            gpu->rows->is_whole = 0;
        }
        vs_gpu_fill_end(gpu->fill, is_good);
    }
    vs_gpu_image_unref(gpu->image);
    vs_table_tag_leave(gpu->tag);
    sqlite3_finalize(gpu->poll);
    sqlite3_free(gpu->pending);
    sqlite3_free(gpu->wanted);
    sqlite3_free(gpu->queries);
    sqlite3_free(gpu->gaps);
    memset(gpu, 0, sizeof *gpu);
}

/* ---- commands -------------------------------------------------------------------------------- */

/* Reads the whole table into the image. */
static int gpu_table_load_rows(vs_gpu_table *gpu, vs_err *err)
{
    vs_rows rows;
    vs_rows_shape shape = {gpu->who, gpu->want.type, gpu->want.dim, 0};
    int rc = vs_rows_open(&gpu->plan->target, &shape, VS_ROWS_TABLE, NULL, &rows, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    int job = vs_job_begin(gpu->who, gpu->plan->target.label, "load", (int64_t)gpu->plan->rows);
    vs_gpu_table_enter_pass(gpu);
    rc = vs_rows_start(&rows, 0.0, 0.0, NULL, 0);
    while (rc == SQLITE_OK && gpu->is_filling && (rc = vs_rows_next(&rows, err)) == SQLITE_ROW) {
        vs_gpu_table_row(gpu, &rows);
        vs_job_progress(job, (int64_t)gpu->place);
        rc = SQLITE_OK;
    }
    if (rc == SQLITE_DONE) {
        vs_gpu_table_leave(gpu);
        rc = SQLITE_OK;
    }
    vs_job_end(job);
    vs_rows_close(&rows);
    return rc;
}

int vs_gpu_table_load(vs_conn *conn, const char *who, const vs_plan *plan, size_t dim,
                      vs_gpu_precision precision, uint64_t *out_bytes, vs_gpu_reason *out_reason,
                      vs_err *err)
{
    vs_gpu_table gpu;
    int is_named = 0;
    memset(&gpu, 0, sizeof gpu);
    gpu.conn = conn;
    gpu.plan = plan;
    gpu.who = who;
    *out_bytes = 0;
    *out_reason = VS_GPU_ABSENT;
    gpu_table_want(&gpu.want, conn, plan, dim);
    gpu.want.mode = VS_GPU_PREFER;
    if (!vs_gpu_is_possible()) {
        return SQLITE_OK;
    }
    if (!gpu_table_takes(plan) || dim > VSG_DIM_MAX) {
        *out_reason = VS_GPU_SHAPE;
        return SQLITE_OK;
    }
    int rc = gpu_table_enter(&gpu, &is_named, err);
    if (rc == SQLITE_OK && is_named) {
        gpu.image = vs_gpu_image_make(&gpu.want, precision, &gpu.reason);
        if (gpu.image != NULL) {
            gpu_table_take_fill(&gpu);
            gpu.reason = gpu.fill == NULL ? VS_GPU_BUSY : VS_GPU_NONE;
        }
    }
    if (rc == SQLITE_OK && gpu.fill != NULL) {
        rc = gpu_table_load_rows(&gpu, err);
        *out_bytes = rc == SQLITE_OK && !gpu.is_bad ? vs_gpu_fill_bytes(gpu.fill) : 0;
        gpu.reason = *out_bytes == 0 && plan->rows > 0 ? VS_GPU_BUDGET : VS_GPU_NONE;
    }
    *out_reason = gpu.reason;
    vs_gpu_table_end(&gpu, rc == SQLITE_OK, NULL);
    return rc;
}

uint64_t vs_gpu_table_evict(vs_conn *conn, const vs_plan *plan)
{
    vs_gpu_want want;
    gpu_table_want(&want, conn, plan, 0);
    return vs_gpu_evict(&want.key);
}
