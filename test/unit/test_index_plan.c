/*
 * test_index_plan.c - a vecshard table's plans: what EXPLAIN QUERY PLAN says of each form of search,
 * that it reads back as what was chosen, and that no other text reads back as a plan.
 */
#include "../search_fixture.h"

#include "../../ext/index_plan.h"

static sqlite3 *db;

#define Q "'[1,2]'"
#define SEARCH "SELECT rowid FROM t WHERE v MATCH " Q " AND "

static int open_db(void **state)
{
    (void)state;
    db = vs_test_open();
    vs_test_run(db, "CREATE VIRTUAL TABLE t USING vecshard(v float[2], tenant INTEGER PARTITION "
                    "KEY, name TEXT PRIMARY KEY, lang TEXT COLLATE NOCASE, w float[40] "
                    "distance_metric=cosine, n INTEGER, +note TEXT);"
                    "CREATE VIRTUAL TABLE r USING vecshard(id INTEGER PRIMARY KEY, v float[2], s);"
                    "CREATE TABLE ids(id INTEGER PRIMARY KEY, x)");
    return 0;
}

static int close_db(void **state)
{
    (void)state;
    vs_test_close(db);
    return 0;
}

/* Columns of t: v 0, tenant 1, name 2, lang 3, w 4, n 5, note 6. */

static void has(const char *sql, const char *words)
{
    fixture_plan_has(db, sql, words);
}

static void lacks(const char *sql, const char *words)
{
    char *plan = fixture_plan(db, sql);
    if (strstr(plan, words) != NULL) {
        fail_msg("%s: %s has %s", sql, plan, words);
    }
    sqlite3_free(plan);
}

/* ---- plans ---- */

static void a_search_says_what_it_does(void **state)
{
    (void)state;
    has("SELECT rowid FROM t WHERE v MATCH " Q " AND k = 3",
        "INDEX 2:t.v exact l2 via vectors, k {u1 m0 k}");
    has("SELECT rowid FROM t WHERE w MATCH " Q " AND k = 3", "t.w exact cosine via codes");
    has("SELECT rowid FROM t(" Q ", 3)", "t.v exact l2 via vectors, k {");
    has("SELECT rowid FROM t(" Q ", 3, '{}')", " o}");
    has("SELECT rowid FROM t WHERE query = " Q, "t.v exact l2 via vectors");
    has("SELECT rowid FROM t(" Q ") ORDER BY distance LIMIT 3", ", stream {u0 m0 L}");
    has("SELECT rowid FROM t(" Q ") ORDER BY distance LIMIT 3 OFFSET 2", " O"); /* in any order */
    has(SEARCH "k = 3 AND distance < 4 AND distance >= 1", "distance <, distance >=, k");
}

static void conditions_are_named_in_the_plan(void **state)
{
    (void)state;
    has(SEARCH "k = 3 AND tenant = 7 AND n > 5", ", where tenant = and n >, k {");
    has(SEARCH "k = 3 AND tenant = 7", " c1=b}");
    has(SEARCH "k = 3 AND lang = 'EN'", " c3=n}");
    has(SEARCH "k = 3 AND lang = 'EN' COLLATE RTRIM", " c3=r}");
    has(SEARCH "k = 3 AND tenant IN (1, 2)", "where tenant IN, k {u3 m0 k c1=bi}");
    has(SEARCH "k = 3 AND rowid IN (1, 2)", "where rowid IN, k");
    has(SEARCH "k = 3 AND rowid IN (1, 2)", " c-1=bi}");
    has(SEARCH "k = 3 AND note IS NULL AND lang IS NOT NULL", "note IS NULL and lang IS NOT NULL");
    has(SEARCH "k = 3 AND n IS 5", "where n IS, k");
    has(SEARCH "k = 3 AND n IS NOT 6", "where n IS NOT, k");
    has(SEARCH "k = 3 AND n <> 7", "where n <>, k");
    has(SEARCH "k = 3 AND n BETWEEN 1 AND 2", "n >= and n <=");
    has(SEARCH "k = 3 AND name LIKE 'a%'", "name LIKE");
    has(SEARCH "k = 3 AND name GLOB 'a*'", "name GLOB");
    has("SELECT rowid FROM t WHERE tenant = 7 AND lang LIKE 'e%'", "t rows, where tenant =");
}

/* SQLite's derived bounds of LIKE are true for BLOBs that LIKE finds. */
static void bounds_that_like_implies_let_blobs_pass(void **state)
{
    (void)state;
    has("SELECT rowid FROM t WHERE lang LIKE 'ab%'", "B");
    vs_test_run(db, "CREATE VIRTUAL TABLE likes USING vecshard(v float[1], s TEXT COLLATE NOCASE);"
                    "INSERT INTO likes(v, s) VALUES ('[1]', x'6162'), ('[2]', 'abc'), ('[3]', "
                    "'zzz'); CREATE TABLE plain(s TEXT COLLATE NOCASE); INSERT INTO plain SELECT s "
                    "FROM likes ORDER BY rowid");
    char *expected = NULL; /* which depends on how SQLite was built */
    assert_int_equal(vs_test_query(db, "SELECT rowid FROM plain WHERE +s LIKE 'ab%'", &expected),
                     SQLITE_OK);
    vs_test_gives(db, "SELECT rowid FROM likes WHERE s LIKE 'ab%' ORDER BY rowid", expected);
    vs_test_gives(db, "SELECT rowid FROM likes WHERE v MATCH '[0]' AND k = 2 AND s LIKE 'ab%'",
                  expected);
    sqlite3_free(expected);
}

static void what_the_row_table_cannot_say_stays_with_sqlite(void **state)
{
    (void)state;
    lacks(SEARCH "k = 3 AND (n = 1 OR lang = 'a')", "where");
    lacks(SEARCH "k = 3 AND n + 1 = 2", "where");
    lacks(SEARCH "k = 3 AND w IS NULL", "where");
    has(SEARCH "k = 3 AND rowid = 5", "where rowid =");
    lacks(SEARCH "k = 3 AND rowid = ?1", "where");
    has("SELECT rowid FROM t WHERE v MATCH " Q " AND rowid = ?1", "where rowid =");
    lacks("SELECT t.rowid FROM t JOIN ids ON ids.id = t.rowid WHERE v MATCH " Q " AND k = 3",
          "where");
}

static void order_by_distance_costs_nothing(void **state)
{
    (void)state;
    lacks("SELECT rowid FROM t WHERE v MATCH " Q " AND k = 3 ORDER BY distance", "ORDER BY");
    lacks("SELECT rowid FROM t WHERE v MATCH " Q " ORDER BY distance LIMIT 3", "ORDER BY");
    has("SELECT rowid FROM t WHERE v MATCH " Q " AND k = 3 ORDER BY distance DESC", "ORDER BY");
    has("SELECT rowid FROM t WHERE v MATCH " Q " AND k = 3 ORDER BY n", "ORDER BY");
    has("SELECT rowid FROM t WHERE v MATCH " Q " AND k = 3 ORDER BY distance, n", "ORDER BY");
    has("SELECT rowid FROM t WHERE v MATCH " Q " AND k = 3 ORDER BY rowid", "ORDER BY");
}

static void scans_go_both_ways(void **state)
{
    (void)state;
    has("SELECT rowid FROM t ORDER BY rowid", "INDEX 0:t rows {");
    has("SELECT rowid FROM t ORDER BY rowid DESC", "INDEX 1:t rows {");
    has("SELECT id FROM r ORDER BY id DESC", "INDEX 1:r rows {");
    lacks("SELECT rowid FROM t ORDER BY rowid DESC", "ORDER BY");
    has("SELECT rowid FROM t ORDER BY n", "ORDER BY");
    has("SELECT id FROM r WHERE id = 5", "where id =");
    has("SELECT id FROM r WHERE id = 5", " c-1=b}");
}

static void used_columns_are_told(void **state)
{
    (void)state;
    has("SELECT count(*) FROM t", "{u0}");
    has("SELECT lang, note FROM t", "{u48}");
    has("SELECT v FROM t", "{u1}");
    has("SELECT * FROM t", "{u7f}");
}

static void a_wrong_question_has_a_sentence(void **state)
{
    (void)state;
    vs_test_fails(db, "SELECT 1 FROM t WHERE v MATCH " Q " AND w MATCH " Q,
                  "t: a search has one query; join two searches of the table");
    vs_test_fails(db, "SELECT 1 FROM t WHERE n MATCH " Q, "t: MATCH needs a vector column");
    char *result = NULL;
    assert_int_not_equal(vs_test_query(db, "SELECT 1 FROM t WHERE k = 3", &result), SQLITE_OK);
    sqlite3_free(result);
}

/* ---- reading back ---- */

/* Parses a copy that ends where its memory ends. */
static int parse(const char *text, uint64_t *used, vs_index_arg *args, int *count)
{
    size_t n = strlen(text) + 1;
    char *copy = malloc(n);
    assert_non_null(copy);
    memcpy(copy, text, n);
    int rc = vs_index_plan_parse(copy, used, args, count);
    free(copy);
    return rc;
}

static void codes_read_back(void **state)
{
    vs_index_arg args[VS_INDEX_ARGS_MAX];
    uint64_t used = 0;
    int count = 0;
    (void)state;
    assert_int_equal(parse("words {with} braces {uff01 m3 k o L O dl dg c12=bi c-1>r c0Kn c5gnB}",
                           &used, args, &count),
                     SQLITE_OK);
    assert_int_equal(used, 0xff01);
    assert_int_equal(count, 11);
    assert_int_equal(args[0].what, 'm');
    assert_int_equal(args[0].number, 3);
    assert_memory_equal(((char[]){args[1].what, args[2].what, args[3].what, args[4].what}), "koLO",
                        4);
    assert_int_equal(args[5].op, SQLITE_INDEX_CONSTRAINT_LE);
    assert_int_equal(args[6].op, SQLITE_INDEX_CONSTRAINT_GE);
    assert_int_equal(args[7].number, 12);
    assert_int_equal(args[7].op, SQLITE_INDEX_CONSTRAINT_EQ);
    assert_string_equal(args[7].collation, "BINARY");
    assert_true(args[7].is_in && !args[7].or_blob);
    assert_int_equal(args[8].number, VS_CONDITION_ROWID);
    assert_int_equal(args[8].op, SQLITE_INDEX_CONSTRAINT_GT);
    assert_string_equal(args[8].collation, "RTRIM");
    assert_int_equal(args[9].op, SQLITE_INDEX_CONSTRAINT_LIKE);
    assert_string_equal(args[9].collation, "NOCASE");
    assert_true(args[10].or_blob && !args[10].is_in);
}

static void every_operator_has_a_code(void **state)
{
    static const struct {
        char code;
        int op;
    } codes[] = {{'=', SQLITE_INDEX_CONSTRAINT_EQ},     {'<', SQLITE_INDEX_CONSTRAINT_LT},
                 {'l', SQLITE_INDEX_CONSTRAINT_LE},     {'>', SQLITE_INDEX_CONSTRAINT_GT},
                 {'g', SQLITE_INDEX_CONSTRAINT_GE},     {'n', SQLITE_INDEX_CONSTRAINT_NE},
                 {'s', SQLITE_INDEX_CONSTRAINT_IS},     {'t', SQLITE_INDEX_CONSTRAINT_ISNOT},
                 {'u', SQLITE_INDEX_CONSTRAINT_ISNULL}, {'v', SQLITE_INDEX_CONSTRAINT_ISNOTNULL},
                 {'K', SQLITE_INDEX_CONSTRAINT_LIKE},   {'G', SQLITE_INDEX_CONSTRAINT_GLOB}};
    (void)state;
    for (int c = 1; c < 128; c++) {
        vs_index_arg args[VS_INDEX_ARGS_MAX];
        uint64_t used = 0;
        int count = 0, expected = 0;
        char text[] = "{u0 c1?b}";
        text[6] = (char)c;
        for (size_t i = 0; i < VS_TEST_COUNT(codes); i++) {
            expected = codes[i].code == c ? codes[i].op : expected;
        }
        if (c >= '0' && c <= '9') {
            continue; /* another column */
        }
        assert_int_equal(parse(text, &used, args, &count),
                         expected == 0 ? SQLITE_INTERNAL : SQLITE_OK);
        assert_true(expected == 0 || args[0].op == expected);
    }
}

static void text_that_is_no_plan_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "u0}",
        "{u",
        "{u0",
        "{u0 ",
        "{u0 m",
        "{u0 m0",
        "{u0 k",
        "{u0 c",
        "{u0 c1",
        "{u0 c1=",
        "{u0 c1=b",
        "{u0 c1=bi",
        "{u0 c1=biB",
        "{u0 d",
        "{u0 d<",
        "{k}",
        "{}",
        "{u0 }",
        "{u0k}",
        "{u0 kk}",
        "{u0 k k",
        "{u0 c1=x}",
        "{u0 c1?b}",
        "{u0 d?}",
        "{u0  k}",
        "{u0 c1=bBi}",
        "{u0 c1=bii}",
        "{u0 z}",
        "{u0 x}",
        "{u0 {}",
        "{u0 m}",
        "{u0 c=b}",
        "{u0 m-1}",
        "{u0 m8}",
        "{u0 m99999999999999999999}",
        "{u0 c-2=b}",
        "{u0 c48=b}",
        "{u0 c4294967295=b}",
        "{uzz}",
        "{u}",
        "{u-1}",
    };
    int taken = 0;
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(texts); i++) {
        vs_index_arg args[VS_INDEX_ARGS_MAX];
        uint64_t used = 0;
        int count = 0;
        if (parse(texts[i], &used, args, &count) != SQLITE_INTERNAL) {
            print_message("read as a plan: %s\n", texts[i]);
            taken++;
        }
    }
    uint64_t used = 0;
    int count = 0;
    assert_int_equal(vs_index_plan_parse(NULL, &used, NULL, &count), SQLITE_INTERNAL);
    assert_int_equal(taken, 0);
}

static void as_many_arguments_as_there_may_be_are_read(void **state)
{
    (void)state;
    for (int n = VS_INDEX_ARGS_MAX - 1; n <= VS_INDEX_ARGS_MAX + 1; n++) {
        vs_index_arg args[VS_INDEX_ARGS_MAX];
        uint64_t used = 0;
        int count = 0;
        sqlite3_str *text = sqlite3_str_new(NULL);
        sqlite3_str_appendall(text, "{u0");
        for (int i = 0; i < n; i++) {
            sqlite3_str_appendall(text, " d<");
        }
        sqlite3_str_appendall(text, "}");
        char *sql = sqlite3_str_finish(text);
        assert_int_equal(parse(sql, &used, args, &count),
                         n <= VS_INDEX_ARGS_MAX ? SQLITE_OK : SQLITE_INTERNAL);
        assert_true(count <= VS_INDEX_ARGS_MAX);
        sqlite3_free(sql);
    }
}

/* What is read is in range: it is used as an index. */
static void check_arg(const char *text, const vs_index_arg *arg)
{
    int is_known = arg->what != '\0' && strchr("mkoLOdc", arg->what) != NULL;
    int is_vector = arg->what != 'm' || (arg->number >= 0 && arg->number < VS_VECTORS_MAX);
    int is_column =
        arg->what != 'c' || (arg->number >= VS_CONDITION_ROWID && arg->number < VS_COLUMNS_MAX &&
                             arg->op != 0);
    if (!is_known || !is_vector || !is_column) {
        fail_msg("%s reads as %c %d", text, arg->what, arg->number);
    }
}

static void random_text_is_refused_or_in_range(void **state)
{
    static const char letters[] = "{{{uuu0123456789abcdef   mkoLOdc-=<lgnrBiKG}}}xyz\t+";
    uint64_t random = 99;
    (void)state;
    for (int i = 0; i < 300000; i++) {
        vs_index_arg args[VS_INDEX_ARGS_MAX];
        uint64_t used = 0;
        int count = 0;
        char text[64] = "t rows {u7f m0 k o L O d< c1=b c-1gri c5KnB c2=bi}";
        size_t n = strlen(text);
        for (uint64_t changes = 1 + vs_test_random(&random) % 4; changes > 0; changes--) {
            text[vs_test_random(&random) % n] =
                letters[vs_test_random(&random) % (sizeof letters - 1)];
        }
        text[vs_test_random(&random) % 3 == 0 ? vs_test_random(&random) % n : n] = '\0';
        if (parse(text, &used, args, &count) == SQLITE_OK) {
            for (int j = 0; j < count; j++) {
                check_arg(text, &args[j]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_says_what_it_does),
        cmocka_unit_test(conditions_are_named_in_the_plan),
        cmocka_unit_test(bounds_that_like_implies_let_blobs_pass),
        cmocka_unit_test(what_the_row_table_cannot_say_stays_with_sqlite),
        cmocka_unit_test(order_by_distance_costs_nothing),
        cmocka_unit_test(scans_go_both_ways),
        cmocka_unit_test(used_columns_are_told),
        cmocka_unit_test(a_wrong_question_has_a_sentence),
        cmocka_unit_test(codes_read_back),
        cmocka_unit_test(every_operator_has_a_code),
        cmocka_unit_test(text_that_is_no_plan_is_refused),
        cmocka_unit_test(as_many_arguments_as_there_may_be_are_read),
        cmocka_unit_test(random_text_is_refused_or_in_range),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
