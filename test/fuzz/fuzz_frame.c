/*
 * fuzz_frame.c - block frames: any bytes are read, and any block comes back.
 *
 * The first byte of an input says what the rest is: a frame; a frame whose header checksum is set
 * right, as a forger would; a block to encode; or a dictionary and a frame that needs it. A refused
 * input has a sentence and the right code; an accepted one decodes to as many bytes as it says. A
 * block comes back bit for bit from a frame that is never much larger.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../ext/crc32c.h"
#include "../../ext/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_LIMIT (1u << 20)

static void check(int is_right, const char *what)
{
    if (!is_right) {
        fprintf(stderr, "fuzz_frame: %s\n", what);
        abort();
    }
}

static void seal(uint8_t *frame, size_t n)
{
    if (n < VS_FRAME_HEADER_BYTES) {
        return;
    }
    memset(frame + 36, 0, 4);
    uint32_t crc = vs_crc32c(frame, VS_FRAME_HEADER_BYTES);
    for (int i = 0; i < 4; i++) {
        frame[36 + i] = (uint8_t)(crc >> (8 * i));
    }
}

/* A frame that may be anything. */
static void fuzz_read(const uint8_t *frame, size_t n, const vs_codec_dict *dict)
{
    vs_frame_info info;
    vs_err err = VS_ERR_INIT;
    void *raw = NULL;
    int rc = vs_frame_read("fuzz", frame, n, FUZZ_LIMIT, &info, &err);
    if (rc == SQLITE_OK) {
        check(info.raw_bytes > 0 && info.raw_bytes <= FUZZ_LIMIT, "a size beyond the limit");
        rc = vs_frame_decode("fuzz", &info, dict, &raw, &err);
        check(rc != SQLITE_OK || vs_crc32c(raw, info.raw_bytes) == info.checksum,
              "another checksum");
    }
    check(rc == SQLITE_OK || rc == SQLITE_ERROR || rc == SQLITE_TOOBIG, "an unexpected code");
    check((rc == SQLITE_OK) == (raw != NULL), "a result beside an error");
    check((rc == SQLITE_OK) == (err.message == NULL), "an error without a sentence");
    check(rc == SQLITE_OK || strncmp(err.message, "fuzz: ", 6) == 0, "an error without a name");
    sqlite3_free(raw);
    vs_error_clear(&err);
}

/* The shape that fits most of n bytes. */
static vs_frame_shape fuzz_shape(unsigned choice, size_t n)
{
    static const size_t widths[] = {1, 4, 2, 2, 1, 1, 8};
    vs_frame_elem elem = (vs_frame_elem)(choice % VS_FRAME_ELEMS);
    size_t elements = n / widths[elem], dim = 1 + choice / VS_FRAME_ELEMS;
    dim = dim > elements ? elements : dim;
    size_t scale = elem == VS_FRAME_BIT ? 8 : 1;
    return (vs_frame_shape){elem, (uint32_t)(dim * scale),
                            dim == 0 ? 0 : (uint32_t)(elements / dim)};
}

/* A block, in a mode; level 1 and now and then a higher one. */
static void fuzz_write(const uint8_t *raw, size_t n, unsigned choice, unsigned mode)
{
    vs_frame_options options = {(vs_frame_mode)(mode % VS_FRAME_MODES), mode < 240 ? 1 : 3, NULL};
    vs_frame_shape shape = fuzz_shape(choice, n);
    vs_frame_info info;
    vs_err err = VS_ERR_INIT;
    void *frame = NULL, *back = NULL;
    size_t bytes = 0;
    int rc = vs_frame_encode("fuzz", raw, &shape, &options, &frame, &bytes, &err);
    if (shape.count == 0) {
        check(rc == SQLITE_ERROR, "an empty block is taken");
        vs_error_clear(&err);
        return;
    }
    check(rc == SQLITE_OK, "a block is refused");
    check(vs_frame_read("fuzz", frame, bytes, FUZZ_LIMIT, &info, &err) == SQLITE_OK &&
              vs_frame_decode("fuzz", &info, NULL, &back, &err) == SQLITE_OK,
          "an own frame is refused");
    check(info.raw_bytes <= n && bytes <= VS_FRAME_BYTES_MAX(info.raw_bytes), "a larger frame");
    check(memcmp(back, raw, info.raw_bytes) == 0, "another block comes back");
    sqlite3_free(frame);
    sqlite3_free(back);
}

/* A dictionary of a stated size, and a frame with its id. */
static void fuzz_dictionary(const uint8_t *data, size_t n, size_t dict_bytes)
{
    dict_bytes = dict_bytes > n ? n : dict_bytes;
    vs_codec_dict dict = {data, dict_bytes, 0};
    if (n - dict_bytes >= VS_FRAME_HEADER_BYTES) {
        memcpy(&dict.id, data + dict_bytes + 16, sizeof dict.id);
    }
    fuzz_read(data + dict_bytes, n - dict_bytes, &dict);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int is_ready;
    if (!is_ready) {
        check(vsk_init(NULL) == 0, "no kernels");
        is_ready = 1;
    }
    if (size < 3 || size > FUZZ_LIMIT) {
        return 0;
    }
    size_t n = size - 3;
    uint8_t *copy = malloc(n > 0 ? n : 1);
    check(copy != NULL, "no memory");
    memcpy(copy, data + 3, n);
    switch (data[0] % 4) {
    case 0:
        fuzz_read(copy, n, NULL);
        break;
    case 1:
        seal(copy, n);
        fuzz_read(copy, n, NULL);
        break;
    case 2:
        fuzz_write(copy, n, data[1], data[2]);
        break;
    default:
        fuzz_dictionary(copy, n, data[1] + 256u * data[2]);
        break;
    }
    free(copy);
    return 0;
}
