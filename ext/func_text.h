/*
 * func_text.h - SQL functions for compressed text and its dictionaries.
 */
#ifndef VS_FUNC_TEXT_H
#define VS_FUNC_TEXT_H

#include "conn.h"
#include "dict.h"

int vs_func_text_register(vs_conn *conn);

/*
 * The dictionary `id` of the database, for a level of compression or VS_DICT_DECODE (dict.h), kept by
 * the statement for its next row: *out is a reference, NULL for id 0. In a function whose user data is
 * a vs_func. SQLITE_OK or as vs_dict_store_load.
 */
int vs_func_text_dict(sqlite3_context *ctx, uint32_t id, int level, vs_dict **out, vs_err *err);

#endif
