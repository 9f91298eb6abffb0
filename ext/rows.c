/*
 * rows.c - the vectors of a table, one after the other, through SQLite.
 *
 * Calls: target.c, value.c.
 * Called by: collector.c, search.c, batch.c, normidx.c, norm_profile.c, pushdown.c.
 * Threads: the connection's.
 */
#include "rows.h"

/* The statement of the orders that follow the norm. */
static char *rows_norm_sql(const vs_target *target, vs_rows_order order, const vs_index *index)
{
    const char *norm = index->norm_sql;
    const char *predicate = index->where_sql == NULL ? "1" : index->where_sql;
    int has_vector = order == VS_ROWS_RISING || order == VS_ROWS_FALLING || order == VS_ROWS_TOP;
    int is_rising = order == VS_ROWS_RISING || order == VS_ROWS_RISING_IDS;
    int is_bounded = order != VS_ROWS_TOP && order != VS_ROWS_TOP_IDS;
    sqlite3_str *sql = sqlite3_str_new(target->db);
    sqlite3_str_appendf(sql, "SELECT %s, ", target->id_sql);
    sqlite3_str_appendf(sql, has_vector ? "\"%w\"" : "NULL", target->column);
    sqlite3_str_appendf(sql, ", %s FROM %s INDEXED BY \"%w\" WHERE (%s)", norm, target->table_sql,
                        index->name, predicate);
    if (is_bounded) {
        sqlite3_str_appendf(sql, " AND %s BETWEEN ?1 AND ?2", norm);
    }
    sqlite3_str_appendf(sql, " ORDER BY %s %s", norm, is_rising ? "ASC" : "DESC");
    return sqlite3_str_finish(sql);
}

static char *rows_sql(const vs_target *target, vs_rows_order order, const vs_index *index)
{
    const char *id = target->id_sql;
    const char *column = target->column;
    const char *table = target->table_sql;
    int is_partial = index != NULL && index->where_sql != NULL;
    const char *open = is_partial ? " AND (" : "";
    const char *where = is_partial ? index->where_sql : "";
    const char *close = is_partial ? ")" : "";
    switch (order) {
    case VS_ROWS_TABLE: /* NOT INDEXED: SQLite would take an index that covers the query for smaller
                           than the table, but vectors overflow its pages */
        return sqlite3_mprintf("SELECT %s, \"%w\" FROM %s NOT INDEXED", id, column, table);
    case VS_ROWS_RANGE:
        return sqlite3_mprintf("SELECT %s, \"%w\" FROM %s NOT INDEXED WHERE %s BETWEEN ?1 AND ?2 "
                               "ORDER BY %s",
                               id, column, table, id, id);
    case VS_ROWS_BY_ID:
        return sqlite3_mprintf("SELECT %s, \"%w\" FROM %s NOT INDEXED WHERE %s = ?1", id, column,
                               table, id);
    case VS_ROWS_SAMPLE:
        return sqlite3_mprintf(
            "SELECT %s, \"%w\" FROM %s NOT INDEXED WHERE %s >= ?1 ORDER BY %s LIMIT 1", id, column,
            table, id, id);
    case VS_ROWS_INDEX:
        return sqlite3_mprintf("SELECT %s, \"%w\" FROM %s INDEXED BY \"%w\" WHERE 1%s%s%s", id,
                               column, table, index->name, open, where, close);
    default:
        return rows_norm_sql(target, order, index);
    }
}
int vs_rows_open(const vs_target *target, const vs_rows_shape *shape, vs_rows_order order,
                 const vs_index *index, vs_rows *out, vs_err *err)
{
    memset(out, 0, sizeof *out);
    out->target = target;
    out->shape = *shape;
    out->has_vector =
        order != VS_ROWS_RISING_IDS && order != VS_ROWS_FALLING_IDS && order != VS_ROWS_TOP_IDS;
    out->has_norm = order >= VS_ROWS_RISING && order <= VS_ROWS_TOP_IDS;
    out->has_bounds = out->has_norm && order != VS_ROWS_TOP && order != VS_ROWS_TOP_IDS;
    out->has_range = order == VS_ROWS_RANGE;
    out->by_id = order == VS_ROWS_BY_ID || order == VS_ROWS_SAMPLE;
    return vs_target_prepare(target, shape->who, rows_sql(target, order, index), &out->stmt, err);
}

void vs_rows_close(vs_rows *rows)
{
    sqlite3_finalize(rows->stmt);
    vs_scratch_free(&rows->parsed);
    memset(rows, 0, sizeof *rows);
}

int vs_rows_start(vs_rows *rows, double norm_lo, double norm_hi, const int64_t *ids,
                  size_t id_count)
{
    int rc = SQLITE_OK;
    (void)sqlite3_reset(rows->stmt); /* an old error was reported when it happened */
    if (rows->has_bounds) {
        rc = sqlite3_bind_double(rows->stmt, 1, norm_lo);
        if (rc == SQLITE_OK) {
            rc = sqlite3_bind_double(rows->stmt, 2, norm_hi);
        }
    }
    for (int i = 0; rows->has_range && i < 2 && rc == SQLITE_OK; i++) {
        rc = sqlite3_bind_int64(rows->stmt, i + 1, ids[i]);
    }
    rows->ids = ids;
    rows->id_count = id_count;
    rows->id_at = 0;
    return rc;
}

int vs_rows_compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void vs_rows_reset(vs_rows *rows)
{
    (void)sqlite3_reset(rows->stmt);
}

/* Steps to the next stored row. */
static int rows_step(vs_rows *rows, vs_err *err)
{
    int rc = SQLITE_DONE;
    if (!rows->by_id) {
        rc = sqlite3_step(rows->stmt);
    }
    while (rows->by_id && rc == SQLITE_DONE && rows->id_at < rows->id_count) {
        (void)sqlite3_reset(rows->stmt);
        rc = sqlite3_bind_int64(rows->stmt, 1, rows->ids[rows->id_at++]);
        if (rc == SQLITE_OK) {
            rc = sqlite3_step(rows->stmt);
        }
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return vs_error(err, rc, "%s: %s: %s", rows->shape.who, rows->target->label,
                        sqlite3_errmsg(rows->target->db));
    }
    return rc;
}

/* Counts the current row as skipped, or makes the error sentence whose second half is given. */
static int rows_reject(vs_rows *rows, vs_err *err, const char *what)
{
    if (rows->shape.skip_bad_rows) {
        rows->rows_skipped++;
        return SQLITE_OK;
    }
    return vs_error(err, SQLITE_ERROR, "%s: %s, row %lld: %s", rows->shape.who, rows->target->label,
                    (long long)rows->id, what);
}

/* A vector stored as JSON text, or a BLOB of another size: the slow way, which also finds the words
 * for an error. */
static int rows_read_other(vs_rows *rows, sqlite3_value *value, int *out_usable, vs_err *err)
{
    char place[3 * VS_NAME_BYTES_MAX + 64];
    vs_err why = VS_ERR_INIT;
    vs_vec vec;
    *out_usable = 0;
    sqlite3_snprintf((int)sizeof place, place, "%s: %s, row %lld", rows->shape.who,
                     rows->target->label, (long long)rows->id);
    int rc = vs_value_read(place, value, rows->shape.type, &rows->parsed, &vec, &why);
    if (rc == SQLITE_OK && vec.dim != rows->shape.dim) {
        rc = vs_error(&why, SQLITE_ERROR,
                      "%s: expected %lld %s elements (%lld bytes), found %lld elements (%d bytes)",
                      place, (long long)rows->shape.dim, vsk_type_name(rows->shape.type),
                      (long long)vsk_bytes(rows->shape.type, rows->shape.dim), (long long)vec.dim,
                      sqlite3_value_bytes(value));
    }
    if (rc == SQLITE_OK) {
        rows->data = vec.data;
        *out_usable = 1;
    } else if (rc != SQLITE_NOMEM && rows->shape.skip_bad_rows) {
        vs_error_clear(&why);
        rows->rows_skipped++;
        rc = SQLITE_OK;
    } else if (why.message != NULL) {
        rc = vs_error(err, rc, "%s", why.message);
    }
    vs_error_clear(&why);
    return rc;
}

int vs_rows_next(vs_rows *rows, vs_err *err)
{
    size_t want = vsk_bytes(rows->shape.type, rows->shape.dim);
    for (;;) {
        int rc = rows_step(rows, err);
        if (rc != SQLITE_ROW) {
            return rc;
        }
        /* Through the values: each sqlite3_column_...() call locks the connection's mutex, which
         * this thread holds anyway. */
        sqlite3_value *id = sqlite3_column_value(rows->stmt, 0);
        sqlite3_value *vector = sqlite3_column_value(rows->stmt, 1);
        int type = sqlite3_value_type(vector);
        if (rows->has_norm) {
            sqlite3_value *norm = sqlite3_column_value(rows->stmt, 2);
            if (sqlite3_value_type(norm) == SQLITE_NULL) {
                return SQLITE_DONE; /* by falling norm the rows without a vector come last */
            }
            rows->norm = sqlite3_value_double(norm);
        } else if (type == SQLITE_NULL) {
            continue;
        }
        if (sqlite3_value_type(id) != SQLITE_INTEGER) {
            return vs_error(
                err, SQLITE_MISMATCH, "%s: %s: expected an INTEGER as the key of a row, found %s",
                rows->shape.who, rows->target->label, (const char *)sqlite3_value_text(id));
        }
        rows->id = sqlite3_value_int64(id);
        if (!rows->has_vector) {
            return SQLITE_ROW;
        }
        rows->rows_read++;
        if (type == SQLITE_BLOB) {
            rows->data = sqlite3_value_blob(vector);
            if (rows->data != NULL && (size_t)sqlite3_value_bytes(vector) == want) {
                return SQLITE_ROW;
            }
        }
        int usable;
        rc = rows_read_other(rows, vector, &usable, err);
        if (rc != SQLITE_OK) {
            return rc;
        }
        if (usable) {
            return SQLITE_ROW;
        }
    }
}

int vs_rows_bad(vs_rows *rows, vs_err *err)
{
    static const char unnamed[] = "holds NaN or infinity";
    vs_err why = VS_ERR_INIT;
    vs_vec vec = {rows->data, rows->shape.dim, rows->shape.type};
    (void)vs_value_check_finite("vector", &vec, &why); /* "vector: element 7 is NaN" */
    int rc = rows_reject(rows, err, why.message == NULL ? unnamed : why.message);
    vs_error_clear(&why);
    return rc;
}
