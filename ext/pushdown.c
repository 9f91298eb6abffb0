/*
 * pushdown.c - the conditions of a statement that vec_search and vec_search_batch apply inside the
 * search.
 *
 * What may be applied before the k nearest are chosen is a question of meaning, not of speed:
 *
 *   id IN (...), distance   yes: that is what the reference promises. All of them, or the answer
 *                           would be short
 *   id = x                  with k only when x is a literal (id IN (5) reaches us as id = 5).
 *                           Otherwise x is mostly another table's column, and the statement asks
 *                           which rows of that table are among the k nearest. In a stream it
 *                           changes nothing but the rank, so it is taken unless the statement looks
 *                           at the rank
 *   distance = x            as the other ranges, unless it may stand for a list that SQLite
 *                           searches value by value (pushdown_is_list)
 *   rank < x                yes: so many rows are enough
 *   query_no = x, < x ...   yes: the other queries of a batch need no answer
 *
 * SQLite checks every condition again on the rows it gets, so a value that is hard to compare
 * (text, huge integers) may be treated loosely, to the side of more rows.
 *
 * Calls: args.c, collector.c (filters), rows.c (order of ids).
 * Called by: vtab_search.c, vtab_batch.c.
 * Threads: the connection's.
 */
#include "pushdown.h"

#include <math.h>
#include <stdlib.h>

#include "args.h"

#define PUSHDOWN_IN_MAX 32 /* sqlite3_vtab_in knows the first 32 constraints only */
#define PUSHDOWN_HINT_MAX 262144

static const char *const pushdown_words[VS_PUSH_KINDS] = {
    "options",     "id list",    "id =",        "distance <", "distance <=", "distance >",
    "distance >=", "distance =", "rank <",      "rank <=",    "limit",       "offset",
    "query_no =",  "query_no <", "query_no <=", "query_no >", "query_no >="};
static const char pushdown_intro[] = "; pushed down: ";

/* ---- planning ---- */

/* Is it IN, of one column? SQLite tells only of the first constraints. */
static int pushdown_is_in(sqlite3_index_info *info, int i)
{
    return i < PUSHDOWN_IN_MAX && sqlite3_vtab_in(info, i, -1);
}

/*
 * May an equality on distance be one of many, searched once per value, which would multiply k? Of
 * IN, SQLite tells. Of (id, distance) IN (VALUES ...) it does not (3.53): the row value reaches us
 * as one equality per column.
 */
static int pushdown_is_list(const vs_push_table *table, sqlite3_index_info *info, int i)
{
    if (i >= PUSHDOWN_IN_MAX || pushdown_is_in(info, i)) {
        return 1;
    }
    for (int j = 0; j < info->nConstraint; j++) {
        int column = info->aConstraint[j].iColumn;
        int is_ours = column == table->id || column == table->distance || column == table->rank;
        if (j != i && is_ours && info->aConstraint[j].op == SQLITE_INDEX_CONSTRAINT_EQ &&
            !pushdown_is_in(info, j) && vs_args_literal(info, j) == NULL) {
            return 1;
        }
    }
    return 0;
}

/* The kind of a usable constraint on distance; -1 when there is none for it. */
static int pushdown_distance_kind(const vs_push_table *table, sqlite3_index_info *info, int i)
{
    switch (info->aConstraint[i].op) {
    case SQLITE_INDEX_CONSTRAINT_LT:
        return VS_PUSH_DISTANCE_LT;
    case SQLITE_INDEX_CONSTRAINT_LE:
        return VS_PUSH_DISTANCE_LE;
    case SQLITE_INDEX_CONSTRAINT_GT:
        return VS_PUSH_DISTANCE_GT;
    case SQLITE_INDEX_CONSTRAINT_GE:
        return VS_PUSH_DISTANCE_GE;
    case SQLITE_INDEX_CONSTRAINT_EQ:
        return pushdown_is_list(table, info, i) ? -1 : (int)VS_PUSH_DISTANCE_EQ;
    default:
        return -1;
    }
}

/* The kind of a usable constraint on query_no; -1 when there is none for it. Lists are left to SQLite,
 * which would search once for each value. */
static int pushdown_query_kind(sqlite3_index_info *info, int i)
{
    switch (info->aConstraint[i].op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
        return pushdown_is_in(info, i) ? -1 : (int)VS_PUSH_QUERY_EQ;
    case SQLITE_INDEX_CONSTRAINT_LT:
        return VS_PUSH_QUERY_LT;
    case SQLITE_INDEX_CONSTRAINT_LE:
        return VS_PUSH_QUERY_LE;
    case SQLITE_INDEX_CONSTRAINT_GT:
        return VS_PUSH_QUERY_GT;
    case SQLITE_INDEX_CONSTRAINT_GE:
        return VS_PUSH_QUERY_GE;
    default:
        return -1;
    }
}

/* The kind of a usable constraint other than id =; -1 when there is none for it. */
static int pushdown_kind(const vs_push_table *table, sqlite3_index_info *info, int i)
{
    unsigned char op = info->aConstraint[i].op;
    int column = info->aConstraint[i].iColumn;
    if (op == SQLITE_INDEX_CONSTRAINT_LIMIT || op == SQLITE_INDEX_CONSTRAINT_OFFSET) {
        return !table->has_stream                    ? -1
               : op == SQLITE_INDEX_CONSTRAINT_LIMIT ? (int)VS_PUSH_LIMIT
                                                     : (int)VS_PUSH_OFFSET;
    }
    if (column == table->distance) {
        return pushdown_distance_kind(table, info, i);
    }
    if (column == table->query_no) {
        return pushdown_query_kind(info, i);
    }
    if (column == table->rank) {
        return op == SQLITE_INDEX_CONSTRAINT_LT   ? (int)VS_PUSH_RANK_LT
               : op == SQLITE_INDEX_CONSTRAINT_LE ? (int)VS_PUSH_RANK_LE
                                                  : -1;
    }
    return -1;
}

/* The kind of an equality on id in *out, or -1; SQLITE_CONSTRAINT when a list comes too late in the
 * plan under consideration. */
static int pushdown_id_kind(const vs_push_table *table, sqlite3_index_info *info, int i, int has_k,
                            int *out)
{
    int is_list = pushdown_is_in(info, i);
    *out = -1;
    if (!info->aConstraint[i].usable) {
        /* The list follows from a table that this plan reads later. With k the search would be over
         * by then. */
        return is_list && has_k ? SQLITE_CONSTRAINT : SQLITE_OK;
    }
    if (is_list) {
        *out = VS_PUSH_ID_LIST;
    } else if (i < PUSHDOWN_IN_MAX && (has_k ? vs_args_literal(info, i) != NULL
                                             : (info->colUsed & (1ULL << table->rank)) == 0)) {
        *out = VS_PUSH_ID_EQ;
    }
    return SQLITE_OK;
}

/* Does the constraint leave out near rows? With k it must come before the k nearest are chosen, in
 * every plan alike. */
static int pushdown_is_distance_floor(const vs_push_table *table, const sqlite3_index_info *info,
                                      int i)
{
    unsigned char op = info->aConstraint[i].op;
    return info->aConstraint[i].iColumn == table->distance &&
           (op == SQLITE_INDEX_CONSTRAINT_GT || op == SQLITE_INDEX_CONSTRAINT_GE ||
            op == SQLITE_INDEX_CONSTRAINT_EQ);
}

int vs_pushdown_find(const vs_push_table *table, sqlite3_index_info *info, int has_k, int options,
                     vs_pushdown *out, vs_err *err)
{
    out->count = 0;
    if (options >= 0) {
        out->kinds[0] = VS_PUSH_OPTIONS;
        out->constraints[0] = options;
        out->count = 1;
    }
    for (int i = 0; i < info->nConstraint; i++) {
        int kind = -1;
        if (info->aConstraint[i].iColumn == table->id &&
            info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ) {
            int rc = pushdown_id_kind(table, info, i, has_k, &kind);
            if (rc != SQLITE_OK) {
                return rc;
            }
        } else if (info->aConstraint[i].usable) {
            kind = pushdown_kind(table, info, i);
        } else if (has_k && pushdown_is_distance_floor(table, info, i)) {
            return SQLITE_CONSTRAINT; /* as for a list of ids that comes too late */
        }
        if (kind < 0) {
            continue;
        }
        if (out->count == VS_PUSH_MAX) {
            if (has_k) {
                return vs_error(err, SQLITE_ERROR,
                                "%s: more than %d conditions on one search; move some of them to "
                                "an outer query",
                                table->who, VS_PUSH_MAX);
            }
            continue;
        }
        out->kinds[out->count] = (vs_push)kind;
        out->constraints[out->count++] = i;
    }
    return SQLITE_OK;
}

int vs_pushdown_follows(sqlite3_index_info *info, const vs_pushdown *pushdown)
{
    for (size_t i = 0; i < pushdown->count; i++) {
        vs_push kind = pushdown->kinds[i];
        if (kind >= VS_PUSH_QUERY_EQ && kind <= VS_PUSH_QUERY_GE &&
            vs_args_literal(info, pushdown->constraints[i]) == NULL) {
            return 1;
        }
    }
    return 0;
}

int vs_pushdown_has(const vs_pushdown *pushdown, vs_push kind)
{
    for (size_t i = 0; i < pushdown->count; i++) {
        if (pushdown->kinds[i] == kind) {
            return 1;
        }
    }
    return 0;
}

void vs_pushdown_claim(sqlite3_index_info *info, const vs_pushdown *pushdown, int first_argument,
                       sqlite3_str *words)
{
    for (size_t i = 0; i < pushdown->count; i++) {
        int constraint = pushdown->constraints[i];
        info->aConstraintUsage[constraint].argvIndex = first_argument + (int)i;
        info->aConstraintUsage[constraint].omit = pushdown->kinds[i] == VS_PUSH_OPTIONS;
        if (pushdown->kinds[i] == VS_PUSH_ID_LIST) {
            (void)sqlite3_vtab_in(info, constraint, 1);
        }
        sqlite3_str_appendf(words, "%s%s", i == 0 ? pushdown_intro : ", ",
                            pushdown_words[pushdown->kinds[i]]);
    }
}

/* ---- executing ---- */

int vs_pushdown_parse(const char *words, size_t count, vs_pushdown *out)
{
    const char *list = words;
    out->count = 0;
    if (count == 0) {
        return SQLITE_OK; /* and the words are not looked at: a table's name may hold anything */
    }
    for (const char *at = strstr(list, pushdown_intro); at != NULL;
         at = strstr(list, pushdown_intro)) {
        list = at + strlen(pushdown_intro); /* the last one is ours */
    }
    while (out->count < count && count <= VS_PUSH_MAX) {
        const char *comma = strstr(list, ", ");
        size_t n = comma == NULL ? strlen(list) : (size_t)(comma - list);
        int kind = 0;
        while (kind < VS_PUSH_KINDS &&
               !(strlen(pushdown_words[kind]) == n && memcmp(pushdown_words[kind], list, n) == 0)) {
            kind++;
        }
        if (kind == VS_PUSH_KINDS) {
            return SQLITE_INTERNAL;
        }
        out->kinds[out->count++] = (vs_push)kind;
        list += comma == NULL ? n : n + 2;
    }
    return out->count == count ? SQLITE_OK : SQLITE_INTERNAL;
}

void vs_id_lists_free(vs_id_lists *lists)
{
    sqlite3_free(lists->all.ids);
    sqlite3_free(lists->next.ids);
    memset(lists, 0, sizeof *lists);
}

/* Adds a value to a list if it can equal an integer: 5, 5.0, '5'. */
static int pushdown_add_id(vs_id_list *list, sqlite3_value *value)
{
    int64_t id;
    switch (sqlite3_value_numeric_type(value)) {
    case SQLITE_INTEGER:
        id = sqlite3_value_int64(value);
        break;
    case SQLITE_FLOAT: {
        double number = sqlite3_value_double(value);
        if (!(number >= -9.2233720368547748e18 && number < 9.2233720368547758e18) ||
            number != floor(number)) {
            return SQLITE_OK;
        }
        id = (int64_t)number;
        break;
    }
    default:
        return SQLITE_OK;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        int64_t *grown = sqlite3_realloc64(list->ids, capacity * sizeof *grown);
        if (grown == NULL) {
            return SQLITE_NOMEM;
        }
        list->ids = grown;
        list->capacity = capacity;
    }
    list->ids[list->count++] = id;
    return SQLITE_OK;
}

/* Reads `id IN (...)` or `id = x` into a list. */
static int pushdown_read_list(vs_id_list *list, sqlite3_value *argument, int is_list)
{
    sqlite3_value *value = NULL;
    size_t kept = 0;
    int rc = SQLITE_OK;
    list->count = 0;
    if (!is_list) {
        rc = pushdown_add_id(list, argument);
    } else {
        int step = sqlite3_vtab_in_first(argument, &value);
        for (; rc == SQLITE_OK && step == SQLITE_OK && value != NULL;
             step = sqlite3_vtab_in_next(argument, &value)) {
            rc = pushdown_add_id(list, value);
        }
        rc = rc == SQLITE_OK && step != SQLITE_DONE ? step : rc;
    }
    if (list->count > 0) {
        qsort(list->ids, list->count, sizeof *list->ids, vs_rows_compare_ids);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (i == 0 || list->ids[i] != list->ids[kept - 1]) {
            list->ids[kept++] = list->ids[i];
        }
    }
    list->count = kept;
    return rc;
}

/* Reads one condition on id; several leave what they have in common. */
static int pushdown_apply_ids(vs_id_lists *lists, vs_filter *filter, sqlite3_value *argument,
                              int is_list)
{
    int is_first = !filter->has_ids;
    int rc = pushdown_read_list(is_first ? &lists->all : &lists->next, argument, is_list);
    filter->has_ids = 1;
    if (rc == SQLITE_OK && !is_first) {
        size_t kept = 0;
        filter->ids = lists->next.ids; /* for a moment, to look the old ids up */
        filter->id_count = lists->next.count;
        for (size_t i = 0; i < lists->all.count; i++) {
            if (vs_filter_has_id(filter, lists->all.ids[i])) {
                lists->all.ids[kept++] = lists->all.ids[i];
            }
        }
        lists->all.count = kept;
    }
    filter->ids = lists->all.ids;
    filter->id_count = lists->all.count;
    return rc;
}

/*
 * Narrows the distance range. An integer beyond 2^53 is moved outwards. Text and BLOBs come after
 * all numbers: they bound nothing from above and exclude everything from below.
 */
static void pushdown_apply_distance(vs_filter *filter, vs_push kind, sqlite3_value *value)
{
    int type = sqlite3_value_numeric_type(value);
    int is_number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
    int is_upper =
        kind == VS_PUSH_DISTANCE_LT || kind == VS_PUSH_DISTANCE_LE || kind == VS_PUSH_DISTANCE_EQ;
    int is_lower =
        kind == VS_PUSH_DISTANCE_GT || kind == VS_PUSH_DISTANCE_GE || kind == VS_PUSH_DISTANCE_EQ;
    if (type == SQLITE_NULL || (is_lower && !is_number)) {
        filter->distance_hi = -INFINITY; /* true for no row */
        filter->distance_lo = INFINITY;
        return;
    }
    if (!is_number) {
        return;
    }
    double bound = sqlite3_value_double(value);
    double slack =
        type == SQLITE_INTEGER && fabs(bound) > 9007199254740992.0 ? fabs(bound) * 1e-15 : 0.0;
    if (is_upper) {
        double hi = kind == VS_PUSH_DISTANCE_LT && slack == 0.0 ? nextafter(bound, -INFINITY)
                                                                : bound + slack;
        filter->distance_hi = fmin(filter->distance_hi, hi);
    }
    if (is_lower) {
        double lo = kind == VS_PUSH_DISTANCE_GT && slack == 0.0 ? nextafter(bound, INFINITY)
                                                                : bound - slack;
        filter->distance_lo = fmax(filter->distance_lo, lo);
    }
}

/* Rows that a condition on rank leaves. */
static int64_t pushdown_rank_rows(vs_push kind, sqlite3_value *value)
{
    int type = sqlite3_value_numeric_type(value);
    double bound = sqlite3_value_double(value);
    if (type == SQLITE_NULL) {
        return 0;
    }
    if ((type != SQLITE_INTEGER && type != SQLITE_FLOAT) || !(bound < 1e15)) {
        return INT64_MAX;
    }
    bound = kind == VS_PUSH_RANK_LT ? ceil(bound) - 1.0 : floor(bound);
    return bound < 0.0 ? 0 : (int64_t)bound;
}

/* Narrows the range of queries. What is hard to compare is left to SQLite. */
static void pushdown_apply_query(vs_wanted *wanted, vs_push kind, sqlite3_value *value)
{
    int type = sqlite3_value_numeric_type(value);
    double bound = sqlite3_value_double(value);
    if (type == SQLITE_NULL) {
        wanted->query_hi = -1;
    }
    if ((type != SQLITE_INTEGER && type != SQLITE_FLOAT) || !(fabs(bound) < 1e15)) {
        return;
    }
    int64_t below = (int64_t)ceil(bound) - 1, above = (int64_t)floor(bound) + 1;
    int64_t at_most = (int64_t)floor(bound), at_least = (int64_t)ceil(bound);
    int64_t hi = kind == VS_PUSH_QUERY_LT                               ? below
                 : kind == VS_PUSH_QUERY_LE || kind == VS_PUSH_QUERY_EQ ? at_most
                                                                        : INT64_MAX;
    int64_t lo = kind == VS_PUSH_QUERY_GT                               ? above
                 : kind == VS_PUSH_QUERY_GE || kind == VS_PUSH_QUERY_EQ ? at_least
                                                                        : 0;
    wanted->query_hi = hi < wanted->query_hi ? hi : wanted->query_hi;
    wanted->query_lo = lo > wanted->query_lo ? lo : wanted->query_lo;
}

int vs_pushdown_apply(const vs_pushdown *pushdown, sqlite3_value **argv, vs_id_lists *lists,
                      vs_filter *filter, vs_wanted *wanted)
{
    int has_limit = 0;
    wanted->hint = 0;
    wanted->query_lo = 0;
    wanted->query_hi = INT64_MAX;
    for (size_t i = 0; i < pushdown->count; i++) {
        vs_push kind = pushdown->kinds[i];
        int rc = SQLITE_OK;
        switch (kind) {
        case VS_PUSH_OPTIONS:
            break; /* an argument, read by the caller */
        case VS_PUSH_ID_LIST:
        case VS_PUSH_ID_EQ:
            rc = pushdown_apply_ids(lists, filter, argv[i], kind == VS_PUSH_ID_LIST);
            break;
        case VS_PUSH_RANK_LT:
        case VS_PUSH_RANK_LE: {
            int64_t rows = pushdown_rank_rows(kind, argv[i]);
            wanted->rows = rows < wanted->rows ? rows : wanted->rows;
            break;
        }
        case VS_PUSH_LIMIT:
        case VS_PUSH_OFFSET: {
            int64_t rows = sqlite3_value_int64(argv[i]);
            has_limit |= kind == VS_PUSH_LIMIT && rows >= 0;
            wanted->hint += rows > 0 && rows < PUSHDOWN_HINT_MAX ? rows : 0;
            break;
        }
        case VS_PUSH_QUERY_EQ:
        case VS_PUSH_QUERY_LT:
        case VS_PUSH_QUERY_LE:
        case VS_PUSH_QUERY_GT:
        case VS_PUSH_QUERY_GE:
            pushdown_apply_query(wanted, kind, argv[i]);
            break;
        default:
            pushdown_apply_distance(filter, kind, argv[i]);
        }
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    wanted->hint = has_limit ? wanted->hint : 0;
    return SQLITE_OK;
}
