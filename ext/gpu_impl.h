/*
 * gpu_impl.h - what the files of the GPU manager share.
 *
 * Three locks, taken in this order:
 *   upload   one copy at a time between the module's stage and upload
 *   device   every call of the module but search_wait; may be held for as long as a call takes
 *   state    all that is below, but for what is marked; never held while the module is called, and
 *            for no longer than a walk through the images
 * Under all of them memory may be taken; nobody holds one while it runs code of others.
 *
 * A fork holds the state lock, so that the child finds the state whole. It cannot hold the others:
 * drivers fork helper programs inside of their own calls.
 */
#ifndef VS_GPU_IMPL_H
#define VS_GPU_IMPL_H

#include "gpu.h"

#if (defined(__unix__) || defined(__APPLE__)) && !defined(__EMSCRIPTEN__)
#define VS_GPU_POSIX 1

#include <pthread.h>
#include <stdatomic.h>

#define VS_GPU_WAITING_MAX 64       /* wishes remembered */
#define VS_GPU_ADMIT_NS 60000000000 /* between the two wishes that admit */
#define VS_GPU_RETRY_NS 60000000000 /* without another try after memory was refused */
#define VS_GPU_SEGMENT_BYTES ((uint64_t)64 << 20)
#define VS_GPU_AUTO_BYTES ((double)(16 << 20)) /* smaller columns are the CPU's */
#define VS_GPU_LOOK_NS 5000000 /* a look at the card's memory may take as long as a small search */
#define VS_GPU_FIXED_US 40.0   /* of a search: launches, events, the answer's way back */

/* One segment of an image. */
typedef struct vs_gpu_segment {
    vsg_segment *handle; /* NULL: not on the device */
    uint32_t *live;      /* owned: [shape.rows / 32] bits; kept for the next one */
    uint32_t *read; /* behind them: as the device has them, which is with rows that were live when a
                       search began that still holds the segment */
    uint64_t hits;
    int64_t used_ns;
    uint32_t searches;    /* that hold it */
    uint8_t is_live;      /* it has content, and may be searched */
    uint8_t is_touched;   /* by the fill under way */
    uint8_t is_condemned; /* to be freed when the last search lets go */
    uint8_t is_draining;  /* a search that was ended early may still read it */
} vs_gpu_segment;

struct vs_gpu_image {
    vs_gpu_image *next; /* of all, also of those that are found no more */
    vs_gpu_key key;
    uint8_t tag[16];
    char label[VS_GPU_LABEL_BYTES];
    vsg_shape shape;
    uint64_t segment_bytes; /* of device memory */
    int refs;
    int is_listed;            /* it can be found */
    int is_whole;             /* its last fill ended well */
    vs_gpu_segment *segments; /* owned */
    uint32_t count, capacity;
    uint64_t version;
    vs_gpu_fill *fill; /* under way: borrowed */
    int64_t used_ns;
    int64_t no_room_until_ns; /* no new segments until then */
    void *owned;              /* by free_owned */
    void (*free_owned)(void *owned);
};

struct vs_gpu_fill {
    vs_gpu_image *image; /* one reference */
    uint64_t bytes;
    int has_failed;
    int is_cut; /* under the state lock: segments of the image went, for the budget became smaller */
};

/* A wish that was not admitted yet. */
typedef struct vs_gpu_waiting {
    vs_gpu_key key;
    uint8_t tag[16];
    char label[VS_GPU_LABEL_BYTES];
    int64_t at_ns;
    int is_set;
} vs_gpu_waiting;

typedef struct vs_gpu_process {
    pthread_mutex_t upload, device_lock, state_lock;
    atomic_int state;   /* vs_gpu_state: no lock */
    atomic_int prefers; /* no lock */
    const vsg_api *api; /* set before the state says so: no lock */
    vsg_device *device; /* written under the device lock */
    double speed;       /* bytes a microsecond; 0: not known */

    vsg_info info;
    vs_gpu_settings settings;
    char why[160];
    uint64_t context_bytes;
    uint64_t fixed_bytes; /* context and scratch */
    uint64_t used_bytes;  /* and segments */
    vs_gpu_image *images;
    vs_gpu_waiting waiting[VS_GPU_WAITING_MAX];
    int64_t used_ns;         /* the last search, or wish for one */
    int64_t open_refused_ns; /* no opening until then */
    int64_t looked_ns;       /* at the card's free memory */
    int is_opening;
    int has_drains; /* some segment is draining */
    uint64_t upload_bytes, searches, evictions;
    uint64_t fallbacks[VS_GPU_REASON_COUNT];
} vs_gpu_process;
extern vs_gpu_process vs_gpu;

/* For tests: the deadline's fixed part, and nanoseconds by which the clock is ahead. */
extern _Atomic int64_t vs_gpu_deadline_us;
extern _Atomic int64_t vs_gpu_clock_ahead_ns;

/* ---- gpu.c ----------------------------------------------------------------------------------- */

void vs_gpu_lock(void); /* the state */
void vs_gpu_unlock(void);
int64_t vs_gpu_now_ns(void);

/* The state, with this process compared to the one that opened the module. */
vs_gpu_state vs_gpu_look(void);
/* The same after a probe where nobody has asked yet. */
vs_gpu_state vs_gpu_probe(void);
/* May the host memory of images be freed here? Not in a child that no handler of fork prepared. */
int vs_gpu_is_orderly(void);

/* Takes the device lock where the device is open: 1. Else 0, without the lock. */
int vs_gpu_enter(void);
void vs_gpu_leave(void);
/* Opens the device where it is not, and takes its lock: 1; else 0 with a reason, without the lock. */
int vs_gpu_open(vs_gpu_reason *out_reason);
/* What a call of the module returned, under the device lock: a failure that lasts ends everything. */
int vs_gpu_check(int rc);
/* The device is dead, with words: its handles are forgotten. No lock but perhaps the device's. */
void vs_gpu_die(const char *words);
/* Closes the device where nothing uses it. Under the device lock. */
void vs_gpu_close(void);

/* Under the state lock. */
uint64_t vs_gpu_budget(void); /* never below what the context and scratch take */
uint64_t vs_gpu_low_water(void);

/* ---- gpu_cache.c: images --------------------------------------------------------------------- */

/* Under the state lock. */
int vs_gpu_is_key(const vs_gpu_key *a, const vs_gpu_key *b);
vs_gpu_image *vs_gpu_image_of_key(const vs_gpu_key *key);    /* in the list; NULL */
vs_gpu_image *vs_gpu_image_of_want(const vs_gpu_want *want); /* of this tag and shape, too */
int vs_gpu_image_has_handles(const vs_gpu_image *image);     /* has it device memory? */
void vs_gpu_forget_handles(void);
vs_gpu_image *vs_gpu_image_ref(vs_gpu_image *image);     /* returns it */
int vs_gpu_image_has_content(const vs_gpu_image *image); /* may it be searched? */
/* Frees the host memory of images that are gone. No lock. */
void vs_gpu_reap(void);

/* ---- gpu_evict.c: device memory; under the device lock, and not the state's, but for what is
 * marked -------------------------------------------------------------------------------------- */

/* The image is found no more. Under the state lock; vs_gpu_collect frees what it has. */
void vs_gpu_drop_image(vs_gpu_image *image);
/* Frees segments of images that are gone, where no search reads them any more. */
void vs_gpu_collect(void);
/* Everything goes that is not in use. */
void vs_gpu_evict_unused(void);
/* Gives freed memory back to the card. */
void vs_gpu_trim(void);
/* Device memory for a segment of this image, which is being filled: 1, or 0. */
int vs_gpu_take_segment(vs_gpu_image *image, uint32_t segment);
/* Evicts until the card has so many bytes free beyond the low-water mark. 0: it has not. For no bytes
 * a look within the last VS_GPU_LOOK_NS that found enough is trusted. */
int vs_gpu_keep_low_water(uint64_t need_bytes);
/* After a change of the budget. */
void vs_gpu_apply_budget(void);

/* ---- gpu_watch.c: no lock -------------------------------------------------------------------- */

void vs_gpu_watch(void);      /* starts the thread that watches, where it does not run */
void vs_gpu_watch_stop(void); /* ends it, and waits for that */

/* ---- gpu_cost.c: under the state lock, but for what is marked -------------------------------- */

int vs_gpu_is_shape(const vs_gpu_want *want); /* what a device takes. No lock */
int vs_gpu_is_small(const vs_gpu_want *want, const vs_gpu_settings *settings);
int vs_gpu_is_faster(const vs_gpu_want *want);
/* Microseconds that the device needs to read so many bytes for so many queries. */
double vs_gpu_estimate_us(double bytes, size_t query_count);
size_t vs_gpu_row_bytes(vsk_type type, size_t dim); /* packed. No lock */

#endif
#endif
