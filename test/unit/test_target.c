/*
 * test_target.c - finding table, column, id and indexes.
 */
#include "../search_fixture.h"

#include "../../ext/target.h"

static sqlite3 *db;

static int open_db(void **state)
{
    (void)state;
    db = vs_test_open();
    vs_test_run(db, "ATTACH ':memory:' AS aux; ATTACH ':memory:' AS \"a.b\"");
    return 0;
}

static int close_db(void **state)
{
    (void)state;
    vs_test_close(db);
    return 0;
}

static vs_target find(const char *table, const char *column, vsk_type type)
{
    vs_target target;
    vs_err err = VS_ERR_INIT;
    if (vs_target_find(db, "who", table, column, type, &target, &err) != SQLITE_OK) {
        fail_msg("%s: %s", table, err.message);
    }
    return target;
}

static void refuses(const char *table, const char *column, const char *sentence)
{
    vs_target target;
    vs_err err = VS_ERR_INIT;
    assert_int_equal(vs_target_find(db, "who", table, column, VSK_F32, &target, &err),
                     SQLITE_ERROR);
    assert_string_equal(err.message, sentence);
    assert_null(target.label);
    vs_error_clear(&err);
}

static void id_is(const char *create, const char *id_sql)
{
    vs_test_run(db, create);
    vs_target target = find("x", "v", VSK_F32);
    assert_string_equal(target.id_sql, id_sql);
    vs_target_free(&target);
    vs_test_run(db, "DROP TABLE x");
}

static void the_id_is_the_rowid_by_a_free_name_or_the_integer_key(void **state)
{
    (void)state;
    id_is("CREATE TABLE x(v)", "rowid");
    id_is("CREATE TABLE x(id INTEGER PRIMARY KEY, v)", "rowid");
    id_is("CREATE TABLE x(RowId TEXT, v)", "_rowid_");
    id_is("CREATE TABLE x(rowid, _ROWID_, v)", "oid");
    id_is("CREATE TABLE x(rowid, _rowid_, oid INTEGER PRIMARY KEY, v)", "\"oid\"");
    id_is("CREATE TABLE x(\"a\"\"b\" INTEGER PRIMARY KEY, v) WITHOUT ROWID", "\"a\"\"b\"");
    id_is("CREATE TABLE x(k INT PRIMARY KEY, v) WITHOUT ROWID", "\"k\"");
}

static void tables_without_an_integer_id_are_refused(void **state)
{
    (void)state;
    vs_test_run(
        db, "CREATE TABLE hidden(rowid, _rowid_, oid, v); CREATE TABLE textual(k TEXT PRIMARY KEY, "
            "v) WITHOUT ROWID;"
            "CREATE TABLE pair(a INTEGER, b INTEGER, v, PRIMARY KEY(a, b)) WITHOUT ROWID;"
            "CREATE VIEW seen AS SELECT v FROM hidden; CREATE VIRTUAL TABLE virt USING fts5(v)");
    refuses("hidden", "v",
            "who: table hidden hides its rowid behind columns named rowid, _rowid_ and oid and its "
            "primary key is not a "
            "single INTEGER column");
    refuses("textual", "v",
            "who: table textual is WITHOUT ROWID and its primary key is not a "
            "single INTEGER column");
    refuses("pair", "v",
            "who: table pair is WITHOUT ROWID and its primary key is not a "
            "single INTEGER column");
    refuses("seen", "v", "who: seen is a view, which has no rowids; name its base table");
    /* Of a virtual table only the name is known here: whether it is one of ours is found later. */
    vs_target target = find("virt", "v", VSK_F32);
    assert_true(target.is_virtual);
    assert_string_equal(target.label, "virt.v");
    vs_target_free(&target);
    refuses("nowhere", "v", "who: no such table: nowhere");
    refuses("hidden", "w", "who: table hidden has no column w");
    vs_test_run(
        db,
        "DROP VIEW seen; DROP TABLE virt; DROP TABLE hidden; DROP TABLE textual; DROP TABLE pair");
}

static void names_that_are_too_long_are_refused(void **state)
{
    vs_target target;
    vs_err err = VS_ERR_INIT;
    char name[400];
    (void)state;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(vs_target_find(db, "who", name, "v", VSK_F32, &target, &err), SQLITE_ERROR);
    vs_error_clear(&err);
    assert_int_equal(vs_target_find(db, "who", "t", name, VSK_F32, &target, &err), SQLITE_ERROR);
    vs_error_clear(&err);
}

static void a_name_is_looked_up_as_sqlite_does(void **state)
{
    static const char *const cases[][2] = {
        {"t", "temp"},    {"T", "temp"},    {"main.t", "main"}, {"MAIN.T", "main"},
        {"aux.t", "aux"}, {"a.b.t", "a.b"}, {"only", "aux"},    {"aux.x", "main"},
    };
    (void)state;
    vs_test_run(db, "CREATE TABLE main.t(v); CREATE TABLE temp.t(v); CREATE TABLE aux.t(v); CREATE "
                    "TABLE \"a.b\".t(v); CREATE TABLE aux.only(v);"
                    "CREATE TABLE aux.x(v); CREATE TABLE main.\"aux.x\"(v)");
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_target target = find(cases[i][0], "V", VSK_F32);
        assert_string_equal(target.schema, cases[i][1]);
        assert_string_equal(target.column, "v");
        vs_target_free(&target);
    }
    vs_test_run(db, "DROP TABLE main.t; DROP TABLE temp.t; DROP TABLE aux.t; DROP TABLE aux.only; "
                    "DROP TABLE \"a.b\".t; DROP TABLE aux.x; DROP TABLE \"aux.x\"");
}

/* The names of the norm indexes that a type can use, joined by blanks. */
static void norm_indexes_are(vsk_type type, const char *expected)
{
    vs_target target = find("t", "v", type);
    sqlite3_str *names = sqlite3_str_new(NULL);
    for (size_t i = 0; i < target.index_count; i++) {
        sqlite3_str_appendf(names, "%s%s", i > 0 ? " " : "", target.indexes[i].name);
    }
    char *text = sqlite3_str_finish(names);
    assert_string_equal(text != NULL ? text : "", expected);
    sqlite3_free(text);
    vs_target_free(&target);
}

static void norm_indexes_are_found_for_the_type_they_serve(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v, w, n REAL AS (vec_norm(v)), s TEXT "
                    "AS (vec_norm(v)), h AS (vec_norm(vec_f16(v))))");
    norm_indexes_are(VSK_F32, "");
    vs_test_run(db, "CREATE INDEX a ON t(vec_norm(v)); CREATE INDEX b ON t(w, vec_norm(v)); CREATE "
                    "INDEX c ON t(vec_norm(w));"
                    "CREATE INDEX d ON t(vec_norm(vec_int8(v)))");
    norm_indexes_are(VSK_F32, "a");
    norm_indexes_are(VSK_I8, "d");
    norm_indexes_are(VSK_F16, "");
    vs_test_run(db, "DROP INDEX a; CREATE INDEX e ON t(n, w)");
    norm_indexes_are(VSK_F32, "e");
    vs_test_run(db, "DROP INDEX e; CREATE INDEX f ON t(s)"); /* its order is that of text */
    norm_indexes_are(VSK_F32, "");
    vs_test_run(db, "CREATE INDEX g ON t(h)");
    norm_indexes_are(VSK_F16, "g");
    norm_indexes_are(VSK_BIT, "");
    vs_test_run(db, "DROP TABLE t");
}

static void a_named_index_is_described(void **state)
{
    vs_target target;
    vs_index index;
    vs_err err = VS_ERR_INIT;
    (void)state;
    vs_test_run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v, tag UNIQUE); CREATE INDEX p ON "
                    "t(tag) WHERE tag /* ) */ > 1;"
                    "CREATE INDEX \"q q\" ON t(vec_norm(v), v)");
    target = find("t", "v", VSK_F32);
    assert_int_equal(vs_target_index(&target, "who", "P", VSK_F32, &index, &err), SQLITE_OK);
    assert_string_equal(index.where_sql, "tag > 1");
    assert_null(index.norm_sql);
    assert_false(index.has_column);
    vs_index_free(&index);
    assert_int_equal(vs_target_index(&target, "who", "q q", VSK_F32, &index, &err), SQLITE_OK);
    assert_string_equal(index.norm_sql, "vec_norm(\"v\")");
    assert_null(index.where_sql);
    assert_true(index.has_column);
    vs_index_free(&index);
    assert_int_equal(vs_target_index(&target, "who", "none", VSK_F32, &index, &err), SQLITE_ERROR);
    assert_non_null(strstr(err.message,
                           "who: table t has no index none (it has q q, p, sqlite_autoindex_t_1)"));
    vs_error_clear(&err);
    vs_target_free(&target);
    vs_test_run(db, "DROP TABLE t");
}

static void the_extent_is_the_lowest_and_the_highest_id(void **state)
{
    int64_t lo, hi;
    vs_err err = VS_ERR_INIT;
    (void)state;
    vs_test_run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    vs_target target = find("t", "v", VSK_F32);
    assert_int_equal(vs_target_extent(&target, "who", &lo, &hi, &err), SQLITE_OK);
    assert_true(lo == 0 && hi == -1);
    vs_test_run(db,
                "INSERT INTO t(id) VALUES (-9223372036854775807 - 1), (5), (9223372036854775807)");
    assert_int_equal(vs_target_extent(&target, "who", &lo, &hi, &err), SQLITE_OK);
    assert_true(lo == INT64_MIN && hi == INT64_MAX);
    vs_target_free(&target);
    fixture_nothing_is_open(db);
    vs_test_run(db, "DROP TABLE t");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_id_is_the_rowid_by_a_free_name_or_the_integer_key),
        cmocka_unit_test(tables_without_an_integer_id_are_refused),
        cmocka_unit_test(names_that_are_too_long_are_refused),
        cmocka_unit_test(a_name_is_looked_up_as_sqlite_does),
        cmocka_unit_test(norm_indexes_are_found_for_the_type_they_serve),
        cmocka_unit_test(a_named_index_is_described),
        cmocka_unit_test(the_extent_is_the_lowest_and_the_highest_id),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
