/*
 * test_store_text.c - packed texts of cold tables: every value comes back as it was, and conditions
 * mean the same.
 *
 * The tables are those of text_tables.h.
 */
#include "../store_fixture.h"
#include "../text_tables.h"

#include <stdio.h>

/* Dictionaries of the table. */
#define DICTS "SELECT count(*) FROM t_info WHERE key GLOB 'text/*/*'"

/* ---- values ---------------------------------------------------------------------------------- */

static void every_value_comes_back(void **state)
{
    sqlite3 *db = text_open_tables();
    (void)state;
    int64_t before =
        fixture_number(db, "SELECT sum(length(CAST(c2 AS BLOB))) FROM t_rows WHERE id < 900");
    text_compare_and_check(db);
    vs_test_run(db, COLD);
    assert_int_equal(text_packed(db), TEXT_ROWS);
    vs_test_gives(db, DICTS, "2");
    int64_t after =
        fixture_number(db, "SELECT sum(length(CAST(c2 AS BLOB))) FROM t_rows WHERE id < 900");
    after += fixture_number(db, "SELECT sum(length(value)) FROM t_info WHERE key GLOB 'text/2*'");
    if (after * 100 > before * 45) {
        fail_msg("%lld bytes of %lld are left", (long long)after, (long long)before);
    }
    vs_test_gives(db,
                  "SELECT count(*) FROM t_rows WHERE c4 IS (SELECT raw FROM ref WHERE ref.id = "
                  "t_rows.id)",
                  "408"); /* a column without affinity is no text column */
    text_compare_and_check(db);
    vs_test_run(db, WARM);
    assert_int_equal(text_packed(db), 0);
    vs_test_gives(db, "SELECT count(*) FROM t_info WHERE key GLOB 'text*'", "0");
    vs_test_gives(db, "SELECT hex(c2), hex(c3) FROM t_rows WHERE id IN (901, 902)",
                  "D0D1|D0D0; D0D1C8010000|D0D1D0D1"); /* what is not text has its mark */
    vs_test_gives(db,
                  "SELECT count(*) FROM t_rows JOIN ref USING (id) WHERE id < 900 AND c2 IS meta "
                  "AND c3 IS title COLLATE BINARY",
                  "400");
    text_compare_and_check(db);
    vs_test_close(db);
}

static void a_text_that_does_not_shrink_stays(void **state)
{
    sqlite3 *db = text_open_tables();
    (void)state;
    text_run_both(db,
                  "UPDATE %s SET meta = lower(hex(randomblob(4))) WHERE n %% 7 = 0 AND n < 900");
    vs_test_run(db,
                "DELETE FROM ref; INSERT INTO ref SELECT rowid, v, p, meta, title, raw, n FROM t");
    vs_test_run(db, COLD);
    vs_test_gives(db,
                  "SELECT count(*), count(*) FILTER (WHERE typeof(c2) = 'text') FROM t_rows WHERE "
                  "c5 % 7 = 0 AND c5 < 900",
                  "57|57");
    assert_int_equal(text_packed(db), TEXT_ROWS - 57);
    text_compare_and_check(db);
    vs_test_close(db);
}

/* Too few texts, or such that hold nothing in common. */
static void nothing_is_packed_where_it_does_not_pay(void **state)
{
    sqlite3 *db = vs_test_open();
    (void)state;
    vs_test_run(db,
                "CREATE VIRTUAL TABLE t USING vecshard(v float[2], p INTEGER, +meta TEXT);"
                "INSERT INTO t(v, meta) VALUES (zeroblob(8), 'one'), (zeroblob(8), 'two');" COLD
                "; WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < "
                "300) INSERT INTO t(v, meta) SELECT zeroblob(8), hex(randomblob(3)) FROM r;" COLD
                "; " CHECK);
    assert_int_equal(text_packed(db), 0);
    vs_test_gives(db, "SELECT count(*) FROM t_info WHERE key GLOB 'text*'", "0");
    vs_test_close(db);
}

/* ---- conditions ------------------------------------------------------------------------------ */

static const char *const values[] = {
    "'short'",
    "'SHORT'",
    "12",
    "12.5",
    "'12'",
    "'12.5'",
    "x'd1'",
    "x'd0'",
    "x''",
    "''",
    "NULL",
    "1e300",
    "'1e+300'",
    "-3",
    "'chapter 7 of the history of Rivers And Mountains'",
    "x'd2d0'",
    "1e1",
    "10",
    "(SELECT meta FROM ref WHERE id = 77)",
    "(SELECT title FROM ref WHERE id = 78)",
    "(SELECT n FROM ref WHERE id = 12)",
    "'{\"doc_id\": \"doc-8'",
    "+12",
};

static const char *const comparisons[] = {
    "%s = %s",
    "%s < %s",
    "%s <= %s",
    "%s > %s",
    "%s >= %s",
    "%s <> %s",
    "%s IS %s",
    "%s IS NOT %s",
    "%s = %s COLLATE NOCASE",
    "%s COLLATE BINARY = %s",
    "%s > %s COLLATE RTRIM",
    "%s IN (%s, 'short', 12)",
};

static const char *const conditions[] = {
    "title LIKE 'chapter 1%'",
    "title GLOB '*RIVERS*'",
    "meta LIKE '%river%' AND title GLOB 'C*'",
    "meta IS NULL",
    "title IS NULL",
    "title IS NOT NULL AND meta LIKE '%winter%'",
    "title LIKE 'CHAPTER 1%' COLLATE NOCASE",
    "title BETWEEN 'chapter 2' AND 'CHAPTER 3'",
    "meta IN (SELECT meta FROM ref AS r WHERE r.id % 2)",
    "title IN (SELECT n FROM ref)",
    "meta IN (SELECT n FROM ref UNION SELECT 12)",
    "title IN (SELECT title FROM ref AS r WHERE r.id < 40)",
    "meta LIKE 12",
    "title LIKE '1_.5'",
    "title NOT LIKE 'chapter%'",
    "meta LIKE '{%' AND n < 20",
    "meta = title",
    "title LIKE x'd0'",
    "meta IN (12, x'd1', '12', 1e300)",
    "length(meta) > 600",
    "meta LIKE 'sh%' OR title = 'SHORT'",
    "meta >= 'd' AND meta < 'z'",
    "title = 12.5 OR title = x'd1d0d1'",
};

/* Both give the same rows, in a scan and beside a search. */
static void compare_condition(sqlite3 *db, const char *condition)
{
    static const char *const forms[] = {
        "SELECT group_concat(i) FROM (SELECT %s AS i FROM %s WHERE %s ORDER BY 1)",
        "SELECT group_concat(i) FROM (SELECT %s AS i FROM %s WHERE %s AND n < 500 ORDER BY 1 "
        "DESC)"};
    for (size_t i = 0; i < VS_TEST_COUNT(forms); i++) {
        char *reference = sqlite3_mprintf(forms[i], "id", "ref", condition);
        char *sql = sqlite3_mprintf(forms[i], "rowid", "t", condition);
        vs_test_same(db, sql, reference);
        sqlite3_free(reference);
        sqlite3_free(sql);
    }
    char *reference = sqlite3_mprintf("SELECT group_concat(id) FROM (SELECT id FROM ref WHERE %s "
                                      "ORDER BY vec_distance_l2(v, zeroblob(128)), id LIMIT 25)",
                                      condition);
    char *sql = sqlite3_mprintf("SELECT group_concat(id) FROM (SELECT rowid AS id FROM t WHERE v "
                                "MATCH zeroblob(128) AND k = 25 AND %s ORDER BY distance, id)",
                                condition);
    if (strchr(condition, '(') == NULL && strstr(condition, " OR ") == NULL &&
        strstr(condition, "NOT LIKE") == NULL && strstr(condition, "meta = title") == NULL) {
        vs_test_same(db, sql, reference);
    }
    sqlite3_free(reference);
    sqlite3_free(sql);
}

static void conditions_mean_the_same(void **state)
{
    static const char *const columns[] = {"meta", "title"};
    sqlite3 *db = text_open_tables();
    (void)state;
    vs_test_run(db, COLD);
    for (size_t c = 0; c < VS_TEST_COUNT(columns); c++) {
        for (size_t i = 0; i < VS_TEST_COUNT(comparisons); i++) {
            for (size_t j = 0; j < VS_TEST_COUNT(values); j++) {
                char *condition = sqlite3_mprintf(comparisons[i], columns[c], values[j]);
                compare_condition(db, condition);
                sqlite3_free(condition);
            }
        }
    }
    for (size_t i = 0; i < VS_TEST_COUNT(conditions); i++) {
        compare_condition(db, conditions[i]);
    }
    vs_test_close(db);
}

/* Values of another table's columns come without the affinity that they had. */
static void joins_mean_the_same(void **state)
{
    static const char *const kinds[] = {"TEXT", "INTEGER", "REAL", "BLOB", ""};
    static const char *const forms[] = {
        "SELECT count(*), sum(o.rowid * %s.%s) FROM o JOIN %s ON %s.title = o.x",
        "SELECT count(*), sum(o.rowid * %s.%s) FROM o CROSS JOIN %s ON o.x < %s.title",
        "SELECT count(*), sum(o.rowid * %s.%s) FROM o CROSS JOIN %s ON %s.meta IN (o.x, 'short')",
    };
    sqlite3 *db = text_open_tables();
    (void)state;
    vs_test_run(db, COLD);
    for (size_t i = 0; i < VS_TEST_COUNT(kinds); i++) {
        char *sql = sqlite3_mprintf("CREATE TABLE o(x %s); INSERT INTO o VALUES (12), ('12'), "
                                    "(12.5), ('12.5'), (-3), ('short'), ('SHORT'), (x'd0'), "
                                    "(NULL), (10), ('1e1'), ('chapter 7')",
                                    kinds[i]);
        vs_test_run(db, sql);
        sqlite3_free(sql);
        for (size_t j = 0; j < VS_TEST_COUNT(forms); j++) {
            char *reference = sqlite3_mprintf(forms[j], "ref", "id", "ref", "ref");
            sql = sqlite3_mprintf(forms[j], "t", "rowid", "t", "t");
            vs_test_same(db, sql, reference);
            sqlite3_free(reference);
            sqlite3_free(sql);
        }
        vs_test_run(db, "DROP TABLE o");
    }
    vs_test_close(db);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void writes_are_plain_and_leave_the_rest(void **state)
{
    static const char *const writes[] = {
        "UPDATE %s SET n = n + 1000 WHERE n %% 3 = 0",
        "UPDATE %s SET title = 'another title ' || n WHERE n %% 5 = 1",
        "UPDATE %s SET p = 3 WHERE n IN (20, 22)",
        "UPDATE %s SET %s = 5000 WHERE n = 41",
        "UPDATE %s SET meta = CAST(x'd1' || meta AS BLOB) WHERE n = 43",
        ("INSERT OR REPLACE INTO %s(%s, v, p, meta, title, n) VALUES (50, zeroblob(128), 1, "
         "make_meta(50), x'd0d0', 50)"),
        "DELETE FROM %s WHERE %s BETWEEN 60 AND 70",
        "UPDATE %s SET meta = meta || 'x' WHERE n = 71",
    };
    sqlite3 *db = text_open_tables();
    (void)state;
    vs_test_run(db, COLD);
    vs_test_run(db, "CREATE TABLE before AS SELECT id, c2 FROM t_rows");
    for (size_t i = 0; i < VS_TEST_COUNT(writes); i++) {
        text_run_both(db, writes[i]);
        text_compare_and_check(db);
    }
    assert_int_equal(text_packed(db), TEXT_ROWS - 3 - 11); /* and 5000 is 41 */
    vs_test_gives(db,
                  "SELECT count(*) FROM before JOIN t_rows USING (id) WHERE typeof(t_rows.c2) = "
                  "'blob' AND t_rows.c2 IS NOT before.c2 AND id <> 43",
                  "0");
    vs_test_gives(db, "SELECT typeof(c2) FROM t_rows WHERE id IN (50, 71)", "text; text");
    vs_test_run(db, "INSERT INTO t(t, arg) VALUES ('merge', 100); INSERT INTO t(t) VALUES "
                    "('optimize'); INSERT INTO t(t) VALUES ('rebuild')");
    assert_int_equal(text_packed(db), TEXT_ROWS - 3 - 11);
    text_compare_and_check(db);
    vs_test_run(db, COLD);
    assert_int_equal(text_packed(db), TEXT_ROWS - 1 - 11);
    text_compare_and_check(db);
    vs_test_run(db, WARM);
    text_compare_and_check(db);
    vs_test_close(db);
}

static void a_second_time_uses_the_same_dictionary(void **state)
{
    sqlite3 *db = text_open_tables();
    (void)state;
    vs_test_run(db, COLD);
    int64_t changes = sqlite3_total_changes64(db);
    vs_test_run(db, COLD);
    assert_int_equal(sqlite3_total_changes64(db), changes + 1); /* the command */
    text_run_both(db, "UPDATE %s SET meta = make_meta(n + 5000) WHERE n BETWEEN 100 AND 250");
    assert_int_equal(text_packed(db), TEXT_ROWS - 151);
    vs_test_run(db, COLD);
    assert_int_equal(text_packed(db), TEXT_ROWS);
    vs_test_gives(db, DICTS, "2");
    text_compare_and_check(db);
    vs_test_close(db);
}

static const char other_texts[] =
    "UPDATE %s SET meta = 'INSERT INTO measurements(station, unit, value) VALUES (''Station no. ' "
    "|| (n * 7919) || ''', ''hectopascal'', ' || (n * 31) || '.5); -- entered by hand, operator ' "
    "|| (n %% 9) WHERE n BETWEEN 100 AND 399";

static void other_texts_get_another_dictionary(void **state)
{
    sqlite3 *db = text_open_tables();
    (void)state;
    vs_test_run(db, COLD);
    text_run_both(db, other_texts);
    vs_test_run(db, COLD);
    vs_test_gives(db, "SELECT count(*) FROM t_info WHERE key GLOB 'text/2/*'", "2");
    assert_int_equal(text_packed(db), TEXT_ROWS);
    text_compare_and_check(db);
    text_run_both(db, "UPDATE %s SET meta = make_meta(n) WHERE n = 399");
    vs_test_run(db, COLD);
    text_compare_and_check(db);
    vs_test_run(db, WARM);
    vs_test_gives(db, DICTS, "0");
    text_compare_and_check(db);
    vs_test_close(db);
}

/* More of them than a table keeps in memory. */
static void many_dictionaries_serve_side_by_side(void **state)
{
    enum { KINDS = 6 };
    sqlite3 *db = text_open_tables();
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        char *sql = sqlite3_mprintf(
            "UPDATE %%s SET meta = '%c' || replace(hex(n * 7919), '3', '%s') || ' of kind %d, "
            "which "
            "begins and ends in a way of its own: %s' || (n * %d) WHERE n < 901 AND n %%%% %d = %d",
            'a' + i, i % 2 ? "=-=" : "***", i * 12345, i % 3 ? "<p>HTML</p>" : "{\"json\": []}",
            i * 31 + 7, KINDS, i);
        text_run_both(db, sql);
        sqlite3_free(sql);
        vs_test_run(db, COLD);
    }
    assert_true(fixture_number(db, "SELECT count(*) FROM t_info WHERE key GLOB 'text/2/*'") > 4);
    assert_int_equal(text_packed(db), TEXT_ROWS);
    text_compare_and_check(db);
    vs_test_close(db);
}

static void one_partition_alone(void **state)
{
    sqlite3 *db = text_open_tables();
    (void)state;
    vs_test_run(db, "INSERT INTO t(t, arg, p) VALUES ('tier', 'cold', 1)");
    assert_int_equal(text_packed(db), TEXT_ROWS / 2);
    vs_test_gives(db,
                  "SELECT count(*) FROM t_rows WHERE typeof(c2) = 'text' AND c1 = 1 AND id < "
                  "900",
                  "0");
    text_compare_and_check(db);
    vs_test_run(db, COLD);
    assert_int_equal(text_packed(db), TEXT_ROWS);
    vs_test_run(db, "INSERT INTO t(t, arg, p) VALUES ('tier', 'warm', 0)");
    vs_test_gives(db,
                  "SELECT count(*) FROM t_rows WHERE typeof(c2) = 'text' AND c1 = 0 AND id < "
                  "900",
                  "200");
    assert_int_equal(text_packed(db), TEXT_ROWS / 2);
    assert_true(fixture_number(db, DICTS) > 0);
    text_compare_and_check(db);
    vs_test_close(db);
}

/* ---- transactions and connections ------------------------------------------------------------ */

static void a_rollback_takes_it_back(void **state)
{
    sqlite3 *db = text_open_tables();
    (void)state;
    vs_test_run(db, "BEGIN; " COLD);
    assert_int_equal(text_packed(db), TEXT_ROWS);
    text_compare(db);
    vs_test_run(db, "ROLLBACK");
    assert_int_equal(text_packed(db), 0);
    vs_test_gives(db, DICTS, "0");
    text_compare_and_check(db);
    vs_test_run(db, COLD "; BEGIN; SAVEPOINT s; " WARM);
    vs_test_gives(db, DICTS, "0");
    vs_test_run(db, "ROLLBACK TO s; COMMIT");
    assert_int_equal(text_packed(db), TEXT_ROWS);
    text_compare_and_check(db);
    vs_test_close(db);
}

static int interrupt_after;

static int interrupt_later(void *arg)
{
    (void)arg;
    return --interrupt_after == 0;
}

static void an_interrupt_leaves_it_as_it_was(void **state)
{
    static const char *const tiers[] = {COLD, WARM};
    sqlite3 *db = text_open_tables();
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(tiers); i++) {
        int64_t before = text_packed(db);
        interrupt_after = 40;
        sqlite3_progress_handler(db, 100, interrupt_later, NULL);
        assert_int_equal(sqlite3_exec(db, tiers[i], NULL, NULL, NULL), SQLITE_INTERRUPT);
        sqlite3_progress_handler(db, 0, NULL, NULL);
        assert_int_equal(text_packed(db), before);
        text_compare_and_check(db);
        vs_test_run(db, tiers[i]);
    }
    vs_test_close(db);
}

static sqlite3 *open_file(const char *path, int flags)
{
    sqlite3 *db = fixture_open_file(path, flags, NULL);
    text_fixture_function(db);
    return db;
}

static void other_connections_read_on(void **state)
{
    char path[256];
    (void)state;
    snprintf(path, sizeof path, "%s", fixture_path("test_store_text.db"));
    fixture_remove(path);
    sqlite3 *writer = open_file(path, FIXTURE_CREATE);
    vs_test_run(writer, "PRAGMA journal_mode = wal");
    vs_test_run(writer, text_make_rows);
    sqlite3 *reader = open_file(path, FIXTURE_CREATE);
    text_compare(reader);
    vs_test_run(reader, "BEGIN");
    text_compare(reader);
    vs_test_run(writer, COLD);
    assert_int_equal(text_packed(reader), 0);
    text_compare(reader);
    vs_test_run(reader, "COMMIT");
    for (int i = 0; i < 4; i++) { /* each time with other dictionaries */
        text_compare_and_check(reader);
        vs_test_run(reader, "BEGIN");
        text_compare(reader);
        vs_test_run(writer, WARM ";" COLD);
        text_compare(reader);
        vs_test_run(reader, "COMMIT");
    }
    vs_test_close(writer);
    vs_test_close(reader);
    reader = open_file(path, SQLITE_OPEN_READONLY);
    assert_int_equal(text_packed(reader), TEXT_ROWS);
    text_compare(reader);
    vs_test_fails(reader, WARM, "attempt to write a readonly database");
    vs_test_close(reader);
    fixture_remove(path);
}

static void renamed_copied_and_attached(void **state)
{
    char path[256];
    sqlite3 *db = text_open_tables();
    (void)state;
    snprintf(path, sizeof path, "%s", fixture_path("test_store_text_copy.db"));
    fixture_remove(path);
    vs_test_run(db, COLD "; ALTER TABLE t RENAME TO other; ALTER TABLE other RENAME TO t; VACUUM");
    text_compare_and_check(db);
    char *sql = sqlite3_mprintf("VACUUM INTO %Q; ATTACH %Q AS copy", path, path);
    vs_test_run(db, sql);
    sqlite3_free(sql);
    vs_test_run(db, "DROP TABLE t");
    text_compare(db); /* of the copy */
    vs_test_run(db, "INSERT INTO copy.t(t, arg) VALUES ('tier', 'warm')");
    text_compare(db);
    vs_test_close(db);
    fixture_remove(path);
}

/* What a dump writes: the shadow tables, and the table as a row of the schema. */
static void shadow_tables_alone_make_the_table(void **state)
{
    static const char *const roles[] = {"info",     "cells",  "parts", "rows",
                                        "vectors0", "codes0", "cold0"};
    sqlite3 *db = text_open_tables();
    (void)state;
    vs_test_run(db, COLD "; ATTACH ':memory:' AS copy");
    for (size_t i = 0; i < VS_TEST_COUNT(roles); i++) {
        char *sql = sqlite3_mprintf("CREATE TABLE copy.t_%s AS SELECT * FROM main.t_%s", roles[i],
                                    roles[i]);
        vs_test_run(db, sql);
        sqlite3_free(sql);
    }
    vs_test_run(db,
                "PRAGMA writable_schema = on; INSERT INTO copy.sqlite_schema SELECT type, name, "
                "tbl_name, 0, sql FROM main.sqlite_schema WHERE name = 't'; PRAGMA "
                "writable_schema = reset; DROP TABLE main.t");
    text_compare(db);
    vs_test_close(db);
}

/* ---- other tables ---------------------------------------------------------------------------- */

static void tables_without_codes_and_indexes_over_tables(void **state)
{
    sqlite3 *db = vs_test_open();
    (void)state;
    text_fixture_function(db);
    vs_test_run(
        db, "CREATE VIRTUAL TABLE t USING vecshard(v float[2], p INTEGER, +meta TEXT);"
            "CREATE TABLE docs(id INTEGER PRIMARY KEY, v, meta TEXT);"
            "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 200) INSERT "
            "INTO docs SELECT i, vec_f32('[1, ' || i || ']'), make_meta(i) FROM r;"
            "INSERT INTO t(rowid, v, meta) SELECT id, v, meta FROM docs;"
            "CREATE VIRTUAL TABLE d USING vecshard(v float[2], +meta TEXT, content=docs);" COLD
            "; INSERT INTO d(d, arg) VALUES ('tier', 'cold')");
    assert_int_equal(text_packed(db), 200);
    vs_test_gives(db, "SELECT count(*) FROM d_rows WHERE typeof(c1) = 'blob'", "200");
    vs_test_run(db, "UPDATE docs SET meta = make_meta(id + 3) WHERE id < 10");
    vs_test_gives(db, "SELECT count(*) FROM d_rows WHERE typeof(c1) = 'blob'", "191");
    vs_test_gives(db, "SELECT count(*) FROM docs JOIN d ON d.rowid = id WHERE d.meta IS docs.meta",
                  "200");
    vs_test_run(db, "INSERT INTO d(d) VALUES ('rebuild'); INSERT INTO d(d) VALUES "
                    "('integrity-check')");
    vs_test_gives(db, "SELECT count(*) FROM d_rows WHERE typeof(c1) = 'blob'", "0");
    vs_test_gives(db,
                  "SELECT count(*) FROM docs JOIN t ON t.rowid = id WHERE t.meta IS make_meta(id)",
                  "200");
    vs_test_close(db);
}

static void texts_of_utf16_stay_plain(void **state)
{
    sqlite3 *db = vs_test_open();
    (void)state;
    text_fixture_function(db);
    vs_test_run(db, "PRAGMA encoding = 'UTF-16le'");
    vs_test_run(db, text_make_rows);
    vs_test_run(db, COLD);
    assert_int_equal(text_packed(db), 0);
    text_compare_and_check(db);
    vs_test_close(db);
}

static void a_table_without_either_says_so(void **state)
{
    sqlite3 *db = vs_test_open();
    (void)state;
    vs_test_run(db, "CREATE VIRTUAL TABLE t USING vecshard(v float[3], m TEXT, +raw, +n INTEGER)");
    vs_test_fails(db, COLD,
                  "t: it keeps nothing that can be cold: those are vectors of float columns with "
                  "codes, in the table itself, and texts of auxiliary columns");
    vs_test_close(db);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_comes_back),
        cmocka_unit_test(a_text_that_does_not_shrink_stays),
        cmocka_unit_test(nothing_is_packed_where_it_does_not_pay),
        cmocka_unit_test(conditions_mean_the_same),
        cmocka_unit_test(joins_mean_the_same),
        cmocka_unit_test(writes_are_plain_and_leave_the_rest),
        cmocka_unit_test(a_second_time_uses_the_same_dictionary),
        cmocka_unit_test(other_texts_get_another_dictionary),
        cmocka_unit_test(many_dictionaries_serve_side_by_side),
        cmocka_unit_test(one_partition_alone),
        cmocka_unit_test(a_rollback_takes_it_back),
        cmocka_unit_test(an_interrupt_leaves_it_as_it_was),
        cmocka_unit_test(other_connections_read_on),
        cmocka_unit_test(renamed_copied_and_attached),
        cmocka_unit_test(shadow_tables_alone_make_the_table),
        cmocka_unit_test(tables_without_codes_and_indexes_over_tables),
        cmocka_unit_test(texts_of_utf16_stay_plain),
        cmocka_unit_test(a_table_without_either_says_so),
    };
    return cmocka_run_group_tests_name("store_text", tests, NULL, NULL);
}
