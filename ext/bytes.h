/*
 * bytes.h - numbers in bytes: little-endian, at any address.
 */
#ifndef VS_BYTES_H
#define VS_BYTES_H

#include <stdint.h>
#include <string.h>

static inline void vs_put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static inline void vs_put64(uint8_t *at, uint64_t value)
{
    vs_put32(at, (uint32_t)value);
    vs_put32(at + 4, (uint32_t)(value >> 32));
}

static inline void vs_put_float(uint8_t *at, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    vs_put32(at, bits);
}

static inline uint32_t vs_get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t vs_get64(const uint8_t *at)
{
    return (uint64_t)vs_get32(at) | (uint64_t)vs_get32(at + 4) << 32;
}

static inline int64_t vs_get_signed64(const uint8_t *at)
{
    uint64_t bits = vs_get64(at);
    int64_t value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float vs_get_float(const uint8_t *at)
{
    uint32_t bits = vs_get32(at);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
