/*
 * model.h - a vecshard table beside a plain table `ref` with the same rows: what both are like,
 * and random operations on them.
 *
 * In statements that run on both, @ stands for the vecshard table, $ for its name without schema,
 * and # for the table that is changed: the vecshard table, or with content= the one it indexes.
 *
 *   model_vectors.c  kinds of vector columns, random vectors
 *   model_tables.c   databases and tables of a case
 *   model_changes.c  INSERT, UPDATE, DELETE, transactions
 *   model_search.c   searches of every form, and all rows, compared
 *   model_tiers.c    cold and warm vectors and texts
 *   model_files.c    upkeep, copies of the database, reopening, what is left of removed vectors
 *   model_steps.c    the mix of all these
 */
#ifndef MODEL_H
#define MODEL_H

#include "../vs_test.h"

#include <stdio.h>

#define MODEL_VECTORS 3
#define MODEL_DIM_MAX 1024
#define MODEL_BYTES_MAX (4 * MODEL_DIM_MAX)

typedef struct model_kind {
    const char *declaration; /* of the column, after its name */
    const char *type;        /* constructor that reads a BLOB of the column */
    const char *metric;
    size_t dim;
    char element; /* f: float32, h: float16, i: int8, b: bits */
    int is_grid;  /* values that float16 holds exactly */
    int bulk;     /* rows of one bulk insert: enough to fill cells */
} model_kind;

typedef struct model {
    uint64_t seed, random;
    int step;
    sqlite3 *db;
    /* the tables */
    const model_kind *kinds[MODEL_VECTORS]; /* of v0, v1, v2 */
    int vectors;
    const char *schema; /* main, temp or other */
    const char *table;  /* the vecshard table's name of the moment, without schema */
    int is_content;     /* it indexes the table `base` */
    int has_key;        /* key is unique */
    int has_parts;      /* part is a partition key */
    int has_text;       /* title is auxiliary, so that its texts can be packed */
    int is_stale;       /* with content=: a REPLACE may have left entries of removed rows */
    /* the database */
    char path[48];  /* of main; empty: in memory */
    char other[48]; /* of the attached one; empty: in memory */
    int page_size, auto_vacuum, secure_delete, is_wal;
    int is_copy; /* of another case's database */
    /* the transaction */
    int depth; /* 0: none; 1: in one; more: savepoints */
} model;

#define MODEL_FAIL(test, ...)                                                                      \
    do {                                                                                           \
        model_describe(test);                                                                      \
        fail_msg(__VA_ARGS__);                                                                     \
    } while (0)

/* Prints how to run the case again. */
void model_describe(const model *test);

/* 0 to n - 1. */
uint32_t model_pick(model *test, uint32_t n);

/* ---- model_vectors.c */
const model_kind *model_any_kind(model *test);
size_t model_vector_bytes(const model_kind *kind);
/* Values that make many ties, some clusters, and a few vectors of extreme sizes. */
void model_make_vector(model *test, const model_kind *kind, unsigned char *out);
/* The same as a BLOB literal. */
void model_append_vector(model *test, const model_kind *kind, sqlite3_str *sql);
/* A value that is no vector of the column: of a wrong size or type, or with a NaN. */
void model_append_bad(model *test, const model_kind *kind, sqlite3_str *sql);
/* SQL: column `name` holds what model_append_bad makes. sqlite3_malloc'ed. */
char *model_is_bad(const model_kind *kind, const char *name);

/* ---- model_tables.c */
void model_open(model *test);
void model_close(model *test);
void model_create(model *test);
void model_drop(model *test);
/* TEMP TABLE src: rows for bulk inserts, made anew after opening. */
void model_fill_source(model *test);

/* ---- statements */
/* With @, $ and # replaced; for the plain table when is_ref. sqlite3_malloc'ed. */
char *model_sql(const model *test, const char *sql, int is_ref);
sqlite3_stmt *model_prepare(model *test, const char *sql);
/* Runs statements that must succeed. */
void model_run(model *test, const char *sql);
int64_t model_number(model *test, const char *sql);

/* ---- model_changes.c */
void model_change(model *test);
void model_move_transaction(model *test);
void model_end_transaction(model *test);

/* ---- model_search.c */
void model_compare_rows(model *test);
void model_compare_search(model *test);

/* ---- model_tiers.c */
/* Seals the table, or one of its partitions, or brings it back: vectors and texts. */
void model_tier(model *test);
/* Do blocks of a column have these bytes among their vectors? */
int model_blocks_have(model *test, int column, const void *bytes, size_t n);

/* ---- model_files.c */
void model_upkeep(model *test);
void model_check(model *test);
/* A copy of the database, or the database opened anew, answers alike. */
void model_copy(model *test);
/* With secure_delete, a vector that was removed is nowhere in the database. */
void model_forget(model *test);

/* ---- model_steps.c */
/* Random operations of all kinds. */
void model_steps(model *test, int count);

#endif
