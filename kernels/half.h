/*
 * half.h - float16 and bfloat16, one element at a time, in integer arithmetic that gives the bits
 * of the F16C instructions.
 *
 * NaN stays NaN: its sign and upper payload survive and it comes out quiet, except that bfloat16 to
 * float32 changes no bit.
 *
 * Called by: the scalar kernels, and the last elements of the others.
 */
#ifndef VSK_HALF_H
#define VSK_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t vsk_f32_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float vsk_f32_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float vsk_f16_decode(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t magnitude = half & 0x7fffu;

    if (magnitude < 0x0400u) { /* denormal: a multiple of 2^-24, normal in float32 */
        return vsk_f32_of_bits(sign | vsk_f32_bits((float)magnitude * 0x1p-24f));
    }
    if (magnitude < 0x7c00u) {
        return vsk_f32_of_bits(sign | ((magnitude << 13) + (112u << 23)));
    }
    return vsk_f32_of_bits(sign | 0x7f800000u | (magnitude << 13) |
                           (magnitude > 0x7c00u ? 0x00400000u : 0u));
}

static inline uint16_t vsk_f16_encode(float value)
{
    uint32_t bits = vsk_f32_bits(value);
    uint32_t sign = (bits >> 16) & 0x8000u;
    uint32_t magnitude = bits & 0x7fffffffu;

    if (magnitude > 0x7f800000u) {
        return (uint16_t)(sign | 0x7e00u | ((magnitude >> 13) & 0x03ffu));
    }
    if (magnitude >= 0x477ff000u) { /* 65520, halfway from the largest to 2^16, and beyond */
        return (uint16_t)(sign | 0x7c00u);
    }
    if (magnitude < 0x38800000u) {
        /* Below 2^-14. One unit of 0.5 is 2^-24, so the sum rounds where float16 does. */
        uint32_t sum = vsk_f32_bits(vsk_f32_of_bits(magnitude) + 0.5f);
        return (uint16_t)(sign | (sum - 0x3f000000u));
    }
    magnitude += 0x0fffu + ((magnitude >> 13) & 1u);
    return (uint16_t)(sign | ((magnitude - (112u << 23)) >> 13));
}

static inline float vsk_bf16_decode(uint16_t upper)
{
    return vsk_f32_of_bits((uint32_t)upper << 16);
}

static inline uint16_t vsk_bf16_encode(float value)
{
    uint32_t bits = vsk_f32_bits(value);

    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)((bits >> 16) | 0x0040u);
    }
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

#endif
