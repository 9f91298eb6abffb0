/*
 * test_args.c - arguments of table functions, while executing; while planning they are seen through
 * EXPLAIN QUERY PLAN.
 */
#include "../search_fixture.h"

#include "../../ext/args.h"

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
    vs_test_close(db);
    return 0;
}

static void k_is(const char *expression, int64_t expected)
{
    int64_t k = -1;
    vs_err err = VS_ERR_INIT;
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("SELECT %s", expression);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(vs_args_k("who", sqlite3_column_value(stmt, 0), &k, &err), SQLITE_OK);
    assert_true(k == expected);
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
}

static void k_is_refused(const char *expression, const char *sentence)
{
    int64_t k;
    vs_err err = VS_ERR_INIT;
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("SELECT %s", expression);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(vs_args_k("who", sqlite3_column_value(stmt, 0), &k, &err), SQLITE_ERROR);
    assert_string_equal(err.message, sentence);
    vs_error_clear(&err);
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
}

static void k_takes_integers_within_its_limit(void **state)
{
    int64_t k;
    vs_err err = VS_ERR_INIT;
    (void)state;
    assert_int_equal(vs_args_k("who", NULL, &k, &err), SQLITE_OK);
    assert_true(k == INT64_MAX);
    k_is("NULL", INT64_MAX);
    k_is("0", 0);
    k_is("1000000", 1000000);
    k_is("'7'", 7);
    k_is_refused("-1", "who: k must be from 0 to 1000000, found -1");
    k_is_refused("1000001", "who: k must be from 0 to 1000000, found 1000001");
    k_is_refused("-9223372036854775807 - 1",
                 "who: k must be from 0 to 1000000, found -9223372036854775808");
    k_is_refused("1.5", "who: k must be an integer, found 1.5");
    k_is_refused("'many'", "who: k must be an integer, found many");
    k_is_refused("1e300", "who: k must be from 0 to 1000000, found 1.0e+300");
}

static void texts_must_be_texts(void **state)
{
    const char *text = NULL;
    vs_err err = VS_ERR_INIT;
    sqlite3_value *number = fixture_value(db, "5");
    sqlite3_value *null = fixture_value(db, "NULL");
    sqlite3_value *word = fixture_value(db, "'docs'");
    (void)state;
    assert_int_equal(vs_args_text("who", "the name", word, &text, &err), SQLITE_OK);
    assert_string_equal(text, "docs");
    assert_int_equal(vs_args_text("who", "the name", number, &text, &err), SQLITE_ERROR);
    assert_string_equal(err.message, "who: the name must be text, found 5");
    vs_error_clear(&err);
    assert_int_equal(vs_args_text("who", "the name", null, &text, &err), SQLITE_ERROR);
    assert_string_equal(err.message, "who: the name must be text, found NULL");
    vs_error_clear(&err);
    assert_int_equal(vs_args_optional_text("who", "options", null, &text, &err), SQLITE_OK);
    assert_null(text);
    assert_int_equal(vs_args_optional_text("who", "options", NULL, &text, &err), SQLITE_OK);
    assert_null(text);
    sqlite3_value_free(number);
    sqlite3_value_free(null);
    sqlite3_value_free(word);
}

/* An argument that a plan cannot have yet makes SQLite try another order of the tables. */
static void arguments_from_another_table_order_the_join(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT s.id FROM vec_search('t', 'v', o.v, 1) AS s, t AS o WHERE o.id = 9",
                  "9");
    vs_test_gives(db,
                  "SELECT s.id FROM vec_search(n.name, 'v', '[3,1]', n.k) AS s, (SELECT 't' AS "
                  "name, 2 AS k) AS n ORDER BY s.id",
                  "2; 3");
    vs_test_gives(db,
                  "SELECT b.id FROM vec_search('t', 'v', '[3,1]', 1) AS a JOIN vec_search('t', "
                  "'v', (SELECT v FROM t WHERE id = a.id), 2) AS b ORDER BY b.id",
                  "2; 3");
}

/* Two values for one argument can only agree or give nothing. */
static void an_argument_given_twice_is_checked(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT count(*) FROM vec_search('t', 'v', '[0,1]', 5) WHERE k = 5", "5");
    vs_test_gives(db, "SELECT count(*) FROM vec_search('t', 'v', '[0,1]', 5) WHERE tbl = 'u'", "0");
    vs_test_gives(
        db, "SELECT k, count(*) FROM vec_search('t', 'v', '[0,1]') WHERE k IN (2, 3) GROUP BY k",
        "2|2; 3|3");
}

static void more_conditions_than_sqlite_lets_us_take_are_refused_or_answered(void **state)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    (void)state;
    sqlite3_str_appendall(text, "SELECT id FROM vec_search('t', 'v', '[0,1]') WHERE id > 0");
    for (int i = 0; i < 40; i++) {
        sqlite3_str_appendf(text, " AND distance > %d", i % 39);
    }
    char *sql = sqlite3_str_finish(text);
    char *result = NULL;
    int rc = vs_test_query(db, sql, &result);
    if (rc == SQLITE_OK) {
        assert_string_equal(result, "39; 40");
    } else {
        assert_non_null(
            strstr(result, "conditions on one search; move some of them to an outer query"));
    }
    sqlite3_free(result);
    sqlite3_free(sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(k_takes_integers_within_its_limit),
        cmocka_unit_test(texts_must_be_texts),
        cmocka_unit_test(arguments_from_another_table_order_the_join),
        cmocka_unit_test(an_argument_given_twice_is_checked),
        cmocka_unit_test(more_conditions_than_sqlite_lets_us_take_are_refused_or_answered),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
