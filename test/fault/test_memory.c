/*
 * test_memory.c - without memory, everything says so and nothing breaks.
 *
 * The same statement runs again and again, the n-th allocation failing: that one alone, then that
 * one and all after it, until a run meets no failure. Each time the result is the right answer or
 * SQLITE_NOMEM, nothing was written, and in the end all memory came back.
 *
 * Environment: VS_FAULT_STRIDE  tests every n-th allocation only (default 1)
 */
#include "../search_fixture.h"

#include <stdio.h>

#include "../vs_fault.h"

/* What a run gave: its code, and its rows folded into one number. */
typedef struct memory_run {
    int rc;
    uint64_t rows;
} memory_run;

static uint64_t fold(uint64_t sum, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < n; i++) {
        sum = (sum ^ at[i]) * 1099511628211u;
    }
    return sum;
}

static memory_run run_statement(sqlite3 *db, const char *sql)
{
    memory_run run = {SQLITE_OK, 14695981039346656037u};
    sqlite3_stmt *stmt = NULL;
    run.rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    while (run.rc == SQLITE_OK && (run.rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        run.rc = SQLITE_OK;
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            int type = sqlite3_column_type(stmt, i);
            double number = sqlite3_column_double(stmt, i);
            run.rows = fold(run.rows, &type, sizeof type);
            run.rows = fold(run.rows, &number, sizeof number);
            if (type == SQLITE_BLOB) {
                const void *blob = sqlite3_column_blob(stmt, i);
                run.rows =
                    fold(run.rows, blob, blob == NULL ? 0 : (size_t)sqlite3_column_bytes(stmt, i));
            }
        }
    }
    sqlite3_finalize(stmt);
    run.rc = run.rc == SQLITE_DONE ? SQLITE_OK : run.rc & 0xff;
    return run;
}

static sqlite3 *open_tables(void)
{
    sqlite3 *db = vs_test_open();
    fixture_fill(db, "t", 60, 3, FIXTURE_LOG_NORM);
    fixture_fill(db, "n", 600, 3, FIXTURE_LOG_NORM);
    vs_test_run(
        db,
        "CREATE INDEX n_norm ON n(vec_norm(v)); CREATE INDEX n_tag ON n(tag) WHERE tag = 3;"
        "CREATE TABLE c(id INTEGER PRIMARY KEY, v, g REAL AS (vec_norm(v)) STORED);"
        "INSERT INTO c(id, v) SELECT id, v FROM n; CREATE INDEX c_norm ON c(g, v);"
        "CREATE TABLE w(k INTEGER PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO w VALUES (1, "
        "'[1,2,3]'), (2, '[1,2,2]');"
        "CREATE TABLE bad(id INTEGER PRIMARY KEY, v); INSERT INTO bad VALUES (1, '[1,2,3]'), (2, "
        "x'00000000'), (3, '[3,4,5]');"
        "CREATE TABLE i8(v); INSERT INTO i8 VALUES (vec_int8('[1,2,3]')), (vec_int8('[-1,2,3]'));"
        "CREATE TABLE x(id INTEGER PRIMARY KEY, v); INSERT INTO x VALUES (1, '[1,2,3]');"
        "CREATE VIRTUAL TABLE x_half USING vecshard(v float16[3], content=x);"
        "CREATE VIRTUAL TABLE x_one USING vecshard(v float[3] distance_metric=l2sq, content=x);"
        "CREATE VIRTUAL TABLE x_two USING vecshard(v float[3] distance_metric=cosine, content=x)");
    return db;
}

/*
 * Runs the statement under failing allocations of one kind on a fresh connection. Returns the
 * number of runs.
 */
static int64_t fail_each_allocation(const char *sql, int is_persistent, int64_t stride)
{
    int64_t live = vs_fault_live();
    int64_t failures;
    int64_t runs = 0;
    sqlite3 *db = open_tables();
    sqlite3 *other = open_tables();
    memory_run expected = run_statement(other, sql); /* elsewhere, so that db's caches stay empty */
    vs_test_close(other);
    for (int64_t n = 1;; n += stride) {
        int changes = sqlite3_total_changes(db);
        vs_fault_arm(n, is_persistent);
        memory_run run = run_statement(db, sql);
        failures = vs_fault_disarm();
        runs++;
        if (run.rc != expected.rc && (run.rc != SQLITE_NOMEM || failures == 0) &&
            (run.rc != SQLITE_IOERR || failures == 0)) {
            fail_msg("%s: allocation %lld%s fails: result %d, %s", sql, (long long)n,
                     is_persistent ? " and all after it" : "", run.rc, sqlite3_errmsg(db));
        }
        if (run.rc == SQLITE_OK && run.rows != expected.rows) {
            fail_msg("%s: allocation %lld%s fails: other rows", sql, (long long)n,
                     is_persistent ? " and all after it" : "");
        }
        assert_int_equal(sqlite3_total_changes(db), changes);
        fixture_nothing_is_open(db);
        if (failures == 0) {
            break;
        }
    }
    fixture_is_usable(db);
    vs_test_close(db);
    if (vs_fault_live() != live) {
        fail_msg("%s: %lld blocks were lost", sql, (long long)(vs_fault_live() - live));
    }
    return runs;
}

static void fail_all(const char *const *statements, size_t count)
{
    const char *stride = getenv("VS_FAULT_STRIDE");
    int64_t runs = 0;
    for (size_t i = 0; i < count; i++) {
        runs +=
            fail_each_allocation(statements[i], 0, stride == NULL ? 1 : strtoll(stride, NULL, 10));
        runs +=
            fail_each_allocation(statements[i], 1, stride == NULL ? 1 : strtoll(stride, NULL, 10));
    }
    print_message("%lld runs\n", (long long)runs);
}

static void registering_survives(void **state)
{
    (void)state;
    for (int is_persistent = 0; is_persistent < 2; is_persistent++) {
        int64_t failures = 1;
        for (int64_t n = 1; failures > 0; n++) {
            int64_t live = vs_fault_live();
            sqlite3 *db = NULL;
            char *message = NULL;
            assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
            vs_fault_arm(n, is_persistent);
            int rc = sqlite3_vecshard_init(db, &message, NULL);
            failures = vs_fault_disarm();
            if (rc != SQLITE_OK && (rc != SQLITE_NOMEM || failures == 0)) {
                fail_msg("allocation %lld: %d, %s", (long long)n, rc, message);
            }
            if (rc != SQLITE_OK) { /* undone as a whole, and a second try works */
                assert_int_equal(fixture_step_all(db, "SELECT vec_version()"), SQLITE_ERROR);
                assert_int_equal(sqlite3_vecshard_init(db, NULL, NULL), SQLITE_OK);
            }
            fixture_is_usable(db);
            sqlite3_free(message);
            vs_test_close(db);
            assert_int_equal(vs_fault_live(), live);
        }
    }
}

static void functions_survive(void **state)
{
    static const char *const statements[] = {
        "SELECT vec_f32('[1,2]'), vec_f16('[1,2]'), vec_bf16('[1,2]'), vec_int8('[1,2]'), "
        "vec_bit('[1,0,1,0,1,0,1,0]')",
        "SELECT vec_from_base64('AAAAAA=='), vec_from_base64('AAAA', 'int8')",
        "SELECT vec_length('[1,2]'), vec_type(vec_int8('[1]')), vec_to_json('[1,2.5]'), "
        "vec_norm('[3,4]')",
        "SELECT vec_add('[1,2]','[3,4]'), vec_sub('[1,2]','[3,4]'), vec_scale('[1,2]', 2), "
        "vec_normalize('[3,4]')",
        "SELECT vec_slice('[1,2,3]',0,2), vec_concat('[1]','[2,3]'), "
        "vec_quantize_int8('[0.1,-1]','unit'), vec_quantize_binary('[1,1,1,1,-1,1,1,1]')",
        "SELECT vec_dot('[1,2]','[3,4]'), vec_distance_l2('[1,2]','[3,4]'), "
        "vec_distance_l2sq('[1,2]','[3,4]'), vec_distance_l1('[1,2]','[3,4]')",
        "SELECT vec_distance_cosine('[1,2]','[3,4]'), vec_distance_dot('[1,2]','[3,4]'), "
        "vec_cosine_similarity('[1,2]','[3,4]')",
        "SELECT vec_distance_hamming(vec_bit(x'01'),vec_bit(x'02')), "
        "vec_distance_jaccard(vec_bit(x'01'),vec_bit(x'03'))",
        "SELECT vec_sum(v), vec_avg(v) FROM t",
        "SELECT sum(value) FROM vec_each('[1,2,3]')",
        "SELECT length(vec_version()) > 0, length(vec_debug()) > 0, vec_config('stats'), "
        "vec_config('stats', '1')",
        "SELECT count(*) FROM vec_kernels",
        "SELECT count(*) >= 0 FROM vec_stats",
        "SELECT count(*) FROM vec_jobs",
        "SELECT vec_norm_selectivity('t', 'v', '[1,2,3]', 0.5)",
        "SELECT vec_dot('[1,2]', '[1,2,3]')", /* errors too */
        "SELECT vec_f32('[1,')",
        "SELECT vec_config('colour')",
    };
    (void)state;
    fail_all(statements, VS_TEST_COUNT(statements));
}

static void searches_survive(void **state)
{
    static const char *const statements[] = {
        "SELECT id, distance, rank FROM vec_search('t', 'v', '[1,2,3]', 5)",
        "SELECT id, tbl, col, query, k, options FROM vec_search('t', 'v', '[1,2,3]', 2, "
        "'{\"metric\":\"cosine\",\"bad_rows\":\"skip\"}')",
        "SELECT s.id FROM vec_search('t', 'v', '[1,2,3]') AS s JOIN t AS d ON d.id = s.id WHERE "
        "d.tag = 3 ORDER BY s.distance LIMIT 70",
        "SELECT id FROM vec_search('t', 'v', '[1,2,3]', 5) WHERE id IN (SELECT id FROM t WHERE tag "
        "< 5) AND distance < 4.0",
        "SELECT id FROM vec_search('w', 'v', '[1,2,3]', 5, '{\"metric\":\"l1\"}')",
        "SELECT id FROM vec_search('bad', 'v', '[1,2,3]', 5, '{\"bad_rows\":\"skip\"}')",
        "SELECT id FROM vec_search('i8', 'v', '[1,2,3]', 5, '{\"type\":\"int8\"}')",
        "SELECT id FROM vec_search('n', 'v', '[1,2,3]', 5, "
        "'{\"metric\":\"dot\",\"index\":\"n_norm\"}')",
        "SELECT id FROM vec_search('n', 'v', '[1,2,3]', 5, "
        "'{\"metric\":\"l2\",\"index\":\"n_norm\"}')",
        "SELECT id FROM vec_search('n', 'v', '[1,2,3]', 5, '{\"index\":\"n_tag\"}')",
        "SELECT query_no, id FROM vec_search_batch('t', 'v', '[[1,2,3],[3,2,1]]', 5) WHERE id IN "
        "(SELECT id FROM t WHERE tag < 5) AND id IN (2, 3, 5, 7) AND distance > 0.5",
        "SELECT id FROM vec_search('n', 'v', '[1,2,3]', 5, '{\"metric\":\"dot\"}')",
        "SELECT id FROM vec_search('c', 'v', '[1,2,3]', 5, "
        "'{\"metric\":\"l2\",\"norm_band\":0.2}')",
        "SELECT t.id, (SELECT s.id FROM vec_search('t', 'v', t.v, 1, '{\"metric\":\"dot\"}') AS s) "
        "FROM t WHERE t.id < 4",
        "SELECT query_no, id, rank, distance FROM vec_search_batch('t', 'v', '[[1,2,3],[3,2,1]]', "
        "3)",
        "SELECT count(*) FROM vec_search_batch('n', 'v', '[[1,2,3],[3,2,1]]', 3, "
        "'{\"index\":\"n_tag\",\"metric\":\"cosine\"}')",
        "SELECT id, distance FROM vec_search('x', 'v', '[1,2,4]', 5)",
        "SELECT id, distance FROM vec_search('x', 'v', '[1,2,4]', 5, '{\"metric\":\"cosine\"}')",
        "SELECT id, distance FROM vec_search('x', 'v', '[1,2,4]', 5, '{\"index\":\"x_half\"}')",
        "SELECT id FROM vec_search('x', 'v', '[1,2,4]', 5, "
        "'{\"index\":\"x_one\",\"type\":\"int8\"}')", /* an error */
        "EXPLAIN SELECT id FROM vec_search('n', 'v', '[1,2,3]', 5, '{\"metric\":\"dot\"}')",
        "SELECT id FROM vec_search('nowhere', 'v', '[1,2,3]', 5)", /* errors too */
        "SELECT id FROM vec_search('bad', 'v', '[1,2,3]', 5)",
        "SELECT id FROM vec_search('t', 'v', '[1,2]', 5)",
        "SELECT id FROM vec_search('t', 'v', '[1,2,3]', 5, '{\"index\":\"none\"}')",
        "SELECT id FROM vec_search_batch('t', 'v', '[[1,2,3],[1,2]]', 5)",
    };
    (void)state;
    fail_all(statements, VS_TEST_COUNT(statements));
}

/*
 * The row loop of a search and of a batch takes nothing from the heap, however many rows there are.
 * (Rows that are looked up one by one, by id, make SQLite open a cursor each: it takes that from
 * its lookaside memory, which is off here.)
 */
static void rows_cost_no_allocation(void **state)
{
    static const char *const statements[] = {
        "SELECT count(*) FROM vec_search('%s', 'v', '[1,2,3]', 5, '{\"metric\":\"l2\"}')",
        "SELECT count(*) FROM vec_search('%s', 'v', '[1,2,3]', 5, '{\"metric\":\"cosine\"}')",
        ("SELECT count(*) FROM vec_search('%s', 'v', '[1,2,3]', 5, "
         "'{\"metric\":\"dot\",\"index\":\"%s_norm\"}')"),
        "SELECT count(*) FROM vec_search_batch('%s', 'v', '[[1,2,3],[3,2,1]]', 5)",
    };
    sqlite3 *db = vs_test_open();
    (void)state;
    fixture_fill(db, "few", 500, 3, FIXTURE_WHOLE);
    fixture_fill(db, "many", 20000, 3, FIXTURE_WHOLE);
    vs_test_run(db, "CREATE INDEX few_norm ON few(vec_norm(v), v); CREATE INDEX many_norm ON "
                    "many(vec_norm(v), v)");
    for (size_t i = 0; i < VS_TEST_COUNT(statements); i++) {
        int64_t allocations[2];
        for (int j = 0; j < 2; j++) {
            const char *table = j == 0 ? "few" : "many";
            char *sql = sqlite3_mprintf(statements[i], table, table);
            (void)run_statement(db, sql); /* fills SQLite's caches */
            allocations[j] = vs_fault_allocations();
            (void)run_statement(db, sql);
            allocations[j] = vs_fault_allocations() - allocations[j];
            sqlite3_free(sql);
        }
        if (allocations[1] > allocations[0] + 40) { /* B-tree pages that are deeper */
            fail_msg("%s: %lld allocations for 500 rows, %lld for 20,000", statements[i],
                     (long long)allocations[0], (long long)allocations[1]);
        }
    }
    vs_test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registering_survives),
        cmocka_unit_test(functions_survive),
        cmocka_unit_test(searches_survive),
        cmocka_unit_test(rows_cost_no_allocation),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
