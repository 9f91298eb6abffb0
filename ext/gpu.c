/*
 * gpu.c - the GPU module: found, opened, and given up.
 *
 * The module lies beside this library, or where VECSHARD_CUDA_LIB says; SQL cannot name it. It is
 * opened by the first call that has a use for it, and never closed: its driver keeps threads. The
 * probe makes no context; the first search that is worth it does.
 *
 * A failure that lasts ends the use of the device for the process. Then no function of the module is
 * called any more, its end neither: another thread may be inside of it, and what it could free is a
 * little host memory. The child of a fork never calls it at all.
 *
 * Calls: the module; gpu_cache.c to forget handles.
 * Called by: gpu_cache.c, gpu_evict.c, gpu_fill.c, gpu_run.c.
 * Threads: all; see gpu_impl.h for the locks.
 */
#define _GNU_SOURCE /* dladdr, secure_getenv */

#include "gpu_impl.h"

const char *vs_gpu_reason_name(vs_gpu_reason reason)
{
    static const char *const names[VS_GPU_REASON_COUNT] = {
        "none",   "off",   "absent", "small",   "shape", "cost", "cold",
        "budget", "stale", "txn",    "crowded", "busy",  "error"};
    return names[reason];
}

const char *const vs_gpu_precision_names[VS_GPU_PRECISION_COUNT] = {"auto", "f16", "int8", "f32"};

#if defined(VS_GPU_POSIX)

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "metrics.h"

#define GPU_FILE "vecshard_cuda.so"
/* What a context and scratch take, about: 110 MB of a card of 16 GB, 560 MB of one of 96 GB. */
#define GPU_OPEN_BYTES ((uint64_t)256 << 20)
#define GPU_OPEN_PART 256 /* and this part of the card */
#define GPU_BUDGET_MAX ((uint64_t)4 << 30)
#define GPU_LOW_WATER_MIN ((uint64_t)512 << 20)

vs_gpu_process vs_gpu = {
    .upload = PTHREAD_MUTEX_INITIALIZER,
    .device_lock = PTHREAD_MUTEX_INITIALIZER,
    .state_lock = PTHREAD_MUTEX_INITIALIZER,
    .settings = {0, VS_GPU_MIN_ROWS_DEFAULT, VS_GPU_IDLE_S_DEFAULT, VS_GPU_PRECISION_AUTO}};
_Atomic int64_t vs_gpu_deadline_us = 2000000;
_Atomic int64_t vs_gpu_clock_ahead_ns;

static atomic_long gpu_pid; /* of the process that opened the module; 0: none did */

void vs_gpu_lock(void)
{
    (void)pthread_mutex_lock(&vs_gpu.state_lock);
}

void vs_gpu_unlock(void)
{
    (void)pthread_mutex_unlock(&vs_gpu.state_lock);
}

int64_t vs_gpu_now_ns(void)
{
    return vs_metrics_now_ns() + atomic_load_explicit(&vs_gpu_clock_ahead_ns, memory_order_relaxed);
}

/* ---- fork ------------------------------------------------------------------------------------ */

/* The child's handles are the parent's: it forgets them, and keeps host memory. */
static void gpu_after_fork_child(void)
{
    if (atomic_load(&gpu_pid) != 0) {
        atomic_store(&vs_gpu.state, VS_GPU_FORKED);
        vs_gpu.device = NULL;
        vs_gpu_forget_handles();
    }
    vs_gpu_unlock(); /* this thread locked it before the fork */
}

static void gpu_watch_fork(void)
{
    static atomic_flag is_done = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&is_done)) {
        (void)pthread_atfork(vs_gpu_lock, vs_gpu_unlock, gpu_after_fork_child);
    }
}

vs_gpu_state vs_gpu_look(void)
{
    long pid = atomic_load_explicit(&gpu_pid, memory_order_relaxed);
    if (pid != 0 && pid != (long)getpid()) {
        return VS_GPU_FORKED;
    }
    return (vs_gpu_state)atomic_load(&vs_gpu.state);
}

int vs_gpu_is_orderly(void)
{
    return vs_gpu_look() != VS_GPU_FORKED || atomic_load(&vs_gpu.state) == VS_GPU_FORKED;
}

/* ---- the module ------------------------------------------------------------------------------ */

/* Only for processes that run with no more rights than their user's. */
static const char *gpu_environment(const char *name)
{
#if defined(__linux__)
    return secure_getenv(name);
#else
    return getuid() == geteuid() && getgid() == getegid() ? getenv(name) : NULL;
#endif
}

static void gpu_say(vs_gpu_state state, const char *words)
{
    vs_gpu_lock();
    sqlite3_snprintf((int)sizeof vs_gpu.why, vs_gpu.why, "%s", words);
    atomic_store(&vs_gpu.state, (int)state);
    vs_gpu_unlock();
}

/* The module's file: beside the one that holds this function. 0: there is no such name. */
static int gpu_find_file(char out[PATH_MAX])
{
    Dl_info self;
    char folder[PATH_MAX], real[PATH_MAX];
    const char *given = gpu_environment("VECSHARD_CUDA_LIB");
    if (given != NULL && given[0] == '/') {
        sqlite3_snprintf(PATH_MAX, out, "%s", given);
        return strlen(given) < PATH_MAX;
    }
    if (dladdr((const void *)&vs_gpu, &self) == 0 || self.dli_fname == NULL ||
        strlen(self.dli_fname) >= sizeof folder) {
        return 0;
    }
    memcpy(folder, self.dli_fname, strlen(self.dli_fname) + 1);
    char *end = strrchr(folder, '/');
    if (end == NULL) {
        return 0; /* found by a search path, or a program without one: no folder to look in */
    }
    end[end == folder] = '\0';
    if (realpath(folder, real) == NULL || strlen(real) + sizeof GPU_FILE + 1 > PATH_MAX) {
        return 0;
    }
    sqlite3_snprintf(PATH_MAX, out, "%s/%s", real, GPU_FILE);
    return 1;
}

/* Opens the module's file; NULL after saying why not. */
static const vsg_api *gpu_load(void)
{
    static const vsg_host host = {VSG_ABI, (uint32_t)sizeof host};
    char path[PATH_MAX];
    const char *wish = gpu_environment("VECSHARD_CUDA");
    vsg_entry_fn *entry = NULL;
    if (wish != NULL && strcmp(wish, "0") == 0) {
        gpu_say(VS_GPU_NO_MODULE, "switched off by VECSHARD_CUDA");
        return NULL;
    }
    if (!gpu_find_file(path) || access(path, F_OK) != 0) {
        gpu_say(VS_GPU_NO_MODULE, "no module");
        return NULL;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *words = dlerror();
        gpu_say(VS_GPU_NO_MODULE, words != NULL ? words : "the module cannot be loaded");
        return NULL;
    }
    *(void **)&entry = dlsym(library, VSG_ENTRY);
    const vsg_api *api = entry != NULL ? entry(&host) : NULL;
    if (api == NULL || api->abi != VSG_ABI || api->bytes != sizeof *api) {
        gpu_say(VS_GPU_NO_MODULE, "the module is of another version");
        return NULL;
    }
    return api;
}

/* Under the device lock. */
static void gpu_probe_first(void)
{
    vsg_info info;
    gpu_watch_fork();
    atomic_store(&gpu_pid, (long)getpid());
    const vsg_api *api = gpu_load();
    if (api == NULL) {
        atomic_store(&gpu_pid, 0); /* for a child there is no more and no less */
        return;
    }
    memset(&info, 0, sizeof info);
    vs_gpu.api = api;
    if (api->probe(0, &info) != VSG_OK) {
        gpu_say(VS_GPU_NO_DEVICE, api->last_error(NULL));
        return;
    }
    info.name[VSG_NAME_BYTES - 1] = '\0';
    vs_gpu_lock();
    vs_gpu.info = info;
    vs_gpu_unlock();
    gpu_say(VS_GPU_READY, "");
}

vs_gpu_state vs_gpu_probe(void)
{
    if (vs_gpu_look() == VS_GPU_UNKNOWN) {
        (void)pthread_mutex_lock(&vs_gpu.device_lock);
        if (vs_gpu_look() == VS_GPU_UNKNOWN) {
            gpu_probe_first();
        }
        (void)pthread_mutex_unlock(&vs_gpu.device_lock);
    }
    return vs_gpu_look();
}

int vs_gpu_is_possible(void)
{
    vs_gpu_state state = vs_gpu_probe();
    return state == VS_GPU_READY || state == VS_GPU_OPEN;
}

/* ---- the device ------------------------------------------------------------------------------ */

uint64_t vs_gpu_budget(void)
{
    uint64_t total = vs_gpu.info.total_bytes;
    uint64_t bytes = (uint64_t)vs_gpu.settings.budget_mb << 20;
    if (vs_gpu.settings.budget_mb <= 0) {
        bytes = total > 0 && total / 4 < GPU_BUDGET_MAX ? total / 4 : GPU_BUDGET_MAX;
    }
    bytes = total > 0 && bytes > total ? total : bytes;
    return bytes > vs_gpu.fixed_bytes ? bytes : vs_gpu.fixed_bytes;
}

uint64_t vs_gpu_low_water(void)
{
    uint64_t part = vs_gpu.info.total_bytes / 20;
    return part > GPU_LOW_WATER_MIN ? part : GPU_LOW_WATER_MIN;
}

int vs_gpu_enter(void)
{
    if (vs_gpu_look() != VS_GPU_OPEN) {
        return 0;
    }
    (void)pthread_mutex_lock(&vs_gpu.device_lock);
    if (atomic_load(&vs_gpu.state) != VS_GPU_OPEN) {
        vs_gpu_leave();
        return 0;
    }
    return 1;
}

void vs_gpu_leave(void)
{
    (void)pthread_mutex_unlock(&vs_gpu.device_lock);
}

void vs_gpu_die(const char *words)
{
    vs_gpu_lock();
    if (atomic_load(&vs_gpu.state) != VS_GPU_DEAD) {
        sqlite3_snprintf((int)sizeof vs_gpu.why, vs_gpu.why, "%s", words);
        atomic_store(&vs_gpu.state, VS_GPU_DEAD); /* others may be using the device's handle now */
        vs_gpu_forget_handles();
    }
    vs_gpu_unlock();
}

int vs_gpu_check(int rc)
{
    if ((rc == VSG_DEAD || rc == VSG_ABSENT) && atomic_load(&vs_gpu.state) == VS_GPU_OPEN) {
        /* words of the failed call: they are in host memory, and nothing is called after this */
        vs_gpu_die(vs_gpu.api->last_error(vs_gpu.device));
    }
    return rc;
}

/* What the open device says of itself. Under the device lock. 0: it failed. */
static int gpu_describe(vsg_device *device)
{
    vsg_info info;
    vsg_memory memory;
    memset(&info, 0, sizeof info);
    if (vs_gpu.api->device_info(device, &info) != VSG_OK ||
        vs_gpu.api->device_memory(device, &memory) != VSG_OK) {
        return 0;
    }
    info.name[VSG_NAME_BYTES - 1] = '\0';
    double speed = vs_gpu.api->device_speed(device);
    vs_gpu_lock();
    vs_gpu.device = device;
    vs_gpu.info = info;
    vs_gpu.info.total_bytes = memory.total_bytes;
    vs_gpu.info.free_bytes = memory.free_bytes;
    vs_gpu.speed = speed > 0.0 ? speed : 0.0;
    if (memory.context_bytes > vs_gpu.context_bytes) {
        vs_gpu.context_bytes = memory.context_bytes; /* opened again, it was there already */
    }
    vs_gpu.fixed_bytes = vs_gpu.context_bytes + memory.used_bytes;
    vs_gpu.used_bytes = vs_gpu.fixed_bytes;
    vs_gpu_unlock();
    return 1;
}

/* Under the device lock; the state is VS_GPU_READY. */
static vs_gpu_reason gpu_open_device(void)
{
    vsg_device *device = NULL;
    vsg_limits limits = {0, 0, 0};
    vs_gpu_lock();
    limits.budget_bytes = vs_gpu_budget();
    limits.room_bytes =
        vs_gpu_low_water() + GPU_OPEN_BYTES + vs_gpu.info.total_bytes / GPU_OPEN_PART;
    vs_gpu_unlock();
    int rc = vs_gpu.api->device_open(0, &limits, &device);
    if (rc == VSG_OK && gpu_describe(device)) {
        gpu_say(VS_GPU_OPEN, "");
        vs_gpu_lock();
        uint64_t budget = vs_gpu_budget(); /* of what the open card says that it has */
        vs_gpu_unlock();
        if (budget != limits.budget_bytes) {
            (void)vs_gpu_check(vs_gpu.api->device_limit(device, budget));
        }
        return VS_GPU_NONE;
    }
    const char *words = vs_gpu.api->last_error(NULL);
    if (rc == VSG_ABSENT) {
        gpu_say(VS_GPU_NO_DEVICE, words);
    } else if (rc != VSG_NO_MEMORY) {
        gpu_say(VS_GPU_DEAD, words);
    }
    return rc == VSG_ABSENT ? VS_GPU_ABSENT : rc == VSG_NO_MEMORY ? VS_GPU_BUDGET : VS_GPU_ERROR;
}

/* Why there is no device to open. */
static vs_gpu_reason gpu_state_reason(vs_gpu_state state)
{
    return state == VS_GPU_DEAD ? VS_GPU_ERROR : VS_GPU_ABSENT;
}

int vs_gpu_open(vs_gpu_reason *out_reason)
{
    vs_gpu_state state = vs_gpu_probe();
    *out_reason = VS_GPU_NONE;
    if (state != VS_GPU_READY && state != VS_GPU_OPEN) {
        *out_reason = gpu_state_reason(state);
        return 0;
    }
    vs_gpu_lock();
    /* opening takes a second: the CPU answers meanwhile */
    int is_other = state == VS_GPU_READY && vs_gpu.is_opening;
    int is_refused = state == VS_GPU_READY && vs_gpu_now_ns() < vs_gpu.open_refused_ns;
    vs_gpu.is_opening |= state == VS_GPU_READY && !is_refused;
    vs_gpu_unlock();
    if (is_other || is_refused) {
        *out_reason = is_other ? VS_GPU_COLD : VS_GPU_BUDGET;
        return 0;
    }
    (void)pthread_mutex_lock(&vs_gpu.device_lock);
    if (atomic_load(&vs_gpu.state) == VS_GPU_READY) {
        *out_reason = gpu_open_device();
    }
    vs_gpu_lock();
    vs_gpu.is_opening = state == VS_GPU_READY ? 0 : vs_gpu.is_opening;
    if (*out_reason != VS_GPU_NONE) {
        vs_gpu.open_refused_ns = vs_gpu_now_ns() + VS_GPU_RETRY_NS;
    }
    vs_gpu_unlock();
    state = (vs_gpu_state)atomic_load(&vs_gpu.state);
    if (state != VS_GPU_OPEN) {
        *out_reason = *out_reason != VS_GPU_NONE ? *out_reason : gpu_state_reason(state);
        vs_gpu_leave();
        return 0;
    }
    return 1;
}

void vs_gpu_close(void)
{
    vsg_device *device = vs_gpu.device;
    vs_gpu_lock();
    int is_used = vs_gpu.used_bytes != vs_gpu.fixed_bytes || vs_gpu.images != NULL;
    if (!is_used) {
        vs_gpu.device = NULL;
        vs_gpu.used_bytes = vs_gpu.fixed_bytes = 0;
        atomic_store(&vs_gpu.state, VS_GPU_READY);
    }
    vs_gpu_unlock();
    if (!is_used) {
        vs_gpu.api->device_close(device);
    }
}

/* ---- what there is --------------------------------------------------------------------------- */

void vs_gpu_read_settings(vs_gpu_settings *out)
{
    vs_gpu_lock();
    *out = vs_gpu.settings;
    vs_gpu_unlock();
}

void vs_gpu_set_settings(const vs_gpu_settings *settings)
{
    vs_gpu_lock();
    vs_gpu.settings = *settings;
    vs_gpu_unlock();
    if (vs_gpu_enter()) {
        vs_gpu_apply_budget();
        vs_gpu_leave();
    }
    vs_gpu_reap();
}

int vs_gpu_prefers(void)
{
    return atomic_load(&vs_gpu.prefers);
}

void vs_gpu_set_prefers(int prefers)
{
    atomic_store(&vs_gpu.prefers, prefers);
}

/* Free bytes of the card now; 0: it does not tell. Under the device lock. */
static uint64_t gpu_read_free(void)
{
    vsg_memory memory;
    vsg_info info;
    if (atomic_load(&vs_gpu.state) == VS_GPU_OPEN) {
        return vs_gpu_check(vs_gpu.api->device_memory(vs_gpu.device, &memory)) == VSG_OK
                   ? memory.free_bytes
                   : 0;
    }
    memset(&info, 0, sizeof info);
    return atomic_load(&vs_gpu.state) == VS_GPU_READY && vs_gpu.api->probe(0, &info) == VSG_OK
               ? info.free_bytes
               : 0;
}

/* The card's free memory now, where nobody is using the module. */
static void gpu_refresh(void)
{
    if (pthread_mutex_trylock(&vs_gpu.device_lock) != 0) {
        return;
    }
    uint64_t free_bytes = gpu_read_free();
    if (free_bytes != 0) {
        vs_gpu_lock();
        vs_gpu.info.free_bytes = free_bytes;
        vs_gpu_unlock();
    }
    vs_gpu_leave();
}

void vs_gpu_read_info(vs_gpu_info *out)
{
    memset(out, 0, sizeof *out);
    vs_gpu_state state = vs_gpu_probe();
    if (state == VS_GPU_FORKED) {
        out->state = state;
        sqlite3_snprintf((int)sizeof out->why, out->why, "this process was forked");
        return;
    }
    gpu_refresh();
    vs_gpu_lock();
    out->state = (vs_gpu_state)atomic_load(&vs_gpu.state);
    if (out->state >= VS_GPU_READY) {
        out->device = vs_gpu.info;
        out->budget_bytes = vs_gpu_budget();
        out->low_water_bytes = vs_gpu_low_water();
        out->used_bytes = vs_gpu.used_bytes;
        out->context_bytes = vs_gpu.fixed_bytes != 0 ? vs_gpu.context_bytes : 0;
    }
    for (const vs_gpu_image *image = vs_gpu.images; image != NULL; image = image->next) {
        uint64_t resident = 0;
        for (uint32_t i = 0; i < image->count; i++) {
            resident += image->segments[i].handle != NULL;
        }
        out->images += resident > 0;
        out->segments += resident;
    }
    out->is_refused = out->state == VS_GPU_READY && vs_gpu_now_ns() < vs_gpu.open_refused_ns;
    out->upload_bytes = vs_gpu.upload_bytes;
    out->searches = vs_gpu.searches;
    out->evictions = vs_gpu.evictions;
    memcpy(out->fallbacks, vs_gpu.fallbacks, sizeof out->fallbacks);
    memcpy(out->why, vs_gpu.why, sizeof out->why);
    vs_gpu_unlock();
}

void vs_gpu_count_fallback(vs_gpu_reason reason, size_t queries)
{
    vs_gpu_lock();
    vs_gpu.fallbacks[reason] += queries;
    vs_gpu_unlock();
}

#endif
