/*
 * indexed.c - a vecshard table as the way of a search that names a table.
 *
 * Calls: store.c, content.c, nearest.c.
 * Called by: plan.c (finding), search.c, batch.c (running).
 * Threads: the connection's.
 */
#include "indexed.h"

#include "content.h"

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

int vs_indexed_find(vs_conn *conn, const char *who, const vs_target *target, vs_indexed **out,
                    vs_err *err)
{
    char *name = NULL;
    int vector = 0;
    *out = NULL;
    if (target->is_virtual) {
        return indexed_find_own(conn, who, target, out, err);
    }
    int rc =
        vs_content_find(conn, target->schema, target->table, target->column, &name, &vector, err);
    if (rc == SQLITE_OK && name != NULL) {
        rc = indexed_open(conn, target->schema, name, out, err);
        if (rc == SQLITE_OK && vector < (*out)->store.declaration.vector_count) {
            (*out)->vector = vector;
        }
    }
    sqlite3_free(name);
    return rc;
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
