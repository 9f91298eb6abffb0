/*
 * model_tiers.c - the command that makes vectors and texts cold and warm, and what is in the blocks of
 * t_cold.
 */
#include "../cold_fixture.h"
#include "model.h"

static int can_be_cold(const model *test, int column)
{
    const model_kind *kind = test->kinds[column];
    return !test->is_content && (kind->element == 'f' || kind->element == 'h') && kind->dim >= 32 &&
           strcmp(kind->metric, "l1") != 0;
}

static int any_can_be_cold(const model *test)
{
    int can_be = test->has_text;
    for (int i = 0; i < test->vectors; i++) {
        can_be |= can_be_cold(test, i);
    }
    return can_be;
}

/* The command must fail where nothing can be cold, and may where the partition has no rows. */
static void run_tier(model *test, const char *sql, int part)
{
    static const char *const sentences[] = {"keeps nothing that can be cold",
                                            "no partition with these keys"};
    char *text = model_sql(test, sql, 0);
    char *message = NULL;
    int rc = sqlite3_exec(test->db, text, NULL, NULL, &message);
    int is_failure = !any_can_be_cold(test), is_possible = is_failure;
    const char *sentence = sentences[0];
    if (!is_failure && part >= 0 && rc != SQLITE_OK) {
        char *count = sqlite3_mprintf("SELECT count(*) = 0 FROM ref WHERE part = %d", part);
        sentence = sentences[1];
        is_possible = (int)model_number(test, count);
        sqlite3_free(count);
    }
    if (rc == SQLITE_OK ? is_failure
                        : !is_possible || rc != SQLITE_ERROR || strstr(message, sentence) == NULL) {
        MODEL_FAIL(test, "%s: %d, %s", text, rc, message == NULL ? "" : message);
    }
    if (sqlite3_get_autocommit(test->db) != (test->depth == 0)) {
        MODEL_FAIL(test, "%s: the transaction has ended", text);
    }
    sqlite3_free(message);
    sqlite3_free(text);
}

/* Rows of one partition, enough to fill a cell of most tables. */
static void fill_cells(model *test)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    for (int first = 5000; first < 7000; first += 1000) {
        for (int is_names = 1; is_names >= 0; is_names--) {
            sqlite3_str_appendall(sql, is_names ? "INSERT OR IGNORE INTO @(rowid, part, lang, n"
                                                : ") SELECT i");
            if (!is_names) {
                sqlite3_str_appendf(sql, " + %d, 1, lang, n", first);
            }
            for (int i = 0; i < test->vectors; i++) {
                sqlite3_str_appendf(sql, ", v%d", i);
            }
        }
        sqlite3_str_appendall(sql, " FROM temp.src;");
    }
    char *text = sqlite3_str_finish(sql);
    char *reference = model_sql(test, text, 1);
    model_run(test, text);
    model_run(test, reference);
    sqlite3_free(reference);
    sqlite3_free(text);
}

/* Titles of which some are alike, some short, and some BLOBs that begin like a packed text. */
static void fill_titles(model *test)
{
    static const char *const forms[] = {
        "UPDATE @ SET title = 'title ' || n || ' of row ' || rowid || ' in part ' || part || ', "
        "one "
        "of many that begin and end alike' WHERE rowid %% 3 <> %d",
        "UPDATE @ SET title = upper(title) || ' -- another kind of text for %d' WHERE n < 4",
        "UPDATE @ SET title = CAST(x'd1' || n || %d AS BLOB) WHERE rowid %% 11 = 2",
        "UPDATE @ SET title = x'd0d1' WHERE rowid %% 13 = %d",
    };
    char *sql =
        sqlite3_mprintf(forms[model_pick(test, VS_TEST_COUNT(forms))], (int)model_pick(test, 5));
    char *reference = model_sql(test, sql, 1);
    model_run(test, sql);
    model_run(test, reference);
    sqlite3_free(reference);
    sqlite3_free(sql);
}

void model_tier(model *test)
{
    const char *tier = model_pick(test, 4) > 0 ? "cold" : "warm";
    if (any_can_be_cold(test) && model_pick(test, 2) > 0) {
        fill_cells(test);
    }
    for (uint32_t i = test->has_text ? model_pick(test, 4) : 0; i > 0; i--) {
        fill_titles(test);
    }
    int part = test->has_parts && model_pick(test, 3) == 0 ? (int)model_pick(test, 4) : -1;
    char *sql = part < 0 ? sqlite3_mprintf("INSERT INTO @($, arg) VALUES('tier', '%s')", tier)
                         : sqlite3_mprintf("INSERT INTO @($, arg, part) VALUES('tier', '%s', %d)",
                                           tier, part);
    run_tier(test, sql, part);
    sqlite3_free(sql);
}

int model_blocks_have(model *test, int column, const void *bytes, size_t n)
{
    if (!can_be_cold(test, column)) {
        return 0;
    }
    cold_functions(test->db);
    char *sql = sqlite3_mprintf("SELECT count(*) FROM %s.\"%w_cold%d\" WHERE "
                                "instr(cold_vectors(data), ?1)",
                                test->schema, test->table, column);
    sqlite3_stmt *stmt = model_prepare(test, sql);
    (void)sqlite3_bind_blob(stmt, 1, bytes, (int)n, SQLITE_STATIC);
    if (sqlite3_step(stmt) != SQLITE_ROW) {
        MODEL_FAIL(test, "%s: %s", sql, sqlite3_errmsg(test->db));
    }
    int has = sqlite3_column_int(stmt, 0) > 0;
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return has;
}
