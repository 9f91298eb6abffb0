/*
 * cpu.c - what this CPU can do, and the operating system lets it do.
 *
 * x86: CPUID leaves 1 and 7, and XGETBV for the registers that the system saves. arm64: NEON is
 * part of the architecture; the dot product instructions are asked of Linux, assumed on Apple, and
 * otherwise left out.
 */
#include "vsk_impl.h"

#if defined(VSK_X86)

#include <cpuid.h>

static uint64_t cpu_saved_registers(void)
{
    uint32_t low;
    uint32_t high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0)); /* no intrinsic without -mxsave */
    return (uint64_t)high << 32 | low;
}

unsigned vsk_cpu_features(void)
{
    unsigned eax, ebx, ecx, edx;
    unsigned features = 0;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) {
        return 0;
    }
    if (edx & bit_SSE2) {
        features |= VSK_NEEDS_SSE2;
    }
    unsigned with_avx2 = bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C;
    if ((ecx & with_avx2) != with_avx2) {
        return features;
    }
    uint64_t saved = cpu_saved_registers();
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
        return features;
    }
    if ((saved & 0x06) != 0x06 || !(ebx & bit_AVX2)) { /* XMM, YMM */
        return features;
    }
    features |= VSK_NEEDS_AVX2;
    unsigned with_avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if ((saved & 0xe6) != 0xe6 || (ebx & with_avx512) != with_avx512) { /* and mask, ZMM */
        return features;
    }
    features |= VSK_NEEDS_AVX512;
    if (ecx & bit_AVX512VNNI) {
        features |= VSK_NEEDS_VNNI;
    }
    if (ecx & bit_AVX512VPOPCNTDQ) {
        features |= VSK_NEEDS_VPOPCNTDQ;
    }
    return features;
}

#elif defined(VSK_ARM64)

#if defined(__linux__)
#include <sys/auxv.h>
#endif

unsigned vsk_cpu_features(void)
{
    unsigned features = VSK_NEEDS_NEON;

#if defined(__linux__)
    if (getauxval(AT_HWCAP) & (1ul << 20)) { /* HWCAP_ASIMDDP */
        features |= VSK_NEEDS_DOTPROD;
    }
#elif defined(__APPLE__)
    features |= VSK_NEEDS_DOTPROD;
#endif
    return features;
}

#else

unsigned vsk_cpu_features(void)
{
    return 0;
}

#endif
