/*
 * half.c - vectors on the half grid.
 *
 * Let m be the significand of one element of h, as an integer of 11 bits (8 for bfloat16), and r
 * the element of v that belongs to it. Both r and v[i] were rounded once, so v[i] / r is within
 * 2^-23 of a / m, times a power of two, where a is the significand of h[i]. Of the 1,024 possible m
 * (128) only those are left for which m v[i] / r is that close to an integer for a few sampled i;
 * in other data nearly always none. Such an m gives n to within one unit in its last place, and n
 * gives h, by rounding v[i] n. Then all elements are divided again and compared bit for bit, and
 * that alone decides.
 *
 * The coarsest grids come first, m with the most zero bits at its end: integers over their norm
 * stay integers, times a power of two.
 *
 * Threads: any; nothing is kept.
 */
#include "half.h"

#include <float.h>
#include <math.h>

enum {
    HALF_SAMPLES = 24, /* elements that an m is tried on before all are */
    HALF_PIECE = 128,  /* elements that are verified at once */
    HALF_EXPONENT = 14 /* of the largest element of h: in [2^14, 2^15) */
};

typedef struct half_search {
    const unsigned char *v; /* borrowed: [dim] float32, any alignment */
    size_t dim;
    vsk_type element;
    float reference;              /* the magnitude that m belongs to: normal */
    uint32_t steps[HALF_SAMPLES]; /* of sample k: 2 v / reference, scaled to [1, 2); unit 2^-32 */
    size_t sample_count;
    uint32_t magnitude_min, magnitude_max; /* bits of |v[i]|, zeros left out; once is_measured */
    int is_measured;
    uint16_t *out; /* borrowed: [dim] */
} half_search;

static uint32_t half_magnitude(const unsigned char *v, size_t i)
{
    uint32_t bits;
    memcpy(&bits, v + 4 * i, sizeof bits);
    return bits & 0x7fffffffu;
}

static float half_float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void vs_half_widen(const uint16_t *h, size_t dim, vsk_type element, float norm, float *out)
{
    vsk_get()->half_widen[element](h, norm, out, dim);
}

/* Rounds v * norm to out and verifies it, piece by piece; wrong norms end in the first one. */
static int half_fits(const half_search *search, float norm)
{
    const vsk_table *kernels = vsk_get();
    float scaled[HALF_PIECE], again[HALF_PIECE];
    uint16_t halves[HALF_PIECE];

    for (size_t first = 0; first < search->dim; first += HALF_PIECE) {
        size_t count = search->dim - first < HALF_PIECE ? search->dim - first : HALF_PIECE;
        const unsigned char *v = search->v + 4 * first;
        memcpy(scaled, v, 4 * count);
        for (size_t i = 0; i < count; i++) {
            scaled[i] *= norm;
        }
        kernels->from_f32[search->element](scaled, halves, count);
        kernels->half_widen[search->element](halves, norm, again, count);
        if (memcmp(again, v, 4 * count) != 0) {
            return 0;
        }
        memcpy((unsigned char *)search->out + 2 * first, halves, 2 * count);
    }
    return 1;
}

/* Range of the magnitudes, zeros apart. Returns 0 for vectors with NaN or infinity. */
static int half_measure(half_search *search)
{
    uint32_t min = UINT32_MAX, max = 0;

    if (!search->is_measured) {
        for (size_t i = 0; i < search->dim; i++) {
            uint32_t magnitude = half_magnitude(search->v, i);
            max = magnitude > max ? magnitude : max;
            min = magnitude - 1u < min ? magnitude - 1u : min; /* a zero becomes the largest */
        }
        search->magnitude_max = max;
        search->magnitude_min = min + 1u;
        search->is_measured = 1;
    }
    return search->magnitude_max < 0x7f800000u;
}

/*
 * The norm for which reference * norm is m times a power of two, the one that brings the largest
 * element to HALF_EXPONENT: not rounded to float32 yet. Lower where the norm would be too large;
 * one higher where the smallest element would lose bits to the end of float16.
 */
static double half_norm(const half_search *search, double m)
{
    double slack = 1.0 + 0x1p-22; /* an element may be that much too small */
    double ratio = m / (double)search->reference;
    double largest = (double)half_float_of(search->magnitude_max);
    double smallest = (double)half_float_of(search->magnitude_min);
    int exponent = ilogb(largest * ratio * slack);
    int target = HALF_EXPONENT;
    int highest = 126 + exponent - ilogb(ratio); /* keeps norm below 2^127 */

    if (search->element == VSK_F16 && ldexp(smallest * ratio, target - exponent) < 0x1p-14) {
        target++;
    }
    target = target < highest ? target : highest;
    return ldexp(ratio, target - exponent);
}

/* The samples allow m. The reference allows norms within 2^-24: no others than these three. */
static int half_try(half_search *search, uint32_t m, float *out_norm)
{
    if (!half_measure(search)) {
        return 0;
    }
    float norm = (float)half_norm(search, m);
    const float norms[3] = {norm, nextafterf(norm, FLT_MAX), nextafterf(norm, 0.0f)};
    for (size_t i = 0; i < 3; i++) {
        if (norms[i] >= FLT_MIN && half_fits(search, norms[i])) {
            *out_norm = norms[i];
            return 1;
        }
    }
    return 0;
}

/*
 * The reference is the first element that is neither zero nor denormal; the samples are the next
 * ones, other than their predecessor. Returns 0 when there is no reference.
 */
static int half_sample(half_search *search)
{
    uint32_t last = 0;

    for (size_t i = 0; i < search->dim && search->sample_count < HALF_SAMPLES; i++) {
        uint32_t magnitude = half_magnitude(search->v, i);
        if (magnitude < 0x00800000u || magnitude >= 0x7f800000u || magnitude == last) {
            continue;
        }
        if (last == 0) {
            search->reference = half_float_of(magnitude);
        } else {
            double ratio = (double)half_float_of(magnitude) / (double)search->reference;
            uint64_t bits;
            memcpy(&bits, &ratio, sizeof bits);
            search->steps[search->sample_count++] = (uint32_t)(bits >> 20); /* its fraction */
        }
        last = magnitude;
    }
    return last != 0;
}

/*
 * Are all samples, times m, integers but for their error? In units of 2^-32 the fraction of the
 * product is what is left of 32 bits. It is off by 2^-23 of itself, and by m from its step.
 */
static int half_near_all(const half_search *search, uint32_t m, uint32_t near)
{
    for (size_t k = 1; k < search->sample_count; k++) {
        if (search->steps[k] * m + near > 2 * near) {
            return 0;
        }
    }
    return 1;
}

/* Tries every m, from `lead` to below twice that, as above. */
static int half_search_all(half_search *search, uint32_t lead, float *out_norm)
{
    uint32_t near = lead * 2052; /* 4 lead * 2^-23 * 2^32, 2 lead from a step, and a little */
    uint32_t first_step = search->sample_count > 0 ? search->steps[0] : 0;

    for (uint32_t step = lead; step > 0; step /= 2) {
        uint32_t m = step == lead ? lead : lead + step;
        uint32_t product = first_step * m + near;
        for (; m < 2 * lead; m += 2 * step, product += first_step * (2 * step)) {
            if (product <= 2 * near && half_near_all(search, m, near) &&
                half_try(search, m, out_norm)) {
                return 1;
            }
        }
    }
    return 0;
}

int vs_half_find(const float *v, size_t dim, vsk_type element, uint16_t *out, float *out_norm)
{
    half_search search;

    memset(&search, 0, sizeof search);
    search.v = (const unsigned char *)v;
    search.dim = dim;
    search.element = element;
    search.out = out;
    if (half_fits(&search, 1.0f)) {
        *out_norm = 1.0f;
        return half_measure(&search);
    }
    if (!half_sample(&search)) {
        return 0;
    }
    return half_search_all(&search, element == VSK_F16 ? 1024 : 128, out_norm);
}
