/*
 * content.c - an index over an existing table: built from its rows, kept in step by triggers.
 *
 *     CREATE VIRTUAL TABLE docs_idx USING vecshard(
 *         embedding float[384], content=docs, content_rowid=id);
 *
 * Three triggers on the content table, <index>_vecshard_insert, _update and _delete, give the command
 * 'sync' with the id of a row: the index takes over what the table holds under that id now. Not what
 * the trigger saw: other triggers of the table may have changed the row in the meantime. The triggers
 * also tell which table is indexed: SQLite keeps their table's name when the table is renamed.
 *
 * Calls: store.c, column.c, metrics.c.
 * Called by: vtab_index.c, vtab_write.c, maint.c, indexed.c; vectors: store.c, store_codes.c,
 * view.c, check.c; triggers: content_check.c.
 * Threads: the connection's.
 */
#include "content.h"

#include "column.h"

#define CONTENT_SUFFIX "_vecshard_insert"
#define CONTENT_PROGRESS_ROWS 1024

static const char *const content_events[] = {"insert", "update", "delete"};

/* Runs a statement without rows; `sql` is freed. */
static int content_exec(vs_store *store, char *sql, vs_err *err)
{
    if (sql == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK ? rc : vs_error_db(err, rc, store->db, store->label);
}

/* Prepares a statement; `sql` is freed. */
static int content_prepare(vs_store *store, char *sql, unsigned flags, sqlite3_stmt **out,
                           vs_err *err)
{
    *out = NULL;
    if (sql == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = sqlite3_prepare_v3(store->db, sql, -1, flags | SQLITE_PREPARE_NO_VTAB, out, NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK ? rc : vs_error_db(err, rc, store->db, store->label);
}

/* ---- which table ----------------------------------------------------------------------------- */

/* The content table's present name, from the trigger. Without triggers the table was dropped, and
 * another one of its name is not what was indexed. sqlite3_malloc'ed. */
static int content_table(vs_store *store, char **out, vs_err *err)
{
    sqlite3_stmt *stmt;
    *out = NULL;
    char *trigger = sqlite3_mprintf("%s" CONTENT_SUFFIX, store->table);
    int rc =
        trigger == NULL
            ? SQLITE_NOMEM
            : content_prepare(store,
                              sqlite3_mprintf("SELECT tbl_name FROM \"%w\".sqlite_schema WHERE "
                                              "type = 'trigger' AND name = %Q COLLATE NOCASE",
                                              store->schema, trigger),
                              0, &stmt, err);
    sqlite3_free(trigger);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        *out = sqlite3_mprintf("%s", (const char *)sqlite3_column_text(stmt, 0));
        rc = *out == NULL ? SQLITE_NOMEM : SQLITE_OK;
    } else if (rc == SQLITE_DONE) {
        rc = vs_error(err, SQLITE_ERROR,
                      "%s: the table that it indexes was dropped, or its triggers were: drop the "
                      "index and create it again",
                      store->label);
    } else {
        rc = vs_error_db(err, rc, store->db, store->label);
    }
    sqlite3_finalize(stmt);
    return rc;
}

int vs_content_indexes(vs_conn *conn, const char *schema, const char *table, const char *name,
                       sqlite3_stmt **out, vs_err *err)
{
    const int suffix = (int)strlen(CONTENT_SUFFIX);
    *out = NULL;
    char *sql = sqlite3_mprintf(
        "SELECT i FROM (SELECT substr(name, 1, length(name) - %d) AS i FROM \"%w\".sqlite_schema "
        "WHERE type = 'trigger' AND tbl_name = %Q COLLATE NOCASE AND substr(name, -%d) = "
        "'" CONTENT_SUFFIX "') WHERE %Q IS NULL OR i = %Q COLLATE NOCASE ORDER BY i COLLATE NOCASE",
        suffix, schema, table, suffix, name, name);
    int rc = sql == NULL ? SQLITE_NOMEM
                         : sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_NO_VTAB, out, NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK || rc == SQLITE_NOMEM ? rc : vs_error_db(err, rc, conn->db, table);
}

/* ---- triggers -------------------------------------------------------------------------------- */

/* The declared columns that the content table has, each as `before` "name", separated by commas. */
static void content_list(sqlite3_str *sql, const vs_store *store, const char *before)
{
    for (int i = 0; i < store->declaration.column_count; i++) {
        if (store->declaration.columns[i].kind != VS_COLUMN_ROWID) {
            sqlite3_str_appendf(sql, ", %s\"%w\"", before, store->declaration.columns[i].name);
        }
    }
}

/* When an update concerns the index: any change of a value, also one that the table's collation does
 * not see. */
static void content_append_when(sqlite3_str *sql, const vs_store *store)
{
    const char *id = store->declaration.content_rowid;
    sqlite3_str_appendf(sql, " WHEN old.\"%w\" IS NOT new.\"%w\"", id, id);
    for (int i = 0; i < store->declaration.column_count; i++) {
        const vs_column_spec *column = &store->declaration.columns[i];
        if (column->kind != VS_COLUMN_ROWID) {
            sqlite3_str_appendf(sql,
                                " OR old.\"%w\" COLLATE BINARY IS NOT new.\"%w\" OR "
                                "typeof(old.\"%w\") <> typeof(new.\"%w\")",
                                column->name, column->name, column->name, column->name);
        }
    }
}

/* One row of the content table: the index takes over what the table holds now. */
static void content_append_sync(sqlite3_str *sql, const vs_store *store, const char *index,
                                const char *which, int is_moved)
{
    const char *id = store->declaration.content_rowid;
    sqlite3_str_appendf(sql, " INSERT INTO \"%w\"(\"%w\", arg) SELECT 'sync', %s.\"%w\"", index,
                        index, which, id);
    if (is_moved) {
        sqlite3_str_appendf(sql, " WHERE old.\"%w\" IS NOT new.\"%w\"", id, id);
    }
    sqlite3_str_appendall(sql, ";");
}

static char *content_trigger(const vs_store *store, const char *index, const char *table, int event)
{
    sqlite3_str *sql = sqlite3_str_new(store->db);
    sqlite3_str_appendf(sql, "CREATE TRIGGER \"%w\".\"%w_vecshard_%s\" AFTER %s ON \"%w\"",
                        store->schema, index, content_events[event], content_events[event], table);
    if (event == 1) {
        content_append_when(sql, store);
    }
    sqlite3_str_appendall(sql, " BEGIN");
    if (event != 0) {
        content_append_sync(sql, store, index, "old", 0);
    }
    if (event != 2) {
        content_append_sync(sql, store, index, "new", event == 1);
    }
    sqlite3_str_appendall(sql, " END");
    return sqlite3_str_finish(sql);
}

char *vs_content_trigger_name(const vs_store *store, int event)
{
    return sqlite3_mprintf("%s_vecshard_%s", store->table, content_events[event]);
}

char *vs_content_trigger_text(const vs_store *store, const char *table, int event)
{
    char *sql = content_trigger(store, store->table, table, event);
    char *schema = sqlite3_mprintf("CREATE TRIGGER \"%w\".", store->schema);
    char *text = sql == NULL || schema == NULL
                     ? NULL
                     : sqlite3_mprintf("CREATE TRIGGER %s", sql + strlen(schema));
    sqlite3_free(schema);
    sqlite3_free(sql);
    return text;
}

static int content_create_triggers(vs_store *store, const char *index, const char *table,
                                   vs_err *err)
{
    int rc = SQLITE_OK;
    for (int i = 0; i < 3 && rc == SQLITE_OK; i++) {
        rc = content_exec(store, content_trigger(store, index, table, i), err);
    }
    return rc;
}

/* The id must be the rowid, by this or another name, or the one INTEGER key of a WITHOUT ROWID
 * table. */
static int content_check_id(vs_store *store, vs_err *err)
{
    const char *id = store->declaration.content_rowid;
    sqlite3_stmt *stmt;
    int keys = 0, is_key = 0, is_column = 0, columns = 0, has_rowid_name = 0;
    int rc = content_prepare(store,
                             sqlite3_mprintf("PRAGMA \"%w\".table_info(\"%w\")", store->schema,
                                             store->declaration.content),
                             0, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) { /* cid, name, type, notnull, default, pk */
        const char *name = (const char *)sqlite3_column_text(stmt, 1);
        const char *type = (const char *)sqlite3_column_text(stmt, 2);
        int is_here = name != NULL && sqlite3_stricmp(name, id) == 0;
        columns++;
        keys += sqlite3_column_int(stmt, 5) > 0;
        int is_integer_key = sqlite3_column_int(stmt, 5) > 0 && type != NULL &&
                             sqlite3_stricmp(type, "INTEGER") == 0;
        is_column |= is_here;
        is_key |= is_here && is_integer_key;
        has_rowid_name |= is_integer_key;
    }
    sqlite3_finalize(stmt);
    has_rowid_name &= keys == 1;
    if (rc != SQLITE_DONE) {
        return vs_error_db(err, rc, store->db, store->label);
    }
    if (columns == 0) {
        return vs_error(err, SQLITE_ERROR, "%s: there is no table %s in %s to index", store->label,
                        store->declaration.content, store->schema);
    }
    if (!is_column && !has_rowid_name) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: %s has no INTEGER PRIMARY KEY, and VACUUM gives such rows new rowids",
                        store->label, store->declaration.content);
    }
    if (is_column && !(is_key && keys == 1)) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: content_rowid=%s must be the INTEGER PRIMARY KEY of %s, or rowid",
                        store->label, id, store->declaration.content);
    }
    return SQLITE_OK;
}

/* SELECT of id and columns; qualified, so that a name that is no column is an error and no string.
 */
static char *content_select(const vs_store *store, const char *table, const char *tail)
{
    char *before = sqlite3_mprintf("\"%w\".", table);
    sqlite3_str *sql = sqlite3_str_new(store->db);
    sqlite3_str_appendf(sql, "SELECT \"%w\".\"%w\"", table, store->declaration.content_rowid);
    content_list(sql, store, before == NULL ? "" : before);
    sqlite3_str_appendf(sql, " FROM \"%w\".\"%w\" %s", store->schema, table, tail);
    sqlite3_free(before);
    return sqlite3_str_finish(sql);
}

int vs_content_create(vs_store *store, vs_err *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = content_check_id(store, err);
    if (rc == SQLITE_OK) { /* are all columns there? */
        rc = content_prepare(store, content_select(store, store->declaration.content, "LIMIT 0"),
                             SQLITE_PREPARE_FROM_DDL, &stmt, err);
        sqlite3_finalize(stmt);
    }
    return rc == SQLITE_OK
               ? content_create_triggers(store, store->table, store->declaration.content, err)
               : rc;
}

int vs_content_drop(vs_store *store, vs_err *err)
{
    int rc = SQLITE_OK;
    for (int i = 0; i < 3 && rc == SQLITE_OK; i++) {
        rc = content_exec(store,
                          sqlite3_mprintf("DROP TRIGGER IF EXISTS \"%w\".\"%w_vecshard_%s\"",
                                          store->schema, store->table, content_events[i]),
                          err);
    }
    return rc;
}

int vs_content_rename(vs_store *store, const char *table, vs_err *err)
{
    char *content = NULL;
    int rc = content_table(store, &content, err);
    if (rc == SQLITE_OK) {
        rc = vs_content_drop(store, err);
    }
    if (rc == SQLITE_OK) {
        rc = content_create_triggers(store, table, content, err);
    }
    sqlite3_free(content);
    return rc;
}

/* ---- building -------------------------------------------------------------------------------- */

/* Reads the vectors and columns of the row that the statement stands on. *out_count: vectors that
 * are not NULL. */
static int content_read_row(vs_store *store, sqlite3_stmt *stmt, vs_scratch (*memory)[2],
                            vs_row *out, int *out_count, vs_err *err)
{
    int n = 1;
    int rc = SQLITE_OK;
    memset(out, 0, sizeof *out);
    *out_count = 0;
    if (sqlite3_column_type(stmt, 0) != SQLITE_INTEGER) { /* in a WITHOUT ROWID table */
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        return vs_error(err, SQLITE_MISMATCH,
                        "%s: expected an INTEGER as the key of a row of %s, found %.40s",
                        store->label, store->declaration.content, text == NULL ? "NULL" : text);
    }
    out->rowid = sqlite3_column_int64(stmt, 0);
    for (int i = 0; i < store->declaration.column_count && rc == SQLITE_OK; i++) {
        const vs_column_spec *column = &store->declaration.columns[i];
        if (column->kind == VS_COLUMN_ROWID) {
            continue;
        }
        sqlite3_value *value = sqlite3_column_value(stmt, n++);
        if (column->kind != VS_COLUMN_VECTOR) {
            out->columns[i] = value;
            continue;
        }
        if (sqlite3_value_type(value) == SQLITE_NULL) {
            continue;
        }
        const vs_vector_spec *spec = &store->declaration.vectors[column->vector];
        char *place = sqlite3_mprintf("%s.%s, row %lld", store->declaration.content, column->name,
                                      (long long)out->rowid);
        rc = place == NULL
                 ? SQLITE_NOMEM
                 : vs_column_read(spec, place, value, spec->stored, memory[column->vector],
                                  &out->vectors[column->vector], err);
        sqlite3_free(place);
        *out_count += rc == SQLITE_OK;
    }
    return rc;
}

/* Rows there may be: the range of the ids. */
static int content_estimate(vs_store *store, const char *table, int64_t *out, vs_err *err)
{
    sqlite3_stmt *stmt = NULL;
    *out = 0;
    char *sql = sqlite3_mprintf("SELECT max(\"%w\"), min(\"%w\") FROM \"%w\".\"%w\"",
                                store->declaration.content_rowid, store->declaration.content_rowid,
                                store->schema, table);
    int rc = content_prepare(store, sql, 0, &stmt, err);
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        double range = sqlite3_column_double(stmt, 0) - sqlite3_column_double(stmt, 1) + 1.0;
        *out = range < 1e15 ? (int64_t)range : 0;
        rc = SQLITE_OK;
    }
    /* An error may have rolled the transaction back: it must not go unseen. */
    int end = sqlite3_finalize(stmt);
    return rc == SQLITE_OK && end == SQLITE_OK
               ? rc
               : vs_error_db(err, end == SQLITE_OK ? rc : end, store->db, store->label);
}

int vs_content_build(vs_store *store, vs_err *err)
{
    vs_scratch memory[VS_VECTORS_MAX][2];
    sqlite3_stmt *stmt = NULL;
    char *table = NULL;
    int64_t done = 0, rows = 0;
    memset(memory, 0, sizeof memory);
    int rc = content_table(store, &table, err);
    if (rc == SQLITE_OK) {
        rc = content_prepare(store, content_select(store, table, "ORDER BY 1"), 0, &stmt, err);
    }
    if (rc == SQLITE_OK) {
        rc = content_estimate(store, table, &rows, err);
    }
    int job = rc == SQLITE_OK ? vs_job_begin("vecshard", store->label, "build", rows) : -1;
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        vs_row row;
        int vectors = 0;
        rc = content_read_row(store, stmt, memory, &row, &vectors, err);
        if (rc == SQLITE_OK && vectors > 0) {
            rc = vs_store_insert(store, &row, err);
        }
        if (++done % CONTENT_PROGRESS_ROWS == 0) {
            vs_job_progress(job, done);
        }
    }
    vs_job_end(job);
    if (rc != SQLITE_DONE && rc != SQLITE_OK) {
        vs_error_db(err, rc, store->db, store->label); /* the first sentence stays */
    }
    sqlite3_finalize(stmt);
    sqlite3_free(table);
    for (int i = 0; i < VS_VECTORS_MAX; i++) {
        vs_scratch_free(&memory[i][0]);
        vs_scratch_free(&memory[i][1]);
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* ---- one row --------------------------------------------------------------------------------- */

static int content_row_statement(vs_store *store, sqlite3_stmt **out, vs_err *err)
{
    sqlite3_stmt **slot = &store->statements[VS_SQL_CONTENT_ROW];
    char *table = NULL;
    int rc = SQLITE_OK;
    if (*slot == NULL) {
        rc = content_table(store, &table, err);
        char *tail = rc == SQLITE_OK ? sqlite3_mprintf("WHERE \"%w\".\"%w\" = ?1", table,
                                                       store->declaration.content_rowid)
                                     : NULL;
        if (rc == SQLITE_OK) {
            rc = tail == NULL ? SQLITE_NOMEM
                              : content_prepare(store, content_select(store, table, tail),
                                                SQLITE_PREPARE_PERSISTENT, slot, err);
        }
        sqlite3_free(tail);
        sqlite3_free(table);
    }
    *out = *slot;
    return rc;
}

/* Does the content table hold this key under this id? */
static int content_has_key(vs_store *store, int64_t rowid, sqlite3_value *key, int *out,
                           vs_err *err)
{
    sqlite3_stmt *stmt = NULL;
    char *table = NULL;
    const vs_declaration *declaration = &store->declaration;
    int rc = content_table(store, &table, err);
    if (rc == SQLITE_OK) {
        rc =
            content_prepare(store,
                            sqlite3_mprintf("SELECT 1 FROM \"%w\".\"%w\" WHERE \"%w\".\"%w\" = "
                                            "?1 AND \"%w\".\"%w\" IS ?2",
                                            store->schema, table, table, declaration->content_rowid,
                                            table, declaration->columns[declaration->key].name),
                            0, &stmt, err);
    }
    sqlite3_free(table);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(stmt, 1, rowid);
    rc = sqlite3_bind_value(stmt, 2, key);
    rc = rc == SQLITE_OK ? sqlite3_step(stmt) : rc;
    *out = rc == SQLITE_ROW;
    rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK
                                               : vs_error_db(err, rc, store->db, store->label);
    sqlite3_finalize(stmt);
    return rc;
}

/* Another row with the key of this one goes if it is no longer in the table; else it is in the way.
 * That is no SQLITE_CONSTRAINT: OR IGNORE and OR FAIL would leave the row in the table alone. */
static int content_make_way(vs_store *store, const vs_row *row, vs_err *err)
{
    int key = store->declaration.key;
    int64_t other = 0;
    int has_other = 0, is_there = 0;
    if (key < 0 || store->declaration.columns[key].kind != VS_COLUMN_KEY ||
        sqlite3_value_type(row->columns[key]) == SQLITE_NULL) {
        return SQLITE_OK;
    }
    int rc = vs_store_by_key(store, row->columns[key], &other, &has_other, err);
    if (rc != SQLITE_OK || !has_other || other == row->rowid) {
        return rc;
    }
    rc = content_has_key(store, other, row->columns[key], &is_there, err);
    if (rc == SQLITE_OK && is_there) {
        return vs_error(err, SQLITE_ERROR, "UNIQUE constraint failed: %s.%s: row %lld has that key",
                        store->label, store->declaration.columns[key].name, (long long)other);
    }
    return rc == SQLITE_OK ? vs_store_delete(store, other, err) : rc;
}

int vs_content_sync(vs_store *store, sqlite3_value *id, vs_scratch (*memory)[2], vs_err *err)
{
    sqlite3_stmt *stmt = NULL;
    vs_row row;
    int64_t rowid = sqlite3_value_int64(id);
    int64_t loc = 0;
    int vectors = 0;
    int rc = vs_store_load(store, err);
    if (rc == SQLITE_OK) {
        rc = content_row_statement(store, &stmt, err);
    }
    if (rc == SQLITE_OK && sqlite3_value_type(id) == SQLITE_INTEGER) { /* others have no entry */
        rc = vs_store_loc(store, rowid, &loc, err);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sqlite3_bind_value(stmt, 1, id);
    rc = rc == SQLITE_OK ? sqlite3_step(stmt) : rc;
    if (rc == SQLITE_ROW) {
        rc = content_read_row(store, stmt, memory, &row, &vectors, err);
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_OK;
    }
    if (rc == SQLITE_OK && vectors > 0) {
        memset(row.is_changed, 1, sizeof row.is_changed);
        rc = content_make_way(store, &row, err);
        if (rc == SQLITE_OK) {
            rc = loc != 0 ? vs_store_update(store, rowid, &row, err)
                          : vs_store_insert(store, &row, err);
        }
    } else if (rc == SQLITE_OK && loc != 0) {
        rc = vs_store_delete(store, rowid, err);
    }
    return vs_store_done(store, stmt, rc, "reading the content table", err);
}

/* ---- vectors --------------------------------------------------------------------------------- */

static int content_statement(vs_store *store, int vector, sqlite3_stmt **out, vs_err *err)
{
    sqlite3_stmt **slot = &store->vector_statements[vector][VS_SQL_CONTENT];
    const vs_vector_spec *spec = &store->declaration.vectors[vector];
    char *table = NULL;
    int rc = SQLITE_OK;
    if (*slot == NULL) {
        rc = content_table(store, &table, err);
        if (rc == SQLITE_OK) {
            rc = content_prepare(
                store,
                sqlite3_mprintf("SELECT \"%w\".\"%w\" FROM \"%w\".\"%w\" WHERE "
                                "\"%w\".\"%w\" = ?1",
                                table, store->declaration.columns[spec->column].name, store->schema,
                                table, table, store->declaration.content_rowid),
                SQLITE_PREPARE_PERSISTENT, slot, err);
        }
        sqlite3_free(table);
    }
    *out = *slot;
    return rc;
}

int vs_content_vector(vs_store *store, int vector, int64_t rowid, void *out, int *out_is_missing,
                      vs_err *err)
{
    const vs_vector_spec *spec = &store->declaration.vectors[vector];
    sqlite3_stmt *stmt = NULL;
    *out_is_missing = 1;
    int rc = content_statement(store, vector, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(stmt, 1, rowid);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
        vs_err ignored = VS_ERR_INIT;
        const void *data = NULL;
        rc = vs_column_read(spec, store->label, sqlite3_column_value(stmt, 0), spec->stored,
                            store->content_memory, &data, &ignored);
        vs_error_clear(&ignored);
        if (rc == SQLITE_OK) {
            memcpy(out, data, vsk_bytes(spec->stored, spec->dim));
            *out_is_missing = 0;
        } else if (rc != SQLITE_NOMEM) {
            rc = SQLITE_OK; /* no vector of this shape any more: as good as gone */
        }
    }
    return vs_store_done(store, stmt, rc, "reading the content table", err);
}
