/*
 * test_gpu_sql_model.c - random operations on an ordinary table and a vecshard table over the fake
 * device, which fails now and then; every answer is that of the CPU, and the budget is never exceeded.
 *
 * Environment: VS_MODEL_SEED   the first case (default 1)
 *              VS_MODEL_CASES  how many (default 12)
 */
#include "sql_fixture.h"

#include <stdio.h>

#define MODEL_STEPS 120

typedef struct gpu_model {
    uint64_t seed, random;
    vsg_fake *fake;
    sqlite3 *dbs[2]; /* of the same file */
    char path[200];
    sql_shape shape;
    int step;
    int depth;               /* of savepoints of the first connection; 1: a transaction */
    int64_t answers, by_gpu; /* searches; of those, by the GPU */
} gpu_model;

/* The case that runs now. */
static uint64_t model_seed;
static int model_has_shortages, model_may_die;

static const sql_shape model_shapes[] = {
    {"float32", VSK_F32, 16, FIXTURE_NORMAL, 300},   {"float32", VSK_F32, 33, FIXTURE_WHOLE, 400},
    {"float32", VSK_F32, 64, FIXTURE_LOG_NORM, 300}, {"float16", VSK_F16, 40, FIXTURE_NORMAL, 300},
    {"bfloat16", VSK_BF16, 32, FIXTURE_WHOLE, 300},  {"int8", VSK_I8, 48, FIXTURE_NORMAL, 400},
    {"float32", VSK_F32, 3, FIXTURE_WHOLE, 500},
};

static uint32_t gpu_model_pick(gpu_model *self, uint32_t n)
{
    return (uint32_t)(vs_test_random(&self->random) >> 20) % n;
}

static sqlite3 *gpu_model_connect(const gpu_model *self)
{
    sqlite3 *db = sql_open(self->path, 0);
    (void)sqlite3_busy_timeout(db, 0);
    vs_test_run(db, "PRAGMA synchronous = OFF; SELECT vec_config('gpu', 'prefer')");
    return db;
}

static void gpu_model_open(gpu_model *self, vsg_fake *fake, uint64_t seed)
{
    memset(self, 0, sizeof *self);
    self->seed = seed;
    self->random = seed * 0x9e3779b97f4a7c15u | 1;
    self->fake = fake;
    self->shape = model_shapes[gpu_model_pick(self, VS_TEST_COUNT(model_shapes))];
    (void)snprintf(self->path, sizeof self->path, "%s", fixture_path("gpu-model"));
    fixture_remove(self->path);
    manager_use_small_card(fake, 1 + (int)gpu_model_pick(self, 6));
    self->dbs[0] = gpu_model_connect(self);
    sqlite3 *db = self->dbs[0];
    if (gpu_model_pick(self, 2)) {
        vs_test_run(db, "PRAGMA journal_mode = wal");
    }
    vs_test_run(db, "CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, tag INTEGER)");
    sql_run(db,
            "CREATE VIRTUAL TABLE t USING vecshard(id INTEGER PRIMARY KEY, v %s[%d], tag INTEGER)",
            self->shape.type, (int)self->shape.dim);
    sql_fill(db, "docs", &self->shape, 1, seed);
    sql_fill(db, "t", &self->shape, 1, seed + 1);
    sql_make_queries(db, &self->shape, 9, seed + 2);
    self->dbs[1] = gpu_model_connect(self);
}

static void gpu_model_close(gpu_model *self)
{
    vs_test_close(self->dbs[0]);
    vs_test_close(self->dbs[1]);
    fixture_remove(self->path);
}

static sqlite3 *gpu_model_db(gpu_model *self)
{
    return self->dbs[gpu_model_pick(self, 4) == 0];
}

/* A statement that another connection's transaction may forbid. */
static void gpu_model_try(sqlite3 *db, const char *sql)
{
    int rc = fixture_step_all(db, sql);
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY) {
        fail_msg("%s: %d: %s", sql, rc, sqlite3_errmsg(db));
    }
}

/* ---- operations --------------------------------------------------------------------------------- */

/* % stands for the table. Vectors are those of rows, or of queries where these have the column's type. */
static void gpu_model_write(gpu_model *self)
{
    static const char *const writes[] = {
        "INSERT OR REPLACE INTO %s(id, v, tag) SELECT %d, v, 3 FROM %s WHERE id = %d",
        "DELETE FROM %s WHERE id BETWEEN %d AND %d + 5",
        "UPDATE %s SET v = (SELECT v FROM docs WHERE id = %d) WHERE id = %d",
        "UPDATE %s SET tag = tag + 1 WHERE id BETWEEN %d AND %d + 90",
        "UPDATE %s SET v = NULL WHERE id = %d OR id = %d",
        "UPDATE OR REPLACE %s SET id = %d WHERE id = %d",
    };
    const char *table = gpu_model_pick(self, 2) ? "docs" : "t";
    int id = 1 + (int)gpu_model_pick(self, 600), other = 1 + (int)gpu_model_pick(self, 400);
    uint32_t kind = gpu_model_pick(self, VS_TEST_COUNT(writes));
    char *sql = kind == 0   ? sqlite3_mprintf(writes[0], table, id, table, other)
                : kind == 1 ? sqlite3_mprintf(writes[1], table, id, id)
                            : sqlite3_mprintf(writes[kind], table, id, kind == 3 ? id : other);
    gpu_model_try(gpu_model_db(self), sql);
    sqlite3_free(sql);
}

static void gpu_model_transact(gpu_model *self)
{
    sqlite3 *db = self->dbs[0];
    uint32_t kind = gpu_model_pick(self, 3);
    if (sqlite3_get_autocommit(db)) {
        self->depth = 0;
    }
    if (self->depth == 0) {
        vs_test_run(db, "BEGIN");
        self->depth = 1;
    } else if (kind == 0 && self->depth < 4) {
        vs_test_run(db, "SAVEPOINT s");
        self->depth++;
    } else if (self->depth > 1) {
        vs_test_run(db, kind == 1 ? "ROLLBACK TO s; RELEASE s" : "RELEASE s");
        self->depth--;
    } else {
        gpu_model_try(db, kind == 1 ? "ROLLBACK" : "COMMIT");
        self->depth = sqlite3_get_autocommit(db) ? 0 : 1;
    }
}

static char *gpu_model_search_text(gpu_model *self)
{
    static const char *const forms[] = {
        "SELECT id, distance FROM vec_search('%s', 'v', (SELECT v FROM q WHERE id = %d), %d, %s)",
        "SELECT id, distance FROM vec_search('%s', 'v', (SELECT v FROM q WHERE id = %d), %d, %s) "
        "WHERE id IN (SELECT id FROM docs WHERE tag %% 3)",
        "SELECT id, distance FROM vec_search('%s', 'v', (SELECT v FROM q WHERE id = %d), %d, %s) "
        "WHERE distance > 0.5 AND distance < 9",
        "SELECT s.id, distance, d.tag FROM vec_search('%s', 'v', (SELECT v FROM q WHERE id = %d), "
        "%d + NULL, %s) AS s LEFT JOIN docs AS d USING (id) WHERE s.id %% 3 ORDER BY "
        "s.distance LIMIT 40",
        "SELECT query_no, id, distance FROM vec_search_batch('%s', 'v', (SELECT v FROM q WHERE id "
        "= 0 * %d), %d, %s)",
    };
    static const char *const metrics[] = {"l2", "l2sq", "cosine", "dot", "l1"};
    static const int ks[] = {1, 7, 40, 900};
    uint32_t form = gpu_model_pick(self, VS_TEST_COUNT(forms));
    const char *table = gpu_model_pick(self, 2) ? "docs" : "t";
    char *options =
        sqlite3_mprintf("'{\"metric\":\"%s\",\"type\":\"%s\",\"device\":\"@\"}'",
                        metrics[gpu_model_pick(self, VS_TEST_COUNT(metrics))], self->shape.type);
    int query = 1 + (int)gpu_model_pick(self, 9), k = ks[gpu_model_pick(self, VS_TEST_COUNT(ks))];
    char *sql = sqlite3_mprintf(forms[form], table, query, k, options);
    sqlite3_free(options);
    return sql;
}

static void gpu_model_search(gpu_model *self)
{
    sqlite3 *db = gpu_model_db(self);
    char *search = gpu_model_search_text(self);
    for (int i = 0; i < 2; i++) {
        self->by_gpu += strcmp(sql_same(db, search, i == 0 ? "auto" : "gpu"), "none") == 0;
        self->answers++;
    }
    sqlite3_free(search);
}

static void gpu_model_command(gpu_model *self)
{
    sqlite3 *db = gpu_model_db(self);
    const char *const words[] = {"auto", "f16", "int8", "f32"};
    const char *word = words[gpu_model_pick(self, 4)];
    switch (gpu_model_pick(self, 9)) {
    case 0:
        vs_test_run(db, "SELECT vec_gpu_evict('docs', 'v')");
        break;
    case 1:
        vs_test_run(db, "SELECT vec_gpu_evict('t', 'v')");
        break;
    case 2:
        sql_run(db, "SELECT vec_gpu_load('t', 'v', '%s')", word);
        break;
    case 3:
        sql_run(db, "SELECT vec_gpu_load('docs', 'v', '%s', '{\"type\":\"%s\"}')", word,
                self->shape.type);
        break;
    case 4:
        sql_run(db, "SELECT vec_config('gpu_precision', '%s')", word);
        break;
    case 5:
        sql_run(db, "SELECT vec_config('gpu_budget_mb', %d)",
                (model_has_shortages ? 20 : 40) + (int)gpu_model_pick(self, 30));
        break;
    case 6:
        gpu_model_try(db, gpu_model_pick(self, 2) ? "INSERT INTO t(t, arg) VALUES ('optimize', 999)"
                                                  : "INSERT INTO t(t) VALUES ('rebuild')");
        break;
    case 7:
        manager_step_clock(gpu_model_pick(self, 2) ? 70.0 : 400.0);
        break;
    default:
        vs_test_run(db, "SELECT * FROM vec_gpu_cache; SELECT * FROM vec_devices");
    }
}

/* Shortages, which pass. */
static void gpu_model_fail(gpu_model *self)
{
    vsg_fake *fake = self->fake;
    switch (gpu_model_pick(self, 5)) {
    case 0:
        atomic_store(&fake->fail_allocation, atomic_load(&fake->allocations) + 1);
        break;
    case 1:
        atomic_store(&fake->fail_pin, atomic_load(&fake->pins) + 1);
        break;
    case 2:
        atomic_store(&fake->others_bytes, (unsigned long long)gpu_model_pick(self, 9000) << 20);
        break;
    case 3:
        atomic_store(&fake->delay_us, gpu_model_pick(self, 100));
        break;
    default:
        atomic_store(&fake->others_bytes, 0);
    }
}

/* ---- cases --------------------------------------------------------------------------------------- */

static void gpu_model_run(vsg_fake *fake)
{
    gpu_model model;
    gpu_model_open(&model, fake, model_seed);
    for (model.step = 0; model.step < MODEL_STEPS; model.step++) {
        uint32_t kind = gpu_model_pick(&model, 20);
        if (kind < 5) {
            gpu_model_write(&model);
        } else if (kind < 7) {
            gpu_model_transact(&model);
        } else if (kind < 9) {
            gpu_model_command(&model);
        } else if (kind < 10 && model_has_shortages) {
            gpu_model_fail(&model);
        } else {
            gpu_model_search(&model);
        }
        if (model_may_die && model.step == MODEL_STEPS / 2) {
            atomic_store(&fake->die_at_launch, atomic_load(&fake->launches) + 20);
        }
        manager_check_books(fake);
    }
    print_message("seed %d: %d answers, %d by the GPU\n", (int)model.seed, (int)model.answers,
                  (int)model.by_gpu);
    assert_true(model.by_gpu > 0 || model_has_shortages);
    gpu_model_close(&model);
}

static void random_operations_give_the_answers_of_the_cpu(void **state)
{
    const char *first = getenv("VS_MODEL_SEED"), *cases = getenv("VS_MODEL_CASES");
    uint64_t seed = first == NULL ? 1 : strtoull(first, NULL, 10);
    uint64_t count = cases == NULL ? 12 : strtoull(cases, NULL, 10);
    (void)state;
    for (uint64_t i = 0; i < count; i++) {
        model_seed = seed + i;
        model_has_shortages = model_seed % 3 != 1;
        model_may_die = model_seed % 4 == 0;
        print_message("VS_MODEL_SEED=%d\n", (int)model_seed);
        sql_scenario(gpu_model_run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_give_the_answers_of_the_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
