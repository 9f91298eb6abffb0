/*
 * table_tag.c - a name for the state that an ordinary table has now, as this connection sees it.
 *
 * SQLite's data version tells of every commit, by whichever connection, as long as the database stays
 * attached. A database that is attached under the name of another one that was detached starts to count
 * anew. DETACH expires prepared statements, so the number of times that a kept one was prepared again
 * tells; it then gets a new identity, and with it all later tags. So does PRAGMA temp_store, which
 * throws temp away; main cannot be detached. sqlite3_deserialize replaces a database without a trace,
 * but always by one of the VFS memdb: those have no tags.
 *
 * Calls: target.c.
 * Called by: gpu_table.c; vtab_search.c and vtab_batch.c (end of their tables).
 * Threads: the connection's.
 */
#include "table_tag.h"

#define TAG_TABLES_MAX 16 /* statements kept; the one used least recently makes room */

struct vs_table_tag {
    char *sql;          /* owned: tells the tables apart */
    sqlite3_stmt *stmt; /* owned */
    int prepared_again; /* SQLITE_STMTSTATUS_REPREPARE when the identity was made */
    uint64_t identity;  /* random */
    uint64_t used;      /* rises */
};

struct vs_table_tags {
    vs_table_tag tables[TAG_TABLES_MAX];
    uint64_t used;
    sqlite3_stmt *uncommitted; /* owned: PRAGMA read_uncommitted */
};

static void tag_clear(vs_table_tag *table)
{
    sqlite3_finalize(table->stmt);
    sqlite3_free(table->sql);
    memset(table, 0, sizeof *table);
}

void vs_table_tags_free(vs_conn *conn)
{
    vs_table_tags *tags = conn->table_tags;
    conn->table_tags = NULL;
    if (tags == NULL) {
        return;
    }
    for (int i = 0; i < TAG_TABLES_MAX; i++) {
        tag_clear(&tags->tables[i]);
    }
    sqlite3_finalize(tags->uncommitted);
    sqlite3_free(tags);
}

static int tag_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out)
{
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT | SQLITE_PREPARE_NO_VTAB, out,
                              NULL);
}

static vs_table_tag *tag_find(vs_table_tags *tags, const char *sql)
{
    for (int i = 0; tags != NULL && i < TAG_TABLES_MAX; i++) {
        if (tags->tables[i].sql != NULL && strcmp(tags->tables[i].sql, sql) == 0) {
            return &tags->tables[i];
        }
    }
    return NULL;
}

/* The table's statement, prepared where there is none. Takes sql over. */
static int tag_get(vs_conn *conn, char *sql, vs_table_tag **out)
{
    *out = NULL;
    if (sql == NULL) {
        return SQLITE_NOMEM;
    }
    vs_table_tags *tags = conn->table_tags;
    vs_table_tag *table = tag_find(tags, sql);
    if (table != NULL) {
        sqlite3_free(sql);
        table->used = ++tags->used;
        *out = table;
        return SQLITE_OK;
    }
    if (tags == NULL) {
        tags = sqlite3_malloc64(sizeof *tags);
        if (tags == NULL) {
            sqlite3_free(sql);
            return SQLITE_NOMEM;
        }
        memset(tags, 0, sizeof *tags);
        conn->table_tags = tags;
    }
    table = &tags->tables[0];
    for (int i = 1; i < TAG_TABLES_MAX; i++) {
        table = tags->tables[i].used < table->used ? &tags->tables[i] : table;
    }
    tag_clear(table);
    table->sql = sql;
    table->used = ++tags->used;
    sqlite3_randomness(sizeof table->identity, &table->identity);
    int rc = tag_prepare(conn->db, sql, &table->stmt);
    if (rc != SQLITE_OK) {
        tag_clear(table);
        return rc;
    }
    *out = table;
    return SQLITE_OK;
}

/* Can uncommitted changes of other connections be read? Only where they share a cache. */
static int tag_is_uncommitted(vs_conn *conn, int *out)
{
    sqlite3_stmt **stmt = &conn->table_tags->uncommitted;
    int rc = SQLITE_OK;
    if (*stmt == NULL) {
        rc = tag_prepare(conn->db, "PRAGMA read_uncommitted", stmt);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(*stmt);
        *out = rc == SQLITE_ROW && sqlite3_column_int(*stmt, 0) != 0;
        (void)sqlite3_reset(*stmt);
    }
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Was the database put there by sqlite3_deserialize, or could it be? */
static int tag_is_replaced(sqlite3 *db, const char *schema)
{
    static const char memdb[] = "memdb";
    char *vfs = NULL;
    int rc = sqlite3_file_control(db, schema, SQLITE_FCNTL_VFSNAME, &vfs);
    int is_replaced = rc == SQLITE_OK && vfs != NULL && strncmp(vfs, memdb, strlen(memdb)) == 0;
    sqlite3_free(vfs);
    return is_replaced;
}

/* May another database take its name? */
static int tag_can_be_detached(const char *schema)
{
    return sqlite3_stricmp(schema, "main") != 0;
}

/* Statements that the search itself does not need: a host's authorizer may deny them, and a connection
 * that was closed while some of its statements go on takes no new ones. */
static int tag_is_of_host(int rc)
{
    return rc == SQLITE_AUTH || rc == SQLITE_MISUSE;
}

static void tag_write(const vs_table_tag *table, uint32_t version, uint8_t out_tag[VS_TAG_BYTES])
{
    memset(out_tag, 0, VS_TAG_BYTES);
    memcpy(out_tag, &table->identity, sizeof table->identity);
    memcpy(out_tag + sizeof table->identity, &version, sizeof version);
}

int vs_table_tag_enter(vs_conn *conn, const vs_target *target, const char *who, vs_table_tag **out,
                       uint8_t out_tag[VS_TAG_BYTES], vs_tag_state *out_state, vs_err *err)
{
    vs_table_tag *table = NULL;
    unsigned version = 0;
    int is_uncommitted = 0;
    *out = NULL;
    *out_state = VS_TAG_NONE;
    int rc = tag_get(conn, sqlite3_mprintf("SELECT 1 FROM %s LIMIT 1", target->table_sql), &table);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(table->stmt); /* before all else: it opens the snapshot */
        rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    if (rc == SQLITE_OK) {
        rc = tag_is_uncommitted(conn, &is_uncommitted);
    }
    if (rc != SQLITE_OK) {
        vs_table_tag_leave(table);
        if (tag_is_of_host(rc)) {
            return SQLITE_OK;
        }
        return rc == SQLITE_NOMEM
                   ? rc
                   : vs_error(err, rc, "%s: %s: %s", who, target->label, sqlite3_errmsg(conn->db));
    }
    int again = sqlite3_stmt_status(table->stmt, SQLITE_STMTSTATUS_REPREPARE, 0);
    if (again != table->prepared_again && tag_can_be_detached(target->schema)) {
        table->prepared_again = again;
        sqlite3_randomness(sizeof table->identity, &table->identity);
    }
    if (sqlite3_txn_state(conn->db, target->schema) == SQLITE_TXN_WRITE) {
        *out_state = VS_TAG_WRITTEN;
    } else if (!is_uncommitted && !tag_is_replaced(conn->db, target->schema) &&
               sqlite3_file_control(conn->db, target->schema, SQLITE_FCNTL_DATA_VERSION,
                                    &version) == SQLITE_OK) {
        tag_write(table, (uint32_t)version, out_tag);
        *out_state = VS_TAG_THERE;
    }
    *out = table;
    return SQLITE_OK;
}

void vs_table_tag_leave(vs_table_tag *tag)
{
    if (tag != NULL) {
        (void)sqlite3_reset(tag->stmt);
    }
}
