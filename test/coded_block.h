/*
 * coded_block.h - a coded cell in memory, made from vectors without a table.
 */
#ifndef CODED_BLOCK_H
#define CODED_BLOCK_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../ext/codes.h"
#include "../ext/view.h"
#include "read_code.h"

#define CODED_DIM_MAX 448 /* of codes */

/* One without rows. coded_block_free frees it; it is no object of the cache. */
static inline vs_block *coded_block_new(uint32_t slots, size_t code_dim)
{
    vs_block *block = calloc(1, sizeof *block);
    block->slots = slots;
    block->is_coded = 1;
    block->code_dim = code_dim;
    block->b_stride = code_dim / 2;
    block->rowids = calloc(slots, sizeof *block->rowids);
    block->rows = calloc(slots, sizeof *block->rows);
    float **const terms[] = {&block->r, &block->cos4, &block->sin4, &block->inv4};
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        *terms[i] = calloc(slots, sizeof(float));
    }
    block->plane_b = calloc(slots, code_dim / 2);
    block->plane_c = calloc(slots, code_dim / 2);
    return block;
}

static inline void coded_block_free(vs_block *block)
{
    if (block == NULL) {
        return;
    }
    float *const terms[] = {block->r, block->cos4, block->sin4, block->inv4};
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        free(terms[i]);
    }
    free(block->rows);
    free(block->rowids);
    free((void *)(uintptr_t)block->plane_b);
    free((void *)(uintptr_t)block->plane_c);
    free(block);
}

/* Codes a vector into a slot, as a table would. */
static inline int coded_block_set(vs_block *block, uint32_t slot, const vs_code *code,
                                  const void *vector)
{
    uint8_t coarse[VS_CODE_HEADER_BYTES + CODED_DIM_MAX / 2], fine[CODED_DIM_MAX / 2];
    float scratch[CODED_DIM_MAX];
    vs_code_record record;
    size_t bytes = block->code_dim / 2;
    vs_code_row(code, (int64_t)slot, vector, scratch, coarse, fine);
    int rc = vs_test_read_code("t", 0, (int64_t)slot, coarse, fine, block->code_dim, &record, NULL);
    if (rc != SQLITE_OK) {
        return rc;
    }
    block->rowids[slot] = record.rowid;
    block->has[slot / 64] &= ~((uint64_t)1 << (slot % 64));
    block->has[slot / 64] |= (uint64_t)(record.flags & VS_CODE_HAS_VECTOR ? 1 : 0) << (slot % 64);
    vs_row_terms *terms = &block->rows[slot];
    terms->r = block->r[slot] = record.flags & VS_CODE_NO_BOUND ? NAN : record.r;
    terms->cos4 = block->cos4[slot] = record.terms.cos4;
    terms->sin4 = block->sin4[slot] = record.terms.sin4;
    terms->inv4 = block->inv4[slot] = record.terms.inv4;
    terms->cos8 = record.terms.cos8;
    terms->sin8 = record.terms.sin8;
    terms->inv8 = record.terms.inv8;
    terms->is_there = record.flags & VS_CODE_HAS_VECTOR ? 1 : 0;
    memcpy((uint8_t *)(uintptr_t)block->plane_b + slot * bytes, record.plane_b, bytes);
    memcpy((uint8_t *)(uintptr_t)block->plane_c + slot * bytes, record.plane_c, bytes);
    return SQLITE_OK;
}

#endif
