/*
 * test_content.c - an index over a table holds the rows of that table that have vectors: from the
 * start, through every kind of change, under any names; and its table tells of it.
 */
#include "../store_fixture.h"

#include "../../ext/content.h"

static store_fixture fixture;

#define DOCS                                                                                       \
    "CREATE TABLE docs(id INTEGER PRIMARY KEY, title TEXT UNIQUE, lang TEXT, v BLOB, w BLOB);"
#define INDEX                                                                                      \
    "CREATE VIRTUAL TABLE t USING vecshard(v float[40], w int8[2], lang TEXT, content=docs, "      \
    "content_rowid=id);"
#define VECTOR "(SELECT json_group_array(CAST((value * 7 + id) % 19 AS REAL)) FROM generate)"
#define ROWS                                                                                       \
    "CREATE TABLE generate(value); WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM "  \
    "g WHERE i < 40) INSERT INTO generate SELECT i FROM g;"                                        \
    "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 3000) INSERT INTO "  \
    "docs(id, title, lang) SELECT 2 * i, 't' || i, substr('abc', 1 + i % 3, 1) FROM r;"            \
    "UPDATE docs SET v = vec_f32(" VECTOR ") WHERE id % 3;"                                        \
    "UPDATE docs SET w = vec_int8('[1,' || (id % 100) || ']') WHERE id % 5;"

/* Rows of docs that belong into the index, against those that are there. */
static void agrees(sqlite3 *db, const char *docs, const char *id)
{
    char *sql = sqlite3_mprintf(
        "SELECT count(*) FROM (SELECT \"%w\", lang, vec_to_json(v), vec_to_json(vec_int8(w)) FROM "
        "\"%w\" WHERE v IS NOT NULL OR w IS NOT NULL EXCEPT SELECT rowid, lang, vec_to_json(v), "
        "vec_to_json(w) FROM t)",
        id, docs);
    vs_test_gives(db, sql, "0");
    sqlite3_free(sql);
    sql = sqlite3_mprintf("SELECT (SELECT count(*) FROM t) = (SELECT count(*) FROM \"%w\" WHERE v "
                          "IS NOT NULL OR w IS NOT NULL)",
                          docs);
    vs_test_gives(db, sql, "1");
    sqlite3_free(sql);
    vs_test_run(db, "INSERT INTO t(t) VALUES ('integrity-check')");
}

static void the_index_is_built_from_the_rows_that_are_there(void **state)
{
    (void)state;
    sqlite3 *db = vs_test_open();
    vs_test_run(db, DOCS ROWS INDEX);
    agrees(db, "docs", "id");
    vs_test_gives(db,
                  "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = "
                  "'trigger' AND tbl_name = 'docs' ORDER BY name)",
                  "t_vecshard_delete,t_vecshard_insert,t_vecshard_update");
    vs_test_run(db, "DROP TABLE t");
    vs_test_gives(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'", "0");
    vs_test_run(db, "DELETE FROM docs WHERE id < 100"); /* nothing fires any more */
    vs_test_close(db);
}

/* One random change of the content table. */
static void change(sqlite3 *db, uint64_t *random)
{
    static const char *const changes[] = {
        "DELETE FROM docs WHERE id = %d",
        "INSERT OR REPLACE INTO docs SELECT %d, 'new' || %d, 'x', v, w FROM docs ORDER BY random() "
        "LIMIT 1",
        "INSERT OR REPLACE INTO docs SELECT %d, title, 'y', v, NULL FROM docs WHERE id > %d LIMIT "
        "1",
        "INSERT OR IGNORE INTO docs(id, title, v) SELECT %d, 'other', v FROM docs WHERE id <> %d "
        "LIMIT 1",
        "UPDATE docs SET v = NULL WHERE id = %d",
        "UPDATE docs SET v = NULL, w = NULL WHERE id = %d",
        "UPDATE docs SET v = (SELECT v FROM docs WHERE v IS NOT NULL ORDER BY random() LIMIT 1) "
        "WHERE id = %d",
        "UPDATE docs SET w = vec_int8('[3,4]') WHERE id BETWEEN %d AND %d + 20",
        "UPDATE docs SET lang = 'z' WHERE id = %d",
        "UPDATE OR REPLACE docs SET id = id + 2 WHERE id = %d",
        "UPDATE docs SET title = title || '!' WHERE id = %d",
    };
    int id = (int)(vs_test_random(random) % 6100);
    char *sql =
        sqlite3_mprintf(changes[vs_test_random(random) % VS_TEST_COUNT(changes)], id, id, id);
    vs_test_run(db, sql);
    sqlite3_free(sql);
}

static void random_changes_of_the_table_reach_the_index(void **state)
{
    uint64_t random = 4711;
    (void)state;
    sqlite3 *db = vs_test_open();
    vs_test_run(db, "PRAGMA recursive_triggers = on;" DOCS ROWS INDEX);
    for (int i = 0; i < 1200; i++) {
        if (i % 100 == 0) {
            vs_test_run(db, "BEGIN");
        }
        change(db, &random);
        if (i % 100 == 49) {
            vs_test_run(db, i % 200 < 100 ? "ROLLBACK" : "COMMIT");
        }
        if (i % 200 == 199) {
            agrees(db, "docs", "id");
        }
    }
    agrees(db, "docs", "id");
    vs_test_close(db);
}

/* ---- what cannot be indexed ---- */

static void what_cannot_be_indexed_is_told(void **state)
{
    static const struct {
        const char *sql, *error;
    } tests[] = {
        {"CREATE VIRTUAL TABLE t USING vecshard(v float[40], content=nowhere)",
         "t: there is no table nowhere in main to index"},
        {"CREATE VIRTUAL TABLE t USING vecshard(v float[40], content=docs, content_rowid=lang)",
         "t: content_rowid=lang must be the INTEGER PRIMARY KEY of docs, or rowid"},
        {"CREATE VIRTUAL TABLE t USING vecshard(v float[40], content=pairs, content_rowid=a)",
         "t: content_rowid=a must be the INTEGER PRIMARY KEY of pairs, or rowid"},
    };
    (void)state;
    sqlite3 *db = vs_test_open();
    vs_test_run(db, DOCS "CREATE TABLE pairs(a INTEGER, b INTEGER, v, PRIMARY KEY(a, b)) WITHOUT "
                         "ROWID");
    for (size_t i = 0; i < VS_TEST_COUNT(tests); i++) {
        vs_test_fails(db, tests[i].sql, tests[i].error);
    }
    char *message = NULL;
    assert_int_not_equal(vs_test_query(db,
                                       "CREATE VIRTUAL TABLE t USING vecshard(v float[40], no "
                                       "TEXT, content=docs)",
                                       &message),
                         SQLITE_OK);
    assert_non_null(strstr(message, "no"));
    sqlite3_free(message);
    vs_test_gives(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 't%'", "0");
    vs_test_close(db);
}

static void a_value_that_is_no_vector_is_named(void **state)
{
    (void)state;
    sqlite3 *db = vs_test_open();
    vs_test_run(db, DOCS ROWS "UPDATE docs SET v = '[1,2]' WHERE id = 8");
    vs_test_fails(db,
                  "CREATE VIRTUAL TABLE t USING vecshard(v float[40], content=docs, "
                  "content_rowid=id)",
                  "docs.v, row 8: expected 40 elements, found 2");
    vs_test_gives(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 't%'", "0");
    vs_test_run(db, "UPDATE docs SET v = NULL WHERE id = 8;" INDEX);
    char *message = NULL; /* and so is one that comes later */
    assert_int_not_equal(
        vs_test_query(db, "UPDATE docs SET v = 'no vector' WHERE id = 8", &message), SQLITE_OK);
    assert_non_null(strstr(message, "row 8"));
    sqlite3_free(message);
    agrees(db, "docs", "id");
    vs_test_close(db);
}

/* ---- names ---- */

static void names_may_be_awkward_and_change(void **state)
{
    (void)state;
    sqlite3 *db = vs_test_open();
    vs_test_run(
        db,
        "CREATE TABLE \"we\"\"ird 'table'\"(\"the id\" INTEGER PRIMARY KEY, \"select\" BLOB);"
        "INSERT INTO \"we\"\"ird 'table'\" VALUES (5, vec_f32('[1,2]')), (6, NULL);"
        "CREATE VIRTUAL TABLE \"in\"\"dex\" USING vecshard(\"select\" float[2], "
        "content=\"we\"\"ird 'table'\", content_rowid=\"the id\");"
        "INSERT INTO \"we\"\"ird 'table'\" VALUES (7, vec_f32('[3,4]'));"
        "ALTER TABLE \"in\"\"dex\" RENAME TO \"other 'index'\";"
        "INSERT INTO \"we\"\"ird 'table'\" VALUES (8, vec_f32('[5,6]'));"
        "ALTER TABLE \"we\"\"ird 'table'\" RENAME TO plain;"
        "INSERT INTO plain VALUES (9, vec_f32('[7,8]')); DELETE FROM plain WHERE \"the id\" = 5;"
        "ALTER TABLE \"other 'index'\" RENAME TO t; UPDATE plain SET \"the id\" = 10 WHERE \"the "
        "id\" = 7");
    vs_test_gives(db, "SELECT rowid, vec_to_json(\"select\") FROM t ORDER BY rowid",
                  "8|[5.000000,6.000000]; 9|[7.000000,8.000000]; 10|[3.000000,4.000000]");
    vs_test_gives(db, "SELECT rowid FROM t WHERE \"select\" MATCH '[5,6]' AND k = 1", "8");
    vs_test_gives(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'", "3");
    vs_test_run(db, "INSERT INTO t(t) VALUES ('rebuild'); INSERT INTO t(t) VALUES "
                    "('integrity-check'); DROP TABLE t; INSERT INTO plain VALUES (11, NULL)");
    vs_test_gives(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'", "0");
    vs_test_close(db);
}

static void the_id_lasts(void **state)
{
    (void)state;
    sqlite3 *db = vs_test_open();
    vs_test_run(db,
                "CREATE TABLE a(v); CREATE TABLE c(id INTEGER PRIMARY KEY, v);"
                "INSERT INTO c(v) VALUES ('[1]'), (NULL), ('[3]');"
                "CREATE VIRTUAL TABLE ic USING vecshard(v float[1], content=c);"
                "CREATE TABLE b(n INTEGER PRIMARY KEY, v) WITHOUT ROWID;"
                "INSERT INTO b VALUES (-4, '[1]'), (9223372036854775807, '[2]');"
                "CREATE VIRTUAL TABLE ib USING vecshard(v float[1], content=b, content_rowid=n);"
                "INSERT INTO c(v) VALUES ('[4]'); INSERT INTO b VALUES (0, '[5]'); DELETE FROM b "
                "WHERE n = -4");
    vs_test_fails(db, "CREATE VIRTUAL TABLE ia USING vecshard(v float[1], content=a)",
                  "ia: a has no INTEGER PRIMARY KEY, and VACUUM gives such rows new rowids");
    vs_test_gives(db, "SELECT rowid FROM ic ORDER BY rowid", "1; 3; 4");
    vs_test_gives(db, "SELECT rowid FROM ib ORDER BY rowid", "0; 9223372036854775807");
    vs_test_close(db);
}

/* ---- vectors ---- */

static int is_missing_row(int vector, int64_t rowid, void *out)
{
    int is_missing = -1;
    fixture_must(&fixture,
                 vs_content_vector(&fixture.store, vector, rowid, out, &is_missing, &fixture.err));
    return is_missing;
}

static void vectors_come_from_the_table(void **state)
{
    float v[40];
    int8_t w[2];
    (void)state;
    fixture_open_store(&fixture, DOCS ROWS INDEX "DROP TRIGGER t_vecshard_update; DROP TRIGGER "
                                                 "t_vecshard_delete");
    assert_int_equal(is_missing_row(0, 8, v), 0);
    for (int i = 0; i < 40; i++) {
        assert_true(v[i] == (float)(((i + 1) * 7 + 8) % 19));
    }
    assert_int_equal(is_missing_row(1, 8, w), 0);
    assert_int_equal(w[1], 8);
    assert_int_equal(is_missing_row(0, 6, v), 1);  /* SQL NULL */
    assert_int_equal(is_missing_row(1, 10, w), 1); /* SQL NULL */
    assert_int_equal(is_missing_row(0, 7, v), 1);  /* no such row */
    fixture_run(&fixture, "UPDATE docs SET v = '[1,2]' WHERE id = 8; UPDATE docs SET v = 'word' "
                          "WHERE id = 14; UPDATE docs SET v = 5 WHERE id = 16; DELETE FROM docs "
                          "WHERE id = 20; UPDATE docs SET v = zeroblob(160) WHERE id = 22");
    assert_int_equal(is_missing_row(0, 8, v), 1);
    assert_int_equal(is_missing_row(0, 14, v), 1);
    assert_int_equal(is_missing_row(0, 16, v), 1);
    assert_int_equal(is_missing_row(0, 20, v), 1);
    assert_int_equal(is_missing_row(0, 22, v), 0);
    assert_true(v[0] == 0.0f && v[39] == 0.0f);
    fixture_close_store(&fixture);
}

/* ---- finding ---- */

/* The names that triggers of the table tell of, in order. */
static void lists(const char *schema, const char *table, const char *name, const char *expected)
{
    sqlite3_stmt *stmt = NULL;
    fixture_must(&fixture,
                 vs_content_indexes(fixture.conn, schema, table, name, &stmt, &fixture.err));
    sqlite3_str *names = sqlite3_str_new(NULL);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        sqlite3_str_appendf(names, "%s ", sqlite3_column_text(stmt, 0));
    }
    sqlite3_finalize(stmt);
    sqlite3_str_appendall(names, ".");
    char *found = sqlite3_str_finish(names);
    assert_string_equal(found, expected);
    sqlite3_free(found);
}

static void the_indexes_of_a_table_are_listed_by_name(void **state)
{
    (void)state;
    fixture_open_store(
        &fixture, DOCS ROWS INDEX
        "CREATE VIRTUAL TABLE t_b USING vecshard(v float[40], content=docs, content_rowid=id);"
        "CREATE VIRTUAL TABLE Ta USING vecshard(v float[40], content=docs, content_rowid=id);"
        "CREATE TABLE bare(v); CREATE TABLE log(x); CREATE TRIGGER no_vecshard_insert AFTER INSERT "
        "ON bare BEGIN INSERT INTO log VALUES (1); END;"
        "ATTACH ':memory:' AS aux; CREATE TABLE aux.docs(v);"
        "CREATE TABLE aux.more(id INTEGER PRIMARY KEY, v);"
        "CREATE VIRTUAL TABLE aux.m USING vecshard(v float[2], content=more)");
    lists("main", "docs", NULL, "t t_b Ta .");
    lists("MAIN", "Docs", NULL, "t t_b Ta .");
    lists("main", "docs", "T_B", "t_b .");
    lists("main", "docs", "b", ".");
    lists("main", "docs", "it's", ".");
    lists("main", "bare", NULL, "no .");
    lists("main", "none", NULL, ".");
    lists("main", "t", NULL, ".");
    lists("main", "more", NULL, ".");
    lists("aux", "docs", NULL, ".");
    lists("aux", "more", NULL, "m .");
    fixture_run(&fixture, "ALTER TABLE docs RENAME TO papers");
    lists("main", "papers", "ta", "Ta .");
    lists("main", "docs", NULL, ".");
    fixture_close_store(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_is_built_from_the_rows_that_are_there),
        cmocka_unit_test(random_changes_of_the_table_reach_the_index),
        cmocka_unit_test(what_cannot_be_indexed_is_told),
        cmocka_unit_test(a_value_that_is_no_vector_is_named),
        cmocka_unit_test(names_may_be_awkward_and_change),
        cmocka_unit_test(the_id_lasts),
        cmocka_unit_test(vectors_come_from_the_table),
        cmocka_unit_test(the_indexes_of_a_table_are_listed_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
