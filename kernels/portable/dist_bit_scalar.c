/*
 * dist_bit_scalar.c - distances of bit vectors in portable C, eight bytes at a time.
 */
#include "../bits.h"
#include "../vsk_impl.h"

VSK_INLINE void bit_counts_scalar(const void *a, const void *b, size_t dim, uint64_t counts[2],
                                  int is_jaccard)
{
    counts[0] = counts[1] = 0;
    vsk_count_bits(a, b, dim / 8, counts, is_jaccard);
}

VSK_DEFINE_BIT(scalar)
