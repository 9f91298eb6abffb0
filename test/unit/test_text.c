/*
 * test_text.c - packed texts: every text comes back, and nothing else ever comes.
 */
#include "../text_fixture.h"

#include "../vs_test_db.h"

#include "../../ext/crc32c.h"
#include "../../ext/dict.h"
#include "../../ext/packed_text.h"

#include <stdio.h>

static uint32_t dict_id; /* of the table m */

/* Runs SQL with the dictionary's id in place of %u. */
static char *with_id(const char *sql)
{
    return sqlite3_mprintf(sql, dict_id, dict_id, dict_id);
}

static void gives(const char *sql, const char *expected)
{
    char *text = with_id(sql);
    vs_test_gives(db, text, expected);
    sqlite3_free(text);
}

/* One value through one statement; the caller finalizes it. NULL and the code where it fails. */
static sqlite3_stmt *step_blob(sqlite3 *on, const char *sql, const void *bytes, size_t n,
                               int *out_rc)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(on, sql, -1, &stmt, NULL), SQLITE_OK);
    sqlite3_bind_blob64(stmt, 1, bytes, n, SQLITE_STATIC);
    *out_rc = sqlite3_step(stmt);
    return stmt;
}

/* ---- round trips ----------------------------------------------------------------------------- */

static void rows_come_back_and_are_small(void **state)
{
    (void)state;
    gives("SELECT count(*) FROM m WHERE vec_unpack_text(vec_pack_text(meta, %u)) IS NOT meta", "0");
    gives("SELECT count(*) FROM m WHERE vec_unpack_text(vec_pack_text(meta)) IS NOT meta", "0");
    gives("SELECT sum(length(vec_pack_text(meta, %u))) < 0.35 * sum(length(meta)), "
          "sum(length(vec_pack_text(meta))) > 0.5 * sum(length(meta)) FROM m",
          "1|1");
}

static void null_gives_null_and_other_types_a_sentence(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT vec_pack_text(NULL), vec_pack_text(NULL, 5), vec_unpack_text(NULL)",
                  "NULL|NULL|NULL");
    vs_test_fails(db, "SELECT vec_pack_text(1)", "vec_pack_text: takes TEXT, not INTEGER");
    vs_test_fails(db, "SELECT vec_pack_text(x'00')", "vec_pack_text: takes TEXT, not BLOB");
    vs_test_fails(db, "SELECT vec_unpack_text('x')", "vec_unpack_text: takes a BLOB, not TEXT");
    vs_test_fails(db, "SELECT vec_pack_text('x', NULL)",
                  "vec_pack_text: the dictionary's id must be a whole number from 0 to 2147483647");
    vs_test_fails(db, "SELECT vec_pack_text('x', -1)",
                  "vec_pack_text: the dictionary's id must be a whole number from 0 to 2147483647");
}

/* Texts of every size up to 600 and some around the powers of two, of bytes that are any bytes. */
static void every_byte_comes_back(void **state)
{
    enum { MOST = 1 << 20 };
    unsigned char *text = malloc(MOST);
    uint64_t random = 99;
    vs_packer packer;
    vs_err err = VS_ERR_INIT;
    (void)state;
    memset(&packer, 0, sizeof packer);
    for (size_t n = 0; n <= MOST; n = n < 600 ? n + 1 : 2 * n + 3) {
        for (int kind = 0; kind < 3; kind++) { /* noise, zeros, few letters */
            const void *row = NULL;
            size_t row_n = 0;
            vs_packed packed;
            for (size_t i = 0; i < n; i++) {
                uint64_t r = vs_test_random(&random);
                text[i] = (unsigned char)(kind == 0 ? r : kind == 1 ? 0 : 'a' + (r & 3u));
            }
            assert_int_equal(vs_packed_make(&packer, "t", text, n, NULL, &row, &row_n, &err),
                             SQLITE_OK);
            assert_true(row_n <= n + VS_PACKED_EXTRA_BYTES);
            unsigned char *copy = malloc(row_n);
            memcpy(copy, row, row_n);
            assert_int_equal(vs_packed_read("t", copy, row_n, n, &packed, &err), SQLITE_OK);
            assert_int_equal(packed.text_bytes, n);
            assert_int_equal(vs_packed_check(&packer, "t", &packed, &err), SQLITE_OK);
            unsigned char *out = malloc(n > 0 ? n : 1);
            assert_int_equal(vs_packed_decode(&packer, "t", &packed, NULL, out, &err), SQLITE_OK);
            assert_memory_equal(out, text, n);
            free(out);
            free(copy);
        }
    }
    vs_packer_free(&packer);
    free(text);
}

/* SQLite keeps bytes of a text as they are while the database is UTF-8. */
static void invalid_utf8_and_zeros_come_back_through_sql(void **state)
{
    (void)state;
    vs_test_gives(db,
                  "WITH t(x) AS (VALUES (CAST(x'ff80c0af41' AS TEXT)), (CAST(x'410042' AS TEXT)), "
                  "(CAST(x'00' AS TEXT)), (''), (CAST(zeroblob(5000) AS TEXT))) SELECT count(*) "
                  "FROM t WHERE CAST(vec_unpack_text(vec_pack_text(x)) AS BLOB) = CAST(x AS BLOB) "
                  "AND typeof(vec_unpack_text(vec_pack_text(x))) = 'text'",
                  "5");
}

static void the_bytes_are_those_of_the_document(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT vec_pack_text('')", "x'd000000000'");
    vs_test_gives(db, "SELECT vec_pack_text('123456789')", "x'd0313233343536373839839206e3'");
    gives(
        "SELECT hex(substr(vec_pack_text(meta, %u), 1, 1)), length(meta) > 127 FROM m WHERE id = 1",
        "D1|1");
    vs_test_gives(db, "SELECT substr(vec_pack_text(printf('%200c', 'a')), 1, 4)", "x'd1c80100'");
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* A changed row gives the same text or a sentence; *out_same counts the former. */
static void check_changed(const void *row, size_t n, const char *text, size_t text_n, int *out_same)
{
    int rc = SQLITE_OK;
    sqlite3_stmt *stmt = step_blob(db, "SELECT vec_unpack_text(?1)", row, n, &rc);
    if (rc == SQLITE_ROW) {
        assert_int_equal(sqlite3_column_bytes(stmt, 0), text_n);
        assert_memory_equal(sqlite3_column_text(stmt, 0), text, text_n);
        ++*out_same;
    } else {
        assert_true(rc == SQLITE_ERROR || rc == SQLITE_TOOBIG);
        assert_int_equal(strncmp(sqlite3_errmsg(db), "vec_unpack_text: ", 17), 0);
    }
    sqlite3_finalize(stmt);
}

static void every_cut_and_every_bit_is_noticed(void **state)
{
    static const char *const sqls[] = {"SELECT meta, vec_pack_text(meta, %u) FROM m WHERE id = 3",
                                       "SELECT meta, vec_pack_text(meta) FROM m WHERE id = 3",
                                       "SELECT 'short', vec_pack_text('short')"};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(sqls); i++) {
        sqlite3_stmt *stmt = NULL;
        int same = 0;
        char *sql = with_id(sqls[i]);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        size_t text_n = (size_t)sqlite3_column_bytes(stmt, 0);
        size_t n = (size_t)sqlite3_column_bytes(stmt, 1);
        for (size_t cut = 0; cut < n; cut++) {
            unsigned char *row =
                malloc(cut + 1); /* its exact size: a sanitizer sees reads past it */
            memcpy(row, sqlite3_column_blob(stmt, 1), cut);
            check_changed(row, cut, text, text_n, &same);
            free(row);
        }
        assert_int_equal(same, 0);
        unsigned char *row = malloc(n);
        memcpy(row, sqlite3_column_blob(stmt, 1), n);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            row[bit / 8] ^= (unsigned char)(1u << bit % 8);
            check_changed(row, n, text, text_n, &same);
            row[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        /* few bits do not matter: unused ones, and other ways to name the same match */
        assert_true(same < (int)(8 * n / 20));
        free(row);
        sqlite3_finalize(stmt);
        sqlite3_free(sql);
    }
}

static void sentences_name_what_is_wrong(void **state)
{
    (void)state;
    vs_test_fails(db, "SELECT vec_unpack_text(x'')", "vec_unpack_text: the BLOB is no packed text");
    vs_test_fails(db, "SELECT vec_unpack_text(x'28b52ffd')",
                  "vec_unpack_text: the BLOB is no packed text");
    vs_test_fails(db, "SELECT vec_unpack_text(x'd0')",
                  "vec_unpack_text: the packed text is cut off or damaged");
    vs_test_fails(db, "SELECT vec_unpack_text(x'd04100000000')",
                  "vec_unpack_text: the packed text is damaged: its checksum differs");
    /* a size that is not the frame's, and varints that are too long */
    vs_test_fails(db,
                  "SELECT vec_unpack_text(x'd1c901' || substr(p, 4)) FROM (SELECT CAST("
                  "vec_pack_text(printf('%200c', 'a')) AS BLOB) AS p)",
                  "vec_unpack_text: takes a BLOB, not TEXT");
    vs_test_fails(db,
                  "SELECT vec_unpack_text(CAST(x'd1c901' || substr(p, 4) AS BLOB)) FROM (SELECT "
                  "vec_pack_text(printf('%200c', 'a')) AS p)",
                  "vec_unpack_text: the packed text states 201 bytes, and its zstd frame 200");
    vs_test_fails(db, "SELECT vec_unpack_text(x'd1c88000000000000000')",
                  "vec_unpack_text: the packed text is cut off or damaged");
    vs_test_fails(db, "SELECT vec_unpack_text(x'd1ffffffff7f000000000000')",
                  "vec_unpack_text: the packed text is cut off or damaged");
}

/* 4 GiB and 64 MiB are refused by their number alone; 60 MiB because no block holds them. */
static void hostile_sizes_take_no_memory(void **state)
{
    (void)state;
    vs_test_fails(
        db, "SELECT vec_unpack_text(x'd1ffffffff0f000000000000')",
        "vec_unpack_text: the text has 4294967295 bytes, more than the limit of 67108864");
    sqlite3_memory_highwater(1);
    int64_t before = sqlite3_memory_used();
    vs_test_fails(db, "SELECT vec_unpack_text(x'd1808080180080580000000301000000000000')",
                  "vec_unpack_text: the zstd frame states 50331648 bytes, more than its 1 blocks "
                  "can hold");
    assert_true(sqlite3_memory_highwater(0) - before < 1 << 20);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 100000);
    vs_test_fails(db, "SELECT vec_unpack_text(x'd1ffff7f00000000000000')",
                  "vec_unpack_text: the text has 2097151 bytes, more than the limit of 100000");
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1000000000);
}

/* ---- dictionaries ---------------------------------------------------------------------------- */

static void a_missing_dictionary_is_named(void **state)
{
    sqlite3 *other = vs_test_open();
    (void)state;
    vs_test_fails(other, "SELECT vec_pack_text('x', 40000)",
                  "vec_pack_text: there is no dictionary 40000 in the table vecshard_dict");
    vs_test_run(other, "CREATE VIEW vecshard_dict AS SELECT 40000 AS id, x'00' AS bytes, 0 AS crc");
    vs_test_fails(other, "SELECT vec_pack_text('x', 40000)",
                  "vec_pack_text: there is no dictionary 40000 in the table vecshard_dict");
    vs_test_close(other);
    vs_test_fails(db, "SELECT vec_pack_text('x', 5)",
                  "vec_pack_text: there is no dictionary 5 in the table vecshard_dict");
}

/* Deleted, rolled back, changed: the next statement sees the table as it is. */
static void the_table_is_read_by_every_statement(void **state)
{
    char *sql = with_id("BEGIN; DELETE FROM vecshard_dict WHERE id = %u");
    char *missing =
        with_id("vec_unpack_text: there is no dictionary %u in the table vecshard_dict");
    (void)state;
    gives("SELECT vec_unpack_text(vec_pack_text('abc', %u))", "abc");
    vs_test_run(db, "CREATE TEMP TABLE p AS SELECT 1 AS m LIMIT 0");
    char *insert = with_id("INSERT INTO p SELECT vec_pack_text(meta, %u) FROM m WHERE id = 3");
    vs_test_run(db, insert);
    vs_test_run(db, sql);
    vs_test_fails(db, "SELECT vec_unpack_text(m) FROM p", missing);
    vs_test_run(db, "ROLLBACK");
    vs_test_gives(db, "SELECT vec_unpack_text(p.m) = m.meta FROM p, m WHERE m.id = 3", "1");
    vs_test_run(db, "BEGIN; UPDATE vecshard_dict SET crc = crc + 1");
    char *damaged = with_id("vec_unpack_text: dictionary %u is damaged: its checksum differs");
    vs_test_fails(db, "SELECT vec_unpack_text(m) FROM p", damaged);
    vs_test_run(db, "ROLLBACK; BEGIN; UPDATE vecshard_dict SET bytes = 'text'");
    sqlite3_free(damaged);
    damaged = with_id("vec_unpack_text: dictionary %u is damaged: bytes must be a BLOB and crc an "
                      "INTEGER");
    vs_test_fails(db, "SELECT vec_unpack_text(m) FROM p", damaged);
    vs_test_run(db, "ROLLBACK; DROP TABLE p");
    sqlite3_free(damaged);
    sqlite3_free(insert);
    sqlite3_free(missing);
    sqlite3_free(sql);
}

/* A dictionary that is deleted between the rows of a statement is not used after that. */
static void a_running_statement_sees_changes(void **state)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = with_id("SELECT vec_pack_text(meta, %u) FROM m LIMIT 3");
    char *remove = with_id("DELETE FROM vecshard_dict WHERE id = %u");
    (void)state;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    vs_test_run(db, "BEGIN");
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    vs_test_run(db, remove);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ERROR);
    sqlite3_finalize(stmt);
    vs_test_run(db, "ROLLBACK");
    sqlite3_free(sql);
    sqlite3_free(remove);
}

/* Two databases with one id and different dictionaries: each uses its own. */
static void databases_with_one_id_do_not_mix(void **state)
{
    sqlite3 *other = vs_test_open();
    size_t n = 0;
    sqlite3_stmt *stmt = NULL;
    int rc = SQLITE_OK;
    (void)state;
    text_fixture_fill(other, "m", 400); /* fewer rows: another dictionary */
    unsigned char *bytes = text_fixture_dict_bytes(other, text_fixture_dict(other, "m"), &n);
    vs_dict_set_id(bytes, n, dict_id);
    vs_test_run(other, "DELETE FROM vecshard_dict");
    char *insert = sqlite3_mprintf("INSERT INTO vecshard_dict(id, bytes, crc) VALUES (%u, ?1, %u)",
                                   dict_id, vs_crc32c(bytes, n));
    stmt = step_blob(other, insert, bytes, n, &rc);
    sqlite3_finalize(stmt);
    assert_int_equal(rc, SQLITE_DONE);
    char *sql =
        with_id("SELECT count(*) FROM m WHERE vec_unpack_text(vec_pack_text(meta, %u)) = meta");
    for (int i = 0; i < 3; i++) {
        vs_test_gives(db, sql, "1500");
        vs_test_gives(other, sql, "400");
    }
    /* a row of one under the dictionary of the other: a sentence, and never another text */
    char *pack = with_id("SELECT vec_pack_text(meta, %u) FROM m WHERE id = 7");
    assert_int_equal(sqlite3_prepare_v2(other, pack, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    sqlite3_stmt *unpack = step_blob(db, "SELECT vec_unpack_text(?1)", sqlite3_column_blob(stmt, 0),
                                     (size_t)sqlite3_column_bytes(stmt, 0), &rc);
    assert_int_equal(rc, SQLITE_ERROR);
    assert_int_equal(
        strncmp(sqlite3_errmsg(db), "vec_unpack_text: the packed text is damaged: ", 45), 0);
    sqlite3_finalize(unpack);
    sqlite3_finalize(stmt);
    sqlite3_free(pack);
    sqlite3_free(sql);
    sqlite3_free(insert);
    sqlite3_free(bytes);
    vs_test_close(other);
}

/* The table is read, and the dictionary digested, once for a statement: not once for a row. */
static void a_statement_reads_the_dictionary_once(void **state)
{
    (void)state;
    vs_dict_cache_clear();
    unsigned before = vs_dict_cache_digests();
    gives("SELECT count(vec_unpack_text(vec_pack_text(meta, %u))) FROM m", "1500");
    gives("SELECT count(vec_unpack_text(vec_pack_text(meta, %u))) FROM m", "1500");
    assert_int_equal(vs_dict_cache_digests() - before, 2); /* to pack, and to unpack */
}

/* ---- where it may be used -------------------------------------------------------------------- */

static void expressions_can_be_indexed_and_vacuumed(void **state)
{
    char *sql = with_id("CREATE TABLE i(id INTEGER PRIMARY KEY, p BLOB); INSERT INTO i SELECT id, "
                        "vec_pack_text(meta, %u) FROM m; CREATE INDEX i_meta ON "
                        "i(json_extract(vec_unpack_text(p), '$.doc_id'))");
    (void)state;
    vs_test_run(db, sql);
    sqlite3_free(sql);
    vs_test_gives(
        db,
        "SELECT count(*) FROM m JOIN i ON json_extract(vec_unpack_text(i.p), '$.doc_id') = "
        "json_extract(m.meta, '$.doc_id') WHERE i.id = m.id",
        "1500");
    vs_test_run(db, "VACUUM");
    vs_test_gives(db, "PRAGMA integrity_check", "ok");
    vs_test_run(db, "DROP TABLE i");
}

static void a_schema_that_is_not_trusted_cannot_use_them(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE VIEW v AS SELECT vec_unpack_text(x'd000000000'); CREATE VIEW w AS "
                    "SELECT vec_dict_add(x'00')");
    vs_test_gives(db, "SELECT * FROM v", "");
    vs_test_fails(db, "SELECT * FROM w", "unsafe use of vec_dict_add()");
    vs_test_run(db, "PRAGMA trusted_schema = 0");
    vs_test_fails(db, "SELECT * FROM v", "unsafe use of vec_unpack_text()");
    vs_test_run(db, "PRAGMA trusted_schema = 1; DROP VIEW v; DROP VIEW w");
}

/* A table that is computed by the function that reads it ends with a sentence. */
static void a_table_that_reads_itself_is_refused(void **state)
{
    sqlite3 *other = vs_test_open();
    (void)state;
    vs_test_run(other,
                "CREATE TABLE vecshard_dict(id INTEGER PRIMARY KEY, p BLOB, crc INTEGER);"
                "INSERT INTO vecshard_dict(id, p, crc) VALUES (40000, x'd10ac0b8020000000000', 0);"
                "ALTER TABLE vecshard_dict ADD COLUMN bytes BLOB AS (vec_unpack_text(p))");
    vs_test_fails(other, "SELECT vec_pack_text('x', 40000)",
                  "vec_pack_text: vec_unpack_text: the table vecshard_dict reads itself");
    vs_test_close(other);
}

static int fill_db(void **state)
{
    open_db(state);
    text_fixture_fill(db, "m", 1500);
    dict_id = text_fixture_dict(db, "m");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_and_are_small),
        cmocka_unit_test(null_gives_null_and_other_types_a_sentence),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(invalid_utf8_and_zeros_come_back_through_sql),
        cmocka_unit_test(the_bytes_are_those_of_the_document),
        cmocka_unit_test(every_cut_and_every_bit_is_noticed),
        cmocka_unit_test(sentences_name_what_is_wrong),
        cmocka_unit_test(hostile_sizes_take_no_memory),
        cmocka_unit_test(a_missing_dictionary_is_named),
        cmocka_unit_test(the_table_is_read_by_every_statement),
        cmocka_unit_test(a_running_statement_sees_changes),
        cmocka_unit_test(databases_with_one_id_do_not_mix),
        cmocka_unit_test(a_statement_reads_the_dictionary_once),
        cmocka_unit_test(expressions_can_be_indexed_and_vacuumed),
        cmocka_unit_test(a_schema_that_is_not_trusted_cannot_use_them),
        cmocka_unit_test(a_table_that_reads_itself_is_refused),
    };
    return cmocka_run_group_tests(tests, fill_db, close_db);
}
