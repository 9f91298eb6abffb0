/*
 * test_format_fixture.c - a database that format version 1 wrote is read, checked and written.
 *
 * test/format/index_v1.db is kept as it was written. test/format/index_v1.sql, run by the present
 * code, must make tables with the same rows; searches of both must give what brute force over the
 * rows gives.
 */
#include "../vs_test.h"

#include <stdio.h>
#include <unistd.h>

#define FIXTURE "test/format/index_v1.db"
#define FIXTURE_SQL "test/format/index_v1.sql"

static char copy_path[48];

static unsigned char *read_file(const char *path, size_t *out_size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size > 0);
    rewind(file);
    unsigned char *bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)size, file), (size_t)size);
    bytes[size] = '\0';
    (void)fclose(file);
    *out_size = (size_t)size;
    return bytes;
}

static int make_copy(void **state)
{
    size_t size = 0;
    unsigned char *bytes = read_file(FIXTURE, &size);
    (void)state;
    (void)snprintf(copy_path, sizeof copy_path, "format_fixture_%ld.db", (long)getpid());
    FILE *file = fopen(copy_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    free(bytes);
    return 0;
}

static int remove_copy(void **state)
{
    (void)state;
    return remove(copy_path);
}

/* Main: what the present code makes of the SQL. Schema old: the copy of the fixture. */
static sqlite3 *open_both(const char *mode)
{
    size_t size = 0;
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open_v2(":memory:", &db,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI,
                                     NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_vecshard_init(db, &message, NULL), SQLITE_OK);
    char *sql = (char *)read_file(FIXTURE_SQL, &size);
    vs_test_run(db, sql);
    free(sql);
    char *attach = sqlite3_mprintf("ATTACH 'file:%s?mode=%s' AS old", copy_path, mode);
    vs_test_run(db, attach);
    sqlite3_free(attach);
    return db;
}

/* The rows of both statements are the same; and there are some. */
static void same_results(sqlite3 *db, const char *sql, const char *other)
{
    char *expected = NULL;
    if (vs_test_query(db, other, &expected) != SQLITE_OK) {
        fail_msg("%s: %s", other, expected);
    }
    if (expected == NULL) {
        fail_msg("%s: no rows", other);
    }
    vs_test_gives(db, sql, expected);
    sqlite3_free(expected);
}

static const struct {
    const char *table, *columns;
} tables[] = {
    {"notes", "rowid, embedding, tenant, id, lang, title"},
    {"shapes", "id, bits, place, wide, hue, name"},
    {"halves", "rowid, v, n"},
    {"mixed", "rowid, v, n"},
    {"letters", "rowid, v, n, body"},
    {"docs", "id, embedding, lang"},
    {"docs_index", "rowid, embedding, lang"},
};

static void rows_are_those_of_the_statements(sqlite3 *db)
{
    for (size_t i = 0; i < VS_TEST_COUNT(tables); i++) {
        char *sql[2];
        for (int old = 0; old < 2; old++) {
            sql[old] = sqlite3_mprintf("SELECT %s FROM %s.%s ORDER BY rowid", tables[i].columns,
                                       old ? "old" : "main", tables[i].table);
        }
        same_results(db, sql[1], sql[0]);
        sqlite3_free(sql[0]);
        sqlite3_free(sql[1]);
    }
}

static const struct {
    const char *table, *column, *function,
        *type; /* vec_distance_<function>(<type>(column), query) */
    int query; /* id of the row whose vector is the query */
    const char *condition;
} searches[] = {
    {"notes", "embedding", "cosine", "vec_f32", 20, ""},
    {"notes", "embedding", "cosine", "vec_f32", 84, " AND tenant = 2"},
    {"notes", "embedding", "cosine", "vec_f32", 41, " AND lang = 'fr' AND title LIKE 'note 4%'"},
    {"notes", "embedding", "cosine", "vec_f32", 41, " AND id IN ('N5', 'n60', 'n11')"},
    {"shapes", "bits", "jaccard", "vec_bit", 5, ""},
    {"shapes", "place", "l2", "vec_f32", 6, " AND name <> 'shape 7'"},
    {"shapes", "wide", "l1", "vec_int8", 7, ""},
    {"shapes", "hue", "dot", "vec_bf16", 8, " AND rowid > 2"},
    {"halves", "v", "l2sq", "vec_f32", 25, " AND n < 2"},
    {"mixed", "v", "l2", "vec_f32", 12, ""},
    {"mixed", "v", "l2", "vec_f32", 7, " AND n = 1"},
    {"letters", "v", "l2", "vec_f32", 30, " AND body LIKE '%harbour%5%'"},
    {"docs_index", "embedding", "l2sq", "vec_f32", 33, ""},
    {"docs_index", "embedding", "l2sq", "vec_f32", 34, " AND lang = 'fr'"},
};

static void searches_equal_brute_force(sqlite3 *db, const char *schema)
{
    for (size_t i = 0; i < VS_TEST_COUNT(searches); i++) {
        char *query =
            sqlite3_mprintf("%s((SELECT %s FROM main.%s WHERE rowid = %d))", searches[i].type,
                            searches[i].column, searches[i].table, searches[i].query);
        char *sql = sqlite3_mprintf("SELECT rowid, distance FROM %s.%s WHERE %s MATCH %s AND k = "
                                    "7%s ORDER BY distance",
                                    schema, searches[i].table, searches[i].column, query,
                                    searches[i].condition);
        char *expected = sqlite3_mprintf(
            "SELECT rowid, CAST(vec_distance_%s(%s(%s), %s) AS REAL) AS d FROM main.%s WHERE %s IS "
            "NOT NULL%s ORDER BY d, rowid LIMIT 7",
            searches[i].function, searches[i].type, searches[i].column, query, searches[i].table,
            searches[i].column, searches[i].condition);
        same_results(db, sql, expected);
        sqlite3_free(expected);
        sqlite3_free(sql);
        sqlite3_free(query);
    }
}

static void format_1_is_read_without_writing(void **state)
{
    sqlite3 *db = open_both("ro");
    (void)state;
    vs_test_gives(
        db,
        "SELECT key, CAST(value AS TEXT) FROM old.notes_info WHERE key IN ('magic', 'format', "
        "'reader', 'writer', 'features') ORDER BY key",
        "features|0; format|1; magic|vecshard; reader|1; writer|1");
    vs_test_gives(db, "SELECT count(*) FROM old.notes_codes0", "1");
    vs_test_gives(db, "SELECT hex(substr(c2, 1, 1)), count(*) FROM old.letters_rows GROUP BY 1",
                  "7B|1; D0|1; D1|88");
    rows_are_those_of_the_statements(db);
    searches_equal_brute_force(db, "old");
    same_results(db,
                 "SELECT id, distance FROM vec_search('old.docs', 'embedding', zeroblob(132), 9)",
                 "SELECT id, vec_distance_l2sq(embedding, zeroblob(132)) AS d FROM main.docs WHERE "
                 "embedding IS NOT NULL ORDER BY d, id LIMIT 9");
    vs_test_gives(db, "PRAGMA old.integrity_check", "ok");
    vs_test_close(db);
    size_t before = 0, after = 0;
    unsigned char *fixture = read_file(FIXTURE, &before), *copy = read_file(copy_path, &after);
    assert_int_equal(before, after);
    assert_memory_equal(fixture, copy, before);
    free(fixture);
    free(copy);
}

static void check(sqlite3 *db)
{
    static const char *const names[] = {"notes", "shapes", "letters", "docs_index"};
    for (size_t i = 0; i < VS_TEST_COUNT(names); i++) {
        char *sql =
            sqlite3_mprintf("INSERT INTO old.%s(%s) VALUES('integrity-check')", names[i], names[i]);
        vs_test_run(db, sql);
        sqlite3_free(sql);
    }
}

static void format_1_is_written(void **state)
{
    static const char *const changes[] = {
        "DELETE FROM %s.notes WHERE rowid %% 8 = 5",
        "INSERT INTO %s.notes(rowid, embedding, tenant, id, lang) SELECT i + 1000, (SELECT "
        "embedding FROM main.notes WHERE rowid = 10 + i %% 5), 1, 'm' || i, 'fr' FROM numbers",
        "UPDATE %s.shapes SET bits = vec_bit(x'0f0f'), wide = NULL WHERE id %% 3 = 0",
        "UPDATE %s.docs SET embedding = (SELECT embedding FROM main.docs WHERE id = 7) WHERE id > "
        "40",
        "UPDATE %s.letters SET body = upper(body) WHERE n = 1",
        "INSERT INTO %s.letters(letters, arg) VALUES('tier', 'cold')",
        "INSERT INTO %s.notes(notes) VALUES('optimize')",
        "INSERT INTO %s.docs_index(docs_index) VALUES('rebuild')",
    };
    sqlite3 *db = open_both("rw");
    (void)state;
    check(db);
    for (size_t i = 0; i < VS_TEST_COUNT(changes); i++) {
        static const char *const schemas[] = {"main", "old"};
        for (size_t j = 0; j < VS_TEST_COUNT(schemas); j++) {
            char *sql = sqlite3_mprintf(changes[i], schemas[j]);
            vs_test_run(db, sql);
            sqlite3_free(sql);
        }
    }
    rows_are_those_of_the_statements(db);
    searches_equal_brute_force(db, "old");
    check(db);
    vs_test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(format_1_is_read_without_writing, make_copy, remove_copy),
        cmocka_unit_test_setup_teardown(format_1_is_written, make_copy, remove_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
