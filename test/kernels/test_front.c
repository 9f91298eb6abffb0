/*
 * test_front.c - the kernels of the front plane at every level: products are exact, and the bound
 * test decides as its formula does wherever that is clear of rounding.
 */
#include "kernel_test.h"

enum { FRONT_COUNT_MAX = 96, FRONT_QUERIES = 11, FRONT_CANARY = 12345 };

static int64_t front_oracle(const int16_t *w, const int8_t *rows, size_t row, size_t m)
{
    int64_t sum = 0;

    for (size_t j = 0; j < m; j++) {
        sum += (int64_t)w[j] * rows[vsk_front_at(row, j, m)];
    }
    return sum;
}

static void front_fill(int16_t *w, int8_t *rows, size_t count, size_t m, int is_extreme,
                       uint64_t *random)
{
    for (size_t j = 0; j < FRONT_QUERIES * m; j++) {
        uint64_t bits = test_random(random);
        w[j] =
            (int16_t)(is_extreme ? (bits % 8 == 0 ? -32767 : 32767) : (int)(bits % 65535) - 32767);
    }
    for (size_t i = 0; i < count * m; i++) {
        uint64_t bits = test_random(random);
        rows[i] = (int8_t)(is_extreme ? (bits % 8 == 0 ? -127 : 127) : (int)(bits % 255) - 127);
    }
}

/* Some queries against some rows, with a gap between the results. */
static void front_check_dots(const vsk_kernel_row *row, const int16_t *w, size_t q_count,
                             const int8_t *rows, size_t count, size_t m)
{
    int32_t found[FRONT_QUERIES * (FRONT_COUNT_MAX + 1)];

    for (size_t q = 0; q < q_count; q++) {
        found[q * (count + 1) + count] = FRONT_CANARY;
    }
    ((vsk_front_dot_fn)row->fn)(w, m, q_count, rows, count, m, found, count + 1);
    for (size_t i = 0; i < q_count * (count + 1); i++) {
        size_t q = i / (count + 1);
        size_t at = i % (count + 1);
        int64_t expected = at == count ? FRONT_CANARY : front_oracle(w + q * m, rows, at, m);
        if (found[i] != expected) {
            TEST_FAIL_AT(row, "m %zu, query %zu of %zu, row %zu of %zu: expected %lld, found %d", m,
                         q, q_count, at, count, (long long)expected, (int)found[i]);
        }
    }
}

static void products_are_exact(void **state)
{
    (void)state;
    test_guarded w_memory = test_guarded_new(FRONT_QUERIES * VSK_FRONT_MAX * sizeof(int16_t));
    test_guarded row_memory = test_guarded_new((size_t)FRONT_COUNT_MAX * VSK_FRONT_MAX);
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;

    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        for (size_t m = VSK_FRONT_STEP; test_is(row, "front_dot") && m <= VSK_FRONT_MAX;
             m += VSK_FRONT_STEP) {
            for (size_t count = 0; count <= FRONT_COUNT_MAX; count += VSK_FRONT_ROWS) {
                size_t w_bytes = FRONT_QUERIES * m * sizeof(int16_t);
                int16_t *w = (int16_t *)(void *)test_place(&w_memory, w_bytes, 0);
                int8_t *rows = (int8_t *)test_place(&row_memory, count * m, (int)(count % 3));
                front_fill(w, rows, count, m, count % 32 == 0, &random);
                for (size_t q_count = 0; q_count <= FRONT_QUERIES; q_count += 1 + q_count / 2) {
                    front_check_dots(row, w + (FRONT_QUERIES - q_count) * m, q_count, rows, count,
                                     m);
                }
            }
        }
    }
    test_guarded_free(&w_memory);
    test_guarded_free(&row_memory);
}

typedef struct front_block {
    int32_t *dots;
    float *t, *rest, *g;
} front_block;

/* The score of a row, and what float32 may change of it. */
static double front_score(const vsk_front_test *test, const front_block *block, size_t i,
                          double *out_doubt)
{
    const double terms[] = {(double)test->c[0],
                            (double)test->c[1] * (double)block->t[i],
                            (double)test->c[2] * (double)block->dots[i],
                            (double)test->c[3] * (double)block->rest[i],
                            (double)test->c[4] * (double)block->g[i],
                            (double)test->c[5] * (double)block->g[i] * (double)block->g[i]};
    double sum = 0.0, sizes = 0.0;

    for (int j = 0; j < 6; j++) {
        sum += terms[j];
        sizes += fabs(terms[j]);
    }
    *out_doubt = 6e-7 * sizes; /* at most 10 roundings of 2^-24 */
    return sum;
}

static void front_check_pass(const vsk_kernel_row *row, const vsk_front_test *test,
                             const front_block *block, size_t count, size_t counts[2])
{
    uint16_t found[FRONT_COUNT_MAX + 1];
    size_t next = 0;

    found[count] = FRONT_CANARY;
    size_t kept = ((vsk_front_pass_fn)row->fn)(test, block->dots, block->t, block->rest, block->g,
                                               count, found);
    assert_true(kept <= count && found[count] == FRONT_CANARY);
    for (size_t i = 0; i < count; i++) {
        double doubt;
        double score = front_score(test, block, i, &doubt);
        int is_kept = next < kept && found[next] == i;
        next += (size_t)is_kept;
        counts[0] += score > doubt;
        counts[1] += score < -doubt;
        if ((score > doubt && is_kept) || (!(score > -doubt) && !is_kept)) {
            TEST_FAIL_AT(row, "row %zu of %zu is %s with a score of %g", i, count,
                         is_kept ? "kept" : "dropped", score);
        }
    }
    assert_int_equal(next, kept); /* rising, nothing twice */
}

static float front_uniform(double lo, double hi, uint64_t *random)
{
    return (float)(lo + (hi - lo) * ((double)(test_random(random) >> 11) * 0x1p-53));
}

static void the_bound_test_is_its_formula(void **state)
{
    (void)state;
    test_guarded memory[4];
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;
    size_t counts[2] = {0, 0};

    for (int i = 0; i < 4; i++) {
        memory[i] = test_guarded_new(FRONT_COUNT_MAX * sizeof(float));
    }
    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        for (size_t count = 0; test_is(row, "front_pass") && count <= FRONT_COUNT_MAX; count++) {
            vsk_front_test test;
            front_block block = {(int32_t *)(void *)test_place(&memory[0], 4 * count, 0),
                                 (float *)(void *)test_place(&memory[1], 4 * count, 0),
                                 (float *)(void *)test_place(&memory[2], 4 * count, 0),
                                 (float *)(void *)test_place(&memory[3], 4 * count, 0)};
            for (int j = 0; j < 6; j++) {
                test.c[j] = front_uniform(-1, 1, &random);
            }
            for (size_t i = 0; i < count; i++) {
                block.dots[i] = (int32_t)(test_random(&random) % 7) - 3;
                block.t[i] = i % 17 == 3 ? NAN : front_uniform(0, 3, &random);
                block.rest[i] = front_uniform(0, 2, &random);
                block.g[i] = front_uniform(0, 1, &random);
            }
            const vsk_front_test whole = test;
            front_check_pass(row, &test, &block, count, counts);
            for (int j = 3; j < 6; j++) { /* one, two, all of those that may go unread */
                test.c[j] = 0.0f;
                front_check_pass(row, &test, &block, count, counts);
            }
            test = whole;
            test.c[0] = -INFINITY;
            front_check_pass(row, &test, &block, count, counts);
        }
    }
    assert_true(counts[0] > 1000 && counts[1] > 1000);
    for (int i = 0; i < 4; i++) {
        test_guarded_free(&memory[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_exact),
        cmocka_unit_test(the_bound_test_is_its_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
