/*
 * bench.h - what the benchmark programs share: races, JSON lines, tables, brute force.
 *
 * A race runs its entries in turn, round after round, so that whatever else the machine does falls
 * on all of them alike; ratios are the median, over the rounds, of the ratio within one round.
 *
 * The programs end with a sentence and exit status 1 at the first error, a wrong answer included.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <sqlite3.h>

/* ---- ending, time, chance (bench_support.c) ---- */

#if defined(__GNUC__)
__attribute__((format(printf, 1, 2), noreturn))
#endif
void bench_die(const char *format, ...);

/*
 * Seconds on a clock that only rises: the wall's, or with BENCH_CLOCK=cpu in the environment the
 * process's own time, for a machine that is busy with other things. All data is in memory, so on an
 * idle machine both are the same.
 */
double bench_now(void);
double bench_wall(void); /* the wall's in any case: for several threads */

void *bench_alloc(size_t bytes);        /* never NULL */
uint64_t bench_random(uint64_t *state); /* splitmix64 */
double bench_gauss(uint64_t *state);    /* mean 0, deviation 1 */

/* ---- races ---- */

enum { BENCH_ROUNDS_MAX = 101 };

typedef struct bench_entry {
    double (*run)(void *context, size_t round); /* runs once, returns seconds */
    void *context;                              /* borrowed */
    double seconds[BENCH_ROUNDS_MAX];
} bench_entry;

/*
 * Runs every entry `rounds` times, in turn, after one unrecorded round. rounds <= BENCH_ROUNDS_MAX
 */
void bench_race(bench_entry *entries, size_t count, size_t rounds);

/* The p-th percentile (0 .. 100) of an entry's times, in seconds. */
double bench_percentile(const bench_entry *entry, size_t rounds, double p);

/* Median over the rounds of time(a) / time(b). */
double bench_ratio(const bench_entry *a, const bench_entry *b, size_t rounds);

/* ---- one JSON line per measurement, on stdout ---- */

/*
 * Opens a line with program, date, machine, versions. VECSHARD_COMMIT in the environment adds
 * "commit".
 */
void bench_line_open(const char *program, const char *measurement);
void bench_line_text(const char *key, const char *value);
void bench_line_number(const char *key, double value);
void bench_line_times(const bench_entry *entry, size_t rounds); /* rounds, best, p50, p95 in ms */
void bench_line_close(void);

/*
 * Adds value, bar and verdict to the open line, and a row to the table of bench_bars_print.
 *
 *   relation  "at most" or "at least"
 *   met       "yes", "no", or "untested" where the machine did not allow to tell; static
 */
void bench_line_bar(const char *what, double value, const char *relation, double bar,
                    const char *unit);
void bench_line_verdict(const char *what, double value, const char *relation, double bar,
                        const char *unit, const char *met);
void bench_bars_print(FILE *out);

/* ---- tables (bench_tables.c) ---- */

/* A generated table `name`(id INTEGER PRIMARY KEY, v BLOB). */
typedef struct bench_set {
    const char *name; /* of the table; the file is <folder>/<name>.db */
    size_t count;
    size_t dim;
    double norm_sigma; /* deviation of the logarithm of the norm; 0: every norm is 1 */
    double spectrum;   /* deviation of axis i is (i + 1)^-spectrum; 0: directions are uniform */
    int has_norm_index;
    int has_covering_index;
    uint64_t seed;
} bench_set;

/* Path of the set's database, made if it is not there; the caller frees it with sqlite3_free. */
char *bench_set_file(const bench_set *set, const char *folder);

/* `count` queries from the same distribution, [count][dim]; the caller frees them. */
float *bench_set_queries(const bench_set *set, size_t count);

/*
 * A connection with the extension; path NULL is ":memory:". `pragma` may be NULL. Closed by
 * sqlite3_close.
 */
sqlite3 *bench_open(const char *path, const char *extension, const char *pragma);
void bench_exec(sqlite3 *db, const char *sql);
sqlite3_stmt *bench_prepare(sqlite3 *db, const char *sql);
double bench_number(sqlite3 *db, const char *sql); /* the first value */

/* ---- brute force (bench_tables.c) ---- */

typedef enum bench_metric { BENCH_L2, BENCH_DOT, BENCH_COSINE, BENCH_METRICS } bench_metric;
extern const char *const bench_metric_names[BENCH_METRICS];

typedef struct bench_hit {
    double distance;
    int64_t id;
} bench_hit;

/*
 * The k nearest rows of each query, in plain double precision, ordered by (distance, id):
 * [query_count][k]. All metrics in one pass: out[metric], the caller frees each. k <= set->count
 */
void bench_brute_force(const bench_set *set, const char *path, const float *queries,
                       size_t query_count, size_t k, bench_hit *out[BENCH_METRICS]);

/*
 * Ends the program when the answer is not the expected one: same ids in the same order, distances
 * within 1e-9.
 */
void bench_check(const char *what, const bench_hit *expected, const bench_hit *found,
                 size_t expected_count, size_t found_count);

/* ---- vectors in memory (bench_vectors.c) ---- */

/* A set of vectors; row i has the id i + 1. */
typedef struct bench_vectors {
    const char *name; /* static */
    size_t count, dim, query_count;
    float *rows; /* [count][dim]: one array, 64-byte aligned, on huge pages where there are any */
    float *queries; /* [query_count][dim] */
} bench_vectors;

/*
 * Makes or reads a set by its name; freed by bench_vectors_free. Returns 0, having said so on
 * stderr, where its files are not on this machine. An unknown name ends the program.
 *
 *   clusters_<dim>_<count>   generated, unit norm, one for each in bench_vectors.c
 *   wordnet                  bench/data/wordnet; the queries are the questions of test/data
 *   mnist                    the folder that MNIST names in the environment
 */
int bench_vectors_load(const char *name, bench_vectors *out);
void bench_vectors_free(bench_vectors *vectors);

/* The first `count` rows of a set, with its queries. Borrowed: not to be freed. */
bench_vectors bench_vectors_head(const bench_vectors *vectors, size_t count);

/*
 * The k nearest rows of each of the first `query_count` queries among the rows for which n_lo <=
 * id % 100 < n_hi, in plain double precision, by (distance, id): [query_count][k], the caller frees
 * it. There must be k such rows.
 */
bench_hit *bench_brute_force_rows(const bench_vectors *vectors, bench_metric metric,
                                  size_t query_count, size_t k, int n_lo, int n_hi);

/*
 * Path of a database with the set in the table docs, row by row with its id, made if it is not
 * there; the caller frees it with sqlite3_free.
 *
 *   BENCH_INDEXED   docs USING vecshard(v float[dim] distance_metric=..., n INTEGER); n = id % 100
 *   BENCH_VEC0      docs USING vec0(v float[dim] distance_metric=...); the environment's SQLITE_VEC_SO
 *   BENCH_PLAIN     docs(id INTEGER PRIMARY KEY, v BLOB)
 */
typedef enum bench_table { BENCH_INDEXED, BENCH_VEC0, BENCH_PLAIN, BENCH_TABLES } bench_table;
char *bench_vectors_file(const bench_vectors *vectors, bench_table table, bench_metric metric,
                         const char *folder);

/* Creates the empty table docs as above; writes rows [from, to) into it. No transaction. */
void bench_vectors_create(sqlite3 *db, const bench_vectors *vectors, bench_table table,
                          bench_metric metric);
void bench_vectors_insert(sqlite3 *db, const bench_vectors *vectors, bench_table table, size_t from,
                          size_t to);

/* What to load for a table: VECSHARD_SO or SQLITE_VEC_SO; NULL for plain tables and where unset. */
const char *bench_table_extension(bench_table table);

/* ---- texts (bench_json.c) ---- */

/* One row of JSON metadata, 200 to 900 bytes, mean about 500; its bytes without the final 0. */
enum { BENCH_JSON_ROW_BYTES = 1200 };
size_t bench_json_row(char *out, size_t room, uint64_t *random);

/* Makes the table docs(id, meta) with so many of them. */
void bench_json_fill(sqlite3 *db, size_t rows);

/* ---- processes (bench_support.c) ---- */

/*
 * Runs `self` again with two arguments and reads the numbers, at most `count`, that it prints, one
 * on each line. A child that fails ends the program.
 */
void bench_child(const char *self, const char *folder, const char *what, double *out, size_t count);
double bench_memory_bytes(const char *key); /* of this process: "VmRSS:" or "VmHWM:" */

#endif
