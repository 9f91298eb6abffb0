/*
 * awkward.h - vectors that bounds have trouble with: close together and far away, huge, tiny,
 * equal, orthogonal.
 */
#ifndef AWKWARD_H
#define AWKWARD_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

static uint64_t awkward_state = 0x9e3779b97f4a7c15u;

static inline double random_uniform(void)
{
    awkward_state ^= awkward_state << 13;
    awkward_state ^= awkward_state >> 7;
    awkward_state ^= awkward_state << 17;
    return (double)(awkward_state >> 11) / 9007199254740992.0;
}

static inline double random_normal(void)
{
    double sum = 0.0;
    for (int i = 0; i < 12; i++) {
        sum += random_uniform();
    }
    return sum - 6.0;
}

typedef enum data_kind {
    DATA_NORMAL,
    DATA_FAR, /* close together and far from the origin */
    DATA_CLUSTERS,
    DATA_ONE_HOT,
    DATA_CONSTANT, /* multiples of (1, 1, ...) */
    DATA_GRID,     /* -1, 0, 1: many equal distances */
    DATA_DUPLICATES,
    DATA_HUGE, /* about 1e17: inside of what bounds are computed for */
    DATA_TOO_HUGE,
    DATA_TINY,
    DATA_TOO_TINY,
    DATA_MIXED, /* sizes from 1e-30 to 1e30, and zero */
    DATA_KINDS
} data_kind;

static inline float data_element(data_kind kind, size_t row, size_t i, size_t dim)
{
    switch (kind) {
    case DATA_FAR:
        return (float)(100.0 + 1e-3 * random_normal());
    case DATA_CLUSTERS:
        return (float)(3.0 * sin((double)(i * 7 + row % 3)) + 0.2 * random_normal());
    case DATA_ONE_HOT:
        return i == row * 5 % dim ? 1.0f : 0.0f;
    case DATA_CONSTANT:
        return (float)row - 11.0f;
    case DATA_GRID:
        return (float)((int)(random_uniform() * 3.0) - 1);
    case DATA_DUPLICATES:
        return (float)sin((double)(i + row / 6));
    case DATA_HUGE:
        return (float)(1e17 * random_normal() / (double)dim);
    case DATA_TOO_HUGE:
        return (float)(1e35 * random_normal());
    case DATA_TINY:
        return (float)(1e-16 * random_normal());
    case DATA_TOO_TINY:
        return (float)(1e-42 * random_normal());
    case DATA_MIXED:
        return row == 0 ? 0.0f
                        : (float)(pow(10.0, 5.0 * (double)(row % 13) - 30.0) * random_normal());
    default:
        return (float)random_normal();
    }
}

#endif
