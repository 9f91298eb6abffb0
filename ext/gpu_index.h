/*
 * gpu_index.h - vectors of a vecshard table on the GPU, cell by cell.
 *
 * An image of such a table is made of frames, one for the slots of a cell under a stamp of that cell.
 * A stamp is never used for two contents, so a frame serves every view in which its cell has its
 * stamp: a write to some cells leaves the others where they are, and readers of older snapshots use
 * what is theirs. Cells without a frame are the CPU's.
 */
#ifndef VS_GPU_INDEX_H
#define VS_GPU_INDEX_H

#include "gpu.h"
#include "rowset.h"

/* Which cells of one view are on the device, and where. Immutable; counted by references
 * (vs_cached_unref). */
typedef struct vs_gpu_map {
    vs_cached base;
    uint8_t stamp[VS_STAMP_BYTES]; /* of the view */
    uint64_t version;              /* of the image */
    size_t slots, segment_rows;
    struct gpu_frames *frames; /* one reference */
    uint32_t *cells;           /* [frames] number of the cell in the view, or VS_GPU_NO_CELL */
    size_t cell_count;
    uint8_t *is_there; /* [cell_count] */
    int64_t missing;   /* rows of the view in cells that are not there */
    int is_exact;      /* what is live on the device is in the view */
} vs_gpu_map;
#define VS_GPU_NO_CELL 0xffffffffu

/* A wish for a column of the view; k, query_count, metric and mode are the caller's to set. */
void vs_gpu_index_want(const vs_store *store, int vector, const vs_view *view, vs_gpu_want *out);

/* Can its vectors be on a GPU? Not where they lie in another table, nor bits. */
int vs_gpu_index_takes(const vs_store *store, int vector);

/* The map of the image for this view; *out NULL without memory, or where the image is of another
 * shape. */
void vs_gpu_index_map(vs_gpu_image *image, const vs_view *view, vs_gpu_map **out);

/* Bits of the rows that a search wants of the device, for vs_gpu_query: those of `rows` (NULL: all) in
 * cells of the view that are there. The caller's (sqlite3_free); NULL without memory. */
uint32_t *vs_gpu_index_mask(const vs_gpu_map *map, const vs_view *view, const vs_rowset *rows,
                            int64_t *out_count);

/* The cell, slot and rowid of a row on the device; 0: there is none. */
int vs_gpu_index_place(const vs_gpu_map *map, uint32_t segment, uint32_t row, uint32_t *out_cell,
                       uint32_t *out_slot, int64_t *out_rowid);

/* What filling may take of the time of searches, so that none takes longer than the CPU alone would, and
 * a twentieth more: time that one does not need is left to later ones. */
typedef struct vs_gpu_allowance {
    double cpu_us;  /* of a query by the CPU alone; 0: not known yet */
    double left_us; /* less than 0: too much was spent */
} vs_gpu_allowance;

/* A search took `us` for `count` queries; is_cpu: by the CPU alone, and with all rows. */
void vs_gpu_allowance_add(vs_gpu_allowance *allowance, double us, size_t count, int is_cpu);

/* The same of an image. Returns milliseconds that may be spent now, 0: none. */
int vs_gpu_index_allow(vs_gpu_image *image, double us, size_t count, int is_cpu);
void vs_gpu_index_spend(vs_gpu_image *image, double us);

/*
 * Brings cells of the view to the device, those that are not there, for about so many milliseconds
 * (0: until all are, or there is no room). Errors of reading end it early and are returned; what was
 * brought until then stays. Looks for interrupts through SQLite's own steps.
 */
int vs_gpu_index_fill(vs_gpu_image *image, vs_store *store, const vs_view *view, int milliseconds,
                      uint64_t *out_bytes, vs_err *err);

/* For vec_gpu_load and vec_gpu_evict. *out_bytes: that were sent; 0 with a reason. */
int vs_gpu_index_load(vs_store *store, int vector, vs_gpu_precision precision, uint64_t *out_bytes,
                      vs_gpu_reason *out_reason, vs_err *err);
uint64_t vs_gpu_index_evict(vs_store *store, int vector);

#endif
