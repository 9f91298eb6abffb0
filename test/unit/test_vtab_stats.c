/*
 * test_vtab_stats.c - vec_kernels, vec_stats and vec_jobs: snapshots as rows.
 */
#include "../vs_test.h"

#include "../vs_fault.h"

#include "../../ext/vtab_stats.h"

/* A connection whose context this test holds too. */
static sqlite3 *db;
static vs_conn *conn;

static int open_db(void **state)
{
    (void)state;
    vsk_init(NULL);
    if (sqlite3_open(":memory:", &db) != SQLITE_OK) {
        return 1;
    }
    conn = vs_conn_new(db);
    return vs_vtab_stats_register(conn);
}

static int close_db(void **state)
{
    (void)state;
    vs_test_close(db);
    vs_conn_unref(conn);
    return 0;
}

static void the_kernels_in_use_are_rows(void **state)
{
    vsk_kernel_info info;
    int count = 0;
    char text[16];
    (void)state;
    while (vsk_kernel_at((size_t)count, &info)) {
        count++;
    }
    sqlite3_snprintf(sizeof text, text, "%d", count);
    vs_test_gives(db, "SELECT count(*) FROM vec_kernels", text);
    vs_test_gives(
        db,
        "SELECT count(*) > 0 FROM vec_kernels WHERE operation = 'dot' AND element_type = 'float32'",
        "1");
    vs_test_gives(db,
                  "SELECT count(*) FROM vec_kernels WHERE operation IS NULL OR element_type IS "
                  "NULL OR level IS NULL",
                  "0");
    vs_test_gives(db, "SELECT min(rowid), max(rowid) = count(*) FROM vec_kernels", "1|1");
}

static void counters_are_rows(void **state)
{
    const vs_counters counters = {.calls = 1,
                                  .rows_read = 1000,
                                  .rows_finished = 30,
                                  .rows_skipped = 2,
                                  .rows_returned = 10,
                                  .fallbacks = 1,
                                  .time_ns = 2500000};
    (void)state;
    vs_test_gives(db, "SELECT count(*) FROM vec_stats", "0");
    vs_metrics_add(&conn->metrics, "docs.embedding", "vec_search", "pass", &counters);
    vs_metrics_add(&conn->metrics, "docs.embedding", "vec_search", "norm index", &counters);
    vs_metrics_add(&conn->metrics, "docs.embedding", "vec_search", "pass", &counters);
    vs_test_gives(
        db, "SELECT * FROM vec_stats",
        "docs.embedding|vec_search|pass|2|2000|60|4|20|2|5.0|0|0|0|0|0|0|0|0|0|0|0|0|NULL; "
        "docs.embedding|vec_search|norm index|1|1000|30|2|10|1|2.5|0|0|0|0|0|0|0|0|0|0|0|0|"
        "NULL");
    vs_test_gives(db, "SELECT name FROM pragma_table_info('vec_stats')",
                  "target; operation; strategy; calls; rows_read; rows_finished; rows_skipped; "
                  "rows_returned; fallbacks; time_ms; rows_scanned; rows_passed_p; rows_passed_b; "
                  "rows_passed_c; gpu_queries; gpu_fallbacks; gpu_fallbacks_budget; "
                  "gpu_fallbacks_stale; gpu_fallbacks_txn; gpu_fallbacks_error; gpu_upload_bytes; "
                  "gpu_us; survivors_per_query");
}

static void a_scan_is_a_snapshot(void **state)
{
    const vs_counters counters = {.calls = 1};
    sqlite3_stmt *stmt = NULL;
    int rows = 0;
    (void)state;
    sqlite3_prepare_v2(db, "SELECT target, calls FROM vec_stats", -1, &stmt, NULL);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        char target[32];
        assert_int_equal(strcmp((const char *)sqlite3_column_text(stmt, 0), "docs.embedding"), 0);
        sqlite3_snprintf(sizeof target, target, "new%d.v", rows++);
        for (int i = 0; i < 50; i++) {
            vs_metrics_add(&conn->metrics, target, "vec_search", i % 2 ? "a" : "b", &counters);
        }
    }
    sqlite3_finalize(stmt);
    assert_int_equal(rows, 2);
}

static void running_jobs_are_rows_for_every_connection(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT count(*) FROM vec_jobs", "0");
    int slot = vs_job_begin("build", "docs.embedding", "reading", 100);
    vs_test_gives(db, "SELECT name, target, phase, done, total, rate, eta FROM vec_jobs",
                  "build|docs.embedding|reading|0|100|NULL|NULL");
    vs_job_progress(slot, 50);
    vs_test_gives(
        db, "SELECT done, total, rate > 0, eta >= 0, abs(rate * eta - 50) < 1e-6 FROM vec_jobs",
        "50|100|1|1|1");
    vs_job_end(slot);
    slot = vs_job_begin("build", "docs.embedding", "reading", 0);
    vs_job_progress(slot, 50);
    vs_test_gives(db, "SELECT done, total, rate > 0, eta FROM vec_jobs", "50|NULL|1|NULL");
    vs_job_end(slot);
    vs_test_gives(db, "SELECT count(*) FROM vec_jobs", "0");
}

static void the_tables_cannot_be_changed_or_created(void **state)
{
    (void)state;
    vs_test_fails(db, "DELETE FROM vec_stats", "table vec_stats may not be modified");
    vs_test_fails(db, "CREATE VIRTUAL TABLE x USING vec_jobs", "no such module: vec_jobs");
}

static void every_failed_allocation_is_nomem_and_leaks_nothing(void **state)
{
    static const char *const queries[] = {"SELECT count(*) FROM vec_kernels",
                                          "SELECT count(*) FROM vec_stats",
                                          "SELECT count(*) FROM vec_jobs"};
    (void)state;
    close_db(NULL);
    int64_t live = vs_fault_live();
    for (size_t i = 0; i < VS_TEST_COUNT(queries); i++) {
        for (int n = 1, failed = 1; failed; n++) {
            char *result = NULL;
            assert_int_equal(open_db(NULL), SQLITE_OK);
            vs_metrics_add(&conn->metrics, "t.v", "vec_search", "pass", &(vs_counters){.calls = 1});
            vs_fault_arm(n, n % 2);
            int rc = vs_test_query(db, queries[i], &result);
            failed = vs_fault_disarm() > 0;
            assert_true(rc == SQLITE_NOMEM || rc == SQLITE_OK);
            sqlite3_free(result);
            close_db(NULL);
            assert_int_equal(vs_fault_live(), live);
        }
    }
    open_db(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernels_in_use_are_rows),
        cmocka_unit_test(counters_are_rows),
        cmocka_unit_test(a_scan_is_a_snapshot),
        cmocka_unit_test(running_jobs_are_rows_for_every_connection),
        cmocka_unit_test(the_tables_cannot_be_changed_or_created),
        cmocka_unit_test(every_failed_allocation_is_nomem_and_leaks_nothing),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, open_db, close_db);
}
