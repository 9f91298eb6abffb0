/*
 * bench_vectors.c - sets of vectors in memory, the brute force over them, and tables made of them.
 *
 * Generated sets are clusters: a centre has independent normal axes whose deviation falls with the
 * axis, (i + 1)^-spectrum; a row is a centre that is drawn evenly, plus `within` times another such
 * vector, scaled to length 1. With spectrum 0.5, within 1 and 400 clusters, the mean product of two
 * rows of a cluster is 0.5, and of two rows of different ones 0. Queries are drawn in the same way.
 *
 * Called by: bench_index.c, bench_store.c.  Threads: one.
 */
#define _DEFAULT_SOURCE

#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { VECTORS_QUERIES = 64, VECTORS_HUGE_PAGE = 2 << 20, VECTORS_TEXT = 1024 };

/* ---- memory ---- */

static float *vectors_alloc(size_t count, size_t dim)
{
    size_t bytes = count * dim * sizeof(float);
    size_t whole =
        (bytes + VECTORS_HUGE_PAGE - 1) / VECTORS_HUGE_PAGE * VECTORS_HUGE_PAGE + VECTORS_HUGE_PAGE;
    float *memory = aligned_alloc(VECTORS_HUGE_PAGE, whole);

    if (memory == NULL) {
        bench_die("no memory for %zu bytes", whole);
    }
    (void)madvise(memory, whole, MADV_HUGEPAGE); /* without them the scan is a little slower */
    return memory;
}

void bench_vectors_free(bench_vectors *vectors)
{
    free(vectors->rows);
    free(vectors->queries);
    vectors->rows = NULL;
    vectors->queries = NULL;
}

bench_vectors bench_vectors_head(const bench_vectors *vectors, size_t count)
{
    bench_vectors head = *vectors;

    head.count = count;
    return head;
}

/* ---- generated ---- */

typedef struct vectors_clusters {
    const char *name;
    size_t count, dim, clusters;
    double within, spectrum;
    uint64_t seed;
} vectors_clusters;

static const vectors_clusters vectors_generated[] = {
    {"clusters_768_100k", 100000, 768, 400, 1.0, 0.5, 101},
    {"clusters_768_20k", 20000, 768, 400, 1.0, 0.5, 104},
    {"clusters_128_1m", 1000000, 128, 400, 1.0, 0.5, 102},
    {"clusters_384_10k", 10000, 384, 400, 1.0, 0.5, 103},
};

static void clusters_row(const vectors_clusters *set, const double *centres,
                         const double *deviations, uint64_t *state, float *out)
{
    const double *centre = centres + bench_random(state) % set->clusters * set->dim;
    double sumsq = 0.0;

    for (size_t i = 0; i < set->dim; i++) {
        double x = centre[i] + set->within * deviations[i] * bench_gauss(state);
        out[i] = (float)x;
        sumsq += x * x;
    }
    for (size_t i = 0; i < set->dim; i++) {
        out[i] = (float)((double)out[i] / sqrt(sumsq));
    }
}

static void vectors_generate(const vectors_clusters *set, bench_vectors *out)
{
    double *deviations = bench_alloc(set->dim * sizeof *deviations);
    double *centres = bench_alloc(set->clusters * set->dim * sizeof *centres);
    uint64_t state = set->seed;

    for (size_t i = 0; i < set->dim; i++) {
        deviations[i] = pow((double)(i + 1), -set->spectrum);
    }
    for (size_t i = 0; i < set->clusters * set->dim; i++) {
        centres[i] = deviations[i % set->dim] * bench_gauss(&state);
    }
    *out = (bench_vectors){set->name, set->count, set->dim, VECTORS_QUERIES, NULL, NULL};
    out->rows = vectors_alloc(out->count, out->dim);
    out->queries = vectors_alloc(out->query_count, out->dim);
    for (size_t i = 0; i < out->query_count; i++) {
        clusters_row(set, centres, deviations, &state, out->queries + i * out->dim);
    }
    for (size_t i = 0; i < out->count; i++) {
        clusters_row(set, centres, deviations, &state, out->rows + i * out->dim);
    }
    free(deviations);
    free(centres);
}

/* ---- from files ---- */

static int vectors_is_file(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file != NULL) {
        fclose(file);
    }
    return file != NULL;
}

/* What a command prints, exactly `bytes` of it. */
static unsigned char *vectors_read_command(const char *command, size_t bytes)
{
    unsigned char *data = bench_alloc(bytes);
    FILE *pipe = popen(command, "r");

    if (pipe == NULL || fread(data, 1, bytes, pipe) != bytes || pclose(pipe) != 0) {
        bench_die("%s: %zu bytes were expected", command, bytes);
    }
    return data;
}

/* float16 to float32: normal numbers and zeros are all that the questions hold. */
static float vectors_widen(const unsigned char *at)
{
    unsigned bits = at[0] | (unsigned)at[1] << 8;
    float value = ldexpf((float)(bits & 0x3ff) + ((bits & 0x7c00) != 0 ? 1024.0F : 0.0F),
                         (int)((bits & 0x7c00) != 0 ? bits >> 10 & 31 : 1) - 25);

    return (bits & 0x8000) != 0 ? -value : value;
}

static int vectors_load_wordnet(bench_vectors *out)
{
    static const char *const path = "bench/data/wordnet/wordnet.f32";
    FILE *file = fopen(path, "rb");
    unsigned char *questions;

    if (file == NULL) {
        return 0;
    }
    *out = (bench_vectors){"wordnet", 117659, 384, 40, NULL, NULL};
    out->rows = vectors_alloc(out->count, out->dim);
    out->queries = vectors_alloc(out->query_count, out->dim);
    if (fread(out->rows, out->dim * sizeof(float), out->count, file) != out->count) {
        bench_die("%s is not the set that it should be", path);
    }
    fclose(file);
    questions = vectors_read_command("zstd -dcq test/data/questions.f16.zst",
                                     out->query_count * out->dim * 2);
    for (size_t i = 0; i < out->query_count * out->dim; i++) {
        out->queries[i] = vectors_widen(questions + 2 * i);
    }
    free(questions);
    return 1;
}

/* Pixels of an IDX file in gzip, as float32. */
static void vectors_read_idx(const char *path, size_t count, size_t dim, float *out)
{
    char command[VECTORS_TEXT];
    unsigned char *data;

    snprintf(command, sizeof command, "gzip -dc '%s' | head -c %zu", path, 16 + count * dim);
    data = vectors_read_command(command, 16 + count * dim);
    for (size_t i = 0; i < count * dim; i++) {
        out[i] = (float)data[16 + i];
    }
    free(data);
}

static int vectors_load_mnist(bench_vectors *out)
{
    const char *folder = getenv("MNIST");
    char train[VECTORS_TEXT];
    char test[VECTORS_TEXT];

    folder = folder != NULL ? folder : "../shared/mnist";
    snprintf(train, sizeof train, "%.900s/train-images-idx3-ubyte.gz", folder);
    snprintf(test, sizeof test, "%.900s/t10k-images-idx3-ubyte.gz", folder);
    if (!vectors_is_file(train) || !vectors_is_file(test)) {
        return 0;
    }
    *out = (bench_vectors){"mnist", 60000, 784, VECTORS_QUERIES, NULL, NULL};
    out->rows = vectors_alloc(out->count, out->dim);
    out->queries = vectors_alloc(out->query_count, out->dim);
    vectors_read_idx(train, out->count, out->dim, out->rows);
    vectors_read_idx(test, out->query_count, out->dim, out->queries);
    return 1;
}

int bench_vectors_load(const char *name, bench_vectors *out)
{
    int is_there;

    for (size_t i = 0; i < sizeof vectors_generated / sizeof *vectors_generated; i++) {
        if (strcmp(vectors_generated[i].name, name) == 0) {
            fprintf(stderr, "bench: generating %s\n", name);
            vectors_generate(&vectors_generated[i], out);
            return 1;
        }
    }
    if (strcmp(name, "wordnet") == 0) {
        is_there = vectors_load_wordnet(out);
    } else if (strcmp(name, "mnist") == 0) {
        is_there = vectors_load_mnist(out);
    } else {
        bench_die("no set %s", name);
    }
    if (!is_there) {
        fprintf(stderr, "bench: %s is not there, left out\n", name);
    }
    return is_there;
}

/* ---- brute force ---- */

/* Lanes, so that the compiler may keep the sums in wide registers. */
enum { VECTORS_LANES = 8 };

static double vectors_fold(const double *lanes)
{
    double sum = 0.0;

    for (size_t j = 0; j < VECTORS_LANES; j++) {
        sum += lanes[j];
    }
    return sum;
}

static double vectors_dot(const float *a, const float *b, size_t dim)
{
    double lanes[VECTORS_LANES] = {0};

    for (size_t i = 0; i < dim; i += VECTORS_LANES) {
        for (size_t j = 0; j < VECTORS_LANES; j++) {
            lanes[j] += (double)a[i + j] * (double)b[i + j];
        }
    }
    return vectors_fold(lanes);
}

static double vectors_l2sq(const float *a, const float *b, size_t dim)
{
    double lanes[VECTORS_LANES] = {0};

    for (size_t i = 0; i < dim; i += VECTORS_LANES) {
        for (size_t j = 0; j < VECTORS_LANES; j++) {
            double d = (double)a[i + j] - (double)b[i + j];
            lanes[j] += d * d;
        }
    }
    return vectors_fold(lanes);
}

static double vectors_distance(bench_metric metric, const float *q, double q_norm, const float *x,
                               double x_norm, size_t dim)
{
    switch (metric) {
    case BENCH_L2:
        return sqrt(vectors_l2sq(q, x, dim));
    case BENCH_DOT:
        return -vectors_dot(q, x, dim);
    default:
        return 1.0 - vectors_dot(q, x, dim) / (q_norm * x_norm);
    }
}

static int vectors_is_before(bench_hit a, bench_hit b)
{
    return a.distance < b.distance || (a.distance == b.distance && a.id < b.id);
}

bench_hit *bench_brute_force_rows(const bench_vectors *vectors, bench_metric metric,
                                  size_t query_count, size_t k, int n_lo, int n_hi)
{
    size_t dim = vectors->dim;
    bench_hit *hits = bench_alloc(query_count * k * sizeof *hits);
    size_t *counts = bench_alloc(query_count * sizeof *counts);
    double *norms = bench_alloc(query_count * sizeof *norms);

    if (dim % VECTORS_LANES != 0) {
        bench_die("%s: dimension %zu is no multiple of %d", vectors->name, dim, VECTORS_LANES);
    }
    for (size_t i = 0; i < query_count; i++) {
        const float *q = vectors->queries + i * dim;
        norms[i] = sqrt(vectors_dot(q, q, dim));
    }
    for (size_t row = 0; row < vectors->count; row++) {
        const float *x = vectors->rows + row * dim;
        int n = (int)((row + 1) % 100);
        if (n < n_lo || n >= n_hi) {
            continue;
        }
        double x_norm = metric == BENCH_COSINE ? sqrt(vectors_dot(x, x, dim)) : 1.0;
        for (size_t i = 0; i < query_count; i++) {
            bench_hit *list = hits + i * k;
            bench_hit hit = {
                vectors_distance(metric, vectors->queries + i * dim, norms[i], x, x_norm, dim),
                (int64_t)row + 1};
            size_t at = counts[i];
            if (at == k && !vectors_is_before(hit, list[k - 1])) {
                continue;
            }
            at -= at == k;
            counts[i] = at + 1;
            for (; at > 0 && vectors_is_before(hit, list[at - 1]); at--) {
                list[at] = list[at - 1];
            }
            list[at] = hit;
        }
    }
    for (size_t i = 0; i < query_count; i++) {
        if (counts[i] != k) {
            bench_die("%s: fewer than %zu rows between %d and %d", vectors->name, k, n_lo, n_hi);
        }
    }
    free(counts);
    free(norms);
    return hits;
}

/* ---- tables ---- */

const char *bench_table_extension(bench_table table)
{
    static const char *const names[BENCH_TABLES] = {"VECSHARD_SO", "SQLITE_VEC_SO", NULL};

    return names[table] != NULL ? getenv(names[table]) : NULL;
}

void bench_vectors_create(sqlite3 *db, const bench_vectors *vectors, bench_table table,
                          bench_metric metric)
{
    char sql[VECTORS_TEXT];

    if (table == BENCH_PLAIN) {
        snprintf(sql, sizeof sql, "CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB)");
    } else {
        snprintf(sql, sizeof sql,
                 "CREATE VIRTUAL TABLE docs USING %s(v float[%zu] distance_metric=%s%s)",
                 table == BENCH_INDEXED ? "vecshard" : "vec0", vectors->dim,
                 bench_metric_names[metric], table == BENCH_INDEXED ? ", n INTEGER" : "");
    }
    bench_exec(db, sql);
}

void bench_vectors_insert(sqlite3 *db, const bench_vectors *vectors, bench_table table, size_t from,
                          size_t to)
{
    static const char *const forms[BENCH_TABLES] = {
        "INSERT INTO docs(rowid, v, n) VALUES (?1, ?2, ?1 % 100)",
        "INSERT INTO docs(rowid, v) VALUES (?1, ?2)", "INSERT INTO docs(id, v) VALUES (?1, ?2)"};
    sqlite3_stmt *stmt = bench_prepare(db, forms[table]);
    size_t dim = vectors->dim;

    for (size_t i = from; i < to; i++) {
        sqlite3_bind_int64(stmt, 1, (sqlite3_int64)i + 1);
        sqlite3_bind_blob64(stmt, 2, vectors->rows + i * dim, dim * sizeof(float), SQLITE_STATIC);
        if (sqlite3_step(stmt) != SQLITE_DONE) {
            bench_die("cannot insert row %zu: %s", i + 1, sqlite3_errmsg(db));
        }
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
}

char *bench_vectors_file(const bench_vectors *vectors, bench_table table, bench_metric metric,
                         const char *folder)
{
    static const char *const kinds[BENCH_TABLES] = {"vecshard", "vec0", "plain"};
    char *path = sqlite3_mprintf("%s/index_%s_%s_%s.db", folder, vectors->name, kinds[table],
                                 bench_metric_names[metric]);
    char *part = sqlite3_mprintf("%s.part", path);

    if (!vectors_is_file(path)) {
        fprintf(stderr, "bench: making %s\n", path);
        (void)remove(part);
        sqlite3 *db = bench_open(part, bench_table_extension(table),
                                 "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
        bench_exec(db, "BEGIN");
        bench_vectors_create(db, vectors, table, metric);
        bench_vectors_insert(db, vectors, table, 0, vectors->count);
        bench_exec(db, "COMMIT");
        sqlite3_close(db);
        if (rename(part, path) != 0) {
            bench_die("cannot rename %s to %s", part, path);
        }
    }
    sqlite3_free(part);
    return path;
}
