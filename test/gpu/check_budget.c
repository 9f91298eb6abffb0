/*
 * check_budget.c - searches beside a neighbour that takes the card's memory: no search fails, answers
 * are right, the budget holds, and what others need is given up.
 *
 * With the real module (real.h) the neighbour is a process, test/gpu/ballast.cu, which the
 * environment's VECSHARD_BALLAST names; with the fake, its switches.
 */
#define _GNU_SOURCE

#include "sql_fixture.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUDGET_LEFT_MB 100
#define BUDGET_SLACK (64 * MANAGER_MIB) /* in which a pool grows */
#define BUDGET_CALM_NS 1500000000       /* in which memory is given up: some looks of the watcher */

/* ---- the neighbour --------------------------------------------------------------------------- */

typedef struct budget_ballast {
    vsg_fake *fake;  /* NULL: a process */
    uint64_t leave;  /* bytes, to which it grows */
    uint64_t before; /* bytes that were free without it */
    pid_t pid;
    int input, output; /* of the process */
} budget_ballast;

/* Bytes of the card that are free; once there is a context, as the device says. */
static uint64_t budget_free(void)
{
    vsg_info info;
    vsg_memory memory;
    memset(&info, 0, sizeof info);
    memset(&memory, 0, sizeof memory);
    if (vs_gpu_enter()) {
        int rc = vs_gpu.api->device_memory(vs_gpu.device, &memory);
        vs_gpu_leave();
        assert_int_equal(rc, VSG_OK);
        return memory.free_bytes;
    }
    assert_int_equal(vs_gpu.api->probe(0, &info), VSG_OK);
    return info.free_bytes;
}

/* The fake's neighbours take or give back until so much is free. */
static void budget_fake_leave(vsg_fake *fake, uint64_t bytes)
{
    uint64_t now = budget_free();
    if (now > bytes) {
        atomic_fetch_add(&fake->others_bytes, now - bytes);
    }
}

static void budget_start_process(budget_ballast *self, uint64_t start_mb)
{
    const char *program = getenv("VECSHARD_BALLAST");
    char start[32], leave[32], said[8] = "";
    int to[2], from[2];
    if (program == NULL) {
        fail_msg("VECSHARD_BALLAST names no program");
    }
    (void)snprintf(start, sizeof start, "%llu", (unsigned long long)start_mb);
    (void)snprintf(leave, sizeof leave, "%d", BUDGET_LEFT_MB);
    assert_true(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
    char name[] = "ballast", hold[] = "hold", grow[] = "grow";
    char *const arguments[] = {name, self->leave != 0 ? grow : hold, start,
                               self->leave != 0 ? leave : NULL, NULL};
    posix_spawn_file_actions_t files;
    assert_int_equal(posix_spawn_file_actions_init(&files), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&files, to[0], 0), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&files, from[1], 1), 0);
    if (posix_spawn(&self->pid, program, &files, NULL, arguments, environ) != 0) {
        fail_msg("%s cannot be started", program);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    (void)close(to[0]);
    (void)close(from[1]);
    self->input = to[1];
    self->output = from[0];
    if (read(self->output, said, 5) != 5 || strcmp(said, "ready") != 0) {
        fail_msg("%s does not get ready", program);
    }
}

/* Takes all but start_mb; is_growing: and then more and more. */
static void budget_start(budget_ballast *self, vsg_fake *fake, uint64_t start_mb, int is_growing)
{
    memset(self, 0, sizeof *self);
    self->leave = is_growing ? BUDGET_LEFT_MB * MANAGER_MIB : 0;
    self->before = budget_free();
    if (fake != vsg_real_nothing()) {
        self->fake = fake;
        budget_fake_leave(fake, start_mb * MANAGER_MIB);
    } else {
        budget_start_process(self, start_mb);
    }
}

static void budget_grow(budget_ballast *self)
{
    if (self->fake != NULL && self->leave != 0) {
        uint64_t now = budget_free(), step = 64 * MANAGER_MIB;
        budget_fake_leave(self->fake, now > self->leave + step ? now - step : self->leave);
    }
}

static void budget_stop(budget_ballast *self)
{
    int status = 0;
    if (self->fake != NULL) {
        atomic_store(&self->fake->others_bytes, 0);
        return;
    }
    (void)close(self->input);
    assert_int_equal(waitpid(self->pid, &status, 0), self->pid);
    (void)close(self->output);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* until the driver has freed it all; a context and a column may have come meanwhile */
    for (int i = 0; i < 100 && budget_free() + 2048 * MANAGER_MIB < self->before; i++) {
        (void)usleep(100000);
    }
}

/* ---- what must hold -------------------------------------------------------------------------- */

static vs_gpu_info budget_look(void)
{
    vs_gpu_info info;
    vs_gpu_read_info(&info);
    assert_true(info.used_bytes <= info.budget_bytes);
    return info;
}

static uint64_t budget_fallbacks(const vs_gpu_info *info)
{
    return info->fallbacks[VS_GPU_BUDGET] + info->fallbacks[VS_GPU_COLD];
}

/* Both tables; how often the GPU answered. */
static int budget_search(sqlite3 *db)
{
    int answered = strcmp(sql_same(db, sql_docs_search, "gpu"), "none") == 0;
    answered += strcmp(sql_same(db, sql_t_search, "gpu"), "none") == 0;
    (void)budget_look();
    return answered;
}

static int64_t budget_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What was refused is tried again a minute later. */
static void budget_recover(sqlite3 *db)
{
    manager_step_clock(61);
    sql_same_warm(db, sql_docs_search);
    sql_same_warm(db, sql_t_search);
}

/* ---- scenarios ------------------------------------------------------------------------------- */

static void budget_full(vsg_fake *fake)
{
    budget_ballast ballast;
    sqlite3 *db = sql_open(NULL, 0);
    sql_make_both(db, 2000);
    vs_gpu_info info = budget_look(); /* opens the module, but no device */
    assert_int_equal(info.state, VS_GPU_READY);
    budget_start(&ballast, fake, BUDGET_LEFT_MB, 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(budget_search(db), 0);
        assert_int_equal(sql_number(db, "SELECT vec_gpu_load('docs', 'v', 'f16')"), 0);
    }
    info = budget_look();
    assert_int_equal(info.state, VS_GPU_READY);
    assert_true(info.fallbacks[VS_GPU_BUDGET] >= 10);
    assert_int_equal(info.segments, 0);
    budget_stop(&ballast);
    budget_recover(db);
    vs_test_close(db);
}

static void a_full_card_is_left_alone(void **state)
{
    (void)state;
    sql_scenario(budget_full);
}

/* Searches until the card has been short for a while. */
static void budget_search_until_short(sqlite3 *db, budget_ballast *ballast)
{
    int64_t end = budget_now_ns() + 30000000000, short_since = 0;
    while (short_since == 0 || budget_now_ns() - short_since < BUDGET_CALM_NS) {
        (void)budget_search(db);
        budget_grow(ballast);
        vs_gpu_info info = budget_look();
        int is_short = budget_free() < info.low_water_bytes;
        short_since = !is_short ? 0 : short_since != 0 ? short_since : budget_now_ns();
        if (budget_now_ns() > end) {
            fail_msg("the neighbour does not take the memory that others leave");
        }
    }
}

static void budget_grown(vsg_fake *fake)
{
    budget_ballast ballast;
    sqlite3 *db = sql_open(NULL, 0);
    sql_make_both(db, 2000);
    sql_same_warm(db, sql_docs_search);
    sql_same_warm(db, sql_t_search);
    vs_gpu_info info = budget_look();
    assert_true(info.segments > 0);
    budget_start(&ballast, fake, (info.low_water_bytes >> 20) + 512, 1);
    uint64_t fallbacks = budget_fallbacks(&info);
    budget_search_until_short(db, &ballast);
    info = budget_look();
    assert_int_equal(info.segments, 0);
    assert_true(info.evictions > 0);
    for (int i = 0; i < 10; i++) { /* nothing comes back while it is short */
        assert_int_equal(budget_search(db), 0);
        info = budget_look();
        assert_int_equal(info.segments, 0);
    }
    assert_true(budget_fallbacks(&info) >= fallbacks + 20);
    budget_stop(&ballast);
    budget_recover(db);
    vs_test_close(db);
}

static void what_a_growing_neighbour_needs_is_given_up(void **state)
{
    (void)state;
    sql_scenario(budget_grown);
}

/* Tables of which not all find room above the low-water mark. */
static void budget_tables(vsg_fake *fake)
{
    const int is_real = fake == vsg_real_nothing(), tables = 6;
    const sql_shape shape = {"float32", VSK_F32, is_real ? 2048 : 256, FIXTURE_NORMAL,
                             is_real ? 4096 : 700};
    budget_ballast ballast;
    uint64_t least = UINT64_MAX;
    int loaded = 0;
    sqlite3 *db = sql_open(NULL, 0);
    sql_make_both(db, 300);
    vs_test_run(db, "SELECT vec_config('gpu_budget_mb', 4194304)"); /* more than there is */
    sql_same_warm(db, sql_docs_search);
    vs_gpu_info info = budget_look();
    budget_start(&ballast, fake, (info.low_water_bytes >> 20) + (is_real ? 200 : 8), 0);
    for (int i = 0; i < tables; i++) {
        sql_run(db, "CREATE TABLE d%d(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER)", i);
        char *name = sqlite3_mprintf("d%d", i);
        sql_fill(db, name, &shape, 1, 100 + (uint64_t)i);
        sqlite3_free(name);
        loaded += sql_number(db, "SELECT vec_gpu_load('d%d', 'v', 'f32')", i) > 0;
        info = budget_look();
        least = budget_free() < least ? budget_free() : least;
        sql_same(db, sql_docs_search, "gpu");
    }
    assert_true(least + BUDGET_SLACK >= info.low_water_bytes);
    assert_true(loaded > 0 && info.segments < (uint64_t)tables + 1); /* with docs, all would be */
    budget_stop(&ballast);
    budget_recover(db);
    vs_test_close(db);
}

static void loading_never_takes_the_memory_that_others_may_need(void **state)
{
    (void)state;
    sql_scenario(budget_tables);
}

/* A small budget, and tables that drive each other out. */
static void budget_small(vsg_fake *fake)
{
    (void)fake;
    sqlite3 *db = sql_open(NULL, 0);
    sql_make_both(db, 700);
    sql_same_warm(db, sql_docs_search);
    vs_gpu_info info = budget_look();
    for (int mb = (int)(info.used_bytes >> 20) + 8; mb >= 0; mb -= 1 + mb / 8) {
        sql_run(db, "SELECT vec_config('gpu_budget_mb', %d)", mb > 0 ? mb : 1);
        for (int i = 0; i < 3; i++) {
            (void)budget_search(db);
        }
    }
    vs_test_run(db, "SELECT vec_config('gpu_budget_mb', 0)");
    budget_recover(db);
    vs_test_close(db);
}

static void a_shrinking_budget_holds_at_every_moment(void **state)
{
    (void)state;
    sql_scenario(budget_small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_card_is_left_alone),
        cmocka_unit_test(what_a_growing_neighbour_needs_is_given_up),
        cmocka_unit_test(loading_never_takes_the_memory_that_others_may_need),
        cmocka_unit_test(a_shrinking_budget_holds_at_every_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
