/*
 * search_fixture.h - tables to search, a reference to compare with, and questions to a connection.
 *
 * The reference is written from the text of kernels/vsk.h ("canonical arithmetic") and of
 * ext/distance.h, without a line shared with them: its distances are equal to the last bit, not
 * merely near.
 */
#ifndef SEARCH_FIXTURE_H
#define SEARCH_FIXTURE_H

#include "vs_test.h"

/* ---- random vectors ---- */

/* How the elements of a table's vectors are spread. */
typedef enum fixture_spread {
    FIXTURE_NORMAL,   /* about the size of 1 */
    FIXTURE_WHOLE,    /* whole numbers from -2 to 2: many equal distances */
    FIXTURE_LOG_NORM, /* one random scale for each vector */
    FIXTURE_HUGE,     /* near the type's largest number */
    FIXTURE_TINY,     /* denormal numbers too */
    FIXTURE_SPREADS
} fixture_spread;

/* Writes dim random elements of `type`, all finite. */
void fixture_vector(uint64_t *random, fixture_spread spread, vsk_type type, size_t dim, void *out);

/* The same vector as JSON text that reads back bit-equal: sqlite3_free. */
char *fixture_json(vsk_type type, const void *vector, size_t dim);

/* ---- the reference ---- */

/* Canonical norm of values[dim]. */
double fixture_norm(const double *values, size_t dim);

/*
 * Canonical distance. 1, or 0 when there is none (a zero vector under cosine). bits: values are 0
 * and 1.
 */
int fixture_distance(vs_metric metric, const double *a, const double *b, size_t dim, double *out);

/* ---- tables ---- */

/*
 * `table`(id INTEGER PRIMARY KEY, v, tag INTEGER) with rows 1 .. count: float32 vectors, tag = id %
 * 10.
 */
void fixture_fill(sqlite3 *db, const char *table, int count, int dim, fixture_spread spread);

/* The same with v = [id, 1], so that the distance to '[0,1]' is the id. */
void fixture_fill_line(sqlite3 *db, const char *table, int count);

/* ---- questions ---- */

/* EXPLAIN QUERY PLAN of the statement, lines joined by "; ": sqlite3_free. */
char *fixture_plan(sqlite3 *db, const char *sql);

/* The plan holds these words. */
void fixture_plan_has(sqlite3 *db, const char *sql, const char *words);

/* No statement of the connection is between two steps; so it must be after each search. */
void fixture_nothing_is_open(sqlite3 *db);

/* The connection works: it searches, writes and commits. */
void fixture_is_usable(sqlite3 *db);

/*
 * Runs one statement to its end, without looking at rows. Returns the result code; the extended one
 * where SQLite gives it.
 */
int fixture_step_all(sqlite3 *db, const char *sql);

/*
 * An open in-memory connection as careful hosts set it up: DEFENSIVE, trusted_schema off, no
 * double-quoted strings, foreign keys.
 */
sqlite3 *fixture_open_careful(void);

/* A path below build/ for a file of this process alone: tests of several builds run side by side.
 * Good until the next call. */
const char *fixture_path(const char *name);

/* An open connection with the extension; flags as for sqlite3_open_v2. vfs NULL: the default one. */
#define FIXTURE_CREATE (SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
sqlite3 *fixture_open_file(const char *path, int flags, const char *vfs);

/* Removes a database file and those that SQLite keeps beside it, where they are. */
void fixture_remove(const char *path);

/* A value of the SQL expression, owned by the caller (sqlite3_value_free). */
sqlite3_value *fixture_value(sqlite3 *db, const char *expression);

#endif
