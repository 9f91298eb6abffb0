/*
 * codec.c - zstd: bytes in, bytes out.
 *
 * The input may be anything, so the frame's own words are checked against its bytes before memory
 * is taken on their account: the walk over block headers needs no decoding, and a block holds at
 * most 128 KiB.
 *
 * Calls: libzstd (linked statically).
 * Called by: func.c, frame_read.c, frame_write.c, packed_text.c.
 * Threads: any.
 */
#include "codec.h"

#define ZSTD_STATIC_LINKING_ONLY /* frame header, memory hooks; zstd is linked statically */
#include <zstd.h>
#include <zstd_errors.h>

#define CODEC_BLOCK_BYTES_MAX (128u << 10)

static void *codec_alloc(void *opaque, size_t bytes)
{
    (void)opaque;
    return sqlite3_malloc64(bytes);
}

static void codec_release(void *opaque, void *memory)
{
    (void)opaque;
    sqlite3_free(memory);
}

/* What the frame header says, if it is one that we decode. */
static int codec_read_header(const char *who, const void *frame, size_t n, ZSTD_frameHeader *out,
                             vs_err *err)
{
    size_t code = ZSTD_getFrameHeader(out, frame, n);
    if (ZSTD_isError(code) || (code != 0 && n < 4)) {
        return vs_error(err, SQLITE_ERROR, "%s: not a zstd frame", who);
    }
    if (code != 0) {
        return vs_error(err, SQLITE_ERROR, "%s: the zstd frame is cut off after %llu bytes", who,
                        (unsigned long long)n);
    }
    if (out->frameType != ZSTD_frame) {
        return vs_error(err, SQLITE_ERROR, "%s: a skippable frame, not a zstd frame", who);
    }
    if (out->dictID != 0) {
        return vs_error(err, SQLITE_ERROR, "%s: the zstd frame needs dictionary %u", who,
                        out->dictID);
    }
    if (out->frameContentSize == ZSTD_CONTENTSIZE_UNKNOWN) {
        return vs_error(err, SQLITE_ERROR, "%s: the zstd frame does not state its content size",
                        who);
    }
    if (out->windowSize > VS_CODEC_WINDOW_BYTES_MAX) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: the zstd frame has a window of %llu bytes, more than %u", who,
                        out->windowSize, VS_CODEC_WINDOW_BYTES_MAX);
    }
    return SQLITE_OK;
}

/*
 * Walks the block headers. Returns the number of blocks and the frame's size, or 0 blocks when it
 * is cut off or malformed.
 */
static uint64_t codec_count_blocks(const unsigned char *frame, size_t n,
                                   const ZSTD_frameHeader *header, size_t *out_bytes)
{
    size_t offset = header->headerSize, trailer = header->checksumFlag ? 4 : 0;
    uint64_t count = 0;
    unsigned block = 0;
    do {
        if (n - offset < 3) {
            return 0;
        }
        block =
            frame[offset] | (unsigned)frame[offset + 1] << 8 | (unsigned)frame[offset + 2] << 16;
        unsigned type =
            (block >> 1) & 3u; /* 0 raw, 1 one byte repeated, 2 compressed, 3 reserved */
        size_t bytes = type == 1 ? 1 : block >> 3;
        offset += 3;
        if (type == 3 || n - offset < bytes) {
            return 0;
        }
        offset += bytes;
        count++;
    } while ((block & 1u) == 0);
    if (n - offset < trailer) {
        return 0;
    }
    *out_bytes = offset + trailer;
    return count;
}

/* Compares what the header states with the bytes that are there, and with the limit. */
static int codec_check_size(const char *who, const void *frame, size_t n, size_t limit,
                            const ZSTD_frameHeader *header, vs_err *err)
{
    size_t frame_bytes = 0;
    uint64_t blocks = codec_count_blocks(frame, n, header, &frame_bytes);
    if (blocks == 0) {
        return vs_error(err, SQLITE_ERROR, "%s: the zstd frame is cut off or damaged", who);
    }
    if (frame_bytes != n) {
        return vs_error(err, SQLITE_ERROR, "%s: %llu bytes follow the zstd frame", who,
                        (unsigned long long)(n - frame_bytes));
    }
    if (header->frameContentSize > limit) {
        return vs_error(err, SQLITE_TOOBIG,
                        "%s: the content has %llu bytes, more than the limit of %llu", who,
                        header->frameContentSize, (unsigned long long)limit);
    }
    if (header->frameContentSize > blocks * CODEC_BLOCK_BYTES_MAX) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: the zstd frame states %llu bytes, more than its %llu blocks can hold",
                        who, header->frameContentSize, (unsigned long long)blocks);
    }
    return SQLITE_OK;
}

/* Decodes into exactly `bytes` bytes. */
static int codec_decode(const char *who, const void *frame, size_t n, void *out, size_t bytes,
                        vs_err *err)
{
    ZSTD_customMem memory = {codec_alloc, codec_release, NULL};
    ZSTD_DCtx *context = ZSTD_createDCtx_advanced(memory);
    if (context == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = SQLITE_OK;
    size_t written = ZSTD_decompressDCtx(context, out, bytes, frame, n);
    if (ZSTD_isError(written)) {
        rc = vs_error(err, SQLITE_ERROR, "%s: the zstd frame is damaged: %s", who,
                      ZSTD_getErrorName(written));
    } else if (written != bytes) {
        rc = vs_error(err, SQLITE_ERROR, "%s: the zstd frame states %llu bytes and holds %llu", who,
                      (unsigned long long)bytes, (unsigned long long)written);
    }
    ZSTD_freeDCtx(context);
    return rc;
}

int vs_codec_check(const char *who, const void *frame, size_t n, size_t limit, size_t *out_bytes,
                   vs_err *err)
{
    ZSTD_frameHeader header;
    *out_bytes = 0;
    int rc = codec_read_header(who, frame, n, &header, err);
    if (rc == SQLITE_OK) {
        rc = codec_check_size(who, frame, n, limit, &header, err);
    }
    if (rc == SQLITE_OK) {
        *out_bytes = (size_t)header.frameContentSize;
    }
    return rc;
}

int vs_codec_unzstd(const char *who, const void *frame, size_t n, size_t limit, void **out,
                    size_t *out_bytes, vs_err *err)
{
    size_t bytes = 0;
    *out = NULL;
    *out_bytes = 0;
    int rc = vs_codec_check(who, frame, n, limit, &bytes, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    void *content = sqlite3_malloc64(bytes > 0 ? bytes : 1);
    rc = content == NULL ? SQLITE_NOMEM : codec_decode(who, frame, n, content, bytes, err);
    if (rc != SQLITE_OK) {
        sqlite3_free(content);
        return rc;
    }
    *out = content;
    *out_bytes = bytes;
    return SQLITE_OK;
}

const char *vs_codec_zstd_version(void)
{
    return ZSTD_versionString();
}

/* ---- Streams of known size ------------------------------------------------------------------- */

/* What zstd's error means here. */
static int codec_fail(const char *who, const char *what, size_t code, vs_err *err)
{
    if (ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation) {
        return SQLITE_NOMEM;
    }
    return vs_error(err, SQLITE_ERROR, "%s: %s: %s", who, what, ZSTD_getErrorName(code));
}

int vs_codec_check_dict(const char *who, const vs_codec_dict *dict, vs_err *err)
{
    unsigned id = ZSTD_getDictID_fromDict(dict->data, dict->bytes);
    if (id == dict->id && id != 0) {
        return SQLITE_OK;
    }
    return vs_error(err, SQLITE_ERROR, "%s: dictionary %u says that its id is %u", who,
                    (unsigned)dict->id, id);
}

int vs_codec_encoder_init(vs_codec_encoder *encoder, int level)
{
    ZSTD_customMem memory = {codec_alloc, codec_release, NULL};
    assert(level >= VS_CODEC_LEVEL_MIN && level <= VS_CODEC_LEVEL_MAX);
    *encoder = (vs_codec_encoder){ZSTD_createCCtx_advanced(memory), level, 0};
    return encoder->context == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

void vs_codec_encoder_free(vs_codec_encoder *encoder)
{
    ZSTD_freeCCtx(encoder->context);
    encoder->context = NULL;
}

/* Without a dictionary. Returns zstd's code. */
static size_t codec_encode_alone(vs_codec_encoder *encoder, const void *data, size_t n,
                                 int block_log, void *out, size_t capacity)
{
    /* A frame that did not fit has left something; parameters cannot be set on top of it. */
    size_t code = ZSTD_CCtx_reset(encoder->context, ZSTD_reset_session_and_parameters);
    if (!ZSTD_isError(code)) {
        code = ZSTD_CCtx_setParameter(encoder->context, ZSTD_c_compressionLevel, encoder->level);
    }
    if (!ZSTD_isError(code)) {
        code = ZSTD_CCtx_setParameter(encoder->context, ZSTD_c_minMatch, encoder->match_min);
    }
    if (!ZSTD_isError(code)) { /* a block is never larger than the window */
        code = ZSTD_CCtx_setParameter(encoder->context, ZSTD_c_windowLog, block_log);
    }
    return ZSTD_isError(code) ? code : ZSTD_compress2(encoder->context, out, capacity, data, n);
}

int vs_codec_encode(const char *who, vs_codec_encoder *encoder, const vs_codec_dict *dict,
                    const void *data, size_t n, int block_log, void *out, size_t capacity,
                    size_t *out_bytes, vs_err *err)
{
    size_t code = 0;
    assert(dict == NULL || block_log == 0);
    if (dict == NULL) {
        code = codec_encode_alone(encoder, data, n, block_log, out, capacity);
    } else {
        /* Not ZSTD_CCtx_loadDictionary: without memory, zstd 1.5.4 crashes after it. */
        code = ZSTD_compress_usingDict(encoder->context, out, capacity, data, n, dict->data,
                                       dict->bytes, encoder->level);
    }
    *out_bytes = ZSTD_isError(code) ? 0 : code;
    if (!ZSTD_isError(code) || ZSTD_getErrorCode(code) == ZSTD_error_dstSize_tooSmall) {
        return SQLITE_OK;
    }
    return codec_fail(who, "zstd cannot compress", code, err);
}

int vs_codec_check_stream(const char *who, const void *frame, size_t n, size_t content_bytes,
                          uint32_t dict_id, vs_err *err)
{
    unsigned long long content = ZSTD_getFrameContentSize(frame, n);
    if (content == ZSTD_CONTENTSIZE_ERROR) {
        return vs_error(err, SQLITE_ERROR, "%s: not a zstd frame", who);
    }
    if (content == ZSTD_CONTENTSIZE_UNKNOWN) {
        return vs_error(err, SQLITE_ERROR, "%s: the zstd frame does not state its content size",
                        who);
    }
    if (content != content_bytes) {
        return vs_error(err, SQLITE_ERROR, "%s: the zstd frame states %llu bytes, not %llu", who,
                        content, (unsigned long long)content_bytes);
    }
    size_t frame_bytes = ZSTD_findFrameCompressedSize(frame, n);
    if (ZSTD_isError(frame_bytes)) {
        return vs_error(err, SQLITE_ERROR, "%s: the zstd frame is cut off or damaged", who);
    }
    if (frame_bytes != n) {
        return vs_error(err, SQLITE_ERROR, "%s: %llu bytes follow the zstd frame", who,
                        (unsigned long long)(n - frame_bytes));
    }
    unsigned id = ZSTD_getDictID_fromFrame(frame, n);
    if (id != dict_id) {
        return vs_error(err, SQLITE_ERROR, "%s: the zstd frame names dictionary %u, not %u", who,
                        id, (unsigned)dict_id);
    }
    return SQLITE_OK;
}

vs_codec_decoder *vs_codec_decoder_new(void)
{
    ZSTD_customMem memory = {codec_alloc, codec_release, NULL};
    return ZSTD_createDCtx_advanced(memory);
}

void vs_codec_decoder_free(vs_codec_decoder *decoder)
{
    ZSTD_freeDCtx(decoder);
}

int vs_codec_decode_stream(const char *who, vs_codec_decoder *decoder, const void *frame, size_t n,
                           const vs_codec_dict *dict, void *out, size_t content_bytes, vs_err *err)
{
    size_t code = dict == NULL ? ZSTD_decompressDCtx(decoder, out, content_bytes, frame, n)
                               : ZSTD_decompress_usingDict(decoder, out, content_bytes, frame, n,
                                                           dict->data, dict->bytes);
    if (ZSTD_isError(code)) {
        return codec_fail(who, "the zstd frame is damaged", code, err);
    }
    if (code != content_bytes) {
        return vs_error(err, SQLITE_ERROR, "%s: the zstd frame states %llu bytes and holds %llu",
                        who, (unsigned long long)content_bytes, (unsigned long long)code);
    }
    return SQLITE_OK;
}
