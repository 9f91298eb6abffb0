/*
 * nearest_limit.c - the first limit of a search: a distance that k rows are surely within, before
 * any row is dropped. Without it nearly every row of the first cells would pass.
 *
 * Some rows that seem nearest get bounds from all of their code; the k-th smallest upper bound is
 * the limit. What seems nearest is told by front planes, of all rows: their products are kept, and
 * serve the scan after it. Where there are none, plane B of every NEAREST_SAMPLE_SHARE-th cell
 * tells it.
 *
 * Calls: front.c, probe.c, rowset.c, kernels.
 * Called by: nearest.c, nearest_scan.c.
 * Threads: workers, each on its own lanes; they read the view and touch no SQLite.
 */
#include "nearest_impl.h"

#include <math.h>

#define LIMIT_FETCH 16384 /* bytes of the next cell's plane: the rest follows by itself */

int vs_nearest_next_rows(const uint64_t *mask, size_t slots, size_t from, size_t *out_first,
                         size_t *out_end)
{
    enum { GROUP = VSK_FRONT_ROWS };
    size_t i = from;
    while (i < slots && (mask[i / 64] >> (i % 64) & 0xffffu) == 0) {
        i += GROUP;
    }
    *out_first = i;
    while (i < slots && (mask[i / 64] >> (i % 64) & 0xffffu) != 0) {
        i += GROUP;
    }
    *out_end = i;
    return *out_first < slots;
}

int32_t *vs_nearest_front_dots(const nearest_run *run, size_t query, size_t cell)
{
    return run->front_dots + (query * run->view->cell_count + cell) * run->view->slots;
}

int32_t *vs_nearest_sample_dots(const nearest_run *run, size_t cell)
{
    return run->sample_dots == NULL || cell % NEAREST_SAMPLE_SHARE != 0 ||
                   run->view->cells[cell].block == NULL /* read for the scan alone */
               ? NULL
               : run->sample_dots + cell / NEAREST_SAMPLE_SHARE * run->view->slots;
}

/* Offers rows first .. end - 1 of one cell to one query, by its products; ids are places: cell
 * number * slots + slot. */
static void limit_offer(nearest_run *run, nearest_worker *worker, size_t query, size_t cell,
                        size_t first, size_t end, const uint64_t *mask)
{
    const vs_front *front = run->fronts[cell];
    const vs_front_query *prepared = &run->queries[query].front;
    const int32_t *dots = vs_nearest_front_dots(run, query, cell);
    vsk_topk *nearest = &worker->lanes[query].estimates;
    if (nearest->capacity == 0) {
        return;
    }
    vsk_front_test test = vs_front_estimate_test(prepared, vsk_topk_worst(nearest));
    size_t count = vsk_get()->front_pass(&test, dots + first, front->t + first, front->rest + first,
                                         front->g + first, end - first, worker->passed);
    for (size_t i = 0; i < count; i++) {
        size_t slot = first + worker->passed[i];
        double estimate = vs_front_estimate(prepared, front, slot, dots[slot]);
        if ((mask[slot / 64] >> (slot % 64) & 1u) && estimate < vsk_topk_worst(nearest)) {
            vsk_topk_push(nearest, estimate, (int64_t)(cell * front->slots + slot));
        }
    }
}

void vs_nearest_estimate_block(nearest_run *run, nearest_worker *worker, const vs_block *block,
                               size_t cell, size_t next)
{
    uint64_t mask[VS_SLOTS_MAX / 64];
    const vs_front *front = run->fronts[cell];
    size_t first = 0, end = 0;
    const vs_front *ahead = next < run->view->cell_count ? run->fronts[next] : NULL;
    if (ahead != NULL && run->rows == NULL) {
        size_t bytes = ahead->slots * ahead->basis->m;
        vs_nearest_fetch(ahead->projections, bytes < LIMIT_FETCH ? bytes : LIMIT_FETCH);
        vs_nearest_fetch(ahead->t, ahead->slots * sizeof(float));
    }
    if (front == NULL || vs_nearest_mask(run, block, cell, mask) == 0) {
        return;
    }
    while (vs_nearest_next_rows(mask, front->slots, end, &first, &end)) {
        vsk_get()->front_dot(
            run->queries[0].front.w, sizeof(nearest_query) / sizeof(int16_t), run->query_count,
            front->projections + first * front->basis->m, end - first, front->basis->m,
            vs_nearest_front_dots(run, 0, cell) + first, run->view->cell_count * run->view->slots);
        for (size_t query = 0; query < run->query_count; query++) {
            limit_offer(run, worker, query, cell, first, end, mask);
        }
    }
}

/* What the distance of a row seems to be, by plane B alone, without bounds: in the unit of
 * vs_front_estimate. */
static double limit_estimate(const vs_probe *probe, const vs_block *block, uint32_t slot,
                             int32_t dot)
{
    double r = (double)block->r[slot];
    double cosine = (double)block->cos4[slot] * (double)probe->test.scale *
                    (double)(2 * dot - probe->test.offset2) * (double)block->inv4[slot];
    double product = r * probe->length * cosine;
    return probe->metric == VS_DOT ? -product : r * r - 2.0 * product;
}

/* Offers the rows of one cell by plane B. */
static void limit_sample_cell(nearest_run *run, size_t query, size_t cell, vsk_topk *nearest)
{
    nearest_worker *worker = &run->workers[0];
    const vs_block *block = run->view->cells[cell].block;
    const vs_probe *probe = &run->queries[query].probes[vs_nearest_code(run, cell)];
    uint64_t mask[VS_SLOTS_MAX / 64];
    size_t words = (block->slots + 63) / 64;
    if (vs_nearest_mask(run, block, cell, mask) == 0) {
        return;
    }
    int32_t *kept = vs_nearest_sample_dots(run, cell);
    int32_t *dots = kept != NULL ? kept : worker->dots;
    vsk_get()->code_dot(probe->q.high, block->code_dim, 1, block->plane_b, block->b_stride,
                        block->slots, block->code_dim, dots);
    for (size_t w = 0; w < words; w++) {
        for (uint64_t rest = mask[w]; rest != 0; rest &= rest - 1) {
            uint32_t slot = (uint32_t)(64 * w) + (uint32_t)__builtin_ctzll(rest);
            double estimate = limit_estimate(probe, block, slot, dots[slot]);
            if (estimate < vsk_topk_worst(nearest)) { /* not for NaN: no bound */
                vsk_topk_push(nearest, estimate, (int64_t)(cell * block->slots + slot));
            }
        }
    }
}

static int32_t limit_dot(const int8_t *q, const uint8_t *row, size_t code_dim)
{
    int32_t out = 0;
    vsk_get()->code_dot(q, code_dim, 1, row, code_dim / 2, 1, code_dim, &out);
    return out;
}

/* The upper bound of one row, from all of its code; NaN where it is not surely wanted. */
static double limit_high(const nearest_run *run, size_t query, int64_t place)
{
    size_t cell = (size_t)place / run->view->slots;
    uint32_t slot = (uint32_t)((size_t)place % run->view->slots);
    const vs_block *block = run->view->cells[cell].block;
    const vs_probe *probe = &run->queries[query].probes[vs_nearest_code(run, cell)];
    size_t n = block->code_dim;
    const uint8_t *b = block->plane_b + slot * block->b_stride;
    const uint8_t *c = block->plane_c + slot * (n / 2);
    vs_probe_products products = {limit_dot(probe->q.high, b, n), limit_dot(probe->q.high, c, n),
                                  limit_dot(probe->q.low, b, n), limit_dot(probe->q.low, c, n)};
    double lo, hi;
    vs_probe_bounds(probe, VS_PROBE_FINE, &products, (double)block->r[slot],
                    (double)block->cos8[slot], (double)block->sin8[slot], (double)block->inv8[slot],
                    &lo, &hi);
    int is_excluded = run->excluded_count > 0 && vs_nearest_is_excluded(run, block->rowids[slot]);
    return lo > run->floor && !is_excluded ? hi : NAN;
}

/* Lowers the query's limit by the rows that seem nearest, when k of them count. */
static void limit_set(nearest_run *run, size_t query, const vsk_topk *nearest)
{
    vsk_topk highs = run->workers[0].lanes[query].highs; /* its memory is free before the scan */
    for (size_t i = 0; i < nearest->count; i++) {
        double high = limit_high(run, query, nearest->heap[i].id);
        if (high < INFINITY) {
            vsk_topk_push(&highs, high, nearest->heap[i].id);
        }
    }
    double limit = vsk_topk_worst(&highs); /* infinity while there are fewer than k */
    if (highs.capacity > 0 && limit < atomic_load(&run->queries[query].limit)) {
        atomic_store(&run->queries[query].limit, limit);
    }
}

static void limit_sample(nearest_run *run, size_t query)
{
    vsk_topk *nearest = &run->workers[0].lanes[query].estimates;
    for (size_t cell = 0; cell < run->view->cell_count; cell += NEAREST_SAMPLE_SHARE) {
        const vs_block *block = run->view->cells[cell].block;
        if (block != NULL && block->is_coded &&
            (run->rows == NULL || run->rows->cells[cell] != 0)) {
            limit_sample_cell(run, query, cell, nearest);
        }
    }
    run->is_sampled = 1;
}

void vs_nearest_first_limit(nearest_run *run)
{
    for (size_t query = 0; query < run->query_count; query++) {
        vsk_topk *nearest = &run->workers[0].lanes[query].estimates;
        if (run->code_count == 0 || !run->queries[query].probes[0].is_usable) {
            continue;
        }
        for (int w = 1; run->fronts != NULL && w < run->worker_count; w++) {
            const vsk_topk *other = &run->workers[w].lanes[query].estimates;
            for (size_t i = 0; i < other->count; i++) {
                vsk_topk_push(nearest, other->heap[i].distance, other->heap[i].id);
            }
        }
        if (run->fronts == NULL) {
            limit_sample(run, query);
        }
        limit_set(run, query, nearest);
    }
}
