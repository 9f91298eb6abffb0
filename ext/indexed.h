/*
 * indexed.h - a vecshard table as the way of a search that names a table: the vecshard table itself, or the ordinary table that one
 * indexes.
 */
#ifndef VS_INDEXED_H
#define VS_INDEXED_H

#include "nearest.h"
#include "target.h"

typedef struct vs_indexed {
    vs_store store;      /* owned */
    int vector;          /* number of the vector column */
    int is_rounded;      /* an index over a table: keeps rounded copies of its vectors */
    vs_nearest *nearest; /* owned: made on first use */
    vs_metric metric;    /* of nearest */
} vs_indexed;

/*
 * The vecshard table behind a target. The caller owns *out (vs_indexed_free).
 *
 * The target itself when it is virtual; whether it serves what the options ask is left to the
 * caller. A virtual table of another module is an error, as is a column that is no vector column.
 *
 * Else the index over it (content=) that a search with these options takes, or NULL for none. One
 * that the options name must serve the search: an error says why it does not; NULL, when the table
 * has none of that name. Of several that serve it, the first of these: of the type and metric that
 * the options ask for, or float32 and l2 (bits: hamming) where they leave that open; of the type; by
 * name. One whose vectors are not those of the table (is_rounded) is taken only when it is named.
 */
int vs_indexed_find(vs_conn *conn, const char *who, const vs_target *target,
                    const vs_options *options, vs_indexed **out, vs_err *err);
void vs_indexed_free(vs_indexed *indexed);

const vs_vector_spec *vs_indexed_spec(const vs_indexed *indexed);

/* Would codes or vectors of this table answer searches by this metric? l2, l2sq and dot serve each other. */
int vs_indexed_serves(const vs_indexed *indexed, vs_metric metric);

/* `count` queries ([count][dim] of the declared type) at once, as vs_nearest_batch. Of the options:
 * metric and device. */
int vs_indexed_run(vs_indexed *indexed, const vs_options *options, const void *queries,
                   size_t count, const vs_filter *filter, size_t k, vsk_hit *hits, size_t *counts,
                   vs_counters *counters, vs_err *err);

/* What opening a virtual table as one of ours gave, rc with its sentence in inner, which is cleared: for
 * users, who named it. Returns rc. */
int vs_indexed_explain(const char *who, const char *table, int rc, vs_err *inner, vs_err *err);

#endif
