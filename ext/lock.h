/*
 * lock.h - a lock for a few instructions, shared by all threads of the process.
 *
 * SQLite's own mutexes are absent in single-thread builds, while hosts may still use several
 * connections on several threads: so these are atomics. Nothing that may wait, allocate or call
 * SQLite happens under one.
 */
#ifndef VS_LOCK_H
#define VS_LOCK_H

#include <stdatomic.h>

#if defined(__unix__) || defined(__APPLE__)
#include <sched.h>
#define VS_LOCK_YIELD() ((void)sched_yield())
#else
#define VS_LOCK_YIELD() ((void)0)
#endif

typedef atomic_flag vs_lock;
#define VS_LOCK_INIT ATOMIC_FLAG_INIT
#define VS_LOCK_SPINS 100 /* before the holder's thread gets its turn */

static inline void vs_lock_enter(vs_lock *lock)
{
    int spins = 0;
    while (atomic_flag_test_and_set_explicit(lock, memory_order_acquire)) {
        if (++spins == VS_LOCK_SPINS) {
            VS_LOCK_YIELD();
            spins = 0;
        }
    }
}

static inline void vs_lock_leave(vs_lock *lock)
{
    atomic_flag_clear_explicit(lock, memory_order_release);
}

#endif
