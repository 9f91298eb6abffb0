/*
 * table_tag.h - a name for the state that an ordinary table has now, as this connection sees it.
 *
 * Copies made from a table may be used again as long as the table has the same tag. A tag is made of
 * SQLite's data version of the database, and of a number that changes when another database may have
 * taken the name of an attached one: then SQLite prepares a kept statement on the table again, which it
 * counts. There is no tag inside of a transaction that has written, nor where changes of others can be
 * read that are not committed, nor for databases that sqlite3_deserialize can replace unseen.
 */
#ifndef VS_TABLE_TAG_H
#define VS_TABLE_TAG_H

#include "conn.h"
#include "target.h"

#define VS_TAG_BYTES 16

typedef struct vs_table_tags vs_table_tags; /* of a connection: statements kept on its tables */

typedef struct vs_table_tag vs_table_tag; /* of one of them */

typedef enum vs_tag_state {
    VS_TAG_NONE,   /* the state has no name */
    VS_TAG_THERE,  /* it has */
    VS_TAG_WRITTEN /* it has none, for the transaction has written */
} vs_tag_state;

/*
 * Opens a snapshot of the table: until vs_table_tag_leave what is read of it does not change. With
 * VS_TAG_THERE out_tag names it. On success the caller owns *out (vs_table_tag_leave; with VS_TAG_NONE it
 * may be NULL: the host does not let us ask); after an error *out is NULL. Statements are kept with the connection: a virtual table of ours must exist on it,
 * whose xDisconnect calls vs_table_tags_free.
 */
int vs_table_tag_enter(vs_conn *conn, const vs_target *target, const char *who, vs_table_tag **out,
                       uint8_t out_tag[VS_TAG_BYTES], vs_tag_state *out_state, vs_err *err);
void vs_table_tag_leave(vs_table_tag *tag); /* NULL is fine */

/* Finalizes the statements: they would keep the connection from closing. Tags that come later differ
 * from those before. */
void vs_table_tags_free(vs_conn *conn);

#endif
