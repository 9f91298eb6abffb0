/*
 * test_probe.c - the bounds that codes give always hold: lower bound <= canonical distance <= upper
 * bound, at every step, and the test of a whole block keeps every row that is at the limit. On
 * random and on awkward vectors, at every level of the CPU.
 */
#include "../vs_test.h"

#include <math.h>

#include "../../ext/distance.h"
#include "../../ext/probe.h"
#include "../awkward.h"
#include "../read_code.h"

#define DIM_MAX 1000
#define ROWS 24 /* of one data set; each serves as a row and as a query */

static int init_kernels(void **state)
{
    (void)state;
    return vsk_init(NULL);
}

typedef struct code_set {
    float rows[ROWS][DIM_MAX];
    uint8_t coarse[ROWS][VS_CODE_HEADER_BYTES + (DIM_MAX + 64) / 2];
    uint8_t fine[ROWS][(DIM_MAX + 64) / 2];
    vs_code_record records[ROWS];
} code_set;

static code_set set;
static int8_t planes[2 * (DIM_MAX + 64)];
static float scratch[DIM_MAX + 64];
static size_t dropped;         /* rows that the block test dropped: it must be able to */
static size_t dropped_by_both; /* and that of both planes */

static void make_set(data_kind kind, const vs_code *code)
{
    for (size_t row = 0; row < ROWS; row++) {
        for (size_t i = 0; i < code->dim; i++) {
            set.rows[row][i] = data_element(kind, row, i, code->dim);
        }
        vs_code_row(code, (int64_t)row, set.rows[row], scratch, set.coarse[row], set.fine[row]);
        assert_int_equal(vs_test_read_code("t", 0, (int64_t)row, set.coarse[row], set.fine[row],
                                           code->code_dim, &set.records[row], NULL),
                         SQLITE_OK);
    }
}

/* One row's plane against a query's, by the kernels of one level. */
static int32_t product(const vsk_table *kernels, const int8_t *q, const uint8_t *plane, size_t n)
{
    int32_t out = 0;
    kernels->code_dot(q, n, 1, plane, n / 2, 1, n, &out);
    return out;
}

static void check_bounds(const vs_probe *probe, const vsk_table *kernels, size_t row,
                         double distance, const char *what)
{
    const vs_code_record *record = &set.records[row];
    const vsk_code_terms *terms = &record->terms;
    size_t n = probe->code->code_dim;
    double r = record->flags & VS_CODE_NO_BOUND ? NAN : (double)record->r;
    vs_probe_products products = {0, 0, 0, 0};
    if (probe->is_usable && !isnan(r)) {
        products.high_b = product(kernels, probe->q.high, record->plane_b, n);
        products.high_c = product(kernels, probe->q.high, record->plane_c, n);
        products.low_b = product(kernels, probe->q.low, record->plane_b, n);
        products.low_c = product(kernels, probe->q.low, record->plane_c, n);
    }
    for (int step = VS_PROBE_PLANE_B; step <= VS_PROBE_FINE; step++) {
        int is_b = step == VS_PROBE_PLANE_B;
        double lo, hi;
        vs_probe_bounds(probe, (vs_probe_step)step, &products, r,
                        (double)(is_b ? terms->cos4 : terms->cos8),
                        (double)(is_b ? terms->sin4 : terms->sin8),
                        (double)(is_b ? terms->inv4 : terms->inv8), &lo, &hi);
        if (!(lo <= distance && distance <= hi)) {
            fail_msg("%s, row %zu, step %d: %.17g is not within %.17g .. %.17g", what, row, step,
                     distance, lo, hi);
        }
    }
}

/* The block test with the row's own distance as the limit keeps it. */
static int stays(const vs_probe *probe, const vs_probe_products *products,
                 const vs_code_record *record)
{
    double r = record->flags & VS_CODE_NO_BOUND ? (double)NAN : (double)record->r;
    return !probe->is_usable ||
           vs_probe_stays(probe, products, r, (double)record->terms.cos8,
                          (double)record->terms.sin8, (double)record->terms.inv8);
}

static void check_pass(vs_probe *probe, const vsk_table *kernels, size_t row, double distance,
                       const char *what)
{
    const vs_code_record *record = &set.records[row];
    size_t n = probe->code->code_dim;
    float r = record->flags & VS_CODE_NO_BOUND ? NAN : record->r;
    uint16_t out[1];
    int32_t dot = probe->is_usable ? product(kernels, probe->q.high, record->plane_b, n) : 0;
    vs_probe_set_limit(probe, distance);
    if (kernels->code_pass(&probe->test, &dot, &record->terms.inv4, &record->terms.cos4,
                           &record->terms.sin4, &r, 1, out) != 1) {
        fail_msg("%s, row %zu: dropped at its own distance %.17g", what, row, distance);
    }
    vs_probe_products products = {
        dot, probe->is_usable ? product(kernels, probe->q.high, record->plane_c, n) : 0, 0, 0};
    if (!stays(probe, &products, record)) {
        fail_msg("%s, row %zu: dropped by both planes at its own distance %.17g", what, row,
                 distance);
    }
    vs_probe_set_limit(probe,
                       probe->metric == VS_DOT ? distance - fabs(distance) : 0.25 * distance);
    dropped_by_both += !stays(probe, &products, record);
    dropped += kernels->code_pass(&probe->test, &dot, &record->terms.inv4, &record->terms.cos4,
                                  &record->terms.sin4, &r, 1, out) == 0;
}

static void check_set(data_kind kind, vs_metric metric, const vs_code *code)
{
    for (int level = 0; level < VSK_LEVEL_COUNT; level++) {
        vsk_table kernels;
        if (vsk_table_for_level((vsk_level)level, &kernels) != 0) {
            continue;
        }
        for (size_t q = 0; q < ROWS; q += 3) {
            vs_probe probe;
            char what[80];
            sqlite3_snprintf((int)sizeof what, what, "%s, %s, dim %d, data %d, query %d",
                             vsk_level_name((vsk_level)level), vs_metric_name(metric),
                             (int)code->dim, (int)kind, (int)q);
            vs_probe_init(&probe, code, metric, VSK_F32, set.rows[q], scratch, planes);
            for (size_t row = 0; row < ROWS; row++) {
                double distance;
                if (vs_distance(metric, VSK_F32, set.rows[q], set.rows[row], code->dim,
                                &distance) != VS_DIST_VALUE) {
                    continue;
                }
                check_bounds(&probe, &kernels, row, distance, what);
                check_pass(&probe, &kernels, row, distance, what);
            }
        }
    }
}

static void check_dim(size_t dim)
{
    static const vs_metric metrics[] = {VS_L2, VS_L2SQ, VS_COSINE, VS_DOT};
    for (size_t m = 0; m < VS_TEST_COUNT(metrics); m++) {
        for (int kind = 0; kind < DATA_KINDS; kind++) {
            vs_vector_spec spec = {VSK_F32, VSK_F32, dim, metrics[m], 0, 0};
            double sum[DIM_MAX];
            float anchor[DIM_MAX];
            memset(sum, 0, sizeof sum);
            vs_code *zero = vs_code_new(&spec, 0, 0, NULL);
            assert_non_null(zero);
            make_set((data_kind)kind, zero);
            check_set((data_kind)kind, metrics[m], zero);
            for (size_t row = 0; row < ROWS / 2; row++) {
                vs_code_mean_add(zero, set.rows[row], scratch, sum);
            }
            vs_code_mean_finish(zero, sum, ROWS / 2, anchor);
            vs_code *mean = vs_code_new(&spec, 0, 1, anchor);
            assert_non_null(mean);
            make_set((data_kind)kind, mean);
            check_set((data_kind)kind, metrics[m], mean);
            sqlite3_free(mean);
            sqlite3_free(zero);
        }
    }
}

static void bounds_hold_at_small_dimensions(void **state)
{
    (void)state;
    for (size_t dim = 1; dim <= 40; dim += 3) {
        check_dim(dim);
    }
}

static void bounds_hold_around_multiples_of_a_group(void **state)
{
    static const size_t dims[] = {63, 64, 65, 127, 128, 129, 130, 192, 257};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(dims); i++) {
        check_dim(dims[i]);
    }
}

static void bounds_hold_at_large_dimensions(void **state)
{
    (void)state;
    check_dim(768);
    check_dim(1000);
}

static void the_block_test_drops_rows_that_are_far(void **state)
{
    (void)state;
    assert_true(dropped > 1000);
    assert_true(dropped_by_both > dropped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_hold_at_small_dimensions),
        cmocka_unit_test(bounds_hold_around_multiples_of_a_group),
        cmocka_unit_test(bounds_hold_at_large_dimensions),
        cmocka_unit_test(the_block_test_drops_rows_that_are_far),
    };
    return cmocka_run_group_tests(tests, init_kernels, NULL);
}
