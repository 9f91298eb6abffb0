/*
 * frame_write.c - encodes block frames.
 *
 * Each transform that the mode allows and the block admits makes a frame; the smallest is kept, and
 * where it gains less than 3 % the block is stored as it is. A transform is taken only when its way
 * back gives the very same bytes.
 *
 * Calls: codec.c, crc32c.c, frame_planes.c.
 * Called by: func_compress.c.
 * Threads: any.
 */
#include "frame_impl.h"

#include "bytes.h"
#include "crc32c.h"

/* Room for a frame of any transform. */
#define FRAME_WRITE_BYTES_MAX(split_bytes)                                                         \
    ((split_bytes) + VS_FRAME_HEADER_BYTES + VS_FRAME_STREAMS_MAX * VS_FRAME_RECORD_BYTES)

/* Blocks of zstd so small that a stream does not expand beyond the limit: each takes 4 bytes. */
#define FRAME_WRITE_BLOCK_LOG 13

/*
 * Among bytes of few values, as exponents are, short repeats are everywhere, and the faster levels
 * of zstd spend more on each than its bytes would take alone. Repeats of that many bytes are real.
 */
#define FRAME_WRITE_MATCH_MIN 7

#define FRAME_WRITE_BIT(transform) (1u << VS_FRAME_##transform)

/* What each mode tries. */
static const unsigned frame_write_tries[VS_FRAME_MODES] = {
    (1u << VS_FRAME_TRANSFORMS) - 1 - FRAME_WRITE_BIT(PLANES),
    FRAME_WRITE_BIT(PLANES) | FRAME_WRITE_BIT(ROTATED),
    FRAME_WRITE_BIT(HALF_F16) | FRAME_WRITE_BIT(HALF_BF16) | FRAME_WRITE_BIT(UPCAST_F16) |
        FRAME_WRITE_BIT(UPCAST_BF16),
    FRAME_WRITE_BIT(NONE)};

typedef struct frame_writer {
    const char *who;
    const unsigned char *raw; /* borrowed */
    vs_frame_shape shape;
    const vs_codec_dict *dict; /* borrowed, or NULL; dropped where it expands too far */
    size_t raw_bytes;
    uint32_t checksum;
    vs_codec_encoder encoder; /* owned */
    unsigned char *memory;    /* owned: what follows lies in it */
    unsigned char *check;     /* [raw_bytes] the way back of a transform */
    uint16_t *work;           /* [dim] */
    unsigned char *streams;   /* a transform's streams */
    unsigned char *trial;     /* the frame being made */
    unsigned char *best;      /* the smallest so far */
    size_t best_bytes;        /* 0: none */
} frame_writer;

/* ---- Bytes ----------------------------------------------------------------------------------- */

static void frame_write_header(const frame_writer *w, vs_frame_transform transform, int param,
                               int stream_count, int has_dict, size_t payload, unsigned char *out)
{
    int has_norms = transform == VS_FRAME_HALF_F16 || transform == VS_FRAME_HALF_BF16;
    memset(out, 0, VS_FRAME_HEADER_BYTES);
    memcpy(out + VS_FRAME_AT_MAGIC, VS_FRAME_MAGIC, 4);
    out[VS_FRAME_AT_VERSION] = VS_FRAME_VERSION;
    out[VS_FRAME_AT_ELEM] = (unsigned char)w->shape.elem;
    out[VS_FRAME_AT_TRANSFORM] = (unsigned char)transform;
    out[VS_FRAME_AT_FLAGS] =
        (unsigned char)((has_dict ? VS_FRAME_HAS_DICT : 0) | (has_norms ? VS_FRAME_HAS_NORMS : 0));
    vs_put32(out + VS_FRAME_AT_DIM, w->shape.dim);
    vs_put32(out + VS_FRAME_AT_COUNT, w->shape.count);
    vs_put32(out + VS_FRAME_AT_DICT, has_dict ? w->dict->id : 0);
    out[VS_FRAME_AT_STREAMS] = (unsigned char)stream_count;
    out[VS_FRAME_AT_PARAM] = (unsigned char)param;
    vs_put32(out + VS_FRAME_AT_PAYLOAD, (uint32_t)payload); /* below 2^32 */
    vs_put32(out + VS_FRAME_AT_CHECKSUM, w->checksum);
    vs_put32(out + VS_FRAME_AT_HEADER_CHECKSUM, vs_crc32c(out, VS_FRAME_HEADER_BYTES));
}

static void frame_write_record(vs_frame_coding coding, int plane, size_t coded_bytes,
                               size_t raw_bytes, unsigned char *out)
{
    out[0] = (unsigned char)coding;
    out[1] = (unsigned char)plane;
    out[2] = out[3] = 0;
    vs_put32(out + 4, (uint32_t)coded_bytes);
    vs_put32(out + 8, (uint32_t)raw_bytes);
}

/* ---- One candidate --------------------------------------------------------------------------- */

/* zstd's frame of a stream, where it gains anything; *out_bytes is 0 where it does not. */
static int frame_write_zstd(frame_writer *w, const unsigned char *data, size_t n,
                            unsigned char *out, size_t *out_bytes, vs_err *err)
{
    size_t room = n - n / 128 - 1; /* less than 1 % is not worth decoding */
    int rc = vs_codec_encode(w->who, &w->encoder, w->dict, data, n, 0, out, room, out_bytes, err);
    if (rc == SQLITE_OK && *out_bytes > 0 && n > *out_bytes * VS_FRAME_EXPANSION_MAX) {
        w->dict = NULL; /* its blocks have a fixed size */
        rc = vs_codec_encode(w->who, &w->encoder, NULL, data, n, FRAME_WRITE_BLOCK_LOG, out, room,
                             out_bytes, err);
    }
    return rc;
}

/* The same for a plane, also without short repeats; the smaller one stays. */
static int frame_write_plane(frame_writer *w, const unsigned char *data, size_t n,
                             unsigned char *out, size_t *out_bytes, vs_err *err)
{
    unsigned char *other = w->check; /* has done its work; no plane is larger */
    size_t other_bytes = 0;
    int rc = frame_write_zstd(w, data, n, out, out_bytes, err);
    if (rc != SQLITE_OK || w->dict != NULL) {
        return rc;
    }
    size_t room = *out_bytes > 0 ? *out_bytes - 1 : n - n / 128 - 1;
    w->encoder.match_min = FRAME_WRITE_MATCH_MIN;
    rc = vs_codec_encode(w->who, &w->encoder, NULL, data, n, 0, other, room, &other_bytes, err);
    w->encoder.match_min = 0;
    if (rc == SQLITE_OK && other_bytes > 0 && n <= other_bytes * VS_FRAME_EXPANSION_MAX) {
        memcpy(out, other, other_bytes);
        *out_bytes = other_bytes;
    }
    return rc;
}

/*
 * Codes one stream in the way that takes least. `unit` bytes repeat where all of the stream does.
 */
static int frame_write_stream(frame_writer *w, int is_plane, const unsigned char *data, size_t n,
                              size_t unit, unsigned char *out, vs_frame_coding *coding,
                              size_t *out_bytes, vs_err *err)
{
    if (n > unit && memcmp(data, data + unit, n - unit) == 0) {
        memcpy(out, data, unit);
        *coding = VS_FRAME_FILL;
        *out_bytes = unit;
        return SQLITE_OK;
    }
    int rc = is_plane ? frame_write_plane(w, data, n, out, out_bytes, err)
                      : frame_write_zstd(w, data, n, out, out_bytes, err);
    *coding = VS_FRAME_ZSTD;
    if (rc == SQLITE_OK && *out_bytes == 0) {
        memcpy(out, data, n);
        *coding = VS_FRAME_STORED;
        *out_bytes = n;
    }
    return rc;
}

/* Codes the streams in `streams` as a frame in `trial`. */
static int frame_write_trial(frame_writer *w, vs_frame_transform transform, int param,
                             const vs_frame_layout *layout, size_t *out_bytes, vs_err *err)
{
    const unsigned char *data = w->streams;
    unsigned char *record = w->trial + VS_FRAME_HEADER_BYTES;
    unsigned char *at = record + (size_t)layout->stream_count * VS_FRAME_RECORD_BYTES;
    size_t unit = transform == VS_FRAME_CONSTANT ? vs_frame_width(w->shape.elem) : 1;
    int rc = SQLITE_OK, has_dict = 0;
    for (int i = 0; rc == SQLITE_OK && i < layout->stream_count; i++) {
        vs_frame_coding coding = VS_FRAME_STORED;
        size_t coded_bytes = 0, n = layout->bytes[i];
        rc = frame_write_stream(w, transform != VS_FRAME_NONE, data, n, unit, at, &coding,
                                &coded_bytes, err);
        frame_write_record(coding, i, coded_bytes, n, record);
        has_dict |= coding == VS_FRAME_ZSTD && w->dict != NULL;
        record += VS_FRAME_RECORD_BYTES;
        at += coded_bytes;
        data += n;
    }
    *out_bytes = (size_t)(at - w->trial);
    frame_write_header(w, transform, param, layout->stream_count, has_dict,
                       *out_bytes - VS_FRAME_HEADER_BYTES, w->trial);
    return rc;
}

/* Tries one transform, and keeps its frame where it is the smallest. */
static int frame_write_try(frame_writer *w, vs_frame_transform transform, vs_err *err)
{
    vs_frame_layout layout;
    int param = 0, decimal_bytes = 0;
    size_t bytes = 0;
    if (!vs_frame_split(&w->shape, transform, w->raw, w->work, &param, &decimal_bytes,
                        w->streams)) {
        return SQLITE_OK;
    }
    vs_frame_join(&w->shape, transform, param, decimal_bytes, w->streams, w->check);
    if (memcmp(w->check, w->raw, w->raw_bytes) != 0) {
        return SQLITE_OK;
    }
    int is_laid_out = vs_frame_lay_out(&w->shape, transform, param, decimal_bytes, &layout);
    assert(is_laid_out);
    (void)is_laid_out;
    const vs_codec_dict *dict = w->dict;
    int rc = frame_write_trial(w, transform, param, &layout, &bytes, err);
    if (rc == SQLITE_OK && w->dict != dict) { /* all streams go without it */
        rc = frame_write_trial(w, transform, param, &layout, &bytes, err);
    }
    if (rc == SQLITE_OK && (w->best_bytes == 0 || bytes < w->best_bytes)) {
        unsigned char *smaller = w->trial;
        w->trial = w->best;
        w->best = smaller;
        w->best_bytes = bytes;
    }
    return rc;
}

/* ---- The smallest ---------------------------------------------------------------------------- */

/* The block as it is. */
static void frame_write_stored(frame_writer *w)
{
    unsigned char *record = w->best + VS_FRAME_HEADER_BYTES;
    w->best_bytes = VS_FRAME_BYTES_MAX(w->raw_bytes);
    frame_write_record(VS_FRAME_STORED, 0, w->raw_bytes, w->raw_bytes, record);
    memcpy(record + VS_FRAME_RECORD_BYTES, w->raw, w->raw_bytes);
    frame_write_header(w, VS_FRAME_NONE, 0, 1, 0, w->best_bytes - VS_FRAME_HEADER_BYTES, w->best);
}

/* Makes the frame in `best`. */
static int frame_write_best(frame_writer *w, vs_frame_mode mode, vs_err *err)
{
    int rc = SQLITE_OK;
    for (int t = VS_FRAME_TRANSFORMS - 1; rc == SQLITE_OK && t >= 0; t--) {
        if (frame_write_tries[mode] >> t & 1) {
            rc = frame_write_try(w, (vs_frame_transform)t, err);
        }
        if (t == VS_FRAME_CONSTANT && w->best_bytes > 0) {
            break; /* nothing is smaller */
        }
    }
    if (rc == SQLITE_OK && w->best_bytes == 0) {
        rc = frame_write_try(w, VS_FRAME_NONE, err);
    }
    size_t stored_bytes = VS_FRAME_BYTES_MAX(w->raw_bytes);
    if (rc == SQLITE_OK && w->best_bytes > stored_bytes * 97 / 100) {
        frame_write_stored(w);
    }
    return rc;
}

/* All memory in one piece. */
static int frame_write_allocate(frame_writer *w)
{
    size_t split_bytes = VS_FRAME_SPLIT_BYTES_MAX(w->raw_bytes, w->shape.count);
    size_t check_bytes = (w->raw_bytes + 7) / 8 * 8;
    size_t work_bytes = sizeof *w->work * ((size_t)w->shape.dim + 3) / 4 * 4;
    size_t frame_bytes = FRAME_WRITE_BYTES_MAX(split_bytes);
    w->memory = sqlite3_malloc64(check_bytes + work_bytes + split_bytes + 2 * frame_bytes);
    if (w->memory == NULL) {
        return SQLITE_NOMEM;
    }
    w->check = w->memory;
    w->work = (uint16_t *)(void *)(w->check + check_bytes);
    w->streams = w->check + check_bytes + work_bytes;
    w->trial = w->streams + split_bytes;
    w->best = w->trial + frame_bytes;
    return SQLITE_OK;
}

static int frame_write_check_shape(const char *who, const vs_frame_shape *shape, vs_err *err)
{
    if (shape->dim == 0 || shape->dim > VS_DIM_MAX || shape->count == 0 ||
        (shape->elem == VS_FRAME_BIT && shape->dim % 8 != 0)) {
        return vs_error(err, SQLITE_ERROR, "%s: a block has no %u vectors of %u elements, type %s",
                        who, (unsigned)shape->count, (unsigned)shape->dim,
                        vs_frame_elem_name(shape->elem));
    }
    uint64_t raw_bytes = vs_frame_raw_bytes(shape);
    if (raw_bytes > VS_FRAME_RAW_BYTES_MAX) {
        return vs_error(err, SQLITE_TOOBIG, "%s: a block has at most %u bytes, not %llu", who,
                        VS_FRAME_RAW_BYTES_MAX, (unsigned long long)raw_bytes);
    }
    return SQLITE_OK;
}

int vs_frame_encode(const char *who, const void *raw, const vs_frame_shape *shape,
                    const vs_frame_options *options, void **out, size_t *out_bytes, vs_err *err)
{
    frame_writer w = {.who = who, .raw = raw, .shape = *shape, .dict = options->dict};
    *out = NULL;
    *out_bytes = 0;
    int rc = frame_write_check_shape(who, shape, err);
    if (rc == SQLITE_OK) {
        w.raw_bytes = (size_t)vs_frame_raw_bytes(shape);
        w.checksum = vs_crc32c(raw, w.raw_bytes);
        rc = vs_codec_encoder_init(&w.encoder, options->level);
    }
    if (rc == SQLITE_OK && w.dict != NULL) {
        rc = vs_codec_check_dict(who, w.dict, err);
    }
    if (rc == SQLITE_OK) {
        rc = frame_write_allocate(&w);
    }
    if (rc == SQLITE_OK) {
        rc = frame_write_best(&w, options->mode, err);
    }
    void *frame = NULL;
    if (rc == SQLITE_OK) {
        frame = sqlite3_malloc64(w.best_bytes);
        rc = frame == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    if (rc == SQLITE_OK) {
        memcpy(frame, w.best, w.best_bytes);
        *out = frame;
        *out_bytes = w.best_bytes;
    }
    vs_codec_encoder_free(&w.encoder);
    sqlite3_free(w.memory);
    return rc;
}
