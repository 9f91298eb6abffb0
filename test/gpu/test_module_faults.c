/*
 * test_module_faults.c - whatever a device refuses, loses or never ends, the GPU module says so,
 * leaks nothing, keeps its accounts and its budget, and asks a lost device nothing more. Also how it
 * splits what is too large for its memory.
 */
#define _POSIX_C_SOURCE 200809L

#include "module_fixture.h"

#include "../../kernels/cuda/module.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static const module_shape small = {24, VSG_TYPE_F32, VSG_F16, 1, 1024, 3};
#define BUDGET (1024 * MODULE_MIB)

/* Nothing is held, on the device or by its host. */
static void check_nothing_is_left(void)
{
    const vsg_fake *fake = vsg_fake_control(0);
    assert_int_equal(fake->bytes, 0);
    assert_int_equal(fake->pinned_bytes, 0);
    assert_int_equal(fake->objects, 0);
    assert_int_equal(fake->late_calls, 0);
    assert_int_equal(fake->over_budget, 0);
}

static int search_once(const module_table *table, uint32_t *out_unanswered)
{
    vsg_search search;
    vsg_ticket *ticket = NULL;
    vsg_answer answer;
    int rc;

    module_search(table, VSG_L2SQ, 5, &search);
    rc = module_run(table, &search, &ticket, &answer);
    if (rc == VSG_OK) {
        module_check(table, &search, &answer, out_unanswered);
    }
    table->api->search_end(table->device, ticket);
    return rc;
}

/* Opens, sends, searches: the first failure. What was made is in the table. */
static int whole_life(module_table *table, uint32_t query_count)
{
    uint32_t unanswered = 0;
    int rc;

    module_make(table, &small, query_count);
    rc = module_send(table);
    if (rc == VSG_OK) {
        rc = search_once(table, &unanswered);
    }
    assert_int_equal(unanswered, 0);
    return rc;
}

static uint64_t used_bytes(const module_table *table)
{
    vsg_memory memory;
    assert_int_equal(table->api->device_memory(table->device, &memory), VSG_OK);
    assert_true(memory.context_bytes + memory.used_bytes <= BUDGET);
    return memory.used_bytes;
}

/* ---- opening ---- */

static void opening_needs_driver_device_and_room(void **state)
{
    const vsg_limits limits = {BUDGET, 0, 0}, narrow = {257 * MODULE_MIB, 0, 0};
    const vsg_limits roomy = {BUDGET, 0, 9ull << 30};
    const vsg_api *api = module_api();
    vsg_fake *fake = vsg_fake_control(0);
    vsg_device *device = NULL;
    vsg_info info;

    (void)state;
    assert_int_equal(api->probe(0, &info), VSG_OK);
    assert_string_equal(info.name, "Fake GPU");
    assert_int_equal(info.total_bytes, 8ull << 30);
    assert_int_equal(api->probe(1, &info), VSG_ABSENT);
    assert_string_equal(api->last_error(NULL), "no device");
    fake->has_no_driver = 1;
    assert_int_equal(api->probe(0, &info), VSG_ABSENT);
    assert_string_equal(api->last_error(NULL), "no driver");
    assert_int_equal(api->device_open(0, &limits, &device), VSG_ABSENT);
    assert_null(device);
    fake->has_no_driver = 0;

    assert_int_equal(api->device_open(0, &narrow, &device), VSG_NO_MEMORY);
    assert_null(device);
    assert_string_equal(api->last_error(NULL), "the budget has no room");
    assert_int_equal(api->device_open(0, &roomy, &device), VSG_NO_MEMORY);
    assert_null(device);
    assert_string_equal(api->last_error(NULL), "the card has no room for a context");
    fake->others_bytes = fake->total_bytes - 200 * MODULE_MIB;
    assert_int_equal(api->device_open(0, &limits, &device), VSG_NO_MEMORY);
    fake->others_bytes = 0;
    fake->opening_fails = VSG_DEAD;
    assert_int_equal(api->device_open(0, &limits, &device), VSG_DEAD);
    assert_null(device);
    check_nothing_is_left();
}

static void another_abi_is_refused(void **state)
{
    const vsg_host old = {VSG_ABI - 1, sizeof old}, host = {VSG_ABI, sizeof host};

    (void)state;
    (void)vsg_fake_control(1);
    assert_null(vecshard_cuda_v1(&old));
    assert_null(vecshard_cuda_v1(NULL));
    assert_int_equal(vecshard_cuda_v1(&host)->abi, VSG_ABI);
    assert_int_equal(vecshard_cuda_v1(&host)->bytes, sizeof(vsg_api));
    vsg_fake_control(0)->has_wrong_abi = 1;
    assert_null(vecshard_cuda_v1(&host));
}

static void device_tells_what_it_is(void **state)
{
    module_table table;
    vsg_info info;
    vsg_memory memory;

    (void)state;
    assert_int_equal(module_open(&table, BUDGET), VSG_OK);
    assert_int_equal(table.api->device_info(table.device, &info), VSG_OK);
    assert_int_equal(info.major, 9);
    assert_int_equal(table.api->device_memory(table.device, &memory), VSG_OK);
    assert_int_equal(memory.context_bytes, 256 * MODULE_MIB);
    assert_int_equal(memory.used_bytes, 64 * MODULE_MIB);
    assert_int_equal(memory.free_bytes,
                     memory.total_bytes - memory.context_bytes - memory.used_bytes);
    assert_true(table.api->device_speed(table.device) > 0);
    assert_string_equal(table.api->last_error(table.device), "");
    assert_int_equal(table.api->device_trim(table.device), VSG_OK);
    module_free(&table);
    check_nothing_is_left();
}

/* ---- plans ---- */

/* The smallest slab has room for about 30 queries at a time. */
static void large_batches_are_split(void **state)
{
    const module_shape shape = {24, VSG_TYPE_F16, VSG_F16, 1, 128, 2};
    module_table table;
    vsg_search search;
    unsigned scans;

    (void)state;
    module_open_table(&table, &shape, 200, 290 * MODULE_MIB);
    scans = vsg_fake_control(0)->scans;
    module_search(&table, VSG_COSINE, 10, &search);
    assert_int_equal(module_search_checked(&table, &search), 0);
    assert_true(vsg_fake_control(0)->scans - scans >= 5);
    module_free(&table);
}

/* More results than the pinned memory holds: they come in several turns of VSG_FINISH. */
static void large_results_come_in_turns(void **state)
{
    const module_shape shape = {4, VSG_TYPE_F32, VSG_F16, 1, 4096, 1};
    const vsg_limits limits = {2048 * MODULE_MIB, 256 * MODULE_MIB, 0};
    module_table table;
    vsg_search search;
    unsigned launches, scans;

    (void)state;
    memset(&table, 0, sizeof table);
    table.api = module_api();
    assert_int_equal(table.api->device_open(0, &limits, &table.device), VSG_OK);
    module_make(&table, &shape, 70);
    assert_int_equal(module_send(&table), VSG_OK);
    module_search(&table, VSG_L2SQ, 4000, &search);
    launches = vsg_fake_control(0)->launches;
    scans = vsg_fake_control(0)->scans;
    assert_int_equal(module_search_checked(&table, &search), 0);
    scans = vsg_fake_control(0)->scans - scans;
    launches = vsg_fake_control(0)->launches - launches;
    assert_true(launches > 2 * scans + 1); /* a select for each scan, and more than one finish */
    module_free(&table);
}

/* ---- memory ---- */

/* Fails one allocation, then that and all later ones, until a life meets none of them. */
static void each_failure(atomic_uint *once, atomic_uint *from, const atomic_uint *calls)
{
    for (unsigned i = 0;; i++) {
        atomic_uint *which = i % 2 == 0 ? once : from;
        unsigned number = i / 2 + 1, seen;
        module_table table;
        uint64_t before;
        int rc;

        (void)vsg_fake_control(1);
        atomic_store(which, number);
        rc = module_open_only(&table, BUDGET);
        if (rc == VSG_OK) {
            before = used_bytes(&table);
            rc = whole_life(&table, 2);
            if (rc != VSG_OK) {
                assert_int_equal(rc, VSG_NO_MEMORY);
                assert_true(table.api->last_error(table.device)[0] != '\0');
            }
            module_drop(&table);
            assert_int_equal(used_bytes(&table), before);
            atomic_store(which, 0);
            assert_int_equal(module_send(&table), VSG_OK); /* the next try works */
        } else {
            assert_int_equal(rc, VSG_NO_MEMORY);
            assert_null(table.device);
        }
        seen = *calls;
        module_free(&table);
        check_nothing_is_left();
        if (rc == VSG_OK && seen < number) {
            break;
        }
    }
}

static void every_allocation_may_fail(void **state)
{
    vsg_fake *fake = vsg_fake_control(0);
    (void)state;
    each_failure(&fake->fail_allocation, &fake->fail_allocations, &fake->allocations);
}

static void every_pinning_may_fail(void **state)
{
    vsg_fake *fake = vsg_fake_control(0);
    (void)state;
    each_failure(&fake->fail_pin, &fake->fail_pins, &fake->pins);
}

/* The budget is a hard stop; below what is used it stops what comes, and frees nothing. */
static void budget_is_never_exceeded(void **state)
{
    const vsg_shape wide = {512, VSG_TYPE_F32, VSG_F16, 0, 16384};
    module_table table;
    vsg_segment *segments[64] = {NULL};
    uint32_t count = 0;
    uint64_t bytes, used;

    (void)state;
    assert_int_equal(module_open(&table, BUDGET), VSG_OK);
    bytes = table.api->segment_bytes(&wide);
    assert_true(bytes >= 16384ull * 512 * 2);
    assert_int_equal(table.api->device_limit(table.device, 400 * MODULE_MIB), VSG_OK);
    used = used_bytes(&table);
    while (count < 64 && table.api->segment_new(table.device, &wide, &segments[count]) == VSG_OK) {
        count++;
        used += bytes;
        assert_int_equal(used_bytes(&table), used);
    }
    assert_null(segments[count]);
    assert_string_equal(table.api->last_error(table.device), "the budget has no room");
    assert_int_equal(count, (400 - 256 - 64) * MODULE_MIB / bytes);
    assert_true(256 * MODULE_MIB + vsg_fake_control(0)->bytes_most <= 400 * MODULE_MIB);

    assert_int_equal(table.api->device_limit(table.device, 300 * MODULE_MIB), VSG_OK);
    assert_int_equal(used_bytes(&table), used);
    table.api->segment_free(table.device, segments[--count]);
    assert_int_equal(table.api->segment_new(table.device, &wide, &segments[count]), VSG_NO_MEMORY);
    assert_int_equal(table.api->device_limit(table.device, BUDGET), VSG_OK);
    assert_int_equal(table.api->segment_new(table.device, &wide, &segments[count]), VSG_OK);
    for (uint32_t i = 0; i <= count; i++) {
        table.api->segment_free(table.device, segments[i]);
    }
    module_free(&table);
    check_nothing_is_left();
}

/* Another program takes the card's memory meanwhile. */
static void shrinking_card_is_no_memory(void **state)
{
    module_table table;
    uint32_t unanswered = 0;

    (void)state;
    assert_int_equal(module_open(&table, BUDGET), VSG_OK);
    assert_int_equal(whole_life(&table, 1), VSG_OK);
    vsg_fake_control(0)->shrink_bytes = 1ull << 33;
    assert_int_equal(search_once(&table, &unanswered), VSG_OK); /* needs no more */
    module_drop(&table);
    (void)module_send(&table); /* the first look takes it all */
    module_drop(&table);
    assert_int_equal(module_send(&table), VSG_NO_MEMORY);
    module_free(&table);
    check_nothing_is_left();
}

/* ---- a lost context ---- */

static void check_dead(module_table *table)
{
    const vsg_shape one = {4, VSG_TYPE_F32, VSG_F16, 0, 128};
    const vsg_api *api = table->api;
    vsg_segment *segment = NULL;
    uint32_t unanswered;
    vsg_memory memory;
    vsg_info info;
    size_t bytes;
    void *buffer;

    assert_string_equal(api->last_error(table->device), "an illegal address was met");
    assert_int_equal(api->device_info(table->device, &info), VSG_DEAD);
    assert_int_equal(api->device_memory(table->device, &memory), VSG_DEAD);
    assert_int_equal(api->device_limit(table->device, BUDGET), VSG_DEAD);
    assert_int_equal(api->device_trim(table->device), VSG_DEAD);
    assert_int_equal(api->segment_new(table->device, &one, &segment), VSG_DEAD);
    assert_int_equal(api->stage(table->device, &buffer, &bytes), VSG_DEAD);
    assert_int_equal(search_once(table, &unanswered), VSG_DEAD);
    assert_true(api->search_is_idle(table->device));
    if (table->segments[0] != NULL) {
        assert_int_equal(api->upload(table->device, table->segments[0], 0, 1), VSG_DEAD);
        assert_int_equal(api->live(table->device, table->segments[0], table->live), VSG_DEAD);
    }
}

/* The context is lost at each launch, or at each look, in turn. */
static void lost_at_each(atomic_uint *which, const atomic_uint *calls)
{
    for (unsigned number = 1;; number++) {
        module_table table;
        unsigned seen;
        int rc;

        assert_int_equal(module_open(&table, BUDGET), VSG_OK);
        atomic_store(which, number);
        rc = whole_life(&table, number % 2 == 0 ? 2 : 12);
        seen = *calls;
        if (rc != VSG_OK) {
            assert_int_equal(rc, VSG_DEAD);
            check_dead(&table);
        }
        module_free(&table);
        check_nothing_is_left();
        if (rc == VSG_OK && seen < number) {
            break;
        }
    }
}

static void context_may_be_lost_at_each_launch(void **state)
{
    vsg_fake *fake = vsg_fake_control(0);
    (void)state;
    lost_at_each(&fake->die_at_launch, &fake->launches);
}

static void context_may_be_lost_at_each_look(void **state)
{
    vsg_fake *fake = vsg_fake_control(0);
    (void)state;
    lost_at_each(&fake->die_at_query, &fake->queries);
}

/* ---- waiting ---- */

static void hanging_searches_are_waited_for_and_drained(void **state)
{
    module_table table;
    vsg_fake *fake = vsg_fake_control(0);
    vsg_search search;
    vsg_ticket *ticket = NULL;
    vsg_answer answer;
    uint32_t unanswered;

    (void)state;
    assert_int_equal(module_open(&table, BUDGET), VSG_OK);
    assert_int_equal(whole_life(&table, 1), VSG_OK);
    module_search(&table, VSG_L2SQ, 5, &search);
    fake->hang_at_scan = fake->scans + 1;
    assert_int_equal(table.api->search_begin(table.device, &search, &ticket), VSG_OK);
    assert_int_equal(table.api->search_wait(table.device, ticket, 0, &answer), VSG_PENDING);
    assert_int_equal(table.api->search_wait(table.device, ticket, 2000, &answer), VSG_PENDING);
    table.api->search_end(table.device, ticket);
    assert_false(table.api->search_is_idle(table.device));
    assert_int_equal(search_once(&table, &unanswered), VSG_OK); /* beside it */
    assert_false(table.api->search_is_idle(table.device));
    fake->hang_at_scan = 0;
    assert_true(table.api->search_is_idle(table.device));
    module_free(&table);
    check_nothing_is_left();
}

/* Closing does not wait for what may never end. */
static void hanging_device_can_be_closed(void **state)
{
    module_table table;
    vsg_fake *fake = vsg_fake_control(0);
    vsg_search search;
    vsg_ticket *ticket = NULL;

    (void)state;
    assert_int_equal(module_open(&table, BUDGET), VSG_OK);
    assert_int_equal(whole_life(&table, 1), VSG_OK);
    module_search(&table, VSG_L2SQ, 5, &search);
    fake->hang_at_scan = fake->scans + 1;
    assert_int_equal(table.api->search_begin(table.device, &search, &ticket), VSG_OK);
    table.api->search_end(table.device, ticket);
    module_free(&table);
    check_nothing_is_left();
}

/* Of four searches at once each has its own memory; a fifth is refused, also while one drains. */
static void four_searches_run_at_once(void **state)
{
    module_table table;
    vsg_fake *fake = vsg_fake_control(0);
    vsg_search search;
    vsg_ticket *tickets[4], *more = NULL;
    vsg_answer answer;
    uint32_t unanswered;

    (void)state;
    assert_int_equal(module_open(&table, BUDGET), VSG_OK);
    assert_int_equal(whole_life(&table, 4), VSG_OK);
    fake->hang_at_scan = fake->scans + 1;
    for (int i = 0; i < 4; i++) {
        module_search(&table, (vsg_metric)(i % 3), 5 + (uint32_t)i, &search);
        assert_int_equal(table.api->search_begin(table.device, &search, &tickets[i]), VSG_OK);
    }
    assert_int_equal(table.api->search_begin(table.device, &search, &more), VSG_BUSY);
    table.api->search_end(table.device, tickets[0]); /* that which hangs */
    assert_int_equal(table.api->search_begin(table.device, &search, &more), VSG_BUSY);
    assert_null(more);
    for (int i = 3; i > 0; i--) {
        module_search(&table, (vsg_metric)(i % 3), 5 + (uint32_t)i, &search);
        assert_int_equal(table.api->search_wait(table.device, tickets[i], 1000000, &answer),
                         VSG_OK);
        module_check(&table, &search, &answer, &unanswered);
        assert_int_equal(unanswered, 0);
        table.api->search_end(table.device, tickets[i]);
    }
    fake->hang_at_scan = 0;
    assert_int_equal(search_once(&table, &unanswered), VSG_OK);
    assert_true(table.api->search_is_idle(table.device));
    module_free(&table);
    check_nothing_is_left();
}

static void slow_launches_are_waited_for(void **state)
{
    module_table table;
    vsg_search search;
    vsg_ticket *ticket = NULL;
    vsg_answer answer;
    int64_t begin;

    (void)state;
    assert_int_equal(module_open(&table, BUDGET), VSG_OK);
    vsg_fake_control(0)->delay_us = 3000;
    assert_int_equal(whole_life(&table, 1), VSG_OK);
    module_search(&table, VSG_L2SQ, 5, &search);
    begin = vsg_now_us();
    assert_int_equal(table.api->search_begin(table.device, &search, &ticket), VSG_OK);
    assert_int_equal(table.api->search_wait(table.device, ticket, 10000000, &answer), VSG_OK);
    assert_true(vsg_now_us() - begin >= 3000);
    assert_int_equal(table.api->search_wait(table.device, ticket, 0, &answer), VSG_OK);
    assert_int_equal(answer.states[0], VSG_ANSWERED);
    table.api->search_end(table.device, ticket);
    module_free(&table);
    check_nothing_is_left();
}

typedef struct waiter {
    const module_table *table;
    vsg_search search;
    vsg_ticket *ticket;
    vsg_answer answer;
    int rc;
} waiter;

static void *wait_for_answer(void *arg)
{
    waiter *self = arg;
    self->rc =
        self->table->api->search_wait(self->table->device, self->ticket, 10000000, &self->answer);
    return NULL;
}

/* Three threads wait, while one uploads, looks and searches. */
static void waits_run_beside_other_calls(void **state)
{
    const vsg_shape spare_shape = {24, VSG_TYPE_F32, VSG_F16, 1, 128};
    module_table table;
    waiter waiters[3];
    pthread_t threads[3];
    vsg_segment *spare = NULL;
    uint32_t unanswered;
    size_t bytes;
    void *buffer;

    (void)state;
    assert_int_equal(module_open(&table, BUDGET), VSG_OK);
    assert_int_equal(whole_life(&table, 12), VSG_OK);
    vsg_fake_control(0)->delay_us = 500;
    for (int i = 0; i < 3; i++) {
        waiter *self = &waiters[i];
        self->table = &table;
        module_search(&table, (vsg_metric)i, 7, &self->search);
        assert_int_equal(table.api->search_begin(table.device, &self->search, &self->ticket),
                         VSG_OK);
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_answer, self), 0);
    }
    assert_int_equal(table.api->segment_new(table.device, &spare_shape, &spare), VSG_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(table.api->stage(table.device, &buffer, &bytes), VSG_OK);
        memset(buffer, 0, 128 * 24 * 4);
        assert_int_equal(table.api->upload(table.device, spare, 0, 128), VSG_OK);
        assert_int_equal(table.api->live(table.device, spare, table.live), VSG_OK);
        assert_int_equal(search_once(&table, &unanswered), VSG_OK);
        (void)used_bytes(&table);
        (void)table.api->last_error(table.device);
    }
    table.api->segment_free(table.device, spare);
    assert_int_equal(table.api->device_trim(table.device), VSG_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(waiters[i].rc, VSG_OK);
        module_check(&table, &waiters[i].search, &waiters[i].answer, &unanswered);
        assert_int_equal(unanswered, 0);
        table.api->search_end(table.device, waiters[i].ticket);
    }
    module_free(&table);
    check_nothing_is_left();
}

/* The fake counts what a child does with its parent's device. */
static void calls_after_a_fork_are_seen(void **state)
{
    module_table table;
    vsg_info info;
    pid_t child;
    int status = 0;

    (void)state;
    assert_int_equal(module_open(&table, BUDGET), VSG_OK);
    child = fork();
    if (child == 0) {
        (void)table.api->device_info(table.device, &info);
        _exit(vsg_fake_control(0)->forked_calls == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(vsg_fake_control(0)->forked_calls, 0);
    module_free(&table);
    check_nothing_is_left();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_needs_driver_device_and_room),
        cmocka_unit_test(another_abi_is_refused),
        cmocka_unit_test(device_tells_what_it_is),
        cmocka_unit_test(large_batches_are_split),
        cmocka_unit_test(large_results_come_in_turns),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(every_pinning_may_fail),
        cmocka_unit_test(budget_is_never_exceeded),
        cmocka_unit_test(shrinking_card_is_no_memory),
        cmocka_unit_test(context_may_be_lost_at_each_launch),
        cmocka_unit_test(context_may_be_lost_at_each_look),
        cmocka_unit_test(hanging_searches_are_waited_for_and_drained),
        cmocka_unit_test(hanging_device_can_be_closed),
        cmocka_unit_test(four_searches_run_at_once),
        cmocka_unit_test(slow_launches_are_waited_for),
        cmocka_unit_test(waits_run_beside_other_calls),
        cmocka_unit_test(calls_after_a_fork_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
