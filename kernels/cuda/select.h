/*
 * select.h - VSG_SELECT: the limit of a query from what was found for it, and what is beyond goes.
 *
 * One block of VSG_SELECT_THREADS threads for each query. The k-th smallest upper bound is found by
 * its bits, 8 at a time from the top: a histogram of those entries that share the bits found so far,
 * then the bucket in which the k-th lies. Then entries are moved down in place, a round of
 * VSG_SELECT_ROUND at a time: all of a round are read before any is written, and there is room
 * below what was read for all that were kept. Their order is of no meaning. A block alone is waiting
 * for memory most of the time, so each thread has several loads under way.
 *
 * Where more were appended than there is room for, lost is set; the limit still holds, since those
 * entries that are there are rows.
 *
 * Shared memory: vsg_select_shared. Barriers: around every phase that reads what another wrote.
 */
#ifndef VSG_SELECT_H
#define VSG_SELECT_H

#include "bound.h"

#define VSG_SELECT_THREADS 256
#define VSG_SELECT_GROUP 16 /* buckets that are summed up by one thread */
#define VSG_SELECT_LOADS 8  /* entries that a thread has under way at once */
#define VSG_SELECT_ROUND (VSG_SELECT_THREADS * VSG_SELECT_LOADS)

typedef struct vsg_select_shared {
    uint32_t buckets[256];
    uint32_t groups[256 / VSG_SELECT_GROUP];
    uint32_t prefix; /* bits found so far, the rest 0 */
    uint32_t left;   /* the number, from 1, of the wanted one among entries with this prefix */
    uint32_t kept;
    float limit;
} vsg_select_shared;

typedef struct vsg_select_state {
    float lows[VSG_SELECT_LOADS], highs[VSG_SELECT_LOADS];
    uint32_t rows[VSG_SELECT_LOADS];
    uint32_t kept; /* bit i: entry i stays */
} vsg_select_state;

/* Entries of a query that are there. */
VSG_FN uint32_t vsg_found_entries(const vsg_found_args *found, uint32_t query)
{
    const uint32_t count = found->counts[query];
    return count < found->capacity ? count : found->capacity;
}

VSG_FN void vsg_select_begin(const vsg_found_args *found, uint32_t query, vsg_select_shared *shared,
                             uint32_t thread)
{
    shared->buckets[thread] = 0;
    if (thread == 0) {
        shared->prefix = 0;
        shared->left = found->k;
        shared->kept = 0;
        shared->limit = found->limits[query];
    }
}

/* Phase: counts the entries that have the prefix by their next 8 bits. */
VSG_FN void vsg_select_count(const vsg_found_args *found, uint32_t query, uint32_t entries,
                             uint32_t shift, vsg_select_shared *shared, uint32_t thread)
{
    const float *highs = found->entry_highs + (uint64_t)query * found->capacity;
    const uint32_t prefix = shared->prefix;

    for (uint32_t first = thread; first < entries; first += VSG_SELECT_ROUND) {
        uint32_t orders[VSG_SELECT_LOADS];
        VSG_UNROLL
        for (uint32_t i = 0; i < VSG_SELECT_LOADS; i++) {
            const uint32_t at = first + i * VSG_SELECT_THREADS;
            orders[i] = vsg_order_of(highs[at < entries ? at : first]);
        }
        VSG_UNROLL
        for (uint32_t i = 0; i < VSG_SELECT_LOADS; i++) {
            if (first + i * VSG_SELECT_THREADS < entries &&
                (shift == 24 || orders[i] >> (shift + 8) == prefix >> (shift + 8))) {
                vsg_atomic_add(&shared->buckets[orders[i] >> shift & 255], 1);
            }
        }
    }
}

VSG_FN void vsg_select_sum(vsg_select_shared *shared, uint32_t thread)
{
    uint32_t sum = 0;

    if (thread < 256 / VSG_SELECT_GROUP) {
        VSG_UNROLL
        for (uint32_t i = 0; i < VSG_SELECT_GROUP; i++) {
            sum += shared->buckets[thread * VSG_SELECT_GROUP + i];
        }
        shared->groups[thread] = sum;
    }
}

/* The place, of `count` numbers, where the sum reaches *left; *left becomes what is left there. */
VSG_FN uint32_t vsg_select_find(const uint32_t *counts, uint32_t *left)
{
    uint32_t place = VSG_SELECT_GROUP - 1;
    uint32_t before = 0, sum = 0;
    int is_found = 0;

    VSG_UNROLL
    for (uint32_t i = 0; i < VSG_SELECT_GROUP; i++) {
        const uint32_t here = counts[i];
        if (!is_found && sum + here >= *left) {
            is_found = 1;
            place = i;
            before = sum;
        }
        sum += here;
    }
    *left -= before;
    return place;
}

/* Phase, of thread 0: the next 8 bits of the prefix; after the last, the limit. */
VSG_FN void vsg_select_pick(uint32_t shift, vsg_select_shared *shared)
{
    uint32_t left = shared->left;
    const uint32_t group = vsg_select_find(shared->groups, &left);
    const uint32_t bucket = group * VSG_SELECT_GROUP +
                            vsg_select_find(shared->buckets + group * VSG_SELECT_GROUP, &left);

    shared->left = left;
    shared->prefix |= bucket << shift;
    if (shift == 0) {
        const float high = vsg_order_value(shared->prefix);
        shared->limit = high < shared->limit ? high : shared->limit;
    }
}

/* Phase: a thread's entries of the round that begins with entry `first`. */
VSG_FN void vsg_select_read(const vsg_found_args *found, uint32_t query, uint32_t entries,
                            uint32_t first, uint32_t thread, const vsg_select_shared *shared,
                            vsg_select_state *state)
{
    const uint64_t base = (uint64_t)query * found->capacity;

    state->kept = 0;
    VSG_UNROLL
    for (uint32_t i = 0; i < VSG_SELECT_LOADS; i++) {
        const uint32_t at = first + i * VSG_SELECT_THREADS + thread;
        const uint64_t from = base + (at < entries ? at : first);
        state->rows[i] = found->entry_rows[from];
        state->lows[i] = found->entry_lows[from];
        state->highs[i] = found->entry_highs[from];
        state->kept |= (uint32_t)(at < entries && !(state->lows[i] > shared->limit)) << i;
    }
}

/* Phase: writes those that are kept. */
VSG_FN void vsg_select_write(const vsg_found_args *found, uint32_t query, vsg_select_shared *shared,
                             const vsg_select_state *state)
{
    uint64_t at = (uint64_t)query * found->capacity;

    if (state->kept == 0) {
        return;
    }
    at += vsg_atomic_add(&shared->kept, vsg_count_bits(state->kept));
    VSG_UNROLL
    for (uint32_t i = 0; i < VSG_SELECT_LOADS; i++) {
        if (state->kept >> i & 1) {
            found->entry_rows[at] = state->rows[i];
            found->entry_lows[at] = state->lows[i];
            found->entry_highs[at] = state->highs[i];
            at++;
        }
    }
}

VSG_FN void vsg_select_end(const vsg_found_args *found, uint32_t query,
                           const vsg_select_shared *shared)
{
    if (found->counts[query] > found->capacity) {
        found->lost[query] = 1;
    }
    found->counts[query] = shared->kept;
    found->limits[query] = shared->limit;
}

VSG_FN void vsg_select_program(const vsg_select_args *args, vsg_block *block, uint8_t *memory,
                               vsg_select_state *states)
{
    const vsg_found_args *found = &args->found;
    vsg_select_shared *shared = (vsg_select_shared *)(void *)memory;
    const uint32_t query = block->index;
    const uint32_t entries = vsg_found_entries(found, query);

    VSG_PHASE(block, thread, vsg_select_begin(found, query, shared, thread));
    VSG_BARRIER();
    if (entries >= found->k) {
        for (uint32_t shift = 32; shift > 0;) {
            shift -= 8;
            VSG_PHASE(block, thread,
                      vsg_select_count(found, query, entries, shift, shared, thread));
            VSG_BARRIER();
            VSG_PHASE(block, thread, vsg_select_sum(shared, thread));
            VSG_BARRIER();
            VSG_PHASE(block, thread, {
                if (thread == 0) {
                    vsg_select_pick(shift, shared);
                }
            });
            VSG_BARRIER();
            VSG_PHASE(block, thread, shared->buckets[thread] = 0);
            VSG_BARRIER();
        }
    }
    for (uint32_t first = 0; first < entries; first += VSG_SELECT_ROUND) {
        VSG_PHASE(block, thread,
                  vsg_select_read(found, query, entries, first, thread, shared,
                                  VSG_STATE(states, thread)));
        VSG_BARRIER();
        VSG_PHASE(block, thread, vsg_select_write(found, query, shared, VSG_STATE(states, thread)));
        VSG_BARRIER();
    }
    VSG_PHASE(block, thread, {
        if (thread == 0) {
            vsg_select_end(found, query, shared);
        }
    });
}

#endif
