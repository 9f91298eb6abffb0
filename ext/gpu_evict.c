/*
 * gpu_evict.c - device memory: who gets it, and who has to give it back.
 *
 * What a segment takes is booked before the module is asked, so that the budget holds at every
 * moment. Then the card itself must have the room, and a low-water mark more for its other users.
 * Where either is short, the segments used longest ago go, but none that a search reads or whose
 * image is being filled. When the device refuses memory all the same, more of them go until it does
 * not, since what is free may lie in pieces; after that the image gets nothing new for a minute.
 *
 * Calls: the module, gpu.c, gpu_cache.c.
 * Called by: gpu_cache.c, gpu_fill.c, gpu_run.c, gpu_watch.c.
 * Threads: whoever holds the device lock (gpu_impl.h).
 */
#include "gpu_impl.h"

#if defined(VS_GPU_POSIX)

static int evict_is_open(void)
{
    return atomic_load(&vs_gpu.state) == VS_GPU_OPEN;
}

void vs_gpu_drop_image(vs_gpu_image *image)
{
    image->is_listed = 0;
    image->version++;
}

/* Takes a segment off the device. Under the state lock, which is left for the module's call: the
 * image may be gone after it. */
static void evict_segment(vs_gpu_image *image, uint32_t number)
{
    vs_gpu_segment *segment = &image->segments[number];
    vsg_segment *handle = segment->handle;
    segment->handle = NULL;
    segment->is_live = segment->is_touched = segment->is_condemned = 0;
    image->version++;
    vs_gpu.used_bytes -= image->segment_bytes;
    vs_gpu.evictions++;
    vs_gpu_unlock();
    if (evict_is_open()) {
        vs_gpu.api->segment_free(vs_gpu.device, handle);
    }
    vs_gpu_lock();
}

void vs_gpu_trim(void)
{
    if (evict_is_open()) {
        (void)vs_gpu_check(vs_gpu.api->device_trim(vs_gpu.device));
    }
}

/* ---- segments that wait for searches to end -------------------------------------------------- */

/* Searches that were ended early have left the device. Under the state lock. */
static void evict_forget_drains(void)
{
    vs_gpu.has_drains = 0;
    for (vs_gpu_image *image = vs_gpu.images; image != NULL; image = image->next) {
        for (uint32_t i = 0; i < image->count; i++) {
            image->segments[i].is_draining = 0;
        }
    }
}

static int evict_is_leaving(const vs_gpu_image *image, const vs_gpu_segment *segment)
{
    return segment->handle != NULL && segment->searches == 0 && !segment->is_draining &&
           (segment->is_condemned || (!image->is_listed && image->fill == NULL));
}

/* One segment that can go now. Under the state lock. 0: there is none. */
static int evict_leaving(void)
{
    for (vs_gpu_image *image = vs_gpu.images; image != NULL; image = image->next) {
        for (uint32_t i = 0; i < image->count; i++) {
            if (evict_is_leaving(image, &image->segments[i])) {
                evict_segment(image, i);
                return 1;
            }
        }
    }
    return 0;
}

void vs_gpu_collect(void)
{
    vs_gpu_lock();
    int has_drains = vs_gpu.has_drains;
    vs_gpu_unlock();
    int is_idle = has_drains && evict_is_open() && vs_gpu.api->search_is_idle(vs_gpu.device);
    vs_gpu_lock();
    if (is_idle) {
        evict_forget_drains();
    }
    while (evict_leaving()) {
    }
    vs_gpu_unlock();
}

/* ---- eviction by last use -------------------------------------------------------------------- */

static int evict_is_unused(const vs_gpu_image *image, const vs_gpu_segment *segment)
{
    return segment->handle != NULL && segment->searches == 0 && !segment->is_draining &&
           image->fill == NULL;
}

/* Bytes that eviction could free. */
static uint64_t evict_possible(void)
{
    uint64_t bytes = 0;
    vs_gpu_lock();
    for (const vs_gpu_image *image = vs_gpu.images; image != NULL; image = image->next) {
        for (uint32_t i = 0; i < image->count; i++) {
            bytes += evict_is_unused(image, &image->segments[i]) ? image->segment_bytes : 0;
        }
    }
    vs_gpu_unlock();
    return bytes;
}

static int evict_has_others(const vs_gpu_image *image, uint32_t number)
{
    for (uint32_t i = 0; i < image->count; i++) {
        if (i != number && image->segments[i].handle != NULL) {
            return 1;
        }
    }
    return 0;
}

/* Evicts what was used longest ago. 0: there is nothing that is not in use. */
static int evict_oldest(void)
{
    vs_gpu_image *oldest = NULL;
    uint32_t number = 0;
    vs_gpu_lock();
    for (vs_gpu_image *image = vs_gpu.images; image != NULL; image = image->next) {
        for (uint32_t i = 0; i < image->count; i++) {
            if (evict_is_unused(image, &image->segments[i]) &&
                (oldest == NULL || image->segments[i].used_ns < oldest->segments[number].used_ns)) {
                oldest = image;
                number = i;
            }
        }
    }
    if (oldest != NULL) {
        if (oldest->is_listed && !evict_has_others(oldest, number)) {
            vs_gpu_drop_image(oldest);
        }
        evict_segment(oldest, number);
    }
    vs_gpu_unlock();
    return oldest != NULL;
}

void vs_gpu_evict_unused(void)
{
    while (evict_oldest()) {
    }
    vs_gpu_trim();
}

/* Free bytes of the card; 0: the device failed. */
static int evict_read_free(uint64_t *out)
{
    vsg_memory memory;
    if (!evict_is_open() ||
        vs_gpu_check(vs_gpu.api->device_memory(vs_gpu.device, &memory)) != VSG_OK) {
        return 0;
    }
    vs_gpu_lock();
    vs_gpu.info.free_bytes = memory.free_bytes;
    vs_gpu.looked_ns = vs_gpu_now_ns();
    vs_gpu_unlock();
    *out = memory.free_bytes;
    return 1;
}

int vs_gpu_keep_low_water(uint64_t need_bytes)
{
    uint64_t unused = 0;
    vs_gpu_lock();
    uint64_t low_water = vs_gpu_low_water();
    int is_known = need_bytes == 0 && vs_gpu.looked_ns != 0 &&
                   vs_gpu.info.free_bytes >= low_water &&
                   vs_gpu_now_ns() - vs_gpu.looked_ns < VS_GPU_LOOK_NS;
    vs_gpu_unlock();
    if (is_known) {
        return 1;
    }
    for (int round = 0; evict_read_free(&unused); round++) {
        if (unused >= low_water + need_bytes) {
            return 1;
        }
        if (round > 0) { /* at first only what is freed already goes back to the card */
            if (unused >= low_water && unused + evict_possible() < low_water + need_bytes) {
                return 0; /* it would not do, so nobody has to go for it */
            }
            if (!evict_oldest()) {
                return 0;
            }
        }
        vs_gpu_trim();
    }
    return 0;
}

/* ---- memory for a segment -------------------------------------------------------------------- */

/* Books bytes within the budget, evicting for them. */
static int evict_book(uint64_t bytes)
{
    vs_gpu_lock();
    uint64_t used = vs_gpu.used_bytes, budget = vs_gpu_budget();
    vs_gpu_unlock();
    if (used + bytes > budget && used + bytes - budget > evict_possible()) {
        return 0;
    }
    for (;;) {
        vs_gpu_lock();
        int has_room = evict_is_open() && vs_gpu.used_bytes + bytes <= vs_gpu_budget();
        vs_gpu.used_bytes += has_room ? bytes : 0;
        vs_gpu_unlock();
        if (has_room || !evict_oldest()) {
            return has_room;
        }
    }
}

static void evict_unbook(uint64_t bytes)
{
    vs_gpu_lock();
    vs_gpu.used_bytes -= evict_is_open() ? bytes : 0; /* else all was forgotten already */
    vs_gpu_unlock();
}

/* A segment of booked memory. NULL: there is none, after all unused ones have gone. */
static vsg_segment *evict_allocate(const vsg_shape *shape)
{
    vsg_segment *handle = NULL;
    int rc = vs_gpu_check(vs_gpu.api->segment_new(vs_gpu.device, shape, &handle));
    for (int has_more = 1; rc == VSG_NO_MEMORY && has_more;) {
        has_more = evict_oldest();
        vs_gpu_trim();
        rc = evict_is_open() ? vs_gpu_check(vs_gpu.api->segment_new(vs_gpu.device, shape, &handle))
                             : VSG_DEAD;
    }
    return rc == VSG_OK && evict_is_open() ? handle : NULL;
}

int vs_gpu_take_segment(vs_gpu_image *image, uint32_t segment)
{
    vsg_segment *handle = NULL;
    uint64_t bytes = image->segment_bytes;
    vs_gpu_collect();
    int is_booked = evict_is_open() && vs_gpu_keep_low_water(bytes) && evict_book(bytes);
    if (is_booked) {
        handle = evict_allocate(&image->shape);
        if (handle == NULL) {
            evict_unbook(bytes);
        }
    }
    vs_gpu_lock();
    if (handle != NULL && evict_is_open()) {
        image->segments[segment].handle = handle;
        image->segments[segment].used_ns = vs_gpu_now_ns();
    } else {
        handle = NULL;
        image->no_room_until_ns = vs_gpu_now_ns() + VS_GPU_RETRY_NS;
    }
    vs_gpu_unlock();
    return handle != NULL;
}

void vs_gpu_apply_budget(void)
{
    for (;;) {
        vs_gpu_lock();
        int is_over = vs_gpu.used_bytes > vs_gpu_budget();
        vs_gpu_unlock();
        if (!is_over || !evict_oldest()) {
            break;
        }
    }
    vs_gpu_lock();
    uint64_t budget = vs_gpu_budget(), left = vs_gpu.used_bytes; /* when all of them have gone */
    /* what searches are reading goes when they end; a fill under way fails */
    for (vs_gpu_image *image = vs_gpu.images; image != NULL; image = image->next) {
        image->no_room_until_ns = 0;
        for (uint32_t i = 0; i < image->count && left > budget; i++) {
            vs_gpu_segment *segment = &image->segments[i];
            left -= segment->handle != NULL ? image->segment_bytes : 0;
            if (segment->handle != NULL && !segment->is_condemned) {
                segment->is_condemned = 1;
                segment->is_live = 0;
                image->version++;
                if (image->fill != NULL) {
                    image->fill->is_cut = 1;
                }
            }
        }
    }
    vs_gpu_unlock();
    vs_gpu_collect();
    vs_gpu_trim();
    if (evict_is_open()) {
        (void)vs_gpu_check(vs_gpu.api->device_limit(vs_gpu.device, budget));
    }
}

#endif
