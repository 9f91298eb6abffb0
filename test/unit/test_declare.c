/*
 * test_declare.c - what CREATE VIRTUAL TABLE ... USING vecshard(...) may say.
 *
 * A declaration is compared by its canonical text, which tells everything that was read.
 */
#include "../vs_test.h"

#include "../../ext/declare.h"
#include "../vs_fault.h"

#define WHO "vecshard: t"
#define ARGUMENTS_MAX 64

/* Reads arguments that are separated by ";" here. */
static int parse(const char *arguments, vs_declaration *out, vs_err *err)
{
    static char text[1 << 16];
    const char *argv[ARGUMENTS_MAX];
    int argc = 0;
    assert_true(strlen(arguments) < sizeof text);
    memcpy(text, arguments, strlen(arguments) + 1);
    for (char *at = text; at != NULL;) {
        char *end = strchr(at, ';');
        assert_true(argc < ARGUMENTS_MAX);
        argv[argc++] = at;
        if (end != NULL) {
            *end++ = '\0';
        }
        at = end;
    }
    return vs_declare_parse(WHO, argc, argv, out, err);
}

static void reads(const char *arguments, vs_declaration *out)
{
    vs_err err = VS_ERR_INIT;
    if (parse(arguments, out, &err) != SQLITE_OK) {
        fail_msg("%s: %s", arguments, err.message);
    }
    assert_null(err.message);
}

/* The arguments have this canonical text, which reads as the same declaration. */
static void means(const char *arguments, const char *expected)
{
    vs_declaration declaration, again;
    vs_err err = VS_ERR_INIT;
    reads(arguments, &declaration);
    char *text = vs_declare_text(&declaration);
    if (strcmp(text, expected) != 0) {
        fail_msg("%s means\n%s\nnot\n%s", arguments, text, expected);
    }
    if (vs_declare_from_text(WHO, text, &again, &err) != SQLITE_OK) {
        fail_msg("%s: %s", text, err.message);
    }
    char *second = vs_declare_text(&again);
    char *schema = vs_declare_schema(&declaration, "t");
    char *schema_again = vs_declare_schema(&again, "t");
    assert_string_equal(second, text);
    assert_string_equal(schema, schema_again);
    assert_memory_equal(declaration.vectors, again.vectors, sizeof again.vectors);
    assert_int_equal(declaration.key, again.key);
    assert_int_equal(declaration.partition_count, again.partition_count);
    sqlite3_free(text);
    sqlite3_free(second);
    sqlite3_free(schema);
    sqlite3_free(schema_again);
    vs_declare_free(&declaration);
    vs_declare_free(&again);
}

static void fails(const char *arguments, const char *expected)
{
    vs_declaration declaration;
    vs_err err = VS_ERR_INIT;
    if (parse(arguments, &declaration, &err) != SQLITE_ERROR || err.message == NULL) {
        fail_msg("%s is taken", arguments);
    }
    if (strcmp(err.message, expected) != 0) {
        fail_msg("%s fails with\n%s\nnot\n%s", arguments, err.message, expected);
    }
    assert_int_equal(declaration.column_count, 0);
    assert_int_equal(declaration.vector_count, 0);
    vs_error_clear(&err);
}

static void a_vector_column_has_type_dimensions_metric_and_store(void **state)
{
    (void)state;
    means("embedding float[768]", "\"embedding\" float32[768] distance_metric=l2");
    means("e FLOAT[768] distance_metric=cosine", "\"e\" float32[768] distance_metric=cosine");
    means("e float[768] distance_metric=L2", "\"e\" float32[768] distance_metric=l2");
    means("e float[3] Distance_Metric = 'L1'", "\"e\" float32[3] distance_metric=l1");
    means("e f32 [ 3 ] metric=dot", "\"e\" float32[3] distance_metric=dot");
    means("e f32[8] store=half", "\"e\" float32[8] distance_metric=l2 store=half");
    means("e float32[3] metric=l2sq store=f16", "\"e\" float32[3] distance_metric=l2sq store=f16");
    means("e float[3] store=\"FLOAT16\" metric=[cosine]",
          "\"e\" float32[3] distance_metric=cosine store=f16");
    means("e float[3] store=f32", "\"e\" float32[3] distance_metric=l2");
    means("e float[3] store=float32", "\"e\" float32[3] distance_metric=l2");
    means("e float16[1]", "\"e\" float16[1] distance_metric=l2");
    means("e f16[1]", "\"e\" float16[1] distance_metric=l2");
    means("e bfloat16[65536]", "\"e\" bfloat16[65536] distance_metric=l2");
    means("e bf16[65536]", "\"e\" bfloat16[65536] distance_metric=l2");
    means("e int8[768] metric=cosine", "\"e\" int8[768] distance_metric=cosine");
    means("e i8[768]", "\"e\" int8[768] distance_metric=l2");
    means("e bit[768]", "\"e\" bit[768] distance_metric=hamming");
    means("e binary[65536] metric=jaccard", "\"e\" bit[65536] distance_metric=jaccard");
    means("a float[1];b int8[2];c bit[8]", "\"a\" float32[1] distance_metric=l2\n"
                                           "\"b\" int8[2] distance_metric=l2\n"
                                           "\"c\" bit[8] distance_metric=hamming");
}

static void other_columns_have_types_collations_and_keys(void **state)
{
    (void)state;
    means("e float[3];id integer primary key;user_id integer partition key;+contents text;genre "
          "text;chunk_size=8",
          "\"e\" float32[3] distance_metric=l2\n"
          "\"id\" integer PRIMARY KEY\n"
          "\"user_id\" integer PARTITION KEY\n"
          "+\"contents\" text\n"
          "\"genre\" text");
    means("id TEXT COLLATE NoCase PRIMARY KEY;e float[3]",
          "\"id\" TEXT COLLATE \"NoCase\" PRIMARY KEY\n\"e\" float32[3] distance_metric=l2");
    means("id TEXT PRIMARY KEY COLLATE 'a\"b';e float[3]",
          "\"id\" TEXT COLLATE \"a\"\"b\" PRIMARY KEY\n\"e\" float32[3] distance_metric=l2");
    means("e float[3];a", "\"e\" float32[3] distance_metric=l2\n\"a\"");
    means("e float[3];a COLLATE nocase PARTITION KEY",
          "\"e\" float32[3] distance_metric=l2\n\"a\" COLLATE \"nocase\" PARTITION KEY");
    means("e float[3];a DECIMAL ( 10 , +2 );b varying\ncharacter(5);c numeric(-1,-2)",
          "\"e\" float32[3] distance_metric=l2\n\"a\" DECIMAL(10,2)\n"
          "\"b\" varying character(5)\n\"c\" numeric(-1,-2)");
    means("e float[3];a float;b int8;+c bit",
          "\"e\" float32[3] distance_metric=l2\n\"a\" float\n\"b\" int8\n+\"c\" bit");
    means("e float[3];a TIMESTAMP WITH TIME ZONE COLLATE x",
          "\"e\" float32[3] distance_metric=l2\n\"a\" TIMESTAMP WITH TIME ZONE COLLATE \"x\"");
}

static void names_are_quoted_in_every_way_and_comments_are_passed_over(void **state)
{
    (void)state;
    means(" \"a b\"float[3] ;[c]text;'e''f' text;`g``h`;content_x",
          "\"a b\" float32[3] distance_metric=l2\n\"c\" text\n\"e'f\" text\n\"g`h\"\n"
          "\"content_x\"");
    means("\"a\nb\" float[3];\"=\n\";\"a\"\"=\" text;\"content\" text",
          "\"a\nb\" float32[3] distance_metric=l2\n\"=\n\"\n\"a\"\"=\" text\n\"content\" text");
    means("/* e */ e /* x */ float /* y */ [ 3\t] -- cosine\n metric /*=*/ = /**/ dot -- end",
          "\"e\" float32[3] distance_metric=dot");
    means("e float[3] /* open", "\"e\" float32[3] distance_metric=l2");
    means("\xc3\xa9t\xc3\xa9 float[3];+ a$1 text",
          "\"\xc3\xa9t\xc3\xa9\" float32[3] distance_metric=l2\n+\"a$1\" text");
    means("float float[3];primary primary key;bit text",
          "\"float\" float32[3] distance_metric=l2\n\"primary\" PRIMARY KEY\n\"bit\" text");
}

static void options_of_the_table_are_read(void **state)
{
    vs_declaration declaration;
    (void)state;
    means("e float[3];content=docs", "\"e\" float32[3] distance_metric=l2\ncontent=\"docs\"\n"
                                     "content_rowid=\"rowid\"");
    means("CONTENT = 'my \"docs\"';content_rowid=[id];e float[3];chunk_size = 1024",
          "\"e\" float32[3] distance_metric=l2\ncontent=\"my \"\"docs\"\"\"\n"
          "content_rowid=\"id\"");
    reads("e float[3];content=docs", &declaration);
    assert_string_equal(declaration.content, "docs");
    assert_string_equal(declaration.content_rowid, "rowid");
    vs_declare_free(&declaration);
    reads("e float[3];content TEXT;chunk_size integer", &declaration);
    assert_null(declaration.content);
    assert_int_equal(declaration.column_count, 3);
    vs_declare_free(&declaration);
}

static void kinds_and_numbers_of_columns_are_kept(void **state)
{
    vs_declaration d;
    (void)state;
    reads("tenant INTEGER PARTITION KEY;e float[3];id TEXT PRIMARY KEY;lang;f bit[8];+title TEXT;"
          "day PARTITION KEY",
          &d);
    static const vs_column_kind kinds[] = {
        VS_COLUMN_PARTITION, VS_COLUMN_VECTOR,    VS_COLUMN_KEY,      VS_COLUMN_METADATA,
        VS_COLUMN_VECTOR,    VS_COLUMN_AUXILIARY, VS_COLUMN_PARTITION};
    static const int vectors[] = {-1, 0, -1, -1, 1, -1, -1};
    assert_int_equal(d.column_count, 7);
    for (int i = 0; i < d.column_count; i++) {
        assert_int_equal(d.columns[i].kind, kinds[i]);
        assert_int_equal(d.columns[i].vector, vectors[i]);
        assert_true((d.columns[i].type_sql == NULL) == (kinds[i] == VS_COLUMN_VECTOR));
    }
    assert_int_equal(d.vectors[0].column, 1);
    assert_int_equal(d.vectors[1].column, 4);
    assert_int_equal(d.partition_count, 2);
    assert_int_equal(d.key, 2);
    assert_string_equal(d.columns[3].type_sql, "");
    assert_null(d.content_rowid);
    vs_declare_free(&d);
    vs_declare_free(&d); /* harmless */
}

/* A key of type INTEGER or INT is the rowid; of every other type it is a column of its own. */
static void an_integer_primary_key_is_the_rowid(void **state)
{
    static const struct {
        const char *type;
        vs_column_kind kind;
    } cases[] = {
        {"integer", VS_COLUMN_ROWID},    {"INT", VS_COLUMN_ROWID},        {"TEXT", VS_COLUMN_KEY},
        {"BIGINT", VS_COLUMN_KEY},       {"INTEGER(8)", VS_COLUMN_KEY},   {"", VS_COLUMN_KEY},
        {"UNSIGNED INT", VS_COLUMN_KEY}, {"INT UNSIGNED", VS_COLUMN_KEY},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_declaration d;
        char *text = sqlite3_mprintf("e float[3];id %s PRIMARY KEY", cases[i].type);
        reads(text, &d);
        assert_int_equal(d.columns[1].kind, cases[i].kind);
        assert_int_equal(d.key, 1);
        vs_declare_free(&d);
        sqlite3_free(text);
    }
}

static void every_error_is_a_sentence(void **state)
{
    static const struct {
        const char *arguments, *message;
    } cases[] = {
        {"", WHO ": expected a column name, found nothing"},
        {"-- e float[3]", WHO ": expected a column name, found nothing"},
        {"12 float[3]", WHO ": expected a column name, found <12>"},
        {"+", WHO ": expected a column name, found nothing"},
        {"\"e float[3]", WHO ": expected a column name, found <\"e float[3]>"},
        {"\"\" float[3]", WHO ": a column name must have 1 to 128 bytes, found <\"\">"},
        {"a text", WHO ": expected at least one vector column, such as embedding float[384]"},
        {"e float[3];E text", WHO ": two columns are named \"E\""},
        {"Distance float[3]",
         WHO ": a column cannot be named \"Distance\": the names rowid, distance, k, query, "
             "options, arg, rank and _device are reserved"},
        {"e float[3];\"rowid\" integer primary key",
         WHO ": a column cannot be named \"rowid\": the names rowid, distance, k, query, options, "
             "arg, rank and _device are reserved"},
        {"e float64[3]", WHO ": column \"e\": unknown element type <float64>, expected float32 (or "
                             "float), float16, bfloat16, int8 or bit"},
        {"e [3]", WHO ": column \"e\": expected a type, COLLATE, PRIMARY KEY or PARTITION KEY, "
                      "each once, found <[3]>"},
        {"+e float[3]", WHO ": column \"e\": a vector column cannot be auxiliary (+)"},
        {"e float[0]", WHO ": column \"e\": the dimensions must be a number from 1 to 65536, found "
                           "<[0]>"},
        {"e float[]", WHO ": column \"e\": the dimensions must be a number from 1 to 65536, found "
                          "<[]>"},
        {"e float[65537]", WHO ": column \"e\": the dimensions must be a number from 1 to 65536, "
                               "found <[65537]>"},
        {"e float[99999999999999999999999]",
         WHO ": column \"e\": the dimensions must be a number from 1 to 65536, found "
             "<[99999999999999999999999]>"},
        {"e float[-3]", WHO ": column \"e\": the dimensions must be a number from 1 to 65536, "
                            "found <[-3]>"},
        {"e float[3.0]", WHO ": column \"e\": the dimensions must be a number from 1 to 65536, "
                             "found <[3.0]>"},
        {"e bit[12]",
         WHO ": column \"e\": a bit vector has a multiple of 8 dimensions, found <[12]>"},
        {"e float[3] metric=hamming", WHO ": column \"e\": the metric of float32 vectors must be "
                                          "l2, l2sq, l1, cosine or dot, found <hamming>"},
        {"e bit[8] metric=l2", WHO ": column \"e\": the metric of bit vectors must be hamming or "
                                   "jaccard, found <l2>"},
        {"e int8[8] distance_metric=", WHO ": column \"e\": the metric of int8 vectors must be l2, "
                                           "l2sq, l1, cosine or dot, found nothing"},
        {"e int8[8] distance_metric=euclidean_distance",
         WHO ": column \"e\": the metric of int8 vectors must be l2, l2sq, l1, cosine or dot, "
             "found <euclidean_distance>"},
        {"e float[3] metric", WHO ": column \"e\": expected distance_metric= or store= after the "
                                  "type of a vector column, found <metric>"},
        {"e float[3] NOT NULL", WHO ": column \"e\": expected distance_metric= or store= after the "
                                    "type of a vector column, found <NOT>"},
        {"e float[3] metric=l2 distance_metric=l2",
         WHO ": column \"e\": distance_metric= is given twice"},
        {"e float[3] store=f16 store=f16", WHO ": column \"e\": store= is given twice"},
        {"e float[3] store=int8",
         WHO ": column \"e\": store= must be f32, f16 or half, found <int8>"},
        {"e float[7] store=half",
         WHO ": column \"e\": store=half is for vectors of 8 or more dimensions, and these have 7"},
        {"e float16[8] store=half",
         WHO ": column \"e\": store= is for float32 vectors, and these are float16"},
        {"e float16[3] store=f16",
         WHO ": column \"e\": store= is for float32 vectors, and these are float16"},
        {"e int8[3] store=f32",
         WHO ": column \"e\": store= is for float32 vectors, and these are int8"},
        {"e float[3] indexed by flat()",
         WHO ": column \"e\": expected distance_metric= or store= after the type of a vector "
             "column, found <indexed>"},
        {"a text primary key;b integer primary key;e float[3]",
         WHO ": a table has one PRIMARY KEY of one column, found \"a\" and \"b\""},
        {"a text primary key partition key;e float[3]",
         WHO ": column \"a\" is one of auxiliary (+), PRIMARY KEY and PARTITION KEY, not two of "
             "them"},
        {"+a text primary key;e float[3]",
         WHO ": column \"a\" is one of auxiliary (+), PRIMARY KEY and PARTITION KEY, not two of "
             "them"},
        {"+a partition key;e float[3]",
         WHO ": column \"a\" is one of auxiliary (+), PRIMARY KEY and PARTITION KEY, not two of "
             "them"},
        {"a text primary;e float[3]",
         WHO ": column \"a\": expected KEY after PRIMARY, found nothing"},
        {"a text partition by;e float[3]",
         WHO ": column \"a\": expected KEY after PARTITION, found <by>"},
        {"a text NOT NULL;e float[3]",
         WHO ": column \"a\": constraints are not supported, found <NOT>; a column takes a type, "
             "COLLATE, PRIMARY KEY and PARTITION KEY"},
        {"a text unique;e float[3]",
         WHO ": column \"a\": constraints are not supported, found <unique>; a column takes a "
             "type, COLLATE, PRIMARY KEY and PARTITION KEY"},
        {"a DEFAULT 3;e float[3]",
         WHO ": column \"a\": constraints are not supported, found <DEFAULT>; a column takes a "
             "type, COLLATE, PRIMARY KEY and PARTITION KEY"},
        {"a text check (a > 3);e float[3]",
         WHO ": column \"a\": constraints are not supported, found <check>; a column takes a "
             "type, COLLATE, PRIMARY KEY and PARTITION KEY"},
        {"a text hidden;e float[3]",
         WHO ": column \"a\": constraints are not supported, found <hidden>; a column takes a "
             "type, COLLATE, PRIMARY KEY and PARTITION KEY"},
        {"id integer primary key autoincrement;e float[3]",
         WHO ": column \"id\": constraints are not supported, found <autoincrement>; a column "
             "takes a type, COLLATE, PRIMARY KEY and PARTITION KEY"},
        {"a text collate;e float[3]",
         WHO ": expected the name of a collation after COLLATE, found nothing"},
        {"a text collate x collate y;e float[3]",
         WHO ": column \"a\": expected a type, COLLATE, PRIMARY KEY or PARTITION KEY, each once, "
             "found <collate>"},
        {"a \"text\";e float[3]",
         WHO ": column \"a\": expected a type, COLLATE, PRIMARY KEY or PARTITION KEY, each once, "
             "found <\"text\">"},
        {"a text primary key text;e float[3]",
         WHO ": column \"a\": expected a type, COLLATE, PRIMARY KEY or PARTITION KEY, each once, "
             "found <text>"},
        {"a text(x);e float[3]",
         WHO ": column \"a\": expected a number within the parentheses of the type, found <x>"},
        {"a text();e float[3]",
         WHO ": column \"a\": expected a number within the parentheses of the type, found <)>"},
        {"a text(1,2,3);e float[3]",
         WHO ": column \"a\": expected ) after the size of the type, found <,>"},
        {"a (3);e float[3]",
         WHO ": column \"a\": expected a type, COLLATE, PRIMARY KEY or PARTITION KEY, each once, "
             "found <(>"},
        {"a text); DROP TABLE x;e float[3]",
         WHO ": column \"a\": expected a type, COLLATE, PRIMARY KEY or PARTITION KEY, each once, "
             "found <)>"},
        {"tokenize=porter;e float[3]",
         WHO ": unknown option <tokenize>, expected content=, content_rowid= or chunk_size="},
        {"content=;e float[3]", WHO ": expected the name of a table after content=, found nothing"},
        {"content='';e float[3]",
         WHO ": the name of a table after content= must have 1 to 128 bytes, found <''>"},
        {"content=main.docs;e float[3]",
         WHO ": content= takes a name without a schema: the content table is in the schema of the "
             "virtual table"},
        {"content=docs where 1;e float[3]",
         WHO ": expected nothing after the value of content=, found <where>"},
        {"content=a;content=b;e float[3]", WHO ": the option content= is given twice"},
        {"content_rowid=a;content_rowid=b;e float[3]",
         WHO ": the option content_rowid= is given twice"},
        {"content_rowid=id;e float[3]", WHO ": content_rowid= needs content="},
        {"chunk_size=0;e float[3]",
         WHO ": chunk_size= must be a positive integer (it has no effect), found <0>"},
        {"chunk_size=-8;e float[3]",
         WHO ": chunk_size= must be a positive integer (it has no effect), found <->"},
        {"chunk_size=8k;e float[3]",
         WHO ": chunk_size= must be a positive integer (it has no effect), found <8k>"},
        {"chunk_size=8;chunk_size=8;e float[3]", WHO ": the option chunk_size= is given twice"},
        {"a float[1];b float[1];c float[1];d float[1];e float[1];f float[1];g float[1];h float[1];"
         "i float[1]",
         WHO ": column \"i\": a table has at most 8 vector columns"},
        {"e "
         "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklm\xc3\xa9 [3]",
         WHO ": column \"e\": unknown element type "
             "<abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl...>, expected "
             "float32 (or float), float16, bfloat16, int8 or bit"},
        {"e "
         "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk\xc3\xa9 [3]",
         WHO ": column \"e\": unknown element type "
             "<abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk...>, expected "
             "float32 (or float), float16, bfloat16, int8 or bit"},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        fails(cases[i].arguments, cases[i].message);
    }
}

static void names_of_128_bytes_and_48_columns_are_the_limit(void **state)
{
    char name[132];
    vs_declaration d;
    vs_err err = VS_ERR_INIT;
    (void)state;
    memset(name, 'x', sizeof name);
    name[128] = '\0';
    char *text = sqlite3_mprintf("%s float[3]", name);
    reads(text, &d);
    assert_string_equal(d.columns[0].name, name);
    vs_declare_free(&d);
    sqlite3_free(text);
    name[127] = '"'; /* a doubled quote counts once */
    name[128] = '"';
    name[129] = '\0';
    text = sqlite3_mprintf("\"%s\" float[3]", name);
    reads(text, &d);
    assert_int_equal(strlen(d.columns[0].name), 128);
    vs_declare_free(&d);
    sqlite3_free(text);
    name[127] = name[128] = 'x';
    text = sqlite3_mprintf("%s float[3]", name);
    assert_int_equal(parse(text, &d, &err), SQLITE_ERROR);
    assert_non_null(strstr(err.message, "a column name must have 1 to 128 bytes, found <xxx"));
    vs_error_clear(&err);
    sqlite3_free(text);

    for (int n = VS_COLUMNS_MAX; n <= VS_COLUMNS_MAX + 1; n++) {
        sqlite3_str *columns = sqlite3_str_new(NULL);
        sqlite3_str_appendall(columns, "e float[3]");
        for (int i = 1; i < n; i++) {
            sqlite3_str_appendf(columns, ";c%d", i);
        }
        text = sqlite3_str_finish(columns);
        if (n == VS_COLUMNS_MAX) {
            reads(text, &d);
            assert_int_equal(d.column_count, VS_COLUMNS_MAX);
            vs_declare_free(&d);
        } else {
            fails(text, WHO ": a table has at most 48 columns");
        }
        sqlite3_free(text);
    }
}

static void the_schema_declares_columns_and_hidden_columns(void **state)
{
    vs_declaration d;
    (void)state;
    reads("embedding float[3];tenant INTEGER PARTITION KEY;\"a\"\"b\" TEXT COLLATE NOCASE;lang;x "
          "with y(3)",
          &d);
    char *schema = vs_declare_schema(&d, "my \"t\"");
    assert_string_equal(
        schema, "CREATE TABLE x(\"embedding\", \"tenant\" INTEGER, \"a\"\"b\" TEXT COLLATE "
                "\"NOCASE\", \"lang\", \"x\" \"with y(3)\", \"query\" HIDDEN, \"k\" HIDDEN, "
                "\"options\" HIDDEN, \"distance\" HIDDEN, \"my \"\"t\"\"\" HIDDEN, \"arg\" "
                "HIDDEN, \"_device\" HIDDEN)");
    sqlite3_free(schema);
    vs_declare_free(&d);
}

/* Whatever was accepted can be declared to SQLite, and its types mean the same there. */
static void types_are_safe_to_paste(void **state)
{
    static const struct {
        const char *type, *column_type, *stored; /* stored: what '12' becomes */
    } cases[] = {
        {"TEXT", "TEXT", "text"},
        {"VARYING CHARACTER(10)", "VARYING CHARACTER(10)", "text"},
        {"select", "select", "integer"},
        {"WITH TIME ZONE TEXT(3,4)", "WITH TIME ZONE TEXT(3,4)", "text"},
        {"BIGINT COLLATE NOCASE", "BIGINT", "integer"},
        {"table int", "table int", "integer"},
        {"", "", "text"},
        {"COLLATE \"nocase\"", "", "text"},
    };
    sqlite3 *db = vs_test_open();
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_declaration d;
        char *text = sqlite3_mprintf("e float[3];a %s", cases[i].type);
        reads(text, &d);
        char *sql = sqlite3_mprintf(
            "DROP TABLE IF EXISTS x; CREATE TABLE x(a %s); INSERT INTO x VALUES('12')",
            d.columns[1].type_sql);
        vs_test_run(db, sql);
        vs_test_gives(db, "SELECT type FROM pragma_table_info('x')", cases[i].column_type);
        vs_test_gives(db, "SELECT typeof(a) FROM x", cases[i].stored);
        sqlite3_free(sql);
        sqlite3_free(text);
        vs_declare_free(&d);
    }
    vs_test_close(db);
}

/* A whole number becomes a double just where SQLite makes it one. */
static void real_affinity_is_that_of_sqlite(void **state)
{
    static const char *const types[] = {
        "REAL",      "FLOAT",        "double precision", "FLOATING POINT",      "REAL TEXT",
        "BLOB REAL", "REAL BLOB",    "NUMERIC",          "INTEGER REAL",        "Varchar double",
        "",          "DECIMAL(3,2)", "xREALx",           "REAL COLLATE NOCASE", "COLLATE real",
    };
    sqlite3 *db = vs_test_open();
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(types); i++) {
        vs_declaration d;
        /* to SQLite the name of a collation that does not exist is an error */
        const char *type = strstr(types[i], "COLLATE real") != NULL ? "" : types[i];
        char *arguments = sqlite3_mprintf("v float[3];c %s", types[i]);
        char *sql = sqlite3_mprintf("CREATE TABLE c(c %s); INSERT INTO c VALUES (1)", type);
        reads(arguments, &d);
        vs_test_run(db, sql);
        vs_test_gives(db, "SELECT typeof(c) = 'real' FROM c",
                      vs_declare_is_real(&d.columns[1]) ? "1" : "0");
        vs_test_run(db, "DROP TABLE c");
        vs_declare_free(&d);
        sqlite3_free(sql);
        sqlite3_free(arguments);
    }
    vs_test_close(db);
}

static void a_table_is_not_named_as_one_of_its_columns(void **state)
{
    vs_declaration d;
    vs_err err = VS_ERR_INIT;
    (void)state;
    reads("embedding float[3];lang", &d);
    assert_int_equal(vs_declare_check_table(WHO, &d, "t", &err), SQLITE_OK);
    assert_int_equal(vs_declare_check_table(WHO, &d, "LANG", &err), SQLITE_ERROR);
    assert_string_equal(err.message, WHO ": the table and a column cannot both be named \"LANG\": "
                                         "the command column has the name of the table");
    vs_error_clear(&err);
    assert_int_equal(vs_declare_check_table(WHO, &d, "Query", &err), SQLITE_ERROR);
    assert_string_equal(err.message, WHO ": the table cannot be named \"Query\": its command "
                                         "column would have the name of a hidden column");
    vs_error_clear(&err);
    vs_declare_free(&d);
}

static void a_stored_declaration_that_is_damaged_is_corrupt(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", WHO ": expected a column name, found nothing (in the declaration that the table "
                 "keeps)"},
        {"\"e\" float32[3]\n",
         WHO ": expected a column name, found nothing (in the declaration that the table keeps)"},
        {"\"e float32[3]\n\"a\"",
         WHO ": column \"e float32[3]\n\": expected a type, COLLATE, PRIMARY KEY or PARTITION KEY, "
             "each once, found <\"> (in the declaration that the table keeps)"},
        {"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"
         "\n"
         "\n\n\n\n\n\n\n\n\n\n",
         WHO ": too many lines (in the declaration that the table keeps)"},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_declaration d;
        vs_err err = VS_ERR_INIT;
        assert_int_equal(vs_declare_from_text(WHO, cases[i].text, &d, &err), SQLITE_CORRUPT_VTAB);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(d.column_count, 0);
        vs_error_clear(&err);
    }
}

static void float_columns_of_32_dimensions_are_coded(void **state)
{
    static const struct {
        const char *column;
        int is_coded;
    } cases[] = {
        {"e float[32]", 1},
        {"e float[31]", 0},
        {"e float16[32] metric=cosine", 1},
        {"e bf16[65536] metric=dot", 1},
        {"e float[32] metric=l2sq store=f16", 1},
        {"e float[32] metric=l1", 0},
        {"e int8[64]", 0},
        {"e bit[64]", 0},
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(cases); i++) {
        vs_declaration d;
        reads(cases[i].column, &d);
        assert_int_equal(vs_declare_is_coded(&d.vectors[0]), cases[i].is_coded);
        vs_declare_free(&d);
    }
}

/* One round trip under failing allocations. Returns SQLITE_OK or SQLITE_NOMEM. */
static int round_trip(const char *arguments)
{
    vs_declaration d, again;
    vs_err err = VS_ERR_INIT;
    int rc = parse(arguments, &d, &err);
    if (rc == SQLITE_OK) {
        char *text = vs_declare_text(&d);
        char *schema = vs_declare_schema(&d, "t");
        rc = text == NULL || schema == NULL ? SQLITE_NOMEM
                                            : vs_declare_from_text(WHO, text, &again, &err);
        if (rc == SQLITE_OK) {
            assert_int_equal(again.column_count, d.column_count);
            vs_declare_free(&again);
        }
        sqlite3_free(text);
        sqlite3_free(schema);
        vs_declare_free(&d);
    }
    vs_error_clear(&err);
    return rc;
}

static void without_memory_it_says_so_and_keeps_nothing(void **state)
{
    static const char arguments[] =
        "e float[3] metric=dot;id TEXT COLLATE NOCASE PRIMARY KEY;day varying character(10) "
        "PARTITION KEY;+a b c;content=\"docs\"";
    (void)state;
    for (int is_persistent = 0; is_persistent < 2; is_persistent++) {
        int64_t failures = 1;
        for (int64_t n = 1; failures > 0; n++) {
            int64_t live = vs_fault_live();
            vs_fault_arm(n, is_persistent);
            int rc = round_trip(arguments);
            failures = vs_fault_disarm();
            assert_int_equal(rc, failures > 0 ? SQLITE_NOMEM : SQLITE_OK);
            assert_int_equal(vs_fault_live(), live);
        }
    }
}

/* Each prefix lies at the end of a block of its own, for the sanitizers. */
static void every_prefix_is_read_within_its_bounds(void **state)
{
    static const char *const texts[] = {
        "\"embedding\" /* x */ float32[384] distance_metric='cosine' store=f16 -- y",
        "+[title] VARYING CHARACTER(10,-2) COLLATE \"no\"\"case\" PARTITION KEY",
        "content=\"docs\"",
    };
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(texts); i++) {
        for (size_t n = 0; n <= strlen(texts[i]); n++) {
            vs_declaration d;
            vs_err err = VS_ERR_INIT;
            char *copy = malloc(n + 1);
            memcpy(copy, texts[i], n);
            copy[n] = '\0';
            if (vs_declare_from_text(WHO, copy, &d, &err) == SQLITE_OK) {
                vs_declare_free(&d);
            }
            vs_error_clear(&err);
            free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vector_column_has_type_dimensions_metric_and_store),
        cmocka_unit_test(other_columns_have_types_collations_and_keys),
        cmocka_unit_test(names_are_quoted_in_every_way_and_comments_are_passed_over),
        cmocka_unit_test(options_of_the_table_are_read),
        cmocka_unit_test(kinds_and_numbers_of_columns_are_kept),
        cmocka_unit_test(an_integer_primary_key_is_the_rowid),
        cmocka_unit_test(every_error_is_a_sentence),
        cmocka_unit_test(names_of_128_bytes_and_48_columns_are_the_limit),
        cmocka_unit_test(the_schema_declares_columns_and_hidden_columns),
        cmocka_unit_test(types_are_safe_to_paste),
        cmocka_unit_test(real_affinity_is_that_of_sqlite),
        cmocka_unit_test(a_table_is_not_named_as_one_of_its_columns),
        cmocka_unit_test(a_stored_declaration_that_is_damaged_is_corrupt),
        cmocka_unit_test(float_columns_of_32_dimensions_are_coded),
        cmocka_unit_test(without_memory_it_says_so_and_keeps_nothing),
        cmocka_unit_test(every_prefix_is_read_within_its_bounds),
    };
    vs_fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
