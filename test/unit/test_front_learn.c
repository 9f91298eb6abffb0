/*
 * test_front_learn.c - learning a front plane from views made of synthetic cells: what is learned
 * and what is refused, how much work and memory it takes, and what becomes of it without memory and
 * among rows that teach nothing. Work is counted in steps.
 */
#include "../vs_test.h"

#include <math.h>

#include "../../ext/distance.h"
#include "../../ext/front_learn.h"
#include "../awkward.h"
#include "../coded_block.h"
#include "../vs_fault.h"

#define DIM 128
#define SLOTS 1024
#define CELLS 9
#define CODE_ID 7
#define LATENT 8
#define NEAREST 10
#define WAITS 3   /* searches that pass before learning begins */
#define JUDGES 16 /* that the choice is made by */
#define M 32      /* directions of codes of DIM elements */
#define SAMPLE 3072
#define PASSED_B 0.2

/* Steps that learning can take: to collect, to make orthogonal, to project and gather, to measure,
 * to judge. */
#define STEPS_MAX (WAITS + 1 + SAMPLE / 64 + 4 * M + 3 * (M / 16 + DIM / 64) + SAMPLE / 64 + JUDGES)

static float vectors[CELLS][SLOTS][DIM];
static vs_cell view_cells[CELLS];
static vs_block *view_blocks[CELLS];
static vs_view view;
static vs_code *code;

typedef enum data { NEAR_FEW_DIRECTIONS, ISOTROPIC } data;

static void fill_vector(data kind, float *out)
{
    double latent[LATENT];
    for (size_t i = 0; i < LATENT; i++) {
        latent[i] = random_normal();
    }
    for (size_t i = 0; i < DIM; i++) {
        double sum = 0.01 * random_normal();
        for (size_t j = 0; kind == NEAR_FEW_DIRECTIONS && j < LATENT; j++) {
            sum += latent[j] * sin((double)(i * (2 * j + 1)) * 0.7 + (double)j);
        }
        out[i] = (float)(kind == ISOTROPIC ? random_normal() : sum);
    }
}

static void make_view(data kind)
{
    memset(&view, 0, sizeof view);
    view.code_dim = DIM;
    view.cell_count = CELLS;
    view.slots = SLOTS;
    view.cells = view_cells;
    view.blocks = view_blocks;
    for (size_t i = 0; i < CELLS; i++) {
        coded_block_free(view_blocks[i]);
        view_blocks[i] = coded_block_new(SLOTS, DIM);
        view_cells[i].is_coded = 1;
        view_cells[i].live = SLOTS;
        view_cells[i].code_id[0] = CODE_ID;
        view.live += SLOTS;
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            fill_vector(kind, vectors[i][slot]);
            assert_int_equal(coded_block_set(view_blocks[i], slot, code, vectors[i][slot]),
                             SQLITE_OK);
        }
    }
}

static int set_up(void **state)
{
    vs_vector_spec spec = {VSK_F32, VSK_F32, DIM, VS_L2, 0, 0};
    (void)state;
    if (vsk_init(NULL) != 0) {
        return -1;
    }
    code = vs_code_new(&spec, 0, CODE_ID, NULL);
    return code == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < CELLS; i++) {
        coded_block_free(view_blocks[i]);
    }
    sqlite3_free(code);
    return 0;
}

/* A search that has ended. */
typedef struct search {
    float vector[DIM], direction[DIM];
    int8_t planes[2 * DIM];
    vs_probe probe;
    vs_lesson lesson;
} search;

static double row_distance(const search *of, size_t cell, size_t slot)
{
    double distance = 0.0;
    assert_int_equal(vs_distance(VS_L2, VSK_F32, of->vector, vectors[cell][slot], DIM, &distance),
                     VS_DIST_VALUE);
    return distance;
}

/* The distance of the last row of the answer, by all distances. */
static double last_distance(const search *of)
{
    vsk_hit hits[NEAREST];
    vsk_topk nearest;
    vsk_topk_init(&nearest, hits, NEAREST);
    for (size_t cell = 0; cell < CELLS; cell++) {
        for (size_t slot = 0; slot < SLOTS; slot++) {
            vsk_topk_push(&nearest, row_distance(of, cell, slot), (int64_t)(cell * SLOTS + slot));
        }
    }
    return vsk_topk_worst(&nearest);
}

static void make_search(data kind, search *out)
{
    memset(out, 0, sizeof *out);
    fill_vector(kind, out->vector);
    vs_probe_init(&out->probe, code, VS_L2, VSK_F32, out->vector, out->direction, out->planes);
    assert_true(out->probe.is_usable);
    out->lesson = (vs_lesson){&view, &out->probe, out->direction, last_distance(out), PASSED_B};
}

/* Shows searches to the learner until it is closed; the steps that it took. */
static size_t learn(vs_learner *learner, data kind)
{
    size_t steps = 0;
    search shown;
    while (vs_learner_is_open(learner) && steps <= STEPS_MAX) {
        make_search(kind, &shown);
        do {
            steps++;
        } while (vs_learner_step(learner, &shown.lesson) && steps <= STEPS_MAX);
    }
    return steps;
}

static vs_learner *new_learner(void)
{
    vs_learner *learner = vs_learner_new(CODE_ID, DIM);
    assert_non_null(learner);
    assert_true(vs_learner_is_open(learner));
    assert_null(vs_learner_basis(learner));
    return learner;
}

/* ---- what is learned ------------------------------------------------------------------------- */

/* The share of a cell's squared lengths that lies within the basis, from the vectors themselves. */
static double share_inside(const vs_basis *basis, size_t cell)
{
    double inside = 0.0, all = 0.0;
    for (size_t slot = 0; slot < SLOTS; slot++) {
        float rotated[DIM];
        memcpy(rotated, vectors[cell][slot], sizeof rotated);
        vsk_rotate(rotated, DIM);
        for (size_t j = 0; j < basis->m; j++) {
            double sum = 0.0;
            for (size_t i = 0; i < DIM; i++) {
                sum += basis->units[j] * (double)basis->values[j * DIM + i] * (double)rotated[i];
            }
            inside += sum * sum;
        }
        for (size_t i = 0; i < DIM; i++) {
            all += (double)rotated[i] * (double)rotated[i];
        }
    }
    return inside / all;
}

/* Rows of a cell that pass in a search; none within its limit may be dropped. */
static size_t count_passed(vs_basis *basis, size_t cell, const search *of)
{
    int32_t dots[SLOTS];
    uint16_t passed[SLOTS];
    vs_front_query query;
    size_t next = 0;
    vs_front *front = vs_front_new(basis, view_blocks[cell]);
    assert_non_null(front);
    vs_front_query_init(&query, basis, &of->probe, of->direction);
    vs_front_query_set_limit(&query, &of->probe, of->lesson.limit);
    vsk_get()->front_dot(query.w, 0, 1, front->projections, SLOTS, basis->m, dots, 0);
    size_t count =
        vsk_get()->front_pass(&query.test, dots, front->t, front->rest, front->g, SLOTS, passed);
    for (size_t slot = 0; slot < SLOTS; slot++) {
        int has_passed = next < count && passed[next] == slot;
        next += (size_t)has_passed;
        assert_true(has_passed || row_distance(of, cell, slot) > of->lesson.limit);
    }
    vs_cached_unref(front);
    return count;
}

static void data_near_few_directions_gives_a_basis_that_pays(void **state)
{
    size_t passed = 0;
    search of;
    (void)state;
    make_view(NEAR_FEW_DIRECTIONS);
    vs_learner *learner = new_learner();
    assert_in_range(learn(learner, NEAR_FEW_DIRECTIONS), 1, STEPS_MAX);
    assert_false(vs_learner_is_open(learner));
    vs_basis *basis = vs_learner_basis(learner);
    assert_non_null(basis);
    assert_int_equal(basis->m, M);
    assert_int_equal(basis->code_dim, DIM);
    assert_int_equal(basis->code_id, CODE_ID);
    assert_true(share_inside(basis, 0) > 0.999);
    for (size_t cell = 0; cell < CELLS; cell++) {
        make_search(NEAR_FEW_DIRECTIONS, &of);
        passed += count_passed(basis, cell, &of);
    }
    assert_true(passed < CELLS * SLOTS / 20);
    vs_cached_unref(learner);
}

static void isotropic_data_is_refused(void **state)
{
    (void)state;
    make_view(ISOTROPIC);
    int64_t live = vs_fault_live();
    vs_learner *learner = new_learner();
    assert_in_range(learn(learner, ISOTROPIC), 1, STEPS_MAX);
    assert_false(vs_learner_is_open(learner));
    assert_null(vs_learner_basis(learner));
    assert_int_equal(vs_fault_live(),
                     live + 2); /* the learner itself, without what it learned from */
    vs_cached_unref(learner);
    assert_int_equal(vs_fault_live(), live);
}

static void narrow_and_wide_codes_are_closed_from_the_beginning(void **state)
{
    static const size_t closed[] = {64, 5504, VSK_DIM_MAX};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(closed); i++) {
        vs_learner *learner = vs_learner_new(CODE_ID, closed[i]);
        assert_non_null(learner);
        assert_false(vs_learner_is_open(learner));
        vs_learner_take(learner, NULL);
        vs_cached_unref(learner);
    }
}

static void small_tables_teach_nothing_and_cost_nothing(void **state)
{
    search shown;
    (void)state;
    make_view(NEAR_FEW_DIRECTIONS);
    make_search(NEAR_FEW_DIRECTIONS, &shown);
    vs_learner *learner = new_learner();
    int64_t allocations = vs_fault_allocations();
    view.cell_count = 7; /* 7,168 rows */
    for (int i = 0; i < 20; i++) {
        assert_int_equal(vs_learner_step(learner, &shown.lesson), 0);
    }
    view.cell_count = CELLS;
    view_cells[4].code_id[0] = view_cells[8].code_id[0] = CODE_ID + 1;
    assert_int_equal(vs_learner_step(learner, &shown.lesson), 0); /* 7 cells of this description */
    assert_int_equal(vs_fault_allocations(), allocations);
    assert_true(vs_learner_is_open(learner));
    view_cells[8].code_id[0] = CODE_ID;
    assert_int_equal(vs_learner_step(learner, &shown.lesson), 1); /* 8,192 rows */
    vs_cached_unref(learner);
}

/* ---- how much it costs ----------------------------------------------------------------------- */

static void a_search_takes_few_steps_whatever_the_clock_says(void **state)
{
    search shown;
    size_t takes = 0, steps = 0;
    (void)state;
    make_view(NEAR_FEW_DIRECTIONS);
    make_search(NEAR_FEW_DIRECTIONS, &shown);
    vs_learner *learner = new_learner();
    for (int i = 0; i < WAITS; i++) {
        assert_int_equal(vs_learner_step(learner, &shown.lesson), 0);
    }
    do {
        steps++; /* all that one search could do, on a clock that stands still */
    } while (vs_learner_step(learner, &shown.lesson) && steps <= STEPS_MAX);
    assert_in_range(steps, SAMPLE / 64, STEPS_MAX - WAITS);
    for (int i = 1; i < JUDGES; i++) {
        assert_true(vs_learner_is_open(learner));
        assert_int_equal(vs_learner_step(learner, &shown.lesson), 0);
    }
    assert_false(vs_learner_is_open(learner));
    vs_cached_unref(learner);
    learner = new_learner();
    while (vs_learner_is_open(learner) && takes <= STEPS_MAX) {
        takes++; /* each makes one step at least */
        vs_learner_take(learner, &shown.lesson);
    }
    assert_in_range(takes, WAITS + JUDGES, STEPS_MAX);
    assert_non_null(vs_learner_basis(learner));
    vs_cached_unref(learner);
}

/* Steps up to the choice, with searches that say nothing: none is made by them. */
static void searches_that_say_nothing_do_not_choose(void **state)
{
    search shown;
    (void)state;
    make_view(NEAR_FEW_DIRECTIONS);
    make_search(NEAR_FEW_DIRECTIONS, &shown);
    sqlite3_int64 before = sqlite3_memory_used();
    vs_learner *learner = new_learner();
    shown.lesson.limit = INFINITY; /* the answer was not full */
    for (size_t i = 0; i < STEPS_MAX + 20; i++) {
        (void)vs_learner_step(learner, &shown.lesson);
    }
    shown.lesson.limit = 1.0;
    shown.probe.is_usable = 0;
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(vs_learner_step(learner, &shown.lesson), 0);
    }
    assert_true(vs_learner_is_open(learner));
    assert_null(vs_learner_basis(learner));
    /* what is kept for the choice is a fraction of the sample */
    assert_true(sqlite3_memory_used() - before < SAMPLE * DIM * (int)sizeof(float) / 4);
    assert_in_range(learn(learner, NEAR_FEW_DIRECTIONS), JUDGES, JUDGES);
    assert_non_null(vs_learner_basis(learner));
    vs_cached_unref(learner);
}

static void a_learner_at_work_is_left_alone(void **state)
{
    search shown;
    (void)state;
    make_view(NEAR_FEW_DIRECTIONS);
    make_search(NEAR_FEW_DIRECTIONS, &shown);
    vs_learner *learner = new_learner();
    vs_learner_take(NULL, &shown.lesson);
    assert_null(vs_learner_basis(NULL));
    int64_t allocations = vs_fault_allocations();
    vs_lock_enter(&learner->lock); /* another thread, or one that a fork has left behind */
    for (int i = 0; i < 10; i++) {
        vs_learner_take(learner, &shown.lesson);
    }
    assert_int_equal(vs_fault_allocations(), allocations);
    vs_lock_leave(&learner->lock);
    assert_in_range(learn(learner, NEAR_FEW_DIRECTIONS), WAITS + JUDGES, STEPS_MAX);
    assert_non_null(vs_learner_basis(learner));
    vs_cached_unref(learner);
}

/* ---- without memory -------------------------------------------------------------------------- */

static void without_memory_it_gives_up(void **state)
{
    int64_t failures = 1;
    size_t given_up = 0;
    (void)state;
    make_view(NEAR_FEW_DIRECTIONS);
    for (int64_t n = 1; failures > 0; n++) {
        int64_t live = vs_fault_live();
        vs_fault_arm(n, 0);
        vs_learner *learner = vs_learner_new(CODE_ID, DIM);
        if (learner != NULL) {
            assert_in_range(learn(learner, NEAR_FEW_DIRECTIONS), 1, STEPS_MAX);
            assert_false(vs_learner_is_open(learner));
        }
        failures = vs_fault_disarm();
        if (learner != NULL) {
            assert_int_equal(vs_learner_basis(learner) == NULL, failures > 0);
        }
        given_up += learner != NULL && failures > 0;
        vs_cached_unref(learner);
        assert_int_equal(vs_fault_live(), live);
        assert_in_range(n, 1, 50);
    }
    assert_true(given_up >= 8); /* each array of the sample, and the basis */
}

/* ---- rows that teach nothing ----------------------------------------------------------------- */

/* Half of the rows of each cell have no bound, or no vector; what else cells may be. */
static void spoil_view(void)
{
    for (size_t i = 0; i < CELLS; i++) {
        vs_block *block = view_blocks[i];
        for (size_t slot = i % 2; slot < SLOTS; slot += 2) {
            block->rows[slot].r = slot % 3 ? NAN : INFINITY;
            block->rows[slot].cos8 = slot % 5 ? block->rows[slot].cos8 : NAN;
        }
        block->has[i] = 0;
    }
    coded_block_free(view_blocks[1]); /* not in memory */
    view_blocks[1] = NULL;
    view_blocks[2]->is_coded = 0;
    memset(view_blocks[3]->has, 0, sizeof view_blocks[3]->has);
    for (size_t slot = 0; slot < SLOTS; slot++) {
        view_blocks[5]->rows[slot].cos8 = -1.0f; /* the terms that bound nothing */
    }
    for (size_t i = 0; i < CELLS; i++) {
        view_cells[i].live = 4 * SLOTS; /* enough to begin, whatever there is */
    }
}

static void rows_that_teach_nothing_are_passed_over(void **state)
{
    search shown;
    (void)state;
    make_view(NEAR_FEW_DIRECTIONS);
    make_search(NEAR_FEW_DIRECTIONS, &shown);
    spoil_view();
    vs_learner *learner = new_learner();
    assert_in_range(learn(learner, NEAR_FEW_DIRECTIONS), WAITS + JUDGES, STEPS_MAX);
    vs_basis *basis = vs_learner_basis(learner);
    assert_non_null(basis);
    assert_true(isfinite(basis->length) && share_inside(basis, 0) > 0.999);
    vs_cached_unref(learner);
}

static void nothing_but_such_rows_ends_it(void **state)
{
    search shown;
    (void)state;
    make_view(NEAR_FEW_DIRECTIONS);
    make_search(NEAR_FEW_DIRECTIONS, &shown);
    for (size_t i = 0; i < CELLS; i++) {
        for (size_t slot = 0; slot < SLOTS; slot++) {
            view_blocks[i]->rows[slot].r = NAN;
        }
    }
    vs_learner *learner = new_learner();
    int64_t live = vs_fault_live();
    assert_in_range(learn(learner, NEAR_FEW_DIRECTIONS), WAITS + 3, WAITS + 3);
    assert_false(vs_learner_is_open(learner));
    assert_null(vs_learner_basis(learner));
    assert_int_equal(vs_fault_live(), live);
    vs_cached_unref(learner);
}

/* One full cell behind many that hold no row: the search for rows ends before it gets there. */
static void rows_too_far_apart_end_it(void **state)
{
    static vs_cell far_cells[64];
    static vs_block *far_blocks[64];
    search shown;
    (void)state;
    make_view(NEAR_FEW_DIRECTIONS);
    make_search(NEAR_FEW_DIRECTIONS, &shown);
    memset(view_blocks[0]->has, 0, sizeof view_blocks[0]->has);
    for (size_t i = 0; i < VS_TEST_COUNT(far_cells); i++) {
        far_cells[i] = view_cells[0];
        far_blocks[i] = view_blocks[i + 1 == VS_TEST_COUNT(far_cells)];
    }
    view.cells = far_cells;
    view.blocks = far_blocks;
    view.cell_count = VS_TEST_COUNT(far_cells);
    vs_learner *learner = new_learner();
    int64_t live = vs_fault_live();
    for (int i = 0; i < WAITS + 2; i++) {
        (void)vs_learner_step(learner, &shown.lesson);
    }
    assert_false(vs_learner_is_open(learner));
    assert_null(vs_learner_basis(learner));
    assert_int_equal(vs_fault_live(), live);
    vs_cached_unref(learner);
}

static void a_table_that_is_emptied_meanwhile_ends_it(void **state)
{
    search shown;
    (void)state;
    make_view(NEAR_FEW_DIRECTIONS);
    make_search(NEAR_FEW_DIRECTIONS, &shown);
    vs_learner *learner = new_learner();
    int64_t live = vs_fault_live();
    for (int i = 0; i < WAITS + 2; i++) {
        (void)vs_learner_step(learner, &shown.lesson);
    }
    assert_true(vs_fault_live() > live);
    view.cell_count = 0;
    (void)vs_learner_step(learner, &shown.lesson);
    assert_false(vs_learner_is_open(learner));
    assert_int_equal(vs_fault_live(), live);
    vs_cached_unref(learner);
}

/* All rows on one line: the sample has fewer dimensions than directions. */
static void rows_on_one_line_do_no_harm(void **state)
{
    search of;
    (void)state;
    make_view(NEAR_FEW_DIRECTIONS);
    for (size_t i = 0; i < CELLS; i++) {
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            float *vector = vectors[i][slot];
            memset(vector, 0, sizeof vectors[i][slot]);
            vector[5] = (float)(i * SLOTS + slot + 1);
            assert_int_equal(coded_block_set(view_blocks[i], slot, code, vector), SQLITE_OK);
        }
    }
    vs_learner *learner = new_learner();
    assert_in_range(learn(learner, NEAR_FEW_DIRECTIONS), 1, STEPS_MAX);
    assert_false(vs_learner_is_open(learner));
    vs_basis *basis = vs_learner_basis(learner);
    for (size_t cell = 0; basis != NULL && cell < CELLS; cell++) {
        make_search(NEAR_FEW_DIRECTIONS, &of);
        (void)count_passed(basis, cell, &of);
    }
    vs_cached_unref(learner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_near_few_directions_gives_a_basis_that_pays),
        cmocka_unit_test(isotropic_data_is_refused),
        cmocka_unit_test(narrow_and_wide_codes_are_closed_from_the_beginning),
        cmocka_unit_test(small_tables_teach_nothing_and_cost_nothing),
        cmocka_unit_test(a_search_takes_few_steps_whatever_the_clock_says),
        cmocka_unit_test(searches_that_say_nothing_do_not_choose),
        cmocka_unit_test(a_learner_at_work_is_left_alone),
        cmocka_unit_test(without_memory_it_gives_up),
        cmocka_unit_test(rows_that_teach_nothing_are_passed_over),
        cmocka_unit_test(nothing_but_such_rows_ends_it),
        cmocka_unit_test(rows_too_far_apart_end_it),
        cmocka_unit_test(a_table_that_is_emptied_meanwhile_ends_it),
        cmocka_unit_test(rows_on_one_line_do_no_harm),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
