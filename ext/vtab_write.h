/*
 * vtab_write.h - changes of a vecshard table: rows, transactions, its name.
 */
#ifndef VS_VTAB_WRITE_H
#define VS_VTAB_WRITE_H

#include "index_plan.h"
#include "nearest.h"

/* The virtual table vecshard, one per connection and name. */
typedef struct vs_index_table {
    sqlite3_vtab base;
    vs_store store;                       /* owned */
    vs_scratch memory[VS_VECTORS_MAX][2]; /* owned: vectors of a row on their way in */
    vs_nearest *spare; /* owned: of the search that ended last, for the next one */
    int spare_vector;
    vs_metric spare_metric;
    vs_index_planned planned;
    uint64_t generation; /* grows with every change that cursors may have to know of */
} vs_index_table;

/* xUpdate and the methods of transactions. */
int vs_vtab_write_update(sqlite3_vtab *base, int argc, sqlite3_value **argv,
                         sqlite3_int64 *out_rowid);
int vs_vtab_write_begin(sqlite3_vtab *base);
int vs_vtab_write_sync(sqlite3_vtab *base);
int vs_vtab_write_commit(sqlite3_vtab *base);
int vs_vtab_write_rollback(sqlite3_vtab *base);
int vs_vtab_write_savepoint(sqlite3_vtab *base, int number);
int vs_vtab_write_rename(sqlite3_vtab *base, const char *name);

#endif
