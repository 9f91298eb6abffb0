/*
 * test_convert.c - conversions of every level against the oracle and, NaN included, against the
 * scalar level; the search for NaN and infinity at every position.
 */
#include "kernel_test.h"

enum { CONVERT_CHUNK = 131, CONVERT_HALVES = 65536 };

static void convert_run(const vsk_kernel_row *row, const void *src, void *dst, size_t n)
{
    ((vsk_convert_fn)row->fn)(src, dst, n);
}

/* In chunks whose sizes leave every rest behind. */
static void convert_run_in_chunks(const vsk_kernel_row *row, const unsigned char *src,
                                  size_t src_bytes, unsigned char *dst, size_t dst_bytes, size_t n)
{
    for (size_t i = 0, chunk = 1; i < n; i += chunk, chunk = chunk % CONVERT_CHUNK + 1) {
        chunk = chunk < n - i ? chunk : n - i;
        convert_run(row, src + i * src_bytes, dst + i * dst_bytes, chunk);
    }
}

static void every_narrow_value_becomes_the_float32_of_its_meaning(void **state)
{
    (void)state;
    static unsigned char from[2 * CONVERT_HALVES];
    static float found[CONVERT_HALVES];
    static float scalar[CONVERT_HALVES];
    const vsk_kernel_row *row;

    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        if (!test_is(row, "to_float32")) {
            continue;
        }
        size_t bytes = test_bytes(row->type, 1);
        size_t n = bytes == 1 ? 256 : CONVERT_HALVES;
        for (size_t i = 0; i < n; i++) {
            uint16_t value = (uint16_t)i;
            memcpy(from + i * bytes, &value, bytes);
        }
        convert_run_in_chunks(row, from, bytes, (unsigned char *)found, 4, n);
        convert_run_in_chunks(test_scalar_kernel(row), from, bytes, (unsigned char *)scalar, 4, n);
        for (size_t i = 0; i < n; i++) {
            double exact = oracle_element(row->type, from, i);
            int is_right = isnan(exact) ? isnan(found[i]) : (double)found[i] == exact;
            if (!is_right || !signbit(exact) != !signbit(found[i]) ||
                memcmp(&found[i], &scalar[i], sizeof found[i]) != 0) {
                TEST_FAIL_AT(row, "value %#zx: expected %a, found %a, scalar %a", i, exact,
                             found[i], scalar[i]);
            }
        }
    }
}

/*
 * float32 values at, just below and just above every narrow value and every midpoint, then random
 * bits.
 */
static size_t convert_hard_values(vsk_type type, float *out)
{
    size_t n = 0;
    uint64_t random = TEST_SEED;

    for (size_t i = 0; i < CONVERT_HALVES; i++) {
        uint16_t half = (uint16_t)i;
        float value = (float)oracle_element(type, &half, 0);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        uint32_t midpoint = type == VSK_F16 ? 1u << 12 : 1u << 15;
        uint32_t near[6] = {
            bits, bits - 1, bits + 1, bits + midpoint, bits + midpoint - 1, bits + midpoint + 1};
        memcpy(out + n, near, sizeof near);
        n += 6;
    }
    for (size_t i = 0; i < CONVERT_HALVES;
         i++) { /* midpoints of denormal float16, and the ends of the range */
        static const float ends[] = {65504.0f, 65519.99f, 65520.0f, 65536.0f,
                                     3.4e38f,  INFINITY,  0x1p-24f};
        float value = i < 2100 ? ldexpf((float)i, -25) : i < 2107 ? ends[i - 2100] : 0.0f;
        if (i >= 2107) {
            uint32_t bits = (uint32_t)test_random(&random);
            memcpy(&value, &bits, sizeof value);
        }
        out[n++] = i % 2 ? value : -value;
    }
    return n;
}

static void float32_rounds_to_the_nearest_narrow_value_ties_to_even(void **state)
{
    (void)state;
    static float values[7 * CONVERT_HALVES];
    static uint16_t found[7 * CONVERT_HALVES];
    static uint16_t scalar[7 * CONVERT_HALVES];
    const vsk_kernel_row *row;

    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        if (!test_is(row, "from_float32")) {
            continue;
        }
        size_t n = convert_hard_values(row->type, values);
        convert_run_in_chunks(row, (const unsigned char *)values, 4, (unsigned char *)found, 2, n);
        convert_run_in_chunks(test_scalar_kernel(row), (const unsigned char *)values, 4,
                              (unsigned char *)scalar, 2, n);
        for (size_t i = 0; i < n; i++) {
            int is_right = isnan(values[i]) ? isnan(oracle_element(row->type, &found[i], 0))
                                            : found[i] == oracle_nearest_half(row->type, values[i]);
            if (!is_right || found[i] != scalar[i]) {
                TEST_FAIL_AT(row, "%a: found %#x, scalar %#x", (double)values[i], found[i],
                             scalar[i]);
            }
        }
    }
}

static void conversion_touches_nothing_outside_its_arrays(void **state)
{
    (void)state;
    test_guarded from = test_guarded_new(4 * CONVERT_CHUNK + 8);
    test_guarded to = test_guarded_new(4 * CONVERT_CHUNK + 8);
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;

    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        int is_narrowing = test_is(row, "from_float32");
        size_t from_bytes = is_narrowing ? 4 : test_bytes(row->type, 1);
        size_t to_bytes = is_narrowing ? test_bytes(row->type, 1) : 4;
        if (!is_narrowing && !test_is(row, "to_float32")) {
            continue;
        }
        for (size_t n = 0; n <= CONVERT_CHUNK; n++) {
            for (int place = 0; place < TEST_PLACE_COUNT; place++) {
                unsigned char *src = test_place(&from, n * from_bytes, place);
                unsigned char *dst = test_place(&to, n * to_bytes, place);
                unsigned char expected[4 * CONVERT_CHUNK];
                test_fill(is_narrowing ? VSK_F32 : row->type, src, n, TEST_ORDINARY, &random);
                convert_run(row, src, dst, n);
                convert_run(test_scalar_kernel(row), src, expected, n);
                assert_memory_equal(dst, expected, n * to_bytes);
            }
        }
    }
    test_guarded_free(&from);
    test_guarded_free(&to);
}

/* Norms over the whole range of float32: quotients that are denormal and that overflow, too. */
static float convert_norm(uint64_t *random)
{
    float norm = 0.0f;
    uint32_t bits = test_float_bits(VSK_F32, 0, 1 + (uint32_t)(test_random(random) % 254),
                                    (uint32_t)test_random(random));
    memcpy(&norm, &bits, sizeof norm);
    return norm;
}

static void half_widen_divides_every_value_as_ieee_says(void **state)
{
    (void)state;
    static uint16_t from[CONVERT_HALVES];
    static float found[CONVERT_HALVES];
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;

    for (size_t i = 0; i < CONVERT_HALVES; i++) {
        from[i] = (uint16_t)i;
    }
    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        for (int turn = 0; test_is(row, "half_widen") && turn < 60; turn++) {
            float norm = turn == 0 ? 1.0f : convert_norm(&random);
            ((vsk_half_widen_fn)row->fn)(from, norm, found, CONVERT_HALVES);
            for (size_t i = 0; i < CONVERT_HALVES; i++) {
                volatile float wide = (float)oracle_element(row->type, from, i);
                float exact = wide / norm;
                int is_right =
                    isnan(exact) ? isnan(found[i]) : memcmp(&exact, &found[i], sizeof exact) == 0;
                if (!is_right) {
                    TEST_FAIL_AT(row, "value %#zx over %a: expected %a, found %a", i, (double)norm,
                                 (double)exact, (double)found[i]);
                }
            }
        }
    }
}

static void half_widen_is_the_scalar_one_at_every_length_and_place(void **state)
{
    (void)state;
    test_guarded from = test_guarded_new(2 * CONVERT_CHUNK + 8);
    test_guarded to = test_guarded_new(4 * CONVERT_CHUNK + 8);
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;

    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        for (size_t n = 0; test_is(row, "half_widen") && n <= CONVERT_CHUNK; n++) {
            for (int place = 0; place < TEST_PLACE_COUNT; place++) {
                unsigned char *src = test_place(&from, 2 * n, place);
                unsigned char *dst = test_place(&to, 4 * n, place);
                unsigned char expected[4 * CONVERT_CHUNK];
                float norm = convert_norm(&random);
                test_fill(row->type, src, n, TEST_ANY, &random);
                ((vsk_half_widen_fn)row->fn)(src, norm, dst, n);
                ((vsk_half_widen_fn)test_scalar_kernel(row)->fn)(src, norm, expected, n);
                assert_memory_equal(dst, expected, 4 * n);
            }
        }
    }
    test_guarded_free(&from);
    test_guarded_free(&to);
}

static void find_nonfinite_names_the_first_of_them_at_every_position(void **state)
{
    (void)state;
    static const uint32_t f32_bits[] = {0x7f800000u, 0xff800000u, 0x7f800001u, 0xffffffffu};
    static const uint16_t half_bits[2][4] = {{0x7c00u, 0xfc00u, 0x7c01u, 0xffffu},
                                             {0x7f80u, 0xff80u, 0x7f81u, 0xffffu}};
    test_guarded memory = test_guarded_new(4 * CONVERT_CHUNK + 8);
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;

    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        size_t bytes = test_bytes(row->type, 1);
        for (size_t n = 0; test_is(row, "find_nonfinite") && n <= CONVERT_CHUNK; n++) {
            for (size_t at = 0; at <= n; at++) { /* at n: none */
                unsigned char *src = test_place(&memory, n * bytes, (int)(at % TEST_PLACE_COUNT));
                test_fill(row->type, src, n, at % 2 ? TEST_EXTREME : TEST_ANY, &random);
                for (size_t bad = at; bad < n; bad += 1 + bad % 3) {
                    const void *value =
                        row->type == VSK_F32
                            ? (const void *)&f32_bits[bad % 4]
                            : (const void *)&half_bits[row->type == VSK_BF16][bad % 4];
                    memcpy(src + bad * bytes, value, bytes);
                }
                size_t found = ((vsk_scan_fn)row->fn)(src, n);
                if (found != at) {
                    TEST_FAIL_AT(row, "n %zu: expected %zu, found %zu", n, at, found);
                }
            }
        }
    }
    test_guarded_free(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_narrow_value_becomes_the_float32_of_its_meaning),
        cmocka_unit_test(float32_rounds_to_the_nearest_narrow_value_ties_to_even),
        cmocka_unit_test(conversion_touches_nothing_outside_its_arrays),
        cmocka_unit_test(half_widen_divides_every_value_as_ieee_says),
        cmocka_unit_test(half_widen_is_the_scalar_one_at_every_length_and_place),
        cmocka_unit_test(find_nonfinite_names_the_first_of_them_at_every_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
