/* isa_end.h - back to the baseline, after <isa>_begin.h. */
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
