/*
 * vs_fault_sql.c - see vs_fault_sql.h.
 *
 * Calls: SQLite.  Called by: tests.  Threads: one.
 */
#include "vs_fault_sql.h"

#include "vs_test.h"

static int64_t fail_countdown; /* calls until the one that fails; 0: not armed, or passed */
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

void vs_fault_sql_register(sqlite3 *db)
{
    assert_int_equal(
        sqlite3_create_function(db, "fail_now", 0, SQLITE_UTF8, NULL, fail_now, NULL, NULL),
        SQLITE_OK);
}

void vs_fault_sql_watch(sqlite3 *db, const char *when, const char *table)
{
    static const char *const events[] = {"INSERT", "UPDATE", "DELETE"};
    for (size_t i = 0; i < VS_TEST_COUNT(events); i++) {
        char *sql = sqlite3_mprintf("CREATE TRIGGER fail_%s_%s_%s %s %s ON %s BEGIN SELECT "
                                    "fail_now(); END",
                                    when, events[i], table, when, events[i], table);
        vs_test_run(db, sql);
        sqlite3_free(sql);
    }
}

void vs_fault_sql_arm(int64_t n, int code)
{
    fail_countdown = n;
    fail_code = code;
}

int vs_fault_sql_disarm(void)
{
    int has_failed = fail_countdown == 0;
    fail_countdown = 0;
    return has_failed;
}

int vs_fault_rolls_back(int rc)
{
    int code = rc & 0xff;
    return code == SQLITE_NOMEM || code == SQLITE_INTERRUPT || code == SQLITE_IOERR ||
           code == SQLITE_FULL;
}
