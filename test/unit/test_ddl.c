/*
 * test_ddl.c - reading expressions out of the schema's text.
 */
#include "../vs_test.h"

#include "../../ext/ddl.h"

static void span_is(int found, vs_ddl_span span, const char *expected)
{
    if (expected == NULL) {
        assert_int_equal(found, 0);
    } else {
        assert_int_equal(found, 1);
        assert_int_equal(span.n, strlen(expected));
        assert_memory_equal(span.text, expected, span.n);
    }
}

static void a_term_of_an_index_is_found_by_position(void **state)
{
    static const struct {
        const char *text;
        int position;
        const char *term;
    } cases[] = {
        {"CREATE INDEX i ON t(a, b)", 0, "a"},
        {"CREATE INDEX i ON t(a, b)", 1, "b"},
        {"CREATE INDEX i ON t(a, b)", 2, NULL},
        {"CREATE INDEX \"(\" ON [t(](vec_norm(v, (1)) DESC , b)", 0, "vec_norm(v, (1)) DESC"},
        {"CREATE INDEX i ON t(/* , ( */ a -- ) \n, b)", 0, "a"},
        {"CREATE INDEX i ON t(',', \"x,\"\"y\", b)", 2, "b"},
        {"CREATE INDEX i ON t(", 0, NULL},
        {"CREATE INDEX i ON t()", 0, NULL},
        {"CREATE INDEX i ON t(a", 0, "a"},
        {"CREATE INDEX i", 0, NULL},
        {"", 0, NULL},
        {"((((((((", 0, "((((((("},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_ddl_span span = {NULL, 0};
        span_is(vs_ddl_index_term(cases[i].text, cases[i].position, &span), span, cases[i].term);
    }
}

static void a_predicate_that_could_leave_its_parentheses_is_not_found(void **state)
{
    static const struct {
        const char *text, *where;
    } cases[] = {
        {"CREATE INDEX i ON t(a) WHERE b > 0.8", "b > 0.8"},
        {"CREATE INDEX i ON t(a, (b)) where (b) IN (1, 2) AND c = ')'",
         "(b) IN (1, 2) AND c = ')'"},
        {"CREATE INDEX i ON t(a)", NULL},
        {"CREATE INDEX i ON t(a) WHERE", NULL},
        {"CREATE INDEX i ON t(a) WHERE 1) UNION SELECT 1 --", NULL},
        {"CREATE INDEX i ON t(a) WHERE 1)(", NULL},
        {"CREATE INDEX i ON t(a) WHERE (1", NULL},
        {"CREATE INDEX i ON t(a) WHERE 1; DROP TABLE t", NULL},
        {"CREATE INDEX i ON t(a) \"WHERE\" 1", NULL},
        {"CREATE INDEX i ON t(a) WHERE /* ) */ 1 -- )", "1 -- )"},
        {"CREATE INDEX i ON t(a", NULL},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_ddl_span span = {NULL, 0};
        span_is(vs_ddl_index_where(cases[i].text, &span), span, cases[i].where);
    }
}

static void the_expression_of_a_generated_column_is_found_by_name(void **state)
{
    static const struct {
        const char *text, *column, *expression;
    } cases[] = {
        {"CREATE TABLE t(v, n AS (vec_norm(v)))", "n", "vec_norm(v)"},
        {"CREATE TABLE t(v, n REAL GENERATED ALWAYS AS ( vec_norm(v) ) STORED)", "n",
         "vec_norm(v)"},
        {"CREATE TABLE t(v, \"N\" REAL AS(vec_norm(v)))", "n", "vec_norm(v)"},
        {"CREATE TABLE t(v, n REAL CHECK (n > 0 AND (1)) AS (v) VIRTUAL)", "n", "v"},
        {"CREATE TABLE t(v, n REAL, m AS (v))", "n", NULL},
        {"CREATE TABLE t(v, n DEFAULT (CAST(1 AS REAL)))", "n", NULL},
        {"CREATE TABLE t(v, n /* AS (v) */)", "n", NULL},
        {"CREATE TABLE t(v, \"a\"\"b\" AS (v))", "a\"b", "v"},
        {"CREATE TABLE t(v, 'n' AS (v))", "n", "v"},
        {"CREATE TABLE t(v, nn AS (v))", "n", NULL},
        {"CREATE TABLE t(v, n AS (", "n", NULL},
        {"CREATE TABLE t(v, n AS ())", "n", NULL},
        {"CREATE TABLE t", "n", NULL},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_ddl_span span = {NULL, 0};
        span_is(vs_ddl_generated(cases[i].text, cases[i].column, &span), span, cases[i].expression);
    }
}

static void a_norm_is_recognised_with_its_constructor(void **state)
{
    static const struct {
        const char *expression, *constructor; /* NULL: no norm */
    } cases[] = {
        {"vec_norm(v)", ""},
        {"VEC_NORM ( \"V\" ) DESC", ""},
        {"((vec_norm([v]))) ASC", ""},
        {"vec_norm/**/(`v`)", ""},
        {"vec_norm(vec_f16(v))", "vec_f16"},
        {"vec_norm(Vec_Int8(v))", "Vec_Int8"},
        {"vec_norm(w)", NULL},
        {"vec_norm(v, 1)", NULL},
        {"vec_norm(v) + 1", NULL},
        {"-vec_norm(v)", NULL},
        {"vec_norm(v) COLLATE nocase", NULL},
        {"vec_norm(v", NULL},
        {"vec_norm(a.v)", NULL},
        {"vec_norm(vec_f16(v, 1))", NULL},
        {"vec_norms(v)", NULL},
        {"vec_norm", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_ddl_span expression = {cases[i].expression, strlen(cases[i].expression)};
        vs_ddl_span constructor;
        int found = vs_ddl_is_norm(expression, "v", &constructor);
        assert_int_equal(found, cases[i].constructor != NULL);
        if (found) {
            span_is(1, constructor, cases[i].constructor);
        }
    }
}

static void comments_go_and_operators_stay_whole(void **state)
{
    static const char *const cases[][2] = {
        {"a /* x */ > -- y\n 1", "a > 1"},
        {"a->>'$.b' = '--'", "a->>'$.b' = '--'"},
        {"a/**/b", "a b"},
        {"- /**/ - 1", "- - 1"},
        {"\"a/*\" = x'00' /*", "\"a/*\" = x'00'"},
        {"", NULL},
        {"'unterminated -- text", "'unterminated -- text"},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_ddl_span span = {cases[i][0], strlen(cases[i][0])};
        char *text = vs_ddl_without_comments(span);
        if (cases[i][1] != NULL) {
            assert_string_equal(text, cases[i][1]);
        }
        sqlite3_free(text);
    }
}

/*
 * A truncated text must not be read past its end: each prefix lies at the end of a block of its
 * own, for the sanitizers.
 */
static void every_prefix_is_read_within_its_bounds(void **state)
{
    static const char text[] = "CREATE INDEX \"i\" ON [t](vec_norm(vec_f16(`v`)) DESC, 'x', y /* c "
                               "*/) WHERE (a = 'b''c') AND \"d\"\"e\" > 1 -- end";
    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        char *copy = malloc(n + 1);
        vs_ddl_span span, constructor;
        memcpy(copy, text, n);
        copy[n] = '\0';
        if (vs_ddl_index_term(copy, 0, &span)) {
            (void)vs_ddl_is_norm(span, "v", &constructor);
        }
        (void)vs_ddl_index_where(copy, &span);
        (void)vs_ddl_generated(copy, "y", &span);
        sqlite3_free(vs_ddl_without_comments((vs_ddl_span){copy, n}));
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_term_of_an_index_is_found_by_position),
        cmocka_unit_test(a_predicate_that_could_leave_its_parentheses_is_not_found),
        cmocka_unit_test(the_expression_of_a_generated_column_is_found_by_name),
        cmocka_unit_test(a_norm_is_recognised_with_its_constructor),
        cmocka_unit_test(comments_go_and_operators_stay_whole),
        cmocka_unit_test(every_prefix_is_read_within_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
