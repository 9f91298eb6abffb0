/*
 * sql_fixture.h - searches in SQL over the fake device, each compared with the same search by the CPU.
 *
 * In the text of a search @ stands for the device: '{"device":"@"}'. Scenarios run in children of
 * their own, where a failed assertion ends the child.
 */
#ifndef VS_SQL_FIXTURE_H
#define VS_SQL_FIXTURE_H

#include "../search_fixture.h"

#include "manager_fixture.h"

/* Runs it in a child; afterwards nothing may be left on the device or in memory. */
void sql_scenario(void (*scenario)(vsg_fake *fake));
/* The same for one that uses the fake's switches, in a file whose other scenarios do not: skipped over
 * another module (real.h). */
void sql_scenario_faked(void (*scenario)(vsg_fake *fake));

/* A connection with the extension; file NULL: in memory. flags: of sqlite3_open_v2, 0 as usual. */
sqlite3 *sql_open(const char *file, int flags);

/* Statements with printf words of sqlite3_mprintf; they must succeed. */
void sql_run(sqlite3 *db, const char *format, ...);
int64_t sql_number(sqlite3 *db, const char *format, ...); /* the first column of the first row */

/* One statement to its end. *out: its rows, real numbers as their bits, or the error's sentence
 * (sqlite3_free). The result code. */
int sql_rows(sqlite3 *db, const char *sql, char **out);
/* The text with the device in place of @: sqlite3_free. */
char *sql_on(const char *search, const char *device);

/* A search on a device ("gpu", "cpu", "auto") gives, bit for bit, what it gives with "cpu". Returns the
 * reason for which the CPU answered, "none" if it did not, "unused" if nobody asked for a GPU: static. */
const char *sql_same(sqlite3 *db, const char *search, const char *device);
/* The same; the reason must be this. */
void sql_same_for(sqlite3 *db, const char *search, const char *reason);
/* The same, once or until the device holds what is needed; then it must have answered alone. */
void sql_same_warm(sqlite3 *db, const char *search);

/* A number of the last search: a member of vec_last_query('json'). */
int64_t sql_last(sqlite3 *db, const char *member);
/* Of all searches of this connection: the sum of a column of vec_stats. */
int64_t sql_stat(sqlite3 *db, const char *column);

/* ---- tables ---------------------------------------------------------------------------------- */

typedef struct sql_shape {
    const char *type; /* "float32", ... */
    vsk_type kind;
    size_t dim;
    fixture_spread spread;
    int rows;
} sql_shape;

/* `table`(id, v, tag), made before: rows first .. first + shape.rows - 1. Some vectors are there twice,
 * some are zero, some NULL; tag = id % 10. */
void sql_fill(sqlite3 *db, const char *table, const sql_shape *shape, int first, uint64_t seed);

/* Makes `q`(id, v) with queries of the column's type, and as float32 where that is a float type; row 0
 * is all of them in one BLOB. */
void sql_make_queries(sqlite3 *db, const sql_shape *shape, int count, uint64_t seed);

/* A vecshard table and an ordinary one of 32 dimensions, `t` and `docs`, with rows 1 .. count, and
 * queries `q`. */
void sql_make_both(sqlite3 *db, int count);
extern const char sql_docs_search[], sql_t_search[]; /* the ten nearest rows of each */

#endif
