/*
 * test_pushdown.c - conditions that are applied inside the search: their words, and what they make
 * of a filter.
 */
#include "../search_fixture.h"
#include "../vs_test_db.h"

#include <math.h>

#include "../../ext/pushdown.h"

static void words_are_read_from_the_end(void **state)
{
    vs_pushdown pushdown;
    (void)state;
    assert_int_equal(
        vs_pushdown_parse("t.v exact l2; pushed down: id list, distance <=, limit", 3, &pushdown),
        SQLITE_OK);
    assert_int_equal(pushdown.count, 3);
    assert_int_equal(pushdown.kinds[0], VS_PUSH_ID_LIST);
    assert_int_equal(pushdown.kinds[1], VS_PUSH_DISTANCE_LE);
    assert_int_equal(pushdown.kinds[2], VS_PUSH_LIMIT);
    assert_true(vs_pushdown_has(&pushdown, VS_PUSH_LIMIT));
    assert_false(vs_pushdown_has(&pushdown, VS_PUSH_OFFSET));
    assert_int_equal(
        vs_pushdown_parse("x; pushed down: offset, .v exact; pushed down: rank <", 1, &pushdown),
        SQLITE_OK);
    assert_int_equal(pushdown.kinds[0], VS_PUSH_RANK_LT);
    assert_int_equal(vs_pushdown_parse("; pushed down: id list, b.v exact l2", 0, &pushdown),
                     SQLITE_OK);
    assert_int_equal(pushdown.count, 0);
}

static void words_that_do_not_fit_are_refused(void **state)
{
    static const char *const words[] = {"t.v exact l2",
                                        "t.v; pushed down: ", "t.v; pushed down: distance",
                                        "t.v; pushed down: id list; x", ""};
    vs_pushdown pushdown;
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(words); i++) {
        assert_int_not_equal(vs_pushdown_parse(words[i], 1, &pushdown), SQLITE_OK);
    }
}

/* Applies one condition with the value of an expression. */
static void apply(vs_push kind, const char *expression, vs_filter *filter, vs_wanted *wanted)
{
    vs_pushdown pushdown = {1, {kind}, {0}};
    vs_id_lists lists = {{NULL, 0, 0}, {NULL, 0, 0}};
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("SELECT %s", expression);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    sqlite3_value *value = sqlite3_column_value(stmt, 0);
    vs_filter_init(filter);
    wanted->rows = 1000;
    wanted->hint = 0;
    assert_int_equal(vs_pushdown_apply(&pushdown, &value, &lists, filter, wanted), SQLITE_OK);
    vs_id_lists_free(&lists);
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
}

static void range_is(vs_push kind, const char *expression, double lo, double hi)
{
    vs_filter filter;
    vs_wanted wanted;
    apply(kind, expression, &filter, &wanted);
    if (filter.distance_lo != lo || filter.distance_hi != hi) {
        fail_msg("kind %d, %s: %g .. %g, not %g .. %g", (int)kind, expression, filter.distance_lo,
                 filter.distance_hi, lo, hi);
    }
}

static void distances_narrow_the_range(void **state)
{
    (void)state;
    range_is(VS_PUSH_DISTANCE_LE, "2.5", -INFINITY, 2.5);
    range_is(VS_PUSH_DISTANCE_LT, "2.5", -INFINITY, nextafter(2.5, 0.0));
    range_is(VS_PUSH_DISTANCE_GE, "'2.5'", 2.5, INFINITY);
    range_is(VS_PUSH_DISTANCE_GT, "2", nextafter(2.0, 3.0), INFINITY);
    range_is(VS_PUSH_DISTANCE_EQ, "0", 0.0, 0.0);
    range_is(VS_PUSH_DISTANCE_LT, "'far'", -INFINITY, INFINITY); /* every number is below a text */
    range_is(VS_PUSH_DISTANCE_GT, "'far'", INFINITY, -INFINITY);
    range_is(VS_PUSH_DISTANCE_LE, "NULL", INFINITY, -INFINITY);
}

static void ranks_bound_the_number_of_rows(void **state)
{
    static const struct {
        vs_push kind;
        const char *expression;
        int64_t rows;
    } cases[] = {
        {VS_PUSH_RANK_LE, "5", 5},        {VS_PUSH_RANK_LT, "5", 4},
        {VS_PUSH_RANK_LT, "5.5", 5},      {VS_PUSH_RANK_LE, "5.5", 5},
        {VS_PUSH_RANK_LE, "0", 0},        {VS_PUSH_RANK_LT, "-3", 0},
        {VS_PUSH_RANK_LE, "NULL", 0},     {VS_PUSH_RANK_LE, "'5'", 5},
        {VS_PUSH_RANK_LE, "1e300", 1000}, {VS_PUSH_RANK_LE, "'x'", 1000},
        {VS_PUSH_RANK_LE, "5000", 1000},  {VS_PUSH_RANK_LT, "x'00'", 1000},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_filter filter;
        vs_wanted wanted;
        apply(cases[i].kind, cases[i].expression, &filter, &wanted);
        if (wanted.rows != cases[i].rows) {
            fail_msg("kind %d, %s: %lld rows, not %lld", (int)cases[i].kind, cases[i].expression,
                     (long long)wanted.rows, (long long)cases[i].rows);
        }
    }
}

static void queries_are_a_range(void **state)
{
    static const struct {
        vs_push kind;
        const char *expression;
        int64_t lo, hi;
    } cases[] = {
        {VS_PUSH_QUERY_EQ, "5", 5, 5},
        {VS_PUSH_QUERY_EQ, "'5'", 5, 5},
        {VS_PUSH_QUERY_EQ, "5.5", 6, 5},
        {VS_PUSH_QUERY_EQ, "NULL", 0, -1},
        {VS_PUSH_QUERY_EQ, "'x'", 0, INT64_MAX},
        {VS_PUSH_QUERY_LT, "5", 0, 4},
        {VS_PUSH_QUERY_LT, "5.5", 0, 5},
        {VS_PUSH_QUERY_LE, "5.5", 0, 5},
        {VS_PUSH_QUERY_LE, "-1", 0, -1},
        {VS_PUSH_QUERY_GT, "5", 6, INT64_MAX},
        {VS_PUSH_QUERY_GT, "5.5", 6, INT64_MAX},
        {VS_PUSH_QUERY_GE, "5.5", 6, INT64_MAX},
        {VS_PUSH_QUERY_GE, "-9", 0, INT64_MAX},
        {VS_PUSH_QUERY_GE, "1e300", 0, INT64_MAX},
        {VS_PUSH_QUERY_LT, "-1e300", 0, INT64_MAX},
        {VS_PUSH_QUERY_GT, "NULL", 0, -1},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_filter filter;
        vs_wanted wanted;
        apply(cases[i].kind, cases[i].expression, &filter, &wanted);
        if (wanted.query_lo != cases[i].lo || wanted.query_hi != cases[i].hi) {
            fail_msg("kind %d, %s: %lld .. %lld", (int)cases[i].kind, cases[i].expression,
                     (long long)wanted.query_lo, (long long)wanted.query_hi);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_read_from_the_end),
        cmocka_unit_test(words_that_do_not_fit_are_refused),
        cmocka_unit_test(distances_narrow_the_range),
        cmocka_unit_test(ranks_bound_the_number_of_rows),
        cmocka_unit_test(queries_are_a_range),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
