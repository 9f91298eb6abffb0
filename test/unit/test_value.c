/*
 * test_value.c - SQL values as vectors, and conversion between element types.
 */
#include "../vs_test_db.h"

#include "../vs_fault.h"

#include "../../ext/value.h"

#include <math.h>

/* Reads the value of an expression as a vector of `type`; the statement keeps it alive. */
static int read_expression(const char *expression, vsk_type type, sqlite3_stmt **stmt,
                           vs_scratch *scratch, vs_vec *out, vs_err *err)
{
    char *sql = sqlite3_mprintf("SELECT %s", expression);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, stmt, NULL), SQLITE_OK);
    sqlite3_free(sql);
    assert_int_equal(sqlite3_step(*stmt), SQLITE_ROW);
    sqlite3_value *value = sqlite3_value_dup(sqlite3_column_value(*stmt, 0));
    int rc = vs_value_read("t", value, type, scratch, out, err);
    sqlite3_value_free(value);
    return rc;
}

static void values_that_are_no_vectors_are_refused_with_a_sentence(void **state)
{
    static const struct {
        const char *expression;
        vsk_type type;
        int code;
        const char *message;
    } cases[] = {
        {"5", VSK_F32, SQLITE_MISMATCH, "t: a vector is a BLOB or JSON text, not INTEGER"},
        {"5.5", VSK_F32, SQLITE_MISMATCH, "t: a vector is a BLOB or JSON text, not REAL"},
        {"x''", VSK_F32, SQLITE_ERROR,
         "t: a vector has at least one element, and this one is empty"},
        {"zeroblob(0)", VSK_I8, SQLITE_ERROR,
         "t: a vector has at least one element, and this one is empty"},
        {"x'000000'", VSK_F32, SQLITE_ERROR,
         "t: a float32 vector has a multiple of 4 bytes, not 3"},
        {"x'000000'", VSK_F16, SQLITE_ERROR,
         "t: a float16 vector has a multiple of 2 bytes, not 3"},
        {"x'000000'", VSK_BF16, SQLITE_ERROR,
         "t: a bfloat16 vector has a multiple of 2 bytes, not 3"},
        {"zeroblob(4 * 65537)", VSK_F32, SQLITE_ERROR,
         "t: a vector has at most 65536 elements, not 65537"},
        {"zeroblob(65537)", VSK_I8, SQLITE_ERROR,
         "t: a vector has at most 65536 elements, not 65537"},
        {"zeroblob(8193)", VSK_BIT, SQLITE_ERROR,
         "t: a vector has at most 65536 elements, not 65544"},
        {"''", VSK_F32, SQLITE_ERROR, "t: JSON text: expected '[', at byte 0, element 0"},
        {"'[1,x]'", VSK_F32, SQLITE_ERROR, "t: JSON text: expected a number, at byte 3, element 1"},
        {"'[1,0,1]'", VSK_BIT, SQLITE_ERROR, "t: a bit vector has a multiple of 8 elements, not 3"},
        {"'[' || replace(hex(zeroblob(32768)), '0', '0,') || '0]'", VSK_F32, SQLITE_ERROR,
         "t: JSON text: a vector has at most 65536 elements, at byte 131073, element 65536"},
        {"'[' || replace(hex(zeroblob(2200000)), '0', ' ') || '0]'", VSK_F32, SQLITE_ERROR,
         "t: a vector as JSON text has at most 4194304 bytes, not 4400003"},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        sqlite3_stmt *stmt = NULL;
        vs_scratch scratch = VS_SCRATCH_INIT;
        vs_err err = VS_ERR_INIT;
        vs_vec vec;
        int rc = read_expression(cases[i].expression, cases[i].type, &stmt, &scratch, &vec, &err);
        if (rc != cases[i].code || err.message == NULL ||
            strcmp(err.message, cases[i].message) != 0) {
            fail_msg("%s: %d %s", cases[i].expression, rc, err.message);
        }
        vs_error_clear(&err);
        vs_scratch_free(&scratch);
        sqlite3_finalize(stmt);
    }
}

static void the_largest_vectors_are_read(void **state)
{
    static const struct {
        const char *expression;
        vsk_type type;
    } cases[] = {
        {"zeroblob(4 * 65536)", VSK_F32},
        {"zeroblob(2 * 65536)", VSK_BF16},
        {"zeroblob(65536)", VSK_I8},
        {"zeroblob(8192)", VSK_BIT},
        {"'[' || substr(replace(hex(zeroblob(32768)), '0', '0,'), 1, 131071) || ']'", VSK_F32},
        {"'[' || substr(replace(hex(zeroblob(32768)), '0', '0,'), 1, 131071) || ']'", VSK_BIT}};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        sqlite3_stmt *stmt = NULL;
        vs_scratch scratch = VS_SCRATCH_INIT;
        vs_err err = VS_ERR_INIT;
        vs_vec vec;
        int rc = read_expression(cases[i].expression, cases[i].type, &stmt, &scratch, &vec, &err);
        if (rc != SQLITE_OK) {
            fail_msg("%s: %s", cases[i].expression, err.message);
        }
        assert_int_equal(vec.dim, 65536);
        assert_int_equal(vec.type, cases[i].type);
        vs_scratch_free(&scratch);
        sqlite3_finalize(stmt);
    }
}

static void scratch_memory_grows_and_stays(void **state)
{
    vs_scratch scratch = VS_SCRATCH_INIT;
    (void)state;
    void *first = vs_scratch_get(&scratch, 0);
    assert_non_null(first);
    assert_ptr_equal(vs_scratch_get(&scratch, 100), first);
    assert_non_null(vs_scratch_get(&scratch, 100000));
    size_t capacity = scratch.capacity_bytes;
    assert_true(capacity >= 100000);
    vs_fault_arm(1, 0);
    assert_null(vs_scratch_get(&scratch, 10 * capacity));
    assert_int_equal(vs_fault_disarm(), 1);
    assert_int_equal(scratch.capacity_bytes, capacity); /* the old block stays */
    assert_non_null(vs_scratch_get(&scratch, capacity));
    vs_scratch_free(&scratch);
    vs_scratch_free(&scratch);
}

static void types_have_names_and_subtypes_both_ways(void **state)
{
    static const int subtypes[] = {223, 226, 227, 225, 224};
    (void)state;
    for (int type = 0; type < VSK_TYPE_COUNT; type++) {
        assert_int_equal(vs_value_type_by_name(vsk_type_name((vsk_type)type)), type);
        assert_int_equal(vs_value_subtype_of((vsk_type)type), subtypes[type]);
    }
    assert_int_equal(vs_value_type_by_name("float"), -1);
    assert_int_equal(vs_value_type_by_name(""), -1);
}

static void nan_and_infinity_are_found_in_every_float_type(void **state)
{
    static const float f32[] = {1, 2, NAN}, f32_inf[] = {1, -INFINITY};
    static const uint16_t f16[] = {0x7bff, 0x7c00}, bf16[] = {0x7f7f, 0xffc0};
    static const struct {
        vs_vec vec;
        const char *message;
    } cases[] = {{{f32, 3, VSK_F32}, "t: element 2 is NaN"},
                 {{f32_inf, 2, VSK_F32}, "t: element 1 is infinite"},
                 {{f16, 2, VSK_F16}, "t: element 1 is infinite"},
                 {{bf16, 2, VSK_BF16}, "t: element 1 is NaN"}};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_err err = VS_ERR_INIT;
        assert_int_equal(vs_value_check_finite("t", &cases[i].vec, &err), SQLITE_ERROR);
        assert_string_equal(err.message, cases[i].message);
        vs_error_clear(&err);
        vs_vec shorter = cases[i].vec;
        shorter.dim--;
        assert_int_equal(vs_value_check_finite("t", &shorter, &err), SQLITE_OK);
    }
    vs_err err = VS_ERR_INIT;
    vs_vec bytes = {f32, 12, VSK_I8}, bits = {f32, 96, VSK_BIT};
    assert_int_equal(vs_value_check_finite("t", &bytes, &err), SQLITE_OK);
    assert_int_equal(vs_value_check_finite("t", &bits, &err), SQLITE_OK);
}

/* Converts and expects the error, or success where message is NULL. */
static void check_convert(const float *values, size_t dim, vsk_type type, const char *message,
                          void *out, size_t out_bytes)
{
    vs_vec vec = {values, dim, VSK_F32}, converted;
    vs_scratch scratch = VS_SCRATCH_INIT;
    vs_err err = VS_ERR_INIT;
    int rc = vs_value_convert("t", &vec, type, &scratch, &converted, &err);
    assert_int_equal(rc, message == NULL ? SQLITE_OK : SQLITE_ERROR);
    if (message != NULL) {
        assert_string_equal(err.message, message);
    } else {
        assert_int_equal(converted.dim, dim);
        memcpy(out, converted.data, out_bytes);
    }
    vs_error_clear(&err);
    vs_scratch_free(&scratch);
}

static void conversion_rounds_or_names_the_element(void **state)
{
    static const float good[] = {1, -128, 127, 0.0f, -0.0f}, tie[] = {2049, 2051};
    static const float big[] = {0, 65520}, huge[] = {0, 0, FLT_MAX}, fraction[] = {0, 0.5f},
                       above[] = {128}, below[] = {-129.5f};
    signed char bytes[5];
    uint16_t halves[2];
    (void)state;
    check_convert(good, 5, VSK_I8, NULL, bytes, 5);
    assert_true(bytes[0] == 1 && bytes[1] == -128 && bytes[2] == 127 && bytes[3] == 0 &&
                bytes[4] == 0);
    check_convert(tie, 2, VSK_F16, NULL, halves, 4);
    assert_true(halves[0] == 0x6800 && halves[1] == 0x6802);
    check_convert(big, 2, VSK_F16, "t: element 1 is beyond float16", NULL, 0);
    check_convert(huge, 3, VSK_BF16, "t: element 2 is beyond bfloat16", NULL, 0);
    check_convert(fraction, 2, VSK_I8, "t: element 1 is not a whole number, as int8 needs", NULL,
                  0);
    check_convert(above, 1, VSK_I8, "t: element 0 is beyond int8", NULL, 0);
    check_convert(below, 1, VSK_I8, "t: element 0 is beyond int8", NULL, 0);
    check_convert(good, 5, VSK_BIT, "t: float32 does not convert to bit", NULL, 0);
}

static void errors_beyond_the_first_piece_name_the_right_element(void **state)
{
    float values[3 * VS_VALUE_CHUNK];
    (void)state;
    memset(values, 0, sizeof values);
    values[2 * VS_VALUE_CHUNK + 5] = 1e6f;
    check_convert(values, 3 * VS_VALUE_CHUNK, VSK_F16, "t: element 517 is beyond float16", NULL, 0);
    check_convert(values, 3 * VS_VALUE_CHUNK, VSK_I8, "t: element 517 is beyond int8", NULL, 0);
    values[2 * VS_VALUE_CHUNK + 5] = NAN;
    check_convert(values, 3 * VS_VALUE_CHUNK, VSK_I8, "t: element 517 is NaN", NULL, 0);
}

static void conversion_to_the_same_type_is_the_input_itself(void **state)
{
    static const float values[] = {1, 2};
    vs_vec vec = {values, 2, VSK_F32}, same;
    vs_err err = VS_ERR_INIT;
    (void)state;
    assert_int_equal(vs_value_convert("t", &vec, VSK_F32, NULL, &same, &err), SQLITE_OK);
    assert_ptr_equal(same.data, values);
}

static void every_half_survives_the_way_through_float32(void **state)
{
    static const vsk_type types[] = {VSK_F16, VSK_BF16};
    (void)state;
    for (size_t t = 0; t < VS_TEST_COUNT(types); t++) {
        uint16_t infinity = types[t] == VSK_F16 ? 0x7c00 : 0x7f80;
        for (uint32_t bits = 0; bits < 0x10000; bits++) {
            uint16_t half = (uint16_t)bits, back = 0;
            vs_vec vec = {&half, 1, types[t]};
            vs_err err = VS_ERR_INIT;
            float value = 0.0f;
            if ((half & infinity) == infinity) {
                continue;
            }
            vs_value_widen(&vec, 0, 1, &value);
            assert_int_equal(vs_value_narrow("t", types[t], &value, 0, 1, &back, &err), SQLITE_OK);
            assert_int_equal(back, half);
        }
    }
}

static void doubles_round_to_float_or_infinity(void **state)
{
    (void)state;
    assert_true(vs_value_to_float(0.1) == 0.1f);
    assert_true(vs_value_to_float(FLT_MAX) == FLT_MAX);
    assert_true(vs_value_to_float(0x1.fffffefffffffp127) == FLT_MAX);
    assert_true(isinf(vs_value_to_float(0x1.ffffffp127)));
    assert_true(isinf(vs_value_to_float(-1e300)) && vs_value_to_float(-1e300) < 0);
    assert_true(isnan(vs_value_to_float(NAN)));
}

static void shapes_that_differ_are_named(void **state)
{
    static const float values[3] = {0};
    vs_vec a = {values, 2, VSK_F32}, b = {values, 3, VSK_F32}, c = {values, 2, VSK_I8};
    vs_err err = VS_ERR_INIT;
    (void)state;
    assert_int_equal(vs_value_check_same_shape("vec_dot", &a, &a, &err), SQLITE_OK);
    assert_int_equal(vs_value_check_same_shape("vec_dot", &a, &b, &err), SQLITE_ERROR);
    assert_string_equal(err.message, "vec_dot: dimensions differ: 2 and 3");
    vs_error_clear(&err);
    assert_int_equal(vs_value_check_same_shape("vec_dot", &b, &c, &err), SQLITE_ERROR);
    assert_string_equal(err.message, "vec_dot: element types differ: float32 and int8");
    vs_error_clear(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_that_are_no_vectors_are_refused_with_a_sentence),
        cmocka_unit_test(the_largest_vectors_are_read),
        cmocka_unit_test(scratch_memory_grows_and_stays),
        cmocka_unit_test(types_have_names_and_subtypes_both_ways),
        cmocka_unit_test(nan_and_infinity_are_found_in_every_float_type),
        cmocka_unit_test(conversion_rounds_or_names_the_element),
        cmocka_unit_test(errors_beyond_the_first_piece_name_the_right_element),
        cmocka_unit_test(conversion_to_the_same_type_is_the_input_itself),
        cmocka_unit_test(every_half_survives_the_way_through_float32),
        cmocka_unit_test(doubles_round_to_float_or_infinity),
        cmocka_unit_test(shapes_that_differ_are_named),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, open_db, close_db);
}
