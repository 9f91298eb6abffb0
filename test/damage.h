/*
 * damage.h - small vecshard tables as database images, and the alterations of their shadow tables.
 *
 * An image is made once and copied into memory for each alteration, so that none meets another. A
 * site is one value in a shadow table; it has a number of variants, the same on every run. A test
 * goes through all of them, and a fuzzer picks.
 */
#ifndef DAMAGE_H
#define DAMAGE_H

#include "vs_test.h"

#include "../ext/format.h"

typedef enum damage_kind {
    DAMAGE_PARTED, /* two partition keys, one of the partitions cold; float32, float16 and int8 vectors */
    DAMAGE_KEYED, /* TEXT PRIMARY KEY; store=f16, bit and store=half vectors; packed texts; one cell
                     cold */
    DAMAGE_CONTENT, /* an index over docs */
    DAMAGE_KINDS
} damage_kind;

typedef enum damage_role {
    DAMAGE_INFO,
    DAMAGE_CELLS,
    DAMAGE_PARTS,
    DAMAGE_ROWS,
    DAMAGE_VECTORS,
    DAMAGE_CODES,
    DAMAGE_COLD
} damage_role;

/* One value in a shadow table. For the column of the key the variants are of the row as a whole. */
typedef struct damage_site {
    damage_role role;
    int vector;     /* n of t_vectors<n>, t_codes<n>, t_cold<n> */
    int is_key;     /* the column is the key of the table */
    int is_data;    /* an ordinary value of a row: any other one is as right */
    int is_coded;   /* t_vectors<n>: codes tell what the vectors are */
    char table[24]; /* "t_cells" */
    char column[8]; /* "data" */
    char key[40];   /* as an SQL literal */
    size_t bytes;   /* of a BLOB; 0: another value */
    size_t variants;
} damage_site;

typedef struct damage_image {
    damage_kind kind;
    unsigned char *bytes; /* owned */
    sqlite3_int64 n;
    int vectors; /* columns */
    vs_geometry geometry;
    damage_site *sites; /* owned */
    size_t site_count;
} damage_image;

/* Makes a table `t` of this kind, with full coded cells, a coded cell with free slots, and open
 * ones; and `q`, whose only row has a query for each vector column. */
void damage_build(damage_kind kind, damage_image *out);
void damage_free(damage_image *image);

/* A copy of its own, with the extension; vs_test_close it. Statements without an end are
 * interrupted. */
sqlite3 *damage_open(const damage_image *image);

/* Alters a site. Returns 0 when the variant is no change. *out_is_data: the table is as sound as
 * before, with another value of a row. */
int damage_alter(const damage_image *image, sqlite3 *db, const damage_site *site, size_t variant,
                 int *out_is_data);

/* ---- statements ---- */

typedef enum damage_phase {
    DAMAGE_READ,
    DAMAGE_CHECK, /* integrity-check */
    DAMAGE_WRITE,
    DAMAGE_DROP
} damage_phase;

typedef struct damage_statement {
    unsigned kinds; /* bit of each kind that it is for */
    damage_phase phase;
    const char *sql;
} damage_statement;

extern const damage_statement damage_statements[];
extern const size_t damage_statement_count;

/*
 * Runs a statement. Returns its code, and its result or sentence (sqlite3_free). NULL in *out_fault,
 * or what must not come from any damage: a code that is neither of damage nor an ordinary error, an
 * error without a sentence, memory out of proportion.
 */
int damage_run(sqlite3 *db, const damage_statement *statement, char **out_result,
               const char **out_fault);

#endif
