/*
 * index_faults.c - see index_faults.h.
 *
 * Calls: vs_fault.c, vs_fault_io.c, vs_fault_sql.c.  Called by: tests.  Threads: one.
 */
#include "index_faults.h"

#include <stdio.h>

#include "vs_fault.h"
#include "vs_fault_io.h"
#include "vs_fault_sql.h"

/* ---- memory ---- */

static void arm_allocation(sqlite3 *db, int64_t n)
{
    (void)db;
    vs_fault_arm(n, 0);
}

static void arm_all_allocations(sqlite3 *db, int64_t n)
{
    (void)db;
    vs_fault_arm(n, 1);
}

static int64_t disarm_allocations(sqlite3 *db)
{
    (void)db;
    return vs_fault_disarm();
}

static int is_no_memory(int rc)
{
    return rc == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM;
}

const index_failure index_allocation = {"allocation", arm_allocation, disarm_allocations,
                                        is_no_memory, is_no_memory};
const index_failure index_all_allocations = {"every allocation from number", arm_all_allocations,
                                             disarm_allocations, is_no_memory, is_no_memory};

/* ---- the file ---- */

static void arm_call(sqlite3 *db, int64_t n)
{
    (void)db;
    vs_fault_io_arm((long)n, VS_FAULT_ANY_CALL, 0, 0);
}

static void arm_all_calls(sqlite3 *db, int64_t n)
{
    (void)db;
    vs_fault_io_arm((long)n, VS_FAULT_ANY_CALL, 0, 1);
}

static void arm_full_disk(sqlite3 *db, int64_t n)
{
    (void)db;
    vs_fault_io_arm((long)n, VS_FAULT_WRITE, SQLITE_FULL, 1);
}

static int64_t disarm_calls(sqlite3 *db)
{
    (void)db;
    return vs_fault_io_disarm();
}

int index_is_io_error(int rc)
{
    return (rc & 0xff) == SQLITE_IOERR;
}

static int is_full(int rc)
{
    return rc == SQLITE_FULL;
}

const index_failure index_call = {"call", arm_call, disarm_calls, index_is_io_error,
                                  index_is_io_error};
const index_failure index_all_calls = {"every call from number", arm_all_calls, disarm_calls,
                                       index_is_io_error, index_is_io_error};
const index_failure index_full_disk = {"every write from number", arm_full_disk, disarm_calls,
                                       is_full, is_full};

static const char *file_name(void)
{
    return fixture_path("index_faults.db");
}

void index_remove_file(void)
{
    fixture_remove(file_name());
}

sqlite3 *index_open_file(sqlite3 *image)
{
    sqlite3_int64 bytes = 0;
    unsigned char *data = sqlite3_serialize(image, "main", &bytes, 0);
    index_remove_file();
    FILE *file = fopen(file_name(), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, (size_t)bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    sqlite3_free(data);
    sqlite3 *db = index_open(file_name(), "failing");
    vs_test_run(db, "PRAGMA cache_size = 4; PRAGMA cache_spill = 1");
    return db;
}

void index_file_holds(uint64_t state)
{
    sqlite3 *db = index_open(file_name(), NULL);
    if (index_state(db) != state) {
        fail_msg("the file, opened again, holds something else");
    }
    index_close(db);
}

/* ---- changes of shadow tables ---- */

static int fail_code;

/* Not CORRUPT: after it SQLite itself refuses to write until the transaction ends. */
static void arm_any_error(sqlite3 *db, int64_t n)
{
    static const int codes[] = {SQLITE_ERROR,    SQLITE_BUSY,      SQLITE_LOCKED, SQLITE_TOOBIG,
                                SQLITE_READONLY, SQLITE_MISMATCH,  SQLITE_AUTH,   SQLITE_NOMEM,
                                SQLITE_IOERR,    SQLITE_INTERRUPT, SQLITE_FULL};
    static size_t turn;
    (void)db;
    fail_code = codes[turn++ % VS_TEST_COUNT(codes)];
    vs_fault_sql_arm(n, fail_code);
}

static void arm_constraint(sqlite3 *db, int64_t n)
{
    (void)db;
    fail_code = SQLITE_CONSTRAINT;
    vs_fault_sql_arm(n, fail_code);
}

static int64_t disarm_error(sqlite3 *db)
{
    (void)db;
    return vs_fault_sql_disarm();
}

/* IOERR stands for any code where a row is half written: it makes SQLite undo everything. */
static int is_the_code(int rc)
{
    return (rc & 0xff) == fail_code || (rc & 0xff) == SQLITE_IOERR;
}

const index_failure index_any_error = {"change", arm_any_error, disarm_error, is_the_code,
                                       vs_fault_rolls_back};
const index_failure index_constraint = {"change", arm_constraint, disarm_error, is_the_code,
                                        vs_fault_rolls_back};

void index_watch(sqlite3 *db, const char *const *tables, size_t count)
{
    vs_fault_sql_register(db);
    vs_test_run(db, "BEGIN");
    for (size_t i = 0; i < count; i++) {
        vs_fault_sql_watch(db, "AFTER", tables[i]);
    }
    vs_test_run(db, "COMMIT");
}
