/*
 * model_changes.c - random statements that change both tables, and transactions around them.
 *
 * Both tables must succeed or fail alike, count the same changes, and leave the same
 * last_insert_rowid().
 */
#include "model.h"

static const char *const verbs[] = {
    "INSERT",           "INSERT",         "REPLACE",         "INSERT OR REPLACE",
    "INSERT OR IGNORE", "INSERT OR FAIL", "INSERT OR ABORT", "INSERT OR ROLLBACK"};
static const char *const updates[] = {"UPDATE",         "UPDATE OR REPLACE", "UPDATE OR IGNORE",
                                      "UPDATE OR FAIL", "UPDATE OR ABORT",   "UPDATE OR ROLLBACK"};
static const char *const langs[] = {"'en'", "'EN'", "'fr'", "NULL", "'de'"};

#define ANY_OF(test, words) (words)[model_pick(test, VS_TEST_COUNT(words))]

static void append_columns_of_vectors(const model *test, sqlite3_str *sql)
{
    for (int i = 0; i < test->vectors; i++) {
        sqlite3_str_appendf(sql, ", v%d", i);
    }
}

static void append_vector_values(model *test, sqlite3_str *sql)
{
    for (int i = 0; i < test->vectors; i++) {
        sqlite3_str_appendall(sql, ", ");
        uint32_t what = model_pick(test, 40);
        if (what < 3) {
            sqlite3_str_appendall(sql, "NULL");
        } else if (what == 3) {
            model_append_bad(test, test->kinds[i], sql);
        } else {
            model_append_vector(test, test->kinds[i], sql);
        }
    }
}

static void append_insert(model *test, sqlite3_str *sql)
{
    uint32_t rows = 1 + (model_pick(test, 3) == 0 ? model_pick(test, 6) : 0);
    sqlite3_str_appendf(sql, "%s INTO #(rowid, key, part, lang, n, title", ANY_OF(test, verbs));
    append_columns_of_vectors(test, sql);
    sqlite3_str_appendall(sql, ") VALUES ");
    for (uint32_t i = 0; i < rows; i++) {
        sqlite3_str_appendall(sql, i == 0 ? "(" : ", (");
        sqlite3_str_appendf(sql, model_pick(test, 8) > 0 ? "%d, " : "NULL, ",
                            (int)model_pick(test, 400) - 5);
        sqlite3_str_appendf(sql, model_pick(test, 4) > 0 ? "'k%d', " : "NULL, ",
                            (int)model_pick(test, 300));
        sqlite3_str_appendf(sql, "%d, %s, %d, 'title %d'", (int)model_pick(test, 3),
                            ANY_OF(test, langs), (int)model_pick(test, 9),
                            (int)model_pick(test, 50));
        append_vector_values(test, sql);
        sqlite3_str_appendall(sql, ")");
    }
}

static void append_bulk(model *test, sqlite3_str *sql)
{
    int is_own = model_pick(test, 4) == 0;
    sqlite3_str_appendall(sql, is_own ? "INSERT OR IGNORE" : "INSERT");
    sqlite3_str_appendall(sql, " INTO #(rowid, part, lang, n");
    append_columns_of_vectors(test, sql);
    sqlite3_str_appendf(sql, ") SELECT %s + %d, part, lang, n", is_own ? "rowid" : "i",
                        (int)(1000 + 1000 * model_pick(test, 4)));
    append_columns_of_vectors(test, sql);
    sqlite3_str_appendall(sql,
                          is_own ? " FROM # WHERE rowid < 300 ORDER BY rowid" : " FROM temp.src");
}

static void append_update(model *test, sqlite3_str *sql)
{
    int vector = (int)model_pick(test, (uint32_t)test->vectors);
    switch (model_pick(test, 6)) {
    case 0:
    case 1:
        sqlite3_str_appendf(sql, "%s # SET v%d = ", ANY_OF(test, updates), vector);
        if (model_pick(test, 10) == 0) {
            model_append_bad(test, test->kinds[vector], sql);
        } else if (model_pick(test, 10) == 0) {
            sqlite3_str_appendall(sql, "NULL");
        } else {
            model_append_vector(test, test->kinds[vector], sql);
        }
        sqlite3_str_appendf(sql, " WHERE rowid %% 7 = %d", (int)model_pick(test, 7));
        break;
    case 2:
        sqlite3_str_appendf(sql, "%s # SET rowid = rowid + %d WHERE rowid BETWEEN 3 AND %d",
                            ANY_OF(test, updates), (int)(1 + model_pick(test, 400)),
                            (int)(3 + model_pick(test, 6)));
        break;
    case 3:
        sqlite3_str_appendf(sql, "UPDATE # SET part = %d, lang = %s WHERE n = %d",
                            (int)model_pick(test, 4), ANY_OF(test, langs),
                            (int)model_pick(test, 9));
        break;
    case 4:
        sqlite3_str_appendf(sql, "%s # SET key = 'k' || (rowid + %d) WHERE rowid BETWEEN 10 AND 30",
                            ANY_OF(test, updates), (int)model_pick(test, 20));
        break;
    default:
        sqlite3_str_appendall(sql,
                              "UPDATE # SET n = n + 1, title = title || '+' WHERE lang = 'en'");
        break;
    }
}

/* A random change of rows. */
static char *make_change(model *test)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    uint32_t what = model_pick(test, 12);
    if (what < 5) {
        append_insert(test, sql);
    } else if (what == 5) {
        append_bulk(test, sql);
    } else if (what < 11) {
        append_update(test, sql);
    } else {
        sqlite3_str_appendf(sql,
                            model_pick(test, 6) == 0 ? "DELETE FROM # WHERE rowid > %d"
                                                     : "DELETE FROM # WHERE rowid %% 11 = %d",
                            (int)model_pick(test, 11));
    }
    return sqlite3_str_finish(sql);
}

typedef struct outcome {
    int rc, extended;
    int64_t changes, last_rowid;
    char *message;
} outcome;

static outcome run_change(model *test, const char *sql, int is_ref)
{
    outcome result;
    char *text = model_sql(test, sql, is_ref);
    sqlite3_set_last_insert_rowid(test->db, 77);
    result.rc = sqlite3_exec(test->db, text, NULL, NULL, NULL);
    result.extended = sqlite3_extended_errcode(test->db);
    result.changes = sqlite3_changes(test->db);
    result.last_rowid = sqlite3_last_insert_rowid(test->db);
    result.message = sqlite3_mprintf("%s", sqlite3_errmsg(test->db));
    sqlite3_free(text);
    return result;
}

static void compare_outcomes(model *test, const char *sql, const outcome *got,
                             const outcome *expected)
{
    if ((got->rc == SQLITE_OK) != (expected->rc == SQLITE_OK)) {
        MODEL_FAIL(test, "%.300s: %d (%s), expected %d (%s)", sql, got->rc, got->message,
                   expected->rc, expected->message);
    }
    if (got->rc != SQLITE_OK) {
        return;
    }
    /* SQLite counts, for a virtual table, also rows that the statement removed before their turn. */
    int64_t more = strncmp(sql, "UPDATE OR REPLACE", 17) == 0 && strstr(sql, "SET key") != NULL
                       ? got->changes - expected->changes
                       : 0;
    if (got->changes != expected->changes + (more > 0 ? more : 0)) {
        MODEL_FAIL(test, "%.300s: changes() is %lld, expected %lld", sql, (long long)got->changes,
                   (long long)expected->changes);
    }
    if (got->last_rowid != expected->last_rowid) {
        MODEL_FAIL(test, "%.300s: last_insert_rowid() is %lld, expected %lld", sql,
                   (long long)got->last_rowid, (long long)expected->last_rowid);
    }
}

/* OR ROLLBACK takes back what happened to both tables, so the plain one is asked first, with ABORT. */
static void change_or_roll_back(model *test, const char *sql)
{
    const char *at = strstr(sql, "OR ROLLBACK");
    char *asked = sqlite3_mprintf("%.*sOR ABORT%s", (int)(at - sql), sql, at + 11);
    outcome expected = run_change(test, asked, 1);
    outcome got = run_change(test, sql, 0);
    int is_conflict = expected.extended == SQLITE_CONSTRAINT_UNIQUE ||
                      expected.extended == SQLITE_CONSTRAINT_PRIMARYKEY ||
                      expected.extended == SQLITE_CONSTRAINT_ROWID;
    compare_outcomes(test, sql, &got, &expected);
    if (is_conflict && sqlite3_get_autocommit(test->db) == 0) {
        MODEL_FAIL(test, "%.300s: the transaction goes on", sql);
    }
    if (sqlite3_get_autocommit(test->db)) {
        if (test->depth > 0 && !is_conflict) {
            MODEL_FAIL(test, "%.300s: the transaction has ended: %s", sql, got.message);
        }
        test->depth = 0;
    }
    sqlite3_free(got.message);
    sqlite3_free(expected.message);
    sqlite3_free(asked);
}

void model_change(model *test)
{
    char *sql = make_change(test);
    if (strncmp(sql, "REPLACE", 7) == 0 || strstr(sql, "OR REPLACE") != NULL) {
        test->is_stale = test->has_key;
    }
    if (strstr(sql, "OR ROLLBACK") != NULL) {
        change_or_roll_back(test, sql);
    } else {
        outcome got = run_change(test, sql, 0);
        outcome expected = run_change(test, sql, 1);
        compare_outcomes(test, sql, &got, &expected);
        sqlite3_free(got.message);
        sqlite3_free(expected.message);
    }
    sqlite3_free(sql);
}

/* ---- transactions ---------------------------------------------------------------------------- */

void model_move_transaction(model *test)
{
    char *sql = NULL;
    uint32_t what = model_pick(test, 4);
    if (test->depth == 0) {
        sql = sqlite3_mprintf(model_pick(test, 4) == 0 ? "BEGIN IMMEDIATE" : "BEGIN");
        test->depth = 1;
    } else if (what < 2 && test->depth < 5) {
        sql = sqlite3_mprintf("SAVEPOINT s%d", test->depth++);
    } else if (what == 2 && test->depth > 1) {
        static const char *const ends[] = {"RELEASE s%d", "ROLLBACK TO s%d; RELEASE s%d",
                                           "ROLLBACK TO s%d"};
        uint32_t end = model_pick(test, 3);
        int name = test->depth - 1 - (int)model_pick(test, (uint32_t)VS_TEST_COUNT(ends) - 1);
        name = name < 1 ? 1 : name; /* also one that is not the innermost */
        sql = sqlite3_mprintf(ends[end], name, name);
        test->depth = end == 2 ? name + 1 : name;
    } else {
        sql = sqlite3_mprintf(model_pick(test, 3) == 0 ? "ROLLBACK" : "COMMIT");
        test->depth = 0;
    }
    model_run(test, sql);
    sqlite3_free(sql);
}

void model_end_transaction(model *test)
{
    if (test->depth > 0) {
        model_run(test, model_pick(test, 3) == 0 ? "ROLLBACK" : "COMMIT");
        test->depth = 0;
    }
}
