/*
 * bench_kernels.c - kernels against the memory bandwidth measured beside them.
 *
 *     bench_kernels [level=avx2] [operation=rank_dot] [type=float32] [dim=768] [where=ram]
 *
 * One JSON line per level, operation, type, dim and place. `gb_per_s` is row bytes over the best
 * time; `ratio_to_read` is the median, over rounds that alternate kernel and floor, of kernel
 * bandwidth over that of the fastest plain read of the same bytes (AVX2 or AVX-512, with or without
 * prefetch, whichever was fastest in a first round). Tile kernels report `gflop_per_s`, two per
 * multiply-add or three per squared difference. One thread; nothing else should run.
 *
 * Codes: `code_dot` and `front_dot` run with one query and with eight (`queries`), timed per row
 * and query; `encode` is the encoder of code.c on the kernels of the best level, code_tail and
 * code_planes are its parts. A row has `dim` elements; of code_pass and front_pass it is one row's
 * terms, of front_dot `dim` directions, of checksum 4 * dim bytes.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../kernels/vsk_impl.h"

enum {
    BENCH_RAM_BYTES = 512 << 20, /* far beyond any cache */
    BENCH_L2_BYTES = 384 << 10,
    BENCH_ROUNDS = 15,
    BENCH_TILE_QUERIES = 64,
    BENCH_TILE_ROWS = 64,
    BENCH_CODE_QUERIES = 8,
    BENCH_PASS_ROWS = 4096,
    BENCH_PASS_DIM = 128, /* the one under which it is measured: it has none */
    BENCH_PASS_ARRAYS = 5 /* of 4 bytes a row: dots, inv, cos, sin, r */
};

static volatile float bench_sink;

/* With BENCH_CLOCK=cpu, the process's time in place of the wall's: for a machine that is not idle.
 */
static double bench_now(void)
{
    const char *clock_name = getenv("BENCH_CLOCK");
    int is_cpu = clock_name != NULL && strcmp(clock_name, "cpu") == 0;
    struct timespec now;

    clock_gettime(is_cpu ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- the floor: reading, and doing as little as possible with what was read ---- */

#if defined(VSK_X86)
#include "../kernels/x86/avx2_begin.h"
VSK_INLINE void bench_read_avx2(const unsigned char *p, size_t bytes, size_t ahead)
{
    __m256i acc[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                      _mm256_setzero_si256()};

    for (size_t i = 0; i + 128 <= bytes; i += 128) {
        if (ahead > 0) {
            _mm_prefetch((const char *)p + i + ahead, _MM_HINT_T0);
            _mm_prefetch((const char *)p + i + ahead + 64, _MM_HINT_T0);
        }
        VSK_UNROLL
        for (int j = 0; j < 4; j++) {
            __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(p + i + 32 * j));
            acc[j] = _mm256_xor_si256(acc[j], x);
        }
    }
    acc[0] = _mm256_xor_si256(_mm256_xor_si256(acc[0], acc[1]), _mm256_xor_si256(acc[2], acc[3]));
    bench_sink = (float)_mm_cvtsi128_si32(_mm256_castsi256_si128(acc[0]));
}
static void bench_read_avx2_plain(const unsigned char *p, size_t bytes)
{
    bench_read_avx2(p, bytes, 0);
}
static void bench_read_avx2_ahead(const unsigned char *p, size_t bytes)
{
    bench_read_avx2(p, bytes, 4096);
}
#include "../kernels/isa_end.h"
#include "../kernels/x86/avx512_begin.h"
VSK_INLINE void bench_read_avx512(const unsigned char *p, size_t bytes, size_t ahead)
{
    __m512i acc[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                      _mm512_setzero_si512()};

    for (size_t i = 0; i + 256 <= bytes; i += 256) {
        VSK_UNROLL
        for (int j = 0; j < 4; j++) {
            if (ahead > 0) {
                _mm_prefetch((const char *)p + i + ahead + 64 * j, _MM_HINT_T0);
            }
            acc[j] = _mm512_xor_si512(acc[j], _mm512_loadu_si512(p + i + 64 * j));
        }
    }
    acc[0] = _mm512_xor_si512(_mm512_xor_si512(acc[0], acc[1]), _mm512_xor_si512(acc[2], acc[3]));
    bench_sink = (float)_mm512_reduce_add_epi32(acc[0]);
}
static void bench_read_avx512_plain(const unsigned char *p, size_t bytes)
{
    bench_read_avx512(p, bytes, 0);
}
static void bench_read_avx512_ahead(const unsigned char *p, size_t bytes)
{
    bench_read_avx512(p, bytes, 4096);
}
#include "../kernels/isa_end.h"
#endif

static void bench_read_scalar(const unsigned char *p, size_t bytes)
{
    uint64_t acc[8] = {0};

    for (size_t i = 0; i + 64 <= bytes; i += 64) {
        for (size_t j = 0; j < 8; j++) {
            uint64_t word;
            memcpy(&word, p + i + 8 * j, sizeof word);
            acc[j] ^= word;
        }
    }
    for (size_t j = 1; j < 8; j++) {
        acc[0] ^= acc[j];
    }
    bench_sink = (float)acc[0];
}

typedef void (*bench_read_fn)(const unsigned char *p, size_t bytes);
static const struct {
    bench_read_fn fn;
    unsigned needs;
} bench_reads[] = {
    {bench_read_scalar, 0},
#if defined(VSK_X86)
    {bench_read_avx2_plain, VSK_NEEDS_AVX2},
    {bench_read_avx2_ahead, VSK_NEEDS_AVX2},
    {bench_read_avx512_plain, VSK_NEEDS_AVX512},
    {bench_read_avx512_ahead, VSK_NEEDS_AVX512},
#endif
};

/* ---- one measurement ---- */

typedef struct bench_case {
    const vsk_kernel_row *kernel;
    size_t dim;
    const char *where;
    const unsigned char *q; /* [dim] of the type the kernel takes */
    const unsigned char *rows;
    size_t row_bytes;
    size_t count;
    float *out;        /* [count] twice, or a tile */
    size_t pass_count; /* passes over the rows per measurement */
    size_t queries;    /* of code_dot */
} bench_case;

static int bench_is(const vsk_kernel_row *kernel, const char *prefix)
{
    return strncmp(kernel->operation, prefix, strlen(prefix)) == 0;
}

static int bench_is_code(const vsk_kernel_row *kernel)
{
    return bench_is(kernel, "code_") || bench_is(kernel, "front_") ||
           bench_is(kernel, "checksum") || bench_is(kernel, "rotate") || bench_is(kernel, "encode");
}

static int bench_is_encode_part(const vsk_kernel_row *kernel)
{
    return bench_is(kernel, "code_tail") || bench_is(kernel, "code_planes");
}

/* A bound test: over the terms of rows. */
static int bench_is_pass(const vsk_kernel_row *kernel)
{
    return bench_is(kernel, "code_pass") || bench_is(kernel, "front_pass");
}

/* One row in the encoder's parts: about 2 % of its elements are beyond a clip. */
static float bench_encode_part(const bench_case *run, const float *row)
{
    uint8_t *planes = (uint8_t *)run->out;
    size_t half = run->dim / 2;
    float clips[VSK_CODE_CLIPS];
    double lost[VSK_CODE_CLIPS];
    vsk_code_products products[2];

    if (bench_is(run->kernel, "code_tail")) {
        for (size_t k = 0; k < VSK_CODE_CLIPS; k++) {
            clips[k] = 0.99f + 0.001f * (float)k;
        }
        return ((vsk_code_tail_fn)run->kernel->fn)(row, run->dim, clips, lost);
    }
    for (size_t at = 0; at < half; at += VSK_CODE_PIECE) {
        size_t count = half - at < VSK_CODE_PIECE ? half - at : VSK_CODE_PIECE;
        ((vsk_code_planes_fn)run->kernel->fn)(row + at, row + half + at, count, 128.0f, planes + at,
                                              planes + half + at, products);
    }
    return 0;
}

static void bench_pass_code(const bench_case *run)
{
    const vsk_kernel_row *kernel = run->kernel;
    const float *terms = (const float *)(const void *)run->rows;
    vsk_code_test test = {1.4e-3f, 0, 0.01f, 0.25f, 0.25f, VSK_CODE_SLACK};
    vsk_front_test front = {{-1.0f, 0.0f, 1.2e-4f, 0.0f, 0.0f, 0.0f}};
    uint32_t sum = 0;

    if (bench_is(kernel, "code_dot")) {
        ((vsk_code_dot_fn)kernel->fn)((const int8_t *)run->q, run->dim, run->queries, run->rows,
                                      run->row_bytes, run->count, run->dim,
                                      (int32_t *)(void *)run->out);
    } else if (bench_is(kernel, "code_pass")) {
        sum += (uint32_t)((vsk_code_pass_fn)kernel->fn)(
            &test, (const int32_t *)(const void *)run->rows, terms + run->count,
            terms + 2 * run->count, terms + 3 * run->count, terms + 4 * run->count, run->count,
            (uint16_t *)(void *)run->out);
    } else if (bench_is(kernel, "front_dot")) {
        ((vsk_front_dot_fn)kernel->fn)((const int16_t *)run->q, run->dim, run->queries,
                                       (const int8_t *)run->rows,
                                       run->count - run->count % VSK_FRONT_ROWS, run->dim,
                                       (int32_t *)(void *)run->out, run->count);
    } else if (bench_is(kernel, "front_pass")) {
        sum += (uint32_t)((vsk_front_pass_fn)kernel->fn)(
            &front, (const int32_t *)(const void *)run->rows, terms + run->count,
            terms + 2 * run->count, terms + 3 * run->count, run->count,
            (uint16_t *)(void *)run->out);
    } else if (bench_is(kernel, "checksum_rows")) {
        ((vsk_checksum_rows_fn)kernel->fn)(run->rows, run->row_bytes, run->row_bytes, run->count,
                                           (uint32_t *)(void *)run->out);
        bench_sink = run->out[0];
        return;
    }
    for (size_t i = 0; i < run->count; i++) {
        const unsigned char *row = run->rows + i * run->row_bytes;
        if (bench_is(kernel, "checksum")) {
            sum += ((vsk_checksum_fn)kernel->fn)(row, run->row_bytes);
        } else if (bench_is(kernel, "rotate")) {
            memcpy(run->out, row, run->row_bytes);
            ((vsk_rotate_fn)kernel->fn)(run->out, run->dim);
        } else if (bench_is_encode_part(kernel)) {
            sum += (uint32_t)bench_encode_part(run, (const float *)(const void *)row);
        } else if (bench_is(kernel, "encode")) {
            unsigned char *planes = (unsigned char *)run->out;
            vsk_code_terms out;
            vsk_code_encode((const float *)(const void *)row, run->dim, planes, planes + run->dim,
                            &out);
        } else {
            break;
        }
    }
    bench_sink = (float)sum;
}

static void bench_pass(const bench_case *run)
{
    const vsk_kernel_row *kernel = run->kernel;
    const float *q = (const float *)(const void *)run->q;
    double sum = 0;

    if (bench_is(kernel, "rank_dot_sumsq")) {
        ((vsk_rank2_fn)kernel->fn)(q, run->rows, run->row_bytes, run->count, run->dim, run->out,
                                   run->out + run->count);
    } else if (bench_is(kernel, "rank_")) {
        ((vsk_rank_fn)kernel->fn)(q, run->rows, run->row_bytes, run->count, run->dim, run->out);
    } else if (bench_is(kernel, "tile_")) {
        ((vsk_tile_fn)kernel->fn)(q, run->dim, BENCH_TILE_QUERIES,
                                  (const float *)(const void *)run->rows, run->dim, run->count,
                                  run->dim, run->out);
    } else if (bench_is(kernel, "triple")) {
        for (size_t i = 0; i < run->count; i++) {
            double out[3];
            ((vsk_triple_fn)kernel->fn)(run->q, run->rows + i * run->row_bytes, run->dim, out);
            sum += out[0] + out[1] + out[2];
        }
    } else if (bench_is(kernel, "sumsq")) {
        for (size_t i = 0; i < run->count; i++) {
            sum += ((vsk_one_fn)kernel->fn)(run->rows + i * run->row_bytes, run->dim);
        }
    } else if (bench_is(kernel, "find_")) {
        for (size_t i = 0; i < run->count; i++) {
            sum += (double)((vsk_scan_fn)kernel->fn)(run->rows + i * run->row_bytes, run->dim);
        }
    } else if (bench_is(kernel, "to_") || bench_is(kernel, "from_")) {
        for (size_t i = 0; i < run->count; i++) {
            ((vsk_convert_fn)kernel->fn)(run->rows + i * run->row_bytes, run->out, run->dim);
        }
    } else if (bench_is(kernel, "half_widen")) {
        for (size_t i = 0; i < run->count; i++) {
            ((vsk_half_widen_fn)kernel->fn)(run->rows + i * run->row_bytes, 0.7f, run->out,
                                            run->dim);
        }
    } else {
        for (size_t i = 0; i < run->count; i++) {
            sum += ((vsk_pair_fn)kernel->fn)(run->q, run->rows + i * run->row_bytes, run->dim);
        }
    }
    bench_sink = (float)sum;
}

static double bench_kernel_seconds(const bench_case *run)
{
    double start = bench_now();

    for (size_t pass = 0; pass < run->pass_count; pass++) {
        if (bench_is_code(run->kernel)) {
            bench_pass_code(run);
        } else {
            bench_pass(run);
        }
    }
    return bench_now() - start;
}

static double bench_read_seconds(const bench_case *run, bench_read_fn read)
{
    double start = bench_now();

    for (size_t pass = 0; pass < run->pass_count; pass++) {
        read(run->rows, run->count * run->row_bytes);
    }
    return bench_now() - start;
}

static bench_read_fn bench_fastest_read(const bench_case *run)
{
    bench_read_fn fastest = NULL;
    double best = 0;

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof bench_reads / sizeof bench_reads[0]; i++) {
            if ((bench_reads[i].needs & ~vsk_cpu_features()) == 0) {
                double seconds = bench_read_seconds(run, bench_reads[i].fn);
                if (fastest == NULL || seconds < best) {
                    fastest = bench_reads[i].fn;
                    best = seconds;
                }
            }
        }
    }
    return fastest;
}

static int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void bench_measure(const bench_case *run)
{
    int is_tile = bench_is(run->kernel, "tile_");
    bench_read_fn read = is_tile ? NULL : bench_fastest_read(run);
    double ratios[BENCH_ROUNDS];
    double best = 0;

    for (int round = 0; round < BENCH_ROUNDS; round++) {
        double floor_seconds = is_tile ? 0 : bench_read_seconds(run, read);
        double seconds = bench_kernel_seconds(run);
        best = round == 0 || seconds < best ? seconds : best;
        ratios[round] = floor_seconds / seconds;
    }
    qsort(ratios, BENCH_ROUNDS, sizeof ratios[0], bench_compare);

    const char *type = vsk_type_name(run->kernel->type);
    double passes = (double)run->pass_count;
    printf(
        "{\"bench\":\"kernels\",\"level\":\"%s\",\"operation\":\"%s\",\"type\":\"%s\",\"dim\":%zu,"
        "\"count\":%zu,\"where\":\"%s\",",
        run->kernel->level, run->kernel->operation, type, run->dim, run->count, run->where);
    if (is_tile) {
        double pairs = (double)(BENCH_TILE_QUERIES * run->count) * passes;
        double flops = bench_is(run->kernel, "tile_dot") ? 2 : 3;
        printf("\"gflop_per_s\":%.1f}\n", 1e-9 * flops * pairs * (double)run->dim / best);
    } else {
        double bytes = (double)(run->count * run->row_bytes) * passes;
        if (bench_is_code(run->kernel)) {
            double pairs = (double)(run->queries * run->count) * passes;
            printf("\"queries\":%zu,\"ns_per_row\":%.2f,", run->queries, 1e9 * best / pairs);
        }
        printf("\"gb_per_s\":%.2f,\"ratio_to_read\":%.3f}\n", 1e-9 * bytes / best,
               ratios[BENCH_ROUNDS / 2]);
    }
    fflush(stdout);
}

/* ---- what to measure ---- */

/* Finite elements about 1 in every type. */
static void bench_fill(vsk_type type, unsigned char *out, size_t bytes)
{
    static const unsigned char upper[VSK_TYPE_COUNT] = {0x3f, 0x3c, 0x3f, 0x11, 0xa5};
    size_t element = type == VSK_F32 ? 4 : type == VSK_F16 || type == VSK_BF16 ? 2 : 1;

    for (size_t i = 0; i < bytes; i++) {
        out[i] =
            (unsigned char)(element > 1 && i % element == element - 1 ? upper[type] : i * 37 % 127);
    }
}

static size_t bench_row_bytes(const vsk_kernel_row *kernel, size_t dim)
{
    if (bench_is(kernel, "code_dot")) {
        return dim / 2;
    }
    if (bench_is(kernel, "front_dot")) {
        return dim;
    }
    if (bench_is_pass(kernel)) {
        return BENCH_PASS_ARRAYS * sizeof(float);
    }
    if (bench_is_code(kernel)) {
        return dim * sizeof(float);
    }
    return vsk_bytes(bench_is(kernel, "from_") ? VSK_F32 : kernel->type, dim);
}

/* With the test of bench_pass_code, about one row in 25 stays. */
static void bench_fill_pass(unsigned char *memory, size_t count)
{
    int32_t *dots = (int32_t *)(void *)memory;
    float *terms = (float *)(void *)memory;
    uint32_t random = 2024;

    for (size_t i = 0; i < count; i++) {
        random = random * 1103515245u + 12345u;
        dots[i] = (int32_t)(random >> 16) % 32768 * (random >> 15 & 1 ? 1 : -1) / 4;
        terms[count + i] = 0.02f;
        terms[2 * count + i] = 0.994f;
        terms[3 * count + i] = 0.109f;
        terms[4 * count + i] = 0.7f;
    }
}

static void bench_one(const vsk_kernel_row *kernel, size_t dim, const char *where, size_t queries,
                      unsigned char *memory, float *out)
{
    static _Alignas(64) unsigned char q[BENCH_TILE_QUERIES * 4 * 4096];
    size_t bytes = strcmp(where, "ram") == 0 ? (size_t)BENCH_RAM_BYTES : (size_t)BENCH_L2_BYTES;
    size_t row_bytes = bench_row_bytes(kernel, dim);
    vsk_type row_type = bench_is(kernel, "from_") ? VSK_F32 : kernel->type;
    int has_f32_query = bench_is(kernel, "rank_") || bench_is(kernel, "tile_");
    bench_case run = {kernel, dim, where, q, memory, row_bytes, bytes / row_bytes, out, 1, queries};

    if (bench_is(kernel, "tile_")) {
        run.count = BENCH_TILE_ROWS;
    }
    if (bytes == BENCH_L2_BYTES) {
        run.pass_count = 100;
    }
    bench_fill(has_f32_query ? VSK_F32 : kernel->type, q, sizeof q);
    bench_fill(bench_is(kernel, "checksum") ? VSK_I8 : row_type, memory, run.count * row_bytes);
    if (bench_is_pass(kernel)) {
        run.count = BENCH_PASS_ROWS;
        bench_fill_pass(memory, run.count);
    }
    bench_measure(&run);
}

static int bench_wanted(int argc, char **argv, const char *key, const char *value)
{
    size_t key_length = strlen(key);

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], key, key_length) == 0 && argv[i][key_length] == '=' &&
            strcmp(argv[i] + key_length + 1, value) != 0) {
            return 0;
        }
    }
    return 1;
}

/* One kernel, where it makes sense and was asked for. */
static void bench_kernel(const vsk_kernel_row *kernel, size_t dim, const char *where, int argc,
                         char **argv, unsigned char *memory, float *out)
{
    int is_small = bench_is(kernel, "tile_") || bench_is_pass(kernel) ||
                   bench_is(kernel, "rotate") || bench_is(kernel, "encode") ||
                   bench_is_encode_part(kernel);
    int is_ram = strcmp(where, "ram") == 0;
    char dim_text[24];

    snprintf(dim_text, sizeof dim_text, "%zu", dim);
    if ((kernel->needs & ~vsk_cpu_features()) != 0 || (is_small && is_ram) ||
        (bench_is_pass(kernel) && dim != BENCH_PASS_DIM) ||
        (bench_is(kernel, "front_dot") && dim > VSK_FRONT_MAX) ||
        !bench_wanted(argc, argv, "level", kernel->level) ||
        !bench_wanted(argc, argv, "operation", kernel->operation) ||
        !bench_wanted(argc, argv, "type", vsk_type_name(kernel->type)) ||
        !bench_wanted(argc, argv, "dim", dim_text) || !bench_wanted(argc, argv, "where", where)) {
        return;
    }
    bench_one(kernel, dim, where, 1, memory, out);
    if ((bench_is(kernel, "code_dot") || bench_is(kernel, "front_dot")) && !is_ram) {
        bench_one(kernel, dim, where, BENCH_CODE_QUERIES, memory, out);
    }
}

int main(int argc, char **argv)
{
    static const size_t dims[] = {128, 384, 768};
    static const char *const places[] = {"ram", "l2"};
    size_t kernel_count;
    const vsk_kernel_row *kernels = vsk_kernel_rows(&kernel_count);
    unsigned char *memory = aligned_alloc(64, BENCH_RAM_BYTES); /* to lines of the cache */
    float *out = malloc(BENCH_RAM_BYTES); /* bit vectors of 128 make two floats per 16 bytes */

    if (memory == NULL || out == NULL || vsk_init(NULL) != 0) {
        fputs("bench_kernels: out of memory\n", stderr);
        return 1;
    }
    vsk_kernel_row encoder = {"encode", VSK_F32, vsk_level_name(vsk_level_in_use()), 0, 0, NULL};
    for (size_t i = 0; i < (kernel_count + 1) * 6; i++) {
        const vsk_kernel_row *kernel = i / 6 < kernel_count ? &kernels[i / 6] : &encoder;
        bench_kernel(kernel, dims[i % 3], places[i / 3 % 2], argc, argv, memory, out);
    }
    free(memory);
    free(out);
    return 0;
}
