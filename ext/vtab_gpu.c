/*
 * vtab_gpu.c - vec_devices and vec_gpu_cache: what searches compute on.
 *
 *     SELECT device, name, state, budget_mb, used_mb FROM vec_devices;
 *     SELECT "table", segment, precision, bytes, hits, age_s, state FROM vec_gpu_cache;
 *
 * vec_devices has one row for the CPU and one for the GPU, also where there is none: its state tells
 * why. Reading it asks the driver, and never makes a context on a card.
 *
 * Calls: gpu.c, vtab_snapshot.c, pool.c, kernels (level).
 * Called by: vecshard.c.
 * Threads: the thread inside a call of the connection.
 */
#include "vtab_gpu.h"

#include "func_gpu.h"
#include "pool.h"
#include "vtab_snapshot.h"

#define GPU_MIB (1024.0 * 1024.0)

/* ---- vec_devices ----------------------------------------------------------------------------- */

typedef struct vtab_gpu_device {
    int is_gpu;
    vs_gpu_info info;
} vtab_gpu_device;

static size_t vtab_gpu_devices_capacity(const vs_conn *conn)
{
    (void)conn;
    return 2;
}

static size_t vtab_gpu_devices_take(const vs_conn *conn, void *rows, size_t capacity)
{
    vtab_gpu_device *devices = rows;
    (void)conn;
    (void)capacity;
    memset(devices, 0, 2 * sizeof *devices);
    devices[1].is_gpu = 1;
    vs_gpu_read_info(&devices[1].info);
    return 2;
}

static void vtab_gpu_cpu_column(sqlite3_context *ctx, int column)
{
    char text[32];
    switch (column) {
    case 0:
        vs_vtab_snapshot_result_text(ctx, "cpu");
        break;
    case 1:
        vs_vtab_snapshot_result_text(ctx, vsk_level_name(vsk_level_in_use()));
        break;
    case 2:
        vs_vtab_snapshot_result_text(ctx, "ready");
        break;
    case 3:
        sqlite3_snprintf((int)sizeof text, text, "%d thread%s", vs_pool_threads(),
                         vs_pool_threads() == 1 ? "" : "s");
        sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
        break;
    default:
        break; /* memory is that of the machine */
    }
}

static void vtab_gpu_result_mib(sqlite3_context *ctx, uint64_t bytes)
{
    sqlite3_result_int64(ctx, (sqlite3_int64)((double)bytes / GPU_MIB));
}

static void vtab_gpu_devices_column(sqlite3_context *ctx, const void *row, int64_t taken_ns,
                                    int column)
{
    const vtab_gpu_device *device = row;
    const vs_gpu_info *info = &device->info;
    int has_device = info->device.name[0] != '\0';
    char text[32];
    (void)taken_ns;
    if (!device->is_gpu) {
        vtab_gpu_cpu_column(ctx, column);
        return;
    }
    switch (column) {
    case 0:
        vs_vtab_snapshot_result_text(ctx, "cuda:0");
        break;
    case 1:
        if (has_device) {
            vs_vtab_snapshot_result_text(ctx, info->device.name);
        }
        break;
    case 2:
        vs_vtab_snapshot_result_text(ctx, vs_func_gpu_state_name(info->state));
        break;
    case 3:
        vs_vtab_snapshot_result_text(ctx, info->why);
        break;
    case 4:
        if (has_device && info->device.major > 0) {
            sqlite3_snprintf((int)sizeof text, text, "%d.%d", info->device.major,
                             info->device.minor);
            sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
        }
        break;
    default: {
        const uint64_t bytes[] = {info->device.total_bytes, info->device.free_bytes,
                                  info->budget_bytes,       info->used_bytes,
                                  info->context_bytes,      info->low_water_bytes};
        if (has_device) {
            vtab_gpu_result_mib(ctx, bytes[column - 5]);
        }
    }
    }
}

/* ---- vec_gpu_cache --------------------------------------------------------------------------- */

static size_t vtab_gpu_cache_capacity(const vs_conn *conn)
{
    (void)conn;
    return vs_gpu_read_cache(NULL, 0);
}

static size_t vtab_gpu_cache_take(const vs_conn *conn, void *rows, size_t capacity)
{
    (void)conn;
    return vs_gpu_read_cache(rows, capacity);
}

static void vtab_gpu_cache_column(sqlite3_context *ctx, const void *row, int64_t taken_ns,
                                  int column)
{
    const vs_gpu_cache_row *cached = row;
    (void)taken_ns;
    switch (column) {
    case 0:
        vs_vtab_snapshot_result_text(ctx, cached->label);
        break;
    case 1:
        sqlite3_result_int64(ctx, cached->segment);
        break;
    case 2:
        vs_vtab_snapshot_result_text(ctx, cached->precision);
        break;
    case 3:
        sqlite3_result_int64(ctx, (sqlite3_int64)cached->bytes);
        break;
    case 4:
        sqlite3_result_int64(ctx, (sqlite3_int64)cached->hits);
        break;
    case 5:
        sqlite3_result_double(ctx, cached->age_s);
        break;
    default:
        vs_vtab_snapshot_result_text(ctx, cached->state);
        break;
    }
}

static const vs_snapshot_table vtab_gpu_tables[] = {
    {"vec_devices",
     "CREATE TABLE vec_devices(device TEXT, name TEXT, state TEXT, detail TEXT, capability TEXT, "
     "total_mb INTEGER, free_mb INTEGER, budget_mb INTEGER, used_mb INTEGER, context_mb INTEGER, "
     "low_water_mb INTEGER)",
     0, sizeof(vtab_gpu_device), vtab_gpu_devices_capacity, vtab_gpu_devices_take,
     vtab_gpu_devices_column},
    {"vec_gpu_cache",
     "CREATE TABLE vec_gpu_cache(\"table\" TEXT, segment INTEGER, precision TEXT, bytes INTEGER, "
     "hits INTEGER, age_s REAL, state TEXT)",
     0, sizeof(vs_gpu_cache_row), vtab_gpu_cache_capacity, vtab_gpu_cache_take,
     vtab_gpu_cache_column},
};

int vs_vtab_gpu_register(vs_conn *conn)
{
    return vs_vtab_snapshot_register(conn, vtab_gpu_tables,
                                     sizeof vtab_gpu_tables / sizeof vtab_gpu_tables[0]);
}
