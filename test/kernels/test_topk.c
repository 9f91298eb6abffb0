/*
 * test_topk.c - the k smallest pairs, against a sort of all of them.
 */
#include "kernel_test.h"

enum { TOPK_MAX = 500 };

static int topk_compare(const void *a, const void *b)
{
    const vsk_hit *x = a;
    const vsk_hit *y = b;

    if (x->distance != y->distance) {
        return x->distance < y->distance ? -1 : 1;
    }
    return (x->id > y->id) - (x->id < y->id);
}

/*
 * n pairs with few different distances, pushed in random order; also infinity and negative
 * distances.
 */
static void topk_check(size_t n, size_t k, uint64_t *random)
{
    vsk_hit all[TOPK_MAX];
    vsk_hit memory[TOPK_MAX + 1];
    vsk_topk topk;

    vsk_topk_init(&topk, memory, k);
    for (size_t i = 0; i < n; i++) {
        double distance = (double)(test_random(random) % 20) - 5;
        all[i] = (vsk_hit){distance == 14 ? (double)INFINITY : distance,
                           (int64_t)(test_random(random) % 1000) - 500};
        double worst_before = vsk_topk_worst(&topk);
        int admitted = vsk_topk_admits(&topk, all[i].distance, all[i].id);
        if (all[i].distance > worst_before) {
            assert_false(admitted);
        }
        vsk_hit root_before = k > 0 ? memory[0] : (vsk_hit){0, 0};
        size_t count_before = topk.count;
        vsk_topk_push(&topk, all[i].distance, all[i].id);
        if (!admitted) {
            assert_int_equal(topk.count, count_before);
            assert_true(k == 0 || memcmp(&memory[0], &root_before, sizeof root_before) == 0);
        }
    }
    qsort(all, n, sizeof all[0], topk_compare);
    size_t kept = k < n ? k : n;
    assert_int_equal(topk.count, kept);
    if (kept > 0 && kept == k) {
        assert_true(vsk_topk_worst(&topk) == all[kept - 1].distance);
    } else {
        assert_true(isinf(vsk_topk_worst(&topk)));
    }
    vsk_topk_sort(&topk);
    for (size_t i = 0; i < kept; i++) {
        assert_true(memory[i].distance == all[i].distance);
        assert_int_equal(memory[i].id, all[i].id);
    }
}

static void topk_keeps_the_smallest_pairs_in_order_of_distance_then_id(void **state)
{
    (void)state;
    uint64_t random = TEST_SEED;
    for (size_t n = 0; n <= TOPK_MAX; n = n < 12 ? n + 1 : n * 2 - 7) {
        size_t ks[] = {0, 1, 2, 3, 10, n / 2, n > 0 ? n - 1 : 0, n, n + 1};
        for (size_t i = 0; i < sizeof ks / sizeof ks[0]; i++) {
            if (ks[i] <= TOPK_MAX + 1) {
                topk_check(n, ks[i], &random);
            }
        }
    }
}

static void a_full_heap_admits_an_equal_distance_only_with_a_smaller_id(void **state)
{
    (void)state;
    vsk_hit memory[2];
    vsk_topk topk;

    vsk_topk_init(&topk, memory, 2);
    vsk_topk_push(&topk, 1.0, 10);
    vsk_topk_push(&topk, 1.0, 20);
    assert_true(vsk_topk_admits(&topk, 1.0, 19));
    assert_false(vsk_topk_admits(&topk, 1.0, 20));
    assert_false(vsk_topk_admits(&topk, 1.0, 21));
    assert_true(vsk_topk_admits(&topk, 0.5, 30));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topk_keeps_the_smallest_pairs_in_order_of_distance_then_id),
        cmocka_unit_test(a_full_heap_admits_an_equal_distance_only_with_a_smaller_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
