/*
 * code_scalar.c - rotation, parts of the encoder, products, bound test and checksum of codes in
 * portable C: the definitions in code.h, line by line.
 *
 * Every other level must give these bits, but for the bound test, which may keep other rows close
 * to the limit.
 */
#include "../planes.h"
#include "../vsk_impl.h"

/* ---- rotation ---- */

/* A product that no later sum may be fused with. */
VSK_INLINE float code_times_scalar(float x, float y)
{
    float product = x * y;
    VSK_ROUNDED_F32(product);
    return product;
}

static void code_window_scalar(float *v, size_t window, float scale)
{
    for (size_t h = 1; h < window; h *= 2) {
        for (size_t first = 0; first < window; first += 2 * h) {
            for (size_t i = first; i < first + h; i++) {
                float x = v[i];
                float y = v[i + h];
                v[i] = x + y;
                v[i + h] = x - y;
            }
        }
    }
    for (size_t i = 0; i < window; i++) {
        v[i] = code_times_scalar(v[i], scale);
    }
}

void vsk_rotate_f32_scalar(float *v, size_t n)
{
    float scale;
    size_t window = code_window(n, &scale);

    for (unsigned turn = 0; turn < code_turns(n, window); turn++) {
        size_t first = turn % 2 == 0 ? 0 : n - window;
        for (size_t i = first; i < n; i++) {
            int is_negated = code_sign_word(turn, i / 64) >> (i % 64) & 1;
            v[i] = is_negated ? -v[i] : v[i];
        }
        for (size_t i = 0; n != window && turn % 2 == 0 && i < n / 2; i++) {
            float x = v[i];
            float y = v[n - 1 - i];
            v[i] = code_times_scalar(x + y, VSK_ROTATE_MIRROR);
            v[n - 1 - i] = code_times_scalar(x - y, VSK_ROTATE_MIRROR);
        }
        code_window_scalar(v + first, window, scale);
    }
}

/* ---- the encoder ---- */

float vsk_code_tail_f32_scalar(const float *v, size_t n, const float *clips, double *lost)
{
    enum { GROUP = 16 }; /* most have no element beyond any clip */
    uint32_t first_bits = code_magnitude_bits(clips[0]);
    uint32_t largest_bits = 0;

    for (size_t k = 0; k < VSK_CODE_CLIPS; k++) {
        lost[k] = 0;
    }
    for (size_t i = 0; i < n; i += GROUP) {
        uint32_t group_bits = 0;
        for (size_t j = 0; j < GROUP; j++) {
            uint32_t bits = code_magnitude_bits(v[i + j]);
            group_bits = bits > group_bits ? bits : group_bits;
        }
        largest_bits = group_bits > largest_bits ? group_bits : largest_bits;
        for (size_t j = 0; group_bits > first_bits && j < GROUP; j++) {
            float x = code_float_of_bits(code_magnitude_bits(v[i + j]));
            for (size_t k = 0; k < VSK_CODE_CLIPS && x > clips[k]; k++) {
                double beyond = (double)x - (double)clips[k];
                double square = beyond * beyond;
                VSK_ROUNDED_F64(square);
                lost[k] += square;
            }
        }
    }
    return code_float_of_bits(largest_bits);
}

void vsk_code_planes_f32_scalar(const float *low, const float *high, size_t count,
                                float steps_per_unit, uint8_t *plane_b, uint8_t *plane_c,
                                vsk_code_products *out)
{
    planes_encode(low, high, count, steps_per_unit, plane_b, plane_c, out, vsk_dot_f32_scalar,
                  vsk_sumsq_f32_scalar);
}

/* ---- products ---- */

void vsk_code_dot_i8_scalar(const int8_t *q, size_t q_stride, size_t q_count, const uint8_t *rows,
                            size_t stride_bytes, size_t count, size_t n, int32_t *out)
{
    for (size_t i = 0; i < q_count; i++) {
        const int8_t *low = q + i * q_stride; /* of the elements in low nibbles */
        const int8_t *high = low + n / 2;
        for (size_t j = 0; j < count; j++) {
            const uint8_t *row = rows + j * stride_bytes;
            int32_t sum = 0;
            for (size_t k = 0; k < n / 2; k++) {
                sum += low[k] * (row[k] & 15) + high[k] * (row[k] >> 4);
            }
            out[i * count + j] = sum;
        }
    }
}

/* ---- the bound test ---- */

size_t vsk_code_pass_f32_scalar(const vsk_code_test *test, const int32_t *dots, const float *inv,
                                const float *cos, const float *sin, const float *r, size_t count,
                                uint16_t *out)
{
    vsk_code_limits limits = vsk_code_limits_of(test);
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        out[kept] = (uint16_t)i;
        kept += (size_t)vsk_code_stays(test, limits, dots[i], inv[i], cos[i], sin[i], r[i]);
    }
    return kept;
}

/* ---- checksum ---- */

static void code_checksum_block_scalar(uint32_t lanes[16], const unsigned char *block)
{
    for (size_t j = 0; j < 16; j++) {
        uint32_t word;
        memcpy(&word, block + 4 * j, sizeof word);
        lanes[j] = (lanes[j] ^ word) * VSK_CHECKSUM_STEP;
        lanes[j] ^= lanes[j] >> 15;
    }
}

uint32_t vsk_checksum_bit_scalar(const void *data, size_t n)
{
    const unsigned char *p = data;
    size_t rest = n % 64;
    uint32_t lanes[16];

    code_checksum_start(lanes);
    for (size_t i = 0; i < n - rest; i += 64) {
        code_checksum_block_scalar(lanes, p + i);
    }
    if (rest > 0) {
        unsigned char block[64] = {0};
        memcpy(block, p + (n - rest), rest);
        code_checksum_block_scalar(lanes, block);
    }
    return code_checksum_fold(lanes, n);
}

void vsk_checksum_rows_bit_scalar(const void *rows, size_t stride_bytes, size_t n, size_t count,
                                  uint32_t *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = vsk_checksum_bit_scalar((const unsigned char *)rows + i * stride_bytes, n);
    }
}
