/*
 * declare.c - the arguments of CREATE VIRTUAL TABLE ... USING vecshard(...).
 *
 * Each argument is cut into tokens (words, quoted names, numbers, signs) and read from left to
 * right: an option of the table when its first word is followed by '=', else a column. A type
 * followed by [dim] makes a vector column. To SQLite and to the tokenizer [768] is a quoted name,
 * so a vector column is found by a word with such a name behind it.
 *
 * What is pasted into SQL later is made here: types consist of words and numbers alone, everything
 * else is quoted.
 *
 * Calls: distance.c for metric names, kernels for type names.
 * Called by: store.c, vtab_index.c, format.c (which columns have codes), nearest.c.
 * Threads: any.
 */
#include "declare.h"

#include "distance.h"

#define DECLARE_SHOWN 64 /* bytes of the text that a message repeats */
#define DECLARE_OPTIONS_MAX 3

/* ---- tokens ---------------------------------------------------------------------------------- */

typedef enum declare_kind {
    DECLARE_END,
    DECLARE_WORD,   /* bare */
    DECLARE_QUOTED, /* in ", ', ` or [] */
    DECLARE_NUMBER, /* begins with a digit */
    DECLARE_OTHER   /* one character, or a quote that is never closed */
} declare_kind;

typedef struct declare_token {
    declare_kind kind;
    const char *text; /* with its quotes */
    size_t n;
} declare_token;

static int declare_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int declare_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int declare_is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || declare_is_digit(c) || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* Skips white space and comments; an unterminated comment runs to the end, as in SQLite. */
static const char *declare_skip(const char *at)
{
    for (;;) {
        if (declare_is_space(*at)) {
            at++;
        } else if (at[0] == '-' && at[1] == '-') {
            at += strcspn(at, "\n");
        } else if (at[0] == '/' && at[1] == '*') {
            const char *close = strstr(at + 2, "*/");
            at = close == NULL ? at + strlen(at) : close + 2;
        } else {
            return at;
        }
    }
}

/* Behind the quote that closes the one at `at`, or NULL when there is none. A doubled quote stands
 * for itself, except in []. */
static const char *declare_quote_end(const char *at)
{
    char close = *at == '[' ? ']' : *at;
    for (at++; *at != '\0'; at++) {
        if (*at == close) {
            if (close == ']' || at[1] != close) {
                return at + 1;
            }
            at++;
        }
    }
    return NULL;
}

static declare_token declare_token_at(const char *at)
{
    declare_token token;
    const char *p = declare_skip(at);
    char c = *p;
    token.text = p;
    if (c == '\0') {
        token.kind = DECLARE_END;
    } else if (c == '\'' || c == '"' || c == '`' || c == '[') {
        const char *end = declare_quote_end(p);
        token.kind = end == NULL ? DECLARE_OTHER : DECLARE_QUOTED;
        p = end == NULL ? p + strlen(p) : end;
    } else if (declare_is_word_char(c)) {
        token.kind = declare_is_digit(c) ? DECLARE_NUMBER : DECLARE_WORD;
        while (declare_is_word_char(*p)) {
            p++;
        }
    } else {
        token.kind = DECLARE_OTHER;
        p++;
    }
    token.n = (size_t)(p - token.text);
    return token;
}

static declare_token declare_after(declare_token token)
{
    return declare_token_at(token.text + token.n);
}

static int declare_is(declare_token token, char c)
{
    return token.kind == DECLARE_OTHER && token.n == 1 && *token.text == c;
}

static int declare_is_bracket(declare_token token)
{
    return token.kind == DECLARE_QUOTED && *token.text == '[';
}

/* Is the token this word, in any case? */
static int declare_is_word(declare_token token, const char *word)
{
    return token.kind == DECLARE_WORD && token.n == strlen(word) &&
           sqlite3_strnicmp(token.text, word, (int)token.n) == 0;
}

/* Is it one of these words? The list ends with NULL. */
static int declare_is_one_of(declare_token token, const char *const *words)
{
    while (*words != NULL && !declare_is_word(token, *words)) {
        words++;
    }
    return *words != NULL;
}

/* A decimal number of at most `max`, or -1. */
static int64_t declare_number(const char *text, size_t n, int64_t max)
{
    int64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        if (!declare_is_digit(text[i])) {
            return -1;
        }
        value = 10 * value + (text[i] - '0');
        if (value > max) {
            return -1;
        }
    }
    return n == 0 ? -1 : value;
}

/* The token as a message repeats it: quoted, and cut where it is long. */
typedef struct declare_shown {
    char text[DECLARE_SHOWN + 8];
} declare_shown;

static declare_shown declare_show(declare_token token)
{
    declare_shown shown;
    size_t n = token.n;
    if (token.kind == DECLARE_END) {
        sqlite3_snprintf((int)sizeof shown.text, shown.text, "nothing");
        return shown;
    }
    if (n > DECLARE_SHOWN) {
        for (n = DECLARE_SHOWN; n > 0 && ((unsigned char)token.text[n] & 0xc0) == 0x80;) {
            n--; /* not within a character */
        }
    }
    char *at = shown.text;
    *at++ = '<';
    memcpy(at, token.text, n);
    at += n;
    memcpy(at, n < token.n ? "...>" : ">", n < token.n ? 5 : 2);
    return shown;
}

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct declare_reader {
    const char *who;     /* borrowed */
    declare_token token; /* the next one to read */
    vs_declaration *out; /* borrowed */
    int has_chunk_size;  /* the option was given */
    vs_err *err;         /* borrowed */
} declare_reader;

static void declare_advance(declare_reader *reader)
{
    reader->token = declare_after(reader->token);
}

/* Reads a word or a quoted name: *out is a copy without quotes. what: "a column name". */
static int declare_name(declare_reader *reader, const char *what, char **out)
{
    declare_token token = reader->token;
    const char *at = token.text;
    size_t n = 0;
    char name[VS_NAME_BYTES_MAX + 1];
    if (token.kind != DECLARE_WORD && token.kind != DECLARE_QUOTED) {
        return vs_error(reader->err, SQLITE_ERROR, "%s: expected %s, found %s", reader->who, what,
                        declare_show(token).text);
    }
    const char *end = at + token.n;
    char quote = '\0';
    if (token.kind == DECLARE_QUOTED) {
        quote = *at == '[' ? '\0' : *at;
        at++;
        end--;
    }
    for (; at < end && n < sizeof name; at++) {
        name[n++] = *at;
        at += quote != '\0' && *at == quote; /* the second of a doubled quote */
    }
    if (n == 0 || n > VS_NAME_BYTES_MAX) {
        return vs_error(reader->err, SQLITE_ERROR, "%s: %s must have 1 to %d bytes, found %s",
                        reader->who, what, VS_NAME_BYTES_MAX, declare_show(token).text);
    }
    declare_advance(reader);
    *out = sqlite3_mprintf("%.*s", (int)n, name);
    return *out == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

/* ---- options of the table -------------------------------------------------------------------- */

static int declare_twice(declare_reader *reader, const char *option)
{
    return vs_error(reader->err, SQLITE_ERROR, "%s: the option %s= is given twice", reader->who,
                    option);
}

static int declare_chunk_size(declare_reader *reader)
{
    if (reader->has_chunk_size) {
        return declare_twice(reader, "chunk_size");
    }
    if (reader->token.kind != DECLARE_NUMBER ||
        declare_number(reader->token.text, reader->token.n, INT32_MAX) < 1) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: chunk_size= must be a positive integer (it has no effect), found %s",
                        reader->who, declare_show(reader->token).text);
    }
    reader->has_chunk_size = 1;
    declare_advance(reader);
    return SQLITE_OK;
}

static int declare_option(declare_reader *reader)
{
    declare_token key = reader->token;
    int rc;
    declare_advance(reader); /* the key */
    declare_advance(reader); /* '=' */
    if (declare_is_word(key, "content")) {
        rc =
            reader->out->content != NULL
                ? declare_twice(reader, "content")
                : declare_name(reader, "the name of a table after content=", &reader->out->content);
    } else if (declare_is_word(key, "content_rowid")) {
        rc = reader->out->content_rowid != NULL
                 ? declare_twice(reader, "content_rowid")
                 : declare_name(reader, "the name of a column after content_rowid=",
                                &reader->out->content_rowid);
    } else if (declare_is_word(key, "chunk_size")) {
        rc = declare_chunk_size(reader);
    } else {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: unknown option %s, expected content=, content_rowid= or chunk_size=",
                        reader->who, declare_show(key).text);
    }
    if (rc == SQLITE_OK && declare_is(reader->token, '.')) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: %.*s= takes a name without a schema: the content table is in the "
                        "schema of the virtual table",
                        reader->who, (int)key.n, key.text);
    }
    if (rc == SQLITE_OK && reader->token.kind != DECLARE_END) {
        rc = vs_error(reader->err, SQLITE_ERROR,
                      "%s: expected nothing after the value of %.*s=, found %s", reader->who,
                      (int)key.n, key.text, declare_show(reader->token).text);
    }
    return rc;
}

/* ---- vector columns -------------------------------------------------------------------------- */

static const struct {
    const char *name;
    vsk_type type;
} declare_types[] = {
    {"float", VSK_F32}, {"float32", VSK_F32},   {"f32", VSK_F32},    {"float16", VSK_F16},
    {"f16", VSK_F16},   {"bfloat16", VSK_BF16}, {"bf16", VSK_BF16},  {"int8", VSK_I8},
    {"i8", VSK_I8},     {"bit", VSK_BIT},       {"binary", VSK_BIT},
};

static int declare_type_by_name(declare_token token)
{
    for (size_t i = 0; i < sizeof declare_types / sizeof declare_types[0]; i++) {
        if (declare_is_word(token, declare_types[i].name)) {
            return (int)declare_types[i].type;
        }
    }
    return -1;
}

/* [768] */
static int declare_dim(declare_reader *reader, const char *column, vs_vector_spec *spec)
{
    const char *at = reader->token.text + 1;
    const char *end = reader->token.text + reader->token.n - 1;
    while (at < end && declare_is_space(*at)) {
        at++;
    }
    while (end > at && declare_is_space(end[-1])) {
        end--;
    }
    int64_t dim = declare_number(at, (size_t)(end - at), VS_DIM_MAX);
    if (dim < 1) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: column \"%w\": the dimensions must be a number from 1 to %d, found %s",
                        reader->who, column, VS_DIM_MAX, declare_show(reader->token).text);
    }
    if (spec->type == VSK_BIT && dim % 8 != 0) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: column \"%w\": a bit vector has a multiple of 8 dimensions, found %s",
                        reader->who, column, declare_show(reader->token).text);
    }
    spec->dim = (size_t)dim;
    declare_advance(reader);
    return SQLITE_OK;
}

/* The value of an option, in lower case, or "" where it is no word or too long for one of ours. */
static void declare_value(declare_token token, char out[16])
{
    size_t skip = token.kind == DECLARE_QUOTED;
    size_t n = token.n - 2 * skip;
    out[0] = '\0';
    if ((token.kind != DECLARE_WORD && token.kind != DECLARE_QUOTED) || n >= 16) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        char c = token.text[skip + i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    out[n] = '\0';
}

static int declare_metric(declare_reader *reader, const char *column, vs_vector_spec *spec)
{
    char value[16];
    declare_value(reader->token, value);
    int metric = vs_metric_by_name(value);
    if (metric < 0 || !vs_metric_takes((vs_metric)metric, spec->type)) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: column \"%w\": the metric of %s vectors must be %s, found %s",
                        reader->who, column, vsk_type_name(spec->type),
                        spec->type == VSK_BIT ? "hamming or jaccard"
                                              : "l2, l2sq, l1, cosine or dot",
                        declare_show(reader->token).text);
    }
    spec->metric = (vs_metric)metric;
    return SQLITE_OK;
}

static int declare_store(declare_reader *reader, const char *column, vs_vector_spec *spec)
{
    char value[16];
    declare_value(reader->token, value);
    int is_f16 = strcmp(value, "f16") == 0 || strcmp(value, "float16") == 0;
    int is_f32 = strcmp(value, "f32") == 0 || strcmp(value, "float32") == 0;
    int is_half = strcmp(value, "half") == 0;
    if (!is_f16 && !is_f32 && !is_half) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: column \"%w\": store= must be f32, f16 or half, found %s", reader->who,
                        column, declare_show(reader->token).text);
    }
    if (spec->type != VSK_F32) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: column \"%w\": store= is for float32 vectors, and these are %s",
                        reader->who, column, vsk_type_name(spec->type));
    }
    if (is_half && spec->dim < VS_DECLARE_HALF_DIM_MIN) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: column \"%w\": store=half is for vectors of %d or more dimensions, "
                        "and these have %lld",
                        reader->who, column, VS_DECLARE_HALF_DIM_MIN, (long long)spec->dim);
    }
    spec->stored = is_f16 ? VSK_F16 : VSK_F32;
    spec->is_half = is_half;
    return SQLITE_OK;
}

/* distance_metric=cosine store=f16, in any order, to the end of the argument. */
static int declare_vector_options(declare_reader *reader, const char *column, vs_vector_spec *spec)
{
    int has_metric = 0, has_store = 0;
    while (reader->token.kind != DECLARE_END) {
        int is_store = declare_is_word(reader->token, "store");
        int is_metric = declare_is_word(reader->token, "distance_metric") ||
                        declare_is_word(reader->token, "metric");
        if ((!is_store && !is_metric) || !declare_is(declare_after(reader->token), '=')) {
            return vs_error(reader->err, SQLITE_ERROR,
                            "%s: column \"%w\": expected distance_metric= or store= after the type "
                            "of a vector column, found %s",
                            reader->who, column, declare_show(reader->token).text);
        }
        if (is_store ? has_store++ : has_metric++) {
            return vs_error(reader->err, SQLITE_ERROR, "%s: column \"%w\": %s= is given twice",
                            reader->who, column, is_store ? "store" : "distance_metric");
        }
        declare_advance(reader);
        declare_advance(reader);
        int rc =
            is_store ? declare_store(reader, column, spec) : declare_metric(reader, column, spec);
        if (rc != SQLITE_OK) {
            return rc;
        }
        declare_advance(reader);
    }
    return SQLITE_OK;
}

static int declare_vector(declare_reader *reader, vs_column_spec *column)
{
    vs_declaration *out = reader->out;
    int type = declare_type_by_name(reader->token);
    if (type < 0) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: column \"%w\": unknown element type %s, expected float32 (or float), "
                        "float16, bfloat16, int8 or bit",
                        reader->who, column->name, declare_show(reader->token).text);
    }
    if (out->vector_count == VS_VECTORS_MAX) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: column \"%w\": a table has at most %d vector columns", reader->who,
                        column->name, VS_VECTORS_MAX);
    }
    vs_vector_spec *spec = &out->vectors[out->vector_count];
    column->kind = VS_COLUMN_VECTOR;
    column->vector = out->vector_count++;
    spec->column = (int)(column - out->columns);
    spec->type = spec->stored = (vsk_type)type;
    spec->metric = type == VSK_BIT ? VS_HAMMING : VS_L2;
    declare_advance(reader);
    int rc = declare_dim(reader, column->name, spec);
    return rc != SQLITE_OK ? rc : declare_vector_options(reader, column->name, spec);
}

/* ---- other columns --------------------------------------------------------------------------- */

/* Words of types that need no quotes in SQL. Others may be keywords of some version of SQLite. */
static const char *const declare_plain_types[] = {
    "any",       "big",      "bigint",    "blob",    "bool",     "boolean",   "char",   "character",
    "clob",      "date",     "datetime",  "decimal", "double",   "float",     "int",    "int2",
    "int4",      "int8",     "integer",   "json",    "jsonb",    "mediumint", "native", "nchar",
    "numeric",   "nvarchar", "precision", "real",    "smallint", "string",    "text",   "time",
    "timestamp", "tinyint",  "unsigned",  "uuid",    "varchar",  "varying",   NULL};

/* Words that begin a clause and so end a type. */
static const char *const declare_clauses[] = {"primary", "partition", "collate", NULL};
static const char *const declare_unsupported[] = {
    "not",        "null",      "unique", "default", "check",         "references",
    "constraint", "generated", "always", "as",      "autoincrement", "foreign",
    "on",         "asc",       "desc",   "hidden",  "key",           NULL};

/* What was read of a column that is no vector. */
typedef struct declare_clause_set {
    int is_primary, is_partition;
    int is_integer;  /* the type is INTEGER or INT alone */
    char *collation; /* owned */
} declare_clause_set;

/* (n) or (n,m) behind a type. */
static int declare_type_size(declare_reader *reader, const char *column, sqlite3_str *type)
{
    int count = 0;
    sqlite3_str_appendchar(type, 1, '(');
    do {
        int is_negative = 0;
        declare_advance(reader);
        if (declare_is(reader->token, '-') || declare_is(reader->token, '+')) {
            is_negative = *reader->token.text == '-';
            declare_advance(reader);
        }
        int64_t value = reader->token.kind == DECLARE_NUMBER
                            ? declare_number(reader->token.text, reader->token.n, INT32_MAX)
                            : -1;
        if (value < 0) {
            return vs_error(reader->err, SQLITE_ERROR,
                            "%s: column \"%w\": expected a number within the parentheses of the "
                            "type, found %s",
                            reader->who, column, declare_show(reader->token).text);
        }
        sqlite3_str_appendf(type, "%s%s%lld", count > 0 ? "," : "", is_negative ? "-" : "",
                            (sqlite3_int64)value);
        count++;
        declare_advance(reader);
    } while (count < 2 && declare_is(reader->token, ','));
    if (!declare_is(reader->token, ')')) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: column \"%w\": expected ) after the size of the type, found %s",
                        reader->who, column, declare_show(reader->token).text);
    }
    sqlite3_str_appendchar(type, 1, ')');
    declare_advance(reader);
    return SQLITE_OK;
}

/* The words of a type and its size, one blank between words. *out_is_plain: it needs no quotes. */
static int declare_type(declare_reader *reader, const char *column, sqlite3_str *type,
                        declare_clause_set *clauses, int *out_is_plain)
{
    int words = 0;
    *out_is_plain = 1;
    while (reader->token.kind == DECLARE_WORD &&
           !declare_is_one_of(reader->token, declare_clauses) &&
           !declare_is_one_of(reader->token, declare_unsupported)) {
        sqlite3_str_appendall(type, words > 0 ? " " : "");
        sqlite3_str_append(type, reader->token.text, (int)reader->token.n);
        *out_is_plain &= declare_is_one_of(reader->token, declare_plain_types);
        clauses->is_integer = words == 0 && (declare_is_word(reader->token, "integer") ||
                                             declare_is_word(reader->token, "int"));
        words++;
        declare_advance(reader);
    }
    if (words == 0 || !declare_is(reader->token, '(')) {
        return SQLITE_OK;
    }
    clauses->is_integer = 0;
    return declare_type_size(reader, column, type);
}

static int declare_wants_key(declare_reader *reader, const char *column, const char *before)
{
    declare_advance(reader);
    if (!declare_is_word(reader->token, "key")) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: column \"%w\": expected KEY after %s, found %s", reader->who, column,
                        before, declare_show(reader->token).text);
    }
    declare_advance(reader);
    return SQLITE_OK;
}

/* One clause behind the type. */
static int declare_clause(declare_reader *reader, const char *column, declare_clause_set *clauses)
{
    if (declare_is_word(reader->token, "primary") && !clauses->is_primary) {
        clauses->is_primary = 1;
        return declare_wants_key(reader, column, "PRIMARY");
    }
    if (declare_is_word(reader->token, "partition") && !clauses->is_partition) {
        clauses->is_partition = 1;
        return declare_wants_key(reader, column, "PARTITION");
    }
    if (declare_is_word(reader->token, "collate") && clauses->collation == NULL) {
        declare_advance(reader);
        return declare_name(reader, "the name of a collation after COLLATE", &clauses->collation);
    }
    if (declare_is_one_of(reader->token, declare_unsupported)) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: column \"%w\": constraints are not supported, found %s; a column "
                        "takes a type, COLLATE, PRIMARY KEY and PARTITION KEY",
                        reader->who, column, declare_show(reader->token).text);
    }
    return vs_error(reader->err, SQLITE_ERROR,
                    "%s: column \"%w\": expected a type, COLLATE, PRIMARY KEY or PARTITION KEY, "
                    "each once, found %s",
                    reader->who, column, declare_show(reader->token).text);
}

/* What the clauses make of the column. */
static int declare_set_kind(declare_reader *reader, vs_column_spec *column, int is_auxiliary,
                            const declare_clause_set *clauses)
{
    vs_declaration *out = reader->out;
    if (is_auxiliary + clauses->is_primary + clauses->is_partition > 1) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: column \"%w\" is one of auxiliary (+), PRIMARY KEY and PARTITION KEY, "
                        "not two of them",
                        reader->who, column->name);
    }
    if (clauses->is_primary && out->key >= 0) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: a table has one PRIMARY KEY of one column, found \"%w\" and \"%w\"",
                        reader->who, out->columns[out->key].name, column->name);
    }
    if (clauses->is_primary) {
        column->kind = clauses->is_integer ? VS_COLUMN_ROWID : VS_COLUMN_KEY;
        out->key = (int)(column - out->columns);
    } else if (clauses->is_partition) {
        column->kind = VS_COLUMN_PARTITION;
        out->partition_count++;
    } else {
        column->kind = is_auxiliary ? VS_COLUMN_AUXILIARY : VS_COLUMN_METADATA;
    }
    return SQLITE_OK;
}

/* Type and collation as SQL. type: NULL for none. */
static char *declare_type_sql(const char *type, int is_plain, const char *collation)
{
    const char *quote = is_plain ? "" : "\"";
    if (collation == NULL) {
        return sqlite3_mprintf("%s%s%s", quote, type == NULL ? "" : type, quote);
    }
    return sqlite3_mprintf("%s%s%s%sCOLLATE \"%w\"", quote, type == NULL ? "" : type, quote,
                           type == NULL ? "" : " ", collation);
}

static int declare_ordinary(declare_reader *reader, vs_column_spec *column, int is_auxiliary)
{
    declare_clause_set clauses = {0, 0, 0, NULL};
    int is_plain = 1;
    sqlite3_str *text = sqlite3_str_new(NULL);
    int rc = declare_type(reader, column->name, text, &clauses, &is_plain);
    while (rc == SQLITE_OK && reader->token.kind != DECLARE_END) {
        rc = declare_clause(reader, column->name, &clauses);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_str_errcode(text);
    }
    char *type = sqlite3_str_finish(text); /* NULL when empty */
    if (rc == SQLITE_OK) {
        rc = declare_set_kind(reader, column, is_auxiliary, &clauses);
    }
    if (rc == SQLITE_OK) {
        column->type_sql = declare_type_sql(type, is_plain, clauses.collation);
        rc = column->type_sql == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    sqlite3_free(type);
    sqlite3_free(clauses.collation);
    return rc;
}

/* ---- columns --------------------------------------------------------------------------------- */

static const char *const declare_reserved[] = {"rowid", "distance", "k",       "query", "options",
                                               "arg",   "rank",     "_device", NULL};

static int declare_check_name(declare_reader *reader, const vs_column_spec *column)
{
    for (int i = 0; declare_reserved[i] != NULL; i++) {
        if (sqlite3_stricmp(column->name, declare_reserved[i]) == 0) {
            return vs_error(reader->err, SQLITE_ERROR,
                            "%s: a column cannot be named \"%w\": the names rowid, distance, k, "
                            "query, options, arg, rank and _device are reserved",
                            reader->who, column->name);
        }
    }
    for (const vs_column_spec *other = reader->out->columns; other < column; other++) {
        if (sqlite3_stricmp(column->name, other->name) == 0) {
            return vs_error(reader->err, SQLITE_ERROR, "%s: two columns are named \"%w\"",
                            reader->who, column->name);
        }
    }
    return SQLITE_OK;
}

static int declare_column(declare_reader *reader)
{
    vs_declaration *out = reader->out;
    int is_auxiliary = declare_is(reader->token, '+');
    if (out->column_count == VS_COLUMNS_MAX) {
        return vs_error(reader->err, SQLITE_ERROR, "%s: a table has at most %d columns",
                        reader->who, VS_COLUMNS_MAX);
    }
    if (is_auxiliary) {
        declare_advance(reader);
    }
    vs_column_spec *column = &out->columns[out->column_count];
    column->vector = -1;
    int rc = declare_name(reader, "a column name", &column->name);
    if (rc != SQLITE_OK) {
        return rc;
    }
    out->column_count++;
    rc = declare_check_name(reader, column);
    if (rc != SQLITE_OK) {
        return rc;
    }
    int is_vector =
        reader->token.kind == DECLARE_WORD && declare_is_bracket(declare_after(reader->token));
    if (is_vector && is_auxiliary) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: column \"%w\": a vector column cannot be auxiliary (+)", reader->who,
                        column->name);
    }
    return is_vector ? declare_vector(reader, column)
                     : declare_ordinary(reader, column, is_auxiliary);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int declare_finish(declare_reader *reader)
{
    vs_declaration *out = reader->out;
    if (out->vector_count == 0) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: expected at least one vector column, such as embedding float[384]",
                        reader->who);
    }
    if (out->content == NULL && out->content_rowid != NULL) {
        return vs_error(reader->err, SQLITE_ERROR,
                        "%s: content_rowid= needs content=", reader->who);
    }
    if (out->content != NULL && out->content_rowid == NULL) {
        out->content_rowid = sqlite3_mprintf("rowid");
        return out->content_rowid == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    return SQLITE_OK;
}

int vs_declare_parse(const char *who, int argc, const char *const *argv, vs_declaration *out,
                     vs_err *err)
{
    declare_reader reader;
    int rc = SQLITE_OK;
    memset(out, 0, sizeof *out);
    memset(&reader, 0, sizeof reader);
    out->key = -1;
    reader.who = who;
    reader.out = out;
    reader.err = err;
    for (int i = 0; i < argc && rc == SQLITE_OK; i++) {
        reader.token = declare_token_at(argv[i]);
        int is_option =
            reader.token.kind == DECLARE_WORD && declare_is(declare_after(reader.token), '=');
        rc = is_option ? declare_option(&reader) : declare_column(&reader);
    }
    if (rc == SQLITE_OK) {
        rc = declare_finish(&reader);
    }
    if (rc != SQLITE_OK) {
        vs_declare_free(out);
    }
    return rc;
}

void vs_declare_free(vs_declaration *declaration)
{
    for (int i = 0; i < VS_COLUMNS_MAX; i++) {
        sqlite3_free(declaration->columns[i].name);
        sqlite3_free(declaration->columns[i].type_sql);
    }
    sqlite3_free(declaration->content);
    sqlite3_free(declaration->content_rowid);
    memset(declaration, 0, sizeof *declaration);
    declaration->key = -1;
}

static const char *const declare_hidden[VS_HIDDEN_COUNT] = {
    "query", "k", "options", "distance", NULL /* the table */, "arg", "_device"};

int vs_declare_check_table(const char *who, const vs_declaration *declaration, const char *table,
                           vs_err *err)
{
    for (int i = 0; i < VS_HIDDEN_COUNT; i++) {
        if (declare_hidden[i] != NULL && sqlite3_stricmp(table, declare_hidden[i]) == 0) {
            return vs_error(err, SQLITE_ERROR,
                            "%s: the table cannot be named \"%w\": its command column would have "
                            "the name of a hidden column",
                            who, table);
        }
    }
    for (int i = 0; i < declaration->column_count; i++) {
        if (sqlite3_stricmp(table, declaration->columns[i].name) == 0) {
            return vs_error(err, SQLITE_ERROR,
                            "%s: the table and a column cannot both be named \"%w\": the command "
                            "column has the name of the table",
                            who, table);
        }
    }
    return SQLITE_OK;
}

char *vs_declare_schema(const vs_declaration *declaration, const char *table)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(sql, "CREATE TABLE x(");
    for (int i = 0; i < declaration->column_count; i++) {
        const vs_column_spec *column = &declaration->columns[i];
        const char *type = column->type_sql == NULL ? "" : column->type_sql;
        sqlite3_str_appendf(sql, "\"%w\"%s%s, ", column->name, *type == '\0' ? "" : " ", type);
    }
    for (int i = 0; i < VS_HIDDEN_COUNT; i++) {
        sqlite3_str_appendf(sql, "%s\"%w\" HIDDEN", i > 0 ? ", " : "",
                            declare_hidden[i] == NULL ? table : declare_hidden[i]);
    }
    sqlite3_str_appendall(sql, ")");
    return sqlite3_str_finish(sql);
}

/* ---- as text --------------------------------------------------------------------------------- */

/* A type as it was typed: the quotes that it has in SQL, around words and numbers, are left out. */
static void declare_append_type(sqlite3_str *text, const char *type_sql)
{
    if (*type_sql == '\0') {
        return;
    }
    sqlite3_str_appendchar(text, 1, ' ');
    if (*type_sql == '"') {
        size_t n = strcspn(++type_sql, "\"");
        sqlite3_str_append(text, type_sql, (int)n);
        type_sql += n + 1;
    }
    sqlite3_str_appendall(text, type_sql);
}

static void declare_append_column(sqlite3_str *text, const vs_declaration *declaration,
                                  const vs_column_spec *column)
{
    sqlite3_str_appendf(text, "%s\"%w\"", column->kind == VS_COLUMN_AUXILIARY ? "+" : "",
                        column->name);
    if (column->kind == VS_COLUMN_VECTOR) {
        const vs_vector_spec *spec = &declaration->vectors[column->vector];
        sqlite3_str_appendf(text, " %s[%d] distance_metric=%s%s", vsk_type_name(spec->type),
                            (int)spec->dim, vs_metric_name(spec->metric),
                            spec->is_half                ? " store=half"
                            : spec->stored == spec->type ? ""
                                                         : " store=f16");
        return;
    }
    declare_append_type(text, column->type_sql);
    if (column->kind == VS_COLUMN_PARTITION) {
        sqlite3_str_appendall(text, " PARTITION KEY");
    } else if (column->kind == VS_COLUMN_KEY || column->kind == VS_COLUMN_ROWID) {
        sqlite3_str_appendall(text, " PRIMARY KEY");
    }
}

char *vs_declare_text(const vs_declaration *declaration)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    for (int i = 0; i < declaration->column_count; i++) {
        sqlite3_str_appendall(text, i > 0 ? "\n" : "");
        declare_append_column(text, declaration, &declaration->columns[i]);
    }
    if (declaration->content != NULL) {
        sqlite3_str_appendf(text, "\ncontent=\"%w\"\ncontent_rowid=\"%w\"", declaration->content,
                            declaration->content_rowid);
    }
    return sqlite3_str_finish(text);
}

/* The end of the line at `at`. A line feed within "" belongs to a name. */
static char *declare_line_end(char *at)
{
    for (int is_quoted = 0; *at != '\0' && (is_quoted || *at != '\n'); at++) {
        is_quoted ^= *at == '"';
    }
    return at;
}

int vs_declare_from_text(const char *who, const char *text, vs_declaration *out, vs_err *err)
{
    const char *lines[VS_COLUMNS_MAX + DECLARE_OPTIONS_MAX];
    int count = 0, has_more = 1;
    vs_err found = VS_ERR_INIT;
    memset(out, 0, sizeof *out);
    out->key = -1;
    char *copy = sqlite3_mprintf("%s", text);
    if (copy == NULL) {
        return SQLITE_NOMEM;
    }
    for (char *at = copy; has_more && count < (int)(sizeof lines / sizeof lines[0]);) {
        lines[count++] = at;
        at = declare_line_end(at);
        has_more = *at == '\n';
        *at++ = '\0'; /* the loop ends before what lies behind the last one is read */
    }
    int rc = has_more ? vs_error(&found, SQLITE_ERROR, "%s: too many lines", who)
                      : vs_declare_parse(who, count, lines, out, &found);
    if (rc == SQLITE_ERROR) {
        rc = vs_error(err, SQLITE_CORRUPT_VTAB, "%s (in the declaration that the table keeps)",
                      found.message == NULL ? who : found.message);
    }
    vs_error_clear(&found);
    sqlite3_free(copy);
    return rc;
}

const char *vs_declare_collation(const vs_column_spec *column)
{
    const char *at = column->type_sql;
    while (*at != '\0' && sqlite3_strnicmp(at, "COLLATE", 7) != 0) {
        at++;
    }
    return at;
}

/* Does a name of n bytes contain the word? */
static int declare_contains(const char *name, size_t n, const char *word)
{
    size_t length = strlen(word);
    for (size_t i = 0; i + length <= n; i++) {
        if (sqlite3_strnicmp(name + i, word, (int)length) == 0) {
            return 1;
        }
    }
    return 0;
}

vs_affinity vs_declare_affinity(const vs_column_spec *column)
{
    const char *type = column->type_sql;
    size_t n = (size_t)(vs_declare_collation(column) - type); /* it is no part of the name */
    if (declare_contains(type, n, "INT")) {
        return VS_AFFINITY_NUMBER;
    }
    if (declare_contains(type, n, "CHAR") || declare_contains(type, n, "CLOB") ||
        declare_contains(type, n, "TEXT")) {
        return VS_AFFINITY_TEXT;
    }
    return n == 0 || declare_contains(type, n, "BLOB") ? VS_AFFINITY_NONE : VS_AFFINITY_NUMBER;
}

int vs_declare_is_real(const vs_column_spec *column)
{
    const char *type = column->type_sql;
    size_t n = (size_t)(vs_declare_collation(column) - type);
    return vs_declare_affinity(column) == VS_AFFINITY_NUMBER && !declare_contains(type, n, "INT") &&
           (declare_contains(type, n, "REAL") || declare_contains(type, n, "FLOA") ||
            declare_contains(type, n, "DOUB"));
}

int vs_declare_is_coded(const vs_vector_spec *vector)
{
    int is_float = vector->type == VSK_F32 || vector->type == VSK_F16 || vector->type == VSK_BF16;
    return is_float && vector->dim >= VS_DECLARE_CODED_DIM_MIN &&
           (vector->metric == VS_L2 || vector->metric == VS_L2SQ || vector->metric == VS_COSINE ||
            vector->metric == VS_DOT);
}
