/*
 * matrix.h - VSG_MATRIX: many queries against tiles, a matrix product on tensor cores.
 *
 * A block has VSG_MATRIX_THREADS threads and computes the sums of one tile (128 rows) with N = 128 or
 * 64 queries, 32 elements a step, VSG_MATRIX_STAGES steps in flight by asynchronous copies. Its 8
 * warps divide rows and queries: for N = 128 a warp has 64 rows x 32 queries, for N = 64 it has 32 x
 * 32. Products are mma m16n8k16 of float16 with float32 sums: rows are A (row major), queries are B
 * (column major: a column is a query). Lane l = 4 g + t has of A rows g and g + 8, of B column g, of
 * C rows g, g + 8 and columns 2 t, 2 t + 1. Rows of VSG_I8 are made float16 in shared memory, which
 * is exact, and their step is applied at the end.
 *
 * Shared memory of the loop, all of it in rows of 64 bytes (32 float16) = 4 chunks, where chunk c of
 * row r is at place c ^ (r / 2 % 4), so that 8 consecutive rows of one chunk are in 8 different
 * groups of banks:
 *   queries  [stages][N] rows
 *   rows     [stages][128] rows for VSG_F16; for VSG_I8 [1][128] rows, made from
 *   raw      [stages][128] of 32 bytes
 * and when it is done, in the same place:
 *   row_forms [128] vsg_row_form, query_forms [N] vsg_query_form
 *
 * Barriers: in each step after the wait for its copies, which is also when all warps are done with
 * the stage that is filled next; for VSG_I8 another one after conversion; one before the forms are
 * written over the stages, one before they are read.
 */
#ifndef VSG_MATRIX_H
#define VSG_MATRIX_H

#include "bound.h"

#define VSG_MATRIX_THREADS 256
#define VSG_MATRIX_STAGES 3
#define VSG_MATRIX_STEP 32       /* elements */
#define VSG_MATRIX_LINE 64       /* bytes of a row in shared memory */
#define VSG_MATRIX_RAW 32        /* of a raw one */
#define VSG_MATRIX_ROW_TILES 4   /* of 16 rows, of a warp, at most */
#define VSG_MATRIX_QUERY_TILES 4 /* of 8 queries, of a warp */

/* Without asynchronous copies what is copied goes through registers, and there are few. */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define VSG_MATRIX_UNROLL VSG_NO_UNROLL
#else
#define VSG_MATRIX_UNROLL VSG_UNROLL
#endif

typedef struct vsg_matrix_state {
    float c[VSG_MATRIX_ROW_TILES][VSG_MATRIX_QUERY_TILES][4];
    uint32_t a[VSG_MATRIX_ROW_TILES][4];
    uint32_t b[VSG_MATRIX_QUERY_TILES][2];
} vsg_matrix_state;

typedef struct vsg_matrix_plan {
    vsg_tile tile;
    const uint8_t *tile_rows;
    uint32_t query_first, query_count; /* of this block */
    uint8_t *queries, *rows, *raw;
    vsg_row_form *row_forms;
    vsg_query_form *query_forms;
} vsg_matrix_plan;

VSG_BOTH uint32_t vsg_matrix_shared(uint32_t queries, vsg_format format)
{
    const uint32_t rows = format == VSG_F16 ? VSG_MATRIX_STAGES * VSG_MATRIX_LINE
                                            : VSG_MATRIX_STAGES * VSG_MATRIX_RAW + VSG_MATRIX_LINE;
    return VSG_MATRIX_STAGES * queries * VSG_MATRIX_LINE + VSG_TILE_ROWS * rows;
}

/* N: that with fewer queries of padding. */
VSG_BOTH uint32_t vsg_matrix_width(uint32_t queries)
{
    return (queries + 63) / 64 % 2 ? VSG_MATRIX_QUERIES / 2 : VSG_MATRIX_QUERIES;
}

VSG_FN vsg_matrix_plan vsg_matrix_plan_of(const vsg_scan_args *args, uint32_t index,
                                          uint8_t *shared, uint32_t queries)
{
    const uint32_t groups = (args->found.query_count + queries - 1) / queries;
    const uint32_t visit = index / groups;
    const uint32_t group = index - visit * groups;
    const uint32_t left = args->found.query_count - group * queries;
    vsg_matrix_plan plan;

    plan.tile = vsg_tile_at(&args->rows, args->visit_first + visit);
    plan.tile_rows = vsg_tile_rows(&args->rows, &plan.tile);
    plan.query_first = group * queries;
    plan.query_count = left < queries ? left : queries;
    plan.queries = shared;
    plan.rows = shared + VSG_MATRIX_STAGES * queries * VSG_MATRIX_LINE;
    plan.raw = plan.rows + VSG_TILE_ROWS * VSG_MATRIX_LINE;
    plan.row_forms = (vsg_row_form *)(void *)shared;
    plan.query_forms = (vsg_query_form *)(void *)(plan.row_forms + VSG_TILE_ROWS);
    return plan;
}

/* Byte of a chunk of a row of 64 bytes. */
VSG_FN uint32_t vsg_matrix_at(uint32_t row, uint32_t chunk)
{
    return row * VSG_MATRIX_LINE + (chunk ^ (row / 2 % 4)) * 16;
}

VSG_FN void vsg_matrix_clear(vsg_matrix_state *state)
{
    VSG_UNROLL
    for (uint32_t i = 0; i < VSG_MATRIX_ROW_TILES; i++) {
        VSG_UNROLL
        for (uint32_t j = 0; j < VSG_MATRIX_QUERY_TILES; j++) {
            VSG_UNROLL
            for (uint32_t k = 0; k < 4; k++) {
                state->c[i][j][k] = 0;
            }
        }
    }
}

/* Phase: starts the copies of a step. Places beyond the last query repeat it. Offsets have 32 bits,
 * which saves registers: queries are at most VSG_QUERIES_MAX * VSG_DIM_MAX * 2 = 2^26 bytes, a tile
 * is 2^21. */
VSG_FN void vsg_matrix_copy(const vsg_scan_args *args, const vsg_matrix_plan *plan,
                            vsg_block *block, uint32_t step, uint32_t stage, uint32_t thread,
                            uint32_t queries, vsg_format format)
{
    const uint8_t *query_rows = (const uint8_t *)args->found.queries_f16;
    const uint32_t query_stride = args->rows.layout.elements * 2;
    const uint32_t row_stride = args->rows.layout.row_stride;

    VSG_UNROLL
    for (uint32_t i = 0; i < queries * 4 / VSG_MATRIX_THREADS; i++) {
        const uint32_t row = (i * VSG_MATRIX_THREADS + thread) / 4;
        const uint32_t last = plan->query_count - 1;
        const uint32_t query = plan->query_first + (row < last ? row : last);
        vsg_copy_u4(block,
                    plan->queries + stage * queries * VSG_MATRIX_LINE +
                        vsg_matrix_at(row, thread % 4),
                    query_rows + (query * query_stride + step * VSG_MATRIX_LINE + thread % 4 * 16));
    }
    if (format == VSG_I8) {
        const uint32_t row = thread / 2;
        vsg_copy_u4(block,
                    plan->raw + (stage * VSG_TILE_ROWS + row) * VSG_MATRIX_RAW + thread % 2 * 16,
                    plan->tile_rows + (row * row_stride + step * VSG_MATRIX_RAW + thread % 2 * 16));
        return;
    }
    VSG_UNROLL
    for (uint32_t i = 0; i < VSG_TILE_ROWS * 4 / VSG_MATRIX_THREADS; i++) {
        const uint32_t row = (i * VSG_MATRIX_THREADS + thread) / 4;
        vsg_copy_u4(
            block,
            plan->rows + stage * VSG_TILE_ROWS * VSG_MATRIX_LINE + vsg_matrix_at(row, thread % 4),
            plan->tile_rows + (row * row_stride + step * VSG_MATRIX_LINE + thread % 4 * 16));
    }
}

/* Phase: 16 elements of a raw row become float16. */
VSG_FN void vsg_matrix_widen(const vsg_matrix_plan *plan, uint32_t stage, uint32_t thread)
{
    const uint32_t row = thread / 2;
    const uint32_t chunk = thread % 2 * 2;
    const vsg_u4 raw =
        vsg_load_u4(plan->raw + (stage * VSG_TILE_ROWS + row) * VSG_MATRIX_RAW + thread % 2 * 16);
    vsg_u4 out;

    out.x = vsg_i8_f16x2(raw.x, 0);
    out.y = vsg_i8_f16x2(raw.x, 1);
    out.z = vsg_i8_f16x2(raw.y, 0);
    out.w = vsg_i8_f16x2(raw.y, 1);
    vsg_store_u4(plan->rows + vsg_matrix_at(row, chunk), out);
    out.x = vsg_i8_f16x2(raw.z, 0);
    out.y = vsg_i8_f16x2(raw.z, 1);
    out.z = vsg_i8_f16x2(raw.w, 0);
    out.w = vsg_i8_f16x2(raw.w, 1);
    vsg_store_u4(plan->rows + vsg_matrix_at(row, chunk + 1), out);
}

/* ------------------------------------------------------------------------------- warp steps */

#ifdef __CUDACC__

/* Four 8x8 matrices of float16, row r of matrix m at the address of lane 8 m + r. */
VSG_FN void vsg_matrix_load(uint32_t out[4], const uint8_t *at)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"((uint32_t)__cvta_generic_to_shared(at))
                 : "memory");
}

VSG_FN void vsg_matrix_mma(float c[4], const uint32_t a[4], const uint32_t b[2])
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};\n"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(b[0]));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};\n"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[2]), "r"(a[3]), "r"(b[1]));
#endif
}

#endif

/* Where lane `lane` of a warp points for A: rows row .. row + 15, elements 16 half .. + 15. */
VSG_FN const uint8_t *vsg_matrix_at_a(const uint8_t *rows, uint32_t row, uint32_t half,
                                      uint32_t lane)
{
    return rows + vsg_matrix_at(row + lane % 16, half * 2 + lane / 16);
}

/* For B: columns column .. column + 15, which is two tiles. */
VSG_FN const uint8_t *vsg_matrix_at_b(const uint8_t *queries, uint32_t column, uint32_t half,
                                      uint32_t lane)
{
    return queries + vsg_matrix_at(column + lane % 8 + lane / 16 * 8, half * 2 + lane / 8 % 2);
}

#ifndef __CUDACC__

/* The same steps for all lanes of a warp at once: what PTX says of ldmatrix and mma. */
static inline void vsg_host_load(uint32_t out[VSG_WARP][4], const uint8_t *at[VSG_WARP])
{
    for (uint32_t lane = 0; lane < VSG_WARP; lane++) {
        for (uint32_t m = 0; m < 4; m++) {
            memcpy(&out[lane][m], at[m * 8 + lane / 4] + lane % 4 * 4, 4);
        }
    }
}

static inline void vsg_host_unpack(float out[2], uint32_t pair)
{
    out[0] = vsk_f16_decode((uint16_t)pair);
    out[1] = vsk_f16_decode((uint16_t)(pair >> 16));
}

static inline void vsg_host_mma(vsg_matrix_state *lanes, uint32_t row_tiles)
{
    float a[16][16], b[VSG_MATRIX_QUERY_TILES][16][8], c[16][8];

    for (uint32_t lane = 0; lane < VSG_WARP; lane++) {
        const uint32_t g = lane / 4, t = lane % 4;
        for (uint32_t j = 0; j < VSG_MATRIX_QUERY_TILES; j++) {
            for (uint32_t k = 0; k < 2; k++) {
                float pair[2];
                vsg_host_unpack(pair, lanes[lane].b[j][k]);
                b[j][8 * k + 2 * t][g] = pair[0];
                b[j][8 * k + 2 * t + 1][g] = pair[1];
            }
        }
    }
    for (uint32_t i = 0; i < row_tiles; i++) {
        for (uint32_t lane = 0; lane < VSG_WARP; lane++) {
            const uint32_t g = lane / 4, t = lane % 4;
            vsg_host_unpack(&a[g][2 * t], lanes[lane].a[i][0]);
            vsg_host_unpack(&a[g + 8][2 * t], lanes[lane].a[i][1]);
            vsg_host_unpack(&a[g][2 * t + 8], lanes[lane].a[i][2]);
            vsg_host_unpack(&a[g + 8][2 * t + 8], lanes[lane].a[i][3]);
        }
        for (uint32_t j = 0; j < VSG_MATRIX_QUERY_TILES; j++) {
            memset(c, 0, sizeof c);
            for (uint32_t row = 0; row < 16; row++) {
                for (uint32_t k = 0; k < 16; k++) {
                    for (uint32_t column = 0; column < 8; column++) {
                        c[row][column] += a[row][k] * b[j][k][column];
                    }
                }
            }
            for (uint32_t lane = 0; lane < VSG_WARP; lane++) {
                for (uint32_t k = 0; k < 4; k++) {
                    lanes[lane].c[i][j][k] += c[lane / 4 + k / 2 * 8][lane % 4 * 2 + k % 2];
                }
            }
        }
    }
}

#endif

/* Warp step: 16 elements of a step, half = 0 or 1. `warp` is the warp's number. */
VSG_FN void vsg_matrix_multiply(const vsg_matrix_plan *plan, uint32_t stage, uint32_t half,
                                uint32_t warp, vsg_matrix_state *lanes, uint32_t queries,
                                vsg_format format)
{
    const uint32_t query_warps = queries / (VSG_MATRIX_QUERY_TILES * 8);
    const uint32_t row_tiles = VSG_TILE_ROWS / 16 * query_warps / (VSG_MATRIX_THREADS / VSG_WARP);
    const uint32_t row = warp / query_warps * row_tiles * 16;
    const uint32_t column = warp % query_warps * VSG_MATRIX_QUERY_TILES * 8;
    const uint8_t *b = plan->queries + stage * queries * VSG_MATRIX_LINE;
    const uint8_t *a =
        plan->rows + (format == VSG_F16 ? stage * VSG_TILE_ROWS * VSG_MATRIX_LINE : 0);

#ifdef __CUDACC__
    const uint32_t lane = threadIdx.x % VSG_WARP;
    VSG_UNROLL
    for (uint32_t i = 0; i < row_tiles; i++) {
        vsg_matrix_load(lanes->a[i], vsg_matrix_at_a(a, row + i * 16, half, lane));
    }
    VSG_UNROLL
    for (uint32_t j = 0; j < VSG_MATRIX_QUERY_TILES; j += 2) {
        uint32_t out[4];
        vsg_matrix_load(out, vsg_matrix_at_b(b, column + j * 8, half, lane));
        VSG_UNROLL
        for (uint32_t i = 0; i < row_tiles; i++) {
            vsg_matrix_mma(lanes->c[i][j], lanes->a[i], out);
            vsg_matrix_mma(lanes->c[i][j + 1], lanes->a[i], out + 2);
        }
    }
#else
    const uint8_t *at[VSG_WARP];
    uint32_t out[VSG_WARP][4];
    for (uint32_t j = 0; j < VSG_MATRIX_QUERY_TILES; j += 2) {
        for (uint32_t lane = 0; lane < VSG_WARP; lane++) {
            at[lane] = vsg_matrix_at_b(b, column + j * 8, half, lane);
        }
        vsg_host_load(out, at);
        for (uint32_t lane = 0; lane < VSG_WARP; lane++) {
            memcpy(lanes[lane].b[j], out[lane], sizeof out[lane]);
        }
    }
    for (uint32_t i = 0; i < row_tiles; i++) {
        for (uint32_t lane = 0; lane < VSG_WARP; lane++) {
            at[lane] = vsg_matrix_at_a(a, row + i * 16, half, lane);
        }
        vsg_host_load(out, at);
        for (uint32_t lane = 0; lane < VSG_WARP; lane++) {
            memcpy(lanes[lane].a[i], out[lane], sizeof out[lane]);
        }
    }
    vsg_host_mma(lanes, row_tiles);
#endif
}

/* ---------------------------------------------------------------------------------- results */

/* Phase: what bounds need, to shared memory. */
VSG_FN void vsg_matrix_forms(const vsg_scan_args *args, const vsg_matrix_plan *plan,
                             uint32_t thread)
{
    if (thread < VSG_TILE_ROWS) {
        const uint32_t mask = vsg_tile_mask(&args->rows, &plan->tile, thread / 32);
        const vsg_row_terms terms = vsg_tile_terms(&args->rows, &plan->tile, thread);
        plan->row_forms[thread] =
            vsg_row_form_of(args->rows.metric, &terms, (int)(mask >> thread % 32 & 1));
    } else if (thread - VSG_TILE_ROWS < plan->query_count) {
        const uint32_t query = plan->query_first + thread - VSG_TILE_ROWS;
        plan->query_forms[thread - VSG_TILE_ROWS] =
            vsg_query_form_of(args->rows.metric, &args->found.terms[query],
                              args->rows.layout.elements, 1, args->found.limits[query]);
    }
}

/* Phase: the bounds of all pairs of a thread. */
VSG_FN void vsg_matrix_judge(const vsg_scan_args *args, const vsg_matrix_plan *plan,
                             uint32_t thread, const vsg_matrix_state *state, uint32_t queries)
{
    const uint32_t query_warps = queries / (VSG_MATRIX_QUERY_TILES * 8);
    const uint32_t row_tiles = VSG_TILE_ROWS / 16 * query_warps / (VSG_MATRIX_THREADS / VSG_WARP);
    const uint32_t warp = thread / VSG_WARP;
    const uint32_t first_row = warp / query_warps * row_tiles * 16 + thread % VSG_WARP / 4;
    const uint32_t first_column = warp % query_warps * VSG_MATRIX_QUERY_TILES * 8 + thread % 4 * 2;

    VSG_UNROLL
    for (uint32_t j = 0; j < VSG_MATRIX_QUERY_TILES * 2; j++) {
        const uint32_t column = first_column + j / 2 * 8 + j % 2;
        if (column < plan->query_count) {
            const vsg_query_form query = plan->query_forms[column];
            VSG_UNROLL
            for (uint32_t i = 0; i < row_tiles * 2; i++) {
                const uint32_t row = first_row + i * 8;
                const vsg_row_form form = plan->row_forms[row];
                const vsg_bounds bounds =
                    vsg_pair_bounds(&form, &query, state->c[i / 2][j / 2][i % 2 * 2 + j % 2]);
                if (vsg_pair_passes(&query, bounds) && vsg_row_is_present(&form)) {
                    vsg_found_append(&args->found, plan->query_first + column, &query,
                                     plan->tile.first_global + row, bounds);
                }
            }
        }
    }
}

VSG_FN void vsg_matrix_program(const vsg_scan_args *args, vsg_block *block, uint8_t *shared,
                               vsg_matrix_state *states, uint32_t queries, vsg_format format)
{
    const vsg_matrix_plan plan = vsg_matrix_plan_of(args, block->index, shared, queries);
    const uint32_t steps = args->rows.layout.elements / VSG_MATRIX_STEP;
    uint32_t stage = 0, filled = VSG_MATRIX_STAGES - 1; /* stages to read, to fill */

    VSG_PHASE(block, thread, vsg_matrix_clear(VSG_STATE(states, thread)));
    for (uint32_t step = 0; step < VSG_MATRIX_STAGES - 1; step++) {
        if (step < steps) {
            VSG_PHASE(block, thread,
                      vsg_matrix_copy(args, &plan, block, step, step, thread, queries, format));
        }
        VSG_COMMIT(block);
    }
    for (uint32_t step = 0; step < steps; step++) {
        VSG_WAIT(block, VSG_MATRIX_STAGES - 2);
        VSG_BARRIER();
        if (step + VSG_MATRIX_STAGES - 1 < steps) {
            VSG_PHASE(block, thread,
                      vsg_matrix_copy(args, &plan, block, step + VSG_MATRIX_STAGES - 1, filled,
                                      thread, queries, format));
        }
        VSG_COMMIT(block);
        if (format == VSG_I8) {
            VSG_PHASE(block, thread, vsg_matrix_widen(&plan, stage, thread));
            VSG_BARRIER();
        }
        VSG_MATRIX_UNROLL
        for (uint32_t half = 0; half < 2; half++) {
            VSG_WARPS(
                block, states, vsg_matrix_state * lanes,
                vsg_matrix_multiply(&plan, stage, half, VSG_WARP_NUMBER, lanes, queries, format));
        }
        stage = stage + 1 < VSG_MATRIX_STAGES ? stage + 1 : 0;
        filled = filled + 1 < VSG_MATRIX_STAGES ? filled + 1 : 0;
    }
    VSG_WAIT(block, 0);
    VSG_BARRIER();
    const vsg_matrix_plan end = vsg_matrix_plan_of(args, vsg_again(block->index), shared, queries);
    VSG_PHASE(block, thread, vsg_matrix_forms(args, &end, thread));
    VSG_BARRIER();
    VSG_PHASE(block, thread,
              vsg_matrix_judge(args, &end, thread, VSG_STATE(states, thread), queries));
}

#define VSG_MATRIX_PROGRAM(name, queries, format)                                                  \
    VSG_FN void vsg_##name##_program(const vsg_scan_args *args, vsg_block *block, uint8_t *shared, \
                                     vsg_matrix_state *states)                                     \
    {                                                                                              \
        vsg_matrix_program(args, block, shared, states, queries, format);                          \
    }
VSG_MATRIX_PROGRAM(matrix_f16_64, 64, VSG_F16)
VSG_MATRIX_PROGRAM(matrix_f16_128, 128, VSG_F16)
VSG_MATRIX_PROGRAM(matrix_i8_64, 64, VSG_I8)
VSG_MATRIX_PROGRAM(matrix_i8_128, 128, VSG_I8)

#endif
