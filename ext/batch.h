/*
 * batch.h - many queries in one pass over the data.
 */
#ifndef VS_BATCH_H
#define VS_BATCH_H

#include "collector.h"
#include "plan.h"

#define VS_BATCH_GROUP_MAX 256        /* queries of one pass */
#define VS_BATCH_HEAP_BYTES (8 << 20) /* memory for the best rows of one pass */
/* rows gathered before they meet the queries: they stay in the second-level cache */
#define VS_BATCH_BLOCK_BYTES (256 << 10)
#define VS_BATCH_BLOCK_ROWS 64
#define VS_BATCH_SLICE_ELEMENTS                                                                    \
    (4 << 20) /* products between two looks for an interrupt: about 1 ms */

/* A matrix of queries, row after row. */
typedef struct vs_queries {
    unsigned char *data; /* owned: [count][dim] of `type` */
    size_t count;
    size_t dim;
    vsk_type type;
} vs_queries;

/*
 * Reads the argument of a batch.
 *
 *   value  a BLOB of Q x dim elements: float32 for columns of the float types, the column's own
 *          type for int8 and bit; its subtype decides where it has one. Or JSON text: an array of
 *          arrays
 *   type   element type of the column: float32 queries are converted to it
 *   dim    of the column, to divide a BLOB into queries; 0 when unknown (an empty table): a BLOB
 *          then reads as no queries
 *
 * On success the caller owns *out (vs_queries_free). Sentences for malformed JSON, queries of
 * different dimensions, a BLOB that is no multiple of a query, NaN or infinity (naming query and
 * element), more than VS_BATCH_MAX queries or VS_BATCH_BYTES_MAX bytes.
 */
int vs_queries_read(const char *who, sqlite3_value *value, vsk_type type, size_t dim,
                    vs_queries *out, vs_err *err);
void vs_queries_free(vs_queries *queries);

/* How many queries of k rows each go into one pass. */
size_t vs_batch_group(int64_t k);

/*
 * One pass for queries[first .. first + count): the same answers as `count` single searches.
 *
 *   hits    [count][k], sorted by (distance, id)
 *   counts  [count] rows found for each query
 */
int vs_batch_run(vs_conn *conn, const char *who, const vs_plan *plan, const vs_queries *queries,
                 size_t first, size_t count, size_t k, vsk_hit *hits, size_t *counts, vs_err *err);

#endif
