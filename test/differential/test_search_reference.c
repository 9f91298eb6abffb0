/*
 * test_search_reference.c - random tables, indexes and queries: vec_search and vec_search_batch
 * against a plain reference.
 *
 * A case makes one random table, reads it back by plain SQL into doubles, and asks many random
 * questions in every form of searching. Distances must be equal to the last bit and the order that
 * of (distance, id). Cases are numbered; each depends on its number alone.
 *
 * Environment:
 *   VS_DIFF_SECONDS  time for new cases (default 8; the CPU levels take 1 more each)
 *   VS_DIFF_CASE     runs this one case and no other: what a failure prints
 *   VECSHARD_CPU     level of the kernels: then the program tests that level alone
 */
#define _POSIX_C_SOURCE 200809L

#include "../search_fixture.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "../oracle.h"

#define DIFF_SECONDS 8
#define DIFF_QUESTIONS 24 /* of one case */

typedef struct diff_row {
    int64_t id;
    int64_t tag;
    double *values; /* owned: [dim]; NULL: no vector */
    int is_bad;     /* holds a vector of another dimension */
    double norm;
} diff_row;

typedef struct diff_hit {
    double distance;
    int64_t id;
    int64_t tag;
} diff_hit;

/* One case: the table and what its indexes are called. */
typedef struct diff_case {
    sqlite3 *db;
    long number;
    uint64_t random;
    vsk_type type;
    size_t dim;
    fixture_spread spread;
    char *sql_name; /* owned: "aux"."t", as SQL text */
    char *argument; /* owned: aux.t, as the search takes it */
    const char *key;
    int has_bad;
    int has_norm_index; /* then a bad row may be pruned before anyone sees it */
    const char *norm_index, *plain_index, *partial_index; /* names, or NULL */
    diff_row *rows;                                       /* owned */
    size_t row_count;
} diff_case;

/* One question. */
typedef struct diff_query {
    vs_metric metric;
    void *vector;     /* owned */
    double *values;   /* owned */
    char *json;       /* owned: the vector as text, or NULL: passed as a BLOB */
    char *options;    /* owned: JSON */
    double norm_band; /* negative: none */
    int is_partial;   /* only rows with tag = 1 */
    diff_hit *hits;   /* owned: all rows that can be in the answer, in order */
    size_t hit_count;
} diff_query;

static size_t diff_below(diff_case *c, size_t n)
{
    return (size_t)(vs_test_random(&c->random) % n);
}

static int diff_chance(diff_case *c, int percent)
{
    return diff_below(c, 100) < (size_t)percent;
}

static void diff_run(diff_case *c, char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(c->db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("case %ld: %s: %s", c->number, sql, message);
    }
    sqlite3_free(sql);
}

/* ---- the table ---- */

static const char *const diff_constructors[VSK_TYPE_COUNT] = {"vec_f32", "vec_f16", "vec_bf16",
                                                              "vec_int8", "vec_bit"};

/* The norm of column v as an expression of an index on a column of this type. */
static char *diff_norm_sql(const diff_case *c)
{
    return c->type == VSK_F32 ? sqlite3_mprintf("vec_norm(v)")
                              : sqlite3_mprintf("vec_norm(%s(v))", diff_constructors[c->type]);
}

static void diff_make_table(diff_case *c)
{
    static const char *const names[] = {"t",     "docs table", "semi;colon",
                                        "it''s", "a.b",        "\"quoted\"\"\""};
    static const char *const plain[] = {"t", "docs table", "semi;colon", "it's", "a.b", "quoted\""};
    static const char *const schemas[] = {"main", "temp", "aux"};
    static const char *const generated[] = {"", "", ", n REAL AS (%s) VIRTUAL",
                                            ", n AS (%s) STORED",
                                            ", \"n\" INT GENERATED ALWAYS AS ( %s )"};
    size_t name = diff_below(c, VS_TEST_COUNT(names));
    const char *schema = schemas[diff_below(c, 3)];
    int kind =
        (int)diff_below(c, 4); /* rowid, INTEGER PRIMARY KEY, WITHOUT ROWID, UNIQUE beside rowid */
    char *norm = diff_norm_sql(c);
    char *extra = sqlite3_mprintf(
        c->type == VSK_BIT ? "" : generated[diff_below(c, VS_TEST_COUNT(generated))], norm);
    const char *quote = names[name][0] == '"' ? "" : "\"";

    c->sql_name = name == 3 ? sqlite3_mprintf("%s.\"it's\"", schema)
                            : sqlite3_mprintf("%s.%s%s%s", schema, quote, names[name], quote);
    c->argument = diff_chance(c, 50) ? sqlite3_mprintf("%s", plain[name])
                                     : sqlite3_mprintf("%s.%s", schema, plain[name]);
    c->key = kind == 0 ? "rowid" : kind == 3 ? "_rowid_" : "id";
    diff_run(c,
             sqlite3_mprintf("CREATE TABLE %s(%s v, tag INTEGER, created INTEGER%s)%s", c->sql_name,
                             kind == 0   ? ""
                             : kind == 3 ? "rowid TEXT,"
                                         : "id INTEGER PRIMARY KEY,",
                             extra, kind == 2 ? " WITHOUT ROWID" : ""));
    if (c->type != VSK_BIT) {
        static const char *const shapes[] = {"", "(%s)", "(%s DESC)", "(%s, v)",
                                             "(%s, created, v)"};
        char *leading = strlen(extra) > 0 ? sqlite3_mprintf("n") : sqlite3_mprintf("%s", norm);
        size_t shape = diff_below(c, VS_TEST_COUNT(shapes));
        char *table = strchr(c->sql_name, '.') + 1;
        if (shape > 0) {
            char *list = sqlite3_mprintf(shapes[shape], leading);
            int is_partial = diff_chance(c, 20);
            diff_run(c, sqlite3_mprintf("CREATE INDEX %s.by_norm ON %s%s%s", schema, table, list,
                                        is_partial ? " WHERE (tag=1)" : ""));
            sqlite3_free(list);
            c->has_norm_index = 1;
            c->norm_index = is_partial ? NULL : "by_norm";
            c->partial_index = is_partial ? "by_norm" : NULL;
        }
        sqlite3_free(leading);
    }
    if (c->partial_index == NULL && diff_chance(c, 50)) {
        diff_run(c, sqlite3_mprintf(
                        "CREATE INDEX %s.\"by tag\" ON %s(created) WHERE /* ) */ tag = 1 -- )",
                        schema, strchr(c->sql_name, '.') + 1));
        c->partial_index = "by tag";
    }
    if (diff_chance(c, 30)) {
        diff_run(c, sqlite3_mprintf("CREATE INDEX %s.both ON %s(tag, created)", schema,
                                    strchr(c->sql_name, '.') + 1));
        c->plain_index = "both";
    }
    sqlite3_free(extra);
    sqlite3_free(norm);
}

static int64_t diff_new_id(diff_case *c, int mode, int64_t i)
{
    switch (mode) {
    case 0:
        return i + 1;
    case 1:
        return (int64_t)diff_below(c, 1000000) - 500000;
    case 2:
        return (int64_t)vs_test_random(&c->random);
    default:
        return i == 0 ? INT64_MIN : i == 1 ? INT64_MAX : 3 * i;
    }
}

/* Binds a vector for the table: as BLOB, as JSON text, none, or one of another dimension. */
static void diff_bind_vector(diff_case *c, sqlite3_stmt *stmt, int parameter,
                             unsigned char *previous)
{
    size_t bytes = vsk_bytes(c->type, c->dim);
    unsigned char *vector = malloc(vsk_bytes(c->type, c->dim + 8));
    size_t what = diff_below(c, 100);
    if (what < 8) {
        memcpy(vector, previous, bytes); /* a duplicate */
    } else if (what < 10) {
        memset(vector, 0, bytes);
    } else {
        fixture_vector(&c->random, c->spread, c->type, c->dim, vector);
    }
    if (what >= 98) {
        sqlite3_bind_null(stmt, parameter);
    } else if (what >= 95) {
        char *json = fixture_json(c->type, vector, c->dim);
        sqlite3_bind_text(stmt, parameter, json, -1, sqlite3_free);
    } else if (what == 94 && c->has_bad) {
        memset(vector, 0, vsk_bytes(c->type, c->dim + 8));
        sqlite3_bind_blob(stmt, parameter, vector, (int)vsk_bytes(c->type, c->dim + 8),
                          SQLITE_TRANSIENT);
    } else {
        sqlite3_bind_blob(stmt, parameter, vector, (int)bytes, SQLITE_TRANSIENT);
    }
    memcpy(previous, vector, bytes);
    free(vector);
}

static void diff_insert(diff_case *c, size_t count)
{
    sqlite3_stmt *stmt = NULL;
    int mode = (int)diff_below(c, 4);
    unsigned char *previous = calloc(1, vsk_bytes(c->type, c->dim));
    char *sql =
        sqlite3_mprintf("INSERT OR REPLACE INTO %s(%s, v, tag, created) VALUES (?1, ?2, ?3, ?4)",
                        c->sql_name, c->key);
    assert_int_equal(sqlite3_prepare_v2(c->db, sql, -1, &stmt, NULL), SQLITE_OK);
    for (size_t i = 0; i < count; i++) {
        sqlite3_bind_int64(stmt, 1, diff_new_id(c, mode, (int64_t)i));
        diff_bind_vector(c, stmt, 2, previous);
        sqlite3_bind_int64(stmt, 3, (int64_t)diff_below(c, 4));
        sqlite3_bind_int64(stmt, 4, (int64_t)diff_below(c, 1000));
        if (sqlite3_step(stmt) != SQLITE_DONE) {
            fail_msg("case %ld: %s: %s", c->number, sql, sqlite3_errmsg(c->db));
        }
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    free(previous);
}

/*
 * Transactions that commit, stay open, and are undone: the reference is read afterwards in every
 * case.
 */
static void diff_change(diff_case *c)
{
    static const char *const steps[] = {"DELETE FROM %s WHERE created %% 7 = 3",
                                        "UPDATE %s SET v = NULL WHERE created %% 11 = 4",
                                        "UPDATE %s SET tag = 1 - tag WHERE created %% 3 = 0",
                                        ("UPDATE %s SET v = (SELECT b.v FROM %s AS b ORDER BY "
                                         "b.created, b.%s LIMIT 1) WHERE created %% 13 = 5")};
    static const char *const ends[] = {"COMMIT", "ROLLBACK", "ROLLBACK TO s", "RELEASE s", NULL};
    if (sqlite3_get_autocommit(c->db)) {
        diff_run(c, sqlite3_mprintf("BEGIN"));
    }
    diff_run(c, sqlite3_mprintf("SAVEPOINT s"));
    diff_run(c, sqlite3_mprintf(steps[diff_below(c, VS_TEST_COUNT(steps))], c->sql_name,
                                c->sql_name, c->key));
    diff_insert(c, diff_below(c, 20));
    const char *end = ends[diff_below(c, VS_TEST_COUNT(ends))];
    if (end != NULL) {
        diff_run(c, sqlite3_mprintf("%s", end));
    }
}

/* ---- the reference ---- */

static void diff_forget_rows(diff_case *c)
{
    for (size_t i = 0; i < c->row_count; i++) {
        free(c->rows[i].values);
    }
    free(c->rows);
    c->rows = NULL;
    c->row_count = 0;
}

static double *diff_widen(vsk_type type, const void *vector, size_t dim)
{
    double *values = malloc(dim * sizeof *values);
    for (size_t i = 0; i < dim; i++) {
        values[i] = oracle_element(type, vector, i);
    }
    return values;
}

/* The numbers of a JSON array, as the generator wrote it. */
static double *diff_read_json(const char *text, size_t dim)
{
    double *values = malloc(dim * sizeof *values);
    for (size_t i = 0; i < dim; i++) {
        char *end = NULL;
        values[i] = strtof(text + 1, &end);
        text = end;
    }
    return values;
}

static void diff_read_rows(diff_case *c)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("SELECT %s, v, tag FROM %s NOT INDEXED", c->key, c->sql_name);
    size_t capacity = 0;
    diff_forget_rows(c);
    assert_int_equal(sqlite3_prepare_v2(c->db, sql, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        diff_row row = {sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 2), NULL, 0, 0.0};
        if (sqlite3_column_type(stmt, 1) == SQLITE_TEXT) {
            row.values = diff_read_json((const char *)sqlite3_column_text(stmt, 1), c->dim);
        } else if (sqlite3_column_type(stmt, 1) == SQLITE_BLOB) {
            const void *blob = sqlite3_column_blob(stmt, 1);
            row.is_bad = (size_t)sqlite3_column_bytes(stmt, 1) != vsk_bytes(c->type, c->dim);
            row.values = row.is_bad ? NULL : diff_widen(c->type, blob, c->dim);
        }
        row.norm = row.values == NULL ? 0.0 : fixture_norm(row.values, c->dim);
        if (c->row_count == capacity) {
            capacity = 2 * capacity + 64;
            c->rows = realloc(c->rows, capacity * sizeof *c->rows);
        }
        c->rows[c->row_count++] = row;
    }
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
}

static int diff_has_bad(const diff_case *c, const diff_query *q)
{
    for (size_t i = 0; i < c->row_count; i++) {
        if (c->rows[i].is_bad && (!q->is_partial || c->rows[i].tag == 1)) {
            return 1;
        }
    }
    return 0;
}

static int diff_compare(const void *a, const void *b)
{
    const diff_hit *x = a;
    const diff_hit *y = b;
    if (x->distance != y->distance) {
        return x->distance < y->distance ? -1 : 1;
    }
    return (x->id > y->id) - (x->id < y->id);
}

/* Fills q->hits. */
static void diff_answer(const diff_case *c, diff_query *q)
{
    double norm = fixture_norm(q->values, c->dim);
    q->hits = malloc((c->row_count + 1) * sizeof *q->hits);
    q->hit_count = 0;
    for (size_t i = 0; i < c->row_count; i++) {
        const diff_row *row = &c->rows[i];
        diff_hit hit = {0.0, row->id, row->tag};
        if (row->values == NULL || (q->is_partial && row->tag != 1) ||
            (q->norm_band >= 0.0 && (row->norm < (1.0 - q->norm_band) * norm ||
                                     row->norm > (1.0 + q->norm_band) * norm))) {
            continue;
        }
        if (fixture_distance(q->metric, row->values, q->values, c->dim, &hit.distance)) {
            q->hits[q->hit_count++] = hit;
        }
    }
    qsort(q->hits, q->hit_count, sizeof *q->hits, diff_compare);
}

/* ---- questions ---- */

static void diff_make_query(diff_case *c, diff_query *q)
{
    static const char *const types[VSK_TYPE_COUNT] = {"float32", "float16", "bfloat16", "int8",
                                                      "bit"};
    static const char *const metrics[VS_METRIC_COUNT] = {"l2",  "l2sq",    "l1",     "cosine",
                                                         "dot", "hamming", "jaccard"};
    sqlite3_str *options = sqlite3_str_new(NULL);
    const char *index = NULL;
    memset(q, 0, sizeof *q);
    q->metric = c->type == VSK_BIT ? (vs_metric)(VS_HAMMING + (int)diff_below(c, 2))
                                   : (vs_metric)diff_below(c, VS_HAMMING);
    q->vector = calloc(1, vsk_bytes(c->type, c->dim));
    if (diff_chance(c, 95)) {
        fixture_vector(&c->random, diff_chance(c, 80) ? c->spread : FIXTURE_NORMAL, c->type, c->dim,
                       q->vector);
    }
    q->values = diff_widen(c->type, q->vector, c->dim);
    q->json = diff_chance(c, 30) ? fixture_json(c->type, q->vector, c->dim) : NULL;
    q->norm_band =
        c->type != VSK_BIT && diff_chance(c, 12) ? (double)diff_below(c, 20) / 10.0 : -1.0;
    if (diff_chance(c, 40)) {
        const char *const candidates[] = {c->norm_index, c->plain_index, c->partial_index};
        size_t which = diff_below(c, 3);
        index = candidates[which];
        q->is_partial = which == 2 && index != NULL;
    }
    sqlite3_str_appendf(options, "{\"metric\":\"%s\",\"type\":\"%s\"", metrics[q->metric],
                        types[c->type]);
    if (index != NULL) {
        sqlite3_str_appendf(options, ",\"index\":\"%s\"", index);
    }
    if (q->norm_band >= 0.0) {
        sqlite3_str_appendf(options, ",\"norm_band\":%.1f", q->norm_band);
    }
    if (diff_has_bad(c, q)) {
        sqlite3_str_appendall(options, ", \"bad_rows\" : \"skip\"");
    }
    sqlite3_str_appendall(options, "}");
    q->options = sqlite3_str_finish(options);
    diff_answer(c, q);
}

static void diff_free_query(diff_query *q)
{
    free(q->vector);
    free(q->values);
    free(q->hits);
    sqlite3_free(q->json);
    sqlite3_free(q->options);
}

/* Prepares a question with ?1 the query, ?2 the table, ?3 the options; frees sql. */
static sqlite3_stmt *diff_prepare(diff_case *c, const diff_query *q, char *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(c->db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        fail_msg("case %ld: %s: %s", c->number, sql, sqlite3_errmsg(c->db));
    }
    if (q->json != NULL) {
        sqlite3_bind_text(stmt, 1, q->json, -1, SQLITE_TRANSIENT);
    } else {
        sqlite3_bind_blob(stmt, 1, q->vector, (int)vsk_bytes(c->type, c->dim), SQLITE_TRANSIENT);
    }
    sqlite3_bind_text(stmt, 2, c->argument, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(stmt, 3, q->options, -1, SQLITE_TRANSIENT);
    sqlite3_free(sql);
    return stmt;
}

/* The statement's rows (id, distance) are these, in this order; finalizes it. */
static void diff_expect(diff_case *c, const diff_query *q, sqlite3_stmt *stmt, const diff_hit *hits,
                        size_t count)
{
    size_t row = 0;
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(stmt, 0);
        double distance = sqlite3_column_double(stmt, 1);
        if (row >= count || id != hits[row].id || distance != hits[row].distance) {
            fail_msg("case %ld, options %s, type %d, dim %zu, %zu rows: %s: row %zu is (%lld, "
                     "%.17g), not (%lld, %.17g) of %zu",
                     c->number, q->options, (int)c->type, c->dim, c->row_count, sqlite3_sql(stmt),
                     row, (long long)id, distance, row < count ? (long long)hits[row].id : 0,
                     row < count ? hits[row].distance : (double)NAN, count);
        }
        row++;
    }
    if (rc != SQLITE_DONE || row != count) {
        fail_msg("case %ld, options %s, type %d, dim %zu, %zu rows: %s: %zu rows, not %zu (%s)",
                 c->number, q->options, (int)c->type, c->dim, c->row_count, sqlite3_sql(stmt), row,
                 count, rc == SQLITE_DONE ? "done" : sqlite3_errmsg(c->db));
    }
    sqlite3_finalize(stmt);
}

#define DIFF_STREAM "vec_search(?2, 'v', ?1, NULL, ?3) AS s"
#define DIFF_K "vec_search(?2, 'v', ?1, %d, ?3) AS s"

static size_t diff_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A number of rows: few, many, all, more than there are. */
static int diff_some_k(diff_case *c)
{
    static const int few[] = {0, 1, 2, 5, 10, 63, 64, 65};
    return diff_chance(c, 70) ? few[diff_below(c, VS_TEST_COUNT(few))]
                              : (int)diff_below(c, c->row_count + 50);
}

static void ask_k(diff_case *c, diff_query *q)
{
    int k = diff_some_k(c);
    diff_expect(c, q, diff_prepare(c, q, sqlite3_mprintf("SELECT id, distance FROM " DIFF_K, k)),
                q->hits, diff_min((size_t)k, q->hit_count));
}

static void ask_stream_with_limit(diff_case *c, diff_query *q)
{
    int limit = diff_some_k(c);
    int offset = diff_chance(c, 50) ? 0 : diff_some_k(c);
    size_t first = diff_min((size_t)offset, q->hit_count);
    diff_expect(
        c, q,
        diff_prepare(c, q,
                     sqlite3_mprintf("SELECT id, distance FROM " DIFF_STREAM
                                     " ORDER BY %s LIMIT %d OFFSET %d",
                                     diff_chance(c, 50) ? "distance" : "rank", limit, offset)),
        q->hits + first, diff_min((size_t)limit, q->hit_count - first));
}

/* Keeps the hits that `keep` takes, at most `most` of them: owned by the caller. */
static diff_hit *diff_select(const diff_query *q, int (*keep)(const diff_hit *, const double *),
                             const double *limits, size_t most, size_t *out_count)
{
    diff_hit *kept = malloc((q->hit_count + 1) * sizeof *kept);
    *out_count = 0;
    for (size_t i = 0; i < q->hit_count && *out_count < most; i++) {
        if (keep(&q->hits[i], limits)) {
            kept[(*out_count)++] = q->hits[i];
        }
    }
    return kept;
}

static int keep_tag(const diff_hit *hit, const double *limits)
{
    return (double)hit->tag == limits[0];
}

static void ask_joined_filter(diff_case *c, diff_query *q)
{
    double tag = (double)diff_below(c, 4);
    size_t count;
    size_t limit = (size_t)diff_some_k(c);
    diff_hit *kept = diff_select(q, keep_tag, &tag, limit, &count);
    diff_expect(c, q,
                diff_prepare(c, q,
                             sqlite3_mprintf("SELECT s.id, s.distance FROM " DIFF_STREAM
                                             " JOIN %s AS d ON d.%s = s.id "
                                             "WHERE d.tag = %d ORDER BY s.distance, s.id LIMIT %d",
                                             c->sql_name, c->key, (int)tag, (int)limit)),
                kept, count);
    free(kept);
}

static int keep_not_tag(const diff_hit *hit, const double *limits)
{
    return !keep_tag(hit, limits);
}

static void ask_ids_of_a_subquery(diff_case *c, diff_query *q)
{
    double tag = (double)diff_below(c, 4);
    int k = diff_some_k(c);
    int is_not = diff_chance(c, 30);
    size_t count;
    diff_hit *kept = diff_select(q, is_not ? keep_not_tag : keep_tag, &tag, (size_t)k, &count);
    diff_expect(
        c, q,
        diff_prepare(c, q,
                     sqlite3_mprintf("SELECT s.id, s.distance FROM " DIFF_K
                                     " WHERE s.id IN (SELECT %s FROM %s WHERE tag %s %d)",
                                     k, c->key, c->sql_name, is_not ? "<>" : "=", (int)tag)),
        kept, count);
    free(kept);
}

/* Ids as a list in the statement: present, absent, twice, as text and as REAL. */
static void ask_ids_of_a_list(diff_case *c, diff_query *q)
{
    sqlite3_str *list = sqlite3_str_new(NULL);
    size_t n = 2 + diff_below(c, 40);
    int k = diff_some_k(c);
    size_t count = 0;
    diff_hit *kept = malloc((n + 1) * sizeof *kept);
    sqlite3_str_appendall(list, "NULL, 0.5, 'x', x'00', 9223372036854775807");
    for (size_t i = 0; i < n && q->hit_count > 0; i++) {
        const diff_hit *hit = &q->hits[diff_below(c, q->hit_count)];
        int is_new = hit->id != INT64_MAX; /* that one is in the list already */
        for (size_t j = 0; j < count; j++) {
            is_new &= kept[j].id != hit->id;
        }
        sqlite3_str_appendf(list, diff_chance(c, 80) ? ", %lld" : ", '%lld'", (long long)hit->id);
        if (is_new) {
            kept[count++] = *hit;
        }
    }
    for (size_t i = 0; i < q->hit_count; i++) {
        if (q->hits[i].id == INT64_MAX) {
            kept[count++] = q->hits[i];
        }
    }
    qsort(kept, count, sizeof *kept, diff_compare);
    char *text = sqlite3_str_finish(list);
    diff_expect(
        c, q,
        diff_prepare(
            c, q, sqlite3_mprintf("SELECT id, distance FROM " DIFF_K " WHERE id IN (%s)", k, text)),
        kept, diff_min((size_t)k, count));
    sqlite3_free(text);
    free(kept);
}

/* limits: lowest, highest, 1 when the lowest belongs, 1 when the highest does */
static int keep_range(const diff_hit *hit, const double *limits)
{
    return (hit->distance > limits[0] || (limits[2] != 0.0 && hit->distance == limits[0])) &&
           (hit->distance < limits[1] || (limits[3] != 0.0 && hit->distance == limits[1]));
}

/* A distance that occurs, or one beside it. */
static double diff_some_distance(diff_case *c, const diff_query *q)
{
    double distance = q->hit_count == 0 ? 1.0 : q->hits[diff_below(c, q->hit_count)].distance;
    return diff_chance(c, 70) ? distance : distance * 1.01 + 0.01;
}

static void ask_distance_range(diff_case *c, diff_query *q)
{
    double limits[4] = {-INFINITY, INFINITY, (double)diff_below(c, 2), (double)diff_below(c, 2)};
    int k = diff_some_k(c);
    size_t form = diff_below(c, 4);
    size_t count;
    char *where;
    double a = diff_some_distance(c, q);
    double b = diff_some_distance(c, q);
    if (form == 0) {
        limits[1] = a;
        where = sqlite3_mprintf("distance %s ?4", limits[3] != 0.0 ? "<=" : "<");
    } else if (form == 1) {
        limits[0] = a;
        where = sqlite3_mprintf("?4 %s distance", limits[2] != 0.0 ? "<=" : "<");
    } else if (form == 2) {
        limits[0] = a;
        limits[1] = b;
        limits[2] = limits[3] = 1.0;
        where = sqlite3_mprintf("distance BETWEEN ?4 AND ?5");
    } else {
        limits[0] = limits[1] = a;
        limits[2] = limits[3] = 1.0;
        where = sqlite3_mprintf("distance = ?4");
    }
    /* With k, an equality with a parameter is checked after the k nearest were chosen. */
    int is_stream = form == 3 || diff_chance(c, 50);
    diff_hit *kept = diff_select(q, keep_range, limits, is_stream ? SIZE_MAX : (size_t)k, &count);
    sqlite3_stmt *stmt = diff_prepare(
        c, q,
        is_stream
            ? sqlite3_mprintf("SELECT id, distance FROM " DIFF_STREAM " WHERE %s ORDER BY distance",
                              where)
            : sqlite3_mprintf("SELECT id, distance FROM " DIFF_K " WHERE %s", k, where));
    sqlite3_bind_double(stmt, 4, a);
    sqlite3_bind_double(stmt, 5, b);
    diff_expect(c, q, stmt, kept, count);
    sqlite3_free(where);
    free(kept);
}

/* limits: two ids */
static int keep_either_id_or_near(const diff_hit *hit, const double *limits)
{
    return hit->tag == 2 || hit->distance < limits[0];
}

/* OR over two columns, which no plan can hand to the search as a whole. */
static void ask_or(diff_case *c, diff_query *q)
{
    double limit = diff_some_distance(c, q);
    size_t count;
    diff_hit *kept = diff_select(q, keep_either_id_or_near, &limit, 7, &count);
    sqlite3_stmt *stmt =
        diff_prepare(c, q,
                     sqlite3_mprintf("SELECT s.id, s.distance FROM " DIFF_STREAM
                                     " WHERE s.distance < ?4 OR s.id IN (SELECT %s FROM %s WHERE "
                                     "tag = 2) ORDER BY s.distance, s.id LIMIT 7",
                                     c->key, c->sql_name));
    sqlite3_bind_double(stmt, 4, limit);
    diff_expect(c, q, stmt, kept, count);
    free(kept);
}

static void ask_first_ranks(diff_case *c, diff_query *q)
{
    int n = diff_some_k(c);
    int is_strict = diff_chance(c, 50);
    diff_expect(c, q,
                diff_prepare(c, q,
                             sqlite3_mprintf("SELECT id, distance FROM " DIFF_STREAM
                                             " WHERE rank %s %d ORDER BY rank",
                                             is_strict ? "<" : "<=", n + is_strict)),
                q->hits, diff_min((size_t)n, q->hit_count));
}

static void ask_descending(diff_case *c, diff_query *q)
{
    size_t n = diff_min((size_t)diff_some_k(c), q->hit_count);
    diff_hit *kept = malloc((n + 1) * sizeof *kept);
    for (size_t i = 0; i < n; i++) {
        kept[i] = q->hits[q->hit_count - 1 - i];
    }
    diff_expect(c, q,
                diff_prepare(c, q,
                             sqlite3_mprintf("SELECT id, distance FROM " DIFF_STREAM
                                             " ORDER BY distance DESC, id DESC LIMIT %d",
                                             (int)n)),
                kept, n);
    free(kept);
}

/*
 * The number of an answer's row is its rank, whatever is asked around it; distances sum up to the
 * last bit in the order of the answer.
 */
static void ask_ranks_of_known_rows(diff_case *c, diff_query *q)
{
    sqlite3_stmt *stmt =
        diff_prepare(c, q,
                     sqlite3_mprintf("SELECT d.k, s.distance, s.rank FROM (SELECT %s AS k FROM %s "
                                     "WHERE tag = 3 LIMIT 5) AS d "
                                     "LEFT JOIN " DIFF_K " ON s.id = d.k ORDER BY d.k",
                                     c->key, c->sql_name, 20));
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(stmt, 0);
        size_t at = 0;
        while (at < q->hit_count && q->hits[at].id != id) {
            at++;
        }
        int64_t rank = at < diff_min(q->hit_count, 20) ? (int64_t)at + 1 : 0;
        if (sqlite3_column_int64(stmt, 2) != rank) {
            fail_msg("case %ld: %s: row %lld has rank %lld, not %lld", c->number, sqlite3_sql(stmt),
                     (long long)id, (long long)sqlite3_column_int64(stmt, 2), (long long)rank);
        }
    }
    assert_int_equal(rc, SQLITE_DONE);
    sqlite3_finalize(stmt);
}

/* Several queries from a table of queries: each outer row gets its own answer. */
static void ask_correlated(diff_case *c, diff_query *q)
{
    diff_query others[3];
    int k = diff_some_k(c);
    sqlite3_stmt *insert = NULL;
    diff_run(c, sqlite3_mprintf("CREATE TEMP TABLE queries(no INTEGER PRIMARY KEY, q)"));
    assert_int_equal(
        sqlite3_prepare_v2(c->db, "INSERT INTO temp.queries VALUES (?1, ?2)", -1, &insert, NULL),
        SQLITE_OK);
    for (int i = 0; i < 3; i++) {
        others[i] = *q;
        others[i].vector = calloc(1, vsk_bytes(c->type, c->dim));
        fixture_vector(&c->random, c->spread, c->type, c->dim, others[i].vector);
        others[i].values = diff_widen(c->type, others[i].vector, c->dim);
        diff_answer(c, &others[i]);
        sqlite3_bind_int(insert, 1, i);
        sqlite3_bind_blob(insert, 2, others[i].vector, (int)vsk_bytes(c->type, c->dim),
                          SQLITE_STATIC);
        assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    for (int i = 0; i < 3; i++) {
        diff_expect(
            c, q,
            diff_prepare(c, q,
                         sqlite3_mprintf("SELECT s.id, s.distance FROM temp.queries AS o, "
                                         "vec_search(?2, 'v', o.q, %d, ?3) AS s "
                                         "WHERE o.no = %d OR o.no + %d > 1000 ORDER BY s.rank",
                                         k, i, k % 900)),
            others[i].hits, diff_min((size_t)k, others[i].hit_count));
    }
    for (int i = 0; i < 3; i++) {
        free(others[i].vector);
        free(others[i].values);
        free(others[i].hits);
    }
    diff_run(c, sqlite3_mprintf("DROP TABLE temp.queries"));
}

/* A batch gives for each of its queries what a single search gives. */
static void ask_batch(diff_case *c, diff_query *q)
{
    size_t count = 1 + diff_below(c, 5);
    size_t bytes = vsk_bytes(c->type, c->dim);
    int k = diff_some_k(c);
    sqlite3_str *json = sqlite3_str_new(NULL);
    unsigned char *blob = malloc(count * bytes);
    int is_blob =
        c->type != VSK_F16 && c->type != VSK_BF16 && !diff_has_bad(c, q) && diff_chance(c, 50);
    diff_hit *expected = malloc((count * (c->row_count + 1)) * sizeof *expected);
    size_t expected_count = 0;
    for (size_t i = 0; i < count; i++) {
        diff_query one = *q;
        one.vector = blob + i * bytes;
        fixture_vector(&c->random, c->spread, c->type, c->dim, one.vector);
        one.values = diff_widen(c->type, one.vector, c->dim);
        diff_answer(c, &one);
        for (size_t j = 0; j < diff_min((size_t)k, one.hit_count); j++) {
            expected[expected_count++] = one.hits[j];
        }
        char *text = fixture_json(c->type, one.vector, c->dim);
        sqlite3_str_appendf(json, "%s%s", i == 0 ? "[" : ", ", text);
        sqlite3_free(text);
        free(one.values);
        free(one.hits);
    }
    sqlite3_str_appendall(json, "]");
    sqlite3_stmt *stmt =
        diff_prepare(c, q,
                     sqlite3_mprintf("SELECT id, distance FROM vec_search_batch(?2, 'v', ?1, %d, "
                                     "?3) ORDER BY query_no, rank",
                                     k));
    if (is_blob) {
        sqlite3_bind_blob(stmt, 1, blob, (int)(count * bytes), SQLITE_TRANSIENT);
        sqlite3_free(sqlite3_str_finish(json));
    } else {
        sqlite3_bind_text(stmt, 1, sqlite3_str_finish(json), -1, sqlite3_free);
    }
    diff_expect(c, q, stmt, expected, expected_count);
    free(expected);
    free(blob);
}

/* A row of another dimension is an error that names a row, unless it is asked to be passed over. */
static void ask_bad_rows(diff_case *c, diff_query *q)
{
    if (!diff_has_bad(c, q) || c->has_norm_index || q->norm_band >= 0.0) {
        return;
    }
    char *skip = strstr(q->options, ", \"bad_rows\" : \"skip\"");
    skip[0] = '}';
    skip[1] = '\0';
    sqlite3_stmt *stmt = diff_prepare(c, q, sqlite3_mprintf("SELECT id FROM " DIFF_K, 3));
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ERROR || strstr(sqlite3_errmsg(c->db), ", row ") == NULL) {
        fail_msg("case %ld: options %s: bad rows give %d, %s", c->number, q->options, rc,
                 sqlite3_errmsg(c->db));
    }
    sqlite3_finalize(stmt);
}

/* ---- cases ---- */

static void diff_choose(diff_case *c)
{
    static const size_t large[] = {256, 384, 1000, 1536, 9000, 65536};
    int is_large = diff_chance(c, 4);
    c->type = diff_chance(c, 40) ? VSK_F32 : (vsk_type)diff_below(c, VSK_TYPE_COUNT);
    c->dim = is_large ? large[diff_below(c, VS_TEST_COUNT(large))]
                      : 1 + diff_below(c, diff_chance(c, 50) ? 8 : 130);
    c->dim = c->type == VSK_BIT ? (c->dim + 7) / 8 * 8 : c->dim;
    c->spread = (fixture_spread)diff_below(c, FIXTURE_SPREADS);
    c->has_bad = diff_chance(c, 15);
}

static void run_case(long number)
{
    static void (*const forms[])(diff_case *, diff_query *) = {ask_k,
                                                               ask_stream_with_limit,
                                                               ask_joined_filter,
                                                               ask_ids_of_a_subquery,
                                                               ask_ids_of_a_list,
                                                               ask_distance_range,
                                                               ask_or,
                                                               ask_first_ranks,
                                                               ask_descending,
                                                               ask_ranks_of_known_rows,
                                                               ask_correlated,
                                                               ask_batch,
                                                               ask_bad_rows};
    diff_case c;
    memset(&c, 0, sizeof c);
    c.number = number;
    c.random = 0x9e3779b97f4a7c15u * (uint64_t)(number + 1);
    for (int i = 0; i < 8; i++) {
        (void)vs_test_random(&c.random);
    }
    c.db = vs_test_open();
    diff_run(&c, sqlite3_mprintf("ATTACH ':memory:' AS aux"));
    diff_choose(&c);
    diff_make_table(&c);
    diff_run(&c, sqlite3_mprintf("BEGIN"));
    diff_insert(&c, c.dim > 200 ? diff_below(&c, 60)
                                : diff_below(&c, diff_chance(&c, 20) ? 3000 : 200));
    diff_run(&c, sqlite3_mprintf("COMMIT"));
    diff_read_rows(&c);
    for (int i = 0; i < DIFF_QUESTIONS; i++) {
        diff_query q;
        if (diff_chance(&c, 15)) {
            diff_change(&c);
            diff_read_rows(&c);
        }
        diff_make_query(&c, &q);
        forms[(size_t)i < VS_TEST_COUNT(forms) ? (size_t)i : diff_below(&c, VS_TEST_COUNT(forms))](
            &c, &q);
        diff_free_query(&q);
        fixture_nothing_is_open(c.db);
    }
    diff_forget_rows(&c);
    sqlite3_free(c.sql_name);
    sqlite3_free(c.argument);
    vs_test_close(c.db);
}

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void searches_equal_the_reference(void **state)
{
    const char *one = getenv("VS_DIFF_CASE");
    const char *seconds = getenv("VS_DIFF_SECONDS");
    double end = now_seconds() + (seconds != NULL ? strtod(seconds, NULL) : (double)DIFF_SECONDS);
    long number = 0;
    (void)state;
    if (one != NULL) {
        run_case(strtol(one, NULL, 10));
        return;
    }
    while (now_seconds() < end) {
        run_case(number++);
    }
    print_message("%ld cases of %d questions\n", number, DIFF_QUESTIONS);
}

static const char *program;

/* The level is chosen once in a process, so each has one of its own. */
static void each_cpu_level_gives_the_same_answers(void **state)
{
    (void)state;
    if (getenv("VECSHARD_CPU") != NULL || getenv("VS_DIFF_CASE") != NULL) {
        skip();
    }
    for (int level = VSK_SCALAR; level < VSK_LEVEL_COUNT; level++) {
        vsk_table table;
        if (vsk_table_for_level((vsk_level)level, &table) != 0) {
            print_message("%s: not on this machine\n", vsk_level_name((vsk_level)level));
            continue;
        }
        const char *name = vsk_level_name((vsk_level)level);
        const char *log = fixture_path("test_search_reference.log");
        char *command = sqlite3_mprintf("VECSHARD_CPU=%s VS_DIFF_SECONDS=${VS_DIFF_SECONDS:-1} "
                                        "CMOCKA_MESSAGE_OUTPUT=stdout '%s' > '%s' 2>&1",
                                        name, program, log);
        if (system(command) != 0) {
            fail_msg("failed: %s", command);
        }
        remove(log);
        sqlite3_free(command);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_equal_the_reference),
        cmocka_unit_test(each_cpu_level_gives_the_same_answers),
    };
    (void)argc;
    program = argv[0];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
