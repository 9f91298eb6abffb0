/*
 * test_error.c - error sentences: the first one wins, none is lost.
 */
#include "../vs_test.h"

#include "../../ext/error.h"

static void the_first_sentence_wins(void **state)
{
    vs_err err = VS_ERR_INIT;
    (void)state;
    assert_int_equal(vs_error(&err, SQLITE_ERROR, "%s: %d", "first", 1), SQLITE_ERROR);
    assert_int_equal(vs_error(&err, SQLITE_CORRUPT_VTAB, "second"), SQLITE_CORRUPT_VTAB);
    assert_string_equal(err.message, "first: 1");
    vs_error_clear(&err);
    assert_null(err.message);
    vs_error_clear(&err);
}

/* Each byte that is part of no character becomes a question mark; characters stay. */
static void a_sentence_is_utf8(void **state)
{
    static const char *const cases[][2] = {
        {"plain", "plain"},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
         "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xff\xfe", "??"},
        {"a\x80"
         "b",
         "a?b"},
        {"cut \xe2\x82", "cut ??"},
        {"cut \xf0\x9f\x98", "cut ???"},
        {"\xc3(", "?("},
        {"\xc0\x80 \xc1\xbf", "?? ??"}, /* longer than they need be */
        {"\xe0\x9f\xbf \xf0\x8f\xbf\xbf", "??? ????"},
        {"\xed\xa0\x80 \xed\x9f\xbf", "??? \xed\x9f\xbf"}, /* half a pair, and the last before */
        {"\xf4\x8f\xbf\xbf \xf4\x90\x80\x80", "\xf4\x8f\xbf\xbf ????"},
        {"\xf5\x80\x80\x80", "????"},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_err err = VS_ERR_INIT;
        (void)vs_error(&err, SQLITE_ERROR, "found %s", cases[i][0]);
        char *expected = sqlite3_mprintf("found %s", cases[i][1]);
        assert_string_equal(err.message, expected);
        sqlite3_free(expected);
        vs_error_clear(&err);
    }
}

static void out_of_memory_has_no_sentence(void **state)
{
    vs_err err = VS_ERR_INIT;
    (void)state;
    assert_int_equal(vs_error(&err, SQLITE_NOMEM, "needs memory itself"), SQLITE_NOMEM);
    assert_null(err.message);
}

static void sqlites_own_words_are_kept(void **state)
{
    vs_err err = VS_ERR_INIT;
    sqlite3 *db = vs_test_open();
    (void)state;
    int rc = sqlite3_exec(db, "SELECT * FROM missing", NULL, NULL, NULL);
    assert_int_equal(vs_error_db(&err, rc, db, "vec_search: docs"), SQLITE_ERROR);
    assert_string_equal(err.message, "vec_search: docs: no such table: missing");
    vs_error_clear(&err);
    vs_test_close(db);
}

static void function_fails(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    vs_err err = VS_ERR_INIT;
    int rc = sqlite3_value_int(argv[0]);
    (void)argc;
    if (sqlite3_value_int(argv[1])) {
        vs_error(&err, rc, "f: failed");
    }
    vs_error_result(ctx, rc, &err);
    assert_null(err.message);
}

static void a_function_ends_with_code_and_sentence(void **state)
{
    static const struct {
        const char *sql, *message;
        int code;
    } cases[] = {{"SELECT f(1, 1)", "f: failed", SQLITE_ERROR},
                 {"SELECT f(20, 1)", "f: failed", SQLITE_MISMATCH},
                 {"SELECT f(9, 0)", "interrupted", SQLITE_INTERRUPT},
                 {"SELECT f(7, 1)", "out of memory", SQLITE_NOMEM}};
    sqlite3 *db = vs_test_open();
    (void)state;
    sqlite3_create_function(db, "f", 2, SQLITE_UTF8, NULL, function_fails, NULL, NULL);
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        char *message = NULL;
        assert_int_equal(vs_test_query(db, cases[i].sql, &message), cases[i].code);
        assert_string_equal(message, cases[i].message);
        sqlite3_free(message);
    }
    vs_test_close(db);
}

static void a_table_takes_the_sentence_over(void **state)
{
    vs_err err = VS_ERR_INIT;
    sqlite3_vtab vtab = {NULL, 0, NULL};
    (void)state;
    assert_int_equal(vs_error_vtab(&vtab, SQLITE_OK, &err), SQLITE_OK);
    assert_null(vtab.zErrMsg);
    vs_error(&err, SQLITE_ERROR, "one");
    assert_int_equal(vs_error_vtab(&vtab, SQLITE_ERROR, &err), SQLITE_ERROR);
    vs_error(&err, SQLITE_ERROR, "two");
    vs_error_vtab(&vtab, SQLITE_ERROR, &err);
    assert_string_equal(vtab.zErrMsg, "two");
    assert_null(err.message);
    sqlite3_free(vtab.zErrMsg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_sentence_wins),
        cmocka_unit_test(a_sentence_is_utf8),
        cmocka_unit_test(out_of_memory_has_no_sentence),
        cmocka_unit_test(sqlites_own_words_are_kept),
        cmocka_unit_test(a_function_ends_with_code_and_sentence),
        cmocka_unit_test(a_table_takes_the_sentence_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
