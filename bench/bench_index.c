/*
 * bench_index.c - searches of an indexed table against a float32 scan at memory speed, and peers.
 *
 *     VECSHARD_SO=./vecshard build/bench/bench_index build/bench [part ...]
 *
 * Parts, all when none is named:
 *
 *     hot-768       100,000 x 768, l2 and cosine, against the float32 scan
 *     hot-128       1,000,000 x 128
 *     hot-wordnet   117,659 x 384, where bench/data/wordnet is there
 *     hot-mnist     60,000 x 784, l2, where MNIST is there
 *     small         10,000 x 384, k = 5: the float32 scan, and sqlite-vector's search of an int8 copy
 *     threads       one thread and two, beside two that only compute
 *     nocache       cache_mb = 0 against sqlite-vec, at default settings and with mmap
 *     filter        conditions that 1, 10 and 50 % of the rows meet
 *     batch         vec_search_batch of 64 against single searches
 *     join          ORDER BY vec_distance_cosine through a join, against reading the vectors
 *     tiers         a cold table against the warm one, queries that were never asked before
 *
 * The float32 scan is the rank kernel of the level in use, which prefetches, over one array with
 * nothing between its rows, and a heap for the k best: what memory allows. A search is the whole
 * statement: bind, every step, reset. "Hot" is the table's cache in memory, not the CPU's: between
 * two searches the scan reads more than any cache holds, but for `small` and `filter`, whose turns
 * are of INDEX_QUERIES searches, and `threads`, with turns of INDEX_TURN_THREADS. Before the first
 * round INDEX_WARM searches are made.
 *
 * The environment's SQLITE_VEC_SO and SQLITE_VECTOR_SO name the peers' libraries; what needs one
 * that is not named is left out. Exact answers are compared with a brute force in double precision;
 * a wrong one ends the program. One JSON line per measurement on stdout, the table of bars on
 * stderr. One thread, except where a line says otherwise.
 */
#define _POSIX_C_SOURCE 200809L

#include "bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/vsk.h"

enum {
    INDEX_K = 10,
    INDEX_K_SMALL = 5,
    INDEX_K_MAX = 16,
    INDEX_QUERIES = 32,
    INDEX_TIER_QUERIES = 8, /* of a round */
    INDEX_BATCH = 64,
    INDEX_TURN_THREADS =
        256, /* searches: a core that was idle is slow for the first milliseconds */
    INDEX_ROUNDS = 31,
    INDEX_WARM = 60, /* searches until all is in memory that comes there */
    INDEX_ROUNDS_SLOW = 9,
    INDEX_BLOCK = 1024, /* rows between two looks at the heap */
    INDEX_TEXT = 512
};
#define INDEX_COMPUTING_MIN                                                                        \
    1.9 /* two threads that only compute; with less the cores are not free */

static const char *index_folder;

static const struct {
    const char *name;
    const char *pragma;
} index_settings[] = {{"default", NULL}, {"mmap", "PRAGMA mmap_size=1099511627776"}};

static sqlite3 *index_open(const char *path, bench_table table, const char *pragma)
{
    sqlite3 *db = bench_open(path, bench_table_extension(table), pragma);

    if (table == BENCH_INDEXED) {
        bench_exec(db, "SELECT vec_config('threads', 1)");
    }
    return db;
}

static void index_line(const char *measurement, const bench_vectors *vectors, const char *metric,
                       size_t k, int threads, const char *store)
{
    bench_line_open("bench_index", measurement);
    bench_line_text("dataset", vectors->name);
    bench_line_number("dim", (double)vectors->dim);
    bench_line_number("count", (double)vectors->count);
    bench_line_text("metric", metric);
    bench_line_number("k", (double)k);
    bench_line_number("threads", threads);
    bench_line_text("store", store);
}

/* ---- entries of a race ---- */

/* The float32 scan. */
typedef struct index_scan {
    const bench_vectors *vectors;
    bench_metric metric;
    size_t k, repeats;
} index_scan;

static volatile double index_sink;

static void index_scan_once(const index_scan *scan, const float *q)
{
    const vsk_table *kernels = vsk_get();
    vsk_rank_fn rank =
        scan->metric == BENCH_L2 ? kernels->rank_l2sq[VSK_F32] : kernels->rank_dot[VSK_F32];
    double sign = scan->metric == BENCH_L2 ? 1.0 : -1.0;
    size_t dim = scan->vectors->dim;
    float out[INDEX_BLOCK];
    vsk_hit hits[INDEX_K_MAX];
    vsk_topk best;

    vsk_topk_init(&best, hits, scan->k);
    for (size_t at = 0; at < scan->vectors->count; at += INDEX_BLOCK) {
        size_t left = scan->vectors->count - at;
        size_t count = left < INDEX_BLOCK ? left : INDEX_BLOCK;
        rank(q, scan->vectors->rows + at * dim, dim * sizeof(float), count, dim, out);
        double worst = vsk_topk_worst(&best);
        for (size_t i = 0; i < count; i++) {
            if (sign * (double)out[i] < worst) {
                vsk_topk_push(&best, sign * (double)out[i], (int64_t)(at + i));
                worst = vsk_topk_worst(&best);
            }
        }
    }
    index_sink = vsk_topk_worst(&best);
}

static double index_run_scan(void *context, size_t round)
{
    const index_scan *scan = context;
    double start = bench_now();

    for (size_t i = 0; i < scan->repeats; i++) {
        size_t query = (round * scan->repeats + i) % scan->vectors->query_count;
        index_scan_once(scan, scan->vectors->queries + query * scan->vectors->dim);
    }
    return bench_now() - start;
}

/*
 * Searches by one statement, a query after the other. Its columns are id and distance; ?1 is the
 * query.
 */
typedef struct index_search {
    const char *what;
    const bench_vectors *vectors;
    sqlite3_stmt *stmt;
    const bench_hit *expected; /* [query_count][k]; borrowed */
    size_t k;
    size_t query_count;
    size_t repeats;     /* queries per round */
    size_t first;       /* query of round 0 */
    int is_approximate; /* count what was found instead of expecting all */
    const char *before; /* SQL that makes a setting, outside the measured time; or NULL */
    size_t found, wanted;
} index_search;

static sqlite3_stmt *index_prepare(sqlite3 *db, size_t k, const char *condition)
{
    char *sql = sqlite3_mprintf(
        "SELECT rowid, distance FROM docs WHERE v MATCH ?1 AND k = %d%s ORDER BY distance", (int)k,
        condition);
    sqlite3_stmt *stmt = bench_prepare(db, sql);

    sqlite3_free(sql);
    return stmt;
}

/* Binds, steps, resets; returns the seconds. */
static double index_step(sqlite3_stmt *stmt, const char *what, const float *query, size_t dim,
                         bench_hit *found, size_t k, size_t *count)
{
    double start = bench_now();

    *count = 0;
    sqlite3_bind_blob64(stmt, 1, query, dim * sizeof(float), SQLITE_STATIC);
    while (sqlite3_step(stmt) == SQLITE_ROW && *count < k) {
        found[*count].id = sqlite3_column_int64(stmt, 0);
        found[(*count)++].distance = sqlite3_column_double(stmt, 1);
    }
    if (sqlite3_reset(stmt) != SQLITE_OK) {
        bench_die("%s: %s", what, sqlite3_errmsg(sqlite3_db_handle(stmt)));
    }
    return bench_now() - start;
}

static void index_count_found(index_search *search, const bench_hit *expected,
                              const bench_hit *found, size_t count)
{
    for (size_t i = 0; i < search->k; i++) {
        for (size_t j = 0; j < count; j++) {
            search->found += expected[i].id == found[j].id;
        }
    }
    search->wanted += search->k;
}

static double index_run_search(void *context, size_t round)
{
    index_search *search = context;
    size_t dim = search->vectors->dim;
    double seconds = 0.0;

    if (search->before != NULL) {
        bench_exec(sqlite3_db_handle(search->stmt), search->before);
    }
    for (size_t i = 0; i < search->repeats; i++) {
        size_t query = (search->first + round * search->repeats + i) % search->query_count;
        const bench_hit *expected = search->expected + query * search->k;
        bench_hit found[INDEX_K_MAX];
        size_t count;
        seconds += index_step(search->stmt, search->what, search->vectors->queries + query * dim,
                              dim, found, search->k, &count);
        if (search->is_approximate) {
            index_count_found(search, expected, found, count);
        } else {
            bench_check(search->what, expected, found, search->k, count);
        }
    }
    return seconds;
}

/* A process that has been searching for a while: cells are loaded, and what is learned is learned. */
static void index_warm(index_search *search)
{
    for (size_t round = 0; round < INDEX_WARM; round++) {
        (void)index_run_search(search, round);
    }
}

/* ---- what the searches of a connection read ---- */

/*
 * Adds to the open line the rows that reached each step, as shares of those scanned, from the
 * columns of vec_stats that are there.
 */
static void index_line_cascade(sqlite3 *db)
{
    static const struct {
        const char *column, *key;
    } steps[] = {{"rows_scanned", "scanned"},
                 {"rows_passed_p", "passed_p"},
                 {"rows_passed_b", "passed_b"},
                 {"rows_passed_c", "passed_c"},
                 {"rows_finished", "refined"}};
    enum { STEPS = sizeof steps / sizeof *steps };
    double sums[STEPS] = {0};
    int is_there[STEPS] = {0};
    double calls = 0.0;
    sqlite3_stmt *stmt = bench_prepare(db, "SELECT * FROM vec_stats WHERE target LIKE '%docs.v'");

    while (sqlite3_step(stmt) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *name = sqlite3_column_name(stmt, i);
            if (strcmp(name, "calls") == 0) {
                calls += sqlite3_column_double(stmt, i);
            }
            for (int step = 0; step < STEPS; step++) {
                if (strcmp(name, steps[step].column) == 0) {
                    sums[step] += sqlite3_column_double(stmt, i);
                    is_there[step] = 1;
                }
            }
        }
    }
    sqlite3_finalize(stmt);
    if (calls > 0.0 && is_there[0]) {
        bench_line_number("scanned_per_search", sums[0] / calls);
    }
    for (int step = 1; step < STEPS; step++) {
        if (is_there[step] && sums[0] > 0.0) {
            bench_line_number(steps[step].key, sums[step] / sums[0]);
            fprintf(stderr, "bench:   %s %.4f %%\n", steps[step].key, 100.0 * sums[step] / sums[0]);
        }
    }
}

/* ---- part: hot ---- */

static void index_hot_race(const bench_vectors *vectors, bench_metric metric, double bar,
                           double aim)
{
    enum { SCAN, SEARCH, AGAIN, WAYS };
    char *path = bench_vectors_file(vectors, BENCH_INDEXED, metric, index_folder);
    sqlite3 *db = index_open(path, BENCH_INDEXED, NULL);
    bench_hit *expected = bench_brute_force_rows(vectors, metric, INDEX_QUERIES, INDEX_K, 0, 100);
    index_scan scan = {vectors, metric, INDEX_K, 1};
    index_search search = {
        .what = "indexed table",
        .vectors = vectors,
        .stmt = index_prepare(db, INDEX_K, ""),
        .expected = expected,
        .k = INDEX_K,
        .query_count = INDEX_QUERIES,
        .repeats = 1,
    };
    index_search again = search; /* with what the last search left in the CPU's caches */
    bench_entry entries[WAYS] = {{index_run_scan, &scan, {0}},
                                 {index_run_search, &search, {0}},
                                 {index_run_search, &again, {0}}};
    char what[INDEX_TEXT];

    again.first = 1;
    index_warm(&search);
    bench_race(entries, WAYS, INDEX_ROUNDS);
    index_line("float32 scan", vectors, bench_metric_names[metric], INDEX_K, 1, "memory");
    bench_line_times(&entries[SCAN], INDEX_ROUNDS);
    bench_line_number("gb_per_s", 1e-9 * (double)(vectors->count * vectors->dim * sizeof(float)) /
                                      bench_percentile(&entries[SCAN], INDEX_ROUNDS, 50.0));
    bench_line_close();
    index_line("search", vectors, bench_metric_names[metric], INDEX_K, 1, "hot");
    bench_line_times(&entries[SEARCH], INDEX_ROUNDS);
    index_line_cascade(db);
    bench_line_number("aim", aim);
    snprintf(what, sizeof what, "%s, %s, hot / float32 scan (aim %.2f)", vectors->name,
             bench_metric_names[metric], aim);
    bench_line_bar(what, bench_ratio(&entries[SEARCH], &entries[SCAN], INDEX_ROUNDS), "at most",
                   bar, "x");
    bench_line_close();
    index_line("search right after another", vectors, bench_metric_names[metric], INDEX_K, 1,
               "hot");
    bench_line_times(&entries[AGAIN], INDEX_ROUNDS);
    bench_line_number("ratio", bench_ratio(&entries[AGAIN], &entries[SCAN], INDEX_ROUNDS));
    bench_line_close();
    sqlite3_finalize(search.stmt);
    sqlite3_close(db);
    sqlite3_free(path);
    free(expected);
}

static void index_part_hot(const char *name, int has_cosine, double bar, double aim)
{
    bench_vectors vectors;

    if (bench_vectors_load(name, &vectors)) {
        index_hot_race(&vectors, BENCH_L2, bar, aim);
        if (has_cosine) {
            index_hot_race(&vectors, BENCH_COSINE, bar, aim);
        }
        bench_vectors_free(&vectors);
    }
}

static void index_part_hot_768(void)
{
    index_part_hot("clusters_768_100k", 1, 0.27, 0.12);
}

static void index_part_hot_128(void)
{
    index_part_hot("clusters_128_1m", 1, 0.33, 0.33);
}

static void index_part_hot_wordnet(void)
{
    index_part_hot("wordnet", 1, 0.27, 0.12);
}

static void index_part_hot_mnist(void)
{
    index_part_hot("mnist", 0, 0.12, 0.06);
}

/* ---- part: small ---- */

/* A connection of sqlite-vector with its int8 copy in memory, or NULL. */
static sqlite3 *index_open_vector(const bench_vectors *vectors)
{
    const char *extension = getenv("SQLITE_VECTOR_SO");
    char sql[INDEX_TEXT];

    if (extension == NULL) {
        fputs("bench: SQLITE_VECTOR_SO is not set, sqlite-vector left out\n", stderr);
        return NULL;
    }
    sqlite3 *db = bench_open(NULL, extension, NULL);
    bench_vectors_create(db, vectors, BENCH_PLAIN, BENCH_L2);
    bench_exec(db, "BEGIN");
    bench_vectors_insert(db, vectors, BENCH_PLAIN, 0, vectors->count);
    bench_exec(db, "COMMIT");
    snprintf(sql, sizeof sql,
             "SELECT vector_init('docs', 'v', 'type=FLOAT32,dimension=%zu,distance=L2');"
             "SELECT vector_quantize('docs', 'v'); SELECT vector_quantize_preload('docs', 'v')",
             vectors->dim);
    bench_exec(db, sql);
    return db;
}

static void index_part_small(void)
{
    enum { SCAN, SEARCH, VECTOR, WAYS };
    static const char *const names[WAYS] = {"float32 scan", "search",
                                            "sqlite-vector, int8 copy, approximate"};
    static const char *const stores[WAYS] = {"memory", "hot", "memory"};
    bench_vectors vectors;
    (void)bench_vectors_load("clusters_384_10k", &vectors);
    char *path = bench_vectors_file(&vectors, BENCH_INDEXED, BENCH_L2, index_folder);
    sqlite3 *db = index_open(path, BENCH_INDEXED, NULL);
    sqlite3 *vector_db = index_open_vector(&vectors);
    bench_hit *expected =
        bench_brute_force_rows(&vectors, BENCH_L2, INDEX_QUERIES, INDEX_K_SMALL, 0, 100);
    index_scan scan = {&vectors, BENCH_L2, INDEX_K_SMALL, INDEX_QUERIES};
    index_search search = {
        .what = "indexed table",
        .vectors = &vectors,
        .stmt = index_prepare(db, INDEX_K_SMALL, ""),
        .expected = expected,
        .k = INDEX_K_SMALL,
        .query_count = INDEX_QUERIES,
        .repeats = INDEX_QUERIES,
    };
    index_search vector = search;
    bench_entry entries[WAYS] = {{index_run_scan, &scan, {0}},
                                 {index_run_search, &search, {0}},
                                 {index_run_search, &vector, {0}}};
    int ways = vector_db != NULL ? WAYS : VECTOR;

    if (vector_db != NULL) {
        vector.what = "sqlite-vector";
        vector.is_approximate = 1;
        vector.stmt = bench_prepare(
            vector_db, "SELECT rowid, distance FROM vector_quantize_scan('docs', 'v', ?1, 5)");
    }
    index_warm(&search);
    bench_race(entries, (size_t)ways, INDEX_ROUNDS);
    for (int way = 0; way < ways; way++) {
        index_line(names[way], &vectors, "l2", INDEX_K_SMALL, 1, stores[way]);
        bench_line_number("queries", INDEX_QUERIES);
        bench_line_times(&entries[way], INDEX_ROUNDS); /* of all queries */
        bench_line_number("us_per_query", 1e6 *
                                              bench_percentile(&entries[way], INDEX_ROUNDS, 50.0) /
                                              INDEX_QUERIES);
        if (way == SEARCH) {
            index_line_cascade(db);
            bench_line_bar("10k x 384, whole statement / float32 scan",
                           bench_ratio(&entries[SEARCH], &entries[SCAN], INDEX_ROUNDS), "at most",
                           0.40, "x");
        } else if (way == VECTOR) {
            bench_line_number("overlap", (double)vector.found / (double)vector.wanted);
            bench_line_bar("10k x 384, whole statement / sqlite-vector's int8 scan",
                           bench_ratio(&entries[SEARCH], &entries[VECTOR], INDEX_ROUNDS), "at most",
                           1.0, "x");
        }
        bench_line_close();
    }
    sqlite3_finalize(search.stmt);
    if (vector_db != NULL) {
        sqlite3_finalize(vector.stmt);
        sqlite3_close(vector_db);
    }
    sqlite3_close(db);
    sqlite3_free(path);
    free(expected);
    bench_vectors_free(&vectors);
}

/* ---- part: threads ---- */

static void *index_compute(void *context)
{
    uint64_t state = (uint64_t)(uintptr_t)context;
    uint64_t sum = 0;

    for (int i = 0; i < 30000000; i++) {
        sum += bench_random(&state);
    }
    return (void *)(uintptr_t)(sum | 1); /* used, so that it is computed */
}

/* The same work on each of `context` (1 or 2) threads: the time until the last one is through. */
static double index_run_compute(void *context, size_t round)
{
    const int *count = context;
    pthread_t threads[2];
    double start = bench_wall();

    for (int i = 0; i < *count; i++) {
        if (pthread_create(&threads[i], NULL, index_compute, context) != 0) {
            bench_die("cannot start a thread");
        }
    }
    for (int i = 0; i < *count; i++) {
        pthread_join(threads[i], NULL);
    }
    index_sink += (double)round;
    return bench_wall() - start;
}

static void index_part_threads(void)
{
    enum { COMPUTE_1, COMPUTE_2, SEARCH_1, SEARCH_2, WAYS };
    static int one = 1;
    static int two = 2;
    bench_vectors vectors;
    (void)bench_vectors_load("clusters_768_100k", &vectors);
    char *path = bench_vectors_file(&vectors, BENCH_INDEXED, BENCH_L2, index_folder);
    sqlite3 *db = index_open(path, BENCH_INDEXED, NULL);
    bench_hit *expected =
        bench_brute_force_rows(&vectors, BENCH_L2, INDEX_QUERIES, INDEX_K, 0, 100);
    index_search search_1 = {
        .what = "indexed table",
        .vectors = &vectors,
        .stmt = index_prepare(db, INDEX_K, ""),
        .expected = expected,
        .k = INDEX_K,
        .query_count = INDEX_QUERIES,
        .repeats = INDEX_TURN_THREADS,
        .before = "SELECT vec_config('threads', 1)",
    };
    index_search search_2 = search_1;
    bench_entry entries[WAYS] = {{index_run_compute, &one, {0}},
                                 {index_run_compute, &two, {0}},
                                 {index_run_search, &search_1, {0}},
                                 {index_run_search, &search_2, {0}}};

    if (getenv("BENCH_CLOCK") != NULL) {
        bench_die("threads: the process's own time adds up both threads: unset BENCH_CLOCK");
    }
    search_2.before = "SELECT vec_config('threads', 2)";
    index_warm(&search_1);
    bench_race(entries, WAYS, INDEX_ROUNDS);
    double computing = 2.0 * bench_ratio(&entries[COMPUTE_1], &entries[COMPUTE_2], INDEX_ROUNDS);
    double scaling = bench_ratio(&entries[SEARCH_1], &entries[SEARCH_2], INDEX_ROUNDS);
    for (int way = SEARCH_1; way < WAYS; way++) {
        index_line("256 searches", &vectors, "l2", INDEX_K, 1 + way - SEARCH_1, "hot");
        bench_line_times(&entries[way], INDEX_ROUNDS);
        if (way == SEARCH_2) {
            bench_line_number("computing", computing);
            const char *otherwise = computing >= INDEX_COMPUTING_MIN ? "no" : "untested";
            bench_line_verdict("100k x 768, l2, hot: one thread / two", scaling, "at least", 1.6,
                               "x", scaling >= 1.6 ? "yes" : otherwise);
        }
        bench_line_close();
    }
    bench_exec(db, "SELECT vec_config('threads', 1)");
    sqlite3_finalize(search_1.stmt);
    search_2.stmt = NULL; /* the same one */
    sqlite3_close(db);
    sqlite3_free(path);
    free(expected);
    bench_vectors_free(&vectors);
}

/* ---- part: nocache ---- */

static void index_nocache_race(const bench_vectors *vectors, size_t setting, double bar,
                               const bench_hit *expected)
{
    enum { SEARCH, VEC0, WAYS };
    const char *pragma = index_settings[setting].pragma;
    char *path = bench_vectors_file(vectors, BENCH_INDEXED, BENCH_L2, index_folder);
    char *vec0_path = bench_vectors_file(vectors, BENCH_VEC0, BENCH_L2, index_folder);
    sqlite3 *db = index_open(path, BENCH_INDEXED, pragma);
    sqlite3 *vec0_db = index_open(vec0_path, BENCH_VEC0, pragma);
    index_search search = {
        .what = "indexed table",
        .vectors = vectors,
        .stmt = index_prepare(db, INDEX_K, ""),
        .expected = expected,
        .k = INDEX_K,
        .query_count = INDEX_QUERIES,
        .repeats = 1,
    };
    index_search vec0 = search;
    bench_entry entries[WAYS] = {{index_run_search, &search, {0}}, {index_run_search, &vec0, {0}}};
    char what[INDEX_TEXT];

    vec0.what = "sqlite-vec";
    vec0.is_approximate = 1; /* float32: near ties may change places */
    vec0.stmt = index_prepare(vec0_db, INDEX_K, "");
    bench_race(entries, WAYS, INDEX_ROUNDS_SLOW);
    for (int way = 0; way < WAYS; way++) {
        index_line(way == SEARCH ? "search, cache_mb = 0" : "sqlite-vec, vec0", vectors, "l2",
                   INDEX_K, 1, index_settings[setting].name);
        bench_line_times(&entries[way], INDEX_ROUNDS_SLOW);
        if (way == SEARCH) {
            index_line_cascade(db);
            snprintf(what, sizeof what, "100k x 768, l2, no cache, %s / sqlite-vec",
                     index_settings[setting].name);
            bench_line_bar(what, bench_ratio(&entries[SEARCH], &entries[VEC0], INDEX_ROUNDS_SLOW),
                           "at most", bar, "x");
        } else {
            bench_line_number("overlap", (double)vec0.found / (double)vec0.wanted);
        }
        bench_line_close();
    }
    sqlite3_finalize(search.stmt);
    sqlite3_finalize(vec0.stmt);
    sqlite3_close(vec0_db);
    sqlite3_close(db);
    sqlite3_free(vec0_path);
    sqlite3_free(path);
}

static void index_part_nocache(void)
{
    bench_vectors vectors;

    if (bench_table_extension(BENCH_VEC0) == NULL) {
        fputs("bench: SQLITE_VEC_SO is not set, nocache left out\n", stderr);
        return;
    }
    (void)bench_vectors_load("clusters_768_100k", &vectors);
    sqlite3 *db = index_open(NULL, BENCH_INDEXED, NULL); /* the settings are the process's */
    sqlite3_stmt *read = bench_prepare(db, "SELECT vec_config('cache_mb')");
    char sql[INDEX_TEXT];
    if (sqlite3_step(read) != SQLITE_ROW) {
        bench_die("vec_config('cache_mb'): %s", sqlite3_errmsg(db));
    }
    snprintf(sql, sizeof sql, "SELECT vec_config('cache_mb', %d)", sqlite3_column_int(read, 0));
    sqlite3_finalize(read);
    bench_hit *expected =
        bench_brute_force_rows(&vectors, BENCH_L2, INDEX_QUERIES, INDEX_K, 0, 100);
    bench_exec(db, "SELECT vec_config('cache_mb', 0)");
    index_nocache_race(&vectors, 0, 0.18, expected);
    index_nocache_race(&vectors, 1, 0.15, expected);
    bench_exec(db, sql);
    sqlite3_close(db);
    free(expected);
    bench_vectors_free(&vectors);
}

/* ---- part: filter ---- */

/* A search of the rows with lo <= n < lo + width; with is_new another lo each time. */
typedef struct index_filter {
    const bench_vectors *vectors;
    sqlite3_stmt *stmt;
    const bench_hit *expected; /* for lo = 0; borrowed */
    int width, is_new;
    int used; /* values of lo used so far */
} index_filter;

static double index_run_filter(void *context, size_t round)
{
    index_filter *filter = context;
    size_t dim = filter->vectors->dim;
    size_t query = round % INDEX_QUERIES;
    int lo = filter->is_new ? ++filter->used : 0; /* 0 is the one that is asked again and again */
    bench_vectors one = *filter->vectors;
    bench_hit found[INDEX_K_MAX];
    bench_hit *own = NULL;
    size_t count;

    if (lo + filter->width > 100) {
        bench_die("filter: no new condition is left");
    }
    if (filter->is_new) {
        one.queries += query * dim;
        one.query_count = 1;
        own = bench_brute_force_rows(&one, BENCH_L2, 1, INDEX_K, lo, lo + filter->width);
    }
    sqlite3_bind_int(filter->stmt, 2, lo);
    sqlite3_bind_int(filter->stmt, 3, lo + filter->width);
    double seconds = index_step(filter->stmt, "filter", filter->vectors->queries + query * dim, dim,
                                found, INDEX_K, &count);
    bench_check("filter", own != NULL ? own : filter->expected + query * INDEX_K, found, INDEX_K,
                count);
    free(own);
    return seconds;
}

/* Searches with conditions, in turns of some or each after one of another kind, when the CPU's cache
 * holds other data; and without conditions in the same two ways. */
enum { FILTER_WIDTHS = 3, FILTER_ALL = 3 * FILTER_WIDTHS, FILTER_WAYS = FILTER_ALL + 2 };
enum { FILTER_TURN, FILTER_ALONE, FILTER_NEW };
static const int filter_widths[FILTER_WIDTHS] = {1, 10, 50};

static void index_print_filters(const bench_vectors *vectors, const bench_entry *entries)
{
    static const char *const names[] = {"filtered search, the same condition again",
                                        "filtered search, the same condition, after other searches",
                                        "filtered search, another condition each time"};
    static const double bars[FILTER_WIDTHS] = {0.5, 1.0, 1.3};
    for (int i = 0; i < FILTER_WAYS; i++) {
        int kind = i / FILTER_WIDTHS, width = i % FILTER_WIDTHS;
        int is_turn = i < FILTER_ALL ? kind == FILTER_TURN : i == FILTER_ALL;
        index_line(i < FILTER_ALL ? names[kind] : "unfiltered search", vectors, "l2", INDEX_K, 1,
                   "hot");
        bench_line_number("queries", is_turn ? INDEX_QUERIES : 1);
        bench_line_times(&entries[i], INDEX_ROUNDS); /* of all queries */
        if (i < FILTER_ALL) {
            double ratio = bench_ratio(&entries[i], &entries[is_turn ? FILTER_ALL : FILTER_ALL + 1],
                                       INDEX_ROUNDS);
            char what[INDEX_TEXT];
            bench_line_number("rows_percent", filter_widths[width]);
            snprintf(what, sizeof what, "100k x 768, filter %d %% / unfiltered",
                     filter_widths[width]);
            if (is_turn) {
                bench_line_bar(what, ratio, "at most", bars[width], "x");
            } else {
                bench_line_number("ratio", ratio);
            }
        }
        bench_line_close();
    }
}

static void index_part_filter(void)
{
    bench_vectors vectors;
    (void)bench_vectors_load("clusters_768_100k", &vectors);
    char *path = bench_vectors_file(&vectors, BENCH_INDEXED, BENCH_L2, index_folder);
    sqlite3 *db = index_open(path, BENCH_INDEXED, NULL);
    bench_hit *expected[FILTER_WIDTHS + 1];
    index_filter filters[FILTER_ALL];
    index_search turns[FILTER_WIDTHS + 1], alone;
    bench_entry entries[FILTER_WAYS];

    for (int i = 0; i <= FILTER_WIDTHS; i++) {
        int width = i < FILTER_WIDTHS ? filter_widths[i] : 100;
        expected[i] = bench_brute_force_rows(&vectors, BENCH_L2, INDEX_QUERIES, INDEX_K, 0, width);
        turns[i] = (index_search){
            .what = "filter",
            .vectors = &vectors,
            .stmt = index_prepare(db, INDEX_K, i < FILTER_WIDTHS ? " AND n >= 0 AND n < ?2" : ""),
            .expected = expected[i],
            .k = INDEX_K,
            .query_count = INDEX_QUERIES,
            .repeats = INDEX_QUERIES,
        };
        if (i < FILTER_WIDTHS) {
            sqlite3_bind_int(turns[i].stmt, 2, width);
        }
        entries[i < FILTER_WIDTHS ? i : FILTER_ALL] =
            (bench_entry){index_run_search, &turns[i], {0}};
    }
    for (int i = FILTER_WIDTHS; i < FILTER_ALL; i++) {
        filters[i] = (index_filter){&vectors,
                                    index_prepare(db, INDEX_K, " AND n >= ?2 AND n < ?3"),
                                    expected[i % FILTER_WIDTHS],
                                    filter_widths[i % FILTER_WIDTHS],
                                    i / FILTER_WIDTHS == FILTER_NEW,
                                    0};
        entries[i] = (bench_entry){index_run_filter, &filters[i], {0}};
    }
    alone = turns[FILTER_WIDTHS];
    alone.repeats = 1;
    entries[FILTER_ALL + 1] = (bench_entry){index_run_search, &alone, {0}};
    index_warm(&alone);
    bench_race(entries, FILTER_WAYS, INDEX_ROUNDS);
    index_print_filters(&vectors, entries);
    for (int i = 0; i <= FILTER_WIDTHS; i++) {
        sqlite3_finalize(turns[i].stmt);
        free(expected[i]);
    }
    for (int i = FILTER_WIDTHS; i < FILTER_ALL; i++) {
        sqlite3_finalize(filters[i].stmt);
    }
    sqlite3_close(db);
    sqlite3_free(path);
    bench_vectors_free(&vectors);
}

/* ---- part: batch ---- */

/* All queries in one statement. */
static double index_run_batch(void *context, size_t round)
{
    const index_search *search = context;
    bench_hit *found = bench_alloc(INDEX_BATCH * INDEX_K * sizeof *found);
    size_t count;
    double seconds =
        index_step(search->stmt, search->what, search->vectors->queries,
                   INDEX_BATCH * search->vectors->dim, found, INDEX_BATCH * INDEX_K, &count);

    (void)round;
    bench_check(search->what, search->expected, found, INDEX_BATCH * INDEX_K, count);
    free(found);
    return seconds;
}

static void index_batch_race(const bench_vectors *vectors, bench_metric metric)
{
    enum { SINGLE, BATCH, WAYS };
    char *path = bench_vectors_file(vectors, BENCH_INDEXED, metric, index_folder);
    sqlite3 *db = index_open(path, BENCH_INDEXED, NULL);
    bench_hit *expected = bench_brute_force_rows(vectors, metric, INDEX_BATCH, INDEX_K, 0, 100);
    index_search single = {
        .what = "indexed table",
        .vectors = vectors,
        .stmt = index_prepare(db, INDEX_K, ""),
        .expected = expected,
        .k = INDEX_K,
        .query_count = INDEX_BATCH,
        .repeats = INDEX_BATCH,
    };
    index_search batch = single;
    bench_entry entries[WAYS] = {{index_run_search, &single, {0}}, {index_run_batch, &batch, {0}}};
    char what[INDEX_TEXT];

    batch.what = "vec_search_batch";
    batch.stmt = bench_prepare(db, "SELECT id, distance FROM vec_search_batch('docs', 'v', ?1, 10)"
                                   " ORDER BY query_no, rank");
    index_warm(&single);
    bench_race(entries, WAYS, INDEX_ROUNDS_SLOW);
    for (int way = 0; way < WAYS; way++) {
        index_line(way == SINGLE ? "64 searches" : "vec_search_batch of 64", vectors,
                   bench_metric_names[metric], INDEX_K, 1, "hot");
        bench_line_number("queries", INDEX_BATCH);
        bench_line_times(&entries[way], INDEX_ROUNDS_SLOW);
        if (way == BATCH) {
            snprintf(what, sizeof what, "100k x 768, %s, batch of 64 / single, per query",
                     bench_metric_names[metric]);
            bench_line_bar(what, bench_ratio(&entries[BATCH], &entries[SINGLE], INDEX_ROUNDS_SLOW),
                           "at most", 0.35, "x");
        }
        bench_line_close();
    }
    sqlite3_finalize(single.stmt);
    sqlite3_finalize(batch.stmt);
    sqlite3_close(db);
    sqlite3_free(path);
    free(expected);
}

static void index_part_batch(void)
{
    bench_vectors vectors;

    (void)bench_vectors_load("clusters_768_100k", &vectors);
    index_batch_race(&vectors, BENCH_L2);
    index_batch_race(&vectors, BENCH_COSINE);
    bench_vectors_free(&vectors);
}

/* ---- part: join ---- */

/* Steps a statement without parameters to its end. */
static double index_run_plain(void *context, size_t round)
{
    sqlite3_stmt *stmt = context;
    double start = bench_now();

    while (sqlite3_step(stmt) == SQLITE_ROW) {
        index_sink = sqlite3_column_double(stmt, 0) + (double)round;
    }
    if (sqlite3_reset(stmt) != SQLITE_OK) {
        bench_die("%s", sqlite3_errmsg(sqlite3_db_handle(stmt)));
    }
    return bench_now() - start;
}

static void index_join_race(const bench_vectors *vectors, size_t setting, const bench_hit *expected)
{
    enum { READ, READ_JOIN, ORDER, WAYS };
    static const char *const names[WAYS] = {"SELECT sum(length(v))",
                                            "SELECT sum(length(v)) through the join",
                                            "ORDER BY vec_distance_cosine through a join"};
    char *path = bench_vectors_file(vectors, BENCH_INDEXED, BENCH_COSINE, index_folder);
    sqlite3 *db = index_open(path, BENCH_INDEXED, index_settings[setting].pragma);
    index_search order = {
        .what = names[ORDER],
        .vectors = vectors,
        .expected = expected,
        .k = INDEX_K,
        .query_count = INDEX_QUERIES,
        .repeats = 1,
    };
    bench_entry entries[WAYS];
    char what[INDEX_TEXT];

    bench_exec(db, "CREATE TEMP TABLE meta(id INTEGER PRIMARY KEY, title TEXT);"
                   "INSERT INTO meta SELECT rowid, 'row ' || rowid FROM docs");
    order.stmt =
        bench_prepare(db, "SELECT m.id, vec_distance_cosine(t.v, ?1) AS near FROM docs AS t"
                          " JOIN temp.meta AS m ON m.id = t.rowid ORDER BY near LIMIT 10");
    entries[READ] =
        (bench_entry){index_run_plain, bench_prepare(db, "SELECT sum(length(v)) FROM docs"), {0}};
    entries[READ_JOIN] = (bench_entry){index_run_plain,
                                       bench_prepare(db, "SELECT sum(length(t.v)) FROM docs AS t"
                                                         " JOIN temp.meta AS m ON m.id = t.rowid"),
                                       {0}};
    entries[ORDER] = (bench_entry){index_run_search, &order, {0}};
    bench_race(entries, WAYS, INDEX_ROUNDS_SLOW);
    for (int way = 0; way < WAYS; way++) {
        index_line(names[way], vectors, "cosine", INDEX_K, 1, index_settings[setting].name);
        bench_line_times(&entries[way], INDEX_ROUNDS_SLOW);
        if (way == ORDER) {
            bench_line_number("ratio_to_join",
                              bench_ratio(&entries[ORDER], &entries[READ_JOIN], INDEX_ROUNDS_SLOW));
            snprintf(what, sizeof what, "ORDER BY through a join, %s / sum(length(v))",
                     index_settings[setting].name);
            bench_line_bar(what, bench_ratio(&entries[ORDER], &entries[READ], INDEX_ROUNDS_SLOW),
                           "at most", 1.5, "x");
        }
        bench_line_close();
    }
    sqlite3_finalize(entries[READ].context);
    sqlite3_finalize(entries[READ_JOIN].context);
    sqlite3_finalize(order.stmt);
    sqlite3_close(db);
    sqlite3_free(path);
}

static void index_part_join(void)
{
    bench_vectors vectors;
    (void)bench_vectors_load("clusters_768_100k", &vectors);
    bench_hit *expected =
        bench_brute_force_rows(&vectors, BENCH_COSINE, INDEX_QUERIES, INDEX_K, 0, 100);

    index_join_race(&vectors, 0, expected);
    index_join_race(&vectors, 1, expected);
    free(expected);
    bench_vectors_free(&vectors);
}

/* ---- all of it ---- */

/* ---- part: tiers ---- */

/* Searches of one of two tables with the same rows; each is asked the same new queries. */
typedef struct index_tier {
    const char *name;
    const bench_vectors *vectors;
    sqlite3_stmt *stmt;
    bench_hit (*answers)[INDEX_K]; /* of the round's queries: the first table writes, the second
                                      compares */
    int is_first;
} index_tier;

/* A query between two others, and off them a little: the same for the same number. */
static void index_new_query(const bench_vectors *vectors, size_t number, float *out)
{
    uint64_t random = number * 7919 + 1;
    const float *a = vectors->queries + bench_random(&random) % vectors->query_count * vectors->dim;
    const float *b = vectors->queries + bench_random(&random) % vectors->query_count * vectors->dim;

    for (size_t i = 0; i < vectors->dim; i++) {
        double noise = (double)(bench_random(&random) >> 40) * 0x1p-24 - 0.5;
        out[i] = 0.5f * (a[i] + b[i]) + 0.02f * (float)noise;
    }
}

static double index_run_tier(void *context, size_t round)
{
    index_tier *tier = context;
    size_t dim = tier->vectors->dim;
    float *query = malloc(dim * sizeof *query);
    double seconds = 0.0;

    for (size_t i = 0; i < INDEX_TIER_QUERIES; i++) {
        bench_hit found[INDEX_K_MAX];
        size_t count;
        index_new_query(tier->vectors, round * INDEX_TIER_QUERIES + i, query);
        seconds += index_step(tier->stmt, tier->name, query, dim, found, INDEX_K, &count);
        if (tier->is_first) {
            memcpy(tier->answers[i], found, sizeof tier->answers[i]);
        } else if (count != INDEX_K ||
                   memcmp(tier->answers[i], found, sizeof tier->answers[i]) != 0) {
            bench_die("%s: an answer differs from that of the warm table", tier->name);
        }
    }
    free(query);
    return seconds;
}

/* A copy of the table that is cold: made anew each time. */
static sqlite3 *index_open_cold(const char *path)
{
    char *cold_path = sqlite3_mprintf("%s-cold", path);
    sqlite3 *db = index_open(path, BENCH_INDEXED, NULL);
    char *sql = sqlite3_mprintf("VACUUM INTO %Q", cold_path);

    (void)remove(cold_path);
    bench_exec(db, sql);
    sqlite3_free(sql);
    sqlite3_close(db);
    db = index_open(cold_path, BENCH_INDEXED, NULL);
    bench_exec(db, "INSERT INTO docs(docs, arg) VALUES('tier', 'cold')");
    bench_exec(db, "VACUUM");
    sqlite3_free(cold_path);
    return db;
}

static double index_pages_bytes(sqlite3 *db)
{
    sqlite3_stmt *stmt = bench_prepare(db, "SELECT page_count * page_size FROM pragma_page_count, "
                                           "pragma_page_size");
    double bytes = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_double(stmt, 0) : 0.0;

    sqlite3_finalize(stmt);
    return bytes;
}

static void index_part_tiers(void)
{
    enum { WARM, COLD, WAYS };
    static bench_hit answers[INDEX_TIER_QUERIES][INDEX_K];
    bench_vectors vectors;
    (void)bench_vectors_load("clusters_768_100k", &vectors);
    char *path = bench_vectors_file(&vectors, BENCH_INDEXED, BENCH_L2, index_folder);
    sqlite3 *dbs[WAYS] = {index_open(path, BENCH_INDEXED, NULL), index_open_cold(path)};
    index_tier tiers[WAYS] = {
        {"warm", &vectors, index_prepare(dbs[WARM], INDEX_K, ""), answers, 1},
        {"cold", &vectors, index_prepare(dbs[COLD], INDEX_K, ""), answers, 0}};
    bench_entry entries[WAYS] = {{index_run_tier, &tiers[WARM], {0}},
                                 {index_run_tier, &tiers[COLD], {0}}};

    bench_race(entries, WAYS, INDEX_ROUNDS);
    for (int way = 0; way < WAYS; way++) {
        index_line("8 searches, new queries", &vectors, "l2", INDEX_K, 1, tiers[way].name);
        bench_line_number("bytes", index_pages_bytes(dbs[way]));
        bench_line_times(&entries[way], INDEX_ROUNDS);
        if (way == COLD) {
            bench_line_bar("100k x 768, l2, new queries, cold / warm",
                           bench_ratio(&entries[COLD], &entries[WARM], INDEX_ROUNDS), "at most",
                           3.0, "x");
        }
        bench_line_close();
        sqlite3_finalize(tiers[way].stmt);
        sqlite3_close(dbs[way]);
    }
    sqlite3_free(path);
    bench_vectors_free(&vectors);
}

static const struct {
    const char *name;
    void (*run)(void);
} index_parts[] = {{"hot-768", index_part_hot_768},
                   {"hot-128", index_part_hot_128},
                   {"hot-wordnet", index_part_hot_wordnet},
                   {"hot-mnist", index_part_hot_mnist},
                   {"small", index_part_small},
                   {"threads", index_part_threads},
                   {"nocache", index_part_nocache},
                   {"filter", index_part_filter},
                   {"batch", index_part_batch},
                   {"join", index_part_join},
                   {"tiers", index_part_tiers}};

int main(int argc, char **argv)
{
    index_folder = argc > 1 ? argv[1] : NULL;
    if (index_folder == NULL || getenv("VECSHARD_SO") == NULL ||
        vsk_init(getenv("VECSHARD_CPU")) != 0) {
        bench_die("usage: VECSHARD_SO=./vecshard %s FOLDER [part ...]", argv[0]);
    }
    for (size_t i = 0; i < sizeof index_parts / sizeof *index_parts; i++) {
        int is_wanted = argc == 2;
        for (int j = 2; j < argc; j++) {
            is_wanted |= strcmp(argv[j], index_parts[i].name) == 0;
        }
        if (is_wanted) {
            index_parts[i].run();
        }
    }
    bench_bars_print(stderr);
    return 0;
}
