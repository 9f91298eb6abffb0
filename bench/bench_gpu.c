/*
 * bench_gpu.c - searches on a GPU against its floors, the CPU, and each other's formats.
 *
 *     bench_gpu FOLDER [rows=1000000] [dim=768] [indexed_rows=1000000] [batch_max=1024]
 *               [small=20000] [seconds=1] [tflops=790] [copy=PROGRAM]
 *
 * Times are of whole SQL statements: bind, step through all rows, reset. `copy` is the program of
 * copy_gpu.cu: the card's own copying speed is measured first. A floor is what the format's bytes
 * take at this speed, or the products at `tflops` (by default that of a card that is known), if that
 * is more. `small` is the largest of the small tables. VECSHARD_SO names the extension, which finds
 * its module as always (VECSHARD_CUDA_LIB). JSON lines go to the output, a
 * table to stderr, both as they come.
 *
 * Exit status 1: wrong answers, no answer of the GPU, or other errors; 3: a bar was missed, or a
 * format had no room.
 */
#define _POSIX_C_SOURCE 200809L

#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GPU_K = 10, GPU_BATCHES = 4, GPU_POOL = 4096 };
#define GPU_CPU_SECONDS 12.0 /* a batch that would take the CPU longer is left out */

static const size_t gpu_batches[GPU_BATCHES] = {1, 8, 64, 1024};
static const char *const gpu_formats[] = {"f16", "f32", "int8"};
/* "f32" is f16 with the vectors beside it. */
static const char *const gpu_format_names[] = {"f16", "f16 + vectors", "int8"};

/* ---- arguments ------------------------------------------------------------------------------- */

typedef struct gpu_arguments {
    const char *folder, *copy;
    size_t rows, dim, indexed_rows, batch_max, small;
    double seconds, tflops;
} gpu_arguments;

static gpu_arguments gpu_args = {NULL, NULL, 1000000, 768, 1000000, 1024, 20000, 1.0, 0.0};

static void gpu_read_arguments(int argc, char **argv)
{
    if (argc < 2) {
        bench_die("usage: bench_gpu FOLDER [name=value...]");
    }
    gpu_args.folder = argv[1];
    for (int i = 2; i < argc; i++) {
        const char *value = strchr(argv[i], '=');
        size_t length = value != NULL ? (size_t)(value - argv[i]) : 0;
        struct {
            const char *name;
            size_t *number;
        } names[] = {{"rows", &gpu_args.rows},
                     {"dim", &gpu_args.dim},
                     {"indexed_rows", &gpu_args.indexed_rows},
                     {"batch_max", &gpu_args.batch_max},
                     {"small", &gpu_args.small}};
        int is_known = 0;
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            if (length == strlen(names[n].name) && memcmp(argv[i], names[n].name, length) == 0) {
                *names[n].number = (size_t)strtoull(value + 1, NULL, 10);
                is_known = 1;
            }
        }
        if (strncmp(argv[i], "seconds=", 8) == 0) {
            gpu_args.seconds = atof(value + 1);
        } else if (strncmp(argv[i], "tflops=", 7) == 0) {
            gpu_args.tflops = atof(value + 1);
        } else if (strncmp(argv[i], "copy=", 5) == 0) {
            gpu_args.copy = value + 1;
        } else if (!is_known) {
            bench_die("bench_gpu: what is %s?", argv[i]);
        }
    }
}

/* ---- data: unit vectors, from a seed and a row's number ---------------------------------------- */

static void gpu_vector(uint64_t seed, size_t row, size_t dim, float *out)
{
    uint64_t state = seed + row * 0x2545f4914f6cdd1dU;
    double sumsq = 0.0;

    for (size_t i = 0; i < dim; i += 2) {
        uint64_t bits = bench_random(&state);
        out[i] = (float)(int32_t)(bits >> 32);
        sumsq += (double)out[i] * (double)out[i];
        if (i + 1 < dim) {
            out[i + 1] = (float)(int32_t)bits;
            sumsq += (double)out[i + 1] * (double)out[i + 1];
        }
    }
    float scale = (float)(1.0 / sqrt(sumsq));
    for (size_t i = 0; i < dim; i++) {
        out[i] *= scale;
    }
}

/* Writes rows 1 .. rows; says how long it took. */
static void gpu_fill(sqlite3 *db, const char *table, size_t rows)
{
    char *sql = sqlite3_mprintf("INSERT INTO %s(id, v) VALUES (?1, ?2)", table);
    sqlite3_stmt *stmt;
    float *vector = bench_alloc(gpu_args.dim * sizeof *vector);
    double begin = bench_wall();

    bench_exec(db, "BEGIN");
    stmt = bench_prepare(db, sql);
    for (size_t i = 0; i < rows; i++) {
        gpu_vector(1, i, gpu_args.dim, vector);
        sqlite3_bind_int64(stmt, 1, (sqlite3_int64)i + 1);
        sqlite3_bind_blob64(stmt, 2, vector, gpu_args.dim * sizeof *vector, SQLITE_STATIC);
        if (sqlite3_step(stmt) != SQLITE_DONE) {
            bench_die("%s: %s", sql, sqlite3_errmsg(db));
        }
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    bench_exec(db, "COMMIT");
    fprintf(stderr, "bench_gpu: %zu rows of %s in %.1f s\n", rows, table, bench_wall() - begin);
    sqlite3_free(sql);
    free(vector);
}

/* ---- the card -------------------------------------------------------------------------------- */

static double gpu_copy_gbs;    /* 0: not measured */
static char gpu_card[96];      /* "" : none */
static double gpu_card_driver; /* as CUDA counts: 13000 */

static void gpu_measure_copy(void)
{
    FILE *program = gpu_args.copy != NULL ? popen(gpu_args.copy, "r") : NULL;

    if (program != NULL) {
        if (fscanf(program, "%lf", &gpu_copy_gbs) != 1) {
            gpu_copy_gbs = 0.0;
        }
        if (pclose(program) != 0) {
            bench_die("%s failed", gpu_args.copy);
        }
    }
}

static void gpu_read_card(sqlite3 *db)
{
    sqlite3_stmt *stmt =
        bench_prepare(db, "SELECT vec_device('json') ->> 'name', vec_device('json') ->> 'driver', "
                          "vec_device('json') ->> 'detail'");
    if (sqlite3_step(stmt) != SQLITE_ROW) {
        bench_die("vec_device: %s", sqlite3_errmsg(db));
    }
    if (sqlite3_column_type(stmt, 0) == SQLITE_NULL) {
        bench_die("no GPU: %s", (const char *)sqlite3_column_text(stmt, 2));
    }
    snprintf(gpu_card, sizeof gpu_card, "%s", (const char *)sqlite3_column_text(stmt, 0));
    gpu_card_driver = sqlite3_column_double(stmt, 1);
    sqlite3_finalize(stmt);
    if (gpu_args.tflops <= 0.0 &&
        (strstr(gpu_card, "H200") != NULL || strstr(gpu_card, "H100") != NULL)) {
        gpu_args.tflops = 790.0;
    }
}

/* Milliseconds that a search takes at least; 0: not known. */
static double gpu_floor_ms(size_t rows, size_t batch, int is_int8)
{
    double elements = (double)rows * (double)gpu_args.dim;
    double bytes_ms = 1e-6 * elements * (is_int8 ? 1.0 : 2.0) / gpu_copy_gbs;
    double products_ms = gpu_args.tflops > 0.0 ? 1e-9 * 2.0 * elements * (double)batch /
                                                     (gpu_args.tflops * (is_int8 ? 2.0 : 1.0))
                                               : 0.0;
    if (gpu_copy_gbs <= 0.0 || (gpu_args.tflops <= 0.0 && batch > 64)) {
        return 0.0;
    }
    return bytes_ms > products_ms ? bytes_ms : products_ms;
}

/* ---- searches -------------------------------------------------------------------------------- */

typedef struct gpu_search {
    sqlite3 *db; /* borrowed */
    sqlite3_stmt *stmt;
    const float *queries; /* borrowed: [GPU_POOL][dim] */
    size_t batch;
    bench_hit *hits; /* [batch * GPU_K] of the last run */
    size_t hit_count;
    bench_hit *first; /* of round 1 */
    size_t first_count;
} gpu_search;

static void gpu_search_open(gpu_search *self, sqlite3 *db, const char *table, const char *device,
                            const float *queries, size_t batch)
{
    char *sql =
        batch == 1 ? sqlite3_mprintf("SELECT id, distance FROM vec_search('%s', 'v', ?1, %d, "
                                     "'{\"device\":\"%s\"}')",
                                     table, GPU_K, device)
                   : sqlite3_mprintf("SELECT id, distance FROM vec_search_batch('%s', 'v', ?1, %d, "
                                     "'{\"device\":\"%s\"}')",
                                     table, GPU_K, device);
    memset(self, 0, sizeof *self);
    self->db = db;
    self->stmt = bench_prepare(db, sql);
    self->queries = queries;
    self->batch = batch;
    self->hits = bench_alloc(batch * GPU_K * sizeof *self->hits);
    self->first = bench_alloc(batch * GPU_K * sizeof *self->first);
    sqlite3_free(sql);
}

static void gpu_search_close(gpu_search *self)
{
    sqlite3_finalize(self->stmt);
    free(self->hits);
    free(self->first);
}

/* One search, with other queries in every round. */
static double gpu_search_run(void *context, size_t round)
{
    gpu_search *self = context;
    size_t from = round * self->batch % (GPU_POOL - self->batch + 1), count = 0;
    double begin = bench_wall();

    sqlite3_bind_blob64(self->stmt, 1, self->queries + from * gpu_args.dim,
                        self->batch * gpu_args.dim * sizeof(float), SQLITE_STATIC);
    while (sqlite3_step(self->stmt) == SQLITE_ROW) {
        if (count < self->batch * GPU_K) {
            self->hits[count].id = sqlite3_column_int64(self->stmt, 0);
            self->hits[count].distance = sqlite3_column_double(self->stmt, 1);
        }
        count++;
    }
    if (sqlite3_reset(self->stmt) != SQLITE_OK) {
        bench_die("%s: %s", sqlite3_sql(self->stmt), sqlite3_errmsg(self->db));
    }
    double seconds = bench_wall() - begin;
    self->hit_count = count;
    if (round == 1) {
        memcpy(self->first, self->hits, self->batch * GPU_K * sizeof *self->first);
        self->first_count = count;
    }
    return seconds;
}

/* Runs until there are 101 rounds, or the time is over; how many there were. */
static size_t gpu_measure(gpu_search *search, double seconds, bench_entry *out)
{
    double end = bench_wall() + seconds;
    size_t rounds = 0;

    while (rounds < BENCH_ROUNDS_MAX && (rounds == 0 || bench_wall() < end)) {
        out->seconds[rounds] = gpu_search_run(search, rounds + 1);
        rounds++;
    }
    return rounds;
}

static double gpu_last(sqlite3 *db, const char *member)
{
    char *sql = sqlite3_mprintf("SELECT vec_last_query('json') ->> '%s'", member);
    double value = bench_number(db, sql);
    sqlite3_free(sql);
    return value;
}

/* Round 1 of both gave the same rows with the same bits. */
static void gpu_compare(const char *what, const gpu_search *gpu, const gpu_search *cpu)
{
    if (gpu->first_count != cpu->first_count || gpu->first_count != gpu->batch * GPU_K) {
        bench_die("%s: %zu rows on the GPU, %zu on the CPU", what, gpu->first_count,
                  cpu->first_count);
    }
    for (size_t i = 0; i < gpu->first_count; i++) {
        const bench_hit *a = &gpu->first[i], *b = &cpu->first[i];
        if (a->id != b->id || memcmp(&a->distance, &b->distance, sizeof a->distance) != 0) {
            bench_die("%s: row %zu is %lld at %.17g on the GPU, %lld at %.17g on the CPU", what, i,
                      (long long)a->id, a->distance, (long long)b->id, b->distance);
        }
    }
}

/* ---- the table of results ---------------------------------------------------------------------- */

typedef struct gpu_line {
    char what[64];
    size_t batch;
    double p50, p95, device, floor, cpu; /* milliseconds; 0: not known */
} gpu_line;

static int gpu_missed;

static void gpu_number(FILE *out, double value, int decimals)
{
    if (value > 0.0) {
        fprintf(out, " %10.*f", decimals, value);
    } else {
        fprintf(out, " %10s", "-");
    }
}

static void gpu_print_head(FILE *out)
{
    fprintf(out, "%s, driver %.0f, copies %.0f GB/s; milliseconds of a statement, k %d\n", gpu_card,
            gpu_card_driver, gpu_copy_gbs, GPU_K);
    fprintf(out, "%-44s %6s %10s %10s %10s %10s %10s %10s %10s\n", "", "batch", "p50", "p95",
            "device", "floor", "x floor", "CPU", "x CPU");
}

static void gpu_print_line(FILE *out, const gpu_line *line)
{
    fprintf(out, "%-44s %6zu", line->what, line->batch);
    gpu_number(out, line->p50, 3);
    gpu_number(out, line->p95, 3);
    gpu_number(out, line->device, 3);
    gpu_number(out, line->floor, 3);
    gpu_number(out, line->floor > 0.0 ? line->p50 / line->floor : 0.0, 2);
    gpu_number(out, line->cpu, 3);
    gpu_number(out, line->p50 > 0.0 ? line->cpu / line->p50 : 0.0, 1);
    fputc('\n', out);
    fflush(out);
}

static void gpu_open_line(const char *measurement, const char *table, size_t rows, size_t batch)
{
    bench_line_open("bench_gpu", measurement);
    bench_line_text("card", gpu_card);
    bench_line_number("driver", gpu_card_driver);
    bench_line_number("copy_gbs", gpu_copy_gbs);
    bench_line_text("table", table);
    bench_line_number("count", (double)rows);
    bench_line_number("dim", (double)gpu_args.dim);
    bench_line_number("k", GPU_K);
    bench_line_number("batch", (double)batch);
}

/* A bar on a time or ratio; 0: there is nothing to compare with. */
static void gpu_bar(const char *what, double value, double bar, const char *unit)
{
    const char *met = bar <= 0.0 ? "untested" : value <= bar ? "yes" : "no";
    gpu_missed |= strcmp(met, "no") == 0;
    bench_line_verdict(what, value, "at most", bar, unit, met);
}

/* ---- parts ------------------------------------------------------------------------------------- */

/* What the CPU takes for a table, by batch. */
typedef struct gpu_cpu_times {
    double ms[GPU_BATCHES]; /* 0: not measured: it would take too long */
    gpu_search searches[GPU_BATCHES];
} gpu_cpu_times;

static void gpu_measure_cpu(sqlite3 *db, const char *table, size_t rows, const float *queries,
                            gpu_cpu_times *out)
{
    memset(out, 0, sizeof *out);
    for (size_t b = 0; b < GPU_BATCHES && gpu_batches[b] <= gpu_args.batch_max; b++) {
        bench_entry entry;
        double last = b > 0 ? out->ms[b - 1] : 0.0;
        gpu_search_open(&out->searches[b], db, table, "cpu", queries, gpu_batches[b]);
        if (last / 1e3 * (double)gpu_batches[b] / (double)gpu_batches[b > 0 ? b - 1 : 0] >
            GPU_CPU_SECONDS) {
            fprintf(stderr, "bench_gpu: batch %zu is too slow for the CPU\n", gpu_batches[b]);
            break;
        }
        if (b == 0) {
            (void)gpu_search_run(&out->searches[b], 0); /* the page cache */
        }
        size_t rounds = gpu_measure(&out->searches[b], gpu_args.seconds, &entry);
        out->ms[b] = 1e3 * bench_percentile(&entry, rounds, 50.0);
        gpu_open_line("cpu", table, rows, gpu_batches[b]);
        bench_line_times(&entry, rounds);
        bench_line_close();
    }
}

static void gpu_free_cpu(gpu_cpu_times *times)
{
    for (size_t b = 0; b < GPU_BATCHES; b++) {
        if (times->searches[b].stmt != NULL) {
            gpu_search_close(&times->searches[b]);
        }
    }
}

/* One time of a format, compared with the CPU's answer where that is quick enough. */
static void gpu_measure_one(sqlite3 *db, const char *table, size_t rows, int format, size_t b,
                            const float *queries, gpu_cpu_times *cpu)
{
    gpu_line one, *line = &one;
    size_t batch = gpu_batches[b];
    bench_entry entry;
    gpu_search search;

    memset(line, 0, sizeof *line);
    snprintf(line->what, sizeof line->what, "%s %zu x %zu, %s", table, rows, gpu_args.dim,
             gpu_format_names[format]);
    line->batch = batch;
    line->floor = gpu_floor_ms(rows, batch, format == 2);
    line->cpu = cpu->ms[b];
    gpu_search_open(&search, db, table, "gpu", queries, batch);
    (void)gpu_search_run(&search, 1);
    if (gpu_last(db, "gpu_queries") != (double)batch) {
        bench_die("%s, batch %zu: the GPU answered %.0f queries", line->what, batch,
                  gpu_last(db, "gpu_queries"));
    }
    if (cpu->ms[b] > 0.0) {
        gpu_compare(line->what, &search, &cpu->searches[b]);
    }
    size_t rounds = gpu_measure(&search, gpu_args.seconds, &entry);
    line->p50 = 1e3 * bench_percentile(&entry, rounds, 50.0);
    line->p95 = 1e3 * bench_percentile(&entry, rounds, 95.0);
    line->device = gpu_last(db, "gpu_us") / 1e3;
    gpu_print_line(stderr, line);
    gpu_open_line("search", table, rows, batch);
    bench_line_text("format", gpu_format_names[format]);
    bench_line_times(&entry, rounds);
    bench_line_number("device_ms", line->device);
    bench_line_number("survivors", gpu_last(db, "survivors"));
    bench_line_number("floor_ms", line->floor);
    bench_line_number("cpu_p50_ms", line->cpu);
    if (format < 2 && rows == gpu_args.rows && batch != 8) {
        char what[128];
        double times = batch == 1 ? 2.0 : batch == 64 ? 3.0 : 4.0;
        snprintf(what, sizeof what, "%s, batch %zu", line->what, batch);
        gpu_bar(what, line->p50,
                line->floor > 0.0 ? times * line->floor + (batch == 1 ? 0.15 : 0.0) : 0.0, "ms");
    }
    bench_line_close();
    gpu_search_close(&search);
}

/* 0: there is no room for this format. */
static int gpu_load(sqlite3 *db, const char *table, int format)
{
    char *sql = sqlite3_mprintf("SELECT vec_gpu_load('%s', 'v', '%s')", table, gpu_formats[format]);
    double begin = bench_wall(), bytes = bench_number(db, sql);
    bench_line_open("bench_gpu", "load");
    bench_line_text("card", gpu_card);
    bench_line_text("table", table);
    bench_line_text("format", gpu_format_names[format]);
    bench_line_number("seconds", bench_wall() - begin);
    bench_line_number("bytes", bytes);
    bench_line_close();
    if (bytes <= 0.0) {
        fprintf(stderr, "bench_gpu: %s gives nothing\n", sql);
    }
    sqlite3_free(sql);
    return bytes > 0.0;
}

/* Both in turn, now this one first and now the other: the second finds the queries in the cache. */
static void gpu_race(bench_entry entries[2], size_t rounds)
{
    for (size_t round = 1; round <= rounds; round++) {
        for (size_t i = 0; i < 2; i++) {
            bench_entry *entry = &entries[(round + i) % 2];
            entry->seconds[round - 1] = entry->run(entry->context, round);
        }
    }
}

/* "auto" is not slower than the CPU. */
static void gpu_measure_auto(sqlite3 *db, const char *table, size_t rows, size_t batch,
                             const float *queries)
{
    bench_entry entries[2];
    gpu_search searches[2];
    char what[128];

    memset(entries, 0, sizeof entries);
    for (int i = 0; i < 2; i++) {
        gpu_search_open(&searches[i], db, table, i == 0 ? "auto" : "cpu", queries, batch);
        entries[i].run = gpu_search_run;
        entries[i].context = &searches[i];
    }
    double cpu = gpu_search_run(&searches[1], 0);
    size_t rounds = cpu > 0.0 ? (size_t)(gpu_args.seconds / cpu) : 1;
    rounds = rounds < 4 ? 4 : rounds > BENCH_ROUNDS_MAX ? BENCH_ROUNDS_MAX : rounds;
    /* until the cost of both ways is known */
    for (size_t i = 2; i < (rounds < 20 ? 8 : 42); i++) {
        (void)gpu_search_run(&searches[0], i);
    }
    gpu_race(entries, rounds);
    (void)gpu_search_run(&searches[0], 2);
    int is_gpu = gpu_last(db, "gpu_queries") > 0.0;
    snprintf(what, sizeof what, "%s %zu, batch %zu: auto over the CPU (on the %s)", table, rows,
             batch, is_gpu ? "GPU" : "CPU");
    gpu_compare(what, &searches[0], &searches[1]);
    gpu_open_line("auto", table, rows, batch);
    bench_line_text("device", is_gpu ? "gpu" : "cpu");
    bench_line_times(&entries[0], rounds);
    bench_line_number("cpu_p50_ms", 1e3 * bench_percentile(&entries[1], rounds, 50.0));
    gpu_bar(what, bench_ratio(&entries[0], &entries[1], rounds), 1.05, "x");
    bench_line_close();
    for (int i = 0; i < 2; i++) {
        gpu_search_close(&searches[i]);
    }
}

static void gpu_measure_table(sqlite3 *db, const char *table, size_t rows, const float *queries)
{
    gpu_cpu_times cpu;
    char *evict = sqlite3_mprintf("SELECT vec_gpu_evict('%s', 'v')", table);

    gpu_measure_cpu(db, table, rows, queries, &cpu);
    for (int format = 0; format < 3; format++) {
        if (!gpu_load(db, table, format)) {
            gpu_missed = 1;
            continue;
        }
        for (size_t b = 0; b < GPU_BATCHES && gpu_batches[b] <= gpu_args.batch_max; b++) {
            gpu_measure_one(db, table, rows, format, b, queries, &cpu);
        }
        if (format == 1) { /* what `auto` makes itself where there is room */
            gpu_measure_auto(db, table, rows, 1, queries);
            gpu_measure_auto(db, table, rows, 64, queries);
        }
        bench_exec(db, evict);
    }
    gpu_free_cpu(&cpu);
    sqlite3_free(evict);
}

static void gpu_measure_small(sqlite3 *db, const float *queries)
{
    static const size_t sizes[] = {1000, 5000, 20000};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && sizes[i] <= gpu_args.small; i++) {
        for (int is_indexed = 0; is_indexed < 2; is_indexed++) {
            char *name =
                sqlite3_mprintf("%s_%d", is_indexed ? "indexed" : "ordinary", (int)sizes[i]);
            char *sql =
                is_indexed
                    ? sqlite3_mprintf("CREATE VIRTUAL TABLE %s USING vecshard(id INTEGER "
                                      "PRIMARY KEY, v float[%d])",
                                      name, (int)gpu_args.dim)
                    : sqlite3_mprintf("CREATE TABLE %s(id INTEGER PRIMARY KEY, v BLOB)", name);
            bench_exec(db, sql);
            gpu_fill(db, name, sizes[i]);
            gpu_measure_auto(db, name, sizes[i], 1, queries);
            gpu_measure_auto(db, name, sizes[i], 64, queries);
            sqlite3_free(sql);
            sqlite3_free(name);
        }
    }
}

static sqlite3 *gpu_make(char **out_path)
{
    const char *extension = getenv("VECSHARD_SO");
    char *path = sqlite3_mprintf("%s/gpu.db", gpu_args.folder);
    char *indexed =
        sqlite3_mprintf("CREATE VIRTUAL TABLE indexed USING vecshard(id INTEGER PRIMARY "
                        "KEY, v float[%d])",
                        (int)gpu_args.dim);
    if (extension == NULL) {
        bench_die("VECSHARD_SO does not name the extension");
    }
    (void)remove(path);
    sqlite3 *db = bench_open(path, extension,
                             "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; "
                             "PRAGMA cache_size=-200000; PRAGMA mmap_size=1099511627776;"
                             "SELECT vec_config('gpu_budget_mb', 8192)");
    gpu_read_card(db); /* before the data: without a card there is nothing to measure */
    bench_exec(db, "CREATE TABLE ordinary(id INTEGER PRIMARY KEY, v BLOB)");
    gpu_fill(db, "ordinary", gpu_args.rows);
    if (gpu_args.indexed_rows > 0) {
        bench_exec(db, indexed);
        gpu_fill(db, "indexed", gpu_args.indexed_rows);
    }
    sqlite3_free(indexed);
    *out_path = path;
    return db;
}

int main(int argc, char **argv)
{
    char *path = NULL;

    gpu_read_arguments(argc, argv);
    gpu_measure_copy();
    sqlite3 *db = gpu_make(&path);
    gpu_print_head(stderr);
    float *queries = bench_alloc(GPU_POOL * gpu_args.dim * sizeof *queries);
    for (size_t i = 0; i < GPU_POOL; i++) {
        gpu_vector(2, i, gpu_args.dim, queries + i * gpu_args.dim);
    }
    gpu_measure_table(db, "ordinary", gpu_args.rows, queries);
    if (gpu_args.indexed_rows > 0) {
        gpu_measure_table(db, "indexed", gpu_args.indexed_rows, queries);
    }
    gpu_measure_small(db, queries);
    bench_bars_print(stderr);
    sqlite3_close(db);
    (void)remove(path);
    sqlite3_free(path);
    free(queries);
    return gpu_missed ? 3 : 0;
}
