/*
 * args.c - the arguments of table functions, while planning and while executing.
 *
 * Calls: error.c, table_tag.c.
 * Called by: the virtual tables.
 * Threads: the connection's.
 */
#include "args.h"

#include <math.h>

#include "table_tag.h"

int vs_args_find(const sqlite3_index_info *info, int first, int last, int *out)
{
    for (int column = first; column <= last; column++) {
        out[column - first] = -1;
    }
    for (int i = 0; i < info->nConstraint; i++) {
        int column = info->aConstraint[i].iColumn;
        if (info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ || column < first ||
            column > last) {
            continue;
        }
        if (!info->aConstraint[i].usable) {
            return SQLITE_CONSTRAINT;
        }
        out[column - first] = i;
    }
    return SQLITE_OK;
}

int vs_args_check_last(const sqlite3_index_info *info, int device_column, int count,
                       const char *who, vs_err *err)
{
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].iColumn == device_column &&
            info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ) {
            return vs_error(err, SQLITE_ERROR,
                            "%s: at most %d arguments (a condition on _device is written +_device)",
                            who, count);
        }
    }
    return SQLITE_OK;
}

const char *vs_args_literal(sqlite3_index_info *info, int constraint)
{
    sqlite3_value *value = NULL;
    if (constraint < 0 || sqlite3_vtab_rhs_value(info, constraint, &value) != SQLITE_OK ||
        value == NULL) {
        return NULL;
    }
    return sqlite3_value_type(value) == SQLITE_BLOB ? NULL
                                                    : (const char *)sqlite3_value_text(value);
}

int64_t vs_args_literal_k(sqlite3_index_info *info, int constraint, int64_t unknown)
{
    sqlite3_value *value = NULL;
    if (constraint < 0 || sqlite3_vtab_rhs_value(info, constraint, &value) != SQLITE_OK ||
        value == NULL) {
        return unknown;
    }
    int64_t k = sqlite3_value_int64(value);
    return k < 0 ? 0 : k > VS_K_MAX ? VS_K_MAX : k;
}

int vs_args_claim(sqlite3_index_info *info, int constraint, int argument, const char *who,
                  vs_err *err)
{
    if (constraint >= 16) {
        return vs_error(
            err, SQLITE_ERROR,
            "%s: more than 16 conditions on one search; move some of them to an outer query", who);
    }
    info->aConstraintUsage[constraint].argvIndex = argument;
    info->aConstraintUsage[constraint].omit = 1;
    return SQLITE_OK;
}

/* A plan that only reports an error. words: static. */
static void args_plan_error(sqlite3_index_info *info, int number, char *words)
{
    info->idxNum = number;
    info->idxStr = words;
    info->needToFreeIdxStr = 0;
    info->estimatedCost = 1e50;
}

void vs_args_plan_incomplete(sqlite3_index_info *info)
{
    static char words[] = "arguments are missing";
    args_plan_error(info, VS_ARGS_INCOMPLETE, words);
}

int vs_args_compares_k(const sqlite3_index_info *info, int column)
{
    for (int i = 0; i < info->nConstraint; i++) {
        unsigned char op = info->aConstraint[i].op;
        if (info->aConstraint[i].iColumn == column &&
            (op == SQLITE_INDEX_CONSTRAINT_LT || op == SQLITE_INDEX_CONSTRAINT_LE ||
             op == SQLITE_INDEX_CONSTRAINT_GT || op == SQLITE_INDEX_CONSTRAINT_GE ||
             op == SQLITE_INDEX_CONSTRAINT_NE)) {
            return 1;
        }
    }
    return 0;
}

int vs_args_plan_words(sqlite3_index_info *info, sqlite3_str *words, int rc)
{
    char *text = sqlite3_str_finish(words);
    if (rc == SQLITE_OK && text == NULL) {
        rc = SQLITE_NOMEM;
    }
    if (rc != SQLITE_OK) {
        sqlite3_free(text);
        return rc;
    }
    info->idxStr = text;
    info->needToFreeIdxStr = 1;
    return SQLITE_OK;
}

void vs_args_plan_k_compared(sqlite3_index_info *info)
{
    static char words[] = "k is compared, not given";
    args_plan_error(info, VS_ARGS_K_COMPARED, words);
}

int vs_args_k_is_compared(const char *who, vs_err *err)
{
    return vs_error(err, SQLITE_ERROR,
                    "%s: k is given by = alone: write k = 10, not <, <=, >, >=, <> or BETWEEN",
                    who);
}

int vs_args_text(const char *who, const char *what, sqlite3_value *value, const char **out,
                 vs_err *err)
{
    *out = NULL;
    if (sqlite3_value_type(value) == SQLITE_NULL) {
        return vs_error(err, SQLITE_ERROR, "%s: %s must be text, found NULL", who, what);
    }
    if (sqlite3_value_type(value) == SQLITE_BLOB) {
        return vs_error(err, SQLITE_ERROR, "%s: %s must be text, found a BLOB", who, what);
    }
    const char *text = (const char *)sqlite3_value_text(value);
    if (text == NULL) {
        return SQLITE_NOMEM;
    }
    if (sqlite3_value_type(value) != SQLITE_TEXT) {
        return vs_error(err, SQLITE_ERROR, "%s: %s must be text, found %.40s", who, what, text);
    }
    if (strlen(text) != (size_t)sqlite3_value_bytes(value)) {
        return vs_error(err, SQLITE_ERROR, "%s: %s must be text without NUL characters", who, what);
    }
    *out = text;
    return SQLITE_OK;
}

int vs_args_optional_text(const char *who, const char *what, sqlite3_value *value, const char **out,
                          vs_err *err)
{
    *out = NULL;
    if (value == NULL || sqlite3_value_type(value) == SQLITE_NULL) {
        return SQLITE_OK;
    }
    return vs_args_text(who, what, value, out, err);
}

int vs_args_k(const char *who, sqlite3_value *value, int64_t *out, vs_err *err)
{
    *out = INT64_MAX;
    if (value == NULL || sqlite3_value_type(value) == SQLITE_NULL) {
        return SQLITE_OK;
    }
    int type = sqlite3_value_numeric_type(value);
    double number = sqlite3_value_double(value);
    /* 10.0 is 10: some languages have no other numbers. */
    if (type == SQLITE_BLOB) {
        return vs_error(err, SQLITE_ERROR, "%s: k must be an integer, found a BLOB", who);
    }
    if (type != SQLITE_INTEGER && !(type == SQLITE_FLOAT && number == floor(number))) {
        const char *text = (const char *)sqlite3_value_text(value);
        return text == NULL ? SQLITE_NOMEM
                            : vs_error(err, SQLITE_ERROR, "%s: k must be an integer, found %.40s",
                                       who, text);
    }
    if (!(number >= 0.0 && number <= VS_K_MAX)) {
        return vs_error(err, SQLITE_ERROR, "%s: k must be from 0 to %d, found %s", who, VS_K_MAX,
                        (const char *)sqlite3_value_text(value));
    }
    *out = (int64_t)number;
    return SQLITE_OK;
}

int vs_args_is_writing(sqlite3 *db)
{
    for (sqlite3_stmt *stmt = sqlite3_next_stmt(db, NULL); stmt != NULL;
         stmt = sqlite3_next_stmt(db, stmt)) {
        if (sqlite3_stmt_busy(stmt) && !sqlite3_stmt_readonly(stmt)) {
            return 1;
        }
    }
    return 0;
}

int vs_table_connect(sqlite3 *db, void *aux, const char *schema, sqlite3_vtab **out)
{
    int rc = sqlite3_declare_vtab(db, schema);
    if (rc != SQLITE_OK) {
        return rc;
    }
    vs_table *table = sqlite3_malloc64(sizeof *table);
    if (table == NULL) {
        return SQLITE_NOMEM;
    }
    memset(table, 0, sizeof *table);
    table->conn = aux;
    *out = &table->base;
    return SQLITE_OK;
}

int vs_table_disconnect(sqlite3_vtab *base)
{
    vs_table_tags_free(((vs_table *)base)->conn);
    sqlite3_free(base);
    return SQLITE_OK;
}
