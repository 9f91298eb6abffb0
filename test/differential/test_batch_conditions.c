/*
 * test_batch_conditions.c - vec_search_batch under conditions against as many single searches.
 *
 * Random conditions on id, distance, rank and query_no, over tables of every kind that a search
 * takes. The single searches are one vec_search for each row of a table of queries, under the same
 * conditions. Rows and distances must be equal to the last bit.
 *
 * Environment: VS_DIFF_ROUNDS, the number of random statements (default 1500).
 */
#include "../search_fixture.h"

#include <stdio.h>

#define CONDITION_DIM 32
#define CONDITION_ROWS 300
#define CONDITION_QUERIES 5
#define CONDITION_ROUNDS 1500

static sqlite3 *db;
static uint64_t random_state = 20261122u;

static size_t below(size_t n)
{
    return (size_t)(vs_test_random(&random_state) % n);
}

/* Ordinary tables with equal distances, one of them behind a vecshard index, one with a norm index,
 * one without rowid; and a vecshard table. */
static int open_tables(void **state)
{
    (void)state;
    db = vs_test_open();
    fixture_fill(db, "t", CONDITION_ROWS, CONDITION_DIM, FIXTURE_WHOLE);
    fixture_fill(db, "q", CONDITION_QUERIES, CONDITION_DIM, FIXTURE_WHOLE);
    vs_test_run(db,
                "UPDATE t SET v = NULL WHERE id % 50 = 7;"
                "CREATE INDEX t_tag ON t(tag) WHERE tag < 5;"
                "CREATE TABLE keyed(k INTEGER PRIMARY KEY DESC, v) WITHOUT ROWID;"
                "INSERT INTO keyed SELECT id * 3 - 100, v FROM t;"
                "CREATE TABLE normed AS SELECT id, v, tag FROM t;"
                "CREATE INDEX normed_norm ON normed(vec_norm(v));"
                "CREATE TABLE base(id INTEGER PRIMARY KEY, v);"
                "INSERT INTO base SELECT id, v FROM t;"
                "CREATE VIRTUAL TABLE base_index USING vecshard(v float[32], content=base, "
                "content_rowid=id);"
                "CREATE VIRTUAL TABLE own USING vecshard(v float[32], tag INTEGER);"
                "INSERT INTO own(rowid, v, tag) SELECT id, v, tag FROM t;"
                "CREATE TABLE limits(n INTEGER PRIMARY KEY, d, word TEXT);"
                "INSERT INTO limits SELECT s.rank, s.distance, CAST(s.distance AS TEXT) FROM q, "
                "vec_search('t', 'v', q.v, 40) AS s WHERE q.id = 1");
    return 0;
}

static int close_tables(void **state)
{
    (void)state;
    fixture_nothing_is_open(db);
    vs_test_close(db);
    return 0;
}

/* table, column, options: as arguments */
static const char *const sources[][2] = {
    {"'t', 'v'", "NULL"},
    {"'t', 'v'", "'{\"metric\":\"cosine\"}'"},
    {"'t', 'v'", "'{\"metric\":\"l1\",\"device\":\"cpu\"}'"},
    {"'t', 'v'", "'{\"index\":\"t_tag\",\"metric\":\"dot\"}'"},
    {"'t', 'v'", "'{\"norm_band\":0.1}'"},
    {"'keyed', 'v'", "'{\"metric\":\"l2sq\"}'"},
    {"'normed', 'v'", "NULL"},
    {"'normed', 'v'", "'{\"index\":\"normed_norm\"}'"},
    {"'base', 'v'", "NULL"},
    {"'base', 'v'", "'{\"index\":\"base_index\",\"metric\":\"dot\"}'"},
    {"'base', 'v'", "'{\"metric\":\"cosine\"}'"},
    {"'base_index', 'v'", "NULL"},
    {"'own', 'v'", "NULL"},
    {"'own', 'v'", "'{\"metric\":\"l1\"}'"},
    {"'own', 'v'", "'{\"metric\":\"dot\"}'"},
};

static const char *const values[] = {
    "NULL",
    "5",
    "'5'",
    "5.5",
    "'x'",
    "x'00'",
    "-3",
    "9223372036854775807",
    "1e300",
    "'7.25'",
    "CAST(6 AS TEXT)",
    "(SELECT d FROM limits WHERE n = 3)",
    "?1",
    "0",
    "(SELECT d FROM limits WHERE n = 20)",
    "(SELECT word FROM limits WHERE n = 9)",
    "8",
    "-0.25",
};

/* A condition; %s is a value. */
static const char *const conditions[] = {
    "id = %s",
    "id IN (%s, 5, 6, 7.0, '8')",
    "id IN (SELECT id FROM t WHERE tag < 3 OR id = %s)",
    "id IN (SELECT value FROM json_each('[]'))",
    "id NOT IN (%s, 1, 2)",
    "id > %s",
    "distance < %s",
    "distance <= %s",
    "distance > %s",
    "distance >= %s",
    "%s <= distance",
    "distance = %s",
    "distance IN (%s, (SELECT d FROM limits WHERE n = 2))",
    "distance BETWEEN %s AND 9",
    "distance BETWEEN 4 AND %s",
    "distance IS NOT %s",
    "rank <= %s",
    "rank < %s",
    "rank = %s",
    "rank BETWEEN 2 AND %s",
    "query_no = %s",
    "query_no = 2",
    "query_no < %s",
    "query_no IN (1, 3, %s)",
    "(id = %s OR distance > 6)",
    "(id, distance) IN (SELECT id, %s FROM t)",
};

/* One to three conditions, joined by AND. sqlite3_malloc'ed. */
static char *make_where(void)
{
    sqlite3_str *where = sqlite3_str_new(NULL);
    size_t count = 1 + below(3);
    for (size_t i = 0; i < count; i++) {
        const char *condition = conditions[below(VS_TEST_COUNT(conditions))];
        const char *at = strstr(condition, "%s");
        const char *value = values[below(VS_TEST_COUNT(values))];
        sqlite3_str_appendall(where, i == 0 ? "" : " AND ");
        if (at == NULL) {
            sqlite3_str_appendall(where, condition);
        } else {
            sqlite3_str_append(where, condition, (int)(at - condition));
            sqlite3_str_appendf(where, "%s%s", value, at + 2);
        }
    }
    return sqlite3_str_finish(where);
}

/* All rows as text, numbers to the last bit. sqlite3_malloc'ed. */
static char *rows_of(const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3_str *text = sqlite3_str_new(NULL);
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_double(stmt, 1, 6.0);
        while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
            char line[128];
            snprintf(line, sizeof line, "%lld %lld %lld %a\n",
                     (long long)sqlite3_column_int64(stmt, 0),
                     (long long)sqlite3_column_int64(stmt, 1),
                     (long long)sqlite3_column_int64(stmt, 2), sqlite3_column_double(stmt, 3));
            sqlite3_str_appendall(text, line);
        }
    }
    if (rc != SQLITE_DONE) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    sqlite3_finalize(stmt);
    sqlite3_str_appendall(text, ".");
    return sqlite3_str_finish(text);
}

/* The single searches number their rows as the batch does: query_no is an INTEGER column there. */
static void compare(const char *const source[2], int k, const char *where)
{
    char *single = sqlite3_mprintf(
        "SELECT query_no, rank, id, distance FROM numbered CROSS JOIN vec_search(%s, vector, %d, "
        "%s) AS s WHERE %s ORDER BY query_no, rank",
        source[0], k, source[1], where);
    char *batch = sqlite3_mprintf(
        "SELECT query_no, rank, id, distance FROM vec_search_batch(%s, (SELECT '[' || "
        "group_concat(vec_to_json(vector)) || ']' FROM numbered), %d, %s) AS s WHERE %s ORDER BY "
        "query_no, rank",
        source[0], k, source[1], where);
    char *expected = rows_of(single);
    char *found = rows_of(batch);
    if (strcmp(expected, found) != 0) {
        fail_msg("%s gives\n%s\nand\n%s gives\n%s", batch, found, single, expected);
    }
    sqlite3_free(single);
    sqlite3_free(batch);
    sqlite3_free(expected);
    sqlite3_free(found);
}

static void a_batch_under_conditions_equals_single_searches(void **state)
{
    static const int ks[] = {0, 1, 2, 7, 40, 1000};
    const char *given = getenv("VS_DIFF_ROUNDS");
    long rounds = given == NULL ? CONDITION_ROUNDS : strtol(given, NULL, 10);
    (void)state;
    vs_test_run(db, "CREATE TABLE numbered(query_no INTEGER, vector);"
                    "INSERT INTO numbered SELECT id - 1, v FROM q ORDER BY id");
    for (long i = 0; i < rounds; i++) {
        char *where = make_where();
        compare(sources[below(VS_TEST_COUNT(sources))], ks[below(VS_TEST_COUNT(ks))], where);
        sqlite3_free(where);
    }
}

/* Within a statement that writes, all queries are answered at once, by the same conditions. */
static void a_statement_that_writes_gets_the_same_rows(void **state)
{
    (void)state;
    vs_test_run(db,
                "CREATE TEMP TABLE got AS SELECT query_no, id, distance FROM "
                "vec_search_batch('t', 'v', (SELECT '[' || group_concat(vec_to_json(vector)) || "
                "']' FROM numbered), 3) WHERE id IN (SELECT id FROM t WHERE tag = 4) AND "
                "distance > 5");
    vs_test_gives(db,
                  "SELECT count(*) FROM (SELECT query_no, s.id, distance FROM numbered CROSS JOIN "
                  "vec_search('t', 'v', vector, 3) AS s WHERE s.id IN (SELECT id FROM t WHERE "
                  "tag = 4) AND distance > 5 EXCEPT SELECT * FROM got)",
                  "0");
    vs_test_gives(db, "SELECT count(*) FROM got", "15");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_under_conditions_equals_single_searches),
        cmocka_unit_test(a_statement_that_writes_gets_the_same_rows),
    };
    return cmocka_run_group_tests(tests, open_tables, close_tables);
}
