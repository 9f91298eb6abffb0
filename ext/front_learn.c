/*
 * front_learn.c - learning a front plane.
 *
 * Directions: principal ones of a sample of rows, by subspace iteration (Halko, Martinsson and
 * Tropp, Finding structure with randomness, SIAM Review 2011), in float32: their errors cost
 * nothing but rows that pass. How many are kept is chosen by what the next searches would have
 * let pass among other rows, and by the bytes that are read.
 *
 * The work is cut into steps of about a millisecond. A search takes steps until LEARN_NS are over.
 *
 * Calls: front.c, kernels.
 * Called by: view_front.c (life), nearest.c.
 * Threads: any; one at a time works.
 */
#include "front_learn.h"

#include <math.h>

#include "metrics.h"

#define LEARN_SEARCHES 3      /* that pass before learning begins */
#define LEARN_NS 20000000     /* of work in one search */
#define LEARN_ROWS_MIN 8192   /* coded rows of a table */
#define LEARN_SAMPLE_MAX 3072 /* rows: two thirds to learn from, one to choose by */
#define LEARN_SAMPLE_MIN 768
#define LEARN_SAMPLE_FLOATS (4u << 20) /* memory for the sample */
#define LEARN_DIRECTIONS_MAX 192
#define LEARN_ITERATIONS 3
#define LEARN_SLICE 64      /* rows, or elements, of one step */
#define LEARN_LOOKS 16384   /* cells and slots looked at for one row of the sample */
#define LEARN_CHUNK 16      /* floats that are worked on together */
#define LEARN_JUDGES 16     /* searches that the choice is made by */
#define LEARN_GAIN 0.8      /* of the cost without: more does not pay */
#define LEARN_BYTE_NS 0.04  /* of scanning */
#define LEARN_ROW_NS 150.0  /* of a row that passed */
#define LEARN_TERM_BYTES 16 /* of a row beside plane B, and beside projections */
#define LEARN_CHOICES (LEARN_DIRECTIONS_MAX / VSK_FRONT_STEP)

typedef enum learn_phase {
    LEARN_WAIT,
    LEARN_COLLECT,
    LEARN_PROJECT,
    LEARN_GATHER,
    LEARN_ORTHOGONAL,
    LEARN_MEASURE,
    LEARN_JUDGE,
    LEARN_DONE
} learn_phase;

/* S rows, of which T are learned from; n elements; M directions. */
typedef struct learn_work {
    learn_phase phase;
    uint64_t code_id;
    size_t n, m, sample, train;
    size_t at; /* within the phase */
    int iteration, searches, judges;
    float *rows;        /* [S][n] */
    float *squares;     /* [S] of their lengths */
    float *doubts;      /* [S] distance to the exact row */
    float *directions;  /* [M][n] */
    float *projections; /* [M][T], then [S - T][M] */
    float *columns;     /* [LEARN_SLICE][T]: elements of the sample */
    float *products;    /* [M][LEARN_SLICE] */
    double scales[LEARN_DIRECTIONS_MAX];
    double length;
    size_t passed[LEARN_CHOICES]; /* rows that passed with 1, 2, ... steps of directions */
    double passed_b;
} learn_work;

/* What the choice does not need: most of the memory. It may be long before there are searches to
 * choose by. */
static void learn_free_sample(learn_work *work)
{
    float **const all[] = {&work->rows, &work->columns, &work->products};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        sqlite3_free(*all[i]);
        *all[i] = NULL;
    }
}

static void learn_free_memory(learn_work *work)
{
    float **const all[] = {&work->squares, &work->doubts, &work->directions, &work->projections};
    learn_free_sample(work);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        sqlite3_free(*all[i]);
        *all[i] = NULL;
    }
}

static void learn_before_free(vs_cached *self)
{
    vs_learner *learner = (vs_learner *)(void *)self;
    if (learner->work != NULL) {
        learn_free_memory(learner->work);
        sqlite3_free(learner->work);
    }
    vs_cached_unref(atomic_load(&learner->basis));
}

vs_learner *vs_learner_new(uint64_t code_id, size_t code_dim)
{
    vs_learner *learner = vs_cached_new(sizeof *learner, learn_before_free);
    learn_work *work = sqlite3_malloc64(sizeof *work);
    if (learner == NULL || work == NULL) {
        sqlite3_free(work);
        vs_cached_unref(learner);
        return NULL;
    }
    memset(work, 0, sizeof *work);
    atomic_flag_clear(&learner->lock);
    learner->code_id = code_id;
    learner->code_dim = code_dim;
    work->code_id = code_id;
    work->n = code_dim;
    work->m = code_dim / 4 < LEARN_DIRECTIONS_MAX ? code_dim / 4 : LEARN_DIRECTIONS_MAX;
    work->m -= work->m % VSK_FRONT_STEP;
    work->sample = LEARN_SAMPLE_FLOATS / code_dim;
    work->sample = work->sample < LEARN_SAMPLE_MAX ? work->sample : LEARN_SAMPLE_MAX;
    work->train = work->sample / 3 * 2;
    if (work->m == 0 || work->sample < LEARN_SAMPLE_MIN || vsk_level_in_use() == VSK_SCALAR) {
        work->phase = LEARN_DONE;
    }
    learner->work = work;
    atomic_init(&learner->is_open, work->phase != LEARN_DONE);
    return learner;
}

int vs_learner_is_open(vs_learner *learner)
{
    return atomic_load_explicit(&learner->is_open, memory_order_relaxed);
}

vs_basis *vs_learner_basis(vs_learner *learner)
{
    return learner == NULL ? NULL : atomic_load_explicit(&learner->basis, memory_order_acquire);
}

/* ---- the sample ------------------------------------------------------------------------------ */

static void learn_finish(learn_work *work)
{
    learn_free_memory(work);
    work->phase = LEARN_DONE;
}

/* Waits for some searches, and for a table that is large enough. */
static void learn_wait(learn_work *work, const vs_view *view)
{
    size_t m = work->m, n = work->n;
    size_t rows = 0;
    work->searches++;
    for (size_t i = 0; i < view->cell_count; i++) {
        rows += vs_view_has_code(view, i, work->code_id) ? (size_t)view->cells[i].live : 0;
    }
    if (work->searches <= LEARN_SEARCHES || rows < LEARN_ROWS_MIN) {
        return;
    }
    work->rows = sqlite3_malloc64(work->sample * n * sizeof(float));
    work->squares = sqlite3_malloc64(work->sample * sizeof(float));
    work->doubts = sqlite3_malloc64(work->sample * sizeof(float));
    work->directions = sqlite3_malloc64(m * n * sizeof(float));
    work->projections = sqlite3_malloc64(m * work->train * sizeof(float));
    work->columns = sqlite3_malloc64(LEARN_SLICE * work->train * sizeof(float));
    work->products = sqlite3_malloc64(m * LEARN_SLICE * sizeof(float));
    if (work->rows == NULL || work->squares == NULL || work->doubts == NULL ||
        work->directions == NULL || work->projections == NULL || work->columns == NULL ||
        work->products == NULL) {
        learn_finish(work);
        return;
    }
    work->phase = LEARN_COLLECT;
    work->at = 0;
}

/* A coded row, from the `number`th of the sample's places on; NULL when there is none near. */
static const vs_block *learn_find_row(const learn_work *work, const vs_view *view, size_t number,
                                      size_t *out_slot)
{
    size_t looks = 0;
    for (size_t i = 0; i < view->cell_count && looks < LEARN_LOOKS; i++, looks++) {
        size_t cell = (number * view->cell_count / work->sample + i) % view->cell_count;
        const vs_block *block = view->blocks[cell];
        if (!vs_view_has_code(view, cell, work->code_id)) {
            continue;
        }
        for (size_t j = 0; j < block->slots; j++, looks++) {
            size_t slot = (number * 37 + j) % block->slots;
            if ((block->has[slot / 64] >> (slot % 64) & 1) &&
                vs_code_in_range((double)block->rows[slot].r) && block->rows[slot].cos8 > 0.0f) {
                *out_slot = slot;
                return block;
            }
        }
    }
    return NULL;
}

static void learn_collect(learn_work *work, const vs_view *view)
{
    size_t n = work->n;
    for (size_t i = 0; i < LEARN_SLICE && work->at < work->sample; i++, work->at++) {
        size_t slot = 0;
        const vs_block *block = learn_find_row(work, view, work->at, &slot);
        float *row = work->rows + work->at * n;
        if (block == NULL) {
            learn_finish(work);
            return;
        }
        vsk_code_decode(block->plane_b + slot * block->b_stride, block->plane_c + slot * (n / 2), n,
                        row);
        const vs_row_terms *terms = &block->rows[slot];
        float length = terms->r * terms->cos8;
        for (size_t j = 0; j < n; j++) {
            row[j] *= length * terms->inv8;
        }
        work->squares[work->at] = length * length;
        work->doubts[work->at] = terms->r * terms->sin8;
        work->length += (double)(length * length) / (double)work->sample;
    }
    if (work->at < work->sample) {
        return;
    }
    work->length = sqrt(work->length);
    if (!(work->length > 0.0)) {
        learn_finish(work);
        return;
    }
    uint64_t state = 1; /* any directions will do to begin with */
    for (size_t i = 0; i < work->m * n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        work->directions[i] = state >> 63 ? 1.0f : -1.0f;
    }
    work->at = 0;
    work->phase = LEARN_ORTHOGONAL;
}

/* ---- directions ------------------------------------------------------------------------------ */

/* to -= factor * from; n is a multiple of LEARN_CHUNK. */
static void learn_subtract(float *restrict to, const float *restrict from, float factor, size_t n)
{
    for (size_t i = 0; i < n; i += LEARN_CHUNK) {
        for (size_t j = 0; j < LEARN_CHUNK; j++) {
            to[i + j] -= factor * from[i + j];
        }
    }
}

/* Makes direction `at` a unit vector orthogonal to those before it: Gram-Schmidt, twice. */
static void learn_orthogonal(learn_work *work)
{
    const vsk_table *kernels = vsk_get();
    size_t n = work->n;
    float *direction = work->directions + work->at * n;
    for (int pass = 0; pass < 3; pass++) {
        double length = sqrt(kernels->sumsq[VSK_F32](direction, n));
        if (!(length > 1e-30 && length < 1e30)) { /* the sample has fewer dimensions */
            work->m = work->at - work->at % VSK_FRONT_STEP;
            break;
        }
        float scale = (float)(1.0 / length);
        for (size_t i = 0; i < n; i++) {
            direction[i] *= scale;
        }
        for (size_t j = 0; pass < 2 && j < work->at; j++) {
            const float *other = work->directions + j * n;
            learn_subtract(direction, other, (float)kernels->dot[VSK_F32](direction, other, n), n);
        }
    }
    if (work->m == 0) {
        learn_finish(work);
        return;
    }
    if (++work->at >= work->m) {
        work->at = 0;
        work->phase = work->iteration < LEARN_ITERATIONS ? LEARN_PROJECT : LEARN_MEASURE;
    }
}

/* Projections of the sample on some directions. */
static void learn_project(learn_work *work)
{
    size_t n = work->n;
    size_t count =
        work->m - work->at < VSK_FRONT_STEP / 2 ? work->m - work->at : VSK_FRONT_STEP / 2;
    vsk_get()->tile_dot(work->directions + work->at * n, n, count, work->rows, n, work->train, n,
                        work->projections + work->at * work->train);
    work->at += count;
    if (work->at == work->m) {
        work->at = 0;
        work->phase = LEARN_GATHER;
    }
}

/* Some elements of the new directions: sums of the rows, weighted by their projections. */
static void learn_gather(learn_work *work)
{
    size_t n = work->n, train = work->train;
    for (size_t i = 0; i < train; i++) {
        for (size_t j = 0; j < LEARN_SLICE; j++) {
            work->columns[j * train + i] = work->rows[i * n + work->at + j];
        }
    }
    vsk_get()->tile_dot(work->projections, train, work->m, work->columns, train, LEARN_SLICE, train,
                        work->products);
    for (size_t j = 0; j < work->m; j++) {
        memcpy(work->directions + j * n + work->at, work->products + j * LEARN_SLICE,
               LEARN_SLICE * sizeof(float));
    }
    work->at += LEARN_SLICE;
    if (work->at == n) {
        work->at = 0;
        work->iteration++;
        work->phase = LEARN_ORTHOGONAL;
    }
}

/* ---- the choice ------------------------------------------------------------------------------ */

/* Projections of some rows that were not learned from, and their scale. */
static void learn_measure(learn_work *work)
{
    size_t n = work->n, m = work->m;
    size_t rest = work->sample - work->train - work->at;
    size_t count = rest < LEARN_SLICE ? rest : LEARN_SLICE;
    float *out = work->projections + work->at * m;
    vsk_get()->tile_dot(work->rows + (work->train + work->at) * n, n, count, work->directions, n, m,
                        n, out);
    for (size_t i = 0; i < count * m; i++) {
        double size = fabs((double)out[i]) / 127.0;
        work->scales[i % m] = fmax(work->scales[i % m], size);
    }
    work->at += count;
    if (work->at + work->train < work->sample) {
        return;
    }
    double largest = 0.0;
    for (size_t j = 0; j < m; j++) {
        largest = fmax(largest, work->scales[j]);
    }
    for (size_t j = 0; j < m; j++) { /* a query has 15 bits for all of them together */
        work->scales[j] = fmax(work->scales[j], fmax(largest, 1e-30) / 1024.0);
    }
    learn_free_sample(work);
    work->at = 0;
    work->phase = LEARN_JUDGE;
}

/* Counts the rows that would have passed in a search. */
static void learn_judge_row(learn_work *work, size_t row, const vs_probe *probe,
                            const double *projections, double square, double limit)
{
    const float *mine = work->projections + (row - work->train) * work->m;
    double row_square = (double)work->squares[row], sum = 0.0;
    double row_inside = 0.0, inside = 0.0, error = 0.0;
    for (size_t j = 0; j < work->m; j++) {
        double x = (double)mine[j], q = projections[j];
        sum += probe->metric == VS_DOT ? x * q : (x - q) * (x - q);
        row_inside += x * x;
        inside += q * q;
        error += work->scales[j] * work->scales[j] / 12.0;
        if ((j + 1) % VSK_FRONT_STEP != 0) {
            continue;
        }
        double row_rest = sqrt(fmax(0.0, row_square - row_inside));
        double rest = sqrt(fmax(0.0, square - inside));
        double g = sqrt(error) + 2.0 * (double)work->doubts[row]; /* the limit has its own */
        double low = sqrt(sum + (row_rest - rest) * (row_rest - rest)) - g;
        if (probe->metric == VS_DOT) {
            low = -(probe->bias + sum + row_rest * rest + probe->length * g);
        }
        work->passed[j / VSK_FRONT_STEP] += low <= limit;
    }
}

/* Chooses how many directions are kept, if any. */
static void learn_choose(vs_learner *learner, learn_work *work)
{
    double rows = (double)(work->sample - work->train) * LEARN_JUDGES;
    double best = LEARN_GAIN * (LEARN_BYTE_NS * (double)(work->n / 2 + LEARN_TERM_BYTES) +
                                LEARN_ROW_NS * work->passed_b / LEARN_JUDGES);
    size_t m = 0;
    vs_basis *basis = NULL;
    for (size_t steps = 1; steps * VSK_FRONT_STEP <= work->m; steps++) {
        double cost = LEARN_BYTE_NS * (double)(steps * VSK_FRONT_STEP + LEARN_TERM_BYTES) +
                      LEARN_ROW_NS * (double)work->passed[steps - 1] / rows;
        if (cost < best) {
            best = cost;
            m = steps * VSK_FRONT_STEP;
        }
    }
    if (m > 0 && vs_basis_new(work->directions, m, work->n, work->code_id, work->scales,
                              work->length, &basis) == SQLITE_OK) {
        atomic_store_explicit(&learner->basis, basis, memory_order_release);
    }
    learn_finish(work);
}

static void learn_judge(vs_learner *learner, learn_work *work, const vs_lesson *lesson)
{
    const vs_probe *probe = lesson->probe;
    double projections[LEARN_DIRECTIONS_MAX];
    if (!probe->is_usable || !isfinite(lesson->limit)) {
        return; /* of a search that says nothing */
    }
    for (size_t j = 0; j < work->m; j++) {
        projections[j] =
            probe->length *
            vsk_get()->dot[VSK_F32](lesson->direction, work->directions + j * work->n, work->n);
    }
    double limit =
        probe->metric == VS_DOT ? lesson->limit : vs_probe_space_limit(probe, lesson->limit);
    for (size_t row = work->train; row < work->sample; row++) {
        learn_judge_row(work, row, probe, projections, probe->length * probe->length, limit);
    }
    work->passed_b += lesson->passed_b;
    if (++work->judges == LEARN_JUDGES) {
        learn_choose(learner, work);
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* One step; 0 when the search has nothing more to give. */
static int learn_step(vs_learner *learner, learn_work *work, const vs_lesson *lesson)
{
    switch (work->phase) {
    case LEARN_WAIT:
        learn_wait(work, lesson->view);
        return work->phase != LEARN_WAIT;
    case LEARN_COLLECT:
        learn_collect(work, lesson->view);
        return 1;
    case LEARN_PROJECT:
        learn_project(work);
        return 1;
    case LEARN_GATHER:
        learn_gather(work);
        return 1;
    case LEARN_ORTHOGONAL:
        learn_orthogonal(work);
        return 1;
    case LEARN_MEASURE:
        learn_measure(work);
        return 1;
    case LEARN_JUDGE:
        learn_judge(learner, work, lesson);
        return 0;
    default:
        return 0;
    }
}

int vs_learner_step(vs_learner *learner, const vs_lesson *lesson)
{
    if (learner == NULL ||
        atomic_flag_test_and_set_explicit(&learner->lock, memory_order_acquire)) {
        return 0;
    }
    int has_more = learn_step(learner, learner->work, lesson);
    atomic_store_explicit(&learner->is_open, learner->work->phase != LEARN_DONE,
                          memory_order_relaxed);
    vs_lock_leave(&learner->lock);
    return has_more;
}

void vs_learner_take(vs_learner *learner, const vs_lesson *lesson)
{
    int64_t deadline = vs_metrics_now_ns() + LEARN_NS;
    while (vs_learner_step(learner, lesson) && vs_metrics_now_ns() < deadline) {
    }
}
