/*
 * model_tables.c - the databases and tables of a case, and statements on them.
 */
#include "model.h"

void model_describe(const model *test)
{
    print_message("VS_INDEX_CASE=%llu, step %d: ", (unsigned long long)test->seed, test->step);
    for (int i = 0; i < test->vectors; i++) {
        print_message("v%d %s, ", i, test->kinds[i]->declaration);
    }
    print_message("%s%s%s in %s, %s, page_size %d, auto_vacuum %d, secure_delete %d%s%s\n",
                  test->table, test->is_content ? " content=base" : "",
                  test->has_key ? " with key" : "", test->schema,
                  test->path[0] == '\0' ? "memory" : "file", test->page_size, test->auto_vacuum,
                  test->secure_delete, test->is_wal ? ", wal" : "", test->is_copy ? ", copy" : "");
}

/* ---- statements ------------------------------------------------------------------------------ */

static void append_name(const model *test, sqlite3_str *text, char mark, int is_ref)
{
    if (mark == '$') {
        sqlite3_str_appendf(text, "\"%w\"", test->table);
    } else if (is_ref) {
        sqlite3_str_appendall(text, "ref");
    } else if (mark == '#' && test->is_content) {
        sqlite3_str_appendf(text, "%s.base", test->schema);
    } else {
        sqlite3_str_appendf(text, "%s.\"%w\"", test->schema, test->table);
    }
}

char *model_sql(const model *test, const char *sql, int is_ref)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    for (const char *at = sql; *at != '\0'; at++) {
        if (strchr("@$#", *at) != NULL) {
            append_name(test, text, *at, is_ref);
        } else {
            sqlite3_str_appendchar(text, 1, *at);
        }
    }
    return sqlite3_str_finish(text);
}

sqlite3_stmt *model_prepare(model *test, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(test->db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        MODEL_FAIL(test, "%.600s: %s", sql, sqlite3_errmsg(test->db));
    }
    return stmt;
}

void model_run(model *test, const char *sql)
{
    char *text = model_sql(test, sql, 0);
    char *message = NULL;
    if (sqlite3_exec(test->db, text, NULL, NULL, &message) != SQLITE_OK) {
        MODEL_FAIL(test, "%.600s: %s", text, message);
    }
    sqlite3_free(text);
}

int64_t model_number(model *test, const char *sql)
{
    char *text = model_sql(test, sql, 0);
    sqlite3_stmt *stmt = model_prepare(test, text);
    if (sqlite3_step(stmt) != SQLITE_ROW) {
        MODEL_FAIL(test, "%.600s: %s", text, sqlite3_errmsg(test->db));
    }
    int64_t number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_free(text);
    return number;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void run_format(model *test, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    model_run(test, sql);
    sqlite3_free(sql);
}

void model_open(model *test)
{
    char *message = NULL;
    assert_int_equal(sqlite3_open_v2(test->path[0] == '\0' ? ":memory:" : test->path, &test->db,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI,
                                     NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_vecshard_init(test->db, &message, NULL), SQLITE_OK);
    if (strcmp(test->schema, "other") == 0) {
        run_format(test, "ATTACH %Q AS other", test->other[0] == '\0' ? ":memory:" : test->other);
    }
    run_format(test, "PRAGMA %s.page_size = %d", test->schema, test->page_size);
    run_format(test, "PRAGMA %s.auto_vacuum = %d", test->schema, test->auto_vacuum);
    run_format(test, "PRAGMA %s.secure_delete = %d", test->schema, test->secure_delete);
    if (test->is_wal) {
        run_format(test, "PRAGMA %s.journal_mode = wal", test->schema);
    }
    /* In a temporary file SQLite 3.53 itself fails to read long rows that are not written yet. */
    model_run(test, "PRAGMA temp_store = memory; PRAGMA synchronous = off");
}

void model_close(model *test)
{
    if (sqlite3_close(test->db) != SQLITE_OK) {
        MODEL_FAIL(test, "close: %s", sqlite3_errmsg(test->db));
    }
    test->db = NULL;
}

static int bulk_rows(const model *test)
{
    int rows = test->kinds[0]->bulk;
    for (int i = 1; i < test->vectors; i++) {
        rows = test->kinds[i]->bulk < rows ? test->kinds[i]->bulk : rows;
    }
    return rows;
}

void model_fill_source(model *test)
{
    unsigned char vector[MODEL_BYTES_MAX];
    model_run(test, "CREATE TEMP TABLE src(i INTEGER PRIMARY KEY, v0, v1, v2, part, lang, n)");
    sqlite3_stmt *stmt =
        model_prepare(test, "INSERT INTO temp.src VALUES(?1, ?2, ?3, ?4, ?1 % 3, "
                            "CASE ?1 % 4 WHEN 0 THEN 'en' WHEN 1 THEN 'Fr' END, ?1 % 9)");
    model_run(test, "SAVEPOINT fill");
    for (int i = 0; i < bulk_rows(test); i++) {
        (void)sqlite3_bind_int(stmt, 1, i);
        for (int j = 0; j < test->vectors; j++) {
            model_make_vector(test, test->kinds[j], vector);
            (void)sqlite3_bind_blob(stmt, 2 + j, vector, (int)model_vector_bytes(test->kinds[j]),
                                    SQLITE_TRANSIENT);
        }
        assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
        (void)sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    model_run(test, "RELEASE fill");
}

/* ---- creating -------------------------------------------------------------------------------- */

/* `ref` refuses what is no vector: before conflicts are looked for, as the table does, or after,
 * as the triggers of an index over a table do. */
static void create_guard(model *test)
{
    static const char *const events[] = {"INSERT", "UPDATE"};
    for (int i = 0; i < 2; i++) {
        sqlite3_str *sql = sqlite3_str_new(NULL);
        sqlite3_str_appendf(sql, "CREATE TRIGGER %s.ref_%s %s %s ON ref WHEN 0", test->schema,
                            events[i], test->is_content ? "AFTER" : "BEFORE", events[i]);
        for (int j = 0; j < test->vectors; j++) {
            char name[8];
            (void)snprintf(name, sizeof name, "v%d", j);
            char *is_bad = model_is_bad(test->kinds[j], name);
            sqlite3_str_appendf(sql, " OR %s", is_bad);
            sqlite3_free(is_bad);
        }
        sqlite3_str_appendall(sql, " BEGIN SELECT RAISE(ABORT, 'no vector'); END");
        char *text = sqlite3_str_finish(sql);
        model_run(test, text);
        sqlite3_free(text);
    }
}

static void create_plain(model *test, const char *name)
{
    run_format(test,
               "CREATE TABLE %s.%s(id INTEGER PRIMARY KEY, key TEXT%s, v0 BLOB, v1 BLOB, v2 BLOB, "
               "part INTEGER, lang TEXT COLLATE NOCASE, n INTEGER, title TEXT)",
               test->schema, name, test->has_key ? " UNIQUE" : "");
}

/* The declared columns, in any order but that of the vectors. */
static void append_columns(model *test, sqlite3_str *sql)
{
    test->has_text = !test->is_content && model_pick(test, 2) > 0;
    test->has_parts = model_pick(test, 2) > 0;
    const char *columns[] = {
        test->has_parts ? "part INTEGER PARTITION KEY" : "part INTEGER",
        "lang TEXT COLLATE NOCASE",
        model_pick(test, 3) > 0 ? "n INTEGER" : "+n INTEGER",
        test->is_content ? NULL : (test->has_key ? "key TEXT PRIMARY KEY" : "key TEXT"),
        test->is_content ? NULL : (test->has_text ? "+title TEXT" : "title TEXT"),
        test->is_content || test->has_key || model_pick(test, 2) > 0 ? NULL
                                                                     : "id INTEGER PRIMARY KEY",
    };
    const uint32_t count = VS_TEST_COUNT(columns);
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t j = model_pick(test, i + 1);
        const char *swap = columns[i];
        columns[i] = columns[j];
        columns[j] = swap;
    }
    int vectors = 0, any = 0;
    for (uint32_t i = 0; i < count; i++) {
        int until = i + 1 == count ? test->vectors : (int)model_pick(test, 2) + vectors;
        for (; vectors < until && vectors < test->vectors; vectors++) {
            sqlite3_str_appendf(sql, "%sv%d %s", any++ > 0 ? ", " : "", vectors,
                                test->kinds[vectors]->declaration);
        }
        if (columns[i] != NULL) {
            sqlite3_str_appendf(sql, "%s%s", any++ > 0 ? ", " : "", columns[i]);
        }
    }
}

void model_create(model *test)
{
    create_plain(test, "ref");
    if (test->is_content) {
        create_plain(test, "base");
    }
    create_guard(test);
    model_fill_source(test);
    if (test->is_content && model_pick(test, 2) > 0) { /* rows before the index */
        static const char some[] =
            "INSERT INTO %s(id, v0, v1, v2, part, lang, n) SELECT i * 3, v0, v1, v2, part, lang, n "
            "FROM src WHERE i %% 5 < 3";
        run_format(test, some, "#");
        run_format(test, some, "ref");
    }
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendf(sql, "CREATE VIRTUAL TABLE @ USING vecshard(");
    append_columns(test, sql);
    sqlite3_str_appendall(sql, test->is_content ? ", content=base, content_rowid=id)" : ")");
    char *text = sqlite3_str_finish(sql);
    model_run(test, text);
    sqlite3_free(text);
    if (strcmp(test->schema, "main") != 0) { /* tables of the same names stay out of it */
        run_format(test, "CREATE TABLE main.%s(x); CREATE TABLE main.%s_cells(id, data)",
                   test->table, test->table);
    }
}

void model_drop(model *test)
{
    model_run(test, "DROP TABLE @");
    char *sql = sqlite3_mprintf(
        "SELECT count(*) FROM %s.sqlite_schema WHERE name NOT LIKE 'ref%%' AND name NOT IN "
        "('base', 'src') AND name NOT LIKE 'sqlite_%%'",
        test->schema);
    int64_t left = model_number(test, sql);
    sqlite3_free(sql);
    if (left > 0) {
        MODEL_FAIL(test, "DROP TABLE leaves %d tables, indexes or triggers", (int)left);
    }
}
