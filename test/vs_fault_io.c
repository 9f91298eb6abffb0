/*
 * vs_fault_io.c - a VFS that fails the n-th call on a file.
 *
 * Calls: SQLite's default VFS.  Called by: tests.  Threads: one.
 */
#include "vs_fault_io.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct io_handle {
    sqlite3_file base;
    sqlite3_file *inner; /* behind this structure */
} io_handle;

static sqlite3_vfs *io_inner;
static sqlite3_vfs io_vfs;
static long io_countdown; /* calls until the one that fails; 0: none does */
static int io_kinds, io_code, io_is_persistent;
static long io_failures;

static sqlite3_file *io_of(sqlite3_file *file)
{
    return ((io_handle *)(void *)file)->inner;
}

/* What this call is to give: SQLITE_OK, or the error. */
static int io_strikes(int kind, int own_code)
{
    if ((io_kinds & kind) != 0 && io_countdown > 0 && --io_countdown == 0) {
        io_countdown = io_is_persistent; /* the next one too */
        io_failures++;
        return io_code != 0 ? io_code : own_code;
    }
    return SQLITE_OK;
}

static int io_close(sqlite3_file *file)
{
    return io_of(file)->pMethods == NULL ? SQLITE_OK : io_of(file)->pMethods->xClose(io_of(file));
}

static int io_read(sqlite3_file *file, void *out, int bytes, sqlite3_int64 at)
{
    int rc = io_strikes(VS_FAULT_READ, SQLITE_IOERR_READ);
    return rc != SQLITE_OK ? rc : io_of(file)->pMethods->xRead(io_of(file), out, bytes, at);
}

static int io_write(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 at)
{
    int rc = io_strikes(VS_FAULT_WRITE, SQLITE_IOERR_WRITE);
    return rc != SQLITE_OK ? rc : io_of(file)->pMethods->xWrite(io_of(file), data, bytes, at);
}

static int io_truncate(sqlite3_file *file, sqlite3_int64 bytes)
{
    int rc = io_strikes(VS_FAULT_TRUNCATE, SQLITE_IOERR_TRUNCATE);
    return rc != SQLITE_OK ? rc : io_of(file)->pMethods->xTruncate(io_of(file), bytes);
}

/* Nothing waits for the disk: no test pulls the plug. */
static int io_sync(sqlite3_file *file, int flags)
{
    (void)file;
    (void)flags;
    return io_strikes(VS_FAULT_SYNC, SQLITE_IOERR_FSYNC);
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
    static const sqlite3_io_methods methods = {
        .iVersion = 1,
        .xClose = io_close,
        .xRead = io_read,
        .xWrite = io_write,
        .xTruncate = io_truncate,
        .xSync = io_sync,
        .xFileSize = io_size,
        .xLock = io_lock,
        .xUnlock = io_unlock,
        .xCheckReservedLock = io_check_lock,
        .xFileControl = io_control,
        .xSectorSize = io_sector,
        .xDeviceCharacteristics = io_characteristics,
    };
    io_handle *handle = (io_handle *)(void *)file;
    (void)vfs;
    handle->inner = (sqlite3_file *)(void *)(handle + 1);
    memset(handle->inner, 0, (size_t)io_inner->szOsFile);
    int rc = io_inner->xOpen(io_inner, name, handle->inner, flags, out_flags);
    handle->base.pMethods = rc == SQLITE_OK ? &methods : NULL;
    return rc;
}

static int io_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    (void)vfs;
    (void)sync_directory;
    return io_inner->xDelete(io_inner, name, 0);
}

void vs_fault_io_register(void)
{
    io_inner = sqlite3_vfs_find(NULL);
    io_vfs = *io_inner;
    io_vfs.zName = "failing";
    io_vfs.szOsFile = (int)sizeof(io_handle) + io_inner->szOsFile;
    io_vfs.xOpen = io_open;
    io_vfs.xDelete = io_delete;
    if (sqlite3_vfs_register(&io_vfs, 0) != SQLITE_OK) {
        fprintf(stderr, "vs_fault_io_register: no memory\n");
        exit(1);
    }
}

void vs_fault_io_arm(long n, int kinds, int code, int is_persistent)
{
    io_kinds = kinds;
    io_code = code;
    io_is_persistent = is_persistent;
    io_failures = 0;
    io_countdown = n;
}

long vs_fault_io_disarm(void)
{
    io_countdown = 0;
    return io_failures;
}
