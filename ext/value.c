/*
 * value.c - SQL values as vectors.
 *
 * Calls: vectext.c, kernels.
 * Called by: every function and table that takes a vector.
 * Threads: the thread inside a call of the connection.
 */
#include "value.h"

#include "vectext.h"

#include <math.h>

/* ---- Scratch memory -------------------------------------------------------------------------- */

void *vs_scratch_get(vs_scratch *scratch, size_t bytes)
{
    if (bytes > scratch->capacity_bytes || scratch->memory == NULL) {
        size_t capacity = 256;
        while (capacity < bytes) {
            capacity *= 2;
        }
        void *memory = sqlite3_malloc64(capacity);
        if (memory == NULL) {
            return NULL;
        }
        sqlite3_free(scratch->memory);
        scratch->memory = memory;
        scratch->capacity_bytes = capacity;
    }
    return scratch->memory;
}

void vs_scratch_free(vs_scratch *scratch)
{
    sqlite3_free(scratch->memory);
    scratch->memory = NULL;
    scratch->capacity_bytes = 0;
}

/* ---- Element types --------------------------------------------------------------------------- */

static const unsigned char value_subtypes[VSK_TYPE_COUNT] = {
    VS_SUBTYPE_F32, VS_SUBTYPE_F16, VS_SUBTYPE_BF16, VS_SUBTYPE_I8, VS_SUBTYPE_BIT};

int vs_value_subtype_of(vsk_type type)
{
    return value_subtypes[type];
}

int vs_value_subtype(sqlite3_value *value)
{
    unsigned subtype = sqlite3_value_subtype(value);
    for (int type = 0; type < VSK_TYPE_COUNT; type++) {
        if (value_subtypes[type] == subtype) {
            return type;
        }
    }
    return -1;
}

int vs_value_type_by_name(const char *name)
{
    for (int type = 0; type < VSK_TYPE_COUNT; type++) {
        if (strcmp(name, vsk_type_name((vsk_type)type)) == 0) {
            return type;
        }
    }
    return -1;
}

/* ---- Reading --------------------------------------------------------------------------------- */

int vs_value_from_bytes(const char *who, const void *data, size_t bytes, vsk_type type, vs_vec *out,
                        vs_err *err)
{
    size_t element_bytes = type == VSK_BIT ? 1 : vsk_bytes(type, 1); /* a byte is 8 bits */
    if (bytes == 0) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: a vector has at least one element, and this one is empty", who);
    }
    if (bytes % element_bytes != 0) {
        return vs_error(err, SQLITE_ERROR, "%s: a %s vector has a multiple of %d bytes, not %llu",
                        who, vsk_type_name(type), (int)element_bytes, (unsigned long long)bytes);
    }
    *out = (vs_vec){data, bytes / element_bytes * (type == VSK_BIT ? 8 : 1), type};
    if (out->dim > VS_DIM_MAX) {
        return vs_error(err, SQLITE_ERROR, "%s: a vector has at most %d elements, not %llu", who,
                        VS_DIM_MAX, (unsigned long long)out->dim);
    }
    return SQLITE_OK;
}

static int value_read_blob(const char *who, sqlite3_value *value, vsk_type type, vs_vec *out,
                           vs_err *err)
{
    int subtype = vs_value_subtype(value);
    const void *data = sqlite3_value_blob(value);
    size_t bytes = (size_t)sqlite3_value_bytes(value);
    if (data == NULL && bytes > 0) {
        return SQLITE_NOMEM;
    }
    return vs_value_from_bytes(who, data, bytes, subtype >= 0 ? (vsk_type)subtype : type, out, err);
}

int vs_value_parse_json(const char *who, const char *text, size_t n, vsk_type type,
                        vs_scratch *scratch, vs_vec *out, vs_err *err)
{
    vs_vectext_fault fault;
    if (n > VS_TEXT_BYTES_MAX) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: a vector as JSON text has at most %d bytes, not %llu", who,
                        VS_TEXT_BYTES_MAX, (unsigned long long)n);
    }
    size_t capacity = (vs_vectext_elements_max(n) / 8 + 1) * 8;
    capacity = capacity > VS_DIM_MAX ? VS_DIM_MAX : capacity;
    void *memory = vs_scratch_get(scratch, vsk_bytes(type, capacity));
    if (memory == NULL) {
        return SQLITE_NOMEM;
    }
    size_t dim = vs_vectext_parse(text, n, type, memory, capacity, &fault);
    if (dim == 0) {
        return vs_error(err, SQLITE_ERROR, "%s: JSON text: %s, at byte %llu, element %llu", who,
                        fault.reason, (unsigned long long)fault.offset,
                        (unsigned long long)fault.element);
    }
    if (type == VSK_BIT && dim % 8 != 0) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: a bit vector has a multiple of 8 elements, not %llu", who,
                        (unsigned long long)dim);
    }
    *out = (vs_vec){memory, dim, type};
    return SQLITE_OK;
}

int vs_value_read(const char *who, sqlite3_value *value, vsk_type type, vs_scratch *scratch,
                  vs_vec *out, vs_err *err)
{
    static const char *const names[] = {"?", "INTEGER", "REAL", "TEXT", "BLOB", "NULL"};
    int sql_type = sqlite3_value_type(value);
    if (sql_type == SQLITE_BLOB) {
        return value_read_blob(who, value, type, out, err);
    }
    if (sql_type == SQLITE_TEXT) {
        const char *text = (const char *)sqlite3_value_text(value);
        size_t n = (size_t)sqlite3_value_bytes(value);
        return text == NULL ? SQLITE_NOMEM
                            : vs_value_parse_json(who, text, n, type, scratch, out, err);
    }
    return vs_error(err, SQLITE_MISMATCH, "%s: a vector is a BLOB or JSON text, not %s", who,
                    names[sql_type]);
}

/* ---- Checking -------------------------------------------------------------------------------- */

int vs_value_check_finite(const char *who, const vs_vec *vec, vs_err *err)
{
    vsk_scan_fn find = vsk_get()->find_nonfinite[vec->type];
    size_t i = find == NULL ? vec->dim : find(vec->data, vec->dim);
    if (i == vec->dim) {
        return SQLITE_OK;
    }
    float value = 0.0f;
    vs_value_widen(vec, i, 1, &value);
    return vs_error(err, SQLITE_ERROR, "%s: element %llu is %s", who, (unsigned long long)i,
                    isnan(value) ? "NaN" : "infinite");
}

int vs_value_check_same_shape(const char *who, const vs_vec *a, const vs_vec *b, vs_err *err)
{
    if (a->type != b->type) {
        return vs_error(err, SQLITE_ERROR, "%s: element types differ: %s and %s", who,
                        vsk_type_name(a->type), vsk_type_name(b->type));
    }
    if (a->dim != b->dim) {
        return vs_error(err, SQLITE_ERROR, "%s: dimensions differ: %llu and %llu", who,
                        (unsigned long long)a->dim, (unsigned long long)b->dim);
    }
    return SQLITE_OK;
}

/* ---- Converting ------------------------------------------------------------------------------ */

void vs_value_widen(const vs_vec *vec, size_t first, size_t count, float *out)
{
    const unsigned char *data = (const unsigned char *)vec->data + vsk_bytes(vec->type, 1) * first;
    assert(vec->type != VSK_BIT && first + count <= vec->dim);
    if (vec->type == VSK_F32) {
        memcpy(out, data, count * sizeof *out);
    } else {
        vsk_get()->to_f32[vec->type](data, out, count);
    }
}

float vs_value_to_float(double value)
{
    const double limit = (double)FLT_MAX + 0x1p103; /* halfway to 2^128: it and beyond round up */
    return value >= limit ? INFINITY : value <= -limit ? -INFINITY : (float)value;
}

/* Narrows one float32 to int8; 0 when it is not one. */
static int value_to_int8(float value, unsigned char *out)
{
    if (!(value >= -128.0f && value <= 127.0f) || (float)(int)value != value) {
        return 0;
    }
    *out = (unsigned char)(signed char)(int)value;
    return 1;
}

/*
 * Index of the first float32 that int8 cannot hold, the ones before it stored; count when all are
 * stored.
 */
static size_t value_narrow_int8(const float *values, size_t count, unsigned char *out)
{
    size_t i = 0;
    while (i < count && value_to_int8(values[i], &out[i])) {
        i++;
    }
    return i;
}

int vs_value_narrow(const char *who, vsk_type type, const float *values, size_t first, size_t count,
                    void *data, vs_err *err)
{
    unsigned char *out = (unsigned char *)data + vsk_bytes(type, 1) * first;
    const vsk_table *kernels = vsk_get();
    size_t bad = count;
    assert(type != VSK_BIT);
    if (type == VSK_I8) {
        bad = value_narrow_int8(values, count, out);
    } else {
        if (type == VSK_F32) {
            memcpy(out, values, count * sizeof *values);
        } else {
            kernels->from_f32[type](values, out, count);
        }
        bad = kernels->find_nonfinite[type](out, count);
    }
    if (bad == count) {
        return SQLITE_OK;
    }
    unsigned long long element = first + bad;
    if (type == VSK_I8 && values[bad] > -129.0f && values[bad] < 128.0f) {
        return vs_error(err, SQLITE_ERROR, "%s: element %llu is not a whole number, as int8 needs",
                        who, element);
    }
    return vs_error(err, SQLITE_ERROR, "%s: element %llu is beyond %s", who, element,
                    vsk_type_name(type));
}

int vs_value_convert(const char *who, const vs_vec *vec, vsk_type type, vs_scratch *scratch,
                     vs_vec *out, vs_err *err)
{
    float values[VS_VALUE_CHUNK];
    if (vec->type == type) {
        *out = *vec;
        return SQLITE_OK;
    }
    if (vec->type == VSK_BIT || type == VSK_BIT) {
        return vs_error(err, SQLITE_ERROR, "%s: %s does not convert to %s", who,
                        vsk_type_name(vec->type), vsk_type_name(type));
    }
    void *data = vs_scratch_get(scratch, vsk_bytes(type, vec->dim));
    int rc = data == NULL ? SQLITE_NOMEM : vs_value_check_finite(who, vec, err);
    for (size_t first = 0; rc == SQLITE_OK && first < vec->dim; first += VS_VALUE_CHUNK) {
        size_t count = vec->dim - first < VS_VALUE_CHUNK ? vec->dim - first : VS_VALUE_CHUNK;
        vs_value_widen(vec, first, count, values);
        rc = vs_value_narrow(who, type, values, first, count, data, err);
    }
    *out = (vs_vec){data, vec->dim, type};
    return rc;
}
