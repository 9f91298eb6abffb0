/*
 * test_index_listed.c - searches that list the rows which conditions leave give what brute force
 * gives.
 *
 * Conditions leave from one row in a thousand to a third, in cells of 1,024 rows and of 16, some of
 * them plain, coded by one description or two, in memory or not, with NULL among the rows and other
 * rows in freed slots; for one query and for many, on one thread and on several, with and without
 * front planes. Where equal rows fill the workers' room for candidates, cells are scanned twice:
 * their rows count once.
 */
#include "../filter_fixture.h"
#include "../store_fixture.h"

#include "../../ext/nearest_impl.h"

#define LISTED_QUERIES 24
#define LISTED_IDS_MAX 8192

/* ---- single queries -------------------------------------------------------------------------- */

/* Two searches for each share of the rows, with other k each time. */
static void listed_compare_all(filter_table *table)
{
    static const char *const conditions[] = {"n = 5",   "n < 10",  "n < 50",
                                             "n < 200", "n < 249", "n < 300"};
    static const int ks[] = {1, 10, 63, 64, 300, 2000, 30000};
    static size_t turn;
    for (size_t i = 0; i < 2 * VS_TEST_COUNT(conditions); i++) {
        filter_new_query(table, 0);
        filter_compare(table, conditions[i / 2], ks[turn++ % VS_TEST_COUNT(ks)]);
    }
}

static void listed_compare_by_threads(filter_table *table)
{
    vs_test_run(table->db, "SELECT vec_config('threads', 3)");
    listed_compare_all(table);
    vs_test_run(table->db, "SELECT vec_config('threads', 1)");
    listed_compare_all(table);
}

/* Rows with other ids, conditions and vectors in the slots that others leave. */
static void listed_reuse_slots(filter_table *table)
{
    vs_test_run(table->db,
                "BEGIN;"
                "DELETE FROM t WHERE rowid % 13 = 0; DELETE FROM plain WHERE id % 13 = 0;"
                "INSERT INTO plain(id, v, n, c) SELECT 1000000 + id, CASE id % 5 WHEN 0 THEN NULL "
                "ELSE v END, "
                "(n + 500) % 1000, c FROM plain WHERE id % 19 = 0;"
                "INSERT INTO t(rowid, v, n, c) SELECT id, v, n, c FROM plain WHERE id > 1000000;"
                "UPDATE plain SET n = 4 WHERE id % 50 = 7; UPDATE t SET n = 4 WHERE rowid % 50 = 7;"
                "DELETE FROM t WHERE rowid % 17 = 3; DELETE FROM plain WHERE id % 17 = 3;"
                "COMMIT");
}

static void listed_check(filter_table table)
{
    filter_open(&table, table.rows + 1);
    listed_compare_by_threads(&table);
    filter_learn(&table);
    listed_compare_by_threads(&table);
    listed_reuse_slots(&table);
    listed_compare_by_threads(&table);
    vs_test_run(table.db, "SELECT vec_config('cache_mb', 3)");
    listed_compare_by_threads(&table);
    vs_test_run(table.db, "SELECT vec_config('cache_mb', 256);"
                          "INSERT INTO t(t) VALUES ('optimize')");
    listed_compare_by_threads(&table);
    filter_close(&table);
}

static void cells_of_many_small_rows(void **state)
{
    (void)state;
    listed_check((filter_table){.metric = "l2", .rows = 9000, .dim = 16, .noise = 0.1f});
}

static void codes_that_do_not_fill_their_length(void **state)
{
    (void)state;
    listed_check((filter_table){.metric = "cosine", .rows = 12000, .dim = 130, .noise = 0.05f});
}

static void rows_enough_for_some_threads(void **state)
{
    (void)state;
    listed_check((filter_table){.metric = "dot", .rows = 30000, .dim = 768, .noise = 0.5f});
}

static void cells_of_few_large_rows(void **state)
{
    (void)state;
    listed_check((filter_table){.metric = "l2", .rows = 900, .dim = 5000, .noise = 0.3f});
}

/* Columns with codes of another metric and without codes, where other rows are NULL. */
static void several_vector_columns(void **state)
{
    filter_table table = {.metric = "l2",
                          .columns = "u float[200] distance_metric=cosine, w float[8], ",
                          .rows = 6000,
                          .dim = 200,
                          .noise = 0.1f};
    static const char *const conditions[] = {"n = 5", "n < 50", "n < 249", "n < 300"};
    (void)state;
    filter_open(&table, table.rows + 1);
    vs_test_run(table.db,
                "ALTER TABLE plain ADD u BLOB; ALTER TABLE plain ADD w BLOB; BEGIN;"
                "UPDATE plain SET w = substr(v, 1, 32) WHERE id % 3 <> 1;"
                "UPDATE plain SET u = (SELECT v FROM plain AS p WHERE p.id = 6001 - plain.id);"
                "UPDATE t SET u = (SELECT u FROM plain WHERE id = t.rowid), "
                "w = (SELECT w FROM plain WHERE id = t.rowid); COMMIT;"
                "SELECT vec_config('threads', 3)");
    for (size_t i = 0; i < 3 * VS_TEST_COUNT(conditions); i++) {
        const char *condition = conditions[i % VS_TEST_COUNT(conditions)];
        int k = i % 2 == 0 ? 10 : 300;
        filter_new_query(&table, 0);
        vs_test_run(
            table.db,
            "INSERT OR REPLACE INTO query SELECT 1, substr(v, 1, 32) FROM query WHERE no = 0");
        filter_compare(&table, condition, k);
        filter_compare_column(&table, "u", "cosine", 0, condition, k);
        filter_compare_column(&table, "w", "l2", 1, condition, k);
        if (i == VS_TEST_COUNT(conditions)) {
            listed_reuse_slots(&table);
        }
    }
    filter_close(&table);
}

/* An index whose table has lost rows of which it was not told: they are found, and not counted. */
static void rows_that_are_gone_from_the_table(void **state)
{
    filter_table table = {.metric = "l2", .rows = 6000, .dim = 200, .noise = 0.1f};
    (void)state;
    filter_open(&table, table.rows + 1);
    vs_test_run(table.db,
                "DROP TABLE t; DELETE FROM plain WHERE v IS NULL;"
                "CREATE VIRTUAL TABLE t USING vecshard(v float[200], n INTEGER, c INTEGER, "
                "content=plain, content_rowid=id)");
    assert_int_equal(sqlite3_db_config(table.db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL),
                     SQLITE_OK);
    for (int round = 0; round < 3; round++) {
        filter_new_query(&table, 0);
        listed_compare_by_threads(&table);
        filter_new_query(&table, 0); /* the nearest are those that go */
        vs_test_run(table.db,
                    "DELETE FROM plain WHERE id IN (SELECT id FROM plain WHERE n < 249 ORDER BY "
                    "vec_distance_l2(v, (SELECT v FROM query WHERE no = 0)) LIMIT 30)");
        filter_compare(&table, "n < 249", 20);
        filter_compare(&table, "n < 50", 64);
    }
    filter_close(&table);
}

/* ---- batches over an id list ----------------------------------------------------------------- */

typedef struct listed_batch {
    filter_table *table;
    store_fixture fixture;
    float *queries; /* owned: [LISTED_QUERIES][dim] */
    int64_t ids[LISTED_IDS_MAX];
    size_t id_count;
    vs_cascade cascade; /* of all searches */
} listed_batch;

static void batch_open(listed_batch *batch, filter_table *table)
{
    memset(batch, 0, sizeof *batch);
    batch->table = table;
    batch->queries = test_calloc(LISTED_QUERIES * (size_t)table->dim, sizeof *batch->queries);
    fixture_join_store(&batch->fixture, table->db);
    vs_test_run(table->db, "CREATE TEMP TABLE wanted(id INTEGER PRIMARY KEY)");
}

static void batch_close(listed_batch *batch)
{
    fixture_leave_store(&batch->fixture);
    test_free(batch->queries);
}

/* `select` gives the ids that are wanted: they may name rows that are not there. */
static void batch_want(listed_batch *batch, const char *select)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("DELETE FROM wanted; INSERT INTO wanted %s", select);
    vs_test_run(batch->table->db, sql);
    sqlite3_free(sql);
    batch->id_count = 0;
    (void)sqlite3_prepare_v2(batch->table->db, "SELECT id FROM wanted ORDER BY id", -1, &stmt,
                             NULL);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        assert_true(batch->id_count < LISTED_IDS_MAX);
        batch->ids[batch->id_count++] = sqlite3_column_int64(stmt, 0);
    }
    sqlite3_finalize(stmt);
}

/* The hits of one query are those of brute force, to the last bit. */
static void batch_compare(const listed_batch *batch, size_t query, size_t k, const vsk_hit *hits,
                          size_t count)
{
    const filter_table *table = batch->table;
    sqlite3_stmt *stmt = NULL;
    size_t at = 0;
    char *sql = sqlite3_mprintf(
        "SELECT id, vec_distance_%s(v, ?2) AS d FROM plain WHERE v IS NOT NULL AND id IN wanted "
        "ORDER BY d, id LIMIT ?1",
        table->metric);
    assert_int_equal(sqlite3_prepare_v2(table->db, sql, -1, &stmt, NULL), SQLITE_OK);
    (void)sqlite3_bind_int64(stmt, 1, (int64_t)k);
    (void)sqlite3_bind_blob(stmt, 2, batch->queries + query * (size_t)table->dim,
                            table->dim * (int)sizeof(float), SQLITE_STATIC);
    for (; sqlite3_step(stmt) == SQLITE_ROW; at++) {
        if (at >= count || hits[at].id != sqlite3_column_int64(stmt, 0) ||
            hits[at].distance != sqlite3_column_double(stmt, 1)) {
            fail_msg("query %zu, k %zu: rank %zu of %zu is not row %lld at %.17g", query, k, at,
                     count, (long long)sqlite3_column_int64(stmt, 0),
                     sqlite3_column_double(stmt, 1));
        }
    }
    assert_int_equal(at, count);
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
}

/* Some of the queries at once, among the wanted rows or all: hits [count][k]. */
static void batch_search(listed_batch *batch, vs_metric metric, int has_ids, size_t first,
                         size_t count, size_t k, vsk_hit *hits, size_t *counts)
{
    store_fixture *fixture = &batch->fixture;
    vs_nearest *nearest = NULL;
    vs_filter filter;
    vs_counters counters = {0};
    vs_filter_init(&filter);
    filter.has_ids = has_ids;
    filter.ids = batch->ids;
    filter.id_count = batch->id_count;
    fixture_must(fixture, vs_nearest_new(&fixture->store, 0, metric, &nearest));
    fixture_must(fixture,
                 vs_nearest_batch(nearest, batch->queries + first * (size_t)batch->table->dim,
                                  count, &filter, NULL, k, hits, counts, &counters, &batch->cascade,
                                  &fixture->err));
    vs_nearest_free(nearest);
}

static void batch_check(listed_batch *batch, vs_metric metric, size_t first, size_t count, size_t k)
{
    size_t counts[LISTED_QUERIES];
    vsk_hit *hits = test_malloc(count * k * sizeof *hits);
    batch_search(batch, metric, 1, first, count, k, hits, counts);
    for (size_t query = 0; query < count; query++) {
        batch_compare(batch, first + query, k, hits + query * k, counts[query]);
    }
    test_free(hits);
}

/* Searches of all rows until there are front planes: those of the connection are not the store's. */
static void batch_learn(listed_batch *batch, vs_metric metric)
{
    vsk_hit hits[10];
    size_t count = 0;
    for (int i = 0; i < FILTER_LESSONS; i++) {
        filter_fill(batch->table, batch->queries);
        batch_search(batch, metric, 0, 0, 1, VS_TEST_COUNT(hits), hits, &count);
    }
    batch->cascade = (vs_cascade){0};
}

static void batch_check_all(listed_batch *batch, vs_metric metric)
{
    static const size_t ks[] = {1, 10, 64, 2000};
    static const char *const shares[] = {"= 3", "< 10", "< 50", "< 200", "< 249", "< 300"};
    for (size_t i = 0; i < VS_TEST_COUNT(shares) * VS_TEST_COUNT(ks); i++) {
        char *select = sqlite3_mprintf("SELECT id FROM plain WHERE (id * 2654435761 >> 9) %% 1000 "
                                       "%s UNION VALUES (123456789), (97)",
                                       shares[i / VS_TEST_COUNT(ks)]);
        batch_want(batch, select);
        sqlite3_free(select);
        for (size_t q = 0; q < LISTED_QUERIES; q++) {
            filter_fill(batch->table, batch->queries + q * (size_t)batch->table->dim);
        }
        vs_test_run(batch->table->db, i % 2 == 0 ? "SELECT vec_config('threads', 3)"
                                                 : "SELECT vec_config('threads', 1)");
        batch_check(batch, metric, 0, i % 3 == 0 ? LISTED_QUERIES : 9, ks[i % VS_TEST_COUNT(ks)]);
    }
}

static void batches_over_an_id_list(void **state)
{
    filter_table table = {.metric = "l2", .rows = 8000, .dim = 130, .noise = 0.05f};
    listed_batch batch;
    (void)state;
    filter_open(&table, table.rows + 1);
    batch_open(&batch, &table);
    batch_check_all(&batch, VS_L2);
    vs_test_run(table.db, "SELECT vec_config('cache_mb', 1)");
    batch_check_all(&batch, VS_L2);
    batch_close(&batch);
    filter_close(&table);
}

static void batches_over_front_planes(void **state)
{
    filter_table table = {.metric = "l2", .rows = 12000, .dim = 200, .noise = 0.02f};
    listed_batch batch;
    (void)state;
    filter_open(&table, table.rows + 1);
    batch_open(&batch, &table);
    batch_learn(&batch, VS_L2);
    batch_check_all(&batch, VS_L2);
    vs_test_gives(table.db, "SELECT vec_config('cpu') = 'scalar'",
                  batch.cascade.passed_p == 0 ? "1" : "0"); /* which makes no front planes */
    batch_close(&batch);
    filter_close(&table);
}

/* New cells are coded by another description than those that were there: units have rows of both. */
static void batches_over_codes_of_two_descriptions(void **state)
{
    filter_table table = {.metric = "dot", .rows = 4000, .dim = 250, .noise = 0.3f};
    listed_batch batch;
    float anchor[250];
    (void)state;
    filter_open(&table, table.rows + 1);
    batch_open(&batch, &table);
    store_fixture *fixture = &batch.fixture;
    filter_fill(&table, anchor);
    fixture_must(fixture, vs_store_code_set(&fixture->store, 0, anchor, &fixture->err));
    fixture_run(fixture,
                "INSERT INTO plain SELECT 10000 + id, v, (n + 333) % 1000, c FROM plain;"
                "INSERT INTO t(rowid, v, n, c) SELECT id, v, n, c FROM plain WHERE id > 10000");
    vs_test_gives(table.db, "SELECT count(*) FROM t_info WHERE key GLOB 'code/0/*'", "2");
    batch_check_all(&batch, VS_DOT);
    batch_close(&batch);
    listed_compare_by_threads(&table);
    filter_close(&table);
}

/* ---- cells that are scanned twice ------------------------------------------------------------ */

/* The rows of the cells after the first are equal, but one near each query. Of these cells each
 * fourth row is wanted, and not the last: one with more is looked at as a whole. */
typedef struct twice_table {
    filter_table base;
    int slots, cells;
    size_t together; /* queries of one scan */
} twice_table;

static void twice_fill_queries(twice_table *table, listed_batch *batch)
{
    sqlite3_stmt *stmt = NULL;
    (void)sqlite3_prepare_v2(table->base.db,
                             "SELECT v FROM plain WHERE id = (SELECT max(id) FROM plain)", -1,
                             &stmt, NULL);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    const float *equal = sqlite3_column_blob(stmt, 0);
    for (int j = 0; j < table->base.dim * LISTED_QUERIES; j++) {
        batch->queries[j] = equal[j % table->base.dim] + 0.3f * filter_uniform(&table->base.random);
    }
    sqlite3_finalize(stmt);
}

/* Rows that are near a query lie in a cell of two units: the first wanted one of it, or the last. */
static int64_t twice_near_id(const twice_table *table, int query)
{
    int wanted = table->slots / 4 - 1;
    int cell = 1 + NEAREST_LISTED_UNIT * (1 + query / 2) / wanted;
    int slot = 4 * (query % 2 == 0 ? 0 : wanted - 1);
    return (int64_t)cell * table->slots + slot + 1;
}

static void twice_put_near(twice_table *table, const listed_batch *batch, int query, int64_t id)
{
    float vector[FILTER_DIM_MAX];
    for (int j = 0; j < table->base.dim; j++) {
        vector[j] = batch->queries[query * table->base.dim + j] +
                    0.02f * filter_uniform(&table->base.random);
    }
    filter_put(&table->base, "UPDATE plain SET v = ?2 WHERE id = ?1", id, vector);
    filter_put(&table->base, "UPDATE t SET v = ?2 WHERE rowid = ?1", id, vector);
}

/* The two nearest are the near row and an equal one, which is lost when the near one counts twice
 * for the limit. */
static void twice_check(twice_table table, int times)
{
    listed_batch batch;
    table.base.rows = (1 + table.cells) * table.slots;
    filter_open(&table.base, table.slots + 2);
    batch_open(&batch, &table.base);
    twice_fill_queries(&table, &batch);
    for (int q = 0; q < LISTED_QUERIES; q++) {
        twice_put_near(&table, &batch, q, twice_near_id(&table, q));
    }
    char *select = sqlite3_mprintf("SELECT id FROM plain WHERE id > %d AND id %% 4 = 1 AND "
                                   "(id - 1) %% %d < %d",
                                   table.slots, table.slots, table.slots - 4);
    batch_want(&batch, select);
    sqlite3_free(select);
    vs_test_run(table.base.db, "SELECT vec_config('threads', 2)");
    for (int i = 0; i < times; i++) {
        for (size_t first = 0; first < LISTED_QUERIES; first += table.together) {
            batch_check(&batch, VS_L2, first, table.together, 2);
        }
    }
    for (int cell = 1; cell <= table.cells; cell++) { /* now none may be lost anywhere */
        twice_put_near(&table, &batch, 0, (int64_t)cell * table.slots + 4 * 7 + 1);
    }
    for (int i = 0; i < 3 * times; i++) {
        batch_check(&batch, VS_L2, 0, table.together, (size_t)table.cells + 1);
    }
    batch_close(&batch);
    filter_close(&table.base);
}

static void rows_of_one_query_count_once(void **state)
{
    (void)state;
    twice_check((twice_table){.base = {.metric = "l2", .dim = 1536, .noise = 0.1f},
                              .slots = 64,
                              .cells = 250,
                              .together = 1},
                8);
}

static void rows_of_many_queries_count_once(void **state)
{
    (void)state;
    twice_check((twice_table){.base = {.metric = "l2", .dim = 200, .noise = 0.1f},
                              .slots = 256,
                              .cells = 60,
                              .together = LISTED_QUERIES},
                4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_of_many_small_rows),
        cmocka_unit_test(codes_that_do_not_fill_their_length),
        cmocka_unit_test(rows_enough_for_some_threads),
        cmocka_unit_test(cells_of_few_large_rows),
        cmocka_unit_test(several_vector_columns),
        cmocka_unit_test(rows_that_are_gone_from_the_table),
        cmocka_unit_test(batches_over_an_id_list),
        cmocka_unit_test(batches_over_front_planes),
        cmocka_unit_test(batches_over_codes_of_two_descriptions),
        cmocka_unit_test(rows_of_one_query_count_once),
        cmocka_unit_test(rows_of_many_queries_count_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
