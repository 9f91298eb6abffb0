/*
 * vectext.h - vectors as text: JSON arrays and base64.
 */
#ifndef VS_VECTEXT_H
#define VS_VECTEXT_H

#include "vs_base.h"

/* What is wrong with a text, for a sentence. */
typedef struct vs_vectext_fault {
    const char *reason; /* static: "expected a number"; NULL: nothing wrong */
    size_t offset;      /* byte of the text, from 0 */
    size_t element;     /* from 0; where the fault has one */
} vs_vectext_fault;

/*
 * Reads a JSON array of numbers (RFC 8259, nothing else: no nested arrays, no null, no trailing
 * comma, nothing around it but blanks), n bytes of UTF-8 that need not be terminated.
 *
 *   type      float32: correctly rounded; float16 and bfloat16: rounded to nearest even from that;
 *   int8: whole numbers from
 *             -128 to 127; bit: 0 and 1, element i in bit i mod 8 of byte i / 8
 *   out       vsk_bytes(type, capacity) bytes, any alignment
 *   capacity  elements that fit; a multiple of 8
 *
 * Returns the number of elements, at least 1, or 0 with *fault filled. A number that the type
 * cannot hold is a fault, also when it would round to infinity. vsk_init must have run. Never
 * allocates.
 */
size_t vs_vectext_parse(const char *text, size_t n, vsk_type type, void *out, size_t capacity,
                        vs_vectext_fault *fault);

/* More elements than this cannot be in a JSON text of n bytes. */
size_t vs_vectext_elements_max(size_t n);

#define VS_VECTEXT_ELEMENT_BYTES_MAX 64
/*
 * Writes element i of a vector as JSON; returns the bytes written. Floats must be finite and read
 * back as the same float.
 */
size_t vs_vectext_print(const void *data, vsk_type type, size_t i,
                        char out[VS_VECTEXT_ELEMENT_BYTES_MAX]);

/*
 * Decodes base64 (RFC 4648, section 4): with padding, without blanks, unused bits zero.
 *
 *   out  n / 4 * 3 bytes
 *
 * Returns the number of bytes, or 0 with *fault filled (element 0); an empty text is 0 bytes
 * without a fault.
 */
size_t vs_vectext_base64(const char *text, size_t n, unsigned char *out, vs_vectext_fault *fault);

#endif
