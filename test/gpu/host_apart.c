/*
 * host_apart.c - the programs of kernels/cuda with each thread on a stack of its own, switched at
 * barriers alone and in random order: what runs ahead of a missing barrier is seen in the results.
 */
#include "host_run.h"

#include <stdlib.h>
#include <ucontext.h>

#define VSG_FIBERS
#include "kernels/cuda/kernels.h"

#if defined(__SANITIZE_ADDRESS__)
#define HOST_APART_ABSENT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HOST_APART_ABSENT 1
#endif
#endif

#define HOST_STACK 65536u
#define HOST_COPIES 64 /* of a thread */

typedef enum host_wait { HOST_RUNS, HOST_AT_BARRIER, HOST_AT_WARP, HOST_ENDED } host_wait;

typedef struct host_thread {
    ucontext_t context;
    host_wait wait;
    vsg_block block;
    vsg_host_copy copies[HOST_COPIES];
} host_thread;

typedef struct host_apart {
    ucontext_t scheduler;
    host_thread threads[VSG_THREADS_MAX];
    host_thread *current;
    uint8_t *stacks, *shared;
    void *states;
    const vsg_args *args;
    vsg_launch_shape shape;
} host_apart;

/* What is under way; the functions that a context begins with have no argument. */
static host_apart *host_now;

#define HOST_RUN(name, field, thread_count, blocks, state)                                         \
    static void host_apart_##name(vsg_block *block)                                                \
    {                                                                                              \
        vsg_##name##_program(&host_now->args->field, block, host_now->shared, host_now->states);   \
    }
VSG_PROGRAMS(HOST_RUN)

typedef struct host_program {
    void (*run)(vsg_block *block);
    size_t state_bytes;
} host_program;

#define HOST_PROGRAM(name, field, threads, blocks, state) {host_apart_##name, sizeof(vsg_##state)},
static const host_program host_programs[] = {VSG_PROGRAMS(HOST_PROGRAM)};

static void host_wait_for(host_wait wait)
{
    host_thread *thread = host_now->current;
    thread->wait = wait;
    swapcontext(&thread->context, &host_now->scheduler);
}

void vsg_fiber_barrier(void)
{
    host_wait_for(HOST_AT_BARRIER);
}

void vsg_fiber_warp_barrier(void)
{
    host_wait_for(HOST_AT_WARP);
}

static void host_begin(void)
{
    host_programs[host_now->shape.program].run(&host_now->current->block);
    host_wait_for(HOST_ENDED);
}

/* Lets threads first .. first + count - 1 go on when all of them wait for the same. */
static uint32_t host_release(host_apart *run, uint32_t first, uint32_t count, host_wait wait)
{
    for (uint32_t i = first; i < first + count; i++) {
        if (run->threads[i].wait != wait) {
            return 0;
        }
    }
    for (uint32_t i = first; i < first + count; i++) {
        run->threads[i].wait = HOST_RUNS;
    }
    return count;
}

/* One turn of all threads that can run, each until it waits. Returns how many there were. */
static uint32_t host_turn(host_apart *run, uint64_t *seed)
{
    const uint32_t threads = run->shape.threads;
    const uint32_t factor = (uint32_t)(vsg_host_random(seed) >> 40) | 1u;
    const uint32_t offset = (uint32_t)(vsg_host_random(seed) >> 40);
    const uint64_t warps = vsg_host_random(seed) >> 20;
    uint32_t count = 0;

    for (uint32_t i = 0; i < threads; i++) {
        const uint32_t number = (i * factor + offset) & (threads - 1);
        host_thread *thread = &run->threads[number];
        /* Half of the warps and some threads are left behind, and others come further. */
        if (thread->wait == HOST_RUNS && (warps >> number / VSG_WARP & 1) &&
            vsg_host_random(seed) >> 59 != 0) {
            run->current = thread;
            swapcontext(&run->scheduler, &thread->context);
        }
        count += thread->wait == HOST_RUNS ? 1 : 0;
    }
    for (uint32_t i = 0; i < threads; i += VSG_WARP) {
        count += host_release(run, i, VSG_WARP, HOST_AT_WARP);
    }
    return count + host_release(run, 0, threads, HOST_AT_BARRIER);
}

static int host_block(host_apart *run, uint32_t index, uint64_t *seed)
{
    const uint32_t threads = run->shape.threads;

    memset(run->shared, 0xff, run->shape.shared_bytes);
    for (uint32_t i = 0; i < threads; i++) {
        host_thread *thread = &run->threads[i];
        memset(thread, 0, sizeof *thread);
        getcontext(&thread->context);
        thread->context.uc_stack.ss_sp = run->stacks + (size_t)i * HOST_STACK;
        thread->context.uc_stack.ss_size = HOST_STACK;
        makecontext(&thread->context, host_begin, 0);
        thread->block.index = index;
        thread->block.count = run->shape.blocks;
        thread->block.threads = threads;
        thread->block.thread = i;
        thread->block.copies = thread->copies;
        thread->block.copy_room = HOST_COPIES;
    }
    while (host_turn(run, seed) > 0) {
    }
    return host_release(run, 0, threads, HOST_ENDED) > 0;
}

static int host_apart_launch(uint64_t *seed, vsg_kernel kernel, const vsg_args *args)
{
    host_apart *run = malloc(sizeof *run);
    int rc = VSG_DEAD;

    if (!run) {
        return rc;
    }
    run->args = args;
    run->shape = vsg_plan_launch(kernel, args, 0); /* as few blocks as it takes */
    run->stacks = malloc((size_t)HOST_STACK * run->shape.threads);
    run->states = malloc(run->shape.threads * host_programs[run->shape.program].state_bytes);
    run->shared = aligned_alloc(128, (run->shape.shared_bytes + 127) / 128 * 128);
    if (run->stacks && run->states && run->shared) {
        int is_done = 1;
        memset(run->states, 0xff,
               run->shape.threads * host_programs[run->shape.program].state_bytes);
        host_now = run;
        for (uint32_t i = 0; is_done && i < run->shape.blocks; i++) {
            is_done = host_block(run, i, seed);
        }
        host_now = NULL;
        rc = is_done ? VSG_OK : VSG_DEAD;
    }
    free(run->shared);
    free(run->states);
    free(run->stacks);
    free(run);
    return rc;
}

int vsg_host_launch_apart(uint64_t *seed, vsg_kernel kernel, const vsg_args *args)
{
#ifdef HOST_APART_ABSENT
    (void)host_apart_launch;
    (void)seed;
    (void)kernel;
    (void)args;
    return VSG_ABSENT;
#else
    return host_apart_launch(seed, kernel, args);
#endif
}
