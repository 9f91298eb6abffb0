/*
 * rows.h - the vectors of a table, one after the other, through SQLite.
 *
 * A source steps one prepared SELECT on the user's own connection, so it sees the same snapshot and
 * the same uncommitted changes as the statement around it, and every step looks for an interrupt.
 * Nothing stays open once a source is reset.
 */
#ifndef VS_ROWS_H
#define VS_ROWS_H

#include "target.h"
#include "value.h"

/* What to do with a row that holds no usable vector, and what a usable one is. */
typedef struct vs_rows_shape {
    const char *who; /* "vec_search" */
    vsk_type type;
    size_t dim;
    int skip_bad_rows;
} vs_rows_shape;

typedef struct vs_rows {
    const vs_target *target; /* borrowed */
    vs_rows_shape shape;
    sqlite3_stmt *stmt; /* owned: id, vector [, norm] */
    int has_norm;       /* the statement's third column is the norm */
    int has_bounds;     /* its parameters 1 and 2 bound the norm */
    int has_range;      /* or the id */
    int has_vector;     /* its second column is the vector */
    int by_id;          /* the statement reads one row, found by a bound id */
    const int64_t *ids; /* borrowed: rising, for by_id */
    size_t id_count, id_at;
    vs_scratch parsed; /* owned: vectors stored as JSON text */
    int64_t rows_read, rows_skipped;
    /* the current row */
    int64_t id;
    const void *data; /* [shape.dim] elements of shape.type, until the next step */
    double norm;
} vs_rows;

typedef enum vs_rows_order {
    VS_ROWS_TABLE,   /* every row, in the order of the table */
    VS_ROWS_INDEX,   /* the rows that `index` holds, in its order */
    VS_ROWS_RISING,  /* rows of a norm index with norm between two bounds (both belong), by rising
                        norm */
    VS_ROWS_FALLING, /* the same by falling norm */
    VS_ROWS_TOP,     /* all its rows by falling norm: without bounds a step compares no keys */
    VS_ROWS_RISING_IDS, /* the same three without the vectors: from the index alone, data stays NULL
                         */
    VS_ROWS_FALLING_IDS,
    VS_ROWS_TOP_IDS,
    VS_ROWS_RANGE, /* rows with ids between two, both of which belong, by rising id */
    VS_ROWS_BY_ID, /* the rows of a list of ids */
    VS_ROWS_SAMPLE /* for each id of a list, the first row at or after it */
} vs_rows_order;

/*
 * Prepares a source. `index` is needed for the orders that read one. On success the caller owns
 * *out (vs_rows_close); after an error *out owns nothing.
 */
int vs_rows_open(const vs_target *target, const vs_rows_shape *shape, vs_rows_order order,
                 const vs_index *index, vs_rows *out, vs_err *err);
void vs_rows_close(vs_rows *rows);

/* Starts (again) from the beginning: for RISING and FALLING between norm_lo and norm_hi, for RANGE
 * between ids[0] and ids[1], for BY_ID and SAMPLE over ids[0 .. id_count), which must stay valid;
 * otherwise the arguments are ignored. */
int vs_rows_start(vs_rows *rows, double norm_lo, double norm_hi, const int64_t *ids,
                  size_t id_count);

/*
 * The next row that has a vector. SQLITE_ROW: rows->id, data and norm are set. SQLITE_DONE: no
 * more. Anything else is an error. NULL vectors are passed over; a value that is no vector of the
 * shape's type and dimension is an error that names the row, or is counted and passed over.
 * Elements are not checked for NaN: see vs_rows_bad.
 */
int vs_rows_next(vs_rows *rows, vs_err *err);

/*
 * Reports the current row as bad because of a NaN or infinite element, found by its distance.
 * SQLITE_OK when bad rows are skipped (it was counted), else the error.
 */
int vs_rows_bad(vs_rows *rows, vs_err *err);

/* Compares two int64_t for qsort: lists of ids are read in rising order. */
int vs_rows_compare_ids(const void *a, const void *b);

/* Ends reading: no statement stays open. The source can be started again. */
void vs_rows_reset(vs_rows *rows);

#endif
