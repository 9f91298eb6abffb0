/*
 * test_distance.c - canonical distances: names, formulas, and what is no number.
 */
#include "../vs_test.h"

#include "../../ext/distance.h"

#include <math.h>

static int choose_kernels(void **state)
{
    (void)state;
    return vsk_init(NULL);
}

static double distance_of(vs_metric metric, const float *a, const float *b, size_t dim)
{
    double value = -1.0;
    assert_int_equal(vs_distance(metric, VSK_F32, a, b, dim, &value), VS_DIST_VALUE);
    return value;
}

static void metrics_have_names_both_ways(void **state)
{
    (void)state;
    for (int metric = 0; metric < VS_METRIC_COUNT; metric++) {
        assert_int_equal(vs_metric_by_name(vs_metric_name((vs_metric)metric)), metric);
    }
    assert_int_equal(vs_metric_by_name("L2"), -1);
    assert_int_equal(vs_metric_by_name(""), -1);
}

static void bit_vectors_have_metrics_of_their_own(void **state)
{
    (void)state;
    for (int metric = 0; metric < VS_METRIC_COUNT; metric++) {
        int is_bit = metric == VS_HAMMING || metric == VS_JACCARD;
        assert_int_equal(vs_metric_takes((vs_metric)metric, VSK_BIT), is_bit);
        assert_int_equal(vs_metric_takes((vs_metric)metric, VSK_F16), !is_bit);
    }
}

static void formulas_hold_on_small_vectors(void **state)
{
    static const float a[] = {1, 2, -2}, b[] = {4, 6, -2};
    static const unsigned char x[] = {0xff, 0x01}, y[] = {0x0f, 0x03};
    double value = 0.0;
    (void)state;
    assert_true(distance_of(VS_L2, a, b, 3) == 5.0);
    assert_true(distance_of(VS_L2SQ, a, b, 3) == 25.0);
    assert_true(distance_of(VS_L1, a, b, 3) == 7.0);
    assert_true(distance_of(VS_DOT, a, b, 3) == -20.0);
    assert_true(distance_of(VS_COSINE, a, b, 3) == 1.0 - 20.0 / sqrt(9.0 * 56.0));
    assert_int_equal(vs_distance(VS_HAMMING, VSK_BIT, x, y, 16, &value), VS_DIST_VALUE);
    assert_true(value == 5.0);
    assert_int_equal(vs_distance(VS_JACCARD, VSK_BIT, x, y, 16, &value), VS_DIST_VALUE);
    assert_true(value == 1.0 - 5.0 / 10.0);
}

static void equal_vectors_are_at_cosine_distance_zero_and_opposite_ones_at_two(void **state)
{
    uint64_t random = 99;
    float a[300], b[300];
    (void)state;
    for (size_t dim = 1; dim <= 300; dim++) {
        for (size_t i = 0; i < dim; i++) {
            a[i] = (float)(int64_t)vs_test_random(&random) / 1e19f;
            b[i] = -a[i];
        }
        assert_true(distance_of(VS_COSINE, a, a, dim) == 0.0);
        assert_true(distance_of(VS_COSINE, a, b, dim) == 2.0);
        assert_true(distance_of(VS_L2, a, a, dim) == 0.0);
    }
}

static void a_zero_vector_has_no_cosine_distance(void **state)
{
    static const float zero[] = {0, -0.0f}, one[] = {1, 0};
    double value = 7.0;
    (void)state;
    assert_int_equal(vs_distance(VS_COSINE, VSK_F32, zero, one, 2, &value), VS_DIST_NULL);
    assert_int_equal(vs_distance(VS_COSINE, VSK_F32, one, zero, 2, &value), VS_DIST_NULL);
    assert_int_equal(vs_distance(VS_COSINE, VSK_F32, zero, zero, 2, &value), VS_DIST_NULL);
    assert_true(value == 7.0);
}

static void extremes_of_float32_neither_overflow_nor_vanish(void **state)
{
    float big[64], tiny[64];
    (void)state;
    for (int i = 0; i < 64; i++) {
        big[i] = FLT_MAX;
        tiny[i] = 1.4e-45f;
    }
    assert_true(distance_of(VS_COSINE, big, tiny, 64) == 0.0);
    assert_true(distance_of(VS_COSINE, tiny, tiny, 64) == 0.0);
    assert_true(distance_of(VS_L2SQ, big, tiny, 64) == 64.0 * FLT_MAX * (double)FLT_MAX);
}

static void nan_and_infinity_are_reported_under_every_metric(void **state)
{
    static const vs_metric metrics[] = {VS_L2, VS_L2SQ, VS_L1, VS_COSINE, VS_DOT};
    const float bad[][2] = {{NAN, 1}, {INFINITY, 1}, {1, -INFINITY}}, good[] = {2, 3};
    double value = 7.0;
    (void)state;
    for (size_t m = 0; m < VS_TEST_COUNT(metrics); m++) {
        for (size_t i = 0; i < VS_TEST_COUNT(bad); i++) {
            assert_int_equal(vs_distance(metrics[m], VSK_F32, bad[i], good, 2, &value),
                             VS_DIST_NONFINITE);
            assert_int_equal(vs_distance(metrics[m], VSK_F32, good, bad[i], 2, &value),
                             VS_DIST_NONFINITE);
            assert_int_equal(vs_distance(metrics[m], VSK_F32, bad[i], bad[i], 2, &value),
                             VS_DIST_NONFINITE);
        }
    }
    assert_true(value == 7.0);
}

static void no_distance_is_minus_zero(void **state)
{
    static const float a[] = {1, 0}, b[] = {0, 1};
    (void)state;
    assert_false(signbit(distance_of(VS_DOT, a, b, 2)));
    assert_false(signbit(distance_of(VS_COSINE, a, a, 2)));
}

/* What the formulas were before sums could be given: written out once more. */
static vs_dist_kind expected_of_sums(vs_metric metric, const double sums[4], double *out)
{
    double product = sums[2] * sums[3], value = sums[0];
    if (metric == VS_L2) {
        value = sqrt(sums[0]);
    } else if (metric == VS_DOT) {
        value = 0.0 - sums[1];
    } else if (metric == VS_COSINE) {
        if (!isfinite(sums[1]) || !isfinite(product)) {
            return VS_DIST_NONFINITE;
        }
        if (product == 0.0) {
            return VS_DIST_NULL;
        }
        value = sums[1] / sqrt(product);
        value = 1.0 - (value > 1.0 ? 1.0 : value < -1.0 ? -1.0 : value);
    }
    *out = value;
    return isfinite(value) ? VS_DIST_VALUE : VS_DIST_NONFINITE;
}

static void check_sums(vs_metric metric, vsk_type type, const void *a, const void *b, size_t dim)
{
    const vsk_table *k = vsk_get();
    double of_vectors = 7.0, of_sums = 7.0, expected = 7.0, triple[3];
    k->triple[type](a, b, dim, triple);
    const double sums[4] = {k->l2sq[type](a, b, dim), triple[0], triple[1], triple[2]};
    int is_l2 = metric == VS_L2 || metric == VS_L2SQ;
    vs_dist_kind kind = vs_distance(metric, type, a, b, dim, &of_vectors);
    assert_int_equal(vs_distance_of_sums(metric, sums[is_l2 ? 0 : 1], sums[2], sums[3], &of_sums),
                     kind);
    assert_int_equal(expected_of_sums(metric, sums, &expected), kind);
    if (kind == VS_DIST_VALUE) {
        assert_memory_equal(&of_vectors, &expected, sizeof expected);
        assert_memory_equal(&of_sums, &expected, sizeof expected);
    } else {
        assert_true(of_vectors == 7.0 && of_sums == 7.0);
    }
}

static void a_distance_of_sums_has_the_bits_of_one_of_vectors(void **state)
{
    static const vs_metric metrics[] = {VS_L2, VS_L2SQ, VS_DOT, VS_COSINE};
    static const vsk_type types[] = {VSK_F32, VSK_F16, VSK_BF16, VSK_I8};
    uint64_t random = 5, a[64], b[64];
    (void)state;
    for (int round = 0; round < 2000; round++) {
        for (size_t i = 0; i < VS_TEST_COUNT(a); i++) { /* any bits: also infinities and NaN */
            a[i] = vs_test_random(&random) & (round % 3 == 0 ? ~0ull : 0xbfffbfffbfffbfffull);
            b[i] = round % 7 == 0 ? 0 : round % 5 == 0 ? a[i] : vs_test_random(&random);
        }
        for (size_t m = 0; m < VS_TEST_COUNT(metrics); m++) {
            for (size_t t = 0; t < VS_TEST_COUNT(types); t++) {
                check_sums(metrics[m], types[t], a, b, 1 + (size_t)round % 100);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_have_names_both_ways),
        cmocka_unit_test(bit_vectors_have_metrics_of_their_own),
        cmocka_unit_test(formulas_hold_on_small_vectors),
        cmocka_unit_test(equal_vectors_are_at_cosine_distance_zero_and_opposite_ones_at_two),
        cmocka_unit_test(a_zero_vector_has_no_cosine_distance),
        cmocka_unit_test(extremes_of_float32_neither_overflow_nor_vanish),
        cmocka_unit_test(nan_and_infinity_are_reported_under_every_metric),
        cmocka_unit_test(no_distance_is_minus_zero),
        cmocka_unit_test(a_distance_of_sums_has_the_bits_of_one_of_vectors),
    };
    return cmocka_run_group_tests(tests, choose_kernels, NULL);
}
