/*
 * sample.c - some values of one column, spread evenly over its table.
 *
 * Points are laid over the ranges of the ids, and the first row at or after each point is read. A
 * vecshard table is found by the ids of its row table, and its values are read through the virtual
 * table, so that they come as any statement sees them.
 *
 * Calls: id_map.c, indexed.c, store.c, store_pack.c, target.c.
 * Called by: vtab_report.c.
 * Threads: the connection's.
 */
#include "sample.h"

#include "id_map.h"
#include "indexed.h"
#include "store_text.h"

/* What a sample is read with. */
typedef struct sample_source {
    const char *who;
    vs_target target;
    vs_id_map map;
    sqlite3_stmt *find;    /* the first id at or after ?1 */
    sqlite3_stmt *value;   /* the value of row ?1 */
    size_t capacity;       /* of data, in bytes */
    int64_t first_id;      /* of the first value */
    vs_sample_place place; /* owned, until the sample takes it over */
} sample_source;

void vs_sample_free(vs_sample *sample)
{
    sqlite3_free(sample->label);
    sqlite3_free(sample->place.content);
    sqlite3_free(sample->data);
    sqlite3_free(sample->ends);
    memset(sample, 0, sizeof *sample);
}

const unsigned char *vs_sample_at(const vs_sample *sample, size_t i, size_t *out_n)
{
    size_t start = i == 0 ? 0 : sample->ends[i - 1];
    *out_n = sample->ends[i] - start;
    return sample->data + start;
}

/* ---- The column ------------------------------------------------------------------------------ */

/* Has this column full vectors in blocks, and others? */
static int sample_find_tiers(const char *who, const vs_target *target, int vector,
                             vs_sample_place *out, vs_err *err)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf(
        "SELECT EXISTS(SELECT 1 FROM \"%w\".\"%w_cold%d\"), EXISTS(SELECT 1 "
        "FROM \"%w\".\"%w_vectors%d\")",
        target->schema, target->table, vector, target->schema, target->table, vector);
    int rc = vs_target_prepare(target, who, sql, &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        out->has_cold = sqlite3_column_int(stmt, 0);
        out->has_warm = sqlite3_column_int(stmt, 1);
        rc = SQLITE_OK;
    } else {
        rc = vs_error_db(err, rc, target->db, who);
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* How a vector column is kept; float32 ones alone have a report. */
static int sample_find_place(const char *who, const vs_target *target, const vs_store *store,
                             int vector, vs_sample_place *out, vs_err *err)
{
    const vs_declaration *declaration = &store->declaration;
    const vs_vector_spec *spec = &declaration->vectors[vector];
    if (spec->type != VSK_F32) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: %s holds %s vectors, and float32 vectors or TEXT are needed", who,
                        target->label, vsk_type_name(spec->type));
    }
    *out = (vs_sample_place){.is_indexed = 1,
                             .is_half = spec->is_half,
                             .is_f16 = spec->stored == VSK_F16,
                             .can_be_cold = store->geometry.vectors[vector].per_block > 0};
    if (store->geometry.vectors[vector].vector_bytes == 0) {
        out->content =
            sqlite3_mprintf("%s.%s", declaration->content, declaration->columns[spec->column].name);
        return out->content == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    return out->can_be_cold ? sample_find_tiers(who, target, vector, out, err) : SQLITE_OK;
}

/* The target is a virtual table: one of ours, with this column, of float32 where it is a vector. */
static int sample_check_own(vs_conn *conn, const char *who, const vs_target *target,
                            vs_sample_place *out, vs_err *err)
{
    vs_store store;
    vs_err inner = VS_ERR_INIT;
    int column = -1;
    int rc = vs_store_open(&store, conn, target->schema, target->table, &inner);
    rc = vs_indexed_explain(who, target->table, rc, &inner, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    const vs_declaration *declaration = &store.declaration;
    for (int i = 0; i < declaration->column_count; i++) {
        column = sqlite3_stricmp(declaration->columns[i].name, target->column) == 0 ? i : column;
    }
    if (column < 0) {
        rc = vs_error(err, SQLITE_ERROR, "%s: table %s has no column %s", who, target->table,
                      target->column);
    } else if (declaration->columns[column].kind == VS_COLUMN_VECTOR) {
        rc = sample_find_place(who, target, &store, declaration->columns[column].vector, out, err);
    } else {
        out->is_indexed = 1;
        rc = vs_store_text_tier(&store, column, &out->can_be_packed, &out->has_packed, err);
    }
    vs_store_close(&store);
    return rc;
}

static int sample_prepare(sample_source *source, vs_err *err)
{
    const vs_target *target = &source->target;
    int rc = vs_target_prepare(
        target, source->who,
        sqlite3_mprintf("SELECT %s FROM %s WHERE %s >= ?1 ORDER BY %s LIMIT 1", target->id_sql,
                        target->table_sql, target->id_sql, target->id_sql),
        &source->find, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (!target->is_virtual) {
        return vs_target_prepare(target, source->who,
                                 sqlite3_mprintf("SELECT \"%w\" FROM %s NOT INDEXED WHERE %s = ?1",
                                                 target->column, target->table_sql, target->id_sql),
                                 &source->value, err);
    }
    char *sql = sqlite3_mprintf("SELECT \"%w\" FROM \"%w\".\"%w\" WHERE rowid = ?1", target->column,
                                target->schema, target->table);
    if (sql == NULL) {
        return SQLITE_NOMEM;
    }
    rc = sqlite3_prepare_v3(target->db, sql, -1, 0, &source->value, NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK ? rc : vs_error_db(err, rc, target->db, source->who);
}

static int sample_open(vs_conn *conn, const char *who, const char *table, const char *column,
                       sample_source *out, vs_err *err)
{
    memset(out, 0, sizeof *out);
    out->who = who;
    /* VSK_BIT: its indexes are not wanted. */
    int rc = vs_target_find(conn->db, who, table, column, VSK_BIT, &out->target, err);
    if (rc == SQLITE_OK && out->target.is_virtual) {
        rc = sample_check_own(conn, who, &out->target, &out->place, err);
    }
    if (rc == SQLITE_OK) {
        rc = vs_id_map_survey(&out->target, who, &out->map, err);
    }
    return rc == SQLITE_OK ? sample_prepare(out, err) : rc;
}

static void sample_close(sample_source *source)
{
    sqlite3_finalize(source->find);
    sqlite3_finalize(source->value);
    sqlite3_free(source->place.content);
    vs_target_free(&source->target);
}

/* ---- The values ------------------------------------------------------------------------------ */

/* A value of n bytes fits what came before it. */
static int sample_check(const sample_source *source, const vs_sample *sample, int type, int64_t id,
                        const void *data, size_t n, vs_err *err)
{
    const char *who = source->who, *label = source->target.label;
    long long row = (long long)id;
    vs_vec vec;
    if (type != SQLITE_TEXT && type != SQLITE_BLOB) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: %s, row %lld: float32 vectors or TEXT are needed, found a number", who,
                        label, row);
    }
    if (sample->count > 0 && type != sample->type) {
        return vs_error(
            err, SQLITE_ERROR,
            "%s: %s holds TEXT and BLOBs, as in rows %lld and %lld: one of both is needed", who,
            label, (long long)source->first_id, row);
    }
    if (type == SQLITE_TEXT) {
        return SQLITE_OK;
    }
    if (sample->count > 0 && n != sample->dim * sizeof(float)) {
        return vs_error(err, SQLITE_ERROR,
                        "%s: %s, row %lld: a BLOB of %llu bytes, and row %lld has %llu: float32 "
                        "vectors of one dimension are needed",
                        who, label, row, (unsigned long long)n, (long long)source->first_id,
                        (unsigned long long)(sample->dim * sizeof(float)));
    }
    char *place =
        sqlite3_mprintf("%s: %s, row %lld: float32 vectors or TEXT are needed", who, label, row);
    if (place == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = vs_value_from_bytes(place, data, n, VSK_F32, &vec, err);
    if (rc == SQLITE_OK) {
        rc = vs_value_check_finite(place, &vec, err);
    }
    sqlite3_free(place);
    return rc;
}

/* Appends a value. SQLITE_TOOBIG, without a sentence, when there is no room for it. */
static int sample_append(sample_source *source, vs_sample *sample, const void *data, size_t n)
{
    size_t used = sample->count == 0 ? 0 : sample->ends[sample->count - 1];
    if (n > VS_SAMPLE_BYTES - used) {
        return SQLITE_TOOBIG;
    }
    if (used + n > source->capacity || sample->data == NULL) {
        size_t capacity = 2 * (used + n) + 4096;
        unsigned char *grown = sqlite3_realloc64(sample->data, capacity);
        if (grown == NULL) {
            return SQLITE_NOMEM;
        }
        sample->data = grown;
        source->capacity = capacity;
    }
    if (n > 0) {
        memcpy(sample->data + used, data, n);
    }
    sample->ends[sample->count++] = used + n;
    return SQLITE_OK;
}

/* Takes the value on which the statement stands; NULL is passed over. */
static int sample_take(sample_source *source, int64_t id, vs_sample *sample, vs_err *err)
{
    sqlite3_stmt *stmt = source->value;
    int type = sqlite3_column_type(stmt, 0);
    if (type == SQLITE_NULL) {
        return SQLITE_OK;
    }
    const void *data = type == SQLITE_TEXT ? (const void *)sqlite3_column_text(stmt, 0)
                                           : sqlite3_column_blob(stmt, 0);
    size_t n = (size_t)sqlite3_column_bytes(stmt, 0);
    if (data == NULL && (n > 0 || type == SQLITE_TEXT)) {
        return SQLITE_NOMEM;
    }
    int rc = sample_check(source, sample, type, id, data, n, err);
    if (rc == SQLITE_OK && sample->count == 0) {
        sample->type = type;
        sample->dim = n / sizeof(float);
        source->first_id = id;
    }
    return rc == SQLITE_OK ? sample_append(source, sample, data, n) : rc;
}

/* Runs a statement of one row at most with its parameter. SQLITE_ROW, SQLITE_DONE, or an error. */
static int sample_step(const sample_source *source, sqlite3_stmt *stmt, int64_t id, vs_err *err)
{
    int rc = sqlite3_bind_int64(stmt, 1, id);
    rc = rc == SQLITE_OK ? sqlite3_step(stmt) : rc;
    return rc == SQLITE_ROW || rc == SQLITE_DONE
               ? rc
               : vs_error(err, rc, "%s: %s: %s", source->who, source->target.label,
                          sqlite3_errmsg(source->target.db));
}

/* Reads the first row from `point` on; *out_id is its id. SQLITE_DONE when there is none. */
static int sample_read_point(sample_source *source, int64_t point, int64_t *out_id,
                             vs_sample *sample, vs_err *err)
{
    int rc = sample_step(source, source->find, point, err);
    if (rc == SQLITE_ROW) {
        *out_id = sqlite3_column_int64(source->find, 0);
    }
    (void)sqlite3_reset(source->find);
    if (rc != SQLITE_ROW) {
        return rc;
    }
    rc = sample_step(source, source->value, *out_id, err);
    if (rc == SQLITE_ROW) {
        rc = sample_take(source, *out_id, sample, err);
    } else if (rc == SQLITE_DONE) { /* the row table of a damaged vecshard table has more rows */
        rc = SQLITE_OK;
    }
    (void)sqlite3_reset(source->value);
    return rc;
}

/*
 * Reads a row for each point, spread evenly over the ids, or with is_next the first rows. No row is
 * read twice: where points are closer than rows, the next row is taken.
 */
static int sample_read_points(sample_source *source, size_t points, int is_next, vs_sample *sample,
                              vs_err *err)
{
    int64_t next = INT64_MIN, id = 0;
    int rc = SQLITE_OK;
    sample->count = 0;
    for (size_t i = 0; rc == SQLITE_OK && i < points; i++) {
        int64_t point = is_next ? next : vs_id_map_point(&source->map, i, points);
        rc = sample_read_point(source, point > next ? point : next, &id, sample, err);
        if (rc == SQLITE_OK && id == INT64_MAX) {
            break;
        }
        next = id + 1;
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Counts the rows of the table, as long as there are no more than `limit`; one more otherwise. */
static int sample_count_rows(const sample_source *source, size_t limit, size_t *out, vs_err *err)
{
    const vs_target *target = &source->target;
    sqlite3_stmt *stmt = NULL;
    int rc = vs_target_prepare(
        target, source->who,
        sqlite3_mprintf("SELECT count(*) FROM (SELECT 1 FROM %s NOT INDEXED LIMIT ?1)",
                        target->table_sql),
        &stmt, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sample_step(source, stmt, (int64_t)limit + 1, err);
    *out = rc == SQLITE_ROW ? (size_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* All rows of a small table, else a sample: half of it as long as its values have too many bytes. */
static int sample_fill(sample_source *source, size_t rows, vs_sample *sample, vs_err *err)
{
    const char *who = source->who, *label = source->target.label;
    size_t there = 0;
    int rc = sample_count_rows(source, rows, &there, err);
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (there == 0 || source->map.count == 0) {
        return vs_error(err, SQLITE_ERROR, "%s: %s has no rows", who, label);
    }
    size_t points = there < rows ? there : rows;
    sample->table_rows = there <= rows ? (double)there : source->map.rows;
    sample->ends = sqlite3_malloc64(points * sizeof *sample->ends);
    if (sample->ends == NULL) {
        return SQLITE_NOMEM;
    }
    rc = sample_read_points(source, points, there <= rows, sample, err);
    for (; rc == SQLITE_TOOBIG && err->message == NULL && points > 1; points /= 2) {
        rc = sample_read_points(source, points / 2, 0, sample, err);
    }
    if (rc == SQLITE_TOOBIG) {
        rc = vs_error(err, rc, "%s: %s holds a value of more than %d MiB", who, label,
                      VS_SAMPLE_BYTES >> 20);
    } else if (rc == SQLITE_OK && sample->count == 0) {
        rc = vs_error(err, SQLITE_ERROR, "%s: %s is NULL in every row that was looked at", who,
                      label);
    }
    return rc;
}

int vs_sample_read(vs_conn *conn, const char *who, const char *table, const char *column,
                   size_t rows, vs_sample *out, vs_err *err)
{
    sample_source source;
    assert(rows >= 1 && rows <= VS_SAMPLE_ROWS_MAX);
    memset(out, 0, sizeof *out);
    int rc = sample_open(conn, who, table, column, &source, err);
    if (rc == SQLITE_OK) {
        rc = sample_fill(&source, rows, out, err);
    }
    if (rc == SQLITE_OK) {
        out->label = source.target.label;
        source.target.label = NULL;
        out->place = source.place;
        source.place.content = NULL;
    } else {
        vs_sample_free(out);
    }
    sample_close(&source);
    return rc;
}
