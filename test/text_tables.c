/*
 * text_tables.c - see text_tables.h.
 *
 * Calls: the extension through SQL.  Called by: tests.  Threads: one.
 */
#include "text_tables.h"

const char text_make_rows[] =
    "CREATE VIRTUAL TABLE t USING vecshard(v float[32], p INTEGER PARTITION KEY, +meta TEXT, "
    "+title VARCHAR(80) COLLATE NOCASE, +raw, n INTEGER);"
    "CREATE TABLE ref(id INTEGER PRIMARY KEY, v, p INTEGER, meta TEXT, title VARCHAR(80) COLLATE "
    "NOCASE, raw, n INTEGER);"
    "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 400) INSERT INTO ref "
    "SELECT i, vec_concat(vec_f32('[' || i || ']'), zeroblob(124)), i % 2, make_meta(i), iif(i % "
    "10 = 0, "
    "NULL, 'Chapter ' || (i % 40) || ' of The History Of ' || iif(i % 3, 'Rivers And Mountains', "
    "'THE WINTER HARBOUR')), make_meta(i), i FROM r;"
    "INSERT INTO ref(id, v, p, meta, title, raw, n) VALUES (901, zeroblob(128), 0, x'd1', x'd0', "
    "x'd1', 901), (902, zeroblob(128), 1, x'd1c8010000', x'd1d0d1', x'd0', 902), "
    "(903, zeroblob(128), 0, x'', '', '', 903), (904, zeroblob(128), 1, 12, 12.5, 12, 904), "
    "(905, zeroblob(128), 0, 'short', 'short', 7, 905), (906, zeroblob(128), 0, x'd2d0', x'cf', "
    "x'00', 906), (907, zeroblob(128), 1, 1e300, -3, 1e300, 907), (908, zeroblob(128), 1, '12', "
    "'1e1', '12', 908);"
    "INSERT INTO t(rowid, v, p, meta, title, raw, n) SELECT id, v, p, meta, title, raw, n FROM ref";

sqlite3 *text_open_tables(void)
{
    sqlite3 *db = vs_test_open();
    text_fixture_function(db);
    vs_test_run(db, text_make_rows);
    return db;
}

void text_run_both(sqlite3 *db, const char *format)
{
    char *sql = sqlite3_mprintf(format, "t", "rowid");
    vs_test_run(db, sql);
    sqlite3_free(sql);
    sql = sqlite3_mprintf(format, "ref", "id");
    vs_test_run(db, sql);
    sqlite3_free(sql);
}

void text_compare(sqlite3 *db)
{
    vs_test_gives(
        db,
        "SELECT (SELECT count(*) FROM t) = count(*), count(*) - sum(t.meta IS ref.meta AND "
        "typeof(t.meta) = typeof(ref.meta) AND t.title IS ref.title COLLATE BINARY AND "
        "typeof(t.title) = typeof(ref.title) AND t.raw IS ref.raw AND typeof(t.raw) = "
        "typeof(ref.raw) AND t.n IS ref.n AND t.p IS ref.p) FROM ref LEFT JOIN t ON t.rowid = "
        "ref.id",
        "1|0");
}

void text_compare_and_check(sqlite3 *db)
{
    text_compare(db);
    vs_test_run(db, CHECK);
}

int64_t text_packed(sqlite3 *db)
{
    return fixture_number(db, "SELECT count(*) FROM t_rows WHERE typeof(c2) = 'blob' AND "
                              "substr(c2, 1, 1) = x'd1'");
}
