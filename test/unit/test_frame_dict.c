/*
 * test_frame_dict.c - block frames with dictionaries, and without memory.
 */
#include "../vs_test.h"

#include "../frame_room.h"
#include "../vs_fault.h"

#include <stdio.h>

#include <zdict.h>

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
    vs_frame_info info = frame_info(made, n);
    assert_int_equal(info.dict_id, dict.id);
    assert_int_equal(frame_try(made, n, FRAME_LIMIT, &dict, NULL, &err), SQLITE_OK);
    assert_int_equal(frame_try(plain, plain_bytes, FRAME_LIMIT, &dict, NULL, &err), SQLITE_OK);

    snprintf(sentence, sizeof sentence, "t: the frame needs dictionary %u", (unsigned)dict.id);
    frame_refused(made, n, SQLITE_ERROR, sentence);

    vs_codec_dict other = {dictionary, dict.bytes, dict.id + 1};
    assert_int_equal(frame_try(made, n, FRAME_LIMIT, &other, NULL, &err), SQLITE_ERROR);
    snprintf(sentence, sizeof sentence, "t: the frame needs dictionary %u, not %u",
             (unsigned)dict.id, (unsigned)dict.id + 1);
    assert_string_equal(err.message, sentence);
    vs_error_clear(&err);

    unsigned char *frame = made;
    frame[16] ^= 1; /* the header names another dictionary than the stream */
    frame_seal(frame);
    snprintf(sentence, sizeof sentence, "t: the zstd frame names dictionary %u, not %u",
             (unsigned)dict.id, (unsigned)dict.id ^ 1);
    frame_refused(frame, n, SQLITE_ERROR, sentence);
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
    assert_int_equal(frame_info(frame, n).dict_id, 0);
    assert_int_equal(frame_try(frame, n, FRAME_LIMIT, NULL, raw, &err), SQLITE_OK);
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
        (void)frame_try(made, n, FRAME_LIMIT, &with, NULL, &err);
        vs_error_clear(&err);
        if (vs_frame_encode("t", raw, &shape, &options, &out, &bytes, &err) == SQLITE_OK) {
            assert_int_equal(frame_try(out, bytes, FRAME_LIMIT, &with, NULL, &err), SQLITE_OK);
        }
        sqlite3_free(out);
        vs_error_clear(&err);
    }
    sqlite3_free(made);
}

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
            rc = vs_frame_read("t", frame, bytes, FRAME_LIMIT, &info, &err);
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
        cmocka_unit_test(a_dictionary_makes_small_frames_smaller_and_is_needed_to_read_them),
        cmocka_unit_test(a_dictionary_that_expands_too_far_is_left_out),
        cmocka_unit_test(a_dictionary_under_another_id_is_refused),
        cmocka_unit_test(damaged_dictionaries_never_crash),
        cmocka_unit_test(every_failed_allocation_is_nomem_and_leaks_nothing),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, open_room, close_room);
}
