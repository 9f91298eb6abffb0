/*
 * conditions.c - conditions on columns other than vectors, as SQL over the row table.
 *
 * Calls: store.c.
 * Called by: rowset.c, vtab_index.c.
 * Threads: the connection's.
 */
#include "conditions.h"

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

/* A statement has 32,766 variables by default, and fewer where the host says so. */
static int conditions_list_max(const vs_store *store)
{
    return sqlite3_limit(store->db, SQLITE_LIMIT_VARIABLE_NUMBER, -1) / 2;
}

/* The text of one condition; its parameters count from *n on. */
static void conditions_append(sqlite3_str *sql, const vs_store *store,
                              const vs_condition *condition, int *n)
{
    const vs_column_spec *column =
        condition->column < 0 ? NULL : &store->declaration.columns[condition->column];
    if (column == NULL || column->kind == VS_COLUMN_ROWID) {
        sqlite3_str_appendall(sql, "id");
    } else {
        sqlite3_str_appendf(sql, "c%d", condition->column);
    }
    if (condition->collation[0] != '\0') {
        sqlite3_str_appendf(sql, " COLLATE \"%w\"", condition->collation);
    }
    if (condition->is_in) {
        sqlite3_str_appendall(sql, " IN (");
        for (int i = 0; i < condition->value_count; i++) {
            sqlite3_str_appendf(sql, i == 0 ? "?%d" : ",?%d", (*n)++);
        }
        sqlite3_str_appendall(sql, ")");
        return;
    }
    sqlite3_str_appendf(sql, " %s", conditions_operator(condition->op));
    if (condition->value_count > 0) {
        sqlite3_str_appendf(sql, " ?%d", (*n)++);
    }
}

int vs_conditions_select(vs_store *store, const vs_conditions *conditions, int of_parts,
                         const char *columns, const char *tail, sqlite3_stmt **out, vs_err *err)
{
    int n = 1;
    int is_first = 1;
    int rc = SQLITE_OK;
    *out = NULL;
    sqlite3_str *sql = sqlite3_str_new(store->db);
    sqlite3_str_appendf(sql, "SELECT %s FROM \"%w\".\"%w_%s\"", columns, store->schema,
                        store->table, of_parts ? "parts" : "rows");
    for (int i = 0; i < conditions->count; i++) {
        const vs_condition *condition = &conditions->items[i];
        if (of_parts && !conditions_is_partition(store, condition)) {
            continue;
        }
        if (condition->value_count > conditions_list_max(store)) {
            rc = vs_error(
                err, SQLITE_ERROR,
                "%s: a list of %d values is too long for IN; put them into a table and join "
                "it",
                store->label, condition->value_count);
        }
        sqlite3_str_appendall(sql, is_first ? " WHERE " : " AND ");
        is_first = 0;
        conditions_append(sql, store, condition, &n);
    }
    sqlite3_str_appendf(sql, " %s", tail);
    char *text = sqlite3_str_finish(sql);
    if (text == NULL) {
        return SQLITE_NOMEM;
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_prepare_v3(store->db, text, -1, SQLITE_PREPARE_NO_VTAB, out, NULL);
        rc = rc == SQLITE_OK ? rc : vs_error_db(err, rc, store->db, store->label);
    }
    sqlite3_free(text);
    n = 1;
    for (int i = 0; i < conditions->count && rc == SQLITE_OK; i++) {
        const vs_condition *condition = &conditions->items[i];
        for (int j = 0; j < condition->value_count && rc == SQLITE_OK &&
                        !(of_parts && !conditions_is_partition(store, condition));
             j++) {
            rc = sqlite3_bind_value(*out, n++, condition->values[j]);
        }
    }
    if (rc != SQLITE_OK) {
        sqlite3_finalize(*out);
        *out = NULL;
    }
    return rc;
}

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
        const int numbers[] = {condition->column, condition->op, condition->is_in,
                               condition->value_count};
        conditions_put(out, numbers, sizeof numbers);
        conditions_put(out, condition->collation, strlen(condition->collation));
        for (int j = 0; j < condition->value_count; j++) {
            conditions_put_value(out, condition->values[j]);
        }
    }
    *out_bytes = (size_t)sqlite3_str_length(out);
    return sqlite3_str_finish(out);
}
