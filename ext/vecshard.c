/*
 * vecshard.c - the entry point: makes a connection's context and registers everything there.
 *
 *     .load ./vecshard
 *
 * Several threads may be in here for different connections. SQLite's routine table is one pointer
 * for the whole process, so it is set while no connection uses the extension, and a table of
 * another copy of SQLite is refused after that: overwriting it would send the first copy's
 * connections into the second copy's code.
 *
 * Calls: everything that registers SQL.
 * Called by: SQLite, or a program that links the extension.
 */
#define VS_MAIN
#include "vs_sqlite.h"

#include "agg.h"
#include "func.h"
#include "func_gpu.h"
#include "func_text.h"
#include "vecshard.h"
#include "vtab_each.h"
#include "vtab_gpu.h"
#include "vtab_index.h"
#include "vtab_report.h"
#include "vtab_search.h"
#include "vtab_stats.h"

#include <stdatomic.h>
#include <stdlib.h>

#if defined(_WIN32)
#define VECSHARD_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define VECSHARD_EXPORT __attribute__((visibility("default")))
#else
#define VECSHARD_EXPORT
#endif

/* ---- The routine table ----------------------------------------------------------------------- */

static atomic_flag vecshard_lock = ATOMIC_FLAG_INIT;
static int vecshard_users; /* contexts that are alive, or being made; under the lock */

static void vecshard_enter(void)
{
    while (atomic_flag_test_and_set_explicit(&vecshard_lock, memory_order_acquire)) {
    }
}

static void vecshard_leave(void)
{
    atomic_flag_clear_explicit(&vecshard_lock, memory_order_release);
}

/*
 * Adds a user of the routine table `api`; 0 when another one is in use. In a static build there is
 * none.
 */
static int vecshard_claim(const sqlite3_api_routines *api)
{
    int is_ours = 1;
    vecshard_enter();
#ifndef SQLITE_CORE
    is_ours = vecshard_users == 0 || sqlite3_api == api;
    if (is_ours && sqlite3_api != api) {
        sqlite3_api = api;
    }
#else
    (void)api;
#endif
    vecshard_users += is_ours;
    vecshard_leave();
    return is_ours;
}

static void vecshard_release(void)
{
    vecshard_enter();
    vecshard_users--;
    vecshard_leave();
}

/* Calls before the table is ours go through the caller's own. */
#ifdef SQLITE_CORE
#define VECSHARD_CALL(api, routine) sqlite3_##routine
#else
#define VECSHARD_CALL(api, routine) (api)->routine
#endif

/* ---- Registration ---------------------------------------------------------------------------- */

#define VECSHARD_MODULE (-2) /* in place of the number of arguments */

/*
 * Everything that any of the register functions registers: what a failed load takes back. A unit
 * test makes loading fail at every point and finds nothing left.
 */
static const struct {
    const char *name;
    int args;
} vecshard_names[] = {
    {"vec_f32", 1},
    {"vec_f16", 1},
    {"vec_bf16", 1},
    {"vec_int8", 1},
    {"vec_bit", 1},
    {"vec_from_base64", 1},
    {"vec_from_base64", 2},
    {"vec_length", 1},
    {"vec_type", 1},
    {"vec_to_json", 1},
    {"vec_add", 2},
    {"vec_sub", 2},
    {"vec_scale", 2},
    {"vec_normalize", 1},
    {"vec_slice", 3},
    {"vec_concat", -1},
    {"vec_quantize_int8", 2},
    {"vec_quantize_binary", 1},
    {"vec_distance_l2", 2},
    {"vec_distance_l2sq", 2},
    {"vec_distance_l1", 2},
    {"vec_distance_cosine", 2},
    {"vec_distance_dot", 2},
    {"vec_distance_hamming", 2},
    {"vec_distance_jaccard", 2},
    {"vec_dot", 2},
    {"vec_cosine_similarity", 2},
    {"vec_norm", 1},
    {"vec_sum", 1},
    {"vec_avg", 1},
    {"vec_version", 0},
    {"vec_debug", 0},
    {"vec_unzstd", 1},
    {"vec_compress", 1},
    {"vec_compress", 2},
    {"vec_compress", 3},
    {"vec_compress", 4},
    {"vec_decompress", 1},
    {"vec_compress_info", 1},
    {"vec_train_dict", -1},
    {"vec_dict_add", 1},
    {"vec_dict_add", 2},
    {"vec_pack_text", 1},
    {"vec_pack_text", 2},
    {"vec_unpack_text", 1},
    {"vec_config", 1},
    {"vec_config", 2},
    {"vec_compress_report", VECSHARD_MODULE},
    {"vec_each", VECSHARD_MODULE},
    {"vec_kernels", VECSHARD_MODULE},
    {"vec_stats", VECSHARD_MODULE},
    {"vec_jobs", VECSHARD_MODULE},
    {"vec_search", VECSHARD_MODULE},
    {"vec_search_batch", VECSHARD_MODULE},
    {"vec_norm_selectivity", 4},
    {"vec_device", 0},
    {"vec_device", 1},
    {"vec_last_query", 0},
    {"vec_last_query", 1},
    {"vec_gpu_load", 1},
    {"vec_gpu_load", 2},
    {"vec_gpu_load", 3},
    {"vec_gpu_load", 4},
    {"vec_gpu_evict", 1},
    {"vec_gpu_evict", 2},
    {"vec_devices", VECSHARD_MODULE},
    {"vec_gpu_cache", VECSHARD_MODULE},
    {"vecshard", VECSHARD_MODULE},
    {"vecshard_list", 2},
    {"vecshard_text", 4},
};

static void vecshard_unregister(sqlite3 *db)
{
    for (size_t i = 0; i < sizeof vecshard_names / sizeof vecshard_names[0]; i++) {
        if (vecshard_names[i].args == VECSHARD_MODULE) {
            sqlite3_create_module_v2(db, vecshard_names[i].name, NULL, NULL, NULL);
        } else {
            sqlite3_create_function_v2(db, vecshard_names[i].name, vecshard_names[i].args,
                                       SQLITE_UTF8, NULL, NULL, NULL, NULL, NULL);
        }
    }
}

/* vec_config comes last: where it exists, an earlier registration was complete. */
static int vecshard_register(vs_conn *conn)
{
    static int (*const steps[])(vs_conn *) = {
        vs_func_register,        vs_agg_register,        vs_func_text_register,
        vs_vtab_each_register,   vs_vtab_stats_register, vs_vtab_report_register,
        vs_vtab_search_register, vs_vtab_index_register, vs_vtab_gpu_register,
        vs_func_gpu_register,    vs_settings_register};
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof steps / sizeof steps[0]; i++) {
        rc = steps[i](conn);
    }
    return rc;
}

/*
 * Whether the connection has the extension already. Where it has not, this leaves an error in the
 * connection.
 */
static int vecshard_is_registered(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT vec_config('cpu')", -1, &stmt, NULL);
    sqlite3_finalize(stmt);
    return rc == SQLITE_OK;
}

/* Chooses the kernels, once per process. */
static int vecshard_choose_kernels(char **message)
{
    const char *limit = getenv("VECSHARD_CPU");
    if (vsk_init(limit != NULL && limit[0] != '\0' ? limit : NULL) == 0) {
        return SQLITE_OK;
    }
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_str_appendf(
        text, "vecshard: the environment variable VECSHARD_CPU is '%s', and the levels are", limit);
    for (int level = 0; level < VSK_LEVEL_COUNT; level++) {
        sqlite3_str_appendf(text, "%s %s", level == 0 ? "" : ",", vsk_level_name((vsk_level)level));
    }
    *message = sqlite3_str_finish(text);
    return SQLITE_ERROR;
}

/* Registers with the routine table claimed. */
static int vecshard_load(sqlite3 *db, char **message)
{
    int rc = vecshard_choose_kernels(message);
    vs_conn *conn = rc == SQLITE_OK ? vs_conn_new(db) : NULL;
    if (conn == NULL) {
        vecshard_release();
        return rc == SQLITE_OK ? SQLITE_NOMEM : rc;
    }
    conn->after_free = vecshard_release;
    rc = vecshard_register(conn);
    if (rc == SQLITE_BUSY && vecshard_is_registered(db)) {
        rc = SQLITE_OK; /* a statement runs, as in SELECT load_extension(...): all stays */
    } else if (rc != SQLITE_OK) {
        *message = sqlite3_mprintf("vecshard: cannot register: %s", sqlite3_errmsg(db));
        vecshard_unregister(db);
    }
    vs_conn_unref(conn);
    return rc;
}

VECSHARD_EXPORT int sqlite3_vecshard_init(sqlite3 *db, char **message,
                                          const struct sqlite3_api_routines *api)
{
    char *unheard = NULL;
    char **out = message != NULL ? message : &unheard;
    int rc = SQLITE_ERROR;
    if (VECSHARD_CALL(api, libversion_number)() < VS_SQLITE_MIN) {
        *out = VECSHARD_CALL(api, mprintf)("vecshard: needs SQLite 3.38.0 or newer, and this is %s",
                                           VECSHARD_CALL(api, libversion)());
    } else if (!vecshard_claim(api)) {
        *out = VECSHARD_CALL(api, mprintf)(
            "vecshard: another copy of SQLite in this process uses the extension");
    } else {
        rc = vecshard_load(db, out);
    }
    if (unheard != NULL) {
        VECSHARD_CALL(api, free)(unheard);
    }
    return rc;
}
