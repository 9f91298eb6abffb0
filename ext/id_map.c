/*
 * id_map.c - where the ids of a table lie, found with a few dozen look-ups.
 *
 * Counting rows would read the whole table, and the lowest and highest id say little when ids come
 * in clusters. So the range of the ids is halved again and again, the widest part first: the ids
 * next to the middle on both sides bound a gap, which is cut out. Parts without gaps count by their
 * width; where gaps remain, the gap around a part's middle measures its density: a gap that covers
 * a chosen point is on average about twice the usual one.
 *
 * Calls: target.c.
 * Called by: norm_profile.c, plan.c.
 * Threads: the connection's.
 */
#include "id_map.h"

#define ID_MAP_DENSE_PROBES 4 /* middles looked at before the ids count as dense */

/* The two look-ups of a survey. */
typedef struct id_map_probe {
    sqlite3_stmt *before; /* the last id before ?1 */
    sqlite3_stmt *from;   /* the first id at or after ?1 */
    const vs_target *target;
    const char *who;
} id_map_probe;

/* Width of a range in floating point: ids may span all of int64. */
static double id_map_width(vs_id_range range)
{
    return (double)((uint64_t)range.hi - (uint64_t)range.lo) + 1.0;
}

static int id_map_look_up(const id_map_probe *probe, sqlite3_stmt *stmt, int64_t at, int64_t *inout,
                          vs_err *err)
{
    int rc = sqlite3_bind_int64(stmt, 1, at);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) == SQLITE_INTEGER) {
        *inout = sqlite3_column_int64(stmt, 0);
    }
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        rc = SQLITE_OK;
    } else {
        rc = vs_error_db(err, rc, probe->target->db, probe->who);
    }
    (void)sqlite3_reset(stmt);
    return rc;
}

/* The ids on both sides of the middle of a range that is wider than 1. Ids that change meanwhile
 * are kept within the range. */
static int id_map_split(const id_map_probe *probe, vs_id_range range, vs_id_range *out_low,
                        vs_id_range *out_high, vs_err *err)
{
    int64_t middle =
        (int64_t)((uint64_t)range.lo + ((uint64_t)range.hi - (uint64_t)range.lo) / 2 + 1);
    int64_t before = range.lo;
    int64_t from = range.hi;
    int rc = id_map_look_up(probe, probe->before, middle, &before, err);
    if (rc == SQLITE_OK) {
        rc = id_map_look_up(probe, probe->from, middle, &from, err);
    }
    *out_low = (vs_id_range){range.lo, before < range.lo ? range.lo : before};
    *out_high = (vs_id_range){from > range.hi ? range.hi : from, range.hi};
    return rc;
}

/* Is there no gap at the middle, the quarters and so on? *out is 1 then. */
static int id_map_looks_dense(const id_map_probe *probe, vs_id_range range, int *out, vs_err *err)
{
    int rc = SQLITE_OK;
    *out = 1;
    for (int i = 0; rc == SQLITE_OK && *out && i < ID_MAP_DENSE_PROBES && id_map_width(range) > 1.0;
         i++) {
        vs_id_range low, high;
        rc = id_map_split(probe, range, &low, &high, err);
        *out = (uint64_t)high.lo - (uint64_t)low.hi == 1;
        range = i % 2 == 0 ? low : high;
    }
    return rc;
}

/* Halves the widest range until there are VS_ID_RANGES_MAX of them. */
static int id_map_cut(const id_map_probe *probe, vs_id_map *map, vs_err *err)
{
    while (map->count < VS_ID_RANGES_MAX) {
        size_t widest = 0;
        for (size_t i = 1; i < map->count; i++) {
            widest = id_map_width(map->ranges[i]) > id_map_width(map->ranges[widest]) ? i : widest;
        }
        if (id_map_width(map->ranges[widest]) <= 1.0) {
            break;
        }
        vs_id_range low, high;
        int rc = id_map_split(probe, map->ranges[widest], &low, &high, err);
        if (rc != SQLITE_OK) {
            return rc;
        }
        memmove(&map->ranges[widest + 2], &map->ranges[widest + 1],
                (map->count - widest - 1) * sizeof map->ranges[0]);
        map->ranges[widest] = low;
        map->ranges[widest + 1] = high;
        map->count++;
    }
    return SQLITE_OK;
}

/* Rows of all ranges: their width over the mean distance of ids, measured at their middles and
 * weighted by width. */
static int id_map_count(const id_map_probe *probe, vs_id_map *map, vs_err *err)
{
    double width = 0.0;
    double weighted = 0.0;
    for (size_t i = 0; i < map->count; i++) {
        double own = id_map_width(map->ranges[i]);
        double distance = 1.0;
        if (own > 1.0) {
            vs_id_range low, high;
            int rc = id_map_split(probe, map->ranges[i], &low, &high, err);
            if (rc != SQLITE_OK) {
                return rc;
            }
            distance = ((double)((uint64_t)high.lo - (uint64_t)low.hi) + 1.0) / 2.0;
        }
        width += own;
        weighted += own * distance;
    }
    map->rows = width * (width / weighted);
    return SQLITE_OK;
}

/* Prepares "SELECT id FROM table WHERE id <comparison> ?1 ORDER BY id <order> LIMIT 1". */
static int id_map_prepare(const id_map_probe *probe, const char *comparison, const char *order,
                          sqlite3_stmt **out, vs_err *err)
{
    const char *id = probe->target->id_sql;
    return vs_target_prepare(
        probe->target, probe->who,
        sqlite3_mprintf("SELECT %s FROM %s WHERE %s %s ?1 ORDER BY %s %s LIMIT 1", id,
                        probe->target->table_sql, id, comparison, id, order),
        out, err);
}

int vs_id_map_survey(const vs_target *target, const char *who, vs_id_map *out, vs_err *err)
{
    id_map_probe probe = {NULL, NULL, target, who};
    vs_id_range all;
    int is_dense = 1;
    memset(out, 0, sizeof *out);
    int rc = vs_target_extent(target, who, &all.lo, &all.hi, err);
    if (rc != SQLITE_OK || all.hi < all.lo) {
        return rc;
    }
    out->ranges[0] = all;
    out->count = 1;
    rc = id_map_prepare(&probe, "<", "DESC", &probe.before, err);
    if (rc == SQLITE_OK) {
        rc = id_map_prepare(&probe, ">=", "ASC", &probe.from, err);
    }
    if (rc == SQLITE_OK) {
        rc = id_map_looks_dense(&probe, all, &is_dense, err);
    }
    if (rc == SQLITE_OK && !is_dense) {
        rc = id_map_cut(&probe, out, err);
        if (rc == SQLITE_OK) {
            rc = id_map_count(&probe, out, err);
        }
    } else {
        out->rows = id_map_width(all);
    }
    out->rows = out->rows > 1e15 ? 1e15 : out->rows < 1.0 ? 1.0 : out->rows;
    sqlite3_finalize(probe.before);
    sqlite3_finalize(probe.from);
    return rc;
}

size_t vs_id_map_points(const vs_id_map *map, size_t n)
{
    double width = 0.0;
    for (size_t i = 0; i < map->count; i++) {
        width += id_map_width(map->ranges[i]);
    }
    return width < (double)n ? (size_t)width : n;
}

int64_t vs_id_map_point(const vs_id_map *map, size_t i, size_t n)
{
    double width = 0.0;
    for (size_t j = 0; j < map->count; j++) {
        width += id_map_width(map->ranges[j]);
    }
    double at = width * ((double)i / (double)n);
    size_t j = 0;
    for (; j + 1 < map->count && at >= id_map_width(map->ranges[j]); j++) {
        at -= id_map_width(map->ranges[j]);
    }
    vs_id_range range = map->ranges[j];
    if (at >= id_map_width(range) - 1.0) {
        return range.hi;
    }
    return (int64_t)((uint64_t)range.lo + (uint64_t)at);
}
