/*
 * code_avx512vnni.c - products of codes with AVX-512 VNNI, whose instruction multiplies unsigned by
 * signed bytes and adds four products to a 32-bit lane.
 *
 * High nibbles stay where they are in their byte, 16 times too large, and have sums of their own:
 * these are at most 240 * 127 * 32768 < 2^31 in size, and exact multiples of 16 at the end.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx512vnni_begin.h"
#include "ahead_avx2.h"

enum {
    CODE_STEP_VNNI = 64,       /* bytes of a row */
    CODE_STEPS_MAX_VNNI = 8,   /* of rows for which the query stays in registers */
    CODE_ROWS_VNNI = 4,        /* at once */
    CODE_QUERIES_VNNI = 2,     /* at once, when there are as many */
    CODE_AHEAD_VNNI = 4 * 1024 /* bytes from what is read to what is prefetched */
};

/* Each of four registers summed. */
VSK_INLINE __m128i code_fold4_vnni(const __m512i acc[4])
{
    __m512i a = _mm512_add_epi32(_mm512_unpacklo_epi32(acc[0], acc[1]),
                                 _mm512_unpackhi_epi32(acc[0], acc[1]));
    __m512i b = _mm512_add_epi32(_mm512_unpacklo_epi32(acc[2], acc[3]),
                                 _mm512_unpackhi_epi32(acc[2], acc[3]));
    a = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    __m256i c = _mm256_add_epi32(_mm512_castsi512_si256(a), _mm512_extracti64x4_epi64(a, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(c), _mm256_extracti128_si256(c, 1));
}

/* 64 bytes, or the last 32 of a plane. */
VSK_INLINE __m512i code_load_vnni(const void *at, int is_whole)
{
    return is_whole ? _mm512_loadu_si512(at) : _mm512_maskz_loadu_epi8(0xffffffffu, at);
}

/* Sums over a row, to which a step is added. */
typedef struct code_sums_vnni {
    __m512i low_i32x16;
    __m512i high_i32x16; /* 16 times too large */
} code_sums_vnni;

VSK_INLINE void code_step_vnni(code_sums_vnni *sums, __m512i row_u8x64, __m512i q_low_i8x64,
                               __m512i q_high_i8x64)
{
    __m512i low_u8x64 = _mm512_and_si512(row_u8x64, _mm512_set1_epi8(15));
    __m512i high_u8x64 = _mm512_and_si512(row_u8x64, _mm512_set1_epi8(-16));

    sums->low_i32x16 = _mm512_dpbusd_epi32(sums->low_i32x16, low_u8x64, q_low_i8x64);
    sums->high_i32x16 = _mm512_dpbusd_epi32(sums->high_i32x16, high_u8x64, q_high_i8x64);
}

VSK_INLINE __m512i code_total_vnni(const code_sums_vnni *sums)
{
    return _mm512_add_epi32(sums->low_i32x16, _mm512_srai_epi32(sums->high_i32x16, 4));
}

/*
 * One row of `steps` whole steps, and half a step where has_tail, with a query in registers. Row by
 * row: four rows at once read a quarter slower from memory. What lies `ahead` bytes on is
 * prefetched, unless `ahead` is 0.
 */
VSK_INLINE __m512i code_row_vnni(const __m512i *q_low_i8x64, const __m512i *q_high_i8x64, int steps,
                                 int has_tail, const uint8_t *row, size_t ahead)
{
    code_sums_vnni sums = {_mm512_setzero_si512(), _mm512_setzero_si512()};

    VSK_UNROLL
    for (int i = 0; i < steps + has_tail; i++) {
        if (ahead > 0) {
            prefetch_avx2(row, CODE_STEP_VNNI * (size_t)i + ahead);
        }
        code_step_vnni(&sums, code_load_vnni(row + CODE_STEP_VNNI * i, i < steps), q_low_i8x64[i],
                       q_high_i8x64[i]);
    }
    return code_total_vnni(&sums);
}

/* One query, rows of `steps` whole steps and perhaps half a step: constants. */
VSK_INLINE void code_dot_steps_vnni(const int8_t *q, const uint8_t *rows, size_t stride_bytes,
                                    size_t count, int steps, int has_tail, int32_t *out)
{
    __m512i q_low_i8x64[CODE_STEPS_MAX_VNNI];
    __m512i q_high_i8x64[CODE_STEPS_MAX_VNNI];
    const int8_t *q_second = q + CODE_STEP_VNNI * steps + CODE_STEP_VNNI / 2 * has_tail;
    size_t j = 0;

    VSK_UNROLL
    for (int i = 0; i < steps + has_tail; i++) {
        q_low_i8x64[i] = code_load_vnni(q + CODE_STEP_VNNI * i, i < steps);
        q_high_i8x64[i] = code_load_vnni(q_second + CODE_STEP_VNNI * i, i < steps);
    }
    for (; j + CODE_ROWS_VNNI <= count; j += CODE_ROWS_VNNI) {
        __m512i totals_i32x16[CODE_ROWS_VNNI];
        VSK_UNROLL
        for (int r = 0; r < CODE_ROWS_VNNI; r++) {
            totals_i32x16[r] =
                code_row_vnni(q_low_i8x64, q_high_i8x64, steps, has_tail,
                              rows + (j + (size_t)r) * stride_bytes, CODE_AHEAD_VNNI);
        }
        _mm_storeu_si128((__m128i *)(void *)(out + j), code_fold4_vnni(totals_i32x16));
    }
    for (; j < count; j++) {
        out[j] = _mm512_reduce_add_epi32(
            code_row_vnni(q_low_i8x64, q_high_i8x64, steps, has_tail, rows + j * stride_bytes, 0));
    }
}

/* One row of any length, with the query read from memory. */
VSK_INLINE __m512i code_row_any_vnni(const int8_t *q, const uint8_t *row, size_t half, size_t ahead)
{
    code_sums_vnni sums = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    size_t k = 0;

    for (; k + CODE_STEP_VNNI <= half; k += CODE_STEP_VNNI) {
        prefetch_avx2(row, k + ahead);
        code_step_vnni(&sums, code_load_vnni(row + k, 1), code_load_vnni(q + k, 1),
                       code_load_vnni(q + half + k, 1));
    }
    if (k < half) {
        code_step_vnni(&sums, code_load_vnni(row + k, 0), code_load_vnni(q + k, 0),
                       code_load_vnni(q + half + k, 0));
    }
    return code_total_vnni(&sums);
}

/* One query, rows of any length. */
static void code_dot_any_vnni(const int8_t *q, const uint8_t *rows, size_t stride_bytes,
                              size_t count, size_t half, int32_t *out)
{
    size_t j = 0;

    for (; j + CODE_ROWS_VNNI <= count; j += CODE_ROWS_VNNI) {
        __m512i totals_i32x16[CODE_ROWS_VNNI];
        VSK_UNROLL
        for (int r = 0; r < CODE_ROWS_VNNI; r++) {
            totals_i32x16[r] =
                code_row_any_vnni(q, rows + (j + (size_t)r) * stride_bytes, half, CODE_AHEAD_VNNI);
        }
        _mm_storeu_si128((__m128i *)(void *)(out + j), code_fold4_vnni(totals_i32x16));
    }
    for (; j < count; j++) {
        out[j] = _mm512_reduce_add_epi32(code_row_any_vnni(q, rows + j * stride_bytes, half, 0));
    }
}

static void code_dot_one_vnni(const int8_t *q, const uint8_t *rows, size_t stride_bytes,
                              size_t count, size_t half, int32_t *out)
{
    switch (half) {
    case 1 * CODE_STEP_VNNI:
        code_dot_steps_vnni(q, rows, stride_bytes, count, 1, 0, out);
        break;
    case 2 * CODE_STEP_VNNI:
        code_dot_steps_vnni(q, rows, stride_bytes, count, 2, 0, out);
        break;
    case 3 * CODE_STEP_VNNI:
        code_dot_steps_vnni(q, rows, stride_bytes, count, 3, 0, out);
        break;
    case 4 * CODE_STEP_VNNI:
        code_dot_steps_vnni(q, rows, stride_bytes, count, 4, 0, out);
        break;
    case 6 * CODE_STEP_VNNI:
        code_dot_steps_vnni(q, rows, stride_bytes, count, 6, 0, out);
        break;
    case 6 * CODE_STEP_VNNI + CODE_STEP_VNNI / 2: /* 769 .. 832 elements */
        code_dot_steps_vnni(q, rows, stride_bytes, count, 6, 1, out);
        break;
    case 8 * CODE_STEP_VNNI:
        code_dot_steps_vnni(q, rows, stride_bytes, count, 8, 0, out);
        break;
    default:
        code_dot_any_vnni(q, rows, stride_bytes, count, half, out);
    }
}

/*
 * Some queries with row_count rows: here the high nibbles move down, so that a pair needs one sum
 * instead of two.
 */
VSK_INLINE void code_some_step_vnni(const int8_t *q, size_t q_stride, const uint8_t *row,
                                    size_t stride_bytes, int row_count, size_t half, int is_whole,
                                    __m512i sums_i32x16[CODE_QUERIES_VNNI][CODE_ROWS_VNNI])
{
    __m512i nibble_u8x64 = _mm512_set1_epi8(15);
    __m512i low_u8x64[CODE_ROWS_VNNI];
    __m512i high_u8x64[CODE_ROWS_VNNI];

    VSK_UNROLL
    for (int r = 0; r < row_count; r++) {
        __m512i both_u8x64 = code_load_vnni(row + (size_t)r * stride_bytes, is_whole);
        low_u8x64[r] = _mm512_and_si512(both_u8x64, nibble_u8x64);
        high_u8x64[r] = _mm512_and_si512(_mm512_srli_epi16(both_u8x64, 4), nibble_u8x64);
    }
    VSK_UNROLL
    for (int i = 0; i < CODE_QUERIES_VNNI; i++) {
        __m512i q_low_i8x64 = code_load_vnni(q + (size_t)i * q_stride, is_whole);
        __m512i q_high_i8x64 = code_load_vnni(q + (size_t)i * q_stride + half, is_whole);
        VSK_UNROLL
        for (int r = 0; r < row_count; r++) {
            __m512i sum = _mm512_dpbusd_epi32(sums_i32x16[i][r], low_u8x64[r], q_low_i8x64);
            sums_i32x16[i][r] = _mm512_dpbusd_epi32(sum, high_u8x64[r], q_high_i8x64);
        }
    }
}

VSK_INLINE void code_some_vnni(const int8_t *q, size_t q_stride, const uint8_t *rows,
                               size_t stride_bytes, int row_count, size_t half, size_t out_stride,
                               int32_t *out)
{
    __m512i sums_i32x16[CODE_QUERIES_VNNI][CODE_ROWS_VNNI];
    size_t k = 0;

    VSK_UNROLL
    for (int i = 0; i < CODE_QUERIES_VNNI * CODE_ROWS_VNNI; i++) {
        sums_i32x16[i / CODE_ROWS_VNNI][i % CODE_ROWS_VNNI] = _mm512_setzero_si512();
    }
    for (; k + CODE_STEP_VNNI <= half; k += CODE_STEP_VNNI) {
        code_some_step_vnni(q + k, q_stride, rows + k, stride_bytes, row_count, half, 1,
                            sums_i32x16);
    }
    if (k < half) {
        code_some_step_vnni(q + k, q_stride, rows + k, stride_bytes, row_count, half, 0,
                            sums_i32x16);
    }
    VSK_UNROLL
    for (int i = 0; i < CODE_QUERIES_VNNI; i++) {
        __m128i sums_i32x4 = code_fold4_vnni(sums_i32x16[i]);
        int32_t *at = out + (size_t)i * out_stride;
        if (row_count == CODE_ROWS_VNNI) {
            _mm_storeu_si128((__m128i *)(void *)at, sums_i32x4);
        } else {
            *at = _mm_cvtsi128_si32(sums_i32x4);
        }
    }
}

void vsk_code_dot_i8_avx512vnni(const int8_t *q, size_t q_stride, size_t q_count,
                                const uint8_t *rows, size_t stride_bytes, size_t count, size_t n,
                                int32_t *out)
{
    size_t half = n / 2;
    size_t i = 0;

    for (; i + CODE_QUERIES_VNNI <= q_count; i += CODE_QUERIES_VNNI) {
        const int8_t *some = q + i * q_stride;
        size_t j = 0;
        for (; j + CODE_ROWS_VNNI <= count; j += CODE_ROWS_VNNI) {
            code_some_vnni(some, q_stride, rows + j * stride_bytes, stride_bytes, CODE_ROWS_VNNI,
                           half, count, out + i * count + j);
        }
        for (; j < count; j++) {
            code_some_vnni(some, q_stride, rows + j * stride_bytes, 0, 1, half, count,
                           out + i * count + j);
        }
    }
    for (; i < q_count; i++) {
        code_dot_one_vnni(q + i * q_stride, rows, stride_bytes, count, half, out + i * count);
    }
}

#include "../isa_end.h"
#endif
