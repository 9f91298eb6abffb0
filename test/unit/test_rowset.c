/*
 * test_rowset.c - the rows that conditions allow are those that SQL gives, slot by slot, in tables
 * with and without partitions, and a set is used again just as long as it is right.
 */
#include "../store_fixture.h"

#include "../../ext/rowset.h"

static store_fixture fixture;

#define ROWS 900

/* 16 rows of a cell. Rows come in an order that mixes partitions, and some are gone again. */
#define FILL                                                                                       \
    "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 900) INSERT INTO "   \
    "t(rowid, v, tenant, lang, n) SELECT i, CASE WHEN i % 50 THEN json_array(i) END, i % 7, "      \
    "substr('abc', 1 + i % 3, 1), i FROM r; DELETE FROM t WHERE rowid % 5 = 0"

static const char by_tenant[] =
    "CREATE VIRTUAL TABLE t USING vecshard(v float[1], tenant INTEGER PARTITION KEY, lang TEXT, "
    "n INTEGER, big int8[8000]);" FILL;
static const char in_one[] = "CREATE VIRTUAL TABLE t USING vecshard(v float[1], tenant INTEGER, "
                             "lang TEXT, n INTEGER, big int8[8000]);" FILL;
static const char in_large_cells[] =
    "CREATE VIRTUAL TABLE t USING vecshard(v float[1], tenant INTEGER PARTITION KEY, lang TEXT, "
    "n INTEGER);" FILL;

enum { COLUMN_TENANT = 1, COLUMN_LANG, COLUMN_N };

static vs_view *view_now(void)
{
    vs_view *view = NULL;
    vs_store_forget(&fixture.store);
    fixture_must(&fixture, vs_view_get(&fixture.store, 0, &view, &fixture.err));
    return view;
}

static void add(vs_conditions *conditions, int column, int op, const char *expression)
{
    sqlite3_value *value = fixture_value(fixture.db, expression);
    fixture_must(&fixture, vs_conditions_add(conditions, column, op, "", value, 0));
    sqlite3_value_free(value);
}

/* Marks what a statement gives: ids below ROWS + 1. */
static int mark_ids(const char *condition, uint8_t is_in[ROWS + 1])
{
    sqlite3_stmt *stmt = NULL;
    int count = 0;
    char *sql = sqlite3_mprintf("SELECT rowid FROM t WHERE %s", condition);
    memset(is_in, 0, ROWS + 1);
    assert_int_equal(sqlite3_prepare_v2(fixture.db, sql, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        is_in[sqlite3_column_int(stmt, 0)] = 1;
        count++;
    }
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return count;
}

/* The masks of a cell agree with the set's answers for its slots. */
static void check_mask(const vs_rowset *set, const vs_view *view, size_t cell)
{
    uint64_t words[VS_SLOTS_MAX / 64];
    for (size_t i = 0; i < set->words; i++) {
        words[i] = view->cells[cell].map[i];
    }
    vs_rowset_mask(set, cell, words, set->words);
    for (uint32_t slot = 0; slot < view->slots; slot++) {
        int is_left = (int)(words[slot / 64] >> (slot % 64) & 1);
        assert_int_equal(is_left, vs_cell_has(&view->cells[cell], slot) &&
                                      vs_rowset_has(set, cell, slot));
    }
}

/* The set holds just the rows that SQL gives. */
static void check_set(const vs_rowset *set, const vs_view *view, const char *condition)
{
    static uint8_t is_in[ROWS + 1];
    int count = mark_ids(condition, is_in), seen = 0;
    assert_int_equal(set->rows, count);
    assert_int_equal(set->cell_count, view->cell_count);
    for (int64_t rowid = 1; rowid <= ROWS; rowid++) {
        int64_t loc = 0;
        fixture_must(&fixture, vs_store_loc(&fixture.store, rowid, &loc, &fixture.err));
        if (loc == 0) {
            continue;
        }
        int64_t cell = vs_view_find(view, loc / (int64_t)view->slots);
        assert_true(cell >= 0);
        int has = vs_rowset_has(set, (size_t)cell, (uint32_t)(loc % (int64_t)view->slots));
        if (has != is_in[rowid]) {
            fail_msg("%s: row %lld is %s the set", condition, (long long)rowid,
                     has ? "in" : "not in");
        }
        seen += has;
    }
    assert_int_equal(seen, count);
    for (size_t cell = 0; cell < view->cell_count; cell++) {
        check_mask(set, view, cell);
    }
}

static vs_rowset *set_of(const vs_view *view, const vs_conditions *conditions)
{
    vs_rowset *set = NULL;
    fixture_must(&fixture, vs_rowset_get(&fixture.store, view, conditions, &set, &fixture.err));
    return set;
}

/* One condition, or two, against the same in SQL. */
static void check_conditions(const vs_view *view)
{
    static const struct {
        int column, op;
        const char *value, *sql;
    } tests[] = {
        {COLUMN_TENANT, SQLITE_INDEX_CONSTRAINT_EQ, "3", "tenant = 3"},
        {COLUMN_TENANT, SQLITE_INDEX_CONSTRAINT_GE, "2", "tenant >= 2"},
        {COLUMN_TENANT, SQLITE_INDEX_CONSTRAINT_EQ, "99", "tenant = 99"},
        {COLUMN_TENANT, SQLITE_INDEX_CONSTRAINT_EQ, "NULL", "tenant = NULL"},
        {COLUMN_LANG, SQLITE_INDEX_CONSTRAINT_EQ, "'b'", "lang = 'b'"},
        {COLUMN_N, SQLITE_INDEX_CONSTRAINT_LT, "40", "n < 40"},
        {COLUMN_N, SQLITE_INDEX_CONSTRAINT_LT, "0", "n < 0"},
        {COLUMN_N, SQLITE_INDEX_CONSTRAINT_GE, "0", "n >= 0"},
        {VS_CONDITION_ROWID, SQLITE_INDEX_CONSTRAINT_EQ, "17", "rowid = 17"},
    };
    enum { COUNT = VS_TEST_COUNT(tests) };
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = i; j < COUNT; j++) {
            vs_conditions conditions = {.count = 0};
            add(&conditions, tests[i].column, tests[i].op, tests[i].value);
            if (j > i) {
                add(&conditions, tests[j].column, tests[j].op, tests[j].value);
            }
            char *sql = sqlite3_mprintf("%s AND %s", tests[i].sql, tests[j].sql);
            vs_rowset *set = set_of(view, &conditions);
            assert_non_null(set);
            check_set(set, view, sql);
            vs_cached_unref(set);
            sqlite3_free(sql);
            vs_conditions_clear(&conditions);
        }
    }
}

static void conditions_give_the_rows_that_sql_gives(void **state)
{
    static const char *const tables[] = {by_tenant, in_one, in_large_cells};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(tables); i++) {
        fixture_open_store(&fixture, tables[i]);
        vs_view *view = view_now();
        assert_int_equal(view->live, 720);
        check_conditions(view);
        vs_cached_unref(view);
        fixture_close_store(&fixture);
    }
}

static void no_conditions_are_all_rows(void **state)
{
    vs_conditions conditions = {.count = 0};
    (void)state;
    fixture_open_store(&fixture, by_tenant);
    vs_view *view = view_now();
    assert_null(set_of(view, &conditions));
    assert_null(set_of(view, NULL));
    vs_cached_unref(view);
    fixture_close_store(&fixture);
}

/* Conditions on partition keys choose whole cells, without a look at rows. */
static void partitions_choose_whole_cells(void **state)
{
    vs_conditions conditions = {.count = 0};
    (void)state;
    fixture_open_store(&fixture, by_tenant);
    vs_view *view = view_now();
    add(&conditions, COLUMN_TENANT, SQLITE_INDEX_CONSTRAINT_EQ, "3");
    vs_rowset *set = set_of(view, &conditions);
    assert_null(set->bits);
    int64_t live = 0;
    int chosen = 0;
    for (size_t cell = 0; cell < view->cell_count; cell++) {
        assert_true(set->cells[cell] == 0 || set->cells[cell] == 2);
        live += set->cells[cell] == 2 ? view->cells[cell].live : 0;
        chosen += set->cells[cell] == 2;
    }
    assert_int_equal(set->rows, live);
    assert_true(chosen > 1 && chosen < (int)view->cell_count);
    vs_cached_unref(set);
    vs_conditions_clear(&conditions);
    vs_cached_unref(view);
    fixture_close_store(&fixture);
}

static void a_set_is_kept_until_the_table_changes(void **state)
{
    vs_conditions even = {.count = 0}, odd = {.count = 0};
    (void)state;
    fixture_open_store(&fixture, in_one);
    vs_view *view = view_now();
    add(&even, COLUMN_N, SQLITE_INDEX_CONSTRAINT_LT, "100");
    add(&odd, COLUMN_N, SQLITE_INDEX_CONSTRAINT_LT, "101");
    vs_rowset *first = set_of(view, &even), *again = set_of(view, &even);
    vs_rowset *other = set_of(view, &odd);
    assert_ptr_equal(first, again);
    assert_ptr_not_equal(first, other);
    vs_cached_unref(again);
    fixture_run(&fixture, "UPDATE t SET n = 5 WHERE rowid = 801");
    vs_view *changed = view_now();
    vs_rowset *now = set_of(changed, &even);
    assert_ptr_not_equal(first, now);
    assert_int_equal(now->rows, first->rows + 1);
    check_set(now, changed, "n < 100");
    fixture_run(&fixture, "BEGIN; DELETE FROM t WHERE n < 50");
    vs_view *inside = view_now();
    vs_rowset *less = set_of(inside, &even);
    check_set(less, inside, "n < 100");
    fixture_run(&fixture, "ROLLBACK");
    vs_view *back = view_now();
    vs_rowset *as_before = set_of(back, &even);
    check_set(as_before, back, "n < 100");
    vs_cached *const all[] = {&first->base,   &other->base,     &now->base,
                              &less->base,    &as_before->base, &view->base,
                              &changed->base, &inside->base,    &back->base};
    for (size_t i = 0; i < VS_TEST_COUNT(all); i++) {
        vs_cached_unref(all[i]);
    }
    vs_conditions_clear(&even);
    vs_conditions_clear(&odd);
    fixture_close_store(&fixture);
}

static void ids_give_the_rows_that_exist(void **state)
{
    static const int64_t ids[] = {INT64_MIN, -1,  0,   1,   2,   5,   6,
                                  17,        100, 333, 899, 900, 901, INT64_MAX};
    vs_conditions conditions = {.count = 0};
    vs_rowset *all = NULL, *some = NULL, *none = NULL;
    (void)state;
    fixture_open_store(&fixture, by_tenant);
    vs_view *view = view_now();
    fixture_must(&fixture, vs_rowset_of_ids(&fixture.store, view, ids, VS_TEST_COUNT(ids), NULL,
                                            &all, &fixture.err));
    check_set(all, view, "rowid IN (1, 2, 6, 17, 333, 899)");
    fixture_must(&fixture,
                 vs_rowset_of_ids(&fixture.store, view, ids, 0, NULL, &none, &fixture.err));
    check_set(none, view, "0");
    vs_cached_unref(none);
    for (int column = COLUMN_TENANT; column <= COLUMN_N; column += COLUMN_N - COLUMN_TENANT) {
        add(&conditions, column, SQLITE_INDEX_CONSTRAINT_LE, "3"); /* by whole cells, and by rows */
        vs_rowset *within = set_of(view, &conditions);
        fixture_must(&fixture, vs_rowset_of_ids(&fixture.store, view, ids, VS_TEST_COUNT(ids),
                                                within, &some, &fixture.err));
        check_set(some, view,
                  column == COLUMN_N ? "rowid IN (1, 2, 6, 17, 333, 899) AND n <= 3"
                                     : "rowid IN (1, 2, 6, 17, 333, 899) AND tenant <= 3");
        vs_cached_unref(some);
        vs_cached_unref(within);
        vs_conditions_clear(&conditions);
    }
    vs_cached_unref(all);
    vs_cached_unref(view);
    fixture_close_store(&fixture);
}

static void places_that_are_none_are_damage(void **state)
{
    static const char *const places[] = {
        "-1", "0", "5", "3000000", "9223372036854775807", "-9223372036854775808"};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(places); i++) {
        vs_conditions conditions = {.count = 0};
        vs_rowset *set = NULL;
        fixture_open_store(&fixture, in_one);
        char *sql = sqlite3_mprintf("UPDATE t_rows SET loc = %s WHERE id = 7", places[i]);
        fixture_run(&fixture, sql);
        sqlite3_free(sql);
        vs_view *view = view_now();
        add(&conditions, COLUMN_N, SQLITE_INDEX_CONSTRAINT_LT, "40");
        fixture_must_fail(&fixture,
                          vs_rowset_get(&fixture.store, view, &conditions, &set, &fixture.err),
                          SQLITE_CORRUPT_VTAB, "t: ");
        assert_null(set);
        vs_conditions_clear(&conditions);
        vs_cached_unref(view);
        fixture_close_store(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_give_the_rows_that_sql_gives),
        cmocka_unit_test(no_conditions_are_all_rows),
        cmocka_unit_test(partitions_choose_whole_cells),
        cmocka_unit_test(a_set_is_kept_until_the_table_changes),
        cmocka_unit_test(ids_give_the_rows_that_exist),
        cmocka_unit_test(places_that_are_none_are_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
