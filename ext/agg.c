/*
 * agg.c - aggregate SQL functions over vectors: vec_sum, vec_avg.
 *
 *     SELECT topic, vec_avg(embedding) FROM docs GROUP BY topic;
 *
 * Rows are added up in double, in the order in which SQLite brings them, and rounded to float32
 * once, at the end. NULLs are passed over; without any other row the result is NULL.
 *
 * Calls: value.c.
 * Called by: vecshard.c.
 * Threads: the thread inside a call of the connection.
 */
#include "agg.h"

#include "func.h"

/* State of one group; SQLite zeroes it and always calls agg_final. */
typedef struct agg_state {
    double *sum; /* owned: [dim] */
    size_t dim;
    vsk_type type;
    int64_t count; /* rows added */
} agg_state;

enum { AGG_SUM, AGG_AVG };

/* Takes the shape of the first row; holds later ones to it. */
static int agg_check(const char *who, agg_state *state, const vs_vec *vec, vs_err *err)
{
    if (vec->type == VSK_BIT) {
        return vs_error(err, SQLITE_ERROR, "%s: takes numbers, not bit vectors", who);
    }
    if (state->sum != NULL) {
        vs_vec first = {state->sum, state->dim, state->type};
        return vs_value_check_same_shape(who, &first, vec, err);
    }
    state->sum = sqlite3_malloc64(vec->dim * sizeof *state->sum);
    if (state->sum == NULL) {
        return SQLITE_NOMEM;
    }
    memset(state->sum, 0, vec->dim * sizeof *state->sum);
    state->dim = vec->dim;
    state->type = vec->type;
    return SQLITE_OK;
}

static void agg_add(agg_state *state, const vs_vec *vec)
{
    float values[VS_VALUE_CHUNK];
    for (size_t first = 0; first < vec->dim; first += VS_VALUE_CHUNK) {
        size_t count = vec->dim - first < VS_VALUE_CHUNK ? vec->dim - first : VS_VALUE_CHUNK;
        vs_value_widen(vec, first, count, values);
        for (size_t i = 0; i < count; i++) {
            state->sum[first + i] += (double)values[i];
        }
    }
    state->count++;
}

static void agg_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const vs_func *func = sqlite3_user_data(ctx);
    const char *who = func->entry->name;
    vs_err err = VS_ERR_INIT;
    vs_vec vec;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    agg_state *state = sqlite3_aggregate_context(ctx, sizeof *state);
    int rc = state == NULL
                 ? SQLITE_NOMEM
                 : vs_value_read(who, argv[0], VSK_F32, &func->conn->scratch[1], &vec, &err);
    if (rc == SQLITE_OK) {
        rc = vs_value_check_finite(who, &vec, &err);
    }
    if (rc == SQLITE_OK) {
        rc = agg_check(who, state, &vec, &err);
    }
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
        return;
    }
    agg_add(state, &vec);
}

/* Rounds sum / divisor to float32 into scratch memory. */
static int agg_round(const vs_func *func, const agg_state *state, double divisor, vs_vec *out,
                     vs_err *err)
{
    float values[VS_VALUE_CHUNK];
    void *data = vs_scratch_get(&func->conn->scratch[0], vsk_bytes(VSK_F32, state->dim));
    int rc = data == NULL ? SQLITE_NOMEM : SQLITE_OK;
    for (size_t first = 0; rc == SQLITE_OK && first < state->dim; first += VS_VALUE_CHUNK) {
        size_t count = state->dim - first < VS_VALUE_CHUNK ? state->dim - first : VS_VALUE_CHUNK;
        for (size_t i = 0; i < count; i++) {
            values[i] = vs_value_to_float(state->sum[first + i] / divisor);
        }
        rc = vs_value_narrow(func->entry->name, VSK_F32, values, first, count, data, err);
    }
    *out = (vs_vec){data, state->dim, VSK_F32};
    return rc;
}

static void agg_final(sqlite3_context *ctx)
{
    const vs_func *func = sqlite3_user_data(ctx);
    vs_err err = VS_ERR_INIT;
    vs_vec vec;
    agg_state *state = sqlite3_aggregate_context(ctx, 0);
    if (state == NULL) {
        return;
    }
    if (state->count > 0) {
        int rc = agg_round(func, state, func->entry->detail == AGG_AVG ? (double)state->count : 1.0,
                           &vec, &err);
        if (rc != SQLITE_OK) {
            vs_error_result(ctx, rc, &err);
        } else {
            vs_func_result_vector(ctx, &vec);
        }
    }
    sqlite3_free(state->sum);
    state->sum = NULL;
}

static const vs_func_entry agg_entries[] = {
    {"vec_sum", 1, VS_FUNC_MAKES, AGG_SUM, NULL, agg_step, agg_final},
    {"vec_avg", 1, VS_FUNC_MAKES, AGG_AVG, NULL, agg_step, agg_final},
};

int vs_agg_register(vs_conn *conn)
{
    return vs_func_register_table(conn, agg_entries, sizeof agg_entries / sizeof agg_entries[0]);
}
