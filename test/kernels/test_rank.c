/*
 * test_rank.c - rank and tile kernels of every level: within the bound that vsk.h states, the same
 * value at every place in a block, no byte outside the rows, no result outside `out`.
 */
#include "kernel_test.h"

#include <float.h>

enum { RANK_COUNT_MAX = 9, RANK_DIM_MAX = 4096 };

static const size_t rank_big_dims[] = {257, 384, 768, 1001, 1536, RANK_DIM_MAX};
enum {
    RANK_SMALL_DIMS = 130,
    RANK_DIMS = RANK_SMALL_DIMS + sizeof rank_big_dims / sizeof rank_big_dims[0]
};

static size_t rank_dim(size_t index)
{
    return index < RANK_SMALL_DIMS ? index + 1 : rank_big_dims[index - RANK_SMALL_DIMS];
}

/* The bound of vsk.h. A value that may have overflowed is allowed anything. */
static int rank_is_close(float found, oracle_sum exact, size_t dim)
{
    long double u = 0x1p-24L;
    long double m = (long double)(dim + 8);
    long double allowed = m * u / (1 - m * u) * exact.magnitude + m * 0x1p-126L;

    return exact.magnitude > (long double)FLT_MAX / 2 || fabsl(found - exact.value) <= allowed;
}

static oracle_op rank_oracle_op(const vsk_kernel_row *row)
{
    return strstr(row->operation, "l2sq") != NULL ? ORACLE_L2SQ
           : strstr(row->operation, "l1") != NULL ? ORACLE_L1
                                                  : ORACLE_DOT;
}

static int rank_is_rank(const vsk_kernel_row *row)
{
    return strncmp(row->operation, "rank_", 5) == 0;
}

/*
 * Runs any rank kernel; out_sumsq is left alone by those without. Checks that nothing is written
 * behind `count`.
 */
static void rank_run(const vsk_kernel_row *row, const float *q, const void *rows,
                     size_t stride_bytes, size_t count, size_t dim, float *out, float *out_sumsq)
{
    static const float canary = 12345.0f;

    out[count] = canary;
    out_sumsq[count] = canary;
    if (test_is(row, "rank_dot_sumsq")) {
        ((vsk_rank2_fn)row->fn)(q, rows, stride_bytes, count, dim, out, out_sumsq);
    } else {
        ((vsk_rank_fn)row->fn)(q, rows, stride_bytes, count, dim, out);
    }
    if (out[count] != canary || out_sumsq[count] != canary) {
        TEST_FAIL_AT(row, "dim %zu, count %zu: wrote behind the results", dim, count);
    }
}

static void rank_check_accuracy(const vsk_kernel_row *row, const float *q,
                                const unsigned char *rows, size_t stride_bytes, size_t dim,
                                const float *out, const float *out_sumsq)
{
    for (size_t r = 0; r < RANK_COUNT_MAX; r++) {
        const unsigned char *x = rows + r * stride_bytes;
        oracle_sum exact = oracle_distance(rank_oracle_op(row), VSK_F32, q, row->type, x, dim);
        if (!rank_is_close(out[r], exact, dim)) {
            TEST_FAIL_AT(row, "dim %zu, row %zu: expected %La, found %a", dim, r, exact.value,
                         out[r]);
        }
        if (test_is(row, "rank_dot_sumsq")) {
            exact = oracle_distance(ORACLE_DOT, row->type, x, row->type, x, dim);
            if (!rank_is_close(out_sumsq[r], exact, dim)) {
                TEST_FAIL_AT(row, "dim %zu, row %zu: expected |x|^2 = %La, found %a", dim, r,
                             exact.value, out_sumsq[r]);
            }
        }
    }
}

/*
 * One block of RANK_COUNT_MAX rows at a place and stride: accuracy, and the same bits for every
 * part of it.
 */
static void rank_check_block(const vsk_kernel_row *row, const test_guarded *q_memory,
                             const test_guarded *row_memory, size_t dim, size_t stride_bytes,
                             int place, test_data data, uint64_t *random)
{
    size_t row_bytes = test_bytes(row->type, dim);
    size_t block_bytes = (RANK_COUNT_MAX - 1) * stride_bytes + row_bytes;
    float *q = (float *)(void *)test_place(q_memory, 4 * dim, 0);
    unsigned char *rows = test_place(row_memory, block_bytes, place);
    float whole[2][RANK_COUNT_MAX + 1] = {{0}};
    float part[2][RANK_COUNT_MAX + 1] = {{0}};

    test_fill(VSK_F32, q, dim, data, random);
    memset(rows, 0xff, block_bytes); /* NaN, and -1, in the padding */
    for (size_t r = 0; r < RANK_COUNT_MAX; r++) {
        test_fill(row->type, rows + r * stride_bytes, dim, data, random);
    }
    rank_run(row, q, rows, stride_bytes, RANK_COUNT_MAX, dim, whole[0], whole[1]);
    rank_check_accuracy(row, q, rows, stride_bytes, dim, whole[0], whole[1]);
    for (size_t count = 0; count < RANK_COUNT_MAX; count++) {
        size_t first = RANK_COUNT_MAX - count; /* so that each part ends where the block ends */
        rank_run(row, q, rows + first * stride_bytes, stride_bytes, count, dim, part[0], part[1]);
        if (memcmp(part[0], whole[0] + first, count * sizeof(float)) != 0 ||
            (test_is(row, "rank_dot_sumsq") &&
             memcmp(part[1], whole[1] + first, count * sizeof(float)) != 0)) {
            TEST_FAIL_AT(row, "dim %zu: %zu rows alone differ from the same rows in a block", dim,
                         count);
        }
    }
}

static void rank_is_within_its_bound_and_independent_of_place(void **state)
{
    (void)state;
    test_guarded q_memory = test_guarded_new(4 * RANK_DIM_MAX);
    test_guarded row_memory = test_guarded_new((4 * RANK_DIM_MAX + 256) * RANK_COUNT_MAX);
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;

    for (size_t i = 0; (row = test_kernel(&i)) != NULL;) {
        for (size_t d = 0; rank_is_rank(row) && d < RANK_DIMS; d++) {
            size_t dim = rank_dim(d);
            size_t row_bytes = test_bytes(row->type, dim);
            size_t strides[] = {row_bytes, row_bytes + 1, row_bytes + 68};
            int places = dim <= RANK_SMALL_DIMS ? TEST_PLACE_COUNT : 1;
            for (int place = 0; place < places; place++) {
                rank_check_block(row, &q_memory, &row_memory, dim, strides[(size_t)place % 3],
                                 place, TEST_ORDINARY, &random);
            }
            for (int data = TEST_ORDINARY + 1; data < TEST_DATA_COUNT; data++) {
                rank_check_block(row, &q_memory, &row_memory, dim, strides[data % 3], 0,
                                 (test_data)data, &random);
            }
        }
    }
    test_guarded_free(&q_memory);
    test_guarded_free(&row_memory);
}

static void rank_of_nan_or_infinity_is_not_finite(void **state)
{
    (void)state;
    static const uint32_t f32_bits[] = {0x7fc00000u, 0x7f800000u, 0xff800000u};
    static const uint16_t half_bits[2][3] = {{0x7e00u, 0x7c00u, 0xfc00u},
                                             {0x7fc0u, 0x7f80u, 0xff80u}};
    enum { DIM = 67 };
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;

    for (size_t i = 0; (row = test_kernel(&i)) != NULL;) {
        for (size_t at = 0; rank_is_rank(row) && at < 5 * DIM * 3; at++) {
            float q[DIM];
            unsigned char rows[5 * 4 * DIM];
            float out[2][6] = {{0}};
            size_t kind = at % 3;
            size_t bad = at / 3 / DIM;
            unsigned char *element = rows + test_bytes(row->type, at / 3);
            test_fill(VSK_F32, q, DIM, TEST_ORDINARY, &random);
            test_fill(row->type, rows, 5 * DIM, TEST_ORDINARY, &random);
            if (row->type == VSK_F32) {
                memcpy(element, &f32_bits[kind], 4);
            } else {
                memcpy(element, &half_bits[row->type == VSK_BF16][kind], 2);
            }
            rank_run(row, q, rows, test_bytes(row->type, DIM), 5, DIM, out[0], out[1]);
            for (size_t r = 0; r < 5; r++) {
                int two = test_is(row, "rank_dot_sumsq");
                if (isfinite(out[0][r]) == (r == bad) ||
                    (two && isfinite(out[1][r]) == (r == bad))) {
                    TEST_FAIL_AT(row, "bad element %zu of row %zu: found %a in row %zu",
                                 at / 3 % DIM, bad, out[0][r], r);
                }
            }
        }
    }
}

/* Every shape up to the largest, against the largest one and, once, the oracle. */
static void tile_check(const vsk_kernel_row *row, const test_guarded *q_memory,
                       const test_guarded *row_memory, size_t dim, size_t pad, test_data data,
                       uint64_t *random)
{
    enum { N = RANK_COUNT_MAX };
    vsk_tile_fn tile = (vsk_tile_fn)row->fn;
    size_t stride = dim + pad;
    size_t bytes = 4 * ((N - 1) * stride + dim);
    float *q = (float *)(void *)test_place(q_memory, bytes, 0);
    float *rows = (float *)(void *)test_place(row_memory, bytes, 0);
    float whole[N * N];
    float part[N * N + 1];

    memset(q, 0xff, bytes);
    memset(rows, 0xff, bytes);
    for (size_t i = 0; i < N; i++) {
        test_fill(VSK_F32, q + i * stride, dim, data, random);
        test_fill(VSK_F32, rows + i * stride, dim, data, random);
    }
    tile(q, stride, N, rows, stride, N, dim, whole);
    for (size_t i = 0; i < N * N; i++) {
        oracle_sum exact = oracle_distance(rank_oracle_op(row), VSK_F32, q + i / N * stride,
                                           VSK_F32, rows + i % N * stride, dim);
        if (!rank_is_close(whole[i], exact, dim)) {
            TEST_FAIL_AT(row, "dim %zu, pair %zu: expected %La, found %a", dim, i, exact.value,
                         whole[i]);
        }
    }
    for (size_t shape = 0; shape < (N + 1) * (N + 1); shape++) {
        size_t q_count = shape / (N + 1);
        size_t row_count = shape % (N + 1);
        size_t q_first = N - q_count; /* each part ends at the guard page */
        size_t row_first = N - row_count;
        part[q_count * row_count] = 12345.0f;
        tile(q + q_first * stride, stride, q_count, rows + row_first * stride, stride, row_count,
             dim, part);
        assert_true(part[q_count * row_count] == 12345.0f);
        for (size_t i = 0; i < q_count * row_count; i++) {
            size_t at = (q_first + i / row_count) * N + row_first + i % row_count;
            if (memcmp(&part[i], &whole[at], sizeof(float)) != 0) {
                TEST_FAIL_AT(row, "dim %zu, %zu x %zu, pair %zu: %a, but %a in a larger block", dim,
                             q_count, row_count, i, part[i], whole[at]);
            }
        }
    }
}

static void tile_is_within_its_bound_and_independent_of_shape(void **state)
{
    (void)state;
    test_guarded q_memory = test_guarded_new(4 * RANK_DIM_MAX * RANK_COUNT_MAX);
    test_guarded row_memory = test_guarded_new(4 * RANK_DIM_MAX * RANK_COUNT_MAX);
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;

    for (size_t i = 0; (row = test_kernel(&i)) != NULL;) {
        int is_tile = strncmp(row->operation, "tile_", 5) == 0;
        for (size_t d = 0; is_tile && d < RANK_DIMS - 3; d++) {
            tile_check(row, &q_memory, &row_memory, rank_dim(d), d % 3, TEST_ORDINARY, &random);
            tile_check(row, &q_memory, &row_memory, rank_dim(d), 0,
                       (test_data)(1 + d % (TEST_DATA_COUNT - 1)), &random);
        }
    }
    test_guarded_free(&q_memory);
    test_guarded_free(&row_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rank_is_within_its_bound_and_independent_of_place),
        cmocka_unit_test(rank_of_nan_or_infinity_is_not_finite),
        cmocka_unit_test(tile_is_within_its_bound_and_independent_of_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
