/*
 * module.c - the GPU module but for the device itself: opening, accounts of memory, segments,
 * uploads. Searches are in queries.c, devices behind backend.h.
 *
 * Nothing is allocated on the device that was not counted first, and what would go beyond the
 * budget is refused before the device is asked. After VSG_DEAD the backend is called no more, but
 * to close.
 *
 * Calls:  the backend that it is linked with (device.cu, or test/gpu/fake.c).
 * Called by: ext/gpu.c through vsg_api.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "module.h"

#define MODULE_STAGE_WAIT_US 10000000 /* an upload that takes longer never comes */
#define MODULE_TRIM_WAIT_US 20000     /* for memory that is being freed */
#define MODULE_BUSY_US 500            /* of such a wait; then it sleeps */

/* ---- words ----------------------------------------------------------------------------------- */

/* Of probe and device_open. */
static pthread_mutex_t module_mutex = PTHREAD_MUTEX_INITIALIZER;
static char module_words[VSG_WHY_BYTES];

static void module_keep(pthread_mutex_t *mutex, char *to, const char *words)
{
    pthread_mutex_lock(mutex);
    (void)snprintf(to, VSG_WHY_BYTES, "%s", words);
    pthread_mutex_unlock(mutex);
}

int vsg_device_note(vsg_device *device, int rc)
{
    if (rc != VSG_OK && rc != VSG_PENDING) {
        module_keep(&device->words_mutex, device->words, vsg_backend_here.words(device->backend));
    }
    if (rc == VSG_DEAD) {
        atomic_store_explicit(&device->is_dead, 1, memory_order_release);
    }
    return rc;
}

int vsg_device_refuse(vsg_device *device, int rc, const char *words)
{
    module_keep(&device->words_mutex, device->words, words);
    return rc;
}

/* A copy for this thread: the words themselves change under the mutex. */
static const char *module_last_error(vsg_device *device)
{
    static _Thread_local char words[VSG_WHY_BYTES];
    pthread_mutex_t *mutex = device != NULL ? &device->words_mutex : &module_mutex;

    pthread_mutex_lock(mutex);
    memcpy(words, device != NULL ? device->words : module_words, sizeof words);
    pthread_mutex_unlock(mutex);
    return words;
}

/* ---- waiting --------------------------------------------------------------------------------- */

int64_t vsg_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int vsg_wait_event(vsg_device *device, void *event, int64_t us, int64_t busy_us)
{
    const struct timespec nap = {0, 20000};
    int64_t begin = us > 0 ? vsg_now_us() : 0;

    for (;;) {
        int64_t waited;
        int rc = vsg_device_is_dead(device)
                     ? VSG_DEAD
                     : vsg_device_note(device, vsg_backend_here.query(event));
        if (rc != VSG_PENDING || us <= 0) {
            return rc;
        }
        waited = vsg_now_us() - begin;
        if (waited >= us) {
            return VSG_PENDING;
        }
        if (waited > busy_us) {
            (void)nanosleep(&nap, NULL);
        } else {
            (void)sched_yield();
        }
    }
}

/* ---- opening and closing --------------------------------------------------------------------- */

static int module_probe(int index, vsg_info *out)
{
    char why[VSG_WHY_BYTES] = "";
    int rc;

    memset(out, 0, sizeof *out);
    rc = vsg_backend_here.probe(index, out, why);
    module_keep(&module_mutex, module_words, why);
    return rc;
}

/* Takes `bytes` of the budget, or refuses. */
static int module_reserve(vsg_device *device, uint64_t bytes)
{
    uint64_t taken = device->context_bytes + device->used_bytes;

    if (taken > device->budget_bytes || bytes > device->budget_bytes - taken) {
        return vsg_device_refuse(device, VSG_NO_MEMORY, "the budget has no room");
    }
    device->used_bytes += bytes;
    return VSG_OK;
}

/* Device memory that was counted; on failure nothing is counted. */
static int module_allocate(vsg_device *device, uint64_t bytes, uint8_t **out)
{
    void *memory = NULL;
    int rc = module_reserve(device, bytes);

    if (rc != VSG_OK) {
        return rc;
    }
    rc = vsg_device_note(device, vsg_backend_here.allocate(device->uploads, bytes, &memory));
    if (rc != VSG_OK) {
        device->used_bytes -= bytes;
    }
    *out = memory;
    return rc;
}

static int module_open_slot(vsg_device *device, vsg_slot *slot)
{
    void *host = NULL, *mapped = NULL;
    int rc = vsg_backend_here.stream_new(device->backend, &slot->stream);

    if (rc == VSG_OK) {
        rc = vsg_backend_here.event_new(device->backend, 1, &slot->started);
    }
    if (rc == VSG_OK) {
        rc = vsg_backend_here.event_new(device->backend, 1, &slot->done);
    }
    if (rc == VSG_OK) {
        rc = vsg_backend_here.pin(device->backend, VSG_PINNED_BYTES, &host, &mapped);
        slot->in = host;
    }
    if (rc == VSG_OK) {
        rc = vsg_backend_here.pin(device->backend, VSG_PINNED_BYTES, &host, &mapped);
        slot->out = rc == VSG_OK ? host : NULL;
        slot->d_out = mapped;
    }
    return vsg_device_note(device, rc);
}

static int module_open_uploads(vsg_device *device)
{
    int rc = vsg_backend_here.stream_new(device->backend, &device->uploads);

    if (rc == VSG_OK) {
        rc = vsg_backend_here.event_new(device->backend, 0, &device->uploaded);
    }
    for (int i = 0; i < VSG_STAGES && rc == VSG_OK; i++) {
        void *mapped = NULL;
        rc = vsg_backend_here.pin(device->backend, device->stage_bytes, &device->stages[i].host,
                                  &mapped);
        if (rc == VSG_OK) {
            rc = vsg_backend_here.event_new(device->backend, 0, &device->stages[i].sent);
        }
    }
    return vsg_device_note(device, rc);
}

/* How large the slab is: what was asked for, or as much as the budget has room for beside the same
 * again and more of segments. */
static uint64_t module_slab_bytes(const vsg_device *device, const vsg_limits *limits)
{
    uint64_t room = device->budget_bytes > device->context_bytes
                        ? device->budget_bytes - device->context_bytes
                        : 0;
    uint64_t bytes = limits->scratch_bytes != 0 ? limits->scratch_bytes : VSG_SCRATCH_BYTES;

    if (limits->scratch_bytes == 0 && bytes > room / 4) {
        bytes = room / 4;
    }
    bytes = vsg_round_up(bytes, VSG_GRANULE);
    return bytes > VSG_SCRATCH_MIN ? bytes : VSG_SCRATCH_MIN;
}

static int module_open_slab(vsg_device *device, const vsg_limits *limits)
{
    uint64_t bytes = module_slab_bytes(device, limits);
    int rc;

    device->stage_bytes =
        (size_t)(bytes / 8 < VSG_STAGE_BYTES ? bytes / 8 : (uint64_t)VSG_STAGE_BYTES);
    rc = module_open_uploads(device);
    if (rc == VSG_OK) {
        rc = module_allocate(device, bytes, &device->slab);
    }
    if (rc != VSG_OK) {
        return rc;
    }
    device->slab_bytes = bytes;
    device->part_bytes =
        (bytes - device->stage_bytes) / VSG_SLOTS / VSG_PART_ALIGN * VSG_PART_ALIGN;
    for (int i = 0; i < VSG_SLOTS && rc == VSG_OK; i++) {
        device->slots[i].part =
            device->slab + device->stage_bytes + (uint64_t)i * device->part_bytes;
        rc = module_open_slot(device, &device->slots[i]);
    }
    if (rc == VSG_OK) {
        device->speed = vsg_backend_here.speed(device->uploads, device->slab, bytes);
    }
    return rc;
}

static void module_close_slot(vsg_device *device, vsg_slot *slot)
{
    if (slot->in != NULL) {
        vsg_backend_here.unpin(device->backend, slot->in);
    }
    if (slot->out != NULL) {
        vsg_backend_here.unpin(device->backend, slot->out);
    }
    if (slot->started != NULL) {
        vsg_backend_here.event_free(slot->started);
    }
    if (slot->done != NULL) {
        vsg_backend_here.event_free(slot->done);
    }
    if (slot->stream != NULL) {
        vsg_backend_here.stream_free(slot->stream);
    }
}

static void module_close_uploads(vsg_device *device)
{
    for (int i = 0; i < VSG_STAGES; i++) {
        if (device->stages[i].host != NULL) {
            vsg_backend_here.unpin(device->backend, device->stages[i].host);
        }
        if (device->stages[i].sent != NULL) {
            vsg_backend_here.event_free(device->stages[i].sent);
        }
    }
    if (device->slab != NULL) {
        vsg_backend_here.release(device->uploads, device->slab);
    }
    if (device->uploaded != NULL) {
        vsg_backend_here.event_free(device->uploaded);
    }
    if (device->uploads != NULL) {
        vsg_backend_here.stream_free(device->uploads);
    }
}

static void module_device_close(vsg_device *device)
{
    int is_dead;

    if (device == NULL) {
        return;
    }
    /* Where a search has not ended, it may never end, and whoever frees its memory waits for it. */
    is_dead = vsg_device_is_dead(device) || !vsg_search_is_idle(device);
    if (!is_dead && device->backend != NULL) {
        for (int i = 0; i < VSG_SLOTS; i++) {
            module_close_slot(device, &device->slots[i]);
        }
        module_close_uploads(device);
    }
    if (device->backend != NULL) {
        vsg_backend_here.close(device->backend, is_dead);
    }
    (void)pthread_mutex_destroy(&device->words_mutex);
    free(device);
}

static int module_open(int index, const vsg_limits *limits, vsg_device *device)
{
    vsg_backend_opened opened = {NULL, 0};
    int rc = vsg_backend_here.open(index, limits, &opened, device->words);

    if (rc != VSG_OK) {
        return rc;
    }
    device->backend = opened.backend;
    device->context_bytes = opened.context_bytes;
    device->budget_bytes = limits->budget_bytes;
    return module_open_slab(device, limits);
}

static int module_device_open(int index, const vsg_limits *limits, vsg_device **out)
{
    vsg_device *device = calloc(1, sizeof *device);
    int rc;

    *out = NULL;
    if (device == NULL) {
        module_keep(&module_mutex, module_words, "out of memory");
        return VSG_NO_MEMORY;
    }
    (void)pthread_mutex_init(&device->words_mutex, NULL);
    rc = module_open(index, limits, device);
    if (rc != VSG_OK) {
        module_keep(&module_mutex, module_words, device->words);
        module_device_close(device);
        return rc;
    }
    *out = device;
    return VSG_OK;
}

/* ---- the device ------------------------------------------------------------------------------ */

static int module_device_info(vsg_device *device, vsg_info *out)
{
    memset(out, 0, sizeof *out);
    if (vsg_device_is_dead(device)) {
        return VSG_DEAD;
    }
    return vsg_device_note(device, vsg_backend_here.info(device->backend, out));
}

static int module_device_memory(vsg_device *device, vsg_memory *out)
{
    vsg_info info;
    int rc = module_device_info(device, &info);

    out->total_bytes = info.total_bytes;
    out->free_bytes = info.free_bytes;
    out->context_bytes = device->context_bytes;
    out->used_bytes = device->used_bytes;
    return rc;
}

/* Marks the end of what was sent so far, for searches that begin later. */
static int module_mark_uploads(vsg_device *device)
{
    int rc = vsg_device_note(device, vsg_backend_here.record(device->uploads, device->uploaded));
    device->has_uploads |= rc == VSG_OK;
    return rc;
}

/* A budget below what is used is kept: until enough is freed, nothing is allocated. What is being
 * freed is waited for, since the card gets back only what is seen to be free. */
static int module_device_limit(vsg_device *device, uint64_t budget_bytes)
{
    int rc = vsg_device_is_dead(device) ? VSG_DEAD : module_mark_uploads(device);

    if (rc == VSG_OK) {
        rc = vsg_wait_event(device, device->uploaded, MODULE_TRIM_WAIT_US, MODULE_BUSY_US);
    }
    if (rc != VSG_OK && rc != VSG_PENDING) {
        return rc;
    }
    rc = vsg_device_note(device, vsg_backend_here.trim(device->backend, budget_bytes));
    if (rc == VSG_OK) {
        device->budget_bytes = budget_bytes;
    }
    return rc;
}

static int module_device_trim(vsg_device *device)
{
    return module_device_limit(device, device->budget_bytes);
}

static double module_device_speed(vsg_device *device)
{
    return device->speed;
}

/* ---- segments -------------------------------------------------------------------------------- */

static uint64_t module_segment_bytes(const vsg_shape *shape)
{
    vsg_layout layout;
    return vsg_layout_make(shape, &layout) ? vsg_round_up(layout.bytes, VSG_GRANULE) : 0;
}

static void module_segment_free(vsg_device *device, vsg_segment *segment)
{
    if (segment == NULL) {
        return;
    }
    if (segment->memory != NULL && !vsg_device_is_dead(device)) {
        vsg_backend_here.release(device->uploads, segment->memory);
    }
    device->used_bytes -= segment->bytes;
    free(segment);
}

static int module_segment_new(vsg_device *device, const vsg_shape *shape, vsg_segment **out)
{
    vsg_segment *segment;
    uint64_t bytes = module_segment_bytes(shape);
    int rc;

    *out = NULL;
    if (vsg_device_is_dead(device)) {
        return VSG_DEAD;
    }
    if (bytes == 0) {
        return vsg_device_refuse(device, VSG_UNSUPPORTED, "no segment can have this shape");
    }
    segment = calloc(1, sizeof *segment);
    if (segment == NULL) {
        return vsg_device_refuse(device, VSG_NO_MEMORY, "out of memory");
    }
    segment->shape = *shape;
    (void)vsg_layout_make(shape, &segment->layout);
    rc = module_allocate(device, bytes, &segment->memory);
    segment->bytes = rc == VSG_OK ? bytes : 0;
    if (rc == VSG_OK) {
        rc = vsg_device_note(device, vsg_backend_here.zero(device->uploads, segment->memory,
                                                           (size_t)segment->layout.bytes));
    }
    if (rc == VSG_OK) {
        rc = module_mark_uploads(device);
    }
    if (rc != VSG_OK) {
        module_segment_free(device, segment);
        return rc;
    }
    *out = segment;
    return VSG_OK;
}

/* ---- uploads --------------------------------------------------------------------------------- */

/* Waits until the buffer may be filled. */
static int module_stage_wait(vsg_device *device, vsg_stage *stage)
{
    int rc = stage->is_sent
                 ? vsg_wait_event(device, stage->sent, MODULE_STAGE_WAIT_US, MODULE_BUSY_US)
                 : VSG_OK;

    if (rc == VSG_PENDING) { /* what is under way cannot be taken back */
        atomic_store_explicit(&device->is_dead, 1, memory_order_release);
        return vsg_device_refuse(device, VSG_DEAD, "an upload did not end");
    }
    if (rc == VSG_OK) {
        stage->is_sent = 0;
    }
    return rc;
}

static int module_stage(vsg_device *device, void **out, size_t *out_bytes)
{
    vsg_stage *stage = &device->stages[device->turn];
    int rc = vsg_device_is_dead(device) ? VSG_DEAD : module_stage_wait(device, stage);

    *out = rc == VSG_OK ? stage->host : NULL;
    *out_bytes = rc == VSG_OK ? device->stage_bytes : 0;
    return rc;
}

/* Notes that the buffer is on its way. */
static int module_stage_sent(vsg_device *device, vsg_stage *stage)
{
    int rc = vsg_device_note(device, vsg_backend_here.record(device->uploads, stage->sent));
    stage->is_sent |= rc == VSG_OK;
    return rc;
}

static int module_upload(vsg_device *device, vsg_segment *segment, uint32_t first, uint32_t rows)
{
    vsg_stage *stage = &device->stages[device->turn];
    size_t bytes = (size_t)rows * segment->layout.vector_bytes;
    vsg_args args;
    int rc;

    if (vsg_device_is_dead(device)) {
        return VSG_DEAD;
    }
    if (first > segment->shape.rows || rows > segment->shape.rows - first ||
        bytes > device->stage_bytes) {
        return vsg_device_refuse(device, VSG_UNSUPPORTED, "more rows than there are places");
    }
    if (rows == 0) {
        return VSG_OK;
    }
    memset(&args, 0, sizeof args);
    args.convert.vectors = device->slab; /* the part for uploads, used by this stream alone */
    args.convert.segment = segment->memory;
    args.convert.layout = segment->layout;
    args.convert.type = segment->shape.type;
    args.convert.format = segment->shape.format;
    args.convert.first = first;
    args.convert.rows = rows;

    rc = vsg_device_note(device,
                         vsg_backend_here.send(device->uploads, device->slab, stage->host, bytes));
    if (rc == VSG_OK) {
        rc = module_stage_sent(device, stage);
        device->turn = (device->turn + 1) % VSG_STAGES;
    }
    if (rc == VSG_OK) {
        rc = vsg_device_note(device, vsg_backend_here.launch(device->uploads, VSG_CONVERT, &args));
    }
    return rc == VSG_OK ? module_mark_uploads(device) : rc;
}

/* Through the buffer that is not being filled. */
static int module_live(vsg_device *device, vsg_segment *segment, const uint32_t *bits)
{
    vsg_stage *stage = &device->stages[(device->turn + 1) % VSG_STAGES];
    size_t left = segment->shape.rows / 8, at = 0;
    int rc = vsg_device_is_dead(device) ? VSG_DEAD : VSG_OK;

    while (rc == VSG_OK && left > 0) {
        size_t bytes = left < device->stage_bytes ? left : device->stage_bytes;
        rc = module_stage_wait(device, stage);
        if (rc == VSG_OK) {
            memcpy(stage->host, (const uint8_t *)bits + at, bytes);
            rc = vsg_device_note(
                device, vsg_backend_here.send(device->uploads,
                                              segment->memory + segment->layout.live_at + at,
                                              stage->host, bytes));
        }
        if (rc == VSG_OK) {
            rc = module_stage_sent(device, stage);
        }
        at += bytes;
        left -= bytes;
    }
    return rc == VSG_OK ? module_mark_uploads(device) : rc;
}

/* ---- the table ------------------------------------------------------------------------------- */

const vsg_api *vsg_module_api(const vsg_host *host)
{
    static const vsg_api api = {VSG_ABI,
                                sizeof(vsg_api),
                                module_probe,
                                module_device_open,
                                module_device_close,
                                module_device_info,
                                module_device_memory,
                                module_device_limit,
                                module_device_trim,
                                module_device_speed,
                                module_last_error,
                                module_segment_bytes,
                                module_segment_new,
                                module_segment_free,
                                module_stage,
                                module_upload,
                                module_live,
                                vsg_search_begin,
                                vsg_search_wait,
                                vsg_search_end,
                                vsg_search_is_idle};

    return host != NULL && host->abi == VSG_ABI ? &api : NULL;
}
