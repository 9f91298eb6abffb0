/*
 * code_avx512.c - rotation, bound test and checksum of codes with AVX-512. Products, without VNNI,
 * keep the AVX2 kernel.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx512_begin.h"
#include "checksum_avx2.h"
#include "pass_avx512.h"

/* ---- rotation ---- */

enum { CODE_LANES_AVX512 = 16, CODE_FIRST_AVX512 = 128 };

/* Changes the signs of sixteen elements by the sixteen lowest bits. */
VSK_INLINE __m512 code_flip_avx512(__m512 x, uint64_t bits)
{
    return _mm512_mask_xor_ps(x, (__mmask16)bits, x, _mm512_set1_ps(-0.0f));
}

/* A partner plus the element, which changes its sign where `is_odd`: times 1 or -1 is exact. */
VSK_INLINE __m512 code_stage_avx512(__m512 x, __m512 partner, __mmask16 is_odd)
{
    __m512 one = _mm512_set1_ps(1.0f);
    __m512 sign = _mm512_mask_blend_ps(is_odd, one, _mm512_set1_ps(-1.0f));
    return _mm512_fmadd_ps(x, sign, partner);
}

/* Stages h = 1, 2, 4, 8 of sixteen elements. */
VSK_INLINE __m512 code_lanes_avx512(__m512 x)
{
    x = code_stage_avx512(x, _mm512_permute_ps(x, 0xb1), 0xaaaa);
    x = code_stage_avx512(x, _mm512_permute_ps(x, 0x4e), 0xcccc);
    x = code_stage_avx512(x, _mm512_shuffle_f32x4(x, x, 0xb1), 0xf0f0);
    return code_stage_avx512(x, _mm512_shuffle_f32x4(x, x, 0x4e), 0xff00);
}

/* The stages of 2^stages registers with one another. */
VSK_INLINE void code_butterflies_avx512(__m512 *x, int stages)
{
    VSK_UNROLL
    for (int stage = 0; stage < stages; stage++) {
        VSK_UNROLL
        for (int j = 0; j < 1 << stages; j++) {
            int partner = j | 1 << stage;
            if (partner != j) {
                __m512 sum_f32x16 = _mm512_add_ps(x[j], x[partner]);
                x[partner] = _mm512_sub_ps(x[j], x[partner]);
                x[j] = sum_f32x16;
            }
        }
    }
}

/* Signs (unless `turn` is negative) and the stages of 2^stages registers; groups are counted from
 * `group`. */
VSK_INLINE void code_first_avx512(float *w, size_t window, int turn, size_t group, int stages,
                                  float scale)
{
    size_t step = (size_t)CODE_LANES_AVX512 << stages;
    __m512 factor = _mm512_set1_ps(window == step ? scale : 1.0f); /* times 1 is exact */

    for (size_t i = 0; i < window; i += step) {
        __m512 x[8];
        uint64_t bits = 0;
        VSK_UNROLL
        for (int j = 0; j < 1 << stages; j++) {
            if (turn >= 0 && j % 4 == 0) {
                bits = code_sign_word((unsigned)turn, group + i / 64 + (size_t)j / 4);
            }
            x[j] = _mm512_loadu_ps(w + i + CODE_LANES_AVX512 * j);
            x[j] = turn < 0 ? x[j] : code_flip_avx512(x[j], bits >> (CODE_LANES_AVX512 * (j % 4)));
            x[j] = code_lanes_avx512(x[j]);
        }
        code_butterflies_avx512(x, stages);
        VSK_UNROLL
        for (int j = 0; j < 1 << stages; j++) {
            _mm512_storeu_ps(w + i + CODE_LANES_AVX512 * j, _mm512_mul_ps(x[j], factor));
        }
    }
}

/* Stages h, 2h, ... of a window, `stages` of them; the last ones scale. */
VSK_INLINE void code_later_avx512(float *w, size_t window, size_t h, int stages, float scale)
{
    __m512 factor = _mm512_set1_ps(h << stages == window ? scale : 1.0f);

    for (size_t first = 0; first < window; first += h << stages) {
        for (size_t i = first; i < first + h; i += CODE_LANES_AVX512) {
            __m512 x[8];
            VSK_UNROLL
            for (int j = 0; j < 1 << stages; j++) {
                x[j] = _mm512_loadu_ps(w + i + (size_t)j * h);
            }
            code_butterflies_avx512(x, stages);
            VSK_UNROLL
            for (int j = 0; j < 1 << stages; j++) {
                _mm512_storeu_ps(w + i + (size_t)j * h, _mm512_mul_ps(x[j], factor));
            }
        }
    }
}

static void code_window_avx512(float *w, size_t window, int turn, size_t group, float scale)
{
    size_t h = CODE_FIRST_AVX512;

    if (window < CODE_FIRST_AVX512) {
        code_first_avx512(w, window, turn, group, 2, scale);
    } else if (turn < 0) {
        code_first_avx512(w, window, -1, group, 3, scale);
    } else {
        code_first_avx512(w, window, turn, group, 3, scale);
    }
    for (; 8 * h <= window; h *= 8) {
        code_later_avx512(w, window, h, 3, scale);
    }
    if (4 * h == window) {
        code_later_avx512(w, window, h, 2, scale);
    } else if (2 * h == window) {
        code_later_avx512(w, window, h, 1, scale);
    }
}

VSK_INLINE __m512 code_reverse_avx512(__m512 x)
{
    __m512i from = _mm512_setr_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    return _mm512_permutexvar_ps(from, x);
}

/* Signs of all elements, and the mirror. */
static void code_mirror_avx512(float *v, size_t n, unsigned turn)
{
    enum { HALF = 32 }; /* elements of half a sign word: n / 2 is a multiple */
    __m512 factor = _mm512_set1_ps(VSK_ROTATE_MIRROR);

    for (size_t i = 0; i < n / 2; i += HALF) {
        size_t mirrored = n - HALF - i;
        uint64_t x_bits = code_sign_word(turn, i / 64) >> (i % 64);
        uint64_t y_bits = code_sign_word(turn, mirrored / 64) >> (mirrored % 64);
        VSK_UNROLL
        for (int j = 0; j < HALF; j += CODE_LANES_AVX512) {
            int k = HALF - CODE_LANES_AVX512 - j;
            __m512 x = code_flip_avx512(_mm512_loadu_ps(v + i + j), x_bits >> j);
            __m512 y = code_flip_avx512(_mm512_loadu_ps(v + mirrored + k), y_bits >> k);
            y = code_reverse_avx512(y);
            _mm512_storeu_ps(v + i + j, _mm512_mul_ps(_mm512_add_ps(x, y), factor));
            y = code_reverse_avx512(_mm512_mul_ps(_mm512_sub_ps(x, y), factor));
            _mm512_storeu_ps(v + mirrored + k, y);
        }
    }
}

void vsk_rotate_f32_avx512(float *v, size_t n)
{
    float scale;
    size_t window = code_window(n, &scale);
    size_t last = n - window;

    if (n == window) {
        code_window_avx512(v, window, 0, 0, scale);
        code_window_avx512(v, window, 1, 0, scale);
        return;
    }
    for (int turn = 0; turn < 4; turn += 2) {
        code_mirror_avx512(v, n, (unsigned)turn);
        code_window_avx512(v, window, -1, 0, scale);
        code_window_avx512(v + last, window, turn + 1, last / 64, scale);
    }
}

/* ---- the bound test ---- */

/* The rows that stay, of those in `mask` from i on. */
VSK_INLINE __mmask16 code_kept_avx512(const vsk_code_test *test, vsk_code_limits limits,
                                      __mmask16 mask, const int32_t *dots, const float *inv,
                                      const float *cos, const float *sin, const float *r, size_t i)
{
    __m512 one = _mm512_set1_ps(1.0f);
    __m512i dots_i32x16 = _mm512_maskz_loadu_epi32(mask, dots + i);
    __m512 inv_f32x16 = _mm512_maskz_loadu_ps(mask, inv + i);
    __m512 cos_f32x16 = _mm512_maskz_loadu_ps(mask, cos + i);
    __m512 sin_f32x16 = _mm512_maskz_loadu_ps(mask, sin + i);
    __m512 r_f32x16 = _mm512_maskz_loadu_ps(mask, r + i);

    dots_i32x16 = _mm512_sub_epi32(_mm512_add_epi32(dots_i32x16, dots_i32x16),
                                   _mm512_set1_epi32(test->offset2));
    __m512 s = _mm512_mul_ps(_mm512_set1_ps(test->scale), _mm512_cvtepi32_ps(dots_i32x16));
    __m512 x = _mm512_add_ps(_mm512_mul_ps(s, inv_f32x16), _mm512_set1_ps(test->error));
    x = _mm512_max_ps(_mm512_set1_ps(-1.0f), x); /* in this order NaN stays NaN */
    __m512 w = _mm512_add_ps(_mm512_mul_ps(_mm512_set1_ps(limits.alpha), r_f32x16),
                             _mm512_div_ps(_mm512_set1_ps(limits.beta), r_f32x16));
    w = _mm512_sub_ps(w, _mm512_set1_ps(test->slack));
    __m512 d = _mm512_sub_ps(w, _mm512_mul_ps(cos_f32x16, x));
    __m512 root =
        _mm512_add_ps(_mm512_sub_ps(one, _mm512_mul_ps(x, x)), _mm512_set1_ps(VSK_CODE_ROOT));
    root = _mm512_mul_ps(_mm512_mul_ps(sin_f32x16, sin_f32x16), root);
    __mmask16 is_beyond = _mm512_cmp_ps_mask(d, _mm512_setzero_ps(), _CMP_GT_OQ) &
                          _mm512_cmp_ps_mask(_mm512_mul_ps(d, d), root, _CMP_GT_OQ) &
                          _mm512_cmp_ps_mask(x, cos_f32x16, _CMP_LT_OQ);
    is_beyond |= _mm512_cmp_ps_mask(w, one, _CMP_GT_OQ);
    return (__mmask16)(mask & ~is_beyond);
}

size_t vsk_code_pass_f32_avx512(const vsk_code_test *test, const int32_t *dots, const float *inv,
                                const float *cos, const float *sin, const float *r, size_t count,
                                uint16_t *out)
{
    vsk_code_limits limits = vsk_code_limits_of(test);
    size_t kept = 0;

    for (size_t i = 0; i < count; i += PASS_LANES_AVX512) {
        __mmask16 bits =
            code_kept_avx512(test, limits, pass_mask_avx512(i, count), dots, inv, cos, sin, r, i);
        if (bits != 0) { /* not for most blocks, when most rows are far away */
            kept += pass_append_avx512(bits, i, out + kept);
        }
    }
    return kept;
}

/* ---- checksum ---- */

VSK_INLINE __m512i code_checksum_step_avx512(__m512i h_u32x16, __m512i words_u32x16)
{
    h_u32x16 = _mm512_mullo_epi32(_mm512_xor_si512(h_u32x16, words_u32x16),
                                  _mm512_set1_epi32((int)VSK_CHECKSUM_STEP));
    return _mm512_xor_si512(h_u32x16, _mm512_srli_epi32(h_u32x16, 15));
}

uint32_t vsk_checksum_bit_avx512(const void *data, size_t n)
{
    const unsigned char *p = data;
    size_t rest = n % 64;
    uint32_t lanes[16];

    code_checksum_start(lanes);
    __m512i h_u32x16 = _mm512_loadu_si512(lanes);
    for (const unsigned char *end = p + (n - rest); p < end; p += 64) {
        h_u32x16 = code_checksum_step_avx512(h_u32x16, _mm512_loadu_si512(p));
    }
    if (rest > 0) {
        __m512i last = _mm512_maskz_loadu_epi8(~(uint64_t)0 >> (64 - rest), p);
        h_u32x16 = code_checksum_step_avx512(h_u32x16, last);
    }
    return checksum_fold_avx2(_mm512_castsi512_si256(h_u32x16),
                              _mm512_extracti64x4_epi64(h_u32x16, 1), n);
}

VSK_INLINE void code_checksum_four_avx512(const unsigned char *p, size_t stride_bytes, size_t n,
                                          uint32_t out[4])
{
    size_t rest = n % 64;
    uint64_t last = rest == 0 ? 0 : ~(uint64_t)0 >> (64 - rest);
    uint32_t lanes[16];
    __m512i h_u32x16[4];
    __m256i low_u32x8[4], high_u32x8[4];

    code_checksum_start(lanes);
    VSK_UNROLL
    for (int i = 0; i < 4; i++) {
        h_u32x16[i] = _mm512_loadu_si512(lanes);
    }
    for (size_t at = 0; at < n - rest; at += 64) {
        VSK_UNROLL
        for (int i = 0; i < 4; i++) {
            __m512i words_u32x16 = _mm512_loadu_si512(p + (size_t)i * stride_bytes + at);
            h_u32x16[i] = code_checksum_step_avx512(h_u32x16[i], words_u32x16);
        }
    }
    VSK_UNROLL
    for (int i = 0; i < 4; i++) {
        if (rest > 0) {
            __m512i words_u32x16 =
                _mm512_maskz_loadu_epi8(last, p + (size_t)i * stride_bytes + (n - rest));
            h_u32x16[i] = code_checksum_step_avx512(h_u32x16[i], words_u32x16);
        }
        low_u32x8[i] = _mm512_castsi512_si256(h_u32x16[i]);
        high_u32x8[i] = _mm512_extracti64x4_epi64(h_u32x16[i], 1);
    }
    checksum_fold_four_avx2(low_u32x8, high_u32x8, n, out);
}

void vsk_checksum_rows_bit_avx512(const void *rows, size_t stride_bytes, size_t n, size_t count,
                                  uint32_t *out)
{
    const unsigned char *p = rows;
    size_t i = 0;

    for (; i + 4 <= count; i += 4) {
        code_checksum_four_avx512(p + i * stride_bytes, stride_bytes, n, out + i);
    }
    for (; i < count; i++) {
        out[i] = vsk_checksum_bit_avx512(p + i * stride_bytes, n);
    }
}

#include "../isa_end.h"
#endif
