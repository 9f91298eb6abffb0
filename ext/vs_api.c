/*
 * vs_api.c - calls that only newer SQLite versions have, gated by the version that is running.
 *
 * Never by SQLITE_VERSION_NUMBER: that is the header's version, and the host's table of routines
 * may be shorter.
 *
 * Called by: vtab_search.c, vtab_batch.c.
 * Threads: the connection's.
 */
#include "vs_api.h"

void vs_api_uses_all_schemas(sqlite3 *db)
{
    if (sqlite3_libversion_number() >= 3041000) {
        (void)sqlite3_vtab_config(db, SQLITE_VTAB_USES_ALL_SCHEMAS);
    }
}
