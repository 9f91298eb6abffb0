/*
 * test_vecshard.c - the entry point: everything is registered, or nothing.
 */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "../vs_test.h"

#include "../vs_fault.h"

#include "../../kernels/vsk.h"

static const char registered[] =
    "SELECT (SELECT count(*) FROM pragma_function_list WHERE name LIKE 'vec\\_%' ESCAPE '\\') +"
    " (SELECT count(*) FROM pragma_module_list WHERE name LIKE 'vec\\_%' ESCAPE '\\')";

static void loading_twice_is_harmless(void **state)
{
    sqlite3 *db = vs_test_open();
    char *message = NULL, *before = NULL;
    (void)state;
    vs_test_query(db, registered, &before);
    assert_int_equal(sqlite3_vecshard_init(db, &message, NULL), SQLITE_OK);
    assert_null(message);
    vs_test_gives(db, registered, before);
    vs_test_gives(db, "SELECT vec_norm('[3,4]')", "5.0");
    sqlite3_free(before);
    vs_test_close(db);
}

static void load(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    char *message = NULL;
    (void)argc;
    (void)argv;
    sqlite3_result_int(ctx, sqlite3_vecshard_init(sqlite3_context_db_handle(ctx), &message, NULL));
    sqlite3_free(message);
}

static void loading_inside_a_running_statement_works_once_and_again(void **state)
{
    sqlite3 *db = NULL;
    (void)state;
    sqlite3_open(":memory:", &db);
    sqlite3_create_function(db, "load", 0, SQLITE_UTF8, NULL, load, NULL, NULL);
    vs_test_gives(db, "SELECT load()", "0");
    vs_test_gives(db, "SELECT load()", "0");
    vs_test_gives(db, "SELECT vec_norm('[3,4]')", "5.0");
    vs_test_close(db);
}

static void every_failed_allocation_leaves_nothing_registered(void **state)
{
    (void)state;
    int64_t live = vs_fault_live();
    for (int n = 1, failed = 1; failed; n++) {
        sqlite3 *db = NULL;
        char *message = NULL;
        assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
        vs_fault_arm(n, 0);
        int rc = sqlite3_vecshard_init(db, &message, NULL);
        failed = vs_fault_disarm() > 0;
        if (rc != SQLITE_OK) {
            assert_true(failed);
            vs_test_gives(db, registered, "0");
        } else {
            vs_test_gives(db, "SELECT vec_norm('[3,4]')", "5.0");
        }
        sqlite3_free(message);
        vs_test_close(db);
        assert_int_equal(vs_fault_live(), live);
    }
}

static void auto_extension_gives_it_to_every_connection(void **state)
{
    sqlite3 *db = NULL;
    (void)state;
    sqlite3_auto_extension((void (*)(void))sqlite3_vecshard_init);
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    vs_test_gives(db, "SELECT vec_version()", "v0.1.0");
    sqlite3_cancel_auto_extension((void (*)(void))sqlite3_vecshard_init);
    vs_test_close(db);
}

static void no_message_pointer_is_no_problem(void **state)
{
    sqlite3 *db = NULL;
    (void)state;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_vecshard_init(db, NULL, NULL), SQLITE_OK);
    vs_test_close(db);
}

/* Runs first: the level is chosen once per process. */
static void an_unknown_level_is_refused_with_the_list(void **state)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    (void)state;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    setenv("VECSHARD_CPU", "turbo", 1);
    assert_int_equal(sqlite3_vecshard_init(db, &message, NULL), SQLITE_ERROR);
    assert_string_equal(message, "vecshard: the environment variable VECSHARD_CPU is 'turbo', and "
                                 "the levels are scalar, sse2, "
                                 "avx2, avx512, neon");
    sqlite3_free(message);
    vs_test_gives(db, registered, "0");
    setenv("VECSHARD_CPU", "scalar", 1);
    message = NULL;
    assert_int_equal(sqlite3_vecshard_init(db, &message, NULL), SQLITE_OK);
    assert_int_equal(vsk_level_in_use(), VSK_SCALAR);
    unsetenv("VECSHARD_CPU");
    vs_test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_level_is_refused_with_the_list),
        cmocka_unit_test(loading_twice_is_harmless),
        cmocka_unit_test(loading_inside_a_running_statement_works_once_and_again),
        cmocka_unit_test(every_failed_allocation_leaves_nothing_registered),
        cmocka_unit_test(auto_extension_gives_it_to_every_connection),
        cmocka_unit_test(no_message_pointer_is_no_problem),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
