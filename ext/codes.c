/*
 * codes.c - rows as codes with certified bounds.
 *
 * A row becomes a direction: its difference from the anchor, rotated so that no element stands out,
 * then coded in 8 bits an element. What is kept beside the code (r, and the cosine between the
 * direction and its code) turns a product of codes into bounds on the distance: probe.c.
 * docs/DESIGN.md, "Code bound", has the proof.
 *
 * Calls: kernels (code.h), format.c.
 * Called by: store.c, check.c (rows), maint.c (means), probe.c (the same steps for a query).
 * Threads: any.
 */
#include "codes.h"

#include <float.h>
#include <math.h>

vs_code *vs_code_new(const vs_vector_spec *spec, int vector, uint64_t id, const float *anchor)
{
    size_t bytes = sizeof(vs_code) + spec->dim * sizeof(float);
    vs_code *code = sqlite3_malloc64(bytes);
    if (code == NULL) {
        return NULL;
    }
    memset(code, 0, bytes);
    code->vector = vector;
    code->id = id;
    code->dim = spec->dim;
    code->code_dim = vsk_code_dim(spec->dim);
    code->type = spec->stored;
    code->metric = spec->metric;
    code->anchor = (float *)(code + 1);
    if (anchor != NULL) {
        memcpy(code->anchor, anchor, spec->dim * sizeof *anchor);
    }
    return code;
}

int vs_code_to_space(const vs_code *code, vsk_type type, const void *vector, float *out)
{
    const vsk_table *kernels = vsk_get();
    if (type == VSK_F32) {
        memcpy(out, vector, code->dim * sizeof *out);
    } else {
        kernels->to_f32[type](vector, out, code->dim);
    }
    if (code->metric != VS_COSINE) {
        return 1;
    }
    double norm = sqrt(kernels->sumsq[VSK_F32](out, code->dim));
    if (norm == 0.0) {
        return 0;
    }
    double scale = 1.0 / norm;
    for (size_t i = 0; i < code->dim; i++) {
        out[i] = (float)((double)out[i] * scale);
    }
    return 1;
}

int vs_code_in_range(double length)
{
    return length >= VS_CODE_LENGTH_MIN && length <= VS_CODE_LENGTH_MAX;
}

void vs_code_row(const vs_code *code, int64_t rowid, const void *vector, float *scratch,
                 uint8_t *coarse, uint8_t *fine)
{
    uint8_t *plane_b = coarse + VS_CODE_HEADER_BYTES;
    size_t plane_bytes = code->code_dim / 2;
    vs_code_record record;
    memset(&record, 0, sizeof record);
    memset(plane_b, 0, plane_bytes);
    memset(fine, 0, plane_bytes);
    record.rowid = rowid;
    record.plane_b = plane_b;
    record.plane_c = fine;
    if (vector != NULL && vs_code_to_space(code, code->type, vector, scratch)) {
        double r = sqrt(vsk_get()->l2sq[VSK_F32](scratch, code->anchor, code->dim));
        record.flags = VS_CODE_HAS_VECTOR;
        if (vs_code_in_range(r)) {
            for (size_t i = 0; i < code->dim; i++) {
                scratch[i] -= code->anchor[i];
            }
            memset(scratch + code->dim, 0, (code->code_dim - code->dim) * sizeof *scratch);
            vsk_rotate(scratch, code->code_dim);
            vsk_code_encode(scratch, code->code_dim, plane_b, fine, &record.terms);
            record.r = (float)r;
        } else {
            record.flags |= VS_CODE_NO_BOUND;
        }
    }
    vs_format_write_code(&record, code->code_dim, coarse, fine);
}

void vs_code_mean_add(const vs_code *code, const void *vector, float *scratch, double *sum)
{
    if (vector == NULL || !vs_code_to_space(code, code->type, vector, scratch)) {
        return;
    }
    for (size_t i = 0; i < code->dim; i++) {
        sum[i] += (double)scratch[i];
    }
}

void vs_code_mean_finish(const vs_code *code, const double *sum, int64_t count, float *out_anchor)
{
    for (size_t i = 0; i < code->dim; i++) {
        double mean = count > 0 ? sum[i] / (double)count : 0.0;
        int is_normal = fabs(mean) >= (double)FLT_MIN && fabs(mean) <= VS_CODE_LENGTH_MAX;
        out_anchor[i] = is_normal ? (float)mean : 0.0f;
    }
}
