/*
 * vs_fault.h - SQLite's allocator, counted and made to fail.
 */
#ifndef VS_FAULT_H
#define VS_FAULT_H

#include <stdint.h>

/*
 * Puts counters between SQLite and its allocator, and turns lookaside off, so that every allocation
 * passes here. Call it before any other SQLite function of the process. Not thread-safe: for tests
 * on one thread.
 */
void vs_fault_install(void);

int64_t vs_fault_allocations(void); /* calls of malloc and realloc so far */
int64_t vs_fault_live(void);        /* blocks that are allocated now */

/*
 * Fails the n-th allocation from now on (1: the next): that one alone, or with is_persistent it and
 * all after it.
 */
void vs_fault_arm(int64_t n, int is_persistent);

/* Ends failing. Returns how many allocations failed since vs_fault_arm. */
int64_t vs_fault_disarm(void);

#endif
