/*
 * conditions.h - conditions of a statement on rowid, key, partition keys, metadata and auxiliary
 * columns, which SQLite evaluates itself over t_rows or t_parts: so NULL, affinity, collations,
 * LIKE and GLOB mean what they mean everywhere.
 */
#ifndef VS_CONDITIONS_H
#define VS_CONDITIONS_H

#include "store.h"

#define VS_CONDITIONS_MAX 32
#define VS_CONDITION_ROWID (-1)

typedef struct vs_condition {
    int column; /* number of the declared column, or VS_CONDITION_ROWID */
    int op; /* SQLITE_INDEX_CONSTRAINT_EQ, GT, LE, LT, GE, NE, IS, ISNOT, ISNULL, ISNOTNULL, LIKE,
               GLOB */
    char collation[32];     /* of the comparison; "" : the column's own */
    int or_blob;            /* true for BLOBs, too: see vs_index_plan */
    int or_affinity;        /* true, too, where another affinity of the value would make it so */
    sqlite3_value **values; /* owned copies (sqlite3_value_dup): one, or those of IN (...) */
    int value_count;        /* 0 for ISNULL and ISNOTNULL */
    int is_in;              /* column IN (values); an empty list matches nothing */
} vs_condition;

typedef struct vs_conditions {
    vs_condition items[VS_CONDITIONS_MAX];
    int count;
} vs_conditions;

void vs_conditions_clear(vs_conditions *conditions);

/* Copies a value, or all values of an IN list (with sqlite3_vtab_in_first/next), into a new
 * condition. SQLITE_OK, NOMEM or what the list's subquery returned. */
int vs_conditions_add(vs_conditions *conditions, int column, int op, const char *collation,
                      sqlite3_value *value, int is_in);

/* Are all conditions on partition keys? */
int vs_conditions_only_partitions(const vs_store *store, const vs_conditions *conditions);

/*
 * Prepares  SELECT <columns> FROM <t_rows, or t_parts with only the conditions on partition keys
 * when of_parts> WHERE <conditions> <tail>  and binds the values: vs_conditions_sql and
 * vs_conditions_bind. The caller finalizes *out before it clears the conditions.
 *
 * Values of xFilter have lost the affinity of the expression that they came from, which may be
 * another table's column. Where it could make the comparison true that is false without it, both
 * count if the condition has or_affinity: a row too many is no harm where SQLite checks the
 * condition again and asks for more rows. Beside k it would take the place of a row that passes.
 */
int vs_conditions_select(vs_store *store, const vs_conditions *conditions, int of_parts,
                         const char *columns, const char *tail, sqlite3_stmt **out, vs_err *err);

/* Its text: equal for conditions that differ in values alone. sqlite3_malloc'ed; NULL without
 * memory. */
char *vs_conditions_sql(const vs_store *store, const vs_conditions *conditions, int of_parts,
                        const char *columns, const char *tail);
/* Binds the values to a statement of that text, which is reset. It borrows from the conditions
 * until it is bound anew or finalized. */
int vs_conditions_bind(const vs_store *store, const vs_conditions *conditions, int of_parts,
                       sqlite3_stmt *stmt);

/* Registers what the statements above call: vecshard_list(pointer, number), a value of a long list,
 * and vecshard_text (store_text.h). Of anything but their own pointers they make NULL. */
int vs_conditions_register(vs_conn *conn);

/* Hash of the conditions with their values (64 bits) for cache keys, and equality text: bytes that
 * are equal just when the conditions are. sqlite3_malloc'ed; NULL without memory. */
void *vs_conditions_fingerprint(const vs_conditions *conditions, size_t *out_bytes);

#endif
