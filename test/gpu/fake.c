/*
 * fake.c - a backend of the GPU module in host memory, with faults on command; see fake.h.
 *
 * A stream is a list of work that is done in order when an event in it is asked for, or when
 * another stream follows one. All of it happens under one mutex.
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../kernels/cuda/backend.h"
#include "fake.h"
#include "host_run.h"

#define FAKE_ALIGN 256
#define FAKE_TOTAL_BYTES (8ull << 30)
#define FAKE_CONTEXT_BYTES (256ull << 20)
#define FAKE_POISON 0xa5 /* memory that nobody has written */
#define FAKE_SPEED 20000.0

#define FAKE_EXPORT __attribute__((visibility("default")))

typedef enum fake_kind {
    FAKE_COPY,
    FAKE_ZERO,
    FAKE_LAUNCH,
    FAKE_RECORD,
    FAKE_FOLLOW,
    FAKE_FREE
} fake_kind;

typedef struct fake_event fake_event;

typedef struct fake_work {
    struct fake_work *next;
    fake_kind kind;
    void *to;
    const void *from;
    size_t bytes;
    vsg_kernel kernel;
    vsg_args args;
    fake_event *event;
    uint64_t number; /* of the record that is meant */
    int64_t due_us;
    unsigned scan; /* its number; 0: another kernel */
} fake_work;

typedef enum fake_sort { FAKE_DEVICE, FAKE_PINNED, FAKE_STREAM, FAKE_EVENT } fake_sort;

/* Before everything that a backend hands out, so that a lost context takes it all along. */
typedef struct fake_head {
    struct fake_head *next, **link;
    size_t bytes;
    fake_sort sort;
    int is_released; /* memory that goes when the stream comes to it */
} fake_head;

typedef struct fake_backend {
    pid_t pid;
    uint64_t budget_bytes, context_bytes;
    fake_head *first;
} fake_backend;

typedef struct fake_stream {
    fake_backend *backend;
    fake_work *first, **last;
} fake_stream;

struct fake_event {
    fake_backend *backend;
    fake_stream *stream;     /* of the last record */
    uint64_t recorded, done; /* numbers of records */
    int64_t done_us;
};

_Static_assert(sizeof(fake_head) <= FAKE_ALIGN, "a head has its own line");

static __thread char fake_words_here[VSG_WHY_BYTES]; /* of this thread's last failure */
static pthread_mutex_t fake_mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t fake_seed = 1; /* of the order of threads */
static vsg_fake fake = {.total_bytes = FAKE_TOTAL_BYTES, .context_bytes = FAKE_CONTEXT_BYTES};

static int64_t fake_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

FAKE_EXPORT vsg_fake *vsg_fake_control(int is_reset)
{
    if (is_reset) {
        pthread_mutex_lock(&fake_mutex);
        unsigned long long bytes = fake.bytes, pinned = fake.pinned_bytes;
        int objects = fake.objects;
        memset(&fake, 0, sizeof fake);
        fake.total_bytes = FAKE_TOTAL_BYTES;
        fake.context_bytes = FAKE_CONTEXT_BYTES;
        fake.bytes = bytes;
        fake.bytes_most = bytes;
        fake.pinned_bytes = pinned;
        fake.objects = objects;
        pthread_mutex_unlock(&fake_mutex);
    }
    return &fake;
}

/* ---- every call ------------------------------------------------------------------------------ */

static int fake_fails(int rc, const char *words)
{
    (void)snprintf(fake_words_here, sizeof fake_words_here, "%s", words);
    return rc;
}

/* What every call of an open device sees first. */
static int fake_enter(fake_backend *backend)
{
    if (getpid() != backend->pid) {
        fake.forked_calls++;
    }
    if (fake.is_lost) {
        fake.late_calls++;
        return fake_fails(VSG_DEAD, "the context is lost");
    }
    return VSG_OK;
}

static int fake_lose(void)
{
    fake.is_lost = 1;
    return fake_fails(VSG_DEAD, "an illegal address was met");
}

/* Is this the call, or one of the calls, that fail? */
static int fake_is_hit(atomic_uint *counter, atomic_uint *once, atomic_uint *from)
{
    unsigned number = ++*counter;
    return number == *once || (*from != 0 && number >= *from);
}

static uint64_t fake_free_bytes(const fake_backend *backend)
{
    uint64_t taken = backend != NULL ? backend->context_bytes : 0;
    taken += fake.bytes + fake.others_bytes;
    fake.others_bytes += fake.shrink_bytes;
    return taken < fake.total_bytes ? fake.total_bytes - taken : 0;
}

/* ---- what is handed out ----------------------------------------------------------------------- */

static void *fake_take(fake_backend *backend, size_t bytes, fake_sort sort)
{
    size_t whole = (bytes + 2 * FAKE_ALIGN - 1) / FAKE_ALIGN * FAKE_ALIGN;
    unsigned char *memory = aligned_alloc(FAKE_ALIGN, whole);
    fake_head *head = (fake_head *)(void *)memory;

    if (memory == NULL) {
        return NULL;
    }
    memset(memory + FAKE_ALIGN, sort == FAKE_DEVICE || sort == FAKE_PINNED ? FAKE_POISON : 0,
           bytes);
    memset(head, 0, sizeof *head);
    head->bytes = bytes;
    head->sort = sort;
    pthread_mutex_lock(&fake_mutex);
    head->next = backend->first;
    head->link = &backend->first;
    if (head->next != NULL) {
        head->next->link = &head->next;
    }
    backend->first = head;
    pthread_mutex_unlock(&fake_mutex);
    return memory + FAKE_ALIGN;
}

static fake_head *fake_head_of(void *memory)
{
    return (fake_head *)(void *)((unsigned char *)memory - FAKE_ALIGN);
}

/* No longer counted. */
static void fake_uncount(fake_head *head)
{
    if (head->is_released) {
        return;
    }
    head->is_released = 1;
    if (head->sort == FAKE_DEVICE) {
        fake.bytes -= head->bytes;
    } else if (head->sort == FAKE_PINNED) {
        fake.pinned_bytes -= head->bytes;
    } else {
        fake.objects--;
    }
}

/* Under the mutex. */
static void fake_drop(void *memory)
{
    fake_head *head = fake_head_of(memory);
    fake_uncount(head);
    *head->link = head->next;
    if (head->next != NULL) {
        head->next->link = head->link;
    }
    free(head);
}

/* ---- work ------------------------------------------------------------------------------------ */

static int fake_run_to(fake_event *event, uint64_t number);

/* Does one piece of work. 0: it is not yet time. */
static int fake_do(fake_work *work)
{
    switch (work->kind) {
    case FAKE_COPY:
        memcpy(work->to, work->from, work->bytes);
        return 1;
    case FAKE_ZERO:
        memset(work->to, 0, work->bytes);
        return 1;
    case FAKE_LAUNCH:
        if ((work->scan != 0 && work->scan == fake.hang_at_scan) || fake_now_us() < work->due_us) {
            return 0;
        }
        if (vsg_host_launch(&fake_seed, work->kernel, &work->args) != VSG_OK) {
            abort();
        }
        return 1;
    case FAKE_RECORD:
        work->event->done = work->number;
        work->event->done_us = fake_now_us();
        return 1;
    case FAKE_FOLLOW:
        return fake_run_to(work->event, work->number);
    case FAKE_FREE:
        fake_drop(work->to);
        return 1;
    }
    return 0;
}

/* Works until the event has come. 0: something has to be waited for. */
static int fake_run_to(fake_event *event, uint64_t number)
{
    fake_stream *stream = event->stream;

    while (event->done < number && stream != NULL && stream->first != NULL) {
        fake_work *work = stream->first;
        if (!fake_do(work)) {
            return 0;
        }
        stream->first = work->next;
        if (stream->first == NULL) {
            stream->last = &stream->first;
        }
        free(work);
    }
    return event->done >= number;
}

static fake_work *fake_add(fake_stream *stream, fake_kind kind)
{
    fake_work *work = calloc(1, sizeof *work);

    if (work == NULL) {
        abort();
    }
    work->kind = kind;
    *stream->last = work;
    stream->last = &work->next;
    return work;
}

/* Drops the work that was not done; with what it should have freed. */
static void fake_forget(fake_stream *stream, int frees)
{
    while (stream->first != NULL) {
        fake_work *work = stream->first;
        stream->first = work->next;
        if (work->kind == FAKE_FREE && frees) {
            fake_drop(work->to);
        }
        free(work);
    }
}

/* ---- the device ------------------------------------------------------------------------------ */

static int fake_probe(int index, vsg_info *out, char why[VSG_WHY_BYTES])
{
    if (fake.has_no_driver || fake.has_no_device || index != 0) {
        (void)snprintf(why, VSG_WHY_BYTES, fake.has_no_driver ? "no driver" : "no device");
        return VSG_ABSENT;
    }
    (void)snprintf(out->name, sizeof out->name, "Fake GPU");
    out->major = 9;
    out->total_bytes = fake.total_bytes;
    out->free_bytes = fake_free_bytes(NULL);
    out->driver = 13000;
    return VSG_OK;
}

static int fake_open(int index, const vsg_limits *limits, vsg_backend_opened *out,
                     char why[VSG_WHY_BYTES])
{
    fake_backend *backend;
    vsg_info info;
    int rc = fake_probe(index, &info, why);

    if (rc != VSG_OK) {
        return rc;
    }
    if (info.free_bytes < limits->room_bytes) {
        (void)snprintf(why, VSG_WHY_BYTES, "the card has no room for a context");
        return VSG_NO_MEMORY;
    }
    fake.is_lost |= fake.opening_fails == VSG_DEAD;
    if (fake.opening_fails != VSG_OK || fake_free_bytes(NULL) < fake.context_bytes) {
        (void)snprintf(why, VSG_WHY_BYTES, "the context cannot be made");
        return fake.opening_fails != VSG_OK ? fake.opening_fails : VSG_NO_MEMORY;
    }
    backend = calloc(1, sizeof *backend);
    if (backend == NULL) {
        return VSG_NO_MEMORY;
    }
    backend->pid = getpid();
    backend->budget_bytes = limits->budget_bytes;
    backend->context_bytes = fake.context_bytes;
    fake.objects++;
    fake.opens++;
    out->backend = backend;
    out->context_bytes = backend->context_bytes;
    return VSG_OK;
}

static void fake_close(void *self, int is_dead)
{
    fake_backend *backend = self;

    if (!is_dead) {
        (void)fake_enter(backend);
    }
    pthread_mutex_lock(&fake_mutex);
    while (is_dead && backend->first != NULL) {
        fake_head *head = backend->first;
        void *memory = (unsigned char *)head + FAKE_ALIGN;
        if (head->sort == FAKE_STREAM) {
            fake_forget(memory, 0);
        }
        fake_drop(memory);
    }
    pthread_mutex_unlock(&fake_mutex);
    fake.objects--;
    free(backend);
}

static const char *fake_words(void *self)
{
    (void)self;
    return fake_words_here;
}

static int fake_info(void *self, vsg_info *out)
{
    fake_backend *backend = self;
    char why[VSG_WHY_BYTES];
    int rc = fake_enter(backend);

    if (rc == VSG_OK) {
        rc = fake_probe(0, out, why);
        out->free_bytes = fake_free_bytes(backend);
    }
    return rc;
}

static int fake_trim(void *self, uint64_t budget_bytes)
{
    fake_backend *backend = self;
    int rc = fake_enter(backend);

    if (rc == VSG_OK) {
        backend->budget_bytes = budget_bytes;
    }
    return rc;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int fake_allocate(void *self, uint64_t bytes, void **out)
{
    fake_stream *stream = self;
    fake_backend *backend = stream->backend;
    int rc = fake_enter(backend);

    *out = NULL;
    if (rc != VSG_OK) {
        return rc;
    }
    if (fake.bytes + bytes > backend->budget_bytes - backend->context_bytes) {
        fake.over_budget++;
    }
    if (fake_is_hit(&fake.allocations, &fake.fail_allocation, &fake.fail_allocations) ||
        bytes > fake_free_bytes(backend)) {
        return fake_fails(VSG_NO_MEMORY, "out of memory");
    }
    *out = fake_take(backend, (size_t)bytes, FAKE_DEVICE);
    if (*out == NULL) {
        return fake_fails(VSG_NO_MEMORY, "out of host memory");
    }
    fake.bytes += bytes;
    if (fake.bytes > fake.bytes_most) {
        fake.bytes_most = fake.bytes;
    }
    return VSG_OK;
}

static void fake_release(void *self, void *memory)
{
    fake_stream *stream = self;

    (void)fake_enter(stream->backend);
    pthread_mutex_lock(&fake_mutex);
    fake_uncount(fake_head_of(memory));
    fake_add(stream, FAKE_FREE)->to = memory;
    pthread_mutex_unlock(&fake_mutex);
}

static int fake_pin(void *self, size_t bytes, void **out_host, void **out_device)
{
    fake_backend *backend = self;
    int rc = fake_enter(backend);

    *out_host = *out_device = NULL;
    if (rc != VSG_OK) {
        return rc;
    }
    if (!fake_is_hit(&fake.pins, &fake.fail_pin, &fake.fail_pins)) {
        *out_host = *out_device = fake_take(backend, bytes, FAKE_PINNED);
    }
    if (*out_host == NULL) {
        return fake_fails(VSG_NO_MEMORY, "no memory can be pinned");
    }
    fake.pinned_bytes += bytes;
    return VSG_OK;
}

static void fake_give(fake_backend *backend, void *memory)
{
    (void)fake_enter(backend);
    pthread_mutex_lock(&fake_mutex);
    fake_drop(memory);
    pthread_mutex_unlock(&fake_mutex);
}

static void fake_unpin(void *self, void *host)
{
    fake_give(self, host);
}

/* ---- streams --------------------------------------------------------------------------------- */

static int fake_stream_new(void *self, void **out)
{
    fake_stream *stream;
    int rc = fake_enter(self);

    *out = NULL;
    if (rc != VSG_OK) {
        return rc;
    }
    stream = fake_take(self, sizeof *stream, FAKE_STREAM);
    if (stream == NULL) {
        return fake_fails(VSG_NO_MEMORY, "out of host memory");
    }
    stream->backend = self;
    stream->last = &stream->first;
    fake.objects++;
    *out = stream;
    return VSG_OK;
}

static void fake_stream_free(void *self)
{
    fake_stream *stream = self;

    pthread_mutex_lock(&fake_mutex);
    fake_forget(stream, 1);
    pthread_mutex_unlock(&fake_mutex);
    fake_give(stream->backend, stream);
}

static int fake_copy(void *self, void *to, const void *from, size_t bytes)
{
    fake_stream *stream = self;
    int rc = fake_enter(stream->backend);

    if (rc == VSG_OK) {
        pthread_mutex_lock(&fake_mutex);
        fake_work *work = fake_add(stream, FAKE_COPY);
        work->to = to;
        work->from = from;
        work->bytes = bytes;
        pthread_mutex_unlock(&fake_mutex);
    }
    return rc;
}

static int fake_zero(void *self, void *memory, size_t bytes)
{
    fake_stream *stream = self;
    int rc = fake_enter(stream->backend);

    if (rc == VSG_OK) {
        pthread_mutex_lock(&fake_mutex);
        fake_work *work = fake_add(stream, FAKE_ZERO);
        work->to = memory;
        work->bytes = bytes;
        pthread_mutex_unlock(&fake_mutex);
    }
    return rc;
}

static int fake_launch(void *self, vsg_kernel kernel, const vsg_args *args)
{
    fake_stream *stream = self;
    int rc = fake_enter(stream->backend);

    if (rc != VSG_OK) {
        return rc;
    }
    if (++fake.launches == fake.die_at_launch) {
        return fake_lose();
    }
    pthread_mutex_lock(&fake_mutex);
    fake_work *work = fake_add(stream, FAKE_LAUNCH);
    work->kernel = kernel;
    work->args = *args;
    work->due_us = fake.delay_us > 0 ? fake_now_us() + fake.delay_us : 0;
    work->scan = kernel == VSG_SCAN || kernel == VSG_MATRIX ? ++fake.scans : 0;
    pthread_mutex_unlock(&fake_mutex);
    return VSG_OK;
}

/* ---- events ---------------------------------------------------------------------------------- */

static int fake_event_new(void *self, int is_timed, void **out)
{
    fake_event *event;
    int rc = fake_enter(self);

    (void)is_timed;
    *out = NULL;
    if (rc != VSG_OK) {
        return rc;
    }
    event = fake_take(self, sizeof *event, FAKE_EVENT);
    if (event == NULL) {
        return fake_fails(VSG_NO_MEMORY, "out of host memory");
    }
    event->backend = self;
    fake.objects++;
    *out = event;
    return VSG_OK;
}

static void fake_event_free(void *self)
{
    fake_give(((fake_event *)self)->backend, self);
}

static int fake_record(void *self, void *mark)
{
    fake_stream *stream = self;
    fake_event *event = mark;
    int rc = fake_enter(stream->backend);

    if (rc == VSG_OK) {
        pthread_mutex_lock(&fake_mutex);
        fake_work *work = fake_add(stream, FAKE_RECORD);
        work->event = event;
        work->number = ++event->recorded;
        event->stream = stream;
        pthread_mutex_unlock(&fake_mutex);
    }
    return rc;
}

static int fake_follow(void *self, void *mark)
{
    fake_stream *stream = self;
    fake_event *event = mark;
    int rc = fake_enter(stream->backend);

    if (rc == VSG_OK) {
        pthread_mutex_lock(&fake_mutex);
        fake_work *work = fake_add(stream, FAKE_FOLLOW);
        work->event = event;
        work->number = event->recorded;
        pthread_mutex_unlock(&fake_mutex);
    }
    return rc;
}

static int fake_query(void *self)
{
    fake_event *event = self;
    int rc = fake_enter(event->backend), has_come;

    if (rc != VSG_OK) {
        return rc;
    }
    if (++fake.queries == fake.die_at_query) {
        return fake_lose();
    }
    pthread_mutex_lock(&fake_mutex);
    has_come = fake_run_to(event, event->recorded);
    pthread_mutex_unlock(&fake_mutex);
    return has_come ? VSG_OK : VSG_PENDING;
}

static double fake_elapsed(void *first, void *last)
{
    return (double)(((fake_event *)last)->done_us - ((fake_event *)first)->done_us);
}

static double fake_speed(void *stream, void *memory, uint64_t bytes)
{
    (void)stream;
    (void)memory;
    (void)bytes;
    return FAKE_SPEED;
}

const vsg_backend vsg_backend_here = {
    fake_probe,   fake_open,   fake_close, fake_words,   fake_info,       fake_allocate,
    fake_release, fake_trim,   fake_pin,   fake_unpin,   fake_stream_new, fake_stream_free,
    fake_copy,    fake_copy,   fake_zero,  fake_launch,  fake_event_new,  fake_event_free,
    fake_record,  fake_follow, fake_query, fake_elapsed, fake_speed};

const vsg_api *vecshard_cuda_v1(const vsg_host *host);
FAKE_EXPORT const vsg_api *vecshard_cuda_v1(const vsg_host *host)
{
    return fake.has_wrong_abi ? NULL : vsg_module_api(host);
}
