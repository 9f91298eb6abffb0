/*
 * bench_strategies.c - what a row costs by each way of reading it: where ext/plan.c has its
 * constants from.
 *
 *     VECSHARD_SO=./vecshard build/bench/bench_strategies build/bench [only=norms_128_100k]
 *
 * For tables of several shapes, with a norm index and a covering norm index: the time of one pass
 * over the table, and that of walking each index by falling norm through half a percent of the rows
 * to nearly all of them. `cost` is the time per row of the walk over the time per row of the pass.
 * The metric is dot with a distance limit, so that with a query of norm 1 exactly the rows whose
 * norm is at least the limit are read; hardly any of them is a result. Page cache warm, one thread,
 * at SQLite's default settings and with mmap.
 *
 * One JSON line per table, setting, strategy and limit; a summary on stderr.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum { STRATEGY_ROUNDS = 5, STRATEGY_LIMITS = 6, STRATEGY_WAYS = 3 };

static const bench_set strategy_sets[] = {
    {"norms_128_100k", 100000, 128, 0.6, 0.0, 1, 1, 11},
    {"norms_128_1m", 1000000, 128, 0.6, 0.0, 1, 1, 12},
    {"norms_768_100k", 100000, 768, 0.6, 0.0, 1, 1, 13},
    {"norms_768_300k", 300000, 768, 0.6, 0.0, 1, 1, 14},
};

static const struct {
    const char *name;
    const char *pragma;
} strategy_settings[] = {{"default", NULL}, {"mmap", "PRAGMA mmap_size=1099511627776"}};

static const double strategy_limits[STRATEGY_LIMITS] = {4.7, 4.0, 2.7, 1.65, 1.0, 0.4};
static const char *const strategy_ways[STRATEGY_WAYS] = {"pass", "norm index",
                                                         "covering norm index"};

typedef struct strategy_run {
    sqlite3_stmt *stmt;
    size_t rows;
} strategy_run;

static double strategy_step(void *context, size_t round)
{
    strategy_run *run = context;
    double start = bench_now();

    (void)round;
    while (sqlite3_step(run->stmt) == SQLITE_ROW) {
    }
    if (sqlite3_reset(run->stmt) != SQLITE_OK) {
        bench_die("%s", sqlite3_errmsg(sqlite3_db_handle(run->stmt)));
    }
    return bench_now() - start;
}

static size_t strategy_count_rows(sqlite3 *db, const bench_set *set, double norm)
{
    char *sql = sqlite3_mprintf(
        "SELECT count(*) FROM %s INDEXED BY %s_norm WHERE vec_norm(v) >= ?1", set->name, set->name);
    sqlite3_stmt *stmt = bench_prepare(db, sql);
    size_t count = 0;

    sqlite3_free(sql);
    sqlite3_bind_double(stmt, 1, norm);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        count = (size_t)sqlite3_column_int64(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return count;
}

/* A query of norm 1. */
static float *strategy_query(const bench_set *set)
{
    bench_set unit = *set;

    unit.norm_sigma = 0.0;
    return bench_set_queries(&unit, 1);
}

static sqlite3_stmt *strategy_prepare(sqlite3 *db, const bench_set *set, const float *query,
                                      int way, double limit)
{
    char index[128] = "";
    char *sql;
    sqlite3_stmt *stmt;

    if (way > 0) {
        snprintf(index, sizeof index, ",\"index\":\"%s_%s\"", set->name,
                 way == 1 ? "norm" : "covering");
    }
    sql = sqlite3_mprintf("SELECT id FROM vec_search('%s', 'v', ?1, ?2, '{\"metric\":\"dot\"%s}') "
                          "WHERE distance <= ?3",
                          set->name, index);
    stmt = bench_prepare(db, sql);
    sqlite3_free(sql);
    sqlite3_bind_blob64(stmt, 1, query, set->dim * sizeof *query, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2,
                       (sqlite3_int64)set->count); /* never reached: only the limit prunes */
    sqlite3_bind_double(stmt, 3, -limit);
    return stmt;
}

static void strategy_measure(const bench_set *set, const char *path, const char *extension,
                             size_t setting)
{
    sqlite3 *db = bench_open(path, extension, strategy_settings[setting].pragma);
    float *query = strategy_query(set);

    bench_exec(db, "SELECT vec_config('norm_index', 'off')");
    for (int i = 0; i < STRATEGY_LIMITS; i++) {
        strategy_run runs[STRATEGY_WAYS];
        bench_entry entries[STRATEGY_WAYS];
        size_t within = strategy_count_rows(db, set, strategy_limits[i]);

        for (int way = 0; way < STRATEGY_WAYS; way++) {
            runs[way].stmt = strategy_prepare(db, set, query, way, strategy_limits[i]);
            runs[way].rows = way == 0 ? set->count : within;
            entries[way].run = strategy_step;
            entries[way].context = &runs[way];
        }
        bench_race(entries, STRATEGY_WAYS, STRATEGY_ROUNDS);
        for (int way = 0; way < STRATEGY_WAYS; way++) {
            double per_row =
                bench_percentile(&entries[way], STRATEGY_ROUNDS, 50.0) / (double)runs[way].rows;
            double cost = bench_ratio(&entries[way], &entries[0], STRATEGY_ROUNDS) *
                          (double)set->count / (double)runs[way].rows;
            bench_line_open("bench_strategies", "cost of a row");
            bench_line_text("dataset", set->name);
            bench_line_text("setting", strategy_settings[setting].name);
            bench_line_text("cache", "warm");
            bench_line_text("strategy", strategy_ways[way]);
            bench_line_number("dim", (double)set->dim);
            bench_line_number("count", (double)set->count);
            bench_line_number("k", (double)set->count);
            bench_line_number("threads", 1);
            bench_line_number("rows_read", (double)runs[way].rows);
            bench_line_times(&entries[way], STRATEGY_ROUNDS);
            bench_line_number("ns_per_row", 1e9 * per_row);
            bench_line_number("cost", cost);
            bench_line_close();
            if (way > 0 || i == 0) {
                fprintf(stderr, "%-15s %-8s %-20s %6.2f %% of rows %8.0f ns/row   cost %5.2f\n",
                        set->name, strategy_settings[setting].name, strategy_ways[way],
                        100.0 * (double)runs[way].rows / (double)set->count, 1e9 * per_row, cost);
            }
            sqlite3_finalize(runs[way].stmt);
        }
    }
    free(query);
    sqlite3_close(db);
}

int main(int argc, char **argv)
{
    const char *extension = getenv("VECSHARD_SO");
    const char *only = argc > 2 && strncmp(argv[2], "only=", 5) == 0 ? argv[2] + 5 : NULL;

    if (argc < 2 || extension == NULL) {
        bench_die("usage: VECSHARD_SO=./vecshard %s FOLDER [only=TABLE]", argv[0]);
    }
    for (size_t i = 0; i < sizeof strategy_sets / sizeof *strategy_sets; i++) {
        const bench_set *set = &strategy_sets[i];
        if (only != NULL && strcmp(only, set->name) != 0) {
            continue;
        }
        char *path = bench_set_file(set, argv[1]);
        for (size_t setting = 0; setting < sizeof strategy_settings / sizeof *strategy_settings;
             setting++) {
            strategy_measure(set, path, extension, setting);
        }
        sqlite3_free(path);
    }
    return 0;
}
