/*
 * code_sse2.c - rotation, planes, products, bound test and checksum of codes with SSE2.
 *
 * Products of bytes are made in 16-bit words: a word of a row holds four nibbles, and each goes
 * with the even or the odd bytes of one half of the query.
 */
#include "../planes.h"
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "sse2_begin.h"

/* ---- rotation ---- */

enum { CODE_LANES_SSE2 = 4, CODE_FIRST_SSE2 = 32 };

/* Sign bits of four elements from the four lowest bits. */
VSK_INLINE __m128 code_signs_sse2(uint64_t bits)
{
    __m128i one_each = _mm_setr_epi32(1, 2, 4, 8);
    __m128i set = _mm_and_si128(_mm_set1_epi32((int)(uint32_t)bits), one_each);

    return _mm_and_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(set, one_each)), _mm_set1_ps(-0.0f));
}

/* Stages h = 1, 2 of four elements: a partner plus the element, which changes its sign where h is
 * set in its index. */
VSK_INLINE __m128 code_lanes_sse2(__m128 x)
{
    __m128 odd_1 = _mm_setr_ps(0.0f, -0.0f, 0.0f, -0.0f);
    __m128 odd_2 = _mm_setr_ps(0.0f, 0.0f, -0.0f, -0.0f);

    x = _mm_add_ps(_mm_shuffle_ps(x, x, 0xb1), _mm_xor_ps(x, odd_1));
    return _mm_add_ps(_mm_shuffle_ps(x, x, 0x4e), _mm_xor_ps(x, odd_2));
}

/* The stages of 2^stages registers with one another. */
VSK_INLINE void code_butterflies_sse2(__m128 *x, int stages)
{
    VSK_UNROLL
    for (int stage = 0; stage < stages; stage++) {
        VSK_UNROLL
        for (int j = 0; j < 1 << stages; j++) {
            int partner = j | 1 << stage;
            if (partner != j) {
                __m128 sum_f32x4 = _mm_add_ps(x[j], x[partner]);
                x[partner] = _mm_sub_ps(x[j], x[partner]);
                x[j] = sum_f32x4;
            }
        }
    }
}

/* Signs (unless `turn` is negative) and stages h = 1 .. 16; groups are counted from `group`. */
VSK_INLINE void code_first_sse2(float *w, size_t window, int turn, size_t group)
{
    for (size_t i = 0; i < window; i += CODE_FIRST_SSE2) {
        uint64_t bits = turn < 0 ? 0 : code_sign_word((unsigned)turn, group + i / 64) >> (i % 64);
        __m128 x[8];
        VSK_UNROLL
        for (int j = 0; j < 8; j++) {
            x[j] = _mm_loadu_ps(w + i + CODE_LANES_SSE2 * j);
            if (turn >= 0) {
                x[j] = _mm_xor_ps(x[j], code_signs_sse2(bits >> (CODE_LANES_SSE2 * j)));
            }
            x[j] = code_lanes_sse2(x[j]);
        }
        code_butterflies_sse2(x, 3);
        VSK_UNROLL
        for (int j = 0; j < 8; j++) {
            _mm_storeu_ps(w + i + CODE_LANES_SSE2 * j, x[j]);
        }
    }
}

/* Stages h, 2h, ... of a window, `stages` of them; the last ones scale. */
VSK_INLINE void code_later_sse2(float *w, size_t window, size_t h, int stages, float scale)
{
    int is_last = h << stages == window;
    __m128 factor = _mm_set1_ps(is_last ? scale : 1.0f); /* times 1 is exact */

    for (size_t first = 0; first < window; first += h << stages) {
        for (size_t i = first; i < first + h; i += CODE_LANES_SSE2) {
            __m128 x[8];
            VSK_UNROLL
            for (int j = 0; j < 1 << stages; j++) {
                x[j] = _mm_loadu_ps(w + i + (size_t)j * h);
            }
            code_butterflies_sse2(x, stages);
            VSK_UNROLL
            for (int j = 0; j < 1 << stages; j++) {
                _mm_storeu_ps(w + i + (size_t)j * h, _mm_mul_ps(x[j], factor));
            }
        }
    }
}

static void code_window_sse2(float *w, size_t window, int turn, size_t group, float scale)
{
    size_t h = CODE_FIRST_SSE2;

    if (turn < 0) {
        code_first_sse2(w, window, -1, group);
    } else {
        code_first_sse2(w, window, turn, group);
    }
    for (; 8 * h <= window; h *= 8) {
        code_later_sse2(w, window, h, 3, scale);
    }
    if (4 * h == window) {
        code_later_sse2(w, window, h, 2, scale);
    } else if (2 * h == window) {
        code_later_sse2(w, window, h, 1, scale);
    }
}

VSK_INLINE __m128 code_reverse_sse2(__m128 x)
{
    return _mm_shuffle_ps(x, x, 0x1b);
}

/* Signs of all elements, and the mirror. */
static void code_mirror_sse2(float *v, size_t n, unsigned turn)
{
    enum { HALF = 32 }; /* elements of half a sign word: n / 2 is a multiple */
    __m128 factor = _mm_set1_ps(VSK_ROTATE_MIRROR);

    for (size_t i = 0; i < n / 2; i += HALF) {
        size_t mirrored = n - HALF - i;
        uint64_t x_bits = code_sign_word(turn, i / 64) >> (i % 64);
        uint64_t y_bits = code_sign_word(turn, mirrored / 64) >> (mirrored % 64);
        VSK_UNROLL
        for (int j = 0; j < HALF; j += CODE_LANES_SSE2) {
            int k = HALF - CODE_LANES_SSE2 - j;
            __m128 x = _mm_loadu_ps(v + i + j);
            __m128 y = _mm_loadu_ps(v + mirrored + k);
            x = _mm_xor_ps(x, code_signs_sse2(x_bits >> j));
            y = code_reverse_sse2(_mm_xor_ps(y, code_signs_sse2(y_bits >> k)));
            _mm_storeu_ps(v + i + j, _mm_mul_ps(_mm_add_ps(x, y), factor));
            y = code_reverse_sse2(_mm_mul_ps(_mm_sub_ps(x, y), factor));
            _mm_storeu_ps(v + mirrored + k, y);
        }
    }
}

void vsk_rotate_f32_sse2(float *v, size_t n)
{
    float scale;
    size_t window = code_window(n, &scale);
    size_t last = n - window;

    if (n == window) {
        code_window_sse2(v, window, 0, 0, scale);
        code_window_sse2(v, window, 1, 0, scale);
        return;
    }
    for (int turn = 0; turn < 4; turn += 2) {
        code_mirror_sse2(v, n, (unsigned)turn);
        code_window_sse2(v, window, -1, 0, scale);
        code_window_sse2(v + last, window, turn + 1, last / 64, scale);
    }
}

/* ---- the encoder ---- */

void vsk_code_planes_f32_sse2(const float *low, const float *high, size_t count,
                              float steps_per_unit, uint8_t *plane_b, uint8_t *plane_c,
                              vsk_code_products *out)
{
    planes_encode(low, high, count, steps_per_unit, plane_b, plane_c, out, vsk_dot_f32_sse2,
                  vsk_sumsq_f32_sse2);
}

/* ---- products ---- */

enum { CODE_STEP_SSE2 = 16, CODE_ROWS_SSE2 = 4 };

VSK_INLINE __m128i code_load_sse2(const void *at)
{
    return _mm_loadu_si128(at);
}

/* Each of four registers summed. */
VSK_INLINE __m128i code_fold4_sse2(const __m128i acc[4])
{
    __m128i a =
        _mm_add_epi32(_mm_unpacklo_epi32(acc[0], acc[1]), _mm_unpackhi_epi32(acc[0], acc[1]));
    __m128i b =
        _mm_add_epi32(_mm_unpacklo_epi32(acc[2], acc[3]), _mm_unpackhi_epi32(acc[2], acc[3]));
    return _mm_add_epi32(_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b));
}

/* One query with row_count rows (1 or 4): their products, or the first of four. */
VSK_INLINE __m128i code_one_sse2(const int8_t *q, const uint8_t *rows, size_t stride_bytes,
                                 int row_count, size_t half)
{
    __m128i nibble = _mm_set1_epi16(15);
    __m128i zero = _mm_setzero_si128();
    __m128i acc_i32x4[CODE_ROWS_SSE2] = {zero, zero, zero, zero};

    for (size_t k = 0; k < half; k += CODE_STEP_SSE2) {
        __m128i low_i8x16 = code_load_sse2(q + k);
        __m128i high_i8x16 = code_load_sse2(q + half + k);
        __m128i low_even = _mm_srai_epi16(_mm_slli_epi16(low_i8x16, 8), 8);
        __m128i low_odd = _mm_srai_epi16(low_i8x16, 8);
        __m128i high_even = _mm_srai_epi16(_mm_slli_epi16(high_i8x16, 8), 8);
        __m128i high_odd = _mm_srai_epi16(high_i8x16, 8);
        VSK_UNROLL
        for (int r = 0; r < row_count; r++) {
            __m128i x = code_load_sse2(rows + (size_t)r * stride_bytes + k);
            __m128i a = _mm_madd_epi16(_mm_and_si128(x, nibble), low_even);
            __m128i b = _mm_madd_epi16(_mm_and_si128(_mm_srli_epi16(x, 4), nibble), high_even);
            __m128i c = _mm_madd_epi16(_mm_and_si128(_mm_srli_epi16(x, 8), nibble), low_odd);
            __m128i d = _mm_madd_epi16(_mm_srli_epi16(x, 12), high_odd);
            a = _mm_add_epi32(_mm_add_epi32(a, b), _mm_add_epi32(c, d));
            acc_i32x4[r] = _mm_add_epi32(acc_i32x4[r], a);
        }
    }
    return code_fold4_sse2(acc_i32x4);
}

void vsk_code_dot_i8_sse2(const int8_t *q, size_t q_stride, size_t q_count, const uint8_t *rows,
                          size_t stride_bytes, size_t count, size_t n, int32_t *out)
{
    for (size_t i = 0; i < q_count; i++) {
        const int8_t *one = q + i * q_stride;
        int32_t *sums = out + i * count;
        size_t j = 0;
        for (; j + CODE_ROWS_SSE2 <= count; j += CODE_ROWS_SSE2) {
            __m128i sums_i32x4 =
                code_one_sse2(one, rows + j * stride_bytes, stride_bytes, CODE_ROWS_SSE2, n / 2);
            _mm_storeu_si128((__m128i *)(void *)(sums + j), sums_i32x4);
        }
        for (; j < count; j++) {
            sums[j] = _mm_cvtsi128_si32(code_one_sse2(one, rows + j * stride_bytes, 0, 1, n / 2));
        }
    }
}

/* ---- the bound test ---- */

/* Bits of the rows that stay, of four from i on. */
VSK_INLINE unsigned code_kept_sse2(const vsk_code_test *test, vsk_code_limits limits,
                                   const int32_t *dots, const float *inv, const float *cos,
                                   const float *sin, const float *r, size_t i)
{
    __m128 one = _mm_set1_ps(1.0f);
    __m128i dots_i32x4 = code_load_sse2(dots + i);
    __m128 cos_f32x4 = _mm_loadu_ps(cos + i);
    __m128 sin_f32x4 = _mm_loadu_ps(sin + i);
    __m128 r_f32x4 = _mm_loadu_ps(r + i);

    dots_i32x4 =
        _mm_sub_epi32(_mm_add_epi32(dots_i32x4, dots_i32x4), _mm_set1_epi32(test->offset2));
    __m128 s = _mm_mul_ps(_mm_set1_ps(test->scale), _mm_cvtepi32_ps(dots_i32x4));
    __m128 x = _mm_add_ps(_mm_mul_ps(s, _mm_loadu_ps(inv + i)), _mm_set1_ps(test->error));
    x = _mm_max_ps(_mm_set1_ps(-1.0f), x); /* in this order NaN stays NaN */
    __m128 w = _mm_add_ps(_mm_mul_ps(_mm_set1_ps(limits.alpha), r_f32x4),
                          _mm_div_ps(_mm_set1_ps(limits.beta), r_f32x4));
    w = _mm_sub_ps(w, _mm_set1_ps(test->slack));
    __m128 d = _mm_sub_ps(w, _mm_mul_ps(cos_f32x4, x));
    __m128 root = _mm_add_ps(_mm_sub_ps(one, _mm_mul_ps(x, x)), _mm_set1_ps(VSK_CODE_ROOT));
    root = _mm_mul_ps(_mm_mul_ps(sin_f32x4, sin_f32x4), root);
    __m128 is_beyond =
        _mm_and_ps(_mm_cmpgt_ps(d, _mm_setzero_ps()), _mm_cmpgt_ps(_mm_mul_ps(d, d), root));
    is_beyond = _mm_and_ps(is_beyond, _mm_cmplt_ps(x, cos_f32x4));
    is_beyond = _mm_or_ps(is_beyond, _mm_cmpgt_ps(w, one));
    return ~(unsigned)_mm_movemask_ps(is_beyond) & 0xfu;
}

size_t vsk_code_pass_f32_sse2(const vsk_code_test *test, const int32_t *dots, const float *inv,
                              const float *cos, const float *sin, const float *r, size_t count,
                              uint16_t *out)
{
    vsk_code_limits limits = vsk_code_limits_of(test);
    size_t whole = count - count % CODE_LANES_SSE2;
    size_t kept = 0;

    for (size_t i = 0; i < whole; i += CODE_LANES_SSE2) {
        unsigned bits = code_kept_sse2(test, limits, dots, inv, cos, sin, r, i);
        for (; bits != 0; bits &= bits - 1) {
            out[kept++] = (uint16_t)(i + (size_t)__builtin_ctz(bits));
        }
    }
    return kept + code_pass_rest(test, dots, inv, cos, sin, r, whole, count, out + kept);
}

/* ---- checksum ---- */

VSK_INLINE __m128i code_checksum_step_sse2(__m128i h_u32x4, const unsigned char *at)
{
    __m128i factor = _mm_set1_epi32((int)VSK_CHECKSUM_STEP);
    __m128i lower_half = _mm_set_epi32(0, -1, 0, -1);

    h_u32x4 = _mm_xor_si128(h_u32x4, code_load_sse2(at));
    __m128i even_u64x2 = _mm_mul_epu32(h_u32x4, factor);
    __m128i odd_u64x2 = _mm_mul_epu32(_mm_srli_epi64(h_u32x4, 32), factor);
    h_u32x4 = _mm_or_si128(_mm_and_si128(even_u64x2, lower_half), _mm_slli_epi64(odd_u64x2, 32));
    return _mm_xor_si128(h_u32x4, _mm_srli_epi32(h_u32x4, 15));
}

VSK_INLINE void code_checksum_block_sse2(__m128i h_u32x4[4], const unsigned char *at)
{
    VSK_UNROLL
    for (int j = 0; j < 4; j++) {
        h_u32x4[j] = code_checksum_step_sse2(h_u32x4[j], at + 16 * j);
    }
}

uint32_t vsk_checksum_bit_sse2(const void *data, size_t n)
{
    const unsigned char *p = data;
    size_t rest = n % 64;
    uint32_t lanes[16];
    __m128i h_u32x4[4];

    code_checksum_start(lanes);
    for (int j = 0; j < 4; j++) {
        h_u32x4[j] = code_load_sse2(lanes + 4 * j);
    }
    for (const unsigned char *end = p + (n - rest); p < end; p += 64) {
        code_checksum_block_sse2(h_u32x4, p);
    }
    if (rest > 0) {
        unsigned char block[64] = {0};
        memcpy(block, p, rest);
        code_checksum_block_sse2(h_u32x4, block);
    }
    for (int j = 0; j < 4; j++) {
        _mm_storeu_si128((__m128i *)(void *)(lanes + 4 * j), h_u32x4[j]);
    }
    return code_checksum_fold(lanes, n);
}

void vsk_checksum_rows_bit_sse2(const void *rows, size_t stride_bytes, size_t n, size_t count,
                                uint32_t *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = vsk_checksum_bit_sse2((const unsigned char *)rows + i * stride_bytes, n);
    }
}

#include "../isa_end.h"
#endif
