/*
 * code_avx2.c - rotation, products, bound test and checksum of codes with AVX2.
 *
 * A nibble (0..15) times an int8 (at most 127 in size), two of them added, is at most 3,810 in
 * size: vpmaddubsw does not saturate, and eight of its sums fit into 16 bits before they are widened.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx2_begin.h"
#include "ahead_avx2.h"
#include "checksum_avx2.h"

/* ---- rotation ---- */

enum { CODE_LANES_AVX2 = 8, CODE_FIRST_AVX2 = 64 };

/* Sign bits of eight elements from the eight lowest bits. */
VSK_INLINE __m256 code_signs_avx2(uint64_t bits)
{
    __m256i to_top = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24);
    __m256i moved_u32x8 = _mm256_sllv_epi32(_mm256_set1_epi32((int)(uint32_t)bits), to_top);

    return _mm256_and_ps(_mm256_castsi256_ps(moved_u32x8), _mm256_set1_ps(-0.0f));
}

/* Stages h = 1, 2, 4 of eight elements: a partner plus the element, which changes its sign where h
 * is set in its index. Times 1 or -1 is exact, so the sum is rounded as any other. */
VSK_INLINE __m256 code_lanes_avx2(__m256 x)
{
    __m256 odd_1 = _mm256_setr_ps(1.0f, -1.0f, 1.0f, -1.0f, 1.0f, -1.0f, 1.0f, -1.0f);
    __m256 odd_2 = _mm256_setr_ps(1.0f, 1.0f, -1.0f, -1.0f, 1.0f, 1.0f, -1.0f, -1.0f);
    __m256 odd_4 = _mm256_setr_ps(1.0f, 1.0f, 1.0f, 1.0f, -1.0f, -1.0f, -1.0f, -1.0f);

    x = _mm256_fmadd_ps(x, odd_1, _mm256_permute_ps(x, 0xb1));
    x = _mm256_fmadd_ps(x, odd_2, _mm256_permute_ps(x, 0x4e));
    return _mm256_fmadd_ps(x, odd_4, _mm256_permute2f128_ps(x, x, 1));
}

/* The stages of 2^stages registers with one another. */
VSK_INLINE void code_butterflies_avx2(__m256 *x, int stages)
{
    VSK_UNROLL
    for (int stage = 0; stage < stages; stage++) {
        VSK_UNROLL
        for (int j = 0; j < 1 << stages; j++) {
            int partner = j | 1 << stage;
            if (partner != j) {
                __m256 sum_f32x8 = _mm256_add_ps(x[j], x[partner]);
                x[partner] = _mm256_sub_ps(x[j], x[partner]);
                x[j] = sum_f32x8;
            }
        }
    }
}

/* Signs (unless `turn` is negative) and stages h = 1 .. 32; groups are counted from `group`. */
VSK_INLINE void code_first_avx2(float *w, size_t window, int turn, size_t group, float scale)
{
    for (size_t i = 0; i < window; i += CODE_FIRST_AVX2) {
        uint64_t bits = turn < 0 ? 0 : code_sign_word((unsigned)turn, group + i / 64);
        __m256 x[8];
        VSK_UNROLL
        for (int j = 0; j < 8; j++) {
            x[j] = _mm256_loadu_ps(w + i + CODE_LANES_AVX2 * j);
            if (turn >= 0) {
                x[j] = _mm256_xor_ps(x[j], code_signs_avx2(bits >> (CODE_LANES_AVX2 * j)));
            }
            x[j] = code_lanes_avx2(x[j]);
        }
        code_butterflies_avx2(x, 3);
        VSK_UNROLL
        for (int j = 0; j < 8; j++) {
            __m256 y =
                window == CODE_FIRST_AVX2 ? _mm256_mul_ps(x[j], _mm256_set1_ps(scale)) : x[j];
            _mm256_storeu_ps(w + i + CODE_LANES_AVX2 * j, y);
        }
    }
}

/* Stages h, 2h, ... of a window, `stages` of them; the last ones scale. */
VSK_INLINE void code_later_avx2(float *w, size_t window, size_t h, int stages, float scale)
{
    int is_last = h << stages == window;
    __m256 factor = _mm256_set1_ps(is_last ? scale : 1.0f); /* times 1 is exact */

    for (size_t first = 0; first < window; first += h << stages) {
        for (size_t i = first; i < first + h; i += CODE_LANES_AVX2) {
            __m256 x[8];
            VSK_UNROLL
            for (int j = 0; j < 1 << stages; j++) {
                x[j] = _mm256_loadu_ps(w + i + (size_t)j * h);
            }
            code_butterflies_avx2(x, stages);
            VSK_UNROLL
            for (int j = 0; j < 1 << stages; j++) {
                _mm256_storeu_ps(w + i + (size_t)j * h, _mm256_mul_ps(x[j], factor));
            }
        }
    }
}

static void code_window_avx2(float *w, size_t window, int turn, size_t group, float scale)
{
    size_t h = CODE_FIRST_AVX2;

    if (turn < 0) {
        code_first_avx2(w, window, -1, group, scale);
    } else {
        code_first_avx2(w, window, turn, group, scale);
    }
    for (; 8 * h <= window; h *= 8) {
        code_later_avx2(w, window, h, 3, scale);
    }
    if (4 * h == window) {
        code_later_avx2(w, window, h, 2, scale);
    } else if (2 * h == window) {
        code_later_avx2(w, window, h, 1, scale);
    }
}

VSK_INLINE __m256 code_reverse_avx2(__m256 x)
{
    return _mm256_permutevar8x32_ps(x, _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0));
}

/* Signs of all elements, and the mirror. */
static void code_mirror_avx2(float *v, size_t n, unsigned turn)
{
    enum { HALF = 32 }; /* elements of half a sign word: n / 2 is a multiple */
    __m256 factor = _mm256_set1_ps(VSK_ROTATE_MIRROR);

    for (size_t i = 0; i < n / 2; i += HALF) {
        size_t mirrored = n - HALF - i;
        uint64_t x_bits = code_sign_word(turn, i / 64) >> (i % 64);
        uint64_t y_bits = code_sign_word(turn, mirrored / 64) >> (mirrored % 64);
        VSK_UNROLL
        for (int j = 0; j < HALF; j += CODE_LANES_AVX2) {
            int k = HALF - CODE_LANES_AVX2 - j;
            __m256 x = _mm256_loadu_ps(v + i + j);
            __m256 y = _mm256_loadu_ps(v + mirrored + k);
            x = _mm256_xor_ps(x, code_signs_avx2(x_bits >> j));
            y = code_reverse_avx2(_mm256_xor_ps(y, code_signs_avx2(y_bits >> k)));
            _mm256_storeu_ps(v + i + j, _mm256_mul_ps(_mm256_add_ps(x, y), factor));
            y = code_reverse_avx2(_mm256_mul_ps(_mm256_sub_ps(x, y), factor));
            _mm256_storeu_ps(v + mirrored + k, y);
        }
    }
}

void vsk_rotate_f32_avx2(float *v, size_t n)
{
    float scale;
    size_t window = code_window(n, &scale);
    size_t last = n - window;

    if (n == window) {
        code_window_avx2(v, window, 0, 0, scale);
        code_window_avx2(v, window, 1, 0, scale);
        return;
    }
    for (int turn = 0; turn < 4; turn += 2) {
        code_mirror_avx2(v, n, (unsigned)turn);
        code_window_avx2(v, window, -1, 0, scale);
        code_window_avx2(v + last, window, turn + 1, last / 64, scale);
    }
}

/* ---- products ---- */

enum {
    CODE_STEP_AVX2 = 32,   /* bytes of a row */
    CODE_SPAN_AVX2 = 128,  /* bytes whose sums fit into 16 bits: two sums in each of four steps */
    CODE_ROWS_AVX2 = 4,    /* whose sums are folded together */
    CODE_QUERIES_AVX2 = 4, /* at once, when there are as many */
    CODE_AHEAD_AVX2 = 4 * 1024 /* bytes from what is read to what is prefetched */
};

/* Each of four registers summed. */
VSK_INLINE __m128i code_fold4_avx2(const __m256i acc[4])
{
    __m256i a = _mm256_add_epi32(_mm256_unpacklo_epi32(acc[0], acc[1]),
                                 _mm256_unpackhi_epi32(acc[0], acc[1]));
    __m256i b = _mm256_add_epi32(_mm256_unpacklo_epi32(acc[2], acc[3]),
                                 _mm256_unpackhi_epi32(acc[2], acc[3]));
    a = _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    return _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
}

VSK_INLINE __m256i code_load_avx2(const void *at)
{
    return _mm256_loadu_si256(at);
}

/* 16-bit sums of one step, for q_count queries (1 or 4). */
VSK_INLINE void code_step_avx2(const int8_t *q, size_t q_stride, int q_count, const uint8_t *row,
                               size_t half, __m256i *sums_i16x16)
{
    __m256i nibble_u8x32 = _mm256_set1_epi8(15);
    __m256i both_u8x32 = code_load_avx2(row);
    __m256i low_u8x32 = _mm256_and_si256(both_u8x32, nibble_u8x32);
    __m256i high_u8x32 = _mm256_and_si256(_mm256_srli_epi16(both_u8x32, 4), nibble_u8x32);

    VSK_UNROLL
    for (int i = 0; i < q_count; i++) {
        const int8_t *at = q + (size_t)i * q_stride;
        __m256i low_i16x16 = _mm256_maddubs_epi16(low_u8x32, code_load_avx2(at));
        __m256i high_i16x16 = _mm256_maddubs_epi16(high_u8x32, code_load_avx2(at + half));
        sums_i16x16[i] =
            _mm256_add_epi16(sums_i16x16[i], _mm256_add_epi16(low_i16x16, high_i16x16));
    }
}

/* The steps of `bytes` bytes, a constant, unrolled. */
VSK_INLINE void code_steps_avx2(const int8_t *q, const uint8_t *row, size_t half, size_t bytes,
                                __m256i *sum_i16x16)
{
    VSK_UNROLL
    for (size_t k = 0; k < bytes; k += CODE_STEP_AVX2) {
        code_step_avx2(q + k, 0, 1, row + k, half, sum_i16x16);
    }
}

/*
 * One row with q_count queries: row by row, for several at once read a quarter slower from memory.
 * What lies `ahead` bytes on is prefetched, unless `ahead` is 0.
 */
VSK_INLINE void code_row_avx2(const int8_t *q, size_t q_stride, int q_count, const uint8_t *row,
                              size_t half, size_t ahead, __m256i *acc_i32x8)
{
    VSK_UNROLL
    for (int i = 0; i < q_count; i++) {
        acc_i32x8[i] = _mm256_setzero_si256();
    }
    for (size_t span = 0; span < half; span += CODE_SPAN_AVX2) {
        size_t bytes = half - span < CODE_SPAN_AVX2 ? half - span : CODE_SPAN_AVX2;
        __m256i zero = _mm256_setzero_si256();
        __m256i sums_i16x16[CODE_QUERIES_AVX2] = {zero, zero, zero, zero};
        if (ahead > 0) {
            prefetch_avx2(row, span + ahead);
            if (bytes > CODE_SPAN_AVX2 / 2) {
                prefetch_avx2(row, span + ahead + CODE_SPAN_AVX2 / 2);
            }
        }
        if (q_count == 1 && bytes == CODE_SPAN_AVX2) {
            code_steps_avx2(q + span, row + span, half, CODE_SPAN_AVX2, sums_i16x16);
        } else if (q_count == 1 && bytes == CODE_SPAN_AVX2 / 2) {
            code_steps_avx2(q + span, row + span, half, CODE_SPAN_AVX2 / 2, sums_i16x16);
        } else {
            for (size_t k = span; k < span + bytes; k += CODE_STEP_AVX2) {
                code_step_avx2(q + k, q_stride, q_count, row + k, half, sums_i16x16);
            }
        }
        VSK_UNROLL
        for (int i = 0; i < q_count; i++) {
            acc_i32x8[i] = _mm256_add_epi32(
                acc_i32x8[i], _mm256_madd_epi16(sums_i16x16[i], _mm256_set1_epi16(1)));
        }
    }
}

static void code_dot_one_avx2(const int8_t *q, const uint8_t *rows, size_t stride_bytes,
                              size_t count, size_t half, int32_t *out)
{
    size_t j = 0;

    for (; j + CODE_ROWS_AVX2 <= count; j += CODE_ROWS_AVX2) {
        const uint8_t *row = rows + j * stride_bytes;
        __m256i acc_i32x8[CODE_ROWS_AVX2];
        VSK_UNROLL
        for (size_t r = 0; r < CODE_ROWS_AVX2; r++) {
            code_row_avx2(q, 0, 1, row + r * stride_bytes, half, CODE_AHEAD_AVX2, &acc_i32x8[r]);
        }
        _mm_storeu_si128((__m128i *)(void *)(out + j), code_fold4_avx2(acc_i32x8));
    }
    for (; j < count; j++) {
        __m256i acc_i32x8[CODE_ROWS_AVX2] = {_mm256_setzero_si256()};
        code_row_avx2(q, 0, 1, rows + j * stride_bytes, half, 0, acc_i32x8);
        out[j] = _mm_cvtsi128_si32(code_fold4_avx2(acc_i32x8));
    }
}

void vsk_code_dot_i8_avx2(const int8_t *q, size_t q_stride, size_t q_count, const uint8_t *rows,
                          size_t stride_bytes, size_t count, size_t n, int32_t *out)
{
    size_t half = n / 2;
    size_t i = 0;

    for (; i + CODE_QUERIES_AVX2 <= q_count; i += CODE_QUERIES_AVX2) {
        for (size_t j = 0; j < count; j++) {
            __m256i acc_i32x8[CODE_QUERIES_AVX2];
            int32_t sums[CODE_QUERIES_AVX2];
            code_row_avx2(q + i * q_stride, q_stride, CODE_QUERIES_AVX2, rows + j * stride_bytes,
                          half, 0, acc_i32x8);
            _mm_storeu_si128((__m128i *)(void *)sums, code_fold4_avx2(acc_i32x8));
            for (size_t k = 0; k < CODE_QUERIES_AVX2; k++) {
                out[(i + k) * count + j] = sums[k];
            }
        }
    }
    for (; i < q_count; i++) {
        code_dot_one_avx2(q + i * q_stride, rows, stride_bytes, count, half, out + i * count);
    }
}

/* ---- the bound test ---- */

/* Bits of the rows that stay, of eight from i on. */
VSK_INLINE unsigned code_kept_avx2(const vsk_code_test *test, vsk_code_limits limits,
                                   const int32_t *dots, const float *inv, const float *cos,
                                   const float *sin, const float *r, size_t i)
{
    __m256 one = _mm256_set1_ps(1.0f);
    __m256i dots_i32x8 = code_load_avx2(dots + i);
    __m256 cos_f32x8 = _mm256_loadu_ps(cos + i);
    __m256 sin_f32x8 = _mm256_loadu_ps(sin + i);
    __m256 r_f32x8 = _mm256_loadu_ps(r + i);

    dots_i32x8 = _mm256_sub_epi32(_mm256_add_epi32(dots_i32x8, dots_i32x8),
                                  _mm256_set1_epi32(test->offset2));
    __m256 s = _mm256_mul_ps(_mm256_set1_ps(test->scale), _mm256_cvtepi32_ps(dots_i32x8));
    __m256 x =
        _mm256_add_ps(_mm256_mul_ps(s, _mm256_loadu_ps(inv + i)), _mm256_set1_ps(test->error));
    x = _mm256_max_ps(_mm256_set1_ps(-1.0f), x); /* in this order NaN stays NaN */
    __m256 w = _mm256_add_ps(_mm256_mul_ps(_mm256_set1_ps(limits.alpha), r_f32x8),
                             _mm256_div_ps(_mm256_set1_ps(limits.beta), r_f32x8));
    w = _mm256_sub_ps(w, _mm256_set1_ps(test->slack));
    __m256 d = _mm256_sub_ps(w, _mm256_mul_ps(cos_f32x8, x));
    __m256 root =
        _mm256_add_ps(_mm256_sub_ps(one, _mm256_mul_ps(x, x)), _mm256_set1_ps(VSK_CODE_ROOT));
    root = _mm256_mul_ps(_mm256_mul_ps(sin_f32x8, sin_f32x8), root);
    __m256 is_beyond = _mm256_and_ps(_mm256_cmp_ps(d, _mm256_setzero_ps(), _CMP_GT_OQ),
                                     _mm256_cmp_ps(_mm256_mul_ps(d, d), root, _CMP_GT_OQ));
    is_beyond = _mm256_and_ps(is_beyond, _mm256_cmp_ps(x, cos_f32x8, _CMP_LT_OQ));
    is_beyond = _mm256_or_ps(is_beyond, _mm256_cmp_ps(w, one, _CMP_GT_OQ));
    return ~(unsigned)_mm256_movemask_ps(is_beyond) & 0xffu;
}

size_t vsk_code_pass_f32_avx2(const vsk_code_test *test, const int32_t *dots, const float *inv,
                              const float *cos, const float *sin, const float *r, size_t count,
                              uint16_t *out)
{
    vsk_code_limits limits = vsk_code_limits_of(test);
    size_t whole = count - count % CODE_LANES_AVX2;
    size_t kept = 0;

    for (size_t i = 0; i < whole; i += CODE_LANES_AVX2) {
        unsigned bits = code_kept_avx2(test, limits, dots, inv, cos, sin, r, i);
        for (; bits != 0; bits &= bits - 1) {
            out[kept++] = (uint16_t)(i + (size_t)__builtin_ctz(bits));
        }
    }
    return kept + code_pass_rest(test, dots, inv, cos, sin, r, whole, count, out + kept);
}

/* ---- checksum ---- */

VSK_INLINE __m256i code_checksum_step_avx2(__m256i h_u32x8, const unsigned char *at)
{
    h_u32x8 = _mm256_xor_si256(h_u32x8, code_load_avx2(at));
    h_u32x8 = _mm256_mullo_epi32(h_u32x8, _mm256_set1_epi32((int)VSK_CHECKSUM_STEP));
    return _mm256_xor_si256(h_u32x8, _mm256_srli_epi32(h_u32x8, 15));
}

uint32_t vsk_checksum_bit_avx2(const void *data, size_t n)
{
    const unsigned char *p = data;
    size_t rest = n % 64;
    uint32_t lanes[16];

    code_checksum_start(lanes);
    __m256i low_u32x8 = code_load_avx2(lanes);
    __m256i high_u32x8 = code_load_avx2(lanes + 8);
    for (const unsigned char *end = p + (n - rest); p < end; p += 64) {
        low_u32x8 = code_checksum_step_avx2(low_u32x8, p);
        high_u32x8 = code_checksum_step_avx2(high_u32x8, p + 32);
    }
    if (rest > 0) {
        unsigned char block[64] = {0};
        memcpy(block, p, rest);
        low_u32x8 = code_checksum_step_avx2(low_u32x8, block);
        high_u32x8 = code_checksum_step_avx2(high_u32x8, block + 32);
    }
    return checksum_fold_avx2(low_u32x8, high_u32x8, n);
}

VSK_INLINE void code_checksum_four_avx2(const unsigned char *p, size_t stride_bytes, size_t n,
                                        uint32_t out[4])
{
    size_t rest = n % 64;
    uint32_t lanes[16];
    __m256i low_u32x8[4], high_u32x8[4];

    code_checksum_start(lanes);
    VSK_UNROLL
    for (int i = 0; i < 4; i++) {
        low_u32x8[i] = code_load_avx2(lanes);
        high_u32x8[i] = code_load_avx2(lanes + 8);
    }
    for (size_t at = 0; at < n - rest; at += 64) {
        VSK_UNROLL
        for (int i = 0; i < 4; i++) {
            const unsigned char *words = p + (size_t)i * stride_bytes + at;
            low_u32x8[i] = code_checksum_step_avx2(low_u32x8[i], words);
            high_u32x8[i] = code_checksum_step_avx2(high_u32x8[i], words + 32);
        }
    }
    for (int i = 0; rest > 0 && i < 4; i++) {
        unsigned char block[64] = {0};
        memcpy(block, p + (size_t)i * stride_bytes + (n - rest), rest);
        low_u32x8[i] = code_checksum_step_avx2(low_u32x8[i], block);
        high_u32x8[i] = code_checksum_step_avx2(high_u32x8[i], block + 32);
    }
    checksum_fold_four_avx2(low_u32x8, high_u32x8, n, out);
}

void vsk_checksum_rows_bit_avx2(const void *rows, size_t stride_bytes, size_t n, size_t count,
                                uint32_t *out)
{
    const unsigned char *p = rows;
    size_t i = 0;

    for (; i + 4 <= count; i += 4) {
        code_checksum_four_avx2(p + i * stride_bytes, stride_bytes, n, out + i);
    }
    for (; i < count; i++) {
        out[i] = vsk_checksum_bit_avx2(p + i * stride_bytes, n);
    }
}

#include "../isa_end.h"
#endif
