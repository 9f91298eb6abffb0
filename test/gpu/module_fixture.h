/*
 * module_fixture.h - a small table on the fake device, and searches of it that are compared with
 * distances computed one by one.
 */
#ifndef VS_MODULE_FIXTURE_H
#define VS_MODULE_FIXTURE_H

#include "../vs_test.h"

#include "../../kernels/vsk.h"
#include "real.h"

#define MODULE_MIB (1ull << 20)

const vsg_api *vecshard_cuda_v1(const vsg_host *host);

typedef struct module_shape {
    uint32_t dim;
    vsg_type type;
    vsg_format format;
    int keeps_vectors;
    uint32_t rows, segments; /* rows of a segment; all but some are live */
} module_shape;

typedef struct module_table {
    const vsg_api *api;
    vsg_device *device;
    module_shape shape;
    vsg_segment *segments[8];
    uint8_t *vectors; /* [segments * rows][dim] of the type */
    uint32_t *live;   /* bits of all rows */
    float *queries;   /* [query_count][dim] */
    uint32_t query_count;
} module_table;

/* The module's functions, over a fake that was reset (real.h: or of another module). */
const vsg_api *module_api(void);
/* Opens the device; _only: without the reset. */
int module_open_only(module_table *self, uint64_t budget_bytes);
int module_open(module_table *self, uint64_t budget_bytes);

/* A table with `shape`, in place of the last one, made but not yet sent; one row in seven is not
 * live. Then its sending: a vsg_rc, with what was made so far in `segments`. */
void module_make(module_table *self, const module_shape *shape, uint32_t query_count);
int module_send(module_table *self);
/* One segment's rows, through as many buffers as it takes. */
int module_send_rows(module_table *self, uint32_t segment);
void module_drop(module_table *self); /* its segments */
void module_free(module_table *self); /* the table, the device */

/* A search of all queries and segments. */
void module_search(const module_table *self, vsg_metric metric, uint32_t k, vsg_search *out);
/* Begins it and waits for its end, at most 10 s. */
int module_run(const module_table *self, const vsg_search *search, vsg_ticket **out_ticket,
               vsg_answer *out);

/* The canonical distance of a query and a row. */
double module_distance(const module_table *self, vsg_metric metric, uint32_t query, uint32_t row);
/* Every row that must be in the answer is in it, every other one is at least allowed, lows are not
 * above distances, sums have the canonical bits. Queries that are not answered are counted in
 * *out_unanswered. */
void module_check(const module_table *self, const vsg_search *search, const vsg_answer *answer,
                  uint32_t *out_unanswered);
/* Runs a search, checks its answer and ends it. Returns how many queries were not answered. */
uint32_t module_search_checked(const module_table *self, const vsg_search *search);
/* Opens a device and sends a table to it. */
void module_open_table(module_table *self, const module_shape *shape, uint32_t query_count,
                       uint64_t budget_bytes);

#endif
