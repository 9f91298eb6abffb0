/*
 * kernel_rig.c - see kernel_rig.h.
 */
#define _POSIX_C_SOURCE 200112L /* posix_memalign */

#include "vs_test.h"

#include <math.h>

#include "kernel_rig.h"

#include "kernels/half.h"

double rig_random(uint64_t *seed)
{
    return (double)(vsg_host_random(seed) >> 11) * 0x1p-53;
}

static void *rig_memory(size_t bytes)
{
    void *memory = NULL;
    assert_int_equal(posix_memalign(&memory, 256, bytes > 0 ? bytes : 1), 0);
    memset(memory, 0xff, bytes); /* NaN */
    return memory;
}

rig_spec rig_plain(uint32_t dim, uint32_t rows)
{
    rig_spec spec;
    memset(&spec, 0, sizeof spec);
    spec.dim = dim;
    spec.rows = rows;
    spec.segment_rows = 256;
    spec.queries = 3;
    spec.k = 10;
    spec.limit = INFINITY;
    spec.floor = -INFINITY;
    spec.seed = 0x9e3779b97f4a7c15u + dim * 1000003u + rows;
    return spec;
}

static double rig_element(rig_data data, uint32_t row, uint32_t i, uint64_t *seed)
{
    const double u = rig_random(seed) * 2 - 1;
    switch (data) {
    case RIG_POSITIVE:
        return 0.5 + fabs(u);
    case RIG_CANCEL:
        return (i % 2 ? -1 : 1) * (1 + u * 0x1p-9);
    case RIG_RANGE:
        return u * exp2(-floor(rig_random(seed) * 60));
    case RIG_DENORMAL:
        return i == 0 && row % 3 ? u : u * 0x1p-135;
    case RIG_HUGE:
        return row % 2 ? u * 1e30 : u;
    case RIG_TINY:
        return row % 2 ? u * 1e-30 : u;
    case RIG_NONFINITE:
        return row % 5 == 1 && i % 7 == 0 ? NAN : row % 5 == 2 && i == 0 ? -INFINITY : u;
    case RIG_TIES:
        return row % 11 == 0 ? 0 : sin(1.0 + (row % 7) * 3 + i);
    default:
        return u;
    }
}

static void rig_store(vsg_type type, void *at, uint64_t i, double value)
{
    float f = (float)value;
    uint16_t half;
    switch (type) {
    case VSG_TYPE_F32:
        memcpy((uint8_t *)at + i * 4, &f, 4);
        break;
    case VSG_TYPE_F16:
    case VSG_TYPE_BF16:
        half = type == VSG_TYPE_F16 ? vsk_f16_encode(f) : vsk_bf16_encode(f);
        memcpy((uint8_t *)at + i * 2, &half, 2);
        break;
    default:
        ((int8_t *)at)[i] =
            isfinite(f) ? (int8_t)fmax(-128, fmin(127, rint(value * 100))) : (int8_t)-128;
    }
}

static double rig_fetch(vsg_type type, const void *at, uint64_t i)
{
    float f;
    uint16_t half;
    switch (type) {
    case VSG_TYPE_F32:
        memcpy(&f, (const uint8_t *)at + i * 4, 4);
        return f;
    case VSG_TYPE_F16:
    case VSG_TYPE_BF16:
        memcpy(&half, (const uint8_t *)at + i * 2, 2);
        return type == VSG_TYPE_F16 ? vsk_f16_decode(half) : vsk_bf16_decode(half);
    default:
        return ((const int8_t *)at)[i];
    }
}

double rig_value(const rig *f, uint32_t row, uint32_t element)
{
    return rig_fetch(f->spec.type, f->vectors, (uint64_t)row * f->spec.dim + element);
}

static void rig_launch(rig *f, vsg_kernel kernel, const vsg_args *args)
{
    if (f->spec.is_apart) {
        int rc = vsg_host_launch_apart(&f->order, kernel, args);
        if (rc != VSG_ABSENT) {
            assert_int_equal(rc, VSG_OK);
            return;
        }
    }
    assert_int_equal(vsg_host_launch(&f->order, kernel, args), VSG_OK);
}

static void rig_convert(rig *f)
{
    for (uint32_t first = 0; first < f->spec.rows;) {
        const uint32_t segment = first / f->spec.segment_rows;
        const uint32_t place = first % f->spec.segment_rows;
        uint32_t count = f->spec.segment_rows - place;
        vsg_args args;

        count = count < f->spec.rows - first ? count : f->spec.rows - first;
        count = count > 100 ? 100 : count; /* parts of segments, too */
        memset(&args, 0, sizeof args);
        args.convert.vectors = f->vectors + (uint64_t)first * f->layout.vector_bytes;
        args.convert.segment = f->segment_list[segment];
        args.convert.layout = f->layout;
        args.convert.type = f->spec.type;
        args.convert.format = f->spec.format;
        args.convert.first = place;
        args.convert.rows = count;
        rig_launch(f, VSG_CONVERT, &args);
        first += count;
    }
}

static void rig_make_rows(rig *f, uint64_t *seed)
{
    const rig_spec *spec = &f->spec;

    f->segments = (spec->rows + spec->segment_rows - 1) / spec->segment_rows;
    f->total = f->segments * spec->segment_rows;
    f->memory = rig_memory(f->segments * f->layout.bytes);
    f->segment_list = rig_memory(f->segments * sizeof *f->segment_list);
    f->vectors = rig_memory((size_t)spec->rows * f->layout.vector_bytes);
    f->wanted = rig_memory(f->total / 8);
    for (uint32_t row = 0; row < spec->rows; row++) {
        for (uint32_t i = 0; i < spec->dim; i++) {
            rig_store(spec->type, f->vectors, (uint64_t)row * spec->dim + i,
                      rig_element(spec->data, row, i, seed));
        }
    }
    for (uint32_t s = 0; s < f->segments; s++) {
        f->segment_list[s] = f->memory + s * f->layout.bytes;
        uint32_t *live = (uint32_t *)(void *)(f->segment_list[s] + f->layout.live_at);
        memset(live, 0, spec->segment_rows / 8);
        for (uint32_t i = 0; i < spec->segment_rows; i++) {
            const uint32_t row = s * spec->segment_rows + i;
            if (row < spec->rows && (spec->dead_of == 0 || row % spec->dead_of != 0)) {
                live[i / 32] |= 1u << i % 32;
            }
        }
    }
    for (uint32_t i = 0; i < f->total / 32; i++) {
        f->wanted[i] = (uint32_t)(vsg_host_random(seed) >> 20);
    }
}

static void rig_make_queries(rig *f, uint64_t *seed)
{
    const rig_spec *spec = &f->spec;
    const rig_data data =
        spec->data == RIG_HUGE || spec->data == RIG_TINY || spec->data == RIG_NONFINITE
            ? RIG_RANDOM
            : spec->data;

    f->queries = rig_memory((size_t)spec->queries * spec->dim * 4);
    f->query_vectors = rig_memory((size_t)spec->queries * f->layout.vector_stride);
    f->queries_f32 = rig_memory((size_t)spec->queries * f->layout.elements * 4);
    f->queries_f16 = rig_memory((size_t)spec->queries * f->layout.elements * 2);
    f->terms = rig_memory(spec->queries * sizeof *f->terms);
    f->states = rig_memory(spec->queries * sizeof *f->states);
    for (uint32_t q = 0; q < spec->queries; q++) {
        uint8_t *vector = f->query_vectors + (size_t)q * f->layout.vector_stride;
        float *query = f->queries + (size_t)q * spec->dim;
        for (uint32_t i = 0; i < spec->dim; i++) {
            /* Row 1 of RIG_CANCEL has other signs, so that sums vanish. */
            double value = rig_element(data, q * 2 + 1, i, seed);
            rig_store(spec->type, vector, i, data == RIG_CANCEL && i % 4 >= 2 ? -value : value);
            query[i] = (float)rig_fetch(spec->type, vector, i);
        }
        f->states[q] =
            vsg_query_prepare(query, &f->layout, spec->format, spec->metric,
                              f->queries_f32 + (size_t)q * f->layout.elements,
                              f->queries_f16 + (size_t)q * f->layout.elements, &f->terms[q]);
        vsg_query_floor(&f->terms[q], spec->floor);
    }
}

static void rig_make_found(rig *f)
{
    const rig_spec *spec = &f->spec;
    const size_t entries = (size_t)spec->queries * spec->capacity;
    vsg_found_args *found = &f->found;

    found->queries_f32 = f->queries_f32;
    found->queries_f16 = f->queries_f16;
    found->terms = f->terms;
    found->query_count = spec->queries;
    found->k = spec->k;
    found->capacity = spec->capacity;
    found->limits = rig_memory(spec->queries * sizeof(float));
    found->counts = rig_memory(spec->queries * sizeof(uint32_t));
    found->lost = rig_memory(spec->queries * sizeof(uint32_t));
    found->entry_rows = rig_memory(entries * sizeof(uint32_t));
    found->entry_lows = rig_memory(entries * sizeof(float));
    found->entry_highs = rig_memory(entries * sizeof(float));
    f->out_first = rig_memory(spec->queries * sizeof(uint32_t));
    f->out_count = rig_memory(spec->queries * sizeof(uint32_t));
    f->out_rows = rig_memory(entries * sizeof(uint32_t));
    f->out_lows = rig_memory(entries * sizeof(float));
    f->out_sums = rig_memory(entries * sizeof(double));
    f->out_sumsqs = rig_memory(entries * sizeof(double));
    rig_reset(f, NULL);
}

rig *rig_new(const rig_spec *spec)
{
    rig *f = calloc(1, sizeof *f);
    uint64_t seed = spec->seed;
    vsg_shape shape = {spec->dim, spec->type, spec->format, spec->keeps_vectors,
                       spec->segment_rows};

    assert_non_null(f);
    f->spec = *spec;
    f->order = spec->seed;
    assert_int_equal(vsk_table_for_level(VSK_SCALAR, &f->table), 0);
    assert_int_equal(vsg_layout_make(&shape, &f->layout), 1);
    rig_make_rows(f, &seed);
    f->spec.capacity = spec->capacity > 0 ? spec->capacity : f->total;
    rig_make_queries(f, &seed);
    rig_make_found(f);
    f->rows_args.segments = (const uint8_t *const *)f->segment_list;
    f->rows_args.wanted = spec->has_wanted ? f->wanted : NULL;
    f->rows_args.layout = f->layout;
    f->rows_args.format = spec->format;
    f->rows_args.metric = spec->metric;
    f->rows_args.segment_rows = spec->segment_rows;
    f->rows_args.tiles = f->total / VSG_TILE_ROWS;
    f->rows_args.tile_step = f->rows_args.tiles > 2 ? f->rows_args.tiles - 1 : 1;
    rig_convert(f);
    return f;
}

void rig_free(rig *f)
{
    void *all[] = {f->memory,
                   f->segment_list,
                   f->vectors,
                   f->wanted,
                   f->queries,
                   f->query_vectors,
                   f->queries_f32,
                   f->queries_f16,
                   f->terms,
                   f->states,
                   f->found.limits,
                   f->found.counts,
                   f->found.lost,
                   f->found.entry_rows,
                   f->out_first,
                   f->out_count,
                   f->found.entry_lows,
                   f->found.entry_highs,
                   f->out_rows,
                   f->out_lows,
                   f->out_sums,
                   f->out_sumsqs,
                   f};
    for (size_t i = 0; i < VS_TEST_COUNT(all); i++) {
        free(all[i]);
    }
}

void rig_reset(rig *f, const float *limits)
{
    for (uint32_t q = 0; q < f->spec.queries; q++) {
        f->found.limits[q] = limits ? limits[q] : vsg_float_above(f->spec.limit);
        f->found.counts[q] = 0;
        f->found.lost[q] = 0;
    }
}

void rig_scan(rig *f, vsg_kernel kernel, uint32_t first, uint32_t count)
{
    vsg_args args;

    memset(&args, 0, sizeof args);
    args.scan.rows = f->rows_args;
    args.scan.found = f->found;
    args.scan.visit_first = first;
    args.scan.visit_count = count;
    if (kernel == VSG_MATRIX) {
        args.scan.query_count = f->spec.queries;
        rig_launch(f, kernel, &args);
        return;
    }
    for (uint32_t q = 0; q < f->spec.queries; q += VSG_SCAN_QUERIES) {
        const uint32_t left = f->spec.queries - q;
        args.scan.query_first = q;
        args.scan.query_count = left < VSG_SCAN_QUERIES ? left : VSG_SCAN_QUERIES;
        rig_launch(f, kernel, &args);
    }
}

void rig_select(rig *f)
{
    vsg_args args;
    memset(&args, 0, sizeof args);
    args.select.found = f->found;
    rig_launch(f, VSG_SELECT, &args);
}

static void rig_chunks(rig *f, vsg_kernel kernel)
{
    uint32_t visited = 0;
    while (visited < f->rows_args.tiles) {
        const uint64_t seen = (uint64_t)visited * VSG_TILE_ROWS;
        uint64_t rows = visited > 0 ? seen * f->spec.capacity / (4 * f->spec.k) : f->spec.capacity;
        uint64_t tiles = rows / VSG_TILE_ROWS > 0 ? rows / VSG_TILE_ROWS : 1;
        if (tiles > f->rows_args.tiles - visited) {
            tiles = f->rows_args.tiles - visited;
        }
        rig_scan(f, kernel, visited, (uint32_t)tiles);
        rig_select(f);
        visited += (uint32_t)tiles;
    }
}

void rig_search(rig *f, vsg_kernel kernel)
{
    vsg_args args;

    for (int run = 0; run < 4; run++) {
        uint32_t lost = 0;
        rig_chunks(f, kernel);
        for (uint32_t q = 0; q < f->spec.queries; q++) {
            lost += f->found.lost[q] != 0;
        }
        if (lost == 0) {
            break;
        }
        float *limits = rig_memory(f->spec.queries * sizeof(float));
        memcpy(limits, f->found.limits, f->spec.queries * sizeof(float));
        rig_reset(f, limits);
        free(limits);
    }
    memset(&args, 0, sizeof args);
    args.finish.rows = f->rows_args;
    args.finish.found = f->found;
    args.finish.out_capacity = f->spec.queries * f->spec.capacity;
    args.finish.out_next = &f->out_next;
    args.finish.out_first = f->out_first;
    args.finish.out_count = f->out_count;
    args.finish.out_rows = f->out_rows;
    args.finish.out_lows = f->out_lows;
    args.finish.out_sums = f->spec.keeps_vectors ? f->out_sums : NULL;
    args.finish.out_sumsqs = f->spec.keeps_vectors ? f->out_sumsqs : NULL;
    args.finish.queries = f->query_vectors;
    args.finish.type = f->spec.type;
    f->out_next = 0;
    rig_launch(f, VSG_FINISH, &args);
}

static int rig_bit(const uint32_t *bits, uint32_t i)
{
    return (int)(bits[i / 32] >> i % 32 & 1);
}

int rig_is_present(const rig *f, uint32_t row)
{
    const uint32_t segment = row / f->spec.segment_rows;
    const uint32_t *live =
        (const uint32_t *)(const void *)(f->segment_list[segment] + f->layout.live_at);

    if (!rig_bit(live, row % f->spec.segment_rows) ||
        (f->spec.has_wanted && !rig_bit(f->wanted, row))) {
        return 0;
    }
    if (f->spec.metric == VSG_COSINE) {
        for (uint32_t i = 0; i < f->spec.dim; i++) {
            if (rig_value(f, row, i) != 0) {
                return 1;
            }
        }
        return 0;
    }
    return 1;
}

double rig_distance(const rig *f, uint32_t query, uint32_t row)
{
    const uint8_t *x = f->vectors + (uint64_t)row * f->layout.vector_bytes;
    const uint8_t *q = f->query_vectors + (uint64_t)query * f->layout.vector_stride;
    double sums[3];

    if (f->spec.metric == VSG_L2SQ) {
        return f->table.l2sq[f->spec.type](q, x, f->spec.dim);
    }
    f->table.triple[f->spec.type](q, x, f->spec.dim, sums);
    return f->spec.metric == VSG_DOT ? -sums[0] : 1 - sums[0] / (sqrt(sums[1]) * sqrt(sums[2]));
}
