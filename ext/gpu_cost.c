/*
 * gpu_cost.c - is the device worth a search?
 *
 * Both ways are measured as they happen, by column and by how many queries a search has, since a
 * batch shares what it reads. Until the CPU has been seen on a column, other columns speak for it,
 * and before those a plain guess. The device has a model: a fixed time, the bytes that it reads, and
 * rows that are fetched for the answer; what it really took corrects it. A search goes to the device
 * where that is expected to take less than 1 / 1.3 of the CPU's time. Where the device turned out to
 * be slower, it is tried again after a minute.
 *
 * Calls: nothing.
 * Called by: gpu_cache.c, gpu_run.c; searches note their times.
 * Threads: under the state lock (gpu_impl.h).
 */
#include "gpu_impl.h"

#include "hash.h"

#if defined(VS_GPU_POSIX)

#define COST_CLASSES 4
#define COST_SETS 32
#define COST_WAYS 4
#define COST_GAIN 1.3
#define COST_WEIGHT 0.25    /* of a new time */
#define COST_JUMP 4.0       /* a time counts for no more than so many times what is known */
#define COST_FETCH_US 1.0   /* of a row of the answer, by the CPU */
#define COST_SPEED 200000.0 /* bytes a microsecond, of a device that has not said */
#define COST_QUERIES 100.0  /* that a device takes on in the time in which it reads their rows */
#define COST_STALE_NS 60000000000

typedef struct cost_entry {
    vs_gpu_key key;
    int64_t used_ns;
    int is_set;
    double cpu[COST_CLASSES]; /* microseconds of a byte and a query; 0: not seen yet */
    double gpu[COST_CLASSES];
    int64_t gpu_ns[COST_CLASSES]; /* when it was seen last */
} cost_entry;

static cost_entry cost_entries[COST_SETS][COST_WAYS];
static double cost_cpu[COST_CLASSES]; /* of all columns; 0: not seen yet */

/* What one core reads of 8 GB a second; batches use what they have read more than once. */
static const double cost_cpu_guess[COST_CLASSES] = {1.25e-4, 8e-5, 4e-5, 3e-5};

static int cost_class(size_t query_count)
{
    return query_count <= 1 ? 0 : query_count <= 8 ? 1 : query_count <= 64 ? 2 : 3;
}

size_t vs_gpu_row_bytes(vsk_type type, size_t dim)
{
    return type == VSK_F32 ? 4 * dim : type == VSK_I8 ? dim : 2 * dim;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

int vs_gpu_is_shape(const vs_gpu_want *want)
{
    return (want->metric == VS_L2 || want->metric == VS_L2SQ || want->metric == VS_DOT ||
            want->metric == VS_COSINE) &&
           (want->type == VSK_F32 || want->type == VSK_F16 || want->type == VSK_BF16 ||
            want->type == VSK_I8) &&
           want->dim >= 1 && want->dim <= VSG_DIM_MAX && want->k >= 1 && want->k <= VSG_K_MAX &&
           want->query_count >= 1 && want->query_count <= VSG_QUERIES_MAX;
}

static double cost_bytes(const vs_gpu_want *want)
{
    return want->rows * (double)vs_gpu_row_bytes(want->type, want->dim);
}

int vs_gpu_is_small(const vs_gpu_want *want, const vs_gpu_settings *settings)
{
    return want->rows < settings->min_rows || cost_bytes(want) < VS_GPU_AUTO_BYTES;
}

/* ---- what was seen --------------------------------------------------------------------------- */

/* The entry of a column; with is_made one is made, in place of the one used longest ago. NULL. */
static cost_entry *cost_find(const vs_gpu_key *key, int is_made)
{
    uint64_t hash = key->file ^ (uint64_t)key->column << 32 ^ key->kind;
    hash = vs_hash(hash, key->table, sizeof key->table);
    cost_entry *set = cost_entries[(hash ^ hash >> 29) % COST_SETS], *oldest = set;
    for (int i = 0; i < COST_WAYS; i++) {
        if (set[i].is_set && memcmp(&set[i].key, key, sizeof *key) == 0) {
            return &set[i];
        }
        if (oldest->is_set && (!set[i].is_set || set[i].used_ns < oldest->used_ns)) {
            oldest = &set[i];
        }
    }
    if (!is_made) {
        return NULL;
    }
    memset(oldest, 0, sizeof *oldest);
    oldest->key = *key;
    oldest->is_set = 1;
    return oldest;
}

/* A new time among those seen; `before` 0: the first. */
static double cost_blend(double before, double seen)
{
    if (before <= 0.0) {
        return seen;
    }
    double most = before * COST_JUMP;
    return before + COST_WEIGHT * ((seen < most ? seen : most) - before);
}

double vs_gpu_estimate_us(double bytes, size_t query_count)
{
    double speed = vs_gpu.speed > 0.0 ? vs_gpu.speed : COST_SPEED;
    double reads = (double)query_count / COST_QUERIES;
    return VS_GPU_FIXED_US + bytes / speed * (reads > 1.0 ? reads : 1.0);
}

/* Microseconds of a search on the device, by the model: of the format with two bytes an element. */
static double cost_model_us(const vs_gpu_want *want)
{
    return vs_gpu_estimate_us(want->rows * 2.0 * (double)want->dim, want->query_count) +
           (double)want->query_count * (double)want->k * COST_FETCH_US;
}

static double cost_work(const vs_gpu_want *want)
{
    double bytes = cost_bytes(want);
    return (bytes > 1.0 ? bytes : 1.0) * (double)(want->query_count > 0 ? want->query_count : 1);
}

int vs_gpu_is_faster(const vs_gpu_want *want)
{
    int class = cost_class(want->query_count);
    const cost_entry *entry = cost_find(&want->key, 0);
    double work = cost_work(want), gpu_us = cost_model_us(want);
    double cpu = entry != NULL && entry->cpu[class] > 0.0 ? entry->cpu[class]
                 : cost_cpu[class] > 0.0                  ? cost_cpu[class]
                                                          : cost_cpu_guess[class];
    if (entry != NULL && entry->gpu[class] > 0.0 &&
        vs_gpu_now_ns() - entry->gpu_ns[class] < COST_STALE_NS) {
        gpu_us = entry->gpu[class] * work;
    }
    return gpu_us * COST_GAIN < cpu * work;
}

void vs_gpu_note_time(const vs_gpu_want *want, int is_gpu, double us)
{
    int class = cost_class(want->query_count);
    double work = cost_work(want), seen = us / work;
    if (!(us > 0.0)) {
        return;
    }
    vs_gpu_lock();
    cost_entry *entry = cost_find(&want->key, 1);
    entry->used_ns = vs_gpu_now_ns();
    if (!is_gpu) {
        entry->cpu[class] = cost_blend(entry->cpu[class], seen);
        cost_cpu[class] = cost_blend(cost_cpu[class], seen);
    } else {
        int is_known =
            entry->gpu[class] > 0.0 && entry->used_ns - entry->gpu_ns[class] < COST_STALE_NS;
        double before = is_known ? entry->gpu[class] : cost_model_us(want) / work;
        entry->gpu[class] = cost_blend(before, seen);
        entry->gpu_ns[class] = entry->used_ns;
    }
    vs_gpu_unlock();
}

#endif
