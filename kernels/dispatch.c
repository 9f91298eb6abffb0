/*
 * dispatch.c - chooses one kernel per operation and type.
 *
 * The list in vsk_impl.h runs from the scalar level upwards; every row the CPU can run overwrites
 * the one before it, so an operation that a level lacks keeps the kernel of the level below. What
 * runs is read back from the table, never from a plan.
 *
 * Threads: vsk_init may be called by any number at once; the first fills the table and publishes
 * it, the others wait for it.
 */
#include <stdatomic.h>

#include "vsk_impl.h"

#define DISPATCH_ROW(kind, field, operation, type, fn, level, needs)                               \
    {operation, type, level, needs, offsetof(vsk_table, field), (vsk_any_fn)(fn)},
static const vsk_kernel_row dispatch_rows[] = {VSK_KERNELS_SCALAR(DISPATCH_ROW)
                                                   VSK_KERNELS_SIMD(DISPATCH_ROW)};
#undef DISPATCH_ROW

enum { DISPATCH_ROW_COUNT = sizeof dispatch_rows / sizeof dispatch_rows[0] };

static const struct {
    const char *name;
    unsigned own;  /* the CPU has the level when it has this bit */
    unsigned mask; /* bits the level, and those before it in vsk_level, may use */
} dispatch_levels[VSK_LEVEL_COUNT] = {
    [VSK_SCALAR] = {"scalar", 0, 0},
    [VSK_SSE2] = {"sse2", VSK_NEEDS_SSE2, VSK_NEEDS_SSE2},
    [VSK_AVX2] = {"avx2", VSK_NEEDS_AVX2, VSK_NEEDS_SSE2 | VSK_NEEDS_AVX2},
    [VSK_AVX512] = {"avx512", VSK_NEEDS_AVX512,
                    VSK_NEEDS_SSE2 | VSK_NEEDS_AVX2 | VSK_NEEDS_AVX512 | VSK_NEEDS_VNNI |
                        VSK_NEEDS_VPOPCNTDQ},
    [VSK_NEON] = {"neon", VSK_NEEDS_NEON, ~0u},
};

static const char *const dispatch_type_names[VSK_TYPE_COUNT] = {"float32", "float16", "bfloat16",
                                                                "int8", "bit"};

enum { DISPATCH_UNSET, DISPATCH_BUSY, DISPATCH_READY };

static atomic_int dispatch_state = DISPATCH_UNSET;
static vsk_table dispatch_table; /* written while BUSY, constant once READY */
static vsk_level dispatch_level; /* likewise */

const vsk_kernel_row *vsk_kernel_rows(size_t *count)
{
    *count = DISPATCH_ROW_COUNT;
    return dispatch_rows;
}

static void dispatch_fill(unsigned features, vsk_table *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < DISPATCH_ROW_COUNT; i++) {
        const vsk_kernel_row *row = &dispatch_rows[i];
        if ((row->needs & ~features) == 0) {
            memcpy((char *)out + row->offset, &row->fn, sizeof row->fn);
        }
    }
}

static int dispatch_level_of_name(const char *name, vsk_level *out)
{
    for (int level = 0; level < VSK_LEVEL_COUNT; level++) {
        if (strcmp(name, dispatch_levels[level].name) == 0) {
            *out = (vsk_level)level;
            return 0;
        }
    }
    return -1;
}

int vsk_init(const char *limit)
{
    vsk_level level = (vsk_level)(VSK_LEVEL_COUNT - 1);
    int unset = DISPATCH_UNSET;

    if (limit != NULL && dispatch_level_of_name(limit, &level) != 0) {
        return -1;
    }
    if (!atomic_compare_exchange_strong(&dispatch_state, &unset, DISPATCH_BUSY)) {
        while (atomic_load_explicit(&dispatch_state, memory_order_acquire) != DISPATCH_READY) {
            /* a few microseconds, once per process */
        }
        return 0;
    }
    unsigned features = vsk_cpu_features() & dispatch_levels[level].mask;
    while ((dispatch_levels[level].own & ~features) != 0) {
        level--;
    }
    dispatch_fill(features, &dispatch_table);
    dispatch_level = level;
    atomic_store_explicit(&dispatch_state, DISPATCH_READY, memory_order_release);
    return 0;
}

const vsk_table *vsk_get(void)
{
    return &dispatch_table;
}

vsk_level vsk_level_in_use(void)
{
    return dispatch_level;
}

const char *vsk_level_name(vsk_level level)
{
    return dispatch_levels[level].name;
}

const char *vsk_type_name(vsk_type type)
{
    return dispatch_type_names[type];
}

int vsk_table_for_level(vsk_level level, vsk_table *out)
{
    unsigned features = vsk_cpu_features();

    if ((dispatch_levels[level].own & ~features) != 0) {
        return -1;
    }
    dispatch_fill(features & dispatch_levels[level].mask, out);
    return 0;
}

size_t vsk_bytes(vsk_type type, size_t dim)
{
    return type == VSK_BIT ? dim / 8 : dim * vsk_element_bytes(type);
}

/* The row whose kernel the table holds at this offset; there always is one. */
static const vsk_kernel_row *dispatch_row_in_use(size_t offset)
{
    size_t i = DISPATCH_ROW_COUNT - 1;

    while (dispatch_rows[i].offset != offset ||
           memcmp((const char *)&dispatch_table + offset, &dispatch_rows[i].fn,
                  sizeof dispatch_rows[i].fn) != 0) {
        i--;
    }
    return &dispatch_rows[i];
}

int vsk_kernel_at(size_t index, vsk_kernel_info *out)
{
    /*
     * The scalar level has every operation once, and comes first: its rows number the operations.
     */
    if (index >= DISPATCH_ROW_COUNT || dispatch_rows[index].needs != 0) {
        return 0;
    }
    const vsk_kernel_row *row = dispatch_row_in_use(dispatch_rows[index].offset);
    out->operation = row->operation;
    out->type = row->type;
    out->level = row->level;
    return 1;
}

const char *vsk_levels_compiled(void)
{
#if defined(VSK_X86)
    return "scalar sse2 avx2 avx512";
#elif defined(VSK_ARM64)
    return "scalar neon";
#else
    return "scalar";
#endif
}
