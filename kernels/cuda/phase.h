/*
 * phase.h - what programs of phases are written in: C11 and CUDA C++ at the same time.
 *
 * A kernel is a program: a function that every thread of a block runs, made of
 *
 *   VSG_PHASE    a call for one thread, without barriers in it
 *   VSG_WARPS    a step of a whole warp: sums over lanes, a matrix product
 *   VSG_BARRIER  what was written to shared or global memory before it is seen by the block after it
 *   VSG_COMMIT, VSG_WAIT   bounds of groups of asynchronous copies
 *
 * and of loops and conditions that have the same outcome in all threads of the block. What a thread
 * keeps from phase to phase is in its state. For a device a phase is the call for threadIdx.x. For
 * the host it is a loop over all threads of the block in an order that differs from phase to phase,
 * and states are an array; asynchronous copies are done when they are waited for and not before. So
 * a sanitizer on the host sees every access, and an answer that depends on the order within a phase
 * or on a missing wait changes. With VSG_FIBERS, also for the host, each thread runs by itself from
 * barrier to barrier, as on a device: so an answer that depends on a missing barrier changes, too.
 *
 * A program has the form
 *
 *     void program(const vsg_x_args *args, vsg_block *block, uint8_t *shared, vsg_x_state *states)
 *
 * where `shared` is 128-byte aligned and states is one state for a device, else one for each thread.
 */
#ifndef VSG_PHASE_H
#define VSG_PHASE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VSG_WARP 32

#ifdef __CUDACC__

#define VSG_FN static __device__ __forceinline__
#define VSG_BOTH static __host__ __device__ __forceinline__
#define VSG_UNROLL _Pragma("unroll")
#define VSG_NO_UNROLL _Pragma("unroll 1")

typedef uint4 vsg_u4;
typedef float4 vsg_f4;

typedef struct vsg_block {
    uint32_t index, count; /* this block, blocks of the launch */
} vsg_block;

#define VSG_STATE(states, thread) (states)
#define VSG_PHASE(block, thread, call)                                                             \
    do {                                                                                           \
        const uint32_t thread = threadIdx.x;                                                       \
        (void)thread;                                                                              \
        call;                                                                                      \
    } while (0)
#define VSG_WARPS(block, states, lanes, call)                                                      \
    do {                                                                                           \
        lanes = (states);                                                                          \
        call;                                                                                      \
    } while (0)
#define VSG_WARP_NUMBER (threadIdx.x / VSG_WARP) /* in the call of VSG_WARPS */
#define VSG_BARRIER() __syncthreads()

#else

#include "../half.h"

#define VSG_FN static inline
#define VSG_BOTH static inline
#define VSG_UNROLL
#define VSG_NO_UNROLL

typedef struct vsg_u4 {
    uint32_t x, y, z, w;
} vsg_u4;
typedef struct vsg_f4 {
    float x, y, z, w;
} vsg_f4;

typedef struct vsg_host_copy {
    void *to;
    const void *from;
    uint32_t group;
} vsg_host_copy;

typedef struct vsg_block {
    uint32_t index, count;
    uint32_t threads; /* a power of two */
    uint32_t thread;  /* with VSG_FIBERS: this one */
    uint64_t seed;    /* not 0 */
    uint16_t *order;  /* [threads] a permutation */
    uint32_t factor, offset;
    vsg_host_copy *copies; /* [copy_room] those under way, in turn from copy_first on */
    uint32_t copy_room, copy_first, copy_count, copy_group;
} vsg_block;

static inline uint64_t vsg_host_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* A new order of the threads, by which the next phase is run. */
static inline uint32_t vsg_host_turn(vsg_block *block)
{
    uint64_t random = vsg_host_random(&block->seed);
    block->factor = (uint32_t)(random >> 40) | 1u;
    block->offset = (uint32_t)(random >> 8) & 0xffffu;
    return 0;
}

static inline uint32_t vsg_host_thread(const vsg_block *block, uint32_t i)
{
    return block->order[(i * block->factor + block->offset) & (block->threads - 1)];
}

#define VSG_STATE(states, thread) ((states) + (thread))
#ifdef VSG_FIBERS

/* All threads of the block, or of the warp, have come here; then it goes on. */
void vsg_fiber_barrier(void);
void vsg_fiber_warp_barrier(void);

#define VSG_PHASE(block, thread_name, call)                                                        \
    do {                                                                                           \
        const uint32_t thread_name = (block)->thread;                                              \
        (void)thread_name;                                                                         \
        call;                                                                                      \
    } while (0)
#define VSG_WARPS(block, states, lanes, call)                                                      \
    do {                                                                                           \
        const uint32_t vsg_i = (block)->thread / VSG_WARP * VSG_WARP;                              \
        vsg_fiber_warp_barrier();                                                                  \
        if ((block)->thread == vsg_i) {                                                            \
            lanes = (states) + vsg_i;                                                              \
            call;                                                                                  \
        }                                                                                          \
        vsg_fiber_warp_barrier();                                                                  \
    } while (0)
#define VSG_WARP_NUMBER (vsg_i / VSG_WARP)
#define VSG_BARRIER() vsg_fiber_barrier()

#else

#define VSG_PHASE(block, thread, call)                                                             \
    for (uint32_t vsg_i = vsg_host_turn(block); vsg_i < (block)->threads; vsg_i++) {               \
        const uint32_t thread = vsg_host_thread(block, vsg_i);                                     \
        (void)thread;                                                                              \
        call;                                                                                      \
    }
#define VSG_WARPS(block, states, lanes, call)                                                      \
    for (uint32_t vsg_i = 0; vsg_i < (block)->threads; vsg_i += VSG_WARP) {                        \
        lanes = (states) + vsg_i;                                                                  \
        call;                                                                                      \
    }
#define VSG_WARP_NUMBER (vsg_i / VSG_WARP)
#define VSG_BARRIER() ((void)0)

#endif

#endif

/* ------------------------------------------------------------------------- memory and atomics */

/* Adds, returns the old value. */
VSG_FN uint32_t vsg_atomic_add(uint32_t *at, uint32_t value)
{
#ifdef __CUDACC__
    return atomicAdd(at, value);
#else
    uint32_t old = *at;
    *at = old + value;
    return old;
#endif
}

/* 16 bytes of global memory, 16-byte aligned, that are not read again soon; zeros, and no access,
 * where is_wanted is 0. Predicated rather than a branch: several such loads are under way at once. */
VSG_FN vsg_u4 vsg_load_once(const uint8_t *at, uint32_t is_wanted)
{
    vsg_u4 value = {0, 0, 0, 0};
#ifdef __CUDACC__
    asm volatile("{\n"
                 ".reg .pred p;\n"
                 "setp.ne.b32 p, %5, 0;\n"
                 "@p ld.global.cs.v4.u32 {%0, %1, %2, %3}, [%4];\n"
                 "}\n"
                 : "+r"(value.x), "+r"(value.y), "+r"(value.z), "+r"(value.w)
                 : "l"(__cvta_generic_to_global(at)), "r"(is_wanted));
#else
    if (is_wanted) {
        memcpy(&value, at, sizeof value);
    }
#endif
    return value;
}

/* 16 bytes of global memory that others read, too, or of shared memory. */
VSG_FN vsg_u4 vsg_load_u4(const void *at)
{
#ifdef __CUDACC__
    return *(const uint4 *)at;
#else
    vsg_u4 value;
    memcpy(&value, at, sizeof value);
    return value;
#endif
}

VSG_FN void vsg_store_u4(void *at, vsg_u4 value)
{
#ifdef __CUDACC__
    *(uint4 *)at = value;
#else
    memcpy(at, &value, sizeof value);
#endif
}

VSG_FN vsg_f4 vsg_load_f4(const void *at)
{
#ifdef __CUDACC__
    return *(const float4 *)at;
#else
    vsg_f4 value;
    memcpy(&value, at, sizeof value);
    return value;
#endif
}

/*
 * Copies 16 bytes from global to shared memory, both 16-byte aligned; there after the VSG_WAIT for
 * the group that the next VSG_COMMIT closes, and a barrier. At once where the device cannot do
 * better.
 */
VSG_FN void vsg_copy_u4(vsg_block *block, uint8_t *to, const uint8_t *from)
{
#if !defined(__CUDACC__)
    vsg_host_copy *copy =
        &block->copies[(block->copy_first + block->copy_count++) % block->copy_room];
    copy->to = to;
    copy->from = from;
    copy->group = block->copy_group;
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    (void)block;
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;\n"
                 :
                 : "r"((uint32_t)__cvta_generic_to_shared(to)), "l"(__cvta_generic_to_global(from))
                 : "memory");
#else
    (void)block;
    vsg_store_u4(to, vsg_load_u4(from));
    asm volatile("" ::: "memory"); /* one after the other: registers are scarce */
#endif
}

/* Closes a group of copies, of all threads of the block. */
VSG_FN void vsg_copy_commit(vsg_block *block)
{
#if !defined(__CUDACC__)
    block->copy_group++;
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    (void)block;
    asm volatile("cp.async.commit_group;\n" ::: "memory");
#else
    (void)block;
#endif
}

#if !defined(__CUDACC__)
static inline void vsg_host_copy_until(vsg_block *block, uint32_t left)
{
    while (block->copy_count > 0) {
        const vsg_host_copy *copy = &block->copies[block->copy_first];
        if (copy->group + left >= block->copy_group) {
            return;
        }
        memcpy(copy->to, copy->from, 16);
        block->copy_first = (block->copy_first + 1) % block->copy_room;
        block->copy_count--;
    }
}
#define VSG_WAIT(block, left) vsg_host_copy_until(block, left)
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
/* Waits until at most `left` groups, a literal, are under way. */
#define VSG_WAIT(block, left) asm volatile("cp.async.wait_group %0;\n" ::"n"(left) : "memory")
#else
#define VSG_WAIT(block, left) ((void)0)
#endif
#define VSG_COMMIT(block) vsg_copy_commit(block)

/* The same number, but the compiler does not know: what follows from it is computed again here
 * rather than kept in registers through the loop before. */
VSG_FN uint32_t vsg_again(uint32_t value)
{
#ifdef __CUDACC__
    asm volatile("" : "+r"(value));
#endif
    return value;
}

/* ---------------------------------------------------------------------------------- numbers */

VSG_BOTH uint32_t vsg_float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

VSG_BOTH float vsg_bits_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

VSG_FN uint32_t vsg_count_bits(uint32_t bits)
{
#ifdef __CUDACC__
    return (uint32_t)__popc(bits);
#else
    return (uint32_t)__builtin_popcount(bits);
#endif
}

/* float16 in the lower half of `bits`. */
VSG_FN float vsg_f16_float(uint32_t bits)
{
#ifdef __CUDACC__
    float value;
    asm("{.reg .b16 h; cvt.u16.u32 h, %1; cvt.f32.f16 %0, h;}" : "=f"(value) : "r"(bits));
    return value;
#else
    return vsk_f16_decode((uint16_t)bits);
#endif
}

/* To nearest, ties to even. */
VSG_FN uint16_t vsg_float_f16(float value)
{
#ifdef __CUDACC__
    uint16_t bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
#else
    return vsk_f16_encode(value);
#endif
}

/* Four float16 in two words. */
VSG_FN vsg_f4 vsg_widen_f16(uint32_t low, uint32_t high)
{
    vsg_f4 out;
#ifdef __CUDACC__
    asm("{.reg .b16 l, h; mov.b32 {l, h}, %2; cvt.f32.f16 %0, l; cvt.f32.f16 %1, h;}"
        : "=f"(out.x), "=f"(out.y)
        : "r"(low));
    asm("{.reg .b16 l, h; mov.b32 {l, h}, %2; cvt.f32.f16 %0, l; cvt.f32.f16 %1, h;}"
        : "=f"(out.z), "=f"(out.w)
        : "r"(high));
#else
    out.x = vsk_f16_decode((uint16_t)low);
    out.y = vsk_f16_decode((uint16_t)(low >> 16));
    out.z = vsk_f16_decode((uint16_t)high);
    out.w = vsk_f16_decode((uint16_t)(high >> 16));
#endif
    return out;
}

VSG_FN uint32_t vsg_byte_select(uint32_t a, uint32_t b, uint32_t selector)
{
#ifdef __CUDACC__
    return __byte_perm(a, b, selector);
#else
    uint64_t bytes = (uint64_t)b << 32 | a;
    uint32_t out = 0;
    for (uint32_t i = 0; i < 4; i++) {
        out |= (uint32_t)(bytes >> (8 * (selector >> (4 * i) & 7)) & 0xff) << (8 * i);
    }
    return out;
#endif
}

/* Four int8 in a word. The byte plus 128 is put into the last bits of 2^23: conversions would be
 * slower than memory. */
VSG_FN vsg_f4 vsg_widen_i8(uint32_t word)
{
    const uint32_t raised = word ^ 0x80808080u;
    vsg_f4 out;
    out.x = vsg_bits_float(vsg_byte_select(raised, 0x4b000000u, 0x7440)) - 8388736.0f;
    out.y = vsg_bits_float(vsg_byte_select(raised, 0x4b000000u, 0x7441)) - 8388736.0f;
    out.z = vsg_bits_float(vsg_byte_select(raised, 0x4b000000u, 0x7442)) - 8388736.0f;
    out.w = vsg_bits_float(vsg_byte_select(raised, 0x4b000000u, 0x7443)) - 8388736.0f;
    return out;
}

/* The difference of two pairs of float16. */
VSG_FN uint32_t vsg_sub_f16x2(uint32_t a, uint32_t b)
{
#ifdef __CUDACC__
    uint32_t out;
    asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(out) : "r"(a), "r"(b));
    return out;
#else
    uint32_t low = vsk_f16_encode(vsk_f16_decode((uint16_t)a) - vsk_f16_decode((uint16_t)b));
    uint32_t high =
        vsk_f16_encode(vsk_f16_decode((uint16_t)(a >> 16)) - vsk_f16_decode((uint16_t)(b >> 16)));
    return high << 16 | low;
#endif
}

/* Two int8 of a word as float16, exactly: bytes 0 and 1, or 2 and 3. As above, with 2^10. */
VSG_FN uint32_t vsg_i8_f16x2(uint32_t word, uint32_t upper)
{
    return vsg_sub_f16x2(
        vsg_byte_select(word ^ 0x80808080u, 0x64646464u, upper ? 0x4342u : 0x4140u), 0x64806480u);
}

/* Double precision that is never fused. */
VSG_FN double vsg_mul_rounded(double a, double b)
{
#ifdef __CUDACC__
    return __dmul_rn(a, b);
#else
    return a * b; /* compiled with -ffp-contract=off */
#endif
}

VSG_FN double vsg_add_rounded(double a, double b)
{
#ifdef __CUDACC__
    return __dadd_rn(a, b);
#else
    return a + b;
#endif
}

#endif
