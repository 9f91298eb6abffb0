/*
 * test_frame.c - block frames: what goes in comes out, and what is damaged is refused.
 */
#include "../vs_test.h"

#include "../../ext/half.h"
#include "../frame_fixture.h"
#include "../vs_fault.h"

#include <stdio.h>

#include <zdict.h>
#include <zstd.h>

enum { RAW_MAX = 4 << 20, DIM = 96, LIMIT = 64 << 20 };

static unsigned char *raw; /* [RAW_MAX] */

/* ---- What goes in comes out ------------------------------------------------------------------ */

static vs_frame_info read_info(const void *frame, size_t n)
{
    vs_frame_info info;
    vs_err err = VS_ERR_INIT;
    if (vs_frame_read("t", frame, n, LIMIT, &info, &err) != SQLITE_OK) {
        fail_msg("%s", err.message);
    }
    return info;
}

/* Encodes and decodes `raw`; returns what the frame says. */
static vs_frame_info check_round(const vs_frame_shape *shape, vs_frame_mode mode, int level,
                                 size_t *out_bytes)
{
    int64_t live = vs_fault_live();
    void *frame = NULL, *back = NULL;
    vs_err err = VS_ERR_INIT;
    size_t n = frame_encode(raw, shape, mode, level, &frame);
    vs_frame_info info = read_info(frame, n);
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

/* Halves over norms other than 1 are found where the search for norms knows them. */
static void vectors_over_a_norm_are_halved_unless_one_bit_is_wrong(void **state)
{
    static const frame_block kinds[] = {BLOCK_F16_OVER_N, BLOCK_BF16_OVER_N};
    static const vs_frame_transform transforms[] = {VS_FRAME_HALF_F16, VS_FRAME_HALF_BF16};
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
            assert_int_equal(info.transform == transforms[i], is_found);
            assert_true(!is_found || (double)info.raw_bytes / (double)bytes > 2.1);
        }
        raw[400 * DIM] ^= 1;
        vs_frame_info info = check_round(&shape, VS_FRAME_AUTO, 1, &bytes);
        assert_int_not_equal(info.transform, transforms[i]);
    }
}

/* Norms of 1 for some vectors: one vector of exact halves among others takes the same transform. */
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

/* ---- Damage ---------------------------------------------------------------------------------- */

/*
 * Reads and decodes bytes that may be anything, in a block of their size: code and sentence. What is
 * decoded from less than `raw` is `raw`, where is_same says so.
 */
static int try_frame_as(const void *bytes, size_t n, size_t limit, const vs_codec_dict *dict,
                        int is_same, vs_err *err)
{
    int64_t live = vs_fault_live();
    unsigned char *copy = malloc(n > 0 ? n : 1);
    vs_frame_info info;
    void *out = NULL;
    memcpy(copy, bytes, n);
    int rc = vs_frame_read("t", copy, n, limit, &info, err);
    if (rc == SQLITE_OK) {
        rc = vs_frame_decode("t", &info, dict, &out, err);
    }
    free(copy);
    assert_true((rc == SQLITE_OK) == (out != NULL));
    assert_true((rc == SQLITE_OK) == (err->message == NULL));
    if (out != NULL && is_same) {
        assert_memory_equal(out, raw, info.raw_bytes);
    }
    sqlite3_free(out);
    assert_int_equal(vs_fault_live(), live + (err->message != NULL));
    return rc;
}

static int try_frame(const void *bytes, size_t n, size_t limit, const vs_codec_dict *dict,
                     vs_err *err)
{
    return try_frame_as(bytes, n, limit, dict, 0, err);
}

static void check_refused(const void *bytes, size_t n, int code, const char *sentence)
{
    vs_err err = VS_ERR_INIT;
    int rc = try_frame(bytes, n, LIMIT, NULL, &err);
    if (rc != code || strcmp(err.message, sentence) != 0) {
        fail_msg("%d, \"%s\", not \"%s\"", rc, err.message, sentence);
    }
    vs_error_clear(&err);
}

/* One frame of each transform that a block can have here. */
static size_t make_sample(int i, void **out)
{
    static const struct {
        frame_block kind;
        vs_frame_mode mode;
    } samples[] = {{BLOCK_NOISE, VS_FRAME_AUTO},          {BLOCK_TEXT, VS_FRAME_AUTO},
                   {BLOCK_NORMAL, VS_FRAME_AUTO},         {BLOCK_F16, VS_FRAME_AUTO},
                   {BLOCK_DECIMAL, VS_FRAME_AUTO},        {BLOCK_CONSTANT, VS_FRAME_AUTO},
                   {BLOCK_F16_OVER_N, VS_FRAME_MODE_HALF}};
    vs_frame_shape shape = {VS_FRAME_F32, 50, 4};
    if (i >= (int)VS_TEST_COUNT(samples)) {
        return 0;
    }
    frame_fill(samples[i].kind, 50, 800, raw);
    return frame_encode(raw, &shape, samples[i].mode, 1, out);
}

static void a_frame_cut_anywhere_is_refused(void **state)
{
    void *frame = NULL;
    size_t n;
    (void)state;
    for (int i = 0; (n = make_sample(i, &frame)) > 0; i++) {
        for (size_t cut = 0; cut < n; cut++) {
            vs_err err = VS_ERR_INIT;
            assert_int_equal(try_frame(frame, cut, LIMIT, NULL, &err), SQLITE_ERROR);
            vs_error_clear(&err);
        }
        sqlite3_free(frame);
    }
}

/*
 * Some bits of streams do not matter, such as which of two equal strings zstd copies, or whether a
 * float16 NaN is quiet: with them flipped, the block still comes back.
 */
static void a_frame_with_any_bit_flipped_is_refused_or_right(void **state)
{
    void *made = NULL;
    size_t n;
    (void)state;
    for (int i = 0; (n = make_sample(i, &made)) > 0; i++) {
        unsigned char *frame = made;
        int streams = read_info(frame, n).stream_count;
        size_t head_bytes = VS_FRAME_HEADER_BYTES + (size_t)streams * VS_FRAME_RECORD_BYTES;
        for (size_t bit = 0; bit < 8 * n; bit++) {
            vs_err err = VS_ERR_INIT;
            frame[bit / 8] ^= (unsigned char)(1 << bit % 8);
            int rc = try_frame_as(frame, n, LIMIT, NULL, 1, &err);
            if (rc == SQLITE_OK ? bit < 8 * head_bytes : strncmp(err.message, "t: ", 3) != 0) {
                fail_msg("sample %d, bit %d: %d, %s", i, (int)bit, rc, err.message);
            }
            vs_error_clear(&err);
            frame[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        sqlite3_free(frame);
    }
}

/* Flips under a right header checksum: any answer but a crash, and errors are sentences. */
static void forged_frames_never_crash(void **state)
{
    uint64_t random = 0xf06e5u;
    void *made = NULL;
    size_t n;
    (void)state;
    for (int i = 0; (n = make_sample(i, &made)) > 0; i++) {
        unsigned char *frame = malloc(n);
        for (int round = 0; round < 6000; round++) {
            vs_err err = VS_ERR_INIT;
            memcpy(frame, made, n);
            for (uint64_t flips = vs_test_random(&random) % 4 + 1; flips > 0; flips--) {
                size_t reach = vs_test_random(&random) % 2 ? n : 80;
                frame[vs_test_random(&random) % (reach < n ? reach : n)] =
                    (unsigned char)vs_test_random(&random);
            }
            frame_seal(frame);
            (void)try_frame(frame, n, LIMIT, NULL, &err);
            vs_error_clear(&err);
        }
        free(frame);
        sqlite3_free(made);
    }
}

static void bytes_after_a_frame_are_refused(void **state)
{
    void *made = NULL;
    size_t n = make_sample(5, &made);
    unsigned char longer[80];
    (void)state;
    assert_int_equal(n, 56);
    memcpy(longer, made, n);
    longer[n] = 0;
    check_refused(longer, n + 1, SQLITE_ERROR,
                  "t: the frame's header is followed by 17 bytes, not 16");
    longer[24] = 17; /* the header agrees, the streams do not */
    frame_seal(longer);
    check_refused(longer, n + 1, SQLITE_ERROR,
                  "t: the frame's streams have 4 bytes, and 5 are there");
    sqlite3_free(made);
}

/* One changed byte of a constant frame of float32, 50 x 4, and what it is answered with. */
typedef struct change {
    int at, value, code;
    const char *sentence;
} change;

static void what_a_header_cannot_say_is_refused_by_name(void **state)
{
    static const change changes[] = {
        {4, 2, SQLITE_ERROR, "t: the frame has version 2, and this is for 1"},
        {4, 0, SQLITE_ERROR, "t: the frame has version 0, and this is for 1"},
        {5, 7, SQLITE_ERROR, "t: the frame has unknown element type 7"},
        {6, 9, SQLITE_ERROR, "t: the frame has unknown transform 9"},
        {7, 4, SQLITE_ERROR, "t: the frame has unknown flags"},
        {7, 128, SQLITE_ERROR, "t: the frame has unknown flags"},
        {22, 1, SQLITE_ERROR, "t: the frame has unknown flags"},
        {7, 1, SQLITE_ERROR, "t: the frame's flags contradict its fields"},
        {7, 2, SQLITE_ERROR, "t: the frame's flags contradict its fields"},
        {16, 9, SQLITE_ERROR, "t: the frame's flags contradict its fields"},
        {8, 0, SQLITE_ERROR, "t: the frame has dimension 0, not 1 to 65536"},
        {11, 1, SQLITE_ERROR, "t: the frame has dimension 16777266, not 1 to 65536"},
        {12, 0, SQLITE_ERROR, "t: the frame holds no vector"},
        {5, 5, SQLITE_ERROR, "t: the frame has 50 bits, not a multiple of 8"},
        {14, 255, SQLITE_TOOBIG,
         "t: the frame holds 3342336800 bytes, more than the limit of 4194304"},
        {12, 5, SQLITE_ERROR, "t: stream 0 of the frame holds 800 bytes, not 1000"},
        {20, 0, SQLITE_ERROR, "t: the frame has 0 streams of float32, transform 'constant'"},
        {20, 9, SQLITE_ERROR, "t: the frame has 9 streams of float32, transform 'constant'"},
        {20, 255, SQLITE_ERROR, "t: the frame has 255 streams of float32, transform 'constant'"},
        {21, 1, SQLITE_ERROR, "t: the frame has 1 streams of float32, transform 'constant'"},
        {6, 7, SQLITE_ERROR, "t: stream 0 of the frame holds 800 bytes, not 200"},
        {6, 2, SQLITE_ERROR, "t: the frame has 1 streams of float32, transform 'rotated planes'"},
        {6, 0, SQLITE_ERROR, "t: stream 0 of the frame has 4 bytes, coded as fill"},
        {31, 128, SQLITE_ERROR,
         "t: the frame's header is followed by 16 bytes, not 9223372036854775824"},
        {40, 3, SQLITE_ERROR, "t: stream 0 of the frame has unknown coding 3"},
        {40, 0, SQLITE_ERROR, "t: stream 0 of the frame has 4 bytes, coded as stored"},
        {40, 1, SQLITE_ERROR, "t: stream 0 of the frame has 4 bytes, coded as zstd"},
        {41, 1, SQLITE_ERROR, "t: stream 0 of the frame is not plane 0"},
        {42, 1, SQLITE_ERROR, "t: stream 0 of the frame is not plane 0"},
        {44, 5, SQLITE_ERROR, "t: the frame's streams have 5 bytes, and 4 are there"},
        {47, 255, SQLITE_ERROR, "t: the frame's streams have 4278190084 bytes, and 4 are there"},
        {48, 0, SQLITE_ERROR, "t: stream 0 of the frame holds 768 bytes, not 800"},
        {52, 0, SQLITE_ERROR, "t: the frame is damaged: its checksum does not agree"},
        {32, 0, SQLITE_ERROR, "t: the frame is damaged: its checksum does not agree"},
    };
    void *made = NULL;
    size_t n = make_sample(5, &made);
    unsigned char frame[56];
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(changes); i++) {
        memcpy(frame, made, n);
        frame[changes[i].at] = (unsigned char)changes[i].value;
        frame_seal(frame);
        check_refused(frame, n, changes[i].code, changes[i].sentence);
    }
    memcpy(frame, made, n);
    frame[8] ^= 1;
    check_refused(frame, n, SQLITE_ERROR, "t: the frame's header is damaged");
    check_refused("VSZ", 3, SQLITE_ERROR, "t: not a VSZ1 frame");
    check_refused("VSZ2", 4, SQLITE_ERROR, "t: not a VSZ1 frame");
    check_refused("VSZ1", 4, SQLITE_ERROR, "t: the frame is cut off after 4 bytes");
    sqlite3_free(made);
}

/* Sizes whose product does not fit 32 bits, and none that memory is taken for. */
static void huge_headers_are_refused_without_memory(void **state)
{
    void *made = NULL;
    size_t n = make_sample(5, &made);
    unsigned char *frame = made;
    (void)state;
    for (int elem = 0; elem < VS_FRAME_ELEMS; elem++) {
        vs_err err = VS_ERR_INIT;
        frame[5] = (unsigned char)elem;
        memcpy(frame + 8, "\0\0\1\0\xff\xff\xff\xff", 8); /* 65536 x 4294967295 */
        frame_seal(frame);
        int64_t before = vs_fault_allocations();
        assert_int_equal(try_frame(frame, n, (size_t)-1, NULL, &err), SQLITE_TOOBIG);
        assert_true(vs_fault_allocations() - before <= 2); /* the sentence alone */
        vs_error_clear(&err);
    }
    sqlite3_free(frame);
}

static void the_limit_is_obeyed(void **state)
{
    void *frame = NULL;
    vs_err err = VS_ERR_INIT;
    size_t n = make_sample(2, &frame);
    (void)state;
    assert_int_equal(try_frame(frame, n, 800, NULL, &err), SQLITE_OK);
    assert_int_equal(try_frame(frame, n, 799, NULL, &err), SQLITE_TOOBIG);
    assert_string_equal(err.message, "t: the frame holds 800 bytes, more than the limit of 799");
    vs_error_clear(&err);
    sqlite3_free(frame);
}

/* A frame of one zstd stream that states `size` raw bytes. */
static size_t wrap_stream(const void *stream, size_t n, uint32_t size, unsigned char *out)
{
    uint32_t fields[] = {1, size, 0, 1, (uint32_t)(12 + n), 0, 0, 0};
    uint32_t record[] = {1, (uint32_t)n, size};
    memcpy(out, "VSZ1\1\0\0\0", 8);
    memcpy(out + 8, fields, 32);
    memcpy(out + 40, record, 12);
    memcpy(out + 52, stream, n);
    frame_seal(out);
    return 52 + n;
}

static void zstd_streams_must_be_what_the_record_says(void **state)
{
    static unsigned char stream[5000], frame[6000];
    static char sentence[200];
    (void)state;
    memset(raw, 0, RAW_MAX);
    /* a bomb: 4 MiB of zeros in 32 blocks of one repeated byte */
    size_t n = ZSTD_compress(stream, sizeof stream, raw, RAW_MAX, 1);
    snprintf(sentence, sizeof sentence,
             "t: stream 0 of the frame has %d bytes and expands to 4194304, more than 4096-fold",
             (int)n);
    check_refused(frame, wrap_stream(stream, n, RAW_MAX, frame), SQLITE_ERROR, sentence);

    n = ZSTD_compress(stream, sizeof stream, raw, 1000, 1);
    check_refused(frame, wrap_stream(stream, n, 1001, frame), SQLITE_ERROR,
                  "t: the zstd frame states 1000 bytes, not 1001");
    check_refused(frame, wrap_stream(stream, n + 1, 1000, frame), SQLITE_ERROR,
                  "t: 1 bytes follow the zstd frame");
    check_refused(frame, wrap_stream(stream, n - 1, 1000, frame), SQLITE_ERROR,
                  "t: the zstd frame is cut off or damaged");
    check_refused(frame, wrap_stream("no frame", 8, 1000, frame), SQLITE_ERROR,
                  "t: not a zstd frame");

    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
    n = ZSTD_compress2(context, stream, sizeof stream, raw, 1000);
    ZSTD_freeCCtx(context);
    check_refused(frame, wrap_stream(stream, n, 1000, frame), SQLITE_ERROR,
                  "t: the zstd frame does not state its content size");
}

/* ---- Dictionaries ---------------------------------------------------------------------------- */

static unsigned char dictionary[4096];
static vs_codec_dict dict = {dictionary, 0, 0};

static void train(void)
{
    static char samples[200000];
    size_t sizes[2000], at = 0;
    uint64_t random = 77;
    for (int i = 0; i < 2000; i++) {
        sizes[i] = (size_t)snprintf(samples + at, sizeof samples - at,
                                    "{\"name\":\"row %d\",\"price\":%d,\"colour\":\"%s\"}",
                                    (int)(vs_test_random(&random) % 100000),
                                    (int)(vs_test_random(&random) % 1000),
                                    vs_test_random(&random) % 2 ? "red" : "green");
        at += sizes[i];
    }
    dict.bytes = ZDICT_trainFromBuffer(dictionary, sizeof dictionary, samples, sizes, 2000);
    assert_false(ZDICT_isError(dict.bytes));
    dict.id = ZDICT_getDictID(dictionary, dict.bytes);
}

static size_t encode_row(const vs_codec_dict *with, void **out)
{
    static const char row[] = "{\"name\":\"row 4711\",\"price\":815,\"colour\":\"green\"}";
    vs_frame_shape shape = {VS_FRAME_BYTES, 1, sizeof row - 1};
    vs_frame_options options = {VS_FRAME_AUTO, 3, with};
    vs_err err = VS_ERR_INIT;
    size_t n = 0;
    memcpy(raw, row, sizeof row - 1);
    if (vs_frame_encode("t", row, &shape, &options, out, &n, &err) != SQLITE_OK) {
        fail_msg("%s", err.message);
    }
    return n;
}

static void a_dictionary_makes_small_frames_smaller_and_is_needed_to_read_them(void **state)
{
    void *plain = NULL, *made = NULL;
    vs_err err = VS_ERR_INIT;
    char sentence[200];
    (void)state;
    train();
    size_t plain_bytes = encode_row(NULL, &plain), n = encode_row(&dict, &made);
    assert_true(n < plain_bytes - 10);
    vs_frame_info info = read_info(made, n);
    assert_int_equal(info.dict_id, dict.id);
    assert_int_equal(try_frame(made, n, LIMIT, &dict, &err), SQLITE_OK);
    assert_int_equal(try_frame(plain, plain_bytes, LIMIT, &dict, &err), SQLITE_OK);

    snprintf(sentence, sizeof sentence, "t: the frame needs dictionary %u", (unsigned)dict.id);
    check_refused(made, n, SQLITE_ERROR, sentence);

    vs_codec_dict other = {dictionary, dict.bytes, dict.id + 1};
    assert_int_equal(try_frame(made, n, LIMIT, &other, &err), SQLITE_ERROR);
    snprintf(sentence, sizeof sentence, "t: the frame needs dictionary %u, not %u",
             (unsigned)dict.id, (unsigned)dict.id + 1);
    assert_string_equal(err.message, sentence);
    vs_error_clear(&err);

    unsigned char *frame = made;
    frame[16] ^= 1; /* the header names another dictionary than the stream */
    frame_seal(frame);
    snprintf(sentence, sizeof sentence, "t: the zstd frame names dictionary %u, not %u",
             (unsigned)dict.id, (unsigned)dict.id ^ 1);
    check_refused(frame, n, SQLITE_ERROR, sentence);
    sqlite3_free(plain);
    sqlite3_free(made);
}

/* All of a dictionary's frames are within the limit, too. */
static void a_dictionary_that_expands_too_far_is_left_out(void **state)
{
    vs_frame_shape shape = {VS_FRAME_F32, 1024, 1024};
    vs_frame_options options = {VS_FRAME_AUTO, 1, &dict};
    vs_err err = VS_ERR_INIT;
    void *frame = NULL;
    size_t n = 0;
    (void)state;
    train();
    frame_fill(BLOCK_ALMOST_ZERO, 1024, RAW_MAX, raw);
    assert_int_equal(vs_frame_encode("t", raw, &shape, &options, &frame, &n, &err), SQLITE_OK);
    assert_int_equal(read_info(frame, n).dict_id, 0);
    assert_int_equal(try_frame_as(frame, n, LIMIT, NULL, 1, &err), SQLITE_OK);
    sqlite3_free(frame);
}

static void a_dictionary_under_another_id_is_refused(void **state)
{
    vs_codec_dict other = {dictionary, dict.bytes, 40000}, none = {"no dictionary", 13, 40000};
    vs_frame_shape shape = {VS_FRAME_BYTES, 1, 100};
    vs_frame_options options = {VS_FRAME_AUTO, 1, &other};
    vs_err err = VS_ERR_INIT;
    char sentence[200];
    void *out = NULL;
    size_t n;
    (void)state;
    train();
    other.bytes = dict.bytes;
    snprintf(sentence, sizeof sentence, "t: dictionary 40000 says that its id is %u",
             (unsigned)dict.id);
    assert_int_equal(vs_frame_encode("t", raw, &shape, &options, &out, &n, &err), SQLITE_ERROR);
    assert_string_equal(err.message, sentence);
    vs_error_clear(&err);
    options.dict = &none;
    assert_int_equal(vs_frame_encode("t", raw, &shape, &options, &out, &n, &err), SQLITE_ERROR);
    assert_string_equal(err.message, "t: dictionary 40000 says that its id is 0");
    vs_error_clear(&err);
}

static void damaged_dictionaries_never_crash(void **state)
{
    static unsigned char damaged[sizeof dictionary];
    uint64_t random = 0xd1c7u;
    void *made = NULL, *out = NULL;
    (void)state;
    train();
    size_t n = encode_row(&dict, &made);
    for (int i = 0; i < 2000; i++) {
        vs_codec_dict with = {damaged, dict.bytes, dict.id};
        vs_frame_shape shape = {VS_FRAME_BYTES, 1, 1000};
        vs_frame_options options = {VS_FRAME_AUTO, 1, &with};
        vs_err err = VS_ERR_INIT;
        size_t bytes;
        memcpy(damaged, dictionary, dict.bytes);
        for (int j = 0; j < 3; j++) {
            damaged[8 + vs_test_random(&random) % (j == 0 ? 300 : dict.bytes - 8)] =
                (unsigned char)vs_test_random(&random);
        }
        (void)try_frame(made, n, LIMIT, &with, &err);
        vs_error_clear(&err);
        if (vs_frame_encode("t", raw, &shape, &options, &out, &bytes, &err) == SQLITE_OK) {
            assert_int_equal(try_frame(out, bytes, LIMIT, &with, &err), SQLITE_OK);
        }
        sqlite3_free(out);
        vs_error_clear(&err);
    }
    sqlite3_free(made);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void every_failed_allocation_is_nomem_and_leaks_nothing(void **state)
{
    vs_frame_shape shape = {VS_FRAME_F32, 50, 4};
    vs_frame_options options = {VS_FRAME_AUTO, 3, &dict};
    (void)state;
    train();
    frame_fill(BLOCK_DECIMAL, 50, 800, raw);
    int64_t live = vs_fault_live();
    for (int n = 1, failed = 1; failed; n++) {
        vs_err err = VS_ERR_INIT;
        vs_frame_info info;
        void *frame = NULL, *out = NULL;
        size_t bytes = 0;
        vs_fault_arm(n, 0);
        int rc = vs_frame_encode("t", raw, &shape, &options, &frame, &bytes, &err);
        if (rc == SQLITE_OK) {
            rc = vs_frame_read("t", frame, bytes, LIMIT, &info, &err);
        }
        if (rc == SQLITE_OK) {
            rc = vs_frame_decode("t", &info, &dict, &out, &err);
        }
        failed = vs_fault_disarm() > 0;
        assert_int_equal(rc, failed ? SQLITE_NOMEM : SQLITE_OK);
        assert_null(err.message);
        sqlite3_free(frame);
        sqlite3_free(out);
        assert_int_equal(vs_fault_live(), live);
    }
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
        cmocka_unit_test(exact_halves_are_halved_in_mode_half),
        cmocka_unit_test(almost_constant_blocks_stay_within_the_expansion_limit),
        cmocka_unit_test(the_header_has_its_fields_in_their_places),
        cmocka_unit_test(a_frame_cut_anywhere_is_refused),
        cmocka_unit_test(a_frame_with_any_bit_flipped_is_refused_or_right),
        cmocka_unit_test(forged_frames_never_crash),
        cmocka_unit_test(bytes_after_a_frame_are_refused),
        cmocka_unit_test(what_a_header_cannot_say_is_refused_by_name),
        cmocka_unit_test(huge_headers_are_refused_without_memory),
        cmocka_unit_test(the_limit_is_obeyed),
        cmocka_unit_test(zstd_streams_must_be_what_the_record_says),
        cmocka_unit_test(a_dictionary_makes_small_frames_smaller_and_is_needed_to_read_them),
        cmocka_unit_test(a_dictionary_that_expands_too_far_is_left_out),
        cmocka_unit_test(a_dictionary_under_another_id_is_refused),
        cmocka_unit_test(damaged_dictionaries_never_crash),
        cmocka_unit_test(every_failed_allocation_is_nomem_and_leaks_nothing),
    };
    vs_fault_install();
    (void)vsk_init(NULL);
    raw = malloc(RAW_MAX + 1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(raw);
    return failed;
}
