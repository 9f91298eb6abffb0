/*
 * batch_queries.c - the queries of a batch: one BLOB, or a JSON array of arrays.
 *
 * Calls: value.c.
 * Called by: vtab_batch.c.
 * Threads: the connection's.
 */
#include "batch_queries.h"

void vs_queries_free(vs_queries *queries)
{
    sqlite3_free(queries->data);
    memset(queries, 0, sizeof *queries);
}

/* Appends one query, converted to the column's type and checked. */
static int queries_append(vs_queries *queries, const char *who, const vs_vec *vec,
                          vs_scratch *scratch, size_t *capacity, vs_err *err)
{
    char place[96];
    vs_vec own;
    sqlite3_snprintf((int)sizeof place, place, "%s: query %lld", who, (long long)queries->count);
    if (queries->dim == 0) {
        queries->dim = vec->dim;
    }
    if (vec->dim != queries->dim) {
        return vs_error(err, SQLITE_ERROR, "%s: dimensions differ: %lld and %lld", place,
                        (long long)queries->dim, (long long)vec->dim);
    }
    size_t bytes = vsk_bytes(queries->type, queries->dim);
    if (queries->count == VS_BATCH_MAX || (queries->count + 1) * bytes > VS_BATCH_BYTES_MAX) {
        return vs_error(err, SQLITE_TOOBIG, "%s: a batch has at most %d queries and %d bytes", who,
                        VS_BATCH_MAX, VS_BATCH_BYTES_MAX);
    }
    int rc = vs_value_check_finite(place, vec, err);
    if (rc == SQLITE_OK) {
        rc = vs_value_convert(place, vec, queries->type, scratch, &own, err);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (queries->count == *capacity) {
        size_t grown_capacity = *capacity == 0 ? 16 : 2 * *capacity;
        unsigned char *grown = sqlite3_realloc64(queries->data, grown_capacity * bytes);
        if (grown == NULL) {
            return SQLITE_NOMEM;
        }
        queries->data = grown;
        *capacity = grown_capacity;
    }
    memcpy(queries->data + queries->count * bytes, own.data, bytes);
    queries->count++;
    return SQLITE_OK;
}

static int queries_read_blob(vs_queries *queries, const char *who, sqlite3_value *value, size_t dim,
                             vs_scratch *scratch, vs_err *err)
{
    int subtype = vs_value_subtype(value);
    vsk_type given = subtype >= 0                                          ? (vsk_type)subtype
                     : queries->type == VSK_I8 || queries->type == VSK_BIT ? queries->type
                                                                           : VSK_F32;
    const unsigned char *data = sqlite3_value_blob(value);
    size_t n = (size_t)sqlite3_value_bytes(value);
    size_t capacity = 0;
    if (n > 0 && data == NULL) {
        return SQLITE_NOMEM;
    }
    if (dim == 0) {
        return SQLITE_OK;
    }
    size_t bytes = vsk_bytes(given, dim);
    if (n % bytes != 0) {
        return vs_error(
            err, SQLITE_ERROR,
            "%s: expected queries of %lld %s elements (a multiple of %lld bytes), found %lld bytes",
            who, (long long)dim, vsk_type_name(given), (long long)bytes, (long long)n);
    }
    for (size_t at = 0; at < n; at += bytes) {
        vs_vec vec = {data + at, dim, given};
        int rc = queries_append(queries, who, &vec, scratch, &capacity, err);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    return SQLITE_OK;
}

static const char *queries_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
        at++;
    }
    return at;
}

/* [[1,2],[3,4]]: this function reads the outer brackets and commas, the vector parser what is
 * within. */
static int queries_read_json(vs_queries *queries, const char *who, const char *text, size_t n,
                             vs_scratch *scratch, vs_err *err)
{
    vs_scratch parsed = VS_SCRATCH_INIT;
    const char *end = text + n;
    const char *at = queries_skip_space(text, end);
    size_t capacity = 0;
    int is_ok = at < end && *at == '[';
    int rc = SQLITE_OK;
    at = queries_skip_space(at + is_ok, end);
    if (is_ok && at < end && *at == ']') { /* no queries */
        at++;
    } else {
        while (is_ok && rc == SQLITE_OK) {
            const char *close = at < end && *at == '[' ? memchr(at, ']', (size_t)(end - at)) : NULL;
            vs_vec vec;
            is_ok = close != NULL;
            if (!is_ok) {
                break;
            }
            rc = vs_value_parse_json(who, at, (size_t)(close + 1 - at), queries->type, &parsed,
                                     &vec, err);
            if (rc == SQLITE_OK) {
                rc = queries_append(queries, who, &vec, scratch, &capacity, err);
            }
            at = queries_skip_space(close + 1, end);
            if (at < end && *at == ',') {
                at = queries_skip_space(at + 1, end);
                continue;
            }
            is_ok = at < end && *at == ']';
            at += is_ok;
            break;
        }
    }
    vs_scratch_free(&parsed);
    if (rc == SQLITE_OK && (!is_ok || queries_skip_space(at, end) != end)) {
        rc = vs_error(err, SQLITE_ERROR,
                      "%s: queries must be a JSON array of arrays such as '[[1,2],[3,4]]'; "
                      "malformed at byte %lld",
                      who, (long long)(at - text));
    }
    return rc;
}

int vs_queries_read(const char *who, sqlite3_value *value, vsk_type type, size_t dim,
                    vs_queries *out, vs_err *err)
{
    vs_scratch scratch = VS_SCRATCH_INIT;
    int rc;
    memset(out, 0, sizeof *out);
    out->type = type;
    if (sqlite3_value_type(value) == SQLITE_BLOB) {
        rc = queries_read_blob(out, who, value, dim, &scratch, err);
    } else if (sqlite3_value_type(value) == SQLITE_TEXT) {
        const char *text = (const char *)sqlite3_value_text(value);
        rc = text == NULL ? SQLITE_NOMEM
                          : queries_read_json(out, who, text, (size_t)sqlite3_value_bytes(value),
                                              &scratch, err);
    } else {
        rc = vs_error(err, SQLITE_MISMATCH,
                      "%s: queries must be a BLOB of queries one after the other or a JSON array "
                      "of arrays, found %s",
                      who, (const char *)sqlite3_value_text(value));
    }
    vs_scratch_free(&scratch);
    if (rc != SQLITE_OK) {
        vs_queries_free(out);
    }
    return rc;
}
