/*
 * func.c - scalar SQL functions: registration, arguments, distances and what is about the library
 * itself.
 *
 *     SELECT id, vec_distance_l2(embedding, :q) FROM docs ORDER BY 2 LIMIT 10;
 *
 * No distance function allocates per row. A BLOB is used in place. JSON text is remembered per
 * connection and argument position (vs_memo): the same bytes as last time give the vector read last
 * time. Comparing a long text still costs; so at its 8th, 16th, 32nd ... repetition a copy of the
 * vector goes to SQLite as auxiliary data of the argument, which SQLite keeps while the argument is
 * constant in the running statement, and drops at once where it is not: then a column of equal
 * texts costs log2(rows) copies. Two constants that take turns at one position never repeat, so the
 * 8th, 16th ... 512th new text in a row is offered as well: once SQLite keeps one of them, the
 * other repeats.
 *
 * Calls: value.c, distance.c, codec.c, func_compress.c, func_vector.c.
 * Called by: vecshard.c.
 * Threads: the thread inside a call of the connection.
 */
#include "func.h"

#include "codec.h"
#include "distance.h"
#include "func_compress.h"
#include "func_vector.h"

#include <math.h>

/* ---- Registration ---------------------------------------------------------------------------- */

static void func_destroy(void *user_data)
{
    vs_func *func = user_data;
    vs_conn_unref(func->conn);
    sqlite3_free(func);
}

int vs_func_register_table(vs_conn *conn, const vs_func_entry *entries, size_t count)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        vs_func *func = sqlite3_malloc64(sizeof *func);
        if (func == NULL) {
            return SQLITE_NOMEM;
        }
        *func = (vs_func){&entries[i], vs_conn_ref(conn)};
        /* SQLite calls func_destroy also when this fails. */
        rc = sqlite3_create_function_v2(conn->db, entries[i].name, entries[i].args,
                                        SQLITE_UTF8 | entries[i].flags, func, entries[i].run,
                                        entries[i].step, entries[i].final, func_destroy);
    }
    return rc;
}

/* ---- Arguments ------------------------------------------------------------------------------- */

#define FUNC_OFFER_FIRST 8u    /* repetitions before a text is offered to SQLite as a constant */
#define FUNC_OFFER_MISSES 512u /* new texts in a row; after so many, none until one repeats */

/* A vector as auxiliary data; its elements follow. Freed by sqlite3_free. */
typedef struct func_constant {
    size_t dim;
    vsk_type type;
} func_constant;

int vs_func_any_null(int argc, sqlite3_value **argv)
{
    for (int i = 0; i < argc; i++) {
        if (sqlite3_value_type(argv[i]) == SQLITE_NULL) {
            return 1;
        }
    }
    return 0;
}

/* Offers the remembered vector to SQLite. Without memory nothing is offered: it only saves time. */
static void func_offer_constant(sqlite3_context *ctx, int index, const vs_memo *memo)
{
    size_t bytes = vsk_bytes(memo->type, memo->dim);
    func_constant *constant = sqlite3_malloc64(sizeof *constant + bytes);
    if (constant != NULL) {
        *constant = (func_constant){memo->dim, memo->type};
        memcpy(constant + 1, memo->vector.memory, bytes);
        sqlite3_set_auxdata(ctx, index, constant, sqlite3_free); /* may free it before it returns */
    }
}

/* Whether a run of hits or misses has a length at which the vector is offered: 8, 16, 32, ... */
static int func_is_offer_due(unsigned run)
{
    return run >= FUNC_OFFER_FIRST && (run & (run - 1)) == 0;
}

/* Parses a new text into the memo. */
static int func_memorize(const char *who, vs_memo *memo, const char *text, size_t n, vsk_type type,
                         vs_vec *out, vs_err *err)
{
    memo->text_bytes = 0;
    int rc = vs_value_parse_json(who, text, n, type, &memo->vector, out, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    char *copy = vs_scratch_get(&memo->text, n);
    if (copy == NULL) {
        return SQLITE_NOMEM;
    }
    memcpy(copy, text, n);
    memo->text_bytes = n;
    memo->dim = out->dim;
    memo->type = type;
    return SQLITE_OK;
}

static int func_argument_text(sqlite3_context *ctx, int index, sqlite3_value *value, vsk_type type,
                              vs_vec *out, vs_err *err)
{
    const vs_func *func = sqlite3_user_data(ctx);
    vs_memo *memo = &func->conn->memo[index];
    const func_constant *constant = sqlite3_get_auxdata(ctx, index);
    if (constant != NULL) {
        *out = (vs_vec){constant + 1, constant->dim, constant->type};
        return SQLITE_OK;
    }
    const char *text = (const char *)sqlite3_value_text(value);
    size_t n = (size_t)sqlite3_value_bytes(value);
    if (text == NULL) {
        return SQLITE_NOMEM;
    }
    if (n > 0 && n == memo->text_bytes && type == memo->type &&
        memcmp(text, memo->text.memory, n) == 0) {
        *out = (vs_vec){memo->vector.memory, memo->dim, memo->type};
        memo->hits++;
        memo->misses = 0;
    } else {
        int rc = func_memorize(func->entry->name, memo, text, n, type, out, err);
        if (rc != SQLITE_OK) {
            return rc;
        }
        memo->hits = 0;
        memo->misses += memo->misses <= FUNC_OFFER_MISSES;
    }
    if (func_is_offer_due(memo->hits) ||
        (memo->misses <= FUNC_OFFER_MISSES && func_is_offer_due(memo->misses))) {
        func_offer_constant(ctx, index, memo);
    }
    return SQLITE_OK;
}

int vs_func_argument(sqlite3_context *ctx, int index, sqlite3_value *value, vsk_type type,
                     vs_vec *out, vs_err *err)
{
    const vs_func *func = sqlite3_user_data(ctx);
    assert(index < VS_MEMO_COUNT);
    if (sqlite3_value_type(value) == SQLITE_TEXT) {
        return func_argument_text(ctx, index, value, type, out, err);
    }
    return vs_value_read(func->entry->name, value, type, NULL, out, err);
}

void vs_func_result_vector(sqlite3_context *ctx, const vs_vec *vec)
{
    sqlite3_result_blob64(ctx, vec->data, vsk_bytes(vec->type, vec->dim), SQLITE_TRANSIENT);
    sqlite3_result_subtype(ctx, (unsigned)vs_value_subtype_of(vec->type));
}

/* ---- Distances ------------------------------------------------------------------------------- */

/* A metric that does not take the element type, as a sentence. */
static int func_wrong_type(const char *who, vs_metric metric, vsk_type type, vs_err *err)
{
    if (metric == VS_HAMMING || metric == VS_JACCARD) {
        return vs_error(
            err, SQLITE_ERROR,
            "%s: takes bit vectors, not %s vectors; vec_bit and vec_quantize_binary make them", who,
            vsk_type_name(type));
    }
    return vs_error(err, SQLITE_ERROR, "%s: takes numbers, not %s vectors", who,
                    vsk_type_name(type));
}

/* The reason for a result that is no finite number: finite inputs always give one. */
static int func_nonfinite(const char *who, const vs_vec *a, const vs_vec *b, vs_err *err)
{
    int rc = vs_value_check_finite(who, a, err);
    if (rc == SQLITE_OK) {
        rc = vs_value_check_finite(who, b, err);
    }
    assert(rc != SQLITE_OK);
    return rc;
}

/* vs_distance or vs_similarity. */
typedef vs_dist_kind (*func_measure_fn)(vs_metric metric, vsk_type type, const void *a,
                                        const void *b, size_t dim, double *out);

/* Measures two arguments that are not NULL in canonical arithmetic. */
static int func_measure(sqlite3_context *ctx, sqlite3_value **argv, func_measure_fn measure,
                        vs_vec *a, vs_dist_kind *kind, double *out, vs_err *err)
{
    const vs_func *func = sqlite3_user_data(ctx);
    const char *who = func->entry->name;
    vs_metric metric = (vs_metric)func->entry->detail;
    vs_vec b;
    int rc = vs_func_argument(ctx, 0, argv[0], VSK_F32, a, err);
    if (rc == SQLITE_OK) {
        rc = vs_func_argument(ctx, 1, argv[1], VSK_F32, &b, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_value_check_same_shape(who, a, &b, err);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (!vs_metric_takes(metric, a->type)) {
        return func_wrong_type(who, metric, a->type, err);
    }
    *kind = measure(metric, a->type, a->data, b.data, a->dim, out);
    return *kind == VS_DIST_NONFINITE ? func_nonfinite(who, a, &b, err) : SQLITE_OK;
}

/*
 * vec_distance_<metric>(a, b): the distance itself. sqlite-vec's l1 distance of int8 vectors is an
 * INTEGER, all others are REAL.
 */
static void func_distance(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const vs_func *func = sqlite3_user_data(ctx);
    vs_err err = VS_ERR_INIT;
    vs_dist_kind kind = VS_DIST_NULL;
    vs_vec a;
    double distance = 0.0;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = func_measure(ctx, argv, vs_distance, &a, &kind, &distance, &err);
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
    } else if (kind == VS_DIST_VALUE && func->entry->detail == VS_L1 && a.type == VSK_I8) {
        sqlite3_result_int64(ctx, (sqlite3_int64)distance);
    } else if (kind == VS_DIST_VALUE) {
        sqlite3_result_double(ctx, distance);
    }
}

/* vec_dot(a, b) and vec_cosine_similarity(a, b) */
static void func_similarity(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    vs_err err = VS_ERR_INIT;
    vs_dist_kind kind = VS_DIST_NULL;
    vs_vec a;
    double similarity = 0.0;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = func_measure(ctx, argv, vs_similarity, &a, &kind, &similarity, &err);
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
    } else if (kind == VS_DIST_VALUE) {
        sqlite3_result_double(ctx, similarity);
    }
}

/* vec_norm(a) */
static void func_norm(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const vs_func *func = sqlite3_user_data(ctx);
    vs_err err = VS_ERR_INIT;
    vs_vec a;
    double norm = 0.0;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = vs_func_argument(ctx, 0, argv[0], VSK_F32, &a, &err);
    if (rc == SQLITE_OK && a.type == VSK_BIT) {
        rc = func_wrong_type(func->entry->name, VS_L2, a.type, &err);
    }
    if (rc == SQLITE_OK) {
        norm = sqrt(vsk_get()->sumsq[a.type](a.data, a.dim));
        rc = isfinite(norm) ? SQLITE_OK : func_nonfinite(func->entry->name, &a, &a, &err);
    }
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
        return;
    }
    sqlite3_result_double(ctx, norm);
}

/* ---- The library itself ---------------------------------------------------------------------- */

static void func_version(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    sqlite3_result_text(ctx, "v" VS_VERSION, -1, SQLITE_STATIC);
}

#if defined(__clang__)
#define FUNC_COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define FUNC_COMPILER "gcc " __VERSION__
#else
#define FUNC_COMPILER "unknown"
#endif

static void func_debug(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    vs_gpu_info gpu;
    vs_gpu_read_info(&gpu);
    const char *between = gpu.device.name[0] != '\0' ? ", " : "";
    char *text = sqlite3_mprintf("Version: v" VS_VERSION "\n"
                                 "Compiler: " FUNC_COMPILER "\n"
                                 "Kernel levels compiled: %s\n"
                                 "Kernel level in use: %s\n"
                                 "zstd: %s\n"
                                 "CUDA: %s%s%s\n"
                                 "SQLite: %s",
                                 vsk_levels_compiled(), vsk_level_name(vsk_level_in_use()),
                                 vs_codec_zstd_version(), gpu.device.name, between, gpu.why,
                                 sqlite3_libversion());
    if (text == NULL) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    sqlite3_result_text(ctx, text, -1, sqlite3_free);
}

/* vec_unzstd(blob) */
static void func_unzstd(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const vs_func *func = sqlite3_user_data(ctx);
    vs_err err = VS_ERR_INIT;
    void *data = NULL;
    size_t bytes = 0;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    if (sqlite3_value_type(argv[0]) != SQLITE_BLOB) {
        int rc = vs_error(&err, SQLITE_MISMATCH, "%s: takes a BLOB", func->entry->name);
        vs_error_result(ctx, rc, &err);
        return;
    }
    const void *frame = sqlite3_value_blob(argv[0]);
    size_t n = (size_t)sqlite3_value_bytes(argv[0]);
    int limit = sqlite3_limit(func->conn->db, SQLITE_LIMIT_LENGTH, -1);
    int rc = vs_codec_unzstd(func->entry->name, frame, n, (size_t)limit, &data, &bytes, &err);
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
        return;
    }
    sqlite3_result_blob64(ctx, data, bytes, sqlite3_free);
}

/* ---- The table ------------------------------------------------------------------------------- */

static const vs_func_entry func_entries[] = {
    {"vec_distance_l2", 2, VS_FUNC_READS, VS_L2, func_distance, NULL, NULL},
    {"vec_distance_l2sq", 2, VS_FUNC_READS, VS_L2SQ, func_distance, NULL, NULL},
    {"vec_distance_l1", 2, VS_FUNC_READS, VS_L1, func_distance, NULL, NULL},
    {"vec_distance_cosine", 2, VS_FUNC_READS, VS_COSINE, func_distance, NULL, NULL},
    {"vec_distance_dot", 2, VS_FUNC_READS, VS_DOT, func_distance, NULL, NULL},
    {"vec_distance_hamming", 2, VS_FUNC_READS, VS_HAMMING, func_distance, NULL, NULL},
    {"vec_distance_jaccard", 2, VS_FUNC_READS, VS_JACCARD, func_distance, NULL, NULL},
    {"vec_dot", 2, VS_FUNC_READS, VS_DOT, func_similarity, NULL, NULL},
    {"vec_cosine_similarity", 2, VS_FUNC_READS, VS_COSINE, func_similarity, NULL, NULL},
    {"vec_norm", 1, VS_FUNC_READS, 0, func_norm, NULL, NULL},
    {"vec_version", 0, VS_FUNC_PURE, 0, func_version, NULL, NULL},
    {"vec_debug", 0, SQLITE_INNOCUOUS, 0, func_debug, NULL, NULL},
    {"vec_unzstd", 1, VS_FUNC_PURE, 0, func_unzstd, NULL, NULL},
};

int vs_func_register(vs_conn *conn)
{
    int rc =
        vs_func_register_table(conn, func_entries, sizeof func_entries / sizeof func_entries[0]);
    if (rc == SQLITE_OK) {
        rc = vs_func_vector_register(conn);
    }
    return rc == SQLITE_OK ? vs_func_compress_register(conn) : rc;
}
