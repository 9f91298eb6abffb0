/*
 * store_fixture.h - the store behind a vecshard table that SQL made, for tests of what reads it.
 *
 * One connection in memory with the extension; its table is reached by a context and a store of the
 * test's own.
 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "search_fixture.h"

#include "../ext/store.h"

/* Commands of a table `t`. */
#define COLD "INSERT INTO t(t, arg) VALUES ('tier', 'cold')"
#define WARM "INSERT INTO t(t, arg) VALUES ('tier', 'warm')"
#define CHECK "INSERT INTO t(t) VALUES ('integrity-check')"

typedef struct store_fixture {
    sqlite3 *db;
    vs_conn *conn;
    vs_store store;
    vs_err err;
} store_fixture;

/* Opens a connection and runs the statements, which make the table `main.t`; then opens its store.
 */
void fixture_open_store(store_fixture *fixture, const char *sql);
void fixture_close_store(store_fixture *fixture);

/* The same for a connection that is there, and that stays. */
void fixture_join_store(store_fixture *fixture, sqlite3 *db);
void fixture_leave_store(store_fixture *fixture);

/*
 * A table of several cells of 64 rows: t(v float[1024], p INTEGER PARTITION KEY, w int8[4], n
 * INTEGER) with rows 1 .. count; p is the rowid modulo 3, n the rowid, and the vectors are random.
 */
void fixture_open_cells(store_fixture *fixture, int count);

/* Rows of it, all elements of v moved by `shift`. */
void fixture_insert_cells(sqlite3 *db, int first, int count, float shift);

/* A number from SQL. */
int64_t fixture_number(sqlite3 *db, const char *sql);

/* Runs statements beside the store, which forgets what it knew as it does at the end of a
 * transaction. */
void fixture_run(store_fixture *fixture, const char *sql);

/* The call succeeded. */
void fixture_must(store_fixture *fixture, int rc);

/* The call failed with this code and with a sentence that has these words. */
void fixture_must_fail(store_fixture *fixture, int rc, int expected, const char *words);

#endif
