/*
 * report.h - what each way of storing a column would save, measured on a sample of it.
 */
#ifndef VS_REPORT_H
#define VS_REPORT_H

#include "sample.h"

#define VS_REPORT_CHOICES_MAX 8
#define VS_REPORT_GAIN_MIN 0.03          /* what saves less is not recommended */
#define VS_REPORT_BLOCK_BYTES (64 << 10) /* raw bytes of a compressed block */

/* Choices of the first rank are recommended before those of the second. */
typedef enum vs_report_rank { VS_REPORT_NEVER, VS_REPORT_FIRST, VS_REPORT_SECOND } vs_report_rank;

/* One way of storing the column. Numbers are NaN where there are none. */
typedef struct vs_report_choice {
    const char *name;        /* static */
    const char *meaning;     /* static */
    const char *search_cost; /* static; NULL: none */
    vs_report_rank rank;
    double share; /* of the sampled rows that it fits */
    double bytes_per_row;
    double ratio;       /* stored bytes over those of the values as they are */
    double table_ratio; /* that of the whole table, with a dictionary's bytes */
    double decode_us;   /* of a row */
    int is_recommended;
    char *note; /* owned; NULL: none */
} vs_report_choice;

typedef struct vs_report {
    vs_report_choice choices[VS_REPORT_CHOICES_MAX];
    int count;
} vs_report;

/*
 * Measures. Sizes are those of what is really written, and depend on nothing but the sample and
 * zstd's version; times are of this moment. Exactly one choice is recommended: the one of the first rank that saves
 * most over the whole table, else that of the second, else, where none saves VS_REPORT_GAIN_MIN,
 * the column as it is. What loses bits is never recommended.
 *
 * On success the caller owns *out (vs_report_free); after an error it owns nothing. SQLITE_NOMEM,
 * or SQLITE_ERROR with a sentence. Training a dictionary takes memory from malloc: dict_train.h.
 */
int vs_report_make(const char *who, const vs_sample *sample, vs_report *out, vs_err *err);
void vs_report_free(vs_report *report);

#endif
