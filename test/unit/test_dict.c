/*
 * test_dict.c - dictionaries: training, the cache of digested ones, the table that holds them.
 */
#include "../text_fixture.h"

#include "../vs_test_db.h"

#include "../../ext/crc32c.h"
#include "../../ext/dict.h"
#include "../../ext/dict_store.h"
#include "../../ext/dict_train.h"

#include <pthread.h>
#include <stdio.h>

/* ---- the sample ------------------------------------------------------------------------------ */

static void sample_stays_within_its_memory_and_repeats(void **state)
{
    vs_sampler a, b;
    char row[TEXT_FIXTURE_ROW_BYTES];
    (void)state;
    vs_sampler_init(&a, 20000, 7);
    vs_sampler_init(&b, 20000, 7);
    for (uint64_t i = 0; i < 3000; i++) {
        size_t n = text_fixture_row(i, row, sizeof row);
        assert_int_equal(vs_sampler_add(&a, row, n), SQLITE_OK);
        assert_int_equal(vs_sampler_add(&b, row, n), SQLITE_OK);
        assert_true(a.bytes <= 20000);
    }
    assert_true(a.bytes > 18000);
    assert_int_equal(a.count, b.count);
    assert_int_equal(a.total_count, 3000);
    assert_int_equal(a.cutoff, b.cutoff);
    vs_sampler_free(&a);
    vs_sampler_free(&b);
}

/* Each of 100 values is kept in 10 of 100 places: over 2,000 seeds, 200 times, deviation 13.4. */
static void every_value_is_as_likely_as_every_other(void **state)
{
    size_t cost = 0;
    int kept[100] = {0};
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        vs_sampler sampler;
        vs_sampler_init(&sampler, cost == 0 ? 1 << 20 : 10 * cost, seed);
        for (int i = 0; i < 100; i++) {
            unsigned char value[4] = {(unsigned char)i, 1, 2, 3};
            vs_sampler_add(&sampler, value, sizeof value);
            cost = cost == 0 ? sampler.bytes : cost;
        }
        for (size_t i = 0; sampler.count == 10 && i < 10; i++) {
            /* the item's bytes lie behind its number and its size */
            kept[((unsigned char *)sampler.items[i])[sizeof(uint64_t) + sizeof(size_t)]]++;
        }
        vs_sampler_free(&sampler);
    }
    for (int i = 0; i < 100; i++) {
        if (kept[i] < 200 - 75 || kept[i] > 200 + 75) {
            fail_msg("value %d was kept %d times", i, kept[i]);
        }
    }
}

/* ---- training -------------------------------------------------------------------------------- */

/* Another seed holds out other samples, so it trains with others. */
static void training_repeats(void **state)
{
    (void)state;
    vs_test_gives(db,
                  "SELECT vec_train_dict(meta) = vec_train_dict(meta), vec_train_dict(meta) = "
                  "vec_train_dict(meta, NULL, NULL, 2) FROM m",
                  "1|0");
}

static void dictionary_has_the_size_that_was_asked_for(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT length(vec_train_dict(meta, 4096)) FROM m", "4096");
    vs_test_gives(db,
                  "SELECT length(vec_train_dict(meta)) <= sum(length(meta)) / 100 AND "
                  "length(vec_train_dict(meta)) >= 2048 FROM m",
                  "1");
}

static void few_samples_are_a_sentence(void **state)
{
    (void)state;
    vs_test_fails(db, "SELECT vec_train_dict(meta) FROM m WHERE id < 8",
                  "vec_train_dict: not enough samples: 7 values with 3191 bytes (at least 8 are "
                  "needed)");
    vs_test_fails(db, "SELECT vec_train_dict(NULL)",
                  "vec_train_dict: not enough samples: 0 values with 0 bytes (at least 8 are "
                  "needed)");
    vs_test_fails(db, "SELECT vec_train_dict('x') FROM m",
                  "vec_train_dict: not enough samples: 1500 values with 1500 bytes (too small)");
}

static void wrong_arguments_are_sentences(void **state)
{
    (void)state;
    vs_test_fails(db, "SELECT vec_train_dict(id) FROM m",
                  "vec_train_dict: takes TEXT or BLOBs, not INTEGER");
    vs_test_fails(db, "SELECT vec_train_dict(meta, 100) FROM m",
                  "vec_train_dict: dict_bytes must be a whole number from 256 to 1048576");
    vs_test_fails(db, "SELECT vec_train_dict(meta, NULL, 1) FROM m",
                  "vec_train_dict: sample_bytes must be a whole number from 65536 to 8388608");
    vs_test_fails(db, "SELECT vec_train_dict(meta, NULL, NULL, 'x') FROM m",
                  "vec_train_dict: seed must be a whole number from -9223372036854775808 to "
                  "9223372036854775807");
    vs_test_fails(db, "SELECT vec_train_dict(meta, 1, 2, 3, 4) FROM m",
                  "vec_train_dict: takes 1 to 4 arguments");
}

/* ---- the cache ------------------------------------------------------------------------------- */

/* The test's dictionary under another id. */
static unsigned char *renamed(uint32_t id, size_t *out_n, uint32_t *out_crc)
{
    static uint32_t base;
    if (base == 0) {
        base = text_fixture_dict(db, "m");
    }
    unsigned char *bytes = text_fixture_dict_bytes(db, base, out_n);
    vs_dict_set_id(bytes, *out_n, id);
    *out_crc = vs_crc32c(bytes, *out_n);
    return bytes;
}

static void a_digested_dictionary_is_found_again(void **state)
{
    vs_err err = VS_ERR_INIT;
    vs_dict *a = NULL, *b = NULL, *encoder = NULL;
    size_t n = 0;
    uint32_t crc = 0;
    (void)state;
    unsigned char *bytes = renamed(50000, &n, &crc);
    assert_int_equal(vs_dict_get("t", bytes, n, 50000, crc, VS_DICT_DECODE, &a, &err), SQLITE_OK);
    assert_int_equal(vs_dict_get("t", bytes, n, 50000, crc, VS_DICT_DECODE, &b, &err), SQLITE_OK);
    assert_ptr_equal(a, b);
    assert_int_equal(vs_dict_get("t", bytes, n, 50000, crc, 3, &encoder, &err), SQLITE_OK);
    assert_ptr_not_equal(a, encoder);
    assert_non_null(a->decoder);
    assert_non_null(encoder->encoder);
    vs_dict_cache_clear();
    assert_int_equal(vs_dict_cache_bytes(), 0);
    assert_memory_equal(a->bytes, bytes, n); /* in use: still there */
    vs_cached_unref(a);
    vs_cached_unref(b);
    vs_cached_unref(encoder);
    sqlite3_free(bytes);
}

/* Same id, checksum and size as far as the caller says, other bytes: the bytes decide. */
static void equal_keys_with_other_bytes_never_mix(void **state)
{
    vs_err err = VS_ERR_INIT;
    vs_dict *a = NULL, *b = NULL;
    size_t n = 0;
    uint32_t crc = 0;
    (void)state;
    unsigned char *bytes = renamed(50001, &n, &crc);
    assert_int_equal(vs_dict_get("t", bytes, n, 50001, crc, VS_DICT_DECODE, &a, &err), SQLITE_OK);
    bytes[n - 1] ^= 1;
    assert_int_equal(vs_dict_get("t", bytes, n, 50001, crc, VS_DICT_DECODE, &b, &err),
                     SQLITE_CORRUPT_VTAB);
    assert_null(b);
    assert_string_equal(err.message, "t: dictionary 50001 is damaged: its checksum differs");
    vs_error_clear(&err);
    vs_cached_unref(a);
    sqlite3_free(bytes);
}

static void cache_stays_within_its_bound(void **state)
{
    vs_err err = VS_ERR_INIT;
    size_t most = 0;
    (void)state;
    for (uint32_t id = 60000; id < 60200; id++) {
        vs_dict *dict = NULL;
        size_t n = 0;
        uint32_t crc = 0;
        unsigned char *bytes = renamed(id, &n, &crc);
        assert_int_equal(
            vs_dict_get("t", bytes, n, id, crc, id % 2 ? 3 : VS_DICT_DECODE, &dict, &err),
            SQLITE_OK);
        vs_cached_unref(dict);
        sqlite3_free(bytes);
        most = vs_dict_cache_bytes() > most ? vs_dict_cache_bytes() : most;
        assert_true(vs_dict_cache_bytes() <= VS_DICT_CACHE_BYTES_MAX);
    }
    assert_true(most > VS_DICT_CACHE_BYTES_MAX / 8);
}

/* Every bit of the entropy tables, the id and the magic: a sentence or a dictionary, no crash. */
static void hostile_dictionaries_are_refused_or_work(void **state)
{
    size_t n = 0;
    uint32_t crc = 0;
    unsigned char *bytes = renamed(50002, &n, &crc);
    (void)state;
    for (size_t bit = 0; bit < 8 * 400; bit++) {
        vs_err err = VS_ERR_INIT;
        for (int level = 0; level <= 3; level += 3) {
            vs_dict *dict = NULL;
            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
            int rc = vs_dict_get("t", bytes, n, 50002, vs_crc32c(bytes, n), level, &dict, &err);
            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
            if (rc != SQLITE_OK) {
                assert_int_equal(rc, SQLITE_CORRUPT_VTAB);
                assert_non_null(strstr(err.message, "t: dictionary 50002 is damaged: "));
            }
            assert_true((rc == SQLITE_OK) == (dict != NULL));
            assert_true(bit >= 64 || rc != SQLITE_OK);
            vs_cached_unref(dict);
            vs_error_clear(&err);
        }
    }
    for (size_t cut = 0; cut < n; cut += cut < 400 ? 1 : 97) {
        vs_err err = VS_ERR_INIT;
        vs_dict *dict = NULL;
        int rc = vs_dict_get("t", bytes, cut, 50002, vs_crc32c(bytes, cut), 0, &dict, &err);
        assert_true(rc == SQLITE_OK ? cut >= VS_DICT_BYTES_MIN : rc == SQLITE_CORRUPT_VTAB);
        vs_cached_unref(dict);
        vs_error_clear(&err);
    }
    sqlite3_free(bytes);
}

enum { THREADS = 4, TURNS = 400 };

typedef struct thread_work {
    unsigned char *bytes[6];
    size_t n;
    uint32_t crc[6];
    int failures;
} thread_work;

static void *use_dictionaries(void *context)
{
    thread_work *work = context;
    uint64_t random = 1 + (uint64_t)(uintptr_t)context;
    for (int i = 0; i < TURNS; i++) {
        vs_err err = VS_ERR_INIT;
        vs_dict *dict = NULL;
        uint64_t turn = vs_test_random(&random);
        uint32_t which = (uint32_t)(turn % 6);
        int rc = vs_dict_get("t", work->bytes[which], work->n, 51000 + which, work->crc[which],
                             turn & 64 ? 3 : VS_DICT_DECODE, &dict, &err);
        work->failures += rc != SQLITE_OK || dict->id != 51000 + which ||
                          memcmp(dict->bytes, work->bytes[which], work->n) != 0;
        if (turn % 50 == 0) {
            vs_dict_cache_clear();
        }
        vs_cached_unref(dict);
    }
    return NULL;
}

static void threads_share_the_cache(void **state)
{
    thread_work work[THREADS];
    pthread_t threads[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++) {
        work[i].failures = 0;
        for (uint32_t j = 0; j < 6; j++) {
            work[i].bytes[j] = renamed(51000 + j, &work[i].n, &work[i].crc[j]);
        }
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use_dictionaries, &work[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(work[i].failures, 0);
        for (int j = 0; j < 6; j++) {
            sqlite3_free(work[i].bytes[j]);
        }
    }
    vs_dict_cache_clear();
    assert_int_equal(vs_dict_cache_bytes(), 0);
}

/* ---- the table ------------------------------------------------------------------------------- */

static void ids_are_the_dictionaries_own(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TEMP TABLE ids AS SELECT vec_dict_add(d) AS id FROM (SELECT "
                    "vec_train_dict(meta) AS d FROM m), (VALUES (1), (2), (3), (4), (5))");
    vs_test_gives(db, "SELECT count(DISTINCT id), min(id) >= 32768, max(id) < 2147483648 FROM ids",
                  "5|1|1");
    vs_test_gives(
        db,
        "SELECT count(*) FROM ids JOIN vecshard_dict USING (id) WHERE substr(bytes, 5, 4) "
        "= unhex(printf('%02x%02x%02x%02x', id & 255, id >> 8 & 255, id >> 16 & 255, id "
        ">> 24 & 255))",
        "5");
}

static void unhex(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    unsigned char bytes[4];
    const char *text = (const char *)sqlite3_value_text(argv[0]);
    unsigned values[4];
    (void)argc;
    assert_int_equal(sscanf(text, "%2x%2x%2x%2x", &values[0], &values[1], &values[2], &values[3]),
                     4);
    for (int i = 0; i < 4; i++) {
        bytes[i] = (unsigned char)values[i];
    }
    sqlite3_result_blob(ctx, bytes, 4, SQLITE_TRANSIENT);
}

static void adding_refuses_what_is_no_dictionary(void **state)
{
    (void)state;
    vs_test_fails(db, "SELECT vec_dict_add('text')",
                  "vec_dict_add: takes a dictionary as a BLOB, not TEXT");
    vs_test_fails(db, "SELECT vec_dict_add(zeroblob(1000))",
                  "vec_dict_add: takes a dictionary as vec_train_dict makes them, not other bytes");
    vs_test_fails(db, "SELECT vec_dict_add(x'')",
                  "vec_dict_add: takes a dictionary as vec_train_dict makes them, not other bytes");
    vs_test_gives(db, "SELECT vec_dict_add(NULL)", "NULL");
}

static void adding_leaves_the_last_rowid_and_rolls_back(void **state)
{
    (void)state;
    vs_test_run(db, "INSERT INTO m(id, meta) VALUES (4242, 'x'); DELETE FROM m WHERE id = 4242");
    vs_test_run(db, "CREATE TEMP TABLE before AS SELECT count(*) AS n FROM vecshard_dict; BEGIN");
    (void)text_fixture_dict(db, "m");
    vs_test_gives(db, "SELECT last_insert_rowid()", "4242");
    vs_test_run(db, "ROLLBACK");
    vs_test_gives(db, "SELECT n = (SELECT count(*) FROM vecshard_dict) FROM before", "1");
    vs_test_run(db, "DROP TABLE before");
}

static void a_database_that_cannot_be_written_says_so(void **state)
{
    (void)state;
    vs_test_run(db, "PRAGMA query_only = 1");
    vs_test_fails(db, "SELECT vec_dict_add(vec_train_dict(meta)) FROM m",
                  "vec_dict_add: attempt to write a readonly database");
    vs_test_run(db, "PRAGMA query_only = 0");
}

static int fill_db(void **state)
{
    open_db(state);
    text_fixture_fill(db, "m", 1500);
    return sqlite3_create_function(db, "unhex", 1, SQLITE_UTF8, NULL, unhex, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_stays_within_its_memory_and_repeats),
        cmocka_unit_test(every_value_is_as_likely_as_every_other),
        cmocka_unit_test(training_repeats),
        cmocka_unit_test(dictionary_has_the_size_that_was_asked_for),
        cmocka_unit_test(few_samples_are_a_sentence),
        cmocka_unit_test(wrong_arguments_are_sentences),
        cmocka_unit_test(a_digested_dictionary_is_found_again),
        cmocka_unit_test(equal_keys_with_other_bytes_never_mix),
        cmocka_unit_test(cache_stays_within_its_bound),
        cmocka_unit_test(hostile_dictionaries_are_refused_or_work),
        cmocka_unit_test(threads_share_the_cache),
        cmocka_unit_test(ids_are_the_dictionaries_own),
        cmocka_unit_test(adding_refuses_what_is_no_dictionary),
        cmocka_unit_test(adding_leaves_the_last_rowid_and_rolls_back),
        cmocka_unit_test(a_database_that_cannot_be_written_says_so),
    };
    return cmocka_run_group_tests(tests, fill_db, close_db);
}
