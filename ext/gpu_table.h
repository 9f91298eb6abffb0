/*
 * gpu_table.h - searches of ordinary tables on the GPU.
 *
 * An image holds the vectors of one column in the order of the rows' ids, under the table's tag
 * (table_tag.h), for the connection that made it. It is filled from the rows of a pass that the CPU
 * makes anyway. What of the table it does not hold, the CPU reads.
 *
 * One vs_gpu_table serves one search or one pass of a batch:
 *
 *     vs_gpu_table_begin          decides
 *     advice VS_GPU_TAKE_GPU:     vs_gpu_table_start, then the CPU reads vs_gpu_table_gaps, then
 *                                 vs_gpu_table_wait, then vs_gpu_table_finish for each query
 *     otherwise, or when the GPU failed: a pass over the table
 *     every row of gaps and passes:      vs_gpu_table_row
 *     vs_gpu_table_end
 */
#ifndef VS_GPU_TABLE_H
#define VS_GPU_TABLE_H

#include "collector.h"
#include "gpu.h"
#include "plan.h"
#include "table_tag.h"

typedef struct vs_gpu_range {
    int64_t lo, hi; /* ids, both belong */
    size_t place;   /* of the first row in the image */
} vs_gpu_range;

typedef struct vs_gpu_table {
    vs_conn *conn;       /* borrowed */
    const vs_plan *plan; /* borrowed */
    const char *who;     /* static */
    vs_gpu_want want;
    vs_gpu_advice advice;
    vs_gpu_reason reason;     /* why the CPU answers */
    int is_wanted;            /* somebody could search here: counts for statistics */
    vs_table_tag *tag;        /* owned: the snapshot */
    vs_gpu_image *image;      /* owned: a reference */
    struct vs_gpu_rows *rows; /* borrowed from the image: what its rows are */
    vs_gpu_fill *fill;        /* owned: the right to fill */
    size_t place;             /* of the next row to be filled */
    uint8_t *pending;         /* owned: rows on their way to the device */
    size_t pending_rows;      /* that end before place, in one segment */
    int is_filling, is_bad;
    int is_last;           /* after the rows that are read now come no others */
    vs_gpu_search *search; /* owned */
    uint32_t *wanted;      /* owned: rows that the filter's ids allow */
    float *queries;        /* owned: where the column is not float32 */
    vs_gpu_range *gaps;    /* owned: what the image does not hold */
    size_t gap_count;
    sqlite3_stmt *poll; /* owned: SELECT 1 */
    int64_t started_ns, search_ns;
    double device_us; /* from the start of the search until its answer was there */
} vs_gpu_table;

/*
 * Decides what to do for `count` queries of the type and dimension of `query`, for k rows each.
 * Without a GPU this costs nothing. SQLITE_OK, or an error of reading. vs_gpu_table_end in every
 * case.
 */
int vs_gpu_table_begin(vs_gpu_table *gpu, vs_conn *conn, const char *who, const vs_plan *plan,
                       const vs_vec *query, size_t count, size_t k, vs_err *err);

/* Starts the search. queries: [want.query_count][dim] of the column's type; of the filter, distances,
 * `after` and ids are obeyed. 0: the CPU must answer. */
int vs_gpu_table_start(vs_gpu_table *gpu, const void *queries, const vs_filter *filter);

/* Parts of the table that the CPU must read, by rising ids; valid after vs_gpu_table_start. A row of
 * gap `i` is announced by vs_gpu_table_enter_gap before its first one. */
void vs_gpu_table_enter_gap(vs_gpu_table *gpu, size_t i);

/* A full pass begins: from the first row on. */
void vs_gpu_table_enter_pass(vs_gpu_table *gpu);
/* A row of the pass or gap, in the order of ids: fills the image where that is wanted. */
void vs_gpu_table_row(vs_gpu_table *gpu, const vs_rows *rows);
/* The pass or gap was read to its end. */
void vs_gpu_table_leave(vs_gpu_table *gpu);

/* Waits for the device. SQLITE_INTERRUPT and other codes of the connection; *out_done 0: the CPU must
 * answer. */
int vs_gpu_table_wait(vs_gpu_table *gpu, int *out_done);

/* Offers the rows that may be in the answer of query `q` to its collector. rows_by_id: VS_ROWS_BY_ID
 * of the table. *out_done 0: the CPU must answer. counters->gpu_survivors is added to. */
int vs_gpu_table_finish(vs_gpu_table *gpu, size_t q, vs_collector *collector, vs_rows *rows_by_id,
                        int *out_done, vs_err *err);

/* Ends it: is_good when the whole answer was found without an error and no row was skipped as bad;
 * else what was filled is dropped. Adds to the counters what the GPU did. */
void vs_gpu_table_end(vs_gpu_table *gpu, int is_good, vs_counters *counters);

/* Would a batch of the plan's table be searched on the GPU now? */
int vs_gpu_table_is_likely(vs_conn *conn, const char *who, const vs_plan *plan, size_t dim,
                           size_t count, size_t k);

/* Loads the column now, reading all of the table. *out_bytes: that are resident; 0 with a reason where
 * there is no room or no GPU. */
int vs_gpu_table_load(vs_conn *conn, const char *who, const vs_plan *plan, size_t dim,
                      vs_gpu_precision precision, uint64_t *out_bytes, vs_gpu_reason *out_reason,
                      vs_err *err);
/* Evicts what this connection holds of the column, of every type. Returns bytes. */
uint64_t vs_gpu_table_evict(vs_conn *conn, const vs_plan *plan);

#endif
