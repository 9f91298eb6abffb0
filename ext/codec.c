/*
 * codec.c - zstd: bytes in, bytes out.
 *
 * The input may be anything, so the frame's own words are checked against its bytes before memory
 * is taken on their account: the walk over block headers needs no decoding, and a block holds at
 * most 128 KiB.
 *
 * Calls: libzstd (linked statically).
 * Called by: func.c.
 * Threads: any.
 */
#include "codec.h"

#define ZSTD_STATIC_LINKING_ONLY /* frame header, memory hooks; zstd is linked statically */
#include <zstd.h>

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

int vs_codec_unzstd(const char *who, const void *frame, size_t n, size_t limit, void **out,
                    size_t *out_bytes, vs_err *err)
{
    ZSTD_frameHeader header;
    *out = NULL;
    *out_bytes = 0;
    int rc = codec_read_header(who, frame, n, &header, err);
    if (rc == SQLITE_OK) {
        rc = codec_check_size(who, frame, n, limit, &header, err);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    size_t bytes = (size_t)header.frameContentSize;
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
