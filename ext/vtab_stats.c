/*
 * vtab_stats.c - what is running and what was done, as rows.
 *
 *     SELECT operation, element_type, level FROM vec_kernels;
 *     SELECT target, strategy, calls, rows_read, time_ms FROM vec_stats;
 *     SELECT name, target, phase, done, total, eta FROM vec_jobs;
 *
 * Columns: see vtab_stats_tables at the end. Each table is read as a snapshot: all rows are copied
 * when a scan begins, so a query that searches while it reads its own statistics sees one moment.
 * No constraint is used; rows come in rowid order.
 *
 * Calls: metrics.c, kernels.
 * Called by: vecshard.c.
 * Threads: the thread inside a call of the connection.
 */
#include "vtab_stats.h"

/* ---- Rows from a snapshot -------------------------------------------------------------------- */

typedef struct vtab_stats_table {
    const char *name;
    const char *schema;
    int is_innocuous;
    size_t row_bytes;
    /* Most rows there can be now: only a bound, asked just before take. */
    size_t (*capacity)(const vs_conn *conn);
    /* Copies the rows; returns their number. */
    size_t (*take)(const vs_conn *conn, void *rows);
    void (*column)(sqlite3_context *ctx, const void *row, int64_t taken_ns, int column);
} vtab_stats_table;

/* User data of a module. */
typedef struct vtab_stats_module {
    const vtab_stats_table *table; /* static */
    vs_conn *conn;                 /* a reference */
} vtab_stats_module;

typedef struct vtab_stats_vtab {
    sqlite3_vtab base;
    const vtab_stats_module *module; /* borrowed: outlives its tables */
} vtab_stats_vtab;

typedef struct vtab_stats_cursor {
    sqlite3_vtab_cursor base;
    unsigned char *rows; /* owned */
    size_t count, i;
    int64_t taken_ns; /* when, by vs_metrics_now_ns */
} vtab_stats_cursor;

static int vtab_stats_connect(sqlite3 *db, void *user_data, int argc, const char *const *argv,
                              sqlite3_vtab **out, char **message)
{
    const vtab_stats_module *module = user_data;
    (void)argc;
    (void)argv;
    (void)message;
    int rc = sqlite3_declare_vtab(db, module->table->schema);
    if (rc != SQLITE_OK) {
        return rc;
    }
    vtab_stats_vtab *vtab = sqlite3_malloc64(sizeof *vtab);
    if (vtab == NULL) {
        return SQLITE_NOMEM;
    }
    memset(vtab, 0, sizeof *vtab);
    vtab->module = module;
    if (module->table->is_innocuous) {
        sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
    }
    *out = &vtab->base;
    return SQLITE_OK;
}

static int vtab_stats_disconnect(sqlite3_vtab *vtab)
{
    sqlite3_free(vtab);
    return SQLITE_OK;
}

static int vtab_stats_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    (void)vtab;
    info->estimatedCost = 100.0;
    info->estimatedRows = 100;
    info->orderByConsumed =
        info->nOrderBy == 1 && info->aOrderBy[0].iColumn == -1 && !info->aOrderBy[0].desc;
    return SQLITE_OK;
}

static int vtab_stats_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out)
{
    (void)vtab;
    vtab_stats_cursor *cursor = sqlite3_malloc64(sizeof *cursor);
    if (cursor == NULL) {
        return SQLITE_NOMEM;
    }
    memset(cursor, 0, sizeof *cursor);
    *out = &cursor->base;
    return SQLITE_OK;
}

static int vtab_stats_close(sqlite3_vtab_cursor *base)
{
    vtab_stats_cursor *cursor = (vtab_stats_cursor *)base;
    sqlite3_free(cursor->rows);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int vtab_stats_filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int argc,
                             sqlite3_value **argv)
{
    vtab_stats_cursor *cursor = (vtab_stats_cursor *)base;
    const vtab_stats_module *module = ((const vtab_stats_vtab *)base->pVtab)->module;
    (void)plan;
    (void)plan_text;
    (void)argc;
    (void)argv;
    sqlite3_free(cursor->rows);
    cursor->rows = NULL;
    cursor->count = 0;
    cursor->i = 0;
    size_t capacity = module->table->capacity(module->conn);
    if (capacity == 0) {
        return SQLITE_OK;
    }
    cursor->rows = sqlite3_malloc64(capacity * module->table->row_bytes);
    if (cursor->rows == NULL) {
        return SQLITE_NOMEM;
    }
    cursor->count = module->table->take(module->conn, cursor->rows);
    cursor->taken_ns = vs_metrics_now_ns();
    assert(cursor->count <= capacity);
    return SQLITE_OK;
}

static int vtab_stats_next(sqlite3_vtab_cursor *base)
{
    ((vtab_stats_cursor *)base)->i++;
    return SQLITE_OK;
}

static int vtab_stats_eof(sqlite3_vtab_cursor *base)
{
    const vtab_stats_cursor *cursor = (const vtab_stats_cursor *)base;
    return cursor->i >= cursor->count;
}

static int vtab_stats_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int column)
{
    const vtab_stats_cursor *cursor = (const vtab_stats_cursor *)base;
    const vtab_stats_table *table = ((const vtab_stats_vtab *)base->pVtab)->module->table;
    table->column(ctx, cursor->rows + cursor->i * table->row_bytes, cursor->taken_ns, column);
    return SQLITE_OK;
}

static int vtab_stats_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((const vtab_stats_cursor *)base)->i + 1;
    return SQLITE_OK;
}

static const sqlite3_module vtab_stats_methods = {
    .iVersion = 0,
    .xConnect = vtab_stats_connect,
    .xBestIndex = vtab_stats_best_index,
    .xDisconnect = vtab_stats_disconnect,
    .xOpen = vtab_stats_open,
    .xClose = vtab_stats_close,
    .xFilter = vtab_stats_filter,
    .xNext = vtab_stats_next,
    .xEof = vtab_stats_eof,
    .xColumn = vtab_stats_column,
    .xRowid = vtab_stats_rowid,
};

static void vtab_stats_result_text(sqlite3_context *ctx, const char *text)
{
    sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
}

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

static size_t vtab_stats_kernels_take(const vs_conn *conn, void *rows)
{
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
    vtab_stats_result_text(ctx, texts[column]);
}

/* ---- vec_stats ------------------------------------------------------------------------------- */

static size_t vtab_stats_counters_capacity(const vs_conn *conn)
{
    return conn->metrics.count;
}

/* The targets stay where they are as long as the connection's context lives. */
static size_t vtab_stats_counters_take(const vs_conn *conn, void *rows)
{
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
        vtab_stats_result_text(ctx, texts[column]);
    } else if (column < 9) {
        sqlite3_result_int64(ctx, numbers[column - 3]);
    } else if (column == 9) {
        sqlite3_result_double(ctx, (double)counters->time_ns / 1e6);
    } else {
        const int64_t of_codes[] = {counters->rows_scanned, counters->rows_passed_p,
                                    counters->rows_passed_b, counters->rows_passed_c};
        sqlite3_result_int64(ctx, of_codes[column - 10]);
    }
}

/* ---- vec_jobs -------------------------------------------------------------------------------- */

static size_t vtab_stats_jobs_capacity(const vs_conn *conn)
{
    (void)conn;
    return VS_JOBS_MAX;
}

static size_t vtab_stats_jobs_take(const vs_conn *conn, void *rows)
{
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
        vtab_stats_result_text(ctx, texts[column]);
        break;
    }
}

/* ---- The tables ------------------------------------------------------------------------------ */

static const vtab_stats_table vtab_stats_tables[] = {
    {"vec_kernels", "CREATE TABLE vec_kernels(operation TEXT, element_type TEXT, level TEXT)", 1,
     sizeof(vsk_kernel_info), vtab_stats_kernels_capacity, vtab_stats_kernels_take,
     vtab_stats_kernels_column},
    {"vec_stats",
     "CREATE TABLE vec_stats(target TEXT, operation TEXT, strategy TEXT, calls INTEGER, rows_read "
     "INTEGER, "
     "rows_finished INTEGER, rows_skipped INTEGER, rows_returned INTEGER, fallbacks INTEGER, "
     "time_ms REAL, rows_scanned INTEGER, rows_passed_p INTEGER, rows_passed_b INTEGER, "
     "rows_passed_c INTEGER)",
     0, sizeof(vs_metrics_entry), vtab_stats_counters_capacity, vtab_stats_counters_take,
     vtab_stats_counters_column},
    {"vec_jobs",
     "CREATE TABLE vec_jobs(job INTEGER, name TEXT, target TEXT, phase TEXT, done INTEGER, total "
     "INTEGER, rate REAL, "
     "eta REAL)",
     0, sizeof(vs_job_row), vtab_stats_jobs_capacity, vtab_stats_jobs_take, vtab_stats_jobs_column},
};

static void vtab_stats_destroy(void *user_data)
{
    vtab_stats_module *module = user_data;
    vs_conn_unref(module->conn);
    sqlite3_free(module);
}

int vs_vtab_stats_register(vs_conn *conn)
{
    int rc = SQLITE_OK;
    for (size_t i = 0;
         rc == SQLITE_OK && i < sizeof vtab_stats_tables / sizeof vtab_stats_tables[0]; i++) {
        vtab_stats_module *module = sqlite3_malloc64(sizeof *module);
        if (module == NULL) {
            return SQLITE_NOMEM;
        }
        *module = (vtab_stats_module){&vtab_stats_tables[i], vs_conn_ref(conn)};
        /* SQLite calls vtab_stats_destroy also when this fails. */
        rc = sqlite3_create_module_v2(conn->db, vtab_stats_tables[i].name, &vtab_stats_methods,
                                      module, vtab_stats_destroy);
    }
    return rc;
}
