/*
 * check_shapes.c - searches of awkward shapes on a device, each compared with distances that are
 * computed one by one: what compute-sanitizer is to look at.
 *
 * Runs over the fake, or over the module that VECSHARD_TEST_CUDA names (real.h). VECSHARD_CHECK_SHARE=n
 * leaves out all but every n-th search, for tools that are slow.
 */
#include "module_fixture.h"

#include <math.h>
#include <stdio.h>

#define SHAPES_BUDGET_BYTES (3072 * MODULE_MIB) /* a context under a sanitizer is large */

static unsigned shapes_share = 1, shapes_turn;

static int shapes_is_turn(void)
{
    return shapes_turn++ % shapes_share == 0;
}

/* A query of zeros is the caller's to answer. */
static void shapes_mend_queries(module_table *table)
{
    for (uint32_t query = 0; query < table->query_count; query++) {
        float *values = table->queries + (size_t)query * table->shape.dim;
        uint32_t i = 0;
        while (i < table->shape.dim && values[i] == 0) {
            i++;
        }
        values[0] = i == table->shape.dim ? 1.0f : values[0];
    }
}

/* Rows 11 i + 5 are there twice, rows 29 i are zero, and what is beyond `rows` is not live. */
static void shapes_make(module_table *table, const module_shape *shape, uint32_t rows,
                        uint32_t queries)
{
    module_make(table, shape, queries);
    shapes_mend_queries(table);
    const uint32_t total = shape->rows * shape->segments;
    const size_t bytes = shape->dim * (shape->type == VSG_TYPE_F32  ? 4u
                                       : shape->type == VSG_TYPE_I8 ? 1u
                                                                    : 2u);
    for (uint32_t row = 0; row < total; row++) {
        uint8_t *vector = table->vectors + row * bytes;
        if (row % 29 == 0) {
            memset(vector, 0, bytes);
        } else if (row % 11 == 5) {
            memcpy(vector, vector - bytes, bytes);
        }
        if (row >= rows) {
            table->live[row / 32] &= ~(1u << row % 32);
        }
    }
}

static void shapes_open(module_table *table, const module_shape *shape, uint32_t rows,
                        uint32_t queries)
{
    assert_int_equal(module_open(table, SHAPES_BUDGET_BYTES), VSG_OK);
    shapes_make(table, shape, rows, queries);
    assert_int_equal(module_send(table), VSG_OK);
}

/* How many queries were not answered. */
static uint32_t shapes_search(const module_table *table, const vsg_search *search)
{
    vsg_ticket *ticket = NULL;
    vsg_answer answer;
    uint32_t unanswered = 0;
    int rc = module_run(table, search, &ticket, &answer);
    if (rc != VSG_OK) {
        fail_msg("a search ended with %d: %s", rc, table->api->last_error(table->device));
    }
    module_check(table, search, &answer, &unanswered);
    table->api->search_end(table->device, ticket);
    return unanswered;
}

/* About half of all rows. */
static uint32_t *shapes_mask(const module_table *table)
{
    const uint32_t words = table->shape.rows * table->shape.segments / 32;
    uint64_t random = 977;
    uint32_t *mask = malloc(words * sizeof *mask);
    assert_non_null(mask);
    for (uint32_t i = 0; i < words; i++) {
        mask[i] = (uint32_t)(vs_test_random(&random) >> 16);
    }
    return mask;
}

/* Every k and metric, with few queries (VSG_SCAN) and with many (VSG_MATRIX); every second one with
 * a mask, every third within limits that are distances of rows. */
static void shapes_search_all(const module_table *table)
{
    static const uint32_t counts[] = {1, 7, 20}, ks[] = {1, 10, 100, 1000};
    uint32_t *mask = shapes_mask(table);
    unsigned turn = 0;
    for (size_t c = 0; c < VS_TEST_COUNT(counts); c++) {
        for (size_t i = 0; i < VS_TEST_COUNT(ks) * 3; i++, turn++) {
            vsg_search search;
            if (!shapes_is_turn()) {
                continue;
            }
            module_search(table, (vsg_metric)(i % 3), ks[i / 3], &search);
            search.query_count = counts[c];
            search.wanted = turn % 2 == 1 ? mask : NULL;
            if (turn % 3 == 2) {
                double a = module_distance(table, search.metric, 0, 1);
                double b = module_distance(table, search.metric, 0, 2);
                if (!isnan(a) && !isnan(b)) { /* a zero vector has no cosine */
                    search.floor = fmin(a, b);
                    search.limit = fmax(a, b);
                }
            }
            assert_int_equal(shapes_search(table, &search), 0);
        }
    }
    free(mask);
}

static void shapes_of_dim(uint32_t dim)
{
    const uint32_t segment_rows = dim > 1000 ? 384 : 640;
    for (unsigned i = 0; i < 4; i++) {
        module_table table;
        const module_shape shape = {
            dim, (vsg_type)((dim + i) % 4), (vsg_format)(i % 2), (int)(i / 2), segment_rows, 2};
        shapes_open(&table, &shape, segment_rows + 77, 20);
        shapes_search_all(&table);
        module_free(&table);
    }
}

#define SHAPES_DIM(n)                                                                              \
    static void dimension_##n##_finds_the_nearest(void **state)                                    \
    {                                                                                              \
        (void)state;                                                                               \
        shapes_of_dim(n);                                                                          \
    }
SHAPES_DIM(1)
SHAPES_DIM(3)
SHAPES_DIM(17)
SHAPES_DIM(384)
SHAPES_DIM(768)
SHAPES_DIM(1536)
SHAPES_DIM(4096)

/* Fewer rows than are asked for, down to none. */
static void tables_with_fewer_rows_than_k_are_whole_in_the_answer(void **state)
{
    static const uint32_t rows[] = {0, 1, 2, 31, 129};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(rows); i++) {
        module_table table;
        const module_shape shape = {33, VSG_TYPE_F32, (vsg_format)(i % 2), (int)(i % 2), 256, 1};
        shapes_open(&table, &shape, rows[i], 20);
        shapes_search_all(&table);
        module_free(&table);
    }
}

/* More equal distances than there is room for: a query may be crowded, but not wrong. */
static void more_ties_than_there_is_room_for_are_told(void **state)
{
    module_table table;
    const module_shape shape = {1, VSG_TYPE_F32, VSG_F16, 0, 16384, 2};
    (void)state;
    shapes_open(&table, &shape, 32768, 20);
    for (uint32_t queries = 3; queries <= 20; queries += 17) {
        vsg_search search;
        module_search(&table, VSG_L2SQ, 10, &search);
        search.query_count = queries;
        (void)shapes_search(&table, &search);
    }
    module_free(&table);
}

/* So many rows that chunks follow each other with rising limits. */
static void many_chunks_find_the_nearest(void **state)
{
    (void)state;
    for (int format = VSG_F16; format <= VSG_I8; format++) {
        module_table table;
        const module_shape shape = {24, VSG_TYPE_F32, (vsg_format)format, 1, 16384, 2};
        shapes_open(&table, &shape, 32000, 20);
        for (unsigned i = 0; i < 6; i++) {
            vsg_search search;
            module_search(&table, (vsg_metric)(i % 3), i % 2 == 0 ? 1 : 200, &search);
            search.query_count = i < 3 ? 2 : 20;
            assert_int_equal(shapes_search(&table, &search), 0);
        }
        module_free(&table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dimension_1_finds_the_nearest),
        cmocka_unit_test(dimension_3_finds_the_nearest),
        cmocka_unit_test(dimension_17_finds_the_nearest),
        cmocka_unit_test(dimension_384_finds_the_nearest),
        cmocka_unit_test(dimension_768_finds_the_nearest),
        cmocka_unit_test(dimension_1536_finds_the_nearest),
        cmocka_unit_test(dimension_4096_finds_the_nearest),
        cmocka_unit_test(tables_with_fewer_rows_than_k_are_whole_in_the_answer),
        cmocka_unit_test(more_ties_than_there_is_room_for_are_told),
        cmocka_unit_test(many_chunks_find_the_nearest),
    };
    const char *share = getenv("VECSHARD_CHECK_SHARE");
    shapes_share = share != NULL && atoi(share) > 0 ? (unsigned)atoi(share) : 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
