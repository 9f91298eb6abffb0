/*
 * packed_text.h - one text as a packed row: bytes in, bytes out.
 *
 *     compressed   0xD1, varint size of the text, varint dictionary (0: none), frame, crc
 *     stored       0xD0, the text, crc
 *
 * A varint has 7 bits to the byte, low ones first, 0x80 set in all but the last, and no more bytes
 * than it needs. The frame is one zstd frame (RFC 8878) without its first 4 bytes, the magic
 * number; it states its content size and no dictionary. crc is the CRC-32C of the text, 4 bytes,
 * low one first. A packed row is at most VS_PACKED_EXTRA_BYTES larger than its text.
 */
#ifndef VS_PACKED_TEXT_H
#define VS_PACKED_TEXT_H

#include "dict.h"
#include "value.h"

#define VS_PACKED_ZSTD 0xd1 /* the first byte */
#define VS_PACKED_STORED 0xd0
#define VS_PACKED_TEXT_MAX (64u << 20) /* bytes of a text */
#define VS_PACKED_EXTRA_BYTES 5

/* The most bytes that a text may have here: that, or SQLite's limit where it is lower. */
size_t vs_packed_limit(sqlite3 *db);

/* Memory that packing and unpacking use again. Zero bytes are an empty one. One thread at a time. */
typedef struct vs_packer {
    struct ZSTD_CCtx_s *encoder; /* owned, made when first needed */
    struct ZSTD_DCtx_s *decoder; /* owned, made when first needed */
    vs_scratch frame;            /* a frame with its magic number */
    vs_scratch text;             /* small texts, for the caller to unpack into */
} vs_packer;

void vs_packer_free(vs_packer *packer);

/*
 * Packs n bytes, n <= VS_PACKED_TEXT_MAX, with a dictionary's encoder or without (NULL). *out
 * belongs to the packer and lasts until it is used again. SQLITE_OK, SQLITE_NOMEM, or SQLITE_ERROR
 * with a sentence.
 */
int vs_packed_make(vs_packer *packer, const char *who, const void *text, size_t n,
                   const vs_dict *dict, const void **out, size_t *out_n, vs_err *err);

/* What a packed row says of itself. */
typedef struct vs_packed {
    const unsigned char *body; /* borrowed from the row: text, or frame without magic number */
    size_t body_bytes;
    size_t text_bytes; /* at most the limit */
    uint32_t dict_id;  /* 0: none */
    uint32_t crc;
    int is_stored;
} vs_packed;

/*
 * Reads a row of any bytes; takes no memory for the text. SQLITE_OK, SQLITE_ERROR with a sentence,
 * or SQLITE_TOOBIG with one when the text has more than `limit` bytes.
 */
int vs_packed_read(const char *who, const void *row, size_t n, size_t limit, vs_packed *out,
                   vs_err *err);

/*
 * Decodes into `out`, packed->text_bytes bytes; dict is the decoder of packed->dict_id, NULL for 0.
 * The frame is checked before `out` is written; the caller takes memory for it only after
 * vs_packed_check. SQLITE_OK, SQLITE_NOMEM, or SQLITE_ERROR with a sentence; then `out` holds
 * nothing of use.
 */
int vs_packed_decode(vs_packer *packer, const char *who, const vs_packed *packed,
                     const vs_dict *dict, void *out, vs_err *err);

/*
 * To be called before vs_packed_decode: the frame is whole, has blocks for the text, and agrees
 * about its size. Prepares the packer. Same results.
 */
int vs_packed_check(vs_packer *packer, const char *who, const vs_packed *packed, vs_err *err);

#endif
