/*
 * view.c - one vector column of a table in one snapshot.
 *
 * Cells are decoded once, into arrays that the scan kernels read from end to end, and shared by all
 * connections under the random stamp of their content. The directory that lists them is such an
 * object too, under the table's stamp. So the first search after a change reads the directory and
 * the cells that changed, and the next ones read nothing but the head. Front planes of cells are
 * objects of their own: view_front.c.
 *
 * Calls: store.c, format.c, cache.c, metrics.c, view_front.c.
 * Called by: nearest.c, rowset.c.
 * Threads: making views: the connection's. Finished views and blocks: any.
 */
#include "view.h"

#include <math.h>
#include <stdlib.h>

#define VIEW_ALIGN 64
#define VIEW_LOAD_NS 2000000 /* of one search that has found little in memory */
#define VIEW_STOCK 16        /* blocks whose memory is taken at once */
#define VIEW_JOB_CELLS 64    /* a longer load is shown in vec_jobs */

static size_t view_align(size_t n)
{
    return (n + VIEW_ALIGN - 1) / VIEW_ALIGN * VIEW_ALIGN;
}

void vs_view_key(const vs_store *store, int vector, vs_cache_kind kind, int64_t id,
                 const uint8_t *stamp, vs_cache_key *out)
{
    memset(out, 0, sizeof *out);
    out->file = store->file_identity;
    memcpy(out->table, store->identity, sizeof out->table);
    memcpy(out->stamp, stamp, sizeof out->stamp);
    out->id = (uint64_t)id;
    out->kind = (uint32_t)kind;
    out->column = (uint32_t)vector;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Bytes of a vector in memory, where float16 of store=f16 is widened to the type that users see. */
static size_t view_vector_bytes(const vs_store *store, int vector)
{
    const vs_vector_spec *spec = &store->declaration.vectors[vector];
    return vsk_bytes(spec->type, spec->dim);
}

void vs_view_widen(const vs_vector_spec *spec, const void *stored, void *out)
{
    if (spec->stored == spec->type) {
        memcpy(out, stored, vsk_bytes(spec->type, spec->dim));
    } else {
        vsk_get()->to_f32[spec->stored](stored, out, spec->dim);
    }
}

/* What a block holds. */
typedef enum view_kind { VIEW_PLAIN, VIEW_COARSE, VIEW_CODED } view_kind;

/*
 * A coded block has what a scan reads from end to end in one piece, so that the pieces of cells loaded
 * together lie next to each other; and behind it, in another, what is read of single rows: rows,
 * rowids, plane C. A plain block is one piece.
 */
static size_t view_plane_bytes(const vs_store *store, int vector)
{
    return view_align(store->geometry.slots * (store->geometry.vectors[vector].code_dim / 2));
}

/* From the beginning of a coded block to its plane B. */
static size_t view_plane_b_at(size_t slots)
{
    return view_align(sizeof(vs_block)) + 4 * view_align(slots * sizeof(float));
}

/* From the beginning of its rows to plane C, with the rowids between. */
static size_t view_plane_c_at(size_t slots)
{
    return view_align(slots * sizeof(vs_row_terms)) + view_align(slots * sizeof(int64_t));
}

static size_t view_front_bytes(const vs_store *store, int vector, view_kind kind)
{
    size_t slots = store->geometry.slots;
    if (kind == VIEW_PLAIN) {
        return view_align(sizeof(vs_block)) + view_align(slots * sizeof(int64_t)) +
               view_align(slots * view_vector_bytes(store, vector));
    }
    return view_plane_b_at(slots) + (kind == VIEW_CODED ? view_plane_bytes(store, vector) : 0);
}

static size_t view_behind_bytes(const vs_store *store, int vector, view_kind kind)
{
    return kind == VIEW_PLAIN ? 0
                              : view_plane_c_at(store->geometry.slots) +
                                    (kind == VIEW_CODED ? view_plane_bytes(store, vector) : 0);
}

static size_t view_block_bytes(const vs_store *store, int vector, view_kind kind)
{
    return view_front_bytes(store, vector, kind) + view_behind_bytes(store, vector, kind);
}

static void view_free_behind(vs_cached *self)
{
    sqlite3_free(((vs_block *)(void *)self)->behind);
}

/* A block whose memory behind it is still missing. */
static vs_block *view_new_front(const vs_store *store, int vector, view_kind kind)
{
    size_t slots = store->geometry.slots;
    vs_block *block = vs_cached_new(view_front_bytes(store, vector, kind), view_free_behind);
    if (block == NULL) {
        return NULL;
    }
    unsigned char *at = (unsigned char *)block + view_align(sizeof *block);
    block->base.bytes = view_block_bytes(store, vector, kind);
    block->slots = (uint32_t)slots;
    block->is_coded = kind != VIEW_PLAIN;
    if (!block->is_coded) {
        block->rowids = (int64_t *)(void *)at;
        block->vector_bytes = view_vector_bytes(store, vector);
        block->vectors = at + view_align(slots * sizeof(int64_t));
        return block;
    }
    float **const terms[] = {&block->r, &block->cos4, &block->sin4, &block->inv4};
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        *terms[i] = (float *)(void *)at;
        at += view_align(slots * sizeof(float));
    }
    block->code_dim = store->geometry.vectors[vector].code_dim;
    block->b_stride =
        kind == VIEW_CODED ? block->code_dim / 2 : store->geometry.vectors[vector].coarse_bytes;
    block->plane_b = kind == VIEW_CODED ? at : NULL;
    return block;
}

/* The rest of it. SQLITE_NOMEM leaves the block as it was. */
static int view_add_behind(const vs_store *store, int vector, view_kind kind, vs_block *block)
{
    size_t bytes = view_behind_bytes(store, vector, kind);
    if (bytes == 0) {
        return SQLITE_OK;
    }
    block->behind = sqlite3_malloc64(bytes + VIEW_ALIGN);
    if (block->behind == NULL) {
        return SQLITE_NOMEM;
    }
    unsigned char *at = block->behind;
    at += (VIEW_ALIGN - (uintptr_t)at % VIEW_ALIGN) % VIEW_ALIGN;
    memset(at, 0, bytes);
    block->rows = (vs_row_terms *)(void *)at;
    block->rowids = (int64_t *)(void *)(at + view_align(block->slots * sizeof(vs_row_terms)));
    block->plane_c = kind == VIEW_CODED ? at + view_plane_c_at(block->slots) : NULL;
    return SQLITE_OK;
}

static vs_block *view_new_block(const vs_store *store, int vector, view_kind kind)
{
    vs_block *block = view_new_front(store, vector, kind);
    if (block != NULL && view_add_behind(store, vector, kind, block) != SQLITE_OK) {
        vs_cached_unref(block);
        return NULL;
    }
    return block;
}

static void view_set_code(vs_block *block, uint32_t slot, const vs_code_record *record)
{
    size_t plane_bytes = block->code_dim / 2;
    block->rowids[slot] = record->rowid;
    if (!(record->flags & VS_CODE_HAS_VECTOR)) {
        return;
    }
    block->has[slot / 64] |= (uint64_t)1 << (slot % 64);
    block->rows[slot] = (vs_row_terms){.r = record->flags & VS_CODE_NO_BOUND ? NAN : record->r,
                                       .cos4 = record->terms.cos4,
                                       .sin4 = record->terms.sin4,
                                       .inv4 = record->terms.inv4,
                                       .cos8 = record->terms.cos8,
                                       .sin8 = record->terms.sin8,
                                       .inv8 = record->terms.inv8,
                                       .is_there = 1};
    block->r[slot] = block->rows[slot].r;
    block->cos4[slot] = record->terms.cos4;
    block->sin4[slot] = record->terms.sin4;
    block->inv4[slot] = record->terms.inv4;
    if (block->plane_c != NULL) { /* else they stay where they were read */
        memcpy((uint8_t *)block + view_plane_b_at(block->slots) + slot * plane_bytes,
               record->plane_b, plane_bytes);
        memcpy((uint8_t *)block->rows + view_plane_c_at(block->slots) + slot * plane_bytes,
               record->plane_c, plane_bytes);
    }
}

/* Which of `count` rows from `first` on are live, as bits. */
static uint32_t view_live(const vs_cell *cell, uint32_t first, uint32_t count)
{
    uint32_t live = 0;
    for (uint32_t i = 0; i < count; i++) {
        live |= (uint32_t)vs_cell_has(cell, first + i) << i;
    }
    return live;
}

static int view_decode_codes(vs_store *store, int vector, const vs_cell *cell, const uint8_t *bytes,
                             vs_block *block, vs_err *err)
{
    size_t coarse_bytes = store->geometry.vectors[vector].coarse_bytes;
    size_t fine_bytes = store->geometry.vectors[vector].fine_bytes;
    const uint8_t *fine = block->plane_c == NULL ? NULL : bytes + block->slots * coarse_bytes;
    int rc = SQLITE_OK;
    for (uint32_t first = 0; first < block->slots && rc == SQLITE_OK; first += VS_CODE_ROWS) {
        uint32_t count = block->slots - first;
        count = count < VS_CODE_ROWS ? count : VS_CODE_ROWS;
        uint32_t live = view_live(cell, first, count);
        const vs_code_rows rows = {bytes + first * coarse_bytes,
                                   fine == NULL ? NULL : fine + first * fine_bytes, coarse_bytes,
                                   fine_bytes, block->code_dim};
        vs_code_record records[VS_CODE_ROWS];
        if (live != 0) {
            rc = vs_format_read_codes(store->label, vector, cell->id * block->slots + first, &rows,
                                      count, live, records, err);
        }
        for (uint32_t i = 0; i < count && rc == SQLITE_OK; i++) {
            block->rows[first + i].is_there = 0;
            if (live >> i & 1u) {
                view_set_code(block, first + i, &records[i]);
            }
        }
    }
    return rc;
}

/* The vector of a row of the content table: *out NULL when it is gone. */
static int view_fetch_content(vs_store *store, int vector, int64_t rowid, const void **out,
                              vs_err *err)
{
    const vs_vector_spec *spec = &store->declaration.vectors[vector];
    int is_null = 0, is_missing = 0;
    void *memory = vs_scratch_get(&store->cell_memory, vsk_bytes(spec->stored, spec->dim));
    if (memory == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = vs_store_vector(store, vector, 0, rowid, memory, &is_null, &is_missing, err);
    *out = is_null || is_missing ? NULL : memory;
    return rc;
}

static int view_decode_vectors(vs_store *store, int vector, const vs_cell *cell,
                               const uint8_t *bytes, vs_block *block, vs_err *err)
{
    const vs_vector_spec *spec = &store->declaration.vectors[vector];
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    int rc = SQLITE_OK;
    for (uint32_t slot = 0; slot < block->slots && rc == SQLITE_OK; slot++) {
        const void *data = NULL;
        if (!vs_cell_has(cell, slot)) {
            continue;
        }
        rc = vs_format_read_record(store->label, vector, cell->id * block->slots + slot,
                                   bytes + slot * record_bytes, record_bytes,
                                   store->geometry.vectors[vector].vector_bytes, record_bytes,
                                   &block->rowids[slot], &data, err);
        if (rc == SQLITE_OK && data != NULL && !vs_store_has_vectors(store, vector)) {
            rc = view_fetch_content(store, vector, block->rowids[slot], &data, err);
            block->is_short |= data == NULL;
        }
        if (rc == SQLITE_OK && data != NULL) {
            block->has[slot / 64] |= (uint64_t)1 << (slot % 64);
            vs_view_widen(spec, data, block->vectors + slot * block->vector_bytes);
        }
    }
    return rc;
}

/* Reads a cell's bytes into memory of its own and decodes them. `block` is of the cell's kind and
 * empty. */
static int view_load_block(vs_store *store, int vector, const vs_cell *cell, vs_block *block,
                           vs_err *err)
{
    int is_coarse = block->plane_c == NULL;
    size_t each = !block->is_coded
                      ? store->geometry.vectors[vector].record_bytes
                      : store->geometry.vectors[vector].coarse_bytes +
                            (is_coarse ? 0 : store->geometry.vectors[vector].fine_bytes);
    uint8_t *bytes = vs_scratch_get(&store->read_memory, each * block->slots);
    if (bytes == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = block->is_coded ? vs_store_read_codes(store, vector, cell->id, is_coarse, bytes, err)
                             : vs_store_read_vectors(store, vector, cell->id, bytes, err);
    if (block->is_coded && is_coarse) {
        block->plane_b = bytes + VS_CODE_HEADER_BYTES;
    }
    if (rc == SQLITE_OK) {
        rc = block->is_coded ? view_decode_codes(store, vector, cell, bytes, block, err)
                             : view_decode_vectors(store, vector, cell, bytes, block, err);
    }
    return rc;
}

static int view_is_coded(const vs_store *store, int vector, const vs_cell *cell)
{
    return cell->is_coded && store->geometry.vectors[vector].is_coded;
}

static int view_blocks_are_alike(const void *a, const void *b)
{
    const vs_block *left = a, *right = b;
    return left->slots == right->slots && left->is_coded == right->is_coded &&
           left->code_dim == right->code_dim && left->vector_bytes == right->vector_bytes;
}

/* A cell's block from the cache, or NULL. */
static vs_block *view_find_block(const vs_store *store, int vector, const vs_cell *cell)
{
    vs_cache_key key;
    int is_coded = view_is_coded(store, vector, cell);
    size_t code_dim = is_coded ? store->geometry.vectors[vector].code_dim : 0;
    size_t vector_bytes = is_coded ? 0 : view_vector_bytes(store, vector);
    vs_view_key(store, vector, VS_CACHE_BLOCK, cell->id, cell->stamp, &key);
    vs_block *block = vs_cache_get(&key);
    if (block != NULL && (block->slots != store->geometry.slots || block->is_coded != is_coded ||
                          block->code_dim != code_dim || block->vector_bytes != vector_bytes)) {
        vs_cached_unref(block); /* another shape: of a file that repeats stamps */
        block = NULL;
    }
    return block;
}

/*
 * Does the stamp not vouch for what the block would hold? Vectors of a content table do not change
 * with the stamp when a statement has changed that table and its triggers come later, or do not come
 * (a REPLACE). Outside of a write they are what was committed.
 */
static int view_is_private(const vs_store *store, int vector, const vs_cell *cell)
{
    return !vs_store_has_vectors(store, vector) && !view_is_coded(store, vector, cell) &&
           sqlite3_txn_state(store->db, store->schema) == SQLITE_TXN_WRITE;
}

/* Fronts of coded blocks that will soon be loaded: taken at once, so that they lie side by side. */
typedef struct view_stock {
    vs_block *blocks[VIEW_STOCK];
    size_t next, count;
} view_stock;

/* One for a cell of this kind, with `missing` cells to be loaded; NULL without memory. */
static vs_block *view_take_front(const vs_store *store, int vector, view_kind kind, size_t missing,
                                 view_stock *stock)
{
    if (kind != VIEW_CODED) {
        return view_new_front(store, vector, kind);
    }
    if (stock->next == stock->count) {
        stock->next = stock->count = 0;
        while (stock->count < VIEW_STOCK && stock->count < missing) {
            vs_block *block = view_new_front(store, vector, kind);
            if (block == NULL) {
                break;
            }
            stock->blocks[stock->count++] = block;
        }
    }
    return stock->next == stock->count ? NULL : stock->blocks[stock->next++];
}

static void view_free_stock(view_stock *stock)
{
    for (size_t i = stock->next; i < stock->count; i++) {
        vs_cached_unref(stock->blocks[i]);
    }
}

/* A cell's block, loaded and put into the cache; *out is NULL where it has no room, and where it
 * cannot be shared. */
static int view_share_block(vs_store *store, int vector, const vs_cell *cell, size_t missing,
                            view_stock *stock, vs_block **out, vs_err *err)
{
    vs_cache_key key;
    view_kind kind = view_is_coded(store, vector, cell) ? VIEW_CODED : VIEW_PLAIN;
    vs_view_key(store, vector, VS_CACHE_BLOCK, cell->id, cell->stamp, &key);
    *out = NULL;
    if (view_is_private(store, vector, cell) ||
        !vs_cache_has_room(&key, view_block_bytes(store, vector, kind))) {
        return SQLITE_OK;
    }
    vs_block *block = view_take_front(store, vector, kind, missing, stock);
    if (block == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = view_add_behind(store, vector, kind, block);
    if (rc == SQLITE_OK) {
        rc = view_load_block(store, vector, cell, block, err);
    }
    if (rc != SQLITE_OK || block->is_short) {
        vs_cached_unref(block);
        return rc;
    }
    *out = vs_cache_put(&key, block, view_blocks_are_alike);
    return SQLITE_OK;
}

/* Decodes cell `i` into *scratch, made anew where it has another shape. */
static int view_read_block(vs_store *store, const vs_view *view, size_t i, int is_coded,
                           vs_block **scratch, const vs_block **out, vs_err *err)
{
    size_t code_dim = is_coded ? store->geometry.vectors[view->vector].code_dim : 0;
    size_t vector_bytes = is_coded ? 0 : view_vector_bytes(store, view->vector);
    vs_block *block = *scratch;
    if (block == NULL || block->is_coded != is_coded || block->slots != view->slots ||
        block->code_dim != code_dim || block->vector_bytes != vector_bytes) {
        vs_cached_unref(block);
        *scratch = block = view_new_block(store, view->vector, is_coded ? VIEW_COARSE : VIEW_PLAIN);
        if (block == NULL) {
            return SQLITE_NOMEM;
        }
    }
    memset(block->has, 0, sizeof block->has);
    int rc = view_load_block(store, view->vector, &view->cells[i], block, err);
    *out = rc == SQLITE_OK ? block : NULL;
    return rc;
}

int vs_view_block(vs_store *store, const vs_view *view, size_t i, vs_block **scratch,
                  const vs_block **out, vs_err *err)
{
    *out = view->blocks[i];
    if (*out != NULL) {
        return SQLITE_OK;
    }
    return view_read_block(store, view, i, view_is_coded(store, view->vector, &view->cells[i]),
                           scratch, out, err);
}

int vs_view_vectors(vs_store *store, const vs_view *view, size_t i, vs_block **scratch,
                    const vs_block **out, vs_err *err)
{
    *out = view->blocks[i];
    if (*out != NULL && !(*out)->is_coded) {
        return SQLITE_OK;
    }
    return view_read_block(store, view, i, 0, scratch, out, err);
}

/* ---- the directory --------------------------------------------------------------------------- */

static void view_before_free(vs_cached *self)
{
    vs_view *view = (vs_view *)(void *)self;
    for (size_t i = 0; i < view->cell_count; i++) {
        vs_cached_unref(view->blocks[i]);
        vs_cached_unref(atomic_load(&view->fronts[i]));
    }
    vs_cached_unref(view->learner);
}

/* Cells by (part, id). */
static int view_compare_cells(const void *a, const void *b)
{
    const vs_cell *left = a, *right = b;
    if (left->part != right->part) {
        return left->part < right->part ? -1 : 1;
    }
    return left->id < right->id ? -1 : left->id > right->id;
}

/* They come by id, and without partitions that is the order wanted. */
static void view_sort_cells(vs_cell_list *list)
{
    for (size_t i = 1; i < list->count; i++) {
        if (view_compare_cells(&list->cells[i - 1], &list->cells[i]) > 0) {
            qsort(list->cells, list->count, sizeof *list->cells, view_compare_cells);
            return;
        }
    }
}

typedef struct view_place {
    int64_t id;
    uint32_t at;
} view_place;

static int view_compare_places(const void *a, const void *b)
{
    const view_place *left = a, *right = b;
    return left->id < right->id ? -1 : left->id > right->id;
}

/* Numbers of the cells by id. Cells come by (part, id), which is almost that order. */
static int view_sort_by_id(vs_view *view)
{
    view_place *places = sqlite3_malloc64((view->cell_count + 1) * sizeof *places);
    if (places == NULL) {
        return SQLITE_NOMEM;
    }
    for (size_t i = 0; i < view->cell_count; i++) {
        places[i].id = view->cells[i].id;
        places[i].at = (uint32_t)i;
    }
    qsort(places, view->cell_count, sizeof *places, view_compare_places);
    for (size_t i = 0; i < view->cell_count; i++) {
        view->by_id[i] = places[i].at;
    }
    sqlite3_free(places);
    return SQLITE_OK;
}

static int view_compare_codes(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* The different descriptions. Sorted, for a hostile file may name as many as it has cells. */
static void view_find_codes(vs_view *view)
{
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < view->cell_count; i++) {
        const vs_cell *cell = &view->cells[i];
        if (cell->is_coded) {
            view->code_ids[count++] = cell->code_id[view->vector];
        }
    }
    qsort(view->code_ids, count, sizeof *view->code_ids, view_compare_codes);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || view->code_ids[i] != view->code_ids[kept - 1]) {
            view->code_ids[kept++] = view->code_ids[i];
        }
    }
    view->code_id_count = kept;
}

static int view_new(const vs_store *store, int vector, const vs_head *head,
                    const vs_cell_list *list, vs_view **out)
{
    vs_view *view = NULL;
    size_t cells_at = view_align(sizeof(vs_view));
    size_t blocks_at = cells_at + view_align(list->count * sizeof *view->cells);
    size_t fronts_at = blocks_at + view_align(list->count * sizeof *view->blocks);
    size_t codes_at = fronts_at + view_align(list->count * sizeof *view->fronts);
    size_t rows_at = codes_at + view_align(list->count * sizeof *view->code_ids);
    size_t ids_at = rows_at + view_align(list->count * sizeof *view->rows);
    view = vs_cached_new(ids_at + (list->count + 1) * sizeof(uint32_t), view_before_free);
    if (view == NULL) {
        return SQLITE_NOMEM;
    }
    memcpy(view->stamp, head->stamp, sizeof view->stamp);
    view->vector = vector;
    view->slots = store->geometry.slots;
    view->code_dim = store->geometry.vectors[vector].code_dim;
    view->vector_bytes = view_vector_bytes(store, vector);
    view->cell_count = list->count;
    view->plane_b_at = view_plane_b_at(view->slots);
    view->plane_c_at = view_plane_c_at(view->slots);
    view->cells = (vs_cell *)(void *)((unsigned char *)view + cells_at);
    view->blocks = (vs_block **)(void *)((unsigned char *)view + blocks_at);
    view->fronts = (_Atomic(vs_front *) *)(void *)((unsigned char *)view + fronts_at);
    view->code_ids = (uint64_t *)(void *)((unsigned char *)view + codes_at);
    view->rows = (vs_row_terms **)(void *)((unsigned char *)view + rows_at);
    view->by_id = (uint32_t *)(void *)((unsigned char *)view + ids_at);
    for (size_t i = 0; i < list->count; i++) {
        view->cells[i] = list->cells[i];
        view->live += list->cells[i].live;
    }
    view_find_codes(view);
    int rc = view_sort_by_id(view);
    if (rc != SQLITE_OK) {
        vs_cached_unref(view);
        return rc;
    }
    *out = view;
    return SQLITE_OK;
}

/* Where a connection begins to load: many that begin at once would read the same cells at the same
 * time, and throw all but one copy away. */
static size_t view_first_cell(const vs_store *store, const vs_view *view)
{
    uint64_t mixed = (uint64_t)(uintptr_t)store * 0x9E3779B97F4A7C15u;
    return view->cell_count == 0 ? 0 : (size_t)(mixed >> 32) % view->cell_count;
}

/*
 * Takes the cells from the cache, and loads others into it: for some milliseconds, or as many as
 * were there. So the first search of a process does not wait for the whole table, and a few
 * searches later, each loading twice as much, all of it is there.
 */
static int view_load(vs_store *store, vs_view *view, int *out_is_complete, vs_err *err)
{
    int rc = SQLITE_OK;
    int job = -1;
    size_t found = 0, loaded = 0;
    view_stock stock = {.count = 0};
    int64_t deadline = vs_metrics_now_ns() + VIEW_LOAD_NS;
    *out_is_complete = 1;
    for (size_t i = 0; i < view->cell_count; i++) {
        view->blocks[i] = view_find_block(store, view->vector, &view->cells[i]);
        found += view->blocks[i] != NULL;
    }
    if (view->cell_count - found >= VIEW_JOB_CELLS) {
        job = vs_job_begin("vecshard", store->label, "load", view->live);
    }
    size_t first = view_first_cell(store, view);
    for (size_t i = 0; i < view->cell_count && rc == SQLITE_OK; i++) {
        const vs_cell *cell = &view->cells[(first + i) % view->cell_count];
        vs_block **block = &view->blocks[(first + i) % view->cell_count];
        if (*block == NULL) { /* or has another connection loaded it meanwhile? */
            *block = view_find_block(store, view->vector, cell);
        }
        if (*block != NULL) {
            continue;
        }
        if (loaded >= found && vs_metrics_now_ns() > deadline) {
            *out_is_complete = 0;
            break;
        }
        vs_store_note_pages(store);
        rc = view_share_block(store, view->vector, cell, view->cell_count - found - loaded, &stock,
                              block, err);
        if (*block != NULL) { /* at once: many connections may load, each its part */
            vs_store_drop_pages(store);
        }
        if (view_is_private(store, view->vector, cell)) {
            *out_is_complete = 0; /* a view that others find has to have it */
        }
        loaded++;
        vs_job_progress(job, (int64_t)((found + loaded) * view->slots));
    }
    vs_job_end(job);
    view_free_stock(&stock);
    for (size_t i = 0; i < view->cell_count; i++) {
        view->rows[i] = view->blocks[i] == NULL ? NULL : view->blocks[i]->rows;
    }
    return rc;
}

/*
 * In SQLite's shared-cache mode, PRAGMA read_uncommitted shows what another connection is writing, and
 * that one does not know that its stamp was seen. Nothing that is read so may be found again: the
 * search gets a file of its own.
 */
static int view_leave_others(vs_store *store, vs_err *err)
{
    sqlite3_stmt *stmt;
    int is_uncommitted = 0;
    int rc = vs_store_statement_get(store, VS_SQL_READ_UNCOMMITTED, &stmt, err);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        is_uncommitted = rc == SQLITE_ROW && sqlite3_column_int(stmt, 0) != 0;
        rc = vs_store_done(store, stmt, rc, "reading read_uncommitted", err);
    } else if (rc == SQLITE_AUTH) { /* a host that lets no PRAGMA through */
        vs_error_clear(err);
        rc = SQLITE_OK;
    }
    if (rc == SQLITE_OK && is_uncommitted) {
        sqlite3_randomness(sizeof store->file_identity, &store->file_identity);
        store->is_loaded = 0; /* which finds the file's own again */
    }
    return rc;
}

static int view_are_alike(const void *a, const void *b)
{
    const vs_view *left = a, *right = b;
    return left->vector == right->vector && left->slots == right->slots &&
           left->code_dim == right->code_dim && left->vector_bytes == right->vector_bytes;
}

/* Is it one of this table, and not of another one that repeats its stamps? */
static int view_fits(const vs_store *store, int vector, const vs_view *view)
{
    return view->vector == vector && view->slots == store->geometry.slots &&
           view->code_dim == store->geometry.vectors[vector].code_dim &&
           view->vector_bytes == view_vector_bytes(store, vector);
}

int vs_view_get(vs_store *store, int vector, vs_view **out, vs_err *err)
{
    vs_head head;
    vs_cache_key key;
    vs_cell_list list = {NULL, 0, 0};
    int is_complete = 1;
    *out = NULL;
    int rc = vs_store_load(store, err);
    if (rc == SQLITE_OK) {
        rc = view_leave_others(store, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_head(store, &head, err);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    vs_view_key(store, vector, VS_CACHE_VIEW, 0, head.stamp, &key);
    vs_view *view = vs_cache_get(&key);
    if (view != NULL && view_fits(store, vector, view)) {
        *out = view;
        return SQLITE_OK;
    }
    vs_cached_unref(view);
    view = NULL;
    rc = vs_store_list_cells(store, &head, &list, err);
    if (rc == SQLITE_OK) {
        view_sort_cells(&list);
        rc = view_new(store, vector, &head, &list, &view);
    }
    sqlite3_free(list.cells);
    if (rc == SQLITE_OK) {
        rc = view_load(store, view, &is_complete, err);
    }
    vs_store_end_reading(store);
    if (rc != SQLITE_OK) {
        vs_cached_unref(view);
        return rc;
    }
    if (is_complete) {
        vs_view_find_learner(store, view);
        view = vs_cache_put(&key, view, view_are_alike);
    }
    *out = view;
    return SQLITE_OK;
}

int64_t vs_view_find(const vs_view *view, int64_t id)
{
    size_t lo = 0, hi = view->cell_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int64_t at = view->cells[view->by_id[mid]].id;
        if (at == id) {
            return (int64_t)view->by_id[mid];
        }
        if (at < id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return -1;
}
