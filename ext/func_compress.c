/*
 * func_compress.c - scalar SQL functions that compress vectors without loss.
 *
 *     UPDATE archive SET embedding = vec_compress(embedding);
 *     SELECT vec_decompress(embedding) FROM archive;
 *
 * Elements are not looked at: a vector with NaN comes back with the same NaN.
 *
 * Calls: frame_read.c, frame_write.c, func.c, func_text.c (dictionaries), value.c.
 * Called by: func.c.
 * Threads: the thread inside a call of the connection.
 */
#include "func_compress.h"

#include "frame.h"
#include "func_text.h"

/* ---- Arguments ------------------------------------------------------------------------------- */

static const char *func_compress_who(sqlite3_context *ctx)
{
    const vs_func *func = sqlite3_user_data(ctx);
    return func->entry->name;
}

/* Whether the value is bytes that are no vector: without a subtype, and not float32 by their size. */
static int func_compress_is_plain(sqlite3_value *value)
{
    if (sqlite3_value_type(value) != SQLITE_BLOB || vs_value_subtype(value) >= 0) {
        return 0;
    }
    int bytes = sqlite3_value_bytes(value);
    return bytes % 4 != 0 || bytes / 4 > VS_DIM_MAX;
}

/* The value as a block: one vector, or bytes. */
static int func_compress_read(sqlite3_context *ctx, sqlite3_value *value, const void **data,
                              vs_frame_shape *shape, vs_err *err)
{
    static const vs_frame_elem elems[VSK_TYPE_COUNT] = {VS_FRAME_F32, VS_FRAME_F16, VS_FRAME_BF16,
                                                        VS_FRAME_I8, VS_FRAME_BIT};
    vs_vec vec;
    if (func_compress_is_plain(value)) {
        *data = sqlite3_value_blob(value);
        *shape = (vs_frame_shape){VS_FRAME_BYTES, 1, (uint32_t)sqlite3_value_bytes(value)};
        return *data == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    int rc = vs_func_argument(ctx, 0, value, VSK_F32, &vec, err);
    if (rc == SQLITE_OK) {
        *data = vec.data;
        *shape = (vs_frame_shape){elems[vec.type], (uint32_t)vec.dim, 1};
    }
    return rc;
}

static int func_compress_mode(sqlite3_context *ctx, sqlite3_value *value, vs_frame_mode *out,
                              vs_err *err)
{
    static const char *const names[VS_FRAME_MODES] = {"auto", "planes", "half", "raw"};
    const char *name = (const char *)sqlite3_value_text(value);
    if (name == NULL) {
        return SQLITE_NOMEM;
    }
    for (int mode = 0; mode < VS_FRAME_MODES; mode++) {
        if (strcmp(name, names[mode]) == 0) {
            *out = (vs_frame_mode)mode;
            return SQLITE_OK;
        }
    }
    return vs_error(err, SQLITE_ERROR,
                    "%s: the mode is 'auto', 'planes', 'half' or 'raw', not '%s'",
                    func_compress_who(ctx), name);
}

static int func_compress_level(sqlite3_context *ctx, sqlite3_value *value, int *out, vs_err *err)
{
    sqlite3_int64 level = sqlite3_value_int64(value);
    int type = sqlite3_value_numeric_type(value);
    int is_whole = type == SQLITE_INTEGER ||
                   (type == SQLITE_FLOAT && sqlite3_value_double(value) == (double)level);
    if (!is_whole || level < VS_CODEC_LEVEL_MIN || level > VS_CODEC_LEVEL_MAX) {
        const char *text = (const char *)sqlite3_value_text(value);
        return vs_error(err, SQLITE_ERROR,
                        "%s: the level is a whole number from %d to %d, not '%s'",
                        func_compress_who(ctx), VS_CODEC_LEVEL_MIN, VS_CODEC_LEVEL_MAX,
                        text == NULL ? "" : text);
    }
    *out = (int)level;
    return SQLITE_OK;
}

static int func_compress_dict_id(sqlite3_context *ctx, sqlite3_value *value, uint32_t *out,
                                 vs_err *err)
{
    sqlite3_int64 id = sqlite3_value_int64(value);
    if (sqlite3_value_type(value) != SQLITE_INTEGER || id < 0 || id > VS_DICT_ID_MAX) {
        const char *text = (const char *)sqlite3_value_text(value);
        return vs_error(err, SQLITE_ERROR, "%s: the id of a dictionary is a number, not '%s'",
                        func_compress_who(ctx), text == NULL ? "" : text);
    }
    *out = (uint32_t)id;
    return SQLITE_OK;
}

/* The dictionary with this id, 0 for none: *out_dict is a reference, and *out what frames take. */
static int func_compress_dict(sqlite3_context *ctx, uint32_t id, vs_dict **out_dict,
                              vs_codec_dict *out, vs_err *err)
{
    int rc = vs_func_text_dict(ctx, id, VS_DICT_DECODE, out_dict, err);
    if (rc == SQLITE_OK && *out_dict != NULL) {
        *out = (vs_codec_dict){(*out_dict)->bytes, (*out_dict)->n, (*out_dict)->id};
    }
    return rc;
}

/* A frame among the arguments: within what the connection may decode. */
static int func_compress_frame(sqlite3_context *ctx, sqlite3_value *value, vs_frame_info *out,
                               vs_err *err)
{
    const vs_func *func = sqlite3_user_data(ctx);
    if (sqlite3_value_type(value) != SQLITE_BLOB) {
        return vs_error(err, SQLITE_MISMATCH, "%s: takes a BLOB", func->entry->name);
    }
    const void *frame = sqlite3_value_blob(value);
    size_t n = (size_t)sqlite3_value_bytes(value);
    if (frame == NULL && n > 0) {
        return SQLITE_NOMEM;
    }
    size_t limit = (size_t)sqlite3_limit(func->conn->db, SQLITE_LIMIT_LENGTH, -1);
    size_t setting = (size_t)func->conn->settings.max_decoded_mb << 20;
    return vs_frame_read(func->entry->name, frame, n, setting < limit ? setting : limit, out, err);
}

/* ---- Functions ------------------------------------------------------------------------------- */

/* vec_compress(v), vec_compress(v, mode), with a level, with a dictionary */
static void func_compress(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    vs_frame_options options = {VS_FRAME_AUTO, VS_CODEC_LEVEL_DEFAULT, NULL};
    vs_err err = VS_ERR_INIT;
    vs_frame_shape shape;
    vs_codec_dict codec;
    vs_dict *dict = NULL;
    uint32_t dict_id = 0;
    const void *data = NULL;
    void *frame = NULL;
    size_t n = 0;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = argc > 1 ? func_compress_mode(ctx, argv[1], &options.mode, &err) : SQLITE_OK;
    if (rc == SQLITE_OK && argc > 2) {
        rc = func_compress_level(ctx, argv[2], &options.level, &err);
    }
    if (rc == SQLITE_OK && argc > 3) {
        rc = func_compress_dict_id(ctx, argv[3], &dict_id, &err);
    }
    if (rc == SQLITE_OK) {
        rc = func_compress_dict(ctx, dict_id, &dict, &codec, &err);
        options.dict = dict == NULL ? NULL : &codec;
    }
    if (rc == SQLITE_OK) {
        rc = func_compress_read(ctx, argv[0], &data, &shape, &err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_frame_encode(func_compress_who(ctx), data, &shape, &options, &frame, &n, &err);
    }
    vs_cached_unref(dict);
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
        return;
    }
    sqlite3_result_blob64(ctx, frame, n, sqlite3_free);
}

/* vec_decompress(blob) */
static void func_compress_undo(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    static const int subtypes[VS_FRAME_ELEMS] = {
        0, VS_SUBTYPE_F32, VS_SUBTYPE_F16, VS_SUBTYPE_BF16, VS_SUBTYPE_I8, VS_SUBTYPE_BIT, 0};
    vs_err err = VS_ERR_INIT;
    vs_frame_info info;
    vs_codec_dict codec;
    vs_dict *dict = NULL;
    void *raw = NULL;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = func_compress_frame(ctx, argv[0], &info, &err);
    if (rc == SQLITE_OK) {
        rc = func_compress_dict(ctx, info.dict_id, &dict, &codec, &err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_frame_decode(func_compress_who(ctx), &info, dict == NULL ? NULL : &codec, &raw,
                             &err);
    }
    vs_cached_unref(dict);
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
        return;
    }
    sqlite3_result_blob64(ctx, raw, info.raw_bytes, sqlite3_free);
    if (subtypes[info.shape.elem] != 0) {
        sqlite3_result_subtype(ctx, (unsigned)subtypes[info.shape.elem]);
    }
}

/* The report on a frame of n bytes. */
static void func_compress_describe(sqlite3_str *json, const vs_frame_info *info, size_t n)
{
    sqlite3_str_appendf(json, "{\"element\":\"%s\",\"dim\":%u,\"count\":%u,\"transform\":\"%s\"",
                        vs_frame_elem_name(info->shape.elem), (unsigned)info->shape.dim,
                        (unsigned)info->shape.count, vs_frame_transform_name(info->transform));
    if (info->dict_id != 0) {
        sqlite3_str_appendf(json, ",\"dictionary\":%u", (unsigned)info->dict_id);
    }
    sqlite3_str_appendf(json,
                        ",\"raw_bytes\":%llu,\"stored_bytes\":%llu,\"ratio\":%.3f,\"streams\":[",
                        (unsigned long long)info->raw_bytes, (unsigned long long)n,
                        (double)info->raw_bytes / (double)n);
    for (int i = 0; i < info->stream_count; i++) {
        const vs_frame_stream *stream = &info->streams[i];
        sqlite3_str_appendf(
            json, "%s{\"plane\":%d,\"coding\":\"%s\",\"raw_bytes\":%u,\"stored_bytes\":%u}",
            i == 0 ? "" : ",", stream->plane, vs_frame_coding_name(stream->coding),
            (unsigned)stream->raw_bytes, (unsigned)stream->coded_bytes);
    }
    sqlite3_str_appendall(json, "]}");
}

/* vec_compress_info(blob) */
static void func_compress_info(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    vs_err err = VS_ERR_INIT;
    vs_frame_info info;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = func_compress_frame(ctx, argv[0], &info, &err);
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
        return;
    }
    sqlite3_str *json = sqlite3_str_new(NULL);
    func_compress_describe(json, &info, (size_t)sqlite3_value_bytes(argv[0]));
    rc = sqlite3_str_errcode(json);
    int n = sqlite3_str_length(json);
    char *text = sqlite3_str_finish(json);
    if (rc != SQLITE_OK) {
        sqlite3_free(text);
        vs_error_result(ctx, rc, &err);
        return;
    }
    sqlite3_result_text(ctx, text, n, sqlite3_free);
    sqlite3_result_subtype(ctx, VS_SUBTYPE_JSON);
}

/* ---- The table ------------------------------------------------------------------------------- */

static const vs_func_entry func_compress_entries[] = {
    {"vec_compress", 1, VS_FUNC_READS, 0, func_compress, NULL, NULL},
    {"vec_compress", 2, VS_FUNC_READS, 0, func_compress, NULL, NULL},
    {"vec_compress", 3, VS_FUNC_READS, 0, func_compress, NULL, NULL},
    {"vec_compress", 4, SQLITE_SUBTYPE, 0, func_compress, NULL, NULL}, /* reads a dictionary */
    {"vec_decompress", 1, VS_FUNC_MAKES, 0, func_compress_undo, NULL, NULL},
    {"vec_compress_info", 1, VS_FUNC_MAKES, 0, func_compress_info, NULL, NULL},
};

int vs_func_compress_register(vs_conn *conn)
{
    return vs_func_register_table(conn, func_compress_entries,
                                  sizeof func_compress_entries / sizeof func_compress_entries[0]);
}
