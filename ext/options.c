/*
 * options.c - the JSON object of the `options` argument of a search.
 *
 * SQLite's JSON functions take the text apart: one statement fetches the type, the value and the JSON
 * text of each known key, and what is left when all known keys are removed, which must be {}.
 *
 * Calls: distance.c for metric names, value.c for type names.
 * Called by: plan.c, func_search.c.
 * Threads: the connection's.
 */
#include "options.h"

#include "distance.h"
#include "value.h"

typedef enum options_key {
    OPT_METRIC,
    OPT_TYPE,
    OPT_MODE,
    OPT_RECALL,
    OPT_NORM_BAND,
    OPT_DEVICE,
    OPT_BAD_ROWS,
    OPT_INDEX,
    OPT_COUNT
} options_key;

static const char *const options_names[OPT_COUNT] = {"metric",    "type",   "mode",     "recall",
                                                     "norm_band", "device", "bad_rows", "index"};

void vs_options_default(vs_options *options)
{
    memset(options, 0, sizeof *options);
    options->metric = VS_L2;
    options->type = VSK_F32;
}

void vs_options_free(vs_options *options)
{
    sqlite3_free(options->index);
    options->index = NULL;
}

#define OPTIONS_COLUMNS 3 /* of each key */

/* What was given for a key. Of a text with \u0000 in it, old versions of SQLite give what stands
 * before it, others all: only the JSON text tells. */
typedef struct options_value {
    const char *type;     /* as json_type says */
    const char *text;     /* NULL for null */
    sqlite3_value *value; /* borrowed, as the texts are */
    int has_nul;          /* the text goes on behind a NUL character */
} options_value;

static int options_prepare(sqlite3 *db, sqlite3_stmt **out)
{
    sqlite3_str *sql = sqlite3_str_new(db);
    sqlite3_str_appendall(sql, "SELECT json_type(?1)");
    for (int i = 0; i < OPT_COUNT; i++) {
        sqlite3_str_appendf(sql, ", json_type(?1, '$.%s'), json_extract(?1, '$.%s'), ?1 -> '$.%s'",
                            options_names[i], options_names[i], options_names[i]);
    }
    sqlite3_str_appendall(sql, ", json_remove(?1");
    for (int i = 0; i < OPT_COUNT; i++) {
        sqlite3_str_appendf(sql, ", '$.%s'", options_names[i]);
    }
    sqlite3_str_appendall(sql, ")");
    char *text = sqlite3_str_finish(sql);
    if (text == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_NO_VTAB, out, NULL);
    sqlite3_free(text);
    return rc;
}

/* Does JSON text hold the escape \u0000? */
static int options_has_nul(const char *json)
{
    for (const char *at = strchr(json, '\\'); at != NULL; at = strchr(at, '\\')) {
        if (strncmp(at, "\\u0000", 6) == 0) {
            return 1;
        }
        at += at[1] == '\0' ? 1 : 2;
    }
    return 0;
}

/* Key number i of the result row. */
static int options_value_of(sqlite3_stmt *stmt, int i, options_value *out)
{
    int column = 1 + OPTIONS_COLUMNS * i;
    out->type = (const char *)sqlite3_column_text(stmt, column);
    out->text = (const char *)sqlite3_column_text(stmt, column + 1);
    out->value = sqlite3_column_value(stmt, column + 1);
    const char *json = (const char *)sqlite3_column_text(stmt, column + 2);
    if (out->type == NULL || json == NULL ||
        (out->text == NULL && strcmp(out->type, "null") != 0)) {
        return SQLITE_NOMEM;
    }
    out->has_nul = options_has_nul(json);
    return SQLITE_OK;
}

/* "<who>: option "metric" must be one of ..., found ..." */
static int options_wrong(vs_err *err, const char *who, options_key key, const char *expected,
                         const options_value *found)
{
    return vs_error(err, SQLITE_ERROR, "%s: option \"%s\" must be %s, found %s%s", who,
                    options_names[key], expected, found->text == NULL ? "NULL" : found->text,
                    found->has_nul ? "\\u0000..." : "");
}

/* Applies one key that is present. */
static int options_apply(vs_options *options, const char *who, options_key key,
                         const options_value *value, vs_err *err)
{
    const char *text = value->text;
    int is_text = strcmp(value->type, "text") == 0 && !value->has_nul;
    switch (key) {
    case OPT_METRIC: {
        int metric = is_text ? vs_metric_by_name(text) : -1;
        if (metric < 0) {
            return options_wrong(err, who, key, "l2, l2sq, l1, cosine, dot, hamming or jaccard",
                                 value);
        }
        options->metric = (vs_metric)metric;
        return SQLITE_OK;
    }
    case OPT_TYPE: {
        int type = is_text ? vs_value_type_by_name(text) : -1;
        if (type < 0) {
            return options_wrong(err, who, key, "float32, float16, bfloat16, int8 or bit", value);
        }
        options->type = (vsk_type)type;
        return SQLITE_OK;
    }
    case OPT_MODE:
        return is_text && strcmp(text, "exact") == 0
                   ? SQLITE_OK
                   : options_wrong(err, who, key, "\"exact\" (this version has no other mode)",
                                   value);
    case OPT_RECALL:
        return vs_error(err, SQLITE_ERROR,
                        "%s: option \"recall\" needs an approximate mode, and this version has "
                        "only \"mode\":\"exact\"",
                        who);
    case OPT_DEVICE:
        if (is_text && strcmp(text, "auto") == 0) {
            options->device = VS_DEVICE_AUTO;
        } else if (is_text && strcmp(text, "cpu") == 0) {
            options->device = VS_DEVICE_CPU;
        } else if (is_text && strcmp(text, "gpu") == 0) {
            options->device = VS_DEVICE_GPU;
        } else {
            return options_wrong(err, who, key, "\"auto\", \"cpu\" or \"gpu\"", value);
        }
        return SQLITE_OK;
    case OPT_NORM_BAND: {
        int is_number = strcmp(value->type, "real") == 0 || strcmp(value->type, "integer") == 0;
        double width = is_number ? sqlite3_value_double(value->value) : -1.0;
        if (!(width >= 0.0 && width <= 1e6)) {
            return options_wrong(err, who, key, "a number from 0 to 1000000", value);
        }
        options->has_norm_band = 1;
        options->norm_band = width;
        return SQLITE_OK;
    }
    case OPT_BAD_ROWS:
        if (!is_text || (strcmp(text, "error") != 0 && strcmp(text, "skip") != 0)) {
            return options_wrong(err, who, key, "\"error\" or \"skip\"", value);
        }
        options->skip_bad_rows = strcmp(text, "skip") == 0;
        return SQLITE_OK;
    case OPT_INDEX:
        if (!is_text) {
            return options_wrong(err, who, key, "the name of an index", value);
        }
        options->index = sqlite3_mprintf("%s", text);
        return options->index == NULL ? SQLITE_NOMEM : SQLITE_OK;
    default:
        assert(0);
        return SQLITE_ERROR;
    }
}

int vs_options_check(const vs_options *options, const char *who, vs_err *err)
{
    if (vs_metric_takes(options->metric, options->type)) {
        return SQLITE_OK;
    }
    return vs_error(err, SQLITE_ERROR, "%s: metric %s does not apply to element type %s (%s)", who,
                    vs_metric_name(options->metric), vsk_type_name(options->type),
                    options->type == VSK_BIT ? "bit vectors have hamming and jaccard"
                                             : "hamming and jaccard are for bit vectors");
}

/* Reads the one result row of the statement. */
static int options_read(sqlite3_stmt *stmt, const char *who, vs_options *out, vs_err *err)
{
    const char *top = (const char *)sqlite3_column_text(stmt, 0);
    if (top == NULL || strcmp(top, "object") != 0) {
        return vs_error(
            err, SQLITE_ERROR,
            "%s: options must be a JSON object such as '{\"metric\":\"cosine\"}', found %s", who,
            top == NULL ? "NULL" : top);
    }
    const char *rest = (const char *)sqlite3_column_text(stmt, 1 + OPTIONS_COLUMNS * OPT_COUNT);
    if (rest == NULL) {
        return SQLITE_NOMEM;
    }
    if (strcmp(rest, "{}") != 0) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: unknown options %.200s; there are metric, type, mode, recall, "
                        "norm_band, device, bad_rows and index",
                        who, rest);
    }
    for (int i = 0; i < OPT_COUNT; i++) {
        options_value value;
        if (sqlite3_column_type(stmt, 1 + OPTIONS_COLUMNS * i) == SQLITE_NULL) {
            continue; /* the key is absent */
        }
        int rc = options_value_of(stmt, i, &value);
        if (rc == SQLITE_OK) {
            rc = options_apply(out, who, (options_key)i, &value, err);
        }
        if (rc != SQLITE_OK) {
            return rc;
        }
        out->has_metric |= i == OPT_METRIC;
        out->has_type |= i == OPT_TYPE;
    }
    if (!out->has_metric && out->type == VSK_BIT) {
        out->metric = VS_HAMMING;
    }
    if (out->has_type) {
        int rc = vs_options_check(out, who, err);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    if (out->has_norm_band && out->type == VSK_BIT) {
        return vs_error(
            err, SQLITE_ERROR,
            "%s: option \"norm_band\" does not apply to bit vectors, which have no norm", who);
    }
    return SQLITE_OK;
}

int vs_options_parse(sqlite3 *db, const char *who, const char *text, vs_options *out, vs_err *err)
{
    sqlite3_stmt *stmt = NULL;
    vs_options_default(out);
    if (text == NULL) {
        return SQLITE_OK;
    }
    int rc = options_prepare(db, &stmt);
    if (rc != SQLITE_OK) {
        return vs_error_db(err, rc, db, who);
    }
    rc = sqlite3_bind_text(stmt, 1, text, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW) {
        rc = options_read(stmt, who, out, err);
    } else if (rc == SQLITE_ERROR) {
        rc = vs_error(err, SQLITE_ERROR, "%s: options are not valid JSON: %.200s", who, text);
    } else if (rc != SQLITE_OK) {
        rc = vs_error_db(err, rc, db, who);
    }
    sqlite3_finalize(stmt);
    if (rc != SQLITE_OK) {
        vs_options_free(out);
    }
    return rc;
}
