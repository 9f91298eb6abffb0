/*
 * vs_fault_sql.h - an SQL function for triggers, fail_now(), whose n-th call fails with any error
 * code.
 */
#ifndef VS_FAULT_SQL_H
#define VS_FAULT_SQL_H

#include <sqlite3.h>
#include <stdint.h>

/* Makes fail_now() a function of the connection. Not thread-safe: it counts for all of them. */
void vs_fault_sql_register(sqlite3 *db);

/* Calls it BEFORE or AFTER every INSERT, UPDATE and DELETE of a row of the table. */
void vs_fault_sql_watch(sqlite3 *db, const char *when, const char *table);

/* Fails the n-th call from now on (1: the next), that one alone. */
void vs_fault_sql_arm(int64_t n, int code);

/* Ends failing. Returns how many calls failed since vs_fault_sql_arm: 0 or 1. */
int vs_fault_sql_disarm(void);

/* May SQLite end a transaction, and undo it, when a statement in it ends with this result? */
int vs_fault_rolls_back(int rc);

#endif
