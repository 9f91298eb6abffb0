/*
 * test_io.c - a read of the user's file that fails ends the search with that error, and the
 * connection goes on working.
 *
 * A VFS passes everything on to the default one, and fails the n-th read of a database file, that
 * one alone or it and all after it: for every n until none fails. Each try has a fresh connection,
 * so that no page is in memory. A single failure may pass unseen while the search is being planned
 * (the pages are read again when it runs), but then the answer is right.
 */
#include "../search_fixture.h"

#include <stdio.h>

static const char io_name[] = "test_io.db";

/* ---- a VFS that fails a read ---- */

typedef struct io_handle {
    sqlite3_file base;
    sqlite3_file *inner; /* behind this structure */
} io_handle;

static sqlite3_vfs *io_inner;
static long io_countdown; /* reads until the one that fails; 0: none does */
static int io_is_persistent;
static long io_failures;

static sqlite3_file *io_of(sqlite3_file *file)
{
    return ((io_handle *)file)->inner;
}

static int io_close(sqlite3_file *file)
{
    return io_of(file)->pMethods == NULL ? SQLITE_OK : io_of(file)->pMethods->xClose(io_of(file));
}

static int io_read(sqlite3_file *file, void *out, int bytes, sqlite3_int64 at)
{
    if (io_countdown > 0 && --io_countdown == 0) {
        io_countdown = io_is_persistent; /* the next one too */
        io_failures++;
        return SQLITE_IOERR_READ;
    }
    return io_of(file)->pMethods->xRead(io_of(file), out, bytes, at);
}

static int io_write(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 at)
{
    return io_of(file)->pMethods->xWrite(io_of(file), data, bytes, at);
}

static int io_truncate(sqlite3_file *file, sqlite3_int64 bytes)
{
    return io_of(file)->pMethods->xTruncate(io_of(file), bytes);
}

static int io_sync(sqlite3_file *file, int flags)
{
    return io_of(file)->pMethods->xSync(io_of(file), flags);
}

static int io_size(sqlite3_file *file, sqlite3_int64 *out)
{
    return io_of(file)->pMethods->xFileSize(io_of(file), out);
}

static int io_lock(sqlite3_file *file, int level)
{
    return io_of(file)->pMethods->xLock(io_of(file), level);
}

static int io_unlock(sqlite3_file *file, int level)
{
    return io_of(file)->pMethods->xUnlock(io_of(file), level);
}

static int io_check_lock(sqlite3_file *file, int *out)
{
    return io_of(file)->pMethods->xCheckReservedLock(io_of(file), out);
}

static int io_control(sqlite3_file *file, int op, void *data)
{
    return io_of(file)->pMethods->xFileControl(io_of(file), op, data);
}

static int io_sector(sqlite3_file *file)
{
    return io_of(file)->pMethods->xSectorSize(io_of(file));
}

static int io_characteristics(sqlite3_file *file)
{
    return io_of(file)->pMethods->xDeviceCharacteristics(io_of(file));
}

static int io_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                   int *out_flags)
{
    static const sqlite3_io_methods methods = {1,
                                               io_close,
                                               io_read,
                                               io_write,
                                               io_truncate,
                                               io_sync,
                                               io_size,
                                               io_lock,
                                               io_unlock,
                                               io_check_lock,
                                               io_control,
                                               io_sector,
                                               io_characteristics,
                                               NULL,
                                               NULL,
                                               NULL,
                                               NULL,
                                               NULL,
                                               NULL};
    io_handle *handle = (io_handle *)file;
    (void)vfs;
    handle->inner = (sqlite3_file *)(void *)(handle + 1);
    memset(handle->inner, 0, (size_t)io_inner->szOsFile);
    int rc = io_inner->xOpen(io_inner, name, handle->inner, flags, out_flags);
    handle->base.pMethods = rc == SQLITE_OK ? &methods : NULL;
    return rc;
}

static sqlite3_vfs io_vfs;

static int io_register(void **state)
{
    (void)state;
    io_inner = sqlite3_vfs_find(NULL);
    io_vfs = *io_inner;
    io_vfs.zName = "failing";
    io_vfs.szOsFile = (int)sizeof(io_handle) + io_inner->szOsFile;
    io_vfs.xOpen = io_open;
    return sqlite3_vfs_register(&io_vfs, 0);
}

/* ---- tests ---- */

static sqlite3 *open_file(const char *vfs)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open_v2(fixture_path(io_name), &db,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs),
                     SQLITE_OK);
    assert_int_equal(sqlite3_vecshard_init(db, NULL, NULL), SQLITE_OK);
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
static int fail_read(const char *sql, const char *expected, long n)
{
    char *result = NULL;
    sqlite3 *db = open_file("failing");
    io_failures = 0;
    io_countdown = n;
    int rc = vs_test_query(db, sql, &result);
    io_countdown = 0;
    int is_right = rc == SQLITE_OK && strcmp(result, expected) == 0;
    int is_allowed =
        io_failures == 0 ? is_right : rc == SQLITE_IOERR_READ || (is_right && !io_is_persistent);
    if (!is_allowed) {
        fail_msg("%s: read %ld%s fails: result %d, %s", sql, n,
                 io_is_persistent ? " and all after it" : "", rc, result);
    }
    fixture_nothing_is_open(db);
    sqlite3_free(result);
    vs_test_gives(db, sql, expected); /* the same connection, the failure gone */
    vs_test_close(db);
    return io_failures > 0;
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
        for (io_is_persistent = 0; io_is_persistent < 2; io_is_persistent++) {
            for (long n = 1; fail_read(statements[i], expected, n); n++) {
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
    return cmocka_run_group_tests(tests, io_register, NULL);
}
