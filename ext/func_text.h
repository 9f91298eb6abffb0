/*
 * func_text.h - SQL functions for compressed text and its dictionaries.
 */
#ifndef VS_FUNC_TEXT_H
#define VS_FUNC_TEXT_H

#include "conn.h"

int vs_func_text_register(vs_conn *conn);

#endif
