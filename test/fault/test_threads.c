/*
 * test_threads.c - connections on several threads search at the same time, and each gets its own
 * answers.
 *
 * Build it with -fsanitize=thread to look for races; cmocka's asserts are kept on the main thread.
 */
#include "../search_fixture.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS 60

typedef struct worker {
    int number;
    const char *failed; /* out: the statement with a wrong answer */
} worker;

/* Compares without cmocka, which is for one thread. */
static int gives(sqlite3 *db, const char *sql, const char *expected)
{
    char *result = NULL;
    int is_right = vs_test_query(db, sql, &result) == SQLITE_OK && strcmp(result, expected) == 0;
    sqlite3_free(result);
    return is_right;
}

static void *work(void *data)
{
    static const char *const checks[][2] = {
        {"SELECT id FROM vec_search('t', 'v', '[0,1]', 3)", "1; 2; 3"},
        {"SELECT id FROM vec_search('t', 'v', '[1,0]', 2, "
         "'{\"metric\":\"dot\",\"index\":\"t_norm\"}')",
         "400; 399"},
        {"SELECT count(*) FROM vec_search('t', 'v', '[0,1]')", "400"},
        {"SELECT query_no, id FROM vec_search_batch('t', 'v', '[[0,1],[9,1]]', 1)", "0|1; 1|9"},
        {"SELECT count(*) > 20 FROM vec_kernels", "1"},
        {"SELECT count(*) >= 0 FROM vec_jobs", "1"},
    };
    worker *self = data;
    for (int round = 0; round < ROUNDS / 10 && self->failed == NULL;
         round++) { /* registration races too */
        sqlite3 *db = NULL;
        if (sqlite3_open(":memory:", &db) != SQLITE_OK ||
            sqlite3_vecshard_init(db, NULL, NULL) != SQLITE_OK) {
            self->failed = "opening";
            sqlite3_close(db);
            return NULL;
        }
        sqlite3_exec(
            db,
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE INDEX t_norm ON t(vec_norm(v));"
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)"
            "INSERT INTO t SELECT i, '[' || i || ',1]' FROM n",
            NULL, NULL, NULL);
        for (int i = 0; i < ROUNDS && self->failed == NULL; i++) {
            const char *const *check = checks[(size_t)(i + self->number) % VS_TEST_COUNT(checks)];
            self->failed = gives(db, check[0], check[1]) ? NULL : check[0];
        }
        sqlite3_close(db);
    }
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    pthread_t threads[THREADS];
    worker workers[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++) {
        workers[i].number = i;
        workers[i].failed = NULL;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        if (workers[i].failed != NULL) {
            fail_msg("thread %d: %s", i, workers[i].failed);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_disturb_each_other),
    };
    if (sqlite3_initialize() !=
        SQLITE_OK) { /* by the first of several threads it is a race, which SQLite calls harmless */
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
