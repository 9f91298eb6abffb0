/*
 * index_plan.h - how a statement reads a vecshard table: chosen in xBestIndex, written into idxStr,
 * read back in xFilter.
 *
 * idxStr is the plan in words, as EXPLAIN QUERY PLAN prints it. It ends with codes in braces, the
 * first for the columns that the statement uses, the others one per argument of xFilter:
 *
 *     memories.embedding exact cosine via codes, where tenant =, k {u9 m0 k c1=b}
 *
 *   u<bits>     declared columns that are used, hexadecimal: bit i for column i
 *   m<n>        the query of vector column n
 *   k  o        k, options
 *   L  O        LIMIT and OFFSET: how many rows a stream fetches first
 *   d<op>       a bound of the distance
 *   c<column><op><collation>[i][B][A]
 *               a condition; column -1 is the rowid; i: IN (...); B: true for BLOBs, too; A: by
 *               other affinities, too
 *
 * op: = < l > g n s t u v K G (equal, less, less or equal, greater, greater or equal, not equal,
 * IS, IS NOT, IS NULL, IS NOT NULL, LIKE, GLOB); collation: b n r (BINARY, NOCASE, RTRIM).
 */
#ifndef VS_INDEX_PLAN_H
#define VS_INDEX_PLAN_H

#include "conditions.h"

typedef enum vs_index_plan_kind {
    VS_INDEX_SCAN,
    VS_INDEX_SCAN_DOWN,
    VS_INDEX_SEARCH
} vs_index_plan_kind; /* idxNum */

/* The search that was planned last: all zeros before the first, and once a statement runs. */
typedef struct vs_index_planned {
    int is_there;
    uint64_t used;   /* colUsed */
    int constraints; /* nConstraint */
    double cost;
} vs_index_planned;

/* xBestIndex. Fills info; idxNum is a vs_index_plan_kind, or VS_ARGS_INCOMPLETE for k or options
 * without a query, or VS_ARGS_K_COMPARED. */
int vs_index_plan_best(vs_store *store, vs_index_planned *planned, sqlite3_index_info *info,
                       vs_err *err);

/* One argument of xFilter. */
typedef struct vs_index_arg {
    char what;  /* m k o L O d c */
    int number; /* m: vector column; c: column */
    int op;     /* SQLITE_INDEX_CONSTRAINT_... */
    char collation[8];
    int is_in;
    int or_blob;
    int or_affinity;
} vs_index_arg;

#define VS_INDEX_ARGS_MAX 64
/* Reads the codes back: *out_used the bits of used columns, *out_count arguments. SQLITE_INTERNAL
 * when they are none of ours. */
int vs_index_plan_parse(const char *words, uint64_t *out_used, vs_index_arg out[VS_INDEX_ARGS_MAX],
                        int *out_count);

#endif
