/*
 * check_life.c - what ends a GPU ends no search: after a fork, and after a failure that loses the
 * context, the CPU answers. And searches of many threads.
 */
#define _GNU_SOURCE

#include "sql_fixture.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIFE_THREADS 4

static int life_is_real(const vsg_fake *fake)
{
    return fake == vsg_real_nothing();
}

static void life_state_is(sqlite3 *db, const char *state)
{
    vs_test_gives(db, "SELECT vec_device('json') ->> 'state'", state);
    vs_test_gives(db, "SELECT ifnull(vec_device('json') ->> 'error_class', 'none')",
                  strcmp(state, "dead") == 0     ? "sticky"
                  : strcmp(state, "forked") == 0 ? state
                                                 : "none");
}

static int64_t life_errors(sqlite3 *db)
{
    return sql_number(db, "SELECT vec_device('json') ->> '$.fallbacks.error'");
}

/* ---- fork ------------------------------------------------------------------------------------ */

/* In the child of a process that has used the device. */
static void life_search_without(void)
{
    (void)alarm(30);
    sqlite3 *db = sql_open(NULL, 0);
    life_state_is(db, "forked");
    sql_make_both(db, 300);
    for (int i = 0; i < 3; i++) {
        (void)sql_same(db, sql_docs_search, "gpu");
        assert_int_equal(sql_last(db, "gpu_queries"), 0);
        (void)sql_same(db, sql_t_search, "gpu");
        assert_int_equal(sql_last(db, "gpu_queries"), 0);
    }
    assert_int_equal(sql_number(db, "SELECT vec_gpu_load('docs', 'v', 'f16')"), 0);
    life_state_is(db, "forked");
    vs_test_close(db);
}

static void life_fork(vsg_fake *fake)
{
    int status = 0;
    sqlite3 *db = sql_open(NULL, 0);
    sql_make_both(db, 300);
    sql_same_warm(db, sql_docs_search);
    sql_same_warm(db, sql_t_search);
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        life_search_without();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    life_state_is(db, "open");
    sql_same_warm(db, sql_docs_search);
    sql_same_warm(db, sql_t_search);
    assert_int_equal(fake->forked_calls, 0);
    vs_test_close(db);
}

static void a_forked_child_is_answered_by_the_cpu(void **state)
{
    (void)state;
    sql_scenario(life_fork);
}

/* ---- a lost context -------------------------------------------------------------------------- */

static void life_lose_context(vsg_fake *fake)
{
    (void)setenv("VECSHARD_CUDA_TEST", "sticky", 1); /* the real module launches a broken kernel */
    sqlite3 *db = sql_open(NULL, 0), *other = sql_open(NULL, 0);
    sql_make_both(db, 300);
    sql_make_both(other, 200);
    assert_true(sql_number(db, "SELECT vec_gpu_load('docs', 'v', 'f16')") > 0);
    assert_true(sql_number(db, "SELECT vec_gpu_load('t', 'v', 'f16')") > 0);
    life_state_is(db, "open");
    if (!life_is_real(fake)) {
        atomic_store(&fake->die_at_launch, fake->launches + 1);
    }
    assert_string_equal(sql_same(db, sql_docs_search, "gpu"), "error");
    life_state_is(db, "dead");
    assert_true(life_errors(db) > 0);
    for (int i = 0; i < 3; i++) {
        (void)sql_same(db, sql_t_search, "gpu");
        (void)sql_same(db, sql_docs_search, "auto");
        (void)sql_same(other, sql_docs_search, "gpu");
        assert_int_equal(sql_last(other, "gpu_queries"), 0);
    }
    assert_int_equal(sql_number(db, "SELECT vec_gpu_load('docs', 'v', 'f16')"), 0);
    assert_int_equal(fake->late_calls, 0);
    life_state_is(other, "dead");
    vs_test_close(db);
    vs_test_close(other);
}

static void a_lost_context_leaves_the_answers_to_the_cpu(void **state)
{
    (void)state;
    sql_scenario(life_lose_context);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *life_search_alone(void *unused)
{
    int answered = 0;
    (void)unused;
    sqlite3 *db = sql_open(NULL, 0);
    sql_make_both(db, 500);
    for (int i = 0; i < 40; i++) {
        answered += strcmp(sql_same(db, sql_docs_search, "gpu"), "none") == 0;
        answered += strcmp(sql_same(db, sql_t_search, "gpu"), "none") == 0;
        if (i == 20) {
            sql_run(db, "DELETE FROM docs WHERE id < 20; DELETE FROM t WHERE id < 20");
        }
    }
    assert_true(answered > 0);
    vs_test_close(db);
    return NULL;
}

static void life_search_from_threads(vsg_fake *fake)
{
    pthread_t threads[LIFE_THREADS];
    (void)fake;
    sqlite3 *db = sql_open(NULL, 0);
    sql_make_both(db, 100);
    sql_same_warm(db, sql_docs_search); /* while a device is opened, the CPU answers the others */
    for (int i = 0; i < LIFE_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, life_search_alone, NULL), 0);
    }
    for (int i = 0; i < LIFE_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    vs_test_close(db);
}

static void searches_of_several_threads_are_right(void **state)
{
    (void)state;
    sql_scenario(life_search_from_threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forked_child_is_answered_by_the_cpu),
        cmocka_unit_test(a_lost_context_leaves_the_answers_to_the_cpu),
        cmocka_unit_test(searches_of_several_threads_are_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
