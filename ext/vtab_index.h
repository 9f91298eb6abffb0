/*
 * vtab_index.h - the module `vecshard`.
 */
#ifndef VS_VTAB_INDEX_H
#define VS_VTAB_INDEX_H

#include "conn.h"

int vs_vtab_index_register(vs_conn *conn);

#endif
