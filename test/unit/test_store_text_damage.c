/*
 * test_store_text_damage.c - packed texts and dictionaries that hold anything: the right text, or a
 * sentence that names table, row and column.
 */
#include "../text_tables.h"

/* After the statement, reading row 7, a condition, the check and 'warm' fail with this sentence. */
static void becomes(const char *damage, const char *sentence)
{
    sqlite3 *db = text_open_tables();
    char *found = NULL;
    vs_test_run(db, COLD);
    vs_test_run(db, damage);
    vs_test_fails(db, "SELECT meta FROM t WHERE rowid = 7", sentence);
    assert_int_equal(sqlite3_extended_errcode(db), SQLITE_CORRUPT_VTAB);
    vs_test_fails(db, "SELECT count(*) FROM t WHERE meta LIKE '%x%'", sentence);
    assert_int_equal(sqlite3_extended_errcode(db), SQLITE_CORRUPT_VTAB);
    vs_test_fails(db,
                  "SELECT count(*) FROM t WHERE v MATCH zeroblob(128) AND k = 5 AND meta > 'a' AND "
                  "p = 1",
                  sentence);
    assert_int_not_equal(vs_test_query(db, CHECK, &found), SQLITE_OK);
    if (strstr(found, sentence) == NULL) {
        fail_msg("%s: the check finds %s", damage, found);
    }
    sqlite3_free(found);
    vs_test_gives(db, "SELECT n FROM t WHERE rowid = 7", "7");
    if (strstr(sentence, "mark") == NULL) { /* which no tier changes */
        int64_t before = text_packed(db);
        assert_int_not_equal(vs_test_query(db, WARM, &found), SQLITE_OK);
        sqlite3_free(found);
        assert_int_equal(text_packed(db), before);
    }
    vs_test_run(db, "UPDATE t SET meta = 'right' WHERE rowid = 7");
    vs_test_gives(db, "SELECT meta FROM t WHERE rowid = 7", "right");
    vs_test_close(db);
}

static void damaged_values_say_so(void **state)
{
    (void)state;
    becomes("UPDATE t_rows SET c2 = x'd1' WHERE id = 7",
            "t: row 7, column meta: the packed text is cut off or damaged");
    becomes(
        "UPDATE t_rows SET c2 = CAST(substr(c2, 1, length(c2) - 1) || x'00' AS BLOB) WHERE id = 7",
        "t: row 7, column meta: the packed text is damaged: its checksum differs");
    becomes(
        "UPDATE t_rows SET c2 = CAST(x'd1ffffffff0f' || substr(c2, 4) AS BLOB) WHERE id = 7",
        "t: row 7, column meta: the text has 4294967295 bytes, more than the limit of 67108864");
    becomes("UPDATE t_rows SET c2 = x'd041' WHERE id = 7",
            "t: row 7, column meta: the BLOB has a mark before it that it does not need");
    becomes("UPDATE t_rows SET c2 = x'd0' WHERE id = 7",
            "t: row 7, column meta: the BLOB has a mark before it that it does not need");
    becomes("UPDATE t_rows SET c2 = x'd10580800200000000000000' WHERE id = 7",
            "t: row 7, column meta: the table has no dictionary 32768");
    becomes("UPDATE t_rows SET c2 = x'd10500000000000000' WHERE id = 7",
            "t: row 7, column meta: the table has no dictionary 0");
}

/* A condition meets the first packed row before row 7. */
static void damaged_dictionary(const char *set, const char *what)
{
    sqlite3 *db = text_open_tables();
    vs_test_run(db, COLD);
    char *sql = sqlite3_mprintf("UPDATE t_info SET value = %s WHERE key GLOB 'text/2/*'", set);
    vs_test_run(db, sql);
    sqlite3_free(sql);
    char *found = NULL;
    const char *const statements[] = {"SELECT meta FROM t WHERE rowid = 7",
                                      "SELECT count(*) FROM t WHERE meta = 'x'", CHECK, WARM};
    for (size_t i = 0; i < VS_TEST_COUNT(statements); i++) {
        assert_int_not_equal(vs_test_query(db, statements[i], &found), SQLITE_OK);
        if (strstr(found, what) == NULL) {
            fail_msg("%s with %s: %s", statements[i], set, found);
        }
        assert_true(sqlite3_extended_errcode(db) == SQLITE_CORRUPT_VTAB);
        sqlite3_free(found);
    }
    vs_test_gives(db, "SELECT count(*) FROM t WHERE title LIKE '%river%' AND n < 9", "6");
    vs_test_close(db);
}

static void damaged_dictionaries_say_so(void **state)
{
    (void)state;
    damaged_dictionary("x''", "is damaged: it is none");
    damaged_dictionary("NULL", "is damaged: it is none");
    damaged_dictionary("substr(value, 1, 500)", "is damaged: its checksum is wrong");
    damaged_dictionary("substr(value, 1, 200) || x'00ff' || substr(value, 203)",
                       "is damaged: its checksum is wrong");
    damaged_dictionary("(SELECT value FROM t_info WHERE key GLOB 'text/3/*')",
                       "is damaged: it has another id, column or size");
}

/* Row 7 with these bytes in place of its packed text gives the text, or says that they are damaged. */
static void reads_right_or_not(sqlite3 *db, sqlite3_stmt *set, const char *text,
                               const unsigned char *bytes, int n)
{
    char *found = NULL;
    sqlite3_bind_blob(set, 1, bytes, n, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(set), SQLITE_DONE);
    sqlite3_reset(set);
    int rc = vs_test_query(db, "SELECT meta FROM t WHERE rowid = 7", &found);
    const char *words = rc == SQLITE_OK ? text : "t: row 7, column meta: ";
    if ((rc != SQLITE_OK && sqlite3_extended_errcode(db) != SQLITE_CORRUPT_VTAB) ||
        strncmp(found, words, strlen(words)) != 0) {
        fail_msg("%d: %s", rc, found);
    }
    sqlite3_free(found);
}

/* But for the first byte: any other one makes it a BLOB of the user's. */
static void no_flipped_bit_gives_another_text(void **state)
{
    sqlite3 *db = text_open_tables();
    sqlite3_stmt *stmt = NULL, *set = NULL;
    unsigned char bytes[TEXT_FIXTURE_ROW_BYTES];
    char *text = NULL;
    (void)state;
    vs_test_run(db, COLD);
    assert_int_equal(vs_test_query(db, "SELECT meta FROM t WHERE rowid = 7", &text), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT c2 FROM t_rows WHERE id = 7", -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int n = sqlite3_column_bytes(stmt, 0);
    assert_in_range(n, 50, (int)sizeof bytes);
    memcpy(bytes, sqlite3_column_blob(stmt, 0), (size_t)n);
    sqlite3_finalize(stmt);
    assert_int_equal(
        sqlite3_prepare_v2(db, "UPDATE t_rows SET c2 = ?1 WHERE id = 7", -1, &set, NULL),
        SQLITE_OK);
    for (int bit = 8; bit < 8 * n; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        reads_right_or_not(db, set, text, bytes, n);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    for (int length = 1; length <= n; length++) {
        reads_right_or_not(db, set, text, bytes, length);
    }
    sqlite3_finalize(set);
    sqlite3_free(text);
    vs_test_close(db);
}

/* The check reads dictionaries anew. */
static void no_flipped_bit_of_a_dictionary_is_overlooked(void **state)
{
    sqlite3 *db = text_open_tables();
    sqlite3_blob *blob = NULL;
    (void)state;
    vs_test_run(db,
                COLD "; CREATE TABLE copy(id INTEGER PRIMARY KEY, value BLOB); INSERT INTO copy "
                     "SELECT 1, value FROM t_info WHERE key GLOB 'text/2/*'");
    assert_int_equal(sqlite3_blob_open(db, "main", "copy", "value", 1, 1, &blob), SQLITE_OK);
    int n = sqlite3_blob_bytes(blob);
    for (int bit = 0; bit < 8 * n; bit += bit < 8 * 24 ? 5 : 211) {
        unsigned char byte = 0;
        char *found = NULL;
        assert_int_equal(sqlite3_blob_read(blob, &byte, 1, bit / 8), SQLITE_OK);
        byte ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(sqlite3_blob_write(blob, &byte, 1, bit / 8), SQLITE_OK);
        vs_test_run(db, "UPDATE t_info SET value = (SELECT value FROM copy) WHERE key GLOB "
                        "'text/2/*'");
        assert_int_not_equal(vs_test_query(db, CHECK, &found), SQLITE_OK);
        assert_non_null(strstr(found, "is damaged: "));
        sqlite3_free(found);
        byte ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(sqlite3_blob_write(blob, &byte, 1, bit / 8), SQLITE_OK);
    }
    assert_int_equal(sqlite3_blob_close(blob), SQLITE_OK);
    vs_test_run(db, "UPDATE t_info SET value = (SELECT value FROM copy) WHERE key GLOB 'text/2/*'");
    text_compare_and_check(db);
    vs_test_close(db);
}

static void beyond_the_limit_is_too_big(void **state)
{
    sqlite3 *db = text_open_tables();
    (void)state;
    vs_test_run(db, "INSERT INTO t(rowid, v, p, meta) VALUES (1000, zeroblob(128), 0, "
                    "replace(hex(zeroblob(50000)), '00', make_meta(7)))");
    vs_test_run(db, COLD);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1000000);
    char *found = NULL;
    assert_int_equal(vs_test_query(db, "SELECT meta FROM t WHERE rowid = 1000", &found),
                     SQLITE_TOOBIG);
    assert_non_null(strstr(found, "t: row 1000, column meta: the text has "));
    sqlite3_free(found);
    vs_test_gives(db, "SELECT n FROM t WHERE rowid = 12", "12");
    vs_test_close(db);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_values_say_so),
        cmocka_unit_test(damaged_dictionaries_say_so),
        cmocka_unit_test(no_flipped_bit_gives_another_text),
        cmocka_unit_test(no_flipped_bit_of_a_dictionary_is_overlooked),
        cmocka_unit_test(beyond_the_limit_is_too_big),
    };
    return cmocka_run_group_tests_name("store_text_damage", tests, NULL, NULL);
}
