/*
 * report.c - what each way of storing a column would save, measured on a sample of it.
 *
 * Everything is done as the functions and tables of this extension do it, and counted: halves are
 * found and verified, blocks are encoded and decoded, texts are packed and unpacked.
 *
 * Calls: report_cold.c, report_text.c, half.c, frame_write.c, frame_read.c.
 * Called by: vtab_report.c.
 * Threads: any that may call sqlite3_malloc64.
 */
#include "report.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "declare.h"
#include "frame.h"
#include "half.h"
#include "report_impl.h"

void vs_report_free(vs_report *report)
{
    for (int i = 0; i < report->count; i++) {
        sqlite3_free(report->choices[i].note);
    }
    memset(report, 0, sizeof *report);
}

vs_report_choice *vs_report_add(vs_report *report, vs_report_rank rank, const char *name,
                                const char *meaning, const char *search_cost)
{
    assert(report->count < VS_REPORT_CHOICES_MAX);
    vs_report_choice *choice = &report->choices[report->count++];
    *choice = (vs_report_choice){.name = name,
                                 .meaning = meaning,
                                 .search_cost = search_cost,
                                 .rank = rank,
                                 .share = 1.0,
                                 .bytes_per_row = NAN,
                                 .ratio = NAN,
                                 .table_ratio = NAN,
                                 .decode_us = NAN};
    return choice;
}

int vs_report_note(vs_report_choice *choice, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sqlite3_free(choice->note);
    choice->note = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    return choice->note == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

void vs_report_sizes(vs_report_choice *choice, double stored, double raw, size_t rows)
{
    choice->bytes_per_row = stored / (double)rows;
    choice->ratio = raw > 0.0 ? stored / raw : 1.0;
    choice->table_ratio = choice->ratio;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

/* Encodes one block and decodes it again; adds to the sums. */
static int report_block(const char *who, const void *raw, const vs_frame_shape *shape,
                        const vs_frame_options *options, vs_report_blocks *sums, vs_err *err)
{
    vs_frame_info info;
    void *frame = NULL, *back = NULL;
    size_t n = 0;
    int rc = vs_frame_encode(who, raw, shape, options, &frame, &n, err);
    int64_t started = vs_metrics_now_ns();
    if (rc == SQLITE_OK) {
        rc = vs_frame_read(who, frame, n, VS_FRAME_RAW_BYTES_MAX, &info, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_frame_decode(who, &info, NULL, &back, err);
    }
    if (rc == SQLITE_OK) {
        assert(memcmp(back, raw, info.raw_bytes) == 0);
        sums->decode_ns += vs_metrics_now_ns() - started;
        sums->bytes += n;
        sums->count++;
    }
    sqlite3_free(frame);
    sqlite3_free(back);
    return rc;
}

int vs_report_blocks_of(const char *who, const vs_sample *sample, const vs_frame_options *options,
                        vs_report_blocks *out, vs_err *err)
{
    size_t n = sample->ends[sample->count - 1];
    int rc = SQLITE_OK;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; rc == SQLITE_OK && i < n; i += VS_REPORT_BLOCK_BYTES) {
        size_t count = n - i < VS_REPORT_BLOCK_BYTES ? n - i : VS_REPORT_BLOCK_BYTES;
        vs_frame_shape shape = {VS_FRAME_BYTES, 1, (uint32_t)count};
        rc = report_block(who, sample->data + i, &shape, options, out, err);
    }
    return rc;
}

/* ---- Vectors --------------------------------------------------------------------------------- */

/* What store=half makes of a column, and how the column comes to it. */
static int report_note_half(const vs_sample *sample, size_t on_grid, vs_report_choice *choice)
{
    const vs_sample_place *place = &sample->place;
    const char *what = on_grid == 0              ? "no row is float16 over a norm"
                       : on_grid < sample->count ? "the other rows stay float32, in the same column"
                                                 : "every row is float16 over a norm";
    const char *how = on_grid == 0        ? ""
                      : place->is_indexed ? "; declared when a table is made"
                                          : "; for it the vectors move into an indexed table";
    if (place->content != NULL) {
        choice->rank = VS_REPORT_NEVER;
        return vs_report_note(choice,
                              "would do nothing: the index keeps no vectors of this column");
    }
    if (place->is_f16) {
        choice->rank = VS_REPORT_NEVER;
        return vs_report_note(choice, "the column is store=f16 already");
    }
    if (sample->dim < VS_DECLARE_HALF_DIM_MIN) {
        return vs_report_note(choice, "needs %d dimensions", VS_DECLARE_HALF_DIM_MIN);
    }
    return place->is_half ? vs_report_note(choice, "the column is so already; %s", what)
                          : vs_report_note(choice, "%s%s", what, how);
}

/* store=half: rows on the half grid take 2 bytes an element and a norm, others stay. */
static int report_half(const vs_sample *sample, uint16_t *halves, vs_report *report)
{
    vs_report_choice *choice =
        vs_report_add(report, VS_REPORT_FIRST, "store=half",
                      "column of an indexed table: float16 over one norm, without losing a bit",
                      "searched directly");
    size_t dim = sample->dim, n = 0, on_grid = 0;
    float *wide = (float *)(void *)(halves + dim + dim % 2);
    int64_t decode_ns = 0;
    for (size_t i = 0; dim >= VS_DECLARE_HALF_DIM_MIN && i < sample->count; i++) {
        float norm;
        const unsigned char *data = vs_sample_at(sample, i, &n);
        memcpy(wide, data, n);
        if (vs_half_find(wide, dim, VSK_F16, halves, &norm)) {
            int64_t started = vs_metrics_now_ns();
            vs_half_widen(halves, dim, VSK_F16, norm, wide);
            decode_ns += vs_metrics_now_ns() - started;
            on_grid++;
        }
    }
    double whole = (double)(dim * sizeof(float));
    double half = (double)((dim * sizeof *halves + sizeof(float) + 3) / 4 * 4);
    double share = (double)on_grid / (double)sample->count;
    choice->share = share;
    vs_report_sizes(choice, share * half + (1.0 - share) * whole, whole, 1);
    choice->decode_us = on_grid == 0 ? NAN : (double)decode_ns / 1e3 / (double)on_grid;
    return report_note_half(sample, on_grid, choice);
}

/* store=f16, which rounds. */
static int report_f16(const vs_sample *sample, uint16_t *halves, vs_report *report)
{
    vs_report_choice *choice =
        vs_report_add(report, VS_REPORT_NEVER, "store=f16",
                      "column of an indexed table: rounded to float16", "searched directly");
    const vsk_table *kernels = vsk_get();
    size_t dim = sample->dim, n = 0, fits = 0, same = 0;
    float *wide = (float *)(void *)(halves + dim + dim % 2);
    int64_t decode_ns = 0;
    for (size_t i = 0; i < sample->count; i++) {
        const unsigned char *data = vs_sample_at(sample, i, &n);
        int is_finite = 1;
        memcpy(wide, data, n);
        kernels->from_f32[VSK_F16](wide, halves, dim);
        int64_t started = vs_metrics_now_ns();
        kernels->to_f32[VSK_F16](halves, wide, dim);
        decode_ns += vs_metrics_now_ns() - started;
        for (size_t j = 0; j < dim; j++) {
            is_finite &= isfinite(wide[j]) != 0;
        }
        fits += (size_t)is_finite;
        same += memcmp(wide, data, n) == 0;
    }
    choice->share = (double)fits / (double)sample->count;
    vs_report_sizes(choice, (double)sizeof *halves, (double)sizeof *wide, 1);
    choice->bytes_per_row = (double)(dim * sizeof *halves);
    choice->decode_us = (double)decode_ns / 1e3 / (double)sample->count;
    return sample->place.is_f16 ? vs_report_note(choice, "the column is so already")
           : same == sample->count
               ? vs_report_note(choice, "loses nothing in these rows; store=half keeps every row")
               : vs_report_note(choice, "lossy: distances are those of the rounded vectors");
}

/* A row of the sample, to be sorted by its bytes. */
typedef struct report_row {
    const unsigned char *data;
    size_t n;
} report_row;

static int report_compare_rows(const void *a, const void *b)
{
    const report_row *x = a, *y = b;
    int order = memcmp(x->data, y->data, x->n < y->n ? x->n : y->n);
    return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

int vs_report_duplicates(const vs_sample *sample, vs_report *report)
{
    vs_report_choice *choice =
        vs_report_add(report, VS_REPORT_NEVER, "duplicates",
                      "rows that equal an earlier one, bit for bit, kept once", NULL);
    report_row *rows = sqlite3_malloc64(sample->count * sizeof *rows);
    size_t again = 0;
    if (rows == NULL) {
        return SQLITE_NOMEM;
    }
    for (size_t i = 0; i < sample->count; i++) {
        rows[i].data = vs_sample_at(sample, i, &rows[i].n);
    }
    qsort(rows, sample->count, sizeof *rows, report_compare_rows);
    for (size_t i = 1; i < sample->count; i++) {
        again += report_compare_rows(&rows[i - 1], &rows[i]) == 0;
    }
    sqlite3_free(rows);
    choice->share = (double)again / (double)sample->count;
    return vs_report_note(choice, "counted within the sample; nothing here removes them");
}

static int report_vectors(const char *who, const vs_sample *sample, vs_report *report, vs_err *err)
{
    uint16_t *halves =
        sqlite3_malloc64((sample->dim + 1) * sizeof *halves + sample->dim * sizeof(float));
    if (halves == NULL) {
        return SQLITE_NOMEM;
    }
    vs_report_choice *plain = vs_report_add(report, VS_REPORT_NEVER, "float32",
                                            "the vectors as they are", "searched directly");
    double raw = (double)sample->ends[sample->count - 1];
    vs_report_sizes(plain, raw, raw, sample->count);
    plain->decode_us = 0.0;
    int rc = sample->place.content == NULL
                 ? SQLITE_OK
                 : vs_report_note(plain,
                                  "the index keeps no vectors: those of %s are what a search reads",
                                  sample->place.content);
    if (rc == SQLITE_OK) {
        rc = report_half(sample, halves, report);
    }
    if (rc == SQLITE_OK) {
        rc = vs_report_cold(who, sample, report, err);
    }
    if (rc == SQLITE_OK) {
        rc = report_f16(sample, halves, report);
    }
    if (rc == SQLITE_OK) {
        rc = vs_report_duplicates(sample, report);
    }
    sqlite3_free(halves);
    return rc;
}

/* ---- The recommendation ---------------------------------------------------------------------- */

/* The choice of a rank that saves most, or NULL where none saves enough. */
static vs_report_choice *report_best(vs_report *report, vs_report_rank rank)
{
    vs_report_choice *best = NULL;
    for (int i = 0; i < report->count; i++) {
        vs_report_choice *choice = &report->choices[i];
        if (choice->rank == rank && choice->table_ratio <= 1.0 - VS_REPORT_GAIN_MIN &&
            (best == NULL || choice->table_ratio < best->table_ratio)) {
            best = choice;
        }
    }
    return best;
}

static int report_recommend(vs_report *report)
{
    vs_report_choice *best = report_best(report, VS_REPORT_FIRST);
    best = best != NULL ? best : report_best(report, VS_REPORT_SECOND);
    if (best != NULL) {
        best->is_recommended = 1;
        return SQLITE_OK;
    }
    report->choices[0].is_recommended = 1;
    return report->choices[0].note != NULL
               ? SQLITE_OK
               : vs_report_note(&report->choices[0], "nothing pays: no other form saves 3 %%");
}

int vs_report_make(const char *who, const vs_sample *sample, vs_report *out, vs_err *err)
{
    memset(out, 0, sizeof *out);
    int rc = sample->type == SQLITE_TEXT ? vs_report_text(who, sample, out, err)
                                         : report_vectors(who, sample, out, err);
    if (rc == SQLITE_OK) {
        rc = report_recommend(out);
    }
    if (rc != SQLITE_OK) {
        vs_report_free(out);
    }
    return rc;
}
