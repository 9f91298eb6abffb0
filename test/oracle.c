/*
 * oracle.c - see oracle.h.
 */
#include "oracle.h"

#include <math.h>
#include <string.h>

/* Decodes sign, exponent and fraction by their meaning. */
static double oracle_half(unsigned bits, int exponent_bits)
{
    int fraction_bits = 15 - exponent_bits;
    int bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = (int)(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
    int fraction = (int)bits & ((1 << fraction_bits) - 1);
    double value;

    if (exponent == (1 << exponent_bits) - 1) {
        value = fraction != 0 ? (double)NAN : (double)INFINITY;
    } else if (exponent == 0) {
        value = ldexp(fraction, 1 - bias - fraction_bits);
    } else {
        value = ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
    }
    return (bits & 0x8000u) != 0 ? -value : value;
}

double oracle_element(vsk_type type, const void *v, size_t i)
{
    const unsigned char *bytes = v;
    float f32;
    uint16_t half;

    switch (type) {
    case VSK_F32:
        memcpy(&f32, bytes + 4 * i, sizeof f32);
        return f32;
    case VSK_F16:
        memcpy(&half, bytes + 2 * i, sizeof half);
        return oracle_half(half, 5);
    case VSK_BF16:
        memcpy(&half, bytes + 2 * i, sizeof half);
        return oracle_half(half, 8);
    case VSK_I8:
        return bytes[i] < 128 ? bytes[i] : bytes[i] - 256;
    default:
        return (bytes[i / 8] >> (i % 8)) & 1;
    }
}

oracle_sum oracle_distance(oracle_op op, vsk_type a_type, const void *a, vsk_type b_type,
                           const void *b, size_t dim)
{
    oracle_sum sum = {0, 0};

    for (size_t i = 0; i < dim; i++) {
        long double x = oracle_element(a_type, a, i);
        long double y = oracle_element(b_type, b, i);
        long double term = op == ORACLE_DOT    ? x * y
                           : op == ORACLE_L2SQ ? (x - y) * (x - y)
                                               : fabsl(x - y);
        sum.value += term;
        sum.magnitude += fabsl(term);
    }
    return sum;
}

size_t oracle_hamming(const void *a, const void *b, size_t dim)
{
    return (size_t)oracle_distance(ORACLE_L1, VSK_BIT, a, VSK_BIT, b, dim).value;
}

double oracle_jaccard(const void *a, const void *b, size_t dim)
{
    size_t both = (size_t)oracle_distance(ORACLE_DOT, VSK_BIT, a, VSK_BIT, b, dim).value;
    size_t either = both + oracle_hamming(a, b, dim);

    return either == 0 ? 0.0 : 1.0 - (double)both / (double)either;
}

uint16_t oracle_nearest_half(vsk_type type, float value)
{
    int exponent_bits = type == VSK_F16 ? 5 : 8;
    unsigned infinity = ((1u << exponent_bits) - 1) << (15 - exponent_bits);
    unsigned sign = signbit(value) ? 0x8000u : 0;
    double magnitude = fabs((double)value);
    unsigned below = 0; /* the largest magnitude that is not above `value`, among 0..infinity */

    for (unsigned step = 0x4000u; step > 0; step /= 2) {
        if (below + step <= infinity && oracle_half(below + step, exponent_bits) <= magnitude) {
            below += step;
        }
    }
    if (below == infinity) {
        return (uint16_t)(sign | infinity);
    }
    /*
     * As if the range went on: the neighbour of the largest finite value, for rounding, is the next
     * power of two.
     */
    double lower = oracle_half(below, exponent_bits);
    double upper = below + 1 == infinity ? ldexp(1.0, 1 << (exponent_bits - 1))
                                         : oracle_half(below + 1, exponent_bits);
    double to_lower = magnitude - lower;
    double to_upper = upper - magnitude;
    int up = to_upper < to_lower || (to_upper == to_lower && (below & 1) != 0);
    return (uint16_t)(sign | (below + (unsigned)up));
}
