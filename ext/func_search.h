/*
 * func_search.h - scalar functions that look into a table: vec_norm_selectivity.
 */
#ifndef VS_FUNC_SEARCH_H
#define VS_FUNC_SEARCH_H

#include "conn.h"

int vs_func_search_register(vs_conn *conn);

#endif
