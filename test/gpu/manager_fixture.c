/*
 * manager_fixture.c - see manager_fixture.h.
 */
#define _GNU_SOURCE

#include "manager_fixture.h"

#include <limits.h>
#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../ext/distance.h"

#define MANAGER_SECONDS 60 /* of a child, instead of waiting forever */

/* ---- children -------------------------------------------------------------------------------- */

void manager_fail(const char *file, int line, const char *words)
{
    (void)fprintf(stderr, "%s:%d: %s\n", file, line, words);
    _exit(1);
}

const char *manager_program_folder(void)
{
    static char folder[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
    assert_true(length > 0);
    folder[length] = '\0';
    *strrchr(folder, '/') = '\0';
    return folder;
}

const char *manager_fake_path(void)
{
    static char path[PATH_MAX + 32];
    (void)snprintf(path, sizeof path, "%s/vecshard_cuda_fake.so", manager_program_folder());
    return path;
}

const char *manager_module_path(void)
{
    const char *real = vsg_real_path();
    return real != NULL ? real : manager_fake_path();
}

static void manager_set(const char *name, const char *value)
{
    (void)(value != NULL ? setenv(name, value, 1) : unsetenv(name));
}

static vsg_fake *manager_load_fake(void)
{
    vsg_fake *fake = vsg_real_control(manager_module_path());
    MANAGER_CHECK(fake != NULL || vsg_real_path() != NULL);
    return fake != NULL ? fake : vsg_real_nothing();
}

static void manager_run_child(const char *library, const char *wish, void (*plain)(void),
                              void (*faked)(vsg_fake *fake))
{
    int status = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(MANAGER_SECONDS);
        manager_set("VECSHARD_CUDA_LIB", library);
        manager_set("VECSHARD_CUDA", wish);
        MANAGER_CHECK(vsk_init(NULL) == 0);
        if (plain != NULL) {
            plain();
        } else {
            faked(manager_load_fake());
        }
        if (atomic_load(&vs_gpu.state) == VS_GPU_DEAD) {
            _exit(0); /* what a dead device has of the host is left to it: that is no leak */
        }
        exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("the child ended with status %d", status);
    }
}

void manager_run(void (*scenario)(vsg_fake *fake))
{
    manager_run_child(manager_module_path(), NULL, NULL, scenario);
}

void manager_run_with(const char *library, const char *wish, void (*scenario)(void))
{
    manager_run_child(library, wish, scenario, NULL);
}

/* ---- the card -------------------------------------------------------------------------------- */

void manager_use_small_card(vsg_fake *fake, int segments)
{
    vs_gpu_settings settings;
    vs_gpu_read_settings(&settings);
    atomic_store(&fake->context_bytes, 16 * MANAGER_MIB);
    settings.budget_mb = 16 + 8 + 2 * segments;
    settings.min_rows = 1;
    vs_gpu_set_settings(&settings);
}

int manager_room_segments(void)
{
    vs_gpu_info info;
    vs_gpu_read_info(&info);
    return (int)((info.budget_bytes - info.used_bytes) / (2 * MANAGER_MIB));
}

vs_gpu_state manager_state(void)
{
    vs_gpu_info info;
    vs_gpu_read_info(&info);
    return info.state;
}

void manager_step_clock(double seconds)
{
    atomic_fetch_add(&vs_gpu_clock_ahead_ns, (int64_t)(seconds * 1e9));
}

void manager_check_books(const vsg_fake *fake)
{
    vs_gpu_info info;
    vs_gpu_read_info(&info);
    MANAGER_CHECK(info.used_bytes <= info.budget_bytes);
    MANAGER_CHECK(fake->over_budget == 0 && fake->forked_calls == 0);
    if (info.state == VS_GPU_OPEN && fake != vsg_real_nothing()) {
        MANAGER_CHECK(info.used_bytes == info.context_bytes + fake->bytes);
    }
}

void manager_check_end(const vsg_fake *fake)
{
    vs_gpu_stop();
    MANAGER_CHECK(vs_gpu.images == NULL);
    MANAGER_CHECK(sqlite3_memory_used() == 0);
    MANAGER_CHECK(fake->forked_calls == 0);
    if (!fake->is_lost) {
        MANAGER_CHECK(fake->bytes == 0 && fake->pinned_bytes == 0 && fake->objects == 0);
    }
}

/* ---- columns --------------------------------------------------------------------------------- */

static float manager_value(uint64_t *random)
{
    return (float)((int64_t)(vs_test_random(random) % 4001) - 2000) / 512.0f;
}

/* One element; the value that it has. */
static float manager_put(void *at, size_t i, vsk_type type, float value)
{
    uint32_t bits;
    if (type == VSK_I8) {
        ((int8_t *)at)[i] = (int8_t)(value * 16.0f);
        return ((int8_t *)at)[i];
    }
    if (type == VSK_BF16) {
        memcpy(&bits, &value, sizeof bits);
        bits &= 0xffff0000u;
        ((uint16_t *)at)[i] = (uint16_t)(bits >> 16);
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    assert(type == VSK_F32);
    ((float *)at)[i] = value;
    return value;
}

void manager_column_init_as(manager_column *self, uint32_t number, vs_gpu_kind kind, uint32_t rows,
                            double told_rows, vsk_type type, size_t dim)
{
    memset(self, 0, sizeof *self);
    self->seed = 77 + number;
    self->rows = rows;
    self->want = (vs_gpu_want){.label = "docs.embedding",
                               .type = type,
                               .dim = dim,
                               .metric = VS_L2SQ,
                               .rows = told_rows,
                               .query_count = 1,
                               .k = 10,
                               .mode = VS_GPU_PREFER};
    self->want.key.file = 1 + number / 8;
    self->want.key.table[0] = (uint8_t)number;
    self->want.key.column = number;
    self->want.key.kind = (uint32_t)kind;
    self->vectors = malloc((size_t)rows * dim * 4 + 1);
    MANAGER_CHECK(self->vectors != NULL);
    for (size_t i = 0; i < rows * dim; i++) {
        (void)manager_put(self->vectors, i, type, manager_value(&self->seed));
    }
}

void manager_column_init(manager_column *self, uint32_t number, vs_gpu_kind kind, uint32_t rows,
                         double told_rows)
{
    manager_column_init_as(self, number, kind, rows, told_rows, VSK_F32, 16);
}

void manager_column_free(manager_column *self)
{
    free(self->vectors);
    self->vectors = NULL;
}

static const uint8_t *manager_row(const manager_column *column, uint32_t row)
{
    return (const uint8_t *)column->vectors +
           row * vs_gpu_row_bytes(column->want.type, column->want.dim);
}

uint32_t manager_segments(const vs_gpu_image *image, const manager_column *column)
{
    uint32_t rows = vs_gpu_image_segment_rows(image);
    return (column->rows + rows - 1) / rows;
}

/* ---- filling --------------------------------------------------------------------------------- */

static int manager_fill_one(vs_gpu_fill *fill, const vs_gpu_image *image,
                            const manager_column *column, uint32_t segment)
{
    uint32_t rows = vs_gpu_image_segment_rows(image), first = segment * rows;
    uint32_t count = column->rows - first < rows ? column->rows - first : rows;
    uint32_t *bits = calloc(rows / 32, sizeof *bits);
    MANAGER_CHECK(bits != NULL && column->rows > first);
    for (uint32_t i = 0; i < count; i++) {
        bits[i / 32] |= 1u << i % 32;
    }
    int is_good = vs_gpu_fill_segment(fill, segment) &&
                  vs_gpu_fill_rows(fill, segment, 0, manager_row(column, first), count / 2) &&
                  vs_gpu_fill_rows(fill, segment, count / 2, manager_row(column, first + count / 2),
                                   count - count / 2) &&
                  vs_gpu_fill_live(fill, segment, bits);
    free(bits);
    return is_good;
}

int manager_fill_segments(vs_gpu_image *image, const manager_column *column, uint32_t first,
                          uint32_t last)
{
    vs_gpu_fill *fill = vs_gpu_fill_begin(image);
    int is_good = fill != NULL;
    for (uint32_t i = first; is_good && i <= last; i++) {
        is_good = manager_fill_one(fill, image, column, i);
    }
    /* an index may be resident in parts */
    vs_gpu_fill_end(fill, is_good || column->want.key.kind == VS_GPU_INDEX);
    return is_good;
}

int manager_fill(vs_gpu_image *image, const manager_column *column)
{
    return manager_fill_segments(image, column, 0, manager_segments(image, column) - 1);
}

uint32_t manager_resident(const manager_column *column)
{
    vs_gpu_image *image = vs_gpu_image_find(&column->want);
    uint32_t count = 0;
    for (uint32_t i = 0; image != NULL && i < vs_gpu_image_segments(image); i++) {
        count += (uint32_t)vs_gpu_image_is_resident(image, i);
    }
    vs_gpu_image_unref(image);
    return count;
}

/* ---- searching ------------------------------------------------------------------------------- */

typedef struct manager_question {
    float *values; /* [count][dim] */
    uint8_t *own;  /* the same in the column's type */
    uint8_t *is_resident;
    uint32_t *wanted; /* NULL: all */
    uint32_t segments;
    size_t count, k;
    vs_metric metric;
} manager_question;

static int manager_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

manager_limits manager_limit = {-INFINITY, INFINITY, 0};
_Atomic size_t manager_exact_hits;

/* May this row be in an answer, whatever its distance? */
static int manager_is_asked(const manager_question *question, uint32_t segment_rows, uint32_t row)
{
    uint32_t segment = row / segment_rows;
    return segment < question->segments && question->is_resident[segment] &&
           (manager_limit.wanted_step == 0 || row % manager_limit.wanted_step == 0);
}

/* Distances of one query to all rows that are asked for; infinity for the others. */
static double *manager_distances(const manager_column *column, uint32_t segment_rows,
                                 const manager_question *question, size_t query)
{
    size_t dim = column->want.dim;
    double *distances = malloc((column->rows + 1) * sizeof *distances);
    MANAGER_CHECK(distances != NULL);
    for (uint32_t i = 0; i < column->rows; i++) {
        distances[i] = INFINITY;
        if (manager_is_asked(question, segment_rows, i)) {
            (void)vs_distance(question->metric, column->want.type,
                              question->own + query * vs_gpu_row_bytes(column->want.type, dim),
                              manager_row(column, i), dim, &distances[i]);
        }
    }
    return distances;
}

/* The k-th smallest of the distances within the limits; infinity: there are fewer. */
static double manager_kth(const double *distances, uint32_t rows, size_t k)
{
    double *sorted = malloc((rows + 1) * sizeof *sorted);
    size_t count = 0;
    MANAGER_CHECK(sorted != NULL);
    for (uint32_t i = 0; i < rows; i++) {
        if (distances[i] > manager_limit.lo && distances[i] <= manager_limit.hi) {
            sorted[count++] = distances[i];
        }
    }
    qsort(sorted, count, sizeof *sorted, manager_compare);
    double kth = k <= count ? sorted[k - 1] : INFINITY;
    free(sorted);
    return kth;
}

/* Every row among the k nearest is a hit, bounds hold, hits are in order. */
static void manager_check_hits(const manager_column *column, uint32_t segment_rows,
                               const manager_question *question, size_t query,
                               const vs_gpu_hit *hits, size_t count)
{
    double *distances = manager_distances(column, segment_rows, question, query);
    double kth = manager_kth(distances, column->rows, question->k);
    uint8_t *is_hit = calloc(column->rows + 1, 1);
    MANAGER_CHECK(is_hit != NULL);
    for (size_t i = 0; i < count; i++) {
        uint32_t row = hits[i].segment * segment_rows + hits[i].row;
        MANAGER_CHECK(row < column->rows && !is_hit[row] && distances[row] < INFINITY);
        MANAGER_CHECK(hits[i].lo <= distances[row]);
        MANAGER_CHECK(!hits[i].is_exact || hits[i].lo == distances[row]);
        MANAGER_CHECK(i == 0 || hits[i - 1].lo <= hits[i].lo);
        is_hit[row] = 1;
        manager_exact_hits += (size_t)hits[i].is_exact;
    }
    for (uint32_t i = 0; i < column->rows; i++) {
        MANAGER_CHECK(is_hit[i] || distances[i] == INFINITY || distances[i] > kth ||
                      distances[i] > manager_limit.hi || distances[i] < manager_limit.lo);
    }
    free(is_hit);
    free(distances);
}

static void manager_question_init(manager_question *self, const manager_column *column,
                                  vs_metric metric, size_t count, size_t k)
{
    size_t dim = column->want.dim;
    uint64_t random = column->seed * 3 + k;
    memset(self, 0, sizeof *self);
    self->count = count;
    self->k = k;
    self->metric = metric;
    self->values = malloc(count * dim * sizeof *self->values);
    self->own = malloc(count * dim * sizeof *self->values);
    MANAGER_CHECK(self->values != NULL && self->own != NULL);
    for (size_t i = 0; i < count * dim; i++) {
        self->values[i] = manager_put(self->own, i, column->want.type, manager_value(&random));
    }
}

static void manager_question_look(manager_question *self, vs_gpu_image *image)
{
    self->segments = vs_gpu_image_segments(image);
    self->is_resident = calloc(self->segments + 1, 1);
    MANAGER_CHECK(self->is_resident != NULL);
    for (uint32_t i = 0; i < self->segments; i++) {
        self->is_resident[i] = (uint8_t)vs_gpu_image_is_resident(image, i);
    }
    if (manager_limit.wanted_step != 0) {
        uint32_t rows = self->segments * vs_gpu_image_segment_rows(image);
        self->wanted = calloc(rows / 32 + 1, sizeof *self->wanted);
        MANAGER_CHECK(self->wanted != NULL);
        for (uint32_t i = 0; i < rows; i += manager_limit.wanted_step) {
            self->wanted[i / 32] |= 1u << i % 32;
        }
    }
}

vs_gpu_reason manager_search(vs_gpu_image *image, const manager_column *column, vs_metric metric,
                             size_t queries, size_t k)
{
    manager_question question;
    vs_gpu_reason reason;
    uint32_t rows = vs_gpu_image_segment_rows(image);
    manager_question_init(&question, column, metric, queries, k);
    uint64_t version = vs_gpu_image_version(image); /* before what it is the version of */
    manager_question_look(&question, image);
    vs_gpu_query query = {.metric = metric,
                          .queries = question.values,
                          .count = queries,
                          .k = k,
                          .distance_lo = manager_limit.lo,
                          .distance_hi = manager_limit.hi,
                          .wanted = question.wanted,
                          .wanted_rows = column->rows,
                          .version = version};
    vs_gpu_search *search = vs_gpu_search_begin(image, &query, &reason);
    if (search != NULL) {
        MANAGER_CHECK(reason == VS_GPU_NONE);
        MANAGER_CHECK(vs_gpu_search_wait(search, NULL, NULL, &reason) == SQLITE_OK);
        for (size_t q = 0; q < queries && reason == VS_GPU_NONE; q++) {
            size_t count = 0;
            vs_gpu_reason own = VS_GPU_NONE;
            const vs_gpu_hit *hits = vs_gpu_search_hits(search, q, &count, &own);
            if (own == VS_GPU_NONE) {
                manager_check_hits(column, rows, &question, q, hits, count);
            } else {
                MANAGER_CHECK(own == VS_GPU_CROWDED && count == 0);
            }
        }
        vs_gpu_search_end(search);
    }
    free(question.values);
    free(question.own);
    free(question.is_resident);
    free(question.wanted);
    return reason;
}

vs_gpu_advice manager_admit(manager_column *column)
{
    vs_gpu_advice advice = VS_GPU_TAKE_CPU;
    for (int i = 0; i < 3 && advice != VS_GPU_TAKE_GPU; i++) {
        vs_gpu_image *image = NULL;
        vs_gpu_reason reason;
        advice = vs_gpu_advise(&column->want, &image, &reason);
        MANAGER_CHECK((image != NULL) == (advice != VS_GPU_TAKE_CPU));
        MANAGER_CHECK((reason == VS_GPU_NONE) == (advice == VS_GPU_TAKE_GPU));
        if (advice == VS_GPU_TAKE_FILL) {
            (void)manager_fill(image, column);
        }
        vs_gpu_image_unref(image);
    }
    return advice;
}

vs_gpu_reason manager_ask(manager_column *column)
{
    vs_gpu_image *image = NULL;
    vs_gpu_reason reason;
    vs_gpu_advice advice = vs_gpu_advise(&column->want, &image, &reason);
    if (advice == VS_GPU_TAKE_GPU) {
        reason = manager_search(image, column, column->want.metric, column->want.query_count,
                                column->want.k);
    } else if (advice == VS_GPU_TAKE_FILL) {
        (void)manager_fill(image, column);
    }
    vs_gpu_image_unref(image);
    return reason;
}
