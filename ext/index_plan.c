/*
 * index_plan.c - how a statement reads a vecshard table.
 *
 * A search needs a query: `column MATCH ?`, or the hidden column query. Every condition on other
 * columns that SQLite hands over is evaluated before the k nearest are chosen, with one exception:
 * rowid = x beside k, which usually comes from a join that asks which rows are among the k. A
 * condition that is not taken stays with SQLite, which checks the rows it gets; without k they come
 * as a stream, so nothing is missing.
 *
 * Calls: args.c, nearest.c (cost).
 * Called by: vtab_index.c.
 * Threads: the connection's.
 */
#include "index_plan.h"

#include <stdlib.h>

#include "args.h"
#include "distance.h"
#include "nearest.h"

#define PLAN_ROWS 100000.0 /* of a table: counting is not for planning */
#define PLAN_STREAM_ROWS 64.0
#define PLAN_SCAN_US 0.5 /* per row */

static const struct {
    char code;
    unsigned char op;
    const char *words;
} index_plan_ops[] = {
    {'=', SQLITE_INDEX_CONSTRAINT_EQ, "="},
    {'<', SQLITE_INDEX_CONSTRAINT_LT, "<"},
    {'l', SQLITE_INDEX_CONSTRAINT_LE, "<="},
    {'>', SQLITE_INDEX_CONSTRAINT_GT, ">"},
    {'g', SQLITE_INDEX_CONSTRAINT_GE, ">="},
    {'n', SQLITE_INDEX_CONSTRAINT_NE, "<>"},
    {'s', SQLITE_INDEX_CONSTRAINT_IS, "IS"},
    {'t', SQLITE_INDEX_CONSTRAINT_ISNOT, "IS NOT"},
    {'u', SQLITE_INDEX_CONSTRAINT_ISNULL, "IS NULL"},
    {'v', SQLITE_INDEX_CONSTRAINT_ISNOTNULL, "IS NOT NULL"},
    {'K', SQLITE_INDEX_CONSTRAINT_LIKE, "LIKE"},
    {'G', SQLITE_INDEX_CONSTRAINT_GLOB, "GLOB"},
};
#define INDEX_PLAN_OPS ((int)(sizeof index_plan_ops / sizeof index_plan_ops[0]))

/* Number of an operator in the table above, or -1. */
static int index_plan_op(unsigned char op)
{
    for (int i = 0; i < INDEX_PLAN_OPS; i++) {
        if (index_plan_ops[i].op == op) {
            return i;
        }
    }
    return -1;
}

static char index_plan_collation(const char *name)
{
    return sqlite3_stricmp(name, "BINARY") == 0   ? 'b'
           : sqlite3_stricmp(name, "NOCASE") == 0 ? 'n'
           : sqlite3_stricmp(name, "RTRIM") == 0  ? 'r'
                                                  : '\0';
}

/* What is found among the constraints: numbers, -1 for none. */
typedef struct index_plan {
    vs_store *store;
    sqlite3_index_info *info;
    int query, vector;
    int k, options;
    int argc;
    int is_point; /* rowid = or key = */
    double share; /* of the rows that conditions leave, a guess */
    sqlite3_str *words, *codes;
} index_plan;

static int index_plan_hidden(const index_plan *plan, int which)
{
    return plan->store->declaration.column_count + which;
}

static void index_plan_claim(index_plan *plan, int constraint, int omit, const char *format, ...)
{
    va_list args;
    plan->info->aConstraintUsage[constraint].argvIndex = ++plan->argc;
    plan->info->aConstraintUsage[constraint].omit = (unsigned char)(omit && constraint < 16);
    sqlite3_str_appendall(plan->codes, plan->argc == 1 ? "" : " ");
    va_start(args, format);
    sqlite3_str_vappendf(plan->codes, format, args);
    va_end(args);
}

/* The query, and the arguments that only a search has. */
static int index_plan_find_query(index_plan *plan, vs_err *err)
{
    const vs_declaration *declaration = &plan->store->declaration;
    plan->query = plan->k = plan->options = -1;
    for (int i = 0; i < plan->info->nConstraint; i++) {
        int column = plan->info->aConstraint[i].iColumn;
        unsigned char op = plan->info->aConstraint[i].op;
        int is_equal = op == SQLITE_INDEX_CONSTRAINT_EQ;
        int is_match = op == SQLITE_INDEX_CONSTRAINT_MATCH && column >= 0 &&
                       column < declaration->column_count &&
                       declaration->columns[column].kind == VS_COLUMN_VECTOR;
        int is_query = is_equal && column == index_plan_hidden(plan, VS_HIDDEN_QUERY);
        if (is_match || is_query) {
            if (!plan->info->aConstraint[i].usable) {
                return SQLITE_CONSTRAINT;
            }
            if (plan->query >= 0) {
                return vs_error(err, SQLITE_ERROR,
                                "%s: a search has one query; join two searches of the table",
                                plan->store->label);
            }
            plan->query = i;
            plan->vector = is_match ? declaration->columns[column].vector : 0;
        } else if (op == SQLITE_INDEX_CONSTRAINT_MATCH && column >= 0) {
            return vs_error(err, SQLITE_ERROR, "%s: MATCH needs a vector column",
                            plan->store->label);
        }
    }
    for (int i = 0; plan->query >= 0 && i < plan->info->nConstraint; i++) {
        int column = plan->info->aConstraint[i].iColumn;
        int is_k = column == index_plan_hidden(plan, VS_HIDDEN_K);
        int is_options = column == index_plan_hidden(plan, VS_HIDDEN_OPTIONS);
        if ((is_k || is_options) && plan->info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ) {
            if (!plan->info->aConstraint[i].usable) {
                return SQLITE_CONSTRAINT;
            }
            *(is_k ? &plan->k : &plan->options) = i;
        }
    }
    return SQLITE_OK;
}

static const char *index_plan_column_name(const index_plan *plan, int column)
{
    return column < 0 ? "rowid" : plan->store->declaration.columns[column].name;
}

/* Takes a condition on a stored column, where SQLite over the row table would say the same. */
static void index_plan_take_condition(index_plan *plan, int constraint, int *conditions)
{
    const struct sqlite3_index_constraint *item = &plan->info->aConstraint[constraint];
    const vs_declaration *declaration = &plan->store->declaration;
    int column = item->iColumn;
    int op = index_plan_op(item->op);
    sqlite3_value *literal = NULL;
    if (!item->usable || op < 0 || column >= declaration->column_count ||
        *conditions == VS_CONDITIONS_MAX ||
        (column >= 0 && declaration->columns[column].kind == VS_COLUMN_VECTOR)) {
        return;
    }
    int is_rowid = column < 0 || declaration->columns[column].kind == VS_COLUMN_ROWID;
    char collation = index_plan_collation(sqlite3_vtab_collation(plan->info, constraint));
    int is_equal = item->op == SQLITE_INDEX_CONSTRAINT_EQ;
    int is_in = is_equal && sqlite3_vtab_in(plan->info, constraint, -1);
    if (collation == '\0' ||
        (is_rowid && is_equal && !is_in && plan->k >= 0 &&
         sqlite3_vtab_rhs_value(plan->info, constraint, &literal) != SQLITE_OK)) {
        return;
    }
    if (is_in) {
        (void)sqlite3_vtab_in(plan->info, constraint, 1);
    }
    sqlite3_str_appendf(plan->words, "%s%s %s", *conditions == 0 ? ", where " : " and ",
                        index_plan_column_name(plan, column),
                        is_in ? "IN" : index_plan_ops[op].words);
    index_plan_claim(plan, constraint, 0, "c%d%c%c%s", is_rowid ? VS_CONDITION_ROWID : column,
                     index_plan_ops[op].code, collation, is_in ? "i" : "");
    *conditions += 1;
    int is_key = is_rowid || (column >= 0 && declaration->columns[column].kind == VS_COLUMN_KEY);
    plan->is_point |= is_key && is_equal && !is_in;
    plan->share *= is_key && is_equal ? 1e-5 : is_equal ? 0.1 : 0.5;
}

static void index_plan_take_distance(index_plan *plan, int constraint)
{
    const struct sqlite3_index_constraint *item = &plan->info->aConstraint[constraint];
    int op = index_plan_op(item->op);
    if (item->usable && op >= 0 && item->iColumn == index_plan_hidden(plan, VS_HIDDEN_DISTANCE) &&
        (item->op == SQLITE_INDEX_CONSTRAINT_EQ || item->op == SQLITE_INDEX_CONSTRAINT_LT ||
         item->op == SQLITE_INDEX_CONSTRAINT_LE || item->op == SQLITE_INDEX_CONSTRAINT_GT ||
         item->op == SQLITE_INDEX_CONSTRAINT_GE)) {
        sqlite3_str_appendf(plan->words, ", distance %s", index_plan_ops[op].words);
        index_plan_claim(plan, constraint, 0, "d%c", index_plan_ops[op].code);
        plan->share *= 0.5;
    }
}

static void index_plan_search(index_plan *plan)
{
    sqlite3_index_info *info = plan->info;
    const vs_vector_spec *spec = &plan->store->declaration.vectors[plan->vector];
    int conditions = 0;
    double k = plan->k < 0 ? PLAN_STREAM_ROWS : (double)vs_args_literal_k(info, plan->k, 10);
    sqlite3_str_appendf(plan->words, "%s.%s exact %s via %s", plan->store->label,
                        plan->store->declaration.columns[spec->column].name,
                        vs_metric_name(spec->metric),
                        vs_declare_is_coded(spec) ? "codes" : "vectors");
    index_plan_claim(plan, plan->query, 1, "m%d", plan->vector);
    if (plan->k >= 0) {
        index_plan_claim(plan, plan->k, 1, "k");
    }
    if (plan->options >= 0) {
        index_plan_claim(plan, plan->options, 1, "o");
    }
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_LIMIT ||
            info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_OFFSET) {
            if (info->aConstraint[i].usable && plan->k < 0) {
                index_plan_claim(plan, i, 0, "%c",
                                 info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_LIMIT ? 'L'
                                                                                          : 'O');
            }
        } else if (i != plan->query && i != plan->k && i != plan->options) {
            index_plan_take_distance(plan, i);
            index_plan_take_condition(plan, i, &conditions);
        }
    }
    sqlite3_str_appendall(plan->words, plan->k < 0 ? ", stream" : ", k");
    info->idxNum = VS_INDEX_SEARCH;
    double rows = PLAN_ROWS * plan->share;
    info->estimatedRows = (sqlite3_int64)(k < rows ? k : rows < 1.0 ? 1.0 : rows);
    info->estimatedCost = 100.0 + vs_nearest_cost(spec, PLAN_ROWS, k);
    info->orderByConsumed =
        info->nOrderBy == 1 && !info->aOrderBy[0].desc &&
        info->aOrderBy[0].iColumn == index_plan_hidden(plan, VS_HIDDEN_DISTANCE);
}

static void index_plan_scan(index_plan *plan)
{
    sqlite3_index_info *info = plan->info;
    int conditions = 0;
    sqlite3_str_appendf(plan->words, "%s rows", plan->store->label);
    for (int i = 0; i < info->nConstraint; i++) {
        index_plan_take_condition(plan, i, &conditions);
    }
    info->idxNum = VS_INDEX_SCAN;
    if (info->nOrderBy == 1 &&
        (info->aOrderBy[0].iColumn < 0 ||
         (info->aOrderBy[0].iColumn < plan->store->declaration.column_count &&
          plan->store->declaration.columns[info->aOrderBy[0].iColumn].kind == VS_COLUMN_ROWID))) {
        info->orderByConsumed = 1;
        info->idxNum = info->aOrderBy[0].desc ? VS_INDEX_SCAN_DOWN : VS_INDEX_SCAN;
    }
    double rows = PLAN_ROWS * plan->share;
    info->estimatedRows = plan->is_point || rows < 1.0 ? 1 : (sqlite3_int64)rows;
    info->estimatedCost = plan->is_point ? 5.0 : 10.0 + PLAN_SCAN_US * (rows < 10.0 ? 10.0 : rows);
    if (plan->is_point) {
        info->idxFlags |= SQLITE_INDEX_SCAN_UNIQUE;
    }
}

int vs_index_plan_best(vs_store *store, sqlite3_index_info *info, vs_err *err)
{
    index_plan plan;
    memset(&plan, 0, sizeof plan);
    plan.store = store;
    plan.info = info;
    plan.share = 1.0;
    int rc = index_plan_find_query(&plan, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    plan.words = sqlite3_str_new(store->db);
    plan.codes = sqlite3_str_new(store->db);
    if (plan.query >= 0) {
        index_plan_search(&plan);
    } else {
        index_plan_scan(&plan);
    }
    char *codes = sqlite3_str_finish(plan.codes);
    sqlite3_str_appendf(plan.words, " {%s}", codes == NULL ? "" : codes);
    sqlite3_free(codes);
    info->idxStr = sqlite3_str_finish(plan.words);
    info->needToFreeIdxStr = 1;
    if (info->idxStr == NULL || (codes == NULL && plan.argc > 0)) {
        return SQLITE_NOMEM;
    }
    if (plan.query >= 16 || plan.k >= 16 || plan.options >= 16) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: the query, k and options must be among the first 16 conditions",
                        store->label);
    }
    return SQLITE_OK;
}

/* ---- reading back ---------------------------------------------------------------------------- */

/* An operator's code; 0: none. */
static int index_plan_read_op(char code)
{
    for (int i = 0; i < INDEX_PLAN_OPS; i++) {
        if (index_plan_ops[i].code == code) {
            return index_plan_ops[i].op;
        }
    }
    return 0;
}

static const char *index_plan_read_arg(const char *at, vs_index_arg *out)
{
    char *end = NULL;
    memset(out, 0, sizeof *out);
    out->what = *at++;
    if (out->what == 'm' || out->what == 'c') {
        out->number = (int)strtol(at, &end, 10);
        at = end;
    }
    if (out->what == 'd' || out->what == 'c') {
        out->op = *at == '\0' ? 0 : index_plan_read_op(*at++);
        if (out->op == 0) {
            return NULL;
        }
    }
    if (out->what == 'c') {
        const char *name = *at == 'b'   ? "BINARY"
                           : *at == 'n' ? "NOCASE"
                           : *at == 'r' ? "RTRIM"
                                        : NULL;
        if (name == NULL) {
            return NULL;
        }
        sqlite3_snprintf((int)sizeof out->collation, out->collation, "%s", name);
        at++;
        if (*at == 'i') {
            out->is_in = 1;
            at++;
        }
    }
    return at;
}

int vs_index_plan_parse(const char *words, vs_index_arg out[VS_INDEX_ARGS_MAX], int *out_count)
{
    const char *at = words == NULL ? NULL : strrchr(words, '{');
    *out_count = 0;
    if (at == NULL) {
        return SQLITE_INTERNAL;
    }
    at++;
    while (*at != '}') {
        if (*at == '\0' || *out_count == VS_INDEX_ARGS_MAX) {
            return SQLITE_INTERNAL;
        }
        at = index_plan_read_arg(at, &out[(*out_count)++]);
        if (at == NULL) {
            return SQLITE_INTERNAL;
        }
        at += *at == ' ';
    }
    return SQLITE_OK;
}
