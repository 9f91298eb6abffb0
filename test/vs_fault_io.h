/*
 * vs_fault_io.h - a VFS named "failing" that passes everything on to the default one, and fails the
 * n-th call on a file.
 */
#ifndef VS_FAULT_IO_H
#define VS_FAULT_IO_H

enum {
    VS_FAULT_READ = 1,
    VS_FAULT_WRITE = 2,
    VS_FAULT_SYNC = 4,
    VS_FAULT_TRUNCATE = 8,
    VS_FAULT_ANY_CALL = 15
};

/* Registers the VFS. Nothing waits for the disk: syncs do nothing. Not thread-safe. */
void vs_fault_io_register(void);

/*
 * Fails the n-th call of these kinds from now on (1: the next): that one alone, or with
 * is_persistent it and all after it. The error is `code`, or with 0 the SQLITE_IOERR_... of the
 * call.
 */
void vs_fault_io_arm(long n, int kinds, int code, int is_persistent);

/* Ends failing. Returns how many calls failed since vs_fault_io_arm. */
long vs_fault_io_disarm(void);

#endif
