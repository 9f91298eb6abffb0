/*
 * neon_begin.h - NEON is the baseline of arm64: only the header is needed. Ends at isa_end.h as
 * every region does.
 */
#include <arm_neon.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("neon"))), apply_to = function)
#else
#pragma GCC push_options
#endif
