/*
 * test_store_faults.c - a change of the shadow tables is whole, undone, or says that it must be.
 *
 * Each change runs again and again inside a transaction while one thing in it fails: the n-th
 * allocation, the n-th read or write of the file, or, by a trigger on the shadow tables, the n-th
 * write with each error code. Then either it succeeded and everything can be read back; or its code
 * is one that makes SQLite roll the transaction back (NOMEM, INTERRUPT, IOERR, FULL), and after
 * that all is as before; or nothing was changed at all.
 *
 * Environment: VS_FAULT_STRIDE  tests every n-th allocation only (default 1)
 */
#include "../search_fixture.h"

#include "../../ext/codes.h"
#include "../../ext/store.h"
#include "../read_code.h"
#include "../vs_fault.h"
#include "../vs_fault_io.h"
#include "../vs_fault_sql.h"

enum { DIM = 4096, ROWS = 40 };

static const char *file_name(void)
{
    return fixture_path("test_store_faults.db");
}

/* ---- a table with a full cell that is coded, and open ones ---- */

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

static void sql(const char *text)
{
    vs_test_run(db, text);
    vs_store_forget(&store);
}

/* Ends the transaction, unless an error inside has done so. */
static void roll_back(void)
{
    if (!sqlite3_get_autocommit(db)) {
        vs_test_run(db, "ROLLBACK");
    }
    vs_store_forget(&store);
}

static void declare(vs_declaration *out)
{
    static const char *const argv[] = {"v float[4096]", "w bit[64]", "g PARTITION KEY",
                                       "name TEXT PRIMARY KEY", "+note"};
    must(vs_declare_parse("vecshard: t", 5, argv, out, &err));
}

/* Values live as long as this statement: it gives them as one row. */
static sqlite3_stmt *values;

static void make_row(int64_t rowid, const char *part, vs_row *out)
{
    static float v[DIM];
    static uint8_t w[8];
    uint64_t seed = (uint64_t)rowid * 7919 + 1;
    char *text = sqlite3_mprintf("SELECT %s, 'k%lld', 'note %lld'", part, (long long)rowid,
                                 (long long)rowid);
    for (int i = 0; i < DIM; i++) {
        v[i] = (float)((double)(vs_test_random(&seed) >> 40) * 0x1p-23 - 1.0);
    }
    memcpy(w, &seed, sizeof w);
    memset(out, 0, sizeof *out);
    out->rowid = rowid;
    out->vectors[0] = v;
    out->vectors[1] = w;
    sqlite3_finalize(values);
    values = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &values, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(values), SQLITE_ROW);
    for (int i = 0; i < 3; i++) {
        out->columns[2 + i] = sqlite3_column_value(values, i);
    }
    sqlite3_free(text);
}

static void done_with_row(void)
{
    sqlite3_finalize(values);
    values = NULL;
}

static void open_table(const char *file, const char *vfs)
{
    vs_declaration declaration;
    db = fixture_open_file(file, FIXTURE_CREATE, vfs);
    vs_fault_sql_register(db);
    conn = vs_conn_new(db);
    assert_non_null(conn);
    declare(&declaration);
    must(vs_store_init(&store, conn, "main", "t", &declaration, &err));
}

static void fill_table(void)
{
    vs_row row;
    sql("BEGIN");
    must(vs_store_create(&store, &err));
    assert_int_equal(store.geometry.slots, 16);
    for (int i = 1; i <= ROWS; i++) { /* cells of 16 in part 'a', of 1 in 'b', of 7 in 'c' */
        make_row(i, i <= 32 ? "'a'" : i == 33 ? "'b'" : "'c'", &row);
        must(vs_store_insert(&store, &row, &err));
    }
    must(vs_store_delete(&store, 5, &err)); /* a free slot in a coded cell */
    must(vs_store_delete(&store, 32, &err));
    done_with_row();
    sql("COMMIT");
}

static void close_table(void)
{
    vs_store_close(&store);
    vs_conn_unref(conn);
    vs_test_close(db);
}

static const char *const tables[] = {"t_info",     "t_cells",    "t_parts",  "t_rows",
                                     "t_vectors0", "t_vectors1", "t_codes0", "t_cold0"};

/* All rows of all shadow tables, as one number. */
static uint64_t content(void)
{
    uint64_t sum = 14695981039346656037u;
    for (size_t t = 0; t < VS_TEST_COUNT(tables); t++) {
        sqlite3_stmt *stmt = NULL;
        char *text = sqlite3_mprintf("SELECT * FROM %s ORDER BY 1", tables[t]);
        assert_int_equal(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            for (int i = 0; i < sqlite3_column_count(stmt); i++) {
                int type = sqlite3_column_type(stmt, i);
                const unsigned char *bytes = sqlite3_column_blob(stmt, i);
                int n = sqlite3_column_bytes(stmt, i);
                sum = (sum ^ (unsigned)type) * 1099511628211u;
                for (int j = 0; j < n; j++) {
                    sum = (sum ^ bytes[j]) * 1099511628211u;
                }
            }
        }
        assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
        sqlite3_free(text);
    }
    return sum;
}

/* Every row's vectors and codes can be read, and the counts agree. */
static void everything_is_readable(void)
{
    sqlite3_stmt *stmt = NULL;
    static float vector[DIM];
    uint8_t *codes = malloc(store.geometry.slots * (store.geometry.vectors[0].coarse_bytes +
                                                    store.geometry.vectors[0].fine_bytes));
    int64_t count = 0, rows = 0;
    must(vs_store_load(&store, &err));
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT id, loc FROM t_rows", -1, &stmt, NULL),
                     SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        int64_t rowid = sqlite3_column_int64(stmt, 0), loc = sqlite3_column_int64(stmt, 1);
        int is_null = 0, is_missing = 0;
        vs_cell cell;
        for (int v = 0; v < 2; v++) {
            must(vs_store_vector(&store, v, loc, rowid, vector, &is_null, &is_missing, &err));
        }
        must(vs_store_cell(&store, loc / store.geometry.slots, &cell, &err));
        assert_true(vs_cell_has(&cell, (uint32_t)(loc % store.geometry.slots)));
        if (cell.is_coded) {
            size_t slot = (size_t)(loc % store.geometry.slots);
            size_t coarse_bytes = store.geometry.vectors[0].coarse_bytes;
            vs_code_record record;
            const vs_code *code = NULL;
            must(vs_store_code(&store, 0, cell.code_id[0], &code, &err));
            must(vs_store_read_codes(&store, 0, cell.id, 0, codes, &err));
            must(vs_test_read_code("t", 0, loc, codes + slot * coarse_bytes,
                                   codes + store.geometry.slots * coarse_bytes +
                                       slot * store.geometry.vectors[0].fine_bytes,
                                   store.geometry.vectors[0].code_dim, &record, &err));
            assert_int_equal(record.rowid, rowid);
        }
        rows++;
    }
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    vs_store_end_reading(&store);
    must(vs_store_count(&store, &count, &err));
    assert_int_equal(count, rows);
    free(codes);
}

/* ---- changes ---- */

static vs_row the_row;

static void prepare_nothing(void)
{
}
static void prepare_a(void)
{
    make_row(101, "'a'", &the_row);
}
static void prepare_c(void)
{
    make_row(102, "'c'", &the_row);
}
static void prepare_new_part(void)
{
    make_row(103, "'new'", &the_row);
}
static int change_insert(void)
{
    return vs_store_insert(&store, &the_row, &err);
}
/* Two rows more make a cell full, and coded. */
static int change_insert_two(void)
{
    vs_row row = the_row;
    int rc = vs_store_insert(&store, &row, &err);
    row.rowid++;
    row.columns[3] = NULL;
    return rc == SQLITE_OK ? vs_store_insert(&store, &row, &err) : rc;
}
static void prepare_vectors(void)
{
    make_row(201, "'a'", &the_row); /* other vectors, for row 3 */
    the_row.rowid = 3;
    the_row.is_changed[0] = 1;
    the_row.is_changed[1] = 1;
}
static int change_row_3(void)
{
    return vs_store_update(&store, 3, &the_row, &err);
}
static void prepare_move(void)
{
    make_row(3, "'c'", &the_row);
    the_row.is_changed[2] = 1;
}
static void prepare_move_to_new(void)
{
    make_row(3, "'d'", &the_row);
    the_row.is_changed[2] = 1;
}
static void prepare_rowid(void)
{
    make_row(301, "'a'", &the_row);
}
static void prepare_note(void)
{
    make_row(3, "'a'", &the_row);
    the_row.is_changed[4] = 1;
}
static int change_delete(void)
{
    return vs_store_delete(&store, 4, &err);
}
static int change_delete_cell(void)
{
    return vs_store_delete(&store, 33, &err);
}
static int change_recode(void)
{
    static const float anchor[DIM] = {0.5f, 0.25f};
    int rc = vs_store_code_set(&store, 0, anchor, &err);
    return rc == SQLITE_OK ? vs_store_recode_cell(&store, 1, &err) : rc;
}
static int change_cold(void)
{
    int is_changed = 0;
    return vs_store_set_tier(&store, 1, 1, &is_changed, &err);
}
static int change_warm(void)
{
    int is_changed = 0;
    int rc = change_cold();
    return rc == SQLITE_OK ? vs_store_set_tier(&store, 1, 0, &is_changed, &err) : rc;
}
static int change_cold_row_3(void)
{
    int rc = change_cold();
    return rc == SQLITE_OK ? change_row_3() : rc;
}
static int change_nothing(void)
{
    int64_t loc = 0, next = 0;
    vs_head head;
    vs_cell cell;
    static float vector[DIM];
    int is_null = 0, is_missing = 0;
    int rc = vs_store_load(&store, &err);
    rc = rc == SQLITE_OK ? vs_store_head(&store, &head, &err) : rc;
    rc = rc == SQLITE_OK ? vs_store_loc(&store, 3, &loc, &err) : rc;
    rc = rc == SQLITE_OK ? vs_store_vector(&store, 0, loc, 3, vector, &is_null, &is_missing, &err)
                         : rc;
    rc = rc == SQLITE_OK ? vs_store_cell(&store, 1, &cell, &err) : rc;
    rc = rc == SQLITE_OK ? vs_store_next_rowid(&store, &next, &err) : rc;
    return rc;
}

static const struct change {
    const char *name;
    void (*prepare)(void);
    int (*run)(void);
    int is_one; /* one row: nothing of it may stay when it fails */
} changes[] = {
    {"a row into a free slot of a coded cell", prepare_a, change_insert, 1},
    {"a row into a plain cell", prepare_c, change_insert, 1},
    {"a row of a new partition", prepare_new_part, change_insert, 1},
    {"two rows, the second makes a cell full", prepare_a, change_insert_two, 0},
    {"other vectors", prepare_vectors, change_row_3, 1},
    {"another partition", prepare_move, change_row_3, 1},
    {"a new partition", prepare_move_to_new, change_row_3, 1},
    {"another rowid", prepare_rowid, change_row_3, 1},
    {"a note", prepare_note, change_row_3, 1},
    {"a row less", prepare_nothing, change_delete, 1},
    {"the last row of a cell less", prepare_nothing, change_delete_cell, 1},
    {"a new description", prepare_nothing, change_recode, 0},
    {"vectors that become cold and come back", prepare_nothing, change_warm, 0},
    {"other vectors of a cold row", prepare_vectors, change_cold_row_3, 0},
    {"nothing", prepare_nothing, change_nothing, 1},
};

/* What every run must have left: `before` is the content without the change. */
static void check_run(const struct change *change, int rc, uint64_t before, const char *what,
                      long n)
{
    if (rc == SQLITE_OK) {
        everything_is_readable();
    } else if (!vs_fault_rolls_back(rc) && change->is_one && content() != before) {
        fail_msg("%s, %s %ld: result %d (%s) and a half change", change->name, what, n, rc,
                 err.message == NULL ? "no sentence" : err.message);
    }
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_NOMEM && err.message == NULL) {
        fail_msg("%s, %s %ld: result %d without a sentence", change->name, what, n, rc);
    }
    vs_error_clear(&err);
}

/* ---- memory ---- */

static void changes_survive_without_memory(void **state)
{
    const char *stride_text = getenv("VS_FAULT_STRIDE");
    long stride = stride_text == NULL ? 1 : strtol(stride_text, NULL, 10);
    int64_t live = vs_fault_live();
    long runs = 0;
    (void)state;
    open_table(":memory:", NULL);
    fill_table();
    uint64_t before = content();
    for (size_t c = 0; c < VS_TEST_COUNT(changes); c++) {
        for (int is_persistent = 0; is_persistent < 2; is_persistent++) {
            int64_t failures = 1;
            for (long n = 1; failures > 0; n += stride) {
                changes[c].prepare();
                vs_store_release(&store); /* statements are prepared, too, while memory lacks */
                vs_test_run(db, "BEGIN");
                vs_fault_arm(n, is_persistent);
                int rc = changes[c].run();
                failures = vs_fault_disarm();
                runs++;
                if (rc != SQLITE_OK && (failures == 0 || !vs_fault_rolls_back(rc))) {
                    fail_msg("%s, allocation %ld: result %d, %s", changes[c].name, n, rc,
                             err.message == NULL ? "no sentence" : err.message);
                }
                check_run(&changes[c], rc, before, "allocation", n);
                done_with_row();
                roll_back();
            }
        }
        assert_true(content() == before);
    }
    everything_is_readable();
    close_table();
    if (vs_fault_live() != live) {
        fail_msg("%lld blocks were lost", (long long)(vs_fault_live() - live));
    }
    print_message("%ld runs\n", runs);
}

static int make_and_drop(vs_store *other)
{
    vs_declaration declaration;
    static const char *const argv[] = {"v float[4096]", "g PARTITION KEY", "name TEXT PRIMARY KEY"};
    memset(other, 0, sizeof *other);
    int rc = vs_declare_parse("vecshard: u", 3, argv, &declaration, &err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = vs_store_init(other, conn, "main", "u", &declaration, &err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = vs_store_create(other, &err);
    rc = rc == SQLITE_OK ? vs_store_rename(other, "w", &err) : rc;
    rc = rc == SQLITE_OK ? vs_store_load(other, &err) : rc;
    vs_store_close(other);
    if (rc == SQLITE_OK) {
        rc = vs_store_open(other, conn, "main", "w", &err);
        rc = rc == SQLITE_OK ? vs_store_drop(other, &err) : rc;
        vs_store_close(other);
    }
    return rc;
}

static void tables_are_made_and_dropped_without_memory(void **state)
{
    int64_t live = vs_fault_live();
    (void)state;
    open_table(":memory:", NULL);
    for (int is_persistent = 0; is_persistent < 2; is_persistent++) {
        int64_t failures = 1;
        for (long n = 1; failures > 0; n += 3) {
            vs_store other;
            sql("BEGIN");
            vs_fault_arm(n, is_persistent);
            int rc = make_and_drop(&other);
            failures = vs_fault_disarm();
            int code = rc & 0xff;
            if ((failures == 0 && rc != SQLITE_OK) ||
                (code != SQLITE_OK && code != SQLITE_NOMEM && code != SQLITE_IOERR &&
                 code != SQLITE_ERROR)) { /* ALTER TABLE has its own words for it */
                fail_msg("allocation %ld: result %d, %s", n, rc,
                         err.message == NULL ? "no sentence" : err.message);
            }
            vs_error_clear(&err);
            roll_back();
        }
    }
    close_table();
    assert_int_equal(vs_fault_live(), live);
}

/* ---- error codes ---- */

static void no_error_leaves_half_a_change(void **state)
{
    static const int codes[] = {SQLITE_ERROR,   SQLITE_BUSY,      SQLITE_LOCKED, SQLITE_CONSTRAINT,
                                SQLITE_CORRUPT, SQLITE_READONLY,  SQLITE_TOOBIG, SQLITE_AUTH,
                                SQLITE_NOMEM,   SQLITE_INTERRUPT, SQLITE_IOERR,  SQLITE_FULL};
    long runs = 0;
    (void)state;
    open_table(":memory:", NULL);
    fill_table();
    uint64_t before = content();
    for (size_t t = 0; t < VS_TEST_COUNT(tables); t++) {
        vs_fault_sql_watch(db, "BEFORE", tables[t]);
        vs_fault_sql_watch(db, "AFTER", tables[t]);
    }
    for (size_t c = 0; c < VS_TEST_COUNT(changes); c++) {
        for (size_t i = 0; i < VS_TEST_COUNT(codes); i++) {
            int has_failed = 1;
            for (long n = 1; has_failed; n++) {
                changes[c].prepare();
                sql("BEGIN");
                vs_fault_sql_arm(n, codes[i]);
                int rc = changes[c].run();
                has_failed = vs_fault_sql_disarm();
                runs++;
                if ((rc == SQLITE_OK) == has_failed) {
                    fail_msg("%s, write %ld: result %d", changes[c].name, n, rc);
                }
                check_run(&changes[c], rc, before, "write", n);
                done_with_row();
                roll_back();
            }
        }
        assert_true(content() == before);
    }
    everything_is_readable();
    close_table();
    print_message("%ld runs\n", runs);
}

/* ---- files ---- */

static void changes_survive_a_failing_file(void **state)
{
    long runs = 0;
    (void)state;
    fixture_remove(file_name());
    open_table(file_name(), NULL);
    fill_table();
    uint64_t before = content();
    close_table();
    for (size_t c = 0; c < VS_TEST_COUNT(changes); c++) {
        for (int is_persistent = 0; is_persistent < 2; is_persistent++) {
            int has_failed = 1;
            for (long n = 1; has_failed; n++) {
                open_table(file_name(), "failing");
                sqlite3_extended_result_codes(db, 1);
                vs_test_run(db, "PRAGMA cache_size = 4; PRAGMA cache_spill = 1");
                changes[c].prepare();
                vs_test_run(db, "BEGIN");
                vs_fault_io_arm(n, VS_FAULT_ANY_CALL, 0, is_persistent);
                int rc = changes[c].run();
                has_failed = vs_fault_io_disarm() > 0;
                runs++;
                if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_IOERR) {
                    fail_msg("%s, call %ld: result %d, %s", changes[c].name, n, rc,
                             err.message == NULL ? "no sentence" : err.message);
                }
                if (rc == SQLITE_OK && is_persistent && has_failed) {
                    fail_msg("%s, call %ld: no error", changes[c].name, n);
                }
                vs_error_clear(&err);
                done_with_row();
                (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
                close_table();
                if (has_failed && n % 8 == 0) {
                    open_table(file_name(), NULL);
                    assert_true(content() == before);
                    close_table();
                }
            }
        }
        open_table(file_name(), NULL);
        assert_true(content() == before);
        everything_is_readable();
        vs_test_gives(db, "PRAGMA integrity_check", "ok");
        close_table();
    }
    fixture_remove(file_name());
    print_message("%ld runs\n", runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_survive_without_memory),
        cmocka_unit_test(tables_are_made_and_dropped_without_memory),
        cmocka_unit_test(no_error_leaves_half_a_change),
        cmocka_unit_test(changes_survive_a_failing_file),
    };
    vs_fault_install();
    vs_fault_io_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
