/*
 * test_format.c - the bytes in the shadow tables.
 *
 * Each structure is written, read back, compared with bytes that are fixed here, damaged in every
 * bit and cut at every length, and forged: values that no writer writes, under a right checksum.
 * The checksums in the fixed bytes were computed by another program, from the text in code.h.
 */
#include "../vs_test.h"

#include <math.h>

#include "../../ext/format.h"
#include "../read_code.h"
#include "../vs_fault.h"

#define T "memories"

/* A declaration of one column or more. */
static void declare(const char *first, const char *second, vs_declaration *out)
{
    const char *argv[] = {first, second};
    vs_err err = VS_ERR_INIT;
    if (vs_declare_parse("vecshard: t", second == NULL ? 1 : 2, argv, out, &err) != SQLITE_OK) {
        fail_msg("%s", err.message);
    }
}

static void is_corrupt(int rc, vs_err *err, const char *expected)
{
    assert_int_equal(rc, SQLITE_CORRUPT_VTAB);
    assert_non_null(err->message);
    if (expected != NULL && strcmp(err->message, expected) != 0) {
        fail_msg("fails with\n%s\nnot\n%s", err->message, expected);
    }
    vs_error_clear(err);
}

static void has_bytes(const uint8_t *bytes, size_t n, const char *hex)
{
    char found[1024];
    assert_true(2 * n < sizeof found);
    for (size_t i = 0; i < n; i++) {
        sqlite3_snprintf(3, found + 2 * i, "%02x", bytes[i]);
    }
    if (strlen(hex) != 2 * n || memcmp(found, hex, 2 * n) != 0) {
        fail_msg("the bytes are\n%.*s\nnot\n%s", (int)(2 * n), found, hex);
    }
}

/* Puts a checksum of [from, n) at `at`: what a forger does. */
static void seal(uint8_t *bytes, size_t at, size_t from, size_t n)
{
    uint32_t checksum = vsk_get()->checksum(bytes + from, n - from);
    for (int i = 0; i < 4; i++) {
        bytes[at + (size_t)i] = (uint8_t)(checksum >> (8 * i));
    }
}

static void set32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static void set64(uint8_t *at, uint64_t value)
{
    set32(at, (uint32_t)value);
    set32(at + 4, (uint32_t)(value >> 32));
}

typedef int (*reader)(const uint8_t *data, size_t n, vs_err *err);

/* Reads a copy that ends with its block, at an odd address: for the sanitizers. */
static int read_copy(reader read, const uint8_t *bytes, size_t n, vs_err *err)
{
    uint8_t *copy = malloc(n + 1);
    memcpy(copy + 1, bytes, n);
    int rc = read(copy + 1, n, err);
    free(copy);
    return rc;
}

static void every_flipped_bit_is_found(reader read, const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n);
    vs_err err = VS_ERR_INIT;
    memcpy(copy, bytes, n);
    assert_int_equal(read_copy(read, copy, n, &err), SQLITE_OK);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        is_corrupt(read_copy(read, copy, n, &err), &err, NULL);
        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    free(copy);
}

static void every_other_length_is_found(reader read, const uint8_t *bytes, size_t n)
{
    uint8_t *copy = calloc(1, n + 8);
    vs_err err = VS_ERR_INIT;
    memcpy(copy, bytes, n);
    for (size_t length = 0; length < n + 8; length++) {
        if (length != n) {
            is_corrupt(read_copy(read, copy, length, &err), &err, NULL);
        }
    }
    is_corrupt(read(NULL, n, &err), &err, NULL);
    free(copy);
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static void sizes_follow_from_the_declaration(void **state)
{
    static const struct {
        const char *first, *second;
        uint32_t slots, per_row;
        size_t record_bytes, code_dim;
    } cases[] = {
        {"e float[768]", NULL, 128, 4, 3088, 768},
        {"e float[768] metric=cosine", "t text", 128, 4, 3088, 768},
        {"e float[384]", NULL, 256, 8, 1552, 384},
        {"e float[384] store=f16", NULL, 256, 16, 784, 384},
        {"e float[1536]", NULL, 64, 2, 6160, 1536},
        {"e float[3072]", NULL, 32, 1, 12304, 3072},
        {"e float[128]", NULL, 512, 16, 528, 128},
        {"e float[100]", NULL, 512, 16, 416, 128},
        {"e float[64]", NULL, 1024, 32, 272, 64},
        {"e float[32]", NULL, 1024, 64, 144, 64},
        {"e f16[33]", NULL, 1024, 128, 84, 64},
        {"e float[65536]", NULL, 16, 1, 262160, 65536},
        {"e float[3072]", "f float[32]", 32, 1, 12304, 3072},
        {"e float[768]", "f int8[3]", 128, 4, 3088, 768},
        {"e float[31]", NULL, 512, 512, 140, 0},
        {"e int8[768]", NULL, 64, 64, 784, 0},
        {"e int8[3]", NULL, 1024, 1024, 20, 0},
        {"e bit[768]", NULL, 512, 512, 112, 0},
        {"e bit[8]", NULL, 1024, 1024, 20, 0},
        {"e float[768] metric=l1", NULL, 16, 16, 3088, 0},
        {"e float[65536] metric=l1", NULL, 16, 1, 262160, 0},
        {"e int8[3]", "f int8[65536]", 16, 16, 20, 0},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_declaration d;
        vs_geometry g;
        declare(cases[i].first, cases[i].second, &d);
        vs_format_geometry(&d, &g);
        assert_int_equal(g.slots, cases[i].slots);
        assert_int_equal(g.vectors[0].per_row, cases[i].per_row);
        assert_int_equal(g.vectors[0].vector_bytes,
                         vsk_bytes(d.vectors[0].stored, d.vectors[0].dim));
        assert_int_equal(g.vectors[0].record_bytes, cases[i].record_bytes);
        assert_int_equal(g.vectors[0].is_coded, cases[i].code_dim > 0);
        assert_int_equal(g.vectors[0].code_dim, cases[i].code_dim);
        assert_int_equal(g.vectors[0].fine_bytes, cases[i].code_dim / 2);
        assert_int_equal(g.vectors[0].coarse_bytes,
                         cases[i].code_dim > 0 ? 48 + cases[i].code_dim / 2 : 0);
        vs_declare_free(&d);
    }
}

/* The content table has the vectors of coded columns: their records tell the rowid only. */
static void an_index_over_a_table_keeps_no_vectors_of_coded_columns(void **state)
{
    static const char *const argv[] = {"e float[768]", "f int8[768]", "content=docs"};
    vs_declaration d;
    vs_geometry g;
    vs_err err = VS_ERR_INIT;
    (void)state;
    assert_int_equal(vs_declare_parse("vecshard: t", 3, argv, &d, &err), SQLITE_OK);
    vs_format_geometry(&d, &g);
    assert_int_equal(g.slots, 128);
    assert_int_equal(g.vectors[0].vector_bytes, 0);
    assert_int_equal(g.vectors[0].record_bytes, VS_RECORD_HEADER_BYTES);
    assert_int_equal(g.vectors[0].per_row, 128);
    assert_int_equal(g.vectors[0].coarse_bytes, 432);
    assert_int_equal(g.vectors[1].vector_bytes, 768);
    assert_int_equal(g.vectors[1].per_row, 64);
    vs_declare_free(&d);
}

/* ---- head ------------------------------------------------------------------------------------ */

static int read_head(const uint8_t *data, size_t n, vs_err *err)
{
    vs_head head;
    return vs_format_read_head(T, data, n, &head, err);
}

static void make_head(uint8_t out[VS_HEAD_BYTES])
{
    vs_head head = {"0123456789abcde", 3, 0x0000123456789abc};
    vs_format_write_head(&head, out);
}

static void a_head_comes_back(void **state)
{
    uint8_t bytes[VS_HEAD_BYTES];
    vs_head head;
    vs_err err = VS_ERR_INIT;
    (void)state;
    make_head(bytes);
    has_bytes(bytes, sizeof bytes,
              "5653483109e8dc10303132333435363738396162636465"
              "00bc9a7856341200000300000000000000");
    assert_int_equal(vs_format_read_head(T, bytes, sizeof bytes, &head, &err), SQLITE_OK);
    assert_memory_equal(head.stamp, "0123456789abcde", VS_STAMP_BYTES);
    assert_int_equal(head.cell_count, 3);
    assert_int_equal(head.next_cell, 0x0000123456789abc);
}

static void a_damaged_head_is_corrupt(void **state)
{
    uint8_t bytes[VS_HEAD_BYTES];
    (void)state;
    make_head(bytes);
    every_flipped_bit_is_found(read_head, bytes, sizeof bytes);
    every_other_length_is_found(read_head, bytes, sizeof bytes);
}

static void a_forged_head_is_corrupt(void **state)
{
    static const struct {
        uint64_t next_cell;
        uint32_t cell_count, last;
        const char *message;
    } cases[] = {
        {0, 0, 0,
         T "_cells, row 70368744177664: the next cell must be 1 to 70368744177664, found "
           "0"},
        {(uint64_t)VS_HEAD_ID + 1, 0, 0,
         T "_cells, row 70368744177664: the next cell must be 1 to 70368744177664, found "
           "70368744177665"},
        {0x8000000000000000u, 0, 0,
         T "_cells, row 70368744177664: the next cell must be 1 to 70368744177664, found "
           "-9223372036854775808"},
        {5, 5, 0, T "_cells, row 70368744177664: 5 cells, and the next new one is 5"},
        {5, 4, 1, T "_cells, row 70368744177664: the last word must be 0, found 1"},
    };
    uint8_t bytes[VS_HEAD_BYTES];
    vs_err err = VS_ERR_INIT;
    (void)state;
    make_head(bytes);
    is_corrupt(read_head(bytes, 39, &err), &err,
               T "_cells, row 70368744177664: the head must have 40 bytes, found 39");
    bytes[3] = '2';
    is_corrupt(read_head(bytes, 40, &err), &err,
               T "_cells, row 70368744177664: the head must begin with VSH1, found the bytes 56 53 "
                 "48 32");
    bytes[3] = '1';
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        set64(bytes + 24, cases[i].next_cell);
        set32(bytes + 32, cases[i].cell_count);
        set32(bytes + 36, cases[i].last);
        seal(bytes, 4, 8, sizeof bytes);
        is_corrupt(read_head(bytes, sizeof bytes, &err), &err, cases[i].message);
    }
    set64(bytes + 24, (uint64_t)VS_HEAD_ID);
    set32(bytes + 36, 0);
    seal(bytes, 4, 8, sizeof bytes);
    assert_int_equal(read_head(bytes, sizeof bytes, &err), SQLITE_OK);
}

/* ---- cells ----------------------------------------------------------------------------------- */

static vs_cell some_cell(void)
{
    vs_cell cell;
    memset(&cell, 0, sizeof cell);
    cell.id = 7;
    cell.part = -2;
    memcpy(cell.stamp, "0123456789abcde", VS_STAMP_BYTES);
    cell.is_coded = 1;
    cell.code_id[1] = 0x1122334455667788;
    cell.map[0] = 0x8001;
    cell.live = 2;
    return cell;
}

static int read_cell_7(const uint8_t *data, size_t n, vs_err *err)
{
    vs_cell cell;
    return vs_format_read_cell(T, 7, -2, 16, 2, data, n, &cell, err);
}

static void a_cell_comes_back(void **state)
{
    uint8_t bytes[VS_CELL_BYTES_MAX];
    vs_cell cell = some_cell(), again;
    vs_err err = VS_ERR_INIT;
    (void)state;
    assert_int_equal(vs_format_write_cell(&cell, 16, 2, bytes), 74);
    has_bytes(bytes, 74,
              "5653433103d4e6340700000000000000feffffffffffffff"
              "30313233343536373839616263646500"
              "0200000001000000"
              "1000000002000000"
              "00000000000000008877665544332211"
              "0180");
    assert_int_equal(vs_format_read_cell(T, 7, -2, 16, 2, bytes, 74, &again, &err), SQLITE_OK);
    assert_memory_equal(&again, &cell, sizeof cell);
    assert_int_equal(vs_cell_has(&again, 0), 1);
    assert_int_equal(vs_cell_has(&again, 1), 0);
    assert_int_equal(vs_cell_has(&again, 15), 1);
}

static void cells_of_every_size_come_back(void **state)
{
    uint64_t seed = 88172645463325252u;
    vs_err err = VS_ERR_INIT;
    (void)state;
    for (uint32_t slots = VS_SLOTS_MIN; slots <= VS_SLOTS_MAX; slots *= 2) {
        for (int vectors = 1; vectors <= VS_VECTORS_MAX; vectors++) {
            uint8_t bytes[VS_CELL_BYTES_MAX];
            vs_cell cell = some_cell(), again;
            memset(cell.map, 0, sizeof cell.map);
            memset(cell.code_id, 0, sizeof cell.code_id);
            cell.id = (int64_t)(vs_test_random(&seed) % VS_CELL_ID_MAX) + 1;
            cell.part = (int64_t)vs_test_random(&seed);
            cell.is_coded = vectors % 2;
            cell.live = 0;
            for (uint32_t slot = 0; slot < slots; slot++) {
                uint64_t has = vs_test_random(&seed) % 3 != 0;
                cell.map[slot / 64] |= has << (slot % 64);
                cell.live += (uint32_t)has;
            }
            for (int i = 0; i < vectors; i++) {
                cell.code_id[i] = vs_test_random(&seed);
            }
            size_t n = vs_format_write_cell(&cell, slots, vectors, bytes);
            assert_true(n <= sizeof bytes);
            assert_int_equal(
                vs_format_read_cell(T, cell.id, cell.part, slots, vectors, bytes, n, &again, &err),
                SQLITE_OK);
            assert_memory_equal(&again, &cell, sizeof cell);
        }
    }
}

static void a_damaged_cell_is_corrupt(void **state)
{
    uint8_t bytes[VS_CELL_BYTES_MAX];
    vs_cell cell = some_cell();
    (void)state;
    size_t n = vs_format_write_cell(&cell, 16, 2, bytes);
    every_flipped_bit_is_found(read_cell_7, bytes, n);
    every_other_length_is_found(read_cell_7, bytes, n);
}

static void a_forged_cell_is_corrupt(void **state)
{
    static const struct {
        size_t at;
        uint32_t value;
        const char *message;
    } cases[] = {
        {8, 8,
         T "_cells, row 7: the bytes are those of cell 8 of part -2, expected cell 7 of part "
           "-2"},
        {16, 0,
         T "_cells, row 7: the bytes are those of cell 7 of part -4294967296, expected cell "
           "7 of part -2"},
        {40, 3, T "_cells, row 7: 3 rows, and the map has 2"},
        {40, 0xffffffff, T "_cells, row 7: 4294967295 rows, and the map has 2"},
        {44, 3, T "_cells, row 7: unknown flags 00000003"},
        {48, 32, T "_cells, row 7: 32 slots and 2 vector columns, expected 16 and 2"},
        {52, 1, T "_cells, row 7: 16 slots and 1 vector columns, expected 16 and 2"},
    };
    vs_cell cell = some_cell(), again;
    vs_err err = VS_ERR_INIT;
    uint8_t bytes[VS_CELL_BYTES_MAX];
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        size_t n = vs_format_write_cell(&cell, 16, 2, bytes);
        set32(bytes + cases[i].at, cases[i].value);
        seal(bytes, 4, 8, n);
        is_corrupt(read_cell_7(bytes, n, &err), &err, cases[i].message);
    }
    /* A row of the directory with an id that no cell has. */
    is_corrupt(vs_format_read_cell(T, 0, -2, 16, 2, bytes, 74, &again, &err), &err,
               T "_cells, row 0: the id of a cell must be 1 to 70368744177663");
    is_corrupt(vs_format_read_cell(T, VS_HEAD_ID, -2, 16, 2, bytes, 74, &again, &err), &err,
               T "_cells, row 70368744177664: the id of a cell must be 1 to 70368744177663");
}

/* ---- vector records -------------------------------------------------------------------------- */

#define RECORD_VECTOR 7
#define RECORD_BYTES 24

static int read_record(const uint8_t *data, size_t n, vs_err *err)
{
    int64_t rowid;
    const void *vector;
    int rc =
        vs_format_read_record(T, 1, 33, data, n, RECORD_VECTOR, RECORD_BYTES, &rowid, &vector, err);
    assert_true(rc == SQLITE_OK || vector == NULL);
    return rc;
}

static void a_vector_record_comes_back(void **state)
{
    uint8_t bytes[RECORD_BYTES];
    int64_t rowid = 0;
    const void *vector = NULL;
    vs_err err = VS_ERR_INIT;
    (void)state;
    memset(bytes, 0xee, sizeof bytes);
    vs_format_write_record(-5, "abcdefg", RECORD_VECTOR, RECORD_BYTES, bytes);
    has_bytes(bytes, sizeof bytes, "19fa888401000080fbffffffffffffff6162636465666700");
    assert_int_equal(vs_format_read_record(T, 0, 33, bytes, sizeof bytes, RECORD_VECTOR,
                                           RECORD_BYTES, &rowid, &vector, &err),
                     SQLITE_OK);
    assert_int_equal(rowid, -5);
    assert_ptr_equal(vector, bytes + VS_RECORD_HEADER_BYTES);

    /* The vector may be there already. */
    vs_format_write_record(6, bytes + VS_RECORD_HEADER_BYTES, RECORD_VECTOR, RECORD_BYTES, bytes);
    assert_int_equal(vs_format_read_record(T, 0, 33, bytes, sizeof bytes, RECORD_VECTOR,
                                           RECORD_BYTES, &rowid, &vector, &err),
                     SQLITE_OK);
    assert_int_equal(rowid, 6);
    assert_memory_equal(vector, "abcdefg", RECORD_VECTOR);
}

static void null_is_a_record_without_vector(void **state)
{
    uint8_t bytes[RECORD_BYTES];
    int64_t rowid = 1;
    const void *vector = bytes;
    vs_err err = VS_ERR_INIT;
    (void)state;
    memset(bytes, 0xee, sizeof bytes);
    vs_format_write_record(0, NULL, RECORD_VECTOR, RECORD_BYTES, bytes);
    assert_int_equal(bytes[16] + bytes[22] + bytes[23], 0);
    assert_int_equal(vs_format_read_record(T, 0, 33, bytes, sizeof bytes, RECORD_VECTOR,
                                           RECORD_BYTES, &rowid, &vector, &err),
                     SQLITE_OK);
    assert_int_equal(rowid, 0);
    assert_null(vector);
}

/* An index over a table: the vector is there, and has no bytes here. */
static void a_record_may_be_a_header_alone(void **state)
{
    uint8_t bytes[VS_RECORD_HEADER_BYTES];
    int64_t rowid = 0;
    const void *vector = NULL;
    vs_err err = VS_ERR_INIT;
    (void)state;
    vs_format_write_record(9, "", 0, sizeof bytes, bytes);
    assert_int_equal(vs_format_read_record(T, 0, 33, bytes, sizeof bytes, 0, sizeof bytes, &rowid,
                                           &vector, &err),
                     SQLITE_OK);
    assert_int_equal(rowid, 9);
    assert_non_null(vector);
    vs_format_write_record(9, NULL, 0, sizeof bytes, bytes);
    assert_int_equal(vs_format_read_record(T, 0, 33, bytes, sizeof bytes, 0, sizeof bytes, &rowid,
                                           &vector, &err),
                     SQLITE_OK);
    assert_null(vector);
}

static void a_damaged_record_is_corrupt(void **state)
{
    uint8_t bytes[RECORD_BYTES + 4] = {0};
    int64_t rowid;
    const void *vector;
    vs_err err = VS_ERR_INIT;
    (void)state;
    vs_format_write_record(5, "abcdefg", RECORD_VECTOR, RECORD_BYTES, bytes);
    every_flipped_bit_is_found(read_record, bytes, RECORD_BYTES);
    for (size_t n = 0; n < RECORD_BYTES; n++) {
        is_corrupt(read_copy(read_record, bytes, n, &err), &err, NULL);
    }
    /* More bytes are the next record. */
    assert_int_equal(read_copy(read_record, bytes, RECORD_BYTES + 4, &err), SQLITE_OK);
    is_corrupt(read_record(bytes, RECORD_BYTES - 1, &err), &err,
               T "_vectors1, place 33: expected a record of 24 bytes, found 23");
    is_corrupt(read_record(NULL, RECORD_BYTES, &err), &err,
               T "_vectors1, place 33: expected a record of 24 bytes, found 0");
    /* Sizes that do not fit each other. */
    is_corrupt(vs_format_read_record(T, 1, 33, bytes, 24, 9, 24, &rowid, &vector, &err), &err,
               NULL);
    is_corrupt(vs_format_read_record(T, 1, 33, bytes, 24, 0, 15, &rowid, &vector, &err), &err,
               NULL);
}

static void zeros_and_unknown_flags_are_no_record(void **state)
{
    static const uint32_t flags[] = {0, 1, 0x80000002, 0x80000003, 0xc0000001};
    uint8_t bytes[RECORD_BYTES] = {0};
    vs_err err = VS_ERR_INIT;
    (void)state;
    is_corrupt(read_record(bytes, sizeof bytes, &err), &err, NULL);
    for (size_t i = 0; i < VS_TEST_COUNT(flags); i++) {
        char message[80];
        set32(bytes + 4, flags[i]);
        seal(bytes, 0, 4, sizeof bytes);
        sqlite3_snprintf((int)sizeof message, message,
                         T "_vectors1, place 33: no record: its flags are %08x", flags[i]);
        is_corrupt(read_record(bytes, sizeof bytes, &err), &err, message);
    }
}

/* ---- code records ---------------------------------------------------------------------------- */

#define CODE_DIM 64
#define COARSE_BYTES (VS_CODE_HEADER_BYTES + CODE_DIM / 2)
#define FINE_BYTES (CODE_DIM / 2)

static uint8_t plane_b[FINE_BYTES], plane_c[FINE_BYTES];

static vs_code_record some_code(void)
{
    vs_code_record record;
    memset(&record, 0, sizeof record);
    for (int i = 0; i < FINE_BYTES; i++) {
        plane_b[i] = (uint8_t)i;
        plane_c[i] = (uint8_t)(0xff - i);
    }
    record.rowid = INT64_MIN;
    record.r = 1.5f;
    record.terms = (vsk_code_terms){0.5f, 0.75f, 2.0f, 1.0f, 0.0f, 0.25f};
    record.flags = VS_CODE_HAS_VECTOR;
    record.plane_b = plane_b;
    record.plane_c = plane_c;
    return record;
}

/* Coarse and fine part, one behind the other. */
static int read_code(const uint8_t *data, size_t n, vs_err *err)
{
    vs_code_record record;
    assert_int_equal(n, COARSE_BYTES + FINE_BYTES);
    return vs_test_read_code(T, 2, 77, data, data + COARSE_BYTES, CODE_DIM, &record, err);
}

static int read_coarse(const uint8_t *data, size_t n, vs_err *err)
{
    vs_code_record record;
    assert_int_equal(n, COARSE_BYTES);
    return vs_test_read_code(T, 2, 77, data, NULL, CODE_DIM, &record, err);
}

static void a_code_comes_back(void **state)
{
    uint8_t bytes[COARSE_BYTES + FINE_BYTES];
    vs_code_record record = some_code(), again;
    vs_err err = VS_ERR_INIT;
    (void)state;
    vs_format_write_code(&record, CODE_DIM, bytes, bytes + COARSE_BYTES);
    has_bytes(bytes, VS_CODE_HEADER_BYTES,
              "8683ce70bebbc4410000000000000080"
              "0000c03f"
              "0000003f0000403f00000040"
              "0000803f000000000000803e"
              "01000080");
    assert_memory_equal(bytes + VS_CODE_HEADER_BYTES, plane_b, FINE_BYTES);
    assert_memory_equal(bytes + COARSE_BYTES, plane_c, FINE_BYTES);
    for (int is_coarse = 0; is_coarse < 2; is_coarse++) {
        const uint8_t *fine = is_coarse ? NULL : bytes + COARSE_BYTES;
        assert_int_equal(vs_test_read_code(T, 2, 77, bytes, fine, CODE_DIM, &again, &err),
                         SQLITE_OK);
        assert_int_equal(again.rowid, INT64_MIN);
        assert_true(again.r == 1.5f);
        assert_memory_equal(&again.terms, &record.terms, sizeof again.terms);
        assert_int_equal(again.flags, VS_CODE_HAS_VECTOR);
        assert_ptr_equal(again.plane_b, bytes + VS_CODE_HEADER_BYTES);
        assert_ptr_equal(again.plane_c, fine);
    }
    /* The planes may be there already: writing again changes nothing. */
    uint8_t before[sizeof bytes];
    memcpy(before, bytes, sizeof bytes);
    assert_int_equal(
        vs_test_read_code(T, 2, 77, bytes, bytes + COARSE_BYTES, CODE_DIM, &again, &err),
        SQLITE_OK);
    vs_format_write_code(&again, CODE_DIM, bytes, bytes + COARSE_BYTES);
    assert_memory_equal(bytes, before, sizeof bytes);
}

static void a_damaged_code_is_corrupt(void **state)
{
    uint8_t bytes[COARSE_BYTES + FINE_BYTES];
    vs_code_record record = some_code();
    vs_err err = VS_ERR_INIT;
    (void)state;
    vs_format_write_code(&record, CODE_DIM, bytes, bytes + COARSE_BYTES);
    every_flipped_bit_is_found(read_code, bytes, sizeof bytes);
    every_flipped_bit_is_found(read_coarse, bytes, COARSE_BYTES);
    bytes[COARSE_BYTES] ^= 1;
    assert_int_equal(read_coarse(bytes, COARSE_BYTES, &err), SQLITE_OK);
    assert_int_equal(read_code(bytes, sizeof bytes, &err), SQLITE_CORRUPT_VTAB);
    assert_memory_equal(err.message, T "_codes2, place 77: the checksum of the fine code is ",
                        strlen(T "_codes2, place 77: the checksum of the fine code is "));
    vs_error_clear(&err);
    memset(bytes, 0, sizeof bytes);
    is_corrupt(read_code(bytes, sizeof bytes, &err), &err, NULL);
    seal(bytes, 4, COARSE_BYTES, sizeof bytes);
    seal(bytes, 0, 4, COARSE_BYTES);
    is_corrupt(read_code(bytes, sizeof bytes, &err), &err,
               T "_codes2, place 77: no code: its flags are 00000000");
}

/* One float of the header is forged. */
static int read_forged(size_t at, float value, uint32_t flags, vs_err *err)
{
    uint8_t bytes[COARSE_BYTES + FINE_BYTES];
    vs_code_record record = some_code();
    uint32_t bits;
    vs_format_write_code(&record, CODE_DIM, bytes, bytes + COARSE_BYTES);
    memcpy(&bits, &value, sizeof bits);
    set32(bytes + at, bits);
    set32(bytes + 44, flags);
    seal(bytes, 0, 4, COARSE_BYTES);
    return read_code(bytes, sizeof bytes, err);
}

static void terms_out_of_range_are_corrupt(void **state)
{
    static const size_t angles[] = {20, 24, 32, 36}, lengths[] = {16, 28, 40};
    static const float bad[] = {-1.0f,       -0.0f,           -1e-30f,         (float)NAN,
                                (float)-NAN, (float)INFINITY, (float)-INFINITY};
    const uint32_t bound = 0x80000001, no_bound = 0x80000003;
    vs_err err = VS_ERR_INIT;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(read_forged(angles[i], 0.0f, bound, &err), SQLITE_OK);
        assert_int_equal(read_forged(angles[i], 1.0f, bound, &err), SQLITE_OK);
        assert_int_equal(read_forged(angles[i], 1.000009f, bound, &err), SQLITE_OK);
        is_corrupt(read_forged(angles[i], 1.00002f, bound, &err), &err,
                   T "_codes2, place 77: the terms of the code are out of range");
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(read_forged(lengths[i], 0.0f, bound, &err), SQLITE_OK);
        assert_int_equal(read_forged(lengths[i], 3.4028235e38f, bound, &err), SQLITE_OK);
    }
    for (size_t at = 16; at < 44; at += 4) {
        for (size_t i = 0; i < VS_TEST_COUNT(bad); i++) {
            is_corrupt(read_forged(at, bad[i], bound, &err), &err, NULL);
            assert_int_equal(read_forged(at, bad[i], no_bound, &err), SQLITE_OK);
        }
    }
    is_corrupt(read_forged(16, 1.0f, 0x80000004, &err), &err,
               T "_codes2, place 77: no code: its flags are 80000004");
    is_corrupt(read_forged(16, 1.0f, 0x00000001, &err), &err,
               T "_codes2, place 77: no code: its flags are 00000001");
}

/* What the encoder makes of real vectors is within the range that the reader takes. */
static void real_codes_are_in_range(void **state)
{
    uint64_t seed = 88172645463325252u;
    float v[128];
    uint8_t bytes[VS_CODE_HEADER_BYTES + 128];
    vs_err err = VS_ERR_INIT;
    (void)state;
    for (int round = 0; round < 1000; round++) {
        vs_code_record record = some_code();
        for (int i = 0; i < 128; i++) {
            double x = (double)(vs_test_random(&seed) % 2001) / 1000.0 - 1.0;
            v[i] = (float)(round % 4 == 0 ? (i == round % 128) : pow(x, 1 + 2 * (round % 4)));
        }
        vsk_code_encode(v, 128, bytes + VS_CODE_HEADER_BYTES, bytes + VS_CODE_HEADER_BYTES + 64,
                        &record.terms);
        record.plane_b = bytes + VS_CODE_HEADER_BYTES;
        record.plane_c = bytes + VS_CODE_HEADER_BYTES + 64;
        vs_format_write_code(&record, 128, bytes, bytes + VS_CODE_HEADER_BYTES + 64);
        int rc = vs_test_read_code(T, 0, 1, bytes, bytes + VS_CODE_HEADER_BYTES + 64, 128, &record,
                                   &err);
        if (rc != SQLITE_OK) {
            fail_msg("round %d: %s", round, err.message);
        }
    }
}

/* ---- descriptions ---------------------------------------------------------------------------- */

static const float anchor[3] = {1.0f, -2.0f, 0.5f};

static int read_description(const uint8_t *data, size_t n, vs_err *err)
{
    vs_code_description description;
    return vs_format_read_description(T, data, n, 0x1122334455667788, 3, &description, err);
}

static void *make_description(size_t *out_bytes)
{
    vs_code_description description = {0x1122334455667788, VS_CODE_KIND_ROTATED, 3, anchor};
    void *bytes = vs_format_write_description(&description, out_bytes);
    assert_non_null(bytes);
    return bytes;
}

static void a_description_comes_back(void **state)
{
    vs_code_description description;
    vs_err err = VS_ERR_INIT;
    size_t n = 0;
    (void)state;
    void *bytes = make_description(&n);
    has_bytes(bytes, n, "56534431ba97d5a5887766554433221101000000030000000000803f000000c00000003f");
    assert_int_equal(
        vs_format_read_description(T, bytes, n, 0x1122334455667788, 3, &description, &err),
        SQLITE_OK);
    assert_true(description.id == 0x1122334455667788);
    assert_int_equal(description.kind, VS_CODE_KIND_ROTATED);
    assert_int_equal(description.dim, 3);
    assert_memory_equal(description.anchor, anchor, sizeof anchor);
    sqlite3_free(bytes);
}

static void a_damaged_description_is_corrupt(void **state)
{
    size_t n = 0;
    (void)state;
    void *bytes = make_description(&n);
    every_flipped_bit_is_found(read_description, bytes, n);
    every_other_length_is_found(read_description, bytes, n);
    sqlite3_free(bytes);
}

static void a_forged_description_is_corrupt(void **state)
{
    static const struct {
        size_t at;
        uint32_t value;
        const char *message;
    } cases[] = {
        {8, 1,
         T "_info, codes 1122334455667788: the bytes are those of codes 1122334400000001 "
           "with 3 dimensions, expected 3"},
        {20, 4,
         T "_info, codes 1122334455667788: the bytes are those of codes 1122334455667788 "
           "with 4 dimensions, expected 3"},
        {16, 2,
         T "_info, codes 1122334455667788: codes of kind 2, and this version knows kind 1 "
           "only"},
        {28, 0x7f800000, T "_info, codes 1122334455667788: element 1 of the anchor is not finite"},
        {32, 0xffc00000, T "_info, codes 1122334455667788: element 2 of the anchor is not finite"},
    };
    vs_code_description description;
    vs_err err = VS_ERR_INIT;
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        size_t n = 0;
        uint8_t *bytes = make_description(&n);
        set32(bytes + cases[i].at, cases[i].value);
        seal(bytes, 4, 8, n);
        is_corrupt(read_description(bytes, n, &err), &err, cases[i].message);
        sqlite3_free(bytes);
    }
    /* Id 0 is never stored. */
    size_t n = 0;
    uint8_t *bytes = make_description(&n);
    set64(bytes + 8, 0);
    seal(bytes, 4, 8, n);
    is_corrupt(vs_format_read_description(T, bytes, n, 0, 3, &description, &err), &err, NULL);
    sqlite3_free(bytes);
}

static void a_description_without_memory_is_none(void **state)
{
    vs_code_description description = {1, VS_CODE_KIND_ROTATED, 3, anchor};
    size_t n = 1;
    (void)state;
    vs_fault_arm(1, 0);
    void *bytes = vs_format_write_description(&description, &n);
    assert_int_equal(vs_fault_disarm(), 1);
    assert_null(bytes);
    assert_int_equal(n, 0);
}

static int choose_kernels(void **state)
{
    (void)state;
    return vsk_init(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_follow_from_the_declaration),
        cmocka_unit_test(an_index_over_a_table_keeps_no_vectors_of_coded_columns),
        cmocka_unit_test(a_head_comes_back),
        cmocka_unit_test(a_damaged_head_is_corrupt),
        cmocka_unit_test(a_forged_head_is_corrupt),
        cmocka_unit_test(a_cell_comes_back),
        cmocka_unit_test(cells_of_every_size_come_back),
        cmocka_unit_test(a_damaged_cell_is_corrupt),
        cmocka_unit_test(a_forged_cell_is_corrupt),
        cmocka_unit_test(a_vector_record_comes_back),
        cmocka_unit_test(null_is_a_record_without_vector),
        cmocka_unit_test(a_record_may_be_a_header_alone),
        cmocka_unit_test(a_damaged_record_is_corrupt),
        cmocka_unit_test(zeros_and_unknown_flags_are_no_record),
        cmocka_unit_test(a_code_comes_back),
        cmocka_unit_test(a_damaged_code_is_corrupt),
        cmocka_unit_test(terms_out_of_range_are_corrupt),
        cmocka_unit_test(real_codes_are_in_range),
        cmocka_unit_test(a_description_comes_back),
        cmocka_unit_test(a_damaged_description_is_corrupt),
        cmocka_unit_test(a_forged_description_is_corrupt),
        cmocka_unit_test(a_description_without_memory_is_none),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, choose_kernels, NULL);
}
