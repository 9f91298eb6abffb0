/*
 * test_maint.c - commands change where rows lie and how they are coded, and nothing that a
 * statement can see: sparse cells are emptied, in steps or at once, and codes are made anew.
 */
#include "../store_fixture.h"

#include "../../ext/codes.h"
#include "../../ext/maint.h"

static store_fixture fixture;
static uint8_t query[4096];

/* ---- what must not change ---- */

typedef struct snapshot {
    char *rows;     /* a hash of all columns, in the order of rowids */
    char *nearest;  /* rows and distances of a search */
    char *filtered; /* of a search with conditions */
} snapshot;

static char *answer(const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3_str *text = sqlite3_str_new(NULL);
    if (sqlite3_prepare_v2(fixture.db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(fixture.db));
    }
    (void)sqlite3_bind_blob(stmt, 1, query, sizeof query, SQLITE_STATIC);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        vs_test_append_row(text, stmt);
        sqlite3_str_appendall(text, ";");
    }
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    return sqlite3_str_finish(text);
}

static snapshot take_snapshot(void)
{
    snapshot out = {
        answer("SELECT rowid, p, n, w, length(v), substr(v, 1, 40), substr(v, -40) FROM t ORDER BY "
               "rowid"),
        answer("SELECT rowid, distance FROM t WHERE v MATCH ?1 AND k = 50"),
        answer("SELECT rowid, distance FROM t WHERE v MATCH ?1 AND k = 20 AND p = 1 AND n < 1400"),
    };
    return out;
}

static void free_snapshot(snapshot *before)
{
    sqlite3_free(before->rows);
    sqlite3_free(before->nearest);
    sqlite3_free(before->filtered);
}

/* The table says what it said, and its shadow tables agree. */
static void is_as_before(const snapshot *before)
{
    snapshot now = take_snapshot();
    assert_string_equal(now.rows, before->rows);
    assert_string_equal(now.nearest, before->nearest);
    assert_string_equal(now.filtered, before->filtered);
    free_snapshot(&now);
    vs_test_run(fixture.db, "INSERT INTO t(t) VALUES ('integrity-check')");
}

/* ---- tables ---- */

#define CELLS "SELECT count(*) FROM t_cells WHERE part IS NOT NULL"
/* Cells that the rows of each partition need. */
#define CELLS_NEEDED                                                                               \
    "SELECT sum((live + 63) / 64) FROM (SELECT count(*) AS live FROM t_rows GROUP BY c1)"

/* 1000 rows, of which about a third is left, spread over all cells. */
static void open_sparse(void)
{
    uint64_t random = 5;
    fixture_vector(&random, FIXTURE_NORMAL, VSK_F32, 1024, query);
    fixture_open_cells(&fixture, 1000);
    fixture_run(&fixture, "DELETE FROM t WHERE (n * 7919) % 10 > 2");
    assert_true(fixture_number(fixture.db, CELLS) > fixture_number(fixture.db, CELLS_NEEDED) + 3);
}

static int command(const char *name, const char *arg)
{
    sqlite3_value *value = fixture_value(fixture.db, name);
    sqlite3_value *number = fixture_value(fixture.db, arg);
    sqlite3_value *null = fixture_value(fixture.db, "NULL");
    sqlite3_value *const columns[] = {null, null, null, null};
    int rc = vs_maint_command(&fixture.store, value, number, columns, &fixture.err);
    vs_store_forget(&fixture.store);
    sqlite3_value_free(value);
    sqlite3_value_free(number);
    sqlite3_value_free(null);
    return rc;
}

/* ---- optimize ---- */

static void optimize_leaves_no_cell_that_can_be_spared(void **state)
{
    (void)state;
    open_sparse();
    snapshot before = take_snapshot();
    int64_t vectors = fixture_number(fixture.db, "SELECT count(*) FROM t_vectors0");
    vs_test_run(fixture.db, "INSERT INTO t(t) VALUES ('optimize')");
    assert_int_equal(fixture_number(fixture.db, CELLS), fixture_number(fixture.db, CELLS_NEEDED));
    assert_true(fixture_number(fixture.db, "SELECT count(*) FROM t_vectors0") < vectors * 2 / 3);
    is_as_before(&before);
    vs_test_run(fixture.db, "CREATE TEMP TABLE places AS SELECT id, loc FROM t_rows; INSERT INTO "
                            "t(t) VALUES ('OPTIMIZE')"); /* nothing is left to do */
    vs_test_gives(fixture.db,
                  "SELECT count(*) FROM (SELECT * FROM places EXCEPT SELECT id, loc "
                  "FROM t_rows)",
                  "0");
    is_as_before(&before);
    free_snapshot(&before);
    fixture_close_store(&fixture);
}

/* Each call moves no more rows than it is told, and the next goes on. */
static void check_steps(const char *sql, int64_t rows)
{
    open_sparse();
    snapshot before = take_snapshot();
    int64_t needed = fixture_number(fixture.db, CELLS_NEEDED);
    int64_t cells = fixture_number(fixture.db, CELLS);
    int steps = 0;
    for (; cells > needed && steps < 200; steps++) {
        vs_test_run(fixture.db, "CREATE TEMP TABLE places AS SELECT id, loc FROM t_rows");
        vs_test_run(fixture.db, sql);
        int64_t moved = fixture_number(
            fixture.db,
            "SELECT count(*) FROM (SELECT * FROM places EXCEPT SELECT id, loc FROM t_rows)");
        assert_true(moved > 0 && moved <= rows);
        int64_t now = fixture_number(fixture.db, CELLS);
        assert_true(now <= cells);
        cells = now;
        vs_test_run(fixture.db, "DROP TABLE places");
    }
    assert_int_equal(cells, needed);
    assert_true(steps > 1);
    is_as_before(&before);
    free_snapshot(&before);
    fixture_close_store(&fixture);
}

static void steps_of_some_rows_come_to_the_same_end(void **state)
{
    (void)state;
    check_steps("INSERT INTO t(t, arg) VALUES ('optimize', 30)", 30);
    check_steps("INSERT INTO t(t, arg) VALUES ('merge', 30)", 30);
    check_steps("INSERT INTO t(t, arg) VALUES ('Merge', '7')", 7);
}

/* What was coded with another description is coded with the present one. */
static void optimize_codes_again_what_has_an_old_code(void **state)
{
    float anchor[1024];
    (void)state;
    open_sparse();
    snapshot before = take_snapshot();
    for (int i = 0; i < 1024; i++) {
        anchor[i] = 0.25f;
    }
    fixture_run(&fixture, "BEGIN");
    fixture_must(&fixture, vs_store_code_set(&fixture.store, 0, anchor, &fixture.err));
    fixture_run(&fixture, "COMMIT");
    is_as_before(&before);
    fixture_must(&fixture, command("'optimize'", "NULL"));
    vs_head head;
    const vs_code *code = NULL;
    int coded = 0;
    fixture_must(&fixture, vs_store_head(&fixture.store, &head, &fixture.err));
    fixture_must(&fixture, vs_store_code_current(&fixture.store, 0, &code, &fixture.err));
    for (int64_t id = 1; id < head.next_cell; id++) {
        vs_cell cell;
        if (vs_store_cell(&fixture.store, id, &cell, &fixture.err) != SQLITE_OK) {
            vs_error_clear(&fixture.err);
            continue; /* emptied */
        }
        coded += cell.is_coded;
        assert_true(!cell.is_coded || cell.code_id[0] == code->id);
    }
    assert_true(coded > 0);
    is_as_before(&before);
    free_snapshot(&before);
    fixture_close_store(&fixture);
}

/* The first cells were far from what the table holds now: codes are made for that. */
static void optimize_follows_data_that_has_moved_away(void **state)
{
    uint64_t random = 6;
    (void)state;
    fixture_vector(&random, FIXTURE_NORMAL, VSK_F32, 1024, query);
    fixture_open_cells(&fixture, 200);
    vs_test_run(fixture.db, "BEGIN");
    fixture_insert_cells(fixture.db, 1001, 500, 100.0f);
    vs_test_run(fixture.db, "DELETE FROM t WHERE n <= 200; COMMIT");
    snapshot before = take_snapshot();
    vs_test_run(fixture.db, "CREATE TEMP TABLE codes AS SELECT value FROM t_info WHERE key = "
                            "'code/0'; INSERT INTO t(t) VALUES ('optimize')");
    is_as_before(&before);
    vs_test_gives(fixture.db,
                  "SELECT count(*) FROM codes JOIN t_info USING (value) WHERE key = 'code/0'", "0");
    free_snapshot(&before);
    fixture_close_store(&fixture);
}

/* ---- rebuild ---- */

static void rebuild_makes_codes_anew(void **state)
{
    (void)state;
    open_sparse();
    snapshot before = take_snapshot();
    vs_test_run(fixture.db, "CREATE TEMP TABLE codes AS SELECT value FROM t_info WHERE key = "
                            "'code/0'; INSERT INTO t(t) VALUES ('rebuild')");
    is_as_before(&before);
    vs_test_gives(fixture.db,
                  "SELECT count(*) FROM codes JOIN t_info USING (value) WHERE key = 'code/0'", "0");
    assert_int_equal(fixture_number(fixture.db, CELLS), fixture_number(fixture.db, CELLS_NEEDED));
    free_snapshot(&before);
    fixture_close_store(&fixture);
}

static void rebuild_reads_the_content_table_again(void **state)
{
    (void)state;
    sqlite3 *db = vs_test_open();
    /* of the row that REPLACE removes, SQLite tells no trigger */
    vs_test_run(db, "CREATE TABLE docs(id INTEGER PRIMARY KEY, name UNIQUE, v); INSERT INTO docs "
                    "VALUES (1, 'a', '[1]'), (2, 'b', '[2]'), (3, 'c', NULL); CREATE VIRTUAL TABLE "
                    "t USING vecshard(v float[1], content=docs, content_rowid=id); REPLACE INTO "
                    "docs VALUES (9, 'a', '[9]')");
    vs_test_gives(db, "SELECT rowid FROM t ORDER BY rowid", "1; 2; 9");
    vs_test_run(db, "INSERT INTO t(t) VALUES ('rebuild')");
    vs_test_gives(db, "SELECT rowid, vec_to_json(v) FROM t ORDER BY rowid",
                  "2|[2.000000]; 9|[9.000000]");
    vs_test_run(db, "INSERT INTO t(t) VALUES ('integrity-check')");
    vs_test_close(db);
}

static void commands_work_on_tables_without_rows(void **state)
{
    (void)state;
    sqlite3 *db = vs_test_open();
    vs_test_run(db, "CREATE VIRTUAL TABLE t USING vecshard(v float[64], p TEXT PARTITION KEY);"
                    "INSERT INTO t(t) VALUES ('optimize'); INSERT INTO t(t) VALUES ('rebuild');"
                    "INSERT INTO t(t, arg) VALUES ('merge', 1); INSERT INTO t(v) VALUES (NULL);"
                    "INSERT INTO t(t) VALUES ('rebuild'); DELETE FROM t; INSERT INTO t(t) VALUES "
                    "('rebuild'); INSERT INTO t(t) VALUES ('integrity-check')");
    vs_test_gives(db, "SELECT count(*) FROM t", "0");
    vs_test_close(db);
}

/* ---- words ---- */

static void commands_that_are_none_are_told(void **state)
{
    (void)state;
    fixture_open_cells(&fixture, 5);
    fixture_must_fail(&fixture, command("'polish'", "NULL"), SQLITE_ERROR,
                      "t: there is no command 'polish'; there are optimize, merge, rebuild, tier and "
                      "integrity-check");
    fixture_must_fail(&fixture, command("''", "NULL"), SQLITE_ERROR, "there is no command ''");
    fixture_must_fail(&fixture, command("'merge'", "NULL"), SQLITE_ERROR,
                      "t: 'merge' needs a number of rows");
    fixture_must_fail(&fixture, command("'merge'", "0"), SQLITE_ERROR, "found 0");
    fixture_must_fail(&fixture, command("'optimize'", "-5"), SQLITE_ERROR, "found -5");
    vs_test_fails(fixture.db, "INSERT INTO t(t, arg) VALUES ('optimize', 'many')",
                  "t: 'optimize' takes a number of rows, found many");
    fixture_must_fail(&fixture, command("'optimize'", "2.5"), SQLITE_ERROR, "found 2.5");
    fixture_must(&fixture, command("'Integrity-Check'", "NULL"));
    fixture_close_store(&fixture);
}

static void the_integrity_check_tells_what_it_found(void **state)
{
    (void)state;
    fixture_open_cells(&fixture, 5);
    fixture_run(&fixture, "DELETE FROM t_rows WHERE id = 3");
    fixture_must_fail(&fixture, command("'integrity-check'", "NULL"), SQLITE_CORRUPT_VTAB,
                      "t: \"t_rows\" has 4 rows, and the cells hold 5");
    fixture_close_store(&fixture);
}

/* ---- in transactions, while it lasts ---- */

static void a_rollback_takes_a_command_back(void **state)
{
    (void)state;
    open_sparse();
    snapshot before = take_snapshot();
    int64_t cells = fixture_number(fixture.db, CELLS);
    vs_test_run(fixture.db, "BEGIN; INSERT INTO t(t) VALUES ('rebuild')");
    is_as_before(&before);
    vs_test_run(fixture.db, "ROLLBACK");
    assert_int_equal(fixture_number(fixture.db, CELLS), cells);
    is_as_before(&before);
    free_snapshot(&before);
    fixture_close_store(&fixture);
}

static int calls_left;

static int stop_later(void *unused)
{
    (void)unused;
    return calls_left-- == 0;
}

static void an_interrupted_command_changes_nothing(void **state)
{
    static const char *const commands[] = {"INSERT INTO t(t) VALUES ('optimize')",
                                           "INSERT INTO t(t) VALUES ('rebuild')"};
    int interrupted = 0;
    (void)state;
    open_sparse();
    snapshot before = take_snapshot();
    int64_t cells = fixture_number(fixture.db, CELLS);
    for (size_t i = 0; i < VS_TEST_COUNT(commands); i++) {
        for (int calls = 1; calls < 2000; calls = calls * 3 + 1) {
            char *result = NULL;
            calls_left = calls;
            vs_test_run(fixture.db, "SAVEPOINT s");
            sqlite3_progress_handler(fixture.db, 5, stop_later, NULL);
            int rc = vs_test_query(fixture.db, commands[i], &result);
            sqlite3_progress_handler(fixture.db, 0, NULL, NULL);
            sqlite3_free(result);
            interrupted += rc == SQLITE_INTERRUPT;
            assert_true(rc == SQLITE_INTERRUPT || rc == SQLITE_OK);
            /* An interrupted write ends the transaction. */
            if (!sqlite3_get_autocommit(fixture.db)) {
                vs_test_run(fixture.db, "ROLLBACK TO s; RELEASE s");
            }
            assert_int_equal(fixture_number(fixture.db, CELLS), cells);
            is_as_before(&before);
        }
    }
    assert_true(interrupted > 5);
    free_snapshot(&before);
    fixture_close_store(&fixture);
}

static int look_at_jobs(void *seen)
{
    vs_job_row rows[VS_JOBS_MAX];
    size_t count = vs_job_snapshot(rows);
    for (size_t i = 0; i < count; i++) {
        *(int *)seen |= strcmp(rows[i].target, "t") == 0 && strcmp(rows[i].phase, "optimize") == 0;
        *(int *)seen |= rows[i].done > 0 ? 2 : 0;
    }
    return 0;
}

static void progress_is_shown_and_ends(void **state)
{
    vs_job_row rows[VS_JOBS_MAX];
    int seen = 0;
    (void)state;
    open_sparse();
    sqlite3_progress_handler(fixture.db, 5, look_at_jobs, &seen);
    vs_test_run(fixture.db, "INSERT INTO t(t) VALUES ('optimize')");
    sqlite3_progress_handler(fixture.db, 0, NULL, NULL);
    assert_int_equal(seen, 3);
    assert_int_equal(vs_job_snapshot(rows), 0);
    fixture_close_store(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optimize_leaves_no_cell_that_can_be_spared),
        cmocka_unit_test(steps_of_some_rows_come_to_the_same_end),
        cmocka_unit_test(optimize_codes_again_what_has_an_old_code),
        cmocka_unit_test(optimize_follows_data_that_has_moved_away),
        cmocka_unit_test(rebuild_makes_codes_anew),
        cmocka_unit_test(rebuild_reads_the_content_table_again),
        cmocka_unit_test(commands_work_on_tables_without_rows),
        cmocka_unit_test(commands_that_are_none_are_told),
        cmocka_unit_test(the_integrity_check_tells_what_it_found),
        cmocka_unit_test(a_rollback_takes_a_command_back),
        cmocka_unit_test(an_interrupted_command_changes_nothing),
        cmocka_unit_test(progress_is_shown_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
