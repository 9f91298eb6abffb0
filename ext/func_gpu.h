/*
 * func_gpu.h - functions about the GPU: vec_device, vec_gpu_load, vec_gpu_evict, vec_last_query.
 */
#ifndef VS_FUNC_GPU_H
#define VS_FUNC_GPU_H

#include "conn.h"

int vs_func_gpu_register(vs_conn *conn);

/* "ready", "open", "no module", ... Static. */
const char *vs_func_gpu_state_name(vs_gpu_state state);

/* The device that answered, by the counters of a search: "cpu" or "cuda:0". Static. */
const char *vs_func_gpu_device(const vs_counters *counters);

#endif
