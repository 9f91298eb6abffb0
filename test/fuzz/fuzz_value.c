/*
 * fuzz_value.c - vectors as text and as bytes: whatever is taken in comes out the same.
 *
 * The first byte of an input chooses a constructor and whether the rest is text or a BLOB. A
 * refused input must end with SQLITE_ERROR or SQLITE_MISMATCH and a sentence; an accepted one has
 * as many bytes as its length and type say, prints as JSON that reads back bit-equal, and only
 * elements that are finite.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../ext/vecshard.h"
#include "../../kernels/vsk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct constructor {
    const char *sql;   /* ?1 is the input */
    const char *again; /* ?1 is the JSON text of the result */
    vsk_type type;
    const char *type_name;
} constructor;

static const constructor constructors[] = {
    {"vec_f32(?1)", "vec_f32(?1)", VSK_F32, "float32"},
    {"vec_f16(?1)", "vec_f16(?1)", VSK_F16, "float16"},
    {"vec_bf16(?1)", "vec_bf16(?1)", VSK_BF16, "bfloat16"},
    {"vec_int8(?1)", "vec_int8(?1)", VSK_I8, "int8"},
    {"vec_bit(?1)", "vec_bit(?1)", VSK_BIT, "bit"},
    {"vec_from_base64(?1)", "vec_f32(?1)", VSK_F32, "float32"},
    {"vec_from_base64(?1, 'float16')", "vec_f16(?1)", VSK_F16, "float16"},
    {"vec_from_base64(?1, 'bit')", "vec_bit(?1)", VSK_BIT, "bit"},
};
#define CONSTRUCTORS (sizeof constructors / sizeof constructors[0])

static void check(int is_right, const char *what)
{
    if (!is_right) {
        fprintf(stderr, "fuzz_value: %s\n", what);
        abort();
    }
}

static sqlite3 *fuzz_db(void)
{
    static sqlite3 *db;
    if (db == NULL) {
        check(sqlite3_open(":memory:", &db) == SQLITE_OK &&
                  sqlite3_vecshard_init(db, NULL, NULL) == SQLITE_OK,
              "no connection");
    }
    return db;
}

/*
 * One prepared statement for each constructor: the vector, its type, its length, its JSON text, and
 * the vector read from that text.
 */
static sqlite3_stmt *fuzz_statement(size_t which, int is_again)
{
    static sqlite3_stmt *statements[CONSTRUCTORS][2];
    sqlite3_stmt **stmt = &statements[which][is_again];
    if (*stmt == NULL) {
        const char *x = is_again ? constructors[which].again : constructors[which].sql;
        char *sql =
            sqlite3_mprintf("SELECT %s, vec_type(%s), vec_length(%s), vec_to_json(%s)", x, x, x, x);
        check(sqlite3_prepare_v2(fuzz_db(), sql, -1, stmt, NULL) == SQLITE_OK, "no statement");
        sqlite3_free(sql);
    }
    return *stmt;
}

/* NaN and infinity have an exponent of ones. */
static int is_finite(vsk_type type, const unsigned char *vector, size_t i)
{
    unsigned high = type == VSK_F32 ? vector[4 * i + 3] * 256u + vector[4 * i + 2]
                                    : vector[2 * i + 1] * 256u + vector[2 * i];
    unsigned exponent = type == VSK_F16 ? 0x7c00u : 0x7f80u;
    return (high & exponent) != exponent;
}

static void check_elements(const constructor *c, const void *vector, size_t bytes, size_t length)
{
    check(length > 0 && length <= 65536 && bytes == vsk_bytes(c->type, length),
          "bytes and length do not fit");
    for (size_t i = 0; i < length && c->type != VSK_I8 && c->type != VSK_BIT; i++) {
        check(is_finite(c->type, vector, i), "an element is not finite");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    size_t which = data[0] / 2 % CONSTRUCTORS;
    int is_text = data[0] % 2;
    const constructor *c = &constructors[which];
    sqlite3_stmt *stmt = fuzz_statement(which, 0);
    if (is_text) {
        sqlite3_bind_text(stmt, 1, (const char *)data + 1, (int)(size - 1), SQLITE_STATIC);
    } else {
        sqlite3_bind_blob(stmt, 1, data + 1, (int)(size - 1), SQLITE_STATIC);
    }
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        const void *vector = sqlite3_column_blob(stmt, 0);
        size_t bytes = (size_t)sqlite3_column_bytes(stmt, 0);
        const char *json = (const char *)sqlite3_column_text(stmt, 3);
        check(strcmp((const char *)sqlite3_column_text(stmt, 1), c->type_name) == 0,
              "another type");
        check_elements(c, vector, bytes, (size_t)sqlite3_column_int64(stmt, 2));
        sqlite3_stmt *again = fuzz_statement(which, 1);
        sqlite3_bind_text(again, 1, json, -1, SQLITE_STATIC);
        check(sqlite3_step(again) == SQLITE_ROW, "the printed text does not read");
        check((size_t)sqlite3_column_bytes(again, 0) == bytes &&
                  memcmp(sqlite3_column_blob(again, 0), vector, bytes) == 0,
              "the printed text reads as another vector");
        sqlite3_reset(again);
    } else {
        check(rc == SQLITE_ERROR || rc == SQLITE_MISMATCH, "an unexpected code");
        check(strncmp(sqlite3_errmsg(fuzz_db()), "vec_", 4) == 0,
              "an error that names no function");
    }
    sqlite3_reset(stmt);
    return 0;
}
