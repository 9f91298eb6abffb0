/*
 * gpu_fill.c - copying rows to the device.
 *
 * One fill at a time has the right to an image, so that only it changes which rows are where. Rows
 * go through the module's pinned buffers, filled without the device lock while searches go on. A
 * place whose row is live is overwritten only where no search reads the segment, and the segment is
 * not searched again until its live rows are set.
 *
 * Calls: the module, gpu.c, gpu_cache.c, gpu_evict.c.
 * Called by: whoever calls gpu.h.
 * Threads: one for a fill; all.
 */
#include "gpu_impl.h"

#if defined(VS_GPU_POSIX)

#define FILL_SEGMENTS_MIN 8

vs_gpu_fill *vs_gpu_fill_begin(vs_gpu_image *image)
{
    if (vs_gpu_look() != VS_GPU_OPEN) {
        return NULL;
    }
    vs_gpu_fill *fill = sqlite3_malloc64(sizeof *fill);
    if (fill == NULL) {
        return NULL;
    }
    memset(fill, 0, sizeof *fill);
    vs_gpu_lock();
    int is_mine =
        image->is_listed && image->fill == NULL && vs_gpu_now_ns() >= image->no_room_until_ns;
    if (is_mine) {
        fill->image = vs_gpu_image_ref(image);
        image->fill = fill;
    }
    vs_gpu_unlock();
    if (!is_mine) {
        sqlite3_free(fill);
        return NULL;
    }
    return fill;
}

/* ---- segments -------------------------------------------------------------------------------- */

/* Room in host memory for this number, and for its live bits. 0: there is none. Under the state
 * lock. */
static int fill_reserve(vs_gpu_image *image, uint32_t number)
{
    if (number >= image->capacity) {
        uint32_t capacity = image->capacity == 0 ? FILL_SEGMENTS_MIN : 2 * image->capacity;
        vs_gpu_segment *grown = sqlite3_realloc64(image->segments, capacity * sizeof *grown);
        if (grown == NULL) {
            return 0;
        }
        memset(grown + image->capacity, 0, (capacity - image->capacity) * sizeof *grown);
        image->segments = grown;
        image->capacity = capacity;
    }
    vs_gpu_segment *segment = &image->segments[number];
    size_t bytes = image->shape.rows / 8;
    if (segment->live == NULL) {
        segment->live = sqlite3_malloc64(2 * bytes);
    }
    if (segment->live != NULL) {
        memset(segment->live, 0, 2 * bytes);
        segment->read = segment->live + bytes / 4;
    }
    return segment->live != NULL;
}

/* A segment that is not there. Under the device lock. */
static int fill_add_segment(vs_gpu_fill *fill, uint32_t number)
{
    vs_gpu_image *image = fill->image;
    vs_gpu_lock();
    int is_ready = fill_reserve(image, number);
    image->count += is_ready && number == image->count;
    vs_gpu_unlock();
    if (!is_ready || !vs_gpu_take_segment(image, number)) {
        return 0;
    }
    vs_gpu_lock();
    image->segments[number].is_touched = 1;
    vs_gpu_unlock();
    return 1;
}

int vs_gpu_fill_segment(vs_gpu_fill *fill, uint32_t segment)
{
    vs_gpu_image *image = fill->image;
    if (fill->has_failed || !vs_gpu_enter()) {
        return 0;
    }
    vs_gpu_collect();
    vs_gpu_lock();
    int is_there = segment < image->count && image->segments[segment].handle != NULL;
    /* after a cut a new segment would stand for one whose rows the fill believes to be there */
    int is_usable = image->is_listed && !fill->is_cut && segment <= image->count &&
                    !(is_there && image->segments[segment].is_condemned);
    vs_gpu_unlock();
    int is_good = is_usable && (is_there || fill_add_segment(fill, segment));
    vs_gpu_leave();
    if (is_good) {
        vs_gpu_watch();
    }
    return is_good;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Is one of these places in the bits? */
static int fill_has_row(const uint32_t *bits, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        if ((bits[i / 32] >> i % 32) & 1) {
            return 1;
        }
    }
    return 0;
}

/* May these places be written? Where one is live, the segment leaves the searches. */
static int fill_claim(vs_gpu_image *image, uint32_t number, uint32_t first, uint32_t count)
{
    int is_free = 0;
    vs_gpu_lock();
    if (number < image->count && image->segments[number].handle != NULL &&
        !image->segments[number].is_condemned && first <= image->shape.rows &&
        count <= image->shape.rows - first) {
        vs_gpu_segment *segment = &image->segments[number];
        int has_live = segment->is_live && fill_has_row(segment->live, first, count);
        is_free = segment->searches == 0 || !fill_has_row(segment->read, first, count);
        if (is_free) {
            segment->is_touched = 1;
        }
        if (is_free && has_live) {
            segment->is_live = 0;
            image->version++;
        }
    }
    vs_gpu_unlock();
    return is_free;
}

/* The device's handle of a segment of this fill; NULL: the device is gone. Under the device lock. */
static vsg_segment *fill_handle(vs_gpu_image *image, uint32_t number)
{
    vs_gpu_lock();
    vsg_segment *handle = image->segments[number].handle;
    vs_gpu_unlock();
    return handle;
}

/* A buffer to fill; 0: it failed. */
static int fill_stage(void **out, size_t *out_bytes)
{
    int rc = VSG_DEAD;
    if (vs_gpu_enter()) {
        rc = vs_gpu_check(vs_gpu.api->stage(vs_gpu.device, out, out_bytes));
        vs_gpu_leave();
    }
    return rc == VSG_OK;
}

/* Sends `count` rows of the buffer. 0: it failed. */
static int fill_upload(vs_gpu_image *image, uint32_t number, uint32_t first, uint32_t count)
{
    int rc = VSG_DEAD;
    if (vs_gpu_enter()) {
        vsg_segment *handle = fill_handle(image, number);
        if (handle != NULL) {
            rc = vs_gpu_check(vs_gpu.api->upload(vs_gpu.device, handle, first, count));
        }
        vs_gpu_leave();
    }
    return rc == VSG_OK;
}

/* Under the upload lock. */
static int fill_copy(vs_gpu_fill *fill, uint32_t number, uint32_t first, const uint8_t *rows,
                     uint32_t count)
{
    const vs_gpu_image *image = fill->image;
    size_t row_bytes = vs_gpu_row_bytes((vsk_type)image->shape.type, image->shape.dim);
    while (count > 0) {
        void *buffer = NULL;
        size_t buffer_bytes = 0;
        if (!fill_stage(&buffer, &buffer_bytes) || buffer_bytes < row_bytes) {
            return 0;
        }
        size_t fits = buffer_bytes / row_bytes;
        uint32_t now = fits < count ? (uint32_t)fits : count;
        memcpy(buffer, rows, now * row_bytes);
        if (!fill_upload(fill->image, number, first, now)) {
            return 0;
        }
        fill->bytes += now * row_bytes;
        rows += now * row_bytes;
        first += now;
        count -= now;
    }
    return 1;
}

int vs_gpu_fill_rows(vs_gpu_fill *fill, uint32_t segment, uint32_t first, const void *rows,
                     uint32_t count)
{
    if (fill->has_failed || vs_gpu_look() != VS_GPU_OPEN) {
        return 0;
    }
    if (!fill_claim(fill->image, segment, first, count)) {
        return 0; /* it is being searched: nothing has happened */
    }
    uint64_t before = fill->bytes;
    (void)pthread_mutex_lock(&vs_gpu.upload);
    fill->has_failed = !fill_copy(fill, segment, first, rows, count);
    (void)pthread_mutex_unlock(&vs_gpu.upload);
    vs_gpu_lock();
    vs_gpu.upload_bytes += fill->bytes - before;
    vs_gpu_unlock();
    return !fill->has_failed;
}

/* What the device is told to be live: beside `bits` also the rows that searches under way may read,
 * which they know by masks of their own. Under the device lock. */
static const uint32_t *fill_read(vs_gpu_image *image, uint32_t number, const uint32_t *bits)
{
    vs_gpu_lock();
    const vs_gpu_segment *segment = &image->segments[number];
    uint32_t *read = segment->read;
    for (size_t w = 0; w < image->shape.rows / 32; w++) {
        read[w] = bits[w] | (segment->searches > 0 ? read[w] : 0);
    }
    vs_gpu_unlock();
    return read;
}

int vs_gpu_fill_live(vs_gpu_fill *fill, uint32_t segment, const uint32_t *bits)
{
    vs_gpu_image *image = fill->image;
    if (fill->has_failed || !fill_claim(image, segment, 0, 0) || !vs_gpu_enter()) {
        return 0;
    }
    vsg_segment *handle = fill_handle(image, segment);
    int rc = VSG_DEAD;
    if (handle != NULL) {
        const uint32_t *read = fill_read(image, segment, bits);
        rc = vs_gpu_check(vs_gpu.api->live(vs_gpu.device, handle, read));
    }
    vs_gpu_lock();
    if (rc == VSG_OK && image->segments[segment].handle != NULL) {
        memcpy(image->segments[segment].live, bits, image->shape.rows / 8);
        image->segments[segment].is_live = 1;
        image->segments[segment].used_ns = image->used_ns = vs_gpu.used_ns = vs_gpu_now_ns();
        image->version++;
    } else {
        fill->has_failed = 1;
    }
    vs_gpu_unlock();
    vs_gpu_leave();
    return !fill->has_failed;
}

void vs_gpu_fill_end(vs_gpu_fill *fill, int is_good)
{
    if (fill == NULL || !vs_gpu_is_orderly()) {
        return;
    }
    vs_gpu_image *image = fill->image;
    vs_gpu_lock();
    is_good = is_good && !fill->has_failed && !fill->is_cut;
    for (uint32_t i = 0; i < image->count; i++) {
        vs_gpu_segment *segment = &image->segments[i];
        /* one without live rows yet is of no use: its live rows were never set */
        if (segment->handle != NULL && segment->is_touched && (!is_good || !segment->is_live)) {
            segment->is_live = 0;
            segment->is_condemned = 1;
        }
        segment->is_touched = 0;
    }
    image->is_whole = is_good;
    image->version++;
    image->fill = NULL;
    vs_gpu_unlock();
    if (vs_gpu_enter()) {
        vs_gpu_collect();
        vs_gpu_leave();
    }
    vs_gpu_image_unref(image);
    sqlite3_free(fill);
}

uint64_t vs_gpu_fill_bytes(const vs_gpu_fill *fill)
{
    return fill->bytes;
}

#endif
