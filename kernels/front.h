/*
 * front.h - the front plane: rows by their projections on a few directions, 8 bits each, and the
 * bound test on them. It is scanned before the codes of code.h, where it drops most rows.
 *
 * The plane lives in memory alone. Its layout serves the kernels: rows stand in groups of
 * VSK_FRONT_ROWS, and a group holds, for each pair of directions, the two values of every row:
 *
 *     value of row i, direction j: rows[((i / 16 * (m / 2) + j / 2) * 16 + i % 16) * 2 + j % 2]
 *
 * So one register of pairs belongs to as many rows as it has lanes, and no sum crosses lanes.
 *
 * Functions may be called by any thread and allocate nothing.
 */
#ifndef VSK_FRONT_H
#define VSK_FRONT_H

#include "vsk.h"

#define VSK_FRONT_ROWS 16
#define VSK_FRONT_STEP 32 /* m is a multiple of it ... */
#define VSK_FRONT_MAX 256 /* ... and at most this */

static inline size_t vsk_front_at(size_t row, size_t direction, size_t m)
{
    size_t pair = row / VSK_FRONT_ROWS * (m / 2) + direction / 2;
    return (pair * VSK_FRONT_ROWS + row % VSK_FRONT_ROWS) * 2 + direction % 2;
}

/*
 * vsk_front_dot_fn: products of queries with each row: out[q * out_stride + i] = sum over j of
 * w_qj * row_ij, exact (|out| <= 32767 * 127 * 256 < 2^31).
 *
 *   w      [q_count][m]  query q at w + q * w_stride; elements within -32767 .. 32767
 *   rows   [count * m] bytes in the layout above, elements within -127 .. 127
 *   out    [q_count][count]
 *
 * count is a multiple of VSK_FRONT_ROWS. Any alignment.
 */

/*
 * vsk_front_pass_fn: which rows may still be within the limit. Row i is dropped when
 *
 *     c[0] + c[1] t[i] + c[2] dots[i] + c[3] rest[i] + c[4] g[i] + c[5] g[i]^2 > 0
 *
 * in float32, in any order of evaluation: the caller's coefficients pay for the rounding. A NaN
 * keeps the row. Where c[3], c[4] and c[5] are 0, what they stand before may be left unread: a NaN
 * there may count or not. Writes the positions of the rows that stay, rising, to out[count] and
 * returns their number; what lies behind them is undefined. count <= 65,535.
 */
typedef struct vsk_front_test {
    float c[6];
} vsk_front_test;

#endif
