/*
 * real.c - see real.h.
 */
#include "real.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

const char *vsg_real_path(void)
{
    const char *path = getenv("VECSHARD_TEST_CUDA");
    return path != NULL && path[0] == '/' ? path : NULL;
}

/* The address of a function pointer is what POSIX allows to be written here. */
static void real_find(const char *path, const char *name, void *out_function)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = library != NULL ? dlsym(library, name) : NULL;
    memcpy(out_function, &symbol, sizeof symbol);
}

const vsg_api *vsg_real_api(const char *path)
{
    const vsg_host host = {VSG_ABI, sizeof host};
    vsg_entry_fn *entry = NULL;
    real_find(path, VSG_ENTRY, &entry);
    return entry != NULL ? entry(&host) : NULL;
}

vsg_fake *vsg_real_control(const char *path)
{
    vsg_fake_control_fn *control = NULL;
    real_find(path, VSG_FAKE_CONTROL, &control);
    return control != NULL ? control(1) : NULL;
}

vsg_fake *vsg_real_nothing(void)
{
    static vsg_fake nothing;
    return &nothing;
}
