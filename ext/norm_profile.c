/*
 * norm_profile.c - how the norms of a column are distributed, sampled, and what an index on them
 * would save.
 *
 * The norms are those that the index holds, read at ids spread evenly over the table: no assumption
 * about their distribution, no counting of rows. The share of rows that a search would read depends
 * on the query, which a planner does not know; sampled vectors stand in for it. For dot the rows
 * that the index gives first are those of the largest norm, for l2 those whose norm is nearest to
 * the query's; the k-th best among them bounds what the search will have to read, from above.
 *
 * Calls: id_map.c, rows.c, target.c, distance.c, kernels.
 * Called by: plan.c, search.c, normidx.c, func_search.c; conn.c owns the cache.
 * Threads: the connection's.
 */
#include "norm_profile.h"

#include <math.h>
#include <stdlib.h>

#include "distance.h"

#define PROFILE_TOP_ROWS 256 /* rows of largest norm read to bound a dot search */
#define PROFILE_NEAR_ROWS 32 /* rows read on each side of a query's norm to bound an l2 search */

void vs_profile_cache_free(vs_profile_cache *cache)
{
    for (size_t i = 0; i < VS_PROFILES_MAX; i++) {
        if (cache->profiles[i] != NULL) {
            sqlite3_free(cache->profiles[i]->key);
            sqlite3_free(cache->profiles[i]->queries);
            sqlite3_free(cache->profiles[i]);
            cache->profiles[i] = NULL;
        }
    }
}

static int profile_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Fills a profile from the table. */
static int profile_sample(vs_profile *profile, const vs_id_map *map, const vs_target *target,
                          const vs_rows_shape *shape, vs_err *err)
{
    vs_rows rows;
    vs_rows_shape lenient = *shape;
    int64_t ids[VS_PROFILE_SAMPLES];
    size_t bytes = vsk_bytes(shape->type, shape->dim);
    size_t probes = vs_id_map_points(map, VS_PROFILE_SAMPLES);
    int64_t last = 0;
    lenient.skip_bad_rows = 1;
    for (size_t i = 0; i < probes; i++) {
        ids[i] = vs_id_map_point(map, i, probes);
    }
    profile->queries = sqlite3_malloc64(VS_PROFILE_QUERIES * bytes);
    if (profile->queries == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = vs_rows_open(target, &lenient, VS_ROWS_SAMPLE, NULL, &rows, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = vs_rows_start(&rows, 0, 0, ids, probes);
    while (rc == SQLITE_OK && (rc = vs_rows_next(&rows, err)) == SQLITE_ROW) {
        rc = SQLITE_OK;
        double norm = sqrt(vsk_get()->sumsq[shape->type](rows.data, shape->dim));
        if (!isfinite(norm) || (profile->count > 0 && rows.id == last)) {
            continue; /* a small table, or a wide gap, gives the same row several times */
        }
        last = rows.id;
        if (profile->query_count < VS_PROFILE_QUERIES &&
            rows.id_at > profile->query_count * probes / VS_PROFILE_QUERIES) {
            memcpy(profile->queries + profile->query_count * bytes, rows.data, bytes);
            profile->query_ids[profile->query_count] = rows.id;
            profile->query_norms[profile->query_count++] = norm;
        }
        profile->norms[profile->count++] = norm;
    }
    vs_rows_close(&rows);
    qsort(profile->norms, profile->count, sizeof profile->norms[0], profile_compare);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Is the cached profile still near enough to the table? */
static int profile_is_current(const vs_profile *profile, int64_t lo, int64_t hi)
{
    double then = (double)profile->hi - (double)profile->lo + 1.0;
    double now = (double)hi - (double)lo + 1.0;
    return fabs(now - then) <= then / 8.0;
}

int vs_profile_get(vs_profile_cache *cache, const vs_target *target, const vs_rows_shape *shape,
                   vs_profile **out, vs_err *err)
{
    int64_t lo, hi;
    size_t slot = cache->next;
    *out = NULL;
    int rc = vs_target_extent(target, shape->who, &lo, &hi, err);
    if (rc != SQLITE_OK || hi < lo) {
        return rc;
    }
    char *key = sqlite3_mprintf("%s.%s %s %lld", target->table_sql, target->column,
                                vsk_type_name(shape->type), (long long)shape->dim);
    vs_profile *fresh = sqlite3_malloc64(sizeof *fresh);
    if (key == NULL || fresh == NULL) {
        sqlite3_free(key);
        sqlite3_free(fresh);
        return SQLITE_NOMEM;
    }
    memset(fresh, 0, sizeof *fresh);
    for (size_t i = 0; i < VS_PROFILES_MAX; i++) {
        if (cache->profiles[i] != NULL && strcmp(cache->profiles[i]->key, key) == 0) {
            slot = i;
            if (profile_is_current(cache->profiles[i], lo, hi)) {
                sqlite3_free(key);
                sqlite3_free(fresh);
                *out = cache->profiles[i];
                return SQLITE_OK;
            }
        }
    }
    vs_profile_cache dropped = {{cache->profiles[slot]}, 0};
    vs_profile_cache_free(&dropped);
    cache->profiles[slot] = fresh;
    cache->next = (slot + 1) % VS_PROFILES_MAX;
    fresh->key = key;
    fresh->lo = lo;
    fresh->hi = hi;
    vs_id_map map;
    rc = vs_id_map_survey(target, shape->who, &map, err);
    if (rc == SQLITE_OK && map.count > 0) {
        rc = profile_sample(fresh, &map, target, shape, err);
    }
    if (rc != SQLITE_OK) {
        vs_profile_cache failed = {{fresh}, 0};
        vs_profile_cache_free(&failed);
        cache->profiles[slot] = NULL;
        return rc;
    }
    *out = fresh->count > 0 ? fresh : NULL;
    return SQLITE_OK;
}

double vs_profile_fraction(const vs_profile *profile, double lo, double hi)
{
    size_t inside = 0;
    for (size_t i = 0; i < profile->count; i++) {
        inside += profile->norms[i] >= lo && profile->norms[i] <= hi;
    }
    return profile->count == 0 ? 1.0 : (double)inside / (double)profile->count;
}

/* One stand-in query against rows of the index: keeps its k best distances. */
typedef struct profile_trial {
    vsk_topk best;
    const void *query;
    int64_t id;
} profile_trial;

/* Scores up to `limit` rows of an index source for the trials. */
static int profile_try_rows(vs_rows *rows, const vs_rows_shape *shape, vs_metric metric,
                            size_t limit, profile_trial *trials, size_t count, vs_err *err)
{
    int rc = SQLITE_ROW;
    for (size_t n = 0; n < limit && (rc = vs_rows_next(rows, err)) == SQLITE_ROW; n++) {
        for (size_t i = 0; i < count; i++) {
            double distance;
            if (rows->id != trials[i].id &&
                vs_distance(metric, shape->type, trials[i].query, rows->data, shape->dim,
                            &distance) == VS_DIST_VALUE) {
                vsk_topk_push(&trials[i].best, distance, rows->id);
            }
        }
    }
    vs_rows_reset(rows);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* dot: all trials read the same rows, those of the largest norm. */
static int profile_try_dot(const vs_profile *profile, const vs_target *target,
                           const vs_rows_shape *shape, const vs_index *index, profile_trial *trials,
                           double *out_share, vs_err *err)
{
    vs_rows falling;
    double sum = 0.0;
    int rc = vs_rows_open(target, shape, VS_ROWS_TOP, index, &falling, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = vs_rows_start(&falling, 0.0, INFINITY, NULL, 0);
    if (rc == SQLITE_OK) {
        rc = profile_try_rows(&falling, shape, VS_DOT, PROFILE_TOP_ROWS, trials,
                              profile->query_count, err);
    }
    for (size_t i = 0; rc == SQLITE_OK && i < profile->query_count; i++) {
        double kth =
            -vsk_topk_worst(&trials[i].best); /* -infinity while not full: everything is read */
        sum += vs_profile_fraction(profile, kth / profile->query_norms[i], INFINITY);
    }
    *out_share = sum / (double)profile->query_count;
    vs_rows_close(&falling);
    return rc;
}

/* l2: each trial reads the rows around its own norm. */
static int profile_try_l2(const vs_profile *profile, const vs_target *target,
                          const vs_rows_shape *shape, const vs_index *index, profile_trial *trials,
                          double *out_share, vs_err *err)
{
    vs_rows falling, rising;
    double sum = 0.0;
    memset(&rising, 0, sizeof rising);
    int rc = vs_rows_open(target, shape, VS_ROWS_FALLING, index, &falling, err);
    if (rc == SQLITE_OK) {
        rc = vs_rows_open(target, shape, VS_ROWS_RISING, index, &rising, err);
    }
    for (size_t i = 0; rc == SQLITE_OK && i < profile->query_count; i++) {
        double norm = profile->query_norms[i];
        rc = vs_rows_start(&rising, norm, INFINITY, NULL, 0);
        if (rc == SQLITE_OK) {
            rc = profile_try_rows(&rising, shape, VS_L2, PROFILE_NEAR_ROWS, &trials[i], 1, err);
        }
        if (rc == SQLITE_OK) {
            rc = vs_rows_start(&falling, 0.0, nextafter(norm, 0.0), NULL, 0);
        }
        if (rc == SQLITE_OK) {
            rc = profile_try_rows(&falling, shape, VS_L2, PROFILE_NEAR_ROWS, &trials[i], 1, err);
        }
        double kth = vsk_topk_worst(&trials[i].best);
        sum += vs_profile_fraction(profile, norm - kth, norm + kth);
    }
    *out_share = sum / (double)profile->query_count;
    vs_rows_close(&rising);
    vs_rows_close(&falling);
    return rc;
}

int vs_profile_estimate_share(vs_profile *profile, const vs_target *target,
                              const vs_rows_shape *shape, const vs_index *index, vs_metric metric,
                              int64_t k, double *out, vs_err *err)
{
    profile_trial trials[VS_PROFILE_QUERIES];
    vs_rows_shape lenient = *shape;
    size_t bytes = vsk_bytes(shape->type, shape->dim);
    *out = 1.0;
    if ((metric != VS_L2 && metric != VS_L2SQ && metric != VS_DOT) || k > PROFILE_TOP_ROWS ||
        profile->query_count == 0) {
        return SQLITE_OK;
    }
    for (size_t i = 0; i < profile->estimate_count && i < VS_PROFILE_ESTIMATES; i++) {
        const vs_profile_estimate *known = &profile->estimates[i];
        if (known->metric == metric && known->k == k && strcmp(known->index, index->name) == 0) {
            *out = known->fraction;
            return SQLITE_OK;
        }
    }
    vsk_hit *memory = sqlite3_malloc64(VS_PROFILE_QUERIES * (size_t)k * sizeof *memory);
    if (memory == NULL) {
        return SQLITE_NOMEM;
    }
    lenient.skip_bad_rows = 1;
    for (size_t i = 0; i < profile->query_count; i++) {
        vsk_topk_init(&trials[i].best, memory + i * (size_t)k, (size_t)k);
        trials[i].query = profile->queries + i * bytes;
        trials[i].id = profile->query_ids[i];
    }
    int rc = metric == VS_DOT ? profile_try_dot(profile, target, &lenient, index, trials, out, err)
                              : profile_try_l2(profile, target, &lenient, index, trials, out, err);
    sqlite3_free(memory);
    if (rc == SQLITE_OK && strlen(index->name) <= VS_NAME_BYTES_MAX) {
        vs_profile_estimate *slot =
            &profile->estimates[profile->estimate_count++ % VS_PROFILE_ESTIMATES];
        sqlite3_snprintf((int)sizeof slot->index, slot->index, "%s", index->name);
        slot->metric = metric;
        slot->k = k;
        slot->fraction = *out;
    }
    return rc;
}

int vs_profile_partial_share(const vs_target *target, const char *who, const vs_id_map *map,
                             const vs_index *index, double *out, vs_err *err)
{
    sqlite3_stmt *stmt;
    int seen = 0, held = 0;
    *out = 1.0;
    if (index->where_sql == NULL || map->count == 0) {
        return SQLITE_OK;
    }
    int rc = vs_target_prepare(
        target, who,
        sqlite3_mprintf(
            "SELECT (%s) IS TRUE FROM %s NOT INDEXED WHERE %s >= ?1 ORDER BY %s LIMIT 1",
            index->where_sql, target->table_sql, target->id_sql, target->id_sql),
        &stmt, err);
    size_t probes = vs_id_map_points(map, VS_PROFILE_SAMPLES);
    for (size_t i = 0; rc == SQLITE_OK && i < probes; i++) {
        (void)sqlite3_reset(stmt);
        rc = sqlite3_bind_int64(stmt, 1, vs_id_map_point(map, i, probes));
        if (rc == SQLITE_OK) {
            rc = sqlite3_step(stmt);
        }
        if (rc == SQLITE_ROW) {
            held += sqlite3_column_int(stmt, 0);
            seen++;
        }
        rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK
                                                   : vs_error_db(err, rc, target->db, who);
    }
    sqlite3_finalize(stmt);
    *out = seen == 0 ? 1.0 : (double)held / (double)seen;
    return rc;
}
