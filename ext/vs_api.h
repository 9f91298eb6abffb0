/*
 * vs_api.h - calls that only newer SQLite versions have, gated by the version that is running.
 */
#ifndef VS_API_H
#define VS_API_H

#include "vs_base.h"

/*
 * Inside xConnect: tells SQLite (3.41 and newer) that the virtual table reads any attached
 * database, so that a statement over it holds a read transaction on all of them and every batch of
 * a stream sees one snapshot. Older versions answer MISUSE to the option; there, only databases
 * that the statement itself names are held.
 */
void vs_api_uses_all_schemas(sqlite3 *db);

/*
 * A module with xIntegrity, which came with SQLite 3.44 as the member after xShadowName; older
 * versions do not look beyond their own last member. iVersion must be 4.
 */
typedef struct vs_api_module {
    sqlite3_module base;
#if SQLITE_VERSION_NUMBER < 3044000
    int (*integrity)(sqlite3_vtab *base, const char *schema, const char *name, int flags,
                     char **out_report);
#endif
} vs_api_module;
#if SQLITE_VERSION_NUMBER < 3044000
#define VS_API_INTEGRITY .integrity
#else
#define VS_API_INTEGRITY .base.xIntegrity
#endif

#endif
