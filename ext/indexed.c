/*
 * indexed.c - a vecshard table as the way of a search that names a table.
 *
 * Calls: store.c, content.c, nearest.c, target.c, distance.c.
 * Called by: plan.c (finding), search.c, batch.c (running).
 * Threads: the connection's.
 */
#include "indexed.h"

#include "content.h"
#include "distance.h"

static int indexed_find_column(const vs_declaration *declaration, const char *column)
{
    for (int i = 0; i < declaration->vector_count; i++) {
        const char *name = declaration->columns[declaration->vectors[i].column].name;
        if (sqlite3_stricmp(name, column) == 0) {
            return i;
        }
    }
    return -1;
}

static int indexed_open(vs_conn *conn, const char *schema, const char *table, vs_indexed **out,
                        vs_err *err)
{
    vs_indexed *indexed = sqlite3_malloc64(sizeof *indexed);
    if (indexed == NULL) {
        return SQLITE_NOMEM;
    }
    memset(indexed, 0, sizeof *indexed);
    int rc = vs_store_open(&indexed->store, conn, schema, table, err);
    if (rc != SQLITE_OK) {
        sqlite3_free(indexed);
        return rc;
    }
    *out = indexed;
    return SQLITE_OK;
}

int vs_indexed_explain(const char *who, const char *table, int rc, vs_err *inner, vs_err *err)
{
    if (rc == SQLITE_ERROR) {
        rc = vs_error(err, SQLITE_ERROR,
                      "%s: %s is a virtual table; an ordinary table or one made with vecshard is "
                      "needed",
                      who, table);
    } else if (rc != SQLITE_OK) {
        rc = vs_error(err, rc, "%s", inner->message == NULL ? sqlite3_errstr(rc) : inner->message);
    }
    vs_error_clear(inner);
    return rc;
}

/* The target is a virtual table: it must be one of ours. */
static int indexed_find_own(vs_conn *conn, const char *who, const vs_target *target,
                            vs_indexed **out, vs_err *err)
{
    vs_err inner = VS_ERR_INIT;
    int rc = indexed_open(conn, target->schema, target->table, out, &inner);
    rc = vs_indexed_explain(who, target->table, rc, &inner, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (*out)->vector = indexed_find_column(&(*out)->store.declaration, target->column);
    if ((*out)->vector < 0) {
        rc = vs_error(err, SQLITE_ERROR, "%s: table %s has no vector column %s", who, target->table,
                      target->column);
        vs_indexed_free(*out);
        *out = NULL;
    }
    return rc;
}

/* ---- an index over an ordinary table --------------------------------------------------------- */

#define INDEXED_RANK_NONE 4 /* does not serve the search */

/* How well an index suits options that name none: 0 best. */
static int indexed_rank(const vs_indexed *indexed, const vs_options *options)
{
    const vs_vector_spec *spec = vs_indexed_spec(indexed);
    vs_metric metric = options->has_metric     ? options->metric
                       : spec->type == VSK_BIT ? VS_HAMMING
                                               : VS_L2;
    if ((options->has_type && options->type != spec->type) ||
        (options->has_metric && !vs_indexed_serves(indexed, metric))) {
        return INDEXED_RANK_NONE;
    }
    int is_other_type = !options->has_type && spec->type != VSK_F32;
    return 2 * is_other_type + (spec->metric != metric);
}

/* The index that the options name serves the search, or the error says why it does not. */
static int indexed_check_named(const vs_indexed *indexed, const char *who, const vs_target *target,
                               const vs_options *options, vs_err *err)
{
    const char *name = indexed->store.table;
    if (indexed->vector < 0) {
        return vs_error(err, SQLITE_ERROR, "%s: index %s of table %s has no vector column %s", who,
                        name, target->table, target->column);
    }
    const vs_vector_spec *spec = vs_indexed_spec(indexed);
    if (options->has_norm_band) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: index %s is a vecshard index, which has no searches by norm_band", who,
                        name);
    }
    if (options->has_type && options->type != spec->type) {
        return vs_error(err, SQLITE_ERROR, "%s: the type of index %s is %s, not %s", who, name,
                        vsk_type_name(spec->type), vsk_type_name(options->type));
    }
    if (options->has_metric && !vs_indexed_serves(indexed, options->metric)) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: the metric of index %s is %s, and the search asks for %s", who, name,
                        vs_metric_name(spec->metric), vs_metric_name(options->metric));
    }
    return SQLITE_OK;
}

/* Opens the index that a trigger of the table tells of: NULL when there is none of that name. Its
 * vector is -1 where the column is not among its own. */
static int indexed_open_content(vs_conn *conn, const vs_target *target, const char *name,
                                vs_indexed **out, vs_err *err)
{
    vs_err inner = VS_ERR_INIT;
    *out = NULL;
    int rc = name == NULL ? SQLITE_NOMEM : indexed_open(conn, target->schema, name, out, &inner);
    if (rc == SQLITE_ERROR) { /* a trigger of that name, and no such index */
        rc = SQLITE_OK;
    } else if (rc != SQLITE_OK) {
        vs_error(err, rc, "%s", inner.message == NULL ? sqlite3_errstr(rc) : inner.message);
    }
    vs_error_clear(&inner);
    if (*out != NULL && (*out)->store.declaration.content == NULL) {
        vs_indexed_free(*out);
        *out = NULL;
    } else if (*out != NULL) {
        (*out)->vector = indexed_find_column(&(*out)->store.declaration, target->column);
    }
    return rc;
}

/*
 * Sets is_rounded. A float16 or bfloat16 column over float32 BLOBs or over text is found out by the
 * first vector of the table: where a search of the table without the index succeeds, all of them are
 * like it. Text is of the type that the options give, without one float32.
 */
static int indexed_check_rounding(vs_indexed *indexed, const char *who, const vs_target *target,
                                  const vs_options *options, vs_err *err)
{
    const vs_vector_spec *spec = vs_indexed_spec(indexed);
    sqlite3_stmt *stmt = NULL;
    indexed->is_rounded = spec->stored != spec->type;
    if (indexed->is_rounded || (spec->type != VSK_F16 && spec->type != VSK_BF16)) {
        return SQLITE_OK;
    }
    int rc = vs_target_prepare(target, who,
                               sqlite3_mprintf("SELECT typeof(v) = 'text', length(v) FROM (SELECT "
                                               "\"%w\" AS v FROM %s NOT INDEXED) WHERE typeof(v) "
                                               "IN ('blob', 'text') LIMIT 1",
                                               target->column, target->table_sql),
                               &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        size_t bytes = (size_t)sqlite3_column_int64(stmt, 1);
        indexed->is_rounded = sqlite3_column_int(stmt, 0)
                                  ? !options->has_type
                                  : bytes != vsk_bytes(spec->type, spec->dim);
    }
    rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : vs_error_db(err, rc, target->db, who);
    sqlite3_finalize(stmt);
    return rc;
}

/* A search that looks for its index, and the best one so far. */
typedef struct indexed_choice {
    const char *who;
    const vs_target *target;
    const vs_options *options;
    vs_indexed *best; /* owned; NULL: none yet */
    int rank;         /* of best */
} indexed_choice;

/* Takes the index of this name where it is the one that the options name, or suits them better; one
 * that has rounded the table's vectors only where it is named. */
static int indexed_consider(indexed_choice *choice, vs_conn *conn, const char *name, vs_err *err)
{
    vs_indexed *indexed = NULL;
    int rank = INDEXED_RANK_NONE;
    int rc = indexed_open_content(conn, choice->target, name, &indexed, err);
    if (rc == SQLITE_OK && indexed != NULL && choice->options->index != NULL) {
        rc = indexed_check_named(indexed, choice->who, choice->target, choice->options, err);
        rank = 0;
    } else if (rc == SQLITE_OK && indexed != NULL && indexed->vector >= 0) {
        rank = indexed_rank(indexed, choice->options);
    }
    if (rc == SQLITE_OK && rank < choice->rank) {
        rc = indexed_check_rounding(indexed, choice->who, choice->target, choice->options, err);
        rank = indexed->is_rounded && choice->options->index == NULL ? INDEXED_RANK_NONE : rank;
    }
    if (rc == SQLITE_OK && rank < choice->rank) {
        vs_indexed *worse = choice->best;
        choice->best = indexed;
        choice->rank = rank;
        indexed = worse;
    }
    vs_indexed_free(indexed);
    return rc;
}

/* The target is an ordinary table. */
static int indexed_find_content(vs_conn *conn, const char *who, const vs_target *target,
                                const vs_options *options, vs_indexed **out, vs_err *err)
{
    indexed_choice choice = {who, target, options, NULL, INDEXED_RANK_NONE};
    sqlite3_stmt *stmt = NULL;
    int rc = vs_content_indexes(conn, target->schema, target->table, options->index, &stmt, err);
    while (rc == SQLITE_OK && choice.rank > 0) {
        rc = sqlite3_step(stmt);
        if (rc != SQLITE_ROW) {
            rc = rc == SQLITE_DONE ? SQLITE_OK : vs_error_db(err, rc, conn->db, target->table);
            break;
        }
        rc = indexed_consider(&choice, conn, (const char *)sqlite3_column_text(stmt, 0), err);
    }
    sqlite3_finalize(stmt);
    if (rc != SQLITE_OK) {
        vs_indexed_free(choice.best);
        return rc;
    }
    *out = choice.best;
    return SQLITE_OK;
}

/* ---- finding and running --------------------------------------------------------------------- */

int vs_indexed_find(vs_conn *conn, const char *who, const vs_target *target,
                    const vs_options *options, vs_indexed **out, vs_err *err)
{
    *out = NULL;
    if (target->is_virtual) {
        return indexed_find_own(conn, who, target, out, err);
    }
    if (options->has_norm_band && options->index == NULL) {
        return SQLITE_OK; /* a vecshard index has no norm bands */
    }
    return indexed_find_content(conn, who, target, options, out, err);
}

void vs_indexed_free(vs_indexed *indexed)
{
    if (indexed != NULL) {
        vs_nearest_free(indexed->nearest);
        vs_store_close(&indexed->store);
        sqlite3_free(indexed);
    }
}

const vs_vector_spec *vs_indexed_spec(const vs_indexed *indexed)
{
    return &indexed->store.declaration.vectors[indexed->vector];
}

int vs_indexed_serves(const vs_indexed *indexed, vs_metric metric)
{
    const vs_vector_spec *spec = vs_indexed_spec(indexed);
    if (!vs_declare_is_coded(spec)) {
        return vs_metric_takes(metric, spec->type);
    }
    int is_cosine = spec->metric == VS_COSINE;
    return is_cosine ? metric == VS_COSINE
                     : metric == VS_L2 || metric == VS_L2SQ || metric == VS_DOT;
}

int vs_indexed_run(vs_indexed *indexed, const vs_options *options, const void *queries,
                   size_t count, const vs_filter *filter, size_t k, vsk_hit *hits, size_t *counts,
                   vs_counters *counters, vs_err *err)
{
    vs_cascade cascade;
    vs_metric metric = options->metric;
    int rc = SQLITE_OK;
    memset(&cascade, 0, sizeof cascade);
    if (indexed->nearest == NULL || indexed->metric != metric) {
        vs_nearest_free(indexed->nearest);
        indexed->nearest = NULL;
        indexed->metric = metric;
        rc = vs_nearest_new(&indexed->store, indexed->vector, metric, &indexed->nearest);
    }
    if (rc == SQLITE_OK) {
        vs_nearest_set_device(indexed->nearest, options->device);
        rc = vs_nearest_batch(indexed->nearest, queries, count, filter, NULL, k, hits, counts,
                              counters, &cascade, err);
    }
    counters->rows_scanned += cascade.scanned;
    counters->rows_passed_p += cascade.passed_p;
    counters->rows_passed_b += cascade.passed_b;
    counters->rows_passed_c += cascade.passed_c;
    return rc;
}
