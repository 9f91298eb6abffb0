/*
 * model_steps.c - the mix of operations of a case.
 */
#include "model.h"

void model_steps(model *test, int count)
{
    for (int i = 0; i < count; i++, test->step++) {
        uint32_t what = model_pick(test, 100);
        if (what < 38) {
            model_change(test);
        } else if (what < 70) {
            model_compare_search(test);
        } else if (what < 83) {
            model_move_transaction(test);
        } else if (what < 87) {
            model_compare_rows(test);
        } else if (what < 95) {
            model_upkeep(test);
        } else if (what < 98) {
            model_copy(test);
        } else {
            model_forget(test);
        }
    }
}
