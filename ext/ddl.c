/*
 * ddl.c - reads what PRAGMAs do not tell from the schema's own text.
 *
 * A small tokenizer for SQL (names bare and quoted, strings, numbers, comments, punctuation) and
 * four questions asked over its tokens. It does not parse expressions: it finds where they begin
 * and end by counting parentheses.
 *
 * Calls: nothing.
 * Called by: target.c.
 * Threads: any.
 */
#include "ddl.h"

typedef enum ddl_kind { DDL_END, DDL_NAME, DDL_STRING, DDL_OTHER } ddl_kind;

typedef struct ddl_token {
    ddl_kind kind;
    const char *text; /* with its quotes */
    size_t n;
} ddl_token;

static int ddl_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int ddl_is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* Skips white space and comments; an unterminated comment runs to the end, as in SQLite. */
static const char *ddl_skip(const char *at, const char *end)
{
    while (at < end) {
        if (ddl_is_space(*at)) {
            at++;
        } else if (end - at >= 2 && at[0] == '-' && at[1] == '-') {
            while (at < end && *at != '\n') {
                at++;
            }
        } else if (end - at >= 2 && at[0] == '/' && at[1] == '*') {
            at += 2;
            while (at < end && !(end - at >= 2 && at[0] == '*' && at[1] == '/')) {
                at++;
            }
            at = end - at >= 2 ? at + 2 : end;
        } else {
            break;
        }
    }
    return at;
}

/* The next token at or after *at, which moves behind it. */
static ddl_token ddl_next(const char **at, const char *end)
{
    ddl_token token = {DDL_END, NULL, 0};
    const char *p = ddl_skip(*at, end);
    token.text = p;
    if (p < end) {
        char c = *p++;
        if (c == '\'' || c == '"' || c == '`' || c == '[') {
            char close = c == '[' ? ']' : c;
            token.kind = c == '\'' ? DDL_STRING : DDL_NAME;
            while (p < end) {
                if (*p++ == close) {
                    if (close == ']' || p >= end || *p != close) {
                        break;
                    }
                    p++; /* a doubled quote stands for itself */
                }
            }
        } else if (ddl_is_word(c)) {
            token.kind = c >= '0' && c <= '9' ? DDL_OTHER : DDL_NAME;
            while (p < end && ddl_is_word(*p)) {
                p++;
            }
        } else {
            token.kind = DDL_OTHER;
        }
    }
    token.n = (size_t)(p - token.text);
    *at = p;
    return token;
}

static int ddl_is(ddl_token token, char c)
{
    return token.kind == DDL_OTHER && token.n == 1 && *token.text == c;
}

static char ddl_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static int ddl_is_keyword(ddl_token token, const char *word)
{
    if (token.kind != DDL_NAME || token.n != strlen(word)) {
        return 0;
    }
    for (size_t i = 0; i < token.n; i++) {
        if (ddl_lower(token.text[i]) != word[i]) {
            return 0;
        }
    }
    return 1;
}

/* Does the token name `name`, quotes undone, upper and lower case of ASCII alike (SQLite's rule)?
 */
static int ddl_names(ddl_token token, const char *name)
{
    const char *p = token.text;
    const char *end = p + token.n;
    char close = 0;
    if (token.kind != DDL_NAME && token.kind != DDL_STRING) {
        return 0;
    }
    if (token.n >= 2 && !ddl_is_word(*p)) {
        close = *p == '[' ? ']' : *p;
        p++;
        end--;
    }
    for (; p < end; p++, name++) {
        if (ddl_lower(*p) !=
            ddl_lower(*name)) { /* also where name ends early: its NUL matches nothing */
            return 0;
        }
        if (close != 0 && close != ']' && *p == close) {
            p++; /* the second of a doubled quote */
        }
    }
    return *name == 0;
}

/* Reads to the end of the item that begins at *at: to a comma or closing parenthesis at depth 0,
 * which *out_stop receives. */
static vs_ddl_span ddl_item(const char **at, const char *end, ddl_token *out_stop)
{
    vs_ddl_span span = {ddl_skip(*at, end), 0};
    const char *last = span.text;
    int depth = 0;
    for (;;) {
        ddl_token token = ddl_next(at, end);
        if (token.kind == DDL_END || (depth == 0 && (ddl_is(token, ',') || ddl_is(token, ')')))) {
            *out_stop = token;
            span.n = (size_t)(last - span.text);
            return span;
        }
        depth += ddl_is(token, '(') - ddl_is(token, ')');
        last = token.text + token.n;
    }
}

/* Moves *at behind the first opening parenthesis. */
static int ddl_enter_list(const char **at, const char *end)
{
    ddl_token token;
    do {
        token = ddl_next(at, end);
    } while (token.kind != DDL_END && !ddl_is(token, '('));
    return token.kind != DDL_END;
}

int vs_ddl_index_term(const char *create_index, int position, vs_ddl_span *out)
{
    const char *at = create_index;
    const char *end = at + strlen(at);
    ddl_token stop;
    if (!ddl_enter_list(&at, end)) {
        return 0;
    }
    for (int i = 0;; i++) {
        vs_ddl_span item = ddl_item(&at, end, &stop);
        if (i == position && item.n > 0) {
            *out = item;
            return 1;
        }
        if (!ddl_is(stop, ',')) {
            return 0;
        }
    }
}

int vs_ddl_index_where(const char *create_index, vs_ddl_span *out)
{
    const char *at = create_index;
    const char *end = at + strlen(at);
    ddl_token stop;
    if (!ddl_enter_list(&at, end)) {
        return 0;
    }
    do {
        (void)ddl_item(&at, end, &stop);
    } while (ddl_is(stop, ','));
    if (!ddl_is_keyword(ddl_next(&at, end), "where")) {
        return 0;
    }
    out->text = ddl_skip(at, end);
    out->n = (size_t)(end - out->text);
    /* It will stand inside parentheses of a statement of ours, so it must not be able to leave
     * them. */
    for (int depth = 0;;) {
        ddl_token token = ddl_next(&at, end);
        if (token.kind == DDL_END) {
            return depth == 0 && out->n > 0;
        }
        depth += ddl_is(token, '(') - ddl_is(token, ')');
        if (depth < 0 || ddl_is(token, ';')) {
            return 0;
        }
    }
}

int vs_ddl_generated(const char *create_table, const char *column, vs_ddl_span *out)
{
    const char *at = create_table;
    const char *end = at + strlen(at);
    ddl_token stop;
    if (!ddl_enter_list(&at, end)) {
        return 0;
    }
    do {
        vs_ddl_span item = ddl_item(&at, end, &stop);
        const char *p = item.text;
        const char *item_end = item.text + item.n;
        if (!ddl_names(ddl_next(&p, item_end), column)) {
            continue;
        }
        int depth = 0;
        for (;;) {
            ddl_token token = ddl_next(&p, item_end);
            if (token.kind == DDL_END) {
                return 0;
            }
            if (depth == 0 && ddl_is_keyword(token, "as") && ddl_is(ddl_next(&p, item_end), '(')) {
                *out = ddl_item(&p, item_end, &stop);
                return out->n > 0;
            }
            depth += ddl_is(token, '(') - ddl_is(token, ')');
        }
    } while (ddl_is(stop, ','));
    return 0;
}

int vs_ddl_is_norm(vs_ddl_span expression, const char *column, vs_ddl_span *out_constructor)
{
    const char *at = expression.text;
    const char *end = at + expression.n;
    int open = 0;
    out_constructor->text = NULL;
    out_constructor->n = 0;
    ddl_token token = ddl_next(&at, end);
    for (; ddl_is(token, '('); token = ddl_next(&at, end)) {
        open++;
    }
    if (!ddl_names(token, "vec_norm") || !ddl_is(ddl_next(&at, end), '(')) {
        return 0;
    }
    open++;
    token = ddl_next(&at, end);
    const char *behind = at;
    if (ddl_is(ddl_next(&behind, end), '(')) { /* a constructor around the column */
        out_constructor->text = token.text;
        out_constructor->n = token.n;
        open++;
        at = behind;
        token = ddl_next(&at, end);
    }
    if (!ddl_names(token, column)) {
        return 0;
    }
    for (; open > 0; open--) {
        if (!ddl_is(ddl_next(&at, end), ')')) {
            return 0;
        }
    }
    token = ddl_next(&at, end);
    if (ddl_is_keyword(token, "asc") || ddl_is_keyword(token, "desc")) {
        token = ddl_next(&at, end);
    }
    return token.kind == DDL_END;
}

char *vs_ddl_without_comments(vs_ddl_span span)
{
    const char *at = span.text;
    const char *end = at + span.n;
    const char *behind = at; /* end of the token before */
    sqlite3_str *text = sqlite3_str_new(NULL);
    for (;;) {
        ddl_token token = ddl_next(&at, end);
        if (token.kind == DDL_END) {
            return sqlite3_str_finish(text);
        }
        if (token.text !=
            behind) { /* one blank where anything stood between, none inside operators such as -> */
            sqlite3_str_appendchar(text, 1, ' ');
        }
        sqlite3_str_append(text, token.text, (int)token.n);
        behind = at;
    }
}
