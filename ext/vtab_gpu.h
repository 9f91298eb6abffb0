/*
 * vtab_gpu.h - vec_devices and vec_gpu_cache: what searches compute on.
 */
#ifndef VS_VTAB_GPU_H
#define VS_VTAB_GPU_H

#include "conn.h"

int vs_vtab_gpu_register(vs_conn *conn);

#endif
