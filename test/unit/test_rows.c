/*
 * test_rows.c - reading the vectors of a table, in each order.
 */
#include "../search_fixture.h"

#include <math.h>

#include "../../ext/rows.h"

static sqlite3 *db;
static vs_target target;
static vs_err err;

static int open_db(void **state)
{
    (void)state;
    db = vs_test_open();
    vs_test_run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v, tag);"
                    "INSERT INTO t VALUES (-3, '[3,0]', 1), (1, NULL, 1), (2, '[1,0]', 0), (5, "
                    "vec_f32('[2,0]'), 1), (9, '[5,0]', 1);"
                    "CREATE INDEX n ON t(vec_norm(v)); CREATE INDEX part ON t(tag) WHERE tag = 1");
    return vs_target_find(db, "who", "t", "v", VSK_F32, &target, &err);
}

static int close_db(void **state)
{
    (void)state;
    vs_target_free(&target);
    vs_test_close(db);
    return 0;
}

/* Reads a source and compares the ids that come. */
static void reads(vs_rows_order order, const char *index_name, double lo, double hi,
                  const int64_t *ids, size_t id_count, const char *expected)
{
    vs_rows_shape shape = {"who", VSK_F32, 2, 0};
    vs_index index;
    vs_rows rows;
    int rc;
    memset(&index, 0, sizeof index);
    if (index_name != NULL) {
        assert_int_equal(vs_target_index(&target, "who", index_name, VSK_F32, &index, &err),
                         SQLITE_OK);
    }
    assert_int_equal(
        vs_rows_open(&target, &shape, order, index_name != NULL ? &index : NULL, &rows, &err),
        SQLITE_OK);
    for (int round = 0; round < 2; round++) { /* a source can be started again */
        sqlite3_str *text = sqlite3_str_new(NULL);
        assert_int_equal(vs_rows_start(&rows, lo, hi, ids, id_count), SQLITE_OK);
        while ((rc = vs_rows_next(&rows, &err)) == SQLITE_ROW) {
            sqlite3_str_appendf(text, "%lld ", (long long)rows.id);
        }
        assert_int_equal(rc, SQLITE_DONE);
        vs_rows_reset(&rows);
        fixture_nothing_is_open(db);
        char *result = sqlite3_str_finish(text);
        assert_string_equal(result != NULL ? result : "", expected);
        sqlite3_free(result);
    }
    vs_rows_close(&rows);
    vs_index_free(&index);
}

static void each_order_gives_its_rows(void **state)
{
    static const int64_t ids[] = {-10, -3, 1, 4, 5, 100};
    (void)state;
    reads(VS_ROWS_TABLE, NULL, 0, 0, NULL, 0, "-3 2 5 9 ");
    reads(VS_ROWS_INDEX, "part", 0, 0, NULL, 0, "-3 5 9 ");
    reads(VS_ROWS_RISING, "n", 0.0, INFINITY, NULL, 0, "2 5 -3 9 ");
    reads(VS_ROWS_FALLING, "n", 0.0, INFINITY, NULL, 0, "9 -3 5 2 ");
    reads(VS_ROWS_RISING, "n", 2.0, 3.0, NULL, 0, "5 -3 ");
    reads(VS_ROWS_FALLING, "n", 1.5, 2.5, NULL, 0, "5 ");
    reads(VS_ROWS_BY_ID, NULL, 0, 0, ids, VS_TEST_COUNT(ids), "-3 5 ");
    reads(VS_ROWS_BY_ID, NULL, 0, 0, NULL, 0, "");
    reads(VS_ROWS_SAMPLE, NULL, 0, 0, ids, VS_TEST_COUNT(ids), "-3 -3 5 5 ");
}

static void a_bad_row_is_named_or_counted(void **state)
{
    vs_rows_shape shape = {"who", VSK_F32, 3, 0};
    vs_rows rows;
    (void)state;
    assert_int_equal(vs_rows_open(&target, &shape, VS_ROWS_TABLE, NULL, &rows, &err), SQLITE_OK);
    assert_int_equal(vs_rows_start(&rows, 0, 0, NULL, 0), SQLITE_OK);
    assert_int_equal(vs_rows_next(&rows, &err), SQLITE_ERROR);
    assert_string_equal(
        err.message,
        "who: t.v, row -3: expected 3 float32 elements (12 bytes), found 2 elements (5 bytes)");
    vs_error_clear(&err);
    vs_rows_close(&rows);
    fixture_nothing_is_open(db);

    shape.skip_bad_rows = 1;
    assert_int_equal(vs_rows_open(&target, &shape, VS_ROWS_TABLE, NULL, &rows, &err), SQLITE_OK);
    assert_int_equal(vs_rows_start(&rows, 0, 0, NULL, 0), SQLITE_OK);
    assert_int_equal(vs_rows_next(&rows, &err), SQLITE_DONE);
    assert_int_equal(rows.rows_skipped, 4); /* NULL is none of them */
    vs_rows_close(&rows);
}

static void elements_are_those_that_are_stored(void **state)
{
    vs_rows_shape shape = {"who", VSK_F32, 2, 0};
    vs_rows rows;
    (void)state;
    assert_int_equal(vs_rows_open(&target, &shape, VS_ROWS_TABLE, NULL, &rows, &err), SQLITE_OK);
    assert_int_equal(vs_rows_start(&rows, 0, 0, NULL, 0), SQLITE_OK);
    static const float expected[] = {3.0f, 1.0f, 2.0f, 5.0f};
    for (size_t i = 0; i < 4; i++) {
        float element;
        assert_int_equal(vs_rows_next(&rows, &err), SQLITE_ROW);
        memcpy(&element, rows.data, sizeof element);
        assert_true(element == expected[i]);
    }
    vs_rows_close(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_order_gives_its_rows),
        cmocka_unit_test(a_bad_row_is_named_or_counted),
        cmocka_unit_test(elements_are_those_that_are_stored),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
