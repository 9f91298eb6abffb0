/*
 * column.h - SQL values as vectors of one column of a vecshard table.
 */
#ifndef VS_COLUMN_H
#define VS_COLUMN_H

#include "declare.h"
#include "value.h"

/*
 * Reads a value (not NULL) as a vector of the column, in the type `to`: the declared one for
 * queries, the stored one for rows.
 *
 *   place   begins messages: "memories.embedding, row 7"
 *   memory  holds what had to be converted or copied; *out is there, or in the value
 *
 * A BLOB without subtype is of the column's type when its size fits, else float32 for the float
 * types when that fits. JSON text and typed values of a float type are converted. Errors, each a
 * sentence: another number of elements, an element type that does not convert, NaN, infinity, a
 * number beyond the type.
 */
int vs_column_read(const vs_vector_spec *spec, const char *place, sqlite3_value *value, vsk_type to,
                   vs_scratch memory[2], const void **out, vs_err *err);

#endif
