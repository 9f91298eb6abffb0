/*
 * bench_support.c - races, percentiles, JSON lines and the table of bars for the benchmark
 * programs; processes and what memory they hold.
 *
 * Called by: the benchmark programs that search.  Threads: one, except the clocks, bench_random and
 * bench_gauss.
 */
#define _POSIX_C_SOURCE 200809L

#include "bench.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- ending, time, chance ---- */

void bench_die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static double bench_clock(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double bench_wall(void)
{
    return bench_clock(CLOCK_MONOTONIC);
}

static int bench_is_cpu_clock(void)
{
    const char *clock = getenv("BENCH_CLOCK");

    return clock != NULL && strcmp(clock, "cpu") == 0;
}

double bench_now(void)
{
    return bench_clock(bench_is_cpu_clock() ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC);
}

void *bench_alloc(size_t bytes)
{
    void *memory = calloc(bytes > 0 ? bytes : 1, 1);

    if (memory == NULL) {
        bench_die("no memory for %zu bytes", bytes);
    }
    return memory;
}

uint64_t bench_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15U;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

/* Box and Muller's method, one of its two values. */
double bench_gauss(uint64_t *state)
{
    const double unit = 1.0 / 9007199254740992.0;                  /* 2^-53 */
    double u = ((double)(bench_random(state) >> 11) + 0.5) * unit; /* never 0 */
    double w = (double)(bench_random(state) >> 11) * unit;

    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * w);
}

/* ---- races ---- */

void bench_race(bench_entry *entries, size_t count, size_t rounds)
{
    for (size_t i = 0; i < count; i++) {
        (void)entries[i].run(entries[i].context, 0);
    }
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            entries[i].seconds[round] = entries[i].run(entries[i].context, round);
        }
    }
}

static int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double bench_percentile_of(const double *values, size_t count, double p)
{
    double sorted[BENCH_ROUNDS_MAX];
    double at = p / 100.0 * (double)(count - 1);
    size_t below = (size_t)at;

    memcpy(sorted, values, count * sizeof *values);
    qsort(sorted, count, sizeof *sorted, bench_compare);
    if (below + 1 >= count) {
        return sorted[count - 1];
    }
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

double bench_percentile(const bench_entry *entry, size_t rounds, double p)
{
    return bench_percentile_of(entry->seconds, rounds, p);
}

double bench_ratio(const bench_entry *a, const bench_entry *b, size_t rounds)
{
    double ratios[BENCH_ROUNDS_MAX];

    for (size_t i = 0; i < rounds; i++) {
        ratios[i] = a->seconds[i] / b->seconds[i];
    }
    return bench_percentile_of(ratios, rounds, 50.0);
}

/* ---- JSON lines ---- */

/* The processor's name as Linux knows it, else "unknown". */
static const char *bench_machine(void)
{
    static char name[128];
    char line[256];
    FILE *file = name[0] == '\0' ? fopen("/proc/cpuinfo", "r") : NULL;

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(name, sizeof name, "%.120s", colon + 2);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    if (name[0] == '\0') {
        snprintf(name, sizeof name, "unknown");
    }
    return name;
}

/* Prints a JSON string; control characters do not occur in what the programs write. */
static void bench_print_string(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            putchar('\\');
        }
        putchar(*text);
    }
    putchar('"');
}

void bench_line_open(const char *program, const char *measurement)
{
    char date[32];
    time_t now = time(NULL);
    const char *commit = getenv("VECSHARD_COMMIT");

    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&now));
    fputs("{\"program\":", stdout);
    bench_print_string(program);
    bench_line_text("measurement", measurement);
    bench_line_text("date", date);
    bench_line_text("machine", bench_machine());
    bench_line_number("cores", (double)sysconf(_SC_NPROCESSORS_ONLN));
    bench_line_text("sqlite", sqlite3_libversion());
    bench_line_text("clock", bench_is_cpu_clock() ? "cpu" : "wall");
    if (commit != NULL && commit[0] != '\0') {
        bench_line_text("commit", commit);
    }
}

void bench_line_text(const char *key, const char *value)
{
    printf(",\"%s\":", key);
    bench_print_string(value);
}

void bench_line_number(const char *key, double value)
{
    printf(",\"%s\":%.6g", key, value);
}

void bench_line_times(const bench_entry *entry, size_t rounds)
{
    bench_line_number("rounds", (double)rounds);
    bench_line_number("best_ms", 1e3 * bench_percentile(entry, rounds, 0.0));
    bench_line_number("p50_ms", 1e3 * bench_percentile(entry, rounds, 50.0));
    bench_line_number("p95_ms", 1e3 * bench_percentile(entry, rounds, 95.0));
}

void bench_line_close(void)
{
    puts("}");
    fflush(stdout);
}

/* ---- bars ---- */

typedef struct bench_bar {
    char what[96];
    char relation[16];
    char unit[16];
    double value, bar;
    const char *met; /* static */
} bench_bar;

static bench_bar bench_bars[64];
static size_t bench_bar_count;

void bench_line_bar(const char *what, double value, const char *relation, double bar,
                    const char *unit)
{
    int is_met = strcmp(relation, "at least") == 0 ? value >= bar : value <= bar;

    bench_line_verdict(what, value, relation, bar, unit, is_met ? "yes" : "no");
}

void bench_line_verdict(const char *what, double value, const char *relation, double bar,
                        const char *unit, const char *met)
{
    bench_bar *row = &bench_bars[bench_bar_count];

    bench_line_text("what", what);
    bench_line_number("value", value);
    bench_line_text("relation", relation);
    bench_line_number("bar", bar);
    bench_line_text("unit", unit);
    bench_line_text("met", met);
    if (bench_bar_count == sizeof bench_bars / sizeof *bench_bars) {
        return;
    }
    snprintf(row->what, sizeof row->what, "%s", what);
    snprintf(row->relation, sizeof row->relation, "%s", relation);
    snprintf(row->unit, sizeof row->unit, "%s", unit);
    row->value = value;
    row->bar = bar;
    row->met = met;
    bench_bar_count++;
}

void bench_bars_print(FILE *out)
{
    fprintf(out, "%-72s %10s  %-19s %s\n", "", "measured", "bar", "met");
    for (size_t i = 0; i < bench_bar_count; i++) {
        const bench_bar *row = &bench_bars[i];
        fprintf(out, "%-72s %6.3g %-3s  %-8s %6.4g %-3s %s\n", row->what, row->value, row->unit,
                row->relation, row->bar, row->unit, row->met);
    }
}

/* ---- processes ---- */

void bench_child(const char *self, const char *folder, const char *what, double *out, size_t count)
{
    int ends[2];
    char text[512] = "";
    char *at = text;
    int status;
    pid_t pid;

    fflush(stdout);
    if (pipe(ends) != 0 || (pid = fork()) < 0) {
        bench_die("cannot start a process");
    }
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl(self, self, folder, what, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    for (size_t n = 0; n + 1 < sizeof text;) {
        ssize_t got = read(ends[0], text + n, sizeof text - 1 - n);
        if (got <= 0) {
            break;
        }
        n += (size_t)got;
    }
    close(ends[0]);
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        bench_die("the process for %s failed", what);
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = strtod(at, &at);
    }
}

double bench_memory_bytes(const char *key)
{
    char line[256];
    double kib = 0.0;
    FILE *file = fopen("/proc/self/status", "r");

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            kib = strtod(line + strlen(key), NULL);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return 1024.0 * kib;
}
