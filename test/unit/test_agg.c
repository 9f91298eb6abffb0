/*
 * test_agg.c - vec_sum and vec_avg.
 */
#include "../vs_test.h"

#include "../vs_fault.h"

static sqlite3 *db;

static int open_db(void **state)
{
    (void)state;
    db = vs_test_open();
    vs_test_run(db, "CREATE TABLE t(g, v);"
                    "INSERT INTO t VALUES (1, vec_f32('[1,2]')), (1, '[3,5]'), (1, NULL), (2, "
                    "vec_f32('[-1,0]')), (3, NULL)");
    return 0;
}

static int close_db(void **state)
{
    (void)state;
    vs_test_close(db);
    return 0;
}

static void sums_and_means_are_per_group_and_pass_nulls_over(void **state)
{
    (void)state;
    vs_test_gives(
        db,
        "SELECT g, vec_to_json(vec_sum(v)), vec_to_json(vec_avg(v)) FROM t GROUP BY g ORDER BY g",
        "1|[4.000000,7.000000]|[2.000000,3.500000]; 2|[-1.000000,0.000000]|[-1.000000,0.000000]; "
        "3|NULL|NULL");
    vs_test_gives(db, "SELECT vec_sum(v), vec_avg(v) FROM t WHERE 0", "NULL|NULL");
    vs_test_gives(db, "SELECT vec_type(vec_sum(vec_int8('[100]'))) FROM t", "float32");
}

static void narrow_types_are_added_without_overflow(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT vec_to_json(vec_sum(vec_int8('[127,-128]'))) FROM t",
                  "[635.000000,-640.000000]");
    vs_test_gives(db, "SELECT vec_to_json(vec_sum(vec_f16('[60000]'))) FROM t", "[300000.000000]");
    vs_test_gives(db,
                  "SELECT vec_to_json(vec_avg(vec_bf16('[3e38]'))) = "
                  "vec_to_json(vec_f32(vec_bf16('[3e38]'))) FROM t",
                  "1");
}

static void sums_are_accumulated_in_double(void **state)
{
    (void)state;
    vs_test_gives(
        db,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100001)"
        "SELECT vec_to_json(vec_sum(CASE i WHEN 1 THEN '[1e8]' ELSE '[0.25]' END)) FROM n",
        "[100025000.000000]");
}

static void long_vectors_are_added_in_pieces(void **state)
{
    (void)state;
    vs_test_gives(db,
                  "SELECT vec_length(vec_sum(vec_f32(zeroblob(4 * 1000)))), "
                  "vec_norm(vec_avg(vec_f32(zeroblob(4 * 1000)))) FROM t",
                  "1000|0.0");
}

static void errors_name_the_function_and_what_differs(void **state)
{
    static const struct {
        const char *sql, *message;
    } cases[] = {
        {"SELECT vec_sum(x) FROM (SELECT '[1]' AS x UNION ALL SELECT '[1,2]')",
         "vec_sum: dimensions differ: 1 and 2"},
        {"SELECT vec_avg(x) FROM (SELECT 1 AS y, '[1]' AS x UNION ALL SELECT 2, '[1,2,3]')",
         "vec_avg: dimensions differ: 1 and 3"},
        {"SELECT vec_sum(CASE WHEN g = 1 THEN vec_f32('[1]') ELSE vec_int8('[1]') END) FROM t",
         "vec_sum: element types differ: float32 and int8"},
        {"SELECT vec_sum(vec_bit(x'01')) FROM t", "vec_sum: takes numbers, not bit vectors"},
        {"SELECT vec_sum(5) FROM t", "vec_sum: a vector is a BLOB or JSON text, not INTEGER"},
        {"SELECT vec_avg(x'0000803f0000c07f') FROM t", "vec_avg: element 1 is NaN"},
        {"SELECT vec_sum('[0,3e38]') FROM t", "vec_sum: element 1 is beyond float32"},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_test_fails(db, cases[i].sql, cases[i].message);
    }
}

static void every_failed_allocation_is_nomem_and_leaks_nothing(void **state)
{
    static const char sql[] =
        "SELECT g, vec_to_json(vec_sum(v)) FROM t GROUP BY g ORDER BY g LIMIT 1";
    char *result = NULL;
    (void)state;
    vs_test_query(db, sql, &result);
    sqlite3_free(result);
    int64_t live = vs_fault_live();
    for (int n = 1, failed = 1; failed; n++) {
        vs_fault_arm(n, 0);
        int rc = vs_test_query(db, sql, &result);
        failed = vs_fault_disarm() > 0;
        assert_true(rc == SQLITE_NOMEM || rc == SQLITE_OK);
        sqlite3_free(result);
        vs_test_gives(db, sql, "1|[4.000000,7.000000]");
    }
    assert_true(vs_fault_live() <= live + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_means_are_per_group_and_pass_nulls_over),
        cmocka_unit_test(narrow_types_are_added_without_overflow),
        cmocka_unit_test(sums_are_accumulated_in_double),
        cmocka_unit_test(long_vectors_are_added_in_pieces),
        cmocka_unit_test(errors_name_the_function_and_what_differs),
        cmocka_unit_test(every_failed_allocation_is_nomem_and_leaks_nothing),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, open_db, close_db);
}
