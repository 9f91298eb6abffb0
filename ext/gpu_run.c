/*
 * gpu_run.c - searches on the device.
 *
 * A search holds its segments from its beginning to its end: they are not evicted, and no place of
 * them whose row is live is overwritten. The module reads the rows that are wanted and live by a
 * mask made at the beginning, so what is filled meanwhile is not seen. The module's ticket goes back
 * as soon as the answer is copied; of a search that ends before that, the segments stay until the
 * module says that the device is done with it.
 *
 * Calls: the module, gpu.c, gpu_cache.c, gpu_evict.c, gpu_cost.c, distance.c.
 * Called by: whoever calls gpu.h.
 * Threads: one for a search; all.
 */
#include "gpu_impl.h"

#if defined(VS_GPU_POSIX)

#include <math.h>
#include <stdlib.h>

#include "distance.h"

#define RUN_STEP_US 1000
#define RUN_DEADLINE_FACTOR 10

struct vs_gpu_search {
    vs_gpu_image *image; /* one reference */
    vsg_ticket *ticket;  /* NULL: given back, or never had */
    uint32_t *numbers;   /* [segment_count] of the image's segments, which are held */
    vsg_segment **handles;
    uint32_t segment_count;
    vs_metric metric;
    size_t query_count;
    double *sumsqs;       /* [query_count] canonical, of the queries */
    int64_t allowed_ns;   /* to wait for it */
    int64_t deadline_ns;  /* from the first waiting on: the module may have work to send until then;
                            0: nobody waits yet */
    vs_gpu_reason reason; /* VS_GPU_NONE: the answer is below */
    vs_gpu_hit *hits;
    size_t *first; /* [query_count + 1] */
    uint8_t *states;
};

static vsg_metric run_metric(vs_metric metric)
{
    return metric == VS_COSINE ? VSG_COSINE : metric == VS_DOT ? VSG_DOT : VSG_L2SQ;
}

/* ---- beginning ------------------------------------------------------------------------------- */

static void run_free(vs_gpu_search *search)
{
    sqlite3_free(search->numbers);
    sqlite3_free(search->handles);
    sqlite3_free(search->sumsqs);
    sqlite3_free(search->hits);
    sqlite3_free(search->first);
    sqlite3_free(search->states);
    sqlite3_free(search);
}

/* Room for a search of `segments` segments. NULL: no memory. */
static vs_gpu_search *run_new(const vs_gpu_query *query, uint32_t segments, size_t dim)
{
    vs_gpu_search *search = sqlite3_malloc64(sizeof *search);
    if (search == NULL) {
        return NULL;
    }
    memset(search, 0, sizeof *search);
    search->metric = query->metric;
    search->query_count = query->count;
    search->reason = VS_GPU_BUSY;
    search->numbers = sqlite3_malloc64((segments + 1) * sizeof *search->numbers);
    search->handles = sqlite3_malloc64((segments + 1) * sizeof *search->handles);
    search->sumsqs = sqlite3_malloc64(query->count * sizeof *search->sumsqs);
    search->states = sqlite3_malloc64(query->count);
    search->first = sqlite3_malloc64((query->count + 1) * sizeof *search->first);
    if (search->numbers == NULL || search->handles == NULL || search->sumsqs == NULL ||
        search->states == NULL || search->first == NULL) {
        run_free(search);
        return NULL;
    }
    for (size_t q = 0; q < query->count; q++) { /* the same bits as in the rows' own type */
        search->sumsqs[q] = vsk_get()->sumsq[VSK_F32](query->queries + q * dim, dim);
    }
    return search;
}

/* Holds the segments that are resident. Under the device lock. */
static vs_gpu_reason run_hold(vs_gpu_search *search, vs_gpu_image *image, uint64_t version,
                              uint32_t segments)
{
    int64_t now = vs_gpu_now_ns();
    vs_gpu_lock();
    int is_same = image->version == version && image->count == segments;
    for (uint32_t i = 0; i < image->count && is_same; i++) {
        vs_gpu_segment *segment = &image->segments[i];
        if (segment->is_live) {
            segment->searches++;
            segment->hits++;
            segment->used_ns = now;
            search->numbers[search->segment_count] = i;
            search->handles[search->segment_count++] = segment->handle;
        }
    }
    image->used_ns = vs_gpu.used_ns = now;
    search->image = vs_gpu_image_ref(image);
    vs_gpu_unlock();
    return is_same && search->segment_count > 0 ? VS_GPU_NONE : VS_GPU_STALE;
}

/* Lets go of what run_hold took. Returns 1 where a segment may be waiting for that. */
static int run_release(vs_gpu_search *search)
{
    vs_gpu_image *image = search->image;
    int is_awaited = 0;
    vs_gpu_lock();
    for (uint32_t i = 0; i < search->segment_count; i++) {
        vs_gpu_segment *segment = &image->segments[search->numbers[i]];
        segment->searches--;
        is_awaited |= segment->is_condemned || !image->is_listed;
    }
    search->segment_count = 0;
    vs_gpu_unlock();
    return is_awaited;
}

/* The mask of a search: wanted rows that are live, of the segments it holds. NULL: no memory. Under
 * the device lock, which those who change live rows take. */
static uint32_t *run_mask(const vs_gpu_search *search, const uint32_t *wanted)
{
    const vs_gpu_image *image = search->image;
    size_t words = image->shape.rows / 32;
    uint32_t *mask = sqlite3_malloc64(search->segment_count * words * sizeof *mask);
    for (uint32_t i = 0; mask != NULL && i < search->segment_count; i++) {
        uint32_t number = search->numbers[i];
        const uint32_t *live = image->segments[number].live;
        for (size_t w = 0; w < words; w++) {
            mask[i * words + w] = live[w] & (wanted != NULL ? wanted[number * words + w] : ~0u);
        }
    }
    return mask;
}

/* A limit in the unit of the module, which knows no roots. `slack` is more than the square and the
 * root may be wrong by; a lower limit needs none: the module's own bounds are wider than that. */
static double run_limit(vs_metric metric, double distance, double slack)
{
    if (metric != VS_L2 || isinf(distance)) {
        return distance;
    }
    return distance < 0.0 ? -INFINITY : distance * distance * slack;
}

static vs_gpu_reason run_reason(int rc)
{
    switch (rc) {
    case VSG_BUSY:
        return VS_GPU_BUSY;
    case VSG_NO_MEMORY:
        return VS_GPU_BUDGET;
    case VSG_UNSUPPORTED:
        return VS_GPU_SHAPE;
    default:
        return VS_GPU_ERROR;
    }
}

/* Under the device lock. */
static vs_gpu_reason run_send(vs_gpu_search *search, const vs_gpu_query *query)
{
    const vs_gpu_image *image = search->image;
    uint32_t *mask = run_mask(search, query->wanted);
    vsg_search ask = {search->handles,
                      search->segment_count,
                      run_metric(query->metric),
                      query->queries,
                      (uint32_t)query->count,
                      (uint32_t)query->k,
                      INFINITY,
                      -INFINITY,
                      mask,
                      0};
    if (mask == NULL) {
        return VS_GPU_ERROR;
    }
    ask.limit = run_limit(query->metric, query->distance_hi, 1.0 + 0x1p-50);
    ask.floor = run_limit(query->metric, query->distance_lo, 1.0);
    ask.wanted_rows = query->wanted_rows > 0.0 ? (uint64_t)query->wanted_rows : 0;
    int rc = vs_gpu_check(vs_gpu.api->search_begin(vs_gpu.device, &ask, &search->ticket));
    sqlite3_free(mask);
    if (rc != VSG_OK) {
        search->ticket = NULL;
        return run_reason(rc);
    }
    vs_gpu_lock();
    vs_gpu.searches++;
    double bytes = (double)search->segment_count * (double)image->segment_bytes;
    double us = vs_gpu_estimate_us(bytes, query->count) * RUN_DEADLINE_FACTOR;
    vs_gpu_unlock();
    us += (double)atomic_load(&vs_gpu_deadline_us);
    search->allowed_ns = (int64_t)(us * 1000.0);
    return VS_GPU_NONE;
}

static int run_is_shape(const vs_gpu_query *query)
{
    return query->count >= 1 && query->count <= VSG_QUERIES_MAX && query->k >= 1 &&
           query->k <= VSG_K_MAX &&
           (query->metric == VS_L2 || query->metric == VS_L2SQ || query->metric == VS_DOT ||
            query->metric == VS_COSINE);
}

vs_gpu_search *vs_gpu_search_begin(vs_gpu_image *image, const vs_gpu_query *query,
                                   vs_gpu_reason *out_reason)
{
    uint32_t segments = vs_gpu_image_segments(image);
    vs_gpu_search *search = NULL;
    *out_reason = VS_GPU_SHAPE;
    if (!run_is_shape(query)) {
        return NULL;
    }
    search = run_new(query, segments, image->shape.dim);
    if (search == NULL || !vs_gpu_enter()) {
        *out_reason = VS_GPU_ERROR;
        if (search != NULL) {
            run_free(search);
        }
        return NULL;
    }
    (void)vs_gpu_keep_low_water(0);
    *out_reason = run_hold(search, image, query->version, segments);
    if (*out_reason == VS_GPU_NONE) {
        *out_reason = run_send(search, query);
    }
    vs_gpu_leave();
    if (*out_reason != VS_GPU_NONE) {
        vs_gpu_search_end(search);
        return NULL;
    }
    return search;
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* One row of the answer as a hit. 0: it is in no answer. */
static int run_hit(const vs_gpu_search *search, const vsg_answer *answer, uint32_t entry,
                   size_t query, vs_gpu_hit *out)
{
    uint32_t row = answer->rows[entry], segment_rows = search->image->shape.rows;
    double lo = answer->lows[entry], distance = 0.0;
    out->segment = search->numbers[row / segment_rows];
    out->row = row % segment_rows;
    out->is_exact = 0;
    if (answer->sums != NULL) {
        vs_dist_kind kind =
            vs_distance_of_sums(search->metric, answer->sums[entry], search->sumsqs[query],
                                answer->row_sumsqs[entry], &distance);
        out->is_exact = kind == VS_DIST_VALUE;
        out->lo = kind == VS_DIST_VALUE ? distance : -INFINITY;
        return kind != VS_DIST_NULL;
    }
    if (search->metric == VS_L2 && lo > -INFINITY) {
        lo = lo > 0.0 ? sqrt(lo) : 0.0; /* the root's rounding is monotone: still not above */
    }
    out->lo = isnan(lo) ? -INFINITY : lo;
    return 1;
}

static int run_compare(const void *a, const void *b)
{
    const vs_gpu_hit *x = a, *y = b;
    if (x->lo != y->lo) {
        return x->lo < y->lo ? -1 : 1;
    }
    if (x->segment != y->segment) {
        return x->segment < y->segment ? -1 : 1;
    }
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Copies the module's answer. */
static vs_gpu_reason run_take(vs_gpu_search *search, const vsg_answer *answer)
{
    size_t total = 0, count = 0;
    for (size_t q = 0; q < search->query_count; q++) {
        total += answer->count[q];
    }
    search->hits = sqlite3_malloc64((total + 1) * sizeof *search->hits);
    if (search->hits == NULL) {
        return VS_GPU_ERROR;
    }
    memcpy(search->states, answer->states, search->query_count);
    for (size_t q = 0; q < search->query_count; q++) {
        search->first[q] = count;
        for (uint32_t i = 0; i < answer->count[q]; i++) {
            count += (size_t)run_hit(search, answer, answer->first[q] + i, q, &search->hits[count]);
        }
        qsort(search->hits + search->first[q], count - search->first[q], sizeof *search->hits,
              run_compare);
    }
    search->first[search->query_count] = count;
    return VS_GPU_NONE;
}

/* Gives the ticket back. is_early: the device may still be at work on it. */
static void run_give_back(vs_gpu_search *search, int is_early)
{
    if (search->ticket == NULL || !vs_gpu_enter()) {
        search->ticket = NULL;
        return;
    }
    vs_gpu_lock();
    for (uint32_t i = 0; i < search->segment_count && is_early; i++) {
        search->image->segments[search->numbers[i]].is_draining = 1;
        vs_gpu.has_drains = 1;
    }
    vs_gpu_unlock();
    vs_gpu.api->search_end(vs_gpu.device, search->ticket);
    search->ticket = NULL;
    vs_gpu_leave();
}

/* Looks once. VSG_PENDING, or it is over and the reason is set. */
static int run_look(vs_gpu_search *search)
{
    vsg_answer answer;
    int rc = VSG_DEAD;
    if (vs_gpu_look() == VS_GPU_OPEN) {
        rc = vs_gpu.api->search_wait(vs_gpu.device, search->ticket, RUN_STEP_US, &answer);
        (void)vs_gpu_check(rc);
    }
    if (rc == VSG_PENDING && vs_gpu_now_ns() > search->deadline_ns) {
        vs_gpu_die("the device did not answer in time");
        rc = VSG_DEAD;
    }
    if (rc != VSG_PENDING) {
        search->reason = rc == VSG_OK ? run_take(search, &answer) : run_reason(rc);
        run_give_back(search, 0);
    }
    return rc;
}

int vs_gpu_search_wait(vs_gpu_search *search, int (*poll)(void *arg), void *arg,
                       vs_gpu_reason *out_reason)
{
    int rc = SQLITE_OK;
    if (search->deadline_ns == 0) {
        search->deadline_ns = vs_gpu_now_ns() + search->allowed_ns;
    }
    while (search->ticket != NULL && rc == SQLITE_OK && run_look(search) == VSG_PENDING) {
        rc = poll != NULL ? poll(arg) : SQLITE_OK;
    }
    *out_reason = search->reason;
    return rc;
}

const vs_gpu_hit *vs_gpu_search_hits(vs_gpu_search *search, size_t query, size_t *out_count,
                                     vs_gpu_reason *out_reason)
{
    *out_count = 0;
    *out_reason = search->reason;
    if (search->reason != VS_GPU_NONE) {
        return NULL;
    }
    if (search->states[query] != VSG_ANSWERED) {
        *out_reason = search->states[query] == VSG_CROWDED ? VS_GPU_CROWDED : VS_GPU_SHAPE;
        return NULL;
    }
    *out_count = search->first[query + 1] - search->first[query];
    return search->hits + search->first[query];
}

void vs_gpu_search_end(vs_gpu_search *search)
{
    if (search == NULL || !vs_gpu_is_orderly()) {
        return;
    }
    run_give_back(search, 1);
    if (search->image != NULL) {
        if (run_release(search) && vs_gpu_enter()) {
            vs_gpu_collect();
            vs_gpu_leave();
        }
        vs_gpu_image_unref(search->image);
    }
    run_free(search);
}

#endif
