/*
 * pool.h - worker threads that compute on memory of the caller.
 *
 * Workers never touch SQLite. The pool is lazy, shared by the process, limited to
 * vs_pool_threads(); workers block all signals and have 256 KB stacks. After fork a child starts
 * with no pool and makes its own. Where SQLite was built or configured without threads
 * (sqlite3_threadsafe() == 0) or threads cannot be started, everything runs on the caller.
 */
#ifndef VS_POOL_H
#define VS_POOL_H

#include "vs_base.h"

#define VS_POOL_THREADS_MAX 64

/* Threads that one job may use, the caller's included: default min(cores, 8); 1 where there are no
 * threads. Process-wide. */
int vs_pool_threads(void);
void vs_pool_set_threads(int threads); /* 1 .. VS_POOL_THREADS_MAX; 0: the default */

/* There will be a job in some microseconds: threads that sleep begin to wake. Starts none. */
void vs_pool_rouse(void);

/*
 * Runs task(arg, worker) on up to `workers` threads at once, with worker = 0 on the caller's own
 * and 1 .. on others, and returns when all have returned. Fewer may run when others are busy
 * (another connection uses the pool): the tasks share their work by an atomic counter of their own,
 * so any number of them finishes it. worker < workers.
 */
void vs_pool_run(int workers, void (*task)(void *arg, int worker), void *arg);

/* Ends the threads: at exit of the last connection. A later job starts them again. */
void vs_pool_stop(void);

#endif
