/*
 * store_write.c - rows into and out of the shadow tables.
 *
 * Order of the writes of one change: the head with a new stamp; vectors and codes, which nothing
 * refers to yet; the cell's row with its map; the row's row. What the store wrote last (head
 * and cell) is remembered while nobody can have changed or seen it, so that a long insert reads
 * nothing back.
 *
 * Calls: store.c, store_vectors.c, store_codes.c, format.c.
 * Called by: vtab_write.c, content.c, maint.c.
 * Threads: the connection's.
 */
#include "store_cold.h"
#include "store_text.h"

/* One change of the table. */
typedef struct store_change {
    vs_store *store;
    vs_head head;
    int is_begun; /* a write was made: an error must roll back */
    int64_t last_rowid;
    vs_err *err;
} store_change;

/* ---- begin and end --------------------------------------------------------------------------- */

static int store_change_begin(vs_store *store, store_change *change, vs_err *err)
{
    memset(change, 0, sizeof *change);
    change->store = store;
    change->err = err;
    change->last_rowid = sqlite3_last_insert_rowid(store->db);
    int rc = vs_store_load(store, err);
    if (rc == SQLITE_OK && vs_store_is_fresh(store)) {
        change->head = store->head;
    } else if (rc == SQLITE_OK) {
        vs_store_forget(store);
        rc = vs_store_peek_head(store, &change->head, err);
    }
    return rc;
}

int vs_store_undone(const vs_store *store, int rc, vs_err *err)
{
    int primary = rc & 0xff;
    if (rc == SQLITE_OK || primary == SQLITE_NOMEM || primary == SQLITE_INTERRUPT ||
        primary == SQLITE_IOERR || primary == SQLITE_FULL) {
        return rc;
    }
    vs_error(err, rc, "%s: a change was undone: %s", store->label, sqlite3_errstr(rc));
    return SQLITE_IOERR;
}

static int store_change_end(store_change *change, int rc)
{
    sqlite3_set_last_insert_rowid(change->store->db, change->last_rowid);
    if (rc == SQLITE_OK) {
        return rc;
    }
    vs_store_forget(change->store);
    return change->is_begun ? vs_store_undone(change->store, rc, change->err) : rc;
}

/* Ends a statement that must have changed one row. */
static int store_changed_one(store_change *change, sqlite3_stmt *stmt, int rc, const char *what)
{
    vs_store *store = change->store;
    if (rc == SQLITE_DONE && sqlite3_changes(store->db) != 1) {
        rc = vs_error(change->err, SQLITE_CORRUPT_VTAB, "%s: %s: the row is gone", store->label,
                      what);
    }
    return vs_store_done(store, stmt, rc, what, change->err);
}

static int store_write_head(store_change *change)
{
    vs_store *store = change->store;
    uint8_t bytes[VS_HEAD_BYTES];
    sqlite3_stmt *stmt;
    int rc = vs_store_statement_get(store, VS_SQL_HEAD_SET, &stmt, change->err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    vs_format_write_head(&change->head, bytes);
    rc = sqlite3_bind_blob(stmt, 1, bytes, (int)sizeof bytes, SQLITE_STATIC);
    rc = store_changed_one(change, stmt, rc == SQLITE_OK ? sqlite3_step(stmt) : rc,
                           "writing the head");
    if (rc == SQLITE_OK) {
        change->is_begun = 1;
        store->head = change->head;
    }
    return rc;
}

/* The first write: a new stamp, unless nobody has seen the present one. */
static int store_touch(store_change *change)
{
    vs_store *store = change->store;
    if (vs_store_is_fresh(store)) {
        change->is_begun = 1;
        return SQLITE_OK;
    }
    sqlite3_randomness(sizeof change->head.stamp, change->head.stamp);
    int rc = store_write_head(change);
    if (rc == SQLITE_OK) {
        store->is_stamped = 1;
        store->stamped_at = store->conn->stamp_reads;
        store->cell.id = 0;
    }
    return rc;
}

/* ---- cells ----------------------------------------------------------------------------------- */

static int store_write_cell(store_change *change, vs_cell *cell, int is_new, int was_open)
{
    vs_store *store = change->store;
    uint8_t bytes[VS_CELL_BYTES_MAX];
    sqlite3_stmt *stmt;
    int is_open = cell->live < store->geometry.slots;
    if (store->cell.id != cell->id) {
        sqlite3_randomness(sizeof cell->stamp, cell->stamp);
    }
    size_t n =
        vs_format_write_cell(cell, store->geometry.slots, store->declaration.vector_count, bytes);
    int rc = vs_store_statement_get(store,
                                    is_new                ? VS_SQL_CELL_INSERT
                                    : is_open == was_open ? VS_SQL_CELL_SET
                                                          : VS_SQL_CELL_SET_OPEN,
                                    &stmt, change->err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(stmt, 1, cell->id);
    rc = sqlite3_bind_blob(stmt, is_new ? 4 : 2, bytes, (int)n, SQLITE_STATIC);
    if (is_new) {
        (void)sqlite3_bind_int64(stmt, 2, cell->part);
    }
    if (is_new || is_open != was_open) {
        (void)sqlite3_bind_int(stmt, 3, is_open);
    }
    rc = store_changed_one(change, stmt, rc == SQLITE_OK ? sqlite3_step(stmt) : rc,
                           "writing a cell");
    if (rc == SQLITE_OK) {
        store->cell = *cell;
    }
    return rc;
}

static int store_delete_cell(store_change *change, const vs_cell *cell)
{
    vs_store *store = change->store;
    sqlite3_stmt *stmt;
    int rc = SQLITE_OK;
    for (int i = 0; i < store->declaration.vector_count && rc == SQLITE_OK; i++) {
        rc = vs_store_delete_groups(store, i, cell->id, change->err);
        if (rc == SQLITE_OK && store->geometry.vectors[i].is_coded && cell->is_coded) {
            rc = vs_store_delete_range(store, i, VS_SQL_CODES_DELETE, cell->id, cell->id,
                                       change->err);
        }
        if (rc == SQLITE_OK && vs_store_can_be_cold(store, i) && cell->is_coded) {
            rc = vs_store_cold_delete_cell(store, i, cell->id, change->err);
        }
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_statement_get(store, VS_SQL_CELL_DELETE, &stmt, change->err);
    }
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(stmt, 1, cell->id);
        rc = vs_store_run(store, stmt, "deleting a cell", change->err);
    }
    if (rc == SQLITE_OK) {
        store->cell.id = 0;
        change->head.cell_count--;
        rc = store_write_head(change);
    }
    return rc;
}

/* ---- partitions ------------------------------------------------------------------------------ */

static int store_bind_parts(const vs_store *store, sqlite3_stmt *stmt,
                            sqlite3_value *const *columns)
{
    int rc = SQLITE_OK;
    int n = 1;
    for (int i = 0; i < store->declaration.column_count && rc == SQLITE_OK; i++) {
        if (store->declaration.columns[i].kind == VS_COLUMN_PARTITION) {
            rc = columns[i] == NULL ? SQLITE_OK : sqlite3_bind_value(stmt, n, columns[i]);
            n++;
        }
    }
    return rc;
}

/* The partition of these key values; *out 0 when there is none yet. Without partition keys it is 0,
 * and exists. */
int vs_store_find_part(vs_store *store, sqlite3_value *const *columns, int64_t *out, vs_err *err)
{
    sqlite3_stmt *stmt;
    *out = 0;
    if (store->declaration.partition_count == 0) {
        return SQLITE_OK;
    }
    int rc = vs_store_statement_get(store, VS_SQL_PART_FIND, &stmt, err);
    if (rc == SQLITE_OK) {
        rc = store_bind_parts(store, stmt, columns);
        rc = rc == SQLITE_OK ? sqlite3_step(stmt) : rc;
        *out = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
        rc = vs_store_done(store, stmt, rc, "finding a partition", err);
    }
    return rc;
}

static int store_add_part(store_change *change, sqlite3_value *const *columns, int64_t *out)
{
    vs_store *store = change->store;
    sqlite3_stmt *stmt;
    int rc = vs_store_statement_get(store, VS_SQL_PART_LAST, &stmt, change->err);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        *out = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
        rc = vs_store_done(store, stmt, rc, "finding a partition", change->err);
    }
    if (rc == SQLITE_OK && (*out < 0 || *out >= VS_CELL_ID_MAX)) {
        rc = vs_error(change->err, SQLITE_CORRUPT_VTAB, "%s: \"%s_parts\" has a row %lld",
                      store->label, store->table, (long long)*out);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_statement_get(store, VS_SQL_PART_INSERT, &stmt, change->err);
    }
    if (rc == SQLITE_OK) {
        *out += 1;
        rc = store_bind_parts(store, stmt, columns);
        (void)sqlite3_bind_int64(stmt, store->declaration.partition_count + 1, *out);
        rc = vs_store_done(store, stmt, rc == SQLITE_OK ? sqlite3_step(stmt) : rc,
                           "adding a partition", change->err);
    }
    return rc;
}

/* ---- places ---------------------------------------------------------------------------------- */

/* A slot for a new row. */
typedef struct store_place {
    vs_cell cell;
    uint32_t slot;
    int is_new;   /* the cell does not exist yet */
    int was_open; /* as its row says */
} store_place;

/* Finds a cell of the partition with a free slot, or plans a new one. part 0 with partition keys: a
 * new partition. Reads only. */
static int store_find_place(store_change *change, int64_t part, store_place *out)
{
    vs_store *store = change->store;
    sqlite3_stmt *stmt;
    int64_t id = 0;
    memset(out, 0, sizeof *out);
    if (vs_store_is_fresh(store) && store->cell.id != 0 && store->cell.part == part &&
        store->cell.live < store->geometry.slots) {
        out->cell = store->cell;
        id = store->cell.id;
    } else if (part != 0 || store->declaration.partition_count == 0) {
        int rc = vs_store_statement_get(store, VS_SQL_CELL_OPEN, &stmt, change->err);
        if (rc == SQLITE_OK) {
            (void)sqlite3_bind_int64(stmt, 1, part);
            rc = sqlite3_step(stmt);
            id = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
            rc = vs_store_done(store, stmt, rc, "finding room", change->err);
        }
        if (rc == SQLITE_OK && id != 0) {
            rc = vs_store_cell(store, id, &out->cell, change->err);
        }
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    if (id == 0) {
        if (change->head.next_cell >= VS_CELL_ID_MAX) {
            return vs_error(change->err, SQLITE_FULL, "%s: the table has no more cells",
                            store->label);
        }
        out->is_new = 1;
        out->cell.id = change->head.next_cell;
        out->cell.part = part;
        return SQLITE_OK;
    }
    if (out->cell.part != part || out->cell.live >= store->geometry.slots) {
        return vs_error(change->err, SQLITE_CORRUPT_VTAB,
                        "%s: cell %lld is said to have room in partition %lld, and has none",
                        store->label, (long long)id, (long long)part);
    }
    out->was_open = 1;
    while (vs_cell_has(&out->cell, out->slot)) {
        out->slot++;
    }
    return SQLITE_OK;
}

static int64_t store_place_loc(const vs_store *store, const store_place *place)
{
    return place->cell.id * (int64_t)store->geometry.slots + (int64_t)place->slot;
}

/* ---- slots ----------------------------------------------------------------------------------- */

/* Vectors and codes of one slot. vectors: [vector_count]. cell: before the change. */
static int store_fill_slot(vs_store *store, const vs_cell *cell, uint32_t slot, int64_t rowid,
                           const void *const *vectors, vs_err *err)
{
    int rc = SQLITE_OK;
    for (int i = 0; i < store->declaration.vector_count && rc == SQLITE_OK; i++) {
        rc = vs_store_write_vector(store, i, cell, slot, rowid, vectors[i], 0, err);
        if (rc == SQLITE_OK && cell->is_coded && store->geometry.vectors[i].is_coded) {
            rc = vs_store_code_slot(store, cell, slot, i, rowid, vectors[i], 0, err);
        }
    }
    return rc;
}

/* Puts a row's vectors into a place, codes the cell when it becomes full, and writes the cell. */
static int store_take_place(store_change *change, store_place *place, int64_t rowid,
                            const void *const *vectors)
{
    vs_store *store = change->store;
    vs_cell *cell = &place->cell;
    int rc = SQLITE_OK;
    if (place->is_new) {
        change->head.next_cell++;
        change->head.cell_count++;
        rc = store_write_head(change);
    }
    if (rc == SQLITE_OK) {
        rc = store_fill_slot(store, cell, place->slot, rowid, vectors, change->err);
    }
    cell->map[place->slot / 64] |= (uint64_t)1 << (place->slot % 64);
    cell->live++;
    if (rc == SQLITE_OK && cell->live == store->geometry.slots && !cell->is_coded) {
        rc = vs_store_code_cell(store, cell, change->err);
    }
    return rc == SQLITE_OK ? store_write_cell(change, cell, place->is_new, place->was_open) : rc;
}

/* Is deleted content to be overwritten? */
int vs_store_is_secure(vs_store *store, int *out, vs_err *err)
{
    sqlite3_stmt *stmt;
    *out = 0;
    int rc = vs_store_statement_get(store, VS_SQL_SECURE_DELETE, &stmt, err);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        *out = rc == SQLITE_ROW && sqlite3_column_int(stmt, 0) == 1;
        rc = vs_store_done(store, stmt, rc, "reading secure_delete", err);
    } else if (rc == SQLITE_AUTH) { /* a host that lets no PRAGMA through: the careful way */
        vs_error_clear(err);
        *out = 1;
        rc = SQLITE_OK;
    }
    return rc;
}

/* Frees a slot: the cell goes with its last row. */
static int store_free_place(store_change *change, vs_cell *cell, uint32_t slot, int is_secure)
{
    vs_store *store = change->store;
    int was_open = cell->live < store->geometry.slots;
    int rc = SQLITE_OK;
    if (cell->live == 1) {
        return store_delete_cell(change, cell);
    }
    for (int i = 0; is_secure && i < store->declaration.vector_count && rc == SQLITE_OK; i++) {
        rc = vs_store_write_vector(store, i, cell, slot, 0, NULL, 1, change->err);
        if (rc == SQLITE_OK && cell->is_coded && store->geometry.vectors[i].is_coded) {
            rc = vs_store_code_slot(store, cell, slot, i, 0, NULL, 1, change->err);
        }
    }
    cell->map[slot / 64] &= ~((uint64_t)1 << (slot % 64));
    cell->live--;
    return rc == SQLITE_OK ? store_write_cell(change, cell, 0, was_open) : rc;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int store_insert_row(store_change *change, const vs_row *row, int64_t loc)
{
    vs_store *store = change->store;
    sqlite3_stmt *stmt;
    int n = 3;
    int rc = vs_store_statement_get(store, VS_SQL_ROW_INSERT, &stmt, change->err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(stmt, 1, row->rowid);
    (void)sqlite3_bind_int64(stmt, 2, loc);
    for (int i = 0; i < store->declaration.column_count && rc == SQLITE_OK; i++) {
        if (store_is_row_column(&store->declaration.columns[i])) {
            rc = vs_store_text_bind(store, i, stmt, n, row->columns[i]);
            n++;
        }
    }
    return vs_store_done(store, stmt, rc == SQLITE_OK ? sqlite3_step(stmt) : rc, "writing a row",
                         change->err);
}

static int store_update_row(store_change *change, int64_t rowid, const vs_row *row, int64_t loc)
{
    vs_store *store = change->store;
    sqlite3_stmt *stmt;
    int n = 4;
    int rc = vs_store_statement_get(store, VS_SQL_ROW_UPDATE, &stmt, change->err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(stmt, 1, rowid);
    (void)sqlite3_bind_int64(stmt, 2, row->rowid);
    (void)sqlite3_bind_int64(stmt, 3, loc);
    for (int i = 0; i < store->declaration.column_count && rc == SQLITE_OK; i++) {
        if (store_is_row_column(&store->declaration.columns[i])) {
            (void)sqlite3_bind_int(stmt, n, row->is_changed[i]);
            rc = vs_store_text_bind(store, i, stmt, n + 1, row->columns[i]);
            n += 2;
        }
    }
    return vs_store_done(store, stmt, rc == SQLITE_OK ? sqlite3_step(stmt) : rc, "writing a row",
                         change->err);
}

int vs_store_insert(vs_store *store, const vs_row *row, vs_err *err)
{
    store_change change;
    store_place place;
    int64_t part = 0;
    int rc = store_change_begin(store, &change, err);
    if (rc == SQLITE_OK) {
        rc = vs_store_find_part(store, row->columns, &part, err);
    }
    if (rc == SQLITE_OK) {
        rc = store_find_place(&change, part, &place);
    }
    if (rc == SQLITE_OK) {
        rc = store_touch(&change);
    }
    if (rc == SQLITE_OK && part == 0 && store->declaration.partition_count > 0) {
        rc = store_add_part(&change, row->columns, &place.cell.part);
    }
    if (rc == SQLITE_OK) {
        rc = store_take_place(&change, &place, row->rowid, row->vectors);
    }
    if (rc == SQLITE_OK) {
        rc = store_insert_row(&change, row, store_place_loc(store, &place));
    }
    return store_change_end(&change, rc);
}

/* The cell and slot of an existing row. */
static int store_locate(const store_change *change, int64_t rowid, vs_cell *out, uint32_t *out_slot)
{
    vs_store *store = change->store;
    vs_err *err = change->err;
    int64_t loc = 0;
    int rc = vs_store_loc(store, rowid, &loc, err);
    if (rc == SQLITE_OK && loc == 0) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: there is no row %lld", store->label,
                      (long long)rowid);
    }
    if (rc == SQLITE_OK) {
        int64_t id = loc / (int64_t)store->geometry.slots;
        *out_slot = (uint32_t)(loc % (int64_t)store->geometry.slots);
        if (vs_store_is_fresh(store) && store->cell.id == id) {
            *out = store->cell;
        } else {
            rc = vs_store_cell(store, id, out, err);
        }
    }
    if (rc == SQLITE_OK && out->live == 1 && change->head.cell_count == 0) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: the head counts no cells, and there is %lld",
                      store->label, (long long)out->id);
    }
    if (rc == SQLITE_OK && !vs_cell_has(out, *out_slot)) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: the place of row %lld is free", store->label,
                      (long long)rowid);
    }
    return rc;
}

int vs_store_delete(vs_store *store, int64_t rowid, vs_err *err)
{
    store_change change;
    vs_cell cell;
    uint32_t slot = 0;
    int is_secure = 0;
    sqlite3_stmt *stmt;
    int rc = store_change_begin(store, &change, err);
    if (rc == SQLITE_OK) {
        rc = store_locate(&change, rowid, &cell, &slot);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_is_secure(store, &is_secure, err);
    }
    if (rc == SQLITE_OK) {
        rc = store_touch(&change);
    }
    if (rc == SQLITE_OK) {
        rc = store_free_place(&change, &cell, slot, is_secure);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_statement_get(store, VS_SQL_ROW_DELETE, &stmt, err);
    }
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(stmt, 1, rowid);
        rc = vs_store_run(store, stmt, "deleting a row", err);
    }
    return store_change_end(&change, rc);
}

/* ---- update ---------------------------------------------------------------------------------- */

/* What an update must know of the row as it is. */
typedef struct store_old {
    vs_cell cell;
    uint32_t slot;
    int64_t part;                           /* after the change; 0: a new partition */
    sqlite3_value *columns[VS_COLUMNS_MAX]; /* after the change; partition keys alone. Owned copies
                                               where not changed */
    const void *vectors[VS_VECTORS_MAX];    /* after the change */
    void *memory[VS_VECTORS_MAX];           /* owned: of vectors that stay */
} store_old;

static int store_partition_changes(const vs_store *store, const vs_row *row)
{
    for (int i = 0; i < store->declaration.column_count; i++) {
        if (store->declaration.columns[i].kind == VS_COLUMN_PARTITION && row->is_changed[i]) {
            return 1;
        }
    }
    return 0;
}

/* Values of the partition keys that do not change, from t_rows. */
static int store_read_partition_keys(vs_store *store, int64_t rowid, const vs_row *row,
                                     store_old *old, vs_err *err)
{
    int rc = SQLITE_OK;
    for (int i = 0; i < store->declaration.column_count && rc == SQLITE_OK; i++) {
        sqlite3_stmt *stmt = NULL;
        if (store->declaration.columns[i].kind != VS_COLUMN_PARTITION) {
            continue;
        }
        if (row->is_changed[i]) {
            old->columns[i] = row->columns[i] == NULL ? NULL : sqlite3_value_dup(row->columns[i]);
            rc = row->columns[i] != NULL && old->columns[i] == NULL ? SQLITE_NOMEM : SQLITE_OK;
            continue;
        }
        char *sql = sqlite3_mprintf("SELECT c%d FROM \"%w\".\"%w_rows\" WHERE id = %lld", i,
                                    store->schema, store->table, (long long)rowid);
        rc = sql == NULL
                 ? SQLITE_NOMEM
                 : sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_NO_VTAB, &stmt, NULL);
        sqlite3_free(sql);
        if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
            old->columns[i] = sqlite3_value_dup(sqlite3_column_value(stmt, 0));
            rc = old->columns[i] == NULL ? SQLITE_NOMEM : SQLITE_OK;
        } else if (rc != SQLITE_NOMEM) {
            rc = vs_error_db(err, rc == SQLITE_DONE ? SQLITE_CORRUPT_VTAB : rc, store->db,
                             store->label);
        }
        sqlite3_finalize(stmt);
    }
    return rc;
}

/* Vectors that stay, where the row moves or its records are written anew. Those of a content table
 * are there under the row's id as it is now. */
static int store_read_vectors_kept(vs_store *store, int64_t rowid, const vs_row *row,
                                   store_old *old, vs_err *err)
{
    int64_t loc = old->cell.id * (int64_t)store->geometry.slots + (int64_t)old->slot;
    int rc = SQLITE_OK;
    for (int i = 0; i < store->declaration.vector_count && rc == SQLITE_OK; i++) {
        const vs_vector_spec *spec = &store->declaration.vectors[i];
        int64_t id = vs_store_has_vectors(store, i) ? rowid : row->rowid;
        int is_null = 0, is_missing = 0;
        if (row->is_changed[spec->column]) {
            continue;
        }
        old->memory[i] = sqlite3_malloc64(vsk_bytes(spec->stored, spec->dim));
        rc = old->memory[i] == NULL
                 ? SQLITE_NOMEM
                 : vs_store_vector(store, i, loc, id, old->memory[i], &is_null, &is_missing, err);
        old->vectors[i] = is_null || is_missing ? NULL : old->memory[i];
    }
    return rc;
}

static void store_free_old(store_old *old)
{
    for (int i = 0; i < VS_COLUMNS_MAX; i++) {
        sqlite3_value_free(old->columns[i]);
    }
    for (int i = 0; i < VS_VECTORS_MAX; i++) {
        sqlite3_free(old->memory[i]);
    }
}

/* Vectors of a row that stays where it is: those that change, or all when the rowid in their
 * records does. */
static int store_update_in_place(store_change *change, int64_t rowid, const vs_row *row,
                                 store_old *old)
{
    vs_store *store = change->store;
    int is_written = 0;
    int rc = SQLITE_OK;
    for (int i = 0; i < store->declaration.vector_count && rc == SQLITE_OK; i++) {
        if (!row->is_changed[store->declaration.vectors[i].column] && row->rowid == rowid) {
            continue;
        }
        is_written = 1;
        rc = vs_store_write_vector(store, i, &old->cell, old->slot, row->rowid, old->vectors[i], 0,
                                   change->err);
        if (rc == SQLITE_OK && old->cell.is_coded && store->geometry.vectors[i].is_coded) {
            rc = vs_store_code_slot(store, &old->cell, old->slot, i, row->rowid, old->vectors[i], 0,
                                    change->err);
        }
    }
    if (rc == SQLITE_OK && is_written) {
        rc = store_write_cell(change, &old->cell, 0, old->cell.live < store->geometry.slots);
    }
    return rc;
}

int vs_store_update(vs_store *store, int64_t rowid, const vs_row *row, vs_err *err)
{
    store_change change;
    store_place place;
    store_old old;
    int is_secure = 0;
    int moves = store_partition_changes(store, row);
    memset(&old, 0, sizeof old);
    int rc = store_change_begin(store, &change, err);
    if (rc == SQLITE_OK) {
        rc = store_locate(&change, rowid, &old.cell, &old.slot);
    }
    for (int i = 0; i < store->declaration.vector_count; i++) {
        old.vectors[i] = row->vectors[i];
    }
    if (rc == SQLITE_OK && (moves || row->rowid != rowid)) {
        rc = store_read_vectors_kept(store, rowid, row, &old, err);
    }
    if (rc == SQLITE_OK && moves) {
        rc = store_read_partition_keys(store, rowid, row, &old, err);
        rc = rc == SQLITE_OK ? vs_store_find_part(store, old.columns, &old.part, err) : rc;
        rc = rc == SQLITE_OK ? vs_store_is_secure(store, &is_secure, err) : rc;
        moves = old.part != old.cell.part;
        rc = rc == SQLITE_OK && moves ? store_find_place(&change, old.part, &place) : rc;
    }
    int64_t loc = 0;
    if (rc == SQLITE_OK) { /* else the cell may hold any number */
        loc = old.cell.id * (int64_t)store->geometry.slots + (int64_t)old.slot;
        rc = store_touch(&change);
    }
    if (rc == SQLITE_OK && moves) {
        if (old.part == 0) {
            rc = store_add_part(&change, old.columns, &place.cell.part);
        }
        rc = rc == SQLITE_OK ? store_free_place(&change, &old.cell, old.slot, is_secure) : rc;
        rc = rc == SQLITE_OK ? store_take_place(&change, &place, row->rowid, old.vectors) : rc;
        loc = store_place_loc(store, &place);
    } else if (rc == SQLITE_OK) {
        rc = store_update_in_place(&change, rowid, row, &old);
    }
    if (rc == SQLITE_OK) {
        rc = store_update_row(&change, rowid, row, loc);
    }
    store_free_old(&old);
    return store_change_end(&change, rc);
}

int vs_store_move(vs_store *store, int64_t rowid, int64_t into, vs_err *err)
{
    store_change change;
    store_place place;
    store_old old;
    vs_row row;
    int is_secure = 0;
    memset(&old, 0, sizeof old);
    memset(&row, 0, sizeof row);
    memset(&place, 0, sizeof place);
    row.rowid = rowid;
    int rc = store_change_begin(store, &change, err);
    if (rc == SQLITE_OK) {
        rc = store_locate(&change, rowid, &old.cell, &old.slot);
    }
    if (rc == SQLITE_OK) {
        rc = store_read_vectors_kept(store, rowid, &row, &old, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_is_secure(store, &is_secure, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_cell(store, into, &place.cell, err);
    }
    if (rc == SQLITE_OK && (place.cell.part != old.cell.part || place.cell.id == old.cell.id ||
                            place.cell.live >= store->geometry.slots)) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s: cell %lld has no room for row %lld",
                      store->label, (long long)into, (long long)rowid);
    }
    if (rc == SQLITE_OK) {
        place.was_open = 1;
        while (vs_cell_has(&place.cell, place.slot)) {
            place.slot++;
        }
        rc = store_touch(&change);
    }
    if (rc == SQLITE_OK) {
        rc = store_free_place(&change, &old.cell, old.slot, is_secure);
    }
    if (rc == SQLITE_OK) {
        rc = store_take_place(&change, &place, rowid, old.vectors);
    }
    if (rc == SQLITE_OK) {
        rc = store_update_row(&change, rowid, &row, store_place_loc(store, &place));
    }
    store_free_old(&old);
    return store_change_end(&change, rc);
}

int vs_store_set_tier(vs_store *store, int64_t cell_id, int is_cold, int *out_changed, vs_err *err)
{
    store_change change;
    vs_cell cell;
    *out_changed = 0;
    int rc = store_change_begin(store, &change, err);
    if (rc == SQLITE_OK) {
        rc = vs_store_cell(store, cell_id, &cell, err);
    }
    change.is_begun = 1; /* of what the cell holds nothing changes, so neither do the stamps */
    for (int i = 0; i < store->declaration.vector_count && rc == SQLITE_OK; i++) {
        int is_other = 0;
        if (!cell.is_coded || !vs_store_can_be_cold(store, i)) {
            continue;
        }
        rc = vs_store_has_tier(store, i, cell_id, is_cold, &is_other, err);
        if (rc == SQLITE_OK && is_other) {
            *out_changed = 1;
            rc = is_cold ? vs_store_seal_column(store, i, &cell, err)
                         : vs_store_thaw_column(store, i, &cell, err);
        }
    }
    return store_change_end(&change, rc);
}

int vs_store_recode_cell(vs_store *store, int64_t cell_id, vs_err *err)
{
    store_change change;
    vs_cell cell;
    int rc = store_change_begin(store, &change, err);
    if (rc == SQLITE_OK) {
        rc = vs_store_cell(store, cell_id, &cell, err);
    }
    if (rc == SQLITE_OK) {
        rc = store_touch(&change);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_code_cell(store, &cell, err);
    }
    if (rc == SQLITE_OK) {
        rc = store_write_cell(&change, &cell, 0, cell.live < store->geometry.slots);
    }
    return store_change_end(&change, rc);
}

int vs_store_next_rowid(vs_store *store, int64_t *out, vs_err *err)
{
    sqlite3_stmt *stmt;
    *out = 1;
    int rc = vs_store_statement_get(store, VS_SQL_ROW_LAST, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) == SQLITE_INTEGER) {
        int64_t last = sqlite3_column_int64(stmt, 0);
        if (last == INT64_MAX) {
            rc = vs_error(err, SQLITE_FULL, "%s: the largest rowid is in use: give one",
                          store->label);
        } else {
            *out = last + 1;
        }
    }
    return vs_store_done(store, stmt, rc, "finding the last row", err);
}
