/*
 * nearest_scan.c - the scan of a search: which rows may still be in the answer.
 *
 * Each row of a coded cell passes up to four steps, each on more of it, and only while its lower
 * bound is within the limit: the front plane, where the cell has one, for a whole cell at once;
 * plane B against the upper half of the query's bits, for a whole cell at once; plane C with the
 * same; both planes against all of the query's bits. The limit is the k-th smallest upper bound
 * seen so far, shared by the workers, so it needs no full vector. Rows of plain cells get their
 * distances at once.
 *
 * Calls: nearest_limit.c, probe.c, scorer.c, rowset.c, kernels.
 * Called by: nearest.c.
 * Threads: workers, each on its own lanes; they read the view and touch no SQLite.
 */
#include "nearest_impl.h"

#include "../kernels/bits.h"
#include "lock.h"

#include <math.h>

#define SCAN_PREFETCH 4 /* rows of plane C fetched ahead */
#define SCAN_ROWS 128   /* of a cell that are looked at together */
#define SCAN_WAITING 16 /* that passed plane B of a whole cell: their planes C are looked at */
#define SCAN_WHOLE_QUERIES 16 /* that together look at most rows of a cell: it is read whole */
#define SCAN_POLL_CELLS 16    /* between two looks at the clock, and ... */
#define SCAN_POLL_NS 1000000  /* between two for an interrupt */

int vs_nearest_is_excluded(const nearest_run *run, int64_t rowid)
{
    size_t lo = 0, hi = run->excluded_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (run->excluded[mid] == rowid) {
            return 1;
        }
        if (run->excluded[mid] < rowid) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return 0;
}

/* Number of the description that the cell's codes were made with. */
size_t vs_nearest_code(const nearest_run *run, size_t cell)
{
    size_t code = 0;
    while (code + 1 < run->code_count &&
           run->codes[code]->id != run->view->cells[cell].code_id[run->view->vector]) {
        code++;
    }
    return code;
}

size_t vs_nearest_mask(const nearest_run *run, const uint64_t *has, size_t cell, uint64_t *mask)
{
    size_t words = (run->view->slots + 63) / 64;
    size_t rows = 0;
    memcpy(mask, has, words * sizeof *mask);
    if (run->rows != NULL) {
        vs_rowset_mask(run->rows, cell, mask, words);
    }
    for (size_t w = 0; w < words; w++) {
        rows += vsk_popcount64(mask[w]);
    }
    return rows;
}

/* ---- limits and candidates ------------------------------------------------------------------- */

/* Takes over a limit that another worker has lowered. */
static void scan_refresh_limit(nearest_run *run, size_t query, nearest_lane *lane)
{
    double limit = atomic_load_explicit(&run->queries[query].limit, memory_order_relaxed);
    if (limit < lane->limit) {
        lane->limit = limit;
        for (size_t i = 0; i < run->code_count; i++) {
            vs_probe_set_limit(&lane->probes[i], limit);
        }
        if (run->basis != NULL) {
            vs_front_query_set_limit(&lane->front, &lane->probes[run->learned_code], limit);
        }
        vs_scorer_set_limit(&lane->scorer, limit);
    }
}

/* A row whose distance is at most `high` is surely wanted: it counts for the limit. */
static void scan_add_high(nearest_run *run, size_t query, nearest_lane *lane, double high,
                          int64_t rowid)
{
    if (!isfinite(high) || !vsk_topk_admits(&lane->highs, high, rowid)) {
        return;
    }
    vsk_topk_push(&lane->highs, high, rowid);
    double worst = vsk_topk_worst(&lane->highs);
    double limit = atomic_load_explicit(&run->queries[query].limit, memory_order_relaxed);
    while (worst < limit &&
           !atomic_compare_exchange_weak_explicit(&run->queries[query].limit, &limit, worst,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
    scan_refresh_limit(run, query, lane);
}

void vs_nearest_lane_compact(nearest_lane *lane)
{
    size_t kept = 0;
    for (size_t i = 0; i < lane->count; i++) {
        if (!(lane->candidates[i].lo > lane->limit)) {
            lane->candidates[kept++] = lane->candidates[i];
        }
    }
    lane->count = kept;
}

/* Room for one more candidate. */
static int scan_make_room(nearest_lane *lane, int can_grow)
{
    if (lane->count < lane->capacity) {
        return SQLITE_OK;
    }
    vs_nearest_lane_compact(lane);
    if (lane->count < lane->capacity - lane->capacity / 4) {
        return SQLITE_OK;
    }
    if (!can_grow) {
        lane->is_full = lane->count == lane->capacity;
        return lane->is_full ? SQLITE_FULL : SQLITE_OK;
    }
    size_t capacity = 2 * lane->capacity;
    nearest_candidate *candidates =
        sqlite3_realloc64(lane->candidates, capacity * sizeof *candidates);
    if (candidates == NULL) {
        return SQLITE_NOMEM;
    }
    lane->candidates = candidates;
    lane->capacity = capacity;
    return SQLITE_OK;
}

typedef struct scan_place {
    nearest_run *run;
    nearest_worker *worker;
    const vs_block *block;
    size_t cell;
    size_t query;
    int can_grow;
} scan_place;

static int scan_add_candidate(const scan_place *place, uint32_t slot, double lo, double hi,
                              int is_exact)
{
    nearest_run *run = place->run;
    nearest_lane *lane = &place->worker->lanes[place->query];
    int64_t rowid = place->block->rowids[slot];
    if (run->excluded_count > 0 && vs_nearest_is_excluded(run, rowid)) {
        return SQLITE_OK;
    }
    int rc = scan_make_room(lane, place->can_grow);
    if (rc != SQLITE_OK) {
        return rc;
    }
    nearest_candidate *candidate = &lane->candidates[lane->count++];
    candidate->lo = lo;
    candidate->rowid = rowid;
    candidate->cell = (uint32_t)place->cell;
    candidate->slot = slot | (is_exact ? NEAREST_EXACT : 0);
    if (is_exact || lo > run->floor) {
        scan_add_high(run, place->query, lane, hi, rowid);
    }
    return SQLITE_OK;
}

/* ---- coded cells ----------------------------------------------------------------------------- */

/* The steps after plane B for one row. */
static int scan_row(const scan_place *place, const vs_probe *probe, uint32_t slot, int32_t high_b)
{
    const vs_block *block = place->block;
    nearest_worker *worker = place->worker;
    nearest_lane *lane = &worker->lanes[place->query];
    size_t plane_bytes = block->code_dim / 2;
    const uint8_t *b = block->plane_b + slot * block->b_stride;
    const uint8_t *c = block->plane_c == NULL ? NULL : block->plane_c + slot * plane_bytes;
    vs_probe_products products = {high_b, 0, 0, 0};
    double lo = -INFINITY, hi = INFINITY;
    const vs_row_terms *terms = &block->rows[slot];
    double r = (double)terms->r, cos8 = (double)terms->cos8;
    double sin8 = (double)terms->sin8, inv8 = (double)terms->inv8;
    worker->cascade.passed_b++;
    if (c == NULL) {
        vs_probe_bounds(probe, VS_PROBE_PLANE_B, &products, r, (double)terms->cos4,
                        (double)terms->sin4, (double)terms->inv4, &lo, &hi);
        if (lo > lane->limit || hi < place->run->floor) {
            return SQLITE_OK;
        }
    } else if (probe->is_usable && !isnan(terms->r)) {
        products.high_c = vs_nearest_dot(probe->q.high, c, block->code_dim);
        if (!vs_probe_stays(probe, &products, r, cos8, sin8, inv8)) {
            return SQLITE_OK;
        }
        products.low_b = vs_nearest_dot(probe->q.low, b, block->code_dim);
        products.low_c = vs_nearest_dot(probe->q.low, c, block->code_dim);
        vs_probe_bounds(probe, VS_PROBE_FINE, &products, r, cos8, sin8, inv8, &lo, &hi);
        if (lo > lane->limit || hi < place->run->floor) {
            return SQLITE_OK;
        }
    }
    worker->cascade.passed_c++;
    return scan_add_candidate(place, slot, lo, hi, 0);
}

/* Does a row stay after plane B, by its product? */
static int scan_stays(const vs_probe *probe, const vs_row_terms *terms, int32_t high_b)
{
    return vsk_code_stays(&probe->test, vsk_code_limits_of(&probe->test), high_b, terms->inv4,
                          terms->cos4, terms->sin4, terms->r);
}

/* The product of one row with plane B; any number where the probe tells nothing. */
static int32_t scan_multiply(const vs_probe *probe, const vs_block *block, uint32_t slot)
{
    return probe->is_usable ? vs_nearest_dot(probe->q.high, block->plane_b + slot * block->b_stride,
                                             block->code_dim)
                            : 0;
}

/* Leaves a cell to the caller, and: those of rows [count]. */
static void scan_leave_cell(nearest_worker *worker, size_t cell)
{
    worker->unfinished[cell / 64] |= (uint64_t)1 << (cell % 64);
}

static void scan_leave_rows(nearest_worker *worker, const nearest_pending *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        scan_leave_cell(worker, rows[i].cell);
    }
}

static void scan_leave_pending(nearest_worker *worker)
{
    scan_leave_rows(worker, worker->pending, worker->pending_count);
    scan_leave_rows(worker, worker->passed_b, worker->passed_b_count);
    worker->pending_count = worker->passed_b_count = 0;
}

/* The steps after plane B of the rows that wait for them. */
static int scan_fine(nearest_run *run, nearest_worker *worker, int can_grow)
{
    const nearest_pending *rows = worker->passed_b;
    size_t count = worker->passed_b_count;
    int rc = SQLITE_OK;
    for (size_t i = 0; i < count + SCAN_PREFETCH && rc == SQLITE_OK; i++) {
        if (i < count) {
            vs_nearest_fetch_fine(run->view, rows[i].cell, rows[i].slot);
        }
        if (i < SCAN_PREFETCH) {
            continue;
        }
        const nearest_pending *row = &rows[i - SCAN_PREFETCH];
        const scan_place place = {run,       worker,     run->view->blocks[row->cell],
                                  row->cell, row->query, can_grow};
        scan_refresh_limit(run, row->query, &worker->lanes[row->query]);
        rc = scan_row(&place, &worker->lanes[row->query].probes[vs_nearest_code(run, row->cell)],
                      row->slot, row->high_b);
        if (rc == SQLITE_FULL) {
            scan_leave_rows(worker, row, count - (i - SCAN_PREFETCH));
        }
    }
    worker->passed_b_count = 0;
    return rc;
}

/* A row that stays after plane B. */
static int scan_push_fine(nearest_run *run, nearest_worker *worker, const nearest_pending *row,
                          int can_grow)
{
    int rc = SQLITE_OK;
    if (worker->passed_b_count == NEAREST_PENDING) {
        rc = scan_fine(run, worker, can_grow);
    }
    worker->passed_b[worker->passed_b_count++] = *row;
    return rc;
}

/* Plane B of the rows that wait for it. */
static int scan_coarse(nearest_run *run, nearest_worker *worker, int can_grow)
{
    nearest_pending *rows = worker->pending;
    size_t count = worker->pending_count;
    int rc = SQLITE_OK;
    for (size_t i = 0; i < count + SCAN_PREFETCH && rc == SQLITE_OK; i++) {
        if (i < count) {
            vs_nearest_fetch_row(run->view, rows[i].cell, rows[i].slot);
        }
        if (i < SCAN_PREFETCH) {
            continue;
        }
        nearest_pending *row = &rows[i - SCAN_PREFETCH];
        nearest_lane *lane = &worker->lanes[row->query];
        const vs_block *block = run->view->blocks[row->cell];
        const vs_probe *probe = &lane->probes[vs_nearest_code(run, row->cell)];
        scan_refresh_limit(run, row->query, lane);
        row->high_b = scan_multiply(probe, block, row->slot);
        if (scan_stays(probe, &block->rows[row->slot], row->high_b)) {
            rc = scan_push_fine(run, worker, row, can_grow);
        }
        if (rc == SQLITE_FULL) {
            scan_leave_rows(worker, row, count - (i - SCAN_PREFETCH));
        }
    }
    worker->pending_count = 0;
    return rc;
}

int vs_nearest_scan_pending(nearest_run *run, nearest_worker *worker, int can_grow)
{
    int rc = scan_coarse(run, worker, can_grow);
    return rc == SQLITE_OK ? scan_fine(run, worker, can_grow) : rc;
}

static int scan_push(const scan_place *place, uint32_t slot)
{
    nearest_worker *worker = place->worker;
    int rc = SQLITE_OK;
    if (worker->pending_count == NEAREST_PENDING) {
        rc = scan_coarse(place->run, worker, place->can_grow);
    }
    worker->pending[worker->pending_count++] =
        (nearest_pending){(uint32_t)place->cell, slot, (uint32_t)place->query, 0};
    return rc;
}

/* Some wanted rows of a cell one by one. */
static int scan_by_row(const scan_place *place, const vs_probe *probe, const uint64_t *mask,
                       size_t words)
{
    const vs_block *block = place->block;
    int rc = SQLITE_OK;
    for (size_t w = 0; w < words; w++) {
        for (uint64_t rest = mask[w]; rest != 0 && rc == SQLITE_OK; rest &= rest - 1) {
            uint32_t slot = (uint32_t)(64 * w) + (uint32_t)__builtin_ctzll(rest);
            int32_t high_b = scan_multiply(probe, block, slot);
            if (scan_stays(probe, &block->rows[slot], high_b)) {
                rc = scan_row(place, probe, slot, high_b);
            }
        }
    }
    return rc;
}

/* Listed rows first .. end - 1 of one query, whose codes have one description. */
static int scan_listed_rows(nearest_run *run, nearest_worker *worker, size_t query, size_t first,
                            size_t end, int can_grow)
{
    const nearest_listed *listed = &run->listed;
    nearest_lane *lane = &worker->lanes[query];
    size_t code = vs_nearest_code(run, listed->places[first].cell);
    const int32_t *dots = listed->dots + query * listed->count;
    int rc = SQLITE_OK;
    scan_refresh_limit(run, query, lane);
    size_t count = vsk_get()->code_pass(
        &lane->probes[code].test, dots + first, listed->inv4 + first, listed->cos4 + first,
        listed->sin4 + first, listed->r + first, end - first, worker->passed);
    for (size_t i = 0; i < count && rc == SQLITE_OK; i++) {
        size_t at = first + worker->passed[i];
        const nearest_place *place = &listed->places[at];
        if (!(place->slot & NEAREST_ABSENT)) {
            nearest_pending row = {place->cell, place->slot, (uint32_t)query, dots[at]};
            rc = scan_push_fine(run, worker, &row, can_grow);
        }
    }
    return rc;
}

/* Listed rows first .. end - 1, by what the estimates have left. */
static int scan_listed(nearest_run *run, nearest_worker *worker, size_t first, size_t end,
                       int can_grow)
{
    const nearest_place *places = run->listed.places;
    int rc = SQLITE_OK;
    for (size_t i = first; i < end; i++) {
        worker->cascade.scanned += places[i].slot & NEAREST_ABSENT ? 0 : (int64_t)run->query_count;
    }
    for (size_t at = first, next = first; at < end && rc == SQLITE_OK; at = next) {
        size_t code = vs_nearest_code(run, places[at].cell);
        while (next < end &&
               (run->code_count < 2 || vs_nearest_code(run, places[next].cell) == code)) {
            next++;
        }
        for (size_t query = 0; query < run->query_count && rc == SQLITE_OK; query++) {
            rc = scan_listed_rows(run, worker, query, at, next, can_grow);
        }
    }
    for (size_t i = first; i < end && rc == SQLITE_FULL; i++) {
        scan_leave_cell(worker, places[i].cell);
    }
    return rc;
}

/* A cell by its front plane, whose products the estimates have left: what it lets pass is
 * pending. */
static int scan_by_front(const scan_place *place, const vs_front *front, const uint64_t *mask)
{
    nearest_worker *worker = place->worker;
    const vsk_front_test *test = &worker->lanes[place->query].front.test;
    const int32_t *dots = vs_nearest_products(place->run, place->query, place->cell);
    uint16_t *passed = worker->passed;
    size_t first = 0, end = 0;
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && vs_nearest_next_rows(mask, front->slots, end, &first, &end)) {
        size_t count =
            vsk_get()->front_pass(test, dots + first, front->t + first, front->rest + first,
                                  front->g + first, end - first, passed);
        for (size_t i = 0; i < count && rc == SQLITE_OK; i++) {
            uint32_t slot = (uint32_t)first + passed[i];
            if (mask[slot / 64] >> (slot % 64) & 1u) {
                worker->cascade.passed_p++;
                rc = scan_push(place, slot);
            }
        }
    }
    return rc;
}

/* Plane B of rows first .. end - 1 has been multiplied with the query: dots. */
static int scan_dense(const scan_place *place, const vs_probe *probe, uint32_t first, uint32_t end,
                      const int32_t *dots, const uint64_t *mask)
{
    const vs_block *block = place->block;
    uint16_t *passed = place->worker->passed;
    int is_in_memory = place->run->view->blocks[place->cell] == block;
    size_t count =
        vsk_get()->code_pass(&probe->test, dots, block->inv4 + first, block->cos4 + first,
                             block->sin4 + first, block->r + first, end - first, passed);
    int rc = SQLITE_OK;
    for (size_t i = 0; i < count && rc == SQLITE_OK; i++) {
        uint32_t slot = first + passed[i];
        if (!(mask[slot / 64] >> (slot % 64) & 1u)) {
            continue;
        }
        if (!is_in_memory) {
            rc = scan_row(place, probe, slot, dots[slot - first]);
            continue;
        }
        const nearest_pending row = {(uint32_t)place->cell, slot, (uint32_t)place->query,
                                     dots[slot - first]};
        vs_nearest_fetch(&block->rows[slot], 1);
        vs_nearest_fetch_fine(place->run->view, place->cell, slot);
        rc = scan_push_fine(place->run, place->worker, &row, place->can_grow);
    }
    if (rc == SQLITE_OK && place->worker->passed_b_count >= SCAN_WAITING) {
        rc = scan_fine(place->run, place->worker, place->can_grow);
    }
    return rc;
}

/* Asks for share number `i` of `count` of some memory, in whole lines. */
static void scan_fetch_share(const void *at, size_t bytes, size_t i, size_t count)
{
    size_t each = (bytes / count + 63) / 64 * 64, first = i * each;
    if (first < bytes) {
        vs_nearest_fetch_far((const char *)at + first, bytes - first < each ? bytes - first : each);
    }
}

/* Many queries together look at most rows of a cell. So while one cell is looked at, the next one is
 * read whole, a share with each query: all at once would have to be waited for. */
static void scan_fetch_ahead(const scan_place *place)
{
    const nearest_run *run = place->run;
    const vs_view *view = run->view;
    size_t next = place->cell + (size_t)run->worker_count, count = run->query_count;
    if (count >= SCAN_WHOLE_QUERIES && next < view->cell_count &&
        run->ways[next] == NEAREST_BY_FRONT) {
        scan_fetch_share((const char *)view->blocks[next] + view->plane_b_at,
                         view->slots * (view->code_dim / 2), place->query, count);
        scan_fetch_share(view->rows[next], view->slots * sizeof(vs_row_terms), place->query, count);
    }
}

/* A cell one query after the other: by its front plane (NULL: row by row). */
static int scan_each(scan_place *place, const vs_front *front, size_t code, const uint64_t *mask,
                     size_t words)
{
    nearest_run *run = place->run;
    int rc = SQLITE_OK;
    for (size_t query = 0; query < run->query_count && rc == SQLITE_OK; query++) {
        nearest_lane *lane = &place->worker->lanes[query];
        place->query = query;
        scan_refresh_limit(run, query, lane);
        if (front != NULL) {
            scan_fetch_ahead(place);
            rc = scan_by_front(place, front, mask);
        } else {
            rc = scan_by_row(place, &lane->probes[code], mask, words);
        }
    }
    return rc;
}

/* Asks for the terms of rows first .. end - 1, whose test comes after plane B of those before. */
static void scan_fetch_terms(const vs_block *block, uint32_t first, uint32_t end)
{
    const float *const terms[] = {block->r, block->cos4, block->sin4, block->inv4};
    for (size_t i = 0; first < end && i < sizeof terms / sizeof terms[0]; i++) {
        vs_nearest_fetch(terms[i] + first, (end - first) * sizeof(float));
    }
}

/* Rows first .. end - 1 of a cell by plane B, for `count` queries from `query` on. Their high planes
 * lie one after the other: see nearest.c. */
static int scan_rows(scan_place *place, size_t code, size_t query, size_t count, uint32_t first,
                     uint32_t end, const uint64_t *mask)
{
    nearest_run *run = place->run;
    nearest_worker *worker = place->worker;
    const vs_block *block = place->block;
    const int32_t *kept = run->is_sampled ? vs_nearest_sample_dots(run, place->cell) : NULL;
    const int32_t *dots = kept != NULL ? kept + first : worker->dots;
    int rc = SQLITE_OK;
    if (kept == NULL) {
        vsk_get()->code_dot(run->queries[query].probes[code].memory, run->query_stride, count,
                            block->plane_b + first * block->b_stride, block->b_stride, end - first,
                            block->code_dim, worker->dots);
    }
    for (size_t i = 0; i < count && rc == SQLITE_OK; i++) {
        nearest_lane *lane = &worker->lanes[query + i];
        place->query = query + i;
        scan_refresh_limit(run, query + i, lane);
        rc = scan_dense(place, &lane->probes[code], first, end, dots + i * (end - first), mask);
    }
    return rc;
}

/* A whole cell by plane B: some rows at a time, so that what is read of them stays near. */
static int scan_by_cell(scan_place *place, size_t code, const uint64_t *mask)
{
    size_t query_count = place->run->query_count;
    uint32_t slots = place->block->slots;
    int rc = SQLITE_OK;
    for (uint32_t first = 0; first < slots && rc == SQLITE_OK; first += SCAN_ROWS) {
        uint32_t end = slots - first < SCAN_ROWS ? slots : first + SCAN_ROWS;
        scan_fetch_terms(place->block, end, slots - end < SCAN_ROWS ? slots : end + SCAN_ROWS);
        for (size_t query = 0; query < query_count && rc == SQLITE_OK;
             query += NEAREST_DOT_QUERIES) {
            size_t count = query_count - query;
            count = count < NEAREST_DOT_QUERIES ? count : NEAREST_DOT_QUERIES;
            rc = scan_rows(place, code, query, count, first, end, mask);
        }
    }
    return rc;
}

/* ---- plain cells ----------------------------------------------------------------------------- */

int vs_nearest_wants(const vs_filter *filter, double distance, int64_t rowid)
{
    return distance >= filter->distance_lo && distance <= filter->distance_hi &&
           !(filter->has_after &&
             (distance < filter->after_distance ||
              (distance == filter->after_distance && rowid <= filter->after_id)));
}

static int scan_plain(scan_place *place, const uint64_t *mask, size_t words)
{
    nearest_run *run = place->run;
    nearest_worker *worker = place->worker;
    const vs_block *block = place->block;
    int rc = SQLITE_OK;
    for (size_t query = 0; query < run->query_count && rc == SQLITE_OK; query++) {
        nearest_lane *lane = &worker->lanes[query];
        place->query = query;
        scan_refresh_limit(run, query, lane);
        for (size_t w = 0; w < words; w++) {
            for (uint64_t rest = mask[w]; rest != 0 && rc == SQLITE_OK; rest &= rest - 1) {
                uint32_t slot = (uint32_t)(64 * w) + (uint32_t)__builtin_ctzll(rest);
                double distance = 0.0;
                vs_score_kind kind = vs_scorer_row(
                    &lane->scorer, block->vectors + slot * block->vector_bytes, &distance);
                worker->is_corrupt |= kind == VS_SCORE_NONFINITE;
                worker->finished += kind == VS_SCORE_VALUE;
                if (kind == VS_SCORE_VALUE &&
                    vs_nearest_wants(run->filter, distance, block->rowids[slot])) {
                    rc = scan_add_candidate(place, slot, distance, distance, !run->is_content);
                }
            }
        }
    }
    return rc;
}

/* ---- cells ----------------------------------------------------------------------------------- */

int vs_nearest_scan_block(nearest_run *run, nearest_worker *worker, const vs_block *block,
                          size_t cell, int can_grow)
{
    uint64_t mask[VS_SLOTS_MAX / 64];
    scan_place place = {run, worker, block, cell, 0, can_grow};
    size_t words = (block->slots + 63) / 64;
    size_t rows = vs_nearest_mask(run, block->has, cell, mask);
    int rc = SQLITE_OK;
    if (rows == 0) {
        return SQLITE_OK;
    }
    worker->cascade.scanned += (int64_t)(rows * run->query_count);
    if (block->is_coded) {
        const vs_front *front = run->ways[cell] == NEAREST_BY_FRONT ? run->fronts[cell] : NULL;
        size_t code = vs_nearest_code(run, cell);
        rc = front == NULL && rows * NEAREST_SPARSE >= block->slots
                 ? scan_by_cell(&place, code, mask)
                 : scan_each(&place, front, code, mask, words);
    } else {
        rc = scan_plain(&place, mask, words);
    }
    if (rc == SQLITE_FULL) {
        scan_leave_cell(worker, cell);
    }
    return rc;
}

/* A cell with a front plane, when all rows are wanted: what is not looked at further is not read at
 * all. */
static int scan_front_alone(nearest_run *run, nearest_worker *worker, size_t cell, int can_grow)
{
    scan_place place = {run, worker, NULL, cell, 0, can_grow};
    const vs_front *front = run->fronts[cell];
    size_t rows = 0;
    for (size_t w = 0; w < (front->slots + 63) / 64; w++) {
        rows += vsk_popcount64(front->has[w]);
    }
    worker->cascade.scanned += (int64_t)(rows * run->query_count);
    int rc = scan_each(&place, front, run->learned_code, front->has, 0);
    if (rc == SQLITE_FULL) {
        scan_leave_cell(worker, cell);
    }
    return rc;
}

/* What a cell that will be scanned soon is begun with. The planes of one without a front plane follow
 * those of the cell before in memory, mostly: the hardware fetches them by itself, and better. */
static void scan_prefetch(const nearest_run *run, size_t cell)
{
    const vs_view *view = run->view;
    if (cell >= view->cell_count || view->blocks[cell] == NULL) {
        return;
    }
    if (run->ways[cell] == NEAREST_BY_CELL) {
        vs_nearest_fetch(view->blocks[cell], 1);
        vs_nearest_fetch(view->blocks[cell]->has, sizeof view->blocks[cell]->has);
    } else if (run->ways[cell] == NEAREST_BY_FRONT) {
        vs_nearest_fetch(run->fronts[cell], vs_front_projections_at(view->slots));
    }
}

/* What the task does with one cell. */
static int scan_visit(nearest_run *run, nearest_worker *worker, nearest_phase phase, size_t cell,
                      int can_grow)
{
    size_t next = cell + (size_t)run->worker_count;
    if (run->ways[cell] == NEAREST_BY_ROW ||
        (run->rows != NULL && run->rows->cells[cell] == VS_ROWSET_NONE)) {
        return SQLITE_OK;
    }
    if (phase == NEAREST_ESTIMATE) {
        vs_nearest_estimate_cell(run, worker, cell, next);
        return SQLITE_OK;
    }
    scan_prefetch(run, next);
    if (run->rows == NULL && run->ways[cell] == NEAREST_BY_FRONT) {
        return scan_front_alone(run, worker, cell, can_grow);
    }
    const vs_block *block = run->view->blocks[cell];
    return block == NULL ? SQLITE_OK : vs_nearest_scan_block(run, worker, block, cell, can_grow);
}

/* And with some of the listed rows. */
static int scan_visit_listed(nearest_run *run, nearest_worker *worker, nearest_phase phase,
                             size_t first, int can_grow)
{
    size_t end = first + NEAREST_LISTED_UNIT;
    end = end < run->listed.count ? end : run->listed.count;
    if (phase == NEAREST_ESTIMATE) {
        vs_nearest_estimate_listed(run, worker, first, end);
        return SQLITE_OK;
    }
    return scan_listed(run, worker, first, end, can_grow);
}

/* One unit: a cell, listed rows, or after the last of them what is pending. */
static int scan_unit(nearest_run *run, nearest_worker *worker, nearest_phase phase, size_t unit,
                     int can_grow, int *out_is_end)
{
    size_t cells = run->view->cell_count;
    if (unit < cells) {
        return scan_visit(run, worker, phase, unit, can_grow);
    }
    if ((unit - cells) * NEAREST_LISTED_UNIT < run->listed.count) {
        return scan_visit_listed(run, worker, phase, (unit - cells) * NEAREST_LISTED_UNIT,
                                 can_grow);
    }
    *out_is_end = 1;
    return phase == NEAREST_SCAN ? vs_nearest_scan_pending(run, worker, can_grow) : SQLITE_OK;
}

/* One phase of one worker. */
static void scan_phase(nearest_run *run, int number, nearest_phase phase)
{
    nearest_worker *worker = &run->workers[number];
    int64_t polled = vs_metrics_now_ns();
    int is_end = 0;
    for (size_t taken = 1; !is_end; taken++) {
        if (atomic_load_explicit(&run->is_cancelled, memory_order_relaxed)) {
            return;
        }
        /* with run->estimating: who finds no unit left sees who still works on one */
        size_t unit = atomic_fetch_add_explicit(&run->next[phase], 1, memory_order_acq_rel);
        int rc = scan_unit(run, worker, phase, unit, number == 0, &is_end);
        if (rc == SQLITE_FULL) {
            scan_leave_pending(worker);
            return; /* the caller finishes what is left */
        }
        if (number == 0 && rc == SQLITE_OK && taken % SCAN_POLL_CELLS == 0 &&
            vs_metrics_now_ns() - polled > SCAN_POLL_NS) {
            rc = run->poll(run->poll_arg);
            polled = vs_metrics_now_ns();
        }
        if (rc != SQLITE_OK) {
            run->poll_rc = rc; /* only worker 0 gets here */
            atomic_store_explicit(&run->is_cancelled, 1, memory_order_relaxed);
        }
    }
}

/*
 * The estimates of one worker; at its return all are made, and the first limit is set by worker 0.
 * The others wait for that without sleeping: it is a matter of microseconds, in which a sleeping
 * thread would hardly wake. A worker that comes later than all cells were taken finds nothing to do.
 */
static void scan_estimate(nearest_run *run, int number)
{
    atomic_fetch_add(&run->estimating, 1);
    if (atomic_load(&run->phase) == NEAREST_ESTIMATE) {
        scan_phase(run, number, NEAREST_ESTIMATE);
    }
    atomic_fetch_sub(&run->estimating, 1);
    if (number == 0) {
        while (atomic_load(&run->estimating) > 0) {
            VS_LOCK_YIELD();
        }
        if (run->poll_rc == SQLITE_OK) {
            vs_nearest_first_limit(run);
        }
        atomic_store(&run->phase, NEAREST_SCAN);
    }
    while (atomic_load(&run->phase) == NEAREST_ESTIMATE) {
        VS_LOCK_YIELD();
    }
}

void vs_nearest_scan_task(void *arg, int number)
{
    nearest_run *run = arg;
    if (atomic_load(&run->phase) == NEAREST_ESTIMATE) {
        scan_estimate(run, number);
    }
    scan_phase(run, number, NEAREST_SCAN);
}
