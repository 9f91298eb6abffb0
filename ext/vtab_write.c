/*
 * vtab_write.c - changes of a vecshard table.
 *
 *     INSERT INTO memories(rowid, embedding, tenant) VALUES (1, :v, 7);
 *     INSERT OR REPLACE ..., INSERT OR IGNORE ..., UPDATE ..., DELETE ...
 *     INSERT INTO memories(memories) VALUES('optimize');      a command: maint.c
 *
 * An index over a content table takes commands only: its triggers give 'sync', see content.c.
 *
 * All values are read and all conflicts are found before the first write, so an error leaves
 * everything as it was. A REPLACE of a row by its own rowid is an update in place.
 *
 * Calls: store.c, column.c, maint.c, content.c.
 * Called by: vtab_index.c, which registers these methods.
 * Threads: the connection's.
 */
#include "vtab_write.h"

#include <math.h>

#include "column.h"
#include "content.h"
#include "maint.h"

/* At most, in a row of t_rows: a value beside the bytes of texts and BLOBs; what else is in the row. */
#define WRITE_VALUE_BYTES 10
#define WRITE_ROW_BYTES 100

/* ---- transactions ---------------------------------------------------------------------------- */

/* Nothing waits in memory; what is remembered of the last write ends with every boundary that an
 * undo may go back to. */
static int write_forget(sqlite3_vtab *base)
{
    vs_index_table *table = (vs_index_table *)(void *)base;
    vs_store_forget(&table->store);
    table->generation++;
    return SQLITE_OK;
}

int vs_vtab_write_begin(sqlite3_vtab *base)
{
    return write_forget(base);
}

int vs_vtab_write_sync(sqlite3_vtab *base)
{
    return write_forget(base);
}

int vs_vtab_write_commit(sqlite3_vtab *base)
{
    return write_forget(base);
}

int vs_vtab_write_rollback(sqlite3_vtab *base)
{
    return write_forget(base);
}

int vs_vtab_write_savepoint(sqlite3_vtab *base, int number)
{
    (void)number;
    return write_forget(base);
}

int vs_vtab_write_rename(sqlite3_vtab *base, const char *name)
{
    vs_index_table *table = (vs_index_table *)(void *)base;
    vs_err err = VS_ERR_INIT;
    int rc = vs_declare_check_table("vecshard", &table->store.declaration, name, &err);
    vs_nearest_free(table->spare);
    table->spare = NULL;
    if (rc == SQLITE_OK && table->store.declaration.content != NULL) {
        rc = vs_content_rename(&table->store, name, &err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_store_rename(&table->store, name, &err);
    }
    return vs_error_vtab(base, rc, &err);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* One change: its arguments and what was read of them. */
typedef struct write_change {
    vs_index_table *table;
    vs_store *store;
    sqlite3_value **columns; /* of the declared columns, then the hidden ones */
    int is_update;
    int64_t old_rowid;
    vs_row row;
    vs_err *err;
} write_change;

/* A whole number, as 5, 5.0 and '5' are; else SQLITE_MISMATCH. */
static int write_read_rowid(write_change *change, sqlite3_value *value, int64_t *out)
{
    int type = sqlite3_value_numeric_type(value);
    double number = sqlite3_value_double(value);
    if (type == SQLITE_INTEGER) {
        *out = sqlite3_value_int64(value);
        return SQLITE_OK;
    }
    if (type == SQLITE_FLOAT && number >= -0x1p63 && number < 0x1p63 && number == floor(number)) {
        *out = (int64_t)number;
        return SQLITE_OK;
    }
    const char *text = (const char *)sqlite3_value_text(value);
    return vs_error(change->err, SQLITE_MISMATCH,
                    "%s: the rowid must be a whole number, found %.40s", change->store->label,
                    text == NULL ? "NULL" : text);
}

static int write_is_unchanged(const write_change *change, int column)
{
    return change->is_update && sqlite3_value_nochange(change->columns[column]);
}

/* The rowid of the row: given as rowid or in the INTEGER PRIMARY KEY column; else the next free
 * one. */
static int write_find_rowid(write_change *change, sqlite3_value *rowid)
{
    const vs_declaration *declaration = &change->store->declaration;
    int key = declaration->key;
    int has_rowid = sqlite3_value_type(rowid) != SQLITE_NULL;
    int rc = SQLITE_OK;
    int64_t given = 0;
    if (has_rowid || change->is_update) {
        rc = write_read_rowid(change, rowid, &given);
    }
    change->row.rowid = given;
    if (rc == SQLITE_OK && key >= 0 && declaration->columns[key].kind == VS_COLUMN_ROWID &&
        !write_is_unchanged(change, key) &&
        (change->is_update || sqlite3_value_type(change->columns[key]) != SQLITE_NULL)) {
        int64_t by_key = 0;
        rc = write_read_rowid(change, change->columns[key], &by_key);
        if (rc == SQLITE_OK && !(change->is_update && by_key == change->old_rowid)) {
            if (has_rowid && !(change->is_update && given == change->old_rowid) &&
                by_key != given) {
                return vs_error(change->err, SQLITE_CONSTRAINT,
                                "%s: rowid %lld and %s %lld are the same column",
                                change->store->label, (long long)given,
                                declaration->columns[key].name, (long long)by_key);
            }
            change->row.rowid = by_key;
            has_rowid = 1;
        }
    }
    if (rc == SQLITE_OK && !has_rowid && !change->is_update) {
        rc = vs_store_next_rowid(change->store, &change->row.rowid, change->err);
    }
    return rc;
}

static int write_read_vector(write_change *change, int vector)
{
    const vs_vector_spec *spec = &change->store->declaration.vectors[vector];
    sqlite3_value *value = change->columns[spec->column];
    change->row.is_changed[spec->column] = !write_is_unchanged(change, spec->column);
    if (!change->row.is_changed[spec->column] || sqlite3_value_type(value) == SQLITE_NULL) {
        return SQLITE_OK;
    }
    char *place = sqlite3_mprintf("%s.%s, row %lld", change->store->label,
                                  change->store->declaration.columns[spec->column].name,
                                  (long long)change->row.rowid);
    if (place == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = vs_column_read(spec, place, value, spec->stored, change->table->memory[vector],
                            &change->row.vectors[vector], change->err);
    sqlite3_free(place);
    return rc;
}

/* Hidden columns that are never written. */
static const struct {
    int column;
    const char *name;
} write_outputs[] = {{VS_HIDDEN_QUERY, "query"},
                     {VS_HIDDEN_K, "k"},
                     {VS_HIDDEN_OPTIONS, "options"},
                     {VS_HIDDEN_DISTANCE, "distance"},
                     {VS_HIDDEN_DEVICE, "_device"}};
#define WRITE_OUTPUTS (sizeof write_outputs / sizeof write_outputs[0])

/* Hidden columns take no values, but for the command's, which are read elsewhere. */
static int write_check_hidden(const write_change *change)
{
    int first = change->store->declaration.column_count;
    for (size_t i = 0; i < WRITE_OUTPUTS; i++) {
        int column = first + write_outputs[i].column;
        if (sqlite3_value_type(change->columns[column]) != SQLITE_NULL &&
            !write_is_unchanged(change, column)) {
            return vs_error(change->err, SQLITE_ERROR, "%s: %s cannot be written",
                            change->store->label, write_outputs[i].name);
        }
    }
    if (sqlite3_value_type(change->columns[first + VS_HIDDEN_COMMAND]) != SQLITE_NULL) {
        return vs_error(change->err, SQLITE_ERROR, "%s: a command is given with INSERT",
                        change->store->label);
    }
    if (sqlite3_value_type(change->columns[first + VS_HIDDEN_ARG]) != SQLITE_NULL) {
        return vs_error(change->err, SQLITE_ERROR, "%s: arg belongs to a command",
                        change->store->label);
    }
    return SQLITE_OK;
}

static int write_read_row(write_change *change, sqlite3_value *rowid)
{
    const vs_declaration *declaration = &change->store->declaration;
    int rc = write_check_hidden(change);
    if (rc == SQLITE_OK) {
        rc = write_find_rowid(change, rowid);
    }
    for (int i = 0; i < declaration->column_count && rc == SQLITE_OK; i++) {
        if (declaration->columns[i].kind == VS_COLUMN_VECTOR) {
            rc = write_read_vector(change, declaration->columns[i].vector);
        } else {
            change->row.is_changed[i] = !write_is_unchanged(change, i);
            change->row.columns[i] = change->row.is_changed[i] ? change->columns[i] : NULL;
        }
    }
    return rc;
}

/* ---- conflicts ------------------------------------------------------------------------------- */

/* Rows that are in the way of a change: 0 for none (rowid 0 has a flag of its own). */
typedef struct write_conflicts {
    int has_rowid;     /* another row has the rowid */
    int has_key;       /* another row has the key ... */
    int64_t key_rowid; /* ... this one */
} write_conflicts;

static int write_find_conflicts(write_change *change, write_conflicts *out)
{
    const vs_declaration *declaration = &change->store->declaration;
    int key = declaration->key;
    int64_t loc = 0;
    int rc = SQLITE_OK;
    memset(out, 0, sizeof *out);
    if (!change->is_update || change->row.rowid != change->old_rowid) {
        rc = vs_store_loc(change->store, change->row.rowid, &loc, change->err);
        out->has_rowid = loc != 0;
    }
    if (rc == SQLITE_OK && key >= 0 && declaration->columns[key].kind == VS_COLUMN_KEY &&
        change->row.is_changed[key] && sqlite3_value_type(change->columns[key]) != SQLITE_NULL) {
        rc = vs_store_by_key(change->store, change->columns[key], &out->key_rowid, &out->has_key,
                             change->err);
        if (change->is_update && out->key_rowid == change->old_rowid) {
            out->has_key = 0;
        }
    }
    return rc;
}

static int write_refuse(write_change *change, const write_conflicts *conflicts)
{
    const vs_declaration *declaration = &change->store->declaration;
    if (conflicts->has_rowid) {
        return vs_error(
            change->err, SQLITE_CONSTRAINT_ROWID,
            "UNIQUE constraint failed: %s.%s: there is a row %lld", change->store->label,
            declaration->key >= 0 && declaration->columns[declaration->key].kind == VS_COLUMN_ROWID
                ? declaration->columns[declaration->key].name
                : "rowid",
            (long long)change->row.rowid);
    }
    return vs_error(change->err, SQLITE_CONSTRAINT_UNIQUE,
                    "UNIQUE constraint failed: %s.%s: row %lld has that key", change->store->label,
                    declaration->columns[declaration->key].name, (long long)conflicts->key_rowid);
}

static int write_apply(write_change *change, const write_conflicts *conflicts)
{
    vs_store *store = change->store;
    int is_deleted = 0;
    int rc = SQLITE_OK;
    if (conflicts->has_key &&
        !(conflicts->has_rowid && conflicts->key_rowid == change->row.rowid)) {
        rc = vs_store_delete(store, conflicts->key_rowid, change->err);
        is_deleted = rc == SQLITE_OK;
    }
    if (rc == SQLITE_OK && conflicts->has_rowid && !change->is_update) {
        for (int i = 0; i < store->declaration.column_count; i++) {
            change->row.is_changed[i] = 1;
        }
        rc = vs_store_update(store, change->row.rowid, &change->row, change->err);
    } else if (rc == SQLITE_OK) {
        if (conflicts->has_rowid) {
            rc = vs_store_delete(store, change->row.rowid, change->err);
            is_deleted |= rc == SQLITE_OK;
        }
        if (rc == SQLITE_OK) {
            rc = change->is_update
                     ? vs_store_update(store, change->old_rowid, &change->row, change->err)
                     : vs_store_insert(store, &change->row, change->err);
        }
    }
    /* After rows were deleted to make way, half of the change must not stay. */
    return is_deleted ? vs_store_undone(store, rc, change->err) : rc;
}

/* A row that SQLite would not take is refused before anything is written: afterwards the transaction
 * would have to go. All columns but vectors are in one row of t_rows. */
static int write_check_size(const write_change *change)
{
    const vs_declaration *declaration = &change->store->declaration;
    int64_t bytes = WRITE_ROW_BYTES,
            most = sqlite3_limit(change->store->db, SQLITE_LIMIT_LENGTH, -1);
    for (int i = 0; i < declaration->column_count; i++) {
        sqlite3_value *value = change->columns[i];
        int type = sqlite3_value_type(value);
        if (declaration->columns[i].kind != VS_COLUMN_VECTOR) {
            bytes += WRITE_VALUE_BYTES;
            bytes += type == SQLITE_TEXT || type == SQLITE_BLOB ? sqlite3_value_bytes(value) : 0;
        }
    }
    return bytes <= most
               ? SQLITE_OK
               : vs_error(change->err, SQLITE_TOOBIG,
                          "%s: row %lld has %lld bytes beside its vectors, and SQLite's limit is "
                          "%lld: string or blob too big",
                          change->store->label, (long long)change->row.rowid, (long long)bytes,
                          (long long)most);
}

static int write_row(write_change *change, sqlite3_value *rowid, sqlite3_int64 *out_rowid)
{
    write_conflicts conflicts;
    int64_t loc = 0;
    int rc = vs_store_load(change->store, change->err);
    if (rc == SQLITE_OK && change->is_update) {
        rc = vs_store_loc(change->store, change->old_rowid, &loc, change->err);
        if (rc == SQLITE_OK && loc == 0) {
            return SQLITE_OK; /* the same statement replaced it */
        }
    }
    if (rc == SQLITE_OK) {
        rc = write_read_row(change, rowid);
    }
    if (rc == SQLITE_OK) {
        rc = write_check_size(change);
    }
    if (rc == SQLITE_OK) {
        rc = write_find_conflicts(change, &conflicts);
    }
    if (rc == SQLITE_OK && (conflicts.has_rowid || conflicts.has_key) &&
        sqlite3_vtab_on_conflict(change->store->db) != SQLITE_REPLACE) {
        return write_refuse(change, &conflicts);
    }
    if (rc == SQLITE_OK) {
        rc = write_apply(change, &conflicts);
    }
    if (rc == SQLITE_OK && !change->is_update) {
        *out_rowid = change->row.rowid;
    }
    return rc;
}

static int write_delete(vs_store *store, sqlite3_value *rowid, vs_err *err)
{
    int64_t loc = 0;
    int64_t id = sqlite3_value_int64(rowid);
    int rc = vs_store_load(store, err);
    if (rc == SQLITE_OK) {
        rc = vs_store_loc(store, id, &loc, err);
    }
    return rc == SQLITE_OK && loc != 0 ? vs_store_delete(store, id, err) : rc;
}

/* ---- commands -------------------------------------------------------------------------------- */

/* The first column, of those that a command does not take, with a value; NULL where there is none.
 * 'tier' takes partition keys. */
static const char *write_find_value(const vs_declaration *declaration, int is_tier,
                                    sqlite3_value *rowid, sqlite3_value **columns)
{
    if (sqlite3_value_type(rowid) != SQLITE_NULL) {
        return "rowid";
    }
    for (int i = 0; i < declaration->column_count; i++) {
        if (sqlite3_value_type(columns[i]) != SQLITE_NULL &&
            !(is_tier && declaration->columns[i].kind == VS_COLUMN_PARTITION)) {
            return declaration->columns[i].name;
        }
    }
    for (size_t i = 0; i < WRITE_OUTPUTS; i++) {
        int column = declaration->column_count + write_outputs[i].column;
        if (sqlite3_value_type(columns[column]) != SQLITE_NULL) {
            return write_outputs[i].name;
        }
    }
    return NULL;
}

/* INSERT INTO t(t, arg) VALUES(command, arg). columns: all, the declared ones first. A value that the
 * command would pass over is an error. */
static int write_command(vs_index_table *table, sqlite3_value *rowid, sqlite3_value **columns,
                         vs_err *err)
{
    sqlite3_value **hidden = columns + table->store.declaration.column_count;
    sqlite3_value *command = hidden[VS_HIDDEN_COMMAND], *arg = hidden[VS_HIDDEN_ARG];
    const char *name = (const char *)sqlite3_value_text(command);
    const char *other =
        write_find_value(&table->store.declaration,
                         name != NULL && sqlite3_stricmp(name, "tier") == 0, rowid, columns);
    if (name != NULL && other != NULL) {
        return vs_error(err, SQLITE_ERROR, "%s: the command '%.40s' takes no value for %s",
                        table->store.label, name, other);
    }
    if (table->store.declaration.content == NULL || name == NULL ||
        sqlite3_stricmp(name, "sync") != 0) {
        return vs_maint_command(&table->store, command, arg, columns, err);
    }
    return vs_content_sync(&table->store, arg, table->memory, err);
}

int vs_vtab_write_update(sqlite3_vtab *base, int argc, sqlite3_value **argv,
                         sqlite3_int64 *out_rowid)
{
    vs_index_table *table = (vs_index_table *)(void *)base;
    vs_err err = VS_ERR_INIT;
    write_change change;
    int rc;
    memset(&change, 0, sizeof change);
    table->generation++;
    int is_command =
        argc > 1 && sqlite3_value_type(argv[0]) == SQLITE_NULL &&
        sqlite3_value_type(argv[2 + table->store.declaration.column_count + VS_HIDDEN_COMMAND]) !=
            SQLITE_NULL;
    if (table->store.declaration.content != NULL && !is_command) {
        rc = vs_error(&err, SQLITE_ERROR, "%s: it follows the table %s: change that table",
                      table->store.label, table->store.declaration.content);
        return vs_error_vtab(base, rc, &err);
    }
    if (argc == 1) {
        rc = write_delete(&table->store, argv[0], &err);
        return vs_error_vtab(base, rc, &err);
    }
    change.table = table;
    change.store = &table->store;
    change.columns = argv + 2;
    change.err = &err;
    change.is_update = sqlite3_value_type(argv[0]) != SQLITE_NULL;
    change.old_rowid = sqlite3_value_int64(argv[0]);
    if (is_command) {
        *out_rowid = sqlite3_last_insert_rowid(table->store.db); /* it stays */
        rc = write_command(table, argv[1], change.columns, &err);
    } else {
        rc = write_row(&change, argv[1], out_rowid);
    }
    return vs_error_vtab(base, rc, &err);
}
