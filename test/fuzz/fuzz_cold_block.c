/*
 * fuzz_cold_block.c - blocks of cold vectors: any bytes are read, and any vectors come back.
 *
 * The first byte of an input says what the rest is: a block; a block whose checksum is set right, as
 * a forger would; or kinds and vectors to encode. The next two tell the column's element type and
 * dimension, and the number of records. A refused block has a sentence; an accepted one encodes and
 * decodes to the same again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../ext/cold_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_NUMBER 9
#define FUZZ_INPUT_MAX (1u << 16)

static void check(int is_right, const char *what)
{
    if (!is_right) {
        fprintf(stderr, "fuzz_cold_block: %s\n", what);
        abort();
    }
}

static size_t fuzz_vector_bytes(const vs_frame_shape *shape)
{
    return shape->dim * (shape->elem == VS_FRAME_F32 ? 4 : 2);
}

/* The block comes back from its bytes; which frame a vector is in does not matter. */
static void fuzz_round(const vs_cold_block *block)
{
    vs_cold_block back;
    vs_err err = VS_ERR_INIT;
    void *data = NULL;
    size_t n = 0, records = block->shape.count;
    check(vs_cold_block_encode("fuzz", FUZZ_NUMBER, block, &data, &n, &err) == SQLITE_OK,
          "a block is not encoded");
    check(vs_cold_block_decode(&block->shape, FUZZ_NUMBER, data, n, &back, &err) == SQLITE_OK,
          "an own block is refused");
    for (size_t i = 0; i < records; i++) {
        int kind = block->kinds[i] == VS_COLD_HALF ? VS_COLD_VECTOR : block->kinds[i];
        int found = back.kinds[i] == VS_COLD_HALF ? VS_COLD_VECTOR : back.kinds[i];
        check(kind == found, "another kind comes back");
    }
    check(memcmp(back.rowids, block->rowids, records * sizeof *back.rowids) == 0,
          "other rowids come back");
    check(memcmp(back.vectors, block->vectors, records * fuzz_vector_bytes(&block->shape)) == 0,
          "other vectors come back");
    vs_cold_block_free(&back);
    sqlite3_free(data);
}

/* Bytes that may be anything. */
static void fuzz_read(const uint8_t *bytes, size_t n, const vs_frame_shape *shape)
{
    vs_cold_block block;
    vs_err err = VS_ERR_INIT;
    int rc = vs_cold_block_decode(shape, FUZZ_NUMBER, bytes, n, &block, &err);
    check(rc == SQLITE_OK || rc == SQLITE_ERROR, "an unexpected code");
    check((rc == SQLITE_OK) == (err.message == NULL), "an error without a sentence");
    if (rc == SQLITE_OK) {
        fuzz_round(&block);
    }
    vs_cold_block_free(&block);
    vs_error_clear(&err);
}

/* A kind for each record, then vectors, as far as there are bytes. */
static void fuzz_write(const uint8_t *bytes, size_t n, const vs_frame_shape *shape)
{
    vs_cold_block block;
    size_t vector_bytes = fuzz_vector_bytes(shape), at = shape->count;
    check(vs_cold_block_new(shape, &block) == SQLITE_OK, "no memory");
    for (size_t i = 0; i < shape->count && i < n; i++) {
        int kind = bytes[i] % VS_COLD_KINDS;
        if (kind >= VS_COLD_VECTOR && at + vector_bytes <= n) {
            memcpy(block.vectors + i * vector_bytes, bytes + at, vector_bytes);
            at += vector_bytes;
        }
        block.kinds[i] = (uint8_t)kind;
        block.rowids[i] = kind == VS_COLD_UNUSED ? 0 : (int64_t)i - 3;
    }
    fuzz_round(&block);
    vs_cold_block_free(&block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const vs_frame_elem elems[] = {VS_FRAME_F32, VS_FRAME_F16, VS_FRAME_BF16, VS_FRAME_F32};
    static int is_ready;
    if (!is_ready) {
        check(vsk_init(NULL) == 0, "no kernels");
        is_ready = 1;
    }
    if (size < 3 || size > FUZZ_INPUT_MAX) {
        return 0;
    }
    size_t n = size - 3;
    vs_frame_shape shape = {elems[data[1] % 4], 1 + data[1] / 4u, 1 + data[2] % 64u};
    uint8_t *copy = malloc(n > 0 ? n : 1);
    check(copy != NULL, "no memory");
    memcpy(copy, data + 3, n);
    if (data[0] % 3 == 1 && n >= 8) {
        uint32_t sum = vsk_get()->checksum(copy + 8, n - 8);
        memcpy(copy + 4, &sum, sizeof sum);
    }
    if (data[0] % 3 == 2) {
        fuzz_write(copy, n, &shape);
    } else {
        fuzz_read(copy, n, &shape);
    }
    free(copy);
    return 0;
}
