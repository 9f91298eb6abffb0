/*
 * maint.h - commands on a vecshard table: INSERT INTO t(t) VALUES('optimize'), INSERT INTO t(t,
 * arg) VALUES('merge', 500).
 */
#ifndef VS_MAINT_H
#define VS_MAINT_H

#include "store.h"

/*
 * Carries out one command.
 *
 * - optimize: empties sparse cells into others and gives their space back, and codes again where the
 *   anchor is far from the mean. arg: at most so many rows (default: all). Resumable: each call goes
 *   on where the table is. Interruptible: in its own transaction SQLite rolls back what was done
 *   before the interrupt, so large tables take several calls with arg.
 * - merge: the same as optimize with arg.
 * - rebuild: makes every cell and code anew, from the table's own vectors, or from the content table.
 * - integrity-check: compares all shadow tables with each other. An error (SQLITE_CORRUPT_VTAB) with
 *   the first findings; no effect otherwise.
 * - tier: arg 'cold' seals the full vectors of coded cells into compressed blocks, and packs texts of
 *   auxiliary columns; 'warm' brings them back. columns [column_count] are the values given beside:
 *   of the partition with these keys, where any is not NULL.
 *
 * Unknown commands are errors that list these. Progress in vec_jobs.
 */
int vs_maint_command(vs_store *store, sqlite3_value *command, sqlite3_value *arg,
                     sqlite3_value *const *columns, vs_err *err);

/* The check alone: *out_report is NULL or the findings, one per line, at most 100
 * (sqlite3_malloc'ed). is_quick: leave out what reads full vectors. Returns other codes than
 * SQLITE_OK only for errors of reading (busy, no memory, ...). Read only. */
int vs_maint_check(const vs_store *store, int is_quick, char **out_report, vs_err *err);

#endif
