/*
 * func_gpu.c - functions about the GPU.
 *
 *     SELECT vec_device();                        -- 'cuda:0 NVIDIA H200 sm_90 budget=4096MiB used=1536MiB'
 *     SELECT vec_device('json');
 *     SELECT vec_gpu_load('docs', 'embedding', 'f16');  -- bytes that are on the device now
 *     SELECT vec_gpu_evict('docs', 'embedding');  -- bytes that were
 *     SELECT vec_gpu_evict(NULL);                 -- everything
 *     SELECT vec_last_query('json');              -- what the connection's last search did
 *
 * The functions that change something are DIRECTONLY. None fails because there is no GPU.
 *
 * Calls: gpu.c, gpu_table.c, gpu_index.c, plan.c, metrics.c.
 * Called by: vecshard.c (registration), vtab_gpu.c.
 * Threads: the connection's.
 */
#include "func_gpu.h"

#include "args.h"
#include "func.h"
#include "gpu_index.h"
#include "gpu_table.h"
#include "indexed.h"
#include "pool.h"

#define FUNC_GPU_LOOK_ROWS 100 /* of a table whose columns are not named */

const char *vs_func_gpu_state_name(vs_gpu_state state)
{
    static const char *const names[] = {"unknown", "no module", "no device", "ready",
                                        "open",    "dead",      "forked"};
    return names[state];
}

const char *vs_func_gpu_device(const vs_counters *counters)
{
    return counters->gpu_queries > 0 ? "cuda:0" : "cpu";
}

static uint64_t func_gpu_mib(uint64_t bytes)
{
    return bytes >> 20;
}

/* ---- vec_device ------------------------------------------------------------------------------ */

static char *func_gpu_words(const vs_gpu_info *info)
{
    if (info->state != VS_GPU_READY && info->state != VS_GPU_OPEN) {
        return sqlite3_mprintf("cpu %s (cuda: %s)", vsk_level_name(vsk_level_in_use()), info->why);
    }
    return sqlite3_mprintf("cuda:0 %s sm_%d%d budget=%lluMiB used=%lluMiB", info->device.name,
                           info->device.major, info->device.minor, func_gpu_mib(info->budget_bytes),
                           func_gpu_mib(info->used_bytes));
}

/* A JSON object, made by SQLite's own functions, which know how to quote. */
static int func_gpu_json(sqlite3_context *ctx, sqlite3 *db, char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sql == NULL ? SQLITE_NOMEM
                         : sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_NO_VTAB, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW) {
        sqlite3_result_value(ctx, sqlite3_column_value(stmt, 0));
        sqlite3_result_subtype(ctx, VS_SUBTYPE_JSON);
    } else {
        sqlite3_result_error_code(ctx, rc == SQLITE_DONE ? SQLITE_ERROR : rc);
    }
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* What kind of failure keeps the GPU from being used; "": none. */
static const char *func_gpu_error_class(const vs_gpu_info *info)
{
    switch (info->state) {
    case VS_GPU_NO_MODULE:
    case VS_GPU_NO_DEVICE:
        return "absent";
    case VS_GPU_DEAD:
        return "sticky";
    case VS_GPU_FORKED:
        return "forked";
    default:
        return info->is_refused ? "transient" : "";
    }
}

static char *func_gpu_device_sql(const vs_gpu_info *info)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendf(
        sql,
        "SELECT json_object('cpu', %Q, 'threads', %d, 'state', %Q, 'detail', %Q, 'error_class', "
        "nullif(%Q, ''), 'name', nullif(%Q, ''), 'capability', nullif('%d.%d', '0.0'), 'driver', "
        "%u, 'total_bytes', %llu, "
        "'free_bytes', %llu, 'budget_bytes', %llu, 'used_bytes', %llu, 'context_bytes', %llu, "
        "'low_water_bytes', %llu, 'images', %llu, 'segments', %llu, 'upload_bytes', %llu, "
        "'searches', %llu, 'evictions', %llu, 'fallbacks', json_object(",
        vsk_level_name(vsk_level_in_use()), vs_pool_threads(), vs_func_gpu_state_name(info->state),
        info->why, func_gpu_error_class(info), info->device.name, info->device.major,
        info->device.minor, info->device.driver, info->device.total_bytes, info->device.free_bytes,
        info->budget_bytes, info->used_bytes, info->context_bytes, info->low_water_bytes,
        info->images, info->segments, info->upload_bytes, info->searches, info->evictions);
    for (int i = VS_GPU_NONE + 1; i < VS_GPU_REASON_COUNT; i++) {
        sqlite3_str_appendf(sql, "%s%Q, %llu", i == VS_GPU_NONE + 1 ? "" : ", ",
                            vs_gpu_reason_name((vs_gpu_reason)i), info->fallbacks[i]);
    }
    sqlite3_str_appendall(sql, "))");
    return sqlite3_str_finish(sql);
}

/* Is the argument 'json', the only word there is? Where it is not, the result is set: NULL of NULL. */
static int func_gpu_is_json(sqlite3_context *ctx, const char *who, sqlite3_value *value)
{
    vs_err err = VS_ERR_INIT;
    if (sqlite3_value_type(value) == SQLITE_NULL) {
        sqlite3_result_null(ctx);
        return 0;
    }
    const char *text = (const char *)sqlite3_value_text(value);
    if (text == NULL) {
        sqlite3_result_error_nomem(ctx);
        return 0;
    }
    if (strcmp(text, "json") == 0) {
        return 1;
    }
    int rc = vs_error(&err, SQLITE_ERROR, "%s: the argument is 'json', not '%s'", who, text);
    vs_error_result(ctx, rc, &err);
    return 0;
}

/* vec_device(), vec_device('json') */
static void func_gpu_device(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const vs_func *func = sqlite3_user_data(ctx);
    vs_gpu_info info;
    if (argc == 1 && !func_gpu_is_json(ctx, func->entry->name, argv[0])) {
        return;
    }
    vs_gpu_read_info(&info);
    if (argc == 1) {
        (void)func_gpu_json(ctx, func->conn->db, func_gpu_device_sql(&info));
        return;
    }
    char *text = func_gpu_words(&info);
    if (text == NULL) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    sqlite3_result_text(ctx, text, -1, sqlite3_free);
}

/* ---- vec_last_query -------------------------------------------------------------------------- */

/* vec_last_query(), vec_last_query('json'): NULL before the first search, or without statistics */
static void func_gpu_last_query(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const vs_func *func = sqlite3_user_data(ctx);
    const vs_metrics *metrics = &func->conn->metrics;
    if ((argc == 1 && !func_gpu_is_json(ctx, func->entry->name, argv[0])) || metrics->count == 0) {
        return;
    }
    const vs_metrics_entry *entry = &metrics->entries[metrics->last];
    const vs_counters *did = &metrics->last_did;
    (void)func_gpu_json(
        ctx, func->conn->db,
        sqlite3_mprintf(
            "SELECT json_object('target', %Q, 'operation', %Q, 'strategy', %Q, 'device', %Q, "
            "'gpu_refused', nullif(%Q, 'none'), 'rows_read', %lld, 'rows_finished', %lld, "
            "'rows_returned', %lld, "
            "'time_ms', %.6f, 'gpu_queries', %lld, 'gpu_fallbacks', %lld, 'gpu_us', %lld, "
            "'gpu_upload_bytes', %lld, 'survivors', %lld)",
            entry->target, entry->operation, entry->strategy, vs_func_gpu_device(did),
            vs_gpu_reason_name((vs_gpu_reason)did->gpu_reason), (long long)did->rows_read,
            (long long)did->rows_finished, (long long)did->rows_returned,
            (double)did->time_ns / 1e6, (long long)did->gpu_queries, (long long)did->gpu_fallbacks,
            (long long)did->gpu_us, (long long)did->gpu_upload_bytes,
            (long long)did->gpu_survivors));
}

/* ---- vec_gpu_load, vec_gpu_evict ------------------------------------------------------------- */

/* What the arguments name. */
typedef struct func_gpu_what {
    const char *table, *options;
    char *column; /* owned */
    vs_gpu_precision precision;
    vs_plan plan; /* owned where has_plan */
    int has_plan;
} func_gpu_what;

static int func_gpu_precision(const char *word, vs_gpu_precision *out)
{
    for (int i = 0; i < VS_GPU_PRECISION_COUNT; i++) {
        if (word != NULL && strcmp(word, vs_gpu_precision_names[i]) == 0) {
            *out = (vs_gpu_precision)i;
            return 1;
        }
    }
    return 0;
}

/* Finds what the arguments name, of one column; on success what->has_plan. */
static int func_gpu_plan(vs_conn *conn, const char *who, const char *column, func_gpu_what *what,
                         vs_err *err)
{
    int rc = vs_plan_make(conn, who, what->table, column, what->options, 1, &what->plan, err);
    what->has_plan = rc == SQLITE_OK;
    return rc;
}

static void func_gpu_drop_plan(func_gpu_what *what)
{
    if (what->has_plan) {
        vs_plan_free(&what->plan);
    }
    what->has_plan = 0;
}

/* SELECT * of the table that the arguments name. */
static int func_gpu_select(vs_conn *conn, const char *who, const char *table, int *out_is_virtual,
                           sqlite3_stmt **out, vs_err *err)
{
    vs_target target;
    int rc = vs_target_find_table(conn->db, who, table, &target, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    *out_is_virtual = target.is_virtual;
    char *sql = sqlite3_mprintf("SELECT * FROM %s LIMIT %d", target.table_sql, FUNC_GPU_LOOK_ROWS);
    vs_target_free(&target);
    rc = sql == NULL ? SQLITE_NOMEM : sqlite3_prepare_v3(conn->db, sql, -1, 0, out, NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK ? rc : vs_error_db(err, rc, conn->db, who);
}

/* Is this column of a vecshard table one of vectors? Others are errors, which nobody is told. */
static int func_gpu_is_vector(vs_conn *conn, const char *who, const char *column,
                              func_gpu_what *what, int *out_is)
{
    vs_err unheard = VS_ERR_INIT;
    int rc = func_gpu_plan(conn, who, column, what, &unheard);
    *out_is = rc == SQLITE_OK;
    func_gpu_drop_plan(what);
    vs_error_clear(&unheard);
    return rc == SQLITE_ERROR ? SQLITE_OK : rc;
}

/* Marks the columns of an ordinary table that hold BLOBs in the rows that are looked at. */
static int func_gpu_look(sqlite3_stmt *stmt, uint8_t *is_blob, int *out_rows)
{
    int rc = SQLITE_OK;
    for (*out_rows = 0; (rc = sqlite3_step(stmt)) == SQLITE_ROW; ++*out_rows) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            is_blob[i] |= sqlite3_column_type(stmt, i) == SQLITE_BLOB;
        }
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The columns that hold vectors, as far as can be seen: *out_found of them, the first in *out_column. */
static int func_gpu_count_columns(vs_conn *conn, const char *who, func_gpu_what *what,
                                  sqlite3_stmt *stmt, int is_virtual, int *out_found,
                                  int *out_column, int *out_rows)
{
    int count = sqlite3_column_count(stmt), rc = SQLITE_OK;
    uint8_t *is_one = sqlite3_malloc64((sqlite3_uint64)count + 1);
    if (is_one == NULL) {
        return SQLITE_NOMEM;
    }
    memset(is_one, 0, (size_t)count + 1);
    if (!is_virtual) {
        rc = func_gpu_look(stmt, is_one, out_rows);
    }
    for (int i = 0; i < count && rc == SQLITE_OK && is_virtual; i++) {
        int is_vector = 0;
        rc = func_gpu_is_vector(conn, who, sqlite3_column_name(stmt, i), what, &is_vector);
        is_one[i] = (uint8_t)is_vector;
    }
    *out_found = 0;
    for (int i = count - 1; i >= 0; i--) {
        *out_found += is_one[i];
        *out_column = is_one[i] ? i : *out_column;
    }
    sqlite3_free(is_one);
    return rc;
}

/* The only column that holds vectors: what->column, or NULL for a table without rows. */
static int func_gpu_find_column(vs_conn *conn, const char *who, func_gpu_what *what, vs_err *err)
{
    sqlite3_stmt *stmt = NULL;
    int is_virtual = 0, found = 0, column = 0, rows = 1;
    int rc = func_gpu_select(conn, who, what->table, &is_virtual, &stmt, err);
    if (rc == SQLITE_OK) {
        rc = func_gpu_count_columns(conn, who, what, stmt, is_virtual, &found, &column, &rows);
        rc = rc == SQLITE_OK ? rc : vs_error_db(err, rc, conn->db, who);
    }
    if (rc == SQLITE_OK && found == 1) {
        what->column = sqlite3_mprintf("%s", sqlite3_column_name(stmt, column));
        rc = what->column == NULL ? SQLITE_NOMEM : SQLITE_OK;
    } else if (rc == SQLITE_OK && rows > 0) {
        rc = is_virtual
                 ? vs_error(err, SQLITE_ERROR,
                            "%s: %s has %d vector columns: name the one that is meant", who,
                            what->table, found)
                 : vs_error(err, SQLITE_ERROR,
                            "%s: %d columns of %s hold BLOBs in its first rows: name the one that "
                            "is meant",
                            who, found, what->table);
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* (table), (table, column), and to load (table, precision), (table, column, precision [, options]) */
static int func_gpu_read_arguments(const char *who, int is_load, int argc, sqlite3_value **argv,
                                   func_gpu_what *out, vs_err *err)
{
    const char *word = NULL;
    int may_be_precision = is_load && argc == 2;
    memset(out, 0, sizeof *out);
    int rc = vs_args_text(who, "the table's name", argv[0], &out->table, err);
    if (rc == SQLITE_OK && argc > 1) {
        rc = vs_args_text(
            who, may_be_precision ? "the column's name or a precision" : "the column's name",
            argv[1], &word, err);
    }
    if (rc == SQLITE_OK && word != NULL &&
        !(may_be_precision && func_gpu_precision(word, &out->precision))) {
        out->column = sqlite3_mprintf("%s", word);
        rc = out->column == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    if (rc == SQLITE_OK && argc > 2) {
        rc = vs_args_text(who, "the precision", argv[2], &word, err);
        if (rc == SQLITE_OK && !func_gpu_precision(word, &out->precision)) {
            rc = vs_error(err, SQLITE_ERROR,
                          "%s: the precision is 'auto', 'f16', 'int8' or 'f32', not '%s'", who,
                          word);
        }
    }
    if (rc == SQLITE_OK && argc > 3) {
        rc = vs_args_optional_text(who, "options", argv[3], &out->options, err);
    }
    return rc;
}

/* Statements that are kept on tables go when a virtual table of ours does: so one must be there. */
static int func_gpu_connect(vs_conn *conn, const char *who, vs_err *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v3(conn->db, "SELECT 1 FROM vec_search", -1, 0, &stmt, NULL);
    sqlite3_finalize(stmt);
    return rc == SQLITE_OK ? rc : vs_error_db(err, rc, conn->db, who);
}

/* Reads the arguments; func_gpu_end in every case. */
static int func_gpu_begin(const vs_func *func, int is_load, int argc, sqlite3_value **argv,
                          func_gpu_what *out, vs_err *err)
{
    const char *who = func->entry->name;
    int rc = func_gpu_read_arguments(who, is_load, argc, argv, out, err);
    return rc == SQLITE_OK ? func_gpu_connect(func->conn, who, err) : rc;
}

/* The result: bytes, or the error. */
static void func_gpu_end(sqlite3_context *ctx, func_gpu_what *what, int rc, uint64_t bytes,
                         vs_err *err)
{
    func_gpu_drop_plan(what);
    sqlite3_free(what->column);
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, err);
        return;
    }
    sqlite3_result_int64(ctx, (sqlite3_int64)bytes);
}

/* Loads the column of the plan. */
static int func_gpu_load_column(const vs_func *func, func_gpu_what *what, uint64_t *out_bytes,
                                vs_err *err)
{
    const char *who = func->entry->name;
    vs_gpu_reason reason = VS_GPU_NONE;
    size_t dim = 0; /* 0: there are no vectors yet */
    int rc = vs_plan_stored_dim(&what->plan, who, 1, &dim, err);
    if (rc == SQLITE_OK && what->plan.strategy == VS_BY_VECSHARD) {
        return vs_gpu_index_load(&what->plan.indexed->store, what->plan.indexed->vector,
                                 what->precision, out_bytes, &reason, err);
    }
    return rc == SQLITE_OK && dim > 0 ? vs_gpu_table_load(func->conn, who, &what->plan, dim,
                                                          what->precision, out_bytes, &reason, err)
                                      : rc;
}

/* vec_gpu_load(table [, column] [, precision [, options]]): bytes sent to the device, 0 where there is
 * none or no room */
static void func_gpu_load(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const vs_func *func = sqlite3_user_data(ctx);
    vs_err err = VS_ERR_INIT;
    func_gpu_what what;
    uint64_t bytes = 0;
    int rc = func_gpu_begin(func, 1, argc, argv, &what, &err);
    if (rc == SQLITE_OK && what.column == NULL) {
        rc = func_gpu_find_column(func->conn, func->entry->name, &what, &err);
    }
    if (rc == SQLITE_OK && what.column != NULL) {
        rc = func_gpu_plan(func->conn, func->entry->name, what.column, &what, &err);
    }
    if (rc == SQLITE_OK && what.has_plan) {
        rc = func_gpu_load_column(func, &what, &bytes, &err);
    }
    func_gpu_end(ctx, &what, rc, bytes, &err);
}

/* Evicts the column of the plan: bytes. */
static uint64_t func_gpu_evict_column(const vs_func *func, const func_gpu_what *what)
{
    return what->plan.strategy == VS_BY_VECSHARD
               ? vs_gpu_index_evict(&what->plan.indexed->store, what->plan.indexed->vector)
               : vs_gpu_table_evict(func->conn, &what->plan);
}

/* Evicts all columns of a table. */
static int func_gpu_evict_table(const vs_func *func, func_gpu_what *what, uint64_t *out_bytes,
                                vs_err *err)
{
    const char *who = func->entry->name;
    sqlite3_stmt *stmt = NULL;
    int is_virtual = 0;
    int rc = func_gpu_select(func->conn, who, what->table, &is_virtual, &stmt, err);
    for (int i = 0; rc == SQLITE_OK && i < sqlite3_column_count(stmt); i++) {
        vs_err unheard = VS_ERR_INIT;
        int found = func_gpu_plan(func->conn, who, sqlite3_column_name(stmt, i), what, &unheard);
        *out_bytes += found == SQLITE_OK ? func_gpu_evict_column(func, what) : 0;
        func_gpu_drop_plan(what);
        vs_error_clear(&unheard); /* it is no column of vectors */
        rc = found == SQLITE_ERROR ? SQLITE_OK : found;
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* vec_gpu_evict(NULL), vec_gpu_evict(table [, column]): bytes that were on the device */
static void func_gpu_evict(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const vs_func *func = sqlite3_user_data(ctx);
    vs_err err = VS_ERR_INIT;
    func_gpu_what what;
    uint64_t bytes = 0;
    if (argc == 1 && sqlite3_value_type(argv[0]) == SQLITE_NULL) {
        sqlite3_result_int64(ctx, (sqlite3_int64)vs_gpu_evict(NULL));
        return;
    }
    int rc = func_gpu_begin(func, 0, argc, argv, &what, &err);
    if (rc == SQLITE_OK && what.column == NULL) {
        rc = func_gpu_evict_table(func, &what, &bytes, &err);
    } else if (rc == SQLITE_OK) {
        rc = func_gpu_plan(func->conn, func->entry->name, what.column, &what, &err);
        bytes = rc == SQLITE_OK ? func_gpu_evict_column(func, &what) : 0;
    }
    func_gpu_end(ctx, &what, rc, bytes, &err);
}

static const vs_func_entry func_gpu_entries[] = {
    {"vec_device", 0, SQLITE_INNOCUOUS, 0, func_gpu_device, NULL, NULL},
    {"vec_device", 1, SQLITE_INNOCUOUS, 0, func_gpu_device, NULL, NULL},
    {"vec_last_query", 0, SQLITE_INNOCUOUS, 0, func_gpu_last_query, NULL, NULL},
    {"vec_last_query", 1, SQLITE_INNOCUOUS, 0, func_gpu_last_query, NULL, NULL},
    {"vec_gpu_load", 1, SQLITE_DIRECTONLY, 0, func_gpu_load, NULL, NULL},
    {"vec_gpu_load", 2, SQLITE_DIRECTONLY, 0, func_gpu_load, NULL, NULL},
    {"vec_gpu_load", 3, SQLITE_DIRECTONLY, 0, func_gpu_load, NULL, NULL},
    {"vec_gpu_load", 4, SQLITE_DIRECTONLY, 0, func_gpu_load, NULL, NULL},
    {"vec_gpu_evict", 1, SQLITE_DIRECTONLY, 0, func_gpu_evict, NULL, NULL},
    {"vec_gpu_evict", 2, SQLITE_DIRECTONLY, 0, func_gpu_evict, NULL, NULL},
};

int vs_func_gpu_register(vs_conn *conn)
{
    return vs_func_register_table(conn, func_gpu_entries,
                                  sizeof func_gpu_entries / sizeof func_gpu_entries[0]);
}
