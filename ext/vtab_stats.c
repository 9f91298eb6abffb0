/*
 * vtab_stats.c - what is running and what was done, as rows.
 *
 *     SELECT operation, element_type, level FROM vec_kernels;
 *     SELECT target, strategy, calls, rows_read, time_ms FROM vec_stats;
 *     SELECT name, target, phase, done, total, eta FROM vec_jobs;
 *
 * Columns: see vtab_stats_tables at the end.
 *
 * Calls: vtab_snapshot.c, metrics.c, kernels.
 * Called by: vecshard.c.
 * Threads: the thread inside a call of the connection.
 */
#include "vtab_stats.h"

#include "vtab_snapshot.h"

/* ---- vec_kernels ----------------------------------------------------------------------------- */

static size_t vtab_stats_kernels_capacity(const vs_conn *conn)
{
    vsk_kernel_info info;
    size_t count = 0;
    (void)conn;
    while (vsk_kernel_at(count, &info)) {
        count++;
    }
    return count;
}

static size_t vtab_stats_kernels_take(const vs_conn *conn, void *rows, size_t capacity)
{
    (void)capacity;
    vsk_kernel_info *out = rows, info;
    size_t count = 0;
    (void)conn;
    for (; vsk_kernel_at(count, &info); count++) {
        out[count] = info;
    }
    return count;
}

static void vtab_stats_kernels_column(sqlite3_context *ctx, const void *row, int64_t taken_ns,
                                      int column)
{
    const vsk_kernel_info *info = row;
    (void)taken_ns;
    const char *const texts[] = {info->operation, vsk_type_name(info->type), info->level};
    vs_vtab_snapshot_result_text(ctx, texts[column]);
}

/* ---- vec_stats ------------------------------------------------------------------------------- */

static size_t vtab_stats_counters_capacity(const vs_conn *conn)
{
    return conn->metrics.count;
}

/* The targets stay where they are as long as the connection's context lives. */
static size_t vtab_stats_counters_take(const vs_conn *conn, void *rows, size_t capacity)
{
    (void)capacity;
    memcpy(rows, conn->metrics.entries, conn->metrics.count * sizeof(vs_metrics_entry));
    return conn->metrics.count;
}

static void vtab_stats_counters_column(sqlite3_context *ctx, const void *row, int64_t taken_ns,
                                       int column)
{
    const vs_metrics_entry *entry = row;
    (void)taken_ns;
    const vs_counters *counters = &entry->counters;
    const char *const texts[] = {entry->target, entry->operation, entry->strategy};
    const int64_t numbers[] = {counters->calls,         counters->rows_read,
                               counters->rows_finished, counters->rows_skipped,
                               counters->rows_returned, counters->fallbacks};
    if (column < 3) {
        vs_vtab_snapshot_result_text(ctx, texts[column]);
    } else if (column < 9) {
        sqlite3_result_int64(ctx, numbers[column - 3]);
    } else if (column == 9) {
        sqlite3_result_double(ctx, (double)counters->time_ns / 1e6);
    } else if (column < 21) {
        const int64_t others[] = {counters->rows_scanned,         counters->rows_passed_p,
                                  counters->rows_passed_b,        counters->rows_passed_c,
                                  counters->gpu_queries,          counters->gpu_fallbacks,
                                  counters->gpu_fallbacks_budget, counters->gpu_fallbacks_stale,
                                  counters->gpu_fallbacks_txn,    counters->gpu_fallbacks_error,
                                  counters->gpu_upload_bytes};
        sqlite3_result_int64(ctx, others[column - 10]);
    } else if (column == 21) {
        sqlite3_result_int64(ctx, counters->gpu_us);
    } else if (counters->gpu_queries > 0) {
        sqlite3_result_double(ctx, (double)counters->gpu_survivors / (double)counters->gpu_queries);
    }
}

/* ---- vec_jobs -------------------------------------------------------------------------------- */

static size_t vtab_stats_jobs_capacity(const vs_conn *conn)
{
    (void)conn;
    return VS_JOBS_MAX;
}

static size_t vtab_stats_jobs_take(const vs_conn *conn, void *rows, size_t capacity)
{
    (void)capacity;
    (void)conn;
    return vs_job_snapshot(rows);
}

/*
 * rate: rows per second since the job began; eta: seconds left at that rate. NULL while there is
 * nothing to go by.
 */
static void vtab_stats_jobs_result_estimate(sqlite3_context *ctx, const vs_job_row *job,
                                            int64_t taken_ns, int is_eta)
{
    double seconds = (double)(taken_ns - job->started_ns) / 1e9;
    if (job->done <= 0 || seconds <= 0.0) {
        return;
    }
    double rate = (double)job->done / seconds;
    if (!is_eta) {
        sqlite3_result_double(ctx, rate);
    } else if (job->total >= job->done) {
        sqlite3_result_double(ctx, (double)(job->total - job->done) / rate);
    }
}

static void vtab_stats_jobs_column(sqlite3_context *ctx, const void *row, int64_t taken_ns,
                                   int column)
{
    const vs_job_row *job = row;
    const char *const texts[] = {NULL, job->name, job->target, job->phase};
    switch (column) {
    case 0:
        sqlite3_result_int64(ctx, job->id);
        break;
    case 4:
        sqlite3_result_int64(ctx, job->done);
        break;
    case 5:
        if (job->total > 0) {
            sqlite3_result_int64(ctx, job->total);
        }
        break;
    case 6:
    case 7:
        vtab_stats_jobs_result_estimate(ctx, job, taken_ns, column == 7);
        break;
    default:
        vs_vtab_snapshot_result_text(ctx, texts[column]);
        break;
    }
}

/* ---- The tables ------------------------------------------------------------------------------ */

static const vs_snapshot_table vtab_stats_tables[] = {
    {"vec_kernels", "CREATE TABLE vec_kernels(operation TEXT, element_type TEXT, level TEXT)", 1,
     sizeof(vsk_kernel_info), vtab_stats_kernels_capacity, vtab_stats_kernels_take,
     vtab_stats_kernels_column},
    {"vec_stats",
     "CREATE TABLE vec_stats(target TEXT, operation TEXT, strategy TEXT, calls INTEGER, rows_read "
     "INTEGER, "
     "rows_finished INTEGER, rows_skipped INTEGER, rows_returned INTEGER, fallbacks INTEGER, "
     "time_ms REAL, rows_scanned INTEGER, rows_passed_p INTEGER, rows_passed_b INTEGER, "
     "rows_passed_c INTEGER, gpu_queries INTEGER, gpu_fallbacks INTEGER, gpu_fallbacks_budget "
     "INTEGER, gpu_fallbacks_stale INTEGER, gpu_fallbacks_txn INTEGER, gpu_fallbacks_error "
     "INTEGER, "
     "gpu_upload_bytes INTEGER, gpu_us INTEGER, survivors_per_query REAL)",
     0, sizeof(vs_metrics_entry), vtab_stats_counters_capacity, vtab_stats_counters_take,
     vtab_stats_counters_column},
    {"vec_jobs",
     "CREATE TABLE vec_jobs(job INTEGER, name TEXT, target TEXT, phase TEXT, done INTEGER, total "
     "INTEGER, rate REAL, "
     "eta REAL)",
     0, sizeof(vs_job_row), vtab_stats_jobs_capacity, vtab_stats_jobs_take, vtab_stats_jobs_column},
};

int vs_vtab_stats_register(vs_conn *conn)
{
    return vs_vtab_snapshot_register(conn, vtab_stats_tables,
                                     sizeof vtab_stats_tables / sizeof vtab_stats_tables[0]);
}
