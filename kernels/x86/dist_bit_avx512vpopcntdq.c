/*
 * dist_bit_avx512vpopcntdq.c - distances of bit vectors with the instruction that counts bits in
 * eight words at once.
 */
#include "../bits.h"
#include "../vsk_impl.h"

#if defined(VSK_X86)
#include "avx512vpopcntdq_begin.h"

enum { BIT_BLOCK_VPOPCNTDQ = 64 };

/* counts[0]: bits in a xor b; or, where `is_jaccard`, in a and b, and counts[1]: in a or b. */
VSK_INLINE void bit_counts_avx512vpopcntdq(const void *a, const void *b, size_t dim,
                                           uint64_t counts[2], int is_jaccard)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t bytes = dim / 8;
    __m512i sum_u64x8[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};

    for (size_t i = 0; i < bytes; i += BIT_BLOCK_VPOPCNTDQ) {
        size_t n = bytes - i < BIT_BLOCK_VPOPCNTDQ ? bytes - i : BIT_BLOCK_VPOPCNTDQ;
        __mmask64 mask = ~(uint64_t)0 >> (BIT_BLOCK_VPOPCNTDQ - n);
        __m512i x_u8x64 = _mm512_maskz_loadu_epi8(mask, x + i);
        __m512i y_u8x64 = _mm512_maskz_loadu_epi8(mask, y + i);
        __m512i first_u8x64 =
            is_jaccard ? _mm512_and_si512(x_u8x64, y_u8x64) : _mm512_xor_si512(x_u8x64, y_u8x64);
        sum_u64x8[0] = _mm512_add_epi64(sum_u64x8[0], _mm512_popcnt_epi64(first_u8x64));
        if (is_jaccard) {
            __m512i either_u8x64 = _mm512_or_si512(x_u8x64, y_u8x64);
            sum_u64x8[1] = _mm512_add_epi64(sum_u64x8[1], _mm512_popcnt_epi64(either_u8x64));
        }
    }
    counts[0] = (uint64_t)_mm512_reduce_add_epi64(sum_u64x8[0]);
    counts[1] = (uint64_t)_mm512_reduce_add_epi64(sum_u64x8[1]);
}

VSK_DEFINE_BIT(avx512vpopcntdq)

#include "../isa_end.h"
#endif
