/*
 * gpu_admit.c - which columns get an image, and of what shape.
 *
 * A column is admitted when it is wished for a second time within a minute, so that one search of
 * every table does not turn the memory over; until then only the wish is remembered, with the state
 * of the table: one that changes between any two searches is never sent. The form is chosen by what
 * the budget has room for, beside the columns that are searched now.
 *
 * Calls: the module, gpu.c, gpu_cache.c, gpu_evict.c, gpu_cost.c.
 * Called by: whoever calls gpu.h.
 * Threads: all; see gpu_impl.h for the locks.
 */
#include "gpu_impl.h"

#if defined(VS_GPU_POSIX)

#include <math.h>

#define ADMIT_COUNT_MAX 256  /* beyond it, images without a segment go */
#define ADMIT_TERMS_BYTES 17 /* of a row, beside its elements: bounds, and whether it is live */
#define ADMIT_HOT_NS 60000000000
#define ADMIT_SMALL_BYTES (VS_GPU_SEGMENT_BYTES / 8) /* of a segment, made for a small column ... */
#define ADMIT_SMALL_COUNT 64                         /* that has grown to so many */

/* ---- shapes ---------------------------------------------------------------------------------- */

/* Rows of a segment: a power of two of tiles for a small column, else what the bytes hold; always
 * whole units. */
static uint32_t admit_rows(const vs_gpu_want *want, const vsg_shape *shape, uint64_t room)
{
    uint64_t elements = ((uint64_t)want->dim + 31) / 32 * 32;
    uint64_t row_bytes = ADMIT_TERMS_BYTES + elements * (shape->format == VSG_F16 ? 2 : 1) +
                         (shape->keeps_vectors ? vs_gpu_row_bytes(want->type, want->dim) : 0);
    uint64_t bytes = room / 4 < VS_GPU_SEGMENT_BYTES ? room / 4 : VS_GPU_SEGMENT_BYTES;
    uint64_t tiles = bytes / row_bytes / VSG_TILE_ROWS;
    uint64_t most = ((uint64_t)1 << 24) / VSG_TILE_ROWS;
    uint64_t unit = want->unit_rows > VSG_TILE_ROWS ? want->unit_rows / VSG_TILE_ROWS : 1;
    uint64_t needed = unit;
    tiles = tiles > most ? most : tiles;
    tiles = tiles < unit ? unit : tiles / unit * unit;
    while ((double)(needed * VSG_TILE_ROWS) < want->rows && needed < tiles) {
        needed *= 2;
    }
    return (uint32_t)((needed < tiles ? needed : tiles) * VSG_TILE_ROWS);
}

/* Fills *out, and gives the bytes of the whole column; 0: the module takes no such shape. */
static double admit_shape_of(const vs_gpu_want *want, vsg_format format, int keeps_vectors,
                             uint64_t room, vsg_shape *out)
{
    memset(out, 0, sizeof *out);
    out->dim = (uint32_t)want->dim;
    out->type = (vsg_type)want->type;
    out->format = format;
    out->keeps_vectors = keeps_vectors;
    out->rows = admit_rows(want, out, room);
    double segments = ceil(want->rows / out->rows);
    return (segments < 1.0 ? 1.0 : segments) * (double)vs_gpu.api->segment_bytes(out);
}

/* What the budget leaves for this column, and what of it is not used by columns searched lately.
 * Under the state lock. */
static void admit_measure_room(const vs_gpu_key *key, uint64_t *out_room, uint64_t *out_free)
{
    uint64_t hot = 0, room = vs_gpu_budget() - vs_gpu.fixed_bytes;
    int64_t since = vs_gpu_now_ns() - ADMIT_HOT_NS;
    for (const vs_gpu_image *image = vs_gpu.images; image != NULL; image = image->next) {
        for (uint32_t i = 0; i < image->count && !vs_gpu_is_key(&image->key, key); i++) {
            const vs_gpu_segment *segment = &image->segments[i];
            hot += segment->handle != NULL && segment->used_ns > since ? image->segment_bytes : 0;
        }
    }
    *out_room = room;
    *out_free = room > hot ? room - hot : 0;
}

/* 0: not within the budget, or no shape for the module. Under the device lock. */
static int admit_choose(const vs_gpu_want *want, vs_gpu_precision precision, vsg_shape *out,
                        vs_gpu_reason *out_reason)
{
    uint64_t room = 0, unused = 0;
    vs_gpu_lock();
    admit_measure_room(&want->key, &room, &unused);
    precision = precision == VS_GPU_PRECISION_AUTO ? vs_gpu.settings.precision : precision;
    vs_gpu_unlock();
    int is_auto = precision == VS_GPU_PRECISION_AUTO;
    int keeps = is_auto || precision == VS_GPU_PRECISION_F32;
    vsg_format format = precision == VS_GPU_PRECISION_INT8 ? VSG_I8 : VSG_F16;
    double bytes = admit_shape_of(want, format, keeps, room, out);
    if (is_auto && bytes > (double)unused / 2) {
        bytes = admit_shape_of(want, VSG_F16, 0, room, out);
        if (bytes > (double)unused) {
            bytes = admit_shape_of(want, VSG_I8, 0, room, out);
        }
    }
    uint64_t one = bytes > 0.0 ? vs_gpu.api->segment_bytes(out) : 0;
    *out_reason = one == 0 ? VS_GPU_SHAPE : one > room ? VS_GPU_BUDGET : VS_GPU_NONE;
    return *out_reason == VS_GPU_NONE;
}

/* Is the image what this precision asks for? */
static int admit_is_precise(const vs_gpu_image *image, vs_gpu_precision precision)
{
    switch (precision) {
    case VS_GPU_PRECISION_F16:
        return image->shape.format == VSG_F16 && !image->shape.keeps_vectors;
    case VS_GPU_PRECISION_INT8:
        return image->shape.format == VSG_I8;
    case VS_GPU_PRECISION_F32:
        return image->shape.keeps_vectors;
    default:
        return 1;
    }
}

/* ---- making ---------------------------------------------------------------------------------- */

/* Too many images without a segment: the one that was used longest ago goes. Under the state lock. */
static void admit_limit_count(void)
{
    vs_gpu_image *oldest = NULL;
    int count = 0;
    for (vs_gpu_image *image = vs_gpu.images; image != NULL; image = image->next) {
        count++;
        if (image->is_listed && image->refs == 0 && image->fill == NULL &&
            !vs_gpu_image_has_handles(image) &&
            (oldest == NULL || image->used_ns < oldest->used_ns)) {
            oldest = image;
        }
    }
    if (count >= ADMIT_COUNT_MAX && oldest != NULL) {
        vs_gpu_drop_image(oldest);
    }
}

/* A new image in the list, with a reference; NULL: no memory. Under the device lock. */
static vs_gpu_image *admit_add(const vs_gpu_want *want, const vsg_shape *shape)
{
    vs_gpu_image *image = sqlite3_malloc64(sizeof *image);
    if (image == NULL) {
        return NULL;
    }
    memset(image, 0, sizeof *image);
    image->key = want->key;
    memcpy(image->tag, want->tag, sizeof image->tag);
    memcpy(image->label, want->label, sizeof image->label);
    image->shape = *shape;
    image->segment_bytes = vs_gpu.api->segment_bytes(shape);
    image->is_listed = 1;
    image->version = 1;
    vs_gpu_lock();
    image->used_ns = vs_gpu_now_ns();
    admit_limit_count();
    image->next = vs_gpu.images;
    vs_gpu.images = vs_gpu_image_ref(image);
    vs_gpu_unlock();
    return image;
}

/* The image of this wish as it is; one of another kind goes. Under the device lock. */
static vs_gpu_image *admit_take(const vs_gpu_want *want, vs_gpu_precision precision)
{
    vs_gpu_lock();
    vs_gpu_image *image = vs_gpu_image_of_want(want);
    vs_gpu_image *other = vs_gpu_image_of_key(&want->key);
    if (image != NULL && admit_is_precise(image, precision)) {
        image->no_room_until_ns = 0;
        (void)vs_gpu_image_ref(image);
    } else {
        image = NULL;
        if (other != NULL) {
            vs_gpu_drop_image(other);
        }
    }
    vs_gpu_unlock();
    vs_gpu_collect();
    return image;
}

vs_gpu_image *vs_gpu_image_make(const vs_gpu_want *want, vs_gpu_precision precision,
                                vs_gpu_reason *out_reason)
{
    vsg_shape shape;
    vs_gpu_image *image = NULL;
    *out_reason = VS_GPU_NONE;
    if (!vs_gpu_is_shape(want)) {
        *out_reason = VS_GPU_SHAPE;
        return NULL;
    }
    if (!vs_gpu_open(out_reason)) {
        return NULL;
    }
    image = admit_take(want, precision);
    if (image == NULL && !vs_gpu_keep_low_water(0)) {
        *out_reason = VS_GPU_BUDGET;
    } else if (image == NULL && admit_choose(want, precision, &shape, out_reason)) {
        image = admit_add(want, &shape);
        *out_reason = image == NULL ? VS_GPU_ERROR : VS_GPU_NONE;
    }
    vs_gpu_leave();
    vs_gpu_reap();
    return image;
}

vs_gpu_image *vs_gpu_image_find(const vs_gpu_want *want)
{
    if (vs_gpu_look() != VS_GPU_OPEN) {
        return NULL;
    }
    vs_gpu_lock();
    vs_gpu_image *image = vs_gpu_image_of_want(want);
    if (image != NULL) {
        (void)vs_gpu_image_ref(image);
    }
    vs_gpu_unlock();
    return image;
}

/* ---- wishes ---------------------------------------------------------------------------------- */

/* Was it wished for within the last minute? Remembers it if not. Under the state lock. */
static int admit_is_second_wish(const vs_gpu_want *want)
{
    int64_t now = vs_gpu_now_ns();
    vs_gpu_waiting *place = &vs_gpu.waiting[0]; /* its own, or a free one, or the oldest */
    for (size_t i = 0; i < VS_GPU_WAITING_MAX; i++) {
        vs_gpu_waiting *waiting = &vs_gpu.waiting[i];
        if (waiting->is_set && vs_gpu_is_key(&waiting->key, &want->key)) {
            place = waiting;
            break;
        }
        if (place->is_set && (!waiting->is_set || waiting->at_ns < place->at_ns)) {
            place = waiting;
        }
    }
    int is_second = place->is_set && vs_gpu_is_key(&place->key, &want->key) &&
                    memcmp(place->tag, want->tag, sizeof place->tag) == 0 &&
                    now - place->at_ns <= VS_GPU_ADMIT_NS;
    if (is_second) {
        return 1;
    }
    place->is_set = 1;
    place->key = want->key;
    memcpy(place->tag, want->tag, sizeof place->tag);
    place->at_ns = now;
    memcpy(place->label, want->label, sizeof place->label);
    return 0;
}

static void admit_forget_wish(const vs_gpu_key *key)
{
    for (size_t i = 0; i < VS_GPU_WAITING_MAX; i++) {
        if (vs_gpu.waiting[i].is_set && vs_gpu_is_key(&vs_gpu.waiting[i].key, key)) {
            vs_gpu.waiting[i].is_set = 0;
        }
    }
}

/* Why this search is none for a device, whatever is resident. */
vs_gpu_reason vs_gpu_refusal(const vs_gpu_want *want)
{
    int is_small = 0, is_faster = 1;
    if (want->mode == VS_GPU_OFF) {
        return VS_GPU_IS_OFF;
    }
    if (!vs_gpu_is_shape(want)) {
        return VS_GPU_SHAPE;
    }
    vs_gpu_lock();
    if (want->mode != VS_GPU_PREFER) {
        is_small = vs_gpu_is_small(want, &vs_gpu.settings);
        is_faster = is_small || vs_gpu_is_faster(want);
    }
    vs_gpu_unlock();
    if (is_small) { /* before anybody looks for a module */
        return VS_GPU_SMALL;
    }
    vs_gpu_state state = vs_gpu_probe();
    if (state != VS_GPU_READY && state != VS_GPU_OPEN) {
        return state == VS_GPU_DEAD ? VS_GPU_ERROR : VS_GPU_ABSENT;
    }
    return is_faster ? VS_GPU_NONE : VS_GPU_COST;
}

typedef struct admit_choice {
    vs_gpu_image *image; /* with a reference; NULL */
    vs_gpu_reason reason;
    int is_admitted; /* an image is to be made */
    int has_dropped; /* one of another tag, or one that was outgrown, is gone */
} admit_choice;

/* Was it made for a column much smaller than this one is by now? */
static int admit_is_outgrown(const vs_gpu_image *image)
{
    return image->count >= ADMIT_SMALL_COUNT && image->segment_bytes < ADMIT_SMALL_BYTES &&
           image->fill == NULL;
}

/* What the list says of a wish. Under the state lock. */
static admit_choice admit_decide(const vs_gpu_want *want)
{
    admit_choice choice = {NULL, VS_GPU_COLD, 0, 0};
    vs_gpu_image *image = vs_gpu_image_of_want(want);
    vs_gpu_image *other = vs_gpu_image_of_key(&want->key);
    int64_t now = vs_gpu_now_ns();
    if (image != NULL && admit_is_outgrown(image)) {
        vs_gpu_drop_image(image);
        choice.has_dropped = choice.is_admitted = 1;
        return choice;
    }
    if (image != NULL) {
        image->used_ns = now;
        if (vs_gpu_image_has_content(image)) {
            choice.reason = VS_GPU_NONE;
            choice.image = vs_gpu_image_ref(image);
        } else if (image->fill == NULL && now < image->no_room_until_ns) {
            choice.reason = VS_GPU_BUDGET;
        } else if (image->fill == NULL) {
            choice.image = vs_gpu_image_ref(image);
        }
        return choice;
    }
    if (other != NULL) {
        vs_gpu_drop_image(other);
        choice.has_dropped = 1;
        choice.reason = VS_GPU_STALE;
    }
    choice.is_admitted = want->mode == VS_GPU_PREFER || admit_is_second_wish(want);
    return choice;
}

vs_gpu_advice vs_gpu_advise(const vs_gpu_want *want, vs_gpu_image **out_image,
                            vs_gpu_reason *out_reason)
{
    admit_choice choice = {NULL, vs_gpu_refusal(want), 0, 0};
    if (choice.reason == VS_GPU_NONE) {
        vs_gpu_lock();
        choice = admit_decide(want);
        vs_gpu_unlock();
    }
    if (choice.has_dropped && !choice.is_admitted && vs_gpu_enter()) {
        vs_gpu_collect();
        vs_gpu_leave();
    }
    vs_gpu_reap(); /* also what the thread that watches has evicted */
    if (choice.is_admitted) {
        vs_gpu_reason refusal = VS_GPU_NONE;
        choice.image = vs_gpu_image_make(want, VS_GPU_PRECISION_AUTO, &refusal);
        choice.reason = choice.image == NULL ? refusal : choice.reason;
    }
    vs_gpu_lock();
    if (choice.is_admitted && choice.image != NULL) {
        admit_forget_wish(&want->key);
    }
    if (choice.reason != VS_GPU_NONE) {
        vs_gpu.fallbacks[choice.reason] += want->query_count;
    }
    vs_gpu_unlock();
    *out_image = choice.image;
    *out_reason = choice.reason;
    return choice.image == NULL           ? VS_GPU_TAKE_CPU
           : choice.reason == VS_GPU_NONE ? VS_GPU_TAKE_GPU
                                          : VS_GPU_TAKE_FILL;
}

int vs_gpu_is_likely(const vs_gpu_want *want)
{
    if (want->mode == VS_GPU_OFF || vs_gpu_look() != VS_GPU_OPEN || !vs_gpu_is_shape(want)) {
        return 0;
    }
    vs_gpu_lock();
    const vs_gpu_image *image = vs_gpu_image_of_want(want);
    int is_likely = image != NULL && vs_gpu_image_has_content(image) &&
                    (want->mode == VS_GPU_PREFER ||
                     (!vs_gpu_is_small(want, &vs_gpu.settings) && vs_gpu_is_faster(want)));
    vs_gpu_unlock();
    return is_likely;
}

#endif
