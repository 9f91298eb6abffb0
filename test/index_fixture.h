/*
 * index_fixture.h - a vecshard table and an index over a table, statements that read and change
 * them, and what must hold after each of them, whatever failed in it.
 *
 * `t` has a full and coded cell with a freed slot, plain cells, one that needs one row to be full,
 * and one with a single row. `docs` is an ordinary table that `docs_index` indexes; `pages` is one
 * without an index.
 */
#ifndef INDEX_FIXTURE_H
#define INDEX_FIXTURE_H

#include "search_fixture.h"

/* A statement, and what is done before it, in the same transaction. */
typedef struct index_step {
    const char *before; /* NULL: nothing */
    const char *sql;
} index_step;

extern const index_step index_changes[]; /* each writes */
extern const size_t index_change_count;
extern const index_step index_reads[]; /* none writes */
extern const size_t index_read_count;

/* What a transaction wrote before the statement that fails. */
extern const char index_earlier[];

/*
 * A connection with the extension, one thread for searches, and the SQL function vec(n): the n-th
 * of a fixed sequence of vectors. vfs NULL: the default one.
 */
sqlite3 *index_open(const char *file, const char *vfs);

/* Makes the database that the tests begin with; setup and teardown of a cmocka group. */
int index_make_image(void **state);
int index_free_image(void **state);

/* The connection that holds it; and a new one in memory with a copy, warm. */
sqlite3 *index_image(void);
sqlite3 *index_open_image(void);

/* A new connection in memory with a copy of the database in `from`. */
sqlite3 *index_open_copy(sqlite3 *from);

/* Uses each table once, so that what comes next does not begin with reading the schema. */
void index_warm(sqlite3 *db);

/* Closes the connection, and lets go of what the process keeps in memory. */
void index_close(sqlite3 *db);

/*
 * Runs statements. Returns the extended result code; their rows are folded into *out_rows (NULL:
 * not wanted).
 */
int index_run(sqlite3 *db, const char *sql, uint64_t *out_rows);

/* The schema and the rows of every table, as one number. */
uint64_t index_state(sqlite3 *db);

/*
 * Every vecshard table is whole: the integrity check finds nothing, and a search gives what
 * comparing with every row gives. `what` is for the message.
 */
void index_is_whole(sqlite3 *db, const char *what);

/* ---- one thing fails ---- */

/* A kind of failure; those that several tests need are in index_faults.h. */
typedef struct index_failure {
    const char *name;                  /* of what is counted: "allocation" */
    void (*arm)(sqlite3 *, int64_t n); /* from now on the n-th fails */
    int64_t (*disarm)(sqlite3 *);      /* ends that; how many failed */
    int (*is_allowed)(int rc);         /* may a statement end with this error? */
    int (*is_final)(int rc);           /* may the transaction end with it? */
} index_failure;

/* It, on a database. */
typedef struct index_fault {
    const index_failure *what;
    sqlite3 *(*open)(void);         /* a warm connection to always the same database */
    void (*closed)(uint64_t state); /* after the close: what it left; NULL */
    int64_t stride, growth;         /* the next n is n + stride + n / growth */
} index_fault;

/*
 * Runs each statement with the n-th thing failing, for n = 1, and so on, until nothing fails: alone,
 * or in a transaction after index_earlier. Each time the statement succeeded and gave what it gives
 * without failures; or its error is an allowed one, and the tables hold what they held before it.
 * The transaction is still open; after some errors it may be gone, and then as a whole. All tables
 * are whole, an open transaction commits, and after the close all memory has come back.
 *
 * Environment: VS_FAULT_STRIDE  the stride, without growth
 */
void index_fail_each(const index_fault *fault, const index_step *steps, size_t count,
                     int is_in_transaction);

#endif
