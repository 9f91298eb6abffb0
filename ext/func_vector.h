/*
 * func_vector.h - scalar SQL functions that make, take apart and change vectors.
 */
#ifndef VS_FUNC_VECTOR_H
#define VS_FUNC_VECTOR_H

#include "func.h"

int vs_func_vector_register(vs_conn *conn);

#endif
