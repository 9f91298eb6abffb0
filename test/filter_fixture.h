/*
 * filter_fixture.h - a vecshard table `t` beside an ordinary table `plain` with the same rows, and
 * the comparison of a search in one with brute force in the other.
 *
 * Vectors lie close to a few directions, so that front planes pay, unless there is much noise. Of
 * the metadata n is random and c rises with the id, both within 0 .. 999.
 */
#ifndef FILTER_FIXTURE_H
#define FILTER_FIXTURE_H

#include "vs_test.h"

#define FILTER_DIRECTIONS 6
#define FILTER_DIM_MAX 5120
#define FILTER_LESSONS 40 /* searches until front planes are there */

typedef struct filter_table {
    sqlite3 *db;
    const char *metric;
    const char *columns; /* of t, beside v, n and c: "w float[8], "; NULL: none */
    int rows, dim;
    float noise; /* beside the directions: much of it, and no front plane pays */
    float directions[FILTER_DIRECTIONS][FILTER_DIM_MAX];
    uint64_t random;
} filter_table;

/* A connection in memory with the tables, and `query`(no, v). Vectors of rows from `equal` on are
 * those of the row before; others are NULL in each 97th row. */
void filter_open(filter_table *table, int equal);

/* Closes it; settings are the defaults again. */
void filter_close(filter_table *table);

/* From -1 to 1. */
float filter_uniform(uint64_t *random);

/* The next vector of the table's kind: out [dim]. */
void filter_fill(filter_table *table, float *out);

/* Runs a statement with an id as ?1 and a vector [dim] as ?2. */
void filter_put(const filter_table *table, const char *sql, int64_t id, const float *vector);

/* Stores a query under a number, or a new one of the table's kind. */
void filter_put_query(filter_table *table, int64_t number, const float *vector);
void filter_new_query(filter_table *table, int64_t number);

/* A search with query 0 for the k nearest rows under a condition gives the ids and distances of
 * brute force. */
void filter_compare(filter_table *table, const char *condition, int k);

/* The same for another vector column, and another query. */
void filter_compare_column(filter_table *table, const char *column, const char *metric, int query,
                           const char *condition, int k);

/* Searches until front planes are there, where they pay. */
void filter_learn(filter_table *table);

#endif
