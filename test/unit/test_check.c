/*
 * test_check.c - the check of a table finds nothing in a sound one and every disagreement between
 * its shadow tables: each of the rules that docs/FORMAT.md gives to writers.
 */
#include "../store_fixture.h"

#include "../../ext/maint.h"
#include "../vs_fault.h"

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

/* ---- an index over a table ------------------------------------------------------------------- */

static void open_content(void)
{
    fixture_open_store(
        &fixture,
        "CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, w BLOB, p, lang TEXT, n, x REAL); WITH "
        "RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 1200) INSERT INTO "
        "docs SELECT i, CASE WHEN i % 50 THEN (SELECT vec_f32(json_group_array(CAST(r.i % 10 + e.i "
        "AS REAL))) FROM (SELECT i FROM r AS e LIMIT 40) AS e) END, CASE WHEN i % 20 THEN "
        "vec_f32(json_array(i, 1)) END, i > 1100, 'l' || i, i, i FROM r; INSERT INTO docs(id, v, "
        "n, "
        "x) VALUES (2000, zeroblob(160), '7', 9007199254740993), (2001, zeroblob(160), 7.0, "
        "'9007199254740993'), (2002, zeroblob(160), x'37', 0.1), (2003, zeroblob(160), "
        "9223372036854775807, '1e3'); CREATE VIRTUAL TABLE t USING vecshard(v float[40], w "
        "float[2], p PARTITION KEY, lang TEXT COLLATE NOCASE, n TEXT, x REAL, content=docs, "
        "content_rowid=id)");
}

#define T "t: "
#define AGAIN ": drop the index and create it again"

/* What is done without the triggers seeing it, and what the checks say: the full one, and the one
 * that reads no vectors. */
static const struct {
    const char *off, *sql, *full, *quick; /* off: NULL, or the trigger that is away meanwhile */
} differences[] = {
    {NULL, "SELECT 1", NULL, NULL},
    {NULL, "DROP TRIGGER t_vecshard_delete",
     T "its trigger t_vecshard_delete on docs is missing" AGAIN, ""},
    {NULL, "DROP TRIGGER t_vecshard_update",
     T "its trigger t_vecshard_update on docs is missing" AGAIN, ""},
    {NULL, "DROP TRIGGER t_vecshard_insert; INSERT INTO docs(id, v) VALUES (5000, zeroblob(160))",
     T "its trigger t_vecshard_insert on docs is missing" AGAIN
       "\nt: 1 rows of docs are not in the index: 5000",
     ""},
    {NULL,
     "DROP TRIGGER t_vecshard_insert; DROP TRIGGER t_vecshard_update; DROP TRIGGER "
     "t_vecshard_delete",
     T "the table that it indexes was dropped, or its triggers were" AGAIN, ""},
    {NULL, "DROP TABLE docs", T "the table that it indexes was dropped, or its triggers were" AGAIN,
     ""},
    {NULL,
     "DROP TRIGGER t_vecshard_delete; CREATE TRIGGER t_vecshard_delete AFTER DELETE ON docs BEGIN "
     "SELECT 1; END",
     T "its trigger t_vecshard_delete is not the one that it was created with" AGAIN, ""},
    {NULL, "ALTER TABLE docs RENAME COLUMN lang TO language",
     T "its trigger t_vecshard_update is not the one that it was created with" AGAIN
       "\nt: docs cannot be compared with it: no such column: b.lang",
     ""},
    {NULL, "ALTER TABLE docs RENAME COLUMN w TO w2; DROP TRIGGER t_vecshard_update",
     T "its trigger t_vecshard_update on docs is missing" AGAIN
       "\nt: docs cannot be compared with it: no such column: b.w",
     ""},
    {NULL, "ALTER TABLE docs RENAME TO \"other docs\"", NULL, NULL},
    {"insert", "INSERT INTO docs(id, v) VALUES (5000, zeroblob(160)), (5001, NULL)",
     T "1 rows of docs are not in the index: 5000", ""},
    {"insert",
     "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 12) INSERT INTO "
     "docs(id, w) SELECT 5000 + i, x'0000803f0000803f' FROM r",
     T "12 rows of docs are not in the index: 5001, 5002, 5003, 5004, 5005, 5006, 5007, 5008, "
       "5009, 5010, ...",
     ""},
    {"delete", "DELETE FROM docs WHERE id IN (7, 9)",
     T "2 rows of the index are not in docs, or have no vector there: 7, 9", ""},
    {"update", "UPDATE docs SET v = NULL, w = NULL WHERE id = 7",
     T "1 rows of the index are not in docs, or have no vector there: 7", ""},
    {"update", "UPDATE docs SET id = -7 WHERE id = 7",
     T "1 rows of docs are not in the index: -7"
       "\nt: 1 rows of the index are not in docs, or have no vector there: 7",
     ""},
    {"update", "UPDATE docs SET lang = 'L5', p = 'x' WHERE id IN (5, 6)",
     T "2 rows have another p in docs: 5, 6\nt: 2 rows have another lang in docs: 5, 6", ""},
    {"update", "UPDATE docs SET n = 6, x = 2.5 WHERE id = 5",
     T "1 rows have another n in docs: 5\nt: 1 rows have another x in docs: 5", ""},
    {"update", "UPDATE docs SET w = x'0000803f0000803f' WHERE id = 5",
     T "row 5 has another vector in w than the table that is indexed", NULL},
    {"update", "UPDATE docs SET w = x'0000803f0000803f' WHERE id = 20",
     T "row 20 has no vector in w, and one in the table that is indexed", NULL},
    {"update", "UPDATE docs SET v = zeroblob(160) WHERE id = 50",
     T "row 50 has no vector in v, and one in the table that is indexed", NULL},
    {"update", "UPDATE docs SET v = (SELECT v FROM docs WHERE id = 8) WHERE id = 9",
     T "the code of row 9 in \"t_codes0\" is not that of its vector", NULL},
};

static void check_gives(const char *after, int is_quick, const char *expected)
{
    char *report = report_of(is_quick);
    if (strcmp(report == NULL ? "" : report, expected == NULL ? "" : expected) != 0) {
        fail_msg("after %s: the check says %s, not %s", after, report, expected);
    }
    sqlite3_free(report);
}

/* Takes a trigger away; what it was, to make it again. */
static char *take_trigger(const char *event)
{
    char *trigger = NULL;
    char *sql =
        sqlite3_mprintf("SELECT sql FROM sqlite_schema WHERE name = 't_vecshard_%s'", event);
    assert_int_equal(vs_test_query(fixture.db, sql, &trigger), SQLITE_OK);
    sqlite3_free(sql);
    sql = sqlite3_mprintf("DROP TRIGGER t_vecshard_%s", event);
    fixture_run(&fixture, sql);
    sqlite3_free(sql);
    return trigger;
}

static void an_index_is_compared_with_its_table(void **state)
{
    (void)state;
    open_content();
    for (size_t i = 0; i < VS_TEST_COUNT(differences); i++) {
        fixture_run(&fixture, "SAVEPOINT s");
        char *trigger = differences[i].off == NULL ? NULL : take_trigger(differences[i].off);
        fixture_run(&fixture, differences[i].sql);
        if (trigger != NULL) {
            fixture_run(&fixture, trigger);
        }
        sqlite3_free(trigger);
        const char *quick = differences[i].quick; /* "": the same */
        check_gives(differences[i].sql, 0, differences[i].full);
        check_gives(differences[i].sql, 1,
                    quick != NULL && quick[0] == '\0' ? differences[i].full : quick);
        fixture_run(&fixture, "ROLLBACK TO s; RELEASE s");
    }
    is_sound();
    fixture_close_store(&fixture);
}

/* The index follows a table whose columns and name change as far as it can, and the check knows the
 * triggers again. */
static void triggers_are_known_after_their_table_was_renamed(void **state)
{
    (void)state;
    fixture_open_store(&fixture,
                       "CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, \"a \"\"name\" TEXT); "
                       "CREATE VIRTUAL TABLE t USING vecshard(v float[2], \"a \"\"name\" TEXT, "
                       "content=docs); INSERT INTO docs VALUES (1, '[1,2]', 'x')");
    fixture_run(&fixture, "ALTER TABLE docs RENAME TO \"my \"\"docs\"");
    is_sound();
    fixture_run(&fixture, "ALTER TABLE \"my \"\"docs\" RENAME COLUMN id TO \"a.\"\"rowid\"");
    fixture_run(&fixture, "INSERT INTO \"my \"\"docs\" VALUES (2, '[3,4]', 'y')");
    is_sound();
    fixture_run(&fixture, "ALTER TABLE \"my \"\"docs\" ADD COLUMN more; ALTER TABLE \"my "
                          "\"\"docs\" DROP COLUMN more");
    is_sound();
    fixture_run(&fixture, "ALTER TABLE \"my \"\"docs\" RENAME COLUMN \"a.\"\"rowid\" TO plain");
    is_sound();
    fixture_run(&fixture, "DROP TRIGGER t_vecshard_delete; CREATE TRIGGER t_vecshard_delete AFTER "
                          "DELETE ON \"my \"\"docs\" BEGIN INSERT INTO t(t, arg) SELECT 'sync', "
                          "old.v; END");
    check_gives("another trigger", 1,
                T "its trigger t_vecshard_delete is not the one that it was created with" AGAIN);
    fixture_close_store(&fixture);
}

static void without_memory_the_check_says_so(void **state)
{
    int64_t live = vs_fault_live();
    (void)state;
    fixture_open_store(
        &fixture, "CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, lang TEXT); INSERT INTO "
                  "docs VALUES (1, '[1,2]', 'a'), (2, '[3,4]', 'b'), (3, '[5,6]', 'c'); CREATE "
                  "VIRTUAL TABLE t USING vecshard(v float[2], lang TEXT, content=docs); ALTER "
                  "TABLE docs RENAME COLUMN id TO number; DROP TRIGGER t_vecshard_update; "
                  "UPDATE docs SET lang = 'x', number = 7 WHERE number = 1; UPDATE docs SET v = "
                  "'[0,0]', lang = 'y' WHERE number = 2");
    char *expected = report_of(0);
    assert_string_equal(expected,
                        T "its trigger t_vecshard_update on docs is missing" AGAIN
                          "\nt: 1 rows of docs are not in the index: 7"
                          "\nt: 1 rows of the index are not in docs, or have no vector there: 1"
                          "\nt: 1 rows have another lang in docs: 2"
                          "\nt: row 2 has another vector in v than the table that is indexed");
    for (int is_persistent = 0; is_persistent < 2; is_persistent++) {
        int64_t failures = 1;
        for (int64_t n = 1; failures > 0; n++) {
            char *report = NULL;
            vs_store_release(&fixture.store);
            vs_fault_arm(n, is_persistent);
            int rc = vs_maint_check(&fixture.store, 0, &report, &fixture.err);
            failures = vs_fault_disarm();
            if (rc != SQLITE_OK && (rc != SQLITE_NOMEM || failures == 0)) {
                fail_msg("allocation %lld: result %d: %s", (long long)n, rc, fixture.err.message);
            }
            if (rc == SQLITE_OK) {
                assert_string_equal(report, expected);
            }
            sqlite3_free(report);
            vs_error_clear(&fixture.err);
        }
    }
    sqlite3_free(expected);
    fixture_close_store(&fixture);
    assert_int_equal(vs_fault_live(), live);
}

int main(void)
{
    vs_fault_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_tables_pass),
        cmocka_unit_test(every_disagreement_is_found),
        cmocka_unit_test(a_vector_of_another_code_is_found_by_the_full_check),
        cmocka_unit_test(findings_are_lines_and_a_hundred_at_most),
        cmocka_unit_test(the_check_writes_nothing),
        cmocka_unit_test(an_index_is_compared_with_its_table),
        cmocka_unit_test(triggers_are_known_after_their_table_was_renamed),
        cmocka_unit_test(without_memory_the_check_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
