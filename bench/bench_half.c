/*
 * bench_half.c - what it costs to find out whether a vector is on the half grid.
 *
 *     build/bench/bench_half
 *
 * Generated vectors of unit norm, on the grid (rounded to 16 bits, then divided by their norm) and
 * off it (random float32), at 384, 768 and 1,536 dimensions. One JSON line per measurement on
 * stdout, microseconds per vector as value; the table of bars on stderr. A vector on the grid that
 * is not found, or does not come back bit for bit, ends the program, and so does one off it that is
 * found.
 */
#define _POSIX_C_SOURCE 200809L

#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../ext/half.h"

enum { HALF_VECTORS = 200, HALF_ROUNDS = 25, HALF_BENCH_DIM_MAX = 1536 };

typedef struct half_case {
    size_t dim;
    vsk_type element;
    int is_on_grid;
    float *rows; /* owned: [HALF_VECTORS][dim] */
} half_case;

static uint16_t half_out[HALF_BENCH_DIM_MAX];
static float half_wide[HALF_BENCH_DIM_MAX];

static void half_fill(const half_case *run)
{
    uint64_t random = 2024;

    for (size_t i = 0; i < HALF_VECTORS; i++) {
        float *v = run->rows + i * run->dim;
        float sum = 0.0f;
        for (size_t j = 0; j < run->dim; j++) {
            v[j] = (float)bench_gauss(&random);
        }
        if (run->is_on_grid) {
            vsk_get()->from_f32[run->element](v, half_out, run->dim);
            vsk_get()->to_f32[run->element](half_out, v, run->dim);
        }
        for (size_t j = 0; j < run->dim; j++) {
            sum += v[j] * v[j];
        }
        for (size_t j = 0; j < run->dim; j++) {
            v[j] /= sqrtf(sum);
        }
    }
}

static double half_run_find(void *context, size_t round)
{
    const half_case *run = context;
    double start = bench_now();
    int found = 0;

    (void)round;
    for (size_t i = 0; i < HALF_VECTORS; i++) {
        float norm;
        found += vs_half_find(run->rows + i * run->dim, run->dim, run->element, half_out, &norm);
    }
    if (found != (run->is_on_grid ? HALF_VECTORS : 0)) {
        bench_die("dim %zu, %s: %d of %d vectors found", run->dim, vsk_type_name(run->element),
                  found, HALF_VECTORS);
    }
    return bench_now() - start;
}

static double half_run_widen(void *context, size_t round)
{
    const half_case *run = context;
    double start = bench_now();

    (void)round;
    for (size_t i = 0; i < HALF_VECTORS; i++) {
        vs_half_widen(half_out, run->dim, run->element, 0.7f, half_wide);
    }
    return bench_now() - start;
}

static void half_check(const half_case *run)
{
    for (size_t i = 0; i < HALF_VECTORS; i++) {
        const float *v = run->rows + i * run->dim;
        float norm;
        if (!vs_half_find(v, run->dim, run->element, half_out, &norm)) {
            bench_die("vector %zu of %zu dimensions is not found", i, run->dim);
        }
        vs_half_widen(half_out, run->dim, run->element, norm, half_wide);
        if (memcmp(half_wide, v, run->dim * sizeof *v) != 0) {
            bench_die("vector %zu of %zu dimensions comes back changed", i, run->dim);
        }
    }
}

/* bar_us: 0 where there is none. */
static void half_line(const half_case *run, const char *measurement, const bench_entry *entry,
                      double bar_us)
{
    char what[96];
    double us = 1e6 * bench_percentile(entry, HALF_ROUNDS, 50.0) / HALF_VECTORS;

    bench_line_open("bench_half", measurement);
    bench_line_text("type", vsk_type_name(run->element));
    bench_line_text("level", vsk_level_name(vsk_level_in_use()));
    bench_line_number("dim", (double)run->dim);
    bench_line_number("count", HALF_VECTORS);
    bench_line_times(entry, HALF_ROUNDS);
    if (bar_us > 0.0) {
        snprintf(what, sizeof what, "%s, %s, %zu dimensions", measurement,
                 vsk_type_name(run->element), run->dim);
        bench_line_bar(what, us, "at most", bar_us, "us");
    } else {
        bench_line_number("value", us);
        bench_line_text("unit", "us");
    }
    bench_line_close();
}

static void half_measure(size_t dim, vsk_type element)
{
    half_case on = {dim, element, 1, bench_alloc(HALF_VECTORS * dim * sizeof(float))};
    half_case off = {dim, element, 0, bench_alloc(HALF_VECTORS * dim * sizeof(float))};
    bench_entry entries[3] = {
        {half_run_find, &on, {0}}, {half_run_find, &off, {0}}, {half_run_widen, &on, {0}}};

    half_fill(&on);
    half_fill(&off);
    half_check(&on);
    bench_race(entries, 3, HALF_ROUNDS);
    half_line(&on, "half grid, hit", &entries[0], 20.0);
    half_line(&off, "half grid, miss", &entries[1], 3.0);
    half_line(&on, "half grid, widen", &entries[2], 0.0);
    free(on.rows);
    free(off.rows);
}

int main(void)
{
    static const size_t dims[] = {384, 768, HALF_BENCH_DIM_MAX};

    vsk_init(NULL);
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        half_measure(dims[i], VSK_F16);
        half_measure(dims[i], VSK_BF16);
    }
    bench_bars_print(stderr);
    return 0;
}
