/*
 * test_gpu_sql_threads.c - connections on threads of their own search, write, evict and cut the budget
 * of the same tables over one device; every answer is compared within its snapshot.
 *
 * Environment: VS_SQL_SECONDS  how long (default 4)
 */
#define _GNU_SOURCE

#include "sql_fixture.h"

#include <stdio.h>
#include <time.h>

#define THREADS_COUNT 4
#define THREADS_ROWS 1500

typedef struct threads_one {
    const char *path;
    int number;
    time_t end;
    uint64_t random;
    int64_t answers, by_gpu; /* searches; of those, by the GPU */
} threads_one;

static uint32_t threads_pick(threads_one *self, uint32_t n)
{
    return (uint32_t)(vs_test_random(&self->random) >> 20) % n;
}

/* May fail where another writes at the same time. */
static void threads_write(threads_one *self, sqlite3 *db)
{
    uint32_t id = 1 + threads_pick(self, THREADS_ROWS), kind = threads_pick(self, 5);
    char *sql = sqlite3_mprintf(
        kind == 0   ? "DELETE FROM t WHERE id = %u"
        : kind == 1 ? "INSERT OR REPLACE INTO t(id, v, tag) SELECT %u, v, 3 FROM q WHERE id = 2"
        : kind == 2 ? "UPDATE t SET v = (SELECT v FROM q WHERE id = 3) WHERE id BETWEEN %u AND 3000"
                      " AND id %% 301 = 5"
        : kind == 3 ? "UPDATE docs SET v = (SELECT v FROM q WHERE id = 1) WHERE id = %u"
                    : "UPDATE t SET tag = tag + 1 WHERE id = %u",
        id);
    int rc = fixture_step_all(db, sql);
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY) {
        fail_msg("%s: %d: %s", sql, rc, sqlite3_errmsg(db));
    }
    sqlite3_free(sql);
}

static void threads_search(threads_one *self, sqlite3 *db)
{
    static const char *const searches[] = {
        sql_t_search,
        sql_docs_search,
        "SELECT query_no, id, distance FROM vec_search_batch('t', 'v', (SELECT v FROM q WHERE id = "
        "0), 5, '{\"device\":\"@\"}')",
        "SELECT rowid, distance FROM t((SELECT v FROM q WHERE id = 2), 8, '{\"device\":\"@\"}') "
        "WHERE tag < 7",
    };
    vs_test_run(db, "BEGIN");
    for (int i = 0; i < 2; i++) {
        const char *search = searches[threads_pick(self, VS_TEST_COUNT(searches))];
        self->by_gpu += strcmp(sql_same(db, search, "gpu"), "none") == 0;
        self->answers++;
    }
    vs_test_run(db, "COMMIT");
}

static void *threads_main(void *arg)
{
    threads_one *self = arg;
    sqlite3 *db = sql_open(self->path, 0);
    (void)sqlite3_busy_timeout(db, 5000);
    while (time(NULL) < self->end) {
        uint32_t kind = threads_pick(self, 40);
        if (kind == 0) {
            vs_test_run(db, "SELECT vec_gpu_evict('t', 'v'); SELECT vec_gpu_evict('docs', 'v')");
        } else if (kind == 1) {
            vs_test_run(db, "SELECT vec_gpu_load('t', 'v'); SELECT * FROM vec_gpu_cache");
        } else if (kind == 2) {
            vs_test_run(db, "SELECT vec_gpu_evict(NULL); SELECT * FROM vec_devices");
        } else if (kind == 3) {
            vs_test_close(db);
            db = sql_open(self->path, 0);
            (void)sqlite3_busy_timeout(db, 5000);
        } else if (kind == 4) {
            vs_test_run(db, "SELECT vec_config('gpu_budget_mb', 1); SELECT "
                            "vec_config('gpu_budget_mb', 0)");
        } else if (kind < 10) {
            threads_write(self, db);
        } else {
            threads_search(self, db);
        }
    }
    vs_test_close(db);
    return NULL;
}

static void run_threads(vsg_fake *fake)
{
    const char *seconds = getenv("VS_SQL_SECONDS");
    char *path = sqlite3_mprintf("%s", fixture_path("gpu-threads"));
    pthread_t threads[THREADS_COUNT];
    threads_one ones[THREADS_COUNT];
    int64_t answers = 0, by_gpu = 0;
    fixture_remove(path);
    sqlite3 *db = sql_open(path, 0);
    vs_test_run(db, "PRAGMA journal_mode = wal; PRAGMA synchronous = OFF");
    sql_make_both(db, THREADS_ROWS);
    sql_same_warm(db, sql_t_search); /* opening a card takes seconds, and others do without it */
    for (int i = 0; i < THREADS_COUNT; i++) {
        ones[i] = (threads_one){.path = path,
                                .number = i,
                                .end = time(NULL) + (seconds == NULL ? 4 : atoi(seconds)),
                                .random = 77 + (uint64_t)i};
        assert_int_equal(pthread_create(&threads[i], NULL, threads_main, &ones[i]), 0);
    }
    for (int i = 0; i < THREADS_COUNT; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        answers += ones[i].answers;
        by_gpu += ones[i].by_gpu;
    }
    manager_check_books(fake);
    print_message("%d answers, %d by the GPU\n", (int)answers, (int)by_gpu);
    assert_true(by_gpu > answers / 10);
    vs_test_run(db, "INSERT INTO t(t) VALUES ('integrity-check')");
    vs_test_close(db);
    fixture_remove(path);
    sqlite3_free(path);
}

static void threads_share_a_device(void **state)
{
    (void)state;
    sql_scenario(run_threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
