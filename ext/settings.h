/*
 * settings.h - settings of one connection, read and set by vec_config.
 *
 * They are state of the process, not of the database: nothing is stored.
 */
#ifndef VS_SETTINGS_H
#define VS_SETTINGS_H

#include "gpu.h"

typedef enum vs_norm_index {
    VS_NORM_INDEX_AUTO, /* used where the estimated cost is lower */
    VS_NORM_INDEX_OFF   /* never unasked; the option "index" still names one */
} vs_norm_index;

typedef struct vs_settings {
    vs_norm_index norm_index; /* vec_config('norm_index'): 'auto' (default) or 'off' */
    int stats; /* vec_config('stats'): 1 (default) counts searches for vec_stats, 0 does not */
    int max_decoded_mb; /* vec_config('max_decoded_mb'): most MiB that one frame decodes to */
    int gpu_is_off;     /* vec_config('gpu', 'off'); 'auto' and 'prefer' are the process's */
} vs_settings;

void vs_settings_init(vs_settings *settings);

/* What vec_config('gpu') says: 'off' of the connection, else 'auto' or 'prefer' of the process. */
vs_gpu_mode vs_settings_gpu(const vs_settings *settings);

/* Registers vec_config(name) and vec_config(name, value) with a reference to the connection's
 * context. */
struct vs_conn;
int vs_settings_register(struct vs_conn *conn);

#endif
