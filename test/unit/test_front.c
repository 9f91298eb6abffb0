/*
 * test_front.c - the bound of the front plane always holds: a row is kept while its own distance is
 * within the limit, for good bases and bad ones, on random and on awkward vectors. The kernels are
 * those in use; test/kernels/test_front.c compares the levels.
 */
#include "../vs_test.h"

#include <math.h>

#include "../../ext/distance.h"
#include "../../ext/front.h"
#include "../awkward.h"
#include "../coded_block.h"

#define DIM_MAX 400
#define CODE_MAX CODED_DIM_MAX
#define ROWS 24
#define SLOTS 32

typedef enum basis_kind {
    BASIS_AXES,
    BASIS_RANDOM,
    BASIS_ROWS,   /* the rows lie in it: nothing is left outside */
    BASIS_SKEWED, /* not quite orthogonal */
    BASIS_KINDS
} basis_kind;

/* The rows of one data set as a cell. */
static struct {
    float rows[ROWS][DIM_MAX];
    vs_block *block;
} cell;

static float scratch[CODE_MAX];
static double cell_factor = 1.0; /* of all elements */
static size_t dropped;           /* rows that are beyond a limit: the test must be able to */

static int init_kernels(void **state)
{
    (void)state;
    return vsk_init(NULL);
}

static void make_cell(data_kind kind, const vs_code *code)
{
    coded_block_free(cell.block);
    cell.block = coded_block_new(SLOTS, code->code_dim);
    for (uint32_t row = 0; row < ROWS; row++) {
        for (size_t i = 0; i < code->dim; i++) {
            cell.rows[row][i] =
                (float)(cell_factor * (double)data_element(kind, row, i, code->dim));
        }
        assert_int_equal(coded_block_set(cell.block, row, code, cell.rows[row]), SQLITE_OK);
    }
}

static int free_cell(void **state)
{
    (void)state;
    coded_block_free(cell.block);
    return 0;
}

/* Gram-Schmidt on m directions [m][n]; what becomes zero is replaced by an axis. */
static void make_orthogonal(float *directions, size_t m, size_t n)
{
    for (size_t j = 0; j < m; j++) {
        float *mine = directions + j * n;
        for (size_t axis = 0;; axis++) {
            for (size_t pass = 0; pass < 2 * j; pass++) {
                const float *other = directions + pass % j * n;
                float product = (float)vsk_get()->dot[VSK_F32](mine, other, n);
                for (size_t i = 0; i < n; i++) {
                    mine[i] -= product * other[i];
                }
            }
            double length = sqrt(vsk_get()->sumsq[VSK_F32](mine, n));
            for (size_t i = 0; i < n; i++) {
                mine[i] = length > 1e-3 ? (float)(mine[i] / length) : i == axis ? 1.0f : 0.0f;
            }
            if (length > 1e-3) {
                break;
            }
        }
    }
}

static void fill_directions(basis_kind kind, size_t m, size_t n, float *out)
{
    memset(out, 0, m * n * sizeof *out);
    for (size_t j = 0; j < m; j++) {
        if (kind == BASIS_AXES) {
            out[j * n + j] = 1.0f;
        } else if (kind == BASIS_ROWS && j < ROWS) {
            vsk_code_decode(cell.block->plane_b + j * n / 2, cell.block->plane_c + j * n / 2, n,
                            out + j * n);
        } else {
            for (size_t i = 0; i < n; i++) {
                out[j * n + i] = (float)random_normal();
            }
        }
    }
    for (size_t i = 0; kind == BASIS_ROWS && i < m * n; i++) {
        out[i] *= 0.01f; /* of the size that make_orthogonal takes for zero */
    }
    make_orthogonal(out, m, n);
    for (size_t j = 0; kind == BASIS_SKEWED && j < m; j++) {
        for (size_t i = 0; i < n; i++) {
            out[j * n + i] += (float)(1e-4 * random_normal() / sqrt((double)n));
        }
    }
}

static vs_basis *make_basis(basis_kind kind, size_t m, size_t n, double scale)
{
    static float directions[VSK_FRONT_MAX * CODE_MAX];
    double scales[VSK_FRONT_MAX];
    vs_basis *basis = NULL;
    fill_directions(kind, m, n, directions);
    for (size_t j = 0; j < m; j++) {
        scales[j] = scale * (1.0 + (double)(j % 7)) / 127.0;
    }
    assert_int_equal(vs_basis_new(directions, m, n, 1, scales, 1.0, &basis), SQLITE_OK);
    return basis;
}

static void check_row(const vs_basis *basis, const vs_front *front, vs_front_query *query,
                      const vs_probe *probe, size_t row, double distance, const char *what)
{
    int32_t dots[SLOTS];
    uint16_t passed[SLOTS];
    size_t kept = 0;
    vsk_get()->front_dot(query->w, 0, 1, front->projections, SLOTS, basis->m, dots, 0);
    vs_front_query_set_limit(query, probe, distance);
    size_t count =
        vsk_get()->front_pass(&query->test, dots, front->t, front->rest, front->g, SLOTS, passed);
    for (size_t i = 0; i < count; i++) {
        kept += passed[i] == row;
    }
    if (kept != 1) {
        fail_msg("%s, row %zu: dropped at its own distance %.17g", what, row, distance);
    }
    dropped += SLOTS - count;
}

static void check_front(data_kind kind, vs_metric metric, const vs_code *code, vs_basis *basis)
{
    vs_front *front = vs_front_new(basis, cell.block);
    assert_non_null(front);
    for (size_t q = 0; q < ROWS; q++) {
        int8_t planes[2 * CODE_MAX];
        vs_probe probe;
        vs_front_query query;
        char what[80];
        sqlite3_snprintf((int)sizeof what, what, "%s, dim %d, data %d, query %d, m %d",
                         vs_metric_name(metric), (int)code->dim, (int)kind, (int)q, (int)basis->m);
        vs_probe_init(&probe, code, metric, VSK_F32, cell.rows[q], scratch, planes);
        vs_front_query_init(&query, basis, &probe, scratch);
        for (size_t row = 0; row < ROWS; row++) {
            double distance;
            if (vs_distance(metric, VSK_F32, cell.rows[q], cell.rows[row], code->dim, &distance) ==
                VS_DIST_VALUE) {
                check_row(basis, front, &query, &probe, row, distance, what);
            }
        }
    }
    vs_cached_unref(front);
}

/* anchor: the size of its elements */
static void check_data(data_kind kind, vs_metric metric, size_t dim, double anchor)
{
    vs_vector_spec spec = {VSK_F32, VSK_F32, dim, metric, 0, 0};
    vs_code *code = vs_code_new(&spec, 0, 1, NULL);
    assert_non_null(code);
    for (size_t i = 0; i < dim; i++) {
        code->anchor[i] = (float)(anchor * sin((double)(3 * i)));
    }
    make_cell(kind, code);
    for (int basis_kind_at = 0; basis_kind_at < BASIS_KINDS; basis_kind_at++) {
        double size = cell.block->rows[0].r > 1e-9f && isfinite(cell.block->rows[0].r)
                          ? (double)cell.block->rows[0].r
                          : 1.0;
        size_t m = code->code_dim >= 128 && basis_kind_at % 2 ? 64 : 32;
        for (double scale = 0.01; scale < 100.0; scale *= 30.0) {
            vs_basis *basis =
                make_basis((basis_kind)basis_kind_at, m, code->code_dim, scale * size);
            check_front(kind, metric, code, basis);
            vs_cached_unref(basis);
        }
    }
    sqlite3_free(code);
}

static void rows_within_the_limit_are_kept(void **state)
{
    static const vs_metric metrics[] = {VS_L2, VS_L2SQ, VS_COSINE, VS_DOT};
    static const size_t dims[] = {1, 3, 64, 100, 128, 400};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(dims); i++) {
        for (size_t m = 0; m < VS_TEST_COUNT(metrics); m++) {
            for (int kind = 0; kind < DATA_KINDS; kind++) {
                check_data((data_kind)kind, metrics[m], dims[i], 0.0);
                if (dims[i] == 100) {
                    check_data((data_kind)kind, metrics[m], dims[i], 2.0);
                    check_data((data_kind)kind, metrics[m], dims[i], 1e8);
                }
            }
        }
    }
}

/* out = R' v, by the images of the axes. */
static void rotate_back(const double *v, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        double sum = 0.0;
        memset(scratch, 0, n * sizeof *scratch);
        scratch[i] = 1.0f;
        vsk_rotate(scratch, n);
        for (size_t j = 0; j < n; j++) {
            sum += (double)scratch[j] * v[j];
        }
        out[i] = (float)sum;
    }
}

/* Queries that lie behind row 0, seen from its code: the code's error counts in full. All
 * directions are in the basis, and the row's projections are exact in 8 bits. */
static void check_behind(const vs_code *code, double factor)
{
    enum { N = 64 };
    double scales[N], behind[N], distance;
    float directions[N * N], code_values[N], query_vector[N];
    vs_basis *basis = NULL;
    fill_directions(BASIS_AXES, N, N, directions);
    vsk_code_decode(cell.block->plane_b, cell.block->plane_c, N, code_values);
    memcpy(scratch, cell.rows[0], sizeof code_values);
    vsk_rotate(scratch, N);
    for (size_t i = 0; i < N; i++) {
        double coded = (double)cell.block->rows[0].r * (double)cell.block->rows[0].cos8 *
                       (double)cell.block->rows[0].inv8 * (double)code_values[i];
        scales[i] = fabs(coded) / 100.0;
        behind[i] = coded + factor * ((double)scratch[i] - coded);
    }
    rotate_back(behind, N, query_vector);
    assert_int_equal(vs_basis_new(directions, N, N, 1, scales, 1.0, &basis), SQLITE_OK);
    vs_front *front = vs_front_new(basis, cell.block);
    assert_non_null(front);
    int8_t planes[2 * N];
    vs_probe probe;
    vs_front_query query;
    vs_probe_init(&probe, code, VS_L2, VSK_F32, query_vector, scratch, planes);
    vs_front_query_init(&query, basis, &probe, scratch);
    assert_int_equal(vs_distance(VS_L2, VSK_F32, query_vector, cell.rows[0], N, &distance),
                     VS_DIST_VALUE);
    check_row(basis, front, &query, &probe, 0, distance, "a query behind the row");
    vs_cached_unref(front);
    vs_cached_unref(basis);
}

static void the_error_of_the_code_counts_in_full(void **state)
{
    vs_vector_spec spec = {VSK_F32, VSK_F32, 64, VS_L2, 0, 0};
    vs_code *code = vs_code_new(&spec, 0, 1, NULL);
    (void)state;
    assert_non_null(code);
    for (int trial = 0; trial < 50; trial++) {
        make_cell(DATA_NORMAL, code);
        for (double factor = 1.5; factor < 1000.0; factor *= 4.0) {
            check_behind(code, factor);
        }
    }
    sqlite3_free(code);
}

static void rows_beyond_it_are_dropped(void **state)
{
    (void)state;
    assert_true(dropped > 100000);
}

/* Lengths down to those that codes have bounds for, with scales and usual lengths that fit them, as
 * far as a basis takes such. */
static void small_lengths_lose_no_row(void **state)
{
    static const vs_metric metrics[] = {VS_L2, VS_L2SQ, VS_DOT};
    static float directions[32 * 64];
    double scales[32];
    size_t bases = 0;
    (void)state;
    fill_directions(BASIS_AXES, 32, 64, directions);
    for (size_t m = 0; m < VS_TEST_COUNT(metrics); m++) {
        vs_vector_spec spec = {VSK_F32, VSK_F32, 64, metrics[m], 0, 0};
        vs_code *code = vs_code_new(&spec, 0, 1, NULL);
        assert_non_null(code);
        for (cell_factor = 1e-18; cell_factor < 1e-6; cell_factor *= 1.7) {
            vs_basis *basis = NULL;
            make_cell(DATA_NORMAL, code);
            for (size_t j = 0; j < 32; j++) {
                scales[j] = cell_factor / (double)(30 + j % 5);
            }
            if (vs_basis_new(directions, 32, 64, 1, scales, cell_factor, &basis) == SQLITE_OK) {
                check_front(DATA_NORMAL, metrics[m], code, basis);
                bases++;
            }
            vs_cached_unref(basis);
        }
        cell_factor = 1.0;
        sqlite3_free(code);
    }
    assert_true(bases >= 12);
}

/* A usable basis, and rows and queries of all sizes against it. */
static void small_vectors_meet_a_usual_basis(void **state)
{
    vs_vector_spec spec = {VSK_F32, VSK_F32, 128, VS_L2, 0, 0};
    vs_code *code = vs_code_new(&spec, 0, 1, NULL);
    (void)state;
    assert_non_null(code);
    for (cell_factor = 1e-19; cell_factor < 1.0; cell_factor *= 10.0) {
        make_cell(DATA_NORMAL, code);
        for (double scale = 0x1p-50; scale < 1.0; scale *= 1024.0) {
            vs_basis *basis = make_basis(BASIS_RANDOM, 64, code->code_dim, 127.0 * scale);
            check_front(DATA_NORMAL, VS_L2, code, basis);
            vs_cached_unref(basis);
        }
    }
    cell_factor = 1.0;
    sqlite3_free(code);
}

static size_t count_kept(const vs_front *front, vs_front_query *query, const vs_probe *probe,
                         double limit)
{
    int32_t dots[SLOTS];
    uint16_t passed[SLOTS];
    vsk_get()->front_dot(query->w, 0, 1, front->projections, SLOTS, front->basis->m, dots, 0);
    vs_front_query_set_limit(query, probe, limit);
    return vsk_get()->front_pass(&query->test, dots, front->t, front->rest, front->g, SLOTS,
                                 passed);
}

/* Limits that no distance is above drop nothing, nor does one that is no number; below all
 * distances everything may go. */
static void limits_at_the_ends_of_the_numbers(void **state)
{
    static const vs_metric metrics[] = {VS_L2, VS_L2SQ, VS_COSINE, VS_DOT};
    static const double wide[] = {INFINITY, NAN, 1e300, 1e30, 1e19};
    (void)state;
    for (size_t m = 0; m < VS_TEST_COUNT(metrics); m++) {
        vs_vector_spec spec = {VSK_F32, VSK_F32, 64, metrics[m], 0, 0};
        vs_code *code = vs_code_new(&spec, 0, 1, NULL);
        int8_t planes[2 * 64];
        vs_probe probe;
        vs_front_query query;
        assert_non_null(code);
        make_cell(DATA_NORMAL, code);
        vs_basis *basis = make_basis(BASIS_RANDOM, 32, 64, 1.0);
        vs_front *front = vs_front_new(basis, cell.block);
        assert_non_null(front);
        vs_probe_init(&probe, code, metrics[m], VSK_F32, cell.rows[0], scratch, planes);
        vs_front_query_init(&query, basis, &probe, scratch);
        for (size_t i = 0; i < VS_TEST_COUNT(wide); i++) {
            assert_int_equal(count_kept(front, &query, &probe, wide[i]), SLOTS);
        }
        assert_true(count_kept(front, &query, &probe, metrics[m] == VS_DOT ? -1e30 : -1.0) < SLOTS);
        (void)count_kept(front, &query, &probe, -INFINITY);
        vs_cached_unref(front);
        vs_cached_unref(basis);
        sqlite3_free(code);
    }
}

/* The element's sign in Walsh function j: these are orthogonal. */
static int walsh(size_t i, size_t j)
{
    return __builtin_popcountll(i & j) % 2 == 0 ? 1 : -1;
}

/* Every product as large as it can be. */
static void the_widest_codes_do_not_overflow(void **state)
{
    enum { N = VSK_DIM_MAX, M = 32, WIDE_SLOTS = 16 };
    double scales[M];
    vs_basis *basis = NULL;
    float *directions = malloc((size_t)M * N * sizeof *directions);
    vs_block *block = coded_block_new(WIDE_SLOTS, N);
    (void)state;
    for (size_t j = 0; j < M; j++) {
        scales[j] = 0.01;
        for (size_t i = 0; i < N; i++) {
            directions[j * N + i] = (float)walsh(i, j);
        }
    }
    assert_int_equal(vs_basis_new(directions, M, N, 1, scales, 1.0, &basis), SQLITE_OK);
    for (size_t slot = 0; slot < WIDE_SLOTS; slot++) { /* a row along each of some directions */
        uint8_t *b = (uint8_t *)(uintptr_t)block->plane_b + slot * N / 2;
        uint8_t *c = (uint8_t *)(uintptr_t)block->plane_c + slot * N / 2;
        for (size_t i = 0; i < N; i++) {
            int nibble = walsh(i, 2 * slot) > 0 ? (i < N / 2 ? 0x0f : 0xf0) : 0;
            b[i % (N / 2)] |= (uint8_t)nibble;
            c[i % (N / 2)] |= (uint8_t)nibble;
        }
        block->has[0] |= (uint64_t)1 << slot;
        block->rows[slot].r = block->rows[slot].cos8 = 1.0f;
        block->rows[slot].inv8 = (float)(1.0 / (127.5 * sqrt(N)));
    }
    vs_front *front = vs_front_new(basis, block);
    assert_non_null(front);
    for (size_t slot = 0; slot < WIDE_SLOTS; slot++) {
        for (size_t j = 0; j < M; j++) {
            assert_int_equal(front->projections[vsk_front_at(slot, j, M)], j == 2 * slot ? 100 : 0);
        }
        assert_true(fabs((double)front->t[slot] - 1.0) < 1e-5);
        assert_true(front->rest[slot] < 0.01f && front->g[slot] < 0.01f);
    }
    vs_cached_unref(front);
    vs_cached_unref(basis);
    coded_block_free(block);
    free(directions);
}

static void scales_and_lengths_out_of_range_are_refused(void **state)
{
    static const double bad[] = {0.0, -1.0, 0x1p-51, 0x1p61, INFINITY, NAN};
    static float directions[32 * 64];
    double scales[32];
    vs_basis *basis = NULL;
    (void)state;
    fill_directions(BASIS_AXES, 32, 64, directions);
    for (size_t i = 0; i < VS_TEST_COUNT(bad); i++) {
        for (size_t j = 0; j < 32; j++) {
            scales[j] = j == 31 ? bad[i] : 1.0;
        }
        assert_int_equal(vs_basis_new(directions, 32, 64, 1, scales, 1.0, &basis), SQLITE_ERROR);
        assert_null(basis);
        scales[31] = 1.0;
        assert_int_equal(vs_basis_new(directions, 32, 64, 1, scales, bad[i], &basis), SQLITE_ERROR);
        assert_null(basis);
    }
}

static void what_is_no_basis_is_refused(void **state)
{
    static float directions[32 * 64];
    double scales[32];
    vs_basis *basis = NULL;
    (void)state;
    for (size_t j = 0; j < 32; j++) {
        scales[j] = 1.0;
        directions[j * 64 + j / 2] = 1.0f; /* each twice */
    }
    assert_int_equal(vs_basis_new(directions, 32, 64, 1, scales, 1.0, &basis), SQLITE_ERROR);
    assert_null(basis);
    memset(directions, 0, sizeof directions);
    assert_int_equal(vs_basis_new(directions, 32, 64, 1, scales, 1.0, &basis), SQLITE_ERROR);
    directions[0] = NAN;
    assert_int_equal(vs_basis_new(directions, 32, 64, 1, scales, 1.0, &basis), SQLITE_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_within_the_limit_are_kept),
        cmocka_unit_test(the_error_of_the_code_counts_in_full),
        cmocka_unit_test(small_lengths_lose_no_row),
        cmocka_unit_test(small_vectors_meet_a_usual_basis),
        cmocka_unit_test(limits_at_the_ends_of_the_numbers),
        cmocka_unit_test(the_widest_codes_do_not_overflow),
        cmocka_unit_test(scales_and_lengths_out_of_range_are_refused),
        cmocka_unit_test(rows_beyond_it_are_dropped),
        cmocka_unit_test(what_is_no_basis_is_refused),
    };
    return cmocka_run_group_tests(tests, init_kernels, free_cell);
}
