/*
 * topk.c - the k smallest (distance, id) pairs, in a binary max-heap in the caller's memory.
 *
 * The root is the last pair kept, so a candidate is rejected by one comparison.
 */
#include <math.h>

#include "vsk.h"

static inline int topk_before(const vsk_hit *a, const vsk_hit *b)
{
    return a->distance < b->distance || (a->distance == b->distance && a->id < b->id);
}

/* Puts `hit` where it belongs on the way from `hole` down to the leaves of heap[0..count). */
static void topk_sift_down(vsk_hit *heap, size_t count, size_t hole, vsk_hit hit)
{
    while (2 * hole + 1 < count) {
        size_t child = 2 * hole + 1;
        if (child + 1 < count && topk_before(&heap[child], &heap[child + 1])) {
            child++;
        }
        if (!topk_before(&hit, &heap[child])) {
            break;
        }
        heap[hole] = heap[child];
        hole = child;
    }
    heap[hole] = hit;
}

static void topk_sift_up(vsk_hit *heap, size_t hole, vsk_hit hit)
{
    while (hole > 0) {
        size_t parent = (hole - 1) / 2;
        if (!topk_before(&heap[parent], &hit)) {
            break;
        }
        heap[hole] = heap[parent];
        hole = parent;
    }
    heap[hole] = hit;
}

void vsk_topk_init(vsk_topk *topk, vsk_hit *memory, size_t capacity)
{
    topk->heap = memory;
    topk->capacity = capacity;
    topk->count = 0;
}

int vsk_topk_admits(const vsk_topk *topk, double distance, int64_t id)
{
    vsk_hit hit = {distance, id};

    if (topk->count < topk->capacity) {
        return 1;
    }
    return topk->capacity != 0 && topk_before(&hit, &topk->heap[0]);
}

void vsk_topk_push(vsk_topk *topk, double distance, int64_t id)
{
    vsk_hit hit = {distance, id};

    if (topk->count < topk->capacity) {
        topk_sift_up(topk->heap, topk->count, hit);
        topk->count++;
    } else if (vsk_topk_admits(topk, distance, id)) {
        topk_sift_down(topk->heap, topk->count, 0, hit);
    }
}

double vsk_topk_worst(const vsk_topk *topk)
{
    return topk->count < topk->capacity || topk->capacity == 0 ? (double)INFINITY
                                                               : topk->heap[0].distance;
}

void vsk_topk_sort(vsk_topk *topk)
{
    for (size_t last = topk->count; last > 1; last--) {
        vsk_hit hit = topk->heap[last - 1];
        topk->heap[last - 1] = topk->heap[0];
        topk_sift_down(topk->heap, last - 1, 0, hit);
    }
}
