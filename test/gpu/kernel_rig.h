/*
 * kernel_rig.h - segments, queries and results in host memory, for tests of the GPU kernels.
 */
#ifndef VSG_KERNEL_RIG_H
#define VSG_KERNEL_RIG_H

#include "host_run.h"

#include "kernels/cuda/bound.h"
#include "kernels/vsk.h"

/* What rows are filled with. */
typedef enum rig_data {
    RIG_RANDOM,
    RIG_POSITIVE,  /* all of the same sign */
    RIG_CANCEL,    /* products that cancel */
    RIG_RANGE,     /* magnitudes 2^-60 .. 1 within a row */
    RIG_DENORMAL,  /* denormal elements, some rows beyond bounds */
    RIG_HUGE,      /* 1e30: beyond bounds */
    RIG_TINY,      /* 1e-30: beyond bounds */
    RIG_NONFINITE, /* some NaN and infinities */
    RIG_TIES,      /* few different rows, some zero */
    RIG_DATA_COUNT
} rig_data;

typedef struct rig_spec {
    uint32_t dim;
    vsg_type type;
    vsg_format format;
    vsg_metric metric;
    rig_data data;
    uint32_t rows; /* that are there; the last segment need not be full */
    uint32_t segment_rows;
    uint32_t queries, k;
    uint32_t capacity; /* 0: all rows */
    int keeps_vectors;
    uint32_t dead_of; /* every so-many-th row is not live; 0: all are */
    int has_wanted;   /* about half of the rows are wanted */
    double limit, floor;
    double scale; /* of rows; 0: 1 */
    int is_apart; /* kernels are run by vsg_host_launch_apart, where there is one */
    uint64_t seed;
} rig_spec;

typedef struct rig {
    rig_spec spec;
    vsg_layout layout;
    uint32_t segments, total; /* total: places in all segments */
    uint8_t *memory;          /* all segments */
    uint8_t **segment_list;
    uint8_t *vectors; /* [rows][dim] as given */
    uint32_t *wanted; /* [total / 32] */
    float *queries;   /* [queries][dim] */
    uint8_t *query_vectors;
    float *queries_f32;
    uint16_t *queries_f16;
    vsg_query_terms *terms;
    vsg_query_state *states;
    vsg_rows_args rows_args;
    vsg_found_args found;
    uint32_t *out_first, *out_count, *out_rows, out_next;
    float *out_lows;
    double *out_sums, *out_sumsqs;
    uint64_t order;  /* seed of the order of threads */
    vsk_table table; /* the scalar kernels */

} rig;

/* A spec with the fewest surprises: float32, VSG_F16, VSG_L2SQ, random rows, no limit. */
rig_spec rig_plain(uint32_t dim, uint32_t rows);

/* Makes everything and converts the rows by VSG_CONVERT. */
rig *rig_new(const rig_spec *spec);
void rig_free(rig *f);

/* Forgets what was found: counts and lost are 0, limits are `limits` or those of the spec. */
void rig_reset(rig *f, const float *limits);
/* VSG_SCAN (in launches of VSG_SCAN_QUERIES) or VSG_MATRIX of these visits, for all queries. */
void rig_scan(rig *f, vsg_kernel kernel, uint32_t first, uint32_t count);
void rig_select(rig *f);
/* A whole search: chunks of visits, a select after each; again where entries were lost; finish. */
void rig_search(rig *f, vsg_kernel kernel);

/* Element of a row or query, exact. */
double rig_value(const rig *f, uint32_t row, uint32_t element);
/* 1: live and wanted, and has a distance. `row` is a number through the segments. */
int rig_is_present(const rig *f, uint32_t row);
/* The distance of a query and a row, by canonical sums; NaN where there is none. */
double rig_distance(const rig *f, uint32_t query, uint32_t row);
/* A number in 0 .. 1 */
double rig_random(uint64_t *seed);

#endif
