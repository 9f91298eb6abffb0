/*
 * codec.h - zstd: bytes in, bytes out.
 */
#ifndef VS_CODEC_H
#define VS_CODEC_H

#include "error.h"

#define VS_CODEC_WINDOW_BYTES_MAX (8u << 20)

/*
 * Decodes one standard zstd frame (RFC 8878) that states its content size, and nothing after it.
 *
 *   who         begins messages
 *   limit       most bytes of content
 *   *out        owned by the caller (sqlite3_free); on failure NULL. Not NULL for 0 bytes.
 *
 * Before memory is taken for the content: the frame is complete, its window at most 8 MiB, it needs
 * no dictionary, and it has enough blocks to hold what it states. The content checksum is verified
 * where there is one. Returns SQLITE_OK, SQLITE_ERROR with a sentence, SQLITE_TOOBIG with one
 * beyond the limit, or SQLITE_NOMEM. Any thread that may call sqlite3_malloc64.
 */
int vs_codec_unzstd(const char *who, const void *frame, size_t n, size_t limit, void **out,
                    size_t *out_bytes, vs_err *err);

const char *vs_codec_zstd_version(void);

#endif
