/*
 * vtab_search.c - vec_search: the nearest rows of any table.
 *
 *     SELECT s.id, s.distance FROM vec_search('docs', 'embedding', :q, 10) AS s;
 *     SELECT d.title FROM vec_search('docs', 'embedding', :q) AS s JOIN docs d ON d.rowid = s.id
 *     WHERE d.lang = 'en' LIMIT 10;
 *
 * Columns: id, distance, rank; hidden arguments tbl, col, query, k, options; hidden _device, which
 * tells what computed: 'cpu' or 'cuda:0'.
 *
 * Planning (xBestIndex). The arguments tbl, col and query are needed as equalities, k and options
 * are optional. Of the other constraints these are applied inside the search (pushdown.c): id IN
 * (...), id = x, distance <, <=, >, >=, =, and rank <, <=; LIMIT and OFFSET say how many rows a
 * stream fetches first. SQLite checks all of them again.
 * ORDER BY distance or rank, alone and ascending, is consumed.
 * An equality on id usually comes from a join (ON d.rowid = s.id), where the search should run
 * first and the other table be looked up: so a plan that uses the equality is given a cost that no
 * join prefers, and remains where there is no other. A plan without the needed arguments, or with k
 * compared but not given, gets a cost that is never chosen, and xFilter reports what is wrong: SQLite
 * asks for such plans also while it looks at the branches of an OR.
 *
 * idxStr is the plan in words, as EXPLAIN QUERY PLAN prints it. idxNum is the strategy plus
 * VS_PUSH_UNIT times the number of conditions that the words end with.
 *
 * Executing (xFilter). With k the whole search is done and its rows are kept; without k rows come
 * in batches of growing size, each a search beyond the last (distance, id), so that no statement
 * stays open between two calls. A statement that also writes gets all rows of its stream at once:
 * between batches it would see its own changes.
 *
 * Calls: plan.c, search.c, pushdown.c, args.c, vs_api.c, vtab_batch.c, func_search.c.
 * Called by: vecshard.c (registration).
 * Threads: the connection's.
 */
#include "vtab_search.h"

#include <math.h>

#include "args.h"
#include "func_gpu.h"
#include "func_search.h"
#include "pushdown.h"
#include "search.h"
#include "vs_api.h"
#include "vtab_batch.h"

static const char search_who[] = "vec_search";

#define SEARCH_COST_AVOID 1e12  /* a plan to take only where there is no other */
#define SEARCH_COST_START 100.0 /* of starting a search */
#define SEARCH_ROWS_UNKNOWN 1e5 /* of a table that is named at run time */
#define SEARCH_K_UNKNOWN 10     /* for a k that is bound at run time */
#define SEARCH_LIST_ROWS 25.0   /* of id IN (...): SQLite does not tell how many */

#define SEARCH_BATCH_GROWTH 4
#define SEARCH_BATCH_MAX 262144 /* rows kept at a time: 4 MiB */

static const vs_push_table search_push_table = {.who = search_who,
                                                .id = VS_COL_ID,
                                                .distance = VS_COL_DISTANCE,
                                                .rank = VS_COL_RANK,
                                                .query_no = VS_PUSH_NO_COLUMN,
                                                .has_stream = 1};

typedef struct search_cursor {
    sqlite3_vtab_cursor base;
    vs_conn *conn; /* borrowed */
    /* The plan is kept while table, column and options stay the same: a correlated search runs once
     * per outer row. */
    char *key; /* owned: the three texts; NULL: no plan */
    vs_plan plan;
    vs_search search;
    sqlite3_value
        *arguments[VS_COL_DEVICE]; /* owned copies of the hidden columns, for xColumn alone */
    vs_filter filter;
    vs_id_lists lists; /* the filter borrows from them */
    vsk_hit *hits;     /* owned */
    size_t hit_capacity, hit_count, hit_at;
    int64_t rank;   /* of the current row */
    int64_t wanted; /* rows still to fetch; INT64_MAX for a stream */
    size_t batch;   /* rows to fetch next */
    int is_end;
} search_cursor;

static int vtab_search_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                               sqlite3_vtab **out, char **message)
{
    (void)argc;
    (void)argv;
    (void)message;
    vs_api_uses_all_schemas(db);
    return vs_table_connect(db, aux,
                            "CREATE TABLE x(id INTEGER, distance REAL, rank INTEGER, tbl TEXT "
                            "HIDDEN, col TEXT HIDDEN, query HIDDEN, "
                            "k INTEGER HIDDEN, options TEXT HIDDEN, _device TEXT HIDDEN)",
                            out);
}

/* ---- planning ---- */

/* Constraints of the arguments tbl, col, query, k, options: their numbers, or -1. */
typedef struct search_leading {
    int tbl, col, query, k, options;
} search_leading;

static int search_find_leading(const sqlite3_index_info *info, search_leading *out)
{
    int found[VS_COL_OPTIONS - VS_COL_TBL + 1];
    int rc = vs_args_find(info, VS_COL_TBL, VS_COL_OPTIONS, found);
    *out = (search_leading){found[0], found[1], found[2], found[3], found[4]};
    return rc;
}

/* Words and cost of the plan: the real plan where table and column are literals. */
static int search_describe(vs_conn *conn, sqlite3_index_info *info, const search_leading *leading,
                           const vs_pushdown *pushdown, sqlite3_str *words, vs_err *err)
{
    const char *table = vs_args_literal(info, leading->tbl);
    const char *column = vs_args_literal(info, leading->col);
    const char *options = vs_args_literal(info, leading->options);
    int64_t k =
        vs_args_literal_k(info, leading->k, leading->k >= 0 ? SEARCH_K_UNKNOWN : VS_PLAN_K_DEFAULT);
    int has_ids =
        vs_pushdown_has(pushdown, VS_PUSH_ID_LIST) || vs_pushdown_has(pushdown, VS_PUSH_ID_EQ);
    double rows = SEARCH_ROWS_UNKNOWN;
    double cost = rows;
    vs_plan plan;
    int is_known = 0;
    info->idxNum = 0;
    if (table != NULL && column != NULL && (leading->options < 0 || options != NULL)) {
        int rc =
            vs_plan_make_early(conn, search_who, table, column, options, k, &plan, &is_known, err);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    if (!is_known) {
        sqlite3_str_appendall(words, VS_PLAN_WORDS_LATER);
    } else {
        if (has_ids) {
            vs_plan_to_ids(&plan);
        }
        char *text = vs_plan_words(&plan);
        info->idxNum = (int)plan.strategy;
        rows = plan.rows;
        cost = vs_plan_cost(&plan, plan.strategy, plan.estimate);
        vs_plan_free(&plan);
        if (text == NULL) {
            return SQLITE_NOMEM;
        }
        sqlite3_str_appendall(words, text);
        sqlite3_free(text);
    }
    rows = fmax(rows, 1.0);
    rows = leading->k >= 0 ? fmin(rows, (double)k) : rows;
    rows = has_ids ? fmin(rows, SEARCH_LIST_ROWS) : rows;
    cost = vs_pushdown_has(pushdown, VS_PUSH_ID_EQ) ? SEARCH_COST_AVOID : cost;
    info->estimatedCost = cost + SEARCH_COST_START;
    info->estimatedRows = (sqlite3_int64)rows;
    return SQLITE_OK;
}

/* Hands over the arguments, then the conditions. */
static int search_claim(sqlite3_index_info *info, const search_leading *leading,
                        const vs_pushdown *pushdown, sqlite3_str *words, vs_err *err)
{
    const int constraints[] = {leading->tbl, leading->col, leading->query, leading->k,
                               vs_pushdown_has(pushdown, VS_PUSH_OPTIONS) ? -1 : leading->options};
    int argument = 0;
    for (size_t i = 0; i < sizeof constraints / sizeof constraints[0]; i++) {
        if (constraints[i] >= 0) {
            int rc = vs_args_claim(info, constraints[i], ++argument, search_who, err);
            if (rc != SQLITE_OK) {
                return rc;
            }
        }
    }
    vs_pushdown_claim(info, pushdown, argument + 1, words);
    info->idxNum += VS_PUSH_UNIT * (int)pushdown->count;
    return SQLITE_OK;
}

static int vtab_search_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    vs_conn *conn = ((vs_table *)base)->conn;
    search_leading leading;
    vs_pushdown pushdown;
    vs_err err = VS_ERR_INIT;
    int rc = search_find_leading(info, &leading);
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (leading.tbl < 0 || leading.col < 0 || leading.query < 0) {
        vs_args_plan_incomplete(info);
        return SQLITE_OK;
    }
    rc = vs_args_check_last(info, VS_COL_DEVICE, VS_COL_OPTIONS - VS_COL_TBL + 1, search_who, &err);
    if (rc != SQLITE_OK) {
        return vs_error_vtab(base, rc, &err);
    }
    if (leading.k < 0 && vs_args_compares_k(info, VS_COL_K)) {
        vs_args_plan_k_compared(info);
        return SQLITE_OK;
    }
    rc = vs_pushdown_find(&search_push_table, info, leading.k >= 0,
                          leading.k < 0 ? leading.options : -1, &pushdown, &err);
    if (rc != SQLITE_OK) {
        return vs_error_vtab(base, rc, &err);
    }
    sqlite3_str *words = sqlite3_str_new(conn->db);
    rc = search_describe(conn, info, &leading, &pushdown, words, &err);
    if (rc == SQLITE_OK) {
        rc = search_claim(info, &leading, &pushdown, words, &err);
    }
    rc = vs_args_plan_words(info, words, rc);
    if (rc != SQLITE_OK) {
        return vs_error_vtab(base, rc, &err);
    }
    info->orderByConsumed =
        info->nOrderBy == 1 && !info->aOrderBy[0].desc &&
        (info->aOrderBy[0].iColumn == VS_COL_DISTANCE || info->aOrderBy[0].iColumn == VS_COL_RANK);
    return SQLITE_OK;
}

/* ---- executing ---- */

static int vtab_search_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    search_cursor *cursor = sqlite3_malloc64(sizeof *cursor);
    if (cursor == NULL) {
        return SQLITE_NOMEM;
    }
    memset(cursor, 0, sizeof *cursor);
    cursor->conn = ((vs_table *)base)->conn;
    cursor->is_end = 1;
    *out = &cursor->base;
    return SQLITE_OK;
}

static void search_drop_plan(search_cursor *cursor)
{
    if (cursor->key != NULL) {
        vs_search_report(&cursor->search, search_who);
        vs_search_close(&cursor->search);
        vs_plan_free(&cursor->plan);
        sqlite3_free(cursor->key);
        cursor->key = NULL;
    }
}

static int vtab_search_close(sqlite3_vtab_cursor *base)
{
    search_cursor *cursor = (search_cursor *)base;
    search_drop_plan(cursor);
    for (int i = VS_COL_TBL; i <= VS_COL_OPTIONS; i++) {
        sqlite3_value_free(cursor->arguments[i]);
    }
    vs_id_lists_free(&cursor->lists);
    sqlite3_free(cursor->hits);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

/* Fills the hits with the `capacity` best rows that come next. */
static int search_fill(search_cursor *cursor, size_t capacity, vs_err *err)
{
    cursor->hit_at = 0;
    cursor->hit_count = 0;
    cursor->is_end = 1;
    if (capacity > cursor->hit_capacity) {
        vsk_hit *grown = sqlite3_realloc64(cursor->hits, capacity * sizeof *grown);
        if (grown == NULL) {
            return SQLITE_NOMEM;
        }
        cursor->hits = grown;
        cursor->hit_capacity = capacity;
    }
    int rc = vs_search_run(&cursor->search, &cursor->filter, cursor->hits, capacity,
                           &cursor->hit_count, err);
    cursor->hit_count = rc == SQLITE_OK ? cursor->hit_count : 0;
    cursor->is_end = cursor->hit_count == 0;
    return rc;
}

/* Fetches the next batch. */
static int search_fetch(search_cursor *cursor, vs_err *err)
{
    size_t capacity =
        (int64_t)cursor->batch < cursor->wanted ? cursor->batch : (size_t)cursor->wanted;
    int rc = search_fill(cursor, capacity, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    cursor->batch = cursor->batch * SEARCH_BATCH_GROWTH < SEARCH_BATCH_MAX
                        ? cursor->batch * SEARCH_BATCH_GROWTH
                        : SEARCH_BATCH_MAX;
    if (cursor->hit_count < capacity) {
        cursor->wanted = 0;
    } else if (cursor->wanted != INT64_MAX) {
        cursor->wanted -= (int64_t)capacity;
    }
    if (cursor->hit_count > 0) {
        cursor->filter.has_after = 1;
        cursor->filter.after_distance = cursor->hits[cursor->hit_count - 1].distance;
        cursor->filter.after_id = cursor->hits[cursor->hit_count - 1].id;
    }
    return SQLITE_OK;
}

/* Fetches a whole stream at once. */
static int search_fetch_all(search_cursor *cursor, vs_err *err)
{
    size_t capacity = VS_PLAN_K_DEFAULT;
    int rc;
    do {
        capacity *= SEARCH_BATCH_GROWTH;
        rc = search_fill(cursor, capacity, err);
    } while (rc == SQLITE_OK && cursor->hit_count == capacity);
    cursor->wanted = 0;
    return rc;
}

/* Makes the plan for these arguments, unless the last one serves. */
static int search_plan(search_cursor *cursor, const char *table, const char *column,
                       const char *options, int64_t k, vs_err *err)
{
    char *key = sqlite3_mprintf(
        "%d %lld %lld %s%s%s", k > VS_PLAN_K_DEFAULT, (long long)strlen(table),
        (long long)strlen(column), table, column,
        options == NULL ? "" : options); /* the lengths keep "a","bc" and "ab","c" apart */
    if (key == NULL) {
        return SQLITE_NOMEM;
    }
    if (cursor->key != NULL && strcmp(cursor->key, key) == 0) {
        vs_search_report(&cursor->search, search_who);
        sqlite3_free(key);
        return SQLITE_OK;
    }
    search_drop_plan(cursor);
    int rc = vs_plan_make(cursor->conn, search_who, table, column, options, k, &cursor->plan, err);
    if (rc != SQLITE_OK) {
        sqlite3_free(key);
        return rc;
    }
    cursor->key = key;
    vs_search_init(&cursor->search, cursor->conn, search_who, &cursor->plan);
    return SQLITE_OK;
}

/* Copies the arguments for xColumn. */
static int search_keep_arguments(search_cursor *cursor, sqlite3_value *const *values)
{
    for (int column = VS_COL_TBL; column < VS_COL_DEVICE; column++) {
        sqlite3_value_free(cursor->arguments[column]);
        cursor->arguments[column] = NULL;
        if (values[column] != NULL) {
            cursor->arguments[column] = sqlite3_value_dup(values[column]);
            if (cursor->arguments[column] == NULL) {
                return SQLITE_NOMEM;
            }
        }
    }
    return SQLITE_OK;
}

/* Sorts the values of xFilter: the arguments into values[column], the conditions from
 * *out_conditions on. */
static int search_read_values(int number, const char *words, int argc, sqlite3_value **argv,
                              sqlite3_value **values, vs_pushdown *pushdown,
                              sqlite3_value ***out_conditions)
{
    int rc = vs_pushdown_parse(words, (size_t)(number / VS_PUSH_UNIT), pushdown);
    if (rc != SQLITE_OK) {
        return rc;
    }
    int leading = argc - (int)pushdown->count;
    for (int i = 0; i < leading && VS_COL_TBL + i < VS_COL_DEVICE; i++) {
        values[VS_COL_TBL + i] = argv[i];
    }
    *out_conditions = argv + leading;
    if (vs_pushdown_has(pushdown, VS_PUSH_OPTIONS)) {
        values[VS_COL_OPTIONS] = argv[leading]; /* it is the first of them */
    }
    return SQLITE_OK;
}

static int search_start(search_cursor *cursor, int number, const char *words, int argc,
                        sqlite3_value **argv, vs_err *err)
{
    sqlite3_value *values[VS_COL_DEVICE] = {NULL};
    sqlite3_value **conditions = NULL;
    const char *table = NULL;
    const char *column = NULL;
    const char *options = NULL;
    vs_pushdown pushdown;
    vs_wanted wanted = {0, 0, 0, 0};
    if (number == VS_ARGS_INCOMPLETE) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: needs arguments (table, column, query [, k [, options]])", search_who);
    }
    if (number == VS_ARGS_K_COMPARED) {
        return vs_args_k_is_compared(search_who, err);
    }
    vs_filter_init(&cursor->filter);
    int rc = search_read_values(number, words, argc, argv, values, &pushdown, &conditions);
    if (rc == SQLITE_OK) {
        rc = search_keep_arguments(cursor, values);
    }
    if (rc == SQLITE_OK) {
        rc = vs_args_text(search_who, "the table's name", values[VS_COL_TBL], &table, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_args_text(search_who, "the column's name", values[VS_COL_COL], &column, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_args_k(search_who, values[VS_COL_K], &wanted.rows, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_args_optional_text(search_who, "options", values[VS_COL_OPTIONS], &options, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_pushdown_apply(&pushdown, conditions, &cursor->lists, &cursor->filter, &wanted);
    }
    if (rc == SQLITE_OK) {
        rc = search_plan(cursor, table, column, options,
                         wanted.rows == INT64_MAX ? VS_PLAN_K_DEFAULT : wanted.rows, err);
    }
    if (rc == SQLITE_OK && cursor->filter.has_ids) {
        vs_plan_to_ids(&cursor->plan);
    }
    if (rc != SQLITE_OK || sqlite3_value_type(values[VS_COL_QUERY]) == SQLITE_NULL) {
        return rc; /* nothing is near to NULL */
    }
    rc = vs_search_set_query(&cursor->search, values[VS_COL_QUERY], err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    cursor->wanted = wanted.rows;
    int is_stream = wanted.rows == INT64_MAX;
    if (vs_args_is_writing(cursor->conn->db)) {
        if (is_stream) {
            return search_fetch_all(cursor, err);
        }
        cursor->batch = (size_t)wanted.rows;
    } else if (!is_stream) {
        cursor->batch = SEARCH_BATCH_MAX;
    } else {
        cursor->batch = wanted.hint > 0 ? (size_t)wanted.hint : VS_PLAN_K_DEFAULT;
    }
    return search_fetch(cursor, err);
}

static int vtab_search_filter(sqlite3_vtab_cursor *base, int number, const char *words, int argc,
                              sqlite3_value **argv)
{
    search_cursor *cursor = (search_cursor *)base;
    vs_err err = VS_ERR_INIT;
    cursor->is_end = 1;
    cursor->hit_count = 0;
    cursor->hit_at = 0;
    cursor->rank = 1;
    return vs_error_vtab(base->pVtab, search_start(cursor, number, words, argc, argv, &err), &err);
}

static int vtab_search_next(sqlite3_vtab_cursor *base)
{
    search_cursor *cursor = (search_cursor *)base;
    vs_err err = VS_ERR_INIT;
    cursor->rank++;
    if (++cursor->hit_at < cursor->hit_count) {
        return SQLITE_OK;
    }
    if (cursor->wanted == 0) {
        cursor->is_end = 1;
        return SQLITE_OK;
    }
    return vs_error_vtab(base->pVtab, search_fetch(cursor, &err), &err);
}

static int vtab_search_eof(sqlite3_vtab_cursor *base)
{
    return ((search_cursor *)base)->is_end;
}

static int vtab_search_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int column)
{
    search_cursor *cursor = (search_cursor *)base;
    const vsk_hit *hit = &cursor->hits[cursor->hit_at];
    switch (column) {
    case VS_COL_ID:
        sqlite3_result_int64(ctx, hit->id);
        break;
    case VS_COL_DISTANCE:
        sqlite3_result_double(ctx, hit->distance);
        break;
    case VS_COL_RANK:
        sqlite3_result_int64(ctx, cursor->rank);
        break;
    case VS_COL_DEVICE:
        sqlite3_result_text(ctx, vs_func_gpu_device(&cursor->search.counters), -1, SQLITE_STATIC);
        break;
    default:
        if (cursor->arguments[column] != NULL) {
            sqlite3_result_value(ctx, cursor->arguments[column]);
        }
    }
    return SQLITE_OK;
}

static int vtab_search_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    search_cursor *cursor = (search_cursor *)base;
    *out = cursor->hits[cursor->hit_at].id;
    return SQLITE_OK;
}

static const sqlite3_module vtab_search_module = {
    .iVersion = 0,
    .xConnect = vtab_search_connect, /* no xCreate: there is one, under the module's name */
    .xBestIndex = vtab_search_best_index,
    .xDisconnect = vs_table_disconnect,
    .xOpen = vtab_search_open,
    .xClose = vtab_search_close,
    .xFilter = vtab_search_filter,
    .xNext = vtab_search_next,
    .xEof = vtab_search_eof,
    .xColumn = vtab_search_column,
    .xRowid = vtab_search_rowid,
};

int vs_vtab_search_register(vs_conn *conn)
{
    int rc = sqlite3_create_module_v2(conn->db, search_who, &vtab_search_module, vs_conn_ref(conn),
                                      vs_conn_unref);
    if (rc == SQLITE_OK) {
        rc = vs_vtab_batch_register(conn);
    }
    if (rc == SQLITE_OK) {
        rc = vs_func_search_register(conn);
    }
    return rc;
}
