/*
 * code.h - codes: a vector in 8 bits per element, in two planes of 4 bits, and the arithmetic of
 * bounds on them.
 *
 * A code describes the direction of a vector v of n floats (the rotated residual of a row). Element
 * i has the value (u_i - 127.5) * step with u_i in 0..255; plane B keeps u_i >> 4, plane C keeps
 * u_i & 15. Plane B alone describes v as (B_i - 7.5) * 16 * step. The step cancels in every angle
 * and is not kept.
 *
 * A plane in memory: n/2 bytes, byte j holds element j in its low nibble and element n/2 + j in its
 * high nibble. n is a multiple of VSK_CODE_GROUP. Elements beyond the vector's own dimension are
 * those of the rotation: they carry energy like all others.
 *
 * Everything that ends up in a file (rotation, codes, terms, checksums) has the same bits on every
 * level and machine: element-wise float32 operations without contraction, sums by the canonical
 * kernels of vsk.h or in integers, and single operations in double.
 *
 * vsk_init must have returned 0 before vsk_rotate and vsk_code_encode. All functions may be called
 * by any thread, and none allocates. The dispatched kernels are fields of vsk_table: rotate,
 * code_tail, code_planes, code_dot, code_pass, checksum; their types are in vsk.h.
 */
#ifndef VSK_CODE_H
#define VSK_CODE_H

#include "vsk.h"

#define VSK_CODE_GROUP 64

/* Elements of the code of a vector of dim elements: dim rounded up to a multiple of VSK_CODE_GROUP;
 * at most VSK_DIM_MAX. */
size_t vsk_code_dim(size_t dim);

/*
 * Rotates v[n] in place by a fixed pseudo-random rotation R that mixes every element with every
 * other one. n is a multiple of VSK_CODE_GROUP, at least VSK_CODE_GROUP and at most VSK_DIM_MAX.
 *
 * In full, so that a new level can be written from this text alone. P is the largest power of two
 * with P <= n. Turns t = 0, 1 where n = P, else t = 0 .. 3; each works on a window, v[0 .. P-1] in
 * even turns and v[n-P .. n-1] in odd ones, with these steps, element-wise in float32:
 *     signs     element i, of all in even turns and of the window in odd ones, changes its sign
 *               when bit i mod 64 of code_sign_word(t, i / 64) is set (i counts from v[0])
 *     mirror    only in even turns, and only where n is not P: for i < n/2, with x = v[i] and y =
 *               v[n-1-i], v[i] = (x + y) * c and v[n-1-i] = (x - y) * c, c = 0x1.6a09e6p-1f
 *               (1 / sqrt 2); so that energy which lies in one window alone reaches the other
 *     mixing    within the window w: for h = 1, 2, 4, ... P/2, for every i with i & h = 0, x = w[i]
 *               and y = w[i + h], w[i] = x + y and w[i + h] = x - y; then each element times
 *               1 / sqrt P (rounded to float32)
 *
 * Orthogonal but for rounding: |vsk_rotate(v) - R v| <= VSK_ROTATE_ERROR |v|, barring underflow and
 * overflow (|v| within 2^-60 .. 2^60 is safe). With u = 2^-24, each pass over the elements is an
 * orthogonal step whose rounding is at most u of the length, a constant adds 0.3 u; with at most 16
 * stages and one multiplication per window, four windows, and two passes of a mirror before two of
 * them, that is less than (4 * 17.3 + 2 * 2.3) u < 75 u < 4.5e-6.
 */
#define VSK_ROTATE_ERROR 1e-5
void vsk_rotate(float *v, size_t n);

/* What bounds need of one row's code, for plane B alone (4) and for both planes (8). */
typedef struct vsk_code_terms {
    float cos4; /* of the angle between v and its code: within 2e-7 of the exact value */
    float sin4; /* not below the exact one and at most 2e-7 + 1e-6 sin above it */
    float inv4; /* 1 / |code in units of plane B: (B_i - 7.5)|, relative error 2^-23 */
    float cos8, sin8;
    float inv8; /* 1 / |(u_i - 127.5)| */
} vsk_code_terms;

/*
 * Codes v[n]. plane_b, plane_c: [n/2] bytes each; they may not overlap v. The choice of the step is
 * the encoder's: the terms tell what came of it. |v| should be within 2^-60 .. 2^60; where v is 0,
 * not finite or so small that the step's inverse overflows, the terms are those that bound nothing
 * (cos -1, sin 0: x is never below -1).
 */
void vsk_code_encode(const float *v, size_t n, uint8_t *plane_b, uint8_t *plane_c,
                     vsk_code_terms *out);

/*
 * vsk_code_tail_fn: what clipping would lose. lost[k] is the sum over all elements with |v_i| >
 * clips[k], in rising i from +0.0, of (|v_i| - clips[k])^2: difference, square and sum are rounded
 * to double, each for itself. Returns the largest |v_i|.
 *
 *   v      [n]               finite; n is a multiple of VSK_CODE_GROUP
 *   clips  [VSK_CODE_CLIPS]  rising, the same one may come again; not negative, may be infinite
 *   lost   [VSK_CODE_CLIPS]
 */
#define VSK_CODE_CLIPS 16

/*
 * vsk_code_planes_fn: a piece of the planes, and what products with their values come to. Element
 * x has u = trunc(x * steps_per_unit + 128), both rounded to float32, clipped to 0 .. 255.
 *
 *   low, high  [count]  the elements of low and of high nibbles; |x * steps_per_unit| < 2^30
 *   plane_b, plane_c    [count] bytes; may not overlap the elements
 *   out        [2]      for 16 (B - 7.5), then for u - 127.5: the canonical dot product (vsk.h) of
 *                       elements and values, low and then high ones, and the values' sum of
 *                       squares, which is exact
 *
 * count is a multiple of VSK_CODE_GROUP / 2, not 0, and at most VSK_CODE_PIECE.
 */
#define VSK_CODE_PIECE 256
typedef struct vsk_code_products {
    double dot;
    double sumsq;
} vsk_code_products;

/* Values of a code of n elements, for tests and checks: out[i] = u_i - 127.5, or 16 (B_i - 7.5)
 * when plane_c is NULL. */
void vsk_code_decode(const uint8_t *plane_b, const uint8_t *plane_c, size_t n, float *out);

/*
 * The direction of a query p[n] in two int8 planes: p_i / |p| ~ scale * (high_i + low_i / 254),
 * high and low within -127 .. 127. |p| is computed and need not be 1 exactly. sum_high and sum_low
 * are the sums of the elements; error_high and error_both bound |p / |p| - its approximation| (L2
 * norm) from above, the first for high alone. A p that is 0 or not finite gives planes of zeros
 * and infinite errors.
 */
typedef struct vsk_code_query {
    int8_t *high, *low; /* borrowed: [n] each */
    double scale;
    int32_t sum_high, sum_low;
    double error_high, error_both;
} vsk_code_query;
void vsk_code_query_init(const float *p, size_t n, int8_t *high, int8_t *low, vsk_code_query *out);

/*
 * vsk_code_dot_fn: integer dot products of int8 queries and rows of 4-bit planes: out[i * count +
 * j] = sum over elements of q_i * row_j, with row elements 0..15 (the offset 7.5 is the caller's).
 *
 *   q     [q_count][n]  int8, query i at q + i * q_stride; elements within -127 .. 127
 *   rows  [count][n/2]  plane bytes, row j at rows + j * stride_bytes
 *   out   [q_count][count]  int32; exact (|out| <= 15 * 127 * 65536)
 *
 * n is a multiple of VSK_CODE_GROUP. Any alignment. q_count 1 is the memory-bound case, larger ones
 * share the unpacking. Reads nothing outside the rows and queries.
 */

/*
 * vsk_code_pass_fn: the bound test over a block of rows, on plane B (or on both, with dot products
 * combined by the caller): which rows may still be within the limit.
 *
 *   For row i, in float32:
 *     s = scale * (2 * dots[i] - offset2) * inv[i]     cosine of query and code, up to `error`
 *     x = s + error, not below -1
 *     U = 1                                            if x >= cos[i]
 *       = cos[i] x + sin[i] sqrt(1 - x^2)              otherwise
 *     T = alpha * r[i] + beta / r[i]
 *     the row is dropped when  U < T - slack * (|alpha| r[i] + |beta| / r[i] + 1)
 *   A NaN on either side keeps the row. r[i] = 0 keeps the row when beta is not positive.
 *
 * Whatever the order of evaluation, a row that the formula in exact arithmetic with slack = 0 keeps
 * is kept: slack, at least VSK_CODE_SLACK, pays for float32. For cos and sin as vsk_code_encode
 * gives them, 0 <= r, |alpha| and |beta| below 2^120. Which rows close to the limit are dropped may
 * depend on the level.
 *
 * Neither root nor cases: with W = T - slack * (...) = alpha' r + beta' / r - slack, where alpha' =
 * alpha - slack |alpha| and beta' = beta - slack |beta|, the kernels drop a row when
 *     W > 1,   or   x < cos  and  D := W - cos x > 0  and  D^2 > sin^2 (1 - x^2 + VSK_CODE_ROOT).
 *
 * Why that is enough, with u = 2^-24, S = |alpha| r + |beta| / r + 1 >= 1:
 *   W   alpha' and beta' carry 2 u each, product, quotient, sum and difference one more each: W is
 *       within 6 u S of T - slack S.
 *   x   conversion, two products and a sum, each u; the caller's scale, u, and inv, 2 u: within 8 u
 *       of the exact one, as |x| <= 1 + small. In cos x that is 8 u, and 3.4 u come from cos (2e-7)
 *       and u from the product. In 1 - x^2 it is 16 u, and 2 u come from its evaluation: less than
 *       VSK_CODE_ROOT (33 u), so the root is never too small, also close to x = -1, where it is as
 *       steep as can be.
 *   D   is then at most the exact W + 6 u S - cos x + 12.4 u + u (S + 1), D^2 and sin^2 (...) add a
 *       relative 3 u together: in all less than (7 S + 17) u <= 24 u S.
 *   If x >= cos exactly but not as computed, x is within 8 u of cos, and U is 1 - 8 u at least,
 *       which the 24 u S and what remains of slack hold. W > 1 means T > 1 + 2 slack, and U <= 1 +
 *       2e-6 for a sine within its promise.
 * So 32 u < 2e-6 would do; VSK_CODE_SLACK is 67 u.
 */
#define VSK_CODE_SLACK 4e-6f
#define VSK_CODE_ROOT 2e-6f
typedef struct vsk_code_test {
    float scale;     /* half the query's scale: the dot product comes doubled */
    int32_t offset2; /* 15 * sum of the query's elements */
    float error;
    float alpha, beta;
    float slack;
} vsk_code_test;

/* alpha' and beta'. */
typedef struct vsk_code_limits {
    float alpha, beta;
} vsk_code_limits;

static inline vsk_code_limits vsk_code_limits_of(const vsk_code_test *test)
{
    float alpha = test->alpha < 0 ? -test->alpha : test->alpha;
    float beta = test->beta < 0 ? -test->beta : test->beta;

    return (vsk_code_limits){test->alpha - test->slack * alpha, test->beta - test->slack * beta};
}

/* The test of one row. */
static inline int vsk_code_stays(const vsk_code_test *test, vsk_code_limits limits, int32_t dot,
                                 float inv, float cos, float sin, float r)
{
    float s = test->scale * (float)(2 * dot - test->offset2) * inv;
    float x = s + test->error < -1.0f ? -1.0f : s + test->error;
    float w = limits.alpha * r + limits.beta / r - test->slack;
    float d = w - cos * x;
    float root = 1.0f - x * x + VSK_CODE_ROOT;

    return !(w > 1.0f || (x < cos && d > 0.0f && d * d > sin * sin * root));
}

/*
 * Writes the positions of the rows that stay, rising, to out[count] and returns their number; what
 * lies behind them in out[count] is undefined. count <= 65,535.
 */

/*
 * vsk_checksum_fn: checksum of n bytes, to find damage (no defence against forgery). The same value
 * on every level. Any alignment; n may be 0.
 *
 * The bytes, padded with zeros to a multiple of 64, are little-endian uint32 words; word i belongs
 * to lane i mod 16. All arithmetic is modulo 2^32.
 *     lane j starts as VSK_CHECKSUM_SEED * (j + 1)
 *     each of its words w:      h = (h ^ w) * VSK_CHECKSUM_STEP;  h ^= h >> 15
 * Then a tree over the lanes, for records are short; mix(x) is y ^ y >> 13 of
 * y = x * VSK_CHECKSUM_FOLD:
 *     for half = 8, 4, 2, 1 and j < half:   lane j = mix(lane j ^ lane j+half turned by 16 bits)
 *     sum = mix(lane 0 ^ low 32 bits of n);  sum = mix(sum ^ high 32 bits of n);  sum ^= sum >> 16
 * Every step is a bijection of the state for a fixed word and of the word for a fixed state: a
 * change within one word always changes the result, other changes escape with probability 2^-32.
 *
 * vsk_checksum_rows_fn: out[i], i < count, is that of n bytes from rows + i * stride_bytes on.
 */
#define VSK_CHECKSUM_SEED 0x9E3779B1u
#define VSK_CHECKSUM_STEP 0x85EBCA6Bu
#define VSK_CHECKSUM_FOLD 0xC2B2AE35u

#endif
