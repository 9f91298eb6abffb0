/*
 * test_func_compress.c - vec_compress and its relatives, as SQL sees them.
 */
#include "../vs_test_db.h"

#include "../frame_fixture.h"

/* ---- Values ---------------------------------------------------------------------------------- */

/* The statement, with ?1 bound to these bytes, gives this. */
static void bytes_give(const char *sql, const void *bytes, size_t n, const char *expected)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    sqlite3_bind_blob64(stmt, 1, bytes, n, SQLITE_STATIC);
    if (sqlite3_step(stmt) != SQLITE_ROW) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    const char *result = (const char *)sqlite3_column_text(stmt, 0);
    if (result == NULL || strcmp(result, expected) != 0) {
        fail_msg("%s gives %s, not %s", sql, result == NULL ? "NULL" : result, expected);
    }
    sqlite3_finalize(stmt);
}

static void bytes_fail(const char *sql, const void *bytes, size_t n, const char *expected)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    sqlite3_bind_blob64(stmt, 1, bytes, n, SQLITE_STATIC);
    int rc = sqlite3_step(stmt);
    assert_true(rc != SQLITE_ROW && rc != SQLITE_DONE);
    assert_string_equal(sqlite3_errmsg(db), expected);
    sqlite3_finalize(stmt);
}

static void every_kind_of_bytes_comes_back_in_every_mode(void **state)
{
    static unsigned char raw[4001];
    static const size_t sizes[] = {1, 2, 3, 4, 8, 16, 400, 1023, 4000, 4001};
    (void)state;
    for (int kind = 0; kind < BLOCK_KINDS; kind++) {
        frame_fill((frame_block)kind, 10, 4000, raw);
        for (size_t i = 0; i < VS_TEST_COUNT(sizes); i++) {
            bytes_give("SELECT min(vec_decompress(vec_compress(?1, column1)) IS ?1 AND "
                       "length(vec_compress(?1, column1)) <= length(?1) + 52) FROM (VALUES "
                       "('auto'), ('planes'), ('half'), ('raw'))",
                       raw, sizes[i], "1");
        }
    }
    bytes_give("SELECT vec_decompress(vec_compress(?1, 'auto', 19)) IS ?1", raw, 4000, "1");
    bytes_give("SELECT vec_compress(?1) IS vec_compress(?1, 'auto', 1.0)", raw, 4000, "1");
}

static void the_element_type_comes_back(void **state)
{
    (void)state;
    vs_test_gives(db,
                  "SELECT vec_type(vec_decompress(vec_compress(vec_f32('[1,2]')))), "
                  "vec_type(vec_decompress(vec_compress(vec_f16('[1,2]')))), "
                  "vec_type(vec_decompress(vec_compress(vec_bf16('[1,2]')))), "
                  "vec_type(vec_decompress(vec_compress(vec_int8('[1,2]')))), "
                  "vec_type(vec_decompress(vec_compress(vec_bit(x'0102'))))",
                  "float32|float16|bfloat16|int8|bit");
    vs_test_gives(db, "SELECT vec_to_json(vec_decompress(vec_compress('[1,-2.5,3]')))",
                  "[1.000000,-2.500000,3.000000]");
    vs_test_gives(db,
                  "SELECT vec_decompress(vec_compress(x'010203')), vec_decompress(NULL), "
                  "vec_compress(NULL), vec_compress('[1]', NULL), vec_compress_info(NULL)",
                  "x'010203'|NULL|NULL|NULL|NULL");
}

/* A BLOB too long for one vector is plain bytes. */
static void long_blobs_are_bytes(void **state)
{
    (void)state;
    vs_test_gives(db,
                  "SELECT vec_compress_info(vec_compress(zeroblob(262144))) ->> '$.element', "
                  "vec_compress_info(vec_compress(zeroblob(262148))) ->> '$.element', "
                  "vec_decompress(vec_compress(zeroblob(4194304))) = zeroblob(4194304)",
                  "float32|bytes|1");
    vs_test_fails(db, "SELECT vec_compress(zeroblob(4194308))",
                  "vec_compress: a block has at most 4194304 bytes, not 4194308");
}

static void info_tells_what_is_in_a_frame(void **state)
{
    (void)state;
    vs_test_gives(
        db, "SELECT vec_compress_info(vec_compress('[7,7,7]'))",
        "{\"element\":\"float32\",\"dim\":3,\"count\":1,\"transform\":\"constant\",\"raw_bytes\":"
        "12,"
        "\"stored_bytes\":56,\"ratio\":0.214,\"streams\":[{\"plane\":0,\"coding\":\"fill\","
        "\"raw_bytes\":12,\"stored_bytes\":4}]}");
    vs_test_gives(
        db,
        "SELECT vec_compress_info(vec_compress(x'010203')), "
        "json_valid(vec_compress_info(vec_compress(x'010203')))",
        "{\"element\":\"bytes\",\"dim\":1,\"count\":3,\"transform\":\"none\",\"raw_bytes\":3,"
        "\"stored_bytes\":55,\"ratio\":0.055,\"streams\":[{\"plane\":0,\"coding\":\"stored\","
        "\"raw_bytes\":3,\"stored_bytes\":3}]}|1");
}

static void wrong_arguments_are_answered_with_a_sentence(void **state)
{
    static const char *const cases[][2] = {
        {"vec_compress(1)", "vec_compress: a vector is a BLOB or JSON text, not INTEGER"},
        {"vec_compress('[1,')", "vec_compress: JSON text: expected a number, at byte 3, element 1"},
        {"vec_compress(x'')",
         "vec_compress: a vector has at least one element, and this one is empty"},
        {"vec_compress('[1]', 'zip')",
         "vec_compress: the mode is 'auto', 'planes', 'half' or 'raw', not 'zip'"},
        {"vec_compress('[1]', 'auto', 0)",
         "vec_compress: the level is a whole number from 1 to 19, not '0'"},
        {"vec_compress('[1]', 'auto', 20)",
         "vec_compress: the level is a whole number from 1 to 19, not '20'"},
        {"vec_compress('[1]', 'auto', 1.5)",
         "vec_compress: the level is a whole number from 1 to 19, not '1.5'"},
        {"vec_compress('[1]', 'auto', 'fast')",
         "vec_compress: the level is a whole number from 1 to 19, not 'fast'"},
        {"vec_decompress('text')", "vec_decompress: takes a BLOB"},
        {"vec_decompress(x'')", "vec_decompress: not a VSZ1 frame"},
        {"vec_decompress(zeroblob(100))", "vec_decompress: not a VSZ1 frame"},
        {"vec_decompress(x'56535a31')", "vec_decompress: the frame is cut off after 4 bytes"},
        {"vec_decompress(vec_compress('[1,2]') || x'00')", "vec_decompress: takes a BLOB"},
        {"vec_compress_info(1)", "vec_compress_info: takes a BLOB"},
        {"vec_compress_info(x'00')", "vec_compress_info: not a VSZ1 frame"},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        char *sql = sqlite3_mprintf("SELECT %s", cases[i][0]);
        vs_test_fails(db, sql, cases[i][1]);
        sqlite3_free(sql);
    }
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static void a_frame_beyond_a_limit_is_not_decoded(void **state)
{
    static unsigned char raw[2000000];
    vs_frame_shape shape = {VS_FRAME_F32, 500, 1000};
    void *frame = NULL;
    (void)state;
    frame_fill(BLOCK_WHOLE, 500, sizeof raw, raw);
    size_t n = frame_encode(raw, &shape, VS_FRAME_AUTO, 1, &frame);
    bytes_give("SELECT length(vec_decompress(?1))", frame, n, "2000000");
    vs_test_gives(db, "SELECT vec_config('max_decoded_mb', 1)", "1");
    bytes_fail("SELECT vec_decompress(?1)", frame, n,
               "vec_decompress: the frame holds 2000000 bytes, more than the limit of 1048576");
    bytes_fail("SELECT vec_compress_info(?1)", frame, n,
               "vec_compress_info: the frame holds 2000000 bytes, more than the limit of 1048576");
    vs_test_gives(db, "SELECT vec_config('max_decoded_mb', 64)", "64");
    int limit = sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1000000);
    bytes_fail("SELECT vec_decompress(?1)", frame, n,
               "vec_decompress: the frame holds 2000000 bytes, more than the limit of 1000000");
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, limit);
    sqlite3_free(frame);
}

static void blocks_of_several_vectors_come_back_as_their_bytes(void **state)
{
    static unsigned char raw[4000];
    vs_frame_shape floats = {VS_FRAME_F32, 10, 100}, doubles = {VS_FRAME_F64, 10, 50};
    void *frame = NULL;
    (void)state;
    frame_fill(BLOCK_NORMAL, 10, sizeof raw, raw);
    size_t n = frame_encode(raw, &floats, VS_FRAME_AUTO, 1, &frame);
    bytes_give("SELECT vec_type(vec_decompress(?1)) || ' ' || length(vec_decompress(?1))", frame, n,
               "float32 4000");
    sqlite3_free(frame);
    n = frame_encode(raw, &doubles, VS_FRAME_AUTO, 1, &frame);
    bytes_give("SELECT (vec_compress_info(?1) ->> '$.element') || ' ' || "
               "length(vec_decompress(?1))",
               frame, n, "float64 4000");
    sqlite3_free(frame);
}

static void schemas_may_use_them(void **state)
{
    (void)state;
    vs_test_run(db, "PRAGMA trusted_schema = 0; CREATE TABLE z(id INTEGER PRIMARY KEY, v BLOB);"
                    "CREATE VIEW plain AS SELECT id, vec_decompress(v) AS v FROM z;"
                    "CREATE INDEX z_ratio ON z(vec_compress_info(v));"
                    "CREATE TRIGGER z_pack AFTER INSERT ON z BEGIN UPDATE z SET v = "
                    "vec_compress(new.v) WHERE id = new.id; END");
    vs_test_fails(db, "INSERT INTO z VALUES (1, vec_f32('[1,2]'))",
                  "vec_compress_info: not a VSZ1 frame");
    vs_test_run(db, "DROP INDEX z_ratio; INSERT INTO z VALUES (1, vec_f32('[1,2]'))");
    vs_test_gives(db, "SELECT id, vec_to_json(v) FROM plain", "1|[1.000000,2.000000]");
    vs_test_run(db, "DROP VIEW plain; DROP TABLE z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_bytes_comes_back_in_every_mode),
        cmocka_unit_test(the_element_type_comes_back),
        cmocka_unit_test(long_blobs_are_bytes),
        cmocka_unit_test(info_tells_what_is_in_a_frame),
        cmocka_unit_test(wrong_arguments_are_answered_with_a_sentence),
        cmocka_unit_test(a_frame_beyond_a_limit_is_not_decoded),
        cmocka_unit_test(blocks_of_several_vectors_come_back_as_their_bytes),
        cmocka_unit_test(schemas_may_use_them),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
