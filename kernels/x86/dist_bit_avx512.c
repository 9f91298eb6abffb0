/*
 * dist_bit_avx512.c - distances of bit vectors with AVX-512BW, counting by table as dist_bit_avx2.c
 * does.
 */
#include "../bits.h"
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx512_begin.h"

enum { BIT_BLOCK_AVX512 = 64 };

/* Bits set, summed to eight numbers. */
VSK_INLINE __m512i bit_count_avx512(__m512i bits_u8x64)
{
    const __m512i table =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i low_half = _mm512_set1_epi8(0x0f);
    __m512i low_u8x64 = _mm512_and_si512(bits_u8x64, low_half);
    __m512i high_u8x64 = _mm512_and_si512(_mm512_srli_epi16(bits_u8x64, 4), low_half);
    __m512i count_u8x64 = _mm512_add_epi8(_mm512_shuffle_epi8(table, low_u8x64),
                                          _mm512_shuffle_epi8(table, high_u8x64));
    return _mm512_sad_epu8(count_u8x64, _mm512_setzero_si512());
}

/* counts[0]: bits in a xor b; or, where `is_jaccard`, in a and b, and counts[1]: in a or b. */
VSK_INLINE void bit_counts_avx512(const void *a, const void *b, size_t dim, uint64_t counts[2],
                                  int is_jaccard)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t bytes = dim / 8;
    __m512i sum_u64x8[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};

    for (size_t i = 0; i < bytes; i += BIT_BLOCK_AVX512) {
        size_t n = bytes - i < BIT_BLOCK_AVX512 ? bytes - i : BIT_BLOCK_AVX512;
        __mmask64 mask = ~(uint64_t)0 >> (BIT_BLOCK_AVX512 - n);
        __m512i x_u8x64 = _mm512_maskz_loadu_epi8(mask, x + i);
        __m512i y_u8x64 = _mm512_maskz_loadu_epi8(mask, y + i);
        __m512i first_u8x64 =
            is_jaccard ? _mm512_and_si512(x_u8x64, y_u8x64) : _mm512_xor_si512(x_u8x64, y_u8x64);
        sum_u64x8[0] = _mm512_add_epi64(sum_u64x8[0], bit_count_avx512(first_u8x64));
        if (is_jaccard) {
            __m512i either_u8x64 = _mm512_or_si512(x_u8x64, y_u8x64);
            sum_u64x8[1] = _mm512_add_epi64(sum_u64x8[1], bit_count_avx512(either_u8x64));
        }
    }
    counts[0] = (uint64_t)_mm512_reduce_add_epi64(sum_u64x8[0]);
    counts[1] = (uint64_t)_mm512_reduce_add_epi64(sum_u64x8[1]);
}

VSK_DEFINE_BIT(avx512)

#include "../isa_end.h"
#endif
