/*
 * test_text_faults.c - cold texts when memory or the file fails, and when one of their own writes fails
 * with any error code.
 *
 * Each statement runs again and again on the same database while the n-th allocation, the n-th call on
 * the file, or the n-th change of a shadow table fails. What must hold then is in index_fixture.h.
 *
 * Environment: VS_FAULT_STRIDE  tests every n-th failure only (default: the first few, then fewer
 *                               and fewer)
 */
#include "../index_fixture.h"
#include "../text_fixture.h"

#include <stdio.h>

#include "../vs_fault.h"
#include "../vs_fault_io.h"

#define COLD "INSERT INTO u(u, arg) VALUES ('tier', 'cold')"
#define WARM "INSERT INTO u(u, arg) VALUES ('tier', 'warm')"

static const char make_table[] =
    "CREATE VIRTUAL TABLE u USING vecshard(v float[64], p INTEGER PARTITION KEY, +meta TEXT);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30) INSERT INTO "
    "u(rowid, v, p, meta) SELECT i, vec_slice(vec(i), 0, 64), i % 2, iif(i % 9, make_meta(i), "
    "x'd1') "
    "FROM n";

static const index_step changes[] = {
    {NULL, COLD},
    {NULL, "INSERT INTO u(u, arg, p) VALUES ('tier', 'cold', 1)"},
    {COLD, WARM},
    {COLD "; UPDATE u SET meta = meta || '.' WHERE rowid < 9", COLD},
    {COLD, "UPDATE u SET meta = x'd0d1' WHERE rowid IN (3, 4)"},
    {COLD, "UPDATE u SET p = 3 - p, rowid = rowid + 100 WHERE meta LIKE '%e%' AND rowid < 5"},
    {"BEGIN; DELETE FROM u WHERE rowid = 5", COLD},
    {COLD "; BEGIN; DELETE FROM u WHERE rowid = 5", WARM},
};

static const index_step reads[] = {
    {COLD, "SELECT rowid, meta FROM u"},
    {COLD, "SELECT rowid FROM u WHERE meta LIKE '%river%' AND meta > 'a' AND meta <> 12"},
    {COLD, "SELECT rowid FROM u WHERE v MATCH (SELECT v FROM u WHERE rowid = 7) AND k = 3 AND meta "
           "LIKE '%e%'"},
    {COLD, "INSERT INTO u(u) VALUES ('integrity-check')"},
};

/* ---- databases ------------------------------------------------------------------------------- */

static unsigned char *image;
static sqlite3_int64 image_bytes;

static int make_image(void **state)
{
    (void)state;
    sqlite3 *db = index_open(":memory:", NULL);
    text_fixture_function(db);
    vs_test_run(db, make_table);
    image = sqlite3_serialize(db, "main", &image_bytes, 0);
    vs_test_run(db, COLD);
    vs_test_gives(db, "SELECT count(*) FROM u_rows WHERE typeof(c2) = 'blob' AND length(c2) > 9",
                  "27"); /* the dictionary pays */
    index_close(db);
    return image == NULL;
}

static int free_image(void **state)
{
    (void)state;
    sqlite3_free(image);
    return 0;
}

static sqlite3 *open_copy(void)
{
    sqlite3 *db = index_open(":memory:", NULL);
    unsigned char *copy = sqlite3_malloc64((sqlite3_uint64)image_bytes);
    assert_non_null(copy);
    memcpy(copy, image, (size_t)image_bytes);
    assert_int_equal(
        sqlite3_deserialize(db, "main", copy, image_bytes, image_bytes,
                            SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE),
        SQLITE_OK);
    vs_test_run(db, "SELECT rowid FROM u WHERE rowid = 1");
    return db;
}

static const char *file_name(void)
{
    return fixture_path("test_text_faults.db");
}

static void remove_file(void)
{
    char journal[300];
    sqlite3_snprintf((int)sizeof journal, journal, "%s-journal", file_name());
    remove(file_name());
    remove(journal);
}

static sqlite3 *open_file(void)
{
    remove_file();
    FILE *file = fopen(file_name(), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(image, 1, (size_t)image_bytes, file), image_bytes);
    assert_int_equal(fclose(file), 0);
    sqlite3 *db = index_open(file_name(), "failing");
    vs_test_run(db,
                "PRAGMA cache_size = 4; PRAGMA cache_spill = 1; SELECT rowid FROM u WHERE rowid "
                "= 1");
    return db;
}

static void file_holds(uint64_t state)
{
    sqlite3 *db = index_open(file_name(), NULL);
    if (index_state(db) != state) {
        fail_msg("the file, opened again, holds something else");
    }
    index_close(db);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void arm_one(sqlite3 *db, int64_t n)
{
    (void)db;
    vs_fault_arm(n, 0);
}

static void arm_all(sqlite3 *db, int64_t n)
{
    (void)db;
    vs_fault_arm(n, 1);
}

static int64_t disarm(sqlite3 *db)
{
    (void)db;
    return vs_fault_disarm();
}

static int is_no_memory(int rc)
{
    return rc == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM;
}

static void texts_survive_without_memory(void **state)
{
    static const index_fault one = {
        .name = "allocation",
        .open = open_copy,
        .arm = arm_one,
        .disarm = disarm,
        .is_allowed = is_no_memory,
        .is_final = is_no_memory,
        .stride = 1,
        .growth = 10,
    };
    static const index_fault all = {
        .name = "every allocation from number",
        .open = open_copy,
        .arm = arm_all,
        .disarm = disarm,
        .is_allowed = is_no_memory,
        .is_final = is_no_memory,
        .stride = 7,
        .growth = 2,
    };
    (void)state;
    index_fail_each(&one, changes, VS_TEST_COUNT(changes), 0);
    index_fail_each(&all, changes, VS_TEST_COUNT(changes), 0);
    index_fail_each(&one, reads, VS_TEST_COUNT(reads), 0);
    index_fail_each(&all, reads, VS_TEST_COUNT(reads), 0);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void arm_call(sqlite3 *db, int64_t n)
{
    (void)db;
    vs_fault_io_arm((long)n, VS_FAULT_ANY_CALL, 0, 0);
}

static void arm_full(sqlite3 *db, int64_t n)
{
    (void)db;
    vs_fault_io_arm((long)n, VS_FAULT_WRITE, SQLITE_FULL, 1);
}

static int64_t disarm_calls(sqlite3 *db)
{
    (void)db;
    return vs_fault_io_disarm();
}

static int is_io_error(int rc)
{
    return (rc & 0xff) == SQLITE_IOERR;
}

static int is_full(int rc)
{
    return rc == SQLITE_FULL;
}

static void texts_survive_a_failing_file(void **state)
{
    static const index_fault one = {
        .name = "call",
        .open = open_file,
        .arm = arm_call,
        .disarm = disarm_calls,
        .is_allowed = is_io_error,
        .is_final = is_io_error,
        .closed = file_holds,
        .stride = 1,
        .growth = 2,
    };
    static const index_fault full = {
        .name = "every write from number",
        .open = open_file,
        .arm = arm_full,
        .disarm = disarm_calls,
        .is_allowed = is_full,
        .is_final = is_full,
        .closed = file_holds,
        .stride = 3,
        .growth = 1,
    };
    (void)state;
    index_fail_each(&one, changes, VS_TEST_COUNT(changes), 0);
    index_fail_each(&full, changes, VS_TEST_COUNT(changes), 0);
    index_fail_each(&one, reads, VS_TEST_COUNT(reads), 0);
    remove_file();
}

/* ---- error codes ----------------------------------------------------------------------------- */

static int64_t fail_countdown;
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

static sqlite3 *open_with_triggers(void)
{
    sqlite3 *db = open_copy();
    assert_int_equal(
        sqlite3_create_function(db, "fail_now", 0, SQLITE_UTF8, NULL, fail_now, NULL, NULL),
        SQLITE_OK);
    vs_test_run(
        db,
        "CREATE TRIGGER f1 AFTER UPDATE ON u_rows BEGIN SELECT fail_now(); END; CREATE TRIGGER "
        "f2 AFTER INSERT ON u_info BEGIN SELECT fail_now(); END; CREATE TRIGGER f3 AFTER DELETE "
        "ON u_info BEGIN SELECT fail_now(); END; SELECT rowid FROM u WHERE rowid = 1");
    return db;
}

static void arm_code(sqlite3 *db, int64_t n)
{
    static const int codes[] = {SQLITE_ERROR,  SQLITE_BUSY,     SQLITE_CONSTRAINT,
                                SQLITE_TOOBIG, SQLITE_READONLY, SQLITE_MISMATCH,
                                SQLITE_NOMEM,  SQLITE_IOERR,    SQLITE_INTERRUPT};
    static size_t turn;
    (void)db;
    fail_code = codes[turn++ % VS_TEST_COUNT(codes)];
    fail_countdown = n;
}

static int64_t disarm_code(sqlite3 *db)
{
    int has_failed = fail_countdown == 0;
    (void)db;
    fail_countdown = 0;
    return has_failed;
}

static int is_the_code(int rc)
{
    return (rc & 0xff) == fail_code || (rc & 0xff) == SQLITE_IOERR;
}

static int rolls_back(int rc)
{
    int code = rc & 0xff;
    return code == SQLITE_NOMEM || code == SQLITE_INTERRUPT || code == SQLITE_IOERR;
}

static void no_error_leaves_half_a_tier(void **state)
{
    static const index_fault any = {
        .name = "change",
        .open = open_with_triggers,
        .arm = arm_code,
        .disarm = disarm_code,
        .is_allowed = is_the_code,
        .is_final = rolls_back,
        .stride = 1,
        .growth = 8,
    };
    (void)state;
    index_fail_each(&any, changes, VS_TEST_COUNT(changes), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_survive_without_memory),
        cmocka_unit_test(texts_survive_a_failing_file),
        cmocka_unit_test(no_error_leaves_half_a_tier),
    };
    vs_fault_install();
    vs_fault_io_register();
    return cmocka_run_group_tests(tests, make_image, free_image);
}
