/*
 * dist_bit_sse2.c - distances of bit vectors with SSE2: sums of neighbouring bits, pairs and
 * quarters of bytes, side by side.
 */
#include "../bits.h"
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "sse2_begin.h"

enum { BIT_BLOCK_SSE2 = 16 };

/* Bits set, summed to two numbers. */
VSK_INLINE __m128i bit_count_sse2(__m128i bits)
{
    const __m128i ones = _mm_set1_epi8(0x55);
    const __m128i pairs = _mm_set1_epi8(0x33);
    const __m128i halves = _mm_set1_epi8(0x0f);

    bits = _mm_sub_epi8(bits, _mm_and_si128(_mm_srli_epi16(bits, 1), ones));
    bits = _mm_add_epi8(_mm_and_si128(bits, pairs), _mm_and_si128(_mm_srli_epi16(bits, 2), pairs));
    bits = _mm_and_si128(_mm_add_epi8(bits, _mm_srli_epi16(bits, 4)), halves);
    return _mm_sad_epu8(bits, _mm_setzero_si128());
}

VSK_INLINE uint64_t bit_fold_sse2(__m128i sum_u64x2)
{
    uint64_t sum[2];

    _mm_storeu_si128((__m128i *)(void *)sum, sum_u64x2);
    return sum[0] + sum[1];
}

/* counts[0]: bits in a xor b; or, where `is_jaccard`, in a and b, and counts[1]: in a or b. */
VSK_INLINE void bit_counts_sse2(const void *a, const void *b, size_t dim, uint64_t counts[2],
                                int is_jaccard)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t bytes = dim / 8;
    size_t i = 0;
    __m128i sum_u64x2[2] = {_mm_setzero_si128(), _mm_setzero_si128()};

    for (; i + BIT_BLOCK_SSE2 <= bytes; i += BIT_BLOCK_SSE2) {
        __m128i x_u8x16 = _mm_loadu_si128((const __m128i *)(const void *)(x + i));
        __m128i y_u8x16 = _mm_loadu_si128((const __m128i *)(const void *)(y + i));
        __m128i first_u8x16 =
            is_jaccard ? _mm_and_si128(x_u8x16, y_u8x16) : _mm_xor_si128(x_u8x16, y_u8x16);
        sum_u64x2[0] = _mm_add_epi64(sum_u64x2[0], bit_count_sse2(first_u8x16));
        if (is_jaccard) {
            sum_u64x2[1] =
                _mm_add_epi64(sum_u64x2[1], bit_count_sse2(_mm_or_si128(x_u8x16, y_u8x16)));
        }
    }
    counts[0] = bit_fold_sse2(sum_u64x2[0]);
    counts[1] = bit_fold_sse2(sum_u64x2[1]);
    vsk_count_bits(x + i, y + i, bytes - i, counts, is_jaccard);
}

VSK_DEFINE_BIT(sse2)

#include "../isa_end.h"
#endif
