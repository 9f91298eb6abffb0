/*
 * check_kernels.c - counts the instructions of every kernel this CPU has, under callgrind. check.sh
 * runs it and compares.
 *
 *     valgrind --tool=callgrind check_kernels [level.operation.type]
 *
 * Each kernel runs on the same input; between two kernels the counters are written out and cleared,
 * so that one run of valgrind gives one total per kernel. The kernel named on the command line runs
 * twice: that is how check.sh proves that it would notice. Without valgrind the program does
 * nothing visible. Valgrind has no AVX-512, and the CPU it shows to programs has none either.
 */
#include <stdio.h>
#include <string.h>

#include <valgrind/callgrind.h>

#include "../kernels/vsk_impl.h"

enum {
    CHECK_DIM = 4109, /* whole blocks and a rest, at every width */
    CHECK_BITS = 4104,
    CHECK_ROWS = 10, /* whole groups of rows and a rest */
    CHECK_QUERIES = 7,
    CHECK_CODE = 832,  /* elements of a code: two windows, and a rest of a step */
    CHECK_PIECE = 224, /* bytes of two planes */
    CHECK_PASS = 1003,
    CHECK_FRONT = 128, /* directions of a front plane, and its rows */
    CHECK_FRONT_ROWS = 16,
    CHECK_FRONT_QUERIES = 9
};

static unsigned char check_a[CHECK_QUERIES * CHECK_DIM * 4];
static unsigned char check_b[CHECK_ROWS * CHECK_DIM * 4];
static float check_out[2 * CHECK_DIM];

/* Elements about 1 in every type, so that no path for NaN or denormal numbers is taken. */
static void check_fill(vsk_type type, unsigned char *out, size_t bytes)
{
    size_t element = type == VSK_BIT ? 1 : vsk_element_bytes(type);
    unsigned random = 2024;

    for (size_t i = 0; i < bytes; i++) {
        random = random * 1103515245u + 12345u;
        out[i] = (unsigned char)(random >> 16);
        if (element > 1 && i % element == element - 1) {
            out[i] = (unsigned char)((out[i] & 0x80) | 0x3b);
        }
    }
}

static void check_run(const vsk_kernel_row *kernel)
{
    const char *operation = kernel->operation;
    const float *q = (const float *)(const void *)check_a;
    double triple[3];

    if (strcmp(operation, "rank_dot_sumsq") == 0) {
        ((vsk_rank2_fn)kernel->fn)(q, check_b, vsk_bytes(kernel->type, CHECK_DIM), CHECK_ROWS,
                                   CHECK_DIM, check_out, check_out + CHECK_ROWS);
    } else if (strncmp(operation, "rank_", 5) == 0) {
        ((vsk_rank_fn)kernel->fn)(q, check_b, vsk_bytes(kernel->type, CHECK_DIM), CHECK_ROWS,
                                  CHECK_DIM, check_out);
    } else if (strncmp(operation, "tile_", 5) == 0) {
        ((vsk_tile_fn)kernel->fn)(q, CHECK_DIM, CHECK_QUERIES, (const float *)(const void *)check_b,
                                  CHECK_DIM, CHECK_ROWS, CHECK_DIM, check_out);
    } else if (strcmp(operation, "triple") == 0) {
        ((vsk_triple_fn)kernel->fn)(check_a, check_b, CHECK_DIM, triple);
    } else if (strcmp(operation, "sumsq") == 0) {
        ((vsk_one_fn)kernel->fn)(check_a, CHECK_DIM);
    } else if (strcmp(operation, "find_nonfinite") == 0) {
        ((vsk_scan_fn)kernel->fn)(check_a, CHECK_DIM);
    } else if (strstr(operation, "float32") != NULL) {
        ((vsk_convert_fn)kernel->fn)(check_a, check_out, CHECK_DIM);
    } else {
        ((vsk_pair_fn)kernel->fn)(check_a, check_b,
                                  kernel->type == VSK_BIT ? (size_t)CHECK_BITS : (size_t)CHECK_DIM);
    }
}

static void check_run_rotate(const vsk_kernel_row *kernel)
{
    ((vsk_rotate_fn)kernel->fn)((float *)(void *)check_a, CHECK_CODE);
}

/* Few elements are beyond a clip, as in a code. */
static void check_run_code_tail(const vsk_kernel_row *kernel)
{
    static float clips[VSK_CODE_CLIPS];
    double lost[VSK_CODE_CLIPS];

    for (size_t k = 0; k < VSK_CODE_CLIPS; k++) {
        clips[k] = 0.0077f + 0.0001f * (float)k;
    }
    ((vsk_code_tail_fn)kernel->fn)((const float *)(const void *)check_a, CHECK_CODE, clips, lost);
}

static void check_run_code_planes(const vsk_kernel_row *kernel)
{
    const float *v = (const float *)(const void *)check_a;
    uint8_t *planes = (uint8_t *)check_out;
    vsk_code_products products[2];

    ((vsk_code_planes_fn)kernel->fn)(v, v + CHECK_PIECE, CHECK_PIECE, 20000.0f, planes,
                                     planes + CHECK_PIECE, products);
}

static void check_run_code_dot(const vsk_kernel_row *kernel)
{
    ((vsk_code_dot_fn)kernel->fn)((const int8_t *)check_a, CHECK_CODE, CHECK_QUERIES, check_b,
                                  CHECK_CODE / 2, CHECK_ROWS, CHECK_CODE,
                                  (int32_t *)(void *)check_out);
}

static void check_run_code_pass(const vsk_kernel_row *kernel)
{
    static const vsk_code_test test = {1e-4f, 0, 0.01f, 0.25f, 0.25f, VSK_CODE_SLACK};
    static const int32_t dots[CHECK_PASS];
    const float *terms = (const float *)(const void *)check_b;

    ((vsk_code_pass_fn)kernel->fn)(&test, dots, terms, terms + CHECK_PASS, terms + 2 * CHECK_PASS,
                                   terms + 3 * CHECK_PASS, CHECK_PASS,
                                   (uint16_t *)(void *)check_out);
}

static void check_run_front_dot(const vsk_kernel_row *kernel)
{
    ((vsk_front_dot_fn)kernel->fn)((const int16_t *)(const void *)check_a, CHECK_FRONT,
                                   CHECK_FRONT_QUERIES, (const int8_t *)check_b, CHECK_FRONT_ROWS,
                                   CHECK_FRONT, (int32_t *)(void *)check_out, CHECK_FRONT_ROWS);
}

static void check_run_front_pass(const vsk_kernel_row *kernel)
{
    static const vsk_front_test test = {{-1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f}};
    static const int32_t dots[CHECK_PASS];
    const float *terms = (const float *)(const void *)check_b;

    ((vsk_front_pass_fn)kernel->fn)(&test, dots, terms, terms + CHECK_PASS, terms + 2 * CHECK_PASS,
                                    CHECK_PASS, (uint16_t *)(void *)check_out);
}

static void check_run_half_widen(const vsk_kernel_row *kernel)
{
    ((vsk_half_widen_fn)kernel->fn)(check_a, 0.7f, check_out, CHECK_DIM);
}

static void check_run_checksum(const vsk_kernel_row *kernel)
{
    ((vsk_checksum_fn)kernel->fn)(check_a, sizeof check_a);
}

static void check_run_checksum_rows(const vsk_kernel_row *kernel)
{
    uint32_t sums[4];
    ((vsk_checksum_rows_fn)kernel->fn)(check_a, sizeof check_a / 4, sizeof check_a / 4, 4, sums);
}

/* Chosen before the counting starts, so that the choice is not counted. */
typedef void (*check_run_fn)(const vsk_kernel_row *kernel);
static check_run_fn check_runner(const vsk_kernel_row *kernel)
{
    static const struct {
        const char *operation;
        check_run_fn run;
    } codes[] = {{"rotate", check_run_rotate},
                 {"code_tail", check_run_code_tail},
                 {"code_planes", check_run_code_planes},
                 {"code_dot", check_run_code_dot},
                 {"code_pass", check_run_code_pass},
                 {"checksum", check_run_checksum},
                 {"checksum_rows", check_run_checksum_rows},
                 {"front_dot", check_run_front_dot},
                 {"front_pass", check_run_front_pass},
                 {"half_widen", check_run_half_widen}};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(kernel->operation, codes[i].operation) == 0) {
            return codes[i].run;
        }
    }
    return check_run;
}

int main(int argc, char **argv)
{
    size_t count;
    const vsk_kernel_row *kernels = vsk_kernel_rows(&count);

    for (size_t i = 0; i < count; i++) {
        const vsk_kernel_row *kernel = &kernels[i];
        const char *type = vsk_type_name(kernel->type);
        char name[100];
        if ((kernel->needs & ~vsk_cpu_features()) != 0) {
            continue;
        }
        snprintf(name, sizeof name, "%s.%s.%s", kernel->level, kernel->operation, type);
        int is_narrowing = strcmp(kernel->operation, "from_float32") == 0;
        int has_f32_query = strncmp(kernel->operation, "rank_", 5) == 0;
        check_fill(is_narrowing || has_f32_query ? VSK_F32 : kernel->type, check_a, sizeof check_a);
        check_fill(is_narrowing ? VSK_F32 : kernel->type, check_b, sizeof check_b);
        check_run_fn run_kernel = check_runner(kernel);
        run_kernel(kernel); /* so that the dynamic linker has done its part */

        int runs = argc > 1 && strcmp(argv[1], name) == 0 ? 2 : 1;
        CALLGRIND_ZERO_STATS;
        for (int run = 0; run < runs; run++) {
            run_kernel(kernel);
        }
        CALLGRIND_DUMP_STATS_AT(name);
    }
    return 0;
}
