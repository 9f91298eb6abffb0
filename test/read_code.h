/*
 * read_code.h - one code of a row, where the format reads some at a time.
 */
#ifndef VS_TEST_READ_CODE_H
#define VS_TEST_READ_CODE_H

#include "../ext/format.h"

static inline int vs_test_read_code(const char *table, int vector, int64_t loc,
                                    const uint8_t *coarse, const uint8_t *fine, size_t code_dim,
                                    vs_code_record *out, vs_err *err)
{
    const vs_code_rows rows = {coarse, fine, 0, 0, code_dim};
    return vs_format_read_codes(table, vector, loc, &rows, 1, 1, out, err);
}

#endif
