/*
 * test_norm_profile.c - the sampled distribution of norms, and what an index on them would save.
 */
#include "../search_fixture.h"

#include <math.h>

#include "../../ext/norm_profile.h"

static sqlite3 *db;
static vs_profile_cache cache;
static vs_err err;

static int open_db(void **state)
{
    (void)state;
    db = vs_test_open();
    vs_test_run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); WITH RECURSIVE n(i) AS (SELECT 1 "
                    "UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
                    "INSERT INTO t SELECT i, vec_f32('[' || i || ',0]') FROM n; CREATE INDEX "
                    "t_norm ON t(vec_norm(v))");
    return 0;
}

static int close_db(void **state)
{
    (void)state;
    vs_profile_cache_free(&cache);
    vs_test_close(db);
    return 0;
}

static vs_profile *get(vs_target *target, const vs_rows_shape *shape)
{
    vs_profile *profile = NULL;
    assert_int_equal(vs_target_find(db, "who", "t", "v", VSK_F32, target, &err), SQLITE_OK);
    assert_int_equal(vs_profile_get(&cache, target, shape, &profile, &err), SQLITE_OK);
    fixture_nothing_is_open(db);
    return profile;
}

static void samples_are_spread_over_the_table(void **state)
{
    vs_target target;
    vs_rows_shape shape = {"who", VSK_F32, 2, 1};
    vs_profile *profile = get(&target, &shape);
    (void)state;
    assert_in_range(profile->count, 200, VS_PROFILE_SAMPLES);
    assert_in_range(profile->query_count, 6, VS_PROFILE_QUERIES);
    for (size_t i = 1; i < profile->count; i++) {
        assert_true(profile->norms[i - 1] <= profile->norms[i]);
    }
    assert_true(fabs(vs_profile_fraction(profile, 0.0, 1000.0) - 0.5) < 0.05);
    assert_true(vs_profile_fraction(profile, -INFINITY, INFINITY) == 1.0);
    assert_true(vs_profile_fraction(profile, 5.0, 4.0) == 0.0);
    assert_true(vs_profile_fraction(profile, NAN, NAN) == 0.0);
    vs_target_free(&target);
}

static void a_profile_is_kept_until_the_ids_have_changed_much(void **state)
{
    vs_target target;
    vs_rows_shape shape = {"who", VSK_F32, 2, 1};
    vs_profile *first = get(&target, &shape);
    int64_t hi = first->hi;
    (void)state;
    vs_target_free(&target);
    vs_test_run(db, "BEGIN; INSERT INTO t VALUES (2100, '[1,1]')");
    assert_ptr_equal(get(&target, &shape), first);
    vs_target_free(&target);
    vs_test_run(db, "INSERT INTO t VALUES (5000, '[1,1]')");
    assert_int_equal(get(&target, &shape)->hi, 5000);
    vs_target_free(&target);
    vs_test_run(db, "ROLLBACK");
    assert_int_equal(get(&target, &shape)->hi, hi);
    vs_target_free(&target);
}

static void a_table_without_vectors_has_no_profile(void **state)
{
    vs_target target;
    vs_rows_shape shape = {"who", VSK_F32, 3, 1}; /* a dimension that no row has */
    (void)state;
    assert_null(get(&target, &shape));
    vs_target_free(&target);
}

/* On norms 1 .. 2000 along one line, both walks read next to nothing; l1 cannot be pruned. */
static void the_share_of_a_search_is_estimated_by_trials(void **state)
{
    vs_target target;
    vs_rows_shape shape = {"who", VSK_F32, 2, 1};
    vs_profile *profile = get(&target, &shape);
    double share;
    (void)state;
    assert_int_equal(target.index_count, 1);
    assert_int_equal(vs_profile_estimate_share(profile, &target, &shape, &target.indexes[0], VS_DOT,
                                               5, &share, &err),
                     SQLITE_OK);
    assert_true(share < 0.05);
    assert_int_equal(vs_profile_estimate_share(profile, &target, &shape, &target.indexes[0], VS_L2,
                                               5, &share, &err),
                     SQLITE_OK);
    assert_true(share < 0.05);
    assert_int_equal(vs_profile_estimate_share(profile, &target, &shape, &target.indexes[0], VS_L1,
                                               5, &share, &err),
                     SQLITE_OK);
    assert_true(share == 1.0);
    assert_int_equal(vs_profile_estimate_share(profile, &target, &shape, &target.indexes[0], VS_DOT,
                                               1000000, &share, &err),
                     SQLITE_OK);
    assert_true(share > 0.5);
    fixture_nothing_is_open(db);
    vs_target_free(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_spread_over_the_table),
        cmocka_unit_test(a_profile_is_kept_until_the_ids_have_changed_much),
        cmocka_unit_test(a_table_without_vectors_has_no_profile),
        cmocka_unit_test(the_share_of_a_search_is_estimated_by_trials),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
