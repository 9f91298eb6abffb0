/*
 * test_index_soak.c - a vecshard table under many threads at once.
 *
 * One thread writes and three read, each with a connection of its own, in WAL: every search is
 * compared with brute force in the same read transaction, while settings of the process change.
 * Twenty connections search one table with worker threads on. Four search a table of which a front
 * plane is learned, and by it, while one writes. A process that has a pool forks, and the child
 * makes its own.
 *
 *   VS_SOAK_SECONDS  time of the first part (default 4)
 *
 * Build it with -fsanitize=thread to look for races (TSAN_OPTIONS="die_after_fork=0 report_thread_leaks=0"); cmocka's
 * asserts are kept on the main thread.
 */
#define _POSIX_C_SOURCE 200809L

#include "../index_race.h"

#include "../search_fixture.h"

#include "pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READERS 3
#define SEARCHERS 20
#define SEARCHES 6       /* of each searcher */
#define BATCH_QUERIES 64 /* enough for a scan on several threads */
#define FRONT_READERS 4
#define FRONT_ROUNDS 2
#define FRONT_SEARCHES 20 /* of each reader and round, and more until one used a front plane */
#define FRONT_SEARCHES_MAX 1000 /* by then one has */
#define CHILD_SECONDS 60        /* a child that takes longer waits for a thread that it has not */

typedef struct worker {
    pthread_t thread;
    const char *path;
    uint64_t random;
    long done;
    char *failed; /* out: what went wrong; sqlite3_free */
} worker;

static atomic_int is_over;
static atomic_int front_readers; /* that have not ended */

/* ---- parts of workers ------------------------------------------------------------------------ */

static sqlite3 *open_file(worker *self)
{
    sqlite3 *db = race_open(self->path);
    if (db == NULL || sqlite3_busy_timeout(db, 20000) != SQLITE_OK ||
        race_run(db, "PRAGMA synchronous = OFF") != SQLITE_OK) {
        self->failed = sqlite3_mprintf("opening fails");
        sqlite3_close(db);
        return NULL;
    }
    return db;
}

/* Keeps the first failure. */
static void note(worker *self, sqlite3 *db, const char *what, int rc)
{
    if (rc != SQLITE_OK && self->failed == NULL) {
        self->failed = sqlite3_mprintf("%s: %d, %s", what, rc, sqlite3_errmsg(db));
    }
}

static void *write_changes(void *data)
{
    worker *self = data;
    sqlite3 *db = open_file(self);
    while (self->failed == NULL && !atomic_load(&is_over)) {
        note(self, db, "BEGIN", race_run(db, "BEGIN IMMEDIATE"));
        for (uint32_t left = 1 + race_pick(&self->random, 4); left > 0; left--) {
            char *change = race_change(&self->random, "t", "rowid");
            note(self, db, change, race_run(db, change));
            sqlite3_free(change);
        }
        if (race_pick(&self->random, 20) == 0) {
            note(self, db, "optimize", race_run(db, "INSERT INTO t(t) VALUES ('optimize')"));
        }
        note(self, db, "the end",
             race_run(db, race_pick(&self->random, 4) > 0 ? "COMMIT" : "ROLLBACK"));
        self->done++;
    }
    sqlite3_close(db);
    return NULL;
}

static void change_settings(worker *self, sqlite3 *db)
{
    static const char *const settings[] = {
        "SELECT vec_config('cache_mb', 512)", "SELECT vec_config('cache_mb', 1)",
        "SELECT vec_config('cache_mb', 0)", "SELECT vec_config('threads', 3)",
        "SELECT vec_config('threads', 1)"};
    const char *sql = settings[race_pick(&self->random, VS_TEST_COUNT(settings))];
    note(self, db, sql, race_run(db, sql));
}

static void *compare_snapshots(void *data)
{
    worker *self = data;
    sqlite3 *db = open_file(self);
    while (self->failed == NULL && !atomic_load(&is_over)) {
        note(self, db, "BEGIN", race_run(db, "BEGIN"));
        for (uint32_t left = 1 + race_pick(&self->random, 4); left > 0; left--) {
            char *why = NULL;
            note(self, db, "search",
                 race_pick(&self->random, 8) > 0
                     ? race_compare(db, &self->random, &why)
                     : race_compare_batch(db, &self->random, BATCH_QUERIES / 4, &why));
            if (why != NULL && self->failed == NULL) {
                self->failed = why;
            }
            self->done++;
        }
        note(self, db, "COMMIT", race_run(db, "COMMIT"));
        if (race_pick(&self->random, 10) == 0) {
            change_settings(self, db);
        }
        if (race_pick(&self->random, 40) == 0) { /* connections come and go */
            sqlite3_close(db);
            db = open_file(self);
        }
    }
    sqlite3_close(db);
    return NULL;
}

static void *search(void *data)
{
    worker *self = data;
    sqlite3 *db = open_file(self);
    while (self->failed == NULL && self->done < SEARCHES) {
        char *why = NULL;
        uint64_t same = 5; /* everyone asks the same, which is known to need several threads */
        note(self, db, "search",
             self->done % 3 > 0 ? race_compare(db, &self->random, &why)
                                : race_compare_batch(db, &same, BATCH_QUERIES, &why));
        self->failed = self->failed == NULL ? why : self->failed;
        self->done++;
    }
    sqlite3_close(db);
    return NULL;
}

/* ---- front planes ---------------------------------------------------------------------------- */

/* A change of 20 rows that leaves the table about as large as it is. */
static char *front_change(uint64_t *random)
{
    unsigned first = 1 + race_pick(random, 20000), seed = race_pick(random, 1 << 20);
    switch (race_pick(random, 3)) {
    case 0:
        return sqlite3_mprintf("UPDATE t SET v = test_near(rowid + %u) WHERE rowid BETWEEN %u AND "
                               "%u",
                               seed, first, first + 20);
    case 1:
        return sqlite3_mprintf("DELETE FROM t WHERE rowid %% 3 = 0 AND rowid BETWEEN %u AND %u",
                               first, first + 20);
    default:
        return sqlite3_mprintf("WITH RECURSIVE c(i) AS (SELECT %u UNION ALL SELECT i + 1 FROM c "
                               "WHERE i < %u) REPLACE INTO t(rowid, v, n) SELECT i, "
                               "test_near(i + %u), i %% 10 FROM c",
                               first, first + 20, seed);
    }
}

static void *front_write(void *data)
{
    worker *self = data;
    sqlite3 *db = open_file(self);
    while (self->failed == NULL && !atomic_load(&is_over)) {
        char *change = front_change(&self->random);
        note(self, db, "BEGIN", race_run(db, "BEGIN IMMEDIATE"));
        note(self, db, change, race_run(db, change));
        note(self, db, "the end",
             race_run(db, race_pick(&self->random, 4) > 0 ? "COMMIT" : "ROLLBACK"));
        sqlite3_free(change);
        self->done++;
    }
    sqlite3_close(db);
    return NULL;
}

static void front_compare(worker *self, sqlite3 *db)
{
    static const char *const filters[] = {"", "", " AND n < 6", " AND n = 1"};
    const char *filter = filters[race_pick(&self->random, VS_TEST_COUNT(filters))];
    unsigned seed = race_pick(&self->random, 1 << 20), k = 1 + race_pick(&self->random, 12);
    char *why = NULL;
    char *found = sqlite3_mprintf(
        "SELECT rowid, distance FROM t WHERE v MATCH test_near(%u) AND k = %u%s", seed, k, filter);
    char *truth = sqlite3_mprintf("SELECT rowid, vec_distance_l2(v, test_near(%u)) AS d FROM t "
                                  "WHERE 1%s ORDER BY d, rowid LIMIT %u",
                                  seed, filter, k);
    note(self, db, "BEGIN", race_run(db, "BEGIN"));
    note(self, db, found, race_compare_sql(db, found, truth, &why));
    note(self, db, "COMMIT", race_run(db, "COMMIT"));
    self->failed = self->failed == NULL ? why : self->failed;
    sqlite3_free(found);
    sqlite3_free(truth);
    self->done++;
}

/* Searches until some have used a front plane. */
static void front_round(worker *self, sqlite3 *db)
{
    const char *count = "SELECT sum(rows_passed_p) FROM vec_stats";
    int64_t before = race_integer(db, count, 0);
    for (int i = 0; self->failed == NULL; i++) {
        front_compare(self, db);
        if (i >= FRONT_SEARCHES && race_integer(db, count, 0) > before) {
            return;
        }
        if (i == FRONT_SEARCHES_MAX && self->failed == NULL) {
            self->failed = sqlite3_mprintf("no search has used a front plane");
        }
    }
}

static void *front_search(void *data)
{
    worker *self = data;
    sqlite3 *db = open_file(self);
    for (int round = 0; round < FRONT_ROUNDS && self->failed == NULL; round++) {
        front_round(self, db);
        /* what was learned goes, while others use it */
        note(self, db, "the cache",
             race_run(db, "SELECT vec_config('cache_mb', 1), vec_config('cache_mb', 512)"));
    }
    if (atomic_fetch_sub(&front_readers, 1) == 1) {
        atomic_store(&is_over, 1);
    }
    sqlite3_close(db);
    return NULL;
}

/* ---- the main thread ------------------------------------------------------------------------- */

static void start(worker *self, int number, const char *path, void *(*body)(void *))
{
    memset(self, 0, sizeof *self);
    self->path = path;
    self->random = (uint64_t)number * 7919 + 11;
    assert_int_equal(pthread_create(&self->thread, NULL, body, self), 0);
}

static long finish(worker *workers, int count)
{
    long done = 0;
    for (int i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        done += workers[i].done;
    }
    for (int i = 0; i < count; i++) {
        if (workers[i].failed != NULL) {
            fail_msg("thread %d, after %ld: %s", i, workers[i].done, workers[i].failed);
        }
    }
    return done;
}

static void fill(sqlite3 *db, int rows)
{
    char *sql = sqlite3_mprintf(
        "CREATE VIRTUAL TABLE t USING vecshard" INDEX_COLUMNS ";"
        "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) "
        "INSERT INTO t(rowid, v, part, n, lang) SELECT i, test_vector(i), i %% 3, i %% 10, 'fr' "
        "FROM c",
        rows);
    vs_test_run(db, sql);
    sqlite3_free(sql);
}

static void make_file(char *path, size_t path_bytes, const char *name, int rows)
{
    sqlite3_snprintf((int)path_bytes, path, "%s", fixture_path(name));
    race_remove(path);
    sqlite3 *db = race_open(path);
    assert_non_null(db);
    vs_test_gives(db, "PRAGMA journal_mode = wal", "wal");
    fill(db, rows);
    vs_test_close(db);
}

static void readers_see_their_snapshot_while_one_writes(void **state)
{
    const char *seconds_text = getenv("VS_SOAK_SECONDS");
    struct timespec time = {seconds_text == NULL ? 4 : strtol(seconds_text, NULL, 10), 0};
    worker workers[1 + READERS];
    char path[300];
    (void)state;
    make_file(path, sizeof path, "soak.db", 500);
    atomic_store(&is_over, 0);
    start(&workers[0], 0, path, write_changes);
    for (int i = 1; i <= READERS; i++) {
        start(&workers[i], i, path, compare_snapshots);
    }
    nanosleep(&time, NULL);
    atomic_store(&is_over, 1);
    long done = finish(workers, 1 + READERS);
    print_message("%ld transactions written, %ld searches\n", workers[0].done,
                  done - workers[0].done);
    assert_true(workers[0].done > 3 && done - workers[0].done > 10);
    race_remove(path);
}

static void twenty_connections_search_with_worker_threads(void **state)
{
    worker workers[SEARCHERS];
    char path[300];
    (void)state;
    make_file(path, sizeof path, "searchers.db", INDEX_ROWID_MAX);
    sqlite3 *db = race_open(path);
    assert_non_null(db);
    vs_test_gives(db, "SELECT vec_config('cache_mb', 512)", "512");
    vs_test_gives(db, "SELECT vec_config('threads', 2)", "2");
    for (int i = 0; i < SEARCHERS; i++) {
        start(&workers[i], i, path, search);
    }
    assert_int_equal(finish(workers, SEARCHERS), SEARCHERS * SEARCHES);
    vs_test_close(db);
    race_remove(path);
}

static void searches_by_a_front_plane_are_right_while_one_writes(void **state)
{
    worker workers[1 + FRONT_READERS];
    char path[300];
    (void)state;
    sqlite3_snprintf((int)sizeof path, path, "%s", fixture_path("front.db"));
    race_remove(path);
    sqlite3 *db = race_open(path);
    assert_non_null(db);
    vs_test_gives(db, "PRAGMA journal_mode = wal", "wal");
    vs_test_gives(db, "SELECT vec_config('cache_mb', 512), vec_config('threads', 2)", "512|2");
    vs_test_run(db, "CREATE VIRTUAL TABLE t USING vecshard(v float[128], n INTEGER);"
                    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < "
                    "20000) INSERT INTO t(rowid, v, n) SELECT i, test_near(i), i % 10 FROM c");
    atomic_store(&is_over, 0);
    atomic_store(&front_readers, FRONT_READERS);
    start(&workers[0], 0, path, front_write);
    for (int i = 1; i <= FRONT_READERS; i++) {
        start(&workers[i], i, path, front_search);
    }
    long done = finish(workers, 1 + FRONT_READERS);
    print_message("%ld transactions written, %ld searches\n", workers[0].done,
                  done - workers[0].done);
    vs_test_gives(db, "PRAGMA integrity_check", "ok");
    vs_test_close(db);
    race_remove(path);
}

/* ---- fork ------------------------------------------------------------------------------------ */

typedef struct meeting {
    atomic_int arrived, may_go;
} meeting;

/* A task whose workers wait for one another, so that it ends only if there are `may_go` of them. */
static void meet(void *arg, int number)
{
    meeting *place = arg;
    (void)number;
    atomic_fetch_add(&place->arrived, 1);
    while (atomic_load(&place->arrived) < atomic_load(&place->may_go)) {
        struct timespec moment = {0, 100000};
        nanosleep(&moment, NULL);
    }
}

static void *keep_pool_busy(void *data)
{
    vs_pool_run(2, meet, data);
    return NULL;
}

/* In the child: the pool has threads, and searches that use it are right. 0: all is well. */
static int child_works(void)
{
    meeting own;
    uint64_t random = 5;
    char *why = NULL;
    (void)alarm(CHILD_SECONDS);
    atomic_init(&own.arrived, 0);
    atomic_init(&own.may_go, 3);
    vs_pool_run(3, meet, &own);
    sqlite3 *db = race_open(":memory:");
    if (db == NULL ||
        race_run(db, "CREATE VIRTUAL TABLE t USING vecshard" INDEX_COLUMNS ";"
                     "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < "
                     "700) INSERT INTO t(rowid, v, part) SELECT i, test_vector(i), 0 FROM c") !=
            SQLITE_OK) {
        return 2;
    }
    for (int i = 0; i < 3; i++) {
        if (race_compare_batch(db, &random, BATCH_QUERIES, &why) != SQLITE_OK || why != NULL ||
            race_compare(db, &random, &why) != SQLITE_OK || why != NULL) {
            return 3;
        }
    }
    return sqlite3_close(db) == SQLITE_OK ? 0 : 4;
}

static void fork_and_wait(void)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(child_works());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_fork_gets_a_pool_of_its_own(void **state)
{
    pthread_t thread;
    meeting place;
    uint64_t random = 5;
    char *why = NULL;
    (void)state;
    sqlite3 *db = race_open(":memory:");
    assert_non_null(db);
    vs_test_gives(db, "SELECT vec_config('threads', 2)", "2");
    fill(db, INDEX_ROWID_MAX);
    assert_int_equal(race_compare_batch(db, &random, BATCH_QUERIES, &why), SQLITE_OK);
    assert_null(why);
    fork_and_wait(); /* the pool sleeps */
    atomic_init(&place.arrived, 0);
    atomic_init(&place.may_go, 3); /* two workers wait for a third */
    assert_int_equal(pthread_create(&thread, NULL, keep_pool_busy, &place), 0);
    while (atomic_load(&place.arrived) < 2) {
        struct timespec moment = {0, 100000};
        nanosleep(&moment, NULL);
    }
    fork_and_wait(); /* the pool works */
    atomic_store(&place.may_go, 2);
    pthread_join(thread, NULL);
    assert_int_equal(race_compare_batch(db, &random, BATCH_QUERIES, &why), SQLITE_OK);
    assert_null(why);
    vs_test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_their_snapshot_while_one_writes),
        cmocka_unit_test(twenty_connections_search_with_worker_threads),
        cmocka_unit_test(searches_by_a_front_plane_are_right_while_one_writes),
        cmocka_unit_test(a_fork_gets_a_pool_of_its_own),
    };
    if (sqlite3_initialize() != SQLITE_OK) { /* by the first of several threads it is a race */
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
