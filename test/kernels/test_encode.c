/*
 * test_encode.c - the parts of the encoder: what clipping loses, and planes with their products.
 *
 * What they give ends up in files, so every level must have the bits of the definitions in code.h,
 * which are written here once more, element by element.
 */
#include "kernel_test.h"

#include <float.h>

enum { ENCODE_MAX = 5440, ENCODE_CANARY = 0x5a };

/* Kinds of elements, beyond those of test_data. */
enum {
    ENCODE_GAUSSIAN = TEST_DATA_COUNT,
    ENCODE_ON_EDGES, /* on the clips, and one step of float32 beside them; or on steps */
    ENCODE_FIRST,    /* the largest one is the first */
    ENCODE_LAST,
    ENCODE_KINDS
};

static size_t encode_next_n(size_t n)
{
    return n < 1024 ? n + VSK_CODE_GROUP : n < ENCODE_MAX ? ENCODE_MAX : ENCODE_MAX + 1;
}

/* edges: [count] magnitudes, for ENCODE_ON_EDGES. */
static void encode_fill(float *v, size_t n, int kind, const float *edges, size_t count,
                        uint64_t *random)
{
    if (kind < TEST_DATA_COUNT) {
        test_fill(VSK_F32, v, n, (test_data)kind, random);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = test_random(random);
        if (kind == ENCODE_ON_EDGES) {
            float x = edges[bits % count];
            float beside = bits >> 40 & 1 ? INFINITY : -INFINITY;
            x = (bits >> 32) % 3 == 0 ? x : nextafterf(x, beside);
            v[i] = fabsf(x) > FLT_MAX ? 0.0f : bits >> 41 & 1 ? -x : x;
            continue;
        }
        double sum = -2;
        for (int j = 0; j < 4; j++) {
            sum += (double)(test_random(random) >> 11) * 0x1p-53;
        }
        v[i] = (float)sum;
    }
    if (kind == ENCODE_FIRST || kind == ENCODE_LAST) {
        v[kind == ENCODE_FIRST ? 0 : n - 1] = -37.5f;
    }
}

static float encode_largest(const float *v, size_t n)
{
    float largest = 0;

    for (size_t i = 0; i < n; i++) {
        largest = fabsf(v[i]) > largest ? fabsf(v[i]) : largest;
    }
    return largest;
}

static int encode_same_bits(const void *a, const void *b, size_t bytes)
{
    return memcmp(a, b, bytes) == 0;
}

/* ---- the tail ---- */

/* Rising clips: multiples of `unit`, some twice; the last ones overflow for a large unit. */
static void encode_fill_clips(float unit, float clips[VSK_CODE_CLIPS])
{
    for (size_t k = 0; k < VSK_CODE_CLIPS; k++) {
        double factor = (double)(k - k % 3) * (double)(k - k % 3) * 0.25 + 0.5;
        clips[k] = (float)((double)unit * factor);
    }
}

static float encode_oracle_tail(const float *v, size_t n, const float *clips, double *lost)
{
    for (size_t k = 0; k < VSK_CODE_CLIPS; k++) {
        lost[k] = 0;
        for (size_t i = 0; i < n; i++) {
            if (fabsf(v[i]) > clips[k]) {
                volatile double beyond = fabs((double)v[i]) - (double)clips[k];
                volatile double square = beyond * beyond;
                lost[k] += square;
            }
        }
    }
    return encode_largest(v, n);
}

static void encode_check_tail(const vsk_kernel_row *row, const float *v, size_t n, int kind,
                              const float *clips)
{
    double expected[VSK_CODE_CLIPS];
    double found[VSK_CODE_CLIPS + 1];
    float expected_largest = encode_oracle_tail(v, n, clips, expected);

    memset(found, ENCODE_CANARY, sizeof found);
    float found_largest = ((vsk_code_tail_fn)row->fn)(v, n, clips, found);
    if (!encode_same_bits(&found_largest, &expected_largest, sizeof found_largest) ||
        !encode_same_bits(found, expected, sizeof expected)) {
        TEST_FAIL_AT(row, "n %zu, kind %d, first clip %g", n, kind, (double)clips[0]);
    }
    assert_int_equal(*(unsigned char *)&found[VSK_CODE_CLIPS], ENCODE_CANARY);
}

static void the_tail_is_that_of_the_header(void **state)
{
    (void)state;
    static const float units[] = {0.0f, 1e-44f, 1e-30f, 0.6f, 3.0f, 1e30f, FLT_MAX};
    test_guarded memory = test_guarded_new(sizeof(float) * ENCODE_MAX);
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;

    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        for (size_t n = VSK_CODE_GROUP; test_is(row, "code_tail") && n <= ENCODE_MAX;
             n = encode_next_n(n)) {
            for (size_t at = 0; at < ENCODE_KINDS * (sizeof units / sizeof units[0]); at++) {
                int kind = (int)(at % ENCODE_KINDS);
                float clips[VSK_CODE_CLIPS];
                int place = at % 2 == 0 ? 0 : 2; /* where floats are aligned */
                float *v = (float *)(void *)test_place(&memory, sizeof(float) * n, place);
                encode_fill_clips(units[at / ENCODE_KINDS], clips);
                encode_fill(v, n, kind, clips, VSK_CODE_CLIPS, &random);
                encode_check_tail(row, v, n, kind, clips);
            }
        }
    }
    test_guarded_free(&memory);
}

/* A single element beyond, at every place. */
static void no_place_is_missed_by_the_tail(void **state)
{
    (void)state;
    enum { N = 576 };
    static float v[N];
    float clips[VSK_CODE_CLIPS];
    const vsk_kernel_row *row;

    encode_fill_clips(1.0f, clips);
    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        for (size_t i = 0; test_is(row, "code_tail") && i < N; i++) {
            v[i] = i % 2 == 0 ? -30.25f : 0.625f;
            encode_check_tail(row, v, N, -1, clips);
            v[i] = i % 2 == 0 ? -0.0f : 0.0f;
        }
    }
}

/* ---- planes ---- */

typedef struct encode_piece {
    uint8_t plane_b[VSK_CODE_PIECE];
    uint8_t plane_c[VSK_CODE_PIECE];
    vsk_code_products products[2];
} encode_piece;

static int encode_oracle_u(float x, float steps_per_unit)
{
    volatile float steps = x * steps_per_unit;
    volatile float shifted = steps + 128.0f;

    return shifted < 0 ? 0 : shifted >= 255 ? 255 : (int)shifted;
}

static void encode_oracle_planes(const float *low, const float *high, size_t count,
                                 float steps_per_unit, encode_piece *out)
{
    static float both[2 * VSK_CODE_PIECE];
    static float values[2][2 * VSK_CODE_PIECE];
    int64_t sums[2] = {0, 0}; /* of squares, times four */

    memset(out, ENCODE_CANARY, sizeof *out);
    for (size_t i = 0; i < 2 * count; i++) {
        both[i] = i < count ? low[i] : high[i - count];
        int u = encode_oracle_u(both[i], steps_per_unit);
        values[0][i] = 16 * ((float)(u / 16) - 7.5f);
        values[1][i] = (float)u - 127.5f;
        sums[0] += (32 * (u / 16) - 240) * (32 * (u / 16) - 240);
        sums[1] += (2 * u - 255) * (2 * u - 255);
        if (i < count) {
            out->plane_b[i] = (uint8_t)(u / 16);
            out->plane_c[i] = (uint8_t)(u % 16);
        } else {
            out->plane_b[i - count] |= (uint8_t)(u / 16 * 16);
            out->plane_c[i - count] |= (uint8_t)(u % 16 * 16);
        }
    }
    for (int i = 0; i < 2; i++) {
        out->products[i].dot = vsk_dot_f32_scalar(both, values[i], 2 * count);
        out->products[i].sumsq = 0.25 * (double)sums[i];
    }
}

/* All four arrays of a piece, the elements and planes against guard pages. */
typedef struct encode_memory {
    test_guarded low, high, plane_b, plane_c;
} encode_memory;

static void encode_check_planes(const vsk_kernel_row *row, const encode_memory *memory,
                                size_t count, int kind, int place, uint64_t *random)
{
    static const float clips[] = {0.25f, 0.75f, 1.0f, 3.0f}; /* of the largest element */
    float edges[256];
    encode_piece expected;
    encode_piece found;
    float *low = (float *)(void *)test_place(&memory->low, sizeof(float) * count, place);
    float *high = (float *)(void *)test_place(&memory->high, sizeof(float) * count, place);
    uint8_t *plane_b = test_place(&memory->plane_b, count, place);
    uint8_t *plane_c = test_place(&memory->plane_c, count, place);

    for (int u = 0; u < 256; u++) {
        edges[u] = (float)u - 128.0f;
    }
    encode_fill(low, count, kind, edges, 256, random);
    encode_fill(high, count, kind, edges, 256, random);
    float largest = encode_largest(low, count);
    largest = fmaxf(largest, encode_largest(high, count));
    for (size_t i = 0; i < sizeof clips / sizeof clips[0]; i++) {
        float steps_per_unit = kind == ENCODE_ON_EDGES ? 1.0f : 128.0f / (largest * clips[i]);
        if (!(steps_per_unit < INFINITY)) { /* all 0, or too small for the encoder */
            steps_per_unit = 1e30f;
        }
        encode_oracle_planes(low, high, count, steps_per_unit, &expected);
        memset(&found, ENCODE_CANARY, sizeof found);
        ((vsk_code_planes_fn)row->fn)(low, high, count, steps_per_unit, plane_b, plane_c,
                                      found.products);
        memcpy(found.plane_b, plane_b, count);
        memcpy(found.plane_c, plane_c, count);
        if (!encode_same_bits(&found, &expected, sizeof found)) {
            TEST_FAIL_AT(row, "count %zu, kind %d, %g steps per unit", count, kind,
                         (double)steps_per_unit);
        }
    }
}

static void planes_are_those_of_the_header(void **state)
{
    (void)state;
    encode_memory memory = {
        test_guarded_new(sizeof(float) * VSK_CODE_PIECE),
        test_guarded_new(sizeof(float) * VSK_CODE_PIECE),
        test_guarded_new(VSK_CODE_PIECE),
        test_guarded_new(VSK_CODE_PIECE),
    };
    uint64_t random = TEST_SEED;
    const vsk_kernel_row *row;

    for (size_t k = 0; (row = test_kernel(&k)) != NULL;) {
        for (size_t count = VSK_CODE_GROUP / 2;
             test_is(row, "code_planes") && count <= VSK_CODE_PIECE; count += VSK_CODE_GROUP / 2) {
            for (int round = 0; round < 4 * ENCODE_KINDS; round++) {
                encode_check_planes(row, &memory, count, round % ENCODE_KINDS,
                                    round / ENCODE_KINDS % 2 * 2, &random);
            }
        }
    }
    test_guarded_free(&memory.low);
    test_guarded_free(&memory.high);
    test_guarded_free(&memory.plane_b);
    test_guarded_free(&memory.plane_c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tail_is_that_of_the_header),
        cmocka_unit_test(no_place_is_missed_by_the_tail),
        cmocka_unit_test(planes_are_those_of_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
