/*
 * finish.h - VSG_FINISH: the survivors of all queries, packed, with canonical sums.
 *
 * One block of VSG_FINISH_THREADS threads for each query. It takes a range of the output, copies its
 * entries, and where vectors are kept computes what kernels/vsk.h defines: 16 lanes in double
 * precision, element i in lane i mod 16, then the fold over 8, 4, 2, 1 lanes; so each entry is
 * computed by 16 threads, and the bits are those of every other machine.
 *
 * Shared memory: vsg_finish_shared. Barriers: one after the range is taken.
 */
#ifndef VSG_FINISH_H
#define VSG_FINISH_H

#include "convert.h"
#include "select.h"

#define VSG_FINISH_THREADS 256
#define VSG_FINISH_LANES 16

typedef struct vsg_finish_shared {
    uint32_t first, count;
} vsg_finish_shared;

typedef struct vsg_finish_state {
    double sum, sumsq;
} vsg_finish_state;

/* Phase, of thread 0. */
VSG_FN void vsg_finish_take(const vsg_finish_args *args, uint32_t query, vsg_finish_shared *shared)
{
    const uint32_t count = args->found.counts[query];

    shared->count = 0;
    shared->first = 0;
    args->out_first[query] = 0;
    args->out_count[query] = VSG_FINISH_LOST;
    if (args->found.lost[query] != 0 || count > args->found.capacity) {
        return;
    }
    shared->first = vsg_atomic_add(args->out_next, count);
    if ((uint64_t)shared->first + count > args->out_capacity) {
        return;
    }
    shared->count = count;
    args->out_first[query] = shared->first;
    args->out_count[query] = count;
}

VSG_FN void vsg_finish_copy(const vsg_finish_args *args, uint32_t query,
                            const vsg_finish_shared *shared, uint32_t thread)
{
    const uint64_t from = (uint64_t)query * args->found.capacity;

    for (uint32_t i = thread; i < shared->count; i += VSG_FINISH_THREADS) {
        args->out_rows[shared->first + i] = args->found.entry_rows[from + i];
        args->out_lows[shared->first + i] = args->found.entry_lows[from + i];
    }
}

/* Phase: one lane of the sums of entry `i`. */
VSG_FN void vsg_finish_multiply(const vsg_finish_args *args, uint32_t query, uint32_t i,
                                uint32_t count, uint32_t thread, vsg_finish_state *state)
{
    const vsg_layout *layout = &args->rows.layout;
    const uint8_t *q = args->queries + (uint64_t)query * layout->vector_stride;
    double sum = 0, sumsq = 0;

    if (i < count) {
        const uint32_t row = args->found.entry_rows[(uint64_t)query * args->found.capacity + i];
        const uint32_t segment = row / args->rows.segment_rows;
        const uint64_t in_segment = row - segment * args->rows.segment_rows;
        const uint8_t *x =
            args->rows.segments[segment] + layout->vectors_at + in_segment * layout->vector_stride;
        for (uint32_t e = thread % VSG_FINISH_LANES; e < layout->dim; e += VSG_FINISH_LANES) {
            const double a = (double)vsg_element(q, args->type, e);
            const double b = (double)vsg_element(x, args->type, e);
            if (args->rows.metric == VSG_L2SQ) {
                const double d = vsg_add_rounded(a, -b);
                sum = vsg_add_rounded(sum, vsg_mul_rounded(d, d));
            } else {
                sum = vsg_add_rounded(sum, vsg_mul_rounded(a, b)); /* the product is exact */
            }
            sumsq = vsg_add_rounded(sumsq, vsg_mul_rounded(b, b));
        }
    }
    state->sum = sum;
    state->sumsq = sumsq;
}

/* Warp step: a step of the fold; lane 0 of each 16 has it as canonical, the others too. */
VSG_FN void vsg_finish_fold(vsg_finish_state *lanes, uint32_t offset)
{
#ifdef __CUDACC__
    lanes->sum = vsg_add_rounded(lanes->sum, __shfl_xor_sync(0xffffffffu, lanes->sum, offset));
    lanes->sumsq =
        vsg_add_rounded(lanes->sumsq, __shfl_xor_sync(0xffffffffu, lanes->sumsq, offset));
#else
    for (uint32_t i = 0; i < VSG_WARP; i++) {
        vsg_finish_state *low = &lanes[i], *high = &lanes[i | offset];
        if (low != high) {
            low->sum = high->sum = low->sum + high->sum;
            low->sumsq = high->sumsq = low->sumsq + high->sumsq;
        }
    }
#endif
}

VSG_FN void vsg_finish_put(const vsg_finish_args *args, const vsg_finish_shared *shared, uint32_t i,
                           uint32_t thread, const vsg_finish_state *state)
{
    if (thread % VSG_FINISH_LANES == 0 && i < shared->count) {
        args->out_sums[shared->first + i] = state->sum;
        args->out_sumsqs[shared->first + i] = state->sumsq;
    }
}

VSG_FN void vsg_finish_program(const vsg_finish_args *args, vsg_block *block, uint8_t *memory,
                               vsg_finish_state *states)
{
    vsg_finish_shared *shared = (vsg_finish_shared *)(void *)memory;
    const uint32_t query = block->index;
    const uint32_t at_once = VSG_FINISH_THREADS / VSG_FINISH_LANES;

    VSG_PHASE(block, thread, {
        if (thread == 0) {
            vsg_finish_take(args, query, shared);
        }
    });
    VSG_BARRIER();
    VSG_PHASE(block, thread, vsg_finish_copy(args, query, shared, thread));
    if (!args->out_sums || !args->rows.layout.vectors_at) {
        return;
    }
    for (uint32_t first = 0; first < shared->count; first += at_once) {
        VSG_PHASE(block, thread,
                  vsg_finish_multiply(args, query, first + thread / VSG_FINISH_LANES, shared->count,
                                      thread, VSG_STATE(states, thread)));
        for (uint32_t offset = VSG_FINISH_LANES / 2; offset > 0; offset /= 2) {
            VSG_WARPS(block, states, vsg_finish_state * lanes, vsg_finish_fold(lanes, offset));
        }
        VSG_PHASE(block, thread,
                  vsg_finish_put(args, shared, first + thread / VSG_FINISH_LANES, thread,
                                 VSG_STATE(states, thread)));
    }
}

#endif
