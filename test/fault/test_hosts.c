/*
 * test_hosts.c - hosts that restrict the connection, share the file, or change the schema between
 * two runs of a statement.
 */
#include "../search_fixture.h"

static const char hosts_name[] = "test_hosts.db";

static sqlite3 *open_file(const char *uri, int flags)
{
    return fixture_open_file(uri, flags | SQLITE_OPEN_URI, NULL);
}

static void remove_file(void)
{
    fixture_remove(fixture_path(hosts_name));
}

static sqlite3 *make_file(void)
{
    remove_file();
    sqlite3 *db = open_file(fixture_path(hosts_name), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    fixture_fill_line(db, "t", 300);
    vs_test_run(
        db, "CREATE INDEX t_norm ON t(vec_norm(v)); CREATE INDEX t_tag ON t(tag) WHERE tag = 3");
    return db;
}

/* ---- a careful host ---- */

static void a_careful_connection_has_the_whole_surface(void **state)
{
    sqlite3 *db = fixture_open_careful();
    (void)state;
    fixture_fill_line(db, "t", 300);
    vs_test_run(
        db,
        "CREATE INDEX t_norm ON t(vec_norm(v)); CREATE INDEX t_tag ON t(tag) WHERE tag = 3;"
        "CREATE TABLE g(id INTEGER PRIMARY KEY, v, n AS (vec_norm(v)), s AS (vec_norm(v)) STORED);"
        "INSERT INTO g(id, v) SELECT id, v FROM t; CREATE INDEX g_n ON g(n); CREATE INDEX g_s ON "
        "g(s, v);"
        "CREATE VIEW near AS SELECT id, vec_distance_l2(v, '[0,1]') AS d FROM t");
    vs_test_gives(db, "SELECT id, distance, rank FROM vec_search('t', 'v', '[0,1]', 2)",
                  "1|1.0|1; 2|2.0|2");
    vs_test_gives(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 2, '{\"index\":\"t_norm\"}')",
                  "1; 2");
    vs_test_gives(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 2, '{\"index\":\"t_tag\"}')",
                  "3; 13");
    vs_test_gives(
        db,
        "SELECT id FROM vec_search('g', 'v', '[1,0]', 2, '{\"index\":\"g_n\",\"metric\":\"dot\"}')",
        "300; 299");
    vs_test_gives(
        db,
        "SELECT id FROM vec_search('g', 'v', '[1,0]', 2, '{\"index\":\"g_s\",\"metric\":\"dot\"}')",
        "300; 299");
    vs_test_gives(
        db, "SELECT id FROM vec_search('t', 'v', '[0,1]') WHERE distance < 3.0 AND id IN (2, 5)",
        "2");
    vs_test_gives(db, "SELECT query_no, id FROM vec_search_batch('t', 'v', '[[0,1],[9,1]]', 1)",
                  "0|1; 1|9");
    vs_test_gives(db, "SELECT vec_norm_selectivity('t', 'v', '[1,0]', 1000)", "1.0");
    vs_test_gives(db, "SELECT id FROM near ORDER BY d LIMIT 2", "1; 2");
    vs_test_gives(db, "SELECT count(*) FROM vec_each('[1,2]')", "2");
    fixture_nothing_is_open(db);
    fixture_is_usable(db);
    vs_test_close(db);
}

/* A view over vec_search reads on behalf of its text: only where the host trusts the schema. */
static void a_view_over_a_search_follows_trusted_schema(void **state)
{
    sqlite3 *db = vs_test_open();
    (void)state;
    fixture_fill_line(db, "t", 30);
    vs_test_run(db, "CREATE VIEW near AS SELECT id FROM vec_search('t', 'v', '[0,1]', 2);"
                    "CREATE TABLE guarded(v); CREATE TRIGGER no_twins BEFORE INSERT ON guarded "
                    "WHEN EXISTS (SELECT 1 FROM vec_search('guarded', 'v', new.v, 1) WHERE "
                    "distance < 0.5) BEGIN SELECT raise(ABORT, 'twin'); END;"
                    "INSERT INTO guarded VALUES ('[1,2]'), ('[5,6]')");
    vs_test_gives(db, "SELECT * FROM near", "1; 2");
    vs_test_fails(db, "INSERT INTO guarded VALUES ('[5,6.1]')", "twin");
    assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL), SQLITE_OK);
    vs_test_fails(db, "SELECT * FROM near", "unsafe use of virtual table \"vec_search\"");
    vs_test_close(db);
}

/* ---- an authorizer ---- */

static const char *denied_table;
static int denied_action;

static int authorize(void *data, int action, const char *a, const char *b, const char *schema,
                     const char *trigger)
{
    (void)data;
    (void)b;
    (void)schema;
    (void)trigger;
    if (denied_action != 0) {
        return action == denied_action ? SQLITE_DENY : SQLITE_OK;
    }
    return action == SQLITE_READ && a != NULL && strcmp(a, denied_table) == 0 ? SQLITE_DENY
                                                                              : SQLITE_OK;
}

static void a_search_reads_nothing_that_the_authorizer_denies(void **state)
{
    sqlite3 *db = vs_test_open();
    (void)state;
    fixture_fill_line(db, "open", 30);
    fixture_fill_line(db, "secret", 30);
    denied_table = "secret";
    sqlite3_set_authorizer(db, authorize, NULL);
    vs_test_gives(db, "SELECT count(*) FROM vec_search('open', 'v', '[0,1]', 2)", "2");
    assert_int_equal(
        fixture_step_all(db, "SELECT count(*) FROM vec_search('secret', 'v', '[0,1]', 2)") & 0xff,
        SQLITE_AUTH);
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM vec_search(?1, 'v', '[0,1]', 2)",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(stmt, 1, "secret", -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(stmt), SQLITE_AUTH);
    sqlite3_finalize(stmt);
    fixture_nothing_is_open(db);
    denied_action = SQLITE_PRAGMA;
    assert_int_not_equal(
        fixture_step_all(db, "SELECT count(*) FROM vec_search('open', 'v', '[0,1]', 2)"),
        SQLITE_OK);
    denied_action = 0;
    sqlite3_set_authorizer(db, NULL, NULL);
    fixture_is_usable(db);
    vs_test_close(db);
}

/* ---- files that are shared or cannot be written ---- */

static void read_only_and_immutable_files_are_searched(void **state)
{
    static const char *const uris[] = {"file:%s?mode=ro", "file:%s?immutable=1"};
    (void)state;
    vs_test_close(make_file());
    for (size_t i = 0; i < VS_TEST_COUNT(uris); i++) {
        char *uri = sqlite3_mprintf(uris[i], fixture_path(hosts_name));
        sqlite3 *db = open_file(uri, SQLITE_OPEN_READONLY);
        vs_test_gives(db, "SELECT id FROM vec_search('t', 'v', '[0,1]', 2)", "1; 2");
        vs_test_gives(db, "SELECT id FROM vec_search('t', 'v', '[1,0]', 2, '{\"metric\":\"dot\"}')",
                      "300; 299");
        vs_test_gives(
            db, "SELECT id FROM vec_search_batch('t', 'v', '[[0,1]]', 2, '{\"index\":\"t_tag\"}')",
            "3; 13");
        vs_test_close(db);
        sqlite3_free(uri);
    }
    remove_file();
}

static void every_search_is_a_read(void **state)
{
    static const char *const statements[] = {
        "SELECT id FROM vec_search('t', 'v', '[0,1]', 2)",
        "SELECT id FROM vec_search('t', 'v', '[0,1]', 2, '{\"index\":\"t_norm\"}')",
        "SELECT id FROM vec_search_batch('t', 'v', '[[0,1]]', 2)",
        "SELECT vec_norm_selectivity('t', 'v', '[0,1]', 0.5)",
    };
    sqlite3 *db = make_file();
    (void)state;
    vs_test_run(db, "INSERT INTO t(id, v) VALUES (1000, '[1000,1]')");
    for (size_t i = 0; i < VS_TEST_COUNT(statements); i++) {
        sqlite3_stmt *stmt = NULL;
        int total = sqlite3_total_changes(db);
        assert_int_equal(sqlite3_prepare_v2(db, statements[i], -1, &stmt, NULL), SQLITE_OK);
        assert_true(sqlite3_stmt_readonly(stmt));
        sqlite3_finalize(stmt);
        assert_int_equal(fixture_step_all(db, statements[i]), SQLITE_OK);
        assert_int_equal(sqlite3_last_insert_rowid(db), 1000);
        assert_int_equal(sqlite3_changes(db), 1);
        assert_int_equal(sqlite3_total_changes(db), total);
        assert_int_equal(sqlite3_get_autocommit(db), 1);
        assert_int_equal(sqlite3_txn_state(db, NULL), SQLITE_TXN_NONE);
    }
    vs_test_close(db);
    remove_file();
}

/* A stream that another connection writes under keeps to the snapshot that it began with. */
static void a_wal_reader_keeps_its_snapshot(void **state)
{
    sqlite3 *writer = make_file();
    (void)state;
    vs_test_run(writer, "PRAGMA journal_mode = WAL");
    sqlite3 *reader = open_file(fixture_path(hosts_name), SQLITE_OPEN_READWRITE);
    sqlite3_stmt *stream = NULL;
    assert_int_equal(sqlite3_prepare_v2(reader,
                                        "SELECT id, distance FROM vec_search('t', 'v', '[0,1]')",
                                        -1, &stream, NULL),
                     SQLITE_OK);
    for (int i = 1; i <= 300; i++) {
        assert_int_equal(sqlite3_step(stream), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int(stream, 0), i);
        if (i == 10) {
            vs_test_run(
                writer,
                "DELETE FROM t WHERE id > 100; INSERT INTO t(id, v) VALUES (5000, '[60.5,1]')");
        }
    }
    assert_int_equal(sqlite3_step(stream), SQLITE_DONE);
    sqlite3_reset(stream);
    for (int i = 1; i <= 101; i++) { /* now the new one */
        assert_int_equal(sqlite3_step(stream), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int(stream, 0), i <= 60 ? i : i == 61 ? 5000 : i - 1);
    }
    assert_int_equal(sqlite3_step(stream), SQLITE_DONE);
    sqlite3_finalize(stream);
    vs_test_run(reader, "BEGIN");
    vs_test_gives(reader, "SELECT count(*) FROM vec_search('t', 'v', '[0,1]')", "101");
    vs_test_run(writer, "DELETE FROM t WHERE id < 50");
    vs_test_gives(reader, "SELECT min(id) FROM vec_search('t', 'v', '[0,1]')", "1");
    vs_test_run(reader, "COMMIT");
    vs_test_gives(reader, "SELECT min(id) FROM vec_search('t', 'v', '[0,1]')", "50");
    vs_test_gives(writer, "PRAGMA wal_checkpoint(TRUNCATE)", "0|0|0"); /* nobody holds the log */
    vs_test_close(reader);
    vs_test_close(writer);
    remove_file();
}

static void a_locked_file_is_busy_and_then_works(void **state)
{
    sqlite3 *db = make_file();
    sqlite3 *other = open_file(fixture_path(hosts_name), SQLITE_OPEN_READWRITE);
    sqlite3_stmt *stmt = NULL;
    (void)state;
    vs_test_gives(other, "SELECT count(*) FROM t", "300");
    assert_int_equal(sqlite3_prepare_v2(other, "SELECT count(*) FROM vec_search('t', 'v', ?1, 2)",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(stmt, 1, "[0,1]", -1, SQLITE_STATIC);
    vs_test_run(db, "BEGIN EXCLUSIVE");
    assert_int_equal(sqlite3_step(stmt), SQLITE_BUSY);
    sqlite3_reset(stmt);
    assert_int_equal(
        fixture_step_all(other, "SELECT count(*) FROM vec_search('t', 'v', '[0,1]', 2)"),
        SQLITE_BUSY);
    assert_int_equal(
        fixture_step_all(other, "SELECT count(*) FROM vec_search_batch('t', 'v', '[[0,1]]', 2)"),
        SQLITE_BUSY);
    vs_test_run(db, "COMMIT");
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), 2);
    sqlite3_finalize(stmt);
    vs_test_close(other);
    vs_test_close(db);
    remove_file();
}

/* ---- a schema that changes between two runs of a prepared statement ---- */

static void a_prepared_search_follows_the_schema(void **state)
{
    static const struct {
        const char *change;
        int rows; /* -1: an error */
    } steps[] = {
        {"SELECT 1", 2},
        {"DROP INDEX t_norm", 2},
        {"CREATE INDEX t_norm ON t(vec_norm(v), v)", 2},
        {"ALTER TABLE t RENAME COLUMN v TO w", -1},
        {"ALTER TABLE t RENAME COLUMN w TO v", 2},
        {"ALTER TABLE t RENAME TO u", -1},
        {"ALTER TABLE u RENAME TO t", 2},
        {"ALTER TABLE t DROP COLUMN tag", 2},
        {"CREATE TEMP TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO temp.t VALUES (7, '[0,1]')",
         1},
        {"DROP TABLE temp.t", 2},
        {"DROP TABLE t", -1},
        {"CREATE TABLE t(k INTEGER PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO t VALUES (-5, "
         "'[1,1]')",
         1},
    };
    static const char *const statements[] = {
        "SELECT id FROM vec_search('t', 'v', '[0,1]', 2)",
        "SELECT id FROM vec_search(?1, 'v', '[0,1]', 2)",
        "SELECT id FROM vec_search_batch('t', 'v', '[[0,1]]', 2)"};
    (void)state;
    for (size_t s = 0; s < VS_TEST_COUNT(statements); s++) {
        sqlite3 *db = vs_test_open();
        sqlite3_stmt *stmt = NULL;
        fixture_fill_line(db, "t", 300);
        vs_test_run(db, "CREATE INDEX t_norm ON t(vec_norm(v))");
        assert_int_equal(sqlite3_prepare_v2(db, statements[s], -1, &stmt, NULL), SQLITE_OK);
        sqlite3_bind_text(stmt, 1, "t", -1, SQLITE_STATIC);
        for (size_t i = 0; i < VS_TEST_COUNT(steps); i++) {
            int rows = 0;
            int rc;
            vs_test_run(db, steps[i].change);
            while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
                rows++;
            }
            if (rc != (steps[i].rows < 0 ? SQLITE_ERROR : SQLITE_DONE) ||
                rows != (steps[i].rows < 0 ? 0 : steps[i].rows)) {
                fail_msg("%s after \"%s\": %d, %d rows, %s", statements[s], steps[i].change, rc,
                         rows, sqlite3_errmsg(db));
            }
            sqlite3_reset(stmt);
        }
        sqlite3_finalize(stmt);
        vs_test_close(db);
    }
}

/*
 * While a search's rows are being read, the table may be written and the transaction committed;
 * after the last one it may be dropped.
 */
static void nothing_is_locked_between_rows(void **state)
{
    static const char *const statements[] = {
        "SELECT id FROM vec_search('t', 'v', '[0,1]', 5)",
        "SELECT id FROM vec_search('t', 'v', '[0,1]', 5, '{\"index\":\"t_norm\"}')",
        ("SELECT id FROM vec_search('t', 'v', '[0,1]', 5, "
         "'{\"index\":\"t_norm\",\"metric\":\"dot\"}')"),
        "SELECT id FROM vec_search_batch('t', 'v', '[[0,1]]', 5)"};
    (void)state;
    for (size_t s = 0; s < VS_TEST_COUNT(statements); s++) {
        sqlite3 *db = vs_test_open();
        sqlite3_stmt *stmt = NULL;
        fixture_fill_line(db, "t", 300);
        vs_test_run(db, "CREATE INDEX t_norm ON t(vec_norm(v)); BEGIN");
        assert_int_equal(sqlite3_prepare_v2(db, statements[s], -1, &stmt, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        for (sqlite3_stmt *open = sqlite3_next_stmt(db, NULL); open != NULL;
             open = sqlite3_next_stmt(db, open)) {
            assert_true(open == stmt || !sqlite3_stmt_busy(open));
        }
        vs_test_run(db, "DELETE FROM t WHERE id < 5; UPDATE t SET v = NULL WHERE id = 7; COMMIT");
        for (int i = 1; i < 5; i++) {
            assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        }
        assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
        vs_test_run(db, "DROP INDEX t_norm; DROP TABLE t");
        sqlite3_finalize(stmt);
        vs_test_close(db);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_careful_connection_has_the_whole_surface),
        cmocka_unit_test(a_view_over_a_search_follows_trusted_schema),
        cmocka_unit_test(a_search_reads_nothing_that_the_authorizer_denies),
        cmocka_unit_test(read_only_and_immutable_files_are_searched),
        cmocka_unit_test(every_search_is_a_read),
        cmocka_unit_test(a_wal_reader_keeps_its_snapshot),
        cmocka_unit_test(a_locked_file_is_busy_and_then_works),
        cmocka_unit_test(a_prepared_search_follows_the_schema),
        cmocka_unit_test(nothing_is_locked_between_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
