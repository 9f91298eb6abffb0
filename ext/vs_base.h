/*
 * vs_base.h - types, limits and numbers that the whole SQLite side shares.
 */
#ifndef VS_BASE_H
#define VS_BASE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../kernels/vsk.h"
#include "vs_sqlite.h"

#define VS_VERSION "0.1.0"
/* LIMIT constraints, sqlite3_vtab_in and sqlite3_vtab_rhs_value came with 3.38 */
#define VS_SQLITE_MIN 3038000

#define VS_DIM_MAX VSK_DIM_MAX
#define VS_K_MAX 1000000                    /* rows one search may ask for */
#define VS_BATCH_MAX 65536                  /* queries in one vec_search_batch */
#define VS_BATCH_BYTES_MAX (64 << 20)       /* and their bytes */
#define VS_NAME_BYTES_MAX 128               /* a table, column or index name in a search */
#define VS_TEXT_BYTES_MAX (VS_DIM_MAX * 64) /* one vector as JSON text */

/* Result subtypes. 223 to 225 are the numbers that sqlite-vec uses, so that values pass between
 * both; the others are ours. */
#define VS_SUBTYPE_F32 223
#define VS_SUBTYPE_BIT 224
#define VS_SUBTYPE_I8 225
#define VS_SUBTYPE_F16 226
#define VS_SUBTYPE_BF16 227
#define VS_SUBTYPE_JSON 74 /* 'J', SQLite's own */

typedef enum vs_metric {
    VS_L2,
    VS_L2SQ,
    VS_L1,
    VS_COSINE,
    VS_DOT,
    VS_HAMMING,
    VS_JACCARD,
    VS_METRIC_COUNT
} vs_metric;

#endif
