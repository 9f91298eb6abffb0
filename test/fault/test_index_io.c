/*
 * test_index_io.c - a vecshard table when its file fails, when one of its own writes fails with any
 * error code, and when it is interrupted.
 *
 * Each statement runs again and again on the same database while the n-th read or write of the
 * file fails, or the disk is full; while, by a trigger on the shadow tables, their n-th change
 * fails; and with a progress handler that says stop from the n-th time on. What must hold then is in
 * index_fixture.h; and a file, opened again, holds what the connection saw last. At last another
 * thread interrupts long work by the clock: 50 ms are promised, the tests fail at 500 ms.
 *
 * Environment: VS_FAULT_STRIDE  tests every n-th failure only (default: the first few, then fewer
 *                               and fewer)
 */
#define _POSIX_C_SOURCE 200809L

#include "../index_faults.h"

#include "../interrupter.h"
#include "../vs_fault.h"
#include "../vs_fault_io.h"

/* ---- files ---- */

static const index_step commits[] = {
    {"INSERT INTO t(v, g, name) VALUES (vec(101), 2, 'k101')", "COMMIT"},
    {"INSERT INTO docs VALUES (100, 1, vec(100)); DELETE FROM t WHERE g = 3", "COMMIT"},
    {"INSERT INTO t(t) VALUES ('rebuild')", "COMMIT"},
};

static sqlite3 *open_file(void)
{
    sqlite3 *db = index_open_file(index_image());
    index_warm(db);
    return db;
}

/* Of an error that ends the transaction while a search is being planned, SQLite keeps the sentence
 * alone. */
static int is_io_error_or_planning(int rc)
{
    return index_is_io_error(rc) || rc == SQLITE_ERROR;
}

static void changes_survive_a_failing_file(void **state)
{
    static const index_fault one = {&index_call, open_file, index_file_holds, 1, 1};
    static const index_fault all = {&index_all_calls, open_file, index_file_holds, 5, 1};
    (void)state;
    index_fail_each(&one, index_changes, index_change_count, 0);
    index_fail_each(&all, index_changes, index_change_count, 1);
    index_fail_each(&one, commits, VS_TEST_COUNT(commits), 1);
    index_fail_each(&all, commits, VS_TEST_COUNT(commits), 1);
    index_remove_file();
}

static void reads_survive_a_failing_file(void **state)
{
    index_failure call = index_call, all_calls = index_all_calls;
    const index_fault one = {&call, open_file, index_file_holds, 1, 1};
    const index_fault all = {&all_calls, open_file, index_file_holds, 5, 1};
    (void)state;
    call.is_allowed = call.is_final = is_io_error_or_planning;
    all_calls.is_allowed = all_calls.is_final = is_io_error_or_planning;
    index_fail_each(&one, index_reads, index_read_count, 1);
    index_fail_each(&all, index_reads, index_read_count, 0);
    index_remove_file();
}

static void changes_survive_a_full_disk(void **state)
{
    static const index_fault full = {&index_full_disk, open_file, index_file_holds, 3, 1};
    (void)state;
    index_fail_each(&full, index_changes, index_change_count, 0);
    index_fail_each(&full, index_changes, index_change_count, 1);
    index_fail_each(&full, commits, VS_TEST_COUNT(commits), 1);
    index_remove_file();
}

/* ---- error codes ---- */

/* A copy that fails after any change of a shadow table. */
static sqlite3 *open_watched(void)
{
    static const char *const tables[] = {
        "t_info",           "t_cells",          "t_parts",         "t_rows",
        "t_vectors0",       "t_vectors1",       "t_codes0",        "t_cold0",
        "docs_index_info",  "docs_index_cells", "docs_index_rows", "docs_index_vectors0",
        "docs_index_codes0"};
    sqlite3 *db = index_open_image();
    index_watch(db, tables, VS_TEST_COUNT(tables));
    index_warm(db);
    return db;
}

static void no_error_leaves_half_a_change(void **state)
{
    static const index_fault any = {&index_any_error, open_watched, NULL, 1, 2};
    static const index_fault constraint = {&index_constraint, open_watched, NULL, 1, 2};
    (void)state;
    index_fail_each(&constraint, index_changes, index_change_count, 1);
    index_fail_each(&any, index_changes, index_change_count, 1);
}

/* A row that cannot be indexed ends a build and a rebuild; the index is what it was before. */
static void a_build_that_fails_leaves_nothing(void **state)
{
    sqlite3 *db = index_open_image();
    (void)state;
    char *trigger = NULL;
    assert_int_equal(
        vs_test_query(db, "SELECT sql FROM sqlite_schema WHERE name = 'docs_index_vecshard_insert'",
                      &trigger),
        SQLITE_OK);
    vs_test_run(db, "DROP TRIGGER docs_index_vecshard_insert; INSERT INTO docs VALUES (-1, 1, "
                    "x'00'); INSERT INTO pages VALUES (1000, 1, x'00')");
    vs_test_run(db, trigger);
    sqlite3_free(trigger);
    uint64_t first = index_state(db);
    vs_test_run(db, "BEGIN; DELETE FROM t WHERE rowid = 3");
    uint64_t before = index_state(db);
    vs_test_fails(db,
                  "CREATE VIRTUAL TABLE pages_index USING vecshard(v float[4096], "
                  "content=pages)",
                  "pages.v, row 1000: a float32 vector has a multiple of 4 bytes, not 1");
    assert_true(index_state(db) == before);
    (void)index_run(db, "INSERT INTO docs_index(docs_index) VALUES ('rebuild')", NULL);
    assert_true(index_state(db) == (sqlite3_get_autocommit(db) ? first : before));
    vs_test_run(db, "DELETE FROM docs WHERE id = -1"); /* which the check would tell */
    index_is_whole(db, "after a rebuild that failed");
    index_close(db);
}

/* ---- interrupts ---- */

static int64_t stop_countdown;

static int stop_when_counted_down(void *data)
{
    (void)data;
    return --stop_countdown <= 0;
}

static void arm_stop(sqlite3 *db, int64_t n)
{
    stop_countdown = n;
    sqlite3_progress_handler(db, 25, stop_when_counted_down, NULL);
}

static int64_t disarm_stop(sqlite3 *db)
{
    sqlite3_progress_handler(db, 0, NULL, NULL);
    return stop_countdown <= 0;
}

static int is_interrupt(int rc)
{
    return rc == SQLITE_INTERRUPT;
}

static const index_failure stopped_call = {"call of the progress handler", arm_stop, disarm_stop,
                                           is_interrupt, is_interrupt};

static void every_statement_stops_anywhere(void **state)
{
    static const index_fault stop = {&stopped_call, index_open_image, NULL, 1, 2};
    (void)state;
    for (int is_in_transaction = 0; is_in_transaction < 2; is_in_transaction++) {
        index_fail_each(&stop, index_changes, index_change_count, is_in_transaction);
        index_fail_each(&stop, index_reads, index_read_count, is_in_transaction);
    }
}

/* The statement, which runs for longer, stops soon after it is interrupted, and changes nothing. */
static void stops_soon(sqlite3 *db, const char *sql)
{
    static const char sum[] = "SELECT count(*), sum(rowid), max(length(v)) FROM big_index; SELECT "
                              "count(*), sum(id) FROM big";
    interrupter work;
    uint64_t before = 0, after = 0;
    assert_int_equal(index_run(db, sum, &before), SQLITE_OK);
    interrupter_start(&work, db, 10);
    interrupter_end(&work, sql, index_run(db, sql, NULL), 500);
    fixture_nothing_is_open(db);
    assert_int_equal(index_run(db, sum, &after), SQLITE_OK);
    assert_true(before == after);
}

static void another_thread_stops_long_work(void **state)
{
    sqlite3 *db = index_open(":memory:", NULL);
    (void)state;
    vs_test_run(db, "CREATE TABLE big(id INTEGER PRIMARY KEY, v);"
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)"
                    "INSERT INTO big SELECT i, vec_slice(vec(i), 0, 768) FROM n;"
                    "CREATE VIRTUAL TABLE big_index USING vecshard(v float[768], content=big, "
                    "content_rowid=id)");
    stops_soon(db, "CREATE VIRTUAL TABLE other USING vecshard(v float[768], content=big, "
                   "content_rowid=id)");
    stops_soon(db, "INSERT INTO big_index(big_index) VALUES ('rebuild')");
    stops_soon(db, "INSERT INTO big_index(big_index) SELECT 'integrity-check' FROM big");
    stops_soon(db,
               "SELECT count(*) FROM big AS o, big_index AS s WHERE s.v MATCH o.v AND s.k = 10");
    stops_soon(db, "SELECT count(*) FROM big AS o, big_index AS s WHERE s.v MATCH o.v");
    stops_soon(db, "INSERT INTO big SELECT id + 10000, v FROM big");
    vs_test_run(db, "DELETE FROM big WHERE id % 3 > 0");
    stops_soon(db,
               "INSERT INTO big_index(big_index) VALUES ('optimize'), ('rebuild'), ('rebuild')");
    vs_test_run(db, "INSERT INTO big_index(big_index) VALUES ('integrity-check')");
    vs_test_gives(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'other%'", "0");
    index_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_survive_a_failing_file),
        cmocka_unit_test(reads_survive_a_failing_file),
        cmocka_unit_test(changes_survive_a_full_disk),
        cmocka_unit_test(no_error_leaves_half_a_change),
        cmocka_unit_test(a_build_that_fails_leaves_nothing),
        cmocka_unit_test(every_statement_stops_anywhere),
        cmocka_unit_test(another_thread_stops_long_work),
    };
    vs_fault_install();
    vs_fault_io_register();
    return cmocka_run_group_tests(tests, index_make_image, index_free_image);
}
