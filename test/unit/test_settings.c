/*
 * test_settings.c - vec_config reads and sets what one connection keeps.
 */
#include "../vs_test_db.h"

static void defaults_are_read(void **state)
{
    (void)state;
    vs_test_gives(
        db,
        "SELECT vec_config('norm_index'), vec_config('stats'), vec_config('max_decoded_mb'),"
        " instr(vec_debug(), 'Kernel level in use: ' || vec_config('cpu') || char(10)) > 0",
        "auto|1|64|1");
}

static void a_set_value_is_returned_and_kept(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT vec_config('norm_index', 'off')", "off");
    vs_test_gives(db, "SELECT vec_config('stats', 0)", "0");
    vs_test_gives(db, "SELECT vec_config('max_decoded_mb', 2)", "2");
    vs_test_gives(db, "SELECT vec_config('max_decoded_mb'), vec_config('max_decoded_mb', 64.0)",
                  "2|64");
    vs_test_gives(db, "SELECT vec_config('norm_index'), vec_config('stats')", "off|0");
    vs_test_gives(db, "SELECT vec_config('norm_index', 'auto'), vec_config('stats', '1')",
                  "auto|1");
    vs_test_gives(db, "SELECT vec_config(NULL), vec_config('stats', NULL), vec_config('stats')",
                  "NULL|NULL|1");
}

static void settings_belong_to_one_connection(void **state)
{
    sqlite3 *other = vs_test_open();
    (void)state;
    vs_test_gives(other, "SELECT vec_config('stats', 0)", "0");
    vs_test_gives(db, "SELECT vec_config('stats')", "1");
    vs_test_close(other);
}

static void unknown_names_and_values_are_answered_with_what_there_is(void **state)
{
    (void)state;
    vs_test_fails(db, "SELECT vec_config('cache')",
                  "vec_config: no setting 'cache': there are norm_index, stats, cache_mb, threads, "
                  "max_decoded_mb, gpu, gpu_budget_mb, gpu_min_rows, gpu_precision, gpu_idle_s "
                  "and cpu");
    vs_test_fails(db, "SELECT vec_config('cache', 1)",
                  "vec_config: no setting 'cache': there are norm_index, stats, cache_mb, threads, "
                  "max_decoded_mb, gpu, gpu_budget_mb, gpu_min_rows, gpu_precision, gpu_idle_s "
                  "and cpu");
    vs_test_fails(db, "SELECT vec_config('norm_index', 'on')",
                  "vec_config: 'norm_index' is 'auto' or 'off', not 'on'");
    vs_test_fails(db, "SELECT vec_config('stats', 2)",
                  "vec_config: 'stats' is '0' or '1', not '2'");
    vs_test_fails(db, "SELECT vec_config('max_decoded_mb', 1025)",
                  "vec_config: 'max_decoded_mb' is a whole number from 0 to 1024, not '1025'");
    vs_test_fails(db, "SELECT vec_config('cpu', 'avx2')", "vec_config: 'cpu' can only be read");
}

static void a_view_may_read_but_not_set(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE VIEW reads AS SELECT vec_config('stats') AS x; CREATE VIEW sets AS "
                    "SELECT vec_config('stats', 0) AS x");
    vs_test_gives(db, "SELECT x FROM reads", "1");
    vs_test_fails(db, "SELECT x FROM sets", "unsafe use of vec_config()");
    vs_test_run(db, "DROP VIEW reads; DROP VIEW sets");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_read),
        cmocka_unit_test(a_set_value_is_returned_and_kept),
        cmocka_unit_test(settings_belong_to_one_connection),
        cmocka_unit_test(unknown_names_and_values_are_answered_with_what_there_is),
        cmocka_unit_test(a_view_may_read_but_not_set),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
