/*
 * test_content_index.c - an index over an existing table answers as that table does, whatever happens
 * to the table: rows that go without a trigger, triggers that change rows, collations that see no
 * difference, commands that fail in a transaction.
 */
#include "../vs_test_db.h"

#define NEAREST_ONES                                                                               \
    "(SELECT json_group_array(1 + value % 7) FROM "                                                \
    "(WITH RECURSIVE g(value) AS (VALUES(1) UNION ALL SELECT value + 1 FROM g LIMIT 64) "          \
    "SELECT value FROM g))"

static void refuses(const char *sql, const char *words)
{
    char *out = NULL;
    int rc = vs_test_query(db, sql, &out);
    if (rc == SQLITE_OK || strstr(out, words) == NULL) {
        fail_msg("%s: result %d: %s; expected an error with \"%s\"", sql, rc, out, words);
    }
    sqlite3_free(out);
}

/* docs with n rows (row i: i + j % 7 at j), and docs_index over it. */
static void make_docs(int n)
{
    char sql[512];
    vs_test_run(db, "CREATE TABLE docs(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, code TEXT "
                    "UNIQUE, embedding BLOB)");
    sqlite3_snprintf((int)sizeof sql, sql,
                     "WITH RECURSIVE g(j) AS (VALUES(1) UNION ALL SELECT j + 1 FROM g LIMIT 64), "
                     "r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT %d) "
                     "INSERT INTO docs SELECT i, 'n' || i, 'c' || i, (SELECT "
                     "vec_f32(json_group_array(i + j %% 7)) FROM g) FROM r",
                     n);
    vs_test_run(db, sql);
    vs_test_run(db,
                "CREATE VIRTUAL TABLE docs_index USING vecshard(embedding float[64], name TEXT, "
                "content=docs, content_rowid=id)");
}

static void drop_docs(void)
{
    vs_test_run(db, "DROP TABLE IF EXISTS docs_index");
    vs_test_run(db, "DROP TABLE IF EXISTS docs");
    vs_test_run(db, "DROP TABLE IF EXISTS other");
}

/* A REPLACE by another key fires no delete trigger. */
static void a_replaced_row_is_found_again_after_a_rollback(void **state)
{
    (void)state;
    make_docs(10);
    vs_test_run(db, "BEGIN");
    vs_test_run(db, "REPLACE INTO docs VALUES(100, 'x', 'c1', NULL)");
    vs_test_gives(db,
                  "SELECT rowid FROM docs_index WHERE embedding MATCH " NEAREST_ONES " AND k = 2",
                  "2; 3");
    vs_test_run(db, "ROLLBACK");
    vs_test_gives(db,
                  "SELECT rowid FROM docs_index WHERE embedding MATCH " NEAREST_ONES " AND k = 2",
                  "1; 2");
    vs_test_run(db, "REPLACE INTO docs VALUES(100, 'x', 'c1', NULL)");
    vs_test_gives(db,
                  "SELECT rowid FROM docs_index WHERE embedding MATCH " NEAREST_ONES " AND k = 2",
                  "2; 3");
    drop_docs();
}

/* A search between the change of a row and the index's trigger sees what a rollback takes back. */
static void a_search_inside_of_a_trigger_leaves_nothing_behind(void **state)
{
    (void)state;
    make_docs(10);
    vs_test_run(db, "CREATE TABLE other(found)");
    vs_test_run(db, "CREATE TRIGGER early AFTER UPDATE ON docs BEGIN INSERT INTO other SELECT "
                    "rowid FROM docs_index WHERE embedding MATCH " NEAREST_ONES " LIMIT 1; END");
    vs_test_run(db, "BEGIN");
    vs_test_run(db, "UPDATE docs SET embedding = (SELECT embedding FROM docs WHERE id = 9) WHERE "
                    "id = 1");
    vs_test_run(db, "ROLLBACK");
    vs_test_gives(db,
                  "SELECT rowid, distance FROM docs_index WHERE embedding MATCH " NEAREST_ONES
                  " AND k = 2",
                  "1|0.0; 2|8.0");
    drop_docs();
}

static void changes_that_a_collation_does_not_see_are_followed(void **state)
{
    (void)state;
    make_docs(3);
    vs_test_run(db, "UPDATE docs SET name = 'N2' WHERE id = 2");
    vs_test_gives(db, "SELECT rowid FROM docs_index WHERE name = 'N2'", "2");
    drop_docs();
}

static void rows_that_other_triggers_change_are_followed(void **state)
{
    (void)state;
    make_docs(3);
    vs_test_run(db, "CREATE TRIGGER t1 AFTER INSERT ON docs WHEN new.name = 'renamed' BEGIN UPDATE "
                    "docs SET name = 'later' WHERE id = new.id; END");
    vs_test_run(db, "CREATE TRIGGER t2 AFTER INSERT ON docs WHEN new.name = 'removed' BEGIN DELETE "
                    "FROM docs WHERE id = new.id; END");
    vs_test_run(db, "CREATE TRIGGER t3 AFTER DELETE ON docs WHEN old.name = 'n3' BEGIN INSERT INTO "
                    "docs VALUES(old.id, 'back', old.code, old.embedding); END");
    vs_test_run(db,
                "INSERT INTO docs SELECT 10, 'renamed', NULL, embedding FROM docs WHERE id = 1");
    vs_test_run(db,
                "INSERT INTO docs SELECT 11, 'removed', NULL, embedding FROM docs WHERE id = 1");
    vs_test_run(db, "DELETE FROM docs WHERE id = 3");
    vs_test_gives(db, "SELECT rowid, name FROM docs_index", "1|n1; 2|n2; 3|back; 10|later");
    drop_docs();
}

static void rows_move_and_go(void **state)
{
    (void)state;
    make_docs(1100);
    vs_test_run(db, "UPDATE docs SET id = id + 5000 WHERE id % 2");
    vs_test_run(db, "UPDATE docs SET embedding = NULL WHERE id % 3 = 0");
    vs_test_run(db, "UPDATE docs SET id = -id");
    vs_test_run(db, "DELETE FROM docs WHERE id % 5 = 0");
    vs_test_gives(
        db,
        "SELECT (SELECT count(*) FROM docs_index) = (SELECT count(*) FROM docs WHERE embedding IS "
        "NOT NULL), (SELECT count(*) FROM docs JOIN docs_index ON docs_index.rowid = docs.id)"
        " = (SELECT count(*) FROM docs_index)",
        "1|1");
    vs_test_run(db, "INSERT INTO docs_index(docs_index) VALUES('integrity-check')");
    drop_docs();
}

static void the_index_itself_is_not_written(void **state)
{
    (void)state;
    make_docs(2);
    refuses("INSERT INTO docs_index(rowid, embedding) SELECT 77, embedding FROM docs LIMIT 1",
            "docs_index: it follows the table docs");
    refuses("DELETE FROM docs_index WHERE rowid = 1", "it follows the table docs");
    refuses("UPDATE docs_index SET name = 'x'", "it follows the table docs");
    vs_test_run(db, "INSERT INTO docs_index(docs_index, arg) VALUES('sync', 1)");
    vs_test_run(db, "INSERT INTO docs_index(docs_index, arg) VALUES('sync', 9)");
    vs_test_gives(db, "SELECT rowid, name FROM docs_index", "1|n1; 2|n2");
    drop_docs();
}

static void a_rebuild_that_fails_takes_the_transaction_back(void **state)
{
    (void)state;
    make_docs(3);
    assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL), SQLITE_OK);
    vs_test_run(db, "UPDATE docs SET embedding = x'00' WHERE id = 2");
    assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, NULL), SQLITE_OK);
    vs_test_run(db, "BEGIN");
    refuses("INSERT INTO docs_index(docs_index) VALUES('rebuild')", "docs.embedding, row 2");
    assert_true(sqlite3_get_autocommit(db));
    vs_test_gives(db, "SELECT rowid FROM docs_index", "1; 2; 3");
    drop_docs();
}

static void a_key_of_a_replaced_row_is_free(void **state)
{
    (void)state;
    vs_test_run(db,
                "CREATE TABLE docs(id INTEGER PRIMARY KEY, code TEXT UNIQUE ON CONFLICT REPLACE, "
                "embedding BLOB)");
    vs_test_run(db, "CREATE VIRTUAL TABLE docs_index USING vecshard(embedding float[4], code TEXT "
                    "PRIMARY KEY, content=docs, content_rowid=id)");
    vs_test_run(db, "INSERT INTO docs VALUES(1, 'a', '[1,2,3,4]'), (2, 'b', '[1,2,3,5]')");
    vs_test_run(db, "INSERT INTO docs VALUES(3, 'a', '[1,2,3,6]')");
    vs_test_gives(db, "SELECT rowid, code FROM docs_index", "2|b; 3|a");
    drop_docs();
    vs_test_run(db, "CREATE TABLE docs(id INTEGER PRIMARY KEY, code TEXT, embedding BLOB)");
    vs_test_run(db, "CREATE VIRTUAL TABLE docs_index USING vecshard(embedding float[4], code TEXT "
                    "PRIMARY KEY, content=docs, content_rowid=id)");
    vs_test_run(db, "INSERT INTO docs VALUES(1, 'a', '[1,2,3,4]')");
    refuses("INSERT INTO docs VALUES(2, 'a', '[1,2,3,4]')", "docs_index.code: row 1 has that key");
    refuses("INSERT OR IGNORE INTO docs VALUES(2, 'a', '[1,2,3,4]')", "row 1 has that key");
    refuses("INSERT OR FAIL INTO docs VALUES(2, 'a', '[1,2,3,4]')", "row 1 has that key");
    refuses("INSERT OR REPLACE INTO docs VALUES(2, 'a', '[1,2,3,4]')", "row 1 has that key");
    vs_test_gives(db, "SELECT count(*) FROM docs", "1");
    drop_docs();
}

/* VACUUM numbers the rows of such a table anew. */
static void a_table_without_lasting_ids_is_refused(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE docs(embedding BLOB)");
    refuses("CREATE VIRTUAL TABLE docs_index USING vecshard(embedding float[4], content=docs)",
            "has no INTEGER PRIMARY KEY");
    drop_docs();
}

static void a_key_that_is_no_number_is_refused(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE docs(id INTEGER PRIMARY KEY, embedding BLOB) WITHOUT ROWID");
    vs_test_run(db,
                "CREATE VIRTUAL TABLE docs_index USING vecshard(embedding float[4], content=docs, "
                "content_rowid=id)");
    vs_test_run(db, "INSERT INTO docs VALUES(1, '[1,2,3,4]')");
    refuses("INSERT INTO docs VALUES('abc', '[1,2,3,4]')", "docs_index: expected an INTEGER");
    refuses("UPDATE docs SET id = 2.5", "found 2.5");
    vs_test_gives(db, "SELECT rowid FROM docs_index", "1");
    vs_test_run(db, "DROP TABLE docs_index");
    vs_test_run(db, "INSERT INTO docs VALUES('abc', '[1,2,3,4]')");
    refuses("CREATE VIRTUAL TABLE docs_index USING vecshard(embedding float[4], content=docs, "
            "content_rowid=id)",
            "found abc");
    drop_docs();
}

static void a_table_made_anew_is_not_the_one_that_was_indexed(void **state)
{
    (void)state;
    make_docs(3);
    vs_test_run(db, "DROP TABLE docs");
    vs_test_run(db, "CREATE TABLE docs(id INTEGER PRIMARY KEY, name TEXT, embedding BLOB)");
    refuses("SELECT rowid FROM docs_index WHERE embedding MATCH " NEAREST_ONES " AND k = 2",
            "the table that it indexes was dropped");
    refuses("INSERT INTO docs_index(docs_index) VALUES('rebuild')", "was dropped");
    drop_docs();
}

/* What LIKE means belongs to the connection and the moment. */
static void a_filter_by_like_is_not_remembered(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE VIRTUAL TABLE t USING vecshard(v float[4], name TEXT)");
    vs_test_run(db, "INSERT INTO t(rowid, v, name) VALUES(1, '[1,2,3,4]', 'en'), (2, '[1,2,3,5]', "
                    "'EN')");
    vs_test_run(db, "PRAGMA case_sensitive_like = 1");
    vs_test_gives(db, "SELECT rowid FROM t WHERE v MATCH '[1,2,3,4]' AND k = 2 AND name LIKE '%N'",
                  "2");
    vs_test_run(db, "PRAGMA case_sensitive_like = 0");
    vs_test_gives(db, "SELECT rowid FROM t WHERE v MATCH '[1,2,3,4]' AND k = 2 AND name LIKE '%N'",
                  "1; 2");
    vs_test_run(db, "DROP TABLE t");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replaced_row_is_found_again_after_a_rollback),
        cmocka_unit_test(a_search_inside_of_a_trigger_leaves_nothing_behind),
        cmocka_unit_test(changes_that_a_collation_does_not_see_are_followed),
        cmocka_unit_test(rows_that_other_triggers_change_are_followed),
        cmocka_unit_test(rows_move_and_go),
        cmocka_unit_test(the_index_itself_is_not_written),
        cmocka_unit_test(a_rebuild_that_fails_takes_the_transaction_back),
        cmocka_unit_test(a_key_of_a_replaced_row_is_free),
        cmocka_unit_test(a_table_without_lasting_ids_is_refused),
        cmocka_unit_test(a_key_that_is_no_number_is_refused),
        cmocka_unit_test(a_table_made_anew_is_not_the_one_that_was_indexed),
        cmocka_unit_test(a_filter_by_like_is_not_remembered),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
