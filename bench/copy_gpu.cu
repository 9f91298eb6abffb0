/*
 * copy_gpu.cu - how fast a card copies its own memory: the ceiling of whatever only reads it.
 *
 * Prints one number, gigabytes a second, what is read and what is written taken together. The memory
 * holds random bits: cards copy zeros faster.
 */
#include <stdint.h>
#include <stdio.h>

#include <cuda_runtime.h>

#define COPY_BYTES ((size_t)1 << 30)
#define COPY_TIMES 12

static __global__ void copy_fill(uint64_t *out, size_t count)
{
    for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < count;
         i += gridDim.x * (size_t)blockDim.x) {
        uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        out[i] = z ^ z >> 31;
    }
}

int main(void)
{
    char *memory[2] = {NULL, NULL};
    cudaEvent_t first, last;
    float best = 0, ms = 0;

    if (cudaMalloc(&memory[0], COPY_BYTES) != cudaSuccess ||
        cudaMalloc(&memory[1], COPY_BYTES) != cudaSuccess ||
        cudaEventCreate(&first) != cudaSuccess || cudaEventCreate(&last) != cudaSuccess) {
        (void)fprintf(stderr, "copy_gpu: %s\n", cudaGetErrorString(cudaGetLastError()));
        return 1;
    }
    copy_fill<<<1024, 256>>>((uint64_t *)memory[0], COPY_BYTES / sizeof(uint64_t));
    for (int i = 0; i < COPY_TIMES; i++) {
        (void)cudaEventRecord(first);
        (void)cudaMemcpyAsync(memory[(i + 1) % 2], memory[i % 2], COPY_BYTES,
                              cudaMemcpyDeviceToDevice);
        (void)cudaEventRecord(last);
        if (cudaEventSynchronize(last) != cudaSuccess ||
            cudaEventElapsedTime(&ms, first, last) != cudaSuccess) {
            (void)fprintf(stderr, "copy_gpu: %s\n", cudaGetErrorString(cudaGetLastError()));
            return 1;
        }
        best = best == 0 || ms < best ? ms : best;
    }
    (void)printf("%.1f\n", 2e-6 * (double)COPY_BYTES / (double)best);
    return 0;
}
