/*
 * convert.h - VSG_CONVERT: rows as they were given become stored rows and their terms.
 *
 * One block of VSG_CONVERT_THREADS threads for each row. The elements are taken to shared memory as
 * float32, the sum of squares and the largest magnitude are found, for VSG_I8 the row is rotated
 * (bound.h), then it is stored, and what was lost is summed up in double precision. Rows that are not
 * finite, or beyond the norms of bound.h, are stored as zeros with an infinite error.
 *
 * Where vectors are kept the row is copied there, element by element.
 *
 * Shared memory: elements [elements] float, then vsg_convert_shared. Barriers: around every stage of
 * the rotation and every step of the sums, which halve the threads.
 */
#ifndef VSG_CONVERT_H
#define VSG_CONVERT_H

#include "bound.h"

#define VSG_CONVERT_THREADS 128

typedef struct vsg_convert_shared {
    double sums[VSG_CONVERT_THREADS];
    float largest[VSG_CONVERT_THREADS];
    double sumsq;
    float scale; /* 0: no bound */
} vsg_convert_shared;

/* A program without anything to keep between phases. */
typedef struct vsg_no_state {
    uint32_t unused;
} vsg_no_state;

/* Element i of a vector, which is aligned as its elements are. */
VSG_FN float vsg_element(const void *vector, vsg_type type, uint64_t i)
{
    switch (type) {
    case VSG_TYPE_F32:
        return ((const float *)vector)[i];
    case VSG_TYPE_F16:
        return vsg_f16_float(((const uint16_t *)vector)[i]);
    case VSG_TYPE_BF16:
        return vsg_bits_float((uint32_t)((const uint16_t *)vector)[i] << 16);
    default:
        return (float)((const int8_t *)vector)[i];
    }
}

VSG_FN void vsg_convert_copy(void *to, const void *from, uint64_t from_at, uint64_t i,
                             vsg_type type)
{
    switch (vsg_type_bytes(type)) {
    case 4:
        ((uint32_t *)to)[i] = ((const uint32_t *)from)[from_at + i];
        break;
    case 2:
        ((uint16_t *)to)[i] = ((const uint16_t *)from)[from_at + i];
        break;
    default:
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[from_at + i];
    }
}

/* Phase: the row to shared memory and to the kept vectors; signs of the rotation. */
VSG_FN void vsg_convert_read(const vsg_convert_args *args, uint32_t row, float *v,
                             vsg_convert_shared *shared, uint32_t thread)
{
    const vsg_layout *layout = &args->layout;
    const uint64_t at = (uint64_t)row * layout->dim;
    uint8_t *kept =
        args->segment + layout->vectors_at + ((uint64_t)args->first + row) * layout->vector_stride;
    double sum = 0;
    float largest = 0;

    for (uint32_t i = thread; i < layout->elements; i += VSG_CONVERT_THREADS) {
        float value = 0;
        if (i < layout->dim) {
            value = vsg_element(args->vectors, args->type, at + i);
            if (layout->vectors_at) {
                vsg_convert_copy(kept, args->vectors, at, i, args->type);
            }
        }
        sum += (double)value * (double)value;
        /* NaN becomes infinity */
        largest = fabsf(value) <= largest
                      ? largest
                      : (fabsf(value) < VSG_INFINITY ? fabsf(value) : VSG_INFINITY);
        v[i] = args->format == VSG_I8 && vsg_rotate_is_negative(i) ? -value : value;
    }
    shared->sums[thread] = sum;
    shared->largest[thread] = largest;
}

VSG_FN void vsg_convert_fold(vsg_convert_shared *shared, uint32_t half, uint32_t thread)
{
    if (thread < half) {
        const float other = shared->largest[thread + half];
        shared->sums[thread] += shared->sums[thread + half];
        shared->largest[thread] = other > shared->largest[thread] ? other : shared->largest[thread];
    }
}

/* Phase, of thread 0: what is known before the rotation. */
VSG_FN void vsg_convert_norm(vsg_convert_shared *shared)
{
    const double norm = sqrt(shared->sums[0]);
    shared->sumsq = shared->sums[0];
    shared->scale = shared->largest[0] < VSG_INFINITY &&
                            (norm == 0 || (norm >= VSG_NORM_MIN && norm <= VSG_NORM_MAX))
                        ? 1.0f
                        : 0.0f;
}

VSG_FN void vsg_convert_stage(const vsg_layout *layout, float *v, uint32_t half, uint32_t thread)
{
    for (uint32_t pair = thread; pair < layout->elements / 2; pair += VSG_CONVERT_THREADS) {
        vsg_rotate_pair(v, half, pair);
    }
}

/* Phase: the last step of the rotation, and the largest magnitude anew. */
VSG_FN void vsg_convert_unit(const vsg_layout *layout, float *v, vsg_convert_shared *shared,
                             uint32_t thread)
{
    const float unit = (float)(1.0 / sqrt((double)vsg_rotate_block(layout->elements)));
    float largest = 0;

    for (uint32_t i = thread; i < layout->elements; i += VSG_CONVERT_THREADS) {
        v[i] *= unit;
        largest = fabsf(v[i]) > largest ? fabsf(v[i]) : largest;
    }
    shared->largest[thread] = largest;
}

/* Phase, of thread 0: the scale of the row. */
VSG_FN void vsg_convert_scale(vsg_format format, vsg_convert_shared *shared)
{
    const float largest = shared->largest[0];
    if (shared->scale != 0.0f && largest > 0) {
        shared->scale = format == VSG_F16 ? vsg_f16_scale(largest) : largest / 127.0f;
    }
}

/* Phase: stores the row, sums up the squares of what is lost. */
VSG_FN void vsg_convert_write(const vsg_convert_args *args, uint32_t row, const float *v,
                              vsg_convert_shared *shared, uint32_t thread)
{
    const vsg_layout *layout = &args->layout;
    uint8_t *stored =
        args->segment + layout->rows_at + ((uint64_t)args->first + row) * layout->row_stride;
    const float scale = shared->scale;
    double lost = 0;

    for (uint32_t i = thread; i < layout->elements; i += VSG_CONVERT_THREADS) {
        const float value = scale != 0.0f ? v[i] : 0.0f;
        double stands_for;
        if (args->format == VSG_F16) {
            const uint16_t half =
                scale != 0.0f ? vsg_float_f16(value * vsg_power_inverse(scale)) : (uint16_t)0;
            ((uint16_t *)(void *)stored)[i] = half;
            stands_for = (double)vsg_f16_float(half) * (double)scale;
        } else {
            float steps = scale != 0.0f ? rintf(value / scale) : 0.0f;
            steps = steps > 127.0f ? 127.0f : steps < -127.0f ? -127.0f : steps;
            ((int8_t *)stored)[i] = (int8_t)steps;
            stands_for = (double)steps * (double)scale;
        }
        lost += ((double)value - stands_for) * ((double)value - stands_for);
    }
    shared->sums[thread] = lost;
}

/* Phase, of thread 0. */
VSG_FN void vsg_convert_terms(const vsg_convert_args *args, uint32_t row,
                              const vsg_convert_shared *shared)
{
    const double norm = sqrt(shared->sumsq);
    double error = sqrt(shared->sums[0]) * (1 + 1e-9);
    vsg_row_terms *terms =
        (vsg_row_terms *)(void *)(args->segment + args->layout.terms_at) + args->first + row;

    if (shared->scale == 0.0f) {
        terms->scale = 0;
        terms->sumsq = 0;
        terms->error = VSG_INFINITY;
        terms->inv_norm = 1; /* not zero: it may be in an answer */
        return;
    }
    if (args->format == VSG_I8) {
        error += VSG_ROTATION_ERROR * norm;
    }
    terms->scale = shared->scale;
    terms->sumsq = (float)shared->sumsq;
    terms->error = vsg_float_above(error);
    terms->inv_norm = norm > 0 ? (float)(1 / norm) : 0.0f;
}

#define VSG_CONVERT_FOLD(block, shared)                                                            \
    for (uint32_t half = VSG_CONVERT_THREADS / 2; half > 0; half /= 2) {                           \
        VSG_PHASE(block, thread, vsg_convert_fold(shared, half, thread));                          \
        VSG_BARRIER();                                                                             \
    }

VSG_FN void vsg_convert_program(const vsg_convert_args *args, vsg_block *block, uint8_t *memory,
                                vsg_no_state *states)
{
    const vsg_layout *layout = &args->layout;
    float *v = (float *)(void *)memory;
    vsg_convert_shared *shared = (vsg_convert_shared *)(void *)(v + layout->elements);
    const uint32_t row = block->index;

    (void)states;
    VSG_PHASE(block, thread, vsg_convert_read(args, row, v, shared, thread));
    VSG_BARRIER();
    VSG_CONVERT_FOLD(block, shared);
    VSG_PHASE(block, thread, {
        if (thread == 0) {
            vsg_convert_norm(shared);
        }
    });
    VSG_BARRIER();
    if (args->format == VSG_I8) {
        for (uint32_t half = 1; half < vsg_rotate_block(layout->elements); half *= 2) {
            VSG_PHASE(block, thread, vsg_convert_stage(layout, v, half, thread));
            VSG_BARRIER();
        }
        VSG_PHASE(block, thread, vsg_convert_unit(layout, v, shared, thread));
        VSG_BARRIER();
        VSG_CONVERT_FOLD(block, shared);
    }
    VSG_PHASE(block, thread, {
        if (thread == 0) {
            vsg_convert_scale(args->format, shared);
        }
    });
    VSG_BARRIER();
    VSG_PHASE(block, thread, vsg_convert_write(args, row, v, shared, thread));
    VSG_BARRIER();
    VSG_CONVERT_FOLD(block, shared);
    VSG_PHASE(block, thread, {
        if (thread == 0) {
            vsg_convert_terms(args, row, shared);
        }
    });
}

VSG_BOTH uint32_t vsg_convert_memory(uint32_t elements)
{
    return elements * 4u + (uint32_t)sizeof(vsg_convert_shared);
}

#endif
