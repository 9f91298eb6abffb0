/*
 * agg.h - aggregate SQL functions over vectors: vec_sum, vec_avg.
 */
#ifndef VS_AGG_H
#define VS_AGG_H

#include "conn.h"

/* Registers the aggregates; each holds a reference to conn. Returns SQLITE_OK or the first error.
 */
int vs_agg_register(vs_conn *conn);

#endif
