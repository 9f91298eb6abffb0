/*
 * view_front.c - the front planes of a view: its learner, and planes for its cells once there is a
 * basis.
 *
 * Planes are objects of the cache, each made from one cell's codes. A view that is shared gets them
 * one by one, while it is searched.
 *
 * Calls: front.c, front_learn.c, cache.c.
 * Called by: view.c, nearest.c.
 * Threads: making planes: any. They touch no SQLite but its allocator.
 */
#include "front_learn.h"
#include "metrics.h"

#define FRONT_MAKE_NS 20000000 /* in one search */
#define FRONT_SERIAL_SHIFT 44  /* of a basis's serial, above the cell's id in a key */

static int front_learners_are_alike(const void *a, const void *b)
{
    const vs_learner *left = a, *right = b;
    return left->code_id == right->code_id && left->code_dim == right->code_dim;
}

static int front_planes_are_alike(const void *a, const void *b)
{
    const vs_front *left = a, *right = b;
    return left->basis == right->basis && left->slots == right->slots;
}

int vs_view_has_code(const vs_view *view, size_t i, uint64_t code_id)
{
    return view->blocks[i] != NULL && view->blocks[i]->is_coded &&
           view->cells[i].code_id[view->vector] == code_id;
}

/* The learner of the first coded cell's description, when all cells are in memory. */
void vs_view_find_learner(const vs_store *store, vs_view *view)
{
    static const uint8_t any_stamp[VS_STAMP_BYTES];
    const vs_cell *coded = NULL;
    vs_cache_key key;
    for (size_t i = 0; i < view->cell_count; i++) {
        if (view->blocks[i] == NULL) {
            return;
        }
        coded = coded == NULL && view->blocks[i]->is_coded ? &view->cells[i] : coded;
    }
    if (coded == NULL || view->slots % VSK_FRONT_ROWS != 0) {
        return;
    }
    uint64_t code_id = coded->code_id[view->vector];
    vs_view_key(store, view->vector, VS_CACHE_LEARNER, (int64_t)code_id, any_stamp, &key);
    vs_learner *learner = vs_cache_get(&key);
    if (learner == NULL || learner->code_dim != view->code_dim) {
        vs_cached_unref(learner);
        learner = vs_learner_new(code_id, view->code_dim);
        if (learner != NULL) {
            learner = vs_cache_put(&key, learner, front_learners_are_alike);
        }
    }
    view->learner = learner;
}

/* A cell's front plane from the cache, or made and put there; NULL without memory or room. */
static vs_front *front_get(const vs_store *store, const vs_view *view, size_t i, vs_basis *basis)
{
    const vs_cell *cell = &view->cells[i];
    vs_cache_key key;
    vs_view_key(store, view->vector, VS_CACHE_FRONT, cell->id, cell->stamp, &key);
    key.id ^= basis->serial << FRONT_SERIAL_SHIFT; /* another basis, another thing */
    vs_front *front = vs_cache_get(&key);
    if (front != NULL && front->basis == basis && front->slots == view->slots) {
        return front;
    }
    vs_cached_unref(front);
    if (!vs_cache_has_room(&key, vs_front_bytes(basis, view->slots))) {
        return NULL;
    }
    front = vs_front_new(basis, view->blocks[i]);
    return front == NULL ? NULL : vs_cache_put(&key, front, front_planes_are_alike);
}

void vs_view_make_fronts(const vs_store *store, vs_view *view)
{
    int64_t deadline = vs_metrics_now_ns() + FRONT_MAKE_NS;
    vs_basis *basis = vs_learner_basis(view->learner);
    size_t i = atomic_load(&view->front_cells);
    for (; basis != NULL && i < view->cell_count; i++) {
        vs_front *none = NULL;
        if (atomic_load(&view->fronts[i]) != NULL ||
            !vs_view_has_code(view, i, basis->code_id) ||
            view->blocks[i]->code_dim != basis->code_dim) {
            continue;
        }
        if (vs_metrics_now_ns() > deadline) {
            break;
        }
        vs_front *front = front_get(store, view, i, basis);
        if (front == NULL) {
            i = view->cell_count; /* those that there are will do */
            break;
        }
        if (!atomic_compare_exchange_strong(&view->fronts[i], &none, front)) {
            vs_cached_unref(front); /* another thread was faster */
        }
    }
    if (basis != NULL) {
        atomic_store(&view->front_cells, i);
    }
}
