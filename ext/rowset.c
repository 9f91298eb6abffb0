/*
 * rowset.c - the rows that conditions allow, as bits per slot.
 *
 * Conditions on partition keys alone choose whole cells. Others are evaluated by SQLite, once per
 * content of the table: the result is kept under the table's stamp and the text and values of the
 * conditions. Not with LIKE and GLOB, which mean what the connection says: an application may define
 * them anew, and PRAGMA case_sensitive_like does.
 *
 * Calls: conditions.c, store.c, view.c, cache.c.
 * Called by: nearest.c.
 * Threads: making: the connection's. Finished sets: any.
 */
#include "rowset.h"

#include "hash.h"

static vs_rowset *rowset_new(const vs_view *view, int has_bits, const void *fingerprint,
                             size_t fingerprint_bytes)
{
    size_t words = view->slots < 64 ? 1 : view->slots / 64;
    size_t bits_bytes = has_bits ? view->cell_count * words * sizeof(uint64_t) : 0;
    vs_rowset *set =
        vs_cached_new(sizeof *set + bits_bytes + view->cell_count + fingerprint_bytes, NULL);
    if (set == NULL) {
        return NULL;
    }
    unsigned char *at = (unsigned char *)(set + 1);
    set->cell_count = view->cell_count;
    set->words = words;
    set->bits = has_bits ? (uint64_t *)(void *)at : NULL;
    set->cells = at + bits_bytes;
    set->fingerprint = set->cells + view->cell_count;
    set->fingerprint_bytes = fingerprint_bytes;
    if (fingerprint_bytes > 0) {
        memcpy(at + bits_bytes + view->cell_count, fingerprint, fingerprint_bytes);
    }
    return set;
}

/* Adds one place; a place outside of the view or its maps is damage. */
static int rowset_add(const vs_store *store, const vs_view *view, int64_t loc, int64_t *last_id,
                      int64_t *last_at, vs_rowset *set, vs_err *err)
{
    int64_t slots = (int64_t)view->slots;
    int64_t id = loc / slots;
    uint32_t slot = (uint32_t)(loc - id * slots);
    if (loc < 0 || id != *last_id) {
        *last_at = loc < 0 ? -1 : vs_view_find(view, id);
        *last_id = id;
    }
    if (*last_at < 0 || !vs_cell_has(&view->cells[*last_at], slot)) {
        return vs_error(err, SQLITE_CORRUPT_VTAB,
                        "%s: a row says that its vectors are at place %lld, where there is no row",
                        store->label, (long long)loc);
    }
    uint64_t *word = &set->bits[(size_t)*last_at * set->words + slot / 64];
    uint64_t bit = (uint64_t)1 << (slot % 64);
    set->rows += !(*word & bit);
    *word |= bit;
    set->cells[*last_at] = VS_ROWSET_SOME;
    return SQLITE_OK;
}

/* Steps a statement that gives places, and adds each. */
static int rowset_add_places(vs_store *store, const vs_view *view, sqlite3_stmt *stmt,
                             vs_rowset *set, vs_err *err)
{
    int64_t last_id = -1, last_at = -1;
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        rc = rowset_add(store, view, sqlite3_column_int64(stmt, 0), &last_id, &last_at, set, err);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    return rc == SQLITE_DONE ? SQLITE_OK : vs_store_step_error(store, rc, err);
}

/* Cells of the partitions that a statement gives. */
static int rowset_add_parts(vs_store *store, const vs_view *view, sqlite3_stmt *stmt,
                            vs_rowset *set, vs_err *err)
{
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int64_t part = sqlite3_column_int64(stmt, 0);
        size_t lo = 0, hi = view->cell_count; /* first cell of the part */
        while (lo < hi) {
            size_t mid = lo + (hi - lo) / 2;
            if (view->cells[mid].part < part) {
                lo = mid + 1;
            } else {
                hi = mid;
            }
        }
        for (; lo < view->cell_count && view->cells[lo].part == part; lo++) {
            set->rows += set->cells[lo] == VS_ROWSET_NONE ? view->cells[lo].live : 0;
            set->cells[lo] = VS_ROWSET_ALL;
        }
    }
    return rc == SQLITE_DONE ? SQLITE_OK : vs_error_db(err, rc, store->db, store->label);
}

static int rowset_make(vs_store *store, const vs_view *view, const vs_conditions *conditions,
                       const void *fingerprint, size_t fingerprint_bytes, vs_rowset **out,
                       vs_err *err)
{
    sqlite3_stmt *stmt = NULL;
    int of_parts = vs_conditions_only_partitions(store, conditions);
    vs_rowset *set = rowset_new(view, !of_parts, fingerprint, fingerprint_bytes);
    if (set == NULL) {
        return SQLITE_NOMEM;
    }
    int rc =
        vs_conditions_select(store, conditions, of_parts, of_parts ? "id" : "loc", "", &stmt, err);
    if (rc == SQLITE_OK) {
        rc = of_parts ? rowset_add_parts(store, view, stmt, set, err)
                      : rowset_add_places(store, view, stmt, set, err);
    }
    sqlite3_finalize(stmt);
    if (rc != SQLITE_OK) {
        vs_cached_unref(set);
        return rc;
    }
    *out = set;
    return SQLITE_OK;
}

static int rowset_is_private(const vs_conditions *conditions)
{
    for (int i = 0; i < conditions->count; i++) {
        if (conditions->items[i].op == SQLITE_INDEX_CONSTRAINT_LIKE ||
            conditions->items[i].op == SQLITE_INDEX_CONSTRAINT_GLOB) {
            return 1;
        }
    }
    return 0;
}

/* Hashes of two lists of conditions may be equal: the lists themselves decide. */
static int rowset_are_alike(const void *a, const void *b)
{
    const vs_rowset *left = a, *right = b;
    return left->cell_count == right->cell_count && left->words == right->words &&
           left->fingerprint_bytes == right->fingerprint_bytes &&
           memcmp(left->fingerprint, right->fingerprint, left->fingerprint_bytes) == 0;
}

int vs_rowset_get(vs_store *store, const vs_view *view, const vs_conditions *conditions,
                  vs_rowset **out, vs_err *err)
{
    vs_cache_key key;
    size_t n = 0;
    *out = NULL;
    if (conditions == NULL || conditions->count == 0) {
        return SQLITE_OK;
    }
    if (rowset_is_private(conditions)) {
        return rowset_make(store, view, conditions, NULL, 0, out, err);
    }
    void *fingerprint = vs_conditions_fingerprint(conditions, &n);
    if (fingerprint == NULL) {
        return SQLITE_NOMEM;
    }
    memset(&key, 0, sizeof key);
    key.file = store->file_identity;
    memcpy(key.table, store->identity, sizeof key.table);
    memcpy(key.stamp, view->stamp, sizeof key.stamp);
    key.id = vs_hash(VS_HASH_INIT, fingerprint, n);
    key.kind = VS_CACHE_ROWSET;
    vs_rowset *set = vs_cache_get(&key);
    int rc = SQLITE_OK;
    if (set == NULL || set->cell_count != view->cell_count ||
        set->words != (view->slots < 64 ? 1 : view->slots / 64) || set->fingerprint_bytes != n ||
        memcmp(set->fingerprint, fingerprint, n) != 0) {
        vs_cached_unref(set);
        set = NULL;
        rc = rowset_make(store, view, conditions, fingerprint, n, &set, err);
        if (rc == SQLITE_OK) {
            set = vs_cache_put(&key, set, rowset_are_alike);
        }
    }
    sqlite3_free(fingerprint);
    *out = set;
    return rc;
}

int vs_rowset_has(const vs_rowset *set, size_t cell, uint32_t slot)
{
    if (set->cells[cell] != VS_ROWSET_SOME) {
        return set->cells[cell] == VS_ROWSET_ALL;
    }
    return (int)(set->bits[cell * set->words + slot / 64] >> (slot % 64) & 1u);
}

void vs_rowset_mask(const vs_rowset *set, size_t cell, uint64_t *words, size_t count)
{
    if (set->cells[cell] == VS_ROWSET_ALL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        words[i] &= set->cells[cell] == VS_ROWSET_NONE ? 0 : set->bits[cell * set->words + i];
    }
}

int vs_rowset_of_ids(vs_store *store, const vs_view *view, const int64_t *ids, size_t count,
                     const vs_rowset *within, vs_rowset **out, vs_err *err)
{
    int64_t last_id = -1, last_at = -1;
    int rc = SQLITE_OK;
    vs_rowset *set = rowset_new(view, 1, NULL, 0);
    *out = NULL;
    if (set == NULL) {
        return SQLITE_NOMEM;
    }
    for (size_t i = 0; i < count && rc == SQLITE_OK; i++) {
        int64_t loc = 0;
        rc = vs_store_loc(store, ids[i], &loc, err);
        if (rc == SQLITE_OK && loc != 0) {
            rc = rowset_add(store, view, loc, &last_id, &last_at, set, err);
        }
    }
    if (rc == SQLITE_OK && within != NULL) {
        set->rows = 0;
        for (size_t cell = 0; cell < set->cell_count; cell++) {
            uint64_t *words = set->bits + cell * set->words;
            vs_rowset_mask(within, cell, words, set->words);
            for (size_t i = 0; i < set->words; i++) {
                for (uint64_t rest = words[i]; rest != 0; rest &= rest - 1) {
                    set->rows++;
                }
            }
        }
    }
    if (rc != SQLITE_OK) {
        vs_cached_unref(set);
        return rc;
    }
    *out = set;
    return SQLITE_OK;
}
