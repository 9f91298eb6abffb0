/*
 * test_index_keys.c - keys and partition keys of every affinity are what they are in a plain table.
 *
 * The same random changes run on a vecshard table and on a plain table whose column has the same
 * declaration: values of every type, as literals and as parameters, numbers as texts, and whole
 * numbers that no double holds. Both succeed or fail alike, a row that is refused takes nothing with
 * it, also in a transaction, and then both hold the same rows under the same keys. So with partition
 * keys, where each value has one partition. An index over a table holds what its own columns make of
 * the table's values, and the integrity check knows that.
 *
 *   VS_KEYS_ROUNDS  changes of each table (default 1,500)
 *   VS_KEYS_SEED    where the random numbers begin (default 1)
 */
#include "../vs_test_db.h"

static const char *const keys_types[] = {
    "REAL",
    "DOUBLE PRECISION",
    "FLOAT(3)",
    "BIGINT",
    "TEXT",
    "VARCHAR(9)",
    "NUMERIC",
    "DECIMAL(10, 5)",
    "REAL COLLATE NOCASE",
    "TEXT COLLATE NOCASE",
    "BLOB",
    "",
    "FLOATING POINT",
};

static const char *const keys_values[] = {
    "12",
    "12.0",
    "'12'",
    "'12.0'",
    "' 12 '",
    "'1.2e1'",
    "x'3132'",
    "'twelve'",
    "'TWELVE'",
    "NULL",
    "0",
    "-0.0",
    "'-0'",
    "0.1",
    "'0.1'",
    "9007199254740992",
    "9007199254740993",
    "9007199254740992.0",
    "'9007199254740993'",
    "'9007199254740993.0'",
    "-9007199254740993",
    "9223372036854775807",
    "'9223372036854775807'",
    "9223372036854775807.0",
    "'9223372036854775808'",
    "-9223372036854775808",
    "140737488355327",
    "140737488355328",
    "'1e400'",
    "1e400",
    "''",
    "x''",
};

static uint64_t keys_random;
static const char *keys_type;

static uint32_t keys_pick(uint32_t n)
{
    return (uint32_t)(vs_test_random(&keys_random) % n);
}

/* ---- statements on both tables --------------------------------------------------------------- */

/* Runs a statement with ?1 bound, where it has one, to a value. */
static int keys_run_one(const char *sql, const char *table, const char *value)
{
    sqlite3_stmt *stmt = NULL, *of_value = NULL;
    char *text = sqlite3_mprintf(sql, table);
    char *select = sqlite3_mprintf("SELECT %s", value);
    assert_non_null(text);
    assert_non_null(select);
    if (sqlite3_prepare_v2(db, text, -1, &stmt, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    }
    assert_int_equal(sqlite3_prepare_v2(db, select, -1, &of_value, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(of_value), SQLITE_ROW);
    if (sqlite3_bind_parameter_count(stmt) > 0) {
        assert_int_equal(sqlite3_bind_value(stmt, 1, sqlite3_column_value(of_value, 0)), SQLITE_OK);
    }
    (void)sqlite3_step(stmt);
    int rc = sqlite3_finalize(stmt);
    sqlite3_finalize(of_value);
    sqlite3_free(select);
    sqlite3_free(text);
    return rc;
}

/* Runs `sql`, with %s for the table, on both; `sql` is freed. */
static void keys_run(char *sql, const char *value)
{
    assert_non_null(sql);
    int is_in = !sqlite3_get_autocommit(db);
    int expected = keys_run_one(sql, "plain", value);
    int found = keys_run_one(sql, "t", value);
    if (found != expected || is_in != !sqlite3_get_autocommit(db)) {
        fail_msg("%s: %s with %s: expected %s, found %s: %s", keys_type, sql, value,
                 sqlite3_errstr(expected), sqlite3_errstr(found), sqlite3_errmsg(db));
    }
    sqlite3_free(sql);
}

/* A value of the pool, as it is written in the statement: itself, or the parameter. */
static const char *keys_value(const char **out_written)
{
    const char *value = keys_values[keys_pick(VS_TEST_COUNT(keys_values))];
    *out_written = keys_pick(2) ? value : "?1";
    return value;
}

static void keys_compare(const char *sql)
{
    char *expected = sqlite3_mprintf(sql, "plain"), *found = sqlite3_mprintf(sql, "t");
    vs_test_same(db, found, expected);
    sqlite3_free(expected);
    sqlite3_free(found);
}

static void keys_compare_rows(void)
{
    keys_compare("SELECT rowid, kk, typeof(kk), n FROM %s ORDER BY rowid");
    vs_test_run(db, "INSERT INTO t(t) VALUES ('integrity-check')");
}

static void keys_compare_lookup(void)
{
    static const char *const operators[] = {"=", "IS", "<", ">=", "<>"};
    const char *written;
    const char *value = keys_value(&written);
    char *sql = sqlite3_mprintf("SELECT rowid FROM %%s WHERE kk %s %s ORDER BY rowid",
                                operators[keys_pick(VS_TEST_COUNT(operators))], value);
    keys_compare(sql);
    sqlite3_free(sql);
    sql = sqlite3_mprintf("SELECT rowid FROM %%s WHERE kk IN (12, '12', %s) ORDER BY rowid", value);
    keys_compare(sql);
    sqlite3_free(sql);
    sql = sqlite3_mprintf("SELECT %%s.rowid FROM %%s JOIN (SELECT %s AS x) ON kk = x ORDER BY 1",
                          value);
    char *of_plain = sqlite3_mprintf(sql, "plain", "plain"), *of_t = sqlite3_mprintf(sql, "t", "t");
    vs_test_same(db, of_t, of_plain);
    sqlite3_free(of_plain);
    sqlite3_free(of_t);
    sqlite3_free(sql);
}

static void keys_change(int step)
{
    static const char *const conflicts[] = {"",          " OR IGNORE", " OR REPLACE", " OR REPLACE",
                                            " OR ABORT", " OR FAIL"};
    const char *conflict = conflicts[keys_pick(VS_TEST_COUNT(conflicts))];
    const char *written;
    const char *value = keys_value(&written);
    int id = 1 + (int)keys_pick(30);
    switch (keys_pick(12)) {
    case 0:
        keys_run(sqlite3_mprintf("DELETE FROM %%s WHERE kk = %s", written), value);
        break;
    case 1:
        keys_run(sqlite3_mprintf("DELETE FROM %%s WHERE rowid = %d", id), value);
        break;
    case 2:
    case 3:
        keys_run(sqlite3_mprintf("UPDATE%s %%s SET kk = %s, n = %d WHERE rowid = %d", conflict,
                                 written, step, id),
                 value);
        break;
    case 4:
        keys_run(sqlite3_mprintf("UPDATE%s %%s SET rowid = %d, n = %d WHERE kk = %s", conflict, id,
                                 step, written),
                 value);
        break;
    case 5:
    case 6:
        keys_run(sqlite3_mprintf("INSERT%s INTO %%s(rowid, v, kk, n) VALUES (%d, '[%d,1]', %s, %d)",
                                 conflict, id, step, written, step),
                 value);
        break;
    case 7:
        keys_compare_lookup();
        break;
    default:
        keys_run(sqlite3_mprintf("INSERT%s INTO %%s(v, kk, n) VALUES ('[%d,1]', %s, %d)", conflict,
                                 step, written, step),
                 value);
        break;
    }
}

/* Begins, ends and goes back; in transactions errors must leave the rest alone. */
static void keys_move_transaction(void)
{
    if (sqlite3_get_autocommit(db)) {
        vs_test_run(db, "BEGIN; SAVEPOINT s");
    } else if (keys_pick(3) == 0) {
        vs_test_run(db, "ROLLBACK TO s");
    } else {
        vs_test_run(db, keys_pick(4) == 0 ? "ROLLBACK" : "COMMIT");
    }
}

static int keys_number(const char *name, int otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : atoi(text);
}

static void keys_steps(void)
{
    int rounds = keys_number("VS_KEYS_ROUNDS", 1500);
    for (int step = 0; step < rounds; step++) {
        keys_change(step);
        if (keys_pick(10) == 0) {
            keys_move_transaction();
        }
        if (keys_pick(25) == 0) {
            keys_compare_rows();
        }
    }
    if (!sqlite3_get_autocommit(db)) {
        vs_test_run(db, "COMMIT");
    }
    keys_compare_rows();
}

/* Both tables, of a column `kk` that is declared as keys_type and `rest` say. */
static void keys_create(const char *of_plain, const char *of_table)
{
    char *sql = sqlite3_mprintf("CREATE TABLE plain(rowid INTEGER PRIMARY KEY, v, kk %s%s, n);"
                                "CREATE VIRTUAL TABLE t USING vecshard(v float[2], kk %s %s, n)",
                                keys_type, of_plain, keys_type, of_table);
    assert_non_null(sql);
    vs_test_run(db, sql);
    sqlite3_free(sql);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void keys_are_those_of_a_plain_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(keys_types); i++) {
        keys_type = keys_types[i];
        keys_create(" UNIQUE", "PRIMARY KEY");
        keys_steps();
        vs_test_run(db, "DROP TABLE t; DROP TABLE plain");
    }
}

static void partitions_are_those_of_a_plain_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(keys_types); i++) {
        keys_type = keys_types[i];
        keys_create("", "PARTITION KEY");
        keys_steps();
        vs_test_run(db, "DROP TABLE t; DROP TABLE plain");
    }
}

/* A number and the text of the same number are one key, or two, as in a plain table; and one
 * partition, or two. */
static void every_pair_of_values_is_one_key_or_two(void **state)
{
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(keys_types); i++) {
        keys_type = keys_types[i];
        keys_create(" UNIQUE", "PRIMARY KEY");
        for (size_t a = 0; a < VS_TEST_COUNT(keys_values); a++) {
            for (size_t b = 0; b < VS_TEST_COUNT(keys_values); b++) {
                vs_test_run(db, "BEGIN");
                keys_run(sqlite3_mprintf("INSERT INTO %%s(v, kk) VALUES ('[1,1]', ?1)"),
                         keys_values[a]);
                keys_run(sqlite3_mprintf("INSERT OR IGNORE INTO %%s(v, kk) VALUES ('[1,2]', ?1)"),
                         keys_values[b]);
                keys_run(sqlite3_mprintf("INSERT INTO %%s(v, kk) VALUES ('[1,3]', ?1)"),
                         keys_values[b]);
                keys_run(sqlite3_mprintf("INSERT OR REPLACE INTO %%s(v, kk) VALUES ('[1,4]', ?1)"),
                         keys_values[b]);
                keys_compare("SELECT rowid, kk, typeof(kk) FROM %s ORDER BY rowid");
                vs_test_run(db, "ROLLBACK");
            }
        }
        vs_test_run(db, "DROP TABLE t; DROP TABLE plain");
    }
}

/* A table with every value in a column of one type, and an index with a column of another; auxiliary
 * texts among them. */
static void keys_index_values(const char *of_base, const char *of_index)
{
    char *sql = sqlite3_mprintf(
        "CREATE TABLE base(id INTEGER PRIMARY KEY, v, kk %s, note %s); CREATE VIRTUAL TABLE t "
        "USING "
        "vecshard(v float[2], kk %s PARTITION KEY, +note %s, content=base, content_rowid=id)",
        of_base, of_base, of_index, of_index);
    assert_non_null(sql);
    vs_test_run(db, sql);
    sqlite3_free(sql);
    for (size_t i = 0; i < VS_TEST_COUNT(keys_values); i++) {
        sql = sqlite3_mprintf("INSERT INTO base(v, kk, note) VALUES ('[1,2]', %s, %s)",
                              keys_values[i], keys_values[keys_pick(VS_TEST_COUNT(keys_values))]);
        vs_test_run(db, sql);
        sqlite3_free(sql);
    }
    vs_test_run(db, "INSERT INTO base(v, kk, note) VALUES ('[1,2]', 0.1 + 0.2, x'd0d1'), "
                    "('[3,4]', 1e300 / 3, x'd1'), ('[5,6]', x'3132', 1e-300 / 3)");
}

/* What an index takes over from a table is what the check expects, whatever both columns are; and
 * another value is found. */
static void values_of_an_index_are_those_of_its_table(void **state)
{
    (void)state;
    for (size_t a = 0; a < VS_TEST_COUNT(keys_types); a++) {
        for (size_t b = 0; b < VS_TEST_COUNT(keys_types); b++) {
            char *report = NULL;
            keys_index_values(keys_types[a], keys_types[b]);
            vs_test_run(db, "INSERT INTO t(t) VALUES ('integrity-check'); UPDATE base SET kk = "
                            "(SELECT kk FROM base AS o WHERE o.id = 35 - base.id);"
                            "INSERT INTO t(t) VALUES ('integrity-check');"
                            "UPDATE t_rows SET c1 = 'another' WHERE id = 7");
            int rc = vs_test_query(db, "INSERT INTO t(t) VALUES ('integrity-check')", &report);
            if (rc == SQLITE_OK || strstr(report, "1 rows have another kk in base: 7") == NULL) {
                fail_msg("%s in %s: %s", keys_types[a], keys_types[b], report);
            }
            sqlite3_free(report);
            vs_test_run(db, "DROP TABLE t; DROP TABLE base");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_values_is_one_key_or_two),
        cmocka_unit_test(keys_are_those_of_a_plain_table),
        cmocka_unit_test(partitions_are_those_of_a_plain_table),
        cmocka_unit_test(values_of_an_index_are_those_of_its_table),
    };
    int seed = keys_number("VS_KEYS_SEED", 1);
    keys_random = (uint64_t)seed;
    print_message("VS_KEYS_SEED=%d\n", seed);
    return cmocka_run_group_tests(tests, open_db, close_db);
}
