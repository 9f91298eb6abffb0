/*
 * module.h - what module.c (device, memory, segments, uploads) and queries.c (searches) share.
 *
 * Device memory, all of it counted against the budget:
 *
 *   context    what the driver took at opening, as far as it could be seen
 *   slab       scratch, taken at opening: a part for uploads, then VSG_SLOTS equal parts, one for
 *              each search that can be under way; searches never allocate device memory
 *   segments   rounded up to VSG_GRANULE
 *
 * Pinned host memory: VSG_STAGES buffers for uploads, and VSG_PINNED_BYTES each way for a slot.
 */
#ifndef VSG_MODULE_H
#define VSG_MODULE_H

#include <pthread.h>
#include <stdatomic.h>

#include "backend.h"
#include "layout.h"

#define VSG_SLOTS 4
#define VSG_STAGES 2
#define VSG_STAGE_BYTES (8u << 20)    /* of one staging buffer, where the slab is large enough */
#define VSG_SCRATCH_BYTES (64u << 20) /* of the slab, where the budget is large enough */
#define VSG_SCRATCH_MIN (8u << 20)
#define VSG_PINNED_BYTES (4u << 20) /* of a slot, each way */
#define VSG_GRANULE (2u << 20)      /* how a card hands out its memory */

/* The backend that this library is linked with. */
extern const vsg_backend vsg_backend_here;

typedef enum vsg_slot_state {
    VSG_SLOT_FREE,
    VSG_SLOT_TAKEN,   /* by a ticket */
    VSG_SLOT_DRAINING /* its ticket is gone, its work is not */
} vsg_slot_state;

/* What one search at a time uses. */
typedef struct vsg_slot {
    vsg_slot_state state;
    int is_running; /* work was sent and `done` was not seen yet */
    void *stream;
    void *started, *done; /* timed events around the work sent */
    uint8_t *part;        /* device memory, part_bytes */
    uint8_t *in;          /* pinned, VSG_PINNED_BYTES: sent to the beginning of the part */
    uint8_t *out, *d_out; /* pinned, VSG_PINNED_BYTES: written by the device */
} vsg_slot;

typedef struct vsg_stage {
    void *host;  /* pinned */
    void *sent;  /* event: its contents are on the device */
    int is_sent; /* `sent` was recorded */
} vsg_stage;

struct vsg_device {
    void *backend;
    atomic_int is_dead;
    uint64_t budget_bytes, context_bytes;
    uint64_t used_bytes; /* slab and segments */
    double speed;

    uint8_t *slab;
    uint64_t slab_bytes, part_bytes;

    void *uploads;   /* stream */
    void *uploaded;  /* event: after the last work of uploads */
    int has_uploads; /* `uploaded` was recorded */
    vsg_stage stages[VSG_STAGES];
    unsigned turn;      /* the stage to fill */
    size_t stage_bytes; /* of a staging buffer, and of the slab's part for uploads */

    vsg_slot slots[VSG_SLOTS];

    pthread_mutex_t words_mutex;
    char words[VSG_WHY_BYTES];
};

struct vsg_segment {
    vsg_shape shape;
    vsg_layout layout;
    uint8_t *memory; /* of the device */
    uint64_t bytes;  /* as counted */
};

/* Notes the outcome of a call of the backend: words are kept, VSG_DEAD is remembered. Returns rc. */
int vsg_device_note(vsg_device *device, int rc);
/* Keeps words of the module's own for a refusal. Returns rc. */
int vsg_device_refuse(vsg_device *device, int rc, const char *words);
static inline int vsg_device_is_dead(vsg_device *device)
{
    return atomic_load_explicit(&device->is_dead, memory_order_acquire);
}

static inline uint64_t vsg_round_up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* queries.c: the searches of vsg_api. */
int vsg_search_begin(vsg_device *device, const vsg_search *search, vsg_ticket **out);
int vsg_search_wait(vsg_device *device, vsg_ticket *ticket, int64_t us, vsg_answer *out);
void vsg_search_end(vsg_device *device, vsg_ticket *ticket);
int vsg_search_is_idle(vsg_device *device);

int64_t vsg_now_us(void); /* of a clock that only rises */
/* Waits until the event has come, at most `us`, of which the first busy_us without sleep: VSG_OK,
 * VSG_PENDING or VSG_DEAD. */
int vsg_wait_event(vsg_device *device, void *event, int64_t us, int64_t busy_us);

#endif
