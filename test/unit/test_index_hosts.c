/*
 * test_index_hosts.c - vecshard tables on connections of unusual hosts: those that let no PRAGMA
 * through, those that bind text, and those that read what others have not committed.
 */
#include "../vs_test_db.h"

static int deny_pragma(void *arg, int what, const char *a, const char *b, const char *c,
                       const char *d)
{
    (void)arg;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return what == SQLITE_PRAGMA ? SQLITE_DENY : SQLITE_OK;
}

static void a_host_may_deny_every_pragma(void **state)
{
    (void)state;
    assert_int_equal(sqlite3_set_authorizer(db, deny_pragma, NULL), SQLITE_OK);
    vs_test_run(db, "CREATE VIRTUAL TABLE t USING vecshard(v float[4], p INTEGER PARTITION KEY)");
    vs_test_run(db, "INSERT INTO t(rowid, v, p) VALUES(1, '[1,2,3,4]', 1), (2, '[1,2,3,5]', 1), "
                    "(3, '[1,2,3,6]', 1)");
    vs_test_run(db, "UPDATE t SET p = 2 WHERE rowid = 3");
    vs_test_run(db, "DELETE FROM t WHERE rowid = 1");
    vs_test_gives(db, "SELECT rowid, p FROM t WHERE v MATCH '[1,2,3,4]'", "2|1; 3|2");
    vs_test_run(db, "INSERT INTO t(t) VALUES('integrity-check')");
    vs_test_run(db, "DROP TABLE t");
    assert_int_equal(sqlite3_set_authorizer(db, NULL, NULL), SQLITE_OK);
}

static void tiers_need_no_pragma(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE VIRTUAL TABLE t USING vecshard(v float[32], +meta TEXT)");
    assert_int_equal(sqlite3_set_authorizer(db, deny_pragma, NULL), SQLITE_OK);
    vs_test_run(db,
                "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 1024) "
                "INSERT INTO t(v, meta) SELECT vec_concat(zeroblob(124), vec_f32(json_array(i))), "
                "json_object('from', 'the harbour office', 'number', i * 7919 % 1000) FROM n");
    vs_test_run(db, "INSERT INTO t(t, arg) VALUES('tier', 'cold')");
    vs_test_gives(db, "SELECT count(*) FROM t_rows WHERE typeof(c1) = 'blob'", "1024");
    vs_test_gives(db, "SELECT count(*) > 0 FROM t_cold0", "1");
    vs_test_gives(db, "SELECT meta FROM t WHERE rowid = 7",
                  "{\"from\":\"the harbour office\",\"number\":433}");
    vs_test_run(db, "INSERT INTO t(t, arg) VALUES('tier', 'warm')");
    vs_test_run(db, "DROP TABLE t");
    assert_int_equal(sqlite3_set_authorizer(db, NULL, NULL), SQLITE_OK);
}

/* Some drivers bind every number as text. */
static void bounds_of_the_distance_may_be_text(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE VIRTUAL TABLE t USING vecshard(v float[4])");
    vs_test_run(db, "INSERT INTO t(rowid, v) VALUES(1, '[1,2,3,4]'), (2, '[1,2,3,5]')");
    vs_test_gives(
        db, "SELECT rowid FROM t WHERE v MATCH '[1,2,3,4]' AND k = 1 AND distance > '0.5'", "2");
    vs_test_gives(db, "SELECT rowid FROM t WHERE v MATCH '[1,2,3,4]' AND k = 1 AND distance < 'x'",
                  "1");
    vs_test_gives(db, "SELECT rowid FROM t WHERE v MATCH '[1,2,3,4]' AND k = 1 AND distance > 'x'",
                  "");
    vs_test_run(db, "DROP TABLE t");
}

static sqlite3 *open_shared(void)
{
    sqlite3 *shared = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI;
    assert_int_equal(
        sqlite3_open_v2("file:vs_hosts?mode=memory&cache=shared", &shared, flags, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_vecshard_init(shared, NULL, NULL), SQLITE_OK);
    return shared;
}

/* Where SQLite was built without shared caches each connection is alone, and there is no table. */
static void what_was_read_uncommitted_is_forgotten(void **state)
{
    (void)state;
    sqlite3 *writer = open_shared();
    sqlite3 *reader = open_shared();
    char *result = NULL;
    vs_test_run(writer, "CREATE VIRTUAL TABLE t USING vecshard(v float[4])");
    vs_test_run(reader, "PRAGMA read_uncommitted = 1");
    vs_test_run(writer, "BEGIN");
    vs_test_run(writer, "INSERT INTO t(v) VALUES('[1,2,3,4]')");
    int rc = vs_test_query(reader, "SELECT rowid FROM t WHERE v MATCH '[1,2,3,4]'", &result);
    sqlite3_free(result);
    vs_test_run(writer, "INSERT INTO t(v) VALUES('[1,2,3,5]')");
    vs_test_run(writer, "COMMIT");
    if (rc == SQLITE_OK) {
        vs_test_gives(reader, "SELECT rowid FROM t WHERE v MATCH '[1,2,3,4]'", "1; 2");
        vs_test_run(reader, "PRAGMA read_uncommitted = 0");
        vs_test_gives(reader, "SELECT rowid FROM t WHERE v MATCH '[1,2,3,4]'", "1; 2");
    }
    vs_test_close(reader);
    vs_test_close(writer);
}

/* A row above the connection's limit is refused, and the transaction goes on. */
static void rows_above_the_limit_cost_no_transaction(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE VIRTUAL TABLE t USING vecshard(v float[4], a TEXT, +b TEXT)");
    int most = sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 200000);
    vs_test_run(db, "BEGIN; INSERT INTO t(rowid, v, a) VALUES(1, '[1,2,3,4]', 'kept')");
    vs_test_fails(
        db,
        "INSERT INTO t(rowid, v, a, b) VALUES(2, '[1,2,3,4]', hex(zeroblob(60000)), "
        "hex(zeroblob(60000)))",
        "t: row 2 has 240120 bytes beside its vectors, and SQLite's limit is 200000: string "
        "or blob too big");
    vs_test_fails(db, "UPDATE t SET a = hex(zeroblob(60000)), b = hex(zeroblob(60000))",
                  "string or blob too big"); /* SQLite's own: it gathers the values first */
    vs_test_run(db,
                "INSERT INTO t(rowid, v, b) VALUES(3, '[1,2,3,4]', hex(zeroblob(40000))); COMMIT");
    (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, most);
    vs_test_gives(db, "SELECT rowid, a, length(b) FROM t", "1|kept|NULL; 3|NULL|80000");
    vs_test_run(db, "INSERT INTO t(t) VALUES('integrity-check')");
    vs_test_run(db, "DROP TABLE t");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_may_deny_every_pragma),
        cmocka_unit_test(tiers_need_no_pragma),
        cmocka_unit_test(bounds_of_the_distance_may_be_text),
        cmocka_unit_test(what_was_read_uncommitted_is_forgotten),
        cmocka_unit_test(rows_above_the_limit_cost_no_transaction),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
