/*
 * conn.h - what one database connection shares between its functions and virtual tables.
 *
 * Made once per connection when the extension is registered there. Every function and module holds
 * a reference as its user data and releases it in its destructor, so it lives exactly as long as
 * the last of them. Used only on the thread that is inside a SQLite call of that connection: no
 * locks.
 */
#ifndef VS_CONN_H
#define VS_CONN_H

#include "metrics.h"
#include "norm_profile.h"
#include "packed_text.h"
#include "settings.h"
#include "value.h"

/*
 * Memory of one function argument: the JSON text read last and its vector. A text that comes again
 * (a constant, or a query vector in a loop) is not parsed again. See vs_func in func.c for how it
 * works with SQLite's auxiliary data.
 */
typedef struct vs_memo {
    vs_scratch text;   /* copy of the text read last */
    vs_scratch vector; /* its elements */
    size_t text_bytes; /* 0: nothing remembered */
    size_t dim;
    vsk_type type;
    unsigned hits;   /* times in a row that the same text came */
    unsigned misses; /* times in a row that another one came */
} vs_memo;

#define VS_MEMO_COUNT 2 /* arguments that may be vectors */

typedef struct vs_conn {
    sqlite3 *db; /* borrowed: outlives every function and module */
    int refs;
    void (*after_free)(void); /* called when this context is gone, or NULL */
    vs_settings settings;
    vs_metrics metrics;
    vs_profile_cache profiles;
    struct vs_table_tags *table_tags; /* owned: see table_tag.h; gone before the connection is */
    uint64_t stamp_reads;             /* times that a table's stamp was read here: see store.h */
    uint64_t identity;   /* random: names this connection's memory databases in process-wide keys */
    vs_packer packer;    /* of vec_pack_text and vec_unpack_text */
    int is_reading_dict; /* the table of dictionaries is being read */
    vs_memo memo[VS_MEMO_COUNT];
    vs_scratch scratch[VS_MEMO_COUNT]; /* for conversions inside one function call */
} vs_conn;

/* A new context with one reference, or NULL when there is no memory. */
vs_conn *vs_conn_new(sqlite3 *db);
vs_conn *vs_conn_ref(vs_conn *conn);
void vs_conn_unref(void *conn); /* sqlite3's destructor signature; frees with the last reference */

#endif
