/*
 * test_store_half.c - columns with store=half: what a vector takes in the file, and that it comes back.
 */
#include "../store_fixture.h"

#include <math.h>
#include <stdio.h>

#include "../../ext/half.h"

enum { DIM = 96, WHOLE = 16 + 4 * DIM, HALF = 20 + 2 * DIM, PER_ROW = 32 };

/* A vector that was computed in half precision and normalised, or where `is_off` one that was not. */
static void make_vector(int64_t seed, int is_off, float *out)
{
    uint64_t random = (uint64_t)seed * 7919 + 1;
    double sum = 0.0;
    float norm;
    for (int i = 0; i < DIM; i++) {
        float x = (float)((double)(vs_test_random(&random) >> 40) * 0x1p-23 - 1.0);
        uint16_t half;
        vsk_get()->from_f32[VSK_F16](&x, &half, 1);
        vsk_get()->to_f32[VSK_F16](&half, &out[i], 1);
        sum += (double)out[i] * (double)out[i];
    }
    norm = (float)sqrt(sum);
    for (int i = 0; i < DIM; i++) {
        out[i] /= norm;
    }
    if (is_off) {
        out[DIM / 2] = nextafterf(out[DIM / 2], 2.0f);
        out[DIM / 3] = nextafterf(out[DIM / 3], 2.0f);
    }
}

/* Runs a statement with ?1 the rowid and ?2 the vector. */
static void write_vector(sqlite3 *db, const char *sql, int64_t rowid, int is_off)
{
    sqlite3_stmt *stmt = NULL;
    float vector[DIM];
    make_vector(rowid, is_off, vector);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    sqlite3_bind_int64(stmt, 1, rowid);
    sqlite3_bind_blob(stmt, 2, vector, sizeof vector, SQLITE_TRANSIENT);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
}

/* The table has the vector, every bit of it. */
static void has_vector(sqlite3 *db, int64_t rowid, int is_off)
{
    sqlite3_stmt *stmt = NULL;
    float vector[DIM];
    make_vector(rowid, is_off, vector);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT v FROM t WHERE rowid = ?1", -1, &stmt, NULL),
                     SQLITE_OK);
    sqlite3_bind_int64(stmt, 1, rowid);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_bytes(stmt, 0), sizeof vector);
    assert_memory_equal(sqlite3_column_blob(stmt, 0), vector, sizeof vector);
    sqlite3_finalize(stmt);
}

#define INSERT "INSERT INTO t(rowid, v) VALUES(?1, ?2)"
#define UPDATE "UPDATE t SET v = ?2 WHERE rowid = ?1"

static void open_table(store_fixture *fixture)
{
    fixture_open_store(fixture, "CREATE VIRTUAL TABLE t USING vecshard(v float[96] store=half)");
    assert_int_equal(fixture->store.geometry.vectors[0].record_bytes, WHOLE);
    assert_int_equal(fixture->store.geometry.vectors[0].half_bytes, HALF);
    assert_int_equal(fixture->store.geometry.vectors[0].per_row, PER_ROW);
}

static int64_t bytes_of_group(store_fixture *fixture)
{
    return fixture_number(fixture->db, "SELECT length(data) FROM t_vectors0 ORDER BY id LIMIT 1");
}

static void vectors_on_the_grid_take_half_the_space(void **state)
{
    store_fixture fixture;
    (void)state;
    open_table(&fixture);
    for (int row = 1; row <= PER_ROW; row++) {
        write_vector(fixture.db, INSERT, row, 0);
    }
    assert_int_equal(fixture_number(fixture.db, "SELECT count(*) FROM t_vectors0"), 1);
    assert_int_equal(bytes_of_group(&fixture), PER_ROW * HALF);
    for (int row = 1; row <= PER_ROW; row++) {
        has_vector(fixture.db, row, 0);
    }
    fixture_close_store(&fixture);
}

static void others_stay_float32_beside_them(void **state)
{
    store_fixture fixture;
    (void)state;
    open_table(&fixture);
    for (int row = 1; row <= PER_ROW; row++) {
        write_vector(fixture.db, INSERT, row, row % 4 == 0);
    }
    assert_int_equal(bytes_of_group(&fixture), PER_ROW * 3 / 4 * HALF + PER_ROW / 4 * WHOLE);
    for (int row = 1; row <= PER_ROW; row++) {
        has_vector(fixture.db, row, row % 4 == 0);
    }
    vs_test_run(fixture.db, "INSERT INTO t(t) VALUES('integrity-check')");
    fixture_close_store(&fixture);
}

static void a_row_that_begins_with_float32_has_room_for_it(void **state)
{
    store_fixture fixture;
    (void)state;
    open_table(&fixture);
    write_vector(fixture.db, INSERT, 1, 1);
    assert_int_equal(bytes_of_group(&fixture), PER_ROW * WHOLE);
    write_vector(fixture.db, INSERT, 2, 1);
    assert_int_equal(bytes_of_group(&fixture), PER_ROW * WHOLE);
    write_vector(fixture.db, INSERT, 3, 0);
    assert_int_equal(bytes_of_group(&fixture), PER_ROW * WHOLE - WHOLE + HALF);
    for (int row = 1; row <= 3; row++) {
        has_vector(fixture.db, row, row < 3);
    }
    fixture_close_store(&fixture);
}

static void updates_change_the_size_of_a_record(void **state)
{
    store_fixture fixture;
    (void)state;
    open_table(&fixture);
    for (int row = 1; row <= 5; row++) {
        write_vector(fixture.db, INSERT, row, 0);
    }
    write_vector(fixture.db, UPDATE, 3, 1);
    assert_int_equal(bytes_of_group(&fixture), PER_ROW * HALF + WHOLE - HALF);
    has_vector(fixture.db, 3, 1);
    write_vector(fixture.db, UPDATE, 3, 0);
    assert_int_equal(bytes_of_group(&fixture), PER_ROW * HALF);
    vs_test_run(fixture.db, "UPDATE t SET v = NULL WHERE rowid = 4");
    assert_int_equal(bytes_of_group(&fixture), PER_ROW * HALF);
    assert_int_equal(fixture_number(fixture.db, "SELECT v IS NULL FROM t WHERE rowid = 4"), 1);
    for (int row = 1; row <= 5; row++) {
        if (row != 4) {
            has_vector(fixture.db, row, 0);
        }
    }
    fixture_close_store(&fixture);
}

static void erased_vectors_leave_nothing(void **state)
{
    store_fixture fixture;
    (void)state;
    open_table(&fixture);
    vs_test_run(fixture.db, "PRAGMA secure_delete = 1");
    for (int row = 1; row <= 4; row++) {
        write_vector(fixture.db, INSERT, row, row == 2);
    }
    vs_test_run(fixture.db, "DELETE FROM t WHERE rowid IN (1, 2)");
    /* nothing but the mark that the second one is whole, at 212 + 4 */
    assert_int_equal(fixture_number(fixture.db, "SELECT substr(data, 1, 216) = zeroblob(216) AND "
                                                "substr(data, 221, 392) = zeroblob(392) "
                                                "FROM t_vectors0"),
                     1);
    has_vector(fixture.db, 3, 0);
    write_vector(fixture.db, INSERT, 1, 1);
    write_vector(fixture.db, INSERT, 2, 0);
    has_vector(fixture.db, 1, 1);
    has_vector(fixture.db, 2, 0);
    has_vector(fixture.db, 4, 0);
    fixture_close_store(&fixture);
}

/* Reading row 1 fails with this sentence after the alteration of t_vectors0. */
static void damage_says(const char *alteration, const char *words)
{
    store_fixture fixture;
    open_table(&fixture);
    for (int row = 1; row <= 3; row++) {
        write_vector(fixture.db, INSERT, row, row == 2);
    }
    vs_test_run(fixture.db, alteration);
    assert_int_equal(sqlite3_exec(fixture.db, "SELECT v FROM t WHERE rowid = 1", NULL, NULL, NULL),
                     SQLITE_CORRUPT_VTAB & 0xff);
    if (strstr(sqlite3_errmsg(fixture.db), words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", sqlite3_errmsg(fixture.db), words);
    }
    fixture_close_store(&fixture);
}

static void damage_is_told(void **state)
{
    (void)state;
    damage_says("UPDATE t_vectors0 SET data = substr(data, 1, length(data) - 1)",
                "do not fill its 6971 bytes");
    damage_says("UPDATE t_vectors0 SET data = CAST(data || x'00' AS BLOB)",
                "do not fill its 6973 bytes");
    damage_says("UPDATE t_vectors0 SET data = x''", "do not fill its 0 bytes");
    damage_says("UPDATE t_vectors0 SET data = zeroblob(40000)", "has 40000 bytes, expected 12800");
    damage_says("UPDATE t_vectors0 SET data = 'text'", "do not fill");
    damage_says("UPDATE t_vectors0 SET data = CAST(substr(data, 1, 30) || x'ff' || "
                "substr(data, 32) AS BLOB)",
                "checksum");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_on_the_grid_take_half_the_space),
        cmocka_unit_test(others_stay_float32_beside_them),
        cmocka_unit_test(a_row_that_begins_with_float32_has_room_for_it),
        cmocka_unit_test(updates_change_the_size_of_a_record),
        cmocka_unit_test(erased_vectors_leave_nothing),
        cmocka_unit_test(damage_is_told),
    };
    return cmocka_run_group_tests_name("store_half", tests, NULL, NULL);
}
