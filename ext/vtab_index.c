/*
 * vtab_index.c - the module vecshard: a table with vector columns that searches read through codes.
 *
 *     CREATE VIRTUAL TABLE memories USING vecshard(
 *         embedding float[384] distance_metric=cosine, tenant INTEGER PARTITION KEY, lang TEXT,
 *         +title TEXT);
 *     SELECT rowid, distance, title FROM memories
 *         WHERE embedding MATCH :q AND tenant = 7 ORDER BY distance LIMIT 10;
 *     SELECT rowid, distance FROM memories(:q, 10);
 *
 * Columns: the declared ones; hidden: query, k, options, distance, one named as the table
 * (commands), arg.
 *
 * Planning: index_plan.c. Executing a search: with k all rows are found and kept; without k they
 * come in batches of growing size, each a search beyond the last (distance, rowid), so that no
 * statement stays open between two batches. A statement that also writes gets its whole stream at
 * once. A scan steps the row table, with the conditions in its own statement.
 *
 * A program may change the table while it steps a statement over it. A search then passes over rows
 * that are gone.
 *
 * Calls: index_plan.c, nearest.c, conditions.c, store.c, vtab_write.c, content.c, column.c,
 * check.c.
 * Called by: vecshard.c (registration).
 * Threads: the connection's.
 */
#include "vtab_index.h"

#include <math.h>

#include "args.h"
#include "column.h"
#include "content.h"
#include "func_gpu.h"
#include "index_plan.h"
#include "maint.h"
#include "options.h"
#include "store_text.h"
#include "vs_api.h"
#include "vtab_write.h"

static const char index_who[] = "vecshard";

#define INDEX_BATCH_FIRST 64
#define INDEX_BATCH_GROWTH 4
#define INDEX_BATCH_MAX 262144
#define INDEX_COUNT_ABOVE 4096 /* rows asked for: before more are kept, the table's are counted */

typedef enum index_mode { INDEX_EMPTY, INDEX_SCANNING, INDEX_SEARCHING } index_mode;

/* A statement on the row table: id, loc, and some of the stored columns. */
typedef struct index_rows {
    sqlite3_stmt *stmt; /* owned */
    char *sql;          /* owned: its text */
    uint64_t columns;   /* bit i: declared column i is among them */
} index_rows;

typedef struct index_cursor {
    sqlite3_vtab_cursor base;
    index_mode mode;
    int is_end;
    int64_t rowid;
    uint64_t used;            /* bit i: the statement uses declared column i */
    uint64_t generation;      /* of the table, when the hits were found */
    vs_conditions conditions; /* owned */
    index_rows scan;          /* scanning: all rows that the conditions let pass */
    index_rows row;           /* one row, found by its id */
    int has_row;              /* it stands on the current one */
    /* searching */
    vs_nearest *nearest; /* owned */
    int vector;
    vs_metric metric;
    vs_device device;
    sqlite3_value *arguments[3]; /* owned: query, k, options, as given */
    vs_filter filter;
    vsk_hit *hits; /* owned */
    size_t hit_capacity, hit_count, hit_at;
    int64_t wanted; /* rows still to fetch; INT64_MAX for a stream */
    size_t batch;   /* rows to fetch next */
    /* the row of t_vectors read last, one per vector column; 0: none */
    int64_t group[VS_VECTORS_MAX];
    uint64_t group_generation; /* of the table, when they were read */
    vs_scratch group_memory[VS_VECTORS_MAX];
    vs_scratch vector_memory;
    vs_counters counters;
    vs_cascade cascade;
} index_cursor;

static vs_index_table *index_table(const index_cursor *cursor)
{
    return (vs_index_table *)(void *)cursor->base.pVtab;
}

/* ---- life of the table ----------------------------------------------------------------------- */

static void index_free_table(vs_index_table *table)
{
    vs_nearest_free(table->spare);
    for (int i = 0; i < VS_VECTORS_MAX; i++) {
        vs_scratch_free(&table->memory[i][0]);
        vs_scratch_free(&table->memory[i][1]);
    }
    vs_store_close(&table->store);
    sqlite3_free(table);
}

static int index_declare(sqlite3 *db, const vs_declaration *declaration, const char *name,
                         vs_err *err)
{
    char *schema = vs_declare_schema(declaration, name);
    if (schema == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = sqlite3_declare_vtab(db, schema);
    sqlite3_free(schema);
    if (rc != SQLITE_OK) {
        return vs_error_db(err, rc, db, name);
    }
    /* Conflicts are found before the first write; triggers of an untrusted schema may write here.
     */
    (void)sqlite3_vtab_config(db, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
    (void)sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
    return SQLITE_OK;
}

/* argv: module, schema, table, then the arguments. */
static int index_make(vs_conn *conn, int argc, const char *const *argv, vs_index_table **out,
                      vs_err *err)
{
    vs_declaration declaration;
    char *who = sqlite3_mprintf("vecshard: %s", argv[2]);
    vs_index_table *table = sqlite3_malloc64(sizeof *table);
    int rc = who == NULL || table == NULL ? SQLITE_NOMEM : SQLITE_OK;
    if (rc == SQLITE_OK) {
        memset(table, 0, sizeof *table);
        rc = vs_declare_parse(who, argc - 3, argv + 3, &declaration, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_init(&table->store, conn, argv[1], argv[2], &declaration, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_declare_check_table(index_who, &table->store.declaration, argv[2], err);
        if (rc == SQLITE_OK) {
            rc = index_declare(conn->db, &table->store.declaration, argv[2], err);
        }
        if (rc != SQLITE_OK) {
            vs_store_close(&table->store);
        }
    }
    sqlite3_free(who);
    if (rc != SQLITE_OK) {
        sqlite3_free(table);
        return rc;
    }
    *out = table;
    return SQLITE_OK;
}

static int index_error(char **message, int rc, vs_err *err)
{
    if (rc != SQLITE_OK && err->message != NULL) {
        *message = err->message;
        err->message = NULL;
    }
    vs_error_clear(err);
    return rc;
}

/* Reads the arguments and nothing of the file: a damaged table can still be dropped. */
static int vtab_index_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                              sqlite3_vtab **out, char **message)
{
    vs_err err = VS_ERR_INIT;
    vs_index_table *table = NULL;
    (void)db;
    int rc = index_make(aux, argc, argv, &table, &err);
    *out = rc == SQLITE_OK ? &table->base : NULL;
    return index_error(message, rc, &err);
}

static int vtab_index_create(sqlite3 *db, void *aux, int argc, const char *const *argv,
                             sqlite3_vtab **out, char **message)
{
    vs_err err = VS_ERR_INIT;
    vs_index_table *table = NULL;
    (void)db;
    *out = NULL;
    int rc = index_make(aux, argc, argv, &table, &err);
    if (rc == SQLITE_OK) {
        rc = vs_store_create(&table->store, &err);
        if (rc == SQLITE_OK && table->store.declaration.content != NULL) {
            rc = vs_content_create(&table->store, &err);
            rc = rc == SQLITE_OK ? vs_content_build(&table->store, &err) : rc;
        }
        vs_store_forget(&table->store); /* what was built is committed without xSync */
        if (rc != SQLITE_OK) {
            index_free_table(table);
        } else {
            *out = &table->base;
        }
    }
    return index_error(message, rc, &err);
}

static int vtab_index_disconnect(sqlite3_vtab *base)
{
    index_free_table((vs_index_table *)(void *)base);
    return SQLITE_OK;
}

static int vtab_index_destroy(sqlite3_vtab *base)
{
    vs_index_table *table = (vs_index_table *)(void *)base;
    vs_err err = VS_ERR_INIT;
    int rc = SQLITE_OK;
    vs_nearest_free(table->spare);
    table->spare = NULL;
    if (table->store.declaration.content != NULL) {
        rc = vs_content_drop(&table->store, &err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_drop(&table->store, &err);
    }
    vs_error_clear(&err); /* SQLite takes no sentence from here, and would not free it */
    if (rc == SQLITE_OK) {
        index_free_table(table);
    }
    return rc;
}

static int vtab_index_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    vs_err err = VS_ERR_INIT;
    vs_index_table *table = (vs_index_table *)(void *)base;
    int rc = vs_index_plan_best(&table->store, &table->planned, info, &err);
    return vs_error_vtab(base, rc, &err);
}

/* ---- life of a cursor ------------------------------------------------------------------------ */

static int vtab_index_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    ((vs_index_table *)(void *)base)->planned.is_there = 0; /* no more of its plans are asked for */
    index_cursor *cursor = sqlite3_malloc64(sizeof *cursor);
    if (cursor == NULL) {
        return SQLITE_NOMEM;
    }
    memset(cursor, 0, sizeof *cursor);
    *out = &cursor->base;
    return SQLITE_OK;
}

/* The search's memory and statements serve the next cursor. */
static void index_give_back(index_cursor *cursor)
{
    vs_index_table *table = index_table(cursor);
    if (cursor->nearest != NULL) {
        vs_nearest_free(table->spare);
        table->spare = cursor->nearest;
        table->spare_vector = cursor->vector;
        table->spare_metric = cursor->metric;
        cursor->nearest = NULL;
    }
}

static void index_report(index_cursor *cursor)
{
    vs_index_table *table = index_table(cursor);
    vs_conn *conn = table->store.conn;
    if (cursor->counters.calls == 0 || !conn->settings.stats) {
        return;
    }
    const vs_vector_spec *spec = &table->store.declaration.vectors[cursor->vector];
    char target[2 * VS_NAME_BYTES_MAX + 2];
    sqlite3_snprintf((int)sizeof target, target, "%s.%s", table->store.label,
                     table->store.declaration.columns[spec->column].name);
    cursor->counters.rows_scanned += cursor->cascade.scanned;
    cursor->counters.rows_passed_p += cursor->cascade.passed_p;
    cursor->counters.rows_passed_b += cursor->cascade.passed_b;
    cursor->counters.rows_passed_c += cursor->cascade.passed_c;
    vs_metrics_add(&conn->metrics, target, "match", vs_declare_is_coded(spec) ? "codes" : "vectors",
                   &cursor->counters);
}

static void index_rows_reset(index_rows *rows)
{
    if (rows->stmt != NULL) {
        (void)sqlite3_reset(rows->stmt);
        (void)sqlite3_clear_bindings(rows->stmt);
    }
}

static void index_rows_free(index_rows *rows)
{
    (void)sqlite3_finalize(rows->stmt);
    sqlite3_free(rows->sql);
    memset(rows, 0, sizeof *rows);
}

/* Ends what the cursor was doing; it can start again. The statements stay, for a join starts again
 * with each row of the other table. */
static void index_reset(index_cursor *cursor)
{
    index_report(cursor);
    memset(&cursor->counters, 0, sizeof cursor->counters);
    memset(&cursor->cascade, 0, sizeof cursor->cascade);
    index_rows_reset(&cursor->scan);
    index_rows_reset(&cursor->row);
    cursor->has_row = 0;
    vs_conditions_clear(&cursor->conditions);
    for (int i = 0; i < 3; i++) {
        sqlite3_value_free(cursor->arguments[i]);
        cursor->arguments[i] = NULL;
    }
    memset(cursor->group, 0, sizeof cursor->group);
    cursor->hit_count = cursor->hit_at = 0;
    cursor->mode = INDEX_EMPTY;
    cursor->is_end = 1;
}

static int vtab_index_close(sqlite3_vtab_cursor *base)
{
    index_cursor *cursor = (index_cursor *)(void *)base;
    index_reset(cursor);
    index_give_back(cursor);
    index_rows_free(&cursor->scan);
    index_rows_free(&cursor->row);
    for (int i = 0; i < VS_VECTORS_MAX; i++) {
        vs_scratch_free(&cursor->group_memory[i]);
    }
    vs_scratch_free(&cursor->vector_memory);
    sqlite3_free(cursor->hits);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

/* ---- the row table --------------------------------------------------------------------------- */

static int index_is_stored(const vs_store *store, int column)
{
    vs_column_kind kind = store->declaration.columns[column].kind;
    return kind != VS_COLUMN_VECTOR && kind != VS_COLUMN_ROWID;
}

/* "id, loc, c0, c2, ...": the stored ones of `columns`, in the order of the declaration. */
static char *index_columns_sql(const vs_store *store, uint64_t columns)
{
    sqlite3_str *text = sqlite3_str_new(store->db);
    sqlite3_str_appendall(text, "id, loc");
    for (int i = 0; i < store->declaration.column_count; i++) {
        if ((columns >> i & 1) && index_is_stored(store, i)) {
            sqlite3_str_appendf(text, ", c%d", i);
        }
    }
    return sqlite3_str_finish(text);
}

/* Number of a declared column among those of index_columns_sql. */
static int index_columns_number(const vs_store *store, uint64_t columns, int column)
{
    int n = 2;
    for (int i = 0; i < column; i++) {
        n += (columns >> i & 1) && index_is_stored(store, i);
    }
    return n;
}

/* Prepares `sql` (taken over; NULL: no memory), unless the statement has just this text. */
static int index_rows_prepare(index_rows *rows, const vs_store *store, char *sql, uint64_t columns,
                              vs_err *err)
{
    if (sql == NULL) {
        return SQLITE_NOMEM;
    }
    if (rows->stmt != NULL && strcmp(rows->sql, sql) == 0) {
        rows->columns = columns; /* which may differ in vectors */
        sqlite3_free(sql);
        return SQLITE_OK;
    }
    index_rows_free(rows);
    int rc = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_NO_VTAB, &rows->stmt, NULL);
    rows->sql = sql;
    rows->columns = columns;
    return rc == SQLITE_OK ? rc : vs_error_db(err, rc, store->db, store->label);
}

static int index_step_scan(index_cursor *cursor, vs_err *err)
{
    vs_store *store = &index_table(cursor)->store;
    int rc = sqlite3_step(cursor->scan.stmt);
    cursor->is_end = rc != SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        cursor->rowid = sqlite3_column_int64(cursor->scan.stmt, 0);
        return SQLITE_OK;
    }
    if (rc == SQLITE_DONE) {
        index_rows_reset(&cursor->scan); /* no statement stays open at the end */
        return SQLITE_OK;
    }
    return vs_store_step_error(store, rc, err);
}

static int index_start_scan(index_cursor *cursor, int is_down, vs_err *err)
{
    vs_store *store = &index_table(cursor)->store;
    int rc = vs_store_load(store, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    char *columns = index_columns_sql(store, cursor->used);
    if (columns == NULL) {
        return SQLITE_NOMEM;
    }
    store->conn->stamp_reads++; /* what it sees is a state that others may see again */
    char *sql = vs_conditions_sql(store, &cursor->conditions, 0, columns,
                                  is_down ? "ORDER BY id DESC" : "ORDER BY id");
    sqlite3_free(columns);
    rc = index_rows_prepare(&cursor->scan, store, sql, cursor->used, err);
    if (rc == SQLITE_OK) {
        rc = vs_conditions_bind(store, &cursor->conditions, 0, cursor->scan.stmt);
    }
    cursor->mode = INDEX_SCANNING;
    return rc == SQLITE_OK ? index_step_scan(cursor, err) : rc;
}

/* Steps to the current row by its id. */
static int index_find_row(index_cursor *cursor, uint64_t columns, vs_err *err)
{
    vs_store *store = &index_table(cursor)->store;
    int rc = SQLITE_OK;
    if (cursor->row.stmt == NULL || (columns & ~cursor->row.columns) != 0) {
        char *names = index_columns_sql(store, columns);
        char *sql = names == NULL
                        ? NULL
                        : sqlite3_mprintf("SELECT %s FROM \"%w\".\"%w_rows\" WHERE id = ?1", names,
                                          store->schema, store->table);
        sqlite3_free(names);
        rc = index_rows_prepare(&cursor->row, store, sql, columns, err);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_reset(cursor->row.stmt);
    (void)sqlite3_bind_int64(cursor->row.stmt, 1, cursor->rowid);
    rc = sqlite3_step(cursor->row.stmt);
    if (rc == SQLITE_DONE) {
        return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: \"%s_rows\" has no row %lld", store->label,
                        store->table, (long long)cursor->rowid);
    }
    if (rc != SQLITE_ROW) {
        return vs_error_db(err, rc, store->db, store->label);
    }
    cursor->has_row = 1;
    return SQLITE_OK;
}

/* A statement that stands on the current row and has this declared column (-1: id and loc alone).
 * Columns that SQLite did not announce are found all the same. */
static int index_row_with(index_cursor *cursor, int column, const index_rows **out, vs_err *err)
{
    uint64_t bit = column < 0 ? 0 : (uint64_t)1 << column;
    *out = &cursor->scan;
    if (cursor->mode == INDEX_SCANNING && (cursor->scan.columns & bit) == bit) {
        return SQLITE_OK;
    }
    *out = &cursor->row;
    if (cursor->has_row && (cursor->row.columns & bit) == bit) {
        return SQLITE_OK;
    }
    return index_find_row(cursor, cursor->used | cursor->row.columns | bit, err);
}

/* Forgets where the row statement stands: the cursor moves. */
static void index_leave_row(index_cursor *cursor)
{
    if (cursor->has_row) {
        (void)sqlite3_reset(cursor->row.stmt);
        cursor->has_row = 0;
    }
}

/* ---- searching ------------------------------------------------------------------------------- */

static int index_fetch(index_cursor *cursor, vs_err *err)
{
    size_t capacity = cursor->batch;
    cursor->hit_at = cursor->hit_count = 0;
    cursor->generation = index_table(cursor)->generation;
    if (cursor->wanted < (int64_t)capacity) {
        capacity = (size_t)cursor->wanted;
    }
    if (capacity > cursor->hit_capacity) {
        vsk_hit *hits = sqlite3_realloc64(cursor->hits, capacity * sizeof *hits);
        if (hits == NULL) {
            return SQLITE_NOMEM;
        }
        cursor->hits = hits;
        cursor->hit_capacity = capacity;
    }
    int rc = vs_nearest_run(cursor->nearest, &cursor->filter, &cursor->conditions, cursor->hits,
                            capacity, &cursor->hit_count, &cursor->counters, &cursor->cascade, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
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
    cursor->batch = cursor->batch < INDEX_BATCH_MAX / INDEX_BATCH_GROWTH
                        ? cursor->batch * INDEX_BATCH_GROWTH
                        : INDEX_BATCH_MAX;
    return SQLITE_OK;
}

/* Passes over hits whose rows were deleted since they were found. */
static int index_skip_gone(index_cursor *cursor, vs_err *err)
{
    vs_index_table *table = index_table(cursor);
    int64_t loc = 0;
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && cursor->generation != table->generation &&
           cursor->hit_at < cursor->hit_count) {
        rc = vs_store_loc(&table->store, cursor->hits[cursor->hit_at].id, &loc, err);
        if (rc == SQLITE_OK && loc != 0) {
            break;
        }
        cursor->hit_at++;
    }
    return rc;
}

/* Moves to the next hit, fetching another batch of a stream when there is none. */
static int index_step_search(index_cursor *cursor, vs_err *err)
{
    index_leave_row(cursor);
    int rc = index_skip_gone(cursor, err);
    if (rc == SQLITE_OK && cursor->hit_at == cursor->hit_count && cursor->wanted > 0) {
        rc = index_fetch(cursor, err);
    }
    cursor->is_end = rc != SQLITE_OK || cursor->hit_at == cursor->hit_count;
    if (!cursor->is_end) {
        cursor->rowid = cursor->hits[cursor->hit_at].id;
    }
    return rc;
}

/* Metric and device that the options ask for; what has no meaning here is an error. */
static int index_read_options(index_cursor *cursor, sqlite3_value *value, vs_err *err)
{
    vs_store *store = &index_table(cursor)->store;
    const vs_vector_spec *spec = &store->declaration.vectors[cursor->vector];
    const char *text = NULL;
    vs_options options;
    cursor->metric = spec->metric;
    cursor->device = VS_DEVICE_AUTO;
    int rc = vs_args_optional_text(store->label, "options", value, &text, err);
    if (rc != SQLITE_OK || text == NULL) {
        return rc;
    }
    rc = vs_options_parse(store->db, store->label, text, &options, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (options.index != NULL || options.has_norm_band) {
        rc = vs_error(err, SQLITE_ERROR, "%s: option \"%s\" is for vec_search", store->label,
                      options.index != NULL ? "index" : "norm_band");
    } else if (options.has_type && options.type != spec->type) {
        rc = vs_error(err, SQLITE_ERROR, "%s: option \"type\" is %s, and the column holds %s",
                      store->label, vsk_type_name(options.type), vsk_type_name(spec->type));
    } else if (options.has_metric && !vs_metric_takes(options.metric, spec->type)) {
        rc = vs_error(err, SQLITE_ERROR, "%s: metric %s does not apply to %s", store->label,
                      vs_metric_name(options.metric), vsk_type_name(spec->type));
    } else if (options.has_metric) {
        cursor->metric = options.metric;
    }
    cursor->device = options.device;
    vs_options_free(&options);
    return rc;
}

static int index_set_query(index_cursor *cursor, sqlite3_value *value, vs_err *err)
{
    vs_index_table *table = index_table(cursor);
    vs_store *store = &table->store;
    const vs_vector_spec *spec = &store->declaration.vectors[cursor->vector];
    const void *data = NULL;
    int rc = SQLITE_OK;
    if (table->spare != NULL && table->spare_vector == cursor->vector &&
        table->spare_metric == cursor->metric) {
        cursor->nearest = table->spare;
        table->spare = NULL;
    } else {
        rc = vs_nearest_new(store, cursor->vector, cursor->metric, &cursor->nearest);
    }
    char *place = sqlite3_mprintf("%s.%s: query", store->label,
                                  store->declaration.columns[spec->column].name);
    if (place == NULL) {
        return SQLITE_NOMEM;
    }
    if (rc == SQLITE_OK) {
        rc = vs_column_read(spec, place, value, spec->type, table->memory[cursor->vector], &data,
                            err);
    }
    if (rc == SQLITE_OK) {
        vs_vec vec = {data, spec->dim, spec->type};
        vs_nearest_set_device(cursor->nearest, cursor->device);
        rc = vs_nearest_set_query(cursor->nearest, &vec, err);
    }
    sqlite3_free(place);
    return rc;
}

/*
 * A condition on the distance. *out_is_empty: it holds for no row. The column has numeric affinity
 * (of a type HIDDEN), so text that is a number is one. Other text is more than every number, which
 * SQLite finds with what comes.
 */
static void index_limit_distance(vs_filter *filter, int op, sqlite3_value *value, int *out_is_empty)
{
    int type = sqlite3_value_numeric_type(value);
    double bound = sqlite3_value_double(value);
    *out_is_empty |= type == SQLITE_NULL;
    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) {
        return;
    }
    if (type == SQLITE_INTEGER && fabs(bound) > 9007199254740992.0) {
        return; /* the nearest double is another number */
    }
    double below = nextafter(bound, -INFINITY), above = nextafter(bound, INFINITY);
    if (op == SQLITE_INDEX_CONSTRAINT_LT || op == SQLITE_INDEX_CONSTRAINT_LE ||
        op == SQLITE_INDEX_CONSTRAINT_EQ) {
        filter->distance_hi =
            fmin(filter->distance_hi, op == SQLITE_INDEX_CONSTRAINT_LT ? below : bound);
    }
    if (op == SQLITE_INDEX_CONSTRAINT_GT || op == SQLITE_INDEX_CONSTRAINT_GE ||
        op == SQLITE_INDEX_CONSTRAINT_EQ) {
        filter->distance_lo =
            fmax(filter->distance_lo, op == SQLITE_INDEX_CONSTRAINT_GT ? above : bound);
    }
}

/* What the arguments of xFilter say. */
typedef struct index_request {
    sqlite3_value *query, *k, *options;
    int64_t limit, offset; /* -1: not given */
    int is_empty;
} index_request;

static int index_read_args(index_cursor *cursor, const char *words, sqlite3_value **argv,
                           index_request *out)
{
    vs_index_arg args[VS_INDEX_ARGS_MAX];
    int count = 0;
    memset(out, 0, sizeof *out);
    out->limit = out->offset = -1;
    vs_filter_init(&cursor->filter);
    int rc = vs_index_plan_parse(words, &cursor->used, args, &count);
    for (int i = 0; i < count && rc == SQLITE_OK; i++) {
        switch (args[i].what) {
        case 'm':
            out->query = argv[i];
            cursor->vector = args[i].number;
            break;
        case 'k':
            out->k = argv[i];
            break;
        case 'o':
            out->options = argv[i];
            break;
        case 'L':
            out->limit = sqlite3_value_int64(argv[i]);
            break;
        case 'O':
            out->offset = sqlite3_value_int64(argv[i]);
            break;
        case 'd':
            index_limit_distance(&cursor->filter, args[i].op, argv[i], &out->is_empty);
            break;
        default:
            rc = vs_conditions_add(&cursor->conditions, args[i].number, args[i].op,
                                   args[i].collation, argv[i], args[i].is_in);
            cursor->conditions.items[cursor->conditions.count - 1].or_blob = args[i].or_blob;
            cursor->conditions.items[cursor->conditions.count - 1].or_affinity =
                args[i].or_affinity;
            break;
        }
    }
    return rc;
}

static int index_keep_arguments(index_cursor *cursor, const index_request *request)
{
    sqlite3_value *const given[] = {request->query, request->k, request->options};
    for (int i = 0; i < 3; i++) {
        cursor->arguments[i] = given[i] == NULL ? NULL : sqlite3_value_dup(given[i]);
        if (given[i] != NULL && cursor->arguments[i] == NULL) {
            return SQLITE_NOMEM;
        }
    }
    return SQLITE_OK;
}

/* How many rows are fetched first. All of them: with k, and in a statement that writes. */
static int index_choose_batch(index_cursor *cursor, const index_request *request, vs_err *err)
{
    vs_store *store = &index_table(cursor)->store;
    int64_t rows = 0;
    int rc = SQLITE_OK;
    cursor->batch = INDEX_BATCH_FIRST;
    if (cursor->wanted != INT64_MAX || vs_args_is_writing(store->db)) {
        if (cursor->wanted > INDEX_COUNT_ABOVE) {
            rc = vs_store_count(store, &rows, err);
            rows = rows < 1 ? 1 : rows;
            cursor->wanted = cursor->wanted < rows ? cursor->wanted : rows;
        }
        cursor->batch = (size_t)cursor->wanted;
    } else if (request->limit > 0 && request->limit < INDEX_BATCH_MAX) {
        int64_t offset = request->offset < 0 ? 0 : request->offset;
        cursor->batch = offset < INDEX_BATCH_MAX - request->limit
                            ? (size_t)(request->limit + offset)
                            : INDEX_BATCH_MAX;
    }
    return rc;
}

static int index_start_search(index_cursor *cursor, const index_request *request, vs_err *err)
{
    vs_store *store = &index_table(cursor)->store;
    cursor->mode = INDEX_SEARCHING;
    cursor->counters.calls = 1;
    int rc = vs_args_k(store->label, request->k, &cursor->wanted, err);
    if (rc == SQLITE_OK) {
        rc = index_keep_arguments(cursor, request);
    }
    if (rc == SQLITE_OK) {
        rc = index_read_options(cursor, request->options, err);
    }
    if (rc != SQLITE_OK || sqlite3_value_type(request->query) == SQLITE_NULL || request->is_empty) {
        return rc; /* no query, no rows */
    }
    rc = vs_store_load(store, err);
    if (rc == SQLITE_OK) {
        rc = index_set_query(cursor, request->query, err);
    }
    if (rc != SQLITE_OK || cursor->wanted == 0) {
        return rc;
    }
    rc = index_choose_batch(cursor, request, err);
    return rc == SQLITE_OK ? index_step_search(cursor, err) : rc;
}

static int index_no_query(const index_cursor *cursor, vs_err *err)
{
    const vs_store *store = &index_table(cursor)->store;
    const vs_declaration *declaration = &store->declaration;
    return vs_error(err, SQLITE_ERROR, "%s: k and options need a query: %s MATCH ...", store->label,
                    declaration->columns[declaration->vectors[0].column].name);
}

static int vtab_index_filter(sqlite3_vtab_cursor *base, int plan, const char *words, int argc,
                             sqlite3_value **argv)
{
    index_cursor *cursor = (index_cursor *)(void *)base;
    vs_err err = VS_ERR_INIT;
    index_request request;
    (void)argc;
    index_reset(cursor);
    index_give_back(cursor);
    if (plan == VS_ARGS_INCOMPLETE) {
        return vs_error_vtab(base->pVtab, index_no_query(cursor, &err), &err);
    }
    if (plan == VS_ARGS_K_COMPARED) {
        const char *label = index_table(cursor)->store.label;
        return vs_error_vtab(base->pVtab, vs_args_k_is_compared(label, &err), &err);
    }
    int rc = index_read_args(cursor, words, argv, &request);
    if (rc == SQLITE_OK && plan == VS_INDEX_SEARCH) {
        rc = index_start_search(cursor, &request, &err);
    } else if (rc == SQLITE_OK) {
        rc = index_start_scan(cursor, plan == VS_INDEX_SCAN_DOWN, &err);
    }
    return vs_error_vtab(base->pVtab, rc, &err);
}

static int vtab_index_next(sqlite3_vtab_cursor *base)
{
    index_cursor *cursor = (index_cursor *)(void *)base;
    vs_err err = VS_ERR_INIT;
    int rc;
    if (cursor->mode == INDEX_SEARCHING) {
        cursor->hit_at++;
        rc = index_step_search(cursor, &err);
    } else {
        index_leave_row(cursor);
        rc = index_step_scan(cursor, &err);
    }
    return vs_error_vtab(base->pVtab, rc, &err);
}

static int vtab_index_eof(sqlite3_vtab_cursor *base)
{
    return ((index_cursor *)(void *)base)->is_end;
}

static int vtab_index_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = ((index_cursor *)(void *)base)->rowid;
    return SQLITE_OK;
}

/* ---- columns --------------------------------------------------------------------------------- */

static int index_read_group(index_cursor *cursor, int vector, int64_t loc, const uint8_t **out,
                            vs_err *err)
{
    vs_store *store = &index_table(cursor)->store;
    int64_t group = vs_store_group(store, vector, loc);
    if (cursor->group_generation != index_table(cursor)->generation) {
        memset(cursor->group, 0, sizeof cursor->group); /* they may have changed */
        cursor->group_generation = index_table(cursor)->generation;
    }
    uint8_t *memory =
        vs_scratch_get(&cursor->group_memory[vector], vs_store_group_bytes(store, vector));
    int rc = memory == NULL ? SQLITE_NOMEM : SQLITE_OK;
    if (rc == SQLITE_OK && cursor->group[vector] != group) {
        cursor->group[vector] = 0;
        rc = vs_store_read_group(store, vector, loc, memory, err);
        cursor->group[vector] = rc == SQLITE_OK ? group : 0;
    }
    *out = memory;
    return rc;
}

/* The current row's vector in the declared type: NULL for SQL NULL. */
static int index_read_vector(index_cursor *cursor, int vector, const void **out, vs_err *err)
{
    vs_store *store = &index_table(cursor)->store;
    const vs_vector_spec *spec = &store->declaration.vectors[vector];
    const index_rows *row = NULL;
    const uint8_t *group = NULL;
    int is_null = 0, is_missing = 0;
    *out = NULL;
    int rc = vs_store_load(store, err);
    if (rc == SQLITE_OK) {
        rc = index_row_with(cursor, -1, &row, err);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    int64_t loc = sqlite3_column_int64(row->stmt, 1);
    size_t bytes = vsk_bytes(spec->type, spec->dim);
    uint8_t *memory = vs_scratch_get(&cursor->vector_memory, 2 * bytes);
    if (memory == NULL) {
        return SQLITE_NOMEM;
    }
    if (!vs_store_has_vectors(store, vector)) {
        rc = vs_store_vector(store, vector, loc, cursor->rowid, memory + bytes, &is_null,
                             &is_missing, err);
        *out = rc != SQLITE_OK || is_null || is_missing ? NULL : memory + bytes;
    } else if (loc < (int64_t)store->geometry.slots) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: row %lld has no usable place", store->label,
                      (long long)cursor->rowid);
    } else {
        rc = index_read_group(cursor, vector, loc, &group, err);
        if (rc == SQLITE_OK) {
            rc = vs_store_group_vector(store, vector, loc, cursor->rowid, group, out, err);
        }
    }
    if (rc == SQLITE_OK && *out != NULL && spec->stored != spec->type) {
        vs_view_widen(spec, *out, memory);
        *out = memory;
    }
    return rc;
}

static int index_result_vector(index_cursor *cursor, sqlite3_context *ctx, int vector, vs_err *err)
{
    const vs_vector_spec *spec = &index_table(cursor)->store.declaration.vectors[vector];
    const void *data = NULL;
    int rc = index_read_vector(cursor, vector, &data, err);
    if (rc == SQLITE_OK && data != NULL) {
        sqlite3_result_blob64(ctx, data, vsk_bytes(spec->type, spec->dim), SQLITE_TRANSIENT);
        sqlite3_result_subtype(ctx, (unsigned)vs_value_subtype_of(spec->type));
    }
    return rc;
}

static int index_result_stored(index_cursor *cursor, sqlite3_context *ctx, int column, vs_err *err)
{
    vs_store *store = &index_table(cursor)->store;
    const index_rows *row = NULL;
    int rc = index_row_with(cursor, column, &row, err);
    if (rc == SQLITE_OK) {
        int n = index_columns_number(store, row->columns, column);
        rc = vs_store_text_result(store, column, cursor->rowid, sqlite3_column_value(row->stmt, n),
                                  ctx, err);
    }
    return rc;
}

static int vtab_index_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int column)
{
    index_cursor *cursor = (index_cursor *)(void *)base;
    const vs_declaration *declaration = &index_table(cursor)->store.declaration;
    int hidden = column - declaration->column_count;
    vs_err err = VS_ERR_INIT;
    int rc = SQLITE_OK;
    if (sqlite3_vtab_nochange(ctx)) {
        return SQLITE_OK; /* an UPDATE that leaves this column as it is */
    }
    if (hidden < 0) {
        switch (declaration->columns[column].kind) {
        case VS_COLUMN_VECTOR:
            rc = index_result_vector(cursor, ctx, declaration->columns[column].vector, &err);
            break;
        case VS_COLUMN_ROWID:
            sqlite3_result_int64(ctx, cursor->rowid);
            break;
        default:
            rc = index_result_stored(cursor, ctx, column, &err);
            break;
        }
    } else if (cursor->mode == INDEX_SEARCHING && hidden == VS_HIDDEN_DISTANCE) {
        sqlite3_result_double(ctx, cursor->hits[cursor->hit_at].distance);
    } else if (cursor->mode == INDEX_SEARCHING && hidden == VS_HIDDEN_DEVICE) {
        sqlite3_result_text(ctx, vs_func_gpu_device(&cursor->counters), -1, SQLITE_STATIC);
    } else if (cursor->mode == INDEX_SEARCHING && hidden <= VS_HIDDEN_OPTIONS &&
               cursor->arguments[hidden] != NULL) {
        sqlite3_result_value(ctx, cursor->arguments[hidden]);
    }
    return vs_error_vtab(base->pVtab, rc, &err);
}

/* ---- the module ------------------------------------------------------------------------------ */

static int vtab_index_shadow_name(const char *suffix)
{
    return vs_store_is_shadow(suffix);
}

/* PRAGMA integrity_check (SQLite 3.44 and newer). */
static int vtab_index_integrity(sqlite3_vtab *base, const char *schema, const char *name, int flags,
                                char **out_report)
{
    vs_err err = VS_ERR_INIT;
    (void)schema;
    (void)name;
    *out_report = NULL;
    int rc = vs_maint_check(&((vs_index_table *)(void *)base)->store, flags & 1, out_report, &err);
    if (rc != SQLITE_OK && rc != SQLITE_NOMEM && rc != SQLITE_INTERRUPT && *out_report == NULL) {
        /* Another code would end the whole PRAGMA: what cannot be read is a finding. */
        *out_report = sqlite3_mprintf("%s", err.message != NULL ? err.message : sqlite3_errstr(rc));
        rc = *out_report == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    vs_error_clear(&err);
    return rc;
}

static const vs_api_module vtab_index_module = {
    .base = {.iVersion = 4,
             .xCreate = vtab_index_create,
             .xConnect = vtab_index_connect,
             .xBestIndex = vtab_index_best_index,
             .xDisconnect = vtab_index_disconnect,
             .xDestroy = vtab_index_destroy,
             .xOpen = vtab_index_open,
             .xClose = vtab_index_close,
             .xFilter = vtab_index_filter,
             .xNext = vtab_index_next,
             .xEof = vtab_index_eof,
             .xColumn = vtab_index_column,
             .xRowid = vtab_index_rowid,
             .xUpdate = vs_vtab_write_update,
             .xBegin = vs_vtab_write_begin,
             .xSync = vs_vtab_write_sync,
             .xCommit = vs_vtab_write_commit,
             .xRollback = vs_vtab_write_rollback,
             .xRename = vs_vtab_write_rename,
             .xSavepoint = vs_vtab_write_savepoint,
             .xRelease = vs_vtab_write_savepoint,
             .xRollbackTo = vs_vtab_write_savepoint,
             .xShadowName = vtab_index_shadow_name},
    VS_API_INTEGRITY = vtab_index_integrity,
};

int vs_vtab_index_register(vs_conn *conn)
{
    int rc = sqlite3_create_module_v2(conn->db, "vecshard", &vtab_index_module.base,
                                      vs_conn_ref(conn), vs_conn_unref);
    return rc == SQLITE_OK ? vs_conditions_register(conn) : rc;
}
