/*
 * test_phases.c - each kernel of the GPU module, run on the host, against plain double precision.
 */
#include "vs_test.h"

#include <math.h>

#include "kernel_rig.h"

#include "kernels/half.h"

static const uint32_t phases_dims[] = {1, 3, 17, 31, 32, 33, 100, 128, 384, 768, 784, 1536};
static const uint32_t phases_rows[] = {1, 127, 128, 129, 300};

static vsg_row_terms phases_terms(const rig *f, uint32_t row)
{
    vsg_row_terms terms;
    memcpy(&terms,
           f->segment_list[row / f->spec.segment_rows] + f->layout.terms_at +
               row % f->spec.segment_rows * sizeof terms,
           sizeof terms);
    return terms;
}

/* What the stored row stands for, element i, still rotated. */
static double phases_stored(const rig *f, uint32_t row, uint32_t i)
{
    const uint8_t *stored = f->segment_list[row / f->spec.segment_rows] + f->layout.rows_at +
                            (uint64_t)(row % f->spec.segment_rows) * f->layout.row_stride;
    uint16_t half;

    if (f->spec.format == VSG_I8) {
        return ((const int8_t *)stored)[i] * (double)phases_terms(f, row).scale;
    }
    memcpy(&half, stored + (size_t)i * 2, 2);
    return vsk_f16_decode(half) * (double)phases_terms(f, row).scale;
}

/* The rotation in double precision. */
static void phases_rotate(double *v, uint32_t elements)
{
    const uint32_t block = vsg_rotate_block(elements);
    for (uint32_t i = 0; i < elements; i++) {
        v[i] = vsg_rotate_is_negative(i) ? -v[i] : v[i];
    }
    for (uint32_t first = 0; first < elements; first += block) {
        double *w = v + first;
        for (uint32_t half = 1; half < block; half *= 2) {
            for (uint32_t i = 0; i < block; i++) {
                if ((i & half) == 0) {
                    double x = w[i], y = w[i + half];
                    w[i] = x + y;
                    w[i + half] = x - y;
                }
            }
        }
        for (uint32_t i = 0; i < block; i++) {
            w[i] /= sqrt(block);
        }
    }
}

static void phases_check_row(const rig *f, uint32_t row, double *v)
{
    const vsg_row_terms terms = phases_terms(f, row);
    double sumsq = 0, lost = 0;

    memset(v, 0, f->layout.elements * sizeof *v);
    for (uint32_t i = 0; i < f->spec.dim; i++) {
        v[i] = rig_value(f, row, i);
        sumsq += v[i] * v[i];
    }
    if (!(sqrt(sumsq) <= VSG_NORM_MAX) || (sumsq > 0 && sqrt(sumsq) < VSG_NORM_MIN)) {
        assert_true(terms.error == INFINITY && terms.inv_norm != 0 && terms.scale == 0);
        return;
    }
    if (f->spec.format == VSG_I8) {
        phases_rotate(v, f->layout.elements);
    }
    for (uint32_t i = 0; i < f->layout.elements; i++) {
        lost += pow(v[i] - phases_stored(f, row, i), 2);
    }
    assert_true(sqrt(lost) <= terms.error);
    assert_true(terms.error <= sqrt(sumsq) * (f->spec.format == VSG_F16 ? 0x1p-10 : 0.1));
    assert_true(fabs(terms.sumsq - sumsq) <= 0x1p-23 * sumsq);
    if (sumsq > 0) {
        assert_true(fabs(terms.inv_norm * sqrt(sumsq) - 1) <= 0x1p-22);
    } else {
        assert_true(terms.inv_norm == 0 && terms.error == 0);
    }
}

static void phases_check_convert(const rig *f)
{
    double *v = calloc(f->layout.elements, sizeof *v);
    assert_non_null(v);
    for (uint32_t row = 0; row < f->spec.rows; row++) {
        const uint32_t segment = row / f->spec.segment_rows;
        phases_check_row(f, row, v);
        if (f->spec.keeps_vectors) {
            assert_memory_equal(f->segment_list[segment] + f->layout.vectors_at +
                                    (size_t)(row % f->spec.segment_rows) * f->layout.vector_stride,
                                f->vectors + (size_t)row * f->layout.vector_bytes,
                                f->layout.vector_bytes);
        }
    }
    /* Places beyond the rows are as they were. */
    for (uint32_t row = f->spec.rows; row < f->total; row++) {
        const uint32_t place = row % f->spec.segment_rows;
        assert_int_equal(f->segment_list[f->segments - 1]
                                        [f->layout.rows_at + (size_t)place * f->layout.row_stride],
                         0xff);
    }
    free(v);
}

static void convert_holds_its_errors(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < VS_TEST_COUNT(phases_dims) * 4; i++) {
        for (uint32_t data = 0; data < RIG_DATA_COUNT; data++) {
            rig_spec spec = rig_plain(phases_dims[i / 4], 130);
            spec.type = (vsg_type)(i % 4);
            spec.format = (vsg_format)((i + data) % 2);
            spec.data = (rig_data)data;
            spec.segment_rows = 128;
            spec.keeps_vectors = (int)(i / 4 + data) % 2;
            rig *f = rig_new(&spec);
            phases_check_convert(f);
            rig_free(f);
        }
    }
}

/* Without a limit every row that is present is there once, and its bounds hold its distance. */
static void phases_check_all(const rig *f, uint32_t query)
{
    const vsg_found_args *found = &f->found;
    const size_t base = (size_t)query * found->capacity;
    uint8_t *seen = calloc(f->total, 1);
    uint32_t present = 0;

    assert_non_null(seen);
    for (uint32_t row = 0; row < f->spec.rows; row++) {
        present += (uint32_t)rig_is_present(f, row);
    }
    assert_int_equal(found->counts[query], present);
    for (uint32_t i = 0; i < present; i++) {
        const uint32_t row = found->entry_rows[base + i];
        const double low = found->entry_lows[base + i], high = found->entry_highs[base + i];
        assert_true(row < f->spec.rows && !seen[row] && rig_is_present(f, row));
        seen[row] = 1;
        const double distance = rig_distance(f, query, row);
        if (phases_terms(f, row).error < INFINITY) {
            assert_true(low <= distance && distance <= high);
        } else {
            assert_true(low == -INFINITY && high == INFINITY);
        }
    }
    free(seen);
}

static void phases_scan_all(const rig_spec *spec)
{
    rig *f = rig_new(spec);
    for (vsg_kernel kernel = VSG_SCAN; kernel <= VSG_MATRIX; kernel++) {
        rig_reset(f, NULL);
        rig_scan(f, kernel, 0, f->rows_args.tiles);
        for (uint32_t q = 0; q < spec->queries; q++) {
            if (f->states[q] == VSG_ANSWERED) {
                phases_check_all(f, q);
            }
        }
    }
    rig_free(f);
}

static void sums_are_within_bounds_at_every_shape(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < VS_TEST_COUNT(phases_dims) * 24; i++) {
        rig_spec spec = rig_plain(phases_dims[i / 24], phases_rows[i % 5]);
        spec.type = (vsg_type)(i % 4);
        spec.format = (vsg_format)(i / 4 % 2);
        spec.metric = (vsg_metric)(i / 8 % 3);
        spec.data = (rig_data)(i * 7 / 3 % RIG_DATA_COUNT);
        spec.segment_rows = i % 3 ? 256 : 128;
        spec.queries = 1 + i * 5 % 11;
        spec.dead_of = i % 4 == 1 ? 3 : 0;
        spec.has_wanted = i % 3 == 1;
        phases_scan_all(&spec);
    }
}

static void many_queries_are_in_groups(void **unused)
{
    static const uint32_t queries[] = {63, 64, 65, 128, 129, 200};
    (void)unused;
    for (uint32_t i = 0; i < VS_TEST_COUNT(queries) * 2; i++) {
        rig_spec spec = rig_plain(40, 140);
        spec.queries = queries[i / 2];
        spec.format = (vsg_format)(i % 2);
        spec.metric = (vsg_metric)(i % 3);
        phases_scan_all(&spec);
    }
}

/* Fewer queries fit into shared memory: all widths of a scan. */
static void long_rows_are_scanned(void **unused)
{
    static const uint32_t dims[] = {1700, 2900, 3300, 6000, 8192};
    (void)unused;
    for (uint32_t i = 0; i < VS_TEST_COUNT(dims) * 2; i++) {
        rig_spec spec = rig_plain(dims[i / 2], 40);
        spec.segment_rows = 128;
        spec.queries = 9;
        spec.format = (vsg_format)(i % 2);
        phases_scan_all(&spec);
    }
}

static void every_visit_is_one_tile(void **unused)
{
    rig_spec spec = rig_plain(20, 128 * 9);
    (void)unused;
    spec.segment_rows = 384;
    rig *f = rig_new(&spec);
    for (uint32_t step = 1; step < 9; step++) {
        f->rows_args.tile_step = step;
        if (step % 3 == 0) {
            continue;
        }
        rig_reset(f, NULL);
        rig_scan(f, step % 2 ? VSG_SCAN : VSG_MATRIX, 0, 4);
        rig_scan(f, step % 2 ? VSG_MATRIX : VSG_SCAN, 4, 5);
        phases_check_all(f, 0);
    }
    rig_free(f);
}

/* Rows beyond the limit or below the floor are not there, others are. */
static void limits_and_floors_hold(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 12; i++) {
        rig_spec spec = rig_plain(64, 300);
        spec.metric = (vsg_metric)(i % 3);
        spec.format = (vsg_format)(i / 3 % 2);
        spec.data = i / 6 ? RIG_TIES : RIG_RANDOM;
        spec.limit = spec.metric == VSG_L2SQ ? 45 : spec.metric == VSG_DOT ? 0.5 : 1.05;
        spec.floor = spec.metric == VSG_L2SQ ? 35 : spec.metric == VSG_DOT ? -2 : 0.9;
        rig *f = rig_new(&spec);
        for (vsg_kernel kernel = VSG_SCAN; kernel <= VSG_MATRIX; kernel++) {
            rig_reset(f, NULL);
            rig_scan(f, kernel, 0, f->rows_args.tiles);
            for (uint32_t row = 0; row < spec.rows; row++) {
                const double distance = rig_distance(f, 1, row);
                int found = 0;
                for (uint32_t e = 0; e < f->found.counts[1]; e++) {
                    if (f->found.entry_rows[spec.segment_rows * 2 + e] == row) {
                        const size_t at = spec.segment_rows * 2 + e;
                        found = 1;
                        assert_true(!(f->found.entry_lows[at] > spec.limit));
                        assert_true(!(f->found.entry_highs[at] < spec.floor));
                        if (f->found.entry_lows[at] <= spec.floor) {
                            assert_true(f->found.entry_highs[at] == INFINITY);
                        }
                    }
                }
                if (distance >= spec.floor && distance <= spec.limit && rig_is_present(f, row)) {
                    assert_true(found);
                }
            }
        }
        rig_free(f);
    }
}

static void layouts_have_limits(void **unused)
{
    vsg_layout layout;
    vsg_shape good = {8192, VSG_TYPE_F32, VSG_F16, 1, 1u << 24};
    (void)unused;
    assert_int_equal(vsg_layout_make(&good, &layout), 1);
    assert_true(layout.bytes == (1ull << 24) * (16384 + 16 + 32768) + (1u << 21));
    assert_true(layout.terms_at % 256 == 0 && layout.live_at % 256 == 0 &&
                layout.vectors_at % 256 == 0);
    for (int i = 0; i < 7; i++) {
        vsg_shape bad = good;
        bad.dim = i == 0 ? 0 : i == 1 ? 8193 : 8;
        bad.rows = i == 2 ? 0 : i == 3 ? 129 : i == 4 ? (1u << 24) + 128 : 128;
        bad.type = i == 5 ? (vsg_type)4 : VSG_TYPE_I8;
        bad.format = i == 6 ? (vsg_format)2 : VSG_I8;
        assert_int_equal(vsg_layout_make(&bad, &layout), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convert_holds_its_errors),
        cmocka_unit_test(sums_are_within_bounds_at_every_shape),
        cmocka_unit_test(many_queries_are_in_groups),
        cmocka_unit_test(long_rows_are_scanned),
        cmocka_unit_test(every_visit_is_one_tile),
        cmocka_unit_test(limits_and_floors_hold),
        cmocka_unit_test(layouts_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
