/*
 * test_index_reference.c - a vecshard table behaves as a plain table with the same rows does.
 *
 * One random generator makes statements; each runs on the vecshard table (or, with content=, on the
 * table that it indexes) and, with the name replaced, on the plain table `ref`. Both must succeed
 * or fail alike. Now and then all rows are compared, and searches of every form with brute force
 * over `ref`: the same rows, the same distances, bit by bit; also in copies of the database, after
 * reopening it, and without the right to write. What there is, and how it varies, is in model.h.
 *
 *   VS_INDEX_SECONDS  time for new cases (default 8)
 *   VS_INDEX_FIRST    the first case (default 1)
 *   VS_INDEX_CASE     runs this one case and no other: what a failure prints
 *   VECSHARD_CPU      the level of the kernels, as for any program
 */
#include "model.h"

#include <time.h>
#include <unistd.h>

#define STEPS 60 /* of one case */

static void remove_file(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < VS_TEST_COUNT(suffixes) && path[0] != '\0'; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)remove(name);
    }
}

/* Where the tables are, and what the database is like. */
static void choose_database(model *test)
{
    static const char *const schemas[] = {"main", "main", "main", "other", "temp"};
    test->schema = schemas[model_pick(test, VS_TEST_COUNT(schemas))];
    if (model_pick(test, 2) == 0) {
        (void)snprintf(test->path, sizeof test->path, "index_reference_%ld.db", (long)getpid());
        (void)snprintf(test->other, sizeof test->other, "index_other_%ld.db", (long)getpid());
        test->is_wal = strcmp(test->schema, "temp") != 0 && model_pick(test, 3) == 0;
    }
    test->page_size = 512 << model_pick(test, 8);
    test->auto_vacuum = model_pick(test, 3) == 0 ? (int)model_pick(test, 3) : 0;
    test->secure_delete = model_pick(test, 2) > 0;
}

static void choose_columns(model *test)
{
    test->vectors = model_pick(test, 2) > 0 ? 1 : 1 + (int)model_pick(test, MODEL_VECTORS);
    for (int i = 0; i < test->vectors; i++) {
        test->kinds[i] = model_any_kind(test);
    }
    test->has_key = model_pick(test, 3) > 0;
    test->is_content = model_pick(test, 3) == 0;
}

static void run_case(uint64_t seed)
{
    model test;
    memset(&test, 0, sizeof test);
    test.seed = seed;
    test.random = seed * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < 8; i++) {
        (void)vs_test_random(&test.random);
    }
    test.table = "t";
    choose_columns(&test);
    choose_database(&test);
    remove_file(test.path);
    remove_file(test.other);
    model_open(&test);
    model_create(&test);
    model_steps(&test, STEPS);
    model_compare_rows(&test);
    model_check(&test);
    if (test.depth > 0) {
        model_run(&test, "ROLLBACK");
        test.depth = 0;
    }
    model_compare_rows(&test);
    model_check(&test);
    model_drop(&test);
    model_run(&test, "SELECT vec_config('cache_mb', 256), vec_config('threads', 0)");
    model_close(&test);
    remove_file(test.path);
    remove_file(test.other);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void a_vecshard_table_equals_a_plain_one(void **state)
{
    time_t end = time(NULL) + (time_t)number_of("VS_INDEX_SECONDS", 8);
    uint64_t first = number_of("VS_INDEX_FIRST", 1), seed = first;
    (void)state;
    if (getenv("VS_INDEX_CASE") != NULL) {
        run_case(number_of("VS_INDEX_CASE", 1));
        return;
    }
    for (; time(NULL) < end || seed < first + 10; seed++) {
        run_case(seed);
    }
    print_message("%llu cases\n", (unsigned long long)(seed - first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vecshard_table_equals_a_plain_one),
    };
    const char *folder = getenv("VS_TEST_DIR"); /* files are made where the run keeps its scratch */
    if (folder != NULL && chdir(folder) != 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
