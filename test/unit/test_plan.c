/*
 * test_plan.c - which way a search takes, and the words for it.
 */
#include "../search_fixture.h"

#include "../../ext/plan.h"

static sqlite3 *db;

static int open_db(void **state)
{
    (void)state;
    db = vs_test_open();
    fixture_fill(db, "docs", 3000, 8, FIXTURE_LOG_NORM);
    fixture_fill(db, "flat", 3000, 8, FIXTURE_NORMAL);
    vs_test_run(
        db,
        "UPDATE flat SET v = vec_normalize(v);"
        "CREATE TABLE covered AS SELECT * FROM docs; CREATE TABLE plain AS SELECT * FROM docs; "
        "CREATE TABLE parts AS SELECT * FROM docs;"
        "CREATE TABLE none(id INTEGER PRIMARY KEY, v); CREATE INDEX none_norm ON none(vec_norm(v));"
        "CREATE INDEX docs_norm ON docs(vec_norm(v)); CREATE INDEX flat_norm ON flat(vec_norm(v));"
        "CREATE INDEX covered_norm ON covered(vec_norm(v), v);"
        "CREATE INDEX part ON parts(tag) WHERE tag = 3; CREATE INDEX part_norm ON "
        "parts(vec_norm(v)) WHERE tag = 3");
    return 0;
}

static int close_db(void **state)
{
    (void)state;
    vs_test_close(db);
    return 0;
}

#define Q "'[1,2,3,4,5,6,7,8]'"

static void an_index_is_taken_where_it_prunes(void **state)
{
    (void)state;
    fixture_plan_has(db, "SELECT id FROM vec_search('docs', 'v', " Q ", 5, '{\"metric\":\"dot\"}')",
                     "docs.v exact dot via norm index docs_norm (est. ");
    fixture_plan_has(db,
                     "SELECT id FROM vec_search('covered', 'v', " Q ", 5, '{\"metric\":\"dot\"}')",
                     "covered.v exact dot via covering norm index covered_norm (est. ");
    fixture_plan_has(db, "SELECT id FROM vec_search('plain', 'v', " Q ", 5)",
                     "plain.v exact l2 by one pass (est. 3,000 rows)");
    fixture_plan_has(db, "SELECT id FROM vec_search('none', 'v', " Q ", 5)",
                     "none.v exact l2 by one pass (est. 0 rows)");
}

static void an_index_is_left_where_it_does_not_prune(void **state)
{
    (void)state;
    fixture_plan_has(db, "SELECT id FROM vec_search('flat', 'v', " Q ", 5)",
                     "flat.v exact l2 by one pass (est. 3,000 rows)");
    fixture_plan_has(db, "SELECT id FROM vec_search('flat', 'v', " Q ", 5, '{\"metric\":\"dot\"}')",
                     "flat.v exact dot by one pass");
    fixture_plan_has(db,
                     "SELECT id FROM vec_search('docs', 'v', " Q ", 5, '{\"metric\":\"cosine\"}')",
                     "docs.v exact cosine by one pass");
    fixture_plan_has(db, "SELECT id FROM vec_search('docs', 'v', " Q ", 5, '{\"metric\":\"l1\"}')",
                     "docs.v exact l1 by one pass");
    fixture_plan_has(db,
                     "SELECT id FROM vec_search('docs', 'v', " Q ", 2900, '{\"metric\":\"dot\"}')",
                     "docs.v exact dot by one pass");
}

static void a_partial_index_is_taken_only_when_named(void **state)
{
    (void)state;
    fixture_plan_has(db,
                     "SELECT id FROM vec_search('parts', 'v', " Q ", 5, '{\"metric\":\"dot\"}')",
                     "parts.v exact dot by one pass");
    fixture_plan_has(db,
                     "SELECT id FROM vec_search('parts', 'v', " Q ", 5, '{\"index\":\"part\"}')",
                     "parts.v exact l2 via partial index part (est. ");
    fixture_plan_has(
        db, "SELECT id FROM vec_search('parts', 'v', " Q ", 5, '{\"index\":\"part_norm\"}')",
        "parts.v exact l2 via partial norm index part_norm (est. ");
}

static void the_setting_turns_the_norm_index_off(void **state)
{
    (void)state;
    vs_test_gives(db, "SELECT vec_config('norm_index', 'off')", "off");
    fixture_plan_has(db, "SELECT id FROM vec_search('docs', 'v', " Q ", 5, '{\"metric\":\"dot\"}')",
                     "by one pass");
    fixture_plan_has(db,
                     "SELECT id FROM vec_search('docs', 'v', " Q
                     ", 5, '{\"metric\":\"dot\",\"index\":\"docs_norm\"}')",
                     "norm index docs_norm");
    vs_test_gives(db, "SELECT vec_config('norm_index', 'auto')", "auto");
}

static void a_band_is_called_approximate(void **state)
{
    (void)state;
    fixture_plan_has(db,
                     "SELECT id FROM vec_search('plain', 'v', " Q
                     ", 5, '{\"metric\":\"cosine\",\"norm_band\":0.3}')",
                     "plain.v approximate cosine within norm band 0.3 by one pass");
    fixture_plan_has(db,
                     "SELECT id FROM vec_search('docs', 'v', " Q
                     ", 5, '{\"metric\":\"cosine\",\"norm_band\":0.01}')",
                     "docs.v approximate cosine within norm band 0.01 via norm index docs_norm");
}

static void what_is_unknown_while_planning_is_said(void **state)
{
    (void)state;
    fixture_plan_has(db, "SELECT id FROM vec_search(?1, 'v', " Q ", 5)",
                     "planned at run time, when table, column and options are known");
    fixture_plan_has(db, "SELECT id FROM vec_search_batch(?1, 'v', '[]', 5)",
                     "batch, planned at run time");
    fixture_plan_has(db, "SELECT id FROM vec_search_batch('docs', 'v', '[]', 5)",
                     "docs.v exact l2 by one pass (est. 3,000 rows), up to 256 queries at a time");
}

/* In the order in which this SQLite names them, which differs by version. */
static void conditions_that_are_handed_over_are_listed(void **state)
{
    static const char *const cases[][3] = {
        {"WHERE distance < 1.0 AND id IN (1, 2)", "id list", "distance <"},
        {"ORDER BY distance LIMIT 3 OFFSET 1", "limit", "offset"},
        {"WHERE distance BETWEEN 1 AND 2", "distance >=", "distance <="},
        {"WHERE rank <= 4", "pushed down: rank <=", "rank"},
        {"WHERE rank < 4 AND distance > 2", "rank <", "distance >"},
        {"WHERE distance = 4.0", "pushed down: distance =", "="},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        char *sql =
            sqlite3_mprintf("SELECT id FROM vec_search('plain', 'v', " Q ") %s", cases[i][0]);
        fixture_plan_has(db, sql, "; pushed down: ");
        fixture_plan_has(db, sql, cases[i][1]);
        fixture_plan_has(db, sql, cases[i][2]);
        sqlite3_free(sql);
    }
}

/* No order is sorted that the search gives already, and the others are. */
static void the_order_of_the_answer_needs_no_sorter(void **state)
{
    static const struct {
        const char *order;
        int sorts;
    } orders[] = {{"distance", 0}, {"rank", 0},          {"distance ASC", 0}, {"distance DESC", 1},
                  {"id", 1},       {"distance, tbl", 1}, {"rank DESC", 1}};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(orders); i++) {
        char *sql = sqlite3_mprintf("SELECT id FROM vec_search('plain', 'v', " Q ") ORDER BY %s",
                                    orders[i].order);
        char *plan = fixture_plan(db, sql);
        if ((strstr(plan, "TEMP B-TREE") != NULL) != orders[i].sorts) {
            fail_msg("%s: %s", sql, plan);
        }
        sqlite3_free(plan);
        sqlite3_free(sql);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_is_taken_where_it_prunes),
        cmocka_unit_test(an_index_is_left_where_it_does_not_prune),
        cmocka_unit_test(a_partial_index_is_taken_only_when_named),
        cmocka_unit_test(the_setting_turns_the_norm_index_off),
        cmocka_unit_test(a_band_is_called_approximate),
        cmocka_unit_test(what_is_unknown_while_planning_is_said),
        cmocka_unit_test(conditions_that_are_handed_over_are_listed),
        cmocka_unit_test(the_order_of_the_answer_needs_no_sorter),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
