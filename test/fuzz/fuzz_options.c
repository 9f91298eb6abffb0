/*
 * fuzz_options.c - the JSON options of a search, and the words of its batch of queries.
 *
 * The first byte of an input chooses the argument that the rest becomes: options of vec_search or
 * of vec_search_batch, or the queries of a batch. Whatever is refused is refused with a sentence
 * that names the function; whatever is accepted gives rows in the order of their distance, no more
 * than asked for, and the same when it is asked again; and no statement stays open.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../ext/vecshard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const statements[] = {
    "SELECT id, distance, 0 FROM vec_search('t', 'v', '[1,2,3,4,5,6,7,8]', 5, ?1)",
    "SELECT id, distance, 0 FROM vec_search('t', 'v', vec_bit(x'0f'), 5, ?1)",
    "SELECT id, distance, query_no FROM vec_search_batch('t', 'v', '[[1,2,3,4,5,6,7,8]]', 5, ?1)",
    "SELECT id, distance, query_no FROM vec_search_batch('t', 'v', ?1, 5)",
};
#define STATEMENTS (sizeof statements / sizeof statements[0])

static void check(int is_right, const char *what)
{
    if (!is_right) {
        fprintf(stderr, "fuzz_options: %s\n", what);
        abort();
    }
}

static sqlite3 *fuzz_db(void)
{
    static sqlite3 *db;
    if (db == NULL) {
        check(sqlite3_open(":memory:", &db) == SQLITE_OK &&
                  sqlite3_vecshard_init(db, NULL, NULL) == SQLITE_OK,
              "no connection");
        check(sqlite3_exec(
                  db,
                  "CREATE TABLE t(id INTEGER PRIMARY KEY, v, tag);"
                  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
                  "INSERT INTO t SELECT i, vec_f32('[' || i || ',2,3,4,5,6,7,8]'), i % 3 FROM n;"
                  "CREATE INDEX by_norm ON t(vec_norm(v)); CREATE INDEX by_tag ON t(tag) WHERE tag "
                  "= 1",
                  NULL, NULL, NULL) == SQLITE_OK,
              "no table");
    }
    return db;
}

/* Steps through the rows. Returns the code at the end; *out_sum is what they add up to. */
static int fuzz_rows(sqlite3_stmt *stmt, double *out_sum)
{
    double last = 0.0;
    sqlite3_int64 last_query = -1;
    int rows = 0;
    int rc;
    *out_sum = 0.0;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        sqlite3_int64 id = sqlite3_column_int64(stmt, 0);
        double distance = sqlite3_column_double(stmt, 1);
        sqlite3_int64 query = sqlite3_column_int64(stmt, 2);
        rows = query == last_query ? rows + 1 : 1;
        check(rows <= 5 && id >= 1 && id <= 40, "too many rows, or an id that is not there");
        check(query > last_query || (query == last_query && distance >= last), "rows out of order");
        last = distance;
        last_query = query;
        *out_sum += distance * (double)id;
    }
    sqlite3_reset(stmt);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sqlite3_stmt *prepared[STATEMENTS];
    double first, second;
    if (size == 0) {
        return 0;
    }
    sqlite3 *db = fuzz_db();
    size_t which = data[0] % STATEMENTS;
    int is_blob = which == 3 && (data[0] & 0x80) != 0;
    if (prepared[which] == NULL) {
        check(sqlite3_prepare_v2(db, statements[which], -1, &prepared[which], NULL) == SQLITE_OK,
              "no statement");
    }
    if (is_blob) {
        sqlite3_bind_blob(prepared[which], 1, data + 1, (int)(size - 1), SQLITE_STATIC);
    } else {
        sqlite3_bind_text(prepared[which], 1, (const char *)data + 1, (int)(size - 1),
                          SQLITE_STATIC);
    }
    int rc = fuzz_rows(prepared[which], &first);
    if (rc == SQLITE_DONE) {
        check(fuzz_rows(prepared[which], &second) == SQLITE_DONE && first == second,
              "another answer the second time");
    } else {
        check(rc == SQLITE_ERROR || rc == SQLITE_MISMATCH || rc == SQLITE_TOOBIG,
              "an unexpected code");
        check(strncmp(sqlite3_errmsg(db), "vec_search", 10) == 0,
              "an error that names no function");
    }
    for (sqlite3_stmt *stmt = sqlite3_next_stmt(db, NULL); stmt != NULL;
         stmt = sqlite3_next_stmt(db, stmt)) {
        check(!sqlite3_stmt_busy(stmt), "a statement stays open");
    }
    return 0;
}
