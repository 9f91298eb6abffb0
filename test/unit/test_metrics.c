/*
 * test_metrics.c - counters add up; jobs are seen by every thread.
 */
#include "../vs_test.h"

#include "../vs_fault.h"

#include "../../ext/metrics.h"

#include <pthread.h>
#include <stdio.h>

static void counters_add_up_per_target_operation_and_strategy(void **state)
{
    vs_metrics metrics = {.entries = NULL};
    const vs_counters one = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                             12, 13, 14, 15, 16, 17, 18, 19, 20, 0};
    (void)state;
    vs_metrics_add(&metrics, "a.v", "vec_search", "pass", &one);
    vs_metrics_add(&metrics, "a.v", "vec_search", "pass", &one);
    vs_metrics_add(&metrics, "a.v", "vec_search", "norm index", &one);
    vs_metrics_add(&metrics, "a.v", "vec_search_batch", "pass", &one);
    vs_metrics_add(&metrics, "b.v", "vec_search", "pass", &one);
    assert_int_equal(metrics.count, 4);
    const vs_counters twice = {2,  4,  6,  8,  10, 12, 14, 16, 18, 20, 22,
                               24, 26, 28, 30, 32, 34, 36, 38, 40, 0};
    assert_memory_equal(&metrics.entries[0].counters, &twice, sizeof twice);
    assert_memory_equal(&metrics.entries[3].counters, &one, sizeof one);
    assert_string_equal(metrics.entries[3].target, "b.v");
    vs_metrics_free(&metrics);
    assert_int_equal(metrics.count, 0);
}

static void targets_beyond_the_limit_are_counted_together(void **state)
{
    vs_metrics metrics = {.entries = NULL};
    const vs_counters one = {.calls = 1};
    (void)state;
    for (int i = 0; i < VS_METRICS_MAX + 500; i++) {
        char target[32];
        snprintf(target, sizeof target, "t%d.v", i);
        vs_metrics_add(&metrics, target, "vec_search", "pass", &one);
    }
    assert_int_equal(metrics.count, VS_METRICS_MAX + 1);
    assert_string_equal(metrics.entries[VS_METRICS_MAX].target, "(others)");
    assert_int_equal(metrics.entries[VS_METRICS_MAX].counters.calls, 500);
    vs_metrics_add(&metrics, "t7.v", "vec_search", "pass", &one);
    assert_int_equal(metrics.entries[7].counters.calls, 2);
    vs_metrics_free(&metrics);
}

static void without_memory_numbers_are_dropped_and_nothing_breaks(void **state)
{
    const vs_counters one = {.calls = 1};
    (void)state;
    int64_t live = vs_fault_live();
    for (int n = 1, failed = 1; failed; n++) {
        vs_metrics metrics = {.entries = NULL};
        vs_fault_arm(n, 0);
        vs_metrics_add(&metrics, "a.v", "vec_search", "pass", &one);
        vs_metrics_add(&metrics, "b.v", "vec_search", "pass", &one);
        failed = vs_fault_disarm() > 0;
        assert_true(metrics.count <= 2);
        vs_metrics_free(&metrics);
        assert_int_equal(vs_fault_live(), live);
    }
}

static void jobs_are_listed_oldest_first_while_they_run(void **state)
{
    static vs_job_row rows[VS_JOBS_MAX];
    (void)state;
    assert_int_equal(vs_job_snapshot(rows), 0);
    int a = vs_job_begin("build", "docs.embedding", "reading", 100);
    int b = vs_job_begin("rebuild", "notes.v", "sorting", 0);
    vs_job_progress(a, 40);
    assert_int_equal(vs_job_snapshot(rows), 2);
    assert_string_equal(rows[0].name, "build");
    assert_string_equal(rows[0].target, "docs.embedding");
    assert_string_equal(rows[0].phase, "reading");
    assert_int_equal(rows[0].done, 40);
    assert_int_equal(rows[0].total, 100);
    assert_true(rows[1].id == rows[0].id + 1);
    vs_job_end(a);
    int c = vs_job_begin("third", "t.v", "x", 0); /* takes the free slot, comes last all the same */
    assert_int_equal(vs_job_snapshot(rows), 2);
    assert_string_equal(rows[0].name, "rebuild");
    assert_string_equal(rows[1].name, "third");
    assert_int_equal(rows[1].done, 0);
    vs_job_end(b);
    vs_job_end(c);
    assert_int_equal(vs_job_snapshot(rows), 0);
}

static void a_full_table_shows_no_further_job_and_harms_none(void **state)
{
    static vs_job_row rows[VS_JOBS_MAX];
    int slots[VS_JOBS_MAX];
    (void)state;
    for (int i = 0; i < VS_JOBS_MAX; i++) {
        slots[i] = vs_job_begin("j", "t.v", "p", i);
        assert_true(slots[i] >= 0);
    }
    int none = vs_job_begin("one too many", "t.v", "p", 1);
    assert_int_equal(none, -1);
    vs_job_progress(none, 5);
    vs_job_end(none);
    assert_int_equal(vs_job_snapshot(rows), VS_JOBS_MAX);
    for (int i = 0; i < VS_JOBS_MAX; i++) {
        assert_int_equal(rows[i].total, i);
        vs_job_end(slots[i]);
    }
}

static void long_names_are_cut_between_characters(void **state)
{
    static vs_job_row rows[VS_JOBS_MAX];
    char name[200];
    (void)state;
    memset(name, 'x', sizeof name);
    memcpy(name + 62, "\xe2\x82\xac", 4); /* three bytes, of which the field has room for one */
    int slot = vs_job_begin(name, "", "", 0);
    assert_int_equal(vs_job_snapshot(rows), 1);
    assert_int_equal(strlen(rows[0].name), 62);
    vs_job_end(slot);
}

static void *run_jobs(void *data)
{
    static vs_job_row rows[4][VS_JOBS_MAX];
    int thread = *(int *)data;
    for (int i = 0; i < 2000; i++) {
        int slot = vs_job_begin("j", "t.v", "p", 1000);
        vs_job_progress(slot, i);
        size_t count = vs_job_snapshot(rows[thread]);
        if (count < 1 || count > 4) {
            return data;
        }
        vs_job_end(slot);
    }
    return NULL;
}

static void threads_share_the_table(void **state)
{
    static vs_job_row rows[VS_JOBS_MAX];
    pthread_t threads[4];
    int numbers[4] = {0, 1, 2, 3};
    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_jobs, &numbers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(vs_job_snapshot(rows), 0);
}

static void the_clock_never_goes_back(void **state)
{
    int64_t before = vs_metrics_now_ns();
    (void)state;
    for (int i = 0; i < 10000; i++) {
        int64_t now = vs_metrics_now_ns();
        assert_true(now >= before);
        before = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_add_up_per_target_operation_and_strategy),
        cmocka_unit_test(targets_beyond_the_limit_are_counted_together),
        cmocka_unit_test(without_memory_numbers_are_dropped_and_nothing_breaks),
        cmocka_unit_test(jobs_are_listed_oldest_first_while_they_run),
        cmocka_unit_test(a_full_table_shows_no_further_job_and_harms_none),
        cmocka_unit_test(long_names_are_cut_between_characters),
        cmocka_unit_test(threads_share_the_table),
        cmocka_unit_test(the_clock_never_goes_back),
    };
    vs_fault_install();
    sqlite3_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
