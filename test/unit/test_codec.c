/*
 * test_codec.c - one zstd frame, checked before anything is allocated for it.
 */
#include "../vs_test.h"

#include "../vs_fault.h"

#include "../../ext/codec.h"

#include <zstd.h>

enum { FRAME_MAX = 1 << 20, CONTENT = 300000 };

static unsigned char content[CONTENT], frame[FRAME_MAX];

/* Compresses `n` bytes of content, half text, half noise. */
static size_t make_frame(size_t n, int level, int with_checksum, int with_size)
{
    uint64_t random = 0x1234567u;
    for (size_t i = 0; i < sizeof content; i++) {
        content[i] =
            i % 2000 < 1000 ? (unsigned char)(i % 61) : (unsigned char)vs_test_random(&random);
    }
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, with_checksum);
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, with_size);
    size_t bytes = ZSTD_compress2(context, frame, sizeof frame, content, n);
    assert_false(ZSTD_isError(bytes));
    ZSTD_freeCCtx(context);
    return bytes;
}

static void check_decodes(size_t n, size_t frame_bytes)
{
    vs_err err = VS_ERR_INIT;
    void *out = NULL;
    size_t out_bytes = 0;
    assert_int_equal(vs_codec_unzstd("t", frame, frame_bytes, n, &out, &out_bytes, &err),
                     SQLITE_OK);
    assert_null(err.message);
    assert_int_equal(out_bytes, n);
    assert_non_null(out);
    assert_memory_equal(out, content, n);
    sqlite3_free(out);
}

/* Expects failure with a sentence that begins so; nothing stays allocated. */
static void check_fails(const void *bytes, size_t n, size_t limit, int code, const char *beginning)
{
    vs_err err = VS_ERR_INIT;
    void *out = frame;
    size_t out_bytes = 1;
    int64_t live = vs_fault_live();
    assert_int_equal(vs_codec_unzstd("t", bytes, n, limit, &out, &out_bytes, &err), code);
    assert_null(out);
    assert_int_equal(out_bytes, 0);
    if (err.message == NULL || strncmp(err.message, beginning, strlen(beginning)) != 0) {
        fail_msg("\"%s\", not \"%s\"", err.message, beginning);
    }
    vs_error_clear(&err);
    assert_int_equal(vs_fault_live(), live);
}

static void frames_of_every_size_come_back(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 255, 256, 65535, 65536, 131072, 131073, CONTENT};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(sizes); i++) {
        for (int with_checksum = 0; with_checksum < 2; with_checksum++) {
            check_decodes(sizes[i], make_frame(sizes[i], 3, with_checksum, 1));
            check_decodes(sizes[i], make_frame(sizes[i], 19, with_checksum, 1));
        }
    }
}

static void a_frame_cut_anywhere_is_refused(void **state)
{
    size_t bytes = make_frame(3000, 3, 1, 1);
    (void)state;
    check_fails(frame, 0, CONTENT, SQLITE_ERROR, "t: not a zstd frame");
    for (size_t n = 1; n < bytes; n++) {
        unsigned char *copy = malloc(n); /* its own size: a sanitizer sees a step too far */
        memcpy(copy, frame, n);
        check_fails(copy, n, CONTENT, SQLITE_ERROR, "t: ");
        free(copy);
    }
}

static void bytes_after_the_frame_are_refused(void **state)
{
    size_t bytes = make_frame(3000, 3, 0, 1);
    (void)state;
    frame[bytes] = 0;
    check_fails(frame, bytes + 1, CONTENT, SQLITE_ERROR, "t: 1 bytes follow the zstd frame");
    memcpy(frame + bytes, frame, bytes);
    check_fails(frame, 2 * bytes, CONTENT, SQLITE_ERROR, "t: ");
}

static void content_beyond_the_limit_is_refused_without_memory_for_it(void **state)
{
    (void)state;
    size_t bytes = make_frame(CONTENT, 3, 0, 1);
    check_fails(frame, bytes, CONTENT - 1, SQLITE_TOOBIG,
                "t: the content has 300000 bytes, more than the limit of 299999");
}

static void
a_frame_that_promises_more_than_its_blocks_hold_is_refused_without_memory_for_it(void **state)
{
    /* magic, single segment with 8 bytes of size, 1 MiB; then one empty last block */
    static const unsigned char bomb[] = {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0x10,
                                         0,    0,    0,    0,    0,    1, 0, 0};
    (void)state;
    int64_t before = vs_fault_allocations();
    check_fails(bomb, sizeof bomb, 1000000000, SQLITE_ERROR,
                "t: the zstd frame states 1048576 bytes, more than its 1 blocks can hold");
    assert_true(vs_fault_allocations() - before <= 2); /* the sentence alone */
}

static void a_window_above_8_mib_is_refused(void **state)
{
    /* magic, 4 bytes of size, window descriptor 2^24; one empty last block */
    static const unsigned char wide[] = {0x28, 0xb5, 0x2f, 0xfd, 0x80, 14 << 3, 0,
                                         0,    0,    0,    1,    0,    0};
    static const unsigned char fits[] = {0x28, 0xb5, 0x2f, 0xfd, 0x80, 13 << 3, 0,
                                         0,    0,    0,    1,    0,    0};
    vs_err err = VS_ERR_INIT;
    void *out = NULL;
    size_t bytes = 1;
    (void)state;
    check_fails(wide, sizeof wide, CONTENT, SQLITE_ERROR,
                "t: the zstd frame has a window of 16777216 bytes, more than 8388608");
    assert_int_equal(vs_codec_unzstd("t", fits, sizeof fits, CONTENT, &out, &bytes, &err),
                     SQLITE_OK);
    assert_int_equal(bytes, 0);
    sqlite3_free(out);
}

static void other_kinds_of_frames_are_refused(void **state)
{
    static const unsigned char skippable[] = {0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4};
    static const unsigned char dictionary[] = {0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 0, 1, 0, 0};
    static const unsigned char reserved_block[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 7, 0, 0};
    (void)state;
    check_fails("not zstd at all", 15, CONTENT, SQLITE_ERROR, "t: not a zstd frame");
    check_fails(skippable, sizeof skippable, CONTENT, SQLITE_ERROR,
                "t: a skippable frame, not a zstd frame");
    check_fails(dictionary, sizeof dictionary, CONTENT, SQLITE_ERROR,
                "t: the zstd frame needs dictionary 7");
    check_fails(reserved_block, sizeof reserved_block, CONTENT, SQLITE_ERROR,
                "t: the zstd frame is cut off or damaged");
    size_t bytes = make_frame(3000, 3, 0, 0);
    check_fails(frame, bytes, CONTENT, SQLITE_ERROR,
                "t: the zstd frame does not state its content size");
}

static void a_wrong_checksum_is_noticed(void **state)
{
    size_t bytes = make_frame(3000, 3, 1, 1);
    (void)state;
    frame[bytes - 1] ^= 1;
    check_fails(frame, bytes, CONTENT, SQLITE_ERROR, "t: the zstd frame is damaged: ");
}

static void a_size_other_than_the_stated_one_is_noticed(void **state)
{
    /* states 5 bytes, holds a raw block of 3 */
    static const unsigned char shorter[] = {0x28,       0xb5, 0x2f, 0xfd, 0x20, 5,
                                            3 << 3 | 1, 0,    0,    'a',  'b',  'c'};
    (void)state;
    check_fails(shorter, sizeof shorter, CONTENT, SQLITE_ERROR, "t: the zstd frame ");
}

static void damaged_frames_never_crash(void **state)
{
    uint64_t random = 0xabcdef123u;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        static unsigned char intact[4096];
        static size_t bytes;
        if (i == 0) {
            bytes = make_frame(3000, 3, 0, 1);
            memcpy(intact, frame, bytes);
        }
        memcpy(frame, intact, bytes);
        for (int j = 0; j < 3; j++) {
            frame[vs_test_random(&random) % (j == 0 ? 20 : bytes)] =
                (unsigned char)vs_test_random(&random);
        }
        vs_err err = VS_ERR_INIT;
        void *out = NULL;
        size_t out_bytes = 0;
        int rc = vs_codec_unzstd("t", frame, bytes, CONTENT, &out, &out_bytes, &err);
        assert_true((rc == SQLITE_OK) == (out != NULL));
        assert_true((rc == SQLITE_OK) == (err.message == NULL));
        sqlite3_free(out);
        vs_error_clear(&err);
    }
}

static void every_failed_allocation_is_nomem_and_leaks_nothing(void **state)
{
    size_t bytes = make_frame(3000, 3, 1, 1);
    (void)state;
    int64_t live = vs_fault_live();
    for (int n = 1, failed = 1; failed; n++) {
        vs_err err = VS_ERR_INIT;
        void *out = NULL;
        size_t out_bytes = 0;
        vs_fault_arm(n, 0);
        int rc = vs_codec_unzstd("t", frame, bytes, CONTENT, &out, &out_bytes, &err);
        failed = vs_fault_disarm() > 0;
        assert_int_equal(rc, failed ? SQLITE_NOMEM : SQLITE_OK);
        sqlite3_free(out);
        assert_int_equal(vs_fault_live(), live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_every_size_come_back),
        cmocka_unit_test(a_frame_cut_anywhere_is_refused),
        cmocka_unit_test(bytes_after_the_frame_are_refused),
        cmocka_unit_test(content_beyond_the_limit_is_refused_without_memory_for_it),
        cmocka_unit_test(
            a_frame_that_promises_more_than_its_blocks_hold_is_refused_without_memory_for_it),
        cmocka_unit_test(a_window_above_8_mib_is_refused),
        cmocka_unit_test(other_kinds_of_frames_are_refused),
        cmocka_unit_test(a_wrong_checksum_is_noticed),
        cmocka_unit_test(a_size_other_than_the_stated_one_is_noticed),
        cmocka_unit_test(damaged_frames_never_crash),
        cmocka_unit_test(every_failed_allocation_is_nomem_and_leaks_nothing),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
