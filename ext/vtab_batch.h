/*
 * vtab_batch.h - vec_search_batch: many queries in one pass.
 */
#ifndef VS_VTAB_BATCH_H
#define VS_VTAB_BATCH_H

#include "conn.h"

int vs_vtab_batch_register(vs_conn *conn);

#endif
