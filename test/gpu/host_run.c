/*
 * host_run.c - the programs of kernels/cuda as loops over blocks and threads.
 */
#include "host_run.h"

#include <stdlib.h>

#include "kernels/cuda/kernels.h"

#define HOST_MULTIPROCESSORS 3
#define HOST_ALIGN 128u
#define HOST_COPIES 8192 /* asynchronous copies of a block that are under way at once, at most */

typedef struct host_run {
    vsg_block block;
    uint8_t *shared;
    void *states;
} host_run;

#define HOST_RUN(name, field, thread_count, blocks, state)                                         \
    static void host_run_##name(const vsg_args *args, host_run *run)                               \
    {                                                                                              \
        vsg_##name##_program(&args->field, &run->block, run->shared, run->states);                 \
    }
VSG_PROGRAMS(HOST_RUN)

typedef struct host_program {
    void (*run)(const vsg_args *args, host_run *run);
    size_t state_bytes;
} host_program;

#define HOST_PROGRAM(name, field, threads, blocks, state) {host_run_##name, sizeof(vsg_##state)},
static const host_program host_programs[] = {VSG_PROGRAMS(HOST_PROGRAM)};

static void host_order(vsg_block *block)
{
    for (uint32_t i = 0; i < block->threads; i++) {
        block->order[i] = (uint16_t)i;
    }
    for (uint32_t i = block->threads - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(vsg_host_random(&block->seed) >> 32) % (i + 1);
        uint16_t swapped = block->order[i];
        block->order[i] = block->order[j];
        block->order[j] = swapped;
    }
}

static void host_blocks(const vsg_launch_shape *shape, const vsg_args *args, host_run *run)
{
    const uint32_t first = (uint32_t)(vsg_host_random(&run->block.seed) >> 32) % shape->blocks;

    for (uint32_t i = 0; i < shape->blocks; i++) {
        run->block.index = (uint32_t)(((uint64_t)first + i) % shape->blocks);
        run->block.copy_first = 0;
        run->block.copy_count = 0;
        run->block.copy_group = 0;
        memset(run->shared, 0xff, shape->shared_bytes); /* NaN */
        host_programs[shape->program].run(args, run);
    }
}

int vsg_host_launch(uint64_t *seed, vsg_kernel kernel, const vsg_args *args)
{
    const vsg_launch_shape shape = vsg_plan_launch(kernel, args, HOST_MULTIPROCESSORS);
    uint16_t order[VSG_THREADS_MAX];
    host_run run;
    void *memory = malloc(shape.shared_bytes + HOST_ALIGN);
    int rc = VSG_DEAD;

    memset(&run, 0, sizeof run);
    run.states = malloc(shape.threads * host_programs[shape.program].state_bytes);
    run.block.copies = malloc(HOST_COPIES * sizeof *run.block.copies);
    if (memory && run.states && run.block.copies) {
        /* The end of shared memory is the end of the allocation, where a sanitizer looks. */
        uintptr_t end = (uintptr_t)memory + shape.shared_bytes + HOST_ALIGN;
        run.shared = (uint8_t *)memory +
                     ((end - shape.shared_bytes) / HOST_ALIGN * HOST_ALIGN - (uintptr_t)memory);
        run.block.seed = *seed;
        run.block.threads = shape.threads;
        run.block.count = shape.blocks;
        run.block.order = order;
        run.block.copy_room = HOST_COPIES;
        host_order(&run.block);
        memset(run.states, 0xff, shape.threads * host_programs[shape.program].state_bytes);
        if (shape.blocks > 0) {
            host_blocks(&shape, args, &run);
        }
        *seed = run.block.seed;
        rc = VSG_OK;
    }
    free(run.block.copies);
    free(run.states);
    free(memory);
    return rc;
}
