/*
 * decimal.h - decimal text to float32 and back, without locale and without libc's number functions.
 */
#ifndef VS_DECIMAL_H
#define VS_DECIMAL_H

#include "vs_base.h"

typedef enum vs_decimal_status {
    VS_DECIMAL_OK,
    VS_DECIMAL_SYNTAX, /* not a JSON number (RFC 8259) */
    VS_DECIMAL_RANGE   /* rounds to infinity */
} vs_decimal_status;

/*
 * Reads the JSON number at `text`, which ends before `end`, rounded to nearest even: the float32
 * that is nearest to the number as written, however many digits it has. Too small a number becomes
 * a denormal or a zero of its sign.
 *
 * *out_end is the first byte after the number; on failure the byte that does not fit, or the
 * number's start when it is out of range. *out is set for VS_DECIMAL_OK only. Never allocates. Any
 * thread.
 */
vs_decimal_status vs_decimal_parse(const char *text, const char *end, const char **out_end,
                                   float *out);

#define VS_DECIMAL_BYTES_MAX                                                                       \
    64 /* the longest text is "-340282346638528900000000000000000000000.000000" */

/*
 * Writes a finite number as JSON, so that it reads back as the same float32: with six decimals
 * ("%f", at most 16 significant digits) where that reads back, else the shortest of "%.6g" to
 * "%.9g" that does. Returns the bytes written; no terminator.
 */
size_t vs_decimal_print(float value, char out[VS_DECIMAL_BYTES_MAX]);

#endif
