/*
 * view.h - one vector column of a table as it is in one snapshot: its cells, decoded for scanning.
 */
#ifndef VS_VIEW_H
#define VS_VIEW_H

#include "cache.h"
#include "store.h"

/* What bounds of one row need beside its planes, together: rows are mostly looked at by themselves. */
typedef struct vs_row_terms {
    float r; /* NaN where bounds do not hold: every test keeps the row */
    float cos4, sin4, inv4, cos8, sin8, inv8;
    uint32_t is_there; /* the slot's bit of `has` */
} vs_row_terms;

/* A cell in memory. Immutable. Arrays are [slots]; places that hold no row have
 * unspecified values: see `has`. */
typedef struct vs_block {
    vs_cached base;
    uint32_t slots;
    int is_coded;
    int is_short; /* a row of the content table is gone: for one search alone */
    int64_t *rowids;
    /* coded */
    size_t code_dim;
    vs_row_terms *rows;
    float *r, *cos4, *sin4, *inv4; /* the same again, for tests of whole cells */
    /* [slots] planes of code_dim / 2 bytes. In memory 64-byte aligned and one after the other; in a
     * block that was read for one search plane_b lies in the bytes as they were read, and plane_c
     * is NULL. */
    const uint8_t *plane_b, *plane_c;
    size_t b_stride; /* bytes from one plane B to the next */
    /* plain */
    size_t vector_bytes;
    uint8_t *vectors; /* [slots][vector_bytes], 64-byte aligned */
    uint64_t has[VS_SLOTS_MAX /
                 64]; /* bit: the slot holds a row with a vector that can be in an answer */
    void *behind;     /* owned: memory of what is read of single rows of a coded cell */
} vs_block;

typedef struct vs_front vs_front;     /* front.h */
typedef struct vs_learner vs_learner; /* front_learn.h */

typedef struct vs_view {
    vs_cached base;
    uint8_t stamp[VS_STAMP_BYTES];
    int vector;
    size_t code_dim, vector_bytes; /* of its column: the shapes of its blocks */
    size_t cell_count;
    int64_t live; /* rows */
    size_t slots;
    vs_learner *learner;       /* one reference; NULL: no front plane, or cells are not in memory */
    atomic_size_t front_cells; /* cells from the first on that have a front plane, or need none */
    /* Of each cell, by (part, id); in the same allocation. What a search reads of every cell is dense,
     * and tells where in a coded block of this view things are: a row can be fetched before anything
     * of its block has been read. */
    vs_cell *cells;
    vs_block **blocks; /* one reference each; NULL: not kept in memory, read for each search */
    _Atomic(vs_front *)
        *fronts;         /* one reference each, planes of the learner's basis; NULL: none, or
                                    none yet */
    vs_row_terms **rows; /* of coded blocks; NULL: plain, or not kept in memory */
    size_t plane_b_at;   /* bytes from the beginning of a coded block */
    size_t plane_c_at;   /* and from its rows */
    uint64_t *code_ids;  /* [code_id_count] different descriptions of the codes */
    size_t code_id_count;
    uint32_t *by_id; /* [cell_count] numbers of cells, by id */
} vs_view;

/*
 * The view of the store's table now: reads the head, then takes the view from the cache or makes it
 * from the directory, cells from the cache or from the shadow tables as far as the cache has room.
 * The caller owns one reference (vs_cached_unref). May take as long as reading the table; polls
 * nothing itself: each step of SQLite does. Shows as job "load" in vec_jobs.
 */
int vs_view_get(vs_store *store, int vector, vs_view **out, vs_err *err);

/* The block of cell `i`: borrowed from the view, or decoded into *scratch (an object that the
 * caller unrefs at the end and may pass again, for any view). */
int vs_view_block(vs_store *store, const vs_view *view, size_t i, vs_block **scratch,
                  const vs_block **out, vs_err *err);

/* The same with full vectors, also for a coded cell. Only where vs_store_has_vectors. */
int vs_view_vectors(vs_store *store, const vs_view *view, size_t i, vs_block **scratch,
                    const vs_block **out, vs_err *err);

/* Is the cell in memory, with codes of this description? */
int vs_view_has_code(const vs_view *view, size_t i, uint64_t code_id);

/* Gives a new view the learner of its codes, when all cells are in memory. */
void vs_view_find_learner(const vs_store *store, vs_view *view);

/* Makes front planes of cells, for some milliseconds, once the view's learner has a basis. Without
 * memory, or room in the cache, there are fewer. */
void vs_view_make_fronts(const vs_store *store, vs_view *view);

/* A stored vector in the type that users see: out [dim] of spec->type. */
void vs_view_widen(const vs_vector_spec *spec, const void *stored, void *out);

/* The key of an object made from the column as it is under a stamp. */
void vs_view_key(const vs_store *store, int vector, vs_cache_kind kind, int64_t id,
                 const uint8_t *stamp, vs_cache_key *out);

/* Number of the cell with this id, or -1. */
int64_t vs_view_find(const vs_view *view, int64_t id);

#endif
