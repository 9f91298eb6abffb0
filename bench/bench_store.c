/*
 * bench_store.c - what an indexed table costs to write, to open and to keep.
 *
 *     VECSHARD_SO=./vecshard build/bench/bench_store build/bench [part ...]
 *
 * Parts, all when none is named:
 *
 *     first       the first query of a fresh process: opening the file, loading the extension, one
 *                 search of 100,000 x 768, at default settings and with mmap
 *     insert      20,000 x 768 in one transaction, against sqlite-vec and an ordinary table
 *     commit      one row per transaction in WAL: rows per second, bytes of WAL per row
 *     size        the file against the raw vectors; what a partition of ten rows costs
 *     memory      20 connections on 20 threads that search one table, against one connection
 *
 * The environment's SQLITE_VEC_SO names sqlite-vec; what needs it is left out without. One JSON line
 * per measurement on stdout, the table of bars on stderr. The page cache is warm. What is compared
 * writes with the same settings: those of a new database, and synchronous=OFF, which leaves the disk
 * out (insert); WAL with synchronous=NORMAL (commit).
 */
#define _POSIX_C_SOURCE 200809L

#include "bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    STORE_K = 10,
    STORE_ROUNDS = 15,
    STORE_ROUNDS_INSERT = 3,
    STORE_FIRST_ROWS = 2000, /* in the table before rows are written one by one */
    STORE_COMMITS = 1000,
    STORE_PARTITIONS = 1000,
    STORE_PARTITION_ROWS = 10,
    STORE_THREADS = 20,
    STORE_SEARCHES = 60, /* of each thread */
    STORE_TEXT = 512
};

static const char *store_self; /* this program's path */
static const char *store_folder;

static void store_line(const char *measurement, const char *dataset, size_t dim, size_t count)
{
    bench_line_open("bench_store", measurement);
    bench_line_text("dataset", dataset);
    bench_line_number("dim", (double)dim);
    bench_line_number("count", (double)count);
}

static double store_file_bytes(const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0) {
        bench_die("no file %s", path);
    }
    return (double)info.st_size;
}

static void store_remove(const char *path)
{
    char name[STORE_TEXT];

    (void)remove(path);
    snprintf(name, sizeof name, "%.400s-wal", path);
    (void)remove(name);
    snprintf(name, sizeof name, "%.400s-shm", path);
    (void)remove(name);
}

/* ---- part: first ---- */

static const struct {
    const char *name, *child, *pragma;
} store_settings[] = {{"default", "child-first-default", NULL},
                      {"mmap", "child-first-mmap", "PRAGMA mmap_size=1099511627776"}};
enum { STORE_SETTINGS = 2, STORE_FIRST_DIM = 768 };
static const char *const store_first_set = "clusters_768_100k";

static char *store_query_path(void)
{
    return sqlite3_mprintf("%s/first_query.f32", store_folder);
}

/* Prints the seconds, and id and distance of the nearest row. */
static int store_child_first(const char *pragma)
{
    char *path = sqlite3_mprintf("%s/index_%s_vecshard_l2.db", store_folder, store_first_set);
    char *query_path = store_query_path();
    float query[STORE_FIRST_DIM];
    FILE *file = fopen(query_path, "rb");

    if (file == NULL || fread(query, sizeof query, 1, file) != 1) {
        bench_die("cannot read %s", query_path);
    }
    fclose(file);
    double start = bench_wall();
    sqlite3 *db = bench_open(path, getenv("VECSHARD_SO"), pragma);
    sqlite3_stmt *stmt = bench_prepare(
        db, "SELECT rowid, distance FROM docs WHERE v MATCH ?1 AND k = 10 ORDER BY distance");
    sqlite3_int64 id = 0;
    double distance = 0.0;
    sqlite3_bind_blob(stmt, 1, query, sizeof query, SQLITE_STATIC);
    for (size_t count = 0; sqlite3_step(stmt) == SQLITE_ROW; count++) {
        if (count == 0) {
            id = sqlite3_column_int64(stmt, 0);
            distance = sqlite3_column_double(stmt, 1);
        }
    }
    double seconds = bench_wall() - start;
    if (sqlite3_finalize(stmt) != SQLITE_OK) {
        bench_die("%s: %s", path, sqlite3_errmsg(db));
    }
    printf("%.9f\n%lld\n%.17g\n", seconds, (long long)id, distance);
    sqlite3_close(db);
    sqlite3_free(path);
    sqlite3_free(query_path);
    return 0;
}

static double store_run_first(void *context, size_t round)
{
    const int *setting = context;
    double numbers[3];

    (void)round;
    bench_child(store_self, store_folder, store_settings[*setting].child, numbers, 3);
    return numbers[0];
}

static void store_part_first(void)
{
    bench_vectors vectors;
    (void)bench_vectors_load(store_first_set, &vectors);
    sqlite3_free(bench_vectors_file(&vectors, BENCH_INDEXED, BENCH_L2, store_folder));
    bench_hit *expected = bench_brute_force_rows(&vectors, BENCH_L2, 1, 1, 0, 100);
    char *query_path = store_query_path();
    FILE *file = fopen(query_path, "wb");
    int settings[STORE_SETTINGS] = {0, 1};
    bench_entry entries[STORE_SETTINGS];
    char what[STORE_TEXT];

    if (file == NULL || fwrite(vectors.queries, sizeof(float), vectors.dim, file) != vectors.dim ||
        fclose(file) != 0) {
        bench_die("cannot write %s", query_path);
    }
    for (int i = 0; i < STORE_SETTINGS; i++) {
        double numbers[3];
        bench_child(store_self, store_folder, store_settings[i].child, numbers, 3);
        bench_hit found = {numbers[2], (int64_t)numbers[1]};
        bench_check("first query", expected, &found, 1, 1);
        entries[i] = (bench_entry){store_run_first, &settings[i], {0}};
    }
    bench_race(entries, STORE_SETTINGS, STORE_ROUNDS);
    for (int i = 0; i < STORE_SETTINGS; i++) {
        store_line("first query of a fresh process", vectors.name, vectors.dim, vectors.count);
        bench_line_text("store", store_settings[i].name);
        bench_line_times(&entries[i], STORE_ROUNDS);
        snprintf(what, sizeof what, "first query of a fresh process, 100k x 768, %s",
                 store_settings[i].name);
        bench_line_bar(what, 1e3 * bench_percentile(&entries[i], STORE_ROUNDS, 50.0), "at most",
                       20.0, "ms");
        bench_line_close();
    }
    sqlite3_free(query_path);
    free(expected);
    bench_vectors_free(&vectors);
}

/* ---- part: insert ---- */

static const char *const store_table_names[BENCH_TABLES] = {"indexed table", "sqlite-vec, vec0",
                                                            "ordinary table"};

static int store_is_left_out(bench_table table)
{
    return table == BENCH_VEC0 && bench_table_extension(table) == NULL;
}

typedef struct store_insert {
    const bench_vectors *vectors;
    bench_table table;
    const char *pragma;
} store_insert;

static double store_run_insert(void *context, size_t round)
{
    const store_insert *insert = context;
    char *path = sqlite3_mprintf("%s/insert.db", store_folder);

    (void)round;
    if (store_is_left_out(insert->table)) {
        sqlite3_free(path);
        return 1.0;
    }
    store_remove(path);
    sqlite3 *db = bench_open(path, bench_table_extension(insert->table), insert->pragma);
    double start = bench_now();
    bench_exec(db, "BEGIN");
    bench_vectors_create(db, insert->vectors, insert->table, BENCH_L2);
    bench_vectors_insert(db, insert->vectors, insert->table, 0, insert->vectors->count);
    bench_exec(db, "COMMIT");
    double seconds = bench_now() - start;
    sqlite3_close(db);
    store_remove(path);
    sqlite3_free(path);
    return seconds;
}

static void store_insert_race(const bench_vectors *vectors, const char *setting, const char *pragma,
                              int has_bars)
{
    static const double bars[BENCH_TABLES] = {0.0, 3.0, 0.6};
    store_insert inserts[BENCH_TABLES];
    bench_entry entries[BENCH_TABLES];
    char what[STORE_TEXT];

    for (int table = 0; table < BENCH_TABLES; table++) {
        inserts[table] = (store_insert){vectors, (bench_table)table, pragma};
        entries[table] = (bench_entry){store_run_insert, &inserts[table], {0}};
    }
    bench_race(entries, BENCH_TABLES, STORE_ROUNDS_INSERT);
    for (int table = 0; table < BENCH_TABLES; table++) {
        if (store_is_left_out((bench_table)table)) {
            fputs("bench: SQLITE_VEC_SO is not set, sqlite-vec left out\n", stderr);
            continue;
        }
        double ratio = bench_ratio(&entries[table], &entries[BENCH_INDEXED], STORE_ROUNDS_INSERT);
        store_line("insert in one transaction", vectors->name, vectors->dim, vectors->count);
        bench_line_text("table", store_table_names[table]);
        bench_line_text("setting", setting);
        bench_line_times(&entries[table], STORE_ROUNDS_INSERT);
        bench_line_number("rows_per_s",
                          (double)vectors->count /
                              bench_percentile(&entries[table], STORE_ROUNDS_INSERT, 50.0));
        snprintf(what, sizeof what, "insert, one transaction: rows/s / %s",
                 store_table_names[table]);
        if (table != BENCH_INDEXED && has_bars) {
            bench_line_bar(what, ratio, "at least", bars[table], "x");
        } else if (table != BENCH_INDEXED) {
            bench_line_number("ratio", ratio);
        }
        bench_line_close();
    }
}

static void store_part_insert(void)
{
    bench_vectors vectors;

    (void)bench_vectors_load("clusters_768_20k", &vectors);
    store_insert_race(&vectors, "default", NULL, 1);
    store_insert_race(&vectors, "synchronous=OFF", "PRAGMA synchronous=OFF", 0);
    bench_vectors_free(&vectors);
}

/* ---- part: commit ---- */

typedef struct store_commit {
    const bench_vectors *vectors;
    bench_table table;
    const char *pragma;
    double wal_bytes; /* at the end of the last run */
} store_commit;

static double store_run_commit(void *context, size_t round)
{
    store_commit *commit = context;
    char *path = sqlite3_mprintf("%s/commit.db", store_folder);
    char *wal = sqlite3_mprintf("%s-wal", path);

    (void)round;
    if (store_is_left_out(commit->table)) {
        sqlite3_free(path);
        sqlite3_free(wal);
        return 1.0;
    }
    store_remove(path);
    sqlite3 *db = bench_open(path, bench_table_extension(commit->table),
                             "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL");
    bench_exec(db, "BEGIN");
    bench_vectors_create(db, commit->vectors, commit->table, BENCH_L2);
    bench_vectors_insert(db, commit->vectors, commit->table, 0, STORE_FIRST_ROWS);
    bench_exec(db, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
    bench_exec(db, commit->pragma);
    double start = bench_now();
    bench_vectors_insert(db, commit->vectors, commit->table, STORE_FIRST_ROWS,
                         STORE_FIRST_ROWS + STORE_COMMITS);
    double seconds = bench_now() - start;
    commit->wal_bytes = store_file_bytes(wal);
    sqlite3_close(db);
    store_remove(path);
    sqlite3_free(wal);
    sqlite3_free(path);
    return seconds;
}

static void store_part_commit(void)
{
    bench_vectors vectors;
    (void)bench_vectors_load("clusters_768_20k", &vectors);
    store_commit commits[BENCH_TABLES];
    bench_entry entries[BENCH_TABLES];

    for (int table = 0; table < BENCH_TABLES; table++) {
        commits[table] =
            (store_commit){&vectors, (bench_table)table, "PRAGMA wal_autocheckpoint=1000", 0.0};
        entries[table] = (bench_entry){store_run_commit, &commits[table], {0}};
    }
    bench_race(entries, BENCH_TABLES, STORE_ROUNDS_INSERT);
    for (int table = 0; table < BENCH_TABLES; table++) {
        if (store_is_left_out((bench_table)table)) {
            fputs("bench: SQLITE_VEC_SO is not set, sqlite-vec left out\n", stderr);
            continue;
        }
        commits[table].pragma = "PRAGMA wal_autocheckpoint=0";
        (void)store_run_commit(&commits[table], 0);
        double bytes = commits[table].wal_bytes / STORE_COMMITS;
        store_line("one row per transaction, WAL", vectors.name, vectors.dim, STORE_COMMITS);
        bench_line_text("table", store_table_names[table]);
        bench_line_text("setting", "synchronous=NORMAL");
        bench_line_times(&entries[table], STORE_ROUNDS_INSERT);
        bench_line_number("rows_per_s",
                          STORE_COMMITS /
                              bench_percentile(&entries[table], STORE_ROUNDS_INSERT, 50.0));
        bench_line_number("wal_bytes_per_row", bytes);
        if (table == BENCH_INDEXED) {
            bench_line_bar("one row per transaction: bytes of WAL per row", bytes, "at most",
                           24576.0, "B");
        } else if (table == BENCH_VEC0) {
            bench_line_bar(
                "one row per transaction: rows/s / sqlite-vec",
                bench_ratio(&entries[table], &entries[BENCH_INDEXED], STORE_ROUNDS_INSERT),
                "at least", 1.0, "x");
        }
        bench_line_close();
    }
    bench_vectors_free(&vectors);
}

/* ---- part: size ---- */

static double store_partition_bytes(const bench_vectors *vectors)
{
    char *path = sqlite3_mprintf("%s/partitions.db", store_folder);
    char sql[STORE_TEXT];
    size_t dim = vectors->dim;

    store_remove(path);
    sqlite3 *db = bench_open(path, getenv("VECSHARD_SO"), "PRAGMA synchronous=OFF");
    snprintf(sql, sizeof sql,
             "CREATE VIRTUAL TABLE docs USING vecshard(v float[%zu], p INTEGER PARTITION KEY)",
             dim);
    bench_exec(db, sql);
    double empty = store_file_bytes(path);
    bench_exec(db, "BEGIN");
    sqlite3_stmt *stmt = bench_prepare(db, "INSERT INTO docs(v, p) VALUES (?1, ?2)");
    for (size_t i = 0; i < (size_t)STORE_PARTITIONS * STORE_PARTITION_ROWS; i++) {
        sqlite3_bind_blob64(stmt, 1, vectors->rows + i * dim, dim * sizeof(float), SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 2, (sqlite3_int64)(i % STORE_PARTITIONS));
        if (sqlite3_step(stmt) != SQLITE_DONE) {
            bench_die("cannot insert: %s", sqlite3_errmsg(db));
        }
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    bench_exec(db, "COMMIT");
    double full = store_file_bytes(path);
    sqlite3_close(db);
    store_remove(path);
    sqlite3_free(path);
    return (full - empty) / STORE_PARTITIONS;
}

static void store_part_size(void)
{
    bench_vectors vectors;
    (void)bench_vectors_load("clusters_768_100k", &vectors);
    char *path = bench_vectors_file(&vectors, BENCH_INDEXED, BENCH_L2, store_folder);
    double bytes = store_file_bytes(path);
    double raw = (double)(vectors.count * vectors.dim * sizeof(float));

    store_line("size of the file", vectors.name, vectors.dim, vectors.count);
    bench_line_number("bytes", bytes);
    bench_line_bar("size of the file / raw float32, 100k x 768", bytes / raw, "at most", 1.35, "x");
    bench_line_close();
    store_line("size of a partition", vectors.name, vectors.dim, STORE_PARTITION_ROWS);
    bench_line_number("partitions", STORE_PARTITIONS);
    bench_line_bar("size of a partition of 10 rows of 768", store_partition_bytes(&vectors) / 1024,
                   "at most", 64.0, "KiB");
    bench_line_close();
    sqlite3_free(path);
    bench_vectors_free(&vectors);
}

/* ---- part: memory ---- */

typedef struct store_searcher {
    pthread_barrier_t *barrier;
    char *path;
    sqlite3 *db; /* left open */
    int first;
} store_searcher;

static void *store_search(void *context)
{
    store_searcher *searcher = context;
    sqlite3_stmt *read;
    sqlite3_stmt *stmt;

    searcher->db = bench_open(searcher->path, getenv("VECSHARD_SO"), NULL);
    read = bench_prepare(searcher->db, "SELECT v FROM docs WHERE rowid = ?1");
    stmt = bench_prepare(
        searcher->db,
        "SELECT rowid, distance FROM docs WHERE v MATCH ?1 AND k = 10 ORDER BY distance");
    pthread_barrier_wait(searcher->barrier);
    for (int i = 0; i < STORE_SEARCHES; i++) {
        size_t count = 0;
        /* the same rows for each, from another one on: the cache holds what was asked for */
        sqlite3_bind_int(read, 1, 1 + (searcher->first + i) % STORE_SEARCHES);
        if (sqlite3_step(read) != SQLITE_ROW) {
            bench_die("%s: %s", searcher->path, sqlite3_errmsg(searcher->db));
        }
        sqlite3_bind_value(stmt, 1, sqlite3_column_value(read, 0));
        sqlite3_reset(read);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            count++;
        }
        if (sqlite3_reset(stmt) != SQLITE_OK || count != STORE_K) {
            bench_die("%s: %zu rows: %s", searcher->path, count, sqlite3_errmsg(searcher->db));
        }
    }
    sqlite3_finalize(read);
    sqlite3_finalize(stmt);
    return NULL;
}

/* Bytes that SQLite's own page cache of a connection holds. */
static double store_page_cache_bytes(sqlite3 *db)
{
    int now = 0;
    int peak = 0;

    sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_USED, &now, &peak, 0);
    return now;
}

/*
 * Prints what memory grew by, now and at its peak, with every connection still open, and how much
 * of it SQLite's page caches hold.
 */
static int store_child_memory(int count)
{
    static store_searcher searchers[STORE_THREADS];
    pthread_t threads[STORE_THREADS];
    pthread_barrier_t barrier;
    char *path = sqlite3_mprintf("%s/index_%s_vecshard_l2.db", store_folder, store_first_set);
    double before = bench_memory_bytes("VmRSS:");

    pthread_barrier_init(&barrier, NULL, (unsigned)count);
    for (int i = 0; i < count; i++) {
        searchers[i] = (store_searcher){&barrier, path, NULL, i};
        if (pthread_create(&threads[i], NULL, store_search, &searchers[i]) != 0) {
            bench_die("cannot start a thread");
        }
    }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    double page_caches = 0.0;
    for (int i = 0; i < count; i++) {
        page_caches += store_page_cache_bytes(searchers[i].db);
    }
    printf("%.0f\n%.0f\n%.0f\n", bench_memory_bytes("VmRSS:") - before,
           bench_memory_bytes("VmHWM:") - before, page_caches);
    for (int i = 0; i < count; i++) {
        sqlite3_close(searchers[i].db);
    }
    sqlite3_free(path);
    return 0;
}

static void store_part_memory(void)
{
    bench_vectors vectors;
    enum { NOW, PEAK, PAGE_CACHES, NUMBERS };
    double one[NUMBERS];
    double many[NUMBERS];

    (void)bench_vectors_load(store_first_set, &vectors);
    sqlite3_free(bench_vectors_file(&vectors, BENCH_INDEXED, BENCH_L2, store_folder));
    bench_child(store_self, store_folder, "child-memory-1", one, NUMBERS);
    bench_child(store_self, store_folder, "child-memory-20", many, NUMBERS);
    store_line("memory of 20 connections on 20 threads", vectors.name, vectors.dim, vectors.count);
    bench_line_number("one_mib", one[NOW] / 1048576.0);
    bench_line_number("one_peak_mib", one[PEAK] / 1048576.0);
    bench_line_number("one_page_caches_mib", one[PAGE_CACHES] / 1048576.0);
    bench_line_number("many_mib", many[NOW] / 1048576.0);
    bench_line_number("many_peak_mib", many[PEAK] / 1048576.0);
    bench_line_number("many_page_caches_mib", many[PAGE_CACHES] / 1048576.0);
    bench_line_number("ratio_without_page_caches",
                      (many[NOW] - many[PAGE_CACHES]) / (one[NOW] - one[PAGE_CACHES]));
    bench_line_bar("memory of 20 connections on 20 threads / one", many[NOW] / one[NOW], "at most",
                   1.3, "x");
    bench_line_close();
    bench_vectors_free(&vectors);
}

/* ---- all of it ---- */

static const struct {
    const char *name;
    void (*run)(void);
} store_parts[] = {{"first", store_part_first},
                   {"insert", store_part_insert},
                   {"commit", store_part_commit},
                   {"size", store_part_size},
                   {"memory", store_part_memory}};

int main(int argc, char **argv)
{
    store_self = argv[0];
    store_folder = argc > 1 ? argv[1] : NULL;
    if (store_folder == NULL || getenv("VECSHARD_SO") == NULL) {
        bench_die("usage: VECSHARD_SO=./vecshard %s FOLDER [part ...]", argv[0]);
    }
    for (int i = 0; argc == 3 && i < STORE_SETTINGS; i++) {
        if (strcmp(argv[2], store_settings[i].child) == 0) {
            return store_child_first(store_settings[i].pragma);
        }
    }
    if (argc == 3 && strncmp(argv[2], "child-memory-", 13) == 0) {
        return store_child_memory(strcmp(argv[2], "child-memory-1") == 0 ? 1 : STORE_THREADS);
    }
    for (size_t i = 0; i < sizeof store_parts / sizeof *store_parts; i++) {
        int is_wanted = argc == 2;
        for (int j = 2; j < argc; j++) {
            is_wanted |= strcmp(argv[j], store_parts[i].name) == 0;
        }
        if (is_wanted) {
            store_parts[i].run();
        }
    }
    bench_bars_print(stderr);
    return 0;
}
