/*
 * test_pool.c - a job runs once on each worker that takes part, ends when all have returned, and
 * works after fork, inside of another job, beside one, and without threads; also where threads were
 * roused before it, and whenever they were.
 */
#define _POSIX_C_SOURCE 200809L

#include "../vs_test.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../ext/pool.h"

/* ---- SQLite as a host may have built it ---- */

static int is_threadsafe = 1;

/* Instead of SQLite's own: what the library was built with. */
int sqlite3_threadsafe(void)
{
    return is_threadsafe;
}

/* ---- a job that tells who took part ---- */

typedef struct job {
    int workers;  /* asked for */
    int wait_for; /* tasks stay until so many have come */
    atomic_int arrived, running, wrong;
    atomic_int times[2 * VS_POOL_THREADS_MAX];
    pthread_t threads[2 * VS_POOL_THREADS_MAX]; /* [worker]: where it ran */
    int plain[2 * VS_POOL_THREADS_MAX];         /* without atomics: seen after the end */
} job;

static void nap(void)
{
    const struct timespec time = {0, 1000000};
    (void)nanosleep(&time, NULL);
}

static void take_part(void *arg, int worker)
{
    job *self = arg;
    if (worker < 0 || worker >= self->workers) {
        atomic_fetch_add(&self->wrong, 1);
        return;
    }
    atomic_fetch_add(&self->running, 1);
    atomic_fetch_add(&self->times[worker], 1);
    self->threads[worker] = pthread_self();
    atomic_fetch_add(&self->arrived, 1);
    for (int i = 0; i < 10000 && atomic_load(&self->arrived) < self->wait_for; i++) {
        nap();
    }
    self->plain[worker] = worker + 1;
    atomic_fetch_sub(&self->running, 1);
}

/* Runs a job and returns how many took part; -1 where a rule was broken. */
static int run_job(int workers, int wait_for)
{
    static job self;
    int count = 0;
    memset(&self, 0, sizeof self);
    self.workers = workers;
    self.wait_for = wait_for;
    vs_pool_run(workers, take_part, &self);
    if (atomic_load(&self.running) != 0 || atomic_load(&self.wrong) != 0 ||
        atomic_load(&self.times[0]) != 1 || !pthread_equal(self.threads[0], pthread_self())) {
        return -1;
    }
    for (int i = 0; i < workers; i++) {
        int times = atomic_load(&self.times[i]);
        if (times > 1 || self.plain[i] != (times == 0 ? 0 : i + 1) ||
            (i > 0 && times == 1 && pthread_equal(self.threads[i], pthread_self()))) {
            return -1;
        }
        count += times;
    }
    return count;
}

/* ---- tests ---- */

static void a_task_runs_once_for_each_worker(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 8; workers++) {
        assert_int_equal(run_job(workers, workers), workers);
    }
}

static void short_jobs_end_with_any_number_of_workers(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++) {
        int workers = 1 + i % 8;
        int count = run_job(workers, 1);
        assert_true(count >= 1 && count <= workers);
    }
}

static void more_workers_than_there_may_be_are_fine(void **state)
{
    (void)state;
    int count = run_job(2 * VS_POOL_THREADS_MAX, 10);
    assert_true(count >= 10 && count <= 2 * VS_POOL_THREADS_MAX);
    vs_pool_stop();
}

/* The tasks share their work by a counter: it is all done, and each piece once. */
typedef struct work {
    atomic_int next;
    atomic_int done[10000];
} work;

static void do_pieces(void *arg, int worker)
{
    work *self = arg;
    (void)worker;
    for (int i; (i = atomic_fetch_add(&self->next, 1)) < (int)VS_TEST_COUNT(self->done);) {
        atomic_fetch_add(&self->done[i], 1);
    }
}

static void shared_work_is_done_once(void **state)
{
    static work self;
    (void)state;
    for (int round = 0; round < 50; round++) {
        memset(&self, 0, sizeof self);
        vs_pool_run(4, do_pieces, &self);
        for (size_t i = 0; i < VS_TEST_COUNT(self.done); i++) {
            assert_int_equal(atomic_load(&self.done[i]), 1);
        }
    }
}

static void the_setting_holds_for_the_process(void **state)
{
    (void)state;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    assert_int_equal(vs_pool_threads(), cores < 8 ? cores : 8);
    vs_pool_set_threads(3);
    assert_int_equal(vs_pool_threads(), 3);
    vs_pool_set_threads(VS_POOL_THREADS_MAX);
    assert_int_equal(vs_pool_threads(), VS_POOL_THREADS_MAX);
    vs_pool_set_threads(0);
    assert_int_equal(vs_pool_threads(), cores < 8 ? cores : 8);
}

static atomic_int open_signals;

static void look_at_signals(void *arg, int worker)
{
    sigset_t mask;
    (void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
    if (worker > 0 && (!sigismember(&mask, SIGINT) || !sigismember(&mask, SIGTERM) ||
                       !sigismember(&mask, SIGUSR1) || !sigismember(&mask, SIGALRM))) {
        atomic_fetch_add(&open_signals, 1);
    }
    take_part(arg, worker);
}

static void signals_stay_with_the_host(void **state)
{
    static job self;
    sigset_t before, after;
    (void)state;
    (void)pthread_sigmask(SIG_BLOCK, NULL, &before);
    vs_pool_stop();
    self.workers = self.wait_for = 4;
    vs_pool_run(4, look_at_signals, &self);
    assert_int_equal(atomic_load(&self.arrived), 4);
    assert_int_equal(atomic_load(&open_signals), 0);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int number = 1; number < 32; number++) {
        assert_int_equal(sigismember(&before, number), sigismember(&after, number));
    }
}

/* ---- jobs inside of jobs, and side by side ---- */

static atomic_int inner_wrong;

static void run_inner(void *arg, int worker)
{
    job inner;
    memset(&inner, 0, sizeof inner);
    inner.workers = 4;
    inner.wait_for = 1;
    vs_pool_run(4, take_part, &inner);
    if (atomic_load(&inner.times[0]) != 1 || atomic_load(&inner.running) != 0 ||
        atomic_load(&inner.wrong) != 0 || !pthread_equal(inner.threads[0], pthread_self())) {
        atomic_fetch_add(&inner_wrong, 1);
    }
    take_part(arg, worker);
}

static void a_task_may_run_a_job(void **state)
{
    static job outer;
    (void)state;
    for (int round = 0; round < 100; round++) {
        memset(&outer, 0, sizeof outer);
        outer.workers = outer.wait_for = 4;
        vs_pool_run(4, run_inner, &outer);
        assert_int_equal(atomic_load(&outer.arrived), 4);
        assert_int_equal(atomic_load(&inner_wrong), 0);
    }
}

static void *run_many(void *arg)
{
    atomic_int *wrong = arg;
    job self;
    for (int round = 0; round < 500; round++) {
        memset(&self, 0, sizeof self);
        self.workers = 3;
        self.wait_for = 1;
        vs_pool_run(3, take_part, &self);
        atomic_fetch_add(wrong, atomic_load(&self.times[0]) != 1 ||
                                    atomic_load(&self.running) != 0 ||
                                    atomic_load(&self.wrong) != 0 ||
                                    !pthread_equal(self.threads[0], pthread_self()));
        if (round % 100 == 99) {
            vs_pool_stop(); /* as another connection that is the last one for a moment */
        }
    }
    return NULL;
}

static void threads_run_jobs_side_by_side(void **state)
{
    pthread_t threads[4];
    atomic_int wrong;
    (void)state;
    atomic_init(&wrong, 0);
    for (size_t i = 0; i < VS_TEST_COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_many, &wrong), 0);
    }
    for (size_t i = 0; i < VS_TEST_COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&wrong), 0);
}

/* ---- the end of threads ---- */

static pthread_key_t ended_key;
static atomic_int ended;

static void count_ended(void *value)
{
    (void)value;
    atomic_fetch_add(&ended, 1);
}

static void mark_thread(void *arg, int worker)
{
    (void)pthread_setspecific(ended_key, worker > 0 ? arg : NULL);
    take_part(arg, worker);
}

static void stop_ends_the_threads_and_a_job_starts_them_again(void **state)
{
    static job self;
    (void)state;
    vs_pool_stop();
    assert_int_equal(pthread_key_create(&ended_key, count_ended), 0);
    for (int round = 1; round <= 3; round++) {
        memset(&self, 0, sizeof self);
        self.workers = self.wait_for = 4;
        vs_pool_run(4, mark_thread, &self);
        assert_int_equal(atomic_load(&self.arrived), 4);
        assert_int_equal(atomic_load(&ended), 3 * (round - 1));
        vs_pool_stop();
        assert_int_equal(atomic_load(&ended), 3 * round);
        vs_pool_stop(); /* of none */
    }
    (void)pthread_key_delete(ended_key);
}

/* ---- threads that are roused ---- */

/* Longer than roused threads stay awake. */
static void doze(void)
{
    for (int i = 0; i < 3; i++) {
        nap();
    }
}

static int count_threads(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    while (tasks != NULL && readdir(tasks) != NULL) {
        count++;
    }
    if (tasks != NULL) {
        (void)closedir(tasks);
    }
    return count; /* with . and .. */
}

static void rouse_starts_no_thread(void **state)
{
    (void)state;
    vs_pool_stop();
    doze(); /* the system lists what has ended a little longer */
    int before = count_threads();
    vs_pool_rouse();
    assert_true(count_threads() <= before);
    vs_pool_stop(); /* of none, which are awake */
    assert_int_equal(run_job(4, 4), 4);
}

static void a_job_runs_whenever_threads_were_roused(void **state)
{
    (void)state;
    assert_int_equal(run_job(4, 4), 4);
    for (int i = 0; i < 200; i++) {
        vs_pool_rouse();
        assert_int_equal(run_job(4, 4), 4);
    }
    for (int i = 0; i < 20; i++) {
        vs_pool_rouse();
        doze();
        assert_int_equal(run_job(4, 4), 4);
        doze();
        assert_int_equal(run_job(8, 8), 8); /* of which some have not been roused */
        vs_pool_stop();
    }
}

static void rouse_and_take_part(void *arg, int worker)
{
    vs_pool_rouse();
    take_part(arg, worker);
    vs_pool_rouse();
}

static void threads_may_be_roused_while_a_job_runs(void **state)
{
    static job self;
    (void)state;
    for (int round = 0; round < 100; round++) {
        memset(&self, 0, sizeof self);
        self.workers = self.wait_for = 4;
        vs_pool_run(4, rouse_and_take_part, &self);
        assert_int_equal(atomic_load(&self.arrived), 4);
        assert_int_equal(atomic_load(&self.running), 0);
        assert_int_equal(atomic_load(&self.wrong), 0);
    }
}

static void *rouse_and_run_many(void *arg)
{
    for (int i = 0; i < 300; i++) {
        vs_pool_rouse();
        job self;
        memset(&self, 0, sizeof self);
        self.workers = 3;
        self.wait_for = 1;
        vs_pool_run(3, take_part, &self);
        atomic_fetch_add((atomic_int *)arg, atomic_load(&self.running) != 0 ||
                                                atomic_load(&self.wrong) != 0 ||
                                                atomic_load(&self.times[0]) != 1);
        if (i % 50 == 49) {
            vs_pool_stop();
        }
    }
    return NULL;
}

static void threads_rouse_for_others_too(void **state)
{
    pthread_t threads[4];
    atomic_int wrong;
    (void)state;
    atomic_init(&wrong, 0);
    for (size_t i = 0; i < VS_TEST_COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, rouse_and_run_many, &wrong), 0);
    }
    for (size_t i = 0; i < VS_TEST_COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&wrong), 0);
}

/* The caller waits awake for a while, and then asleep. */
static void stay_long(void *arg, int worker)
{
    take_part(arg, worker);
    if (worker > 0) {
        doze();
        atomic_fetch_add(&((job *)arg)->times[worker], 1);
    }
}

static void a_caller_waits_for_long_tasks(void **state)
{
    static job self;
    (void)state;
    for (int round = 0; round < 20; round++) {
        memset(&self, 0, sizeof self);
        self.workers = self.wait_for = 3;
        vs_pool_rouse();
        vs_pool_run(3, stay_long, &self);
        assert_int_equal(atomic_load(&self.times[1]), 2);
        assert_int_equal(atomic_load(&self.times[2]), 2);
    }
}

static void stop_ends_threads_that_are_awake(void **state)
{
    static job self;
    (void)state;
    vs_pool_stop();
    atomic_store(&ended, 0);
    assert_int_equal(pthread_key_create(&ended_key, count_ended), 0);
    for (int round = 1; round <= 20; round++) {
        memset(&self, 0, sizeof self);
        self.workers = self.wait_for = 4;
        vs_pool_run(4, mark_thread, &self);
        vs_pool_rouse();
        vs_pool_stop();
        assert_int_equal(atomic_load(&ended), 3 * round);
        vs_pool_rouse(); /* there is none */
    }
    (void)pthread_key_delete(ended_key);
}

/* ---- fork ---- */

/* The exit status of a child that runs a job with four workers: how many took part. */
static int run_in_child(void)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(30); /* instead of waiting forever */
        int count = run_job(4, 4);
        vs_pool_stop();
        _exit(count == 4 ? run_job(2, 2) : 100 + count);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_child_makes_threads_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(run_job(4, 4), 4);
    assert_int_equal(run_in_child(), 2);
    assert_int_equal(run_job(4, 4), 4);
}

/* Its threads were not awake in the child: there are none, and its own are not left out. */
static void a_child_forked_after_rouse_makes_threads_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(run_job(4, 4), 4);
        vs_pool_rouse();
        assert_int_equal(run_in_child(), 2);
        vs_pool_rouse();
        assert_int_equal(run_job(4, 4), 4);
    }
}

static void a_child_forked_beside_a_job_has_an_idle_pool(void **state)
{
    pthread_t thread;
    atomic_int wrong;
    (void)state;
    atomic_init(&wrong, 0);
    assert_int_equal(pthread_create(&thread, NULL, run_many, &wrong), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(run_in_child(), 2);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(atomic_load(&wrong), 0);
}

static void a_host_without_threads_gets_none(void **state)
{
    (void)state;
    vs_pool_stop();
    is_threadsafe = 0;
    vs_pool_rouse();
    vs_pool_set_threads(8);
    assert_int_equal(vs_pool_threads(), 1);
    assert_int_equal(run_job(vs_pool_threads(), 1), 1);
    vs_pool_set_threads(0);
    assert_int_equal(vs_pool_threads(), 1);
    for (int i = 0; i < 50; i++) {
        int count = run_job(4, 1);
        nap();
        assert_int_equal(count, 1);
    }
    is_threadsafe = 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_runs_once_for_each_worker),
        cmocka_unit_test(short_jobs_end_with_any_number_of_workers),
        cmocka_unit_test(more_workers_than_there_may_be_are_fine),
        cmocka_unit_test(shared_work_is_done_once),
        cmocka_unit_test(the_setting_holds_for_the_process),
        cmocka_unit_test(signals_stay_with_the_host),
        cmocka_unit_test(a_task_may_run_a_job),
        cmocka_unit_test(threads_run_jobs_side_by_side),
        cmocka_unit_test(stop_ends_the_threads_and_a_job_starts_them_again),
        cmocka_unit_test(rouse_starts_no_thread),
        cmocka_unit_test(a_job_runs_whenever_threads_were_roused),
        cmocka_unit_test(threads_may_be_roused_while_a_job_runs),
        cmocka_unit_test(threads_rouse_for_others_too),
        cmocka_unit_test(a_caller_waits_for_long_tasks),
        cmocka_unit_test(stop_ends_threads_that_are_awake),
        cmocka_unit_test(a_child_makes_threads_of_its_own),
        cmocka_unit_test(a_child_forked_after_rouse_makes_threads_of_its_own),
        cmocka_unit_test(a_child_forked_beside_a_job_has_an_idle_pool),
        cmocka_unit_test(a_host_without_threads_gets_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
