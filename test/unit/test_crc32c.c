/*
 * test_crc32c.c - the checksum of frames, against published values and a bit at a time.
 */
#include "../vs_test.h"

#include "../../ext/crc32c.h"

/* The definition: polynomial division, one bit at a time. */
static uint32_t reference(const unsigned char *data, size_t n)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0u);
        }
    }
    return ~crc;
}

/* RFC 3720, B.4 */
static void published_values_come_out(void **state)
{
    unsigned char bytes[32];
    (void)state;
    assert_int_equal(vs_crc32c("", 0), 0);
    assert_int_equal(vs_crc32c("123456789", 9), 0xe3069283u);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(vs_crc32c(bytes, sizeof bytes), 0x8a9136aau);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(vs_crc32c(bytes, sizeof bytes), 0x62a8ab43u);
    for (int i = 0; i < 32; i++) {
        bytes[i] = (unsigned char)i;
    }
    assert_int_equal(vs_crc32c(bytes, sizeof bytes), 0x46dd794eu);
}

static void every_length_and_start_agrees_with_the_definition(void **state)
{
    unsigned char bytes[320];
    uint64_t random = 0xc0ffeeu;
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)vs_test_random(&random);
    }
    for (size_t start = 0; start < 8; start++) {
        for (size_t n = 0; n <= 300; n++) {
            assert_int_equal(vs_crc32c(bytes + start, n), reference(bytes + start, n));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values_come_out),
        cmocka_unit_test(every_length_and_start_agrees_with_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
