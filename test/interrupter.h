/*
 * interrupter.h - another thread that interrupts a connection after a while.
 */
#ifndef VS_INTERRUPTER_H
#define VS_INTERRUPTER_H

#include "vs_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define INTERRUPTER_AGAIN_NS 10000000

typedef struct interrupter {
    sqlite3 *db;
    long after_ns;
    atomic_int is_done; /* the work has ended */
    double at_ms;       /* the first interrupt */
    pthread_t thread;
} interrupter;

static inline double interrupter_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static inline void *interrupter_main(void *data)
{
    interrupter *self = data;
    const struct timespec pause = {0, self->after_ns}, again = {0, INTERRUPTER_AGAIN_NS};
    nanosleep(&pause, NULL);
    self->at_ms = interrupter_now_ms();
    /* More than once: SQLite forgets one that comes before the statement has begun. */
    while (!atomic_load(&self->is_done)) {
        sqlite3_interrupt(self->db);
        nanosleep(&again, NULL);
    }
    return NULL;
}

static inline void interrupter_start(interrupter *self, sqlite3 *db, double after_ms)
{
    memset(self, 0, sizeof *self);
    self->db = db;
    self->after_ns = (long)(after_ms * 1e6);
    assert_int_equal(pthread_create(&self->thread, NULL, interrupter_main, self), 0);
}

/* The work has ended with rc: by the interrupt, at most most_ms after it. */
static inline void interrupter_end(interrupter *self, const char *sql, int rc, double most_ms)
{
    double end_ms = interrupter_now_ms();
    atomic_store(&self->is_done, 1);
    pthread_join(self->thread, NULL);
    if (rc != SQLITE_INTERRUPT || end_ms - self->at_ms > most_ms) {
        fail_msg("%s: result %d, %.0f ms after the interrupt", sql, rc, end_ms - self->at_ms);
    }
}

#endif
