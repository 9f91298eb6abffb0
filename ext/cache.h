/*
 * cache.h - what all connections of the process share: decoded cells, directories and row sets of
 * tables.
 *
 * Objects are immutable once put, counted by references, and keyed by what they were made from:
 * file, table, column, and the random stamp of the content. A stamp is never used for two contents,
 * so an object found under its key is right, whatever was rolled back since. An object carries its
 * own sizes: a hostile file that repeats a key gets the bytes of that object and nothing outside.
 *
 * Threads: all functions may be called from every thread; none calls SQLite while it holds the lock
 * (memory is taken before and freed after).
 */
#ifndef VS_CACHE_H
#define VS_CACHE_H

#include <stdatomic.h>

#include "error.h"

typedef enum vs_cache_kind {
    VS_CACHE_BLOCK = 1,
    VS_CACHE_VIEW,
    VS_CACHE_ROWSET,
    VS_CACHE_VECTORS,
    VS_CACHE_LEARNER, /* of a front plane; id: that of the codes' description */
    VS_CACHE_FRONT    /* of a cell */
} vs_cache_kind;

typedef struct vs_cache_key {
    uint64_t file;     /* vs_store.file_identity */
    uint8_t table[16]; /* vs_store.identity */
    uint8_t stamp[16];
    uint64_t id;     /* cell id, or a hash of a filter */
    uint32_t kind;   /* vs_cache_kind */
    uint32_t column; /* number of the vector column */
} vs_cache_key;      /* 56 bytes without padding: compared as bytes */

/* First member of every cached object, which is one block of memory from vs_cached_new. */
typedef struct vs_cached {
    atomic_int refs;
    size_t bytes; /* counted against the budget */
    void (*before_free)(
        struct vs_cached *self); /* releases what the object refers to; NULL: nothing */
    void *memory;                /* what was allocated */
} vs_cached;

/* A zeroed object of `bytes` bytes, 64-byte aligned, with one reference: the caller's. NULL without
 * memory. */
void *vs_cached_new(size_t bytes, void (*before_free)(vs_cached *self));
void *vs_cached_ref(void *object);
void vs_cached_unref(void *object); /* NULL is fine; frees with the last reference */

/* The object under the key with one more reference, or NULL. Counts as a use. Hits and misses are
 * counted for vec_stats-like reading, see vs_cache_info. */
void *vs_cache_get(const vs_cache_key *key);

/*
 * Puts an object under the key; the cache takes a reference of its own. An object that another
 * thread put there first stays: then that one is returned (with a reference) and `object` loses the
 * caller's reference. Otherwise returns `object`; also where is_alike(kept, object) says that the
 * one kept has another shape, as in a file that repeats stamps (called under the lock: it compares
 * and nothing else). Objects least recently used make room, those of
 * other tables and older stamps first, and never those used within the current scan of the same
 * table (a table larger than the budget keeps a part of itself, instead of turning over). Where
 * there is no room, the object is not kept: it is returned all the same.
 */
void *vs_cache_put(const vs_cache_key *key, void *object,
                   int (*is_alike)(const void *kept, const void *object));

/* Would an object of this size be kept? For readers that decide whether to decode into shared or
 * private memory. */
int vs_cache_has_room(const vs_cache_key *key, size_t bytes);

/* Budget in bytes; setting a smaller one lets go of objects; 0 turns the cache off. Default: 512
 * MiB, at most a quarter of the machine's memory. Process-wide. */
size_t vs_cache_budget(void);
void vs_cache_set_budget(size_t bytes);

/* Frees everything nobody uses: when the last connection of the process goes (vs_conn's
 * after_free), and in tests. */
void vs_cache_clear(void);

typedef struct vs_cache_info {
    size_t objects, bytes, budget;
    uint64_t hits, misses, evictions;
} vs_cache_info;
void vs_cache_read_info(vs_cache_info *out);

#endif
