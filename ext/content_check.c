/*
 * content_check.c - compares an index over an existing table with that table.
 *
 * First the three triggers by which the index follows, with the text that they were made with. Then
 * the rows: the table is named by the triggers, so without any there is nothing to compare with.
 *
 * Calls: content.c, declare.c, SQLite over the table and t_rows.
 * Called by: check.c.
 * Threads: the connection's.
 */
#include "content_check.h"

#include "content.h"

#define CONTENT_CHECK_IDS 10 /* of rows, in one finding */

typedef struct content_check {
    vs_store *store;
    char *table;    /* owned: name of the content table at the moment; NULL: not known */
    int has_insert; /* the trigger by which content.c knows the table is there */
    vs_content_found found;
    void *arg;
    vs_err *err;
} content_check;

/* Prepares a statement; `sql` is freed. */
static int content_check_prepare(content_check *check, char *sql, sqlite3_stmt **out)
{
    *out = NULL;
    int rc = sql == NULL
                 ? SQLITE_NOMEM
                 : sqlite3_prepare_v3(check->store->db, sql, -1, SQLITE_PREPARE_NO_VTAB, out, NULL);
    sqlite3_free(sql);
    return rc;
}

static int content_check_error(content_check *check, int rc)
{
    return vs_error_db(check->err, rc, check->store->db, check->store->label);
}

/* ---- triggers -------------------------------------------------------------------------------- */

/* Table and text of one trigger: sqlite3_malloc'ed; NULL where there is none. */
static int content_check_read_trigger(content_check *check, int event, char **out_table,
                                      char **out_sql)
{
    const vs_store *store = check->store;
    sqlite3_stmt *stmt;
    char *name = vs_content_trigger_name(store, event);
    *out_table = *out_sql = NULL;
    int rc =
        name == NULL
            ? SQLITE_NOMEM
            : content_check_prepare(
                  check,
                  sqlite3_mprintf("SELECT tbl_name, sql FROM \"%w\".sqlite_schema WHERE type = "
                                  "'trigger' AND name = %Q COLLATE NOCASE",
                                  store->schema, name),
                  &stmt);
    sqlite3_free(name);
    if (rc != SQLITE_OK) {
        return rc == SQLITE_NOMEM ? rc : content_check_error(check, rc);
    }
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        const char *sql = (const char *)sqlite3_column_text(stmt, 1);
        *out_table = sqlite3_mprintf("%s", (const char *)sqlite3_column_text(stmt, 0));
        *out_sql = sqlite3_mprintf("%s", sql == NULL ? "" : sql);
        rc = *out_table == NULL || *out_sql == NULL ? SQLITE_NOMEM : SQLITE_OK;
    } else {
        rc = rc == SQLITE_DONE ? SQLITE_OK : content_check_error(check, rc);
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* Name of the table's INTEGER PRIMARY KEY: sqlite3_malloc'ed; NULL where none is found. */
static int content_check_key(content_check *check, char **out)
{
    const vs_store *store = check->store;
    sqlite3_stmt *stmt;
    *out = NULL;
    int rc = content_check_prepare(
        check, sqlite3_mprintf("PRAGMA \"%w\".table_info(\"%w\")", store->schema, check->table),
        &stmt);
    if (rc != SQLITE_OK) {
        return rc == SQLITE_NOMEM ? rc : SQLITE_OK; /* a host may let no PRAGMA through */
    }
    while (*out == NULL && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (sqlite3_column_int(stmt, 5) > 0) { /* cid, name, type, notnull, default, pk */
            *out = sqlite3_mprintf("%s", (const char *)sqlite3_column_text(stmt, 1));
            rc = *out == NULL ? SQLITE_NOMEM : rc;
            break;
        }
    }
    rc = rc == SQLITE_ROW || rc == SQLITE_DONE || rc == SQLITE_NOMEM
             ? rc
             : content_check_error(check, rc);
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Is `sql` the text `expected`, but for the id's name? Where an INTEGER PRIMARY KEY is renamed, SQLite
 * writes its new name for "rowid" in triggers, too. */
static int content_check_is_renamed(content_check *check, const char *sql, const char *expected,
                                    int *out)
{
    char *key = NULL;
    char *from = sqlite3_mprintf(".\"%w\"", check->store->declaration.content_rowid);
    sqlite3_str *renamed = sqlite3_str_new(check->store->db);
    int rc = from == NULL ? SQLITE_NOMEM : content_check_key(check, &key);
    *out = 0;
    if (rc == SQLITE_OK && key != NULL) {
        const char *at = expected;
        for (const char *next; (next = strstr(at, from)) != NULL; at = next + strlen(from)) {
            sqlite3_str_append(renamed, at, (int)(next - at));
            sqlite3_str_appendf(renamed, ".\"%w\"", key);
        }
        sqlite3_str_appendall(renamed, at);
    }
    char *text = sqlite3_str_finish(renamed);
    if (rc == SQLITE_OK && key != NULL) {
        rc = text == NULL ? SQLITE_NOMEM : SQLITE_OK;
        *out = text != NULL && strcmp(sql, text) == 0;
    }
    sqlite3_free(text);
    sqlite3_free(from);
    sqlite3_free(key);
    return rc;
}

/* One trigger against what it was made as. */
static int content_check_trigger(content_check *check, int event, const char *table,
                                 const char *sql)
{
    const vs_store *store = check->store;
    int is_same = 0;
    char *name = vs_content_trigger_name(store, event);
    char *expected = vs_content_trigger_text(store, check->table, event);
    int rc = name == NULL || expected == NULL ? SQLITE_NOMEM : SQLITE_OK;
    if (rc == SQLITE_OK && table != NULL && strcmp(sql, expected) == 0) {
        is_same = 1;
    } else if (rc == SQLITE_OK && table != NULL) {
        rc = content_check_is_renamed(check, sql, expected, &is_same);
    }
    if (rc == SQLITE_OK && table == NULL) {
        rc = check->found(check->arg,
                          sqlite3_mprintf("%s: its trigger %s on %s is missing: drop the index and "
                                          "create it again",
                                          store->label, name, check->table));
    } else if (rc == SQLITE_OK && !is_same) {
        rc = check->found(check->arg,
                          sqlite3_mprintf("%s: its trigger %s is not the one that it was created "
                                          "with: drop the index and create it again",
                                          store->label, name));
    }
    sqlite3_free(expected);
    sqlite3_free(name);
    return rc;
}

/* All three; sets check->table, from the first that is there. */
static int content_check_triggers(content_check *check)
{
    const vs_store *store = check->store;
    char *tables[VS_CONTENT_TRIGGERS] = {NULL}, *texts[VS_CONTENT_TRIGGERS] = {NULL};
    int rc = SQLITE_OK;
    for (int i = 0; i < VS_CONTENT_TRIGGERS && rc == SQLITE_OK; i++) {
        rc = content_check_read_trigger(check, i, &tables[i], &texts[i]);
        check->has_insert |= i == 0 && tables[i] != NULL;
        if (rc == SQLITE_OK && check->table == NULL && tables[i] != NULL) {
            check->table = sqlite3_mprintf("%s", tables[i]);
            rc = check->table == NULL ? SQLITE_NOMEM : SQLITE_OK;
        }
    }
    if (rc == SQLITE_OK && check->table == NULL) {
        rc = check->found(check->arg,
                          sqlite3_mprintf("%s: the table that it indexes was dropped, or its "
                                          "triggers were: drop the index and create it again",
                                          store->label));
    }
    for (int i = 0; i < VS_CONTENT_TRIGGERS; i++) {
        if (rc == SQLITE_OK && check->table != NULL) {
            rc = content_check_trigger(check, i, tables[i], texts[i]);
        }
        sqlite3_free(tables[i]);
        sqlite3_free(texts[i]);
    }
    return rc;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* The condition that row b of the content table has a vector. */
static void content_check_append_vectors(sqlite3_str *sql, const vs_store *store)
{
    for (int i = 0; i < store->declaration.vector_count; i++) {
        int column = store->declaration.vectors[i].column;
        sqlite3_str_appendf(sql, "%sb.\"%w\" IS NOT NULL", i == 0 ? "(" : " OR ",
                            store->declaration.columns[column].name);
    }
    sqlite3_str_appendall(sql, ")");
}

/* Ids of rows with a vector that the index has not, or of rows that it has and should not. */
static char *content_check_rows_sql(const content_check *check, int is_extra)
{
    const vs_store *store = check->store;
    const char *id = store->declaration.content_rowid;
    sqlite3_str *sql = sqlite3_str_new(store->db);
    if (is_extra) {
        sqlite3_str_appendf(sql,
                            "SELECT r.id FROM \"%w\".\"%w_rows\" AS r WHERE NOT EXISTS (SELECT 1 "
                            "FROM \"%w\".\"%w\" AS b WHERE b.\"%w\" = r.id AND ",
                            store->schema, store->table, store->schema, check->table, id);
    } else {
        sqlite3_str_appendf(sql,
                            "SELECT b.\"%w\" FROM \"%w\".\"%w\" AS b WHERE NOT EXISTS (SELECT 1 "
                            "FROM \"%w\".\"%w_rows\" AS r WHERE r.id = b.\"%w\") AND ",
                            id, store->schema, check->table, store->schema, store->table, id);
    }
    content_check_append_vectors(sql, store);
    sqlite3_str_appendall(sql, is_extra ? ") ORDER BY 1" : " ORDER BY 1");
    return sqlite3_str_finish(sql);
}

/*
 * Ids of rows whose value of a column is another one in the index. Where the two columns have other
 * affinities, the index holds what its own made of the value: what CAST gives, or what compares
 * equal. Packed texts, which are BLOBs, are left out.
 */
static char *content_check_values_sql(const content_check *check, int column)
{
    const vs_store *store = check->store;
    const vs_column_spec *spec = &store->declaration.columns[column];
    vs_affinity affinity = vs_declare_affinity(spec);
    sqlite3_str *sql = sqlite3_str_new(store->db);
    sqlite3_str_appendf(sql,
                        "SELECT r.id FROM \"%w\".\"%w_rows\" AS r JOIN \"%w\".\"%w\" AS b ON "
                        "b.\"%w\" = r.id WHERE r.c%d COLLATE BINARY IS NOT b.\"%w\"",
                        store->schema, store->table, store->schema, check->table,
                        store->declaration.content_rowid, column, spec->name);
    if (affinity != VS_AFFINITY_NONE) {
        sqlite3_str_appendf(
            sql, " AND r.c%d COLLATE BINARY IS NOT CAST(b.\"%w\" AS %s)", column, spec->name,
            affinity == VS_AFFINITY_TEXT ? "TEXT"
                                         : (vs_declare_is_real(spec) ? "REAL" : "NUMERIC"));
    }
    if (spec->kind == VS_COLUMN_AUXILIARY && affinity == VS_AFFINITY_TEXT) {
        sqlite3_str_appendf(sql, " AND typeof(r.c%d) <> 'blob'", column);
    }
    sqlite3_str_appendall(sql, " ORDER BY 1");
    return sqlite3_str_finish(sql);
}

/* Counts the rows of a statement of ids; `sql` is freed. *out_ids: the first of them, sqlite3_malloc'ed,
 * NULL where there are none. *out_is_unreadable: the table has no such columns. */
static int content_check_list(content_check *check, char *sql, int64_t *out_count, char **out_ids,
                              int *out_is_unreadable)
{
    sqlite3_stmt *stmt;
    int64_t count = 0;
    *out_ids = NULL;
    *out_count = 0;
    int rc = content_check_prepare(check, sql, &stmt);
    *out_is_unreadable = rc == SQLITE_ERROR;
    if (rc != SQLITE_OK) {
        return rc == SQLITE_ERROR || rc == SQLITE_NOMEM ? rc : content_check_error(check, rc);
    }
    sqlite3_str *ids = sqlite3_str_new(check->store->db);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (count < CONTENT_CHECK_IDS) {
            sqlite3_str_appendf(ids, "%s%s", count == 0 ? "" : ", ",
                                (const char *)sqlite3_column_text(stmt, 0));
        }
        count++;
    }
    if (count > CONTENT_CHECK_IDS) {
        sqlite3_str_appendall(ids, ", ...");
    }
    rc = rc == SQLITE_DONE ? SQLITE_OK : content_check_error(check, rc);
    sqlite3_finalize(stmt);
    *out_ids = sqlite3_str_finish(ids);
    *out_count = count;
    return rc == SQLITE_OK && count > 0 && *out_ids == NULL ? SQLITE_NOMEM : rc;
}

/* Rows that are on one side alone. *out_is_comparable: has the table the columns that are indexed? */
static int content_check_rows(content_check *check, int *out_is_comparable)
{
    vs_store *store = check->store;
    int is_unreadable = 0;
    int rc = SQLITE_OK;
    *out_is_comparable = 1;
    for (int is_extra = 0; is_extra <= 1 && rc == SQLITE_OK; is_extra++) {
        char *ids = NULL;
        int64_t count = 0;
        rc = content_check_list(check, content_check_rows_sql(check, is_extra), &count, &ids,
                                &is_unreadable);
        if (is_unreadable) {
            *out_is_comparable = 0;
            return check->found(check->arg, sqlite3_mprintf("%s: %s cannot be compared with it: %s",
                                                            store->label, check->table,
                                                            sqlite3_errmsg(store->db)));
        }
        if (rc == SQLITE_OK && count > 0) {
            rc = check->found(
                check->arg,
                is_extra ? sqlite3_mprintf("%s: %lld rows of the index are not in %s, or have no "
                                           "vector there: %s",
                                           store->label, (long long)count, check->table, ids)
                         : sqlite3_mprintf("%s: %lld rows of %s are not in the index: %s",
                                           store->label, (long long)count, check->table, ids));
        }
        sqlite3_free(ids);
    }
    return rc;
}

/* Values of the columns that the index filters by. */
static int content_check_values(content_check *check)
{
    vs_store *store = check->store;
    int rc = SQLITE_OK;
    for (int i = 0; i < store->declaration.column_count && rc == SQLITE_OK; i++) {
        const vs_column_spec *column = &store->declaration.columns[i];
        char *ids = NULL;
        int64_t count = 0;
        int is_unreadable = 0;
        if (column->kind == VS_COLUMN_VECTOR || column->kind == VS_COLUMN_ROWID) {
            continue;
        }
        rc = content_check_list(check, content_check_values_sql(check, i), &count, &ids,
                                &is_unreadable);
        if (is_unreadable) {
            rc = check->found(check->arg,
                              sqlite3_mprintf("%s: %s cannot be compared with it: %s", store->label,
                                              check->table, sqlite3_errmsg(store->db)));
        } else if (rc == SQLITE_OK && count > 0) {
            rc = check->found(check->arg, sqlite3_mprintf("%s: %lld rows have another %s in %s: %s",
                                                          store->label, (long long)count,
                                                          column->name, check->table, ids));
        }
        sqlite3_free(ids);
    }
    return rc;
}

int vs_content_check(vs_store *store, vs_content_found found, void *arg, int *out_is_readable,
                     vs_err *err)
{
    content_check check;
    memset(&check, 0, sizeof check);
    check.store = store;
    check.found = found;
    check.arg = arg;
    check.err = err;
    int is_comparable = 0;
    int rc = content_check_triggers(&check);
    if (rc == SQLITE_OK && check.table != NULL) {
        rc = content_check_rows(&check, &is_comparable);
    }
    if (rc == SQLITE_OK && is_comparable) {
        rc = content_check_values(&check);
    }
    *out_is_readable = is_comparable && check.has_insert;
    sqlite3_free(check.table);
    return rc;
}
