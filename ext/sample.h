/*
 * sample.h - some values of one column, spread evenly over its table.
 */
#ifndef VS_SAMPLE_H
#define VS_SAMPLE_H

#include "conn.h"

#define VS_SAMPLE_BYTES (32 << 20) /* most that a sample holds */
#define VS_SAMPLE_ROWS_MAX 100000

/* How a vecshard table keeps a column; zeros for a column of any other table. */
typedef struct vs_sample_place {
    int is_indexed;
    char *content; /* owned: "docs.embedding", which has the vectors, and the index none of them */
    int is_half, is_f16; /* store= */
    int can_be_cold;
    int has_cold, has_warm; /* are there vectors in blocks, and others? */
    int can_be_packed,
        has_packed; /* texts: with a dictionary of the table's, by the command tier */
} vs_sample_place;

typedef struct vs_sample {
    char *label;         /* owned: "docs.embedding", for messages */
    int type;            /* SQLITE_BLOB: float32 vectors of one dimension; SQLITE_TEXT */
    unsigned char *data; /* owned: the values one after the other, in the order of their rows */
    size_t *ends;        /* owned: value i ends before data + ends[i] */
    size_t count;        /* at least 1 */
    size_t dim;          /* of vectors */
    double table_rows;   /* rows of the table, NULLs too: an estimate where ids have gaps */
    vs_sample_place place;
} vs_sample;

/*
 * Reads at most `rows` rows (1 .. VS_SAMPLE_ROWS_MAX) of a column, found by id, and fewer where
 * they would have more than VS_SAMPLE_BYTES: all of a table that has no more, else rows spread
 * evenly over the range of the ids. NULLs are passed over. The same table gives the same sample.
 * Costs three look-ups a row and a hundred more, however large the table is.
 *
 *   table, column  as in vs_target_find; or a vecshard table and any column of it
 *
 * On success the caller owns *out (vs_sample_free); after an error it owns nothing. Errors, each a
 * sentence that starts with `who`: those of vs_target_find, another module's table, no value that
 * is not NULL, numbers, TEXT and BLOBs in one column, BLOBs that are no finite float32 vectors or of
 * several sizes, a value beyond VS_SAMPLE_BYTES; SQLITE_NOMEM and whatever reading returned.
 */
int vs_sample_read(vs_conn *conn, const char *who, const char *table, const char *column,
                   size_t rows, vs_sample *out, vs_err *err);
void vs_sample_free(vs_sample *sample);

/* Value i; *out_n is its size in bytes. */
const unsigned char *vs_sample_at(const vs_sample *sample, size_t i, size_t *out_n);

#endif
