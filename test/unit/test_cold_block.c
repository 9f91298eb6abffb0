/*
 * test_cold_block.c - blocks of t_cold: each vector comes back, each kind of vector gets the frame
 * that suits it, and what is damaged or forged is refused.
 */
#include "../cold_fixture.h"

#include "../../ext/cold_block.h"
#include "../frame_fixture.h"
#include "../vs_fault.h"

enum { DIM = 256, RECORDS = 64, NUMBER = 77, HEADER = 32, KINDS_AT = HEADER + 8 * RECORDS };

static const vs_frame_shape shape = {VS_FRAME_F32, DIM, RECORDS};

/* ---- blocks ---------------------------------------------------------------------------------- */

/* A block in which record i has a vector that is on the half grid (i % 10 < on_grid) or is of
 * another kind. */
static void make_block(vs_cold_block *out, int on_grid, frame_block other)
{
    static float grid[RECORDS * DIM], others[RECORDS * DIM];
    frame_fill(BLOCK_F16_OVER_N, DIM, sizeof grid, grid);
    frame_fill(other, DIM, sizeof others, others);
    assert_int_equal(vs_cold_block_new(&shape, out), SQLITE_OK);
    for (int i = 0; i < RECORDS; i++) {
        const float *from = i % 10 < on_grid ? grid : others;
        out->rowids[i] = INT64_MAX - i;
        out->kinds[i] = VS_COLD_VECTOR;
        memcpy(out->vectors + (size_t)i * DIM * 4, from + i * DIM, DIM * 4);
    }
}

/* Leaves record i without a vector, or unused. */
static void take_vector(vs_cold_block *block, int i, vs_cold_kind kind)
{
    memset(block->vectors + (size_t)i * DIM * 4, 0, DIM * 4);
    block->kinds[i] = (uint8_t)kind;
    block->rowids[i] = kind == VS_COLD_UNUSED ? 0 : block->rowids[i];
}

static size_t encode(const vs_cold_block *block, uint8_t **out)
{
    void *data = NULL;
    size_t n = 0;
    vs_err err = VS_ERR_INIT;
    assert_int_equal(vs_cold_block_encode("t", NUMBER, block, &data, &n, &err), SQLITE_OK);
    *out = data;
    return n;
}

/* Encodes a block and decodes it: the same. Gives the sizes of its frames, and counts its kinds. */
static void check_round(const vs_cold_block *block, size_t frames[COLD_FRAMES],
                        int counts[VS_COLD_KINDS])
{
    uint8_t *data = NULL, *again = NULL;
    vs_cold_block back;
    vs_err err = VS_ERR_INIT;
    size_t n = encode(block, &data);
    assert_int_equal(encode(block, &again), n);
    assert_memory_equal(data, again, n);
    assert_int_equal(cold_head_bytes(data, frames), vs_cold_block_head_bytes(block->shape.count));
    assert_int_equal(vs_cold_block_head_bytes(block->shape.count) + frames[0] + frames[1], n);
    if (vs_cold_block_decode(&block->shape, NUMBER, data, n, &back, &err) != SQLITE_OK) {
        fail_msg("%s", err.message);
    }
    memset(counts, 0, VS_COLD_KINDS * sizeof *counts);
    for (uint32_t i = 0; i < block->shape.count; i++) {
        int kind = back.kinds[i];
        counts[kind]++;
        assert_int_equal(kind == VS_COLD_HALF ? VS_COLD_VECTOR : kind, block->kinds[i]);
    }
    size_t width = block->shape.elem == VS_FRAME_F32 ? 4 : 2;
    assert_memory_equal(back.rowids, block->rowids, 8 * block->shape.count);
    assert_memory_equal(back.vectors, block->vectors,
                        width * block->shape.dim * block->shape.count);
    assert_int_equal(frames[0] > 0, counts[VS_COLD_VECTOR] > 0);
    assert_int_equal(frames[1] > 0, counts[VS_COLD_HALF] > 0);
    /* What was decoded gives the same block again. */
    sqlite3_free(again);
    assert_int_equal(encode(&back, &again), n);
    assert_memory_equal(data, again, n);
    vs_cold_block_free(&back);
    sqlite3_free(data);
    sqlite3_free(again);
}

/* Bytes of one frame with all vectors of a block. */
static size_t bytes_of_one_frame(const vs_cold_block *block)
{
    void *frame = NULL;
    size_t n = frame_encode(block->vectors, &block->shape, VS_FRAME_AUTO, 1, &frame);
    sqlite3_free(frame);
    return n;
}

/* ---- what goes in comes out ------------------------------------------------------------------ */

static void vectors_of_both_kinds_get_a_frame_each(void **state)
{
    (void)state;
    for (int on_grid = 1; on_grid < 10; on_grid++) {
        vs_cold_block block;
        size_t frames[COLD_FRAMES];
        int counts[VS_COLD_KINDS], expected = 0;
        make_block(&block, on_grid, BLOCK_NORMAL);
        check_round(&block, frames, counts);
        for (int i = 0; i < RECORDS; i++) {
            expected += i % 10 < on_grid;
        }
        assert_int_equal(counts[VS_COLD_HALF], expected);
        assert_int_equal(counts[VS_COLD_VECTOR], RECORDS - expected);
        assert_true(frames[1] < (size_t)expected * DIM * 4 * 46 / 100 + 200);
        assert_true(frames[0] + frames[1] < bytes_of_one_frame(&block));
        vs_cold_block_free(&block);
    }
}

static void one_kind_gets_one_frame(void **state)
{
    static const frame_block kinds[] = {BLOCK_NORMAL, BLOCK_BITS, BLOCK_F16_OVER_N, BLOCK_NOISE};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(kinds); i++) {
        vs_cold_block block;
        size_t frames[COLD_FRAMES];
        int counts[VS_COLD_KINDS];
        make_block(&block, 0, kinds[i]);
        check_round(&block, frames, counts);
        assert_int_equal(counts[VS_COLD_VECTOR], RECORDS);
        assert_int_equal(frames[0], bytes_of_one_frame(&block));
        vs_cold_block_free(&block);
    }
}

/* Whatever is beside the vectors on the grid: two frames only where they are smaller. */
static void two_frames_are_never_larger_than_one(void **state)
{
    (void)state;
    for (int kind = 0; kind < BLOCK_KINDS; kind++) {
        for (int on_grid = 0; on_grid <= 10; on_grid += 5) {
            vs_cold_block block;
            size_t frames[COLD_FRAMES];
            int counts[VS_COLD_KINDS];
            make_block(&block, on_grid, (frame_block)kind);
            check_round(&block, frames, counts);
            assert_true(frames[0] + frames[1] <= bytes_of_one_frame(&block));
            vs_cold_block_free(&block);
        }
    }
}

/* Decimals of which some happen to be on the half grid: together they are smaller. */
static void decimals_stay_together(void **state)
{
    vs_cold_block block;
    size_t frames[COLD_FRAMES];
    int counts[VS_COLD_KINDS];
    (void)state;
    make_block(&block, 0, BLOCK_DECIMAL);
    for (int i = 0; i < RECORDS; i += 8) {
        for (int j = 0; j < DIM; j++) {
            float value = (float)(j % 8) / 4.0f;
            memcpy(block.vectors + ((size_t)i * DIM + (size_t)j) * 4, &value, 4);
        }
    }
    check_round(&block, frames, counts);
    assert_true(frames[0] + frames[1] <= bytes_of_one_frame(&block));
    vs_cold_block_free(&block);
}

static void records_without_a_vector_take_no_room_in_a_frame(void **state)
{
    (void)state;
    for (int on_grid = 0; on_grid <= 10; on_grid += 5) {
        vs_cold_block block;
        size_t whole[COLD_FRAMES], frames[COLD_FRAMES];
        int counts[VS_COLD_KINDS];
        make_block(&block, on_grid, BLOCK_NORMAL);
        check_round(&block, whole, counts);
        for (int i = 0; i < RECORDS; i++) {
            if (i % 3 > 0) {
                take_vector(&block, i, i % 3 == 1 ? VS_COLD_NULL : VS_COLD_UNUSED);
            }
        }
        check_round(&block, frames, counts);
        assert_int_equal(counts[VS_COLD_NULL], RECORDS / 3);
        assert_int_equal(counts[VS_COLD_VECTOR] + counts[VS_COLD_HALF], RECORDS / 3 + 1);
        assert_true(frames[0] + frames[1] < (whole[0] + whole[1]) * 36 / 100 + 300);
        for (int i = 0; i < RECORDS; i += 3) {
            take_vector(&block, i, VS_COLD_NULL);
        }
        check_round(&block, frames, counts);
        assert_int_equal(frames[0] + frames[1], 0);
        vs_cold_block_free(&block);
    }
}

/* Columns of 16-bit floats have one frame, also where every vector would be on the grid. */
static void sixteen_bit_floats_have_one_frame(void **state)
{
    static const vs_frame_elem elems[] = {VS_FRAME_F16, VS_FRAME_BF16};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(elems); i++) {
        vs_frame_shape small = {elems[i], 40, 32};
        vs_cold_block block;
        size_t frames[COLD_FRAMES];
        int counts[VS_COLD_KINDS];
        uint64_t random = 5;
        assert_int_equal(vs_cold_block_new(&small, &block), SQLITE_OK);
        for (size_t j = 0; j < 32 * 40 * 2; j++) {
            block.vectors[j] = (uint8_t)vs_test_random(&random);
        }
        memset(block.kinds, VS_COLD_VECTOR, 32);
        check_round(&block, frames, counts);
        assert_int_equal(counts[VS_COLD_VECTOR], 32);
        vs_cold_block_free(&block);
    }
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void seal(uint8_t *data, size_t n)
{
    uint32_t sum = vsk_get()->checksum(data + 8, n - 8);
    memcpy(data + 4, &sum, 4);
}

/* Decodes a copy of its size; nothing stays allocated. Gives the code. */
static int try_bytes(const uint8_t *data, size_t n, const vs_frame_shape *wanted, vs_err *err)
{
    int64_t live = vs_fault_live();
    vs_cold_block back;
    uint8_t *copy = malloc(n + !n);
    memcpy(copy, data, n);
    int rc = vs_cold_block_decode(wanted, NUMBER, copy, n, &back, err);
    free(copy);
    vs_cold_block_free(&back);
    assert_int_equal(vs_fault_live(), live + (err->message != NULL));
    assert_int_equal(rc == SQLITE_OK, err->message == NULL);
    return rc;
}

static void refused(const uint8_t *data, size_t n, const char *sentence)
{
    vs_err err = VS_ERR_INIT;
    assert_int_equal(try_bytes(data, n, &shape, &err), SQLITE_ERROR);
    assert_string_equal(err.message, sentence);
    vs_error_clear(&err);
}

/* A block with 32 vectors on the grid and 32 others. */
static size_t make_mixed(uint8_t **out, size_t frames[COLD_FRAMES])
{
    vs_cold_block block;
    make_block(&block, 5, BLOCK_NORMAL);
    size_t n = encode(&block, out);
    (void)cold_head_bytes(*out, frames);
    assert_true(frames[0] > 0 && frames[1] > 0);
    vs_cold_block_free(&block);
    return n;
}

static void a_block_cut_anywhere_is_refused(void **state)
{
    uint8_t *data = NULL;
    size_t frames[COLD_FRAMES], n = make_mixed(&data, frames);
    (void)state;
    for (size_t cut = 0; cut < n; cut += cut < 1000 || cut + 50 > n ? 1 : 331) {
        vs_err err = VS_ERR_INIT;
        assert_int_equal(try_bytes(data, cut, &shape, &err), SQLITE_ERROR);
        vs_error_clear(&err);
    }
    sqlite3_free(data);
}

/* Alters a value of a sealed block, and takes it back. */
static void forged(uint8_t *data, size_t n, size_t at, uint32_t value, const char *sentence)
{
    uint32_t before;
    memcpy(&before, data + at, 4);
    memcpy(data + at, &value, 4);
    seal(data, n);
    refused(data, n, sentence);
    memcpy(data + at, &before, 4);
    seal(data, n);
}

static void forged_fields_are_refused(void **state)
{
    static const char size[] = "it has another number, or another size";
    uint8_t *data = NULL;
    size_t frames[COLD_FRAMES], n = make_mixed(&data, frames);
    uint32_t first = (uint32_t)frames[0], second = (uint32_t)frames[1];
    (void)state;
    data[100] ^= 1;
    refused(data, n, "its checksum is wrong");
    data[100] ^= 1;
    data[3] ^= 1;
    refused(data, n, "it is no block");
    data[3] ^= 1;
    forged(data, n, 8, NUMBER + 1, size);
    forged(data, n, 16, RECORDS - 1, size);
    forged(data, n, 20, first + 1, size);
    forged(data, n, 24, second - 1, size);
    forged(data, n, 20, UINT32_MAX, size);
    forged(data, n, 28, 1, "it has bytes that should be zero and are not");
    forged(data, n, KINDS_AT, 0x02030304, "a record is of no known kind");
    refused(data, 0, "it is no block");
    /* The frames' border elsewhere: the first one is longer than it says. */
    uint32_t borders[2] = {first + 4, second - 4};
    memcpy(data + 20, borders, 8);
    seal(data, n);
    vs_err err = VS_ERR_INIT;
    assert_int_equal(try_bytes(data, n, &shape, &err), SQLITE_ERROR);
    vs_error_clear(&err);
    sqlite3_free(data);
}

/* The kinds say how many vectors each frame has: one more or less is refused. */
static void frames_with_another_count_are_refused(void **state)
{
    static const char others[] = "its vectors are others than those of the column";
    uint8_t *data = NULL;
    size_t frames[COLD_FRAMES], n = make_mixed(&data, frames);
    (void)state;
    for (int i = 0; i < RECORDS; i += 7) {
        uint8_t kind = data[KINDS_AT + i];
        for (int other = VS_COLD_UNUSED; other < VS_COLD_KINDS; other++) {
            if (other == kind) {
                continue;
            }
            data[KINDS_AT + i] = (uint8_t)other;
            seal(data, n);
            vs_err err = VS_ERR_INIT;
            assert_int_equal(try_bytes(data, n, &shape, &err), SQLITE_ERROR);
            assert_true(strcmp(err.message, others) == 0 ||
                        strstr(err.message, "more than the limit") != NULL);
            vs_error_clear(&err);
        }
        data[KINDS_AT + i] = kind;
    }
    /* All of one kind: the other frame belongs to nobody. */
    memset(data + KINDS_AT, VS_COLD_NULL, RECORDS);
    seal(data, n);
    refused(data, n, "it has a frame that no record belongs to");
    sqlite3_free(data);
}

static void a_frame_that_is_missing_is_refused(void **state)
{
    uint8_t *data = NULL;
    size_t frames[COLD_FRAMES], n = make_mixed(&data, frames);
    uint32_t none = 0;
    (void)state;
    memcpy(data + 24, &none, 4);
    seal(data, n - frames[1]);
    refused(data, n - frames[1], "its vectors: not a VSZ1 frame");
    sqlite3_free(data);
}

/* Frames of another dimension, and a second frame in a column that has only one. */
static void blocks_of_another_column_are_refused(void **state)
{
    uint8_t *data = NULL;
    size_t frames[COLD_FRAMES], n = make_mixed(&data, frames);
    const vs_frame_shape others[] = {{VS_FRAME_F32, DIM - 1, RECORDS},
                                     {VS_FRAME_F32, DIM + 1, RECORDS},
                                     {VS_FRAME_F32, DIM, RECORDS / 2},
                                     {VS_FRAME_F16, DIM, RECORDS},
                                     {VS_FRAME_BF16, 2 * DIM, RECORDS}};
    (void)state;
    for (size_t i = 0; i < VS_TEST_COUNT(others); i++) {
        vs_err err = VS_ERR_INIT;
        assert_int_equal(try_bytes(data, n, &others[i], &err), SQLITE_ERROR);
        vs_error_clear(&err);
    }
    sqlite3_free(data);
}

/* Any bit, with a checksum that agrees: an error with a sentence, or a block. */
static void any_flipped_bit_gives_a_sentence_or_a_block(void **state)
{
    uint8_t *data = NULL;
    size_t frames[COLD_FRAMES], n = make_mixed(&data, frames);
    uint64_t random = 11;
    (void)state;
    for (int i = 0; i < 4000; i++) {
        size_t bit = i < 2000 ? 64 + (size_t)i : vs_test_random(&random) % (8 * n);
        vs_err err = VS_ERR_INIT;
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        seal(data, n);
        int rc = try_bytes(data, n, &shape, &err);
        assert_true(rc == SQLITE_OK || rc == SQLITE_ERROR);
        vs_error_clear(&err);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    sqlite3_free(data);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void without_memory_nothing_is_left(void **state)
{
    int64_t live = vs_fault_live();
    vs_cold_block block, back;
    uint8_t *data = NULL;
    size_t frames[COLD_FRAMES];
    (void)state;
    make_block(&block, 5, BLOCK_NORMAL);
    take_vector(&block, 3, VS_COLD_NULL);
    for (int64_t i = 1, failed = 1; failed > 0; i++) {
        void *out = NULL;
        size_t n = 0;
        vs_err err = VS_ERR_INIT;
        int64_t before = vs_fault_live();
        vs_fault_arm(i, 0);
        int rc = vs_cold_block_encode("t", NUMBER, &block, &out, &n, &err);
        failed = vs_fault_disarm();
        assert_int_equal(rc, failed > 0 ? SQLITE_NOMEM : SQLITE_OK);
        assert_int_equal(out == NULL, failed > 0);
        sqlite3_free(out);
        assert_int_equal(vs_fault_live(), before);
    }
    size_t n = make_mixed(&data, frames);
    for (int64_t i = 1, failed = 1; failed > 0; i++) {
        vs_err err = VS_ERR_INIT;
        vs_fault_arm(i, 0);
        int rc = vs_cold_block_decode(&shape, NUMBER, data, n, &back, &err);
        failed = vs_fault_disarm();
        assert_int_equal(rc, failed > 0 ? SQLITE_NOMEM : SQLITE_OK);
        vs_cold_block_free(&back);
    }
    sqlite3_free(data);
    vs_cold_block_free(&block);
    assert_int_equal(vs_fault_live(), live);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_both_kinds_get_a_frame_each),
        cmocka_unit_test(one_kind_gets_one_frame),
        cmocka_unit_test(two_frames_are_never_larger_than_one),
        cmocka_unit_test(decimals_stay_together),
        cmocka_unit_test(records_without_a_vector_take_no_room_in_a_frame),
        cmocka_unit_test(sixteen_bit_floats_have_one_frame),
        cmocka_unit_test(a_block_cut_anywhere_is_refused),
        cmocka_unit_test(forged_fields_are_refused),
        cmocka_unit_test(frames_with_another_count_are_refused),
        cmocka_unit_test(a_frame_that_is_missing_is_refused),
        cmocka_unit_test(blocks_of_another_column_are_refused),
        cmocka_unit_test(any_flipped_bit_gives_a_sentence_or_a_block),
        cmocka_unit_test(without_memory_nothing_is_left),
    };
    vs_fault_install();
    vsk_init(NULL);
    return cmocka_run_group_tests_name("cold_block", tests, NULL, NULL);
}
