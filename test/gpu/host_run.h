/*
 * host_run.h - runs the kernels of the GPU module on the host, thread by thread, for tests.
 */
#ifndef VSG_HOST_RUN_H
#define VSG_HOST_RUN_H

#include "kernels/cuda/launch.h"

/*
 * Runs a kernel to its end; all pointers in args are host memory, aligned as a device's. The order
 * of threads and blocks follows from *seed (not 0), which is changed. Shared memory is of exactly
 * the size that is asked for and begins as garbage. Returns VSG_OK, or VSG_DEAD when memory is
 * out.
 */
int vsg_host_launch(uint64_t *seed, vsg_kernel kernel, const vsg_args *args);

/*
 * The same, but each thread runs by itself from barrier to barrier, which is slower. VSG_DEAD also
 * when threads do not come to the same barriers. Not under sanitizers, which do not follow threads
 * that are switched by hand: VSG_ABSENT there.
 */
int vsg_host_launch_apart(uint64_t *seed, vsg_kernel kernel, const vsg_args *args);

#endif
