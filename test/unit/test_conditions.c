/*
 * test_conditions.c - conditions mean over the row table what SQLite means by them on an ordinary
 * table: every operator, affinity, collation and kind of value, short and long lists.
 */
#include "../store_fixture.h"

#include "../../ext/conditions.h"

static store_fixture fixture;

/* Columns of every affinity, and partition keys; `plain` is an ordinary table with the same rows. */
#define COLUMNS                                                                                    \
    "i INTEGER, r REAL, n NUMERIC, s TEXT, x TEXT COLLATE NOCASE, w VARCHAR(9) COLLATE RTRIM, "    \
    "b BLOB, y, f FLOATING POINT, ch CHARINT, st STRING"
#define KEYS "p INTEGER PARTITION KEY, q TEXT PARTITION KEY, g PARTITION KEY"

static const char *const columns[] = {"i", "r", "n",  "s",  "x", "w", "b",
                                      "y", "f", "ch", "st", "p", "q", "g"};

/* Values that affinities change, and values that they do not. */
#define VALUES                                                                                     \
    "(NULL), (0), (1), (-1), (1.0), (1.5), ('1'), ('1.0'), (' 1'), ('01'), ('1 '), ('abc'),"       \
    " ('ABC'), ('abc  '), (''), (x''), (x'31'), (x'616263'), (9007199254740993),"                  \
    " (9007199254740992.0), ('1e0'), (12), ('12'), ('0x'), ('a%'), ('A*'), (1e300),"               \
    " ('9007199254740993'), (x'3132')"

#define SETUP                                                                                      \
    "CREATE VIRTUAL TABLE t USING vecshard(v float[2], " COLUMNS ", " KEYS ");"                    \
    "CREATE TABLE plain(id INTEGER PRIMARY KEY, v BLOB, " COLUMNS ", p INTEGER, q TEXT, g);"       \
    "CREATE TABLE given(id INTEGER PRIMARY KEY, a); INSERT INTO given(a) VALUES " VALUES ";"       \
    "INSERT INTO plain SELECT id, NULL, a, a, a, a, a, a, a, a, a, a, a, a, a, a FROM given;"      \
    "INSERT INTO t(rowid, i, r, n, s, x, w, b, y, f, ch, st, p, q, g)"                             \
    " SELECT id, i, r, n, s, x, w, b, y, f, ch, st, p, q, g FROM plain ORDER BY id;"               \
    "CREATE TABLE other(id INTEGER PRIMARY KEY, i INTEGER, r REAL, n NUMERIC, s TEXT, b BLOB, a);" \
    "INSERT INTO other SELECT id, a, a, a, a, a, a FROM given"

static const char *const others[] = {"i", "r", "n", "s", "b", "a"}; /* columns of `other` */

static const struct {
    int op;
    const char *sql;
} operators[] = {
    {SQLITE_INDEX_CONSTRAINT_EQ, "="},      {SQLITE_INDEX_CONSTRAINT_GT, ">"},
    {SQLITE_INDEX_CONSTRAINT_LE, "<="},     {SQLITE_INDEX_CONSTRAINT_LT, "<"},
    {SQLITE_INDEX_CONSTRAINT_GE, ">="},     {SQLITE_INDEX_CONSTRAINT_NE, "<>"},
    {SQLITE_INDEX_CONSTRAINT_IS, "IS"},     {SQLITE_INDEX_CONSTRAINT_ISNOT, "IS NOT"},
    {SQLITE_INDEX_CONSTRAINT_LIKE, "LIKE"}, {SQLITE_INDEX_CONSTRAINT_GLOB, "GLOB"},
};

static int open_fixture(void **state)
{
    (void)state;
    fixture_open_store(&fixture, SETUP);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close_store(&fixture);
    return 0;
}

/* The declared number of a column. */
static int number_of(const char *name)
{
    const vs_declaration *declaration = &fixture.store.declaration;
    for (int i = 0; i < declaration->column_count; i++) {
        if (strcmp(declaration->columns[i].name, name) == 0) {
            return i;
        }
    }
    return VS_CONDITION_ROWID;
}

/* All rows of a statement, joined as vs_test_query does. */
static char *answer(const char *sql)
{
    char *out = NULL;
    if (vs_test_query(fixture.db, sql, &out) != SQLITE_OK) {
        fail_msg("%s: %s", sql, out);
    }
    return out != NULL ? out : sqlite3_mprintf("");
}

/* Two statements, which are freed, give the same. */
static void same(char *left, char *right)
{
    char *a = answer(left), *b = answer(right);
    if (strcmp(a, b) != 0) {
        fail_msg("%s gives %s, and %s gives %s", left, a, right, b);
    }
    sqlite3_free(a);
    sqlite3_free(b);
    sqlite3_free(left);
    sqlite3_free(right);
}

/* ---- the module itself ---- */

static void add(vs_conditions *conditions, const char *column, int op, const char *collation,
                const char *expression)
{
    sqlite3_value *value = fixture_value(fixture.db, expression);
    fixture_must(&fixture,
                 vs_conditions_add(conditions, number_of(column), op, collation, value, 0));
    sqlite3_value_free(value);
}

/* A list as SQLite hands it over: the values of the JSON array. */
static void add_list(vs_conditions *conditions, const char *column, const char *json)
{
    sqlite3_stmt *stmt = NULL;
    vs_condition *condition = &conditions->items[conditions->count++];
    memset(condition, 0, sizeof *condition);
    condition->column = number_of(column);
    condition->op = SQLITE_INDEX_CONSTRAINT_EQ;
    condition->is_in = 1;
    char *sql = sqlite3_mprintf("SELECT value FROM json_each(%Q)", json);
    assert_int_equal(sqlite3_prepare_v2(fixture.db, sql, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        condition->values = sqlite3_realloc64(
            condition->values, (size_t)(condition->value_count + 1) * sizeof *condition->values);
        assert_non_null(condition->values);
        condition->values[condition->value_count++] =
            sqlite3_value_dup(sqlite3_column_value(stmt, 0));
    }
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
}

enum { IDS = 64 };

/* Bits of the ids that a statement gives; it is finalized. */
static uint64_t ids_of(sqlite3_stmt *stmt)
{
    uint64_t ids = 0;
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        sqlite3_int64 id = sqlite3_column_int64(stmt, 0);
        assert_true(id >= 0 && id < IDS);
        ids |= (uint64_t)1 << id;
    }
    assert_int_equal(rc, SQLITE_DONE);
    sqlite3_finalize(stmt);
    return ids;
}

static uint64_t selected(const vs_conditions *conditions)
{
    sqlite3_stmt *stmt = NULL;
    fixture_must(&fixture, vs_conditions_select(&fixture.store, conditions, 0, "id", "ORDER BY id",
                                                &stmt, &fixture.err));
    return ids_of(stmt);
}

static uint64_t expected(const char *format, ...)
{
    sqlite3_stmt *stmt = NULL;
    va_list args;
    va_start(args, format);
    char *sql = sqlite3_vmprintf(format, args);
    va_end(args);
    if (sqlite3_prepare_v2(fixture.db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(fixture.db));
    }
    sqlite3_free(sql);
    return ids_of(stmt);
}

/* One column against one value: the rows that an ordinary table gives are there, whatever column
 * the value came from. */
static void check_value(const char *column, size_t op, const char *other, int id)
{
    vs_conditions conditions = {.count = 0};
    char *value = sqlite3_mprintf("(SELECT %s FROM other WHERE id = %d)", other, id);
    add(&conditions, column, operators[op].op, "", value);
    conditions.items[0].or_affinity = 1;
    uint64_t given = selected(&conditions);
    uint64_t right = expected("SELECT plain.id FROM plain, other WHERE other.id = %d AND plain.%s "
                              "%s other.%s",
                              id, column, operators[op].sql, other);
    if ((right & ~given) != 0) {
        fail_msg("%s %s other.%s (row %d): rows %llx are missing", column, operators[op].sql, other,
                 id, (unsigned long long)(right & ~given));
    }
    sqlite3_free(value);
    vs_conditions_clear(&conditions);
}

static void no_row_is_missing_whatever_affinity_a_value_had(void **state)
{
    (void)state;
    for (size_t c = 0; c < VS_TEST_COUNT(columns); c++) {
        for (size_t op = 0; op < VS_TEST_COUNT(operators); op++) {
            for (size_t o = 0; o < VS_TEST_COUNT(others); o++) {
                for (int id = 1; id <= 29; id++) {
                    check_value(columns[c], op, others[o], id);
                }
            }
        }
    }
}

static void null_tests_and_the_rowid_need_no_column(void **state)
{
    (void)state;
    for (size_t c = 0; c < VS_TEST_COUNT(columns); c++) {
        vs_conditions conditions = {.count = 0};
        add(&conditions, columns[c], SQLITE_INDEX_CONSTRAINT_ISNULL, "", "1");
        assert_int_equal(conditions.items[0].value_count, 0);
        assert_int_equal(selected(&conditions),
                         expected("SELECT id FROM plain WHERE %s IS NULL", columns[c]));
        vs_conditions_clear(&conditions);
        assert_int_equal(conditions.count, 0);
        add(&conditions, columns[c], SQLITE_INDEX_CONSTRAINT_ISNOTNULL, "", "1");
        add(&conditions, "rowid", SQLITE_INDEX_CONSTRAINT_GT, "", "'5'");
        add(&conditions, "rowid", SQLITE_INDEX_CONSTRAINT_LE, "", "20.5");
        assert_int_equal(selected(&conditions),
                         expected("SELECT id FROM plain WHERE %s IS NOT NULL AND id > '5' AND "
                                  "id <= 20.5",
                                  columns[c]));
        vs_conditions_clear(&conditions);
    }
}

static void the_collation_of_the_comparison_counts(void **state)
{
    static const char *const names[] = {"BINARY", "NOCASE", "RTRIM"};
    static const char *const texts[] = {"s", "x", "w"};
    (void)state;
    for (size_t c = 0; c < VS_TEST_COUNT(texts); c++) {
        for (size_t n = 0; n < VS_TEST_COUNT(names); n++) {
            for (size_t op = 0; op < 8; op++) {
                vs_conditions conditions = {.count = 0};
                add(&conditions, texts[c], operators[op].op, names[n], "'abc'");
                assert_int_equal(selected(&conditions),
                                 expected("SELECT id FROM plain WHERE %s %s 'abc' COLLATE %s",
                                          texts[c], operators[op].sql, names[n]));
                vs_conditions_clear(&conditions);
            }
        }
    }
}

static void blobs_are_let_through_where_asked(void **state)
{
    vs_conditions conditions = {.count = 0};
    (void)state;
    add(&conditions, "b", SQLITE_INDEX_CONSTRAINT_LT, "", "'B'");
    conditions.items[0].or_blob = 1;
    assert_int_equal(selected(&conditions),
                     expected("SELECT id FROM plain WHERE b < 'B' OR typeof(b) = 'blob'"));
    vs_conditions_clear(&conditions);
}

static void as_many_conditions_as_there_may_be_are_bound(void **state)
{
    vs_conditions conditions = {.count = 0};
    (void)state;
    for (int i = 0; i < VS_CONDITIONS_MAX; i++) {
        char *number = sqlite3_mprintf("%d", i % 2 == 0 ? 3 : 20);
        add(&conditions, "rowid",
            i % 2 == 0 ? SQLITE_INDEX_CONSTRAINT_GT : SQLITE_INDEX_CONSTRAINT_LE, "", number);
        sqlite3_free(number);
    }
    assert_int_equal(selected(&conditions),
                     expected("SELECT id FROM plain WHERE id BETWEEN 4 AND 20"));
    vs_conditions_clear(&conditions);
}

/* ---- lists ---- */

/* An array of `count` numbers, of which few are ids. */
static char *long_json(int count)
{
    sqlite3_str *json = sqlite3_str_new(NULL);
    for (int i = 0; i < count; i++) {
        sqlite3_str_appendf(json, "%s%d", i == 0 ? "[" : ",", 7 * i + 1);
    }
    sqlite3_str_appendall(json, count == 0 ? "[]" : "]");
    return sqlite3_str_finish(json);
}

static void check_lists(void)
{
    static const int counts[] = {0, 1, 2, 5, 199, 200, 201, 1000, 40000};
    for (size_t i = 0; i < VS_TEST_COUNT(counts); i++) {
        vs_conditions conditions = {.count = 0};
        char *json = long_json(counts[i]);
        add_list(&conditions, "rowid", json);
        add(&conditions, "rowid", SQLITE_INDEX_CONSTRAINT_NE, "", "8"); /* binds behind the list */
        assert_int_equal(selected(&conditions),
                         expected("SELECT id FROM plain WHERE id IN (SELECT value FROM "
                                  "json_each(%Q)) AND id <> 8",
                                  json));
        sqlite3_free(json);
        vs_conditions_clear(&conditions);
    }
}

static void lists_of_every_length_are_the_same(void **state)
{
    (void)state;
    check_lists();
    int limit = sqlite3_limit(fixture.db, SQLITE_LIMIT_VARIABLE_NUMBER, 70); /* 32 conditions */
    check_lists();
    sqlite3_limit(fixture.db, SQLITE_LIMIT_VARIABLE_NUMBER, limit);
}

static void lists_keep_types_and_nulls(void **state)
{
    static const char *const lists[] = {"[null]", "[1,null]", "[\"1\"]", "[1]", "[1.0,\"abc\"]"};
    (void)state;
    for (size_t c = 0; c < VS_TEST_COUNT(columns); c++) {
        for (size_t i = 0; i < VS_TEST_COUNT(lists); i++) {
            vs_conditions conditions = {.count = 0};
            add_list(&conditions, columns[c], lists[i]);
            uint64_t right =
                expected("SELECT id FROM plain WHERE %s IN (SELECT value FROM json_each(%Q))",
                         columns[c], lists[i]);
            assert_int_equal(right & ~selected(&conditions), 0);
            vs_conditions_clear(&conditions);
        }
    }
}

static void list_values_are_for_our_pointers_alone(void **state)
{
    (void)state;
    vs_test_gives(fixture.db,
                  "SELECT vecshard_list(NULL, 0), vecshard_list(1, 0), vecshard_list('x', 0), "
                  "vecshard_list(x'0000000000000000', 0), vecshard_list(randomblob(200), -1)",
                  "NULL|NULL|NULL|NULL|NULL");
}

/* ---- text ---- */

static char *text_of(const vs_conditions *conditions, int of_parts)
{
    char *sql = vs_conditions_sql(&fixture.store, conditions, of_parts, "id", "ORDER BY id");
    assert_non_null(sql);
    return sql;
}

static void values_are_no_part_of_the_text(void **state)
{
    vs_conditions a = {.count = 0}, b = {.count = 0};
    (void)state;
    add(&a, "s", SQLITE_INDEX_CONSTRAINT_EQ, "NOCASE", "'a'");
    add(&b, "s", SQLITE_INDEX_CONSTRAINT_EQ, "NOCASE", "'; DROP TABLE t'");
    add_list(&a, "i", "[1,2,3]");
    add_list(&b, "i", "[4,5,6]");
    char *left = text_of(&a, 0), *right = text_of(&b, 0);
    assert_string_equal(left, right);
    static const char start[] = "SELECT id FROM \"main\".\"t_rows\" WHERE ";
    static const char end[] = " ORDER BY id";
    assert_memory_equal(left, start, strlen(start));
    assert_string_equal(left + strlen(left) - strlen(end), end);
    sqlite3_free(left);
    sqlite3_free(right);
    vs_conditions_clear(&a);
    vs_conditions_clear(&b);
}

static void a_statement_can_be_bound_again(void **state)
{
    vs_conditions conditions = {.count = 0};
    sqlite3_stmt *stmt = NULL;
    (void)state;
    add(&conditions, "i", SQLITE_INDEX_CONSTRAINT_EQ, "", "1");
    char *sql = text_of(&conditions, 0);
    assert_int_equal(sqlite3_prepare_v2(fixture.db, sql, -1, &stmt, NULL), SQLITE_OK);
    for (int i = -1; i <= 12; i++) {
        char *number = sqlite3_mprintf("%d", i);
        vs_conditions_clear(&conditions);
        add(&conditions, "i", SQLITE_INDEX_CONSTRAINT_EQ, "", number);
        char *again = text_of(&conditions, 0);
        assert_string_equal(again, sql);
        assert_int_equal(sqlite3_reset(stmt), SQLITE_OK);
        fixture_must(&fixture, vs_conditions_bind(&fixture.store, &conditions, 0, stmt));
        uint64_t ids = 0;
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            ids |= (uint64_t)1 << sqlite3_column_int64(stmt, 0);
        }
        assert_int_equal(ids, expected("SELECT id FROM plain WHERE i = %d", i));
        sqlite3_free(again);
        sqlite3_free(number);
    }
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    vs_conditions_clear(&conditions);
}

static void partitions_are_asked_for_their_keys_alone(void **state)
{
    vs_conditions conditions = {.count = 0};
    sqlite3_stmt *stmt = NULL;
    char *given = NULL;
    (void)state;
    add(&conditions, "p", SQLITE_INDEX_CONSTRAINT_GT, "", "0");
    add_list(&conditions, "q", "[\"1\",\"12\"]");
    assert_true(vs_conditions_only_partitions(&fixture.store, &conditions));
    add(&conditions, "s", SQLITE_INDEX_CONSTRAINT_EQ, "", "'no row'");
    assert_false(vs_conditions_only_partitions(&fixture.store, &conditions));
    add(&conditions, "rowid", SQLITE_INDEX_CONSTRAINT_EQ, "", "-5");
    add(&conditions, "p", SQLITE_INDEX_CONSTRAINT_LT, "", "100");
    fixture_must(&fixture, vs_conditions_select(&fixture.store, &conditions, 1, "id", "ORDER BY id",
                                                &stmt, &fixture.err));
    uint64_t parts = ids_of(stmt);
    given = sqlite3_mprintf("SELECT id FROM t_parts WHERE c%d > 0 AND c%d < 100 AND c%d IN "
                            "('1', '12')",
                            number_of("p"), number_of("p"), number_of("q"));
    assert_int_equal(parts, expected("%s", given));
    assert_true(parts != 0);
    sqlite3_free(given);
    vs_conditions_clear(&conditions);
    add(&conditions, "rowid", SQLITE_INDEX_CONSTRAINT_EQ, "", "1");
    assert_false(vs_conditions_only_partitions(&fixture.store, &conditions));
    vs_conditions_clear(&conditions);
}

/* ---- fingerprints ---- */

enum { FINGERPRINTS = 17 };

/* Conditions that differ from each other, each in one thing. */
static void make_different(vs_conditions out[FINGERPRINTS])
{
    static const char *const values[] = {"1", "2", "1.0", "'1'", "x'31'", "NULL", "''", "x''"};
    int n = 0;
    memset(out, 0, FINGERPRINTS * sizeof *out);
    for (size_t i = 0; i < VS_TEST_COUNT(values); i++) {
        add(&out[n++], "s", SQLITE_INDEX_CONSTRAINT_EQ, "", values[i]);
    }
    add(&out[n++], "x", SQLITE_INDEX_CONSTRAINT_EQ, "", "1");
    add(&out[n++], "s", SQLITE_INDEX_CONSTRAINT_LT, "", "1");
    add(&out[n++], "s", SQLITE_INDEX_CONSTRAINT_EQ, "NOCASE", "1");
    add_list(&out[n++], "s", "[1]");
    add(&out[n], "s", SQLITE_INDEX_CONSTRAINT_EQ, "", "1");
    out[n++].items[0].or_blob = 1;
    add_list(&out[n++], "s", "[\"ab\",\"c\"]");
    add_list(&out[n++], "s", "[\"a\",\"bc\"]");
    add_list(&out[n], "s", "[\"ab\"]");
    add_list(&out[n++], "s", "[\"c\"]");
    add_list(&out[n++], "s", "[]");
    assert_int_equal(n, FINGERPRINTS);
}

static void fingerprints_are_equal_just_when_conditions_are(void **state)
{
    static vs_conditions sets[2][FINGERPRINTS];
    void *prints[2][FINGERPRINTS];
    size_t bytes[2][FINGERPRINTS];
    (void)state;
    for (int copy = 0; copy < 2; copy++) {
        make_different(sets[copy]);
        for (int i = 0; i < FINGERPRINTS; i++) {
            prints[copy][i] = vs_conditions_fingerprint(&sets[copy][i], &bytes[copy][i]);
            assert_non_null(prints[copy][i]);
        }
    }
    for (int i = 0; i < FINGERPRINTS; i++) {
        for (int j = 0; j < FINGERPRINTS; j++) {
            int is_same =
                bytes[0][i] == bytes[1][j] && memcmp(prints[0][i], prints[1][j], bytes[0][i]) == 0;
            assert_int_equal(is_same, i == j);
        }
    }
    for (int copy = 0; copy < 2; copy++) {
        for (int i = 0; i < FINGERPRINTS; i++) {
            sqlite3_free(prints[copy][i]);
            vs_conditions_clear(&sets[copy][i]);
        }
    }
}

/* ---- the same through SQL: exactly the rows of the ordinary table ---- */

static char *joined(const char *table, const char *id, const char *column, const char *op,
                    const char *other)
{
    return sqlite3_mprintf("SELECT other.id, %s.%s FROM other CROSS JOIN %s WHERE %s.%s %s "
                           "other.%s ORDER BY 1, 2",
                           table, id, table, table, column, op, other);
}

static void joins_compare_as_sqlite_does(void **state)
{
    (void)state;
    for (size_t c = 0; c < VS_TEST_COUNT(columns); c++) {
        for (size_t op = 0; op < VS_TEST_COUNT(operators); op++) {
            for (size_t o = 0; o < VS_TEST_COUNT(others); o++) {
                same(joined("t", "rowid", columns[c], operators[op].sql, others[o]),
                     joined("plain", "id", columns[c], operators[op].sql, others[o]));
            }
        }
    }
}

static char *listed(const char *table, const char *id, const char *column, const char *other)
{
    return sqlite3_mprintf("SELECT %s FROM %s WHERE %s IN (SELECT %s FROM other) ORDER BY 1", id,
                           table, column, other);
}

static void lists_of_a_table_compare_as_sqlite_does(void **state)
{
    (void)state;
    for (size_t c = 0; c < VS_TEST_COUNT(columns); c++) {
        for (size_t o = 0; o < VS_TEST_COUNT(others); o++) {
            same(listed("t", "rowid", columns[c], others[o]),
                 listed("plain", "id", columns[c], others[o]));
        }
    }
}

/* type: "" or of a CAST, which gives the literal an affinity. */
static char *literal(const char *table, const char *id, const char *column, const char *op, int row,
                     const char *type)
{
    char *sql = sqlite3_mprintf("SELECT quote(a) FROM given WHERE id = %d", row);
    char *value = answer(sql);
    sqlite3_free(sql);
    int is_cast = type[0] != '\0';
    sql = sqlite3_mprintf("SELECT %s FROM %s WHERE %s %s %s%s%s%s%s ORDER BY 1", id, table, column,
                          op, is_cast ? "CAST(" : "", value, is_cast ? " AS " : "", type,
                          is_cast ? ")" : "");
    sqlite3_free(value);
    return sql;
}

static void literals_compare_as_sqlite_does(void **state)
{
    static const char *const types[] = {"INTEGER", "TEXT", "REAL", "BLOB", "NUMERIC"};
    (void)state;
    for (size_t c = 0; c < VS_TEST_COUNT(columns); c++) {
        for (size_t op = 0; op < VS_TEST_COUNT(operators); op++) {
            for (int row = 1; row <= 29; row++) {
                const char *type = types[(size_t)row % VS_TEST_COUNT(types)];
                same(literal("t", "rowid", columns[c], operators[op].sql, row, ""),
                     literal("plain", "id", columns[c], operators[op].sql, row, ""));
                same(literal("t", "rowid", columns[c], operators[op].sql, row, type),
                     literal("plain", "id", columns[c], operators[op].sql, row, type));
            }
        }
    }
}

/* Rows that a wider condition lets through must not take the place of one of the k nearest. */
static void the_nearest_are_chosen_among_the_rows_that_pass(void **state)
{
    static const char *const conditions[] = {"y = 1", "s = 1",   "s IN (1, 2)", "y IN (1, 2)",
                                             "y < 2", "y = '1'", "n = '1'",     "s = ?1"};
    (void)state;
    vs_test_run(fixture.db,
                "CREATE VIRTUAL TABLE few USING vecshard(v float[1], y, s TEXT, n NUMERIC);"
                "INSERT INTO few(rowid, v, y, s, n) VALUES (1, '[1]', '1', '1.0', 2),"
                " (2, '[2]', '1', '01', 'x'), (3, '[3]', 1, '1', 1), (4, '[4]', 1, '1', 1)");
    for (size_t i = 0; i < VS_TEST_COUNT(conditions); i++) {
        same(sqlite3_mprintf("SELECT rowid FROM few WHERE v MATCH '[0]' AND k = 1 AND %s",
                             conditions[i]),
             sqlite3_mprintf("SELECT rowid FROM few WHERE %s ORDER BY rowid LIMIT 1",
                             conditions[i]));
    }
}

static void an_error_of_a_list_is_an_error_of_the_search(void **state)
{
    (void)state;
    vs_test_fails(fixture.db,
                  "SELECT count(*) FROM t WHERE rowid IN (SELECT abs(-9223372036854775807 - id) "
                  "FROM other)",
                  "integer overflow");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_row_is_missing_whatever_affinity_a_value_had),
        cmocka_unit_test(null_tests_and_the_rowid_need_no_column),
        cmocka_unit_test(the_collation_of_the_comparison_counts),
        cmocka_unit_test(blobs_are_let_through_where_asked),
        cmocka_unit_test(as_many_conditions_as_there_may_be_are_bound),
        cmocka_unit_test(lists_of_every_length_are_the_same),
        cmocka_unit_test(lists_keep_types_and_nulls),
        cmocka_unit_test(list_values_are_for_our_pointers_alone),
        cmocka_unit_test(values_are_no_part_of_the_text),
        cmocka_unit_test(a_statement_can_be_bound_again),
        cmocka_unit_test(partitions_are_asked_for_their_keys_alone),
        cmocka_unit_test(fingerprints_are_equal_just_when_conditions_are),
        cmocka_unit_test(joins_compare_as_sqlite_does),
        cmocka_unit_test(lists_of_a_table_compare_as_sqlite_does),
        cmocka_unit_test(literals_compare_as_sqlite_does),
        cmocka_unit_test(the_nearest_are_chosen_among_the_rows_that_pass),
        cmocka_unit_test(an_error_of_a_list_is_an_error_of_the_search),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
