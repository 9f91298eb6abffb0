/*
 * test_gpu_run.c - searches through the manager: every row of the answer is among the hits under
 * every metric, type and form, with limits and masks; beside fills and evictions; and searches that
 * end early, or never.
 */
#include "manager_fixture.h"

#include <math.h>

static vs_gpu_image *fill_as(manager_column *column, vs_gpu_precision precision)
{
    vs_gpu_reason reason;
    vs_gpu_image *image = vs_gpu_image_make(&column->want, precision, &reason);
    MANAGER_CHECK(image != NULL && manager_fill(image, column));
    return image;
}

static void search_all(vs_gpu_image *image, const manager_column *column)
{
    static const vs_metric metrics[] = {VS_L2, VS_L2SQ, VS_DOT, VS_COSINE};
    static const size_t numbers[][2] = {{1, 1}, {1, 10}, {3, 5}, {40, 7}, {1, 2000}};
    for (size_t m = 0; m < VS_TEST_COUNT(metrics); m++) {
        for (size_t i = 0; i < VS_TEST_COUNT(numbers); i++) {
            MANAGER_CHECK(manager_search(image, column, metrics[m], numbers[i][0], numbers[i][1]) ==
                          VS_GPU_NONE);
        }
    }
}

static void search_everything(vsg_fake *fake)
{
    static const vsk_type types[] = {VSK_F32, VSK_BF16, VSK_I8};
    static const vs_gpu_precision precisions[] = {VS_GPU_PRECISION_F16, VS_GPU_PRECISION_INT8,
                                                  VS_GPU_PRECISION_F32};
    manager_use_small_card(fake, 16);
    for (size_t t = 0; t < VS_TEST_COUNT(types); t++) {
        manager_column column;
        manager_column_init_as(&column, 1, VS_GPU_INDEX, 700, 256, types[t], 24);
        for (size_t p = 0; p < VS_TEST_COUNT(precisions); p++) {
            vs_gpu_image *image = fill_as(&column, precisions[p]);
            MANAGER_CHECK(manager_resident(&column) == 3);
            manager_exact_hits = 0;
            search_all(image, &column);
            MANAGER_CHECK((manager_exact_hits > 0) == (precisions[p] == VS_GPU_PRECISION_F32));
            vs_gpu_image_unref(image);
        }
        manager_column_free(&column);
    }
    manager_check_end(fake);
}

static void no_row_of_an_answer_is_missing(void **state)
{
    (void)state;
    manager_run(search_everything);
}

static void search_within_limits(vsg_fake *fake)
{
    static const double limits[][2] = {{0.0, 12.0}, {10.0, INFINITY}, {9.0, 11.0}, {50.0, 60.0}};
    manager_column column;
    manager_use_small_card(fake, 16);
    manager_column_init(&column, 1, VS_GPU_INDEX, 700, 256);
    for (int precision = 0; precision < 2; precision++) {
        vs_gpu_image *image =
            fill_as(&column, precision == 0 ? VS_GPU_PRECISION_F16 : VS_GPU_PRECISION_F32);
        for (size_t i = 0; i < VS_TEST_COUNT(limits); i++) {
            for (uint32_t step = 0; step < 12; step += 3) {
                manager_limit = (manager_limits){limits[i][0], limits[i][1], step};
                MANAGER_CHECK(manager_search(image, &column, VS_L2, 5, 10) == VS_GPU_NONE);
                manager_limit.lo *= limits[i][0];
                manager_limit.hi *= limits[i][1];
                MANAGER_CHECK(manager_search(image, &column, VS_L2SQ, 5, 10) == VS_GPU_NONE);
                manager_limit = (manager_limits){limits[i][0] / 60, limits[i][1] / 60, step};
                MANAGER_CHECK(manager_search(image, &column, VS_COSINE, 5, 10) == VS_GPU_NONE);
                manager_limit.lo = -30.0;
                manager_limit.hi = 3.0;
                MANAGER_CHECK(manager_search(image, &column, VS_DOT, 5, 10) == VS_GPU_NONE);
            }
        }
        vs_gpu_image_unref(image);
    }
    manager_column_free(&column);
    manager_check_end(fake);
}

static void limits_and_masks_lose_no_row(void **state)
{
    (void)state;
    manager_run(search_within_limits);
}

/* Rows 0, 1, 2: zero, infinite, ordinary. */
static void search_odd_rows(vsg_fake *fake)
{
    manager_column column;
    vs_gpu_reason reason;
    manager_use_small_card(fake, 16);
    manager_column_init(&column, 1, VS_GPU_INDEX, 130, 130);
    float *rows = column.vectors;
    memset(rows, 0, 16 * sizeof *rows);
    rows[16] = INFINITY;
    for (int precision = 0; precision < 2; precision++) {
        size_t count = 0;
        int is_first = 0, is_second = 0;
        vs_gpu_image *image =
            fill_as(&column, precision == 0 ? VS_GPU_PRECISION_F16 : VS_GPU_PRECISION_F32);
        vs_gpu_query query = {VS_COSINE, rows + 32, 1,
                              1,         -INFINITY, INFINITY,
                              NULL,      130,       vs_gpu_image_version(image)};
        vs_gpu_search *search = vs_gpu_search_begin(image, &query, &reason);
        MANAGER_CHECK(search != NULL);
        MANAGER_CHECK(vs_gpu_search_wait(search, NULL, NULL, &reason) == SQLITE_OK);
        const vs_gpu_hit *hits = vs_gpu_search_hits(search, 0, &count, &reason);
        MANAGER_CHECK(reason == VS_GPU_NONE && count >= 2);
        for (size_t i = 0; i < count; i++) {
            is_first |= hits[i].row == 0;
            is_second |= hits[i].row == 1 && !hits[i].is_exact && hits[i].lo == -INFINITY;
        }
        MANAGER_CHECK(is_second && !is_first); /* the CPU has to see the infinite one */
        vs_gpu_search_end(search);
        vs_gpu_image_unref(image);
    }
    manager_column_free(&column);
    manager_check_end(fake);
}

static void rows_without_a_distance_are_left_out_and_infinite_ones_to_the_cpu(void **state)
{
    (void)state;
    manager_run(search_odd_rows);
}

/* ---- beside each other ---- */

static float question[16] = {1.0f};

static vs_gpu_search *begin(vs_gpu_image *image, vs_gpu_reason *out_reason)
{
    vs_gpu_query query = {
        VS_L2SQ, question, 1, 10, -INFINITY, INFINITY, NULL, 300, vs_gpu_image_version(image)};
    return vs_gpu_search_begin(image, &query, out_reason);
}

/* Segment 0 has live rows 0 .. 99 of 128. */
static void fill_while_searching(vsg_fake *fake)
{
    manager_column column;
    vs_gpu_reason reason;
    uint32_t bits[4] = {~0u, ~0u, ~0u, ~0u};
    manager_use_small_card(fake, 16);
    manager_column_init(&column, 1, VS_GPU_INDEX, 100, 100);
    vs_gpu_image *image = fill_as(&column, VS_GPU_PRECISION_F16);
    uint64_t version = vs_gpu_image_version(image);
    vs_gpu_search *search = begin(image, &reason);
    vs_gpu_fill *fill = vs_gpu_fill_begin(image);
    MANAGER_CHECK(search != NULL && fill != NULL);
    MANAGER_CHECK(vs_gpu_fill_segment(fill, 0) && !vs_gpu_fill_segment(fill, 2));
    MANAGER_CHECK(!vs_gpu_fill_rows(fill, 0, 90, column.vectors, 11));  /* is being read */
    MANAGER_CHECK(!vs_gpu_fill_rows(fill, 0, 100, column.vectors, 29)); /* beyond the end */
    MANAGER_CHECK(vs_gpu_fill_rows(fill, 0, 100, column.vectors, 28));
    MANAGER_CHECK(vs_gpu_image_version(image) == version);
    MANAGER_CHECK(vs_gpu_fill_live(fill, 0, bits));
    MANAGER_CHECK(vs_gpu_image_version(image) > version);
    MANAGER_CHECK(vs_gpu_search_wait(search, NULL, NULL, &reason) == SQLITE_OK);
    size_t count = 0;
    const vs_gpu_hit *hits = vs_gpu_search_hits(search, 0, &count, &reason);
    for (size_t i = 0; i < count; i++) {
        MANAGER_CHECK(hits[i].row < 100); /* as of its beginning */
    }
    MANAGER_CHECK(reason == VS_GPU_NONE && count >= 10);
    vs_gpu_search_end(search);
    MANAGER_CHECK(vs_gpu_fill_rows(fill, 0, 90, column.vectors, 11));
    MANAGER_CHECK(!vs_gpu_image_is_resident(image, 0)); /* until its live rows are set */
    MANAGER_CHECK(begin(image, &reason) == NULL && reason == VS_GPU_STALE);
    MANAGER_CHECK(vs_gpu_fill_live(fill, 0, bits));
    MANAGER_CHECK(vs_gpu_fill_bytes(fill) == (28 + 11) * 64);
    vs_gpu_fill_end(fill, 1);
    MANAGER_CHECK(vs_gpu_image_is_resident(image, 0));
    vs_gpu_image_unref(image);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void a_fill_leaves_alone_what_a_search_reads(void **state)
{
    (void)state;
    manager_run(fill_while_searching);
}

/* Rows 0 .. 99 of segment 0 are live, the searched one is row 5. */
static void make_dead_while_searching(vsg_fake *fake)
{
    manager_column column;
    vs_gpu_reason reason;
    uint32_t bits[4] = {~32u, ~0u, ~0u, 15u}, none[4] = {0};
    size_t count = 0;
    manager_use_small_card(fake, 16);
    manager_column_init(&column, 1, VS_GPU_INDEX, 100, 100);
    float *rows = column.vectors;
    memcpy(rows + 5 * 16, question, sizeof question);
    vs_gpu_image *image = fill_as(&column, VS_GPU_PRECISION_F16);
    atomic_store(&fake->hang_at_scan, fake->scans + 1);
    vs_gpu_search *search = begin(image, &reason);
    vs_gpu_fill *fill = vs_gpu_fill_begin(image);
    MANAGER_CHECK(search != NULL && fill != NULL && vs_gpu_fill_segment(fill, 0));
    MANAGER_CHECK(vs_gpu_fill_live(fill, 0, bits) && vs_gpu_fill_live(fill, 0, bits));
    MANAGER_CHECK(!vs_gpu_fill_rows(fill, 0, 5, rows, 1)); /* dead, but that search reads it */
    for (int i = 0; i < 4; i++) {                          /* all of it is on the device */
        MANAGER_CHECK(vs_gpu_fill_rows(fill, 0, 100, rows, 28));
    }
    vs_gpu_search *later = begin(image, &reason);
    atomic_store(&fake->hang_at_scan, 0);
    MANAGER_CHECK(vs_gpu_search_wait(search, NULL, NULL, &reason) == SQLITE_OK);
    const vs_gpu_hit *hits = vs_gpu_search_hits(search, 0, &count, &reason);
    MANAGER_CHECK(reason == VS_GPU_NONE && count >= 10 && hits[0].row == 5);
    MANAGER_CHECK(vs_gpu_search_wait(later, NULL, NULL, &reason) == SQLITE_OK);
    hits = vs_gpu_search_hits(later, 0, &count, &reason);
    MANAGER_CHECK(reason == VS_GPU_NONE && count >= 10);
    for (size_t i = 0; i < count; i++) {
        MANAGER_CHECK(hits[i].row != 5);
    }
    vs_gpu_search_end(search);
    vs_gpu_search_end(later);
    MANAGER_CHECK(vs_gpu_fill_rows(fill, 0, 5, rows, 1)); /* nobody reads it any more */
    MANAGER_CHECK(vs_gpu_fill_live(fill, 0, none));
    vs_gpu_fill_end(fill, 1);
    vs_gpu_image_unref(image);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void a_row_that_dies_stays_with_the_search_that_began_before(void **state)
{
    (void)state;
    manager_run(make_dead_while_searching);
}

static void drop_a_fill(vsg_fake *fake)
{
    manager_column column;
    manager_use_small_card(fake, 16);
    manager_column_init(&column, 1, VS_GPU_INDEX, 384, 128);
    vs_gpu_image *image = fill_as(&column, VS_GPU_PRECISION_F16);
    vs_gpu_fill *fill = vs_gpu_fill_begin(image);
    MANAGER_CHECK(vs_gpu_fill_segment(fill, 0) && vs_gpu_fill_segment(fill, 1));
    MANAGER_CHECK(vs_gpu_fill_rows(fill, 1, 3, column.vectors, 1));
    MANAGER_CHECK(vs_gpu_fill_segment(fill, 3));
    vs_gpu_fill_end(fill, 0);
    MANAGER_CHECK(vs_gpu_image_is_resident(image, 0) && !vs_gpu_image_is_resident(image, 1));
    MANAGER_CHECK(vs_gpu_image_is_resident(image, 2) && !vs_gpu_image_is_resident(image, 3));
    manager_check_books(fake);
    MANAGER_CHECK(fake->bytes == vs_gpu.fixed_bytes - 16 * MANAGER_MIB + 4 * MANAGER_MIB);
    MANAGER_CHECK(manager_search(image, &column, VS_L2, 1, 10) == VS_GPU_NONE);
    vs_gpu_image_unref(image);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void a_fill_that_ends_badly_leaves_nothing_of_what_it_touched(void **state)
{
    (void)state;
    manager_run(drop_a_fill);
}

/* ---- early and late ends ---- */

static int polls;

static int interrupt(void *arg)
{
    polls++;
    return polls < *(const int *)arg ? SQLITE_OK : SQLITE_INTERRUPT;
}

static void end_early(vsg_fake *fake)
{
    manager_column column;
    vs_gpu_reason reason;
    int limit = 3;
    manager_use_small_card(fake, 16);
    manager_column_init(&column, 1, VS_GPU_INDEX, 300, 128);
    vs_gpu_image *image = fill_as(&column, VS_GPU_PRECISION_F16);
    MANAGER_CHECK(manager_search(image, &column, VS_L2, 1, 10) == VS_GPU_NONE);
    atomic_store(&fake->hang_at_scan, fake->scans + 1);
    vs_gpu_search *search = begin(image, &reason);
    MANAGER_CHECK(vs_gpu_search_wait(search, interrupt, &limit, &reason) == SQLITE_INTERRUPT);
    MANAGER_CHECK(polls == 3);
    vs_gpu_search_end(search);
    unsigned long long before = fake->bytes;
    MANAGER_CHECK(vs_gpu_evict(NULL) > 0);
    vs_gpu_image_unref(image);
    MANAGER_CHECK(fake->bytes == before); /* the device may still read it */
    manager_check_books(fake);
    atomic_store(&fake->hang_at_scan, 0);
    MANAGER_CHECK(manager_admit(&column) == VS_GPU_TAKE_GPU);
    manager_check_books(fake);
    MANAGER_CHECK(fake->bytes == before); /* the old one has gone, the new one came */
    for (int i = 0; i < 10; i++) {        /* early ends give everything back */
        image = vs_gpu_image_find(&column.want);
        vs_gpu_search_end(begin(image, &reason));
        vs_gpu_image_unref(image);
        MANAGER_CHECK(reason == VS_GPU_NONE || reason == VS_GPU_BUSY);
    }
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_NONE);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void an_interrupted_search_ends_and_its_memory_waits_for_the_device(void **state)
{
    (void)state;
    manager_run(end_early);
}

static void be_busy(vsg_fake *fake)
{
    manager_column column;
    vs_gpu_search *searches[64];
    vs_gpu_reason reason;
    size_t count = 0;
    manager_use_small_card(fake, 16);
    manager_column_init(&column, 1, VS_GPU_INDEX, 300, 128);
    vs_gpu_image *image = fill_as(&column, VS_GPU_PRECISION_F16);
    while (count < 64 && (searches[count] = begin(image, &reason)) != NULL) {
        count++;
    }
    MANAGER_CHECK(count > 1 && count < 64 && reason == VS_GPU_BUSY);
    for (size_t i = 0; i < count; i++) {
        MANAGER_CHECK(vs_gpu_search_wait(searches[i], NULL, NULL, &reason) == SQLITE_OK);
        MANAGER_CHECK(reason == VS_GPU_NONE);
    }
    MANAGER_CHECK(manager_search(image, &column, VS_L2, 1, 10) ==
                  VS_GPU_NONE); /* before the ends */
    for (size_t i = 0; i < count; i++) {
        vs_gpu_search_end(searches[i]);
    }
    vs_gpu_image_unref(image);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void more_searches_than_the_module_takes_are_the_cpus(void **state)
{
    (void)state;
    manager_run(be_busy);
}

static void hang(vsg_fake *fake)
{
    manager_column column;
    vs_gpu_info info;
    vs_gpu_reason reason;
    manager_use_small_card(fake, 16);
    manager_column_init(&column, 1, VS_GPU_INDEX, 300, 128);
    vs_gpu_image *image = fill_as(&column, VS_GPU_PRECISION_F16);
    atomic_store(&vs_gpu_deadline_us, 20000);
    atomic_store(&fake->hang_at_scan, fake->scans + 1);
    vs_gpu_search *search = begin(image, &reason);
    MANAGER_CHECK(vs_gpu_search_wait(search, NULL, NULL, &reason) == SQLITE_OK);
    MANAGER_CHECK(reason == VS_GPU_ERROR);
    vs_gpu_search_end(search);
    vs_gpu_read_info(&info);
    MANAGER_CHECK(info.state == VS_GPU_DEAD && info.segments == 0);
    MANAGER_CHECK(strcmp(info.why, "the device did not answer in time") == 0);
    unsigned queries = fake->queries, launches = fake->launches;
    MANAGER_CHECK(manager_search(image, &column, VS_L2, 1, 10) != VS_GPU_NONE);
    vs_gpu_image_unref(image);
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_ERROR);
    vs_gpu_stop();
    MANAGER_CHECK(fake->queries == queries && fake->launches == launches);
    manager_column_free(&column);
    MANAGER_CHECK(vs_gpu.images == NULL && sqlite3_memory_used() == 0);
}

/* The caller has other work first, and the module some that it sends while it is waited for. */
static void wait_late(vsg_fake *fake)
{
    manager_column column;
    vs_gpu_reason reason;
    manager_use_small_card(fake, 16);
    manager_column_init(&column, 1, VS_GPU_INDEX, 300, 128);
    vs_gpu_image *image = fill_as(&column, VS_GPU_PRECISION_F16);
    atomic_store(&fake->delay_us, 5000);
    vs_gpu_search *search = begin(image, &reason);
    manager_step_clock(1000.0);
    MANAGER_CHECK(vs_gpu_search_wait(search, NULL, NULL, &reason) == SQLITE_OK);
    MANAGER_CHECK(reason == VS_GPU_NONE && manager_state() == VS_GPU_OPEN);
    vs_gpu_search_end(search);
    vs_gpu_image_unref(image);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void time_before_the_waiting_does_not_count(void **state)
{
    (void)state;
    manager_run(wait_late);
}

static void a_device_that_does_not_answer_is_dead(void **state)
{
    (void)state;
    manager_run(hang);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_row_of_an_answer_is_missing),
        cmocka_unit_test(limits_and_masks_lose_no_row),
        cmocka_unit_test(rows_without_a_distance_are_left_out_and_infinite_ones_to_the_cpu),
        cmocka_unit_test(a_fill_leaves_alone_what_a_search_reads),
        cmocka_unit_test(a_row_that_dies_stays_with_the_search_that_began_before),
        cmocka_unit_test(a_fill_that_ends_badly_leaves_nothing_of_what_it_touched),
        cmocka_unit_test(an_interrupted_search_ends_and_its_memory_waits_for_the_device),
        cmocka_unit_test(more_searches_than_the_module_takes_are_the_cpus),
        cmocka_unit_test(a_device_that_does_not_answer_is_dead),
        cmocka_unit_test(time_before_the_waiting_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
