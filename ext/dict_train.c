/*
 * dict_train.c - training a dictionary from values that come one after the other.
 *
 * The sample is the reservoir of random numbers: of all values so far, those with the smallest
 * numbers. Once one had to go, larger numbers than its own are of no use, which `cutoff` says; so a
 * long table costs one random number a row. In the order of their numbers the samples are in random
 * order, and its first tenth is a random tenth: it is held out.
 *
 * Calls: dict.c, crc32c.c, libzstd (ZDICT_trainFromBuffer; linked statically).
 * Called by: func_text.c.
 * Threads: any, one at a time for a sampler.
 * Source: reservoir by random keys: Vitter, Random Sampling with a Reservoir, 1985.
 */
#include "dict_train.h"

#include <stdlib.h>

#define ZSTD_STATIC_LINKING_ONLY /* as dict.c; nothing of it is used here */
#include <zdict.h>
#include <zstd.h>

#include "crc32c.h"

#define TRAIN_SAMPLE_MAX (64 << 10) /* of one value: the rest of it is not looked at */
#define TRAIN_PERCENT 100           /* a dictionary is a hundredth of the values */
#define TRAIN_SAMPLES_PER_BYTE 12   /* and at most a twelfth of the samples */
#define TRAIN_BYTES_MIN 2048
#define TRAIN_SAMPLES_MAX 64 /* samples beyond so many for a byte cost time and gain nothing */
#define TRAIN_HELD_OUT 10    /* one in ten */

#if !defined(VS_STATIC) && defined(__ELF__)
/* Stands for stderr within zstd's trainer, which never writes to it: see the Makefile. */
extern void *vs_dict_train_stream;
void *vs_dict_train_stream;
#endif

typedef struct sampler_item {
    uint64_t number; /* random; two are never equal: see vs_sampler_add */
    size_t n;
    unsigned char bytes[];
} sampler_item;

/* ---- the sample ------------------------------------------------------------------------------ */

void vs_sampler_init(vs_sampler *sampler, size_t limit, uint64_t seed)
{
    memset(sampler, 0, sizeof *sampler);
    sampler->limit = limit;
    sampler->random = seed;
    sampler->cutoff = UINT64_MAX;
}

/* splitmix64: a bijection of a counter, so numbers repeat after 2^64 values only. */
static uint64_t sampler_random(vs_sampler *sampler)
{
    uint64_t z = sampler->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t sampler_cost(const sampler_item *item)
{
    return sizeof *item + sizeof item + item->n;
}

static void sampler_sift_up(vs_sampler *sampler, size_t i)
{
    sampler_item *item = sampler->items[i];
    while (i > 0 && sampler->items[(i - 1) / 2]->number < item->number) {
        sampler->items[i] = sampler->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    sampler->items[i] = item;
}

static void sampler_sift_down(vs_sampler *sampler, size_t i)
{
    sampler_item *item = sampler->items[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < sampler->count &&
            sampler->items[child + 1]->number > sampler->items[child]->number) {
            child++;
        }
        if (child >= sampler->count || sampler->items[child]->number < item->number) {
            break;
        }
        sampler->items[i] = sampler->items[child];
        i = child;
    }
    sampler->items[i] = item;
}

/* Lets the item with the largest number go. */
static void sampler_drop(vs_sampler *sampler)
{
    sampler_item *item = sampler->items[0];
    sampler->cutoff = item->number;
    sampler->bytes -= sampler_cost(item);
    sampler_item *last = sampler->items[--sampler->count];
    if (sampler->count > 0) {
        sampler->items[0] = last;
        sampler_sift_down(sampler, 0);
    }
    sqlite3_free(item);
}

static int sampler_reserve(vs_sampler *sampler)
{
    if (sampler->count < sampler->capacity) {
        return SQLITE_OK;
    }
    size_t capacity = sampler->capacity == 0 ? 256 : 2 * sampler->capacity;
    sampler_item **items = sqlite3_realloc64(sampler->items, capacity * sizeof *items);
    if (items == NULL) {
        return SQLITE_NOMEM;
    }
    sampler->items = items;
    sampler->capacity = capacity;
    return SQLITE_OK;
}

int vs_sampler_add(vs_sampler *sampler, const void *bytes, size_t n)
{
    size_t kept = n < TRAIN_SAMPLE_MAX ? n : TRAIN_SAMPLE_MAX;
    uint64_t number = sampler_random(sampler);
    if (n > 0 && number < sampler->cutoff) {
        sampler_item *item = sqlite3_malloc64(sizeof *item + kept);
        if (item == NULL || sampler_reserve(sampler) != SQLITE_OK) {
            sqlite3_free(item);
            return SQLITE_NOMEM;
        }
        item->number = number;
        item->n = kept;
        memcpy(item->bytes, bytes, kept);
        sampler->items[sampler->count++] = item;
        sampler->bytes += sampler_cost(item);
        sampler_sift_up(sampler, sampler->count - 1);
        while (sampler->bytes > sampler->limit) {
            sampler_drop(sampler);
        }
    }
    sampler->total_bytes += n;
    sampler->total_count++;
    return SQLITE_OK;
}

const void *vs_sampler_item(const vs_sampler *sampler, size_t i, size_t *out_n)
{
    *out_n = sampler->items[i]->n;
    return sampler->items[i]->bytes;
}

void vs_sampler_free(vs_sampler *sampler)
{
    for (size_t i = 0; i < sampler->count; i++) {
        sqlite3_free(sampler->items[i]);
    }
    sqlite3_free(sampler->items);
    memset(sampler, 0, sizeof *sampler);
}

/* ---- training -------------------------------------------------------------------------------- */

/* The samples one after the other, as zstd wants them; the first held_count are held out. */
typedef struct train_set {
    unsigned char *bytes; /* owned */
    size_t *sizes;        /* owned: [count] */
    size_t count, held_count;
    size_t n, held_n; /* of bytes */
} train_set;

static int train_compare(const void *a, const void *b)
{
    uint64_t x = (*(sampler_item *const *)a)->number, y = (*(sampler_item *const *)b)->number;
    return (x > y) - (x < y);
}

/* Moves the samples over; each is freed once it is copied. */
static int train_collect(vs_sampler *sampler, train_set *set)
{
    size_t n = 0;
    for (size_t i = 0; i < sampler->count; i++) {
        n += sampler->items[i]->n;
    }
    set->bytes = sqlite3_malloc64(n > 0 ? n : 1);
    set->sizes = sqlite3_malloc64((sampler->count + 1) * sizeof *set->sizes);
    if (set->bytes == NULL || set->sizes == NULL) {
        return SQLITE_NOMEM;
    }
    set->count = sampler->count;
    set->held_count = set->count / TRAIN_HELD_OUT > 0 ? set->count / TRAIN_HELD_OUT : 1;
    if (set->count > 0) {
        qsort(sampler->items, sampler->count, sizeof *sampler->items, train_compare);
    }
    for (size_t i = 0; i < set->count; i++) {
        sampler_item *item = sampler->items[i];
        memcpy(set->bytes + set->n, item->bytes, item->n);
        set->sizes[i] = item->n;
        set->n += item->n;
        set->held_n += i < set->held_count ? item->n : 0;
        sqlite3_free(item);
        sampler->items[i] = NULL;
    }
    sampler->count = 0;
    return SQLITE_OK;
}

/* Bytes of the held-out samples, each compressed with the dictionary; SIZE_MAX without memory. */
static size_t train_measure(const train_set *set, const void *dict, size_t n)
{
    vs_err err = VS_ERR_INIT;
    vs_dict *digest = NULL;
    size_t bytes = 0, offset = 0, room = ZSTD_compressBound(TRAIN_SAMPLE_MAX);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    void *frame = sqlite3_malloc64(room);
    int rc = vs_dict_get("", dict, n, vs_dict_id(dict, n), vs_crc32c(dict, n), VS_DICT_LEVEL,
                         &digest, &err);
    int is_right = rc == SQLITE_OK && context != NULL && frame != NULL;
    for (size_t i = 0; is_right && i < set->held_count; i++) {
        size_t code = ZSTD_compress_usingCDict(context, frame, room, set->bytes + offset,
                                               set->sizes[i], digest->encoder);
        is_right = !ZSTD_isError(code);
        bytes += is_right ? code : 0;
        offset += set->sizes[i];
    }
    vs_cached_unref(digest);
    sqlite3_free(frame);
    ZSTD_freeCCtx(context);
    vs_error_clear(&err);
    return is_right ? bytes : SIZE_MAX;
}

/* What is trained, and what is best so far. */
typedef struct train_state {
    const train_set *set;
    uint64_t total_bytes; /* of all values */
    double best_cost;     /* estimated bytes of all values and the dictionary; < 0: none yet */
    void *best;           /* owned */
    size_t best_n;
    const char *reason; /* zstd's, where it failed */
} train_state;

/* How many samples, after those held out, one dictionary is trained with. */
static size_t train_enough(const train_set *set, size_t capacity)
{
    size_t count = 0, bytes = 0;
    while (count < set->count - set->held_count &&
           (count < VS_SAMPLES_MIN || bytes < TRAIN_SAMPLES_MAX * capacity)) {
        bytes += set->sizes[set->held_count + count++];
    }
    return count;
}

static int train_one(train_state *state, size_t capacity)
{
    const train_set *set = state->set;
    void *dict = sqlite3_malloc64(capacity);
    if (dict == NULL) {
        return SQLITE_NOMEM;
    }
    size_t n =
        ZDICT_trainFromBuffer(dict, capacity, set->bytes + set->held_n,
                              set->sizes + set->held_count, (unsigned)train_enough(set, capacity));
    if (ZDICT_isError(n)) {
        state->reason = ZDICT_getErrorName(n);
        sqlite3_free(dict);
        return SQLITE_OK;
    }
    size_t held = n < VS_DICT_BYTES_MIN ? SIZE_MAX : train_measure(set, dict, n);
    if (held == SIZE_MAX) {
        sqlite3_free(dict);
        return n < VS_DICT_BYTES_MIN ? SQLITE_OK : SQLITE_NOMEM;
    }
    double cost = (double)n + (double)held * (double)state->total_bytes / (double)set->held_n;
    if (state->best_cost >= 0.0 && cost >= state->best_cost) {
        sqlite3_free(dict);
        return SQLITE_OK;
    }
    sqlite3_free(state->best);
    state->best = dict;
    state->best_n = n;
    state->best_cost = cost;
    return SQLITE_OK;
}

static size_t train_auto_bytes(uint64_t total_bytes, size_t sample_bytes)
{
    uint64_t bytes = total_bytes / TRAIN_PERCENT;
    bytes = bytes < TRAIN_BYTES_MIN ? TRAIN_BYTES_MIN : bytes;
    bytes = bytes > VS_DICT_TRAIN_BYTES_MAX ? VS_DICT_TRAIN_BYTES_MAX : bytes;
    return bytes < sample_bytes / TRAIN_SAMPLES_PER_BYTE ? (size_t)bytes
                                                         : sample_bytes / TRAIN_SAMPLES_PER_BYTE;
}

/* Trains the sizes that are wanted. */
static int train_sizes(train_state *state, size_t dict_bytes)
{
    size_t largest =
        dict_bytes != 0 ? dict_bytes : train_auto_bytes(state->total_bytes, state->set->n);
    if (largest < VS_DICT_BYTES_MIN) {
        return SQLITE_OK;
    }
    int rc = train_one(state, largest);
    if (rc == SQLITE_OK && dict_bytes == 0 && largest / 4 >= VS_DICT_BYTES_MIN) {
        rc = train_one(state, largest / 4);
    }
    return rc;
}

int vs_dict_train(const char *who, vs_sampler *sampler, size_t dict_bytes, void **out,
                  size_t *out_n, vs_err *err)
{
    train_set set = {NULL, NULL, 0, 0, 0, 0};
    train_state state = {&set, sampler->total_bytes, -1.0, NULL, 0, "too small"};
    *out = NULL;
    *out_n = 0;
    int rc = train_collect(sampler, &set);
    if (rc == SQLITE_OK && set.count >= VS_SAMPLES_MIN) {
        rc = train_sizes(&state, dict_bytes);
    }
    if (rc == SQLITE_OK && state.best == NULL) {
        rc = vs_error(err, SQLITE_ERROR, "%s: not enough samples: %llu values with %llu bytes (%s)",
                      who, (unsigned long long)set.count, (unsigned long long)set.n,
                      set.count < VS_SAMPLES_MIN ? "at least 8 are needed" : state.reason);
    }
    if (rc == SQLITE_OK) {
        *out = state.best;
        *out_n = state.best_n;
    } else {
        sqlite3_free(state.best);
    }
    sqlite3_free(set.bytes);
    sqlite3_free(set.sizes);
    return rc;
}
