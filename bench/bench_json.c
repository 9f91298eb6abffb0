/*
 * bench_json.c - generated JSON metadata, as applications keep it beside an embedding.
 *
 * Called by: bench_text.c, bench_compress.c.  Threads: any.
 */
#include "bench.h"

static const char *const json_words[] = {
    "vector", "index",   "river",  "mountain", "history", "science", "music",    "album",
    "novel",  "chapter", "signal", "network",  "kernel",  "garden",  "winter",   "harbour",
    "copper", "letter",  "bridge", "forest",   "engine",  "market",  "island",   "journey",
    "theory", "station", "window", "language", "colour",  "summer",  "compiler", "grammar",
    "meadow", "quarter", "silver", "pattern",  "answer",  "library", "question", "evening",
};

static size_t json_put_words(char *out, size_t room, size_t count, uint64_t *random)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const char *word =
            json_words[bench_random(random) % (sizeof json_words / sizeof *json_words)];
        n += (size_t)snprintf(out + n, room - n, i == 0 ? "%s" : " %s", word);
    }
    return n;
}

size_t bench_json_row(char *out, size_t room, uint64_t *random)
{
    static const char *const sources[] = {"wiki", "web", "arxiv", "news"};
    static const char *const languages[] = {"en", "de", "fr"};
    uint64_t a = bench_random(random), b = bench_random(random);
    size_t n = (size_t)snprintf(
        out, room,
        "{\"doc_id\": \"doc-%08x\", \"source\": \"%s\", \"lang\": \"%s\", \"chunk\": %u, "
        "\"tokens\": %u, \"created_at\": \"2024-%02u-%02uT%02u:%02u:00Z\", \"score\": 0.%04u, "
        "\"title\": \"",
        (unsigned)a, sources[a >> 32 & 3u], languages[(a >> 40) % 3], (unsigned)(b % 40),
        (unsigned)(b >> 8 & 511u), (unsigned)(b >> 20) % 12 + 1, (unsigned)(b >> 28) % 28 + 1,
        (unsigned)(b >> 36) % 24, (unsigned)(b >> 44) % 60, (unsigned)(b >> 50) % 10000);
    n += json_put_words(out + n, room - n, 4, random);
    n += (size_t)snprintf(out + n, room - n, "\", \"text\": \"");
    n += json_put_words(out + n, room - n, bench_random(random) % 92, random);
    n += (size_t)snprintf(out + n, room - n, "\"}");
    return n;
}

void bench_json_fill(sqlite3 *db, size_t rows)
{
    char row[BENCH_JSON_ROW_BYTES];
    uint64_t random = 21;

    bench_exec(db, "CREATE TABLE docs(id INTEGER PRIMARY KEY, meta TEXT); BEGIN");
    sqlite3_stmt *stmt = bench_prepare(db, "INSERT INTO docs(meta) VALUES (?1)");
    for (size_t i = 0; i < rows; i++) {
        size_t n = bench_json_row(row, sizeof row, &random);
        sqlite3_bind_text(stmt, 1, row, (int)n, SQLITE_STATIC);
        if (sqlite3_step(stmt) != SQLITE_DONE) {
            bench_die("cannot insert: %s", sqlite3_errmsg(db));
        }
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    bench_exec(db, "COMMIT");
}
