/*
 * frame_planes.c - the transforms of a frame: a block as streams that zstd does well on, and back.
 *
 * The exponents of a vector's elements are much alike and their last bits are noise. Apart from
 * each other, as byte planes, the first compress and the second can be stored. A rotation left by
 * one bit moves the sign behind the mantissa, so that the exponent of a float32 or bfloat16 fills
 * one plane. Some blocks hold less than they seem to: 16-bit floats, also over a norm, or decimals
 * with few places. Split says no unless the way back gives the same elements; the encoder checks it
 * on the whole block again.
 *
 * Calls: half.c, kernels.
 * Called by: frame_read.c, frame_write.c.
 * Threads: any.
 */
#include "frame_impl.h"

#include "../kernels/half.h"
#include "half.h"

#define FRAME_PLANES_PIECE 256 /* elements on the stack */

/* ---- Names and sizes ------------------------------------------------------------------------- */

const char *vs_frame_elem_name(vs_frame_elem elem)
{
    static const char *const names[VS_FRAME_ELEMS] = {"bytes", "float32", "float16", "bfloat16",
                                                      "int8",  "bit",     "float64"};
    return names[elem];
}

const char *vs_frame_transform_name(vs_frame_transform transform)
{
    static const char *const names[VS_FRAME_TRANSFORMS] = {"none",
                                                           "planes",
                                                           "rotated planes",
                                                           "float16 over norm",
                                                           "bfloat16 over norm",
                                                           "exact float16",
                                                           "exact bfloat16",
                                                           "decimal",
                                                           "constant"};
    return names[transform];
}

const char *vs_frame_coding_name(vs_frame_coding coding)
{
    static const char *const names[VS_FRAME_CODINGS] = {"stored", "zstd", "fill"};
    return names[coding];
}

size_t vs_frame_width(vs_frame_elem elem)
{
    static const unsigned char widths[VS_FRAME_ELEMS] = {1, 4, 2, 2, 1, 1, 8};
    return widths[elem];
}

uint64_t vs_frame_raw_bytes(const vs_frame_shape *shape)
{
    uint64_t elements = (uint64_t)shape->dim * shape->count; /* below 2^64: both are 32 bits */
    return shape->elem == VS_FRAME_BIT ? (uint64_t)(shape->dim / 8) * shape->count
                                       : elements * vs_frame_width(shape->elem);
}

static vsk_type frame_planes_half_type(vs_frame_transform transform)
{
    return transform == VS_FRAME_HALF_F16 || transform == VS_FRAME_UPCAST_F16 ? VSK_F16 : VSK_BF16;
}

static int frame_planes_is_half(vs_frame_transform transform)
{
    return transform == VS_FRAME_HALF_F16 || transform == VS_FRAME_HALF_BF16;
}

/* Equal streams of one byte plane each. */
static void frame_planes_lay_equal(int count, size_t bytes, vs_frame_layout *out)
{
    out->stream_count = count;
    for (int i = 0; i < count; i++) {
        out->bytes[i] = bytes;
    }
    out->total = bytes * (size_t)count;
}

int vs_frame_lay_out(const vs_frame_shape *shape, vs_frame_transform transform, int param,
                     int decimal_bytes, vs_frame_layout *out)
{
    size_t width = vs_frame_width(shape->elem);
    size_t raw_bytes = (size_t)vs_frame_raw_bytes(shape);
    size_t elements = raw_bytes / width;
    if (param != 0 && transform != VS_FRAME_DECIMAL) {
        return 0;
    }
    switch (transform) {
    case VS_FRAME_NONE:
    case VS_FRAME_CONSTANT:
        frame_planes_lay_equal(1, raw_bytes, out);
        return 1;
    case VS_FRAME_PLANES:
    case VS_FRAME_ROTATED:
        frame_planes_lay_equal((int)width, elements, out);
        return width > 1;
    case VS_FRAME_DECIMAL:
        if (decimal_bytes < 1 || decimal_bytes > 4 ||
            (param & VS_FRAME_PLACES_MASK) > VS_FRAME_PLACES_MAX) {
            return 0;
        }
        frame_planes_lay_equal(decimal_bytes, elements, out);
        return shape->elem == VS_FRAME_F32;
    default: /* 16-bit floats */
        frame_planes_lay_equal(2, elements, out);
        if (frame_planes_is_half(transform)) {
            out->bytes[out->stream_count++] = 4 * (size_t)shape->count;
            out->total += 4 * (size_t)shape->count;
        }
        return shape->elem == VS_FRAME_F32;
    }
}

/* ---- Byte planes ----------------------------------------------------------------------------- */

/*
 * Elements of one width, FRAME_PLANES_RUN at most; plane p of element i is at [p * stride + i].
 * Called with constant counts for the most part: such loops become vector instructions.
 */
#define FRAME_PLANES_RUN 64
#define FRAME_PLANES_WIDTH(bits)                                                                   \
    static inline void frame_planes_split_run_##bits(const unsigned char *raw, size_t count,       \
                                                     int turn, size_t stride, unsigned char *out)  \
    {                                                                                              \
        uint##bits##_t x[FRAME_PLANES_RUN];                                                        \
        memcpy(x, raw, count * sizeof x[0]);                                                       \
        for (size_t i = 0; turn && i < count; i++) {                                               \
            x[i] = (uint##bits##_t)(x[i] << 1 | x[i] >> (bits - 1));                               \
        }                                                                                          \
        for (size_t p = 0; p < bits / 8; p++) {                                                    \
            for (size_t i = 0; i < count; i++) {                                                   \
                out[p * stride + i] = (unsigned char)(x[i] >> (8 * p));                            \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static inline void frame_planes_join_run_##bits(const unsigned char *planes, size_t stride,    \
                                                    size_t count, int turn, unsigned char *out)    \
    {                                                                                              \
        uint##bits##_t x[FRAME_PLANES_RUN] = {0};                                                  \
        for (size_t p = 0; p < bits / 8; p++) {                                                    \
            for (size_t i = 0; i < count; i++) {                                                   \
                x[i] |= (uint##bits##_t)((uint##bits##_t)planes[p * stride + i] << (8 * p));       \
            }                                                                                      \
        }                                                                                          \
        for (size_t i = 0; turn && i < count; i++) {                                               \
            x[i] = (uint##bits##_t)(x[i] >> 1 | x[i] << (bits - 1));                               \
        }                                                                                          \
        memcpy(out, x, count * sizeof x[0]);                                                       \
    }                                                                                              \
    static void frame_planes_split_##bits(const unsigned char *raw, size_t count, int turn,        \
                                          size_t stride, unsigned char *out)                       \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + FRAME_PLANES_RUN <= count; i += FRAME_PLANES_RUN) {                             \
            frame_planes_split_run_##bits(raw + i * (bits / 8), FRAME_PLANES_RUN, turn, stride,    \
                                          out + i);                                                \
        }                                                                                          \
        frame_planes_split_run_##bits(raw + i * (bits / 8), count - i, turn, stride, out + i);     \
    }                                                                                              \
    static void frame_planes_join_##bits(const unsigned char *planes, size_t stride, size_t count, \
                                         int turn, unsigned char *out)                             \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + FRAME_PLANES_RUN <= count; i += FRAME_PLANES_RUN) {                             \
            frame_planes_join_run_##bits(planes + i, stride, FRAME_PLANES_RUN, turn,               \
                                         out + i * (bits / 8));                                    \
        }                                                                                          \
        frame_planes_join_run_##bits(planes + i, stride, count - i, turn, out + i * (bits / 8));   \
    }

FRAME_PLANES_WIDTH(16)
FRAME_PLANES_WIDTH(32)
FRAME_PLANES_WIDTH(64)

static void frame_planes_split(const void *raw, size_t count, size_t width, int turn, size_t stride,
                               unsigned char *out)
{
    switch (width) {
    case 2:
        frame_planes_split_16(raw, count, turn, stride, out);
        break;
    case 4:
        frame_planes_split_32(raw, count, turn, stride, out);
        break;
    default:
        assert(width == 8);
        frame_planes_split_64(raw, count, turn, stride, out);
        break;
    }
}

static void frame_planes_join(const unsigned char *planes, size_t stride, size_t count,
                              size_t width, int turn, void *out)
{
    switch (width) {
    case 2:
        frame_planes_join_16(planes, stride, count, turn, out);
        break;
    case 4:
        frame_planes_join_32(planes, stride, count, turn, out);
        break;
    default:
        assert(width == 8);
        frame_planes_join_64(planes, stride, count, turn, out);
        break;
    }
}

/* ---- 16-bit floats --------------------------------------------------------------------------- */

static float frame_planes_load(const unsigned char *raw, size_t i)
{
    float value;
    memcpy(&value, raw + i * sizeof value, sizeof value);
    return value;
}

/* Every element as a 16-bit float with the same value, NaN and infinity too, if there is one. */
static int frame_planes_split_upcast(const unsigned char *raw, size_t count, vsk_type type,
                                     unsigned char *out)
{
    for (size_t i = 0; i < count; i++) {
        float value = frame_planes_load(raw, i);
        uint32_t bits = vsk_f32_bits(value);
        uint16_t h = type == VSK_F16 ? vsk_f16_encode(value) : (uint16_t)(bits >> 16);
        float back = type == VSK_F16 ? vsk_f16_decode(h) : vsk_bf16_decode(h);
        if (vsk_f32_bits(back) != bits) {
            return 0;
        }
        uint16_t turned = (uint16_t)(h << 1 | h >> 15);
        out[i] = (unsigned char)turned;
        out[count + i] = (unsigned char)(turned >> 8);
    }
    return 1;
}

static void frame_planes_join_upcast(const unsigned char *planes, size_t count, vsk_type type,
                                     float *out)
{
    uint16_t h[FRAME_PLANES_PIECE];
    for (size_t i = 0; i < count; i += FRAME_PLANES_PIECE) {
        size_t n = count - i < FRAME_PLANES_PIECE ? count - i : FRAME_PLANES_PIECE;
        frame_planes_join(planes + i, count, n, 2, 1, h);
        vsk_get()->to_f32[type](h, out + i, n);
    }
}

/* Every vector on the half grid, or no. */
static int frame_planes_split_half(const vs_frame_shape *shape, vsk_type type,
                                   const unsigned char *raw, uint16_t *work, unsigned char *out)
{
    size_t dim = shape->dim, elements = dim * shape->count;
    unsigned char *norms = out + 2 * elements;
    for (size_t v = 0; v < shape->count; v++) {
        float norm = 0.0f;
        const void *vector = raw + v * dim * sizeof norm;
        if (!vs_half_find(vector, dim, type, work, &norm)) {
            return 0;
        }
        frame_planes_split(work, dim, 2, 1, elements, out + v * dim);
        memcpy(norms + v * sizeof norm, &norm, sizeof norm);
    }
    return 1;
}

static void frame_planes_join_half(const vs_frame_shape *shape, vsk_type type,
                                   const unsigned char *planes, float *out)
{
    uint16_t h[FRAME_PLANES_PIECE];
    size_t dim = shape->dim, elements = dim * shape->count;
    const unsigned char *norms = planes + 2 * elements;
    for (size_t v = 0; v < shape->count; v++) {
        float norm = frame_planes_load(norms, v);
        for (size_t i = 0; i < dim; i += FRAME_PLANES_PIECE) {
            size_t n = dim - i < FRAME_PLANES_PIECE ? dim - i : FRAME_PLANES_PIECE;
            frame_planes_join(planes + v * dim + i, elements, n, 2, 1, h);
            vs_half_widen(h, n, type, norm, out + v * dim + i);
        }
    }
}

/* ---- Decimals -------------------------------------------------------------------------------- */

static const double frame_planes_powers[VS_FRAME_PLACES_MAX + 1] = {1e0, 1e1, 1e2, 1e3, 1e4,
                                                                    1e5, 1e6, 1e7, 1e8, 1e9};

/*
 * The value of a word: an IEEE division in double precision, then one rounding, which is the same
 * on every machine and nearly always what a decimal number in a text rounds to.
 */
static float frame_planes_from_word(uint32_t word, int param)
{
    int is_signed = (param & VS_FRAME_SIGNED) != 0;
    double magnitude = is_signed ? word >> 1 : word;
    double value = magnitude / frame_planes_powers[param & VS_FRAME_PLACES_MASK];
    return (float)(is_signed && (word & 1) ? -value : value);
}

/* The word of a float, or 0 in *is_right where it has none. */
static uint32_t frame_planes_to_word(float value, int param, int *is_right)
{
    int is_signed = (param & VS_FRAME_SIGNED) != 0;
    uint32_t bits = vsk_f32_bits(value);
    double magnitude = (double)vsk_f32_of_bits(bits & 0x7fffffffu) *
                       frame_planes_powers[param & VS_FRAME_PLACES_MASK];
    *is_right = magnitude < 2147483647.0; /* NaN is not */
    if (!*is_right) {
        return 0;
    }
    uint32_t word = (uint32_t)(magnitude + 0.5);
    word = is_signed ? word << 1 | bits >> 31 : word;
    *is_right = vsk_f32_bits(frame_planes_from_word(word, param)) == bits;
    return word;
}

/* Whether all elements have words under `param`; *largest has every bit that one of them has. */
static int frame_planes_are_words(const unsigned char *raw, size_t count, int param, uint32_t *used)
{
    *used = 0;
    for (size_t i = 0; i < count; i++) {
        int is_right = 0;
        *used |= frame_planes_to_word(frame_planes_load(raw, i), param, &is_right);
        if (!is_right) {
            return 0;
        }
    }
    return 1;
}

/* The fewest places that all elements fit, without the sign where there is none. */
static int frame_planes_find_decimal(const unsigned char *raw, size_t count, int *out_param,
                                     uint32_t *used)
{
    uint32_t signs = 0;
    for (size_t i = 0; i < count; i++) {
        signs |= vsk_f32_bits(frame_planes_load(raw, i)) >> 31;
    }
    for (int places = 0; places <= VS_FRAME_PLACES_MAX; places++) {
        *out_param = places | (signs ? VS_FRAME_SIGNED : 0);
        if (frame_planes_are_words(raw, count, *out_param, used)) {
            return 1;
        }
    }
    return 0;
}

static int frame_planes_split_decimal(const unsigned char *raw, size_t count, int *param,
                                      int *decimal_bytes, unsigned char *out)
{
    uint32_t used = 0;
    if (!frame_planes_find_decimal(raw, count, param, &used)) {
        return 0;
    }
    *decimal_bytes = used >> 24 ? 4 : used >> 16 ? 3 : used >> 8 ? 2 : 1;
    for (size_t i = 0; i < count; i++) {
        int is_right = 0;
        uint32_t word = frame_planes_to_word(frame_planes_load(raw, i), *param, &is_right);
        for (int p = 0; p < *decimal_bytes; p++) {
            out[(size_t)p * count + i] = (unsigned char)(word >> (8 * p));
        }
    }
    return 1;
}

static void frame_planes_join_decimal(const unsigned char *planes, size_t count, int param,
                                      int decimal_bytes, float *out)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t word = 0;
        for (int p = 0; p < decimal_bytes; p++) {
            word |= (uint32_t)planes[(size_t)p * count + i] << (8 * p);
        }
        out[i] = frame_planes_from_word(word, param);
    }
}

/* ---- All of them ----------------------------------------------------------------------------- */

int vs_frame_split(const vs_frame_shape *shape, vs_frame_transform transform, const void *raw,
                   uint16_t *work, int *param, int *decimal_bytes, unsigned char *out)
{
    size_t raw_bytes = (size_t)vs_frame_raw_bytes(shape);
    size_t width = vs_frame_width(shape->elem), count = raw_bytes / width;
    *param = 0;
    *decimal_bytes = 1;
    switch (transform) {
    case VS_FRAME_NONE:
        memcpy(out, raw, raw_bytes);
        return 1;
    case VS_FRAME_CONSTANT:
        memcpy(out, raw, raw_bytes);
        return raw_bytes > width && memcmp(out, out + width, raw_bytes - width) == 0;
    case VS_FRAME_PLANES:
    case VS_FRAME_ROTATED:
        if (width == 1) {
            return 0;
        }
        frame_planes_split(raw, count, width, transform == VS_FRAME_ROTATED, count, out);
        return 1;
    default:
        break;
    }
    if (shape->elem != VS_FRAME_F32) {
        return 0;
    }
    if (transform == VS_FRAME_DECIMAL) {
        return frame_planes_split_decimal(raw, count, param, decimal_bytes, out);
    }
    vsk_type type = frame_planes_half_type(transform);
    return frame_planes_is_half(transform) ? frame_planes_split_half(shape, type, raw, work, out)
                                           : frame_planes_split_upcast(raw, count, type, out);
}

void vs_frame_join(const vs_frame_shape *shape, vs_frame_transform transform, int param,
                   int decimal_bytes, const unsigned char *streams, void *out)
{
    size_t raw_bytes = (size_t)vs_frame_raw_bytes(shape);
    size_t width = vs_frame_width(shape->elem), count = raw_bytes / width;
    switch (transform) {
    case VS_FRAME_NONE:
    case VS_FRAME_CONSTANT:
        memcpy(out, streams, raw_bytes);
        break;
    case VS_FRAME_PLANES:
    case VS_FRAME_ROTATED:
        frame_planes_join(streams, count, count, width, transform == VS_FRAME_ROTATED, out);
        break;
    case VS_FRAME_DECIMAL:
        frame_planes_join_decimal(streams, count, param, decimal_bytes, out);
        break;
    case VS_FRAME_HALF_F16:
    case VS_FRAME_HALF_BF16:
        frame_planes_join_half(shape, frame_planes_half_type(transform), streams, out);
        break;
    default:
        frame_planes_join_upcast(streams, count, frame_planes_half_type(transform), out);
        break;
    }
}
