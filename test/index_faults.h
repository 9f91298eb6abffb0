/*
 * index_faults.h - what can fail under index_fail_each(): memory, the file, changes of shadow tables.
 *
 * The program has called vs_fault_install, and for files vs_fault_io_register.
 */
#ifndef INDEX_FAULTS_H
#define INDEX_FAULTS_H

#include "index_fixture.h"

/* ---- memory ---- */

extern const index_failure index_allocation;      /* the n-th */
extern const index_failure index_all_allocations; /* it and all after it */

/* ---- the file ---- */

extern const index_failure index_call;      /* the n-th call on the file */
extern const index_failure index_all_calls; /* it and all after it */
extern const index_failure index_full_disk; /* from the n-th write on */

/* Is it an SQLITE_IOERR_...? */
int index_is_io_error(int rc);

/*
 * A file of this process with a copy of the database in `image`, opened by the VFS "failing", with a
 * cache so small that pages are written before the commit; whether it holds this state when it is
 * opened again; and its end.
 */
sqlite3 *index_open_file(sqlite3 *image);
void index_file_holds(uint64_t state);
void index_remove_file(void);

/* ---- changes of shadow tables, by triggers of vs_fault_sql.h ---- */

extern const index_failure index_any_error;  /* the n-th change, with one code after the other */
extern const index_failure index_constraint; /* ... with SQLITE_CONSTRAINT */

/* Registers fail_now() and has it called after every change of these tables. */
void index_watch(sqlite3 *db, const char *const *tables, size_t count);

#endif
