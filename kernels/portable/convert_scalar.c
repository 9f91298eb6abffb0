/*
 * convert_scalar.c - conversion between element types, and the search for NaN and infinity, in
 * portable C.
 *
 * Elements go through memcpy because no pointer need be aligned.
 */
#include "../half.h"
#include "../vsk_impl.h"

void vsk_to_f32_f16_scalar(const void *src, void *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, (const unsigned char *)src + 2 * i, sizeof half);
        float value = vsk_f16_decode(half);
        memcpy((unsigned char *)dst + 4 * i, &value, sizeof value);
    }
}

void vsk_to_f32_bf16_scalar(const void *src, void *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t upper;
        memcpy(&upper, (const unsigned char *)src + 2 * i, sizeof upper);
        float value = vsk_bf16_decode(upper);
        memcpy((unsigned char *)dst + 4 * i, &value, sizeof value);
    }
}

void vsk_to_f32_i8_scalar(const void *src, void *dst, size_t n)
{
    const int8_t *from = src;

    for (size_t i = 0; i < n; i++) {
        float value = from[i];
        memcpy((unsigned char *)dst + 4 * i, &value, sizeof value);
    }
}

void vsk_from_f32_f16_scalar(const void *src, void *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float value;
        memcpy(&value, (const unsigned char *)src + 4 * i, sizeof value);
        uint16_t half = vsk_f16_encode(value);
        memcpy((unsigned char *)dst + 2 * i, &half, sizeof half);
    }
}

void vsk_from_f32_bf16_scalar(const void *src, void *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float value;
        memcpy(&value, (const unsigned char *)src + 4 * i, sizeof value);
        uint16_t upper = vsk_bf16_encode(value);
        memcpy((unsigned char *)dst + 2 * i, &upper, sizeof upper);
    }
}

void vsk_half_widen_f16_scalar(const void *src, float norm, void *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, (const unsigned char *)src + 2 * i, sizeof half);
        float value = vsk_f16_decode(half) / norm;
        memcpy((unsigned char *)out + 4 * i, &value, sizeof value);
    }
}

void vsk_half_widen_bf16_scalar(const void *src, float norm, void *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t upper;
        memcpy(&upper, (const unsigned char *)src + 2 * i, sizeof upper);
        float value = vsk_bf16_decode(upper) / norm;
        memcpy((unsigned char *)out + 4 * i, &value, sizeof value);
    }
}

size_t vsk_find_nonfinite_f32_scalar(const void *src, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, (const unsigned char *)src + 4 * i, sizeof bits);
        if ((bits & 0x7f800000u) == 0x7f800000u) {
            return i;
        }
    }
    return n;
}

/* The first of n 16-bit elements whose exponent bits, `exponent`, are all set. */
static inline size_t convert_find_half(const void *src, size_t n, uint16_t exponent)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, (const unsigned char *)src + 2 * i, sizeof half);
        if ((half & exponent) == exponent) {
            return i;
        }
    }
    return n;
}

size_t vsk_find_nonfinite_f16_scalar(const void *src, size_t n)
{
    return convert_find_half(src, n, 0x7c00u);
}

size_t vsk_find_nonfinite_bf16_scalar(const void *src, size_t n)
{
    return convert_find_half(src, n, 0x7f80u);
}
