/*
 * test_select.c - VSG_SELECT: the k-th smallest upper bound, and what stays.
 */
#include "vs_test.h"

#include <math.h>

#include "host_run.h"

#include "kernels/cuda/bound.h"

#define SELECT_ENTRIES 3000

typedef enum select_data {
    SELECT_RANDOM,
    SELECT_TIES,     /* few different values */
    SELECT_EQUAL,    /* one */
    SELECT_SPECIAL,  /* NaN, infinities, zeros of both signs, denormals */
    SELECT_INFINITE, /* nothing counts */
    SELECT_DATA_COUNT
} select_data;

typedef struct select_case {
    vsg_found_args found;
    float limit, limits[1];
    uint32_t counts[1], lost[1], rows[SELECT_ENTRIES];
    float lows[SELECT_ENTRIES], highs[SELECT_ENTRIES];
} select_case;

static float select_value(select_data data, uint64_t *seed)
{
    static const float special[] = {NAN,    INFINITY, -INFINITY, 0,        -0.0f,
                                    1e-44f, -1e-44f,  FLT_MAX,   -FLT_MAX, 1};
    const uint64_t random = vsg_host_random(seed) >> 16;
    switch (data) {
    case SELECT_TIES:
        return (float)(random % 5) - 2;
    case SELECT_EQUAL:
        return 0.25f;
    case SELECT_SPECIAL:
        return special[random % VS_TEST_COUNT(special)];
    case SELECT_INFINITE:
        return random % 2 ? INFINITY : NAN;
    default:
        return (float)((double)(random & 0xffffffff) * 0x1p-31 - 1) * (random & 1 ? 1e-3f : 30.0f);
    }
}

static int select_compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The k-th smallest high, NaN counting as infinity, or what there was. */
static float select_limit(const select_case *c, uint32_t entries)
{
    float sorted[SELECT_ENTRIES];
    if (entries < c->found.k) {
        return c->limit;
    }
    for (uint32_t i = 0; i < entries; i++) {
        sorted[i] = c->highs[i] == c->highs[i] ? c->highs[i] : INFINITY;
    }
    qsort(sorted, entries, sizeof *sorted, select_compare);
    return sorted[c->found.k - 1] < c->limit ? sorted[c->found.k - 1] : c->limit;
}

static void select_run(select_case *c, uint64_t *seed)
{
    vsg_args args;
    memset(&args, 0, sizeof args);
    args.select.found = c->found;
    assert_int_equal(vsg_host_launch(seed, VSG_SELECT, &args), VSG_OK);
}

static void select_check(select_case *c, uint64_t *seed)
{
    static select_case before;
    const uint32_t count = c->counts[0];
    const uint32_t entries = count < c->found.capacity ? count : c->found.capacity;
    const float limit = select_limit(c, entries);
    uint8_t seen[SELECT_ENTRIES] = {0};
    uint32_t kept = 0;

    before = *c;
    select_run(c, seed);
    assert_true(c->limits[0] == limit);
    assert_int_equal(c->lost[0], count > c->found.capacity);
    for (uint32_t i = 0; i < entries; i++) {
        kept += !(before.lows[i] > limit);
    }
    assert_int_equal(c->counts[0], kept);
    for (uint32_t i = 0; i < kept; i++) {
        const uint32_t row = c->rows[i];
        assert_true(row < entries && !seen[row] && !(before.lows[row] > limit));
        assert_memory_equal(&c->lows[i], &before.lows[row], sizeof(float));
        assert_memory_equal(&c->highs[i], &before.highs[row], sizeof(float));
        seen[row] = 1;
    }
    for (uint32_t i = entries; i < SELECT_ENTRIES; i++) {
        assert_int_equal(c->rows[i], i);
    }
}

static void select_fill(select_case *c, select_data data, uint64_t *seed)
{
    c->found.query_count = 1;
    c->found.limits = c->limits;
    c->found.counts = c->counts;
    c->found.lost = c->lost;
    c->found.entry_rows = c->rows;
    c->found.entry_lows = c->lows;
    c->found.entry_highs = c->highs;
    c->limits[0] = c->limit;
    c->lost[0] = 0;
    for (uint32_t i = 0; i < SELECT_ENTRIES; i++) {
        c->rows[i] = i;
        c->highs[i] = select_value(data, seed);
        c->lows[i] = c->highs[i] - (float)(vsg_host_random(seed) >> 60) * 0.25f;
    }
}

static void the_kth_smallest_is_the_limit(void **unused)
{
    static const uint32_t counts[] = {0, 1, 9, 10, 11, 255, 256, 257, 1000, 2999};
    static const uint32_t ks[] = {1, 2, 10, 256, 1000};
    static const float limits[] = {INFINITY, 0.125f, -5};
    static select_case c;
    uint64_t seed = 77;

    (void)unused;
    for (uint32_t i = 0; i < VS_TEST_COUNT(counts) * 15; i++) {
        for (uint32_t data = 0; data < SELECT_DATA_COUNT; data++) {
            c.limit = limits[i % 3];
            c.found.k = ks[i / 3 % 5];
            c.found.capacity = 2999;
            c.counts[0] = counts[i / 15];
            select_fill(&c, (select_data)data, &seed);
            select_check(&c, &seed);
        }
    }
}

static void more_than_there_is_room_for_is_lost(void **unused)
{
    static select_case c;
    uint64_t seed = 78;

    (void)unused;
    for (uint32_t i = 0; i < 20; i++) {
        c.limit = INFINITY;
        c.found.k = 1 + i * 7;
        c.found.capacity = 200 + i;
        c.counts[0] = c.found.capacity + i % 5 * 1000;
        select_fill(&c, (select_data)(i % SELECT_DATA_COUNT), &seed);
        select_check(&c, &seed);
        /* and stays lost */
        c.lost[0] = 1;
        select_run(&c, &seed);
        assert_int_equal(c.lost[0], 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kth_smallest_is_the_limit),
        cmocka_unit_test(more_than_there_is_room_for_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
