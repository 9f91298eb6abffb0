/*
 * test_vtab_search.c - vec_search as SQL: the forms of the question, and faults that other
 * extensions have shown.
 */
#include "../search_fixture.h"

static sqlite3 *db;

/* t has rows 1 .. 40 with v = [id, 1]: the distance to [0,1] is the id. */
static int open_db(void **state)
{
    (void)state;
    db = vs_test_open();
    fixture_fill_line(db, "t", 40);
    return 0;
}

static int close_db(void **state)
{
    (void)state;
    fixture_nothing_is_open(db);
    vs_test_close(db);
    return 0;
}

static void k_is_the_number_of_rows(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT id, distance, rank FROM vec_search('t', 'v', '[0,1]', 3)",
                  "1|1.0|1; 2|2.0|2; 3|3.0|3");
    vs_test_gives(db, "SELECT count(*) FROM vec_search('t', 'v', '[0,1]', 0)", "0");
    vs_test_gives(db, "SELECT count(*) FROM vec_search('t', 'v', '[0,1]', 1000000)", "40");
    vs_test_gives(db, "SELECT count(*) FROM vec_search('t', 'v', '[0,1]', NULL)", "40");
    vs_test_gives(db, "SELECT count(*) FROM vec_search('t', 'v', '[0,1]', '5')", "5");
    vs_test_gives(
        db, "SELECT id FROM vec_search WHERE tbl = 't' AND col = 'v' AND query = '[0,1]' AND k = 1",
        "1");
    vs_test_fails(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', -1)",
                  "vec_search: k must be from 0 to 1000000, found -1");
    vs_test_fails(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 1000001)",
                  "vec_search: k must be from 0 to 1000000, found 1000001");
    vs_test_fails(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 2.5)",
                  "vec_search: k must be an integer, found 2.5");
    vs_test_fails(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 'ten')",
                  "vec_search: k must be an integer, found ten");
}

static void options_are_text_and_no_blob(void **state)
{
    (void)state;
    vs_test_fails(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 3, x'5cff01')",
                  "vec_search: options must be text, found a BLOB");
    vs_test_fails(db, "SELECT id FROM vec_search_batch('t', 'v', '[[0,1]]', 3, x'5cff01')",
                  "vec_search_batch: options must be text, found a BLOB");
    vs_test_fails(db, "SELECT id FROM vec_search(x'ff', 'v', '[0,1]', 3)",
                  "vec_search: the table's name must be text, found a BLOB");
    vs_test_fails(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', x'ff')",
                  "vec_search: k must be an integer, found a BLOB");
    if (sqlite3_libversion_number() >= 3045000) {
        vs_test_fails(
            db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 3, jsonb('{\"metric\":\"l1\"}'))",
            "vec_search: options must be text, found a BLOB");
        vs_test_fails(db,
                      "WITH o(j) AS MATERIALIZED (SELECT jsonb('{\"metric\":\"l1\"}')) SELECT "
                      "s.id FROM o, vec_search('t', 'v', '[0,1]', 3, o.j) AS s",
                      "vec_search: options must be text, found a BLOB");
        vs_test_gives(
            db,
            "SELECT id FROM vec_search('t', 'v', '[0,1]', 1, json(jsonb('{\"metric\":\"l1\"}')))",
            "1");
    }
}

/* Without k = there is no k, and no comparison with it holds; those for its absence do. */
static void k_is_given_by_equality_alone(void **state)
{
    static const char *const comparisons[] = {"k <= 5", "k < 5",
                                              "k > 5",  "5 <= k",
                                              "k <> 5", "k BETWEEN 1 AND 5",
                                              "k <= ?", "id IN (1, 2) AND k < (SELECT 5)"};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(comparisons); i++) {
        char *sql = sqlite3_mprintf("SELECT id FROM vec_search('t', 'v', '[0,1]') WHERE %s",
                                    comparisons[i]);
        vs_test_fails(db, sql,
                      "vec_search: k is given by = alone: write k = 10, not <, <=, >, >=, <> or "
                      "BETWEEN");
        sqlite3_free(sql);
    }
    vs_test_gives(db, "SELECT count(*) FROM vec_search('t', 'v', '[0,1]') WHERE k IN (2, 3)", "5");
    vs_test_gives(db, "SELECT count(*) FROM vec_search('t', 'v', '[0,1]', 3) WHERE k <= 5", "3");
    vs_test_gives(db, "SELECT count(*) FROM vec_search('t', 'v', '[0,1]', 3) WHERE k > 5", "0");
    vs_test_gives(db, "SELECT count(*) > 5 FROM vec_search('t', 'v', '[0,1]') WHERE k IS NULL",
                  "1");
    vs_test_gives(db, "SELECT count(*) FROM vec_search('t', 'v', '[0,1]') WHERE k IS NOT NULL",
                  "0");
    vs_test_gives(
        db, "SELECT count(*) FROM vec_search('t', 'v', '[0,1]') WHERE k <= 5 OR id IN (3, 4)", "2");
    fixture_is_usable(db);
}

static void wrong_arguments_are_named(void **state)
{
    (void)state;
    vs_test_fails(db, "SELECT id FROM vec_search('t', 'v')",
                  "vec_search: needs arguments (table, column, query [, k [, options]])");
    vs_test_fails(db, "SELECT id FROM vec_search",
                  "vec_search: needs arguments (table, column, query [, k [, options]])");
    vs_test_fails(db, "SELECT id FROM vec_search(NULL, 'v', '[0,1]', 3)",
                  "vec_search: the table's name must be text, found NULL");
    vs_test_fails(db, "SELECT id FROM vec_search('t', NULL, '[0,1]', 3)",
                  "vec_search: the column's name must be text, found NULL");
    vs_test_fails(db, "SELECT id FROM vec_search('t', 'v', '[0,1', 3)",
                  "vec_search: query: JSON text: expected ',' or ']', at byte 4, element 2");
    vs_test_fails(db, "SELECT id FROM vec_search('t', 'v', 5, 3)",
                  "vec_search: query: a vector is a BLOB or JSON text, not INTEGER");
    vs_test_fails(db, "SELECT id FROM vec_search('t', 'v', x'0000c07f00000000', 3)",
                  "vec_search: query: element 0 is NaN");
    vs_test_fails(db, "SELECT id FROM vec_search('t', 'v', x'', 3)",
                  "vec_search: query: a vector has at least one element, and this one is empty");
    vs_test_fails(db, "SELECT id FROM vec_search('t', 'v', '[1,2,3]', 3)",
                  "vec_search: t.v, row 1: expected 3 float32 elements (12 bytes), found 2 "
                  "elements (8 bytes)");
    vs_test_gives(db, "SELECT count(*) FROM vec_search('t', 'v', NULL, 3)",
                  "0"); /* nothing is near to NULL */
    fixture_is_usable(db);
}

static void hidden_columns_give_the_arguments_back(void **state)
{
    (void)state;
    vs_test_gives(db,
                  "SELECT tbl, col, query, k, options FROM vec_search('t', 'v', '[0,1]', 1, "
                  "'{\"metric\":\"l1\"}')",
                  "t|v|[0,1]|1|{\"metric\":\"l1\"}");
    vs_test_gives(db, "SELECT k, options FROM vec_search('t', 'v', '[0,1]') LIMIT 1", "NULL|NULL");
    vs_test_gives(
        db,
        "SELECT k, options FROM vec_search('t', 'v', '[0,1]') AS s WHERE s.options = '{}' LIMIT 1",
        "NULL|{}");
    vs_test_gives(db, "SELECT rowid = id FROM vec_search('t', 'v', '[0,1]', 1)", "1");
}

/*
 * Filters: of other peers, `cat = 'b' OR n = 3` and filters of joined tables gave no rows, because
 * they came after k.
 */
static void filters_never_make_an_answer_short(void **state)
{
    (void)state;
    vs_test_gives(db,
                  "SELECT s.id FROM vec_search('t', 'v', '[0,1]') AS s JOIN t AS d ON d.id = s.id "
                  "WHERE d.tag = 9 OR d.id = 40 ORDER BY s.distance LIMIT 3",
                  "9; 19; 29");
    vs_test_gives(db,
                  "SELECT s.id FROM vec_search('t', 'v', '[0,1]', 2) AS s WHERE s.id IN (SELECT id "
                  "FROM t WHERE tag = 9 OR id > 38)",
                  "9; 19");
    vs_test_gives(db,
                  "SELECT s.id FROM vec_search('t', 'v', '[0,1]') AS s WHERE s.id = 33 OR "
                  "s.distance < 2.5 ORDER BY s.id",
                  "1; 2; 33");
    vs_test_gives(db,
                  "SELECT s.id FROM vec_search('t', 'v', '[0,1]') AS s WHERE s.id % 13 = 0 ORDER "
                  "BY distance LIMIT 2",
                  "13; 26");
    vs_test_gives(db,
                  "SELECT s.id FROM vec_search('t', 'v', '[0,1]') AS s JOIN t AS d ON d.id = s.id "
                  "WHERE d.tag LIKE '7%' LIMIT 2",
                  "7; 17");
    vs_test_gives(
        db, "SELECT s.id FROM vec_search('t', 'v', '[0,1]') AS s WHERE s.id NOT IN (1, 2) LIMIT 1",
        "3");
}

/* Of another peer, `p IN (2,3)` with k = 1 gave two rows: searched once per value. */
static void a_list_is_one_search_and_k_counts_once(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 1) WHERE id IN (20, 30)", "20");
    vs_test_gives(db,
                  "SELECT id FROM vec_search('t', 'v', '[0,1]', 1) WHERE id IN (30, '20', 20.0, "
                  "NULL, 'x', 7.5)",
                  "20");
    vs_test_gives(
        db, "SELECT count(*) FROM vec_search('t', 'v', '[0,1]', 5) WHERE id IN (SELECT NULL)", "0");
    vs_test_gives(db,
                  "SELECT count(*) FROM vec_search('t', 'v', '[0,1]', 5) WHERE id IN (SELECT id "
                  "FROM t WHERE 0)",
                  "0");
    vs_test_gives(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 5) WHERE id IN (99, 7, -1)",
                  "7"); /* ids that do not exist */
    vs_test_gives(
        db,
        "SELECT id FROM vec_search('t', 'v', '[0,1]', 1) WHERE id IN (1, 2, 3) AND id IN (3, 4)",
        "3");
    vs_test_gives(
        db,
        "SELECT count(*) <= 1 FROM vec_search('t', 'v', '[0,1]', 1) WHERE distance IN (3.0, 4.0)",
        "1");
    vs_test_gives(db,
                  "SELECT count(*) <= 1 FROM vec_search('t', 'v', '[0,1]', 1) AS s WHERE (s.id, "
                  "s.distance) IN (VALUES (3, 3.0), (4, 4.0))",
                  "1");
    vs_test_gives(db, "SELECT id FROM vec_search('t', 'v', '[0,1]') WHERE id IN (5)", "5");
    vs_test_gives(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 3) WHERE id IN (25)", "25");
}

/* Whether a row is among the k nearest does not depend on how one asks for it. */
static void joins_and_subqueries_see_the_same_answer(void **state)
{
    (void)state;
    vs_test_gives(db,
                  "SELECT count(*) FROM t AS d WHERE d.id IN (SELECT id FROM vec_search('t', 'v', "
                  "'[0,1]', 3))",
                  "3");
    vs_test_gives(db,
                  "SELECT count(*) FROM t AS d WHERE EXISTS (SELECT 1 FROM vec_search('t', 'v', "
                  "'[0,1]', 3) AS s WHERE s.id = d.id)",
                  "3");
    vs_test_gives(db,
                  "SELECT count(*), count(s.id) FROM t AS d LEFT JOIN vec_search('t', 'v', "
                  "'[0,1]', 3) AS s ON s.id = d.id",
                  "40|3");
    vs_test_gives(db,
                  "SELECT count(*) FROM t AS d CROSS JOIN vec_search('t', 'v', '[0,1]', 3) AS s "
                  "WHERE s.id = d.id",
                  "3");
    vs_test_gives(db,
                  "SELECT count(*) FROM (SELECT '[0,1]' AS q, 7 AS answer UNION ALL SELECT "
                  "'[0,1]', 2) AS o, vec_search('t', 'v', o.q, 3) AS s "
                  "WHERE s.id = o.answer",
                  "1");
    vs_test_gives(db,
                  "SELECT o.answer, s.rank FROM (SELECT '[0,1]' AS q, 7 AS answer UNION ALL SELECT "
                  "'[0,1]', 2) AS o, vec_search('t', 'v', o.q) AS s "
                  "WHERE s.id = o.answer",
                  "7|7; 2|2");
}

/* Of other peers, ORDER BY distance DESC failed or was dropped. */
static void the_farthest_can_be_asked_for(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 3) ORDER BY distance DESC",
                  "3; 2; 1");
    vs_test_gives(db, "SELECT id FROM vec_search('t', 'v', '[0,1]') ORDER BY distance DESC LIMIT 2",
                  "40; 39");
    vs_test_gives(
        db, "SELECT id FROM vec_search('t', 'v', '[0,1]') ORDER BY rank DESC LIMIT 2 OFFSET 1",
        "39; 38");
}

/* Of another peer, thresholds were ignored where an index was used. */
static void thresholds_hold_on_every_path(void **state)
{
    static const char *const options[] = {"{}", "{\"index\":\"by_norm\"}",
                                          "{\"index\":\"all_norm\"}"};
    (void)state;
    vs_test_run(
        db, "CREATE INDEX by_norm ON t(vec_norm(v)); CREATE INDEX all_norm ON t(vec_norm(v), v)");
    for (size_t i = 0; i < VS_TEST_COUNT(options); i++) {
        static const char *const cases[][2] = {
            {"distance < 3", "1; 2"},
            {"distance <= 3", "1; 2; 3"},
            {"distance > 38", "39; 40"},
            {"distance >= 38.5", "39; 40"},
            {"distance BETWEEN 5 AND 7.0", "5; 6; 7"},
            {"distance = 5.0", "5"},
            {"distance > 5 AND distance > 38", "39; 40"},
            {"distance < '2.5'", "1; 2"},
            {"distance > 'x'", ""},
            {"distance < NULL", ""},
            {"distance > 3 AND distance < 3", ""},
            {"distance < -1", ""},
            {"distance > 5 AND id IN (4, 6, 8)", "6; 8"},
            {"distance > 9223372036854775807", ""},
            {"distance > 1e999", ""},
            {"rank < 3", "1; 2"},
            {"rank <= 2.5", "1; 2"},
            {"rank = 4", "4"},
            {"rank < 1", ""},
            {"rank <= '2'", "1; 2"},
        };
        for (size_t j = 0; j < VS_TEST_COUNT(cases); j++) {
            char *sql = sqlite3_mprintf(
                "SELECT id FROM vec_search('t', 'v', '[0,1]', NULL, %Q) WHERE %s ORDER BY distance",
                options[i], cases[j][0]);
            vs_test_gives(db, sql, cases[j][1]);
            sqlite3_free(sql);
        }
        char *sql = sqlite3_mprintf("SELECT id FROM vec_search('t', 'v', '[0,1]', 2, %Q) WHERE "
                                    "distance > 4 AND distance > 8",
                                    options[i]);
        vs_test_gives(db, sql, "9; 10");
        sqlite3_free(sql);
    }
    vs_test_run(db, "DROP INDEX by_norm; DROP INDEX all_norm");
}

/* Of other peers, k was capped at 4096 and dimensions at 8192. */
static void large_k_and_large_dimensions_work(void **state)
{
    (void)state;
    fixture_fill_line(db, "many", 6000);
    vs_test_gives(db,
                  "SELECT count(*), max(id), max(rank) FROM vec_search('many', 'v', '[0,1]', 5999)",
                  "5999|5999|5999");
    vs_test_gives(db, "SELECT count(*), max(distance) FROM vec_search('many', 'v', '[0,1]')",
                  "6000|6000.0");
    vs_test_run(db, "CREATE TABLE wide(id INTEGER PRIMARY KEY, v); INSERT INTO wide VALUES (1, "
                    "zeroblob(4 * 65536)), (2, vec_scale(zeroblob(4 * 65536), 1))");
    vs_test_gives(db, "SELECT id, distance FROM vec_search('wide', 'v', zeroblob(4 * 65536), 5)",
                  "1|0.0; 2|0.0");
    vs_test_gives(
        db, "SELECT count(*) FROM vec_search_batch('wide', 'v', zeroblob(4 * 65536 * 3), 5)", "6");
    vs_test_run(db, "DROP TABLE many; DROP TABLE wide");
}

/* Of other peers, NaN and zero vectors came first, with a NULL distance. */
static void a_zero_vector_has_no_direction(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE z(id INTEGER PRIMARY KEY, v); INSERT INTO z VALUES (1, '[0,0]'), "
                    "(2, '[1,1]'), (3, NULL), (4, '[-1,0]')");
    vs_test_gives(db, "SELECT id FROM vec_search('z', 'v', '[1,1]', 9, '{\"metric\":\"cosine\"}')",
                  "2; 4");
    vs_test_gives(
        db, "SELECT count(*) FROM vec_search('z', 'v', '[0,0]', 9, '{\"metric\":\"cosine\"}')",
        "0");
    vs_test_gives(
        db,
        "SELECT id FROM vec_search_batch('z', 'v', '[[1,1],[0,0]]', 9, '{\"metric\":\"cosine\"}')",
        "2; 4");
    vs_test_gives(db,
                  "SELECT id, round(distance, 3) FROM vec_search('z', 'v', '[0,0]', 9, "
                  "'{\"metric\":\"l2\"}')",
                  "1|0.0; 4|1.0; 2|1.414");
    vs_test_run(db, "DROP TABLE z");
}

/* Of another peer, a vector of a rolled back transaction was still found. */
static void a_search_sees_what_its_connection_sees(void **state)
{
    (void)state;
    vs_test_run(db, "BEGIN; INSERT INTO t(id, v) VALUES (100, '[0,1]')");
    vs_test_gives(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 1)", "100");
    vs_test_run(db, "SAVEPOINT s; DELETE FROM t WHERE id < 10");
    vs_test_gives(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 2)", "100; 10");
    vs_test_run(db, "ROLLBACK TO s");
    vs_test_gives(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 2)", "100; 1");
    vs_test_run(db, "ROLLBACK");
    vs_test_gives(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 1)", "1");
}

/* Of another peer, a correlated query vector failed to plan. */
static void a_query_may_come_from_an_outer_row(void **state)
{
    (void)state;
    vs_test_gives(
        db,
        "SELECT o.id, s.id FROM t AS o, vec_search('t', 'v', o.v, 2) AS s WHERE o.id IN (1, 40)",
        "1|1; 1|2; 40|40; 40|39");
    vs_test_gives(db,
                  "SELECT (SELECT s.id FROM vec_search('t', 'v', o.v, 5) AS s WHERE s.id <> o.id "
                  "LIMIT 1) FROM t AS o WHERE o.id < 3",
                  "2; 1");
    vs_test_gives(db,
                  "SELECT o.k, count(*) FROM (SELECT 0 AS k UNION ALL SELECT 3 UNION ALL SELECT "
                  "50) AS o LEFT JOIN vec_search('t', 'v', '[0,1]', o.k) AS s "
                  "GROUP BY o.k",
                  "0|1; 3|3; 50|40");
    vs_test_run(db, "CREATE TABLE u(id INTEGER PRIMARY KEY, v); INSERT INTO u VALUES (7, '[5,1]')");
    vs_test_gives(db,
                  "SELECT o.name, s.id FROM (SELECT 't' AS name UNION ALL SELECT 'u' UNION ALL "
                  "SELECT 't') AS o, vec_search(o.name, 'v', '[0,1]', 1) AS s",
                  "t|1; u|7; t|1");
    vs_test_run(db, "DROP TABLE u");
}

/* Two outer rows whose names join to the same text are two tables. */
static void outer_rows_never_share_a_plan_by_chance(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE \"a\x01"
                    "b\"(c); INSERT INTO \"a\x01"
                    "b\" VALUES ('[3,4]'); CREATE TABLE a(\"b\x01"
                    "c\"); INSERT INTO a VALUES ('[6,8]')");
    vs_test_gives(db,
                  "SELECT s.distance FROM (VALUES ('a' || char(1) || 'b', 'c'), ('a', 'b' || "
                  "char(1) || 'c')) AS o, "
                  "vec_search(o.column1, o.column2, '[0,0]') AS s",
                  "5.0; 10.0");
    vs_test_run(db, "DROP TABLE \"a\x01"
                    "b\"; DROP TABLE a");
}

/* Of another peer, internal statements changed changes() and last_insert_rowid(). */
static void the_connection_s_counters_are_the_application_s(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE c(id INTEGER PRIMARY KEY, v); INSERT INTO c VALUES (77, "
                    "'[1,2]'), (78, '[1,3]')");
    vs_test_gives(db,
                  "SELECT id, changes(), last_insert_rowid() FROM vec_search('c', 'v', '[1,2]', 1)",
                  "77|2|78");
    vs_test_gives(db, "SELECT changes(), last_insert_rowid()", "2|78");
    vs_test_run(db, "DROP TABLE c");
}

static void missing_rows_give_an_empty_answer(void **state)
{
    (void)state;
    vs_test_run(db,
                "CREATE TABLE e(id INTEGER PRIMARY KEY, v); CREATE INDEX e_norm ON e(vec_norm(v))");
    vs_test_gives(db, "SELECT count(*) FROM vec_search('e', 'v', '[0,1]', 5)", "0");
    vs_test_gives(db, "SELECT count(*) FROM vec_search('e', 'v', '[0,1]')", "0");
    vs_test_gives(
        db, "SELECT count(*) FROM vec_search('e', 'v', '[0,1]', 5, '{\"index\":\"e_norm\"}')", "0");
    vs_test_gives(db, "SELECT count(*) FROM vec_search('e', 'v', '[0,1]', 5) WHERE id IN (1, 2)",
                  "0");
    vs_test_gives(db, "SELECT count(*) FROM vec_search_batch('e', 'v', '[[0,1]]', 5)", "0");
    vs_test_run(db, "INSERT INTO e VALUES (1, NULL), (2, NULL)");
    vs_test_gives(db, "SELECT count(*) FROM vec_search('e', 'v', '[0,1]', 5)", "0");
    vs_test_run(db, "DROP TABLE e");
}

/* A statement that writes what it searches ends, and does not read its own rows. */
static void a_statement_does_not_search_its_own_rows(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE h(id INTEGER PRIMARY KEY, v);"
                    "INSERT INTO h SELECT id, '[1,1]' FROM t; INSERT INTO h(v) SELECT v FROM h; "
                    "INSERT INTO h(v) SELECT v FROM h");
    vs_test_run(db, "INSERT INTO h(v) SELECT '[1,1]' FROM vec_search('h', 'v', '[0,1]')");
    vs_test_gives(db, "SELECT count(*) FROM h", "320");
    vs_test_run(
        db, "INSERT INTO h(v) SELECT '[1,1]' FROM vec_search_batch('h', 'v', '[[0,1],[0,1]]', 5)");
    vs_test_gives(db, "SELECT count(*) FROM h", "330");
    vs_test_run(
        db, "DELETE FROM h WHERE id IN (SELECT id FROM vec_search('h', 'v', '[0,1]') LIMIT 300)");
    vs_test_gives(db, "SELECT count(*) FROM h", "30");
    vs_test_run(db, "DROP TABLE h");
}

static void a_query_of_another_element_type_is_refused(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE i8(id INTEGER PRIMARY KEY, v); INSERT INTO i8 VALUES (1, "
                    "vec_int8('[1,2]')), (2, vec_int8('[3,4]'));"
                    "CREATE TABLE f16(id INTEGER PRIMARY KEY, v); INSERT INTO f16 VALUES (1, "
                    "vec_f16('[1,2]'))");
    vs_test_gives(
        db, "SELECT id FROM vec_search('i8', 'v', vec_int8('[3,3]'), 1, '{\"type\":\"int8\"}')",
        "2");
    vs_test_gives(db,
                  "SELECT id, distance FROM vec_search('f16', 'v', vec_f32('[1,3]'), 1, "
                  "'{\"type\":\"float16\"}')",
                  "1|1.0");
    vs_test_fails(
        db, "SELECT id FROM vec_search('i8', 'v', vec_f32('[3,3]'), 1, '{\"type\":\"int8\"}')",
        "vec_search: the query is float32 and i8.v is read as int8 (option \"type\" says what the "
        "column holds)");
    vs_test_fails(db, "SELECT id FROM vec_search('t', 'v', vec_int8('[0,1]'), 1)",
                  "vec_search: the query is int8 and t.v is read as float32 (option \"type\" says "
                  "what the column holds)");
    vs_test_run(db, "DROP TABLE i8; DROP TABLE f16");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(k_is_the_number_of_rows),
        cmocka_unit_test(options_are_text_and_no_blob),
        cmocka_unit_test(k_is_given_by_equality_alone),
        cmocka_unit_test(wrong_arguments_are_named),
        cmocka_unit_test(hidden_columns_give_the_arguments_back),
        cmocka_unit_test(filters_never_make_an_answer_short),
        cmocka_unit_test(a_list_is_one_search_and_k_counts_once),
        cmocka_unit_test(joins_and_subqueries_see_the_same_answer),
        cmocka_unit_test(the_farthest_can_be_asked_for),
        cmocka_unit_test(thresholds_hold_on_every_path),
        cmocka_unit_test(large_k_and_large_dimensions_work),
        cmocka_unit_test(a_zero_vector_has_no_direction),
        cmocka_unit_test(a_search_sees_what_its_connection_sees),
        cmocka_unit_test(a_query_may_come_from_an_outer_row),
        cmocka_unit_test(outer_rows_never_share_a_plan_by_chance),
        cmocka_unit_test(the_connection_s_counters_are_the_application_s),
        cmocka_unit_test(missing_rows_give_an_empty_answer),
        cmocka_unit_test(a_statement_does_not_search_its_own_rows),
        cmocka_unit_test(a_query_of_another_element_type_is_refused),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
