/*
 * value.h - SQL values as vectors.
 *
 * A vector argument is a BLOB (its subtype says the element type; without one the caller's default
 * holds), or JSON text.
 */
#ifndef VS_VALUE_H
#define VS_VALUE_H

#include "error.h"

/* A vector as the kernels take it. */
typedef struct vs_vec {
    const void
        *data;  /* borrowed from a SQL value or from a vs_scratch; any alignment; never NULL */
    size_t dim; /* elements: 1 .. VS_DIM_MAX */
    vsk_type type;
} vs_vec;

/* Memory that grows and is reused, so that a function called for a million rows allocates for the
 * first one only. */
typedef struct vs_scratch {
    void *memory; /* owned */
    size_t capacity_bytes;
} vs_scratch;
#define VS_SCRATCH_INIT                                                                            \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

/* At least `bytes` bytes, contents lost; NULL when there is no memory (the old block stays). 8-byte
 * aligned. */
void *vs_scratch_get(vs_scratch *scratch, size_t bytes);
void vs_scratch_free(vs_scratch *scratch);

/*
 * Reads one SQL value as a vector.
 *
 *   who      named in messages: a function ("vec_dot") or a place ("vec_search: docs.embedding, row
 *            17")
 *   value    not SQL NULL (the caller decides what NULL means)
 *   type     element type of a BLOB without subtype, and of JSON text
 *   scratch  holds the elements of JSON text; BLOBs are not copied
 *
 * out->data stays valid until the value is converted or freed, or scratch is used again. Elements
 * of BLOBs are not checked for NaN here (vs_value_check_finite does, or the caller sees a
 * non-finite distance); JSON cannot express one. Errors, each a sentence: SQLITE_MISMATCH for
 * INTEGER and REAL values; SQLITE_ERROR for malformed JSON (naming the byte offset and the
 * element), an empty vector, a BLOB whose size is no multiple of the element, too many elements;
 * SQLITE_NOMEM.
 */
int vs_value_read(const char *who, sqlite3_value *value, vsk_type type, vs_scratch *scratch,
                  vs_vec *out, vs_err *err);

/* The same for JSON text alone: n bytes of UTF-8, need not be terminated. */
int vs_value_parse_json(const char *who, const char *text, size_t n, vsk_type type,
                        vs_scratch *scratch, vs_vec *out, vs_err *err);

/* Bytes as a vector of `type`, in place. Errors: an empty vector, a size that is no multiple of the
 * element, too many elements. */
int vs_value_from_bytes(const char *who, const void *data, size_t bytes, vsk_type type, vs_vec *out,
                        vs_err *err);

/* The element type that a value carries as its subtype, or -1 when it carries none of ours. */
int vs_value_subtype(sqlite3_value *value);

/* SQLITE_OK, or SQLITE_ERROR with "<who>: element 7 is NaN" / "is infinite". Elements are counted
 * from 0. */
int vs_value_check_finite(const char *who, const vs_vec *vec, vs_err *err);

/*
 * Converts a vector to another element type (rounding to nearest even). A float32 value beyond
 * float16's range, or a fractional or out-of-range value for int8, is an error that names the
 * element. To and from bit: an error. The result lies in scratch, or is the input itself when the
 * types agree.
 */
int vs_value_convert(const char *who, const vs_vec *vec, vsk_type type, vs_scratch *scratch,
                     vs_vec *out, vs_err *err);

/* Rounds to nearest even; a magnitude beyond float32 becomes infinity. */
float vs_value_to_float(double value);

/*
 * Conversion in pieces: elements of any type but bit, `count` from element `first` on, as float32
 * (exact), ...
 */
#define VS_VALUE_CHUNK 256 /* a piece that fits on the stack */
void vs_value_widen(const vs_vec *vec, size_t first, size_t count, float *out);

/*
 * ... and back into `data`, elements of `type` from `first` on, rounded to nearest even. Errors as
 * vs_value_convert; a value that is NaN or infinite is beyond every type, float32 too.
 */
int vs_value_narrow(const char *who, vsk_type type, const float *values, size_t first, size_t count,
                    void *data, vs_err *err);

/* SQLITE_OK, or SQLITE_ERROR with "<who>: element types differ: ..." or "<who>: dimensions differ:
 * 384 and 768". */
int vs_value_check_same_shape(const char *who, const vs_vec *a, const vs_vec *b, vs_err *err);

/* Subtype number of an element type, element type by name ("float32", ...; -1 unknown). */
int vs_value_subtype_of(vsk_type type);
int vs_value_type_by_name(const char *name);

#endif
