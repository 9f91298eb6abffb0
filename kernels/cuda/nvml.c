/*
 * nvml.c - the driver's management library, opened for the moment of a question.
 *
 * It belongs to the driver, so it is there where the driver is. Its functions are declared here as
 * NVIDIA's NVML reference describes them: the library's header is not needed to build.
 *
 * Source:  NVML API Reference Guide, NVIDIA: Initialization and Cleanup, Device Queries.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "nvml.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NVML_LIBRARY "libnvidia-ml.so.1"
#define NVML_SUCCESS 0

typedef void *nvml_card; /* nvmlDevice_t */

typedef struct nvml_memory {
    unsigned long long total, free, used;
} nvml_memory;

typedef struct nvml {
    void *library;
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned int *out);
    int (*by_index)(unsigned int index, nvml_card *out);
    int (*by_bus)(const char *bus_id, nvml_card *out);
    int (*name)(nvml_card card, char *out, unsigned int bytes);
    int (*memory)(nvml_card card, nvml_memory *out);
    int (*capability)(nvml_card card, int *out_major, int *out_minor);
    int (*driver)(int *out);
} nvml;

/* Finds one function; the address of a function pointer is what POSIX allows to be written here. */
static int nvml_find(nvml *self, const char *name, void *out_function)
{
    void *symbol = dlsym(self->library, name);
    memcpy(out_function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static void nvml_close(nvml *self)
{
    (void)self->shutdown();
    (void)dlclose(self->library);
}

/* 0: there is no library, it is not whole, or it finds no driver. */
static int nvml_open(nvml *self)
{
    memset(self, 0, sizeof *self);
    self->library = dlopen(NVML_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (self->library == NULL) {
        return 0;
    }
    if (nvml_find(self, "nvmlInit_v2", &self->init) &&
        nvml_find(self, "nvmlShutdown", &self->shutdown) &&
        nvml_find(self, "nvmlDeviceGetCount_v2", &self->count) &&
        nvml_find(self, "nvmlDeviceGetHandleByIndex_v2", &self->by_index) &&
        nvml_find(self, "nvmlDeviceGetHandleByPciBusId_v2", &self->by_bus) &&
        nvml_find(self, "nvmlDeviceGetName", &self->name) &&
        nvml_find(self, "nvmlDeviceGetMemoryInfo", &self->memory) &&
        nvml_find(self, "nvmlDeviceGetCudaComputeCapability", &self->capability) &&
        nvml_find(self, "nvmlSystemGetCudaDriverVersion_v2", &self->driver) &&
        self->init() == NVML_SUCCESS) {
        return 1;
    }
    (void)dlclose(self->library);
    return 0;
}

static int nvml_is_hidden(void)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    return visible != NULL && (visible[0] == '\0' || strncmp(visible, "-1", 2) == 0);
}

/* What cannot be read stays 0. */
static void nvml_read(const nvml *self, nvml_card card, vsg_info *out)
{
    nvml_memory memory = {0, 0, 0};
    int driver = 0;

    if (self->name(card, out->name, sizeof out->name) != NVML_SUCCESS) {
        (void)snprintf(out->name, sizeof out->name, "NVIDIA GPU");
    }
    if (self->memory(card, &memory) == NVML_SUCCESS) {
        out->total_bytes = memory.total;
        out->free_bytes = memory.free;
    }
    if (self->capability(card, &out->major, &out->minor) != NVML_SUCCESS) {
        out->major = out->minor = 0;
    }
    if (self->driver(&driver) == NVML_SUCCESS && driver > 0) {
        out->driver = (uint32_t)driver;
    }
}

int vsg_nvml_probe(int index, vsg_info *out, char why[VSG_WHY_BYTES])
{
    nvml self;
    nvml_card card = NULL;
    unsigned int count = 0;
    int rc = VSG_ABSENT;

    memset(out, 0, sizeof *out);
    if (!nvml_open(&self)) {
        (void)snprintf(why, VSG_WHY_BYTES, "no driver");
        return VSG_ABSENT;
    }
    if (!nvml_is_hidden() && self.count(&count) == NVML_SUCCESS && index >= 0 &&
        (unsigned int)index < count && self.by_index((unsigned int)index, &card) == NVML_SUCCESS) {
        nvml_read(&self, card, out);
        rc = VSG_OK;
    } else {
        (void)snprintf(why, VSG_WHY_BYTES, "no device");
    }
    nvml_close(&self);
    return rc;
}

uint64_t vsg_nvml_free_bytes(const char *bus_id)
{
    nvml self;
    nvml_card card = NULL;
    nvml_memory memory = {0, 0, 0};

    if (!nvml_open(&self)) {
        return 0;
    }
    if (self.by_bus(bus_id, &card) != NVML_SUCCESS || self.memory(card, &memory) != NVML_SUCCESS) {
        memory.free = 0;
    }
    nvml_close(&self);
    return memory.free;
}
