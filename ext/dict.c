/*
 * dict.c - zstd dictionaries in the form that zstd works with, shared by the whole process.
 *
 * The cache is a short list by last use. An entry is looked up by id, checksum, size and level; the
 * bytes themselves are compared after the lock is left, so that nobody waits for it. A digested
 * dictionary, its bytes and zstd's tables are one block of memory: zstd 1.5.4 crashes where it takes
 * memory for tables itself and gets none.
 *
 * Calls: crc32c.c, cache.c for counted references, libzstd (linked statically).
 * Called by: dict_store.c, dict_train.c, conn.c.
 * Threads: all. Memory is taken before and freed after the lock.
 */
#include "dict.h"

#define ZSTD_STATIC_LINKING_ONLY /* tables in memory of ours; zstd is linked statically */
#include <zstd.h>

#include "bytes.h"
#include "crc32c.h"
#include "lock.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

#define DICT_MAGIC 0xec30a437u
#define DICT_ROW_BYTES 1024 /* what is compressed with one: zstd chooses its tables by that */
#define DICT_CACHE_COUNT 64 /* entries: one of 256 bytes has tables of some 30 KB */

static vs_lock dict_lock = VS_LOCK_INIT;
/* Under the lock; the one used last comes first. */
static vs_dict *dict_kept[DICT_CACHE_COUNT];
static int dict_count;
static size_t dict_bytes_held;

static atomic_uint dict_digests;

/* ---- header ---------------------------------------------------------------------------------- */

uint32_t vs_dict_id(const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    return n < 8 || vs_get32(at) != DICT_MAGIC ? 0 : vs_get32(at + 4);
}

void vs_dict_set_id(void *bytes, size_t n, uint32_t id)
{
    unsigned char *at = bytes;
    assert(n >= 8);
    (void)n;
    vs_put32(at + 4, id);
}

/* ---- digesting ------------------------------------------------------------------------------- */

/* Bytes and tables are 64-byte aligned, as the object is. */
static size_t dict_round_up(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t dict_tables_bytes(int level, size_t n)
{
    return level == VS_DICT_DECODE
               ? ZSTD_estimateDDictSize(n, ZSTD_dlm_byRef)
               : ZSTD_estimateCDictSize_advanced(n, ZSTD_getCParams(level, DICT_ROW_BYTES, n),
                                                 ZSTD_dlm_byRef);
}

/* zstd's tables in memory of ours, so that it takes none: 1 when it accepts the dictionary. */
static int dict_make_tables(vs_dict *dict, void *tables, size_t bytes)
{
    if (dict->level == VS_DICT_DECODE) {
        dict->decoder = ZSTD_initStaticDDict(tables, bytes, dict->bytes, dict->n, ZSTD_dlm_byRef,
                                             ZSTD_dct_fullDict);
    } else {
        dict->encoder = ZSTD_initStaticCDict(tables, bytes, dict->bytes, dict->n, ZSTD_dlm_byRef,
                                             ZSTD_dct_fullDict,
                                             ZSTD_getCParams(dict->level, DICT_ROW_BYTES, dict->n));
    }
    atomic_fetch_add_explicit(&dict_digests, 1, memory_order_relaxed);
    return dict->decoder != NULL || dict->encoder != NULL;
}

static int dict_check(const char *who, const void *bytes, size_t n, uint32_t id, uint32_t crc,
                      vs_err *err)
{
    if (n < VS_DICT_BYTES_MIN || n > VS_DICT_BYTES_MAX) {
        return vs_error(err, SQLITE_CORRUPT_VTAB,
                        "%s: dictionary %u is damaged: it has %llu bytes, and %u to %u are allowed",
                        who, id, (unsigned long long)n, VS_DICT_BYTES_MIN, VS_DICT_BYTES_MAX);
    }
    if (vs_dict_id(bytes, n) == 0) {
        return vs_error(err, SQLITE_CORRUPT_VTAB,
                        "%s: dictionary %u is damaged: its bytes are no zstd dictionary", who, id);
    }
    if (vs_dict_id(bytes, n) != id) {
        return vs_error(err, SQLITE_CORRUPT_VTAB,
                        "%s: dictionary %u is damaged: its own header says %u", who, id,
                        vs_dict_id(bytes, n));
    }
    if (vs_crc32c(bytes, n) != crc) {
        return vs_error(err, SQLITE_CORRUPT_VTAB,
                        "%s: dictionary %u is damaged: its checksum differs", who, id);
    }
    return SQLITE_OK;
}

static int dict_digest(const char *who, const void *bytes, size_t n, uint32_t id, uint32_t crc,
                       int level, vs_dict **out, vs_err *err)
{
    size_t head = dict_round_up(sizeof(vs_dict)), copy = dict_round_up(n);
    size_t tables = dict_tables_bytes(level, n);
    vs_dict *dict = vs_cached_new(head + copy + tables, NULL);
    if (dict == NULL) {
        return SQLITE_NOMEM;
    }
    unsigned char *memory = (unsigned char *)dict;
    memcpy(memory + head, bytes, n);
    dict->id = id;
    dict->crc = crc;
    dict->level = level;
    dict->n = n;
    dict->bytes = memory + head;
    if (!dict_make_tables(dict, memory + head + copy, tables)) {
        vs_cached_unref(dict);
        return vs_error(err, SQLITE_CORRUPT_VTAB, "%s: dictionary %u is damaged: zstd refuses it",
                        who, id);
    }
    *out = dict;
    return SQLITE_OK;
}

/* ---- the cache ------------------------------------------------------------------------------- */

#if defined(__unix__) || defined(__APPLE__)
static void dict_before_fork(void)
{
    vs_lock_enter(&dict_lock);
}

static void dict_after_fork(void)
{
    vs_lock_leave(&dict_lock);
}

/* A child must not inherit the lock in the hands of a thread that it has not. */
static void dict_watch_fork(void)
{
    static atomic_flag is_done = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&is_done)) {
        (void)pthread_atfork(dict_before_fork, dict_after_fork, dict_after_fork);
    }
}
#else
static void dict_watch_fork(void)
{
}
#endif

/* The place of what has this key, or -1; under the lock. */
static int dict_find(uint32_t id, uint32_t crc, size_t n, int level)
{
    for (int i = 0; i < dict_count; i++) {
        const vs_dict *dict = dict_kept[i];
        if (dict->id == id && dict->crc == crc && dict->n == n && dict->level == level) {
            return i;
        }
    }
    return -1;
}

/* Takes an entry out; under the lock. The caller releases it after. */
static vs_dict *dict_take(int i)
{
    vs_dict *dict = dict_kept[i];
    dict_count--;
    memmove(&dict_kept[i], &dict_kept[i + 1], (size_t)(dict_count - i) * sizeof dict_kept[0]);
    dict_bytes_held -= dict->cached.bytes;
    return dict;
}

/* Puts an entry, with the caller's reference, in front; under the lock. There is room. */
static void dict_put_first(vs_dict *dict)
{
    assert(dict_count < DICT_CACHE_COUNT);
    memmove(&dict_kept[1], &dict_kept[0], (size_t)dict_count * sizeof dict_kept[0]);
    dict_kept[0] = dict;
    dict_count++;
    dict_bytes_held += dict->cached.bytes;
}

static vs_dict *dict_lookup(const void *bytes, size_t n, uint32_t id, uint32_t crc, int level)
{
    vs_dict *dict = NULL;
    vs_lock_enter(&dict_lock);
    int i = dict_find(id, crc, n, level);
    if (i >= 0) {
        dict = vs_cached_ref(dict_kept[i]);
        dict_put_first(dict_take(i));
    }
    vs_lock_leave(&dict_lock);
    if (dict != NULL && memcmp(dict->bytes, bytes, n) != 0) {
        vs_cached_unref(dict); /* of another database, with the same checksum */
        dict = NULL;
    }
    return dict;
}

/* Keeps a dictionary; one with the same key, and what was used longest ago, make room. */
static void dict_keep(vs_dict *dict)
{
    vs_dict *freed[DICT_CACHE_COUNT];
    int freed_count = 0;
    if (dict->cached.bytes > VS_DICT_CACHE_BYTES_MAX) {
        return;
    }
    dict_watch_fork();
    vs_lock_enter(&dict_lock);
    int same = dict_find(dict->id, dict->crc, dict->n, dict->level);
    if (same >= 0) {
        freed[freed_count++] = dict_take(same);
    }
    while (dict_count == DICT_CACHE_COUNT ||
           dict_bytes_held + dict->cached.bytes > VS_DICT_CACHE_BYTES_MAX) {
        freed[freed_count++] = dict_take(dict_count - 1);
    }
    dict_put_first(vs_cached_ref(dict));
    vs_lock_leave(&dict_lock);
    for (int i = 0; i < freed_count; i++) {
        vs_cached_unref(freed[i]);
    }
}

int vs_dict_get(const char *who, const void *bytes, size_t n, uint32_t id, uint32_t crc, int level,
                vs_dict **out, vs_err *err)
{
    *out = dict_lookup(bytes, n, id, crc, level);
    if (*out != NULL) {
        return SQLITE_OK; /* the same bytes were checked when it was made */
    }
    int rc = dict_check(who, bytes, n, id, crc, err);
    if (rc == SQLITE_OK) {
        rc = dict_digest(who, bytes, n, id, crc, level, out, err);
    }
    if (rc == SQLITE_OK) {
        dict_keep(*out);
    }
    return rc;
}

void vs_dict_cache_clear(void)
{
    vs_dict *freed[DICT_CACHE_COUNT];
    int freed_count = 0;
    vs_lock_enter(&dict_lock);
    while (dict_count > 0) {
        freed[freed_count++] = dict_take(dict_count - 1);
    }
    vs_lock_leave(&dict_lock);
    for (int i = 0; i < freed_count; i++) {
        vs_cached_unref(freed[i]);
    }
}

size_t vs_dict_cache_bytes(void)
{
    vs_lock_enter(&dict_lock);
    size_t bytes = dict_bytes_held;
    vs_lock_leave(&dict_lock);
    return bytes;
}

unsigned vs_dict_cache_digests(void)
{
    return atomic_load_explicit(&dict_digests, memory_order_relaxed);
}
