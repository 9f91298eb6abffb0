/*
 * test_io.c - a read of the user's file that fails ends the search with that error, and the
 * connection goes on working.
 *
 * A VFS fails the n-th read, that one alone or it and all after it: for every n until none fails.
 * Each try has a fresh connection, so that no page is in memory. A single failure may pass unseen
 * while the search is being planned (the pages are read again when it runs), but then the answer is
 * right.
 */
#include "../search_fixture.h"

#include <stdio.h>

#include "../vs_fault_io.h"

static const char io_name[] = "test_io.db";

static sqlite3 *open_file(const char *vfs)
{
    sqlite3 *db = fixture_open_file(fixture_path(io_name), FIXTURE_CREATE, vfs);
    sqlite3_extended_result_codes(db, 1);
    return db;
}

static void make_file(void)
{
    remove(fixture_path(io_name));
    sqlite3 *db = open_file(NULL);
    fixture_fill(db, "t", 40, 40, FIXTURE_LOG_NORM);
    vs_test_run(
        db, "CREATE INDEX t_norm ON t(vec_norm(v)); CREATE INDEX t_tag ON t(tag) WHERE tag > 2");
    vs_test_close(db);
}

/* One try: read number n fails. Returns 1 when so many reads there were. */
static int fail_read(const char *sql, const char *expected, long n, int is_persistent)
{
    char *result = NULL;
    sqlite3 *db = open_file("failing");
    vs_fault_io_arm(n, VS_FAULT_READ, 0, is_persistent);
    int rc = vs_test_query(db, sql, &result);
    long failures = vs_fault_io_disarm();
    int is_right = rc == SQLITE_OK && strcmp(result, expected) == 0;
    int is_allowed =
        failures == 0 ? is_right : rc == SQLITE_IOERR_READ || (is_right && !is_persistent);
    if (!is_allowed) {
        fail_msg("%s: read %ld%s fails: result %d, %s", sql, n,
                 is_persistent ? " and all after it" : "", rc, result);
    }
    fixture_nothing_is_open(db);
    sqlite3_free(result);
    vs_test_gives(db, sql, expected); /* the same connection, the failure gone */
    vs_test_close(db);
    return failures > 0;
}

static void a_failed_read_ends_the_search_with_its_code(void **state)
{
    static const char *const statements[] = {
        "SELECT sum(s.id) FROM vec_search('t', 'v', (SELECT v FROM t WHERE id = 7), 5) AS s",
        "SELECT count(*) FROM vec_search('t', 'v', (SELECT v FROM t WHERE id = 7)) AS s",
        "SELECT sum(s.id) FROM vec_search('t', 'v', (SELECT v FROM t WHERE id = 7), 5) AS s WHERE "
        "id IN (SELECT id FROM t WHERE tag = 3)",
        "SELECT sum(s.id) FROM vec_search('t', 'v', (SELECT v FROM t WHERE id = 7), 5, "
        "'{\"metric\":\"dot\",\"index\":\"t_norm\"}') AS s",
        "SELECT sum(s.id) FROM vec_search('t', 'v', (SELECT v FROM t WHERE id = 7), 5, "
        "'{\"index\":\"t_norm\"}') AS s",
        "SELECT sum(s.id) FROM vec_search('t', 'v', (SELECT v FROM t WHERE id = 7), 5, "
        "'{\"index\":\"t_tag\"}') AS s",
        "SELECT sum(s.id) FROM vec_search_batch('t', 'v', (SELECT v FROM t WHERE id = 7), 5) AS s",
        "SELECT vec_norm_selectivity('t', 'v', (SELECT v FROM t WHERE id = 7), 0.5)",
    };
    (void)state;
    make_file();
    for (size_t i = 0; i < VS_TEST_COUNT(statements); i++) {
        char *expected = NULL;
        sqlite3 *db = open_file(NULL);
        assert_int_equal(vs_test_query(db, statements[i], &expected), SQLITE_OK);
        vs_test_close(db);
        for (int is_persistent = 0; is_persistent < 2; is_persistent++) {
            for (long n = 1; fail_read(statements[i], expected, n, is_persistent); n++) {
            }
        }
        sqlite3_free(expected);
    }
    remove(fixture_path(io_name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_read_ends_the_search_with_its_code),
    };
    vs_fault_io_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
