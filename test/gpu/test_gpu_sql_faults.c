/*
 * test_gpu_sql_faults.c - whatever fails on the device, searches give what the CPU gives, and a search
 * that waits for a device can be interrupted.
 */
#define _GNU_SOURCE

#include "sql_fixture.h"

#include <stdio.h>
#include <time.h>

#include "../../ext/cache.h"

#define FAULTS_ROWS 400
#define FAULTS_MIB ((unsigned long long)1 << 20)

static const char *const faults_searches[] = {
    sql_docs_search,
    sql_t_search,
    "SELECT query_no, id, distance FROM vec_search_batch('docs', 'v', (SELECT v FROM q WHERE id = "
    "0), 5, '{\"device\":\"@\"}')",
    "SELECT query_no, id, distance FROM vec_search_batch('t', 'v', (SELECT v FROM q WHERE id = 0), "
    "5, '{\"device\":\"@\",\"metric\":\"dot\"}')",
    "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 2), NULL, "
    "'{\"device\":\"@\",\"metric\":\"cosine\"}') WHERE distance < 1.1 LIMIT 90",
    "SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM q WHERE id = 2) AND options = "
    "'{\"device\":\"@\"}' AND tag > 3 ORDER BY t.distance LIMIT 90",
};

/* What users do, with every answer compared. */
static void use_it(sqlite3 *db, const vsg_fake *fake)
{
    for (int i = 0; i < 3; i++) {
        for (size_t j = 0; j < VS_TEST_COUNT(faults_searches); j++) {
            (void)sql_same(db, faults_searches[j], "gpu");
            manager_check_books(fake);
        }
        sql_run(db, "UPDATE docs SET v = (SELECT v FROM q WHERE id = 3) WHERE id = %d", 5 + i);
        sql_run(db, "UPDATE t SET v = (SELECT v FROM q WHERE id = 3) WHERE id = %d", 5 + i);
    }
    vs_test_run(db,
                "SELECT vec_gpu_load('docs', 'v', 'int8'); SELECT vec_gpu_load('t', 'v', 'f32');"
                "SELECT * FROM vec_devices; SELECT vec_device(), vec_device('json')");
    for (size_t j = 0; j < VS_TEST_COUNT(faults_searches); j++) {
        (void)sql_same(db, faults_searches[j], "gpu");
    }
    manager_check_books(fake);
    vs_test_run(db, "SELECT * FROM vec_gpu_cache; SELECT vec_gpu_evict('docs', 'v');"
                    "SELECT vec_gpu_evict(NULL)");
    (void)sql_same(db, sql_docs_search, "gpu");
    manager_check_books(fake);
}

/* ---- faults ------------------------------------------------------------------------------------- */

typedef struct faults_case {
    const char *name;
    size_t at;      /* of the switch in vsg_fake */
    unsigned last;  /* the switch is 1 .. last */
    int is_big;     /* it is a number of bytes: MiB */
    int value_step; /* between two values */
} faults_case;

static const faults_case faults_cases[] = {
    {"allocation", offsetof(vsg_fake, fail_allocation), 12, 0, 1},
    {"allocations", offsetof(vsg_fake, fail_allocations), 8, 0, 1},
    {"pin", offsetof(vsg_fake, fail_pin), 8, 0, 1},
    {"pins", offsetof(vsg_fake, fail_pins), 6, 0, 1},
    {"launch", offsetof(vsg_fake, die_at_launch), 60, 0, 5},
    {"query", offsetof(vsg_fake, die_at_query), 120, 0, 9},
    {"hang", offsetof(vsg_fake, hang_at_scan), 12, 0, 3},
    {"memory that shrinks", offsetof(vsg_fake, shrink_bytes), 1024, 1, 300},
    {"no driver", offsetof(vsg_fake, has_no_driver), 1, 0, 1},
    {"no device", offsetof(vsg_fake, has_no_device), 1, 0, 1},
    {"another version", offsetof(vsg_fake, has_wrong_abi), 1, 0, 1},
    {"opening", offsetof(vsg_fake, opening_fails), VSG_DEAD, 0, 1},
    {"memory of others", offsetof(vsg_fake, others_bytes), 8192, 1, 2000},
};
static const faults_case *faults_now;
static unsigned faults_value;

static void faults_set(vsg_fake *fake)
{
    void *at = (char *)fake + faults_now->at;
    if (faults_now->is_big) {
        atomic_store((atomic_ullong *)at, faults_value * FAULTS_MIB);
    } else {
        atomic_store((atomic_uint *)at, faults_value);
    }
}

static void fail_once(vsg_fake *fake)
{
    sqlite3 *db = sql_open(NULL, 0);
    atomic_store(&vs_gpu_deadline_us, 20000);
    sql_make_both(db, FAULTS_ROWS);
    faults_set(fake);
    use_it(db, fake);
    vs_test_close(db);
}

static void every_failure_of_the_device_leaves_the_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(faults_cases); i++) {
        faults_now = &faults_cases[i];
        for (faults_value = 1; faults_value <= faults_now->last;
             faults_value += (unsigned)faults_now->value_step) {
            sql_scenario(fail_once);
        }
    }
}

/* It comes back where it can: memory that was short, once. */
static void fail_and_come_back(vsg_fake *fake)
{
    sqlite3 *db = sql_open(NULL, 0);
    sql_make_both(db, FAULTS_ROWS);
    sql_same_warm(db, sql_docs_search);
    sql_same_warm(db, sql_t_search);
    vs_test_run(db, "SELECT vec_gpu_evict(NULL)");
    atomic_store(&fake->fail_allocations, atomic_load(&fake->allocations) + 1);
    for (int i = 0; i < 3; i++) {
        assert_string_not_equal(sql_same(db, sql_docs_search, "gpu"), "none");
        assert_string_not_equal(sql_same(db, sql_t_search, "gpu"), "none");
    }
    assert_true(sql_stat(db, "gpu_fallbacks_budget") > 0);
    atomic_store(&fake->fail_allocations, 0);
    manager_step_clock(61);
    sql_same_warm(db, sql_docs_search);
    sql_same_warm(db, sql_t_search);
    vs_test_close(db);
}

static void after_a_shortage_the_device_answers_again(void **state)
{
    (void)state;
    sql_scenario(fail_and_come_back);
}

/* A budget below what the tables take. */
static void have_little_room(vsg_fake *fake)
{
    sqlite3 *db = sql_open(NULL, 0);
    manager_use_small_card(fake, 2);
    sql_make_both(db, 3000);
    vs_test_run(db, "SELECT vec_config('gpu_precision', 'f32')");
    for (int i = 0; i < 3; i++) {
        for (int mb = 16; mb < 40; mb += 5) {
            sql_run(db, "SELECT vec_config('gpu_budget_mb', %d)", mb);
            (void)sql_same(db, sql_docs_search, "gpu");
            (void)sql_same(db, sql_t_search, "gpu");
            manager_check_books(fake);
        }
    }
    vs_test_close(db);
}

static void a_budget_is_never_exceeded(void **state)
{
    (void)state;
    sql_scenario(have_little_room);
}

typedef struct faults_cut {
    sqlite3 *other;
    int countdown; /* calls until the budget is cut */
} faults_cut;

/* Called by SQLite while a table is loaded: the budget shrinks, once, and is as before. */
static int faults_cut_budget(void *arg)
{
    faults_cut *self = arg;
    if (--self->countdown == 0) {
        vs_test_run(self->other, "SELECT vec_config('gpu_budget_mb', 1);"
                                 "SELECT vec_config('gpu_budget_mb', 0)");
    }
    return 0;
}

/* What a budget takes from a table that is being sent is not taken for sent when it has grown again. */
static void cut_while_loading(vsg_fake *fake)
{
    sqlite3 *db = sql_open(NULL, 0), *other = sql_open(NULL, 0);
    int countdown = 0;
    sql_make_both(db, 3000);
    for (int n = 1; countdown <= 0; n += 1 + n / 8) {
        faults_cut cut = {other, n};
        vs_test_run(db, "SELECT vec_gpu_load('t', 'v'), vec_gpu_load('docs', 'v');"
                        "UPDATE t SET v = (SELECT v FROM q WHERE id = 3) WHERE id % 700 = 1");
        vs_cache_clear();
        sqlite3_progress_handler(db, 1, faults_cut_budget, &cut);
        vs_test_run(db, "SELECT vec_gpu_load('t', 'v')");
        sqlite3_progress_handler(db, 0, NULL, NULL);
        countdown = cut.countdown;
        for (int i = 0; i < 3; i++) {
            (void)sql_same(db, sql_t_search, "gpu");
            (void)sql_same(db, sql_docs_search, "gpu");
        }
        manager_check_books(fake);
    }
    vs_test_close(db);
    vs_test_close(other);
}

static void a_budget_that_shrinks_while_a_table_is_sent(void **state)
{
    (void)state;
    sql_scenario(cut_while_loading);
}

/* ---- interrupts --------------------------------------------------------------------------------- */

static double faults_now_ms(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

typedef struct faults_interrupt {
    sqlite3 *db;
    double at_ms;
} faults_interrupt;

static void *faults_interrupt_soon(void *arg)
{
    const struct timespec time = {0, 40000000};
    faults_interrupt *self = arg;
    (void)nanosleep(&time, NULL);
    self->at_ms = faults_now_ms();
    sqlite3_interrupt(self->db);
    return NULL;
}

static void interrupt_each(vsg_fake *fake)
{
    sqlite3 *db = sql_open(NULL, 0);
    sql_make_both(db, FAULTS_ROWS);
    for (size_t i = 0; i < VS_TEST_COUNT(faults_searches); i++) {
        char *sql = sql_on(faults_searches[i], "gpu"), *words = NULL;
        faults_interrupt interrupt = {db, 0.0};
        pthread_t thread;
        sql_same_warm(db, faults_searches[i]);
        atomic_store(&fake->hang_at_scan, atomic_load(&fake->scans) + 1);
        assert_int_equal(pthread_create(&thread, NULL, faults_interrupt_soon, &interrupt), 0);
        int rc = sql_rows(db, sql, &words);
        double late_ms = faults_now_ms() - interrupt.at_ms;
        assert_int_equal(pthread_join(thread, NULL), 0);
        if (rc != SQLITE_INTERRUPT || late_ms > 50.0) {
            fail_msg("%s: %d after %.1f ms", sql, rc, late_ms);
        }
        assert_string_equal(words, "interrupted");
        (void)sql_same(db, sql_docs_search, "gpu"); /* also while the device still hangs */
        atomic_store(&fake->hang_at_scan, 0);
        sql_same_warm(db, faults_searches[i]);
        manager_check_books(fake);
        sqlite3_free(words);
        sqlite3_free(sql);
    }
    assert_int_equal((int)manager_state(), VS_GPU_OPEN);
    vs_test_close(db);
}

static void a_search_that_waits_is_interrupted_at_once(void **state)
{
    (void)state;
    sql_scenario(interrupt_each);
}

/* A connection that closes, and tables that are evicted, while the device is still at work. */
static void close_while_it_hangs(vsg_fake *fake)
{
    char *sql = sql_on(sql_docs_search, "gpu"), *words = NULL;
    sqlite3 *db = sql_open(NULL, 0), *other = sql_open(NULL, 0);
    faults_interrupt interrupt = {db, 0.0};
    pthread_t thread;
    sql_make_both(db, FAULTS_ROWS);
    sql_same_warm(db, sql_docs_search);
    atomic_store(&fake->hang_at_scan, atomic_load(&fake->scans) + 1);
    assert_int_equal(pthread_create(&thread, NULL, faults_interrupt_soon, &interrupt), 0);
    assert_int_equal(sql_rows(db, sql, &words), SQLITE_INTERRUPT);
    assert_int_equal(pthread_join(thread, NULL), 0);
    vs_test_run(db, "SELECT vec_gpu_evict('docs', 'v')");
    vs_test_close(db);
    sqlite3_free(words);
    sqlite3_free(sql);
    atomic_store(&fake->hang_at_scan, 0);
    vs_test_close(other);
}

static void a_connection_closes_while_the_device_works(void **state)
{
    (void)state;
    sql_scenario(close_while_it_hangs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failure_of_the_device_leaves_the_answers),
        cmocka_unit_test(after_a_shortage_the_device_answers_again),
        cmocka_unit_test(a_budget_is_never_exceeded),
        cmocka_unit_test(a_budget_that_shrinks_while_a_table_is_sent),
        cmocka_unit_test(a_search_that_waits_is_interrupted_at_once),
        cmocka_unit_test(a_connection_closes_while_the_device_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
