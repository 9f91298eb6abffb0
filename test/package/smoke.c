/*
 * smoke.c - a program with vecshard linked in: registers it by itself and for later connections,
 * and searches.
 *
 * Exit status 0 when every answer is as expected; otherwise the first that is not is printed.
 */
#include "vecshard.h"

#include <stdio.h>
#include <string.h>

/* Runs a query of one text result and compares it. Returns 1 when it is as expected. */
static int smoke_expect(sqlite3 *db, const char *sql, const char *expected)
{
    sqlite3_stmt *stmt = NULL;
    const char *text = NULL;
    int is_same = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        text = (const char *)sqlite3_column_text(stmt, 0);
    }
    is_same = text != NULL && strcmp(text, expected) == 0;
    if (!is_same) {
        printf("%s\n  expected: %s\n  came: %s\n", sql, expected,
               text != NULL ? text : sqlite3_errmsg(db));
    }
    sqlite3_finalize(stmt);
    return is_same;
}

static int smoke_queries(sqlite3 *db)
{
    return smoke_expect(db, "SELECT vec_distance_l2('[0,0]', '[3,4]')", "5.0") &&
           sqlite3_exec(
               db,
               "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);"
               "INSERT INTO t VALUES (1, vec_f32('[1,0]')), (2, vec_f32('[0,2]')), (3, NULL);",
               NULL, NULL, NULL) == SQLITE_OK &&
           smoke_expect(db, "SELECT group_concat(id) FROM vec_search('t', 'v', '[0,1]', 10)",
                        "2,1");
}

int main(void)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    int is_good = 0;

    if (sqlite3_open(":memory:", &db) == SQLITE_OK) {
        if (sqlite3_vecshard_init(db, &message, NULL) == SQLITE_OK) {
            is_good = smoke_queries(db);
        } else {
            printf("%s\n", message);
            sqlite3_free(message);
        }
    }
    sqlite3_close(db);

    sqlite3_auto_extension((void (*)(void))sqlite3_vecshard_init);
    if (sqlite3_open(":memory:", &db) != SQLITE_OK || !smoke_queries(db)) {
        printf("%s\n", sqlite3_errmsg(db));
        is_good = 0;
    }
    sqlite3_close(db);
    return is_good ? 0 : 1;
}
