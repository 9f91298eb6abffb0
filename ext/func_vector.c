/*
 * func_vector.c - scalar SQL functions that make, take apart and change vectors.
 *
 *     INSERT INTO docs(embedding) VALUES (vec_f16('[0.1, 0.2, 0.3]'));
 *
 * Arithmetic widens both vectors to float32, computes, and rounds to the element type of the input:
 * for int8, float16 and bfloat16 that equals the exact result rounded once. What is beyond the
 * element type is an error that names the element.
 *
 * Calls: value.c, vectext.c, func.c.
 * Called by: func.c.
 * Threads: the thread inside a call of the connection.
 */
#include "func_vector.h"

#include "vectext.h"

#include <math.h>

/* ---- Shared ---------------------------------------------------------------------------------- */

static const char *func_vector_who(sqlite3_context *ctx)
{
    const vs_func *func = sqlite3_user_data(ctx);
    return func->entry->name;
}

static int func_vector_detail(sqlite3_context *ctx)
{
    const vs_func *func = sqlite3_user_data(ctx);
    return func->entry->detail;
}

/* Room for the result: valid until the function returns. Arguments never lie there. */
static void *func_vector_room(sqlite3_context *ctx, vsk_type type, size_t dim)
{
    const vs_func *func = sqlite3_user_data(ctx);
    return vs_scratch_get(&func->conn->scratch[0], vsk_bytes(type, dim));
}

static size_t func_vector_piece(const vs_vec *vec, size_t first)
{
    return vec->dim - first < VS_VALUE_CHUNK ? vec->dim - first : VS_VALUE_CHUNK;
}

/* Reads an argument that must hold finite numbers. */
static int func_vector_read(sqlite3_context *ctx, sqlite3_value *value, vsk_type type, vs_vec *out,
                            vs_err *err)
{
    int rc = vs_func_argument(ctx, 0, value, type, out, err);
    return rc == SQLITE_OK ? vs_value_check_finite(func_vector_who(ctx), out, err) : rc;
}

/* An error for element types that the function does not take. */
static int func_vector_refuse(sqlite3_context *ctx, const char *takes, const vs_vec *vec,
                              vs_err *err)
{
    return vs_error(err, SQLITE_ERROR, "%s: takes %s, not %s vectors", func_vector_who(ctx), takes,
                    vsk_type_name(vec->type));
}

static int func_vector_is_float(vsk_type type)
{
    return type == VSK_F32 || type == VSK_F16 || type == VSK_BF16;
}

/* Ends the function: with the vector, or with the error. */
static void func_vector_finish(sqlite3_context *ctx, int rc, const vs_vec *vec, vs_err *err)
{
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, err);
    } else {
        vs_func_result_vector(ctx, vec);
    }
}

/* ---- Constructors ---------------------------------------------------------------------------- */

/* vec_f32(x), vec_f16(x), vec_bf16(x), vec_int8(x), vec_bit(x) */
static void func_vector_make(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const vs_func *func = sqlite3_user_data(ctx);
    vsk_type type = (vsk_type)func->entry->detail;
    vs_err err = VS_ERR_INIT;
    vs_vec vec, made = {NULL, 0, VSK_F32};
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = func_vector_read(ctx, argv[0], type, &vec, &err);
    if (rc == SQLITE_OK && type == VSK_BIT && vec.type != VSK_BIT) {
        rc = vs_error(&err, SQLITE_ERROR,
                      "%s: takes bits, not %s vectors; vec_quantize_binary makes bits of signs",
                      func->entry->name, vsk_type_name(vec.type));
    }
    if (rc == SQLITE_OK) {
        rc = vs_value_convert(func->entry->name, &vec, type, &func->conn->scratch[0], &made, &err);
    }
    func_vector_finish(ctx, rc, &made, &err);
}

/* The element type that an argument names. */
static int func_vector_type_argument(sqlite3_context *ctx, sqlite3_value *value, vsk_type *out,
                                     vs_err *err)
{
    const char *name = (const char *)sqlite3_value_text(value);
    if (name == NULL) {
        return SQLITE_NOMEM;
    }
    int type = vs_value_type_by_name(name);
    if (type < 0) {
        return vs_error(
            err, SQLITE_ERROR,
            "%s: no element type '%s': there are float32, float16, bfloat16, int8 and bit",
            func_vector_who(ctx), name);
    }
    *out = (vsk_type)type;
    return SQLITE_OK;
}

/* Decodes base64 text into scratch memory as elements of `type`. */
static int func_vector_decode(sqlite3_context *ctx, sqlite3_value *value, vsk_type type,
                              vs_vec *out, vs_err *err)
{
    const char *who = func_vector_who(ctx);
    vs_vectext_fault fault;
    if (sqlite3_value_type(value) != SQLITE_TEXT) {
        return vs_error(err, SQLITE_MISMATCH, "%s: takes base64 TEXT", who);
    }
    const char *text = (const char *)sqlite3_value_text(value);
    size_t n = (size_t)sqlite3_value_bytes(value);
    if (n / 4 * 3 > vsk_bytes(VSK_F32, VS_DIM_MAX) + 2) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: a vector has at most %d elements, and this text is longer", who,
                        VS_DIM_MAX);
    }
    unsigned char *data = func_vector_room(ctx, VSK_I8, n / 4 * 3);
    if (text == NULL || data == NULL) {
        return SQLITE_NOMEM;
    }
    size_t bytes = vs_vectext_base64(text, n, data, &fault);
    if (fault.reason != NULL) {
        return vs_error(err, SQLITE_ERROR, "%s: %s, at byte %llu", who, fault.reason,
                        (unsigned long long)fault.offset);
    }
    return vs_value_from_bytes(who, data, bytes, type, out, err);
}

/* vec_from_base64(text), vec_from_base64(text, type) */
static void func_vector_from_base64(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    vs_err err = VS_ERR_INIT;
    vs_vec vec = {NULL, 0, VSK_F32};
    vsk_type type = VSK_F32;
    int rc = SQLITE_OK;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    if (argc == 2) {
        rc = func_vector_type_argument(ctx, argv[1], &type, &err);
    }
    if (rc == SQLITE_OK) {
        rc = func_vector_decode(ctx, argv[0], type, &vec, &err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_value_check_finite(func_vector_who(ctx), &vec, &err);
    }
    func_vector_finish(ctx, rc, &vec, &err);
}

/* ---- Looking at a vector --------------------------------------------------------------------- */

/* vec_length(v) */
static void func_vector_length(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    vs_err err = VS_ERR_INIT;
    vs_vec vec;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = vs_func_argument(ctx, 0, argv[0], VSK_F32, &vec, &err);
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
        return;
    }
    sqlite3_result_int64(ctx, (sqlite3_int64)vec.dim);
}

/* vec_type(v) */
static void func_vector_type(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    vs_err err = VS_ERR_INIT;
    vs_vec vec;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = vs_func_argument(ctx, 0, argv[0], VSK_F32, &vec, &err);
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
        return;
    }
    sqlite3_result_text(ctx, vsk_type_name(vec.type), -1, SQLITE_STATIC);
}

/* Writes the vector; the string keeps SQLite's length limit. */
static void func_vector_print(sqlite3_str *text, const vs_vec *vec)
{
    char element[VS_VECTEXT_ELEMENT_BYTES_MAX + 1];
    for (size_t i = 0; i < vec->dim && sqlite3_str_errcode(text) == SQLITE_OK; i++) {
        element[0] = i == 0 ? '[' : ',';
        size_t n = vs_vectext_print(vec->data, vec->type, i, element + 1);
        sqlite3_str_append(text, element, (int)n + 1);
    }
    sqlite3_str_append(text, "]", 1);
}

/* vec_to_json(v) */
static void func_vector_to_json(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    vs_err err = VS_ERR_INIT;
    vs_vec vec;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = func_vector_read(ctx, argv[0], VSK_F32, &vec, &err);
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
        return;
    }
    sqlite3_str *text = sqlite3_str_new(sqlite3_context_db_handle(ctx));
    func_vector_print(text, &vec);
    rc = sqlite3_str_errcode(text);
    size_t n = (size_t)sqlite3_str_length(text);
    char *json = sqlite3_str_finish(text);
    if (rc != SQLITE_OK) {
        sqlite3_free(json);
        rc = rc == SQLITE_TOOBIG ? vs_error(&err, rc, "%s: the text is longer than SQLite's limit",
                                            func_vector_who(ctx))
                                 : rc;
        vs_error_result(ctx, rc, &err);
        return;
    }
    sqlite3_result_text64(ctx, json, n, sqlite3_free, SQLITE_UTF8);
    sqlite3_result_subtype(ctx, VS_SUBTYPE_JSON);
}

/* ---- Arithmetic ------------------------------------------------------------------------------ */

enum { FUNC_VECTOR_ADD, FUNC_VECTOR_SUB };

static void func_vector_combine(int operation, float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        a[i] = operation == FUNC_VECTOR_ADD ? a[i] + b[i] : a[i] - b[i];
    }
}

/* vec_add(a, b), vec_sub(a, b) */
static void func_vector_add(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const char *who = func_vector_who(ctx);
    float left[VS_VALUE_CHUNK], right[VS_VALUE_CHUNK];
    vs_err err = VS_ERR_INIT;
    vs_vec a, b;
    void *sum = NULL;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = func_vector_read(ctx, argv[0], VSK_F32, &a, &err);
    if (rc == SQLITE_OK) {
        rc = vs_func_argument(ctx, 1, argv[1], VSK_F32, &b, &err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_value_check_finite(who, &b, &err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_value_check_same_shape(who, &a, &b, &err);
    }
    if (rc == SQLITE_OK && a.type == VSK_BIT) {
        rc = func_vector_refuse(ctx, "numbers", &a, &err);
    }
    if (rc == SQLITE_OK) {
        sum = func_vector_room(ctx, a.type, a.dim);
        rc = sum == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    for (size_t first = 0; rc == SQLITE_OK && first < a.dim; first += VS_VALUE_CHUNK) {
        size_t count = func_vector_piece(&a, first);
        vs_value_widen(&a, first, count, left);
        vs_value_widen(&b, first, count, right);
        func_vector_combine(func_vector_detail(ctx), left, right, count);
        rc = vs_value_narrow(who, a.type, left, first, count, sum, &err);
    }
    if (rc == SQLITE_OK) {
        a.data = sum;
    }
    func_vector_finish(ctx, rc, &a, &err);
}

/*
 * Every element of a float vector times factor / divisor, computed in double. The result lies in
 * the function's room.
 */
static int func_vector_rescale(sqlite3_context *ctx, vs_vec *vec, double factor, double divisor,
                               vs_err *err)
{
    float values[VS_VALUE_CHUNK];
    void *scaled = func_vector_room(ctx, vec->type, vec->dim);
    int rc = scaled == NULL ? SQLITE_NOMEM : SQLITE_OK;
    for (size_t first = 0; rc == SQLITE_OK && first < vec->dim; first += VS_VALUE_CHUNK) {
        size_t count = func_vector_piece(vec, first);
        vs_value_widen(vec, first, count, values);
        for (size_t i = 0; i < count; i++) {
            values[i] = vs_value_to_float((double)values[i] * factor / divisor);
        }
        rc = vs_value_narrow(func_vector_who(ctx), vec->type, values, first, count, scaled, err);
    }
    vec->data = scaled;
    return rc;
}

/* vec_scale(v, s) */
static void func_vector_scale(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    vs_err err = VS_ERR_INIT;
    vs_vec vec;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = func_vector_read(ctx, argv[0], VSK_F32, &vec, &err);
    int factor_type = sqlite3_value_type(argv[1]);
    if (rc == SQLITE_OK && factor_type != SQLITE_INTEGER && factor_type != SQLITE_FLOAT) {
        rc = vs_error(&err, SQLITE_MISMATCH, "%s: the factor is a number, not %s",
                      func_vector_who(ctx), factor_type == SQLITE_TEXT ? "TEXT" : "a BLOB");
    }
    if (rc == SQLITE_OK && !func_vector_is_float(vec.type)) {
        rc = func_vector_refuse(ctx, "float vectors", &vec, &err);
    }
    if (rc == SQLITE_OK) {
        rc = func_vector_rescale(ctx, &vec, sqlite3_value_double(argv[1]), 1.0, &err);
    }
    func_vector_finish(ctx, rc, &vec, &err);
}

/* vec_normalize(v): NULL for a vector without direction. */
static void func_vector_normalize(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    vs_err err = VS_ERR_INIT;
    vs_vec vec;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = func_vector_read(ctx, argv[0], VSK_F32, &vec, &err);
    if (rc == SQLITE_OK && !func_vector_is_float(vec.type)) {
        rc = func_vector_refuse(ctx, "float vectors", &vec, &err);
    }
    if (rc == SQLITE_OK) {
        double norm = sqrt(vsk_get()->sumsq[vec.type](vec.data, vec.dim));
        if (norm == 0.0) {
            return;
        }
        rc = func_vector_rescale(ctx, &vec, 1.0, norm, &err);
    }
    func_vector_finish(ctx, rc, &vec, &err);
}

/* ---- Parts ----------------------------------------------------------------------------------- */

static int func_vector_check_slice(sqlite3_context *ctx, const vs_vec *vec, sqlite3_int64 from,
                                   sqlite3_int64 to, vs_err *err)
{
    const char *who = func_vector_who(ctx);
    if (from < 0 || to > (sqlite3_int64)vec->dim) {
        return vs_error(err, SQLITE_ERROR, "%s: %lld to %lld is not within 0 to %lld", who, from,
                        to, (sqlite3_int64)vec->dim);
    }
    if (from >= to) {
        return vs_error(err, SQLITE_ERROR, "%s: %lld to %lld holds no element", who, from, to);
    }
    if (vec->type == VSK_BIT && (from % 8 != 0 || to % 8 != 0)) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: a bit vector is cut at multiples of 8, not from %lld to %lld", who,
                        from, to);
    }
    return SQLITE_OK;
}

/* vec_slice(v, from, to): elements from <= i < to. */
static void func_vector_slice(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    vs_err err = VS_ERR_INIT;
    vs_vec vec;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    sqlite3_int64 from = sqlite3_value_int64(argv[1]), to = sqlite3_value_int64(argv[2]);
    int rc = func_vector_read(ctx, argv[0], VSK_F32, &vec, &err);
    if (rc == SQLITE_OK) {
        rc = func_vector_check_slice(ctx, &vec, from, to, &err);
    }
    if (rc == SQLITE_OK) {
        vec.data = (const unsigned char *)vec.data + vsk_bytes(vec.type, (size_t)from);
        vec.dim = (size_t)(to - from);
    }
    func_vector_finish(ctx, rc, &vec, &err);
}

/* Reads one of any number of arguments, without the memory that the first two have. */
static int func_vector_read_part(sqlite3_context *ctx, sqlite3_value *value, vs_vec *out,
                                 vs_err *err)
{
    const vs_func *func = sqlite3_user_data(ctx);
    return vs_value_read(func->entry->name, value, VSK_F32, &func->conn->scratch[1], out, err);
}

/* Adds up the dimensions of all arguments; their element types must agree. */
static int func_vector_measure_all(sqlite3_context *ctx, int argc, sqlite3_value **argv,
                                   vs_vec *out, vs_err *err)
{
    const char *who = func_vector_who(ctx);
    for (int i = 0; i < argc; i++) {
        vs_vec part;
        int rc = func_vector_read_part(ctx, argv[i], &part, err);
        if (rc == SQLITE_OK) {
            rc = vs_value_check_finite(who, &part, err);
        }
        if (rc != SQLITE_OK) {
            return rc;
        }
        if (i > 0 && part.type != out->type) {
            return vs_error(err, SQLITE_ERROR, "%s: element types differ: %s and %s", who,
                            vsk_type_name(out->type), vsk_type_name(part.type));
        }
        out->type = part.type;
        out->dim += part.dim;
        if (out->dim > VS_DIM_MAX) {
            return vs_error(err, SQLITE_ERROR, "%s: a vector has at most %d elements", who,
                            VS_DIM_MAX);
        }
    }
    return SQLITE_OK;
}

/* vec_concat(a, b, ...) */
static void func_vector_concat(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    vs_err err = VS_ERR_INIT;
    vs_vec whole = {NULL, 0, VSK_F32};
    unsigned char *data = NULL;
    int rc = SQLITE_OK;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    if (argc == 0) {
        rc = vs_error(&err, SQLITE_ERROR, "%s: takes one vector or more", func_vector_who(ctx));
    }
    if (rc == SQLITE_OK) {
        rc = func_vector_measure_all(ctx, argc, argv, &whole, &err);
    }
    if (rc == SQLITE_OK) {
        data = func_vector_room(ctx, whole.type, whole.dim);
        rc = data == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    whole.data = data;
    for (int i = 0; rc == SQLITE_OK && i < argc; i++) {
        vs_vec part;
        rc = func_vector_read_part(ctx, argv[i], &part, &err);
        if (rc == SQLITE_OK) {
            size_t bytes = vsk_bytes(part.type, part.dim);
            memcpy(data, part.data, bytes);
            data += bytes;
        }
    }
    func_vector_finish(ctx, rc, &whole, &err);
}

/* ---- Quantisation ---------------------------------------------------------------------------- */

/*
 * sqlite-vec's formula: 256 steps from -1 to 1, cut off toward zero. What is outside comes to the
 * nearest end.
 */
static float func_vector_quantize_unit(float value)
{
    const float step = 2.0f / 255.0f;
    double code = trunc(((double)value + 1.0) / (double)step - 128.0);
    return code < -128.0 ? -128.0f : code > 127.0 ? 127.0f : (float)code;
}

/* vec_quantize_int8(v, 'unit') */
static void func_vector_quantize_int8(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    float values[VS_VALUE_CHUNK];
    vs_err err = VS_ERR_INIT;
    vs_vec vec;
    void *codes = NULL;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = func_vector_read(ctx, argv[0], VSK_F32, &vec, &err);
    const char *range = (const char *)sqlite3_value_text(argv[1]);
    if (rc == SQLITE_OK && range == NULL) {
        rc = SQLITE_NOMEM;
    }
    if (rc == SQLITE_OK && sqlite3_stricmp(range, "unit") != 0) {
        rc = vs_error(&err, SQLITE_ERROR, "%s: the range is 'unit', not '%s'", func_vector_who(ctx),
                      range);
    }
    if (rc == SQLITE_OK && !func_vector_is_float(vec.type)) {
        rc = func_vector_refuse(ctx, "float vectors", &vec, &err);
    }
    if (rc == SQLITE_OK) {
        codes = func_vector_room(ctx, VSK_I8, vec.dim);
        rc = codes == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    for (size_t first = 0; rc == SQLITE_OK && first < vec.dim; first += VS_VALUE_CHUNK) {
        size_t count = func_vector_piece(&vec, first);
        vs_value_widen(&vec, first, count, values);
        for (size_t i = 0; i < count; i++) {
            values[i] = func_vector_quantize_unit(values[i]);
        }
        rc = vs_value_narrow(func_vector_who(ctx), VSK_I8, values, first, count, codes, &err);
    }
    func_vector_finish(ctx, rc, &(vs_vec){codes, rc == SQLITE_OK ? vec.dim : 0, VSK_I8}, &err);
}

/* Bit i of `out` is 1 where element i is above 0. */
static void func_vector_take_signs(const vs_vec *vec, unsigned char *out)
{
    float values[VS_VALUE_CHUNK];
    memset(out, 0, vec->dim / 8);
    for (size_t first = 0; first < vec->dim; first += VS_VALUE_CHUNK) {
        size_t count = func_vector_piece(vec, first);
        vs_value_widen(vec, first, count, values);
        for (size_t i = 0; i < count; i++) {
            size_t bit = first + i;
            out[bit / 8] = (unsigned char)(out[bit / 8] | (values[i] > 0.0f) << (bit % 8));
        }
    }
}

/* vec_quantize_binary(v) */
static void func_vector_quantize_binary(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    vs_err err = VS_ERR_INIT;
    vs_vec vec;
    unsigned char *bits = NULL;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = func_vector_read(ctx, argv[0], VSK_F32, &vec, &err);
    if (rc == SQLITE_OK && vec.type == VSK_BIT) {
        rc = func_vector_refuse(ctx, "numbers", &vec, &err);
    }
    if (rc == SQLITE_OK && vec.dim % 8 != 0) {
        rc = vs_error(&err, SQLITE_ERROR, "%s: a bit vector has a multiple of 8 elements, not %lld",
                      func_vector_who(ctx), (sqlite3_int64)vec.dim);
    }
    if (rc == SQLITE_OK) {
        bits = func_vector_room(ctx, VSK_BIT, vec.dim);
        rc = bits == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    if (rc == SQLITE_OK) {
        func_vector_take_signs(&vec, bits);
        vec = (vs_vec){bits, vec.dim, VSK_BIT};
    }
    func_vector_finish(ctx, rc, &vec, &err);
}

/* ---- The table ------------------------------------------------------------------------------- */

static const vs_func_entry func_vector_entries[] = {
    {"vec_f32", 1, VS_FUNC_MAKES, VSK_F32, func_vector_make, NULL, NULL},
    {"vec_f16", 1, VS_FUNC_MAKES, VSK_F16, func_vector_make, NULL, NULL},
    {"vec_bf16", 1, VS_FUNC_MAKES, VSK_BF16, func_vector_make, NULL, NULL},
    {"vec_int8", 1, VS_FUNC_MAKES, VSK_I8, func_vector_make, NULL, NULL},
    {"vec_bit", 1, VS_FUNC_MAKES, VSK_BIT, func_vector_make, NULL, NULL},
    {"vec_from_base64", 1, VS_FUNC_PURE | SQLITE_RESULT_SUBTYPE, 0, func_vector_from_base64, NULL,
     NULL},
    {"vec_from_base64", 2, VS_FUNC_PURE | SQLITE_RESULT_SUBTYPE, 0, func_vector_from_base64, NULL,
     NULL},
    {"vec_length", 1, VS_FUNC_READS, 0, func_vector_length, NULL, NULL},
    {"vec_type", 1, VS_FUNC_READS, 0, func_vector_type, NULL, NULL},
    {"vec_to_json", 1, VS_FUNC_MAKES, 0, func_vector_to_json, NULL, NULL},
    {"vec_add", 2, VS_FUNC_MAKES, FUNC_VECTOR_ADD, func_vector_add, NULL, NULL},
    {"vec_sub", 2, VS_FUNC_MAKES, FUNC_VECTOR_SUB, func_vector_add, NULL, NULL},
    {"vec_scale", 2, VS_FUNC_MAKES, 0, func_vector_scale, NULL, NULL},
    {"vec_normalize", 1, VS_FUNC_MAKES, 0, func_vector_normalize, NULL, NULL},
    {"vec_slice", 3, VS_FUNC_MAKES, 0, func_vector_slice, NULL, NULL},
    {"vec_concat", -1, VS_FUNC_MAKES, 0, func_vector_concat, NULL, NULL},
    {"vec_quantize_int8", 2, VS_FUNC_MAKES, 0, func_vector_quantize_int8, NULL, NULL},
    {"vec_quantize_binary", 1, VS_FUNC_MAKES, 0, func_vector_quantize_binary, NULL, NULL},
};

int vs_func_vector_register(vs_conn *conn)
{
    return vs_func_register_table(conn, func_vector_entries,
                                  sizeof func_vector_entries / sizeof func_vector_entries[0]);
}
