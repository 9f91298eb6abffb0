/*
 * maint.c - commands on a vecshard table.
 *
 *     INSERT INTO t(t) VALUES('optimize');
 *     INSERT INTO t(t, arg) VALUES('merge', 500);
 *     INSERT INTO t(t, arg, tenant) VALUES('tier', 'cold', 7);
 *
 * Calls: store.c, store_pack.c, codes.c, content.c, check.c, metrics.c.
 * Called by: vtab_write.c.
 * Threads: the connection's.
 */
#include "maint.h"

#include <stdlib.h>

#include "codes.h"
#include "content.h"
#include "store_text.h"

#define MAINT_SAMPLE_ROWS 65536 /* that a new anchor is the mean of, at most */

/* ---- the cells of a table -------------------------------------------------------------------- */

static int maint_list(vs_store *store, vs_cell_list *out, vs_err *err)
{
    vs_head head;
    memset(out, 0, sizeof *out);
    int rc = vs_store_load(store, err);
    if (rc == SQLITE_OK) {
        rc = vs_store_head(store, &head, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_list_cells(store, &head, out, err);
    }
    return rc;
}

/* By partition, the fullest first. */
static int maint_compare(const void *a, const void *b)
{
    const vs_cell *left = a, *right = b;
    if (left->part != right->part) {
        return left->part < right->part ? -1 : 1;
    }
    if (left->live != right->live) {
        return left->live > right->live ? -1 : 1;
    }
    return left->id < right->id ? -1 : left->id > right->id;
}

static int maint_learn(vs_store *store, int vector, const vs_cell_list *list, int is_always,
                       vs_err *err);

/* ---- optimize -------------------------------------------------------------------------------- */

/* The rowids in a cell, from the records of its first vector column: ids [slots]. */
static int maint_rowids(vs_store *store, const vs_cell *cell, int64_t *ids, size_t *out_count,
                        vs_err *err)
{
    size_t record_bytes = store->geometry.vectors[0].record_bytes;
    uint8_t *records = sqlite3_malloc64(store->geometry.slots * record_bytes);
    *out_count = 0;
    int rc =
        records == NULL ? SQLITE_NOMEM : vs_store_read_vectors(store, 0, cell->id, records, err);
    for (uint32_t slot = 0; slot < store->geometry.slots && rc == SQLITE_OK; slot++) {
        const void *data;
        if (vs_cell_has(cell, slot)) {
            rc = vs_format_read_record(store->label, 0,
                                       cell->id * (int64_t)store->geometry.slots + slot,
                                       records + slot * record_bytes, record_bytes,
                                       store->geometry.vectors[0].vector_bytes, record_bytes,
                                       &ids[*out_count], &data, err);
            *out_count += 1;
        }
    }
    sqlite3_free(records);
    return rc;
}

/* Work of one command: at most `rows` rows are moved or coded again. */
typedef struct maint_work {
    vs_store *store;
    int64_t rows, done;
    int job;
    int64_t *ids; /* owned: [slots] */
    vs_err *err;
} maint_work;

static void maint_step(maint_work *work, int64_t rows)
{
    work->done += rows;
    vs_job_progress(work->job, work->done);
}

/* Moves the rows of one cell into another as far as there is room. */
static int maint_pour(maint_work *work, vs_cell *from, vs_cell *into)
{
    uint32_t slots = work->store->geometry.slots;
    size_t count = 0;
    int rc = maint_rowids(work->store, from, work->ids, &count, work->err);
    for (size_t i = 0;
         i < count && into->live < slots && work->done < work->rows && rc == SQLITE_OK; i++) {
        rc = vs_store_move(work->store, work->ids[i], into->id, work->err);
        from->live--;
        into->live++;
        maint_step(work, 1);
    }
    if (rc == SQLITE_OK && from->live > 0) {
        rc = vs_store_cell(work->store, from->id, from, work->err);
    }
    return rc;
}

/* The cells of one partition, the fullest first: the emptiest are poured into the fullest that have
 * room. */
static int maint_merge_part(maint_work *work, vs_cell *cells, size_t count)
{
    uint32_t slots = work->store->geometry.slots;
    size_t into = 0, from = count;
    int rc = SQLITE_OK;
    while (from > into + 1 && work->done < work->rows && rc == SQLITE_OK) {
        int64_t room = 0;
        for (size_t i = into; i + 1 < from; i++) {
            room += slots - cells[i].live;
        }
        if (room < (int64_t)cells[from - 1].live) {
            break; /* nothing more can be emptied */
        }
        if (cells[into].live == slots) {
            into++;
            continue;
        }
        rc = maint_pour(work, &cells[from - 1], &cells[into]);
        from -= cells[from - 1].live == 0;
    }
    return rc;
}

static int maint_merge(maint_work *work, vs_cell_list *list)
{
    int rc = SQLITE_OK;
    if (list->count > 0) { /* qsort takes no NULL */
        qsort(list->cells, list->count, sizeof *list->cells, maint_compare);
    }
    for (size_t first = 0, last; first < list->count && rc == SQLITE_OK; first = last) {
        for (last = first; last < list->count && list->cells[last].part == list->cells[first].part;
             last++) {
        }
        rc = maint_merge_part(work, list->cells + first, last - first);
    }
    return rc;
}

/* Codes again what was coded with an older description. */
static int maint_recode(maint_work *work, const vs_cell_list *list, int is_all)
{
    vs_store *store = work->store;
    int rc = SQLITE_OK;
    for (size_t i = 0; i < list->count && work->done < work->rows && rc == SQLITE_OK; i++) {
        const vs_cell *cell = &list->cells[i];
        int is_old = is_all;
        for (int v = 0; v < store->declaration.vector_count && rc == SQLITE_OK; v++) {
            const vs_code *code = NULL;
            if (store->geometry.vectors[v].is_coded && cell->is_coded) {
                rc = vs_store_code_current(store, v, &code, work->err);
                is_old |= rc == SQLITE_OK && code->id != cell->code_id[v];
            }
        }
        if (rc == SQLITE_OK && cell->is_coded && is_old) {
            rc = vs_store_recode_cell(store, cell->id, work->err);
            maint_step(work, cell->live);
        }
    }
    return rc;
}

static int maint_begin(maint_work *work, vs_store *store, const char *phase, int64_t rows,
                       vs_err *err)
{
    memset(work, 0, sizeof *work);
    work->store = store;
    work->rows = rows;
    work->err = err;
    work->ids = sqlite3_malloc64(store->geometry.slots * sizeof *work->ids);
    work->job = work->ids == NULL
                    ? -1
                    : vs_job_begin("vecshard", store->label, phase, rows == INT64_MAX ? 0 : rows);
    return work->ids == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

static void maint_end(maint_work *work)
{
    vs_job_end(work->job);
    sqlite3_free(work->ids);
}

static int maint_optimize(vs_store *store, int64_t rows, vs_err *err)
{
    maint_work work;
    vs_cell_list list;
    int rc = maint_begin(&work, store, "optimize", rows, err);
    if (rc == SQLITE_OK) {
        rc = maint_list(store, &list, err);
        rc = rc == SQLITE_OK ? maint_merge(&work, &list) : rc;
        sqlite3_free(list.cells);
    }
    if (rc == SQLITE_OK) { /* cells have gone */
        rc = maint_list(store, &list, err);
        for (int i = 0; i < store->declaration.vector_count && rows == INT64_MAX && rc == SQLITE_OK;
             i++) {
            if (store->geometry.vectors[i].is_coded) { /* sampling reads many vectors: no step */
                rc = maint_learn(store, i, &list, 0, err);
            }
        }
        rc = rc == SQLITE_OK ? maint_recode(&work, &list, 0) : rc;
        sqlite3_free(list.cells);
    }
    maint_end(&work);
    return rc;
}

/* ---- rebuild --------------------------------------------------------------------------------- */

/* Adds the vectors of one cell to a mean. */
static int maint_add_to_mean(vs_store *store, int vector, const vs_cell *cell, const vs_code *code,
                             float *scratch, void *memory, double *sum, double *squares,
                             int64_t *count, vs_err *err)
{
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    uint8_t *records = sqlite3_malloc64(store->geometry.slots * record_bytes);
    int rc = records == NULL ? SQLITE_NOMEM
                             : vs_store_read_vectors(store, vector, cell->id, records, err);
    for (uint32_t slot = 0; slot < store->geometry.slots && rc == SQLITE_OK; slot++) {
        const void *data = NULL;
        int64_t rowid = 0;
        int is_missing = 0;
        if (!vs_cell_has(cell, slot)) {
            continue;
        }
        rc = vs_format_read_record(
            store->label, vector, cell->id * (int64_t)store->geometry.slots + slot,
            records + slot * record_bytes, record_bytes,
            store->geometry.vectors[vector].vector_bytes, record_bytes, &rowid, &data, err);
        if (rc == SQLITE_OK && data != NULL && !vs_store_has_vectors(store, vector)) {
            rc = vs_content_vector(store, vector, rowid, memory, &is_missing, err);
            data = is_missing ? NULL : memory;
        }
        if (rc == SQLITE_OK && data != NULL) {
            memset(scratch, 0, code->dim * sizeof *scratch);
            vs_code_mean_add(code, data, scratch, sum);
            for (size_t i = 0; i < code->dim; i++) {
                *squares += (double)scratch[i] * (double)scratch[i];
            }
            *count += 1;
        }
    }
    sqlite3_free(records);
    return rc;
}

/* Is the anchor farther from the mean than the points are, on average? */
static int maint_is_far(const vs_code *current, const float *mean, double squares, int64_t count)
{
    double of_mean = 0.0, apart = 0.0;
    for (size_t i = 0; i < current->dim; i++) {
        double d = (double)mean[i] - (double)current->anchor[i];
        of_mean += (double)mean[i] * (double)mean[i];
        apart += d * d;
    }
    return apart > squares / (double)count - of_mean;
}

/* Makes the mean of rows from cells spread evenly over the table the anchor of a column; unless
 * is_always, only where the present one is far from it. */
static int maint_learn(vs_store *store, int vector, const vs_cell_list *list, int is_always,
                       vs_err *err)
{
    const vs_code *current = NULL;
    double squares = 0.0;
    const vs_vector_spec *spec = &store->declaration.vectors[vector];
    size_t step = list->count * store->geometry.slots / MAINT_SAMPLE_ROWS + 1;
    vs_code *code = vs_code_new(spec, vector, 0, NULL);
    float *scratch = sqlite3_malloc64(vsk_code_dim(spec->dim) * sizeof *scratch);
    void *memory = sqlite3_malloc64(vsk_bytes(spec->stored, spec->dim));
    double *sum = sqlite3_malloc64(spec->dim * sizeof *sum);
    int64_t count = 0;
    int rc =
        code == NULL || scratch == NULL || memory == NULL || sum == NULL ? SQLITE_NOMEM : SQLITE_OK;
    if (rc == SQLITE_OK) {
        memset(sum, 0, spec->dim * sizeof *sum);
    }
    for (size_t i = 0; i < list->count && rc == SQLITE_OK; i += step) {
        rc = maint_add_to_mean(store, vector, &list->cells[i], code, scratch, memory, sum, &squares,
                               &count, err);
    }
    if (rc == SQLITE_OK && count >= store->geometry.slots) { /* of fewer rows it tells too much */
        vs_code_mean_finish(code, sum, count, scratch);
        rc = vs_store_code_current(store, vector, &current, err);
        if (rc == SQLITE_OK && (is_always || maint_is_far(current, scratch, squares, count))) {
            rc = vs_store_code_set(store, vector, scratch, err);
        }
    }
    sqlite3_free(sum);
    sqlite3_free(memory);
    sqlite3_free(scratch);
    sqlite3_free(code);
    return rc;
}

static int maint_recode_all(vs_store *store, vs_err *err)
{
    maint_work work;
    vs_cell_list list;
    int rc = maint_begin(&work, store, "rebuild", INT64_MAX, err);
    if (rc == SQLITE_OK) {
        rc = maint_list(store, &list, err);
        for (int i = 0; i < store->declaration.vector_count && rc == SQLITE_OK; i++) {
            if (store->geometry.vectors[i].is_coded) {
                rc = maint_learn(store, i, &list, 1, err);
            }
        }
        rc = rc == SQLITE_OK ? maint_recode(&work, &list, 1) : rc;
        sqlite3_free(list.cells);
    }
    maint_end(&work);
    return rc;
}

/* Deletes every row of an index over a content table: it is filled again. */
static int maint_empty(vs_store *store, vs_err *err)
{
    vs_cell_list list;
    int64_t *ids = sqlite3_malloc64(store->geometry.slots * sizeof *ids);
    int rc = ids == NULL ? SQLITE_NOMEM : SQLITE_OK;
    memset(&list, 0, sizeof list);
    if (rc == SQLITE_OK) {
        rc = maint_list(store, &list, err);
    }
    for (size_t i = 0; i < list.count && rc == SQLITE_OK; i++) {
        size_t count = 0;
        rc = maint_rowids(store, &list.cells[i], ids, &count, err);
        for (size_t j = 0; j < count && rc == SQLITE_OK; j++) {
            rc = vs_store_delete(store, ids[j], err);
        }
    }
    sqlite3_free(list.cells);
    sqlite3_free(ids);
    return rc;
}

static int maint_rebuild(vs_store *store, vs_err *err)
{
    int rc = vs_store_load(store, err);
    if (rc == SQLITE_OK && store->declaration.content != NULL) {
        rc = maint_empty(store, err);
        rc = rc == SQLITE_OK ? vs_content_build(store, err) : rc;
        rc = vs_store_undone(store, rc, err); /* an index that lost its rows must not stay */
    }
    if (rc == SQLITE_OK) {
        rc = maint_optimize(store, INT64_MAX, err);
    }
    return rc == SQLITE_OK ? maint_recode_all(store, err) : rc;
}

/* ---- commands -------------------------------------------------------------------------------- */

static int maint_integrity(vs_store *store, vs_err *err)
{
    char *report = NULL;
    int rc = vs_maint_check(store, 0, &report, err);
    if (rc == SQLITE_OK && report != NULL) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s", report);
    }
    sqlite3_free(report);
    return rc;
}

/* arg as a number of rows: INT64_MAX when it is not given. */
static int maint_rows(vs_store *store, const char *command, sqlite3_value *arg, int64_t *out,
                      vs_err *err)
{
    *out = INT64_MAX;
    if (sqlite3_value_type(arg) == SQLITE_NULL) {
        return SQLITE_OK;
    }
    *out = sqlite3_value_int64(arg);
    if (sqlite3_value_numeric_type(arg) != SQLITE_INTEGER || *out < 1) {
        const char *text = (const char *)sqlite3_value_text(arg);
        return vs_error(err, SQLITE_ERROR, "%s: '%s' takes a number of rows, found %s",
                        store->label, command, text == NULL ? "NULL" : text);
    }
    return SQLITE_OK;
}

/* ---- tier ------------------------------------------------------------------------------------ */

/* The partition that a command is for: 0 for all, which is where no key is given. */
static int maint_part(vs_store *store, sqlite3_value *const *columns, int64_t *out, vs_err *err)
{
    int is_given = 0;
    *out = 0;
    for (int i = 0; i < store->declaration.column_count; i++) {
        is_given |= store->declaration.columns[i].kind == VS_COLUMN_PARTITION &&
                    sqlite3_value_type(columns[i]) != SQLITE_NULL;
    }
    int rc = is_given ? vs_store_find_part(store, columns, out, err) : SQLITE_OK;
    if (rc == SQLITE_OK && is_given && *out == 0) {
        rc = vs_error(err, SQLITE_ERROR, "%s: there is no partition with these keys", store->label);
    }
    return rc;
}

static int maint_set_tier(vs_store *store, int is_cold, sqlite3_value *const *columns, vs_err *err)
{
    maint_work work;
    vs_cell_list list;
    int64_t part = 0;
    int rc = vs_store_load(store, err);
    rc = rc == SQLITE_OK ? maint_part(store, columns, &part, err) : rc;
    rc = rc == SQLITE_OK ? vs_store_set_text_tier(store, part, is_cold, err) : rc;
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = maint_begin(&work, store, is_cold ? "cold" : "warm", INT64_MAX, err);
    if (rc == SQLITE_OK) {
        rc = maint_list(store, &list, err);
        for (size_t i = 0; i < list.count && rc == SQLITE_OK; i++) {
            int is_changed = 0;
            if (list.cells[i].is_coded && (part == 0 || list.cells[i].part == part)) {
                rc = vs_store_set_tier(store, list.cells[i].id, is_cold, &is_changed, err);
                maint_step(&work, is_changed ? list.cells[i].live : 0);
            }
        }
        sqlite3_free(list.cells);
    }
    maint_end(&work);
    return rc;
}

static int maint_tier(vs_store *store, sqlite3_value *arg, sqlite3_value *const *columns,
                      vs_err *err)
{
    const char *text = (const char *)sqlite3_value_text(arg);
    int is_cold = text != NULL && sqlite3_stricmp(text, "cold") == 0;
    int can_be_cold = 0;
    if (!is_cold && (text == NULL || sqlite3_stricmp(text, "warm") != 0)) {
        return vs_error(err, SQLITE_ERROR, "%s: 'tier' takes cold or warm in arg, found %s",
                        store->label, text == NULL ? "NULL" : text);
    }
    for (int i = 0; i < store->declaration.vector_count; i++) {
        can_be_cold |= store->geometry.vectors[i].per_block > 0;
    }
    for (int i = 0; i < store->declaration.column_count; i++) {
        can_be_cold |= vs_store_is_text(store, i);
    }
    if (!can_be_cold) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: it keeps nothing that can be cold: those are vectors of float columns "
                        "with codes, in the table itself, and texts of auxiliary columns",
                        store->label);
    }
    return maint_set_tier(store, is_cold, columns, err);
}

int vs_maint_command(vs_store *store, sqlite3_value *command, sqlite3_value *arg,
                     sqlite3_value *const *columns, vs_err *err)
{
    int64_t rows = 0;
    const char *name = (const char *)sqlite3_value_text(command);
    if (name == NULL) {
        return SQLITE_NOMEM;
    }
    int is_merge = sqlite3_stricmp(name, "merge") == 0;
    if (is_merge || sqlite3_stricmp(name, "optimize") == 0) {
        int rc = maint_rows(store, name, arg, &rows, err);
        if (rc == SQLITE_OK && is_merge && rows == INT64_MAX) {
            rc = vs_error(err, SQLITE_ERROR, "%s: 'merge' needs a number of rows in arg",
                          store->label);
        }
        return rc == SQLITE_OK ? maint_optimize(store, rows, err) : rc;
    }
    if (sqlite3_stricmp(name, "rebuild") == 0) {
        return maint_rebuild(store, err);
    }
    if (sqlite3_stricmp(name, "integrity-check") == 0) {
        return maint_integrity(store, err);
    }
    if (sqlite3_stricmp(name, "tier") == 0) {
        return maint_tier(store, arg, columns, err);
    }
    return vs_error(err, SQLITE_ERROR,
                    "%s: there is no command '%s'; there are optimize, merge, rebuild, tier and "
                    "integrity-check",
                    store->label, name);
}
