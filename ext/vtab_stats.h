/*
 * vtab_stats.h - what is running and what was done, as rows: vec_kernels, vec_stats, vec_jobs.
 */
#ifndef VS_VTAB_STATS_H
#define VS_VTAB_STATS_H

#include "conn.h"

int vs_vtab_stats_register(vs_conn *conn);

#endif
