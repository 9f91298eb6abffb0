/*
 * report_cold.c - what cold blocks would save on a sample of vectors.
 *
 * The blocks are those that an indexed table would make of the sample's rows. What is counted are
 * their frames.
 *
 * Calls: cold_block.c, frame_read.c, report.c.
 * Called by: report.c.
 * Threads: any that may call sqlite3_malloc64.
 */
#include "cold_block.h"
#include "declare.h"
#include "report_impl.h"

/* What the blocks came to. */
typedef struct report_cold_sums {
    size_t bytes; /* of all frames */
    int64_t decode_ns;
    size_t of_transform[VS_FRAME_TRANSFORMS]; /* vectors */
} report_cold_sums;

/* Adds the transforms of the frames, which lie one after the other. */
static int report_cold_transforms(const char *who, const uint8_t *frames, const size_t sizes[],
                                  report_cold_sums *sums, vs_err *err)
{
    int rc = SQLITE_OK;
    for (int i = 0; i < VS_COLD_FRAMES && rc == SQLITE_OK; frames += sizes[i++]) {
        vs_frame_info info;
        if (sizes[i] == 0) {
            continue;
        }
        rc = vs_frame_read(who, frames, sizes[i], VS_FRAME_RAW_BYTES_MAX, &info, err);
        if (rc == SQLITE_OK) {
            sums->of_transform[info.transform] += info.shape.count;
        }
    }
    return rc;
}

/* Encodes one block and decodes it again; adds to the sums. */
static int report_cold_block(const char *who, const vs_cold_block *block, report_cold_sums *sums,
                             vs_err *err)
{
    size_t n = 0, sizes[VS_COLD_FRAMES], head_bytes = vs_cold_block_head_bytes(block->shape.count);
    vs_cold_block back = {0};
    void *data = NULL;
    int rc = vs_cold_block_encode(who, 0, block, &data, &n, err);
    int64_t started = vs_metrics_now_ns();
    if (rc == SQLITE_OK) {
        rc = vs_cold_block_decode(&block->shape, 0, data, n, &back, err);
    }
    if (rc == SQLITE_OK) {
        sums->decode_ns += vs_metrics_now_ns() - started;
        sums->bytes += n - head_bytes;
        vs_cold_block_sizes(data, sizes);
        rc = report_cold_transforms(who, (const uint8_t *)data + head_bytes, sizes, sums, err);
    }
    vs_cold_block_free(&back);
    sqlite3_free(data);
    return rc;
}

/* All rows of the sample in blocks, in the type that the column is kept in. */
static int report_cold_blocks(const char *who, const vs_sample *sample, report_cold_sums *sums,
                              vs_err *err)
{
    int is_f16 = sample->place.is_f16;
    size_t dim = sample->dim, raw_bytes = dim * sizeof(float);
    size_t bytes = is_f16 ? raw_bytes / 2 : raw_bytes;
    size_t per_block = VS_REPORT_BLOCK_BYTES / bytes > 0 ? VS_REPORT_BLOCK_BYTES / bytes : 1;
    int rc = SQLITE_OK;
    for (size_t i = 0; i < sample->count && rc == SQLITE_OK; i += per_block) {
        size_t count = sample->count - i < per_block ? sample->count - i : per_block;
        vs_frame_shape shape = {is_f16 ? VS_FRAME_F16 : VS_FRAME_F32, (uint32_t)dim,
                                (uint32_t)count};
        const void *raw = sample->data + i * raw_bytes;
        vs_cold_block block;
        rc = vs_cold_block_new(&shape, &block);
        if (rc == SQLITE_OK && is_f16) {
            vsk_get()->from_f32[VSK_F16](raw, (uint16_t *)(void *)block.vectors, count * dim);
        } else if (rc == SQLITE_OK) {
            memcpy(block.vectors, raw, count * raw_bytes);
        }
        if (rc == SQLITE_OK) {
            memset(block.kinds, VS_COLD_VECTOR, count);
            rc = report_cold_block(who, &block, sums, err);
        }
        vs_cold_block_free(&block);
    }
    return rc;
}

/* Which transform, and whether the column is cold or can be. */
static int report_cold_note(const vs_sample *sample, const report_cold_sums *sums,
                            vs_report_choice *choice)
{
    const vs_sample_place *place = &sample->place;
    int best = 0;
    for (int i = 0; i < VS_FRAME_TRANSFORMS; i++) {
        best = sums->of_transform[i] > sums->of_transform[best] ? i : best;
    }
    const char *transform = vs_frame_transform_name((vs_frame_transform)best);
    int is_able = place->is_indexed ? place->can_be_cold : sample->dim >= VS_DECLARE_CODED_DIM_MIN;
    choice->rank = is_able ? choice->rank : VS_REPORT_NEVER;
    if (place->content != NULL) {
        return vs_report_note(choice,
                              "would do nothing: the index keeps no vectors of this column");
    }
    if (!is_able) {
        return place->is_indexed
                   ? vs_report_note(choice, "not for this column: it has no codes")
                   : vs_report_note(choice, "needs %d dimensions", VS_DECLARE_CODED_DIM_MIN);
    }
    if (place->has_cold) {
        return vs_report_note(
            choice, "%s already; transform: %s",
            place->has_warm ? "a part of the column is cold" : "the column is cold", transform);
    }
    return vs_report_note(choice, "transform: %s; for vectors that are seldom searched%s",
                          transform, place->is_indexed ? "" : ", in an indexed table");
}

int vs_report_cold(const char *who, const vs_sample *sample, vs_report *report, vs_err *err)
{
    report_cold_sums sums = {0};
    vs_report_choice *choice = vs_report_add(report, VS_REPORT_SECOND, "cold",
                                             "frames of 64 KiB of vectors, without losing a bit",
                                             "an index decodes what its codes leave");
    int rc = report_cold_blocks(who, sample, &sums, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    vs_report_sizes(choice, (double)sums.bytes, (double)sample->ends[sample->count - 1],
                    sample->count);
    choice->table_ratio =
        choice->ratio * (sample->place.is_f16 ? 2.0 : 1.0); /* over what is kept */
    choice->decode_us = (double)sums.decode_ns / 1e3 / (double)sample->count;
    return report_cold_note(sample, &sums, choice);
}
