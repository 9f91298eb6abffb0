/*
 * neondotprod_begin.h - from here to isa_end.h, functions are compiled for NEON and its dot product
 * instructions.
 */
#include <arm_neon.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
