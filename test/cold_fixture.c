/*
 * cold_fixture.c - see cold_fixture.h.
 *
 * Calls: the extension through SQL, the kernels for halves.  Called by: tests.  Threads: one.
 */
#include "cold_fixture.h"

#include <math.h>

#include "../ext/frame.h"
#include "store_fixture.h"

#define DIM_MAX 1024

/* ---- functions ------------------------------------------------------------------------------- */

static void make_vector(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    int is_on_grid = sqlite3_user_data(ctx) != NULL;
    uint64_t random = (uint64_t)sqlite3_value_int64(argv[0]) * 7919 + 1;
    int dim = sqlite3_value_int(argv[1]);
    float out[DIM_MAX];
    double sum = 0.0;
    (void)argc;
    for (int i = 0; i < dim; i++) {
        uint16_t half;
        out[i] = (float)((double)(vs_test_random(&random) >> 40) * 0x1p-23 - 1.0);
        if (is_on_grid) {
            vsk_get()->from_f32[VSK_F16](&out[i], &half, 1);
            vsk_get()->to_f32[VSK_F16](&half, &out[i], 1);
        }
        sum += (double)out[i] * (double)out[i];
    }
    float norm = (float)sqrt(sum);
    for (int i = 0; i < dim && is_on_grid; i++) {
        out[i] /= norm;
    }
    sqlite3_result_blob(ctx, out, dim * (int)sizeof *out, SQLITE_TRANSIENT);
}

size_t cold_head_bytes(const uint8_t *block, size_t frames[COLD_FRAMES])
{
    uint32_t numbers[3];
    memcpy(numbers, block + 16, sizeof numbers);
    frames[0] = numbers[1];
    frames[1] = numbers[2];
    return 32 + 8 * (size_t)numbers[0] + ((size_t)numbers[0] + 7) / 8 * 8;
}

static void cold_vectors(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const uint8_t *data = sqlite3_value_blob(argv[0]);
    size_t n = (size_t)sqlite3_value_bytes(argv[0]), frames[COLD_FRAMES] = {0, 0};
    size_t at = n < 32 ? 0 : cold_head_bytes(data, frames), used = 0;
    uint8_t *all = NULL;
    vs_err err = VS_ERR_INIT;
    (void)argc;
    if (at == 0 || at + frames[0] + frames[1] != n) {
        sqlite3_result_error(ctx, "cold_vectors: this is no block", -1);
        return;
    }
    for (int i = 0; i < COLD_FRAMES; at += frames[i++]) {
        vs_frame_info info;
        void *raw = NULL;
        if (frames[i] == 0) {
            continue;
        }
        assert_int_equal(vs_frame_read("block", data + at, frames[i], 1u << 20, &info, &err), 0);
        assert_int_equal(vs_frame_decode("block", &info, NULL, &raw, &err), 0);
        all = sqlite3_realloc64(all, used + info.raw_bytes);
        assert_non_null(all);
        memcpy(all + used, raw, info.raw_bytes);
        used += info.raw_bytes;
        sqlite3_free(raw);
    }
    sqlite3_result_blob64(ctx, all == NULL ? (void *)"" : all, used, SQLITE_TRANSIENT);
    sqlite3_free(all);
}

void cold_functions(sqlite3 *db)
{
    static char on_grid;
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
    sqlite3_create_function(db, "make_vector", 2, flags, NULL, make_vector, NULL, NULL);
    sqlite3_create_function(db, "make_on_grid", 2, flags, &on_grid, make_vector, NULL, NULL);
    sqlite3_create_function(db, "cold_vectors", 1, flags, NULL, cold_vectors, NULL, NULL);
}

/* ---- tables ---------------------------------------------------------------------------------- */

void cold_make_tables(sqlite3 *db, int count)
{
    cold_functions(db);
    vs_test_run(db, "CREATE VIRTUAL TABLE t USING vecshard(p INTEGER PARTITION KEY, f float[1024], "
                    "h float16[64] distance_metric=cosine, b bfloat16[40] distance_metric=l2sq, "
                    "g float[40] store=f16, s float[520] store=half, l float[40] "
                    "distance_metric=l1, u int8[8], n INTEGER)");
    vs_test_run(db, "CREATE TABLE ref(id INTEGER PRIMARY KEY, p, f, h, b, g, s, l, u, n)");
    char *sql = sqlite3_mprintf(
        "BEGIN; WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < %d) "
        "INSERT INTO ref SELECT i, i %% 2, iif(i %% 37, make_vector(i, 1024), NULL), "
        "iif(i %% 41, vec_f16(vec_f32(make_vector(i + 1000, 64))), NULL), "
        "vec_bf16(vec_f32(make_vector(i + 2000, 40))), "
        "vec_f32(vec_f16(vec_f32(make_vector(i + 3000, 40)))), "
        "iif(i %% 43, iif(i %% 5, make_on_grid(i, 520), make_vector(i, 520)), NULL), "
        "make_vector(i + 4000, 40), substr(make_vector(i + 5000, 2), 1, 8), i FROM r;"
        "INSERT INTO t(rowid, p, f, h, b, g, s, l, u, n) SELECT id, p, f, vec_f16(h), vec_bf16(b), "
        "g, s, l, vec_int8(u), n FROM ref; COMMIT",
        count);
    vs_test_run(db, sql);
    sqlite3_free(sql);
}

void cold_run_both(sqlite3 *db, const char *format)
{
    static const char *const names[] = {"t", "ref"};
    for (int i = 0; i < 2; i++) {
        char *sql = sqlite3_mprintf(format, names[i]);
        vs_test_run(db, sql);
        sqlite3_free(sql);
    }
}

/* ---- comparing ------------------------------------------------------------------------------- */

#define COLUMNS "rowid, p, f, h, b, g, s, l, u, n"

static void compare_rows(sqlite3 *db)
{
    vs_test_gives(db,
                  "SELECT (SELECT count(*) FROM t) = (SELECT count(*) FROM ref), (SELECT count(*) "
                  "FROM (SELECT " COLUMNS " FROM t EXCEPT SELECT " COLUMNS " FROM ref))",
                  "1|0");
}

/* A search in a column that can be cold. */
typedef struct cold_search {
    const char *column;
    const char *read;   /* of a value in ref: "vec_f16(h)" */
    const char *metric; /* the name of its function */
    const char *query;
} cold_search;

static const cold_search searches[COLD_COLUMNS] = {
    {"f", "f", "vec_distance_l2", "make_vector(7, 1024)"},
    {"h", "vec_f16(h)", "vec_distance_cosine", "vec_f16(vec_f32(make_vector(1007, 64)))"},
    {"b", "vec_bf16(b)", "vec_distance_l2sq", "vec_bf16(vec_f32(make_vector(2007, 40)))"},
    {"g", "g", "vec_distance_l2", "make_vector(8, 40)"},
    {"s", "s", "vec_distance_l2", "make_on_grid(9, 520)"},
};

/* Gives a row and its distance, the distance with every bit. */
#define ANSWER "group_concat(id || ' ' || printf('%%!.17g', d), ', ')"

static void compare_search(sqlite3 *db, const cold_search *search, const char *table,
                           const char *condition, int limit)
{
    char *sql = sqlite3_mprintf("SELECT " ANSWER " FROM (%s)", table);
    char *reference = sqlite3_mprintf(
        "SELECT " ANSWER " FROM (SELECT id, %s(%s, %s) AS d FROM ref WHERE %s IS NOT NULL %s ORDER "
        "BY d, id LIMIT %d)",
        search->metric, search->read, search->query, search->column, condition, limit);
    vs_test_same(db, sql, reference);
    sqlite3_free(reference);
    sqlite3_free(sql);
}

static void compare_column(sqlite3 *db, const cold_search *search)
{
    static const char *const filters[] = {"", "AND p = 1", "AND n < 90", "AND p = 0 AND n > 40"};
    char *table = NULL;
    for (size_t i = 0; i < VS_TEST_COUNT(filters); i++) {
        table = sqlite3_mprintf("SELECT rowid AS id, distance AS d FROM t WHERE %s MATCH %s AND k "
                                "= 15 %s",
                                search->column, search->query, filters[i]);
        compare_search(db, search, table, filters[i], 15);
        sqlite3_free(table);
    }
    table = sqlite3_mprintf("SELECT rowid AS id, distance AS d FROM t WHERE %s MATCH %s",
                            search->column, search->query);
    compare_search(db, search, table, "", -1);
    sqlite3_free(table);
    table = sqlite3_mprintf("SELECT id, distance AS d FROM vec_search('t', '%s', %s, 6)",
                            search->column, search->query);
    compare_search(db, search, table, "", 6);
    sqlite3_free(table);
    table = sqlite3_mprintf("SELECT id, distance AS d FROM vec_search_batch('t', '%s', (SELECT "
                            "%s), 8)",
                            search->column, search->query);
    compare_search(db, search, table, "", 8);
    sqlite3_free(table);
}

void cold_compare_answers(sqlite3 *db)
{
    static const char *const settings[] = {"SELECT vec_config('cache_mb', 0) IS NULL",
                                           "SELECT vec_config('cache_mb', 256) IS NULL",
                                           "SELECT 0"};
    compare_rows(db);
    for (size_t i = 0; i < VS_TEST_COUNT(settings); i++) {
        vs_test_gives(db, settings[i], "0");
        for (size_t j = 0; j < COLD_COLUMNS; j++) {
            compare_column(db, &searches[j]);
        }
    }
}

void cold_compare(sqlite3 *db)
{
    cold_compare_answers(db);
    vs_test_run(db, "INSERT INTO t(t) VALUES ('integrity-check')");
}

int64_t cold_count_copies(sqlite3 *db, int vector, const void *bytes, size_t n)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf(
        "SELECT (SELECT count(*) FROM t_vectors%d WHERE instr(data, ?1)) + (SELECT count(*) FROM "
        "t_cold%d WHERE instr(cold_vectors(data), ?1))",
        vector, vector);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    sqlite3_bind_blob(stmt, 1, bytes, (int)n, SQLITE_TRANSIENT);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t copies = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return copies;
}
