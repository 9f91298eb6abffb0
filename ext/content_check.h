/*
 * content_check.h - compares an index over an existing table with that table.
 */
#ifndef VS_CONTENT_CHECK_H
#define VS_CONTENT_CHECK_H

#include "store.h"

/* Takes one finding: a sentence, sqlite3_malloc'ed, which is the callback's from then on; NULL:
 * there was no memory for it. */
typedef int (*vs_content_found)(void *arg, char *sentence);

/*
 * Are the triggers there and as they were made, does the index have each row of the table that has a
 * vector, and no other, and do the columns that it filters by hold the table's values? Differences go
 * to `found`; of rows it tells how many there are, and the first ids. *out_is_readable: can the
 * table's vectors be read? Reads no vectors itself. Errors are those of reading (no memory,
 * interrupted, locked, ...) and of the callback.
 */
int vs_content_check(vs_store *store, vs_content_found found, void *arg, int *out_is_readable,
                     vs_err *err);

#endif
