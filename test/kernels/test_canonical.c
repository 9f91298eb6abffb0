/*
 * test_canonical.c - the canonical kernels of every level: same bits as the scalar ones, close to
 * the oracle, no byte outside.
 */
#include "kernel_test.h"

static const size_t canonical_big_dims[] = {257, 384, 768, 1001, 1536, 4096, VSK_DIM_MAX};
enum {
    CANONICAL_SMALL_DIMS = 130,
    CANONICAL_DIMS = CANONICAL_SMALL_DIMS + sizeof canonical_big_dims / sizeof canonical_big_dims[0]
};

/* 1..130 and some large ones; bits come in bytes. */
static size_t canonical_dim(size_t index, vsk_type type)
{
    size_t dim =
        index < CANONICAL_SMALL_DIMS ? index + 1 : canonical_big_dims[index - CANONICAL_SMALL_DIMS];
    return type != VSK_BIT ? dim : index < CANONICAL_SMALL_DIMS ? 8 * dim : dim / 8 * 8;
}

static int canonical_is(const vsk_kernel_row *row)
{
    static const char *const names[] = {"dot",    "l2sq",    "l1",     "sumsq",
                                        "triple", "hamming", "jaccard"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (test_is(row, names[i])) {
            return 1;
        }
    }
    return 0;
}

/* Runs any canonical kernel; one with a single result repeats it. */
static void canonical_run(const vsk_kernel_row *row, const void *a, const void *b, size_t dim,
                          double out[3])
{
    if (test_is(row, "triple")) {
        ((vsk_triple_fn)row->fn)(a, b, dim, out);
        return;
    }
    out[0] =
        test_is(row, "sumsq") ? ((vsk_one_fn)row->fn)(a, dim) : ((vsk_pair_fn)row->fn)(a, b, dim);
    out[1] = out[2] = out[0];
}

static oracle_sum canonical_oracle(const vsk_kernel_row *row, const void *a, const void *b,
                                   size_t dim, int result)
{
    const void *first = test_is(row, "triple") && result == 2 ? b : a;
    const void *second = test_is(row, "sumsq") || (test_is(row, "triple") && result == 1) ? a : b;
    oracle_op op = test_is(row, "l2sq") ? ORACLE_L2SQ : test_is(row, "l1") ? ORACLE_L1 : ORACLE_DOT;

    if (test_is(row, "hamming")) {
        return (oracle_sum){(long double)oracle_hamming(a, b, dim), 0};
    }
    if (test_is(row, "jaccard")) {
        return (oracle_sum){oracle_jaccard(a, b, dim), 0};
    }
    oracle_sum sum = oracle_distance(op, row->type, first, row->type, second, dim);
    if (row->type == VSK_I8) {
        sum.magnitude = 0; /* exact */
    }
    return sum;
}

typedef void (*canonical_check_fn)(const vsk_kernel_row *row, const void *a, const void *b,
                                   size_t dim);

/*
 * Calls `check` for every dim, kind of data and, for ordinary data, place, with a and b of the
 * kernel's type.
 */
static void canonical_for_all(const vsk_kernel_row *row, canonical_check_fn check)
{
    test_guarded a_memory = test_guarded_new(4 * VSK_DIM_MAX);
    test_guarded b_memory = test_guarded_new(4 * VSK_DIM_MAX);
    uint64_t state = TEST_SEED;

    for (size_t i = 0; i < CANONICAL_DIMS; i++) {
        size_t dim = canonical_dim(i, row->type);
        size_t bytes = test_bytes(row->type, dim);
        for (int data = 0; data < TEST_DATA_COUNT; data++) {
            int place_count = data == TEST_ORDINARY && dim < VSK_DIM_MAX ? TEST_PLACE_COUNT : 1;
            for (int place = 0; place < place_count; place++) {
                unsigned char *a = test_place(&a_memory, bytes, place);
                unsigned char *b = test_place(&b_memory, bytes, (place + (int)i) % place_count);
                test_fill(row->type, a, dim, (test_data)data, &state);
                test_fill(row->type, b, dim, (test_data)data, &state);
                check(row, a, b, dim);
            }
        }
    }
    test_guarded_free(&a_memory);
    test_guarded_free(&b_memory);
}

static void canonical_check_bits(const vsk_kernel_row *row, const void *a, const void *b,
                                 size_t dim)
{
    double expected[3];
    double found[3];

    canonical_run(test_scalar_kernel(row), a, b, dim, expected);
    canonical_run(row, a, b, dim, found);
    if (memcmp(expected, found, sizeof found) != 0) {
        TEST_FAIL_AT(row, "dim %zu: expected %a %a %a, found %a %a %a", dim, expected[0],
                     expected[1], expected[2], found[0], found[1], found[2]);
    }
}

static void every_level_gives_the_bits_of_the_scalar_level(void **state)
{
    (void)state;
    const vsk_kernel_row *row;
    for (size_t i = 0; (row = test_kernel(&i)) != NULL;) {
        if (canonical_is(row) && row->needs != 0) {
            canonical_for_all(row, canonical_check_bits);
        }
    }
}

static void canonical_check_oracle(const vsk_kernel_row *row, const void *a, const void *b,
                                   size_t dim)
{
    double found[3];

    canonical_run(row, a, b, dim, found);
    for (int result = 0; result < (test_is(row, "triple") ? 3 : 1); result++) {
        oracle_sum exact = canonical_oracle(row, a, b, dim, result);
        long double allowed = ldexpl((long double)(dim + 8), -53) * exact.magnitude;
        if (!(fabsl(found[result] - exact.value) <= allowed)) {
            TEST_FAIL_AT(row, "dim %zu, result %d: expected %La, found %a", dim, result,
                         exact.value, found[result]);
        }
    }
}

static void the_scalar_level_is_close_to_the_oracle(void **state)
{
    (void)state;
    const vsk_kernel_row *row;
    for (size_t i = 0; (row = test_kernel(&i)) != NULL;) {
        if (canonical_is(row) && row->needs == 0) {
            canonical_for_all(row, canonical_check_oracle);
        }
    }
}

static void one_nan_or_infinity_anywhere_gives_a_non_finite_result(void **state)
{
    (void)state;
    static const uint32_t f32_bits[] = {0x7fc00000u, 0x7f800000u, 0xff800000u};
    static const uint16_t f16_bits[] = {0x7e00u, 0x7c00u, 0xfc00u};
    static const uint16_t bf16_bits[] = {0x7fc0u, 0x7f80u, 0xff80u};
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;

    for (size_t i = 0; (row = test_kernel(&i)) != NULL;) {
        if (!canonical_is(row) || row->type == VSK_I8 || row->type == VSK_BIT) {
            continue;
        }
        for (size_t dim = 1; dim < 70; dim++) {
            for (size_t at = 0; at < dim; at++) {
                unsigned char a[4 * 70];
                unsigned char b[4 * 70];
                double found[3];
                size_t kind = (at + dim) % 3;
                test_fill(row->type, a, dim, at % 2 ? TEST_ORDINARY : TEST_ZERO, &random);
                test_fill(row->type, b, dim, at % 2 ? TEST_ORDINARY : TEST_ZERO, &random);
                if (row->type == VSK_F32) {
                    memcpy(a + 4 * at, &f32_bits[kind], 4);
                } else {
                    memcpy(a + 2 * at, row->type == VSK_F16 ? &f16_bits[kind] : &bf16_bits[kind],
                           2);
                }
                canonical_run(row, a, b, dim, found);
                if (isfinite(found[0]) || isfinite(found[1])) {
                    TEST_FAIL_AT(row, "dim %zu, element %zu: found %a %a", dim, at, found[0],
                                 found[1]);
                }
            }
        }
    }
}

static void triple_repeats_the_single_kernels(void **state)
{
    (void)state;
    vsk_table table;
    uint64_t random = TEST_SEED;

    for (int level = 0; level < VSK_LEVEL_COUNT; level++) {
        if (vsk_table_for_level((vsk_level)level, &table) != 0) {
            continue;
        }
        for (int type = VSK_F32; type <= VSK_I8; type++) {
            for (size_t dim = 1; dim <= 300; dim++) {
                unsigned char a[4 * 300];
                unsigned char b[4 * 300];
                double found[3];
                test_fill((vsk_type)type, a, dim, TEST_ORDINARY, &random);
                test_fill((vsk_type)type, b, dim, TEST_ORDINARY, &random);
                double expected[3] = {table.dot[type](a, b, dim), table.sumsq[type](a, dim),
                                      table.sumsq[type](b, dim)};
                table.triple[type](a, b, dim, found);
                assert_memory_equal(found, expected, sizeof found);
            }
        }
    }
}

static void empty_vectors_have_distance_zero(void **state)
{
    (void)state;
    const vsk_kernel_row *row;
    for (size_t i = 0; (row = test_kernel(&i)) != NULL;) {
        if (canonical_is(row)) {
            double found[3];
            double zero[3] = {0, 0, 0};
            canonical_run(row, "", "", 0, found);
            assert_memory_equal(found, zero, sizeof found);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scalar_level_is_close_to_the_oracle),
        cmocka_unit_test(every_level_gives_the_bits_of_the_scalar_level),
        cmocka_unit_test(one_nan_or_infinity_anywhere_gives_a_non_finite_result),
        cmocka_unit_test(triple_repeats_the_single_kernels),
        cmocka_unit_test(empty_vectors_have_distance_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
