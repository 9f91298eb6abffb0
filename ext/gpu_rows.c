/*
 * gpu_rows.c - what the rows of an ordinary table's image are.
 *
 * Calls: nothing.
 * Called by: gpu_table.c.
 * Threads: the connection's.
 */
#include "gpu_rows.h"

void vs_gpu_rows_free(void *owned)
{
    vs_gpu_rows *rows = owned;
    sqlite3_free(rows->name);
    sqlite3_free(rows->ids);
    sqlite3_free(rows);
}

vs_gpu_rows *vs_gpu_rows_new(const vs_target *target, size_t segment_rows)
{
    vs_gpu_rows *rows = sqlite3_malloc64(sizeof *rows);
    if (rows == NULL) {
        return NULL;
    }
    memset(rows, 0, sizeof *rows);
    rows->segment_rows = segment_rows;
    rows->name = sqlite3_mprintf("%s.\"%w\"", target->table_sql, target->column);
    if (rows->name == NULL) {
        vs_gpu_rows_free(rows);
        return NULL;
    }
    return rows;
}

int vs_gpu_rows_are_of(const vs_gpu_rows *rows, const vs_target *target)
{
    char *name = sqlite3_mprintf("%s.\"%w\"", target->table_sql, target->column);
    int is_same = name != NULL && strcmp(name, rows->name) == 0;
    sqlite3_free(name);
    return is_same;
}

int vs_gpu_rows_append(vs_gpu_rows *rows, int64_t id)
{
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity == 0 ? 1024 : 2 * rows->capacity;
        int64_t *ids = sqlite3_realloc64(rows->ids, capacity * sizeof *ids);
        if (ids == NULL) {
            return 0;
        }
        rows->ids = ids;
        rows->capacity = capacity;
    }
    rows->ids[rows->count++] = id;
    return 1;
}

/* The first place at or after `from` whose id is not below `id`. */
size_t vs_gpu_rows_lower(const vs_gpu_rows *rows, size_t from, int64_t id)
{
    size_t lo = from, hi = rows->count;
    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        if (rows->ids[middle] < id) {
            lo = middle + 1;
        } else {
            hi = middle;
        }
    }
    return lo;
}
