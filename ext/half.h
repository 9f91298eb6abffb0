/*
 * half.h - vectors on the half grid: every element is a 16-bit float over one float32 norm, bit for
 * bit. Embeddings that were computed in half precision and normalised afterwards are like that.
 */
#ifndef VS_HALF_H
#define VS_HALF_H

#include <stdint.h>

#include "vs_base.h"

/*
 * Is there a norm n and are there h[i] of `element` (VSK_F16: 11-bit significands; VSK_BF16: 8-bit
 * ones) with v[i] == (float)h[i] / n for every i, bit for bit, signs of zeros included? Then 1, and
 * out [dim] and *out_norm (finite, > 0) hold them; a vector whose elements are exact 16-bit floats
 * gets n = 1. 0 otherwise, and for vectors with NaN or infinity; out is then undefined. Never wrong:
 * what it returns has been verified; only with elements outside of 2^-64 .. 2^64 may it miss a
 * vector. v, out: any alignment. Allocates nothing; any thread.
 */
int vs_half_find(const float *v, size_t dim, vsk_type element, uint16_t *out, float *out_norm);

/* out[i] = (float)h[i] / norm, one IEEE division in float32: the same bits everywhere. */
void vs_half_widen(const uint16_t *h, size_t dim, vsk_type element, float norm, float *out);

#endif
