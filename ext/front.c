/*
 * front.c - the front plane.
 *
 * Everything here is computed from integers and doubles, so that the errors that count are those
 * written down: of the code (h), of the projection in 8 bits (e), of the basis (delta), of the
 * rotation. What float32 adds is paid for by FRONT_SLACK.
 *
 * Calls: probe.c, kernels.
 * Called by: front_learn.c, view_front.c, nearest.c, nearest_scan.c.
 * Threads: any.
 * Source: bounding a distance by a projection and the difference of the lengths that remain: Hwang,
 * Han and Ahn, A fast nearest neighbor search algorithm by nonlinear embedding, CVPR 2012, there
 * for one direction.
 */
#include "front.h"

#include <math.h>

#define FRONT_SLACK 4e-6     /* relative, for float32: see vs_front_query_set_limit */
#define FRONT_ROTATE 2e-5    /* relative, for the rotation and the stored terms of a code */
#define FRONT_DOUBLE 1e-9    /* relative, for what doubles round */
#define FRONT_DELTA_MAX 0.01 /* directions further from orthogonal are no basis */
/*
 * What is smaller has no bound: the test's terms are products of two lengths, and must not come
 * near the smallest float. With these, what underflow takes from a row's products, at most 2^-126
 * for each of 2^19 units of its scales, is below the FRONT_SLACK of |q| |x|.
 */
#define FRONT_LENGTH_MIN 0x1p-30
#define FRONT_SCALE_MIN 0x1p-50

static atomic_uint_least64_t front_serial;

/* ---- bases ----------------------------------------------------------------------------------- */

static size_t front_align(size_t n)
{
    return (n + 63) / 64 * 64;
}

static vs_basis *front_alloc_basis(size_t m, size_t code_dim)
{
    size_t at[6], bytes = front_align(sizeof(vs_basis));
    const size_t sizes[6] = {m * sizeof(double),           m * sizeof(double), m * sizeof(int64_t),
                             m * code_dim * sizeof(float), m * code_dim,       m * code_dim};
    for (int i = 0; i < 6; i++) {
        at[i] = bytes;
        bytes += front_align(sizes[i]);
    }
    vs_basis *basis = vs_cached_new(bytes, NULL);
    if (basis != NULL) {
        unsigned char *memory = (unsigned char *)basis;
        basis->m = m;
        basis->code_dim = code_dim;
        basis->units = (double *)(void *)(memory + at[0]);
        basis->scales = (double *)(void *)(memory + at[1]);
        basis->sums = (int64_t *)(void *)(memory + at[2]);
        basis->values = (float *)(void *)(memory + at[3]);
        basis->high = (int8_t *)(memory + at[4]);
        basis->low = (int8_t *)(memory + at[5]);
    }
    return basis;
}

static int front_scales_fit(const double *scales, size_t m, double length)
{
    int fits = length >= FRONT_LENGTH_MIN && length <= VS_CODE_LENGTH_MAX;
    for (size_t j = 0; j < m; j++) {
        fits &= scales[j] >= FRONT_SCALE_MIN && scales[j] <= VS_CODE_LENGTH_MAX;
    }
    return fits;
}

/* One direction in whole numbers, as a unit vector. 0 when it cannot be one. */
static int front_set_direction(vs_basis *basis, size_t j, const float *direction)
{
    size_t n = basis->code_dim;
    float *values = basis->values + j * n;
    double largest = 0.0;
    for (size_t i = 0; i < n; i++) {
        double size = fabs((double)direction[i]);
        if (!(size <= (double)VS_CODE_LENGTH_MAX)) {
            return 0;
        }
        largest = size > largest ? size : largest;
    }
    if (largest < VS_CODE_LENGTH_MIN) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        long value = lround((double)direction[i] / largest * VS_BASIS_VALUE_MAX);
        long high = lround((double)value / 254.0);
        values[i] = (float)value;
        basis->high[j * n + i] = (int8_t)high;
        basis->low[j * n + i] = (int8_t)(value - 254 * high);
        basis->sums[j] += value;
    }
    basis->units[j] = 1.0 / sqrt(vsk_get()->sumsq[VSK_F32](values, n));
    return 1;
}

/* The Frobenius norm of V V' - I, which is not below the spectral one. */
static double front_delta(const vs_basis *basis)
{
    size_t n = basis->code_dim;
    double sum = 0.0;
    for (size_t i = 0; i < basis->m; i++) {
        for (size_t j = 0; j < i; j++) {
            double product =
                basis->units[i] * basis->units[j] *
                vsk_get()->dot[VSK_F32](basis->values + i * n, basis->values + j * n, n);
            sum += 2.0 * product * product;
        }
    }
    return sqrt(sum) + FRONT_DOUBLE;
}

int vs_basis_new(const float *directions, size_t m, size_t code_dim, uint64_t code_id,
                 const double *scales, double length, vs_basis **out)
{
    *out = NULL;
    if (!front_scales_fit(scales, m, length)) {
        return SQLITE_ERROR;
    }
    vs_basis *basis = front_alloc_basis(m, code_dim);
    if (basis == NULL) {
        return SQLITE_NOMEM;
    }
    basis->serial = atomic_fetch_add(&front_serial, 1) + 1;
    basis->code_id = code_id;
    basis->length = length;
    for (size_t j = 0; j < m; j++) {
        basis->scales[j] = scales[j];
        if (!front_set_direction(basis, j, directions + j * code_dim)) {
            vs_cached_unref(basis);
            return SQLITE_ERROR;
        }
    }
    basis->delta = front_delta(basis);
    if (!(basis->delta <= FRONT_DELTA_MAX)) {
        vs_cached_unref(basis);
        return SQLITE_ERROR;
    }
    *out = basis;
    return SQLITE_OK;
}

/* The length outside of the basis of a vector of length^2 `square`, whose projections have the
 * squares `inside`, and how far it may be from the exact one. */
static double front_rest(const vs_basis *basis, double square, double inside, double *out_error)
{
    double doubt = square * (1.1 * basis->delta + 1e-6);
    double rest = inside < square ? sqrt(square - inside) : 0.0;
    *out_error = rest * rest > doubt ? doubt / rest : sqrt(doubt);
    return rest;
}

/* ---- cells ----------------------------------------------------------------------------------- */

static void front_before_free(vs_cached *self)
{
    vs_cached_unref(((vs_front *)(void *)self)->basis);
}

size_t vs_front_projections_at(size_t slots)
{
    return front_align(sizeof(vs_front)) + 3 * front_align(slots * sizeof(float));
}

size_t vs_front_bytes(const vs_basis *basis, size_t slots)
{
    return vs_front_projections_at(slots) + slots * basis->m;
}

/* Products of VSK_FRONT_ROWS rows with the basis, [m][VSK_FRONT_ROWS] each. */
typedef struct front_products {
    int32_t high_b[VSK_FRONT_MAX * VSK_FRONT_ROWS], high_c[VSK_FRONT_MAX * VSK_FRONT_ROWS];
    int32_t low_b[VSK_FRONT_MAX * VSK_FRONT_ROWS], low_c[VSK_FRONT_MAX * VSK_FRONT_ROWS];
} front_products;

static void front_multiply(const vs_basis *basis, const vs_block *block, size_t first,
                           front_products *out)
{
    size_t n = basis->code_dim, bytes = n / 2;
    const uint8_t *b = block->plane_b + first * block->b_stride;
    const uint8_t *c = block->plane_c + first * bytes;
    vsk_code_dot_fn dot = vsk_get()->code_dot;
    dot(basis->high, n, basis->m, b, block->b_stride, VSK_FRONT_ROWS, n, out->high_b);
    dot(basis->high, n, basis->m, c, bytes, VSK_FRONT_ROWS, n, out->high_c);
    dot(basis->low, n, basis->m, b, block->b_stride, VSK_FRONT_ROWS, n, out->low_b);
    dot(basis->low, n, basis->m, c, bytes, VSK_FRONT_ROWS, n, out->low_c);
}

/* The exact product of a row's code (u_i - 127.5) with direction j, but for its unit. */
static double front_product(const vs_basis *basis, const front_products *products, size_t j,
                            size_t i)
{
    size_t at = j * VSK_FRONT_ROWS + i;
    double high = 16.0 * (double)products->high_b[at] + (double)products->high_c[at];
    double low = 16.0 * (double)products->low_b[at] + (double)products->low_c[at];
    return 254.0 * high + low - 127.5 * (double)basis->sums[j];
}

static void front_set_row(vs_front *front, const vs_block *block, size_t slot,
                          const front_products *products)
{
    const vs_basis *basis = front->basis;
    const vs_row_terms *terms = &block->rows[slot];
    double r = (double)terms->r, cos8 = (double)terms->cos8;
    double factor = r * cos8 * (double)terms->inv8;
    double square = r * cos8 * r * cos8;
    double inside = 0.0, coded = 0.0, error = 0.0, rest_error = 0.0;
    front->t[slot] = NAN;
    if (!(cos8 > 0.0) || !vs_code_in_range(r)) {
        return;
    }
    for (size_t j = 0; j < basis->m; j++) {
        double y =
            factor * basis->units[j] * front_product(basis, products, j, slot % VSK_FRONT_ROWS);
        double k = y / basis->scales[j];
        k = k > 127.0 ? 127.0 : k < -127.0 ? -127.0 : (double)lround(k);
        double stored = k * basis->scales[j];
        front->projections[vsk_front_at(slot, j, basis->m)] = (int8_t)k;
        inside += y * y;
        coded += stored * stored;
        error += (y - stored) * (y - stored);
    }
    double rest = front_rest(basis, square, inside, &rest_error);
    double g = sqrt(error) + rest_error + r * ((double)terms->sin8 + FRONT_ROTATE) +
               1.1 * basis->delta * r;
    front->t[slot] = (float)(coded + rest * rest);
    front->rest[slot] = (float)rest;
    front->g[slot] = (float)(g * (1.0 + FRONT_SLACK));
}

vs_front *vs_front_new(vs_basis *basis, const vs_block *block)
{
    size_t slots = block->slots;
    vs_front *front = vs_cached_new(vs_front_bytes(basis, slots), front_before_free);
    front_products *products = sqlite3_malloc64(sizeof *products);
    if (front == NULL || products == NULL) {
        sqlite3_free(products);
        vs_cached_unref(front);
        return NULL;
    }
    unsigned char *at = (unsigned char *)front + front_align(sizeof *front);
    float **const arrays[] = {&front->t, &front->rest, &front->g};
    for (int i = 0; i < 3; i++) {
        *arrays[i] = (float *)(void *)at;
        at += front_align(slots * sizeof(float));
    }
    front->projections = (int8_t *)at;
    front->basis = vs_cached_ref(basis);
    front->slots = slots;
    memcpy(front->has, block->has, sizeof front->has);
    for (size_t first = 0; first < slots; first += VSK_FRONT_ROWS) {
        front_multiply(basis, block, first, products);
        for (size_t slot = first; slot < first + VSK_FRONT_ROWS; slot++) {
            if (block->has[slot / 64] >> (slot % 64) & 1) {
                front_set_row(front, block, slot, products);
            }
        }
    }
    sqlite3_free(products);
    return front;
}

/* ---- queries --------------------------------------------------------------------------------- */

void vs_front_query_init(vs_front_query *query, const vs_basis *basis, const vs_probe *probe,
                         const float *direction)
{
    double projections[VSK_FRONT_MAX];
    double inside = 0.0, coded = 0.0, error = 0.0, rest_error = 0.0, largest = 0.0;
    size_t n = basis->code_dim;
    memset(query, 0, sizeof *query);
    query->is_usable = probe->is_usable && probe->length >= FRONT_LENGTH_MIN;
    query->length = probe->length;
    vs_front_query_set_limit(query, probe, INFINITY);
    if (!query->is_usable) {
        return;
    }
    for (size_t j = 0; j < basis->m; j++) {
        double y = probe->length * basis->units[j] *
                   vsk_get()->dot[VSK_F32](direction, basis->values + j * n, n);
        projections[j] = y;
        inside += y * y;
        largest = fmax(largest, fabs(y * basis->scales[j]));
    }
    double unit = largest > 0.0 ? largest / 32767.0 : 1.0;
    for (size_t j = 0; j < basis->m; j++) {
        double w = (double)lround(projections[j] * basis->scales[j] / unit);
        double stored = unit * w / basis->scales[j];
        query->w[j] = (int16_t)w;
        coded += stored * stored;
        error += (projections[j] - stored) * (projections[j] - stored);
    }
    double square = probe->length * probe->length * vsk_get()->sumsq[VSK_F32](direction, n);
    double rest = front_rest(basis, square, inside, &rest_error);
    query->error = sqrt(error) + rest_error + (FRONT_ROTATE + 1.1 * basis->delta) * probe->length;
    query->square = coded + rest * rest;
    float *c = query->test.c;
    c[1] = (float)(1.0 - FRONT_SLACK);
    c[2] = (float)(-2.0 * unit);
    c[3] = (float)(-2.0 * rest);
    if (probe->metric == VS_DOT) {
        /* error * |x~|, with |x~| at most the mean of t / length and length */
        query->error += FRONT_SLACK * probe->length;
        c[1] = (float)(-0.5 * query->error / basis->length * (1.0 + FRONT_SLACK));
        c[2] = (float)-unit;
        c[3] = (float)-rest;
        c[4] = (float)(-(probe->length + query->error) * (1.0 + FRONT_SLACK));
        query->square = 0.5 * query->error * basis->length;
    }
}

void vs_front_query_set_limit(vs_front_query *query, const vs_probe *probe, double limit)
{
    float *c = query->test.c;
    if (!query->is_usable || limit == INFINITY) {
        c[0] = -INFINITY; /* drops nothing */
        return;
    }
    if (probe->metric == VS_DOT) {
        double bound = -limit - probe->bias;
        double slack = FRONT_SLACK * (fabs(limit) + fabs(probe->bias)) +
                       FRONT_DOUBLE * probe->length * probe->anchor_norm;
        c[0] = (float)(bound - query->square - slack);
        return;
    }
    double space = vs_probe_space_limit(probe, limit);
    space = ((space < 0.0 ? 0.0 : space) + query->error) * (1.0 + FRONT_SLACK);
    c[0] = (float)((1.0 - FRONT_SLACK) * query->square - (1.0 + FRONT_SLACK) * space * space);
    c[4] = (float)(-2.0 * (1.0 + FRONT_SLACK) * space);
    c[5] = (float)-(1.0 + FRONT_SLACK);
}

double vs_front_estimate(const vs_front_query *query, const vs_front *front, size_t row,
                         int32_t dot)
{
    const float *c = query->test.c;
    return (double)c[1] * (double)front->t[row] + (double)c[2] * (double)dot;
}

vsk_front_test vs_front_estimate_test(const vs_front_query *query, double worst)
{
    vsk_front_test test = {{(float)-worst, query->test.c[1], query->test.c[2], 0.0f, 0.0f, 0.0f}};
    return test;
}
