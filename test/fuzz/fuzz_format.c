/*
 * fuzz_format.c - the bytes in the shadow tables: every reader takes any bytes.
 *
 * The first byte of an input chooses a structure, and whether the checksums are set right, as a
 * forger would; the second one chooses sizes. What is refused is corrupt and says so; what is
 * accepted has values in their ranges, and is written again as the same bytes.
 */
#include <float.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../read_code.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int is_right, const char *what)
{
    if (!is_right) {
        fprintf(stderr, "fuzz_format: %s\n", what);
        abort();
    }
}

static void set32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

/* Writes the checksum of [from, n) at `at`, where there is room. */
static void seal(uint8_t *bytes, size_t at, size_t from, size_t n)
{
    if (n >= from && from >= at + 4) {
        set32(bytes + at, vsk_get()->checksum(bytes + from, n - from));
    }
}

/* Is the result what a reader may give? Returns 1 for an accepted structure. */
static int is_accepted(int rc, vs_err *err)
{
    check(rc == SQLITE_OK || rc == SQLITE_CORRUPT_VTAB, "an unexpected code");
    check((rc == SQLITE_OK) == (err->message == NULL), "an error without a sentence");
    check(err->message == NULL || strncmp(err->message, "fuzz_", 5) == 0,
          "an error that names no table");
    vs_error_clear(err);
    return rc == SQLITE_OK;
}

static void fuzz_head(uint8_t *bytes, size_t n, int is_sealed)
{
    uint8_t again[VS_HEAD_BYTES];
    vs_head head;
    vs_err err = VS_ERR_INIT;
    if (is_sealed) {
        seal(bytes, 4, 8, n);
    }
    if (is_accepted(vs_format_read_head("fuzz", bytes, n, &head, &err), &err)) {
        check(head.next_cell >= 1 && head.next_cell <= VS_HEAD_ID &&
                  head.cell_count < head.next_cell,
              "a head out of range");
        vs_format_write_head(&head, again);
        check(n == sizeof again && memcmp(again, bytes, n) == 0, "another head");
    }
}

static void fuzz_cell(uint8_t *bytes, size_t n, int is_sealed, unsigned sizes)
{
    uint8_t again[VS_CELL_BYTES_MAX];
    uint32_t slots = VS_SLOTS_MIN << (sizes % 7);
    int vectors = 1 + (int)(sizes / 7 % VS_VECTORS_MAX);
    vs_cell cell;
    vs_err err = VS_ERR_INIT;
    if (is_sealed) {
        seal(bytes, 4, 8, n);
    }
    if (is_accepted(vs_format_read_cell("fuzz", 7, 1, slots, vectors, bytes, n, &cell, &err),
                    &err)) {
        uint32_t live = 0;
        for (uint32_t slot = 0; slot < VS_SLOTS_MAX; slot++) {
            live += (uint32_t)vs_cell_has(&cell, slot);
            check(slot < slots || !vs_cell_has(&cell, slot), "a row beyond the slots");
        }
        check(live == cell.live, "another number of rows");
        check(vs_format_write_cell(&cell, slots, vectors, again) == n &&
                  memcmp(again, bytes, n) == 0,
              "another cell");
    }
}

static void fuzz_record(uint8_t *bytes, size_t n, int is_sealed, unsigned sizes)
{
    size_t vector_bytes = sizes;
    size_t record_bytes = (VS_RECORD_HEADER_BYTES + vector_bytes + 3) / 4 * 4;
    int64_t rowid = 0;
    const void *vector = NULL;
    vs_err err = VS_ERR_INIT;
    if (is_sealed && n >= record_bytes) {
        seal(bytes, 0, 4, record_bytes);
    }
    if (is_accepted(vs_format_read_record("fuzz", 1, 33, bytes, n, vector_bytes, record_bytes,
                                          &rowid, &vector, &err),
                    &err)) {
        uint8_t *again = malloc(record_bytes);
        check(n >= record_bytes && again != NULL, "a record that is cut");
        check(vector == NULL || vector == bytes + VS_RECORD_HEADER_BYTES, "a vector elsewhere");
        vs_format_write_record(rowid, vector, vector_bytes, record_bytes, again);
        check(memcmp(again + 4, bytes + 4, VS_RECORD_HEADER_BYTES - 4) == 0, "another record");
        check(vector == NULL || memcmp(again + VS_RECORD_HEADER_BYTES, vector, vector_bytes) == 0,
              "another vector");
        free(again);
    } else {
        check(vector == NULL, "a vector beside an error");
    }
}

/* A term of a code that is taken: not negative, not NaN. */
static int is_term(float value, float max)
{
    return value >= 0.0f && value <= max;
}

static void fuzz_code(uint8_t *bytes, size_t n, int is_sealed, unsigned sizes)
{
    size_t code_dim = VSK_CODE_GROUP * (1 + sizes % 4);
    size_t coarse_bytes = VS_CODE_HEADER_BYTES + code_dim / 2;
    int is_coarse = sizes / 4 % 2;
    uint8_t again[VS_CODE_HEADER_BYTES + VSK_CODE_GROUP * 4];
    vs_code_record record;
    vs_err err = VS_ERR_INIT;
    if (n != coarse_bytes + (is_coarse ? 0 : code_dim / 2)) {
        return; /* the caller has checked the size */
    }
    if (is_sealed && !is_coarse) {
        seal(bytes, 4, coarse_bytes, n);
    }
    if (is_sealed) {
        seal(bytes, 0, 4, coarse_bytes);
    }
    if (!is_accepted(vs_test_read_code("fuzz", 1, 33, bytes,
                                       is_coarse ? NULL : bytes + coarse_bytes, code_dim, &record,
                                       &err),
                     &err)) {
        return;
    }
    if (!(record.flags & VS_CODE_NO_BOUND)) {
        float about_one = 1.00002f, any = FLT_MAX;
        const vsk_code_terms *t = &record.terms;
        check(is_term(record.r, any) && is_term(t->inv4, any) && is_term(t->inv8, any),
              "a length out of range");
        check(is_term(t->cos4, about_one) && is_term(t->sin4, about_one) &&
                  is_term(t->cos8, about_one) && is_term(t->sin8, about_one),
              "an angle out of range");
    }
    if (!is_coarse) {
        vs_format_write_code(&record, code_dim, again, again + coarse_bytes);
        check(memcmp(again, bytes, n) == 0, "another code");
    }
}

static void fuzz_description(uint8_t *bytes, size_t n, int is_sealed, unsigned sizes)
{
    size_t dim = 1 + sizes % 8;
    size_t again_bytes = 0;
    vs_code_description description;
    vs_err err = VS_ERR_INIT;
    if (is_sealed) {
        seal(bytes, 4, 8, n);
    }
    if (is_accepted(vs_format_read_description("fuzz", bytes, n, 7, dim, &description, &err),
                    &err)) {
        void *again = vs_format_write_description(&description, &again_bytes);
        check(again != NULL && again_bytes == n && memcmp(again, bytes, n) == 0,
              "another description");
        sqlite3_free(again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || vsk_init(NULL) != 0) {
        return 0;
    }
    int is_sealed = data[0] & 0x80;
    unsigned sizes = data[1];
    size_t n = size - 2;
    uint8_t *bytes = malloc(n > 0 ? n : 1);
    check(bytes != NULL, "no memory");
    memcpy(bytes, data + 2, n);
    switch (data[0] & 0x7f) {
    case 0:
        fuzz_head(bytes, n, is_sealed);
        break;
    case 1:
        fuzz_cell(bytes, n, is_sealed, sizes);
        break;
    case 2:
        fuzz_record(bytes, n, is_sealed, sizes);
        break;
    case 3:
        fuzz_code(bytes, n, is_sealed, sizes);
        break;
    case 4:
        fuzz_description(bytes, n, is_sealed, sizes);
        break;
    default:
        break;
    }
    free(bytes);
    return 0;
}
