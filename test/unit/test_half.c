/*
 * test_half.c - vectors on the half grid are found and come back bit for bit; others are not.
 *
 * What is on the grid is decided here from the definition: a search over every significand of the
 * first element and every norm near it, in plain C.
 */
#include "../vs_test.h"

#include <float.h>
#include <math.h>

#include "../../ext/half.h"
#include "../../kernels/half.h"

enum { DIM_MAX = 3072 };

static const vsk_type types[] = {VSK_F16, VSK_BF16};
static const size_t big_dims[] = {384, 768, 1000, 1536, DIM_MAX};
enum { SMALL_DIMS = 130, DIMS = SMALL_DIMS + VS_TEST_COUNT(big_dims) };

static uint64_t random_state;

static int begin(void **state)
{
    (void)state;
    random_state = 0x9e3779b97f4a7c15u;
    return vsk_init(NULL);
}

static size_t dim_at(size_t i)
{
    return i < SMALL_DIMS ? i + 1 : big_dims[i - SMALL_DIMS];
}

static uint32_t bits_of(float value)
{
    return vsk_f32_bits(value);
}

static float decode(vsk_type type, uint16_t half)
{
    return type == VSK_F16 ? vsk_f16_decode(half) : vsk_bf16_decode(half);
}

static uint16_t encode(vsk_type type, float value)
{
    return type == VSK_F16 ? vsk_f16_encode(value) : vsk_bf16_encode(value);
}

static double uniform(void)
{
    return (double)(vs_test_random(&random_state) >> 11) * 0x1p-53;
}

/* Nearly normal, deviation 1. */
static double gauss(void)
{
    double sum = -6.0;
    for (int i = 0; i < 12; i++) {
        sum += uniform();
    }
    return sum;
}

static void fill_gauss(float *v, size_t dim, double scale)
{
    for (size_t i = 0; i < dim; i++) {
        v[i] = (float)(gauss() * scale);
    }
}

/* As a model does that computes in 16 bits and normalises in 32. */
static void normalise(float *v, size_t dim)
{
    float sum = 0.0f;
    for (size_t i = 0; i < dim; i++) {
        sum += v[i] * v[i];
    }
    float norm = sqrtf(sum);
    for (size_t i = 0; i < dim; i++) {
        v[i] /= norm > 0.0f ? norm : 1.0f;
    }
}

static int find(const float *v, size_t dim, vsk_type type, uint16_t *h, float *norm)
{
    static float again[DIM_MAX];
    *norm = NAN;
    if (!vs_half_find(v, dim, type, h, norm)) {
        return 0;
    }
    if (!(*norm >= FLT_MIN && *norm <= FLT_MAX)) {
        fail_msg("dim %zu: the norm is %a", dim, (double)*norm);
    }
    vs_half_widen(h, dim, type, *norm, again);
    for (size_t i = 0; i < dim; i++) {
        volatile float exact = decode(type, h[i]) / *norm;
        if (bits_of(again[i]) != bits_of(v[i]) || bits_of(exact) != bits_of(v[i])) {
            fail_msg("dim %zu, element %zu: %a comes back as %a, is %a", dim, i, (double)v[i],
                     (double)again[i], (double)exact);
        }
    }
    return 1;
}

static float must_find(const float *v, size_t dim, vsk_type type, const char *what)
{
    static uint16_t h[DIM_MAX];
    float norm;
    if (!find(v, dim, type, h, &norm)) {
        fail_msg("%s, %s, dim %zu: not found", vsk_type_name(type), what, dim);
    }
    return norm;
}

static void must_miss(const float *v, size_t dim, vsk_type type, const char *what)
{
    static uint16_t h[DIM_MAX];
    float norm;
    if (find(v, dim, type, h, &norm)) {
        fail_msg("%s, %s, dim %zu: found with norm %a", vsk_type_name(type), what, dim,
                 (double)norm);
    }
}

/* Is x some h / norm, where h has `bits` bits? Then h is the rounded product or its neighbour. */
static int is_quotient(float x, float norm, int bits)
{
    int exponent = 0;
    double fraction = frexp((double)x * (double)norm, &exponent);
    double middle = nearbyint(ldexp(fraction, bits));
    for (double a = middle - 1.0; a <= middle + 1.0; a += 1.0) {
        volatile float h = (float)ldexp(a, exponent - bits);
        volatile float quotient = h / norm;
        if (bits_of(quotient) == bits_of(x)) {
            return 1;
        }
    }
    return 0;
}

/*
 * The definition, for vectors whose elements are not far apart: each significand of the first
 * element, each norm within 4 units of what it gives, each element.
 */
static int is_on_grid(const float *v, size_t dim, vsk_type type)
{
    int bits = type == VSK_F16 ? 11 : 8;
    for (int m = 1 << (bits - 1); m < 1 << bits; m++) {
        float norm = fabsf((float)((double)m / (double)v[0]));
        uint32_t middle = bits_of(norm);
        for (uint32_t at = middle - 4; at <= middle + 4; at++) {
            size_t i = 0;
            while (i < dim && is_quotient(v[i], vsk_f32_of_bits(at), bits)) {
                i++;
            }
            if (i == dim) {
                return 1;
            }
        }
    }
    return 0;
}

static void what_is_computed_in_16_bits_and_normalised_is_always_found(void **state)
{
    static float v[DIM_MAX];
    (void)state;
    for (size_t d = 0; d < DIMS; d++) {
        for (int turn = 0; turn < 2 * 40; turn++) {
            vsk_type type = types[turn % 2];
            size_t dim = dim_at(d);
            fill_gauss(v, dim, exp(8.0 * uniform() - 4.0));
            v[vs_test_random(&random_state) % dim] *= (float)(1.0 + 20.0 * uniform());
            for (size_t i = 0; i < dim; i++) {
                v[i] = decode(type, encode(type, v[i]));
            }
            normalise(v, dim);
            must_find(v, dim, type, "normalised");
        }
    }
}

/* Any finite 16-bit elements, denormal ones and zeros too, over any norm. */
static void every_16_bit_vector_over_a_norm_is_found(void **state)
{
    static float v[DIM_MAX];
    (void)state;
    for (size_t d = 0; d < DIMS; d++) {
        for (int turn = 0; turn < 2 * 60; turn++) {
            vsk_type type = types[turn % 2];
            size_t dim = dim_at(d);
            float norm = (float)exp(40.0 * uniform() - 20.0);
            for (size_t i = 0; i < dim; i++) {
                uint16_t half = (uint16_t)vs_test_random(&random_state);
                if (type == VSK_BF16) { /* within 2^+-32, so that all quotients are normal */
                    half = (uint16_t)((half & 0x9fffu) | 0x2000u);
                } else if ((half & 0x7c00u) == 0x7c00u) {
                    half &= 0x83ffu;
                }
                volatile float quotient = decode(type, half) / norm;
                v[i] = quotient;
            }
            must_find(v, dim, type, "any elements, any norm");
        }
    }
}

static void exact_16_bit_vectors_have_the_norm_1(void **state)
{
    static float v[DIM_MAX];
    (void)state;
    for (size_t d = 0; d < DIMS; d++) {
        for (int turn = 0; turn < 2 * 10; turn++) {
            vsk_type type = types[turn % 2];
            size_t dim = dim_at(d);
            for (size_t i = 0; i < dim; i++) {
                uint16_t half = (uint16_t)vs_test_random(&random_state);
                uint16_t exponent = type == VSK_F16 ? 0x7c00u : 0x7f80u;
                half = (half & exponent) == exponent ? (uint16_t)(half & ~exponent) : half;
                v[i] = decode(type, half);
            }
            assert_true(must_find(v, dim, type, "exact") == 1.0f);
        }
    }
}

static void integers_over_their_norm_stay_integers(void **state)
{
    static float v[DIM_MAX], integers[DIM_MAX];
    static uint16_t h[DIM_MAX];
    (void)state;
    for (int turn = 0; turn < 400; turn++) {
        size_t dim = turn % 2 ? 784 : 128;
        int most = turn % 4 < 2 ? 256 : 1 + turn;
        float norm, unit;
        for (size_t i = 0; i < dim; i++) { /* half of them zeros, as in pictures */
            uint64_t r = vs_test_random(&random_state);
            integers[i] = r % 2 ? 0.0f : (float)((r >> 8) % (uint64_t)most);
        }
        memcpy(v, integers, sizeof v);
        normalise(v, dim);
        assert_true(find(v, dim, VSK_F16, h, &norm));
        unit = 0.0f; /* what an integer 1 has become */
        for (size_t i = 0; i < dim && most == 256; i++) {
            float element = vsk_f16_decode(h[i]);
            if (integers[i] != 0.0f) {
                unit = unit == 0.0f ? element / integers[i] : unit;
                assert_true(element == unit * integers[i]);
            }
        }
        int exponent = 0;
        if (most == 256) {
            assert_true(frexpf(unit, &exponent) == 0.5f);
        }
    }
}

static void random_float32_is_not_found(void **state)
{
    static float v[DIM_MAX];
    (void)state;
    for (int turn = 0; turn < 2 * 3000; turn++) {
        size_t dim = 8 + (size_t)(turn / 2) % 1529;
        fill_gauss(v, dim, 1.0);
        normalise(v, dim);
        must_miss(v, dim, types[turn % 2], "random");
    }
}

/* Few elements may be on the grid by chance; the definition tells. */
static void what_is_found_agrees_with_the_definition(void **state)
{
    enum { SHORT = 6, TURNS = 400 };
    float v[SHORT];
    uint16_t h[SHORT];
    float norm;
    int counts[2] = {0, 0};
    (void)state;
    for (int turn = 0; turn < 2 * TURNS; turn++) {
        vsk_type type = types[turn % 2];
        size_t dim = 1 + (size_t)(turn / 2) % SHORT;
        for (size_t i = 0; i < dim; i++) {
            v[i] = (float)(uniform() + 0.5);
        }
        int is_found = find(v, dim, type, h, &norm);
        if (is_found != is_on_grid(v, dim, type)) {
            fail_msg("%s, dim %zu: found %d, wrongly", vsk_type_name(type), dim, is_found);
        }
        counts[is_found]++;
    }
    assert_true(counts[0] > TURNS / 2 && counts[1] > TURNS / 10);
}

static void one_element_changed_by_one_unit_agrees_with_the_definition(void **state)
{
    static float v[1536];
    static uint16_t h[1536];
    static const size_t dims[] = {2, 3, 24, 129, 384, 1536};
    int missed = 0;
    (void)state;
    for (int turn = 0; turn < 2 * 300; turn++) {
        vsk_type type = types[turn % 2];
        size_t dim = dims[turn / 2 % VS_TEST_COUNT(dims)];
        float norm;
        for (size_t i = 0; i < dim; i++) {
            v[i] = decode(type, encode(type, (float)(uniform() + 0.5)));
        }
        normalise(v, dim);
        must_find(v, dim, type, "before the change");
        size_t at = vs_test_random(&random_state) % dim;
        v[at] = vsk_f32_of_bits(bits_of(v[at]) + (turn % 4 < 2 ? 1 : -1u));
        int is_found = find(v, dim, type, h, &norm);
        if (is_found != is_on_grid(v, dim, type)) {
            fail_msg("%s, dim %zu, element %zu: found %d, wrongly", vsk_type_name(type), dim, at,
                     is_found);
        }
        missed += !is_found;
    }
    assert_true(missed > 300);
}

static void zeros_keep_their_signs(void **state)
{
    static float v[DIM_MAX];
    static uint16_t h[DIM_MAX];
    float norm;
    (void)state;
    for (size_t t = 0; t < 2; t++) {
        for (size_t dim = 1; dim <= 400; dim++) {
            for (size_t i = 0; i < dim; i++) {
                v[i] = i % 3 ? -0.0f : 0.0f;
            }
            assert_true(find(v, dim, types[t], h, &norm) && norm == 1.0f);
            for (size_t i = 0; i < dim; i++) {
                assert_int_equal(h[i], i % 3 ? 0x8000 : 0);
            }
            v[dim / 2] = 0.1f; /* a single element that is not one of 16 bits */
            assert_true(find(v, dim, types[t], h, &norm) && norm != 1.0f);
        }
    }
}

static void nan_and_infinity_are_not_found_anywhere(void **state)
{
    static const uint32_t bad[] = {0x7f800000u, 0xff800000u, 0x7fc00000u, 0xffc00000u,
                                   0x7f800001u, 0xffffffffu, 0x7fffe000u};
    static float v[300];
    (void)state;
    for (size_t i = 0; i < 2 * 4 * VS_TEST_COUNT(bad); i++) {
        vsk_type type = types[i % 2];
        for (size_t dim = 1; dim <= 300; dim += 23) {
            for (size_t at = 0; at < dim; at += 1 + at) {
                for (size_t j = 0; j < dim; j++) {
                    v[j] = (float)(j % 7);
                }
                if (i / 2 % 4 == 0) {
                    memset(v, 0, sizeof v);
                } else if (i / 2 % 4 < 3) {
                    normalise(v, dim);
                }
                v[at] = vsk_f32_of_bits(bad[i / 8]);
                must_miss(v, dim, type, "not finite");
            }
        }
    }
}

/* Norms of vectors from the smallest normal float32 to the largest. */
static void huge_and_tiny_vectors_are_found(void **state)
{
    static float v[200];
    (void)state;
    for (int exponent = -126; exponent <= 126; exponent++) {
        for (size_t t = 0; t < 2; t++) {
            for (int i = 0; i < 200; i++) {
                double element = (double)decode(types[t], encode(types[t], (float)(1 + uniform())));
                volatile float quotient = (float)(element / 2.0) / 1.37f;
                v[i] = ldexpf(i % 2 ? -quotient : quotient, exponent + 2);
            }
            must_find(v, 200, types[t], "huge or tiny");
            assert_true(isfinite(v[0]));
        }
    }
}

/* Elements that are float16 only as denormal numbers, and those beside the largest. */
static void the_whole_range_of_float16_is_used(void **state)
{
    static const float tails[] = {0x1p-24f, 0x1.8p-23f, 0x1.ff8p-16f, 0x1.ffcp-15f, 0x1.004p-14f};
    static const float leads[] = {2047.0f, 1024.0f, 1361.0f};
    float v[8];
    (void)state;
    for (int turn = 0; turn < 31 * 60; turn++) {
        float largest = ldexpf(leads[turn % 3], turn / 60 - 25), norm = (float)(1.0 + uniform());
        float tail = tails[turn % VS_TEST_COUNT(tails)];
        float h[8] = {1.2373046875f, largest, tail, -tail, 0.0f, 0x1p-24f, -largest / 2, 0.75f};
        for (size_t i = 0; i < VS_TEST_COUNT(v); i++) {
            volatile float quotient = vsk_f16_decode(vsk_f16_encode(h[i])) / norm;
            v[i] = quotient;
        }
        must_find(v, VS_TEST_COUNT(v), VSK_F16, "from end to end");
    }
    v[0] = 1.0f / 3.0f; /* two elements further apart than any two of float16 */
    v[1] = ldexpf(v[0], -41);
    must_miss(v, 2, VSK_F16, "too far apart");
    must_find(v, 2, VSK_BF16, "far apart");
    v[0] = 0x1.234567p-127f; /* denormal */
    must_miss(v, 1, VSK_F16, "denormal");
    must_miss(v, 1, VSK_BF16, "denormal");
    v[0] = 0x1.8p-130f;
    must_find(v, 1, VSK_BF16, "denormal in bfloat16, too");
}

static void any_alignment_will_do(void **state)
{
    static unsigned char from[4 * 200 + 4], to[2 * 200 + 2];
    float v[200];
    (void)state;
    fill_gauss(v, 200, 1.0);
    for (size_t i = 0; i < 200; i++) {
        v[i] = vsk_f16_decode(vsk_f16_encode(v[i]));
    }
    normalise(v, 200);
    for (size_t shift = 0; shift < 4; shift++) {
        float norm, again[200];
        uint16_t h[200];
        memcpy(from + shift, v, sizeof v);
        assert_true(vs_half_find((const void *)(from + shift), 200, VSK_F16,
                                 (void *)(to + shift % 2), &norm));
        memcpy(h, to + shift % 2, sizeof h);
        vs_half_widen(h, 200, VSK_F16, norm, again);
        assert_memory_equal(again, v, sizeof v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_computed_in_16_bits_and_normalised_is_always_found, begin),
        cmocka_unit_test_setup(every_16_bit_vector_over_a_norm_is_found, begin),
        cmocka_unit_test_setup(exact_16_bit_vectors_have_the_norm_1, begin),
        cmocka_unit_test_setup(integers_over_their_norm_stay_integers, begin),
        cmocka_unit_test_setup(random_float32_is_not_found, begin),
        cmocka_unit_test_setup(what_is_found_agrees_with_the_definition, begin),
        cmocka_unit_test_setup(one_element_changed_by_one_unit_agrees_with_the_definition, begin),
        cmocka_unit_test_setup(zeros_keep_their_signs, begin),
        cmocka_unit_test_setup(nan_and_infinity_are_not_found_anywhere, begin),
        cmocka_unit_test_setup(huge_and_tiny_vectors_are_found, begin),
        cmocka_unit_test_setup(the_whole_range_of_float16_is_used, begin),
        cmocka_unit_test_setup(any_alignment_will_do, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
