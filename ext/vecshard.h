/*
 * vecshard.h - vector search inside SQLite query plans: public header for static use.
 *
 * A loadable build needs no header: `.load ./vecshard` or sqlite3_load_extension. A program that
 * compiles the amalgamation (vecshard.c beside this file, with -DSQLITE_CORE) registers the
 * extension on a connection with
 *
 *     sqlite3_vecshard_init(db, &message, NULL);
 *
 * or, for every connection that opens later, with
 *
 *     sqlite3_auto_extension((void (*)(void))sqlite3_vecshard_init);
 */
#ifndef VECSHARD_H
#define VECSHARD_H

#include <sqlite3.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Registers the functions and virtual tables of vecshard on one connection.
 *
 *   api      NULL in a static build
 *   message  on failure, *message is a sentence to free with sqlite3_free
 *
 * Returns SQLITE_OK, or SQLITE_ERROR (SQLite older than 3.38, an unknown level in the environment
 * variable VECSHARD_CPU), or SQLITE_NOMEM; after a failure nothing stays registered. Registering
 * twice on one connection is harmless.
 */
int sqlite3_vecshard_init(sqlite3 *db, char **message, const struct sqlite3_api_routines *api);

#ifdef __cplusplus
}
#endif

#endif
