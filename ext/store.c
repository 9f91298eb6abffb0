/*
 * store.c - the shadow tables of one vecshard table: life and reading. Writing is in
 * store_write.c, full vectors in store_vectors.c, codes in store_codes.c, packed texts in
 * store_text.c, SQL in store_sql.c.
 *
 * Calls: declare.c, format.c, error.c.
 * Called by: vtab_index.c, vtab_write.c, view.c, rowset.c, nearest.c, maint.c, check.c, content.c,
 * indexed.c.
 * Threads: the connection's.
 */
#include "store_impl.h"

#include <stdlib.h>
#if defined(__unix__) || defined(__APPLE__)
#include <sys/stat.h>
#endif

#include "codes.h"
#include "hash.h"
#include "store_text.h"

#define STORE_PAGE_BYTES_FEW 524288 /* a page cache that has nothing to lose */

/* ---- life ------------------------------------------------------------------------------------ */

/* Names the file in process-wide keys; a database without one belongs to its connection. */
static uint64_t store_identify_file(const vs_conn *conn, const char *schema)
{
    uint64_t hash = VS_HASH_INIT;
    const char *name = sqlite3_db_filename(conn->db, schema);
    if (name == NULL || name[0] == '\0') {
        hash = vs_hash(hash, &conn->identity, sizeof conn->identity);
        return vs_hash(hash, schema, strlen(schema));
    }
    hash = vs_hash(hash, name, strlen(name));
#if defined(__unix__) || defined(__APPLE__)
    struct stat info;
    if (stat(name, &info) == 0) { /* asks, and opens nothing */
        uint64_t numbers[2] = {(uint64_t)info.st_dev, (uint64_t)info.st_ino};
        hash = vs_hash(hash, numbers, sizeof numbers);
    }
#endif
    return hash;
}

static int store_names(vs_store *store, vs_conn *conn, const char *schema, const char *table)
{
    memset(store, 0, sizeof *store);
    store->conn = conn;
    store->db = conn->db;
    store->schema = sqlite3_mprintf("%s", schema);
    store->table = sqlite3_mprintf("%s", table);
    store->label = sqlite3_mprintf("%s", table);
    return store->schema == NULL || store->table == NULL || store->label == NULL ? SQLITE_NOMEM
                                                                                 : SQLITE_OK;
}

int vs_store_init(vs_store *store, vs_conn *conn, const char *schema, const char *table,
                  vs_declaration *declaration, vs_err *err)
{
    (void)err;
    int rc = store_names(store, conn, schema, table);
    if (rc != SQLITE_OK) {
        vs_declare_free(declaration);
        vs_store_close(store);
        return rc;
    }
    store->declaration = *declaration;
    memset(declaration, 0, sizeof *declaration);
    vs_format_geometry(&store->declaration, &store->geometry);
    return SQLITE_OK;
}

int vs_store_open(vs_store *store, vs_conn *conn, const char *schema, const char *table,
                  vs_err *err)
{
    void *text = NULL;
    size_t n = 0;
    int rc = store_names(store, conn, schema, table);
    if (rc == SQLITE_OK) {
        rc = vs_store_info(store, "declaration", &text, &n, err);
    }
    if (rc == SQLITE_OK && text == NULL) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: \"%s_info\" holds no declaration", table,
                      table);
    }
    if (rc == SQLITE_OK) {
        rc = vs_declare_from_text(table, text, &store->declaration, err);
    }
    sqlite3_free(text);
    if (rc == SQLITE_OK) {
        vs_format_geometry(&store->declaration, &store->geometry);
        rc = vs_store_load(store, err);
    }
    if (rc != SQLITE_OK) {
        vs_store_close(store);
    }
    return rc;
}

void vs_store_note_pages(vs_store *store)
{
    int most = 0;
    if (!store->has_page_bytes) {
        store->has_page_bytes = 1;
        (void)sqlite3_db_status(store->db, SQLITE_DBSTATUS_CACHE_USED, &store->page_bytes, &most,
                                0);
    }
}

void vs_store_drop_pages(vs_store *store)
{
    if (store->has_page_bytes && store->page_bytes < STORE_PAGE_BYTES_FEW) {
        (void)sqlite3_db_release_memory(store->db);
    }
}

void vs_store_return_pages(vs_store *store)
{
    vs_store_drop_pages(store);
    store->has_page_bytes = 0;
}

void vs_store_end_reading(vs_store *store)
{
    for (int i = 0; i < VS_VECTORS_MAX; i++) {
        sqlite3_blob *blob = store->code_blobs[i];
        store->code_blobs[i] = NULL; /* the close may end a failed transaction, which comes here */
        (void)sqlite3_blob_close(blob);
    }
}

void vs_store_forget(vs_store *store)
{
    vs_store_end_reading(store);
    store->is_stamped = 0;
    store->cell.id = 0;
}

void vs_store_release(vs_store *store)
{
    vs_store_forget(store);
    for (int i = 0; i < VS_SQL_COUNT; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
    for (int v = 0; v < VS_VECTORS_MAX; v++) {
        for (int i = 0; i < VS_SQL_VECTOR_COUNT; i++) {
            sqlite3_finalize(store->vector_statements[v][i]);
            store->vector_statements[v][i] = NULL;
        }
    }
    vs_store_free_codes(store);
    vs_store_free_dicts(store);
    vs_store_free_cold(store);
    store->is_loaded = 0;
}

void vs_store_close(vs_store *store)
{
    vs_store_release(store);
    vs_declare_free(&store->declaration);
    vs_scratch_free(&store->read_memory);
    vs_scratch_free(&store->cell_memory);
    vs_scratch_free(&store->content_memory[0]);
    vs_scratch_free(&store->content_memory[1]);
    vs_scratch_free(&store->vector_memory);
    vs_scratch_free(&store->half_memory);
    vs_scratch_free(&store->code_memory);
    vs_scratch_free(&store->float_memory);
    sqlite3_free(store->schema);
    sqlite3_free(store->table);
    sqlite3_free(store->label);
    memset(store, 0, sizeof *store);
}

int vs_store_has_vectors(const vs_store *store, int vector)
{
    return store->geometry.vectors[vector].vector_bytes > 0;
}

/* ---- statements ------------------------------------------------------------------------------ */

/* Prepares `sql`, which is freed; NULL: no memory. */
static int store_prepare(vs_store *store, char *sql, sqlite3_stmt **out, vs_err *err)
{
    if (sql == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = sqlite3_prepare_v3(store->db, sql, -1,
                                SQLITE_PREPARE_PERSISTENT | SQLITE_PREPARE_NO_VTAB, out, NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK ? rc : vs_error_db(err, rc, store->db, store->label);
}

int vs_store_statement_get(vs_store *store, vs_store_statement which, sqlite3_stmt **out,
                           vs_err *err)
{
    int rc = SQLITE_OK;
    if (store->statements[which] == NULL) {
        rc = store_prepare(store, vs_store_sql(store, which), &store->statements[which], err);
    }
    *out = rc == SQLITE_OK ? store->statements[which] : NULL;
    return rc;
}

int vs_store_vector_statement_get(vs_store *store, int vector, vs_vector_statement which,
                                  sqlite3_stmt **out, vs_err *err)
{
    sqlite3_stmt **slot = &store->vector_statements[vector][which];
    int rc = SQLITE_OK;
    if (*slot == NULL) {
        rc = store_prepare(store, vs_store_vector_sql(store, vector, which), slot, err);
    }
    *out = rc == SQLITE_OK ? *slot : NULL;
    return rc;
}

int vs_store_done(vs_store *store, sqlite3_stmt *stmt, int rc, const char *what, vs_err *err)
{
    int is_good = rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE;
    if (stmt == NULL) {
        return rc;
    }
    if (!is_good && (err == NULL || err->message == NULL)) {
        char *place = sqlite3_mprintf("%s: %s", store->label, what);
        rc = vs_error_db(err, rc, store->db, place == NULL ? store->label : place);
        sqlite3_free(place);
    }
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return is_good ? SQLITE_OK : rc;
}

int vs_store_step_error(const vs_store *store, int rc, vs_err *err)
{
    rc = rc == SQLITE_CORRUPT ? sqlite3_extended_errcode(store->db) : rc;
    return vs_error_db(err, rc, store->db, store->label);
}

int vs_store_run(vs_store *store, sqlite3_stmt *stmt, const char *what, vs_err *err)
{
    return vs_store_done(store, stmt, sqlite3_step(stmt), what, err);
}

/* ---- create, drop, rename -------------------------------------------------------------------- */

int vs_store_delete_range(vs_store *store, int vector, vs_vector_statement which, int64_t lo,
                          int64_t hi, vs_err *err)
{
    sqlite3_stmt *stmt;
    int rc = vs_store_vector_statement_get(store, vector, which, &stmt, err);
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(stmt, 1, lo);
        (void)sqlite3_bind_int64(stmt, 2, hi);
        rc = vs_store_run(store, stmt, "deleting a cell", err);
    }
    return rc;
}

static int store_exec(vs_store *store, char *sql, vs_err *err)
{
    if (sql == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK ? rc : vs_error_db(err, rc, store->db, store->label);
}

/* Stamp of a table that holds nothing yet, and what t_info says. */
static int store_create_info(vs_store *store, vs_err *err)
{
    static const char format[] = "1", none[] = "0";
    uint8_t bytes[VS_HEAD_BYTES];
    vs_head head;
    char *declaration = vs_declare_text(&store->declaration);
    if (declaration == NULL) {
        return SQLITE_NOMEM;
    }
    const struct {
        const char *key;
        const void *value;
        size_t n;
    } entries[] = {
        {"magic", VS_FORMAT_MAGIC, strlen(VS_FORMAT_MAGIC)},
        {"format", format, 1},
        {"reader", format, 1}, /* the oldest version that reads, ... */
        {"writer", format, 1}, /* ... that writes this table */
        {"features", none, 1},
        {"table", store->identity, sizeof store->identity},
        {"declaration", declaration, strlen(declaration)},
    };
    int rc = SQLITE_OK;
    for (size_t i = 0; i < sizeof entries / sizeof entries[0] && rc == SQLITE_OK; i++) {
        rc = vs_store_info_set(store, entries[i].key, entries[i].value, entries[i].n, err);
    }
    sqlite3_free(declaration);
    memset(&head, 0, sizeof head);
    sqlite3_randomness(sizeof head.stamp, head.stamp);
    head.next_cell = 1;
    vs_format_write_head(&head, bytes);
    sqlite3_stmt *stmt = NULL;
    if (rc == SQLITE_OK) {
        rc = vs_store_statement_get(store, VS_SQL_CELL_INSERT, &stmt, err);
    }
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(stmt, 1, VS_HEAD_ID);
        (void)sqlite3_bind_int(stmt, 3, 0);
        rc = sqlite3_bind_blob(stmt, 4, bytes, (int)sizeof bytes, SQLITE_STATIC);
        rc = rc == SQLITE_OK ? vs_store_run(store, stmt, "writing the head", err)
                             : vs_store_done(store, stmt, rc, "writing the head", err);
    }
    return rc;
}

int vs_store_create(vs_store *store, vs_err *err)
{
    int64_t last_rowid = sqlite3_last_insert_rowid(store->db);
    sqlite3_randomness(sizeof store->identity, store->identity);
    int rc = store_exec(store, vs_store_create_sql(store), err);
    rc = rc == SQLITE_OK ? store_create_info(store, err) : rc;
    sqlite3_set_last_insert_rowid(store->db, last_rowid);
    return rc;
}

/* Calls for each shadow table that the declaration asks for: sql has %w for schema and table, %s
 * for the role. */
static int store_each_table(vs_store *store, const char *sql, const char *new_table, vs_err *err)
{
    static const char *const roles[] = {"info", "cells", "parts", "rows"};
    static const char *const of_vectors[] = {"vectors", "codes", "cold"};
    enum { ROLES = 4, OF_VECTORS = 3 };
    int rc = SQLITE_OK;
    for (int i = 0; i < ROLES + OF_VECTORS * store->declaration.vector_count && rc == SQLITE_OK;
         i++) {
        int vector = i < ROLES ? 0 : (i - ROLES) / OF_VECTORS;
        int which = i < ROLES ? -1 : (i - ROLES) % OF_VECTORS;
        char role[16];
        sqlite3_snprintf((int)sizeof role, role, which < 0 ? "%s" : "%s%d",
                         which < 0 ? roles[i] : of_vectors[which], vector);
        if ((i == 2 && store->declaration.partition_count == 0) ||
            (which == 1 && !store->geometry.vectors[vector].is_coded) ||
            (which == 2 && store->geometry.vectors[vector].per_block == 0)) {
            continue;
        }
        rc = store_exec(store,
                        new_table == NULL ? sqlite3_mprintf(sql, store->schema, store->table, role)
                                          : sqlite3_mprintf(sql, store->schema, store->table, role,
                                                            new_table, role),
                        err);
    }
    return rc;
}

int vs_store_drop(vs_store *store, vs_err *err)
{
    vs_store_release(store);
    return store_each_table(store, "DROP TABLE IF EXISTS \"%w\".\"%w_%s\"", NULL, err);
}

int vs_store_rename(vs_store *store, const char *table, vs_err *err)
{
    vs_store_release(store);
    char *name = sqlite3_mprintf("%s", table);
    char *label = sqlite3_mprintf("%s", table);
    int rc = name == NULL || label == NULL ? SQLITE_NOMEM : SQLITE_OK;
    if (rc == SQLITE_OK) {
        rc =
            store_each_table(store, "ALTER TABLE \"%w\".\"%w_%s\" RENAME TO \"%w_%s\"", table, err);
    }
    if (rc != SQLITE_OK) {
        sqlite3_free(name);
        sqlite3_free(label);
        return rc;
    }
    sqlite3_free(store->table);
    sqlite3_free(store->label);
    store->table = name;
    store->label = label;
    return SQLITE_OK;
}

int vs_store_is_shadow(const char *suffix)
{
    static const char *const roles[] = {"info", "cells", "parts", "rows"};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (sqlite3_stricmp(suffix, roles[i]) == 0) {
            return 1;
        }
    }
    size_t n = strlen(suffix);
    return n >= 5 && suffix[n - 1] >= '0' && suffix[n - 1] < '0' + VS_VECTORS_MAX &&
           ((n == 6 && sqlite3_strnicmp(suffix, "codes", 5) == 0) ||
            (n == 5 && sqlite3_strnicmp(suffix, "cold", 4) == 0) ||
            (n == 8 && sqlite3_strnicmp(suffix, "vectors", 7) == 0));
}

/* ---- t_info ---------------------------------------------------------------------------------- */

int vs_store_info(vs_store *store, const char *key, void **out, size_t *out_bytes, vs_err *err)
{
    sqlite3_stmt *stmt;
    *out = NULL;
    *out_bytes = 0;
    int rc = vs_store_statement_get(store, VS_SQL_INFO, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        const void *data = sqlite3_column_blob(stmt, 0);
        size_t n = (size_t)sqlite3_column_bytes(stmt, 0);
        uint8_t *copy = sqlite3_malloc64(n + 1);
        if (copy == NULL) {
            rc = SQLITE_NOMEM;
        } else {
            if (n > 0) {
                memcpy(copy, data, n);
            }
            copy[n] = 0; /* text ends */
            *out = copy;
            *out_bytes = n;
        }
    }
    return vs_store_done(store, stmt, rc, "reading its description", err);
}

int vs_store_info_set(vs_store *store, const char *key, const void *data, size_t n, vs_err *err)
{
    sqlite3_stmt *stmt;
    int rc = vs_store_statement_get(store, VS_SQL_INFO_SET, &stmt, err);
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
        rc = sqlite3_bind_blob64(stmt, 2, data, n, SQLITE_STATIC);
        rc = vs_store_done(store, stmt, rc == SQLITE_OK ? sqlite3_step(stmt) : rc,
                           "writing its description", err);
    }
    return rc;
}

static int store_check_info(vs_store *store, const char *key, const void *expected, size_t n,
                            const char *message, vs_err *err)
{
    void *found = NULL;
    size_t found_bytes = 0;
    int rc = vs_store_info(store, key, &found, &found_bytes, err);
    if (rc == SQLITE_OK && (found == NULL || found_bytes != n || memcmp(found, expected, n) != 0)) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, message, store->label, store->table);
    }
    sqlite3_free(found);
    return rc;
}

/* Versions and features that this code does not know. */
static int store_check_versions(vs_store *store, vs_err *err)
{
    static const char *const keys[] = {"reader", "writer", "features", "format"};
    int rc = SQLITE_OK;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && rc == SQLITE_OK; i++) {
        void *found = NULL;
        size_t n = 0;
        rc = vs_store_info(store, keys[i], &found, &n, err);
        const char *text = found == NULL ? "" : found;
        char *end = NULL;
        long value = strtol(text, &end, 10);
        if (rc == SQLITE_OK && (n == 0 || n > 9 || *end != '\0' || value < 0)) {
            rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: \"%s_info\" has no usable '%s'",
                          store->label, store->table, keys[i]);
        } else if (rc == SQLITE_OK && value > (i == 2 ? 0 : VS_FORMAT_VERSION)) {
            rc =
                vs_error(err, SQLITE_ERROR,
                         "%s: made by a newer version of vecshard: '%s' is %ld, and this one knows "
                         "%d",
                         store->label, keys[i], value, i == 2 ? 0 : VS_FORMAT_VERSION);
        }
        sqlite3_free(found);
    }
    return rc;
}

int vs_store_load(vs_store *store, vs_err *err)
{
    void *identity = NULL;
    size_t n = 0;
    if (store->is_loaded) {
        return SQLITE_OK;
    }
    int rc = store_check_info(store, "magic", VS_FORMAT_MAGIC, strlen(VS_FORMAT_MAGIC),
                              "%s: \"%s_info\" is not that of a vecshard table", err);
    if (rc == SQLITE_OK) {
        rc = store_check_versions(store, err);
    }
    char *declaration = vs_declare_text(&store->declaration);
    if (rc == SQLITE_OK && declaration == NULL) {
        rc = SQLITE_NOMEM;
    }
    if (rc == SQLITE_OK) {
        rc = store_check_info(store, "declaration", declaration, strlen(declaration),
                              "%s: the declaration is not the one in \"%s_info\"", err);
    }
    sqlite3_free(declaration);
    if (rc == SQLITE_OK) {
        rc = vs_store_info(store, "table", &identity, &n, err);
    }
    if (rc == SQLITE_OK && n != sizeof store->identity) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: \"%s_info\" has no usable 'table'",
                      store->label, store->table);
    }
    if (rc == SQLITE_OK) {
        memcpy(store->identity, identity, sizeof store->identity);
        store->file_identity = store_identify_file(store->conn, store->schema);
        store->is_loaded = 1;
    }
    sqlite3_free(identity);
    return rc;
}

/* ---- reading --------------------------------------------------------------------------------- */

int vs_store_is_fresh(const vs_store *store)
{
    return store->is_stamped && store->stamped_at == store->conn->stamp_reads;
}

int vs_store_peek_head(vs_store *store, vs_head *out, vs_err *err)
{
    sqlite3_stmt *stmt;
    int rc = vs_store_statement_get(store, VS_SQL_HEAD, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        int is_row = rc == SQLITE_ROW;
        const void *data = is_row ? sqlite3_column_blob(stmt, 0) : NULL;
        rc = vs_format_read_head(store->label, data,
                                 is_row ? (size_t)sqlite3_column_bytes(stmt, 0) : 0, out, err);
    }
    return vs_store_done(store, stmt, rc, "reading the head", err);
}

int vs_store_head(vs_store *store, vs_head *out, vs_err *err)
{
    store->conn->stamp_reads++;
    return vs_store_peek_head(store, out, err);
}

static int store_decode_cell(vs_store *store, sqlite3_stmt *stmt, int first, int64_t id,
                             vs_cell *out, vs_err *err)
{
    const void *data = sqlite3_column_blob(stmt, first + 1);
    return vs_format_read_cell(store->label, id, sqlite3_column_int64(stmt, first),
                               store->geometry.slots, store->declaration.vector_count, data,
                               (size_t)sqlite3_column_bytes(stmt, first + 1), out, err);
}

int vs_store_cells(vs_store *store, const vs_head *head,
                   int (*each)(void *arg, const vs_cell *cell), void *arg, vs_err *err)
{
    sqlite3_stmt *stmt;
    vs_cell cell;
    int64_t count = 0;
    int rc = vs_store_statement_get(store, VS_SQL_CELLS, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(stmt, 0);
        count++;
        if (id < 1 || id >= head->next_cell) {
            rc = vs_error(err, SQLITE_CORRUPT_VTAB,
                          "%s: \"%s_cells\" has a row %lld, and ids below %lld were given",
                          store->label, store->table, (long long)id, (long long)head->next_cell);
        } else {
            rc = store_decode_cell(store, stmt, 1, id, &cell, err);
        }
        if (rc == SQLITE_OK) {
            rc = each(arg, &cell);
        }
        if (rc != SQLITE_OK) {
            break;
        }
    }
    if (rc == SQLITE_DONE && count != (int64_t)head->cell_count) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: \"%s_cells\" has %lld cells, expected %lld",
                      store->label, store->table, (long long)count, (long long)head->cell_count);
    }
    return vs_store_done(store, stmt, rc, "reading the cells", err);
}

static int store_add_cell(void *arg, const vs_cell *cell)
{
    vs_cell_list *list = arg;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        vs_cell *cells = sqlite3_realloc64(list->cells, capacity * sizeof *cells);
        if (cells == NULL) {
            return SQLITE_NOMEM;
        }
        list->cells = cells;
        list->capacity = capacity;
    }
    list->cells[list->count++] = *cell;
    return SQLITE_OK;
}

int vs_store_list_cells(vs_store *store, const vs_head *head, vs_cell_list *out, vs_err *err)
{
    memset(out, 0, sizeof *out);
    return vs_store_cells(store, head, store_add_cell, out, err);
}

int vs_store_cell(vs_store *store, int64_t id, vs_cell *out, vs_err *err)
{
    sqlite3_stmt *stmt;
    int rc = vs_store_statement_get(store, VS_SQL_CELL, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(stmt, 1, id);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_DONE || id >= VS_HEAD_ID) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: \"%s_cells\" has no row %lld", store->label,
                      store->table, (long long)id);
    } else if (rc == SQLITE_ROW) {
        rc = store_decode_cell(store, stmt, 0, id, out, err);
    }
    return vs_store_done(store, stmt, rc, "reading a cell", err);
}

int vs_store_loc(vs_store *store, int64_t rowid, int64_t *out_loc, vs_err *err)
{
    sqlite3_stmt *stmt;
    *out_loc = 0;
    int rc = vs_store_statement_get(store, VS_SQL_ROW_LOC, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(stmt, 1, rowid);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        *out_loc = sqlite3_column_int64(stmt, 0);
        if (sqlite3_column_type(stmt, 0) != SQLITE_INTEGER ||
            *out_loc < (int64_t)store->geometry.slots ||
            *out_loc / (int64_t)store->geometry.slots > VS_CELL_ID_MAX) {
            rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: row %lld has no usable place",
                          store->label, (long long)rowid);
        }
    }
    return vs_store_done(store, stmt, rc, "finding a row", err);
}

int vs_store_by_key(vs_store *store, sqlite3_value *key, int64_t *out_rowid, int *out_found,
                    vs_err *err)
{
    sqlite3_stmt *stmt;
    *out_found = 0;
    int rc = vs_store_statement_get(store, VS_SQL_ROW_KEY, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sqlite3_bind_value(stmt, 1, key);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW) {
        *out_rowid = sqlite3_column_int64(stmt, 0);
        *out_found = 1;
    }
    return vs_store_done(store, stmt, rc, "finding a key", err);
}

int vs_store_blob_open(vs_store *store, const char *role, int vector, int64_t row, size_t bytes,
                       int is_writing, sqlite3_blob **io, vs_err *err)
{
    int rc;
    if (*io != NULL) {
        rc = sqlite3_blob_reopen(*io, row);
    } else {
        char *name = sqlite3_mprintf("%s_%s%d", store->table, role, vector);
        rc = name == NULL
                 ? SQLITE_NOMEM
                 : sqlite3_blob_open(store->db, store->schema, name, "data", row, is_writing, io);
        sqlite3_free(name);
    }
    if (rc == SQLITE_OK && (size_t)sqlite3_blob_bytes(*io) != bytes) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB,
                      "%s: row %lld of \"%s_%s%d\" has %lld bytes, expected %lld", store->label,
                      (long long)row, store->table, role, vector,
                      (long long)sqlite3_blob_bytes(*io), (long long)bytes);
    } else if (rc == SQLITE_ERROR) { /* no such row, or no blob in it */
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: \"%s_%s%d\" has no bytes in row %lld: %s",
                      store->label, store->table, role, vector, (long long)row,
                      sqlite3_errmsg(store->db));
    } else if (rc != SQLITE_OK) {
        rc = vs_error_db(err, rc, store->db, store->label);
    }
    if (rc != SQLITE_OK) {
        (void)sqlite3_blob_close(*io);
        *io = NULL;
    }
    return rc;
}

int vs_store_blob_write(vs_store *store, sqlite3_blob *blob, const void *data, size_t n, size_t at,
                        vs_err *err)
{
    int rc = sqlite3_blob_write(blob, data, (int)n, (int)at);
    return rc == SQLITE_OK ? rc : vs_error_db(err, rc, store->db, store->label);
}

int vs_store_blob_close(vs_store *store, sqlite3_blob *blob, int rc, vs_err *err)
{
    int closed = sqlite3_blob_close(blob);
    if (rc == SQLITE_OK && closed != SQLITE_OK) {
        rc = vs_error_db(err, closed, store->db, store->label);
    }
    return rc;
}

int vs_store_read_codes(vs_store *store, int vector, int64_t cell, int is_coarse, uint8_t *out,
                        vs_err *err)
{
    size_t slots = store->geometry.slots;
    size_t coarse = slots * store->geometry.vectors[vector].coarse_bytes;
    size_t all = coarse + slots * store->geometry.vectors[vector].fine_bytes;
    sqlite3_blob *blob = store->code_blobs[vector];
    store->code_blobs[vector] = NULL; /* a failure may end the transaction, which closes it */
    int rc = vs_store_blob_open(store, "codes", vector, cell, all, 0, &blob, err);
    if (rc == SQLITE_OK) {
        rc = sqlite3_blob_read(blob, out, (int)(is_coarse ? coarse : all), 0);
        rc = rc == SQLITE_OK ? rc : vs_error_db(err, rc, store->db, store->label);
    }
    if (rc != SQLITE_OK) {
        (void)sqlite3_blob_close(blob);
        blob = NULL;
    }
    store->code_blobs[vector] = blob;
    return rc;
}

static int store_add_live(void *arg, const vs_cell *cell)
{
    *(int64_t *)arg += cell->live;
    return SQLITE_OK;
}

int vs_store_count(vs_store *store, int64_t *out, vs_err *err)
{
    vs_head head;
    *out = 0;
    int rc = vs_store_peek_head(store, &head, err);
    return rc == SQLITE_OK ? vs_store_cells(store, &head, store_add_live, out, err) : rc;
}
