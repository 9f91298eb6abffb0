/*
 * test_code.c - codes: rotation, encoder, products, bound test and checksum of every level.
 *
 * What ends up in a file has the same bits on every level; what bounds promise is checked in long
 * double, against definitions written from code.h without a line shared with kernels/.
 */
#include "kernel_test.h"

#include <float.h>

static const size_t code_dims[] = {64,  128, 192, 256, 320,  384,  448,  512,  576,  640, 704,
                                   768, 832, 896, 960, 1024, 1088, 1536, 1984, 2048, 4096};
enum {
    CODE_DIMS = sizeof code_dims / sizeof code_dims[0],
    CODE_DIM_MAX = 4096,
    CODE_COUNT_MAX = 9,
    CODE_CANARY = 0x5a
};

/* About normal: twelve uniform numbers, summed. */
static double code_gaussian(uint64_t *random)
{
    double sum = -6;

    for (int i = 0; i < 12; i++) {
        sum += (double)(test_random(random) >> 11) * 0x1p-53;
    }
    return sum;
}

/* Kinds of vectors; none is 0, all have lengths within 2^-60 .. 2^60. */
enum {
    CODE_GAUSSIAN,
    CODE_ONE_HOT,
    CODE_CONSTANT,
    CODE_ALTERNATING,
    CODE_TWO_HUGE,
    CODE_SMALL,  /* length about 2^-50 */
    CODE_LARGE,  /* length about 2^50 */
    CODE_SPREAD, /* all magnitudes between 1 and 2^-140: the smallest are denormal */
    CODE_TAILS,  /* heavy tails */
    CODE_HALF,   /* energy in the first elements only */
    CODE_KINDS
};

static void code_fill(float *v, size_t n, int kind, uint64_t *random)
{
    for (size_t i = 0; i < n; i++) {
        double g = code_gaussian(random);
        uint64_t bits = test_random(random);
        switch (kind) {
        case CODE_ONE_HOT:
            v[i] = 0;
            break;
        case CODE_CONSTANT:
            v[i] = 0.1f;
            break;
        case CODE_ALTERNATING:
            v[i] = i % 2 == 0 ? 0.3f : -0.3f;
            break;
        case CODE_SMALL:
            v[i] = (float)ldexp(g, -54);
            break;
        case CODE_LARGE:
            v[i] = (float)ldexp(g, 46);
            break;
        case CODE_SPREAD:
            v[i] = (float)ldexp(g, -(int)(bits % 140));
            break;
        case CODE_TAILS:
            v[i] = (float)(g * exp(2 * code_gaussian(random)));
            break;
        case CODE_HALF:
            v[i] = i < n / 8 ? (float)g : 0.0f;
            break;
        default:
            v[i] = (float)g;
        }
    }
    if (kind == CODE_ONE_HOT || kind == CODE_SPREAD) {
        v[test_random(random) % n] = -1.0f;
    } else if (kind == CODE_TWO_HUGE) {
        v[test_random(random) % n] = 1e6f;
        v[test_random(random) % n] += -1e6f + 3;
    }
}

static long double code_exact_dot(const float *a, const float *b, size_t n)
{
    long double sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += (long double)a[i] * (long double)b[i];
    }
    return sum;
}

/* ---- rotation ---- */

static int code_oracle_sign(unsigned turn, size_t i)
{
    uint64_t number = (uint64_t)turn << 32 | (i / 64 + 1);
    uint64_t state = (number - 1) * 0x9e3779b97f4a7c15u; /* test_random adds one more */

    return (test_random(&state) >> (i % 64) & 1) != 0 ? -1 : 1;
}

static void code_oracle_window(long double *w, size_t window)
{
    for (size_t h = 1; h < window; h *= 2) {
        for (size_t i = 0; i < window; i++) {
            if ((i & h) == 0) {
                long double x = w[i];
                w[i] = x + w[i + h];
                w[i + h] = x - w[i + h];
            }
        }
    }
    for (size_t i = 0; i < window; i++) {
        w[i] /= sqrtl((long double)window);
    }
}

/* The exact rotation of code.h, with one over the root of 2 in place of c. */
static void code_oracle_rotate(long double *v, size_t n)
{
    size_t window = 64;

    while (2 * window <= n) {
        window *= 2;
    }
    for (unsigned turn = 0; turn < (n == window ? 2u : 4u); turn++) {
        size_t first = turn % 2 == 0 ? 0 : n - window;
        for (size_t i = first; i < n; i++) {
            v[i] *= code_oracle_sign(turn, i);
        }
        for (size_t i = 0; i < n / 2 && turn % 2 == 0 && n != window; i++) {
            long double x = v[i];
            long double y = v[n - 1 - i];
            v[i] = (x + y) / sqrtl(2);
            v[n - 1 - i] = (x - y) / sqrtl(2);
        }
        code_oracle_window(v + first, window);
    }
}

static void code_check_rotation(const float *before, const float *after, size_t n)
{
    static long double exact[VSK_DIM_MAX];
    long double error = 0;
    long double norm = code_exact_dot(before, before, n);
    long double exact_norm = 0;

    for (size_t i = 0; i < n; i++) {
        exact[i] = (long double)before[i];
    }
    code_oracle_rotate(exact, n);
    for (size_t i = 0; i < n; i++) {
        long double d = exact[i] - (long double)after[i];
        error += d * d;
        exact_norm += exact[i] * exact[i];
    }
    assert_true(fabsl(exact_norm - norm) <= 1e-15L * norm); /* the definition is orthogonal */
    if (sqrtl(error) > VSK_ROTATE_ERROR * sqrtl(norm)) {
        print_error("rotation, n = %zu: error %Lg\n", n, sqrtl(error / norm));
        fail();
    }
}

static void rotation_is_the_one_of_the_header_within_its_error(void **state)
{
    (void)state;
    static float before[VSK_DIM_MAX];
    static float after[VSK_DIM_MAX];
    vsk_table scalar;
    uint64_t random = TEST_SEED;

    assert_int_equal(vsk_table_for_level(VSK_SCALAR, &scalar), 0);
    for (size_t d = 0; d < CODE_DIMS + 2; d++) {
        size_t n = d < CODE_DIMS ? code_dims[d] : VSK_DIM_MAX - 64 * (d - CODE_DIMS);
        for (int kind = 0; kind < (n <= 1024 ? (int)CODE_KINDS : 1); kind++) {
            code_fill(before, n, kind, &random);
            memcpy(after, before, n * sizeof *after);
            scalar.rotate(after, n);
            code_check_rotation(before, after, n);
        }
    }
}

static void rotation_keeps_products(void **state)
{
    (void)state;
    float v[2][1984];
    float rotated[2][1984];
    vsk_table scalar;
    uint64_t random = TEST_SEED;

    assert_int_equal(vsk_table_for_level(VSK_SCALAR, &scalar), 0);
    for (size_t n = 64; n <= 1984; n += 192) {
        for (int kind = 0; kind < CODE_KINDS; kind++) {
            code_fill(v[0], n, kind, &random);
            code_fill(v[1], n, CODE_GAUSSIAN, &random);
            memcpy(rotated, v, sizeof v);
            scalar.rotate(rotated[0], n);
            scalar.rotate(rotated[1], n);
            long double size =
                sqrtl(code_exact_dot(v[0], v[0], n)) * sqrtl(code_exact_dot(v[1], v[1], n));
            long double difference =
                code_exact_dot(v[0], v[1], n) - code_exact_dot(rotated[0], rotated[1], n);
            assert_true(fabsl(difference) <= 2.01L * VSK_ROTATE_ERROR * size);
        }
    }
}

static void rotation_spreads_single_elements(void **state)
{
    (void)state;
    float v[1984];
    vsk_table scalar;

    assert_int_equal(vsk_table_for_level(VSK_SCALAR, &scalar), 0);
    for (size_t n = 64; n <= 1984; n += 64) {
        for (size_t at = 0; at < n; at += 13) {
            memset(v, 0, sizeof v);
            v[at] = 1;
            scalar.rotate(v, n);
            for (size_t i = 0; i < n; i++) {
                assert_true(fabs((double)v[i]) * sqrt((double)n) < 9); /* Gaussian: about 5 */
            }
        }
    }
}

static void rotation_has_the_same_bits_on_every_level(void **state)
{
    (void)state;
    test_guarded memory = test_guarded_new(4 * VSK_DIM_MAX);
    static float v[VSK_DIM_MAX];
    static float expected[VSK_DIM_MAX];
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;

    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        for (size_t d = 0; test_is(row, "rotate") && d < CODE_DIMS + 2; d++) {
            size_t n = d < CODE_DIMS ? code_dims[d] : VSK_DIM_MAX - 64 * (d - CODE_DIMS);
            for (int kind = 0; kind < CODE_KINDS; kind++) {
                int place = (int)(d + (size_t)kind) % TEST_PLACE_COUNT;
                float *found = (float *)(void *)test_place(&memory, 4 * n, place & ~1 ? 2 : 0);
                code_fill(v, n, kind, &random);
                memcpy(expected, v, n * sizeof *v);
                memcpy(found, v, n * sizeof *v);
                vsk_rotate_f32_scalar(expected, n);
                ((vsk_rotate_fn)row->fn)(found, n);
                if (memcmp(found, expected, n * sizeof *v) != 0) {
                    TEST_FAIL_AT(row, "n %zu, kind %d: differs from scalar", n, kind);
                }
            }
        }
    }
    test_guarded_free(&memory);
}

/* ---- products ---- */

static int32_t code_oracle_dot(const int8_t *q, const uint8_t *row, size_t n)
{
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        int nibble = i < n / 2 ? row[i] % 16 : row[i - n / 2] / 16;
        sum += q[i] * nibble;
    }
    assert_true(sum >= INT32_MIN && sum <= INT32_MAX);
    return (int32_t)sum;
}

static int8_t code_random_q(int is_extreme, uint64_t *random)
{
    uint64_t bits = test_random(random);
    return (int8_t)(is_extreme ? (bits % 8 == 0 ? -127 : 127) : (int)(bits % 255) - 127);
}

/* Every shape up to CODE_COUNT_MAX queries and rows, the last ones at the guard pages. */
static void code_check_dots(const vsk_kernel_row *row, const test_guarded *q_memory,
                            const test_guarded *row_memory, size_t n, size_t pad, int place,
                            int is_extreme, uint64_t *random)
{
    enum { N = CODE_COUNT_MAX };
    size_t q_stride = n + pad;
    size_t stride_bytes = n / 2 + pad;
    size_t q_bytes = (N - 1) * q_stride + n;
    size_t row_bytes = (N - 1) * stride_bytes + n / 2;
    int8_t *q = (int8_t *)test_place(q_memory, q_bytes, place);
    uint8_t *rows = test_place(row_memory, row_bytes, place);
    int32_t expected[N * N];
    int32_t found[N * N + 1];

    for (size_t i = 0; i < q_bytes; i++) {
        q[i] = code_random_q(is_extreme, random);
    }
    for (size_t i = 0; i < row_bytes; i++) {
        rows[i] = (uint8_t)(is_extreme ? 0xff : test_random(random));
    }
    for (size_t i = 0; i < N * N; i++) {
        expected[i] = code_oracle_dot(q + i / N * q_stride, rows + i % N * stride_bytes, n);
    }
    for (size_t shape = 0; shape < (N + 1) * (N + 1); shape++) {
        size_t q_count = shape / (N + 1);
        size_t count = shape % (N + 1);
        found[q_count * count] = CODE_CANARY;
        ((vsk_code_dot_fn)row->fn)(q + (N - q_count) * q_stride, q_stride, q_count,
                                   rows + (N - count) * stride_bytes, stride_bytes, count, n,
                                   found);
        assert_true(found[q_count * count] == CODE_CANARY);
        for (size_t i = 0; i < q_count * count; i++) {
            size_t at = (N - q_count + i / count) * N + N - count + i % count;
            if (found[i] != expected[at]) {
                TEST_FAIL_AT(row, "n %zu, %zu x %zu, pair %zu: expected %d, found %d", n, q_count,
                             count, i, (int)expected[at], (int)found[i]);
            }
        }
    }
}

static void products_are_exact(void **state)
{
    (void)state;
    test_guarded q_memory = test_guarded_new((CODE_DIM_MAX + 68) * CODE_COUNT_MAX);
    test_guarded row_memory = test_guarded_new((CODE_DIM_MAX / 2 + 68) * CODE_COUNT_MAX);
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;

    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        for (size_t d = 0; test_is(row, "code_dot") && d < CODE_DIMS; d++) {
            static const size_t pads[] = {0, 1, 68};
            for (int place = 0; place < TEST_PLACE_COUNT; place++) {
                code_check_dots(row, &q_memory, &row_memory, code_dims[d], pads[place % 3], place,
                                place == 1, &random);
            }
        }
    }
    test_guarded_free(&q_memory);
    test_guarded_free(&row_memory);
}

static void the_largest_products_fit(void **state)
{
    (void)state;
    static int8_t q[4 * VSK_DIM_MAX];
    static uint8_t rows[5 * VSK_DIM_MAX / 2];
    const vsk_kernel_row *row;

    memset(rows, 0xff, sizeof rows);
    for (int sign = -1; sign <= 1; sign += 2) {
        memset(q, 127 * sign, sizeof q);
        for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
            for (size_t q_count = 1; test_is(row, "code_dot") && q_count <= 4; q_count += 3) {
                int32_t found[4 * 5];
                ((vsk_code_dot_fn)row->fn)(q, VSK_DIM_MAX, q_count, rows, VSK_DIM_MAX / 2, 5,
                                           VSK_DIM_MAX, found);
                for (size_t i = 0; i < q_count * 5; i++) {
                    assert_int_equal(found[i], sign * 15 * 127 * VSK_DIM_MAX);
                }
            }
        }
    }
}

/* ---- checksum ---- */

static uint32_t code_oracle_checksum(const unsigned char *data, size_t n)
{
    uint32_t lanes[16 + 2];
    uint32_t sum = 0;

    for (uint32_t j = 0; j < 16; j++) {
        lanes[j] = 0x9E3779B1u * (j + 1);
    }
    for (size_t i = 0; i < (n + 63) / 64 * 16; i++) {
        uint32_t word = 0;
        for (size_t b = 0; b < 4; b++) {
            word |= 4 * i + b < n ? (uint32_t)data[4 * i + b] << (8 * b) : 0;
        }
        uint32_t h = (lanes[i % 16] ^ word) * 0x85EBCA6Bu;
        lanes[i % 16] = h ^ h >> 15;
    }
    for (size_t count = 16; count > 1; count /= 2) { /* halves of the lanes, one upon the other */
        for (size_t j = 0; j < count / 2; j++) {
            uint32_t turned = lanes[j + count / 2] % 65536 * 65536 + lanes[j + count / 2] / 65536;
            lanes[j] = (lanes[j] ^ turned) * 0xC2B2AE35u;
            lanes[j] ^= lanes[j] / 8192;
        }
    }
    lanes[16] = (uint32_t)n;
    lanes[17] = (uint32_t)((uint64_t)n >> 32);
    for (size_t j = 16; j < 18; j++) {
        sum = ((j == 16 ? lanes[0] : sum) ^ lanes[j]) * 0xC2B2AE35u;
        sum ^= sum / 8192;
    }
    return sum ^ sum >> 16;
}

static void checksum_is_that_of_the_header(void **state)
{
    (void)state;
    test_guarded memory = test_guarded_new(8192);
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;

    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        for (size_t n = 0; test_is(row, "checksum") && n <= 8000; n += n < 300 ? 1 : 77) {
            for (int place = 0; place < TEST_PLACE_COUNT; place++) {
                unsigned char *data = test_place(&memory, n, place);
                for (size_t i = 0; i < n; i++) {
                    data[i] = (unsigned char)test_random(&random);
                }
                uint32_t expected = code_oracle_checksum(data, n);
                uint32_t found = ((vsk_checksum_fn)row->fn)(data, n);
                if (found != expected) {
                    TEST_FAIL_AT(row, "n %zu: expected %x, found %x", n, expected, found);
                }
            }
        }
    }
    test_guarded_free(&memory);
}

/* Of rows that overlap, lie close or apart: each as if it were alone. */
static void checksums_of_rows_are_those_of_each(void **state)
{
    enum { ROWS_MAX = 11 };
    static const size_t strides[] = {1, 68, 200};
    (void)state;
    test_guarded memory = test_guarded_new(8192);
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;

    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        for (size_t at = 0; test_is(row, "checksum_rows") && at < 3 * 4 * 200; at++) {
            size_t stride = strides[at % 3], count = at % ROWS_MAX, n = at / 12;
            size_t bytes = count == 0 ? 0 : (count - 1) * stride + n;
            unsigned char *data = test_place(&memory, bytes, (int)(at % TEST_PLACE_COUNT));
            uint32_t found[ROWS_MAX + 1];
            for (size_t i = 0; i < bytes; i++) {
                data[i] = (unsigned char)test_random(&random);
            }
            memset(found, 0x5a, sizeof found);
            ((vsk_checksum_rows_fn)row->fn)(data, stride, n, count, found);
            for (size_t i = 0; i <= count; i++) {
                uint32_t expected =
                    i < count ? code_oracle_checksum(data + i * stride, n) : 0x5a5a5a5au;
                if (found[i] != expected) {
                    TEST_FAIL_AT(row, "row %zu of %zu, n %zu, stride %zu: expected %x, found %x", i,
                                 count, n, stride, expected, found[i]);
                }
            }
        }
    }
    test_guarded_free(&memory);
}

/* Value of a fixed input, so that the definition cannot change unnoticed: files hold checksums. */
static void checksum_of_known_bytes(void **state)
{
    (void)state;
    unsigned char data[200];

    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (unsigned char)(i * 7);
    }
    assert_int_equal(vsk_checksum_bit_scalar(data, 0), 0xdd1465b0u);
    assert_int_equal(vsk_checksum_bit_scalar(data, 1), 0x07839684u);
    assert_int_equal(vsk_checksum_bit_scalar(data, 64), 0x33136cebu);
    assert_int_equal(vsk_checksum_bit_scalar(data, 200), 0x5a0db1dbu);
}

static void checksum_notices_every_damaged_bit(void **state)
{
    (void)state;
    unsigned char data[1000];
    uint64_t random = TEST_SEED;

    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (unsigned char)test_random(&random);
    }
    uint32_t whole = vsk_checksum_bit_scalar(data, sizeof data);
    for (size_t bit = 0; bit < 8 * sizeof data; bit++) {
        data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_true(vsk_checksum_bit_scalar(data, sizeof data) != whole);
        data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    memset(data, 0, sizeof data); /* lengths count, too */
    assert_true(vsk_checksum_bit_scalar(data, 64) != vsk_checksum_bit_scalar(data, 63));
    assert_true(vsk_checksum_bit_scalar(data, 1) != vsk_checksum_bit_scalar(data, 0));
}

/* ---- the encoder ---- */

static int code_is_zero(const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (v[i] != 0) {
            return 0;
        }
    }
    return 1;
}

/* The angle between v and the values of a code, in long double. */
static void code_exact_angle(const float *v, const float *values, size_t n, long double *out_cos,
                             long double *out_sin)
{
    long double vv = code_exact_dot(v, v, n);
    long double vc = code_exact_dot(v, values, n);
    long double cc = code_exact_dot(values, values, n);
    long double rest = 0;

    for (size_t i = 0; i < n; i++) {
        long double d = (long double)v[i] - vc / cc * (long double)values[i];
        rest += d * d;
    }
    *out_cos = vc / sqrtl(vv) / sqrtl(cc);
    *out_sin = sqrtl(rest / vv);
}

static void code_check_angle(const float *v, const float *values, size_t n, int kind,
                             float found_cos, float found_sin, float inv, long double unit)
{
    long double exact_cos;
    long double exact_sin;
    long double exact_inv = unit / sqrtl(code_exact_dot(values, values, n));

    code_exact_angle(v, values, n, &exact_cos, &exact_sin);
    if (fabsl((long double)found_cos - exact_cos) > 2e-7L || (long double)found_sin < exact_sin ||
        (long double)found_sin > exact_sin * (1 + 1e-6L) + 2e-7L ||
        fabsl((long double)inv - exact_inv) > 0x1p-23L * exact_inv) {
        print_error(
            "n %zu, kind %d: cos %.9g (%.12Lg), sin %.9g (%.12Lg), 1/|code| %.9g (%.12Lg)\n", n,
            kind, (double)found_cos, exact_cos, (double)found_sin, exact_sin, (double)inv,
            exact_inv);
        fail();
    }
}

typedef struct code_coded {
    uint8_t plane_b[VSK_DIM_MAX / 2];
    uint8_t plane_c[VSK_DIM_MAX / 2];
    vsk_code_terms terms;
} code_coded;

static void code_check_terms(const float *v, size_t n, int kind, const code_coded *coded)
{
    static float values[VSK_DIM_MAX];

    vsk_code_decode(coded->plane_b, NULL, n, values);
    code_check_angle(v, values, n, kind, coded->terms.cos4, coded->terms.sin4, coded->terms.inv4,
                     16);
    vsk_code_decode(coded->plane_b, coded->plane_c, n, values);
    code_check_angle(v, values, n, kind, coded->terms.cos8, coded->terms.sin8, coded->terms.inv8,
                     1);
}

static void terms_keep_their_promise_and_all_levels_agree(void **state)
{
    (void)state;
    static float v[VSK_DIM_MAX];
    static code_coded expected;
    static code_coded found;
    vsk_table table;
    uint64_t random = TEST_SEED;

    for (size_t d = 0; d < CODE_DIMS + 1; d++) {
        size_t n = d < CODE_DIMS ? code_dims[d] : VSK_DIM_MAX - 64;
        for (int kind = 0; kind < (n <= CODE_DIM_MAX ? 2 * (int)CODE_KINDS : 2); kind++) {
            code_fill(v, n, kind / 2, &random);
            if (kind % 2 == 1) { /* as it is used: rotated */
                vsk_rotate_f32_scalar(v, n);
            }
            assert_int_equal(vsk_table_for_level(VSK_SCALAR, &table), 0);
            memset(&expected, CODE_CANARY, sizeof expected);
            vsk_code_encode_with(&table, v, n, expected.plane_b, expected.plane_c, &expected.terms);
            code_check_terms(v, n, kind, &expected);
            for (int level = 1; level < VSK_LEVEL_COUNT; level++) {
                if (vsk_table_for_level((vsk_level)level, &table) != 0) {
                    continue;
                }
                memset(&found, CODE_CANARY, sizeof found);
                vsk_code_encode_with(&table, v, n, found.plane_b, found.plane_c, &found.terms);
                assert_memory_equal(&found, &expected, sizeof found);
            }
        }
    }
}

/* Sines as small as the comment in code.c says: a change that loses precision is noticed. */
static void gaussian_vectors_are_coded_well(void **state)
{
    (void)state;
    static const size_t dims[] = {128, 384, 768};
    static const double most4[] = {0.105, 0.110, 0.111};
    static const double most8[] = {0.016, 0.025, 0.028};
    enum { COUNT = 200 };
    uint64_t random = TEST_SEED;
    vsk_table table;

    assert_int_equal(vsk_table_for_level(VSK_SCALAR, &table), 0);
    for (size_t d = 0; d < 3; d++) {
        double sum4 = 0;
        double sum8 = 0;
        for (int i = 0; i < COUNT; i++) {
            float v[768];
            uint8_t planes[2][384];
            vsk_code_terms terms;
            code_fill(v, dims[d], CODE_GAUSSIAN, &random);
            vsk_code_encode_with(&table, v, dims[d], planes[0], planes[1], &terms);
            sum4 += (double)terms.sin4;
            sum8 += (double)terms.sin8;
        }
        print_message("n %zu: sin4 %.4f, sin8 %.4f\n", dims[d], sum4 / COUNT, sum8 / COUNT);
        assert_true(sum4 / COUNT < most4[d]);
        assert_true(sum8 / COUNT < most8[d]);
    }
}

static void what_cannot_be_coded_bounds_nothing(void **state)
{
    (void)state;
    static const float bad[] = {0.0f, -0.0f, NAN, INFINITY, -INFINITY, 1e-44f};
    float v[128];
    code_coded coded;
    vsk_table table;

    assert_int_equal(vsk_table_for_level(VSK_SCALAR, &table), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int is_finite = isfinite(bad[i]);
        for (size_t j = 0; j < 128; j++) {
            v[j] = is_finite || j == 77 ? bad[i] : 1.0f;
        }
        vsk_code_encode_with(&table, v, 128, coded.plane_b, coded.plane_c, &coded.terms);
        assert_true(coded.terms.cos4 == -1 && coded.terms.cos8 == -1);
        assert_true(coded.terms.sin4 == 0 && coded.terms.sin8 == 0);
        assert_true(coded.terms.inv4 > 0 && coded.terms.inv8 > 0 && coded.terms.inv4 < 1);
    }
}

static void dims_are_rounded_up_to_groups(void **state)
{
    (void)state;
    assert_int_equal(vsk_code_dim(1), 64);
    assert_int_equal(vsk_code_dim(64), 64);
    assert_int_equal(vsk_code_dim(65), 128);
    assert_int_equal(vsk_code_dim(768), 768);
    assert_int_equal(vsk_code_dim(VSK_DIM_MAX), VSK_DIM_MAX);
}

/* ---- queries ---- */

static void a_query_is_within_its_errors(void **state)
{
    (void)state;
    static float p[VSK_DIM_MAX];
    static int8_t high[VSK_DIM_MAX];
    static int8_t low[VSK_DIM_MAX];
    uint64_t random = TEST_SEED;

    for (size_t d = 0; d < CODE_DIMS + 1; d++) {
        size_t n = d < CODE_DIMS ? code_dims[d] : VSK_DIM_MAX;
        for (int kind = 0; kind < CODE_KINDS; kind++) {
            vsk_code_query query;
            long double errors[2] = {0, 0};
            int64_t sums[2] = {0, 0};
            code_fill(p, n, kind, &random);
            vsk_code_query_init(p, n, high, low, &query);
            long double norm = sqrtl(code_exact_dot(p, p, n));
            for (size_t i = 0; i < n; i++) {
                long double x = (long double)p[i] / norm;
                long double e[2];
                e[0] = x - (long double)query.scale * high[i];
                e[1] = e[0] - (long double)query.scale * low[i] / 254;
                errors[0] += e[0] * e[0];
                errors[1] += e[1] * e[1];
                sums[0] += high[i];
                sums[1] += low[i];
                assert_true(high[i] >= -127 && low[i] >= -127);
            }
            assert_true(query.high == high && query.low == low);
            assert_true(query.sum_high == sums[0] && query.sum_low == sums[1]);
            assert_true(sqrtl(errors[0]) <= (long double)query.error_high);
            assert_true(sqrtl(errors[1]) <= (long double)query.error_both);
            assert_true((long double)query.error_high <= sqrtl(errors[0]) * (1 + 1e-9L) + 1e-10L);
            assert_true((long double)query.error_both <= sqrtl(errors[1]) * (1 + 1e-9L) + 1e-10L);
        }
    }
    static const float bad[] = {0.0f, NAN, INFINITY};
    for (size_t i = 0; i < 3; i++) {
        vsk_code_query query;
        for (size_t j = 0; j < 64; j++) {
            p[j] = bad[i] == 0 || j == 5 ? bad[i] : 1.0f;
        }
        vsk_code_query_init(p, 64, high, low, &query);
        assert_true(query.error_high == INFINITY && query.error_both == INFINITY);
        assert_true(query.sum_high == 0 && high[3] == 0 && low[63] == 0);
    }
}

/* ---- the bound test ---- */

typedef struct code_block {
    int32_t *dots;
    float *inv, *cos, *sin, *r;
} code_block;

/* x of code.h, exactly; `more` is added to it. */
static long double code_exact_x(const vsk_code_test *test, const code_block *block, size_t i,
                                long double more)
{
    long double doubled = 2 * (long double)block->dots[i] - (long double)test->offset2;
    long double x = (long double)test->scale * doubled * (long double)block->inv[i] +
                    (long double)test->error + more;

    return x < -1 ? -1 : x;
}

static long double code_exact_upper(long double x, long double cos, long double sin,
                                    long double under_root)
{
    long double square = 1 - x * x + under_root;

    return x >= cos ? 1 : cos * x + sin * sqrtl(square < 0 ? 0 : square);
}

/* 1: must be kept, -1: must be dropped, 0: either. */
static int code_expected(const vsk_code_test *test, const code_block *block, size_t i)
{
    long double r = (long double)block->r[i];
    long double cos = (long double)block->cos[i];
    long double sin = (long double)block->sin[i];
    long double near = (long double)test->alpha * r;
    long double far = (long double)test->beta / r;
    long double slack = 10 * (long double)test->slack * (fabsl(near) + fabsl(far) + 1);
    long double x = code_exact_x(test, block, i, 0);
    long double upper = code_exact_upper(x, cos, sin, 0);

    if (near + far <= upper) {
        return 1;
    }
    x = code_exact_x(test, block, i, 1e-6L);
    upper = code_exact_upper(x, cos, sin, 2 * (long double)VSK_CODE_ROOT);
    return near + far - slack > upper ? -1 : 0;
}

/* A uniform number in lo .. hi. */
static double code_uniform(double lo, double hi, uint64_t *random)
{
    return lo + (hi - lo) * ((double)(test_random(random) >> 11) * 0x1p-53);
}

/*
 * A row whose T is `away` from its U: r solves alpha r + beta / r = U + away; where that has no
 * positive solution, r is any number.
 */
static void code_make_row(const vsk_code_test *test, const code_block *block, size_t i,
                          double angle, double away, uint64_t *random)
{
    uint32_t bits = (uint32_t)test_random(random);

    block->cos[i] = (float)cos(angle);
    double exact_sin = sqrt(1 - (double)block->cos[i] * (double)block->cos[i]);
    block->sin[i] = nextafterf((float)exact_sin, 2);
    double x = code_uniform(-1.02, 1.02, random);
    if (bits / 8 % 8 == 0) { /* where the cases of U meet */
        x = (double)block->cos[i] + code_uniform(-1e-6, 1e-6, random);
    } else if (bits / 8 % 8 == 1) { /* where the root is steep */
        x = -1 + code_uniform(-1e-7, 1e-6, random);
    }
    double inv = code_uniform(0.01, 0.03, random);
    double s = x - (double)test->error;
    block->dots[i] = (int32_t)lrint((s / ((double)test->scale * inv) + test->offset2) / 2);
    double doubled = 2.0 * block->dots[i] - test->offset2;
    block->inv[i] = (float)(doubled == 0 ? inv : s / ((double)test->scale * doubled));
    long double t = code_exact_upper(code_exact_x(test, block, i, 0), (long double)block->cos[i],
                                     (long double)block->sin[i], 0) +
                    (long double)away;
    long double alpha = (long double)test->alpha;
    long double beta = (long double)test->beta;
    long double r = -1;
    if (test->alpha == 0) {
        r = beta / t;
    } else if (t * t >= 4 * alpha * beta) {
        long double root = sqrtl(t * t - 4 * alpha * beta);
        r = (t + (bits % 2 == 0 ? root : -root)) / (2 * alpha);
    }
    block->r[i] = r > 0 ? (float)r : (float)code_uniform(0.01, 4, random);
}

static void code_check_pass(const vsk_kernel_row *row, const vsk_code_test *test,
                            const code_block *block, size_t count, size_t counts[3])
{
    uint16_t found[600];
    size_t next = 0;

    found[count] = CODE_CANARY;
    size_t kept = ((vsk_code_pass_fn)row->fn)(test, block->dots, block->inv, block->cos, block->sin,
                                              block->r, count, found);
    assert_true(kept <= count && found[count] == CODE_CANARY);
    for (size_t i = 0; i < count; i++) {
        int is_kept = next < kept && found[next] == i;
        int expected = code_expected(test, block, i);
        next += (size_t)is_kept;
        counts[expected + 1]++;
        if ((expected == 1 && !is_kept) || (expected == -1 && is_kept)) {
            TEST_FAIL_AT(row, "row %zu of %zu: %s, x %.9Lg, cos %.9g, sin %.9g, r %.9g, T %.9Lg", i,
                         count, is_kept ? "kept" : "dropped", code_exact_x(test, block, i, 0),
                         (double)block->cos[i], (double)block->sin[i], (double)block->r[i],
                         (long double)test->alpha * (long double)block->r[i] +
                             (long double)test->beta / (long double)block->r[i]);
        }
    }
    assert_int_equal(next, kept); /* rising, nothing twice */
}

/* Arrays of `count`, each against a guard page of its own. */
enum { CODE_ARRAYS = 5, CODE_PASS_MAX = 599 };
static code_block code_place_block(const test_guarded memory[CODE_ARRAYS], size_t count)
{
    void *at[CODE_ARRAYS];

    for (int i = 0; i < CODE_ARRAYS; i++) {
        at[i] = test_place(&memory[i], 4 * count, 0);
    }
    return (code_block){at[0], at[1], at[2], at[3], at[4]};
}

static void the_bound_test_keeps_what_it_must_and_drops_what_is_beyond(void **state)
{
    (void)state;
    static const double aways[] = {0,    1e-7, -1e-7, 1e-6, -1e-6, 1e-5, -1e-5, 5e-5,
                                   1e-4, 1e-3, -1e-3, 0.01, 0.1,   -0.1, 0.5,   2};
    static const double angles[] = {0, 1e-7, 1e-4, 0.02, 0.1, 0.12, 0.5, 1.5, 1.5707};
    test_guarded memory[CODE_ARRAYS];
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;
    size_t counts[3] = {0, 0, 0};

    for (int i = 0; i < CODE_ARRAYS; i++) {
        memory[i] = test_guarded_new(4 * CODE_PASS_MAX);
    }
    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        for (size_t round = 0; test_is(row, "code_pass") && round < 300; round++) {
            size_t count = round < 70 ? round : test_random(&random) % (CODE_PASS_MAX + 1);
            code_block block = code_place_block(memory, count);
            vsk_code_test test = {(float)code_uniform(1e-5, 1e-3, &random),
                                  (int32_t)(test_random(&random) % 200000) - 100000,
                                  round % 3 == 0 ? 0.0f : (float)code_uniform(0, 0.02, &random),
                                  round % 4 == 0 ? 0.0f : (float)code_uniform(-1, 3, &random),
                                  round % 5 == 0 ? 0.0f : (float)code_uniform(-3, 3, &random),
                                  round % 2 == 0 ? VSK_CODE_SLACK : 3e-5f};
            for (size_t i = 0; i < count; i++) {
                uint64_t bits = test_random(&random);
                double angle = angles[bits % (sizeof angles / sizeof angles[0])];
                double away = aways[(bits >> 8) % (sizeof aways / sizeof aways[0])];
                code_make_row(&test, &block, i, angle, away, &random);
            }
            code_check_pass(row, &test, &block, count, counts);
        }
    }
    print_message("rows to be dropped %zu, either %zu, to be kept %zu\n", counts[0], counts[1],
                  counts[2]);
    assert_true(counts[0] > 1000 && counts[2] > 1000);
    for (int i = 0; i < CODE_ARRAYS; i++) {
        test_guarded_free(&memory[i]);
    }
}

static void the_bound_test_keeps_nan_and_decides_zero_by_beta(void **state)
{
    (void)state;
    enum { COUNT = 37 };
    const vsk_kernel_row *row;

    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        for (size_t at = 0; test_is(row, "code_pass") && at < COUNT * 6; at++) {
            int32_t dots[COUNT];
            float inv[COUNT], cosines[COUNT], sines[COUNT], r[COUNT];
            float *const arrays[] = {inv, cosines, sines, r, r, r};
            size_t kind = at / COUNT;
            vsk_code_test test = {1e-4f, 0, 0.01f, 0.4f, kind == 4 ? -0.5f : 0.5f, VSK_CODE_SLACK};
            uint16_t found[COUNT];
            for (size_t i = 0; i < COUNT;
                 i++) { /* every row is beyond: cosine 0, T at least 0.89 */
                dots[i] = 0;
                inv[i] = 0.02f;
                cosines[i] = 0.99f;
                sines[i] = 0.1411f;
                r[i] = kind == 4 ? 10.0f : 1.1f;
            }
            arrays[kind][at % COUNT] = kind < 4 ? NAN : 0.0f;
            size_t kept =
                ((vsk_code_pass_fn)row->fn)(&test, dots, inv, cosines, sines, r, COUNT, found);
            size_t expected = kind < 5; /* 4: r = 0 and beta negative; 5: r = 0, beta positive */
            if (kept != expected || (kept == 1 && found[0] != at % COUNT)) {
                TEST_FAIL_AT(row, "kind %zu at %zu: %zu kept", kind, at % COUNT, kept);
            }
        }
        for (int limit = 0; test_is(row, "code_pass") && limit < 3; limit++) {
            int32_t dots[COUNT] = {0};
            float terms[COUNT], r[COUNT];
            uint16_t found[COUNT];
            vsk_code_test test = {1e-4f, 0, 0.01f, 0.0f, -INFINITY, VSK_CODE_SLACK};
            test.beta = limit == 2 ? NAN : -INFINITY;
            test.error = limit == 1 ? INFINITY : 0.01f;
            for (size_t i = 0; i < COUNT; i++) {
                terms[i] = 0.5f;
                r[i] = i % 2 == 0 ? 0.0f : 1e9f;
            }
            assert_int_equal(
                ((vsk_code_pass_fn)row->fn)(&test, dots, terms, terms, terms, r, COUNT, found),
                COUNT);
        }
    }
}

/* ---- the whole chain ---- */

/* The interval that x, within `error` of the cosine between a code and p, allows for cos(v, p). */
static void code_check_interval(long double s, long double error, long double cos, long double sin,
                                long double exact, const char *what, size_t n, int kinds)
{
    long double upper = code_exact_upper(s + error < -1 ? -1 : s + error, cos, sin, 0) + 1e-6L;
    long double lower = -code_exact_upper(error - s < -1 ? -1 : error - s, cos, sin, 0) - 1e-6L;

    if (!(lower <= exact && exact <= upper)) {
        print_error("%s, n %zu, kinds %d: %.9Lg is not within %.9Lg .. %.9Lg\n", what, n, kinds,
                    exact, lower, upper);
        fail();
    }
}

static void code_check_chain(const vsk_table *table, size_t n, int v_kind, int p_kind,
                             uint64_t *random)
{
    float v[1024], p[1024];
    int8_t planes[2][1024];
    static code_coded coded;
    vsk_code_query query;
    int32_t dots[2][2]; /* [query plane][code plane] */

    code_fill(v, n, v_kind, random);
    code_fill(p, n, p_kind, random);
    if (test_random(random) % 4 == 0) { /* close to one another */
        for (size_t i = 0; i < n; i++) {
            p[i] = v[i] * (1.0f + (float)(test_random(random) % 64) * 0x1p-9f);
        }
    }
    table->rotate(v, n);
    table->rotate(p, n);
    if (code_is_zero(p, n)) {
        return;
    }
    vsk_code_encode_with(table, v, n, coded.plane_b, coded.plane_c, &coded.terms);
    vsk_code_query_init(p, n, planes[0], planes[1], &query);
    for (size_t i = 0; i < 2; i++) {
        table->code_dot(planes[i], n, 1, coded.plane_b, n / 2, 1, n, &dots[i][0]);
        table->code_dot(planes[i], n, 1, coded.plane_c, n / 2, 1, n, &dots[i][1]);
    }
    long double exact =
        code_exact_dot(v, p, n) / sqrtl(code_exact_dot(v, v, n)) / sqrtl(code_exact_dot(p, p, n));
    const vsk_code_terms *terms = &coded.terms;
    long double scale = (long double)query.scale;
    long double offset = (long double)query.sum_high;
    long double coarse = (long double)dots[0][0] - 7.5L * offset;
    long double high = 16.0L * dots[0][0] + dots[0][1] - 127.5L * offset;
    long double low = 16.0L * dots[1][0] + dots[1][1] - 127.5L * query.sum_low;
    int kinds = 100 * v_kind + p_kind;
    code_check_interval(scale * coarse * (long double)terms->inv4, (long double)query.error_high,
                        (long double)terms->cos4, (long double)terms->sin4, exact, "plane B", n,
                        kinds);
    code_check_interval(scale * high * (long double)terms->inv8, (long double)query.error_high,
                        (long double)terms->cos8, (long double)terms->sin8, exact, "both", n,
                        kinds);
    code_check_interval(scale * (high + low / 254) * (long double)terms->inv8,
                        (long double)query.error_both, (long double)terms->cos8,
                        (long double)terms->sin8, exact, "both, both", n, kinds);
}

static void certified_intervals_hold_the_cosine(void **state)
{
    (void)state;
    uint64_t random = TEST_SEED;
    vsk_table table;

    for (int level = 0; level < VSK_LEVEL_COUNT; level++) {
        if (vsk_table_for_level((vsk_level)level, &table) != 0) {
            print_message("level %s: not on this machine\n", vsk_level_name((vsk_level)level));
            continue;
        }
        for (size_t n = 64; n <= 1024; n += 64) {
            for (int kinds = 0; kinds < CODE_KINDS * CODE_KINDS; kinds++) {
                code_check_chain(&table, n, kinds % CODE_KINDS, kinds / CODE_KINDS, &random);
            }
        }
    }
}

/* The functions without a table use the chosen one. */
static void the_chosen_level_is_used(void **state)
{
    (void)state;
    float v[2][192];
    code_coded coded[2];
    uint64_t random = TEST_SEED;

    assert_int_equal(vsk_init(NULL), 0);
    code_fill(v[0], 192, CODE_GAUSSIAN, &random);
    memcpy(v[1], v[0], sizeof v[0]);
    vsk_rotate(v[0], 192);
    vsk_rotate_f32_scalar(v[1], 192);
    assert_memory_equal(v[0], v[1], sizeof v[0]);
    memset(coded, 0, sizeof coded);
    vsk_code_encode(v[0], 192, coded[0].plane_b, coded[0].plane_c, &coded[0].terms);
    vsk_code_encode_with(vsk_get(), v[0], 192, coded[1].plane_b, coded[1].plane_c, &coded[1].terms);
    assert_memory_equal(&coded[0], &coded[1], sizeof coded[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dims_are_rounded_up_to_groups),
        cmocka_unit_test(rotation_is_the_one_of_the_header_within_its_error),
        cmocka_unit_test(rotation_keeps_products),
        cmocka_unit_test(rotation_spreads_single_elements),
        cmocka_unit_test(rotation_has_the_same_bits_on_every_level),
        cmocka_unit_test(products_are_exact),
        cmocka_unit_test(the_largest_products_fit),
        cmocka_unit_test(checksum_is_that_of_the_header),
        cmocka_unit_test(checksums_of_rows_are_those_of_each),
        cmocka_unit_test(checksum_of_known_bytes),
        cmocka_unit_test(checksum_notices_every_damaged_bit),
        cmocka_unit_test(terms_keep_their_promise_and_all_levels_agree),
        cmocka_unit_test(gaussian_vectors_are_coded_well),
        cmocka_unit_test(what_cannot_be_coded_bounds_nothing),
        cmocka_unit_test(a_query_is_within_its_errors),
        cmocka_unit_test(the_bound_test_keeps_what_it_must_and_drops_what_is_beyond),
        cmocka_unit_test(the_bound_test_keeps_nan_and_decides_zero_by_beta),
        cmocka_unit_test(certified_intervals_hold_the_cosine),
        cmocka_unit_test(the_chosen_level_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
