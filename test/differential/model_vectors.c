/*
 * model_vectors.c - kinds of vector columns, and random vectors for them.
 */
#include "model.h"

#include "../../kernels/vsk.h"

static const model_kind kinds[] = {
    {"float[3]", "vec_f32", "l2", 3, 'f', 0, 300},
    {"float[40] distance_metric=cosine", "vec_f32", "cosine", 40, 'f', 0, 700},
    {"float[100]", "vec_f32", "l2", 100, 'f', 0, 300},
    {"float[200] distance_metric=dot", "vec_f32", "dot", 200, 'f', 0, 300},
    {"float[1000] distance_metric=cosine", "vec_f32", "cosine", 1000, 'f', 0, 80},
    {"float[1024] distance_metric=l2sq", "vec_f32", "l2sq", 1024, 'f', 0, 80},
    {"float[500] store=f16", "vec_f32", "l2", 500, 'f', 1, 150},
    {"float[520] store=half", "vec_f32", "l2", 520, 'f', 0, 150},
    {"float[20] distance_metric=cosine store=half", "vec_f32", "cosine", 20, 'f', 0, 200},
    {"float[70] distance_metric=l1", "vec_f32", "l1", 70, 'f', 0, 200},
    {"float16[130]", "vec_f16", "l2", 130, 'h', 1, 300},
    {"int8[48] distance_metric=cosine", "vec_int8", "cosine", 48, 'i', 0, 300},
    {"bit[64]", "vec_bit", "hamming", 64, 'b', 0, 300},
    {"bit[128] distance_metric=jaccard", "vec_bit", "jaccard", 128, 'b', 0, 300},
};

uint32_t model_pick(model *test, uint32_t n)
{
    return (uint32_t)(vs_test_random(&test->random) >> 20) % n;
}

const model_kind *model_any_kind(model *test)
{
    return &kinds[model_pick(test, VS_TEST_COUNT(kinds))];
}

size_t model_vector_bytes(const model_kind *kind)
{
    return kind->element == 'b'   ? kind->dim / 8
           : kind->element == 'i' ? kind->dim
           : kind->element == 'h' ? 2 * kind->dim
                                  : 4 * kind->dim;
}

static double make_element(model *test, uint32_t shape, size_t i)
{
    switch (shape % 5) {
    case 0:
        return (double)model_pick(test, 3) - 1.0;
    case 1:
        return (double)((int)(i * 7 + shape) % 5) + 0.125 * (double)model_pick(test, 3);
    case 2:
        return i == shape % 7 ? 1.0 : 0.0;
    default:
        return ((double)model_pick(test, 2001) - 1000.0) / 125.0;
    }
}

static double any_scale(model *test, const model_kind *kind)
{
    if (kind->element != 'f' || kind->is_grid || model_pick(test, 12) > 0) {
        return 1.0;
    }
    return model_pick(test, 2) > 0 ? 1e25 : 1e-25;
}

void model_make_vector(model *test, const model_kind *kind, unsigned char *out)
{
    uint32_t shape = model_pick(test, 40);
    double scale = any_scale(test, kind);
    size_t n = model_vector_bytes(kind);
    if (shape == 39) { /* zero */
        memset(out, 0, n);
        return;
    }
    for (size_t i = 0; i < (kind->element == 'b' ? n : kind->dim); i++) {
        double x = make_element(test, shape, i) * scale;
        if (kind->is_grid) {
            x = (double)((int)(x * 8.0)) / 8.0;
        }
        float f = (float)x;
        if (kind->element == 'f') {
            memcpy(out + 4 * i, &f, 4);
        } else if (kind->element == 'h') {
            vsk_get()->from_f32[VSK_F16](&f, out + 2 * i, 1);
        } else {
            out[i] = kind->element == 'i' ? (unsigned char)(signed char)x
                                          : (unsigned char)model_pick(test, 256);
        }
    }
}

static void append_blob(sqlite3_str *sql, const unsigned char *bytes, size_t n)
{
    sqlite3_str_appendall(sql, "x'");
    for (size_t i = 0; i < n; i++) {
        sqlite3_str_appendf(sql, "%02x", bytes[i]);
    }
    sqlite3_str_appendall(sql, "'");
}

void model_append_vector(model *test, const model_kind *kind, sqlite3_str *sql)
{
    unsigned char vector[MODEL_BYTES_MAX];
    model_make_vector(test, kind, vector);
    append_blob(sql, vector, model_vector_bytes(kind));
}

void model_append_bad(model *test, const model_kind *kind, sqlite3_str *sql)
{
    unsigned char vector[MODEL_BYTES_MAX];
    size_t n = model_vector_bytes(kind);
    model_make_vector(test, kind, vector);
    switch (model_pick(test, 4)) {
    case 0:
        sqlite3_str_appendall(sql, "5");
        return;
    case 1:
        sqlite3_str_appendall(sql, "'no vector'");
        return;
    case 2:
        if (kind->element == 'f') {
            memcpy(vector, "\x00\x00\xc0\x7f", 4);
        } else if (kind->element == 'h') {
            memcpy(vector, "\x00\x7e", 2);
        } else {
            n--;
        }
        break;
    default:
        n--;
        break;
    }
    append_blob(sql, vector, n);
}

char *model_is_bad(const model_kind *kind, const char *name)
{
    return sqlite3_mprintf(
        "(NEW.%s IS NOT NULL AND (typeof(NEW.%s) <> 'blob' OR length(NEW.%s) <> %d%s%s%s))", name,
        name, name, (int)model_vector_bytes(kind),
        kind->element == 'f' || kind->element == 'h' ? " OR substr(NEW." : "",
        kind->element == 'f' || kind->element == 'h' ? name : "",
        kind->element == 'f'   ? ", 1, 4) = x'0000c07f'"
        : kind->element == 'h' ? ", 1, 2) = x'007e'"
                               : "");
}
