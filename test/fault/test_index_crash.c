/*
 * test_index_crash.c - a process that writes a vecshard table is killed at any moment; every commit
 * that it announced is in the file.
 *
 * A child process writes transactions, numbered and made from their number alone, and sends each
 * number through a pipe when COMMIT has returned. The parent kills it, opens the file, and makes
 * the same transactions in a plain table in memory: the vecshard table has the content after the
 * last number announced, or after the one that follows it.
 *
 *   VS_CRASH_SECONDS  time for each journal mode (default 4)
 */
#define _POSIX_C_SOURCE 200809L

#include "../index_race.h"

#include "../search_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEED 20240917u
#define ALIVE_US_MAX 60000  /* of a child */
#define TRANSACTIONS_MIN 40 /* also on a slow machine: several kills come in these */

static char path[300];
static int is_wal;

/* ---- transactions ---------------------------------------------------------------------------- */

/* The n-th transaction on `table`, to be followed by COMMIT. 0 when all went well. */
static int make_transaction(sqlite3 *on, uint64_t n, const char *table, const char *key)
{
    uint64_t random = (n + SEED) * 0x9e3779b97f4a7c15u | 1;
    int rc = race_run(on, "BEGIN");
    char *log = sqlite3_mprintf("INSERT INTO log VALUES (%lld)", (long long)n);
    rc = rc == SQLITE_OK ? race_run(on, log) : rc;
    sqlite3_free(log);
    for (uint32_t left = 1 + race_pick(&random, 4); left > 0 && rc == SQLITE_OK; left--) {
        char *change = race_change(&random, table, key);
        int is_undone = race_pick(&random, 5) == 0;
        rc = is_undone ? race_run(on, "SAVEPOINT s") : rc;
        rc = rc == SQLITE_OK ? race_run(on, change) : rc;
        rc = rc == SQLITE_OK && is_undone ? race_run(on, "ROLLBACK TO s; RELEASE s") : rc;
        sqlite3_free(change);
    }
    return rc;
}

/* Which of the transactions also gathers cells: this changes no row. */
static const char *upkeep(uint64_t n)
{
    return n % 9 == 4    ? "INSERT INTO t(t) VALUES ('optimize')"
           : n % 23 == 7 ? "INSERT INTO t(t) VALUES ('rebuild')"
                         : "";
}

/* ---- the child ------------------------------------------------------------------------------- */

/*
 * A process that is killed loses nothing that the system has taken: no sync is needed. A small page
 * cache makes it write to the file within transactions. Not to a WAL on an older SQLite: there
 * frames that follow a ROLLBACK TO of spilled ones may get no checksum, and a crash loses them.
 */
static int set_up_writer(sqlite3 *own)
{
    int rc = race_run(own, "PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 50");
    if (rc == SQLITE_OK && (!is_wal || sqlite3_libversion_number() >= 3053000)) {
        rc = race_run(own, "PRAGMA cache_size = 20");
    }
    return rc;
}

/* Writes until it is killed. */
static void write_until_killed(uint64_t next, int acknowledge)
{
    sqlite3 *own = race_open(path);
    if (own == NULL || set_up_writer(own) != SQLITE_OK) {
        _exit(2);
    }
    for (;; next++) {
        if (make_transaction(own, next, "t", "rowid") != SQLITE_OK ||
            race_run(own, upkeep(next)) != SQLITE_OK || race_run(own, "COMMIT") != SQLITE_OK) {
            fprintf(stderr, "transaction %llu: %s\n", (unsigned long long)next,
                    sqlite3_errmsg(own));
            _exit(3);
        }
        if (write(acknowledge, &next, sizeof next) != (ssize_t)sizeof next) {
            _exit(4);
        }
    }
}

/* Lets a child write for a while, kills it, and returns the last number it announced. */
static uint64_t run_child(uint64_t next, uint64_t *random)
{
    int ends[2], status = 0;
    uint64_t number, announced = next - 1;
    struct timespec alive = {0, 1000 * (long)race_pick(random, ALIVE_US_MAX)};
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        write_until_killed(next, ends[1]);
    }
    close(ends[1]);
    nanosleep(&alive, NULL);
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status)) {
        fail_msg("the child ended by itself with %d", WEXITSTATUS(status));
    }
    while (read(ends[0], &number, sizeof number) == (ssize_t)sizeof number) {
        assert_true(number == announced + 1);
        announced = number;
    }
    close(ends[0]);
    return announced;
}

/* ---- the parent ------------------------------------------------------------------------------ */

static int has_hot_journal(void)
{
    struct stat info;
    char name[320];
    sqlite3_snprintf((int)sizeof name, name, "%s-journal", path);
    return stat(name, &info) == 0 && info.st_size > 512;
}

static void same_rows(sqlite3 *file, sqlite3 *model, uint64_t last)
{
    sqlite3_stmt *a = NULL, *b = NULL;
    assert_int_equal(sqlite3_prepare_v2(file,
                                        "SELECT rowid, v, part, n, lang FROM t ORDER BY rowid", -1,
                                        &a, NULL),
                     SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(model, "SELECT id, v, part, n, lang FROM t ORDER BY id", -1, &b, NULL),
        SQLITE_OK);
    for (;;) {
        int rc = sqlite3_step(a);
        assert_int_equal(rc, sqlite3_step(b));
        if (rc == SQLITE_DONE) {
            break;
        }
        assert_int_equal(rc, SQLITE_ROW);
        for (int i = 0; i < 5; i++) {
            int n = sqlite3_column_bytes(a, i);
            if (n != sqlite3_column_bytes(b, i) ||
                sqlite3_column_type(a, i) != sqlite3_column_type(b, i) ||
                (n > 0 &&
                 memcmp(sqlite3_column_blob(a, i), sqlite3_column_blob(b, i), (size_t)n))) {
                fail_msg("after transaction %llu row %lld differs in column %d",
                         (unsigned long long)last, sqlite3_column_int64(b, 0), i);
            }
        }
    }
    sqlite3_finalize(a);
    sqlite3_finalize(b);
}

/* Checks the file and brings the model to its state. Returns the last transaction in it. */
static uint64_t check_file(sqlite3 *model, uint64_t before, uint64_t announced, uint64_t *random)
{
    sqlite3 *file = race_open(path);
    assert_non_null(file);
    vs_test_gives(file, "PRAGMA integrity_check", "ok");
    vs_test_run(file, "INSERT INTO t(t) VALUES ('integrity-check')");
    uint64_t last = (uint64_t)race_integer(file, "SELECT max(n) FROM log", 0);
    if (last < announced || last > announced + 1) {
        fail_msg("%llu transactions announced, %llu in the file", (unsigned long long)announced,
                 (unsigned long long)last);
    }
    assert_int_equal(race_integer(file, "SELECT count(*) FROM log", 0), last);
    for (uint64_t n = before + 1; n <= last; n++) {
        assert_int_equal(make_transaction(model, n, "t", "id"), SQLITE_OK);
        vs_test_run(model, "COMMIT");
    }
    same_rows(file, model, last);
    for (int i = 0; i < 4; i++) {
        char *why = NULL;
        assert_int_equal(race_compare(file, random, &why), SQLITE_OK);
        if (why != NULL) {
            fail_msg("after transaction %llu: %s", (unsigned long long)last, why);
        }
    }
    vs_test_close(file);
    return last;
}

static void make_file(const char *journal_mode)
{
    sqlite3_snprintf((int)sizeof path, path, "%s", fixture_path("crash.db"));
    race_remove(path);
    sqlite3 *file = race_open(path);
    assert_non_null(file);
    char *sql = sqlite3_mprintf("PRAGMA journal_mode = %s", journal_mode);
    vs_test_gives(file, sql, journal_mode);
    sqlite3_free(sql);
    vs_test_run(file, "CREATE TABLE log(n INTEGER PRIMARY KEY);"
                      "CREATE VIRTUAL TABLE t USING vecshard" INDEX_COLUMNS);
    vs_test_close(file);
}

static void commits_survive(const char *journal_mode, int *out_kills, int *out_hot)
{
    const char *seconds_text = getenv("VS_CRASH_SECONDS");
    time_t end = time(NULL) + (seconds_text == NULL ? 4 : strtol(seconds_text, NULL, 10));
    uint64_t random = SEED, last = 0;
    sqlite3 *model = race_open(":memory:");
    assert_non_null(model);
    vs_test_run(model, "CREATE TABLE log(n); CREATE TABLE t" INDEX_PLAIN_COLUMNS);
    make_file(journal_mode);
    is_wal = strcmp(journal_mode, "wal") == 0;
    *out_kills = *out_hot = 0;
    while (last < TRANSACTIONS_MIN || time(NULL) < end) {
        uint64_t announced = run_child(last + 1, &random);
        *out_hot += has_hot_journal();
        last = check_file(model, last, announced, &random);
        ++*out_kills;
    }
    print_message("%s: %d kills, %llu transactions, %d journals left behind\n", journal_mode,
                  *out_kills, (unsigned long long)last, *out_hot);
    vs_test_close(model);
    race_remove(path);
}

static void commits_survive_a_kill_with_a_rollback_journal(void **state)
{
    int kills, hot;
    (void)state;
    commits_survive("delete", &kills, &hot);
    assert_true(hot > 0); /* else no kill came within a transaction */
}

static void commits_survive_a_kill_with_a_wal(void **state)
{
    int kills, hot;
    (void)state;
    commits_survive("wal", &kills, &hot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_survive_a_kill_with_a_rollback_journal),
        cmocka_unit_test(commits_survive_a_kill_with_a_wal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
