/*
 * batch.h - many queries in one pass over the data.
 */
#ifndef VS_BATCH_H
#define VS_BATCH_H

#include "batch_queries.h"
#include "collector.h"
#include "plan.h"

#define VS_BATCH_GROUP_MAX 256        /* queries of one pass */
#define VS_BATCH_GROUP_GPU 1024       /* the same where the GPU is likely to take them */
#define VS_BATCH_HEAP_BYTES (8 << 20) /* memory for the best rows of one pass */
/* rows gathered before they meet the queries: they stay in the second-level cache */
#define VS_BATCH_BLOCK_BYTES (256 << 10)
#define VS_BATCH_BLOCK_ROWS 64
#define VS_BATCH_SLICE_ELEMENTS                                                                    \
    (4 << 20) /* products between two looks for an interrupt: about 1 ms */

/* How many queries of k rows each go into one pass; has_gpu: a GPU is likely to take them. */
size_t vs_batch_group(int64_t k, int has_gpu);

/*
 * One pass for queries[first .. first + count): the same answers as `count` single searches.
 *
 *   filter  ids and range of distances, the same for each query; norms come from the plan
 *   hits    [count][k], sorted by (distance, id)
 *   counts  [count] rows found for each query
 *   out_did what it did: also added to vec_stats
 */
int vs_batch_run(vs_conn *conn, const char *who, const vs_plan *plan, const vs_queries *queries,
                 size_t first, size_t count, const vs_filter *filter, size_t k, vsk_hit *hits,
                 size_t *counts, vs_counters *out_did, vs_err *err);

#endif
