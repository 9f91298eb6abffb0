/*
 * gpu_index.c - vectors of a vecshard table on the GPU, cell by cell.
 *
 * The image's owner data is the list of its frames, an immutable object that a fill replaces, and the
 * map of the view that was searched last. Both are exchanged under a lock and used without it.
 *
 * What is live on the device and the list change one after the other. While they do, there is no list
 * (is_changing) and the CPU answers. Who took the list before has read the image's version before that,
 * and a search that names an older version is refused once live rows have changed.
 *
 * Frames whose cells have changed are used again: a fill first makes their rows dead on the device, so
 * that searches that are under way there and still use them keep what they have.
 *
 * Calls: gpu.c, view.c, store.c, cache.c (objects), metrics.c.
 * Called by: nearest_gpu.c, func_gpu.c.
 * Threads: the connection's; images are shared by all connections.
 */
#include "gpu_index.h"

#include "../kernels/bits.h"
#include "lock.h"
#include "metrics.h"

#define INDEX_NO_FRAME UINT32_MAX
#define INDEX_SHARE 1.05           /* of the CPU's time, for a search and what it fills */
#define INDEX_WEIGHT 0.1           /* of a longer time of the CPU */
#define INDEX_FILL_LEAST_US 250.0  /* less is not worth to begin */
#define INDEX_FILL_MOST_US 20000.0 /* at a time */

/* One cell on the device. Immutable. */
typedef struct gpu_frame {
    vs_cached base;
    int64_t cell;
    uint8_t stamp[VS_STAMP_BYTES];
    uint64_t has[VS_SLOTS_MAX / 64];
    int64_t rowids[]; /* [slots] */
} gpu_frame;

/* All of an image, by place: frame i has rows i * slots .. of the segments in line. Immutable. */
typedef struct gpu_frames {
    vs_cached base;
    size_t count;
    gpu_frame *frames[]; /* [count] one reference each; NULL: the place is free */
} gpu_frames;

/* Owner data of an image. */
typedef struct gpu_index {
    vs_lock lock;
    int is_changing;    /* under the lock: live rows on the device are not those of the frames */
    gpu_frames *frames; /* under the lock; NULL: none yet */
    vs_gpu_map *map;    /* under the lock; of the view used last, or NULL */
    vs_gpu_allowance allowance; /* under the lock */
    size_t slots, per_segment;
} gpu_index;

/* ---- objects --------------------------------------------------------------------------------- */

static void index_frames_before_free(vs_cached *self)
{
    gpu_frames *frames = (gpu_frames *)(void *)self;
    for (size_t i = 0; i < frames->count; i++) {
        vs_cached_unref(frames->frames[i]);
    }
}

/* A copy with room for `count` frames, at least those of `from` (NULL: none). */
static gpu_frames *index_frames_copy(const gpu_frames *from, size_t count)
{
    size_t old = from == NULL ? 0 : from->count;
    count = count > old ? count : old;
    gpu_frames *frames =
        vs_cached_new(sizeof *frames + count * sizeof frames->frames[0], index_frames_before_free);
    if (frames != NULL) {
        frames->count = count;
        for (size_t i = 0; i < old; i++) {
            frames->frames[i] = from->frames[i] == NULL ? NULL : vs_cached_ref(from->frames[i]);
        }
    }
    return frames;
}

static void index_map_before_free(vs_cached *self)
{
    vs_cached_unref(((vs_gpu_map *)(void *)self)->frames);
}

static void index_free(void *owned)
{
    gpu_index *index = owned;
    vs_cached_unref(index->map);
    vs_cached_unref(index->frames);
    sqlite3_free(index);
}

static gpu_index *index_new(size_t slots, size_t segment_rows)
{
    gpu_index *index =
        slots == 0 || segment_rows % slots != 0 ? NULL : sqlite3_malloc64(sizeof *index);
    if (index != NULL) {
        memset(index, 0, sizeof *index);
        atomic_flag_clear(&index->lock);
        index->slots = slots;
        index->per_segment = segment_rows / slots;
    }
    return index;
}

/* References to the two, or NULL; the list also where it is changing. */
static void index_take(gpu_index *index, gpu_frames **out_frames, vs_gpu_map **out_map,
                       int *out_is_changing)
{
    vs_lock_enter(&index->lock);
    *out_is_changing = index->is_changing;
    *out_frames = index->frames == NULL ? NULL : vs_cached_ref(index->frames);
    *out_map = index->map == NULL ? NULL : vs_cached_ref(index->map);
    vs_lock_leave(&index->lock);
}

/* Live rows will change: there is no list until index_end_change. */
static void index_begin_change(gpu_index *index)
{
    vs_lock_enter(&index->lock);
    index->is_changing = 1;
    vs_lock_leave(&index->lock);
}

/* Takes the reference to the new list. */
static void index_end_change(gpu_index *index, gpu_frames *frames)
{
    vs_lock_enter(&index->lock);
    gpu_frames *old = index->frames;
    index->frames = frames;
    index->is_changing = 0;
    vs_lock_leave(&index->lock);
    vs_cached_unref(old);
}

/* Takes the reference to the map. */
static void index_keep_map(gpu_index *index, vs_gpu_map *map)
{
    vs_lock_enter(&index->lock);
    vs_gpu_map *old = index->map;
    index->map = map;
    vs_lock_leave(&index->lock);
    vs_cached_unref(old);
}

/* ---- the map of a view ----------------------------------------------------------------------- */

/* Number of the frame's cell in the view, where it has the same content. */
static uint32_t index_find_cell(const vs_view *view, const gpu_frame *frame)
{
    int64_t i = frame == NULL ? -1 : vs_view_find(view, frame->cell);
    return i >= 0 && memcmp(view->cells[i].stamp, frame->stamp, VS_STAMP_BYTES) == 0
               ? (uint32_t)i
               : VS_GPU_NO_CELL;
}

static int index_has_rows(const gpu_frame *frame)
{
    uint64_t any = 0;
    for (size_t w = 0; w < VS_SLOTS_MAX / 64; w++) {
        any |= frame->has[w];
    }
    return any != 0;
}

/* Takes the reference to the frames over. */
static vs_gpu_map *index_map_new(const gpu_index *index, vs_gpu_image *image, gpu_frames *frames,
                                 const vs_view *view, uint64_t version)
{
    size_t cells_at = (sizeof(vs_gpu_map) + 7) / 8 * 8;
    size_t there_at = cells_at + frames->count * sizeof(uint32_t);
    vs_gpu_map *map = vs_cached_new(there_at + view->cell_count, index_map_before_free);
    if (map == NULL) {
        vs_cached_unref(frames);
        return NULL;
    }
    memcpy(map->stamp, view->stamp, sizeof map->stamp);
    map->version = version;
    map->frames = frames;
    map->slots = index->slots;
    map->segment_rows = index->slots * index->per_segment;
    map->cells = (uint32_t *)(void *)((char *)map + cells_at);
    map->cell_count = view->cell_count;
    map->is_there = (uint8_t *)map + there_at;
    map->is_exact = 1;
    int is_resident = 0;
    for (size_t i = 0; i < frames->count; i++) {
        if (i % index->per_segment == 0) {
            is_resident = vs_gpu_image_is_resident(image, (uint32_t)(i / index->per_segment));
        }
        map->cells[i] = is_resident ? index_find_cell(view, frames->frames[i]) : VS_GPU_NO_CELL;
        if (map->cells[i] != VS_GPU_NO_CELL && map->is_there[map->cells[i]]) {
            map->cells[i] = VS_GPU_NO_CELL; /* there twice: one counts */
        }
        if (map->cells[i] != VS_GPU_NO_CELL) {
            map->is_there[map->cells[i]] = 1;
        } else if (is_resident && frames->frames[i] != NULL && index_has_rows(frames->frames[i])) {
            map->is_exact = 0;
        }
    }
    for (size_t i = 0; i < view->cell_count; i++) {
        map->missing += map->is_there[i] ? 0 : (int64_t)view->cells[i].live;
    }
    return map;
}

void vs_gpu_index_map(vs_gpu_image *image, const vs_view *view, vs_gpu_map **out)
{
    gpu_index *index = vs_gpu_image_owned(image);
    gpu_frames *frames = NULL;
    int is_changing = 0;
    *out = NULL;
    if (index == NULL || index->slots != view->slots) {
        return;
    }
    uint64_t version = vs_gpu_image_version(image); /* before the list: see the head of the file */
    index_take(index, &frames, out, &is_changing);
    if (*out != NULL && (*out)->version == version && (*out)->frames == frames && !is_changing &&
        memcmp((*out)->stamp, view->stamp, sizeof view->stamp) == 0 &&
        (*out)->cell_count == view->cell_count) {
        vs_cached_unref(frames);
        return;
    }
    vs_cached_unref(*out);
    *out = NULL;
    if (frames == NULL || is_changing) {
        vs_cached_unref(frames);
        return;
    }
    *out = index_map_new(index, image, frames, view, version);
    if (*out != NULL) {
        index_keep_map(index, vs_cached_ref(*out));
    }
}

/* Bits of `words` into the mask from bit `at` on; both sides are a multiple of `slots`, a power of
 * two. */
static void index_put_bits(uint32_t *mask, size_t at, const uint64_t *words, size_t slots)
{
    for (size_t s = 0; s < slots; s += 32) {
        uint32_t bits = (uint32_t)(words[s / 64] >> (s % 64));
        if (slots < 32) {
            bits &= (1u << slots) - 1;
        }
        mask[(at + s) / 32] |= bits << ((at + s) % 32);
    }
}

uint32_t *vs_gpu_index_mask(const vs_gpu_map *map, const vs_view *view, const vs_rowset *rows,
                            int64_t *out_count)
{
    const gpu_frames *frames = map->frames;
    size_t places = (frames->count * map->slots + map->segment_rows - 1) / map->segment_rows *
                    map->segment_rows;
    uint32_t *mask = sqlite3_malloc64(places / 8 + 8);
    *out_count = 0;
    if (mask == NULL) {
        return NULL;
    }
    memset(mask, 0, places / 8 + 8);
    for (size_t i = 0; i < frames->count; i++) {
        uint64_t words[VS_SLOTS_MAX / 64];
        if (map->cells[i] == VS_GPU_NO_CELL) {
            continue;
        }
        memcpy(words, frames->frames[i]->has, sizeof words);
        if (rows != NULL) {
            vs_rowset_mask(rows, map->cells[i], words, (view->slots + 63) / 64);
        }
        for (size_t w = 0; w < VS_SLOTS_MAX / 64; w++) {
            *out_count += vsk_popcount64(words[w]);
        }
        index_put_bits(mask, i * map->slots, words, map->slots);
    }
    return mask;
}

int vs_gpu_index_place(const vs_gpu_map *map, uint32_t segment, uint32_t row, uint32_t *out_cell,
                       uint32_t *out_slot, int64_t *out_rowid)
{
    size_t place = (size_t)segment * map->segment_rows + row;
    size_t frame = place / map->slots;
    if (frame >= map->frames->count || map->cells[frame] == VS_GPU_NO_CELL) {
        return 0;
    }
    *out_cell = map->cells[frame];
    *out_slot = (uint32_t)(place % map->slots);
    *out_rowid = map->frames->frames[frame]->rowids[*out_slot];
    return 1;
}

/* ---- the time of filling ----------------------------------------------------------------------- */

void vs_gpu_allowance_add(vs_gpu_allowance *allowance, double us, size_t count, int is_cpu)
{
    double of_query = us / (double)count;
    if (is_cpu) { /* the least: what disturbs a search makes it longer */
        int is_less = allowance->cpu_us <= 0.0 || of_query < allowance->cpu_us;
        allowance->cpu_us =
            is_less ? of_query : allowance->cpu_us + INDEX_WEIGHT * (of_query - allowance->cpu_us);
    }
    double gained = INDEX_SHARE * allowance->cpu_us * (double)count - us;
    allowance->left_us += gained > 0.0 ? gained : 0.0;
    if (allowance->left_us > INDEX_FILL_MOST_US) {
        allowance->left_us = INDEX_FILL_MOST_US;
    }
}

int vs_gpu_index_allow(vs_gpu_image *image, double us, size_t count, int is_cpu)
{
    gpu_index *index = vs_gpu_image_owned(image);
    if (index == NULL) {
        return 1; /* the first fill, of a cell or two */
    }
    vs_lock_enter(&index->lock);
    vs_gpu_allowance_add(&index->allowance, us, count, is_cpu);
    double left = index->allowance.left_us;
    vs_lock_leave(&index->lock);
    return left < INDEX_FILL_LEAST_US ? 0 : left < 1000.0 ? 1 : (int)(left / 1000.0);
}

void vs_gpu_index_spend(vs_gpu_image *image, double us)
{
    gpu_index *index = vs_gpu_image_owned(image);
    if (index != NULL) {
        vs_lock_enter(&index->lock);
        index->allowance.left_us -= us;
        vs_lock_leave(&index->lock);
    }
}

/* ---- filling --------------------------------------------------------------------------------- */

typedef struct index_fill {
    vs_gpu_image *image; /* borrowed */
    gpu_index *index;    /* borrowed from the image */
    vs_gpu_fill *fill;   /* owned */
    vs_store *store;     /* borrowed */
    const vs_view *view;
    gpu_frames *frames;  /* owned: the new list */
    int is_fresh;        /* there was no list: what is live on the device is nobody's */
    uint8_t *is_touched; /* owned: [segments] their live rows have changed */
    uint32_t segments;
    size_t next;       /* place to be looked at next for a free frame */
    vs_block *scratch; /* owned */
} index_fill;

static void index_fill_free(index_fill *fill)
{
    vs_cached_unref(fill->frames);
    vs_cached_unref(fill->scratch);
    sqlite3_free(fill->is_touched);
}

/* The right to fill and a list with a place for every cell; places of cells that the view does not have
 * any more are free. */
static int index_fill_begin(index_fill *fill)
{
    gpu_frames *old = NULL;
    vs_gpu_map *map = NULL;
    int is_changing = 0; /* never: only who fills changes */
    size_t slots = fill->view->slots;
    size_t segment_rows = vs_gpu_image_segment_rows(fill->image);
    fill->fill = vs_gpu_fill_begin(fill->image);
    if (fill->fill == NULL) {
        return 0;
    }
    if (vs_gpu_image_owned(fill->image) == NULL) {
        gpu_index *index = index_new(slots, segment_rows);
        if (index != NULL) {
            vs_gpu_image_own(fill->image, index, index_free);
        }
    }
    fill->index = vs_gpu_image_owned(fill->image);
    if (fill->index == NULL || fill->index->slots != slots) {
        return 0;
    }
    size_t per_segment = fill->index->per_segment;
    index_take(fill->index, &old, &map, &is_changing);
    vs_cached_unref(map);
    size_t wanted = (fill->view->cell_count + per_segment - 1) / per_segment;
    size_t listed = old == NULL ? 0 : (old->count + per_segment - 1) / per_segment;
    size_t there = vs_gpu_image_segments(fill->image);
    fill->is_fresh = old == NULL;
    fill->segments = (uint32_t)(wanted > listed ? wanted : listed);
    fill->segments = there > fill->segments ? (uint32_t)there : fill->segments;
    fill->frames = index_frames_copy(old, fill->segments * per_segment);
    fill->is_touched = sqlite3_malloc64((size_t)fill->segments + 1);
    vs_cached_unref(old);
    if (fill->frames == NULL || fill->is_touched == NULL) {
        return 0;
    }
    memset(fill->is_touched, 0, (size_t)fill->segments + 1);
    return 1;
}

/* The rows of a segment's frames become its live ones. */
static int index_make_live(index_fill *fill, uint32_t segment)
{
    size_t per_segment = fill->index->per_segment, slots = fill->index->slots;
    uint32_t *bits = sqlite3_malloc64(per_segment * slots / 8 + 8);
    if (bits == NULL) {
        return 0;
    }
    memset(bits, 0, per_segment * slots / 8 + 8);
    for (size_t i = 0; i < per_segment; i++) {
        const gpu_frame *frame = fill->frames->frames[segment * per_segment + i];
        if (frame != NULL) {
            index_put_bits(bits, i * slots, frame->has, slots);
        }
    }
    int is_good =
        vs_gpu_fill_segment(fill->fill, segment) && vs_gpu_fill_live(fill->fill, segment, bits);
    sqlite3_free(bits);
    return is_good;
}

/* Is the frame of no use for the view: changed, gone, or evicted? */
static int index_is_old(const index_fill *fill, const gpu_frame *frame, int is_resident)
{
    return frame != NULL && (!is_resident || index_find_cell(fill->view, frame) == VS_GPU_NO_CELL);
}

/* Frees the places of cells that have changed or gone, and those of segments that were evicted. */
static int index_drop_old(index_fill *fill)
{
    size_t per_segment = fill->index->per_segment;
    int is_good = 1;
    index_begin_change(fill->index);
    for (uint32_t s = 0; s < fill->segments && is_good; s++) {
        int is_resident = vs_gpu_image_is_resident(fill->image, s);
        int is_changed = fill->is_fresh;
        for (size_t i = s * per_segment; i < (s + 1) * per_segment; i++) {
            if (index_is_old(fill, fill->frames->frames[i], is_resident)) {
                vs_cached_unref(fill->frames->frames[i]);
                fill->frames->frames[i] = NULL;
                is_changed = 1;
            }
        }
        is_good = !is_changed || !is_resident || index_make_live(fill, s);
    }
    gpu_frames *copy = is_good ? index_frames_copy(fill->frames, 0) : NULL;
    index_end_change(fill->index, copy); /* NULL: nothing is known to be there */
    return copy != NULL;
}

/* A place for one more cell on the device, or INDEX_NO_FRAME. */
static uint32_t index_find_place(index_fill *fill)
{
    size_t per_segment = fill->index->per_segment;
    while (fill->next < fill->frames->count) {
        uint32_t segment = (uint32_t)(fill->next / per_segment);
        if (fill->frames->frames[fill->next] == NULL) {
            if (fill->is_touched[segment]) {
                return (uint32_t)fill->next;
            }
            if (vs_gpu_fill_segment(fill->fill, segment)) {
                fill->is_touched[segment] = 1;
                return (uint32_t)fill->next;
            }
            return INDEX_NO_FRAME;
        }
        fill->next++;
    }
    return INDEX_NO_FRAME;
}

static gpu_frame *index_frame_new(const vs_view *view, size_t cell, const vs_block *block)
{
    gpu_frame *frame = vs_cached_new(sizeof *frame + block->slots * sizeof frame->rowids[0], NULL);
    if (frame != NULL) {
        frame->cell = view->cells[cell].id;
        memcpy(frame->stamp, view->cells[cell].stamp, sizeof frame->stamp);
        memcpy(frame->has, block->has, sizeof frame->has);
        for (size_t s = 0; s < block->slots; s++) {
            frame->rowids[s] = block->has[s / 64] >> (s % 64) & 1 ? block->rowids[s] : 0;
        }
    }
    return frame;
}

/* Brings one cell. *out_more 0: there is no room, or the device failed. */
static int index_fill_cell(index_fill *fill, size_t cell, int *out_more, vs_err *err)
{
    const vs_block *block = NULL;
    uint32_t place = index_find_place(fill);
    *out_more = 0;
    if (place == INDEX_NO_FRAME) {
        return SQLITE_OK;
    }
    int rc = vs_view_vectors(fill->store, fill->view, cell, &fill->scratch, &block, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    size_t slots = fill->index->slots;
    size_t per_segment = fill->index->per_segment;
    gpu_frame *frame = block->slots == slots ? index_frame_new(fill->view, cell, block) : NULL;
    *out_more = frame != NULL && vs_gpu_fill_rows(fill->fill, (uint32_t)(place / per_segment),
                                                  (uint32_t)(place % per_segment * slots),
                                                  block->vectors, (uint32_t)slots);
    if (*out_more) {
        fill->frames->frames[place] = frame;
        fill->next = place + 1;
    } else {
        vs_cached_unref(frame);
    }
    return SQLITE_OK;
}

/* Brings cells until the time is over. */
static int index_fill_cells(index_fill *fill, const vs_gpu_map *map, int milliseconds, vs_err *err)
{
    const vs_view *view = fill->view;
    int64_t deadline = vs_metrics_now_ns() + (int64_t)milliseconds * 1000000;
    int is_more = 1;
    int rc = SQLITE_OK;
    for (size_t i = 0; i < view->cell_count && is_more && rc == SQLITE_OK; i++) {
        if (view->cells[i].live > 0 && (map == NULL || !map->is_there[i])) {
            rc = index_fill_cell(fill, i, &is_more, err);
            is_more &= milliseconds == 0 || vs_metrics_now_ns() < deadline;
        }
    }
    return rc;
}

/* What was brought becomes live and is known from now on; if that fails, nothing is known to be there. */
static int index_publish(index_fill *fill)
{
    int is_good = 1;
    index_begin_change(fill->index);
    for (uint32_t s = 0; s < fill->segments && is_good; s++) {
        is_good = !fill->is_touched[s] || index_make_live(fill, s);
    }
    index_end_change(fill->index, is_good ? fill->frames : NULL);
    fill->frames = is_good ? NULL : fill->frames;
    return is_good;
}

int vs_gpu_index_fill(vs_gpu_image *image, vs_store *store, const vs_view *view, int milliseconds,
                      uint64_t *out_bytes, vs_err *err)
{
    index_fill fill;
    vs_gpu_map *map = NULL;
    int rc = SQLITE_OK;
    int is_good = 0;
    memset(&fill, 0, sizeof fill);
    fill.image = image;
    fill.store = store;
    fill.view = view;
    *out_bytes = 0;
    if (index_fill_begin(&fill)) {
        vs_gpu_index_map(image, view, &map);
        is_good = index_drop_old(&fill);
        if (is_good) {
            rc = index_fill_cells(&fill, map, milliseconds, err);
            is_good = index_publish(&fill);
        }
    }
    if (fill.fill != NULL) {
        *out_bytes = is_good ? vs_gpu_fill_bytes(fill.fill) : 0;
        vs_gpu_fill_end(fill.fill, is_good);
    }
    vs_cached_unref(map);
    index_fill_free(&fill);
    return rc;
}

/* ---- commands -------------------------------------------------------------------------------- */

int vs_gpu_index_takes(const vs_store *store, int vector)
{
    return store->declaration.content == NULL && vs_store_has_vectors(store, vector) &&
           store->declaration.vectors[vector].type != VSK_BIT &&
           store->declaration.vectors[vector].dim <= VSG_DIM_MAX;
}

void vs_gpu_index_want(const vs_store *store, int vector, const vs_view *view, vs_gpu_want *out)
{
    const vs_vector_spec *spec = &store->declaration.vectors[vector];
    memset(out, 0, sizeof *out);
    out->key.file = store->file_identity;
    memcpy(out->key.table, store->identity, sizeof out->key.table);
    out->key.column = (uint32_t)vector;
    out->key.kind = VS_GPU_INDEX;
    sqlite3_snprintf((int)sizeof out->label, out->label, "%s.%s", store->label,
                     store->declaration.columns[spec->column].name);
    out->type = spec->type;
    out->dim = spec->dim;
    out->metric = spec->metric;
    out->rows = view == NULL ? 0.0 : (double)(view->cell_count * view->slots);
    out->unit_rows = view == NULL ? 0 : view->slots; /* cells are whole */
    out->query_count = 1;
    out->k = 10;
}

/* A statement that has begun: until it is finalized, what is read is of one state of the database. */
static int index_hold_snapshot(const vs_store *store, sqlite3_stmt **out, vs_err *err)
{
    char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\".sqlite_schema LIMIT 1", store->schema);
    int rc = sql == NULL
                 ? SQLITE_NOMEM
                 : sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_NO_VTAB, out, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(*out);
        rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    sqlite3_free(sql);
    return rc == SQLITE_OK ? rc : vs_error_db(err, rc, store->db, store->label);
}

int vs_gpu_index_load(vs_store *store, int vector, vs_gpu_precision precision, uint64_t *out_bytes,
                      vs_gpu_reason *out_reason, vs_err *err)
{
    vs_view *view = NULL;
    sqlite3_stmt *snapshot = NULL;
    vs_gpu_want want;
    *out_bytes = 0;
    *out_reason = VS_GPU_SHAPE;
    if (!vs_gpu_index_takes(store, vector)) {
        return SQLITE_OK;
    }
    int rc = index_hold_snapshot(store, &snapshot, err); /* a command reads no table by itself */
    if (rc == SQLITE_OK) {
        rc = vs_view_get(store, vector, &view, err);
    }
    if (rc == SQLITE_OK) {
        vs_gpu_index_want(store, vector, view, &want);
        want.mode = VS_GPU_PREFER;
        vs_gpu_image *image = vs_gpu_image_make(&want, precision, out_reason);
        if (image != NULL) {
            int job = vs_job_begin("vec_gpu_load", store->label, "load", view->live);
            rc = vs_gpu_index_fill(image, store, view, 0, out_bytes, err);
            vs_job_end(job);
            *out_reason = *out_bytes == 0 && view->live > 0 ? VS_GPU_BUDGET : VS_GPU_NONE;
        }
        vs_gpu_image_unref(image);
    }
    vs_store_end_reading(store);
    vs_cached_unref(view);
    sqlite3_finalize(snapshot);
    return rc;
}

uint64_t vs_gpu_index_evict(vs_store *store, int vector)
{
    vs_gpu_want want;
    vs_gpu_index_want(store, vector, NULL, &want);
    return vs_gpu_evict(&want.key);
}
