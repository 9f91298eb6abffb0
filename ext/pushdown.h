/*
 * pushdown.h - the conditions of a statement that vec_search and vec_search_batch apply inside the
 * search.
 *
 * While planning, they are found among the constraints and written into the plan's words ("...;
 * pushed down: id list, distance <"); while executing, they are read back from the words and
 * applied to a filter.
 */
#ifndef VS_PUSHDOWN_H
#define VS_PUSHDOWN_H

#include "collector.h"

/* Columns of vec_search. */
typedef enum vs_search_column {
    VS_COL_ID,
    VS_COL_DISTANCE,
    VS_COL_RANK,
    VS_COL_TBL,
    VS_COL_COL,
    VS_COL_QUERY,
    VS_COL_K,
    VS_COL_OPTIONS,
    VS_COL_DEVICE,
    VS_COL_COUNT
} vs_search_column;

typedef enum vs_push {
    VS_PUSH_OPTIONS, /* an argument, not a condition: options without k (WHERE s.options = ...) */
    VS_PUSH_ID_LIST, /* id IN (...), read all at once */
    VS_PUSH_ID_EQ,
    VS_PUSH_DISTANCE_LT,
    VS_PUSH_DISTANCE_LE,
    VS_PUSH_DISTANCE_GT,
    VS_PUSH_DISTANCE_GE,
    VS_PUSH_DISTANCE_EQ,
    VS_PUSH_RANK_LT,
    VS_PUSH_RANK_LE,
    VS_PUSH_LIMIT, /* LIMIT and OFFSET are hints: SQLite applies them itself */
    VS_PUSH_OFFSET,
    VS_PUSH_QUERY_EQ, /* query_no, of a batch */
    VS_PUSH_QUERY_LT,
    VS_PUSH_QUERY_LE,
    VS_PUSH_QUERY_GT,
    VS_PUSH_QUERY_GE,
    VS_PUSH_KINDS
} vs_push;

/* conditions of one search; further ones are left to SQLite in a stream, and are an error with k */
#define VS_PUSH_MAX 16

/* What conditions are looked for: of vec_search or vec_search_batch. */
typedef struct vs_push_table {
    const char *who;        /* named in messages. Static */
    int id, distance, rank; /* numbers of these columns */
    int query_no;           /* the same; VS_PUSH_NO_COLUMN: there is none */
    int has_stream;         /* LIMIT and OFFSET tell something */
} vs_push_table;

#define VS_PUSH_NO_COLUMN (-2) /* -1 is the rowid */

/* idxNum is the strategy plus this times the number of conditions that the words end with. */
#define VS_PUSH_UNIT 16

typedef struct vs_pushdown {
    size_t count;
    vs_push kinds[VS_PUSH_MAX];
    int constraints[VS_PUSH_MAX]; /* numbers in sqlite3_index_info */
} vs_pushdown;

/* ---- planning ---- */

/*
 * Finds the conditions.
 *
 *   has_k    the search has a k: then every condition on id IN and distance must be applied before
 *            the k nearest are chosen
 *   options  constraint of the options argument when it comes without k, else -1
 *
 * SQLITE_CONSTRAINT: not in the plan under consideration; SQLITE_ERROR with a sentence for more
 * than VS_PUSH_MAX of them.
 */
int vs_pushdown_find(const vs_push_table *table, sqlite3_index_info *info, int has_k, int options,
                     vs_pushdown *out, vs_err *err);

/* Does it hold a condition of this kind? */
int vs_pushdown_has(const vs_pushdown *pushdown, vs_push kind);

/* Is there a condition on query_no whose other side is no literal? It may follow from another table;
 * then one batch for all of its rows costs less. */
int vs_pushdown_follows(sqlite3_index_info *info, const vs_pushdown *pushdown);

/* Makes the conditions arguments number first_argument, ... of xFilter and appends their words. */
void vs_pushdown_claim(sqlite3_index_info *info, const vs_pushdown *pushdown, int first_argument,
                       sqlite3_str *words);

/* ---- executing ---- */

/* Reads `count` kinds back from the end of the plan's words. SQLITE_INTERNAL when they are not
 * there. */
int vs_pushdown_parse(const char *words, size_t count, vs_pushdown *out);

typedef struct vs_id_list {
    int64_t *ids; /* owned: rising, no duplicates */
    size_t count, capacity;
} vs_id_list;

/* Lists that filters borrow, kept by a cursor so that their memory is reused. */
typedef struct vs_id_lists {
    vs_id_list all;  /* what every condition on id allows */
    vs_id_list next; /* one further condition, while the two are intersected */
} vs_id_lists;
void vs_id_lists_free(vs_id_lists *lists);

/* What the conditions say beside the filter. */
typedef struct vs_wanted {
    int64_t
        rows; /* in: k, or INT64_MAX for a stream; out: no more than the conditions on rank allow */
    int64_t hint;               /* out: rows that LIMIT and OFFSET ask for; 0: unknown */
    int64_t query_lo, query_hi; /* out: of a batch, the queries that are asked for, both included */
} vs_wanted;

/* Applies the conditions, whose values are argv[0], argv[1], ..., to the filter, which borrows from
 * lists. SQLITE_OK, SQLITE_NOMEM or what a list's subquery returned. */
int vs_pushdown_apply(const vs_pushdown *pushdown, sqlite3_value **argv, vs_id_lists *lists,
                      vs_filter *filter, vs_wanted *wanted);

#endif
