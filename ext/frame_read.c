/*
 * frame_read.c - reads and decodes block frames.
 *
 * A frame may be anything. Its header is checked against its own checksum first; then all sizes
 * are, against each other, the limit and the bytes that are there. Memory is taken after that, for
 * exactly the bytes that come out, and each stream is decoded in one piece into its place.
 *
 * Calls: codec.c, crc32c.c, frame_planes.c.
 * Called by: func_compress.c.
 * Threads: any.
 */
#include "frame_impl.h"

#include "bytes.h"
#include "crc32c.h"

/* ---- The header ------------------------------------------------------------------------------ */

static uint64_t frame_read_u64(const unsigned char *at)
{
    return vs_get32(at) | (uint64_t)vs_get32(at + 4) << 32;
}

/* Magic, checksum and version. */
static int frame_read_beginning(const char *who, const unsigned char *frame, size_t n, vs_err *err)
{
    unsigned char header[VS_FRAME_HEADER_BYTES];
    if (n < 4 || memcmp(frame, VS_FRAME_MAGIC, 4) != 0) {
        return vs_error(err, SQLITE_ERROR, "%s: not a VSZ1 frame", who);
    }
    if (n < VS_FRAME_HEADER_BYTES) {
        return vs_error(err, SQLITE_ERROR, "%s: the frame is cut off after %llu bytes", who,
                        (unsigned long long)n);
    }
    memcpy(header, frame, sizeof header);
    memset(header + VS_FRAME_AT_HEADER_CHECKSUM, 0, 4);
    if (vs_crc32c(header, sizeof header) != vs_get32(frame + VS_FRAME_AT_HEADER_CHECKSUM)) {
        return vs_error(err, SQLITE_ERROR, "%s: the frame's header is damaged", who);
    }
    if (frame[VS_FRAME_AT_VERSION] != VS_FRAME_VERSION) {
        return vs_error(err, SQLITE_ERROR, "%s: the frame has version %d, and this is for %d", who,
                        frame[VS_FRAME_AT_VERSION], VS_FRAME_VERSION);
    }
    return SQLITE_OK;
}

/* Numbers with a list of known values. */
static int frame_read_kinds(const char *who, const unsigned char *frame, vs_frame_info *out,
                            vs_err *err)
{
    unsigned elem = frame[VS_FRAME_AT_ELEM], transform = frame[VS_FRAME_AT_TRANSFORM];
    unsigned flags = frame[VS_FRAME_AT_FLAGS];
    int has_norms = transform == VS_FRAME_HALF_F16 || transform == VS_FRAME_HALF_BF16;
    if (elem >= VS_FRAME_ELEMS) {
        return vs_error(err, SQLITE_ERROR, "%s: the frame has unknown element type %u", who, elem);
    }
    if (transform >= VS_FRAME_TRANSFORMS) {
        return vs_error(err, SQLITE_ERROR, "%s: the frame has unknown transform %u", who,
                        transform);
    }
    if ((flags & ~(unsigned)(VS_FRAME_HAS_DICT | VS_FRAME_HAS_NORMS)) != 0 ||
        memcmp(frame + VS_FRAME_AT_ZERO, "\0\0", 2) != 0) {
        return vs_error(err, SQLITE_ERROR, "%s: the frame has unknown flags", who);
    }
    out->dict_id = vs_get32(frame + VS_FRAME_AT_DICT);
    if (((flags & VS_FRAME_HAS_DICT) != 0) != (out->dict_id != 0) ||
        ((flags & VS_FRAME_HAS_NORMS) != 0) != has_norms) {
        return vs_error(err, SQLITE_ERROR, "%s: the frame's flags contradict its fields", who);
    }
    out->shape.elem = (vs_frame_elem)elem;
    out->transform = (vs_frame_transform)transform;
    return SQLITE_OK;
}

/* Dimension, count, and what they come to. */
static int frame_read_shape(const char *who, const unsigned char *frame, size_t limit,
                            vs_frame_info *out, vs_err *err)
{
    vs_frame_shape *shape = &out->shape;
    shape->dim = vs_get32(frame + VS_FRAME_AT_DIM);
    shape->count = vs_get32(frame + VS_FRAME_AT_COUNT);
    if (shape->dim == 0 || shape->dim > VS_DIM_MAX) {
        return vs_error(err, SQLITE_ERROR, "%s: the frame has dimension %u, not 1 to %d", who,
                        (unsigned)shape->dim, VS_DIM_MAX);
    }
    if (shape->elem == VS_FRAME_BIT && shape->dim % 8 != 0) {
        return vs_error(err, SQLITE_ERROR, "%s: the frame has %u bits, not a multiple of 8", who,
                        (unsigned)shape->dim);
    }
    if (shape->count == 0) {
        return vs_error(err, SQLITE_ERROR, "%s: the frame holds no vector", who);
    }
    uint64_t raw_bytes = vs_frame_raw_bytes(shape);
    if (raw_bytes > VS_FRAME_RAW_BYTES_MAX || raw_bytes > limit) {
        return vs_error(
            err, SQLITE_TOOBIG, "%s: the frame holds %llu bytes, more than the limit of %llu", who,
            (unsigned long long)raw_bytes,
            (unsigned long long)(limit < VS_FRAME_RAW_BYTES_MAX ? limit : VS_FRAME_RAW_BYTES_MAX));
    }
    out->raw_bytes = (size_t)raw_bytes;
    return SQLITE_OK;
}

/* ---- The streams ----------------------------------------------------------------------------- */

/* Coding and sizes of one stream. */
static int frame_read_check_stream(const char *who, const vs_frame_info *info, int i, vs_err *err)
{
    const vs_frame_stream *stream = &info->streams[i];
    int is_constant = info->transform == VS_FRAME_CONSTANT;
    size_t fill_bytes = is_constant ? vs_frame_width(info->shape.elem) : 1;
    int is_right = stream->coding == VS_FRAME_STORED ? stream->coded_bytes == stream->raw_bytes
                   : stream->coding == VS_FRAME_FILL ? stream->coded_bytes == fill_bytes
                                                     : stream->coded_bytes > 0;
    if (!is_right || (is_constant && stream->coding != VS_FRAME_FILL)) {
        return vs_error(err, SQLITE_ERROR, "%s: stream %d of the frame has %u bytes, coded as %s",
                        who, i, (unsigned)stream->coded_bytes,
                        vs_frame_coding_name(stream->coding));
    }
    if (stream->coding != VS_FRAME_ZSTD) {
        return SQLITE_OK;
    }
    if (stream->raw_bytes > (uint64_t)stream->coded_bytes * VS_FRAME_EXPANSION_MAX) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: stream %d of the frame has %u bytes and expands to %u, more than "
                        "%d-fold",
                        who, i, (unsigned)stream->coded_bytes, (unsigned)stream->raw_bytes,
                        VS_FRAME_EXPANSION_MAX);
    }
    return vs_codec_check_stream(who, stream->coded, stream->coded_bytes, stream->raw_bytes,
                                 info->dict_id, err);
}

/* The records, against the layout that the header asks for. */
static int frame_read_records(const char *who, const unsigned char *frame,
                              const vs_frame_layout *layout, vs_frame_info *out,
                              uint64_t *coded_bytes, vs_err *err)
{
    *coded_bytes = 0;
    for (int i = 0; i < out->stream_count; i++) {
        const unsigned char *record = frame + VS_FRAME_HEADER_BYTES + i * VS_FRAME_RECORD_BYTES;
        vs_frame_stream *stream = &out->streams[i];
        if (record[0] >= VS_FRAME_CODINGS) {
            return vs_error(err, SQLITE_ERROR, "%s: stream %d of the frame has unknown coding %d",
                            who, i, record[0]);
        }
        *stream = (vs_frame_stream){.coded_bytes = vs_get32(record + 4),
                                    .raw_bytes = vs_get32(record + 8),
                                    .coding = (vs_frame_coding)record[0],
                                    .plane = record[1]};
        if (stream->plane != i || record[2] != 0 || record[3] != 0) {
            return vs_error(err, SQLITE_ERROR, "%s: stream %d of the frame is not plane %d", who, i,
                            i);
        }
        if (stream->raw_bytes != layout->bytes[i]) {
            return vs_error(err, SQLITE_ERROR,
                            "%s: stream %d of the frame holds %u bytes, not %llu", who, i,
                            (unsigned)stream->raw_bytes, (unsigned long long)layout->bytes[i]);
        }
        *coded_bytes += stream->coded_bytes;
    }
    return SQLITE_OK;
}

static int frame_read_streams(const char *who, const unsigned char *frame, size_t n,
                              vs_frame_info *out, vs_err *err)
{
    vs_frame_layout layout;
    uint64_t coded_bytes = 0;
    out->stream_count = frame[VS_FRAME_AT_STREAMS];
    out->param = frame[VS_FRAME_AT_PARAM];
    if (!vs_frame_lay_out(&out->shape, out->transform, out->param, out->stream_count, &layout) ||
        layout.stream_count != out->stream_count) {
        return vs_error(err, SQLITE_ERROR, "%s: the frame has %d streams of %s, transform '%s'",
                        who, out->stream_count, vs_frame_elem_name(out->shape.elem),
                        vs_frame_transform_name(out->transform));
    }
    size_t head_bytes = VS_FRAME_HEADER_BYTES + (size_t)out->stream_count * VS_FRAME_RECORD_BYTES;
    if (n < head_bytes) {
        return vs_error(err, SQLITE_ERROR, "%s: the frame is cut off after %llu bytes", who,
                        (unsigned long long)n);
    }
    int rc = frame_read_records(who, frame, &layout, out, &coded_bytes, err);
    if (rc == SQLITE_OK && coded_bytes != n - head_bytes) {
        rc = vs_error(err, SQLITE_ERROR,
                      "%s: the frame's streams have %llu bytes, and %llu are there", who,
                      (unsigned long long)coded_bytes, (unsigned long long)(n - head_bytes));
    }
    const unsigned char *coded = frame + head_bytes;
    for (int i = 0; rc == SQLITE_OK && i < out->stream_count; i++) {
        out->streams[i].coded = coded;
        coded += out->streams[i].coded_bytes;
        rc = frame_read_check_stream(who, out, i, err);
    }
    return rc;
}

int vs_frame_read(const char *who, const void *frame, size_t n, size_t limit, vs_frame_info *out,
                  vs_err *err)
{
    const unsigned char *bytes = frame;
    memset(out, 0, sizeof *out);
    int rc = frame_read_beginning(who, bytes, n, err);
    if (rc == SQLITE_OK) {
        rc = frame_read_kinds(who, bytes, out, err);
    }
    if (rc == SQLITE_OK) {
        rc = frame_read_shape(who, bytes, limit, out, err);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    uint64_t payload = frame_read_u64(bytes + VS_FRAME_AT_PAYLOAD);
    out->checksum = vs_get32(bytes + VS_FRAME_AT_CHECKSUM);
    if (payload != n - VS_FRAME_HEADER_BYTES) {
        return vs_error(
            err, SQLITE_ERROR, "%s: the frame's header is followed by %llu bytes, not %llu", who,
            (unsigned long long)(n - VS_FRAME_HEADER_BYTES), (unsigned long long)payload);
    }
    return frame_read_streams(who, bytes, n, out, err);
}

/* ---- Decoding -------------------------------------------------------------------------------- */

/* Repeats the first `done` bytes until all n are filled. */
static void frame_read_repeat(unsigned char *out, size_t done, size_t n)
{
    while (done < n) {
        size_t piece = done < n - done ? done : n - done;
        memcpy(out + done, out, piece);
        done += piece;
    }
}

/* One stream, into its raw_bytes. The decoder is made where one is needed. */
static int frame_read_stream(const char *who, const vs_frame_stream *stream,
                             const vs_codec_dict *dict, vs_codec_decoder **decoder,
                             unsigned char *out, vs_err *err)
{
    switch (stream->coding) {
    case VS_FRAME_STORED:
        memcpy(out, stream->coded, stream->raw_bytes);
        return SQLITE_OK;
    case VS_FRAME_FILL:
        memcpy(out, stream->coded, stream->coded_bytes);
        frame_read_repeat(out, stream->coded_bytes, stream->raw_bytes);
        return SQLITE_OK;
    default:
        if (*decoder == NULL) {
            *decoder = vs_codec_decoder_new();
        }
        return *decoder == NULL
                   ? SQLITE_NOMEM
                   : vs_codec_decode_stream(who, *decoder, stream->coded, stream->coded_bytes, dict,
                                            out, stream->raw_bytes, err);
    }
}

/* All streams, one after the other. */
static int frame_read_all_streams(const char *who, const vs_frame_info *info,
                                  const vs_codec_dict *dict, unsigned char *out, vs_err *err)
{
    vs_codec_decoder *decoder = NULL;
    int rc = SQLITE_OK;
    for (int i = 0; rc == SQLITE_OK && i < info->stream_count; i++) {
        rc = frame_read_stream(who, &info->streams[i], dict, &decoder, out, err);
        out += info->streams[i].raw_bytes;
    }
    vs_codec_decoder_free(decoder);
    return rc;
}

/* The dictionary to decode with, or the reason why there is none. */
static int frame_read_check_dict(const char *who, const vs_frame_info *info,
                                 const vs_codec_dict **dict, vs_err *err)
{
    if (info->dict_id == 0) {
        *dict = NULL;
        return SQLITE_OK;
    }
    if (*dict == NULL) {
        return vs_error(err, SQLITE_ERROR, "%s: the frame needs dictionary %u", who,
                        (unsigned)info->dict_id);
    }
    if ((*dict)->id != info->dict_id) {
        return vs_error(err, SQLITE_ERROR, "%s: the frame needs dictionary %u, not %u", who,
                        (unsigned)info->dict_id, (unsigned)(*dict)->id);
    }
    return SQLITE_OK;
}

/* Streams that are not the elements themselves: decoded beside, then joined. */
static int frame_read_joined(const char *who, const vs_frame_info *info, const vs_codec_dict *dict,
                             unsigned char *out, vs_err *err)
{
    size_t bytes = 0;
    for (int i = 0; i < info->stream_count; i++) {
        bytes += info->streams[i].raw_bytes;
    }
    unsigned char *streams = sqlite3_malloc64(bytes);
    int rc = streams == NULL ? SQLITE_NOMEM : frame_read_all_streams(who, info, dict, streams, err);
    if (rc == SQLITE_OK) {
        vs_frame_join(&info->shape, info->transform, info->param, info->stream_count, streams, out);
    }
    sqlite3_free(streams);
    return rc;
}

int vs_frame_decode(const char *who, const vs_frame_info *info, const vs_codec_dict *dict,
                    void **out, vs_err *err)
{
    *out = NULL;
    int is_plain = info->transform == VS_FRAME_NONE || info->transform == VS_FRAME_CONSTANT;
    int rc = frame_read_check_dict(who, info, &dict, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    unsigned char *raw = sqlite3_malloc64(info->raw_bytes);
    if (raw == NULL) {
        return SQLITE_NOMEM;
    }
    rc = is_plain ? frame_read_all_streams(who, info, dict, raw, err)
                  : frame_read_joined(who, info, dict, raw, err);
    if (rc == SQLITE_OK && vs_crc32c(raw, info->raw_bytes) != info->checksum) {
        rc = vs_error(err, SQLITE_ERROR, "%s: the frame is damaged: its checksum does not agree",
                      who);
    }
    if (rc != SQLITE_OK) {
        sqlite3_free(raw);
        return rc;
    }
    *out = raw;
    return SQLITE_OK;
}
