/*
 * cache.c - what all connections of the process share.
 *
 * A hash table whose chains hold all stamps of one thing (file, table, kind, column, id) together,
 * and one list by last use. A new stamp of a thing moves the older ones to the end of the list,
 * where room is made first: snapshots that still read them keep them alive by their references.
 *
 * A cell never makes room for another cell of its own table: a table larger than the budget keeps a
 * part of itself in memory and reads the rest, where the rule of last use would keep nothing of a
 * scan that goes round. Vectors that are picked one by one do make room for others.
 *
 * Calls: nothing but memory.
 * Called by: view.c, rowset.c, nearest.c, settings.c, vtab_stats.c, conn.c.
 * Threads: all. Memory is taken before and freed after the lock.
 */
#define _DEFAULT_SOURCE /* _SC_PHYS_PAGES */

#include "cache.h"

#include "lock.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <unistd.h>
#endif

#define CACHE_ALIGN 64
#define CACHE_BUDGET_DEFAULT ((size_t)512 << 20)
#define CACHE_BUCKETS_MIN 256
#define CACHE_OBJECT_MAX ((size_t)2147483391 - CACHE_ALIGN) /* SQLite allocates no more */

typedef struct cache_entry {
    struct cache_entry *chain;         /* of the bucket */
    struct cache_entry *newer, *older; /* by last use */
    vs_cache_key key;
    vs_cached *object; /* one reference */
    int is_old;        /* a newer stamp of the thing was put */
} cache_entry;

static vs_lock cache_lock = VS_LOCK_INIT;
/* Under the lock. */
static cache_entry **cache_buckets;
static size_t cache_bucket_count;
static cache_entry *cache_newest, *cache_oldest;
static vs_cache_info cache_totals;
static size_t cache_budget; /* 0 with cache_has_budget 0: not set yet */
static int cache_has_budget;

/* ---- fork ------------------------------------------------------------------------------------ */

#if defined(__unix__) || defined(__APPLE__)
static void cache_before_fork(void)
{
    vs_lock_enter(&cache_lock);
}

static void cache_after_fork(void)
{
    vs_lock_leave(&cache_lock);
}

/* A child must not inherit the lock in the hands of a thread that it has not. */
static void cache_watch_fork(void)
{
    static atomic_flag is_done = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&is_done)) {
        (void)pthread_atfork(cache_before_fork, cache_after_fork, cache_after_fork);
    }
}
#else
static void cache_watch_fork(void)
{
}
#endif

/* ---- objects --------------------------------------------------------------------------------- */

void *vs_cached_new(size_t bytes, void (*before_free)(vs_cached *self))
{
    if (bytes > CACHE_OBJECT_MAX) {
        return NULL;
    }
    unsigned char *memory = sqlite3_malloc64(bytes + CACHE_ALIGN);
    if (memory == NULL) {
        return NULL;
    }
    size_t over = (uintptr_t)memory % CACHE_ALIGN;
    vs_cached *object = (vs_cached *)(void *)(memory + (over == 0 ? 0 : CACHE_ALIGN - over));
    memset((void *)object, 0, bytes);
    atomic_init(&object->refs, 1);
    object->bytes = bytes;
    object->before_free = before_free;
    object->memory = memory;
    return object;
}

void *vs_cached_ref(void *object)
{
    atomic_fetch_add_explicit(&((vs_cached *)object)->refs, 1, memory_order_relaxed);
    return object;
}

void vs_cached_unref(void *object)
{
    vs_cached *cached = object;
    if (cached == NULL || atomic_fetch_sub_explicit(&cached->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    if (cached->before_free != NULL) {
        cached->before_free(cached);
    }
    sqlite3_free(cached->memory);
}

/* ---- table and list, under the lock ---------------------------------------------------------- */

/* Same file, table, kind, column and id: the same thing at another time. */
static int cache_is_same_thing(const vs_cache_key *a, const vs_cache_key *b)
{
    return a->file == b->file && a->id == b->id && a->kind == b->kind && a->column == b->column &&
           memcmp(a->table, b->table, sizeof a->table) == 0;
}

static int cache_is_same_table(const vs_cache_key *a, const vs_cache_key *b)
{
    return a->file == b->file && memcmp(a->table, b->table, sizeof a->table) == 0;
}

static int cache_is_same(const vs_cache_key *a, const vs_cache_key *b)
{
    return cache_is_same_thing(a, b) && memcmp(a->stamp, b->stamp, sizeof a->stamp) == 0;
}

static size_t cache_bucket(const vs_cache_key *key)
{
    uint64_t table;
    memcpy(&table, key->table, sizeof table);
    uint64_t hash = key->file ^ table ^ key->id * 0x9e3779b97f4a7c15u ^
                    ((uint64_t)key->kind << 32 | key->column) * 0xff51afd7ed558ccdu;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
    return (size_t)(hash >> 20) % cache_bucket_count;
}

static void cache_unlink(cache_entry *entry)
{
    *(entry->newer == NULL ? &cache_newest : &entry->newer->older) = entry->older;
    *(entry->older == NULL ? &cache_oldest : &entry->older->newer) = entry->newer;
}

static void cache_link_newest(cache_entry *entry)
{
    entry->newer = NULL;
    entry->older = cache_newest;
    *(cache_newest == NULL ? &cache_oldest : &cache_newest->newer) = entry;
    cache_newest = entry;
}

static void cache_link_oldest(cache_entry *entry)
{
    entry->older = NULL;
    entry->newer = cache_oldest;
    *(cache_oldest == NULL ? &cache_newest : &cache_oldest->older) = entry;
    cache_oldest = entry;
}

static cache_entry *cache_find(const vs_cache_key *key)
{
    cache_entry *entry = cache_bucket_count == 0 ? NULL : cache_buckets[cache_bucket(key)];
    while (entry != NULL && !cache_is_same(&entry->key, key)) {
        entry = entry->chain;
    }
    return entry;
}

/* Takes an entry out; it goes to the list of what the caller frees, linked by `chain`. */
static void cache_remove(cache_entry *entry, cache_entry **out_freed)
{
    cache_entry **at = &cache_buckets[cache_bucket(&entry->key)];
    while (*at != entry) {
        at = &(*at)->chain;
    }
    *at = entry->chain;
    cache_unlink(entry);
    cache_totals.objects--;
    cache_totals.bytes -= entry->object->bytes;
    cache_totals.evictions++;
    entry->chain = *out_freed;
    *out_freed = entry;
}

/* May the entry make room for an object under the key? */
static int cache_may_go(const cache_entry *entry, const vs_cache_key *for_key)
{
    if (atomic_load_explicit(&entry->object->refs, memory_order_relaxed) > 1) {
        return 0; /* in use: letting go would free nothing */
    }
    if (!cache_is_same_table(&entry->key, for_key) || entry->key.kind == VS_CACHE_VECTORS ||
        entry->key.kind == VS_CACHE_ROWSET || entry->is_old) {
        return 1;
    }
    return cache_is_same_thing(&entry->key, for_key); /* will be old */
}

/* Makes room for `bytes` more, as far as that is allowed; 1 when there is room. */
static int cache_make_room(const vs_cache_key *key, size_t bytes, cache_entry **out_freed)
{
    if (bytes > cache_budget) {
        return 0;
    }
    /* A directory holds its cells in use: they can go in a second round, after it. */
    for (int round = 0; round < 2; round++) {
        cache_entry *entry = cache_oldest;
        while (entry != NULL && cache_totals.bytes + bytes > cache_budget) {
            cache_entry *newer = entry->newer;
            if (cache_may_go(entry, key)) {
                cache_remove(entry, out_freed);
            }
            entry = newer;
        }
        if (cache_totals.bytes + bytes <= cache_budget) {
            return 1;
        }
    }
    return 0;
}

/* Frees what was taken out; not under the lock. */
static void cache_free_list(cache_entry *entry)
{
    while (entry != NULL) {
        cache_entry *next = entry->chain;
        vs_cached_unref(entry->object);
        sqlite3_free(entry);
        entry = next;
    }
}

/* ---- budget ---------------------------------------------------------------------------------- */

static size_t cache_default_budget(void)
{
    size_t budget = CACHE_BUDGET_DEFAULT;
#if defined(_SC_PHYS_PAGES) && defined(_SC_PAGESIZE)
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page_bytes > 0 && (size_t)pages / 4 < budget / (size_t)page_bytes) {
        budget = (size_t)pages / 4 * (size_t)page_bytes;
    }
#endif
    return budget;
}

size_t vs_cache_budget(void)
{
    vs_lock_enter(&cache_lock);
    int has_budget = cache_has_budget;
    size_t budget = cache_budget;
    vs_lock_leave(&cache_lock);
    if (!has_budget) {
        size_t otherwise = cache_default_budget(); /* a call of the system: not under the lock */
        vs_lock_enter(&cache_lock);
        cache_budget = cache_has_budget ? cache_budget : otherwise;
        cache_has_budget = 1;
        budget = cache_budget;
        vs_lock_leave(&cache_lock);
    }
    return budget;
}

void vs_cache_set_budget(size_t bytes)
{
    cache_entry *freed = NULL;
    vs_lock_enter(&cache_lock);
    cache_budget = bytes;
    cache_has_budget = 1;
    for (int round = 0; round < 2; round++) {
        cache_entry *entry = cache_oldest;
        while (entry != NULL && cache_totals.bytes > cache_budget) {
            cache_entry *newer = entry->newer;
            cache_remove(entry, &freed);
            entry = newer;
        }
    }
    vs_lock_leave(&cache_lock);
    cache_free_list(freed);
}

/* ---- get and put ----------------------------------------------------------------------------- */

void *vs_cache_get(const vs_cache_key *key)
{
    void *object = NULL;
    vs_lock_enter(&cache_lock);
    cache_entry *entry = cache_find(key);
    if (entry != NULL) {
        cache_totals.hits++;
        cache_unlink(entry);
        cache_link_newest(entry);
        object = vs_cached_ref(entry->object);
    } else {
        cache_totals.misses++;
    }
    vs_lock_leave(&cache_lock);
    return object;
}

/* A larger table of buckets, or NULL: made outside of the lock, for `objects` objects. */
static cache_entry **cache_new_buckets(size_t objects, size_t *out_count)
{
    size_t count = CACHE_BUCKETS_MIN;
    while (count < 2 * objects) {
        count *= 2;
    }
    cache_entry **buckets = sqlite3_malloc64(count * sizeof *buckets);
    if (buckets != NULL) {
        memset(buckets, 0, count * sizeof *buckets);
    }
    *out_count = count;
    return buckets;
}

/* Moves all entries into the new buckets; returns the old ones, to be freed. */
static cache_entry **cache_rehash(cache_entry **buckets, size_t count)
{
    cache_entry **old = cache_buckets;
    cache_buckets = buckets;
    cache_bucket_count = count;
    for (cache_entry *entry = cache_newest; entry != NULL; entry = entry->older) {
        size_t bucket = cache_bucket(&entry->key);
        entry->chain = cache_buckets[bucket];
        cache_buckets[bucket] = entry;
    }
    return old;
}

static void cache_grow(void)
{
    size_t count = 0;
    vs_lock_enter(&cache_lock);
    size_t objects = cache_totals.objects + 1;
    int is_needed = objects > cache_bucket_count;
    vs_lock_leave(&cache_lock);
    if (!is_needed) {
        return;
    }
    cache_entry **buckets = cache_new_buckets(objects, &count);
    if (buckets == NULL) {
        return;
    }
    vs_lock_enter(&cache_lock);
    if (count > cache_bucket_count) { /* else another thread was faster */
        buckets = cache_rehash(buckets, count);
    }
    vs_lock_leave(&cache_lock);
    sqlite3_free(buckets);
}

/* Older stamps of the thing become the first to go. */
static void cache_age(const vs_cache_key *key)
{
    for (cache_entry *entry = cache_buckets[cache_bucket(key)]; entry != NULL;
         entry = entry->chain) {
        if (cache_is_same_thing(&entry->key, key)) {
            entry->is_old = 1;
            cache_unlink(entry);
            cache_link_oldest(entry);
        }
    }
}

void *vs_cache_put(const vs_cache_key *key, void *object,
                   int (*is_alike)(const void *kept, const void *object))
{
    vs_cached *cached = object;
    cache_entry *freed = NULL;
    cache_watch_fork();
    if (vs_cache_budget() < cached->bytes) {
        return object;
    }
    cache_grow();
    cache_entry *fresh = sqlite3_malloc64(sizeof *fresh);
    if (fresh == NULL) {
        return object;
    }
    vs_lock_enter(&cache_lock);
    cache_entry *entry = cache_find(key);
    int is_kept = entry != NULL && is_alike(entry->object, object);
    if (is_kept) {
        cached = vs_cached_ref(entry->object);
    } else if (entry != NULL) {
        /* of another shape: the one kept stays */
    } else if (cache_bucket_count > 0 && cache_make_room(key, cached->bytes, &freed)) {
        cache_age(key);
        memset(fresh, 0, sizeof *fresh);
        fresh->key = *key;
        fresh->object = vs_cached_ref(object);
        size_t bucket = cache_bucket(key);
        fresh->chain = cache_buckets[bucket];
        cache_buckets[bucket] = fresh;
        cache_link_newest(fresh);
        cache_totals.objects++;
        cache_totals.bytes += cached->bytes;
        fresh = NULL;
    }
    vs_lock_leave(&cache_lock);
    sqlite3_free(fresh);
    cache_free_list(freed);
    if (is_kept) {
        vs_cached_unref(object);
    }
    return cached;
}

int vs_cache_has_room(const vs_cache_key *key, size_t bytes)
{
    size_t budget = vs_cache_budget();
    vs_lock_enter(&cache_lock);
    size_t held = cache_totals.bytes;
    for (cache_entry *entry = cache_oldest;
         entry != NULL && held + bytes > budget && bytes <= budget; entry = entry->newer) {
        /* Cells in use by a directory of another table go with it. */
        if (cache_may_go(entry, key) || !cache_is_same_table(&entry->key, key)) {
            held -= entry->object->bytes;
        }
    }
    vs_lock_leave(&cache_lock);
    return held + bytes <= budget;
}

void vs_cache_clear(void)
{
    cache_entry *freed = NULL;
    vs_lock_enter(&cache_lock);
    while (cache_oldest != NULL) {
        cache_remove(cache_oldest, &freed);
    }
    cache_entry **buckets = cache_buckets;
    cache_buckets = NULL;
    cache_bucket_count = 0;
    vs_lock_leave(&cache_lock);
    sqlite3_free(buckets);
    cache_free_list(freed);
}

void vs_cache_read_info(vs_cache_info *out)
{
    size_t budget = vs_cache_budget();
    vs_lock_enter(&cache_lock);
    *out = cache_totals;
    vs_lock_leave(&cache_lock);
    out->budget = budget;
}
