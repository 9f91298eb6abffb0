/*
 * queries_impl.h - what queries.c and query_pass.c share: the state of a search.
 */
#ifndef VSG_QUERIES_IMPL_H
#define VSG_QUERIES_IMPL_H

#include "module.h"

/* Where the parts of a pass lie, in bytes from the beginning of the slot's part. */
typedef struct queries_plan {
    uint32_t room;  /* queries it was laid out for */
    uint32_t count; /* queries in it, at the beginning of the room */
    uint64_t segments, f32, f16, vectors, terms, limits, lost, counts, out_next;
    uint64_t sent; /* what is sent: all of the above */
    uint64_t rows, lows, highs;
    uint64_t bytes;
} queries_plan;

typedef enum queries_stage { QUERIES_SCANNING, QUERIES_FINISHING, QUERIES_DONE } queries_stage;

struct vsg_ticket {
    vsg_slot *slot;
    int rc; /* of the search, once it has failed */
    int64_t begun_us;
    queries_stage stage;

    /* what is searched */
    vsg_shape shape;
    vsg_layout layout;
    vsg_metric metric;
    uint32_t k, capacity, tiles, tile_step, segment_count;
    uint64_t wanted_rows;
    double limit, floor;
    uint64_t wanted_bytes;    /* at the beginning of pinned memory and part; 0: all live rows */
    const uint8_t **segments; /* [segment_count] of the device; owned */
    const float *values;      /* [query_count][dim]: at first the caller's, then */
    float *queries;           /* a copy; owned */
    uint32_t query_count;

    /* queries by number: waiting, then those of this pass */
    uint32_t *todo; /* [query_count]; owned */
    uint32_t todo_count;
    float *limits;  /* [query_count] in the unit of the key; owned */
    uint8_t *tries; /* [query_count]; owned */

    /* this pass */
    queries_plan plan;
    uint32_t *group; /* [query_count], plan.count of them; owned */
    uint8_t *taken;  /* [query_count] by place in the group: its results are copied; owned */
    uint32_t finish_first, finish_count;

    /* the answer; owned */
    uint8_t *states;
    uint32_t *first, *count;
    uint32_t *rows;
    double *lows, *sums, *sumsqs;
    size_t results, results_room;
    double device_us;
};

/* Where VSG_FINISH writes: in the pinned memory of the slot, or what the device calls it. */
typedef struct queries_out {
    uint64_t first, count, limits, lost, sums, sumsqs, rows, lows;
    uint32_t capacity;
} queries_out;

/* About the golden section of all tiles, so that any run of visits is spread evenly. */
uint32_t vsg_queries_tile_step(uint32_t tiles);

/* Sends the next pass, or ends the search when no query waits. is_first: with wanted bits. */
int vsg_queries_send_pass(vsg_device *device, vsg_ticket *ticket, int is_first);

/* Sends VSG_FINISH for queries finish_first .. of the pass, and the event. */
int vsg_queries_send_finish(vsg_device *device, vsg_ticket *ticket);

/* Where the results of a pass lie. */
void vsg_queries_lay_out_results(const vsg_ticket *ticket, queries_out *out);

#endif
