/*
 * model_search.c - the vecshard table and the plain one give the same rows, and searches of every
 * form those of brute force over the plain one: the same distances bit by bit, in the same order.
 */
#include "model.h"

/* What a search asks, in the words that both statements need. */
typedef struct question {
    const model_kind *kind;
    char column[8];
    const char *metric;
    int is_own_metric; /* that of the column */
    int is_served;     /* the table itself answers it */
    unsigned char query[4 * MODEL_BYTES_MAX];
    int query_bytes;
    int k, offset;
    const char *condition;
    char *all;  /* owned. SELECT of *, rowid, d: rows of ref that have a distance */
    char *json; /* owned. options with the metric, in quotes; or NULL in words of SQL */
    char *full; /* owned. options that say everything, for vec_search over any table */
} question;

/* ---- comparing ------------------------------------------------------------------------------- */

static int same_value(sqlite3_value *a, sqlite3_value *b)
{
    int type = sqlite3_value_type(a);
    if (type != sqlite3_value_type(b)) {
        return 0;
    }
    if (type == SQLITE_FLOAT) {
        double x = sqlite3_value_double(a), y = sqlite3_value_double(b);
        return memcmp(&x, &y, sizeof x) == 0;
    }
    int n = sqlite3_value_bytes(a);
    return n == sqlite3_value_bytes(b) &&
           (n == 0 || memcmp(sqlite3_value_blob(a), sqlite3_value_blob(b), (size_t)n) == 0);
}

static void same_row(model *test, const char *sql, int row, sqlite3_stmt *a, sqlite3_stmt *b)
{
    for (int i = 0; i < sqlite3_column_count(a); i++) {
        if (!same_value(sqlite3_column_value(a, i), sqlite3_column_value(b, i))) {
            MODEL_FAIL(test, "%.900s: row %d, column %d: %s, expected %s", sql, row, i,
                       (const char *)sqlite3_column_text(a, i),
                       (const char *)sqlite3_column_text(b, i));
        }
    }
}

/* Two statements give the same rows. Both are freed. q: bound as ?1 of both, or NULL. */
static void same_rows(model *test, char *marked, char *expected, const question *q)
{
    char *sql = model_sql(test, marked, 0);
    sqlite3_stmt *a = model_prepare(test, sql), *b = model_prepare(test, expected);
    if (q != NULL) {
        (void)sqlite3_bind_blob(a, 1, q->query, q->query_bytes, SQLITE_STATIC);
        (void)sqlite3_bind_blob(b, 1, q->query, q->query_bytes, SQLITE_STATIC);
    }
    for (int row = 0;; row++) {
        int rc = sqlite3_step(a);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
            MODEL_FAIL(test, "%.900s: %s", sql, sqlite3_errmsg(test->db));
        }
        int has = sqlite3_step(b);
        if (rc != has) {
            MODEL_FAIL(test, "%.900s: row %d: %s, expected %s (%.500s)", sql, row,
                       rc == SQLITE_ROW ? "a row" : "no more", has == SQLITE_ROW ? "a row" : "none",
                       expected);
        }
        if (rc == SQLITE_DONE) {
            break;
        }
        same_row(test, sql, row, a, b);
    }
    sqlite3_finalize(a);
    sqlite3_finalize(b);
    sqlite3_free(sql);
    sqlite3_free(marked);
    sqlite3_free(expected);
}

static char *vector_columns(const model *test)
{
    return sqlite3_mprintf("v0%s%s", test->vectors > 1 ? ", v1" : "",
                           test->vectors > 2 ? ", v2" : "");
}

/* Of an index over a table: the rows that have a vector. */
static const char *indexed_rows(const model *test)
{
    static const char *const rows[] = {"v0 IS NOT NULL", "(v0 IS NOT NULL OR v1 IS NOT NULL)",
                                       "(v0 IS NOT NULL OR v1 IS NOT NULL OR v2 IS NOT NULL)"};
    return test->is_content ? rows[test->vectors - 1] : "1";
}

void model_compare_rows(model *test)
{
    char *vectors = vector_columns(test);
    same_rows(
        test,
        sqlite3_mprintf("SELECT rowid, key, part, lang, n, title, %s FROM # ORDER BY rowid",
                        vectors),
        sqlite3_mprintf("SELECT id, key, part, lang, n, title, %s FROM ref ORDER BY id", vectors),
        NULL);
    if (test->is_content && !test->is_stale) {
        same_rows(test,
                  sqlite3_mprintf("SELECT rowid, part, lang, n, %s FROM @ ORDER BY rowid", vectors),
                  sqlite3_mprintf("SELECT id, part, lang, n, %s FROM ref WHERE %s ORDER BY id",
                                  vectors, indexed_rows(test)),
                  NULL);
    }
    sqlite3_free(vectors);
}

/* ---- what is asked --------------------------------------------------------------------------- */

/* Conditions that SQLite hands to the table, and those that it keeps. Indexes over a table do not
 * have key and title. */
static const char *const handed[] = {
    "",
    "",
    " AND part = 1",
    " AND part IN (0, 2)",
    " AND lang = 'en'",
    " AND lang LIKE 'e%'",
    " AND lang IS NULL",
    " AND lang IS NOT NULL AND n > 3",
    " AND n IN (1, 5, 7)",
    " AND n = '5'",
    " AND n BETWEEN 2 AND 4 AND part <> 1",
    " AND rowid IN (SELECT id FROM ref WHERE n = 2)",
    " AND rowid < 1200",
    " AND rowid >= 1010.5",
    " AND title GLOB 'title 1*'",
    " AND key = 'k7'",
    " AND key IN ('k7', 'k9', 'k100', 'k200')",
    " AND key > 'k2' COLLATE BINARY",
};
#define HANDED_OF_CONTENT 14
static const char *const kept[] = {
    " AND (lang = 'en' OR n = 3)",      " AND n + 1 = 4",         " AND rowid % 3 = 1",
    " AND rowid IN (1, 5, 9) IS NOT 1", " AND length(title) > 8",
};
#define KEPT_OF_CONTENT 4

static const char *any_handed(model *test)
{
    return handed[model_pick(test, test->is_content ? HANDED_OF_CONTENT : VS_TEST_COUNT(handed))];
}

static const char *any_kept(model *test)
{
    return kept[model_pick(test, test->is_content ? KEPT_OF_CONTENT : VS_TEST_COUNT(kept))];
}

static const char *any_metric(model *test, const model_kind *kind)
{
    static const char *const of_numbers[] = {"l2", "l2sq", "cosine", "dot", "l1"};
    static const char *const of_bits[] = {"hamming", "jaccard"};
    if (model_pick(test, 4) > 0) {
        return kind->metric;
    }
    return kind->element == 'b' ? of_bits[model_pick(test, VS_TEST_COUNT(of_bits))]
                                : of_numbers[model_pick(test, VS_TEST_COUNT(of_numbers))];
}

static int is_euclidean(const char *metric)
{
    return strcmp(metric, "l2") == 0 || strcmp(metric, "l2sq") == 0 || strcmp(metric, "dot") == 0;
}

/* The vectors of an index over a table are elsewhere where it has codes: it serves what these do. */
static int serves(const model *test, const model_kind *kind, const char *metric)
{
    int is_coded = (kind->element == 'f' || kind->element == 'h') && kind->dim >= 32 &&
                   strcmp(kind->metric, "l1") != 0;
    return !test->is_content || !is_coded || strcmp(metric, kind->metric) == 0 ||
           (is_euclidean(metric) && is_euclidean(kind->metric));
}

static const char *element_name(const model_kind *kind)
{
    return kind->element == 'b'   ? "bit"
           : kind->element == 'i' ? "int8"
           : kind->element == 'h' ? "float16"
                                  : "float32";
}

/* All rows of ref that have a distance to `query`, an expression. */
static char *all_distances(const question *q, const char *query)
{
    return sqlite3_mprintf(
        "SELECT * FROM (SELECT *, id AS rowid, CAST(vec_distance_%s(%s(%s), "
        "%s(%s)) AS REAL) AS d FROM ref WHERE %s IS NOT NULL) WHERE d IS NOT NULL",
        q->metric, q->kind->type, q->column, q->kind->type, query, q->column);
}

static void ask(model *test, question *q)
{
    int vector = (int)model_pick(test, (uint32_t)test->vectors);
    memset(q, 0, sizeof *q);
    q->kind = test->kinds[vector];
    (void)snprintf(q->column, sizeof q->column, "v%d", vector);
    model_make_vector(test, q->kind, q->query);
    q->query_bytes = (int)model_vector_bytes(q->kind);
    q->k = (int)(1 + model_pick(test, model_pick(test, 4) == 0 ? 400 : 12));
    q->offset = (int)model_pick(test, model_pick(test, 4) == 0 ? 90 : 5);
    q->metric = any_metric(test, q->kind);
    q->is_served = serves(test, q->kind, q->metric);
    q->is_own_metric = strcmp(q->metric, q->kind->metric) == 0;
    q->condition = any_handed(test);
    q->all = all_distances(q, "?1");
    q->json = q->is_own_metric ? sqlite3_mprintf("NULL")
                               : sqlite3_mprintf("'{\"metric\":\"%s\"}'", q->metric);
    q->full =
        sqlite3_mprintf("'{\"metric\":\"%s\",\"type\":\"%s\"}'", q->metric, element_name(q->kind));
}

static void forget_question(question *q)
{
    sqlite3_free(q->all);
    sqlite3_free(q->json);
    sqlite3_free(q->full);
}

/* WHERE of a search of @ AS t. sqlite3_malloc'ed. */
static char *where(const question *q)
{
    return sqlite3_mprintf(
        "t.%s MATCH %s(?1)%s%s", q->column, q->kind->type,
        q->is_own_metric ? "" : " AND t.options = ", q->is_own_metric ? "" : q->json);
}

/* ---- searches of the table ------------------------------------------------------------------- */

static void search_with_k(model *test, question *q, const char *match)
{
    same_rows(test,
              sqlite3_mprintf("SELECT rowid, distance FROM @ AS t WHERE %s AND k = %d%s ORDER BY "
                              "distance",
                              match, q->k, q->condition),
              sqlite3_mprintf("SELECT id, d FROM (%s)WHERE 1%s ORDER BY d, id LIMIT %d", q->all,
                              q->condition, q->k),
              q);
}

static void search_with_limit(model *test, question *q, const char *match)
{
    const char *condition = model_pick(test, 2) > 0 ? any_kept(test) : q->condition;
    same_rows(test,
              sqlite3_mprintf("SELECT rowid, distance FROM @ AS t WHERE %s%s ORDER BY distance "
                              "LIMIT %d OFFSET %d",
                              match, condition, q->k, q->offset),
              sqlite3_mprintf("SELECT id, d FROM (%s)WHERE 1%s ORDER BY d, id LIMIT %d OFFSET %d",
                              q->all, condition, q->k, q->offset),
              q);
}

static void search_descending(model *test, question *q, const char *match)
{
    same_rows(test,
              sqlite3_mprintf("SELECT rowid, distance FROM @ AS t WHERE %s%s ORDER BY distance "
                              "DESC, rowid LIMIT %d OFFSET %d",
                              match, q->condition, q->k, q->offset),
              sqlite3_mprintf("SELECT id, d FROM (%s)WHERE 1%s ORDER BY d DESC, id LIMIT %d OFFSET "
                              "%d",
                              q->all, q->condition, q->k, q->offset),
              q);
    same_rows(test,
              sqlite3_mprintf("SELECT rowid, distance FROM @ AS t WHERE %s AND k = %d ORDER BY "
                              "distance DESC, rowid DESC",
                              match, q->k),
              sqlite3_mprintf("SELECT * FROM (SELECT id, d FROM (%s)ORDER BY d, id LIMIT %d) ORDER "
                              "BY d DESC, id DESC",
                              q->all, q->k),
              q);
}

/* The table as a function searches its first vector column. */
static void search_by_arguments(model *test, question *q)
{
    if (strcmp(q->column, "v0") != 0) {
        return;
    }
    /* SQLite takes arguments of a table only where its name has no schema. */
    const char *name = strcmp(test->schema, "main") == 0 ? "$" : "@";
    same_rows(test,
              sqlite3_mprintf("SELECT t.rowid, t.distance FROM %s(%s(?1), %d, %s) AS t WHERE 1%s",
                              name, q->kind->type, q->k, q->json, q->condition),
              sqlite3_mprintf("SELECT id, d FROM (%s)WHERE 1%s ORDER BY d, id LIMIT %d", q->all,
                              q->condition, q->k),
              q);
}

static void search_in_range(model *test, question *q, const char *match)
{
    char *bound = sqlite3_mprintf("(SELECT max(d) FROM (SELECT d FROM (%s)ORDER BY d LIMIT %d))",
                                  q->all, q->offset + 1);
    const char *low = model_pick(test, 2) > 0 ? ">=" : ">";
    const char *high = model_pick(test, 2) > 0 ? "<=" : "<";
    int is_low = model_pick(test, 3) == 0;
    same_rows(test,
              sqlite3_mprintf("SELECT t.rowid, t.distance FROM @ AS t WHERE %s AND t.distance %s "
                              "%s%s ORDER BY t.distance LIMIT %d",
                              match, is_low ? low : high, bound, q->condition, q->k),
              sqlite3_mprintf("SELECT id, d FROM (%s)WHERE d %s %s%s ORDER BY d, id LIMIT %d",
                              q->all, is_low ? low : high, bound, q->condition, q->k),
              q);
    sqlite3_free(bound);
}

static void search_in_join(model *test, question *q, const char *match)
{
    same_rows(test,
              sqlite3_mprintf("SELECT t.rowid, t.distance, r.title FROM @ AS t JOIN ref AS r ON "
                              "r.id = t.rowid WHERE %s AND r.n < 5 ORDER BY t.distance, t.rowid "
                              "LIMIT %d",
                              match, q->k),
              sqlite3_mprintf("SELECT id, d, title FROM (%s)WHERE n < 5 ORDER BY d, id LIMIT %d",
                              q->all, q->k),
              q);
    same_rows(test,
              sqlite3_mprintf("SELECT r.id, t.distance FROM ref AS r LEFT JOIN @ AS t ON t.rowid = "
                              "r.id AND %s AND t.k = %d WHERE r.id < 40 ORDER BY r.id",
                              match, q->k),
              sqlite3_mprintf("SELECT r.id, s.d FROM ref AS r LEFT JOIN (SELECT id, d FROM "
                              "(%s)ORDER BY d, id LIMIT %d) AS s ON s.id = r.id WHERE r.id < 40 "
                              "ORDER BY r.id",
                              q->all, q->k),
              q);
}

/* The query comes from each row of another table. */
static void search_correlated(model *test, question *q)
{
    int k = 1 + q->k % 5;
    char *near = all_distances(q, "(SELECT r.q)");
    char *outer = sqlite3_mprintf("(SELECT id, part, %s AS q FROM ref WHERE %s IS NOT NULL AND id "
                                  "%% 5 = %d ORDER BY id LIMIT 6) AS r",
                                  q->column, q->column, q->offset % 5);
    same_rows(test,
              sqlite3_mprintf("SELECT r.id, (SELECT group_concat(i) FROM (SELECT t.rowid AS i FROM "
                              "@ AS t WHERE t.%s MATCH %s(r.q) %s%s AND t.rowid <> "
                              "r.id AND t.part = r.part ORDER BY t.distance LIMIT %d)) FROM %s",
                              q->column, q->kind->type, q->is_own_metric ? "" : " AND t.options = ",
                              q->is_own_metric ? "" : q->json, k, outer),
              sqlite3_mprintf("SELECT r.id, (SELECT group_concat(i) FROM (SELECT s.id AS i FROM "
                              "(%s) AS s WHERE s.id <> r.id AND s.part = r.part ORDER BY s.d, s.id "
                              "LIMIT %d)) FROM %s",
                              near, k, outer),
              NULL);
    sqlite3_free(near);
    sqlite3_free(outer);
}

/* Without a query the table is an ordinary one. */
static void read_rows(model *test, question *q)
{
    static const char *const orders[] = {"rowid", "rowid DESC", "n, rowid", "lang DESC, n, rowid"};
    const char *order = orders[model_pick(test, VS_TEST_COUNT(orders))];
    const char *condition = model_pick(test, 3) == 0 ? any_kept(test) : q->condition;
    if (test->is_stale) {
        return;
    }
    same_rows(test,
              sqlite3_mprintf("SELECT rowid, part, lang, n, %s FROM @ AS t WHERE 1%s ORDER BY %s "
                              "LIMIT %d OFFSET %d",
                              q->column, condition, order, q->k, q->offset),
              sqlite3_mprintf("SELECT rowid, part, lang, n, %s FROM ref WHERE %s%s ORDER BY %s "
                              "LIMIT %d OFFSET %d",
                              q->column, indexed_rows(test), condition, order, q->k, q->offset),
              q);
    same_rows(test,
              sqlite3_mprintf("SELECT count(*), sum(n), max(length(%s)) FROM @ AS t WHERE 1%s",
                              q->column, condition),
              sqlite3_mprintf("SELECT count(*), sum(n), max(length(%s)) FROM ref WHERE %s%s",
                              q->column, indexed_rows(test), condition),
              q);
}

/* ---- vec_search and vec_search_batch --------------------------------------------------------- */

/* The name as a literal, of the table or, with content=, also of the one it indexes. */
static char *searched_name(model *test, const question *q)
{
    int is_base = !q->is_served || (test->is_content && model_pick(test, 2) > 0);
    const char *name = is_base ? "base" : test->table;
    return sqlite3_mprintf("'%s.%s'", test->schema, name);
}

static void vec_search_of_table(model *test, question *q)
{
    char *name = searched_name(test, q);
    same_rows(test,
              sqlite3_mprintf("SELECT id, distance, rank FROM vec_search(%s, '%s', %s(?1), %d, %s) "
                              "WHERE 1 ORDER BY rank",
                              name, q->column, q->kind->type, q->k, q->full),
              sqlite3_mprintf("SELECT id, d, row_number() OVER (ORDER BY d, id) FROM (%s)ORDER BY "
                              "d, id LIMIT %d",
                              q->all, q->k),
              q);
    same_rows(test,
              sqlite3_mprintf("SELECT s.id, s.distance FROM vec_search(%s, '%s', %s(?1), NULL, %s) "
                              "AS s JOIN ref AS r ON r.id = s.id WHERE 1%s ORDER BY s.distance, "
                              "s.id LIMIT %d OFFSET %d",
                              name, q->column, q->kind->type, q->full,
                              " AND (r.lang = 'en' OR r.n = 3)", q->k, q->offset),
              sqlite3_mprintf("SELECT id, d FROM (%s)WHERE lang = 'en' OR n = 3 ORDER BY d, id "
                              "LIMIT %d OFFSET %d",
                              q->all, q->k, q->offset),
              q);
    same_rows(
        test,
        sqlite3_mprintf("SELECT id, distance FROM vec_search(%s, '%s', %s(?1), %d, %s) WHERE "
                        "id IN (SELECT id FROM ref WHERE n = 2) ORDER BY distance",
                        name, q->column, q->kind->type, q->k, q->full),
        sqlite3_mprintf("SELECT id, d FROM (%s)WHERE n = 2 ORDER BY d, id LIMIT %d", q->all, q->k),
        q);
    sqlite3_free(name);
}

static void search_batch(model *test, question *q)
{
    int queries = 1 + (int)model_pick(test, 4), n = q->query_bytes;
    char *name = searched_name(test, q);
    sqlite3_str *expected = sqlite3_str_new(NULL);
    for (int i = 0; i < queries; i++) {
        char query[48];
        model_make_vector(test, q->kind, q->query + (size_t)i * (size_t)n);
        (void)snprintf(query, sizeof query, "substr(?1, %d, %d)", i * n + 1, n);
        char *all = all_distances(q, query);
        sqlite3_str_appendf(expected,
                            "%sSELECT * FROM (SELECT %d AS no, row_number() OVER (ORDER BY d, id) "
                            "AS rank, id, d FROM (%s)ORDER BY d, id LIMIT %d)",
                            i > 0 ? " UNION ALL " : "", i, all, q->k);
        sqlite3_free(all);
    }
    sqlite3_str_appendall(expected, " ORDER BY 1, 2");
    q->query_bytes = n * queries;
    same_rows(test,
              sqlite3_mprintf("SELECT query_no, rank, id, distance FROM vec_search_batch(%s, '%s', "
                              "%s(?1), %d, %s)",
                              name, q->column, q->kind->type, q->k, q->full),
              sqlite3_str_finish(expected), q);
    sqlite3_free(name);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void search_fails(model *test, question *q)
{
    static const char *const wrong[] = {
        "SELECT count(*) FROM @ AS t WHERE t.%s MATCH x'00112233445566'",
        "SELECT count(*) FROM @ AS t WHERE t.%s MATCH '[1, 2, 3, 4'",
        "SELECT count(*) FROM @ AS t WHERE t.%s MATCH '[1]' AND k = -1",
    };
    char *marked = sqlite3_mprintf(wrong[model_pick(test, VS_TEST_COUNT(wrong))], q->column);
    char *sql = model_sql(test, marked, 0);
    char *message = NULL;
    if (sqlite3_exec(test->db, sql, NULL, NULL, &message) != SQLITE_ERROR) {
        MODEL_FAIL(test, "%s: no error", sql);
    }
    sqlite3_free(message);
    sqlite3_free(sql);
    sqlite3_free(marked);
}

void model_compare_search(model *test)
{
    question q;
    ask(test, &q);
    char *match = where(&q);
    switch (q.is_served ? model_pick(test, 11) : 7 + model_pick(test, 4)) {
    case 0:
        search_with_k(test, &q, match);
        break;
    case 1:
        search_with_limit(test, &q, match);
        break;
    case 2:
        search_descending(test, &q, match);
        break;
    case 3:
        search_by_arguments(test, &q);
        break;
    case 4:
        search_in_range(test, &q, match);
        break;
    case 5:
        search_in_join(test, &q, match);
        break;
    case 6:
        search_correlated(test, &q);
        break;
    case 7:
        read_rows(test, &q);
        break;
    case 8:
        vec_search_of_table(test, &q);
        break;
    case 9:
        search_batch(test, &q);
        break;
    default:
        search_fails(test, &q);
        break;
    }
    sqlite3_free(match);
    forget_question(&q);
}
