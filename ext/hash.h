/*
 * hash.h - FNV-1a, 64 bits, for keys of caches: not against who looks for collisions.
 *
 * Source: Fowler, Noll and Vo; the constants are theirs.
 */
#ifndef VS_HASH_H
#define VS_HASH_H

#include <stddef.h>
#include <stdint.h>

#define VS_HASH_INIT 0xcbf29ce484222325u

/* Goes on from `hash`, VS_HASH_INIT at first, over n bytes. */
static inline uint64_t vs_hash(uint64_t hash, const void *data, size_t n)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ at[i]) * 0x100000001b3u;
    }
    return hash;
}

#endif
