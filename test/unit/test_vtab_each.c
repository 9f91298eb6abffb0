/*
 * test_vtab_each.c - vec_each: one row per element.
 */
#include "../vs_test_db.h"

#include "../vs_fault.h"

static void elements_are_rows_counted_from_zero(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT rowid, value, typeof(value) FROM vec_each('[1, 2.5, -0.125]')",
                  "0|1.0|real; 1|2.5|real; 2|-0.125|real");
    vs_test_gives(db, "SELECT max(abs(value - 0.1)) < 1e-8 FROM vec_each('[0.1]')", "1");
    vs_test_gives(db, "SELECT rowid, value, typeof(value) FROM vec_each(vec_int8('[1,-2]'))",
                  "0|1|integer; 1|-2|integer");
    vs_test_gives(db, "SELECT value FROM vec_each(vec_f16('[1,-2]'))", "1.0; -2.0");
    vs_test_gives(db, "SELECT value FROM vec_each(vec_bf16('[1,-2]'))", "1.0; -2.0");
    vs_test_gives(db, "SELECT group_concat(value, '') FROM vec_each(vec_bit(x'0180'))",
                  "1000000000000001");
    vs_test_gives(db, "SELECT * FROM vec_each('[7]')", "7.0");
}

static void the_hidden_column_is_the_argument(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT value, vector FROM vec_each('[1,2]')", "1.0|[1,2]; 2.0|[1,2]");
    vs_test_gives(db, "SELECT value FROM vec_each WHERE vector = '[1,2]'", "1.0; 2.0");
    vs_test_gives(db, "SELECT vec_type(vector) FROM vec_each(vec_int8('[1]'))", "int8");
}

static void null_has_no_elements(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT count(*) FROM vec_each(NULL)", "0");
}

static void joins_search_again_for_each_outer_row(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t(v) VALUES ('[1,2]'), "
                    "(NULL), (vec_int8('[3]')), ('[4,5,6]')");
    vs_test_gives(
        db, "SELECT t.id, sum(e.value) FROM t, vec_each(t.v) AS e WHERE t.id <> 3 GROUP BY t.id",
        "1|3.0; 4|15.0");
    vs_test_gives(db, "SELECT t.id, (SELECT max(value) FROM vec_each(t.v)) FROM t WHERE id <> 3",
                  "1|2.0; 2|NULL; 4|6.0");
    vs_test_gives(db, "SELECT a.value, b.value FROM vec_each('[1,2]') AS a, vec_each('[3,4]') AS b",
                  "1.0|3.0; 1.0|4.0; 2.0|3.0; 2.0|4.0");
    vs_test_run(db, "DROP TABLE t");
}

static void rows_come_in_rowid_order_without_a_sorter(void **state)
{
    char *plan = NULL;
    (void)state;
    vs_test_query(db, "EXPLAIN QUERY PLAN SELECT value FROM vec_each('[1,2]') ORDER BY rowid",
                  &plan);
    assert_null(strstr(plan, "TEMP B-TREE"));
    sqlite3_free(plan);
    vs_test_gives(db, "SELECT value FROM vec_each('[1,2]') ORDER BY rowid DESC", "2.0; 1.0");
}

static void errors_are_sentences(void **state)
{
    (void)state;
    vs_test_fails(db, "SELECT * FROM vec_each",
                  "vec_each: takes a vector, as in vec_each('[1, 2, 3]')");
    vs_test_fails(db, "SELECT * FROM vec_each WHERE vector > '[1]'",
                  "vec_each: takes a vector, as in vec_each('[1, 2, 3]')");
    vs_test_fails(db, "SELECT * FROM vec_each(5)",
                  "vec_each: a vector is a BLOB or JSON text, not INTEGER");
    vs_test_fails(db, "SELECT * FROM vec_each('[1')",
                  "vec_each: JSON text: expected ',' or ']', at byte 2, element 1");
    vs_test_fails(db, "SELECT * FROM vec_each(x'0000c07f')", "vec_each: element 0 is NaN");
    vs_test_fails(db, "SELECT * FROM vec_each('[1]', 2)",
                  "too many arguments on vec_each() - max 1");
    vs_test_fails(db, "INSERT INTO vec_each VALUES (1)", "table vec_each may not be modified");
    vs_test_fails(db, "CREATE VIRTUAL TABLE x USING vec_each", "no such module: vec_each");
}

static void a_view_of_a_distrusted_schema_may_use_it(void **state)
{
    (void)state;
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    vs_test_run(db, "CREATE VIEW w AS SELECT value FROM vec_each('[1,2]')");
    vs_test_gives(db, "SELECT sum(value) FROM w", "3.0");
    vs_test_run(db, "DROP VIEW w");
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1, NULL);
}

static void every_failed_allocation_is_nomem_and_leaks_nothing(void **state)
{
    static const char sql[] = "SELECT sum(value), max(vector) FROM vec_each('[1,2]')";
    (void)state;
    vs_test_close(db);
    int64_t live = vs_fault_live();
    for (int n = 1, failed = 1; failed; n++) {
        char *result = NULL;
        db = vs_test_open();
        vs_fault_arm(n, 0);
        int rc = vs_test_query(db, sql, &result);
        failed = vs_fault_disarm() > 0;
        assert_true(rc == SQLITE_NOMEM || rc == SQLITE_OK);
        sqlite3_free(result);
        vs_test_gives(db, sql, "3.0|[1,2]");
        vs_test_close(db);
        assert_int_equal(vs_fault_live(), live);
    }
    db = vs_test_open();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_are_rows_counted_from_zero),
        cmocka_unit_test(the_hidden_column_is_the_argument),
        cmocka_unit_test(null_has_no_elements),
        cmocka_unit_test(joins_search_again_for_each_outer_row),
        cmocka_unit_test(rows_come_in_rowid_order_without_a_sorter),
        cmocka_unit_test(errors_are_sentences),
        cmocka_unit_test(a_view_of_a_distrusted_schema_may_use_it),
        cmocka_unit_test(every_failed_allocation_is_nomem_and_leaks_nothing),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, open_db, close_db);
}
