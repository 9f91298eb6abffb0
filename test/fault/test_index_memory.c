/*
 * test_index_memory.c - a vecshard table without memory: each statement succeeds, or says so and
 * changes nothing.
 *
 * Each statement runs again and again on a fresh copy of the same database, the n-th allocation
 * failing: that one alone, or that one and all after it; on its own, and in a transaction that has
 * written before. What must hold then is in index_fixture.h.
 *
 * Environment: VS_FAULT_STRIDE  tests every n-th allocation only (default: the first few, then
 *                               fewer and fewer)
 */
#include "../index_faults.h"

#include "../vs_fault.h"

static const index_fault one_fails = {&index_allocation, index_open_image, NULL, 1, 4};
static const index_fault all_fail = {&index_all_allocations, index_open_image, NULL, 31, 2};

static void fail_each(const index_step *steps, size_t count, int is_in_transaction)
{
    index_fail_each(&one_fails, steps, count, is_in_transaction);
    index_fail_each(&all_fail, steps, count, is_in_transaction);
}

static void changes_survive(void **state)
{
    (void)state;
    fail_each(index_changes, index_change_count, 0);
}

static void changes_in_a_transaction_survive(void **state)
{
    (void)state;
    fail_each(index_changes, index_change_count, 1);
}

static void reads_survive(void **state)
{
    (void)state;
    fail_each(index_reads, index_read_count, 0);
}

static void reads_of_uncommitted_rows_survive(void **state)
{
    (void)state;
    fail_each(index_reads, index_read_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_survive),
        cmocka_unit_test(changes_in_a_transaction_survive),
        cmocka_unit_test(reads_survive),
        cmocka_unit_test(reads_of_uncommitted_rows_survive),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, index_make_image, index_free_image);
}
