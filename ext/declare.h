/*
 * declare.h - the arguments of CREATE VIRTUAL TABLE ... USING vecshard(...), read and checked.
 *
 *     embedding float[384] distance_metric=cosine store=f16    a vector column
 *     tenant INTEGER PARTITION KEY                             a partition key
 *     id TEXT PRIMARY KEY                                      a key beside the rowid;
 *     id INTEGER PRIMARY KEY                                   with INTEGER (or INT): the rowid
 *     lang TEXT COLLATE NOCASE                                 metadata
 *     +title TEXT                                              auxiliary
 *     content=docs, content_rowid=id, chunk_size=1024          options of the table
 */
#ifndef VS_DECLARE_H
#define VS_DECLARE_H

#include "error.h"

/* Declared columns: SQLite tells which are used for the first 63 only, and seven are hidden. */
#define VS_COLUMNS_MAX 48
#define VS_VECTORS_MAX 8            /* vector columns of a table */
#define VS_DECLARE_CODED_DIM_MIN 32 /* below, a column has no codes */
#define VS_DECLARE_HALF_DIM_MIN 8   /* with store=half: below, its records are hardly smaller */

typedef enum vs_column_kind {
    VS_COLUMN_VECTOR,
    VS_COLUMN_PARTITION,
    VS_COLUMN_METADATA,
    VS_COLUMN_AUXILIARY,
    VS_COLUMN_KEY,  /* id TEXT PRIMARY KEY: stored, unique */
    VS_COLUMN_ROWID /* id INTEGER PRIMARY KEY: another name for the rowid, stored nowhere else */
} vs_column_kind;

typedef struct vs_vector_spec {
    vsk_type type;    /* element type that users see */
    vsk_type stored;  /* float16 with store=f16, else the same */
    size_t dim;       /* 1 .. VS_DIM_MAX; bit: a multiple of 8 */
    vs_metric metric; /* one that the type takes; default l2, for bit hamming */
    int column;       /* its number among the declared columns */
    int is_half;      /* store=half: kept as float16 over one norm where that loses no bit */
} vs_vector_spec;

typedef struct vs_column_spec {
    vs_column_kind kind;
    char *name;     /* owned */
    char *type_sql; /* owned: type and COLLATE clause as SQL that is safe to paste, for example
                       TEXT COLLATE "NOCASE"; empty for none; NULL for vector columns */
    int vector;     /* number among the vector columns; -1 for others */
} vs_column_spec;

typedef struct vs_declaration {
    vs_column_spec columns[VS_COLUMNS_MAX]; /* in the order of the declaration */
    int column_count;
    vs_vector_spec vectors[VS_VECTORS_MAX];
    int vector_count;    /* at least 1 */
    int partition_count; /* partition keys */
    int key;             /* number of the column of kind KEY or ROWID, or -1 */
    char *content;       /* owned: table whose rows are indexed; NULL: the table holds its own */
    char *content_rowid; /* owned: its id column, "rowid" unless told; NULL without content */
} vs_declaration;

/*
 * Reads the arguments, which are the text between the commas of USING vecshard(...), comments and
 * all.
 *
 *   who  begins messages: "vecshard: memories"
 *
 * Accepted: names quoted in every way of SQLite ("a", [a], `a`, 'a'), any case of keywords; element
 * types float, float32, f32, float16, f16, bfloat16, bf16, int8, i8, bit, binary with [dim];
 * options of a vector column distance_metric= (also metric=) and store=f32|f16|half; type names of one
 * or more words with (n) or (n,m), COLLATE name, for the others. chunk_size=n is accepted and has
 * no effect. The content table is in the schema of the virtual table: no schema prefix.
 *
 * Errors, each a sentence with the text that is wrong and what is expected: no vector column, a
 * name twice or a reserved one (rowid, distance, k, query, options, arg, rank), an unknown type,
 * dim out of range or bits no multiple of 8, a metric that the type does not take, two primary
 * keys, NOT NULL, UNIQUE, DEFAULT, CHECK and other constraints (not supported), too many columns,
 * store=f16 or half for a type other than float32, half for fewer than 8 dimensions, names over VS_NAME_BYTES_MAX bytes.
 *
 * SQLITE_ERROR or SQLITE_NOMEM; then *out owns nothing. No SQL is run; nothing but bytes is
 * trusted.
 */
int vs_declare_parse(const char *who, int argc, const char *const *argv, vs_declaration *out,
                     vs_err *err);
void vs_declare_free(vs_declaration *declaration);

/*
 * May the virtual table have this name? The command column has the name of its table, so no other
 * column may. SQLITE_OK, or SQLITE_ERROR with a sentence. For xCreate and xRename.
 */
int vs_declare_check_table(const char *who, const vs_declaration *declaration, const char *table,
                           vs_err *err);

/*
 * The schema for sqlite3_declare_vtab: the declared columns, then hidden query, k, options,
 * distance, the command column (named like the table), arg and _device. sqlite3_malloc'ed; NULL
 * without memory.
 *
 *     CREATE TABLE x("embedding", "tenant" INTEGER, ..., "query" HIDDEN, "k" HIDDEN,
 *                    "options" HIDDEN, "distance" HIDDEN, "memories" HIDDEN, "arg" HIDDEN,
 *                    "_device" HIDDEN)
 *
 * A key column of kind KEY is declared with its type only: SQLite keeps the rowid.
 */
char *vs_declare_schema(const vs_declaration *declaration, const char *table);

/* Numbers of the hidden columns: declaration->column_count + one of these. */
enum {
    VS_HIDDEN_QUERY,
    VS_HIDDEN_K,
    VS_HIDDEN_OPTIONS,
    VS_HIDDEN_DISTANCE,
    VS_HIDDEN_COMMAND,
    VS_HIDDEN_ARG,
    VS_HIDDEN_DEVICE,
    VS_HIDDEN_COUNT
};

/*
 * The declaration as text that vs_declare_from_text reads again (one argument a line; canonical
 * spelling: equal declarations have equal texts, in every version of SQLite): what t_info keeps,
 * so that a table can be opened without its CREATE statement. sqlite3_malloc'ed; NULL without
 * memory. Text from a file may be anything: SQLITE_CORRUPT_VTAB with a sentence.
 */
char *vs_declare_text(const vs_declaration *declaration);
int vs_declare_from_text(const char *who, const char *text, vs_declaration *out, vs_err *err);

/* Affinity of a column that is no vector, by SQLite's rules for names of types. */
typedef enum vs_affinity {
    VS_AFFINITY_NUMBER, /* INTEGER, REAL, NUMERIC */
    VS_AFFINITY_TEXT,
    VS_AFFINITY_NONE
} vs_affinity;
vs_affinity vs_declare_affinity(const vs_column_spec *column);

/* Has such a column REAL affinity? It keeps whole numbers as doubles. */
int vs_declare_is_real(const vs_column_spec *column);

/* The COLLATE clause of such a column, within its type_sql: "" where it has none. */
const char *vs_declare_collation(const vs_column_spec *column);

/* Does the column keep codes beside its vectors? Float elements with l2, l2sq, cosine or dot, of 32
 * or more dimensions. */
int vs_declare_is_coded(const vs_vector_spec *vector);

#endif
