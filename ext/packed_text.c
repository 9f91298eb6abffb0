/*
 * packed_text.c - one text as a packed row: bytes in, bytes out.
 *
 * The dictionary's id stands in the row and not again in the frame, and the magic number is put
 * back for decoding: a row of 500 bytes packs to some 150, where these 8 would count.
 *
 * Calls: codec.c for the frame's checks, crc32c.c, dict.h, libzstd (linked statically).
 * Called by: func_text.c, report_text.c, store_text.c, store_pack.c, conn.c.
 * Threads: one at a time for a packer.
 */
#include "packed_text.h"

#define ZSTD_STATIC_LINKING_ONLY /* memory hooks; zstd is linked statically */
#include <zstd.h>
#include <zstd_errors.h>

#include "bytes.h"
#include "codec.h"
#include "crc32c.h"

#define PACKED_MAGIC_BYTES 4
#define PACKED_CRC_BYTES 4
#define PACKED_HEAD_BYTES_MAX 16            /* tag and two varints: at most 1 + 4 + 5 */
#define PACKED_KEEP_BYTES ((size_t)1 << 20) /* larger scratch memory is given back */

static const unsigned char packed_magic[PACKED_MAGIC_BYTES] = {0x28, 0xb5, 0x2f, 0xfd};

static void *packed_alloc(void *opaque, size_t bytes)
{
    (void)opaque;
    return sqlite3_malloc64(bytes);
}

static void packed_release(void *opaque, void *memory)
{
    (void)opaque;
    sqlite3_free(memory);
}

static const ZSTD_customMem packed_memory = {packed_alloc, packed_release, NULL};

void vs_packer_free(vs_packer *packer)
{
    ZSTD_freeCCtx(packer->encoder);
    ZSTD_freeDCtx(packer->decoder);
    vs_scratch_free(&packer->frame);
    vs_scratch_free(&packer->text);
    memset(packer, 0, sizeof *packer);
}

/* A rare large text must not hold its memory for as long as the connection lives. */
static void packed_give_back(vs_scratch *scratch)
{
    if (scratch->capacity_bytes > PACKED_KEEP_BYTES) {
        vs_scratch_free(scratch);
    }
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static size_t packed_put_varint(unsigned char *at, uint32_t value)
{
    size_t n = 0;
    while (value >= 0x80) {
        at[n++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    at[n++] = (unsigned char)value;
    return n;
}

/* Reads a varint of at most 32 bits. Returns its bytes, 0 when it is cut off, too long or large. */
static size_t packed_get_varint(const unsigned char *at, size_t n, uint32_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n && i < 5; i++) {
        value |= (uint64_t)(at[i] & 0x7fu) << 7 * i;
        if ((at[i] & 0x80u) == 0) {
            *out = (uint32_t)value;
            return value > UINT32_MAX || (i > 0 && at[i] == 0) ? 0 : i + 1;
        }
    }
    return 0;
}

size_t vs_packed_limit(sqlite3 *db)
{
    size_t limit = (size_t)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, -1);
    return limit < VS_PACKED_TEXT_MAX ? limit : VS_PACKED_TEXT_MAX;
}

/* ---- packing --------------------------------------------------------------------------------- */

static int packed_make_encoder(vs_packer *packer)
{
    if (packer->encoder != NULL) {
        return SQLITE_OK;
    }
    packer->encoder = ZSTD_createCCtx_advanced(packed_memory);
    if (packer->encoder == NULL) {
        return SQLITE_NOMEM;
    }
    ZSTD_CCtx_setParameter(packer->encoder, ZSTD_c_compressionLevel, VS_DICT_LEVEL);
    ZSTD_CCtx_setParameter(packer->encoder, ZSTD_c_contentSizeFlag, 1);
    ZSTD_CCtx_setParameter(packer->encoder, ZSTD_c_checksumFlag, 0);
    ZSTD_CCtx_setParameter(packer->encoder, ZSTD_c_dictIDFlag, 0);
    return SQLITE_OK;
}

/* Compresses into `frame`, of at least ZSTD_compressBound(n) bytes. */
static int packed_compress(vs_packer *packer, const char *who, const void *text, size_t n,
                           const vs_dict *dict, void *frame, size_t *out_n, vs_err *err)
{
    ZSTD_CCtx_refCDict(packer->encoder, dict == NULL ? NULL : dict->encoder);
    size_t code = ZSTD_compress2(packer->encoder, frame, ZSTD_compressBound(n), text, n);
    ZSTD_CCtx_refCDict(packer->encoder, NULL); /* the dictionary may go before the packer */
    *out_n = code;
    if (!ZSTD_isError(code)) {
        return SQLITE_OK;
    }
    return ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation
               ? SQLITE_NOMEM
               : vs_error(err, SQLITE_ERROR, "%s: zstd fails: %s", who, ZSTD_getErrorName(code));
}

int vs_packed_make(vs_packer *packer, const char *who, const void *text, size_t n,
                   const vs_dict *dict, const void **out, size_t *out_n, vs_err *err)
{
    unsigned char head[PACKED_HEAD_BYTES_MAX];
    size_t frame_n = 0;
    uint32_t crc = vs_crc32c(text, n);
    assert(n <= VS_PACKED_TEXT_MAX);
    int rc = packed_make_encoder(packer);
    packed_give_back(&packer->frame);
    unsigned char *memory = vs_scratch_get(
        &packer->frame, PACKED_HEAD_BYTES_MAX + ZSTD_compressBound(n) + PACKED_CRC_BYTES);
    if (rc != SQLITE_OK || memory == NULL) {
        return SQLITE_NOMEM;
    }
    unsigned char *frame = memory + PACKED_HEAD_BYTES_MAX;
    rc = packed_compress(packer, who, text, n, dict, frame, &frame_n, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    head[0] = VS_PACKED_ZSTD;
    size_t head_n = 1 + packed_put_varint(head + 1, (uint32_t)n);
    head_n += packed_put_varint(head + head_n, dict == NULL ? 0 : dict->id);
    unsigned char *row =
        frame + PACKED_MAGIC_BYTES - head_n; /* the head ends where the frame begins */
    if (head_n + frame_n - PACKED_MAGIC_BYTES < 1 + n) {
        memcpy(row, head, head_n);
        *out_n = head_n + frame_n - PACKED_MAGIC_BYTES;
    } else {
        row[0] = VS_PACKED_STORED;
        if (n > 0) {
            memcpy(row + 1, text, n);
        }
        *out_n = 1 + n;
    }
    vs_put32(row + *out_n, crc);
    *out_n += PACKED_CRC_BYTES;
    *out = row;
    return SQLITE_OK;
}

/* ---- unpacking ------------------------------------------------------------------------------- */

static int packed_cut_off(const char *who, vs_err *err)
{
    return vs_error(err, SQLITE_ERROR, "%s: the packed text is cut off or damaged", who);
}

/* The two numbers of a compressed row. */
static int packed_read_numbers(const char *who, vs_packed *packed, vs_err *err)
{
    uint32_t text_bytes = 0;
    size_t n = packed_get_varint(packed->body, packed->body_bytes, &text_bytes);
    if (n == 0) {
        return packed_cut_off(who, err);
    }
    packed->text_bytes = text_bytes;
    packed->body += n;
    packed->body_bytes -= n;
    n = packed_get_varint(packed->body, packed->body_bytes, &packed->dict_id);
    if (n == 0) {
        return packed_cut_off(who, err);
    }
    packed->body += n;
    packed->body_bytes -= n;
    return SQLITE_OK;
}

int vs_packed_read(const char *who, const void *row, size_t n, size_t limit, vs_packed *out,
                   vs_err *err)
{
    const unsigned char *bytes = row;
    int rc = SQLITE_OK;
    memset(out, 0, sizeof *out);
    if (n == 0 || (bytes[0] != VS_PACKED_ZSTD && bytes[0] != VS_PACKED_STORED)) {
        return vs_error(err, SQLITE_ERROR, "%s: the BLOB is no packed text", who);
    }
    if (n < 1 + PACKED_CRC_BYTES) {
        return packed_cut_off(who, err);
    }
    out->body = bytes + 1;
    out->body_bytes = n - 1 - PACKED_CRC_BYTES;
    out->crc = vs_get32(bytes + n - PACKED_CRC_BYTES);
    out->is_stored = bytes[0] == VS_PACKED_STORED;
    out->text_bytes = out->body_bytes;
    if (!out->is_stored) {
        rc = packed_read_numbers(who, out, err);
    }
    if (rc == SQLITE_OK && out->text_bytes > limit) {
        rc =
            vs_error(err, SQLITE_TOOBIG, "%s: the text has %llu bytes, more than the limit of %llu",
                     who, (unsigned long long)out->text_bytes, (unsigned long long)limit);
    }
    return rc;
}

int vs_packed_check(vs_packer *packer, const char *who, const vs_packed *packed, vs_err *err)
{
    size_t content = 0, frame_n = PACKED_MAGIC_BYTES + packed->body_bytes;
    if (packed->is_stored) {
        return SQLITE_OK;
    }
    packed_give_back(&packer->frame);
    unsigned char *frame = vs_scratch_get(&packer->frame, frame_n);
    if (frame == NULL) {
        return SQLITE_NOMEM;
    }
    memcpy(frame, packed_magic, PACKED_MAGIC_BYTES);
    memcpy(frame + PACKED_MAGIC_BYTES, packed->body, packed->body_bytes);
    int rc = vs_codec_check(who, frame, frame_n, VS_PACKED_TEXT_MAX, &content, err);
    if (rc == SQLITE_OK && content != packed->text_bytes) {
        rc = vs_error(err, SQLITE_ERROR,
                      "%s: the packed text states %llu bytes, and its zstd frame %llu", who,
                      (unsigned long long)packed->text_bytes, (unsigned long long)content);
    }
    if (rc == SQLITE_OK && packer->decoder == NULL) {
        packer->decoder = ZSTD_createDCtx_advanced(packed_memory);
        rc = packer->decoder == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    return rc;
}

int vs_packed_decode(vs_packer *packer, const char *who, const vs_packed *packed,
                     const vs_dict *dict, void *out, vs_err *err)
{
    const void *frame = packer->frame.memory;
    size_t frame_n = PACKED_MAGIC_BYTES + packed->body_bytes, n = packed->text_bytes, code = n;
    assert(dict == NULL ? packed->dict_id == 0 : dict->id == packed->dict_id);
    if (packed->is_stored) {
        memcpy(out, packed->body, n);
    } else if (dict != NULL) {
        code = ZSTD_decompress_usingDDict(packer->decoder, out, n, frame, frame_n, dict->decoder);
    } else {
        code = ZSTD_decompressDCtx(packer->decoder, out, n, frame, frame_n);
    }
    if (ZSTD_isError(code)) {
        return vs_error(err, SQLITE_ERROR, "%s: the packed text is damaged: %s", who,
                        ZSTD_getErrorName(code));
    }
    if (code != n || vs_crc32c(out, n) != packed->crc) {
        return vs_error(err, SQLITE_ERROR, "%s: the packed text is damaged: its checksum differs",
                        who);
    }
    return SQLITE_OK;
}
