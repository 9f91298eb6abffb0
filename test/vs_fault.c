/*
 * vs_fault.c - SQLite's allocator, counted and made to fail.
 *
 * Calls: SQLite's own allocator.  Called by: tests.  Threads: one.
 */
#include "vs_fault.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sqlite3_mem_methods fault_inner; /* what SQLite used before */
static int64_t fault_allocations, fault_live;
static int64_t fault_countdown; /* allocations until the one that fails; 0: not armed, or passed */
static int fault_is_persistent, fault_is_failing;
static int64_t fault_failures;

static int fault_strikes(void)
{
    fault_allocations++;
    if (fault_countdown > 0 && --fault_countdown == 0) {
        fault_is_failing = fault_is_persistent;
        fault_failures++;
        return 1;
    }
    fault_failures += fault_is_failing;
    return fault_is_failing;
}

static void *fault_malloc(int bytes)
{
    void *memory = fault_strikes() ? NULL : fault_inner.xMalloc(bytes);
    fault_live += memory != NULL;
    return memory;
}

static void fault_free(void *memory)
{
    fault_live -= memory != NULL;
    fault_inner.xFree(memory);
}

static void *fault_realloc(void *memory, int bytes)
{
    return fault_strikes() ? NULL : fault_inner.xRealloc(memory, bytes);
}

static int fault_size(void *memory)
{
    return fault_inner.xSize(memory);
}

static int fault_roundup(int bytes)
{
    return fault_inner.xRoundup(bytes);
}

static int fault_init(void *data)
{
    (void)data;
    return fault_inner.xInit(fault_inner.pAppData);
}

static void fault_shutdown(void *data)
{
    (void)data;
    fault_inner.xShutdown(fault_inner.pAppData);
}

void vs_fault_install(void)
{
    static const sqlite3_mem_methods methods = {fault_malloc,   fault_free,    fault_realloc,
                                                fault_size,     fault_roundup, fault_init,
                                                fault_shutdown, NULL};
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &fault_inner) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) != SQLITE_OK) {
        fprintf(stderr, "vs_fault_install: SQLite was initialised before\n");
        exit(1);
    }
}

int64_t vs_fault_allocations(void)
{
    return fault_allocations;
}

int64_t vs_fault_live(void)
{
    return fault_live;
}

void vs_fault_arm(int64_t n, int is_persistent)
{
    fault_countdown = n;
    fault_is_persistent = is_persistent;
    fault_is_failing = 0;
    fault_failures = 0;
}

int64_t vs_fault_disarm(void)
{
    fault_countdown = 0;
    fault_is_failing = 0;
    return fault_failures;
}
