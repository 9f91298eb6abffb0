/*
 * kernel_test.h - what the kernel tests share: fixed pseudo-random data, buffers between guard
 * pages, the kernels of this CPU.
 */
#ifndef KERNEL_TEST_H
#define KERNEL_TEST_H

#define _DEFAULT_SOURCE 1 /* MAP_ANONYMOUS */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../kernels/vsk_impl.h"
#include "../oracle.h"

#define TEST_SEED 0x5eed5eed2024ull

/* splitmix64 (Steele, Lea and Flood, 2014). */
static inline uint64_t test_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline size_t test_bytes(vsk_type type, size_t dim)
{
    static const size_t bits[VSK_TYPE_COUNT] = {32, 16, 16, 8, 1};
    return dim * bits[type] / 8;
}

/*
 * Kinds of data. Each is finite; the last ones provoke overflow, underflow and cancellation in a
 * careless kernel.
 */
typedef enum test_data {
    TEST_ORDINARY,  /* about 1, both signs */
    TEST_ZERO,      /* both zeros */
    TEST_EXTREME,   /* all the largest magnitude: -128, 65504, FLT_MAX, all bits set */
    TEST_TINY,      /* denormal, and close to it */
    TEST_ANY,       /* any finite bits: every exponent */
    TEST_CANCELLING /* big pairs of opposite sign, and a little beside them */
} test_data;
enum { TEST_DATA_COUNT = TEST_CANCELLING + 1 };

/* A finite element of sign, exponent and fraction; exponent 0 is denormal, 1..max normal. */
static inline uint32_t test_float_bits(vsk_type type, uint32_t sign, uint32_t exponent,
                                       uint32_t random)
{
    switch (type) {
    case VSK_F32:
        return sign << 31 | exponent << 23 | (random & 0x7fffffu);
    case VSK_F16:
        return sign << 15 | exponent << 10 | (random & 0x3ffu);
    default:
        return sign << 15 | exponent << 7 | (random & 0x7fu);
    }
}

static inline void test_fill_float(vsk_type type, unsigned char *out, size_t dim, test_data data,
                                   uint64_t *state)
{
    uint32_t exponent_max = type == VSK_F16 ? 30 : 254; /* of a finite value */
    uint32_t one = exponent_max / 2;

    for (size_t i = 0; i < dim; i++) {
        uint64_t random = test_random(state);
        uint32_t fraction = (uint32_t)random;
        uint32_t sign = (uint32_t)(random >> 32) & 1;
        uint32_t spread = (uint32_t)(random >> 40) & 0xffff;
        uint32_t bits = 0;
        switch (data) {
        case TEST_ORDINARY:
            bits = test_float_bits(type, sign, one - spread % 4, fraction);
            break;
        case TEST_ZERO:
            bits = test_float_bits(type, sign, 0, 0);
            break;
        case TEST_EXTREME:
            bits = test_float_bits(type, sign, exponent_max, 0xffffffffu);
            break;
        case TEST_TINY:
            bits = test_float_bits(type, sign, spread % 3, fraction);
            break;
        case TEST_ANY:
            bits = test_float_bits(type, sign, spread % (exponent_max + 1), fraction);
            break;
        case TEST_CANCELLING:
            bits = i % 3 == 2 ? test_float_bits(type, sign, one - 12, fraction)
                              : test_float_bits(type, i % 3 == 0, one + 8, 0);
            break;
        }
        if (type == VSK_F32) {
            memcpy(out + 4 * i, &bits, 4);
        } else {
            uint16_t half = (uint16_t)bits;
            memcpy(out + 2 * i, &half, 2);
        }
    }
}

static inline void test_fill(vsk_type type, void *out, size_t dim, test_data data, uint64_t *state)
{
    unsigned char *bytes = out;

    if (type == VSK_F32 || type == VSK_F16 || type == VSK_BF16) {
        test_fill_float(type, bytes, dim, data, state);
        return;
    }
    for (size_t i = 0; i < test_bytes(type, dim); i++) {
        unsigned char random = (unsigned char)test_random(state);
        unsigned char extreme = type == VSK_I8 ? 0x80 : 0xff;
        bytes[i] = data == TEST_ZERO ? 0 : data == TEST_EXTREME ? extreme : random;
    }
}

/* Readable memory between two pages that may not be touched. */
typedef struct test_guarded {
    unsigned char *start;
    unsigned char *end;
    size_t page;
} test_guarded;

static inline test_guarded test_guarded_new(size_t bytes_min)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = (bytes_min + page - 1) / page * page;
    unsigned char *base =
        mmap(NULL, bytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(base, MAP_FAILED);
    assert_int_equal(mprotect(base + page, bytes, PROT_READ | PROT_WRITE), 0);
    return (test_guarded){base + page, base + page + bytes, page};
}

static inline void test_guarded_free(test_guarded *guarded)
{
    munmap(guarded->start - guarded->page,
           (size_t)(guarded->end - guarded->start) + 2 * guarded->page);
}

/*
 * Where a vector lies: against the guard behind it, a byte before that, or up to three bytes after
 * the guard before it.
 */
enum { TEST_PLACE_COUNT = 6 };
static inline unsigned char *test_place(const test_guarded *guarded, size_t bytes, int place)
{
    return place < 2 ? guarded->end - bytes - place : guarded->start + (place - 2);
}

/* The kernels that this CPU can run, in rising order of level. Returns NULL past the end. */
static inline const vsk_kernel_row *test_kernel(size_t *index)
{
    size_t count;
    const vsk_kernel_row *rows = vsk_kernel_rows(&count);

    while (*index < count && (rows[*index].needs & ~vsk_cpu_features()) != 0) {
        ++*index;
    }
    return *index < count ? &rows[(*index)++] : NULL;
}

/* The scalar kernel for the same operation and type. */
static inline const vsk_kernel_row *test_scalar_kernel(const vsk_kernel_row *row)
{
    const vsk_kernel_row *scalar = vsk_kernel_rows(&(size_t){0});

    while (scalar->offset != row->offset) {
        scalar++;
    }
    assert_int_equal(scalar->needs, 0);
    return scalar;
}

static inline int test_is(const vsk_kernel_row *row, const char *operation)
{
    return strcmp(row->operation, operation) == 0;
}

#define TEST_FAIL_AT(row, ...)                                                                     \
    do {                                                                                           \
        print_error("%s %s %s, seed %#llx: ", (row)->level, (row)->operation,                      \
                    vsk_type_name((row)->type), TEST_SEED);                                        \
        print_error(__VA_ARGS__);                                                                  \
        print_error("\n");                                                                         \
        fail();                                                                                    \
    } while (0)

#endif
