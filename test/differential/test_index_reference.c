/*
 * test_index_reference.c - a vecshard table behaves as a plain table with the same rows does.
 *
 * One random generator makes statements; each runs on the vecshard table `t` and, with the name
 * replaced, on the plain table `ref`. Both must succeed or fail alike. Now and then all rows are
 * compared, and searches of every form with brute force over `ref`: the same rows, the same
 * distances, bit by bit.
 *
 *   VS_INDEX_SECONDS  time for new cases (default 8)
 *   VS_INDEX_CASE     runs this one case and no other: what a failure prints
 */
#include "../vs_test.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define STEPS 60 /* of one case */
#define DIM_MAX 1024
#define VECTOR_MAX (4 * DIM_MAX)

typedef struct table_kind {
    const char *declaration; /* of column v */
    const char *type;        /* constructor that reads a BLOB of the column */
    const char *distance;    /* function of the metric */
    size_t dim;
    char element; /* f: float32, h: float16, i: int8, b: bits */
    int is_grid;  /* values that float16 holds exactly */
    int bulk;     /* rows of one bulk insert: enough to fill cells */
} table_kind;

static const table_kind kinds[] = {
    {"float[3]", "vec_f32", "l2", 3, 'f', 0, 300},
    {"float[40] distance_metric=cosine", "vec_f32", "cosine", 40, 'f', 0, 700},
    {"float[100]", "vec_f32", "l2", 100, 'f', 0, 300},
    {"float[200] distance_metric=dot", "vec_f32", "dot", 200, 'f', 0, 300},
    {"float[1000] distance_metric=cosine", "vec_f32", "cosine", 1000, 'f', 0, 80},
    {"float[1024] distance_metric=l2sq", "vec_f32", "l2sq", 1024, 'f', 0, 80},
    {"float[500] store=f16", "vec_f32", "l2", 500, 'f', 1, 150},
    {"float[70] distance_metric=l1", "vec_f32", "l1", 70, 'f', 0, 200},
    {"float16[130]", "vec_f16", "l2", 130, 'h', 1, 300},
    {"int8[48] distance_metric=cosine", "vec_int8", "cosine", 48, 'i', 0, 300},
    {"bit[64]", "vec_bit", "hamming", 64, 'b', 0, 300},
};

typedef struct test_case {
    uint64_t seed, random;
    sqlite3 *db;
    const table_kind *kind;
    const char *table; /* the vecshard table's name of the moment */
    char path[64];
    int depth; /* 0: no transaction; 1: in one; more: savepoints */
    int step;
} test_case;

static uint32_t pick(test_case *test, uint32_t n)
{
    return (uint32_t)(vs_test_random(&test->random) >> 20) % n;
}

#define FAIL_CASE(test, ...)                                                                       \
    do {                                                                                           \
        print_message("VS_INDEX_CASE=%llu, step %d, %s\n", (unsigned long long)(test)->seed,       \
                      (test)->step, (test)->kind->declaration);                                    \
        fail_msg(__VA_ARGS__);                                                                     \
    } while (0)

/* ---- vectors --------------------------------------------------------------------------------- */

/* Values that make many ties, some clusters, and a few vectors of extreme sizes. */
static double element(test_case *test, uint32_t shape, size_t i)
{
    switch (shape % 5) {
    case 0:
        return (double)pick(test, 3) - 1.0;
    case 1:
        return (double)((int)(i * 7 + shape) % 5) + 0.125 * (double)pick(test, 3);
    case 2:
        return i == shape % 7 ? 1.0 : 0.0;
    default:
        return ((double)pick(test, 2001) - 1000.0) / 125.0;
    }
}

static size_t make_vector(test_case *test, unsigned char *out)
{
    const table_kind *kind = test->kind;
    uint32_t shape = pick(test, 40);
    double scale = kind->is_grid || pick(test, 12) > 0 ? 1.0 : pick(test, 2) > 0 ? 1e25 : 1e-25;
    size_t n = kind->element == 'b'   ? kind->dim / 8
               : kind->element == 'i' ? kind->dim
               : kind->element == 'h' ? 2 * kind->dim
                                      : 4 * kind->dim;
    if (shape == 39) { /* zero */
        memset(out, 0, n);
        return n;
    }
    for (size_t i = 0; i < (kind->element == 'b' ? n : kind->dim); i++) {
        double x = element(test, shape, i) * scale;
        if (kind->is_grid) {
            x = (double)((int)(x * 8.0)) / 8.0;
        }
        float f = (float)x;
        if (kind->element == 'f') {
            memcpy(out + 4 * i, &f, 4);
        } else if (kind->element == 'h') {
            vsk_get()->from_f32[VSK_F16](&f, out + 2 * i, 1);
        } else {
            out[i] = kind->element == 'i' ? (unsigned char)(signed char)x
                                          : (unsigned char)pick(test, 256);
        }
    }
    return n;
}

static void append_vector(test_case *test, sqlite3_str *sql)
{
    unsigned char vector[VECTOR_MAX];
    size_t n = make_vector(test, vector);
    sqlite3_str_appendall(sql, "x'");
    for (size_t i = 0; i < n; i++) {
        sqlite3_str_appendf(sql, "%02x", vector[i]);
    }
    sqlite3_str_appendall(sql, "'");
}

/* ---- statements on both tables --------------------------------------------------------------- */

/* Replaces each @ by the name. sqlite3_malloc'ed. */
static char *with_name(const char *sql, const char *name)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    for (const char *at = sql; *at != '\0'; at++) {
        if (*at == '@') {
            sqlite3_str_appendall(text, name);
        } else {
            sqlite3_str_appendchar(text, 1, *at);
        }
    }
    return sqlite3_str_finish(text);
}

static int run_one(test_case *test, const char *sql, const char *name, int64_t *out_changes)
{
    char *text = with_name(sql, name);
    int before = sqlite3_total_changes(test->db);
    (void)before;
    int rc = sqlite3_exec(test->db, text, NULL, NULL, NULL);
    *out_changes = sqlite3_changes(test->db);
    sqlite3_free(text);
    return rc;
}

/* A random change, with @ for the table; NULL: not a change of rows. */
static char *make_change(test_case *test)
{
    static const char *const verbs[] = {"INSERT",           "INSERT",         "INSERT OR REPLACE",
                                        "INSERT OR IGNORE", "INSERT OR FAIL", "INSERT OR ABORT"};
    static const char *const langs[] = {"'en'", "'EN'", "'fr'", "NULL", "'de'"};
    sqlite3_str *sql = sqlite3_str_new(NULL);
    uint32_t what = pick(test, 10);
    if (what < 4) {
        uint32_t rows = 1 + (what == 0 ? pick(test, 6) : 0);
        sqlite3_str_appendf(sql, "%s INTO @(rowid, key, v, part, lang, n, title) VALUES ",
                            verbs[pick(test, 6)]);
        for (uint32_t i = 0; i < rows; i++) {
            sqlite3_str_appendf(sql, "%s(%d, ", i == 0 ? "" : ", ", (int)pick(test, 400) - 5);
            sqlite3_str_appendf(sql, pick(test, 4) > 0 ? "'k%d', " : "NULL, ",
                                (int)pick(test, 300));
            if (pick(test, 12) == 0) {
                sqlite3_str_appendall(sql, "NULL");
            } else {
                append_vector(test, sql);
            }
            sqlite3_str_appendf(sql, ", %d, %s, %d, 'title %d')", (int)pick(test, 3),
                                langs[pick(test, 5)], (int)pick(test, 9), (int)pick(test, 50));
        }
    } else if (what == 4) {
        sqlite3_str_appendf(
            sql,
            "INSERT INTO @(rowid, v, part, lang, n) SELECT i + %d, v, part, lang, n "
            "FROM src",
            (int)(1000 + 1000 * pick(test, 4)));
    } else if (what == 5) {
        sqlite3_str_appendall(sql, "UPDATE @ SET v = ");
        append_vector(test, sql);
        sqlite3_str_appendf(sql, " WHERE rowid %% 7 = %d", (int)pick(test, 7));
    } else if (what == 6) {
        sqlite3_str_appendf(sql,
                            "UPDATE OR %s @ SET rowid = rowid + %d WHERE rowid BETWEEN %d AND %d",
                            pick(test, 2) > 0 ? "IGNORE" : "REPLACE", (int)(1 + pick(test, 400)), 3,
                            (int)(3 + pick(test, 6)));
    } else if (what == 7) {
        sqlite3_str_appendf(sql, "UPDATE @ SET part = %d, lang = %s WHERE n = %d",
                            (int)pick(test, 4), langs[pick(test, 5)], (int)pick(test, 9));
    } else if (what == 8) {
        sqlite3_str_appendf(sql, "UPDATE @ SET n = n + 1, title = title || '+' WHERE lang = 'en'");
    } else {
        sqlite3_str_appendf(sql,
                            pick(test, 6) == 0 ? "DELETE FROM @ WHERE rowid > %d"
                                               : "DELETE FROM @ WHERE rowid %% 11 = %d",
                            (int)pick(test, 11));
    }
    return sqlite3_str_finish(sql);
}

static void change_both(test_case *test)
{
    int64_t of_index = 0, of_ref = 0;
    char *sql = make_change(test);
    int rc = run_one(test, sql, test->table, &of_index);
    char *message = sqlite3_mprintf("%s", sqlite3_errmsg(test->db));
    int expected = run_one(test, sql, "ref", &of_ref);
    if ((rc == SQLITE_OK) != (expected == SQLITE_OK)) {
        FAIL_CASE(test, "%.300s: %d (%s), expected %d", sql, rc, message, expected);
    }
    if (rc == SQLITE_OK && of_index != of_ref) {
        FAIL_CASE(test, "%.300s: changes() is %lld, expected %lld", sql, (long long)of_index,
                  (long long)of_ref);
    }
    sqlite3_free(message);
    sqlite3_free(sql);
}

static void run(test_case *test, const char *sql)
{
    char *text = with_name(sql, test->table);
    char *message = NULL;
    if (sqlite3_exec(test->db, text, NULL, NULL, &message) != SQLITE_OK) {
        FAIL_CASE(test, "%s: %s", text, message);
    }
    sqlite3_free(text);
}

/* ---- comparing ------------------------------------------------------------------------------- */

static sqlite3_stmt *prepare(test_case *test, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(test->db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        FAIL_CASE(test, "%.400s: %s", sql, sqlite3_errmsg(test->db));
    }
    return stmt;
}

static int same_value(sqlite3_value *a, sqlite3_value *b)
{
    int type = sqlite3_value_type(a);
    if (type != sqlite3_value_type(b)) {
        return 0;
    }
    if (type == SQLITE_FLOAT) {
        double x = sqlite3_value_double(a), y = sqlite3_value_double(b);
        return memcmp(&x, &y, sizeof x) == 0;
    }
    int n = sqlite3_value_bytes(a);
    return n == sqlite3_value_bytes(b) &&
           (n == 0 || memcmp(sqlite3_value_blob(a), sqlite3_value_blob(b), (size_t)n) == 0);
}

/* Two statements give the same rows. q: bound as ?1 of both, or NULL. */
static void same_rows(test_case *test, const char *sql, const char *expected, const void *q,
                      size_t q_bytes)
{
    sqlite3_stmt *a = prepare(test, sql), *b = prepare(test, expected);
    int row = 0;
    if (q != NULL) {
        (void)sqlite3_bind_blob(a, 1, q, (int)q_bytes, SQLITE_STATIC);
        (void)sqlite3_bind_blob(b, 1, q, (int)q_bytes, SQLITE_STATIC);
    }
    for (;; row++) {
        int rc = sqlite3_step(a);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
            FAIL_CASE(test, "%.400s: %s", sql, sqlite3_errmsg(test->db));
        }
        int has = sqlite3_step(b);
        if (rc != has) {
            FAIL_CASE(test, "%.400s: row %d: %s, expected %s (%.300s)", sql, row,
                      rc == SQLITE_ROW ? "a row" : "no more", has == SQLITE_ROW ? "a row" : "none",
                      expected);
        }
        if (rc == SQLITE_DONE) {
            break;
        }
        for (int i = 0; i < sqlite3_column_count(a); i++) {
            if (!same_value(sqlite3_column_value(a, i), sqlite3_column_value(b, i))) {
                FAIL_CASE(test, "%.400s: row %d, column %d: %s, expected %s", sql, row, i,
                          (const char *)sqlite3_column_text(a, i),
                          (const char *)sqlite3_column_text(b, i));
            }
        }
    }
    sqlite3_finalize(a);
    sqlite3_finalize(b);
}

static void compare_tables(test_case *test)
{
    char *sql = sqlite3_mprintf("SELECT rowid, key, v, part, lang, n, title FROM %s ORDER BY rowid",
                                test->table);
    same_rows(test, sql, "SELECT id, key, v, part, lang, n, title FROM ref ORDER BY id", NULL, 0);
    sqlite3_free(sql);
}

/* Conditions that SQLite hands to the table, and those that it keeps. */
static const char *const handed[] = {
    "",
    "",
    " AND part = 1",
    " AND part IN (0, 2)",
    " AND lang = 'en'",
    " AND lang LIKE 'e%'",
    " AND lang IS NULL",
    " AND lang IS NOT NULL AND n > 3",
    " AND n IN (1, 5, 7)",
    " AND n BETWEEN 2 AND 4 AND part <> 1",
    " AND title GLOB 'title 1*'",
    " AND rowid IN (SELECT id FROM ref WHERE n = 2)",
    " AND rowid < 1200",
    " AND key = 'k7'",
    " AND key > 'k2' COLLATE BINARY",
};
static const char *const kept[] = {
    " AND (lang = 'en' OR n = 3)",
    " AND n + 1 = 4",
    " AND length(title) > 8",
    " AND rowid % 3 = 1",
};

static void compare_search(test_case *test)
{
    unsigned char q[VECTOR_MAX];
    size_t q_bytes = make_vector(test, q);
    const table_kind *kind = test->kind;
    int form = (int)pick(test, 5);
    int k = (int)(1 + pick(test, pick(test, 4) == 0 ? 400 : 12));
    const char *condition = form == 1 && pick(test, 2) > 0
                                ? kept[pick(test, VS_TEST_COUNT(kept))]
                                : handed[pick(test, VS_TEST_COUNT(handed))];
    char *distance =
        sqlite3_mprintf("vec_distance_%s(%s(v), %s(?1))", kind->distance, kind->type, kind->type);
    char *expected = sqlite3_mprintf("SELECT id, d FROM (SELECT *, id AS rowid, %s AS d FROM ref "
                                     "WHERE v IS NOT NULL) WHERE d IS "
                                     "NOT NULL%s ORDER BY d, id LIMIT %d",
                                     distance, form >= 3 ? "" : condition, k);
    char *sql = NULL;
    switch (form) {
    case 0:
        sql = sqlite3_mprintf(
            "SELECT rowid, distance FROM %s WHERE v MATCH %s(?1) AND k = %d%s ORDER BY "
            "distance",
            test->table, kind->type, k, condition);
        break;
    case 1:
        sql = sqlite3_mprintf(
            "SELECT rowid, distance FROM %s WHERE v MATCH %s(?1)%s ORDER BY distance "
            "LIMIT %d",
            test->table, kind->type, condition, k);
        break;
    case 2:
        sql = sqlite3_mprintf("SELECT t.rowid, t.distance FROM %s(%s(?1), %d) AS t WHERE 1%s",
                              test->table, kind->type, k, condition);
        break;
    case 3:
        sql = sqlite3_mprintf("SELECT id, distance FROM vec_search('%s', 'v', %s(?1), %d)",
                              test->table, kind->type, k);
        break;
    default:
        sql =
            sqlite3_mprintf("SELECT t.rowid, t.distance FROM %s AS t WHERE t.v MATCH %s(?1) AND "
                            "t.distance <= (SELECT max(d) FROM (%s)) ORDER BY t.distance LIMIT %d",
                            test->table, kind->type, expected, k);
        break;
    }
    same_rows(test, sql, expected, q, q_bytes);
    sqlite3_free(sql);
    sqlite3_free(expected);
    sqlite3_free(distance);
}

/* ---- transactions and upkeep ----------------------------------------------------------------- */

static void move_transaction(test_case *test)
{
    char *sql = NULL;
    uint32_t what = pick(test, 3);
    if (test->depth == 0) {
        sql = sqlite3_mprintf("BEGIN");
        test->depth = 1;
    } else if (what == 0 && test->depth < 4) {
        sql = sqlite3_mprintf("SAVEPOINT s%d", test->depth++);
    } else if (what == 1 && test->depth > 1) {
        test->depth--;
        sql = pick(test, 2) > 0
                  ? sqlite3_mprintf("RELEASE s%d", test->depth)
                  : sqlite3_mprintf("ROLLBACK TO s%d; RELEASE s%d", test->depth, test->depth);
    } else {
        sql = sqlite3_mprintf(pick(test, 3) == 0 ? "ROLLBACK" : "COMMIT");
        test->depth = 0;
    }
    run(test, sql);
    sqlite3_free(sql);
}

static void open_case(test_case *test)
{
    char *message = NULL;
    assert_int_equal(sqlite3_open(test->path[0] == '\0' ? ":memory:" : test->path, &test->db),
                     SQLITE_OK);
    assert_int_equal(sqlite3_vecshard_init(test->db, &message, NULL), SQLITE_OK);
}

/* Rows for bulk inserts: temporary, so that they are made anew after reopening. */
static void fill_source(test_case *test)
{
    unsigned char vector[VECTOR_MAX];
    run(test, "CREATE TEMP TABLE src(i INTEGER PRIMARY KEY, v, part, lang, n)");
    sqlite3_stmt *stmt =
        prepare(test, "INSERT INTO src VALUES(?1, ?2, ?1 % 3, "
                      "CASE ?1 % 4 WHEN 0 THEN 'en' WHEN 1 THEN 'Fr' END, ?1 % 9)");
    run(test, "SAVEPOINT fill");
    for (int i = 0; i < test->kind->bulk; i++) {
        size_t n = make_vector(test, vector);
        (void)sqlite3_bind_int(stmt, 1, i);
        (void)sqlite3_bind_blob(stmt, 2, vector, (int)n, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
        (void)sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    run(test, "RELEASE fill");
}

static void upkeep(test_case *test)
{
    switch (pick(test, 10)) {
    case 0:
        run(test, "INSERT INTO @(@) VALUES('optimize')");
        break;
    case 1:
        run(test, "INSERT INTO @(@, arg) VALUES('merge', 20)");
        break;
    case 2:
        run(test, "INSERT INTO @(@) VALUES('rebuild')");
        break;
    case 3:
        run(test, "SELECT vec_config('cache_mb', 0)");
        break;
    case 4:
        run(test, "SELECT vec_config('cache_mb', 1)");
        break;
    case 5:
        run(test, "SELECT vec_config('cache_mb', 256), vec_config('threads', 2)");
        break;
    case 6: {
        const char *other = strcmp(test->table, "t") == 0 ? "renamed" : "t";
        char *sql = sqlite3_mprintf("ALTER TABLE @ RENAME TO %s", other);
        run(test, sql);
        sqlite3_free(sql);
        test->table = other;
        /* A rollback brings the old name back: end the transaction. */
        if (test->depth > 0) {
            run(test, "COMMIT");
            test->depth = 0;
        }
        break;
    }
    case 7:
        if (test->depth == 0) {
            run(test, "VACUUM");
        }
        break;
    case 8:
        if (test->depth == 0 && test->path[0] != '\0') {
            assert_int_equal(sqlite3_close(test->db), SQLITE_OK);
            open_case(test);
            fill_source(test);
        }
        break;
    default:
        run(test, "INSERT INTO @(@) VALUES('integrity-check')");
        break;
    }
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void run_case(uint64_t seed)
{
    test_case test;
    memset(&test, 0, sizeof test);
    test.seed = seed;
    test.random = seed * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < 8; i++) {
        (void)vs_test_random(&test.random);
    }
    test.kind = &kinds[pick(&test, VS_TEST_COUNT(kinds))];
    test.table = "t";
    if (pick(&test, 3) == 0) {
        (void)snprintf(test.path, sizeof test.path, "index_reference_%ld.db", (long)getpid());
        (void)remove(test.path);
    }
    open_case(&test);
    char *create = sqlite3_mprintf(
        "CREATE VIRTUAL TABLE t USING vecshard(key TEXT PRIMARY KEY, v %s, %s lang TEXT COLLATE "
        "NOCASE, n INTEGER, +title TEXT)",
        test.kind->declaration,
        pick(&test, 2) > 0 ? "part INTEGER PARTITION KEY," : "part INTEGER,");
    run(&test, create);
    sqlite3_free(create);
    run(&test,
        "CREATE TABLE ref(id INTEGER PRIMARY KEY, key TEXT UNIQUE, v BLOB, part INTEGER, lang "
        "TEXT COLLATE NOCASE, n INTEGER, title TEXT)");
    fill_source(&test);
    for (test.step = 0; test.step < STEPS; test.step++) {
        uint32_t what = pick(&test, 20);
        if (what < 8) {
            change_both(&test);
        } else if (what < 14) {
            compare_search(&test);
        } else if (what < 17) {
            move_transaction(&test);
        } else if (what < 18) {
            compare_tables(&test);
        } else {
            upkeep(&test);
        }
    }
    compare_tables(&test);
    run(&test, "INSERT INTO @(@) VALUES('integrity-check')");
    if (test.depth > 0) {
        run(&test, "ROLLBACK");
    }
    compare_tables(&test);
    run(&test, "INSERT INTO @(@) VALUES('integrity-check')");
    run(&test, "DROP TABLE @");
    vs_test_gives(test.db,
                  "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'ref%' AND name NOT "
                  "LIKE 'sqlite_%'",
                  "0");
    run(&test, "SELECT vec_config('cache_mb', 256), vec_config('threads', 0)");
    assert_int_equal(sqlite3_close(test.db), SQLITE_OK);
    if (test.path[0] != '\0') {
        (void)remove(test.path);
    }
}

static void a_vecshard_table_equals_a_plain_one(void **state)
{
    const char *one = getenv("VS_INDEX_CASE");
    const char *seconds = getenv("VS_INDEX_SECONDS");
    time_t end = time(NULL) + (seconds == NULL ? 8 : atoi(seconds));
    uint64_t seed = 1;
    (void)state;
    if (one != NULL) {
        run_case(strtoull(one, NULL, 10));
        return;
    }
    for (; time(NULL) < end || seed <= 10; seed++) {
        run_case(seed);
    }
    print_message("%llu cases\n", (unsigned long long)seed - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vecshard_table_equals_a_plain_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
