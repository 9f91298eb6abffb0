/*
 * vtab_batch.c - vec_search_batch: many queries in one pass.
 *
 *     SELECT query_no, rank, id, distance FROM vec_search_batch('docs', 'embedding', :queries, 10);
 *
 * Columns: query_no (from 0), rank (from 1), id, distance; hidden arguments tbl, col, queries, k,
 * options.
 *
 * Planning (xBestIndex). The arguments tbl, col, queries and k are needed as equalities, options is
 * optional. Conditions on id, distance and rank are applied inside the search, just as those of
 * vec_search (pushdown.c); they hold for each query. query_no = x and its ranges say which queries are
 * answered. SQLite checks all of them again. Where x follows from another table, the batch would run
 * for each of its rows: such a plan is given a cost that no join prefers. Rows come by query_no, then
 * rank: ORDER BY query_no [, rank] is consumed. idxStr and idxNum are as vec_search's.
 *
 * Executing. Queries are answered in groups of up to 256 (1,024 on a GPU), one pass over the data
 * each, when the cursor reaches them: memory does not grow with the size of the batch beyond the
 * queries themselves. Within a statement that writes, all are answered at once: later groups would
 * see what it wrote.
 *
 * Calls: plan.c, batch.c, batch_queries.c, pushdown.c, gpu_table.c, args.c, vs_api.c.
 * Called by: vtab_search.c (registration).
 * Threads: the connection's.
 */
#include "vtab_batch.h"

#include <math.h>

#include "args.h"
#include "batch.h"
#include "func_gpu.h"
#include "gpu_table.h"
#include "pushdown.h"
#include "vs_api.h"

static const char batch_who[] = "vec_search_batch";

#define BATCH_K_UNKNOWN 10        /* for a k that is bound at run time */
#define BATCH_QUERIES_UNKNOWN 100 /* in a batch */
#define BATCH_LIST_ROWS 25        /* of id IN (...) */
#define BATCH_COST_UNKNOWN 1e6    /* of a table that is named at run time */
#define BATCH_COST_AVOID 1e12     /* a plan to take only where there is no other */

typedef enum batch_column {
    BATCH_QUERY_NO,
    BATCH_RANK,
    BATCH_ID,
    BATCH_DISTANCE,
    BATCH_TBL,
    BATCH_COL,
    BATCH_QUERIES,
    BATCH_K,
    BATCH_OPTIONS,
    BATCH_DEVICE
} batch_column;
#define BATCH_ARGUMENTS (BATCH_OPTIONS - BATCH_TBL + 1)

static const vs_push_table batch_push_table = {.who = batch_who,
                                               .id = BATCH_ID,
                                               .distance = BATCH_DISTANCE,
                                               .rank = BATCH_RANK,
                                               .query_no = BATCH_QUERY_NO,
                                               .has_stream = 0};

typedef struct batch_cursor {
    sqlite3_vtab_cursor base;
    vs_conn *conn; /* borrowed */
    int has_plan;
    vs_plan plan;
    vs_queries queries;
    vs_filter filter;
    vs_id_lists lists; /* the filter borrows from them */
    size_t k;
    vsk_hit *pass;       /* owned: [group][k], the rows that one pass finds */
    size_t *pass_counts; /* owned: [group] */
    vsk_hit *hits;       /* owned: the rows of the queries answered, one after the other */
    size_t *ends;        /* owned: [held] where each query's rows end in hits */
    size_t hit_capacity;
    size_t group;                              /* queries of one pass */
    size_t held;                               /* queries that are answered at a time */
    size_t first;                              /* query whose rows come first in hits */
    size_t end;                                /* query behind the last one that is asked for */
    size_t answered;                           /* queries in hits */
    size_t query, hit;                         /* the current row: query within hits, row of hits */
    sqlite3_value *arguments[BATCH_ARGUMENTS]; /* owned copies */
    int64_t row;                               /* rows returned so far */
    vs_counters did;                           /* by the last pass */
    int is_end;
} batch_cursor;

static int vtab_batch_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                              sqlite3_vtab **out, char **message)
{
    (void)argc;
    (void)argv;
    (void)message;
    vs_api_uses_all_schemas(db);
    return vs_table_connect(
        db, aux,
        "CREATE TABLE x(query_no INTEGER, rank INTEGER, id INTEGER, distance "
        "REAL, tbl TEXT HIDDEN, col TEXT HIDDEN, "
        "queries HIDDEN, k INTEGER HIDDEN, options TEXT HIDDEN, _device TEXT HIDDEN)",
        out);
}

/* Turns a plan into the one that a batch carries out. */
static void batch_adapt_plan(vs_plan *plan, int has_ids)
{
    vs_plan_to_pass(plan);
    if (has_ids) {
        vs_plan_to_ids(plan);
    }
}

/* Words and cost. */
static int batch_describe(vs_conn *conn, sqlite3_index_info *info, const int *leading,
                          const vs_pushdown *pushdown, sqlite3_str *words, vs_err *err)
{
    const char *table = vs_args_literal(info, leading[0]);
    const char *column = vs_args_literal(info, leading[1]);
    const char *options = vs_args_literal(info, leading[4]);
    int64_t k = vs_args_literal_k(info, leading[3], BATCH_K_UNKNOWN);
    int has_ids =
        vs_pushdown_has(pushdown, VS_PUSH_ID_LIST) || vs_pushdown_has(pushdown, VS_PUSH_ID_EQ);
    info->estimatedCost = BATCH_COST_UNKNOWN;
    int queries = vs_pushdown_has(pushdown, VS_PUSH_QUERY_EQ) ? 1 : BATCH_QUERIES_UNKNOWN;
    info->estimatedRows = queries * (has_ids && k > BATCH_LIST_ROWS ? BATCH_LIST_ROWS : k) + 1;
    vs_plan plan;
    int is_known = 0;
    if (table != NULL && column != NULL && (leading[4] < 0 || options != NULL)) {
        int rc =
            vs_plan_make_early(conn, batch_who, table, column, options, k, &plan, &is_known, err);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    if (!is_known) {
        sqlite3_str_appendf(words, "batch, %s", VS_PLAN_WORDS_LATER);
        return SQLITE_OK;
    }
    batch_adapt_plan(&plan, has_ids);
    char *text = vs_plan_words(&plan);
    info->idxNum = (int)plan.strategy;
    info->estimatedCost = 10.0 * vs_plan_cost(&plan, plan.strategy, plan.estimate) + 100.0;
    vs_plan_free(&plan);
    if (text == NULL) {
        return SQLITE_NOMEM;
    }
    sqlite3_str_appendf(words, "%s, up to %d queries at a time", text, VS_BATCH_GROUP_MAX);
    sqlite3_free(text);
    return SQLITE_OK;
}

/* Hands over the arguments, then the conditions. */
static int batch_claim(sqlite3_index_info *info, const int *leading, const vs_pushdown *pushdown,
                       sqlite3_str *words, vs_err *err)
{
    int argument = 0;
    for (int i = 0; i < BATCH_ARGUMENTS; i++) {
        if (leading[i] >= 0) {
            int rc = vs_args_claim(info, leading[i], ++argument, batch_who, err);
            if (rc != SQLITE_OK) {
                return rc;
            }
        }
    }
    if (vs_pushdown_follows(info, pushdown)) {
        info->estimatedCost = BATCH_COST_AVOID;
    }
    vs_pushdown_claim(info, pushdown, argument + 1, words);
    info->idxNum += VS_PUSH_UNIT * (int)pushdown->count;
    return SQLITE_OK;
}

static int batch_is_ordered(const sqlite3_index_info *info)
{
    static const int order[] = {BATCH_QUERY_NO, BATCH_RANK};
    for (int i = 0; i < info->nOrderBy; i++) {
        if (i >= 2 || info->aOrderBy[i].desc || info->aOrderBy[i].iColumn != order[i]) {
            return 0;
        }
    }
    return info->nOrderBy > 0;
}

static int vtab_batch_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    vs_conn *conn = ((vs_table *)base)->conn;
    int leading[BATCH_ARGUMENTS];
    vs_pushdown pushdown;
    vs_err err = VS_ERR_INIT;
    int rc = vs_args_find(info, BATCH_TBL, BATCH_OPTIONS, leading);
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (leading[0] < 0 || leading[1] < 0 || leading[2] < 0 || leading[3] < 0) {
        vs_args_plan_incomplete(info);
        return SQLITE_OK;
    }
    rc = vs_args_check_last(info, BATCH_DEVICE, BATCH_ARGUMENTS, batch_who, &err);
    if (rc == SQLITE_OK) {
        rc = vs_pushdown_find(&batch_push_table, info, 1, -1, &pushdown, &err);
    }
    if (rc != SQLITE_OK) {
        return vs_error_vtab(base, rc, &err);
    }
    sqlite3_str *words = sqlite3_str_new(conn->db);
    rc = batch_describe(conn, info, leading, &pushdown, words, &err);
    if (rc == SQLITE_OK) {
        rc = batch_claim(info, leading, &pushdown, words, &err);
    }
    rc = vs_args_plan_words(info, words, rc);
    if (rc != SQLITE_OK) {
        return vs_error_vtab(base, rc, &err);
    }
    info->orderByConsumed = batch_is_ordered(info);
    return SQLITE_OK;
}

static int vtab_batch_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    batch_cursor *cursor = sqlite3_malloc64(sizeof *cursor);
    if (cursor == NULL) {
        return SQLITE_NOMEM;
    }
    memset(cursor, 0, sizeof *cursor);
    cursor->conn = ((vs_table *)base)->conn;
    cursor->is_end = 1;
    *out = &cursor->base;
    return SQLITE_OK;
}

/* Forgets the last batch. */
static void batch_clear(batch_cursor *cursor)
{
    if (cursor->has_plan) {
        vs_plan_free(&cursor->plan);
        cursor->has_plan = 0;
    }
    vs_queries_free(&cursor->queries);
    sqlite3_free(cursor->pass);
    sqlite3_free(cursor->pass_counts);
    sqlite3_free(cursor->hits);
    sqlite3_free(cursor->ends);
    cursor->pass = NULL;
    cursor->pass_counts = NULL;
    cursor->hits = NULL;
    cursor->ends = NULL;
    cursor->hit_capacity = 0;
    for (int i = 0; i < BATCH_ARGUMENTS; i++) {
        sqlite3_value_free(cursor->arguments[i]);
        cursor->arguments[i] = NULL;
    }
    cursor->is_end = 1;
}

static int vtab_batch_close(sqlite3_vtab_cursor *base)
{
    batch_cursor *cursor = (batch_cursor *)base;
    batch_clear(cursor);
    vs_id_lists_free(&cursor->lists);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

/* Appends what a pass found for one query. */
static int batch_append(batch_cursor *cursor, size_t query, size_t at, const vsk_hit *found,
                        size_t count)
{
    if (at + count > cursor->hit_capacity) {
        size_t capacity = 2 * cursor->hit_capacity + count;
        vsk_hit *grown = sqlite3_realloc64(cursor->hits, capacity * sizeof *grown);
        if (grown == NULL) {
            return SQLITE_NOMEM;
        }
        cursor->hits = grown;
        cursor->hit_capacity = capacity;
    }
    if (count > 0) {
        memcpy(cursor->hits + at, found, count * sizeof *found);
    }
    cursor->ends[query] = at + count;
    return SQLITE_OK;
}

/* Answers the next queries, as many as are held, in passes of a group each. */
static int batch_answer(batch_cursor *cursor, vs_err *err)
{
    size_t group = cursor->group;
    size_t left = cursor->end - cursor->first;
    size_t wanted = left < cursor->held ? left : cursor->held;
    size_t at = 0;
    cursor->answered = 0;
    for (size_t done = 0; done < wanted; done += group) {
        size_t count = wanted - done < group ? wanted - done : group;
        int rc = vs_batch_run(cursor->conn, batch_who, &cursor->plan, &cursor->queries,
                              cursor->first + done, count, &cursor->filter, cursor->k, cursor->pass,
                              cursor->pass_counts, &cursor->did, err);
        for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
            rc = batch_append(cursor, done + i, at, cursor->pass + i * cursor->k,
                              cursor->pass_counts[i]);
            at += cursor->pass_counts[i];
        }
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    cursor->answered = wanted;
    return SQLITE_OK;
}

/* Moves to the query that the row at cursor->hit belongs to, answering further queries as needed.
 */
static int batch_settle(batch_cursor *cursor, vs_err *err)
{
    for (;;) {
        while (cursor->query < cursor->answered && cursor->hit >= cursor->ends[cursor->query]) {
            cursor->query++;
        }
        cursor->is_end = cursor->query == cursor->answered;
        if (!cursor->is_end) {
            return SQLITE_OK;
        }
        cursor->first += cursor->answered;
        cursor->query = 0;
        cursor->hit = 0;
        int rc = batch_answer(cursor, err);
        if (rc != SQLITE_OK || cursor->answered == 0) {
            return rc;
        }
    }
}

/* Copies the arguments for xColumn, and reads the conditions, which follow them. */
static int batch_read_values(batch_cursor *cursor, int number, const char *words, int argc,
                             sqlite3_value **argv, vs_wanted *wanted)
{
    vs_pushdown pushdown;
    int rc = vs_pushdown_parse(words, (size_t)(number / VS_PUSH_UNIT), &pushdown);
    int leading = rc == SQLITE_OK ? argc - (int)pushdown.count : 0;
    for (int i = 0; i < leading && i < BATCH_ARGUMENTS; i++) {
        cursor->arguments[i] = sqlite3_value_dup(argv[i]);
        if (cursor->arguments[i] == NULL) {
            return SQLITE_NOMEM;
        }
    }
    return rc == SQLITE_OK ? vs_pushdown_apply(&pushdown, argv + leading, &cursor->lists,
                                               &cursor->filter, wanted)
                           : rc;
}

/* The plan for the arguments, and the dimension that its column has. */
static int batch_plan(batch_cursor *cursor, sqlite3_value **argv, int64_t k, size_t *out_dim,
                      vs_err *err)
{
    const char *table = NULL;
    const char *column = NULL;
    const char *options = NULL;
    int rc = vs_args_text(batch_who, "the table's name", argv[0], &table, err);
    if (rc == SQLITE_OK) {
        rc = vs_args_text(batch_who, "the column's name", argv[1], &column, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_args_optional_text(batch_who, "options",
                                   cursor->arguments[BATCH_OPTIONS - BATCH_TBL], &options, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_plan_make(cursor->conn, batch_who, table, column, options, k, &cursor->plan, err);
        cursor->has_plan = rc == SQLITE_OK;
    }
    if (rc == SQLITE_OK) {
        batch_adapt_plan(&cursor->plan, cursor->filter.has_ids);
        rc = vs_plan_stored_dim(&cursor->plan, batch_who, 1, out_dim, err);
    }
    return rc;
}

/* Memory for k rows of each query of a pass. */
static int batch_alloc_answers(batch_cursor *cursor)
{
    size_t k = cursor->k > 0 ? cursor->k : 1;
    cursor->group =
        vs_batch_group((int64_t)cursor->k,
                       vs_gpu_table_is_likely(cursor->conn, batch_who, &cursor->plan,
                                              cursor->queries.dim, VS_BATCH_GROUP_GPU, cursor->k));
    cursor->held =
        vs_args_is_writing(cursor->conn->db) ? cursor->end - cursor->first : cursor->group;
    cursor->pass = sqlite3_malloc64(cursor->group * k * sizeof *cursor->pass);
    cursor->pass_counts = sqlite3_malloc64(cursor->group * sizeof *cursor->pass_counts);
    cursor->ends = sqlite3_malloc64(cursor->held * sizeof *cursor->ends);
    return cursor->pass == NULL || cursor->pass_counts == NULL || cursor->ends == NULL
               ? SQLITE_NOMEM
               : SQLITE_OK;
}

static int batch_start(batch_cursor *cursor, int number, const char *words, int argc,
                       sqlite3_value **argv, vs_err *err)
{
    size_t dim = 0;
    vs_wanted wanted = {0, 0, 0, 0};
    vs_filter_init(&cursor->filter);
    int rc = vs_args_k(batch_who, argv[BATCH_K - BATCH_TBL], &wanted.rows, err);
    if (rc == SQLITE_OK && wanted.rows == INT64_MAX) {
        rc = vs_error(err, SQLITE_ERROR, "%s: k must be an integer, found NULL", batch_who);
    }
    if (rc == SQLITE_OK) {
        rc = batch_read_values(cursor, number, words, argc, argv, &wanted);
    }
    if (rc == SQLITE_OK) {
        rc = batch_plan(cursor, argv, wanted.rows, &dim, err);
    }
    sqlite3_value *queries = argv[BATCH_QUERIES - BATCH_TBL];
    if (rc != SQLITE_OK || sqlite3_value_type(queries) == SQLITE_NULL) {
        return rc; /* no queries */
    }
    rc = vs_queries_read(batch_who, queries, cursor->plan.options.type, dim, &cursor->queries, err);
    if (rc != SQLITE_OK || cursor->queries.count == 0) {
        return rc;
    }
    if (wanted.query_lo > wanted.query_hi || wanted.query_lo >= (int64_t)cursor->queries.count) {
        return SQLITE_OK; /* none of the queries */
    }
    cursor->first = (size_t)wanted.query_lo;
    cursor->end = wanted.query_hi < (int64_t)cursor->queries.count ? (size_t)wanted.query_hi + 1
                                                                   : cursor->queries.count;
    cursor->k = (size_t)wanted.rows;
    rc = batch_alloc_answers(cursor);
    return rc == SQLITE_OK ? batch_settle(cursor, err) : rc;
}

static int vtab_batch_filter(sqlite3_vtab_cursor *base, int number, const char *words, int argc,
                             sqlite3_value **argv)
{
    batch_cursor *cursor = (batch_cursor *)base;
    vs_err err = VS_ERR_INIT;
    batch_clear(cursor);
    if (number == VS_ARGS_INCOMPLETE) {
        int rc = vs_error(&err, SQLITE_ERROR,
                          "%s: needs arguments (table, column, queries, k [, options])", batch_who);
        return vs_error_vtab(base->pVtab, rc, &err);
    }
    cursor->first = cursor->answered = cursor->query = cursor->hit = 0;
    cursor->row = 0;
    return vs_error_vtab(base->pVtab, batch_start(cursor, number, words, argc, argv, &err), &err);
}

static int vtab_batch_next(sqlite3_vtab_cursor *base)
{
    batch_cursor *cursor = (batch_cursor *)base;
    vs_err err = VS_ERR_INIT;
    cursor->hit++;
    cursor->row++;
    return vs_error_vtab(base->pVtab, batch_settle(cursor, &err), &err);
}

static int vtab_batch_eof(sqlite3_vtab_cursor *base)
{
    return ((batch_cursor *)base)->is_end;
}

static int vtab_batch_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int column)
{
    batch_cursor *cursor = (batch_cursor *)base;
    const vsk_hit *hit = &cursor->hits[cursor->hit];
    size_t first = cursor->query == 0 ? 0 : cursor->ends[cursor->query - 1];
    switch (column) {
    case BATCH_QUERY_NO:
        sqlite3_result_int64(ctx, (int64_t)(cursor->first + cursor->query));
        break;
    case BATCH_RANK:
        sqlite3_result_int64(ctx, (int64_t)(cursor->hit - first) + 1);
        break;
    case BATCH_ID:
        sqlite3_result_int64(ctx, hit->id);
        break;
    case BATCH_DISTANCE:
        sqlite3_result_double(ctx, hit->distance);
        break;
    case BATCH_DEVICE:
        sqlite3_result_text(ctx, vs_func_gpu_device(&cursor->did), -1, SQLITE_STATIC);
        break;
    default:
        if (cursor->arguments[column - BATCH_TBL] != NULL) {
            sqlite3_result_value(ctx, cursor->arguments[column - BATCH_TBL]);
        }
    }
    return SQLITE_OK;
}

static int vtab_batch_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = ((batch_cursor *)base)
               ->row; /* an id comes back for several queries: only the position is unique */
    return SQLITE_OK;
}

static const sqlite3_module vtab_batch_module = {
    .iVersion = 0,
    .xConnect = vtab_batch_connect,
    .xBestIndex = vtab_batch_best_index,
    .xDisconnect = vs_table_disconnect,
    .xOpen = vtab_batch_open,
    .xClose = vtab_batch_close,
    .xFilter = vtab_batch_filter,
    .xNext = vtab_batch_next,
    .xEof = vtab_batch_eof,
    .xColumn = vtab_batch_column,
    .xRowid = vtab_batch_rowid,
};

int vs_vtab_batch_register(vs_conn *conn)
{
    return sqlite3_create_module_v2(conn->db, batch_who, &vtab_batch_module, vs_conn_ref(conn),
                                    vs_conn_unref);
}
