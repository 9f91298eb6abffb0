/*
 * dist_bit_avx2.c - distances of bit vectors with AVX2.
 *
 * Bits are counted by looking up each half of a byte in a table of 16 (Mula, Kurz and Lemire,
 * Faster Population Counts Using AVX2 Instructions, 2018).
 */
#include "../bits.h"
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx2_begin.h"

enum { BIT_BLOCK_AVX2 = 32 };

/* Bits set, summed to four numbers. */
VSK_INLINE __m256i bit_count_avx2(__m256i bits_u8x32)
{
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1,
                                           2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low_half = _mm256_set1_epi8(0x0f);
    __m256i low_u8x32 = _mm256_and_si256(bits_u8x32, low_half);
    __m256i high_u8x32 = _mm256_and_si256(_mm256_srli_epi16(bits_u8x32, 4), low_half);
    __m256i count_u8x32 = _mm256_add_epi8(_mm256_shuffle_epi8(table, low_u8x32),
                                          _mm256_shuffle_epi8(table, high_u8x32));
    return _mm256_sad_epu8(count_u8x32, _mm256_setzero_si256());
}

VSK_INLINE uint64_t bit_fold_avx2(__m256i sum_u64x4)
{
    uint64_t sum[4];

    _mm256_storeu_si256((__m256i *)(void *)sum, sum_u64x4);
    return sum[0] + sum[1] + sum[2] + sum[3];
}

/* counts[0]: bits in a xor b; or, where `is_jaccard`, in a and b, and counts[1]: in a or b. */
VSK_INLINE void bit_counts_avx2(const void *a, const void *b, size_t dim, uint64_t counts[2],
                                int is_jaccard)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t bytes = dim / 8;
    size_t i = 0;
    __m256i sum_u64x4[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};

    for (; i + BIT_BLOCK_AVX2 <= bytes; i += BIT_BLOCK_AVX2) {
        __m256i x_u8x32 = _mm256_loadu_si256((const __m256i *)(const void *)(x + i));
        __m256i y_u8x32 = _mm256_loadu_si256((const __m256i *)(const void *)(y + i));
        __m256i first_u8x32 =
            is_jaccard ? _mm256_and_si256(x_u8x32, y_u8x32) : _mm256_xor_si256(x_u8x32, y_u8x32);
        sum_u64x4[0] = _mm256_add_epi64(sum_u64x4[0], bit_count_avx2(first_u8x32));
        if (is_jaccard) {
            __m256i either_u8x32 = _mm256_or_si256(x_u8x32, y_u8x32);
            sum_u64x4[1] = _mm256_add_epi64(sum_u64x4[1], bit_count_avx2(either_u8x32));
        }
    }
    counts[0] = bit_fold_avx2(sum_u64x4[0]);
    counts[1] = bit_fold_avx2(sum_u64x4[1]);
    vsk_count_bits(x + i, y + i, bytes - i, counts, is_jaccard);
}

VSK_DEFINE_BIT(avx2)

#include "../isa_end.h"
#endif
