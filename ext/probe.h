/*
 * probe.h - a query against codes: bounds on the distance of each row from integer products.
 */
#ifndef VS_PROBE_H
#define VS_PROBE_H

#include "codes.h"

/*
 * A query made ready for the codes of one description. See docs/DESIGN.md, "Code bound": with p the
 * query's direction and o the row's, the products give s within `error` of cos(code, p), and cos(o,
 * p) lies within the angle between o and its code of that.
 */
typedef struct vs_probe {
    const vs_code *code; /* borrowed */
    vs_metric metric;
    int is_usable;      /* 0: query out of range, every row passes */
    vsk_code_query q;   /* its planes lie in memory */
    double length;      /* |z_q - anchor|; for dot |q| */
    double bias;        /* dot: <q, anchor>; else 0 */
    double anchor_norm; /* |anchor| */
    vsk_code_test test; /* of plane B, for the limit set last */
    int8_t *memory;     /* borrowed: [2 * code_dim] */
} vs_probe;

/*
 *   query    [dim] of `type`, finite
 *   metric   code->metric; l2 and l2sq serve each other
 *   scratch  [code_dim] floats
 *   memory   [2 * code_dim], stays with the probe
 * The limit starts at +infinity.
 */
void vs_probe_init(vs_probe *probe, const vs_code *code, vs_metric metric, vsk_type type,
                   const void *query, float *scratch, int8_t *memory);

/* Rows whose distance is certainly above the limit may be dropped by probe->test from now on. */
void vs_probe_set_limit(vs_probe *probe, double limit);

/* The largest distance in the codes' space that a row with a canonical distance of at most `limit`
 * can have; below 0: none can. Not for dot. */
double vs_probe_space_limit(const vs_probe *probe, double limit);

/* A row's products with the query's planes: b and c of its own planes. */
typedef struct vs_probe_products {
    int32_t high_b, high_c; /* with q.high */
    int32_t low_b, low_c;   /* with q.low; only for VS_PROBE_FINE */
} vs_probe_products;
typedef enum vs_probe_step {
    VS_PROBE_PLANE_B, /* high_b */
    VS_PROBE_BOTH,    /* high_b, high_c */
    VS_PROBE_FINE     /* all four */
} vs_probe_step;

/*
 * Bounds on the canonical distance of a row with the terms (cos, sin, inv of plane B or of both, as
 * the step needs) and r: *out_lo <= distance <= *out_hi. Not finite where there is no bound (r is
 * NaN, or the probe is not usable): -infinity and +infinity.
 */
void vs_probe_bounds(const vs_probe *probe, vs_probe_step step, const vs_probe_products *products,
                     double r, double cos, double sin, double inv, double *out_lo, double *out_hi);

/*
 * May a row be within the limit set last, by high_b and high_c? The test of vsk_code_pass_fn for both
 * planes (cos, sin and inv are theirs), in double: without a root, so faster than the bounds. Rows
 * without a bound stay.
 */
int vs_probe_stays(const vs_probe *probe, const vs_probe_products *products, double r, double cos,
                   double sin, double inv);

#endif
