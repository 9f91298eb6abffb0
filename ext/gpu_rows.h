/*
 * gpu_rows.h - what the rows of an ordinary table's image are.
 */
#ifndef VS_GPU_ROWS_H
#define VS_GPU_ROWS_H

#include "target.h"

/* What the rows of an image are. Grows while it is filled. */
typedef struct vs_gpu_rows {
    char *name;   /* owned: of table and column, for keys are hashes */
    int64_t *ids; /* owned: [count], rising; by place: segment * segment_rows + row in it */
    size_t count, capacity;
    size_t segment_rows;
    int is_whole; /* the table has no other rows */
} vs_gpu_rows;

/* Without rows; NULL without memory. */
vs_gpu_rows *vs_gpu_rows_new(const vs_target *target, size_t segment_rows);
void vs_gpu_rows_free(void *rows);

/* Is it of this table and column? */
int vs_gpu_rows_are_of(const vs_gpu_rows *rows, const vs_target *target);

/* Takes the id of the next place, above all before it. 0 without memory. */
int vs_gpu_rows_append(vs_gpu_rows *rows, int64_t id);

/* The first place at or after `from` whose id is not below `id`. */
size_t vs_gpu_rows_lower(const vs_gpu_rows *rows, size_t from, int64_t id);

#endif
