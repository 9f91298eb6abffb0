/*
 * real.h - tests of the GPU module over another library than the fake.
 *
 * The environment's VECSHARD_TEST_CUDA names it, by an absolute path: the real module, on a machine
 * with a GPU. Only tests that need no switch of the fake can run over it; what they read of the fake
 * is zero.
 */
#ifndef VSG_REAL_H
#define VSG_REAL_H

#include "fake.h"

/* The library's path; NULL: tests use the fake. */
const char *vsg_real_path(void);

/* What the library named (or any other at `path`) exports; NULL: it cannot be opened or is of another
 * version. */
const vsg_api *vsg_real_api(const char *path);

/* The switches of the fake at `path`, as at first; NULL: it is none, or cannot be opened. */
vsg_fake *vsg_real_control(const char *path);

/* In place of a fake's counters, where there is none. */
vsg_fake *vsg_real_nothing(void);

#endif
