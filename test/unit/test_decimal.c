/*
 * test_decimal.c - decimal text to float32 and back, against strtof and snprintf in the C locale.
 */
#include "../vs_test.h"

#include "../../ext/decimal.h"

#include <math.h>
#include <stdio.h>

enum { TEXT_MAX = 512 };

static float float_of(uint32_t bits)
{
    float value = 0.0f;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The parser and strtof agree on a text that is one JSON number. */
static void check_against_strtof(const char *text)
{
    const char *end = NULL;
    float value = 0.0f, expected = strtof(text, NULL);
    vs_decimal_status status = vs_decimal_parse(text, text + strlen(text), &end, &value);
    if (isinf(expected)) {
        if (status != VS_DECIMAL_RANGE || end != text) {
            fail_msg("%s: status %d, not out of range", text, (int)status);
        }
        return;
    }
    if (status != VS_DECIMAL_OK || bits_of(value) != bits_of(expected) || *end != '\0') {
        fail_msg("%s: status %d, %a, not %a", text, (int)status, (double)value, (double)expected);
    }
}

static void reads_random_texts_as_strtof_does(void **state)
{
    uint64_t random = 0x9e3779b97f4a7c15u;
    char text[TEXT_MAX];
    (void)state;
    for (int i = 0; i < 600000; i++) {
        uint64_t r = vs_test_random(&random), bits = vs_test_random(&random);
        double wide = 0.0;
        float narrow = float_of((uint32_t)bits);
        memcpy(&wide, &bits, sizeof wide);
        switch (i % 6) {
        case 0: /* as Python prints an embedding */
            snprintf(text, sizeof text, "%.17g", (double)(int64_t)bits / 9.3e18);
            break;
        case 1:
            snprintf(text, sizeof text, "%.*g", (int)(r % 20) + 1, isfinite(wide) ? wide : 1.0);
            break;
        case 2:
            snprintf(text, sizeof text, "%.*g", (int)(r % 12) + 1,
                     isfinite(narrow) ? (double)narrow : 1.0);
            break;
        case 3: /* more digits than 64 bits hold */
            snprintf(text, sizeof text, "%llu.%llue%d", (unsigned long long)bits,
                     (unsigned long long)r, (int)(r % 160) - 80);
            break;
        case 4:
            snprintf(text, sizeof text, "%llue%d", (unsigned long long)(bits >> (r % 64)),
                     (int)(r % 100) - 65);
            break;
        default:
            snprintf(text, sizeof text, "-%.*f", (int)(r % 60), (double)(bits >> (r % 64)) / 1e9);
            break;
        }
        check_against_strtof(text);
    }
}

/* Midpoint of the float32 and the next larger one, exact in double. */
static double midpoint_above(uint32_t bits)
{
    return bits == 0x7f7fffffu ? 0x1.ffffffp127
                               : ((double)float_of(bits) + (double)float_of(bits + 1)) / 2;
}

static void reads_midpoints_and_their_neighbours_as_strtof_does(void **state)
{
    uint64_t random = 0x2545f4914f6cdd1du;
    char text[TEXT_MAX];
    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t r = vs_test_random(&random);
        uint32_t bits = (uint32_t)vs_test_random(&random) & 0x7fffffffu;
        bits = i % 50 == 0 ? 0x7f7fffffu - (uint32_t)(r % 4) : i % 5 == 0 ? bits & 0x3fffffu : bits;
        bits = bits >= 0x7f800000u ? bits & 0x7fffffu : bits;
        double middle = midpoint_above(bits);
        snprintf(text, sizeof text, "%.160f", middle);
        check_against_strtof(text); /* the tie itself: all its digits are there */
        strcat(text, "0000000000000000000000000000000000000001");
        check_against_strtof(text); /* above it, in the 200th digit after the point */
        snprintf(text, sizeof text, "%.*e", (int)(r % 140) + 1, middle);
        check_against_strtof(text); /* cut or rounded somewhere */
        snprintf(text, sizeof text, "%.160f", middle);
        char *last = text + strlen(text) - 1;
        while (*last == '0' || *last == '.') {
            last--;
        }
        *last = (char)(*last - 1);
        strcpy(last + 1, strchr(text, '.') < last ? "99999" : "");
        check_against_strtof(text); /* just below it */
    }
}

static void reads_the_edges_of_the_range(void **state)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "0.0",
        "-0e99",
        "0e999999999999999999999",
        "1e-999999999999999999999",
        "3.4028234663852886e38",
        "3.4028235677973365e38",
        "3.40282356779733661637539395458142568447e38",
        "3.4028235677973366e38",
        "1e39",
        "-1e39",
        "1e999",
        "1e99999999999999999999",
        "1.401298464324817e-45",
        "7.006492321624085e-46",
        "7.0064923216240853546186479164495e-46",
        "7.0064923216240854e-46",
        "7.00649232162408535461864791644958e-46",
        "1e-45",
        "1e-46",
        "1.17549435e-38",
        "1.17549429e-38",
        "1.1754942807573643e-38",
        "0.000000000000000000000000000000000000000000000000000000000000000000000000000001e77",
        "100000000000000000000000000000000000000000000000000000000000000000000000000000000e-80",
        "16777217",
        "16777219",
        "33554435",
        "9007199791611905",
        "9999999999999999999",
        "99999999999999999999",
        "18446744073709551616",
        "1E5",
        "1e+5",
        "5e-324"};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(texts); i++) {
        check_against_strtof(texts[i]);
    }
}

static void reads_a_number_with_a_million_digits(void **state)
{
    size_t n = 1000000;
    char *text = malloc(n + 16);
    const char *end = NULL;
    float value = 0.0f;
    (void)state;
    memset(text, '0', n);
    memcpy(text, "0.", 2);
    strcpy(text + n, "25e999998");
    assert_int_equal(vs_decimal_parse(text, text + strlen(text), &end, &value), VS_DECIMAL_OK);
    assert_true(value == 0.25f);
    memset(text, '7', n);
    strcpy(text + n, "e-1000000");
    assert_int_equal(vs_decimal_parse(text, text + strlen(text), &end, &value), VS_DECIMAL_OK);
    assert_true(value == 0.7777777777777777f);
    free(text);
}

static void refuses_what_is_no_json_number_and_says_where(void **state)
{
    static const struct {
        const char *text;
        int offset;
    } cases[] = {{"", 0},    {"-", 1},   {"+1", 0},   {".5", 0},  {"01", 0},        {"-01", 1},
                 {"00", 0},  {"1.", 2},  {"1.e5", 2}, {"1e", 1},  {"1e+", 1},       {"1e-", 1},
                 {"1ex", 1}, {"--1", 1}, {"NaN", 0},  {"inf", 0}, {"-Infinity", 1}, {"e5", 0},
                 {"x1", 0},  {"-.5", 1}, {"\xff", 0}};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        const char *end = NULL;
        float value = 0.0f;
        vs_decimal_status status =
            vs_decimal_parse(cases[i].text, cases[i].text + strlen(cases[i].text), &end, &value);
        if (status != VS_DECIMAL_SYNTAX || end != cases[i].text + cases[i].offset) {
            fail_msg("\"%s\": status %d at %d", cases[i].text, (int)status,
                     (int)(end - cases[i].text));
        }
    }
}

static void stops_after_the_number_and_reads_nothing_beyond_the_end(void **state)
{
    char exact[] = {'1', '2', '.', '5', '7'}; /* not terminated: a sanitizer sees a step too far */
    const char *end = NULL;
    float value = 0.0f;
    (void)state;
    assert_int_equal(vs_decimal_parse(exact, exact + 4, &end, &value), VS_DECIMAL_OK);
    assert_true(value == 12.5f && end == exact + 4);
    char *heap = malloc(12);
    memcpy(heap, "0.1234567890", 12);
    assert_int_equal(vs_decimal_parse(heap, heap + 12, &end, &value), VS_DECIMAL_OK);
    assert_true(value == 0.123456789f && end == heap + 12);
    free(heap);
}

/* The text that vs_decimal_print should give, by libc. */
static void print_by_libc(float value, char *out, size_t n)
{
    snprintf(out, n, "%.6f", (double)value);
    for (int places = 6; strtof(out, NULL) != value && places <= 9; places++) {
        snprintf(out, n, "%.*g", places, (double)value);
    }
}

static void writes_as_libc_does_except_for_ties_and_beyond_sixteen_digits(void **state)
{
    uint64_t random = 0x853c49e6748fea9bu;
    char text[VS_DECIMAL_BYTES_MAX], expected[TEXT_MAX];
    (void)state;
    for (int i = 0; i < 500000; i++) {
        uint64_t r = vs_test_random(&random);
        float value = float_of(i % 2 == 0 ? (uint32_t)r : 0x3a000000u + (uint32_t)(r & 0xbffffffu));
        if (!isfinite(value) || fabsf(value) >= 1e16f ||
            fabsf(value) * 128.0f == floorf(fabsf(value) * 128.0f)) {
            continue; /* 7 decimals and more are needed for a tie: multiples of 1/128 */
        }
        size_t n = vs_decimal_print(value, text);
        print_by_libc(value, expected, sizeof expected);
        if (n != strlen(expected) || memcmp(text, expected, n) != 0) {
            fail_msg("%a: %.*s, not %s", (double)value, (int)n, text, expected);
        }
    }
}

static void writes_known_texts(void **state)
{
    static const struct {
        float value;
        const char *text;
    } cases[] = {{0.0f, "0.000000"},
                 {-0.0f, "-0.000000"},
                 {1.0f, "1.000000"},
                 {0.1f, "0.100000"},
                 {-2.5f, "-2.500000"},
                 {123456.789f, "123456.789063"},
                 {16.0078125f, "16.007813"},
                 {16777216.0f, "16777216.000000"},
                 {1e-9f, "1e-09"},
                 {1.5e-5f, "0.000015"},
                 {1.25e-7f, "1.25e-07"},
                 {0.012345678f, "0.012345678"},
                 {1.4e-45f, "1.4013e-45"},
                 {1e30f, "1000000015047466000000000000000.000000"},
                 {FLT_MAX, "340282346638528900000000000000000000000.000000"}};
    char text[VS_DECIMAL_BYTES_MAX];
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        size_t n = vs_decimal_print(cases[i].value, text);
        if (n != strlen(cases[i].text) || memcmp(text, cases[i].text, n) != 0) {
            fail_msg("%a: %.*s, not %s", (double)cases[i].value, (int)n, text, cases[i].text);
        }
    }
}

static void every_sampled_float_survives_the_round_trip(void **state)
{
    char text[VS_DECIMAL_BYTES_MAX];
    (void)state;
    for (uint32_t bits = 0; bits < 0x7f800000u; bits += 997) {
        for (int is_negative = 0; is_negative < 2; is_negative++) {
            const char *end = NULL;
            float value = float_of(bits | (uint32_t)is_negative << 31), back = 1.0f;
            size_t n = vs_decimal_print(value, text);
            vs_decimal_status status = vs_decimal_parse(text, text + n, &end, &back);
            if (status != VS_DECIMAL_OK || end != text + n || bits_of(back) != bits_of(value)) {
                fail_msg("%a: %.*s", (double)value, (int)n, text);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_random_texts_as_strtof_does),
        cmocka_unit_test(reads_midpoints_and_their_neighbours_as_strtof_does),
        cmocka_unit_test(reads_the_edges_of_the_range),
        cmocka_unit_test(reads_a_number_with_a_million_digits),
        cmocka_unit_test(refuses_what_is_no_json_number_and_says_where),
        cmocka_unit_test(stops_after_the_number_and_reads_nothing_beyond_the_end),
        cmocka_unit_test(writes_as_libc_does_except_for_ties_and_beyond_sixteen_digits),
        cmocka_unit_test(writes_known_texts),
        cmocka_unit_test(every_sampled_float_survives_the_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
