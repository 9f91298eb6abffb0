/*
 * index_race.h - a vecshard table for tests with several connections, threads and processes.
 *
 * Nothing here asserts: it also runs where cmocka cannot, on other threads and in child processes.
 */
#ifndef INDEX_RACE_H
#define INDEX_RACE_H

#include "vs_test.h"

#define INDEX_DIM 400
#define INDEX_NEAR_DIM 128
#define INDEX_ROWID_MAX 700

/* Columns of the table, behind `CREATE VIRTUAL TABLE name USING vecshard`; and of its plain twin. */
#define INDEX_COLUMNS "(v float[400], part INTEGER PARTITION KEY, n INTEGER, lang TEXT)"
#define INDEX_PLAIN_COLUMNS "(id INTEGER PRIMARY KEY, v BLOB, part INTEGER, n INTEGER, lang TEXT)"

/*
 * Opens a connection with the extension and three functions: test_vector(n), a float32 BLOB of
 * INDEX_DIM elements that depends on n alone, with clusters and exact ties (with a second argument
 * as many of them, n, n + 1, ...); test_near(n), one of INDEX_NEAR_DIM elements near a few
 * directions, so that a front plane pays; and test_fail(x), an error when x is true. NULL when that
 * fails.
 */
sqlite3 *race_open(const char *path);

/* sqlite3_exec without a message. */
int race_run(sqlite3 *db, const char *sql);

/* One integer; `otherwise` when there is none. */
int64_t race_integer(sqlite3 *db, const char *sql, int64_t otherwise);

/* Removes a database file with its journals. */
void race_remove(const char *path);

uint32_t race_pick(uint64_t *random, uint32_t n);

/*
 * A random change of rows 1 .. INDEX_ROWID_MAX of `table`: insert, replace, update, delete. `key`
 * is the name of its rowid column. sqlite3_free.
 */
char *race_change(uint64_t *random, const char *table, const char *key);

/*
 * Compares two statements' rows as numbers, bit by bit. Returns SQLite's result code; *why is NULL
 * when they are equal, else a sentence (sqlite3_free).
 */
int race_compare_sql(sqlite3 *db, const char *found_sql, const char *truth_sql, char **why);

/*
 * Searches table t in one of its forms, with or without a filter, and compares rows and distances
 * with brute force over the table's own vectors. Both read what the connection sees: within a
 * transaction, one snapshot. Result and *why are those of race_compare_sql.
 */
int race_compare(sqlite3 *db, uint64_t *random, char **why);

/* The same with vec_search_batch and `count` queries. */
int race_compare_batch(sqlite3 *db, uint64_t *random, int count, char **why);

#endif
