/*
 * query_pass.c - one pass of a search: some of its queries, and all launches for them.
 *
 * A pass is sent at once: inputs, then scans of growing chunks of tiles, each with a VSG_SELECT after
 * it, then VSG_FINISH.
 *
 * Chunks: the first has no more rows than a query has entries (more of them where only some rows
 * are wanted), so nothing is lost; each later one has seen * capacity / (4 (k + 2)) rows, of which
 * less than a quarter of the capacity can be expected to be within the limit found so far. Tiles are
 * visited in an order without meaning.
 *
 * Memory of a pass, in the pinned memory and at the beginning of the part alike: wanted bits (sent
 * with the first pass), segment addresses, queries in all forms, terms, limits, zeros for counters.
 * Entries follow, in the part only.
 *
 * Threads: one for a ticket.
 */
#include <math.h>
#include <string.h>

#include "bound.h"
#include "queries_impl.h"

#define QUERIES_SCAN_MOST 8 /* so many are scanned by VSG_SCAN, more by VSG_MATRIX */
#define QUERIES_GROUP 64    /* large groups are a multiple of it */
/* A chunk is planned to fill the room's quarter, with something added to k: for k = 1 chance is large, a
 * quarter of the room alone would overflow for one query of 50. */
#define QUERIES_EXPECTED 4
#define QUERIES_CHANCE 2

_Static_assert(QUERIES_SCAN_MOST <= VSG_SCAN_QUERIES, "one launch of VSG_SCAN takes them all");

/* ---- planning -------------------------------------------------------------------------------- */

static uint64_t queries_place(uint64_t *at, uint64_t bytes)
{
    uint64_t place = *at;
    *at = vsg_round_up(place + bytes, VSG_PART_ALIGN);
    return place;
}

static void queries_lay_out(const vsg_ticket *ticket, uint32_t count, queries_plan *out)
{
    const vsg_layout *layout = &ticket->layout;
    uint64_t n = count, at = ticket->wanted_bytes, entries = n * ticket->capacity;

    out->room = count;
    out->count = count;
    out->segments = queries_place(&at, ticket->segment_count * (uint64_t)sizeof(uint8_t *));
    out->f32 = queries_place(&at, n * layout->elements * sizeof(float));
    out->f16 = queries_place(&at, n * layout->elements * sizeof(uint16_t));
    out->vectors = queries_place(&at, ticket->shape.keeps_vectors ? n * layout->vector_stride : 0);
    out->terms = queries_place(&at, n * sizeof(vsg_query_terms));
    /* limits and lost without a gap: they are fetched together */
    out->limits = queries_place(&at, 2 * n * sizeof(uint32_t));
    out->lost = out->limits + n * sizeof(uint32_t);
    out->counts = queries_place(&at, n * sizeof(uint32_t));
    out->out_next = queries_place(&at, sizeof(uint32_t));
    out->sent = at;
    out->rows = queries_place(&at, entries * sizeof(uint32_t));
    out->lows = queries_place(&at, entries * sizeof(float));
    out->highs = queries_place(&at, entries * sizeof(float));
    out->bytes = at;
}

static int queries_fits(const vsg_device *device, const queries_plan *plan)
{
    return plan->bytes <= device->part_bytes && plan->sent <= VSG_PINNED_BYTES;
}

/* Plans a pass with as many of the waiting queries as there is room for. 0: not for one. */
static int queries_plan_pass(const vsg_device *device, const vsg_ticket *ticket, queries_plan *out)
{
    uint32_t low = 0, high = ticket->todo_count;

    while (low < high) { /* the largest number that fits */
        uint32_t middle = high - (high - low) / 2;
        queries_lay_out(ticket, middle, out);
        if (queries_fits(device, out)) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    if (low > QUERIES_GROUP && low < ticket->todo_count) {
        low -= low % QUERIES_GROUP;
    }
    queries_lay_out(ticket, low, out);
    return low > 0;
}

static uint32_t queries_gcd(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* About the golden section of all tiles, so that any run of visits is spread evenly. */
uint32_t vsg_queries_tile_step(uint32_t tiles)
{
    uint32_t step = (uint32_t)(tiles * 0.6180339887498949);

    while (step > 1 && queries_gcd(step, tiles) != 1) {
        step--;
    }
    return step > 0 ? step : 1;
}

/* Tiles of the next chunk, after `visited` of them. */
static uint32_t queries_chunk(const vsg_ticket *ticket, uint32_t visited)
{
    double all = (double)ticket->tiles * VSG_TILE_ROWS, rows, tiles;
    uint32_t left = ticket->tiles - visited;

    if (visited == 0) {
        /* Twice as dense as it should be, a chunk of wanted rows still loses nothing. */
        double spread =
            ticket->wanted_bytes != 0 ? all / (2 * ((double)ticket->wanted_rows + 1)) : 1;
        rows = ticket->capacity * (spread > 1 ? spread : 1);
    } else {
        rows = (double)visited * VSG_TILE_ROWS * ticket->capacity /
               (QUERIES_EXPECTED * ((double)ticket->k + QUERIES_CHANCE));
    }
    tiles = rows / VSG_TILE_ROWS;
    return tiles >= left ? left : tiles < 1 ? 1 : (uint32_t)tiles;
}

/* ---- a pass ---------------------------------------------------------------------------------- */

static void queries_rows_args(const vsg_ticket *ticket, vsg_rows_args *out)
{
    uint8_t *part = ticket->slot->part;

    memset(out, 0, sizeof *out);
    out->segments = (const uint8_t *const *)(void *)(part + ticket->plan.segments);
    out->wanted = ticket->wanted_bytes != 0 ? (const uint32_t *)(void *)part : NULL;
    out->layout = ticket->layout;
    out->format = ticket->shape.format;
    out->metric = ticket->metric;
    out->segment_rows = ticket->shape.rows;
    out->tiles = ticket->tiles;
    out->tile_step = ticket->tile_step;
}

/* Queries first .. first + count - 1 of the pass. */
static void queries_found_args(const vsg_ticket *ticket, uint32_t first, uint32_t count,
                               vsg_found_args *out)
{
    const queries_plan *plan = &ticket->plan;
    uint8_t *part = ticket->slot->part;
    size_t elements = ticket->layout.elements, entries = (size_t)first * ticket->capacity;

    memset(out, 0, sizeof *out);
    out->queries_f32 = (const float *)(void *)(part + plan->f32) + first * elements;
    out->queries_f16 = (const uint16_t *)(void *)(part + plan->f16) + first * elements;
    out->terms = (const vsg_query_terms *)(void *)(part + plan->terms) + first;
    out->query_count = count;
    out->k = ticket->k;
    out->capacity = ticket->capacity;
    out->limits = (float *)(void *)(part + plan->limits) + first;
    out->lost = (uint32_t *)(void *)(part + plan->lost) + first;
    out->counts = (uint32_t *)(void *)(part + plan->counts) + first;
    out->entry_rows = (uint32_t *)(void *)(part + plan->rows) + entries;
    out->entry_lows = (float *)(void *)(part + plan->lows) + entries;
    out->entry_highs = (float *)(void *)(part + plan->highs) + entries;
}

void vsg_queries_lay_out_results(const vsg_ticket *ticket, queries_out *out)
{
    uint64_t n = ticket->plan.room, at = 0, each;
    int has_sums = ticket->shape.keeps_vectors;

    out->first = queries_place(&at, n * sizeof(uint32_t));
    out->count = queries_place(&at, n * sizeof(uint32_t));
    out->limits = queries_place(&at, 2 * n * sizeof(uint32_t));
    out->lost = out->limits + n * sizeof(uint32_t);
    each = sizeof(uint32_t) + sizeof(float) + (has_sums ? 2 * sizeof(double) : 0);
    out->capacity = (uint32_t)((VSG_PINNED_BYTES - at - 4 * VSG_PART_ALIGN) / each);
    out->sums = queries_place(&at, has_sums ? out->capacity * sizeof(double) : 0);
    out->sumsqs = queries_place(&at, has_sums ? out->capacity * sizeof(double) : 0);
    out->rows = queries_place(&at, out->capacity * sizeof(uint32_t));
    out->lows = queries_place(&at, out->capacity * sizeof(float));
}

static int queries_launch(vsg_device *device, const vsg_ticket *ticket, vsg_kernel kernel,
                          const vsg_args *args)
{
    return vsg_device_note(device, vsg_backend_here.launch(ticket->slot->stream, kernel, args));
}

static int queries_send_scans(vsg_device *device, const vsg_ticket *ticket)
{
    vsg_kernel kernel = ticket->plan.count <= QUERIES_SCAN_MOST ? VSG_SCAN : VSG_MATRIX;
    uint32_t visited = 0;
    int rc = VSG_OK;

    while (rc == VSG_OK && visited < ticket->tiles) {
        vsg_args scan, select;
        memset(&scan, 0, sizeof scan);
        memset(&select, 0, sizeof select);
        queries_rows_args(ticket, &scan.scan.rows);
        queries_found_args(ticket, 0, ticket->plan.count, &scan.scan.found);
        scan.scan.query_count = ticket->plan.count;
        scan.scan.visit_first = visited;
        scan.scan.visit_count = queries_chunk(ticket, visited);
        select.select.found = scan.scan.found;
        rc = queries_launch(device, ticket, kernel, &scan);
        if (rc == VSG_OK) {
            rc = queries_launch(device, ticket, VSG_SELECT, &select);
        }
        visited += scan.scan.visit_count;
    }
    return rc;
}

/* Sends VSG_FINISH for queries finish_first .. of the pass, and the event. */
int vsg_queries_send_finish(vsg_device *device, vsg_ticket *ticket)
{
    vsg_slot *slot = ticket->slot;
    const queries_plan *plan = &ticket->plan;
    uint32_t first = ticket->finish_first, count = ticket->finish_count;
    queries_out out;
    vsg_args args;
    vsg_finish_args *finish = &args.finish;
    int rc, recorded;

    vsg_queries_lay_out_results(ticket, &out);
    memset(&args, 0, sizeof args);
    queries_rows_args(ticket, &finish->rows);
    queries_found_args(ticket, first, count, &finish->found);
    finish->out_capacity = out.capacity;
    finish->out_next = (uint32_t *)(void *)(slot->part + plan->out_next);
    finish->out_first = (uint32_t *)(void *)(slot->d_out + out.first) + first;
    finish->out_count = (uint32_t *)(void *)(slot->d_out + out.count) + first;
    finish->out_rows = (uint32_t *)(void *)(slot->d_out + out.rows);
    finish->out_lows = (float *)(void *)(slot->d_out + out.lows);
    finish->type = ticket->shape.type;
    if (ticket->shape.keeps_vectors) {
        finish->out_sums = (double *)(void *)(slot->d_out + out.sums);
        finish->out_sumsqs = (double *)(void *)(slot->d_out + out.sumsqs);
        finish->queries = slot->part + plan->vectors + (size_t)first * ticket->layout.vector_stride;
    }
    rc = vsg_device_note(
        device, vsg_backend_here.zero(slot->stream, slot->part + plan->out_next, sizeof(uint32_t)));
    if (rc == VSG_OK) {
        rc = queries_launch(device, ticket, VSG_FINISH, &args);
    }
    if (rc == VSG_OK) { /* limits and lost */
        rc = vsg_device_note(device,
                             vsg_backend_here.fetch(slot->stream, slot->out + out.limits,
                                                    slot->part + plan->limits,
                                                    2 * (size_t)plan->room * sizeof(uint32_t)));
    }
    if (vsg_device_is_dead(device)) {
        return VSG_DEAD;
    }
    recorded = vsg_device_note(device, vsg_backend_here.record(slot->stream, slot->done));
    slot->is_running = 1;
    return rc != VSG_OK ? rc : recorded;
}

/* ---- the inputs of a pass -------------------------------------------------------------------- */

/* A query in the element type of the vectors. 0: it has values that the type has not. */
static int queries_to_type(const float *query, uint32_t dim, vsg_type type, uint8_t *out)
{
    int is_exact = 1;

    for (uint32_t i = 0; i < dim; i++) {
        float value = query[i], back = value;
        if (type == VSG_TYPE_F32) {
            memcpy(out + (size_t)i * 4, &value, 4);
        } else if (type == VSG_TYPE_I8) {
            int8_t integer = value >= -128 && value <= 127 ? (int8_t)value : 0;
            memcpy(out + i, &integer, 1);
            back = integer;
        } else {
            uint16_t half = type == VSG_TYPE_F16 ? vsk_f16_encode(value) : vsk_bf16_encode(value);
            memcpy(out + (size_t)i * 2, &half, 2);
            back = type == VSG_TYPE_F16 ? vsk_f16_decode(half) : vsk_bf16_decode(half);
        }
        is_exact &= back == value;
    }
    return is_exact;
}

/* Fills place `at` of the pass with query `query`. 0: no bounds hold for it. */
static int queries_fill(const vsg_ticket *ticket, uint32_t query, uint32_t at)
{
    const queries_plan *plan = &ticket->plan;
    uint8_t *in = ticket->slot->in;
    size_t elements = ticket->layout.elements;
    const float *values = ticket->values + (size_t)query * ticket->layout.dim;
    float *f32 = (float *)(void *)(in + plan->f32) + at * elements;
    uint16_t *f16 = (uint16_t *)(void *)(in + plan->f16) + at * elements;
    vsg_query_terms *terms = (vsg_query_terms *)(void *)(in + plan->terms) + at;

    if (ticket->shape.keeps_vectors) {
        uint8_t *vector = in + plan->vectors + (size_t)at * ticket->layout.vector_stride;
        memset(vector, 0, ticket->layout.vector_stride);
        if (!queries_to_type(values, ticket->layout.dim, ticket->shape.type, vector)) {
            return 0;
        }
    }
    if (vsg_query_prepare(values, &ticket->layout, ticket->shape.format, ticket->metric, f32, f16,
                          terms) != VSG_ANSWERED) {
        return 0;
    }
    vsg_query_floor(terms, ticket->floor);
    ((float *)(void *)(in + plan->limits))[at] =
        ticket->tries[query] > 0 ? ticket->limits[query] : vsg_float_above(ticket->limit);
    ((uint32_t *)(void *)(in + plan->lost))[at] = 0;
    ((uint32_t *)(void *)(in + plan->counts))[at] = 0;
    return 1;
}

/* Moves queries from those that wait into the pass, which ends up with plan.count of them. */
static void queries_fill_pass(vsg_ticket *ticket)
{
    uint32_t count = 0, used = 0;

    while (used < ticket->todo_count && count < ticket->plan.count) {
        uint32_t query = ticket->todo[used++];
        if (queries_fill(ticket, query, count)) {
            ticket->taken[count] = 0;
            ticket->group[count++] = query;
        } else {
            ticket->states[query] = VSG_UNBOUND;
        }
    }
    ticket->todo_count -= used;
    memmove(ticket->todo, ticket->todo + used, ticket->todo_count * sizeof *ticket->todo);
    ticket->plan.count = count;
}

/* Sends the next pass, or ends the search when no query waits. is_first: with wanted bits. */
int vsg_queries_send_pass(vsg_device *device, vsg_ticket *ticket, int is_first)
{
    vsg_slot *slot = ticket->slot;
    uint64_t from = is_first ? 0 : ticket->wanted_bytes;
    int rc;

    do {
        if (ticket->todo_count == 0) {
            ticket->stage = QUERIES_DONE;
            return VSG_OK;
        }
        if (!queries_plan_pass(device, ticket, &ticket->plan)) {
            return vsg_device_refuse(device, VSG_UNSUPPORTED, "a query has no room in the scratch");
        }
        queries_fill_pass(ticket);
    } while (ticket->plan.count == 0);

    memcpy(slot->in + ticket->plan.segments, ticket->segments,
           ticket->segment_count * sizeof *ticket->segments);
    ticket->finish_first = 0;
    ticket->finish_count = ticket->plan.count;
    ticket->stage = QUERIES_SCANNING;
    slot->is_running = 1; /* even if not all of it can be sent */
    rc = vsg_device_note(device, vsg_backend_here.record(slot->stream, slot->started));
    if (rc == VSG_OK) {
        rc = vsg_device_note(device,
                             vsg_backend_here.send(slot->stream, slot->part + from, slot->in + from,
                                                   (size_t)(ticket->plan.sent - from)));
    }
    if (rc == VSG_OK) {
        rc = queries_send_scans(device, ticket);
    }
    if (rc == VSG_OK) {
        rc = vsg_queries_send_finish(device, ticket);
    } else if (!vsg_device_is_dead(device)) {
        (void)vsg_device_note(device, vsg_backend_here.record(slot->stream, slot->done));
    }
    return rc;
}
