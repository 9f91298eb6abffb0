/*
 * vtab_report.c - vec_compress_report: a row for each way of storing a column.
 *
 *     SELECT choice, share, ratio, recommended, note FROM vec_compress_report('docs', 'embedding');
 *     SELECT * FROM vec_compress_report('docs', 'meta', 500);
 *
 * Columns: choice, meaning, share, bytes_per_row, ratio, decode_us, search_cost, recommended, note;
 * hidden arguments tbl, col, rows. The planner: tbl and col are needed as equalities, rows is
 * optional; all are applied here. Rows come in rowid order. Executing: the sample is read and
 * measured when the scan begins, and no statement stays open.
 *
 * Calls: sample.c, report.c, args.c.
 * Called by: vecshard.c.
 * Threads: the connection's.
 */
#include "vtab_report.h"

#include <math.h>

#include "args.h"
#include "report.h"
#include "vs_api.h"

static const char vtab_report_who[] = "vec_compress_report";

#define VTAB_REPORT_ROWS 2000 /* unless told */

enum {
    VTAB_REPORT_CHOICE,
    VTAB_REPORT_MEANING,
    VTAB_REPORT_SHARE,
    VTAB_REPORT_BYTES,
    VTAB_REPORT_RATIO,
    VTAB_REPORT_DECODE,
    VTAB_REPORT_SEARCH,
    VTAB_REPORT_RECOMMENDED,
    VTAB_REPORT_NOTE,
    VTAB_REPORT_TBL,
    VTAB_REPORT_COL,
    VTAB_REPORT_ROWS_COL,
    VTAB_REPORT_COLUMNS
};
#define VTAB_REPORT_ARGS (VTAB_REPORT_COLUMNS - VTAB_REPORT_TBL)

typedef struct vtab_report_cursor {
    sqlite3_vtab_cursor base;
    sqlite3_value *arguments[VTAB_REPORT_ARGS]; /* owned copies, for xColumn alone */
    vs_report report;
    int at;
} vtab_report_cursor;

static int vtab_report_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                               sqlite3_vtab **out, char **message)
{
    (void)argc;
    (void)argv;
    (void)message;
    vs_api_uses_all_schemas(db);
    return vs_table_connect(
        db, aux,
        "CREATE TABLE x(choice TEXT, meaning TEXT, share REAL, bytes_per_row REAL, ratio REAL, "
        "decode_us REAL, search_cost TEXT, recommended INTEGER, note TEXT, tbl TEXT HIDDEN, "
        "col TEXT HIDDEN, rows INTEGER HIDDEN)",
        out);
}

static int vtab_report_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    int found[VTAB_REPORT_ARGS], argument = 0;
    vs_err err = VS_ERR_INIT;
    int rc = vs_args_find(info, VTAB_REPORT_TBL, VTAB_REPORT_ROWS_COL, found);
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (found[0] < 0 || found[1] < 0) {
        vs_args_plan_incomplete(info);
        return SQLITE_OK;
    }
    for (int i = 0; i < VTAB_REPORT_ARGS; i++) {
        if (found[i] >= 0) {
            rc = vs_args_claim(info, found[i], ++argument, vtab_report_who, &err);
            if (rc != SQLITE_OK) {
                return vs_error_vtab(base, rc, &err);
            }
        }
    }
    info->idxNum = argument;
    info->estimatedCost = 1e6;
    info->estimatedRows = VS_REPORT_CHOICES_MAX;
    info->orderByConsumed =
        info->nOrderBy == 1 && info->aOrderBy[0].iColumn == -1 && !info->aOrderBy[0].desc;
    return SQLITE_OK;
}

static int vtab_report_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    (void)base;
    vtab_report_cursor *cursor = sqlite3_malloc64(sizeof *cursor);
    if (cursor == NULL) {
        return SQLITE_NOMEM;
    }
    memset(cursor, 0, sizeof *cursor);
    *out = &cursor->base;
    return SQLITE_OK;
}

/* Forgets the report and its arguments. */
static void vtab_report_clear(vtab_report_cursor *cursor)
{
    for (int i = 0; i < VTAB_REPORT_ARGS; i++) {
        sqlite3_value_free(cursor->arguments[i]);
        cursor->arguments[i] = NULL;
    }
    vs_report_free(&cursor->report);
    cursor->at = 0;
}

static int vtab_report_close(sqlite3_vtab_cursor *base)
{
    vtab_report_clear((vtab_report_cursor *)base);
    sqlite3_free(base);
    return SQLITE_OK;
}

/* The argument rows; absent or NULL: the default. */
static int vtab_report_rows(sqlite3_value *value, size_t *out, vs_err *err)
{
    *out = VTAB_REPORT_ROWS;
    if (value == NULL || sqlite3_value_type(value) == SQLITE_NULL) {
        return SQLITE_OK;
    }
    sqlite3_int64 rows = sqlite3_value_int64(value);
    if (sqlite3_value_type(value) != SQLITE_INTEGER || rows < 1 || rows > VS_SAMPLE_ROWS_MAX) {
        const char *text = (const char *)sqlite3_value_text(value);
        return text == NULL ? SQLITE_NOMEM
                            : vs_error(err, SQLITE_ERROR,
                                       "%s: rows must be a whole number from 1 to %d, found %.40s",
                                       vtab_report_who, VS_SAMPLE_ROWS_MAX, text);
    }
    *out = (size_t)rows;
    return SQLITE_OK;
}

static int vtab_report_start(vtab_report_cursor *cursor, int argc, sqlite3_value **argv,
                             vs_err *err)
{
    vs_conn *conn = ((vs_table *)cursor->base.pVtab)->conn;
    const char *table, *column;
    size_t rows;
    vs_sample sample;
    vtab_report_clear(cursor);
    if (argc < 2) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: takes a table and a column, as in %s('docs', 'embedding')",
                        vtab_report_who, vtab_report_who);
    }
    for (int i = 0; i < argc; i++) {
        cursor->arguments[i] = sqlite3_value_dup(argv[i]);
        if (cursor->arguments[i] == NULL) {
            return SQLITE_NOMEM;
        }
    }
    int rc = vs_args_text(vtab_report_who, "the table", argv[0], &table, err);
    if (rc == SQLITE_OK) {
        rc = vs_args_text(vtab_report_who, "the column", argv[1], &column, err);
    }
    if (rc == SQLITE_OK) {
        rc = vtab_report_rows(argc > 2 ? argv[2] : NULL, &rows, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_sample_read(conn, vtab_report_who, table, column, rows, &sample, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_report_make(vtab_report_who, &sample, &cursor->report, err);
        vs_sample_free(&sample);
    }
    return rc;
}

static int vtab_report_filter(sqlite3_vtab_cursor *base, int plan, const char *words, int argc,
                              sqlite3_value **argv)
{
    vs_err err = VS_ERR_INIT;
    (void)plan;
    (void)words;
    int rc = vtab_report_start((vtab_report_cursor *)base, argc, argv, &err);
    return vs_error_vtab(base->pVtab, rc, &err);
}

static int vtab_report_next(sqlite3_vtab_cursor *base)
{
    ((vtab_report_cursor *)base)->at++;
    return SQLITE_OK;
}

static int vtab_report_eof(sqlite3_vtab_cursor *base)
{
    const vtab_report_cursor *cursor = (const vtab_report_cursor *)base;
    return cursor->at >= cursor->report.count;
}

static int vtab_report_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int column)
{
    const vtab_report_cursor *cursor = (const vtab_report_cursor *)base;
    const vs_report_choice *choice = &cursor->report.choices[cursor->at];
    const char *texts[VTAB_REPORT_TBL] = {NULL};
    double numbers[VTAB_REPORT_TBL] = {0.0};
    texts[VTAB_REPORT_CHOICE] = choice->name;
    texts[VTAB_REPORT_MEANING] = choice->meaning;
    texts[VTAB_REPORT_SEARCH] = choice->search_cost;
    texts[VTAB_REPORT_NOTE] = choice->note;
    numbers[VTAB_REPORT_SHARE] = choice->share;
    numbers[VTAB_REPORT_BYTES] = choice->bytes_per_row;
    numbers[VTAB_REPORT_RATIO] = choice->ratio;
    numbers[VTAB_REPORT_DECODE] = choice->decode_us;
    switch (column) {
    case VTAB_REPORT_SHARE:
    case VTAB_REPORT_BYTES:
    case VTAB_REPORT_RATIO:
    case VTAB_REPORT_DECODE:
        sqlite3_result_double(ctx, numbers[column]); /* NaN becomes NULL */
        break;
    case VTAB_REPORT_RECOMMENDED:
        sqlite3_result_int(ctx, choice->is_recommended);
        break;
    case VTAB_REPORT_TBL:
    case VTAB_REPORT_COL:
    case VTAB_REPORT_ROWS_COL:
        if (cursor->arguments[column - VTAB_REPORT_TBL] != NULL) {
            sqlite3_result_value(ctx, cursor->arguments[column - VTAB_REPORT_TBL]);
        }
        break;
    default:
        sqlite3_result_text(ctx, texts[column], -1, SQLITE_TRANSIENT); /* NULL becomes NULL */
        break;
    }
    return SQLITE_OK;
}

static int vtab_report_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = ((const vtab_report_cursor *)base)->at + 1;
    return SQLITE_OK;
}

static const sqlite3_module vtab_report_module = {
    .iVersion = 0,
    .xConnect = vtab_report_connect,
    .xBestIndex = vtab_report_best_index,
    .xDisconnect = vs_table_disconnect,
    .xOpen = vtab_report_open,
    .xClose = vtab_report_close,
    .xFilter = vtab_report_filter,
    .xNext = vtab_report_next,
    .xEof = vtab_report_eof,
    .xColumn = vtab_report_column,
    .xRowid = vtab_report_rowid,
};

int vs_vtab_report_register(vs_conn *conn)
{
    /* SQLite releases the reference also when this fails. */
    return sqlite3_create_module_v2(conn->db, vtab_report_who, &vtab_report_module,
                                    vs_conn_ref(conn), vs_conn_unref);
}
