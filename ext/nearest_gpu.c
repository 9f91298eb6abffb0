/*
 * nearest_gpu.c - the part of a search of a vecshard table that a GPU does.
 *
 * The device holds cells of the view under their stamps (gpu_index.c) and tells which of their rows may
 * be in an answer, each with a lower bound on its distance, or the distance itself. To the rest of a
 * search these are candidates as its own scan finds them. What the device does not hold, the CPU scans
 * meanwhile.
 *
 * Calls: gpu.c, gpu_index.c, gpu_use.c, rowset.c, poll.c.
 * Called by: nearest.c.
 * Threads: the connection's.
 */
#include "nearest_impl.h"

#include "../kernels/bits.h"
#include "poll.h"

#include <math.h>
#include <stdlib.h>

#define OFFLOAD_FILL_MS                                                                            \
    20 /* that a search spends on bringing cells to a device that is preferred */

/* The rows of cells that are not on the device. */
static vs_rowset *offload_rest(const vs_gpu_map *map, const vs_view *view, const vs_rowset *rows)
{
    vs_rowset *rest = vs_cached_new(sizeof *rest + view->cell_count, NULL);
    if (rest == NULL) {
        return NULL;
    }
    rest->cell_count = view->cell_count;
    rest->cells = (uint8_t *)(rest + 1);
    if (rows != NULL) { /* which stays longer */
        rest->words = rows->words;
        rest->bits = rows->bits;
    }
    for (size_t i = 0; i < view->cell_count; i++) {
        uint64_t words[VS_SLOTS_MAX / 64];
        rest->cells[i] = map->is_there[i] ? VS_ROWSET_NONE
                         : rows == NULL   ? VS_ROWSET_ALL
                                          : rows->cells[i];
        if (rest->cells[i] == VS_ROWSET_NONE) {
            continue;
        }
        memcpy(words, view->cells[i].map, sizeof words);
        if (rows != NULL) {
            vs_rowset_mask(rows, i, words, (view->slots + 63) / 64);
        }
        for (size_t w = 0; w < VS_SLOTS_MAX / 64; w++) {
            rest->rows += vsk_popcount64(words[w]);
        }
    }
    return rest;
}

/* Starts the search; without one the reason is set. */
static void offload_start(nearest_offload *offload, const vs_rowset *rows, const void *queries,
                          const vs_filter *filter)
{
    vs_gpu_query query;
    int64_t wanted_rows = offload->view->live;
    offload->reason = VS_GPU_STALE;
    vs_gpu_index_map(offload->image, offload->view, &offload->map);
    if (offload->map == NULL) {
        return;
    }
    offload->reason = VS_GPU_BUDGET; /* of memory, here */
    if (rows != NULL || !offload->map->is_exact) {
        offload->wanted = vs_gpu_index_mask(offload->map, offload->view, rows, &wanted_rows);
        if (offload->wanted == NULL) {
            return;
        }
    }
    memset(&query, 0, sizeof query);
    query.metric = offload->want.metric;
    query.queries =
        vs_gpu_use_floats(queries, offload->want.type,
                          offload->want.query_count * offload->want.dim, &offload->floats);
    query.count = offload->want.query_count;
    query.k = offload->want.k;
    query.distance_lo = vs_filter_floor(filter);
    query.distance_hi = filter->distance_hi;
    query.wanted = offload->wanted;
    query.wanted_rows = (double)wanted_rows;
    query.version = offload->map->version;
    offload->rest = offload_rest(offload->map, offload->view, rows);
    if (query.queries != NULL && offload->rest != NULL) {
        offload->search = vs_gpu_search_begin(offload->image, &query, &offload->reason);
    }
}

/* What a search of the store's vectors on a GPU would be. */
static int offload_is_possible(const vs_nearest *nearest, const vs_filter *filter)
{
    return vs_gpu_use_mode(nearest->store->conn, nearest->device) != VS_GPU_OFF &&
           vs_gpu_use_takes(nearest->metric, nearest->spec->type) &&
           vs_gpu_index_takes(nearest->store, nearest->vector) && filter->norm_lo == -INFINITY &&
           filter->norm_hi == INFINITY && vs_gpu_is_possible();
}

void vs_nearest_offload_begin(nearest_offload *offload, vs_nearest *nearest, const vs_view *view,
                              const vs_rowset *rows, const void *queries, size_t count,
                              const vs_filter *filter, size_t k)
{
    memset(offload, 0, sizeof *offload);
    offload->nearest = nearest;
    offload->view = view;
    offload->reason = VS_GPU_IS_OFF;
    if (!offload_is_possible(nearest, filter)) {
        return;
    }
    offload->is_wanted = 1;
    offload->started_ns = vs_metrics_now_ns();
    vs_gpu_index_want(nearest->store, nearest->vector, view, &offload->want);
    offload->want.metric = nearest->metric;
    offload->want.query_count = count;
    offload->want.k = k;
    offload->want.mode = vs_gpu_use_mode(nearest->store->conn, nearest->device);
    if (k > VSG_K_MAX) {
        offload->reason = VS_GPU_SHAPE;
        vs_gpu_count_fallback(offload->reason, count);
        return;
    }
    offload->advice = vs_gpu_advise(&offload->want, &offload->image, &offload->reason);
    if (offload->advice == VS_GPU_TAKE_GPU) {
        offload_start(offload, rows, queries, filter);
        if (offload->search == NULL) {
            vs_gpu_count_fallback(offload->reason, count);
        }
    }
}

static int offload_poll(void *arg)
{
    nearest_offload *offload = arg;
    return vs_poll(offload->nearest->store->db, &offload->nearest->poll);
}

int vs_nearest_offload_wait(nearest_offload *offload, int *out_done)
{
    int rc = SQLITE_OK;
    if (!offload->is_waited) {
        offload->is_waited = 1;
        rc = vs_gpu_search_wait(offload->search, offload_poll, offload, &offload->reason);
        offload->device_us = (double)(vs_metrics_now_ns() - offload->started_ns) / 1000.0;
        if (rc == SQLITE_OK && offload->reason != VS_GPU_NONE) {
            vs_gpu_count_fallback(offload->reason, offload->want.query_count);
        }
    }
    *out_done = rc == SQLITE_OK && offload->reason == VS_GPU_NONE;
    return rc;
}

int vs_nearest_offload_take(nearest_offload *offload, size_t query,
                            const nearest_candidate *scanned, size_t scanned_count,
                            const nearest_candidate **out, size_t *out_count, int *out_done)
{
    size_t count = 0, n = scanned_count;
    const vs_gpu_hit *hits = vs_gpu_search_hits(offload->search, query, &count, &offload->reason);
    *out_done = offload->reason == VS_GPU_NONE;
    if (!*out_done) {
        vs_gpu_count_fallback(offload->reason, 1);
        return SQLITE_OK;
    }
    nearest_candidate *all =
        vs_scratch_get(&offload->nearest->found, (scanned_count + count + 1) * sizeof *all);
    if (all == NULL) {
        return SQLITE_NOMEM;
    }
    if (scanned_count > 0) {
        memcpy(all, scanned, scanned_count * sizeof *all);
    }
    for (size_t i = 0; i < count; i++) {
        nearest_candidate *candidate = &all[n];
        if (vs_gpu_index_place(offload->map, hits[i].segment, hits[i].row, &candidate->cell,
                               &candidate->slot, &candidate->rowid)) {
            candidate->lo = hits[i].lo;
            candidate->slot |= hits[i].is_exact ? NEAREST_EXACT : 0;
            n++;
        }
    }
    qsort(all, n, sizeof *all, vs_nearest_compare);
    *out = all;
    *out_count = n;
    offload->survivors += (int64_t)(n - scanned_count);
    return SQLITE_OK;
}

/* Does an error of filling end the search, whose answer is there? Only what the user asked for, and what
 * has ended the transaction, which must not be hidden. */
static int offload_is_fatal(sqlite3 *db, int rc, int was_open)
{
    return (rc & 0xff) == SQLITE_INTERRUPT ||
           (rc != SQLITE_OK && was_open && sqlite3_get_autocommit(db));
}

/* Brings cells to the device that are not there, for some time. */
static int offload_fill(nearest_offload *offload, int milliseconds, vs_err *err)
{
    vs_store *store = offload->nearest->store;
    vs_err unheard = VS_ERR_INIT;
    int was_open = !sqlite3_get_autocommit(store->db);
    int64_t started = vs_metrics_now_ns();
    vs_store_note_pages(store);
    int rc = vs_gpu_index_fill(offload->image, store, offload->view, milliseconds,
                               &offload->upload_bytes, &unheard);
    vs_gpu_index_spend(offload->image, (double)(vs_metrics_now_ns() - started) / 1000.0);
    if (!offload_is_fatal(store->db, rc, was_open)) {
        rc = SQLITE_OK;
    } else if (unheard.message != NULL) {
        rc = vs_error(err, rc, "%s", unheard.message);
    }
    vs_error_clear(&unheard);
    return rc;
}

/* How long the search may fill: where a GPU is preferred, whatever it costs. */
static int offload_fill_time(const nearest_offload *offload, int is_gpu)
{
    double us = (double)(vs_metrics_now_ns() - offload->started_ns) / 1000.0;
    int allowed = vs_gpu_index_allow(offload->image, us, offload->want.query_count, !is_gpu);
    return offload->want.mode == VS_GPU_PREFER ? OFFLOAD_FILL_MS : allowed;
}

int vs_nearest_offload_end(nearest_offload *offload, int is_good, vs_counters *counters,
                           vs_err *err)
{
    int is_gpu = offload->search != NULL && offload->reason == VS_GPU_NONE;
    int is_whole = is_gpu ? offload->map->missing == 0 : offload->image == NULL;
    int rc = SQLITE_OK;
    if (is_good && offload->is_wanted && is_whole) {
        vs_gpu_note_time(&offload->want, is_gpu,
                         (double)(vs_metrics_now_ns() - offload->started_ns) / 1000.0);
    }
    vs_gpu_search_end(offload->search);
    if (is_good && offload->image != NULL &&
        (offload->advice == VS_GPU_TAKE_FILL || offload->map == NULL ||
         offload->map->missing > 0)) {
        int milliseconds = offload_fill_time(offload, is_gpu);
        rc = milliseconds > 0 ? offload_fill(offload, milliseconds, err) : SQLITE_OK;
    }
    if (offload->is_wanted) {
        counters->gpu_survivors += offload->survivors;
        vs_gpu_use_count(counters, offload->want.query_count, offload->reason,
                         offload->upload_bytes, offload->device_us);
    }
    vs_gpu_image_unref(offload->image);
    vs_cached_unref(offload->map);
    vs_cached_unref(offload->rest);
    sqlite3_free(offload->wanted);
    sqlite3_free(offload->floats);
    return rc;
}
