/*
 * vtab_each.h - vec_each(vector): one row per element.
 */
#ifndef VS_VTAB_EACH_H
#define VS_VTAB_EACH_H

#include "conn.h"

int vs_vtab_each_register(vs_conn *conn);

#endif
