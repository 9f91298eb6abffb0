/*
 * report_text.c - what packing would save on a sample of texts.
 *
 * Every second text trains a dictionary, and the other texts are packed with it: texts that a
 * dictionary was trained from would pack better than those to come.
 *
 * Calls: dict_train.c, dict.c, packed_text.c, report.c.
 * Called by: report.c.
 * Threads: any that may call sqlite3_malloc64.
 */
#include <math.h>

#include "crc32c.h"
#include "dict_train.h"
#include "report_impl.h"

#define REPORT_SEED 1

/* Both digested forms of one dictionary; NULL for none. */
typedef struct report_dicts {
    vs_dict *encoder, *decoder; /* a reference each */
    size_t bytes;
} report_dicts;

/* Unpacks a row as vec_unpack_text does. */
static int report_unpack(vs_packer *packer, const char *who, const void *row, size_t n,
                         const vs_dict *dict, int64_t *inout_ns, vs_err *err)
{
    vs_packed packed;
    int64_t started = vs_metrics_now_ns();
    int rc = vs_packed_read(who, row, n, VS_PACKED_TEXT_MAX, &packed, err);
    if (rc == SQLITE_OK) {
        rc = vs_packed_check(packer, who, &packed, err);
    }
    if (rc == SQLITE_OK) {
        void *text = vs_scratch_get(&packer->text, packed.text_bytes + 1);
        rc = text == NULL ? SQLITE_NOMEM
                          : vs_packed_decode(packer, who, &packed,
                                             packed.dict_id == 0 ? NULL : dict, text, err);
    }
    *inout_ns += vs_metrics_now_ns() - started;
    return rc;
}

/* Packs the texts first, first + step, ...; sets sizes, time and share: texts that become smaller.
 */
static int report_pack(const char *who, const vs_sample *sample, size_t first, size_t step,
                       const report_dicts *dicts, vs_report_choice *choice, vs_err *err)
{
    vs_packer packer, unpacker; /* a packed row lies in the memory of the one that made it */
    double raw = 0.0, stored = 0.0;
    size_t rows = 0, smaller = 0;
    int64_t decode_ns = 0;
    int rc = SQLITE_OK;
    memset(&packer, 0, sizeof packer);
    memset(&unpacker, 0, sizeof unpacker);
    for (size_t i = first; rc == SQLITE_OK && i < sample->count; i += step) {
        const void *row = NULL;
        size_t n, row_n = 0;
        const unsigned char *text = vs_sample_at(sample, i, &n);
        rc = vs_packed_make(&packer, who, text, n, dicts->encoder, &row, &row_n, err);
        if (rc == SQLITE_OK) {
            rc = report_unpack(&unpacker, who, row, row_n, dicts->decoder, &decode_ns, err);
        }
        raw += (double)n;
        stored += (double)row_n;
        smaller += row_n < n;
        rows++;
    }
    vs_packer_free(&packer);
    vs_packer_free(&unpacker);
    if (rc == SQLITE_OK && rows > 0) {
        vs_report_sizes(choice, stored, raw, rows);
        choice->share = (double)smaller / (double)rows;
        choice->decode_us = (double)decode_ns / 1e3 / (double)rows;
    }
    return rc;
}

/* Trains from every second text. SQLITE_ERROR with a sentence when they are too few. */
static int report_train(const char *who, const vs_sample *sample, report_dicts *out, vs_err *err)
{
    vs_sampler sampler;
    void *bytes = NULL;
    size_t n = 0;
    int rc = SQLITE_OK;
    vs_sampler_init(&sampler, VS_SAMPLE_BYTES_MAX, REPORT_SEED);
    for (size_t i = 0; rc == SQLITE_OK && i < sample->count; i += 2) {
        const unsigned char *text = vs_sample_at(sample, i, &n);
        rc = vs_sampler_add(&sampler, text, n);
    }
    if (rc == SQLITE_OK) {
        rc = vs_dict_train(who, &sampler, 0, &bytes, &n, err);
    }
    vs_sampler_free(&sampler);
    if (rc == SQLITE_OK) {
        vs_dict_set_id(bytes, n, VS_DICT_ID_MIN); /* any id that a stored dictionary may have */
        uint32_t crc = vs_crc32c(bytes, n);
        rc = vs_dict_get(who, bytes, n, VS_DICT_ID_MIN, crc, VS_DICT_LEVEL, &out->encoder, err);
        if (rc == SQLITE_OK) {
            rc =
                vs_dict_get(who, bytes, n, VS_DICT_ID_MIN, crc, VS_DICT_DECODE, &out->decoder, err);
        }
        out->bytes = n;
    }
    sqlite3_free(bytes);
    return rc;
}

static int report_with_dictionary(const char *who, const vs_sample *sample, vs_report *report,
                                  vs_err *err)
{
    report_dicts dicts = {NULL, NULL, 0};
    vs_err inner = VS_ERR_INIT;
    vs_report_choice *choice =
        vs_report_add(report, VS_REPORT_FIRST, "packed with a dictionary",
                      "vec_pack_text with a dictionary, trained on half of the sample",
                      "each text is unpacked where it is read");
    int rc = report_train(who, sample, &dicts, &inner);
    if (rc == SQLITE_ERROR) { /* too few texts, or too short ones */
        choice->share = 0.0;
        rc = vs_report_note(choice, "no dictionary: too few texts, or too short ones");
    } else if (rc != SQLITE_OK) {
        rc = vs_error(err, rc, "%s", inner.message == NULL ? sqlite3_errstr(rc) : inner.message);
    } else {
        rc = report_pack(who, sample, 1, 2, &dicts, choice, err);
        double raw = choice->bytes_per_row / choice->ratio * sample->table_rows;
        choice->table_ratio = choice->ratio + (double)dicts.bytes / raw;
        if (rc == SQLITE_OK) {
            rc = vs_report_note(choice,
                                "the dictionary has %llu bytes, once; with it the whole table's "
                                "ratio is %.3f",
                                (unsigned long long)dicts.bytes, choice->table_ratio);
        }
    }
    vs_error_clear(&inner);
    vs_cached_unref(dicts.encoder);
    vs_cached_unref(dicts.decoder);
    return rc;
}

/* Many texts in one block, for comparison: nothing here stores texts so. */
static int report_blocks(const char *who, const vs_sample *sample, vs_report *report, vs_err *err)
{
    vs_frame_options options = {VS_FRAME_MODE_RAW, VS_DICT_LEVEL, NULL};
    vs_report_blocks blocks;
    vs_report_choice *choice =
        vs_report_add(report, VS_REPORT_NEVER, "zstd blocks of 64 KiB", "many texts in one frame",
                      "a block is decoded for each text that is read");
    int rc = vs_report_blocks_of(who, sample, &options, &blocks, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    vs_report_sizes(choice, (double)blocks.bytes, (double)sample->ends[sample->count - 1],
                    sample->count);
    choice->decode_us =
        blocks.count == 0 ? NAN : (double)blocks.decode_ns / 1e3 / (double)blocks.count;
    return vs_report_note(choice, "for comparison: no function stores texts in blocks");
}

/* What the table that the column is of can do, and did: choices are those of vs_report_text. */
static int report_in_table(const vs_sample_place *place, vs_report *report)
{
    static const char why[] = "not for this column: a table packs texts of auxiliary columns alone";
    vs_report_choice *packed = &report->choices[1], *with = &report->choices[2];
    char *note = with->note; /* owned */
    packed->rank = VS_REPORT_NEVER;
    with->note = NULL;
    with->rank = place->can_be_packed ? with->rank : VS_REPORT_NEVER;
    int rc = vs_report_note(
        packed, "%s", place->can_be_packed ? "the command tier packs with a dictionary" : why);
    if (rc == SQLITE_OK && !place->can_be_packed) {
        rc = vs_report_note(with, "%s", why);
    } else if (rc == SQLITE_OK && isnan(with->ratio)) { /* no dictionary */
        rc = vs_report_note(with, "%s", note);
    } else if (rc == SQLITE_OK) {
        rc = vs_report_note(with, "%s; %s", note,
                            place->has_packed ? "the table has one, and packed texts of the column"
                                              : "the command tier does it");
    }
    if (rc == SQLITE_OK && !place->can_be_packed) {
        rc = vs_report_note(&report->choices[0], "the table keeps it as it is");
    }
    sqlite3_free(note);
    return rc;
}

int vs_report_text(const char *who, const vs_sample *sample, vs_report *report, vs_err *err)
{
    const report_dicts none = {NULL, NULL, 0};
    double raw = (double)sample->ends[sample->count - 1];
    vs_report_choice *plain =
        vs_report_add(report, VS_REPORT_NEVER, "text", "the texts as they are", "read directly");
    vs_report_sizes(plain, raw, raw, sample->count);
    plain->decode_us = 0.0;
    vs_report_choice *packed =
        vs_report_add(report, VS_REPORT_FIRST, "packed", "vec_pack_text without a dictionary",
                      "each text is unpacked where it is read");
    int rc = report_pack(who, sample, 0, 1, &none, packed, err);
    if (rc == SQLITE_OK) {
        rc = report_with_dictionary(who, sample, report, err);
    }
    if (rc == SQLITE_OK && sample->place.is_indexed) {
        rc = report_in_table(&sample->place, report);
    }
    if (rc == SQLITE_OK) {
        rc = report_blocks(who, sample, report, err);
    }
    return rc == SQLITE_OK ? vs_report_duplicates(sample, report) : rc;
}
