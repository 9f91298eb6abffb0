/*
 * test_gpu_sql_memory.c - when SQLite's memory ends while the GPU is used: the right answer or
 * SQLITE_NOMEM, no block lost, and no image that answers later for what it does not hold.
 *
 * Environment: VS_FAULT_STRIDE  tests every n-th allocation only
 */
#include "sql_fixture.h"

#include <stdio.h>

#include "../vs_fault.h"

#define MEMORY_ROWS 40

typedef struct memory_case {
    const char *before; /* what makes the state that the statement meets */
    const char *sql;
    int is_search; /* its rows are those of the CPU */
} memory_case;

#define MEMORY_EVICT "SELECT vec_gpu_evict(NULL)"
#define MEMORY_LOAD "SELECT vec_gpu_load('docs', 'v', 'f16'); SELECT vec_gpu_load('t', 'v', 'int8')"
#define MEMORY_BATCH(table)                                                                        \
    "SELECT query_no, id, distance FROM vec_search_batch('" table                                  \
    "', 'v', (SELECT v FROM q WHERE id = 0), 4, '{\"device\":\"@\"}')"

static const memory_case memory_cases[] = {
    {MEMORY_EVICT, sql_docs_search, 1}, /* fills */
    {MEMORY_EVICT, sql_t_search, 1},
    {MEMORY_LOAD, sql_docs_search, 1}, /* the GPU answers */
    {MEMORY_LOAD, sql_t_search, 1},
    {MEMORY_LOAD, MEMORY_BATCH("docs"), 1},
    {MEMORY_LOAD, MEMORY_BATCH("t"), 1},
    {MEMORY_LOAD,
     "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 2), 9, "
     "'{\"device\":\"@\"}') WHERE id IN (SELECT id FROM docs WHERE tag < 9)",
     1},
    {MEMORY_LOAD,
     "SELECT rowid, distance FROM t((SELECT v FROM q WHERE id = 2), 9, '{\"device\":\"@\"}') WHERE "
     "tag IN (1, 2, 3)",
     1},
    {MEMORY_LOAD "; UPDATE t SET v = (SELECT v FROM q WHERE id = 3) WHERE id = 9", sql_t_search,
     1}, /* a cell is sent again */
    {MEMORY_EVICT, "SELECT vec_gpu_load('docs', 'v', 'f32') > 0", 0},
    {MEMORY_EVICT, "SELECT vec_gpu_load('t') > 0", 0},
    {MEMORY_LOAD, "SELECT vec_gpu_evict('docs', 'v') > 0", 0},
    {MEMORY_LOAD, "SELECT vec_gpu_evict('t') > 0", 0},
    {MEMORY_LOAD, "SELECT device, name, state FROM vec_devices", 0},
    {MEMORY_LOAD, "SELECT \"table\", segment, precision, state FROM vec_gpu_cache", 0},
    {MEMORY_LOAD, "SELECT vec_device(), length(vec_device('json')) > 0", 0},
    {MEMORY_LOAD, "SELECT vec_config('gpu', 'prefer'), vec_config('gpu_precision', 'f16')", 0},
};

static const memory_case *memory_now;
static int memory_is_persistent, memory_growth;

/* One run with the n-th allocation failing. Returns how many failed. */
static int64_t memory_run_once(sqlite3 *db, int64_t n, const char *expected)
{
    char *sql = sql_on(memory_now->sql, "gpu"), *found = NULL;
    vs_test_run(db, memory_now->before);
    vs_fault_arm(n, memory_is_persistent);
    int rc = sql_rows(db, sql, &found);
    int64_t failures = vs_fault_disarm();
    if (rc != SQLITE_OK && (rc != SQLITE_NOMEM || failures == 0)) {
        fail_msg("%s: allocation %d fails: %d, %s", sql, (int)n, rc, sqlite3_errmsg(db));
    }
    int is_same = strcmp(expected == NULL ? "" : expected, found == NULL ? "" : found) == 0;
    if (rc == SQLITE_OK && found != NULL && memory_now->is_search && !is_same) {
        fail_msg("%s: allocation %d fails: other rows\n%s\nnot\n%s", sql, (int)n, found, expected);
    }
    sqlite3_free(found);
    sqlite3_free(sql);
    /* what was left half done never answers */
    (void)sql_same(db, sql_docs_search, "gpu");
    (void)sql_same(db, sql_t_search, "gpu");
    return failures;
}

static void memory_fail_each(vsg_fake *fake)
{
    const char *stride = getenv("VS_FAULT_STRIDE");
    char *expected = NULL;
    vs_fault_install();
    sqlite3 *db = sql_open(NULL, 0);
    sql_make_both(db, MEMORY_ROWS);
    vs_test_run(db, memory_now->before);
    char *sql = sql_on(memory_now->sql, "cpu");
    int64_t step = stride == NULL ? 1 : strtoll(stride, NULL, 10);
    assert_int_equal(sql_rows(db, sql, &expected), SQLITE_OK);
    for (int64_t n = 1; memory_run_once(db, n, expected) > 0; n += step + n / memory_growth) {
        manager_check_books(fake);
    }
    sql_same_warm(db, sql_docs_search);
    sql_same_warm(db, sql_t_search);
    sqlite3_free(expected);
    sqlite3_free(sql);
    vs_test_close(db);
    assert_int_equal(vs_fault_live(), 0);
}

static void memory_fail_all(int is_persistent)
{
    memory_is_persistent = is_persistent;
    memory_growth = is_persistent ? 6 : 24; /* the next n is n + 1 + n / growth */
    for (size_t i = 0; i < VS_TEST_COUNT(memory_cases); i++) {
        memory_now = &memory_cases[i];
        sql_scenario(memory_fail_each);
    }
}

static void one_failed_allocation_leaves_no_wrong_answer(void **state)
{
    (void)state;
    memory_fail_all(0);
}

static void memory_that_ends_leaves_no_wrong_answer(void **state)
{
    (void)state;
    memory_fail_all(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_failed_allocation_leaves_no_wrong_answer),
        cmocka_unit_test(memory_that_ends_leaves_no_wrong_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
