/*
 * fake.h - a GPU in host memory: the module's own code over a device that fails on command.
 *
 * build/test/gpu/vecshard_cuda_fake.so exports what the real module exports, and vsg_fake_control,
 * which gives the switches below. Work is put off until somebody asks whether it is done, as late as
 * a device may do it. What is numbered counts from 1; 0 is never. Switches may be changed at any
 * time, from any thread; they count from the next call on.
 */
#ifndef VSG_FAKE_H
#define VSG_FAKE_H

#include <stdatomic.h>

#include "../../kernels/cuda/vsg.h"

typedef struct vsg_fake {
    /* the card */
    atomic_ullong total_bytes;   /* 8 GiB */
    atomic_ullong others_bytes;  /* that other programs use */
    atomic_ullong shrink_bytes;  /* by which that grows with every allocation and look at it */
    atomic_ullong context_bytes; /* that opening takes: 256 MiB */
    atomic_int has_no_driver;    /* probe: VSG_ABSENT, "no driver" */
    atomic_int has_no_device;    /* probe: VSG_ABSENT, "no device" */
    atomic_int has_wrong_abi;    /* the exported function refuses every host */
    atomic_int opening_fails;    /* the vsg_rc of opening; VSG_DEAD: the context is lost */

    /* faults, by the number in the counters below */
    atomic_uint fail_allocation;  /* this one has no memory */
    atomic_uint fail_allocations; /* this one and all later ones */
    atomic_uint fail_pin, fail_pins;
    atomic_uint die_at_launch; /* the context is lost there */
    atomic_uint die_at_query;
    atomic_uint hang_at_scan; /* this one does not end until the switch is 0 again */
    atomic_uint delay_us;     /* that passes before a launch is done */

    /* what happened */
    atomic_uint allocations, pins, launches, scans, queries; /* calls; scans are launches, too */
    atomic_ullong bytes, bytes_most;                         /* device memory, context excluded */
    atomic_ullong pinned_bytes;                              /* now */
    atomic_int objects;       /* backends, streams and events that are not freed */
    atomic_uint opens;        /* contexts made */
    atomic_int is_lost;       /* the context */
    atomic_uint late_calls;   /* after that */
    atomic_uint forked_calls; /* in another process than the one that opened */
    atomic_uint over_budget;  /* allocations beyond what the pool may hold */
} vsg_fake;

/* The exported function. is_reset: everything as at first; memory in use stays counted. */
#define VSG_FAKE_CONTROL "vsg_fake_control"
typedef vsg_fake *vsg_fake_control_fn(int is_reset);
vsg_fake *vsg_fake_control(int is_reset);

#endif
