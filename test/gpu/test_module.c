/*
 * test_module.c - the GPU module over a device in host memory: searches name every row that may be
 * in the answer, whatever the shape and whatever they are limited to. `make gpu-check` runs the same
 * on a device, so nothing here asks the fake.
 */
#include "module_fixture.h"

#include <math.h>

static const module_shape small = {24, VSG_TYPE_F32, VSG_F16, 0, 1024, 2};

static void check_shape(const module_shape *shape, uint32_t query_count, uint32_t k)
{
    module_table table;
    vsg_search search;

    module_open_table(&table, shape, query_count, 1024 * MODULE_MIB);
    for (int metric = VSG_L2SQ; metric <= VSG_COSINE; metric++) {
        module_search(&table, (vsg_metric)metric, k, &search);
        assert_int_equal(module_search_checked(&table, &search), 0);
    }
    module_free(&table);
}

static void every_type_and_format_finds_the_nearest(void **state)
{
    (void)state;
    for (int type = VSG_TYPE_F32; type <= VSG_TYPE_I8; type++) {
        for (int format = VSG_F16; format <= VSG_I8; format++) {
            for (int keeps = 0; keeps < 2; keeps++) {
                const module_shape shape = {24, (vsg_type)type, (vsg_format)format, keeps, 256, 2};
                check_shape(&shape, 1, 10);
                check_shape(&shape, 11, 3); /* by VSG_MATRIX */
            }
        }
    }
}

static void every_dimension_finds_the_nearest(void **state)
{
    static const uint32_t dims[] = {1, 2, 31, 33, 100, 768};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(dims); i++) {
        const module_shape shape = {dims[i], VSG_TYPE_F32, VSG_F16, 1, 128, 3};
        check_shape(&shape, 2, 5);
    }
}

static void every_k_finds_the_nearest(void **state)
{
    static const uint32_t ks[] = {1, 7, 100, 1000, VSG_K_MAX};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(ks); i++) {
        check_shape(&small, 3, ks[i]);
    }
}

/* Nearly all rows are dropped by the limits that chunks find: what is sent back is short. */
static void few_rows_come_back_from_a_large_table(void **state)
{
    const module_shape shape = {16, VSG_TYPE_F32, VSG_F16, 0, 8192, 4};
    module_table table;
    vsg_search search;
    vsg_ticket *ticket = NULL;
    vsg_answer answer;
    uint32_t unanswered;

    (void)state;
    module_open_table(&table, &shape, 2, 1024 * MODULE_MIB);
    module_search(&table, VSG_L2SQ, 10, &search);
    assert_int_equal(module_run(&table, &search, &ticket, &answer), VSG_OK);
    module_check(&table, &search, &answer, &unanswered);
    assert_int_equal(unanswered, 0);
    assert_in_range(answer.count[0], 10, 40);
    assert_in_range(answer.count[1], 10, 40);
    assert_true(answer.device_us >= 0);
    table.api->search_end(table.device, ticket);
    module_free(&table);
}

/* ---- splitting ---- */

/* A mask that leaves more rows than it was said to: entries are lost, and found by another pass. */
static void lost_entries_are_found_again(void **state)
{
    const module_shape shape = {16, VSG_TYPE_F32, VSG_F16, 0, 8192, 2};
    module_table table;
    vsg_search search;
    uint32_t *wanted;

    (void)state;
    module_open_table(&table, &shape, 3, 1024 * MODULE_MIB);
    wanted = malloc(2 * 8192 / 8);
    assert_non_null(wanted);
    memset(wanted, 0xff, 2 * 8192 / 8);
    module_search(&table, VSG_L2SQ, 10, &search);
    search.wanted = wanted;
    search.wanted_rows = 10;
    assert_int_equal(module_search_checked(&table, &search), 0);
    module_free(&table);
    free(wanted);
}

static void equal_rows_are_crowded_and_others_are_answered(void **state)
{
    const module_shape shape = {8, VSG_TYPE_F32, VSG_F16, 0, 8192, 1};
    module_table table;
    vsg_search search;
    vsg_ticket *ticket = NULL;
    vsg_answer answer;

    (void)state;
    assert_int_equal(module_open(&table, 1024 * MODULE_MIB), VSG_OK);
    module_make(&table, &shape, 2);
    /* all rows but a hundred are (1, 1, ...), and so is the first query */
    for (uint32_t i = 0; i < 8192 * 8; i++) {
        const float value = i < 100 * 8 ? (float)(i / 8) - 200.0f : 1.0f;
        memcpy(table.vectors + (size_t)i * 4, &value, 4);
    }
    for (uint32_t i = 0; i < 16; i++) {
        table.queries[i] = i < 8 ? 1.0f : -200.0f;
    }
    assert_int_equal(module_send(&table), VSG_OK);
    module_search(&table, VSG_L2SQ, 5, &search);
    assert_int_equal(module_run(&table, &search, &ticket, &answer), VSG_OK);
    assert_int_equal(answer.states[0], VSG_CROWDED);
    assert_int_equal(answer.count[0], 0);
    assert_int_equal(answer.states[1], VSG_ANSWERED);
    assert_in_range(answer.count[1], 5, 20);
    table.api->search_end(table.device, ticket);
    module_free(&table);
}

/* ---- limits ---- */

static void limits_and_floors_hold(void **state)
{
    static const int shares[][2] = {{-1, 60}, {20, -1}, {20, 60}, {60, 20}};
    module_table table;
    vsg_search search;

    (void)state;
    module_open_table(&table, &small, 1, 1024 * MODULE_MIB);
    for (int metric = VSG_L2SQ; metric <= VSG_COSINE; metric++) {
        for (size_t i = 0; i < VS_TEST_COUNT(shares); i++) {
            module_search(&table, (vsg_metric)metric, 10, &search);
            /* the distances of two rows, so that one row is at each end exactly */
            if (shares[i][0] >= 0) {
                search.floor =
                    module_distance(&table, (vsg_metric)metric, 0, (uint32_t)shares[i][0]);
            }
            if (shares[i][1] >= 0) {
                search.limit =
                    module_distance(&table, (vsg_metric)metric, 0, (uint32_t)shares[i][1]);
            }
            assert_int_equal(module_search_checked(&table, &search), 0);
        }
    }
    module_free(&table);
}

static void masks_hold(void **state)
{
    module_table table;
    vsg_search search;
    uint32_t wanted[2 * 1024 / 32];

    (void)state;
    module_open_table(&table, &small, 12, 1024 * MODULE_MIB);
    for (uint32_t part = 1; part <= 2048; part *= 8) {
        memset(wanted, 0, sizeof wanted);
        for (uint32_t row = 0; row < 2048; row += part) {
            wanted[row / 32] |= 1u << (row % 32);
        }
        module_search(&table, VSG_DOT, 10, &search);
        search.wanted = wanted;
        search.wanted_rows = 2048 / part;
        assert_int_equal(module_search_checked(&table, &search), 0);
        search.query_count = 1;
        assert_int_equal(module_search_checked(&table, &search), 0);
    }
    module_free(&table);
}

/* ---- values ---- */

static void rows_without_a_bound_are_in_every_answer(void **state)
{
    static const float values[] = {NAN, INFINITY, -INFINITY, 1e30f, 1e-30f};
    module_table table;
    vsg_search search;
    vsg_ticket *ticket = NULL;
    vsg_answer answer;

    (void)state;
    assert_int_equal(module_open(&table, 1024 * MODULE_MIB), VSG_OK);
    module_make(&table, &small, 1);
    for (size_t i = 0; i < VS_TEST_COUNT(values); i++) {
        for (uint32_t j = 0; j < small.dim; j++) { /* rows 70, 77, ... are live */
            memcpy(table.vectors + ((70 + 7 * i) * small.dim + j) * 4, &values[i], 4);
        }
    }
    assert_int_equal(module_send(&table), VSG_OK);
    for (int metric = VSG_L2SQ; metric <= VSG_COSINE; metric++) {
        uint32_t found = 0;
        module_search(&table, (vsg_metric)metric, 3, &search);
        assert_int_equal(module_run(&table, &search, &ticket, &answer), VSG_OK);
        assert_int_equal(answer.states[0], VSG_ANSWERED);
        for (uint32_t i = 0; i < answer.count[0]; i++) {
            uint32_t at = answer.first[0] + i, row = answer.rows[at];
            if (row >= 70 && row < 105 && row % 7 == 0) {
                found++;
                assert_true(answer.lows[at] == -HUGE_VAL || answer.lows[at] <= 0);
            }
        }
        assert_int_equal(found, VS_TEST_COUNT(values));
        table.api->search_end(table.device, ticket);
    }
    module_free(&table);
}

static void queries_without_a_bound_are_told(void **state)
{
    module_table table;
    vsg_search search;
    vsg_ticket *ticket = NULL;
    vsg_answer answer;

    (void)state;
    module_open_table(&table, &small, 10, 1024 * MODULE_MIB);
    for (uint32_t i = 0; i < small.dim; i++) {
        table.queries[i] = 1e30f;
        table.queries[4 * small.dim + i] = 0;
        table.queries[9 * small.dim + i] = 1e-30f;
    }
    module_search(&table, VSG_L2SQ, 3, &search);
    assert_int_equal(module_search_checked(&table, &search), 2);
    module_search(&table, VSG_COSINE, 3, &search);
    assert_int_equal(module_run(&table, &search, &ticket, &answer), VSG_OK);
    for (uint32_t q = 0; q < 10; q++) {
        assert_int_equal(answer.states[q], q == 0 || q == 4 || q == 9 ? VSG_UNBOUND : VSG_ANSWERED);
    }
    table.api->search_end(table.device, ticket);
    search.query_count = 1; /* none that could be searched for */
    assert_int_equal(module_search_checked(&table, &search), 1);
    module_free(&table);
}

/* Sums are of the vectors' type: a query that the type does not have cannot have any. */
static void queries_of_another_type_are_told(void **state)
{
    const module_shape shape = {24, VSG_TYPE_I8, VSG_F16, 1, 256, 1};
    module_table table;
    vsg_search search;

    (void)state;
    module_open_table(&table, &shape, 3, 1024 * MODULE_MIB);
    table.queries[0] = 0.5f;
    table.queries[shape.dim] = 128;
    module_search(&table, VSG_L2SQ, 3, &search);
    assert_int_equal(module_search_checked(&table, &search), 2);
    module_free(&table);
}

static void shapes_beyond_the_limits_are_refused(void **state)
{
    static const module_shape wrong[] = {
        {0, VSG_TYPE_F32, VSG_F16, 0, 128, 1}, {VSG_DIM_MAX + 1, VSG_TYPE_F32, VSG_F16, 0, 128, 1},
        {4, VSG_TYPE_F32, VSG_F16, 0, 100, 1}, {4, VSG_TYPE_F32, VSG_F16, 0, 1u << 25, 1},
        {4, (vsg_type)9, VSG_F16, 0, 128, 1},  {4, VSG_TYPE_F32, (vsg_format)9, 0, 128, 1},
    };
    module_table table;
    vsg_search search;
    vsg_ticket *ticket = NULL;

    (void)state;
    assert_int_equal(module_open(&table, 1024 * MODULE_MIB), VSG_OK);
    for (size_t i = 0; i < VS_TEST_COUNT(wrong); i++) {
        const vsg_shape shape = {wrong[i].dim, wrong[i].type, wrong[i].format, 0, wrong[i].rows};
        vsg_segment *segment = NULL;
        assert_int_equal(table.api->segment_bytes(&shape), 0);
        assert_int_equal(table.api->segment_new(table.device, &shape, &segment), VSG_UNSUPPORTED);
        assert_null(segment);
    }
    module_make(&table, &small, 1);
    assert_int_equal(module_send(&table), VSG_OK);
    module_search(&table, VSG_L2SQ, 0, &search);
    assert_int_equal(module_run(&table, &search, &ticket, NULL), VSG_UNSUPPORTED);
    module_search(&table, VSG_L2SQ, VSG_K_MAX + 1, &search);
    assert_int_equal(module_run(&table, &search, &ticket, NULL), VSG_UNSUPPORTED);
    module_search(&table, VSG_L2SQ, 1, &search);
    search.limit = NAN;
    assert_int_equal(module_run(&table, &search, &ticket, NULL), VSG_UNSUPPORTED);
    assert_null(ticket);
    assert_int_equal(table.api->upload(table.device, table.segments[0], 1000, 25), VSG_UNSUPPORTED);
    module_free(&table);
}

/* Rows that come later, and other live bits, are seen by searches that begin later. */
static void uploads_are_in_order_with_searches(void **state)
{
    module_table table;
    vsg_search search;
    vsg_ticket *ticket = NULL;
    vsg_answer answer;
    uint32_t unanswered;

    (void)state;
    module_open_table(&table, &small, 1, 1024 * MODULE_MIB);
    module_search(&table, VSG_L2SQ, 4, &search);
    for (int turn = 0; turn < 5; turn++) {
        /* everything moves by a bit, and a fifth of the rows goes */
        for (uint32_t row = 0; row < 2048; row++) {
            float value;
            memcpy(&value, table.vectors + (size_t)row * 4 * small.dim, 4);
            value += (float)turn;
            memcpy(table.vectors + (size_t)row * 4 * small.dim, &value, 4);
            if (row % 5 == (uint32_t)turn) {
                table.live[row / 32] &= ~(1u << (row % 32));
            }
        }
        for (uint32_t i = 0; i < 2; i++) {
            assert_int_equal(module_send_rows(&table, i), VSG_OK);
            assert_int_equal(table.api->live(table.device, table.segments[i], table.live + i * 32),
                             VSG_OK);
        }
        assert_int_equal(module_run(&table, &search, &ticket, &answer), VSG_OK);
        module_check(&table, &search, &answer, &unanswered);
        table.api->search_end(table.device, ticket);
    }
    module_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_and_format_finds_the_nearest),
        cmocka_unit_test(every_dimension_finds_the_nearest),
        cmocka_unit_test(every_k_finds_the_nearest),
        cmocka_unit_test(few_rows_come_back_from_a_large_table),
        cmocka_unit_test(lost_entries_are_found_again),
        cmocka_unit_test(equal_rows_are_crowded_and_others_are_answered),
        cmocka_unit_test(limits_and_floors_hold),
        cmocka_unit_test(masks_hold),
        cmocka_unit_test(rows_without_a_bound_are_in_every_answer),
        cmocka_unit_test(queries_without_a_bound_are_told),
        cmocka_unit_test(queries_of_another_type_are_told),
        cmocka_unit_test(shapes_beyond_the_limits_are_refused),
        cmocka_unit_test(uploads_are_in_order_with_searches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
