/*
 * pool.c - worker threads.
 *
 * Threads sleep on a condition variable until a job is posted. There is one job at a time: a caller
 * that finds the pool busy runs its task alone, which loses speed and never waits. A job ends for
 * its caller when every worker that took part has returned; workers that wake too late find the job
 * closed.
 *
 * A thread takes some 50 us to wake, of a search of a millisecond, and a virtual machine may take its
 * core away meanwhile. So a caller that will soon have a job rouses the threads, who then wait for
 * it, and it for them, without sleeping: for POOL_AWAKE_NS. They wait as long after a job: the next
 * search of a program that asks one after the other comes soon.
 *
 * Calls: metrics.c, threads of the system.
 * Called by: nearest.c, settings.c, conn.c.
 * Threads: all.
 */
#define _DEFAULT_SOURCE

#include "pool.h"

#include <stdatomic.h>

#include "lock.h"
#include "metrics.h"

#if (defined(__unix__) || defined(__APPLE__)) && !defined(__EMSCRIPTEN__)
#define POOL_THREADS 1
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#endif

#define POOL_DEFAULT_MAX 8
#define POOL_STACK_BYTES (256 << 10)
#define POOL_AWAKE_NS 200000

static atomic_int pool_wanted; /* 0: the default */

#if !defined(POOL_THREADS)

int vs_pool_threads(void)
{
    return 1;
}

void vs_pool_rouse(void)
{
}

void vs_pool_run(int workers, void (*task)(void *arg, int worker), void *arg)
{
    (void)workers;
    task(arg, 0);
}

void vs_pool_stop(void)
{
}

#else

typedef struct pool_job {
    void (*task)(void *arg, int worker);
    void *arg;
    int workers;        /* that may take part, the caller included */
    int taken;          /* numbers given out */
    atomic_int running; /* of the pool's threads */
} pool_job;

static pthread_mutex_t pool_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pool_posted = PTHREAD_COND_INITIALIZER;
static pthread_cond_t pool_returned = PTHREAD_COND_INITIALIZER;
/* Under the mutex. */
static pthread_t pool_threads[VS_POOL_THREADS_MAX];
static int pool_count;
static int pool_is_stopping;
static pool_job *pool_current; /* NULL: none, or closed to further workers */
static int pool_is_busy;
static int64_t pool_awake_until;  /* vs_metrics_now_ns: who waits for a job does not sleep */
static atomic_int pool_is_posted; /* a hint for those: pool_current is not NULL */

/* ---- fork: the child has no threads ---------------------------------------------------------- */

static void pool_before_fork(void)
{
    (void)pthread_mutex_lock(&pool_mutex);
}

static void pool_after_fork_parent(void)
{
    (void)pthread_mutex_unlock(&pool_mutex);
}

static void pool_after_fork_child(void)
{
    pool_count = 0;
    pool_current = NULL;
    pool_is_busy = 0;
    pool_is_stopping = 0;
    atomic_store(&pool_is_posted, 0);
    (void)pthread_cond_init(&pool_posted, NULL); /* those who wait for them are not here */
    (void)pthread_cond_init(&pool_returned, NULL);
    (void)pthread_mutex_unlock(&pool_mutex); /* this thread locked it before the fork */
}

static void pool_watch_fork(void)
{
    static atomic_flag is_done = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&is_done)) {
        (void)pthread_atfork(pool_before_fork, pool_after_fork_parent, pool_after_fork_child);
    }
}

/* ---- threads --------------------------------------------------------------------------------- */

/* Waits for a job, with the mutex left for that time. May return without one. */
static void pool_wait(void)
{
    int64_t until = pool_awake_until;
    if (pool_current != NULL || vs_metrics_now_ns() >= until) {
        (void)pthread_cond_wait(&pool_posted, &pool_mutex);
        return;
    }
    (void)pthread_mutex_unlock(&pool_mutex);
    while (!atomic_load_explicit(&pool_is_posted, memory_order_relaxed) &&
           vs_metrics_now_ns() < until) {
        VS_LOCK_YIELD();
    }
    (void)pthread_mutex_lock(&pool_mutex);
}

static void *pool_main(void *unused)
{
    (void)unused;
    (void)pthread_mutex_lock(&pool_mutex);
    while (!pool_is_stopping) {
        pool_job *job = pool_current;
        if (job == NULL || job->taken >= job->workers) {
            pool_wait();
            continue;
        }
        int number = job->taken++;
        atomic_fetch_add(&job->running, 1);
        (void)pthread_mutex_unlock(&pool_mutex);
        job->task(job->arg, number);
        (void)pthread_mutex_lock(&pool_mutex);
        if (atomic_fetch_sub(&job->running, 1) ==
            1) { /* the last: the job's memory may be gone now */
            (void)pthread_cond_broadcast(&pool_returned);
        }
    }
    (void)pthread_mutex_unlock(&pool_mutex);
    return NULL;
}

/* Starts threads until there are `count`, or the system refuses. Under the mutex. */
static void pool_start(int count)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pool_count >= count || pthread_attr_init(&attributes) != 0) {
        return;
    }
    (void)pthread_attr_setstacksize(&attributes, POOL_STACK_BYTES);
    /* like any thread, not in the real-time class that the host's may have: workers yield to wait */
    (void)pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    (void)pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
    (void)sigfillset(
        &all); /* signals are the host's threads' business; a new thread inherits the mask */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool_count < count &&
           pthread_create(&pool_threads[pool_count], &attributes, pool_main, NULL) == 0) {
        pool_count++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
}

/* Asked once: the answer is read from a file of the system, which takes as long as a small search. */
static int pool_default_threads(void)
{
    static atomic_int known;
    int threads = atomic_load_explicit(&known, memory_order_relaxed);
    if (threads == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        threads = cores < 1 ? 1 : cores > POOL_DEFAULT_MAX ? POOL_DEFAULT_MAX : (int)cores;
        atomic_store_explicit(&known, threads, memory_order_relaxed);
    }
    return threads;
}

int vs_pool_threads(void)
{
    int wanted = atomic_load_explicit(&pool_wanted, memory_order_relaxed);
    if (sqlite3_threadsafe() == 0) {
        return 1; /* the host promised to have one thread, and may not expect others */
    }
    return wanted == 0 ? pool_default_threads() : wanted;
}

void vs_pool_rouse(void)
{
    pool_watch_fork();
    (void)pthread_mutex_lock(&pool_mutex);
    if (!pool_is_busy && pool_count > 0) {
        int64_t now = vs_metrics_now_ns();
        if (now >= pool_awake_until) {
            (void)pthread_cond_broadcast(&pool_posted);
        }
        pool_awake_until = now + POOL_AWAKE_NS;
    }
    (void)pthread_mutex_unlock(&pool_mutex);
}

/* Returns when all that took part in the job have returned. Under the mutex, which is left while
 * waiting. */
static void pool_await(pool_job *job)
{
    int64_t until = vs_metrics_now_ns() + POOL_AWAKE_NS;
    if (atomic_load(&job->running) > 0) {
        (void)pthread_mutex_unlock(&pool_mutex);
        while (atomic_load(&job->running) > 0 && vs_metrics_now_ns() < until) {
            VS_LOCK_YIELD();
        }
        (void)pthread_mutex_lock(&pool_mutex);
    }
    while (atomic_load(&job->running) > 0) {
        (void)pthread_cond_wait(&pool_returned, &pool_mutex);
    }
}

void vs_pool_run(int workers, void (*task)(void *arg, int worker), void *arg)
{
    pool_job job = {.task = task, .arg = arg, .workers = workers, .taken = 1};
    int is_posted = 0;
    atomic_init(&job.running, 0);
    pool_watch_fork();
    (void)pthread_mutex_lock(&pool_mutex);
    if (!pool_is_busy && !pool_is_stopping && workers > 1 && sqlite3_threadsafe() != 0) {
        pool_start(workers - 1 < VS_POOL_THREADS_MAX ? workers - 1 : VS_POOL_THREADS_MAX);
        pool_is_busy = 1;
        pool_current = &job;
        atomic_store(&pool_is_posted, 1);
        is_posted = 1;
        (void)pthread_cond_broadcast(&pool_posted);
    }
    (void)pthread_mutex_unlock(&pool_mutex);
    task(arg, 0);
    if (!is_posted) {
        return;
    }
    (void)pthread_mutex_lock(&pool_mutex);
    pool_current = NULL; /* nobody joins any more */
    atomic_store(&pool_is_posted, 0);
    pool_await(&job);
    pool_is_busy = 0;
    pool_awake_until = vs_metrics_now_ns() + POOL_AWAKE_NS;
    (void)pthread_mutex_unlock(&pool_mutex);
}

void vs_pool_stop(void)
{
    pthread_t threads[VS_POOL_THREADS_MAX];
    (void)pthread_mutex_lock(&pool_mutex);
    int count = pool_is_busy || pool_is_stopping ? 0 : pool_count;
    if (count > 0) {
        memcpy(threads, pool_threads, (size_t)count * sizeof *threads);
        pool_count = 0;
        pool_is_stopping = 1;
        (void)pthread_cond_broadcast(&pool_posted);
    }
    (void)pthread_mutex_unlock(&pool_mutex);
    for (int i = 0; i < count; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    if (count > 0) {
        (void)pthread_mutex_lock(&pool_mutex);
        pool_is_stopping = 0;
        (void)pthread_mutex_unlock(&pool_mutex);
    }
}

#endif

void vs_pool_set_threads(int threads)
{
    atomic_store_explicit(&pool_wanted, threads, memory_order_relaxed);
}
