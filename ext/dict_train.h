/*
 * dict_train.h - training a dictionary from values that come one after the other.
 */
#ifndef VS_DICT_TRAIN_H
#define VS_DICT_TRAIN_H

#include "dict.h"

#define VS_SAMPLE_BYTES_MAX (8 << 20) /* with the copy that zstd wants, 16 MiB */
#define VS_SAMPLE_BYTES_MIN (64 << 10)
#define VS_SAMPLES_MIN 8
#define VS_DICT_TRAIN_BYTES_MAX (112 << 10)

/*
 * A sample of the values seen so far, each as likely as every other, in bounded memory: a value
 * gets a random number, and those with the smallest numbers stay. All zero bytes are an empty
 * sampler, before vs_sampler_init.
 */
typedef struct vs_sampler {
    struct sampler_item **items; /* owned: a heap, the largest number first */
    size_t count, capacity;
    size_t bytes; /* of memory in all items */
    size_t limit;
    uint64_t random;      /* state */
    uint64_t cutoff;      /* numbers from here on are not taken any more */
    uint64_t total_bytes; /* of all values seen */
    uint64_t total_count;
} vs_sampler;

/* `limit` bytes of memory at most; the same seed and values give the same sample. */
void vs_sampler_init(vs_sampler *sampler, size_t limit, uint64_t seed);

/* SQLITE_OK or SQLITE_NOMEM; then it is as it was. The bytes are copied. */
int vs_sampler_add(vs_sampler *sampler, const void *bytes, size_t n);

/* Value i < sampler->count of the sample, or its beginning where it is long; in no order. Borrowed
 * until the next value is added. */
const void *vs_sampler_item(const vs_sampler *sampler, size_t i, size_t *out_n);

void vs_sampler_free(vs_sampler *sampler);

/*
 * Trains on nine tenths of the sample.
 *
 *   dict_bytes  VS_DICT_BYTES_MIN .. VS_DICT_BYTES_MAX: one dictionary of at most that size. 0: two
 *               sizes are tried, and the one stays that leaves fewer bytes of all values and the
 *               dictionary together, by the tenth that was held out.
 *   *out        owned by the caller (sqlite3_free); NULL on failure
 *
 * The sampler is empty afterwards. Returns SQLITE_OK, SQLITE_NOMEM, or SQLITE_ERROR with a
 * sentence when the samples are too few. Takes 0.1 s for 2 MiB of samples. zstd's trainer takes
 * memory from malloc, some 20 MiB and not through SQLite.
 */
int vs_dict_train(const char *who, vs_sampler *sampler, size_t dict_bytes, void **out,
                  size_t *out_n, vs_err *err);

#endif
