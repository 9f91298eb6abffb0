/*
 * vectext.c - vectors as text: JSON arrays and base64.
 *
 * Calls: decimal.c, kernels for the narrow float types.
 * Called by: value.c, func_vector.c.
 * Threads: any.
 */
#include "vectext.h"

#include "decimal.h"

#include <stdio.h>

/* ---- Reading JSON ---------------------------------------------------------------------------- */

typedef struct vectext_reader {
    const char *p, *end;
    vsk_type type;
    unsigned char *out;
    size_t count;       /* elements read */
    const char *reason; /* static; set once something is wrong at p */
} vectext_reader;

static void vectext_skip_blanks(vectext_reader *reader)
{
    while (reader->p < reader->end &&
           (*reader->p == ' ' || *reader->p == '\n' || *reader->p == '\r' || *reader->p == '\t')) {
        reader->p++;
    }
}

/* Takes c if it is next. */
static int vectext_take(vectext_reader *reader, char c)
{
    if (reader->p < reader->end && *reader->p == c) {
        reader->p++;
        return 1;
    }
    return 0;
}

/* Stores a float32 as float16 or bfloat16; 0 when it rounds to infinity. */
static int vectext_store_half(vectext_reader *reader, float value)
{
    uint16_t infinity = reader->type == VSK_F16 ? 0x7c00u : 0x7f80u, half = 0;
    vsk_get()->from_f32[reader->type](&value, &half, 1);
    memcpy(reader->out + 2 * reader->count, &half, sizeof half);
    return (half & infinity) != infinity;
}

static void vectext_read_float(vectext_reader *reader)
{
    float value = 0.0f;
    const char *start = reader->p;
    vs_decimal_status status = vs_decimal_parse(reader->p, reader->end, &reader->p, &value);
    if (status == VS_DECIMAL_SYNTAX) {
        reader->reason = "expected a number";
    } else if (status == VS_DECIMAL_RANGE) {
        reader->reason = "number beyond float32";
    } else if (reader->type == VSK_F32) {
        memcpy(reader->out + sizeof value * reader->count, &value, sizeof value);
    } else if (!vectext_store_half(reader, value)) {
        reader->reason =
            reader->type == VSK_F16 ? "number beyond float16" : "number beyond bfloat16";
        reader->p = start;
    }
}

/* A whole number from lo to hi, |lo| and hi below 1000. */
static int vectext_read_whole(vectext_reader *reader, int lo, int hi)
{
    const char *start = reader->p;
    int is_negative = vectext_take(reader, '-'), value = 0;
    const char *digits = reader->p;
    for (; reader->p < reader->end && (unsigned)(*reader->p - '0') < 10u; reader->p++) {
        value = value < 1000 ? value * 10 + (*reader->p - '0') : value;
    }
    int has_leading_zero = reader->p - digits > 1 && *digits == '0';
    int has_fraction = reader->p < reader->end && (*reader->p == '.' || (*reader->p | 0x20) == 'e');
    value = is_negative ? -value : value;
    if (reader->p == digits || has_leading_zero) {
        reader->reason = "expected a number";
    } else if (has_fraction || value < lo || value > hi) {
        reader->reason = lo < 0 ? "int8 takes whole numbers from -128 to 127" : "bit takes 0 and 1";
    }
    if (reader->reason != NULL) {
        reader->p = start;
    }
    return value;
}

static void vectext_read_element(vectext_reader *reader)
{
    if (reader->type == VSK_I8) {
        reader->out[reader->count] = (unsigned char)vectext_read_whole(reader, -128, 127);
    } else if (reader->type == VSK_BIT) {
        unsigned char *byte = &reader->out[reader->count / 8];
        unsigned shift = reader->count % 8;
        int bit = vectext_read_whole(reader, 0, 1);
        *byte = (unsigned char)((shift == 0 ? 0u : *byte) | (unsigned)(bit & 1) << shift);
    } else {
        vectext_read_float(reader);
    }
}

static_assert(VS_DIM_MAX == 65536, "a sentence of vectext_read_array names the limit");

static void vectext_read_array(vectext_reader *reader, size_t capacity)
{
    vectext_skip_blanks(reader);
    if (!vectext_take(reader, '[')) {
        reader->reason = "expected '['";
        return;
    }
    vectext_skip_blanks(reader);
    if (reader->p < reader->end && *reader->p == ']') {
        reader->reason = "a vector has at least one element";
        return;
    }
    for (;;) {
        if (reader->count == capacity) {
            reader->reason = "a vector has at most 65536 elements";
            return;
        }
        vectext_read_element(reader);
        if (reader->reason != NULL) {
            return;
        }
        reader->count++;
        vectext_skip_blanks(reader);
        if (vectext_take(reader, ']')) {
            break;
        }
        if (!vectext_take(reader, ',')) {
            reader->reason = "expected ',' or ']'";
            return;
        }
        vectext_skip_blanks(reader);
    }
    vectext_skip_blanks(reader);
    if (reader->p != reader->end) {
        reader->reason = "unexpected text after ']'";
    }
}

size_t vs_vectext_parse(const char *text, size_t n, vsk_type type, void *out, size_t capacity,
                        vs_vectext_fault *fault)
{
    vectext_reader reader = {text, text + n, type, out, 0, NULL};
    vectext_read_array(&reader, capacity);
    fault->reason = reader.reason;
    fault->offset = (size_t)(reader.p - text);
    fault->element = reader.count;
    return reader.reason == NULL ? reader.count : 0;
}

size_t vs_vectext_elements_max(size_t n)
{
    return n / 2; /* a digit and a comma or bracket each, and one more bracket */
}

/* ---- Writing JSON ---------------------------------------------------------------------------- */

size_t vs_vectext_print(const void *data, vsk_type type, size_t i,
                        char out[VS_VECTEXT_ELEMENT_BYTES_MAX])
{
    const unsigned char *bytes = data;
    float value = 0.0f;
    switch (type) {
    case VSK_I8:
        return (size_t)snprintf(out, VS_VECTEXT_ELEMENT_BYTES_MAX, "%d",
                                (int)(signed char)bytes[i]);
    case VSK_BIT:
        out[0] = (char)('0' + ((bytes[i / 8] >> (i % 8)) & 1));
        return 1;
    case VSK_F32:
        memcpy(&value, bytes + sizeof value * i, sizeof value);
        break;
    default:
        vsk_get()->to_f32[type](bytes + 2 * i, &value, 1);
        break;
    }
    return vs_decimal_print(value, out);
}

/* ---- base64 ---------------------------------------------------------------------------------- */

/* Value of one digit, or -1. */
static int vectext_base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t vectext_base64_fault(vs_vectext_fault *fault, const char *reason, size_t offset)
{
    fault->reason = reason;
    fault->offset = offset;
    return 0;
}

size_t vs_vectext_base64(const char *text, size_t n, unsigned char *out, vs_vectext_fault *fault)
{
    size_t padding = 0, written = 0;
    uint32_t bits = 0;
    *fault = (vs_vectext_fault){NULL, 0, 0};
    if (n % 4 != 0) {
        return vectext_base64_fault(fault, "base64 comes in groups of four characters", n);
    }
    while (padding < 2 && padding < n && text[n - 1 - padding] == '=') {
        padding++;
    }
    for (size_t i = 0; i < n - padding; i++) {
        int digit = vectext_base64_digit(text[i]);
        if (digit < 0) {
            return vectext_base64_fault(fault, "expected a base64 digit", i);
        }
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0) { /* digits 2, 3 and 4 of a group each complete a byte */
            unsigned rest = 6 - 2 * (unsigned)(i % 4);
            out[written++] = (unsigned char)(bits >> rest);
            bits &= (1u << rest) - 1;
        }
    }
    if (bits != 0) {
        return vectext_base64_fault(fault, "unused bits are not zero", n - padding - 1);
    }
    return written;
}
