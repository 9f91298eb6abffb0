/*
 * crc32c.c - CRC-32C (Castagnoli), eight bytes at a time.
 *
 * Table k holds the remainders of a byte that k bytes follow. A remainder is linear: that of a byte
 * is the sum of those of its bits, so eight numbers describe a table and the compiler writes it.
 *
 * Called by: frame_read.c, frame_write.c.
 * Threads: any.
 * Source: M. E. Kounavis, F. L. Berry, Novel Table Lookup-Based Algorithms for High-Performance CRC
 *         Generation, 2008 ("slicing by 8").
 */
#include "crc32c.h"

#include "bytes.h"

/* clang-format off */
#define CRC32C_BYTE(i, a, b, c, d, e, f, g, h)                                                     \
    (((i) & 1 ? a : 0u) ^ ((i) & 2 ? b : 0u) ^ ((i) & 4 ? c : 0u) ^ ((i) & 8 ? d : 0u) ^           \
     ((i) & 16 ? e : 0u) ^ ((i) & 32 ? f : 0u) ^ ((i) & 64 ? g : 0u) ^ ((i) & 128 ? h : 0u))
#define CRC32C_4(i, ...)                                                                           \
    CRC32C_BYTE(i, __VA_ARGS__), CRC32C_BYTE(i + 1, __VA_ARGS__),                                  \
    CRC32C_BYTE(i + 2, __VA_ARGS__), CRC32C_BYTE(i + 3, __VA_ARGS__)
#define CRC32C_16(i, ...)                                                                          \
    CRC32C_4(i, __VA_ARGS__), CRC32C_4(i + 4, __VA_ARGS__),                                        \
    CRC32C_4(i + 8, __VA_ARGS__), CRC32C_4(i + 12, __VA_ARGS__)
#define CRC32C_64(i, ...)                                                                          \
    CRC32C_16(i, __VA_ARGS__), CRC32C_16(i + 16, __VA_ARGS__),                                     \
    CRC32C_16(i + 32, __VA_ARGS__), CRC32C_16(i + 48, __VA_ARGS__)
#define CRC32C_TABLE(...)                                                                          \
    {CRC32C_64(0, __VA_ARGS__), CRC32C_64(64, __VA_ARGS__),                                        \
     CRC32C_64(128, __VA_ARGS__), CRC32C_64(192, __VA_ARGS__)}

/* Remainders of the bytes 1, 2, 4 ... 128. */
static const uint32_t crc32c_tables[8][256] = {
    CRC32C_TABLE(0xf26b8303u, 0xe13b70f7u, 0xc79a971fu, 0x8ad958cfu, 0x105ec76fu, 0x20bd8edeu, 0x417b1dbcu, 0x82f63b78u),
    CRC32C_TABLE(0x13a29877u, 0x274530eeu, 0x4e8a61dcu, 0x9d14c3b8u, 0x3fc5f181u, 0x7f8be302u, 0xff17c604u, 0xfbc3faf9u),
    CRC32C_TABLE(0xa541927eu, 0x4f6f520du, 0x9edea41au, 0x38513ec5u, 0x70a27d8au, 0xe144fb14u, 0xc76580d9u, 0x8b277743u),
    CRC32C_TABLE(0xdd45aab8u, 0xbf672381u, 0x7b2231f3u, 0xf64463e6u, 0xe964b13du, 0xd725148bu, 0xaba65fe7u, 0x52a0c93fu),
    CRC32C_TABLE(0x38116facu, 0x7022df58u, 0xe045beb0u, 0xc5670b91u, 0x8f2261d3u, 0x1ba8b557u, 0x37516aaeu, 0x6ea2d55cu),
    CRC32C_TABLE(0xef306b19u, 0xdb8ca0c3u, 0xb2f53777u, 0x6006181fu, 0xc00c303eu, 0x85f4168du, 0x0e045bebu, 0x1c08b7d6u),
    CRC32C_TABLE(0x68032cc8u, 0xd0065990u, 0xa5e0c5d1u, 0x4e2dfd53u, 0x9c5bfaa6u, 0x3d5b83bdu, 0x7ab7077au, 0xf56e0ef4u),
    CRC32C_TABLE(0x493c7d27u, 0x9278fa4eu, 0x211d826du, 0x423b04dau, 0x847609b4u, 0x0d006599u, 0x1a00cb32u, 0x34019664u),
};
/* clang-format on */

uint32_t vs_crc32c(const void *data, size_t n)
{
    const unsigned char *at = data;
    uint32_t crc = 0xffffffffu;
    for (; n >= 8; n -= 8, at += 8) {
        uint32_t low = crc ^ vs_get32(at);
        uint32_t high = vs_get32(at + 4);
        crc = crc32c_tables[7][low & 255] ^ crc32c_tables[6][low >> 8 & 255] ^
              crc32c_tables[5][low >> 16 & 255] ^ crc32c_tables[4][low >> 24] ^
              crc32c_tables[3][high & 255] ^ crc32c_tables[2][high >> 8 & 255] ^
              crc32c_tables[1][high >> 16 & 255] ^ crc32c_tables[0][high >> 24];
    }
    for (; n > 0; n--, at++) {
        crc = crc >> 8 ^ crc32c_tables[0][(crc ^ *at) & 255];
    }
    return crc ^ 0xffffffffu;
}
