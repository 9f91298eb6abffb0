/*
 * avx512vpopcntdq_begin.h - from here to isa_end.h, functions are compiled for AVX-512 F, BW, DQ,
 * VL and VPOPCNTDQ. Included once per kernel file.
 */
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(                                                                      \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq"))),   \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")
#endif
