/*
 * store.h - the shadow tables of one vecshard table: created, read, written.
 *
 * A store belongs to one connection and one table; a virtual table has one, and so has every search
 * that reaches the table by its name. It writes through: nothing waits in memory, so SQLite's own
 * journal undoes it. Each row operation validates first, writes the head's stamp, then payload that
 * nothing refers to, and the cell's row and the row's row at the end. A write that fails after the
 * first one returns SQLITE_IOERR where the true code would not roll the transaction back (all but
 * NOMEM, INTERRUPT, IOERR, FULL and their extended forms), with the true reason in the sentence.
 */
#ifndef VS_STORE_H
#define VS_STORE_H

#include "conn.h"
#include "format.h"

typedef enum vs_store_statement {
    VS_SQL_HEAD, /* data of the head row */
    VS_SQL_HEAD_SET,
    VS_SQL_CELLS, /* id, part, data of all cells by id */
    VS_SQL_CELL,  /* part, data of one */
    VS_SQL_CELL_INSERT,
    VS_SQL_CELL_SET,
    VS_SQL_CELL_SET_OPEN,
    VS_SQL_CELL_DELETE,
    VS_SQL_CELL_OPEN, /* id of the newest cell of a partition that has free slots */
    VS_SQL_ROW_LOC,   /* loc of a rowid */
    VS_SQL_ROW_KEY,   /* rowid of a key */
    VS_SQL_ROW_INSERT,
    VS_SQL_ROW_UPDATE,
    VS_SQL_ROW_DELETE,
    VS_SQL_ROW_LAST, /* max(rowid) */
    VS_SQL_PART_FIND,
    VS_SQL_PART_LAST,
    VS_SQL_PART_INSERT,
    VS_SQL_INFO, /* value of a key */
    VS_SQL_INFO_SET,
    VS_SQL_SECURE_DELETE,    /* PRAGMA secure_delete */
    VS_SQL_READ_UNCOMMITTED, /* PRAGMA read_uncommitted */
    VS_SQL_CONTENT_ROW, /* id and columns of a row of the content table: content.c prepares it */
    VS_SQL_COUNT
} vs_store_statement;

/* Statements on the tables of one vector column. */
typedef enum vs_vector_statement {
    VS_SQL_VECTORS, /* data of a row of t_vectors */
    VS_SQL_VECTORS_SET,
    VS_SQL_VECTORS_DELETE, /* rows ?1 to ?2 */
    VS_SQL_CODES_SET,
    VS_SQL_CODES_DELETE, /* rows ?1 to ?2 */
    VS_SQL_COLD,         /* stamp and data of a row of t_cold */
    VS_SQL_COLD_STAMP,
    VS_SQL_COLD_SET,
    VS_SQL_COLD_DELETE, /* rows ?1 to ?2 */
    VS_SQL_CONTENT,     /* the vector of a row of the content table: content.c prepares it */
    VS_SQL_VECTOR_COUNT
} vs_vector_statement;

#define VS_STORE_DICTS 4

typedef struct vs_store {
    vs_conn *conn;              /* borrowed */
    sqlite3 *db;                /* borrowed */
    char *schema;               /* owned: "main", ... */
    char *table;                /* owned: "memories" */
    char *label;                /* owned: "memories", for messages */
    vs_declaration declaration; /* owned */
    vs_geometry geometry;
    int is_loaded;                    /* t_info was read and agrees with the declaration */
    uint8_t identity[VS_STAMP_BYTES]; /* of the table: random, made with it (t_info 'table') */
    uint64_t file_identity; /* of the database file: hash of its full name, device and inode; of the
                               connection and schema for memory and temporary databases */
    /* Owned: prepared on first use, PERSISTENT | NO_VTAB. */
    sqlite3_stmt *statements[VS_SQL_COUNT];
    sqlite3_stmt *vector_statements[VS_VECTORS_MAX][VS_SQL_VECTOR_COUNT];
    int has_page_bytes, page_bytes; /* the connection's page cache before this search read */
    sqlite3_blob *code_blobs[VS_VECTORS_MAX]; /* owned: open during one search: vs_store_end_reading
                                               */
    /*
     * What this store wrote last. A stamp that nobody has read since it was written need not be
     * written again; what follows holds while is_stamped and conn->stamp_reads == stamped_at.
     * vs_store_forget clears it.
     */
    int is_stamped;
    uint64_t stamped_at;
    vs_head head;
    vs_cell cell;                 /* id 0: none */
    vs_scratch read_memory;       /* owned: bytes of one cell, for view.c */
    vs_scratch cell_memory;       /* owned: vectors of one cell, while it is coded */
    vs_scratch code_memory;       /* owned: codes of one cell, or one record */
    vs_scratch vector_memory;     /* owned: a row of t_vectors */
    vs_scratch half_memory;       /* owned: one with halves, as it is stored */
    vs_scratch content_memory[2]; /* owned: a vector of the content table */
    vs_scratch float_memory;      /* owned: for vs_code_row */
    struct vs_code *codes;        /* owned: list of descriptions read so far */
    struct vs_store_cold *cold;   /* owned: [VS_VECTORS_MAX], cold blocks read last; NULL: none */
    struct {
        vs_dict *dict; /* owned: a reference */
        int column;
    } dicts[VS_STORE_DICTS]; /* those that texts were unpacked with last */
    int next_dict;           /* the place to be used again */
} vs_store;

/* ---- life ---- */

/* Takes the declaration over (also on failure: then it is freed). Nothing is read. */
int vs_store_init(vs_store *store, vs_conn *conn, const char *schema, const char *table,
                  vs_declaration *declaration, vs_err *err);
/* The same for a table found by name, with the declaration from its t_info. */
int vs_store_open(vs_store *store, vs_conn *conn, const char *schema, const char *table,
                  vs_err *err);
void vs_store_close(vs_store *store); /* frees everything */
void vs_store_release(
    vs_store *store); /* finalizes statements and closes blobs: before DROP, RENAME, disconnect */
void vs_store_forget(
    vs_store *store); /* closes blobs and forgets stamps: at every savepoint, rollback, commit */

int vs_store_create(vs_store *store, vs_err *err); /* makes the shadow tables and writes t_info */
int vs_store_drop(vs_store *store, vs_err *err);
int vs_store_rename(vs_store *store, const char *table,
                    vs_err *err);           /* renames the shadow tables */
int vs_store_is_shadow(const char *suffix); /* xShadowName: "info", "cells", "parts", "rows",
                                               "codes0".., "vectors0".. */

/* Reads and checks t_info once: format numbers, feature bits, declaration, identity. CORRUPT or a
 * sentence that names the version needed. */
int vs_store_load(vs_store *store, vs_err *err);

/* A prepared statement, reset and without bindings; borrowed: give it back with vs_store_done. *out
 * is NULL on error. */
int vs_store_statement_get(vs_store *store, vs_store_statement which, sqlite3_stmt **out,
                           vs_err *err);
/* The same for the tables of a vector column. */
int vs_store_vector_statement_get(vs_store *store, int vector, vs_vector_statement which,
                                  sqlite3_stmt **out, vs_err *err);
/* Resets a statement and clears its bindings; keeps the first error: returns rc if it is one, else
 * SQLITE_OK. SQLITE_ROW and SQLITE_DONE count as OK. */
int vs_store_done(vs_store *store, sqlite3_stmt *stmt, int rc, const char *what, vs_err *err);

/* Errors of a statement on the shadow tables that another part has prepared: with its sentence. The
 * functions in it tell of damage by SQLITE_CORRUPT_VTAB, which step gives without the second half. */
int vs_store_step_error(const vs_store *store, int rc, vs_err *err);

/* ---- reading ---- */

/* The head. Counts as a read of the stamp (conn->stamp_reads): what is written later gets a new
 * one. */
int vs_store_head(vs_store *store, vs_head *out, vs_err *err);
/* Calls each(arg, cell) for every cell by rising id; stops at the first result that is not
 * SQLITE_OK and returns it. Checks the number of cells against the head: fewer or more is CORRUPT.
 */
int vs_store_cells(vs_store *store, const vs_head *head,
                   int (*each)(void *arg, const vs_cell *cell), void *arg, vs_err *err);
/* The same as a list: out->cells is the caller's to free (sqlite3_free), also after an error. */
typedef struct vs_cell_list {
    vs_cell *cells;
    size_t count, capacity;
} vs_cell_list;
int vs_store_list_cells(vs_store *store, const vs_head *head, vs_cell_list *out, vs_err *err);
int vs_store_cell(vs_store *store, int64_t id, vs_cell *out,
                  vs_err *err); /* CORRUPT when there is none */
/* Closes what reading left open, which would hold a read transaction: at the end of each search. */
void vs_store_end_reading(vs_store *store);
/*
 * What is read for the cache that connections share need not stay in the connection's page cache,
 * too: note_pages before reading, return_pages at the end of the search. A page cache that held more
 * than a little before is left alone.
 */
void vs_store_note_pages(vs_store *store);
void vs_store_return_pages(vs_store *store);
/* Gives back what was read since note_pages, in the middle of reading. */
void vs_store_drop_pages(vs_store *store);
/* loc of a rowid: 0 when there is no such row. CORRUPT when it is no valid place. */
int vs_store_loc(vs_store *store, int64_t rowid, int64_t *out_loc, vs_err *err);
/* rowid of a key value (TEXT PRIMARY KEY); *out_found 0 when there is none. */
int vs_store_by_key(vs_store *store, sqlite3_value *key, int64_t *out_rowid, int *out_found,
                    vs_err *err);

/* Codes of one cell into `out` [slots * coarse_bytes], followed by [slots * fine_bytes] unless
 * is_coarse; the row must have just that size. Records are not checked. */
int vs_store_read_codes(vs_store *store, int vector, int64_t cell, int is_coarse, uint8_t *out,
                        vs_err *err);
/* Vector records of a whole cell into out [slots * record_bytes]; rows of t_vectors that do not
 * exist (never used) are filled with zeros. Where vs_store_has_vectors is false they are headers
 * alone. */
int vs_store_read_vectors(vs_store *store, int vector, int64_t cell, uint8_t *out, vs_err *err);
/*
 * The row of t_vectors that holds a place, whole, vectors in the stored type also where the row has
 * halves: out [vs_store_group_bytes]. CORRUPT when it is
 * missing. vs_store_group tells its id, vs_store_group_vector finds one vector in it as
 * vs_store_vector does: *out_vector inside of group, NULL for SQL NULL.
 */
int64_t vs_store_group(const vs_store *store, int vector, int64_t loc);
size_t vs_store_group_bytes(const vs_store *store, int vector);
int vs_store_read_group(vs_store *store, int vector, int64_t loc, uint8_t *out, vs_err *err);
int vs_store_group_vector(const vs_store *store, int vector, int64_t loc, int64_t rowid,
                          const uint8_t *group, const void **out_vector, vs_err *err);
/*
 * One stored vector, by place, checked against rowid and checksum: out [dim] of the stored type.
 * *out_is_null 1: it is SQL NULL. In an index over a content table the vector is read from that
 * table by rowid: *out_is_missing 1 when that row is gone (or is no vector any more).
 */
int vs_store_vector(vs_store *store, int vector, int64_t loc, int64_t rowid, void *out,
                    int *out_is_null, int *out_is_missing, vs_err *err);

/* ---- writing ---- */

/* The values of one row: what xUpdate got, validated. */
typedef struct vs_row {
    int64_t rowid;
    const void *vectors[VS_VECTORS_MAX];    /* [dim] of the stored type, finite; NULL: SQL NULL */
    sqlite3_value *columns[VS_COLUMNS_MAX]; /* values of the declared columns that are no vectors;
                                               NULL: SQL NULL, or not changed in vs_store_update */
    int is_changed[VS_COLUMNS_MAX];         /* update: which columns change (vectors too) */
} vs_row;

/* The row must not exist (neither rowid nor key). */
int vs_store_insert(vs_store *store, const vs_row *row, vs_err *err);
/* Changes row `rowid` (which exists) to row->rowid and the changed columns. A change of a partition
 * key moves it to another cell. No other row has the new rowid or key. */
int vs_store_update(vs_store *store, int64_t rowid, const vs_row *row, vs_err *err);
int vs_store_delete(vs_store *store, int64_t rowid, vs_err *err);
/* Moves a row to another cell of its partition, which has room: for emptying sparse cells. */
int vs_store_move(vs_store *store, int64_t rowid, int64_t into, vs_err *err);
/* The partition with these keys, columns [column_count] values of the declared columns: 0 when there is
 * none. */
int vs_store_find_part(vs_store *store, sqlite3_value *const *columns, int64_t *out, vs_err *err);
/* The rowid for a row inserted without one: 1 + the largest; SQLITE_FULL when that is the last one.
 */
int vs_store_next_rowid(vs_store *store, int64_t *out, vs_err *err);

/* ---- codes ---- */

/* A description of codes (codes.h), read from t_info on first use; borrowed, valid until
 * vs_store_release. Id 0: the anchor is zero. vs_store_code_current: the one for new codes. */
struct vs_code;
int vs_store_code(vs_store *store, int vector, uint64_t id, const struct vs_code **out,
                  vs_err *err);
int vs_store_code_current(vs_store *store, int vector, const struct vs_code **out, vs_err *err);
/* Seals the full vectors of a coded cell into compressed blocks (is_cold), or brings them back: answers
 * and codes stay. Columns that cannot be cold stay as they are. *out_changed: was there anything? */
int vs_store_set_tier(vs_store *store, int64_t cell, int is_cold, int *out_changed, vs_err *err);
/* Errors of a change of which something is written: SQLITE_IOERR in place of a code after which
 * SQLite would not roll the transaction back, as above. */
int vs_store_undone(const vs_store *store, int rc, vs_err *err);
/* Makes `anchor` [dim] the description for new codes, and codes the cell again with it
 * (maintenance: the caller goes through the cells). */
int vs_store_code_set(vs_store *store, int vector, const float *anchor, vs_err *err);
int vs_store_recode_cell(vs_store *store, int64_t cell, vs_err *err);
/* Does the table keep full vectors of this column itself? Not for coded columns of an index over a
 * content table. */
int vs_store_has_vectors(const vs_store *store, int vector);

/* Rows in the table, from the cells' counts. */
int vs_store_count(vs_store *store, int64_t *out, vs_err *err);

#endif
