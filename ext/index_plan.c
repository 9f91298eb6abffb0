/*
 * index_plan.c - how a statement reads a vecshard table.
 *
 * A search needs a query: `column MATCH ?`, or the hidden column query. Conditions on other columns
 * that SQLite hands over are evaluated before the k nearest are chosen. Those that are not taken
 * stay with SQLite, which checks the rows it gets: without k they come as a stream, so nothing is
 * missing; with k, fewer than k may be left. Not taken beside k are:
 *
 *   rowid = x           unless x is a literal: it usually comes from a join, which asks which rows
 *                       of the other table are among the k nearest
 *   (a, b) IN (...)     SQLite hands it over as equalities, and searches once per value: each search
 *                       would give k rows. It also offers the plan without them, which is made
 *                       cheaper (INDEX_PLAN_EQUAL_FACTOR)
 *
 * A list, or a lower bound of the distance, that follows from a table which the plan under
 * consideration reads later, excludes that plan beside k.
 *
 * Beside a search, SQLite also plans rowid = x OR rowid = y as one pass for each of the two. But when
 * it runs, it does not hand the query to these passes, and the statement fails. Such a plan cannot be
 * told from that of another statement, but for the plan of the search, which was asked for just before
 * with the same columns: until SQLite 3.46 without the query, then with one condition more. What looks
 * like it is said to be dear and to give many rows, so that SQLite takes the search and checks its
 * rows (vs_index_planned).
 *
 * Calls: args.c, nearest.c (cost), gpu_use.c, gpu_index.c.
 * Called by: vtab_index.c.
 * Threads: the connection's.
 */
#include "index_plan.h"

#include <stdlib.h>

#include "args.h"
#include "distance.h"
#include "gpu_index.h"
#include "gpu_use.h"
#include "nearest.h"

/* Costs are in microseconds. */
#define INDEX_PLAN_ROWS 100000.0    /* of a table: counting is not for planning */
#define INDEX_PLAN_STREAM_ROWS 64.0 /* that a statement takes of a stream */
#define INDEX_PLAN_START_US 100.0   /* of a search */
#define INDEX_PLAN_WALK_US 0.05     /* a row that a scan passes over ... */
#define INDEX_PLAN_ROW_US 0.45      /* ... and gives */
#define INDEX_PLAN_EQUAL_FACTOR 1.5 /* beside k, for an equality that may be one of many */
#define INDEX_PLAN_PART_ROWS 1000000000
#define INDEX_PLAN_OMIT_MAX 16      /* SQLite can leave out the check of the first constraints */
#define INDEX_PLAN_IN_MAX 32        /* sqlite3_vtab_in knows the first constraints only */
#define INDEX_PLAN_DISTANCES_MAX 16 /* bounds of the distance that are taken */

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
    int conditions, distances; /* taken so far */
    int equalities;            /* of the conditions: = something that is no literal */
    int is_rowid, is_key;      /* rowid =, key = */
    double share;              /* of the rows that conditions leave, a guess */
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
    plan->info->aConstraintUsage[constraint].omit =
        (unsigned char)(omit && constraint < INDEX_PLAN_OMIT_MAX);
    sqlite3_str_appendall(plan->codes, " ");
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
    for (int i = 0; i < plan->info->nConstraint; i++) {
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

/* The other side, where it is a literal of the statement, or NULL. */
static sqlite3_value *index_plan_literal(const index_plan *plan, int constraint)
{
    sqlite3_value *literal = NULL;
    int rc = sqlite3_vtab_rhs_value(plan->info, constraint, &literal);
    return rc == SQLITE_OK ? literal : NULL;
}

static int index_plan_is_literal(const index_plan *plan, int constraint)
{
    return index_plan_literal(plan, constraint) != NULL;
}

/* May the other side have an affinity that changes the column's values? That of a literal by CAST is
 * its type, which does where the column has none, or text beside a number. */
static int index_plan_may_convert(const index_plan *plan, int constraint, int column)
{
    sqlite3_value *literal = index_plan_literal(plan, constraint);
    int type = literal == NULL ? SQLITE_NULL : sqlite3_value_type(literal);
    vs_affinity affinity = column < 0
                               ? VS_AFFINITY_NUMBER
                               : vs_declare_affinity(&plan->store->declaration.columns[column]);
    return literal == NULL || (type == SQLITE_TEXT && affinity == VS_AFFINITY_NONE) ||
           ((type == SQLITE_INTEGER || type == SQLITE_FLOAT) && affinity != VS_AFFINITY_NUMBER);
}

/* May the equality be one of many that SQLite searches one by one? Of a list beyond the first
 * constraints it does not tell. */
static int index_plan_is_unknown(const index_plan *plan, int constraint)
{
    return constraint >= INDEX_PLAN_IN_MAX && !index_plan_is_literal(plan, constraint);
}

static int index_plan_is_list(const index_plan *plan, int constraint)
{
    return plan->info->aConstraint[constraint].op == SQLITE_INDEX_CONSTRAINT_EQ &&
           constraint < INDEX_PLAN_IN_MAX && sqlite3_vtab_in(plan->info, constraint, -1);
}

/*
 * From `c LIKE 'ab%'` SQLite derives c >= 'AB' and c < 'ac', which are not true for a BLOB whose
 * bytes are like the pattern.
 */
static int index_plan_is_derived(const index_plan *plan, int constraint)
{
    const struct sqlite3_index_constraint *items = plan->info->aConstraint;
    if (items[constraint].op != SQLITE_INDEX_CONSTRAINT_GE &&
        items[constraint].op != SQLITE_INDEX_CONSTRAINT_LT) {
        return 0;
    }
    for (int i = 0; i < plan->info->nConstraint; i++) {
        if (items[i].iColumn == items[constraint].iColumn &&
            (items[i].op == SQLITE_INDEX_CONSTRAINT_LIKE ||
             items[i].op == SQLITE_INDEX_CONSTRAINT_GLOB)) {
            return index_plan_is_literal(plan, constraint);
        }
    }
    return 0;
}

/*
 * Code of the comparison's collation, or '\0' when it is not known. Of <> and IS NOT SQLite does not
 * tell it: it is the column's own beside a literal, else BINARY leaves the most rows.
 */
static char index_plan_collation_of(const index_plan *plan, int constraint)
{
    unsigned char op = plan->info->aConstraint[constraint].op;
    int is_unequal = op == SQLITE_INDEX_CONSTRAINT_NE || op == SQLITE_INDEX_CONSTRAINT_ISNOT;
    if (is_unequal && index_plan_is_literal(plan, constraint)) {
        return 'd';
    }
    return index_plan_collation(sqlite3_vtab_collation(plan->info, constraint));
}

/* Is it a condition that the row table can answer, in some plan? */
static int index_plan_is_condition(const index_plan *plan, int constraint)
{
    const struct sqlite3_index_constraint *item = &plan->info->aConstraint[constraint];
    const vs_declaration *declaration = &plan->store->declaration;
    return index_plan_op(item->op) >= 0 && item->iColumn < declaration->column_count &&
           (item->iColumn < 0 || declaration->columns[item->iColumn].kind != VS_COLUMN_VECTOR);
}

/* Takes a condition on a stored column, where SQLite over the row table would say the same. */
static void index_plan_take_condition(index_plan *plan, int constraint)
{
    const struct sqlite3_index_constraint *item = &plan->info->aConstraint[constraint];
    const vs_column_spec *columns = plan->store->declaration.columns;
    int column = item->iColumn;
    if (!item->usable || !index_plan_is_condition(plan, constraint) ||
        plan->conditions == VS_CONDITIONS_MAX) {
        return;
    }
    int op = index_plan_op(item->op);
    int is_rowid = column < 0 || columns[column].kind == VS_COLUMN_ROWID;
    int is_equal = item->op == SQLITE_INDEX_CONSTRAINT_EQ;
    int is_list = index_plan_is_list(plan, constraint);
    int is_one = is_equal && !is_list;
    int is_literal = is_one && index_plan_is_literal(plan, constraint);
    char collation = index_plan_collation_of(plan, constraint);
    if (collation == '\0' || (plan->k >= 0 && is_one && !is_literal &&
                              (is_rowid || index_plan_is_unknown(plan, constraint)))) {
        return;
    }
    if (is_list) {
        (void)sqlite3_vtab_in(plan->info, constraint, 1);
    }
    sqlite3_str_appendf(plan->words, "%s%s %s", plan->conditions == 0 ? ", where " : " and ",
                        index_plan_column_name(plan, column),
                        is_list ? "IN" : index_plan_ops[op].words);
    index_plan_claim(
        plan, constraint, 0, "c%d%c%c%s%s%s", is_rowid ? VS_CONDITION_ROWID : column,
        index_plan_ops[op].code, collation, is_list ? "i" : "",
        !is_rowid && index_plan_is_derived(plan, constraint) ? "B" : "",
        plan->k < 0 && index_plan_may_convert(plan, constraint, is_rowid ? -1 : column) ? "A" : "");
    int is_key = is_rowid || columns[column].kind == VS_COLUMN_KEY;
    plan->conditions++;
    plan->equalities += is_one && !is_literal;
    plan->is_rowid |= is_rowid && is_one;
    plan->is_key |= is_key && is_one;
    plan->share *= is_key && is_equal ? 1e-5 : is_equal ? 0.1 : 0.5;
}

static int index_plan_is_distance(const index_plan *plan, int constraint)
{
    unsigned char op = plan->info->aConstraint[constraint].op;
    return plan->info->aConstraint[constraint].iColumn ==
               index_plan_hidden(plan, VS_HIDDEN_DISTANCE) &&
           (op == SQLITE_INDEX_CONSTRAINT_EQ || op == SQLITE_INDEX_CONSTRAINT_LT ||
            op == SQLITE_INDEX_CONSTRAINT_LE || op == SQLITE_INDEX_CONSTRAINT_GT ||
            op == SQLITE_INDEX_CONSTRAINT_GE);
}

static void index_plan_take_distance(index_plan *plan, int constraint)
{
    const struct sqlite3_index_constraint *item = &plan->info->aConstraint[constraint];
    if (!item->usable || plan->distances == INDEX_PLAN_DISTANCES_MAX ||
        !index_plan_is_distance(plan, constraint) ||
        (item->op == SQLITE_INDEX_CONSTRAINT_EQ && plan->k >= 0 &&
         (constraint >= INDEX_PLAN_IN_MAX || index_plan_is_list(plan, constraint)))) {
        return;
    }
    int op = index_plan_op(item->op);
    sqlite3_str_appendf(plan->words, ", distance %s", index_plan_ops[op].words);
    index_plan_claim(plan, constraint, 0, "d%c", index_plan_ops[op].code);
    plan->distances++;
    plan->equalities +=
        item->op == SQLITE_INDEX_CONSTRAINT_EQ && !index_plan_is_literal(plan, constraint);
    plan->share *= 0.5;
}

/* Is there a list, or a lower bound, that must come before the k nearest are chosen, and does not
 * in the plan under consideration? */
static int index_plan_is_too_early(const index_plan *plan)
{
    for (int i = 0; plan->k >= 0 && i < plan->info->nConstraint; i++) {
        unsigned char op = plan->info->aConstraint[i].op;
        int is_lower = op == SQLITE_INDEX_CONSTRAINT_GT || op == SQLITE_INDEX_CONSTRAINT_GE;
        if (!plan->info->aConstraint[i].usable &&
            ((index_plan_is_condition(plan, i) && index_plan_is_list(plan, i)) ||
             (index_plan_is_distance(plan, i) && is_lower))) {
            return 1;
        }
    }
    return 0;
}

static void index_plan_search(index_plan *plan)
{
    sqlite3_index_info *info = plan->info;
    const vs_vector_spec *spec = &plan->store->declaration.vectors[plan->vector];
    double k = plan->k < 0 ? INDEX_PLAN_STREAM_ROWS : (double)vs_args_literal_k(info, plan->k, 10);
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
        unsigned char op = info->aConstraint[i].op;
        if (op == SQLITE_INDEX_CONSTRAINT_LIMIT || op == SQLITE_INDEX_CONSTRAINT_OFFSET) {
            if (info->aConstraint[i].usable && plan->k < 0) {
                index_plan_claim(plan, i, 0, op == SQLITE_INDEX_CONSTRAINT_LIMIT ? "L" : "O");
            }
        } else if (i != plan->query && i != plan->k && i != plan->options) {
            index_plan_take_distance(plan, i);
            index_plan_take_condition(plan, i);
        }
    }
    sqlite3_str_appendall(plan->words, plan->k < 0 ? ", stream" : ", k");
    if (vs_gpu_index_takes(plan->store, plan->vector)) {
        sqlite3_str_appendall(plan->words, vs_gpu_use_words(plan->store->conn, VS_DEVICE_AUTO,
                                                            spec->metric, spec->type));
    }
    info->idxNum = VS_INDEX_SEARCH;
    /* Costs are rounded to some percent: a smaller difference does not count. */
    int is_doubtful = plan->k >= 0 && plan->equalities > 0;
    double rows = is_doubtful ? k : INDEX_PLAN_ROWS * plan->share;
    info->estimatedRows = (sqlite3_int64)(k < rows ? k : rows < 1.0 ? 1.0 : rows);
    info->estimatedCost = (INDEX_PLAN_START_US + vs_nearest_cost(spec, INDEX_PLAN_ROWS, k)) *
                          (is_doubtful ? INDEX_PLAN_EQUAL_FACTOR : 1.0);
    info->orderByConsumed =
        info->nOrderBy == 1 && !info->aOrderBy[0].desc &&
        info->aOrderBy[0].iColumn == index_plan_hidden(plan, VS_HIDDEN_DISTANCE);
}

static void index_plan_scan(index_plan *plan)
{
    sqlite3_index_info *info = plan->info;
    sqlite3_str_appendf(plan->words, "%s rows", plan->store->label);
    for (int i = 0; i < info->nConstraint; i++) {
        index_plan_take_condition(plan, i);
    }
    info->idxNum = VS_INDEX_SCAN;
    if (info->nOrderBy == 1 &&
        (info->aOrderBy[0].iColumn < 0 ||
         (info->aOrderBy[0].iColumn < plan->store->declaration.column_count &&
          plan->store->declaration.columns[info->aOrderBy[0].iColumn].kind == VS_COLUMN_ROWID))) {
        info->orderByConsumed = 1;
        info->idxNum = info->aOrderBy[0].desc ? VS_INDEX_SCAN_DOWN : VS_INDEX_SCAN;
    }
    double rows = INDEX_PLAN_ROWS * plan->share;
    double walked = plan->share <= 1e-5 ? 1.0 : INDEX_PLAN_ROWS;
    rows = rows < 1.0 ? 1.0 : rows;
    info->estimatedRows = (sqlite3_int64)rows;
    info->estimatedCost =
        plan->is_key ? 5.0 : 10.0 + INDEX_PLAN_WALK_US * walked + INDEX_PLAN_ROW_US * rows;
    if (plan->is_rowid) { /* a key may equal more than one value of another type or collation */
        info->idxFlags |= SQLITE_INDEX_SCAN_UNIQUE;
    }
}

/* Does a statement use columns that searches have? */
static int index_plan_uses_search(const vs_declaration *declaration, uint64_t used)
{
    uint64_t hidden = ~(uint64_t)0 << declaration->column_count;
    for (int i = 0; i < declaration->vector_count; i++) {
        hidden |= (uint64_t)1 << declaration->vectors[i].column;
    }
    return (used & hidden) != 0;
}

/* May this be a part of what was planned before: one side of an OR beside a search? */
static int index_plan_is_part(const index_plan *plan, const vs_index_planned *planned)
{
    const sqlite3_index_info *info = plan->info;
    if (!planned->is_there || planned->used != info->colUsed) {
        return 0;
    }
    return plan->query >= 0 ? info->nConstraint > planned->constraints
                            : index_plan_uses_search(&plan->store->declaration, info->colUsed);
}

/* Notes a search, or says that what may be a part of one is no better than it. */
static void index_plan_remember(const index_plan *plan, vs_index_planned *planned)
{
    sqlite3_index_info *info = plan->info;
    if (index_plan_is_part(plan, planned)) {
        info->idxFlags &= ~SQLITE_INDEX_SCAN_UNIQUE;
        info->estimatedRows = INDEX_PLAN_PART_ROWS;
        if (info->estimatedCost < planned->cost) {
            info->estimatedCost = planned->cost;
        }
        return;
    }
    planned->is_there = plan->query >= 0;
    planned->used = info->colUsed;
    planned->constraints = info->nConstraint;
    planned->cost = info->estimatedCost;
}

/* The words, then the codes in braces. */
static char *index_plan_text(index_plan *plan)
{
    int columns = plan->store->declaration.column_count;
    uint64_t used = plan->info->colUsed & (((uint64_t)1 << columns) - 1);
    char *codes = sqlite3_str_finish(plan->codes);
    sqlite3_str_appendf(plan->words, " {u%llx%s}", (unsigned long long)used,
                        codes == NULL ? "" : codes);
    char *words = sqlite3_str_finish(plan->words);
    if (codes == NULL && plan->argc > 0) { /* no memory */
        sqlite3_free(words);
        words = NULL;
    }
    sqlite3_free(codes);
    return words;
}

int vs_index_plan_best(vs_store *store, vs_index_planned *planned, sqlite3_index_info *info,
                       vs_err *err)
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
    if (plan.query < 0 && (plan.k >= 0 || plan.options >= 0)) {
        vs_args_plan_incomplete(info);
        return SQLITE_OK;
    }
    if (plan.query >= 0 && plan.k < 0 &&
        vs_args_compares_k(info, index_plan_hidden(&plan, VS_HIDDEN_K))) {
        vs_args_plan_k_compared(info);
        return SQLITE_OK;
    }
    if (plan.query >= INDEX_PLAN_OMIT_MAX || plan.k >= INDEX_PLAN_OMIT_MAX ||
        plan.options >= INDEX_PLAN_OMIT_MAX) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: the query, k and options must be among the first %d conditions",
                        store->label, INDEX_PLAN_OMIT_MAX);
    }
    if (plan.query >= 0 && index_plan_is_too_early(&plan)) {
        return SQLITE_CONSTRAINT;
    }
    plan.words = sqlite3_str_new(store->db);
    plan.codes = sqlite3_str_new(store->db);
    if (plan.query >= 0) {
        index_plan_search(&plan);
    } else {
        index_plan_scan(&plan);
    }
    index_plan_remember(&plan, planned);
    info->idxStr = index_plan_text(&plan);
    info->needToFreeIdxStr = 1;
    return info->idxStr == NULL ? SQLITE_NOMEM : SQLITE_OK;
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

/* A number of a vector column, or of a column. NULL: none. */
static const char *index_plan_read_number(const char *at, int least, int count, int *out)
{
    char *end = NULL;
    long number = strtol(at, &end, 10);
    if (end == at || (*at != '-' && (*at < '0' || *at > '9')) || number < least ||
        number >= count) {
        return NULL;
    }
    *out = (int)number;
    return end;
}

static const char *index_plan_read_arg(const char *at, vs_index_arg *out)
{
    memset(out, 0, sizeof *out);
    out->what = *at++;
    if (strchr("mkoLOdc", out->what) == NULL) {
        return NULL;
    }
    if (out->what == 'm') {
        at = index_plan_read_number(at, 0, VS_VECTORS_MAX, &out->number);
    } else if (out->what == 'c') {
        at = index_plan_read_number(at, VS_CONDITION_ROWID, VS_COLUMNS_MAX, &out->number);
    }
    if (at == NULL) {
        return NULL;
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
                           : *at == 'd' ? ""
                                        : NULL;
        if (name == NULL) {
            return NULL;
        }
        sqlite3_snprintf((int)sizeof out->collation, out->collation, "%s", name);
        at++;
        out->is_in = *at == 'i';
        at += out->is_in;
        out->or_blob = *at == 'B';
        at += out->or_blob;
        out->or_affinity = *at == 'A';
        at += out->or_affinity;
    }
    return at;
}

int vs_index_plan_parse(const char *words, uint64_t *out_used, vs_index_arg out[VS_INDEX_ARGS_MAX],
                        int *out_count)
{
    const char *at = words == NULL ? NULL : strrchr(words, '{');
    char *end = NULL;
    *out_count = 0;
    if (at == NULL || at[1] != 'u') {
        return SQLITE_INTERNAL;
    }
    *out_used = strtoull(at + 2, &end, 16);
    if (end == at + 2 || at[2] == '-') {
        return SQLITE_INTERNAL;
    }
    at = end;
    while (*at != '}') {
        if (at[0] != ' ' || at[1] == '\0' || *out_count == VS_INDEX_ARGS_MAX) {
            return SQLITE_INTERNAL;
        }
        at = index_plan_read_arg(at + 1, &out[(*out_count)++]);
        if (at == NULL) {
            return SQLITE_INTERNAL;
        }
    }
    return SQLITE_OK;
}
