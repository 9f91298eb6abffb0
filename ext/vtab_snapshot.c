/*
 * vtab_snapshot.c - tables whose rows are copied when a scan of them begins.
 *
 * Calls: metrics.c (time).
 * Called by: vtab_stats.c, vtab_gpu.c.
 * Threads: the thread inside a call of the connection.
 */
#include "vtab_snapshot.h"

/* User data of a module. */
typedef struct vtab_snapshot_module {
    const vs_snapshot_table *table; /* static */
    vs_conn *conn;                  /* a reference */
} vtab_snapshot_module;

typedef struct vtab_snapshot_vtab {
    sqlite3_vtab base;
    const vtab_snapshot_module *module; /* borrowed: outlives its tables */
} vtab_snapshot_vtab;

typedef struct vtab_snapshot_cursor {
    sqlite3_vtab_cursor base;
    unsigned char *rows; /* owned */
    size_t count, i;
    int64_t taken_ns; /* when, by vs_metrics_now_ns */
} vtab_snapshot_cursor;

static int vtab_snapshot_connect(sqlite3 *db, void *user_data, int argc, const char *const *argv,
                                 sqlite3_vtab **out, char **message)
{
    const vtab_snapshot_module *module = user_data;
    (void)argc;
    (void)argv;
    (void)message;
    int rc = sqlite3_declare_vtab(db, module->table->schema);
    if (rc != SQLITE_OK) {
        return rc;
    }
    vtab_snapshot_vtab *vtab = sqlite3_malloc64(sizeof *vtab);
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

static int vtab_snapshot_disconnect(sqlite3_vtab *vtab)
{
    sqlite3_free(vtab);
    return SQLITE_OK;
}

static int vtab_snapshot_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    (void)vtab;
    info->estimatedCost = 100.0;
    info->estimatedRows = 100;
    info->orderByConsumed =
        info->nOrderBy == 1 && info->aOrderBy[0].iColumn == -1 && !info->aOrderBy[0].desc;
    return SQLITE_OK;
}

static int vtab_snapshot_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out)
{
    (void)vtab;
    vtab_snapshot_cursor *cursor = sqlite3_malloc64(sizeof *cursor);
    if (cursor == NULL) {
        return SQLITE_NOMEM;
    }
    memset(cursor, 0, sizeof *cursor);
    *out = &cursor->base;
    return SQLITE_OK;
}

static int vtab_snapshot_close(sqlite3_vtab_cursor *base)
{
    vtab_snapshot_cursor *cursor = (vtab_snapshot_cursor *)base;
    sqlite3_free(cursor->rows);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int vtab_snapshot_filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text,
                                int argc, sqlite3_value **argv)
{
    vtab_snapshot_cursor *cursor = (vtab_snapshot_cursor *)base;
    const vtab_snapshot_module *module = ((const vtab_snapshot_vtab *)base->pVtab)->module;
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
    cursor->count = module->table->take(module->conn, cursor->rows, capacity);
    cursor->taken_ns = vs_metrics_now_ns();
    assert(cursor->count <= capacity);
    return SQLITE_OK;
}

static int vtab_snapshot_next(sqlite3_vtab_cursor *base)
{
    ((vtab_snapshot_cursor *)base)->i++;
    return SQLITE_OK;
}

static int vtab_snapshot_eof(sqlite3_vtab_cursor *base)
{
    const vtab_snapshot_cursor *cursor = (const vtab_snapshot_cursor *)base;
    return cursor->i >= cursor->count;
}

static int vtab_snapshot_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int column)
{
    const vtab_snapshot_cursor *cursor = (const vtab_snapshot_cursor *)base;
    const vs_snapshot_table *table = ((const vtab_snapshot_vtab *)base->pVtab)->module->table;
    table->column(ctx, cursor->rows + cursor->i * table->row_bytes, cursor->taken_ns, column);
    return SQLITE_OK;
}

static int vtab_snapshot_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((const vtab_snapshot_cursor *)base)->i + 1;
    return SQLITE_OK;
}

static const sqlite3_module vtab_snapshot_methods = {
    .iVersion = 0,
    .xConnect = vtab_snapshot_connect,
    .xBestIndex = vtab_snapshot_best_index,
    .xDisconnect = vtab_snapshot_disconnect,
    .xOpen = vtab_snapshot_open,
    .xClose = vtab_snapshot_close,
    .xFilter = vtab_snapshot_filter,
    .xNext = vtab_snapshot_next,
    .xEof = vtab_snapshot_eof,
    .xColumn = vtab_snapshot_column,
    .xRowid = vtab_snapshot_rowid,
};

void vs_vtab_snapshot_result_text(sqlite3_context *ctx, const char *text)
{
    sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
}

static void vtab_snapshot_destroy(void *user_data)
{
    vtab_snapshot_module *module = user_data;
    vs_conn_unref(module->conn);
    sqlite3_free(module);
}

int vs_vtab_snapshot_register(vs_conn *conn, const vs_snapshot_table *tables, size_t count)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        vtab_snapshot_module *module = sqlite3_malloc64(sizeof *module);
        if (module == NULL) {
            return SQLITE_NOMEM;
        }
        *module = (vtab_snapshot_module){&tables[i], vs_conn_ref(conn)};
        /* SQLite calls vtab_snapshot_destroy also when this fails. */
        rc = sqlite3_create_module_v2(conn->db, tables[i].name, &vtab_snapshot_methods, module,
                                      vtab_snapshot_destroy);
    }
    return rc;
}
