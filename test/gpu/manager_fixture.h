/*
 * manager_fixture.h - the GPU manager over the fake module: columns that are filled and searched,
 * and answers that are compared with distances computed one by one.
 *
 * What the manager holds is the process's, and so is what it has learned of the module: each
 * scenario runs in a child of its own, forked before anything was opened.
 */
#ifndef VS_MANAGER_FIXTURE_H
#define VS_MANAGER_FIXTURE_H

#include "../vs_test.h"

#include <stdio.h>

#include "../../ext/gpu_impl.h"
#include "real.h"

#define MANAGER_MIB ((uint64_t)1 << 20)

/* In a child, where cmocka cannot go on after a failure. */
#define MANAGER_CHECK(condition)                                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            manager_fail(__FILE__, __LINE__, #condition);                                          \
        }                                                                                          \
    } while (0)
void manager_fail(const char *file, int line, const char *words);

/* Runs the scenario in a child, with the fake as the module (real.h: or another one); it must
 * return. */
void manager_run(void (*scenario)(vsg_fake *fake));
/* The same with these values of VECSHARD_CUDA_LIB and VECSHARD_CUDA (NULL: not set), with no fake. */
void manager_run_with(const char *library, const char *wish, void (*scenario)(void));
const char *manager_fake_path(void);
const char *manager_module_path(void); /* the fake's, or what VECSHARD_TEST_CUDA names */
const char *manager_program_folder(void);

/* A small card and budget: a context of 16 MiB, and room for about `segments` segments of 2 MiB. */
void manager_use_small_card(vsg_fake *fake, int segments);
int manager_room_segments(void); /* that fit in the budget beside context and scratch, now */

/* A column of random vectors. Row i is row i % segment_rows of segment i / segment_rows. */
typedef struct manager_column {
    vs_gpu_want want;
    void *vectors; /* [rows][dim] of the type */
    uint32_t rows;
    uint64_t seed;
} manager_column;

/* Rows of float32, dim 16; want.rows is what the manager is told. */
void manager_column_init(manager_column *self, uint32_t number, vs_gpu_kind kind, uint32_t rows,
                         double told_rows);
void manager_column_init_as(manager_column *self, uint32_t number, vs_gpu_kind kind, uint32_t rows,
                            double told_rows, vsk_type type, size_t dim);
void manager_column_free(manager_column *self);

/* Fills segments first .. last of the image, with every row live; 0: there was no room, or it
 * failed. */
int manager_fill_segments(vs_gpu_image *image, const manager_column *column, uint32_t first,
                          uint32_t last);
int manager_fill(vs_gpu_image *image, const manager_column *column);
uint32_t manager_segments(const vs_gpu_image *image, const manager_column *column);

/* Asks for advice until the column is on the device, filling it when told to. Returns the last
 * advice. */
vs_gpu_advice manager_admit(manager_column *column);

/* Limits of a search, for manager_search; at first none. */
typedef struct manager_limits {
    double lo, hi;
    uint32_t wanted_step; /* every n-th row is wanted; 0: all */
} manager_limits;
extern manager_limits manager_limit;
extern _Atomic size_t manager_exact_hits; /* that searches have had */

/* A search under the metric. VS_GPU_NONE: the answer was compared with every row of segments that
 * were resident; else why there was none. */
vs_gpu_reason manager_search(vs_gpu_image *image, const manager_column *column, vs_metric metric,
                             size_t queries, size_t k);
/* Advice and, where it says so, a search. */
vs_gpu_reason manager_ask(manager_column *column);

uint32_t manager_resident(const manager_column *column); /* segments */
vs_gpu_state manager_state(void);
void manager_step_clock(double seconds);
/* Books and the fake's own agree, within the budget. */
void manager_check_books(const vsg_fake *fake);
/* Stops the manager: nothing is left on the device or in memory. */
void manager_check_end(const vsg_fake *fake);

#endif
