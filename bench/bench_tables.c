/*
 * bench_tables.c - generated tables, connections, and the brute force that answers are compared
 * with.
 *
 * Called by: bench_sqlite.c, bench_strategies.c.  Threads: one connection each; bench_check any.
 */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const bench_metric_names[BENCH_METRICS] = {"l2", "dot", "cosine"};

/* ---- connections ---- */

void bench_exec(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        bench_die("%s: %s", sqlite3_errmsg(db), sql);
    }
}

sqlite3_stmt *bench_prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        bench_die("%s: %s", sqlite3_errmsg(db), sql);
    }
    return stmt;
}

double bench_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = bench_prepare(db, sql);
    if (sqlite3_step(stmt) != SQLITE_ROW) {
        bench_die("%s: %s", sql, sqlite3_errmsg(db));
    }
    double value = sqlite3_column_double(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

sqlite3 *bench_open(const char *path, const char *extension, const char *pragma)
{
    sqlite3 *db;
    char *message = NULL;

    if (sqlite3_open(path == NULL ? ":memory:" : path, &db) != SQLITE_OK) {
        bench_die("cannot open %s: %s", path, sqlite3_errmsg(db));
    }
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
    if (extension != NULL && sqlite3_load_extension(db, extension, NULL, &message) != SQLITE_OK) {
        bench_die("cannot load %s: %s", extension, message);
    }
    if (pragma != NULL) {
        bench_exec(db, pragma);
    }
    return db;
}

/* ---- generated vectors ---- */

static void set_vector(const bench_set *set, uint64_t *state, float *out)
{
    double *v = bench_alloc(set->dim * sizeof *v);
    double sumsq = 0.0;
    double norm = set->norm_sigma > 0.0 ? exp(set->norm_sigma * bench_gauss(state)) : 1.0;

    for (size_t i = 0; i < set->dim; i++) {
        v[i] = bench_gauss(state) * pow((double)(i + 1), -set->spectrum);
        sumsq += v[i] * v[i];
    }
    for (size_t i = 0; i < set->dim; i++) {
        out[i] = (float)(v[i] * norm / sqrt(sumsq));
    }
    free(v);
}

float *bench_set_queries(const bench_set *set, size_t count)
{
    float *queries = bench_alloc(count * set->dim * sizeof *queries);
    uint64_t state = set->seed ^ 0x5155455259U;

    for (size_t i = 0; i < count; i++) {
        set_vector(set, &state, queries + i * set->dim);
    }
    return queries;
}

static void set_write(const bench_set *set, const char *path, const char *extension)
{
    sqlite3 *db =
        bench_open(path, extension,
                   "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-400000");
    char *sql =
        sqlite3_mprintf("CREATE TABLE %s(id INTEGER PRIMARY KEY, v BLOB); BEGIN", set->name);
    float *row = bench_alloc(set->dim * sizeof *row);
    uint64_t state = set->seed;
    sqlite3_stmt *stmt;

    bench_exec(db, sql);
    sqlite3_free(sql);
    sql = sqlite3_mprintf("INSERT INTO %s(id, v) VALUES (?1, ?2)", set->name);
    stmt = bench_prepare(db, sql);
    sqlite3_free(sql);
    for (size_t i = 0; i < set->count; i++) {
        set_vector(set, &state, row);
        sqlite3_bind_int64(stmt, 1, (sqlite3_int64)i + 1);
        sqlite3_bind_blob64(stmt, 2, row, set->dim * sizeof *row, SQLITE_STATIC);
        if (sqlite3_step(stmt) != SQLITE_DONE) {
            bench_die("cannot write %s: %s", path, sqlite3_errmsg(db));
        }
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    bench_exec(db, "COMMIT");
    if (set->has_norm_index) {
        sql = sqlite3_mprintf("CREATE INDEX %s_norm ON %s(vec_norm(v))", set->name, set->name);
        bench_exec(db, sql);
        sqlite3_free(sql);
    }
    if (set->has_covering_index) {
        sql =
            sqlite3_mprintf("CREATE INDEX %s_covering ON %s(vec_norm(v), v)", set->name, set->name);
        bench_exec(db, sql);
        sqlite3_free(sql);
    }
    sqlite3_close(db);
    free(row);
}

char *bench_set_file(const bench_set *set, const char *folder)
{
    const char *extension = getenv("VECSHARD_SO");
    char *path = sqlite3_mprintf("%s/%s.db", folder, set->name);
    char *part = sqlite3_mprintf("%s/%s.part", folder, set->name);
    FILE *file = fopen(path, "rb");

    if (file != NULL) {
        fclose(file);
    } else {
        fprintf(stderr, "bench: making %s\n", path);
        (void)remove(part);
        set_write(set, part, extension);
        if (rename(part, path) != 0) {
            bench_die("cannot rename %s to %s", part, path);
        }
    }
    sqlite3_free(part);
    return path;
}

/* ---- brute force ---- */

static int hit_is_before(const bench_hit *a, const bench_hit *b)
{
    return a->distance < b->distance || (a->distance == b->distance && a->id < b->id);
}

/* Puts a hit into a sorted list of the k best. */
static void hit_insert(bench_hit *hits, size_t k, size_t *count, bench_hit hit)
{
    size_t at = *count;

    if (at == k) {
        if (!hit_is_before(&hit, &hits[k - 1])) {
            return;
        }
        at--;
    } else {
        (*count)++;
    }
    while (at > 0 && hit_is_before(&hit, &hits[at - 1])) {
        hits[at] = hits[at - 1];
        at--;
    }
    hits[at] = hit;
}

/*
 * The sums that every metric comes from; four lanes, so that the compiler may keep them in
 * registers.
 */
static void vector_sums(const float *q, const float *x, size_t dim, double *out_dot,
                        double *out_sumsq, double *out_l2sq)
{
    double dot[4] = {0};
    double sumsq[4] = {0};
    double l2sq[4] = {0};

    for (size_t i = 0; i < dim; i++) {
        double a = (double)q[i];
        double b = (double)x[i];
        dot[i % 4] += a * b;
        sumsq[i % 4] += b * b;
        l2sq[i % 4] += (a - b) * (a - b);
    }
    *out_dot = (dot[0] + dot[1]) + (dot[2] + dot[3]);
    *out_sumsq = (sumsq[0] + sumsq[1]) + (sumsq[2] + sumsq[3]);
    *out_l2sq = (l2sq[0] + l2sq[1]) + (l2sq[2] + l2sq[3]);
}

void bench_brute_force(const bench_set *set, const char *path, const float *queries,
                       size_t query_count, size_t k, bench_hit *out[BENCH_METRICS])
{
    sqlite3 *db = bench_open(path, NULL, "PRAGMA mmap_size=1099511627776");
    char *sql = sqlite3_mprintf("SELECT id, v FROM %s NOT INDEXED", set->name);
    sqlite3_stmt *stmt = bench_prepare(db, sql);
    size_t *counts = bench_alloc(BENCH_METRICS * query_count * sizeof *counts);
    double *query_norms = bench_alloc(query_count * sizeof *query_norms);
    double unused[2];

    sqlite3_free(sql);
    for (int metric = 0; metric < BENCH_METRICS; metric++) {
        out[metric] = bench_alloc(query_count * k * sizeof **out);
    }
    for (size_t i = 0; i < query_count; i++) {
        const float *q = queries + i * set->dim;
        vector_sums(q, q, set->dim, &unused[0], &query_norms[i], &unused[1]);
        query_norms[i] = sqrt(query_norms[i]);
    }
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const float *x = sqlite3_column_blob(stmt, 1);
        if (x == NULL || (size_t)sqlite3_column_bytes(stmt, 1) != set->dim * sizeof *x) {
            bench_die("%s is not the set that it should be; remove it", path);
        }
        for (size_t i = 0; i < query_count; i++) {
            double dot;
            double sumsq;
            double l2sq;
            vector_sums(queries + i * set->dim, x, set->dim, &dot, &sumsq, &l2sq);
            const double distances[BENCH_METRICS] = {sqrt(l2sq), -dot,
                                                     1.0 - dot / (sqrt(sumsq) * query_norms[i])};
            for (int metric = 0; metric < BENCH_METRICS; metric++) {
                bench_hit hit = {distances[metric], sqlite3_column_int64(stmt, 0)};
                hit_insert(out[metric] + i * k, k, &counts[(size_t)metric * query_count + i], hit);
            }
        }
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    free(counts);
    free(query_norms);
}

void bench_check(const char *what, const bench_hit *expected, const bench_hit *found,
                 size_t expected_count, size_t found_count)
{
    if (found_count != expected_count) {
        bench_die("%s: %zu rows found, %zu expected", what, found_count, expected_count);
    }
    for (size_t i = 0; i < expected_count; i++) {
        double error = fabs(found[i].distance - expected[i].distance);
        if (found[i].id != expected[i].id ||
            !(error <= 1e-9 * (1.0 + fabs(expected[i].distance)))) {
            bench_die("%s: place %zu is row %lld at %.12g, expected row %lld at %.12g", what, i + 1,
                      (long long)found[i].id, found[i].distance, (long long)expected[i].id,
                      expected[i].distance);
        }
    }
}
