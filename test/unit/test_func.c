/*
 * test_func.c - scalar SQL functions: results, sentences, subtypes, flags, and no allocation per
 * row.
 */
#include "../vs_test_db.h"

#include "../vs_fault.h"

#include "../../ext/func.h"

#include <locale.h>
#include <stdio.h>
#include <zstd.h>

typedef struct sql_case {
    const char *sql, *expected;
} sql_case;

static void check_all(const sql_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char sql[400];
        snprintf(sql, sizeof sql, "SELECT %s", cases[i].sql);
        vs_test_gives(db, sql, cases[i].expected);
    }
}

static const sql_case good_cases[] = {
    {"hex(vec_f32('[1, -2.5]'))", "0000803F000020C0"},
    {"hex(vec_f16('[1, -2.5]'))", "003C00C1"},
    {"hex(vec_bf16('[1, -2.5]'))", "803F20C0"},
    {"hex(vec_int8('[1, -128]'))", "0180"},
    {"hex(vec_bit('[1,0,0,0,0,0,0,0]'))", "01"},
    {"hex(vec_f32(x'0000803f'))", "0000803F"},
    {"hex(vec_bit(x'a5'))", "A5"},
    {"hex(vec_f32(vec_int8('[1, 2]')))", "0000803F00000040"},
    {"hex(vec_int8(vec_f16('[1, 2]')))", "0102"},
    {"hex(vec_f16(vec_bf16('[1]')))", "003C"},
    {"hex(vec_from_base64('AACAPwAAIMA='))", "0000803F000020C0"},
    {"hex(vec_from_base64('AYA=', 'int8'))", "0180"},
    {"vec_type(vec_from_base64('AYA=', 'float16'))", "float16"},
    {"vec_type('[1]')", "float32"},
    {"vec_type(x'0000803f')", "float32"},
    {"vec_type(vec_f32('[1]'))", "float32"},
    {"vec_type(vec_f16('[1]'))", "float16"},
    {"vec_type(vec_bf16('[1]'))", "bfloat16"},
    {"vec_type(vec_int8('[1]'))", "int8"},
    {"vec_type(vec_bit(x'01'))", "bit"},
    {"vec_type(vec_slice(vec_f16('[1,2]'), 0, 1))", "float16"},
    {"vec_type(vec_add(vec_bf16('[1]'), vec_bf16('[1]')))", "bfloat16"},
    {"vec_type(vec_concat(vec_int8('[1]'), vec_int8('[2]')))", "int8"},
    {"vec_type(vec_normalize(vec_f16('[1]')))", "float16"},
    {"vec_type(vec_scale(vec_f16('[1]'), 2))", "float16"},
    {"vec_type(vec_quantize_int8('[1]', 'unit'))", "int8"},
    {"vec_type(vec_quantize_binary(vec_f32(zeroblob(32))))", "bit"},
    {"vec_length('[1,2,3]')", "3"},
    {"vec_length(vec_f16(x'00000000'))", "2"},
    {"vec_length(vec_bit(x'0000'))", "16"},
    {"vec_to_json('[1, -2.5, 0.1, 1e-9]')", "[1.000000,-2.500000,0.100000,1e-09]"},
    {"vec_to_json(vec_int8('[1,-2]'))", "[1,-2]"},
    {"vec_to_json(vec_bit(x'01'))", "[1,0,0,0,0,0,0,0]"},
    {"json_array(vec_to_json('[1]'))", "[[1.000000]]"},
    {"vec_to_json(vec_add('[1,2]', '[3,4.5]'))", "[4.000000,6.500000]"},
    {"vec_to_json(vec_sub('[1,2]', '[3,4.5]'))", "[-2.000000,-2.500000]"},
    {"vec_to_json(vec_add(vec_int8('[100]'), vec_int8('[27]')))", "[127]"},
    {"vec_to_json(vec_sub(vec_int8('[-100]'), vec_int8('[28]')))", "[-128]"},
    {"vec_to_json(vec_scale('[1,2]', 0.5))", "[0.500000,1.000000]"},
    {"vec_to_json(vec_scale('[1,2]', -2))", "[-2.000000,-4.000000]"},
    {"vec_to_json(vec_normalize('[3,4]'))", "[0.600000,0.800000]"},
    {"vec_normalize('[0,0]')", "NULL"},
    {"vec_to_json(vec_slice('[1,2,3,4]', 1, 3))", "[2.000000,3.000000]"},
    {"hex(vec_slice(vec_bit(x'0102ff'), 8, 16))", "02"},
    {"vec_to_json(vec_concat('[1]', '[2,3]', '[4]'))", "[1.000000,2.000000,3.000000,4.000000]"},
    {"hex(vec_concat(vec_bit(x'01'), vec_bit(x'02')))", "0102"},
    {"vec_to_json(vec_quantize_int8('[-1,-0.5,0,0.5,1,0.3,2,-3,1e30]', 'unit'))",
     "[-128,-64,0,63,126,37,127,-128,127]"},
    {"hex(vec_quantize_binary('[-1,1,0,1,0.5,-2,3,4]'))", "DA"},
    {"hex(vec_quantize_binary(vec_int8('[-1,1,0,1,5,-2,3,4]')))", "DA"},
    {"vec_dot('[1,2]', '[3,4]')", "11.0"},
    {"vec_norm('[3,4]')", "5.0"},
    {"vec_norm(vec_int8('[3,4]'))", "5.0"},
    {"vec_distance_l2('[1,2]', '[4,6]')", "5.0"},
    {"vec_distance_l2sq('[1,2]', '[4,6]')", "25.0"},
    {"vec_distance_l1('[1,2]', '[4,6]')", "7.0"},
    {"vec_distance_l1(vec_int8('[1]'), vec_int8('[-5]'))", "6"},
    {"vec_distance_l2(vec_f16('[1]'), vec_f16('[-5]'))", "6.0"},
    {"vec_distance_cosine('[1,0]', '[0,2]')", "1.0"},
    {"vec_distance_cosine('[0,0]', '[1,1]')", "NULL"},
    {"vec_cosine_similarity('[1,0]', '[2,0]')", "1.0"},
    {"vec_cosine_similarity('[1,0]', '[0,0]')", "NULL"},
    {"vec_distance_dot('[1,2]', '[3,4]')", "-11.0"},
    {"vec_distance_hamming(vec_bit(x'ff'), vec_bit(x'0f'))", "4.0"},
    {"vec_distance_jaccard(vec_bit(x'ff'), vec_bit(x'0f'))", "0.5"},
    {"vec_distance_l2(NULL, '[1]')", "NULL"},
    {"vec_distance_l2('[1]', NULL)", "NULL"},
    {"vec_dot(5, NULL)", "NULL"},
    {"vec_norm(NULL)", "NULL"},
    {"vec_f32(NULL)", "NULL"},
    {"vec_length(NULL)", "NULL"},
    {"vec_type(NULL)", "NULL"},
    {"vec_to_json(NULL)", "NULL"},
    {"vec_add('[1]', NULL)", "NULL"},
    {"vec_scale('[1]', NULL)", "NULL"},
    {"vec_slice('[1]', 0, NULL)", "NULL"},
    {"vec_concat('[1]', NULL)", "NULL"},
    {"vec_quantize_int8('[1]', NULL)", "NULL"},
    {"vec_quantize_binary(NULL)", "NULL"},
    {"vec_from_base64(NULL)", "NULL"},
    {"vec_unzstd(NULL)", "NULL"},
    {"vec_version()", "v0.1.0"},
};

static void functions_give_what_they_should(void **state)
{
    (void)state;
    check_all(good_cases, VS_TEST_COUNT(good_cases));
}

static void errors_are_one_sentence_that_begins_with_the_function(void **state)
{
    static const sql_case cases[] = {
        {"vec_f32(1)", "vec_f32: a vector is a BLOB or JSON text, not INTEGER"},
        {"vec_f16(1.5)", "vec_f16: a vector is a BLOB or JSON text, not REAL"},
        {"vec_dot(1, '[1]')", "vec_dot: a vector is a BLOB or JSON text, not INTEGER"},
        {"vec_dot('[1]', 2.5)", "vec_dot: a vector is a BLOB or JSON text, not REAL"},
        {"vec_f32('[1,]')", "vec_f32: JSON text: expected a number, at byte 3, element 1"},
        {"vec_f32('[1e39]')", "vec_f32: JSON text: number beyond float32, at byte 1, element 0"},
        {"vec_f16('[1, 70000]')",
         "vec_f16: JSON text: number beyond float16, at byte 4, element 1"},
        {"vec_int8('[1.5]')",
         "vec_int8: JSON text: int8 takes whole numbers from -128 to 127, at byte 1, element 0"},
        {"vec_int8(vec_f32('[1.5]'))", "vec_int8: element 0 is not a whole number, as int8 needs"},
        {"vec_int8(vec_f32('[0, 200]'))", "vec_int8: element 1 is beyond int8"},
        {"vec_f16(vec_f32('[0, 70000]'))", "vec_f16: element 1 is beyond float16"},
        {"vec_f32(vec_bit(x'01'))", "vec_f32: bit does not convert to float32"},
        {"vec_bit(vec_f32('[1]'))",
         "vec_bit: takes bits, not float32 vectors; vec_quantize_binary makes bits of signs"},
        {"vec_bit(vec_int8('[1]'))",
         "vec_bit: takes bits, not int8 vectors; vec_quantize_binary makes bits of signs"},
        {"vec_bit('[1,0]')", "vec_bit: a bit vector has a multiple of 8 elements, not 2"},
        {"vec_f32(x'0000c07f')", "vec_f32: element 0 is NaN"},
        {"vec_f32(x'0000803f000080ff')", "vec_f32: element 1 is infinite"},
        {"vec_bf16(x'c07f')", "vec_bf16: element 0 is NaN"},
        {"vec_from_base64('AACAP')",
         "vec_from_base64: base64 comes in groups of four characters, at byte 5"},
        {"vec_from_base64('')",
         "vec_from_base64: a vector has at least one element, and this one is empty"},
        {"vec_from_base64('AYA=')",
         "vec_from_base64: a float32 vector has a multiple of 4 bytes, not 2"},
        {"vec_from_base64('AADAfw==')", "vec_from_base64: element 0 is NaN"},
        {"vec_from_base64(x'00')", "vec_from_base64: takes base64 TEXT"},
        {"vec_from_base64('AYA=', 'half')", "vec_from_base64: no element type 'half': there are "
                                            "float32, float16, bfloat16, int8 and bit"},
        {"vec_from_base64(replace(hex(zeroblob(174766)), '0', 'A'))",
         "vec_from_base64: a vector has at most 65536 elements, and this text is longer"},
        {"vec_dot('[1,2]', '[1,2,3]')", "vec_dot: dimensions differ: 2 and 3"},
        {"vec_dot(vec_f32('[1,2]'), vec_int8('[1,2]'))",
         "vec_dot: element types differ: float32 and int8"},
        {"vec_distance_l2(vec_bit(x'01'), vec_bit(x'01'))",
         "vec_distance_l2: takes numbers, not bit vectors"},
        {"vec_distance_l1(vec_bit(x'01'), vec_bit(x'01'))",
         "vec_distance_l1: takes numbers, not bit vectors"},
        {"vec_distance_cosine(vec_bit(x'01'), vec_bit(x'01'))",
         "vec_distance_cosine: takes numbers, not bit vectors"},
        {"vec_cosine_similarity(vec_bit(x'01'), vec_bit(x'01'))",
         "vec_cosine_similarity: takes numbers, not bit vectors"},
        {"vec_norm(vec_bit(x'01'))", "vec_norm: takes numbers, not bit vectors"},
        {"vec_distance_hamming('[1]', '[1]')",
         "vec_distance_hamming: takes bit vectors, not float32 vectors; vec_bit and "
         "vec_quantize_binary make them"},
        {"vec_distance_jaccard(vec_int8('[1]'), vec_int8('[1]'))",
         "vec_distance_jaccard: takes bit vectors, not int8 vectors; vec_bit and "
         "vec_quantize_binary make them"},
        {"vec_distance_l2(x'0000c07f', '[1]')", "vec_distance_l2: element 0 is NaN"},
        {"vec_distance_l2('[1]', x'0000807f')", "vec_distance_l2: element 0 is infinite"},
        {"vec_distance_cosine('[0,0]', x'000000000000c07f')",
         "vec_distance_cosine: element 1 is NaN"},
        {"vec_norm(x'0000c07f')", "vec_norm: element 0 is NaN"},
        {"vec_to_json(x'0000c07f')", "vec_to_json: element 0 is NaN"},
        {"vec_add(vec_int8('[0,100]'), vec_int8('[0,100]'))", "vec_add: element 1 is beyond int8"},
        {"vec_sub(vec_int8('[-100]'), vec_int8('[100]'))", "vec_sub: element 0 is beyond int8"},
        {"vec_add('[3e38]', '[3e38]')", "vec_add: element 0 is beyond float32"},
        {"vec_add(vec_f16('[60000]'), vec_f16('[60000]'))", "vec_add: element 0 is beyond float16"},
        {"vec_add(vec_bit(x'01'), vec_bit(x'01'))", "vec_add: takes numbers, not bit vectors"},
        {"vec_add('[1]', x'0000c07f')", "vec_add: element 0 is NaN"},
        {"vec_sub('[1]', '[1,2]')", "vec_sub: dimensions differ: 1 and 2"},
        {"vec_scale('[1]', 'x')", "vec_scale: the factor is a number, not TEXT"},
        {"vec_scale('[1]', x'00')", "vec_scale: the factor is a number, not a BLOB"},
        {"vec_scale('[1]', 1e300)", "vec_scale: element 0 is beyond float32"},
        {"vec_scale('[0]', 9e999)", "vec_scale: element 0 is beyond float32"},
        {"vec_scale(vec_int8('[1]'), 2)", "vec_scale: takes float vectors, not int8 vectors"},
        {"vec_normalize(vec_int8('[1]'))", "vec_normalize: takes float vectors, not int8 vectors"},
        {"vec_normalize(vec_bit(x'01'))", "vec_normalize: takes float vectors, not bit vectors"},
        {"vec_slice('[1,2]', -1, 1)", "vec_slice: -1 to 1 is not within 0 to 2"},
        {"vec_slice('[1,2]', 0, 3)", "vec_slice: 0 to 3 is not within 0 to 2"},
        {"vec_slice('[1,2]', 1, 1)", "vec_slice: 1 to 1 holds no element"},
        {"vec_slice('[1,2]', 2, 1)", "vec_slice: 2 to 1 holds no element"},
        {"vec_slice('[1,2]', -9223372036854775808, 9223372036854775807)",
         "vec_slice: -9223372036854775808 to 9223372036854775807 is not within 0 to 2"},
        {"vec_slice(vec_bit(x'0102'), 0, 4)",
         "vec_slice: a bit vector is cut at multiples of 8, not from 0 to 4"},
        {"vec_concat()", "vec_concat: takes one vector or more"},
        {"vec_concat('[1]', vec_int8('[1]'))",
         "vec_concat: element types differ: float32 and int8"},
        {"vec_concat(vec_int8(zeroblob(65536)), vec_int8('[1]'))",
         "vec_concat: a vector has at most 65536 elements"},
        {"vec_concat('[1]', x'0000c07f')", "vec_concat: element 0 is NaN"},
        {"vec_quantize_int8('[1]', 'half')", "vec_quantize_int8: the range is 'unit', not 'half'"},
        {"vec_quantize_int8(vec_int8('[1]'), 'unit')",
         "vec_quantize_int8: takes float vectors, not int8 vectors"},
        {"vec_quantize_binary('[1]')",
         "vec_quantize_binary: a bit vector has a multiple of 8 elements, not 1"},
        {"vec_quantize_binary(vec_bit(x'01'))",
         "vec_quantize_binary: takes numbers, not bit vectors"},
        {"vec_unzstd('text')", "vec_unzstd: takes a BLOB"},
        {"vec_unzstd(x'00')", "vec_unzstd: not a zstd frame"},
        {"vec_unzstd(x'')", "vec_unzstd: not a zstd frame"},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        char sql[400];
        snprintf(sql, sizeof sql, "SELECT %s", cases[i].sql);
        vs_test_fails(db, sql, cases[i].expected);
    }
}

static void json_round_trips_are_bit_exact(void **state)
{
    uint64_t random = 0xfeedu;
    sqlite3_stmt *stmt = NULL;
    unsigned char bytes[4 * 500];
    (void)state;
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT vec_f32(vec_to_json(?1)) = ?1", -1, &stmt, NULL), SQLITE_OK);
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < sizeof bytes; i += 4) {
            uint32_t bits = (uint32_t)vs_test_random(&random);
            bits = (bits & 0x7f800000u) == 0x7f800000u ? bits & 0x3fffffffu : bits;
            memcpy(bytes + i, &bits, 4);
        }
        sqlite3_bind_blob(stmt, 1, bytes, sizeof bytes, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int(stmt, 0), 1);
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
}

static void results_keep_sqlites_length_limit(void **state)
{
    (void)state;
    int before = sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 2000);
    vs_test_fails(db, "SELECT vec_to_json(vec_f32(zeroblob(1000)))",
                  "vec_to_json: the text is longer than SQLite's limit");
    vs_test_gives(db, "SELECT length(vec_to_json(vec_f32(zeroblob(800))))", "1801");
    char *message = NULL;
    assert_int_equal(vs_test_query(db, "SELECT vec_f32(vec_int8(zeroblob(600)))", &message),
                     SQLITE_TOOBIG);
    sqlite3_free(message);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, before);
}

static void unzstd_decodes_a_frame(void **state)
{
    char frame[200];
    sqlite3_stmt *stmt = NULL;
    (void)state;
    size_t n = ZSTD_compress(frame, sizeof frame, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 31, 3);
    sqlite3_prepare_v2(db, "SELECT typeof(vec_unzstd(?1)), CAST(vec_unzstd(?1) AS TEXT)", -1, &stmt,
                       NULL);
    sqlite3_bind_blob(stmt, 1, frame, (int)n, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "blob");
    assert_string_equal((const char *)sqlite3_column_text(stmt, 1),
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
    sqlite3_finalize(stmt);
}

static void debug_names_what_was_built(void **state)
{
    char *text = NULL;
    (void)state;
    assert_int_equal(vs_test_query(db, "SELECT vec_debug()", &text), SQLITE_OK);
    static const char *const lines[] = {"Version: v0.1.0\n",
                                        "\nCompiler: ",
                                        "\nKernel levels compiled: scalar",
                                        "\nKernel level in use: ",
                                        "\nzstd: ",
                                        "\nCUDA: no module\n",
                                        "\nSQLite: 3."};
    for (size_t i = 0; i < VS_TEST_COUNT(lines); i++) {
        assert_non_null(strstr(text, lines[i]));
    }
    sqlite3_free(text);
}

static void a_norm_can_be_indexed_and_generated(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, n REAL GENERATED ALWAYS AS "
                    "(vec_norm(v)) STORED);"
                    "CREATE INDEX docs_norm ON docs(vec_norm(v));"
                    "INSERT INTO docs(v) VALUES (vec_f32('[3,4]')), (vec_f32('[1,0]')), (NULL)");
    vs_test_gives(db, "SELECT id, n FROM docs INDEXED BY docs_norm WHERE vec_norm(v) > 2", "1|5.0");
    char *plan = NULL;
    vs_test_query(db, "EXPLAIN QUERY PLAN SELECT id FROM docs WHERE vec_norm(v) BETWEEN 2 AND 6",
                  &plan);
    assert_non_null(strstr(plan, "docs_norm (<expr>>? AND <expr><?)"));
    sqlite3_free(plan);
    vs_test_gives(db, "PRAGMA integrity_check", "ok");
    vs_test_run(db, "DROP TABLE docs");
}

static void a_strict_host_can_use_every_function(void **state)
{
    sqlite3 *strict = vs_test_open();
    (void)state;
    sqlite3_db_config(strict, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(strict, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(strict, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(strict, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    vs_test_run(strict, "PRAGMA foreign_keys = 1");
    for (size_t i = 0; i < VS_TEST_COUNT(good_cases); i++) {
        char sql[400];
        if (strncmp(good_cases[i].sql, "json_", 5) == 0) {
            continue; /* not innocuous in every version of SQLite */
        }
        snprintf(sql, sizeof sql, "CREATE VIEW w AS SELECT %s AS x", good_cases[i].sql);
        vs_test_run(strict, sql);
        vs_test_gives(strict, "SELECT x FROM w", good_cases[i].expected); /* in a view: innocuous */
        vs_test_run(strict, "DROP VIEW w");
    }
    vs_test_close(strict);
}

static void a_locale_with_a_decimal_comma_changes_nothing(void **state)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(names); i++) {
        if (setlocale(LC_ALL, names[i]) != NULL) {
            check_all(good_cases, VS_TEST_COUNT(good_cases));
            setlocale(LC_ALL, "C");
            return;
        }
    }
    print_message("no locale with a decimal comma is installed here\n");
    skip();
}

/* ---- No allocation per row ------------------------------------------------------------------- */

static const char *const distance_functions[] = {
    "vec_distance_l2",  "vec_distance_l2sq",     "vec_distance_l1", "vec_distance_cosine",
    "vec_distance_dot", "vec_cosine_similarity", "vec_dot"};

/* Allocations while stepping through the statement, compiled before. */
static int64_t count_allocations(const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    int64_t before = vs_fault_allocations();
    while (sqlite3_step(stmt) == SQLITE_ROW) {
    }
    int64_t count = vs_fault_allocations() - before;
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    return count;
}

/*
 * Runs "SELECT <expression> FROM <table>" over 1,000 and over 10,000 rows; %s in the expression is
 * the function.
 */
static void check_allocations(const char *function, const char *expression, int64_t permitted)
{
    char call[200], sql[300];
    snprintf(call, sizeof call, expression, function);
    snprintf(sql, sizeof sql, "SELECT max(%s) FROM big WHERE id <= 1000", call);
    count_allocations(sql); /* warms caches, and the memory of the arguments */
    int64_t few = count_allocations(sql);
    snprintf(sql, sizeof sql, "SELECT max(%s) FROM big WHERE id <= 10000", call);
    count_allocations(sql);
    int64_t many = count_allocations(sql);
    if (many - few > permitted) {
        fail_msg("%s: %lld allocations for 1,000 rows, %lld for 10,000", call, (long long)few,
                 (long long)many);
    }
}

static void distances_allocate_the_same_for_any_number_of_rows(void **state)
{
    (void)state;
    vs_test_run(
        db,
        "PRAGMA cache_size = 100000;"
        "CREATE TABLE big(id INTEGER PRIMARY KEY, v BLOB, w BLOB, bits BLOB, t TEXT, same TEXT);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
        "INSERT INTO big SELECT i, vec_f32('[1,2,3]'), vec_f32('[3,2,1]'), x'0f',"
        " printf('[%5d,2.5,%5d]', i, -i), '[1,2,3]' FROM n;");
    for (size_t i = 0; i < VS_TEST_COUNT(distance_functions); i++) {
        const char *function = distance_functions[i];
        check_allocations(function, "%s(v, w)", 0);
        check_allocations(function, "%s(v, x'0000803f0000803f0000803f')", 0);
        check_allocations(function, "%s(v, '[1, 2.5, 3]')", 0);
        check_allocations(function, "%s('[1, 2.5, 3]', v)", 0);
        check_allocations(function, "%s(t, v)", 0);
        check_allocations(function, "%s(t, t)", 0);
        check_allocations(function, "%1$s(v, '[1, 2.5, 3]') + %1$s(v, '[7, 8, 9]')", 0);
        check_allocations(function, "%s(v, same)",
                          4 * 2); /* 1,024 to 8,192 rows: four copies of two blocks */
    }
    check_allocations("vec_norm", "%s(v)", 0);
    check_allocations("vec_norm", "%s(t)", 0);
    vs_test_run(db, "DROP TABLE big");
}

/*
 * Bits need a subtype, which only a function gives: a call of vec_bit per row allocates, the
 * distance does not add to it.
 */
static void bit_distances_add_no_allocation_to_those_of_vec_bit(void **state)
{
    (void)state;
    vs_test_run(db,
                "CREATE TABLE big(id INTEGER PRIMARY KEY, bits BLOB);"
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
                "INSERT INTO big SELECT i, x'0f' FROM n;");
    int64_t alone = count_allocations("SELECT max(vec_bit(bits)) FROM big");
    count_allocations("SELECT max(vec_distance_hamming(vec_bit(bits), vec_bit(x'ff'))) FROM big");
    int64_t hamming = count_allocations(
        "SELECT max(vec_distance_hamming(vec_bit(bits), vec_bit(x'ff'))) FROM big");
    int64_t jaccard = count_allocations(
        "SELECT max(vec_distance_jaccard(vec_bit(bits), vec_bit(x'ff'))) FROM big");
    assert_true(hamming <= alone + 20);
    assert_true(jaccard <= alone + 20);
    vs_test_run(db, "DROP TABLE big");
}

static void remembered_texts_never_stand_for_other_ones(void **state)
{
    (void)state;
    vs_test_run(
        db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT);"
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
            "INSERT INTO t SELECT i, printf('[%d,1]', i / 20), printf('[%d,0]', i % 7) FROM n;");
    vs_test_gives(
        db,
        "SELECT count(*), sum(vec_dot(a, '[1,0]') <> id / 20), sum(vec_dot('[0,1]', a) <> 1),"
        " sum(vec_dot(a, b) <> (id / 20) * (id % 7)), sum(vec_dot(b, '[2,0]') <> 2 * (id % 7)),"
        " sum(vec_dot('[1,2]', '[3,' || (id % 2) || ']') <> 3 + 2 * (id % 2)) FROM t",
        "3001|0|0|0|0|0");
    vs_test_gives(db,
                  "SELECT sum(hex(vec_int8('[1,2]')) <> '0102'), sum(hex(vec_f16('[1,2]')) <> "
                  "'003C0040') FROM t",
                  "0|0");
    /* bound values change between runs of one statement */
    sqlite3_stmt *stmt = NULL;
    sqlite3_prepare_v2(db, "SELECT sum(vec_dot(?1, '[1,0]')) FROM t", -1, &stmt, NULL);
    for (int i = 0; i < 5; i++) {
        char text[20];
        snprintf(text, sizeof text, "[%d,9]", i);
        sqlite3_bind_text(stmt, 1, text, -1, SQLITE_TRANSIENT);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int(stmt, 0), 3001 * i);
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    vs_test_run(db, "DROP TABLE t");
}

static void every_failed_allocation_ends_in_nomem_or_the_right_result(void **state)
{
    (void)state;
    vs_test_close(db);
    int64_t live = vs_fault_live();
    for (size_t i = 0; i < VS_TEST_COUNT(good_cases); i++) {
        char sql[400];
        snprintf(sql, sizeof sql, "SELECT %s", good_cases[i].sql);
        for (int n = 1, failed = 1; failed; n++) {
            char *result = NULL;
            db = vs_test_open();
            vs_fault_arm(n, n % 2);
            int rc = vs_test_query(db, sql, &result);
            failed = vs_fault_disarm() > 0;
            if (rc == SQLITE_OK && result != NULL && !failed) {
                assert_string_equal(result, good_cases[i].expected);
            } else if (rc != SQLITE_NOMEM && rc != SQLITE_OK) {
                fail_msg("%s, allocation %d: %d %s", sql, n, rc, result);
            }
            sqlite3_free(result);
            vs_test_gives(db, sql, good_cases[i].expected); /* the connection still works */
            vs_test_close(db);
            assert_int_equal(vs_fault_live(), live);
        }
    }
    db = vs_test_open();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_give_what_they_should),
        cmocka_unit_test(errors_are_one_sentence_that_begins_with_the_function),
        cmocka_unit_test(json_round_trips_are_bit_exact),
        cmocka_unit_test(results_keep_sqlites_length_limit),
        cmocka_unit_test(unzstd_decodes_a_frame),
        cmocka_unit_test(debug_names_what_was_built),
        cmocka_unit_test(a_norm_can_be_indexed_and_generated),
        cmocka_unit_test(a_strict_host_can_use_every_function),
        cmocka_unit_test(a_locale_with_a_decimal_comma_changes_nothing),
        cmocka_unit_test(distances_allocate_the_same_for_any_number_of_rows),
        cmocka_unit_test(bit_distances_add_no_allocation_to_those_of_vec_bit),
        cmocka_unit_test(remembered_texts_never_stand_for_other_ones),
        cmocka_unit_test(every_failed_allocation_ends_in_nomem_or_the_right_result),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, open_db, close_db);
}
