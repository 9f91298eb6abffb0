/*
 * code_neon.c - rotation, planes, products, bound test and checksum of codes with NEON.
 *
 * A nibble times an int8 is at most 1,905 in size, so four products fit into a 16-bit lane.
 */
#include "../planes.h"
#include "../vsk_impl.h"

#if defined(VSK_ARM64)
#include "neon_begin.h"

/* ---- rotation ---- */

enum { CODE_LANES_NEON = 4, CODE_FIRST_NEON = 32 };

VSK_INLINE float32x4_t code_flip_neon(float32x4_t x, uint32x4_t signs_u32x4)
{
    return vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(x), signs_u32x4));
}

/* Sign bits of four elements from the four lowest bits. */
VSK_INLINE uint32x4_t code_signs_neon(uint64_t bits)
{
    static const int32_t to_top[4] = {31, 30, 29, 28};
    uint32x4_t moved_u32x4 = vshlq_u32(vdupq_n_u32((uint32_t)bits), vld1q_s32(to_top));

    return vandq_u32(moved_u32x4, vdupq_n_u32(0x80000000u));
}

/* Stages h = 1, 2 of four elements: a partner plus the element, which changes its sign where h is
 * set in its index. */
VSK_INLINE float32x4_t code_lanes_neon(float32x4_t x)
{
    x = vaddq_f32(vrev64q_f32(x), code_flip_neon(x, code_signs_neon(10)));
    return vaddq_f32(vextq_f32(x, x, 2), code_flip_neon(x, code_signs_neon(12)));
}

/* The stages of 2^stages registers with one another. */
VSK_INLINE void code_butterflies_neon(float32x4_t *x, int stages)
{
    VSK_UNROLL
    for (int stage = 0; stage < stages; stage++) {
        VSK_UNROLL
        for (int j = 0; j < 1 << stages; j++) {
            int partner = j | 1 << stage;
            if (partner != j) {
                float32x4_t sum_f32x4 = vaddq_f32(x[j], x[partner]);
                x[partner] = vsubq_f32(x[j], x[partner]);
                x[j] = sum_f32x4;
            }
        }
    }
}

/* Signs (unless `turn` is negative) and stages h = 1 .. 16; groups are counted from `group`. */
VSK_INLINE void code_first_neon(float *w, size_t window, int turn, size_t group)
{
    for (size_t i = 0; i < window; i += CODE_FIRST_NEON) {
        uint64_t bits = turn < 0 ? 0 : code_sign_word((unsigned)turn, group + i / 64) >> (i % 64);
        float32x4_t x[8];
        VSK_UNROLL
        for (int j = 0; j < 8; j++) {
            x[j] = vld1q_f32(w + i + CODE_LANES_NEON * j);
            if (turn >= 0) {
                x[j] = code_flip_neon(x[j], code_signs_neon(bits >> (CODE_LANES_NEON * j)));
            }
            x[j] = code_lanes_neon(x[j]);
        }
        code_butterflies_neon(x, 3);
        VSK_UNROLL
        for (int j = 0; j < 8; j++) {
            vst1q_f32(w + i + CODE_LANES_NEON * j, x[j]);
        }
    }
}

/* Stages h, 2h, ... of a window, `stages` of them; the last ones scale. */
VSK_INLINE void code_later_neon(float *w, size_t window, size_t h, int stages, float scale)
{
    int is_last = h << stages == window;
    float32x4_t factor = vdupq_n_f32(is_last ? scale : 1.0f); /* times 1 is exact */

    for (size_t first = 0; first < window; first += h << stages) {
        for (size_t i = first; i < first + h; i += CODE_LANES_NEON) {
            float32x4_t x[8];
            VSK_UNROLL
            for (int j = 0; j < 1 << stages; j++) {
                x[j] = vld1q_f32(w + i + (size_t)j * h);
            }
            code_butterflies_neon(x, stages);
            VSK_UNROLL
            for (int j = 0; j < 1 << stages; j++) {
                vst1q_f32(w + i + (size_t)j * h, vmulq_f32(x[j], factor));
            }
        }
    }
}

static void code_window_neon(float *w, size_t window, int turn, size_t group, float scale)
{
    size_t h = CODE_FIRST_NEON;

    if (turn < 0) {
        code_first_neon(w, window, -1, group);
    } else {
        code_first_neon(w, window, turn, group);
    }
    for (; 8 * h <= window; h *= 8) {
        code_later_neon(w, window, h, 3, scale);
    }
    if (4 * h == window) {
        code_later_neon(w, window, h, 2, scale);
    } else if (2 * h == window) {
        code_later_neon(w, window, h, 1, scale);
    }
}

VSK_INLINE float32x4_t code_reverse_neon(float32x4_t x)
{
    x = vrev64q_f32(x);
    return vextq_f32(x, x, 2);
}

/* Signs of all elements, and the mirror. */
static void code_mirror_neon(float *v, size_t n, unsigned turn)
{
    enum { HALF = 32 }; /* elements of half a sign word: n / 2 is a multiple */
    float32x4_t factor = vdupq_n_f32(VSK_ROTATE_MIRROR);

    for (size_t i = 0; i < n / 2; i += HALF) {
        size_t mirrored = n - HALF - i;
        uint64_t x_bits = code_sign_word(turn, i / 64) >> (i % 64);
        uint64_t y_bits = code_sign_word(turn, mirrored / 64) >> (mirrored % 64);
        VSK_UNROLL
        for (int j = 0; j < HALF; j += CODE_LANES_NEON) {
            int k = HALF - CODE_LANES_NEON - j;
            float32x4_t x = vld1q_f32(v + i + j);
            float32x4_t y = vld1q_f32(v + mirrored + k);
            x = code_flip_neon(x, code_signs_neon(x_bits >> j));
            y = code_reverse_neon(code_flip_neon(y, code_signs_neon(y_bits >> k)));
            vst1q_f32(v + i + j, vmulq_f32(vaddq_f32(x, y), factor));
            y = code_reverse_neon(vmulq_f32(vsubq_f32(x, y), factor));
            vst1q_f32(v + mirrored + k, y);
        }
    }
}

void vsk_rotate_f32_neon(float *v, size_t n)
{
    float scale;
    size_t window = code_window(n, &scale);
    size_t last = n - window;

    if (n == window) {
        code_window_neon(v, window, 0, 0, scale);
        code_window_neon(v, window, 1, 0, scale);
        return;
    }
    for (int turn = 0; turn < 4; turn += 2) {
        code_mirror_neon(v, n, (unsigned)turn);
        code_window_neon(v, window, -1, 0, scale);
        code_window_neon(v + last, window, turn + 1, last / 64, scale);
    }
}

/* ---- the encoder ---- */

void vsk_code_planes_f32_neon(const float *low, const float *high, size_t count,
                              float steps_per_unit, uint8_t *plane_b, uint8_t *plane_c,
                              vsk_code_products *out)
{
    planes_encode(low, high, count, steps_per_unit, plane_b, plane_c, out, vsk_dot_f32_neon,
                  vsk_sumsq_f32_neon);
}

/* ---- products ---- */

enum { CODE_STEP_NEON = 16, CODE_ROWS_NEON = 4 };

/* One query with row_count rows (1 or 4): their products, or the first of four. */
VSK_INLINE int32x4_t code_one_neon(const int8_t *q, const uint8_t *rows, size_t stride_bytes,
                                   int row_count, size_t half)
{
    int32x4_t acc_i32x4[CODE_ROWS_NEON] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0),
                                           vdupq_n_s32(0)};

    for (size_t k = 0; k < half; k += CODE_STEP_NEON) {
        int8x16_t q_low = vld1q_s8(q + k);
        int8x16_t q_high = vld1q_s8(q + half + k);
        VSK_UNROLL
        for (int r = 0; r < row_count; r++) {
            uint8x16_t both_u8x16 = vld1q_u8(rows + (size_t)r * stride_bytes + k);
            int8x16_t low = vreinterpretq_s8_u8(vandq_u8(both_u8x16, vdupq_n_u8(15)));
            int8x16_t high = vreinterpretq_s8_u8(vshrq_n_u8(both_u8x16, 4));
            int16x8_t sum_i16x8 = vmull_s8(vget_low_s8(low), vget_low_s8(q_low));
            sum_i16x8 = vmlal_s8(sum_i16x8, vget_high_s8(low), vget_high_s8(q_low));
            sum_i16x8 = vmlal_s8(sum_i16x8, vget_low_s8(high), vget_low_s8(q_high));
            sum_i16x8 = vmlal_s8(sum_i16x8, vget_high_s8(high), vget_high_s8(q_high));
            acc_i32x4[r] = vpadalq_s16(acc_i32x4[r], sum_i16x8);
        }
    }
    return vpaddq_s32(vpaddq_s32(acc_i32x4[0], acc_i32x4[1]),
                      vpaddq_s32(acc_i32x4[2], acc_i32x4[3]));
}

void vsk_code_dot_i8_neon(const int8_t *q, size_t q_stride, size_t q_count, const uint8_t *rows,
                          size_t stride_bytes, size_t count, size_t n, int32_t *out)
{
    for (size_t i = 0; i < q_count; i++) {
        const int8_t *one = q + i * q_stride;
        int32_t *sums = out + i * count;
        size_t j = 0;
        for (; j + CODE_ROWS_NEON <= count; j += CODE_ROWS_NEON) {
            vst1q_s32(sums + j, code_one_neon(one, rows + j * stride_bytes, stride_bytes,
                                              CODE_ROWS_NEON, n / 2));
        }
        for (; j < count; j++) {
            sums[j] = vgetq_lane_s32(code_one_neon(one, rows + j * stride_bytes, 0, 1, n / 2), 0);
        }
    }
}

/* ---- the bound test ---- */

/* All ones in the lanes of rows that are dropped, of four from i on. */
VSK_INLINE uint32x4_t code_dropped_neon(const vsk_code_test *test, vsk_code_limits limits,
                                        const int32_t *dots, const float *inv, const float *cos,
                                        const float *sin, const float *r, size_t i)
{
    float32x4_t one = vdupq_n_f32(1.0f);
    int32x4_t dots_i32x4 = vld1q_s32(dots + i);
    float32x4_t cos_f32x4 = vld1q_f32(cos + i);
    float32x4_t sin_f32x4 = vld1q_f32(sin + i);
    float32x4_t r_f32x4 = vld1q_f32(r + i);

    dots_i32x4 = vsubq_s32(vaddq_s32(dots_i32x4, dots_i32x4), vdupq_n_s32(test->offset2));
    float32x4_t s = vmulq_f32(vdupq_n_f32(test->scale), vcvtq_f32_s32(dots_i32x4));
    float32x4_t x = vaddq_f32(vmulq_f32(s, vld1q_f32(inv + i)), vdupq_n_f32(test->error));
    x = vmaxq_f32(vdupq_n_f32(-1.0f), x); /* NaN stays NaN */
    float32x4_t w = vaddq_f32(vmulq_f32(vdupq_n_f32(limits.alpha), r_f32x4),
                              vdivq_f32(vdupq_n_f32(limits.beta), r_f32x4));
    w = vsubq_f32(w, vdupq_n_f32(test->slack));
    float32x4_t d = vsubq_f32(w, vmulq_f32(cos_f32x4, x));
    float32x4_t root = vaddq_f32(vsubq_f32(one, vmulq_f32(x, x)), vdupq_n_f32(VSK_CODE_ROOT));
    root = vmulq_f32(vmulq_f32(sin_f32x4, sin_f32x4), root);
    uint32x4_t is_beyond =
        vandq_u32(vcgtq_f32(d, vdupq_n_f32(0.0f)), vcgtq_f32(vmulq_f32(d, d), root));
    is_beyond = vandq_u32(is_beyond, vcltq_f32(x, cos_f32x4));
    return vorrq_u32(is_beyond, vcgtq_f32(w, one));
}

size_t vsk_code_pass_f32_neon(const vsk_code_test *test, const int32_t *dots, const float *inv,
                              const float *cos, const float *sin, const float *r, size_t count,
                              uint16_t *out)
{
    vsk_code_limits limits = vsk_code_limits_of(test);
    size_t whole = count - count % CODE_LANES_NEON;
    size_t kept = 0;

    for (size_t i = 0; i < whole; i += CODE_LANES_NEON) {
        uint32x4_t dropped_u32x4 = code_dropped_neon(test, limits, dots, inv, cos, sin, r, i);
        uint64_t dropped = vget_lane_u64(vreinterpret_u64_u16(vmovn_u32(dropped_u32x4)), 0);
        for (size_t j = 0; ~dropped != 0 && j < CODE_LANES_NEON; j++) {
            out[kept] = (uint16_t)(i + j);
            kept += (dropped >> (16 * j) & 1) == 0;
        }
    }
    return kept + code_pass_rest(test, dots, inv, cos, sin, r, whole, count, out + kept);
}

/* ---- checksum ---- */

VSK_INLINE void code_checksum_block_neon(uint32x4_t h_u32x4[4], const unsigned char *at)
{
    VSK_UNROLL
    for (int j = 0; j < 4; j++) {
        uint32x4_t h = veorq_u32(h_u32x4[j], vreinterpretq_u32_u8(vld1q_u8(at + 16 * j)));
        h = vmulq_u32(h, vdupq_n_u32(VSK_CHECKSUM_STEP));
        h_u32x4[j] = veorq_u32(h, vshrq_n_u32(h, 15));
    }
}

uint32_t vsk_checksum_bit_neon(const void *data, size_t n)
{
    const unsigned char *p = data;
    size_t rest = n % 64;
    uint32_t lanes[16];
    uint32x4_t h_u32x4[4];

    code_checksum_start(lanes);
    for (int j = 0; j < 4; j++) {
        h_u32x4[j] = vld1q_u32(lanes + 4 * j);
    }
    for (const unsigned char *end = p + (n - rest); p < end; p += 64) {
        code_checksum_block_neon(h_u32x4, p);
    }
    if (rest > 0) {
        unsigned char block[64] = {0};
        memcpy(block, p, rest);
        code_checksum_block_neon(h_u32x4, block);
    }
    for (int j = 0; j < 4; j++) {
        vst1q_u32(lanes + 4 * j, h_u32x4[j]);
    }
    return code_checksum_fold(lanes, n);
}

void vsk_checksum_rows_bit_neon(const void *rows, size_t stride_bytes, size_t n, size_t count,
                                uint32_t *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = vsk_checksum_bit_neon((const unsigned char *)rows + i * stride_bytes, n);
    }
}

#include "../isa_end.h"
#endif
