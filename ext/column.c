/*
 * column.c - SQL values as vectors of one column of a vecshard table.
 *
 * Calls: value.c.
 * Called by: vtab_index.c, vtab_write.c, content.c.
 * Threads: the connection's.
 */
#include "column.h"

static int column_is_float(vsk_type type)
{
    return type == VSK_F32 || type == VSK_F16 || type == VSK_BF16;
}

/* The element type of a BLOB or text without subtype. */
static vsk_type column_given_type(const vs_vector_spec *spec, sqlite3_value *value)
{
    if (column_is_float(spec->type) && sqlite3_value_type(value) == SQLITE_BLOB) {
        size_t n = (size_t)sqlite3_value_bytes(value);
        if (n != vsk_bytes(spec->type, spec->dim) && n == vsk_bytes(VSK_F32, spec->dim)) {
            return VSK_F32;
        }
    }
    return spec->type;
}

int vs_column_read(const vs_vector_spec *spec, const char *place, sqlite3_value *value, vsk_type to,
                   vs_scratch memory[2], const void **out, vs_err *err)
{
    vs_vec given, converted;
    int subtype = vs_value_subtype(value);
    int rc = vs_value_read(place, value, column_given_type(spec, value), &memory[0], &given, err);
    if (rc == SQLITE_OK && given.type != spec->type &&
        !(column_is_float(given.type) && column_is_float(spec->type))) {
        return vs_error(err, SQLITE_ERROR, "%s: expected %s elements, found %s", place,
                        vsk_type_name(spec->type),
                        vsk_type_name(subtype >= 0 ? (vsk_type)subtype : given.type));
    }
    if (rc == SQLITE_OK && given.dim != spec->dim) {
        return vs_error(err, SQLITE_ERROR, "%s: expected %lld elements, found %lld", place,
                        (long long)spec->dim, (long long)given.dim);
    }
    if (rc == SQLITE_OK) {
        rc = vs_value_check_finite(place, &given, err);
    }
    /* By way of the declared type, so that what is stored is what that type would hold. */
    if (rc == SQLITE_OK && given.type != spec->type) {
        rc = vs_value_convert(place, &given, spec->type, &memory[1], &converted, err);
        given = converted;
    }
    if (rc == SQLITE_OK && given.type != to) {
        vs_scratch *free_one = given.data == memory[1].memory ? &memory[0] : &memory[1];
        rc = vs_value_convert(place, &given, to, free_one, &converted, err);
        given = converted;
    }
    *out = rc == SQLITE_OK ? given.data : NULL;
    return rc;
}
