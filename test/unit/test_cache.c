/*
 * test_cache.c - the shared cache finds what was put under a key and nothing else, keeps to its
 * budget, keeps a part of a table that is larger than the budget, and frees each object once.
 */
#define _DEFAULT_SOURCE /* _SC_PHYS_PAGES */

#include "../vs_test.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../ext/cache.h"

#define OBJECT_BYTES 1000

/* ---- objects that are counted ---- */

static atomic_int live_count;

typedef struct counted {
    vs_cached base;
    uint64_t number;
    struct counted *holds; /* one reference, or NULL */
} counted;

static void counted_before_free(vs_cached *self)
{
    vs_cached_unref(((counted *)(void *)self)->holds);
    atomic_fetch_sub(&live_count, 1);
}

/* Objects of one size serve each other. */
static int are_alike(const void *kept, const void *object)
{
    return ((const counted *)kept)->base.bytes == ((const counted *)object)->base.bytes;
}

static counted *new_object(uint64_t number, size_t bytes)
{
    counted *object = vs_cached_new(bytes, counted_before_free);
    assert_non_null(object);
    object->number = number;
    atomic_fetch_add(&live_count, 1);
    return object;
}

static vs_cache_key key_of(uint8_t table, uint64_t id, uint8_t stamp)
{
    vs_cache_key key;
    memset(&key, 0, sizeof key);
    key.file = 77;
    key.table[3] = table;
    key.stamp[15] = stamp;
    key.id = id;
    key.kind = VS_CACHE_BLOCK;
    return key;
}

/* Puts a new object and lets go of it. */
static void put(vs_cache_key key, uint64_t number, size_t bytes)
{
    counted *object = vs_cache_put(&key, new_object(number, bytes), are_alike);
    assert_int_equal(object->number, number);
    vs_cached_unref(object);
}

static int is_held(vs_cache_key key)
{
    void *object = vs_cache_get(&key);
    vs_cached_unref(object);
    return object != NULL;
}

/* An empty cache of so many objects. */
static void start(size_t objects)
{
    vs_cache_clear();
    vs_cache_set_budget(objects * OBJECT_BYTES);
    atomic_store(&live_count, 0);
}

/* ---- tests ---- */

/* Before anything sets another. */
static void the_default_budget_is_a_part_of_the_memory(void **state)
{
    (void)state;
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    assert_true(vs_cache_budget() <= (size_t)512 << 20);
    assert_true((double)vs_cache_budget() <= memory / 4.0);
    assert_true((double)vs_cache_budget() > memory / 5.0 || vs_cache_budget() == (size_t)512 << 20);
}

static void an_object_is_aligned_zeroed_and_freed_once(void **state)
{
    (void)state;
    for (size_t bytes = sizeof(counted); bytes < 400; bytes += 7) {
        counted *object = new_object(0, bytes);
        assert_int_equal((uintptr_t)object % 64, 0);
        assert_int_equal(object->base.bytes, bytes);
        for (size_t i = sizeof *object; i < bytes; i++) {
            assert_int_equal(((unsigned char *)object)[i], 0);
        }
        assert_ptr_equal(vs_cached_ref(object), object);
        vs_cached_unref(object);
        assert_int_equal(atomic_load(&live_count), 1);
        vs_cached_unref(object);
        assert_int_equal(atomic_load(&live_count), 0);
    }
    vs_cached_unref(NULL);
    assert_null(vs_cached_new(SIZE_MAX, NULL));
    assert_null(vs_cached_new(SIZE_MAX - 32, NULL));
}

static void an_object_is_found_under_its_key_alone(void **state)
{
    (void)state;
    vs_cache_key others[7];
    start(100);
    for (size_t i = 0; i < VS_TEST_COUNT(others); i++) {
        others[i] = key_of(1, 5, 9);
    }
    others[0].file++;
    others[1].table[0]++;
    others[2].table[15]++;
    others[3].stamp[0]++;
    others[4].id++;
    others[5].kind = VS_CACHE_VECTORS;
    others[6].column++;
    put(key_of(1, 5, 9), 1, OBJECT_BYTES);
    assert_true(is_held(key_of(1, 5, 9)));
    for (size_t i = 0; i < VS_TEST_COUNT(others); i++) {
        assert_false(is_held(others[i]));
        put(others[i], 2 + i, OBJECT_BYTES);
    }
    for (size_t i = 0; i < VS_TEST_COUNT(others); i++) {
        counted *object = vs_cache_get(&others[i]);
        assert_non_null(object);
        assert_int_equal(object->number, 2 + i);
        vs_cached_unref(object);
    }
}

static void hits_misses_and_sizes_are_counted(void **state)
{
    vs_cache_info before, after;
    (void)state;
    start(3);
    vs_cache_read_info(&before);
    assert_int_equal(before.objects, 0);
    assert_int_equal(before.bytes, 0);
    assert_int_equal(before.budget, 3 * OBJECT_BYTES);
    put(key_of(1, 1, 0), 1, OBJECT_BYTES);
    put(key_of(2, 1, 0), 2, OBJECT_BYTES - 100);
    assert_true(is_held(key_of(1, 1, 0)));
    assert_true(is_held(key_of(2, 1, 0)));
    assert_false(is_held(key_of(3, 1, 0)));
    vs_cache_read_info(&after);
    assert_int_equal(after.objects, 2);
    assert_int_equal(after.bytes, 2 * OBJECT_BYTES - 100);
    assert_int_equal(after.hits - before.hits, 2);
    assert_int_equal(after.misses - before.misses, 1);
    assert_int_equal(after.evictions - before.evictions, 0);
    put(key_of(3, 1, 0), 3, 2 * OBJECT_BYTES);
    vs_cache_read_info(&after);
    assert_int_equal(after.evictions - before.evictions, 1);
}

static void the_first_object_under_a_key_stays(void **state)
{
    (void)state;
    start(100);
    vs_cache_key key = key_of(1, 1, 1);
    counted *first = vs_cache_put(&key, new_object(1, OBJECT_BYTES), are_alike);
    counted *second = new_object(2, OBJECT_BYTES);
    counted *kept = vs_cache_put(&key, second, are_alike);
    assert_ptr_equal(kept, first);
    assert_int_equal(atomic_load(&live_count), 1); /* the second is gone */
    vs_cached_unref(kept);
    vs_cached_unref(first);
    counted *again = vs_cache_get(&key);
    assert_ptr_equal(again, first);
    vs_cached_unref(again);
    vs_cache_clear();
    assert_int_equal(atomic_load(&live_count), 0);
}

/* The caller has one reference after each put, whatever was there. */
static void an_object_is_put_again_without_a_leak(void **state)
{
    (void)state;
    start(100);
    vs_cache_key key = key_of(1, 1, 1);
    counted *object = vs_cache_put(&key, new_object(1, OBJECT_BYTES), are_alike);
    for (int i = 0; i < 3; i++) {
        object = vs_cache_put(&key, object, are_alike);
        assert_int_equal(atomic_load(&object->base.refs), 2);
    }
    vs_cached_unref(object);
    vs_cache_clear();
    assert_int_equal(atomic_load(&live_count), 0);
}

static void what_was_used_last_stays(void **state)
{
    (void)state;
    start(4);
    for (uint8_t table = 1; table <= 4; table++) {
        put(key_of(table, 1, 0), table, OBJECT_BYTES);
    }
    assert_true(is_held(key_of(1, 1, 0))); /* now 2 is the one that was not used for longest */
    put(key_of(5, 1, 0), 5, OBJECT_BYTES);
    assert_false(is_held(key_of(2, 1, 0)));
    assert_true(is_held(key_of(1, 1, 0)));
    assert_true(is_held(key_of(5, 1, 0)));
    put(key_of(6, 1, 0), 6, 2 * OBJECT_BYTES); /* two go: 3 and 4 */
    assert_false(is_held(key_of(3, 1, 0)));
    assert_false(is_held(key_of(4, 1, 0)));
    assert_true(is_held(key_of(1, 1, 0)));
    assert_true(is_held(key_of(5, 1, 0)));
    assert_true(is_held(key_of(6, 1, 0)));
    assert_int_equal(atomic_load(&live_count), 3);
}

/* The rule of last use would find nothing of a scan that goes round. */
static void a_large_table_keeps_a_part_of_itself(void **state)
{
    (void)state;
    start(4);
    for (int round = 0; round < 3; round++) {
        int found = 0;
        for (uint64_t cell = 0; cell < 10; cell++) {
            if (is_held(key_of(1, cell, 0))) {
                found++;
            } else {
                assert_int_equal(vs_cache_has_room(&(vs_cache_key){0}, OBJECT_BYTES),
                                 1); /* another table may take it */
                put(key_of(1, cell, 0), cell, OBJECT_BYTES);
            }
        }
        assert_int_equal(found, round == 0 ? 0 : 4);
    }
    assert_int_equal(atomic_load(&live_count), 4);
}

static void put_ten_of(vs_cache_kind kind)
{
    start(4);
    for (uint64_t id = 0; id < 10; id++) {
        vs_cache_key key = key_of(1, id, 0);
        key.kind = (uint32_t)kind;
        put(key, id, OBJECT_BYTES);
        assert_true(is_held(key));
    }
    assert_int_equal(atomic_load(&live_count), 4);
}

/* Vectors that are picked one by one are no scan. */
static void picked_vectors_make_room_for_others(void **state)
{
    (void)state;
    put_ten_of(VS_CACHE_VECTORS);
}

/* Nor are the filters of earlier searches. */
static void old_filters_make_room_for_others(void **state)
{
    (void)state;
    put_ten_of(VS_CACHE_ROWSET);
}

static void older_stamps_go_first(void **state)
{
    (void)state;
    start(4);
    put(key_of(2, 1, 0), 1, OBJECT_BYTES);
    put(key_of(2, 2, 0), 2, OBJECT_BYTES);
    put(key_of(1, 1, 0), 3, OBJECT_BYTES);
    put(key_of(1, 1, 1), 4, OBJECT_BYTES); /* the same cell, changed */
    assert_true(is_held(key_of(2, 1, 0)));
    put(key_of(1, 2, 0), 5, OBJECT_BYTES);
    assert_false(is_held(key_of(1, 1, 0)));
    assert_true(is_held(key_of(1, 1, 1)));
    assert_true(is_held(key_of(1, 2, 0)));
    assert_true(is_held(key_of(2, 1, 0)));
    assert_true(is_held(key_of(2, 2, 0)));
}

/* In a cache full of one table, too, a cell that changed takes the place of what it was. */
static void a_new_stamp_takes_the_place_of_the_old_one(void **state)
{
    (void)state;
    start(3);
    for (uint64_t cell = 1; cell <= 3; cell++) {
        put(key_of(1, cell, 0), cell, OBJECT_BYTES);
    }
    put(key_of(1, 2, 1), 9, OBJECT_BYTES);
    assert_true(is_held(key_of(1, 1, 0)));
    assert_false(is_held(key_of(1, 2, 0)));
    assert_true(is_held(key_of(1, 2, 1)));
    assert_true(is_held(key_of(1, 3, 0)));
}

static void objects_live_as_long_as_their_references(void **state)
{
    (void)state;
    start(4);
    vs_cache_key key = key_of(1, 1, 0);
    counted *object = vs_cache_put(&key, new_object(42, OBJECT_BYTES), are_alike);
    vs_cache_set_budget(0);
    assert_false(is_held(key));
    assert_int_equal(atomic_load(&live_count), 1);
    assert_int_equal(object->number, 42);
    vs_cache_clear();
    assert_int_equal(object->number, 42);
    vs_cached_unref(object);
    assert_int_equal(atomic_load(&live_count), 0);
}

/* A directory holds its cells: they go when it has gone. */
static void what_an_object_holds_goes_after_it(void **state)
{
    (void)state;
    start(4);
    for (uint64_t cell = 1; cell <= 3; cell++) {
        vs_cache_key key = key_of(1, cell, 0), directory = key_of(1, cell, 0);
        counted *held = vs_cache_put(&key, new_object(cell, OBJECT_BYTES), are_alike);
        counted *holder = new_object(10 + cell, sizeof(counted));
        directory.kind = VS_CACHE_VIEW;
        holder->holds = held;
        vs_cached_unref(vs_cache_put(&directory, holder, are_alike));
    }
    assert_int_equal(atomic_load(&live_count), 6);
    vs_cache_key key = key_of(2, 1, 0);
    assert_true(vs_cache_has_room(&key, 4 * OBJECT_BYTES));
    vs_cached_unref(vs_cache_put(&key, new_object(99, OBJECT_BYTES), are_alike));
    vs_cache_set_budget(0);
    assert_int_equal(atomic_load(&live_count), 0);
}

static void a_smaller_budget_lets_go_of_objects(void **state)
{
    vs_cache_info info;
    (void)state;
    start(8);
    for (uint64_t cell = 0; cell < 8; cell++) {
        put(key_of(1, cell, 0), cell, OBJECT_BYTES);
    }
    assert_true(is_held(key_of(1, 0, 0)));
    vs_cache_set_budget(3 * OBJECT_BYTES + 1);
    assert_int_equal(vs_cache_budget(), 3 * OBJECT_BYTES + 1);
    vs_cache_read_info(&info);
    assert_int_equal(info.objects, 3);
    assert_int_equal(atomic_load(&live_count), 3);
    assert_true(is_held(key_of(1, 0, 0)));
    assert_true(is_held(key_of(1, 7, 0)));
    assert_true(is_held(key_of(1, 6, 0)));
}

static void a_budget_of_zero_turns_the_cache_off(void **state)
{
    (void)state;
    start(0);
    vs_cache_key key = key_of(1, 1, 0);
    counted *object = new_object(1, OBJECT_BYTES);
    assert_ptr_equal(vs_cache_put(&key, object, are_alike), object);
    assert_int_equal(atomic_load(&object->base.refs), 1);
    assert_false(is_held(key));
    assert_false(vs_cache_has_room(&key, OBJECT_BYTES));
    vs_cached_unref(object);
    assert_int_equal(atomic_load(&live_count), 0);
}

static void what_is_larger_than_the_budget_moves_nothing(void **state)
{
    (void)state;
    start(2);
    put(key_of(1, 1, 0), 1, OBJECT_BYTES);
    put(key_of(2, 1, 0), 2, 2 * OBJECT_BYTES + 1);
    assert_true(is_held(key_of(1, 1, 0)));
    assert_false(is_held(key_of(2, 1, 0)));
}

static void clear_leaves_an_empty_cache_that_works(void **state)
{
    vs_cache_info info;
    (void)state;
    start(2000);
    for (int round = 0; round < 2; round++) {
        for (uint64_t cell = 0; cell < 1500; cell++) {
            put(key_of((uint8_t)(cell % 3), cell, 0), cell, OBJECT_BYTES);
        }
        for (uint64_t cell = 0; cell < 1500; cell++) {
            assert_true(is_held(key_of((uint8_t)(cell % 3), cell, 0)));
        }
        vs_cache_clear();
        vs_cache_read_info(&info);
        assert_int_equal(info.objects, 0);
        assert_int_equal(info.bytes, 0);
        assert_int_equal(atomic_load(&live_count), 0);
    }
}

/* Random objects: the budget holds, what is found is what was put, and has_room tells what put
 * does. */
static void random_use_keeps_the_rules(void **state)
{
    uint64_t random = 0x1234567;
    (void)state;
    start(20);
    for (int i = 0; i < 50000; i++) {
        uint64_t dice = vs_test_random(&random);
        vs_cache_key key = key_of((uint8_t)(dice % 3), dice >> 8 & 15, (uint8_t)(dice >> 16 & 3));
        uint64_t number = (uint64_t)key.table[3] << 32 | key.id << 8 | key.stamp[15];
        size_t bytes = sizeof(counted) + (size_t)(dice >> 24) % (3 * OBJECT_BYTES);
        vs_cache_info info;
        counted *found = vs_cache_get(&key);
        if (found != NULL) {
            assert_int_equal(found->number, number);
            vs_cached_unref(found);
        } else {
            int has_room = vs_cache_has_room(&key, bytes);
            put(key, number, bytes);
            assert_int_equal(is_held(key), has_room);
        }
        vs_cache_read_info(&info);
        assert_true(info.bytes <= info.budget);
        assert_int_equal(info.objects, atomic_load(&live_count));
    }
    vs_cache_clear();
    assert_int_equal(atomic_load(&live_count), 0);
}

/* ---- threads ---- */

enum { THREADS = 4, THREAD_ROUNDS = 30000 };
static atomic_int wrong_count;
static atomic_int is_over;

static void *use_at_random(void *seed)
{
    uint64_t random = 0x9e3779b9u + (uint64_t)(uintptr_t)seed;
    for (int i = 0; i < THREAD_ROUNDS && !atomic_load(&is_over); i++) {
        uint64_t dice = vs_test_random(&random);
        vs_cache_key key = key_of((uint8_t)(dice % 3), dice >> 8 & 15, (uint8_t)(dice >> 16 & 1));
        uint64_t number = (uint64_t)key.table[3] << 32 | key.id << 8 | key.stamp[15];
        counted *object = vs_cache_get(&key);
        if (object == NULL) {
            object = vs_cached_new(OBJECT_BYTES, counted_before_free);
            if (object != NULL) {
                atomic_fetch_add(&live_count, 1);
                object->number = number;
                object = vs_cache_put(&key, object, are_alike);
            }
        }
        atomic_fetch_add(&wrong_count, object == NULL || object->number != number);
        vs_cached_unref(object);
        if ((dice >> 40) % 1000 == 0) {
            vs_cache_clear();
        }
    }
    return NULL;
}

static void threads_share_the_cache(void **state)
{
    pthread_t threads[THREADS];
    vs_cache_info info;
    (void)state;
    start(30);
    atomic_store(&wrong_count, 0);
    atomic_store(&is_over, 0);
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use_at_random, (void *)i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&wrong_count), 0);
    vs_cache_read_info(&info);
    assert_int_equal(info.objects, atomic_load(&live_count));
    assert_true(info.bytes <= info.budget);
    vs_cache_clear();
    assert_int_equal(atomic_load(&live_count), 0);
}

/* The child has the lock free, whatever other threads did at that moment. */
static void a_child_process_finds_what_was_there(void **state)
{
    pthread_t thread;
    (void)state;
    start(100);
    put(key_of(9, 1, 0), 5, OBJECT_BYTES);
    atomic_store(&is_over, 0);
    assert_int_equal(pthread_create(&thread, NULL, use_at_random, NULL), 0);
    for (int i = 0; i < 30; i++) {
        int status = 0;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)alarm(10); /* instead of waiting forever */
            _exit(is_held(key_of(1, 99, 99)) ? 1 : 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    atomic_store(&is_over, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    vs_cache_clear();
}

static void an_object_of_another_shape_is_not_taken_for_the_one_kept(void **state)
{
    vs_cache_key key = key_of(1, 1, 1);
    (void)state;
    put(key, 1, OBJECT_BYTES);
    counted *other = vs_cache_put(&key, new_object(2, 2 * OBJECT_BYTES), are_alike);
    assert_int_equal(other->number, 2);
    counted *kept = vs_cache_get(&key);
    assert_int_equal(kept->number, 1);
    vs_cached_unref(kept);
    vs_cached_unref(other);
    vs_cache_clear();
    assert_int_equal(atomic_load(&live_count), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_budget_is_a_part_of_the_memory),
        cmocka_unit_test(an_object_of_another_shape_is_not_taken_for_the_one_kept),
        cmocka_unit_test(an_object_is_aligned_zeroed_and_freed_once),
        cmocka_unit_test(an_object_is_found_under_its_key_alone),
        cmocka_unit_test(hits_misses_and_sizes_are_counted),
        cmocka_unit_test(the_first_object_under_a_key_stays),
        cmocka_unit_test(an_object_is_put_again_without_a_leak),
        cmocka_unit_test(what_was_used_last_stays),
        cmocka_unit_test(a_large_table_keeps_a_part_of_itself),
        cmocka_unit_test(picked_vectors_make_room_for_others),
        cmocka_unit_test(old_filters_make_room_for_others),
        cmocka_unit_test(older_stamps_go_first),
        cmocka_unit_test(a_new_stamp_takes_the_place_of_the_old_one),
        cmocka_unit_test(objects_live_as_long_as_their_references),
        cmocka_unit_test(what_an_object_holds_goes_after_it),
        cmocka_unit_test(a_smaller_budget_lets_go_of_objects),
        cmocka_unit_test(a_budget_of_zero_turns_the_cache_off),
        cmocka_unit_test(what_is_larger_than_the_budget_moves_nothing),
        cmocka_unit_test(clear_leaves_an_empty_cache_that_works),
        cmocka_unit_test(random_use_keeps_the_rules),
        cmocka_unit_test(threads_share_the_cache),
        cmocka_unit_test(a_child_process_finds_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
