/*
 * test_indexed.c - which index over a table a search takes: by the column, the options, the metrics and
 * the names of the indexes; and why it cannot take the one that is named.
 */
#include "../store_fixture.h"

#include "../../ext/indexed.h"

static store_fixture fixture;

#define DOCS "CREATE TABLE docs(id INTEGER PRIMARY KEY, v, w, j);"
#define INDEX(name, columns)                                                                       \
    "CREATE VIRTUAL TABLE " name " USING vecshard(" columns ", content=docs, content_rowid=id);"

/* The index over docs.<column> that a search takes, and whether it keeps copies; NULL: none. */
static void takes(const char *column, const char *options_text, const char *expected)
{
    vs_target target;
    vs_options options;
    vs_indexed *indexed = NULL;
    fixture_must(&fixture,
                 vs_options_parse(fixture.db, "test", options_text, &options, &fixture.err));
    fixture_must(&fixture, vs_target_find(fixture.db, "test", "docs", column, options.type, &target,
                                          &fixture.err));
    fixture_must(&fixture,
                 vs_indexed_find(fixture.conn, "test", &target, &options, &indexed, &fixture.err));
    char *found = indexed == NULL ? sqlite3_mprintf("none")
                                  : sqlite3_mprintf("%s%s", indexed->store.table,
                                                    indexed->is_rounded ? " of copies" : "");
    assert_string_equal(found, expected == NULL ? "none" : expected);
    sqlite3_free(found);
    if (indexed != NULL) {
        const vs_declaration *declaration = &indexed->store.declaration;
        assert_int_equal(
            sqlite3_stricmp(declaration->columns[vs_indexed_spec(indexed)->column].name, column),
            0);
    }
    vs_indexed_free(indexed);
    vs_target_free(&target);
    vs_options_free(&options);
}

/* A search of docs.<column> with these options is an error with this sentence. */
static void refuses(const char *column, const char *options, const char *sentence)
{
    char *sql = sqlite3_mprintf("SELECT id FROM vec_search('docs', %Q, zeroblob(128), 1, %Q)",
                                column, options);
    vs_test_fails(fixture.db, sql, sentence);
    sqlite3_free(sql);
}

static void the_column_and_the_table_have_to_be_the_same(void **state)
{
    (void)state;
    fixture_open_store(
        &fixture,
        DOCS INDEX("a", "w int8[2]") INDEX(
            "t",
            "j TEXT, w int8[2], v float[40]") "CREATE VIRTUAL TABLE own USING vecshard(v float[2]);"
                                              "CREATE TABLE log(x); CREATE TRIGGER "
                                              "a0_vecshard_insert AFTER INSERT ON docs BEGIN "
                                              "INSERT INTO log VALUES (1); END;" /* names no index */
                                              "CREATE TRIGGER own_vecshard_insert AFTER INSERT ON "
                                              "docs BEGIN INSERT INTO log VALUES (1); "
                                              "END"); /* names a table that holds its own rows */
    takes("v", NULL, "t");
    takes("V", NULL, "t");
    takes("w", NULL, "a");
    takes("w", "{\"index\":\"T\"}", "t");
    takes("j", NULL, NULL);
    takes("v", "{\"index\":\"a0\"}", NULL);
    takes("v", "{\"index\":\"own\"}", NULL);
    refuses("v", "{\"index\":\"a\"}", "vec_search: index a of table docs has no vector column v");
    refuses("v", "{\"index\":\"a0\"}", "vec_search: table docs has no index a0 (it has none)");
    fixture_run(&fixture, "DROP TRIGGER a0_vecshard_insert; DROP TRIGGER own_vecshard_insert;"
                          "ALTER TABLE docs RENAME TO old; CREATE TABLE docs(id, v)");
    takes("v", NULL, NULL);
    fixture_run(&fixture, "DROP TABLE docs; ALTER TABLE old RENAME TO docs");
    takes("v", NULL, "t");
    fixture_close_store(&fixture);
}

#define COSINE "distance_metric=cosine"
#define DOT "distance_metric=dot"

static void the_metric_chooses(void **state)
{
    (void)state;
    fixture_open_store(&fixture, DOCS INDEX("t", "v float[40] " COSINE));
    takes("v", NULL, "t");
    takes("v", "{\"metric\":\"cosine\"}", "t");
    takes("v", "{\"metric\":\"l2\"}", NULL);
    fixture_run(&fixture, INDEX("ab", "v float[40] " COSINE));
    takes("v", NULL, "ab"); /* one metric: the first by name */
    fixture_run(&fixture, INDEX("AA", "v float[40] " DOT));
    takes("v", NULL, "AA"); /* several, and no l2: the first by name */
    takes("v", "{\"metric\":\"cosine\"}", "ab");
    takes("v", "{\"metric\":\"dot\"}", "AA");
    takes("v", "{\"metric\":\"l2\"}", "AA"); /* dot serves l2 */
    fixture_run(&fixture, INDEX("zz", "v float[40]"));
    takes("v", NULL, "zz"); /* several, and one has l2 */
    takes("v", "{\"metric\":\"l2\"}", "zz");
    takes("v", "{\"metric\":\"l2sq\"}", "AA");
    takes("v", "{\"metric\":\"dot\"}", "AA");
    takes("v", "{\"metric\":\"cosine\"}", "ab");
    takes("v", "{\"metric\":\"l1\"}", NULL);
    takes("v", "{\"metric\":\"l2\",\"norm_band\":0.5}", NULL);
    fixture_close_store(&fixture);
}

static void float32_comes_before_other_types(void **state)
{
    (void)state;
    fixture_open_store(&fixture, DOCS INDEX("t", "v float[8]") INDEX("b", "j int8[8]")
                                     INDEX("a", "j bit[8]"));
    takes("j", NULL, "a"); /* each with the metric that is its type's default */
    takes("j", "{\"metric\":\"l2\"}", "b");
    takes("j", "{\"metric\":\"hamming\"}", "a");
    takes("j", "{\"type\":\"int8\"}", "b");
    takes("j", "{\"type\":\"float32\"}", NULL);
    fixture_run(&fixture, INDEX("c", "j float[8] " COSINE));
    takes("j", NULL, "c");
    takes("j", "{\"metric\":\"l2\"}", "c"); /* without codes it serves all */
    takes("j", "{\"type\":\"int8\",\"metric\":\"l1\"}", "b");
    takes("j", "{\"type\":\"bit\"}", "a");
    fixture_close_store(&fixture);
}

static void an_index_that_is_named_is_taken_or_the_reason_told(void **state)
{
    (void)state;
    fixture_open_store(&fixture,
                       DOCS INDEX("t", "v float[40]") INDEX("docs_cosine", "v float[40] " COSINE)
                           INDEX("zzz", "v float[40]") "CREATE INDEX docs_w ON docs(w)");
    takes("v", "{\"index\":\"t\"}", "t");
    takes("v", "{\"index\":\"zzz\"}", "zzz");
    takes("v", "{\"index\":\"ZZZ\",\"metric\":\"dot\",\"type\":\"float32\"}", "zzz");
    takes("v", "{\"index\":\"docs_cosine\"}", "docs_cosine");
    takes("v", "{\"index\":\"docs_w\"}", NULL);
    refuses("v", "{\"index\":\"zzz\",\"metric\":\"cosine\"}",
            "vec_search: the metric of index zzz is l2, and the search asks for cosine");
    refuses("v", "{\"index\":\"docs_cosine\",\"metric\":\"l2\"}",
            "vec_search: the metric of index docs_cosine is cosine, and the search asks for l2");
    refuses("v", "{\"index\":\"zzz\",\"type\":\"int8\"}",
            "vec_search: the type of index zzz is float32, not int8");
    refuses("v", "{\"index\":\"zzz\",\"norm_band\":0.5}",
            "vec_search: index zzz is a vecshard index, which has no searches by norm_band");
    refuses("v", "{\"index\":\"zz\"}", "vec_search: table docs has no index zz (it has docs_w)");
    fixture_close_store(&fixture);
}

static void copies_are_taken_only_when_named(void **state)
{
    (void)state;
    fixture_open_store(
        &fixture, DOCS
        "INSERT INTO docs(id, w) VALUES (1, NULL), (2, vec_f16('[1,2]'));"
        "UPDATE docs SET v = vec_f32('[1,2]'), j = '[1,2]';" INDEX("t", "v float[2] store=f16")
            INDEX("v16", "v float16[2]") INDEX("w16", "w float16[2]") INDEX("jb", "j bfloat16[2]"));
    takes("v", NULL, NULL);
    takes("v", "{\"type\":\"float32\",\"metric\":\"dot\"}", NULL);
    takes("v", "{\"type\":\"float16\"}", NULL);
    takes("v", "{\"index\":\"t\"}", "t of copies");
    takes("v", "{\"index\":\"v16\"}", "v16 of copies");
    takes("w", NULL, "w16");
    takes("w", "{\"type\":\"float16\"}", "w16");
    takes("w", "{\"index\":\"w16\"}", "w16");
    takes("j", NULL, NULL); /* text is float32 unless told */
    takes("j", "{\"type\":\"bfloat16\"}", "jb");
    takes("j", "{\"index\":\"jb\"}", "jb of copies");
    takes("j", "{\"index\":\"jb\",\"type\":\"bfloat16\"}", "jb");
    fixture_run(&fixture, INDEX("zz", "v float[2] " COSINE));
    takes("v", NULL, "zz"); /* the copies have no say in the metric */
    fixture_run(&fixture, "DELETE FROM docs");
    takes("v", "{\"type\":\"float16\"}", "v16"); /* nothing is rounded yet */
    takes("v", "{\"index\":\"t\"}", "t of copies");
    fixture_close_store(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_column_and_the_table_have_to_be_the_same),
        cmocka_unit_test(the_metric_chooses),
        cmocka_unit_test(float32_comes_before_other_types),
        cmocka_unit_test(an_index_that_is_named_is_taken_or_the_reason_told),
        cmocka_unit_test(copies_are_taken_only_when_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
