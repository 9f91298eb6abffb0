/*
 * test_dispatch.c - which kernels run. vsk_init chooses once per process, so each limit is tried in
 * a child of its own.
 */
#include "kernel_test.h"

#include <pthread.h>
#include <sys/wait.h>

static int dispatch_has(vsk_level level)
{
    vsk_table table;
    return vsk_table_for_level(level, &table) == 0;
}

/* Exit status of `body` in a child process. */
static int dispatch_in_child(int (*body)(const void *), const void *argument)
{
    int status = -1;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        _exit(body(argument));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int dispatch_init_level(const void *limit)
{
    return vsk_init(limit) == 0 ? (int)vsk_level_in_use() : 255;
}

static void a_limit_chooses_it_or_the_best_level_below(void **state)
{
    (void)state;
    int best = VSK_SCALAR;

    for (int level = 0; level < VSK_LEVEL_COUNT; level++) {
        const char *name = vsk_level_name((vsk_level)level);
        if (dispatch_has((vsk_level)level)) {
            best = level;
        } else {
            print_message("level %s: not on this machine\n", name);
        }
        assert_int_equal(dispatch_in_child(dispatch_init_level, name), best);
    }
    assert_int_equal(dispatch_in_child(dispatch_init_level, NULL), best);
}

static int dispatch_unknown_then_known(const void *unknown)
{
    return vsk_init(unknown) == -1 && vsk_init("scalar") == 0 && vsk_level_in_use() == VSK_SCALAR &&
                   vsk_init(unknown) == -1 && vsk_init(NULL) == 0 &&
                   vsk_level_in_use() == VSK_SCALAR
               ? 0
               : 1;
}

static void an_unknown_name_is_refused_and_chooses_nothing(void **state)
{
    (void)state;
    static const char *const unknown[] = {"", "sse", "AVX2", "avx512vnni", "scalar "};

    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_int_equal(dispatch_in_child(dispatch_unknown_then_known, unknown[i]), 0);
    }
}

static void *dispatch_thread(void *argument)
{
    (void)argument;
    if (vsk_init(NULL) != 0 || vsk_get()->dot[VSK_F32] == NULL || vsk_get()->jaccard == NULL) {
        return (void *)vsk_get();
    }
    return NULL;
}

static int dispatch_race(const void *argument)
{
    pthread_t threads[8];
    int failed = 0;

    (void)argument;
    for (int i = 0; i < 8; i++) {
        failed |= pthread_create(&threads[i], NULL, dispatch_thread, NULL) != 0;
    }
    for (int i = 0; i < 8 && !failed; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        failed |= result != NULL;
    }
    return failed;
}

static void threads_that_initialise_together_all_see_the_whole_table(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(dispatch_in_child(dispatch_race, NULL), 0);
    }
}

/* Every pointer that vsk.h promises, by the offsets of the scalar kernels, and no other. */
static void every_level_fills_the_promised_entries(void **state)
{
    (void)state;
    for (int level = 0; level < VSK_LEVEL_COUNT; level++) {
        vsk_table table;
        if (vsk_table_for_level((vsk_level)level, &table) != 0) {
            continue;
        }
        for (int type = 0; type < VSK_TYPE_COUNT; type++) {
            int is_float = type == VSK_F32 || type == VSK_F16 || type == VSK_BF16;
            int is_half = type == VSK_F16 || type == VSK_BF16;
            int has_pair = type != VSK_BIT;
            assert_int_equal(table.dot[type] != NULL, has_pair);
            assert_int_equal(table.l2sq[type] != NULL, has_pair);
            assert_int_equal(table.l1[type] != NULL, has_pair);
            assert_int_equal(table.sumsq[type] != NULL, has_pair);
            assert_int_equal(table.triple[type] != NULL, has_pair);
            assert_int_equal(table.rank_dot[type] != NULL, is_float);
            assert_int_equal(table.rank_l2sq[type] != NULL, is_float);
            assert_int_equal(table.rank_l1[type] != NULL, is_float);
            assert_int_equal(table.rank_dot_sumsq[type] != NULL, is_float);
            assert_int_equal(table.to_f32[type] != NULL, is_half || type == VSK_I8);
            assert_int_equal(table.from_f32[type] != NULL, is_half);
            assert_int_equal(table.find_nonfinite[type] != NULL, is_float);
        }
        assert_non_null(table.hamming);
        assert_non_null(table.jaccard);
        assert_non_null(table.tile_dot);
        assert_non_null(table.tile_l2sq);
    }
}

/*
 * vsk_kernel_at against the list of kernels: same count as the table has pointers, and the level
 * that owns each pointer.
 */
static int dispatch_kernels_told(const void *limit)
{
    size_t row_count;
    const vsk_kernel_row *rows = vsk_kernel_rows(&row_count);
    size_t pointers = 0;
    size_t told = 0;
    vsk_kernel_info info;
    const char *table;

    if (vsk_init(limit) != 0) {
        return 1;
    }
    table = (const char *)vsk_get();
    for (size_t offset = 0; offset < sizeof(vsk_table); offset += sizeof(vsk_any_fn)) {
        vsk_any_fn fn;
        memcpy(&fn, table + offset, sizeof fn);
        pointers += fn != NULL;
    }
    for (; vsk_kernel_at(told, &info); told++) {
        const vsk_kernel_row *owner = NULL;
        for (size_t i = 0; i < row_count; i++) {
            if (test_is(&rows[i], info.operation) && rows[i].type == info.type &&
                memcmp(table + rows[i].offset, &rows[i].fn, sizeof rows[i].fn) == 0) {
                owner = &rows[i];
            }
        }
        if (owner == NULL || strcmp(owner->level, info.level) != 0) {
            return 2;
        }
    }
    return told == pointers && !vsk_kernel_at(told, &info) && !vsk_kernel_at(SIZE_MAX, &info) ? 0
                                                                                              : 3;
}

static void vsk_kernel_at_tells_the_level_of_every_pointer_in_the_table(void **state)
{
    (void)state;
    for (int level = 0; level < VSK_LEVEL_COUNT; level++) {
        assert_int_equal(dispatch_in_child(dispatch_kernels_told, vsk_level_name((vsk_level)level)),
                         0);
    }
}

/*
 * The last kernel of the list that has this offset, a level name that begins with `level`, and needs
 * nothing that this CPU lacks.
 */
static const vsk_kernel_row *dispatch_best_of_level(size_t offset, const char *level)
{
    const vsk_kernel_row *best = NULL;
    const vsk_kernel_row *row;

    for (size_t i = 0; (row = test_kernel(&i)) != NULL;) {
        if (row->offset == offset && strncmp(row->level, level, strlen(level)) == 0) {
            best = row;
        }
    }
    return best;
}

static void a_level_runs_its_own_kernels(void **state)
{
    (void)state;
    for (int level = 0; level < VSK_LEVEL_COUNT; level++) {
        const char *name = vsk_level_name((vsk_level)level);
        vsk_table table;
        size_t own = 0;
        if (vsk_table_for_level((vsk_level)level, &table) != 0) {
            continue;
        }
        for (size_t offset = 0; offset < sizeof table; offset += sizeof(vsk_any_fn)) {
            const vsk_kernel_row *best = dispatch_best_of_level(offset, name);
            if (best != NULL) {
                assert_memory_equal((const char *)&table + offset, &best->fn, sizeof best->fn);
                own++;
            }
        }
        print_message("level %s: %zu kernels of its own\n", name, own);
        assert_true(own > 0);
    }
}

/* No kernel is listed twice, and no level has two for one entry. */
static void every_kernel_is_listed_once(void **state)
{
    (void)state;
    size_t count;
    const vsk_kernel_row *rows = vsk_kernel_rows(&count);

    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            int same_level = strcmp(rows[i].level, rows[j].level) == 0;
            assert_false(rows[i].offset == rows[j].offset && same_level);
            assert_ptr_not_equal((void *)(uintptr_t)rows[i].fn, (void *)(uintptr_t)rows[j].fn);
        }
    }
}

static void names_and_sizes_are_those_of_the_header(void **state)
{
    (void)state;
    assert_string_equal(vsk_type_name(VSK_F32), "float32");
    assert_string_equal(vsk_type_name(VSK_F16), "float16");
    assert_string_equal(vsk_type_name(VSK_BF16), "bfloat16");
    assert_string_equal(vsk_type_name(VSK_I8), "int8");
    assert_string_equal(vsk_type_name(VSK_BIT), "bit");
    for (int type = 0; type < VSK_TYPE_COUNT; type++) {
        assert_int_equal(vsk_bytes((vsk_type)type, 24), test_bytes((vsk_type)type, 24));
    }
    for (int level = 0; level < VSK_LEVEL_COUNT; level++) {
        const char *name = vsk_level_name((vsk_level)level);
        if (dispatch_has((vsk_level)level)) {
            assert_non_null(strstr(vsk_levels_compiled(), name));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_chooses_it_or_the_best_level_below),
        cmocka_unit_test(an_unknown_name_is_refused_and_chooses_nothing),
        cmocka_unit_test(threads_that_initialise_together_all_see_the_whole_table),
        cmocka_unit_test(every_level_fills_the_promised_entries),
        cmocka_unit_test(a_level_runs_its_own_kernels),
        cmocka_unit_test(vsk_kernel_at_tells_the_level_of_every_pointer_in_the_table),
        cmocka_unit_test(every_kernel_is_listed_once),
        cmocka_unit_test(names_and_sizes_are_those_of_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
