/*
 * options.h - the JSON object of the `options` argument of a search.
 */
#ifndef VS_OPTIONS_H
#define VS_OPTIONS_H

#include "error.h"

typedef enum vs_device {
    VS_DEVICE_AUTO, /* as the connection's setting 'gpu' says */
    VS_DEVICE_CPU,
    VS_DEVICE_GPU /* wherever there is one and it can */
} vs_device;

typedef struct vs_options {
    vs_metric metric;         /* "metric", default l2 (hamming for bit vectors) */
    vsk_type type;            /* "type": element type of the stored column, default float32 */
    int has_metric, has_type; /* they were given */
    int has_norm_band;        /* "norm_band" was given */
    double norm_band;         /* keep rows with |x| within (1 - w)|q| .. (1 + w)|q| */
    int skip_bad_rows;        /* "bad_rows":"skip" */
    vs_device device;         /* "device" */
    char *index;              /* "index": owned; NULL: choose by cost */
} vs_options;

/* The options of a search that names none. */
void vs_options_default(vs_options *options);

/*
 * Reads the JSON text with SQLite's own JSON functions, on the caller's connection.
 *
 *   text  NULL means no options
 *
 * Unknown keys, values of a wrong type and values that this version does not support are errors,
 * each a sentence that starts with `who` and says what there is. After an error *out owns nothing.
 */
int vs_options_parse(sqlite3 *db, const char *who, const char *text, vs_options *out, vs_err *err);

/* Does the metric apply to the element type? vs_options_parse asks where the type is given; elsewhere the column may tell it. */
int vs_options_check(const vs_options *options, const char *who, vs_err *err);
void vs_options_free(vs_options *options);

#endif
