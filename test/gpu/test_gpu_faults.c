/*
 * test_gpu_faults.c - each allocation on the device fails in turn, each launch and each question
 * loses the context, each allocation of the host fails: searches go on without, books stay right,
 * nothing is called after the end, nothing leaks.
 */
#define _DEFAULT_SOURCE

#include "manager_fixture.h"

#include <sys/mman.h>

#include "../vs_fault.h"

#define COLUMNS 3

/* What a child tells its parent. */
typedef struct report {
    unsigned number; /* of the fault, for the child */
    int is_over;     /* nothing failed any more */
} report;
static report *shared;

static int make_shared(void **state)
{
    (void)state;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED;
}

/* Three columns of three segments share room for seven; the last is a table. */
static void init_columns(manager_column columns[COLUMNS], vsg_fake *fake)
{
    manager_use_small_card(fake, 7);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        manager_column_init(&columns[i], i, i == 2 ? VS_GPU_TABLE : VS_GPU_INDEX, 300, 128);
    }
}

static void free_columns(manager_column columns[COLUMNS])
{
    for (uint32_t i = 0; i < COLUMNS; i++) {
        manager_column_free(&columns[i]);
    }
}

/* Fills and searches in turn; how often the device answered. */
static int use(manager_column columns[COLUMNS], const vsg_fake *fake)
{
    int answers = 0;
    for (int i = 0; i < 12; i++) {
        answers += manager_ask(&columns[i / 3 % COLUMNS]) == VS_GPU_NONE;
        manager_check_books(fake);
    }
    (void)vs_gpu_evict(&columns[0].want.key);
    manager_check_books(fake);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        answers += manager_ask(&columns[i]) == VS_GPU_NONE;
        manager_check_books(fake);
    }
    return answers;
}

/* ---- memory of the device ---- */

static void refuse_allocations(vsg_fake *fake, int is_persistent)
{
    manager_column columns[COLUMNS];
    init_columns(columns, fake);
    int whole = use(columns, fake), is_over = 0;
    MANAGER_CHECK(whole >= 6);
    vs_gpu_stop();
    for (unsigned n = 1; !is_over; n++) {
        unsigned at = fake->allocations + n;
        atomic_store(is_persistent ? &fake->fail_allocations : &fake->fail_allocation, at);
        int answers = use(columns, fake);
        is_over = fake->allocations < at;
        MANAGER_CHECK(n < 200 && (!is_over || answers == whole));
        if (!is_persistent && n > 1) { /* one refusal alone is made up for by an eviction */
            MANAGER_CHECK(answers >= whole - 3);
        }
        atomic_store(is_persistent ? &fake->fail_allocations : &fake->fail_allocation, 0);
        vs_gpu_stop();
        MANAGER_CHECK(fake->bytes == 0 && fake->objects == 0 && sqlite3_memory_used() == 0);
        manager_step_clock(61.0);
    }
    free_columns(columns);
    manager_check_end(fake);
}

static void refuse_one(vsg_fake *fake)
{
    refuse_allocations(fake, 0);
}

static void refuse_from_one_on(vsg_fake *fake)
{
    refuse_allocations(fake, 1);
}

static void any_allocation_on_the_device_may_fail(void **state)
{
    (void)state;
    manager_run(refuse_one);
    manager_run(refuse_from_one_on);
}

/* After a refusal the image is left to the CPU for a minute. */
static void refuse_for_a_minute(vsg_fake *fake)
{
    manager_column column;
    manager_use_small_card(fake, 7);
    manager_column_init(&column, 1, VS_GPU_INDEX, 100, 100);
    MANAGER_CHECK(manager_admit(&column) == VS_GPU_TAKE_GPU);
    (void)vs_gpu_evict(NULL);
    atomic_store(&fake->fail_allocations, 1);
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_COLD); /* the fill finds out */
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_BUDGET);
    atomic_store(&fake->fail_allocations, 0);
    manager_step_clock(50.0);
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_BUDGET);
    manager_step_clock(11.0);
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_COLD);
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_NONE);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void after_a_refusal_the_cpu_answers_for_a_minute(void **state)
{
    (void)state;
    manager_run(refuse_for_a_minute);
}

/* ---- the end of the device ---- */

static void check_dead(manager_column columns[COLUMNS], const vsg_fake *fake)
{
    vs_gpu_info info;
    unsigned launches = fake->launches, queries = fake->queries, allocations = fake->allocations;
    vs_gpu_read_info(&info);
    MANAGER_CHECK(info.state == VS_GPU_DEAD && info.segments == 0 && info.used_bytes == 0);
    MANAGER_CHECK(strcmp(info.why, "an illegal address was met") == 0);
    MANAGER_CHECK(use(columns, fake) == 0);
    MANAGER_CHECK(manager_ask(&columns[0]) == VS_GPU_ERROR);
    vs_gpu_stop();
    MANAGER_CHECK(manager_state() == VS_GPU_DEAD);
    MANAGER_CHECK(fake->launches == launches && fake->queries == queries);
    MANAGER_CHECK(fake->allocations == allocations && fake->late_calls == 0);
    MANAGER_CHECK(vs_gpu.images == NULL && sqlite3_memory_used() == 0);
}

static void lose_the_context(vsg_fake *fake, atomic_uint *at, const atomic_uint *counter)
{
    manager_column columns[COLUMNS];
    init_columns(columns, fake);
    atomic_store(at, shared->number);
    (void)use(columns, fake);
    shared->is_over = *counter < shared->number;
    if (!shared->is_over) {
        check_dead(columns, fake);
    } else {
        manager_check_end(fake);
    }
    free_columns(columns);
}

static void lose_it_at_a_launch(vsg_fake *fake)
{
    lose_the_context(fake, &fake->die_at_launch, &fake->launches);
}

static void lose_it_at_a_query(vsg_fake *fake)
{
    lose_the_context(fake, &fake->die_at_query, &fake->queries);
}

/* Runs the scenario with the first fault, the second, and so on, until there are no more. Later ones
 * are much alike: not all are tried. */
static void run_each(void (*scenario)(vsg_fake *fake))
{
    shared->is_over = 0;
    for (shared->number = 1; !shared->is_over;
         shared->number += shared->number < 20 ? 1 : shared->number / 5) {
        manager_run(scenario);
        assert_true(shared->number < 10000);
    }
    assert_true(shared->number > 20);
}

static void nothing_is_called_after_the_context_is_lost(void **state)
{
    (void)state;
    run_each(lose_it_at_a_launch);
    run_each(lose_it_at_a_query);
}

/* ---- memory of the host ---- */

static void fail_on_the_host(vsg_fake *fake)
{
    manager_column columns[COLUMNS];
    int64_t failed = 1;
    vs_fault_install();
    init_columns(columns, fake);
    for (int64_t n = 1; failed > 0; n++) {
        vs_fault_arm(n, 0);
        (void)use(columns, fake);
        failed = vs_fault_disarm();
        MANAGER_CHECK(n < 1000);
        vs_gpu_stop();
        MANAGER_CHECK(fake->bytes == 0 && fake->objects == 0 && vs_fault_live() == 0);
    }
    MANAGER_CHECK(use(columns, fake) > 0);
    free_columns(columns);
    vs_gpu_stop();
}

static void any_allocation_on_the_host_may_fail(void **state)
{
    (void)state;
    manager_run(fail_on_the_host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation_on_the_device_may_fail),
        cmocka_unit_test(after_a_refusal_the_cpu_answers_for_a_minute),
        cmocka_unit_test(nothing_is_called_after_the_context_is_lost),
        cmocka_unit_test(any_allocation_on_the_host_may_fail),
    };
    return cmocka_run_group_tests(tests, make_shared, NULL);
}
