/*
 * test_view_front.c - a front plane is learned from a table's searches, serves the ones that follow,
 * also the first one after a change, and changes no answer.
 */
#include "../index_race.h"

#define LEARNING_MAX 300 /* searches; far fewer are needed */
#define CHANGES 8

static sqlite3 *open_table(void)
{
    sqlite3 *db = race_open(":memory:");
    assert_non_null(db);
    vs_test_run(db, "SELECT vec_config('cache_mb', 256), vec_config('threads', 1);"
                    "CREATE VIRTUAL TABLE t USING vecshard(v float[128]);"
                    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < "
                    "10000) INSERT INTO t(rowid, v) SELECT i, test_near(i) FROM c");
    return db;
}

/* A search, compared with brute force. */
static void search(sqlite3 *db, unsigned seed)
{
    char *why = NULL;
    char *found = sqlite3_mprintf(
        "SELECT rowid, distance FROM t WHERE v MATCH test_near(%u) AND k = 10", seed);
    char *truth = sqlite3_mprintf("SELECT rowid, vec_distance_l2(v, test_near(%u)) AS d FROM t "
                                  "ORDER BY d, rowid LIMIT 10",
                                  seed);
    assert_int_equal(race_compare_sql(db, found, truth, &why), SQLITE_OK);
    if (why != NULL) {
        fail_msg("%s", why);
    }
    sqlite3_free(found);
    sqlite3_free(truth);
}

/* Rows that the front plane has left to the codes. */
static int64_t passed(sqlite3 *db)
{
    return race_integer(db, "SELECT sum(rows_passed_p) FROM vec_stats", 0);
}

static void learn(sqlite3 *db)
{
    for (unsigned i = 0; i < LEARNING_MAX && passed(db) == 0; i++) {
        search(db, 100000 + i);
    }
    assert_true(passed(db) > 0);
}

static void a_front_plane_is_learned_and_serves(void **state)
{
    sqlite3 *db = open_table();
    (void)state;
    learn(db);
    for (unsigned i = 0; i < CHANGES; i++) {
        int64_t before = passed(db);
        search(db, 200000 + i);
        assert_true(passed(db) > before);
    }
    vs_test_close(db);
}

static void the_first_search_after_a_change_has_front_planes(void **state)
{
    static const char *const changes[] = {
        "UPDATE t SET v = test_near(rowid + 300000) WHERE rowid = %u",
        "DELETE FROM t WHERE rowid = %u + 100",
        "INSERT INTO t(rowid, v) VALUES(20000 + %u, test_near(7))",
    };
    sqlite3 *db = open_table();
    (void)state;
    learn(db);
    for (unsigned i = 0; i < CHANGES; i++) {
        char *change = sqlite3_mprintf(changes[i % VS_TEST_COUNT(changes)], 1000 * (i + 1));
        int64_t before = passed(db);
        vs_test_run(db, change);
        search(db, 200000 + i);
        assert_true(passed(db) > before);
        sqlite3_free(change);
    }
    vs_test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_front_plane_is_learned_and_serves),
        cmocka_unit_test(the_first_search_after_a_change_has_front_planes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
