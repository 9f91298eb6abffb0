/*
 * bits.h - counting bits in a word, and the Jaccard distance from two counts, for every level.
 */
#ifndef VSK_BITS_H
#define VSK_BITS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t vsk_popcount64(uint64_t word)
{
    word -= (word >> 1) & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (uint32_t)((word * 0x0101010101010101u) >> 56);
}

/* Reads n <= 8 bytes; the missing ones are zero. */
static inline uint64_t vsk_load_word(const unsigned char *p, size_t n)
{
    uint64_t word = 0;

    if (n == 8) {
        memcpy(&word, p, 8); /* one load, where the size is known */
    } else {
        memcpy(&word, p, n);
    }
    return word;
}

/*
 * Adds, word by word, to counts[0]: bits in a xor b; or, where `is_jaccard`, in a and b, and to
 * counts[1]: in a or b.
 */
static inline void vsk_count_bits(const unsigned char *a, const unsigned char *b, size_t bytes,
                                  uint64_t counts[2], int is_jaccard)
{
    for (size_t i = 0; i < bytes; i += 8) {
        size_t step = bytes - i < 8 ? bytes - i : 8;
        uint64_t a_word = vsk_load_word(a + i, step);
        uint64_t b_word = vsk_load_word(b + i, step);
        counts[0] += vsk_popcount64(is_jaccard ? a_word & b_word : a_word ^ b_word);
        counts[1] += is_jaccard ? vsk_popcount64(a_word | b_word) : 0;
    }
}

static inline double vsk_jaccard_of_counts(uint64_t both, uint64_t either)
{
    return either == 0 ? 0.0 : 1.0 - (double)both / (double)either;
}

#endif
