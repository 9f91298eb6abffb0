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

#include "../index_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "../vs_fault.h"
#include "../vs_fault_io.h"

/* ---- files ---- */

static const index_step commits[] = {
    {"INSERT INTO t(v, g, name) VALUES (vec(101), 2, 'k101')", "COMMIT"},
    {"INSERT INTO docs VALUES (100, 1, vec(100)); DELETE FROM t WHERE g = 3", "COMMIT"},
    {"INSERT INTO t(t) VALUES ('rebuild')", "COMMIT"},
};

static const char *file_name(void)
{
    return fixture_path("test_index_io.db");
}

static void remove_file(void)
{
    char journal[300];
    sqlite3_snprintf((int)sizeof journal, journal, "%s-journal", file_name());
    remove(file_name());
    remove(journal);
}

static sqlite3 *open_file(void)
{
    sqlite3_int64 bytes = 0;
    unsigned char *data = sqlite3_serialize(index_image(), "main", &bytes, 0);
    remove_file();
    FILE *file = fopen(file_name(), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, (size_t)bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    sqlite3_free(data);
    sqlite3 *db = index_open(file_name(), "failing");
    vs_test_run(db, "PRAGMA cache_size = 4; PRAGMA cache_spill = 1"); /* writes before the commit */
    index_warm(db);
    return db;
}

static void file_holds(uint64_t state)
{
    sqlite3 *db = index_open(file_name(), NULL);
    if (index_state(db) != state) {
        fail_msg("the file, opened again, holds something else");
    }
    index_close(db);
}

static void arm_call(sqlite3 *db, int64_t n)
{
    (void)db;
    vs_fault_io_arm((long)n, VS_FAULT_ANY_CALL, 0, 0);
}

static void arm_calls(sqlite3 *db, int64_t n)
{
    (void)db;
    vs_fault_io_arm((long)n, VS_FAULT_ANY_CALL, 0, 1);
}

static void arm_full(sqlite3 *db, int64_t n)
{
    (void)db;
    vs_fault_io_arm((long)n, VS_FAULT_WRITE, SQLITE_FULL, 1);
}

static int64_t disarm_calls(sqlite3 *db)
{
    (void)db;
    return vs_fault_io_disarm();
}

static int is_io_error(int rc)
{
    return (rc & 0xff) == SQLITE_IOERR;
}

/* Of an error that ends the transaction while a search is being planned, SQLite keeps the sentence
 * alone. */
static int is_io_error_or_planning(int rc)
{
    return is_io_error(rc) || rc == SQLITE_ERROR;
}

static int is_full(int rc)
{
    return rc == SQLITE_FULL;
}

static void changes_survive_a_failing_file(void **state)
{
    static const index_fault one = {
        .name = "call",
        .open = open_file,
        .arm = arm_call,
        .disarm = disarm_calls,
        .is_allowed = is_io_error,
        .is_final = is_io_error,
        .closed = file_holds,
        .stride = 1,
        .growth = 1,
    };
    static const index_fault all = {
        .name = "every call from number",
        .open = open_file,
        .arm = arm_calls,
        .disarm = disarm_calls,
        .is_allowed = is_io_error,
        .is_final = is_io_error,
        .closed = file_holds,
        .stride = 5,
        .growth = 1,
    };
    (void)state;
    index_fail_each(&one, index_changes, index_change_count, 0);
    index_fail_each(&all, index_changes, index_change_count, 1);
    index_fail_each(&one, commits, VS_TEST_COUNT(commits), 1);
    index_fail_each(&all, commits, VS_TEST_COUNT(commits), 1);
    remove_file();
}

static void reads_survive_a_failing_file(void **state)
{
    static const index_fault one = {
        .name = "call",
        .open = open_file,
        .arm = arm_call,
        .disarm = disarm_calls,
        .is_allowed = is_io_error_or_planning,
        .is_final = is_io_error_or_planning,
        .closed = file_holds,
        .stride = 1,
        .growth = 1,
    };
    static const index_fault all = {
        .name = "every call from number",
        .open = open_file,
        .arm = arm_calls,
        .disarm = disarm_calls,
        .is_allowed = is_io_error_or_planning,
        .is_final = is_io_error_or_planning,
        .closed = file_holds,
        .stride = 5,
        .growth = 1,
    };
    (void)state;
    index_fail_each(&one, index_reads, index_read_count, 1);
    index_fail_each(&all, index_reads, index_read_count, 0);
    remove_file();
}

static void changes_survive_a_full_disk(void **state)
{
    static const index_fault full = {
        .name = "every write from number",
        .open = open_file,
        .arm = arm_full,
        .disarm = disarm_calls,
        .is_allowed = is_full,
        .is_final = is_full,
        .closed = file_holds,
        .stride = 3,
        .growth = 1,
    };
    (void)state;
    index_fail_each(&full, index_changes, index_change_count, 0);
    index_fail_each(&full, index_changes, index_change_count, 1);
    index_fail_each(&full, commits, VS_TEST_COUNT(commits), 1);
    remove_file();
}

/* ---- error codes ---- */

static int64_t fail_countdown;
static int fail_code;

static void fail_now(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    if (fail_countdown > 0 && --fail_countdown == 0) {
        sqlite3_result_error(ctx, "the trigger fails", -1);
        sqlite3_result_error_code(ctx, fail_code);
    }
}

/* A copy with a call of fail_now() after every change of a shadow table. */
static sqlite3 *open_with_triggers(void)
{
    static const char *const tables[] = {
        "t_info",           "t_cells",          "t_parts",         "t_rows",
        "t_vectors0",       "t_vectors1",       "t_codes0",        "t_cold0",
        "docs_index_info",  "docs_index_cells", "docs_index_rows", "docs_index_vectors0",
        "docs_index_codes0"};
    static const char *const events[] = {"INSERT", "UPDATE", "DELETE"};
    sqlite3 *db = index_open_image();
    assert_int_equal(
        sqlite3_create_function(db, "fail_now", 0, SQLITE_UTF8, NULL, fail_now, NULL, NULL),
        SQLITE_OK);
    vs_test_run(db, "BEGIN");
    for (size_t i = 0; i < 3 * VS_TEST_COUNT(tables); i++) {
        char *sql = sqlite3_mprintf("CREATE TRIGGER f%d AFTER %s ON %s BEGIN SELECT fail_now(); "
                                    "END",
                                    (int)i, events[i % 3], tables[i / 3]);
        vs_test_run(db, sql);
        sqlite3_free(sql);
    }
    vs_test_run(db, "COMMIT");
    index_warm(db);
    return db;
}

/* Not CORRUPT: after it SQLite itself refuses to write until the transaction ends. */
static void arm_any_code(sqlite3 *db, int64_t n)
{
    static const int codes[] = {SQLITE_ERROR,    SQLITE_BUSY,      SQLITE_LOCKED, SQLITE_TOOBIG,
                                SQLITE_READONLY, SQLITE_MISMATCH,  SQLITE_AUTH,   SQLITE_NOMEM,
                                SQLITE_IOERR,    SQLITE_INTERRUPT, SQLITE_FULL};
    static size_t turn;
    (void)db;
    fail_code = codes[turn++ % VS_TEST_COUNT(codes)];
    fail_countdown = n;
}

static void arm_constraint(sqlite3 *db, int64_t n)
{
    (void)db;
    fail_code = SQLITE_CONSTRAINT;
    fail_countdown = n;
}

static int64_t disarm_code(sqlite3 *db)
{
    int has_failed = fail_countdown == 0;
    (void)db;
    fail_countdown = 0;
    return has_failed;
}

/* IOERR stands for any code where a row is half written: it makes SQLite undo everything. */
static int is_the_code(int rc)
{
    return (rc & 0xff) == fail_code || (rc & 0xff) == SQLITE_IOERR;
}

static int rolls_back(int rc)
{
    int code = rc & 0xff;
    return code == SQLITE_NOMEM || code == SQLITE_INTERRUPT || code == SQLITE_IOERR ||
           code == SQLITE_FULL;
}

static void no_error_leaves_half_a_change(void **state)
{
    static const index_fault any = {
        .name = "change",
        .open = open_with_triggers,
        .arm = arm_any_code,
        .disarm = disarm_code,
        .is_allowed = is_the_code,
        .is_final = rolls_back,
        .stride = 1,
        .growth = 2,
    };
    static const index_fault constraint = {
        .name = "change",
        .open = open_with_triggers,
        .arm = arm_constraint,
        .disarm = disarm_code,
        .is_allowed = is_the_code,
        .is_final = rolls_back,
        .stride = 1,
        .growth = 2,
    };
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

static void every_statement_stops_anywhere(void **state)
{
    static const index_fault stop = {
        .name = "call of the progress handler",
        .open = index_open_image,
        .arm = arm_stop,
        .disarm = disarm_stop,
        .is_allowed = is_interrupt,
        .is_final = is_interrupt,
        .stride = 1,
        .growth = 2,
    };
    (void)state;
    for (int is_in_transaction = 0; is_in_transaction < 2; is_in_transaction++) {
        index_fail_each(&stop, index_changes, index_change_count, is_in_transaction);
        index_fail_each(&stop, index_reads, index_read_count, is_in_transaction);
    }
}

typedef struct interrupter {
    sqlite3 *db;
    double at_ms; /* out */
} interrupter;

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static void *interrupt_later(void *data)
{
    interrupter *work = data;
    struct timespec pause = {0, 10000000};
    nanosleep(&pause, NULL);
    work->at_ms = now_ms();
    sqlite3_interrupt(work->db);
    return NULL;
}

/* The statement, which runs for longer, stops soon after it is interrupted, and changes nothing. */
static void stops_soon(sqlite3 *db, const char *sql)
{
    static const char sum[] = "SELECT count(*), sum(rowid), max(length(v)) FROM big_index; SELECT "
                              "count(*), sum(id) FROM big";
    pthread_t thread;
    interrupter work = {db, 0.0};
    uint64_t before = 0, after = 0;
    assert_int_equal(index_run(db, sum, &before), SQLITE_OK);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_later, &work), 0);
    int rc = index_run(db, sql, NULL);
    double end_ms = now_ms();
    pthread_join(thread, NULL);
    if (rc != SQLITE_INTERRUPT || end_ms - work.at_ms > 500.0) {
        fail_msg("%s: result %d, %.0f ms after the interrupt", sql, rc, end_ms - work.at_ms);
    }
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
