/*
 * vtab_snapshot.h - tables whose rows are copied when a scan of them begins.
 *
 * A query that searches while it reads statistics so sees one moment. No constraint is used; rows
 * come in rowid order.
 */
#ifndef VS_VTAB_SNAPSHOT_H
#define VS_VTAB_SNAPSHOT_H

#include "conn.h"

typedef struct vs_snapshot_table {
    const char *name;
    const char *schema;
    int is_innocuous;
    size_t row_bytes;
    /* Most rows there can be now: only a bound, asked just before take. */
    size_t (*capacity)(const vs_conn *conn);
    /* Copies at most `capacity` rows; returns their number. */
    size_t (*take)(const vs_conn *conn, void *rows, size_t capacity);
    void (*column)(sqlite3_context *ctx, const void *row, int64_t taken_ns, int column);
} vs_snapshot_table;

/* Registers eponymous tables; `tables` stays. Each holds a reference to the connection's context. */
int vs_vtab_snapshot_register(vs_conn *conn, const vs_snapshot_table *tables, size_t count);

/* Texts and numbers that a column may be: a text is copied. */
void vs_vtab_snapshot_result_text(sqlite3_context *ctx, const char *text);

#endif
