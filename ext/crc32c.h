/*
 * crc32c.h - CRC-32C (Castagnoli), the checksum of iSCSI and ext4.
 */
#ifndef VS_CRC32C_H
#define VS_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of n bytes; 0xe3069283 for "123456789". The same on every machine. Any thread. */
uint32_t vs_crc32c(const void *data, size_t n);

#endif
