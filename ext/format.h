/*
 * format.h - the bytes in the shadow tables: layouts, and the only code that reads or writes them.
 *
 * Everything is little-endian. Bytes come from a file and may be anything: each reader takes
 * (pointer, length), checks every length, count and checksum before use and answers
 * SQLITE_CORRUPT_VTAB with a sentence; it never trusts and never asserts on content. docs/FORMAT.md
 * tells the same for people. vsk_init must have been called: checksums are a kernel.
 *
 * Shadow tables of a table t (n = number of a vector column, from 0):
 *   t_info       (key TEXT PRIMARY KEY, value) WITHOUT ROWID
 *                format numbers, declaration, anchors of codes
 *   t_cells      (id INTEGER PRIMARY KEY, part INTEGER, open INTEGER, data BLOB)
 *                directory: one row per cell, and the head row
 *   t_parts      (id INTEGER PRIMARY KEY, c<column> ...)
 *                values of the partition keys, one row per combination; only where there are any
 *   t_rows       (id INTEGER PRIMARY KEY, loc INTEGER, c<column> ...)
 *                one row per row: where its vectors lie, and the declared columns that are no
 *                vectors (partition keys, too; not kind ROWID), named by their number, with their
 *                declared types; the key is UNIQUE
 *   t_codes<n>   (id INTEGER PRIMARY KEY, data BLOB)
 *                codes of one cell; id = cell id
 *   t_vectors<n> (id INTEGER PRIMARY KEY, data BLOB)
 *                full vectors, several per row; id = cell id * rows per cell + i
 *   t_cold<n>    (id INTEGER PRIMARY KEY, data BLOB)
 *                blocks of compressed vectors in place of rows of t_vectors<n>: store_cold.c
 *
 * A cell has `slots` places for rows, the same number in every cell of a table. loc = cell id *
 * slots + slot. Cell ids start at 1. A cell belongs to one partition. While it has never been full
 * it is `plain`: it has vectors and no codes. When its last slot is taken for the first time, it is
 * coded (t_codes<n> gets its row); slots freed later are reused and coded in place. Columns without
 * codes stay plain. An index over a content table keeps no vectors of its coded columns: they are in
 * that table, and the records of t_vectors<n> are headers alone, which tell the rowid of each slot.
 */
#ifndef VS_FORMAT_H
#define VS_FORMAT_H

#include "declare.h"
#include "../kernels/code.h"

#define VS_FORMAT_VERSION 1
#define VS_FORMAT_MAGIC "vecshard"
#define VS_SLOTS_MIN 16
#define VS_SLOTS_MAX 1024
#define VS_STAMP_BYTES 16
/* The row of t_cells that is the head: beyond every cell, so that it shares its page with the
 * newest ones. */
#define VS_HEAD_ID ((int64_t)1 << 46)
#define VS_CELL_ID_MAX (VS_HEAD_ID - 1)

/* Sizes that follow from the declaration. */
typedef struct vs_geometry {
    uint32_t slots; /* per cell: a power of two, VS_SLOTS_MIN .. VS_SLOTS_MAX */
    struct {
        int is_coded;
        size_t vector_bytes; /* of one in t_vectors; 0 where only the content table has it */
        size_t record_bytes; /* VS_RECORD_HEADER_BYTES + vector_bytes, rounded up to a multiple of 4
                              */
        size_t half_bytes;   /* the same of a record with halves; 0: the column has none */
        uint32_t per_row;    /* vectors in a row of t_vectors: a power of two <= slots. Coded
                                columns: at most 12 KiB (picked one by one); others: at most 64 KiB
                                (read whole); at least 1 */
        uint32_t per_block;  /* rows of t_vectors in a block of t_cold: a power of two, all of one
                                cell; at most 64 KiB, at least 1; 0: the column is never cold */
        size_t code_dim;     /* vsk_code_dim(dim); 0 when not coded */
        size_t coarse_bytes; /* of one coarse code record: VS_CODE_HEADER_BYTES + code_dim / 2; 0
                                when not coded */
        size_t fine_bytes;   /* of one fine code record: code_dim / 2 */
    } vectors[VS_VECTORS_MAX];
} vs_geometry;

/*
 * slots: the largest power of two so that the planes of the widest coded column take at most
 * 96 KiB, or its vectors 64 KiB where no column is coded; within the limits above. Headers are not
 * counted, so that powers of two fit. Part of the format: never changed for version 1.
 */
void vs_format_geometry(const vs_declaration *declaration, vs_geometry *out);

/* ---- head row: t_cells.data of VS_HEAD_ID ---- */
typedef struct vs_head {
    uint8_t stamp[VS_STAMP_BYTES]; /* rewritten, before other writes, by every change of content */
    uint32_t cell_count;           /* cell rows */
    int64_t next_cell;             /* id of the next new cell, 1 .. VS_HEAD_ID; ids are never used
                                      again */
} vs_head;
#define VS_HEAD_BYTES 40
void vs_format_write_head(const vs_head *head, uint8_t out[VS_HEAD_BYTES]);
int vs_format_read_head(const char *table, const void *data, size_t n, vs_head *out, vs_err *err);

/* ---- cell row: t_cells.data ---- */
typedef struct vs_cell {
    int64_t id;
    int64_t part;                  /* row of t_parts; 0 without partition keys */
    uint8_t stamp[VS_STAMP_BYTES]; /* rewritten with every change of the cell's content */
    uint32_t live;                 /* rows in it */
    int is_coded;
    uint64_t code_id[VS_VECTORS_MAX]; /* of each coded column: which description (anchor) its codes
                                         were made with; 0: the anchor is zero */
    uint64_t map[VS_SLOTS_MAX / 64];  /* bit s: slot s holds a row */
} vs_cell;
#define VS_CELL_BYTES_MAX (64 + 8 * VS_VECTORS_MAX + VS_SLOTS_MAX / 8)
/* The bytes also contain id and part, so that a row that was moved or copied is found out. live
 * equals the bits of the map; bits beyond slots are 0, in the struct too. Returns the number of
 * bytes. */
size_t vs_format_write_cell(const vs_cell *cell, uint32_t slots, int vector_count,
                            uint8_t out[VS_CELL_BYTES_MAX]);
int vs_format_read_cell(const char *table, int64_t id, int64_t part, uint32_t slots,
                        int vector_count, const void *data, size_t n, vs_cell *out, vs_err *err);

/* ---- vector record: one slot of a t_vectors row ---- */
#define VS_RECORD_HEADER_BYTES 16
/* vector: [vector_bytes] or NULL. out: [record_bytes]; vector may lie there already, behind the
 * header. */
void vs_format_write_record(int64_t rowid, const void *vector, size_t vector_bytes,
                            size_t record_bytes, uint8_t *out);
/* *out_vector: inside data, or NULL when the record holds NULL. An all-zero record (never used)
 * reads as CORRUPT: ask only for slots that the map says are live. n below record_bytes is CORRUPT.
 * vector and loc are for the message. */
int vs_format_read_record(const char *table, int vector, int64_t loc, const void *data, size_t n,
                          size_t vector_bytes, size_t record_bytes, int64_t *out_rowid,
                          const void **out_vector, vs_err *err);

/*
 * ---- records of a column with store=half ----
 * A row of t_vectors holds them one after the other, each in one of two sizes, which its flags tell:
 * whole as above, but marked [record_bytes], or with halves, elements of float16 over one norm
 * [half_bytes]: header, norm f32, halves [dim]. Slots that were never used are zeros, but for the mark.
 */
#define VS_HALF_HEADER_BYTES (VS_RECORD_HEADER_BYTES + 4)
/* Does a record have the size of a whole one? By its header, of which nothing has been checked. */
int vs_format_is_whole(const uint8_t header[VS_RECORD_HEADER_BYTES]);
/* Marks one that was written, or zeros. */
void vs_format_mark_whole(size_t record_bytes, uint8_t *record);
/* The vector becomes halves if no bit is lost: then 1, and out [half_bytes] is the record. vector NULL:
 * SQL NULL, which always fits. out: 4-byte aligned. */
int vs_format_write_half(int64_t rowid, const float *vector, size_t dim, size_t half_bytes,
                         uint8_t *out);
/* A record of either size as a whole one without the mark, out [record_bytes], 4-byte aligned; zeros
 * where it was never used. Checked as vs_format_read_record does, and the norm of halves. */
int vs_format_widen_record(const char *table, int vector, int64_t loc, const uint8_t *record,
                           size_t half_bytes, size_t dim, size_t record_bytes, uint8_t *out,
                           vs_err *err);

/* ---- code record: one slot of a t_codes row ----
 * data = coarse[slots], fine[slots]: a search without a cache reads the first part alone. */
#define VS_CODE_HEADER_BYTES 48 /* then plane B */
enum {
    VS_CODE_HAS_VECTOR = 1, /* not set: SQL NULL, or a zero vector under cosine: in no answer */
    VS_CODE_NO_BOUND = 2    /* the bounds do not hold for this row (zero, huge or tiny): it always
                               goes to the full vector */
};
typedef struct vs_code_record {
    int64_t rowid;
    float r; /* distance from the anchor: |x - c|, relative error 2^-23 */
    vsk_code_terms terms;
    uint32_t flags;
    const uint8_t *plane_b, *plane_c; /* [code_dim / 2] each */
} vs_code_record;
/* coarse: [coarse_bytes], fine: [fine_bytes]; the planes may lie there already, in their places. */
void vs_format_write_code(const vs_code_record *record, size_t code_dim, uint8_t *coarse,
                          uint8_t *fine);
/* Codes side by side: that of row i begins at coarse + i * coarse_bytes and fine + i * fine_bytes. */
#define VS_CODE_ROWS 16
typedef struct vs_code_rows {
    const uint8_t *coarse, *fine; /* fine may be NULL */
    size_t coarse_bytes, fine_bytes, code_dim;
} vs_code_rows;
/*
 * Codes of `count` <= VS_CODE_ROWS rows, the first of which has its place at loc, into out[count];
 * bit i of `live` says that row i is one, others are passed over. Without fine parts plane_c is
 * NULL and not checked. Terms that are not finite or out of range (cos and sin within 0 .. 1 but for
 * rounding, inv and r >= 0) are CORRUPT too, unless NO_BOUND. An all-zero record (never used) is
 * CORRUPT.
 */
int vs_format_read_codes(const char *table, int vector, int64_t loc, const vs_code_rows *rows,
                         uint32_t count, uint32_t live, vs_code_record *out, vs_err *err);

/* ---- description of codes: t_info key "code/<vector>/<code id as 16 hex digits>"; key
 * "code/<vector>" holds the id for new codes. Ids are random, so that a description, once read, is
 * never another one after a rollback. Id 0 is not stored: its anchor is zero. ---- */
#define VS_CODE_KIND_ROTATED 1 /* rotation of code.h, planes B and C */
typedef struct vs_code_description {
    uint64_t id;
    uint32_t kind; /* VS_CODE_KIND_ROTATED */
    size_t dim;
    const float *anchor; /* [dim]; read: inside the blob, any alignment: use memcpy */
} vs_code_description;
/* sqlite3_malloc'ed blob, NULL without memory. */
void *vs_format_write_description(const vs_code_description *description, size_t *out_bytes);
/* The elements of the anchor are finite. */
int vs_format_read_description(const char *table, const void *data, size_t n, uint64_t id,
                               size_t dim, vs_code_description *out, vs_err *err);

/* Bits. */
static inline int vs_cell_has(const vs_cell *cell, uint32_t slot)
{
    return (int)(cell->map[slot / 64] >> (slot % 64) & 1u);
}

#endif
