/*
 * vtab_report.h - vec_compress_report(table, column [, rows]): what compression would save.
 */
#ifndef VS_VTAB_REPORT_H
#define VS_VTAB_REPORT_H

#include "conn.h"

int vs_vtab_report_register(vs_conn *conn);

#endif
