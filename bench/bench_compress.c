/*
 * bench_compress.c - what compression makes of vectors and metadata.
 *
 *     VECSHARD_SO=./vecshard build/bench/bench_compress
 *
 * Vectors, in frames of 64 KiB: size over the raw bytes, and speed. The sets: WordNet's definitions
 * as they are; the same as a model would give them that computes in half precision, that is,
 * rounded to float16 and divided by their norm in float32; MNIST's pixels; random bits. Those on the
 * half grid are written to indexed tables, too, with store=half and without; and so are nine in ten
 * of them among others, warm and cold. Rows of JSON are packed
 * with a dictionary, trained on the other half of the rows, and without.
 *
 * What does not come back bit for bit ends the program. One JSON line per measurement on stdout;
 * the table of bars on stderr. A ratio is what is stored over what was there.
 */
#define _POSIX_C_SOURCE 200809L

#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../ext/frame.h"

enum {
    COMPRESS_BLOCK = 64 << 10,
    COMPRESS_ROUNDS = 3,
    COMPRESS_TABLE_ROWS = 20480, /* fills its cells, so that no empty slot is counted */
    COMPRESS_TEXTS = 100000,
    COMPRESS_NOISE_ROWS = 20000
};

static const char compress_program[] = "bench_compress";

/* ---- vectors in frames ---- */

typedef struct compress_frame {
    void *bytes; /* owned */
    size_t n;
} compress_frame;

typedef struct compress_run {
    const bench_vectors *vectors; /* borrowed */
    vs_frame_mode mode;
    size_t per_block, blocks;
    compress_frame *frames; /* owned: [blocks] */
} compress_run;

static vs_frame_shape compress_shape(const compress_run *run, size_t block)
{
    size_t left = run->vectors->count - block * run->per_block;
    return (vs_frame_shape){VS_FRAME_F32, (uint32_t)run->vectors->dim,
                            (uint32_t)(left < run->per_block ? left : run->per_block)};
}

static const float *compress_raw(const compress_run *run, size_t block)
{
    return run->vectors->rows + block * run->per_block * run->vectors->dim;
}

static double compress_encode(void *context, size_t round)
{
    compress_run *run = context;
    vs_frame_options options = {run->mode, VS_CODEC_LEVEL_DEFAULT, NULL};
    double start = bench_now();

    (void)round;
    for (size_t i = 0; i < run->blocks; i++) {
        vs_frame_shape shape = compress_shape(run, i);
        vs_err err = VS_ERR_INIT;
        sqlite3_free(run->frames[i].bytes);
        if (vs_frame_encode(compress_program, compress_raw(run, i), &shape, &options,
                            &run->frames[i].bytes, &run->frames[i].n, &err) != SQLITE_OK) {
            bench_die("%s", err.message == NULL ? "no memory" : err.message);
        }
    }
    return bench_now() - start;
}

static double compress_decode(void *context, size_t round)
{
    const compress_run *run = context;
    double seconds = 0.0;

    (void)round;
    for (size_t i = 0; i < run->blocks; i++) {
        vs_frame_info info;
        vs_err err = VS_ERR_INIT;
        void *back = NULL;
        double start = bench_now();
        if (vs_frame_read(compress_program, run->frames[i].bytes, run->frames[i].n,
                          VS_FRAME_RAW_BYTES_MAX, &info, &err) != SQLITE_OK ||
            vs_frame_decode(compress_program, &info, NULL, &back, &err) != SQLITE_OK) {
            bench_die("%s", err.message == NULL ? "no memory" : err.message);
        }
        seconds += bench_now() - start;
        if (memcmp(back, compress_raw(run, i), info.raw_bytes) != 0) {
            bench_die("%s: block %zu comes back changed", run->vectors->name, i);
        }
        sqlite3_free(back);
    }
    return seconds;
}

/* The transform of most frames. */
static const char *compress_transform(const compress_run *run)
{
    size_t counts[VS_FRAME_TRANSFORMS] = {0};
    int best = 0;

    for (size_t i = 0; i < run->blocks; i++) {
        vs_frame_info info;
        vs_err err = VS_ERR_INIT;
        if (vs_frame_read(compress_program, run->frames[i].bytes, run->frames[i].n,
                          VS_FRAME_RAW_BYTES_MAX, &info, &err) == SQLITE_OK) {
            counts[info.transform]++;
        }
    }
    for (int i = 1; i < VS_FRAME_TRANSFORMS; i++) {
        best = counts[i] > counts[best] ? i : best;
    }
    return vs_frame_transform_name((vs_frame_transform)best);
}

/* bar: of the ratio. */
static void compress_measure(const bench_vectors *vectors, const char *mode_name,
                             vs_frame_mode mode, double bar)
{
    compress_run run = {vectors, mode, COMPRESS_BLOCK / (vectors->dim * sizeof(float)), 0, NULL};
    bench_entry entries[2] = {{compress_encode, &run, {0}}, {compress_decode, &run, {0}}};
    double raw = (double)(vectors->count * vectors->dim * sizeof(float)), stored = 0.0;
    char what[96];

    run.blocks = (vectors->count + run.per_block - 1) / run.per_block;
    run.frames = bench_alloc(run.blocks * sizeof *run.frames);
    memset(run.frames, 0, run.blocks * sizeof *run.frames);
    bench_race(entries, 2, COMPRESS_ROUNDS);
    for (size_t i = 0; i < run.blocks; i++) {
        stored += (double)run.frames[i].n;
    }
    bench_line_open(compress_program, "frames of 64 KiB");
    bench_line_text("dataset", vectors->name);
    bench_line_text("mode", mode_name);
    bench_line_text("transform", compress_transform(&run));
    bench_line_number("dim", (double)vectors->dim);
    bench_line_number("count", (double)vectors->count);
    bench_line_number("raw_bytes", raw);
    bench_line_number("stored_bytes", stored);
    bench_line_number("ratio", stored / raw);
    bench_line_number("encode_mb_s",
                      raw / 1e6 / bench_percentile(&entries[0], COMPRESS_ROUNDS, 50.0));
    bench_line_number("decode_mb_s",
                      raw / 1e6 / bench_percentile(&entries[1], COMPRESS_ROUNDS, 50.0));
    snprintf(what, sizeof what, "frames of 64 KiB, %s, %s", vectors->name, mode_name);
    bench_line_bar(what, stored / raw, "at most", bar, "");
    bench_line_close();
    for (size_t i = 0; i < run.blocks; i++) {
        sqlite3_free(run.frames[i].bytes);
    }
    free(run.frames);
}

/* ---- the half grid ---- */

/* All vectors but every `step`-th one; 0: all. */
static void compress_to_half_grid(bench_vectors *vectors, const char *name, size_t step)
{
    uint16_t *halves = bench_alloc(vectors->dim * sizeof *halves);

    vectors->name = name;
    for (size_t i = 0; i < vectors->count; i++) {
        float *v = vectors->rows + i * vectors->dim;
        float sum = 0.0f;
        if (step > 0 && i % step == 0) {
            continue;
        }
        vsk_get()->from_f32[VSK_F16](v, halves, vectors->dim);
        vsk_get()->to_f32[VSK_F16](halves, v, vectors->dim);
        for (size_t j = 0; j < vectors->dim; j++) {
            sum += v[j] * v[j];
        }
        for (size_t j = 0; j < vectors->dim; j++) {
            v[j] /= sqrtf(sum);
        }
    }
    free(halves);
}

/* Bytes of all records of vectors in an indexed table; out_cold: the same when it is cold, or NULL. */
static double compress_table(const bench_vectors *vectors, const char *extension,
                             const char *options, double *out_cold)
{
    sqlite3 *db = bench_open(NULL, extension, NULL);
    char *sql = sqlite3_mprintf("CREATE VIRTUAL TABLE t USING vecshard(v float[%d] %s); BEGIN",
                                (int)vectors->dim, options);
    bench_exec(db, sql);
    sqlite3_free(sql);
    sqlite3_stmt *stmt = bench_prepare(db, "INSERT INTO t(v) VALUES (?1)");
    for (size_t i = 0; i < COMPRESS_TABLE_ROWS; i++) {
        sqlite3_bind_blob(stmt, 1, vectors->rows + i * vectors->dim,
                          (int)(vectors->dim * sizeof(float)), SQLITE_STATIC);
        if (sqlite3_step(stmt) != SQLITE_DONE) {
            bench_die("cannot insert: %s", sqlite3_errmsg(db));
        }
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    bench_exec(db, "COMMIT");
    double bytes = bench_number(db, "SELECT sum(length(data)) FROM t_vectors0");
    if (out_cold != NULL) {
        bench_exec(db, "INSERT INTO t(t, arg) VALUES ('tier', 'cold')");
        *out_cold = bench_number(db, "SELECT total(length(data)) + (SELECT total(length(data)) "
                                     "FROM t_vectors0) FROM t_cold0");
    }
    sqlite3_close(db);
    return bytes;
}

static void compress_measure_warm(const bench_vectors *vectors, const char *extension)
{
    double raw = (double)(COMPRESS_TABLE_ROWS * vectors->dim * sizeof(float));
    double half = compress_table(vectors, extension, "store=half", NULL);
    double whole = compress_table(vectors, extension, "", NULL);

    bench_line_open(compress_program, "store=half");
    bench_line_text("dataset", vectors->name);
    bench_line_number("dim", (double)vectors->dim);
    bench_line_number("count", COMPRESS_TABLE_ROWS);
    bench_line_number("record_bytes", half / COMPRESS_TABLE_ROWS);
    bench_line_number("float32_record_bytes", whole / COMPRESS_TABLE_ROWS);
    bench_line_number("ratio_to_vectors", half / raw);
    bench_line_bar("records with store=half over those of float32", half / whole, "at most", 0.51,
                   "");
    bench_line_close();
}

/* Nine in ten rows on the half grid; cold blocks must be smaller than warm halves. */
static void compress_measure_mixed(const bench_vectors *vectors, const char *extension)
{
    static const char *const options[] = {"", "store=half"};
    static const char *const modes[] = {"float32", "store=half"};
    double raw = (double)(COMPRESS_TABLE_ROWS * vectors->dim * sizeof(float));

    for (int i = 0; i < 2; i++) {
        char what[96];
        double cold = 0.0, warm = compress_table(vectors, extension, options[i], &cold);
        bench_line_open(compress_program, "mixed column");
        bench_line_text("dataset", vectors->name);
        bench_line_text("mode", modes[i]);
        bench_line_number("dim", (double)vectors->dim);
        bench_line_number("count", COMPRESS_TABLE_ROWS);
        bench_line_number("raw_bytes", raw);
        bench_line_number("warm_ratio", warm / raw);
        bench_line_number("cold_ratio", cold / raw);
        snprintf(what, sizeof what, "mixed column, %s: cold over warm", modes[i]);
        bench_line_bar(what, cold / warm, "at most", i == 0 ? 0.5 : 0.9, "");
        bench_line_close();
    }
}

/* ---- JSON ---- */

static void compress_measure_json(const char *extension)
{
    static const char *const ways[] = {"without a dictionary", "with a dictionary"};
    static const char *const columns[] = {"alone", "packed"};
    static const double bars[] = {1.01, 0.35};
    sqlite3 *db = bench_open(NULL, extension, NULL);

    bench_json_fill(db, COMPRESS_TEXTS);
    bench_exec(db, "SELECT vec_dict_add(vec_train_dict(meta)) FROM docs WHERE id % 2;"
                   "CREATE TABLE test AS SELECT meta, vec_pack_text(meta, (SELECT id FROM "
                   "vecshard_dict)) AS packed, vec_pack_text(meta) AS alone FROM docs WHERE id % 2 "
                   "= 0");
    if (bench_number(db, "SELECT count(*) FROM test WHERE vec_unpack_text(packed) IS NOT meta "
                         "OR vec_unpack_text(alone) IS NOT meta") != 0.0) {
        bench_die("a text came back as another one");
    }
    double raw = bench_number(db, "SELECT sum(length(meta)) FROM test");
    double dict = bench_number(db, "SELECT length(bytes) FROM vecshard_dict");
    for (int i = 0; i < 2; i++) {
        char *sql = sqlite3_mprintf("SELECT sum(length(%s)) FROM test", columns[i]);
        double stored = bench_number(db, sql);
        sqlite3_free(sql);
        bench_line_open(compress_program, "packed texts");
        bench_line_text("dataset", "json_500");
        bench_line_text("mode", ways[i]);
        bench_line_number("count", COMPRESS_TEXTS / 2);
        bench_line_number("raw_bytes", raw);
        bench_line_number("stored_bytes", stored);
        bench_line_number("dict_bytes", i == 0 ? 0.0 : dict);
        bench_line_number("ratio", stored / raw);
        bench_line_bar(i == 0 ? "packed texts without a dictionary"
                              : "packed texts with a dictionary",
                       stored / raw, "at most", bars[i], "");
        bench_line_close();
    }
    sqlite3_close(db);
}

/* ---- all ---- */

/* Random bits: nothing can be saved. */
static void compress_measure_noise(void)
{
    bench_vectors noise = {"noise", COMPRESS_NOISE_ROWS, 384, 0, NULL, NULL};
    uint64_t random = 77;
    size_t count = noise.count * noise.dim / 2;

    noise.rows = bench_alloc(count * sizeof(uint64_t));
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = bench_random(&random);
        memcpy((char *)noise.rows + i * sizeof bits, &bits, sizeof bits);
    }
    compress_measure(&noise, "auto", VS_FRAME_AUTO, 1.01);
    free(noise.rows);
}

int main(void)
{
    const char *extension = getenv("VECSHARD_SO");
    bench_vectors vectors;

    if (extension == NULL) {
        bench_die("VECSHARD_SO must name the extension");
    }
    vsk_init(NULL);
    if (bench_vectors_load("wordnet", &vectors)) {
        compress_measure(&vectors, "auto", VS_FRAME_AUTO, 0.85);
        compress_measure(&vectors, "planes", VS_FRAME_MODE_PLANES, 0.85);
        compress_measure(&vectors, "raw", VS_FRAME_MODE_RAW, 1.01);
        compress_to_half_grid(&vectors, "wordnet_half", 0);
        compress_measure(&vectors, "auto", VS_FRAME_AUTO, 0.45);
        compress_measure_warm(&vectors, extension);
        bench_vectors_free(&vectors);
    }
    if (bench_vectors_load("wordnet", &vectors)) {
        compress_to_half_grid(&vectors, "wordnet_half_90", 10);
        compress_measure_mixed(&vectors, extension);
        bench_vectors_free(&vectors);
    }
    if (bench_vectors_load("mnist", &vectors)) {
        compress_measure(&vectors, "auto", VS_FRAME_AUTO, 1.01);
        bench_vectors_free(&vectors);
    }
    compress_measure_noise();
    compress_measure_json(extension);
    bench_bars_print(stderr);
    return 0;
}
