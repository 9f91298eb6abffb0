/*
 * conditions.c - conditions on columns other than vectors, as SQL over the row table.
 *
 * Calls: store.h (the declaration), declare.c, store_text.c, error.c.
 * Called by: rowset.c, vtab_index.c.
 * Threads: the connection's.
 */
#include "conditions.h"

#include "store_text.h"

#define CONDITIONS_LIST_MAX 200 /* values of a list, each with a variable of its own */

static const char conditions_pointer[] = "vecshard condition";

void vs_conditions_clear(vs_conditions *conditions)
{
    for (int i = 0; i < conditions->count; i++) {
        vs_condition *condition = &conditions->items[i];
        for (int j = 0; j < condition->value_count; j++) {
            sqlite3_value_free(condition->values[j]);
        }
        sqlite3_free(condition->values);
    }
    conditions->count = 0;
}

static int conditions_add_value(vs_condition *condition, int *capacity, sqlite3_value *value)
{
    if (condition->value_count == *capacity) {
        int grown = *capacity == 0 ? 1 : 2 * *capacity;
        sqlite3_value **values =
            sqlite3_realloc64(condition->values, (size_t)grown * sizeof *values);
        if (values == NULL) {
            return SQLITE_NOMEM;
        }
        condition->values = values;
        *capacity = grown;
    }
    sqlite3_value *copy = sqlite3_value_dup(value);
    if (copy == NULL) {
        return SQLITE_NOMEM;
    }
    condition->values[condition->value_count++] = copy;
    return SQLITE_OK;
}

int vs_conditions_add(vs_conditions *conditions, int column, int op, const char *collation,
                      sqlite3_value *value, int is_in)
{
    int capacity = 0;
    int rc = SQLITE_OK;
    assert(conditions->count < VS_CONDITIONS_MAX);
    vs_condition *condition = &conditions->items[conditions->count++];
    memset(condition, 0, sizeof *condition);
    condition->column = column;
    condition->op = op;
    condition->is_in = is_in;
    sqlite3_snprintf((int)sizeof condition->collation, condition->collation, "%s", collation);
    if (op == SQLITE_INDEX_CONSTRAINT_ISNULL || op == SQLITE_INDEX_CONSTRAINT_ISNOTNULL) {
        return SQLITE_OK;
    }
    if (!is_in) {
        return conditions_add_value(condition, &capacity, value);
    }
    sqlite3_value *item = NULL;
    for (rc = sqlite3_vtab_in_first(value, &item); rc == SQLITE_OK && item != NULL;
         rc = sqlite3_vtab_in_next(value, &item)) {
        rc = conditions_add_value(condition, &capacity, item);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int conditions_is_partition(const vs_store *store, const vs_condition *condition)
{
    return condition->column >= 0 &&
           store->declaration.columns[condition->column].kind == VS_COLUMN_PARTITION;
}

int vs_conditions_only_partitions(const vs_store *store, const vs_conditions *conditions)
{
    for (int i = 0; i < conditions->count; i++) {
        if (!conditions_is_partition(store, &conditions->items[i])) {
            return 0;
        }
    }
    return store->declaration.partition_count > 0;
}

/* ---- SQL ------------------------------------------------------------------------------------- */

static const char *conditions_operator(int op)
{
    switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
        return "=";
    case SQLITE_INDEX_CONSTRAINT_GT:
        return ">";
    case SQLITE_INDEX_CONSTRAINT_LE:
        return "<=";
    case SQLITE_INDEX_CONSTRAINT_LT:
        return "<";
    case SQLITE_INDEX_CONSTRAINT_GE:
        return ">=";
    case SQLITE_INDEX_CONSTRAINT_NE:
        return "<>";
    case SQLITE_INDEX_CONSTRAINT_IS:
        return "IS";
    case SQLITE_INDEX_CONSTRAINT_ISNOT:
        return "IS NOT";
    case SQLITE_INDEX_CONSTRAINT_LIKE:
        return "LIKE";
    case SQLITE_INDEX_CONSTRAINT_GLOB:
        return "GLOB";
    case SQLITE_INDEX_CONSTRAINT_ISNULL:
        return "IS NULL";
    default:
        return "IS NOT NULL";
    }
}

/* Longer lists are given as one pointer: a statement has a limited number of variables, and many
 * take long to prepare. */
static int conditions_list_max(const vs_store *store)
{
    int limit = sqlite3_limit(store->db, SQLITE_LIMIT_VARIABLE_NUMBER, -1) / VS_CONDITIONS_MAX / 2;
    return limit < CONDITIONS_LIST_MAX ? limit : CONDITIONS_LIST_MAX;
}

static int conditions_is_long(const vs_store *store, const vs_condition *condition)
{
    return condition->value_count > conditions_list_max(store);
}

/* Affinity of a stored column. */
static vs_affinity conditions_column_affinity(const vs_store *store, int column)
{
    return column < 0 || store->declaration.columns[column].kind == VS_COLUMN_ROWID
               ? VS_AFFINITY_NUMBER
               : vs_declare_affinity(&store->declaration.columns[column]);
}

/* Affinities that the values may have had and that would have changed the column's side. */
static void conditions_other_affinities(const vs_store *store, const vs_condition *condition,
                                        int *out_number, int *out_text)
{
    vs_affinity affinity = conditions_column_affinity(store, condition->column);
    *out_number = *out_text = 0;
    if (affinity == VS_AFFINITY_NUMBER || !condition->or_affinity ||
        condition->op == SQLITE_INDEX_CONSTRAINT_LIKE ||
        condition->op == SQLITE_INDEX_CONSTRAINT_GLOB) {
        return;
    }
    for (int i = 0; i < condition->value_count; i++) {
        int type = sqlite3_value_type(condition->values[i]);
        *out_number |= type == SQLITE_INTEGER || type == SQLITE_FLOAT;
        *out_text |= type == SQLITE_TEXT && affinity == VS_AFFINITY_NONE;
    }
}

/* Is it on a column that may hold packed texts, which have to be unpacked for it? */
static int conditions_is_text(const vs_store *store, const vs_condition *condition)
{
    return condition->column >= 0 && condition->op != SQLITE_INDEX_CONSTRAINT_ISNULL &&
           condition->op != SQLITE_INDEX_CONSTRAINT_ISNOTNULL &&
           vs_store_is_text(store, condition->column);
}

/* The number of the first parameter that is a value. */
static int conditions_first(const vs_store *store, const vs_conditions *conditions)
{
    for (int i = 0; i < conditions->count; i++) {
        if (conditions_is_text(store, &conditions->items[i])) {
            return 2; /* ?1 is the store */
        }
    }
    return 1;
}

/* The value that the user gave to a column. Of a packed column it is an expression, which has
 * neither the column's affinity nor its collation. */
static void conditions_append_value(sqlite3_str *sql, const vs_store *store,
                                    const vs_condition *condition)
{
    int column = condition->column;
    if (column < 0 || store->declaration.columns[column].kind == VS_COLUMN_ROWID) {
        sqlite3_str_appendall(sql, "id");
    } else if (conditions_is_text(store, condition)) {
        sqlite3_str_appendf(sql, "iif(typeof(c%d) = 'blob', vecshard_text(c%d, ?1, %d, id), c%d)",
                            column, column, column, column);
    } else {
        sqlite3_str_appendf(sql, "c%d", column);
    }
}

/* The column's side of a comparison, seen as `type` (NULL: as it is). */
static void conditions_append_column(sqlite3_str *sql, const vs_store *store,
                                     const vs_condition *condition, const char *type)
{
    sqlite3_str_appendall(sql, type != NULL ? "CAST(" : "");
    conditions_append_value(sql, store, condition);
    if (type != NULL) {
        sqlite3_str_appendf(sql, " AS %s)", type);
    }
    if (condition->collation[0] != '\0') {
        sqlite3_str_appendf(sql, " COLLATE \"%w\"", condition->collation);
    } else if (conditions_is_text(store, condition)) {
        sqlite3_str_appendf(sql, " %s",
                            vs_declare_collation(&store->declaration.columns[condition->column]));
    }
}

/* Parameter n, which is value i: a number is a text beside a packed column, as it is beside a column
 * of TEXT affinity. */
static void conditions_append_parameter(sqlite3_str *sql, const vs_store *store,
                                        const vs_condition *condition, int i, int n)
{
    int type = sqlite3_value_type(condition->values[i]);
    int is_number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
    sqlite3_str_appendf(
        sql, is_number && conditions_is_text(store, condition) ? "CAST(?%d AS TEXT)" : "?%d", n);
}

/* A list given as a pointer; its parameters count from `first`. */
static void conditions_append_list(sqlite3_str *sql, const vs_store *store,
                                   const vs_condition *condition, int first, const char *type)
{
    int is_text = conditions_is_text(store, condition) && type == NULL;
    sqlite3_str_appendf(
        sql,
        " IN (WITH RECURSIVE l(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM l WHERE i + 1 < ?%d), "
        "v(x) AS (SELECT vecshard_list(?%d, i) FROM l) SELECT %s FROM v)",
        first, first + 1,
        is_text ? "iif(typeof(x) IN ('integer', 'real'), CAST(x AS TEXT), x)" : "x");
}

/* One comparison; its parameters count from `first`. type: the affinity that the values may have
 * had, or NULL. */
static void conditions_append_one(sqlite3_str *sql, const vs_store *store,
                                  const vs_condition *condition, int first, const char *type)
{
    conditions_append_column(sql, store, condition, condition->is_in ? type : NULL);
    if (!condition->is_in) {
        sqlite3_str_appendf(sql, " %s ", conditions_operator(condition->op));
        if (condition->value_count > 0 && type != NULL) {
            sqlite3_str_appendf(sql, "CAST(?%d AS %s)", first, type);
        } else if (condition->value_count > 0) {
            conditions_append_parameter(sql, store, condition, 0, first);
        }
    } else if (conditions_is_long(store, condition)) {
        conditions_append_list(sql, store, condition, first, type);
    } else {
        sqlite3_str_appendall(sql, " IN (");
        for (int i = 0; i < condition->value_count; i++) {
            sqlite3_str_appendall(sql, i == 0 ? "" : ",");
            if (type == NULL) {
                conditions_append_parameter(sql, store, condition, i, first + i);
            } else {
                sqlite3_str_appendf(sql, "?%d", first + i);
            }
        }
        sqlite3_str_appendall(sql, ")");
    }
}

/*
 * What is true only where a number meets a text: beside a column declared BLOB nothing is converted,
 * and beside a number column a text of the row that looks like a number is one.
 */
static void conditions_append_mixed(sqlite3_str *sql, const vs_store *store,
                                    const vs_condition *condition, int n)
{
    vs_affinity affinity = conditions_column_affinity(store, condition->column);
    if (affinity == VS_AFFINITY_NUMBER || !condition->or_affinity || condition->is_in ||
        condition->value_count == 0) {
        return;
    }
    int type = sqlite3_value_type(condition->values[0]);
    int is_less =
        condition->op == SQLITE_INDEX_CONSTRAINT_LT || condition->op == SQLITE_INDEX_CONSTRAINT_LE;
    if (affinity == VS_AFFINITY_TEXT && (type == SQLITE_INTEGER || type == SQLITE_FLOAT)) {
        sqlite3_str_appendall(sql, " OR +");
        conditions_append_value(sql, store, condition);
        sqlite3_str_appendf(sql, " %s ?%d", conditions_operator(condition->op), n);
    }
    if (is_less && type == SQLITE_TEXT) {
        sqlite3_str_appendall(sql, " OR ");
        conditions_append_value(sql, store, condition);
        sqlite3_str_appendall(sql, " = CAST(");
        conditions_append_value(sql, store, condition);
        sqlite3_str_appendall(sql, " AS NUMERIC)");
    }
}

/* The text of one condition; its parameters count from *n on. */
static void conditions_append(sqlite3_str *sql, const vs_store *store,
                              const vs_condition *condition, int *n)
{
    int as_number = 0, as_text = 0;
    conditions_other_affinities(store, condition, &as_number, &as_text);
    sqlite3_str_appendall(sql, "(");
    conditions_append_one(sql, store, condition, *n, NULL);
    if (as_number) {
        sqlite3_str_appendall(sql, " OR ");
        conditions_append_one(sql, store, condition, *n, "NUMERIC");
    }
    if (as_text) {
        sqlite3_str_appendall(sql, " OR ");
        conditions_append_one(sql, store, condition, *n, "TEXT");
    }
    conditions_append_mixed(sql, store, condition, *n);
    if (condition->or_blob) {
        sqlite3_str_appendall(sql, " OR typeof(");
        conditions_append_value(sql, store, condition);
        sqlite3_str_appendall(sql, ") = 'blob'");
    }
    sqlite3_str_appendall(sql, ")");
    *n += conditions_is_long(store, condition) ? 2 : condition->value_count;
}

char *vs_conditions_sql(const vs_store *store, const vs_conditions *conditions, int of_parts,
                        const char *columns, const char *tail)
{
    int n = conditions_first(store, conditions);
    const char *before = " WHERE ";
    sqlite3_str *sql = sqlite3_str_new(store->db);
    sqlite3_str_appendf(sql, "SELECT %s FROM \"%w\".\"%w_%s\"", columns, store->schema,
                        store->table, of_parts ? "parts" : "rows");
    for (int i = 0; i < conditions->count; i++) {
        if (!of_parts || conditions_is_partition(store, &conditions->items[i])) {
            sqlite3_str_appendall(sql, before);
            conditions_append(sql, store, &conditions->items[i], &n);
            before = " AND ";
        }
    }
    sqlite3_str_appendf(sql, " %s", tail);
    return sqlite3_str_finish(sql);
}

int vs_conditions_bind(const vs_store *store, const vs_conditions *conditions, int of_parts,
                       sqlite3_stmt *stmt)
{
    int n = conditions_first(store, conditions);
    int rc = of_parts || n == 1 ? SQLITE_OK : vs_store_text_bind_store(stmt, 1, store);
    for (int i = 0; i < conditions->count && rc == SQLITE_OK; i++) {
        const vs_condition *condition = &conditions->items[i];
        if (of_parts && !conditions_is_partition(store, condition)) {
            continue;
        }
        if (conditions_is_long(store, condition)) {
            (void)sqlite3_bind_int(stmt, n, condition->value_count);
            rc = sqlite3_bind_pointer(stmt, n + 1, (void *)(uintptr_t)condition, conditions_pointer,
                                      NULL);
            n += 2;
            continue;
        }
        for (int j = 0; j < condition->value_count && rc == SQLITE_OK; j++) {
            rc = sqlite3_bind_value(stmt, n++, condition->values[j]);
        }
    }
    return rc;
}

int vs_conditions_select(vs_store *store, const vs_conditions *conditions, int of_parts,
                         const char *columns, const char *tail, sqlite3_stmt **out, vs_err *err)
{
    char *sql = vs_conditions_sql(store, conditions, of_parts, columns, tail);
    *out = NULL;
    if (sql == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_NO_VTAB, out, NULL);
    sqlite3_free(sql);
    if (rc == SQLITE_OK) {
        rc = vs_conditions_bind(store, conditions, of_parts, *out);
    }
    if (rc != SQLITE_OK) {
        vs_error_db(err, rc, store->db, store->label);
        sqlite3_finalize(*out);
        *out = NULL;
    }
    return rc;
}

/* ---- long lists ------------------------------------------------------------------------------ */

static void conditions_list(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const vs_condition *condition = sqlite3_value_pointer(argv[0], conditions_pointer);
    sqlite3_int64 i = sqlite3_value_int64(argv[1]);
    (void)argc;
    if (condition != NULL && i >= 0 && i < condition->value_count) {
        sqlite3_result_value(ctx, condition->values[i]);
    }
}

int vs_conditions_register(vs_conn *conn)
{
    int rc =
        sqlite3_create_function_v2(conn->db, "vecshard_list", 2, SQLITE_UTF8 | SQLITE_INNOCUOUS,
                                   NULL, conditions_list, NULL, NULL, NULL);
    return rc == SQLITE_OK ? vs_store_text_register(conn) : rc;
}

/* ---- fingerprints ---------------------------------------------------------------------------- */

/* Appends bytes with their number before them, so that two lists are equal only when their parts
 * are. */
static void conditions_put(sqlite3_str *out, const void *data, size_t n)
{
    uint32_t length = (uint32_t)n;
    sqlite3_str_append(out, (const char *)&length, (int)sizeof length);
    if (n > 0) {
        sqlite3_str_append(out, data, (int)n);
    }
}

static void conditions_put_value(sqlite3_str *out, sqlite3_value *value)
{
    int type = sqlite3_value_type(value);
    conditions_put(out, &type, sizeof type);
    if (type == SQLITE_INTEGER) {
        sqlite3_int64 number = sqlite3_value_int64(value);
        conditions_put(out, &number, sizeof number);
    } else if (type == SQLITE_FLOAT) {
        double number = sqlite3_value_double(value);
        conditions_put(out, &number, sizeof number);
    } else if (type != SQLITE_NULL) {
        const void *data = sqlite3_value_blob(value);
        conditions_put(out, data, (size_t)sqlite3_value_bytes(value));
    }
}

void *vs_conditions_fingerprint(const vs_conditions *conditions, size_t *out_bytes)
{
    sqlite3_str *out = sqlite3_str_new(NULL);
    for (int i = 0; i < conditions->count; i++) {
        const vs_condition *condition = &conditions->items[i];
        const int numbers[] = {condition->column,  condition->op,          condition->is_in,
                               condition->or_blob, condition->or_affinity, condition->value_count};
        conditions_put(out, numbers, sizeof numbers);
        conditions_put(out, condition->collation, strlen(condition->collation));
        for (int j = 0; j < condition->value_count; j++) {
            conditions_put_value(out, condition->values[j]);
        }
    }
    *out_bytes = (size_t)sqlite3_str_length(out);
    return sqlite3_str_finish(out);
}
