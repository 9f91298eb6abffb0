/*
 * test_column.c - every way to write a vector reads as the column's elements, rounded as its type
 * rounds, and what is no such vector is an error that says why.
 */
#include "../search_fixture.h"
#include "../vs_test_db.h"

#include <math.h>

#include "../../ext/column.h"

static const char place[] = "t.v, row 7";

static vs_vector_spec spec_of(vsk_type type, size_t dim)
{
    vs_vector_spec spec = {type, type, dim, type == VSK_BIT ? VS_HAMMING : VS_L2, 0, 0};
    return spec;
}

/* Reads the SQL expression; *out is a copy of the elements in the type `to` (free). */
static int read_value(const vs_vector_spec *spec, const char *expression, vsk_type to, void **out,
                      vs_err *err)
{
    vs_scratch memory[2] = {VS_SCRATCH_INIT, VS_SCRATCH_INIT};
    const void *data = NULL;
    sqlite3_value *value = fixture_value(db, expression);
    int rc = vs_column_read(spec, place, value, to, memory, &data, err);
    *out = NULL;
    if (rc == SQLITE_OK) {
        size_t n = vsk_bytes(to, spec->dim);
        *out = malloc(n);
        assert_non_null(*out);
        memcpy(*out, data, n);
    }
    sqlite3_value_free(value);
    vs_scratch_free(&memory[0]);
    vs_scratch_free(&memory[1]);
    return rc;
}

/* The expression reads as these bytes. */
static void reads_as(const vs_vector_spec *spec, const char *expression, vsk_type to,
                     const void *expected)
{
    vs_err err = VS_ERR_INIT;
    void *data = NULL;
    if (read_value(spec, expression, to, &data, &err) != SQLITE_OK) {
        fail_msg("%s: %s", expression, err.message);
    }
    if (memcmp(data, expected, vsk_bytes(to, spec->dim)) != 0) {
        fail_msg("%s reads as other elements", expression);
    }
    free(data);
}

static void is_refused(const vs_vector_spec *spec, const char *expression, const char *words)
{
    vs_err err = VS_ERR_INIT;
    void *data = NULL;
    int rc = read_value(spec, expression, spec->type, &data, &err);
    if (rc == SQLITE_OK || err.message == NULL || strncmp(err.message, place, strlen(place)) != 0 ||
        strstr(err.message, words) == NULL) {
        fail_msg("%s: result %d: %s; expected \"%s\"", expression, rc,
                 err.message == NULL ? "no sentence" : err.message, words);
    }
    vs_error_clear(&err);
    free(data);
}

/* ---- what is read ---- */

static void every_spelling_of_a_float_vector_is_the_same(void **state)
{
    static const char *const spellings[] = {
        "'[1, -2.5, 0.375]'",
        "' [ 1.0 , -25e-1,375e-3 ] '",
        "vec_f32('[1,-2.5,0.375]')",
        "vec_f16('[1,-2.5,0.375]')",
        "vec_bf16('[1,-2.5,0.375]')",
        "x'0000803f000020c00000c03e'", /* the bytes of float32, without a type */
    };
    static const float f32[] = {1.0f, -2.5f, 0.375f};
    static const uint16_t f16[] = {0x3c00, 0xc100, 0x3600};
    static const uint16_t bf16[] = {0x3f80, 0xc020, 0x3ec0};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(spellings); i++) {
        vs_vector_spec spec = spec_of(VSK_F32, 3);
        reads_as(&spec, spellings[i], VSK_F32, f32);
        reads_as(&spec, spellings[i], VSK_F16, f16); /* store=f16 */
        spec = spec_of(VSK_F16, 3);
        reads_as(&spec, spellings[i], VSK_F16, f16);
        spec = spec_of(VSK_BF16, 3);
        reads_as(&spec, spellings[i], VSK_BF16, bf16);
    }
}

/* The size of a BLOB tells: that of the column's type, else that of float32. */
static void bytes_are_of_the_columns_type_or_float32(void **state)
{
    static const uint16_t f16[] = {0x3c00, 0x4000};
    (void)state;
    vs_vector_spec spec = spec_of(VSK_F16, 2);
    reads_as(&spec, "x'003c0040'", VSK_F16, f16);
    reads_as(&spec, "x'0000803f00000040'", VSK_F16, f16);
    spec = spec_of(VSK_BF16, 2);
    reads_as(&spec, "x'803f0040'", VSK_BF16, ((uint16_t[]){0x3f80, 0x4000}));
    reads_as(&spec, "x'0000803f00000040'", VSK_BF16, ((uint16_t[]){0x3f80, 0x4000}));
    spec = spec_of(VSK_F32, 2);
    is_refused(&spec, "x'003c0040'", "expected 2 elements, found 1");
    spec = spec_of(VSK_I8, 8);
    reads_as(&spec, "x'01ff7f8000050607'", VSK_I8, ((int8_t[]){1, -1, 127, -128, 0, 5, 6, 7}));
    is_refused(&spec, "zeroblob(32)", "expected 8 elements, found 32");
}

static void integers_and_bits_are_read(void **state)
{
    (void)state;
    vs_vector_spec spec = spec_of(VSK_I8, 3);
    reads_as(&spec, "'[1,-128,127]'", VSK_I8, ((int8_t[]){1, -128, 127}));
    reads_as(&spec, "vec_int8('[1,-128,127]')", VSK_I8, ((int8_t[]){1, -128, 127}));
    spec = spec_of(VSK_BIT, 16);
    reads_as(&spec, "x'a55a'", VSK_BIT, ((uint8_t[]){0xa5, 0x5a}));
    reads_as(&spec, "vec_bit(x'a55a')", VSK_BIT, ((uint8_t[]){0xa5, 0x5a}));
}

/* Each element as a double, rounded once to the declared type and then to the stored one. */
static void elements_round_by_way_of_the_declared_type(void **state)
{
    (void)state;
    vs_vector_spec spec = spec_of(VSK_F32, 1);
    const float tenth = 0.1f;
    reads_as(&spec, "'[0.1]'", VSK_F32, &tenth);
    spec = spec_of(VSK_F16, 1);
    /* Halfway between two float16: to the even one. */
    reads_as(&spec, "vec_f32('[1.00048828125]')", VSK_F16, ((uint16_t[]){0x3c00}));
    reads_as(&spec, "vec_f32('[1.00146484375]')", VSK_F16, ((uint16_t[]){0x3c02}));
    /* A query of another type is what the column would hold. */
    reads_as(&spec, "vec_bf16('[1.0078125]')", VSK_F16, ((uint16_t[]){0x3c08}));
    spec = spec_of(VSK_BF16, 1);
    reads_as(&spec, "vec_f16('[1.00390625]')", VSK_BF16, ((uint16_t[]){0x3f80}));
}

/* Numbers that text cannot spoil: random vectors as text and as bytes are one. */
static void text_and_bytes_of_random_vectors_agree(void **state)
{
    static const vsk_type types[] = {VSK_F32, VSK_F16, VSK_BF16, VSK_I8};
    uint64_t random = 17;
    (void)state;
    for (int i = 0; i < 400; i++) {
        vsk_type type = types[i % 4];
        vs_vector_spec spec = spec_of(type, 1 + (size_t)i % 20);
        uint8_t vector[20 * 4];
        fixture_vector(&random, (fixture_spread)(i / 4 % FIXTURE_SPREADS), type, spec.dim, vector);
        char *json = fixture_json(type, vector, spec.dim);
        char *expression = sqlite3_mprintf("%Q", json);
        reads_as(&spec, expression, type, vector);
        sqlite3_free(expression);
        sqlite3_free(json);
    }
}

/* ---- what is refused ---- */

static void other_numbers_of_elements_are_refused(void **state)
{
    (void)state;
    vs_vector_spec spec = spec_of(VSK_F32, 3);
    is_refused(&spec, "'[1,2]'", "expected 3 elements, found 2");
    is_refused(&spec, "'[1,2,3,4]'", "expected 3 elements, found 4");
    is_refused(&spec, "vec_f16('[1,2]')", "expected 3 elements, found 2");
    is_refused(&spec, "zeroblob(16)", "expected 3 elements, found 4");
    is_refused(&spec, "'[]'", "");
    is_refused(&spec, "x''", "");
    is_refused(&spec, "zeroblob(13)", "");
    is_refused(&spec, "'[1,2,'", "");
    is_refused(&spec, "'word'", "");
    is_refused(&spec, "7", "");
    is_refused(&spec, "1.5", "");
}

static void other_types_are_refused(void **state)
{
    (void)state;
    vs_vector_spec spec = spec_of(VSK_F32, 8);
    is_refused(&spec, "vec_int8('[1,2,3,4,5,6,7,8]')", "expected float32 elements, found int8");
    is_refused(&spec, "vec_bit(x'01')", "expected float32 elements, found bit");
    spec = spec_of(VSK_I8, 8);
    is_refused(&spec, "vec_f32('[1,2,3,4,5,6,7,8]')", "expected int8 elements, found float32");
    is_refused(&spec, "vec_bit(x'0102030405060708')", "expected int8 elements, found bit");
    spec = spec_of(VSK_BIT, 32);
    is_refused(&spec, "vec_f32('[1]')", "expected bit elements, found float32");
    is_refused(&spec, "vec_int8('[1,2,3,4]')", "expected bit elements, found int8");
}

static void what_is_not_finite_is_refused(void **state)
{
    (void)state;
    vs_vector_spec spec = spec_of(VSK_F32, 2);
    is_refused(&spec, "x'0000803f0000c07f'", "NaN");
    is_refused(&spec, "x'0000807f0000803f'", "infinite");
    is_refused(&spec, "x'000080ff0000803f'", "infinite");
    is_refused(&spec, "'[1e39, 0]'", "");
    spec = spec_of(VSK_F16, 2);
    is_refused(&spec, "x'007c003c'", "infinite");
    is_refused(&spec, "x'003c007e'", "NaN");
    is_refused(&spec, "'[70000, 0]'", "");
    is_refused(&spec, "vec_f32('[70000, 0]')", "");
    spec = spec_of(VSK_BF16, 1);
    is_refused(&spec, "x'807f'", "infinite");
    spec = spec_of(VSK_I8, 1);
    is_refused(&spec, "'[128]'", "");
    is_refused(&spec, "'[1.5]'", "");
}

/* A float32 column that stores float16 refuses what float16 cannot hold, in rows alone. */
static void numbers_beyond_the_stored_type_are_refused_in_rows(void **state)
{
    vs_err err = VS_ERR_INIT;
    void *data = NULL;
    vs_vector_spec spec = spec_of(VSK_F32, 1);
    const float large = 70000.0f;
    (void)state;
    spec.stored = VSK_F16;
    reads_as(&spec, "'[70000]'", VSK_F32, &large);
    assert_int_equal(read_value(&spec, "'[70000]'", VSK_F16, &data, &err), SQLITE_ERROR);
    assert_non_null(err.message);
    assert_memory_equal(err.message, place, strlen(place));
    vs_error_clear(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_of_a_float_vector_is_the_same),
        cmocka_unit_test(bytes_are_of_the_columns_type_or_float32),
        cmocka_unit_test(integers_and_bits_are_read),
        cmocka_unit_test(elements_round_by_way_of_the_declared_type),
        cmocka_unit_test(text_and_bytes_of_random_vectors_agree),
        cmocka_unit_test(other_numbers_of_elements_are_refused),
        cmocka_unit_test(other_types_are_refused),
        cmocka_unit_test(what_is_not_finite_is_refused),
        cmocka_unit_test(numbers_beyond_the_stored_type_are_refused_in_rows),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
