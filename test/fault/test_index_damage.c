/*
 * test_index_damage.c - shadow tables that hold anything: no crash, no silent wrong answer.
 *
 * Every value of some rows of every shadow table is altered in many ways, one at a time, on a copy of
 * the database, half of the time after searches; then the same statements run. Each gives its right answer, or an error with a
 * sentence. Where any answer is another one than before, or an error, 'integrity-check' has said
 * so; where it says nothing, the table goes on as if nothing had been altered.
 *
 * Environment: VS_DAMAGE_STRIDE  tests every n-th alteration only (default 17; 1: all)
 *              VS_DAMAGE_FIRST   begins with this one
 */
#include "../damage.h"

#include <stdio.h>
#include <unistd.h>

#define STRIDE_DEFAULT 17
#define CASE_SECONDS 120
#define FAULTS_MAX 20

/* What the statements give on the image as it was made. */
typedef struct damage_answers {
    char *results[64]; /* owned */
} damage_answers;

static int faults;

/* Names a fault with the alteration that led to it. */
static void report(const damage_image *image, const damage_site *site, size_t variant,
                   size_t number, const damage_statement *statement, const char *what, int rc,
                   const char *result)
{
    print_error("kind %d, alteration %zu: %s.%s of %s, variant %zu: %s: %s (%d) %.200s\n",
                (int)image->kind, number, site->table, site->column, site->key, variant,
                statement->sql, what, rc, result == NULL ? "" : result);
    faults++;
}

static void get_answers(const damage_image *image, damage_answers *out)
{
    sqlite3 *db = damage_open(image);
    const char *fault = NULL;
    assert_true(damage_statement_count <= VS_TEST_COUNT(out->results));
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < damage_statement_count; i++) {
        const damage_statement *statement = &damage_statements[i];
        if ((statement->kinds >> image->kind & 1) != 0 &&
            damage_run(db, statement, &out->results[i], &fault) != SQLITE_OK) {
            fail_msg("%s: %s", statement->sql, out->results[i]);
        }
        assert_null(fault);
        if (statement->phase == DAMAGE_READ && out->results[i] == NULL &&
            (statement->kinds >> image->kind & 1) != 0) {
            fail_msg("%s: no rows", statement->sql);
        }
    }
    vs_test_close(db);
}

static void free_answers(damage_answers *answers)
{
    for (size_t i = 0; i < VS_TEST_COUNT(answers->results); i++) {
        sqlite3_free(answers->results[i]);
    }
}

static int is_same(const char *a, const char *b)
{
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

/* Runs the searches on the sound table, so that later ones find their codes and descriptions in
 * memory, under stamps that the alteration repeats. */
static void warm_up(const damage_image *image, const damage_answers *answers, sqlite3 *db)
{
    for (size_t i = 0; i < damage_statement_count; i++) {
        const damage_statement *statement = &damage_statements[i];
        if (statement->phase == DAMAGE_READ && (statement->kinds >> image->kind & 1) != 0) {
            vs_test_gives(db, statement->sql, answers->results[i]);
        }
    }
}

static void run_case(const damage_image *image, const damage_answers *answers,
                     const damage_site *site, size_t variant, size_t number)
{
    const damage_statement *wrong = NULL; /* the first statement with another answer */
    int is_found = 0, is_data = 0;
    sqlite3 *db = damage_open(image);
    if (number / 2 % 2 == 1) { /* not one of two, which are sealed or not */
        warm_up(image, answers, db);
    }
    if (!damage_alter(image, db, site, variant, &is_data)) {
        vs_test_close(db);
        return;
    }
    for (size_t i = 0; i < damage_statement_count; i++) {
        const damage_statement *statement = &damage_statements[i];
        const char *fault = NULL;
        char *result = NULL;
        if ((statement->kinds >> image->kind & 1) == 0) {
            continue;
        }
        int rc = damage_run(db, statement, &result, &fault);
        int is_right = rc == SQLITE_OK && is_same(result, answers->results[i]);
        is_found |= statement->phase == DAMAGE_CHECK && rc != SQLITE_OK;
        if (fault != NULL) {
            report(image, site, variant, number, statement, fault, rc, result);
        } else if (statement->phase == DAMAGE_DROP && !is_right) {
            report(image, site, variant, number, statement, "DROP leaves something", rc, result);
        } else if (!is_right && wrong == NULL) {
            wrong = statement;
        }
        sqlite3_free(result);
    }
    if (wrong != NULL && !is_found && !is_data) {
        report(image, site, variant, number, wrong, "integrity-check has not seen it", 0, NULL);
    }
    vs_test_close(db);
}

static size_t setting(const char *name, size_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : (size_t)strtoull(text, NULL, 10);
}

static void survives(damage_kind kind)
{
    damage_image image;
    damage_answers answers;
    size_t stride = setting("VS_DAMAGE_STRIDE", STRIDE_DEFAULT);
    size_t first = setting("VS_DAMAGE_FIRST", 0);
    size_t number = 0, cases = 0;
    damage_build(kind, &image);
    get_answers(&image, &answers);
    faults = 0;
    for (size_t i = 0; i < image.site_count && faults < FAULTS_MAX; i++) {
        for (size_t variant = 0; variant < image.sites[i].variants; variant++, number++) {
            if (number >= first && (number - first) % stride == 0) {
                alarm(CASE_SECONDS); /* a loop outside of SQL ends here */
                run_case(&image, &answers, &image.sites[i], variant, number);
                cases++;
            }
        }
    }
    alarm(0);
    print_message("%zu of %zu alterations\n", cases, number);
    free_answers(&answers);
    damage_free(&image);
    assert_int_equal(faults, 0);
}

static void partitioned_table_survives_damage(void **state)
{
    (void)state;
    survives(DAMAGE_PARTED);
}

static void keyed_table_survives_damage(void **state)
{
    (void)state;
    survives(DAMAGE_KEYED);
}

static void index_over_a_table_survives_damage(void **state)
{
    (void)state;
    survives(DAMAGE_CONTENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitioned_table_survives_damage),
        cmocka_unit_test(keyed_table_survives_damage),
        cmocka_unit_test(index_over_a_table_survives_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
