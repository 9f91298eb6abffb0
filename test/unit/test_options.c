/*
 * test_options.c - the JSON options of a search.
 */
#include "../search_fixture.h"
#include "../vs_test_db.h"

#include "../../ext/options.h"

static vs_options parse(const char *text)
{
    vs_options options;
    vs_err err = VS_ERR_INIT;
    if (vs_options_parse(db, "who", text, &options, &err) != SQLITE_OK) {
        fail_msg("%s: %s", text, err.message);
    }
    return options;
}

static void refuses(const char *text, const char *sentence)
{
    vs_options options;
    vs_err err = VS_ERR_INIT;
    assert_int_equal(vs_options_parse(db, "who", text, &options, &err), SQLITE_ERROR);
    assert_string_equal(err.message, sentence);
    assert_null(options.index);
    vs_error_clear(&err);
}

static void without_text_there_are_defaults(void **state)
{
    static const char *const texts[] = {NULL, "{}", " { } "};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(texts); i++) {
        vs_options options = parse(texts[i]);
        assert_int_equal(options.metric, VS_L2);
        assert_int_equal(options.type, VSK_F32);
        assert_false(options.has_norm_band || options.skip_bad_rows);
        assert_null(options.index);
    }
    assert_int_equal(parse("{\"type\":\"bit\"}").metric, VS_HAMMING);
}

static void every_key_is_read(void **state)
{
    vs_options options = parse("{\"index\":\"a\\\"b\", \"bad_rows\":\"skip\", \"device\":\"auto\", "
                               "\"norm_band\":0.25, \"mode\":\"exact\","
                               "\"type\":\"bfloat16\", \"metric\":\"dot\"}");
    (void)state;
    assert_int_equal(options.metric, VS_DOT);
    assert_int_equal(options.type, VSK_BF16);
    assert_true(options.has_norm_band && options.norm_band == 0.25);
    assert_true(options.skip_bad_rows);
    assert_string_equal(options.index, "a\"b");
    vs_options_free(&options);
    assert_null(options.index);
    assert_true(parse("{\"norm_band\":0}").has_norm_band);
    assert_int_equal(parse("{\"type\":\"bit\",\"metric\":\"jaccard\"}").metric, VS_JACCARD);
    assert_int_equal(parse("{\"bad_rows\":\"error\"}").skip_bad_rows, 0);
}

static void what_is_wrong_is_said_in_one_sentence(void **state)
{
    (void)state;
    refuses(
        "{\"metric\":\"L2\"}",
        "who: option \"metric\" must be l2, l2sq, l1, cosine, dot, hamming or jaccard, found L2");
    refuses(
        "{\"metric\":null}",
        "who: option \"metric\" must be l2, l2sq, l1, cosine, dot, hamming or jaccard, found NULL");
    refuses(
        "{\"metric\":[1]}",
        "who: option \"metric\" must be l2, l2sq, l1, cosine, dot, hamming or jaccard, found [1]");
    refuses("{\"type\":\"float64\"}",
            "who: option \"type\" must be float32, float16, bfloat16, int8 or bit, found float64");
    refuses("{\"mode\":\"fast\"}",
            "who: option \"mode\" must be \"exact\" (this version has no other mode), found fast");
    refuses("{\"recall\":0.9}", "who: option \"recall\" needs an approximate mode, and this "
                                "version has only \"mode\":\"exact\"");
    refuses("{\"device\":\"tpu\"}",
            "who: option \"device\" must be \"auto\", \"cpu\" or \"gpu\", found tpu");
    refuses("{\"norm_band\":-0.5}",
            "who: option \"norm_band\" must be a number from 0 to 1000000, found -0.5");
    refuses("{\"norm_band\":\"0.5\"}",
            "who: option \"norm_band\" must be a number from 0 to 1000000, found 0.5");
    refuses("{\"bad_rows\":true}",
            "who: option \"bad_rows\" must be \"error\" or \"skip\", found 1");
    refuses("{\"index\":7}", "who: option \"index\" must be the name of an index, found 7");
    refuses("{\"k\":5,\"metric\":\"l2\"}",
            "who: unknown options {\"k\":5}; there are metric, type, mode, recall, norm_band, "
            "device, bad_rows and index");
    refuses("{\"metric\":\"hamming\",\"type\":\"float32\"}",
            "who: metric hamming does not apply to element type "
            "float32 (hamming and jaccard are for bit vectors)");
    refuses(
        "{\"metric\":\"l2\",\"type\":\"bit\"}",
        "who: metric l2 does not apply to element type bit (bit vectors have hamming and jaccard)");
    refuses("{\"norm_band\":1,\"type\":\"bit\"}",
            "who: option \"norm_band\" does not apply to bit vectors, which have no norm");
    refuses("[]",
            "who: options must be a JSON object such as '{\"metric\":\"cosine\"}', found array");
    refuses("null",
            "who: options must be a JSON object such as '{\"metric\":\"cosine\"}', found null");
    refuses("{\"metric\":", "who: options are not valid JSON: {\"metric\":");
    refuses("", "who: options are not valid JSON: ");
    refuses("metric=l2", "who: options are not valid JSON: metric=l2");
}

/* A word with \u0000 in it is not the word that stands before it. */
static void words_are_compared_to_their_end(void **state)
{
    (void)state;
    refuses("{\"metric\":\"l1\\u0000zzz\"}",
            "who: option \"metric\" must be l2, l2sq, l1, cosine, dot, hamming or jaccard, found "
            "l1\\u0000...");
    refuses("{\"metric\":\"l1\\u0000\"}",
            "who: option \"metric\" must be l2, l2sq, l1, cosine, dot, hamming or jaccard, found "
            "l1\\u0000...");
    refuses("{\"type\":\"int8\\u0000\"}",
            "who: option \"type\" must be float32, float16, bfloat16, "
            "int8 or bit, found int8\\u0000...");
    refuses("{\"mode\":\"exact\\u0000ly\"}",
            "who: option \"mode\" must be \"exact\" (this version has "
            "no other mode), found exact\\u0000...");
    refuses("{\"device\":\"cpu\\u0000\"}", "who: option \"device\" must be \"auto\", \"cpu\" or "
                                           "\"gpu\", found cpu\\u0000...");
    refuses("{\"bad_rows\":\"skip\\u0000\"}",
            "who: option \"bad_rows\" must be \"error\" or \"skip\", found skip\\u0000...");
    refuses("{\"index\":\"i\\u0000\"}",
            "who: option \"index\" must be the name of an index, found i\\u0000...");
    refuses("{\"metric\":\"\\u0000\"}",
            "who: option \"metric\" must be l2, l2sq, l1, cosine, dot, hamming or jaccard, found "
            "\\u0000...");
}

/* What was taken over before the error is given back. */
static void nothing_is_owned_after_an_error(void **state)
{
    (void)state;
    refuses(
        "{\"index\":\"i\",\"type\":\"bit\",\"metric\":\"l2\"}",
        "who: metric l2 does not apply to element type bit (bit vectors have hamming and jaccard)");
    fixture_nothing_is_open(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_text_there_are_defaults),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(what_is_wrong_is_said_in_one_sentence),
        cmocka_unit_test(words_are_compared_to_their_end),
        cmocka_unit_test(nothing_is_owned_after_an_error),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
