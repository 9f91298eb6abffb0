/*
 * gpu_use.c - what searches share that may use the GPU.
 *
 * Calls: settings.c, kernels (conversion).
 * Called by: gpu_table.c, gpu_index.c, nearest_gpu.c, func_gpu.c, plan.c.
 * Threads: the connection's.
 */
#include "gpu_use.h"

vs_gpu_mode vs_gpu_use_mode(const vs_conn *conn, vs_device device)
{
    switch (device) {
    case VS_DEVICE_CPU:
        return VS_GPU_OFF;
    case VS_DEVICE_GPU:
        return VS_GPU_PREFER;
    default:
        return vs_settings_gpu(&conn->settings);
    }
}

int vs_gpu_use_takes(vs_metric metric, vsk_type type)
{
    return type != VSK_BIT &&
           (metric == VS_L2 || metric == VS_L2SQ || metric == VS_DOT || metric == VS_COSINE);
}

const char *vs_gpu_use_words(const vs_conn *conn, vs_device device, vs_metric metric, vsk_type type)
{
    if (vs_gpu_use_mode(conn, device) == VS_GPU_OFF || !vs_gpu_use_takes(metric, type)) {
        return "";
    }
    return device == VS_DEVICE_GPU ? ", dev=gpu" : vs_gpu_is_possible() ? ", dev=auto" : "";
}

const float *vs_gpu_use_floats(const void *queries, vsk_type type, size_t n, float **memory)
{
    *memory = NULL;
    if (type == VSK_F32) {
        return queries;
    }
    *memory = sqlite3_malloc64(n * sizeof **memory);
    if (*memory == NULL) {
        return NULL;
    }
    vsk_get()->to_f32[type](queries, *memory, n);
    return *memory;
}

void vs_gpu_use_count(vs_counters *counters, size_t queries, vs_gpu_reason reason,
                      uint64_t upload_bytes, double device_us)
{
    int64_t n = (int64_t)queries;
    counters->gpu_upload_bytes += (int64_t)upload_bytes;
    counters->gpu_us += (int64_t)device_us;
    counters->gpu_reason = (int)reason;
    if (reason == VS_GPU_NONE) {
        counters->gpu_queries += n;
        return;
    }
    counters->gpu_fallbacks += n;
    switch (reason) {
    case VS_GPU_BUDGET:
        counters->gpu_fallbacks_budget += n;
        break;
    case VS_GPU_STALE:
        counters->gpu_fallbacks_stale += n;
        break;
    case VS_GPU_TXN:
        counters->gpu_fallbacks_txn += n;
        break;
    case VS_GPU_ERROR:
        counters->gpu_fallbacks_error += n;
        break;
    default:
        break;
    }
}
