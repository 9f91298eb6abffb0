/*
 * cross_digest.c - one number per level, over the bits of every canonical result and conversion on
 * fixed data, and over all that a code of a vector consists of.
 *
 * Prints "LEVEL DIGEST" for each level that this CPU has. Whatever the compiler, the architecture
 * and the level, the digest is the same; cross.sh compares them. Plain C without cmocka, so that it
 * links statically for other architectures.
 */
#include <stdio.h>
#include <string.h>

#include "../../kernels/vsk_impl.h"

enum { DIGEST_DIM_MAX = 4096, DIGEST_SMALL_DIMS = 130 };

static const size_t digest_big_dims[] = {257, 384, 768, 1001, 1536, DIGEST_DIM_MAX};
enum { DIGEST_DIMS = DIGEST_SMALL_DIMS + sizeof digest_big_dims / sizeof digest_big_dims[0] };

static uint64_t digest_random_state;

static uint64_t digest_random(void)
{
    uint64_t z = (digest_random_state += 0x9e3779b97f4a7c15u); /* splitmix64 */

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Any finite elements: exponents over the whole range, or near one another, by turns. */
static void digest_fill(vsk_type type, unsigned char *out, size_t dim, size_t turn)
{
    size_t bytes = vsk_bytes(type, dim);

    for (size_t i = 0; i < bytes; i++) {
        out[i] = (unsigned char)digest_random();
    }
    size_t element = type == VSK_F32 ? 4 : type == VSK_F16 || type == VSK_BF16 ? 2 : 0;
    for (size_t i = 0; element > 0 && i < bytes; i += element) {
        unsigned char *upper = &out[i + element - 1];
        *upper = turn % 2 == 0 ? (unsigned char)((*upper & 0x80) | 0x3b) /* about one */
                               : (unsigned char)(*upper & 0xbb);         /* far from the largest */
    }
}

/* FNV-1a. */
static void digest_add(uint64_t *digest, const void *data, size_t bytes)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < bytes; i++) {
        *digest = (*digest ^ p[i]) * 0x100000001b3u;
    }
}

static void digest_add_double(uint64_t *digest, double value)
{
    digest_add(digest, &value, sizeof value);
}

static void digest_vectors(const vsk_table *table, vsk_type type, const unsigned char *a,
                           const unsigned char *b, size_t dim, uint64_t *digest)
{
    double triple[3];

    if (type == VSK_BIT) {
        digest_add_double(digest, table->hamming(a, b, dim));
        digest_add_double(digest, table->jaccard(a, b, dim));
        return;
    }
    digest_add_double(digest, table->dot[type](a, b, dim));
    digest_add_double(digest, table->l2sq[type](a, b, dim));
    digest_add_double(digest, table->l1[type](a, b, dim));
    digest_add_double(digest, table->sumsq[type](a, dim));
    table->triple[type](a, b, dim, triple);
    digest_add(digest, triple, sizeof triple);
}

static void digest_conversions(const vsk_table *table, vsk_type type, const unsigned char *a,
                               size_t dim, uint64_t *digest)
{
    static float wide[DIGEST_DIM_MAX];
    static uint16_t narrow[DIGEST_DIM_MAX];

    if (table->to_f32[type] != NULL) {
        table->to_f32[type](a, wide, dim);
        digest_add(digest, wide, dim * sizeof wide[0]);
    }
    if (table->half_widen[type] != NULL) {
        static const float norms[] = {1.0f, 16389.7f, 0x1.fffffep-100f, 0x1.8p+126f};
        for (size_t i = 0; i < sizeof norms / sizeof norms[0]; i++) {
            table->half_widen[type](a, norms[i], wide, dim);
            digest_add(digest, wide, dim * sizeof wide[0]);
        }
        table->to_f32[type](a, wide, dim);
    }
    if (table->from_f32[type] != NULL) {
        table->from_f32[type](wide, narrow, dim);
        digest_add(digest, narrow, dim * sizeof narrow[0]);
    }
}

/* A vector, rotated, its planes and terms, products with a query, and a checksum of the planes. */
static void digest_code(const vsk_table *table, float *v, size_t n, uint64_t *digest)
{
    static uint8_t planes[DIGEST_DIM_MAX]; /* B, then C */
    static int8_t q[2 * DIGEST_DIM_MAX];
    vsk_code_terms terms;
    vsk_code_query query;
    int32_t products[4];

    table->rotate(v, n);
    digest_add(digest, v, n * sizeof *v);
    vsk_code_encode_with(table, v, n, planes, planes + n / 2, &terms);
    digest_add(digest, planes, n);
    digest_add(digest, &terms, sizeof terms);
    vsk_code_query_init(v, n, q, q + n, &query);
    digest_add(digest, q, 2 * n);
    table->code_dot(q, n, 2, planes, n / 2, 2, n, products);
    digest_add(digest, products, sizeof products);
    uint32_t sum = table->checksum(planes, n - 5);
    digest_add(digest, &sum, sizeof sum);
}

/* Products of the front plane. */
static void digest_front(const vsk_table *table, uint64_t *digest)
{
    static int8_t rows[2 * VSK_FRONT_ROWS * VSK_FRONT_MAX];
    enum { QUERIES = 11 };
    int16_t w[QUERIES * VSK_FRONT_MAX];
    int32_t products[QUERIES * 2 * VSK_FRONT_ROWS];

    for (size_t m = VSK_FRONT_STEP; m <= VSK_FRONT_MAX; m += VSK_FRONT_STEP) {
        for (size_t i = 0; i < sizeof rows; i++) {
            rows[i] = (int8_t)((int)(digest_random() % 255) - 127);
        }
        for (size_t j = 0; j < QUERIES * m; j++) {
            w[j] = (int16_t)((int)(digest_random() % 65535) - 32767);
        }
        table->front_dot(w, m, QUERIES, rows, 2 * VSK_FRONT_ROWS, m, products, 2 * VSK_FRONT_ROWS);
        digest_add(digest, products, sizeof products);
    }
}

static void digest_codes(const vsk_table *table, uint64_t *digest)
{
    static float v[DIGEST_DIM_MAX];

    for (size_t n = VSK_CODE_GROUP; n <= DIGEST_DIM_MAX; n += VSK_CODE_GROUP * (n < 1088 ? 1 : 7)) {
        for (size_t turn = 0; turn < 6; turn++) {
            for (size_t i = 0; i < n;
                 i++) { /* sums, ever more Gaussian; at last a single element */
                int64_t sum = 0;
                for (size_t j = 0; j <= turn; j++) {
                    sum += (int32_t)digest_random();
                }
                v[i] = turn == 5 && i != n / 3 ? 0.0f : (float)sum;
            }
            digest_code(table, v, n, digest);
        }
    }
}

static uint64_t digest_level(const vsk_table *table)
{
    static unsigned char a[4 * DIGEST_DIM_MAX];
    static unsigned char b[4 * DIGEST_DIM_MAX];
    uint64_t digest = 0xcbf29ce484222325u;

    digest_random_state = 0x5eed5eed2024u;
    for (int type = 0; type < VSK_TYPE_COUNT; type++) {
        for (size_t i = 0; i < 2 * DIGEST_DIMS; i++) {
            size_t index = i / 2;
            size_t dim =
                index < DIGEST_SMALL_DIMS ? index + 1 : digest_big_dims[index - DIGEST_SMALL_DIMS];
            dim = type == VSK_BIT ? dim / 8 * 8 : dim;
            digest_fill((vsk_type)type, a, dim, i);
            digest_fill((vsk_type)type, b, dim, i);
            digest_vectors(table, (vsk_type)type, a, b, dim, &digest);
            digest_conversions(table, (vsk_type)type, a, dim, &digest);
        }
    }
    digest_codes(table, &digest);
    digest_front(table, &digest);
    return digest;
}

int main(void)
{
    for (int level = 0; level < VSK_LEVEL_COUNT; level++) {
        vsk_table table;
        if (vsk_table_for_level((vsk_level)level, &table) == 0) {
            printf("%s %016llx\n", vsk_level_name((vsk_level)level),
                   (unsigned long long)digest_level(&table));
        }
    }
    return 0;
}
