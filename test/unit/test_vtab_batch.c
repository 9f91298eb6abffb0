/*
 * test_vtab_batch.c - vec_search_batch as SQL.
 */
#include "../search_fixture.h"

static sqlite3 *db;

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

static void queries_are_counted_from_zero_and_ranks_from_one(void **state)
{
    (void)state;
    vs_test_gives(
        db,
        "SELECT query_no, rank, id, distance FROM vec_search_batch('t', 'v', '[[0,1],[40,1]]', 2)",
        "0|1|1|1.0; 0|2|2|2.0; 1|1|40|0.0; 1|2|39|1.0");
    vs_test_gives(
        db, "SELECT query_no, id FROM vec_search_batch('t', 'v', vec_concat('[0,1]', '[40,1]'), 1)",
        "0|1; 1|40");
    vs_test_gives(
        db,
        "SELECT tbl, col, queries, k, options FROM vec_search_batch('t', 'v', '[[0,1]]', 1, '{}')",
        "t|v|[[0,1]]|1|{}");
}

static void no_queries_and_no_rows_are_empty_answers(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT count(*) FROM vec_search_batch('t', 'v', '[]', 5)", "0");
    vs_test_gives(db, "SELECT count(*) FROM vec_search_batch('t', 'v', x'', 5)", "0");
    vs_test_gives(db, "SELECT count(*) FROM vec_search_batch('t', 'v', NULL, 5)", "0");
    vs_test_gives(db, "SELECT count(*) FROM vec_search_batch('t', 'v', '[[0,1]]', 0)", "0");
    vs_test_gives(db, "SELECT count(*) FROM vec_search_batch('t', 'v', '[[0,1],[1,1]]', 1000)",
                  "80");
}

/* The first row of the table says how long a query is: also when its vector is NULL. */
static void a_blob_is_divided_by_the_dimension_of_the_table(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE n(id INTEGER PRIMARY KEY, v); INSERT INTO n VALUES (1, NULL); "
                    "INSERT INTO n SELECT id + 1, v FROM t");
    vs_test_gives(
        db, "SELECT query_no, id FROM vec_search_batch('n', 'v', vec_concat('[0,1]', '[9,1]'), 1)",
        "0|2; 1|10");
    vs_test_fails(db, "SELECT id FROM vec_search_batch('t', 'v', vec_f32('[1,2,3]'), 1)",
                  "vec_search_batch: expected queries of 2 float32 elements (a multiple of 8 "
                  "bytes), found 12 bytes");
    vs_test_run(db, "DROP TABLE n; CREATE TABLE n(k INTEGER PRIMARY KEY, v) WITHOUT ROWID; CREATE "
                    "INDEX n_norm ON n(vec_norm(v), v);"
                    "INSERT INTO n VALUES (1, '[0,1]'), (2, NULL)");
    vs_test_gives(db, "SELECT query_no, id FROM vec_search_batch('n', 'v', vec_f32('[0,1]'), 1)",
                  "0|1");
    vs_test_run(db, "DROP TABLE n");
}

static void wrong_arguments_are_named(void **state)
{
    (void)state;
    vs_test_fails(db, "SELECT id FROM vec_search_batch('t', 'v', '[[0,1]]')",
                  "vec_search_batch: needs arguments (table, column, queries, k [, options])");
    vs_test_fails(db, "SELECT id FROM vec_search_batch('t', 'v', '[[0,1]]', NULL)",
                  "vec_search_batch: k must be an integer, found NULL");
    vs_test_fails(db, "SELECT id FROM vec_search_batch('t', 'v', '[[0,1]]', -1)",
                  "vec_search_batch: k must be from 0 to 1000000, found -1");
    vs_test_fails(db, "SELECT id FROM vec_search_batch(NULL, 'v', '[[0,1]]', 1)",
                  "vec_search_batch: the table's name must be text, found NULL");
    vs_test_fails(db, "SELECT id FROM vec_search_batch('t', 'w', '[[0,1]]', 1)",
                  "vec_search_batch: table t has no column w");
    vs_test_fails(db, "SELECT id FROM vec_search_batch('t', 'v', '[[0,1],[1]]', 1)",
                  "vec_search_batch: query 1: dimensions differ: 2 and 1");
    vs_test_fails(db, "SELECT id FROM vec_search_batch('t', 'v', x'0000c07f00000000', 1)",
                  "vec_search_batch: query 0: element 0 is NaN");
    vs_test_fails(db, "SELECT id FROM vec_search_batch('t', 'v', '[[1,2,3]]', 1)",
                  "vec_search_batch: t.v, row 1: expected 3 float32 elements (12 bytes), found 2 "
                  "elements (8 bytes)");
    fixture_is_usable(db);
}

static void filters_around_a_batch_are_sqlite_s(void **state)
{
    (void)state;
    vs_test_gives(
        db, "SELECT id FROM vec_search_batch('t', 'v', '[[0,1],[9,1]]', 3) WHERE query_no = 1",
        "9; 8; 10");
    vs_test_gives(db,
                  "SELECT query_no, id FROM vec_search_batch('t', 'v', '[[0,1],[9,1]]', 3) AS s "
                  "WHERE s.id = 3 OR s.query_no = 1 ORDER BY query_no, rank",
                  "0|3; 1|9; 1|8; 1|10");
    vs_test_gives(db, "SELECT max(distance) FROM vec_search_batch('t', 'v', '[[0,1],[9,1]]', 3)",
                  "3.0");
    vs_test_gives(db,
                  "SELECT query_no, count(*) FROM vec_search_batch('t', 'v', '[[0,1],[9,1]]', 3) "
                  "GROUP BY query_no",
                  "0|3; 1|3");
    vs_test_gives(db,
                  "SELECT d.tag, b.query_no FROM vec_search_batch('t', 'v', '[[0,1],[9,1]]', 1) AS "
                  "b JOIN t AS d ON d.id = b.id ORDER BY b.query_no",
                  "1|0; 9|1");
}

static void the_order_of_the_answer_needs_no_sorter(void **state)
{
    static const struct {
        const char *order;
        int sorts;
    } orders[] = {{"query_no", 0},      {"query_no, rank", 0},     {"rank", 1},
                  {"query_no DESC", 1}, {"query_no, distance", 1}, {"distance", 1}};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(orders); i++) {
        char *sql = sqlite3_mprintf(
            "SELECT id FROM vec_search_batch('t', 'v', '[[0,1],[9,1]]', 3) ORDER BY %s",
            orders[i].order);
        char *plan = fixture_plan(db, sql);
        if ((strstr(plan, "TEMP B-TREE") != NULL) != orders[i].sorts) {
            fail_msg("%s: %s", sql, plan);
        }
        sqlite3_free(plan);
        sqlite3_free(sql);
    }
}

/* More queries than fit into one pass. */
static void many_queries_equal_single_searches(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE q(no INTEGER PRIMARY KEY, v); WITH RECURSIVE n(i) AS (SELECT 0 "
                    "UNION ALL SELECT i + 1 FROM n WHERE i < 599)"
                    "INSERT INTO q SELECT i, vec_f32('[' || (i * 7 % 83) || '.25,1]') FROM n");
    vs_test_gives(db,
                  "SELECT count(*) FROM (SELECT query_no, id, distance FROM vec_search_batch('t', "
                  "'v', (SELECT '[' || group_concat(vec_to_json(v)) || ']' FROM q), 3) "
                  "EXCEPT SELECT q.no, s.id, s.distance FROM q, vec_search('t', 'v', q.v, 3) AS s)",
                  "0");
    vs_test_gives(db,
                  "SELECT count(*), max(query_no) FROM vec_search_batch('t', 'v', (SELECT '[' || "
                  "group_concat(vec_to_json(v)) || ']' FROM q), 3)",
                  "1800|599");
    vs_test_run(db, "DROP TABLE q");
}

/* As in vec_search: not among the nearest of all rows, but the nearest of those that are asked for. */
static void conditions_come_before_the_k_nearest(void **state)
{
    (void)state;
    vs_test_gives(db,
                  "SELECT query_no, rank, id FROM vec_search_batch('t', 'v', '[[0,1],[40,1]]', 2) "
                  "WHERE id IN (20, '21', 22, 99, NULL)",
                  "0|1|20; 0|2|21; 1|1|22; 1|2|21");
    vs_test_gives(db,
                  "SELECT query_no, id FROM vec_search_batch('t', 'v', '[[0,1],[40,1]]', 2) "
                  "WHERE id = 7",
                  "0|7; 1|7");
    vs_test_gives(db,
                  "SELECT query_no, id, distance FROM vec_search_batch('t', 'v', "
                  "'[[0,1],[40,1]]', 2) WHERE distance BETWEEN 4.5 AND 9 AND query_no = 1",
                  "1|35|5.0; 1|34|6.0");
    vs_test_gives(db,
                  "SELECT query_no, rank, id FROM vec_search_batch('t', 'v', '[[0,1],[40,1]]', 3) "
                  "WHERE distance > 3 AND rank < 2",
                  "0|1|4; 1|1|36");
    vs_test_gives(db,
                  "SELECT query_no, id FROM vec_search_batch('t', 'v', '[[0,1],[40,1]]', 2) "
                  "WHERE distance = 5 AND id IN (SELECT id FROM t WHERE tag = 5)",
                  "0|5; 1|35");
}

static void conditions_that_hold_for_no_row_give_none(void **state)
{
    static const char *const conditions[] = {"id IN (SELECT id FROM t WHERE 0)",
                                             "id IN (1, 2) AND id IN (3, 4)",
                                             "id = 'x'",
                                             "id IN (2.5, x'02')",
                                             "distance > 9 AND distance < 3",
                                             "distance < NULL",
                                             "distance > 'far'",
                                             "rank < 1",
                                             "query_no = 7",
                                             "query_no = 'x'"};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(conditions); i++) {
        char *sql = sqlite3_mprintf(
            "SELECT id FROM vec_search_batch('t', 'v', '[[0,1],[9,1]]', 3) WHERE %s",
            conditions[i]);
        vs_test_gives(db, sql, "");
        sqlite3_free(sql);
    }
}

static void the_plan_tells_what_was_pushed_down(void **state)
{
    static const struct {
        const char *condition, *words;
    } cases[] = {
        {"id IN (1, 2)", "exact l2 over the listed ids (of est. 40 rows), up to 256 queries at a "
                         "time; pushed down: id list"},
        {"id = 5 AND distance <= 3", "; pushed down: id =, distance <="},
        {"distance BETWEEN 1 AND 3 AND rank <= 2",
         "exact l2 by one pass (est. 40 rows), up to 256 queries at a time; pushed down: "},
        {"id IN (1, 2) AND distance = (SELECT 3)", "distance ="},
        {"query_no = 1", "; pushed down: query_no ="},
        {"query_no BETWEEN 1 AND 7", "query_no >="},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        char *sql = sqlite3_mprintf(
            "SELECT id FROM vec_search_batch('t', 'v', '[[0,1],[9,1]]', 3) WHERE %s",
            cases[i].condition);
        fixture_plan_has(db, sql, cases[i].words);
        sqlite3_free(sql);
    }
    char *plan = fixture_plan(db, "SELECT id FROM vec_search_batch('t', 'v', '[[0,1]]', 3) WHERE "
                                  "query_no IN (0, 2) AND id <> 4 LIMIT 2");
    assert_null(strstr(plan, "pushed down"));
    sqlite3_free(plan);
}

/* Several passes: the list of the first serves the others. */
static void conditions_hold_in_each_pass(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TEMP TABLE many AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT "
                    "i + 1 FROM n WHERE i < 599) SELECT i AS no, '[' || (i * 7 % 83) || ',1]' AS "
                    "v FROM n ORDER BY i");
    vs_test_gives(db,
                  "SELECT count(*), count(DISTINCT query_no) FROM vec_search_batch('t', 'v', "
                  "(SELECT '[' || group_concat(v) || ']' FROM many), 3) WHERE id IN (SELECT id "
                  "FROM t WHERE tag = 4) AND distance > 1",
                  "1800|600");
    vs_test_gives(db,
                  "SELECT count(*) FROM (SELECT query_no, id, distance FROM vec_search_batch('t', "
                  "'v', (SELECT '[' || group_concat(v) || ']' FROM many), 3) WHERE id IN (SELECT "
                  "id FROM t WHERE tag = 4) AND distance > 1 EXCEPT SELECT many.no, s.id, "
                  "s.distance FROM many, vec_search('t', 'v', many.v, 3) AS s WHERE s.id IN "
                  "(SELECT id FROM t WHERE tag = 4) AND s.distance > 1)",
                  "0");
    vs_test_run(db, "DROP TABLE many");
}

/* Only these queries are answered: the statistics count the passes. */
static void queries_are_chosen_before_they_are_answered(void **state)
{
    static const struct {
        const char *condition, *numbers;
    } cases[] = {
        {"query_no = 3", "3"},
        {"query_no = '3'", "3"},
        {"query_no = 3.0", "3"},
        {"query_no = 3.5", "NULL"},
        {"query_no < 2", "0,1"},
        {"query_no <= 1.5", "0,1"},
        {"query_no > 3", "4,5"},
        {"query_no >= 3.5", "4,5"},
        {"query_no > -7", "0,1,2,3,4,5"},
        {"query_no < -7", "NULL"},
        {"query_no > 1e300", "NULL"},
        {"query_no < 1e300 AND query_no > 4", "5"},
        {"query_no < 9223372036854775807 AND query_no = 5", "5"},
        {"query_no = NULL", "NULL"},
        {"query_no < 'x' AND query_no >= 5", "5"},
        {"query_no > 'x'", "NULL"},
        {"query_no BETWEEN 2 AND 3", "2,3"},
        {"query_no > 3 AND query_no < 3", "NULL"},
        {"query_no IN (1, 4, 77)", "1,4"},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        char *sql = sqlite3_mprintf("SELECT group_concat(query_no) FROM vec_search_batch('t', 'v', "
                                    "'[[0,1],[1,1],[2,1],[3,1],[4,1],[5,1]]', 1) WHERE %s",
                                    cases[i].condition);
        vs_test_gives(db, sql, cases[i].numbers);
        sqlite3_free(sql);
    }
    vs_test_run(db, "CREATE TEMP TABLE passes AS SELECT sum(calls) AS n FROM vec_stats WHERE "
                    "operation = 'vec_search_batch'");
    vs_test_gives(db,
                  "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 599) "
                  "SELECT id FROM vec_search_batch('t', 'v', (SELECT '[' || group_concat('[' || "
                  "(i % 40) || ',1]') || ']' FROM n), 1) WHERE query_no BETWEEN 307 AND 309",
                  "27; 28; 29");
    vs_test_gives(db,
                  "SELECT sum(calls) - n FROM vec_stats, passes WHERE operation = "
                  "'vec_search_batch'",
                  "1");
    vs_test_run(db, "DROP TABLE passes");
}

/* A batch is not run once for each row of another table where it need not be. */
static void a_join_by_query_no_runs_one_batch(void **state)
{
    static const char join[] = "SELECT o.no, b.id FROM origin AS o JOIN vec_search_batch('t', 'v', "
                               "'[[7,1],[9,1],[20,1]]', "
                               "2) AS b ON b.query_no = o.no";
    (void)state;
    vs_test_run(db, "CREATE TEMP TABLE origin(no INTEGER PRIMARY KEY, floor); INSERT INTO origin "
                    "VALUES (0, 0.5), (1, 3), (2, 10)");
    char *plan = fixture_plan(db, join);
    if (strstr(plan, "pushed down") != NULL) {
        fail_msg("%s", plan);
    }
    sqlite3_free(plan);
    vs_test_same(db, join,
                 "SELECT query_no, id FROM vec_search_batch('t', 'v', '[[7,1],[9,1],[20,1]]', 2)");
    char *sql = sqlite3_mprintf("%s WHERE b.distance > o.floor", join);
    fixture_plan_has(db, sql, "query_no =");
    vs_test_gives(db, sql, "0|6; 0|8; 1|5; 1|13; 2|9; 2|31");
    sqlite3_free(sql);
    sql = sqlite3_mprintf("SELECT o.no, b.id FROM origin AS o LEFT JOIN vec_search_batch('t', 'v', "
                          "'[[7,1],[9,1]]', 1) AS b ON b.query_no = o.no ORDER BY o.no");
    vs_test_gives(db, sql, "0|7; 1|9; 2|NULL");
    sqlite3_free(sql);
    vs_test_run(db, "DROP TABLE origin");
}

/* An equality with another table's column asks which of its rows are among the k nearest. */
static void a_join_filters_the_k_rows(void **state)
{
    (void)state;
    vs_test_gives(db,
                  "SELECT b.query_no, d.id FROM vec_search_batch('t', 'v', '[[0,1],[40,1]]', 3) AS "
                  "b JOIN t AS d ON d.id = b.id WHERE d.tag = 8 ORDER BY b.query_no, b.rank",
                  "1|38");
}

static void too_many_conditions_are_refused(void **state)
{
    (void)state;
    vs_test_fails(db,
                  "SELECT id FROM vec_search_batch('t', 'v', '[[0,1]]', 3) WHERE distance < 1 AND "
                  "distance < 2 AND distance < 3 AND distance < 4 AND distance < 5 AND distance < "
                  "6 AND distance < 7 AND distance < 8 AND distance < 9 AND distance < 10 AND "
                  "distance < 11 AND distance < 12 AND distance < 13 AND distance < 14 AND "
                  "distance < 15 AND distance < 16 AND distance < 17",
                  "vec_search_batch: more than 16 conditions on one search; move some of them to "
                  "an outer query");
    fixture_is_usable(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_counted_from_zero_and_ranks_from_one),
        cmocka_unit_test(no_queries_and_no_rows_are_empty_answers),
        cmocka_unit_test(a_blob_is_divided_by_the_dimension_of_the_table),
        cmocka_unit_test(wrong_arguments_are_named),
        cmocka_unit_test(filters_around_a_batch_are_sqlite_s),
        cmocka_unit_test(conditions_come_before_the_k_nearest),
        cmocka_unit_test(conditions_that_hold_for_no_row_give_none),
        cmocka_unit_test(the_plan_tells_what_was_pushed_down),
        cmocka_unit_test(conditions_hold_in_each_pass),
        cmocka_unit_test(queries_are_chosen_before_they_are_answered),
        cmocka_unit_test(a_join_by_query_no_runs_one_batch),
        cmocka_unit_test(a_join_filters_the_k_rows),
        cmocka_unit_test(too_many_conditions_are_refused),
        cmocka_unit_test(the_order_of_the_answer_needs_no_sorter),
        cmocka_unit_test(many_queries_equal_single_searches),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
