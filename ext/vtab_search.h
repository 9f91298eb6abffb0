/*
 * vtab_search.h - vec_search and vec_search_batch over any table, and vec_norm_selectivity.
 */
#ifndef VS_VTAB_SEARCH_H
#define VS_VTAB_SEARCH_H

#include "conn.h"

int vs_vtab_search_register(vs_conn *conn);

#endif
