/*
 * test_listed_memory.c - searches that list the rows which conditions leave, without memory.
 *
 * The same search runs again and again, the n-th allocation failing: that one alone, then that one
 * and all after it, until a run meets no failure; with cells in memory and not yet, with and without
 * front planes, and where candidates outgrow their room. Each time it gives the right rows or
 * SQLITE_NOMEM, and in the end all memory came back.
 */
#include "../filter_fixture.h"

#include "../vs_fault.h"

static char *memory_expected(const filter_table *table, const char *condition, int k)
{
    char *expected = NULL;
    char *sql = sqlite3_mprintf(
        "SELECT id, vec_distance_%s(v, (SELECT v FROM query WHERE no = 0)) AS d FROM plain "
        "WHERE v IS NOT NULL AND %s ORDER BY d, id LIMIT %d",
        table->metric, condition, k);
    assert_int_equal(vs_test_query(table->db, sql, &expected), SQLITE_OK);
    sqlite3_free(sql);
    return expected;
}

/* Returns how many runs it took. */
static int64_t memory_fail_each(filter_table *table, const char *condition, int k,
                                int is_persistent)
{
    char *expected = memory_expected(table, condition, k);
    char *sql = sqlite3_mprintf("SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM query "
                                "WHERE no = 0) AND %s AND k = %d",
                                condition, k);
    int64_t failures = 1, n = 0;
    while (failures > 0) {
        char *result = NULL;
        vs_fault_arm(++n, is_persistent);
        int rc = vs_test_query(table->db, sql, &result);
        failures = vs_fault_disarm();
        if (rc != SQLITE_OK && (rc != SQLITE_NOMEM || failures == 0)) {
            fail_msg("%s: allocation %lld fails: result %d, %s", sql, (long long)n, rc,
                     sqlite3_errmsg(table->db));
        }
        /* the text of the result may lack memory, too */
        if (rc == SQLITE_OK && result != NULL && strcmp(result, expected) != 0) {
            fail_msg("%s: allocation %lld fails: other rows: %s", sql, (long long)n, result);
        }
        sqlite3_free(result);
    }
    sqlite3_free(sql);
    sqlite3_free(expected);
    return n;
}

static void memory_check(filter_table table, int equal, const char *condition, int k)
{
    int64_t live = vs_fault_live();
    int64_t runs = 0;
    filter_open(&table, equal);
    vs_test_run(table.db, "SELECT vec_config('threads', 1)");
    for (int round = 0; round < 4; round++) {
        vs_test_run(table.db, "INSERT OR REPLACE INTO query SELECT 0, v FROM plain WHERE id = "
                              "(SELECT max(id) FROM plain)");
        runs += memory_fail_each(&table, condition, k, round % 2);
        if (round == 1) {
            filter_learn(&table);
        }
    }
    print_message("%lld runs\n", (long long)runs);
    filter_close(&table);
    assert_int_equal(vs_fault_live(), live);
}

static void rows_of_all_cells(void **state)
{
    (void)state;
    memory_check((filter_table){.metric = "l2", .rows = 12000, .dim = 200, .noise = 0.02f}, 12001,
                 "n < 100", 10);
}

static void rows_of_few_cells_in_another_metric(void **state)
{
    (void)state;
    memory_check((filter_table){.metric = "cosine", .rows = 3000, .dim = 100, .noise = 2.0f}, 3001,
                 "c < 20", 64);
}

/* More candidates than there is room for in the beginning. */
static void equal_rows(void **state)
{
    (void)state;
    memory_check((filter_table){.metric = "l2", .rows = 6000, .dim = 40, .noise = 0.1f}, 1100,
                 "n < 245", 10);
}

int main(void)
{
    vs_fault_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_all_cells),
        cmocka_unit_test(rows_of_few_cells_in_another_metric),
        cmocka_unit_test(equal_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
