/*
 * frame_impl.h - what the files of the frame share: the header's places and the transforms.
 */
#ifndef VS_FRAME_IMPL_H
#define VS_FRAME_IMPL_H

#include "frame.h"

/* Places of the header's fields; all are little-endian. */
#define VS_FRAME_MAGIC "VSZ1"
#define VS_FRAME_VERSION 1
enum {
    VS_FRAME_AT_MAGIC = 0,
    VS_FRAME_AT_VERSION = 4,
    VS_FRAME_AT_ELEM = 5,
    VS_FRAME_AT_TRANSFORM = 6,
    VS_FRAME_AT_FLAGS = 7,
    VS_FRAME_AT_DIM = 8,
    VS_FRAME_AT_COUNT = 12,
    VS_FRAME_AT_DICT = 16,
    VS_FRAME_AT_STREAMS = 20,
    VS_FRAME_AT_PARAM = 21,
    VS_FRAME_AT_ZERO = 22, /* 2 bytes */
    VS_FRAME_AT_PAYLOAD = 24,
    VS_FRAME_AT_CHECKSUM = 32,
    VS_FRAME_AT_HEADER_CHECKSUM = 36
};

/* Flags. Number 4 is kept for a directory of rowids; a frame that has it is refused. */
#define VS_FRAME_HAS_DICT 1
#define VS_FRAME_HAS_NORMS 2

/*
 * The parameter of the decimal transform: places after the point, and whether bit 0 of a word is
 * the sign. Other transforms have 0.
 */
#define VS_FRAME_PLACES_MAX 9
#define VS_FRAME_PLACES_MASK 0x7f
#define VS_FRAME_SIGNED 0x80

/* The streams of a block, in order: they lie one after the other in one buffer. */
typedef struct vs_frame_layout {
    int stream_count;
    size_t bytes[VS_FRAME_STREAMS_MAX]; /* stream i is plane i */
    size_t total;
} vs_frame_layout;

/* Bytes of one element; 1 for bits, which come by the byte. */
size_t vs_frame_width(vs_frame_elem elem);

/* Bytes of a block of a valid element type; no overflow. */
uint64_t vs_frame_raw_bytes(const vs_frame_shape *shape);

/*
 * The layout of a block under a transform. decimal_bytes: bytes of a word of the decimal transform,
 * 1 to 4. 0 when the transform does not take the element type, or its parameters are out of range.
 */
int vs_frame_lay_out(const vs_frame_shape *shape, vs_frame_transform transform, int param,
                     int decimal_bytes, vs_frame_layout *out);

/*
 * Splits a block of valid size into streams. *param and *decimal_bytes are set, and 0 comes back
 * when the block is not what the transform needs.
 *
 *   work    [dim] uint16
 *   out     [layout's total]; VS_FRAME_SPLIT_BYTES_MAX is enough for each transform
 */
int vs_frame_split(const vs_frame_shape *shape, vs_frame_transform transform, const void *raw,
                   uint16_t *work, int *param, int *decimal_bytes, unsigned char *out);
#define VS_FRAME_SPLIT_BYTES_MAX(raw_bytes, count) ((raw_bytes) + 4 * (size_t)(count))

/* The way back. out: [shape's bytes], aligned as sqlite3_malloc64 does. */
void vs_frame_join(const vs_frame_shape *shape, vs_frame_transform transform, int param,
                   int decimal_bytes, const unsigned char *streams, void *out);

#endif
