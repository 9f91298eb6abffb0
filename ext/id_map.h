/*
 * id_map.h - where the ids of a table lie, found with a few dozen look-ups: how many rows there
 * are, and ids to sample them by.
 */
#ifndef VS_ID_MAP_H
#define VS_ID_MAP_H

#include "target.h"

#define VS_ID_RANGES_MAX 25

typedef struct vs_id_range {
    int64_t lo, hi; /* both are ids of the table */
} vs_id_range;

typedef struct vs_id_map {
    vs_id_range ranges[VS_ID_RANGES_MAX]; /* rising, apart; together they hold every id */
    size_t count;                         /* 0: the table is empty */
    double rows; /* estimated number of rows, at most 1e15; exact where ids have no gaps */
} vs_id_map;

/* Surveys the table. Reads at most a hundred ids. */
int vs_id_map_survey(const vs_target *target, const char *who, vs_id_map *out, vs_err *err);

/* Point i of n (i < n), spread evenly over the ranges: "the first row at or after it" is a sample
 * of the rows. The map is not empty. */
int64_t vs_id_map_point(const vs_id_map *map, size_t i, size_t n);

/* Number of points worth asking for: n, or fewer in a small table. */
size_t vs_id_map_points(const vs_id_map *map, size_t n);

#endif
