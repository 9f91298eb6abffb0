/*
 * func_search.c - scalar functions that look into a table: vec_norm_selectivity.
 *
 * Not deterministic: the answer follows the table.
 *
 * Calls: options.c, target.c, plan.c, norm_profile.c, search.c, value.c.
 * Called by: vtab_search.c (registration).
 * Threads: the connection's.
 */
#include "func_search.h"

#include <math.h>

#include "search.h"

static const char selectivity_who[] = "vec_norm_selectivity";

/* A plan that only names table, column and type, as the readers of queries want it. */
static int selectivity_find(vs_conn *conn, sqlite3_value **argv, vs_plan *plan, vs_err *err)
{
    const char *table = (const char *)sqlite3_value_text(argv[0]);
    const char *column = (const char *)sqlite3_value_text(argv[1]);
    int subtype = vs_value_subtype(argv[2]);
    if (table == NULL || column == NULL) {
        return SQLITE_NOMEM;
    }
    vs_options_default(&plan->options);
    plan->options.type = subtype < 0 ? VSK_F32 : (vsk_type)subtype;
    if (plan->options.type == VSK_BIT) {
        return vs_error(err, SQLITE_ERROR, "%s: bit vectors have no norm", selectivity_who);
    }
    int rc = vs_target_find(conn->db, selectivity_who, table, column, plan->options.type,
                            &plan->target, err);
    if (rc == SQLITE_OK && plan->target.is_virtual) {
        rc = vs_error(err, SQLITE_ERROR, "%s: %s is a virtual table; an ordinary table is needed",
                      selectivity_who, table);
    }
    return rc;
}

/* vec_norm_selectivity(tbl, col, q, w): share of the rows whose norm lies within (1 - w)|q| .. (1 +
 * w)|q| */
static void func_norm_selectivity(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    vs_conn *conn = sqlite3_user_data(ctx);
    vs_scratch memory[2] = {VS_SCRATCH_INIT, VS_SCRATCH_INIT};
    vs_profile *profile = NULL;
    vs_err err = VS_ERR_INIT;
    vs_plan plan;
    vs_vec query;
    double width = 0.0;
    memset(&plan, 0, sizeof plan);
    for (int i = 0; i < argc; i++) {
        if (sqlite3_value_type(argv[i]) == SQLITE_NULL) {
            return; /* NULL in, NULL out */
        }
    }
    int rc = selectivity_find(conn, argv, &plan, &err);
    if (rc == SQLITE_OK) {
        rc = vs_search_read_query(selectivity_who, &plan, argv[2], memory, &query, &err);
    }
    if (rc == SQLITE_OK) {
        size_t dim;
        rc = vs_plan_stored_dim(&plan, selectivity_who, 0, &dim, &err);
        if (rc == SQLITE_OK && dim != 0 && dim != query.dim) {
            rc = vs_error(&err, SQLITE_ERROR,
                          "%s: dimensions differ: %lld in %s and %lld in the query",
                          selectivity_who, (long long)dim, plan.target.label, (long long)query.dim);
        }
    }
    if (rc == SQLITE_OK) {
        int type = sqlite3_value_numeric_type(argv[3]);
        width =
            type == SQLITE_INTEGER || type == SQLITE_FLOAT ? sqlite3_value_double(argv[3]) : -1.0;
        if (!(width >= 0.0)) {
            rc = vs_error(&err, SQLITE_ERROR,
                          "%s: the width must be a number that is not negative, found %.40s",
                          selectivity_who, (const char *)sqlite3_value_text(argv[3]));
        }
    }
    if (rc == SQLITE_OK) {
        vs_rows_shape shape = {selectivity_who, query.type, query.dim, 1};
        rc = vs_profile_get(&conn->profiles, &plan.target, &shape, &profile, &err);
    }
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
    } else if (profile != NULL) {
        double norm = sqrt(vsk_get()->sumsq[query.type](query.data, query.dim));
        sqlite3_result_double(
            ctx, vs_profile_fraction(profile, (1.0 - width) * norm, (1.0 + width) * norm));
    }
    vs_plan_free(&plan);
    vs_scratch_free(&memory[0]);
    vs_scratch_free(&memory[1]);
}

int vs_func_search_register(vs_conn *conn)
{
    return sqlite3_create_function_v2(conn->db, selectivity_who, 4, SQLITE_UTF8 | SQLITE_SUBTYPE,
                                      vs_conn_ref(conn), func_norm_selectivity, NULL, NULL,
                                      vs_conn_unref);
}
