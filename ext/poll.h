/*
 * poll.h - has the statement that runs been interrupted?
 */
#ifndef VS_POLL_H
#define VS_POLL_H

#include "vs_base.h"

/*
 * Steps *stmt, "SELECT 1", which is prepared at the first call and is the caller's to finalize: a step of
 * any statement tells, also of a host's progress handler. SQLITE_OK: go on. Costs 0.1 us.
 */
int vs_poll(sqlite3 *db, sqlite3_stmt **stmt);

#endif
