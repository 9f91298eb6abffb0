/*
 * text_fixture.c - generated JSON rows, and dictionaries trained from them.
 */
#include "text_fixture.h"

#include <stdio.h>

static const char *const words[] = {
    "vector", "index",   "river",  "mountain", "history", "science", "music",  "album",
    "novel",  "chapter", "signal", "network",  "kernel",  "garden",  "winter", "harbour",
    "copper", "letter",  "bridge", "forest",   "engine",  "market",  "island", "journey",
};

static size_t put_words(char *out, size_t room, int count, uint64_t *random)
{
    size_t n = 0;
    for (int i = 0; i < count; i++) {
        const char *word = words[vs_test_random(random) % VS_TEST_COUNT(words)];
        n += (size_t)snprintf(out + n, room - n, i == 0 ? "%s" : " %s", word);
    }
    return n;
}

size_t text_fixture_row(uint64_t i, char *out, size_t room)
{
    uint64_t random = (i + 1) * 0x9e3779b97f4a7c15u;
    static const char *const sources[] = {"wiki", "web", "news"};
    for (int j = 0; j < 4; j++) {
        (void)vs_test_random(&random);
    }
    uint64_t a = vs_test_random(&random), b = vs_test_random(&random);
    size_t n = (size_t)snprintf(
        out, room,
        "{\"doc_id\": \"doc-%08x\", \"source\": \"%s\", \"lang\": \"en\", \"chunk\": %u, "
        "\"tokens\": %u, \"created_at\": \"2024-%02u-%02uT%02u:%02u:00Z\", \"title\": \"",
        (unsigned)a, sources[a >> 32 & 1u], (unsigned)(b % 40), (unsigned)(b >> 8 & 511u),
        (unsigned)(b >> 20) % 12 + 1, (unsigned)(b >> 28) % 28 + 1, (unsigned)(b >> 36) % 24,
        (unsigned)(b >> 44) % 60);
    n += put_words(out + n, room - n, 5, &random);
    n += (size_t)snprintf(out + n, room - n, "\", \"text\": \"");
    n += put_words(out + n, room - n, 2 + (int)(vs_test_random(&random) % 88), &random);
    n += (size_t)snprintf(out + n, room - n, "\"}");
    return n;
}

static void make_meta(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    char row[TEXT_FIXTURE_ROW_BYTES];
    (void)argc;
    size_t n = text_fixture_row((uint64_t)sqlite3_value_int64(argv[0]), row, sizeof row);
    sqlite3_result_text(ctx, row, (int)n, SQLITE_TRANSIENT);
}

void text_fixture_function(sqlite3 *db)
{
    sqlite3_create_function(db, "make_meta", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, make_meta,
                            NULL, NULL);
}

void text_fixture_fill(sqlite3 *db, const char *name, int count)
{
    char row[TEXT_FIXTURE_ROW_BYTES];
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("CREATE TABLE \"%w\"(id INTEGER PRIMARY KEY, meta TEXT)", name);
    vs_test_run(db, sql);
    sqlite3_free(sql);
    sql = sqlite3_mprintf("INSERT INTO \"%w\"(meta) VALUES (?1)", name);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    sqlite3_free(sql);
    vs_test_run(db, "BEGIN");
    for (int i = 0; i < count; i++) {
        size_t n = text_fixture_row((uint64_t)i, row, sizeof row);
        sqlite3_bind_text(stmt, 1, row, (int)n, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
        sqlite3_reset(stmt);
    }
    vs_test_run(db, "COMMIT");
    sqlite3_finalize(stmt);
}

uint32_t text_fixture_dict(sqlite3 *db, const char *name)
{
    char *result = NULL;
    char *sql =
        sqlite3_mprintf("SELECT vec_dict_add(vec_train_dict(meta), '%q') FROM \"%w\"", name, name);
    if (vs_test_query(db, sql, &result) != SQLITE_OK) {
        fail_msg("%s: %s", sql, result);
    }
    uint32_t id = (uint32_t)strtoul(result, NULL, 10);
    sqlite3_free(result);
    sqlite3_free(sql);
    return id;
}

unsigned char *text_fixture_dict_bytes(sqlite3 *db, uint32_t id, size_t *out_n)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT bytes FROM vecshard_dict WHERE id = ?1", -1, &stmt, NULL),
        SQLITE_OK);
    sqlite3_bind_int64(stmt, 1, id);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    *out_n = (size_t)sqlite3_column_bytes(stmt, 0);
    unsigned char *bytes = sqlite3_malloc64(*out_n);
    memcpy(bytes, sqlite3_column_blob(stmt, 0), *out_n);
    sqlite3_finalize(stmt);
    return bytes;
}
