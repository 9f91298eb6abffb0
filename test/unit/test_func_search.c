/*
 * test_func_search.c - vec_norm_selectivity: what a norm band would keep.
 */
#include "../search_fixture.h"

static sqlite3 *db;

/* Norms 1 .. 100, nearly all of which are sampled. */
static int open_db(void **state)
{
    (void)state;
    db = vs_test_open();
    vs_test_run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); WITH RECURSIVE n(i) AS (SELECT 1 "
                    "UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
                    "INSERT INTO t SELECT i, '[' || i || ',0]' FROM n");
    return 0;
}

static int close_db(void **state)
{
    (void)state;
    fixture_nothing_is_open(db);
    vs_test_close(db);
    return 0;
}

static void the_share_is_that_of_the_sampled_norms(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT vec_norm_selectivity('t', 'v', '[50,0]', 0) BETWEEN 0.005 AND 0.02",
                  "1");
    vs_test_gives(db, "SELECT round(vec_norm_selectivity('t', 'v', '[50,0]', 0.2), 1)", "0.2");
    vs_test_gives(db, "SELECT vec_norm_selectivity('t', 'v', '[0,50]', 1000)", "1.0");
    vs_test_gives(db, "SELECT vec_norm_selectivity('t', 'v', '[5000,0]', 0.5)", "0.0");
    vs_test_gives(db,
                  "SELECT round(vec_norm_selectivity('main.t', 'v', vec_f32('[50,0]'), '0.2'), 1)",
                  "0.2");
}

/* It says what a search with that band then keeps. */
static void it_agrees_with_the_band_of_a_search(void **state)
{
    (void)state;
    vs_test_gives(
        db, "SELECT count(*) FROM vec_search('t', 'v', '[50,0]', NULL, '{\"norm_band\":0.2}')",
        "21");
}

static void null_in_gives_null_out(void **state)
{
    (void)state;
    vs_test_gives(
        db,
        "SELECT vec_norm_selectivity(NULL, 'v', '[1,2]', 0.1), vec_norm_selectivity('t', NULL, "
        "'[1,2]', 0.1),"
        "vec_norm_selectivity('t', 'v', NULL, 0.1), vec_norm_selectivity('t', 'v', '[1,2]', NULL)",
        "NULL|NULL|NULL|NULL");
    vs_test_run(db, "CREATE TABLE e(v)");
    vs_test_gives(db, "SELECT vec_norm_selectivity('e', 'v', '[1,2]', 0.1)", "NULL");
    vs_test_run(db, "DROP TABLE e");
}

static void wrong_arguments_are_named(void **state)
{
    (void)state;
    vs_test_fails(db, "SELECT vec_norm_selectivity('nowhere', 'v', '[1,2]', 0.1)",
                  "vec_norm_selectivity: no such table: nowhere");
    vs_test_fails(db, "SELECT vec_norm_selectivity('t', 'w', '[1,2]', 0.1)",
                  "vec_norm_selectivity: table t has no column w");
    vs_test_fails(
        db, "SELECT vec_norm_selectivity('t', 'v', '[1,', 0.1)",
        "vec_norm_selectivity: query: JSON text: expected a number, at byte 3, element 1");
    vs_test_fails(
        db, "SELECT vec_norm_selectivity('t', 'v', '[1,2]', -0.1)",
        "vec_norm_selectivity: the width must be a number that is not negative, found -0.1");
    vs_test_fails(
        db, "SELECT vec_norm_selectivity('t', 'v', '[1,2]', 'wide')",
        "vec_norm_selectivity: the width must be a number that is not negative, found wide");
    vs_test_fails(db, "SELECT vec_norm_selectivity('t', 'v', vec_bit(x'01'), 1)",
                  "vec_norm_selectivity: bit vectors have no norm");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_share_is_that_of_the_sampled_norms),
        cmocka_unit_test(it_agrees_with_the_band_of_a_search),
        cmocka_unit_test(null_in_gives_null_out),
        cmocka_unit_test(wrong_arguments_are_named),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
