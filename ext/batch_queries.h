/*
 * batch_queries.h - the queries of a batch.
 */
#ifndef VS_BATCH_QUERIES_H
#define VS_BATCH_QUERIES_H

#include "value.h"

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

#endif
