/*
 * device.cu - the backend of the GPU module over the CUDA runtime, and the kernels for devices.
 *
 * Only memory of a pool of its own is used, never the device's default pool, which other libraries
 * of the process share, and never managed memory. The primary context is shared, too: it is never
 * reset, and the thread's current device is put back after each call.
 *
 * Errors: memory that is not there is cleared and told; what the runtime's header calls the end of
 * the process's use of CUDA, and whatever else nobody expects, is VSG_DEAD.
 *
 * Plain C++ without exceptions, static initialisation or a C++ library.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime.h>

#include "backend.h"
#include "kernels.h"
#include "nvml.h"

#ifdef __USE_FAST_MATH__
#error bounds need denormal numbers, and roots and quotients that are rounded to nearest
#endif

#define DEVICE_CONTEXT_MIN (64ull << 20) /* bounds on what a context is taken to need: other */
#define DEVICE_CONTEXT_MAX (1ull << 30)  /* programs come and go while it is made */
#define DEVICE_GRANULE (2ull << 20)
#define DEVICE_SPEED_COPIES 4
#define DEVICE_PEAK_SHARE 0.9 /* of the memory's peak that can be had */
#define DEVICE_POOLS 16 /* one, and another each time that the budget grows beyond all before */

#define DEVICE_CAPABILITY_MIN 75 /* the oldest that there is code for */

/* The most that the context of this process was seen to take. It stays until the process ends, so
 * what opens the device again, or after the budget had no room for it, does not see it taken. */
static uint64_t device_context_seen;

/* ---- kernels ---------------------------------------------------------------------------------- */

#define DEVICE_KERNEL(name, field, threads, blocks, state)                                         \
    static __global__ void __launch_bounds__(threads, blocks)                                      \
        vsg_##name##_kernel(const __grid_constant__ vsg_##field##_args args)                       \
    {                                                                                              \
        extern __shared__ __align__(128) uint8_t shared[];                                         \
        vsg_block block;                                                                           \
        vsg_##state own;                                                                           \
        block.index = blockIdx.x;                                                                  \
        block.count = gridDim.x;                                                                   \
        vsg_##name##_program(&args, &block, shared, &own);                                         \
    }
VSG_PROGRAMS(DEVICE_KERNEL)

#define DEVICE_KERNEL_ADDRESS(name, field, threads, blocks, state)                                 \
    (const void *)vsg_##name##_kernel,
static const void *const device_kernels[] = {VSG_PROGRAMS(DEVICE_KERNEL_ADDRESS)};

/* For tests alone: loses the context. */
static __global__ void vsg_broken_kernel(uint32_t *nowhere)
{
    *nowhere = 1;
}

/* ---- types ------------------------------------------------------------------------------------ */

struct device_backend {
    int index;
    uint32_t multiprocessors;
    /* the last is allocated from, the others are left by and by */
    cudaMemPool_t pools[DEVICE_POOLS];
    int pool_count;
    uint64_t pool_bytes; /* that the last may hold */
    uint64_t context_bytes;
    vsg_info info; /* but for free_bytes */
    int is_test_of_sticky;
};

struct device_stream {
    device_backend *backend;
    cudaStream_t stream;
};

struct device_event {
    device_backend *backend;
    cudaEvent_t event;
};

/* Words of this thread's last failure. */
static __thread char device_words_here[VSG_WHY_BYTES];

/* The backend's device is current while this lives. */
struct device_current {
    int before, is_changed;
    explicit device_current(int index) : before(index), is_changed(0)
    {
        is_changed = cudaGetDevice(&before) == cudaSuccess && before != index &&
                     cudaSetDevice(index) == cudaSuccess;
    }
    ~device_current()
    {
        if (is_changed) {
            (void)cudaSetDevice(before);
        }
    }
};

/* ---- errors ----------------------------------------------------------------------------------- */

static int device_class(cudaError_t status)
{
    switch (status) {
    case cudaSuccess:
        return VSG_OK;
    case cudaErrorNotReady:
        return VSG_PENDING;
    case cudaErrorMemoryAllocation:
    case cudaErrorDevicesUnavailable: /* another process has it for itself, for now */
    case cudaErrorSystemNotReady: /* nor the links between cards, nor the server of MPS */
    case cudaErrorMpsConnectionFailed:
    case cudaErrorMpsServerNotReady:
    case cudaErrorMpsMaxClientsReached:
    case cudaErrorMpsMaxConnectionsReached:
        return VSG_NO_MEMORY;
    case cudaErrorInsufficientDriver:
    case cudaErrorCallRequiresNewerDriver:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
    case cudaErrorStubLibrary:
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorJitCompilerNotFound:
    case cudaErrorInitializationError:
    case cudaErrorNotSupported:
        return VSG_ABSENT;
    default:
        /* 700, 702, 710, 714 to 719, 721, 810: the context is lost, as the header says; 214, 220,
         * 226, 709: so it is by other means; the rest are faults of ours. */
        return VSG_DEAD;
    }
}

static int device_check(cudaError_t status, const char *label)
{
    int rc = device_class(status);

    if (rc == VSG_OK) {
        return rc;
    }
    if (rc != VSG_DEAD) {
        (void)cudaGetLastError(); /* or the next launch would be told */
    }
    if (rc != VSG_PENDING) {
        (void)snprintf(device_words_here, sizeof device_words_here, "%s: %s (%d)", label,
                       cudaGetErrorName(status), (int)status);
    }
    return rc;
}

/* The one way to call CUDA: nothing once rc is set; label says what for. */
#define DEVICE_CALL(rc, label, call)                                                               \
    do {                                                                                           \
        if ((rc) == VSG_OK) {                                                                      \
            (rc) = device_check((call), (label));                                                  \
        }                                                                                          \
    } while (0)

static const char *device_words(void *self)
{
    (void)self;
    return device_words_here;
}

/* ---- opening ---------------------------------------------------------------------------------- */

static uint64_t device_pool_bytes(const device_backend *self, uint64_t budget_bytes)
{
    uint64_t bytes = budget_bytes > self->context_bytes ? budget_bytes - self->context_bytes : 0;
    return bytes / DEVICE_GRANULE * DEVICE_GRANULE;
}

/* A pool that holds at most so much, and keeps what is freed until it is trimmed. */
static int device_pool_new(device_backend *self, uint64_t bytes)
{
    cudaMemPoolProps props;
    cudaMemPool_t pool = NULL;
    uint64_t keep = UINT64_MAX;
    int rc = VSG_OK;

    memset(&props, 0, sizeof props);
    props.allocType = cudaMemAllocationTypePinned;
    props.handleTypes = cudaMemHandleTypeNone;
    props.location.type = cudaMemLocationTypeDevice;
    props.location.id = self->index;
    props.maxSize = (size_t)bytes;
    DEVICE_CALL(rc, "memory pool", cudaMemPoolCreate(&pool, &props));
    DEVICE_CALL(rc, "memory pool's threshold",
                cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep));
    if (rc == VSG_OK) {
        self->pools[self->pool_count++] = pool;
        self->pool_bytes = bytes;
    } else if (pool != NULL && rc != VSG_DEAD) {
        (void)cudaMemPoolDestroy(pool);
    }
    return rc;
}

/* Gives what the pools do not use back to the card, of the last one only if is_all. A pool is never
 * destroyed while memory of it is in use: it could not be trimmed any more. */
static int device_trim_pools(device_backend *self, int is_all)
{
    int rc = VSG_OK;

    for (int i = 0; i < self->pool_count - !is_all; i++) {
        DEVICE_CALL(rc, "trim", cudaMemPoolTrimTo(self->pools[i], 0));
    }
    return rc;
}

/* Loads all kernels, which takes memory of the context: not in the midst of a search. */
static int device_load_kernels(void)
{
    int rc = VSG_OK;

    for (int i = 0; i < VSG_PROGRAM_COUNT; i++) {
        cudaFuncAttributes attributes;
        DEVICE_CALL(rc, "kernel", cudaFuncGetAttributes(&attributes, device_kernels[i]));
        DEVICE_CALL(rc, "kernel's shared memory",
                    cudaFuncSetAttribute(device_kernels[i],
                                         cudaFuncAttributeMaxDynamicSharedMemorySize,
                                         (int)VSG_SHARED_MAX));
    }
    return rc;
}

/* What the card has free, seen without a context; 0: not known. */
static uint64_t device_free_before(int index, int *rc)
{
    char bus_id[32] = "";
    DEVICE_CALL(*rc, "place on the bus", cudaDeviceGetPCIBusId(bus_id, (int)sizeof bus_id, index));
    return *rc == VSG_OK ? vsg_nvml_free_bytes(bus_id) : 0;
}

/* Older cards would be found to have no code only once they have a context, which stays. */
static int device_check_capability(int index)
{
    int major = 0, minor = 0, rc = VSG_OK;

    DEVICE_CALL(rc, "capability",
                cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index));
    DEVICE_CALL(rc, "capability",
                cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index));
    if (rc == VSG_OK && 10 * major + minor < DEVICE_CAPABILITY_MIN) {
        (void)snprintf(device_words_here, sizeof device_words_here,
                       "the card's compute capability is %d.%d, and 7.5 is needed", major, minor);
        return VSG_ABSENT;
    }
    return rc;
}

/* What does not change; asking takes long. */
static int device_read_properties(device_backend *self)
{
    cudaDeviceProp properties;
    int rc = VSG_OK, driver = 0;

    DEVICE_CALL(rc, "properties", cudaGetDeviceProperties(&properties, self->index));
    DEVICE_CALL(rc, "driver's version", cudaDriverGetVersion(&driver));
    if (rc == VSG_OK) {
        (void)snprintf(self->info.name, sizeof self->info.name, "%.*s", VSG_NAME_BYTES - 1,
                       properties.name);
        self->info.major = properties.major;
        self->info.minor = properties.minor;
        self->info.driver = (uint32_t)driver;
        self->multiprocessors = (uint32_t)properties.multiProcessorCount;
    }
    return rc;
}

static int device_make_context(device_backend *self, uint64_t room_bytes)
{
    size_t free_bytes = 0, total_bytes = 0;
    int rc = device_check_capability(self->index);
    uint64_t before = device_free_before(self->index, &rc), taken;

    if (rc == VSG_OK && before != 0 && before < room_bytes) {
        (void)snprintf(device_words_here, sizeof device_words_here,
                       "the card has no room for a context");
        return VSG_NO_MEMORY;
    }
    DEVICE_CALL(rc, "context", cudaInitDevice(self->index, 0, 0));
    device_current current(self->index);
    if (rc == VSG_OK) {
        rc = device_read_properties(self);
    }
    if (rc == VSG_OK) {
        rc = device_load_kernels();
    }
    DEVICE_CALL(rc, "memory info", cudaMemGetInfo(&free_bytes, &total_bytes));
    if (rc == VSG_OK) {
        taken = before > free_bytes ? before - free_bytes : 0;
        taken = taken > DEVICE_CONTEXT_MIN ? taken : DEVICE_CONTEXT_MIN;
        taken = taken < DEVICE_CONTEXT_MAX ? taken : DEVICE_CONTEXT_MAX;
        device_context_seen = taken > device_context_seen ? taken : device_context_seen;
        self->context_bytes = device_context_seen;
    }
    return rc;
}

static int device_open(int index, const vsg_limits *limits, vsg_backend_opened *out,
                       char why[VSG_WHY_BYTES])
{
    device_backend *self = (device_backend *)calloc(1, sizeof *self);
    const char *test = secure_getenv("VECSHARD_CUDA_TEST");
    int rc;

    if (self == NULL) {
        (void)snprintf(why, VSG_WHY_BYTES, "out of host memory");
        return VSG_NO_MEMORY;
    }
    self->index = index;
    self->is_test_of_sticky = test != NULL && strcmp(test, "sticky") == 0;
    rc = device_make_context(self, limits->room_bytes);
    if (rc == VSG_OK && device_pool_bytes(self, limits->budget_bytes) == 0) {
        (void)snprintf(device_words_here, sizeof device_words_here,
                       "the budget has no room beside the context");
        rc = VSG_NO_MEMORY;
    }
    if (rc == VSG_OK) {
        rc = device_pool_new(self, device_pool_bytes(self, limits->budget_bytes));
    }
    if (rc != VSG_OK) {
        (void)snprintf(why, VSG_WHY_BYTES, "%s", device_words_here);
        free(self);
        return rc;
    }
    out->backend = self;
    out->context_bytes = self->context_bytes;
    return VSG_OK;
}

static void device_close(void *backend, int is_dead)
{
    device_backend *self = (device_backend *)backend;

    if (!is_dead) {
        device_current current(self->index);
        for (int i = 0; i < self->pool_count; i++) {
            (void)cudaMemPoolDestroy(self->pools[i]);
        }
    }
    free(self);
}

static int device_info(void *backend, vsg_info *out)
{
    device_backend *self = (device_backend *)backend;
    device_current current(self->index);
    size_t free_bytes = 0, total_bytes = 0;
    int rc = VSG_OK;

    DEVICE_CALL(rc, "memory info", cudaMemGetInfo(&free_bytes, &total_bytes));
    if (rc == VSG_OK) {
        *out = self->info;
        out->total_bytes = total_bytes;
        out->free_bytes = free_bytes;
    }
    return rc;
}

/* ---- memory ----------------------------------------------------------------------------------- */

static int device_allocate(void *stream, uint64_t bytes, void **out)
{
    device_stream *self = (device_stream *)stream;
    device_current current(self->backend->index);
    cudaMemPool_t pool = self->backend->pools[self->backend->pool_count - 1];
    int rc = device_trim_pools(self->backend, 0);

    *out = NULL;
    DEVICE_CALL(rc, "device memory",
                cudaMallocFromPoolAsync(out, (size_t)bytes, pool, self->stream));
    if (rc == VSG_NO_MEMORY) { /* what is freed may lie in pieces: once more without it */
        rc = VSG_OK;
        DEVICE_CALL(rc, "waiting for freed memory", cudaStreamSynchronize(self->stream));
        rc = rc == VSG_OK ? device_trim_pools(self->backend, 1) : rc;
        DEVICE_CALL(rc, "device memory",
                    cudaMallocFromPoolAsync(out, (size_t)bytes, pool, self->stream));
    }
    return rc;
}

static void device_release(void *stream, void *memory)
{
    device_stream *self = (device_stream *)stream;
    device_current current(self->backend->index);
    /* What fails here is told again by the next call. */
    (void)cudaFreeAsync(memory, self->stream);
}

static int device_trim(void *backend, uint64_t budget_bytes)
{
    device_backend *self = (device_backend *)backend;
    device_current current(self->index);
    uint64_t bytes = device_pool_bytes(self, budget_bytes);
    int rc = device_trim_pools(self, 1);

    /* A pool's size is for its life. Below it, the module's own account is the limit. */
    return rc == VSG_OK && bytes > self->pool_bytes && self->pool_count < DEVICE_POOLS
               ? device_pool_new(self, bytes)
               : rc;
}

static int device_pin(void *backend, size_t bytes, void **out_host, void **out_device)
{
    device_backend *self = (device_backend *)backend;
    device_current current(self->index);
    cudaError_t status = cudaHostAlloc(out_host, bytes, cudaHostAllocMapped);
    int rc = device_check(status, "pinned memory");

    *out_device = NULL;
    if (rc != VSG_OK) {
        *out_host = NULL;
        /* A limit of the system's may come as another error. */
        return status == cudaErrorOperatingSystem ? VSG_NO_MEMORY : rc;
    }
    DEVICE_CALL(rc, "pinned memory's address", cudaHostGetDevicePointer(out_device, *out_host, 0));
    if (rc != VSG_OK && rc != VSG_DEAD) {
        (void)cudaFreeHost(*out_host);
        *out_host = NULL;
    }
    return rc;
}

static void device_unpin(void *backend, void *host)
{
    device_current current(((device_backend *)backend)->index);
    (void)cudaFreeHost(host);
}

/* ---- streams ---------------------------------------------------------------------------------- */

static int device_stream_new(void *backend, void **out)
{
    device_backend *owner = (device_backend *)backend;
    device_current current(owner->index);
    device_stream *self = (device_stream *)calloc(1, sizeof *self);
    int rc = self != NULL ? VSG_OK : device_check(cudaErrorMemoryAllocation, "stream");

    DEVICE_CALL(rc, "stream", cudaStreamCreateWithFlags(&self->stream, cudaStreamNonBlocking));
    if (rc != VSG_OK) {
        free(self);
        *out = NULL;
        return rc;
    }
    self->backend = owner;
    *out = self;
    return VSG_OK;
}

static void device_stream_free(void *stream)
{
    device_stream *self = (device_stream *)stream;
    device_current current(self->backend->index);
    (void)cudaStreamDestroy(self->stream);
    free(self);
}

static int device_send(void *stream, void *device, const void *host, size_t bytes)
{
    device_stream *self = (device_stream *)stream;
    device_current current(self->backend->index);
    int rc = VSG_OK;
    DEVICE_CALL(rc, "copy to the device",
                cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, self->stream));
    return rc;
}

static int device_fetch(void *stream, void *host, const void *device, size_t bytes)
{
    device_stream *self = (device_stream *)stream;
    device_current current(self->backend->index);
    int rc = VSG_OK;
    DEVICE_CALL(rc, "copy from the device",
                cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, self->stream));
    return rc;
}

static int device_zero(void *stream, void *device, size_t bytes)
{
    device_stream *self = (device_stream *)stream;
    device_current current(self->backend->index);
    int rc = VSG_OK;
    DEVICE_CALL(rc, "zeros", cudaMemsetAsync(device, 0, bytes, self->stream));
    return rc;
}

static int device_launch(void *stream, vsg_kernel kernel, const vsg_args *args)
{
    device_stream *self = (device_stream *)stream;
    device_current current(self->backend->index);
    const vsg_launch_shape shape = vsg_plan_launch(kernel, args, self->backend->multiprocessors);
    void *parameters[] = {(void *)args};
    int rc = VSG_OK;

    if (self->backend->is_test_of_sticky && kernel == VSG_SCAN) {
        uint32_t *nowhere = NULL;
        void *broken[] = {&nowhere};
        DEVICE_CALL(rc, "broken kernel",
                    cudaLaunchKernel((const void *)vsg_broken_kernel, dim3(1), dim3(1), broken, 0,
                                     self->stream));
    }
    if (shape.blocks > 0) {
        DEVICE_CALL(rc, "launch",
                    cudaLaunchKernel(device_kernels[shape.program], dim3(shape.blocks),
                                     dim3(shape.threads), parameters, shape.shared_bytes,
                                     self->stream));
    }
    /* Memory that a launch did not get is no end of the context. */
    return rc == VSG_OK || rc == VSG_NO_MEMORY ? rc : VSG_DEAD;
}

/* ---- events ----------------------------------------------------------------------------------- */

static int device_event_new(void *backend, int is_timed, void **out)
{
    device_backend *owner = (device_backend *)backend;
    device_current current(owner->index);
    device_event *self = (device_event *)calloc(1, sizeof *self);
    int rc = self != NULL ? VSG_OK : device_check(cudaErrorMemoryAllocation, "event");

    DEVICE_CALL(rc, "event",
                cudaEventCreateWithFlags(&self->event,
                                         is_timed ? cudaEventDefault : cudaEventDisableTiming));
    if (rc != VSG_OK) {
        free(self);
        *out = NULL;
        return rc;
    }
    self->backend = owner;
    *out = self;
    return VSG_OK;
}

static void device_event_free(void *event)
{
    device_event *self = (device_event *)event;
    device_current current(self->backend->index);
    (void)cudaEventDestroy(self->event);
    free(self);
}

static int device_record(void *stream, void *event)
{
    device_stream *self = (device_stream *)stream;
    device_current current(self->backend->index);
    int rc = VSG_OK;
    DEVICE_CALL(rc, "event", cudaEventRecord(((device_event *)event)->event, self->stream));
    return rc;
}

static int device_follow(void *stream, void *event)
{
    device_stream *self = (device_stream *)stream;
    device_current current(self->backend->index);
    int rc = VSG_OK;
    DEVICE_CALL(rc, "order of streams",
                cudaStreamWaitEvent(self->stream, ((device_event *)event)->event, 0));
    return rc;
}

static int device_query(void *event)
{
    device_event *self = (device_event *)event;
    device_current current(self->backend->index);
    int rc = VSG_OK;
    DEVICE_CALL(rc, "work on the device", cudaEventQuery(self->event));
    /* A pool gives back only what the host has waited for; it has come, so this does not wait. */
    DEVICE_CALL(rc, "work on the device", cudaEventSynchronize(self->event));
    return rc == VSG_OK || rc == VSG_PENDING ? rc : VSG_DEAD;
}

static double device_elapsed(void *first, void *last)
{
    device_event *self = (device_event *)first;
    device_current current(self->backend->index);
    float ms = 0;
    int rc = VSG_OK;
    DEVICE_CALL(rc, "time", cudaEventElapsedTime(&ms, self->event, ((device_event *)last)->event));
    return rc == VSG_OK ? (double)ms * 1000 : 0;
}

/* What the card's memory can do at most, by its width and clock, in bytes a microsecond; 0: not told. */
static double device_peak(int index)
{
    int rc = VSG_OK, clock_khz = 0, bits = 0;
    DEVICE_CALL(rc, "memory's clock",
                cudaDeviceGetAttribute(&clock_khz, cudaDevAttrMemoryClockRate, index));
    DEVICE_CALL(rc, "memory's width",
                cudaDeviceGetAttribute(&bits, cudaDevAttrGlobalMemoryBusWidth, index));
    return rc == VSG_OK ? 2.0 * clock_khz / 1000 * bits / 8 : 0;
}

/* From one half to the other, the first time to warm up. What is copied may fit a large cache: then the
 * card's own numbers are believed. */
static double device_speed(void *stream, void *memory, uint64_t bytes)
{
    device_stream *self = (device_stream *)stream;
    device_current current(self->backend->index);
    size_t half = (size_t)(bytes / 2);
    cudaEvent_t events[2] = {NULL, NULL};
    float ms = 0;
    int rc = VSG_OK;

    DEVICE_CALL(rc, "event", cudaEventCreate(&events[0]));
    DEVICE_CALL(rc, "event", cudaEventCreate(&events[1]));
    DEVICE_CALL(rc, "zeros", cudaMemsetAsync(memory, 0, (size_t)bytes, self->stream));
    for (int i = 0; i <= DEVICE_SPEED_COPIES; i++) {
        if (i == 1) {
            DEVICE_CALL(rc, "event", cudaEventRecord(events[0], self->stream));
        }
        DEVICE_CALL(rc, "copy on the device",
                    cudaMemcpyAsync((char *)memory + half, memory, half, cudaMemcpyDeviceToDevice,
                                    self->stream));
    }
    DEVICE_CALL(rc, "event", cudaEventRecord(events[1], self->stream));
    DEVICE_CALL(rc, "copy on the device", cudaEventSynchronize(events[1]));
    DEVICE_CALL(rc, "time", cudaEventElapsedTime(&ms, events[0], events[1]));
    for (int i = 0; i < 2 && rc != VSG_DEAD; i++) {
        if (events[i] != NULL) {
            (void)cudaEventDestroy(events[i]);
        }
    }
    if (rc != VSG_OK || !(ms > 0)) {
        return 0;
    }
    /* A copy reads and writes: twice the bytes that a scan reads. */
    double measured = 2.0 * DEVICE_SPEED_COPIES * (double)half / (ms * 1000);
    double peak = device_peak(self->backend->index);
    return peak > 0 && measured > DEVICE_PEAK_SHARE * peak ? DEVICE_PEAK_SHARE * peak : measured;
}

/* ---- the module ------------------------------------------------------------------------------- */

extern "C" const vsg_backend vsg_backend_here = {
    vsg_nvml_probe,    device_open,        device_close,      device_words,  device_info,
    device_allocate,   device_release,     device_trim,       device_pin,    device_unpin,
    device_stream_new, device_stream_free, device_send,       device_fetch,  device_zero,
    device_launch,     device_event_new,   device_event_free, device_record, device_follow,
    device_query,      device_elapsed,     device_speed};

extern "C" __attribute__((visibility("default"))) const vsg_api *
vecshard_cuda_v1(const vsg_host *host)
{
    return vsg_module_api(host);
}
