/*
 * test_interrupt.c - a search stops soon when it is told to, with SQLITE_INTERRUPT, and the
 * connection goes on working.
 *
 * First with a progress handler that says stop from the n-th time on that it is asked, for every n
 * until the statement runs through; then from another thread, by the clock. 50 ms are promised; the
 * tests fail at 500 ms, so that a busy machine does not fail them.
 */
#define _POSIX_C_SOURCE 200809L

#include "../search_fixture.h"

#include <stdio.h>

#include "../interrupter.h"

#define INTERRUPT_MS_MAX 500.0
#define INTERRUPT_OPCODES 40 /* between two calls of the progress handler */

static long countdown;

static int stop_when_counted_down(void *data)
{
    (void)data;
    return --countdown <= 0;
}

static const char *const statements[] = {
    "SELECT id, distance FROM vec_search('t', 'v', '[1,2,3]', 5)",
    "SELECT count(*) FROM vec_search('t', 'v', '[1,2,3]')",
    "SELECT id FROM vec_search('t', 'v', '[1,2,3]', 5) WHERE id IN (SELECT id FROM t WHERE tag < "
    "5)",
    "SELECT id FROM vec_search('t', 'v', '[1,2,3]', 5, "
    "'{\"metric\":\"dot\",\"index\":\"t_norm\"}')",
    "SELECT id FROM vec_search('t', 'v', '[1,2,3]', 5, '{\"metric\":\"l2\",\"index\":\"t_norm\"}')",
    "SELECT id FROM vec_search('t', 'v', '[1,2,3]', 5, '{\"metric\":\"l2\",\"index\":\"t_tag\"}')",
    "SELECT query_no, id FROM vec_search_batch('t', 'v', '[[1,2,3],[3,2,1]]', 5)",
    "SELECT query_no, id FROM vec_search_batch('t', 'v', '[[1,2,3],[3,2,1]]', 5) WHERE id IN "
    "(SELECT id FROM t WHERE tag < 5) AND distance > 0.5",
    "SELECT vec_norm_selectivity('t', 'v', '[1,2,3]', 0.5)",
    "SELECT sum(s.id) FROM (SELECT v FROM t WHERE id < 5) AS o, vec_search('t', 'v', o.v, 3) AS s",
};

static void the_progress_handler_stops_every_statement_anywhere(void **state)
{
    sqlite3 *db = vs_test_open();
    (void)state;
    fixture_fill(db, "t", 300, 3, FIXTURE_LOG_NORM);
    vs_test_run(
        db, "CREATE INDEX t_norm ON t(vec_norm(v)); CREATE INDEX t_tag ON t(tag) WHERE tag > 2");
    for (size_t i = 0; i < VS_TEST_COUNT(statements); i++) {
        char *expected = NULL;
        int rc = SQLITE_INTERRUPT;
        long n;
        assert_int_equal(vs_test_query(db, statements[i], &expected), SQLITE_OK);
        for (n = 1; rc == SQLITE_INTERRUPT; n++) {
            char *result = NULL;
            countdown = n;
            sqlite3_progress_handler(db, INTERRUPT_OPCODES, stop_when_counted_down, NULL);
            rc = vs_test_query(db, statements[i], &result);
            sqlite3_progress_handler(db, 0, NULL, NULL);
            fixture_nothing_is_open(db);
            if (rc != SQLITE_INTERRUPT && (rc != SQLITE_OK || countdown <= 0)) {
                fail_msg("%s: stopped at call %ld: %d, %s", statements[i], n, rc, result);
            }
            if (rc == SQLITE_OK) {
                assert_string_equal(result, expected);
            }
            sqlite3_free(result);
        }
        assert_true(n > 2); /* it was stopped at least once */
        sqlite3_free(expected);
        fixture_is_usable(db);
    }
    vs_test_close(db);
}

/* The statement, which runs far longer, is interrupted after `after_ms` and stops soon. */
static void stops_soon(sqlite3 *db, const char *sql, double after_ms)
{
    interrupter work;
    interrupter_start(&work, db, after_ms);
    interrupter_end(&work, sql, fixture_step_all(db, sql), INTERRUPT_MS_MAX);
    fixture_nothing_is_open(db);
    fixture_is_usable(db);
}

static void another_thread_stops_searches(void **state)
{
    sqlite3 *db = vs_test_open();
    (void)state;
    fixture_fill(db, "big", 30000, 64, FIXTURE_NORMAL);
    vs_test_run(db, "CREATE TABLE queries AS SELECT group_concat(vec_to_json(v)) AS list FROM "
                    "(SELECT v FROM big LIMIT 2000);"
                    "CREATE TABLE wide(id INTEGER PRIMARY KEY, v);"
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 64)"
                    "INSERT INTO wide SELECT i, zeroblob(4 * 65536) FROM n");
    stops_soon(db, "SELECT count(*) FROM big AS o, vec_search('big', 'v', o.v, 10) AS s", 100.0);
    stops_soon(db, "SELECT count(*) FROM big AS o, vec_search('big', 'v', o.v) AS s", 100.0);
    stops_soon(db,
               "SELECT count(*) FROM big AS o, vec_search('big', 'v', o.v, 10, "
               "'{\"metric\":\"l1\"}') AS s",
               60.0);
    stops_soon(db,
               "SELECT count(*) FROM queries, vec_search_batch('big', 'v', '[' || list || ']', 10, "
               "'{\"metric\":\"l1\"}') AS s",
               200.0);
    stops_soon(db,
               "SELECT count(*) FROM big AS o, vec_search_batch('wide', 'v', zeroblob(4 * 65536 * "
               "200), 10, '{\"metric\":\"l1\"}') AS s",
               150.0);
    vs_test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_progress_handler_stops_every_statement_anywhere),
        cmocka_unit_test(another_thread_stops_searches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
