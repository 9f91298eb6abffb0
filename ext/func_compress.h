/*
 * func_compress.h - scalar SQL functions that compress vectors without loss.
 */
#ifndef VS_FUNC_COMPRESS_H
#define VS_FUNC_COMPRESS_H

#include "func.h"

/* Registers vec_compress, vec_decompress and vec_compress_info. Returns SQLITE_OK or the first
 * error. */
int vs_func_compress_register(vs_conn *conn);

#endif
