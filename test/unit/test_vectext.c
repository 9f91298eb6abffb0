/*
 * test_vectext.c - JSON arrays and base64, read strictly.
 */
#include "../vs_test.h"

#include "../../ext/vectext.h"

enum { CAPACITY = 64 };

static int choose_kernels(void **state)
{
    (void)state;
    return vsk_init(NULL);
}

static void malformed_json_is_refused_at_the_byte_and_element(void **state)
{
    static const struct {
        const char *text, *reason;
        size_t offset, element;
    } cases[] = {
        {"", "expected '['", 0, 0},
        {" ", "expected '['", 1, 0},
        {"1", "expected '['", 0, 0},
        {"{}", "expected '['", 0, 0},
        {"\"[1]\"", "expected '['", 0, 0},
        {"null", "expected '['", 0, 0},
        {"]", "expected '['", 0, 0},
        {"(1)", "expected '['", 0, 0},
        {"\xef\xbb\xbf[1]", "expected '['", 0, 0},
        {"\v[1]", "expected '['", 0, 0},
        {"[", "expected a number", 1, 0},
        {"[ ", "expected a number", 2, 0},
        {"[]", "a vector has at least one element", 1, 0},
        {"[ ]", "a vector has at least one element", 2, 0},
        {"[,1]", "expected a number", 1, 0},
        {"[1,]", "expected a number", 3, 1},
        {"[1,,2]", "expected a number", 3, 1},
        {"[1, ]", "expected a number", 4, 1},
        {"[1", "expected ',' or ']'", 2, 1},
        {"[1,", "expected a number", 3, 1},
        {"[1,2", "expected ',' or ']'", 4, 2},
        {"[1 2]", "expected ',' or ']'", 3, 1},
        {"[1;2]", "expected ',' or ']'", 2, 1},
        {"[1]]", "unexpected text after ']'", 3, 1},
        {"[1][2]", "unexpected text after ']'", 3, 1},
        {"[1],", "unexpected text after ']'", 3, 1},
        {"[1] x", "unexpected text after ']'", 4, 1},
        {"[[1]]", "expected a number", 1, 0},
        {"[[1,2],[3,4]]", "expected a number", 1, 0},
        {"[1,[2]]", "expected a number", 3, 1},
        {"[\"1\"]", "expected a number", 1, 0},
        {"['1']", "expected a number", 1, 0},
        {"[true]", "expected a number", 1, 0},
        {"[null]", "expected a number", 1, 0},
        {"[1,null]", "expected a number", 3, 1},
        {"[{}]", "expected a number", 1, 0},
        {"[NaN]", "expected a number", 1, 0},
        {"[nan]", "expected a number", 1, 0},
        {"[Infinity]", "expected a number", 1, 0},
        {"[inf]", "expected a number", 1, 0},
        {"[-Infinity]", "expected a number", 2, 0},
        {"[+1]", "expected a number", 1, 0},
        {"[--1]", "expected a number", 2, 0},
        {"[- 1]", "expected a number", 2, 0},
        {"[.5]", "expected a number", 1, 0},
        {"[5.]", "expected a number", 3, 0},
        {"[01]", "expected a number", 1, 0},
        {"[-01]", "expected a number", 2, 0},
        {"[00]", "expected a number", 1, 0},
        {"[1e]", "expected a number", 2, 0},
        {"[1e+]", "expected a number", 2, 0},
        {"[0x10]", "expected ',' or ']'", 2, 1},
        {"[1_000]", "expected ',' or ']'", 2, 1},
        {"[1,000.5]", "expected a number", 3, 1},
        {"[1.2.3]", "expected ',' or ']'", 4, 1},
        {"[1f]", "expected ',' or ']'", 2, 1},
        {"[1/*x*/]", "expected ',' or ']'", 2, 1},
        {"[1,2]//x", "unexpected text after ']'", 5, 2},
        {"[1e39]", "number beyond float32", 1, 0},
        {"[0, -3.5e38]", "number beyond float32", 4, 1},
        {"[1\xc2\xa0]", "expected ',' or ']'", 2, 1},
    };
    unsigned char out[4 * CAPACITY];
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_vectext_fault fault;
        size_t n =
            vs_vectext_parse(cases[i].text, strlen(cases[i].text), VSK_F32, out, CAPACITY, &fault);
        if (n != 0 || fault.reason == NULL || strcmp(fault.reason, cases[i].reason) != 0 ||
            fault.offset != cases[i].offset || fault.element != cases[i].element) {
            fail_msg("%s: %s at %u, element %u", cases[i].text, fault.reason,
                     (unsigned)fault.offset, (unsigned)fault.element);
        }
    }
}

static void a_nul_byte_inside_the_text_is_refused(void **state)
{
    static const char inside[] = "[1\0,2]", after[] = "[1]\0";
    float out[CAPACITY];
    vs_vectext_fault fault;
    (void)state;
    assert_int_equal(vs_vectext_parse(inside, sizeof inside - 1, VSK_F32, out, CAPACITY, &fault),
                     0);
    assert_int_equal(fault.offset, 2);
    assert_int_equal(vs_vectext_parse(after, sizeof after - 1, VSK_F32, out, CAPACITY, &fault), 0);
    assert_string_equal(fault.reason, "unexpected text after ']'");
}

static void blanks_are_allowed_everywhere_around_numbers(void **state)
{
    static const char text[] = " \t\r\n[ 1\n,\t-2.5e0 \r, 3 ]\n ";
    float out[CAPACITY];
    vs_vectext_fault fault;
    (void)state;
    assert_int_equal(vs_vectext_parse(text, sizeof text - 1, VSK_F32, out, CAPACITY, &fault), 3);
    assert_null(fault.reason);
    assert_true(out[0] == 1.0f && out[1] == -2.5f && out[2] == 3.0f);
}

static void a_text_that_is_not_terminated_is_read_to_its_end_only(void **state)
{
    static const char text[] = "[0.5,12345678.125]";
    vs_vectext_fault fault;
    float out[CAPACITY];
    (void)state;
    for (size_t n = 0; n < sizeof text; n++) { /* every prefix in a block of its own size */
        char *copy = malloc(n > 0 ? n : 1);
        memcpy(copy, text, n);
        size_t dim = vs_vectext_parse(copy, n, VSK_F32, out, CAPACITY, &fault);
        assert_int_equal(dim, n == sizeof text - 1 ? 2 : 0);
        free(copy);
    }
}

static void halves_are_rounded_to_even_and_refused_beyond_their_range(void **state)
{
    static const char f16[] = "[1, 65504, 65519.996, 2049, 2051, 6e-8, -0]",
                      bf16[] = "[1, 3.3895e38, 257, 259]";
    static const uint16_t f16_bits[] = {0x3c00, 0x7bff, 0x7bff, 0x6800, 0x6802, 0x0001, 0x8000};
    static const uint16_t bf16_bits[] = {0x3f80, 0x7f7f, 0x4380, 0x4382};
    uint16_t out[CAPACITY];
    vs_vectext_fault fault;
    (void)state;
    assert_int_equal(vs_vectext_parse(f16, sizeof f16 - 1, VSK_F16, out, CAPACITY, &fault), 7);
    assert_memory_equal(out, f16_bits, sizeof f16_bits);
    assert_int_equal(vs_vectext_parse(bf16, sizeof bf16 - 1, VSK_BF16, out, CAPACITY, &fault), 4);
    assert_memory_equal(out, bf16_bits, sizeof bf16_bits);
    assert_int_equal(vs_vectext_parse("[0,65520]", 9, VSK_F16, out, CAPACITY, &fault), 0);
    assert_string_equal(fault.reason, "number beyond float16");
    assert_int_equal(fault.offset, 3);
    assert_int_equal(vs_vectext_parse("[3.4e38]", 8, VSK_BF16, out, CAPACITY, &fault), 0);
    assert_string_equal(fault.reason, "number beyond bfloat16");
}

static void int8_takes_whole_numbers_in_range_only(void **state)
{
    static const char good[] = "[-128,127,0,-0,5]";
    static const char *const bad[] = {
        "[128]", "[-129]", "[1.0]", "[1e1]", "[0.5]", "[99999999999999999999]", "[-1000]", "[1E0]"};
    static const char *const malformed[] = {"[-]", "[01]", "[x]", "[]x"};
    signed char out[CAPACITY];
    vs_vectext_fault fault;
    (void)state;
    assert_int_equal(vs_vectext_parse(good, sizeof good - 1, VSK_I8, out, CAPACITY, &fault), 5);
    assert_true(out[0] == -128 && out[1] == 127 && out[2] == 0 && out[3] == 0 && out[4] == 5);
    for (size_t i = 0; i < VS_TEST_COUNT(bad); i++) {
        assert_int_equal(vs_vectext_parse(bad[i], strlen(bad[i]), VSK_I8, out, CAPACITY, &fault),
                         0);
        assert_string_equal(fault.reason, "int8 takes whole numbers from -128 to 127");
    }
    for (size_t i = 0; i < VS_TEST_COUNT(malformed); i++) {
        assert_int_equal(
            vs_vectext_parse(malformed[i], strlen(malformed[i]), VSK_I8, out, CAPACITY, &fault), 0);
    }
}

static void bits_fill_bytes_from_the_lowest(void **state)
{
    static const char good[] = "[1,0,0,0,0,0,0,1, 0,1,0,0,0,0,0,0]";
    unsigned char out[CAPACITY];
    vs_vectext_fault fault;
    (void)state;
    assert_int_equal(vs_vectext_parse(good, sizeof good - 1, VSK_BIT, out, CAPACITY, &fault), 16);
    assert_int_equal(out[0], 0x81);
    assert_int_equal(out[1], 0x02);
    assert_int_equal(vs_vectext_parse("[0,2]", 5, VSK_BIT, out, CAPACITY, &fault), 0);
    assert_string_equal(fault.reason, "bit takes 0 and 1");
    assert_int_equal(vs_vectext_parse("[-1]", 4, VSK_BIT, out, CAPACITY, &fault), 0);
}

static void more_elements_than_fit_are_refused(void **state)
{
    float out[8];
    vs_vectext_fault fault;
    (void)state;
    assert_int_equal(vs_vectext_parse("[1,2,3,4,5,6,7,8]", 17, VSK_F32, out, 8, &fault), 8);
    assert_int_equal(vs_vectext_parse("[1,2,3,4,5,6,7,8,9]", 19, VSK_F32, out, 8, &fault), 0);
    assert_int_equal(fault.element, 8);
    assert_true(vs_vectext_elements_max(19) >= 9);
}

static void elements_are_written_as_their_type_needs(void **state)
{
    char out[VS_VECTEXT_ELEMENT_BYTES_MAX];
    const uint16_t half = 0x3555, bhalf = 0x3eab;
    const signed char small[] = {-128, 7};
    const unsigned char bits = 0x02;
    const float third = 0.333333343f;
    (void)state;
    assert_int_equal(vs_vectext_print(&third, VSK_F32, 0, out), 10);
    assert_memory_equal(out, "0.33333334", 10);
    assert_int_equal(vs_vectext_print(&half, VSK_F16, 0, out), 10);
    assert_memory_equal(out, "0.33325195", 10);
    assert_int_equal(vs_vectext_print(&bhalf, VSK_BF16, 0, out), 10);
    assert_memory_equal(out, "0.33398438", 10);
    assert_int_equal(vs_vectext_print(small, VSK_I8, 0, out), 4);
    assert_memory_equal(out, "-128", 4);
    assert_int_equal(vs_vectext_print(&bits, VSK_BIT, 1, out), 1);
    assert_int_equal(out[0], '1');
}

static void base64_is_decoded_strictly(void **state)
{
    static const struct {
        const char *text, *bytes;
    } good[] = {{"", ""},
                {"Zg==", "f"},
                {"Zm8=", "fo"},
                {"Zm9v", "foo"},
                {"Zm9vYg==", "foob"},
                {"Zm9vYmFy", "foobar"},
                {"+/+/", "\xfb\xff\xbf"}};
    static const struct {
        const char *text, *reason;
        size_t offset;
    } bad[] = {{"Z", "base64 comes in groups of four characters", 1},
               {"Zg", "base64 comes in groups of four characters", 2},
               {"Zg=", "base64 comes in groups of four characters", 3},
               {"Zh==", "unused bits are not zero", 1},
               {"Zm9=", "unused bits are not zero", 2},
               {"====", "expected a base64 digit", 0},
               {"Z===", "expected a base64 digit", 1},
               {"Zg==Zg==", "expected a base64 digit", 2},
               {"Zm 9v===", "expected a base64 digit", 2},
               {"Zm9-", "expected a base64 digit", 3},
               {"Zm9_", "expected a base64 digit", 3},
               {"Zm9\n", "expected a base64 digit", 3},
               {"=Zm9", "expected a base64 digit", 0}};
    unsigned char out[CAPACITY];
    vs_vectext_fault fault;
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(good); i++) {
        size_t n = vs_vectext_base64(good[i].text, strlen(good[i].text), out, &fault);
        assert_null(fault.reason);
        assert_int_equal(n, strlen(good[i].bytes));
        assert_memory_equal(out, good[i].bytes, n);
    }
    for (size_t i = 0; i < VS_TEST_COUNT(bad); i++) {
        assert_int_equal(vs_vectext_base64(bad[i].text, strlen(bad[i].text), out, &fault), 0);
        if (fault.reason == NULL || strcmp(fault.reason, bad[i].reason) != 0 ||
            fault.offset != bad[i].offset) {
            fail_msg("%s: %s at %u", bad[i].text, fault.reason, (unsigned)fault.offset);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_json_is_refused_at_the_byte_and_element),
        cmocka_unit_test(a_nul_byte_inside_the_text_is_refused),
        cmocka_unit_test(blanks_are_allowed_everywhere_around_numbers),
        cmocka_unit_test(a_text_that_is_not_terminated_is_read_to_its_end_only),
        cmocka_unit_test(halves_are_rounded_to_even_and_refused_beyond_their_range),
        cmocka_unit_test(int8_takes_whole_numbers_in_range_only),
        cmocka_unit_test(bits_fill_bytes_from_the_lowest),
        cmocka_unit_test(more_elements_than_fit_are_refused),
        cmocka_unit_test(elements_are_written_as_their_type_needs),
        cmocka_unit_test(base64_is_decoded_strictly),
    };
    return cmocka_run_group_tests(tests, choose_kernels, NULL);
}
