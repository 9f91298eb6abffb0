/*
 * nvml.h - what cards there are and how full they are, asked of the driver's management library,
 * which makes no context.
 */
#ifndef VSG_NVML_H
#define VSG_NVML_H

#include "backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The card with this number, as vsg_api.probe. The library numbers cards by their place on the bus,
 * CUDA by what CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER say, so with several cards this may be
 * another one than vsg_backend.open opens; what is known of an open device is asked of CUDA
 * (vsg_backend.info). An empty CUDA_VISIBLE_DEVICES, or one that begins with -1, hides all.
 */
int vsg_nvml_probe(int index, vsg_info *out, char why[VSG_WHY_BYTES]);

/* Free bytes of the card at this place on the bus ("00000000:01:00.0"); 0: not known. */
uint64_t vsg_nvml_free_bytes(const char *bus_id);

#ifdef __cplusplus
}
#endif

#endif
