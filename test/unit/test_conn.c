/*
 * test_conn.c - the context of a connection lives as long as its last reference.
 */
#include "../vs_test.h"

#include "../vs_fault.h"

#include "../../ext/conn.h"

static int gone;

static void count_gone(void)
{
    gone++;
}

static void the_last_reference_frees_everything(void **state)
{
    vs_counters counters = {.calls = 1};
    int64_t live = vs_fault_live();
    (void)state;
    gone = 0;
    vs_conn *conn = vs_conn_new(NULL);
    conn->after_free = count_gone;
    assert_ptr_equal(vs_conn_ref(conn), conn);
    for (int i = 0; i < VS_MEMO_COUNT; i++) {
        assert_non_null(vs_scratch_get(&conn->scratch[i], 1000));
        assert_non_null(vs_scratch_get(&conn->memo[i].text, 1000));
        assert_non_null(vs_scratch_get(&conn->memo[i].vector, 1000));
    }
    vs_metrics_add(&conn->metrics, "docs.embedding", "vec_search", "pass", &counters);
    vs_conn_unref(conn);
    assert_int_equal(gone, 0);
    assert_int_equal(conn->refs, 1);
    vs_conn_unref(conn);
    assert_int_equal(gone, 1);
    assert_int_equal(vs_fault_live(), live);
}

static void a_new_context_has_default_settings(void **state)
{
    (void)state;
    vs_conn *conn = vs_conn_new(NULL);
    assert_int_equal(conn->settings.norm_index, VS_NORM_INDEX_AUTO);
    assert_int_equal(conn->settings.stats, 1);
    vs_conn_unref(conn);
}

static void without_memory_there_is_no_context(void **state)
{
    (void)state;
    vs_fault_arm(1, 0);
    assert_null(vs_conn_new(NULL));
    assert_int_equal(vs_fault_disarm(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_reference_frees_everything),
        cmocka_unit_test(a_new_context_has_default_settings),
        cmocka_unit_test(without_memory_there_is_no_context),
    };
    vs_fault_install();
    sqlite3_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
