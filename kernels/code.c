/*
 * code.c - codes of vectors: step, planes and terms, and the two planes of a query.
 *
 * Bits are the same everywhere: elements are quantised by single operations in float32, sums are
 * canonical or exact, and what is left are single operations in double. A product that a sum
 * follows is kept from being fused with it (vsk_impl.h).
 *
 * Calls:   the dispatch table: sumsq and l2sq of float32, rotate, code_tail, code_planes.
 * Threads: any.
 */
#include <math.h>

#include "planes.h"
#include "vsk_impl.h"

size_t vsk_code_dim(size_t dim)
{
    return (dim + VSK_CODE_GROUP - 1) / VSK_CODE_GROUP * VSK_CODE_GROUP;
}

void vsk_rotate(float *v, size_t n)
{
    vsk_get()->rotate(v, n);
}

/* ---- the step ---- */

/*
 * Elements of a code lie within -clip .. clip, in 256 steps; what lies beyond is clipped. With E
 * the energy that clipping loses, the squared sines are close to
 *     sin4^2 = (E + n (clip / 8)^2 / 12) / |v|^2      sin8^2 = (E + n (clip / 128)^2 / 12) / |v|^2.
 * Most rows are dropped by plane B, so its sine counts for more: the clip is the one of a few
 * multiples of the root mean square, up to the largest element, with the least weighted sum of
 * both. For Gaussian elements that is close to 3, with sines of 0.107 and 0.024 for n = 768.
 */
static const double code_clips[VSK_CODE_CLIPS] = {2.25, 2.45, 2.65, 2.85, 3.05, 3.3,  3.6,  4.0,
                                                  4.5,  5.2,  6.2,  8.0,  11.0, 16.0, 28.0, 64.0};
#define CODE_FINE_WEIGHT 0.4

VSK_INLINE double code_square(double x)
{
    double square = x * x;
    VSK_ROUNDED_F64(square);
    return square;
}

static float code_choose_clip(const vsk_table *kernels, const float *v, size_t n, double sumsq)
{
    double mean_square = sumsq / (double)n;
    double root_mean_square = sqrt(mean_square);
    float clips[VSK_CODE_CLIPS];
    double lost[VSK_CODE_CLIPS];
    double best_cost = INFINITY;
    float best = 0;

    for (size_t k = 0; k < VSK_CODE_CLIPS; k++) {
        clips[k] = (float)(root_mean_square * code_clips[k]);
    }
    float largest = kernels->code_tail(v, n, clips, lost);
    for (size_t k = 0; k <= VSK_CODE_CLIPS; k++) {
        int is_last = k == VSK_CODE_CLIPS || clips[k] >= largest;
        float clip = is_last ? largest : clips[k];
        double mean_lost = is_last ? 0 : lost[k] / (double)n;
        double noise = code_square((double)clip) * (1.0 / 12);
        double noise4 = noise * 0x1p-6;
        double noise8 = noise * 0x1p-14;
        double cost4 = sqrt(mean_lost + noise4);
        double cost8 = sqrt(mean_lost + noise8) * CODE_FINE_WEIGHT;
        VSK_ROUNDED_F64(cost8);
        if (cost4 + cost8 < best_cost) {
            best_cost = cost4 + cost8;
            best = clip;
        }
        if (is_last) {
            break;
        }
    }
    return best;
}

/* ---- planes ---- */

static void code_unpack(const uint8_t *plane_b, const uint8_t *plane_c, size_t bytes, uint8_t *u)
{
    for (size_t i = 0; i < bytes; i++) {
        u[i] = (uint8_t)(plane_b[i] << 4 | (plane_c[i] & 15));
        u[bytes + i] = (uint8_t)((plane_b[i] & 0xf0) | plane_c[i] >> 4);
    }
}

void vsk_code_decode(const uint8_t *plane_b, const uint8_t *plane_c, size_t n, float *out)
{
    size_t half = n / 2;

    for (size_t i = 0; i < half; i++) {
        int low = plane_b[i] & 15;
        int high = plane_b[i] >> 4;
        if (plane_c == NULL) {
            out[i] = 16.0f * ((float)low - 7.5f);
            out[half + i] = 16.0f * ((float)high - 7.5f);
        } else {
            out[i] = (float)(16 * low + (plane_c[i] & 15)) - 127.5f;
            out[half + i] = (float)(16 * high + (plane_c[i] >> 4)) - 127.5f;
        }
    }
}

/* ---- terms ---- */

static void code_add_products(vsk_code_products *sums, vsk_code_products more)
{
    sums->dot += more.dot;
    sums->sumsq += more.sumsq;
}

/* The smallest float that is not below x, for positive x. */
static float code_round_up(double x)
{
    float rounded = (float)x;
    uint32_t bits;

    if ((double)rounded < x) {
        memcpy(&bits, &rounded, sizeof bits);
        bits++;
        memcpy(&rounded, &bits, sizeof bits);
    }
    return rounded;
}

/*
 * |v - a c|^2 with a = dot / sumsq: no approximation a makes it too small, since a c for the exact
 * one is the point of c's line closest to v. Each a c_i is rounded to float32.
 */
static double code_residual(const vsk_table *kernels, const float *v, size_t n,
                            const uint8_t *plane_b, const uint8_t *plane_c, int is_coarse,
                            vsk_code_products products)
{
    double scale = products.dot / products.sumsq;
    double sum = 0;

    for (size_t at = 0; at < n / 2; at += VSK_CODE_PIECE) {
        size_t bytes = n / 2 - at < VSK_CODE_PIECE ? n / 2 - at : VSK_CODE_PIECE;
        float both[PLANES_ELEMENTS];
        float values[PLANES_ELEMENTS];
        uint8_t u[PLANES_ELEMENTS];
        planes_gather(v + at, v + n / 2 + at, bytes, both);
        code_unpack(plane_b + at, plane_c + at, bytes, u);
        planes_values(u, 2 * bytes, is_coarse, values);
        for (size_t i = 0; i < 2 * bytes; i++) {
            values[i] = (float)(scale * (double)values[i]);
        }
        sum += kernels->l2sq[VSK_F32](both, values, 2 * bytes);
    }
    return sum;
}

/*
 * Canonical sums of up to 65,536 terms are within 4.6e-13 (docs/DESIGN.md), and sums over pieces
 * add fewer roundings than they spare; so the cosine below is within 1e-12, its square within 2e-12.
 */
#define CODE_SQUARE_MARGIN 1e-11
#define CODE_SMALL_SQUARE 1e-7          /* of a sine: below, its difference from 1 loses too much */
#define CODE_RESIDUAL_MARGIN 0x1.02p-24 /* a c, rounded to float32, is within 2^-24 |v| of itself */

static void code_terms(double sumsq, vsk_code_products products, float *out_cos,
                       double *out_sin_square)
{
    double norms = sqrt(sumsq) * sqrt(products.sumsq);
    double cosine = products.dot / norms;

    *out_cos = (float)cosine;
    *out_sin_square = 1.0 - code_square(cosine);
}

static float code_sine(const vsk_table *kernels, const float *v, size_t n, const uint8_t *plane_b,
                       const uint8_t *plane_c, int is_coarse, double sumsq,
                       vsk_code_products products, double sin_square)
{
    if (sin_square > CODE_SMALL_SQUARE) {
        return code_round_up(sqrt(sin_square + CODE_SQUARE_MARGIN));
    }
    double residual = code_residual(kernels, v, n, plane_b, plane_c, is_coarse, products);
    double sine = sqrt(residual / sumsq) * (1.0 + 0x1p-36);
    VSK_ROUNDED_F64(sine);
    return code_round_up(sine + CODE_RESIDUAL_MARGIN);
}

static void code_encode_nothing(size_t n, uint8_t *plane_b, uint8_t *plane_c, vsk_code_terms *out)
{
    float inv = (float)(1.0 / (0.5 * sqrt((double)n)));

    memset(plane_b, 0x88, n / 2);
    memset(plane_c, 0, n / 2);
    *out = (vsk_code_terms){-1, 0, inv, -1, 0, inv};
}

void vsk_code_encode_with(const vsk_table *kernels, const float *v, size_t n, uint8_t *plane_b,
                          uint8_t *plane_c, vsk_code_terms *out)
{
    double sumsq = kernels->sumsq[VSK_F32](v, n);
    float clip = sumsq > 0 && sumsq < INFINITY ? code_choose_clip(kernels, v, n, sumsq) : 0.0f;
    float steps_per_unit = 128.0f / clip;
    vsk_code_products products4 = {0, 0};
    vsk_code_products products8 = {0, 0};
    double sin_square4;
    double sin_square8;

    if (!(steps_per_unit < INFINITY)) {
        code_encode_nothing(n, plane_b, plane_c, out);
        return;
    }
    /* A clip is the largest element or above the root mean square of at most 65,536: no element is
     * beyond 2^15 steps. */
    for (size_t at = 0; at < n / 2; at += VSK_CODE_PIECE) {
        size_t bytes = n / 2 - at < VSK_CODE_PIECE ? n / 2 - at : VSK_CODE_PIECE;
        vsk_code_products more[2];
        kernels->code_planes(v + at, v + n / 2 + at, bytes, steps_per_unit, plane_b + at,
                             plane_c + at, more);
        code_add_products(&products4, more[0]);
        code_add_products(&products8, more[1]);
    }
    code_terms(sumsq, products4, &out->cos4, &sin_square4);
    code_terms(sumsq, products8, &out->cos8, &sin_square8);
    out->sin4 = code_sine(kernels, v, n, plane_b, plane_c, 1, sumsq, products4, sin_square4);
    out->sin8 = code_sine(kernels, v, n, plane_b, plane_c, 0, sumsq, products8, sin_square8);
    out->inv4 = (float)(16.0 / sqrt(products4.sumsq));
    out->inv8 = (float)(1.0 / sqrt(products8.sumsq));
}

void vsk_code_encode(const float *v, size_t n, uint8_t *plane_b, uint8_t *plane_c,
                     vsk_code_terms *out)
{
    vsk_code_encode_with(vsk_get(), v, n, plane_b, plane_c, out);
}

/* ---- a query ---- */

#define CODE_QUERY_LOW 254.0

/* To the nearest integer; |x| < 2^51. Beyond 2^52 a double has no fraction left. */
VSK_INLINE double code_round(double x)
{
    return (x + 0x1.8p52) - 0x1.8p52;
}

/*
 * Everything is relative to the largest element m: p_i / m = (high_i + low_i / 254) / 127 + error.
 * Roundings in double are below 2^-50 m per element, 2^-42 |p| together.
 */
void vsk_code_query_init(const float *p, size_t n, int8_t *high, int8_t *low, vsk_code_query *out)
{
    uint32_t largest_bits = 0;

    *out = (vsk_code_query){high, low, 0, 0, 0, INFINITY, INFINITY};
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = code_magnitude_bits(p[i]);
        largest_bits = bits > largest_bits ? bits : largest_bits;
    }
    double largest = (double)code_float_of_bits(largest_bits);
    if (!(largest > 0 && largest < INFINITY)) {
        memset(high, 0, n);
        memset(low, 0, n);
        return;
    }
    double units = 127.0 / largest;
    double sumsq = 0;     /* in units of the upper plane, as everything below */
    double left_high = 0; /* squares of what the upper plane leaves */
    double left_both = 0;
    for (size_t i = 0; i < n; i++) {
        double x = (double)p[i] * units;
        double high_i = code_round(x); /* |x| < 127.5 and |rest| <= 0.5: no more than 127 either */
        double rest = x - high_i;
        double low_i = code_round(rest * CODE_QUERY_LOW);
        double last = rest - low_i * (1.0 / CODE_QUERY_LOW);
        high[i] = (int8_t)high_i;
        low[i] = (int8_t)low_i;
        out->sum_high += high[i];
        out->sum_low += low[i];
        sumsq += x * x;
        left_high += rest * rest;
        left_both += last * last;
    }
    double norm = sqrt(sumsq);
    out->scale = 1.0 / norm;
    out->error_high = sqrt(left_high) / norm * (1.0 + 1e-10) + 1e-11;
    out->error_both = sqrt(left_both) / norm * (1.0 + 1e-10) + 1e-11;
}
