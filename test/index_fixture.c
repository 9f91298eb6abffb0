/*
 * index_fixture.c - a vecshard table and an index over a table, and what must hold after each
 * statement.
 *
 * Calls: the extension through SQL, cache.c, dict.c, vs_fault.c.  Called by: tests.  Threads: one.
 */
#include "index_fixture.h"

#include <stdio.h>

#include "../ext/cache.h"
#include "../ext/dict.h"
#include "vs_fault.h"

enum { DIM = 4096 }; /* 16 rows make a cell full */

#define COLD "INSERT INTO t(t, arg) VALUES ('tier', 'cold')"

const char index_earlier[] =
    "INSERT INTO t(rowid, v, w, g, tag, name) VALUES (900, vec(900), vec_bit(x'0102030405060708'), "
    "4, 9, 'k900');"
    "UPDATE t SET tag = 77 WHERE rowid = 7; DELETE FROM t WHERE rowid = 9;"
    "UPDATE docs SET tag = 5 WHERE id = 3";

/* 900 and others are rows of index_earlier. */
const index_step index_changes[] = {
    {NULL, "INSERT INTO t(rowid, v, w, g, tag, name, note) VALUES (100, vec(100), "
           "vec_bit(x'1112131415161718'), 1, 5, 'k100', 'new')"},
    {NULL, "INSERT INTO t(v, g, name) VALUES (vec(101), 2, 'k101')"}, /* a cell is full */
    {NULL, "INSERT INTO t(v, g, name) VALUES (NULL, 'new part', NULL)"},
    {NULL, "INSERT INTO t(v, g, tag) SELECT vec(value), value % 3, value FROM json_each("
           "'[201,202,203,204,205,206,207,208,209,210,211,212]')"},
    {NULL, "INSERT OR REPLACE INTO t(rowid, v, g, name) VALUES (4, vec(102), 2, 'k4')"},
    {NULL, "INSERT OR REPLACE INTO t(rowid, v, g, name) VALUES (4, vec(102), 1, 'k22')"},
    {NULL, "INSERT OR REPLACE INTO t(v, g, name) VALUES (vec(103), 1, 'k22')"},
    {NULL, "INSERT OR IGNORE INTO t(v, g, name) VALUES (vec(103), 1, 'k22')"},
    {NULL, "UPDATE t SET v = vec(104) WHERE rowid = 3"},
    {NULL, "UPDATE t SET v = vec(104), w = NULL WHERE rowid = 18"},
    {NULL, "UPDATE t SET tag = 6, note = 'other' WHERE rowid = 3"},
    {NULL, "UPDATE t SET tag = tag + 1"},
    {NULL, "UPDATE t SET g = 2 WHERE rowid = 3"},
    {NULL, "UPDATE t SET g = 'new part' WHERE name = 'k3'"},
    {NULL, "UPDATE t SET rowid = 301 WHERE rowid = 3"},
    {NULL, "UPDATE OR REPLACE t SET rowid = 2, name = 'k22' WHERE rowid = 3"},
    {NULL, "DELETE FROM t WHERE rowid = 4"},
    {NULL, "DELETE FROM t WHERE name = 'k36'"}, /* the last row of a cell and a partition */
    {NULL, "DELETE FROM t WHERE g = 2 AND tag < 6"},
    {NULL, "DELETE FROM t"},
    {"DELETE FROM t WHERE g = 1 AND tag < 7", "INSERT INTO t(t) VALUES ('optimize')"},
    {"DELETE FROM t WHERE g = 1 AND tag < 7", "INSERT INTO t(t, arg) VALUES ('merge', 2)"},
    {NULL, "INSERT INTO t(t) VALUES ('rebuild')"},
    {NULL, "INSERT INTO docs_index(docs_index) VALUES ('rebuild')"},
    {NULL, COLD},
    {NULL, "INSERT INTO t(t, arg, g) VALUES ('tier', 'cold', 1)"},
    {COLD, "INSERT INTO t(t, arg) VALUES ('tier', 'warm')"},
    {COLD, "INSERT INTO t(t) VALUES ('rebuild')"},
    {COLD, "INSERT OR REPLACE INTO t(rowid, v, g, name) VALUES (4, vec(102), 1, 'k22')"},
    {COLD, "UPDATE t SET v = vec(104), g = iif(rowid = 4, 1, 2) WHERE rowid IN (3, 4)"},
    {COLD "; PRAGMA secure_delete = on", "DELETE FROM t WHERE rowid IN (3, 4)"},
    {NULL, "CREATE VIRTUAL TABLE u USING vecshard(v float[64], g PARTITION KEY, name TEXT PRIMARY "
           "KEY, +note)"},
    {NULL, "CREATE VIRTUAL TABLE pages_index USING vecshard(v float[4096], tag INTEGER, "
           "content=pages, content_rowid=id)"},
    {NULL, "INSERT INTO docs VALUES (100, 1, vec(100))"},
    {NULL, "INSERT INTO docs SELECT id + 100, tag, v FROM docs WHERE id < 6"},
    {NULL, "INSERT OR REPLACE INTO docs VALUES (4, 1, vec(105))"},
    {NULL, "UPDATE docs SET v = vec(106) WHERE id = 3"},
    {NULL, "UPDATE docs SET id = 301, tag = 4 WHERE id = 3"},
    {NULL, "UPDATE docs SET v = NULL WHERE id = 3"},
    {NULL, "DELETE FROM docs WHERE id = 4"},
    {NULL, "DELETE FROM docs WHERE id > 12"},
    {NULL, "INSERT INTO docs SELECT 400, 1, v FROM t(vec(7), 1)"},
    {NULL, "ALTER TABLE t RENAME TO t2"},
    {NULL, "ALTER TABLE docs_index RENAME TO d2"},
    {NULL, "DROP TABLE t"},
    {NULL, "DROP TABLE docs_index"},
    {"SAVEPOINT s; DELETE FROM t WHERE rowid < 20; INSERT INTO docs VALUES (100, 1, vec(100))",
     "ROLLBACK TO s"},
    {"SAVEPOINT s; UPDATE t SET v = vec(rowid + 500) WHERE rowid < 20", "RELEASE s"},
};
const size_t index_change_count = VS_TEST_COUNT(index_changes);

#define TEN "1,2,3,4,5,6,7,8,9,10,"
#define SIXTY_FOUR_MORE TEN TEN TEN TEN TEN TEN "11,12,13,14"
const index_step index_reads[] = {
    {NULL, "SELECT rowid, distance, tag, note FROM t WHERE v MATCH vec(7) AND k = 5"},
    {NULL, "SELECT rowid, distance, v FROM t WHERE v MATCH vec(7) ORDER BY distance LIMIT 3"},
    {NULL, "SELECT rowid, distance, query, k, options FROM t(vec(7), 4, '{\"metric\":\"l2\"}')"},
    {NULL, "SELECT rowid, distance FROM t(vec(7), 4, '{\"metric\":\"cosine\"}')"},
    {NULL, "SELECT rowid, distance FROM t WHERE w MATCH vec_bit(x'0102030405060708') AND k = 3"},
    {NULL, "SELECT rowid, distance FROM t WHERE v MATCH vec(7) AND k = 5 AND g = 1 AND tag > 2 AND "
           "name LIKE 'k%' AND note IS NOT NULL"},
    {NULL, "SELECT rowid, distance FROM t WHERE v MATCH vec(7) AND k = 5 AND g IN (1, 3) AND "
           "distance BETWEEN 1.0 AND 1e3"},
    {NULL, "SELECT rowid, distance FROM t WHERE v MATCH vec(7) AND k = 5 AND rowid IN "
           "(" SIXTY_FOUR_MORE ")"},
    {NULL, "SELECT rowid, distance FROM t WHERE v MATCH vec(7) AND tag IN (SELECT value FROM "
           "json_each('[" SIXTY_FOUR_MORE "]')) LIMIT 30"},
    {NULL, "SELECT a.rowid, (SELECT b.rowid FROM t AS b WHERE b.v MATCH a.v AND b.rowid <> a.rowid "
           "LIMIT 1) FROM t AS a WHERE a.g = 1 AND a.tag < 3"},
    {NULL, "SELECT rowid, * FROM t WHERE tag > 2 AND name < 'k3' ORDER BY rowid DESC"},
    {NULL, "SELECT v, w, note FROM t WHERE rowid = 3"},
    {NULL, "SELECT id, distance FROM vec_search('t', 'v', vec(7), 5)"},
    {NULL, "SELECT query_no, id, distance FROM vec_search_batch('t', 'v', (SELECT v FROM t WHERE "
           "rowid = 7), 5)"},
    {NULL, "SELECT id, distance FROM vec_search('docs', 'v', vec(7), 5)"},
    {NULL, "SELECT rowid, distance, v FROM docs_index WHERE v MATCH vec(7) AND tag > 1 LIMIT 5"},
    {COLD, "SELECT rowid, distance, v FROM t WHERE v MATCH vec(7) AND k = 5"},
    {COLD, "SELECT rowid, v FROM t WHERE g = 1"},
    {COLD, "INSERT INTO t(t) VALUES ('integrity-check')"},
    {NULL, "INSERT INTO t(t) VALUES ('integrity-check')"},
    {NULL, "INSERT INTO docs_index(docs_index) VALUES ('integrity-check')"},
};
const size_t index_read_count = VS_TEST_COUNT(index_reads);

/* ---- connections ---- */

static void vec(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    static float v[DIM];
    uint64_t seed = (uint64_t)sqlite3_value_int64(argv[0]) * 7919 + 1;
    (void)argc;
    for (int i = 0; i < DIM; i++) {
        v[i] = (float)((double)(vs_test_random(&seed) >> 40) * 0x1p-23 - 1.0);
    }
    sqlite3_result_blob(ctx, v, sizeof v, SQLITE_TRANSIENT);
}

sqlite3 *index_open(const char *file, const char *vfs)
{
    sqlite3 *db = fixture_open_file(file, FIXTURE_CREATE, vfs);
    assert_int_equal(sqlite3_create_function(db, "vec", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                             vec, NULL, NULL),
                     SQLITE_OK);
    sqlite3_extended_result_codes(db, 1);
    vs_test_gives(db, "SELECT vec_config('threads', 1)", "1");
    return db;
}

static sqlite3 *image;

static void fill(sqlite3 *db)
{
    vs_test_run(
        db,
        "CREATE VIRTUAL TABLE t USING vecshard(v float[4096], w bit[64], g PARTITION KEY, tag "
        "INTEGER, name TEXT PRIMARY KEY, +note);"
        "CREATE TABLE docs(id INTEGER PRIMARY KEY, tag INTEGER, v);"
        "CREATE TABLE pages(id INTEGER PRIMARY KEY, tag INTEGER, v);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 36)"
        "INSERT INTO t(rowid, v, w, g, tag, name, note) SELECT i, vec(i), "
        "vec_slice(vec_quantize_binary(vec(i)), 0, 64), CASE WHEN i <= 20 THEN 1 WHEN i <= 35 THEN "
        "2 ELSE 3 END, i % 10, 'k' || i, 'note ' || i FROM n;"
        "DELETE FROM t WHERE rowid = 5;"
        "INSERT INTO docs SELECT rowid, tag, v FROM t WHERE rowid < 20;"
        "INSERT INTO pages SELECT * FROM docs;"
        "CREATE VIRTUAL TABLE docs_index USING vecshard(v float[4096], tag INTEGER, content=docs, "
        "content_rowid=id)");
}

void index_warm(sqlite3 *db)
{
    vs_test_run(db, "SELECT rowid FROM t WHERE rowid = 1; SELECT rowid FROM docs_index WHERE rowid "
                    "= 1");
}

int index_make_image(void **state)
{
    (void)state;
    image = index_open(":memory:", NULL);
    fill(image);
    return 0;
}

int index_free_image(void **state)
{
    (void)state;
    index_close(image);
    return 0;
}

sqlite3 *index_image(void)
{
    return image;
}

sqlite3 *index_open_copy(sqlite3 *from)
{
    sqlite3 *db = index_open(":memory:", NULL);
    sqlite3_backup *backup = sqlite3_backup_init(db, "main", from, "main");
    assert_non_null(backup);
    assert_int_equal(sqlite3_backup_step(backup, -1), SQLITE_DONE);
    assert_int_equal(sqlite3_backup_finish(backup), SQLITE_OK);
    return db;
}

sqlite3 *index_open_image(void)
{
    sqlite3 *db = index_open_copy(image);
    index_warm(db);
    return db;
}

void index_close(sqlite3 *db)
{
    vs_test_close(db);
    vs_cache_clear();
    vs_dict_cache_clear();
}

/* ---- questions ---- */

static uint64_t fold(uint64_t sum, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    for (; n >= 8; n -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        sum = (sum ^ word) * 1099511628211u;
        sum ^= sum >> 29;
    }
    for (; n > 0; n--, at++) {
        sum = (sum ^ *at) * 1099511628211u;
    }
    return sum;
}

/* A value that cannot be had for want of memory folds as nothing: the step after it fails. */
static uint64_t fold_row(uint64_t sum, sqlite3_stmt *stmt)
{
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
        int type = sqlite3_column_type(stmt, i);
        double number = sqlite3_column_double(stmt, i);
        sum = fold(fold(sum, &type, sizeof type), &number, sizeof number);
        if (type == SQLITE_BLOB || type == SQLITE_TEXT) {
            const void *bytes = sqlite3_column_blob(stmt, i);
            sum = fold(sum, bytes, bytes == NULL ? 0 : (size_t)sqlite3_column_bytes(stmt, i));
        }
    }
    return sum;
}

int index_run(sqlite3 *db, const char *sql, uint64_t *out_rows)
{
    uint64_t rows = 14695981039346656037u;
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && sql[0] != '\0') {
        sqlite3_stmt *stmt = NULL;
        rc = sqlite3_prepare_v2(db, sql, -1, &stmt, &sql);
        while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
            rows = fold_row(rows, stmt);
            rc = SQLITE_OK;
        }
        rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
        sqlite3_finalize(stmt);
    }
    if (out_rows != NULL) {
        *out_rows = rows;
    }
    return rc;
}

/* Calls `what` for each row of `list`, which is one text. */
static void for_each(sqlite3 *db, const char *list, void (*what)(sqlite3 *, const char *, void *),
                     void *data)
{
    sqlite3_stmt *stmt = NULL;
    char *names[32];
    int count = 0;
    assert_int_equal(sqlite3_prepare_v2(db, list, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW && count < 32) {
        names[count++] = sqlite3_mprintf("%s", sqlite3_column_text(stmt, 0));
    }
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    for (int i = 0; i < count; i++) { /* nothing is being read meanwhile */
        what(db, names[i], data);
        sqlite3_free(names[i]);
    }
}

static void add_rows(sqlite3 *db, const char *table, void *data)
{
    uint64_t *sum = data;
    uint64_t rows = 0;
    char *sql = sqlite3_mprintf("SELECT rowid, * FROM \"%w\" ORDER BY rowid", table);
    if (index_run(db, sql, &rows) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    *sum = fold(*sum, &rows, sizeof rows);
    sqlite3_free(sql);
}

uint64_t index_state(sqlite3 *db)
{
    uint64_t sum = 0;
    /* names of indexes are random */
    if (index_run(db,
                  "SELECT type, tbl_name, iif(type = 'index', NULL, name || sql) FROM "
                  "sqlite_schema ORDER BY 1, 2, 3",
                  &sum) != SQLITE_OK) {
        fail_msg("the schema cannot be read: %s", sqlite3_errmsg(db));
    }
    for_each(db,
             "SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL%' OR name IN ('docs', "
             "'pages') ORDER BY 1",
             add_rows, &sum);
    return sum;
}

static void is_whole(sqlite3 *db, const char *table, void *data)
{
    const char *what = data;
    char *found = NULL, *expected = NULL;
    char *check =
        sqlite3_mprintf("INSERT INTO \"%w\"(\"%w\") VALUES ('integrity-check')", table, table);
    char *search = sqlite3_mprintf("SELECT rowid, distance FROM \"%w\"(vec_slice(vec(7), 0, %s), "
                                   "3)",
                                   table, strcmp(table, "u") == 0 ? "64" : "4096");
    char *brute = sqlite3_mprintf("SELECT rowid, vec_distance_l2(v, vec_slice(vec(7), 0, %s)) AS d "
                                  "FROM \"%w\" WHERE v IS NOT NULL ORDER BY d, rowid LIMIT 3",
                                  strcmp(table, "u") == 0 ? "64" : "4096", table);
    if (index_run(db, check, NULL) != SQLITE_OK) {
        fail_msg("%s: %s: %s", what, table, sqlite3_errmsg(db));
    }
    assert_int_equal(vs_test_query(db, search, &found), SQLITE_OK);
    assert_int_equal(vs_test_query(db, brute, &expected), SQLITE_OK);
    if (strcmp(found == NULL ? "" : found, expected == NULL ? "" : expected) != 0) {
        fail_msg("%s: a search of %s gives %s, not %s", what, table, found, expected);
    }
    sqlite3_free(found);
    sqlite3_free(expected);
    sqlite3_free(check);
    sqlite3_free(search);
    sqlite3_free(brute);
}

void index_is_whole(sqlite3 *db, const char *what)
{
    for_each(db, "SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL%'", is_whole,
             (void *)(uintptr_t)what);
}

/* ---- one thing fails ---- */

typedef struct expectation {
    const index_fault *fault;
    const index_step *step;
    int is_in_transaction; /* after index_earlier */
    int is_open;           /* a transaction is, when the statement begins */
    uint64_t first;        /* the database as it was */
    uint64_t before;       /* ... before the statement */
    uint64_t after;        /* ... after it */
    uint64_t rows;         /* that the statement gives */
} expectation;

static sqlite3 *prepare(const expectation *wanted)
{
    sqlite3 *db = wanted->fault->open();
    if (wanted->is_in_transaction) {
        vs_test_run(db, "BEGIN");
        vs_test_run(db, index_earlier);
    }
    if (wanted->step->before != NULL) {
        vs_test_run(db, wanted->step->before);
    }
    return db;
}

static void expect(expectation *wanted)
{
    sqlite3 *db = wanted->fault->open();
    wanted->first = index_state(db);
    index_close(db);
    db = prepare(wanted);
    wanted->before = index_state(db);
    wanted->is_open = !sqlite3_get_autocommit(db);
    if (index_run(db, wanted->step->sql, &wanted->rows) != SQLITE_OK) {
        fail_msg("%s: %s", wanted->step->sql, sqlite3_errmsg(db));
    }
    wanted->after = index_state(db);
    index_is_whole(db, wanted->step->sql);
    index_close(db);
}

/* Is this what the tables may hold after the statement? */
static int is_expected(const expectation *wanted, int rc, int is_open, uint64_t state)
{
    if (rc == SQLITE_OK) {
        return state == wanted->after;
    }
    if (rc == SQLITE_INTERRUPT && is_open == wanted->is_open && state == wanted->after) {
        return 1; /* SQLite asked once more after the last step */
    }
    if (wanted->is_open && state == wanted->first && wanted->fault->what->is_final(rc)) {
        return 1; /* after a RELEASE that fails SQLite calls the transaction open all the same */
    }
    if (wanted->is_open && !is_open) {
        return 0;
    }
    return state == wanted->before;
}

/* What must hold after a run, and after the commit. Returns what the tables hold. */
static uint64_t check_run(sqlite3 *db, const expectation *wanted, int rc, uint64_t rows,
                          const char *what)
{
    int is_open = !sqlite3_get_autocommit(db);
    if (rc != SQLITE_OK && !wanted->fault->what->is_allowed(rc)) {
        fail_msg("%s: result %d, %s", what, rc, sqlite3_errmsg(db));
    }
    if (rc == SQLITE_OK && rows != wanted->rows) {
        fail_msg("%s: other rows", what);
    }
    fixture_nothing_is_open(db);
    uint64_t state = index_state(db);
    if (!is_expected(wanted, rc, is_open, state)) {
        fail_msg("%s: result %d, %s, and the tables hold something else", what, rc,
                 is_open ? "in the transaction" : "outside a transaction");
    }
    index_is_whole(db, what);
    if (is_open) {
        vs_test_run(db, "COMMIT");
        if (index_state(db) != state) {
            fail_msg("%s: the commit changes the tables", what);
        }
    }
    return state;
}

/* One run. Returns how many things failed. */
static int64_t fail_one(const expectation *wanted, int64_t n)
{
    const index_fault *fault = wanted->fault;
    char what[400];
    uint64_t rows = 0;
    int64_t live = vs_fault_live();
    sqlite3 *db = prepare(wanted);
    sqlite3_snprintf((int)sizeof what, what, "%s%.300s: %s %lld fails",
                     wanted->is_in_transaction ? "in a transaction: " : "", wanted->step->sql,
                     fault->what->name, n);
    fault->what->arm(db, n);
    int rc = index_run(db, wanted->step->sql, &rows);
    int64_t failures = fault->what->disarm(db);
    if (failures == 0 && rc != SQLITE_OK) {
        fail_msg("%s: result %d without a failure: %s", what, rc, sqlite3_errmsg(db));
    }
    uint64_t state = check_run(db, wanted, rc, rows, what);
    index_close(db);
    if (vs_fault_live() != live) {
        fail_msg("%s: %lld blocks were lost", what, (long long)(vs_fault_live() - live));
    }
    if (fault->closed != NULL) {
        fault->closed(state);
    }
    return failures;
}

void index_fail_each(const index_fault *fault, const index_step *steps, size_t count,
                     int is_in_transaction)
{
    const char *stride = getenv("VS_FAULT_STRIDE");
    long runs = 0;
    for (size_t i = 0; i < count; i++) {
        expectation wanted = {
            .fault = fault, .step = &steps[i], .is_in_transaction = is_in_transaction};
        int64_t n = 1;
        expect(&wanted);
        for (runs++; fail_one(&wanted, n) > 0; runs++) {
            n += stride != NULL ? strtoll(stride, NULL, 10) : fault->stride + n / fault->growth;
        }
    }
    print_message("%s: %ld runs\n", fault->what->name, runs);
}
