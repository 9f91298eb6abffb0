/*
 * vsk_impl.h - what the kernel files share: the list of all kernels, and the rules their arithmetic
 * depends on.
 *
 * To add a kernel: write vsk_<op>_<type>_<isa>, add its row to the list of its level below. The
 * list declares it, puts it into the dispatch table, names it in vec_kernels, and hands it to the
 * tests and benchmarks; nothing else has to be told.
 *
 * Threads: everything here is constant.
 */
#ifndef VSK_IMPL_H
#define VSK_IMPL_H

#include <string.h>

#include "code.h"
#include "front.h"
#include "vsk.h"

#if defined(__FAST_MATH__)
#error "the kernels promise bits: build without -ffast-math"
#endif
#if defined(__AVX__)
#error "build for the baseline, without -mavx or -march: kernel files choose their own"
#endif
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the kernels read little-endian elements in place"
#endif

/*
 * The x86 kernels switch targets by pragmas that GCC and Clang have; other compilers get the scalar
 * level.
 */
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#define VSK_X86 1
#elif defined(__GNUC__) && defined(__aarch64__)
#define VSK_ARM64 1
/* Older versions of Clang hide vdotq_s32 without a global flag. */
#if !defined(__clang__) || __clang_major__ >= 16
#define VSK_ARM64_DOTPROD 1
#endif
#endif

#if defined(__GNUC__)
#define VSK_INLINE static inline __attribute__((always_inline)) /* folds constant arguments away */
#else
#define VSK_INLINE static inline
#endif

/*
 * VSK_ROUNDED_F64(x): x, rounded to double and kept from being fused with a later addition, for
 * scalars and for vectors of doubles. -ffp-contract=off says the same for a whole file, but users
 * of the amalgamation may not pass it, and GCC fuses across intrinsics too. An empty asm statement
 * costs no instruction. On x86 scalar code has no fused operation to fear.
 */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#define VSK_ROUNDED_F64(x) ((void)(x))
#elif defined(VSK_X86)
#define VSK_ROUNDED_F64(x) __asm__("" : "+x"(x))
#elif defined(VSK_ARM64)
#define VSK_ROUNDED_F64(x) __asm__("" : "+w"(x))
#elif defined(__GNUC__)
#define VSK_ROUNDED_F64(x) __asm__("" : "+m"(x))
#else
#define VSK_ROUNDED_F64(x) ((void)(x))
#endif

/* Likewise for float32. */
#if defined(__clang__)
#define VSK_ROUNDED_F32(x) ((void)(x))
#elif defined(VSK_X86)
#define VSK_ROUNDED_F32(x) ((void)(x)) /* the callers are compiled for the baseline */
#elif defined(VSK_ARM64)
#define VSK_ROUNDED_F32(x) __asm__("" : "+w"(x))
#elif defined(__GNUC__)
#define VSK_ROUNDED_F32(x) __asm__("" : "+m"(x))
#else
#define VSK_ROUNDED_F32(x) ((void)(x))
#endif

/* Likewise for vectors of float32. */
#define VSK_ROUNDED_F32_LANES(x) VSK_ROUNDED_F64(x)

#define VSK_LANES 16 /* of the canonical arithmetic, see vsk.h */

/* What a kernel needs of the CPU. A level's name stands for the bits up to its own. */
enum {
    VSK_NEEDS_SSE2 = 1u << 0,
    VSK_NEEDS_AVX2 = 1u << 1,   /* and FMA, F16C */
    VSK_NEEDS_AVX512 = 1u << 2, /* F, BW, DQ, VL */
    VSK_NEEDS_VNNI = 1u << 3,
    VSK_NEEDS_VPOPCNTDQ = 1u << 4,
    VSK_NEEDS_NEON = 1u << 5,
    VSK_NEEDS_DOTPROD = 1u << 6
};

/* The VSK_NEEDS_ bits that this CPU and its operating system provide. */
unsigned vsk_cpu_features(void);

typedef void (*vsk_any_fn)(void);

typedef struct vsk_kernel_row {
    const char *operation;
    vsk_type type;
    const char *level; /* as in vsk_kernel_info */
    unsigned needs;    /* VSK_NEEDS_ bits, all of them */
    size_t offset;     /* of its pointer in vsk_table */
    vsk_any_fn fn;
} vsk_kernel_row;

/*
 * All kernels of this build, in rising order of level: a later row replaces an earlier one of the
 * same offset.
 */
const vsk_kernel_row *vsk_kernel_rows(size_t *count);

/* Function types, to declare kernels by. */
typedef double vsk_pair_kernel(const void *a, const void *b, size_t dim);
typedef double vsk_one_kernel(const void *a, size_t dim);
typedef void vsk_triple_kernel(const void *a, const void *b, size_t dim, double out[3]);
typedef void vsk_rank_kernel(const float *q, const void *rows, size_t stride_bytes, size_t count,
                             size_t dim, float *out);
typedef void vsk_rank2_kernel(const float *q, const void *rows, size_t stride_bytes, size_t count,
                              size_t dim, float *out_dot, float *out_sumsq);
typedef void vsk_tile_kernel(const float *q, size_t q_stride, size_t q_count, const float *rows,
                             size_t row_stride, size_t row_count, size_t dim, float *out);
typedef void vsk_convert_kernel(const void *src, void *dst, size_t n);
typedef void vsk_half_widen_kernel(const void *src, float norm, void *out, size_t n);
typedef size_t vsk_scan_kernel(const void *src, size_t n);
typedef void vsk_rotate_kernel(float *v, size_t n);
typedef float vsk_code_tail_kernel(const float *v, size_t n, const float *clips, double *lost);
typedef void vsk_code_planes_kernel(const float *low, const float *high, size_t count,
                                    float steps_per_unit, uint8_t *plane_b, uint8_t *plane_c,
                                    vsk_code_products *out);
typedef void vsk_code_dot_kernel(const int8_t *q, size_t q_stride, size_t q_count,
                                 const uint8_t *rows, size_t stride_bytes, size_t count, size_t n,
                                 int32_t *out);
typedef size_t vsk_code_pass_kernel(const struct vsk_code_test *test, const int32_t *dots,
                                    const float *inv, const float *cos, const float *sin,
                                    const float *r, size_t count, uint16_t *out);
typedef uint32_t vsk_checksum_kernel(const void *data, size_t n);
typedef void vsk_checksum_rows_kernel(const void *rows, size_t stride_bytes, size_t n, size_t count,
                                      uint32_t *out);
typedef void vsk_front_dot_kernel(const int16_t *w, size_t w_stride, size_t q_count,
                                  const int8_t *rows, size_t count, size_t m, int32_t *out,
                                  size_t out_stride);
typedef size_t vsk_front_pass_kernel(const struct vsk_front_test *test, const int32_t *dots,
                                     const float *t, const float *rest, const float *g,
                                     size_t count, uint16_t *out);

/*
 * Families of rows: X(kind, field of vsk_table, operation, vsk_type, function, level, needs).
 * t and T are the two spellings of the element type: f32 and VSK_F32.
 */
#define VSK_ROWS_CANONICAL(X, t, T, isa, level, needs)                                             \
    X(pair, dot[T], "dot", T, vsk_dot_##t##_##isa, level, needs)                                   \
    X(pair, l2sq[T], "l2sq", T, vsk_l2sq_##t##_##isa, level, needs)                                \
    X(pair, l1[T], "l1", T, vsk_l1_##t##_##isa, level, needs)                                      \
    X(one, sumsq[T], "sumsq", T, vsk_sumsq_##t##_##isa, level, needs)                              \
    X(triple, triple[T], "triple", T, vsk_triple_##t##_##isa, level, needs)
#define VSK_ROWS_BIT(X, isa, level, needs)                                                         \
    X(pair, hamming, "hamming", VSK_BIT, vsk_hamming_bit_##isa, level, needs)                      \
    X(pair, jaccard, "jaccard", VSK_BIT, vsk_jaccard_bit_##isa, level, needs)
#define VSK_ROWS_RANK(X, t, T, isa, level, needs)                                                  \
    X(rank, rank_dot[T], "rank_dot", T, vsk_rank_dot_##t##_##isa, level, needs)                    \
    X(rank, rank_l2sq[T], "rank_l2sq", T, vsk_rank_l2sq_##t##_##isa, level, needs)                 \
    X(rank, rank_l1[T], "rank_l1", T, vsk_rank_l1_##t##_##isa, level, needs)                       \
    X(rank2, rank_dot_sumsq[T], "rank_dot_sumsq", T, vsk_rank_dot_sumsq_##t##_##isa, level, needs)
#define VSK_ROWS_TILE(X, isa, level, needs)                                                        \
    X(tile, tile_dot, "tile_dot", VSK_F32, vsk_tile_dot_f32_##isa, level, needs)                   \
    X(tile, tile_l2sq, "tile_l2sq", VSK_F32, vsk_tile_l2sq_f32_##isa, level, needs)
#define VSK_ROW_TO_F32(X, t, T, isa, level, needs)                                                 \
    X(convert, to_f32[T], "to_float32", T, vsk_to_f32_##t##_##isa, level, needs)
#define VSK_ROW_FROM_F32(X, t, T, isa, level, needs)                                               \
    X(convert, from_f32[T], "from_float32", T, vsk_from_f32_##t##_##isa, level, needs)
#define VSK_ROW_HALF_WIDEN(X, t, T, isa, level, needs)                                             \
    X(half_widen, half_widen[T], "half_widen", T, vsk_half_widen_##t##_##isa, level, needs)
#define VSK_ROW_SCAN(X, t, T, isa, level, needs)                                                   \
    X(scan, find_nonfinite[T], "find_nonfinite", T, vsk_find_nonfinite_##t##_##isa, level, needs)

#define VSK_ROW_ROTATE(X, isa, level, needs)                                                       \
    X(rotate, rotate, "rotate", VSK_F32, vsk_rotate_f32_##isa, level, needs)
#define VSK_ROW_CODE_TAIL(X, isa, level, needs)                                                    \
    X(code_tail, code_tail, "code_tail", VSK_F32, vsk_code_tail_f32_##isa, level, needs)
#define VSK_ROW_CODE_PLANES(X, isa, level, needs)                                                  \
    X(code_planes, code_planes, "code_planes", VSK_F32, vsk_code_planes_f32_##isa, level, needs)
#define VSK_ROW_CODE_DOT(X, isa, level, needs)                                                     \
    X(code_dot, code_dot, "code_dot", VSK_I8, vsk_code_dot_i8_##isa, level, needs)
#define VSK_ROW_CODE_PASS(X, isa, level, needs)                                                    \
    X(code_pass, code_pass, "code_pass", VSK_F32, vsk_code_pass_f32_##isa, level, needs)
#define VSK_ROWS_CHECKSUM(X, isa, level, needs)                                                    \
    X(checksum, checksum, "checksum", VSK_BIT, vsk_checksum_bit_##isa, level, needs)               \
    X(checksum_rows, checksum_rows, "checksum_rows", VSK_BIT, vsk_checksum_rows_bit_##isa, level,  \
      needs)

#define VSK_ROW_FRONT_DOT(X, isa, level, needs)                                                    \
    X(front_dot, front_dot, "front_dot", VSK_I8, vsk_front_dot_i8_##isa, level, needs)
#define VSK_ROW_FRONT_PASS(X, isa, level, needs)                                                   \
    X(front_pass, front_pass, "front_pass", VSK_F32, vsk_front_pass_f32_##isa, level, needs)

#define VSK_ROWS_CODE(X, isa, level, needs)                                                        \
    VSK_ROW_ROTATE(X, isa, level, needs)                                                           \
    VSK_ROW_CODE_PLANES(X, isa, level, needs)                                                      \
    VSK_ROW_CODE_DOT(X, isa, level, needs)                                                         \
    VSK_ROW_CODE_PASS(X, isa, level, needs)                                                        \
    VSK_ROWS_CHECKSUM(X, isa, level, needs)                                                        \
    VSK_ROW_FRONT_DOT(X, isa, level, needs)                                                        \
    VSK_ROW_FRONT_PASS(X, isa, level, needs)

/* Everything a level can have, except what it leaves to the level below. */
#define VSK_ROWS_ALL(X, isa, level, needs)                                                         \
    VSK_ROWS_CANONICAL(X, f32, VSK_F32, isa, level, needs)                                         \
    VSK_ROWS_CANONICAL(X, f16, VSK_F16, isa, level, needs)                                         \
    VSK_ROWS_CANONICAL(X, bf16, VSK_BF16, isa, level, needs)                                       \
    VSK_ROWS_CANONICAL(X, i8, VSK_I8, isa, level, needs)                                           \
    VSK_ROWS_BIT(X, isa, level, needs)                                                             \
    VSK_ROWS_RANK(X, f32, VSK_F32, isa, level, needs)                                              \
    VSK_ROWS_RANK(X, f16, VSK_F16, isa, level, needs)                                              \
    VSK_ROWS_RANK(X, bf16, VSK_BF16, isa, level, needs)                                            \
    VSK_ROWS_TILE(X, isa, level, needs)                                                            \
    VSK_ROW_TO_F32(X, f16, VSK_F16, isa, level, needs)                                             \
    VSK_ROW_TO_F32(X, bf16, VSK_BF16, isa, level, needs)                                           \
    VSK_ROW_TO_F32(X, i8, VSK_I8, isa, level, needs)                                               \
    VSK_ROW_FROM_F32(X, bf16, VSK_BF16, isa, level, needs)                                         \
    VSK_ROW_HALF_WIDEN(X, f16, VSK_F16, isa, level, needs)                                         \
    VSK_ROW_HALF_WIDEN(X, bf16, VSK_BF16, isa, level, needs)                                       \
    VSK_ROW_SCAN(X, f32, VSK_F32, isa, level, needs)                                               \
    VSK_ROW_SCAN(X, f16, VSK_F16, isa, level, needs)                                               \
    VSK_ROW_SCAN(X, bf16, VSK_BF16, isa, level, needs)

#define VSK_KERNELS_SCALAR(X)                                                                      \
    VSK_ROWS_ALL(X, scalar, "scalar", 0)                                                           \
    VSK_ROW_FROM_F32(X, f16, VSK_F16, scalar, "scalar", 0)                                         \
    VSK_ROW_CODE_TAIL(X, scalar, "scalar", 0)                                                      \
    VSK_ROWS_CODE(X, scalar, "scalar", 0)

#if defined(VSK_X86)
#define VSK_KERNELS_SIMD(X)                                                                        \
    VSK_ROWS_ALL(X, sse2, "sse2", VSK_NEEDS_SSE2)                                                  \
    VSK_ROWS_CODE(X, sse2, "sse2", VSK_NEEDS_SSE2)                                                 \
    VSK_ROWS_ALL(X, avx2, "avx2", VSK_NEEDS_AVX2)                                                  \
    VSK_ROW_FROM_F32(X, f16, VSK_F16, avx2, "avx2", VSK_NEEDS_AVX2)                                \
    VSK_ROW_CODE_TAIL(X, avx2, "avx2", VSK_NEEDS_AVX2)                                             \
    VSK_ROWS_CODE(X, avx2, "avx2", VSK_NEEDS_AVX2)                                                 \
    VSK_ROWS_ALL(X, avx512, "avx512", VSK_NEEDS_AVX512)                                            \
    VSK_ROW_FROM_F32(X, f16, VSK_F16, avx512, "avx512", VSK_NEEDS_AVX512)                          \
    VSK_ROW_ROTATE(X, avx512, "avx512", VSK_NEEDS_AVX512)                                          \
    VSK_ROW_CODE_PLANES(X, avx512, "avx512", VSK_NEEDS_AVX512)                                     \
    VSK_ROW_CODE_PASS(X, avx512, "avx512", VSK_NEEDS_AVX512)                                       \
    VSK_ROWS_CHECKSUM(X, avx512, "avx512", VSK_NEEDS_AVX512)                                       \
    VSK_ROW_FRONT_DOT(X, avx512, "avx512", VSK_NEEDS_AVX512)                                       \
    VSK_ROW_FRONT_PASS(X, avx512, "avx512", VSK_NEEDS_AVX512)                                      \
    VSK_ROW_CODE_DOT(X, avx512vnni, "avx512vnni", VSK_NEEDS_VNNI)                                  \
    VSK_ROW_FRONT_DOT(X, avx512vnni, "avx512vnni", VSK_NEEDS_VNNI)                                 \
    X(pair, dot[VSK_I8], "dot", VSK_I8, vsk_dot_i8_avx512vnni, "avx512vnni", VSK_NEEDS_VNNI)       \
    X(pair, l2sq[VSK_I8], "l2sq", VSK_I8, vsk_l2sq_i8_avx512vnni, "avx512vnni", VSK_NEEDS_VNNI)    \
    X(one, sumsq[VSK_I8], "sumsq", VSK_I8, vsk_sumsq_i8_avx512vnni, "avx512vnni", VSK_NEEDS_VNNI)  \
    X(triple, triple[VSK_I8], "triple", VSK_I8, vsk_triple_i8_avx512vnni, "avx512vnni",            \
      VSK_NEEDS_VNNI)                                                                              \
    VSK_ROWS_BIT(X, avx512vpopcntdq, "avx512vpopcntdq", VSK_NEEDS_VPOPCNTDQ)
#elif defined(VSK_ARM64)
#if defined(VSK_ARM64_DOTPROD)
#define VSK_KERNELS_DOTPROD(X)                                                                     \
    VSK_ROWS_CANONICAL(X, i8, VSK_I8, neondotprod, "neondotprod", VSK_NEEDS_DOTPROD)               \
    VSK_ROW_CODE_DOT(X, neondotprod, "neondotprod", VSK_NEEDS_DOTPROD)
#else
#define VSK_KERNELS_DOTPROD(X)
#endif
#define VSK_KERNELS_SIMD(X)                                                                        \
    VSK_ROWS_ALL(X, neon, "neon", VSK_NEEDS_NEON)                                                  \
    VSK_ROW_FROM_F32(X, f16, VSK_F16, neon, "neon", VSK_NEEDS_NEON)                                \
    VSK_ROWS_CODE(X, neon, "neon", VSK_NEEDS_NEON)                                                 \
    VSK_KERNELS_DOTPROD(X)
#else
#define VSK_KERNELS_SIMD(X)
#endif

#define VSK_DECLARE(kind, field, operation, type, fn, level, needs) vsk_##kind##_kernel fn;
VSK_KERNELS_SCALAR(VSK_DECLARE)
VSK_KERNELS_SIMD(VSK_DECLARE)
#undef VSK_DECLARE

/*
 * GCC keeps small arrays of vectors in registers only when it unrolls the loops over them; Clang
 * does so unasked.
 */
#if defined(__GNUC__) && !defined(__clang__)
#define VSK_UNROLL _Pragma("GCC unroll 16")
#else
#define VSK_UNROLL
#endif

typedef enum vsk_pair_op { VSK_PAIR_DOT, VSK_PAIR_L2SQ, VSK_PAIR_L1 } vsk_pair_op;

/*
 * The entry points of one element type, each a call of an inline body with operation and type as
 * constants:
 *     canon_pair_<isa>(a, b, dim, op, type)
 *     canon_triple_<isa>(a, b, dim, out, type)
 *     rank_<isa>(q, rows, stride_bytes, count, dim, out, out_sumsq, op, type)
 */
#define VSK_DEFINE_CANONICAL(t, T, isa)                                                            \
    double vsk_dot_##t##_##isa(const void *a, const void *b, size_t dim)                           \
    {                                                                                              \
        return canon_pair_##isa(a, b, dim, VSK_PAIR_DOT, T);                                       \
    }                                                                                              \
    double vsk_l2sq_##t##_##isa(const void *a, const void *b, size_t dim)                          \
    {                                                                                              \
        return canon_pair_##isa(a, b, dim, VSK_PAIR_L2SQ, T);                                      \
    }                                                                                              \
    double vsk_l1_##t##_##isa(const void *a, const void *b, size_t dim)                            \
    {                                                                                              \
        return canon_pair_##isa(a, b, dim, VSK_PAIR_L1, T);                                        \
    }                                                                                              \
    double vsk_sumsq_##t##_##isa(const void *a, size_t dim)                                        \
    {                                                                                              \
        return canon_pair_##isa(a, a, dim, VSK_PAIR_DOT, T);                                       \
    }                                                                                              \
    void vsk_triple_##t##_##isa(const void *a, const void *b, size_t dim, double out[3])           \
    {                                                                                              \
        canon_triple_##isa(a, b, dim, out, T);                                                     \
    }

/* From i8_pair_<isa>(a, b, dim, op), which returns the sum modulo 2^32. */
#define VSK_DEFINE_I8(isa)                                                                         \
    double vsk_dot_i8_##isa(const void *a, const void *b, size_t dim)                              \
    {                                                                                              \
        return (int32_t)i8_pair_##isa(a, b, dim, VSK_PAIR_DOT);                                    \
    }                                                                                              \
    double vsk_l2sq_i8_##isa(const void *a, const void *b, size_t dim)                             \
    {                                                                                              \
        return i8_pair_##isa(a, b, dim, VSK_PAIR_L2SQ);                                            \
    }                                                                                              \
    double vsk_l1_i8_##isa(const void *a, const void *b, size_t dim)                               \
    {                                                                                              \
        return i8_pair_##isa(a, b, dim, VSK_PAIR_L1);                                              \
    }                                                                                              \
    double vsk_sumsq_i8_##isa(const void *a, size_t dim)                                           \
    {                                                                                              \
        return vsk_dot_i8_##isa(a, a, dim);                                                        \
    }                                                                                              \
    void vsk_triple_i8_##isa(const void *a, const void *b, size_t dim, double out[3])              \
    {                                                                                              \
        out[0] = vsk_dot_i8_##isa(a, b, dim);                                                      \
        out[1] = vsk_dot_i8_##isa(a, a, dim);                                                      \
        out[2] = vsk_dot_i8_##isa(b, b, dim);                                                      \
    }

/* From bit_counts_<isa>(a, b, dim, counts, is_jaccard). */
#define VSK_DEFINE_BIT(isa)                                                                        \
    double vsk_hamming_bit_##isa(const void *a, const void *b, size_t dim)                         \
    {                                                                                              \
        uint64_t counts[2];                                                                        \
        bit_counts_##isa(a, b, dim, counts, 0);                                                    \
        return (double)counts[0];                                                                  \
    }                                                                                              \
    double vsk_jaccard_bit_##isa(const void *a, const void *b, size_t dim)                         \
    {                                                                                              \
        uint64_t counts[2];                                                                        \
        bit_counts_##isa(a, b, dim, counts, 1);                                                    \
        return vsk_jaccard_of_counts(counts[0], counts[1]);                                        \
    }

typedef enum vsk_rank_op {
    VSK_RANK_DOT,
    VSK_RANK_L2SQ,
    VSK_RANK_L1,
    VSK_RANK_DOT_SUMSQ
} vsk_rank_op;

#define VSK_DEFINE_RANK_OP(op, OP, t, T, isa)                                                      \
    void vsk_rank_##op##_##t##_##isa(const float *q, const void *rows, size_t stride_bytes,        \
                                     size_t count, size_t dim, float *out)                         \
    {                                                                                              \
        rank_##isa(q, rows, stride_bytes, count, dim, out, NULL, OP, T);                           \
    }
#define VSK_DEFINE_RANK(t, T, isa)                                                                 \
    VSK_DEFINE_RANK_OP(dot, VSK_RANK_DOT, t, T, isa)                                               \
    VSK_DEFINE_RANK_OP(l2sq, VSK_RANK_L2SQ, t, T, isa)                                             \
    VSK_DEFINE_RANK_OP(l1, VSK_RANK_L1, t, T, isa)                                                 \
    void vsk_rank_dot_sumsq_##t##_##isa(const float *q, const void *rows, size_t stride_bytes,     \
                                        size_t count, size_t dim, float *out_dot,                  \
                                        float *out_sumsq)                                          \
    {                                                                                              \
        rank_##isa(q, rows, stride_bytes, count, dim, out_dot, out_sumsq, VSK_RANK_DOT_SUMSQ, T);  \
    }

/*
 * From convert_good_bytes_<isa>(src, bytes, type): whole vectors without NaN and infinity; the
 * scalar kernel finds the element.
 */
#define VSK_DEFINE_SCAN(t, T, isa)                                                                 \
    size_t vsk_find_nonfinite_##t##_##isa(const void *src, size_t n)                               \
    {                                                                                              \
        size_t element = vsk_element_bytes(T);                                                     \
        size_t good_bytes = convert_good_bytes_##isa(src, n * element, T);                         \
        size_t good = good_bytes / element;                                                        \
        const unsigned char *rest = (const unsigned char *)src + good_bytes;                       \
        return good + vsk_find_nonfinite_##t##_scalar(rest, n - good);                             \
    }

/*
 * The signs of 64 elements in one turn of the rotation: bit j is that of element 64 * group + j.
 * The finaliser of splitmix64 (Steele, Lea and Flood, 2014).
 */
VSK_INLINE uint64_t code_sign_word(unsigned turn, size_t group)
{
    uint64_t z = ((uint64_t)turn << 32 | ((uint64_t)group + 1)) * 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

#define VSK_ROTATE_MIRROR 0x1.6a09e6p-1f /* 1 / sqrt 2 */

/* The largest power of two that is not above n, and one over its root. */
VSK_INLINE size_t code_window(size_t n, float *out_scale)
{
    size_t window = VSK_CODE_GROUP;
    float scale = 0.125f;
    int is_even = 1; /* power of two: its root is one, too */

    while (2 * window <= n) {
        window *= 2;
        scale *= is_even ? 1.0f : 0.5f;
        is_even = !is_even;
    }
    *out_scale = is_even ? scale : scale * VSK_ROTATE_MIRROR;
    return window;
}

VSK_INLINE unsigned code_turns(size_t n, size_t window)
{
    return n == window ? 2 : 4;
}

/* The bits of |x|; they order as the numbers do. */
VSK_INLINE uint32_t code_magnitude_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x7fffffffu;
}

VSK_INLINE float code_float_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* What the encoder of code.c does with the kernels of one level. */
void vsk_code_encode_with(const vsk_table *kernels, const float *v, size_t n, uint8_t *plane_b,
                          uint8_t *plane_c, vsk_code_terms *out);

/* The last rows of a block, from `first` on: those that a level's whole registers leave. */
VSK_INLINE size_t code_pass_rest(const vsk_code_test *test, const int32_t *dots, const float *inv,
                                 const float *cos, const float *sin, const float *r, size_t first,
                                 size_t count, uint16_t *out)
{
    size_t kept = vsk_code_pass_f32_scalar(test, dots + first, inv + first, cos + first,
                                           sin + first, r + first, count - first, out);

    for (size_t i = 0; i < kept; i++) {
        out[i] = (uint16_t)(out[i] + first);
    }
    return kept;
}

/* Likewise for the front plane. */
VSK_INLINE size_t front_pass_rest(const vsk_front_test *test, const int32_t *dots, const float *t,
                                  const float *rest, const float *g, size_t first, size_t count,
                                  uint16_t *out)
{
    size_t kept = vsk_front_pass_f32_scalar(test, dots + first, t + first, rest + first, g + first,
                                            count - first, out);

    for (size_t i = 0; i < kept; i++) {
        out[i] = (uint16_t)(out[i] + first);
    }
    return kept;
}

VSK_INLINE void code_checksum_start(uint32_t lanes[16])
{
    for (uint32_t j = 0; j < 16; j++) {
        lanes[j] = VSK_CHECKSUM_SEED * (j + 1);
    }
}

VSK_INLINE uint32_t code_checksum_mix(uint32_t x)
{
    x *= VSK_CHECKSUM_FOLD;
    return x ^ (x >> 13);
}

/* The end of the checksum, when one lane is left. */
VSK_INLINE uint32_t code_checksum_end(uint32_t lane, size_t n)
{
    uint32_t sum = code_checksum_mix(lane ^ (uint32_t)n);
    sum = code_checksum_mix(sum ^ (uint32_t)((uint64_t)n >> 32));
    return sum ^ (sum >> 16);
}

/* The checksum from its lanes, which it changes. */
VSK_INLINE uint32_t code_checksum_fold(uint32_t lanes[16], size_t n)
{
    for (int half = 8; half > 0; half /= 2) {
        for (int j = 0; j < half; j++) {
            uint32_t other = lanes[j + half];
            lanes[j] = code_checksum_mix(lanes[j] ^ (other << 16 | other >> 16));
        }
    }
    return code_checksum_end(lanes[0], n);
}

/* Bytes of one element; bits have none. */
VSK_INLINE size_t vsk_element_bytes(vsk_type type)
{
    return type == VSK_F32 ? 4 : type == VSK_I8 ? 1 : 2;
}

#endif
