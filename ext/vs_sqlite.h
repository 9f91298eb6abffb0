/*
 * vs_sqlite.h - the one include of SQLite's header.
 *
 * A loadable build reaches SQLite only through the routine table that the host hands over, so that
 * the extension binds to the host's copy of SQLite and to no other. vecshard.c defines the table's
 * pointer (it defines VS_MAIN before including this); every other file declares it. With VS_STATIC
 * (unit tests, fuzzers, the amalgamation with -DSQLITE_CORE) the same sources call SQLite directly.
 */
#ifndef VS_SQLITE_H
#define VS_SQLITE_H

#if defined(VS_STATIC) && !defined(SQLITE_CORE)
#define SQLITE_CORE 1
#endif

#include <sqlite3ext.h>
#ifdef VS_MAIN
SQLITE_EXTENSION_INIT1
#else
SQLITE_EXTENSION_INIT3
#endif

/* Known to newer headers; harmless when an older SQLite sees them (ext/vs_api.c gates what is not).
 */
#ifndef SQLITE_RESULT_SUBTYPE
#define SQLITE_RESULT_SUBTYPE 0x001000000
#endif
#ifndef SQLITE_PREPARE_FROM_DDL
#define SQLITE_PREPARE_FROM_DDL 0x20
#endif
#ifndef SQLITE_VTAB_USES_ALL_SCHEMAS
#define SQLITE_VTAB_USES_ALL_SCHEMAS 4
#endif

#endif
