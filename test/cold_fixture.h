/*
 * cold_fixture.h - a vecshard table with vector columns of every kind that can be cold, beside an
 * ordinary table with the same rows; and SQL functions that look into blocks of t_cold.
 *
 *     make_vector(seed, dim)       a random float32 vector
 *     make_on_grid(seed, dim)      one that was computed in half precision and normalised
 *     cold_vectors(data)           all vectors of a block, frame by frame
 */
#ifndef COLD_FIXTURE_H
#define COLD_FIXTURE_H

#include "vs_test.h"

/* Bytes of a block before its frames, and of each frame: of one that is at least a header. */
#define COLD_FRAMES 2
size_t cold_head_bytes(const uint8_t *block, size_t frames[COLD_FRAMES]);

void cold_functions(sqlite3 *db);

/*
 * The tables `t` and `ref` with rows 1 .. count in a new database: columns p (partition key, rowid %
 * 2), f, h, b, g and s (0 to 4: they can be cold), l and u (which cannot), and n, the rowid. A full
 * cell has 64 rows. Some vectors are NULL.
 */
#define COLD_SLOTS 64
#define COLD_COLUMNS 5
void cold_make_tables(sqlite3 *db, int count);

/* Runs a statement on both, %s being the name of the table. */
void cold_run_both(sqlite3 *db, const char *format);

/* Both hold the same bits, and searches of every form give what brute force over `ref` gives, with
 * codes in memory and without. */
void cold_compare_answers(sqlite3 *db);

/* The same, and the integrity check, which writes, finds nothing. */
void cold_compare(sqlite3 *db);

/* How many rows of t_vectors<n> and blocks of t_cold<n> have these bytes among their vectors. */
int64_t cold_count_copies(sqlite3 *db, int vector, const void *bytes, size_t n);

#endif
