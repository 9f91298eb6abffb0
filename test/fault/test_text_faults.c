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
#include "../index_faults.h"
#include "../text_fixture.h"

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

static sqlite3 *image;

static int make_image(void **state)
{
    (void)state;
    image = index_open(":memory:", NULL);
    text_fixture_function(image);
    vs_test_run(image, make_table);
    vs_test_run(image, "BEGIN; " COLD);
    vs_test_gives(image, "SELECT count(*) FROM u_rows WHERE typeof(c2) = 'blob' AND length(c2) > 9",
                  "27"); /* the dictionary pays */
    vs_test_run(image, "ROLLBACK");
    return 0;
}

static int free_image(void **state)
{
    (void)state;
    index_close(image);
    return 0;
}

/* Uses the table once, so that what comes next does not begin with reading the schema. */
static sqlite3 *warm(sqlite3 *db)
{
    vs_test_run(db, "SELECT rowid FROM u WHERE rowid = 1");
    return db;
}

static sqlite3 *open_copy(void)
{
    return warm(index_open_copy(image));
}

static sqlite3 *open_file(void)
{
    return warm(index_open_file(image));
}

static sqlite3 *open_watched(void)
{
    static const char *const tables[] = {"u_rows", "u_info"};
    sqlite3 *db = open_copy();
    index_watch(db, tables, VS_TEST_COUNT(tables));
    return warm(db);
}

/* ---- what fails ------------------------------------------------------------------------------ */

static void texts_survive_without_memory(void **state)
{
    static const index_fault one = {&index_allocation, open_copy, NULL, 1, 10};
    static const index_fault all = {&index_all_allocations, open_copy, NULL, 7, 2};
    (void)state;
    index_fail_each(&one, changes, VS_TEST_COUNT(changes), 0);
    index_fail_each(&all, changes, VS_TEST_COUNT(changes), 0);
    index_fail_each(&one, reads, VS_TEST_COUNT(reads), 0);
    index_fail_each(&all, reads, VS_TEST_COUNT(reads), 0);
}

static void texts_survive_a_failing_file(void **state)
{
    static const index_fault one = {&index_call, open_file, index_file_holds, 1, 2};
    static const index_fault full = {&index_full_disk, open_file, index_file_holds, 3, 1};
    (void)state;
    index_fail_each(&one, changes, VS_TEST_COUNT(changes), 0);
    index_fail_each(&full, changes, VS_TEST_COUNT(changes), 0);
    index_fail_each(&one, reads, VS_TEST_COUNT(reads), 0);
    index_remove_file();
}

static void no_error_leaves_half_a_tier(void **state)
{
    static const index_fault any = {&index_any_error, open_watched, NULL, 1, 8};
    static const index_fault constraint = {&index_constraint, open_watched, NULL, 1, 8};
    (void)state;
    index_fail_each(&any, changes, VS_TEST_COUNT(changes), 0);
    index_fail_each(&constraint, changes, VS_TEST_COUNT(changes), 0);
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
