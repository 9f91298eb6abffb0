/*
 * gpu_watch.c - a thread that gives the card's memory back when others need it, or nobody here does.
 *
 * It runs while something is resident, looks at the card four times a second, and takes no memory.
 *
 * Calls: gpu.c, gpu_evict.c.
 * Called by: gpu_fill.c (start), gpu_cache.c (stop).
 * Threads: its own.
 */
#define _DEFAULT_SOURCE

#include "gpu_impl.h"

#if defined(VS_GPU_POSIX)

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#define WATCH_PERIOD_NS 250000000
#define WATCH_STACK_BYTES (1 << 20) /* drivers want some, and so does what hosts keep by thread */

/* One start or stop at a time; before the other locks. */
static pthread_mutex_t watch_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_t watch_thread; /* under watch_mutex; to be joined while watch_is_started */
static int watch_is_started;
/* Under the state lock. */
static pthread_cond_t watch_wake = PTHREAD_COND_INITIALIZER;
static int watch_is_stopping;
static atomic_int watch_is_running; /* until the thread has decided to end */

static void watch_look(void)
{
    if (!vs_gpu_enter()) {
        return;
    }
    vs_gpu_lock();
    int64_t idle_ns = (int64_t)vs_gpu.settings.idle_s * 1000000000;
    int is_idle = idle_ns > 0 && vs_gpu_now_ns() - vs_gpu.used_ns > idle_ns;
    vs_gpu_unlock();
    vs_gpu_collect();
    if (is_idle) {
        vs_gpu_evict_unused();
    }
    (void)vs_gpu_keep_low_water(0);
    vs_gpu_leave();
}

/* Waits for the next look; 0: the thread ends. Under the state lock. */
static int watch_wait(void)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += WATCH_PERIOD_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (!watch_is_stopping) {
        (void)pthread_cond_timedwait(&watch_wake, &vs_gpu.state_lock, &until);
    }
    int goes_on = !watch_is_stopping && vs_gpu.used_bytes > vs_gpu.fixed_bytes;
    if (!goes_on) {
        atomic_store(&watch_is_running, 0);
    }
    return goes_on;
}

static void *watch_main(void *unused)
{
    (void)unused;
    vs_gpu_lock();
    while (watch_wait()) {
        vs_gpu_unlock();
        watch_look();
        vs_gpu_lock();
    }
    vs_gpu_unlock();
    return NULL;
}

/* Under watch_mutex. */
static void watch_join(void)
{
    if (watch_is_started) {
        (void)pthread_join(watch_thread, NULL);
        watch_is_started = 0;
    }
}

/* Under watch_mutex. Where the system has no thread to give, nobody watches: searches and fills look
 * at the card all the same. */
static void watch_start(void)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0) {
        return;
    }
    (void)pthread_attr_setstacksize(&attributes, WATCH_STACK_BYTES);
    (void)pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    (void)pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
    (void)sigfillset(&all); /* signals are the host's threads' business */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    atomic_store(&watch_is_running, 1);
    watch_is_started = pthread_create(&watch_thread, &attributes, watch_main, NULL) == 0;
    if (!watch_is_started) {
        atomic_store(&watch_is_running, 0);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
}

void vs_gpu_watch(void)
{
    if (atomic_load(&watch_is_running) || sqlite3_threadsafe() == 0) {
        return; /* a host that promised to have one thread may not expect others */
    }
    (void)pthread_mutex_lock(&watch_mutex);
    if (!atomic_load(&watch_is_running)) {
        watch_join();
        watch_start();
    }
    (void)pthread_mutex_unlock(&watch_mutex);
}

void vs_gpu_watch_stop(void)
{
    if (vs_gpu_look() == VS_GPU_FORKED) {
        return; /* the thread is the parent's */
    }
    (void)pthread_mutex_lock(&watch_mutex);
    vs_gpu_lock();
    watch_is_stopping = 1;
    (void)pthread_cond_broadcast(&watch_wake);
    vs_gpu_unlock();
    watch_join();
    vs_gpu_lock();
    watch_is_stopping = 0;
    vs_gpu_unlock();
    (void)pthread_mutex_unlock(&watch_mutex);
}

#endif
