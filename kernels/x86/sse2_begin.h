/*
 * sse2_begin.h - from here to isa_end.h, functions are compiled for SSE2. Included once per kernel
 * file.
 */
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("sse2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("sse2")
#endif
