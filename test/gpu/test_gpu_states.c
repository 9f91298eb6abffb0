/*
 * test_gpu_states.c - which module is opened, what is said where there is none, and that nothing
 * fails for lack of a GPU.
 */
#define _GNU_SOURCE

#include "manager_fixture.h"

#include <dlfcn.h>
#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

static void check_words(vs_gpu_state state, const char *words)
{
    vs_gpu_info info;
    vs_gpu_read_info(&info);
    if (info.state != state || strcmp(info.why, words) != 0) {
        (void)fprintf(stderr, "state %d: \"%s\"\n", (int)info.state, info.why);
        MANAGER_CHECK(0);
    }
}

/* Every function answers where there is no GPU to use. */
static void check_absent(vs_gpu_reason expected)
{
    manager_column column;
    vs_gpu_image *image = NULL;
    vs_gpu_reason reason;
    vs_gpu_cache_row row;
    manager_column_init(&column, 1, VS_GPU_INDEX, 100, 100);
    MANAGER_CHECK(vs_gpu_advise(&column.want, &image, &reason) == VS_GPU_TAKE_CPU);
    MANAGER_CHECK(image == NULL && reason == expected);
    MANAGER_CHECK(vs_gpu_image_make(&column.want, VS_GPU_PRECISION_F16, &reason) == NULL);
    MANAGER_CHECK(reason == expected);
    MANAGER_CHECK(vs_gpu_image_find(&column.want) == NULL);
    MANAGER_CHECK(!vs_gpu_is_likely(&column.want));
    MANAGER_CHECK(vs_gpu_evict(&column.want.key) == 0 && vs_gpu_evict(NULL) == 0);
    MANAGER_CHECK(vs_gpu_read_cache(&row, 1) == 0 && vs_gpu_read_cache(NULL, 0) == 0);
    vs_gpu_note_time(&column.want, 0, 100.0);
    vs_gpu_count_fallback(VS_GPU_BUSY, 1);
    vs_gpu_image_unref(NULL);
    vs_gpu_search_end(NULL);
    vs_gpu_fill_end(NULL, 1);
    vs_gpu_stop();
    vs_gpu_stop();
    manager_column_free(&column);
    MANAGER_CHECK(sqlite3_memory_used() == 0);
}

static void find_no_module(void)
{
    int status = 0;
    check_words(VS_GPU_NO_MODULE, "no module");
    check_absent(VS_GPU_ABSENT);
    (void)fflush(NULL);
    pid_t child = fork();
    MANAGER_CHECK(child >= 0);
    if (child == 0) { /* which has lost nothing by that */
        check_words(VS_GPU_NO_MODULE, "no module");
        check_absent(VS_GPU_ABSENT);
        _exit(0);
    }
    MANAGER_CHECK(waitpid(child, &status, 0) == child);
    MANAGER_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void without_a_module_the_cpu_answers(void **state)
{
    (void)state;
    manager_run_with(NULL, NULL, find_no_module);
    manager_run_with("/nowhere/vecshard_cuda.so", NULL, find_no_module);
}

/* A name without a folder would be looked for wherever the process stands. */
static void a_relative_name_is_not_taken(void **state)
{
    (void)state;
    assert_int_equal(chdir(manager_program_folder()), 0);
    manager_run_with("vecshard_cuda_fake.so", NULL, find_no_module);
    manager_run_with("./vecshard_cuda_fake.so", NULL, find_no_module);
}

static void find_it_off(void)
{
    check_words(VS_GPU_NO_MODULE, "switched off by VECSHARD_CUDA");
    check_absent(VS_GPU_ABSENT);
}

static void the_environment_switches_it_off(void **state)
{
    (void)state;
    manager_run_with(manager_fake_path(), "0", find_it_off);
}

static void find_another_library(void)
{
    check_words(VS_GPU_NO_MODULE, "the module is of another version");
    check_absent(VS_GPU_ABSENT);
}

static void find_no_library(void)
{
    vs_gpu_info info;
    vs_gpu_read_info(&info);
    MANAGER_CHECK(info.state == VS_GPU_NO_MODULE && strstr(info.why, "/proc/self/cmdline"));
    check_absent(VS_GPU_ABSENT);
}

static void a_file_that_is_no_module_is_refused(void **state)
{
    Dl_info library;
    char path[PATH_MAX];
    (void)state;
    assert_int_not_equal(dladdr(dlsym(RTLD_DEFAULT, "sqlite3_initialize"), &library), 0);
    assert_non_null(realpath(library.dli_fname, path));
    manager_run_with(path, NULL, find_another_library);
    manager_run_with("/proc/self/cmdline", NULL, find_no_library);
}

static void refuse_the_abi(vsg_fake *fake)
{
    atomic_store(&fake->has_wrong_abi, 1);
    check_words(VS_GPU_NO_MODULE, "the module is of another version");
    check_absent(VS_GPU_ABSENT);
}

static void have_no_driver(vsg_fake *fake)
{
    atomic_store(&fake->has_no_driver, 1);
    check_words(VS_GPU_NO_DEVICE, "no driver");
    atomic_store(&fake->has_no_driver, 0); /* for the life of the process */
    check_absent(VS_GPU_ABSENT);
    check_words(VS_GPU_NO_DEVICE, "no driver");
}

static void have_no_device(vsg_fake *fake)
{
    atomic_store(&fake->has_no_device, 1);
    check_absent(VS_GPU_ABSENT);
    check_words(VS_GPU_NO_DEVICE, "no device");
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    manager_run(refuse_the_abi);
    manager_run(have_no_driver);
    manager_run(have_no_device);
}

static void probe(vsg_fake *fake)
{
    vs_gpu_info info;
    MANAGER_CHECK(atomic_load(&vs_gpu.state) == VS_GPU_UNKNOWN);
    vs_gpu_read_info(&info);
    MANAGER_CHECK(info.state == VS_GPU_READY && fake->opens == 0);
    MANAGER_CHECK(strcmp(info.device.name, "Fake GPU") == 0);
    MANAGER_CHECK(info.device.total_bytes == 8192 * MANAGER_MIB);
    MANAGER_CHECK(info.budget_bytes == 2048 * MANAGER_MIB && info.used_bytes == 0);
    MANAGER_CHECK(info.low_water_bytes == 512 * MANAGER_MIB);
    manager_check_end(fake);
}

static void a_probe_makes_no_context(void **state)
{
    (void)state;
    manager_run(probe);
}

static void open_and_stop(vsg_fake *fake)
{
    manager_column column;
    manager_column_init(&column, 1, VS_GPU_INDEX, 100, 100);
    for (int i = 1; i <= 3; i++) { /* as when the last connection goes, and another comes */
        MANAGER_CHECK(manager_admit(&column) == VS_GPU_TAKE_GPU);
        MANAGER_CHECK(manager_state() == VS_GPU_OPEN && (int)fake->opens == i);
        manager_check_books(fake);
        vs_gpu_stop();
        MANAGER_CHECK(manager_state() == VS_GPU_READY && fake->bytes == 0);
    }
    manager_column_free(&column);
    manager_check_end(fake);
}

static void the_device_is_closed_with_the_last_connection_and_opened_again(void **state)
{
    (void)state;
    manager_run(open_and_stop);
}

/* Small tables, and modes that need no GPU, do not even look for one. */
static void stay_away(vsg_fake *fake)
{
    manager_column column;
    vs_gpu_image *image = NULL;
    vs_gpu_reason reason;
    manager_column_init(&column, 1, VS_GPU_INDEX, 100, 100);
    column.want.mode = VS_GPU_AUTO;
    MANAGER_CHECK(vs_gpu_advise(&column.want, &image, &reason) == VS_GPU_TAKE_CPU);
    MANAGER_CHECK(reason == VS_GPU_SMALL);
    column.want.mode = VS_GPU_OFF;
    MANAGER_CHECK(vs_gpu_advise(&column.want, &image, &reason) == VS_GPU_TAKE_CPU);
    MANAGER_CHECK(reason == VS_GPU_IS_OFF);
    column.want.mode = VS_GPU_PREFER;
    column.want.metric = VS_L1;
    MANAGER_CHECK(vs_gpu_advise(&column.want, &image, &reason) == VS_GPU_TAKE_CPU);
    MANAGER_CHECK(reason == VS_GPU_SHAPE);
    MANAGER_CHECK(atomic_load(&vs_gpu.state) == VS_GPU_UNKNOWN);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void searches_that_cannot_use_it_do_not_look_for_it(void **state)
{
    (void)state;
    manager_run(stay_away);
}

static void fail_to_open(vsg_fake *fake)
{
    manager_column column;
    vs_gpu_info info;
    manager_column_init(&column, 1, VS_GPU_INDEX, 100, 100);
    atomic_store(&fake->opening_fails, VSG_NO_MEMORY);
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_BUDGET);
    atomic_store(&fake->opening_fails, VSG_OK);
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_BUDGET); /* for a minute */
    manager_step_clock(61.0);
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_COLD);
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_NONE);
    vs_gpu_read_info(&info);
    MANAGER_CHECK(info.fallbacks[VS_GPU_BUDGET] == 2 && info.fallbacks[VS_GPU_COLD] == 1);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void die_at_opening(vsg_fake *fake)
{
    manager_column column;
    manager_column_init(&column, 1, VS_GPU_INDEX, 100, 100);
    atomic_store(&fake->opening_fails, VSG_DEAD);
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_ERROR);
    MANAGER_CHECK(manager_state() == VS_GPU_DEAD);
    manager_step_clock(1000.0);
    check_absent(VS_GPU_ERROR);
    MANAGER_CHECK(fake->late_calls == 0 && fake->opens == 0);
    manager_column_free(&column);
}

/* Every pinned buffer of the opening is refused in turn. */
static void have_no_room_to_open(vsg_fake *fake)
{
    manager_column column;
    vs_gpu_reason reason = VS_GPU_BUDGET;
    unsigned n = 0;
    manager_column_init(&column, 1, VS_GPU_INDEX, 100, 100);
    while (reason == VS_GPU_BUDGET && n < 100) {
        atomic_store(&fake->fail_pin, fake->pins + ++n);
        reason = manager_ask(&column);
        MANAGER_CHECK(reason != VS_GPU_BUDGET || (fake->bytes == 0 && fake->objects == 0));
        manager_step_clock(61.0);
    }
    MANAGER_CHECK(reason == VS_GPU_COLD && n > 2);
    MANAGER_CHECK(manager_ask(&column) == VS_GPU_NONE);
    manager_column_free(&column);
    manager_check_end(fake);
}

static void a_refused_opening_is_tried_again_after_a_minute(void **state)
{
    (void)state;
    manager_run(fail_to_open);
    manager_run(have_no_room_to_open);
}

static void an_opening_that_loses_the_context_is_the_last(void **state)
{
    (void)state;
    manager_run(die_at_opening);
}

/* ---- fork ---- */

/* In the child of a process with a search, a fill and an image: it lets go of them. */
static void be_a_child(vs_gpu_search *search, vs_gpu_fill *fill, vs_gpu_image *image)
{
    vs_gpu_reason reason = VS_GPU_NONE;
    uint32_t bits[1024] = {0};
    float row[16] = {0};
    check_words(VS_GPU_FORKED, "this process was forked");
    MANAGER_CHECK(vs_gpu_search_wait(search, NULL, NULL, &reason) == SQLITE_OK);
    MANAGER_CHECK(reason == VS_GPU_ERROR);
    MANAGER_CHECK(!vs_gpu_fill_segment(fill, 1) && !vs_gpu_fill_rows(fill, 0, 0, row, 1));
    MANAGER_CHECK(!vs_gpu_fill_live(fill, 0, bits));
    MANAGER_CHECK(vs_gpu_fill_begin(image) == NULL);
    vs_gpu_search_end(search);
    vs_gpu_fill_end(fill, 1);
    vs_gpu_image_unref(image);
    check_absent(VS_GPU_ABSENT);
    MANAGER_CHECK(vs_gpu.images == NULL && sqlite3_memory_used() == 0);
}

static void fork_beside_everything(vsg_fake *fake)
{
    manager_column column, other;
    vs_gpu_reason reason;
    float question[16] = {1.0f};
    int status = 0;
    manager_column_init(&column, 1, VS_GPU_INDEX, 300, 300);
    manager_column_init(&other, 2, VS_GPU_INDEX, 300, 300);
    MANAGER_CHECK(manager_admit(&column) == VS_GPU_TAKE_GPU);
    vs_gpu_image *image = vs_gpu_image_find(&column.want);
    vs_gpu_image *filled = vs_gpu_image_make(&other.want, VS_GPU_PRECISION_AUTO, &reason);
    vs_gpu_fill *fill = vs_gpu_fill_begin(filled);
    MANAGER_CHECK(vs_gpu_fill_segment(fill, 0));
    vs_gpu_query query = {VS_L2SQ, question, 1, 10, 0, 1e9, NULL, 300, vs_gpu_image_version(image)};
    vs_gpu_search *search = vs_gpu_search_begin(image, &query, &reason);
    MANAGER_CHECK(search != NULL);
    vs_gpu_image_unref(filled);
    (void)fflush(NULL);
    pid_t child = fork();
    MANAGER_CHECK(child >= 0);
    if (child == 0) {
        be_a_child(search, fill, image);
        MANAGER_CHECK(fake->forked_calls == 0);
        _exit(0);
    }
    MANAGER_CHECK(waitpid(child, &status, 0) == child);
    MANAGER_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    MANAGER_CHECK(vs_gpu_search_wait(search, NULL, NULL, &reason) == SQLITE_OK);
    MANAGER_CHECK(reason == VS_GPU_NONE);
    vs_gpu_search_end(search);
    vs_gpu_fill_end(fill, 0);
    MANAGER_CHECK(manager_search(image, &column, VS_L2, 1, 10) == VS_GPU_NONE);
    vs_gpu_image_unref(image);
    manager_column_free(&column);
    manager_column_free(&other);
    manager_check_end(fake);
}

static void a_child_never_calls_the_module(void **state)
{
    (void)state;
    manager_run(fork_beside_everything);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_module_the_cpu_answers),
        cmocka_unit_test(a_relative_name_is_not_taken),
        cmocka_unit_test(the_environment_switches_it_off),
        cmocka_unit_test(a_file_that_is_no_module_is_refused),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(a_probe_makes_no_context),
        cmocka_unit_test(the_device_is_closed_with_the_last_connection_and_opened_again),
        cmocka_unit_test(searches_that_cannot_use_it_do_not_look_for_it),
        cmocka_unit_test(a_refused_opening_is_tried_again_after_a_minute),
        cmocka_unit_test(an_opening_that_loses_the_context_is_the_last),
        cmocka_unit_test(a_child_never_calls_the_module),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
