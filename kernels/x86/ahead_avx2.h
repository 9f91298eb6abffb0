/*
 * ahead_avx2.h - prefetching. Included inside an AVX2 or AVX-512 region.
 */
#ifndef VSK_AHEAD_AVX2_H
#define VSK_AHEAD_AVX2_H

/* Asks for the line `ahead` bytes behind. Also behind the last row, where what is read next mostly
 * lies: a scan takes some rows at a time. A prefetch of no memory does nothing. */
VSK_INLINE void prefetch_avx2(const void *at, size_t ahead)
{
    _mm_prefetch((const char *)((uintptr_t)at + ahead), _MM_HINT_T0);
}

#endif
