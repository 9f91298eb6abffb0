/*
 * test_gpu_allowance.c - how long searches of a vecshard table may fill its image.
 */
#include "../vs_test.h"

#include "../../ext/gpu_index.h"

/* Searches that take `search_us` by the CPU alone and less with each cell that is there, of which one takes
 * `cell_us` to bring: the searches it takes for all, and the worst of them over the CPU's time. */
static int bring_all(double search_us, double cell_us, int cells, double *out_worst)
{
    vs_gpu_allowance allowance = {0.0, 0.0};
    double total_us = 0.0;
    int there = 0, searches = 0;
    *out_worst = 0.0;
    while (there < cells && searches < 1000000) {
        double us = search_us * (1.0 - 0.9 * there / cells), spent = 0.0;
        vs_gpu_allowance_add(&allowance, us, 1, there == 0);
        while (allowance.left_us - spent >= cell_us && there < cells) {
            spent += cell_us;
            there++;
        }
        allowance.left_us -= spent;
        searches++;
        total_us += us + spent;
        double over = total_us / (search_us * searches);
        *out_worst = over > *out_worst ? over : *out_worst;
    }
    return searches;
}

static void filling_takes_a_twentieth_and_what_was_saved(void **state)
{
    double worst;
    (void)state;
    int searches = bring_all(5000.0, 200.0, 7800, &worst);
    assert_true(worst <= 1.051);
    assert_in_range(searches, 300, 3000); /* a twentieth alone would take 6,240 */
    searches = bring_all(300.0, 200.0, 100, &worst);
    assert_true(worst <= 1.051);
    assert_in_range(searches, 100, 1000);
}

static void a_longer_time_of_the_cpu_counts_little(void **state)
{
    vs_gpu_allowance allowance = {0.0, 0.0};
    (void)state;
    vs_gpu_allowance_add(&allowance, 1000.0, 1, 1);
    assert_true(allowance.left_us > 49.0 && allowance.left_us < 51.0);
    vs_gpu_allowance_add(&allowance, 50000.0, 1, 1); /* one that was disturbed */
    assert_true(allowance.cpu_us < 6000.0 && allowance.left_us < 51.0);
    vs_gpu_allowance_add(&allowance, 900.0, 1, 1);
    assert_true(allowance.cpu_us == 900.0);
    vs_gpu_allowance_add(&allowance, 64 * 450.0, 64, 0); /* half by the GPU */
    assert_true(allowance.left_us == 20000.0);           /* at a time */
}

static void a_search_that_was_slower_allows_nothing(void **state)
{
    vs_gpu_allowance allowance = {100.0, -500.0};
    (void)state;
    vs_gpu_allowance_add(&allowance, 400.0, 1, 0);
    assert_true(allowance.left_us == -500.0);
    vs_gpu_allowance_add(&allowance, 5.0, 1, 0);
    assert_true(allowance.left_us == -400.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filling_takes_a_twentieth_and_what_was_saved),
        cmocka_unit_test(a_longer_time_of_the_cpu_counts_little),
        cmocka_unit_test(a_search_that_was_slower_allows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
