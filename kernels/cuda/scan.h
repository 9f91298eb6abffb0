/*
 * scan.h - VSG_SCAN: a few queries against tiles, at the speed of memory.
 *
 * A block has VSG_SCAN_THREADS threads, takes up to Q queries (Q = 1, 2, 4 or 8, whatever fits into
 * shared memory; more queries are more blocks) and then one tile after the other. Each of its 8 warps
 * takes 16 rows of a tile. A row is `lanes` lanes wide, a power of two, so that short rows leave no
 * lane idle; a warp has 32 / lanes groups of lanes, which take neighbouring rows. A lane loads 16
 * bytes of each of several rows (vsg_scan_rows) at once, then multiplies them with all queries; rows that are
 * not wanted are not loaded. The sums of these rows * Q pairs over the lanes are folded together:
 * in each step a lane gives half of its pairs to its partner and takes over the other half.
 *
 * Shared memory:
 *   queries  [parts][Q][chunks] vsg_f4   a chunk is 16 bytes of a row; part p of it are elements
 *                                        4 p .. 4 p + 3, so that lanes read consecutive 16 bytes
 *   sums     [2][Q][VSG_TILE_ROWS] float of a tile and of the one before it, in turn
 *   forms    [Q] vsg_query_form
 *
 * Barriers: after queries and forms are written; after the sums of a tile are written and before
 * they are judged, by a thread for each row and every other query. Warps that have judged go on to the
 * next tile, whose sums lie elsewhere; those of the tile after it come behind the next barrier.
 */
#ifndef VSG_SCAN_H
#define VSG_SCAN_H

#include "bound.h"

#define VSG_SCAN_THREADS 256
#define VSG_SCAN_WARP_ROWS 16 /* of a tile: VSG_TILE_ROWS / (VSG_SCAN_THREADS / VSG_WARP) */
/* Blocks of a multiprocessor, which is as many as have registers there: with one more, all but that
 * one would be done before it begins. Wide is with more than 2 queries. */
#define VSG_SCAN_BLOCKS 3
#define VSG_SCAN_BLOCKS_WIDE 2
#define VSG_SCAN_PAIRS_MAX 32
#define VSG_SCAN_ROWS_MAX 8

typedef struct vsg_scan_state {
    float sums[VSG_SCAN_PAIRS_MAX]; /* [rows at once][Q] */
} vsg_scan_state;

/* How a block works; the same in all threads. */
typedef struct vsg_scan_plan {
    uint32_t chunks; /* of a row */
    uint32_t lanes;  /* of a row */
    uint32_t query_first, query_count;
    vsg_f4 *queries;
    float *sums;
    vsg_query_form *forms;
} vsg_scan_plan;

/* Rows whose loads a lane has under way at once. */
VSG_BOTH uint32_t vsg_scan_rows(uint32_t queries)
{
    return queries == 1 ? 8 : 4;
}

/* Lanes of a row: as many as leave not more than an eighth of the lanes' turns idle. */
VSG_BOTH uint32_t vsg_scan_lanes(uint32_t chunks)
{
    uint32_t lanes = VSG_WARP;
    while (lanes > 2 && (chunks + lanes - 1) / lanes * lanes * 8 > chunks * 9) {
        lanes /= 2;
    }
    return lanes;
}

VSG_BOTH uint32_t vsg_scan_shared(uint32_t queries, uint32_t elements)
{
    return queries * (elements * 4u + 2u * VSG_TILE_ROWS * 4u + (uint32_t)sizeof(vsg_query_form));
}

VSG_FN vsg_scan_plan vsg_scan_plan_of(const vsg_scan_args *args, const vsg_block *block,
                                      uint8_t *shared, uint32_t queries)
{
    const uint32_t groups = (args->query_count + queries - 1) / queries;
    const uint32_t group = block->index % groups;
    const uint32_t left = args->query_count - group * queries;
    const uint32_t elements = args->rows.layout.elements;
    vsg_scan_plan plan;

    plan.chunks = args->rows.layout.row_stride / 16;
    plan.lanes = vsg_scan_lanes(plan.chunks);
    plan.query_first = args->query_first + group * queries;
    plan.query_count = left < queries ? left : queries;
    plan.queries = (vsg_f4 *)(void *)shared;
    plan.sums = (float *)(void *)(shared + queries * elements * 4u);
    plan.forms = (vsg_query_form *)(void *)(plan.sums + 2 * queries * VSG_TILE_ROWS);
    return plan;
}

/* Phase: queries and their forms to shared memory. */
VSG_FN void vsg_scan_begin(const vsg_scan_args *args, const vsg_scan_plan *plan, uint32_t thread,
                           uint32_t queries, vsg_format format)
{
    const uint32_t elements = args->rows.layout.elements;
    const uint32_t parts = format == VSG_F16 ? 2 : 4;
    const uint32_t fours = elements / 4;

    for (uint32_t q = 0; q < queries; q++) {
        const float *query = args->found.queries_f32 + (uint64_t)(plan->query_first + q) * elements;
        for (uint32_t i = thread; i < fours; i += VSG_SCAN_THREADS) {
            vsg_f4 value = {0, 0, 0, 0};
            if (q < plan->query_count) {
                value = vsg_load_f4(query + (uint64_t)i * 4);
            }
            plan->queries[(i % parts * queries + q) * plan->chunks + i / parts] = value;
        }
    }
    if (thread < plan->query_count) {
        const uint32_t query = plan->query_first + thread;
        plan->forms[thread] = vsg_query_form_of(args->rows.metric, &args->found.terms[query],
                                                elements, 0, args->found.limits[query]);
    }
}

/* Word `i` of a chunk; i is constant where loops are unrolled. */
VSG_FN uint32_t vsg_scan_word(const vsg_u4 *chunk, uint32_t i)
{
    return i == 0 ? chunk->x : i == 1 ? chunk->y : i == 2 ? chunk->z : chunk->w;
}

/* Row number `i` of a group of lanes is this row of the warp's. */
VSG_FN uint32_t vsg_scan_row(const vsg_scan_plan *plan, uint32_t lane, uint32_t i)
{
    return i * (VSG_WARP / plan->lanes) + lane / plan->lanes;
}

/* Phase: a lane's part of the products of rows number first .. first + vsg_scan_rows - 1 of its
 * group of lanes. */
VSG_FN void vsg_scan_multiply(const vsg_scan_args *args, const vsg_scan_plan *plan,
                              const vsg_tile *tile, uint32_t first, uint32_t thread,
                              vsg_scan_state *state, uint32_t queries, vsg_format format)
{
    const uint32_t parts = format == VSG_F16 ? 2 : 4;
    const uint32_t at_once = vsg_scan_rows(queries);
    const uint32_t lane = thread % VSG_WARP;
    const uint32_t warp = thread / VSG_WARP;
    const uint32_t mask = vsg_tile_mask(&args->rows, tile, warp / 2) >> (warp % 2 * 16);
    const uint8_t *rows = vsg_tile_rows(&args->rows, tile) +
                          (uint64_t)(warp * VSG_SCAN_WARP_ROWS) * args->rows.layout.row_stride;
    const uint32_t gap = VSG_WARP / plan->lanes * args->rows.layout.row_stride;
    const uint8_t *at = rows +
                        (uint64_t)vsg_scan_row(plan, lane, first) * args->rows.layout.row_stride +
                        lane % plan->lanes * 16;
    uint32_t wanted = 0; /* bit r: row number first + r is there and wanted */

    VSG_UNROLL
    for (uint32_t r = 0; r < at_once; r++) {
        const uint32_t row = vsg_scan_row(plan, lane, first + r);
        if (first + r < plan->lanes / 2) {
            wanted |= (mask >> row & 1) << r;
        }
        VSG_UNROLL
        for (uint32_t q = 0; q < queries; q++) {
            state->sums[r * queries + q] = 0;
        }
    }
    VSG_NO_UNROLL
    for (uint32_t c = lane % plan->lanes; c < plan->chunks; c += plan->lanes) {
        const vsg_f4 *query = plan->queries + c;
        vsg_u4 chunk[VSG_SCAN_ROWS_MAX];
        VSG_UNROLL
        for (uint32_t r = 0; r < at_once; r++) {
            chunk[r] = vsg_load_once(at + r * gap, wanted >> r & 1);
        }
        VSG_UNROLL
        for (uint32_t p = 0; p < parts; p++) {
            vsg_f4 row[VSG_SCAN_ROWS_MAX];
            VSG_UNROLL
            for (uint32_t r = 0; r < at_once; r++) {
                row[r] = format == VSG_F16 ? vsg_widen_f16(vsg_scan_word(&chunk[r], 2 * p),
                                                           vsg_scan_word(&chunk[r], 2 * p + 1))
                                           : vsg_widen_i8(vsg_scan_word(&chunk[r], p));
            }
            VSG_UNROLL
            for (uint32_t q = 0; q < queries; q++) {
                const vsg_f4 factor = *query;
                query += plan->chunks;
                VSG_UNROLL
                for (uint32_t r = 0; r < at_once; r++) {
                    float *sum = &state->sums[r * queries + q];
                    *sum += row[r].x * factor.x;
                    *sum += row[r].y * factor.y;
                    *sum += row[r].z * factor.z;
                    *sum += row[r].w * factor.w;
                }
            }
        }
        at += plan->lanes * 16;
    }
}

#ifdef __CUDACC__
VSG_FN void vsg_scan_exchange(vsg_scan_state *state, uint32_t offset, uint32_t count)
{
    if (count == 0) {
        state->sums[0] += __shfl_xor_sync(0xffffffffu, state->sums[0], offset);
        return;
    }
    const int is_upper = (threadIdx.x & offset) != 0;
    VSG_UNROLL
    for (uint32_t i = 0; i < count; i++) {
        const float low = state->sums[i], high = state->sums[i + count];
        const float give = is_upper ? low : high;
        state->sums[i] = (is_upper ? high : low) + __shfl_xor_sync(0xffffffffu, give, offset);
    }
}
#else
static inline void vsg_scan_exchange(vsg_scan_state *lanes, uint32_t offset, uint32_t count)
{
    for (uint32_t low = 0; low < VSG_WARP; low++) {
        const uint32_t high = low | offset;
        if (low == high) {
            continue;
        }
        float *a = lanes[low].sums, *b = lanes[high].sums;
        if (count == 0) {
            a[0] += b[0];
            b[0] = a[0];
        }
        for (uint32_t i = 0; i < count; i++) {
            a[i] += b[i];
            b[i] = b[i + count] + a[i + count];
        }
    }
}
#endif

/* Warp step: after it, sums[i] of a lane is that of the pair vsg_scan_pair. */
VSG_FN void vsg_scan_fold(const vsg_scan_plan *plan, vsg_scan_state *lanes, uint32_t queries)
{
    const uint32_t pairs = vsg_scan_rows(queries) * queries;

    /* Without a loop, so that all places in sums are constants and sums stay in registers. */
    vsg_scan_exchange(lanes, 1, pairs / 2);
    if (plan->lanes > 2) {
        vsg_scan_exchange(lanes, 2, pairs / 4);
    }
    if (plan->lanes > 4) {
        vsg_scan_exchange(lanes, 4, pairs / 8);
    }
    if (plan->lanes > 8) {
        vsg_scan_exchange(lanes, 8, pairs / 16);
    }
    if (plan->lanes > 16) {
        vsg_scan_exchange(lanes, 16, pairs / 32);
    }
}

/* Phase: the folded sums to shared memory. In step s of the fold, lanes with bit s took the upper
 * half of what there was; where one pair was left, lanes with bit s have it twice. */
VSG_FN void vsg_scan_put(const vsg_scan_plan *plan, uint32_t turn, uint32_t first, uint32_t thread,
                         const vsg_scan_state *state, uint32_t queries)
{
    const uint32_t lane = thread % VSG_WARP;
    const uint32_t warp = thread / VSG_WARP;
    const uint32_t pairs = vsg_scan_rows(queries) * queries;
    uint32_t count = pairs;
    uint32_t base = 0;

    for (uint32_t bit = 1; bit < plan->lanes; bit *= 2) {
        if (count == 1) {
            if (lane & bit) {
                return;
            }
            continue;
        }
        count /= 2;
        base += lane & bit ? count : 0;
    }
    VSG_UNROLL
    for (uint32_t i = 0; i < pairs; i++) {
        const uint32_t number = first + (base + i) / queries;
        if (i < count && number < plan->lanes / 2) {
            const uint32_t row = warp * VSG_SCAN_WARP_ROWS + vsg_scan_row(plan, lane, number);
            plan->sums[(turn * queries + (base + i) % queries) * VSG_TILE_ROWS + row] =
                state->sums[i];
        }
    }
}

/* Phase: the bounds of a row and every other query. */
VSG_FN void vsg_scan_judge(const vsg_scan_args *args, const vsg_scan_plan *plan,
                           const vsg_tile *tile, uint32_t turn, uint32_t thread, uint32_t queries)
{
    const uint32_t row = thread % VSG_TILE_ROWS;

    if (!(vsg_tile_mask(&args->rows, tile, row / 32) >> row % 32 & 1)) {
        return;
    }
    const vsg_row_terms terms = vsg_tile_terms(&args->rows, tile, row);
    const vsg_row_form form = vsg_row_form_of(args->rows.metric, &terms, 1);
    if (!vsg_row_is_present(&form)) {
        return;
    }
    for (uint32_t q = thread / VSG_TILE_ROWS; q < plan->query_count;
         q += VSG_SCAN_THREADS / VSG_TILE_ROWS) {
        const vsg_query_form *query = &plan->forms[q];
        const vsg_bounds bounds =
            vsg_pair_bounds(&form, query, plan->sums[(turn * queries + q) * VSG_TILE_ROWS + row]);
        if (vsg_pair_passes(query, bounds)) {
            vsg_found_append(&args->found, plan->query_first + q, query, tile->first_global + row,
                             bounds);
        }
    }
}

VSG_FN void vsg_scan_program(const vsg_scan_args *args, vsg_block *block, uint8_t *shared,
                             vsg_scan_state *states, uint32_t queries, vsg_format format)
{
    const vsg_scan_plan plan = vsg_scan_plan_of(args, block, shared, queries);
    const uint32_t groups = (args->query_count + queries - 1) / queries;

    VSG_PHASE(block, thread, vsg_scan_begin(args, &plan, thread, queries, format));
    VSG_BARRIER();
    uint32_t turn = 0;
    for (uint32_t i = block->index / groups; i < args->visit_count; i += block->count / groups) {
        const vsg_tile tile = vsg_tile_at(&args->rows, args->visit_first + i);
        for (uint32_t first = 0; first < plan.lanes / 2; first += vsg_scan_rows(queries)) {
            VSG_PHASE(block, thread,
                      vsg_scan_multiply(args, &plan, &tile, first, thread,
                                        VSG_STATE(states, thread), queries, format));
            VSG_WARPS(block, states, vsg_scan_state * lanes, vsg_scan_fold(&plan, lanes, queries));
            VSG_PHASE(block, thread,
                      vsg_scan_put(&plan, turn, first, thread, VSG_STATE(states, thread), queries));
        }
        VSG_BARRIER();
        VSG_PHASE(block, thread, vsg_scan_judge(args, &plan, &tile, turn, thread, queries));
        turn ^= 1;
    }
}

VSG_BOTH uint32_t vsg_scan_blocks(uint32_t queries)
{
    return queries > 2 ? VSG_SCAN_BLOCKS_WIDE : VSG_SCAN_BLOCKS;
}

/* The largest Q that fits and is of use. */
VSG_BOTH uint32_t vsg_scan_width(const vsg_scan_args *args, uint32_t shared_max)
{
    uint32_t queries = VSG_SCAN_QUERIES;
    while (queries > 1 && (queries / 2 >= args->query_count ||
                           vsg_scan_shared(queries, args->rows.layout.elements) > shared_max)) {
        queries /= 2;
    }
    return queries;
}

#define VSG_SCAN_PROGRAM(name, queries, format)                                                    \
    VSG_FN void vsg_##name##_program(const vsg_scan_args *args, vsg_block *block, uint8_t *shared, \
                                     vsg_scan_state *states)                                       \
    {                                                                                              \
        vsg_scan_program(args, block, shared, states, queries, format);                            \
    }
VSG_SCAN_PROGRAM(scan_f16_1, 1, VSG_F16)
VSG_SCAN_PROGRAM(scan_f16_2, 2, VSG_F16)
VSG_SCAN_PROGRAM(scan_f16_4, 4, VSG_F16)
VSG_SCAN_PROGRAM(scan_f16_8, 8, VSG_F16)
VSG_SCAN_PROGRAM(scan_i8_1, 1, VSG_I8)
VSG_SCAN_PROGRAM(scan_i8_2, 2, VSG_I8)
VSG_SCAN_PROGRAM(scan_i8_4, 4, VSG_I8)
VSG_SCAN_PROGRAM(scan_i8_8, 8, VSG_I8)

#endif
