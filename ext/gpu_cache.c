/*
 * gpu_cache.c - images of columns on the device: who finds them, who holds them, when they go.
 *
 * An image is in the list until it is evicted, replaced by one of another tag, or has lost its last
 * segment; after that its holders keep it, and what it has on the device goes as soon as no search
 * reads it.
 *
 * Locks, in this order: upload, device, state; gpu_impl.h says what each is for.
 *
 * Calls: gpu.c, gpu_evict.c, gpu_watch.c.
 * Called by: whoever calls gpu.h; gpu_admit.c, gpu_fill.c, gpu_run.c.
 * Threads: all.
 */
#define _DEFAULT_SOURCE

#include "gpu_impl.h"

#if defined(VS_GPU_POSIX)

#include <time.h>

/* ---- finding: under the state lock ----------------------------------------------------------- */

int vs_gpu_is_key(const vs_gpu_key *a, const vs_gpu_key *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

vs_gpu_image *vs_gpu_image_of_key(const vs_gpu_key *key)
{
    vs_gpu_image *image = vs_gpu.images;
    while (image != NULL && !(image->is_listed && vs_gpu_is_key(&image->key, key))) {
        image = image->next;
    }
    return image;
}

vs_gpu_image *vs_gpu_image_of_want(const vs_gpu_want *want)
{
    vs_gpu_image *image = vs_gpu_image_of_key(&want->key);
    int is_it = image != NULL && memcmp(image->tag, want->tag, sizeof image->tag) == 0 &&
                image->shape.dim == want->dim && (int)image->shape.type == (int)want->type;
    return is_it ? image : NULL;
}

vs_gpu_image *vs_gpu_image_ref(vs_gpu_image *image)
{
    image->refs++;
    return image;
}

int vs_gpu_image_has_handles(const vs_gpu_image *image)
{
    for (uint32_t i = 0; i < image->count; i++) {
        if (image->segments[i].handle != NULL) {
            return 1;
        }
    }
    return 0;
}

int vs_gpu_image_has_content(const vs_gpu_image *image)
{
    if (image->key.kind == VS_GPU_TABLE && !image->is_whole) {
        return 0;
    }
    for (uint32_t i = 0; i < image->count; i++) {
        if (image->segments[i].is_live) {
            return 1;
        }
    }
    return 0;
}

void vs_gpu_forget_handles(void)
{
    for (vs_gpu_image *image = vs_gpu.images; image != NULL; image = image->next) {
        for (uint32_t i = 0; i < image->count; i++) {
            vs_gpu_segment *segment = &image->segments[i];
            segment->handle = NULL;
            segment->is_live = segment->is_condemned = segment->is_draining = 0;
        }
        image->is_listed = 0;
        image->version++;
    }
    vs_gpu.used_bytes = vs_gpu.fixed_bytes = 0;
    vs_gpu.has_drains = 0;
    memset(vs_gpu.waiting, 0, sizeof vs_gpu.waiting);
}

/* ---- the end of images ----------------------------------------------------------------------- */

static void image_free(vs_gpu_image *image)
{
    if (image->free_owned != NULL) {
        image->free_owned(image->owned);
    }
    for (uint32_t i = 0; i < image->count; i++) {
        sqlite3_free(image->segments[i].live);
    }
    sqlite3_free(image->segments);
    sqlite3_free(image);
}

void vs_gpu_reap(void)
{
    vs_gpu_image *gone = NULL;
    if (!vs_gpu_is_orderly()) {
        return;
    }
    vs_gpu_lock();
    for (vs_gpu_image **at = &vs_gpu.images; *at != NULL;) {
        vs_gpu_image *image = *at;
        if (image->is_listed || image->refs > 0 || image->fill != NULL ||
            vs_gpu_image_has_handles(image)) {
            at = &image->next;
            continue;
        }
        *at = image->next;
        image->next = gone;
        gone = image;
    }
    vs_gpu_unlock();
    while (gone != NULL) {
        vs_gpu_image *next = gone->next;
        image_free(gone);
        gone = next;
    }
}

void vs_gpu_image_unref(vs_gpu_image *image)
{
    if (image == NULL || !vs_gpu_is_orderly()) {
        return;
    }
    vs_gpu_lock();
    assert(image->refs > 0);
    int is_gone = --image->refs == 0 && !image->is_listed;
    vs_gpu_unlock();
    if (is_gone) { /* the image itself may be freed by others from here on */
        if (vs_gpu_enter()) {
            vs_gpu_collect();
            vs_gpu_leave();
        }
        vs_gpu_reap();
    }
}

/* Lets go of the images for which is_one says so; NULL: of all. Returns their bytes. */
static uint64_t image_evict(int (*is_one)(const vs_gpu_key *key, const void *arg), const void *arg)
{
    uint64_t bytes = 0;
    if (!vs_gpu_is_orderly()) {
        return 0;
    }
    int is_open = vs_gpu_enter();
    vs_gpu_lock();
    for (vs_gpu_image *image = vs_gpu.images; image != NULL; image = image->next) {
        image->no_room_until_ns = 0; /* there will be room */
        if (!image->is_listed || (is_one != NULL && !is_one(&image->key, arg))) {
            continue;
        }
        for (uint32_t i = 0; i < image->count; i++) {
            bytes += image->segments[i].handle != NULL ? image->segment_bytes : 0;
        }
        vs_gpu_drop_image(image);
    }
    for (size_t i = 0; i < VS_GPU_WAITING_MAX; i++) {
        vs_gpu_waiting *waiting = &vs_gpu.waiting[i];
        waiting->is_set = waiting->is_set && is_one != NULL && !is_one(&waiting->key, arg);
    }
    vs_gpu_unlock();
    if (is_open) {
        vs_gpu_collect();
        vs_gpu_trim();
        vs_gpu_leave();
    }
    vs_gpu_reap();
    return bytes;
}

/* Of an ordinary table the hash names the column, and `column` how its bytes were read. */
static int image_is_column(const vs_gpu_key *key, const void *arg)
{
    const vs_gpu_key *other = arg;
    int is_column = key->column == other->column || key->kind == VS_GPU_TABLE;
    return key->file == other->file && key->kind == other->kind && is_column &&
           memcmp(key->table, other->table, sizeof key->table) == 0;
}

uint64_t vs_gpu_evict(const vs_gpu_key *key)
{
    return image_evict(key != NULL ? image_is_column : NULL, key);
}

static int image_is_of_file(const vs_gpu_key *key, const void *arg)
{
    const vs_gpu_key *other = arg;
    return key->file == other->file && key->kind == other->kind;
}

void vs_gpu_evict_file(uint64_t file, vs_gpu_kind kind)
{
    vs_gpu_key key;
    memset(&key, 0, sizeof key);
    key.file = file;
    key.kind = (uint32_t)kind;
    (void)image_evict(image_is_of_file, &key);
}

/* Waits a while for searches that were ended early. Under the device lock. */
static void image_await_drains(void)
{
    const struct timespec time = {0, 1000000};
    for (int i = 0; i < 1000 && atomic_load(&vs_gpu.state) == VS_GPU_OPEN; i++) {
        if (vs_gpu.api->search_is_idle(vs_gpu.device)) {
            break;
        }
        (void)nanosleep(&time, NULL);
    }
    vs_gpu_collect();
}

void vs_gpu_stop(void)
{
    if (!vs_gpu_is_orderly()) {
        return;
    }
    vs_gpu_watch_stop();
    (void)vs_gpu_evict(NULL);
    if (vs_gpu_enter()) {
        image_await_drains();
        vs_gpu_leave();
    }
    vs_gpu_reap();
    if (vs_gpu_enter()) {
        vs_gpu_close();
        vs_gpu_leave();
    }
}

/* ---- what holders of a reference ask --------------------------------------------------------- */

void *vs_gpu_image_owned(vs_gpu_image *image)
{
    vs_gpu_lock();
    void *owned = image->owned;
    vs_gpu_unlock();
    return owned;
}

void vs_gpu_image_own(vs_gpu_image *image, void *owned, void (*free_owned)(void *owned))
{
    vs_gpu_lock();
    assert(image->owned == NULL);
    image->owned = owned;
    image->free_owned = free_owned;
    vs_gpu_unlock();
}

uint32_t vs_gpu_image_segment_rows(const vs_gpu_image *image)
{
    return image->shape.rows;
}

uint32_t vs_gpu_image_segments(vs_gpu_image *image)
{
    vs_gpu_lock();
    uint32_t count = image->count;
    vs_gpu_unlock();
    return count;
}

int vs_gpu_image_is_resident(vs_gpu_image *image, uint32_t segment)
{
    vs_gpu_lock();
    int is_resident = segment < image->count && image->segments[segment].is_live;
    vs_gpu_unlock();
    return is_resident;
}

uint64_t vs_gpu_image_version(vs_gpu_image *image)
{
    vs_gpu_lock();
    uint64_t version = image->version;
    vs_gpu_unlock();
    return version;
}

/* ---- the cache in rows ----------------------------------------------------------------------- */

static const char *image_precision(const vs_gpu_image *image)
{
    return image->shape.keeps_vectors ? "f32" : image->shape.format == VSG_F16 ? "f16" : "int8";
}

static void image_describe(const vs_gpu_image *image, uint32_t number, int64_t now,
                           vs_gpu_cache_row *out)
{
    const vs_gpu_segment *segment = &image->segments[number];
    memset(out, 0, sizeof *out);
    memcpy(out->label, image->label, sizeof out->label);
    out->segment = number;
    out->precision = image_precision(image);
    out->bytes = image->segment_bytes;
    out->hits = segment->hits;
    out->age_s = (double)(now - segment->used_ns) / 1e9;
    out->state = segment->searches > 0 || segment->is_condemned || segment->is_draining ? "in use"
                 : segment->is_live                                                     ? "resident"
                                                                                        : "filling";
}

size_t vs_gpu_read_cache(vs_gpu_cache_row *rows, size_t capacity)
{
    size_t count = 0;
    if (vs_gpu_look() == VS_GPU_FORKED) {
        return 0;
    }
    vs_gpu_lock();
    int64_t now = vs_gpu_now_ns();
    for (const vs_gpu_image *image = vs_gpu.images; image != NULL; image = image->next) {
        for (uint32_t i = 0; i < image->count; i++) {
            if (image->segments[i].handle == NULL) {
                continue;
            }
            if (count < capacity) {
                image_describe(image, i, now, &rows[count]);
            }
            count++;
        }
    }
    for (size_t i = 0; i < VS_GPU_WAITING_MAX; i++) {
        const vs_gpu_waiting *waiting = &vs_gpu.waiting[i];
        if (!waiting->is_set || now - waiting->at_ns > VS_GPU_ADMIT_NS) {
            continue;
        }
        if (count < capacity) {
            vs_gpu_cache_row *row = &rows[count];
            memset(row, 0, sizeof *row);
            memcpy(row->label, waiting->label, sizeof row->label);
            row->precision = "";
            row->age_s = (double)(now - waiting->at_ns) / 1e9;
            row->state = "waiting";
        }
        count++;
    }
    vs_gpu_unlock();
    return capacity == 0 || count < capacity ? count : capacity;
}

#endif
