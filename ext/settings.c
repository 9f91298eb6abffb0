/*
 * settings.c - settings of one connection, read and set by vec_config.
 *
 *     SELECT vec_config('norm_index');            -- 'auto'
 *     SELECT vec_config('norm_index', 'off');     -- sets it, returns the new value
 *
 * Calls: gpu.c, func.c for registration, kernels for the level in use.
 * Called by: vecshard.c, and whoever obeys a setting.
 * Threads: the thread inside a call of the connection.
 */
#include "settings.h"

#include "cache.h"
#include "func.h"
#include "pool.h"

void vs_settings_init(vs_settings *settings)
{
    settings->norm_index = VS_NORM_INDEX_AUTO;
    settings->stats = 1;
    settings->max_decoded_mb = 64;
}

vs_gpu_mode vs_settings_gpu(const vs_settings *settings)
{
    if (settings->gpu_is_off) {
        return VS_GPU_OFF;
    }
    return vs_gpu_prefers() ? VS_GPU_PREFER : VS_GPU_AUTO;
}

/* One setting: one of some words (`values`, by number), a whole number from 0 to `count`, or read
 * only. */
typedef enum settings_kind { SETTINGS_WORDS, SETTINGS_NUMBER, SETTINGS_READ_ONLY } settings_kind;

typedef struct settings_entry {
    const char *name;
    settings_kind kind;
    const char *const *values;
    int count;
} settings_entry;

enum {
    SETTINGS_NORM_INDEX,
    SETTINGS_STATS,
    SETTINGS_CACHE_MB,
    SETTINGS_THREADS,
    SETTINGS_MAX_DECODED_MB,
    SETTINGS_GPU,
    SETTINGS_GPU_BUDGET_MB,
    SETTINGS_GPU_MIN_ROWS,
    SETTINGS_GPU_PRECISION,
    SETTINGS_GPU_IDLE_S,
    SETTINGS_CPU,
    SETTINGS_COUNT
};

#define SETTINGS_CACHE_MB_MAX (1 << 22) /* 4 TiB */
#define SETTINGS_DECODED_MB_MAX 1024    /* more than SQLite lets a value have */
#define SETTINGS_GPU_MB_MAX (1 << 22)
#define SETTINGS_GPU_ROWS_MAX 1000000000
#define SETTINGS_GPU_IDLE_MAX 86400

static const char *const settings_norm_index_values[] = {"auto", "off"};
static const char *const settings_stats_values[] = {"0", "1"};
static const char *const settings_gpu_values[] = {"auto", "off", "prefer"}; /* as vs_gpu_mode */
static const settings_entry settings_entries[SETTINGS_COUNT] = {
    {"norm_index", SETTINGS_WORDS, settings_norm_index_values, 2},
    {"stats", SETTINGS_WORDS, settings_stats_values, 2},
    {"cache_mb", SETTINGS_NUMBER, NULL, SETTINGS_CACHE_MB_MAX},
    {"threads", SETTINGS_NUMBER, NULL, VS_POOL_THREADS_MAX},
    {"max_decoded_mb", SETTINGS_NUMBER, NULL, SETTINGS_DECODED_MB_MAX},
    {"gpu", SETTINGS_WORDS, settings_gpu_values, 3},
    {"gpu_budget_mb", SETTINGS_NUMBER, NULL, SETTINGS_GPU_MB_MAX},
    {"gpu_min_rows", SETTINGS_NUMBER, NULL, SETTINGS_GPU_ROWS_MAX},
    {"gpu_precision", SETTINGS_WORDS, vs_gpu_precision_names, VS_GPU_PRECISION_COUNT},
    {"gpu_idle_s", SETTINGS_NUMBER, NULL, SETTINGS_GPU_IDLE_MAX},
    {"cpu", SETTINGS_READ_ONLY, NULL, 0},
};

/* Number of the setting that an argument names. */
static int settings_find(const char *who, sqlite3_value *name_value, int *out, vs_err *err)
{
    const char *name = (const char *)sqlite3_value_text(name_value);
    if (name == NULL) {
        return SQLITE_NOMEM;
    }
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        if (strcmp(name, settings_entries[i].name) == 0) {
            *out = i;
            return SQLITE_OK;
        }
    }
    return vs_error(err, SQLITE_ERROR,
                    "%s: no setting '%s': there are norm_index, stats, cache_mb, "
                    "threads, max_decoded_mb, gpu, gpu_budget_mb, gpu_min_rows, gpu_precision, "
                    "gpu_idle_s and cpu",
                    who, name);
}

/* A whole number, also as a real or as text. */
static int settings_find_number(const char *who, const settings_entry *entry, sqlite3_value *value,
                                int *out, vs_err *err)
{
    int type = sqlite3_value_numeric_type(value);
    sqlite3_int64 number = sqlite3_value_int64(value);
    int is_whole = type == SQLITE_INTEGER ||
                   (type == SQLITE_FLOAT && sqlite3_value_double(value) == (double)number);
    if (!is_whole || number < 0 || number > entry->count) {
        const char *text = (const char *)sqlite3_value_text(value);
        return vs_error(err, SQLITE_ERROR, "%s: '%s' is a whole number from 0 to %d, not '%s'", who,
                        entry->name, entry->count, text == NULL ? "" : text);
    }
    *out = (int)number;
    return SQLITE_OK;
}

/* "vec_config: 'gpu' is 'auto', 'off' or 'prefer', not 'x'" */
static int settings_wrong_word(const char *who, const settings_entry *entry, const char *found,
                               vs_err *err)
{
    sqlite3_str *words = sqlite3_str_new(NULL);
    for (int i = 0; i < entry->count; i++) {
        const char *between = i == 0 ? "" : i + 1 < entry->count ? ", " : " or ";
        sqlite3_str_appendf(words, "%s'%s'", between, entry->values[i]);
    }
    char *list = sqlite3_str_finish(words);
    int rc = list == NULL ? SQLITE_NOMEM
                          : vs_error(err, SQLITE_ERROR, "%s: '%s' is %s, not '%s'", who,
                                     entry->name, list, found);
    sqlite3_free(list);
    return rc;
}

/* Number of the value that an argument names, or the number itself. */
static int settings_find_value(const char *who, const settings_entry *entry, sqlite3_value *value,
                               int *out, vs_err *err)
{
    const char *text = (const char *)sqlite3_value_text(value);
    char whole[24];
    if (text == NULL) {
        return SQLITE_NOMEM;
    }
    if (sqlite3_value_type(value) == SQLITE_FLOAT &&
        sqlite3_value_double(value) == (double)sqlite3_value_int64(value)) {
        /* 1.0 is 1: some languages have no other numbers. */
        text = sqlite3_snprintf((int)sizeof whole, whole, "%lld",
                                (long long)sqlite3_value_int64(value));
    }
    if (entry->kind == SETTINGS_NUMBER) {
        return settings_find_number(who, entry, value, out, err);
    }
    if (entry->kind == SETTINGS_READ_ONLY) {
        return vs_error(err, SQLITE_ERROR, "%s: '%s' can only be read", who, entry->name);
    }
    for (int i = 0; i < entry->count; i++) {
        if (strcmp(text, entry->values[i]) == 0) {
            *out = i;
            return SQLITE_OK;
        }
    }
    return settings_wrong_word(who, entry, text, err);
}

static void settings_result_word(sqlite3_context *ctx, const char *word)
{
    sqlite3_result_text(ctx, word, -1, SQLITE_STATIC);
}

/* One of the GPU's, which are the process's but for 'off'. */
static void settings_result_gpu(sqlite3_context *ctx, const vs_settings *settings, int which)
{
    vs_gpu_settings gpu;
    vs_gpu_read_settings(&gpu);
    switch (which) {
    case SETTINGS_GPU:
        settings_result_word(ctx, settings_gpu_values[vs_settings_gpu(settings)]);
        break;
    case SETTINGS_GPU_BUDGET_MB:
        sqlite3_result_int(ctx, gpu.budget_mb);
        break;
    case SETTINGS_GPU_MIN_ROWS:
        sqlite3_result_int(ctx, gpu.min_rows);
        break;
    case SETTINGS_GPU_PRECISION:
        settings_result_word(ctx, vs_gpu_precision_names[gpu.precision]);
        break;
    default:
        sqlite3_result_int(ctx, gpu.idle_s);
        break;
    }
}

static void settings_result(sqlite3_context *ctx, const vs_settings *settings, int which)
{
    switch (which) {
    case SETTINGS_NORM_INDEX:
        settings_result_word(ctx, settings_norm_index_values[settings->norm_index]);
        break;
    case SETTINGS_STATS:
        sqlite3_result_int(ctx, settings->stats);
        break;
    case SETTINGS_CACHE_MB:
        sqlite3_result_int64(ctx, (sqlite3_int64)(vs_cache_budget() >> 20));
        break;
    case SETTINGS_THREADS:
        sqlite3_result_int(ctx, vs_pool_threads());
        break;
    case SETTINGS_MAX_DECODED_MB:
        sqlite3_result_int(ctx, settings->max_decoded_mb);
        break;
    case SETTINGS_CPU:
        settings_result_word(ctx, vsk_level_name(vsk_level_in_use()));
        break;
    default:
        settings_result_gpu(ctx, settings, which);
        break;
    }
}

static void settings_set_gpu(vs_settings *settings, int which, int value)
{
    vs_gpu_settings gpu;
    if (which == SETTINGS_GPU) {
        settings->gpu_is_off = value == VS_GPU_OFF;
        if (value != VS_GPU_OFF) {
            vs_gpu_set_prefers(value == VS_GPU_PREFER);
        }
        return;
    }
    vs_gpu_read_settings(&gpu);
    switch (which) {
    case SETTINGS_GPU_BUDGET_MB:
        gpu.budget_mb = value;
        break;
    case SETTINGS_GPU_MIN_ROWS:
        gpu.min_rows = value;
        break;
    case SETTINGS_GPU_PRECISION:
        gpu.precision = (vs_gpu_precision)value;
        break;
    default:
        gpu.idle_s = value;
        break;
    }
    vs_gpu_set_settings(&gpu);
}

static void settings_set(vs_settings *settings, int which, int value)
{
    switch (which) {
    case SETTINGS_NORM_INDEX:
        settings->norm_index = (vs_norm_index)value;
        break;
    case SETTINGS_STATS:
        settings->stats = value;
        break;
    case SETTINGS_CACHE_MB: /* this and the threads are the process's */
        vs_cache_set_budget((size_t)value << 20);
        break;
    case SETTINGS_THREADS:
        vs_pool_set_threads(value);
        break;
    case SETTINGS_MAX_DECODED_MB:
        settings->max_decoded_mb = value;
        break;
    default:
        settings_set_gpu(settings, which, value);
        break;
    }
}

/* vec_config(name), vec_config(name, value) */
static void settings_config(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const vs_func *func = sqlite3_user_data(ctx);
    const char *who = func->entry->name;
    vs_settings *settings = &func->conn->settings;
    vs_err err = VS_ERR_INIT;
    int which = 0, value = 0;
    if (vs_func_any_null(argc, argv)) {
        return;
    }
    int rc = settings_find(who, argv[0], &which, &err);
    if (rc == SQLITE_OK && argc == 2) {
        rc = settings_find_value(who, &settings_entries[which], argv[1], &value, &err);
    }
    if (rc != SQLITE_OK) {
        vs_error_result(ctx, rc, &err);
        return;
    }
    if (argc == 2) {
        settings_set(settings, which, value);
    }
    settings_result(ctx, settings, which);
}

static const vs_func_entry settings_functions[] = {
    {"vec_config", 1, SQLITE_INNOCUOUS, 0, settings_config, NULL, NULL},
    {"vec_config", 2, SQLITE_DIRECTONLY, 0, settings_config, NULL, NULL},
};

int vs_settings_register(struct vs_conn *conn)
{
    return vs_func_register_table(conn, settings_functions,
                                  sizeof settings_functions / sizeof settings_functions[0]);
}
