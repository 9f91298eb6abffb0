/*
 * plan.h - which way a search reads its table, chosen by estimated cost, and the words for it.
 */
#ifndef VS_PLAN_H
#define VS_PLAN_H

#include "conn.h"
#include "options.h"

typedef enum vs_strategy {
    VS_BY_PASS, /* every row of the table, once */
    VS_BY_NORM, /* rows of a norm index in the order that prunes, each fetched from the table */
    VS_BY_COVERING_NORM, /* the same, the vector read from the index itself */
    VS_BY_INDEX,         /* the rows that a named index holds, all of them */
    VS_BY_ID, /* the rows of a list of ids, one by one; by a pass when the list is long */
    VS_BY_VECSHARD /* a vecshard table: the one named, or an index over the one named */
} vs_strategy;

typedef struct vs_plan {
    vs_target target;   /* owned */
    vs_options options; /* owned */
    vs_strategy strategy;
    const vs_index *index;      /* borrowed from target or named; NULL for VS_BY_PASS */
    struct vs_indexed *indexed; /* owned: for VS_BY_VECSHARD; else NULL */
    vs_index named;             /* owned: the index that the options name */
    double rows;                /* of the table, estimated */
    size_t row_bytes;           /* of a stored vector; a guess until one was seen */
    double estimate;            /* rows that the search will read, estimated */
    const char *device_words;   /* ", dev=auto" or the like, where a GPU may take it. Static */
} vs_plan;

#define VS_PLAN_K_DEFAULT 64 /* rows that a stream fetches first */

/*
 * Finds table, column and indexes and chooses a strategy.
 *
 *   who      named in messages
 *   options  JSON text or NULL
 *   k        rows wanted; VS_PLAN_K_DEFAULT for a stream; 0 is planned as 1
 *
 * On success the caller owns *out (vs_plan_free); after an error it owns nothing. Reads the schema
 * and a few hundred rows, writes nothing.
 */
int vs_plan_make(vs_conn *conn, const char *who, const char *table, const char *column,
                 const char *options, int64_t k, vs_plan *out, vs_err *err);
void vs_plan_free(vs_plan *plan);

/*
 * vs_plan_make for xBestIndex. SQLite turns every error there into SQLITE_ERROR, so one that the
 * host must see as it is (busy, interrupted, a failing disk) is left to xFilter: then *out_known is
 * 0, *out owns nothing and the result is SQLITE_OK.
 */
int vs_plan_make_early(vs_conn *conn, const char *who, const char *table, const char *column,
                       const char *options, int64_t k, vs_plan *out, int *out_known, vs_err *err);
#define VS_PLAN_WORDS_LATER "planned at run time, when table, column and options are known"

/* Turns a plan into one that reads every row once (all rows of the index that the options name):
 * what a batch of queries does. */
void vs_plan_to_pass(vs_plan *plan);

/*
 * The plan in words, for EXPLAIN QUERY PLAN: "docs.embedding exact l2 via norm index docs_norm
 * (est. 1,240 of 100,000 rows)". sqlite3_malloc'ed; NULL without memory.
 */
char *vs_plan_words(const vs_plan *plan);

/*
 * The plan's name in vec_stats: "pass", "norm index", "covering norm index", "named index", "id
 * list", each with "approximate " before it under a norm band. Static.
 */
const char *vs_plan_name(const vs_plan *plan);

/* Turns a plan into one that reads the rows of a list of ids, unless the options name an index: its
 * rows are then filtered by the list. */
void vs_plan_to_ids(vs_plan *plan);

/*
 * Dimension that most of the table's first vectors have, which also gives plan->row_bytes; 0 when
 * none was found: among the first rows, or, when is_thorough, in the whole table.
 */
int vs_plan_stored_dim(vs_plan *plan, const char *who, int is_thorough, size_t *out, vs_err *err);

/* Estimated time of reading `rows` vectors of the plan's table by a strategy, in microseconds. */
double vs_plan_cost(const vs_plan *plan, vs_strategy strategy, double rows);

#endif
