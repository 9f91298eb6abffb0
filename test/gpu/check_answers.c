/*
 * check_answers.c - random shapes: what SQL gives with "device":"gpu" is, bit for bit, what it gives
 * with "device":"cpu", and the GPU did answer.
 *
 * VECSHARD_CHECK_SHAPES=n: so many shapes instead of 200. VECSHARD_CHECK_SEED=n: others.
 */
#include "sql_fixture.h"

#include <stdio.h>

#define ANSWERS_PARTS 4 /* each in a child of its own, with a context of its own */

static int answers_count = 200;
static uint64_t answers_seed = 1;
static int answers_part;

typedef struct answers_shape {
    sql_shape table;
    const char *metric, *precision;
    int is_indexed; /* a vecshard table */
    int queries, k;
} answers_shape;

static uint64_t answers_below(uint64_t *random, uint64_t n)
{
    return (vs_test_random(random) >> 20) % n;
}

static answers_shape answers_draw(uint64_t *random)
{
    static const sql_shape types[] = {{"float32", VSK_F32, 0, FIXTURE_NORMAL, 0},
                                      {"float16", VSK_F16, 0, FIXTURE_NORMAL, 0},
                                      {"bfloat16", VSK_BF16, 0, FIXTURE_NORMAL, 0},
                                      {"int8", VSK_I8, 0, FIXTURE_NORMAL, 0}};
    static const char *const metrics[] = {"l2", "l2sq", "cosine", "dot"};
    static const char *const precisions[] = {"f16", "int8", "f32", "auto"};
    static const size_t dims[] = {2, 3, 5, 8, 17, 31, 64, 100, 128, 129, 200, 384, 768};
    static const int ks[] = {1, 2, 5, 10, 33, 100, 400};
    answers_shape shape;
    memset(&shape, 0, sizeof shape);
    shape.table = types[answers_below(random, 4)];
    shape.table.dim = dims[answers_below(random, VS_TEST_COUNT(dims))];
    shape.table.spread = answers_below(random, 3) == 0 ? FIXTURE_LOG_NORM : FIXTURE_NORMAL;
    shape.table.rows = 1 + (int)answers_below(random, shape.table.dim > 200 ? 400 : 1500);
    shape.metric = metrics[answers_below(random, 4)];
    shape.precision = precisions[answers_below(random, 4)];
    shape.is_indexed = (int)answers_below(random, 2);
    shape.queries = 1 + (int)answers_below(random, answers_below(random, 2) == 0 ? 8 : 90);
    shape.k = ks[answers_below(random, VS_TEST_COUNT(ks))];
    return shape;
}

static void answers_make(sqlite3 *db, const answers_shape *shape, uint64_t seed)
{
    static const struct {
        const char *ours, *column;
    } columns[] = {
        {"float32", "float"}, {"float16", "float16"}, {"bfloat16", "bfloat16"}, {"int8", "int8"}};
    const char *column = NULL;
    vs_test_run(db, "DROP TABLE IF EXISTS docs");
    if (shape->is_indexed) {
        for (size_t i = 0; i < VS_TEST_COUNT(columns); i++) {
            column = strcmp(columns[i].ours, shape->table.type) == 0 ? columns[i].column : column;
        }
        sql_run(db,
                "CREATE VIRTUAL TABLE docs USING vecshard(id INTEGER PRIMARY KEY, v %s[%d] "
                "distance_metric=%s, tag INTEGER)",
                column, (int)shape->table.dim, shape->metric);
    } else {
        vs_test_run(db, "CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER)");
    }
    sql_fill(db, "docs", &shape->table, 1, seed);
    sql_make_queries(db, &shape->table, shape->queries, seed + 1);
}

static void answers_compare(sqlite3 *db, const answers_shape *shape)
{
    char *options = shape->is_indexed
                        ? sqlite3_mprintf("'{\"device\":\"@\"}'")
                        : sqlite3_mprintf("'{\"device\":\"@\",\"metric\":\"%s\",\"type\":\"%s\"}'",
                                          shape->metric, shape->table.type);
    char *searches[] = {
        sqlite3_mprintf("SELECT id, distance, rank FROM vec_search('docs', 'v', (SELECT v FROM q "
                        "WHERE id = 1), %d, %s)",
                        shape->k, options),
        sqlite3_mprintf("SELECT query_no, rank, id, distance FROM vec_search_batch('docs', 'v', "
                        "(SELECT v FROM q WHERE id = 0), %d, %s)",
                        shape->k, options),
        sqlite3_mprintf(
            "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q WHERE id "
            "= 1), %d, %s) WHERE id IN (SELECT id FROM docs WHERE tag < 4)",
            shape->k, options),
        shape->is_indexed
            ? sqlite3_mprintf(
                  "SELECT id, distance FROM docs((SELECT v FROM q WHERE id = 1), %d, %s)", shape->k,
                  options)
            : NULL,
    };
    for (size_t i = 0; i < VS_TEST_COUNT(searches) && searches[i] != NULL; i++) {
        sql_same_warm(db, searches[i]);
        sqlite3_free(searches[i]);
    }
    sqlite3_free(options);
}

static void answers_of_one(sqlite3 *db, int number)
{
    uint64_t random = (answers_seed * 1000003 + (uint64_t)number) * 0x9e3779b97f4a7c15u | 1;
    for (int i = 0; i < 8; i++) {
        (void)vs_test_random(&random);
    }
    answers_shape shape = answers_draw(&random);
    (void)fprintf(stderr, "shape %d: %s %s[%d] x %d, %s, %s, %d queries, k %d\n", number,
                  shape.is_indexed ? "indexed" : "ordinary", shape.table.type, (int)shape.table.dim,
                  shape.table.rows, shape.metric, shape.precision, shape.queries, shape.k);
    answers_make(db, &shape, random | 1);
    sql_run(db, "SELECT vec_config('gpu_precision', '%s')", shape.precision);
    answers_compare(db, &shape);
    sql_run(db, "SELECT vec_gpu_evict(NULL)");
}

static void answers_run_part(vsg_fake *fake)
{
    (void)fake;
    sqlite3 *db = sql_open(NULL, 0);
    for (int i = answers_part; i < answers_count; i += ANSWERS_PARTS) {
        answers_of_one(db, i);
    }
    vs_test_close(db);
}

static void answers_of_part(int part)
{
    answers_part = part;
    sql_scenario(answers_run_part);
}

static void random_shapes_give_the_same_bits_1(void **state)
{
    (void)state;
    answers_of_part(0);
}

static void random_shapes_give_the_same_bits_2(void **state)
{
    (void)state;
    answers_of_part(1);
}

static void random_shapes_give_the_same_bits_3(void **state)
{
    (void)state;
    answers_of_part(2);
}

static void random_shapes_give_the_same_bits_4(void **state)
{
    (void)state;
    answers_of_part(3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_shapes_give_the_same_bits_1),
        cmocka_unit_test(random_shapes_give_the_same_bits_2),
        cmocka_unit_test(random_shapes_give_the_same_bits_3),
        cmocka_unit_test(random_shapes_give_the_same_bits_4),
    };
    const char *count = getenv("VECSHARD_CHECK_SHAPES"), *seed = getenv("VECSHARD_CHECK_SEED");
    answers_count = count != NULL && atoi(count) > 0 ? atoi(count) : answers_count;
    answers_seed = seed != NULL && atoi(seed) > 0 ? (uint64_t)atoi(seed) : answers_seed;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
