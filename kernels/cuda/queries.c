/*
 * queries.c - searches of the GPU module, from begin to end.
 *
 * A search is worked off in passes over groups of its queries, as many as one slot's part of the
 * slab has room for (query_pass.c). When the event of a pass has come, its results are copied to the
 * ticket and the next pass is sent, by whoever waits. A query that lost entries goes into a later
 * pass, with the limit found; after QUERIES_TRIES passes it is VSG_CROWDED. Where only the results of
 * a pass were too many for the pinned memory, VSG_FINISH runs again for the rest.
 *
 * Threads: begin, end and is_idle come one at a time for a device; wait touches its own ticket and
 * slot alone.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "queries_impl.h"

#define QUERIES_TRIES 3      /* passes of a query that loses entries, before it is given up */
#define QUERIES_ENTRIES 4096 /* room of a query: so many and QUERIES_ENTRIES_OF_K for each of k */
#define QUERIES_ENTRIES_OF_K 16
#define QUERIES_RESULTS 65536 /* results that a ticket has room for at first, at most */
/* A search is waited for without sleep at first: a nap, however short it is meant, takes a tenth of a
 * small one. */
#define QUERIES_BUSY_US 2000
#define QUERIES_SLACK 1e-6 /* relative: canonical sums and the device's may differ by less */

/* ---- results --------------------------------------------------------------------------------- */

static int queries_grow(void *array, size_t count, size_t each)
{
    void *old, *bigger;
    memcpy(&old, array, sizeof old);
    bigger = realloc(old, count * each);
    if (bigger != NULL) {
        memcpy(array, &bigger, sizeof bigger);
    }
    return bigger != NULL;
}

/* Room for `more` results beyond those there are. */
static int queries_reserve(vsg_ticket *ticket, size_t more)
{
    size_t room = ticket->results_room;

    if (ticket->results + more <= room) {
        return VSG_OK;
    }
    room = 2 * room > ticket->results + more ? 2 * room : ticket->results + more;
    if (!queries_grow(&ticket->rows, room, sizeof *ticket->rows) ||
        !queries_grow(&ticket->lows, room, sizeof *ticket->lows)) {
        return VSG_NO_MEMORY;
    }
    if (ticket->shape.keeps_vectors &&
        (!queries_grow(&ticket->sums, room, sizeof *ticket->sums) ||
         !queries_grow(&ticket->sumsqs, room, sizeof *ticket->sumsqs))) {
        return VSG_NO_MEMORY;
    }
    ticket->results_room = room;
    return VSG_OK;
}

/* A lower bound of the canonical distance from the device's lower bound of the key. */
static double queries_low(vsg_metric metric, float key)
{
    double low = (double)key - fabs((double)key) * QUERIES_SLACK;

    if (!(low >= -HUGE_VAL)) {
        return -HUGE_VAL;
    }
    return metric == VSG_L2SQ && low < 0 ? 0 : low;
}

static int queries_take_results(vsg_ticket *ticket, uint32_t query, const queries_out *out,
                                uint32_t from, uint32_t count)
{
    const uint8_t *host = ticket->slot->out;
    const float *lows = (const float *)(const void *)(host + out->lows) + from;
    size_t to = ticket->results;

    if (from > out->capacity || count > out->capacity - from ||
        queries_reserve(ticket, count) != VSG_OK) {
        return VSG_NO_MEMORY;
    }
    ticket->first[query] = (uint32_t)to;
    ticket->count[query] = count;
    ticket->results += count;
    if (count == 0) {
        return VSG_OK;
    }
    memcpy(ticket->rows + to, host + out->rows + (size_t)from * sizeof(uint32_t),
           count * sizeof(uint32_t));
    for (uint32_t i = 0; i < count; i++) {
        ticket->lows[to + i] = queries_low(ticket->metric, lows[i]);
    }
    if (ticket->shape.keeps_vectors) {
        size_t at = (size_t)from * sizeof(double), bytes = count * sizeof(double);
        memcpy(ticket->sums + to, host + out->sums + at, bytes);
        memcpy(ticket->sumsqs + to, host + out->sumsqs + at, bytes);
    }
    return VSG_OK;
}

/* The query lost entries: again, with the limit that is known by now, or not at all. */
static void queries_try_again(vsg_ticket *ticket, uint32_t query, float limit)
{
    if (++ticket->tries[query] >= QUERIES_TRIES) {
        ticket->states[query] = VSG_CROWDED;
        return;
    }
    ticket->limits[query] = limit;
    ticket->todo[ticket->todo_count++] = query;
}

/* Takes what VSG_FINISH gave. What had no room stays for another VSG_FINISH: *out_left of the pass. */
static int queries_take(vsg_ticket *ticket, uint32_t *out_left)
{
    const uint8_t *host = ticket->slot->out;
    uint32_t end = ticket->finish_first + ticket->finish_count;
    queries_out out;
    const uint32_t *first, *count, *lost;
    const float *limits;

    vsg_queries_lay_out_results(ticket, &out);
    first = (const uint32_t *)(const void *)(host + out.first);
    count = (const uint32_t *)(const void *)(host + out.count);
    lost = (const uint32_t *)(const void *)(host + out.lost);
    limits = (const float *)(const void *)(host + out.limits);
    *out_left = 0;
    for (uint32_t i = ticket->finish_first; i < end; i++) {
        uint32_t query = ticket->group[i];
        if (ticket->taken[i]) {
            continue;
        }
        if (lost[i] != 0) {
            queries_try_again(ticket, query, limits[i]);
        } else if (count[i] == VSG_FINISH_LOST) {
            ++*out_left;
            continue;
        } else if (queries_take_results(ticket, query, &out, first[i], count[i]) != VSG_OK) {
            return VSG_NO_MEMORY;
        }
        ticket->taken[i] = 1;
    }
    return VSG_OK;
}

/* Another VSG_FINISH from the first query that is left, for half as many when there was no room, so
 * that it ends: the results of one query always have room. */
static int queries_finish_again(vsg_device *device, vsg_ticket *ticket)
{
    uint32_t first = ticket->finish_first, count = ticket->finish_count;

    while (first < ticket->plan.count && ticket->taken[first]) {
        first++;
    }
    count = count > 1 ? count / 2 : 1;
    if (count > ticket->plan.count - first) {
        count = ticket->plan.count - first;
    }
    ticket->finish_first = first;
    ticket->finish_count = count;
    ticket->stage = QUERIES_FINISHING;
    return vsg_queries_send_finish(device, ticket);
}

/* The event of what was sent has come: takes the results and sends what is next. */
static int queries_advance(vsg_device *device, vsg_ticket *ticket)
{
    vsg_slot *slot = ticket->slot;
    uint32_t left = 0;
    int rc;

    if (ticket->stage == QUERIES_SCANNING) {
        ticket->device_us += vsg_backend_here.elapsed(slot->started, slot->done);
    }
    rc = queries_take(ticket, &left);
    if (rc != VSG_OK) {
        return vsg_device_refuse(device, rc, "out of memory for results");
    }
    for (uint32_t i = 0; i < ticket->plan.count && left == 0; i++) {
        left += !ticket->taken[i];
    }
    return left > 0 ? queries_finish_again(device, ticket)
                    : vsg_queries_send_pass(device, ticket, 0);
}

/* ---- tickets --------------------------------------------------------------------------------- */

static void queries_free(vsg_ticket *ticket)
{
    if (ticket == NULL) {
        return;
    }
    free(ticket->segments);
    free(ticket->queries);
    free(ticket->todo);
    free(ticket->limits);
    free(ticket->tries);
    free(ticket->group);
    free(ticket->taken);
    free(ticket->states);
    free(ticket->first);
    free(ticket->count);
    free(ticket->rows);
    free(ticket->lows);
    free(ticket->sums);
    free(ticket->sumsqs);
    free(ticket);
}

static int queries_allocate(vsg_ticket *ticket, const vsg_search *search)
{
    size_t n = search->query_count, values = n * ticket->layout.dim;
    size_t room = n * search->k < QUERIES_RESULTS ? n * search->k : QUERIES_RESULTS;

    ticket->segments = calloc(search->segment_count, sizeof *ticket->segments);
    ticket->queries = malloc(values * sizeof *ticket->queries);
    ticket->todo = malloc(n * sizeof *ticket->todo);
    ticket->limits = calloc(n, sizeof *ticket->limits);
    ticket->tries = calloc(n, 1);
    ticket->group = calloc(n, sizeof *ticket->group);
    ticket->taken = calloc(n, 1);
    ticket->states = calloc(n, 1);
    ticket->first = calloc(n, sizeof *ticket->first);
    ticket->count = calloc(n, sizeof *ticket->count);
    if (ticket->segments == NULL || ticket->queries == NULL || ticket->todo == NULL ||
        ticket->limits == NULL || ticket->tries == NULL || ticket->group == NULL ||
        ticket->taken == NULL || ticket->states == NULL || ticket->first == NULL ||
        ticket->count == NULL || queries_reserve(ticket, room) != VSG_OK) {
        return VSG_NO_MEMORY;
    }
    ticket->values = search->queries;
    return VSG_OK;
}

/* For later passes. Called when the device is at work already. */
static void queries_keep(vsg_ticket *ticket)
{
    size_t values = (size_t)ticket->query_count * ticket->layout.dim;

    memcpy(ticket->queries, ticket->values, values * sizeof *ticket->queries);
    ticket->values = ticket->queries;
}

static int queries_is_valid(const vsg_search *search)
{
    const vsg_shape *shape;

    if (search->segment_count == 0 || search->query_count == 0 ||
        search->query_count > VSG_QUERIES_MAX || search->k == 0 || search->k > VSG_K_MAX ||
        !(search->limit == search->limit) || !(search->floor == search->floor)) {
        return 0;
    }
    shape = &search->segments[0]->shape;
    for (uint32_t i = 1; i < search->segment_count; i++) {
        const vsg_shape *other = &search->segments[i]->shape;
        if (other->dim != shape->dim || other->type != shape->type ||
            other->format != shape->format || other->keeps_vectors != shape->keeps_vectors ||
            other->rows != shape->rows) {
            return 0;
        }
    }
    return (uint64_t)search->segment_count * shape->rows < UINT32_MAX;
}

static vsg_ticket *queries_ticket(const vsg_search *search)
{
    const vsg_segment *segment = search->segments[0];
    vsg_ticket *ticket = calloc(1, sizeof *ticket);

    if (ticket == NULL) {
        return NULL;
    }
    ticket->shape = segment->shape;
    ticket->layout = segment->layout;
    ticket->metric = search->metric;
    ticket->k = search->k;
    ticket->capacity = QUERIES_ENTRIES + QUERIES_ENTRIES_OF_K * search->k;
    ticket->segment_count = search->segment_count;
    ticket->tiles = search->segment_count * (segment->shape.rows / VSG_TILE_ROWS);
    ticket->tile_step = vsg_queries_tile_step(ticket->tiles);
    ticket->limit = search->limit;
    ticket->floor = search->floor;
    ticket->wanted_rows = search->wanted_rows;
    ticket->query_count = search->query_count;
    if (queries_allocate(ticket, search) != VSG_OK) {
        queries_free(ticket);
        return NULL;
    }
    for (uint32_t i = 0; i < search->segment_count; i++) {
        ticket->segments[i] = search->segments[i]->memory;
    }
    for (uint32_t i = 0; i < search->query_count; i++) {
        ticket->todo[i] = i;
    }
    ticket->todo_count = search->query_count;
    return ticket;
}

/* ---- slots ----------------------------------------------------------------------------------- */

/* Frees slots whose work has come to its end. Returns how many still drain. */
static int queries_drain(vsg_device *device)
{
    int draining = 0;

    for (int i = 0; i < VSG_SLOTS; i++) {
        vsg_slot *slot = &device->slots[i];
        if (slot->state != VSG_SLOT_DRAINING) {
            continue;
        }
        if (vsg_wait_event(device, slot->done, 0, 0) == VSG_OK) {
            slot->is_running = 0;
            slot->state = VSG_SLOT_FREE;
        } else {
            draining++;
        }
    }
    return draining;
}

static vsg_slot *queries_free_slot(vsg_device *device)
{
    (void)queries_drain(device);
    for (int i = 0; i < VSG_SLOTS; i++) {
        if (device->slots[i].state == VSG_SLOT_FREE) {
            return &device->slots[i];
        }
    }
    return NULL;
}

/* Puts the wanted bits into the slot's pinned memory. 0: no room. */
static int queries_take_wanted(vsg_ticket *ticket, const vsg_search *search)
{
    uint64_t bytes = (uint64_t)ticket->tiles * (VSG_TILE_ROWS / 8);

    if (search->wanted == NULL) {
        return 1;
    }
    ticket->wanted_bytes = vsg_round_up(bytes, VSG_PART_ALIGN);
    if (ticket->wanted_bytes >= VSG_PINNED_BYTES) {
        return 0;
    }
    memset(ticket->slot->in + bytes, 0, (size_t)(ticket->wanted_bytes - bytes));
    memcpy(ticket->slot->in, search->wanted, (size_t)bytes);
    return 1;
}

static int queries_start(vsg_device *device, vsg_ticket *ticket, const vsg_search *search)
{
    int rc = VSG_OK;

    if (!queries_take_wanted(ticket, search)) {
        return vsg_device_refuse(device, VSG_UNSUPPORTED, "too many rows for a mask");
    }
    if (device->has_uploads) {
        rc = vsg_device_note(device,
                             vsg_backend_here.follow(ticket->slot->stream, device->uploaded));
    }
    return rc == VSG_OK ? vsg_queries_send_pass(device, ticket, 1) : rc;
}

int vsg_search_begin(vsg_device *device, const vsg_search *search, vsg_ticket **out)
{
    vsg_ticket *ticket;
    vsg_slot *slot;
    int rc;

    *out = NULL;
    if (vsg_device_is_dead(device)) {
        return VSG_DEAD;
    }
    if (!queries_is_valid(search)) {
        return vsg_device_refuse(device, VSG_UNSUPPORTED, "no search can have this form");
    }
    slot = queries_free_slot(device);
    if (slot == NULL) {
        return vsg_device_is_dead(device) ? VSG_DEAD : VSG_BUSY;
    }
    ticket = queries_ticket(search);
    if (ticket == NULL) {
        return vsg_device_refuse(device, VSG_NO_MEMORY, "out of memory");
    }
    ticket->slot = slot;
    ticket->begun_us = vsg_now_us();
    slot->state = VSG_SLOT_TAKEN;
    rc = queries_start(device, ticket, search);
    if (rc != VSG_OK) {
        vsg_search_end(device, ticket);
        return rc;
    }
    queries_keep(ticket);
    *out = ticket;
    return VSG_OK;
}

static void queries_answer(const vsg_ticket *ticket, vsg_answer *out)
{
    memset(out, 0, sizeof *out);
    out->states = ticket->states;
    out->first = ticket->first;
    out->count = ticket->count;
    out->rows = ticket->rows;
    out->lows = ticket->lows;
    out->sums = ticket->sums;
    out->row_sumsqs = ticket->sumsqs;
    out->device_us = ticket->device_us;
}

int vsg_search_wait(vsg_device *device, vsg_ticket *ticket, int64_t us, vsg_answer *out)
{
    int64_t begin = us > 0 ? vsg_now_us() : 0;

    memset(out, 0, sizeof *out);
    while (ticket->rc == VSG_OK && ticket->stage != QUERIES_DONE) {
        int64_t now = us > 0 ? vsg_now_us() : 0;
        int rc = vsg_wait_event(device, ticket->slot->done, us > 0 ? us - (now - begin) : 0,
                                ticket->begun_us + QUERIES_BUSY_US - now);
        if (rc == VSG_PENDING) {
            return VSG_PENDING;
        }
        if (rc == VSG_OK) {
            ticket->slot->is_running = 0;
            rc = queries_advance(device, ticket);
        }
        ticket->rc = rc;
    }
    if (ticket->rc == VSG_OK) {
        queries_answer(ticket, out);
    }
    return ticket->rc;
}

void vsg_search_end(vsg_device *device, vsg_ticket *ticket)
{
    if (ticket == NULL) {
        return;
    }
    ticket->slot->state = ticket->slot->is_running ? VSG_SLOT_DRAINING : VSG_SLOT_FREE;
    queries_free(ticket);
    (void)queries_drain(device);
}

int vsg_search_is_idle(vsg_device *device)
{
    return vsg_device_is_dead(device) || queries_drain(device) == 0;
}
