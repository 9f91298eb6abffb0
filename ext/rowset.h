/*
 * rowset.h - the rows that conditions on columns other than vectors allow, as bits per slot.
 */
#ifndef VS_ROWSET_H
#define VS_ROWSET_H

#include "conditions.h"
#include "view.h"

/* What of a cell is in a set: no row, some rows, every row. */
enum { VS_ROWSET_NONE, VS_ROWSET_SOME, VS_ROWSET_ALL };

typedef struct vs_rowset {
    vs_cached base;
    int64_t rows;               /* number of rows; of whole cells: their live rows */
    size_t cell_count;          /* of the view that it was made for */
    size_t words;               /* per cell: slots / 64, at least 1 */
    uint64_t *bits;             /* [cell_count][words]; NULL when only whole cells are chosen */
    uint8_t *cells;             /* [cell_count] as above; some: those of bits */
    const uint8_t *fingerprint; /* of the conditions */
    size_t fingerprint_bytes;
} vs_rowset;

/*
 * Evaluates the conditions, which SQLite does over t_parts and t_rows, or takes the result from the
 * cache: the key is the view's stamp and the conditions' text and values. No conditions: *out is
 * NULL (all rows). The caller owns one reference.
 */
int vs_rowset_get(vs_store *store, const vs_view *view, const vs_conditions *conditions,
                  vs_rowset **out, vs_err *err);

/* Does it hold the row in this slot of cell number `cell` of the view? And: clears the bits of
 * words[count] whose rows it does not hold. */
int vs_rowset_has(const vs_rowset *set, size_t cell, uint32_t slot);
void vs_rowset_mask(const vs_rowset *set, size_t cell, uint64_t *words, size_t count);

/* The rows of a list of rowids (rising, no duplicates) that exist and are in `within` (NULL: all).
 * Not cached. */
int vs_rowset_of_ids(vs_store *store, const vs_view *view, const int64_t *ids, size_t count,
                     const vs_rowset *within, vs_rowset **out, vs_err *err);

#endif
