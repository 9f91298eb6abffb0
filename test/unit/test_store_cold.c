/*
 * test_store_cold.c - cold tables: every bit of every vector stays, answers stay, writes land warm,
 * and blocks hold no more than the table does.
 */
#include "../cold_fixture.h"
#include "../store_fixture.h"

#include <stdio.h>

enum { ROWS = 300, FULL = 256 }; /* two full cells in each partition, and an open one */

/* What is deleted stays in blocks, whatever SQLite was built with. */
static sqlite3 *open_tables(void)
{
    sqlite3 *db = vs_test_open();
    vs_test_run(db, "PRAGMA secure_delete = off");
    cold_make_tables(db, ROWS);
    return db;
}

static int64_t number_of(sqlite3 *db, const char *format, int vector)
{
    char *sql = sqlite3_mprintf(format, vector);
    int64_t number = fixture_number(db, sql);
    sqlite3_free(sql);
    return number;
}

#define BLOCKS "SELECT count(*) FROM t_cold%d"

/* Rows of t_vectors<n> that coded cells have. */
static int64_t warm_rows(sqlite3 *db, int vector)
{
    static const int per_cell[COLD_COLUMNS] = {32, 1, 1, 1, 16};
    char *sql = sqlite3_mprintf("SELECT count(*) FROM t_vectors%d AS v WHERE EXISTS (SELECT 1 FROM "
                                "t_codes0 AS c WHERE c.id = v.id / %d)",
                                vector, per_cell[vector]);
    int64_t number = fixture_number(db, sql);
    sqlite3_free(sql);
    return number;
}

/* ---- sealing --------------------------------------------------------------------------------- */

static void every_bit_comes_back(void **state)
{
    sqlite3 *db = open_tables();
    (void)state;
    cold_run_both(db, "DELETE FROM %s WHERE n %% 29 = 3");
    cold_compare(db);
    vs_test_run(db, COLD);
    for (int i = 0; i < COLD_COLUMNS; i++) {
        assert_int_equal(warm_rows(db, i), 0);
        assert_true(number_of(db, BLOCKS, i) > 0);
    }
    assert_true(number_of(db, "SELECT count(*) FROM t_vectors%d", 0) <= (ROWS - FULL + 2) / 2);
    cold_compare(db);
    vs_test_run(db, WARM);
    for (int i = 0; i < COLD_COLUMNS; i++) {
        assert_true(warm_rows(db, i) > 0);
        assert_int_equal(number_of(db, BLOCKS, i), 0);
    }
    cold_compare(db);
    vs_test_close(db);
}

static void other_columns_have_no_blocks(void **state)
{
    sqlite3 *db = open_tables();
    (void)state;
    vs_test_gives(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 't_cold%'", "5");
    int64_t before = fixture_number(
        db, "SELECT (SELECT count(*) FROM t_vectors5) + (SELECT count(*) FROM t_vectors6)");
    vs_test_run(db, COLD);
    assert_int_equal(
        fixture_number(
            db, "SELECT (SELECT count(*) FROM t_vectors5) + (SELECT count(*) FROM t_vectors6)"),
        before);
    vs_test_close(db);
}

/* Header and rowids included. Of s four vectors in five are on the grid. */
static void blocks_are_no_larger_than_the_vectors(void **state)
{
    static const int64_t record_bytes[COLD_COLUMNS] = {4096, 144, 96, 96, 2080 * 6 / 10};
    sqlite3 *db = open_tables();
    (void)state;
    vs_test_run(db, COLD);
    for (int i = 0; i < COLD_COLUMNS; i++) {
        int64_t bytes = number_of(db, "SELECT sum(length(data)) FROM t_cold%d", i);
        if (bytes > FULL * record_bytes[i] * 101 / 100) {
            fail_msg("column %d: %lld bytes", i, (long long)bytes);
        }
    }
    vs_test_close(db);
}

static void vectors_on_the_grid_take_less_than_half(void **state)
{
    sqlite3 *db = vs_test_open();
    (void)state;
    cold_functions(db);
    vs_test_run(
        db, "CREATE VIRTUAL TABLE t USING vecshard(f float[1024], s float[1024] store=half);"
            "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 128) INSERT "
            "INTO t(rowid, f, s) SELECT i, make_on_grid(i, 1024), make_on_grid(i, 1024) FROM r");
    vs_test_run(db, COLD);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(number_of(db, "SELECT count(*) FROM t_vectors%d", i), 0);
        int64_t bytes = number_of(db, "SELECT sum(length(data)) FROM t_cold%d", i);
        if (bytes > 128 * 4096 * 45 / 100) {
            fail_msg("column %d: %lld bytes", i, (long long)bytes);
        }
    }
    vs_test_gives(db,
                  "SELECT count(*) FROM t WHERE f = make_on_grid(rowid, 1024) AND s = "
                  "make_on_grid(rowid, 1024)",
                  "128");
    vs_test_close(db);
}

/* Nine in ten vectors are on the grid; with store=half those are halves as long as they are warm. */
static void mixed_columns_are_smaller_cold_than_warm(void **state)
{
    static const int64_t share_max[] = {55, 90}; /* percent of the warm column */
    sqlite3 *db = vs_test_open();
    (void)state;
    cold_functions(db);
    vs_test_run(
        db, "CREATE TABLE ref(id INTEGER PRIMARY KEY, f, s);"
            "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 256) INSERT "
            "INTO ref SELECT i, iif(i % 10, make_on_grid(i, 768), make_vector(i, 768)), iif((i + "
            "3) % 10, make_on_grid(-i, 768), make_vector(-i, 768)) FROM r;"
            "CREATE VIRTUAL TABLE t USING vecshard(f float[768], s float[768] store=half);"
            "INSERT INTO t(rowid, f, s) SELECT id, f, s FROM ref");
    int64_t warm[2];
    for (int i = 0; i < 2; i++) {
        warm[i] = number_of(db, "SELECT sum(length(data)) FROM t_vectors%d", i);
    }
    vs_test_run(db, COLD);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(number_of(db, "SELECT count(*) FROM t_vectors%d", i), 0);
        int64_t cold = number_of(db, "SELECT sum(length(data)) FROM t_cold%d", i);
        if (cold * 100 > warm[i] * share_max[i]) {
            fail_msg("column %d: %lld bytes warm, %lld cold", i, (long long)warm[i],
                     (long long)cold);
        }
    }
    vs_test_gives(db,
                  "SELECT count(*) FROM t JOIN ref ON ref.id = t.rowid WHERE t.f = ref.f AND t.s = "
                  "ref.s",
                  "256");
    vs_test_run(db, "INSERT INTO t(t) VALUES ('integrity-check');" WARM);
    vs_test_gives(db,
                  "SELECT count(*) FROM t JOIN ref ON ref.id = t.rowid WHERE t.f = ref.f AND t.s = "
                  "ref.s",
                  "256");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(number_of(db, "SELECT sum(length(data)) FROM t_vectors%d", i), warm[i]);
    }
    vs_test_close(db);
}

/* The blocks of t, as one number. */
static int64_t content_of_blocks(sqlite3 *db)
{
    uint64_t sum = 14695981039346656037u;
    for (int i = 0; i < COLD_COLUMNS; i++) {
        sqlite3_stmt *stmt = NULL;
        char *sql = sqlite3_mprintf("SELECT id, data FROM t_cold%d ORDER BY id", i);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            const unsigned char *bytes = sqlite3_column_blob(stmt, 1);
            sum = (sum ^ (uint64_t)sqlite3_column_int64(stmt, 0)) * 1099511628211u;
            for (int j = 0; j < sqlite3_column_bytes(stmt, 1); j++) {
                sum = (sum ^ bytes[j]) * 1099511628211u;
            }
        }
        sqlite3_finalize(stmt);
        sqlite3_free(sql);
    }
    return (int64_t)sum;
}

static void a_second_time_changes_nothing(void **state)
{
    static const char *const tiers[] = {COLD, WARM};
    sqlite3 *db = open_tables();
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(tiers); i++) {
        sqlite3_int64 n = 0, m = 0;
        vs_test_run(db, tiers[i]);
        unsigned char *first = sqlite3_serialize(db, "main", &n, 0);
        vs_test_run(db, tiers[i]);
        unsigned char *second = sqlite3_serialize(db, "main", &m, 0);
        assert_int_equal(n, m);
        /* the file's change counter and its copy do change when a transaction is written */
        assert_memory_equal(first + 100, second + 100, (size_t)n - 100);
        sqlite3_free(first);
        sqlite3_free(second);
    }
    vs_test_close(db);
}

static void one_partition_alone(void **state)
{
    sqlite3 *db = open_tables();
    (void)state;
    vs_test_run(db, "INSERT INTO t(t, arg, p) VALUES ('tier', 'cold', 1)");
    assert_int_equal(warm_rows(db, 0), COLD_SLOTS); /* two cells of 32 rows */
    assert_int_equal(number_of(db, BLOCKS, 0), 8);
    cold_compare(db);
    vs_test_run(db, COLD);
    assert_int_equal(warm_rows(db, 0), 0);
    vs_test_run(db, "INSERT INTO t(t, arg, p) VALUES ('TIER', 'Warm', 0)");
    assert_int_equal(warm_rows(db, 0), COLD_SLOTS);
    assert_int_equal(number_of(db, BLOCKS, 0), 8);
    cold_compare(db);
    vs_test_close(db);
}

static void wrong_commands_say_so(void **state)
{
    static const char takes[] = "t: 'tier' takes cold or warm in arg, found ";
    static const char *const args[] = {"'hot'", "hot", "NULL", "NULL", "1", "1", "''", ""};
    sqlite3 *db = open_tables();
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(args); i += 2) {
        char *sql = sqlite3_mprintf("INSERT INTO t(t, arg) VALUES ('tier', %s)", args[i]);
        char *words = sqlite3_mprintf("%s%s", takes, args[i + 1]);
        vs_test_fails(db, sql, words);
        sqlite3_free(words);
        sqlite3_free(sql);
    }
    vs_test_fails(db, "INSERT INTO t(t) VALUES ('tier')",
                  "t: 'tier' takes cold or warm in arg, found NULL");
    vs_test_fails(db, "INSERT INTO t(t, arg, p) VALUES ('tier', 'cold', 77)",
                  "t: there is no partition with these keys");
    vs_test_run(db, "CREATE VIRTUAL TABLE small USING vecshard(v float[3], u int8[64]);"
                    "CREATE TABLE docs(id INTEGER PRIMARY KEY, v);"
                    "CREATE VIRTUAL TABLE docs_index USING vecshard(v float[64], content=docs)");
    vs_test_fails(db, "INSERT INTO small(small, arg) VALUES ('tier', 'cold')",
                  "small: it keeps nothing that can be cold: those are vectors of float columns "
                  "with codes, in the table itself, and texts of auxiliary columns");
    vs_test_fails(db, "INSERT INTO docs_index(docs_index, arg) VALUES ('tier', 'warm')",
                  "docs_index: it keeps nothing that can be cold: those are vectors of float "
                  "columns with codes, in the table itself, and texts of auxiliary columns");
    cold_compare(db);
    vs_test_close(db);
}

/* ---- writing --------------------------------------------------------------------------------- */

static const char *const writes[] = {
    "DELETE FROM %s WHERE n IN (5, 6, 7, 8, 9, 10, 11, 12, 70)",
    "INSERT INTO %s(rowid, p, f, g, n) VALUES (1001, 1, make_vector(1001, 1024), vec_f32("
    "vec_f16(vec_f32(make_vector(5, 40)))), 80), (1002, 0, make_vector(1002, 1024), NULL, 81)",
    "UPDATE %s SET f = make_vector(n + 500, 1024), s = make_on_grid(n + 500, 520) WHERE n %% 17 = "
    "2",
    "UPDATE %s SET f = NULL WHERE n %% 19 = 4",
    "UPDATE %s SET s = make_vector(n, 520) WHERE n IN (30, 31, 43)",
    "UPDATE %s SET n = n + 1000 WHERE n IN (20, 21)",
    "UPDATE %s SET rowid = 2001 WHERE rowid = 33",
    "UPDATE %s SET p = 0 WHERE rowid IN (35, 37)",
    "UPDATE %s SET p = 5 WHERE rowid IN (39, 38)",
    "INSERT OR REPLACE INTO %s(rowid, p, f, s, n) VALUES (50, 0, make_vector(3, 1024), "
    "make_on_grid(3, 520), 50), (51, 0, NULL, NULL, 51)",
    "DELETE FROM %s WHERE rowid BETWEEN 100 AND 140",
};

static void writes_to_cold_cells_are_warm(void **state)
{
    sqlite3 *db = open_tables();
    (void)state;
    vs_test_run(db, COLD);
    for (size_t i = 0; i < VS_TEST_COUNT(writes); i++) {
        cold_run_both(db, writes[i]);
        cold_compare(db);
    }
    assert_true(warm_rows(db, 0) > 0);
    vs_test_run(db, COLD);
    assert_int_equal(warm_rows(db, 0), 0);
    cold_compare(db);
    vs_test_run(db, WARM);
    cold_compare(db);
    vs_test_close(db);
}

static void metadata_alone_leaves_vectors_cold(void **state)
{
    sqlite3 *db = open_tables();
    (void)state;
    vs_test_run(db, COLD);
    int64_t before = content_of_blocks(db);
    cold_run_both(db, "UPDATE %s SET n = n + 1");
    assert_int_equal(warm_rows(db, 0), 0);
    assert_int_equal(content_of_blocks(db), before);
    cold_compare(db);
    vs_test_close(db);
}

static void upkeep_of_cold_tables(void **state)
{
    static const char *const commands[] = {"INSERT INTO t(t, arg) VALUES ('merge', 10)",
                                           "INSERT INTO t(t) VALUES ('optimize')", COLD,
                                           "INSERT INTO t(t) VALUES ('rebuild')", COLD};
    sqlite3 *db = open_tables();
    (void)state;
    vs_test_run(db, COLD);
    cold_run_both(db, "DELETE FROM %s WHERE n %% 3 > 0");
    for (size_t i = 0; i < VS_TEST_COUNT(commands); i++) {
        vs_test_run(db, commands[i]);
        cold_compare(db);
    }
    vs_test_close(db);
}

static void blocks_go_with_their_cell(void **state)
{
    sqlite3 *db = open_tables();
    (void)state;
    vs_test_run(db, COLD);
    cold_run_both(db, "DELETE FROM %s WHERE p = 1");
    assert_int_equal(number_of(db, BLOCKS, 0), 8);
    cold_compare(db);
    cold_run_both(db, "DELETE FROM %s");
    for (int i = 0; i < COLD_COLUMNS; i++) {
        assert_int_equal(number_of(db, BLOCKS, i), 0);
    }
    cold_compare(db);
    vs_test_close(db);
}

static void the_check_finds_blocks_without_a_cell(void **state)
{
    sqlite3 *db = open_tables();
    (void)state;
    vs_test_run(db, COLD);
    vs_test_run(db, "INSERT INTO t_cold0 SELECT 100000, stamp, data FROM t_cold0 LIMIT 1");
    vs_test_fails(db, "INSERT INTO t(t) VALUES ('integrity-check')",
                  "t: \"t_cold0\" has 1 blocks of cells that are not there");
    vs_test_close(db);
}

/* Row n of both tables has the same bits. */
static void is_read_right(sqlite3 *db, int n)
{
    char *sql =
        sqlite3_mprintf("SELECT t.f IS ref.f, t.s IS ref.s FROM t JOIN ref USING(n) WHERE n = "
                        "%d AND t.rowid = n",
                        n);
    vs_test_gives(db, sql, "1|1");
    sqlite3_free(sql);
}

/* A block that was decoded serves the next row only while the table has that one: not after it was
 * sealed again, nor after a rollback. */
static void what_was_read_is_read_again_after_changes(void **state)
{
    sqlite3 *db = open_tables();
    (void)state;
    vs_test_run(db, COLD);
    for (int n = 1; n <= 128; n += 5) { /* also rows of the last block of a cell */
        char *change = sqlite3_mprintf("UPDATE %%s SET f = NULL, s = NULL WHERE n = %d", n);
        vs_test_run(db, n % 2 ? "PRAGMA secure_delete = 1" : "PRAGMA secure_delete = 0");
        for (int i = 0; i < 3; i++) { /* undone, sealed and undone, sealed */
            is_read_right(db, n);
            vs_test_run(db, "BEGIN");
            cold_run_both(db, change);
            if (i > 0) {
                vs_test_run(db, COLD);
            }
            is_read_right(db, n);
            vs_test_run(db, i < 2 ? "ROLLBACK" : "COMMIT");
            is_read_right(db, n);
        }
        sqlite3_free(change);
    }
    cold_compare(db);
    vs_test_close(db);
}

static void a_block_has_a_stamp(void **state)
{
    sqlite3 *db = open_tables();
    (void)state;
    vs_test_run(db, COLD);
    vs_test_gives(db,
                  "SELECT count(*) = count(DISTINCT stamp), sum(length(stamp) <> 16) FROM t_cold0",
                  "1|0");
    vs_test_run(db, "UPDATE t_cold0 SET stamp = x'00'");
    vs_test_fails(db, "SELECT count(f) FROM t WHERE f NOT NULL",
                  "t: block 4 of \"t_cold0\" has no stamp of 16 bytes");
    vs_test_close(db);
}

/* ---- transactions ---------------------------------------------------------------------------- */

static void a_rollback_takes_it_back(void **state)
{
    sqlite3 *db = open_tables();
    (void)state;
    vs_test_run(db, "BEGIN; " COLD "; ROLLBACK");
    assert_int_equal(number_of(db, BLOCKS, 0), 0);
    cold_compare(db);
    vs_test_run(db, "BEGIN; DELETE FROM t WHERE n = 9; DELETE FROM ref WHERE n = 9; SAVEPOINT "
                    "s; " COLD "; UPDATE t SET f = NULL WHERE n < 20; ROLLBACK TO s");
    assert_int_equal(number_of(db, BLOCKS, 0), 0);
    cold_compare(db);
    vs_test_run(db, COLD "; SAVEPOINT s2; " WARM "; DELETE FROM t WHERE n < 50; ROLLBACK TO s2; "
                         "RELEASE s2");
    assert_int_equal(warm_rows(db, 0), 0);
    cold_compare(db);
    vs_test_run(db, "COMMIT");
    cold_compare(db);
    vs_test_close(db);
}

static sqlite3 *open_file(const char *path)
{
    sqlite3 *db = fixture_open_file(path, FIXTURE_CREATE, NULL);
    cold_functions(db);
    return db;
}

static void readers_keep_their_snapshot(void **state)
{
    static const char *const tiers[] = {COLD, WARM};
    char path[256];
    (void)state;
    snprintf(path, sizeof path, "%s", fixture_path("test_store_cold.db"));
    fixture_remove(path);
    sqlite3 *writer = open_file(path);
    vs_test_run(writer, "PRAGMA journal_mode = wal");
    cold_make_tables(writer, ROWS);
    sqlite3 *reader = open_file(path);
    for (size_t i = 0; i < VS_TEST_COUNT(tiers); i++) {
        vs_test_run(reader, "BEGIN");
        cold_compare_answers(reader);
        int64_t before = number_of(reader, BLOCKS, 0);
        vs_test_run(writer, tiers[i]);
        cold_run_both(writer, "UPDATE %s SET f = make_vector(n + 700, 1024) WHERE n < 40");
        cold_compare(writer);
        cold_compare_answers(reader);
        assert_int_equal(number_of(reader, BLOCKS, 0), before);
        vs_test_run(reader, "COMMIT");
        cold_compare(reader);
    }
    vs_test_close(reader);
    vs_test_close(writer);
    fixture_remove(path);
}

/* ---- the table as a whole -------------------------------------------------------------------- */

static void renamed_copied_and_dropped(void **state)
{
    sqlite3 *db = open_tables();
    (void)state;
    vs_test_run(db, COLD "; ALTER TABLE t RENAME TO \"other name\"");
    vs_test_gives(db, "SELECT count(*) FROM \"other name_cold0\"", "16");
    vs_test_run(db, "ALTER TABLE \"other name\" RENAME TO t; VACUUM");
    cold_compare(db);
    vs_test_run(db, "DROP TABLE t");
    vs_test_gives(db, "SELECT count(*) FROM sqlite_schema WHERE name <> 'ref'", "0");
    vs_test_close(db);
}

static void attached_tables_are_cold_too(void **state)
{
    sqlite3 *db = vs_test_open();
    char path[256];
    (void)state;
    snprintf(path, sizeof path, "%s", fixture_path("test_store_cold_other.db"));
    fixture_remove(path);
    sqlite3 *file = open_file(path);
    cold_make_tables(file, ROWS);
    vs_test_close(file);
    cold_functions(db);
    char *sql = sqlite3_mprintf("ATTACH %Q AS other", path);
    vs_test_run(db, sql);
    sqlite3_free(sql);
    vs_test_run(db, "INSERT INTO other.t(t, arg) VALUES ('tier', 'cold')");
    vs_test_gives(db, "SELECT count(*) FROM other.t_cold0", "16");
    cold_compare(db);
    vs_test_close(db);
    fixture_remove(path);
}

/* ---- what is left of removed vectors --------------------------------------------------------- */

static int64_t copies_of(sqlite3 *db, int vector, const char *expression)
{
    sqlite3_value *value = fixture_value(db, expression);
    int64_t copies = cold_count_copies(db, vector, sqlite3_value_blob(value),
                                       (size_t)sqlite3_value_bytes(value));
    sqlite3_value_free(value);
    return copies;
}

static void nothing_is_left_of_removed_vectors(void **state)
{
    static const char *const removals[] = {
        "DELETE FROM %s WHERE rowid = 20",
        "UPDATE %s SET f = NULL, s = NULL WHERE rowid = 20",
        "UPDATE %s SET f = make_vector(1, 1024), s = make_on_grid(1, 520) WHERE rowid = 20",
        "UPDATE %s SET p = 9, f = NULL, s = NULL WHERE rowid = 20",
        "INSERT OR REPLACE INTO %s(rowid, p, n) VALUES (20, 0, 20)",
        "DELETE FROM %s WHERE p = 0",
        "DELETE FROM %s WHERE rowid BETWEEN 10 AND 30",
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(removals); i++) {
        sqlite3 *db = open_tables();
        cold_run_both(db, "UPDATE %s SET s = make_on_grid(20, 520) WHERE rowid = 20");
        vs_test_run(db, COLD "; PRAGMA secure_delete = on");
        assert_int_equal(copies_of(db, 0, "make_vector(20, 1024)"), 1);
        assert_int_equal(copies_of(db, 4, "make_on_grid(20, 520)"), 1);
        cold_run_both(db, removals[i]);
        if (copies_of(db, 0, "make_vector(20, 1024)") + copies_of(db, 4, "make_on_grid(20, 520)")) {
            fail_msg("a vector is left: %s", removals[i]);
        }
        cold_compare(db);
        vs_test_run(db, COLD);
        cold_compare(db);
        vs_test_close(db);
    }
}

/* A write to a group, made while nothing had to be overwritten, has left an old copy of its
 * neighbour. */
static void nothing_is_left_after_writes_beside_it(void **state)
{
    sqlite3 *db = open_tables();
    (void)state;
    cold_run_both(db, "UPDATE %s SET s = make_on_grid(20, 520) WHERE rowid = 20");
    vs_test_run(db, COLD);
    cold_run_both(db, "UPDATE %s SET f = NULL, s = NULL WHERE rowid IN (18, 22)");
    vs_test_run(db, "PRAGMA secure_delete = on");
    assert_int_equal(copies_of(db, 4, "make_vector(25, 520)"), 1); /* off the grid */
    cold_run_both(db, "DELETE FROM %s WHERE rowid IN (20, 25)");
    assert_int_equal(copies_of(db, 0, "make_vector(20, 1024)"), 0);
    assert_int_equal(copies_of(db, 4, "make_on_grid(20, 520)"), 0);
    assert_int_equal(copies_of(db, 4, "make_vector(25, 520)"), 0);
    assert_true(copies_of(db, 4, "make_vector(35, 520)") > 0); /* beside them */
    cold_compare(db);
    vs_test_close(db);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_comes_back),
        cmocka_unit_test(other_columns_have_no_blocks),
        cmocka_unit_test(blocks_are_no_larger_than_the_vectors),
        cmocka_unit_test(vectors_on_the_grid_take_less_than_half),
        cmocka_unit_test(mixed_columns_are_smaller_cold_than_warm),
        cmocka_unit_test(a_second_time_changes_nothing),
        cmocka_unit_test(one_partition_alone),
        cmocka_unit_test(wrong_commands_say_so),
        cmocka_unit_test(writes_to_cold_cells_are_warm),
        cmocka_unit_test(metadata_alone_leaves_vectors_cold),
        cmocka_unit_test(upkeep_of_cold_tables),
        cmocka_unit_test(blocks_go_with_their_cell),
        cmocka_unit_test(the_check_finds_blocks_without_a_cell),
        cmocka_unit_test(what_was_read_is_read_again_after_changes),
        cmocka_unit_test(a_block_has_a_stamp),
        cmocka_unit_test(a_rollback_takes_it_back),
        cmocka_unit_test(readers_keep_their_snapshot),
        cmocka_unit_test(renamed_copied_and_dropped),
        cmocka_unit_test(attached_tables_are_cold_too),
        cmocka_unit_test(nothing_is_left_of_removed_vectors),
        cmocka_unit_test(nothing_is_left_after_writes_beside_it),
    };
    return cmocka_run_group_tests_name("store_cold", tests, NULL, NULL);
}
