/*
 * bench_sqlite.c - searches against their floors: what SQLite needs to hand over the same bytes.
 *
 *     VECSHARD_SO=./vecshard build/bench/bench_sqlite build/bench [part ...]
 *
 * Parts, all when none is named:
 *
 *     pass      vec_search and ORDER BY vec_distance_cosine over 100,000 x 768, against stepping
 *               SELECT rowid, v and touching every byte, beside the memory bandwidth
 *     norm      dot by norm index and covering norm index, and l2 left to the planner, against the
 *               full pass, over 1,000,000 x 128 with log-normal norms (sigma 0.6), directions with
 *               a falling spectrum, and uniform
 *     batch     vec_search_batch of 64 queries against 64 single searches
 *     threads   two connections on two threads against one, beside two threads that only compute
 *     load      loading the extension and calling its first function, in a fresh process
 *     memory    what a search adds to the peak memory of a fresh process
 *
 * Every answer is compared with brute force in double precision; a wrong one ends the program. One
 * JSON line per measurement on stdout, the table of bars on stderr. The page cache is warm, except
 * where "cache" says otherwise.
 */
#define _POSIX_C_SOURCE 200809L

#include "bench.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    RUN_K = 10,
    RUN_QUERIES = 64,
    RUN_ROUNDS = 15,
    RUN_ROUNDS_SLOW = 5,
    RUN_SETTINGS = 3,
    RUN_SETTINGS_BARRED = 2, /* the first two have bars */
    RUN_TEXT = 512,
    RUN_BUFFER_BYTES = 512 << 20 /* far beyond any cache */
};
#define RUN_COMPUTING_MIN 1.9 /* two threads that only compute; with less the cores are not free */

static const bench_set sqlite_plain = {"plain", 100000, 768, 0.0, 0.0, 0, 0, 1};
/*
 * Uniform directions are the hardest case: no product comes near |q||x|. Factorised ratings have a
 * falling spectrum.
 */
static const bench_set sqlite_norms = {"norms_128_1m", 1000000, 128, 0.6, 0.0, 1, 1, 12};
static const bench_set sqlite_ratings = {"ratings_128_1m", 1000000, 128, 0.6, 0.5, 1, 1, 15};

static const struct {
    const char *name;
    const char *pragma;
} sqlite_settings[RUN_SETTINGS] = {
    {"default", NULL}, /* 2 MB of page cache: every page is read from the file */
    {"mmap", "PRAGMA mmap_size=1099511627776"}, /* SQLite caps it at 2 GB unless built otherwise */
    {"cache 1 GiB", "PRAGMA cache_size=-1048576"}, /* the whole table stays in SQLite's own cache */
};

static const char *sqlite_self;      /* this program's path */
static const char *sqlite_extension; /* VECSHARD_SO */
static const char *sqlite_folder;

/* A set with its file, queries and answers. */
typedef struct sqlite_case {
    const bench_set *set;
    char *path;
    float *queries;                     /* [RUN_QUERIES][dim] */
    bench_hit *expected[BENCH_METRICS]; /* [RUN_QUERIES][RUN_K] */
} sqlite_case;

static sqlite_case sqlite_case_make(const bench_set *set)
{
    sqlite_case made = {.set = set};

    made.path = bench_set_file(set, sqlite_folder);
    made.queries = bench_set_queries(set, RUN_QUERIES);
    fprintf(stderr, "bench: brute force over %s\n", set->name);
    bench_brute_force(set, made.path, made.queries, RUN_QUERIES, RUN_K, made.expected);
    return made;
}

static void sqlite_case_free(sqlite_case *made)
{
    sqlite3_free(made->path);
    free(made->queries);
    for (int metric = 0; metric < BENCH_METRICS; metric++) {
        free(made->expected[metric]);
    }
}

static void sqlite_line(const char *measurement, const bench_set *set, const char *metric,
                        const char *setting, int threads)
{
    bench_line_open("bench_sqlite", measurement);
    bench_line_text("dataset", set->name);
    bench_line_number("dim", (double)set->dim);
    bench_line_number("count", (double)set->count);
    bench_line_text("metric", metric);
    bench_line_number("k", RUN_K);
    bench_line_number("threads", threads);
    bench_line_text("setting", setting);
    bench_line_text("cache", "warm");
}

/* ---- entries of a race ---- */

static volatile uint64_t sqlite_sink;

/*
 * Reads every byte; plain enough for the compiler to use vectors, wide enough to wait for memory
 * alone.
 */
static uint64_t sqlite_touch(const unsigned char *p, size_t bytes)
{
    uint64_t sum[8] = {0};

    for (size_t i = 0; i + 64 <= bytes; i += 64) {
        for (size_t j = 0; j < 8; j++) {
            uint64_t word;
            memcpy(&word, p + i + 8 * j, sizeof word);
            sum[j] += word;
        }
    }
    for (size_t j = 1; j < 8; j++) {
        sum[0] += sum[j];
    }
    return sum[0];
}

typedef struct sqlite_memory {
    unsigned char *bytes; /* [RUN_BUFFER_BYTES] */
} sqlite_memory;

static double sqlite_run_memory(void *context, size_t round)
{
    const sqlite_memory *memory = context;
    double start = bench_now();

    (void)round;
    sqlite_sink += sqlite_touch(memory->bytes, RUN_BUFFER_BYTES);
    return bench_now() - start;
}

/* The floor: every row through SQLite, every byte touched, nothing else. */
static double sqlite_run_floor(void *context, size_t round)
{
    sqlite3_stmt *stmt = context;
    uint64_t sum = 0;
    double start = bench_now();

    (void)round;
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        sum += (uint64_t)sqlite3_column_int64(stmt, 0);
        const unsigned char *blob = sqlite3_column_blob(stmt, 1);
        sum += sqlite_touch(blob, (size_t)sqlite3_column_bytes(stmt, 1));
    }
    if (sqlite3_reset(stmt) != SQLITE_OK) {
        bench_die("%s", sqlite3_errmsg(sqlite3_db_handle(stmt)));
    }
    sqlite_sink += sum;
    return bench_now() - start;
}

static sqlite3_stmt *sqlite_prepare_floor(sqlite3 *db, const bench_set *set)
{
    char *sql = sqlite3_mprintf("SELECT rowid, v FROM %s NOT INDEXED", set->name);
    sqlite3_stmt *stmt = bench_prepare(db, sql);

    sqlite3_free(sql);
    return stmt;
}

/*
 * Queries that a statement answers, one per round or several. Its columns are id and distance; ?1
 * is the query.
 */
typedef struct sqlite_search {
    const char *what;
    const sqlite_case *made;
    bench_metric metric;
    sqlite3_stmt *stmt;
    size_t repeats; /* queries per round; at most RUN_QUERIES */
    size_t first;   /* query of round 0 */
} sqlite_search;

static double sqlite_run_search(void *context, size_t round)
{
    const sqlite_search *search = context;
    size_t dim = search->made->set->dim;
    double seconds = 0.0;

    for (size_t i = 0; i < search->repeats; i++) {
        size_t query = (search->first + round * search->repeats + i) % RUN_QUERIES;
        bench_hit found[RUN_K];
        size_t count = 0;
        double start = bench_now();
        sqlite3_bind_blob64(search->stmt, 1, search->made->queries + query * dim,
                            dim * sizeof(float), SQLITE_STATIC);
        while (sqlite3_step(search->stmt) == SQLITE_ROW && count < RUN_K) {
            found[count].id = sqlite3_column_int64(search->stmt, 0);
            found[count++].distance = sqlite3_column_double(search->stmt, 1);
        }
        if (sqlite3_reset(search->stmt) != SQLITE_OK) {
            bench_die("%s: %s", search->what, sqlite3_errmsg(sqlite3_db_handle(search->stmt)));
        }
        seconds += bench_now() - start;
        bench_check(search->what, search->made->expected[search->metric] + query * RUN_K, found,
                    RUN_K, count);
    }
    return seconds;
}

/* vec_search with options: `index` is the suffix of an index to force, or NULL. */
static sqlite_search sqlite_search_make(const sqlite_case *made, sqlite3 *db, bench_metric metric,
                                        const char *index)
{
    sqlite_search search = {"vec_search", made, metric, NULL, 1, 0};
    const char *name = made->set->name;
    char option[RUN_TEXT] = "";
    char *sql;

    if (index != NULL) {
        snprintf(option, sizeof option, ",\"index\":\"%s_%s\"", name, index);
    }
    sql = sqlite3_mprintf(
        "SELECT id, distance FROM vec_search('%s', 'v', ?1, %d, '{\"metric\":\"%s\"%s}')", name,
        RUN_K, bench_metric_names[metric], option);
    search.stmt = bench_prepare(db, sql);
    sqlite3_free(sql);
    return search;
}

/* All queries in one statement. Columns: id, distance, by query and rank. */
static double sqlite_run_batch(void *context, size_t round)
{
    const sqlite_search *search = context;
    bench_hit *found = bench_alloc(RUN_QUERIES * RUN_K * sizeof *found);
    size_t bytes = RUN_QUERIES * search->made->set->dim * sizeof(float);
    size_t count = 0;
    double start = bench_now();

    (void)round;
    sqlite3_bind_blob64(search->stmt, 1, search->made->queries, bytes, SQLITE_STATIC);
    while (sqlite3_step(search->stmt) == SQLITE_ROW && count < RUN_QUERIES * RUN_K) {
        found[count].id = sqlite3_column_int64(search->stmt, 0);
        found[count++].distance = sqlite3_column_double(search->stmt, 1);
    }
    if (sqlite3_reset(search->stmt) != SQLITE_OK) {
        bench_die("%s: %s", search->what, sqlite3_errmsg(sqlite3_db_handle(search->stmt)));
    }
    double seconds = bench_now() - start;
    bench_check(search->what, search->made->expected[search->metric], found, RUN_QUERIES * RUN_K,
                count);
    free(found);
    return seconds;
}

static void sqlite_line_rate(const bench_entry *entry, size_t rounds, double rows)
{
    bench_line_times(entry, rounds);
    bench_line_number("rows_per_s", rows / bench_percentile(entry, rounds, 50.0));
}

/* ---- part: pass ---- */

/* The five ways to read the same table, in one race. */
static void sqlite_pass_race(const sqlite_case *made, size_t setting, sqlite_memory *memory)
{
    enum { MEMORY, FLOOR, L2, COSINE, ORDER_BY, WAYS };
    static const char *const names[WAYS] = {
        "memory bandwidth", "floor: SELECT rowid, v, every byte touched", "vec_search l2",
        "vec_search cosine", "ORDER BY vec_distance_cosine(v, ?) LIMIT 10"};
    const bench_set *set = made->set;
    sqlite3 *floor_db = bench_open(made->path, NULL, sqlite_settings[setting].pragma);
    sqlite3 *db = bench_open(made->path, sqlite_extension, sqlite_settings[setting].pragma);
    sqlite_search l2 = sqlite_search_make(made, db, BENCH_L2, NULL);
    sqlite_search cosine = sqlite_search_make(made, db, BENCH_COSINE, NULL);
    sqlite_search order_by = {"ORDER BY", made, BENCH_COSINE, NULL, 1, 0};
    bench_entry entries[WAYS] = {{sqlite_run_memory, memory, {0}},
                                 {sqlite_run_floor, sqlite_prepare_floor(floor_db, set), {0}},
                                 {sqlite_run_search, &l2, {0}},
                                 {sqlite_run_search, &cosine, {0}},
                                 {sqlite_run_search, &order_by, {0}}};
    const double bars[WAYS] = {0.0, 0.0, 1.15, 1.15, 1.35};
    char what[RUN_TEXT];

    order_by.stmt = bench_prepare(db, "SELECT id, vec_distance_cosine(v, ?1) FROM plain"
                                      " ORDER BY vec_distance_cosine(v, ?1) LIMIT 10");
    bench_race(entries, WAYS, RUN_ROUNDS);
    for (int way = 0; way < WAYS; way++) {
        double bytes =
            way == MEMORY ? RUN_BUFFER_BYTES : (double)(set->count * set->dim * sizeof(float));
        sqlite_line(names[way], set, way == L2 ? "l2" : "cosine", sqlite_settings[setting].name, 1);
        if (way == MEMORY) {
            bench_line_times(&entries[way], RUN_ROUNDS);
        } else {
            sqlite_line_rate(&entries[way], RUN_ROUNDS, (double)set->count);
        }
        bench_line_number("gb_per_s",
                          1e-9 * bytes / bench_percentile(&entries[way], RUN_ROUNDS, 50.0));
        if (way > FLOOR) {
            double ratio = bench_ratio(&entries[way], &entries[FLOOR], RUN_ROUNDS);
            snprintf(what, sizeof what, "%.48s, %s / floor", names[way],
                     sqlite_settings[setting].name);
            if (setting < RUN_SETTINGS_BARRED) {
                bench_line_bar(what, ratio, "at most", bars[way], "x");
            } else {
                bench_line_number("ratio", ratio);
            }
        }
        bench_line_close();
    }
    sqlite3_finalize(entries[FLOOR].context);
    sqlite3_finalize(l2.stmt);
    sqlite3_finalize(cosine.stmt);
    sqlite3_finalize(order_by.stmt);
    sqlite3_close(floor_db);
    sqlite3_close(db);
}

static void sqlite_part_pass(void)
{
    sqlite_case made = sqlite_case_make(&sqlite_plain);
    sqlite_memory memory = {bench_alloc(RUN_BUFFER_BYTES)};

    memset(memory.bytes, 1,
           RUN_BUFFER_BYTES); /* otherwise every page would be the one page of zeros */
    for (size_t setting = 0; setting < RUN_SETTINGS; setting++) {
        sqlite_pass_race(&made, setting, &memory);
    }
    free(memory.bytes);
    sqlite_case_free(&made);
}

/* ---- part: norm ---- */

static void sqlite_norm_race(const sqlite_case *made, size_t setting)
{
    enum { DOT_PASS, DOT_NORM, DOT_COVERING, DOT_AUTO, L2_PASS, L2_AUTO, WAYS };
    static const char *const names[WAYS] = {
        "dot, full pass",        "dot, norm index", "dot, covering norm index",
        "dot, planner's choice", "l2, full pass",   "l2, planner's choice"};
    const bench_set *set = made->set;
    const char *directions = set->spectrum > 0.0 ? "falling spectrum" : "uniform";
    const char *setting_name = sqlite_settings[setting].name;
    sqlite3 *db_off = bench_open(made->path, sqlite_extension, sqlite_settings[setting].pragma);
    sqlite3 *db = bench_open(made->path, sqlite_extension, sqlite_settings[setting].pragma);
    sqlite_search searches[WAYS] = {sqlite_search_make(made, db_off, BENCH_DOT, NULL),
                                    sqlite_search_make(made, db, BENCH_DOT, "norm"),
                                    sqlite_search_make(made, db, BENCH_DOT, "covering"),
                                    sqlite_search_make(made, db, BENCH_DOT, NULL),
                                    sqlite_search_make(made, db_off, BENCH_L2, NULL),
                                    sqlite_search_make(made, db, BENCH_L2, NULL)};
    bench_entry entries[WAYS];
    char what[RUN_TEXT];

    bench_exec(db_off, "SELECT vec_config('norm_index', 'off')");
    for (int way = 0; way < WAYS; way++) {
        entries[way].run = sqlite_run_search;
        entries[way].context = &searches[way];
    }
    bench_race(entries, WAYS, RUN_ROUNDS);
    for (int way = 0; way < WAYS; way++) {
        int pass = way < L2_PASS ? DOT_PASS : L2_PASS;
        double ratio = bench_ratio(&entries[pass], &entries[way], RUN_ROUNDS);
        sqlite_line(names[way], set, bench_metric_names[searches[way].metric], setting_name, 1);
        sqlite_line_rate(&entries[way], RUN_ROUNDS, (double)set->count);
        snprintf(what, sizeof what, "%s, %s, %s: speed / pass", names[way], directions,
                 setting_name);
        if (way == DOT_NORM) {
            bench_line_number("speedup", ratio);
        } else if (way == DOT_COVERING || way == DOT_AUTO) {
            bench_line_bar(what, ratio, "at least", 5.0, "x");
        } else if (way == L2_AUTO) {
            snprintf(what, sizeof what, "%s, %s, %s: time / pass", names[way], directions,
                     setting_name);
            bench_line_bar(what, bench_ratio(&entries[way], &entries[pass], RUN_ROUNDS), "at most",
                           1.05, "x");
        }
        bench_line_close();
        sqlite3_finalize(searches[way].stmt);
    }
    sqlite3_close(db);
    sqlite3_close(db_off);
}

static void sqlite_part_norm(void)
{
    const bench_set *const sets[] = {&sqlite_ratings, &sqlite_norms};

    for (size_t i = 0; i < 2; i++) {
        sqlite_case made = sqlite_case_make(sets[i]);
        sqlite_norm_race(&made, 0);
        sqlite_norm_race(&made, 1);
        sqlite_case_free(&made);
    }
}

/* ---- part: batch ---- */

static void sqlite_batch_race(const sqlite_case *made, size_t setting, bench_metric metric)
{
    enum { SINGLE, BATCH, WAYS };
    const bench_set *set = made->set;
    sqlite3 *db = bench_open(made->path, sqlite_extension, sqlite_settings[setting].pragma);
    sqlite_search single = sqlite_search_make(made, db, metric, NULL);
    sqlite_search batch = {"vec_search_batch", made, metric, NULL, RUN_QUERIES, 0};
    bench_entry entries[WAYS] = {{sqlite_run_search, &single, {0}},
                                 {sqlite_run_batch, &batch, {0}}};
    char what[RUN_TEXT];
    char *sql = sqlite3_mprintf(
        "SELECT id, distance FROM vec_search_batch('%s', 'v', ?1, %d, '{\"metric\":\"%s\"}')"
        " ORDER BY query_no, rank",
        set->name, RUN_K, bench_metric_names[metric]);

    batch.stmt = bench_prepare(db, sql);
    sqlite3_free(sql);
    single.repeats = RUN_QUERIES;
    bench_race(entries, WAYS, RUN_ROUNDS_SLOW);
    for (int way = 0; way < WAYS; way++) {
        sqlite_line(way == SINGLE ? "64 searches" : "vec_search_batch of 64", set,
                    bench_metric_names[metric], sqlite_settings[setting].name, 1);
        bench_line_number("queries", RUN_QUERIES);
        bench_line_times(&entries[way], RUN_ROUNDS_SLOW);
        bench_line_number("queries_per_s",
                          RUN_QUERIES / bench_percentile(&entries[way], RUN_ROUNDS_SLOW, 50.0));
        if (way == BATCH) {
            snprintf(what, sizeof what, "batch of 64, %s, %s, %s / 64 single searches", set->name,
                     bench_metric_names[metric], sqlite_settings[setting].name);
            bench_line_bar(what, bench_ratio(&entries[SINGLE], &entries[BATCH], RUN_ROUNDS_SLOW),
                           "at least", 4.0, "x");
        }
        bench_line_close();
    }
    sqlite3_finalize(single.stmt);
    sqlite3_finalize(batch.stmt);
    sqlite3_close(db);
}

static void sqlite_part_batch(void)
{
    sqlite_case made = sqlite_case_make(&sqlite_plain);

    sqlite_batch_race(&made, 0, BENCH_L2);
    sqlite_batch_race(&made, 1, BENCH_L2);
    sqlite_batch_race(&made, 1, BENCH_COSINE);
    sqlite_case_free(&made);
}

/* ---- part: threads ---- */

typedef struct sqlite_team {
    bench_entry entries[2]; /* of the two threads; only their run and context are used */
    int threads;
    size_t round;
    int failed;
} sqlite_team;

static void *sqlite_team_member(void *context)
{
    const bench_entry *entry = context;

    (void)entry->run(entry->context, 0);
    return NULL;
}

/*
 * Time until the last of the threads is through with its work, which is the same for one thread and
 * for two.
 */
static double sqlite_run_team(void *context, size_t round)
{
    sqlite_team *team = context;
    pthread_t threads[2];
    double start = bench_wall();

    (void)round;
    for (int i = 0; i < team->threads; i++) {
        if (pthread_create(&threads[i], NULL, sqlite_team_member, &team->entries[i]) != 0) {
            bench_die("cannot start a thread");
        }
    }
    for (int i = 0; i < team->threads; i++) {
        pthread_join(threads[i], NULL);
    }
    return bench_wall() - start;
}

static double sqlite_run_compute(void *context, size_t round)
{
    uint64_t state = (uint64_t)(uintptr_t)context;
    uint64_t sum = 0;
    double start = bench_now();

    for (int i = 0; i < 300000000; i++) {
        sum += bench_random(&state);
    }
    sqlite_sink += sum + round;
    return bench_now() - start;
}

static void sqlite_threads_race(const sqlite_case *made, size_t setting)
{
    enum { COMPUTE_1, COMPUTE_2, SEARCH_1, SEARCH_2, FLOOR_1, FLOOR_2, WAYS };
    static const char *const names[] = {"only computing", "vec_search l2", "floor"};
    const char *setting_name = sqlite_settings[setting].name;
    sqlite3 *dbs[2];
    sqlite_search searches[2];
    sqlite3_stmt *floors[2];
    sqlite_team teams[WAYS];
    bench_entry entries[WAYS];
    char what[RUN_TEXT];

    memset(teams, 0, sizeof teams);
    for (size_t i = 0; i < 2; i++) {
        dbs[i] = bench_open(made->path, sqlite_extension, sqlite_settings[setting].pragma);
        searches[i] = sqlite_search_make(made, dbs[i], BENCH_L2, NULL);
        searches[i].repeats = 4;
        searches[i].first = 4 * i;
        floors[i] = sqlite_prepare_floor(dbs[i], made->set);
    }
    for (int way = 0; way < WAYS; way++) {
        teams[way].threads = 1 + way % 2;
        entries[way].run = sqlite_run_team;
        entries[way].context = &teams[way];
        for (int i = 0; i < 2; i++) {
            bench_entry *entry = &teams[way].entries[i];
            entry->run = way < SEARCH_1  ? sqlite_run_compute
                         : way < FLOOR_1 ? sqlite_run_search
                                         : sqlite_run_floor;
            entry->context = way < SEARCH_1  ? (void *)&teams[way]
                             : way < FLOOR_1 ? (void *)&searches[i]
                                             : floors[i];
        }
    }
    bench_race(entries, WAYS, RUN_ROUNDS);
    double computing = 2.0 * bench_ratio(&entries[COMPUTE_1], &entries[COMPUTE_2], RUN_ROUNDS);
    for (int way = COMPUTE_2; way < WAYS; way += 2) {
        double scaling = 2.0 * bench_ratio(&entries[way - 1], &entries[way], RUN_ROUNDS);
        sqlite_line(names[way / 2], made->set, "l2", setting_name, 2);
        bench_line_times(&entries[way], RUN_ROUNDS);
        bench_line_number("scaling", scaling);
        bench_line_number("computing", computing);
        if (way == SEARCH_2) {
            const char *otherwise = computing >= RUN_COMPUTING_MIN ? "no" : "untested";
            snprintf(what, sizeof what, "two threads, %s / one (only computing: %.2f)",
                     setting_name, computing);
            bench_line_verdict(what, scaling, "at least", 1.8, "x",
                               scaling >= 1.8 ? "yes" : otherwise);
        }
        bench_line_close();
    }
    for (size_t i = 0; i < 2; i++) {
        sqlite3_finalize(searches[i].stmt);
        sqlite3_finalize(floors[i]);
        sqlite3_close(dbs[i]);
    }
}

static void sqlite_part_threads(void)
{
    sqlite_case made = sqlite_case_make(&sqlite_plain);

    sqlite_threads_race(&made, 0);
    sqlite_threads_race(&made, 1);
    sqlite_case_free(&made);
}

/* ---- parts in a fresh process: load, memory ---- */

/* Runs this program again as "FOLDER child-..." and reads the one number that it prints. */
static double sqlite_child(const char *what)
{
    double number;

    bench_child(sqlite_self, sqlite_folder, what, &number, 1);
    return number;
}

static int sqlite_child_load(void)
{
    sqlite3 *db = bench_open(NULL, NULL, NULL);
    double start;

    bench_exec(db, "SELECT abs(-1)"); /* SQLite's own first statement is not ours to count */
    start = bench_wall();
    if (sqlite3_load_extension(db, sqlite_extension, NULL, NULL) != SQLITE_OK) {
        bench_die("cannot load %s: %s", sqlite_extension, sqlite3_errmsg(db));
    }
    bench_exec(db, "SELECT vec_distance_cosine('[1, 2, 3]', '[4, 5, 6]')");
    printf("%.9f\n", bench_wall() - start);
    return 0;
}

static const struct {
    const char *name;
    const bench_set *set;
    const char *sql; /* ?1 the query */
    size_t queries;
} sqlite_footprints[] = {
    {"child-pass", &sqlite_plain, "SELECT id FROM vec_search('plain', 'v', ?1, 10)", 1},
    {"child-stream", &sqlite_plain, "SELECT id FROM vec_search('plain', 'v', ?1) LIMIT 1000", 1},
    {"child-large", &sqlite_norms, "SELECT id FROM vec_search('norms_128_1m', 'v', ?1, 10)", 1},
    {"child-norm", &sqlite_norms,
     "SELECT id FROM vec_search('norms_128_1m', 'v', ?1, 10, '{\"metric\":\"dot\"}')", 1},
    {"child-batch", &sqlite_plain, "SELECT id FROM vec_search_batch('plain', 'v', ?1, 10)",
     RUN_QUERIES},
};
enum { RUN_FOOTPRINTS = sizeof sqlite_footprints / sizeof *sqlite_footprints };

/* What the search adds to the peak, with the extension loaded and the queries made before. */
static int sqlite_child_memory(int which)
{
    const bench_set *set = sqlite_footprints[which].set;
    size_t queries = sqlite_footprints[which].queries;
    char *path = bench_set_file(set, sqlite_folder);
    float *query = bench_set_queries(set, queries);
    sqlite3 *db = bench_open(path, sqlite_extension, NULL);
    double before = bench_memory_bytes("VmHWM:");
    sqlite3_stmt *stmt = bench_prepare(db, sqlite_footprints[which].sql);
    size_t count = 0;

    sqlite3_bind_blob64(stmt, 1, query, queries * set->dim * sizeof *query, SQLITE_STATIC);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        count++;
    }
    if (sqlite3_finalize(stmt) != SQLITE_OK || count == 0) {
        bench_die("%s: %s", sqlite_footprints[which].sql, sqlite3_errmsg(db));
    }
    printf("%.0f\n", bench_memory_bytes("VmHWM:") - before);
    sqlite3_close(db);
    sqlite3_free(path);
    free(query);
    return 0;
}

static double sqlite_run_load(void *context, size_t round)
{
    (void)context;
    (void)round;
    return sqlite_child("child-load");
}

static void sqlite_part_load(void)
{
    bench_entry entry = {sqlite_run_load, NULL, {0}};

    bench_race(&entry, 1, RUN_ROUNDS);
    bench_line_open("bench_sqlite", "load and first function");
    bench_line_text("cache", "warm");
    bench_line_times(&entry, RUN_ROUNDS);
    bench_line_bar("load and first function call", 1e3 * bench_percentile(&entry, RUN_ROUNDS, 50.0),
                   "at most", 1.0, "ms");
    bench_line_close();
}

static void sqlite_part_memory(void)
{
    char what[RUN_TEXT];

    sqlite3_free(bench_set_file(&sqlite_plain, sqlite_folder));
    sqlite3_free(bench_set_file(&sqlite_norms, sqlite_folder));
    for (int i = 0; i < RUN_FOOTPRINTS; i++) {
        const bench_set *set = sqlite_footprints[i].set;
        double mib = sqlite_child(sqlite_footprints[i].name) / 1048576.0;
        sqlite_line("peak memory of a search", set, "", "default", 1);
        bench_line_text("sql", sqlite_footprints[i].sql);
        bench_line_number("table_mib", (double)(set->count * set->dim * sizeof(float)) / 1048576.0);
        snprintf(what, sizeof what, "peak memory, %s of %s", sqlite_footprints[i].name + 6,
                 set->name);
        bench_line_bar(what, mib, "at most", 16.0, "MiB");
        bench_line_close();
    }
}

/* ---- all of it ---- */

static const struct {
    const char *name;
    void (*run)(void);
} sqlite_parts[] = {{"pass", sqlite_part_pass},   {"norm", sqlite_part_norm},
                    {"batch", sqlite_part_batch}, {"threads", sqlite_part_threads},
                    {"load", sqlite_part_load},   {"memory", sqlite_part_memory}};

static int sqlite_is_wanted(int argc, char **argv, const char *name)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return 1;
        }
    }
    return argc == 2;
}

int main(int argc, char **argv)
{
    sqlite_self = argv[0];
    sqlite_extension = getenv("VECSHARD_SO");
    sqlite_folder = argc > 1 ? argv[1] : NULL;
    if (sqlite_folder == NULL || sqlite_extension == NULL) {
        bench_die("usage: VECSHARD_SO=./vecshard %s FOLDER [pass] [norm] [batch] [threads] [load] "
                  "[memory]",
                  argv[0]);
    }
    if (argc == 3 && strcmp(argv[2], "child-load") == 0) {
        return sqlite_child_load();
    }
    for (int i = 0; argc == 3 && i < RUN_FOOTPRINTS; i++) {
        if (strcmp(argv[2], sqlite_footprints[i].name) == 0) {
            return sqlite_child_memory(i);
        }
    }
    for (size_t i = 0; i < sizeof sqlite_parts / sizeof *sqlite_parts; i++) {
        if (sqlite_is_wanted(argc, argv, sqlite_parts[i].name)) {
            sqlite_parts[i].run();
        }
    }
    bench_bars_print(stderr);
    return 0;
}
