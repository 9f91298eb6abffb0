/*
 * test_gpu_threads.c - four threads search, fill, evict, change the budget and look, all at once:
 * every answer is right, books hold, and nothing is left.
 */
#define _POSIX_C_SOURCE 200809L

#include "manager_fixture.h"

#include <pthread.h>

#define THREADS 4
#define SHARED 4
#define STEPS 1500

static manager_column shared_columns[SHARED];
static atomic_int answers;
static vsg_fake *card;

typedef struct worker {
    pthread_t thread;
    uint64_t random;
    manager_column own; /* a table: of this connection alone */
} worker;

/* A search that is left before it has ended. */
static void leave_early(manager_column *column)
{
    float question[16] = {1.0f};
    vs_gpu_reason reason;
    vs_gpu_image *image = vs_gpu_image_find(&column->want);
    if (image == NULL) {
        return;
    }
    vs_gpu_query query = {
        VS_DOT, question, 1, 5, -1e9, 1e9, NULL, 300, vs_gpu_image_version(image)};
    vs_gpu_search_end(vs_gpu_search_begin(image, &query, &reason));
    vs_gpu_image_unref(image);
}

static void look_around(manager_column *column)
{
    vs_gpu_info info;
    vs_gpu_cache_row rows[32];
    vs_gpu_read_info(&info);
    MANAGER_CHECK(info.state == VS_GPU_OPEN || info.state == VS_GPU_READY ||
                  info.state == VS_GPU_DEAD);
    MANAGER_CHECK(vs_gpu_read_cache(rows, 32) <= 32);
    (void)vs_gpu_is_likely(&column->want);
    vs_gpu_note_time(&column->want, 1, 100.0);
}

static void change_budget(uint64_t random)
{
    vs_gpu_settings settings;
    vs_gpu_read_settings(&settings);
    settings.budget_mb = 36 + (int)(random % 16);
    vs_gpu_set_settings(&settings);
}

static void *work(void *arg)
{
    worker *self = arg;
    for (int step = 0; step < STEPS; step++) {
        uint64_t random = vs_test_random(&self->random);
        manager_column *column =
            random % 5 == 0 ? &self->own : &shared_columns[random / 8 % SHARED];
        switch (random / 64 % 16) {
        case 0:
            (void)vs_gpu_evict(&column->want.key);
            break;
        case 1:
            change_budget(random / 1024);
            break;
        case 2:
            leave_early(column);
            break;
        case 3:
            look_around(column);
            break;
        case 4:
            atomic_store(&card->others_bytes, random / 1024 % 16 == 0 ? 8ull << 30 : 0);
            break;
        case 5:
            if (random / 1024 % 8 == 0) { /* as when a last connection closes */
                vs_gpu_stop();
            }
            break;
        default:
            atomic_fetch_add(&answers, manager_ask(column) == VS_GPU_NONE);
        }
        manager_step_clock(3.0);
    }
    return NULL;
}

static void work_at_once(vsg_fake *fake)
{
    static worker workers[THREADS];
    card = fake;
    manager_use_small_card(fake, 8);
    for (uint32_t i = 0; i < SHARED; i++) {
        manager_column_init(&shared_columns[i], i, VS_GPU_INDEX, 200 + 100 * i, 128);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i].random = 1234567 + i;
        manager_column_init(&workers[i].own, 10 + i, VS_GPU_TABLE, 200, 128);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        MANAGER_CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        MANAGER_CHECK(pthread_join(workers[i].thread, NULL) == 0);
    }
    MANAGER_CHECK(atomic_load(&answers) > STEPS / 10);
    manager_check_books(fake);
    for (uint32_t i = 0; i < SHARED; i++) {
        manager_column_free(&shared_columns[i]);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        manager_column_free(&workers[i].own);
    }
    manager_check_end(fake);
}

static void threads_use_it_at_once(void **state)
{
    (void)state;
    manager_run(work_at_once);
}

/* The context is lost while all are at it. */
static void lose_it_at_once(vsg_fake *fake)
{
    static worker workers[THREADS];
    card = fake;
    manager_use_small_card(fake, 12);
    for (uint32_t i = 0; i < SHARED; i++) {
        manager_column_init(&shared_columns[i], i, VS_GPU_INDEX, 300, 128);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i].random = 99 + i;
        workers[i].own = shared_columns[i];
    }
    atomic_store(&fake->die_at_query, 200);
    for (uint32_t i = 0; i < THREADS; i++) {
        MANAGER_CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        MANAGER_CHECK(pthread_join(workers[i].thread, NULL) == 0);
    }
    MANAGER_CHECK(manager_state() == VS_GPU_DEAD);
    vs_gpu_stop();
    MANAGER_CHECK(vs_gpu.images == NULL && sqlite3_memory_used() == 0);
    for (uint32_t i = 0; i < SHARED; i++) {
        manager_column_free(&shared_columns[i]);
    }
}

static void all_threads_survive_the_end_of_the_device(void **state)
{
    (void)state;
    manager_run(lose_it_at_once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_use_it_at_once),
        cmocka_unit_test(all_threads_survive_the_end_of_the_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
