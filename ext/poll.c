/*
 * poll.c - has the statement that runs been interrupted?
 *
 * Calls: nothing.
 * Called by: nearest.c, nearest_gpu.c, batch.c, gpu_table.c.
 * Threads: the connection's.
 */
#include "poll.h"

int vs_poll(sqlite3 *db, sqlite3_stmt **stmt)
{
    int rc = SQLITE_OK;
    if (*stmt == NULL) {
        rc = sqlite3_prepare_v3(db, "SELECT 1", -1,
                                SQLITE_PREPARE_PERSISTENT | SQLITE_PREPARE_NO_VTAB, stmt, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(*stmt);
        (void)sqlite3_reset(*stmt);
    }
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}
