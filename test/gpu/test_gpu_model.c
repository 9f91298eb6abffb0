/*
 * test_gpu_model.c - random operations on the manager, with random faults. After each of them the
 * books hold, within the budget; every answer has the rows that it must have; at the end nothing is
 * left.
 */
#include "manager_fixture.h"

#include <math.h>

#define COLUMNS 12
#define HELD 3
#define STEPS 400

typedef struct model {
    vsg_fake *fake;
    uint64_t random;
    manager_column columns[COLUMNS];
    vs_gpu_search *searches[HELD]; /* held while other things happen; NULL */
    vs_gpu_fill *fill;             /* the same */
    vs_gpu_image *filled;          /* that of the fill; one reference */
    int answers;
} model;

static const uint64_t *seed_of_child; /* set before the fork */

static uint64_t pick(model *self, uint64_t count)
{
    return vs_test_random(&self->random) / 16 % count;
}

/* Are searches under way, which keep what a smaller budget has no room for? */
static int is_held(const model *self)
{
    for (int i = 0; i < HELD; i++) {
        if (self->searches[i] != NULL) {
            return 1;
        }
    }
    vs_gpu_lock();
    int is_draining = vs_gpu.has_drains; /* the device has not yet left one that was ended early */
    vs_gpu_unlock();
    return is_draining;
}

static void check_invariants(const model *self)
{
    vs_gpu_info info;
    vs_gpu_read_info(&info);
    MANAGER_CHECK(info.state == VS_GPU_OPEN || info.state == VS_GPU_READY);
    MANAGER_CHECK(info.used_bytes <= info.budget_bytes || is_held(self));
    MANAGER_CHECK(self->fake->over_budget == 0);
    if (info.state == VS_GPU_OPEN) {
        MANAGER_CHECK(info.used_bytes == info.context_bytes + self->fake->bytes);
    }
    for (size_t i = 0; i < VS_GPU_REASON_COUNT; i++) {
        MANAGER_CHECK(i != VS_GPU_ERROR || info.fallbacks[i] == 0);
    }
}

/* ---- operations ------------------------------------------------------------------------------ */

static void do_ask(model *self, manager_column *column)
{
    static const vs_metric metrics[] = {VS_L2, VS_L2SQ, VS_DOT, VS_COSINE};
    column->want.metric = metrics[pick(self, 4)];
    column->want.mode = pick(self, 3) == 0 ? VS_GPU_AUTO : VS_GPU_PREFER;
    column->want.query_count = 1 + pick(self, 3);
    column->want.k = 1 + pick(self, 20);
    manager_limit.wanted_step = (uint32_t)pick(self, 3);
    manager_limit.hi = pick(self, 4) == 0 ? 5.0 : INFINITY;
    self->answers += manager_ask(column) == VS_GPU_NONE;
    manager_limit = (manager_limits){-INFINITY, INFINITY, 0};
}

static void do_fill_some(model *self, manager_column *column)
{
    vs_gpu_reason reason;
    if (column->want.key.kind == VS_GPU_TABLE) {
        return;
    }
    vs_gpu_image *image =
        vs_gpu_image_make(&column->want, (vs_gpu_precision)pick(self, 4), &reason);
    if (image != NULL) {
        uint32_t first = (uint32_t)pick(self, vs_gpu_image_segments(image) + 1);
        uint32_t most = manager_segments(image, column);
        if (first < most) {
            (void)manager_fill_segments(image, column, first,
                                        first + (uint32_t)pick(self, most - first));
        }
    }
    vs_gpu_image_unref(image);
}

/* Another state of a table: other rows. */
static void do_change(model *self, manager_column *column)
{
    if (column->want.key.kind == VS_GPU_TABLE) {
        float *rows = column->vectors;
        column->want.tag[0]++;
        for (size_t i = 0; i < column->rows * column->want.dim; i++) {
            rows[i] += (float)(int64_t)pick(self, 9) - 4.0f;
        }
    }
}

static void do_evict(model *self, manager_column *column)
{
    switch (pick(self, 6)) {
    case 0:
        (void)vs_gpu_evict(NULL);
        break;
    case 1:
        vs_gpu_evict_file(column->want.key.file, (vs_gpu_kind)column->want.key.kind);
        break;
    case 2:
        if (pick(self, 4) == 0) {
            vs_gpu_stop();
        }
        break;
    default:
        (void)vs_gpu_evict(&column->want.key);
    }
}

static void do_set(model *self)
{
    vs_gpu_settings settings;
    vs_gpu_read_settings(&settings);
    settings.budget_mb = 26 + (int)pick(self, 50);
    settings.precision = (vs_gpu_precision)pick(self, 4);
    settings.idle_s = (int)pick(self, 3) * 100;
    vs_gpu_set_settings(&settings);
}

static void do_fault(model *self)
{
    switch (pick(self, 8)) {
    case 0:
        atomic_store(&self->fake->fail_allocation,
                     self->fake->allocations + 1 + (unsigned)pick(self, 4));
        break;
    case 1:
        atomic_store(&self->fake->others_bytes,
                     8192 * MANAGER_MIB - (400 + pick(self, 400)) * MANAGER_MIB);
        break;
    case 2:
        atomic_store(&self->fake->delay_us, (unsigned)pick(self, 2000));
        break;
    case 3:
        atomic_store(&self->fake->fail_pin, self->fake->pins + 1 + (unsigned)pick(self, 9));
        break;
    default:
        atomic_store(&self->fake->others_bytes, 0);
    }
}

/* Begins a search and holds it, or ends one that is held. */
static void do_hold(model *self, manager_column *column)
{
    float question[16] = {1.0f, -2.0f};
    int i = (int)pick(self, HELD);
    vs_gpu_reason reason;
    if (self->searches[i] != NULL) {
        if (pick(self, 2) == 0) {
            MANAGER_CHECK(vs_gpu_search_wait(self->searches[i], NULL, NULL, &reason) == SQLITE_OK);
            MANAGER_CHECK(reason == VS_GPU_NONE);
        }
        vs_gpu_search_end(self->searches[i]);
        self->searches[i] = NULL;
        return;
    }
    vs_gpu_image *image = vs_gpu_image_find(&column->want);
    if (image != NULL) {
        vs_gpu_query query = {VS_L2SQ, question,     1,
                              4,       -INFINITY,    INFINITY,
                              NULL,    column->rows, vs_gpu_image_version(image)};
        self->searches[i] = vs_gpu_search_begin(image, &query, &reason);
        MANAGER_CHECK(self->searches[i] != NULL || reason == VS_GPU_STALE || reason == VS_GPU_BUSY);
    }
    vs_gpu_image_unref(image);
}

/* Begins a fill and holds it, goes on with it, or ends it. */
static void do_hold_fill(model *self, manager_column *column)
{
    vs_gpu_reason reason;
    if (self->fill == NULL) {
        self->filled = column->want.key.kind == VS_GPU_INDEX
                           ? vs_gpu_image_make(&column->want, VS_GPU_PRECISION_AUTO, &reason)
                           : NULL;
        self->fill = self->filled != NULL ? vs_gpu_fill_begin(self->filled) : NULL;
    } else if (pick(self, 2) == 0) { /* a new segment without live rows */
        uint32_t next = vs_gpu_image_segments(self->filled);
        (void)vs_gpu_fill_segment(self->fill, next);
        return;
    } else {
        vs_gpu_fill_end(self->fill, (int)pick(self, 2));
        self->fill = NULL;
    }
    if (self->fill == NULL) {
        vs_gpu_image_unref(self->filled);
        self->filled = NULL;
    }
}

static void step(model *self)
{
    uint64_t number = pick(self, COLUMNS), other = pick(self, COLUMNS); /* the first more often */
    manager_column *column = &self->columns[number * other / COLUMNS];
    switch (pick(self, 24)) {
    case 0:
        do_evict(self, column);
        break;
    case 1:
        do_set(self);
        break;
    case 2:
    case 3:
        do_hold(self, column);
        break;
    case 4:
        do_hold_fill(self, column);
        break;
    case 5:
        do_change(self, column);
        break;
    case 6:
        do_fault(self);
        break;
    case 7:
        do_fill_some(self, column);
        break;
    case 8:
        vs_gpu_note_time(&column->want, (int)pick(self, 2), (double)pick(self, 10000));
        break;
    case 9:
        manager_step_clock((double)pick(self, 90));
        break;
    default:
        do_ask(self, column);
    }
}

static void run_steps(vsg_fake *fake)
{
    static model self;
    self.fake = fake;
    self.random = *seed_of_child;
    manager_use_small_card(fake, 12);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        manager_column_init(&self.columns[i], i, i % 3 == 0 ? VS_GPU_TABLE : VS_GPU_INDEX,
                            50 + 60 * i, i == 1 ? 1e6 : 128);
    }
    for (int i = 0; i < STEPS; i++) {
        step(&self);
        check_invariants(&self);
    }
    for (int i = 0; i < HELD; i++) {
        vs_gpu_search_end(self.searches[i]);
    }
    vs_gpu_fill_end(self.fill, 1);
    vs_gpu_image_unref(self.filled);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        manager_column_free(&self.columns[i]);
    }
    MANAGER_CHECK(self.answers > STEPS / 10);
    manager_check_end(fake);
}

static void random_operations_keep_the_books_and_the_answers(void **state)
{
    static const uint64_t seeds[] = {1, 22, 333};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(seeds); i++) {
        seed_of_child = &seeds[i];
        manager_run(run_steps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_keep_the_books_and_the_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
