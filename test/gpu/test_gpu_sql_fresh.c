/*
 * test_gpu_sql_fresh.c - what the GPU holds never answers for another state of a table.
 */
#define _GNU_SOURCE

#include "sql_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "../../ext/cache.h"

#define FRESH_ROWS 500

/* Both tables answer as the CPU does, at once and when the GPU holds what they are now. */
static void fresh_same(sqlite3 *db)
{
    for (int i = 0; i < 3; i++) {
        (void)sql_same(db, sql_docs_search, "gpu");
        (void)sql_same(db, sql_t_search, "gpu");
    }
}

static void fresh_warm(sqlite3 *db)
{
    sql_same_warm(db, sql_docs_search);
    sql_same_warm(db, sql_t_search);
}

static sqlite3 *fresh_open(const char *file)
{
    sqlite3 *db = sql_open(file, 0);
    (void)sqlite3_busy_timeout(db, 2000);
    sql_make_both(db, FRESH_ROWS);
    return db;
}

/* ---- one connection ---------------------------------------------------------------------------- */

static const char *const fresh_changes[] = {
    "INSERT INTO docs(id, v, tag) SELECT 1000 + id, v, 1 FROM q WHERE id > 0;"
    "INSERT INTO t(id, v, tag) SELECT 1000 + id, v, 1 FROM q WHERE id > 0",
    "UPDATE docs SET v = (SELECT v FROM q WHERE id = 1) WHERE id % 50 = 7;"
    "UPDATE t SET v = (SELECT v FROM q WHERE id = 1) WHERE id % 50 = 7",
    "UPDATE docs SET v = NULL WHERE id % 50 = 7; UPDATE t SET v = NULL WHERE id % 50 = 7",
    "UPDATE docs SET id = id + 5000 WHERE id % 11 = 3; UPDATE t SET id = id + 5000 WHERE id % 11 = "
    "3",
    "DELETE FROM docs WHERE id > 1000 AND id < 2000; DELETE FROM t WHERE id > 1000 AND id < 2000",
    "INSERT OR REPLACE INTO docs SELECT 40 + id, v, 1 FROM q WHERE id > 0;"
    "INSERT OR REPLACE INTO t(id, v, tag) SELECT 40 + id, v, 1 FROM q WHERE id > 0",
    "UPDATE t SET tag = tag + 1",
    "DELETE FROM docs WHERE id IN (SELECT id FROM vec_search('docs', 'v', (SELECT v FROM q WHERE "
    "id "
    "= 1), 10, '{\"device\":\"gpu\"}'))",
    "DELETE FROM t WHERE id IN (SELECT id FROM vec_search('t', 'v', (SELECT v FROM q WHERE id = "
    "1), "
    "10, '{\"device\":\"gpu\"}'))",
    "INSERT INTO t(t, arg) VALUES ('optimize', 100000)",
    "INSERT INTO t(t) VALUES ('rebuild')",
    "INSERT INTO t(t, arg) VALUES ('tier', 'cold')",
    "UPDATE t SET v = (SELECT v FROM q WHERE id = 1) WHERE id % 70 = 9",
    "INSERT INTO t(t, arg) VALUES ('tier', 'warm')",
    "VACUUM",
    "ALTER TABLE docs RENAME TO other; CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag "
    "INTEGER); INSERT INTO docs SELECT id, v, 1 FROM q WHERE id > 0",
    "DROP TABLE docs; ALTER TABLE other RENAME TO docs",
    "ALTER TABLE docs RENAME COLUMN v TO w; ALTER TABLE docs ADD COLUMN v BLOB; UPDATE docs SET v "
    "= w WHERE id % 2; ALTER TABLE docs DROP COLUMN w",
    "DROP TABLE docs; CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER); INSERT INTO "
    "docs(id, v) SELECT id * 3, v FROM q WHERE id > 0",
    "DROP TABLE t; CREATE VIRTUAL TABLE t USING vecshard(id INTEGER PRIMARY KEY, v float[32], tag "
    "INTEGER); INSERT INTO t(id, v) SELECT id * 3, v FROM q WHERE id > 0",
    "CREATE TEMP TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER); INSERT INTO temp.docs "
    "SELECT id + 77, v, 1 FROM q WHERE id > 0",
    "UPDATE temp.docs SET id = -id",
    "DROP TABLE temp.docs",
};

static void change(vsg_fake *fake)
{
    (void)fake;
    sqlite3 *db = fresh_open(NULL);
    fresh_warm(db);
    for (size_t i = 0; i < VS_TEST_COUNT(fresh_changes); i++) {
        vs_test_run(db, fresh_changes[i]);
        fresh_same(db);
        fresh_warm(db);
    }
    vs_test_close(db);
}

static void every_change_is_seen_at_once(void **state)
{
    (void)state;
    sql_scenario(change);
}

static void write_in_transactions(vsg_fake *fake)
{
    (void)fake;
    sqlite3 *db = fresh_open(NULL);
    fresh_warm(db);
    for (int i = 0; i < 2; i++) {
        vs_test_run(db, "BEGIN");
        sql_same_for(db, sql_docs_search, "none"); /* nothing is written yet */
        vs_test_run(db, fresh_changes[i]);
        sql_same_for(db, sql_docs_search, "txn");
        fresh_same(db);
        vs_test_run(db,
                    "SAVEPOINT a; DELETE FROM docs WHERE id % 3 = 1; DELETE FROM t WHERE id % 3 "
                    "= 1");
        fresh_same(db);
        vs_test_run(db, "ROLLBACK TO a");
        fresh_same(db);
        vs_test_run(db, "UPDATE docs SET id = id + 3 WHERE id = 499; UPDATE t SET id = id + 3000 "
                        "WHERE id < 9; RELEASE a");
        fresh_same(db);
        vs_test_run(db, i == 0 ? "ROLLBACK" : "COMMIT");
        fresh_same(db);
        fresh_warm(db);
    }
    assert_true(sql_stat(db, "gpu_fallbacks_txn") > 0);
    vs_test_close(db);
}

static void a_transaction_sees_what_it_wrote(void **state)
{
    (void)state;
    sql_scenario(write_in_transactions);
}

/* A search whose statement has written before it. */
static void write_from_searches(vsg_fake *fake)
{
    (void)fake;
    sqlite3 *db = fresh_open(NULL);
    fresh_warm(db);
    vs_test_run(db, "CREATE TABLE copy(n INTEGER PRIMARY KEY, id, distance)");
    for (int i = 0; i < 3; i++) {
        vs_test_run(db, "DELETE FROM copy; INSERT INTO copy(id, distance) SELECT id, distance FROM "
                        "vec_search('docs', 'v', (SELECT v FROM q WHERE id = 1), NULL, "
                        "'{\"device\":\"gpu\"}')");
        vs_test_same(
            db, "SELECT count(*), sum(id * n), sum(distance * n) FROM copy",
            "SELECT count(*), sum(id * rank), sum(distance * rank) FROM vec_search('docs', "
            "'v', (SELECT v FROM q WHERE id = 1), NULL, '{\"device\":\"cpu\"}')");
        vs_test_run(db, "UPDATE docs SET tag = (SELECT group_concat(id) FROM vec_search('docs', "
                        "'v', docs.v, 2, '{\"device\":\"gpu\"}')) WHERE id < 6");
    }
    vs_test_close(db);
}

static void statements_that_write_read_what_was_before(void **state)
{
    (void)state;
    sql_scenario(write_from_searches);
}

/* ---- databases that come and go -------------------------------------------------------------------- */

static char *fresh_make_file(const char *name, int shift)
{
    char *path = sqlite3_mprintf("%s", fixture_path(name));
    fixture_remove(path);
    sqlite3 *db = fresh_open(path);
    sql_run(db, "UPDATE docs SET id = -%d - id; UPDATE t SET id = -%d - id", shift, shift);
    vs_test_close(db);
    return path;
}

static const char fresh_attached_docs[] =
    "SELECT id, distance FROM vec_search('x.docs', 'v', (SELECT v FROM x.q WHERE id = 1), 10, "
    "'{\"device\":\"@\"}')";
static const char fresh_attached_t[] =
    "SELECT rowid, distance FROM x.t((SELECT v FROM x.q WHERE id = 1), 10, "
    "'{\"device\":\"@\"}')";

static void attach(vsg_fake *fake)
{
    char *one = fresh_make_file("fresh-one", 1), *two = fresh_make_file("fresh-two", 2);
    (void)fake;
    sqlite3 *db = fresh_open(NULL);
    for (int i = 0; i < 4; i++) {
        sql_run(db, "ATTACH %Q AS x", i % 2 == 0 ? one : two);
        (void)sql_same(db, fresh_attached_docs, "gpu");
        (void)sql_same(db, fresh_attached_t, "gpu");
        sql_same_warm(db, fresh_attached_docs);
        sql_same_warm(db, fresh_attached_t);
        fresh_warm(db);
        vs_test_run(db, "DETACH x");
    }
    vs_test_close(db);
    fixture_remove(one);
    fixture_remove(two);
    sqlite3_free(one);
    sqlite3_free(two);
}

static void another_file_under_the_same_name_is_another_table(void **state)
{
    (void)state;
    sql_scenario(attach);
}

static void fresh_copy(sqlite3 *db, const char *schema, sqlite3 *from)
{
    sqlite3_backup *backup = sqlite3_backup_init(db, schema, from, "main");
    assert_non_null(backup);
    assert_int_equal(sqlite3_backup_step(backup, -1), SQLITE_DONE);
    assert_int_equal(sqlite3_backup_finish(backup), SQLITE_OK);
}

/* Not over main: SQLite itself does not survive that once a table-valued function was used. */
static void fresh_deserialize(sqlite3 *db, const char *schema, sqlite3 *from)
{
    sqlite3_int64 size = 0;
    unsigned char *image = sqlite3_serialize(from, "main", &size, 0);
    assert_int_equal(
        sqlite3_deserialize(db, schema, image, size, size,
                            SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE),
        SQLITE_OK);
}

static void replace_all(vsg_fake *fake)
{
    (void)fake;
    sqlite3 *db = fresh_open(NULL), *other = fresh_open(NULL);
    vs_test_run(db, "ATTACH ':memory:' AS x");
    for (int i = 0; i < 5; i++) {
        vs_test_run(other, "UPDATE docs SET id = -id; UPDATE t SET id = -id");
        if (i % 3 == 2) {
            fresh_copy(db, "x", other);
        } else {
            fresh_deserialize(db, "x", other);
        }
        (void)sql_same(db, fresh_attached_docs, "gpu");
        (void)sql_same(db, fresh_attached_t, "gpu");
        sql_same_for(db, fresh_attached_docs, "stale"); /* nothing would tell of the next one */
        sql_same_warm(db, fresh_attached_t);
        fresh_copy(db, "main", other);
        fresh_same(db);
        fresh_warm(db);
    }
    vs_test_close(db);
    vs_test_close(other);
}

static void a_database_that_was_replaced_is_another(void **state)
{
    (void)state;
    sql_scenario(replace_all);
}

/* PRAGMA temp_store throws the temp database away: the next one counts its versions from the beginning. */
static void replace_temp(vsg_fake *fake)
{
    char *path = sqlite3_mprintf("%s", fixture_path("fresh-temp"));
    (void)fake;
    fixture_remove(path);
    sqlite3 *db = fresh_open(path);
    for (int i = 0; i < 6; i++) {
        sql_run(db,
                "PRAGMA temp_store = %d; CREATE TEMP TABLE passing(id INTEGER PRIMARY KEY, v BLOB);"
                "INSERT INTO passing SELECT id * %d, v FROM docs",
                1 + i / 2 % 2, 1 + i);
        for (int j = 0; j < 2; j++) {
            (void)sql_same(db,
                           "SELECT id, distance FROM vec_search('temp.passing', 'v', (SELECT v "
                           "FROM q WHERE id = 1), 10, '{\"device\":\"@\"}')",
                           "gpu");
        }
        sql_run(db, "PRAGMA temp_store = %d", 2 - i / 2 % 2);
    }
    vs_test_close(db);
    fixture_remove(path);
    sqlite3_free(path);
}

static void a_temp_database_that_was_thrown_away_is_another(void **state)
{
    (void)state;
    sql_scenario(replace_temp);
}

/* ---- two connections ------------------------------------------------------------------------------- */

static void write_beside(const char *journal)
{
    char *path = sqlite3_mprintf("%s", fixture_path(journal));
    fixture_remove(path);
    sqlite3 *writer = sql_open(path, 0);
    sql_run(writer, "PRAGMA journal_mode = %s; PRAGMA synchronous = OFF", journal);
    sql_make_both(writer, FRESH_ROWS);
    sqlite3 *reader = sql_open(path, 0);
    for (int i = 0; i < 7; i++) {
        fresh_warm(reader);
        fresh_same(writer);
        vs_test_run(writer, fresh_changes[i]);
        fresh_same(reader);
        fresh_same(writer);
    }
    fresh_warm(writer);
    fresh_warm(reader);
    vs_test_close(reader);
    vs_test_close(writer);
    fixture_remove(path);
    sqlite3_free(path);
}

static void write_beside_rollback(vsg_fake *fake)
{
    (void)fake;
    write_beside("delete");
}

static void write_beside_wal(vsg_fake *fake)
{
    (void)fake;
    write_beside("wal");
}

static void what_others_write_is_seen_at_once(void **state)
{
    (void)state;
    sql_scenario(write_beside_rollback);
    sql_scenario(write_beside_wal);
}

/* The answer stays that of the snapshot, whatever others fill the device with. */
static void hold_a_snapshot(vsg_fake *fake)
{
    char *path = sqlite3_mprintf("%s", fixture_path("fresh-wal"));
    char *docs = sql_on(sql_docs_search, "gpu"), *t = sql_on(sql_t_search, "gpu");
    char *before[2], *now[2];
    (void)fake;
    fixture_remove(path);
    sqlite3 *writer = sql_open(path, 0);
    vs_test_run(writer, "PRAGMA journal_mode = wal; PRAGMA synchronous = OFF");
    sql_make_both(writer, FRESH_ROWS);
    sqlite3 *reader = sql_open(path, 0);
    fresh_warm(reader);
    vs_test_run(reader, "BEGIN; SELECT count(*) FROM docs");
    assert_int_equal(sql_rows(reader, docs, &before[0]), SQLITE_OK);
    assert_int_equal(sql_rows(reader, t, &before[1]), SQLITE_OK);
    for (int i = 0; i < 7; i++) {
        vs_test_run(writer, fresh_changes[i]);
        fresh_same(writer);
        fresh_same(reader);
        fresh_warm(writer);
        assert_int_equal(sql_rows(reader, docs, &now[0]), SQLITE_OK);
        assert_int_equal(sql_rows(reader, t, &now[1]), SQLITE_OK);
        assert_string_equal(now[0], before[0]);
        assert_string_equal(now[1], before[1]);
        sqlite3_free(now[0]);
        sqlite3_free(now[1]);
        fresh_warm(reader); /* brings the old cells again */
        fresh_same(writer);
    }
    vs_test_run(reader, "COMMIT");
    fresh_same(reader);
    fresh_warm(reader);
    assert_int_equal(sql_rows(reader, docs, &now[0]), SQLITE_OK);
    assert_string_not_equal(now[0], before[0]);
    sqlite3_free(now[0]);
    sqlite3_free(before[0]);
    sqlite3_free(before[1]);
    sqlite3_free(docs);
    sqlite3_free(t);
    vs_test_close(reader);
    vs_test_close(writer);
    fixture_remove(path);
    sqlite3_free(path);
}

static void an_old_snapshot_keeps_its_answers(void **state)
{
    (void)state;
    sql_scenario(hold_a_snapshot);
}

typedef struct fresh_writer {
    sqlite3 *db;
    int countdown; /* calls until it writes */
} fresh_writer;

/* Called by SQLite while another connection reads: writes once. */
static int fresh_write_meanwhile(void *arg)
{
    fresh_writer *self = arg;
    if (--self->countdown == 0) {
        vs_test_run(self->db,
                    "UPDATE t SET v = (SELECT v FROM q WHERE id = 1 + t.id % 2) WHERE id % "
                    "10 = abs(random() % 10)");
    }
    return 0;
}

/* What a command loads is of one state, although no statement around it reads a table: it answers
 * for the snapshot that was before. */
static void write_while_loading(vsg_fake *fake)
{
    char *path = sqlite3_mprintf("%s", fixture_path("fresh-load"));
    int countdown = 0;
    (void)fake;
    fixture_remove(path);
    sqlite3 *db = sql_open(path, 0);
    vs_test_run(db, "PRAGMA journal_mode = wal; PRAGMA synchronous = OFF");
    sql_make_both(db, 4 * FRESH_ROWS); /* full cells, whose vectors are read later */
    sqlite3 *before = sql_open(path, 0), *reader = sql_open(path, 0);
    for (int n = 1; countdown <= 0; n += 2 + n / 8) {
        fresh_writer writer = {db, n};
        vs_test_run(before, "SELECT vec_gpu_evict(NULL); BEGIN; SELECT count(*) FROM docs");
        vs_cache_clear();
        sqlite3_progress_handler(reader, 1, fresh_write_meanwhile, &writer);
        vs_test_run(reader, "SELECT vec_gpu_load('t', 'v')");
        sqlite3_progress_handler(reader, 0, NULL, NULL);
        countdown = writer.countdown;
        (void)sql_same(before, sql_t_search, "gpu");
        vs_test_run(before, "COMMIT");
        (void)sql_same(before, sql_t_search, "gpu");
    }
    vs_test_close(reader);
    vs_test_close(before);
    vs_test_close(db);
    fixture_remove(path);
    sqlite3_free(path);
}

static void a_load_is_of_one_snapshot(void **state)
{
    (void)state;
    sql_scenario(write_while_loading);
}

typedef struct fresh_search {
    sqlite3 *db;
    int rc;
    char *rows; /* owned */
} fresh_search;

static void *fresh_search_main(void *arg)
{
    fresh_search *self = arg;
    char *sql = sql_on(sql_t_search, "gpu");
    self->rc = sql_rows(self->db, sql, &self->rows);
    sqlite3_free(sql);
    return NULL;
}

/* While a search is under way on the device, cells that it reads are replaced there. */
static void fill_while_searching(vsg_fake *fake)
{
    const struct timespec moment = {0, 1000000};
    char *path = sqlite3_mprintf("%s", fixture_path("fresh-search")), *expected = NULL;
    char *cpu = sql_on(sql_t_search, "cpu");
    fixture_remove(path);
    sqlite3 *writer = sql_open(path, 0);
    vs_test_run(writer, "PRAGMA journal_mode = wal; PRAGMA synchronous = OFF");
    sql_make_both(writer, FRESH_ROWS);
    fresh_search search = {sql_open(path, 0), SQLITE_OK, NULL};
    for (int i = 0; i < 6; i++) {
        pthread_t thread;
        sql_same_warm(search.db, sql_t_search);
        assert_int_equal(sql_rows(search.db, cpu, &expected), SQLITE_OK);
        unsigned scans = atomic_load(&fake->scans);
        atomic_store(&fake->hang_at_scan, scans + 1);
        assert_int_equal(pthread_create(&thread, NULL, fresh_search_main, &search), 0);
        while (atomic_load(&fake->scans) == scans) {
            (void)nanosleep(&moment, NULL);
        }
        sql_run(writer, "UPDATE t SET v = (SELECT v FROM q WHERE id = %d) WHERE id %% 3 = %d",
                1 + i % 2, i % 3);
        vs_test_run(writer, "SELECT vec_gpu_load('t', 'v'); SELECT vec_gpu_load('t', 'v')");
        atomic_store(&fake->hang_at_scan, 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(search.rc, SQLITE_OK);
        assert_string_equal(search.rows == NULL ? "" : search.rows, expected);
        sqlite3_free(search.rows);
        sqlite3_free(expected);
        fresh_same(search.db);
    }
    sqlite3_free(cpu);
    vs_test_close(search.db);
    vs_test_close(writer);
    fixture_remove(path);
    sqlite3_free(path);
}

static void a_search_under_way_keeps_what_it_reads(void **state)
{
    (void)state;
    sql_scenario_faked(fill_while_searching);
}

/* What is read may be taken back: it has no name. */
static void read_uncommitted(vsg_fake *fake)
{
    const int flags =
        FIXTURE_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_MEMORY | SQLITE_OPEN_SHAREDCACHE;
    (void)fake;
    sqlite3 *writer = sql_open("file:fresh?mode=memory&cache=shared", flags);
    sqlite3 *reader = sql_open("file:fresh?mode=memory&cache=shared", flags);
    sql_make_both(writer, FRESH_ROWS);
    sql_same_warm(reader, sql_docs_search);
    vs_test_run(reader, "PRAGMA read_uncommitted = 1");
    sql_same_for(reader, sql_docs_search, "stale");
    vs_test_run(writer, "BEGIN; UPDATE docs SET id = id + 3000");
    sql_same_for(reader, sql_docs_search, "stale");
    vs_test_run(writer, "ROLLBACK");
    sql_same_for(reader, sql_docs_search, "stale");
    vs_test_run(reader, "PRAGMA read_uncommitted = 0");
    sql_same_warm(reader, sql_docs_search);
    vs_test_close(reader);
    vs_test_close(writer);
}

static void uncommitted_changes_of_others_are_never_kept(void **state)
{
    (void)state;
    sql_scenario(read_uncommitted);
}

/* ---- cells of a vecshard table ----------------------------------------------------------------------- */

static void upload_cells(vsg_fake *fake)
{
    (void)fake;
    sqlite3 *db = sql_open(NULL, 0);
    sql_make_both(db, 6000);
    int64_t all = sql_number(db, "SELECT vec_gpu_load('t', 'v')");
    assert_true(all >= 6000 / 2 * 128);
    assert_int_equal(sql_number(db, "SELECT vec_gpu_load('t', 'v')"), 0);
    sql_same_for(db, sql_t_search, "none");
    /* one row: one cell is sent again, and the others answer meanwhile */
    vs_test_run(db, "UPDATE t SET v = (SELECT v FROM q WHERE id = 1) WHERE id = 3000");
    int64_t before = sql_stat(db, "gpu_upload_bytes");
    sql_same_for(db, sql_t_search, "none");
    sql_same_warm(db, sql_t_search);
    int64_t sent = sql_stat(db, "gpu_upload_bytes") - before;
    assert_true(sent > 0 && sent < all / 4);
    /* metadata is none of the device's */
    before = sql_stat(db, "gpu_upload_bytes");
    vs_test_run(db, "UPDATE t SET tag = 5 WHERE id = 3");
    sql_same_warm(db, sql_t_search);
    assert_true(sql_stat(db, "gpu_upload_bytes") - before < all / 4);
    /* rows at the end: the others stay */
    before = sql_stat(db, "gpu_upload_bytes");
    vs_test_run(db, "INSERT INTO t(id, v) SELECT 9000 + id, v FROM q WHERE id > 0");
    sql_same_for(db, sql_t_search, "none");
    sql_same_warm(db, sql_t_search);
    sent = sql_stat(db, "gpu_upload_bytes") - before;
    assert_true(sent > 0 && sent < all / 4);
    vs_test_close(db);
}

static void only_cells_that_changed_are_sent_again(void **state)
{
    (void)state;
    sql_scenario(upload_cells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_is_seen_at_once),
        cmocka_unit_test(a_transaction_sees_what_it_wrote),
        cmocka_unit_test(statements_that_write_read_what_was_before),
        cmocka_unit_test(another_file_under_the_same_name_is_another_table),
        cmocka_unit_test(a_database_that_was_replaced_is_another),
        cmocka_unit_test(a_temp_database_that_was_thrown_away_is_another),
        cmocka_unit_test(what_others_write_is_seen_at_once),
        cmocka_unit_test(an_old_snapshot_keeps_its_answers),
        cmocka_unit_test(a_load_is_of_one_snapshot),
        cmocka_unit_test(a_search_under_way_keeps_what_it_reads),
        cmocka_unit_test(uncommitted_changes_of_others_are_never_kept),
        cmocka_unit_test(only_cells_that_changed_are_sent_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
