/*
 * test_check.c - the check of a table finds nothing in a sound one and every disagreement between
 * its shadow tables: each of the rules that docs/FORMAT.md gives to writers.
 */
#include "../store_fixture.h"

#include "../../ext/maint.h"

static store_fixture fixture;

/* The findings, or NULL; freed by the caller. */
static char *report_of(int is_quick)
{
    char *report = NULL;
    vs_store_release(&fixture.store); /* nothing is remembered */
    fixture_must(&fixture, vs_maint_check(&fixture.store, is_quick, &report, &fixture.err));
    return report;
}

static void is_sound(void)
{
    for (int is_quick = 0; is_quick <= 1; is_quick++) {
        char *report = report_of(is_quick);
        if (report != NULL) {
            fail_msg("%s", report);
        }
    }
}

static void sound_tables_pass(void **state)
{
    static const char *const tables[] = {
        "CREATE VIRTUAL TABLE t USING vecshard(v float[3])",
        "CREATE VIRTUAL TABLE t USING vecshard(v float[3]); INSERT INTO t(v) VALUES (NULL), "
        "('[1,2,3]')",
        "CREATE VIRTUAL TABLE t USING vecshard(v float[64] distance_metric=cosine, b bit[8], name "
        "TEXT "
        "PRIMARY KEY); WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < "
        "1500) INSERT INTO t(v, b, name) SELECT CASE WHEN i % 4 THEN zeroblob(256) END, x'01', i "
        "FROM "
        "r; DELETE FROM t WHERE rowid % 7 = 1",
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(tables); i++) {
        fixture_open_store(&fixture, tables[i]);
        is_sound();
        fixture_close_store(&fixture);
    }
    fixture_open_cells(&fixture, 500);
    is_sound();
    fixture_run(&fixture, "DELETE FROM t WHERE n % 3 = 1; UPDATE t SET p = 7 WHERE n > 400; UPDATE "
                          "t SET rowid = rowid + 10000 WHERE n < 50; UPDATE t SET w = NULL WHERE n "
                          "> 450");
    is_sound();
    fixture_close_store(&fixture);
}

/* Bytes of a row exchanged for others that are as long. */
#define FLIP(table, id, offset)                                                                    \
    "UPDATE " table " SET data = CAST(substr(data, 1, " offset ") || CASE substr(data, " offset    \
    " + 1, 1) WHEN x'00' THEN x'01' ELSE x'00' END || substr(data, " offset                        \
    " + 2) AS BLOB) WHERE id = " id
#define SWAP(table, column, a, b)                                                                  \
    "UPDATE " table " SET " column " = (SELECT o." column " FROM " table " o WHERE o.id = CASE "   \
    "" table ".id WHEN " a " THEN " b " ELSE " a " END) WHERE id IN (" a ", " b ")"

/* What is done to the shadow tables of a table of 500 rows, and words of a finding. Cells 1, 2 and 3
 * are full and coded. */
static const struct {
    const char *sql, *words;
    int is_quick; /* found without full vectors, too */
} damages[] = {
    {"DELETE FROM t_rows WHERE id = 5", "\"t_rows\"", 1},
    {"INSERT INTO t_rows SELECT 9999, loc, c1, c3 FROM t_rows WHERE id = 5", "more than one row",
     1},
    {"UPDATE t_rows SET loc = (SELECT loc FROM t_rows WHERE id = 6) WHERE id = 5", "row 5 ", 1},
    {"UPDATE t_rows SET loc = 'x' WHERE id = 5", "row 5 ", 1},
    {"UPDATE t_rows SET loc = loc + 64000 WHERE id = 5", "row 5 ", 1},
    {SWAP("t_rows", "loc", "5", "8"), "row 5 ", 1},
    {SWAP("t_rows", "loc", "5", "6"), "row 5 ", 1},
    {"UPDATE t_cells SET open = 1 - open WHERE id = 2", "cell 2 ", 1},
    {"UPDATE t_cells SET open = 'x' WHERE id = 2", "cell 2 ", 1},
    {FLIP("t_cells", "2", "50"), "t", 1},
    {"DELETE FROM t_cells WHERE id = 2", "t", 1},
    {"UPDATE t_cells SET part = part + 1 WHERE id = 2", "t", 1},
    {FLIP("t_cells", "70368744177664", "30"), "t", 1},
    {"DELETE FROM t_cells WHERE id = 70368744177664", "t", 1},
    {SWAP("t_cells", "data", "1", "2"), "t", 1},
    {"DELETE FROM t_codes0 WHERE id = 2", "t_codes0", 1},
    {"INSERT INTO t_codes0 SELECT 4000, data FROM t_codes0 WHERE id = 2", "t_codes0", 1},
    {FLIP("t_codes0", "2", "100"), "row ", 0},
    {FLIP("t_codes0", "2", "48000"), "row ", 0},
    {SWAP("t_codes0", "data", "1", "2"), "row ", 0},
    {"UPDATE t_codes0 SET data = substr(data, 2) WHERE id = 2", "t_codes0", 1},
    {"DELETE FROM t_vectors0 WHERE id = 2 * 64 / 2", "t_vectors0", 1},
    {FLIP("t_vectors0", "66", "100"), "t_vectors0", 1},
    {SWAP("t_vectors0", "data", "66", "67"), "row", 1},
    {SWAP("t_vectors1", "data", "1", "2"), "t_vectors1", 1},
    {FLIP("t_vectors1", "2", "17"), "t_vectors1", 1},
    {"UPDATE t_vectors1 SET data = NULL WHERE id = 2", "t_vectors1", 1},
    {"DELETE FROM t_info WHERE key LIKE 'code/0/%'", "t", 0},
    {"UPDATE t_rows SET c1 = c1 + 1 WHERE id = 5", "partition", 1},
    {"UPDATE t_parts SET c1 = 77 WHERE id = 2", "partition", 1},
    {"DELETE FROM t_parts WHERE id = 2", "partition", 1},
};

static void every_disagreement_is_found(void **state)
{
    int missed = 0;
    (void)state;
    fixture_open_cells(&fixture, 500);
    for (size_t i = 0; i < VS_TEST_COUNT(damages); i++) {
        fixture_run(&fixture, "SAVEPOINT s");
        fixture_run(&fixture, damages[i].sql);
        assert_true(sqlite3_changes(fixture.db) > 0);
        for (int is_quick = 0; is_quick <= damages[i].is_quick; is_quick++) {
            char *report = report_of(is_quick);
            if (report == NULL || strstr(report, damages[i].words) == NULL) {
                print_message("%s: %s\n", damages[i].sql, report == NULL ? "not found" : report);
                missed++;
            }
            sqlite3_free(report);
        }
        vs_store_release(&fixture.store);
        fixture_run(&fixture, "ROLLBACK TO s; RELEASE s");
    }
    is_sound();
    fixture_close_store(&fixture);
    assert_int_equal(missed, 0);
}

/* A record that is sound in itself, with another vector than the code's. */
static void a_vector_of_another_code_is_found_by_the_full_check(void **state)
{
    float vector[1024] = {1.0f};
    sqlite3_stmt *stmt = NULL;
    (void)state;
    fixture_open_cells(&fixture, 500);
    size_t record_bytes = fixture.store.geometry.vectors[0].record_bytes;
    size_t per_row = fixture.store.geometry.vectors[0].per_row;
    int64_t loc = fixture_number(fixture.db, "SELECT loc FROM t_rows WHERE id = 5");
    uint8_t *record = malloc(record_bytes);
    assert_non_null(record);
    vs_format_write_record(5, vector, sizeof vector, record_bytes, record);
    assert_int_equal(
        sqlite3_prepare_v2(fixture.db,
                           "UPDATE t_vectors0 SET data = CAST(substr(data, 1, ?1) || ?2 || "
                           "substr(data, ?1 + 1 + length(?2)) AS BLOB) WHERE id = ?3",
                           -1, &stmt, NULL),
        SQLITE_OK);
    (void)sqlite3_bind_int64(stmt, 1, loc % (int64_t)per_row * (int64_t)record_bytes);
    (void)sqlite3_bind_blob(stmt, 2, record, (int)record_bytes, SQLITE_STATIC);
    (void)sqlite3_bind_int64(stmt, 3, loc / (int64_t)per_row);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    assert_int_equal(sqlite3_changes(fixture.db), 1);
    sqlite3_finalize(stmt);
    free(record);
    char *quick = report_of(1), *full = report_of(0);
    assert_null(quick);
    assert_non_null(full);
    assert_string_equal(full, "t: the code of row 5 in \"t_codes0\" is not that of its vector");
    sqlite3_free(full);
    fixture_close_store(&fixture);
}

static void findings_are_lines_and_a_hundred_at_most(void **state)
{
    (void)state;
    fixture_open_cells(&fixture, 500);
    fixture_run(&fixture, "DELETE FROM t_rows WHERE id <= 10");
    for (int round = 0; round < 2; round++) {
        char *report = report_of(0);
        int lines = 1;
        assert_non_null(report);
        for (const char *at = report; *at != '\0'; at++) {
            lines += *at == '\n';
        }
        assert_memory_equal(report, "t: ", 3);
        assert_true(round == 0 ? lines >= 10 && lines < 30 : lines == 100);
        sqlite3_free(report);
        fixture_run(&fixture, "DELETE FROM t_rows WHERE id <= 400");
    }
    fixture_close_store(&fixture);
}

static void the_check_writes_nothing(void **state)
{
    (void)state;
    fixture_open_cells(&fixture, 500);
    vs_test_run(fixture.db, "PRAGMA query_only = on");
    int changes = sqlite3_total_changes(fixture.db);
    is_sound();
    assert_int_equal(sqlite3_total_changes(fixture.db), changes);
    assert_true(sqlite3_get_autocommit(fixture.db));
    fixture_nothing_is_open(fixture.db);
    fixture_close_store(&fixture);
}

/* Rows that left a content table without its triggers are no damage; other vectors are. */
static void an_index_is_compared_with_its_table(void **state)
{
    (void)state;
    fixture_open_store(
        &fixture,
        "CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB); WITH RECURSIVE r(i) AS (SELECT 1 UNION "
        "ALL SELECT i + 1 FROM r WHERE i < 1200) INSERT INTO docs SELECT i, (SELECT "
        "vec_f32(json_group_array(CAST(r.i % 10 + e.i AS REAL))) FROM (SELECT i FROM r AS e LIMIT "
        "40) AS e) FROM r; CREATE VIRTUAL TABLE t USING vecshard(v float[40], content=docs, "
        "content_rowid=id)");
    is_sound();
    fixture_run(&fixture, "DROP TRIGGER t_vecshard_delete; DROP TRIGGER t_vecshard_update; DELETE "
                          "FROM docs WHERE id = 7");
    is_sound();
    fixture_run(&fixture, "UPDATE docs SET v = (SELECT v FROM docs WHERE id = 8) WHERE id = 9");
    char *report = report_of(0);
    assert_non_null(report);
    assert_non_null(strstr(report, "row 9"));
    sqlite3_free(report);
    fixture_close_store(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_tables_pass),
        cmocka_unit_test(every_disagreement_is_found),
        cmocka_unit_test(a_vector_of_another_code_is_found_by_the_full_check),
        cmocka_unit_test(findings_are_lines_and_a_hundred_at_most),
        cmocka_unit_test(the_check_writes_nothing),
        cmocka_unit_test(an_index_is_compared_with_its_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
