/*
 * test_id_map.c - where the ids of a table lie.
 */
#include "../search_fixture.h"

#include "../../ext/id_map.h"

static sqlite3 *db;
static vs_err err;

static int open_db(void **state)
{
    (void)state;
    db = vs_test_open();
    return 0;
}

static int close_db(void **state)
{
    (void)state;
    vs_test_close(db);
    return 0;
}

static vs_id_map survey(const char *table)
{
    vs_target target;
    vs_id_map map;
    assert_int_equal(vs_target_find(db, "who", table, "v", VSK_F32, &target, &err), SQLITE_OK);
    assert_int_equal(vs_id_map_survey(&target, "who", &map, &err), SQLITE_OK);
    vs_target_free(&target);
    fixture_nothing_is_open(db);
    return map;
}

/* Points lie within the ranges, rising, as many as there are. */
static void check_points(const vs_id_map *map)
{
    size_t n = vs_id_map_points(map, 256);
    int64_t last = INT64_MIN;
    assert_in_range(n, 1, 256);
    for (size_t i = 0; i < n; i++) {
        int64_t point = vs_id_map_point(map, i, n);
        int is_inside = 0;
        for (size_t r = 0; r < map->count; r++) {
            is_inside |= point >= map->ranges[r].lo && point <= map->ranges[r].hi;
        }
        assert_true(is_inside && point >= last);
        last = point;
    }
}

static void an_empty_table_has_no_ranges(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    vs_id_map map = survey("t");
    assert_int_equal(map.count, 0);
    assert_true(map.rows == 0.0);
    vs_test_run(db, "DROP TABLE t");
}

static void without_gaps_the_count_is_exact(void **state)
{
    static const int counts[] = {1, 2, 3, 50, 3000};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(counts); i++) {
        fixture_fill_line(db, "t", counts[i]);
        vs_id_map map = survey("t");
        assert_true(map.rows == counts[i]);
        check_points(&map);
        vs_test_run(db, "DROP TABLE t");
    }
}

/*
 * Blocks of ids far apart, at the ends of the number line too: within a factor of two, and every
 * point in a block.
 */
static void gaps_are_found(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); WITH RECURSIVE n(i) AS (SELECT 0 "
                    "UNION ALL SELECT i + 1 FROM n WHERE i < 999)"
                    "INSERT INTO t(id) SELECT i - 9223372036854775807 - 1 FROM n UNION ALL SELECT "
                    "i FROM n UNION ALL SELECT 9223372036854775807 - i FROM n");
    vs_id_map map = survey("t");
    assert_in_range(map.count, 1, VS_ID_RANGES_MAX);
    assert_true(map.ranges[0].lo == INT64_MIN && map.ranges[map.count - 1].hi == INT64_MAX);
    for (size_t i = 1; i < map.count; i++) {
        assert_true(map.ranges[i - 1].hi < map.ranges[i].lo);
    }
    assert_true(map.rows > 1500.0 && map.rows < 6000.0);
    check_points(&map);
    vs_test_run(db, "DROP TABLE t");
}

static void random_ids_are_estimated(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); WITH RECURSIVE n(i) AS (SELECT 1 "
                    "UNION ALL SELECT i + 1 FROM n WHERE i < 4000)"
                    "INSERT OR IGNORE INTO t(id) SELECT (i * 2654435761) % 4294967291 FROM n");
    vs_id_map map = survey("t");
    assert_true(map.rows > 1000.0 && map.rows < 16000.0);
    check_points(&map);
    vs_test_run(db, "DROP TABLE t");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_has_no_ranges),
        cmocka_unit_test(without_gaps_the_count_is_exact),
        cmocka_unit_test(gaps_are_found),
        cmocka_unit_test(random_ids_are_estimated),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
