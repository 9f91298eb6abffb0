/*
 * test_frame_damage.c - block frames: what is damaged, forged or too large is refused.
 */
#include "../vs_test.h"

#include "../frame_room.h"
#include "../vs_fault.h"

#include <stdio.h>

#include <zstd.h>

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
            assert_int_equal(frame_try(frame, cut, FRAME_LIMIT, NULL, NULL, &err), SQLITE_ERROR);
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
        int streams = frame_info(frame, n).stream_count;
        size_t head_bytes = VS_FRAME_HEADER_BYTES + (size_t)streams * VS_FRAME_RECORD_BYTES;
        for (size_t bit = 0; bit < 8 * n; bit++) {
            vs_err err = VS_ERR_INIT;
            frame[bit / 8] ^= (unsigned char)(1 << bit % 8);
            int rc = frame_try(frame, n, FRAME_LIMIT, NULL, raw, &err);
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
            (void)frame_try(frame, n, FRAME_LIMIT, NULL, NULL, &err);
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
    frame_refused(longer, n + 1, SQLITE_ERROR,
                  "t: the frame's header is followed by 17 bytes, not 16");
    longer[24] = 17; /* the header agrees, the streams do not */
    frame_seal(longer);
    frame_refused(longer, n + 1, SQLITE_ERROR,
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
        frame_refused(frame, n, changes[i].code, changes[i].sentence);
    }
    memcpy(frame, made, n);
    frame[8] ^= 1;
    frame_refused(frame, n, SQLITE_ERROR, "t: the frame's header is damaged");
    frame_refused("VSZ", 3, SQLITE_ERROR, "t: not a VSZ1 frame");
    frame_refused("VSZ2", 4, SQLITE_ERROR, "t: not a VSZ1 frame");
    frame_refused("VSZ1", 4, SQLITE_ERROR, "t: the frame is cut off after 4 bytes");
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
        assert_int_equal(frame_try(frame, n, (size_t)-1, NULL, NULL, &err), SQLITE_TOOBIG);
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
    assert_int_equal(frame_try(frame, n, 800, NULL, NULL, &err), SQLITE_OK);
    assert_int_equal(frame_try(frame, n, 799, NULL, NULL, &err), SQLITE_TOOBIG);
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
    frame_refused(frame, wrap_stream(stream, n, RAW_MAX, frame), SQLITE_ERROR, sentence);

    n = ZSTD_compress(stream, sizeof stream, raw, 1000, 1);
    frame_refused(frame, wrap_stream(stream, n, 1001, frame), SQLITE_ERROR,
                  "t: the zstd frame states 1000 bytes, not 1001");
    frame_refused(frame, wrap_stream(stream, n + 1, 1000, frame), SQLITE_ERROR,
                  "t: 1 bytes follow the zstd frame");
    frame_refused(frame, wrap_stream(stream, n - 1, 1000, frame), SQLITE_ERROR,
                  "t: the zstd frame is cut off or damaged");
    frame_refused(frame, wrap_stream("no frame", 8, 1000, frame), SQLITE_ERROR,
                  "t: not a zstd frame");

    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
    n = ZSTD_compress2(context, stream, sizeof stream, raw, 1000);
    ZSTD_freeCCtx(context);
    frame_refused(frame, wrap_stream(stream, n, 1000, frame), SQLITE_ERROR,
                  "t: the zstd frame does not state its content size");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_cut_anywhere_is_refused),
        cmocka_unit_test(a_frame_with_any_bit_flipped_is_refused_or_right),
        cmocka_unit_test(forged_frames_never_crash),
        cmocka_unit_test(bytes_after_a_frame_are_refused),
        cmocka_unit_test(what_a_header_cannot_say_is_refused_by_name),
        cmocka_unit_test(huge_headers_are_refused_without_memory),
        cmocka_unit_test(the_limit_is_obeyed),
        cmocka_unit_test(zstd_streams_must_be_what_the_record_says),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, open_room, close_room);
}
