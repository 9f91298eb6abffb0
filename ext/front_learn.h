/*
 * front_learn.h - learns, from a table's codes and its searches, whether a front plane pays and on
 * which directions.
 */
#ifndef VS_FRONT_LEARN_H
#define VS_FRONT_LEARN_H

#include "front.h"
#include "lock.h"

/* What one description of codes has been found out about. Shared by all connections through the
 * cache. */
struct vs_learner {
    vs_cached base;
    uint64_t code_id;
    size_t code_dim;
    atomic_int is_open;        /* something may be learned yet */
    vs_lock lock;              /* of one step; searches that find it taken leave it alone */
    _Atomic(vs_basis *) basis; /* one reference; NULL until chosen */
    struct learn_work *work;   /* owned; under the lock; NULL: nothing to do (any more) */
};

/* A learner in its first phase, for codes of this description. NULL without memory. */
vs_learner *vs_learner_new(uint64_t code_id, size_t code_dim);

/* The basis, borrowed as long as the learner; NULL: none. */
vs_basis *vs_learner_basis(vs_learner *learner);

/* Does it want to see searches? */
int vs_learner_is_open(vs_learner *learner);

/* A search that has ended. */
typedef struct vs_lesson {
    const vs_view *view; /* all cells of its table in memory */
    const vs_probe *probe;
    const float *direction; /* as for vs_front_query_init */
    double limit;           /* distance of the last row of the answer; infinity: it was not full */
    double passed_b;        /* share of the rows that passed plane B */
} vs_lesson;

/* One step of learning: about a millisecond. Returns 1 while the search has more to give. */
int vs_learner_step(vs_learner *learner, const vs_lesson *lesson);

/*
 * Goes on learning for some milliseconds: step by step. A table of less than some thousand coded rows, or of few
 * dimensions, teaches nothing. Without memory nothing is learned: never an error.
 */
void vs_learner_take(vs_learner *learner, const vs_lesson *lesson);

#endif
