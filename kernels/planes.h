/*
 * planes.h - planes of a code and their products in portable C, for the encoder of code.c and for
 * levels that bring no more than their own products.
 */
#ifndef VSK_PLANES_H
#define VSK_PLANES_H

#include "vsk_impl.h"

enum {
    PLANES_STEP = 32, /* bytes of a plane in the innermost loops; divides every plane */
    PLANES_ELEMENTS = 2 * VSK_CODE_PIECE
};

/* Elements of low nibbles and of high ones, side by side. */
VSK_INLINE void planes_gather(const float *low, const float *high, size_t count, float *out)
{
    memcpy(out, low, count * sizeof *low);
    memcpy(out + count, high, count * sizeof *high);
}

/*
 * u of `count` elements, a multiple of PLANES_STEP. Below -128 the conversion rounds up instead of
 * down, but what it gives is clipped.
 */
VSK_INLINE void planes_quantise(const float *v, size_t count, float steps_per_unit, uint8_t *out)
{
    for (size_t i = 0; i < count; i += PLANES_STEP) {
        uint8_t u[PLANES_STEP];
        for (size_t j = 0; j < PLANES_STEP; j++) {
            float steps = v[i + j] * steps_per_unit;
            VSK_ROUNDED_F32(steps);
            int32_t whole = (int32_t)(steps + 128.0f);
            whole = whole < 0 ? 0 : whole;
            u[j] = (uint8_t)(whole > 255 ? 255 : whole);
        }
        memcpy(out + i, u, sizeof u);
    }
}

/* Planes of elements side by side: u[bytes] of the low nibbles, then u[bytes] of the high ones. */
VSK_INLINE void planes_pack(const uint8_t *u, size_t bytes, uint8_t *plane_b, uint8_t *plane_c)
{
    for (size_t i = 0; i < bytes; i += PLANES_STEP) {
        uint8_t b[PLANES_STEP];
        uint8_t c[PLANES_STEP];
        for (size_t j = 0; j < PLANES_STEP; j++) {
            b[j] = (uint8_t)(u[i + j] >> 4 | (u[bytes + i + j] & 0xf0));
            c[j] = (uint8_t)((u[i + j] & 15) | u[bytes + i + j] << 4);
        }
        memcpy(plane_b + i, b, sizeof b);
        memcpy(plane_c + i, c, sizeof c);
    }
}

/* Values of `count` elements, a multiple of PLANES_STEP: of both planes, or 16 (B - 7.5). */
VSK_INLINE void planes_values(const uint8_t *u, size_t count, int is_coarse, float *out)
{
    uint8_t mask = is_coarse ? 0xf0 : 0xff;
    float offset = is_coarse ? 120.0f : 127.5f;
    size_t i = 0;

    do { /* at least once: GCC is to see that values are written */
        float values[PLANES_STEP];
        for (size_t j = 0; j < PLANES_STEP; j++) {
            values[j] = (float)(u[i + j] & mask) - offset;
        }
        memcpy(out + i, values, sizeof values);
        i += PLANES_STEP;
    } while (i < count);
}

/* vsk_code_planes_fn, with the products of one level. */
VSK_INLINE void planes_encode(const float *low, const float *high, size_t count,
                              float steps_per_unit, uint8_t *plane_b, uint8_t *plane_c,
                              vsk_code_products out[2], vsk_pair_kernel *dot, vsk_one_kernel *sumsq)
{
    float both[PLANES_ELEMENTS];
    float values[PLANES_ELEMENTS];
    uint8_t u[PLANES_ELEMENTS];

    planes_gather(low, high, count, both);
    planes_quantise(both, 2 * count, steps_per_unit, u);
    planes_pack(u, count, plane_b, plane_c);
    planes_values(u, 2 * count, 1, values);
    out[0] = (vsk_code_products){dot(both, values, 2 * count), sumsq(values, 2 * count)};
    planes_values(u, 2 * count, 0, values);
    out[1] = (vsk_code_products){dot(both, values, 2 * count), sumsq(values, 2 * count)};
}

#endif
