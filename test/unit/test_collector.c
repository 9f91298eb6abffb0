/*
 * test_collector.c - which rows enter a result.
 */
#include "../search_fixture.h"

#include <math.h>

#include "../../ext/collector.h"

static const float query[1] = {0.0f};

static int init_kernels(void **state)
{
    (void)state;
    return vsk_init(NULL);
}

static void start(vs_collector *collector, vs_scorer *scorer, const vs_filter *filter,
                  vsk_hit *memory, size_t capacity, vs_counters *counters)
{
    vs_vec vec = {query, 1, VSK_F32};
    assert_int_equal(vs_scorer_init(scorer, VS_L2, &vec), SQLITE_OK);
    vs_collector_start(collector, scorer, filter, memory, capacity, counters);
}

static void a_new_filter_lets_everything_pass(void **state)
{
    vs_filter filter;
    (void)state;
    vs_filter_init(&filter);
    assert_true(vs_filter_has_id(&filter, INT64_MIN) && vs_filter_has_id(&filter, 0) &&
                vs_filter_has_id(&filter, INT64_MAX));
    assert_true(filter.distance_lo == -INFINITY && filter.distance_hi == INFINITY);
}

static void ids_are_found_in_lists_of_every_length(void **state)
{
    int64_t ids[40];
    vs_filter filter;
    (void)state;
    for (size_t i = 0; i < 40; i++) {
        ids[i] = 3 * (int64_t)i - 50;
    }
    vs_filter_init(&filter);
    filter.has_ids = 1;
    filter.ids = ids;
    for (size_t n = 0; n <= 40; n++) {
        filter.id_count = n;
        for (int64_t id = -60; id < 80; id++) {
            int expected = id >= -50 && (id + 50) % 3 == 0 && (size_t)((id + 50) / 3) < n;
            assert_int_equal(vs_filter_has_id(&filter, id), expected);
        }
    }
}

static void the_k_best_are_kept_and_ties_go_to_the_lower_id(void **state)
{
    static const double distances[] = {5.0, 1.0, 1.0, 3.0, 1.0, 0.5, 9.0, 1.0};
    static const int64_t ids[] = {1, 9, 4, 2, 7, 3, 5, 8};
    vsk_hit memory[4];
    vs_counters counters = {0};
    vs_scorer scorer;
    vs_filter filter;
    vs_collector collector;
    (void)state;
    vs_filter_init(&filter);
    start(&collector, &scorer, &filter, memory, 4, &counters);
    for (size_t i = 0; i < VS_TEST_COUNT(ids); i++) {
        vs_collector_push(&collector, distances[i], ids[i]);
    }
    assert_true(collector.scorer->limit == 1.0);
    vsk_topk_sort(&collector.topk);
    assert_int_equal(collector.topk.count, 4);
    assert_int_equal(memory[0].id, 3);
    assert_int_equal(memory[1].id, 4);
    assert_int_equal(memory[2].id, 7);
    assert_int_equal(memory[3].id, 8);
    vs_scorer_free(&scorer);
}

static void range_and_position_decide_together(void **state)
{
    vsk_hit memory[9];
    vs_counters counters = {0};
    vs_scorer scorer;
    vs_filter filter;
    vs_collector collector;
    (void)state;
    vs_filter_init(&filter);
    filter.distance_lo = 1.0;
    filter.distance_hi = 3.0;
    filter.has_after = 1;
    filter.after_distance = 2.0;
    filter.after_id = 5;
    start(&collector, &scorer, &filter, memory, 9, &counters);
    assert_true(collector.scorer->limit == 3.0);
    vs_collector_push(&collector, 0.5, 9); /* below the range */
    vs_collector_push(&collector, 1.5, 9); /* before the position */
    vs_collector_push(&collector, 2.0, 4);
    vs_collector_push(&collector, 2.0, 5); /* the position itself */
    vs_collector_push(&collector, 2.0, 6);
    vs_collector_push(&collector, 3.0, 1); /* the end belongs to the range */
    vs_collector_push(&collector, 3.0000001, 1);
    vsk_topk_sort(&collector.topk);
    assert_int_equal(collector.topk.count, 2);
    assert_int_equal(memory[0].id, 6);
    assert_int_equal(memory[1].id, 1);
    vs_scorer_free(&scorer);
}

/* Starting over keeps the bound: k rows at most that far were seen, and will be found again. */
static void starting_over_keeps_the_bound(void **state)
{
    vsk_hit memory[2];
    vs_counters counters = {0};
    vs_scorer scorer;
    vs_filter filter;
    vs_collector collector;
    (void)state;
    vs_filter_init(&filter);
    start(&collector, &scorer, &filter, memory, 2, &counters);
    vs_collector_push(&collector, 4.0, 1);
    vs_collector_push(&collector, 2.0, 2);
    vs_collector_restart(&collector);
    assert_int_equal(collector.topk.count, 0);
    assert_true(collector.scorer->limit == 4.0);
    vs_collector_push(&collector, 2.0, 2);
    vs_collector_push(&collector, 4.0, 1);
    assert_int_equal(collector.topk.count, 2);
    vs_scorer_free(&scorer);
}

/*
 * The limit is touched once per better row, in logarithmic work: rows that come in falling order
 * all enter, and none costs a walk over k.
 */
static void k_rows_in_the_worst_order_are_cheap(void **state)
{
    enum { K = 100000 };
    vsk_hit *memory = malloc(K * sizeof *memory);
    vs_counters counters = {0};
    vs_scorer scorer;
    vs_filter filter;
    vs_collector collector;
    (void)state;
    vs_filter_init(&filter);
    start(&collector, &scorer, &filter, memory, K, &counters);
    for (int i = 3 * K; i > 0;
         i--) { /* by insertion sort: 3e10 moves, and the test would not end */
        vs_collector_push(&collector, (double)i, i);
    }
    vsk_topk_sort(&collector.topk);
    for (int i = 0; i < K; i++) {
        assert_int_equal(memory[i].id, i + 1);
    }
    vs_scorer_free(&scorer);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_filter_lets_everything_pass),
        cmocka_unit_test(ids_are_found_in_lists_of_every_length),
        cmocka_unit_test(the_k_best_are_kept_and_ties_go_to_the_lower_id),
        cmocka_unit_test(range_and_position_decide_together),
        cmocka_unit_test(starting_over_keeps_the_bound),
        cmocka_unit_test(k_rows_in_the_worst_order_are_cheap),
    };
    return cmocka_run_group_tests(tests, init_kernels, NULL);
}
