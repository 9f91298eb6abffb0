/*
 * oracle.h - distances written for reading, in long double, without a line shared with kernels/.
 *
 * What it returns is exact but for (dim + 2) roundings of long double, far below anything the
 * kernels promise.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stddef.h>

#include "../kernels/vsk.h"

typedef enum oracle_op { ORACLE_DOT, ORACLE_L2SQ, ORACLE_L1 } oracle_op;

typedef struct oracle_sum {
    long double value;
    long double magnitude; /* the sum of the absolute values of the terms */
} oracle_sum;

/* Element i of v, exactly. bit: 0 or 1. */
double oracle_element(vsk_type type, const void *v, size_t i);

/* a and b may differ in type. */
oracle_sum oracle_distance(oracle_op op, vsk_type a_type, const void *a, vsk_type b_type,
                           const void *b, size_t dim);

/* Bit vectors. */
size_t oracle_hamming(const void *a, const void *b, size_t dim);
double oracle_jaccard(const void *a, const void *b, size_t dim);

/*
 * float16 or bfloat16 nearest to a finite value or infinity, ties to even, by search through all
 * values.
 */
uint16_t oracle_nearest_half(vsk_type type, float value);

#endif
