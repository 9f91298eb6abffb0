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

#endif
