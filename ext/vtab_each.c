/*
 * vtab_each.c - vec_each(vector): one row per element.
 *
 *     SELECT rowid, value FROM vec_each('[0.5, 2, 7.25]');
 *
 * Columns: value (REAL; INTEGER for int8 and bit vectors), vector (hidden: the argument). The rowid
 * is the element's index, from 0. NULL has no elements. The planner: vector = ? is the argument,
 * required and applied here; rows come in rowid order.
 *
 * Calls: value.c.
 * Called by: vecshard.c.
 * Threads: the thread inside a call of the connection.
 */
#include "vtab_each.h"

#include "args.h"

typedef struct vtab_each_cursor {
    sqlite3_vtab_cursor base;
    sqlite3_value *argument; /* owned; holds the elements of a BLOB */
    vs_scratch scratch;      /* holds the elements of JSON text */
    vs_vec vec;              /* dim 0: no rows */
    size_t i;
} vtab_each_cursor;

enum { VTAB_EACH_VALUE, VTAB_EACH_VECTOR };

static int vtab_each_connect(sqlite3 *db, void *user_data, int argc, const char *const *argv,
                             sqlite3_vtab **out, char **message)
{
    (void)user_data;
    (void)argc;
    (void)argv;
    (void)message;
    int rc = sqlite3_declare_vtab(db, "CREATE TABLE vec_each(value, vector HIDDEN)");
    if (rc != SQLITE_OK) {
        return rc;
    }
    sqlite3_vtab *vtab = sqlite3_malloc64(sizeof *vtab);
    if (vtab == NULL) {
        return SQLITE_NOMEM;
    }
    memset(vtab, 0, sizeof *vtab);
    sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
    *out = vtab;
    return SQLITE_OK;
}

static int vtab_each_disconnect(sqlite3_vtab *vtab)
{
    sqlite3_free(vtab);
    return SQLITE_OK;
}

static int vtab_each_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    (void)vtab;
    int is_present = 0;
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].iColumn != VTAB_EACH_VECTOR ||
            info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ) {
            continue;
        }
        is_present = 1;
        if (info->aConstraint[i].usable) {
            info->aConstraintUsage[i].argvIndex = 1;
            info->aConstraintUsage[i].omit = 1;
            info->estimatedCost = 1000.0;
            info->estimatedRows = 1000;
            info->orderByConsumed =
                info->nOrderBy == 1 && info->aOrderBy[0].iColumn == -1 && !info->aOrderBy[0].desc;
            return SQLITE_OK;
        }
    }
    if (is_present) {
        return SQLITE_CONSTRAINT;
    }
    vs_args_plan_incomplete(info);
    return SQLITE_OK;
}

static int vtab_each_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out)
{
    (void)vtab;
    vtab_each_cursor *cursor = sqlite3_malloc64(sizeof *cursor);
    if (cursor == NULL) {
        return SQLITE_NOMEM;
    }
    memset(cursor, 0, sizeof *cursor);
    *out = &cursor->base;
    return SQLITE_OK;
}

static int vtab_each_close(sqlite3_vtab_cursor *base)
{
    vtab_each_cursor *cursor = (vtab_each_cursor *)base;
    sqlite3_value_free(cursor->argument);
    vs_scratch_free(&cursor->scratch);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int vtab_each_filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int argc,
                            sqlite3_value **argv)
{
    vtab_each_cursor *cursor = (vtab_each_cursor *)base;
    vs_err err = VS_ERR_INIT;
    (void)plan_text;
    (void)argc;
    if (plan == VS_ARGS_INCOMPLETE) {
        int failed =
            vs_error(&err, SQLITE_ERROR, "vec_each: takes a vector, as in vec_each('[1, 2, 3]')");
        return vs_error_vtab(base->pVtab, failed, &err);
    }
    assert(argc == 1);
    sqlite3_value_free(cursor->argument);
    cursor->argument = NULL;
    cursor->i = 0;
    cursor->vec = (vs_vec){NULL, 0, VSK_F32};
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) {
        return SQLITE_OK;
    }
    cursor->argument = sqlite3_value_dup(argv[0]);
    if (cursor->argument == NULL) {
        return SQLITE_NOMEM;
    }
    vs_vec vec;
    int rc = vs_value_read("vec_each", cursor->argument, VSK_F32, &cursor->scratch, &vec, &err);
    if (rc == SQLITE_OK) {
        rc = vs_value_check_finite("vec_each", &vec, &err);
    }
    if (rc == SQLITE_OK) {
        cursor->vec = vec;
    }
    return vs_error_vtab(base->pVtab, rc, &err);
}

static int vtab_each_next(sqlite3_vtab_cursor *base)
{
    ((vtab_each_cursor *)base)->i++;
    return SQLITE_OK;
}

static int vtab_each_eof(sqlite3_vtab_cursor *base)
{
    const vtab_each_cursor *cursor = (const vtab_each_cursor *)base;
    return cursor->i >= cursor->vec.dim;
}

static void vtab_each_result_element(sqlite3_context *ctx, const vs_vec *vec, size_t i)
{
    if (vec->type == VSK_BIT) {
        sqlite3_result_int(ctx, (((const unsigned char *)vec->data)[i / 8] >> (i % 8)) & 1);
        return;
    }
    float value = 0.0f;
    vs_value_widen(vec, i, 1, &value);
    if (vec->type == VSK_I8) {
        sqlite3_result_int(ctx, (int)value);
    } else {
        sqlite3_result_double(ctx, (double)value);
    }
}

static int vtab_each_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int column)
{
    const vtab_each_cursor *cursor = (const vtab_each_cursor *)base;
    if (column == VTAB_EACH_VALUE) {
        vtab_each_result_element(ctx, &cursor->vec, cursor->i);
    } else {
        sqlite3_result_value(ctx, cursor->argument);
    }
    return SQLITE_OK;
}

static int vtab_each_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((const vtab_each_cursor *)base)->i;
    return SQLITE_OK;
}

static const sqlite3_module vtab_each_module = {
    .iVersion = 0,
    .xConnect = vtab_each_connect,
    .xBestIndex = vtab_each_best_index,
    .xDisconnect = vtab_each_disconnect,
    .xOpen = vtab_each_open,
    .xClose = vtab_each_close,
    .xFilter = vtab_each_filter,
    .xNext = vtab_each_next,
    .xEof = vtab_each_eof,
    .xColumn = vtab_each_column,
    .xRowid = vtab_each_rowid,
};

int vs_vtab_each_register(vs_conn *conn)
{
    /* SQLite releases the reference also when this fails. */
    return sqlite3_create_module_v2(conn->db, "vec_each", &vtab_each_module, vs_conn_ref(conn),
                                    vs_conn_unref);
}
