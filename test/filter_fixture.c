/*
 * filter_fixture.c - see filter_fixture.h.
 */
#include "filter_fixture.h"

float filter_uniform(uint64_t *random)
{
    return (float)((double)(vs_test_random(random) >> 11) / 4503599627370496.0 - 1.0);
}

void filter_fill(filter_table *table, float *out)
{
    for (int i = 0; i < table->dim; i++) {
        out[i] = table->noise * filter_uniform(&table->random);
    }
    for (int j = 0; j < FILTER_DIRECTIONS; j++) {
        float factor = filter_uniform(&table->random) / (float)(1 + j);
        for (int i = 0; i < table->dim; i++) {
            out[i] += factor * table->directions[j][i];
        }
    }
}

void filter_put(const filter_table *table, const char *sql, int64_t id, const float *vector)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(table->db, sql, -1, &stmt, NULL), SQLITE_OK);
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_blob(stmt, 2, vector, table->dim * (int)sizeof *vector, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
}

void filter_put_query(filter_table *table, int64_t number, const float *vector)
{
    filter_put(table, "INSERT OR REPLACE INTO query VALUES (?1, ?2)", number, vector);
}

void filter_new_query(filter_table *table, int64_t number)
{
    float vector[FILTER_DIM_MAX];
    filter_fill(table, vector);
    filter_put_query(table, number, vector);
}

static void filter_fill_plain(filter_table *table, int equal)
{
    float vector[FILTER_DIM_MAX] = {0};
    sqlite3_stmt *stmt = NULL;
    (void)sqlite3_prepare_v2(table->db, "INSERT INTO plain(id, v) VALUES (?1, ?2)", -1, &stmt,
                             NULL);
    for (int id = 1; id <= table->rows; id++) {
        if (id < equal) {
            filter_fill(table, vector);
        }
        sqlite3_bind_int64(stmt, 1, id);
        sqlite3_bind_blob(stmt, 2, vector, table->dim * (int)sizeof *vector, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
}

void filter_open(filter_table *table, int equal)
{
    char *sql = sqlite3_mprintf(
        "CREATE TEMP TABLE query(no INTEGER PRIMARY KEY, v BLOB);"
        "CREATE TABLE plain(id INTEGER PRIMARY KEY, v BLOB, n INTEGER, c INTEGER);"
        "CREATE VIRTUAL TABLE t USING vecshard(v float[%d] distance_metric=%s, %s n INTEGER, "
        "c INTEGER);"
        "BEGIN",
        table->dim, table->metric, table->columns == NULL ? "" : table->columns);
    table->db = vs_test_open();
    table->random = 77;
    vs_test_run(table->db, sql);
    sqlite3_free(sql);
    for (int i = 0; i < FILTER_DIRECTIONS * table->dim; i++) {
        table->directions[i / table->dim][i % table->dim] = filter_uniform(&table->random);
    }
    filter_fill_plain(table, equal);
    sql = sqlite3_mprintf("UPDATE plain SET n = (id * 2654435761 >> 7) %% 1000, "
                          "c = (id - 1) * 1000 / %d;"
                          "UPDATE plain SET v = NULL WHERE id %% 97 = 0 AND id < %d;"
                          "INSERT INTO t(rowid, v, n, c) SELECT id, v, n, c FROM plain; COMMIT",
                          table->rows, equal);
    vs_test_run(table->db, sql);
    sqlite3_free(sql);
}

void filter_close(filter_table *table)
{
    vs_test_run(table->db, "SELECT vec_config('cache_mb', 256), vec_config('threads', 0)");
    vs_test_close(table->db);
}

void filter_compare_column(filter_table *table, const char *column, const char *metric, int query,
                           const char *condition, int k)
{
    char *brute = sqlite3_mprintf(
        "SELECT id, vec_distance_%s(%s, (SELECT v FROM query WHERE no = %d)) AS d FROM plain "
        "WHERE %s IS NOT NULL AND %s ORDER BY d, id LIMIT %d",
        metric, column, query, column, condition, k);
    char *sql = sqlite3_mprintf("SELECT rowid, distance FROM t WHERE %s MATCH "
                                "(SELECT v FROM query WHERE no = %d) AND %s AND k = %d",
                                column, query, condition, k);
    vs_test_same(table->db, sql, brute);
    sqlite3_free(sql);
    sqlite3_free(brute);
}

void filter_compare(filter_table *table, const char *condition, int k)
{
    filter_compare_column(table, "v", table->metric, 0, condition, k);
}

void filter_learn(filter_table *table)
{
    for (int i = 0; i < FILTER_LESSONS; i++) {
        filter_new_query(table, 0);
        vs_test_run(table->db,
                    "SELECT rowid FROM t WHERE v MATCH (SELECT v FROM query WHERE no = 0) "
                    "AND k = 10");
    }
}
