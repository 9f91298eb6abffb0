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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_counted_from_zero_and_ranks_from_one),
        cmocka_unit_test(no_queries_and_no_rows_are_empty_answers),
        cmocka_unit_test(a_blob_is_divided_by_the_dimension_of_the_table),
        cmocka_unit_test(wrong_arguments_are_named),
        cmocka_unit_test(filters_around_a_batch_are_sqlite_s),
        cmocka_unit_test(the_order_of_the_answer_needs_no_sorter),
        cmocka_unit_test(many_queries_equal_single_searches),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
