/*
 * normidx.c - exact pruning by vector norm.
 *
 * dot:  <q,x> <= |q||x| (Cauchy, Schwarz). Rows come by falling |x|; once |q||x| is below the k-th
 *       best product, the rows after it are smaller still, and the walk stops.
 * l2:   ||q| - |x|| <= |q - x| (triangle inequality). Rows come from |q| outwards on both sides,
 *       always the nearer side next; once the gap is above the k-th best distance, no row further
 *       out can enter, and the walk stops.
 *
 * The norms in the index and |q| are canonical, within 1e-12 relative of the exact ones (scorer.c
 * says why), and so are the distances they are compared with; the slack below covers all three.
 *
 * A covering index gives the vector with the norm. From any other, ids are gathered first, in
 * chunks that grow, and each chunk is read in the order of the table: rows that share a page are
 * read together, and the disk and the memory see one direction.
 *
 * Whether the index prunes depends on the query, which the planner did not know. So while the walk
 * has cost less than a fiftieth of a pass it goes on; from then on it asks the profile how many
 * rows the bound of the moment still leaves, and gives up when a pass is cheaper: at worst, an
 * index that does not prune costs a few hundredths of a pass.
 *
 * Calls: rows.c, collector.c, norm_profile.c, plan.c.
 * Called by: search.c.
 * Threads: the connection's.
 */
#include "normidx.h"

#include <math.h>
#include <stdlib.h>

#define NORMIDX_SLACK 4e-12
/* rows taken before the first look at the bound; every further chunk is as large as all before it
 */
#define NORMIDX_CHUNK_FIRST 256
#define NORMIDX_TRIAL 0.02 /* share of a pass's cost that a walk may use before it is judged */

int vs_normidx_open(vs_normidx *walk, const vs_plan *plan, const vs_rows_shape *shape, vs_err *err)
{
    int has_column = plan->index->has_column;
    int is_one_sided = plan->options.metric == VS_DOT;
    vs_rows_order falling = has_column ? VS_ROWS_FALLING : VS_ROWS_FALLING_IDS;
    vs_rows_order rising = has_column ? VS_ROWS_RISING : VS_ROWS_RISING_IDS;
    if (is_one_sided && !plan->options.has_norm_band) {
        falling = has_column ? VS_ROWS_TOP : VS_ROWS_TOP_IDS;
    }
    memset(walk, 0, sizeof *walk);
    int rc = vs_rows_open(&plan->target, shape, falling, plan->index, &walk->falling, err);
    if (rc == SQLITE_OK && !is_one_sided) {
        rc = vs_rows_open(&plan->target, shape, rising, plan->index, &walk->rising, err);
    }
    if (rc == SQLITE_OK && !has_column) {
        rc = vs_rows_open(&plan->target, shape, VS_ROWS_BY_ID, NULL, &walk->by_id, err);
        walk->ids = sqlite3_malloc64(VS_NORMIDX_GATHER_MAX * sizeof *walk->ids);
        rc = rc == SQLITE_OK && walk->ids == NULL ? SQLITE_NOMEM : rc;
    }
    if (rc != SQLITE_OK) {
        vs_normidx_close(walk);
    }
    return rc;
}

void vs_normidx_close(vs_normidx *walk)
{
    vs_rows_close(&walk->falling);
    vs_rows_close(&walk->rising);
    vs_rows_close(&walk->by_id);
    sqlite3_free(walk->ids);
    walk->ids = NULL;
}

/* Can a row of this norm no longer enter? */
static int normidx_is_out(const vs_collector *collector, double norm)
{
    const vs_scorer *scorer = collector->scorer;
    double q = scorer->query_norm;
    double limit = scorer->limit;
    double slack = NORMIDX_SLACK * (q + norm);
    switch (scorer->metric) {
    case VS_DOT: /* the distance is -<q,x> */
        return -(q * norm) * (1.0 + NORMIDX_SLACK) > limit;
    case VS_L2:
        return fabs(q - norm) - slack > limit * (1.0 + NORMIDX_SLACK);
    case VS_L2SQ:
        return fabs(q - norm) - slack > sqrt(limit) * (1.0 + NORMIDX_SLACK);
    default:
        return 0;
    }
}

/* Share of the rows that the bound of the moment leaves, those read already included. */
static double normidx_share(const vs_collector *collector, const vs_profile *profile)
{
    const vs_scorer *scorer = collector->scorer;
    double q = scorer->query_norm;
    double reach = scorer->metric == VS_L2SQ ? sqrt(scorer->limit) : scorer->limit;
    if (scorer->metric == VS_DOT) {
        return q > 0.0 ? vs_profile_fraction(profile, -scorer->limit / q, INFINITY) : 1.0;
    }
    return vs_profile_fraction(profile, q - reach, q + reach);
}

/* Is going on dearer than one pass over the table? */
static int normidx_should_give_up(const vs_plan *plan, const vs_profile *profile,
                                  const vs_collector *collector, int64_t rows_read)
{
    double pass = vs_plan_cost(plan, VS_BY_PASS, plan->rows);
    double spent = vs_plan_cost(plan, plan->strategy, (double)rows_read);
    if (profile == NULL || plan->options.index != NULL || plan->options.has_norm_band ||
        spent < NORMIDX_TRIAL * pass) {
        return 0;
    }
    return vs_plan_cost(plan, plan->strategy, normidx_share(collector, profile) * plan->rows) -
               spent >
           pass;
}

/* One side of the walk: rows in the order of a source, until the side is out. */
typedef struct normidx_side {
    vs_rows *rows;
    int is_open; /* rows->norm is a row not taken yet */
} normidx_side;

static int normidx_advance(normidx_side *side, const vs_collector *collector, vs_err *err)
{
    int rc = vs_rows_next(side->rows, err);
    side->is_open = rc == SQLITE_ROW && !normidx_is_out(collector, side->rows->norm);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Starts both sides at the query's norm (dot: one side, from the largest norm down), within the
 * filter's band. */
static int normidx_start(normidx_side *below, normidx_side *above, const vs_collector *collector,
                         vs_err *err)
{
    double q = collector->scorer->query_norm;
    double lo = fmax(collector->filter->norm_lo, 0.0);
    double hi = collector->filter->norm_hi;
    int has_two_sides = above->rows->stmt != NULL;
    int rc =
        vs_rows_start(below->rows, lo, has_two_sides ? fmin(hi, nextafter(q, -1.0)) : hi, NULL, 0);
    if (rc == SQLITE_OK) {
        rc = normidx_advance(below, collector, err);
    }
    if (rc == SQLITE_OK && has_two_sides) {
        rc = vs_rows_start(above->rows, fmax(lo, q), hi, NULL, 0);
        if (rc == SQLITE_OK) {
            rc = normidx_advance(above, collector, err);
        }
    }
    return rc;
}

/* The side whose row comes next; NULL when both are out. */
static normidx_side *normidx_next_side(normidx_side *below, normidx_side *above,
                                       const vs_collector *collector)
{
    double q = collector->scorer->query_norm;
    for (;;) {
        if (!below->is_open && !above->is_open) {
            return NULL;
        }
        int take_above =
            above->is_open && (!below->is_open || above->rows->norm - q <= q - below->rows->norm);
        normidx_side *side = take_above ? above : below;
        if (!normidx_is_out(collector, side->rows->norm)) {
            return side;
        }
        side->is_open = 0; /* the limit fell since this row was fetched */
    }
}

/* Reads and offers the gathered rows, in the order of the table. */
static int normidx_read_gathered(vs_normidx *walk, vs_collector *collector, vs_err *err)
{
    qsort(walk->ids, walk->id_count, sizeof *walk->ids, vs_rows_compare_ids);
    int rc = vs_rows_start(&walk->by_id, 0.0, 0.0, walk->ids, walk->id_count);
    while (rc == SQLITE_OK && (rc = vs_rows_next(&walk->by_id, err)) == SQLITE_ROW) {
        rc = vs_collector_offer(collector, &walk->by_id, err);
    }
    vs_rows_reset(&walk->by_id);
    walk->id_count = 0;
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int vs_normidx_run(vs_normidx *walk, const vs_plan *plan, const vs_profile *profile,
                   vs_collector *collector, int *out_gave_up, vs_err *err)
{
    normidx_side below = {&walk->falling, 0};
    normidx_side above = {&walk->rising, 0};
    normidx_side *side;
    int has_column = plan->index->has_column;
    int64_t taken = 0;
    int64_t chunk_end = NORMIDX_CHUNK_FIRST;
    *out_gave_up = 0;
    walk->id_count = 0;
    int rc = normidx_start(&below, &above, collector, err);
    while (rc == SQLITE_OK && (side = normidx_next_side(&below, &above, collector)) != NULL) {
        taken++;
        if (has_column) {
            rc = vs_collector_offer(collector, side->rows, err);
        } else {
            walk->ids[walk->id_count++] = side->rows->id;
        }
        if (rc == SQLITE_OK) {
            rc = normidx_advance(side, collector, err);
        }
        if (rc == SQLITE_OK && taken == chunk_end) {
            int64_t chunk = taken < VS_NORMIDX_GATHER_MAX ? taken : VS_NORMIDX_GATHER_MAX;
            chunk_end += chunk;
            if (!has_column) {
                rc = normidx_read_gathered(walk, collector, err);
            }
            if (rc == SQLITE_OK && normidx_should_give_up(plan, profile, collector, taken)) {
                *out_gave_up = 1;
                break;
            }
        }
    }
    if (rc == SQLITE_OK && !has_column && !*out_gave_up) {
        rc = normidx_read_gathered(walk, collector, err);
    }
    vs_rows_reset(&walk->falling);
    vs_rows_reset(&walk->rising);
    walk->rows_read = walk->falling.rows_read + walk->rising.rows_read + walk->by_id.rows_read;
    walk->rows_skipped =
        walk->falling.rows_skipped + walk->rising.rows_skipped + walk->by_id.rows_skipped;
    return rc;
}
