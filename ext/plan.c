/*
 * plan.c - which way a search reads its table, chosen by estimated cost, and the words for it.
 *
 * Calls: indexed.c, nearest.c (cost), gpu_index.c, gpu_use.c, options.c, target.c, id_map.c, norm_profile.c, distance.c, value.c.
 * Called by: vtab_search.c, vtab_batch.c, func_search.c; costs: normidx.c, search.c.
 * Threads: the connection's.
 */
#include "plan.h"

#include <math.h>

#include "distance.h"
#include "gpu_index.h"
#include "gpu_use.h"
#include "indexed.h"

/*
 * Time per row of a pass in microseconds, page cache warm, and what the other ways cost against it;
 * measured with bench/bench_strategies.c on tables of 128 and 768 dimensions. A look-up by id pays
 * for a page of its own, of which a pass pays the row's share. An index entry costs half as much
 * again as a table's row, and more where the vector is too large for a page of an index and sits on
 * an overflow page. The page size is taken as SQLite's default: with larger pages a look-up is a
 * little dearer than estimated.
 */
#define PLAN_US_STEP 0.15
#define PLAN_US_BYTE 1e-4
#define PLAN_PAGE_BYTES 4096.0
#define PLAN_ROW_OVERHEAD_BYTES 16.0
#define PLAN_LOOK_UP_STEPS 2.0
#define PLAN_LOOK_UP_MAX 8.0 /* small rows share pages that stay in the cache */
#define PLAN_ENTRY 1.5
#define PLAN_ENTRY_OVERFLOW 2.5
#define PLAN_ENTRY_LOCAL_BYTES 986.0 /* (4096 - 12) * 64 / 255 - 23, less the overhead */
#define PLAN_BYTES_UNKNOWN 1536

#define PLAN_RESULT_ROWS 10.0 /* full vectors that a search through codes reads, beside them */

#define PLAN_DIM_ROWS 16 /* rows looked at for the dimension of a column */
#define PLAN_DIMS_MAX 8  /* different ones told apart */

/* A norm index must promise this much, or a pass, whose cost is certain, is taken. */
#define PLAN_MARGIN 0.8

const char *vs_plan_name(const vs_plan *plan)
{
    static const char *const names[][2] = {
        {"pass", "approximate pass"},
        {"norm index", "approximate norm index"},
        {"covering norm index", "approximate covering norm index"},
        {"named index", "approximate named index"},
        {"id list", "approximate id list"},
        {"vecshard index", "vecshard index"},
    };
    return names[plan->strategy][plan->options.has_norm_band];
}

double vs_plan_cost(const vs_plan *plan, vs_strategy strategy, double rows)
{
    double bytes = (double)plan->row_bytes;
    double pass = PLAN_US_STEP + PLAN_US_BYTE * bytes;
    switch (strategy) {
    case VS_BY_VECSHARD:
        return vs_nearest_cost(vs_indexed_spec(plan->indexed), rows, PLAN_RESULT_ROWS);
    case VS_BY_PASS:
        return rows * pass;
    case VS_BY_COVERING_NORM:
        return rows * pass * (bytes <= PLAN_ENTRY_LOCAL_BYTES ? PLAN_ENTRY : PLAN_ENTRY_OVERFLOW);
    default:
        return rows * pass *
               fmin(PLAN_LOOK_UP_STEPS + PLAN_PAGE_BYTES / (bytes + PLAN_ROW_OVERHEAD_BYTES),
                    PLAN_LOOK_UP_MAX);
    }
}

void vs_plan_free(vs_plan *plan)
{
    vs_target_free(&plan->target);
    vs_options_free(&plan->options);
    vs_index_free(&plan->named);
    vs_indexed_free(plan->indexed);
    plan->indexed = NULL;
    plan->index = NULL;
}

void vs_plan_to_pass(vs_plan *plan)
{
    if (plan->strategy == VS_BY_VECSHARD) {
        return; /* serves many queries at once as it is */
    }
    if (plan->options.index != NULL) {
        plan->strategy = VS_BY_INDEX;
    } else {
        plan->strategy = VS_BY_PASS;
        plan->index = NULL;
        plan->estimate = plan->rows;
    }
}

void vs_plan_to_ids(vs_plan *plan)
{
    if (plan->options.index == NULL && plan->strategy != VS_BY_VECSHARD) {
        plan->strategy = VS_BY_ID;
        plan->index = NULL;
    }
}

/* Dimensions seen in a table, and how often. */
typedef struct plan_dims {
    size_t dims[PLAN_DIMS_MAX];
    int seen[PLAN_DIMS_MAX];
    int count;
} plan_dims;

static void plan_count_dim(plan_dims *dims, size_t dim)
{
    int i = 0;
    while (i < dims->count && dims->dims[i] != dim) {
        i++;
    }
    if (i == PLAN_DIMS_MAX) {
        return;
    }
    dims->dims[i] = dim;
    dims->seen[i]++;
    dims->count += i == dims->count;
}

int vs_plan_stored_dim(vs_plan *plan, const char *who, int is_thorough, size_t *out, vs_err *err)
{
    sqlite3_stmt *stmt;
    plan_dims dims;
    vs_scratch scratch = VS_SCRATCH_INIT;
    memset(&dims, 0, sizeof dims);
    *out = 0;
    if (plan->indexed != NULL) {
        *out = vs_indexed_spec(plan->indexed)->dim;
        return SQLITE_OK;
    }
    int rc =
        vs_target_prepare(&plan->target, who,
                          sqlite3_mprintf("SELECT v FROM (SELECT \"%w\" AS v FROM %s NOT INDEXED "
                                          "LIMIT %d) WHERE typeof(v) IN ('blob', 'text') "
                                          "LIMIT %d",
                                          plan->target.column, plan->target.table_sql,
                                          is_thorough ? -1 : PLAN_DIM_ROWS, PLAN_DIM_ROWS),
                          &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        vs_err ignored = VS_ERR_INIT; /* a bad row is reported by the search itself */
        vs_vec vec;
        rc = vs_value_read(who, sqlite3_column_value(stmt, 0), plan->options.type, &scratch, &vec,
                           &ignored);
        vs_error_clear(&ignored);
        if (rc == SQLITE_NOMEM) {
            break;
        }
        if (rc == SQLITE_OK) {
            plan_count_dim(&dims, vec.dim);
        }
    }
    rc = rc == SQLITE_DONE    ? SQLITE_OK
         : rc == SQLITE_NOMEM ? rc
                              : vs_error_db(err, rc, plan->target.db, who);
    sqlite3_finalize(stmt);
    vs_scratch_free(&scratch);
    int best = 0;
    for (int i = 1; i < dims.count; i++) {
        best = dims.seen[i] > dims.seen[best] ? i : best;
    }
    if (dims.count > 0) {
        *out = dims.dims[best];
        plan->row_bytes = vsk_bytes(plan->options.type, *out);
    }
    return rc;
}

/* Share of the rows within the band around each stand-in query. */
static double plan_band_share(const vs_profile *profile, double width)
{
    double sum = 0.0;
    for (size_t i = 0; i < profile->query_count; i++) {
        double norm = profile->query_norms[i];
        sum += vs_profile_fraction(profile, (1.0 - width) * norm, (1.0 + width) * norm);
    }
    return profile->query_count == 0 ? 1.0 : sum / (double)profile->query_count;
}

/* Estimates what a search through one norm index would read, and takes it when that is cheaper than
 * the plan so far. */
static int plan_try_norm(vs_conn *conn, vs_plan *plan, const char *who, const vs_index *index,
                         int64_t k, int is_forced, double *best_cost, vs_err *err)
{
    vs_profile *profile = NULL;
    vs_rows_shape shape = {who, plan->options.type, 0, 1};
    double share = 1.0;
    int rc = vs_plan_stored_dim(plan, who, 0, &shape.dim, err);
    if (rc == SQLITE_OK && shape.dim > 0) {
        rc = vs_profile_get(&conn->profiles, &plan->target, &shape, &profile, err);
    }
    if (rc == SQLITE_OK && profile != NULL) {
        rc = vs_profile_estimate_share(profile, &plan->target, &shape, index, plan->options.metric,
                                       k, &share, err);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (profile != NULL && plan->options.has_norm_band) {
        double band = plan_band_share(profile, plan->options.norm_band);
        share = band < share ? band : share;
    }
    double rows = fmax(share * plan->rows, fmin((double)k, plan->rows));
    vs_strategy strategy = index->has_column ? VS_BY_COVERING_NORM : VS_BY_NORM;
    if (is_forced || (profile != NULL && vs_plan_cost(plan, strategy, rows) < *best_cost)) {
        plan->strategy = strategy;
        plan->index = index;
        plan->estimate = rows;
        *best_cost = vs_plan_cost(plan, strategy, rows);
    }
    return SQLITE_OK;
}

/* The index that the options name. */
static int plan_named_index(vs_conn *conn, vs_plan *plan, const char *who, const vs_id_map *map,
                            int64_t k, vs_err *err)
{
    double share;
    double unused = INFINITY;
    int rc = vs_target_index(&plan->target, who, plan->options.index, plan->options.type,
                             &plan->named, err);
    if (rc == SQLITE_OK && plan->named.norm_sql != NULL && plan->options.type != VSK_BIT) {
        return plan_try_norm(conn, plan, who, &plan->named, k, 1, &unused, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_profile_partial_share(&plan->target, who, map, &plan->named, &share, err);
    }
    if (rc == SQLITE_OK) {
        plan->strategy = VS_BY_INDEX;
        plan->index = &plan->named;
        plan->estimate = share * plan->rows;
    }
    return rc;
}

/* Does the vecshard table that the search names serve it? */
static int plan_takes_own(const vs_plan *plan)
{
    const vs_options *options = &plan->options;
    const vs_vector_spec *spec = vs_indexed_spec(plan->indexed);
    return !options->has_norm_band && (!options->has_type || options->type == spec->type) &&
           (!options->has_metric || vs_indexed_serves(plan->indexed, options->metric) ||
            (plan->indexed->store.declaration.content == NULL &&
             vs_metric_takes(options->metric, spec->type))) &&
           (options->index == NULL ||
            sqlite3_stricmp(options->index, plan->indexed->store.table) == 0);
}

/* Looks for a vecshard table behind the target that serves the search. What the options leave open is
 * that table's. */
static int plan_try_indexed(vs_conn *conn, vs_plan *plan, const char *who, vs_err *err)
{
    int rc = vs_indexed_find(conn, who, &plan->target, &plan->options, &plan->indexed, err);
    if (rc != SQLITE_OK || plan->indexed == NULL) {
        return rc;
    }
    const vs_vector_spec *spec = vs_indexed_spec(plan->indexed);
    if (plan->target.is_virtual && !plan_takes_own(plan)) {
        return vs_error(
            err, SQLITE_ERROR,
            "%s: %s holds %s vectors for metric %s: the options type, metric, norm_band "
            "and index ask for something else",
            who, plan->target.label, vsk_type_name(spec->type), vs_metric_name(spec->metric));
    }
    plan->strategy = VS_BY_VECSHARD;
    plan->options.type = spec->type;
    plan->options.metric = plan->options.has_metric ? plan->options.metric : spec->metric;
    plan->row_bytes = vsk_bytes(spec->type, spec->dim);
    return SQLITE_OK;
}

int vs_plan_make(vs_conn *conn, const char *who, const char *table, const char *column,
                 const char *options, int64_t k, vs_plan *out, vs_err *err)
{
    memset(out, 0, sizeof *out);
    k = k > 0 ? k : 1;
    int rc = vs_options_parse(conn->db, who, options, &out->options, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = vs_target_find(conn->db, who, table, column, out->options.type, &out->target, err);
    vs_id_map map;
    if (rc == SQLITE_OK) {
        rc = plan_try_indexed(conn, out, who, err);
    }
    if (rc == SQLITE_OK && out->indexed == NULL) {
        rc = vs_options_check(&out->options, who, err);
    }
    if (rc == SQLITE_OK) {
        out->row_bytes = out->indexed != NULL ? out->row_bytes : PLAN_BYTES_UNKNOWN;
        rc = vs_id_map_survey(&out->target, who, &map, err);
    }
    if (rc == SQLITE_OK) {
        out->rows = map.rows;
        out->estimate = map.rows;
    }
    out->device_words =
        out->indexed != NULL && !vs_gpu_index_takes(&out->indexed->store, out->indexed->vector)
            ? ""
            : vs_gpu_use_words(conn, out->options.device, out->options.metric, out->options.type);
    if (rc == SQLITE_OK && out->strategy == VS_BY_VECSHARD) {
        return SQLITE_OK;
    }
    if (rc == SQLITE_OK && out->options.index != NULL) {
        rc = plan_named_index(conn, out, who, &map, k, err);
    } else if (rc == SQLITE_OK && conn->settings.norm_index == VS_NORM_INDEX_AUTO &&
               out->target.index_count > 0) {
        size_t dim;
        rc = vs_plan_stored_dim(out, who, 0, &dim, err);
        double best_cost = vs_plan_cost(out, VS_BY_PASS, out->rows) * PLAN_MARGIN;
        for (size_t i = 0; rc == SQLITE_OK && i < out->target.index_count; i++) {
            if (out->target.indexes[i].where_sql ==
                NULL) { /* a partial index lacks rows: only when named */
                rc = plan_try_norm(conn, out, who, &out->target.indexes[i], k, 0, &best_cost, err);
            }
        }
    }
    if (rc != SQLITE_OK) {
        vs_plan_free(out);
    }
    return rc;
}

int vs_plan_make_early(vs_conn *conn, const char *who, const char *table, const char *column,
                       const char *options, int64_t k, vs_plan *out, int *out_known, vs_err *err)
{
    int is_open = !sqlite3_get_autocommit(conn->db);
    int rc = vs_plan_make(conn, who, table, column, options, k, out, err);
    *out_known = rc == SQLITE_OK;
    if (rc == SQLITE_OK || rc == SQLITE_ERROR || rc == SQLITE_NOMEM) {
        return rc;
    }
    if (is_open && sqlite3_get_autocommit(conn->db)) {
        return rc; /* the error has ended the transaction: it must not be hidden */
    }
    vs_error_clear(err);
    return SQLITE_OK;
}

char *vs_plan_words(const vs_plan *plan)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    const char *metric = vs_metric_name(plan->options.metric);
    sqlite3_str_appendf(text, "%s %s %s", plan->target.label,
                        plan->options.has_norm_band ? "approximate" : "exact", metric);
    if (plan->options.has_norm_band) {
        sqlite3_str_appendf(text, " within norm band %g", plan->options.norm_band);
    }
    switch (plan->strategy) {
    case VS_BY_PASS:
        sqlite3_str_appendf(text, " by one pass (est. %,lld rows)%s", (long long)plan->rows,
                            plan->options.has_norm_band ? "" : plan->device_words);
        break;
    case VS_BY_VECSHARD:
        if (plan->indexed->is_rounded) {
            sqlite3_str_appendf(text, " of %s copies",
                                vsk_type_name(vs_indexed_spec(plan->indexed)->stored));
        }
        sqlite3_str_appendf(text, " via vecshard index %s (est. %,lld rows)%s",
                            plan->indexed->store.table, (long long)plan->rows, plan->device_words);
        break;
    case VS_BY_ID:
        sqlite3_str_appendf(text, " over the listed ids (of est. %,lld rows)",
                            (long long)plan->rows);
        break;
    default:
        sqlite3_str_appendf(text, " via %s%s %s (est. %,lld of %,lld rows)",
                            plan->index->where_sql != NULL ? "partial " : "",
                            plan->strategy == VS_BY_NORM            ? "norm index"
                            : plan->strategy == VS_BY_COVERING_NORM ? "covering norm index"
                                                                    : "index",
                            plan->index->name, (long long)plan->estimate, (long long)plan->rows);
        break;
    }
    return sqlite3_str_finish(text);
}
