/*
 * launch.h - the kernels of the GPU module: their arguments and how they are started.
 *
 * Each kernel is a program of phases (phase.h) in a header of its own, compiled twice: by nvcc for
 * devices (device.cu) and by a C compiler for the host, where tests run it thread by thread. Whoever
 * starts one fills its arguments and calls vsg_launch_fn of its backend: one call, one launch, all
 * in one order.
 *
 * All pointers are of the device. Rows are numbered through the segments: segment s has rows
 * s * segment_rows ... A tile is VSG_TILE_ROWS rows, `tiles` of them in all segments together.
 */
#ifndef VSG_LAUNCH_H
#define VSG_LAUNCH_H

#include "vsg.h"

#define VSG_ALIGN_ELEMENTS 32  /* elements of a stored row: dim rounded up to it, the rest zeros */
#define VSG_SCAN_QUERIES 8     /* of one launch of VSG_SCAN */
#define VSG_MATRIX_QUERIES 128 /* VSG_MATRIX takes them in groups of so many, or of half as many */

/* What bounds need of one stored row; 16 bytes, read at once. x^ is what the stored row stands for:
 * element i has the value stored[i] * scale. */
typedef struct vsg_row_terms {
    float scale;    /* power of two for VSG_F16, step for VSG_I8 */
    float sumsq;    /* |x|^2, relative error 2^-23 */
    float error;    /* >= |x - x^|, and for VSG_I8 of the rotated x; +infinity: there is no bound */
    float inv_norm; /* 1 / |x|, relative error 2^-22; 0: x is zero, and no answer under cosine */
} vsg_row_terms;

/* What bounds need of one query; see bound.h for how they are used. */
typedef struct vsg_query_terms {
    float scale;       /* of its float16 form: power of two */
    float sumsq;       /* |q|^2, relative error 2^-23 */
    float norm;        /* >= |q| */
    float error_f16;   /* >= |q - q^| for the float16 form, and 0 .. for float32 error_f32 */
    float error_f32;   /* of the float32 form: 0, or that of the rotation */
    float inv_norm;    /* 1 / |q|, relative error 2^-22 */
    float floor_drop;  /* rows whose upper bound is below it are dropped */
    float floor_count; /* rows whose lower bound is not above it do not count for the limit */
} vsg_query_terms;

/* Where the parts of a segment lie, in bytes from its beginning; every part is 256-byte aligned. */
typedef struct vsg_layout {
    uint32_t dim;        /* as given */
    uint32_t elements;   /* of a stored row */
    uint32_t row_stride; /* bytes from one stored row to the next: elements * 2 or * 1 */
    uint32_t vector_bytes, vector_stride; /* of the rows as given; stride a multiple of 16 */
    uint64_t rows_at, terms_at, live_at, vectors_at; /* vectors_at 0: not kept */
    uint64_t bytes;
} vsg_layout;

/* The rows that a search reads. */
typedef struct vsg_rows_args {
    const uint8_t *const *segments; /* [segments] */
    const uint32_t *wanted;         /* bits of all rows of all segments; NULL: the live ones */
    vsg_layout layout;
    vsg_format format;
    vsg_metric metric;
    uint32_t segment_rows;
    uint32_t tiles; /* in all segments */
    uint32_t
        tile_step; /* visit i is tile (i * tile_step) % tiles; coprime to tiles: an order without
                           meaning, so that no order of the rows is a bad one */
} vsg_rows_args;

/* The queries, and what was found for each so far. */
typedef struct vsg_found_args {
    const float *queries_f32;     /* [query_count][elements], rotated for VSG_I8 */
    const uint16_t *queries_f16;  /* the same as float16 times 1 / scale, rounded to nearest */
    const vsg_query_terms *terms; /* [query_count] */
    uint32_t query_count;
    uint32_t k;
    uint32_t capacity;    /* entries of one query */
    float *limits;        /* [query_count] rows whose lower bound is above it are in no answer */
    uint32_t *counts;     /* [query_count] entries appended; beyond capacity: some were lost */
    uint32_t *lost;       /* [query_count] not 0: entries were lost in some scan */
    uint32_t *entry_rows; /* [query_count][capacity] */
    float *entry_lows, *entry_highs; /* the same: bounds in the unit of the key (bound.h) */
} vsg_found_args;

typedef enum vsg_kernel {
    VSG_CONVERT, /* rows as given -> stored rows and terms */
    VSG_SCAN,    /* up to VSG_SCAN_QUERIES queries against tiles: bound by memory */
    VSG_MATRIX,  /* many queries against tiles: tensor cores */
    VSG_SELECT,  /* the limit from what was found; entries beyond it are dropped */
    VSG_FINISH,  /* the survivors, packed, with canonical sums where vectors are kept */
    VSG_KERNEL_COUNT
} vsg_kernel;

typedef struct vsg_convert_args {
    const void *vectors; /* [rows][dim] of `type`, packed */
    uint8_t *segment;
    vsg_layout layout;
    vsg_type type;
    vsg_format format;
    uint32_t first,
        rows; /* places in the segment; also copied to its vectors where they are kept */
} vsg_convert_args;

/* VSG_SCAN and VSG_MATRIX. SCAN: query_first .. + query_count - 1, at most VSG_SCAN_QUERIES; MATRIX:
 * all of found. */
typedef struct vsg_scan_args {
    vsg_rows_args rows;
    vsg_found_args found;
    uint32_t query_first, query_count;
    uint32_t visit_first, visit_count; /* tiles, in the order of visits */
} vsg_scan_args;

typedef struct vsg_select_args {
    vsg_found_args found;
} vsg_select_args;

/* out_* may be host memory that the device writes to. */
typedef struct vsg_finish_args {
    vsg_rows_args rows;
    vsg_found_args found;
    uint32_t out_capacity; /* entries of all queries together */
    uint32_t *out_next;    /* [1] device memory, 0 at first */
    uint32_t *out_first,
        *out_count; /* [query_count]; count: VSG_FINISH_LOST where entries are lost */
    uint32_t *out_rows;
    float *out_lows;
    double *out_sums, *out_sumsqs; /* NULL: vectors are not kept */
    const uint8_t
        *queries; /* [query_count][vector_stride]: in the element type of the vectors; NULL */
    vsg_type type;
} vsg_finish_args;
#define VSG_FINISH_LOST 0xffffffffu

typedef union vsg_args {
    vsg_convert_args convert;
    vsg_scan_args scan;
    vsg_select_args select;
    vsg_finish_args finish;
} vsg_args;

/* Starts a kernel. VSG_OK, or VSG_DEAD. `backend` is the one that was asked for. */
typedef int vsg_launch_fn(void *backend, vsg_kernel kernel, const vsg_args *args);

#endif
