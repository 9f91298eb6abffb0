/*
 * run.c - runs a file of SQL and prints what it gives, for comparison with a stored output.
 *
 *     run [--ext path] [--defensive] file.sql
 *
 *   --ext        the extension to load into every connection; ./vecshard by default
 *   --defensive  every connection is set up as careful hosts do: DEFENSIVE, foreign keys, no
 *                trusted schema, no double-quoted strings
 *
 * Statements run one at a time. Rows are printed with columns separated by '|': NULL as NULL, REAL
 * as the sqlite3 shell does (%!.15g), a BLOB as x'...' (a long one cut, with its size). EXPLAIN
 * QUERY PLAN prints the shell's tree. An error prints "Error: <message>" and the run goes on.
 * Between statements these lines mean something; other comments do not:
 *
 *     --# text             prints "# text"
 *     -- header on         prints the column names above each result; off at first
 *     -- defensive on      as --defensive, for this connection; "off" undoes it
 *     -- connection name   goes on in another connection, opened on first use; all named ones
 *                          share one file that is deleted at the end. The run starts on a
 *                          connection of its own, in memory.
 *     .print text          prints it as the shell does
 *     .read file.sql       runs that file; other dot-commands that concern only the shell's display
 *                          are skipped
 *
 * SQL has readfile(path), as in the shell.
 *
 * Exit status: 0 when the file was run to its end, whatever its statements gave; 1 when the
 * extension did not load (its message is printed) or the file cannot be read; 2 for wrong
 * arguments.
 *
 * With VS_STATIC (the sanitizer build) the extension is linked in, and --ext is not used.
 */
#include <sqlite3.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef VS_STATIC
#include "../../ext/vecshard.h"
#endif

#define RUN_CONNECTIONS_MAX 8
#define RUN_BLOB_BYTES_MAX 32 /* printed of one BLOB */

typedef struct run_connection {
    char name[64];
    sqlite3 *db;
} run_connection;

typedef struct run_state {
    const char *extension; /* borrowed */
    int is_defensive;      /* for new connections */
    int has_header;
    run_connection connections[RUN_CONNECTIONS_MAX]; /* [0] is the one in memory */
    int connection_count;
    sqlite3 *db;   /* borrowed: the current connection */
    char *db_path; /* owned: the file that the named connections share, NULL before the first */
} run_state;

/* Runs the statements and directives of a file. Returns 0, or -1 when the run has to end. */
static int run_path(run_state *run, const char *path);

/* The bytes of a file and a 0 behind them, to be freed with sqlite3_free; NULL when unreadable. */
static char *run_read_file(const char *path, size_t *out_size)
{
    char *bytes = NULL;
    long size = -1;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 &&
        fseek(file, 0, SEEK_SET) == 0) {
        bytes = sqlite3_malloc64((sqlite3_uint64)size + 1);
    }
    if (bytes != NULL && fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        sqlite3_free(bytes);
        bytes = NULL;
    }
    fclose(file);
    if (bytes != NULL) {
        bytes[size] = '\0';
        *out_size = (size_t)size;
    }
    return bytes;
}

/* readfile(path): the file as a BLOB, NULL when it cannot be read. */
static void run_sql_readfile(sqlite3_context *ctx, int count, sqlite3_value **values)
{
    const char *path = (const char *)sqlite3_value_text(values[0]);
    size_t size = 0;
    char *bytes = path != NULL ? run_read_file(path, &size) : NULL;
    (void)count;
    if (bytes != NULL) {
        sqlite3_result_blob64(ctx, bytes, size, sqlite3_free);
    }
}

static void run_set_defensive(sqlite3 *db, int is_on)
{
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, is_on, (int *)NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, is_on, (int *)NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, !is_on, (int *)NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, !is_on, (int *)NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, !is_on, (int *)NULL);
}

static int run_load_extension(run_state *run, sqlite3 *db)
{
    char *message = NULL;
    int rc;
#ifdef VS_STATIC
    rc = sqlite3_vecshard_init(db, &message, NULL);
#else
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, (int *)NULL);
    rc = sqlite3_load_extension(db, run->extension, NULL, &message);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, (int *)NULL);
#endif
    if (rc != SQLITE_OK) {
        printf("Error: %s\n", message != NULL ? message : sqlite3_errstr(rc));
    }
    sqlite3_free(message);
    (void)run;
    return rc;
}

/* Opens a connection, with the extension, and makes it the current one. */
static int run_open(run_state *run, const char *name, const char *path)
{
    run_connection *connection = &run->connections[run->connection_count];
    int rc = SQLITE_ERROR;
    if (run->connection_count == RUN_CONNECTIONS_MAX) {
        printf("Error: more than %d connections\n", RUN_CONNECTIONS_MAX);
        return rc;
    }
    rc = sqlite3_open(path, &connection->db);
    run->connection_count++;
    if (rc != SQLITE_OK) {
        printf("Error: %s: %s\n", path, sqlite3_errmsg(connection->db));
        return rc;
    }
    snprintf(connection->name, sizeof connection->name, "%s", name);
    run_set_defensive(connection->db, run->is_defensive);
    sqlite3_create_function(connection->db, "readfile", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL,
                            run_sql_readfile, NULL, NULL);
    run->db = connection->db;
    return run_load_extension(run, connection->db);
}

/* Goes on in the connection of that name. */
static int run_switch(run_state *run, const char *name)
{
    for (int i = 1; i < run->connection_count; i++) {
        if (strcmp(run->connections[i].name, name) == 0) {
            run->db = run->connections[i].db;
            return SQLITE_OK;
        }
    }
    if (run->db_path == NULL) {
        const char *folder = getenv("TMPDIR");
        unsigned char random[8];
        uint64_t tag = 0;
        sqlite3_randomness(sizeof random, random);
        memcpy(&tag, random, sizeof tag);
        run->db_path =
            sqlite3_mprintf("%s/vecshard-%llx.db", folder != NULL ? folder : "/tmp", tag);
        if (run->db_path == NULL) {
            return SQLITE_NOMEM;
        }
    }
    return run_open(run, name, run->db_path);
}

static void run_close(run_state *run)
{
    for (int i = 0; i < run->connection_count; i++) {
        if (sqlite3_close(run->connections[i].db) != SQLITE_OK) {
            printf("Error: connection %s does not close: %s\n", run->connections[i].name,
                   sqlite3_errmsg(run->connections[i].db));
        }
    }
    if (run->db_path != NULL) {
        static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
        for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
            char *path = sqlite3_mprintf("%s%s", run->db_path, suffixes[i]);
            if (path != NULL) {
                remove(path);
            }
            sqlite3_free(path);
        }
        sqlite3_free(run->db_path);
    }
}

static void run_print_value(sqlite3_stmt *stmt, int column)
{
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_NULL:
        printf("NULL");
        break;
    case SQLITE_FLOAT: {
        char text[64];
        sqlite3_snprintf(sizeof text, text, "%!.15g", sqlite3_column_double(stmt, column));
        printf("%s", text);
        break;
    }
    case SQLITE_BLOB: {
        const unsigned char *bytes = sqlite3_column_blob(stmt, column);
        int count = sqlite3_column_bytes(stmt, column);
        int shown = count < RUN_BLOB_BYTES_MAX ? count : RUN_BLOB_BYTES_MAX;
        printf("x'");
        for (int i = 0; i < shown; i++) {
            printf("%02x", bytes[i]);
        }
        if (shown < count) {
            printf("...' (%d bytes)", count);
        } else {
            printf("'");
        }
        break;
    }
    default:
        printf("%s", (const char *)sqlite3_column_text(stmt, column));
    }
}

/* One node of a query plan: EXPLAIN QUERY PLAN's columns id, parent, detail. */
typedef struct run_plan_node {
    int id, parent;
    char *detail; /* owned */
} run_plan_node;

typedef struct run_plan {
    run_plan_node *nodes; /* owned */
    int count;
} run_plan;

/* Prints the children of a node as the shell draws them: `|--` before each, a backquote before the
 * last. */
static void run_print_plan(const run_plan *plan, int parent, const char *prefix)
{
    int last = -1;
    for (int i = 0; i < plan->count; i++) {
        if (plan->nodes[i].parent == parent) {
            last = i;
        }
    }
    for (int i = 0; i <= last; i++) {
        const run_plan_node *node = &plan->nodes[i];
        if (node->parent == parent) {
            char *inner = sqlite3_mprintf("%s%s", prefix, i == last ? "   " : "|  ");
            printf("%s%s%s\n", prefix, i == last ? "`--" : "|--", node->detail);
            run_print_plan(plan, node->id, inner);
            sqlite3_free(inner);
        }
    }
}

static int run_step_plan(sqlite3_stmt *stmt)
{
    run_plan plan = {NULL, 0};
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        run_plan_node *grown = realloc(plan.nodes, sizeof *grown * (size_t)(plan.count + 1));
        if (grown == NULL) {
            rc = SQLITE_NOMEM;
            break;
        }
        plan.nodes = grown;
        plan.nodes[plan.count].id = sqlite3_column_int(stmt, 0);
        plan.nodes[plan.count].parent = sqlite3_column_int(stmt, 1);
        plan.nodes[plan.count].detail = sqlite3_mprintf("%s", sqlite3_column_text(stmt, 3));
        plan.count++;
    }
    printf("QUERY PLAN\n");
    run_print_plan(&plan, 0, "");
    for (int i = 0; i < plan.count; i++) {
        sqlite3_free(plan.nodes[i].detail);
    }
    free(plan.nodes);
    return rc;
}

static int run_step_rows(const run_state *run, sqlite3_stmt *stmt)
{
    int columns = sqlite3_column_count(stmt);
    int rc;
    if (run->has_header && columns > 0) {
        for (int i = 0; i < columns; i++) {
            printf("%s%s", i > 0 ? "|" : "", sqlite3_column_name(stmt, i));
        }
        printf("\n");
    }
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++) {
            printf("%s", i > 0 ? "|" : "");
            run_print_value(stmt, i);
        }
        printf("\n");
    }
    return rc;
}

/* Runs the statements of a text, up to the first that is not understood. */
static void run_sql(const run_state *run, const char *sql)
{
    while (*sql != '\0') {
        sqlite3_stmt *stmt = NULL;
        const char *tail = NULL;
        int rc = sqlite3_prepare_v2(run->db, sql, -1, &stmt, &tail);
        if (rc != SQLITE_OK) {
            printf("Error: %s\n", sqlite3_errmsg(run->db));
            return;
        }
        if (stmt != NULL) {
            rc = sqlite3_stmt_isexplain(stmt) == 2 ? run_step_plan(stmt) : run_step_rows(run, stmt);
            if (rc != SQLITE_DONE) {
                printf("Error: %s\n", sqlite3_errmsg(run->db));
            }
            sqlite3_finalize(stmt);
        }
        sql = tail;
    }
}

/*
 * Prints the arguments of .print: words, 'quoted text' and "quoted text" in which a backslash takes
 * the next byte as it is, with one blank between them.
 */
static void run_print(const char *arguments)
{
    const char *at = arguments + strspn(arguments, " ");
    while (*at != '\0') {
        char quote = *at == '"' || *at == '\'' ? *at++ : ' ';
        while (*at != '\0' && *at != quote) {
            if (quote == '"' && at[0] == '\\' && at[1] != '\0') {
                at++;
            }
            putchar(*at++);
        }
        at += *at != '\0';
        at += strspn(at, " ");
        if (*at != '\0') {
            putchar(' ');
        }
    }
    putchar('\n');
}

/* Runs a dot-command of the shell. Returns 0, or -1 when the run has to end. */
static int run_dot_command(run_state *run, const char *line)
{
    static const char *const display[] = {".load",  ".mode",   ".header",    ".headers",
                                          ".width", ".timer",  ".nullvalue", ".bail",
                                          ".echo",  ".changes"};
    size_t length = strcspn(line, " ");
    const char *arguments = line + length + strspn(line + length, " ");
    if (strncmp(line, ".print", length) == 0 && length == strlen(".print")) {
        run_print(arguments);
        return 0;
    }
    if (strncmp(line, ".read", length) == 0 && length == strlen(".read")) {
        return run_path(run, arguments);
    }
    for (size_t i = 0; i < sizeof display / sizeof *display; i++) {
        if (strlen(display[i]) == length && strncmp(line, display[i], length) == 0) {
            return 0;
        }
    }
    printf("Error: run does not know %.*s\n", (int)length, line);
    return 0;
}

/*
 * A line between two statements that is no SQL: blank, comment, directive or dot-command.
 * Returns 1 when it was one, 0 when it begins a statement, -1 when a connection could not be
 * opened.
 */
static int run_directive(run_state *run, const char *line)
{
    char word[64], value[64], rest;
    if (line[strspn(line, " \t")] == '\0') {
        return 1;
    }
    if (line[0] == '.') {
        return run_dot_command(run, line) == 0 ? 1 : -1;
    }
    if (strncmp(line, "--", 2) != 0) {
        return 0;
    }
    if (line[2] == '#') {
        printf("%s\n", line + 2);
        return 1;
    }
    /* Exactly two words: longer lines are prose. */
    if (sscanf(line, "-- %63s %63s %c", word, value, &rest) == 2) {
        int is_on = strcmp(value, "on") == 0;
        int is_switch = is_on || strcmp(value, "off") == 0;
        if (strcmp(word, "connection") == 0) {
            return run_switch(run, value) == SQLITE_OK ? 1 : -1;
        }
        if (strcmp(word, "header") == 0 && is_switch) {
            run->has_header = is_on;
        } else if (strcmp(word, "defensive") == 0 && is_switch) {
            run_set_defensive(run->db, is_on);
        }
    }
    return 1;
}

static int run_path(run_state *run, const char *path)
{
    size_t size = 0;
    char *text = run_read_file(path, &size); /* owned; its newlines become the ends of lines */
    char *sql = NULL;                        /* owned: lines of a statement not complete yet */
    int rc = 0;
    if (text == NULL) {
        printf("Error: cannot read %s\n", path);
        return -1;
    }
    for (char *line = text, *next; rc == 0 && line < text + size; line = next) {
        next = line + strcspn(line, "\n") + 1;
        next[-1] = '\0';
        if (sql == NULL) {
            int kind = run_directive(run, line);
            if (kind != 0) {
                rc = kind < 0 ? -1 : 0;
                continue;
            }
        }
        char *longer = sqlite3_mprintf("%s%s\n", sql != NULL ? sql : "", line);
        sqlite3_free(sql);
        sql = longer;
        if (sql == NULL) {
            rc = -1;
        } else if (sqlite3_complete(sql)) {
            run_sql(run, sql);
            sqlite3_free(sql);
            sql = NULL;
        }
        fflush(stdout); /* so that a crash leaves what came before it */
    }
    if (sql != NULL && rc == 0) {
        printf("Error: the last statement is not finished\n");
        rc = -1;
    }
    sqlite3_free(sql);
    sqlite3_free(text);
    return rc;
}

int main(int argc, char **argv)
{
    run_state run;
    const char *path = NULL;
    int rc = 1;

    memset(&run, 0, sizeof run);
    run.extension = "./vecshard";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--ext") == 0 && i + 1 < argc) {
            run.extension = argv[++i];
        } else if (strcmp(argv[i], "--defensive") == 0) {
            run.is_defensive = 1;
        } else if (path == NULL && argv[i][0] != '-') {
            path = argv[i];
        } else {
            path = NULL;
            break;
        }
    }
    if (path == NULL) {
        fprintf(stderr, "usage: run [--ext path] [--defensive] file.sql\n");
        return 2;
    }
    if (run_open(&run, "memory", ":memory:") == SQLITE_OK && run_path(&run, path) == 0) {
        rc = 0;
    }
    run_close(&run);
    return rc;
}
