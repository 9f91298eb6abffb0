/*
 * module_fixture.c - see module_fixture.h.
 */
#include "module_fixture.h"

#include <math.h>

#include "../../kernels/half.h"

static const vsg_api *module_find(void)
{
    const vsg_host host = {VSG_ABI, sizeof host};
    const char *real = vsg_real_path();
    const vsg_api *api = real != NULL ? vsg_real_api(real) : vecshard_cuda_v1(&host);
    assert_non_null(api);
    return api;
}

const vsg_api *module_api(void)
{
    (void)vsg_fake_control(1);
    assert_int_equal(vsk_init(NULL), 0);
    return module_find();
}

int module_open_only(module_table *self, uint64_t budget_bytes)
{
    const vsg_limits limits = {budget_bytes, 0, 0};
    memset(self, 0, sizeof *self);
    self->api = module_find();
    return self->api->device_open(0, &limits, &self->device);
}

int module_open(module_table *self, uint64_t budget_bytes)
{
    (void)module_api();
    return module_open_only(self, budget_bytes);
}

/* ---- the table ---- */

static size_t type_bytes(vsg_type type)
{
    return type == VSG_TYPE_F32 ? 4 : type == VSG_TYPE_I8 ? 1 : 2;
}

/* Values that all types have: multiples of 1/8 below 2 in size, whole ones for int8. */
static float random_value(vsg_type type, uint64_t *seed)
{
    int whole = (int)(vs_test_random(seed) >> 40) % 33 - 16;
    float value = (float)whole;
    return type == VSG_TYPE_I8 ? value * 7 : value / 8;
}

static void put_value(uint8_t *to, vsg_type type, float value)
{
    int8_t integer = (int8_t)value;
    uint16_t half = type == VSG_TYPE_F16 ? vsk_f16_encode(value) : vsk_bf16_encode(value);

    if (type == VSG_TYPE_F32) {
        /* not on the grid of float16 */
        value *= 1.000123f;
        memcpy(to, &value, sizeof value);
    } else if (type == VSG_TYPE_I8) {
        memcpy(to, &integer, 1);
    } else {
        memcpy(to, &half, sizeof half);
    }
}

static size_t vector_bytes(const module_table *self)
{
    return self->shape.dim * type_bytes(self->shape.type);
}

static uint32_t row_count(const module_table *self)
{
    return self->shape.rows * self->shape.segments;
}

void module_make(module_table *self, const module_shape *shape, uint32_t query_count)
{
    uint64_t seed = 20240229;
    size_t bytes = type_bytes(shape->type), count;

    free(self->vectors);
    free(self->live);
    free(self->queries);
    self->shape = *shape;
    self->query_count = query_count;
    count = (size_t)row_count(self) * shape->dim;
    self->vectors = malloc(count * bytes);
    self->live = calloc(row_count(self) / 32, sizeof *self->live);
    self->queries = malloc((size_t)query_count * shape->dim * sizeof *self->queries);
    assert_true(self->vectors != NULL && self->live != NULL && self->queries != NULL);
    for (size_t i = 0; i < count; i++) {
        put_value(self->vectors + i * bytes, shape->type, random_value(shape->type, &seed));
    }
    for (uint32_t row = 0; row < row_count(self); row++) {
        self->live[row / 32] |= (uint32_t)(row % 7 != 3) << (row % 32);
    }
    for (size_t i = 0; i < (size_t)query_count * shape->dim; i++) {
        self->queries[i] = random_value(shape->type, &seed);
    }
}

int module_send_rows(module_table *self, uint32_t segment)
{
    const uint8_t *from = self->vectors + (size_t)segment * self->shape.rows * vector_bytes(self);
    int rc = VSG_OK;

    for (uint32_t first = 0; rc == VSG_OK && first < self->shape.rows;) {
        void *buffer = NULL;
        size_t bytes = 0;
        uint32_t rows = self->shape.rows - first;
        rc = self->api->stage(self->device, &buffer, &bytes);
        if (rc != VSG_OK) {
            break;
        }
        rows = rows < bytes / vector_bytes(self) ? rows : (uint32_t)(bytes / vector_bytes(self));
        rows = rows > 700 ? 700 : rows; /* more than one buffer */
        memcpy(buffer, from + (size_t)first * vector_bytes(self), rows * vector_bytes(self));
        rc = self->api->upload(self->device, self->segments[segment], first, rows);
        first += rows;
    }
    return rc;
}

int module_send(module_table *self)
{
    const vsg_shape shape = {self->shape.dim, self->shape.type, self->shape.format,
                             self->shape.keeps_vectors, self->shape.rows};
    int rc = VSG_OK;

    for (uint32_t i = 0; rc == VSG_OK && i < self->shape.segments; i++) {
        rc = self->api->segment_new(self->device, &shape, &self->segments[i]);
        if (rc == VSG_OK) {
            rc = module_send_rows(self, i);
        }
        if (rc == VSG_OK) {
            rc = self->api->live(self->device, self->segments[i],
                                 self->live + (size_t)i * (self->shape.rows / 32));
        }
    }
    return rc;
}

void module_drop(module_table *self)
{
    for (uint32_t i = 0; i < VS_TEST_COUNT(self->segments); i++) {
        self->api->segment_free(self->device, self->segments[i]);
        self->segments[i] = NULL;
    }
}

void module_free(module_table *self)
{
    module_drop(self);
    self->api->device_close(self->device);
    free(self->vectors);
    free(self->live);
    free(self->queries);
    memset(self, 0, sizeof *self);
}

/* ---- searches ---- */

void module_search(const module_table *self, vsg_metric metric, uint32_t k, vsg_search *out)
{
    memset(out, 0, sizeof *out);
    out->segments = self->segments;
    out->segment_count = self->shape.segments;
    out->metric = metric;
    out->queries = self->queries;
    out->query_count = self->query_count;
    out->k = k;
    out->limit = HUGE_VAL;
    out->floor = -HUGE_VAL;
    out->wanted_rows = row_count(self);
}

int module_run(const module_table *self, const vsg_search *search, vsg_ticket **out_ticket,
               vsg_answer *out)
{
    int rc = self->api->search_begin(self->device, search, out_ticket);
    return rc == VSG_OK ? self->api->search_wait(self->device, *out_ticket, 10000000, out) : rc;
}

/* The query as the rows' type has it. */
static void query_vector(const module_table *self, uint32_t query, uint8_t *out)
{
    const float *values = self->queries + (size_t)query * self->shape.dim;
    for (uint32_t i = 0; i < self->shape.dim; i++) {
        uint8_t *to = out + i * type_bytes(self->shape.type);
        if (self->shape.type == VSG_TYPE_F32) {
            memcpy(to, values + i, sizeof *values);
        } else {
            put_value(to, self->shape.type, values[i]);
        }
    }
}

static void canonical(const module_table *self, vsg_metric metric, uint32_t query, uint32_t row,
                      double *out_sum, double *out_sumsq, double *out_query_sumsq)
{
    uint8_t q[4 * VSG_DIM_MAX];
    const uint8_t *x = self->vectors + (size_t)row * vector_bytes(self);
    const vsk_table *table = vsk_get();
    vsk_type type = (vsk_type)self->shape.type;

    assert_true(vector_bytes(self) <= sizeof q);
    query_vector(self, query, q);
    *out_sum = metric == VSG_L2SQ ? table->l2sq[type](q, x, self->shape.dim)
                                  : table->dot[type](q, x, self->shape.dim);
    *out_sumsq = table->sumsq[type](x, self->shape.dim);
    *out_query_sumsq = table->sumsq[type](q, self->shape.dim);
}

double module_distance(const module_table *self, vsg_metric metric, uint32_t query, uint32_t row)
{
    double sum, sumsq, query_sumsq;
    canonical(self, metric, query, row, &sum, &sumsq, &query_sumsq);
    return metric == VSG_L2SQ  ? sum
           : metric == VSG_DOT ? -sum
                               : 1 - sum / (sqrt(sumsq) * sqrt(query_sumsq));
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int is_wanted(const module_table *self, const vsg_search *search, uint32_t row)
{
    return (self->live[row / 32] >> (row % 32) & 1) &&
           (search->wanted == NULL || (search->wanted[row / 32] >> (row % 32) & 1));
}

/* The distance of the k-th nearest that counts, or the limit. */
static double reach(const module_table *self, const vsg_search *search, const double *distances)
{
    double *sorted = malloc(row_count(self) * sizeof *sorted), out = search->limit;
    uint32_t count = 0;

    assert_non_null(sorted);
    for (uint32_t row = 0; row < row_count(self); row++) {
        if (is_wanted(self, search, row) && distances[row] <= search->limit &&
            distances[row] > search->floor) {
            sorted[count++] = distances[row];
        }
    }
    qsort(sorted, count, sizeof *sorted, compare_doubles);
    out = count >= search->k ? sorted[search->k - 1] : out;
    free(sorted);
    return out;
}

static void check_entry(const module_table *self, const vsg_search *search,
                        const vsg_answer *answer, uint32_t query, uint32_t at, double distance)
{
    uint32_t row = answer->rows[at];
    double sum, sumsq, query_sumsq;

    assert_true(is_wanted(self, search, row));
    assert_true(answer->lows[at] <= distance);
    if (self->shape.keeps_vectors) {
        canonical(self, search->metric, query, row, &sum, &sumsq, &query_sumsq);
        assert_memory_equal(&answer->sums[at], &sum, sizeof sum);
        assert_memory_equal(&answer->row_sumsqs[at], &sumsq, sizeof sumsq);
    } else {
        assert_null(answer->sums);
        assert_null(answer->row_sumsqs);
    }
}

static void check_query(const module_table *self, const vsg_search *search,
                        const vsg_answer *answer, uint32_t query)
{
    double *distances = malloc(row_count(self) * sizeof *distances), last;
    uint8_t *is_found = calloc(row_count(self), 1);

    assert_true(distances != NULL && is_found != NULL);
    for (uint32_t row = 0; row < row_count(self); row++) {
        distances[row] = module_distance(self, search->metric, query, row);
    }
    last = reach(self, search, distances);
    for (uint32_t i = 0; i < answer->count[query]; i++) {
        uint32_t at = answer->first[query] + i, row = answer->rows[at];
        assert_true(row < row_count(self));
        assert_int_equal(is_found[row]++, 0);
        check_entry(self, search, answer, query, at, distances[row]);
    }
    for (uint32_t row = 0; row < row_count(self); row++) {
        if (is_wanted(self, search, row) && distances[row] <= last &&
            distances[row] >= search->floor && !is_found[row]) {
            fail_msg("query %u: row %u at %g is missing; the k-th is at %g", query, row,
                     distances[row], last);
        }
    }
    free(distances);
    free(is_found);
}

void module_check(const module_table *self, const vsg_search *search, const vsg_answer *answer,
                  uint32_t *out_unanswered)
{
    *out_unanswered = 0;
    for (uint32_t query = 0; query < search->query_count; query++) {
        if (answer->states[query] == VSG_ANSWERED) {
            check_query(self, search, answer, query);
        } else {
            assert_int_equal(answer->count[query], 0);
            ++*out_unanswered;
        }
    }
}

uint32_t module_search_checked(const module_table *self, const vsg_search *search)
{
    vsg_ticket *ticket = NULL;
    vsg_answer answer;
    uint32_t unanswered = 0;

    assert_int_equal(module_run(self, search, &ticket, &answer), VSG_OK);
    module_check(self, search, &answer, &unanswered);
    self->api->search_end(self->device, ticket);
    assert_true(self->api->search_is_idle(self->device));
    return unanswered;
}

void module_open_table(module_table *self, const module_shape *shape, uint32_t query_count,
                       uint64_t budget_bytes)
{
    assert_int_equal(module_open(self, budget_bytes), VSG_OK);
    module_make(self, shape, query_count);
    assert_int_equal(module_send(self), VSG_OK);
}
