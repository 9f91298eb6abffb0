/*
 * vs_store_sql.c - the SQL of the store: its tables, and the statements on them.
 *
 * Names of tables and schemas are quoted; columns are named by their numbers; types come from
 * declare.c, which lets nothing through that is not safe to paste. Values are always parameters.
 *
 * Calls: SQLite's string builder.
 * Called by: store.c.
 * Threads: any.
 */
#include "store_impl.h"

/*
 * Does a column of this declared type keep 1 and 1.0 apart? Those without affinity do, by SQLite's
 * rules for names of types. A COLLATE clause is no part of the name.
 */
static int store_keeps_type(const char *type_sql)
{
    static const char *const others[] = {"INT", "CHAR", "CLOB", "TEXT"};
    size_t n = 0;
    int is_blob = 0;
    while (type_sql[n] != '\0' && sqlite3_strnicmp(type_sql + n, "COLLATE", 7) != 0) {
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
            if (sqlite3_strnicmp(type_sql + n, others[i], (int)strlen(others[i])) == 0) {
                return 0;
            }
        }
        is_blob |= sqlite3_strnicmp(type_sql + n, "BLOB", 4) == 0;
        n++;
    }
    return n == 0 || is_blob;
}

/*
 * Parameter n, a value to look for among those of a stored column, as that column would hold it. A
 * comparison applies the column's affinity, but for one thing: beside a REAL column, which holds the
 * double nearest to it, a whole number stays a whole number. A text that looks like a number is the
 * one that its NUMERIC form equals.
 */
static void store_append_key(sqlite3_str *sql, const vs_column_spec *column, int n)
{
    if (vs_declare_is_real(column)) {
        sqlite3_str_appendf(sql,
                            "CASE WHEN typeof(?%d) IN ('integer', 'text') AND CAST(?%d AS NUMERIC) "
                            "= ?%d THEN CAST(CAST(?%d AS NUMERIC) AS REAL) ELSE ?%d END",
                            n, n, n, n, n);
    } else {
        sqlite3_str_appendf(sql, "?%d", n);
    }
}

/* Lists the columns of t_rows, or the partition keys among them, each in a form ("name", "binary",
 * "parameter", "is", "case"). Parameters count from `first` in steps of `step`. `before` comes
 * before each; among partition keys not before the first. */
static void store_list_columns(sqlite3_str *sql, const vs_store *store, int only_partitions,
                               const char *before, const char *form, int first, int step)
{
    int n = first;
    int is_first = 1;
    for (int i = 0; i < store->declaration.column_count; i++) {
        const vs_column_spec *column = &store->declaration.columns[i];
        if (!store_is_row_column(column) ||
            (only_partitions && column->kind != VS_COLUMN_PARTITION)) {
            continue;
        }
        sqlite3_str_appendall(sql, is_first && only_partitions ? "" : before);
        is_first = 0;
        if (strcmp(form, "name") == 0) {
            sqlite3_str_appendf(sql, "c%d", i);
        } else if (strcmp(form, "binary") == 0) {
            sqlite3_str_appendf(sql, "c%d COLLATE BINARY", i);
        } else if (strcmp(form, "parameter") == 0) {
            sqlite3_str_appendf(sql, "?%d", n);
        } else if (strcmp(form, "is") == 0) {
            sqlite3_str_appendf(sql, "c%d IS ", i);
            store_append_key(sql, column, n);
            sqlite3_str_appendall(sql, " COLLATE BINARY");
            if (store_keeps_type(column->type_sql)) {
                sqlite3_str_appendf(sql, " AND typeof(c%d) = typeof(?%d)", i, n);
            }
        } else {
            sqlite3_str_appendf(sql, "c%d = CASE WHEN ?%d THEN ?%d ELSE c%d END", i, n, n + 1, i);
        }
        n += step;
    }
}

char *vs_store_sql(const vs_store *store, vs_store_statement which)
{
    const char *s = store->schema, *t = store->table;
    long long head = (long long)VS_HEAD_ID;
    sqlite3_str *sql = sqlite3_str_new(store->db);
    switch (which) {
    case VS_SQL_HEAD:
        sqlite3_str_appendf(sql, "SELECT data FROM \"%w\".\"%w_cells\" WHERE id = %lld", s, t,
                            head);
        break;
    case VS_SQL_HEAD_SET:
        sqlite3_str_appendf(sql, "UPDATE \"%w\".\"%w_cells\" SET data = ?1 WHERE id = %lld", s, t,
                            head);
        break;
    case VS_SQL_CELLS:
        sqlite3_str_appendf(
            sql, "SELECT id, part, data FROM \"%w\".\"%w_cells\" WHERE id <> %lld ORDER BY id", s,
            t, head);
        break;
    case VS_SQL_CELL:
        sqlite3_str_appendf(sql, "SELECT part, data FROM \"%w\".\"%w_cells\" WHERE id = ?1", s, t);
        break;
    case VS_SQL_CELL_INSERT:
        sqlite3_str_appendf(
            sql, "INSERT INTO \"%w\".\"%w_cells\"(id, part, open, data) VALUES(?1, ?2, ?3, ?4)", s,
            t);
        break;
    case VS_SQL_CELL_SET:
        sqlite3_str_appendf(sql, "UPDATE \"%w\".\"%w_cells\" SET data = ?2 WHERE id = ?1", s, t);
        break;
    case VS_SQL_CELL_SET_OPEN:
        sqlite3_str_appendf(
            sql, "UPDATE \"%w\".\"%w_cells\" SET data = ?2, open = ?3 WHERE id = ?1", s, t);
        break;
    case VS_SQL_CELL_DELETE:
        sqlite3_str_appendf(sql, "DELETE FROM \"%w\".\"%w_cells\" WHERE id = ?1", s, t);
        break;
    case VS_SQL_CELL_OPEN:
        sqlite3_str_appendf(sql,
                            "SELECT id FROM \"%w\".\"%w_cells\" WHERE open = 1 AND part = ?1 "
                            "ORDER BY id DESC LIMIT 1",
                            s, t);
        break;
    case VS_SQL_ROW_LOC:
        sqlite3_str_appendf(sql, "SELECT loc FROM \"%w\".\"%w_rows\" WHERE id = ?1", s, t);
        break;
    case VS_SQL_ROW_KEY:
        sqlite3_str_appendf(sql, "SELECT id FROM \"%w\".\"%w_rows\" WHERE c%d = ", s, t,
                            store->declaration.key);
        store_append_key(sql, &store->declaration.columns[store->declaration.key], 1);
        break;
    case VS_SQL_ROW_INSERT:
        sqlite3_str_appendf(sql, "INSERT INTO \"%w\".\"%w_rows\"(id, loc", s, t);
        store_list_columns(sql, store, 0, ", ", "name", 0, 0);
        sqlite3_str_appendall(sql, ") VALUES(?1, ?2");
        store_list_columns(sql, store, 0, ", ", "parameter", 3, 1);
        sqlite3_str_appendall(sql, ")");
        break;
    case VS_SQL_ROW_UPDATE:
        sqlite3_str_appendf(sql, "UPDATE \"%w\".\"%w_rows\" SET id = ?2, loc = ?3", s, t);
        store_list_columns(sql, store, 0, ", ", "case", 4, 2);
        sqlite3_str_appendall(sql, " WHERE id = ?1");
        break;
    case VS_SQL_ROW_DELETE:
        sqlite3_str_appendf(sql, "DELETE FROM \"%w\".\"%w_rows\" WHERE id = ?1", s, t);
        break;
    case VS_SQL_ROW_LAST:
        sqlite3_str_appendf(sql, "SELECT max(id) FROM \"%w\".\"%w_rows\"", s, t);
        break;
    case VS_SQL_PART_FIND:
        sqlite3_str_appendf(sql, "SELECT id FROM \"%w\".\"%w_parts\" WHERE ", s, t);
        store_list_columns(sql, store, 1, " AND ", "is", 1, 1);
        break;
    case VS_SQL_PART_LAST:
        sqlite3_str_appendf(sql, "SELECT max(id) FROM \"%w\".\"%w_parts\"", s, t);
        break;
    case VS_SQL_PART_INSERT:
        sqlite3_str_appendf(sql, "INSERT INTO \"%w\".\"%w_parts\"(", s, t);
        store_list_columns(sql, store, 1, ", ", "name", 0, 0);
        sqlite3_str_appendall(sql, ", id) VALUES(");
        store_list_columns(sql, store, 1, ", ", "parameter", 1, 1);
        sqlite3_str_appendf(sql, ", ?%d)", store->declaration.partition_count + 1);
        break;
    case VS_SQL_INFO:
        sqlite3_str_appendf(sql, "SELECT value FROM \"%w\".\"%w_info\" WHERE key = ?1", s, t);
        break;
    case VS_SQL_INFO_SET:
        sqlite3_str_appendf(
            sql, "INSERT OR REPLACE INTO \"%w\".\"%w_info\"(key, value) VALUES(?1, ?2)", s, t);
        break;
    case VS_SQL_READ_UNCOMMITTED:
        sqlite3_str_appendall(sql, "PRAGMA read_uncommitted");
        break;
    default:
        sqlite3_str_appendf(sql, "PRAGMA \"%w\".secure_delete", s);
        break;
    }
    return sqlite3_str_finish(sql);
}

char *vs_store_vector_sql(const vs_store *store, int vector, vs_vector_statement which)
{
    int is_cold = which == VS_SQL_COLD || which == VS_SQL_COLD_STAMP || which == VS_SQL_COLD_SET ||
                  which == VS_SQL_COLD_DELETE;
    int is_codes = which == VS_SQL_CODES_SET || which == VS_SQL_CODES_DELETE;
    const char *role = is_cold ? "cold" : is_codes ? "codes" : "vectors";
    const char *form = "SELECT data FROM \"%w\".\"%w_%s%d\" WHERE id = ?1";
    if (which == VS_SQL_COLD) {
        form = "SELECT stamp, data FROM \"%w\".\"%w_%s%d\" WHERE id = ?1";
    } else if (which == VS_SQL_COLD_STAMP) {
        form = "SELECT stamp FROM \"%w\".\"%w_%s%d\" WHERE id = ?1";
    } else if (which == VS_SQL_COLD_SET) {
        form = "INSERT OR REPLACE INTO \"%w\".\"%w_%s%d\"(id, stamp, data) VALUES(?1, ?2, ?3)";
    } else if (which == VS_SQL_VECTORS_SET || which == VS_SQL_CODES_SET) {
        form = "INSERT OR REPLACE INTO \"%w\".\"%w_%s%d\"(id, data) VALUES(?1, ?2)";
    } else if (which == VS_SQL_VECTORS_DELETE || which == VS_SQL_CODES_DELETE ||
               which == VS_SQL_COLD_DELETE) {
        form = "DELETE FROM \"%w\".\"%w_%s%d\" WHERE id BETWEEN ?1 AND ?2";
    }
    return sqlite3_mprintf(form, store->schema, store->table, role, vector);
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* Names of indexes cannot change in ALTER TABLE RENAME (a DROP INDEX is refused there), so they
 * contain no name of the table, which another table may get. */
static unsigned long long store_index_number(const vs_store *store)
{
    unsigned long long number = 0;
    for (int i = 0; i < 8; i++) {
        number = number << 8 | store->identity[i];
    }
    return number;
}

static void store_append_rows(sqlite3_str *sql, const vs_store *store)
{
    sqlite3_str_appendf(sql, "CREATE TABLE \"%w\".\"%w_rows\"(id INTEGER PRIMARY KEY, loc INTEGER",
                        store->schema, store->table);
    for (int i = 0; i < store->declaration.column_count; i++) {
        const vs_column_spec *column = &store->declaration.columns[i];
        if (store_is_row_column(column)) {
            sqlite3_str_appendf(sql, ", c%d %s%s", i, column->type_sql,
                                column->kind == VS_COLUMN_KEY ? " UNIQUE" : "");
        }
    }
    sqlite3_str_appendall(sql, ");");
}

static void store_append_parts(sqlite3_str *sql, const vs_store *store)
{
    sqlite3_str_appendf(sql, "CREATE TABLE \"%w\".\"%w_parts\"(id INTEGER PRIMARY KEY",
                        store->schema, store->table);
    for (int i = 0; i < store->declaration.column_count; i++) {
        const vs_column_spec *column = &store->declaration.columns[i];
        if (column->kind == VS_COLUMN_PARTITION) {
            sqlite3_str_appendf(sql, ", c%d %s", i, column->type_sql);
        }
    }
    sqlite3_str_appendf(sql, "); CREATE INDEX \"%w\".\"vecshard_%016llx_parts\" ON \"%w_parts\"(",
                        store->schema, store_index_number(store), store->table);
    store_list_columns(sql, store, 1, ", ", "binary", 0, 0);
    sqlite3_str_appendall(sql, ");");
}

char *vs_store_create_sql(const vs_store *store)
{
    const char *s = store->schema, *t = store->table;
    sqlite3_str *sql = sqlite3_str_new(store->db);
    sqlite3_str_appendf(
        sql,
        "CREATE TABLE \"%w\".\"%w_info\"(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
        "CREATE TABLE \"%w\".\"%w_cells\"(id INTEGER PRIMARY KEY, part INTEGER, open INTEGER, "
        "data BLOB);"
        "CREATE INDEX \"%w\".\"vecshard_%016llx_open\" ON \"%w_cells\"(part) WHERE open = 1;",
        s, t, s, t, s, store_index_number(store), t);
    store_append_rows(sql, store);
    if (store->declaration.partition_count > 0) {
        store_append_parts(sql, store);
    }
    for (int i = 0; i < store->declaration.vector_count; i++) {
        sqlite3_str_appendf(sql,
                            "CREATE TABLE \"%w\".\"%w_vectors%d\"(id INTEGER PRIMARY KEY, data "
                            "BLOB);",
                            s, t, i);
        if (store->geometry.vectors[i].is_coded) {
            sqlite3_str_appendf(sql,
                                "CREATE TABLE \"%w\".\"%w_codes%d\"(id INTEGER PRIMARY KEY, data "
                                "BLOB);",
                                s, t, i);
        }
        if (store->geometry.vectors[i].per_block > 0) {
            sqlite3_str_appendf(sql,
                                "CREATE TABLE \"%w\".\"%w_cold%d\"(id INTEGER PRIMARY KEY, stamp "
                                "BLOB, data BLOB);",
                                s, t, i);
        }
    }
    return sqlite3_str_finish(sql);
}
