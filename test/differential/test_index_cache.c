/*
 * test_index_cache.c - what the process keeps in memory of a vecshard table is never of another
 * time.
 *
 * Several connections of this process and of a second one take turns, in random order: transactions
 * and savepoints, changes, statements that fail half-way, searches. Each search is compared with
 * brute force on its own connection, which sees uncommitted changes, or an old snapshot, or what was
 * rolled back to. All connections of a process share one cache, whose budget changes now and then.
 *
 *   VS_CACHE_SECONDS  time for each journal mode (default 4)
 *   VS_CACHE_SEED     the first number of the random sequence: what a failure prints
 */
#define _POSIX_C_SOURCE 200809L

#include "../index_race.h"

#include "../search_fixture.h"

#include "cache.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 3  /* of each of two processes */
#define STEPS_MIN 1500 /* also on a slow machine: all kinds of steps come in these */

typedef enum step_kind {
    STEP_SEARCH,
    STEP_BATCH,
    STEP_BEGIN,
    STEP_COMMIT,
    STEP_ROLLBACK,
    STEP_SAVEPOINT,
    STEP_ROLLBACK_TO,
    STEP_RELEASE,
    STEP_CHANGE,
    STEP_FAIL,
    STEP_FEED,
    STEP_UPKEEP,
    STEP_REPLACE_TABLE,
    STEP_VACUUM,
    STEP_BUDGET,
    STEP_KINDS
} step_kind;

/* How often each comes. */
static const uint32_t weights[STEP_KINDS] = {300, 10, 60, 60, 25, 60, 60, 30,
                                             200, 40, 60, 8,  2,  2,  10};

static const char *const step_names[STEP_KINDS] = {
    "search",    "batch",       "begin",         "commit", "rollback",
    "savepoint", "rollback to", "release",       "change", "failing change",
    "feed",      "upkeep",      "replace table", "vacuum", "budget"};

typedef struct step {
    uint32_t kind;
    uint32_t connection; /* of the process */
    uint64_t random;
} step;

typedef struct outcome {
    int rc;
    int is_busy;              /* a lock of another connection: nothing was done */
    uint64_t hits, evictions; /* of the process so far */
    char why[600];            /* "": as it must be */
} outcome;

static char path[300];
static sqlite3 *connections[CONNECTIONS]; /* of this process */

/* ---- one step -------------------------------------------------------------------------------- */

/* A statement may fail like this: `also` is a code of its kind that is no fault, or 0. */
static void run_step(sqlite3 *on, char *sql, int also, outcome *out)
{
    int rc = sql == NULL ? SQLITE_NOMEM : race_run(on, sql);
    out->rc = rc;
    out->is_busy = (rc & 0xff) == SQLITE_BUSY;
    if (rc != SQLITE_OK && !out->is_busy && (also == 0 || (rc & 0xff) != also)) {
        sqlite3_snprintf((int)sizeof out->why, out->why, "%s: %d, %s", sql, rc, sqlite3_errmsg(on));
    }
    sqlite3_free(sql);
}

/* Rows whose insertion reads the table in between: a trigger inserts, searches, and may fail. */
static char *feed_sql(uint64_t *random, int is_failing)
{
    unsigned first = 1 + race_pick(random, INDEX_ROWID_MAX - 8);
    unsigned count = 1 + race_pick(random, 6);
    return sqlite3_mprintf("WITH RECURSIVE c(i) AS (SELECT %u UNION ALL SELECT i + 1 FROM c WHERE "
                           "i < %u) INSERT INTO feed(i, seed, is_failing) SELECT i, %u, i = %u "
                           "FROM c",
                           first, first + count, race_pick(random, 1 << 20),
                           is_failing ? first + count : 0);
}

/* A change of several rows that fails at the last and takes back the others. */
static char *failing_sql(uint64_t *random)
{
    unsigned first = 1 + race_pick(random, INDEX_ROWID_MAX);
    return sqlite3_mprintf("UPDATE t SET v = test_vector(%u), n = n + test_fail(rowid > %u) WHERE "
                           "rowid >= %u",
                           race_pick(random, 1 << 20), first + race_pick(random, 30), first);
}

static void search_step(sqlite3 *on, const step *what, outcome *out)
{
    uint64_t random = what->random;
    char *why = NULL;
    out->rc = what->kind == STEP_SEARCH ? race_compare(on, &random, &why)
                                        : race_compare_batch(on, &random, 5, &why);
    out->is_busy = (out->rc & 0xff) == SQLITE_BUSY;
    if (why != NULL) {
        sqlite3_snprintf((int)sizeof out->why, out->why, "%s", why);
    } else if (out->rc != SQLITE_OK && !out->is_busy) {
        sqlite3_snprintf((int)sizeof out->why, out->why, "%d, %s", out->rc, sqlite3_errmsg(on));
    }
    sqlite3_free(why);
}

/* The settings of users, and one that holds a part of this small table. */
static void budget_step(sqlite3 *on, uint64_t *random, outcome *out)
{
    uint32_t choice = race_pick(random, 5);
    if (choice == 0) {
        vs_cache_set_budget(100 << 10);
    } else {
        run_step(on,
                 sqlite3_mprintf("SELECT vec_config('cache_mb', %d)", choice == 1   ? 0
                                                                      : choice == 2 ? 1
                                                                                    : 512),
                 0, out);
    }
}

static void savepoint_step(sqlite3 *on, const char *verb, uint64_t *random, outcome *out)
{
    run_step(on, sqlite3_mprintf("%s s%u", verb, race_pick(random, 3)), SQLITE_ERROR, out);
}

/* Another table takes the name of this one, with rows of its own. */
static void replace_table_step(sqlite3 *on, outcome *out)
{
    if (race_run(on, "SAVEPOINT whole") != SQLITE_OK) {
        return;
    }
    run_step(on,
             sqlite3_mprintf("DROP TABLE t; CREATE VIRTUAL TABLE t USING vecshard" INDEX_COLUMNS ";"
                             "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE "
                             "i < 300) INSERT INTO t(rowid, v, part, n, lang) SELECT i, "
                             "test_vector(i), i %% 2, i %% 10, 'en' FROM c"),
             SQLITE_LOCKED, out);
    if (out->rc != SQLITE_OK && !sqlite3_get_autocommit(on)) {
        (void)race_run(on, "ROLLBACK TO whole");
    }
    if (!sqlite3_get_autocommit(on) && race_run(on, "RELEASE whole") != SQLITE_OK) {
        (void)race_run(on, "ROLLBACK"); /* busy: of a transaction of its own */
    }
}

static void perform(sqlite3 *on, const step *what, outcome *out)
{
    uint64_t random = what->random;
    int is_in = !sqlite3_get_autocommit(on);
    memset(out, 0, sizeof *out);
    switch ((step_kind)what->kind) {
    case STEP_SEARCH:
    case STEP_BATCH:
        search_step(on, what, out);
        break;
    case STEP_BEGIN:
        if (!is_in) {
            run_step(on, sqlite3_mprintf(race_pick(&random, 4) > 0 ? "BEGIN" : "BEGIN IMMEDIATE"),
                     0, out);
        }
        break;
    case STEP_COMMIT:
    case STEP_ROLLBACK:
        if (is_in) {
            run_step(on, sqlite3_mprintf(what->kind == STEP_COMMIT ? "COMMIT" : "ROLLBACK"), 0,
                     out);
        }
        break;
    case STEP_SAVEPOINT:
        savepoint_step(on, "SAVEPOINT", &random, out);
        break;
    case STEP_ROLLBACK_TO:
        savepoint_step(on, "ROLLBACK TO", &random, out);
        break;
    case STEP_RELEASE:
        savepoint_step(on, "RELEASE", &random, out);
        break;
    case STEP_CHANGE:
        run_step(on, race_change(&random, "t", "rowid"), 0, out);
        break;
    case STEP_FAIL:
        run_step(on, failing_sql(&random), SQLITE_ERROR, out);
        break;
    case STEP_FEED:
        run_step(on, feed_sql(&random, race_pick(&random, 2) > 0), SQLITE_ERROR, out);
        break;
    case STEP_UPKEEP:
        run_step(on,
                 sqlite3_mprintf("INSERT INTO t(t) VALUES ('%s')",
                                 race_pick(&random, 3) > 0 ? "optimize" : "rebuild"),
                 0, out);
        break;
    case STEP_REPLACE_TABLE:
        replace_table_step(on, out);
        break;
    case STEP_VACUUM:
        if (!is_in) {
            run_step(on, sqlite3_mprintf("VACUUM"), 0, out);
        }
        break;
    default:
        budget_step(on, &random, out);
    }
    vs_cache_info info;
    vs_cache_read_info(&info);
    out->hits = info.hits;
    out->evictions = info.evictions;
}

/* ---- two processes --------------------------------------------------------------------------- */

static int open_connections(void)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        connections[i] = race_open(path);
        if (connections[i] == NULL ||
            race_run(connections[i], "PRAGMA synchronous = OFF") != SQLITE_OK) {
            return 0;
        }
    }
    return 1;
}

/* The second process: does what it is told until the pipe ends. */
static void serve(int in, int out)
{
    step what;
    outcome result;
    int is_open = 0;
    while (read(in, &what, sizeof what) == (ssize_t)sizeof what) {
        if (!is_open && !open_connections()) {
            _exit(2);
        }
        is_open = 1;
        perform(connections[what.connection], &what, &result);
        if (write(out, &result, sizeof result) != (ssize_t)sizeof result) {
            break;
        }
    }
    _exit(0);
}

typedef struct other_process {
    pid_t pid;
    int to, from;
} other_process;

/* Called while this process has no connection: SQLite's must not be taken across a fork. */
static void start_other(other_process *out)
{
    int commands[2], results[2];
    assert_int_equal(pipe(commands), 0);
    assert_int_equal(pipe(results), 0);
    out->pid = fork();
    assert_true(out->pid >= 0);
    if (out->pid == 0) {
        close(commands[1]);
        close(results[0]);
        serve(commands[0], results[1]);
    }
    close(commands[0]);
    close(results[1]);
    out->to = commands[1];
    out->from = results[0];
}

static void stop_other(other_process *other)
{
    int status = 0;
    close(other->to);
    close(other->from);
    assert_int_equal(waitpid(other->pid, &status, 0), other->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void tell_other(const other_process *other, const step *what, outcome *out)
{
    assert_int_equal(write(other->to, what, sizeof *what), sizeof *what);
    assert_int_equal(read(other->from, out, sizeof *out), sizeof *out);
}

/* ---- the test -------------------------------------------------------------------------------- */

static void make_file(const char *journal_mode)
{
    sqlite3_snprintf((int)sizeof path, path, "%s", fixture_path("cache.db"));
    race_remove(path);
    sqlite3 *file = race_open(path);
    assert_non_null(file);
    char *sql = sqlite3_mprintf("PRAGMA journal_mode = %s", journal_mode);
    vs_test_gives(file, sql, journal_mode);
    sqlite3_free(sql);
    vs_test_run(file,
                "CREATE VIRTUAL TABLE t USING vecshard" INDEX_COLUMNS ";"
                "CREATE TABLE feed(i, seed, is_failing, found);"
                "CREATE TRIGGER feeding AFTER INSERT ON feed BEGIN "
                "INSERT OR REPLACE INTO t(rowid, v, part, n, lang) VALUES (new.i, "
                "test_vector(new.i + new.seed), new.i % 3, new.i % 10, 'en');"
                "UPDATE feed SET found = (SELECT distance FROM t WHERE v MATCH test_vector(new.i + "
                "new.seed) AND k = 1) WHERE rowid = new.rowid;"
                "SELECT test_fail(new.is_failing OR found <> 0) FROM feed WHERE rowid = new.rowid;"
                "END;"
                "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 600) "
                "INSERT INTO t(rowid, v, part, n, lang) SELECT i, test_vector(i), i % 3, i % 10, "
                "'fr' FROM c");
    vs_test_close(file);
}

static step_kind choose(uint64_t *random)
{
    uint32_t sum = 0, kind = 0;
    for (size_t i = 0; i < STEP_KINDS; i++) {
        sum += weights[i];
    }
    uint32_t at = race_pick(random, sum);
    while (at >= weights[kind]) {
        at -= weights[kind++];
    }
    return (step_kind)kind;
}

static void searches_are_of_their_snapshot(const char *journal_mode)
{
    const char *seconds_text = getenv("VS_CACHE_SECONDS"), *seed_text = getenv("VS_CACHE_SEED");
    uint64_t seed = seed_text == NULL ? 77 : strtoull(seed_text, NULL, 10),
             random = seed * 0x9e3779b97f4a7c15u | 1;
    time_t end = time(NULL) + (seconds_text == NULL ? 4 : strtol(seconds_text, NULL, 10));
    long done[STEP_KINDS] = {0}, undone[STEP_KINDS] = {0}, steps = 0;
    uint64_t hits[2] = {0, 0}, evictions[2] = {0, 0};
    other_process other;
    vs_cache_info before;
    outcome result;
    make_file(journal_mode);
    start_other(&other);
    assert_true(open_connections());
    vs_cache_set_budget((size_t)512 << 20);
    vs_cache_read_info(&before);
    for (; steps < STEPS_MIN || time(NULL) < end; steps++) {
        step what;
        int is_other = race_pick(&random, 2) == 0;
        what.kind = (uint32_t)choose(&random);
        what.connection = race_pick(&random, CONNECTIONS);
        what.random = vs_test_random(&random);
        if (is_other) {
            tell_other(&other, &what, &result);
        } else {
            perform(connections[what.connection], &what, &result);
        }
        hits[is_other] = result.hits;
        evictions[is_other] = result.evictions;
        if (result.why[0] != '\0') {
            fail_msg("VS_CACHE_SEED=%llu, step %ld, %s on connection %u of process %d: %s",
                     (unsigned long long)seed, steps, step_names[what.kind], what.connection,
                     is_other, result.why);
        }
        done[what.kind] += result.rc == SQLITE_OK;
        undone[what.kind] += (result.rc & 0xff) == SQLITE_ERROR;
    }
    stop_other(&other);
    for (int i = 0; i < CONNECTIONS; i++) {
        vs_test_close(connections[i]);
    }
    print_message("%s: %ld steps, %ld searches, %ld changes; %llu and %llu hits\n", journal_mode,
                  steps, done[STEP_SEARCH], done[STEP_CHANGE],
                  (unsigned long long)(hits[0] - before.hits), (unsigned long long)hits[1]);
    assert_true(done[STEP_SEARCH] > 20 && done[STEP_CHANGE] > 10);
    assert_true(done[STEP_ROLLBACK_TO] > 0 && done[STEP_FEED] > 0);
    assert_true(undone[STEP_FEED] > 0 && undone[STEP_FAIL] > 0);
    assert_true(hits[0] - before.hits >
                (uint64_t)done[STEP_SEARCH] / 2); /* else nothing is shown */
    assert_true(evictions[0] > before.evictions || evictions[1] > 0);
    race_remove(path);
}

static void searches_are_of_their_snapshot_with_a_wal(void **state)
{
    (void)state;
    searches_are_of_their_snapshot("wal");
}

static void searches_are_of_their_snapshot_with_a_rollback_journal(void **state)
{
    (void)state;
    searches_are_of_their_snapshot("delete");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_are_of_their_snapshot_with_a_wal),
        cmocka_unit_test(searches_are_of_their_snapshot_with_a_rollback_journal),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
