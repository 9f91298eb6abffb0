/*
 * nearest_prepare.c - makes a run ready: its queries, how each cell is scanned, and the memory of its
 * workers, who can take none.
 *
 * Calls: front.c, front_learn.c, probe.c, scorer.c, store.c, pool.c.
 * Called by: nearest.c.
 * Threads: the connection's.
 */
#include "nearest_impl.h"

#include "../kernels/bits.h"

#include <math.h>

#define PREPARE_SAMPLE_ROWS 2500 /* that a first limit comes from, where they are that many ... */
#define PREPARE_SAMPLE_MIN 4     /* ... but of every fourth cell at most, ... */
#define PREPARE_SAMPLE_MAX 16    /* ... and of every sixteenth at least */
#define PREPARE_THREAD_BYTES (1 << 20) /* a scan of fewer bytes stays on one thread */
#define PREPARE_ESTIMATES 2            /* times k rows that seem nearest give the first limit ... */
#define PREPARE_ESTIMATES_MAX 64       /* ... for k below this; else k rows */
#define PREPARE_APART 2        /* a byte of rows apart takes as long as so many of rows in line */
#define PREPARE_TERM_BYTES 256 /* that are read beside plane B of a row apart */

static void prepare_free_lane(nearest_lane *lane)
{
    sqlite3_free(lane->highs_memory);
    sqlite3_free(lane->candidates);
    sqlite3_free(lane->probes);
}

void vs_nearest_free_run(nearest_run *run)
{
    for (int w = 0; run->workers != NULL && w < run->worker_count; w++) {
        nearest_worker *worker = &run->workers[w];
        for (size_t q = 0; worker->lanes != NULL && q < run->query_count; q++) {
            prepare_free_lane(&worker->lanes[q]);
        }
        sqlite3_free(worker->lanes);
        sqlite3_free(worker->dots);
        sqlite3_free(worker->passed);
        sqlite3_free(worker->pending);
        sqlite3_free(worker->passed_b);
        sqlite3_free(worker->unfinished);
    }
    sqlite3_free(run->workers);
    for (size_t q = 0; run->queries != NULL && q < run->query_count; q++) {
        vs_scorer_free(&run->queries[q].scorer);
        sqlite3_free(run->queries[q].probes);
    }
    sqlite3_free(run->queries);
    sqlite3_free(run->planes);
    sqlite3_free(run->direction);
    sqlite3_free((void *)run->fronts);
    sqlite3_free(run->ways);
    sqlite3_free(run->listed.places);
    sqlite3_free(run->listed.r);
    sqlite3_free(run->listed.dots);
    sqlite3_free(run->products);
    sqlite3_free(run->sample_dots);
    sqlite3_free((void *)run->codes);
}

/* sqlite3_malloc64; never of 0 bytes. */
static void *prepare_alloc_plain(size_t count, size_t size)
{
    return sqlite3_malloc64(count == 0 ? size : count * size);
}

/* The same, zeroed. */
static void *prepare_alloc(size_t count, size_t size)
{
    void *memory = prepare_alloc_plain(count, size);
    if (memory != NULL) {
        memset(memory, 0, count == 0 ? size : count * size);
    }
    return memory;
}

/* ---- codes and front planes ------------------------------------------------------------------ */

/* The descriptions that the view's codes were made with. */
static int prepare_codes(nearest_run *run, vs_err *err)
{
    const vs_view *view = run->view;
    int rc = SQLITE_OK;
    run->codes = prepare_alloc(view->code_id_count, sizeof *run->codes);
    if (run->codes == NULL) {
        return SQLITE_NOMEM;
    }
    for (size_t i = 0; i < view->code_id_count && rc == SQLITE_OK; i++) {
        rc = vs_store_code(run->store, view->vector, view->code_ids[i], &run->codes[i], err);
        run->code_count += rc == SQLITE_OK;
    }
    return rc;
}

/* The planes that there are now: others may be added during the search. Without memory none. */
static void prepare_fronts(nearest_run *run)
{
    size_t cells = run->view->cell_count;
    run->fronts = prepare_alloc_plain(cells, sizeof *run->fronts);
    for (size_t i = 0; run->fronts != NULL && i < cells; i++) {
        run->fronts[i] = atomic_load_explicit(&run->view->fronts[i], memory_order_acquire);
    }
}

/* Are so many rows wanted that a front plane would serve: does the search teach something? */
static int prepare_is_wide(const nearest_run *run)
{
    int64_t rows = 0;
    for (size_t i = 0; run->rows != NULL && i < run->view->cell_count; i++) {
        rows += (int64_t)run->view->cells[i].live;
    }
    return run->rows == NULL || NEAREST_SPARSE * run->rows->rows >= rows;
}

/* The basis of the view's front planes, or what its learner wants to see of the search. */
static void prepare_basis(nearest_run *run)
{
    vs_learner *learner = run->view->learner;
    size_t i = 0;
    while (learner != NULL && i < run->code_count && run->codes[i]->id != learner->code_id) {
        i++;
    }
    if (learner == NULL || i == run->code_count) {
        return;
    }
    run->learned_code = i;
    run->basis = vs_learner_basis(learner);
    if (run->basis != NULL && run->basis->code_dim != run->codes[i]->code_dim) {
        run->basis = NULL; /* of a file that repeats ids */
    }
    if (run->basis != NULL) {
        prepare_fronts(run);
    } else if (vs_learner_is_open(learner) && prepare_is_wide(run)) {
        run->direction = sqlite3_malloc64(run->codes[i]->code_dim * sizeof *run->direction);
    }
}

/* ---- ways ------------------------------------------------------------------------------------ */

static nearest_way prepare_way(const nearest_run *run, size_t cell)
{
    enum { GROUPS_IN_WORD = 64 / VSK_FRONT_ROWS, SHARE = NEAREST_SPARSE };
    const vs_rowset *wanted = run->rows;
    size_t rows = 0, groups = 0;
    int has_front = run->fronts != NULL && run->fronts[cell] != NULL;
    nearest_way whole = has_front ? NEAREST_BY_FRONT : NEAREST_BY_CELL;
    if (wanted == NULL || wanted->bits == NULL || wanted->cells[cell] != VS_ROWSET_SOME ||
        run->view->rows[cell] == NULL) {
        return whole;
    }
    for (size_t w = 0; w < wanted->words; w++) {
        uint64_t word = wanted->bits[cell * wanted->words + w];
        rows += vsk_popcount64(word);
        for (size_t g = 0; g < GROUPS_IN_WORD; g++) {
            groups += (word >> (g * VSK_FRONT_ROWS) & 0xffffu) != 0;
        }
    }
    /* what takes less time to read: whole groups of the front plane one after the other, or rows here
     * and there with their terms */
    size_t row_bytes = run->view->code_dim / 2 + PREPARE_TERM_BYTES;
    int is_by_row = has_front
                        ? PREPARE_APART * rows * row_bytes < groups * VSK_FRONT_ROWS * run->basis->m
                        : rows * SHARE < run->view->slots;
    return is_by_row ? NEAREST_BY_ROW : whole;
}

/* Memory for the rows of cells that are scanned row by row, and their places. */
static int prepare_listed(nearest_run *run, size_t count)
{
    const vs_rowset *wanted = run->rows;
    nearest_listed *listed = &run->listed;
    size_t at = 0;
    listed->places = prepare_alloc_plain(count, sizeof *listed->places);
    listed->r = prepare_alloc_plain(count, 4 * sizeof *listed->r);
    listed->dots = prepare_alloc_plain(count, run->query_count * sizeof *listed->dots);
    if (listed->places == NULL || listed->r == NULL || listed->dots == NULL) {
        return SQLITE_NOMEM;
    }
    listed->cos4 = listed->r + count;
    listed->sin4 = listed->cos4 + count;
    listed->inv4 = listed->sin4 + count;
    listed->count = count;
    for (size_t cell = 0; cell < run->view->cell_count; cell++) {
        for (size_t w = 0; run->ways[cell] == NEAREST_BY_ROW && w < wanted->words; w++) {
            uint64_t rest = wanted->bits[cell * wanted->words + w];
            for (; rest != 0; rest &= rest - 1) {
                uint32_t slot = (uint32_t)(64 * w) + (uint32_t)__builtin_ctzll(rest);
                listed->places[at++] = (nearest_place){(uint32_t)cell, slot};
            }
        }
    }
    return SQLITE_OK;
}

static int prepare_ways(nearest_run *run, nearest_scan_kind kind)
{
    const vs_rowset *wanted = run->rows;
    size_t count = 0;
    run->ways = prepare_alloc_plain(run->view->cell_count, sizeof *run->ways);
    if (run->ways == NULL) {
        return SQLITE_NOMEM;
    }
    for (size_t cell = 0; cell < run->view->cell_count; cell++) {
        run->ways[cell] =
            (uint8_t)(kind == NEAREST_SCAN_CODES ? prepare_way(run, cell) : NEAREST_BY_CELL);
        for (size_t w = 0; run->ways[cell] == NEAREST_BY_ROW && w < wanted->words; w++) {
            count += vsk_popcount64(wanted->bits[cell * wanted->words + w]);
        }
    }
    return count == 0 ? SQLITE_OK : prepare_listed(run, count);
}

/* Memory for run->products, where front planes are scanned; without it they are not. */
static void prepare_products(nearest_run *run)
{
    size_t cells = run->view->cell_count;
    if (memchr(run->ways, NEAREST_BY_FRONT, cells) != NULL) {
        run->products =
            prepare_alloc_plain(run->query_count * cells * run->view->slots, sizeof *run->products);
    }
    for (size_t cell = 0; run->products == NULL && cell < cells; cell++) {
        run->ways[cell] = run->ways[cell] == NEAREST_BY_FRONT ? NEAREST_BY_CELL : run->ways[cell];
    }
    run->basis = run->products == NULL ? NULL : run->basis;
}

/* ---- queries --------------------------------------------------------------------------------- */

/* One query's probes, and what its front plane or the learner needs. */
static void prepare_probes(nearest_run *run, size_t q, float *scratch)
{
    nearest_query *query = &run->queries[q];
    size_t code_dim = vsk_code_dim(run->spec->dim);
    for (size_t i = 0; i < run->code_count; i++) {
        vs_probe_init(&query->probes[i], run->codes[i], run->metric, run->spec->type, query->data,
                      scratch, run->planes + q * run->query_stride + i * 2 * code_dim);
        if (i == run->learned_code && run->basis != NULL) {
            vs_front_query_init(&query->front, run->basis, &query->probes[i], scratch);
        } else if (i == run->learned_code && run->direction != NULL && q == 0) {
            memcpy(run->direction, scratch, code_dim * sizeof *scratch);
        }
    }
}

/* Makes the queries ready: for the codes, and for full vectors. */
static int prepare_queries(nearest_run *run, const void *queries)
{
    const vs_vector_spec *spec = run->spec;
    size_t bytes = vsk_bytes(spec->type, spec->dim);
    size_t code_dim = vsk_code_dim(spec->dim);
    float *scratch = prepare_alloc(code_dim, sizeof *scratch);
    run->query_stride = run->code_count * 2 * code_dim;
    run->queries = prepare_alloc(run->query_count, sizeof *run->queries);
    run->planes = prepare_alloc(run->query_count, run->query_stride + 1);
    int rc =
        scratch == NULL || run->queries == NULL || run->planes == NULL ? SQLITE_NOMEM : SQLITE_OK;
    for (size_t q = 0; q < run->query_count && rc == SQLITE_OK; q++) {
        nearest_query *query = &run->queries[q];
        query->data = (const unsigned char *)queries + q * bytes;
        atomic_init(&query->limit, run->filter->distance_hi);
        query->probes = prepare_alloc(run->code_count, sizeof *query->probes);
        if (query->probes == NULL) {
            rc = SQLITE_NOMEM;
            break;
        }
        prepare_probes(run, q, scratch);
        vs_vec vec = {query->data, spec->dim, spec->type};
        rc = vs_scorer_init(&query->scorer, run->metric, &vec);
    }
    sqlite3_free(scratch);
    return rc;
}

/* ---- workers --------------------------------------------------------------------------------- */

int vs_nearest_threads(const vs_store *store, const vs_view *view, const vs_basis *basis,
                       const vs_rowset *rows, size_t query_count)
{
    const vs_vector_spec *spec = &store->declaration.vectors[view->vector];
    int64_t count = rows != NULL ? rows->rows : view->live;
    size_t row_bytes = store->geometry.vectors[view->vector].is_coded
                           ? vsk_code_dim(spec->dim) / 2
                           : vsk_bytes(spec->type, spec->dim);
    row_bytes = basis != NULL ? basis->m : row_bytes;
    int64_t parts = count * (int64_t)(row_bytes * query_count) / PREPARE_THREAD_BYTES;
    int threads = vs_pool_threads();
    return parts < 2 ? 1 : parts < threads ? (int)parts : threads;
}

static int prepare_lane(nearest_run *run, size_t q, size_t k, nearest_lane *lane)
{
    size_t live = (size_t)run->view->live;
    size_t highs = k < live ? k : live;
    lane->capacity = highs < NEAREST_CANDIDATES_MIN / 4 ? NEAREST_CANDIDATES_MIN : 4 * highs;
    size_t estimates = highs < PREPARE_ESTIMATES_MAX ? highs * PREPARE_ESTIMATES : highs;
    lane->highs_memory = prepare_alloc_plain(highs + estimates, sizeof *lane->highs_memory);
    lane->candidates = prepare_alloc_plain(lane->capacity, sizeof *lane->candidates);
    lane->probes = prepare_alloc_plain(run->code_count, sizeof *lane->probes);
    if (lane->highs_memory == NULL || lane->candidates == NULL || lane->probes == NULL) {
        return SQLITE_NOMEM;
    }
    /* Fewer rows than k: an upper bound never tells anything. */
    vsk_topk_init(&lane->highs, lane->highs_memory, k <= live ? highs : 0);
    vsk_topk_init(&lane->estimates, lane->highs_memory + highs, k <= live ? estimates : 0);
    if (run->code_count > 0) {
        memcpy(lane->probes, run->queries[q].probes, run->code_count * sizeof *lane->probes);
    }
    lane->front = run->queries[q].front;
    lane->scorer = run->queries[q].scorer;
    lane->limit = INFINITY;
    return SQLITE_OK;
}

static int prepare_worker(nearest_run *run, size_t k, nearest_worker *worker)
{
    size_t slots = run->view->slots;
    size_t passed = slots > NEAREST_LISTED_UNIT ? slots : NEAREST_LISTED_UNIT;
    int rc = SQLITE_OK;
    worker->lanes = prepare_alloc(run->query_count, sizeof *worker->lanes);
    worker->dots = prepare_alloc_plain(NEAREST_DOT_QUERIES * slots, sizeof *worker->dots);
    worker->passed = prepare_alloc_plain(passed, sizeof *worker->passed);
    worker->pending = prepare_alloc_plain(NEAREST_PENDING, sizeof *worker->pending);
    worker->passed_b = prepare_alloc_plain(NEAREST_PENDING, sizeof *worker->passed_b);
    worker->unfinished = prepare_alloc(run->view->cell_count / 64 + 1, sizeof *worker->unfinished);
    if (worker->lanes == NULL || worker->dots == NULL || worker->passed == NULL ||
        worker->pending == NULL || worker->passed_b == NULL || worker->unfinished == NULL) {
        return SQLITE_NOMEM;
    }
    for (size_t q = 0; q < run->query_count && rc == SQLITE_OK; q++) {
        rc = prepare_lane(run, q, k, &worker->lanes[q]);
    }
    return rc;
}

/* More of them cost little where their products are kept for the scan, which is for one query. */
static size_t prepare_sample_share(const nearest_run *run)
{
    size_t share = (size_t)run->view->live / PREPARE_SAMPLE_ROWS;
    if (run->query_count > 1 || share > PREPARE_SAMPLE_MAX) {
        return PREPARE_SAMPLE_MAX;
    }
    return share < PREPARE_SAMPLE_MIN ? PREPARE_SAMPLE_MIN : share;
}

static int prepare_workers(nearest_run *run, size_t k)
{
    int rc = SQLITE_OK;
    run->sample_share = prepare_sample_share(run);
    run->workers = prepare_alloc((size_t)run->worker_count, sizeof *run->workers);
    if (!vs_nearest_is_estimated(run) && run->query_count == 1 && run->code_count > 0) {
        run->sample_dots =
            prepare_alloc_plain((run->view->cell_count / run->sample_share + 1) * run->view->slots,
                                sizeof *run->sample_dots);
    }
    if (run->workers == NULL) {
        return SQLITE_NOMEM;
    }
    for (int w = 0; w < run->worker_count && rc == SQLITE_OK; w++) {
        rc = prepare_worker(run, k, &run->workers[w]);
    }
    return rc;
}

int vs_nearest_prepare_bare(nearest_run *run, const void *queries)
{
    size_t bytes = vsk_bytes(run->spec->type, run->spec->dim);
    run->queries = prepare_alloc(run->query_count, sizeof *run->queries);
    for (size_t q = 0; run->queries != NULL && q < run->query_count; q++) {
        run->queries[q].data = (const unsigned char *)queries + q * bytes;
    }
    return run->queries == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

int vs_nearest_prepare(nearest_run *run, nearest_scan_kind kind, const void *queries, size_t k,
                       vs_err *err)
{
    int rc = SQLITE_OK;
    if (kind == NEAREST_SCAN_CODES) {
        rc = prepare_codes(run, err);
        if (rc == SQLITE_OK) {
            prepare_basis(run);
        }
    }
    if (rc == SQLITE_OK) {
        rc = prepare_ways(run, kind);
    }
    if (rc == SQLITE_OK) {
        prepare_products(run);
    }
    run->worker_count =
        kind == NEAREST_SCAN_FULL
            ? 1
            : vs_nearest_threads(run->store, run->view, run->basis, run->rows, run->query_count);
    if (rc == SQLITE_OK) {
        rc = prepare_queries(run, queries);
    }
    return rc == SQLITE_OK ? prepare_workers(run, k) : rc;
}
