/*
 * index_plan.h - how a statement reads a vecshard table: chosen in xBestIndex, written into idxStr,
 * read back in xFilter.
 *
 * idxStr is the plan in words, as EXPLAIN QUERY PLAN prints it, and ends with one code per argument
 * of xFilter in braces: memories.embedding exact cosine via codes, where tenant =, k {m0 k c1=b}
 *   m<n>  query of vector column n    k  k    o  options    L O  LIMIT and OFFSET, as hints
 *   d<op> distance                    c<column><op><collation>[i]  a condition; column -1 is the
 * rowid; i: IN with op one of = < l > g n s t u v K G (equal, less, less or equal, greater, greater
 * or equal, not equal, IS, IS NOT, IS NULL, IS NOT NULL, LIKE, GLOB) and collation b, n, r (BINARY,
 * NOCASE, RTRIM).
 */
#ifndef VS_INDEX_PLAN_H
#define VS_INDEX_PLAN_H

#include "conditions.h"

typedef enum vs_index_plan_kind {
    VS_INDEX_SCAN,
    VS_INDEX_SCAN_DOWN,
    VS_INDEX_SEARCH
} vs_index_plan_kind; /* idxNum */

/* xBestIndex. Fills info; an error sentence in err. */
int vs_index_plan_best(vs_store *store, sqlite3_index_info *info, vs_err *err);

/* One argument of xFilter. */
typedef struct vs_index_arg {
    char what;  /* m k o L O d c */
    int number; /* m: vector column; c: column */
    int op;     /* SQLITE_INDEX_CONSTRAINT_... */
    char collation[8];
    int is_in;
} vs_index_arg;

#define VS_INDEX_ARGS_MAX 64
/* Reads the codes back: *out_count of them. SQLITE_INTERNAL when they are none of ours. */
int vs_index_plan_parse(const char *words, vs_index_arg out[VS_INDEX_ARGS_MAX], int *out_count);

#endif
