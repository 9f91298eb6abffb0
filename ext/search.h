/*
 * search.h - carries out a planned search for one query.
 */
#ifndef VS_SEARCH_H
#define VS_SEARCH_H

#include "normidx.h"

/* A planned search with its query and its prepared statements; run once, or once per batch of a
 * stream. */
typedef struct vs_search {
    vs_conn *conn;   /* borrowed */
    const char *who; /* static */
    vs_plan *plan;   /* borrowed */
    vs_vec query;    /* elements in query_memory */
    vs_scratch query_memory[2];
    vs_scorer scorer;
    vs_rows table_rows; /* opened on first use, one per way of reading */
    vs_rows index_rows;
    vs_rows rows_by_id;
    vs_rows rows_in_range;
    vs_normidx walk;
    vs_counters counters; /* of all runs since vs_search_set_query; added to vec_stats by
                             vs_search_report */
} vs_search;

void vs_search_init(vs_search *search, vs_conn *conn, const char *who, vs_plan *plan);
void vs_search_close(vs_search *search);

/*
 * Sets the query: a vector of the column's type, JSON text, or float32 for a column of another
 * float type (rounded to it; a BLOB without subtype counts as float32 when its size fits the stored
 * vectors so). It is copied. An error, as a sentence, for NaN, infinity, another element type or a
 * malformed vector. `value` is not NULL.
 */
int vs_search_set_query(vs_search *search, sqlite3_value *value, vs_err *err);

/* Reads a query without keeping it: its elements lie in memory[0] or memory[1]. */
int vs_search_read_query(const char *who, vs_plan *plan, sqlite3_value *value, vs_scratch memory[2],
                         vs_vec *out, vs_err *err);

/*
 * Finds the `capacity` best rows that the filter lets pass, sorted by (distance, id), into memory[0
 * .. *out_count). No statement stays open afterwards.
 */
int vs_search_run(vs_search *search, vs_filter *filter, vsk_hit *memory, size_t capacity,
                  size_t *out_count, vs_err *err);

/* Adds the counters to vec_stats. */
void vs_search_report(vs_search *search, const char *operation);

#endif
