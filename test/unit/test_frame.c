/*
 * test_frame.c - block frames: what goes in comes out, and the smallest way is chosen.
 */
#include "../vs_test.h"

#include <math.h>

#include "../../ext/half.h"
#include "../frame_room.h"
#include "../vs_fault.h"

enum { DIM = 96 };

/* ---- What goes in comes out ------------------------------------------------------------------ */

/* Encodes and decodes `raw`; returns what the frame says. */
static vs_frame_info check_round(const vs_frame_shape *shape, vs_frame_mode mode, int level,
                                 size_t *out_bytes)
{
    int64_t live = vs_fault_live();
    void *frame = NULL, *back = NULL;
    vs_err err = VS_ERR_INIT;
    size_t n = frame_encode(raw, shape, mode, level, &frame);
    vs_frame_info info = frame_info(frame, n);
    assert_int_equal(info.shape.elem, shape->elem);
    assert_int_equal(info.shape.dim, shape->dim);
    assert_int_equal(info.shape.count, shape->count);
    assert_true(n <= VS_FRAME_BYTES_MAX(info.raw_bytes));
    if (vs_frame_decode("t", &info, NULL, &back, &err) != SQLITE_OK) {
        fail_msg("%s", err.message);
    }
    assert_memory_equal(back, raw, info.raw_bytes);
    sqlite3_free(back);
    sqlite3_free(frame);
    assert_int_equal(vs_fault_live(), live);
    *out_bytes = n;
    return info;
}

static uint32_t vectors_of(vs_frame_elem elem, size_t bytes, uint32_t dim)
{
    static const size_t widths[] = {1, 4, 2, 2, 1, 1, 8};
    size_t vector = elem == VS_FRAME_BIT ? dim / 8 : dim * widths[elem];
    return (uint32_t)(bytes / vector);
}

static void every_block_comes_back_in_every_mode(void **state)
{
    (void)state;
    for (int kind = 0; kind < BLOCK_KINDS; kind++) {
        frame_fill((frame_block)kind, DIM, 40000, raw);
        for (int elem = 0; elem < VS_FRAME_ELEMS; elem++) {
            for (int mode = 0; mode < VS_FRAME_MODES; mode++) {
                static const uint32_t dims[] = {8, DIM, 1000};
                for (int d = 0; d < 3; d++) {
                    vs_frame_shape shape = {(vs_frame_elem)elem, dims[d],
                                            vectors_of((vs_frame_elem)elem, 40000, dims[d])};
                    size_t bytes;
                    (void)check_round(&shape, (vs_frame_mode)mode, 1, &bytes);
                }
            }
        }
    }
}

static void small_blocks_come_back(void **state)
{
    (void)state;
    for (int kind = 0; kind < BLOCK_KINDS; kind++) {
        frame_fill((frame_block)kind, 1, 4000, raw);
        for (int elem = 0; elem < VS_FRAME_ELEMS; elem++) {
            for (uint32_t n = 1; n <= 40; n++) {
                vs_frame_shape tall = {(vs_frame_elem)elem, elem == VS_FRAME_BIT ? 8 : 1, n};
                vs_frame_shape wide = {(vs_frame_elem)elem, elem == VS_FRAME_BIT ? 8 * n : n, 1};
                size_t bytes;
                (void)check_round(&tall, VS_FRAME_AUTO, 1, &bytes);
                (void)check_round(&wide, VS_FRAME_AUTO, 1, &bytes);
            }
        }
    }
}

static void every_level_comes_back(void **state)
{
    vs_frame_shape shape = {VS_FRAME_F32, DIM, 100};
    size_t bytes;
    (void)state;
    frame_fill(BLOCK_DECIMAL, DIM, RAW_MAX, raw);
    for (int level = VS_CODEC_LEVEL_MIN; level <= VS_CODEC_LEVEL_MAX; level++) {
        (void)check_round(&shape, VS_FRAME_AUTO, level, &bytes);
        (void)check_round(&shape, VS_FRAME_MODE_RAW, level, &bytes);
    }
}

static void the_largest_block_comes_back_and_a_larger_one_is_refused(void **state)
{
    vs_frame_shape shape = {VS_FRAME_F32, 1024, 1024}, large = {VS_FRAME_BYTES, 1, RAW_MAX + 1};
    vs_frame_options options = {VS_FRAME_AUTO, 1, NULL};
    vs_err err = VS_ERR_INIT;
    void *out = NULL;
    size_t bytes;
    (void)state;
    frame_fill(BLOCK_NORMAL, 1024, RAW_MAX, raw);
    (void)check_round(&shape, VS_FRAME_AUTO, 1, &bytes);
    assert_int_equal(vs_frame_encode("t", raw, &large, &options, &out, &bytes, &err),
                     SQLITE_TOOBIG);
    assert_string_equal(err.message, "t: a block has at most 4194304 bytes, not 4194305");
    assert_null(out);
    vs_error_clear(&err);
}

/* ---- What is chosen -------------------------------------------------------------------------- */

typedef struct choice {
    frame_block kind;
    vs_frame_mode mode;
    vs_frame_transform transform;
    double ratio_min, ratio_max;
} choice;

static void the_transform_that_fits_is_chosen(void **state)
{
    static const choice choices[] = {
        {BLOCK_NORMAL, VS_FRAME_AUTO, VS_FRAME_ROTATED, 1.15, 1.25},
        {BLOCK_NORMAL, VS_FRAME_MODE_PLANES, VS_FRAME_ROTATED, 1.15, 1.25},
        {BLOCK_NORMAL, VS_FRAME_MODE_HALF, VS_FRAME_NONE, 1.0, 1.12},
        {BLOCK_NORMAL, VS_FRAME_MODE_RAW, VS_FRAME_NONE, 1.0, 1.12},
        {BLOCK_NOISE, VS_FRAME_AUTO, VS_FRAME_NONE, 0.99, 1.0},
        {BLOCK_NOISE, VS_FRAME_MODE_PLANES, VS_FRAME_NONE, 0.99, 1.0},
        {BLOCK_TEXT, VS_FRAME_AUTO, VS_FRAME_NONE, 20.0, 1000.0},
        {BLOCK_F16, VS_FRAME_AUTO, VS_FRAME_UPCAST_F16, 1.98, 2.2},
        {BLOCK_BF16, VS_FRAME_AUTO, VS_FRAME_UPCAST_BF16, 1.98, 2.2},
        {BLOCK_DECIMAL, VS_FRAME_AUTO, VS_FRAME_DECIMAL, 1.6, 2.0},
        {BLOCK_WHOLE, VS_FRAME_AUTO, VS_FRAME_DECIMAL, 3.9, 4.1},
        {BLOCK_CONSTANT, VS_FRAME_AUTO, VS_FRAME_CONSTANT, 700.0, 1e6},
    };
    vs_frame_shape shape = {VS_FRAME_F32, DIM, 170};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(choices); i++) {
        size_t bytes;
        frame_fill(choices[i].kind, DIM, 65536, raw);
        vs_frame_info info = check_round(&shape, choices[i].mode, 1, &bytes);
        double ratio = (double)info.raw_bytes / (double)bytes;
        if (info.transform != choices[i].transform || ratio < choices[i].ratio_min ||
            ratio > choices[i].ratio_max) {
            fail_msg("choice %d: transform '%s', ratio %f", (int)i,
                     vs_frame_transform_name(info.transform), ratio);
        }
    }
}

static int is_over_norm(vs_frame_transform transform)
{
    return transform == VS_FRAME_HALF_F16 || transform == VS_FRAME_HALF_BF16;
}

/*
 * Halves over norms other than 1 are found where the search for norms knows them. A bfloat16 of
 * ordinary size is a float16 too, so both may fit.
 */
static void vectors_over_a_norm_are_halved_unless_one_bit_is_wrong(void **state)
{
    static const frame_block kinds[] = {BLOCK_F16_OVER_N, BLOCK_BF16_OVER_N};
    vs_frame_shape shape = {VS_FRAME_F32, DIM, 170};
    (void)state;
    for (int i = 0; i < 2; i++) {
        static uint16_t h[DIM];
        float norm = 0.0f;
        size_t bytes;
        frame_fill(kinds[i], DIM, 65536, raw);
        int is_found = vs_half_find((const void *)raw, DIM, i == 0 ? VSK_F16 : VSK_BF16, h, &norm);
        for (int mode = 0; mode <= VS_FRAME_MODE_HALF; mode += VS_FRAME_MODE_HALF) {
            vs_frame_info info = check_round(&shape, (vs_frame_mode)mode, 1, &bytes);
            double ratio = (double)info.raw_bytes / (double)bytes;
            assert_int_equal(is_over_norm(info.transform), is_found);
            assert_true(!is_found || (ratio > (i == 0 ? 2.1 : 2.5) && info.stream_count == 3));
        }
        raw[400 * DIM] ^= 1;
        vs_frame_info info = check_round(&shape, VS_FRAME_AUTO, 1, &bytes);
        assert_false(is_over_norm(info.transform));
    }
}

/* A vector of exact halves among others has the norm 1, and takes the same transform. */
static void one_exact_vector_does_not_change_the_transform(void **state)
{
    vs_frame_shape shape = {VS_FRAME_F32, DIM, 170};
    static uint16_t h[DIM];
    float norm = 0.0f;
    size_t bytes;
    (void)state;
    frame_fill(BLOCK_F16_OVER_N, DIM, 65536, raw);
    int is_found = vs_half_find((const void *)raw, DIM, VSK_F16, h, &norm);
    frame_fill(BLOCK_WHOLE, DIM, 4 * DIM, raw);
    vs_frame_info info = check_round(&shape, VS_FRAME_MODE_HALF, 1, &bytes);
    assert_int_equal(info.transform == VS_FRAME_HALF_F16, is_found);
}

static void exact_halves_are_halved_in_mode_half(void **state)
{
    vs_frame_shape shape = {VS_FRAME_F32, DIM, 10};
    size_t bytes;
    (void)state;
    frame_fill(BLOCK_WHOLE, DIM, 65536, raw);
    vs_frame_info info = check_round(&shape, VS_FRAME_MODE_HALF, 1, &bytes);
    assert_true(info.transform == VS_FRAME_UPCAST_F16 || info.transform == VS_FRAME_UPCAST_BF16);
    assert_true(bytes < info.raw_bytes / 2);
}

static void almost_constant_blocks_stay_within_the_expansion_limit(void **state)
{
    vs_frame_shape shape = {VS_FRAME_BYTES, 1, RAW_MAX};
    size_t bytes;
    (void)state;
    frame_fill(BLOCK_ALMOST_ZERO, DIM, RAW_MAX, raw);
    vs_frame_info info = check_round(&shape, VS_FRAME_AUTO, 1, &bytes);
    assert_int_equal(info.streams[0].coding, VS_FRAME_ZSTD);
    assert_true(bytes > RAW_MAX / VS_FRAME_EXPANSION_MAX && bytes < RAW_MAX / 100);
}

/* Bytes that an ideal code of single bytes needs. */
static double entropy_bytes(const unsigned char *bytes, size_t n)
{
    double counts[256] = {0.0}, bits = 0.0;
    for (size_t i = 0; i < n; i++) {
        counts[bytes[i]] += 1.0;
    }
    for (int i = 0; i < 256; i++) {
        bits -= counts[i] > 0.0 ? counts[i] * log2(counts[i] / (double)n) : 0.0;
    }
    return bits / 8.0;
}

/* Repeats that are there by chance do not keep zstd from it: they cost a fifth and more. */
static void exponents_take_little_more_than_their_entropy(void **state)
{
    enum { WIDE = 384, COUNT = 42 };
    static unsigned char exponents[WIDE * COUNT];
    vs_frame_shape shape = {VS_FRAME_F32, WIDE, COUNT};
    size_t bytes;
    (void)state;
    frame_fill(BLOCK_NORMAL, WIDE, sizeof exponents * 4, raw);
    for (size_t i = 0; i < sizeof exponents; i++) {
        uint32_t bits;
        memcpy(&bits, raw + 4 * i, 4);
        exponents[i] = (unsigned char)(bits >> 23);
    }
    for (int mode = VS_FRAME_AUTO; mode <= VS_FRAME_MODE_PLANES; mode++) {
        vs_frame_info info = check_round(&shape, (vs_frame_mode)mode, 1, &bytes);
        assert_int_equal(info.transform, VS_FRAME_ROTATED);
        assert_true(info.streams[3].coded_bytes <
                    1.12 * entropy_bytes(exponents, sizeof exponents) + 64.0);
    }
}

/* Vectors that come again are still found. */
static void repeats_in_a_plane_are_found(void **state)
{
    enum { WIDE = 384, COUNT = 42 };
    vs_frame_shape shape = {VS_FRAME_F32, WIDE, COUNT};
    size_t bytes;
    (void)state;
    frame_fill(BLOCK_NORMAL, WIDE, WIDE * 4, raw);
    for (size_t i = 1; i < COUNT; i++) {
        memcpy(raw + i * WIDE * 4, raw, WIDE * 4);
    }
    (void)check_round(&shape, VS_FRAME_MODE_PLANES, 1, &bytes);
    assert_true(bytes < 2 * WIDE * 4);
}

static void the_header_has_its_fields_in_their_places(void **state)
{
    static const unsigned char expected[] = {'V',
                                             'S',
                                             'Z',
                                             '1',
                                             1,
                                             VS_FRAME_F32,
                                             VS_FRAME_CONSTANT,
                                             0,
                                             3,
                                             0,
                                             0,
                                             0,
                                             5,
                                             0,
                                             0,
                                             0,
                                             0,
                                             0,
                                             0,
                                             0,
                                             1,
                                             0,
                                             0,
                                             0,
                                             16,
                                             0,
                                             0,
                                             0,
                                             0,
                                             0,
                                             0,
                                             0};
    static const unsigned char record[] = {VS_FRAME_FILL, 0,    0,    0,   4, 0, 0, 0, 60, 0, 0, 0,
                                           0xcd,          0xab, 0xc0, 0x7f};
    vs_frame_shape shape = {VS_FRAME_F32, 3, 5};
    void *frame = NULL;
    (void)state;
    frame_fill(BLOCK_CONSTANT, 3, 60, raw);
    assert_int_equal(frame_encode(raw, &shape, VS_FRAME_AUTO, 1, &frame), 56);
    assert_memory_equal(frame, expected, sizeof expected);
    assert_memory_equal((unsigned char *)frame + 40, record, sizeof record);
    unsigned char *again = malloc(56);
    memcpy(again, frame, 56);
    frame_seal(again);
    assert_memory_equal(again, frame, 56);
    free(again);
    sqlite3_free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_comes_back_in_every_mode),
        cmocka_unit_test(small_blocks_come_back),
        cmocka_unit_test(every_level_comes_back),
        cmocka_unit_test(the_largest_block_comes_back_and_a_larger_one_is_refused),
        cmocka_unit_test(the_transform_that_fits_is_chosen),
        cmocka_unit_test(vectors_over_a_norm_are_halved_unless_one_bit_is_wrong),
        cmocka_unit_test(one_exact_vector_does_not_change_the_transform),
        cmocka_unit_test(exact_halves_are_halved_in_mode_half),
        cmocka_unit_test(almost_constant_blocks_stay_within_the_expansion_limit),
        cmocka_unit_test(exponents_take_little_more_than_their_entropy),
        cmocka_unit_test(repeats_in_a_plane_are_found),
        cmocka_unit_test(the_header_has_its_fields_in_their_places),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, open_room, close_room);
}
