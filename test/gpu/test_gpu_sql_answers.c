/*
 * test_gpu_sql_answers.c - searches of ordinary tables give the same rows and bits on the GPU.
 */
#include "sql_fixture.h"

#include <stdio.h>

typedef struct answers_kind {
    const char *name;
    vsk_type type;
} answers_kind;

static const answers_kind answers_kinds[] = {
    {"float32", VSK_F32}, {"float16", VSK_F16}, {"bfloat16", VSK_BF16}, {"int8", VSK_I8}};
static const char *const answers_metrics[] = {"l2", "l2sq", "cosine", "dot"};

/* Searches with k, of each kind that the search knows. M: metric and type. */
static const char *const answers_forms[] = {
    "SELECT id, distance, rank FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 1), 1, M)",
    "SELECT id, distance, rank FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 2), 10, M)",
    "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 3), 100, M)",
    "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 1), 2000, M)",
    "SELECT query_no, rank, id, distance FROM vec_search_batch('docs', 'v', (SELECT v FROM q "
    "WHERE id = 0), 7, M)",
    "SELECT query_no, rank, id, distance FROM vec_search_batch('docs', 'v', (SELECT v FROM q "
    "WHERE id = 0), 7, M) WHERE id IN (SELECT id FROM docs WHERE tag < 8) AND distance > (SELECT v "
    "FROM edge WHERE id = 1)",
    "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 2), 12, M) "
    "WHERE id IN (SELECT id FROM docs WHERE tag < 8)",
    "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 3), 12, M) WHERE "
    "distance >= (SELECT v FROM edge WHERE id = 1) AND distance <= (SELECT v FROM edge WHERE id = "
    "2)",
};

static char *answers_with_options(const char *form, const char *metric, const char *type)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    for (; *form != '\0'; form++) {
        if (form[0] == 'M' && form[1] == ')') {
            sqlite3_str_appendf(text, "'{\"metric\":\"%s\",\"type\":\"%s\",\"device\":\"@\"}'",
                                metric, type);
        } else {
            sqlite3_str_appendchar(text, 1, *form);
        }
    }
    return sqlite3_str_finish(text);
}

/* The distance of query 3 at a rank. */
static double answers_edge(sqlite3 *db, const char *metric, const char *type, int rank)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("SELECT distance FROM vec_search('docs', 'v', (SELECT v FROM q "
                                "WHERE id = 3), 60, '{\"metric\":\"%s\",\"type\":\"%s\","
                                "\"device\":\"cpu\"}') ORDER BY rank LIMIT 1 OFFSET %d",
                                metric, type, rank - 1);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    double edge = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_double(stmt, 0) : 0.0;
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    sqlite3_free(sql);
    return edge;
}

/* The 20th and 60th distance of query 3: limits that are distances of rows. Written by statements that
 * search nothing: SQLite from 3.41 on begins a write of all databases for those that do both. */
static void answers_take_edges(sqlite3 *db, const char *metric, const char *type)
{
    static const int ranks[] = {20, 60};
    sqlite3_stmt *stmt = NULL;
    vs_test_run(db, "DELETE FROM edge");
    for (int i = 0; i < 2; i++) {
        double edge = answers_edge(db, metric, type, ranks[i]);
        assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO edge VALUES(?1, ?2)", -1, &stmt, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_bind_int(stmt, 1, i + 1), SQLITE_OK);
        assert_int_equal(sqlite3_bind_double(stmt, 2, edge), SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
        assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    }
}

/* Can every query be answered? Not those that are zero, or beyond what has bounds. */
static int answers_are_bounded(const sql_shape *shape)
{
    return shape->spread == FIXTURE_NORMAL || shape->spread == FIXTURE_LOG_NORM ||
           (shape->spread == FIXTURE_WHOLE && shape->dim >= 17);
}

static void answers_of_metric(sqlite3 *db, const sql_shape *shape, const char *metric)
{
    answers_take_edges(db, metric, shape->type);
    for (size_t i = 0; i < VS_TEST_COUNT(answers_forms); i++) {
        char *search = answers_with_options(answers_forms[i], metric, shape->type);
        if (answers_are_bounded(shape)) {
            sql_same_for(db, search, "none");
        } else {
            (void)sql_same(db, search, "gpu");
        }
        sqlite3_free(search);
    }
}

static void answers_of_shape(sqlite3 *db, const sql_shape *shape, const char *precision,
                             uint64_t seed)
{
    vs_test_run(db, "DROP TABLE IF EXISTS docs;"
                    "CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER)");
    sql_fill(db, "docs", shape, 1, seed);
    sql_make_queries(db, shape, 3, seed + 1);
    assert_true(sql_number(db, "SELECT vec_gpu_load('docs', 'v', '%s', '{\"type\":\"%s\"}')",
                           precision, shape->type) > 0);
    for (size_t m = 0; m < VS_TEST_COUNT(answers_metrics); m++) {
        answers_of_metric(db, shape, answers_metrics[m]);
    }
    assert_true(sql_number(db, "SELECT vec_gpu_evict('docs', 'v')") > 0);
}

static void answers_of_precision(const char *precision, uint64_t seed)
{
    static const size_t dims[] = {1, 3, 17, 64, 384};
    sqlite3 *db = sql_open(NULL, 0);
    /* what is written there is none of the database's */
    vs_test_run(db, "CREATE TEMP TABLE edge(id INTEGER PRIMARY KEY, v REAL)");
    for (size_t d = 0; d < VS_TEST_COUNT(dims); d++) {
        for (size_t t = 0; t < VS_TEST_COUNT(answers_kinds); t++) {
            sql_shape shape = {answers_kinds[t].name, answers_kinds[t].type, dims[d],
                               (fixture_spread)((d + t + seed) % FIXTURE_SPREADS),
                               dims[d] > 100 ? 150 : 300};
            answers_of_shape(db, &shape, precision, seed * 100 + d * 10 + t + 1);
        }
    }
    vs_test_close(db);
}

static void answer_f16(vsg_fake *fake)
{
    (void)fake;
    answers_of_precision("f16", 1);
}

static void answer_int8(vsg_fake *fake)
{
    (void)fake;
    answers_of_precision("int8", 2);
}

static void answer_f32(vsg_fake *fake)
{
    (void)fake;
    answers_of_precision("f32", 3);
}

static void every_metric_type_and_dimension_in_f16(void **state)
{
    (void)state;
    sql_scenario(answer_f16);
}

static void every_metric_type_and_dimension_in_int8(void **state)
{
    (void)state;
    sql_scenario(answer_int8);
}

static void every_metric_type_and_dimension_with_vectors(void **state)
{
    (void)state;
    sql_scenario(answer_f32);
}

/* ---- other forms ----------------------------------------------------------------------------- */

static const sql_shape answers_plain = {"float32", VSK_F32, 16, FIXTURE_WHOLE, 700};

static sqlite3 *answers_open(const char *declaration)
{
    sqlite3 *db = sql_open(NULL, 0);
    vs_test_run(db, declaration);
    sql_fill(db, "docs", &answers_plain, 1, 11);
    sql_make_queries(db, &answers_plain, 300, 12);
    return db;
}

static void stream(vsg_fake *fake)
{
    static const char *const searches[] = {
        "SELECT id, distance, rank FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 1), "
        "NULL, '{\"device\":\"@\"}')",
        "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 2), NULL, "
        "'{\"device\":\"@\"}') LIMIT 30 OFFSET 7",
        "SELECT s.id, s.distance, d.tag FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = "
        "3), NULL, '{\"device\":\"@\",\"metric\":\"cosine\"}') AS s JOIN docs d ON d.id = s.id "
        "WHERE d.tag = 3 OR d.id % 31 = 0 ORDER BY s.distance LIMIT 20",
        "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 4), NULL, "
        "'{\"device\":\"@\"}') WHERE distance BETWEEN 3 AND 5",
        "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 4), NULL, "
        "'{\"device\":\"@\"}') WHERE distance = 4",
        "SELECT id, rank FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 4), NULL, "
        "'{\"device\":\"@\",\"metric\":\"dot\"}') WHERE rank <= 9",
        "SELECT o.id, (SELECT group_concat(s.id || ':' || s.distance) FROM vec_search('docs', 'v', "
        "o.v, 3, '{\"device\":\"@\"}') AS s) FROM docs AS o WHERE o.id < 30 AND v IS NOT NULL",
    };
    (void)fake;
    sqlite3 *db = answers_open("CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER)");
    for (size_t i = 0; i < VS_TEST_COUNT(searches); i++) {
        sql_same_warm(db, searches[i]);
    }
    vs_test_close(db);
}

static void streams_joins_and_ranges_give_the_same_rows(void **state)
{
    (void)state;
    sql_scenario(stream);
}

static void batch(vsg_fake *fake)
{
    static const int counts[] = {3, 20, 300};
    static const char *const metrics[] = {"l2", "cosine"};
    (void)fake;
    sqlite3 *db = answers_open("CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER)");
    for (size_t i = 0; i < 2 * VS_TEST_COUNT(counts); i++) {
        char *search = sqlite3_mprintf(
            "SELECT query_no, rank, id, distance FROM vec_search_batch('docs', 'v', (SELECT "
            "substr(v, 1, %d) FROM q WHERE id = 0), 5, "
            "'{\"device\":\"@\",\"metric\":\"%s\"}')",
            counts[i / 2] * 64, metrics[i % 2]);
        sql_same_warm(db, search);
        assert_int_equal(sql_last(db, "gpu_queries"), counts[i / 2]);
        sqlite3_free(search);
    }
    vs_test_close(db);
}

static void batches_of_3_20_and_300_give_the_same_rows(void **state)
{
    (void)state;
    sql_scenario(batch);
}

static void prefer(vsg_fake *fake)
{
    (void)fake;
    sqlite3 *db = answers_open("CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER)");
    assert_string_equal(sql_same(db, sql_docs_search, "auto"), "small");
    vs_test_run(db, "SELECT vec_config('gpu', 'prefer')");
    assert_string_equal(sql_same(db, sql_docs_search, "auto"), "cold");
    assert_string_equal(sql_same(db, sql_docs_search, "auto"), "none");
    assert_string_equal(sql_same(db, sql_docs_search, "cpu"), "unused");
    vs_test_gives(db, "SELECT vec_last_query('json') ->> 'device'", "cpu");
    vs_test_run(db, "SELECT vec_config('gpu', 'off')");
    assert_string_equal(sql_same(db, sql_docs_search, "auto"), "unused");
    assert_string_equal(sql_same(db, sql_docs_search, "gpu"), "none");
    vs_test_gives(db, "SELECT vec_last_query('json') ->> 'device'", "cuda:0");

    /* 'off' is this connection's alone, 'prefer' and 'auto' are the process's. */
    sqlite3 *other = answers_open("CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER)");
    vs_test_gives(other, "SELECT vec_config('gpu')", "prefer");
    assert_string_equal(sql_same(other, sql_docs_search, "auto"), "cold");
    vs_test_gives(db, "SELECT vec_config('gpu', 'auto')", "auto");
    vs_test_gives(other, "SELECT vec_config('gpu')", "auto");
    assert_string_equal(sql_same(other, sql_docs_search, "auto"), "small");
    vs_test_close(other);
    vs_test_close(db);
}

static void the_setting_prefers_it_and_options_overrule(void **state)
{
    (void)state;
    sql_scenario(prefer);
}

/* ---- what the GPU does not take, and tables of other kinds ------------------------------------- */

static void refuse_shapes(vsg_fake *fake)
{
    (void)fake;
    sqlite3 *db = answers_open("CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER)");
    sql_same_for(db,
                 "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 1), "
                 "10, '{\"device\":\"@\",\"metric\":\"l1\"}')",
                 "shape");
    sql_same_for(db,
                 "SELECT id, distance FROM vec_search('docs', 'v', vec_bit((SELECT v FROM q WHERE "
                 "id = 1)), 10, '{\"device\":\"@\",\"type\":\"bit\",\"metric\":\"hamming\","
                 "\"bad_rows\":\"skip\"}')",
                 "shape");
    sql_same_for(db,
                 "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 1), "
                 "10, '{\"device\":\"@\",\"norm_band\":0.5}')",
                 "shape");
    sql_same_for(db,
                 "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 1), "
                 "1000000, '{\"device\":\"@\"}')",
                 "shape");
    vs_test_gives(db, "SELECT count(*) FROM vec_gpu_cache", "0");
    vs_test_close(db);
}

static void other_shapes_are_answered_by_the_cpu(void **state)
{
    (void)state;
    sql_scenario(refuse_shapes);
}

static void search_keys(vsg_fake *fake)
{
    (void)fake;
    sqlite3 *db = answers_open(
        "CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER) WITHOUT ROWID");
    sql_same_warm(db, sql_docs_search);
    vs_test_close(db);
    /* rows come in falling order */
    db = answers_open("CREATE TABLE docs(id INTEGER, v BLOB, tag INTEGER, PRIMARY KEY (id DESC)) "
                      "WITHOUT ROWID");
    for (int i = 0; i < 4; i++) {
        (void)sql_same(db, sql_docs_search, "gpu");
    }
    vs_test_gives(db, "SELECT count(*) FROM vec_gpu_cache", "0");
    vs_test_close(db);
    /* an alias of nothing: the rowid is another column */
    db = answers_open("CREATE TABLE docs(id INTEGER PRIMARY KEY DESC, v BLOB, tag INTEGER)");
    sql_same_warm(db, sql_docs_search);
    vs_test_close(db);
}

static void tables_without_rowid_give_the_same_rows(void **state)
{
    (void)state;
    sql_scenario(search_keys);
}

static void search_odd_tables(vsg_fake *fake)
{
    (void)fake;
    sqlite3 *db = answers_open("CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER)");
    vs_test_run(db, "UPDATE docs SET v = NULL");
    for (int i = 0; i < 4; i++) {
        (void)sql_same(db, sql_docs_search, "gpu");
    }
    vs_test_run(db, "UPDATE docs SET v = zeroblob(64)");
    sql_same_warm(db, sql_docs_search);
    sql_same_warm(db, "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id "
                      "= 1), 10, '{\"device\":\"@\",\"metric\":\"cosine\"}')");
    vs_test_run(db, "DELETE FROM docs");
    for (int i = 0; i < 4; i++) {
        (void)sql_same(db, sql_docs_search, "gpu");
    }
    vs_test_run(db, "INSERT INTO docs SELECT id - 150, v, 1 FROM q WHERE id > 0");
    sql_same_warm(db, sql_docs_search); /* ids below zero */
    vs_test_run(db, "INSERT INTO docs SELECT 9223372036854775807, v, 1 FROM q WHERE id = 1;"
                    "INSERT INTO docs SELECT -9223372036854775807 - 1, v, 1 FROM q WHERE id = 1");
    sql_same_warm(db, sql_docs_search);
    vs_test_close(db);
}

static void empty_zero_and_extreme_rows_give_the_same(void **state)
{
    (void)state;
    sql_scenario(search_odd_tables);
}

/* Rows that hold no vector are errors, or passed over, as without a GPU. */
static void search_bad_rows(vsg_fake *fake)
{
    char *found = NULL;
    (void)fake;
    sqlite3 *db = answers_open("CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER)");
    sql_same_warm(db, sql_docs_search);
    vs_test_run(db, "INSERT INTO docs VALUES (5000, x'0102', 1)");
    for (int i = 0; i < 4; i++) {
        char *sql = sql_on(sql_docs_search, i % 2 == 0 ? "gpu" : "cpu");
        assert_int_equal(sql_rows(db, sql, &found), SQLITE_ERROR);
        assert_string_equal(found,
                            "vec_search: docs.v, row 5000: a float32 vector has a multiple of 4 "
                            "bytes, not 2");
        sqlite3_free(found);
        sqlite3_free(sql);
    }
    for (int i = 0; i < 4; i++) {
        (void)sql_same(db,
                       "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id "
                       "= 1), 10, '{\"device\":\"@\",\"bad_rows\":\"skip\"}')",
                       "gpu");
    }
    vs_test_run(db, "DELETE FROM docs WHERE id = 5000");
    sql_same_warm(db, sql_docs_search);
    vs_test_close(db);
}

static void bad_rows_are_the_same_errors(void **state)
{
    (void)state;
    sql_scenario(search_bad_rows);
}

/* ---- hosts ------------------------------------------------------------------------------------- */

/* Denies what a search asks for the GPU alone. */
static int answers_deny(void *data, int action, const char *a, const char *b, const char *schema,
                        const char *trigger)
{
    (void)data;
    (void)b;
    (void)schema;
    (void)trigger;
    return action == SQLITE_PRAGMA && strcmp(a, "read_uncommitted") == 0 ? SQLITE_DENY : SQLITE_OK;
}

static void deny(vsg_fake *fake)
{
    (void)fake;
    sqlite3 *db = answers_open("CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER)");
    for (int i = 0; i < 2; i++) {
        sqlite3_set_authorizer(db, answers_deny, NULL);
        for (int j = 0; j < 3; j++) {
            sql_same_for(db, sql_docs_search, "stale");
        }
        sqlite3_set_authorizer(db, NULL, NULL);
        sql_same_warm(db, sql_docs_search);
    }
    vs_test_close(db);
}

static void what_an_authorizer_denies_is_the_cpus(void **state)
{
    (void)state;
    sql_scenario(deny);
}

/* A stream that the CPU began goes on after sqlite3_close_v2, with the statements that it has. */
static void stream_after_close(vsg_fake *fake)
{
    sqlite3 *db = answers_open("CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER)");
    sqlite3_stmt *stmt = NULL;
    int64_t found = 0, rows = sql_number(db, "SELECT count(*) FROM docs WHERE v IS NOT NULL");
    (void)fake;
    (void)sql_number(db, "SELECT count(*) FROM vec_stats");
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT id FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id = 1), "
                           "NULL, '{\"device\":\"gpu\"}')",
                           -1, &stmt, NULL),
        SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        if (found++ == 0) {
            assert_int_equal(sqlite3_close_v2(db), SQLITE_OK);
        }
    }
    assert_int_equal(found, rows);
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
}

static void a_stream_outlives_its_connections_end(void **state)
{
    (void)state;
    sql_scenario(stream_after_close);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_metric_type_and_dimension_in_f16),
        cmocka_unit_test(every_metric_type_and_dimension_in_int8),
        cmocka_unit_test(every_metric_type_and_dimension_with_vectors),
        cmocka_unit_test(streams_joins_and_ranges_give_the_same_rows),
        cmocka_unit_test(batches_of_3_20_and_300_give_the_same_rows),
        cmocka_unit_test(the_setting_prefers_it_and_options_overrule),
        cmocka_unit_test(other_shapes_are_answered_by_the_cpu),
        cmocka_unit_test(tables_without_rowid_give_the_same_rows),
        cmocka_unit_test(empty_zero_and_extreme_rows_give_the_same),
        cmocka_unit_test(bad_rows_are_the_same_errors),
        cmocka_unit_test(what_an_authorizer_denies_is_the_cpus),
        cmocka_unit_test(a_stream_outlives_its_connections_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
