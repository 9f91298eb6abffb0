/*
 * test_gpu_sql_index.c - searches of vecshard tables give the same rows and bits on the GPU.
 */
#include "sql_fixture.h"

#include <stdio.h>

#define INDEX_ROWS 900

typedef struct index_kind {
    const char *declaration; /* of the vector column, with %d for its dimension */
    vsk_type type;
    size_t dim;
    fixture_spread spread;
} index_kind;

static const index_kind index_kinds[] = {
    {"float[%d]", VSK_F32, 1, FIXTURE_WHOLE},
    {"float[%d]", VSK_F32, 3, FIXTURE_NORMAL},
    {"float[%d]", VSK_F32, 17, FIXTURE_WHOLE},
    {"float[%d]", VSK_F32, 64, FIXTURE_LOG_NORM},
    {"float[%d]", VSK_F32, 384, FIXTURE_NORMAL},
    {"float[%d] store=f16", VSK_F32, 64, FIXTURE_NORMAL},
    {"float[%d] store=half", VSK_F32, 40, FIXTURE_WHOLE},
    {"float16[%d]", VSK_F16, 17, FIXTURE_NORMAL},
    {"float16[%d]", VSK_F16, 64, FIXTURE_TINY},
    {"bfloat16[%d]", VSK_BF16, 64, FIXTURE_NORMAL},
    {"bfloat16[%d]", VSK_BF16, 33, FIXTURE_HUGE},
    {"int8[%d]", VSK_I8, 3, FIXTURE_WHOLE},
    {"int8[%d]", VSK_I8, 64, FIXTURE_NORMAL},
};
static const char *const index_metrics[] = {"l2", "l2sq", "cosine", "dot"};
static const char *const index_precisions[] = {"f16", "int8", "f32"};

/* O: the options. */
static const char *const index_forms[] = {
    "SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM q WHERE id = 1) AND k = 1 AND "
    "options = O",
    "SELECT rowid, distance, tag FROM t((SELECT v FROM q WHERE id = 2), 10, O)",
    "SELECT rowid, distance FROM t((SELECT v FROM q WHERE id = 3), 2000, O)",
    "SELECT rowid, distance FROM t((SELECT v FROM q WHERE id = 3), 10, O) WHERE tag IN (2, 3, 7)",
    "SELECT rowid, distance FROM t((SELECT v FROM q WHERE id = 1), 10, O) WHERE part = 2",
    "SELECT rowid, distance FROM t((SELECT v FROM q WHERE id = 1), 10, O) WHERE part IN (1, 3) AND "
    "tag < 5",
    "SELECT rowid, distance FROM t((SELECT v FROM q WHERE id = 2), 10, O) WHERE rowid IN (SELECT "
    "3 * id FROM docs)",
    "SELECT rowid, distance FROM t((SELECT v FROM q WHERE id = 3), 30, O) WHERE distance >= "
    "(SELECT v FROM edge WHERE id = 1) AND distance <= (SELECT v FROM edge WHERE id = 2)",
    "SELECT id, distance, rank FROM vec_search('t', 'v', (SELECT v FROM q WHERE id = 2), 100, O)",
    "SELECT id, distance FROM vec_search('t', 'v', (SELECT v FROM q WHERE id = 2), 20, O) WHERE id "
    "IN (SELECT id FROM docs WHERE id % 2)",
    "SELECT query_no, rank, id, distance FROM vec_search_batch('t', 'v', (SELECT v FROM q WHERE "
    "id = 0), 9, O)",
};
/* Streams, too, which may end with rows that were not looked for. */
static const char *const index_streams[] = {
    "SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM q WHERE id = 1) AND options = O "
    "ORDER BY t.distance LIMIT 50",
    "SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM q WHERE id = 2) AND options = O",
    "SELECT t.rowid, t.distance, d.id FROM t JOIN docs AS d ON d.id = t.rowid WHERE t.v MATCH "
    "(SELECT v FROM q WHERE id = 3) AND t.options = O AND (d.id % 5 = 0 OR tag = 4) ORDER BY "
    "t.distance LIMIT 25",
    "SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM q WHERE id = 1) AND options = O "
    "AND distance <= (SELECT v FROM edge WHERE id = 2) AND part <> 1",
};

static char *index_with_options(const char *form, const char *metric)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    for (; *form != '\0'; form++) {
        int is_options = form[0] == 'O' && (form[1] == ')' || form[1] == '\0' || form[1] == ' ') &&
                         (form[-1] == ' ');
        if (is_options && strncmp(form, "OR ", 3) != 0 && strncmp(form, "ON ", 3) != 0) {
            sqlite3_str_appendf(text, "'{\"metric\":\"%s\",\"device\":\"@\"}'", metric);
        } else {
            sqlite3_str_appendchar(text, 1, *form);
        }
    }
    return sqlite3_str_finish(text);
}

/* Can every query be answered? Not those that are zero, or beyond what has bounds. */
static int index_is_bounded(const index_kind *kind)
{
    return kind->spread == FIXTURE_NORMAL || kind->spread == FIXTURE_LOG_NORM ||
           (kind->spread == FIXTURE_WHOLE && kind->dim >= 17);
}

static void index_take_edges(sqlite3 *db, const char *metric)
{
    vs_test_run(db, "DELETE FROM edge");
    sql_run(db,
            "INSERT INTO edge SELECT CASE rank WHEN 20 THEN 1 ELSE 2 END, distance FROM "
            "vec_search('t', 'v', (SELECT v FROM q WHERE id = 3), 60, "
            "'{\"metric\":\"%s\",\"device\":\"cpu\"}') WHERE rank IN (20, 60)",
            metric);
}

static void index_of_metric(sqlite3 *db, const index_kind *kind, const char *metric)
{
    index_take_edges(db, metric);
    for (size_t i = 0; i < VS_TEST_COUNT(index_forms) + VS_TEST_COUNT(index_streams); i++) {
        size_t stream = i - VS_TEST_COUNT(index_forms);
        char *search = index_with_options(
            i < VS_TEST_COUNT(index_forms) ? index_forms[i] : index_streams[stream], metric);
        if (index_is_bounded(kind)) {
            sql_same_for(db, search, "none");
        } else {
            (void)sql_same(db, search, "gpu");
        }
        sqlite3_free(search);
    }
}

static void index_make(sqlite3 *db, const index_kind *kind, const char *metric, uint64_t seed)
{
    sql_shape shape = {"", kind->type, kind->dim, kind->spread,
                       kind->dim > 100 ? INDEX_ROWS / 3 : INDEX_ROWS};
    char *declaration = sqlite3_mprintf(kind->declaration, (int)kind->dim);
    vs_test_run(db, "DROP TABLE IF EXISTS t; DROP TABLE IF EXISTS docs");
    sql_run(db,
            "CREATE VIRTUAL TABLE t USING vecshard(id INTEGER PRIMARY KEY, part INTEGER PARTITION "
            "KEY, v %s distance_metric=%s, tag INTEGER)",
            declaration, metric);
    vs_test_run(db, "CREATE TABLE docs(id INTEGER PRIMARY KEY)");
    sql_fill(db, "t", &shape, 1, seed);
    vs_test_run(db, "UPDATE t SET part = id % 4; DELETE FROM t WHERE id % 23 = 9;"
                    "INSERT INTO docs SELECT id FROM t");
    sql_make_queries(db, &shape, 3, seed + 1);
    sqlite3_free(declaration);
}

static void index_of_kind(sqlite3 *db, size_t number)
{
    const index_kind *kind = &index_kinds[number];
    for (size_t m = 0; m < VS_TEST_COUNT(index_metrics); m++) {
        const char *precision = index_precisions[(number + m) % VS_TEST_COUNT(index_precisions)];
        index_make(db, kind, index_metrics[m], 1 + 10 * number + m);
        assert_true(sql_number(db, "SELECT vec_gpu_load('t', 'v', '%s')", precision) > 0);
        assert_int_equal(
            sql_number(db, "SELECT count(*) FROM vec_gpu_cache WHERE precision <> %Q", precision),
            0);
        index_of_metric(db, kind, index_metrics[m]);
        index_of_metric(db, kind, index_metrics[(m + 1) % VS_TEST_COUNT(index_metrics)]);
        assert_true(sql_number(db, "SELECT vec_gpu_evict('t', 'v')") > 0);
    }
}

static void index_of_kinds(size_t first)
{
    sqlite3 *db = sql_open(NULL, 0);
    vs_test_run(db, "CREATE TEMP TABLE edge(id INTEGER PRIMARY KEY, v REAL)");
    for (size_t i = first; i < VS_TEST_COUNT(index_kinds); i += 2) {
        index_of_kind(db, i);
    }
    vs_test_close(db);
}

static void answer_even(vsg_fake *fake)
{
    (void)fake;
    index_of_kinds(0);
}

static void answer_odd(vsg_fake *fake)
{
    (void)fake;
    index_of_kinds(1);
}

static void every_form_metric_and_type_gives_the_same_rows(void **state)
{
    (void)state;
    sql_scenario(answer_even);
    sql_scenario(answer_odd);
}

/* ---- filling as searches come ------------------------------------------------------------------ */

static void prefer(vsg_fake *fake)
{
    (void)fake;
    sqlite3 *db = sql_open(NULL, 0);
    sql_make_both(db, 600);
    assert_string_equal(sql_same(db, sql_t_search, "auto"), "small");
    vs_test_run(db, "SELECT vec_config('gpu', 'prefer')");
    assert_string_equal(sql_same(db, sql_t_search, "auto"), "cold");
    assert_true(sql_last(db, "gpu_upload_bytes") > 0);
    assert_string_equal(sql_same(db, sql_t_search, "auto"), "none");
    assert_int_equal(sql_last(db, "gpu_upload_bytes"), 0);
    vs_test_gives(db, "SELECT vec_last_query('json') ->> 'device'", "cuda:0");
    assert_string_equal(sql_same(db, sql_t_search, "cpu"), "unused");
    vs_test_gives(db, "SELECT vec_last_query('json') ->> 'device'", "cpu");
    vs_test_close(db);
}

static void the_first_search_fills_and_the_second_is_answered(void **state)
{
    (void)state;
    sql_scenario(prefer);
}

static void batch(vsg_fake *fake)
{
    static const int counts[] = {3, 20, 300};
    (void)fake;
    sqlite3 *db = sql_open(NULL, 0);
    sql_make_both(db, 600);
    sql_make_queries(db, &(sql_shape){"", VSK_F32, 32, FIXTURE_NORMAL, 0}, 300, 31);
    for (size_t i = 0; i < VS_TEST_COUNT(counts); i++) {
        char *search = sqlite3_mprintf(
            "SELECT query_no, rank, id, distance FROM vec_search_batch('t', 'v', (SELECT "
            "substr(v, 1, %d) FROM q WHERE id = 0), 5, '{\"device\":\"@\"}')",
            counts[i] * 128);
        sql_same_warm(db, search);
        assert_int_equal(sql_last(db, "gpu_queries"), counts[i]);
        sqlite3_free(search);
    }
    vs_test_close(db);
}

static void batches_of_3_20_and_300_give_the_same_rows(void **state)
{
    (void)state;
    sql_scenario(batch);
}

/* Cells of 384 dimensions have 256 rows, two tiles: in segments of every size they are whole. */
static void sizes(vsg_fake *fake)
{
    const sql_shape shape = {"float32", VSK_F32, 384, FIXTURE_NORMAL, 3000};
    (void)fake;
    sqlite3 *db = sql_open(NULL, 0);
    vs_test_run(db, "CREATE VIRTUAL TABLE t USING vecshard(id INTEGER PRIMARY KEY, v float[384], "
                    "tag INTEGER)");
    sql_fill(db, "t", &shape, 1, 5);
    sql_make_queries(db, &shape, 4, 7);
    assert_true(sql_number(db, "SELECT vec_gpu_load('t', 'v', 'f32')") > 0);
    for (int room_mb = 12; room_mb <= 17; room_mb++) {
        assert_true(sql_number(db, "SELECT vec_gpu_evict(NULL)") > 0);
        sql_run(db,
                "SELECT vec_config('gpu_budget_mb', %d + ((vec_device('json') ->> 'used_bytes') >> "
                "20))",
                room_mb);
        assert_true(sql_number(db, "SELECT vec_gpu_load('t', 'v', 'f32')") > 0);
        assert_string_equal(sql_same(db, sql_t_search, "gpu"), "none");
        assert_true(sql_last(db, "gpu_queries") > 0);
    }
    vs_test_close(db);
}

static void cells_are_whole_in_segments_of_every_size(void **state)
{
    (void)state;
    sql_scenario(sizes);
}

/* Without a column all of a table's are meant, also when it has no rows any more. */
static void whole(vsg_fake *fake)
{
    const sql_shape shape = {"float32", VSK_F32, 32, FIXTURE_NORMAL, 300};
    (void)fake;
    sqlite3 *db = sql_open(NULL, 0);
    vs_test_run(db,
                "CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER);"
                "CREATE VIRTUAL TABLE two USING vecshard(a float[32], tag INTEGER, b float[32])");
    sql_fill(db, "docs", &shape, 1, 5);
    vs_test_run(db, "INSERT INTO two(rowid, a, b) SELECT id, v, v FROM docs");
    assert_true(sql_number(db, "SELECT vec_gpu_load('two', 'a')") > 0);
    assert_true(sql_number(db, "SELECT vec_gpu_load('two', 'b', 'f16')") > 0);
    assert_true(sql_number(db, "SELECT vec_gpu_load('docs')") > 0);
    vs_test_gives(db,
                  "SELECT group_concat(name, ' ') FROM (SELECT DISTINCT \"table\" AS name FROM "
                  "vec_gpu_cache ORDER BY 1)",
                  "docs.v two.a two.b");
    vs_test_run(db, "DELETE FROM two; DELETE FROM docs");
    assert_true(sql_number(db, "SELECT vec_gpu_evict('two')") > 0);
    assert_true(sql_number(db, "SELECT vec_gpu_evict('docs')") > 0);
    vs_test_gives(db, "SELECT count(*) FROM vec_gpu_cache", "0");
    vs_test_close(db);
}

static void whole_tables_are_evicted(void **state)
{
    (void)state;
    sql_scenario(whole);
}

/* What has no vectors of its own, or not of a kind that the GPU takes. */
static void refuse_shapes(vsg_fake *fake)
{
    (void)fake;
    sqlite3 *db = sql_open(NULL, 0);
    sql_make_both(db, 300);
    (void)sql_same(db,
                   "SELECT rowid, distance FROM t((SELECT v FROM q WHERE id = 1), 10, "
                   "'{\"device\":\"@\",\"metric\":\"l1\"}')",
                   "gpu");
    vs_test_run(db, "CREATE VIRTUAL TABLE bits USING vecshard(b bit[32]);"
                    "INSERT INTO bits(rowid, b) SELECT rowid, vec_quantize_binary(v) FROM t WHERE "
                    "v IS NOT NULL;"
                    "CREATE VIRTUAL TABLE over USING vecshard(v float[32], content=docs);"
                    "INSERT INTO over(over) VALUES ('rebuild')");
    for (int i = 0; i < 3; i++) {
        (void)sql_same(
            db,
            "SELECT rowid, distance FROM bits((SELECT vec_quantize_binary(v) FROM q WHERE id = 1), "
            "10, '{\"device\":\"@\"}')",
            "gpu");
        (void)sql_same(db,
                       "SELECT rowid, distance FROM over((SELECT v FROM q WHERE id = 1), 10, "
                       "'{\"device\":\"@\"}')",
                       "gpu");
        (void)sql_same(db,
                       "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id "
                       "= 1), 10, '{\"device\":\"@\",\"index\":\"over\"}')",
                       "gpu");
    }
    vs_test_gives(db, "SELECT count(*) FROM vec_gpu_cache", "0");
    assert_int_equal(
        sql_number(db, "SELECT vec_gpu_load('bits', 'b', 'f16', '{\"type\":\"bit\"}')"), 0);
    vs_test_close(db);
}

static void other_shapes_are_answered_by_the_cpu(void **state)
{
    (void)state;
    sql_scenario(refuse_shapes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_metric_and_type_gives_the_same_rows),
        cmocka_unit_test(the_first_search_fills_and_the_second_is_answered),
        cmocka_unit_test(batches_of_3_20_and_300_give_the_same_rows),
        cmocka_unit_test(cells_are_whole_in_segments_of_every_size),
        cmocka_unit_test(whole_tables_are_evicted),
        cmocka_unit_test(other_shapes_are_answered_by_the_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
