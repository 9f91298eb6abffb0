/*
 * check.c - compares the shadow tables of a vecshard table with each other.
 *
 * Cell by cell: the records of each vector column are whole, their rowids agree with each other and
 * with t_rows, and codes are what their vectors give. Then row by row: each row has a place that is
 * in use, no two rows share one, and it is in the partition of the row's keys. Packed texts decode.
 * An index over a content table is compared with that table.
 *
 * Calls: store.c, store_text.c, format.c, codes.c, content.c, content_check.c.
 * Called by: maint.c, vtab_index.c.
 * Threads: the connection's.
 */
#include <stdlib.h>

#include "codes.h"
#include "content.h"
#include "content_check.h"
#include "maint.h"
#include "store_text.h"

#define CHECK_FINDINGS_MAX 100

typedef struct check_state {
    vs_store *store;
    int is_quick;
    int has_content; /* there is a content table whose vectors can be read */
    sqlite3_str *report;
    int findings;
    int64_t live;   /* rows of all cells */
    vs_cell *cells; /* owned */
    size_t cell_count, cell_capacity;
    int64_t *rowids;  /* owned: of the cell under way, [slots] */
    uint8_t *records; /* owned */
    uint8_t *codes;   /* owned */
    uint8_t *fresh;   /* owned: codes computed anew */
    float *scratch;   /* owned */
    void *vector;     /* owned: of the content table */
    vs_err *err;
} check_state;

static void check_find(check_state *state, const char *format, ...)
{
    va_list args;
    if (state->findings >= CHECK_FINDINGS_MAX) {
        return;
    }
    sqlite3_str_appendall(state->report, state->findings == 0 ? "" : "\n");
    va_start(args, format);
    sqlite3_str_vappendf(state->report, format, args);
    va_end(args);
    state->findings++;
}

/* Damage becomes a finding; other errors end the check. */
static int check_take(check_state *state, int rc, vs_err *inner)
{
    int is_damage = (rc & 0xff) == SQLITE_CORRUPT;
    if (is_damage) {
        check_find(state, "%s", inner->message == NULL ? sqlite3_errstr(rc) : inner->message);
        rc = SQLITE_OK;
    } else if (rc != SQLITE_OK) {
        vs_error(state->err, rc, "%s",
                 inner->message == NULL ? sqlite3_errstr(rc) : inner->message);
    }
    vs_error_clear(inner);
    return rc;
}

static int check_add_cell(void *arg, const vs_cell *cell)
{
    check_state *state = arg;
    if (state->cell_count == state->cell_capacity) {
        size_t capacity = state->cell_capacity == 0 ? 64 : 2 * state->cell_capacity;
        vs_cell *cells = sqlite3_realloc64(state->cells, capacity * sizeof *cells);
        if (cells == NULL) {
            return SQLITE_NOMEM;
        }
        state->cells = cells;
        state->cell_capacity = capacity;
    }
    state->cells[state->cell_count++] = *cell;
    state->live += cell->live;
    return SQLITE_OK;
}

/* ---- cells ----------------------------------------------------------------------------------- */

static int64_t check_loc(const check_state *state, const vs_cell *cell, uint32_t slot)
{
    return cell->id * (int64_t)state->store->geometry.slots + (int64_t)slot;
}

/*
 * What the content table holds for a record: the vector of the same row, or NULL. Without one the row
 * was replaced without a trigger, or went: searches leave it out. *io_data: of the record, then the
 * vector that its codes are of. *out_is_known: is there such a vector, or NULL?
 */
static int check_content_vector(check_state *state, int vector, int64_t rowid, const void **io_data,
                                int *out_is_known)
{
    vs_store *store = state->store;
    const vs_vector_spec *spec = &store->declaration.vectors[vector];
    vs_err inner = VS_ERR_INIT;
    int is_missing = 0;
    *out_is_known = *io_data == NULL || vs_store_has_vectors(store, vector);
    if (!state->has_content || state->is_quick) {
        return SQLITE_OK;
    }
    int rc = vs_content_vector(store, vector, rowid, state->vector, &is_missing, &inner);
    if (rc != SQLITE_OK) {
        return check_take(state, rc, &inner);
    }
    if (is_missing) {
        return SQLITE_OK;
    }
    if (*io_data == NULL) {
        check_find(state, "%s: row %lld has no vector in %s, and one in the table that is indexed",
                   store->label, (long long)rowid, store->declaration.columns[spec->column].name);
    } else if (!vs_store_has_vectors(store, vector)) {
        *io_data = state->vector;
        *out_is_known = 1;
    } else if (memcmp(*io_data, state->vector, vsk_bytes(spec->stored, spec->dim)) != 0) {
        check_find(state, "%s: row %lld has another vector in %s than the table that is indexed",
                   store->label, (long long)rowid, store->declaration.columns[spec->column].name);
    }
    return SQLITE_OK;
}

/* The code of one slot against a fresh one. data: its vector, or NULL. */
static int check_code(check_state *state, const vs_cell *cell, int vector, uint32_t slot,
                      int64_t rowid, const void *data)
{
    vs_store *store = state->store;
    size_t slots = store->geometry.slots;
    size_t coarse = store->geometry.vectors[vector].coarse_bytes;
    size_t fine = store->geometry.vectors[vector].fine_bytes;
    const vs_code *code = NULL;
    vs_err inner = VS_ERR_INIT;
    int rc = vs_store_code(store, vector, cell->code_id[vector], &code, &inner);
    if (rc != SQLITE_OK) {
        return check_take(state, rc, &inner);
    }
    vs_code_row(code, rowid, data, state->scratch, state->fresh, state->fresh + coarse);
    if (memcmp(state->fresh, state->codes + slot * coarse, coarse) != 0 ||
        memcmp(state->fresh + coarse, state->codes + slots * coarse + slot * fine, fine) != 0) {
        check_find(state, "%s: the code of row %lld in \"%s_codes%d\" is not that of its vector",
                   store->label, (long long)rowid, store->table, vector);
    }
    return SQLITE_OK;
}

static int check_column(check_state *state, const vs_cell *cell, int vector)
{
    vs_store *store = state->store;
    size_t record_bytes = store->geometry.vectors[vector].record_bytes;
    int is_coded = cell->is_coded && store->geometry.vectors[vector].is_coded;
    vs_err inner = VS_ERR_INIT;
    int rc = vs_store_read_vectors(store, vector, cell->id, state->records, &inner);
    if (rc == SQLITE_OK && is_coded) {
        rc = vs_store_read_codes(store, vector, cell->id, 0, state->codes, &inner);
        vs_store_end_reading(store);
    }
    if (rc != SQLITE_OK) {
        return check_take(state, rc, &inner);
    }
    for (uint32_t slot = 0; slot < store->geometry.slots && rc == SQLITE_OK; slot++) {
        const void *data = NULL;
        int64_t rowid = 0;
        if (!vs_cell_has(cell, slot)) {
            continue;
        }
        rc = vs_format_read_record(store->label, vector, check_loc(state, cell, slot),
                                   state->records + slot * record_bytes, record_bytes,
                                   store->geometry.vectors[vector].vector_bytes, record_bytes,
                                   &rowid, &data, &inner);
        if (rc != SQLITE_OK) {
            rc = check_take(state, rc, &inner);
            continue;
        }
        if (vector == 0) {
            state->rowids[slot] = rowid;
        } else if (state->rowids[slot] != rowid) {
            check_find(
                state,
                "%s: place %lld has row %lld in \"%s_vectors0\" and %lld in \"%s_vectors%d\"",
                store->label, (long long)check_loc(state, cell, slot),
                (long long)state->rowids[slot], store->table, (long long)rowid, store->table,
                vector);
        }
        int is_known = 1;
        if (store->declaration.content != NULL) {
            rc = check_content_vector(state, vector, rowid, &data, &is_known);
        }
        if (rc == SQLITE_OK && is_known && is_coded && !state->is_quick) {
            rc = check_code(state, cell, vector, slot, rowid, data);
        }
    }
    return rc;
}

/* Each row that the cell holds has this place in t_rows. */
static int check_places(check_state *state, const vs_cell *cell)
{
    vs_store *store = state->store;
    int rc = SQLITE_OK;
    for (uint32_t slot = 0; slot < store->geometry.slots && rc == SQLITE_OK; slot++) {
        int64_t loc = 0;
        vs_err inner = VS_ERR_INIT;
        if (!vs_cell_has(cell, slot)) {
            continue;
        }
        rc = vs_store_loc(store, state->rowids[slot], &loc, &inner);
        if (rc != SQLITE_OK) {
            rc = check_take(state, rc, &inner);
        } else if (loc != check_loc(state, cell, slot)) {
            check_find(state, "%s: row %lld is at place %lld, and \"%s_rows\" says %lld",
                       store->label, (long long)state->rowids[slot],
                       (long long)check_loc(state, cell, slot), store->table, (long long)loc);
        }
    }
    return rc;
}

static int check_cell(check_state *state, const vs_cell *cell)
{
    int rc = SQLITE_OK;
    memset(state->rowids, 0, state->store->geometry.slots * sizeof *state->rowids);
    for (int i = 0; i < state->store->declaration.vector_count && rc == SQLITE_OK; i++) {
        rc = check_column(state, cell, i);
    }
    return rc == SQLITE_OK ? check_places(state, cell) : rc;
}

/* ---- counts ---------------------------------------------------------------------------------- */

/* One number from a statement; `sql` is freed. */
static int check_number(check_state *state, char *sql, int64_t *out)
{
    vs_store *store = state->store;
    sqlite3_stmt *stmt = NULL;
    int rc = sql == NULL
                 ? SQLITE_NOMEM
                 : sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_NO_VTAB, &stmt, NULL);
    sqlite3_free(sql);
    *out = 0;
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        *out = sqlite3_column_int64(stmt, 0);
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_OK) {
        vs_error_db(state->err, rc, store->db, store->label);
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* Blocks of cells that are not there. */
static int check_blocks(check_state *state, int vector)
{
    const vs_store *store = state->store;
    int64_t places = (int64_t)store->geometry.vectors[vector].per_block *
                     (int64_t)store->geometry.vectors[vector].per_row;
    int64_t found = 0;
    int rc = check_number(
        state,
        sqlite3_mprintf("SELECT count(*) FROM \"%w\".\"%w_cold%d\" AS b WHERE NOT EXISTS (SELECT 1 "
                        "FROM \"%w\".\"%w_cells\" AS c WHERE c.id = b.id / %lld)",
                        store->schema, store->table, vector, store->schema, store->table,
                        (long long)((int64_t)store->geometry.slots / places)),
        &found);
    if (rc == SQLITE_OK && found != 0) {
        check_find(state, "%s: \"%s_cold%d\" has %lld blocks of cells that are not there",
                   store->label, store->table, vector, (long long)found);
    }
    return rc;
}

static int check_counts(check_state *state)
{
    vs_store *store = state->store;
    int64_t found = 0;
    int rc = check_number(
        state,
        sqlite3_mprintf("SELECT count(*) FROM \"%w\".\"%w_rows\"", store->schema, store->table),
        &found);
    if (rc == SQLITE_OK && found != state->live) {
        check_find(state, "%s: \"%s_rows\" has %lld rows, and the cells hold %lld", store->label,
                   store->table, (long long)found, (long long)state->live);
    }
    if (rc == SQLITE_OK) {
        rc =
            check_number(state,
                         sqlite3_mprintf("SELECT count(*) FROM (SELECT loc FROM \"%w\".\"%w_rows\" "
                                         "GROUP BY loc HAVING count(*) > 1)",
                                         store->schema, store->table),
                         &found);
    }
    if (rc == SQLITE_OK && found != 0) {
        check_find(state, "%s: %lld places in \"%s_rows\" belong to more than one row",
                   store->label, (long long)found, store->table);
    }
    for (int i = 0; i < store->declaration.vector_count && rc == SQLITE_OK; i++) {
        if (!store->geometry.vectors[i].is_coded) {
            continue;
        }
        int64_t coded = 0;
        for (size_t c = 0; c < state->cell_count; c++) {
            coded += state->cells[c].is_coded;
        }
        rc = check_number(state,
                          sqlite3_mprintf("SELECT count(*) FROM \"%w\".\"%w_codes%d\"",
                                          store->schema, store->table, i),
                          &found);
        if (rc == SQLITE_OK && found != coded) {
            check_find(state, "%s: \"%s_codes%d\" has %lld rows, and %lld cells are coded",
                       store->label, store->table, i, (long long)found, (long long)coded);
        }
        if (rc == SQLITE_OK && store->geometry.vectors[i].per_block > 0) {
            rc = check_blocks(state, i);
        }
    }
    return rc;
}

/* How many partitions have the keys of another one, or rows lie where their keys do not belong. */
static char *check_partition_sql(const vs_store *store, int is_rows)
{
    const char *between = "";
    sqlite3_str *sql = sqlite3_str_new(store->db);
    if (is_rows) {
        sqlite3_str_appendf(
            sql,
            "SELECT count(*) FROM \"%w\".\"%w_rows\" AS r WHERE NOT EXISTS (SELECT 1 "
            "FROM \"%w\".\"%w_cells\" AS c JOIN \"%w\".\"%w_parts\" AS p ON p.id = "
            "c.part WHERE c.id = r.loc / %u",
            store->schema, store->table, store->schema, store->table, store->schema, store->table,
            (unsigned)store->geometry.slots);
    } else {
        sqlite3_str_appendf(sql,
                            "SELECT count(*) FROM (SELECT 1 FROM \"%w\".\"%w_parts\" GROUP BY ",
                            store->schema, store->table);
    }
    for (int i = 0; i < store->declaration.column_count; i++) {
        if (store->declaration.columns[i].kind != VS_COLUMN_PARTITION) {
            continue;
        }
        if (is_rows) {
            sqlite3_str_appendf(sql,
                                " AND p.c%d IS r.c%d COLLATE BINARY AND typeof(p.c%d) = "
                                "typeof(r.c%d)",
                                i, i, i, i);
        } else {
            sqlite3_str_appendf(sql, "%sc%d COLLATE BINARY, typeof(c%d)", between, i, i);
            between = ", ";
        }
    }
    sqlite3_str_appendall(sql, is_rows ? ")" : " HAVING count(*) > 1)");
    return sqlite3_str_finish(sql);
}

/* Each row lies in the partition of its keys, and there is one for each combination of keys. */
static int check_partitions(check_state *state)
{
    vs_store *store = state->store;
    int64_t found = 0;
    if (store->declaration.partition_count == 0) {
        return SQLITE_OK;
    }
    int rc = check_number(state, check_partition_sql(store, 1), &found);
    if (rc == SQLITE_OK && found != 0) {
        check_find(state, "%s: %lld rows are not in the partition of their keys", store->label,
                   (long long)found);
    }
    if (rc == SQLITE_OK) {
        rc = check_number(state, check_partition_sql(store, 0), &found);
    }
    if (rc == SQLITE_OK && found != 0) {
        check_find(state, "%s: %lld combinations of keys are in \"%s_parts\" more than once",
                   store->label, (long long)found, store->table);
    }
    return rc;
}

/* What the next cell will be coded with can be read. */
static int check_descriptions(check_state *state)
{
    vs_store *store = state->store;
    int rc = SQLITE_OK;
    for (int i = 0; i < store->declaration.vector_count && rc == SQLITE_OK; i++) {
        const vs_code *code = NULL;
        vs_err inner = VS_ERR_INIT;
        if (store->geometry.vectors[i].is_coded) {
            rc = vs_store_code_current(store, i, &code, &inner);
            rc = check_take(state, rc, &inner);
        }
    }
    return rc;
}

/* Every packed text of a column decodes, and so would the next one. */
static int check_text_column(check_state *state, int column)
{
    vs_store *store = state->store;
    sqlite3_stmt *stmt = NULL;
    vs_store_dict dict;
    vs_err inner = VS_ERR_INIT;
    int rc = vs_store_dict_current(store, column, &dict, &inner);
    rc = check_take(state, rc, &inner);
    vs_cached_unref(dict.dict);
    char *sql = sqlite3_mprintf("SELECT id, c%d FROM \"%w\".\"%w_rows\" WHERE typeof(c%d) = 'blob' "
                                "AND substr(c%d, 1, 1) IN (x'd0', x'd1') ORDER BY id",
                                column, store->schema, store->table, column, column);
    if (rc == SQLITE_OK) {
        rc = sql == NULL
                 ? SQLITE_NOMEM
                 : sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_NO_VTAB, &stmt, NULL);
    }
    sqlite3_free(sql);
    while (rc == SQLITE_OK && state->findings < CHECK_FINDINGS_MAX &&
           (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        char *text = NULL;
        size_t n = 0;
        rc = vs_store_text_read(store, column, sqlite3_column_int64(stmt, 0),
                                sqlite3_column_value(stmt, 1), &text, &n, &inner);
        sqlite3_free(text);
        rc = check_take(state, rc, &inner);
    }
    if (rc != SQLITE_OK && rc != SQLITE_DONE) {
        vs_error_db(state->err, rc, store->db, store->label);
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int check_texts(check_state *state)
{
    const vs_store *store = state->store;
    int rc = SQLITE_OK;
    for (int i = 0; i < store->declaration.column_count && !state->is_quick && rc == SQLITE_OK;
         i++) {
        if (vs_store_is_text(store, i)) {
            rc = check_text_column(state, i);
        }
    }
    return rc;
}

/* Cells that are said to have room have it, and the others have none. */
static int check_open(check_state *state)
{
    vs_store *store = state->store;
    sqlite3_stmt *stmt = NULL;
    char *sql =
        sqlite3_mprintf("SELECT id, open FROM \"%w\".\"%w_cells\" WHERE id <> %lld ORDER BY id",
                        store->schema, store->table, (long long)VS_HEAD_ID);
    int rc = sql == NULL
                 ? SQLITE_NOMEM
                 : sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_NO_VTAB, &stmt, NULL);
    sqlite3_free(sql);
    for (size_t i = 0; rc == SQLITE_OK && i < state->cell_count; i++) {
        rc = sqlite3_step(stmt);
        if (rc != SQLITE_ROW) {
            break;
        }
        int is_open = state->cells[i].live < store->geometry.slots;
        if (sqlite3_column_int64(stmt, 0) == state->cells[i].id &&
            (sqlite3_column_type(stmt, 1) != SQLITE_INTEGER ||
             sqlite3_column_int(stmt, 1) != is_open)) {
            check_find(state, "%s: cell %lld holds %lld rows, and open is not %d", store->label,
                       (long long)state->cells[i].id, (long long)state->cells[i].live, is_open);
        }
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_OK && rc != SQLITE_DONE) {
        vs_error_db(state->err, rc, store->db, store->label);
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int check_take_sentence(void *arg, char *sentence)
{
    check_state *state = arg;
    if (sentence == NULL) {
        return SQLITE_NOMEM;
    }
    check_find(state, "%s", sentence);
    sqlite3_free(sentence);
    return SQLITE_OK;
}

/* The table that is indexed has the same rows. */
static int check_content(check_state *state)
{
    vs_err inner = VS_ERR_INIT;
    if (state->store->declaration.content == NULL) {
        return SQLITE_OK;
    }
    int rc =
        vs_content_check(state->store, check_take_sentence, state, &state->has_content, &inner);
    return check_take(state, rc, &inner);
}

/* ---- all ------------------------------------------------------------------------------------- */

static int check_allocate(check_state *state)
{
    const vs_store *store = state->store;
    size_t slots = store->geometry.slots;
    size_t records = 0, code = 0, vector = 0, code_dim = 1;
    for (int i = 0; i < store->declaration.vector_count; i++) {
        const vs_vector_spec *spec = &store->declaration.vectors[i];
        size_t bytes = vsk_bytes(spec->stored, spec->dim);
        size_t of_code =
            store->geometry.vectors[i].coarse_bytes + store->geometry.vectors[i].fine_bytes;
        size_t of_record = store->geometry.vectors[i].record_bytes;
        records = of_record > records ? of_record : records;
        code = of_code > code ? of_code : code;
        vector = bytes > vector ? bytes : vector;
        code_dim = store->geometry.vectors[i].code_dim > code_dim
                       ? store->geometry.vectors[i].code_dim
                       : code_dim;
    }
    state->rowids = sqlite3_malloc64(slots * sizeof *state->rowids);
    state->records = sqlite3_malloc64(slots * records);
    state->codes = sqlite3_malloc64(slots * code + 1);
    state->fresh = sqlite3_malloc64(code + 1);
    state->scratch = sqlite3_malloc64(code_dim * sizeof *state->scratch);
    state->vector = sqlite3_malloc64(vector);
    return state->rowids == NULL || state->records == NULL || state->codes == NULL ||
                   state->fresh == NULL || state->scratch == NULL || state->vector == NULL
               ? SQLITE_NOMEM
               : SQLITE_OK;
}

static int check_all(check_state *state)
{
    vs_head head;
    vs_err inner = VS_ERR_INIT;
    int rc = vs_store_load(state->store, &inner);
    if (rc == SQLITE_OK) {
        rc = vs_store_head(state->store, &head, &inner);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_cells(state->store, &head, check_add_cell, state, &inner);
    }
    if (rc != SQLITE_OK) {
        return check_take(state, rc, &inner);
    }
    rc = check_allocate(state);
    if (rc == SQLITE_OK) {
        rc = check_content(state);
    }
    for (size_t i = 0;
         i < state->cell_count && rc == SQLITE_OK && state->findings < CHECK_FINDINGS_MAX; i++) {
        rc = check_cell(state, &state->cells[i]);
    }
    if (rc == SQLITE_OK) {
        rc = check_descriptions(state);
    }
    if (rc == SQLITE_OK) {
        rc = check_texts(state);
    }
    if (rc == SQLITE_OK) {
        rc = check_open(state);
    }
    if (rc == SQLITE_OK) {
        rc = check_counts(state);
    }
    return rc == SQLITE_OK ? check_partitions(state) : rc;
}

/* A store of its own for the same table: one that is in use holds t_info in memory as it was when
 * it was read. */
static int check_open_store(const vs_store *store, vs_store *out, vs_err *err)
{
    vs_declaration declaration;
    char *text = vs_declare_text(&store->declaration);
    memset(out, 0, sizeof *out);
    int rc =
        text == NULL ? SQLITE_NOMEM : vs_declare_from_text(store->label, text, &declaration, err);
    sqlite3_free(text);
    return rc == SQLITE_OK
               ? vs_store_init(out, store->conn, store->schema, store->table, &declaration, err)
               : rc;
}

int vs_maint_check(const vs_store *store, int is_quick, char **out_report, vs_err *err)
{
    check_state state;
    vs_store fresh;
    memset(&state, 0, sizeof state);
    state.store = &fresh;
    state.is_quick = is_quick;
    state.err = err;
    state.report = sqlite3_str_new(store->db);
    *out_report = NULL;
    int rc = check_open_store(store, &fresh, err);
    rc = rc == SQLITE_OK ? check_all(&state) : rc;
    char *report = sqlite3_str_finish(state.report);
    if (rc == SQLITE_OK && state.findings > 0) {
        *out_report = report;
        rc = report == NULL ? SQLITE_NOMEM : SQLITE_OK;
    } else {
        sqlite3_free(report);
    }
    sqlite3_free(state.cells);
    sqlite3_free(state.rowids);
    sqlite3_free(state.records);
    sqlite3_free(state.codes);
    sqlite3_free(state.fresh);
    sqlite3_free(state.scratch);
    sqlite3_free(state.vector);
    vs_store_close(&fresh);
    return rc;
}
