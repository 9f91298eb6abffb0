/*
 * damage.c - see damage.h.
 *
 * Calls: SQLite, format.h for sizes, the kernels for checksums.  Called by: test_index_damage.c,
 * fuzz_image.c.  Threads: one.
 */
#include "damage.h"

#include <stdio.h>

#include "search_fixture.h"

#define WIDE 3136 /* dimensions for which a cell has the fewest slots */
#define PROGRESS_STEPS 1000
#define PROGRESS_MAX 5000
#define MEMORY_MAX ((sqlite3_int64)64 << 20)

/* ---- tables ---------------------------------------------------------------------------------- */

typedef struct damage_column {
    const char *name;
    vsk_type type; /* of what is inserted */
    size_t dim;
} damage_column;

typedef struct damage_design {
    const char *create;
    const char *insert; /* ?1 row, then the vectors */
    const char *finish;
    damage_column vectors[3];
    int vector_count, rows;
} damage_design;

static const damage_design designs[DAMAGE_KINDS] = {
    {"CREATE VIRTUAL TABLE t USING vecshard(p INTEGER PARTITION KEY, x TEXT PARTITION KEY, "
     "v float[64], w float16[3136] distance_metric=cosine, u int8[8] distance_metric=l1, m TEXT, "
     "+a); CREATE TABLE q(v, w, u)",
     "INSERT INTO t(rowid, p, x, m, a, v, w, u) VALUES(?1, 1 + (?1 > 36 AND ?1 < 53), "
     "CASE WHEN ?1 < 53 THEN 'a' END, 'm' || (?1 % 3), ?1 / 2.0, "
     "iif(?1 % 11, ?2, NULL), iif(?1 % 13, ?3, zeroblob(6272)), ?4)",
     "INSERT INTO q SELECT v, w, u FROM t WHERE rowid = 7; DELETE FROM t WHERE rowid IN (40, 45);"
     "INSERT INTO t(t, arg, p, x) VALUES('tier', 'cold', 2, 'a')",
     {{"v", VSK_F32, 64}, {"w", VSK_F16, WIDE}, {"u", VSK_I8, 8}},
     3,
     56},
    {"CREATE VIRTUAL TABLE t USING vecshard(id TEXT PRIMARY KEY, v float[3136] distance_metric=dot "
     "store=f16, u bit[64], m TEXT, h float[64] store=half, +a TEXT); CREATE TABLE q(v, u, h)",
     "INSERT INTO t(rowid, id, m, v, u, h, a) VALUES(?1, 'key' || ?1, 'm' || (?1 % 3), "
     "iif(?1 % 11, ?2, NULL), ?3, iif(?1 % 3, vec_f32(vec_f16(vec_f32(?4))), iif(?1 % 9, ?4, "
     "NULL)), iif(?1 % 12, printf('{\"id\": %d, \"source\": \"archive of the town\", \"shelf\": "
     "%d, "
     "\"language\": \"English\", \"licence\": \"free for every use\", \"text\": \"%x and %x and "
     "%x\", "
     "\"created_at\": \"2024-%d-11\", \"words\": [%d, %d], \"title\": \"The history of the "
     "harbour, "
     "part %d\"}', ?1, ?1 % 7, ?1 * 7919, ?1 * ?1, ?1 * 104729, ?1 % 12, ?1 * 31, ?1 * 37, ?1), "
     "x'd1'))",
     "INSERT INTO q SELECT v, u, h FROM t WHERE rowid = 7; DELETE FROM t WHERE rowid = 20; "
     "INSERT INTO t(t, arg) VALUES('tier', 'cold'); UPDATE t SET v = v, h = h WHERE rowid < 17",
     {{"v", VSK_F32, WIDE}, {"u", VSK_BIT, 64}, {"h", VSK_F32, 64}},
     3,
     37},
    {"CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB, u BLOB, m TEXT); CREATE TABLE q(v, u)",
     "INSERT INTO docs VALUES(?1, ?2, ?3, 'm' || (?1 % 3))",
     "CREATE VIRTUAL TABLE t USING vecshard(v float16[3136], u int8[8], m TEXT, content=docs, "
     "content_rowid=id); INSERT INTO q SELECT v, u FROM docs WHERE id = 7;"
     "DELETE FROM docs WHERE id = 12",
     {{"v", VSK_F16, WIDE}, {"u", VSK_I8, 8}},
     2,
     37},
};

static void damage_fill(sqlite3 *db, const damage_design *design)
{
    uint64_t random = 0x9e3779b97f4a7c15u;
    sqlite3_stmt *stmt = NULL;
    unsigned char vector[WIDE * 4];
    assert_int_equal(sqlite3_prepare_v2(db, design->insert, -1, &stmt, NULL), SQLITE_OK);
    for (int row = 1; row <= design->rows; row++) {
        sqlite3_bind_int(stmt, 1, row);
        for (int i = 0; i < design->vector_count; i++) {
            const damage_column *column = &design->vectors[i];
            fixture_vector(&random, FIXTURE_NORMAL, column->type, column->dim, vector);
            sqlite3_bind_blob(stmt, 2 + i, vector, (int)vsk_bytes(column->type, column->dim),
                              SQLITE_TRANSIENT);
        }
        if (sqlite3_step(stmt) != SQLITE_DONE) {
            fail_msg("%s: %s", design->insert, sqlite3_errmsg(db));
        }
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
}

/* ---- sites ----------------------------------------------------------------------------------- */

/* A field of a structure. */
typedef struct damage_field {
    size_t at;
    size_t width; /* 4 or 8 */
} damage_field;

#define FIELDS_MAX 32
#define HEAD_NEXT_CELL 24 /* where the head has it */

/* Adds the fields at base + offsets[n] that end within `bytes`; bit i of `eights`: the i-th has 8
 * bytes. Returns the new count. */
static size_t damage_add_fields(damage_field *fields, size_t count, size_t base, size_t bytes,
                                const uint8_t *offsets, size_t n, size_t eights)
{
    for (size_t i = 0; i < n; i++) {
        size_t width = eights >> i & 1 ? 8 : 4;
        if (base + offsets[i] + width <= bytes) {
            fields[count].at = base + offsets[i];
            fields[count++].width = width;
        }
    }
    return count;
}

/* Records of a block of t_cold<n>. */
static size_t damage_records(const damage_image *image, int vector)
{
    return (size_t)image->geometry.vectors[vector].per_block *
           image->geometry.vectors[vector].per_row;
}

/* The fields in the bytes of a site; of records and codes those of the first and the last slot. */
static size_t damage_fields(const damage_image *image, const damage_site *site,
                            damage_field fields[FIELDS_MAX])
{
    static const uint8_t head[] = {0, 4, 8, HEAD_NEXT_CELL, 32, 36};
    static const uint8_t cell[] = {0, 4, 8, 16, 24, 40, 44, 48, 52, 56, 64, 72, 80};
    static const uint8_t record[] = {0, 4, 8, 16, 20};
    static const uint8_t code[] = {0, 4, 8, 16, 20, 24, 28, 32, 36, 40, 44, 48};
    static const uint8_t description[] = {0, 4, 8, 16, 20, 24, 28};
    static const uint8_t block[] = {0, 4, 8, 16, 20, 24, 28, 32, 40};
    static const uint8_t behind[] = {0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52};
    size_t n = site->bytes, count = 0;
    size_t slots = image->geometry.slots;
    size_t half_bytes = image->geometry.vectors[site->vector].half_bytes;
    size_t record_bytes =
        half_bytes > 0 ? half_bytes : image->geometry.vectors[site->vector].record_bytes;
    size_t coarse = image->geometry.vectors[site->vector].coarse_bytes;
    switch (site->role) {
    case DAMAGE_CELLS:
        return n == VS_HEAD_BYTES ? damage_add_fields(fields, 0, 0, n, head, sizeof head, 0x0c)
                                  : damage_add_fields(fields, 0, 0, n, cell, sizeof cell, 0xe1c);
    case DAMAGE_VECTORS:
        count = damage_add_fields(fields, 0, 0, n, record, sizeof record, 4);
        return n == record_bytes ? count
                                 : damage_add_fields(fields, count, n - record_bytes, n, record,
                                                     sizeof record, 4);
    case DAMAGE_CODES:
        count = damage_add_fields(fields, 0, 0, n, code, sizeof code, 4);
        count = damage_add_fields(fields, count, (slots - 1) * coarse, n, code, sizeof code, 4);
        return damage_add_fields(fields, count, slots * coarse, n, record, 1, 0);
    case DAMAGE_COLD: /* the header, two rowids, the first kinds, then a frame */
        count = damage_add_fields(fields, 0, 0, n, block, sizeof block, 0x184);
        return damage_add_fields(fields, count, 32 + 8 * damage_records(image, site->vector), n,
                                 behind, sizeof behind, 0);
    default:
        return damage_add_fields(fields, 0, 0, n, description, sizeof description, 4);
    }
}

/* What the variants of a value are, in this order. */
#define VARIANTS_VALUE 7    /* NULL, numbers, text, no bytes */
#define VARIANTS_NUMBER 6   /* near to what it was, or that of another row */
#define VARIANTS_ROW 8      /* of the row as a whole */
#define VARIANTS_BYTES 6    /* lengths, zeros, the bytes of another row */
#define VARIANTS_FLIPS 16   /* random bits; the odd ones sealed, as all below */
#define VARIANTS_PATTERN 20 /* of each field */

static size_t damage_count_variants(const damage_image *image, const damage_site *site)
{
    damage_field fields[FIELDS_MAX];
    if (site->is_key) {
        return VARIANTS_ROW;
    }
    if (site->bytes == 0) {
        return VARIANTS_VALUE + VARIANTS_NUMBER;
    }
    return VARIANTS_VALUE + VARIANTS_BYTES + VARIANTS_FLIPS +
           VARIANTS_PATTERN * damage_fields(image, site, fields);
}

/* Adds the sites of every column of some rows of a table; `sample` is a condition on `id`. */
static void damage_add_sites(damage_image *image, sqlite3 *db, const damage_site *prototype,
                             const char *sample)
{
    sqlite3_stmt *stmt = NULL;
    const char *key = prototype->role == DAMAGE_INFO ? "key" : "id";
    char *sql =
        sqlite3_mprintf("SELECT quote(%s), * FROM %s WHERE %s", key, prototype->table, sample);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        for (int i = 1; i < sqlite3_column_count(stmt); i++) {
            damage_site site = *prototype;
            const char *column = sqlite3_column_name(stmt, i);
            snprintf(site.column, sizeof site.column, "%s", column);
            snprintf(site.key, sizeof site.key, "%s", (const char *)sqlite3_column_text(stmt, 0));
            site.is_key = strcmp(column, key) == 0;
            site.is_data = site.role == DAMAGE_ROWS && column[0] == 'c' &&
                           !(image->kind == DAMAGE_PARTED && column[1] < '2');
            site.bytes = sqlite3_column_type(stmt, i) == SQLITE_BLOB
                             ? (size_t)sqlite3_column_bytes(stmt, i)
                             : 0;
            site.variants = damage_count_variants(image, &site);
            image->sites = realloc(image->sites, (image->site_count + 1) * sizeof site);
            assert_non_null(image->sites);
            image->sites[image->site_count++] = site;
        }
    }
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
}

/* Rows of t_vectors<n>: the first ones of a full cell, of one with free slots, and of an open one. */
static void damage_add_vectors(damage_image *image, sqlite3 *db, int vector)
{
    damage_site site = {.role = DAMAGE_VECTORS, .vector = vector};
    char sample[200];
    unsigned slots = image->geometry.slots;
    snprintf(site.table, sizeof site.table, "t_vectors%d", vector);
    for (int is_coded = 0; is_coded < 2; is_coded++) {
        /* the open cells of each table are the third one and the fifth */
        snprintf(sample, sizeof sample, "id * %u %% %u = 0 AND id * %u / %u %s (3, 5)",
                 image->geometry.vectors[vector].per_row, slots,
                 image->geometry.vectors[vector].per_row, slots, is_coded ? "NOT IN" : "IN");
        site.is_coded = is_coded && image->geometry.vectors[vector].is_coded;
        damage_add_sites(image, db, &site, sample);
    }
    if (image->geometry.vectors[vector].is_coded) {
        site.role = DAMAGE_CODES;
        snprintf(site.table, sizeof site.table, "t_codes%d", vector);
        damage_add_sites(image, db, &site, "1");
    }
    if (image->geometry.vectors[vector].per_block > 0) {
        size_t before = image->site_count;
        site.role = DAMAGE_COLD;
        snprintf(site.table, sizeof site.table, "t_cold%d", vector);
        damage_add_sites(image, db, &site, "1");
        assert_true(image->site_count > before);
    }
}

static void damage_list_sites(damage_image *image, sqlite3 *db)
{
    static const damage_site info = {.role = DAMAGE_INFO, .table = "t_info"},
                             cells = {.role = DAMAGE_CELLS, .table = "t_cells"},
                             parts = {.role = DAMAGE_PARTS, .table = "t_parts"},
                             rows = {.role = DAMAGE_ROWS, .table = "t_rows"};
    damage_add_sites(image, db, &info, "1");
    if (image->kind == DAMAGE_KEYED) { /* the dictionary of column a */
        size_t before = image->site_count;
        damage_add_sites(image, db, &info, "key GLOB 'text/5/*'");
        assert_true(image->site_count > before);
    }
    damage_add_sites(image, db, &cells, "1");
    if (image->kind == DAMAGE_PARTED) {
        damage_add_sites(image, db, &parts, "1");
    }
    damage_add_sites(image, db, &rows, "id IN (1, 16, 22, 34, 37, 53)");
    for (int i = 0; i < image->vectors; i++) {
        damage_add_vectors(image, db, i);
    }
}

/* ---- images ---------------------------------------------------------------------------------- */

static void damage_read_geometry(sqlite3 *db, damage_image *image)
{
    vs_declaration declaration;
    vs_err err = VS_ERR_INIT;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT CAST(value AS TEXT) FROM t_info WHERE key = "
                                        "'declaration'",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(
        vs_declare_from_text("t", (const char *)sqlite3_column_text(stmt, 0), &declaration, &err),
        SQLITE_OK);
    vs_format_geometry(&declaration, &image->geometry);
    image->vectors = declaration.vector_count;
    vs_declare_free(&declaration);
    sqlite3_finalize(stmt);
}

void damage_build(damage_kind kind, damage_image *out)
{
    const damage_design *design = &designs[kind];
    sqlite3 *db = vs_test_open();
    memset(out, 0, sizeof *out);
    out->kind = kind;
    vs_test_run(db, design->create);
    vs_test_run(db, "BEGIN");
    damage_fill(db, design);
    vs_test_run(db, design->finish);
    vs_test_run(db, "COMMIT");
    damage_read_geometry(db, out);
    assert_int_equal(out->geometry.slots, VS_SLOTS_MIN);
    damage_list_sites(out, db);
    out->bytes = sqlite3_serialize(db, "main", &out->n, 0);
    assert_non_null(out->bytes);
    vs_test_close(db);
}

void damage_free(damage_image *image)
{
    sqlite3_free(image->bytes);
    free(image->sites);
    memset(image, 0, sizeof *image);
}

static int progress_left;

static int damage_progress(void *arg)
{
    (void)arg;
    return --progress_left < 0;
}

sqlite3 *damage_open(const damage_image *image)
{
    sqlite3 *db = vs_test_open();
    unsigned char *copy = sqlite3_malloc64((sqlite3_uint64)image->n);
    assert_non_null(copy);
    memcpy(copy, image->bytes, (size_t)image->n);
    assert_int_equal(
        sqlite3_deserialize(db, "main", copy, image->n, image->n,
                            SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE),
        SQLITE_OK);
    progress_left = PROGRESS_MAX;
    sqlite3_progress_handler(db, PROGRESS_STEPS, damage_progress, NULL);
    return db;
}

/* ---- alterations of bytes -------------------------------------------------------------------- */

static void damage_set32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

/* Sets the checksum at `at` to that of [from, to). */
static void damage_seal_range(uint8_t *bytes, size_t at, size_t from, size_t to)
{
    damage_set32(bytes + at, vsk_get()->checksum(bytes + from, to - from));
}

/* The size that a record of t_vectors<n> has. */
static size_t damage_record_bytes(const damage_image *image, int vector, const uint8_t *record)
{
    size_t half_bytes = image->geometry.vectors[vector].half_bytes;
    return half_bytes > 0 && !vs_format_is_whole(record)
               ? half_bytes
               : image->geometry.vectors[vector].record_bytes;
}

/* Sets every checksum right, as a forger would. Zero records stay so. */
static void damage_seal(const damage_image *image, const damage_site *site, uint8_t *bytes,
                        size_t n)
{
    size_t slots = image->geometry.slots;
    size_t coarse = image->geometry.vectors[site->vector].coarse_bytes;
    size_t fine = image->geometry.vectors[site->vector].fine_bytes;
    if (site->role == DAMAGE_VECTORS) {
        for (size_t at = 0; at + VS_RECORD_HEADER_BYTES <= n;) {
            size_t record = damage_record_bytes(image, site->vector, bytes + at);
            if (record <= n - at) {
                damage_seal_range(bytes, at, at + 4, at + record);
            }
            at += record;
        }
    } else if (site->role == DAMAGE_CODES) {
        for (size_t i = 0; i < slots && slots * (coarse + fine) == n; i++) {
            uint8_t *of_fine = bytes + slots * coarse + i * fine;
            damage_set32(bytes + i * coarse + 4, vsk_get()->checksum(of_fine, fine));
            damage_seal_range(bytes, i * coarse, i * coarse + 4, (i + 1) * coarse);
        }
    } else if (n > 8 && memcmp(bytes, "VS", 2) == 0) {
        damage_seal_range(bytes, 4, 8, n);
    }
}

#define PATTERNS_NEAR 7 /* from here on they change the last bits alone */

/* Writes the n-th pattern into a field. */
static void damage_pattern(uint8_t *at, size_t width, size_t n)
{
    static const uint64_t of8[] = {0, 1, 1ull << 46, 1ull << 62, INT64_MAX, 1ull << 63, UINT64_MAX};
    static const uint32_t of4[] = {0,          1,          0x7fffffff, 0x80000000,
                                   0xffffffff, 0x7f800000, 0x7fc00000};
    uint64_t value = 0;
    memcpy(&value, at, width);
    switch (n) {
    case PATTERNS_NEAR:
        value++;
        break;
    case PATTERNS_NEAR + 1:
        value--;
        break;
    case PATTERNS_NEAR + 2:
        value ^= 2;
        break;
    default:
        value = width == 8 ? of8[n] : of4[n];
        break;
    }
    memcpy(at, &value, width);
}

/* A variant of bytes[n], which has room for one more byte. Returns the new length. */
static size_t damage_alter_bytes(const damage_image *image, const damage_site *site, size_t variant,
                                 uint8_t *bytes, size_t n)
{
    damage_field fields[FIELDS_MAX];
    if (variant < 3) {
        bytes[n] = 0;
        return variant == 0 ? n - 1 : variant == 1 ? n / 2 : n + 1;
    }
    if (variant == 3) {
        memset(bytes, 0, n);
        return n;
    }
    variant -= VARIANTS_BYTES;
    if (variant < VARIANTS_FLIPS) {
        uint64_t random = 0x2545f4914f6cdd1du * (variant / 2 + 1);
        uint64_t bit = vs_test_random(&random) % (8 * n);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    } else {
        variant -= VARIANTS_FLIPS;
        (void)damage_fields(image, site, fields);
        const damage_field *field = &fields[variant / VARIANTS_PATTERN];
        damage_pattern(bytes + field->at, field->width, variant % VARIANTS_PATTERN / 2);
    }
    if (variant % 2 == 1) {
        damage_seal(image, site, bytes, n);
    }
    return n;
}

/*
 * Is the table as sound with this variant, which has right checksums? With another vector, or none,
 * that no code contradicts; or with no ids left for new cells.
 */
static int damage_is_sound(const damage_image *image, const damage_site *site, size_t variant)
{
    damage_field fields[FIELDS_MAX];
    if (variant % 2 == 0 || variant < VARIANTS_BYTES) {
        return 0;
    }
    variant -= VARIANTS_BYTES;
    if (variant < VARIANTS_FLIPS) {
        return site->role == DAMAGE_VECTORS; /* its least bit may not reach the code */
    }
    variant -= VARIANTS_FLIPS;
    size_t count = damage_fields(image, site, fields);
    assert_true(variant / VARIANTS_PATTERN < count);
    size_t at = fields[variant / VARIANTS_PATTERN].at;
    if (site->role == DAMAGE_CELLS) {
        return site->bytes == VS_HEAD_BYTES && at == HEAD_NEXT_CELL;
    }
    at %= image->geometry.vectors[site->vector].record_bytes;
    int is_small = variant % VARIANTS_PATTERN / 2 >= PATTERNS_NEAR;
    return site->role == DAMAGE_VECTORS && (at == 4 || at >= VS_RECORD_HEADER_BYTES) &&
           (!site->is_coded || is_small);
}

/* ---- alterations of values ------------------------------------------------------------------- */

/* Runs an UPDATE, INSERT or DELETE on a shadow table, with a BLOB as ?1. Returns whether anything
 * changed: constraints may refuse it. Frees `sql`. */
static int damage_exec(sqlite3 *db, char *sql, const void *data, size_t n)
{
    sqlite3_stmt *stmt = NULL;
    assert_non_null(sql);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    if (data != NULL) {
        sqlite3_bind_blob64(stmt, 1, data, n, SQLITE_TRANSIENT);
    }
    int rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return rc == SQLITE_DONE && sqlite3_changes(db) > 0;
}

static int damage_alter_row(sqlite3 *db, const damage_site *site, size_t variant)
{
    static const char *const to[] = {"max(%s) + 1", "-1", "0", "4611686018427387904"};
    const char *t = site->table, *c = site->column;
    if (variant == 0) {
        return damage_exec(db, sqlite3_mprintf("DELETE FROM %s WHERE %s = %s", t, c, site->key),
                           NULL, 0);
    }
    if (variant == 1) { /* in the place of another row */
        return damage_exec(db,
                           sqlite3_mprintf("UPDATE OR REPLACE %s SET %s = (SELECT %s FROM %s WHERE "
                                           "%s <> %s LIMIT 1) WHERE %s = %s",
                                           t, c, c, t, c, site->key, c, site->key),
                           NULL, 0);
    }
    const char *form = to[(variant - 2) % 4];
    char *value = variant == 2 || variant == 6
                      ? sqlite3_mprintf("(SELECT max(%s) + 1 FROM %s)", c, t)
                      : sqlite3_mprintf("%s", form);
    char *sql = NULL;
    if (variant < 6 || site->role == DAMAGE_ROWS) {
        sql = sqlite3_mprintf("UPDATE OR REPLACE %s SET %s = %s WHERE %s = %s", t, c, value, c,
                              site->key);
    } else { /* a copy */
        sql =
            sqlite3_mprintf("INSERT OR REPLACE INTO %s SELECT %s%s FROM %s WHERE %s = %s", t, value,
                            site->role == DAMAGE_CELLS   ? ", part, open, data"
                            : site->role == DAMAGE_PARTS ? ", c0, c1"
                            : site->role == DAMAGE_INFO  ? ", value"
                            : site->role == DAMAGE_COLD  ? ", stamp, data"
                                                         : ", data",
                            t, c, site->key);
    }
    sqlite3_free(value);
    return damage_exec(db, sql, NULL, 0);
}

/* The key of the site's row in a condition. */
#define WHERE_KEY "WHERE %s = %s"

static int damage_set_value(sqlite3 *db, const damage_site *site, const char *expression)
{
    const char *key = site->role == DAMAGE_INFO ? "key" : "id";
    return damage_exec(db,
                       sqlite3_mprintf("UPDATE OR REPLACE %s SET %s = (%s) " WHERE_KEY, site->table,
                                       site->column, expression, key, site->key),
                       NULL, 0);
}

/* The value of another row instead. */
static int damage_set_other(sqlite3 *db, const damage_site *site, const char *order)
{
    const char *key = site->role == DAMAGE_INFO ? "key" : "id";
    char *expression = sqlite3_mprintf("SELECT %s FROM %s WHERE %s <> %s ORDER BY %s %s LIMIT 1",
                                       site->column, site->table, key, site->key, key, order);
    int is_changed = damage_set_value(db, site, expression);
    sqlite3_free(expression);
    return is_changed;
}

static int damage_alter_number(sqlite3 *db, const damage_site *site, size_t variant)
{
    static const char *const forms[] = {"%s + 1", "%s - 1", "%s + 16", "%s * 16.5"};
    if (variant >= 4) {
        return damage_set_other(db, site, variant == 4 ? "ASC" : "DESC");
    }
    char *expression = sqlite3_mprintf(forms[variant], site->column);
    int is_changed = damage_set_value(db, site, expression);
    sqlite3_free(expression);
    return is_changed;
}

static int damage_alter_blob(const damage_image *image, sqlite3 *db, const damage_site *site,
                             size_t variant)
{
    const char *key = site->role == DAMAGE_INFO ? "key" : "id";
    sqlite3_stmt *stmt = NULL;
    int is_changed = 0;
    char *sql =
        sqlite3_mprintf("SELECT %s FROM %s " WHERE_KEY, site->column, site->table, key, site->key);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    sqlite3_free(sql);
    /* the row may have gone, or have another length, when several sites are altered */
    if (sqlite3_step(stmt) == SQLITE_ROW && (size_t)sqlite3_column_bytes(stmt, 0) == site->bytes) {
        uint8_t *bytes = malloc(site->bytes + 1);
        assert_non_null(bytes);
        memcpy(bytes, sqlite3_column_blob(stmt, 0), site->bytes);
        size_t n = damage_alter_bytes(image, site, variant, bytes, site->bytes);
        is_changed = n != site->bytes || memcmp(bytes, sqlite3_column_blob(stmt, 0), n) != 0;
        sqlite3_reset(stmt);
        if (is_changed) {
            is_changed = damage_exec(db,
                                     sqlite3_mprintf("UPDATE %s SET %s = ?1 " WHERE_KEY,
                                                     site->table, site->column, key, site->key),
                                     bytes, n);
        }
        free(bytes);
    }
    sqlite3_finalize(stmt);
    return is_changed;
}

int damage_alter(const damage_image *image, sqlite3 *db, const damage_site *site, size_t variant,
                 int *out_is_data)
{
    static const char *const values[VARIANTS_VALUE] = {"NULL",   "0",   "-1", "4611686018427387904",
                                                       "'text'", "x''", "1.5"};
    *out_is_data = site->is_data;
    progress_left = PROGRESS_MAX;
    if (site->is_key) {
        return damage_alter_row(db, site, variant);
    }
    if (variant < VARIANTS_VALUE) {
        return damage_set_value(db, site, values[variant]);
    }
    variant -= VARIANTS_VALUE;
    if (site->bytes == 0) {
        return damage_alter_number(db, site, variant);
    }
    if (variant == 4 || variant == 5) {
        return damage_set_other(db, site, variant == 4 ? "ASC" : "DESC");
    }
    *out_is_data |= damage_is_sound(image, site, variant);
    return damage_alter_blob(image, db, site, variant);
}

/* ---- statements ------------------------------------------------------------------------------ */

#define PARTED (1u << DAMAGE_PARTED)
#define KEYED (1u << DAMAGE_KEYED)
#define CONTENT (1u << DAMAGE_CONTENT)
#define OWN (PARTED | KEYED)
#define ALL (OWN | CONTENT)

#define SEARCH_V "SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM q) AND k = 9"
#define CHECK "INSERT INTO t(t) VALUES('integrity-check')"

const damage_statement damage_statements[] = {
    {ALL, DAMAGE_READ, SEARCH_V},
    {ALL, DAMAGE_READ, "SELECT rowid, distance FROM t WHERE u MATCH (SELECT u FROM q) AND k = 9"},
    {PARTED, DAMAGE_READ,
     "SELECT rowid, distance FROM t WHERE w MATCH (SELECT w FROM q) ORDER BY distance LIMIT 20"},
    {ALL, DAMAGE_READ, "SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM q)"},
    {PARTED, DAMAGE_READ,
     "SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM q) AND k = 5 AND p = 2"},
    {PARTED, DAMAGE_READ,
     "SELECT rowid, distance FROM t WHERE w MATCH (SELECT w FROM q) AND k = 7 AND p IN (1, 2) AND "
     "x = 'a'"},
    {PARTED, DAMAGE_READ,
     "SELECT rowid, distance FROM t WHERE u MATCH (SELECT u FROM q) AND k = 3 AND x IS NULL"},
    {ALL, DAMAGE_READ,
     "SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM q) AND k = 4 AND m = 'm1'"},
    {ALL, DAMAGE_READ,
     "SELECT rowid, distance FROM t WHERE u MATCH (SELECT u FROM q) AND distance < 500"},
    {ALL, DAMAGE_READ,
     "SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM q) AND k = 3 AND rowid IN (1, 2, "
     "5, 18, 36)"},
    {ALL, DAMAGE_READ, "SELECT count(*) FROM t"},
    {OWN, DAMAGE_READ, "SELECT rowid, vec_norm(v), hex(u), m FROM t"},
    {PARTED, DAMAGE_READ, "SELECT rowid, p, x, vec_norm(w), a FROM t WHERE p = 2"},
    {ALL, DAMAGE_READ, "SELECT rowid, m FROM t WHERE rowid IN (1, 16, 34, 37, 53)"},
    {KEYED, DAMAGE_READ, "SELECT rowid, m, vec_norm(v) FROM t WHERE id = 'key34'"},
    {KEYED, DAMAGE_READ, "SELECT rowid, a FROM t"},
    {KEYED, DAMAGE_READ,
     "SELECT rowid, distance FROM t WHERE v MATCH (SELECT v FROM q) AND k = 4 AND a LIKE '%7%'"},
    {OWN, DAMAGE_READ, "SELECT id, distance FROM vec_search('t', 'v', (SELECT v FROM q), 5)"},
    {CONTENT, DAMAGE_READ,
     "SELECT id, distance FROM vec_search('docs', 'v', (SELECT v FROM q), 5)"},
    {ALL, DAMAGE_CHECK, CHECK},
    {PARTED, DAMAGE_WRITE,
     "INSERT INTO t(rowid, p, x, v, w, u) SELECT 100, 1, 'a', v, w, u FROM q"},
    {PARTED, DAMAGE_WRITE,
     "INSERT INTO t(p, x, v, w, u) SELECT value, 'n', v, w, u FROM q, (SELECT 2 AS value UNION ALL "
     "SELECT 9)"},
    {PARTED, DAMAGE_WRITE, "UPDATE t SET p = 2 WHERE rowid = 3"},
    {PARTED, DAMAGE_WRITE, "UPDATE t SET v = NULL, w = NULL WHERE rowid IN (39, 44)"},
    {PARTED, DAMAGE_WRITE, "UPDATE t SET x = 'a' WHERE rowid = 53"},
    {KEYED, DAMAGE_WRITE, "INSERT INTO t(id, v, u) SELECT 'new', v, u FROM q"},
    {KEYED, DAMAGE_WRITE, "INSERT OR REPLACE INTO t(id, v, u) SELECT 'key5', v, u FROM q"},
    {KEYED, DAMAGE_WRITE, "UPDATE t SET id = 'other' WHERE id = 'key34'"},
    {KEYED, DAMAGE_WRITE, "UPDATE t SET a = a || '.' WHERE rowid IN (3, 17)"},
    {OWN, DAMAGE_WRITE, "UPDATE t SET v = (SELECT v FROM q) WHERE rowid IN (1, 34)"},
    {OWN, DAMAGE_WRITE, "UPDATE t SET rowid = 200 WHERE rowid = 16"},
    {OWN, DAMAGE_WRITE, "UPDATE t SET m = 'm5' WHERE m = 'm2'"},
    {OWN, DAMAGE_WRITE, "DELETE FROM t WHERE rowid IN (2, 22, 37)"},
    {CONTENT, DAMAGE_WRITE, "INSERT INTO docs SELECT 100, v, u, 'm1' FROM q"},
    {CONTENT, DAMAGE_WRITE, "UPDATE docs SET v = (SELECT v FROM q) WHERE id IN (1, 34)"},
    {CONTENT, DAMAGE_WRITE, "UPDATE docs SET id = 200 WHERE id = 16"},
    {CONTENT, DAMAGE_WRITE, "UPDATE docs SET m = 'm5' WHERE m = 'm2'"},
    {CONTENT, DAMAGE_WRITE, "DELETE FROM docs WHERE id IN (2, 22, 37)"},
    {OWN, DAMAGE_WRITE, "INSERT INTO t(t, arg) VALUES('tier', 'warm')"},
    {OWN, DAMAGE_WRITE, "INSERT INTO t(t, arg) VALUES('tier', 'cold')"},
    {ALL, DAMAGE_WRITE, "INSERT INTO t(t, arg) VALUES('merge', 3)"},
    {ALL, DAMAGE_WRITE, SEARCH_V},
    {ALL, DAMAGE_WRITE, "INSERT INTO t(t) VALUES('optimize')"},
    {ALL, DAMAGE_WRITE, "INSERT INTO t(t) VALUES('rebuild')"},
    {ALL, DAMAGE_WRITE, SEARCH_V},
    {ALL, DAMAGE_WRITE, CHECK},
    {ALL, DAMAGE_WRITE, "PRAGMA integrity_check"},
    {ALL, DAMAGE_DROP, "DROP TABLE t"},
    {ALL, DAMAGE_DROP, "SELECT name FROM sqlite_schema WHERE name NOT IN ('docs', 'q')"},
};
const size_t damage_statement_count = VS_TEST_COUNT(damage_statements);

/* May damage give this code? A write that was begun and fails must end the transaction: IOERR. */
static int damage_is_allowed(int rc, damage_phase phase)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ERROR:
    case SQLITE_CORRUPT:
        return 1;
    case SQLITE_CONSTRAINT:
    case SQLITE_IOERR:
    case SQLITE_MISMATCH:
    case SQLITE_FULL:
        return phase == DAMAGE_WRITE;
    default:
        return 0;
    }
}

int damage_run(sqlite3 *db, const damage_statement *statement, char **out_result,
               const char **out_fault)
{
    sqlite3_int64 before = sqlite3_memory_used();
    progress_left = PROGRESS_MAX;
    (void)sqlite3_memory_highwater(1);
    int rc = vs_test_query(db, statement->sql, out_result);
    *out_fault = NULL;
    if (!damage_is_allowed(rc, statement->phase)) {
        *out_fault = "an unexpected code";
    } else if (rc != SQLITE_OK && (*out_result == NULL || (*out_result)[0] == '\0')) {
        *out_fault = "an error without a sentence";
    } else if (sqlite3_memory_highwater(0) - before > MEMORY_MAX) {
        *out_fault = "memory out of proportion";
    }
    return rc;
}
