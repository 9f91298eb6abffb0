/*
 * backend.h - what module.c needs of a device, as a table of functions.
 *
 * device.cu has them over the CUDA runtime, test/gpu/fake.c over host memory. The module keeps all
 * accounts, plans and states, so both answer alike.
 *
 * A backend is one open device, a stream one order of work on it, an event a point in a stream.
 * Functions that can fail return a vsg_rc and leave words in the backend (`words`). After VSG_DEAD
 * only close(is_dead) and words are called.
 *
 * Threads: those of vsg.h: streams and events of different searches may be used side by side.
 */
#ifndef VSG_BACKEND_H
#define VSG_BACKEND_H

#include "launch.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VSG_WHY_BYTES 160

typedef struct vsg_backend_opened {
    void *backend;
    uint64_t context_bytes; /* device memory that opening took */
} vsg_backend_opened;

typedef struct vsg_backend {
    /* As vsg_api.probe: makes no context. `why` is filled unless VSG_OK. */
    int (*probe)(int index, vsg_info *out, char why[VSG_WHY_BYTES]);

    /* A context where the card has room for it, and a private pool that never holds more than the
     * budget less the context. */
    int (*open)(int index, const vsg_limits *limits, vsg_backend_opened *out,
                char why[VSG_WHY_BYTES]);
    /* Gives back streams, events and the pool; of a dead device, host memory alone. */
    void (*close)(void *backend, int is_dead);
    /* Words of the last failure; never NULL. */
    const char *(*words)(void *backend);
    /* As the context tells it. */
    int (*info)(void *backend, vsg_info *out);

    /* Device memory of the pool: aligned to 256 bytes, in order with `stream`. */
    int (*allocate)(void *stream, uint64_t bytes, void **out);
    void (*release)(void *stream, void *memory);
    /* The pool may hold so much from now on, and gives what it does not use back to the card. */
    int (*trim)(void *backend, uint64_t budget_bytes);

    /* Host memory that the device reads and writes under *out_device. */
    int (*pin)(void *backend, size_t bytes, void **out_host, void **out_device);
    void (*unpin)(void *backend, void *host);

    int (*stream_new)(void *backend, void **out);
    void (*stream_free)(void *stream);
    /* Work of `stream`, in its order; none waits. Host memory is pinned. */
    int (*send)(void *stream, void *device, const void *host, size_t bytes);
    int (*fetch)(void *stream, void *host, const void *device, size_t bytes);
    int (*zero)(void *stream, void *device, size_t bytes);
    vsg_launch_fn *launch; /* its `backend` is a stream */

    int (*event_new)(void *backend, int is_timed, void **out);
    void (*event_free)(void *event);
    int (*record)(void *stream, void *event);
    int (*follow)(void *stream, void *event); /* what comes later in the stream waits for it */
    int (*query)(void *event);                /* VSG_OK, VSG_PENDING, VSG_DEAD */
    /* Microseconds between two timed events that have come; 0: not known. */
    double (*elapsed)(void *first, void *last);

    /* Bytes a microsecond that a copy within `memory` reads; 0: not known. Waits for it. */
    double (*speed)(void *stream, void *memory, uint64_t bytes);
} vsg_backend;

/* The module's functions over the backend that it is linked with; NULL when the host speaks another
 * ABI. */
const vsg_api *vsg_module_api(const vsg_host *host);

#ifdef __cplusplus
}
#endif

#endif
