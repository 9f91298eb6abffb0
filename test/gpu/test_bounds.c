/*
 * test_bounds.c - |distance - key| <= w, whatever the rows and however products are summed.
 *
 * Rows are stored by VSG_CONVERT; sums are computed here, in double precision and by a model of the
 * worst that tensor cores do: every product and every partial sum is cut to 24 bits towards zero,
 * in groups of 4, 8 or 16 products.
 */
#include "vs_test.h"

#include <math.h>

#include "kernel_rig.h"

#include "kernels/half.h"

/* Cuts a number to 24 bits. */
static double bounds_cut(double value)
{
    int exponent;
    const double mantissa = frexp(value, &exponent);
    return ldexp(trunc(mantissa * 0x1p24), exponent - 24);
}

/* group 0: plain float32 additions. */
static double bounds_sum(const double *a, const double *b, uint32_t count, uint32_t group)
{
    double sum = 0;

    if (group == 0) {
        float plain = 0;
        for (uint32_t i = 0; i < count; i++) {
            plain = (float)(plain + (float)(a[i] * b[i]));
        }
        return plain;
    }
    for (uint32_t first = 0; first < count; first += group) {
        double part = sum;
        for (uint32_t i = first; i < first + group && i < count; i++) {
            part = bounds_cut(part + bounds_cut(a[i] * b[i]));
        }
        sum = part;
    }
    return sum;
}

typedef struct bounds_pair {
    vsg_row_terms terms;
    double *row, *f32, *f16; /* [elements] as the device multiplies them */
} bounds_pair;

static void bounds_read(const rig *f, uint32_t row, bounds_pair *out)
{
    const uint8_t *segment = f->segment_list[row / f->spec.segment_rows];
    const uint32_t place = row % f->spec.segment_rows;
    const uint8_t *stored = segment + f->layout.rows_at + (size_t)place * f->layout.row_stride;

    memcpy(&out->terms, segment + f->layout.terms_at + place * sizeof out->terms,
           sizeof out->terms);
    for (uint32_t i = 0; i < f->layout.elements; i++) {
        uint16_t half;
        if (f->spec.format == VSG_I8) {
            out->row[i] = ((const int8_t *)stored)[i];
        } else {
            memcpy(&half, stored + (size_t)i * 2, 2);
            out->row[i] = vsk_f16_decode(half);
        }
    }
}

static void bounds_query(const rig *f, uint32_t query, bounds_pair *out)
{
    const size_t at = (size_t)query * f->layout.elements;
    for (uint32_t i = 0; i < f->layout.elements; i++) {
        out->f32[i] = f->queries_f32[at + i];
        out->f16[i] = vsk_f16_decode(f->queries_f16[at + i]);
    }
}

static void bounds_check(const rig *f, const vsg_query_form *form, const vsg_row_form *row,
                         double sum, double distance)
{
    const vsg_bounds bounds = vsg_pair_bounds(row, form, (float)sum);
    if (!(bounds.low <= distance && distance <= bounds.high)) {
        fail_msg("dim %u type %d format %d metric %d data %d: %.17g is not in %.9g .. %.9g",
                 f->spec.dim, (int)f->spec.type, (int)f->spec.format, (int)f->spec.metric,
                 (int)f->spec.data, distance, (double)bounds.low, (double)bounds.high);
    }
}

static void bounds_check_pair(const rig *f, uint32_t query, uint32_t row, const bounds_pair *pair)
{
    static const uint32_t groups[] = {0, 4, 8, 16};
    const vsg_metric metric = f->spec.metric;
    const uint32_t elements = f->layout.elements;
    const vsg_row_form form = vsg_row_form_of(metric, &pair->terms, 1);
    const double distance = rig_distance(f, query, row);

    for (uint32_t is_f16 = 0; is_f16 < 2; is_f16++) {
        const vsg_query_form query_form =
            vsg_query_form_of(metric, &f->terms[query], elements, (int)is_f16, INFINITY);
        if (!(pair->terms.error < INFINITY)) {
            assert_true(vsg_pair_passes(&query_form, vsg_pair_bounds(&form, &query_form, NAN)));
            continue;
        }
        for (uint32_t g = is_f16 ? 0 : 3; g < 4; g++) {
            const double sum =
                bounds_sum(pair->row, is_f16 ? pair->f16 : pair->f32, elements, groups[g]);
            bounds_check(f, &query_form, &form, sum, distance);
        }
    }
}

static void bounds_check_rig(const rig_spec *spec)
{
    rig *f = rig_new(spec);
    bounds_pair pair;

    pair.row = calloc(f->layout.elements * (size_t)3, sizeof(double));
    assert_non_null(pair.row);
    pair.f32 = pair.row + f->layout.elements;
    pair.f16 = pair.f32 + f->layout.elements;
    for (uint32_t q = 0; q < spec->queries; q++) {
        if (f->states[q] != VSG_ANSWERED) {
            continue;
        }
        bounds_query(f, q, &pair);
        for (uint32_t row = 0; row < spec->rows; row++) {
            bounds_read(f, row, &pair);
            if (rig_is_present(f, row)) {
                bounds_check_pair(f, q, row, &pair);
            }
        }
    }
    free(pair.row);
    rig_free(f);
}

static void distances_are_within_bounds(void **unused)
{
    static const uint32_t dims[] = {1, 3, 32, 100, 257, 768};
    (void)unused;
    for (uint32_t i = 0; i < VS_TEST_COUNT(dims) * 24; i++) {
        for (uint32_t data = 0; data < RIG_DATA_COUNT; data++) {
            rig_spec spec = rig_plain(dims[i / 24], 12);
            spec.segment_rows = 128;
            spec.queries = 2;
            spec.type = (vsg_type)(i % 4);
            spec.format = (vsg_format)(i / 4 % 2);
            spec.metric = (vsg_metric)(i / 8 % 3);
            spec.data = (rig_data)data;
            bounds_check_rig(&spec);
        }
    }
}

/* Products that are cut lose most where all have one sign and the sum is much larger than each. */
static void long_sums_are_within_bounds(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 6; i++) {
        rig_spec spec = rig_plain(8192, 4);
        spec.segment_rows = 128;
        spec.metric = (vsg_metric)(i % 3);
        spec.format = (vsg_format)(i / 3);
        spec.data = RIG_POSITIVE;
        bounds_check_rig(&spec);
    }
}

/* One row and one query of one element, scaled by powers of two up to where bounds end. */
static void every_magnitude_has_bounds(void **unused)
{
    (void)unused;
    for (int exponent = -45; exponent <= 45; exponent++) {
        for (uint32_t i = 0; i < 6; i++) {
            rig_spec spec = rig_plain(5, 8);
            spec.segment_rows = 128;
            spec.metric = (vsg_metric)(i % 3);
            spec.format = (vsg_format)(i / 3);
            spec.scale = ldexp(1, exponent);
            bounds_check_rig(&spec);
        }
    }
}

static void queries_beyond_the_norms_are_unbound(void **unused)
{
    static const float values[] = {0x1p41f, 0x1p-41f, 1e30f, 1e-40f};
    vsg_shape shape = {3, VSG_TYPE_F32, VSG_F16, 0, 128};
    vsg_layout layout;
    vsg_query_terms terms;
    float f32[32];
    uint16_t f16[32];

    (void)unused;
    assert_int_equal(vsg_layout_make(&shape, &layout), 1);
    for (uint32_t i = 0; i < VS_TEST_COUNT(values); i++) {
        const float query[3] = {0, values[i], 0};
        assert_int_equal(vsg_query_prepare(query, &layout, VSG_F16, VSG_DOT, f32, f16, &terms),
                         VSG_UNBOUND);
    }
    const float zero[3] = {0, -0.0f, 0};
    assert_int_equal(vsg_query_prepare(zero, &layout, VSG_I8, VSG_DOT, f32, f16, &terms),
                     VSG_ANSWERED);
    assert_int_equal(vsg_query_prepare(zero, &layout, VSG_I8, VSG_COSINE, f32, f16, &terms),
                     VSG_UNBOUND);
}

/* Even where infinity meets zero. */
static void what_is_unknown_is_kept(void **unused)
{
    const vsg_row_terms terms = {0, 0, INFINITY, 1};
    vsg_shape shape = {3, VSG_TYPE_F32, VSG_F16, 0, 128};
    const float zero[3] = {0, 0, 0};
    vsg_query_terms query_terms;
    vsg_layout layout;
    float f32[32];
    uint16_t f16[32];

    (void)unused;
    assert_int_equal(vsg_layout_make(&shape, &layout), 1);
    assert_int_equal(vsg_query_prepare(zero, &layout, VSG_F16, VSG_L2SQ, f32, f16, &query_terms),
                     VSG_ANSWERED);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t count = 0, row = 0;
        float low = 0, high = 0;
        vsg_found_args found;
        query_terms.norm = (float)i;
        const vsg_row_form row_form = vsg_row_form_of(VSG_L2SQ, &terms, 1);
        const vsg_query_form form = vsg_query_form_of(VSG_L2SQ, &query_terms, 32, (int)i, -1e30f);
        const vsg_bounds bounds = vsg_pair_bounds(&row_form, &form, 0);
        assert_true(vsg_pair_passes(&form, bounds) && vsg_row_is_present(&row_form));
        memset(&found, 0, sizeof found);
        found.counts = &count;
        found.capacity = 1;
        found.entry_rows = &row;
        found.entry_lows = &low;
        found.entry_highs = &high;
        vsg_found_append(&found, 0, &form, 5, bounds);
        assert_true(count == 1 && row == 5 && low == -INFINITY && high == INFINITY);
    }
}

static void limits_are_rounded_outwards(void **unused)
{
    static const double values[] = {0,    1,     0.1,    -0.1,     1e-320,   -1e-320,
                                    1e38, 3e300, -3e300, INFINITY, -INFINITY};
    (void)unused;
    for (uint32_t i = 0; i < VS_TEST_COUNT(values); i++) {
        const float above = vsg_float_above(values[i]), below = vsg_float_below(values[i]);
        assert_true(above >= values[i] && below <= values[i]);
        assert_true(above == below || nextafterf(below, INFINITY) == above);
    }
}

static void orders_are_those_of_floats(void **unused)
{
    static const float values[] = {-INFINITY, -FLT_MAX, -1,     -1e-45f, -0.0f,
                                   0,         1e-45f,   0.999f, FLT_MAX, INFINITY};
    (void)unused;
    for (uint32_t i = 0; i < VS_TEST_COUNT(values); i++) {
        assert_true(vsg_order_value(vsg_order_of(values[i])) == values[i]);
        if (i > 0) {
            assert_true(vsg_order_of(values[i - 1]) < vsg_order_of(values[i]));
        }
    }
    assert_int_equal(vsg_order_of(NAN), vsg_order_of(INFINITY));
}

/* Every 61st float below 65520, of both signs, so that all exponents and ways to round are seen. */
static void bounds_check_halves(const vsg_query_loops *loops)
{
    float values[32];
    uint16_t halves[32];
    for (uint32_t bits = 0; bits < 0x477ff000u - 32 * 61; bits += 32 * 61) {
        double lost = 0, sumsq = 0;
        for (uint32_t i = 0; i < 32; i++) {
            values[i] = vsg_bits_float((bits + i * 61) | (i % 2) << 31);
            sumsq += (double)values[i] * (double)values[i];
        }
        const double told = loops->halves(values, 32, 1.0f, halves);
        for (uint32_t i = 0; i < 32; i++) {
            const double difference = (double)values[i] - (double)vsk_f16_decode(halves[i]);
            assert_int_equal(halves[i], vsk_f16_encode(values[i]));
            lost += difference * difference;
        }
        assert_true(fabs(told - lost) <= lost * 1e-12);
        assert_true(fabs(loops->sumsq(values, 32) - sumsq) <= sumsq * 1e-12);
        assert_true(loops->largest(values, 32) == fabsf(values[31]));
    }
}

static void halves_of_queries_are_rounded_to_nearest(void **unused)
{
    (void)unused;
    bounds_check_halves(vsg_query_loops_any());
    bounds_check_halves(vsg_query_loops_here());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_within_bounds),
        cmocka_unit_test(long_sums_are_within_bounds),
        cmocka_unit_test(every_magnitude_has_bounds),
        cmocka_unit_test(queries_beyond_the_norms_are_unbound),
        cmocka_unit_test(what_is_unknown_is_kept),
        cmocka_unit_test(limits_are_rounded_outwards),
        cmocka_unit_test(orders_are_those_of_floats),
        cmocka_unit_test(halves_of_queries_are_rounded_to_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
