/*
 * test_text_memory.c - without memory, functions of packed texts say so and nothing breaks.
 *
 * Each statement runs again and again on one connection, the n-th allocation failing: that one
 * alone, then that one and all after it, until a run meets no failure. The process's dictionaries
 * are forgotten before each run, so that they are made under failures too.
 */
#include "../text_fixture.h"

#include "../vs_fault.h"

#include "../../ext/dict.h"

static sqlite3 *open_texts(void)
{
    sqlite3 *db = vs_test_open();
    text_fixture_fill(db, "m", 300);
    (void)text_fixture_dict(db, "m");
    vs_test_run(db, "CREATE TABLE p AS SELECT vec_pack_text(meta, (SELECT id FROM vecshard_dict)) "
                    "AS d, vec_pack_text(meta) AS n FROM m LIMIT 20");
    return db;
}

/* Runs the statement in a transaction that is undone; failing from the n-th allocation on. */
static int run_failing(sqlite3 *db, const char *sql, int64_t n, int is_persistent,
                       int64_t *out_failures)
{
    vs_test_run(db, "BEGIN");
    vs_dict_cache_clear();
    vs_fault_arm(n, is_persistent);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    *out_failures = vs_fault_disarm();
    if (!sqlite3_get_autocommit(db)) { /* some failures end the transaction by themselves */
        vs_test_run(db, "ROLLBACK");
    }
    return rc & 0xff;
}

static void fail_each_allocation(const char *sql, int expected)
{
    for (int is_persistent = 0; is_persistent < 2; is_persistent++) {
        int64_t live = vs_fault_live(), failures = 1, n = 0;
        sqlite3 *db = open_texts();
        while (failures > 0) {
            int rc = run_failing(db, sql, ++n, is_persistent, &failures);
            if (rc != expected && (rc != SQLITE_NOMEM || failures == 0)) {
                fail_msg("%s: allocation %lld%s fails: result %d, %s", sql, (long long)n,
                         is_persistent ? " and all after it" : "", rc, sqlite3_errmsg(db));
            }
            vs_test_gives(db, "SELECT count(*) FROM vecshard_dict", "1");
        }
        assert_true(n > 1);
        vs_test_gives(db,
                      "SELECT count(*) FROM p JOIN m ON m.rowid = p.rowid WHERE vec_unpack_text(d) "
                      "= meta AND vec_unpack_text(n) = meta",
                      "20");
        vs_test_close(db);
        if (vs_fault_live() != live) {
            fail_msg("%s: %lld blocks were lost", sql, (long long)(vs_fault_live() - live));
        }
    }
}

static void packing_survives(void **state)
{
    (void)state;
    fail_each_allocation(
        "SELECT vec_pack_text(meta), vec_pack_text(meta, (SELECT id FROM vecshard_dict)) FROM m "
        "LIMIT 3",
        SQLITE_OK);
    fail_each_allocation("SELECT vec_pack_text('x', 40000)", SQLITE_ERROR);
}

static void unpacking_survives(void **state)
{
    (void)state;
    fail_each_allocation("SELECT vec_unpack_text(d), vec_unpack_text(n) FROM p LIMIT 3", SQLITE_OK);
    fail_each_allocation("SELECT vec_unpack_text(x'd1c80100')", SQLITE_ERROR);
}

/* The table is there, and is made by the function itself. */
static void adding_survives(void **state)
{
    (void)state;
    fail_each_allocation("SELECT vec_dict_add(bytes, 'note') FROM vecshard_dict", SQLITE_OK);
    fail_each_allocation("ALTER TABLE vecshard_dict RENAME TO other; SELECT vec_dict_add(bytes) "
                         "FROM other",
                         SQLITE_OK);
}

static void training_survives(void **state)
{
    (void)state;
    fail_each_allocation("SELECT vec_train_dict(meta) FROM m WHERE id <= 40", SQLITE_OK);
    fail_each_allocation("SELECT vec_train_dict(meta) FROM m WHERE id < 5", SQLITE_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing_survives),
        cmocka_unit_test(unpacking_survives),
        cmocka_unit_test(adding_survives),
        cmocka_unit_test(training_survives),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
