/*
 * test_scorer.c - pruning by float32 ranks never loses a row, and never changes a distance.
 */
#include "../search_fixture.h"

#include <math.h>

#include "../../ext/scorer.h"
#include "../oracle.h"

static uint64_t random_state = 2463534242u;

static int init_kernels(void **state)
{
    (void)state;
    return vsk_init(NULL);
}

static const vs_metric float_metrics[] = {VS_L2, VS_L2SQ, VS_L1, VS_COSINE, VS_DOT};

static void widen(vsk_type type, const void *vector, size_t dim, double *out)
{
    for (size_t i = 0; i < dim; i++) {
        out[i] = oracle_element(type, vector, i);
    }
}

/*
 * A row whose distance is at the limit, or below it, is scored; a row may be pruned only above it.
 */
static void check_pair(vs_metric metric, vsk_type type, size_t dim, const void *row,
                       const void *query)
{
    double a[130], b[130], expected, distance;
    vs_vec vec = {query, dim, type};
    vs_scorer scorer;
    widen(type, row, dim, a);
    widen(type, query, dim, b);
    int has_distance = fixture_distance(metric, a, b, dim, &expected);
    assert_int_equal(vs_scorer_init(&scorer, metric, &vec), SQLITE_OK);
    vs_score_kind kind = vs_scorer_row(&scorer, row, &distance);
    assert_int_equal(kind, has_distance ? VS_SCORE_VALUE : VS_SCORE_NULL);
    if (has_distance) {
        assert_true(distance == expected);
        vs_scorer_set_limit(&scorer, expected);
        if (vs_scorer_row(&scorer, row, &distance) != VS_SCORE_VALUE) {
            fail_msg("metric %d, type %d, dim %zu: pruned at its own distance %.17g", (int)metric,
                     (int)type, dim, expected);
        }
        vs_scorer_set_limit(&scorer, nextafter(expected, -INFINITY));
        assert_int_equal(vs_scorer_row(&scorer, row, &distance), VS_SCORE_PRUNED);
    }
    vs_scorer_free(&scorer);
}

static void no_row_is_pruned_at_its_own_distance(void **state)
{
    static const size_t dims[] = {1, 2, 3, 7, 8, 16, 31, 64, 130};
    unsigned char row[4 * 130], query[4 * 130];
    (void)state;
    for (int round = 0; round < 40; round++) {
        for (int type = VSK_F32; type <= VSK_I8; type++) {
            for (size_t d = 0; d < VS_TEST_COUNT(dims); d++) {
                fixture_spread spread = (fixture_spread)(round % FIXTURE_SPREADS);
                fixture_vector(&random_state, spread, (vsk_type)type, dims[d], row);
                fixture_vector(&random_state, spread, (vsk_type)type, dims[d], query);
                if (round % 5 == 0) {
                    memcpy(query, row, sizeof row);
                }
                for (size_t m = 0; m < VS_TEST_COUNT(float_metrics); m++) {
                    check_pair(float_metrics[m], (vsk_type)type, dims[d], row, query);
                }
            }
        }
    }
}

/* Far rows cost no canonical distance: else pruning would be for nothing. */
static void far_rows_are_pruned_by_their_rank(void **state)
{
    float query[64] = {1.0f};
    float row[64] = {0.0f};
    vs_vec vec = {query, 64, VSK_F32};
    double distance;
    (void)state;
    for (size_t m = 0; m < VS_TEST_COUNT(float_metrics); m++) {
        vs_scorer scorer;
        row[0] = float_metrics[m] == VS_DOT || float_metrics[m] == VS_COSINE ? -100.0f : 100.0f;
        assert_int_equal(vs_scorer_init(&scorer, float_metrics[m], &vec), SQLITE_OK);
        vs_scorer_set_limit(&scorer, 0.5);
        double rank = float_metrics[m] == VS_L2 || float_metrics[m] == VS_L2SQ ? 9801.0
                      : float_metrics[m] == VS_L1                              ? 99.0
                                                                               : -100.0;
        assert_int_equal(vs_scorer_prunes(&scorer, rank, 10000.0), 1);
        assert_int_equal(vs_scorer_row(&scorer, row, &distance), VS_SCORE_PRUNED);
        vs_scorer_free(&scorer);
    }
}

static void nothing_is_pruned_by_a_rank_that_is_not_finite(void **state)
{
    float query[4] = {1.0f, 2.0f, 3.0f, 4.0f};
    vs_vec vec = {query, 4, VSK_F32};
    (void)state;
    for (size_t m = 0; m < VS_TEST_COUNT(float_metrics); m++) {
        static const double ranks[] = {NAN, INFINITY, -INFINITY};
        for (size_t r = 0; r < 3; r++) {
            vs_scorer scorer;
            assert_int_equal(vs_scorer_init(&scorer, float_metrics[m], &vec), SQLITE_OK);
            vs_scorer_set_limit(&scorer, 0.1);
            assert_int_equal(vs_scorer_prunes(&scorer, ranks[r], INFINITY), 0);
            vs_scorer_free(&scorer);
        }
    }
}

static void nan_and_infinity_in_a_row_are_seen_under_every_limit(void **state)
{
    static const double limits[] = {INFINITY, 1.0, 0.0, -1e300};
    float query[20] = {1.0f, 2.0f};
    float row[20] = {1.0f};
    vs_vec vec = {query, 20, VSK_F32};
    double distance;
    (void)state;
    for (size_t m = 0; m < VS_TEST_COUNT(float_metrics); m++) {
        for (size_t l = 0; l < VS_TEST_COUNT(limits); l++) {
            for (size_t bad = 0; bad < 3; bad++) {
                vs_scorer scorer;
                row[17] = bad == 0 ? NAN : bad == 1 ? INFINITY : -INFINITY;
                assert_int_equal(vs_scorer_init(&scorer, float_metrics[m], &vec), SQLITE_OK);
                vs_scorer_set_limit(&scorer, limits[l]);
                if (vs_scorer_row(&scorer, row, &distance) != VS_SCORE_NONFINITE) {
                    fail_msg("metric %d, limit %g: element %g passes", (int)float_metrics[m],
                             limits[l], (double)row[17]);
                }
                vs_scorer_free(&scorer);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_row_is_pruned_at_its_own_distance),
        cmocka_unit_test(far_rows_are_pruned_by_their_rank),
        cmocka_unit_test(nothing_is_pruned_by_a_rank_that_is_not_finite),
        cmocka_unit_test(nan_and_infinity_in_a_row_are_seen_under_every_limit),
    };
    return cmocka_run_group_tests(tests, init_kernels, NULL);
}
