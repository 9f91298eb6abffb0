/*
 * frame.h - the block frame "VSZ1": vectors, or plain bytes, compressed without loss.
 *
 * docs/COMPRESSION.md describes the bytes. A frame tells by itself what it holds: element type,
 * dimension, number of vectors. What comes out is what went in, bit for bit: NaN payloads, zeros
 * with a sign and denormals too.
 */
#ifndef VS_FRAME_H
#define VS_FRAME_H

#include "codec.h"

#define VS_FRAME_HEADER_BYTES 40
#define VS_FRAME_RECORD_BYTES 12 /* describes one stream */
#define VS_FRAME_STREAMS_MAX 8
#define VS_FRAME_RAW_BYTES_MAX (4u << 20)
#define VS_FRAME_EXPANSION_MAX 4096 /* of a zstd stream: bytes out for each byte in */
/* A frame of n raw bytes is never larger. */
#define VS_FRAME_BYTES_MAX(n) ((n) + VS_FRAME_HEADER_BYTES + VS_FRAME_RECORD_BYTES)

/* Element types, by their numbers in the frame. */
typedef enum vs_frame_elem {
    VS_FRAME_BYTES,
    VS_FRAME_F32,
    VS_FRAME_F16,
    VS_FRAME_BF16,
    VS_FRAME_I8,
    VS_FRAME_BIT,
    VS_FRAME_F64,
    VS_FRAME_ELEMS
} vs_frame_elem;

/* What was done to the elements before zstd saw them, by the numbers in the frame. */
typedef enum vs_frame_transform {
    VS_FRAME_NONE,
    VS_FRAME_PLANES,   /* the first bytes of all elements, the second bytes, ... */
    VS_FRAME_ROTATED,  /* the same of elements rotated left by one bit: the exponent is one byte */
    VS_FRAME_HALF_F16, /* float16 over a norm for each vector: half.h */
    VS_FRAME_HALF_BF16,
    VS_FRAME_UPCAST_F16, /* every element is a float16 */
    VS_FRAME_UPCAST_BF16,
    VS_FRAME_DECIMAL,  /* every element is a whole number over a power of ten */
    VS_FRAME_CONSTANT, /* every element has the same bits */
    VS_FRAME_TRANSFORMS
} vs_frame_transform;

typedef enum vs_frame_coding {
    VS_FRAME_STORED,
    VS_FRAME_ZSTD,
    VS_FRAME_FILL, /* a few bytes, repeated */
    VS_FRAME_CODINGS
} vs_frame_coding;

/* What an encoder may try; what does not fit the elements is stored, as zstd or as it is. */
typedef enum vs_frame_mode {
    VS_FRAME_AUTO, /* everything; the smallest is kept */
    VS_FRAME_MODE_PLANES,
    VS_FRAME_MODE_HALF,
    VS_FRAME_MODE_RAW,
    VS_FRAME_MODES
} vs_frame_mode;

/* count vectors of dim elements, one after the other. Bytes have dim 1. */
typedef struct vs_frame_shape {
    vs_frame_elem elem;
    uint32_t dim;   /* 1 .. VS_DIM_MAX; bits: a multiple of 8 */
    uint32_t count; /* >= 1 */
} vs_frame_shape;

typedef struct vs_frame_stream {
    const unsigned char *coded; /* borrowed: the frame */
    uint32_t coded_bytes;
    uint32_t raw_bytes;
    vs_frame_coding coding;
    int plane;
} vs_frame_stream;

/* What a frame says about itself. */
typedef struct vs_frame_info {
    vs_frame_shape shape;
    vs_frame_transform transform;
    int param; /* of the decimal transform: see frame_impl.h */
    int stream_count;
    uint32_t dict_id;  /* 0: none */
    uint32_t checksum; /* of the raw bytes: vs_crc32c */
    size_t raw_bytes;
    vs_frame_stream streams[VS_FRAME_STREAMS_MAX];
} vs_frame_info;

typedef struct vs_frame_options {
    vs_frame_mode mode;
    int level;                 /* zstd's, VS_CODEC_LEVEL_MIN .. VS_CODEC_LEVEL_MAX */
    const vs_codec_dict *dict; /* NULL: none */
} vs_frame_options;

/*
 * Encodes a block.
 *
 *   who      begins messages
 *   raw      [shape's bytes], any alignment
 *   *out     the frame, owned by the caller (sqlite3_free); NULL on failure
 *
 * The same input gives the same frame. SQLITE_OK; SQLITE_TOOBIG when the block has more than
 * VS_FRAME_RAW_BYTES_MAX bytes; SQLITE_ERROR when the shape or the dictionary is wrong;
 * SQLITE_NOMEM. Any thread that may call sqlite3_malloc64.
 */
int vs_frame_encode(const char *who, const void *raw, const vs_frame_shape *shape,
                    const vs_frame_options *options, void **out, size_t *out_bytes, vs_err *err);

/*
 * Reads what a frame of n bytes says about itself, without decoding it. Everything in it is checked
 * but the contents of its streams: frame and streams are complete, nothing follows, sizes agree.
 *
 *   limit   most raw bytes
 *
 * SQLITE_OK, SQLITE_ERROR with a sentence, SQLITE_TOOBIG with one beyond the limit. Takes no memory
 * but for the sentence.
 */
int vs_frame_read(const char *who, const void *frame, size_t n, size_t limit, vs_frame_info *out,
                  vs_err *err);

/*
 * Decodes a frame that vs_frame_read accepted.
 *
 *   dict    what the frame names, or NULL; ignored when it names none
 *   *out    [info->raw_bytes], owned by the caller (sqlite3_free); NULL on failure
 *
 * SQLITE_OK; SQLITE_ERROR with a sentence when a stream is damaged, or the dictionary is missing or
 * another one; SQLITE_NOMEM.
 */
int vs_frame_decode(const char *who, const vs_frame_info *info, const vs_codec_dict *dict,
                    void **out, vs_err *err);

/* "float32", "rotated planes", "zstd": for messages and reports. */
const char *vs_frame_elem_name(vs_frame_elem elem);
const char *vs_frame_transform_name(vs_frame_transform transform);
const char *vs_frame_coding_name(vs_frame_coding coding);

#endif
