/*
 * vsk.h - vector kernels: the one header of kernels/.
 *
 * Arithmetic only: distances, conversions, top-k. No SQLite, no zstd, no malloc, no global state
 * but the dispatch table.
 *
 * There are two families of distance kernels:
 *
 *   canonical   accumulate in double precision, in one fixed lane order, and give the same bits on
 *               every level and every machine. Whatever a user sees was computed by them.
 *   rank        accumulate in float32, as fast as the level allows. They only decide which rows
 *               cannot be in an answer; their error has a stated bound, and what survives is
 *               computed again by the canonical family.
 *
 * Canonical arithmetic, in full, so that a new level can be written from this text alone. Element i
 * (widened to double, which is exact) belongs to lane i mod 16. Each lane starts at +0.0 and adds
 * its terms in rising i:
 *     dot     a*b                 exact in double for float32, float16 and bfloat16 inputs, so a
 *                                 fused multiply-add gives the same bits
 *     l2sq    d*d with d = a-b    d is rounded to double, d*d is rounded, then added: never fused
 *     l1      |a-b|               a-b rounded to double
 *     sumsq   a*a                 exact, may be fused
 * The lanes are then folded: lane[j] += lane[j+8] for j < 8, lane[j] += lane[j+4] for j < 4,
 * lane[j] += lane[j+2] for j < 2, lane[0] += lane[1]. int8 and bit vectors are computed in
 * integers: exact, so any order gives the same bits.
 *
 * Element types in memory: little-endian, packed. float16 is IEEE binary16, bfloat16 the upper half
 * of a float32. Bit vectors hold element i in bit (i mod 8) of byte i/8; their dim counts bits and
 * is a multiple of 8. Pointers need no alignment.
 */
#ifndef VSK_H
#define VSK_H

#include <stddef.h>
#include <stdint.h>

#include <float.h>
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error "vecshard needs arithmetic without excess precision (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif

/* int32 sums of int8 products and uint32 sums of squared int8 differences hold up to here */
#define VSK_DIM_MAX 65536

typedef enum vsk_type { VSK_F32, VSK_F16, VSK_BF16, VSK_I8, VSK_BIT, VSK_TYPE_COUNT } vsk_type;

typedef enum vsk_level {
    VSK_SCALAR,
    VSK_SSE2,
    VSK_AVX2,
    VSK_AVX512,
    VSK_NEON,
    VSK_LEVEL_COUNT
} vsk_level;

/* Canonical distance of one pair. a, b: [dim] of the kernel's element type. NaN or infinity in an
 * input gives a non-finite result. */
typedef double (*vsk_pair_fn)(const void *a, const void *b, size_t dim);

/* Canonical sum of squares of one vector: the square of its L2 norm. */
typedef double (*vsk_one_fn)(const void *a, size_t dim);

/* Canonical dot product and both sums of squares in one pass: out[0] = a.b, out[1] = a.a, out[2] =
 * b.b, bit-equal to the single kernels. */
typedef void (*vsk_triple_fn)(const void *a, const void *b, size_t dim, double out[3]);

/*
 * Rank: one query against each row of a block.
 *
 *   q     [dim]         float32, whatever the rows hold
 *   rows  [count][dim] of the kernel's element type, row i at rows + i * stride_bytes
 *   out   [count] float32; may not overlap the inputs
 *
 * Accuracy, with s the exact value and S the exact sum of the absolute values of its terms: |out -
 * s| <= g * S + (dim + 8) * 2^-126, g = m*u / (1 - m*u), m = dim + 8, u = 2^-24 (Higham, Accuracy
 * and Stability of Numerical Algorithms, chapter 3), barring overflow; for l2sq and l1 every term
 * is positive, so S = s. NaN or infinity in a row gives a non-finite result; a finite row may also
 * give one, by overflow. The value of a pair depends on the pair and the level alone, not on its
 * place in a block.
 */
typedef void (*vsk_rank_fn)(const float *q, const void *rows, size_t stride_bytes, size_t count,
                            size_t dim, float *out);

/* Rank with two results per row: the dot product, and the row's own sum of squares. Same accuracy,
 * each for itself. */
typedef void (*vsk_rank2_fn)(const float *q, const void *rows, size_t stride_bytes, size_t count,
                             size_t dim, float *out_dot, float *out_sumsq);

/*
 * Rank, many queries against many float32 rows, blocked like a matrix product.
 *
 *   q     [q_count][dim]    float32, query i at q + i * q_stride (in floats)
 *   rows  [row_count][dim]  float32, row j at rows + j * row_stride (in floats)
 *   out   [q_count][row_count]  out[i * row_count + j]
 *
 * Accuracy as vsk_rank_fn.
 */
typedef void (*vsk_tile_fn)(const float *q, size_t q_stride, size_t q_count, const float *rows,
                            size_t row_stride, size_t row_count, size_t dim, float *out);

/* Converts n elements. To a narrower type: round to nearest, ties to even; a magnitude beyond the
 * type becomes infinity. */
typedef void (*vsk_convert_fn)(const void *src, void *dst, size_t n);

/*
 * The half grid: out[i] = src[i] / norm, one IEEE division in float32, so the same bits at every
 * level. src: [n] of the kernel's element type; out: [n] float32; norm: normal, > 0.
 */
typedef void (*vsk_half_widen_fn)(const void *src, float norm, void *out, size_t n);

/* Index of the first NaN or infinity, or n. */
typedef size_t (*vsk_scan_fn)(const void *src, size_t n);

/* The rotation before coding, parts of the encoder, integer products and the bound test on codes,
 * and the checksum of stored bytes: see code.h. */
struct vsk_code_test;
typedef void (*vsk_code_dot_fn)(const int8_t *q, size_t q_stride, size_t q_count,
                                const uint8_t *rows, size_t stride_bytes, size_t count, size_t n,
                                int32_t *out);
typedef size_t (*vsk_code_pass_fn)(const struct vsk_code_test *test, const int32_t *dots,
                                   const float *inv, const float *cos, const float *sin,
                                   const float *r, size_t count, uint16_t *out);
typedef void (*vsk_rotate_fn)(float *v, size_t n);
struct vsk_code_products;
typedef float (*vsk_code_tail_fn)(const float *v, size_t n, const float *clips, double *lost);
typedef void (*vsk_code_planes_fn)(const float *low, const float *high, size_t count,
                                   float steps_per_unit, uint8_t *plane_b, uint8_t *plane_c,
                                   struct vsk_code_products *out);
typedef uint32_t (*vsk_checksum_fn)(const void *data, size_t n);
typedef void (*vsk_checksum_rows_fn)(const void *rows, size_t stride_bytes, size_t n, size_t count,
                                     uint32_t *out);

/* Integer products and the bound test on the front plane: see front.h. */
struct vsk_front_test;
typedef void (*vsk_front_dot_fn)(const int16_t *w, size_t w_stride, size_t q_count,
                                 const int8_t *rows, size_t count, size_t m, int32_t *out,
                                 size_t out_stride);
typedef size_t (*vsk_front_pass_fn)(const struct vsk_front_test *test, const int32_t *dots,
                                    const float *t, const float *rest, const float *g, size_t count,
                                    uint16_t *out);

/*
 * The dispatch table. Every pointer is set, at every level, except: entries marked "-" stay NULL
 * because the pair of operation and type has no meaning. Index by vsk_type.
 */
typedef struct vsk_table {
    vsk_pair_fn dot[VSK_TYPE_COUNT];      /* f32 f16 bf16 i8 - */
    vsk_pair_fn l2sq[VSK_TYPE_COUNT];     /* f32 f16 bf16 i8 - */
    vsk_pair_fn l1[VSK_TYPE_COUNT];       /* f32 f16 bf16 i8 - */
    vsk_one_fn sumsq[VSK_TYPE_COUNT];     /* f32 f16 bf16 i8 - */
    vsk_triple_fn triple[VSK_TYPE_COUNT]; /* f32 f16 bf16 i8 - */
    vsk_pair_fn hamming;                  /* bit: number of differing bits */
    vsk_pair_fn jaccard; /* bit: 1 - |a and b| / |a or b|; two empty sets are equal: 0 */

    vsk_rank_fn rank_dot[VSK_TYPE_COUNT];        /* f32 f16 bf16 - - */
    vsk_rank_fn rank_l2sq[VSK_TYPE_COUNT];       /* f32 f16 bf16 - - */
    vsk_rank_fn rank_l1[VSK_TYPE_COUNT];         /* f32 f16 bf16 - - */
    vsk_rank2_fn rank_dot_sumsq[VSK_TYPE_COUNT]; /* f32 f16 bf16 - - */
    vsk_tile_fn tile_dot;                        /* f32 */
    vsk_tile_fn tile_l2sq;                       /* f32 */

    vsk_convert_fn to_f32[VSK_TYPE_COUNT];        /* from: - f16 bf16 i8 - ; exact */
    vsk_convert_fn from_f32[VSK_TYPE_COUNT];      /* to:   - f16 bf16 - - */
    vsk_half_widen_fn half_widen[VSK_TYPE_COUNT]; /* - f16 bf16 - - */
    vsk_scan_fn find_nonfinite[VSK_TYPE_COUNT];   /* f32 f16 bf16 - - */

    vsk_rotate_fn rotate;
    vsk_code_tail_fn code_tail;
    vsk_code_planes_fn code_planes;
    vsk_code_dot_fn code_dot;
    vsk_code_pass_fn code_pass;
    vsk_checksum_fn checksum;
    vsk_checksum_rows_fn checksum_rows;
    vsk_front_dot_fn front_dot;
    vsk_front_pass_fn front_pass;
} vsk_table;

/*
 * Chooses the kernels for this CPU, once per process; later calls return at once. Thread-safe,
 * idempotent.
 *
 *   limit   highest level wanted, by name ("scalar", "sse2", "avx2", "avx512", "neon"), or NULL for
 *           the best there is. A level that the CPU lacks means the best one below it.
 *
 * Returns 0, or -1 when the name is unknown; then nothing was chosen.
 */
int vsk_init(const char *limit);

/* The chosen table. vsk_init must have returned 0. */
const vsk_table *vsk_get(void);

/* The level in use, and a level's name: "scalar", "sse2", "avx2", "avx512", "neon". */
vsk_level vsk_level_in_use(void);
const char *vsk_level_name(vsk_level level);
const char *vsk_type_name(vsk_type type); /* "float32" "float16" "bfloat16" "int8" "bit" */

/* Fills *out with the kernels of one level. Returns 0, or -1 when this build or this CPU lacks the
 * level. For tests and benchmarks. */
int vsk_table_for_level(vsk_level level, vsk_table *out);

/* Bytes of one vector: dim elements of `type` (dim/8 bytes for bits). */
size_t vsk_bytes(vsk_type type, size_t dim);

/*
 * What runs, one row per operation and type, for vec_kernels: index from 0, returns 0 past the end.
 * `level` is a level's name, or finer where an instruction-set extension decides: "avx512vnni",
 * "avx512bf16", "avx512vpopcntdq", "neondotprod".
 */
typedef struct vsk_kernel_info {
    const char *operation; /* "dot", "l2sq", ..., "rank_dot", "tile_dot", "to_float32", ... */
    vsk_type type;
    const char *level;
} vsk_kernel_info;
int vsk_kernel_at(size_t index, vsk_kernel_info *out);

/* Names of the instruction-set levels compiled into this build, separated by blanks: "scalar sse2
 * avx2 avx512". */
const char *vsk_levels_compiled(void);

/*
 * Top-k: the k smallest (distance, id) pairs, ordered by distance and then by id, in memory of the
 * caller. A binary max-heap: O(log k) per accepted pair, one comparison for a rejected one.
 * Distances must not be NaN.
 */
typedef struct vsk_hit {
    double distance;
    int64_t id;
} vsk_hit;

typedef struct vsk_topk {
    vsk_hit *heap; /* borrowed: [capacity] */
    size_t capacity;
    size_t count;
} vsk_topk;

void vsk_topk_init(vsk_topk *topk, vsk_hit *memory, size_t capacity);
/* 1 when (distance, id) comes before the last of a full heap, or the heap is not full (and capacity
 * is not 0). */
int vsk_topk_admits(const vsk_topk *topk, double distance, int64_t id);
void vsk_topk_push(vsk_topk *topk, double distance,
                   int64_t id); /* only what is admitted changes the heap */
double
vsk_topk_worst(const vsk_topk *topk); /* the largest kept distance; +infinity while not full */
void vsk_topk_sort(vsk_topk *topk);   /* heap order -> rising (distance, id); ends the pushing */

#endif
