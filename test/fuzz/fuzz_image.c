/*
 * fuzz_image.c - a database whose shadow tables were altered again and again, between statements.
 *
 * The first byte of an input chooses the table. Then each byte is a step: with bit 7 a statement,
 * the rest its number; else an alteration, which takes four more bytes, for the site and the
 * variant. In the end the table is checked and dropped. No step gives anything but its answer or an
 * error that damage explains, and DROP always works.
 */
#include "../damage.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 64
#define STATEMENT 0x80
#define ALTERATION_BYTES 5

static const damage_image *fuzz_image(damage_kind kind)
{
    static damage_image images[DAMAGE_KINDS];
    if (images[kind].bytes == NULL) {
        damage_build(kind, &images[kind]);
    }
    return &images[kind];
}

static void fuzz_run(sqlite3 *db, const damage_statement *statement)
{
    const char *fault = NULL;
    char *result = NULL;
    int rc = damage_run(db, statement, &result, &fault);
    if (fault == NULL && statement->phase == DAMAGE_DROP && rc != SQLITE_OK) {
        fault = "DROP fails";
    }
    if (fault != NULL) {
        fprintf(stderr, "fuzz_image: %s: %s (%d) %s\n", statement->sql, fault, rc,
                result == NULL ? "" : result);
        abort();
    }
    sqlite3_free(result);
}

static void fuzz_alter(const damage_image *image, sqlite3 *db, const uint8_t *at)
{
    const damage_site *site = &image->sites[((size_t)at[0] << 8 | at[1]) % image->site_count];
    int is_data = 0;
    (void)damage_alter(image, db, site, ((size_t)at[2] << 8 | at[3]) % site->variants, &is_data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const damage_image *image = fuzz_image((damage_kind)(data[0] % DAMAGE_KINDS));
    sqlite3 *db = damage_open(image);
    size_t at = 1;
    for (int step = 0; step < STEPS_MAX && at < size; step++) {
        const damage_statement *statement =
            &damage_statements[(data[at] & ~STATEMENT) % damage_statement_count];
        if ((data[at] & STATEMENT) == 0 && at + ALTERATION_BYTES <= size) {
            fuzz_alter(image, db, data + at + 1);
            at += ALTERATION_BYTES;
            continue;
        }
        if ((statement->kinds >> image->kind & 1) != 0 && statement->phase != DAMAGE_DROP) {
            fuzz_run(db, statement);
        }
        at++;
    }
    for (size_t i = 0; i < damage_statement_count; i++) {
        if (damage_statements[i].phase == DAMAGE_CHECK ||
            damage_statements[i].phase == DAMAGE_DROP) {
            fuzz_run(db, &damage_statements[i]);
        }
    }
    vs_test_close(db);
    return 0;
}
