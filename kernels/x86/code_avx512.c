/*
 * code_avx512.c - bound test and checksum of codes with AVX-512. Rotation and, without VNNI,
 * products keep the AVX2 kernels.
 */
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx512_begin.h"
#include "checksum_avx2.h"

enum { CODE_LANES_AVX512 = 16 };

/* The rows that stay, of those in `mask` from i on. */
VSK_INLINE __mmask16 code_kept_avx512(const vsk_code_test *test, code_limits limits, __mmask16 mask,
                                      const int32_t *dots, const float *inv, const float *cos,
                                      const float *sin, const float *r, size_t i)
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
    code_limits limits = code_limits_of(test);
    __m512i steps_u32x16 = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    size_t kept = 0;

    for (size_t i = 0; i < count; i += CODE_LANES_AVX512) {
        size_t n = count - i < CODE_LANES_AVX512 ? count - i : CODE_LANES_AVX512;
        __mmask16 mask = (__mmask16)(0xffffu >> (CODE_LANES_AVX512 - n));
        __mmask16 bits = code_kept_avx512(test, limits, mask, dots, inv, cos, sin, r, i);
        if (bits == 0) {
            continue; /* most blocks, when most rows are far away */
        }
        __m512i places_u32x16 = _mm512_add_epi32(steps_u32x16, _mm512_set1_epi32((int)i));
        unsigned more = (unsigned)__builtin_popcount(bits);
        places_u32x16 = _mm512_maskz_compress_epi32(bits, places_u32x16);
        _mm256_mask_storeu_epi16(out + kept, (__mmask16)(0xffffu >> (CODE_LANES_AVX512 - more)),
                                 _mm512_cvtepi32_epi16(places_u32x16));
        kept += more;
    }
    return kept;
}

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

#include "../isa_end.h"
#endif
