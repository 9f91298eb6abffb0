/*
 * frame_fixture.c - blocks to compress, and frames to damage.
 */
#include "frame_fixture.h"

#include "../ext/crc32c.h"
#include "../ext/half.h"
#include "../kernels/half.h"
#include "awkward.h"
#include "vs_fault.h"

static void frame_set(void *out, size_t i, uint32_t bits)
{
    memcpy((unsigned char *)out + 4 * i, &bits, 4);
}

/* Bits of a random 16-bit float; of a finite one about the size of 1 where it goes over a norm. */
static uint16_t frame_half(frame_block kind, uint64_t *random)
{
    uint16_t bits = (uint16_t)vs_test_random(random);
    if (kind == BLOCK_F16_OVER_N) {
        return vsk_f16_encode((float)(1000.0 * random_normal()));
    }
    return kind == BLOCK_BF16_OVER_N ? vsk_bf16_encode((float)(1000.0 * random_normal())) : bits;
}

static void frame_fill_half(frame_block kind, size_t dim, size_t count, void *out)
{
    uint64_t random = 0x5eedu + (uint64_t)kind;
    vsk_type type = kind == BLOCK_F16 || kind == BLOCK_F16_OVER_N ? VSK_F16 : VSK_BF16;
    int is_over = kind == BLOCK_F16_OVER_N || kind == BLOCK_BF16_OVER_N;
    for (size_t i = 0; i < count; i++) {
        uint16_t h = frame_half(kind, &random);
        float value = type == VSK_F16 ? vsk_f16_decode(h) : vsk_bf16_decode(h);
        float norm = is_over ? 30011.7f + (float)(i / dim) : 1.0f;
        frame_set(out, i, is_over ? vsk_f32_bits(value / norm) : vsk_f32_bits(value));
    }
}

static uint32_t frame_element(frame_block kind, size_t i, size_t count, uint64_t *random)
{
    static const uint32_t awkward[] = {
        0u,          0x80000000u, 1u,          0x80000001u, 0x007fffffu, 0x00800000u, 0x7f800000u,
        0xff800000u, 0x7f800001u, 0x7fc00000u, 0xffc12345u, 0x7fffffffu, 0x7f7fffffu, 0x3f800000u};
    uint64_t number = vs_test_random(random);
    switch (kind) {
    case BLOCK_BITS:
        return (uint32_t)number;
    case BLOCK_AWKWARD:
        return awkward[number % VS_TEST_COUNT(awkward)];
    case BLOCK_DECIMAL:
        return vsk_f32_bits((float)((double)(number % 400001) / 1e5 - 2.0) *
                            (number % 100 == 0 ? -0.0f : 1.0f));
    case BLOCK_WHOLE:
        return vsk_f32_bits((float)(number % 256));
    case BLOCK_CONSTANT:
        return 0x7fc0abcdu;
    case BLOCK_ALMOST_ZERO:
        return i + 1 == count;
    default:
        return vsk_f32_bits((float)random_normal());
    }
}

void frame_fill(frame_block kind, size_t dim, size_t bytes, void *out)
{
    static const char words[] = "the quick brown fox jumps over the lazy dog and then sleeps, ";
    uint64_t random = 0x1234567u + (uint64_t)kind;
    size_t count = bytes / 4;
    awkward_state = 0x9e3779b97f4a7c15u;
    if (kind == BLOCK_TEXT || kind == BLOCK_NOISE) {
        for (size_t i = 0; i < bytes; i++) {
            ((unsigned char *)out)[i] = kind == BLOCK_TEXT
                                            ? (unsigned char)words[i % (sizeof words - 1)]
                                            : (unsigned char)vs_test_random(&random);
        }
        return;
    }
    if (kind >= BLOCK_F16 && kind <= BLOCK_BF16_OVER_N) {
        frame_fill_half(kind, dim, count, out);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        frame_set(out, i, frame_element(kind, i, count, &random));
    }
}

size_t frame_encode(const void *raw, const vs_frame_shape *shape, vs_frame_mode mode, int level,
                    void **out)
{
    vs_frame_options options = {mode, level, NULL};
    vs_err err = VS_ERR_INIT;
    size_t bytes = 0;
    if (vs_frame_encode("t", raw, shape, &options, out, &bytes, &err) != SQLITE_OK) {
        fail_msg("%s", err.message);
    }
    return bytes;
}

vs_frame_info frame_info(const void *frame, size_t n)
{
    vs_frame_info info;
    vs_err err = VS_ERR_INIT;
    if (vs_frame_read("t", frame, n, FRAME_LIMIT, &info, &err) != SQLITE_OK) {
        fail_msg("%s", err.message);
    }
    return info;
}

int frame_try(const void *bytes, size_t n, size_t limit, const vs_codec_dict *dict,
              const void *expected, vs_err *err)
{
    int64_t live = vs_fault_live();
    unsigned char *copy = malloc(n > 0 ? n : 1); /* its own size: a sanitizer sees a step too far */
    vs_frame_info info;
    void *out = NULL;
    memcpy(copy, bytes, n);
    int rc = vs_frame_read("t", copy, n, limit, &info, err);
    if (rc == SQLITE_OK) {
        rc = vs_frame_decode("t", &info, dict, &out, err);
    }
    free(copy);
    assert_true((rc == SQLITE_OK) == (out != NULL));
    assert_true((rc == SQLITE_OK) == (err->message == NULL));
    if (out != NULL && expected != NULL) {
        assert_memory_equal(out, expected, info.raw_bytes);
    }
    sqlite3_free(out);
    assert_int_equal(vs_fault_live(), live + (err->message != NULL));
    return rc;
}

void frame_refused(const void *bytes, size_t n, int code, const char *sentence)
{
    vs_err err = VS_ERR_INIT;
    int rc = frame_try(bytes, n, FRAME_LIMIT, NULL, NULL, &err);
    if (rc != code || strcmp(err.message, sentence) != 0) {
        fail_msg("%d, \"%s\", not \"%s\"", rc, err.message, sentence);
    }
    vs_error_clear(&err);
}

void frame_seal(void *frame)
{
    unsigned char *at = (unsigned char *)frame + 36;
    memset(at, 0, 4);
    uint32_t crc = vs_crc32c(frame, VS_FRAME_HEADER_BYTES);
    for (int i = 0; i < 4; i++) {
        at[i] = (unsigned char)(crc >> (8 * i));
    }
}
