/*
 * gpu_use.h - what searches share that may use the GPU.
 */
#ifndef VS_GPU_USE_H
#define VS_GPU_USE_H

#include "conn.h"
#include "gpu.h"
#include "options.h"

/* What the option and the setting ask for. */
vs_gpu_mode vs_gpu_use_mode(const vs_conn *conn, vs_device device);

/* Does the GPU know distances of this metric between vectors of this type? */
int vs_gpu_use_takes(vs_metric metric, vsk_type type);

/* What EXPLAIN QUERY PLAN adds to a plan: ", dev=auto" where a GPU may take the search, ", dev=gpu"
 * where the option asks for one, whether it is there or not; else "". Static. */
const char *vs_gpu_use_words(const vs_conn *conn, vs_device device, vs_metric metric,
                             vsk_type type);

/* Queries of `type` as float32, whose values are the same: `queries` itself, or *memory, which is the
 * caller's (sqlite3_free). NULL without memory. n: elements of all of them. */
const float *vs_gpu_use_floats(const void *queries, vsk_type type, size_t n, float **memory);

/* Adds to the counters of a search what became of its queries. */
void vs_gpu_use_count(vs_counters *counters, size_t queries, vs_gpu_reason reason,
                      uint64_t upload_bytes, double device_us);

#endif
