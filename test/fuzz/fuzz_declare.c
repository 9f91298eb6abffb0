/*
 * fuzz_declare.c - arguments of CREATE VIRTUAL TABLE: whatever is taken means something to SQLite,
 * and means the same when it is read from its own text.
 *
 * The first byte of an input chooses whether the rest is a list of arguments, separated by line
 * feeds, or a stored declaration. What is refused is refused with a sentence that names the table;
 * what is accepted has a canonical text that reads as itself, and a schema that SQLite takes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../ext/declare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WHO "vecshard: fuzz"
#define ARGUMENTS_MAX 80

static void check(int is_right, const char *what)
{
    if (!is_right) {
        fprintf(stderr, "fuzz_declare: %s\n", what);
        abort();
    }
}

/* Each argument in a block of its own, so that nothing beyond its end can be read unseen. */
static int parse_arguments(const char *text, vs_declaration *out, vs_err *err)
{
    char *arguments[ARGUMENTS_MAX];
    int count = 0;
    for (int has_more = 1; has_more && count < ARGUMENTS_MAX;) {
        size_t n = strcspn(text, "\n");
        arguments[count] = malloc(n + 1);
        check(arguments[count] != NULL, "no memory");
        memcpy(arguments[count], text, n);
        arguments[count++][n] = '\0';
        has_more = text[n] == '\n';
        text += n + (size_t)has_more;
    }
    int rc = vs_declare_parse(WHO, count, (const char *const *)arguments, out, err);
    while (count > 0) {
        free(arguments[--count]);
    }
    return rc;
}

static void check_columns(const vs_declaration *d)
{
    int vectors = 0, partitions = 0, keys = 0;
    check(d->column_count >= 1 && d->column_count <= VS_COLUMNS_MAX, "columns out of range");
    for (int i = 0; i < d->column_count; i++) {
        const vs_column_spec *column = &d->columns[i];
        check(column->name != NULL && strlen(column->name) <= VS_NAME_BYTES_MAX, "a bad name");
        check((column->kind == VS_COLUMN_VECTOR) == (column->type_sql == NULL), "a bad type");
        check(column->vector == (column->kind == VS_COLUMN_VECTOR ? vectors : -1),
              "a bad number of a vector");
        if (column->kind == VS_COLUMN_VECTOR) {
            const vs_vector_spec *spec = &d->vectors[vectors++];
            check(spec->column == i && spec->dim >= 1 && spec->dim <= VS_DIM_MAX, "a bad vector");
            check(spec->type != VSK_BIT || spec->dim % 8 == 0, "bits that are no bytes");
            check(spec->stored == spec->type || (spec->type == VSK_F32 && spec->stored == VSK_F16),
                  "a bad stored type");
        }
        partitions += column->kind == VS_COLUMN_PARTITION;
        if (column->kind == VS_COLUMN_KEY || column->kind == VS_COLUMN_ROWID) {
            check(d->key == i && keys++ == 0, "a bad key");
        }
    }
    check(vectors >= 1 && vectors == d->vector_count, "a bad number of vectors");
    check(partitions == d->partition_count, "a bad number of partition keys");
    check(keys > 0 || d->key == -1, "a key that is none");
    check((d->content == NULL) == (d->content_rowid == NULL), "half of a content table");
}

static void check_schema(const vs_declaration *d)
{
    static sqlite3 *db;
    char *message = NULL;
    if (db == NULL) {
        check(sqlite3_open(":memory:", &db) == SQLITE_OK, "no connection");
    }
    char *schema = vs_declare_schema(d, "fuzz \"table");
    check(schema != NULL, "no schema");
    if (sqlite3_exec(db, schema, NULL, NULL, &message) == SQLITE_OK) {
        check(sqlite3_exec(db, "DROP TABLE x", NULL, NULL, NULL) == SQLITE_OK,
              "the schema makes something else");
    } else {
        check(strncmp(message, "no such collation sequence", 26) == 0, message);
    }
    sqlite3_free(message);
    sqlite3_free(schema);
}

static void check_text(const vs_declaration *d)
{
    vs_declaration again;
    vs_err err = VS_ERR_INIT;
    char *text = vs_declare_text(d);
    check(text != NULL && vs_declare_from_text(WHO, text, &again, &err) == SQLITE_OK,
          "the text does not read");
    char *second = vs_declare_text(&again);
    check(second != NULL && strcmp(text, second) == 0, "the text reads as another declaration");
    check_columns(&again);
    for (int i = 0; i < d->column_count; i++) {
        check(again.columns[i].kind == d->columns[i].kind, "another kind of column");
        check(d->columns[i].type_sql == NULL ||
                  strcmp(again.columns[i].type_sql, d->columns[i].type_sql) == 0,
              "another type");
    }
    vs_declare_free(&again);
    sqlite3_free(second);
    sqlite3_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vs_declaration declaration;
    vs_err err = VS_ERR_INIT;
    if (size == 0) {
        return 0;
    }
    int is_stored = data[0] & 1;
    char *text = malloc(size);
    check(text != NULL, "no memory");
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    int rc = is_stored ? vs_declare_from_text(WHO, text, &declaration, &err)
                       : parse_arguments(text, &declaration, &err);
    free(text);
    if (rc == SQLITE_OK) {
        check(err.message == NULL, "a sentence without an error");
        check_columns(&declaration);
        check_schema(&declaration);
        check_text(&declaration);
    } else {
        check(rc == (is_stored ? SQLITE_CORRUPT_VTAB : SQLITE_ERROR), "an unexpected code");
        check(err.message != NULL && strncmp(err.message, WHO ": ", strlen(WHO ": ")) == 0,
              "an error that does not name the table");
        check(declaration.column_count == 0 && declaration.content == NULL,
              "a declaration beside an error");
    }
    vs_declare_free(&declaration);
    vs_error_clear(&err);
    return 0;
}
