/*
 * store_cold.h - full vectors of cold cells: what store_cold.c offers to the other files of the store.
 *
 * Only coded columns whose vectors the table keeps itself can be cold, and only in coded cells.
 */
#ifndef VS_STORE_COLD_H
#define VS_STORE_COLD_H

#include "store_impl.h"

int vs_store_can_be_cold(const vs_store *store, int vector);

/* A row of t_vectors from its block, whole records: out [group bytes]. *out_found 0: there is no such
 * block. */
int vs_store_cold_group(vs_store *store, int vector, int64_t group, uint8_t *out, int *out_found,
                        vs_err *err);

/* Seals what a cell holds now, or brings it back to t_vectors; in a change that the caller has begun.
 * Rows and vectors stay as they are. */
int vs_store_seal_column(vs_store *store, int vector, const vs_cell *cell, vs_err *err);
int vs_store_thaw_column(vs_store *store, int vector, const vs_cell *cell, vs_err *err);

/* Before a slot whose group is in use is written: brings the group back if it is cold. Where what is
 * deleted has to be overwritten (secure_delete), nothing of it stays in the block, also of a group
 * that came back before. */
int vs_store_warm_group(vs_store *store, int vector, const vs_cell *cell, uint32_t slot,
                        vs_err *err);

int vs_store_cold_delete_cell(vs_store *store, int vector, int64_t cell, vs_err *err);

#endif
