/*
 * normidx.h - exact pruning by norm, over an index that leads with the norm of the column.
 */
#ifndef VS_NORMIDX_H
#define VS_NORMIDX_H

#include "collector.h"
#include "plan.h"

/* The sources of one walk, prepared once and used for every batch of a stream. */
typedef struct vs_normidx {
    vs_rows falling; /* owned */
    vs_rows rising;  /* owned; not opened for dot */
    vs_rows by_id;   /* owned; only where the index does not hold the vector */
    int64_t *ids;    /* owned: rows gathered from the index, to be read in the order of the table */
    size_t id_count;
    int64_t rows_read, rows_skipped; /* vectors, of all runs */
} vs_normidx;

#define VS_NORMIDX_GATHER_MAX 65536 /* ids gathered at a time: 512 KiB */

int vs_normidx_open(vs_normidx *walk, const vs_plan *plan, const vs_rows_shape *shape, vs_err *err);
void vs_normidx_close(vs_normidx *walk);

/*
 * Offers the collector every row that can be in the answer.
 *
 *   dot        rows by falling norm, until |q||x| is below the k-th best dot product
 *   l2, l2sq   rows by growing ||x| - |q||, until that is above the k-th best distance
 *   otherwise  every row within the filter's norm band
 *
 * *out_gave_up becomes 1 when the index turned out not to prune and one pass over the table is
 * cheaper: the caller then restarts the collector and makes that pass. Only an index that was
 * chosen by cost gives up, never one that the user named.
 */
int vs_normidx_run(vs_normidx *walk, const vs_plan *plan, const vs_profile *profile,
                   vs_collector *collector, int *out_gave_up, vs_err *err);

#endif
