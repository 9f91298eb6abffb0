/*
 * nearest_impl.h - what nearest.c, nearest_prepare.c, nearest_limit.c, nearest_scan.c and nearest_gpu.c
 * share: the state of one run.
 *
 * A run answers one or many queries over one view. Its scan is shared by workers, who take cells
 * from a counter; a lane is what one worker has found for one query.
 */
#ifndef VS_NEAREST_IMPL_H
#define VS_NEAREST_IMPL_H

#include <stddef.h>

#include "front_learn.h"
#include "gpu_index.h"
#include "gpu_use.h"
#include "nearest.h"
#include "pool.h"
#include "probe.h"

#define NEAREST_DOT_QUERIES 8       /* queries of one call of the product kernel */
#define NEAREST_SPARSE 4            /* fewer than 1/4 of the rows: they are looked at one by one */
#define NEAREST_CANDIDATES_MIN 1024 /* room that a lane starts with */

/* A row that may be in the answer. */
typedef struct nearest_candidate {
    double lo; /* bound on its distance, or the distance itself */
    int64_t rowid;
    uint32_t cell; /* number in the view */
    uint32_t slot; /* with NEAREST_EXACT: lo is the canonical distance */
} nearest_candidate;
#define NEAREST_EXACT 0x80000000u

typedef struct nearest_lane {
    vsk_topk highs; /* the k smallest upper bounds seen: the largest is a limit. Memory owned */
    vsk_hit *highs_memory;
    vsk_topk estimates;            /* rows that seem nearest: behind highs in its memory */
    nearest_candidate *candidates; /* owned */
    size_t count, capacity;
    double limit;         /* the limit that probes and scorer have */
    vs_probe *probes;     /* owned: [code_count], copies of the query's */
    vs_front_query front; /* a copy of the query's */
    vs_scorer scorer;     /* a copy of the query's: borrows its memory */
    int is_full;          /* no room for a candidate: the rest of the cell is left to the caller */
} nearest_lane;

/* How a cell is scanned. */
typedef enum nearest_way {
    NEAREST_BY_CELL,  /* plane B of the whole cell; vectors of one that is plain */
    NEAREST_BY_FRONT, /* front plane first */
    NEAREST_BY_ROW    /* few of its rows are wanted, and it is in memory: they are listed */
} nearest_way;

/* What is scanned: codes; vectors of a column that has no codes; vectors though there are codes, that
 * do not serve. */
typedef enum nearest_scan_kind {
    NEAREST_SCAN_CODES,
    NEAREST_SCAN_PLAIN,
    NEAREST_SCAN_FULL
} nearest_scan_kind;

typedef struct nearest_place {
    uint32_t cell;
    uint32_t slot; /* with NEAREST_ABSENT: no row with a vector */
} nearest_place;
#define NEAREST_ABSENT 0x80000000u

/*
 * The wanted rows of the cells NEAREST_BY_ROW. Each is read once, for the estimates: they leave its
 * products with plane B, and the terms for the test of them, which the scan makes without looking at
 * the rows again.
 */
typedef struct nearest_listed {
    size_t count;
    nearest_place *places;         /* owned: [count] */
    float *r, *cos4, *sin4, *inv4; /* owned, one allocation: [count] each */
    int32_t *dots;                 /* owned: [query_count][count] */
} nearest_listed;
#define NEAREST_LISTED_UNIT 256 /* of them at a time */

/* A row to look at by itself. Such rows are far from each other in memory: they are collected, so
 * that some can be fetched while others are looked at. */
typedef struct nearest_pending {
    uint32_t cell, slot, query;
    int32_t high_b; /* its product with plane B, where that step is behind it */
} nearest_pending;
#define NEAREST_PENDING 128

typedef struct nearest_worker {
    nearest_lane *lanes; /* owned: [query_count] */
    int32_t *dots;       /* owned: [NEAREST_DOT_QUERIES][slots] */
    uint16_t *passed;    /* owned: [slots], at least NEAREST_LISTED_UNIT */
    vs_cascade cascade;
    int64_t finished;          /* canonical distances of plain cells */
    int is_corrupt;            /* a stored vector holds NaN or infinity */
    nearest_pending *pending;  /* owned: [NEAREST_PENDING]: to be looked at from plane B on */
    nearest_pending *passed_b; /* owned: [NEAREST_PENDING]: from plane C on */
    size_t pending_count, passed_b_count;
    uint64_t *unfinished; /* owned: bit i: cell i, which is_full interrupted */
} nearest_worker;

/* A search of one column: see nearest.h. */
struct vs_nearest {
    vs_store *store; /* borrowed */
    int vector;
    vs_metric metric;
    const vs_vector_spec *spec; /* borrowed from the store */
    vs_scratch query;           /* owned: [dim] of the declared type */
    sqlite3_stmt *poll;         /* owned: SELECT 1 */
    vs_block *block;            /* owned: for cells that are not in memory */
    vs_scratch stored;          /* owned: one vector as it is stored */
    vs_scratch widened;         /* owned: as users see it */
    int64_t *excluded;          /* owned */
    size_t excluded_count, excluded_capacity;
    vs_scratch found; /* owned: candidates of one query, from the GPU */
    vs_device device;
};

/* One query. */
typedef struct nearest_query {
    vs_probe *probes;     /* owned: [code_count] */
    vs_front_query front; /* for run->basis */
    vs_scorer scorer;     /* owned */
    const void *data;     /* [dim] of the declared type */
    _Atomic double limit; /* rows above it are in no answer: falls */
} nearest_query;

/* Estimates of all rows, where there are products, then the scan: the first limit lies between. */
typedef enum nearest_phase { NEAREST_ESTIMATE, NEAREST_SCAN } nearest_phase;

struct nearest_offload;

typedef struct nearest_run {
    vs_store *store;
    const vs_view *view;
    const vs_vector_spec *spec;
    vs_metric metric;
    const vs_filter *filter;
    const vs_rowset *rows;   /* NULL: all */
    const int64_t *excluded; /* rising: rows found to be gone from the content table */
    size_t excluded_count;
    int is_content; /* full vectors are in a content table, whose rows may be gone */
    double floor;   /* rows certainly below it are not wanted; -infinity: no such limit */
    nearest_query *queries;
    size_t query_count;
    size_t query_stride;   /* from the planes of one query to those of the next */
    int8_t *planes;        /* owned: of the probes, [query_count][code_count][2][code_dim] */
    const vs_code **codes; /* descriptions that occur in the view */
    size_t code_count;
    const vs_basis *basis;   /* of front planes; NULL: none */
    const vs_front **fronts; /* owned: [cell_count] planes of this basis, or NULL; NULL: no basis */
    uint8_t *ways;           /* owned: [cell_count] nearest_way */
    nearest_listed listed;
    /* owned: products with each query that the estimates of cells NEAREST_BY_FRONT have left:
     * [cell_count][query_count][slots]. NULL: there are no such cells */
    int32_t *products;
    size_t sample_share;  /* without estimates every so many-th cell gives the first limit */
    int32_t *sample_dots; /* owned: products of those with the only query; NULL: not wanted */
    int is_sampled;       /* they are there */
    float *direction;     /* owned: of the first query, for the view's learner; NULL: not wanted */
    size_t learned_code;  /* number of the learner's description in codes */
    nearest_worker *workers;
    int worker_count;
    atomic_size_t next[2]; /* unit to take, for each nearest_phase: cells, then listed rows */
    atomic_int phase;      /* that the workers are in */
    atomic_int estimating; /* workers that may still estimate */
    atomic_int is_cancelled;
    /* NULL: no GPU. Else it does what is not in rows, for these queries from number first_query on of
     * its own */
    struct nearest_offload *offload;
    size_t first_query;
    int is_failed;          /* it did not: the answers are not there */
    int (*poll)(void *arg); /* on worker 0 between cells: not SQLITE_OK ends the scan */
    void *poll_arg;
    int poll_rc;
} nearest_run;

/*
 * Scans one cell for all queries. can_grow: called on the connection's thread, where memory can be
 * taken: returns SQLITE_NOMEM when there is none. Elsewhere a full lane sets is_full and
 * worker->unfinished; such cells are then scanned again by the caller, which is harmless: nearest.c
 * drops rows that were found twice.
 */
int vs_nearest_scan_block(nearest_run *run, nearest_worker *worker, const vs_block *block,
                          size_t cell, int can_grow);

/* Looks at what is pending: to be called after the last cell. */
int vs_nearest_scan_pending(nearest_run *run, nearest_worker *worker, int can_grow);

/* Threads worth using for a scan of rows (NULL: all) by planes of the basis, if any: one for each MiB
 * of what is read. */
int vs_nearest_threads(const vs_store *store, const vs_view *view, const vs_basis *basis,
                       const vs_rowset *rows, size_t query_count);

/* Makes a run ready whose store to query_count, is_content and floor are set: rows, metric and filter
 * included. The caller releases it, also after an error. */
int vs_nearest_prepare(nearest_run *run, nearest_scan_kind kind, const void *queries, size_t k,
                       vs_err *err);
void vs_nearest_free_run(nearest_run *run);

/* Are there rows that are estimated before the scan? */
static inline int vs_nearest_is_estimated(const nearest_run *run)
{
    return run->products != NULL || run->listed.count > 0;
}

/* Of two candidates for qsort: by bound, then rowid. */
int vs_nearest_compare(const void *a, const void *b);

/* The same where nothing is scanned: queries alone. */
int vs_nearest_prepare_bare(nearest_run *run, const void *queries);

/* A first limit for each query, from rows that are in memory. Those to be estimated were. */
void vs_nearest_first_limit(nearest_run *run);

/* Products of one cell with each query, where it has a front plane, and the rows that seem nearest.
 * `next`: the cell after it, as far as can be told. */
void vs_nearest_estimate_cell(nearest_run *run, nearest_worker *worker, size_t cell, size_t next);

/* The same for the listed rows first .. end - 1. */
void vs_nearest_estimate_listed(nearest_run *run, nearest_worker *worker, size_t first, size_t end);

/* Products of plane B with the only query that the sampling left: [slots]; NULL: none. */
int32_t *vs_nearest_sample_dots(const nearest_run *run, size_t cell);

/* run->products of one cell NEAREST_BY_FRONT: [slots], of those groups of rows that are wanted. */
int32_t *vs_nearest_products(const nearest_run *run, size_t query, size_t cell);

/* The next whole groups of VSK_FRONT_ROWS rows, from `from` on, of which each has a row in the mask:
 * *out_first .. *out_end - 1. 0: there are none. */
int vs_nearest_next_rows(const uint64_t *mask, size_t slots, size_t from, size_t *out_first,
                         size_t *out_end);

/* The rows of a cell that may be in the answer, of those that it has: mask [VS_SLOTS_MAX / 64].
 * Returns their number. */
size_t vs_nearest_mask(const nearest_run *run, const uint64_t *has, size_t cell, uint64_t *mask);

/* Number of the description that the cell's codes were made with. */
size_t vs_nearest_code(const nearest_run *run, size_t cell);

/* Takes units from the counter until there are none, in each phase from run->phase on: a task of
 * the pool. Cells that are not in memory are passed over. */
void vs_nearest_scan_task(void *arg, int worker);

/* Drops candidates beyond the limit. */
void vs_nearest_lane_compact(nearest_lane *lane);

/*
 * Memory that will be read soon. To a compiler a prefetch has no effect, so GCC 12 leaves out calls of
 * functions that do nothing else: the empty asm counts as one.
 */
#if defined(__GNUC__)
#define NEAREST_PREFETCH(at, cache) (__builtin_prefetch((at), 0, (cache)))
#define NEAREST_KEEP_PREFETCH() __asm__ volatile("")
#else
#define NEAREST_PREFETCH(at, cache) ((void)(at))
#define NEAREST_KEEP_PREFETCH() ((void)0)
#endif

static inline void vs_nearest_fetch(const void *at, size_t bytes)
{
    for (size_t line = 0; line < bytes; line += 64) {
        NEAREST_PREFETCH((const char *)at + line, 3);
    }
    NEAREST_KEEP_PREFETCH();
}

/* The same into the second cache alone: where the nearest one is full of what is looked at now. */
static inline void vs_nearest_fetch_far(const void *at, size_t bytes)
{
    for (size_t line = 0; line < bytes; line += 64) {
        NEAREST_PREFETCH((const char *)at + line, 2);
    }
    NEAREST_KEEP_PREFETCH();
}

/* The same for what bounds by plane B read of one row of a coded cell that is in memory: addresses
 * follow from the view alone. */
static inline void vs_nearest_fetch_row(const vs_view *view, size_t cell, size_t slot)
{
    size_t plane_bytes = view->code_dim / 2;
    vs_nearest_fetch(view->rows[cell] + slot, 1);
    vs_nearest_fetch((const char *)view->blocks[cell] + view->plane_b_at + slot * plane_bytes,
                     plane_bytes);
}

/* And for its plane C. */
static inline void vs_nearest_fetch_fine(const vs_view *view, size_t cell, size_t slot)
{
    size_t plane_bytes = view->code_dim / 2;
    vs_nearest_fetch((const char *)view->rows[cell] + view->plane_c_at + slot * plane_bytes,
                     plane_bytes);
}

/* The product of one plane of a row with one of a query. */
static inline int32_t vs_nearest_dot(const int8_t *q, const uint8_t *row, size_t code_dim)
{
    int32_t out = 0;
    vsk_get()->code_dot(q, code_dim, 1, row, code_dim / 2, 1, code_dim, &out);
    return out;
}

/*
 * The part of a search that a GPU does: of the rows in cells that are there. The CPU scans `rest`. One
 * call of vs_nearest_batch: all of its queries go to the device at once.
 */
typedef struct nearest_offload {
    vs_nearest *nearest; /* borrowed */
    const vs_view *view; /* borrowed */
    vs_gpu_want want;
    vs_gpu_advice advice;
    vs_gpu_reason reason;  /* why the CPU answers */
    int is_wanted;         /* there could be a GPU */
    vs_gpu_image *image;   /* owned: a reference */
    vs_gpu_map *map;       /* owned: a reference */
    vs_gpu_search *search; /* owned; NULL: the CPU scans everything */
    uint32_t *wanted;      /* owned */
    float *floats;         /* owned */
    vs_rowset *rest;       /* owned: a reference: what the CPU scans of the rows */
    uint64_t upload_bytes;
    int64_t survivors;
    int is_waited;
    int64_t started_ns;
    double device_us;
} nearest_offload;

/* Decides, and starts the search where the GPU is to do it: then offload->search. The caller ends it in
 * every case. */
void vs_nearest_offload_begin(nearest_offload *offload, vs_nearest *nearest, const vs_view *view,
                              const vs_rowset *rows, const void *queries, size_t count,
                              const vs_filter *filter, size_t k);
/* Waits for the device, once. *out_done 0: the CPU must scan everything. */
int vs_nearest_offload_wait(nearest_offload *offload, int *out_done);
/* The candidates of query number `query` of all: those that a scan of the rest has left, and the GPU's,
 * by rising bound. *out: in nearest->found. *out_done 0: the CPU must answer this query. */
int vs_nearest_offload_take(nearest_offload *offload, size_t query,
                            const nearest_candidate *scanned, size_t scanned_count,
                            const nearest_candidate **out, size_t *out_count, int *out_done);
/* Ends it; is_good when the whole answer was found: then the image may be filled further, which reads
 * from the store, and its errors are returned. */
int vs_nearest_offload_end(nearest_offload *offload, int is_good, vs_counters *counters,
                           vs_err *err);

/* Does the filter want a row at this canonical distance? */
int vs_nearest_wants(const vs_filter *filter, double distance, int64_t rowid);

int vs_nearest_is_excluded(const nearest_run *run, int64_t rowid);

#endif
