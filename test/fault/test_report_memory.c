/*
 * test_report_memory.c - vec_compress_report without memory.
 *
 * The same statement runs again and again, the n-th allocation failing: that one alone, then that
 * one and all after it, until a run meets no failure. Each time the result is the right answer or
 * SQLITE_NOMEM, and in the end all memory came back.
 */
#include "../text_fixture.h"

#include "../vs_fault.h"

#include "../../ext/dict.h"

static sqlite3 *open_tables(void)
{
    sqlite3 *db = vs_test_open();
    text_fixture_fill(db, "m", 40);
    vs_test_run(db, "CREATE TABLE t(v); INSERT INTO t VALUES (vec_f32('[1,2,3,4,5,6,7,8]')), "
                    "(NULL), (vec_f32('[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]'));"
                    "CREATE VIRTUAL TABLE x USING vecshard(v float[8], n TEXT);"
                    "INSERT INTO x(rowid, v, n) SELECT rowid, v, 'n' FROM t WHERE v NOT NULL;"
                    "CREATE TABLE d(id INTEGER PRIMARY KEY, v);"
                    "INSERT INTO d(v) VALUES (zeroblob(128)), (zeroblob(128));"
                    "CREATE VIRTUAL TABLE y USING vecshard(v float[32], content=d);"
                    "CREATE VIRTUAL TABLE z USING vecshard(v float[32] store=f16);"
                    "INSERT INTO z(v) SELECT v FROM d;"
                    "CREATE VIRTUAL TABLE w USING vecshard(v float[8], +meta TEXT);"
                    "INSERT INTO w(meta) SELECT meta FROM m;"
                    "INSERT INTO w(w, arg) VALUES('tier', 'cold')");
    return db;
}

/* Runs the statement, the n-th allocation failing; *out is its value or the error. */
static int run_failing(sqlite3 *db, const char *sql, int64_t n, int is_persistent,
                       int64_t *out_failures, char *out, size_t room)
{
    sqlite3_stmt *stmt = NULL;
    vs_dict_cache_clear();
    vs_fault_arm(n, is_persistent);
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(stmt) : rc;
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    sqlite3_snprintf((int)room, out, "%s", text == NULL ? sqlite3_errmsg(db) : text);
    rc = rc == SQLITE_ROW && text == NULL ? SQLITE_NOMEM : rc;
    sqlite3_finalize(stmt);
    *out_failures = vs_fault_disarm();
    return rc & 0xff;
}

static void survives(const char *sql, int expected_rc, const char *expected)
{
    for (int is_persistent = 0; is_persistent < 2; is_persistent++) {
        int64_t failures = 1, live = vs_fault_live();
        sqlite3 *db = open_tables();
        for (int64_t n = 1; failures > 0; n++) {
            char found[200];
            int rc = run_failing(db, sql, n, is_persistent, &failures, found, sizeof found);
            int is_right = rc == expected_rc && /* a sentence may be what there was no memory for */
                           ((rc == SQLITE_ERROR && failures > 0) || strcmp(found, expected) == 0);
            if (!is_right && (rc != SQLITE_NOMEM || failures == 0)) {
                fail_msg("%s: allocation %lld%s fails: result %d, %s", sql, (long long)n,
                         is_persistent ? " and all after it" : "", rc, found);
            }
        }
        vs_dict_cache_clear();
        vs_test_close(db);
        if (vs_fault_live() != live) {
            fail_msg("%s: %lld blocks were lost", sql, (long long)(vs_fault_live() - live));
        }
    }
}

static void reports_on_vectors_survive(void **state)
{
    (void)state;
    survives("SELECT group_concat(choice) FROM vec_compress_report('t', 'v')", SQLITE_ROW,
             "float32,store=half,cold,store=f16,duplicates");
    survives("SELECT count(note) FROM vec_compress_report('x', 'v', 1)", SQLITE_ROW, "4");
}

static void reports_on_indexed_tables_survive(void **state)
{
    (void)state;
    survives("SELECT note FROM vec_compress_report('y', 'v') WHERE recommended", SQLITE_ROW,
             "the index keeps no vectors: those of d.v are what a search reads");
    survives("SELECT note FROM vec_compress_report('z', 'v') WHERE choice = 'cold'", SQLITE_ROW,
             "transform: constant; for vectors that are seldom searched");
    survives("SELECT count(note) FROM vec_compress_report('x', 'n')", SQLITE_ROW, "5");
    survives("SELECT count(*) FROM vec_compress_report('w', 'meta') WHERE note LIKE '%; the table "
             "has one, %'",
             SQLITE_ROW, "1");
}

static void reports_on_texts_survive(void **state)
{
    (void)state;
    survives("SELECT choice FROM vec_compress_report('m', 'meta') WHERE recommended", SQLITE_ROW,
             "packed with a dictionary");
    survives("SELECT note FROM vec_compress_report('m', 'meta', 5) WHERE share = 0", SQLITE_ROW,
             "no dictionary: too few texts, or too short ones");
}

static void errors_survive(void **state)
{
    (void)state;
    survives("SELECT choice FROM vec_compress_report('t', 'w')", SQLITE_ERROR,
             "vec_compress_report: table t has no column w");
    survives("SELECT choice FROM vec_compress_report('m', 'id')", SQLITE_ERROR,
             "vec_compress_report: m.id, row 1: float32 vectors or TEXT are needed, found a "
             "number");
    survives("SELECT choice FROM vec_compress_report('t')", SQLITE_ERROR,
             "vec_compress_report: takes a table and a column, as in "
             "vec_compress_report('docs', 'embedding')");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_on_vectors_survive),
        cmocka_unit_test(reports_on_indexed_tables_survive),
        cmocka_unit_test(reports_on_texts_survive),
        cmocka_unit_test(errors_survive),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
