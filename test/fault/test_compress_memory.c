/*
 * test_compress_memory.c - the functions that compress, without memory.
 *
 * The same statement runs again and again, the n-th allocation failing: that one alone, then that
 * one and all after it, until a run meets no failure. Each time the result is the right answer or
 * SQLITE_NOMEM, and in the end all memory came back.
 */
#include "../search_fixture.h"

#include "../vs_fault.h"

/* A table of vectors of every kind: halves, decimals, noise, constants, plain bytes. */
static sqlite3 *open_table(void)
{
    sqlite3 *db = vs_test_open();
    vs_test_run(db, "CREATE TABLE t(v BLOB); INSERT INTO t VALUES (vec_f32('[1,2,3,4,5,6,7,8]')), "
                    "(vec_f16('[0.5,0.25,4,8]')), (vec_f32('[7,7,7,7]')), (x'0102030405'), "
                    "(zeroblob(5000)), (randomblob(4000)), (NULL), "
                    "((WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) SELECT "
                    "vec_f32(json_group_array(i % 37 / 100.0)) FROM n))");
    return db;
}

/* Runs the statement under failing allocations. Its one value is 1. */
static void survives(const char *sql, int is_persistent)
{
    int64_t failures = 1, live = vs_fault_live();
    sqlite3 *db = open_table();
    for (int64_t n = 1; failures > 0; n++) {
        vs_fault_arm(n, is_persistent);
        sqlite3_stmt *stmt = NULL;
        int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), value = 0;
        rc = rc == SQLITE_OK ? sqlite3_step(stmt) : rc;
        value = rc == SQLITE_ROW ? sqlite3_column_int(stmt, 0) : 0;
        sqlite3_finalize(stmt);
        failures = vs_fault_disarm();
        if (rc == SQLITE_ROW ? value != 1 : (rc & 0xff) != SQLITE_NOMEM || failures == 0) {
            fail_msg("%s: allocation %lld: %d, value %d, %s", sql, (long long)n, rc, value,
                     sqlite3_errmsg(db));
        }
    }
    fixture_is_usable(db);
    vs_test_close(db);
    assert_int_equal(vs_fault_live(), live);
}

static void compressing_survives(void **state)
{
    static const char *const statements[] = {
        "SELECT min(vec_decompress(vec_compress(v)) IS v) FROM t",
        "SELECT min(vec_decompress(vec_compress(v, 'planes')) IS v) FROM t",
        "SELECT min(vec_decompress(vec_compress(v, 'half', 3)) IS v) FROM t",
        "SELECT min(vec_decompress(vec_compress(v, 'raw', 19)) IS v) FROM t",
        "SELECT min(vec_compress_info(vec_compress(v)) LIKE '{%]}') FROM t WHERE v IS NOT NULL",
        "SELECT vec_length(vec_decompress(vec_compress('[1,2,3]'))) = 3",
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(statements); i++) {
        survives(statements[i], 0);
        survives(statements[i], 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressing_survives),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
