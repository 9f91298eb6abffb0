/*
 * model_files.c - upkeep of the tables, and the database as a whole: VACUUM, copies made in every
 * way, reading without the right to write, and what is left of removed vectors.
 */
#include "model.h"

#include "../../kernels/vsk.h"

#include <unistd.h>

/* ---- upkeep ---------------------------------------------------------------------------------- */

void model_check(model *test)
{
    if (test->is_stale) {
        model_run(test, "INSERT INTO @($) VALUES('rebuild')");
        test->is_stale = test->depth > 0; /* a rollback brings the old entries back */
    }
    model_run(test, "INSERT INTO @($) VALUES('integrity-check')");
}

static void rename_table(model *test)
{
    const char *other = strcmp(test->table, "t") == 0 ? "renamed 2" : "t";
    char *sql = sqlite3_mprintf("ALTER TABLE @ RENAME TO \"%w\"", other);
    int is_undone = test->depth > 0 && model_pick(test, 2) > 0;
    if (is_undone) {
        model_run(test, "SAVEPOINT renaming");
    }
    model_run(test, sql);
    sqlite3_free(sql);
    if (is_undone) {
        model_run(test, "ROLLBACK TO renaming; RELEASE renaming");
        return;
    }
    test->table = other;
    if (test->depth > 0) { /* a rollback would bring the old name back */
        model_run(test, "COMMIT");
        test->depth = 0;
    }
}

static void vacuum(model *test)
{
    if (test->depth > 0 || strcmp(test->schema, "temp") == 0) {
        return;
    }
    if (!test->is_wal && model_pick(test, 2) > 0) {
        test->page_size = 512 << model_pick(test, 8);
        char *sql = sqlite3_mprintf("PRAGMA %s.page_size = %d", test->schema, test->page_size);
        model_run(test, sql);
        sqlite3_free(sql);
    }
    char *sql = sqlite3_mprintf("VACUUM %s", test->schema);
    model_run(test, sql);
    sqlite3_free(sql);
}

void model_upkeep(model *test)
{
    static const char *const statements[] = {
        "INSERT INTO @($) VALUES('optimize')",
        "INSERT INTO @($, arg) VALUES('optimize', 50)",
        "INSERT INTO @($, arg) VALUES('merge', 20)",
        "INSERT INTO @($) VALUES('rebuild')",
        "SELECT vec_config('cache_mb', 0)",
        "SELECT vec_config('cache_mb', 1)",
        "SELECT vec_config('cache_mb', 256), vec_config('threads', 2)",
        "PRAGMA incremental_vacuum(3)",
    };
    uint32_t what = model_pick(test, 17);
    if (what < VS_TEST_COUNT(statements)) {
        model_run(test, statements[what]);
    } else if (what == 8) {
        rename_table(test);
    } else if (what == 9) {
        vacuum(test);
    } else if (what == 10) {
        model_check(test);
    } else {
        model_tier(test);
    }
}

/* ---- copies ---------------------------------------------------------------------------------- */

static void assert_done(model *test, sqlite3 *db, int rc, const char *what)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE) {
        MODEL_FAIL(test, "%s: %s", what, sqlite3_errmsg(db));
    }
}

static void run_on(model *test, sqlite3 *db, const char *sql)
{
    assert_done(test, db, sqlite3_exec(db, sql, NULL, NULL, NULL), sql);
}

static void open_copy(model *copy, const char *path, int flags)
{
    char *message = NULL;
    int rc = sqlite3_open_v2(path, &copy->db, flags | SQLITE_OPEN_URI, NULL);
    assert_done(copy, copy->db, rc, path);
    assert_int_equal(sqlite3_vecshard_init(copy->db, &message, NULL), SQLITE_OK);
}

static void copy_by_backup(model *test, model *copy)
{
    open_copy(copy, copy->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    sqlite3_backup *backup = sqlite3_backup_init(copy->db, "main", test->db, test->schema);
    assert_non_null(backup);
    int rc;
    while ((rc = sqlite3_backup_step(backup, 7)) == SQLITE_OK) {
    }
    assert_int_equal(sqlite3_backup_finish(backup), SQLITE_OK);
    assert_done(test, copy->db, rc, "backup");
}

static void copy_by_serialize(model *test, model *copy)
{
    sqlite3_int64 size = 0;
    unsigned char *bytes = sqlite3_serialize(test->db, test->schema, &size, 0);
    assert_non_null(bytes);
    if (size > 20) { /* such a copy has no log: version 1, a rollback journal */
        bytes[18] = bytes[19] = 1;
    }
    open_copy(copy, ":memory:", SQLITE_OPEN_READWRITE);
    assert_done(test, copy->db,
                sqlite3_deserialize(copy->db, "main", bytes, size, size,
                                    SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE),
                "deserialize");
}

static void copy_by_vacuum(model *test, model *copy)
{
    char *sql = sqlite3_mprintf("VACUUM %s INTO %Q", test->schema, copy->path);
    model_run(test, sql);
    sqlite3_free(sql);
    open_copy(copy, copy->path, SQLITE_OPEN_READWRITE);
}

/* ---- a dump, restored */

static void restore_rows(model *test, sqlite3 *to, const char *name)
{
    char *sql = sqlite3_mprintf("SELECT * FROM %s.\"%w\"", test->schema, name);
    sqlite3_stmt *from = model_prepare(test, sql);
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_str_appendf(text, "INSERT INTO \"%w\" VALUES(?", name);
    for (int i = 1; i < sqlite3_column_count(from); i++) {
        sqlite3_str_appendall(text, ", ?");
    }
    sqlite3_str_appendall(text, ")");
    char *insert = sqlite3_str_finish(text);
    sqlite3_stmt *stmt = NULL;
    assert_done(test, to, sqlite3_prepare_v2(to, insert, -1, &stmt, NULL), insert);
    int rc;
    while ((rc = sqlite3_step(from)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(from); i++) {
            (void)sqlite3_bind_value(stmt, i + 1, sqlite3_column_value(from, i));
        }
        assert_done(test, to, sqlite3_step(stmt), insert);
        (void)sqlite3_reset(stmt);
    }
    assert_done(test, test->db, rc, sql);
    sqlite3_finalize(stmt);
    sqlite3_finalize(from);
    sqlite3_free(insert);
    sqlite3_free(sql);
}

/* As the shell's .dump has it: virtual tables as rows of the schema, shadow tables as tables. */
static void restore_table(model *test, sqlite3 *to, const char *name, const char *sql)
{
    if (sqlite3_strnicmp(sql, "CREATE VIRTUAL", 14) != 0) {
        run_on(test, to, sql);
        restore_rows(test, to, name);
        return;
    }
    char *row = sqlite3_mprintf("INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql) "
                                "VALUES('table', %Q, %Q, 0, %Q)",
                                name, name, sql);
    run_on(test, to, row);
    sqlite3_free(row);
}

static void copy_by_dump(model *test, model *copy)
{
    static const char *const orders[] = {"rowid", "name", "name DESC"};
    open_copy(copy, copy->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    copy->page_size = 512 << model_pick(test, 8);
    char *sql = sqlite3_mprintf("PRAGMA page_size = %d; PRAGMA writable_schema = on; BEGIN",
                                copy->page_size);
    run_on(test, copy->db, sql);
    sqlite3_free(sql);
    sql = sqlite3_mprintf("SELECT name, sql, type FROM %s.sqlite_schema WHERE sql IS NOT NULL AND "
                          "name NOT LIKE 'sqlite_%%' ORDER BY type <> 'table', %s",
                          test->schema, orders[model_pick(test, VS_TEST_COUNT(orders))]);
    sqlite3_stmt *stmt = model_prepare(test, sql);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        const char *text = (const char *)sqlite3_column_text(stmt, 1);
        if (strcmp((const char *)sqlite3_column_text(stmt, 2), "table") == 0) {
            restore_table(test, copy->db, name, text);
        } else {
            run_on(test, copy->db, text);
        }
    }
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    run_on(test, copy->db, "COMMIT");
    run_on(test, copy->db, "PRAGMA writable_schema = RESET");
}

/* ---- reading alone */

static void write_fails(model *copy)
{
    static const char *const writes[] = {"DELETE FROM # WHERE rowid > 0",
                                         "INSERT INTO @($) VALUES('optimize')",
                                         "INSERT INTO @($) VALUES('rebuild')", "DROP TABLE @"};
    char *sql = model_sql(copy, writes[model_pick(copy, VS_TEST_COUNT(writes))], 0);
    if (sqlite3_exec(copy->db, sql, NULL, NULL, NULL) != SQLITE_READONLY) {
        MODEL_FAIL(copy, "%s: %s, expected a refusal to write", sql, sqlite3_errmsg(copy->db));
    }
    sqlite3_free(sql);
}

static void read_alone(model *test, model *copy, const char *path, int is_immutable)
{
    int is_closed = is_immutable || model_pick(test, 2) > 0;
    if (is_closed) {
        model_close(test);
    }
    char *uri = sqlite3_mprintf("file:%s?%s", path, is_immutable ? "immutable=1" : "mode=ro");
    open_copy(copy, uri, SQLITE_OPEN_READONLY);
    sqlite3_free(uri);
    copy->random = test->random;
    model_compare_rows(copy);
    for (int i = 0; i < 3; i++) {
        model_compare_search(copy);
    }
    write_fails(copy);
    model_compare_rows(copy);
    model_close(copy);
    test->random = copy->random;
    if (is_closed) {
        model_open(test);
        model_fill_source(test);
    }
}

static void reopen(model *test)
{
    model_close(test);
    model_open(test);
    model_fill_source(test);
}

static void use_copy(model *test, model *copy)
{
    copy->random = test->random;
    model_run(copy,
              copy->secure_delete ? "PRAGMA secure_delete = on" : "PRAGMA secure_delete = off");
    model_fill_source(copy);
    model_check(copy);
    model_compare_rows(copy);
    model_compare_search(copy);
    model_steps(copy, 6);
    model_end_transaction(copy);
    model_check(copy);
    model_close(copy);
    test->random = copy->random;
    test->is_stale |= copy->is_stale;
}

void model_copy(model *test)
{
    model copy = *test;
    if (test->is_copy) {
        return;
    }
    model_end_transaction(test);
    copy.depth = 0;
    copy.is_copy = 1;
    copy.schema = "main";
    copy.is_wal = 0;
    copy.is_stale = test->is_stale;
    copy.other[0] = '\0';
    (void)snprintf(copy.path, sizeof copy.path, "model_copy_%ld.db", (long)getpid());
    const char *path = strcmp(test->schema, "other") == 0 ? test->other : test->path;
    int is_temp = strcmp(test->schema, "temp") == 0;
    int is_file = !is_temp && path[0] != '\0';
    uint32_t what = model_pick(test, is_file ? 7 : is_temp ? 2 : 4);
    (void)remove(copy.path);
    switch (what) {
    case 0:
        copy_by_dump(test, &copy);
        break;
    case 1:
        copy_by_backup(test, &copy);
        break;
    case 2:
        copy_by_serialize(test, &copy);
        break;
    case 3:
        copy_by_vacuum(test, &copy);
        break;
    case 4:
        reopen(test);
        return;
    default:
        read_alone(test, &copy, path, what == 6);
        return;
    }
    use_copy(test, &copy);
    (void)remove(copy.path);
}

/* ---- what is left of removed vectors --------------------------------------------------------- */

/* Only the vecshard table gets the vector: SQLite itself may leave pieces of a row of another one
 * in the free space of a page when it moves rows between pages. */

#define WINDOW 16

/* A vector that nothing else in the database resembles. */
static void make_mark(model *test, const model_kind *kind, unsigned char *out)
{
    for (size_t i = 0; i < kind->dim; i++) {
        double x = kind->is_grid ? ((double)model_pick(test, 2047) - 1023.0) / 8.0
                                 : ((double)model_pick(test, 1000003) - 500001.0) / 77777.0;
        float f = (float)x;
        if (kind->element == 'f') {
            memcpy(out + 4 * i, &f, 4);
        } else if (kind->element == 'h') {
            vsk_get()->from_f32[VSK_F16](&f, out + 2 * i, 1);
        } else if (kind->element == 'i' || i < kind->dim / 8) {
            out[i] = (unsigned char)model_pick(test, 256);
        }
    }
}

/* Is any piece of the vector in the database? Pages cut it, so pieces are looked for. */
static int is_left(model *test, const unsigned char *vector, size_t n)
{
    sqlite3_int64 size = 0;
    unsigned char *bytes = sqlite3_serialize(test->db, test->schema, &size, 0);
    int found = 0;
    size_t window = n < WINDOW ? n : WINDOW;
    size_t step = n < 8 * WINDOW ? WINDOW : 4 * WINDOW;
    assert_non_null(bytes);
    for (size_t at = 0; at + window <= n && !found; at += step) {
        const unsigned char *from = bytes, *end = bytes + size - window;
        while (!found && from <= end &&
               (from = memchr(from, vector[at], (size_t)(end - from) + 1))) {
            found = memcmp(from, vector + at, window) == 0;
            from++;
        }
    }
    sqlite3_free(bytes);
    return found;
}

static void write_mark(model *test, const char *format, int column, const unsigned char *vector,
                       size_t n)
{
    char *marked = sqlite3_mprintf(format, column);
    char *sql = model_sql(test, marked, 0);
    sqlite3_stmt *stmt = model_prepare(test, sql);
    if (sqlite3_bind_parameter_count(stmt) > 0) {
        (void)sqlite3_bind_blob(stmt, 1, vector, (int)n, SQLITE_STATIC);
    }
    assert_done(test, test->db, sqlite3_step(stmt), sql);
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    sqlite3_free(marked);
}

/* As it is, in blocks, or as halves. */
static int stored_mark_is_left(model *test, int column, const unsigned char *vector)
{
    unsigned char halves[MODEL_BYTES_MAX / 2];
    const model_kind *kind = test->kinds[column];
    size_t n = model_vector_bytes(kind);
    if (is_left(test, vector, n) || model_blocks_have(test, column, vector, n)) {
        return 1;
    }
    if (strstr(kind->declaration, "store=") == NULL) {
        return 0;
    }
    vsk_get()->from_f32[VSK_F16]((const float *)(const void *)vector, halves, kind->dim);
    return is_left(test, halves, 2 * kind->dim) ||
           model_blocks_have(test, column, halves, 2 * kind->dim);
}

void model_forget(model *test)
{
    static const char *const upkeeps[] = {"", "INSERT INTO @($) VALUES('optimize')",
                                          "INSERT INTO @($) VALUES('rebuild')"};
    static const char *const removals[] = {
        "DELETE FROM @ WHERE rowid = 900001",
        "UPDATE @ SET v%d = NULL WHERE rowid = 900001",
        "REPLACE INTO @(rowid, n) VALUES(900001, 3)",
        "UPDATE @ SET part = 77, v%d = NULL WHERE rowid = 900001",
    };
    float aligned[MODEL_DIM_MAX];
    unsigned char *vector = (unsigned char *)aligned;
    int column = (int)model_pick(test, (uint32_t)test->vectors);
    const model_kind *kind = test->kinds[column];
    size_t n = model_vector_bytes(kind);
    if (!test->secure_delete || test->is_content || strcmp(test->schema, "temp") == 0) {
        return;
    }
    model_end_transaction(test);
    make_mark(test, kind, vector);
    write_mark(test, "REPLACE INTO @(rowid, n, v%d) VALUES(900001, 99, ?1)", column, vector, n);
    int is_found = stored_mark_is_left(test, column, vector);
    if (!is_found && n >= 2 * WINDOW) { /* the only piece of a short one may be cut */
        MODEL_FAIL(test, "a new vector is not in the database");
    }
    model_run(test, upkeeps[model_pick(test, VS_TEST_COUNT(upkeeps))]);
    if (model_pick(test, 2) > 0) {
        model_tier(test);
    }
    const char *removal = removals[model_pick(test, VS_TEST_COUNT(removals))];
    write_mark(test, removal, column, vector, n);
    int is_optimized = model_pick(test, 2) > 0;
    if (is_optimized) {
        model_run(test, upkeeps[1]);
    }
    if (stored_mark_is_left(test, column, vector)) {
        MODEL_FAIL(test, "bytes of a removed vector are left (%s; %s)", removal,
                   is_optimized ? "optimized" : "not optimized");
    }
    write_mark(test, removals[0], 0, NULL, 0);
}
