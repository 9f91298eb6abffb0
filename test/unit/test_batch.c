/*
 * test_batch.c - reading the queries of a batch, and how many share a pass.
 */
#include "../search_fixture.h"
#include "../vs_test_db.h"

#include "../../ext/batch.h"

static int read_queries(const char *expression, vsk_type type, size_t dim, vs_queries *out,
                        vs_err *err)
{
    sqlite3_value *value = fixture_value(db, expression);
    int rc = vs_queries_read("who", value, type, dim, out, err);
    sqlite3_value_free(value);
    return rc;
}

static void reads(const char *expression, vsk_type type, size_t dim, size_t expected_count,
                  size_t expected_dim)
{
    vs_queries queries;
    vs_err err = VS_ERR_INIT;
    if (read_queries(expression, type, dim, &queries, &err) != SQLITE_OK) {
        fail_msg("%s: %s", expression, err.message);
    }
    assert_int_equal(queries.count, expected_count);
    if (expected_count > 0) {
        assert_int_equal(queries.dim, expected_dim);
        assert_int_equal(queries.type, type);
    }
    vs_queries_free(&queries);
}

static void refuses(const char *expression, vsk_type type, size_t dim, const char *sentence)
{
    vs_queries queries;
    vs_err err = VS_ERR_INIT;
    assert_int_not_equal(read_queries(expression, type, dim, &queries, &err), SQLITE_OK);
    assert_string_equal(err.message, sentence);
    assert_null(queries.data);
    vs_error_clear(&err);
}

static void text_and_blobs_are_divided_into_queries(void **state)
{
    (void)state;
    reads("'[[1,2],[3,4],[5,6]]'", VSK_F32, 2, 3, 2);
    reads("' [ [1,2] ,[3,4] ] '", VSK_F32, 0, 2, 2);
    reads("'[[1,2]]'", VSK_I8, 9, 1, 2); /* text says its dimension itself */
    reads("'[]'", VSK_F32, 2, 0, 0);
    reads("zeroblob(24)", VSK_F32, 3, 2, 3);
    reads("zeroblob(24)", VSK_F16, 3, 2, 3); /* float32 queries, converted */
    reads("zeroblob(24)", VSK_I8, 3, 8, 3);
    reads("zeroblob(24)", VSK_BIT, 16, 12, 16);
    reads("zeroblob(24)", VSK_F32, 0, 0, 0);
    reads("x''", VSK_F32, 3, 0, 0);
}

static void what_is_wrong_is_said_in_one_sentence(void **state)
{
    (void)state;
    refuses("'[[1,2],[3]]'", VSK_F32, 2, "who: query 1: dimensions differ: 2 and 1");
    refuses("zeroblob(10)", VSK_F32, 2,
            "who: expected queries of 2 float32 elements (a multiple of 8 bytes), found 10 bytes");
    refuses("x'0000000000000000000000000000c07f'", VSK_F32, 2, "who: query 1: element 1 is NaN");
    refuses("5", VSK_F32, 2,
            "who: queries must be a BLOB of queries one after the other or a JSON array of arrays, "
            "found 5");
    refuses(
        "'[1,2]'", VSK_F32, 2,
        "who: queries must be a JSON array of arrays such as '[[1,2],[3,4]]'; malformed at byte 1");
    refuses(
        "'[[1,2],]'", VSK_F32, 2,
        "who: queries must be a JSON array of arrays such as '[[1,2],[3,4]]'; malformed at byte 7");
    refuses(
        "'[[1,2]] x'", VSK_F32, 2,
        "who: queries must be a JSON array of arrays such as '[[1,2],[3,4]]'; malformed at byte 7");
    refuses(
        "''", VSK_F32, 2,
        "who: queries must be a JSON array of arrays such as '[[1,2],[3,4]]'; malformed at byte 0");
    refuses(
        "'[[1,2]'", VSK_F32, 2,
        "who: queries must be a JSON array of arrays such as '[[1,2],[3,4]]'; malformed at byte 6");
    refuses("zeroblob(65537)", VSK_I8, 1,
            "who: a batch has at most 65536 queries and 67108864 bytes");
}

/*
 * The best rows of a pass fit into 8 MiB, however large k is; and there is always at least one
 * query.
 */
static void a_pass_takes_as_many_queries_as_fit(void **state)
{
    static const int64_t ks[] = {0, 1, 10, 2048, 2049, 10000, 524288, 524289, 1000000};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(ks); i++) {
        size_t group = vs_batch_group(ks[i], 0);
        assert_in_range(group, 1, VS_BATCH_GROUP_MAX);
        assert_true(group == 1 || group * (size_t)ks[i] * sizeof(vsk_hit) <= VS_BATCH_HEAP_BYTES);
    }
    assert_int_equal(vs_batch_group(10, 0), VS_BATCH_GROUP_MAX);
    assert_int_equal(vs_batch_group(1000000, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_blobs_are_divided_into_queries),
        cmocka_unit_test(what_is_wrong_is_said_in_one_sentence),
        cmocka_unit_test(a_pass_takes_as_many_queries_as_fit),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
