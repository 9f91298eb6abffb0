/*
 * test_gpu_cache.c - who is admitted to the device, who has to leave it, and when: second wishes,
 * last use, the budget, the card's free memory, idle time, and what an owner lets go of.
 */
#define _POSIX_C_SOURCE 200809L

#include "manager_fixture.h"

#include <math.h>
#include <time.h>

static void nap_ms(int ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

/* Waits, at most 5 s, until the thread that watches has evicted everything. */
static void await_nothing_resident(void)
{
    vs_gpu_info info;
    int waited = 0;
    do {
        nap_ms(10);
        vs_gpu_read_info(&info);
    } while (info.segments > 0 && ++waited < 500);
    MANAGER_CHECK(info.segments == 0 && info.used_bytes <= info.budget_bytes);
}

static vs_gpu_reason advise(manager_column *column, vs_gpu_advice expected)
{
    vs_gpu_image *image = NULL;
    vs_gpu_reason reason;
    MANAGER_CHECK(vs_gpu_advise(&column->want, &image, &reason) == expected);
    vs_gpu_image_unref(image);
    return reason;
}

static int freed;

static void free_owned(void *owned)
{
    MANAGER_CHECK(owned == &freed);
    freed++;
}

/* ---- admission ---- */

static void wish_twice(vsg_fake *fake)
{
    manager_column column;
    vs_gpu_cache_row row;
    manager_use_small_card(fake, 16);
    manager_column_init(&column, 1, VS_GPU_INDEX, 300, 1e6);
    column.want.mode = VS_GPU_AUTO;
    MANAGER_CHECK(advise(&column, VS_GPU_TAKE_CPU) == VS_GPU_COLD);
    MANAGER_CHECK(fake->opens == 0 && vs_gpu_read_cache(NULL, 0) == 1);
    MANAGER_CHECK(vs_gpu_read_cache(&row, 1) == 1 && strcmp(row.state, "waiting") == 0);
    MANAGER_CHECK(strcmp(row.label, "docs.embedding") == 0 && row.bytes == 0);
    manager_step_clock(61.0); /* forgotten */
    MANAGER_CHECK(vs_gpu_read_cache(NULL, 0) == 0);
    MANAGER_CHECK(advise(&column, VS_GPU_TAKE_CPU) == VS_GPU_COLD);
    manager_step_clock(59.0);
    MANAGER_CHECK(!vs_gpu_is_likely(&column.want));
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_COLD); /* and filled */
    MANAGER_CHECK(vs_gpu_is_likely(&column.want));
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_NONE);
    MANAGER_CHECK(vs_gpu_read_cache(&row, 1) == 1 && strcmp(row.state, "resident") == 0);
    MANAGER_CHECK(row.hits == 1 && row.bytes > 0);
    manager_check_books(fake);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void the_second_wish_within_a_minute_admits(void **state)
{
    (void)state;
    manager_run(wish_twice);
}

/* One search of each of many tables admits none, and the oldest wishes are forgotten. */
static void wish_for_many(vsg_fake *fake)
{
    manager_column column;
    manager_use_small_card(fake, 16);
    manager_column_init(&column, 1, VS_GPU_INDEX, 300, 1e6);
    column.want.mode = VS_GPU_AUTO;
    for (uint32_t i = 0; i < 100; i++) {
        column.want.key.column = i;
        MANAGER_CHECK(advise(&column, VS_GPU_TAKE_CPU) == VS_GPU_COLD);
        manager_step_clock(0.1);
    }
    MANAGER_CHECK(vs_gpu_read_cache(NULL, 0) == VS_GPU_WAITING_MAX && fake->opens == 0);
    column.want.key.column = 99 - VS_GPU_WAITING_MAX;
    MANAGER_CHECK(advise(&column, VS_GPU_TAKE_CPU) == VS_GPU_COLD);
    column.want.key.column = 99;
    MANAGER_CHECK(advise(&column, VS_GPU_TAKE_FILL) == VS_GPU_COLD);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void a_walk_over_many_tables_admits_none(void **state)
{
    (void)state;
    manager_run(wish_for_many);
}

static void change_a_table(vsg_fake *fake)
{
    manager_column column;
    manager_use_small_card(fake, 16);
    manager_column_init(&column, 1, VS_GPU_TABLE, 300, 3e5);
    column.want.mode = VS_GPU_AUTO;
    MANAGER_CHECK(manager_admit(&column) == VS_GPU_TAKE_GPU);
    column.want.tag[3] = 1; /* it has changed */
    MANAGER_CHECK(!vs_gpu_is_likely(&column.want));
    MANAGER_CHECK(advise(&column, VS_GPU_TAKE_CPU) == VS_GPU_STALE);
    manager_check_books(fake);
    MANAGER_CHECK(manager_resident(&column) == 0);
    column.want.tag[3] = 2; /* and changes between any two wishes */
    MANAGER_CHECK(advise(&column, VS_GPU_TAKE_CPU) == VS_GPU_COLD);
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_COLD);
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_NONE);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void an_image_of_an_older_state_goes_and_a_table_must_rest_to_be_admitted(void **state)
{
    (void)state;
    manager_run(change_a_table);
}

/* ---- who leaves ---- */

/* One segment of 2 MiB each. */
static void init_columns(manager_column *columns, uint32_t count, vs_gpu_kind kind)
{
    for (uint32_t i = 0; i < count; i++) {
        manager_column_init(&columns[i], i, kind, 100, 100);
    }
}

static void free_columns(manager_column *columns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        manager_column_free(&columns[i]);
    }
}

static void use_in_turn(vsg_fake *fake)
{
    manager_column columns[32];
    vs_gpu_info info;
    manager_use_small_card(fake, 6);
    init_columns(columns, 32, VS_GPU_INDEX);
    MANAGER_CHECK(manager_admit(&columns[0]) == VS_GPU_TAKE_GPU);
    uint32_t room = 1 + (uint32_t)manager_room_segments();
    MANAGER_CHECK(room >= 3 && room < 30);
    for (uint32_t i = 1; i < room; i++) {
        MANAGER_CHECK(manager_admit(&columns[i]) == VS_GPU_TAKE_GPU);
    }
    MANAGER_CHECK(manager_ask(&columns[0]) == VS_GPU_NONE); /* now 1 is the oldest */
    MANAGER_CHECK(manager_admit(&columns[room]) == VS_GPU_TAKE_GPU);
    manager_check_books(fake);
    for (uint32_t i = 0; i <= room; i++) {
        MANAGER_CHECK(manager_resident(&columns[i]) == (i != 1));
    }
    vs_gpu_read_info(&info);
    MANAGER_CHECK(info.evictions == 1 && info.segments == room && info.images == room);
    free_columns(columns, 32);
    manager_check_end(fake);
}

static void what_was_used_longest_ago_makes_room(void **state)
{
    (void)state;
    manager_run(use_in_turn);
}

/* Four segments each of three tables, and room for seven. */
static void press_tables(vsg_fake *fake)
{
    manager_column columns[3];
    manager_use_small_card(fake, 7);
    for (uint32_t i = 0; i < 3; i++) {
        manager_column_init(&columns[i], i, i == 0 ? VS_GPU_TABLE : VS_GPU_INDEX, 512, 128);
    }
    MANAGER_CHECK(manager_admit(&columns[0]) == VS_GPU_TAKE_GPU);
    MANAGER_CHECK(manager_resident(&columns[0]) == 4);
    MANAGER_CHECK(manager_admit(&columns[1]) == VS_GPU_TAKE_GPU);
    MANAGER_CHECK(manager_resident(&columns[0]) == 3); /* what is left is of use */
    MANAGER_CHECK(manager_resident(&columns[1]) == 4);
    MANAGER_CHECK(manager_admit(&columns[2]) == VS_GPU_TAKE_GPU);
    MANAGER_CHECK(manager_resident(&columns[0]) + manager_resident(&columns[1]) == 3);
    MANAGER_CHECK(manager_ask(&columns[1]) == VS_GPU_NONE);
    manager_check_books(fake);
    free_columns(columns, 3);
    manager_check_end(fake);
}

static void tables_go_in_parts(void **state)
{
    (void)state;
    manager_run(press_tables);
}

static void fill_more_than_fits(vsg_fake *fake)
{
    manager_column column;
    vs_gpu_reason reason;
    manager_use_small_card(fake, 6);
    manager_column_init(&column, 1, VS_GPU_INDEX, 128 * 40, 128);
    vs_gpu_image *image = vs_gpu_image_make(&column.want, VS_GPU_PRECISION_F16, &reason);
    MANAGER_CHECK(image != NULL && !manager_fill(image, &column));
    uint32_t resident = manager_resident(&column);
    MANAGER_CHECK(resident >= 3 && resident < 30 && manager_room_segments() == 0);
    MANAGER_CHECK(manager_search(image, &column, VS_L2, 2, 10) == VS_GPU_NONE);
    MANAGER_CHECK(vs_gpu_fill_begin(image) == NULL); /* not again for a minute */
    manager_step_clock(61.0);
    vs_gpu_fill *fill = vs_gpu_fill_begin(image);
    MANAGER_CHECK(fill != NULL && vs_gpu_fill_begin(image) == NULL);
    vs_gpu_fill_end(fill, 1);
    manager_check_books(fake);
    vs_gpu_image_unref(image);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void a_column_larger_than_the_budget_keeps_a_part(void **state)
{
    (void)state;
    manager_run(fill_more_than_fits);
}

/* A column that was small gets larger segments when it has many. */
static void grow(vsg_fake *fake)
{
    manager_column column;
    manager_use_small_card(fake, 100);
    manager_column_init(&column, 1, VS_GPU_INDEX, 128 * 64, 128);
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_COLD && manager_resident(&column) == 64);
    column.want.rows = column.rows;
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_COLD && manager_resident(&column) == 1);
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_NONE);
    manager_check_books(fake);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void an_outgrown_image_is_made_again(void **state)
{
    (void)state;
    manager_run(grow);
}

/* Rows of a vecshard table come in cells, which are not split. */
static void keep_units(vsg_fake *fake)
{
    for (int segments = 3; segments < 60; segments += 7) {
        manager_column column;
        manager_use_small_card(fake, segments);
        manager_column_init(&column, 1, VS_GPU_INDEX, 100000, 128);
        column.want.unit_rows = segments % 2 == 0 ? 1024 : 64;
        vs_gpu_reason reason;
        vs_gpu_image *image = vs_gpu_image_make(&column.want, VS_GPU_PRECISION_F16, &reason);
        MANAGER_CHECK(image != NULL);
        uint32_t rows = vs_gpu_image_segment_rows(image);
        MANAGER_CHECK(rows >= column.want.unit_rows && rows % column.want.unit_rows == 0);
        vs_gpu_image_unref(image);
        (void)vs_gpu_evict(&column.want.key);
        manager_column_free(&column);
    }
    manager_check_end(fake);
}

static void segments_hold_whole_units(void **state)
{
    (void)state;
    manager_run(keep_units);
}

/* ---- the budget ---- */

static void set_budget(int mb)
{
    vs_gpu_settings settings;
    vs_gpu_read_settings(&settings);
    settings.budget_mb = mb;
    vs_gpu_set_settings(&settings);
}

static void lower_the_budget(vsg_fake *fake)
{
    manager_column columns[8];
    vs_gpu_info info;
    vs_gpu_reason reason;
    float question[16] = {1.0f};
    manager_use_small_card(fake, 20);
    init_columns(columns, 8, VS_GPU_INDEX);
    for (uint32_t i = 0; i < 8; i++) {
        MANAGER_CHECK(manager_admit(&columns[i]) == VS_GPU_TAKE_GPU);
    }
    vs_gpu_read_info(&info);
    set_budget((int)(info.used_bytes / MANAGER_MIB) - 4);
    manager_check_books(fake);
    for (uint32_t i = 0; i < 8; i++) {
        MANAGER_CHECK(manager_resident(&columns[i]) == (i >= 2));
    }
    vs_gpu_image *image = vs_gpu_image_find(&columns[7].want);
    vs_gpu_query query = {VS_L2SQ, question, 1, 10, 0, 1e9, NULL, 100, vs_gpu_image_version(image)};
    vs_gpu_search *search = vs_gpu_search_begin(image, &query, &reason);
    MANAGER_CHECK(search != NULL);
    set_budget(1); /* less than the context has */
    vs_gpu_read_info(&info);
    MANAGER_CHECK(info.segments == 1 && manager_resident(&columns[7]) == 0);
    MANAGER_CHECK(vs_gpu_search_wait(search, NULL, NULL, &reason) == SQLITE_OK);
    MANAGER_CHECK(reason == VS_GPU_NONE);
    vs_gpu_search_end(search);
    vs_gpu_image_unref(image);
    manager_check_books(fake);
    vs_gpu_read_info(&info);
    MANAGER_CHECK(info.segments == 0 && info.budget_bytes == info.used_bytes);
    MANAGER_CHECK(manager_ask(&columns[0]) == VS_GPU_BUDGET);
    set_budget(0); /* a quarter of the card */
    vs_gpu_read_info(&info);
    MANAGER_CHECK(info.budget_bytes == 2048 * MANAGER_MIB);
    MANAGER_CHECK(manager_admit(&columns[0]) == VS_GPU_TAKE_GPU);
    free_columns(columns, 8);
    manager_check_end(fake);
}

static void a_smaller_budget_evicts_at_once_but_for_what_is_searched(void **state)
{
    (void)state;
    manager_run(lower_the_budget);
}

static const char *precision_of(manager_column *column, vs_gpu_precision precision)
{
    vs_gpu_cache_row row;
    vs_gpu_reason reason;
    vs_gpu_image *image = vs_gpu_image_make(&column->want, precision, &reason);
    MANAGER_CHECK(image != NULL);
    (void)manager_fill_segments(image, column, 0, 0);
    MANAGER_CHECK(manager_search(image, column, VS_COSINE, 1, 5) == VS_GPU_NONE);
    vs_gpu_image_unref(image);
    MANAGER_CHECK(vs_gpu_read_cache(&row, 1) == 1);
    (void)vs_gpu_evict(NULL);
    return row.precision;
}

/* Of float32 with 64 elements, the forms take some 384, 128 and 64 bytes of a row. */
static void choose(vsg_fake *fake)
{
    manager_column column;
    manager_use_small_card(fake, 28); /* about 40 MiB beside scratch */
    manager_column_init_as(&column, 1, VS_GPU_INDEX, 300, 20000, VSK_F32, 64);
    MANAGER_CHECK(strcmp(precision_of(&column, VS_GPU_PRECISION_AUTO), "f32") == 0);
    MANAGER_CHECK(strcmp(precision_of(&column, VS_GPU_PRECISION_F16), "f16") == 0);
    MANAGER_CHECK(strcmp(precision_of(&column, VS_GPU_PRECISION_INT8), "int8") == 0);
    column.want.rows = 150000;
    MANAGER_CHECK(strcmp(precision_of(&column, VS_GPU_PRECISION_AUTO), "f16") == 0);
    MANAGER_CHECK(strcmp(precision_of(&column, VS_GPU_PRECISION_F32), "f32") == 0);
    column.want.rows = 500000;
    MANAGER_CHECK(strcmp(precision_of(&column, VS_GPU_PRECISION_AUTO), "int8") == 0);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void the_form_is_chosen_by_what_fits(void **state)
{
    (void)state;
    manager_run(choose);
}

/* ---- the card ---- */

static void crowd_the_card(vsg_fake *fake)
{
    manager_column columns[4];
    vs_gpu_info info;
    manager_use_small_card(fake, 16);
    init_columns(columns, 4, VS_GPU_INDEX);
    for (uint32_t i = 0; i < 4; i++) {
        MANAGER_CHECK(manager_admit(&columns[i]) == VS_GPU_TAKE_GPU);
    }
    vs_gpu_read_info(&info); /* two segments too few are free now */
    atomic_store(&fake->others_bytes,
                 info.device.free_bytes - info.low_water_bytes + 3 * MANAGER_MIB);
    manager_step_clock(0.01); /* it was looked at just now */
    MANAGER_CHECK(manager_ask(&columns[3]) == VS_GPU_NONE);
    for (uint32_t i = 0; i < 4; i++) {
        MANAGER_CHECK(manager_resident(&columns[i]) == (i >= 2));
    }
    MANAGER_CHECK(manager_admit(&columns[0]) != VS_GPU_TAKE_GPU ||
                  manager_resident(&columns[2]) == 0);
    atomic_store(&fake->others_bytes, fake->total_bytes);
    await_nothing_resident();
    MANAGER_CHECK(manager_ask(&columns[1]) == VS_GPU_BUDGET);
    manager_check_books(fake);
    atomic_store(&fake->others_bytes, 0);
    manager_step_clock(61.0);
    MANAGER_CHECK(manager_admit(&columns[1]) == VS_GPU_TAKE_GPU);
    free_columns(columns, 4);
    manager_check_end(fake);
}

static void a_card_that_others_need_is_left_to_them(void **state)
{
    (void)state;
    manager_run(crowd_the_card);
}

/* Free memory falls with every look; searches end as the CPU's, and nothing fails. */
static void shrink_the_card(vsg_fake *fake)
{
    manager_column columns[8];
    int fallbacks = 0;
    manager_use_small_card(fake, 16);
    init_columns(columns, 8, VS_GPU_INDEX);
    for (uint32_t i = 0; i < 8; i++) {
        (void)manager_admit(&columns[i]);
    }
    atomic_store(&fake->shrink_bytes, 100 * MANAGER_MIB);
    for (int i = 0; i < 400; i++) {
        vs_gpu_reason reason = manager_ask(&columns[i % 8]);
        MANAGER_CHECK(reason == VS_GPU_NONE || reason == VS_GPU_COLD || reason == VS_GPU_BUDGET ||
                      reason == VS_GPU_STALE);
        fallbacks += reason != VS_GPU_NONE;
        manager_check_books(fake);
    }
    MANAGER_CHECK(fallbacks > 100);
    await_nothing_resident();
    free_columns(columns, 8);
    manager_check_end(fake);
}

static void free_memory_may_shrink_at_every_look(void **state)
{
    (void)state;
    manager_run(shrink_the_card);
}

static void be_idle(vsg_fake *fake)
{
    manager_column columns[2];
    vs_gpu_settings settings;
    manager_use_small_card(fake, 16);
    vs_gpu_read_settings(&settings);
    settings.idle_s = 100;
    vs_gpu_set_settings(&settings);
    init_columns(columns, 2, VS_GPU_INDEX);
    MANAGER_CHECK(manager_admit(&columns[0]) == VS_GPU_TAKE_GPU);
    MANAGER_CHECK(manager_admit(&columns[1]) == VS_GPU_TAKE_GPU);
    manager_step_clock(90.0);
    MANAGER_CHECK(manager_ask(&columns[0]) == VS_GPU_NONE);
    manager_step_clock(90.0);
    nap_ms(600);
    MANAGER_CHECK(manager_resident(&columns[0]) == 1 && manager_resident(&columns[1]) == 1);
    vs_gpu_image *image = vs_gpu_image_find(&columns[0].want);
    vs_gpu_image_own(image, &freed, free_owned);
    vs_gpu_image_unref(image);
    manager_step_clock(11.0);
    await_nothing_resident();
    columns[1].want.mode = VS_GPU_AUTO; /* any search frees what is left of it */
    (void)advise(&columns[1], VS_GPU_TAKE_CPU);
    (void)advise(&columns[0], VS_GPU_TAKE_FILL);
    MANAGER_CHECK(freed == 1);
    manager_check_books(fake);
    for (int round = 0; round < 3; round++) { /* its thread has ended, and comes again */
        MANAGER_CHECK(manager_admit(&columns[0]) == VS_GPU_TAKE_GPU);
        manager_step_clock(101.0);
        await_nothing_resident();
    }
    free_columns(columns, 2);
    manager_check_end(fake);
}

static void what_nobody_searches_goes_after_a_while(void **state)
{
    (void)state;
    manager_run(be_idle);
}

/* ---- owners ---- */

static void let_go(vsg_fake *fake)
{
    manager_column columns[4];
    manager_use_small_card(fake, 16);
    init_columns(columns, 4, VS_GPU_TABLE);
    columns[3].want.key.file = 99;
    for (uint32_t i = 0; i < 4; i++) {
        MANAGER_CHECK(manager_admit(&columns[i]) == VS_GPU_TAKE_GPU);
    }
    vs_gpu_image *image = vs_gpu_image_find(&columns[0].want);
    vs_gpu_image_own(image, &freed, free_owned);
    MANAGER_CHECK(vs_gpu_image_owned(image) == &freed);
    MANAGER_CHECK(vs_gpu_evict(&columns[0].want.key) == 2 * MANAGER_MIB);
    MANAGER_CHECK(vs_gpu_evict(&columns[0].want.key) == 0);
    MANAGER_CHECK(freed == 0 && vs_gpu_image_find(&columns[0].want) == NULL);
    MANAGER_CHECK(manager_search(image, &columns[0], VS_DOT, 1, 3) == VS_GPU_STALE);
    MANAGER_CHECK(vs_gpu_fill_begin(image) == NULL);
    vs_gpu_image_unref(image);
    MANAGER_CHECK(freed == 1);
    vs_gpu_evict_file(columns[1].want.key.file, VS_GPU_INDEX); /* another kind */
    MANAGER_CHECK(manager_resident(&columns[1]) == 1);
    vs_gpu_evict_file(columns[1].want.key.file, VS_GPU_TABLE);
    MANAGER_CHECK(manager_resident(&columns[1]) == 0 && manager_resident(&columns[2]) == 0);
    MANAGER_CHECK(manager_resident(&columns[3]) == 1);
    manager_check_books(fake);
    MANAGER_CHECK(vs_gpu_evict(NULL) == 2 * MANAGER_MIB);
    free_columns(columns, 4);
    manager_check_end(fake);
}

static void evicted_images_are_found_no_more_and_freed_by_their_last_holder(void **state)
{
    (void)state;
    manager_run(let_go);
}

/* ---- the cost ---- */

static void measure(vsg_fake *fake)
{
    manager_column column;
    manager_use_small_card(fake, 16);
    manager_column_init(&column, 1, VS_GPU_INDEX, 300, 1e6);
    column.want.mode = VS_GPU_AUTO;
    MANAGER_CHECK(manager_admit(&column) == VS_GPU_TAKE_GPU);
    vs_gpu_note_time(&column.want, 0, 100.0); /* the CPU is as fast as that: norms prune well */
    MANAGER_CHECK(advise(&column, VS_GPU_TAKE_CPU) == VS_GPU_COST);
    MANAGER_CHECK(!vs_gpu_is_likely(&column.want));
    column.want.query_count = 500; /* but not for batches */
    MANAGER_CHECK(advise(&column, VS_GPU_TAKE_GPU) == VS_GPU_NONE);
    column.want.query_count = 1;
    column.want.mode = VS_GPU_PREFER;
    MANAGER_CHECK(advise(&column, VS_GPU_TAKE_GPU) == VS_GPU_NONE);
    column.want.mode = VS_GPU_AUTO;
    for (int i = 0; i < 40; i++) {
        vs_gpu_note_time(&column.want, 0, 10000.0);
    }
    MANAGER_CHECK(advise(&column, VS_GPU_TAKE_GPU) == VS_GPU_NONE);
    vs_gpu_note_time(&column.want, 1, 1e7); /* one that waited for something */
    MANAGER_CHECK(advise(&column, VS_GPU_TAKE_GPU) == VS_GPU_NONE);
    for (int i = 0; i < 40; i++) {
        vs_gpu_note_time(&column.want, 1, 9000.0); /* it is no faster */
    }
    MANAGER_CHECK(advise(&column, VS_GPU_TAKE_CPU) == VS_GPU_COST);
    manager_step_clock(61.0); /* perhaps it is now */
    MANAGER_CHECK(advise(&column, VS_GPU_TAKE_GPU) == VS_GPU_NONE);
    vs_gpu_note_time(&column.want, 1, NAN);
    vs_gpu_note_time(&column.want, 1, -1.0);
    MANAGER_CHECK(advise(&column, VS_GPU_TAKE_GPU) == VS_GPU_NONE);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void the_faster_one_is_advised_by_what_was_measured(void **state)
{
    (void)state;
    manager_run(measure);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_wish_within_a_minute_admits),
        cmocka_unit_test(a_walk_over_many_tables_admits_none),
        cmocka_unit_test(an_image_of_an_older_state_goes_and_a_table_must_rest_to_be_admitted),
        cmocka_unit_test(what_was_used_longest_ago_makes_room),
        cmocka_unit_test(tables_go_in_parts),
        cmocka_unit_test(a_column_larger_than_the_budget_keeps_a_part),
        cmocka_unit_test(an_outgrown_image_is_made_again),
        cmocka_unit_test(a_smaller_budget_evicts_at_once_but_for_what_is_searched),
        cmocka_unit_test(the_form_is_chosen_by_what_fits),
        cmocka_unit_test(a_card_that_others_need_is_left_to_them),
        cmocka_unit_test(free_memory_may_shrink_at_every_look),
        cmocka_unit_test(segments_hold_whole_units),
        cmocka_unit_test(what_nobody_searches_goes_after_a_while),
        cmocka_unit_test(evicted_images_are_found_no_more_and_freed_by_their_last_holder),
        cmocka_unit_test(the_faster_one_is_advised_by_what_was_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
