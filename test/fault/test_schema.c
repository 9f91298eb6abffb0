/*
 * test_schema.c - databases whose schema or content somebody has prepared: names, texts and keys
 * that are anything.
 *
 * What a file says is never pasted into a statement of ours; a search over it answers, or fails
 * with a sentence.
 */
#include "../search_fixture.h"

#include <stdio.h>

/* ---- names ---- */

static void names_are_values_and_not_text_of_a_statement(void **state)
{
    static const char *const names[] = {
        "a\"b",
        "a'b",
        "a.b",
        "a;b",
        "a]b",
        "a`b",
        "a b",
        "a--b",
        "a/*b",
        "%s%n%w",
        "SELECT",
        "main.t",
        "\xc3\xa9t\xc3\xa9",
        "; DROP TABLE canary; --",
        "x\" UNION SELECT 1,x'00' --",
        "; pushed down: options",
        "a; pushed down: id list, id =, distance <, distance <=, b",
        "; pushed down: options, id list, ",
        "exact l2 by one pass (est. 1 rows); pushed down: limit",
        "a\x01z",
        "",
    };
    sqlite3 *db = vs_test_open();
    (void)state;
    vs_test_run(db, "CREATE TABLE canary(v); INSERT INTO canary VALUES ('[9,9]'); ATTACH "
                    "':memory:' AS \"odd.\"\"schema\"");
    for (size_t i = 0; i < VS_TEST_COUNT(names); i++) {
        static const char *const schemas[] = {"main", "temp", "odd.\"schema"};
        for (size_t s = 0; s < VS_TEST_COUNT(schemas); s++) {
            const char *name = names[i];
            char *sql = sqlite3_mprintf(
                "CREATE TABLE \"%w\".\"%w\"(id INTEGER PRIMARY KEY, \"%w v\"); INSERT INTO "
                "\"%w\".\"%w\" VALUES (4, '[1,2]'), (5, NULL);"
                "CREATE INDEX \"%w\".\"%w i\" ON \"%w\"(vec_norm(\"%w v\")) WHERE \"%w v\" IS NOT "
                "NULL",
                schemas[s], name, name, schemas[s], name, schemas[s], name, name, name, name);
            vs_test_run(db, sql);
            sqlite3_free(sql);
            char *table = sqlite3_mprintf("%s.%s", schemas[s], name);
            char *column = sqlite3_mprintf("%s v", name);
            for (int form = 0; form < 4; form++) {
                sql = sqlite3_mprintf(
                    form == 0
                        ? "SELECT id, distance FROM vec_search(%Q, %Q, '[1,2]') WHERE id IN (4, 5)"
                    : form == 1 ? "SELECT id, distance FROM vec_search(%Q, %Q, '[1,2]', 5, "
                                  "json_object('index', %Q || ' i'))"
                    : form == 2 ? "SELECT id, distance FROM vec_search_batch(%Q, %Q, '[[1,2]]', 5)"
                                : "SELECT id, distance FROM (SELECT %Q AS t, %Q AS c) AS o, "
                                  "vec_search(o.t, o.c, '[1,2]') LIMIT 5",
                    table, column, name);
                vs_test_gives(db, sql, "4|0.0");
                sqlite3_free(sql);
            }
            sqlite3_free(column);
            sqlite3_free(table);
            sql = sqlite3_mprintf("DROP TABLE \"%w\".\"%w\"", schemas[s], name);
            vs_test_run(db, sql);
            sqlite3_free(sql);
        }
    }
    vs_test_gives(db, "SELECT count(*) FROM canary", "1");
    vs_test_close(db);
}

static void names_that_do_not_exist_are_refused(void **state)
{
    static const char *const tables[] = {
        "nowhere",         "main.nowhere", "nowhere.canary", "\"canary\"", "canary; --",
        "main.\"canary\"", "(SELECT 1)",   "canary AS c",    "",           ".",
        "main.",           ".canary",      "temp.canary"};
    sqlite3 *db = vs_test_open();
    (void)state;
    vs_test_run(db, "CREATE TABLE canary(v); INSERT INTO canary VALUES ('[9,9]')");
    for (size_t i = 0; i < VS_TEST_COUNT(tables); i++) {
        char *sql = sqlite3_mprintf("SELECT id FROM vec_search(%Q, 'v', '[1,2]', 5)", tables[i]);
        char *sentence = sqlite3_mprintf("vec_search: no such table: %s", tables[i]);
        vs_test_fails(db, sql, sentence);
        sqlite3_free(sentence);
        sqlite3_free(sql);
    }
    vs_test_fails(db, "SELECT id FROM vec_search('canary', 'v\" FROM canary --', '[1,2]', 5)",
                  "vec_search: table canary has no column v\" FROM canary --");
    vs_test_close(db);
}

/* ---- texts of the schema ---- */

static const char schema_name[] = "test_schema.db";

/*
 * A file with table t(id, v, n, tag), whose text of `name` is replaced by `text`; opened again so
 * that SQLite reads that text.
 */
static sqlite3 *open_edited(const char *type, const char *name, const char *text)
{
    const char *file = fixture_path(schema_name);
    sqlite3 *db = NULL;
    remove(file);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_vecshard_init(db, NULL, NULL), SQLITE_OK);
    vs_test_run(
        db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;"
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v, n REAL AS (vec_norm(v)), tag);"
            "INSERT INTO t(id, v, tag) VALUES (1, '[1,0]', 1), (2, '[2,0]', 2), (3, '[3,0]', 1);"
            "CREATE INDEX by_norm ON t(vec_norm(v)); CREATE INDEX by_n ON t(n); CREATE INDEX part "
            "ON t(tag) WHERE tag = 1;"
            "PRAGMA writable_schema = ON");
    char *sql = sqlite3_mprintf("UPDATE sqlite_schema SET sql = %Q WHERE type = %Q AND name = %Q",
                                text, type, name);
    vs_test_run(db, sql);
    sqlite3_free(sql);
    vs_test_close(db);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_vecshard_init(db, NULL, NULL), SQLITE_OK);
    return db;
}

/* Every way to search: each ends with an answer or an error, and leaves the connection usable. */
static void search_every_way(sqlite3 *db)
{
    static const char *const statements[] = {
        "SELECT id FROM vec_search('t', 'v', '[1,0]', 2)",
        "SELECT id FROM vec_search('t', 'v', '[1,0]', 2, '{\"metric\":\"dot\"}')",
        "SELECT id FROM vec_search('t', 'v', '[1,0]', 2, '{\"index\":\"by_norm\"}')",
        ("SELECT id FROM vec_search('t', 'v', '[1,0]', 2, "
         "'{\"index\":\"by_n\",\"metric\":\"dot\"}')"),
        "SELECT id FROM vec_search('t', 'v', '[1,0]', 2, '{\"index\":\"part\"}')",
        "SELECT id FROM vec_search_batch('t', 'v', '[[1,0]]', 2, '{\"index\":\"part\"}')",
        "SELECT vec_norm_selectivity('t', 'v', '[1,0]', 0.5)",
    };
    for (size_t i = 0; i < VS_TEST_COUNT(statements); i++) {
        (void)fixture_step_all(db, statements[i]);
        fixture_nothing_is_open(db);
    }
    int rc = fixture_step_all(db, "SELECT * FROM sqlite_schema");
    assert_true(rc == SQLITE_OK || rc == SQLITE_CORRUPT || rc == SQLITE_ERROR);
    assert_int_equal(sqlite3_get_autocommit(db), 1);
}

static void edited_index_texts_are_answered_or_refused(void **state)
{
    static const char *const texts[] = {
        "CREATE INDEX part ON t(tag) WHERE tag = 1) UNION SELECT id, v FROM t --",
        "CREATE INDEX part ON t(tag) WHERE 1) UNION SELECT 1, x'0000803f00000000' --",
        "CREATE INDEX part ON t(tag) WHERE tag = 1; DROP TABLE t",
        "CREATE INDEX part ON t(tag) WHERE ((tag = 1)",
        "CREATE INDEX part ON t(tag",
        "CREATE INDEX part ON t",
        "CREATE INDEX",
        "",
        "CREATE INDEX part ON t(tag) WHERE tag = 1 /* never closed",
        "CREATE INDEX part ON t(tag) WHERE tag = '1",
        "CREATE INDEX part ON t(tag) WHERE \"tag\" = 1 -- done",
        "CREATE INDEX part ON t(/* ) */ tag /* , x */) WHERE [tag] = 1",
        "CREATE INDEX part ON t(vec_norm(v)) WHERE tag = 1",
        "CREATE INDEX part ON t(vec_norm(v) DESC) WHERE tag = 1",
        "CREATE INDEX part ON t(vec_norm(vec_f16(v))) WHERE tag = 1",
        "CREATE INDEX part ON t(vec_norm(id))",
        "CREATE INDEX part ON t(n) WHERE id > 1 AND (tag = 1 OR tag = 2)",
        "CREATE INDEX part ON t(n) WHERE load_extension('x') = 1",
        "CREATE INDEX part ON t(n) WHERE (SELECT 1)",
        "CREATE INDEX part ON t(n) WHERE ?1",
        "CREATE INDEX part ON t(n) WHERE random() > 0",
        "CREATE UNIQUE INDEX IF NOT EXISTS main.part ON t(tag COLLATE nocase ASC) WHERE tag = 1",
        "CREATE TABLE part(a, b)",
        "\xff\xfe garbage ( ' \" ` [",
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(texts); i++) {
        sqlite3 *db = open_edited("index", "part", texts[i]);
        search_every_way(db);
        vs_test_close(db);
    }
    remove(fixture_path(schema_name));
}

static void edited_table_texts_are_answered_or_refused(void **state)
{
    static const char *const texts[] = {
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v, n TEXT AS (vec_norm(v)), tag)",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v, n AS (vec_norm(v)) STORED, tag)",
        "CREATE TABLE t(id, v, n AS (vec_norm(v)), tag)",
        "CREATE TABLE t(id TEXT PRIMARY KEY, v, n AS (vec_norm(v)), tag) WITHOUT ROWID",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v, n AS (vec_norm(tag)), tag)",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v, n AS (v), tag)",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v, n, tag)",
        "CREATE TABLE t(v)",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v, n DEFAULT (1) /* AS (vec_norm(v)) */, tag)",
        "CREATE TABLE t(rowid TEXT, oid TEXT, _rowid_ TEXT, v)",
        ("CREATE TABLE \"t\"(\"id\" INTEGER PRIMARY KEY, [v], `n` REAL GENERATED ALWAYS AS "
         "((vec_norm(\"v\"))), 'tag')"),
        "CREATE VIEW t AS SELECT 1 AS id, x'00' AS v",
        "CREATE VIRTUAL TABLE t USING vec_search(a, b)",
        "CREATE VIRTUAL TABLE t USING nothing",
        "CREATE TABLE t(",
        "",
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(texts); i++) {
        sqlite3 *db = open_edited("table", "t", texts[i]);
        search_every_way(db);
        vs_test_close(db);
    }
    remove(fixture_path(schema_name));
}

static void very_long_texts_are_read(void **state)
{
    sqlite3 *db = vs_test_open();
    sqlite3_str *sql = sqlite3_str_new(NULL);
    (void)state;
    fixture_fill_line(db, "t", 50);
    sqlite3_str_appendall(sql, "CREATE INDEX long ON t(tag) WHERE tag = 1");
    for (int i = 0; i < 400; i++) {
        sqlite3_str_appendf(sql, " AND (tag <> %d /* %0*d */)", i + 100, 500, i);
    }
    char *text = sqlite3_str_finish(sql);
    vs_test_run(db, text);
    sqlite3_free(text);
    vs_test_gives(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 3, '{\"index\":\"long\"}')",
                  "1; 11; 21");
    vs_test_close(db);
}

/* ---- content ---- */

static void a_key_that_is_no_integer_is_an_error(void **state)
{
    sqlite3 *db = vs_test_open();
    (void)state;
    vs_test_run(db, "CREATE TABLE w(k INTEGER PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO w VALUES "
                    "(1, '[1,2]'), ('abc', '[1,3]'), (x'0102', '[1,4]');"
                    "CREATE TABLE r(rowid, _rowid_, oid INTEGER PRIMARY KEY DESC, v); INSERT INTO "
                    "r(v) VALUES ('[1,2]')");
    vs_test_fails(db, "SELECT id FROM vec_search('w', 'v', '[1,2]', 5)",
                  "vec_search: w.v: expected an INTEGER as the key of a row, found abc");
    (void)fixture_step_all(db, "SELECT id FROM vec_search('r', 'v', '[1,2]', 5)");
    fixture_nothing_is_open(db);
    fixture_is_usable(db);
    vs_test_close(db);
}

static void stored_values_of_every_kind_are_named_or_passed_over(void **state)
{
    static const struct {
        const char *value, *sentence;
    } rows[] = {
        {"5", "vec_search: t.v, row 7: a vector is a BLOB or JSON text, not INTEGER"},
        {"2.5", "vec_search: t.v, row 7: a vector is a BLOB or JSON text, not REAL"},
        {"x''", "vec_search: t.v, row 7: a vector has at least one element, and this one is empty"},
        {"x'000000'", "vec_search: t.v, row 7: a float32 vector has a multiple of 4 bytes, not 3"},
        {"x'00000000'", "vec_search: t.v, row 7: expected 2 float32 elements (8 bytes), found 1 "
                        "elements (4 bytes)"},
        {"'[1,2,3]'", "vec_search: t.v, row 7: expected 2 float32 elements (8 bytes), found 3 "
                      "elements (7 bytes)"},
        {"'[1,'", "vec_search: t.v, row 7: JSON text: expected a number, at byte 3, element 1"},
        {"''", "vec_search: t.v, row 7: JSON text: expected '[', at byte 0, element 0"},
        {"x'0000c07f00000000'", "vec_search: t.v, row 7: vector: element 0 is NaN"},
        {"x'000000000000807f'", "vec_search: t.v, row 7: vector: element 1 is infinite"},
    };
    sqlite3 *db = vs_test_open();
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(rows); i++) {
        char *sql = sqlite3_mprintf("CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t "
                                    "VALUES (1, '[1,2]'), (7, %s), (9, '[3,4]')",
                                    rows[i].value);
        vs_test_run(db, sql);
        sqlite3_free(sql);
        for (int metric = 0; metric < 5; metric++) {
            static const char *const metrics[] = {"l2", "l2sq", "l1", "cosine", "dot"};
            sql = sqlite3_mprintf(
                "SELECT id FROM vec_search('t', 'v', '[1,2]', 1, '{\"metric\":\"%s\"}')",
                metrics[metric]);
            vs_test_fails(db, sql, rows[i].sentence);
            sqlite3_free(sql);
            sql = sqlite3_mprintf("SELECT count(*) FROM vec_search('t', 'v', '[1,2]', 9, "
                                  "'{\"metric\":\"%s\",\"bad_rows\":\"skip\"}')",
                                  metrics[metric]);
            vs_test_gives(db, sql, "2");
            sqlite3_free(sql);
        }
        vs_test_gives(db,
                      "SELECT count(*) FROM vec_search_batch('t', 'v', '[[1,2],[3,4]]', 9, "
                      "'{\"bad_rows\":\"skip\"}')",
                      "4");
        fixture_nothing_is_open(db);
        vs_test_run(db, "DROP TABLE t");
    }
    vs_test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_values_and_not_text_of_a_statement),
        cmocka_unit_test(names_that_do_not_exist_are_refused),
        cmocka_unit_test(edited_index_texts_are_answered_or_refused),
        cmocka_unit_test(edited_table_texts_are_answered_or_refused),
        cmocka_unit_test(very_long_texts_are_read),
        cmocka_unit_test(a_key_that_is_no_integer_is_an_error),
        cmocka_unit_test(stored_values_of_every_kind_are_named_or_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
