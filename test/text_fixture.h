/*
 * text_fixture.h - generated JSON rows, and dictionaries trained from them.
 */
#ifndef TEXT_FIXTURE_H
#define TEXT_FIXTURE_H

#include "vs_test.h"

/* Row `i` of a table of metadata, 200 to 900 bytes of JSON. Returns its bytes without the final 0. */
size_t text_fixture_row(uint64_t i, char *out, size_t room);

#define TEXT_FIXTURE_ROW_BYTES 1024

/* Makes it an SQL function, make_meta(i). */
void text_fixture_function(sqlite3 *db);

/* Fills a new table name(id INTEGER PRIMARY KEY, meta TEXT) with `count` rows. */
void text_fixture_fill(sqlite3 *db, const char *name, int count);

/* Trains from the table and adds the dictionary; returns its id. */
uint32_t text_fixture_dict(sqlite3 *db, const char *name);

/* The dictionary's bytes as the table vecshard_dict holds them; freed by sqlite3_free. */
unsigned char *text_fixture_dict_bytes(sqlite3 *db, uint32_t id, size_t *out_n);

#endif
