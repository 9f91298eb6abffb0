/*
 * text_tables.h - a vecshard table with text columns that can be packed, beside an ordinary table
 * with the same rows.
 *
 *     t(v float[32], p INTEGER PARTITION KEY, +meta TEXT, +title VARCHAR(80) COLLATE NOCASE, +raw,
 *       n INTEGER), ref(id, v, p, meta, title, raw, n)
 *
 * Rows 1 to TEXT_ROWS have texts of one kind, a NULL title in each tenth; those from 901 to 908 hold
 * what may be misread: BLOBs that begin like packed texts, numbers, nothing.
 */
#ifndef TEXT_TABLES_H
#define TEXT_TABLES_H

#include "store_fixture.h"
#include "text_fixture.h"

enum { TEXT_ROWS = 400 };

/* SQL that makes them, with make_meta of text_fixture.h; and a new database with them. */
extern const char text_make_rows[];
sqlite3 *text_open_tables(void);

/* Runs a statement on both: the first %s is the name of the table, the second that of its rowid. */
void text_run_both(sqlite3 *db, const char *format);

/* Both hold the same values, of the same types. */
void text_compare(sqlite3 *db);
/* The same, and the integrity check finds nothing. */
void text_compare_and_check(sqlite3 *db);

/* How many texts of the column meta are packed. */
int64_t text_packed(sqlite3 *db);

#endif
