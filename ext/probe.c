/*
 * probe.c - a query against codes.
 *
 * All bounds are computed in double from float32 terms; PROBE_SLACK pays for the float32 rounding
 * of the rotation, on both sides, and of the stored terms, PROBE_LENGTH for that of r,
 * PROBE_CANONICAL for the canonical distance itself. docs/DESIGN.md, "Code bound".
 *
 * Calls: codes.c, kernels.
 * Called by: nearest.c.
 * Threads: any, one probe each.
 * Source: the angle bound is the triangle inequality on the unit sphere; scoring a quantised row
 * with a stored cosine between it and its code follows Gao and Long, RaBitQ, SIGMOD 2024, where it
 * is a probabilistic estimate.
 */
#include "probe.h"

#include <math.h>

#define PROBE_SLACK 3e-5      /* on cosines */
#define PROBE_LENGTH 4e-7     /* relative, on r^2 and products with r */
#define PROBE_CANONICAL 1e-11 /* relative, on canonical distances, lengths and products */
#define PROBE_UNIT 2e-7      /* unit vectors rounded to float32: on distances between two of them */
#define PROBE_LOW_UNIT 254.0 /* see vsk_code_query */

void vs_probe_init(vs_probe *probe, const vs_code *code, vs_metric metric, vsk_type type,
                   const void *query, float *scratch, int8_t *memory)
{
    const vsk_table *kernels = vsk_get();
    size_t dim = code->dim;
    memset(probe, 0, sizeof *probe);
    probe->code = code;
    probe->metric = metric;
    probe->memory = memory;
    probe->anchor_norm = sqrt(kernels->sumsq[VSK_F32](code->anchor, dim));
    int has_point = vs_code_to_space(code, type, query, scratch);
    if (metric == VS_DOT) {
        probe->bias = kernels->dot[VSK_F32](scratch, code->anchor, dim);
        probe->length = sqrt(kernels->sumsq[VSK_F32](scratch, dim));
    } else {
        probe->length = sqrt(kernels->l2sq[VSK_F32](scratch, code->anchor, dim));
        for (size_t i = 0; i < dim; i++) {
            scratch[i] -= code->anchor[i];
        }
    }
    probe->is_usable = has_point && vs_code_in_range(probe->length);
    if (probe->is_usable) {
        double scale = 1.0 / probe->length;
        for (size_t i = 0; i < dim; i++) {
            scratch[i] = (float)((double)scratch[i] * scale);
        }
        memset(scratch + dim, 0, (code->code_dim - dim) * sizeof *scratch);
        vsk_rotate(scratch, code->code_dim);
        vsk_code_query_init(scratch, code->code_dim, memory, memory + code->code_dim, &probe->q);
        probe->test.scale = (float)(0.5 * probe->q.scale);
        probe->test.offset2 = 15 * probe->q.sum_high;
        probe->test.error = nextafterf((float)probe->q.error_high, 2.0f);
        probe->test.slack = (float)PROBE_SLACK;
    }
    vs_probe_set_limit(probe, INFINITY);
}

double vs_probe_space_limit(const vs_probe *probe, double limit)
{
    if (probe->metric == VS_L2) {
        return limit < 0.0 ? -1.0 : limit * (1.0 + PROBE_CANONICAL);
    }
    if (probe->metric == VS_L2SQ) {
        return limit < 0.0 ? -1.0 : sqrt(limit) * (1.0 + PROBE_CANONICAL);
    }
    double squared = 2.0 * (limit + PROBE_CANONICAL);
    return squared < 0.0 ? -1.0 : sqrt(squared) + PROBE_UNIT;
}

void vs_probe_set_limit(vs_probe *probe, double limit)
{
    double length = probe->length;
    double beta = -INFINITY;
    double alpha = 0.0;
    if (!probe->is_usable || limit == INFINITY) {
        probe->test.alpha = 0.0f;
        probe->test.beta = -INFINITY; /* drops nothing */
        return;
    }
    if (probe->metric == VS_DOT) { /* -(bias + r |q| U) > limit */
        beta = (-limit - probe->bias) / length -
               PROBE_CANONICAL * (probe->anchor_norm + fabs(limit) / length);
    } else { /* r^2 + rho^2 - 2 r rho U > limit^2 */
        double space = vs_probe_space_limit(probe, limit);
        if (space < 0.0) {
            space = 0.0; /* nothing is below zero; rows at zero are left to their distances */
        }
        alpha = 0.5 / length;
        beta = (length - space) * (length + space) * alpha -
               PROBE_CANONICAL * (length + space * (space / length));
    }
    probe->test.alpha = (float)alpha;
    probe->test.beta = (float)beta;
}

/* The product of the query's planes with the row's code, as a cosine, and its error. */
static double probe_cosine(const vs_probe *probe, vs_probe_step step,
                           const vs_probe_products *products, double inv, double *out_error)
{
    const vsk_code_query *q = &probe->q;
    if (step == VS_PROBE_PLANE_B) {
        *out_error = q->error_high;
        return q->scale * ((double)products->high_b - 7.5 * (double)q->sum_high) * inv;
    }
    double high =
        16.0 * (double)products->high_b + (double)products->high_c - 127.5 * (double)q->sum_high;
    *out_error = q->error_high;
    if (step == VS_PROBE_BOTH) {
        return q->scale * high * inv;
    }
    double low =
        16.0 * (double)products->low_b + (double)products->low_c - 127.5 * (double)q->sum_low;
    *out_error = q->error_both;
    return q->scale * (high + low / PROBE_LOW_UNIT) * inv;
}

/* The largest cosine that a direction at the angle (cos, sin) from the code can have with one at
 * the cosine x from it. */
static double probe_upper(double x, double cos, double sin)
{
    if (!(x < cos)) {
        return 1.0;
    }
    if (x < -1.0) {
        x = -1.0;
    }
    return cos * x + sin * sqrt(1.0 - x * x) + PROBE_SLACK;
}

void vs_probe_bounds(const vs_probe *probe, vs_probe_step step, const vs_probe_products *products,
                     double r, double cos, double sin, double inv, double *out_lo, double *out_hi)
{
    double error = 0.0;
    *out_lo = -INFINITY;
    *out_hi = INFINITY;
    if (!probe->is_usable || isnan(r)) {
        return;
    }
    double s = probe_cosine(probe, step, products, inv, &error);
    double upper = probe_upper(s + error, cos, sin);
    double lower = -probe_upper(error - s, cos, sin); /* by symmetry: of -p */
    double product = r * probe->length;
    if (probe->metric == VS_DOT) {
        double slack =
            PROBE_LENGTH * product + PROBE_CANONICAL * probe->length * (probe->anchor_norm + r);
        *out_lo = -(probe->bias + product * upper) - slack;
        *out_hi = -(probe->bias + product * lower) + slack;
        return;
    }
    double squares = r * r + probe->length * probe->length;
    double lo2 = squares - 2.0 * product * upper - PROBE_LENGTH * squares;
    double hi2 = squares - 2.0 * product * lower + PROBE_LENGTH * squares;
    lo2 = lo2 > 0.0 ? lo2 : 0.0;
    if (probe->metric == VS_L2SQ) {
        *out_lo = lo2;
        *out_hi = hi2;
    } else if (probe->metric == VS_L2) {
        *out_lo = sqrt(lo2);
        *out_hi = sqrt(hi2);
    } else {
        double lo = sqrt(lo2) - PROBE_UNIT;
        double hi = sqrt(hi2) + PROBE_UNIT;
        *out_lo = (lo > 0.0 ? 0.5 * lo * lo : 0.0) - PROBE_CANONICAL;
        *out_hi = 0.5 * hi * hi + PROBE_CANONICAL;
    }
}

int vs_probe_stays(const vs_probe *probe, const vs_probe_products *products, double r, double cos,
                   double sin, double inv)
{
    double alpha = (double)probe->test.alpha, beta = (double)probe->test.beta;
    double error = 0.0;
    double x = probe_cosine(probe, VS_PROBE_BOTH, products, inv, &error) + error;
    double slack = PROBE_SLACK * (fabs(alpha) * r + fabs(beta) / r + 1.0);
    double w = alpha * r + beta / r - slack;
    x = x < -1.0 ? -1.0 : x;
    double d = w - cos * x;
    double root = 1.0 - x * x + (double)VSK_CODE_ROOT;
    return !(w > 1.0 || (x < cos && d > 0.0 && d * d > sin * sin * root));
}
