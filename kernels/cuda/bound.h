/*
 * bound.h - the arithmetic of bounds: what a float32 sum of products says about a distance.
 *
 * A row x is on the device as x^ with |x - x^| <= error_x, a query q as q^ with |q - q^| <= error_q;
 * the device has s, an inexact <x^, q^> without its scales. With
 *
 *     dot = s * scales
 *     b   = error_x |q| + (|x| + error_x) error_q + acc
 *     acc = (elements + 64) 2^-22 (|x| + error_x) (|q| + error_q)
 *
 * |dot - <x, q>| <= b: the first terms are Cauchy and Schwarz, acc is what `elements` additions in
 * float32 can lose even where each product and each partial sum is truncated (tensor cores). The
 * key of a pair and its half width w:
 *
 *     VSG_L2SQ    key = sumsq_x + sumsq_q - 2 dot       w = 2 b + 2^-20 (sumsq_x + sumsq_q)
 *     VSG_DOT     key = -dot                            w = b
 *     VSG_COSINE  key = 1 - dot / (|x| |q|)             w = b / (|x| |q|) + 2^-19
 *
 * each plus 1e-37 for underflow, and plus 2^-19 (|x| + error_x) (|q| + error_q), in the unit of the
 * key, for the rounding of scales and norms. The distance, exact or canonical (kernels/vsk.h), is
 * in key - w .. key + w.
 *
 * All three have one form, so that a kernel need not know the metric: a row and a query have four
 * numbers each, `vsg_row_form` and `vsg_query_form`, and
 *
 *     key = row.key + query.key - s row.scale query.scale
 *     w   = row.error query.norm + row.length query.slack + 2^-20 row.key + query.extra
 *
 * Whatever is not finite keeps the row: the test is !(low > limit). A row that is not to be found
 * has the key VSG_KEY_ABSENT, beyond every limit.
 *
 * Norms are within 2^-40 .. 2^40, so nothing overflows; a row beyond has error = +infinity.
 */
#ifndef VSG_BOUND_H
#define VSG_BOUND_H

#include <float.h>

#include "layout.h"
#ifndef __CUDACC__
#include "query_loops.h"
#endif

#define VSG_NORM_MIN 0x1p-40
#define VSG_NORM_MAX 0x1p40
#define VSG_KEY_ABSENT 3e38f
#define VSG_LIMIT_MAX 1e38f
#define VSG_ROUNDING 0x1p-19f
#define VSG_ROTATION_ERROR 1e-5 /* of vsg_rotate in float32, of the norm: generous */
#define VSG_INFINITY ((float)INFINITY)

typedef struct vsg_row_form {
    float scale, key, error, length;
} vsg_row_form;

typedef struct vsg_query_form {
    float scale, key, norm, slack;
    float extra, limit, floor_drop, floor_count;
} vsg_query_form;

typedef struct vsg_bounds {
    float low, high;
} vsg_bounds;

/* is_present: the row is live and wanted. */
VSG_BOTH vsg_row_form vsg_row_form_of(vsg_metric metric, const vsg_row_terms *terms, int is_present)
{
    const float more = 1.0f + VSG_ROUNDING;
    const float is_bound = terms->error < VSG_INFINITY ? 1.0f : 0.0f;
    vsg_row_form form;
    float unit = 1.0f; /* of dot in the unit of the key */

    form.scale = 0.0f;
    form.key = VSG_KEY_ABSENT;
    form.error = 0.0f;
    form.length = 0.0f;
    if (!is_present || (metric == VSG_COSINE && terms->inv_norm == 0.0f)) {
        return form;
    }
    if (metric == VSG_L2SQ) {
        unit = 2.0f;
    } else if (metric == VSG_COSINE) {
        unit = terms->inv_norm;
    }
    form.scale = is_bound != 0.0f ? terms->scale * unit : 0.0f;
    form.key = metric == VSG_L2SQ ? terms->sumsq : 0.0f;
    form.error = terms->error * unit * more;
    form.length = (sqrtf(terms->sumsq) * more + terms->error) * unit * more;
    return form;
}

/* is_f16: for sums with the float16 form of the query. */
VSG_BOTH vsg_query_form vsg_query_form_of(vsg_metric metric, const vsg_query_terms *terms,
                                          uint32_t elements, int is_f16, float limit)
{
    const float more = 1.0f + VSG_ROUNDING;
    const float error = is_f16 ? terms->error_f16 : terms->error_f32;
    const float unit = metric == VSG_COSINE ? terms->inv_norm : 1.0f;
    const float acc = (float)(elements + 64) * 0x1p-22f + VSG_ROUNDING;
    vsg_query_form form;

    form.scale = (is_f16 ? terms->scale : 1.0f) * unit;
    form.key = metric == VSG_L2SQ ? terms->sumsq : metric == VSG_COSINE ? 1.0f : 0.0f;
    form.norm = terms->norm * unit * more;
    form.slack = (error + acc * (terms->norm + error)) * unit * more;
    form.extra = 1e-37f;
    if (metric == VSG_L2SQ) {
        form.extra += terms->sumsq * 0x1p-20f;
    } else if (metric == VSG_COSINE) {
        form.extra += VSG_ROUNDING;
    }
    form.limit = limit < VSG_LIMIT_MAX ? limit : VSG_LIMIT_MAX;
    form.floor_drop = terms->floor_drop;
    form.floor_count = terms->floor_count;
    return form;
}

/* What s says of a pair. NaN where nothing is known. */
VSG_BOTH vsg_bounds vsg_pair_bounds(const vsg_row_form *row, const vsg_query_form *query, float s)
{
    const float key = row->key + query->key - s * row->scale * query->scale;
    const float w = row->error * query->norm + row->length * query->slack +
                    (row->key * 0x1p-20f + query->extra);
    vsg_bounds bounds;
    bounds.low = key - w;
    bounds.high = key + w;
    return bounds;
}

/* 0: the pair is in no answer. An absent row passes where its bits, which are any, are NaN: ask
 * vsg_row_is_present, too. */
VSG_BOTH int vsg_pair_passes(const vsg_query_form *query, vsg_bounds bounds)
{
    return !(bounds.low > query->limit) && !(bounds.high < query->floor_drop);
}

VSG_BOTH int vsg_row_is_present(const vsg_row_form *row)
{
    return row->key < VSG_KEY_ABSENT;
}

/* Appends a pair that passes; query is its number in `found`. */
VSG_FN void vsg_found_append(const vsg_found_args *found, uint32_t query,
                             const vsg_query_form *form, uint32_t row, vsg_bounds bounds)
{
    const uint32_t place = vsg_atomic_add(&found->counts[query], 1);
    if (place < found->capacity) {
        const uint64_t at = (uint64_t)query * found->capacity + place;
        const int counts = bounds.low > form->floor_count;
        found->entry_rows[at] = row;
        found->entry_lows[at] = bounds.low == bounds.low ? bounds.low : -VSG_INFINITY;
        found->entry_highs[at] = counts && bounds.high == bounds.high ? bounds.high : VSG_INFINITY;
    }
}

/* Numbers in the order of floats, from 0 on; NaN as +infinity. */
VSG_BOTH uint32_t vsg_order_of(float value)
{
    const uint32_t bits = vsg_float_bits(value == value ? value : VSG_INFINITY);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

VSG_BOTH float vsg_order_value(uint32_t order)
{
    return vsg_bits_float(order & 0x80000000u ? order & 0x7fffffffu : ~order);
}

/* ------------------------------------------------------------------------------ stored rows */

/* The power of two by which a vector with the largest magnitude `largest` (normal, > 0) is divided
 * for float16: the largest element comes to 2^14 .. 2^15. */
VSG_BOTH float vsg_f16_scale(float largest)
{
    const int32_t exponent = (int32_t)(vsg_float_bits(largest) >> 23) - 127;
    return vsg_bits_float((uint32_t)(exponent - 14 + 127) << 23);
}

/* 1 / scale, exactly, of a power of two within 2^-126 .. 2^126. */
VSG_BOTH float vsg_power_inverse(float scale)
{
    return vsg_bits_float((254u << 23) - vsg_float_bits(scale));
}

/* A double as a float that is not below it, or not above it. */
VSG_BOTH float vsg_float_above(double value)
{
    const float near = (float)value;
    if (!((double)near < value)) {
        return near;
    }
    return vsg_order_value(vsg_order_of(near) + 1);
}

VSG_BOTH float vsg_float_below(double value)
{
    return -vsg_float_above(-value);
}

/*
 * The rotation before VSG_I8: signs, then a Walsh-Hadamard transform of each block of
 * vsg_rotate_block(elements) elements, times 1 / sqrt(block). Orthogonal but for rounding.
 */
VSG_BOTH uint32_t vsg_rotate_block(uint32_t elements)
{
    return elements & (0u - elements);
}

VSG_BOTH int vsg_rotate_is_negative(uint32_t i)
{
    uint32_t x = (i + 1u) * 0x9e3779b1u;
    x = (x ^ x >> 15) * 0x85ebca77u;
    x = (x ^ x >> 13) * 0xc2b2ae3du;
    return (int)(x >> 31);
}

/* One butterfly of the stage `half` = 1, 2, 4 .. block / 2; pair 0 .. elements / 2 - 1. */
VSG_BOTH void vsg_rotate_pair(float *v, uint32_t half, uint32_t pair)
{
    const uint32_t at = (pair & ~(half - 1u)) * 2u + (pair & (half - 1u));
    const float x = v[at], y = v[at + half];
    v[at] = x + y;
    v[at + half] = x - y;
}

#ifndef __CUDACC__

/* All butterflies of a stage, in runs of VSG_QUERY_RUN where there are so many side by side. */
static inline void vsg_rotate_stage(float *v, uint32_t elements, uint32_t half)
{
    float x[VSG_QUERY_RUN], y[VSG_QUERY_RUN];

    if (half < VSG_QUERY_RUN) {
        for (uint32_t pair = 0; pair < elements / 2; pair++) {
            vsg_rotate_pair(v, half, pair);
        }
        return;
    }
    for (uint32_t at = 0; at < elements; at += VSG_QUERY_RUN) {
        if (at & half) { /* the upper ones of pairs */
            continue;
        }
        memcpy(x, v + at, sizeof x);
        memcpy(y, v + at + half, sizeof y);
        for (uint32_t j = 0; j < VSG_QUERY_RUN; j++) {
            const float sum = x[j] + y[j];
            y[j] = x[j] - y[j];
            x[j] = sum;
        }
        memcpy(v + at, x, sizeof x);
        memcpy(v + at + half, y, sizeof y);
    }
}

static inline void vsg_rotate(float *v, uint32_t elements)
{
    const uint32_t block = vsg_rotate_block(elements);
    const float unit = (float)(1.0 / sqrt((double)block));

    for (uint32_t i = 0; i < elements; i++) {
        v[i] = vsg_rotate_is_negative(i) ? -v[i] : v[i];
    }
    for (uint32_t half = 1; half < block; half *= 2) {
        vsg_rotate_stage(v, elements, half);
    }
    for (uint32_t i = 0; i < elements; i++) {
        v[i] *= unit;
    }
}

/* ----------------------------------------------------------------------- queries, on the host */

/*
 * Prepares a query for kernels: its two forms, and its terms without a floor.
 *
 *   query    [layout->dim] finite
 *   out_f32  [layout->elements] rotated for VSG_I8; out_f16 the same divided by terms->scale
 *
 * Returns VSG_ANSWERED; or VSG_UNBOUND when there are no bounds for it, and then the outputs are
 * zeros: it must not be searched for. A zero query has bounds but for VSG_COSINE.
 */
static inline vsg_query_state vsg_query_prepare(const float *query, const vsg_layout *layout,
                                                vsg_format format, vsg_metric metric,
                                                float *out_f32, uint16_t *out_f16,
                                                vsg_query_terms *out)
{
    const vsg_query_loops *loops = vsg_query_loops_here();
    double sum, lost, norm;

    memset(out, 0, sizeof *out);
    memset(out_f32, 0, layout->elements * sizeof *out_f32);
    memset(out_f16, 0, layout->elements * sizeof *out_f16);
    out->scale = 1.0f;
    out->floor_drop = -VSG_INFINITY;
    out->floor_count = -VSG_INFINITY;
    memcpy(out_f32, query, layout->dim * sizeof *out_f32);
    sum = loops->sumsq(out_f32, layout->elements);
    norm = sqrt(sum);
    if (sum == 0) {
        return metric == VSG_COSINE ? VSG_UNBOUND : VSG_ANSWERED;
    }
    if (!(norm >= VSG_NORM_MIN && norm <= VSG_NORM_MAX)) {
        memset(out_f32, 0, layout->elements * sizeof *out_f32);
        return VSG_UNBOUND;
    }
    if (format == VSG_I8) {
        vsg_rotate(out_f32, layout->elements);
        out->error_f32 = vsg_float_above(VSG_ROTATION_ERROR * norm);
    }
    out->scale = vsg_f16_scale(loops->largest(out_f32, layout->elements));
    lost = loops->halves(out_f32, layout->elements, vsg_power_inverse(out->scale), out_f16);
    out->sumsq = (float)sum;
    out->norm = vsg_float_above(norm * (1 + 1e-9));
    out->inv_norm = (float)(1 / norm);
    out->error_f16 =
        vsg_float_above(sqrt(lost) * (double)out->scale * (1 + 1e-9) + (double)out->error_f32);
    return VSG_ANSWERED;
}

/* Distances below `floor` are not wanted, one at `floor` does not count. -infinity: none is. */
static inline void vsg_query_floor(vsg_query_terms *terms, double floor)
{
    terms->floor_drop = vsg_float_below(floor);
    terms->floor_count = vsg_float_above(floor);
}

#endif

#endif
