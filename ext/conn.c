/*
 * conn.c - what one database connection shares between its functions and virtual tables.
 *
 * Calls: value.c, gpu.c, metrics.c, norm_profile.c, settings.c, packed_text.c, dict.c.
 * Called by: vecshard.c and every function and module as user data.
 * Threads: the thread inside a call of the connection.
 */
#include "conn.h"

#include <stdatomic.h>

#include "cache.h"
#include "pool.h"

/* Contexts of the process that are alive: what they share goes with the last. */
static atomic_int conn_count;

vs_conn *vs_conn_new(sqlite3 *db)
{
    vs_conn *conn = sqlite3_malloc64(sizeof *conn);
    if (conn == NULL) {
        return NULL;
    }
    memset(conn, 0, sizeof *conn);
    conn->db = db;
    conn->refs = 1;
    vs_settings_init(&conn->settings);
    sqlite3_randomness(sizeof conn->identity, &conn->identity);
    atomic_fetch_add(&conn_count, 1);
    return conn;
}

vs_conn *vs_conn_ref(vs_conn *conn)
{
    conn->refs++;
    return conn;
}

void vs_conn_unref(void *user_data)
{
    vs_conn *conn = user_data;
    assert(conn->refs > 0);
    if (--conn->refs > 0) {
        return;
    }
    for (int i = 0; i < VS_MEMO_COUNT; i++) {
        vs_scratch_free(&conn->memo[i].text);
        vs_scratch_free(&conn->memo[i].vector);
        vs_scratch_free(&conn->scratch[i]);
    }
    vs_packer_free(&conn->packer);
    vs_profile_cache_free(&conn->profiles);
    vs_metrics_free(&conn->metrics);
    assert(conn->table_tags == NULL);
    vs_gpu_evict_file(conn->identity, VS_GPU_TABLE);
    void (*after_free)(void) = conn->after_free;
    sqlite3_free(conn);
    if (atomic_fetch_sub(&conn_count, 1) == 1) {
        vs_gpu_stop();
        vs_cache_clear();
        vs_dict_cache_clear();
        vs_pool_stop();
    }
    if (after_free != NULL) {
        after_free();
    }
}
