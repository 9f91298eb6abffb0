/*
 * test_chain.c - a whole search by the kernels of the GPU module: everything that may be among the k
 * nearest is in the answer, and its sums are the canonical ones.
 */
#include "vs_test.h"

#include <math.h>

#include "kernel_rig.h"

static int chain_compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The distance beyond which a row is in no answer: the k-th smallest that counts, or the limit. */
static double chain_limit(const rig *f, const double *distances)
{
    double *sorted = malloc(f->spec.rows * sizeof *sorted);
    double limit = f->spec.limit;
    uint32_t count = 0;

    assert_non_null(sorted);
    for (uint32_t row = 0; row < f->spec.rows; row++) {
        /* A row without a distance counts for nothing. */
        if (rig_is_present(f, row) && distances[row] > f->spec.floor) {
            sorted[count++] = distances[row];
        }
    }
    qsort(sorted, count, sizeof *sorted, chain_compare);
    if (count >= f->spec.k && sorted[f->spec.k - 1] < limit) {
        limit = sorted[f->spec.k - 1];
    }
    free(sorted);
    return limit;
}

static void chain_check_sums(const rig *f, uint32_t query, uint32_t row, uint32_t at)
{
    const uint8_t *x = f->vectors + (size_t)row * f->layout.vector_bytes;
    const uint8_t *q = f->query_vectors + (size_t)query * f->layout.vector_stride;
    double sums[3];

    f->table.triple[f->spec.type](q, x, f->spec.dim, sums);
    if (f->spec.metric == VSG_L2SQ) {
        sums[0] = f->table.l2sq[f->spec.type](q, x, f->spec.dim);
    }
    if (isnan(sums[2]) || isnan(sums[0])) {
        assert_true(isnan(f->out_sums[at]) == isnan(sums[0]));
        assert_true(isnan(f->out_sumsqs[at]) == isnan(sums[2]));
        return;
    }
    assert_memory_equal(&f->out_sums[at], &sums[0], sizeof(double));
    assert_memory_equal(&f->out_sumsqs[at], &sums[2], sizeof(double));
}

static void chain_check(const rig *f, uint32_t query)
{
    double *distances = malloc(f->spec.rows * sizeof *distances);
    uint8_t *found = calloc(f->total, 1);
    const uint32_t first = f->out_first[query], count = f->out_count[query];

    assert_non_null(distances);
    assert_non_null(found);
    assert_true(count <= f->spec.capacity && first + count <= f->out_next);
    for (uint32_t row = 0; row < f->spec.rows; row++) {
        distances[row] = rig_distance(f, query, row);
    }
    for (uint32_t i = first; i < first + count; i++) {
        const uint32_t row = f->out_rows[i];
        assert_true(row < f->spec.rows && !found[row] && rig_is_present(f, row));
        found[row] = 1;
        assert_true(!(f->out_lows[i] > distances[row]));
        if (f->spec.keeps_vectors) {
            chain_check_sums(f, query, row, i);
        }
    }
    const double limit = chain_limit(f, distances);
    for (uint32_t row = 0; row < f->spec.rows; row++) {
        if (rig_is_present(f, row) && !(distances[row] > limit) &&
            !(distances[row] < f->spec.floor)) {
            assert_true(found[row]);
        }
    }
    free(distances);
    free(found);
}

static void chain_run(const rig_spec *spec)
{
    rig *f = rig_new(spec);
    for (vsg_kernel kernel = VSG_SCAN; kernel <= VSG_MATRIX; kernel++) {
        rig_reset(f, NULL);
        rig_search(f, kernel);
        for (uint32_t q = 0; q < spec->queries; q++) {
            if (f->states[q] == VSG_ANSWERED && f->out_count[q] != VSG_FINISH_LOST) {
                chain_check(f, q);
            } else {
                /* Only where ties or rows without bounds fill all places. */
                assert_true(spec->data != RIG_RANDOM);
            }
        }
    }
    rig_free(f);
}

static void answers_have_the_k_nearest(void **unused)
{
    static const uint32_t ks[] = {1, 10, 100, 1000};
    static const uint32_t rows[] = {1, 90, 1000, 2500};
    static const uint32_t dims[] = {3, 33, 64, 100};
    (void)unused;
    for (uint32_t i = 0; i < 96; i++) {
        rig_spec spec = rig_plain(dims[i * 3 / 2 % 4], rows[i / 4 % 4]);
        spec.k = ks[i % 4];
        spec.type = (vsg_type)(i / 3 % 4);
        spec.format = (vsg_format)(i / 2 % 2);
        spec.metric = (vsg_metric)(i % 3);
        spec.keeps_vectors = i % 5 != 0;
        spec.capacity = 256 + spec.k * 4;
        spec.dead_of = i % 7 == 0 ? 4 : 0;
        spec.has_wanted = i % 6 == 1;
        chain_run(&spec);
    }
}

static void answers_hold_for_all_data(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < RIG_DATA_COUNT * 12; i++) {
        rig_spec spec = rig_plain(48, 1200);
        spec.data = (rig_data)(i % RIG_DATA_COUNT);
        spec.type = (vsg_type)(i / RIG_DATA_COUNT % 4);
        spec.format = (vsg_format)(i / RIG_DATA_COUNT % 2);
        spec.metric = (vsg_metric)(i / RIG_DATA_COUNT % 3);
        spec.keeps_vectors = 1;
        spec.capacity = 1400;
        chain_run(&spec);
    }
}

static void answers_hold_with_limit_and_floor(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 24; i++) {
        rig_spec spec = rig_plain(64, 1500);
        spec.metric = (vsg_metric)(i % 3);
        spec.format = (vsg_format)(i / 3 % 2);
        spec.data = i / 6 % 2 ? RIG_TIES : RIG_RANDOM;
        spec.capacity = 1600;
        spec.limit = spec.metric == VSG_L2SQ ? 45 : spec.metric == VSG_DOT ? 0.5 : 1.05;
        if (i / 12) {
            spec.floor = spec.metric == VSG_L2SQ ? 35 : spec.metric == VSG_DOT ? -2 : 0.9;
        }
        chain_run(&spec);
    }
}

typedef struct chain_entry {
    uint32_t row;
    float low;
    double sum, sumsq;
} chain_entry;

static int chain_compare_entry(const void *a, const void *b)
{
    const chain_entry *x = a, *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

static chain_entry *chain_entries(const rig *f, uint32_t query)
{
    const uint32_t count = f->out_count[query];
    chain_entry *entries = malloc((count + 1) * sizeof *entries);
    assert_non_null(entries);
    for (uint32_t i = 0; i < count; i++) {
        entries[i].row = f->out_rows[f->out_first[query] + i];
        entries[i].low = f->out_lows[f->out_first[query] + i];
        entries[i].sum = f->out_sums[f->out_first[query] + i];
        entries[i].sumsq = f->out_sumsqs[f->out_first[query] + i];
    }
    qsort(entries, count, sizeof *entries, chain_compare_entry);
    return entries;
}

/* Runs 2 and 3 are by threads apart. */
static void the_order_of_threads_changes_nothing(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 12; i++) {
        rig_spec spec = rig_plain(96, 1500);
        const vsg_kernel kernel = i % 2 ? VSG_SCAN : VSG_MATRIX;
        chain_entry *expected[5];
        uint32_t counts[5];

        spec.queries = 5;
        spec.dim = i < 8 ? 100 : 230; /* the last of 4 steps is in the first stage */
        spec.keeps_vectors = 1;
        spec.capacity = 700;
        spec.format = (vsg_format)(i / 2 % 2);
        spec.metric = (vsg_metric)(i % 3);
        rig *f = rig_new(&spec);
        for (uint64_t run = 0; run < 4; run++) {
            f->order = 1 + run * 0x123456789abcdefull;
            f->spec.is_apart = run >= 2;
            rig_reset(f, NULL);
            rig_search(f, kernel);
            for (uint32_t q = 0; q < spec.queries; q++) {
                chain_entry *entries = chain_entries(f, q);
                if (run == 0) {
                    expected[q] = entries;
                    counts[q] = f->out_count[q];
                    continue;
                }
                assert_int_equal(f->out_count[q], counts[q]);
                assert_memory_equal(entries, expected[q], counts[q] * sizeof *entries);
                free(entries);
            }
        }
        for (uint32_t q = 0; q < spec.queries; q++) {
            free(expected[q]);
        }
        rig_free(f);
    }
}

/* More entries than there is room for: nothing is written beyond, and the limit that follows from
 * what is there is good for another run. */
static void lost_entries_are_found_again(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 12; i++) {
        rig_spec spec = rig_plain(50, 2000);
        spec.capacity = 300;
        spec.metric = (vsg_metric)(i % 3);
        spec.format = (vsg_format)(i / 3 % 2);
        rig *f = rig_new(&spec);
        const vsg_kernel kernel = i / 6 ? VSG_SCAN : VSG_MATRIX;
        f->spec.queries = f->found.query_count = 2; /* the places of the third are a guard */
        rig_scan(f, kernel, 0, f->rows_args.tiles);
        assert_int_equal(f->found.counts[0], 2000);
        rig_select(f);
        for (uint32_t e = 600; e < 900; e++) {
            assert_int_equal(f->found.entry_rows[e], 0xffffffff);
        }
        assert_true(f->found.lost[0] == 1 && f->found.lost[1] == 1);
        float limits[2] = {f->found.limits[0], f->found.limits[1]};
        rig_reset(f, limits);
        rig_search(f, kernel);
        assert_true(f->found.limits[0] <= limits[0]);
        chain_check(f, 0);
        chain_check(f, 1);
        rig_free(f);
    }
}

static void rows_are_stored_the_same_by_threads_apart(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 12; i++) {
        rig_spec spec = rig_plain(i < 6 ? 70 : 384, 40);
        spec.segment_rows = 128;
        spec.format = (vsg_format)(i % 2);
        spec.type = (vsg_type)(i % 4);
        spec.data = i % 3 ? RIG_RANDOM : RIG_NONFINITE;
        rig *f = rig_new(&spec);
        spec.is_apart = 1;
        rig *apart = rig_new(&spec);
        assert_memory_equal(f->memory, apart->memory, f->layout.bytes);
        rig_free(apart);
        rig_free(f);
    }
}

/* Without room for all answers the last to come are lost, and say so; so are queries that lost
 * entries. */
static void what_has_no_room_is_lost(void **unused)
{
    rig_spec spec = rig_plain(16, 600);
    vsg_args args;
    uint32_t lost = 0, room = 0;

    (void)unused;
    spec.queries = 6;
    rig *f = rig_new(&spec);
    rig_scan(f, VSG_SCAN, 0, f->rows_args.tiles);
    f->found.lost[3] = 1;
    memset(&args, 0, sizeof args);
    args.finish.rows = f->rows_args;
    args.finish.found = f->found;
    args.finish.out_capacity = spec.queries * f->spec.capacity;
    args.finish.out_next = &f->out_next;
    args.finish.out_first = f->out_first;
    args.finish.out_count = f->out_count;
    args.finish.out_rows = f->out_rows;
    args.finish.out_lows = f->out_lows;
    f->out_next = 0;
    assert_int_equal(vsg_host_launch(&f->order, VSG_FINISH, &args), VSG_OK);
    for (uint32_t q = 0; q < spec.queries; q++) {
        assert_int_equal(f->out_count[q], q == 3 ? VSG_FINISH_LOST : 600);
    }
    args.finish.out_capacity = 1300;
    f->out_next = 0;
    memset(f->out_rows, 0xff, 1400 * sizeof *f->out_rows);
    assert_int_equal(vsg_host_launch(&f->order, VSG_FINISH, &args), VSG_OK);
    assert_int_equal(f->out_count[3], VSG_FINISH_LOST);
    for (uint32_t q = 0; q < spec.queries; q++) {
        lost += f->out_count[q] == VSG_FINISH_LOST;
        room += f->out_count[q] == VSG_FINISH_LOST ? 0 : f->out_count[q];
    }
    assert_int_equal(lost, 4);
    assert_int_equal(room, 1200);
    assert_int_equal(f->out_rows[1300], 0xffffffff);
    rig_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_have_the_k_nearest),
        cmocka_unit_test(answers_hold_for_all_data),
        cmocka_unit_test(answers_hold_with_limit_and_floor),
        cmocka_unit_test(the_order_of_threads_changes_nothing),
        cmocka_unit_test(lost_entries_are_found_again),
        cmocka_unit_test(rows_are_stored_the_same_by_threads_apart),
        cmocka_unit_test(what_has_no_room_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
