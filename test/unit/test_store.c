/*
 * test_store.c - the shadow tables hold what was written: through random changes, rollbacks and
 * savepoints, with cells, maps, rows, vectors and codes that agree.
 */
#include "../search_fixture.h"

#include <stdio.h>

#include "../../ext/codes.h"
#include "../../ext/store.h"

enum { DIM = 1024, SMALL = 8, ROWS = 400, PARTS = 3 };

/* ---- a store over a connection of its own ---- */

static sqlite3 *db;
static vs_conn *conn;
static vs_store store;
static vs_err err;

static void must(int rc)
{
    if (rc != SQLITE_OK) {
        fail_msg("result %d: %s (%s)", rc, err.message == NULL ? "no sentence" : err.message,
                 sqlite3_errmsg(db));
    }
}

static void fails(int rc, int expected, const char *words)
{
    if (rc != expected || err.message == NULL || strstr(err.message, words) == NULL) {
        fail_msg("result %d: %s; expected %d with \"%s\"", rc,
                 err.message == NULL ? "no sentence" : err.message, expected, words);
    }
    vs_error_clear(&err);
}

static void parse(const char *const *argv, int argc, vs_declaration *out)
{
    must(vs_declare_parse("vecshard: t", argc, argv, out, &err));
}

static void open_store(const char *file, const char *const *argv, int argc)
{
    vs_declaration declaration;
    db = fixture_open_file(file, FIXTURE_CREATE, NULL);
    conn = vs_conn_new(db);
    assert_non_null(conn);
    parse(argv, argc, &declaration);
    must(vs_store_init(&store, conn, "main", "t", &declaration, &err));
}

static void create_store(const char *file, const char *const *argv, int argc)
{
    open_store(file, argv, argc);
    vs_test_run(db, "BEGIN");
    must(vs_store_create(&store, &err));
    vs_test_run(db, "COMMIT");
    vs_store_forget(&store);
    must(vs_store_load(&store, &err));
}

static void close_store(void)
{
    vs_store_close(&store);
    vs_conn_unref(conn);
    vs_test_close(db);
}

static int64_t number_of(const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return number;
}

/* What a virtual table does when a transaction ends or a savepoint is set or undone. */
static void sql(const char *text)
{
    vs_test_run(db, text);
    vs_store_forget(&store);
}

/* A value with a life of its own. */
static sqlite3_value *value_of(const char *expression)
{
    sqlite3_stmt *stmt = NULL;
    char *text = sqlite3_mprintf("SELECT %s", expression);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    sqlite3_value *value = sqlite3_value_dup(sqlite3_column_value(stmt, 0));
    assert_non_null(value);
    sqlite3_finalize(stmt);
    sqlite3_free(text);
    return value;
}

/* ---- the model ---- */

/* One row: its content follows from numbers. */
typedef struct model_row {
    int is_there;
    uint64_t a, b; /* seeds of the vectors; 0: SQL NULL */
    int part;      /* tenant; PARTS: SQL NULL */
    int lang;
    int64_t name; /* the key is 'k<name>' */
} model_row;

typedef struct model {
    model_row rows[ROWS]; /* rowid = index + 1 */
    int64_t next_name;
} model;

enum { COLUMN_A, COLUMN_TENANT, COLUMN_B, COLUMN_NAME, COLUMN_LANG, COLUMN_NOTE, COLUMNS };
static const char *const all_kinds[] = {
    "a float[1024] distance_metric=cosine",
    "tenant INTEGER PARTITION KEY",
    "b int8[8]",
    "name TEXT PRIMARY KEY",
    "lang TEXT",
    "+note TEXT",
};

static void fill_a(uint64_t seed, float *out)
{
    for (int i = 0; i < DIM; i++) {
        out[i] = (float)((double)(vs_test_random(&seed) >> 40) * 0x1p-23 - 1.0) + 0.1f;
    }
}

static void fill_b(uint64_t seed, int8_t *out)
{
    for (int i = 0; i < SMALL; i++) {
        out[i] = (int8_t)(vs_test_random(&seed) >> 20);
    }
}

/* The arguments of a write, with all that they point to. */
typedef struct arguments {
    vs_row row;
    float a[DIM];
    int8_t b[SMALL];
} arguments;

static void set_value(arguments *args, int column, char *expression)
{
    args->row.columns[column] = value_of(expression);
    sqlite3_free(expression);
}

static void make_arguments(const model_row *from, int64_t rowid, arguments *out)
{
    memset(out, 0, sizeof *out);
    out->row.rowid = rowid;
    if (from->a != 0) {
        fill_a(from->a, out->a);
        out->row.vectors[0] = out->a;
    }
    if (from->b != 0) {
        fill_b(from->b, out->b);
        out->row.vectors[1] = out->b;
    }
    set_value(out, COLUMN_TENANT,
              from->part == PARTS ? sqlite3_mprintf("NULL") : sqlite3_mprintf("%d", from->part));
    set_value(out, COLUMN_NAME, sqlite3_mprintf("'k%lld'", (long long)from->name));
    set_value(out, COLUMN_LANG, sqlite3_mprintf("'l%d'", from->lang));
    set_value(out, COLUMN_NOTE, sqlite3_mprintf("'note %lld'", (long long)rowid));
}

static void free_arguments(arguments *args)
{
    for (int i = 0; i < COLUMNS; i++) {
        sqlite3_value_free(args->row.columns[i]);
    }
}

static int insert_row(const model_row *from, int64_t rowid)
{
    arguments args;
    make_arguments(from, rowid, &args);
    int rc = vs_store_insert(&store, &args.row, &err);
    free_arguments(&args);
    return rc;
}

/* Tells only the columns that differ. */
static int update_row(const model_row *from, int64_t rowid, const model_row *to, int64_t new_rowid)
{
    arguments args;
    make_arguments(to, new_rowid, &args);
    args.row.is_changed[COLUMN_A] = from->a != to->a;
    args.row.is_changed[COLUMN_B] = from->b != to->b;
    args.row.is_changed[COLUMN_TENANT] = from->part != to->part;
    args.row.is_changed[COLUMN_NAME] = from->name != to->name;
    args.row.is_changed[COLUMN_LANG] = from->lang != to->lang;
    args.row.is_changed[COLUMN_NOTE] = rowid != new_rowid;
    for (int i = 0; i < COLUMNS; i++) {
        if (!args.row.is_changed[i]) { /* and what does not change is not told */
            sqlite3_value_free(args.row.columns[i]);
            args.row.columns[i] = NULL;
        }
    }
    if (!args.row.is_changed[COLUMN_A]) {
        args.row.vectors[0] = NULL;
    }
    if (!args.row.is_changed[COLUMN_B]) {
        args.row.vectors[1] = NULL;
    }
    int rc = vs_store_update(&store, rowid, &args.row, &err);
    free_arguments(&args);
    return rc;
}

/* ---- everything agrees ---- */

typedef struct cells_seen {
    vs_cell cells[ROWS];
    int count;
} cells_seen;

static int see_cell(void *arg, const vs_cell *cell)
{
    cells_seen *seen = arg;
    assert_true(seen->count < ROWS);
    seen->cells[seen->count++] = *cell;
    return SQLITE_OK;
}

static const vs_cell *cell_of(const cells_seen *seen, int64_t id)
{
    for (int i = 0; i < seen->count; i++) {
        if (seen->cells[i].id == id) {
            return &seen->cells[i];
        }
    }
    fail_msg("no cell %lld", (long long)id);
    return NULL;
}

/* The code of a row is the one that its vector gives now. */
static void check_code(const vs_cell *cell, int64_t loc, int64_t rowid, const void *vector)
{
    static float scratch[2 * DIM];
    size_t slots = store.geometry.slots, slot = (size_t)loc % slots;
    size_t coarse_bytes = store.geometry.vectors[0].coarse_bytes;
    size_t fine_bytes = store.geometry.vectors[0].fine_bytes;
    uint8_t *codes = malloc(slots * (coarse_bytes + fine_bytes));
    uint8_t *coarse = malloc(coarse_bytes), *fine = malloc(fine_bytes);
    const vs_code *code = NULL;
    must(vs_store_read_codes(&store, 0, cell->id, 0, codes, &err));
    must(vs_store_code(&store, 0, cell->code_id[0], &code, &err));
    vs_code_row(code, rowid, vector, scratch, coarse, fine);
    assert_memory_equal(codes + slot * coarse_bytes, coarse, coarse_bytes);
    assert_memory_equal(codes + slots * coarse_bytes + slot * fine_bytes, fine, fine_bytes);
    free(codes);
    free(coarse);
    free(fine);
}

static void check_vectors(const cells_seen *seen, const model_row *row, int64_t rowid)
{
    static float a[DIM], expected_a[DIM];
    int8_t b[SMALL], expected_b[SMALL];
    int is_null = 0, is_missing = 0;
    int64_t loc = 0;
    must(vs_store_loc(&store, rowid, &loc, &err));
    const vs_cell *cell = cell_of(seen, loc / store.geometry.slots);
    assert_true(vs_cell_has(cell, (uint32_t)(loc % store.geometry.slots)));
    must(vs_store_vector(&store, 0, loc, rowid, a, &is_null, &is_missing, &err));
    assert_int_equal(is_null, row->a == 0);
    if (row->a != 0) {
        fill_a(row->a, expected_a);
        assert_memory_equal(a, expected_a, sizeof a);
    }
    must(vs_store_vector(&store, 1, loc, rowid, b, &is_null, &is_missing, &err));
    assert_int_equal(is_null, row->b == 0);
    if (row->b != 0) {
        fill_b(row->b, expected_b);
        assert_memory_equal(b, expected_b, sizeof b);
    }
    if (cell->is_coded) {
        check_code(cell, loc, rowid, row->a == 0 ? NULL : expected_a);
    }
}

/* The row's columns, and that its cell belongs to its partition. */
static void check_columns(const model_row *row, int64_t rowid)
{
    sqlite3_value *key = NULL;
    char *text = sqlite3_mprintf(
        "SELECT r.c%d IS %s AND r.c%d = 'k%lld' AND r.c%d = 'l%d' AND r.c%d = 'note %lld'"
        " AND p.c%d IS r.c%d FROM t_rows r JOIN t_cells c ON c.id = r.loc / %d JOIN t_parts p"
        " ON p.id = c.part WHERE r.id = %lld",
        COLUMN_TENANT,
        row->part == PARTS ? "NULL"
        : row->part == 0   ? "0"
        : row->part == 1   ? "1"
                           : "2",
        COLUMN_NAME, (long long)row->name, COLUMN_LANG, row->lang, COLUMN_NOTE, (long long)rowid,
        COLUMN_TENANT, COLUMN_TENANT, (int)store.geometry.slots, (long long)rowid);
    assert_int_equal(number_of(text), 1);
    sqlite3_free(text);
    int64_t found = 0;
    int is_found = 0;
    text = sqlite3_mprintf("'k%lld'", (long long)row->name);
    key = value_of(text);
    must(vs_store_by_key(&store, key, &found, &is_found, &err));
    assert_true(is_found);
    assert_int_equal(found, rowid);
    sqlite3_value_free(key);
    sqlite3_free(text);
}

static void check_directory(const cells_seen *seen, int64_t rows)
{
    int64_t live = 0, count = 0;
    for (int i = 0; i < seen->count; i++) {
        const vs_cell *cell = &seen->cells[i];
        live += cell->live;
        char *text =
            sqlite3_mprintf("SELECT open FROM t_cells WHERE id = %lld", (long long)cell->id);
        assert_int_equal(number_of(text), cell->live < store.geometry.slots);
        sqlite3_free(text);
        text =
            sqlite3_mprintf("SELECT count(*) FROM t_codes0 WHERE id = %lld", (long long)cell->id);
        assert_int_equal(number_of(text), cell->is_coded);
        sqlite3_free(text);
    }
    assert_int_equal(live, rows);
    must(vs_store_count(&store, &count, &err));
    assert_int_equal(count, rows);
    assert_int_equal(number_of("SELECT count(*) FROM t_rows"), rows);
    assert_int_equal(number_of("SELECT count(DISTINCT loc) FROM t_rows"), rows);
    for (int v = 0; v < 2; v++) {
        char *text =
            sqlite3_mprintf("SELECT count(*) FROM t_vectors%d WHERE id / %d NOT IN"
                            " (SELECT id FROM t_cells)",
                            v, (int)(store.geometry.slots / store.geometry.vectors[v].per_row));
        assert_int_equal(number_of(text), 0);
        sqlite3_free(text);
    }
    assert_int_equal(
        number_of("SELECT count(*) FROM t_codes0 WHERE id NOT IN (SELECT id FROM t_cells)"), 0);
}

static void check_all(const model *expected)
{
    static cells_seen seen;
    vs_head head;
    int64_t rows = 0;
    seen.count = 0;
    must(vs_store_head(&store, &head, &err));
    must(vs_store_cells(&store, &head, see_cell, &seen, &err));
    for (int i = 0; i < ROWS; i++) {
        int64_t loc = 0;
        if (expected->rows[i].is_there) {
            check_vectors(&seen, &expected->rows[i], i + 1);
            check_columns(&expected->rows[i], i + 1);
            rows++;
        } else {
            must(vs_store_loc(&store, i + 1, &loc, &err));
            assert_int_equal(loc, 0);
        }
    }
    check_directory(&seen, rows);
    vs_store_end_reading(&store);
}

/* ---- random changes ---- */

static uint64_t any_seed(uint64_t *random)
{
    return vs_test_random(random) % 16 == 0 ? 0 : vs_test_random(random) | 1;
}

static void new_content(model *now, uint64_t *random, model_row *out)
{
    out->is_there = 1;
    out->a = any_seed(random);
    out->b = any_seed(random);
    uint64_t dice = vs_test_random(random) % 100; /* most rows are in one partition */
    out->part = dice < 80 ? 0 : dice < 90 ? 1 : dice < 95 ? 2 : PARTS;
    out->lang = (int)(vs_test_random(random) % 4);
    out->name = ++now->next_name;
}

static void change_row(model *now, uint64_t *random, int at)
{
    model_row to = now->rows[at];
    int new_at = at;
    uint64_t what = vs_test_random(random);
    if (what & 1) {
        to.lang = (int)(vs_test_random(random) % 4);
    }
    if (what & 2) {
        to.a = any_seed(random);
    }
    if (what & 4) {
        to.b = any_seed(random);
    }
    if ((what & 24) == 24) {
        to.part = (int)(vs_test_random(random) % (PARTS + 1));
    }
    if ((what & 96) == 96) {
        to.name = ++now->next_name;
    }
    if ((what & 384) == 384) {
        new_at = (int)(vs_test_random(random) % ROWS);
        new_at = now->rows[new_at].is_there ? at : new_at;
    }
    must(update_row(&now->rows[at], at + 1, &to, new_at + 1));
    now->rows[at].is_there = 0;
    now->rows[new_at] = to;
}

static void change_something(model *now, uint64_t *random, unsigned inserts)
{
    int at = (int)(vs_test_random(random) % ROWS);
    if (!now->rows[at].is_there) {
        if (vs_test_random(random) % 10 < inserts) {
            new_content(now, random, &now->rows[at]);
            must(insert_row(&now->rows[at], at + 1));
        }
    } else if (vs_test_random(random) % 10 < inserts) {
        change_row(now, random, at);
    } else {
        must(vs_store_delete(&store, at + 1, &err));
        now->rows[at].is_there = 0;
    }
}

static void one_transaction(model *now, uint64_t *random, unsigned inserts)
{
    model before = *now, at_savepoint;
    int64_t last = sqlite3_last_insert_rowid(db);
    sql("BEGIN");
    for (int i = 0; i < 20; i++) {
        change_something(now, random, inserts);
    }
    sql("SAVEPOINT s");
    at_savepoint = *now;
    for (int i = 0; i < 10; i++) {
        change_something(now, random, inserts);
    }
    if (vs_test_random(random) % 3 == 0) {
        sql("ROLLBACK TO s");
        *now = at_savepoint;
    }
    for (int i = 0; i < 5; i++) {
        change_something(now, random, inserts);
        if (vs_test_random(random) % 3 == 0) { /* a search in between */
            vs_head head;
            must(vs_store_head(&store, &head, &err));
        }
    }
    sql("RELEASE s");
    assert_int_equal(sqlite3_last_insert_rowid(db), last);
    if (vs_test_random(random) % 4 == 0) {
        sql("ROLLBACK");
        *now = before;
    } else {
        sql("COMMIT");
    }
}

static void random_changes_leave_what_a_model_holds(void **state)
{
    static model now;
    uint64_t random = 0x9E3779B97F4A7C15u;
    (void)state;
    memset(&now, 0, sizeof now);
    create_store(":memory:", all_kinds, COLUMNS);
    assert_true(store.geometry.vectors[0].is_coded && !store.geometry.vectors[1].is_coded);
    assert_true(store.geometry.slots <= ROWS / 4); /* cells fill up */
    for (int i = 0; i < 90; i++) {
        one_transaction(&now, &random, i < 40 || i >= 60 ? 8 : 2);
        if (i % 6 == 5) {
            check_all(&now);
        }
    }
    assert_true(number_of("SELECT count(*) FROM t_codes0") > 1);
    sql("BEGIN"); /* to the last row */
    for (int i = 0; i < ROWS; i++) {
        if (now.rows[i].is_there) {
            must(vs_store_delete(&store, i + 1, &err));
            now.rows[i].is_there = 0;
        }
    }
    sql("COMMIT");
    check_all(&now);
    assert_int_equal(number_of("SELECT count(*) FROM t_cells"), 1);
    assert_int_equal(number_of("SELECT count(*) FROM t_vectors0"), 0);
    assert_int_equal(number_of("SELECT count(*) FROM t_vectors1"), 0);
    close_store();
}

/* ---- stamps ---- */

static void head_stamp(uint8_t out[VS_STAMP_BYTES])
{
    vs_head head;
    must(vs_store_head(&store, &head, &err));
    memcpy(out, head.stamp, VS_STAMP_BYTES);
}

static void every_change_after_a_read_gives_a_new_stamp(void **state)
{
    static model now;
    uint8_t before[VS_STAMP_BYTES], after[VS_STAMP_BYTES];
    uint64_t random = 77;
    (void)state;
    memset(&now, 0, sizeof now);
    create_store(":memory:", all_kinds, COLUMNS);
    sql("BEGIN");
    for (int i = 0; i < 200; i++) {
        model was = now;
        head_stamp(before);
        change_something(&now, &random, 6);
        head_stamp(after);
        if (memcmp(&was, &now, sizeof now) != 0) {
            assert_memory_not_equal(before, after, sizeof before);
        }
    }
    sql("SAVEPOINT s");
    new_content(&now, &random, &now.rows[0]);
    head_stamp(before);
    for (int i = 0; i < 20; i++) { /* the same change again and again, undone each time */
        (void)vs_store_delete(&store, 1, &err);
        vs_error_clear(&err);
        must(insert_row(&now.rows[0], 1));
        head_stamp(after);
        assert_memory_not_equal(before, after, sizeof before);
        memcpy(before, after, sizeof before);
        sql("ROLLBACK TO s");
    }
    sql("ROLLBACK");
    close_store();
}

/* ---- slots ---- */

static void freed_slots_are_used_again(void **state)
{
    static model now;
    uint64_t random = 5;
    (void)state;
    memset(&now, 0, sizeof now);
    create_store(":memory:", all_kinds, COLUMNS);
    int slots = (int)store.geometry.slots;
    sql("BEGIN");
    for (int i = 0; i < slots; i++) {
        new_content(&now, &random, &now.rows[i]);
        now.rows[i].part = 0;
        must(insert_row(&now.rows[i], i + 1));
    }
    assert_int_equal(number_of("SELECT count(*) FROM t_cells"), 2);
    assert_int_equal(number_of("SELECT count(*) FROM t_codes0"), 1);
    for (int i = 0; i < slots; i += 3) {
        must(vs_store_delete(&store, i + 1, &err));
        now.rows[i].is_there = 0;
    }
    for (int i = 0; i < slots; i += 3) {
        new_content(&now, &random, &now.rows[i]);
        now.rows[i].part = 0;
        must(insert_row(&now.rows[i], i + 1));
    }
    assert_int_equal(number_of("SELECT count(*) FROM t_cells"), 2);
    sql("COMMIT");
    check_all(&now);
    new_content(&now, &random, &now.rows[slots]);
    now.rows[slots].part = 0;
    must(insert_row(&now.rows[slots], slots + 1));
    assert_int_equal(number_of("SELECT count(*) FROM t_cells"), 3);
    vs_store_forget(&store);
    check_all(&now);
    close_store();
}

static void partitions_are_told_apart_by_every_byte(void **state)
{
    static const char *const argv[] = {"v float[4]", "g TEXT COLLATE NOCASE PARTITION KEY",
                                       "h PARTITION KEY"};
    static const char *const values[][2] = {
        {"'a'", "1"},    {"'A'", "1"},  {"'a'", "1.0"}, {"'a'", "'1'"},
        {"'a'", "NULL"}, {"NULL", "1"}, {"x'61'", "1"},
    };
    const float vector[] = {1, 2, 3, 4};
    (void)state;
    create_store(":memory:", argv, 3);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < VS_TEST_COUNT(values); i++) {
            vs_row row;
            memset(&row, 0, sizeof row);
            row.rowid = (int64_t)(round * 100) + (int64_t)i;
            row.vectors[0] = vector;
            row.columns[1] = value_of(values[i][0]);
            row.columns[2] = value_of(values[i][1]);
            must(vs_store_insert(&store, &row, &err));
            vs_store_forget(&store);
            sqlite3_value_free(row.columns[1]);
            sqlite3_value_free(row.columns[2]);
        }
    }
    assert_int_equal(number_of("SELECT count(*) FROM t_parts"), VS_TEST_COUNT(values));
    assert_int_equal(number_of("SELECT count(*) FROM t_cells"), VS_TEST_COUNT(values) + 1);
    close_store();
}

/* ---- rowids ---- */

static void the_next_rowid_follows_the_largest(void **state)
{
    static const char *const argv[] = {"v float[2]"};
    const float vector[] = {1, 2};
    vs_row row;
    int64_t next = 0;
    (void)state;
    create_store(":memory:", argv, 1);
    memset(&row, 0, sizeof row);
    row.vectors[0] = vector;
    must(vs_store_next_rowid(&store, &next, &err));
    assert_int_equal(next, 1);
    row.rowid = -5;
    must(vs_store_insert(&store, &row, &err));
    must(vs_store_next_rowid(&store, &next, &err));
    assert_true(next > -5);
    row.rowid = 41;
    must(vs_store_insert(&store, &row, &err));
    must(vs_store_next_rowid(&store, &next, &err));
    assert_int_equal(next, 42);
    row.rowid = INT64_MAX;
    must(vs_store_insert(&store, &row, &err));
    assert_int_equal(vs_store_next_rowid(&store, &next, &err), SQLITE_FULL);
    vs_error_clear(&err);
    close_store();
}

/* ---- names ---- */

static void tables_are_renamed_and_their_names_are_free_again(void **state)
{
    static model now;
    vs_declaration declaration;
    vs_store other;
    uint64_t random = 3;
    (void)state;
    memset(&now, 0, sizeof now);
    create_store(":memory:", all_kinds, COLUMNS);
    for (int i = 0; i < 70; i++) {
        new_content(&now, &random, &now.rows[i]);
        must(insert_row(&now.rows[i], i + 1));
        vs_store_forget(&store);
    }
    must(vs_store_rename(&store, "it's \"u\"", &err));
    assert_int_equal(number_of("SELECT count(*) FROM sqlite_schema WHERE tbl_name GLOB 't[_]*'"),
                     0);
    parse(all_kinds, COLUMNS, &declaration);
    must(vs_store_init(&other, conn, "main", "t", &declaration, &err));
    must(vs_store_create(&other, &err));
    must(vs_store_load(&other, &err));
    must(vs_store_drop(&other, &err));
    vs_store_close(&other);
    must(vs_store_rename(&store, "t", &err));
    must(vs_store_load(&store, &err));
    check_all(&now);
    must(vs_store_drop(&store, &err));
    assert_int_equal(number_of("SELECT count(*) FROM sqlite_schema WHERE name LIKE 't%'"), 0);
    close_store();
}

static void a_table_is_opened_by_its_name(void **state)
{
    static model now;
    uint64_t random = 9;
    (void)state;
    memset(&now, 0, sizeof now);
    create_store(":memory:", all_kinds, COLUMNS);
    for (int i = 0; i < 70; i++) {
        new_content(&now, &random, &now.rows[i]);
        must(insert_row(&now.rows[i], i + 1));
    }
    vs_store_close(&store);
    must(vs_store_open(&store, conn, "main", "t", &err));
    check_all(&now);
    vs_test_run(db, "VACUUM");
    vs_store_forget(&store);
    check_all(&now);
    vs_store_close(&store);
    assert_int_not_equal(vs_store_open(&store, conn, "main", "nothing", &err), SQLITE_OK);
    vs_error_clear(&err);
    vs_test_run(db, "UPDATE t_info SET value = '99' WHERE key = 'reader'");
    fails(vs_store_open(&store, conn, "main", "t", &err), SQLITE_ERROR, "99");
    vs_test_run(db, "UPDATE t_info SET value = 'x' WHERE key = 'reader'");
    fails(vs_store_open(&store, conn, "main", "t", &err), SQLITE_CORRUPT_VTAB, "reader");
    vs_test_run(db, "UPDATE t_info SET value = '1' WHERE key = 'reader';"
                    "UPDATE t_info SET value = 'paper' WHERE key = 'magic'");
    fails(vs_store_open(&store, conn, "main", "t", &err), SQLITE_CORRUPT_VTAB, "vecshard");
    close_store();
}

static void shadow_tables_are_known_by_their_suffix(void **state)
{
    static const char *const yes[] = {"info",   "cells",    "parts",  "rows",
                                      "codes0", "vectors0", "codes7", "VECTORS7"};
    static const char *const no[] = {"",        "inf",       "codes",  "codes8", "codes10",
                                     "vectors", "vectors-1", "info_x", "data"};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(yes); i++) {
        assert_true(vs_store_is_shadow(yes[i]));
    }
    for (size_t i = 0; i < VS_TEST_COUNT(no); i++) {
        assert_false(vs_store_is_shadow(no[i]));
    }
}

/* ---- files ---- */

static const char *file_name(const char *suffix)
{
    static char name[300];
    sqlite3_snprintf((int)sizeof name, name, "%s%s", fixture_path("test_store.db"), suffix);
    return name;
}

static void remove_file(void)
{
    fixture_remove(file_name(""));
}

static int file_holds(const void *bytes, size_t n)
{
    FILE *file = fopen(file_name(""), "rb");
    int is_found = 0;
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    char *all = malloc((size_t)size);
    rewind(file);
    assert_int_equal(fread(all, 1, (size_t)size, file), size);
    for (long i = 0; i + (long)n <= size && !is_found; i++) {
        is_found = memcmp(all + i, bytes, n) == 0;
    }
    free(all);
    fclose(file);
    return is_found;
}

/* Overflow pages hold 4,092 bytes: 64 of a vector may be cut, two such pieces are not both. */
static int file_holds_vector(const float *vector)
{
    return file_holds(vector + 100, 64) || file_holds(vector + 200, 64);
}

static void secure_delete_overwrites_vectors(void **state)
{
    static model now;
    static float vector[DIM];
    uint64_t random = 11;
    (void)state;
    for (int is_secure = 0; is_secure < 2; is_secure++) {
        memset(&now, 0, sizeof now);
        remove_file();
        create_store(file_name(""), all_kinds, COLUMNS);
        sql(is_secure ? "PRAGMA secure_delete = 1" : "PRAGMA secure_delete = 0");
        sql("BEGIN");
        for (int i = 0; i < 70; i++) {
            new_content(&now, &random, &now.rows[i]);
            now.rows[i].a = (uint64_t)(1000 + i);
            now.rows[i].part = 0;
            must(insert_row(&now.rows[i], i + 1));
        }
        must(vs_store_delete(&store, 70, &err));
        sql("COMMIT");
        must(vs_store_delete(&store, 4, &err));
        vs_store_forget(&store);
        fill_a(now.rows[3].a, vector);
        assert_int_equal(file_holds_vector(vector), !is_secure);
        fill_a(now.rows[4].a, vector); /* the test sees vectors that are there */
        assert_true(file_holds_vector(vector));
        now.rows[3].is_there = 0;
        now.rows[69].is_there = 0;
        check_all(&now);
        close_store();
    }
    remove_file();
}

static void a_row_of_a_transaction_of_its_own_costs_few_pages(void **state)
{
    static const char *const argv[] = {"v float[768]", "lang TEXT"};
    static float vector[768];
    vs_row row;
    uint64_t random = 13;
    int64_t last = 0, sum = 0, largest = 0;
    int count = 0;
    (void)state;
    remove_file();
    create_store(file_name(""), argv, 2);
    sql("PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = off");
    memset(&row, 0, sizeof row);
    row.vectors[0] = vector;
    row.columns[1] = value_of("'english'");
    for (int i = 0; i < 300; i++) {
        for (int j = 0; j < 768; j++) {
            vector[j] = (float)((double)(vs_test_random(&random) >> 40) * 0x1p-23 - 1.0);
        }
        row.rowid = i + 1;
        must(vs_store_insert(&store, &row, &err));
        vs_store_forget(&store);
        FILE *wal = fopen(file_name("-wal"), "rb");
        assert_non_null(wal);
        assert_int_equal(fseek(wal, 0, SEEK_END), 0);
        int64_t size = ftell(wal), bytes = size - last;
        fclose(wal);
        last = size;
        if (i > 0 && number_of("SELECT count(*) FROM t_codes0") == i / (int)store.geometry.slots) {
            if ((i + 1) % (int)store.geometry.slots != 0) { /* nothing was coded */
                sum += bytes;
                count++;
                largest = bytes > largest ? bytes : largest;
            }
        }
    }
    print_message("WAL: %lld bytes per row, at most %lld\n", (long long)(sum / count),
                  (long long)largest);
    assert_true(sum / count <= 24 * 1024);
    sqlite3_value_free(row.columns[1]);
    close_store();
    remove_file();
}

/* ---- damage ---- */

static void damage_is_told(void **state)
{
    static const char *const damages[] = {
        "UPDATE t_cells SET data = zeroblob(40) WHERE id = 1 << 46",
        "DELETE FROM t_cells WHERE id = 1 << 46",
        "UPDATE t_cells SET data = 7 WHERE id = 1",
        "UPDATE t_cells SET part = part + 1",
        "DELETE FROM t_cells WHERE id = 1",
        "INSERT INTO t_cells SELECT id + 1000, part, open, data FROM t_cells WHERE id = 1",
        "UPDATE t_vectors0 SET data = zeroblob(length(data))",
        "UPDATE t_vectors0 SET data = x'00'",
        "UPDATE t_vectors1 SET data = NULL",
        "DELETE FROM t_vectors0",
        "UPDATE t_rows SET loc = -loc",
        "UPDATE t_rows SET loc = loc + 1000000",
        "UPDATE t_rows SET loc = 'somewhere'",
        "UPDATE t_codes0 SET data = x'0102'",
        "UPDATE t_codes0 SET data = NULL",
        "DELETE FROM t_codes0",
        "UPDATE t_info SET value = x'00' WHERE key GLOB 'code/*'",
        "DELETE FROM t_info WHERE key GLOB 'code/*'",
    };
    static model now;
    uint64_t random = 21;
    (void)state;
    memset(&now, 0, sizeof now);
    create_store(":memory:", all_kinds, COLUMNS);
    sql("BEGIN");
    for (int i = 0; i < 300; i++) {
        new_content(&now, &random, &now.rows[i]);
        must(insert_row(&now.rows[i], i + 1));
    }
    sql("COMMIT");
    check_all(&now);
    for (size_t i = 0; i < VS_TEST_COUNT(damages); i++) {
        uint64_t dice = 5 + i;
        int found = 0;
        sql("BEGIN");
        sql(damages[i]);
        vs_store_release(&store); /* descriptions, too, are read again */
        must(vs_store_load(&store, &err));
        for (int n = 0; n < 300; n++) {
            int at = (int)(vs_test_random(&dice) % 300);
            model_row to = now.rows[at];
            int rc;
            switch (n % 3) {
            case 0:
                rc = vs_store_delete(&store, at + 1, &err);
                break;
            case 1:
                to.a = any_seed(&dice);
                to.b = any_seed(&dice);
                rc = update_row(&now.rows[at], at + 1, &to, at + 1);
                break;
            default:
                new_content(&now, &dice, &to);
                rc = insert_row(&to, 1000 + n);
                break;
            }
            int code = rc & 0xff;
            if (code != SQLITE_OK && code != SQLITE_CORRUPT && code != SQLITE_IOERR) {
                fail_msg("%s: result %d: %s", damages[i], rc,
                         err.message == NULL ? "no sentence" : err.message);
            }
            if (code != SQLITE_OK) {
                found++;
                assert_non_null(err.message);
            }
            vs_error_clear(&err);
            vs_store_forget(&store);
        }
        if (found == 0) {
            print_message("unnoticed while writing: %s\n", damages[i]);
        }
        sql("ROLLBACK");
        vs_store_release(&store);
        must(vs_store_load(&store, &err));
    }
    check_all(&now);
    close_store();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_leave_what_a_model_holds),
        cmocka_unit_test(every_change_after_a_read_gives_a_new_stamp),
        cmocka_unit_test(freed_slots_are_used_again),
        cmocka_unit_test(partitions_are_told_apart_by_every_byte),
        cmocka_unit_test(the_next_rowid_follows_the_largest),
        cmocka_unit_test(tables_are_renamed_and_their_names_are_free_again),
        cmocka_unit_test(a_table_is_opened_by_its_name),
        cmocka_unit_test(shadow_tables_are_known_by_their_suffix),
        cmocka_unit_test(secure_delete_overwrites_vectors),
        cmocka_unit_test(a_row_of_a_transaction_of_its_own_costs_few_pages),
        cmocka_unit_test(damage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
