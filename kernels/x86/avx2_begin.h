/*
 * avx2_begin.h - from here to isa_end.h, functions are compiled for AVX2, FMA and F16C. Included
 * once per kernel file.
 */
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
