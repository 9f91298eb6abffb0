/*
 * report_impl.h - what report.c and report_text.c share.
 */
#ifndef VS_REPORT_IMPL_H
#define VS_REPORT_IMPL_H

#include "frame.h"
#include "report.h"

/* What blocks came to. */
typedef struct vs_report_blocks {
    size_t count;
    size_t bytes; /* of all frames */
    int64_t decode_ns;
} vs_report_blocks;

/* A new choice that fits all rows, its other numbers unknown. */
vs_report_choice *vs_report_add(vs_report *report, vs_report_rank rank, const char *name,
                                const char *meaning, const char *search_cost);

/* Replaces the note. SQLITE_OK or SQLITE_NOMEM. */
int vs_report_note(vs_report_choice *choice, const char *format, ...);

/* Sets bytes and ratio from the bytes of `rows` rows. */
void vs_report_sizes(vs_report_choice *choice, double stored, double raw, size_t rows);

/* Encodes the sample's bytes in blocks of VS_REPORT_BLOCK_BYTES, and decodes them. */
int vs_report_blocks_of(const char *who, const vs_sample *sample, const vs_frame_options *options,
                        vs_report_blocks *out, vs_err *err);

int vs_report_duplicates(const vs_sample *sample, vs_report *report);

/* The choice of cold blocks of vectors. */
int vs_report_cold(const char *who, const vs_sample *sample, vs_report *report, vs_err *err);

/* The choices of a text column. */
int vs_report_text(const char *who, const vs_sample *sample, vs_report *report, vs_err *err);

#endif
