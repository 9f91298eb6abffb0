/*
 * nearest_limit.c - the first limit of a search: a distance that k rows are surely within, before
 * any row is dropped. Without it nearly every row of the first cells would pass.
 *
 * Some rows that seem nearest get bounds from all of their code; the k-th smallest upper bound is
 * the limit. What seems nearest is told by front planes, of all rows, or where few rows are wanted
 * by plane B of each: their products are kept, and serve the scan after it. Otherwise plane B of some
 * cells tells it.
 *
 * Calls: front.c, probe.c, rowset.c, kernels.
 * Called by: nearest.c, nearest_scan.c.
 * Threads: workers, each on its own lanes; they read the view and touch no SQLite.
 */
#include "nearest_impl.h"

#include "../kernels/bits.h"

#include <math.h>

#define LIMIT_FETCH 8192   /* bytes of the next cell's plane: the kernel fetches the rest */
#define LIMIT_FETCH_ROWS 8 /* rows fetched ahead of the one that is looked at */
#define LIMIT_CHUNK 16     /* estimates that the compiler computes together: divides VS_SLOTS_MIN */

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

int32_t *vs_nearest_products(const nearest_run *run, size_t query, size_t cell)
{
    return run->products + (cell * run->query_count + query) * run->view->slots;
}

int32_t *vs_nearest_sample_dots(const nearest_run *run, size_t cell)
{
    return run->sample_dots == NULL || cell % run->sample_share != 0 ||
                   run->view->blocks[cell] == NULL /* read for the scan alone */
               ? NULL
               : run->sample_dots + cell / run->sample_share * run->view->slots;
}

/* Offers rows first .. end - 1 of one cell to one query, by its products; ids are places: cell
 * number * slots + slot. */
static void limit_offer(nearest_run *run, nearest_worker *worker, size_t query, size_t cell,
                        size_t first, size_t end, const uint64_t *mask)
{
    const vs_front *front = run->fronts[cell];
    const vs_front_query *prepared = &run->queries[query].front;
    const int32_t *dots = vs_nearest_products(run, query, cell);
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

/* ---- estimates of all rows ------------------------------------------------------------------- */

/* What the distance of a row seems to be, by plane B alone, without bounds: in the unit of
 * vs_front_estimate, square * r^2 - product * r * cosine. */
typedef struct limit_scale {
    float square, product;
    int32_t offset2;
} limit_scale;

static limit_scale limit_scale_of(const vs_probe *probe)
{
    int is_dot = probe->metric == VS_DOT;
    double product = (is_dot ? 1.0 : 2.0) * probe->length * (double)probe->test.scale;
    return (limit_scale){is_dot ? 0.0f : 1.0f, (float)product, probe->test.offset2};
}

static inline float limit_estimate(const limit_scale *scale, const vs_row_terms *terms, int32_t dot)
{
    float cosine = terms->cos4 * terms->inv4 * (float)(2 * dot - scale->offset2);
    return scale->square * terms->r * terms->r - scale->product * terms->r * cosine;
}

/* Products of plane B of one listed row with all queries, and what the scan will need of it. Not by
 * the block's own pointers: that would be one more wait for memory. */
static void limit_estimate_row(nearest_run *run, nearest_worker *worker, size_t at)
{
    const vs_view *view = run->view;
    nearest_listed *listed = &run->listed;
    nearest_place *place = &listed->places[at];
    const char *block = (const char *)view->blocks[place->cell];
    const vs_row_terms *terms = view->rows[place->cell] + place->slot;
    size_t plane_bytes = view->code_dim / 2;
    size_t code = vs_nearest_code(run, place->cell);
    listed->r[at] = terms->r;
    listed->cos4[at] = terms->cos4;
    listed->sin4[at] = terms->sin4;
    listed->inv4[at] = terms->inv4;
    for (size_t first = 0; first < run->query_count; first += NEAREST_DOT_QUERIES) {
        size_t count = run->query_count - first;
        int32_t dots[NEAREST_DOT_QUERIES];
        count = count < NEAREST_DOT_QUERIES ? count : NEAREST_DOT_QUERIES;
        vsk_get()->code_dot(run->queries[first].probes[code].memory, run->query_stride, count,
                            (const uint8_t *)block + view->plane_b_at + place->slot * plane_bytes,
                            plane_bytes, 1, view->code_dim, dots);
        for (size_t i = 0; i < count; i++) {
            const vs_probe *probe = &run->queries[first + i].probes[code];
            vsk_topk *nearest = &worker->lanes[first + i].estimates;
            limit_scale scale = limit_scale_of(probe);
            double estimate = (double)limit_estimate(&scale, terms, dots[i]);
            listed->dots[(first + i) * listed->count + at] = dots[i];
            if (terms->is_there && probe->is_usable && nearest->capacity > 0 &&
                estimate < vsk_topk_worst(nearest)) {
                vsk_topk_push(nearest, estimate,
                              (int64_t)(place->cell * view->slots + place->slot));
            }
        }
    }
    place->slot |= terms->is_there ? 0 : NEAREST_ABSENT;
}

void vs_nearest_estimate_listed(nearest_run *run, nearest_worker *worker, size_t first, size_t end)
{
    for (size_t i = first; i < end + LIMIT_FETCH_ROWS; i++) {
        if (i < end) {
            const nearest_place *place = &run->listed.places[i];
            vs_nearest_fetch_row(run->view, place->cell, place->slot);
        }
        if (i >= first + LIMIT_FETCH_ROWS) {
            limit_estimate_row(run, worker, i - LIMIT_FETCH_ROWS);
        }
    }
}

/* Estimates the cell by its front plane. */
static void limit_estimate_front(nearest_run *run, nearest_worker *worker, size_t cell)
{
    uint64_t mask[VS_SLOTS_MAX / 64];
    const vs_front *front = run->fronts[cell];
    size_t first = 0, end = 0;
    if (vs_nearest_mask(run, front->has, cell, mask) == 0) {
        return;
    }
    while (vs_nearest_next_rows(mask, front->slots, end, &first, &end)) {
        vsk_get()->front_dot(run->queries[0].front.w, sizeof(nearest_query) / sizeof(int16_t),
                             run->query_count, front->projections + first * front->basis->m,
                             end - first, front->basis->m,
                             vs_nearest_products(run, 0, cell) + first, run->view->slots);
        for (size_t query = 0; query < run->query_count; query++) {
            limit_offer(run, worker, query, cell, first, end, mask);
        }
    }
}

void vs_nearest_estimate_cell(nearest_run *run, nearest_worker *worker, size_t cell, size_t next)
{
    if (run->ways[cell] != NEAREST_BY_FRONT) {
        return;
    }
    if (next < run->view->cell_count && run->ways[next] == NEAREST_BY_FRONT && run->rows == NULL) {
        size_t bytes = vs_front_bytes(run->basis, run->view->slots);
        vs_nearest_fetch(run->fronts[next], bytes < LIMIT_FETCH ? bytes : LIMIT_FETCH);
    }
    limit_estimate_front(run, worker, cell);
}

/* ---- samples --------------------------------------------------------------------------------- */

/* Estimates of LIMIT_CHUNK rows: one loop over arrays, which compilers turn into vector code. */
static void limit_estimate_rows(const limit_scale *scale, const vs_block *block, uint32_t first,
                                const int32_t *dots, float *restrict out)
{
    const float *r = block->r + first, *cosine = block->cos4 + first, *inv = block->inv4 + first;
    const limit_scale s = *scale;
    for (uint32_t i = 0; i < LIMIT_CHUNK; i++) {
        float product = cosine[i] * inv[i] * (float)(2 * dots[first + i] - s.offset2);
        out[i] = s.square * r[i] * r[i] - s.product * r[i] * product;
    }
}

/* Offers the rows of one cell by plane B. */
static void limit_sample_cell(nearest_run *run, size_t query, size_t cell, vsk_topk *nearest)
{
    nearest_worker *worker = &run->workers[0];
    const vs_block *block = run->view->blocks[cell];
    const vs_probe *probe = &run->queries[query].probes[vs_nearest_code(run, cell)];
    uint64_t mask[VS_SLOTS_MAX / 64];
    limit_scale scale = limit_scale_of(probe);
    if (vs_nearest_mask(run, block->has, cell, mask) == 0) {
        return;
    }
    int32_t *kept = vs_nearest_sample_dots(run, cell);
    int32_t *dots = kept != NULL ? kept : worker->dots;
    vsk_get()->code_dot(probe->q.high, block->code_dim, 1, block->plane_b, block->b_stride,
                        block->slots, block->code_dim, dots);
    for (uint32_t first = 0; first < block->slots; first += LIMIT_CHUNK) {
        float estimates[LIMIT_CHUNK];
        float worst = (float)vsk_topk_worst(nearest);
        int is_any = 0;
        limit_estimate_rows(&scale, block, first, dots, estimates);
        for (uint32_t i = 0; i < LIMIT_CHUNK; i++) {
            is_any |= estimates[i] <= worst; /* not for NaN: no bound */
        }
        for (uint32_t i = 0; is_any && i < LIMIT_CHUNK; i++) {
            uint32_t slot = first + i;
            if ((double)estimates[i] < vsk_topk_worst(nearest) &&
                (mask[slot / 64] >> (slot % 64) & 1u)) {
                vsk_topk_push(nearest, (double)estimates[i], (int64_t)(cell * block->slots + slot));
            }
        }
    }
}

/* The upper bound of one row, from all of its code; NaN where it is not surely wanted. */
static double limit_high(const nearest_run *run, size_t query, int64_t place)
{
    size_t cell = (size_t)place / run->view->slots;
    uint32_t slot = (uint32_t)((size_t)place % run->view->slots);
    const vs_block *block = run->view->blocks[cell];
    const vs_probe *probe = &run->queries[query].probes[vs_nearest_code(run, cell)];
    size_t n = block->code_dim;
    const uint8_t *b = block->plane_b + slot * block->b_stride;
    const uint8_t *c = block->plane_c + slot * (n / 2);
    const vs_row_terms *terms = &block->rows[slot];
    vs_probe_products products = {
        vs_nearest_dot(probe->q.high, b, n), vs_nearest_dot(probe->q.high, c, n),
        vs_nearest_dot(probe->q.low, b, n), vs_nearest_dot(probe->q.low, c, n)};
    double lo, hi;
    vs_probe_bounds(probe, VS_PROBE_FINE, &products, (double)terms->r, (double)terms->cos8,
                    (double)terms->sin8, (double)terms->inv8, &lo, &hi);
    int is_excluded = run->excluded_count > 0 && vs_nearest_is_excluded(run, block->rowids[slot]);
    return lo > run->floor && !is_excluded ? hi : NAN;
}

/* Asks for what limit_high reads. */
static void limit_fetch_fine(const vs_view *view, int64_t place)
{
    size_t cell = (size_t)place / view->slots, slot = (size_t)place % view->slots;
    vs_nearest_fetch_row(view, cell, slot);
    vs_nearest_fetch_fine(view, cell, slot);
}

/* Lowers the query's limit by the rows that seem nearest, when k of them count. */
static void limit_set(nearest_run *run, size_t query, const vsk_topk *nearest)
{
    vsk_topk highs = run->workers[0].lanes[query].highs; /* its memory is free before the scan */
    for (size_t i = 0; i < nearest->count && i < LIMIT_FETCH_ROWS; i++) {
        limit_fetch_fine(run->view, nearest->heap[i].id);
    }
    for (size_t i = 0; i < nearest->count; i++) {
        if (i + LIMIT_FETCH_ROWS < nearest->count) {
            limit_fetch_fine(run->view, nearest->heap[i + LIMIT_FETCH_ROWS].id);
        }
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
    for (size_t cell = 0; cell < run->view->cell_count; cell += run->sample_share) {
        const vs_block *block = run->view->blocks[cell];
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
        for (int w = 1; vs_nearest_is_estimated(run) && w < run->worker_count; w++) {
            const vsk_topk *other = &run->workers[w].lanes[query].estimates;
            for (size_t i = 0; i < other->count; i++) {
                vsk_topk_push(nearest, other->heap[i].distance, other->heap[i].id);
            }
        }
        if (nearest->count == 0) { /* no products, or whole cells are wanted */
            limit_sample(run, query);
        }
        limit_set(run, query, nearest);
    }
}
