/*
 * kernels.h - all programs, and how one is started: which, with how many blocks, how much shared
 * memory.
 *
 * Whoever starts kernels instantiates VSG_PROGRAMS(X) once: X(name, field, threads, blocks, state)
 * stands for the program vsg_<name>_program over args-><field> with vsg_<state> states; nvcc should
 * be told that `blocks` of them are to fit on a multiprocessor. A launch asks vsg_plan_launch for
 * the program's number (VSG_PROGRAM_<name>) and its shape. Programs may need VSG_SHARED_MAX bytes of
 * dynamic shared memory, which is more than a device gives without being asked
 * (cudaFuncAttributeMaxDynamicSharedMemorySize).
 */
#ifndef VSG_KERNELS_H
#define VSG_KERNELS_H

#include "convert.h"
#include "finish.h"
#include "matrix.h"
#include "scan.h"
#include "select.h"

#define VSG_SHARED_MAX (58u * 1024u)
#define VSG_THREADS_MAX 256

#define VSG_PROGRAMS(X)                                                                            \
    X(convert, convert, VSG_CONVERT_THREADS, 8, no_state)                                          \
    X(scan_f16_1, scan, VSG_SCAN_THREADS, VSG_SCAN_BLOCKS, scan_state)                             \
    X(scan_f16_2, scan, VSG_SCAN_THREADS, VSG_SCAN_BLOCKS, scan_state)                             \
    X(scan_f16_4, scan, VSG_SCAN_THREADS, VSG_SCAN_BLOCKS_WIDE, scan_state)                        \
    X(scan_f16_8, scan, VSG_SCAN_THREADS, VSG_SCAN_BLOCKS_WIDE, scan_state)                        \
    X(scan_i8_1, scan, VSG_SCAN_THREADS, VSG_SCAN_BLOCKS, scan_state)                              \
    X(scan_i8_2, scan, VSG_SCAN_THREADS, VSG_SCAN_BLOCKS, scan_state)                              \
    X(scan_i8_4, scan, VSG_SCAN_THREADS, VSG_SCAN_BLOCKS_WIDE, scan_state)                         \
    X(scan_i8_8, scan, VSG_SCAN_THREADS, VSG_SCAN_BLOCKS_WIDE, scan_state)                         \
    X(matrix_f16_64, scan, VSG_MATRIX_THREADS, 3, matrix_state)                                    \
    X(matrix_f16_128, scan, VSG_MATRIX_THREADS, 2, matrix_state)                                   \
    X(matrix_i8_64, scan, VSG_MATRIX_THREADS, 3, matrix_state)                                     \
    X(matrix_i8_128, scan, VSG_MATRIX_THREADS, 2, matrix_state)                                    \
    X(select, select, VSG_SELECT_THREADS, 2, select_state)                                         \
    X(finish, finish, VSG_FINISH_THREADS, 2, finish_state)

#define VSG_PROGRAM_NUMBER(name, field, threads, blocks, state) VSG_PROGRAM_##name,
typedef enum vsg_program { VSG_PROGRAMS(VSG_PROGRAM_NUMBER) VSG_PROGRAM_COUNT } vsg_program;
#undef VSG_PROGRAM_NUMBER

typedef struct vsg_launch_shape {
    vsg_program program;
    uint32_t threads;
    uint32_t blocks;       /* 0: there is nothing to do, nothing must be launched */
    uint32_t shared_bytes; /* dynamic */
} vsg_launch_shape;

/* At most 2^31 - 1 blocks, which is what a device takes; more are not needed within the limits of
 * vsg.h, since a search visits at most 2^32 / VSG_TILE_ROWS tiles. */
static inline uint32_t vsg_plan_blocks(uint64_t blocks)
{
    return blocks < 0x7fffffffu ? (uint32_t)blocks : 0x7fffffffu;
}

static inline vsg_launch_shape vsg_plan_scan(const vsg_scan_args *args, uint32_t multiprocessors)
{
    static const uint8_t programs[2][4] = {{VSG_PROGRAM_scan_f16_1, VSG_PROGRAM_scan_f16_2,
                                            VSG_PROGRAM_scan_f16_4, VSG_PROGRAM_scan_f16_8},
                                           {VSG_PROGRAM_scan_i8_1, VSG_PROGRAM_scan_i8_2,
                                            VSG_PROGRAM_scan_i8_4, VSG_PROGRAM_scan_i8_8}};
    const uint32_t queries = vsg_scan_width(args, VSG_SHARED_MAX);
    const uint32_t groups = (args->query_count + queries - 1) / queries;
    const uint32_t which = queries == 8 ? 3 : queries / 2;
    uint64_t blocks =
        groups > 0 ? (uint64_t)multiprocessors * vsg_scan_blocks(queries) / groups : 0;
    vsg_launch_shape shape;

    blocks = blocks > 0 ? blocks : 1;
    blocks = blocks < args->visit_count ? blocks : args->visit_count;
    shape.program = (vsg_program)programs[args->rows.format == VSG_I8][which];
    shape.threads = VSG_SCAN_THREADS;
    shape.blocks = vsg_plan_blocks(blocks * groups);
    shape.shared_bytes = vsg_scan_shared(queries, args->rows.layout.elements);
    return shape;
}

static inline vsg_launch_shape vsg_plan_matrix(const vsg_scan_args *args)
{
    const uint32_t queries = vsg_matrix_width(args->found.query_count);
    const uint64_t groups = (args->found.query_count + queries - 1) / queries;
    const int is_wide = queries == VSG_MATRIX_QUERIES;
    vsg_launch_shape shape;

    if (args->rows.format == VSG_F16) {
        shape.program = is_wide ? VSG_PROGRAM_matrix_f16_128 : VSG_PROGRAM_matrix_f16_64;
    } else {
        shape.program = is_wide ? VSG_PROGRAM_matrix_i8_128 : VSG_PROGRAM_matrix_i8_64;
    }
    shape.threads = VSG_MATRIX_THREADS;
    shape.blocks = vsg_plan_blocks(groups * args->visit_count);
    shape.shared_bytes = vsg_matrix_shared(queries, args->rows.format);
    return shape;
}

/* How `kernel` is started for these arguments on a device with so many multiprocessors. */
static inline vsg_launch_shape vsg_plan_launch(vsg_kernel kernel, const vsg_args *args,
                                               uint32_t multiprocessors)
{
    vsg_launch_shape shape;

    switch (kernel) {
    case VSG_SCAN:
        return vsg_plan_scan(&args->scan, multiprocessors);
    case VSG_MATRIX:
        return vsg_plan_matrix(&args->scan);
    case VSG_CONVERT:
        shape.program = VSG_PROGRAM_convert;
        shape.threads = VSG_CONVERT_THREADS;
        shape.blocks = args->convert.rows;
        shape.shared_bytes = vsg_convert_memory(args->convert.layout.elements);
        return shape;
    case VSG_SELECT:
        shape.program = VSG_PROGRAM_select;
        shape.threads = VSG_SELECT_THREADS;
        shape.blocks = args->select.found.query_count;
        shape.shared_bytes = (uint32_t)sizeof(vsg_select_shared);
        return shape;
    default:
        shape.program = VSG_PROGRAM_finish;
        shape.threads = VSG_FINISH_THREADS;
        shape.blocks = args->finish.found.query_count;
        shape.shared_bytes = (uint32_t)sizeof(vsg_finish_shared);
        return shape;
    }
}

#endif
