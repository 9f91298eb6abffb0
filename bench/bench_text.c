/*
 * bench_text.c - packed texts: what a dictionary saves, and what it costs.
 *
 *     VECSHARD_SO=./vecshard build/bench/bench_text FOLDER [text]
 *
 * Generated JSON metadata, 200 to 900 bytes a row, mean about 500. Half of the rows train the
 * dictionary, and sizes and times are those of the other half. Everything is in memory. The time to
 * decode is that of a pass that unpacks every row, less that of a pass that only reads it. At last all
 * rows are the auxiliary column of an indexed table, which is made cold.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_ROWS = 100000, TEXT_ROUNDS = 9, TEXT_TRAIN_BYTES = 2 << 20 };

static double text_step(void *context, size_t round)
{
    sqlite3_stmt *stmt = context;
    double start = bench_now();
    (void)round;
    if (sqlite3_step(stmt) != SQLITE_ROW || sqlite3_step(stmt) != SQLITE_DONE) {
        bench_die("%s", sqlite3_errmsg(sqlite3_db_handle(stmt)));
    }
    sqlite3_reset(stmt);
    return bench_now() - start;
}

static void text_line_open(const char *measurement, double count)
{
    bench_line_open("bench_text", measurement);
    bench_line_text("dataset", "json_500");
    bench_line_number("count", count);
    bench_line_number("threads", 1);
}

static void text_measure_sizes(sqlite3 *db)
{
    double raw = bench_number(db, "SELECT sum(length(meta)) FROM test");
    double with = bench_number(db, "SELECT sum(length(with_dict)) FROM test") / raw;
    double without = bench_number(db, "SELECT sum(length(without)) FROM test") / raw;
    text_line_open("packed size over the text", TEXT_ROWS / 2);
    bench_line_number("bytes_per_row", raw / (TEXT_ROWS / 2));
    bench_line_number("dict_bytes", bench_number(db, "SELECT length(bytes) FROM vecshard_dict"));
    bench_line_number("without_dictionary", without);
    bench_line_bar("size with a dictionary", with, "at most", 0.35, "of the text");
    bench_line_close();
}

static void text_measure_training(sqlite3 *db)
{
    char *sql = sqlite3_mprintf(
        "CREATE TEMP TABLE sample AS SELECT meta FROM (SELECT id, meta, sum(length(meta)) OVER "
        "(ORDER BY id) AS total FROM docs) WHERE total <= %d",
        TEXT_TRAIN_BYTES);
    bench_exec(db, sql);
    sqlite3_free(sql);
    sqlite3_stmt *stmt = bench_prepare(db, "SELECT length(vec_train_dict(meta)) FROM sample");
    bench_entry entry = {text_step, stmt, {0}};
    bench_race(&entry, 1, TEXT_ROUNDS);
    text_line_open("training", bench_number(db, "SELECT count(*) FROM sample"));
    bench_line_number("sample_bytes", bench_number(db, "SELECT sum(length(meta)) FROM sample"));
    bench_line_times(&entry, TEXT_ROUNDS);
    bench_line_bar("training on 2 MiB", bench_percentile(&entry, TEXT_ROUNDS, 50.0), "at most", 0.2,
                   "s");
    bench_line_close();
    sqlite3_finalize(stmt);
}

static void text_measure_decoding(sqlite3 *db)
{
    static const char *const sqls[] = {
        "SELECT sum(length(with_dict)) FROM test",
        "SELECT count(vec_unpack_text(with_dict)) FROM test WHERE length(with_dict) >= 0",
        "SELECT sum(length(without)) FROM test",
        "SELECT count(vec_unpack_text(without)) FROM test WHERE length(without) >= 0",
    };
    enum { WAYS = 4 };
    bench_entry entries[WAYS];
    for (int i = 0; i < WAYS; i++) {
        entries[i].run = text_step;
        entries[i].context = bench_prepare(db, sqls[i]);
    }
    bench_race(entries, WAYS, TEXT_ROUNDS);
    for (int i = 0; i < WAYS; i += 2) {
        double us = 1e6 *
                    (bench_percentile(&entries[i + 1], TEXT_ROUNDS, 50.0) -
                     bench_percentile(&entries[i], TEXT_ROUNDS, 50.0)) /
                    (TEXT_ROWS / 2);
        text_line_open(i == 0 ? "decoding with a dictionary" : "decoding without a dictionary",
                       TEXT_ROWS / 2);
        bench_line_times(&entries[i + 1], TEXT_ROUNDS);
        if (i == 0) {
            bench_line_bar("decoding a row with a dictionary", us, "at most", 1.0, "us");
        } else {
            bench_line_number("us_per_row", us);
        }
        bench_line_close();
    }
    for (int i = 0; i < WAYS; i++) {
        sqlite3_finalize(entries[i].context);
    }
}

/* The same rows as an auxiliary column of an indexed table: all of it, the dictionary counted. */
static void text_measure_cold(sqlite3 *db)
{
    static const char size[] = "SELECT (SELECT sum(length(CAST(c1 AS BLOB))) FROM cold_rows) + "
                               "(SELECT coalesce(sum(length(value)), 0) FROM cold_info WHERE key "
                               "GLOB 'text/*')";
    bench_exec(db, "CREATE VIRTUAL TABLE cold USING vecshard(v float[2], +meta TEXT);"
                   "INSERT INTO cold(rowid, v, meta) SELECT id, zeroblob(8), meta FROM docs");
    double warm = bench_number(db, size), start = bench_now();
    bench_exec(db, "INSERT INTO cold(cold, arg) VALUES ('tier', 'cold')");
    double seconds = bench_now() - start, packed = bench_number(db, size);
    if (bench_number(db, "SELECT count(*) FROM docs JOIN cold ON cold.rowid = docs.id WHERE "
                         "cold.meta IS docs.meta") != TEXT_ROWS) {
        bench_die("a text of a cold table came back as another one");
    }
    start = bench_now();
    bench_exec(db, "SELECT count(*) FROM cold WHERE length(meta) < 0");
    double scan = bench_now() - start;
    text_line_open("auxiliary column of a cold table", TEXT_ROWS);
    bench_line_number("bytes_per_row", warm / TEXT_ROWS);
    bench_line_number("seconds_to_pack", seconds);
    bench_line_number("us_per_row_scanned", 1e6 * scan / TEXT_ROWS);
    bench_line_bar("auxiliary JSON of a cold table", packed / warm, "at most", 0.35,
                   "of its size when warm");
    bench_line_close();
}

int main(int argc, char **argv)
{
    const char *extension = getenv("VECSHARD_SO");
    if (argc < 2 || extension == NULL) {
        bench_die("usage: VECSHARD_SO=./vecshard %s FOLDER [text]", argv[0]);
    }
    sqlite3 *db = bench_open(NULL, extension, NULL);
    bench_json_fill(db, TEXT_ROWS);
    bench_exec(db, "SELECT vec_dict_add(vec_train_dict(meta)) FROM docs WHERE id % 2 = 0;"
                   "CREATE TABLE test AS SELECT meta, vec_pack_text(meta, (SELECT id FROM "
                   "vecshard_dict)) AS with_dict, vec_pack_text(meta) AS without FROM docs WHERE "
                   "id % 2 = 1");
    if (bench_number(db,
                     "SELECT count(*) FROM test WHERE vec_unpack_text(with_dict) IS NOT meta OR "
                     "vec_unpack_text(without) IS NOT meta") != 0.0) {
        bench_die("a text came back as another one");
    }
    text_measure_sizes(db);
    text_measure_training(db);
    text_measure_decoding(db);
    text_measure_cold(db);
    bench_bars_print(stderr);
    sqlite3_close(db);
    return 0;
}
