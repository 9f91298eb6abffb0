/*
 * test_report.c - vec_compress_report: what it says is what the functions and tables really give.
 */
#include "../text_fixture.h"
#include "../vs_test_db.h"

#include <math.h>

#include "../../ext/cold_block.h"

enum { DIM = 64, ROWS = 300 };

/* ---- Columns --------------------------------------------------------------------------------- */

/* Nearly normal. */
static float gauss(uint64_t *random)
{
    double sum = -6.0;
    for (int i = 0; i < 12; i++) {
        sum += (double)(vs_test_random(random) >> 11) * 0x1p-53;
    }
    return (float)sum;
}

/* Unit length; on the half grid it is rounded to float16, and divided by its norm in float32. */
static void make_vector(uint64_t *random, int on_grid, float *v)
{
    uint16_t halves[DIM];
    float sum = 0.0f;
    for (int i = 0; i < DIM; i++) {
        v[i] = gauss(random);
    }
    if (on_grid) {
        vsk_get()->from_f32[VSK_F16](v, halves, DIM);
        vsk_get()->to_f32[VSK_F16](halves, v, DIM);
    }
    for (int i = 0; i < DIM; i++) {
        sum += v[i] * v[i];
    }
    for (int i = 0; i < DIM; i++) {
        v[i] /= sqrtf(sum);
    }
}

/* A new table t(id INTEGER PRIMARY KEY, v); of each 4 rows, the first `on_grid` are on the grid. */
static void fill_vectors(int rows, int on_grid)
{
    sqlite3_stmt *stmt;
    uint64_t random = 99;
    vs_test_run(db, "DROP TABLE IF EXISTS t; CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO t(v) VALUES (?1)", -1, &stmt, NULL), 0);
    vs_test_run(db, "BEGIN");
    for (int i = 0; i < rows; i++) {
        float v[DIM];
        make_vector(&random, i % 4 < on_grid, v);
        sqlite3_bind_blob(stmt, 1, v, sizeof v, SQLITE_TRANSIENT);
        assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    vs_test_run(db, "COMMIT");
}

static double number(const char *sql)
{
    char *text = NULL;
    if (vs_test_query(db, sql, &text) != SQLITE_OK) {
        fail_msg("%s: %s", sql, text);
    }
    double value = strtod(text, NULL);
    sqlite3_free(text);
    return value;
}

/* ---- Vectors --------------------------------------------------------------------------------- */

static void a_column_on_the_half_grid_is_to_be_stored_so(void **state)
{
    (void)state;
    fill_vectors(ROWS, 4);
    vs_test_gives(db,
                  "SELECT choice, share, bytes_per_row, ratio <= 0.52 FROM "
                  "vec_compress_report('t', 'v') WHERE recommended",
                  "store=half|1.0|132.0|1");
    vs_test_gives(db,
                  "SELECT choice, note LIKE '%float16 over norm%', ratio < 0.5 FROM "
                  "vec_compress_report('t', 'v') WHERE choice = 'cold'",
                  "cold|1|1");
}

static void rows_off_the_grid_stay_as_large_as_they_are(void **state)
{
    (void)state;
    fill_vectors(400, 1);
    vs_test_gives(
        db,
        "SELECT share, bytes_per_row, recommended, note FROM "
        "vec_compress_report('t', 'v') WHERE choice = 'store=half'",
        "0.25|225.0|1|the other rows stay float32, in the same column; for it the vectors "
        "move into an indexed table");
}

/* Records of an indexed table: a row on the grid takes as many bytes as the report says. */
static void the_size_of_a_half_is_that_of_its_record(void **state)
{
    (void)state;
    fill_vectors(ROWS, 4);
    vs_test_run(db, "CREATE VIRTUAL TABLE h USING vecshard(v float[64] store=half);"
                    "CREATE VIRTUAL TABLE w USING vecshard(v float[64]);"
                    "INSERT INTO h(rowid, v) SELECT id, v FROM t LIMIT 128;"
                    "INSERT INTO w(rowid, v) SELECT id, v FROM t LIMIT 128");
    double halves = number("SELECT sum(length(data)) FROM h_vectors0");
    double wholes = number("SELECT sum(length(data)) FROM w_vectors0");
    double saved =
        number("SELECT max(bytes_per_row) - min(bytes_per_row) FROM "
               "vec_compress_report('h', 'v') WHERE choice IN ('float32', 'store=half')");
    assert_true(fabs((wholes - halves) / 128.0 - saved) < 0.5);
    vs_test_run(db, "DROP TABLE h; DROP TABLE w");
}

static void random_vectors_gain_what_their_exponents_do(void **state)
{
    (void)state;
    fill_vectors(ROWS, 0);
    vs_test_gives(db,
                  "SELECT choice, share, ratio FROM vec_compress_report('t', 'v') WHERE choice IN "
                  "('float32', 'store=half')",
                  "float32|1.0|1.0; store=half|0.0|1.0");
    double cold = number("SELECT ratio FROM vec_compress_report('t', 'v') WHERE choice = 'cold'");
    assert_true(cold > 0.75 && cold <= 0.97); /* of 32 bits, 8 of the exponent are much alike */
    vs_test_gives(db, "SELECT choice FROM vec_compress_report('t', 'v') WHERE recommended", "cold");
}

/* Random bits, as no model gives them; those of NaN and infinity left out. */
static void bits_without_any_pattern_are_to_stay(void **state)
{
    (void)state;
    vs_test_run(db, "DROP TABLE t; CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    sqlite3_stmt *stmt;
    uint64_t random = 5;
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO t(v) VALUES (?1)", -1, &stmt, NULL), 0);
    for (int i = 0; i < ROWS; i++) {
        uint32_t v[DIM];
        for (int j = 0; j < DIM; j++) {
            do {
                v[j] = (uint32_t)(vs_test_random(&random) >> 32);
            } while ((v[j] & 0x7f800000u) == 0x7f800000u);
        }
        sqlite3_bind_blob(stmt, 1, v, sizeof v, SQLITE_TRANSIENT);
        assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    vs_test_gives(db, "SELECT choice, note FROM vec_compress_report('t', 'v') WHERE recommended",
                  "float32|nothing pays: no other form saves 3 %");
    double cold = number("SELECT ratio FROM vec_compress_report('t', 'v') WHERE choice = 'cold'");
    assert_true(cold > 0.97 && cold < 1.01);
}

/* Frames of a block of cold vectors. */
static double bytes_of_block(const float *vectors, uint32_t count)
{
    vs_frame_shape shape = {VS_FRAME_F32, DIM, count};
    vs_cold_block block;
    vs_err err = VS_ERR_INIT;
    void *data = NULL;
    size_t n = 0;
    assert_int_equal(vs_cold_block_new(&shape, &block), SQLITE_OK);
    memcpy(block.vectors, vectors, sizeof *vectors * DIM * count);
    memset(block.kinds, VS_COLD_VECTOR, count);
    assert_int_equal(vs_cold_block_encode("test", 0, &block, &data, &n, &err), SQLITE_OK);
    sqlite3_free(data);
    vs_cold_block_free(&block);
    return (double)(n - vs_cold_block_head_bytes(count));
}

/* Blocks of 64 KiB, encoded here, have the bytes that the report counted. */
static void the_size_of_cold_blocks_is_what_the_encoder_gives(void **state)
{
    enum { PER_BLOCK = (64 << 10) / (DIM * 4) };
    (void)state;
    fill_vectors(ROWS, 2);
    float *all = malloc(sizeof(float) * ROWS * DIM);
    sqlite3_stmt *stmt;
    double bytes = 0.0;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT v FROM t ORDER BY id", -1, &stmt, NULL), 0);
    for (int i = 0; i < ROWS; i++) {
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        memcpy(all + i * DIM, sqlite3_column_blob(stmt, 0), DIM * sizeof(float));
    }
    sqlite3_finalize(stmt);
    for (int i = 0; i < ROWS; i += PER_BLOCK) {
        bytes +=
            bytes_of_block(all + i * DIM, (uint32_t)(ROWS - i < PER_BLOCK ? ROWS - i : PER_BLOCK));
    }
    free(all);
    double found =
        number("SELECT bytes_per_row FROM vec_compress_report('t', 'v') WHERE choice = 'cold'");
    assert_true(fabs(found - bytes / ROWS) < 1e-9);
    assert_true(found < DIM * 4 * 0.7); /* half of the rows halve */
}

static void vectors_that_come_again_are_counted(void **state)
{
    (void)state;
    fill_vectors(100, 0);
    vs_test_run(db, "INSERT INTO t(v) SELECT v FROM t WHERE id <= 60");
    vs_test_gives(db,
                  "SELECT share, bytes_per_row, ratio, decode_us, search_cost, recommended FROM "
                  "vec_compress_report('t', 'v') WHERE choice = 'duplicates'",
                  "0.375|NULL|NULL|NULL|NULL|0");
}

/* What loses bits is never recommended, though it saves most. */
static void rounding_is_never_recommended(void **state)
{
    (void)state;
    vs_test_gives(db,
                  "SELECT ratio, recommended, note FROM vec_compress_report('t', 'v') WHERE choice "
                  "= 'store=f16'",
                  "0.5|0|lossy: distances are those of the rounded vectors");
    vs_test_run(db, "UPDATE t SET v = vec_f32('[1,70000,1,1,1,1,1,1]') WHERE id <= 40;"
                    "UPDATE t SET v = vec_f32('[1,2,3,4,5,6,7,8]') WHERE id > 40");
    vs_test_gives(db, "SELECT share FROM vec_compress_report('t', 'v') WHERE choice = 'store=f16'",
                  "0.75");
}

/* ---- Texts ----------------------------------------------------------------------------------- */

static void json_is_to_be_packed_with_a_dictionary(void **state)
{
    (void)state;
    text_fixture_fill(db, "m", ROWS);
    vs_test_gives(
        db,
        "SELECT choice, ratio < 0.5, note LIKE 'the dictionary has % bytes, once; %' FROM "
        "vec_compress_report('m', 'meta') WHERE recommended",
        "packed with a dictionary|1|1");
    double packed = number("SELECT avg(length(vec_pack_text(meta))) FROM m");
    double found = number(
        "SELECT bytes_per_row FROM vec_compress_report('m', 'meta') WHERE choice = 'packed'");
    assert_true(fabs(found - packed) < 1e-9);
}

/* Trained on rows 1, 3, 5, ... and measured on the others, as anyone can do by hand. */
static void the_size_with_a_dictionary_is_that_of_rows_it_has_not_seen(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE dict AS SELECT vec_dict_add(vec_train_dict(meta)) AS id FROM "
                    "(SELECT meta FROM m WHERE id % 2 = 1 ORDER BY id)");
    double packed = number("SELECT avg(length(vec_pack_text(meta, (SELECT id FROM dict)))) FROM m "
                           "WHERE id % 2 = 0");
    double found = number("SELECT bytes_per_row FROM vec_compress_report('m', 'meta') WHERE choice "
                          "= 'packed with a dictionary'");
    assert_true(fabs(found / packed - 1.0) < 0.02); /* a dictionary's id has 1 to 3 bytes more */
    vs_test_run(db, "DROP TABLE dict; DROP TABLE vecshard_dict");
}

static void texts_that_do_not_shrink_are_to_stay(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE r AS WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE "
                    "i < 100) SELECT char(random() & 127 | 1, random() & 127 | 1) AS x FROM n");
    vs_test_gives(db, "SELECT choice, note FROM vec_compress_report('r', 'x') WHERE recommended",
                  "text|nothing pays: no other form saves 3 %");
    vs_test_gives(db,
                  "SELECT share, ratio, note FROM vec_compress_report('r', 'x', 5) WHERE choice = "
                  "'packed with a dictionary'",
                  "0.0|NULL|no dictionary: too few texts, or too short ones");
    vs_test_run(db, "UPDATE r SET x = ''");
    vs_test_gives(db, "SELECT choice FROM vec_compress_report('r', 'x') WHERE recommended", "text");
    vs_test_run(db, "DROP TABLE r");
}

/* ---- The sample ------------------------------------------------------------------------------ */

static void the_sample_is_as_large_as_told_and_always_the_same(void **state)
{
    (void)state;
    fill_vectors(ROWS, 0);
    static const char sql[] =
        "SELECT bytes_per_row FROM vec_compress_report('t', 'v', 57) WHERE choice = 'cold'";
    assert_true(number(sql) == number(sql));
    vs_test_run(db, "UPDATE t SET v = vec_f32('[1]')");
    vs_test_gives(
        db,
        "SELECT rows, group_concat(round(1 / (1 - share))) FROM (SELECT column1 AS r FROM "
        "(VALUES (1), (10), (300), (100000))) JOIN vec_compress_report('t', 'v', r) WHERE "
        "choice = 'duplicates' GROUP BY rows",
        "1|1.0; 10|10.0; 300|300.0; 100000|300.0");
}

/* Ids that come in clusters: every cluster is seen. */
static void gaps_among_the_ids_are_passed_over(void **state)
{
    (void)state;
    vs_test_run(db, "UPDATE t SET id = id * 1000003 WHERE id > 100;"
                    "UPDATE t SET id = 9223372036854775807 WHERE id = (SELECT max(id) FROM t);"
                    "UPDATE t SET id = -9223372036854775808 WHERE id = 1");
    vs_test_gives(db,
                  "SELECT round(1 / (1 - share)) FROM vec_compress_report('t', 'v') WHERE choice = "
                  "'duplicates'",
                  "300.0");
    vs_test_gives(db,
                  "SELECT round(1 / (1 - share)) FROM vec_compress_report('t', 'v', 150) WHERE "
                  "choice = 'duplicates'",
                  "150.0");
}

/* Pages that the statement looks at. */
static int pages_of(const char *sql)
{
    int before = 0, after = 0, most = 0;
    sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_HIT, &before, &most, 0);
    (void)number(sql);
    sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_HIT, &after, &most, 0);
    return after - before;
}

static void a_large_table_costs_no_more_than_a_small_one(void **state)
{
    static const char sql[] = "SELECT share FROM vec_compress_report('t', 'v', 100)";
    (void)state;
    fill_vectors(3000, 0);
    int small = pages_of(sql);
    fill_vectors(60000, 0);
    assert_true(pages_of(sql) < 2 * small);
}

static void nulls_are_passed_over(void **state)
{
    (void)state;
    fill_vectors(ROWS, 4);
    vs_test_run(db, "UPDATE t SET v = NULL WHERE id % 3 > 0");
    vs_test_gives(db, "SELECT choice, share FROM vec_compress_report('t', 'v') WHERE recommended",
                  "store=half|1.0");
    vs_test_run(db, "UPDATE t SET v = NULL");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('t', 'v')",
                  "vec_compress_report: t.v is NULL in every row that was looked at");
    vs_test_run(db, "DELETE FROM t");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('t', 'v')",
                  "vec_compress_report: t.v has no rows");
}

/* More bytes than a sample may hold: fewer rows. */
static void large_values_make_the_sample_smaller(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE big AS WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                    "WHERE i < 12) SELECT printf('%.*c', 4000000, 'x') AS x FROM n");
    vs_test_gives(db,
                  "SELECT round(1 / (1 - share)) FROM vec_compress_report('big', 'x') WHERE choice "
                  "= 'duplicates'",
                  "6.0");
    vs_test_run(db, "UPDATE big SET x = CAST(zeroblob(34000000) AS TEXT) WHERE rowid = 1");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('big', 'x', 1)",
                  "vec_compress_report: big.x holds a value of more than 32 MiB");
    vs_test_run(db, "DROP TABLE big");
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static void columns_of_indexed_tables_are_read_through_them(void **state)
{
    (void)state;
    fill_vectors(ROWS, 4);
    vs_test_run(db, "CREATE VIRTUAL TABLE x USING vecshard(v float[64] store=half, i int8[64], "
                    "lang TEXT, +note TEXT);"
                    "INSERT INTO x(rowid, v, i, lang, note) SELECT id, t.v, vec_int8((SELECT "
                    "json_group_array(1) FROM vec_each(t.v))), 'en', meta FROM t JOIN m USING(id)");
    vs_test_gives(db, "SELECT choice, share FROM vec_compress_report('x', 'v') WHERE recommended",
                  "store=half|1.0");
    vs_test_gives(db, "SELECT choice FROM vec_compress_report('main.X', 'NOTE') WHERE recommended",
                  "packed with a dictionary");
    vs_test_gives(db, "SELECT choice FROM vec_compress_report('x', 'lang') WHERE recommended",
                  "text");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('x', 'i')",
                  "vec_compress_report: x.i holds int8 vectors, and float32 vectors or TEXT are "
                  "needed");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('x', 'distance')",
                  "vec_compress_report: table x has no column distance");
    vs_test_run(db, "DROP TABLE x");
}

/* ---- What a table can do --------------------------------------------------------------------- */

static void says_of_text(const char *column, const char *ending, const char *recommended)
{
    char *sql = sqlite3_mprintf("SELECT choice FROM vec_compress_report('x', %Q) WHERE recommended",
                                column);
    char *note = sqlite3_mprintf("SELECT count(*) FROM vec_compress_report('x', %Q) WHERE choice = "
                                 "'packed with a dictionary' AND note LIKE '%%' || %Q",
                                 column, ending);
    vs_test_gives(db, sql, recommended);
    vs_test_gives(db, note, "1");
    sqlite3_free(sql);
    sqlite3_free(note);
}

static void texts_are_recommended_what_the_table_can_do(void **state)
{
    static const char why[] = "not for this column: a table packs texts of auxiliary columns alone";
    (void)state;
    vs_test_run(db, "CREATE VIRTUAL TABLE x USING vecshard(v float[64], p TEXT PARTITION KEY, lang "
                    "TEXT, name TEXT PRIMARY KEY, +raw, +note TEXT);"
                    "INSERT INTO x(rowid, p, lang, name, raw, note) SELECT id, iif(id % 2, meta, "
                    "''), meta, meta, meta, meta FROM m");
    says_of_text("p", why, "text");
    says_of_text("lang", why, "text");
    says_of_text("name", why, "text");
    says_of_text("raw", why, "text");
    vs_test_gives(db, "SELECT note FROM vec_compress_report('x', 'lang') WHERE recommended",
                  "the table keeps it as it is");
    says_of_text("note", "; the command tier does it", "packed with a dictionary");
    vs_test_run(db, "INSERT INTO x(x, arg) VALUES('tier', 'cold')");
    says_of_text("note", "; the table has one, and packed texts of the column",
                 "packed with a dictionary");
    vs_test_run(db, "INSERT INTO x(x, arg) VALUES('tier', 'warm')");
    says_of_text("note", "; the command tier does it", "packed with a dictionary");
    vs_test_run(db, "DELETE FROM x WHERE rowid > 5");
    says_of_text("note", "no dictionary: too few texts, or too short ones", "text");
    vs_test_run(db, "DROP TABLE x");
}

/* What is recommended for a column v, and the notes of store=half and cold. */
static void says(const char *table, const char *recommended, const char *half, const char *cold)
{
    char *names =
        sqlite3_mprintf("SELECT choice FROM vec_compress_report(%Q, 'v') WHERE recommended", table);
    char *notes = sqlite3_mprintf("SELECT note FROM vec_compress_report(%Q, 'v') WHERE choice IN "
                                  "('store=half', 'cold')",
                                  table);
    char *expected = sqlite3_mprintf("%s; %s", half, cold);
    vs_test_gives(db, names, recommended);
    vs_test_gives(db, notes, expected);
    sqlite3_free(names);
    sqlite3_free(notes);
    sqlite3_free(expected);
}

#define HALF_EVERY "every row is float16 over a norm"
#define COLD_HALF "transform: float16 over norm; for vectors that are seldom searched"
#define COLD_NORMAL "transform: rotated planes; for vectors that are seldom searched"

static void an_index_without_vectors_gets_no_advice_about_them(void **state)
{
    static const char nothing[] = "would do nothing: the index keeps no vectors of this column";
    (void)state;
    fill_vectors(ROWS, 4);
    vs_test_run(db, "CREATE VIRTUAL TABLE x USING vecshard(v float[64], content=t)");
    says("t", "store=half", HALF_EVERY "; for it the vectors move into an indexed table",
         COLD_HALF ", in an indexed table");
    says("x", "float32", nothing, nothing);
    vs_test_gives(db, "SELECT note FROM vec_compress_report('x', 'v') WHERE recommended",
                  "the index keeps no vectors: those of t.v are what a search reads");
    vs_test_run(db, "DROP TABLE x; CREATE VIRTUAL TABLE x USING vecshard(v float[64] "
                    "distance_metric=l1, content=t)"); /* without codes it has vectors */
    says("x", "store=half", HALF_EVERY "; declared when a table is made",
         "not for this column: it has no codes");
    vs_test_run(db, "DROP TABLE x");
}

static void columns_that_cannot_be_cold_are_not_to_be(void **state)
{
    (void)state;
    fill_vectors(ROWS, 0);
    says("t", "cold", "no row is float16 over a norm", COLD_NORMAL ", in an indexed table");
    vs_test_run(db, "CREATE VIRTUAL TABLE x USING vecshard(v float[64] distance_metric=l1);"
                    "INSERT INTO x(rowid, v) SELECT id, v FROM t");
    says("x", "float32", "no row is float16 over a norm", "not for this column: it has no codes");
    vs_test_gives(db, "SELECT note FROM vec_compress_report('x', 'v') WHERE recommended",
                  "nothing pays: no other form saves 3 %");
    vs_test_run(db, "DROP TABLE x; UPDATE t SET v = substr(v, 1, 80)");
    says("t", "float32", "no row is float16 over a norm", "needs 32 dimensions");
}

static void what_a_column_is_already_is_said(void **state)
{
    static const char off[] = "the other rows stay float32, in the same column";
    (void)state;
    fill_vectors(1100, 3);
    vs_test_run(db, "CREATE VIRTUAL TABLE x USING vecshard(v float[64], w float[64] store=half, f "
                    "float[64] store=f16);"
                    "INSERT INTO x(rowid, v, w, f) SELECT id, v, v, v FROM t");
    char *declared = sqlite3_mprintf("%s; declared when a table is made", off);
    says("x", "store=half", declared, COLD_HALF);
    static const char notes[] =
        "SELECT choice, recommended, note FROM vec_compress_report('x', %Q) "
        "WHERE choice LIKE 'store%%' OR choice = 'cold'";
    char *of_w = sqlite3_mprintf(notes, "w"), *of_f = sqlite3_mprintf(notes, "f");
    vs_test_gives(db, of_w,
                  "store=half|1|the column is so already; the other rows stay float32, in the same "
                  "column; cold|0|" COLD_HALF
                  "; store=f16|0|lossy: distances are those of the rounded vectors");
    vs_test_gives(db, of_f,
                  "store=half|0|the column is store=f16 already; cold|1|" COLD_NORMAL
                  "; store=f16|0|the column is so already");
    vs_test_run(db, "INSERT INTO x(x, arg) VALUES ('tier', 'cold')"); /* 76 rows are left */
    says("x", "store=half", declared,
         "a part of the column is cold already; transform: float16 over norm");
    vs_test_gives(db, of_w,
                  "store=half|1|the column is so already; the other rows stay float32, in the same "
                  "column; cold|0|a part of the column is cold already; transform: float16 over "
                  "norm; store=f16|0|lossy: distances are those of the rounded vectors");
    vs_test_run(db, "DELETE FROM x WHERE rowid > 1024");
    says("x", "store=half", declared, "the column is cold already; transform: float16 over norm");
    sqlite3_free(declared);
    sqlite3_free(of_w);
    sqlite3_free(of_f);
    vs_test_run(db, "DROP TABLE x");
}

/* Of a column with store=f16, blocks are those of its float16 elements. */
static void the_size_of_a_rounded_column_is_that_of_its_blocks(void **state)
{
    (void)state;
    fill_vectors(1024, 0);
    vs_test_run(db, "CREATE VIRTUAL TABLE x USING vecshard(f float[64] store=f16);"
                    "INSERT INTO x(rowid, f) SELECT id, v FROM t;"
                    "INSERT INTO x(x, arg) VALUES ('tier', 'cold')");
    double found = number("SELECT bytes_per_row FROM vec_compress_report('x', 'f') WHERE choice = "
                          "'cold'");
    double blocks = number("SELECT (sum(length(data)) - count(*) * 32) / 1024.0 - 9 FROM x_cold0");
    assert_true(fabs(found - blocks) < 1e-9);
    vs_test_run(db, "DROP TABLE x");
}

static void tables_of_every_kind_have_a_report(void **state)
{
    (void)state;
    fill_vectors(ROWS, 4);
    vs_test_run(db, "ATTACH ':memory:' AS other; CREATE TABLE other.k(key INTEGER PRIMARY KEY, v) "
                    "WITHOUT ROWID; INSERT INTO other.k SELECT id, v FROM t;"
                    "CREATE TEMP TABLE few(v); INSERT INTO few VALUES (vec_f32('[1,2]'))");
    vs_test_gives(db, "SELECT choice FROM vec_compress_report('other.k', 'v') WHERE recommended",
                  "store=half");
    vs_test_gives(db,
                  "SELECT share, ratio, note FROM vec_compress_report('few', 'v') WHERE choice = "
                  "'store=half'",
                  "0.0|1.0|needs 8 dimensions");
    vs_test_run(db, "DROP TABLE few; DETACH other");
}

static void hostile_names_are_names(void **state)
{
    (void)state;
    vs_test_run(db, "CREATE TABLE \"a\"\"; DROP TABLE t; --\"(\"v\"\") FROM t; --\" TEXT);"
                    "INSERT INTO \"a\"\"; DROP TABLE t; --\" VALUES ('a'), ('b')");
    vs_test_gives(db,
                  "SELECT choice FROM vec_compress_report('a\"; DROP TABLE t; --', 'v\") FROM t; "
                  "--') WHERE recommended",
                  "text");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('t'' OR 1', 'v')",
                  "vec_compress_report: no such table: t' OR 1");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('t', '*')",
                  "vec_compress_report: table t has no column *");
    vs_test_run(db, "DROP TABLE \"a\"\"; DROP TABLE t; --\"");
}

static void errors_are_sentences(void **state)
{
    (void)state;
    fill_vectors(4, 0);
    vs_test_run(db, "CREATE VIEW looking AS SELECT * FROM t");
    vs_test_fails(db, "SELECT * FROM vec_compress_report",
                  "vec_compress_report: takes a table and a column, as in "
                  "vec_compress_report('docs', 'embedding')");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('none', 'v')",
                  "vec_compress_report: no such table: none");
    vs_test_fails(
        db, "SELECT * FROM vec_compress_report('looking', 'v')",
        "vec_compress_report: looking is a view, which has no rowids; name its base table");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('t', NULL)",
                  "vec_compress_report: the column must be text, found NULL");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('t', 'v', 'many')",
                  "vec_compress_report: rows must be a whole number from 1 to 100000, found many");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('vec_stats', 'target')",
                  "vec_compress_report: no such table: vec_stats");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('t', 'id')",
                  "vec_compress_report: t.id, row 1: float32 vectors or TEXT are needed, found a "
                  "number");
    vs_test_run(db, "DROP VIEW looking");
}

static void a_column_holds_one_kind_of_values(void **state)
{
    (void)state;
    vs_test_run(db, "UPDATE t SET v = 'text' WHERE id = 3");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('t', 'v')",
                  "vec_compress_report: t.v holds TEXT and BLOBs, as in rows 1 and 3: one of both "
                  "is needed");
    vs_test_run(db, "UPDATE t SET v = x'00000000' WHERE id = 3");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('t', 'v')",
                  "vec_compress_report: t.v, row 3: a BLOB of 4 bytes, and row 1 has 256: float32 "
                  "vectors of one dimension are needed");
    vs_test_run(db, "UPDATE t SET v = x'0000c07f'");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('t', 'v')",
                  "vec_compress_report: t.v, row 1: float32 vectors or TEXT are needed: element 0 "
                  "is NaN");
    vs_test_run(db, "UPDATE t SET v = x'000000'");
    vs_test_fails(db, "SELECT * FROM vec_compress_report('t', 'v')",
                  "vec_compress_report: t.v, row 1: float32 vectors or TEXT are needed: a float32 "
                  "vector has a multiple of 4 bytes, not 3");
}

static void nothing_changes(void **state)
{
    (void)state;
    fill_vectors(20, 4);
    vs_test_run(db,
                "CREATE TABLE before(n); INSERT INTO before SELECT count(*) FROM sqlite_schema");
    int64_t changes = sqlite3_total_changes64(db);
    vs_test_gives(db, "SELECT sum(recommended) FROM vec_compress_report('t', 'v')", "1");
    vs_test_gives(db, "SELECT sum(recommended) FROM vec_compress_report('m', 'meta')", "1");
    assert_int_equal(sqlite3_total_changes64(db), changes);
    vs_test_gives(db, "SELECT n = (SELECT count(*) FROM sqlite_schema) FROM before", "1");
    vs_test_fails(db, "DELETE FROM vec_compress_report",
                  "table vec_compress_report may not be modified");
    assert_null(sqlite3_next_stmt(db, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_column_on_the_half_grid_is_to_be_stored_so),
        cmocka_unit_test(rows_off_the_grid_stay_as_large_as_they_are),
        cmocka_unit_test(the_size_of_a_half_is_that_of_its_record),
        cmocka_unit_test(random_vectors_gain_what_their_exponents_do),
        cmocka_unit_test(bits_without_any_pattern_are_to_stay),
        cmocka_unit_test(the_size_of_cold_blocks_is_what_the_encoder_gives),
        cmocka_unit_test(vectors_that_come_again_are_counted),
        cmocka_unit_test(rounding_is_never_recommended),
        cmocka_unit_test(json_is_to_be_packed_with_a_dictionary),
        cmocka_unit_test(the_size_with_a_dictionary_is_that_of_rows_it_has_not_seen),
        cmocka_unit_test(texts_that_do_not_shrink_are_to_stay),
        cmocka_unit_test(the_sample_is_as_large_as_told_and_always_the_same),
        cmocka_unit_test(gaps_among_the_ids_are_passed_over),
        cmocka_unit_test(a_large_table_costs_no_more_than_a_small_one),
        cmocka_unit_test(nulls_are_passed_over),
        cmocka_unit_test(large_values_make_the_sample_smaller),
        cmocka_unit_test(columns_of_indexed_tables_are_read_through_them),
        cmocka_unit_test(texts_are_recommended_what_the_table_can_do),
        cmocka_unit_test(an_index_without_vectors_gets_no_advice_about_them),
        cmocka_unit_test(columns_that_cannot_be_cold_are_not_to_be),
        cmocka_unit_test(what_a_column_is_already_is_said),
        cmocka_unit_test(the_size_of_a_rounded_column_is_that_of_its_blocks),
        cmocka_unit_test(tables_of_every_kind_have_a_report),
        cmocka_unit_test(hostile_names_are_names),
        cmocka_unit_test(errors_are_sentences),
        cmocka_unit_test(a_column_holds_one_kind_of_values),
        cmocka_unit_test(nothing_changes),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
