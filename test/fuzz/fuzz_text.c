/*
 * fuzz_text.c - packed texts and dictionaries of any bytes: a text with the right checksum, or a
 * sentence.
 *
 * The first two bytes of an input are the size of a dictionary, the dictionary follows, then a
 * packed row. The dictionary gets the id 40000 and a checksum that is right, so that inputs reach
 * zstd and not only the checks before it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../ext/crc32c.h"
#include "../../ext/dict.h"
#include "../../ext/packed_text.h"
#include "../../ext/vecshard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_ID 40000u
#define FUZZ_TEXT_MAX ((size_t)1 << 20)

static void check(int is_right, const char *what)
{
    if (!is_right) {
        fprintf(stderr, "fuzz_text: %s\n", what);
        abort();
    }
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    check(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "no statement");
    return stmt;
}

/* Through SQL, against a table that holds the dictionary. */
static void fuzz_sql(const uint8_t *dict, size_t dict_n, const uint8_t *row, size_t row_n)
{
    static sqlite3 *db;
    static sqlite3_stmt *put, *unpack, *add;
    if (db == NULL) {
        check(sqlite3_open(":memory:", &db) == SQLITE_OK &&
                  sqlite3_vecshard_init(db, NULL, NULL) == SQLITE_OK,
              "no connection");
        sqlite3_exec(db,
                     "CREATE TABLE vecshard_dict(id INTEGER PRIMARY KEY, kind TEXT, bytes BLOB, "
                     "crc INTEGER, rows INTEGER, created TEXT, note TEXT)",
                     NULL, NULL, NULL);
        sqlite3_limit(db, SQLITE_LIMIT_LENGTH, (int)FUZZ_TEXT_MAX);
        put =
            prepare(db, "INSERT OR REPLACE INTO vecshard_dict(id, bytes, crc) VALUES (?1, ?2, ?3)");
        unpack = prepare(db, "SELECT vec_unpack_text(?1)");
        add = prepare(db, "SELECT vec_dict_add(?1)");
    }
    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    sqlite3_bind_int64(put, 1, FUZZ_ID);
    sqlite3_bind_blob(put, 2, dict, (int)dict_n, SQLITE_STATIC);
    sqlite3_bind_int64(put, 3, vs_crc32c(dict, dict_n));
    check(sqlite3_step(put) == SQLITE_DONE, "the dictionary is not stored");
    sqlite3_reset(put);
    sqlite3_bind_blob(unpack, 1, row, (int)row_n, SQLITE_STATIC);
    int rc = sqlite3_step(unpack);
    check(rc == SQLITE_ROW || strncmp(sqlite3_errmsg(db), "vec_unpack_text: ", 17) == 0,
          "no sentence");
    sqlite3_reset(unpack);
    sqlite3_bind_blob(add, 1, dict, (int)dict_n, SQLITE_STATIC);
    rc = sqlite3_step(add);
    check(rc == SQLITE_ROW || strncmp(sqlite3_errmsg(db), "vec_dict_add: ", 14) == 0,
          "no sentence of vec_dict_add");
    sqlite3_reset(add);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
}

/* Decodes the row as it is; an accepted one packs and comes back again. */
static void fuzz_row(const vs_dict *dict, const uint8_t *row, size_t row_n)
{
    static vs_packer packer;
    vs_packed packed;
    vs_err err = VS_ERR_INIT;
    int rc = vs_packed_read("t", row, row_n, FUZZ_TEXT_MAX, &packed, &err);
    if (rc == SQLITE_OK && packed.dict_id != (dict == NULL ? 0 : FUZZ_ID)) {
        return;
    }
    if (rc == SQLITE_OK) {
        rc = vs_packed_check(&packer, "t", &packed, &err);
    }
    if (rc == SQLITE_OK) { /* its exact size: a sanitizer sees what is written past it */
        unsigned char *text = malloc(packed.text_bytes > 0 ? packed.text_bytes : 1);
        rc = vs_packed_decode(&packer, "t", &packed, dict, text, &err);
        check(rc != SQLITE_OK || vs_crc32c(text, packed.text_bytes) == packed.crc,
              "a text with another checksum");
        free(text);
    }
    check(rc == SQLITE_OK || rc == SQLITE_NOMEM || err.message != NULL, "no sentence of a row");
    vs_error_clear(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vs_err err = VS_ERR_INIT;
    vs_dict *dict = NULL;
    size_t dict_n = size < 2 ? 0 : (size_t)data[0] | (size_t)data[1] << 8;
    if (size < 2 || dict_n > size - 2) {
        return 0;
    }
    const uint8_t *row = data + 2 + dict_n;
    size_t row_n = size - 2 - dict_n;
    unsigned char *bytes = malloc(dict_n + 1);
    memcpy(bytes, data + 2, dict_n);
    if (dict_n >= 8) {
        vs_dict_set_id(bytes, dict_n, FUZZ_ID);
        int rc = vs_dict_get("t", bytes, dict_n, FUZZ_ID, vs_crc32c(bytes, dict_n), VS_DICT_DECODE,
                             &dict, &err);
        check(rc == SQLITE_OK || rc == SQLITE_NOMEM || err.message != NULL,
              "no sentence of a dictionary");
        vs_error_clear(&err);
    }
    fuzz_row(dict, row, row_n);
    fuzz_sql(bytes, dict_n, row, row_n);
    vs_cached_unref(dict);
    free(bytes);
    return 0;
}
