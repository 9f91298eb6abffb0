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

/*
 * The part of vs_codec_unzstd that comes before memory is taken: *out_bytes is the size of the
 * content, at most `limit`, that the frame states and has the blocks for.
 */
int vs_codec_check(const char *who, const void *frame, size_t n, size_t limit, size_t *out_bytes,
                   vs_err *err);

const char *vs_codec_zstd_version(void);

/* ---- Streams of known size ------------------------------------------------------------------- */

#define VS_CODEC_LEVEL_MIN 1
#define VS_CODEC_LEVEL_MAX 19
#define VS_CODEC_LEVEL_DEFAULT 1

/* A dictionary in zstd's format; its bytes may be anything. */
typedef struct vs_codec_dict {
    const void *data; /* borrowed */
    size_t bytes;
    uint32_t id; /* > 0, as the dictionary's own bytes say */
} vs_codec_dict;

/* zstd's contexts: for many streams, on one thread at a time. */
typedef struct vs_codec_encoder {
    struct ZSTD_CCtx_s *context; /* owned */
    int level;                   /* VS_CODEC_LEVEL_MIN .. VS_CODEC_LEVEL_MAX */
    int match_min;               /* shortest repeat to look for, 3 .. 7; 0: zstd's choice */
} vs_codec_encoder;
typedef struct ZSTD_DCtx_s vs_codec_decoder;

/* SQLITE_OK or SQLITE_NOMEM; to be freed in both cases. */
int vs_codec_encoder_init(vs_codec_encoder *encoder, int level);
void vs_codec_encoder_free(vs_codec_encoder *encoder);

/* SQLITE_OK, or SQLITE_ERROR with a sentence when the dictionary's bytes say another id. */
int vs_codec_check_dict(const char *who, const vs_codec_dict *dict, vs_err *err);

/*
 * Encodes n bytes (at least 1) as one zstd frame with its content size, with the dictionary's id,
 * without checksum. *out_bytes is its size, or 0 when it does not fit `capacity`. The encoder's
 * match_min counts without a dictionary.
 *
 *   dict        NULL for none; checked before
 *   block_log   blocks of at most 2^block_log bytes, 10 to 17; 0: zstd's choice, and so with a
 *               dictionary. A block takes 4 bytes at least, so this bounds how far a frame can
 *               expand.
 *
 * SQLITE_OK, SQLITE_ERROR with a sentence (a damaged dictionary), or SQLITE_NOMEM.
 */
int vs_codec_encode(const char *who, vs_codec_encoder *encoder, const vs_codec_dict *dict,
                    const void *data, size_t n, int block_log, void *out, size_t capacity,
                    size_t *out_bytes, vs_err *err);

/*
 * Whether n bytes are exactly one zstd frame that states `content_bytes` bytes and dictionary
 * `dict_id` (0: none). SQLITE_OK, or SQLITE_ERROR with a sentence. Takes no memory.
 */
int vs_codec_check_stream(const char *who, const void *frame, size_t n, size_t content_bytes,
                          uint32_t dict_id, vs_err *err);

/* NULL when there is no memory. */
vs_codec_decoder *vs_codec_decoder_new(void);
void vs_codec_decoder_free(vs_codec_decoder *decoder);

/*
 * Decodes a stream that vs_codec_check_stream accepted into exactly content_bytes bytes. SQLITE_OK,
 * SQLITE_ERROR with a sentence, or SQLITE_NOMEM.
 */
int vs_codec_decode_stream(const char *who, vs_codec_decoder *decoder, const void *frame, size_t n,
                           const vs_codec_dict *dict, void *out, size_t content_bytes, vs_err *err);

#endif
