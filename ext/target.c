/*
 * target.c - the table and column that a search reads, found in the schema and checked.
 *
 * Names that a user passes as values are looked up with PRAGMAs of the schema they belong to, and
 * only names that were found there are written into statements, quoted. Which indexes lead with the
 * norm of the column is read from their text (ddl.c), because no PRAGMA tells the expression of an
 * index.
 *
 * Calls: ddl.c.
 * Called by: plan.c, rows.c, id_map.c, norm_profile.c, func_search.c, func_gpu.c.
 * Threads: the connection's.
 */
#include "target.h"

#include "ddl.h"
#include "value.h"

void vs_index_free(vs_index *index)
{
    sqlite3_free(index->name);
    sqlite3_free(index->norm_sql);
    sqlite3_free(index->where_sql);
    memset(index, 0, sizeof *index);
}

void vs_target_free(vs_target *target)
{
    sqlite3_free(target->label);
    sqlite3_free(target->schema);
    sqlite3_free(target->table);
    sqlite3_free(target->column);
    sqlite3_free(target->id_sql);
    sqlite3_free(target->table_sql);
    for (size_t i = 0; i < target->index_count; i++) {
        vs_index_free(&target->indexes[i]);
    }
    sqlite3_free(target->indexes);
    memset(target, 0, sizeof *target);
}

/* Prepares a statement of our own over the schema; frees sql. */
static int target_prepare_pragma(sqlite3 *db, const char *who, char *sql, sqlite3_stmt **out,
                                 vs_err *err)
{
    *out = NULL;
    if (sql == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = sqlite3_prepare_v3(db, sql, -1, 0, out, NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK ? rc : vs_error_db(err, rc, db, who);
}

/* A copy of a text column, or NULL for NULL. *rc becomes SQLITE_NOMEM when there is no memory. */
static char *target_copy_text(sqlite3_stmt *stmt, int column, int *rc)
{
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL) {
        return NULL;
    }
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    char *copy = text == NULL ? NULL : sqlite3_mprintf("%s", text);
    if (copy == NULL) {
        *rc = SQLITE_NOMEM;
    }
    return copy;
}

/* Ends a loop over a statement: SQLITE_DONE is success. */
static int target_finish(sqlite3_stmt *stmt, sqlite3 *db, const char *who, int rc, vs_err *err)
{
    if (rc == SQLITE_DONE) {
        rc = SQLITE_OK;
    } else if (rc != SQLITE_OK && rc != SQLITE_NOMEM && err->message == NULL) {
        rc = vs_error_db(err, rc, db, who);
    }
    sqlite3_finalize(stmt);
    return rc;
}

typedef enum target_kind { TARGET_ABSENT, TARGET_TABLE, TARGET_VIEW, TARGET_VIRTUAL } target_kind;

/*
 * What `table` is in one schema. Read from sqlite_schema: PRAGMA table_list would compile every
 * view to count its columns, and a view over a search leads back here.
 */
static int target_look_up(vs_target *target, const char *who, const char *schema, const char *table,
                          target_kind *out, vs_err *err)
{
    sqlite3_stmt *stmt;
    *out = TARGET_ABSENT;
    int rc = target_prepare_pragma(
        target->db, who,
        sqlite3_mprintf("SELECT name, type = 'view', rootpage FROM \"%w\".sqlite_schema "
                        "WHERE type IN ('table', 'view') AND name = %Q COLLATE NOCASE",
                        schema, table),
        &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        rc = SQLITE_OK;
        sqlite3_free(target->table);
        target->table = target_copy_text(stmt, 0, &rc);
        *out = sqlite3_column_int(stmt, 1)          ? TARGET_VIEW
               : sqlite3_column_int64(stmt, 2) == 0 ? TARGET_VIRTUAL
                                                    : TARGET_TABLE;
    }
    return target_finish(stmt, target->db, who, rc, err);
}

/* The names of the open databases in the order in which SQLite resolves a table: temp, main,
 * attached. */
static int target_list_schemas(sqlite3 *db, const char *who, char ***out, size_t *out_count,
                               vs_err *err)
{
    sqlite3_stmt *stmt;
    char **names = NULL;
    size_t count = 0;
    *out = NULL;
    *out_count = 0;
    int rc = target_prepare_pragma(db, who, sqlite3_mprintf("PRAGMA database_list"), &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) { /* seq (main 0, temp 1), name, file */
        char **grown = sqlite3_realloc64(names, (count + 1) * sizeof *names);
        if (grown == NULL) {
            rc = SQLITE_NOMEM;
            break;
        }
        names = grown;
        rc = SQLITE_OK;
        char *name = target_copy_text(stmt, 1, &rc);
        if (rc != SQLITE_OK) {
            break;
        }
        if (sqlite3_column_int(stmt, 0) == 1 &&
            count == 1) { /* temp is listed after main but searched before it */
            names[1] = names[0];
            names[0] = name;
        } else {
            names[count] = name;
        }
        count++;
    }
    *out = names;
    *out_count = count;
    return target_finish(stmt, db, who, rc, err);
}

/* Sets schema, table and *kind for "table" or "schema.table". */
static int target_find_table(vs_target *target, const char *who, const char *name,
                             target_kind *kind, vs_err *err)
{
    char **schemas;
    size_t count;
    int rc = target_list_schemas(target->db, who, &schemas, &count, err);
    for (size_t i = 0; rc == SQLITE_OK && i < count && *kind == TARGET_ABSENT;
         i++) { /* the whole text as a table's name */
        rc = target_look_up(target, who, schemas[i], name, kind, err);
        if (*kind != TARGET_ABSENT) {
            target->schema = schemas[i];
            schemas[i] = NULL;
        }
    }
    for (size_t i = 0; rc == SQLITE_OK && i < count && *kind == TARGET_ABSENT;
         i++) { /* a schema's name, a dot, a table's name */
        size_t n = strlen(schemas[i]);
        if (sqlite3_strnicmp(name, schemas[i], (int)n) == 0 && name[n] == '.') {
            rc = target_look_up(target, who, schemas[i], name + n + 1, kind, err);
            if (*kind != TARGET_ABSENT) {
                target->schema = schemas[i];
                schemas[i] = NULL;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        sqlite3_free(schemas[i]);
    }
    sqlite3_free(schemas);
    if (rc == SQLITE_OK && *kind == TARGET_ABSENT) {
        rc = vs_error(err, SQLITE_ERROR, "%s: no such table: %s", who, name);
    }
    return rc;
}

static const char *const target_rowid_names[] = {"rowid", "_rowid_", "oid"};
#define TARGET_ROWID_NAMES 3
#define TARGET_ROWID_NAMES_ALL 7U /* as bits */

/* What the columns of a table say. */
typedef struct target_columns {
    unsigned taken;  /* names of the rowid that are columns: bits 0 to 2 */
    int key_columns; /* of the primary key */
    char *key;       /* owned: its first column, quoted; NULL: none */
    int is_integer;  /* that column is INTEGER: the rowid, where there is one */
    int is_int;      /* it is INT, which is not the rowid */
} target_columns;

static int target_read_columns(vs_target *target, const char *who, const char *column,
                               target_columns *out, vs_err *err)
{
    sqlite3_stmt *stmt;
    int rc = target_prepare_pragma(
        target->db, who,
        sqlite3_mprintf("PRAGMA \"%w\".table_xinfo(\"%w\")", target->schema, target->table), &stmt,
        err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        /* cid, name, type, notnull, dflt_value, pk, hidden */
        const char *name = (const char *)sqlite3_column_text(stmt, 1);
        const char *type = (const char *)sqlite3_column_text(stmt, 2);
        if (name == NULL || type == NULL) {
            rc = SQLITE_NOMEM;
            break;
        }
        rc = SQLITE_OK;
        if (sqlite3_stricmp(name, column) == 0 && target->column == NULL) {
            target->column = target_copy_text(stmt, 1, &rc);
        }
        for (unsigned i = 0; i < TARGET_ROWID_NAMES; i++) {
            out->taken |= sqlite3_stricmp(name, target_rowid_names[i]) == 0 ? 1U << i : 0U;
        }
        if (sqlite3_column_int(stmt, 5) != 0 && out->key_columns++ == 0) {
            out->is_integer = sqlite3_stricmp(type, "INTEGER") == 0;
            out->is_int = sqlite3_stricmp(type, "INT") == 0;
            out->key = sqlite3_mprintf("\"%w\"", name);
            rc = out->key == NULL ? SQLITE_NOMEM : rc;
        }
    }
    return target_finish(stmt, target->db, who, rc, err);
}

/*
 * The name of the rowid that no column has taken and that the table answers to: *out, or NULL in a
 * WITHOUT ROWID table.
 */
static int target_rowid_name(const vs_target *target, const char *who, unsigned taken,
                             const char **out, vs_err *err)
{
    *out = NULL;
    for (unsigned i = 0; i < TARGET_ROWID_NAMES; i++) {
        if ((taken & (1U << i)) == 0) {
            int rc =
                sqlite3_table_column_metadata(target->db, target->schema, target->table,
                                              target_rowid_names[i], NULL, NULL, NULL, NULL, NULL);
            if (rc == SQLITE_OK) {
                *out = target_rowid_names[i];
            }
            return rc == SQLITE_ERROR ? SQLITE_OK
                   : rc == SQLITE_OK  ? rc
                                      : vs_error_db(err, rc, target->db, who);
        }
    }
    return SQLITE_OK;
}

/* Checks the column and finds the SQL of the id. */
static int target_find_columns(vs_target *target, const char *who, const char *column, vs_err *err)
{
    target_columns columns;
    memset(&columns, 0, sizeof columns);
    int rc = target_read_columns(target, who, column, &columns, err);
    if (rc == SQLITE_OK && target->column == NULL) {
        rc = vs_error(err, SQLITE_ERROR, "%s: table %s has no column %s", who, target->table,
                      column);
    }
    const char *rowid = NULL;
    if (rc == SQLITE_OK) {
        rc = target_rowid_name(target, who, columns.taken, &rowid, err);
    }
    if (rc == SQLITE_OK && rowid != NULL) {
        target->id_sql = sqlite3_mprintf("%s", rowid);
        rc = target->id_sql == NULL ? SQLITE_NOMEM : SQLITE_OK;
    } else if (rc == SQLITE_OK && columns.key_columns == 1 &&
               (columns.is_integer ||
                (columns.is_int && columns.taken != TARGET_ROWID_NAMES_ALL))) {
        target->id_sql = columns.key;
        columns.key = NULL;
    } else if (rc == SQLITE_OK) {
        rc = vs_error(err, SQLITE_ERROR,
                      "%s: table %s %s and its primary key is not a single INTEGER column", who,
                      target->table,
                      columns.taken == TARGET_ROWID_NAMES_ALL
                          ? "hides its rowid behind columns named rowid, _rowid_ and oid"
                          : "is WITHOUT ROWID");
    }
    sqlite3_free(columns.key);
    return rc;
}

/* The text that created an index or a table; *out NULL when it has none (automatic indexes). */
static int target_schema_text(const vs_target *target, const char *who, const char *type,
                              const char *name, char **out, vs_err *err)
{
    sqlite3_stmt *stmt;
    *out = NULL;
    int rc = target_prepare_pragma(
        target->db, who,
        sqlite3_mprintf(
            "SELECT sql FROM \"%w\".sqlite_schema WHERE type = %Q AND name = %Q COLLATE NOCASE",
            target->schema, type, name),
        &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        rc = SQLITE_OK;
        *out = target_copy_text(stmt, 0, &rc);
    }
    return target_finish(stmt, target->db, who, rc, err);
}

/* Is `expression` the norm of the target's column as elements of `type`? */
static int target_is_norm(const vs_target *target, vs_ddl_span expression, vsk_type type)
{
    static const char *const constructors[VSK_TYPE_COUNT] = {"vec_f32", "vec_f16", "vec_bf16",
                                                             "vec_int8", "vec_bit"};
    vs_ddl_span constructor;
    if (!vs_ddl_is_norm(expression, target->column, &constructor)) {
        return 0;
    }
    if (constructor.n == 0) {
        return type == VSK_F32;
    }
    return constructor.n == strlen(constructors[type]) &&
           sqlite3_strnicmp(constructor.text, constructors[type], (int)constructor.n) == 0;
}

/* Does the column keep numbers as numbers? One of TEXT affinity stores and orders a norm as text.
 */
static int target_keeps_numbers(const vs_target *target, const char *column)
{
    const char *type = NULL;
    int rc = sqlite3_table_column_metadata(target->db, target->schema, target->table, column, &type,
                                           NULL, NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        return 0;
    }
    return type == NULL || sqlite3_strlike("%int%", type, 0) == 0 ||
           (sqlite3_strlike("%char%", type, 0) != 0 && sqlite3_strlike("%clob%", type, 0) != 0 &&
            sqlite3_strlike("%text%", type, 0) != 0);
}

/* The SQL of the norm as index `index` leads with it, or NULL in *out when it leads with something
 * else. */
static int target_norm_sql(const vs_target *target, const char *who, const char *first_column,
                           const char *create_index, vsk_type type, char **out, vs_err *err)
{
    vs_ddl_span span;
    char *create_table = NULL;
    int rc = SQLITE_OK;
    *out = NULL;
    if (first_column == NULL) { /* an expression */
        if (create_index != NULL && vs_ddl_index_term(create_index, 0, &span) &&
            target_is_norm(target, span, type)) {
            vs_ddl_span constructor;
            (void)vs_ddl_is_norm(span, target->column, &constructor);
            *out = constructor.n == 0
                       ? sqlite3_mprintf("vec_norm(\"%w\")", target->column)
                       : sqlite3_mprintf("vec_norm(%.*s(\"%w\"))", (int)constructor.n,
                                         constructor.text, target->column);
            rc = *out == NULL ? SQLITE_NOMEM : SQLITE_OK;
        }
        return rc;
    }
    rc = target_schema_text(target, who, "table", target->table, &create_table, err);
    if (rc == SQLITE_OK && create_table != NULL &&
        vs_ddl_generated(create_table, first_column, &span) && target_is_norm(target, span, type) &&
        target_keeps_numbers(target, first_column)) {
        *out = sqlite3_mprintf("\"%w\"", first_column);
        rc = *out == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    sqlite3_free(create_table);
    return rc;
}

/* Describes the index called `name`. */
static int target_describe_index(const vs_target *target, const char *who, const char *name,
                                 int is_partial, vsk_type type, vs_index *out, vs_err *err)
{
    sqlite3_stmt *stmt;
    char *create_index = NULL;
    char *first_column = NULL;
    int is_first = 1;
    memset(out, 0, sizeof *out);
    int rc = target_schema_text(target, who, "index", name, &create_index, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = target_prepare_pragma(
        target->db, who, sqlite3_mprintf("PRAGMA \"%w\".index_xinfo(\"%w\")", target->schema, name),
        &stmt, err);
    while (rc == SQLITE_OK &&
           (rc = sqlite3_step(stmt)) == SQLITE_ROW) { /* seqno, cid, name, desc, coll, key */
        rc = SQLITE_OK;
        char *column = target_copy_text(stmt, 2, &rc);
        out->has_column |= column != NULL && sqlite3_stricmp(column, target->column) == 0;
        if (is_first) {
            first_column = column;
            is_first = 0;
        } else {
            sqlite3_free(column);
        }
    }
    if (stmt != NULL) {
        rc = target_finish(stmt, target->db, who, rc, err);
    }
    if (rc == SQLITE_OK) {
        rc = target_norm_sql(target, who, first_column, create_index, type, &out->norm_sql, err);
    }
    vs_ddl_span where;
    if (rc == SQLITE_OK && is_partial) {
        if (create_index != NULL && vs_ddl_index_where(create_index, &where)) {
            out->where_sql = vs_ddl_without_comments(where);
            rc = out->where_sql == NULL ? SQLITE_NOMEM : SQLITE_OK;
        } else {
            rc = vs_error(err, SQLITE_ERROR,
                          "%s: the predicate of partial index %s cannot be read from "
                          "the schema",
                          who, name);
        }
    }
    if (rc == SQLITE_OK) {
        out->name = sqlite3_mprintf("%s", name);
        rc = out->name == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    sqlite3_free(create_index);
    sqlite3_free(first_column);
    if (rc != SQLITE_OK) {
        vs_index_free(out);
    }
    return rc;
}

/* Finds the indexes that lead with the norm. */
static int target_find_indexes(vs_target *target, const char *who, vsk_type type, vs_err *err)
{
    sqlite3_stmt *stmt;
    int rc = target_prepare_pragma(
        target->db, who,
        sqlite3_mprintf("PRAGMA \"%w\".index_list(\"%w\")", target->schema, target->table), &stmt,
        err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) { /* seq, name, unique, origin, partial */
        const char *name = (const char *)sqlite3_column_text(stmt, 1);
        const char *origin = (const char *)sqlite3_column_text(stmt, 3);
        if (name == NULL || origin == NULL) {
            rc = SQLITE_NOMEM;
            break;
        }
        if (strcmp(origin, "c") != 0) {
            continue; /* belongs to a PRIMARY KEY or UNIQUE constraint */
        }
        vs_index index;
        rc = target_describe_index(target, who, name, sqlite3_column_int(stmt, 4), type, &index,
                                   err);
        if (rc != SQLITE_OK) {
            break;
        }
        if (index.norm_sql == NULL) {
            vs_index_free(&index);
            continue;
        }
        vs_index *grown =
            sqlite3_realloc64(target->indexes, (target->index_count + 1) * sizeof *grown);
        if (grown == NULL) {
            vs_index_free(&index);
            rc = SQLITE_NOMEM;
            break;
        }
        target->indexes = grown;
        target->indexes[target->index_count++] = index;
    }
    return target_finish(stmt, target->db, who, rc, err);
}

/* A virtual table: the caller finds out whether it is one of ours. Ends like vs_target_find. */
static int target_finish_virtual(vs_target *target, const char *table, const char *column)
{
    target->column = sqlite3_mprintf("%s", column);
    target->label = sqlite3_mprintf("%s.%s", table, column);
    /* Its rows are counted by the ids of the table that holds them. */
    target->table_sql = sqlite3_mprintf("\"%w\".\"%w_rows\"", target->schema, target->table);
    target->id_sql = sqlite3_mprintf("id");
    if (target->column == NULL || target->label == NULL || target->table_sql == NULL ||
        target->id_sql == NULL) {
        vs_target_free(target);
        return SQLITE_NOMEM;
    }
    return SQLITE_OK;
}

/* Sets schema, table and is_virtual. */
static int target_find_base(vs_target *target, const char *who, const char *table, vs_err *err)
{
    target_kind kind = TARGET_ABSENT;
    int rc = target_find_table(target, who, table, &kind, err);
    if (rc == SQLITE_OK && kind == TARGET_VIEW) {
        rc = vs_error(err, SQLITE_ERROR,
                      "%s: %s is a view, which has no rowids; name its base table", who, table);
    }
    target->is_virtual = kind == TARGET_VIRTUAL;
    return rc;
}

int vs_target_find_table(sqlite3 *db, const char *who, const char *table, vs_target *out,
                         vs_err *err)
{
    memset(out, 0, sizeof *out);
    out->db = db;
    int rc = target_find_base(out, who, table, err);
    if (rc == SQLITE_OK) {
        out->table_sql = sqlite3_mprintf("\"%w\".\"%w\"", out->schema, out->table);
        rc = out->table_sql == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    if (rc != SQLITE_OK) {
        vs_target_free(out);
    }
    return rc;
}

int vs_target_find(sqlite3 *db, const char *who, const char *table, const char *column,
                   vsk_type type, vs_target *out, vs_err *err)
{
    int rc = SQLITE_OK;
    memset(out, 0, sizeof *out);
    out->db = db;
    if (strlen(table) > 2 * VS_NAME_BYTES_MAX || strlen(column) > VS_NAME_BYTES_MAX) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: names have at most %d bytes, found table %.40s... and column %.40s...",
                        who, VS_NAME_BYTES_MAX, table, column);
    }
    rc = target_find_base(out, who, table, err);
    if (rc == SQLITE_OK && out->is_virtual) {
        return target_finish_virtual(out, table, column);
    }
    if (rc == SQLITE_OK) {
        rc = target_find_columns(out, who, column, err);
    }
    if (rc == SQLITE_OK) {
        out->label = sqlite3_mprintf("%s.%s", table, out->column);
        out->table_sql = sqlite3_mprintf("\"%w\".\"%w\"", out->schema, out->table);
        rc = out->label == NULL || out->table_sql == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    if (rc == SQLITE_OK && type != VSK_BIT) {
        rc = target_find_indexes(out, who, type, err);
    }
    if (rc != SQLITE_OK) {
        vs_target_free(out);
    }
    return rc;
}

int vs_target_index(const vs_target *target, const char *who, const char *name, vsk_type type,
                    vs_index *out, vs_err *err)
{
    sqlite3_stmt *stmt;
    char *found = NULL;
    int is_partial = 0;
    sqlite3_str *list = sqlite3_str_new(target->db);
    memset(out, 0, sizeof *out);
    int rc = target_prepare_pragma(
        target->db, who,
        sqlite3_mprintf("PRAGMA \"%w\".index_list(\"%w\")", target->schema, target->table), &stmt,
        err);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        rc = SQLITE_OK;
        char *row_name = target_copy_text(stmt, 1, &rc);
        if (row_name == NULL) {
            break;
        }
        sqlite3_str_appendf(list, "%s%s", sqlite3_str_length(list) > 0 ? ", " : "", row_name);
        if (found == NULL && sqlite3_stricmp(row_name, name) == 0) {
            found = row_name;
            is_partial = sqlite3_column_int(stmt, 4);
        } else {
            sqlite3_free(row_name);
        }
    }
    if (stmt != NULL) {
        rc = target_finish(stmt, target->db, who, rc, err);
    }
    char *names = sqlite3_str_finish(list);
    if (rc == SQLITE_OK && found == NULL) {
        rc = vs_error(err, SQLITE_ERROR, "%s: table %s has no index %s (%s%s)", who, target->table,
                      name, names == NULL ? "it has none" : "it has ", names == NULL ? "" : names);
    }
    if (rc == SQLITE_OK) {
        rc = target_describe_index(target, who, found, is_partial, type, out, err);
    }
    sqlite3_free(names);
    sqlite3_free(found);
    return rc;
}

int vs_target_prepare(const vs_target *target, const char *who, char *sql, sqlite3_stmt **out,
                      vs_err *err)
{
    *out = NULL;
    if (sql == NULL) {
        return SQLITE_NOMEM;
    }
    /* FROM_DDL: a partial index's predicate comes from the file, so what it calls must be allowed
     * in a schema. */
    int rc = sqlite3_prepare_v3(target->db, sql, -1,
                                SQLITE_PREPARE_NO_VTAB | SQLITE_PREPARE_FROM_DDL, out, NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK
               ? rc
               : vs_error(err, rc, "%s: %s: %s", who, target->label, sqlite3_errmsg(target->db));
}

int vs_target_extent(const vs_target *target, const char *who, int64_t *out_lo, int64_t *out_hi,
                     vs_err *err)
{
    sqlite3_stmt *stmt;
    *out_lo = 0;
    *out_hi = -1;
    int rc = vs_target_prepare(
        target, who,
        sqlite3_mprintf("SELECT (SELECT min(%s) FROM %s), (SELECT max(%s) FROM %s)", target->id_sql,
                        target->table_sql, target->id_sql, target->table_sql),
        &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        if (sqlite3_column_type(stmt, 0) == SQLITE_INTEGER &&
            sqlite3_column_type(stmt, 1) == SQLITE_INTEGER) {
            *out_lo = sqlite3_column_int64(stmt, 0);
            *out_hi = sqlite3_column_int64(stmt, 1);
        }
        rc = SQLITE_OK;
    }
    return target_finish(stmt, target->db, who, rc, err);
}
